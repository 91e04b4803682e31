package xai

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// DefaultModel is used when the configuration names none, under both wires.
const DefaultModel = "grok-imagine-image"

const cent = provider.Dollar / 100

// The facts below come from the published image page (wire "documented") and
// from the service's OpenAPI text, release notes and migration page (wire
// "current"). None is a live quote.
const (
	asOf              = "2026-11-22"
	documentedSource  = "docs.x.ai, Image Generation and Edit"
	currentSource     = "api.x.ai/api-docs/openapi.json; docs.x.ai release notes and models page"
	qualitySource     = "docs.x.ai/developers/migration/imagine-image-quality-nov-2"
	qualityMigration  = "retired; still answered, by grok-imagine-image-2.0 at quality low and at its price"
	priceOf15kUnknown = "the price at 1.5k is not published"
)

var (
	// The seven of the page, in its order.
	documentedRatios = []string{"1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3"}
	firstRatios      = []string{"1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9", "1:2", "2:1"}
	allRatios        = append(slices.Clone(firstRatios), "21:9", "5:2")

	documentedSizes = []provider.Size{{Width: 1024, Height: 1024}, {Width: 1792, Height: 1024}, {Width: 1024, Height: 1792}}

	// What the page says that the two styles mean, as words for a prompt.
	styleWords = map[string]string{
		"vivid":   "Vivid, dramatic, hyper-real.",
		"natural": "Natural, realistic, not stylized.",
	}
)

// documented is what the page promises of its one model.
func documented() []provider.Offer {
	return []provider.Offer{{
		Provider:           "xai",
		Model:              "grok-imagine-image",
		Sizes:              slices.Clone(documentedSizes),
		AspectRatios:       slices.Clone(documentedRatios),
		Styles:             []string{"vivid", "natural"},
		Mask:               true,
		MaxN:               10,
		MaxInputs:          3,
		Pixels:             documentedPixels,
		DefaultAspectRatio: "1:1",
		Price:              flat(2*cent, cent/5),
		AsOf:               asOf,
		Source:             documentedSource,
	}}
}

// current is what the service takes today, the default model first.
//
// "auto", which is what the service chooses where nothing is sent, is left out
// of ratios and qualities: what it means has changed before, and with it the
// price. MaxPrompt is left open: the catalogue has a max_prompt_length, but
// nothing says in what unit, nor that a longer prompt is refused.
func current() []provider.Offer {
	base := provider.Offer{
		Provider:           "xai",
		AspectRatios:       slices.Clone(firstRatios),
		Resolutions:        []string{"1k", "2k"},
		User:               true,
		MaxN:               10,
		MaxInputs:          3,
		Pixels:             func(string, string) (provider.Size, bool) { return provider.Size{}, false }, // only "about 1 or 4 megapixels, sides multiples of 16"
		DefaultAspectRatio: "1:1",
		DefaultResolution:  "1k",
		AsOf:               asOf,
		Source:             currentSource,
	}

	first := base
	first.Model = "grok-imagine-image"
	first.Price = flat(2*cent, cent/5)

	second := base
	second.Model = "grok-imagine-image-2.0"
	second.AspectRatios = slices.Clone(allRatios)
	second.Resolutions = []string{"1k", "1.5k", "2k"}
	second.Qualities = []string{"low", "medium"}
	second.DefaultQuality = "low" // what "auto" means for a generation
	second.MaxInputs = 5
	second.Price = table(map[string]provider.Money{
		"1k low": 4 * cent, "1k medium": 6 * cent, "2k low": 6 * cent, "2k medium": 8 * cent,
	}, second.DefaultQuality, cent)
	second.Note = priceOf15kUnknown

	// A request for it has been one for the second at "low" since its end; it
	// cost $0.05 at 1k and $0.07 at 2k before.
	quality := base
	quality.Model = "grok-imagine-image-quality"
	quality.Aliases = []string{"grok-imagine-image-quality-latest", "grok-imagine-image-quality-20260403", "grok-imagine-image-pro"}
	quality.Price = table(map[string]provider.Money{"1k ": 4 * cent, "2k ": 6 * cent}, "", cent)
	quality.Source = qualitySource
	quality.EndOfLife = "2026-11-02"
	quality.ServedBy = second.Model
	quality.Note = qualityMigration

	all := []provider.Offer{first, second, quality}
	for i := range all {
		all[i].StyleWords = maps.Clone(styleWords)
	}
	return all
}

