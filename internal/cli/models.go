package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
)

func modelsVerb() verb {
	var f projectFlags
	var asJSON, offline, allowExec bool
	return verb{
		name: "models", short: "list the models, what they take and what they cost", args: "[PROVIDER]",
		help: `
  imgbuild models
  imgbuild models xai -json
  imgbuild models -offline

The figures are built in; each has its date and its source. With a key, the
provider's own catalogue is asked as well, which is free, and what differs from
the figures is told: of the provider blocks of this folder, else of the
provider's own endpoint. Where it can't be had, a note says why.
`,
		bad: func(n int) bool { return n > 1 },
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON},
			&urfave.BoolFlag{Name: "offline", Usage: "ask nobody", Destination: &offline},
			allowExecFlag(&allowExec),
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			return runModels(ctx, env, &f, c.Args().First(), asJSON, offline, allowExec)
		},
	}
}

// modelRow is an offer as programs see it.
type modelRow struct {
	Provider     string          `json:"provider"`
	Wire         string          `json:"wire,omitempty"`
	Model        string          `json:"model"`
	Aliases      []string        `json:"aliases,omitempty"`
	Sizes        []provider.Size `json:"sizes,omitempty"`
	AnySize      bool            `json:"any_size,omitempty"`
	AspectRatios []string        `json:"aspect_ratios,omitempty"`
	Resolutions  []string        `json:"resolutions,omitempty"`
	Qualities    []string        `json:"qualities,omitempty"`
	Styles       []string        `json:"styles,omitempty"`
	Mask         bool            `json:"mask"`
	User         bool            `json:"user"`
	MaxN         int             `json:"max_n"`
	MaxInputs    int             `json:"max_inputs"`
	MaxPrompt    int             `json:"max_prompt,omitempty"`      // bytes
	Price        *provider.Money `json:"price_per_image,omitempty"` // of the cheapest image
	InputPrice   *provider.Money `json:"price_per_input,omitempty"`
	Prices       []priceRow      `json:"prices"`
	AsOf         string          `json:"as_of"`
	Source       string          `json:"source"`
	EndOfLife    string          `json:"end_of_life,omitempty"`
	ServedBy     string          `json:"served_by,omitempty"`
	Note         string          `json:"note,omitempty"`
}

// priceRow is the price of one image.
type priceRow struct {
	Resolution string         `json:"resolution,omitempty"`
	Quality    string         `json:"quality,omitempty"`
	Price      provider.Money `json:"price"`
}

// catalogueRow is what the catalogue of a provider said.
type catalogueRow struct {
	Provider    string                `json:"provider"`
	Endpoint    string                `json:"endpoint,omitempty"`
	Asked       bool                  `json:"asked"`
	Models      int                   `json:"models"`
	Differences []provider.Difference `json:"differences"`
	Note        string                `json:"note,omitempty"`
	Hint        string                `json:"hint,omitempty"`
}

func runModels(ctx context.Context, env *Env, f *projectFlags, only string, asJSON, offline, allowExec bool) error {
	kind, alias, _ := strings.Cut(only, ".")
	rows := []modelRow{}
	for _, t := range all.Types() {
		if kind != "" && kind != t {
			continue
		}
		for _, wire := range all.Wires(t) {
			for _, o := range all.Offers(provider.Config{Type: t, Wire: wire}) {
				rows = append(rows, row(o, wire))
			}
		}
	}
	if len(rows) == 0 {
		return fail("the providers are "+strings.Join(all.Types(), ", "), "there is no provider %q", diag.Clean(only))
	}
	var catalogues []catalogueRow
	if !offline {
		list, err := blocks(env, f)
		if errors.As(err, new(exit)) {
			fmt.Fprintf(env.Stderr, "%s no live catalogue was asked: the configuration has errors.\n  Hint: imgbuild validate\n", palette(env, env.Stderr).Yellow("Note:"))
		} else if err != nil {
			return err
		}
		if only != "" {
			list = slices.DeleteFunc(list, func(c provider.Config) bool { return c.Key() != only && (alias != "" || c.Type != kind) })
			if alias != "" && err == nil && len(list) == 0 {
				return fail("imgbuild providers lists those of the configuration", "there is no provider %q", diag.Clean(only))
			}
		}
		catalogues = askCatalogues(ctx, env, list, allowExec)
		for _, c := range catalogues {
			if !c.Asked {
				fmt.Fprintf(env.Stderr, "%s %s was not compared with its live catalogue: %s\n", palette(env, env.Stderr).Yellow("Note:"), c.Provider, diag.Clean(c.Note))
				if c.Hint != "" {
					fmt.Fprintf(env.Stderr, "  Hint: %s\n", diag.Clean(c.Hint))
				}
			}
		}
	}
	if asJSON {
		return writeJSON(env.Stdout, struct {
			FormatVersion string         `json:"format_version"`
			Models        []modelRow     `json:"models"`
			Catalogues    []catalogueRow `json:"catalogues,omitempty"`
		}{"1.0", rows, catalogues})
	}
	if err := printModels(env.Stdout, rows); err != nil {
		return err
	}
	printCatalogues(env.Stdout, catalogues)
	return nil
}

