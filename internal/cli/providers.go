package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
)

func providersVerb() verb {
	var f projectFlags
	var asJSON bool
	return verb{
		name: "providers", short: "show what is configured and whether it would work",
		help: `
  imgbuild providers

Asks no server: it only looks whether a key is there.
`,
		flags: append([]urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON}}, f.flags()...),
		run: func(_ context.Context, env *Env, _ *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.tell(s.load(&f)); err != nil {
				return err
			}
			return s.providers(asJSON)
		},
	}
}

func (s *session) providers(asJSON bool) error {
	type row struct {
		Key      string `json:"key"`
		Model    string `json:"default_model"`
		Endpoint string `json:"endpoint,omitempty"`
		Wire     string `json:"wire,omitempty"`
		Images   int    `json:"images"`
		Ready    bool   `json:"ready"`
		Note     string `json:"note,omitempty"`
	}
	rows := []row{}
	for _, c := range s.project.Providers {
		r := row{Key: c.Key(), Endpoint: c.Endpoint, Wire: c.Wire, Ready: true}
		if o, ok := s.offer(r.Key, ""); ok {
			r.Model = o.Model
		}
		for i := range s.project.Images {
			if s.project.Images[i].Wanted.Provider == r.Key {
				r.Images++
			}
		}
		if err := all.Ready(c, all.Env{Getenv: s.env.Getenv, ReadFile: os.ReadFile, Now: s.env.Now}); err != nil {
			r.Ready, r.Note = false, err.Error()
		}
		rows = append(rows, r)
	}
	if asJSON {
		return writeJSON(s.env.Stdout, struct {
			FormatVersion string `json:"format_version"`
			Providers     []row  `json:"providers"`
		}{"1.0", rows})
	}
	w := tabwriter.NewWriter(s.env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tDEFAULT MODEL\tIMAGES\tREADY\tENDPOINT")
	for _, r := range rows {
		ready := "yes"
		if !r.Ready {
			ready = "no: " + diag.Clean(r.Note)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", r.Key, r.Model, r.Images, ready, diag.Clean(r.Endpoint))
	}
	return w.Flush()
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func modelsVerb() verb {
	var asJSON bool
	return verb{
		name: "models", short: "list the models, what they take and what they cost", args: "[PROVIDER]",
		help: `
  imgbuild models
  imgbuild models xai -json

The figures are built in; each has its date and its source.
`,
		bad:   func(n int) bool { return n > 1 },
		flags: []urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON}},
		run: func(_ context.Context, env *Env, c *urfave.Command) error {
			return runModels(env, c.Args().First(), asJSON)
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
	MaxN         int             `json:"max_n"`
	MaxInputs    int             `json:"max_inputs"`
	Price        *provider.Money `json:"price_per_image,omitempty"` // of the cheapest image
	AsOf         string          `json:"as_of"`
	Source       string          `json:"source"`
	EndOfLife    string          `json:"end_of_life,omitempty"`
	Note         string          `json:"note,omitempty"`
}

func runModels(env *Env, only string, asJSON bool) error {
	rows := []modelRow{}
	for _, t := range all.Types() {
		if only != "" && only != t {
			continue
		}
		for _, wire := range all.Wires(t) {
			for _, o := range all.Offers(provider.Config{Type: t, Wire: wire}) {
				rows = append(rows, row(o, wire))
			}
		}
	}
	if len(rows) == 0 {
		return fail("the providers are "+strings.Join(all.Types(), ", "), "there is no provider %q", only)
	}
	if asJSON {
		return writeJSON(env.Stdout, struct {
			FormatVersion string     `json:"format_version"`
			Models        []modelRow `json:"models"`
		}{"1.0", rows})
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
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
		note := r.Note
		if r.EndOfLife != "" {
			note = "ends " + r.EndOfLife + " " + note
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Provider, r.Wire, r.Model, price, frame, r.MaxInputs, r.AsOf, note)
	}
	return w.Flush()
}

func row(o provider.Offer, wire string) modelRow {
	r := modelRow{Provider: o.Provider, Wire: wire, Model: o.Model, Aliases: o.Aliases, Sizes: o.Sizes, AnySize: o.AnySize,
		AspectRatios: o.AspectRatios, Resolutions: o.Resolutions, Qualities: o.Qualities, Styles: o.Styles, Mask: o.Mask,
		MaxN: o.MaxN, MaxInputs: o.MaxInputs, AsOf: o.AsOf, Source: o.Source, EndOfLife: o.EndOfLife, Note: o.Note}
	if o.Price != nil {
		request := &provider.Request{Provider: o.Provider, Model: o.Model, N: 1}
		if len(o.Resolutions) > 0 {
			request.Resolution = o.Resolutions[0]
		}
		if len(o.Qualities) > 0 {
			request.Quality = o.Qualities[0]
		}
		if m, ok := o.Price(request); ok {
			r.Price = &m
		}
	}
	return r
}