// Offers lists the models of cfg, the default one first.
func Offers(cfg provider.Config) []provider.Offer {
	out := offers(cfg)
	rehearsal := Local(cfg)
	for i := range out {
		if rehearsal {
			// What an emulator drew must never pass for what xAI was paid for:
			// its requests have names of their own.
			out[i].Provider = "xai (loopback)"
		}
		out[i].Elsewhere = elsewhere(cfg, out[i].Model)
	}
	return out
}

// offers: gRPC has neither size nor style nor mask, so there the wire decides
// only which of the models and ratios are offered.
func offers(cfg provider.Config) []provider.Offer {
	switch {
	case cfg.Transport != "grpc" && cfg.Wire == "documented":
		return documented()
	case cfg.Transport != "grpc":
		return current()
	}
	var out []provider.Offer
	for _, o := range current() {
		o = overGRPC(o)
		if cfg.Wire == "documented" {
			if o.Model != DefaultModel {
				continue
			}
			o.AspectRatios = slices.Clone(documentedRatios)
		}
		out = append(out, o)
	}
	return out
}

// elsewhere looks for a value of a field over the other transport, on the other
// wire, and with another model.
func elsewhere(cfg provider.Config, model string) func(field, value string) string {
	return func(field, value string) string {
		takes := func(o *provider.Offer) bool {
			values := map[string][]string{"aspect_ratio": o.AspectRatios, "resolution": o.Resolutions, "quality": o.Qualities}[field]
			return slices.Contains(values, value) || field == "user" && o.User
		}
		for _, other := range []struct{ transport, wire, edit string }{
			{"rest", cfg.Wire, `transport = "rest"`},
			{cfg.Transport, "current", `wire = "current"`},
			{"rest", "current", `transport = "rest" and wire = "current"`},
		} {
			for _, o := range offers(provider.Config{Transport: other.transport, Wire: other.wire}) {
				if o.Model == model && takes(&o) {
					return "write " + other.edit + " in the provider block"
				}
			}
		}
		for _, o := range offers(cfg) {
			if o.EndOfLife == "" && takes(&o) {
				return fmt.Sprintf("write model = %q", o.Model)
			}
		}
		return ""
	}
}

// Offer finds a model by name or alias; "" is DefaultModel.
func Offer(cfg provider.Config, model string) (provider.Offer, bool) {
	return named(Offers(cfg), model)
}

func named(offers []provider.Offer, model string) (provider.Offer, bool) {
	if model == "" {
		model = DefaultModel
	}
	for _, o := range offers {
		if o.Model == model || slices.Contains(o.Aliases, model) {
			return o, true
		}
	}
	return provider.Offer{}, false
}

// documentedPixels is the page's table of sizes and the ratio that each is
// "best for"; for the other ratios it names no pixels.
func documentedPixels(ratio, _ string) (provider.Size, bool) {
	switch ratio {
	case "1:1":
		return documentedSizes[0], true
	case "16:9":
		return documentedSizes[1], true
	case "9:16":
		return documentedSizes[2], true
	}
	return provider.Size{}, false
}

func flat(image, input provider.Money) func(*provider.Request) (provider.Money, bool) {
	return func(r *provider.Request) (provider.Money, bool) {
		return image + input*provider.Money(len(r.Inputs)), true
	}
}

// table prices by "resolution quality", as sent when the request has none. Each
// input picture is billed too; whether once a call or for each image is not
// published, so it is counted for each: the most that it can be.
func table(images map[string]provider.Money, quality string, input provider.Money) func(*provider.Request) (provider.Money, bool) {
	return func(r *provider.Request) (provider.Money, bool) {
		m, ok := images[cmp.Or(r.Resolution, "1k")+" "+cmp.Or(r.Quality, quality)]
		return m + input*provider.Money(len(r.Inputs)), ok
	}
}