// blocks are the provider blocks of the folder; without a configuration, one of
// each type. What is wrong with the configuration is told only as an exit code.
func blocks(env *Env, f *projectFlags) ([]provider.Config, error) {
	s, err := openSession(env)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if s.noFiles() != nil {
		var list []provider.Config
		for _, t := range all.Types() {
			list = append(list, provider.Defaults(t))
		}
		return list, nil
	}
	if l := s.load(f); l.HasErrors() {
		return nil, exit(exitError)
	}
	return s.project.Providers, nil
}

// askCatalogues asks each endpoint once.
func askCatalogues(ctx context.Context, env *Env, blocks []provider.Config, allowExec bool) (out []catalogueRow) {
	type answer struct {
		listed []provider.Listed
		err    error
	}
	asked := map[[2]string]answer{}
	world := all.Env{Getenv: env.Getenv, ReadFile: os.ReadFile, Now: env.Now, Credential: func(c provider.Config) (string, error) {
		return runCredential(ctx, env, c, allowExec)
	}}
	for _, cfg := range blocks {
		m, err := all.Make(cfg, world)
		maker, ok := m.(provider.Cataloguer)
		if err == nil && !ok {
			continue
		}
		if err == nil {
			err = all.Ready(cfg, world)
		}
		row := catalogueRow{Provider: cfg.Key(), Endpoint: cfg.Endpoint, Differences: []provider.Difference{}}
		a, known := asked[[2]string{cfg.Type, cfg.Endpoint}]
		if !known {
			a.err = err
			if err == nil {
				a.listed, a.err = maker.Catalogue(ctx)
			}
			asked[[2]string{cfg.Type, cfg.Endpoint}] = a
		}
		var failed *provider.Error
		switch {
		case errors.As(a.err, &failed):
			row.Note, row.Hint = failed.Error(), failed.Hint
		case a.err != nil:
			row.Note = a.err.Error()
		default:
			row.Asked, row.Models = true, len(a.listed)
			row.Differences = append(row.Differences, provider.Compare(everyOffer(cfg), a.listed)...)
		}
		out = append(out, row)
	}
	return out
}

// everyOffer lists the models of all wires, each as the wire of cfg has it, if
// it does.
func everyOffer(cfg provider.Config) []provider.Offer {
	offers := all.Offers(cfg)
	for _, wire := range all.Wires(cfg.Type) {
		for _, o := range all.Offers(provider.Config{Type: cfg.Type, Wire: wire}) {
			if !slices.ContainsFunc(offers, func(have provider.Offer) bool { return have.Model == o.Model }) {
				offers = append(offers, o)
			}
		}
	}
	return offers
}

