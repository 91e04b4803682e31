package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lint"
)

func explainVerb() verb {
	var asJSON bool
	return verb{
		name: "explain", short: "say what the code of a finding means, or list all codes", args: "[CODE]",
		help: `
  imgbuild explain IB1008
  imgbuild explain
  imgbuild explain -json

Needs no configuration. Of a rule of imgbuild lint it says why it is there, how it
is written better, and whether a build may fail for it.
`,
		bad:   func(n int) bool { return n > 1 },
		words: codes,
		flags: []urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON}},
		run: func(_ context.Context, env *Env, c *urfave.Command) error {
			return runExplain(env.Stdout, strings.ToUpper(c.Args().First()), asJSON)
		},
	}
}

// explained is a code as programs see it; from severity on only of rules of
// lint.
type explained struct {
	Code    string `json:"code"`
	Meaning string `json:"meaning"`
	Example string `json:"example,omitempty"` // a finding as people see it
	Lint    bool   `json:"lint"`

	Severity diag.Severity `json:"severity,omitempty"`
	Certain  bool          `json:"certain,omitempty"`
	Why      string        `json:"why,omitempty"`
	Bad      string        `json:"bad,omitempty"`
	Good     string        `json:"good,omitempty"`
	Source   string        `json:"source,omitempty"`
	Fixes    bool          `json:"fixes,omitempty"`
}

func explain(code string) explained {
	e := explained{Code: code, Meaning: meaning(code), Example: config.ExampleOf(code)}
	if r := lint.Lookup(code); r != nil {
		e.Lint, e.Severity, e.Certain, e.Why, e.Bad, e.Good, e.Source, e.Fixes = true, r.Severity, r.Certain, r.Why, r.Bad, r.Good, r.Source, r.Fixes
	}
	return e
}

func runExplain(w io.Writer, code string, asJSON bool) error {
	var list []explained
	for _, c := range codes() {
		if code == "" || code == c {
			list = append(list, explain(c))
		}
	}
	switch {
	case len(list) == 0:
		return unknownCode(code)
	case asJSON:
		return writeJSON(w, struct {
			FormatVersion string      `json:"format_version"`
			Codes         []explained `json:"codes"`
		}{"1.0", list})
	case code != "":
		_, err := io.WriteString(w, list[0].text())
		return err
	}
	for _, e := range list {
		kind := ""
		if e.Lint {
			kind = " (lint: " + string(e.Severity) + ")"
		}
		if _, err := fmt.Fprintf(w, "%s  %s%s\n", e.Code, e.Meaning, kind); err != nil {
			return err
		}
	}
	return nil
}

func unknownCode(code string) error {
	if other := lint.Elsewhere[code]; other != "" {
		return fail("imgbuild explain "+other, "%s is no code of its own: validate tells it as %s", code, other)
	}
	hint := "imgbuild explain lists them"
	if best := nearest(code, codes()); best != "" {
		hint = fmt.Sprintf("did you mean %s (%s)?", best, meaning(best))
	}
	return fail(hint, "there is no code %s", diag.Clean(code))
}

func (e *explained) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", e.Code, e.Meaning)
	if e.Example != "" {
		fmt.Fprintf(&b, "\nFor example:\n\n%s", inset(e.Example))
	}
	if !e.Lint {
		return b.String()
	}
	kind := fmt.Sprintf("A rule of imgbuild lint, by itself: %s. ", e.Severity)
	if e.Certain {
		kind += "It is certain, so a build may fail for it."
	} else {
		kind += "It is advice and wrong at times, so no build fails for it."
	}
	if e.Fixes {
		kind += " imgbuild lint -fix mends it."
	}
	fmt.Fprintf(&b, "\n%s\n%s\nInstead of\n\n%s\nwrite\n\n%s\nSource: %s.\n", wrap(kind, "  "), wrap(e.Why, "  "), inset(e.Bad), inset(e.Good), e.Source)
	fmt.Fprintf(&b, "To ignore it at one place: # imgbuild:ignore %s and why\nTo turn it off: imgbuild { lint { off = [%q] } }, each on a line of its own\n", e.Code, e.Code)
	return b.String()
}

func inset(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		if strings.TrimSpace(line) != "" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String()
}
