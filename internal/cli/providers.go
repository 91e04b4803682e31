package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider/all"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func providersVerb() verb {
	var f projectFlags
	var asJSON bool
	return verb{
		name: "providers", short: "show what is configured and whether it would work",
		help: `
  imgbuild providers

Asks no server: it only looks whether a key is there. Below stands which program
would write the formats that need one; it looks on the PATH, and starts none.
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
		Key       string   `json:"key"`
		Model     string   `json:"default_model"`
		Endpoint  string   `json:"endpoint,omitempty"`
		Wire      string   `json:"wire,omitempty"`
		Transport string   `json:"transport,omitempty"`
		Deferred  bool     `json:"deferred,omitempty"`
		Proxy     string   `json:"proxy,omitempty"`
		Command   []string `json:"credential_command,omitempty"`
		Images    int      `json:"images"`
		Ready     bool     `json:"ready"`
		Note      string   `json:"note,omitempty"`
	}
	rows := []row{}
	for _, c := range s.project.Providers {
		r := row{Key: c.Key(), Endpoint: c.Endpoint, Command: c.Command, Ready: true}
		if all.Wires(c.Type)[0] != "" { // it has a choice of them
			r.Wire, r.Transport, r.Deferred = c.Wire, c.Transport, c.Deferred
		}
		if o, ok := s.offer(r.Key, ""); ok {
			r.Model = o.Model
		}
		for i := range s.project.Images {
			if s.project.Images[i].Wanted.Provider == r.Key {
				r.Images++
			}
		}
		world := all.Env{Getenv: s.env.Getenv, ReadFile: os.ReadFile, Now: s.env.Now}
		r.Proxy = all.Proxy(c, world)
		if err := all.Ready(c, world); err != nil {
			r.Ready, r.Note = false, err.Error()
		}
		rows = append(rows, r)
	}
	type writer struct {
		Format   string `json:"format"`
		Lossless bool   `json:"lossless"`
		Encoder  string `json:"encoder,omitempty"`
		Note     string `json:"note,omitempty"`
	}
	writers := []writer{{Format: "webp"}, {Format: "avif"}, {Format: "avif", Lossless: true}} // we write the others
	for i := range writers {
		w := s.writer(spec.Encoding{Format: writers[i].Format, Lossless: writers[i].Lossless})
		writers[i].Encoder = w.Name
		if w.Name == "" {
			writers[i].Note = w.Missing + ": " + w.Hint
		}
	}
	if asJSON {
		return writeJSON(s.env.Stdout, struct {
			FormatVersion string   `json:"format_version"`
			Providers     []row    `json:"providers"`
			Encoders      []writer `json:"encoders"`
		}{"1.0", rows, writers})
	}
	w := tabwriter.NewWriter(s.env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tDEFAULT MODEL\tIMAGES\tBY\tREADY\tENDPOINT")
	for _, r := range rows {
		ready := "yes"
		if !r.Ready {
			ready = "no: " + diag.Clean(r.Note)
		}
		by := r.Transport
		switch {
		case r.Deferred:
			by += ", jobs"
		case r.Wire == "documented":
			by += ", as the page says"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", r.Key, r.Model, r.Images, by, ready, diag.Clean(r.Endpoint))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if keys := s.keys(); len(keys) > 0 {
		fmt.Fprintln(s.env.Stdout)
		report.Keys(s.env.Stdout, keys, s.reportOptions())
	}
	fmt.Fprintln(w, "\nFORMAT\tENCODER")
	for _, e := range writers {
		format := e.Format
		if e.Lossless {
			format += " (lossless)"
		}
		by := e.Encoder
		if by == "" {
			by = "none: " + diag.Clean(e.Note)
		}
		fmt.Fprintf(w, "%s\t%s\n", format, by)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Proxy != "" {
			fmt.Fprintf(s.env.Stdout, "\n%s is asked through the proxy %s.\n", r.Key, diag.Clean(r.Proxy))
		}
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