// printCatalogues tells once what several blocks have from one endpoint.
func printCatalogues(w io.Writer, rows []catalogueRow) {
	for i, c := range rows {
		same := func(other catalogueRow) bool {
			return other.Endpoint == c.Endpoint && reflect.DeepEqual(other.Differences, c.Differences)
		}
		if !c.Asked || slices.ContainsFunc(rows[:i], same) {
			continue
		}
		var names []string
		for _, other := range rows[i:] {
			if same(other) {
				names = append(names, other.Provider)
			}
		}
		of := strings.Join(names, ", ")
		if c.Endpoint != "" {
			of += " at " + diag.Clean(c.Endpoint)
		}
		models := fmt.Sprintf("%d %s", c.Models, noun(c.Models, "model", "models"))
		if len(c.Differences) == 0 {
			fmt.Fprintf(w, "\nThe live catalogue of %s agrees (%s).\n", of, models)
			continue
		}
		fmt.Fprintf(w, "\nThe live catalogue of %s (%s) differs:\n", of, models)
		for _, d := range c.Differences {
			fmt.Fprintf(w, "  %s\n", diag.Clean(d.String()))
		}
	}
}

func printModels(out io.Writer, rows []modelRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tWIRE\tMODEL\tFROM\tSIZES OR RATIOS\tEDITS\tAS OF\tNOTE")
	for _, r := range rows {
		price := "?"
		if r.Price != nil {
			price = "free"
			if *r.Price > 0 {
				price = r.Price.String()
			}
		}
		frame := strings.Join(r.AspectRatios, " ")
		if len(r.Sizes) > 0 {
			names := make([]string, len(r.Sizes))
			for i, s := range r.Sizes {
				names[i] = s.String()
			}
			frame = strings.Join(names, " ")
		}
		if len(frame) > 40 {
			frame = fmt.Sprintf("%d ratios, %s", len(r.AspectRatios), strings.Join(r.Resolutions, " "))
		}
		inputs := fmt.Sprint(r.MaxInputs)
		if r.InputPrice != nil && *r.InputPrice > 0 {
			inputs = fmt.Sprintf("%d, %s each", r.MaxInputs, r.InputPrice)
		}
		note := r.Note
		if r.EndOfLife != "" {
			note = "ends " + r.EndOfLife + ": " + note
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Provider, r.Wire, r.Model, price, frame, inputs, r.AsOf, note)
	}
	return w.Flush()
}

func row(o provider.Offer, wire string) modelRow {
	r := modelRow{Provider: o.Provider, Wire: wire, Model: o.Model, Aliases: o.Aliases, Sizes: o.Sizes, AnySize: o.AnySize,
		AspectRatios: o.AspectRatios, Resolutions: o.Resolutions, Qualities: o.Qualities, Styles: o.Styles, Mask: o.Mask, User: o.User,
		MaxN: o.MaxN, MaxInputs: o.MaxInputs, MaxPrompt: o.MaxPrompt, Prices: []priceRow{},
		AsOf: o.AsOf, Source: o.Source, EndOfLife: o.EndOfLife, ServedBy: o.ServedBy, Note: o.Note}
	if o.Price == nil {
		return r
	}
	orNone := func(options []string) []string {
		if len(options) == 0 {
			return []string{""}
		}
		return options
	}
	for _, resolution := range orNone(o.Resolutions) {
		for _, quality := range orNone(o.Qualities) {
			request := &provider.Request{Provider: o.Provider, Model: o.Model, Resolution: resolution, Quality: quality, N: 1}
			m, ok := o.Price(request)
			if !ok {
				continue
			}
			r.Prices = append(r.Prices, priceRow{resolution, quality, m})
			if r.Price == nil || m < *r.Price {
				r.Price = &m
			}
			if r.InputPrice == nil && o.MaxInputs > 0 {
				request.Inputs = []provider.Input{{}}
				with, _ := o.Price(request)
				with -= m
				r.InputPrice = &with
			}
		}
	}
	same := func(p priceRow) bool { return p.Price == r.Prices[0].Price }
	complete := len(r.Prices) == cmp.Or(len(o.Resolutions), 1)*cmp.Or(len(o.Qualities), 1)
	if complete && !slices.ContainsFunc(r.Prices, func(p priceRow) bool { return !same(p) }) {
		r.Prices = []priceRow{{Price: r.Prices[0].Price}}
	}
	return r
}
