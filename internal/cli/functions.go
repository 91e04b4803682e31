package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
)

func functionsVerb() verb {
	var asJSON bool
	return verb{
		name: "functions", short: "list the functions that expressions may call", args: "[NAME]",
		help: `
  imgbuild functions
  imgbuild functions slug
  imgbuild functions -json

Those of Terraform have its names and its results; where one differs, and why
one is missing, is told. Needs no configuration.
`,
		bad: func(n int) bool { return n > 1 },
		words: func() []string {
			var names []string
			for _, f := range config.Functions() {
				names = append(names, f.Name)
			}
			return names
		},
		flags: []urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON}},
		run: func(_ context.Context, env *Env, c *urfave.Command) error {
			return runFunctions(env.Stdout, c.Args().First(), asJSON)
		},
	}
}

// functionRow is a function as programs see it.
type functionRow struct {
	Name       string         `json:"name"`
	Group      string         `json:"group"`
	Signature  string         `json:"signature"`
	Parameters []parameterRow `json:"parameters"`
	Returns    string         `json:"returns"`
	Text       string         `json:"text"`
	Terraform  bool           `json:"terraform"`
	Differs    string         `json:"differs,omitempty"`
	Example    exampleRow     `json:"example"`
}

type exampleRow struct {
	Call   string `json:"call"`
	Result string `json:"result"`
}

type parameterRow struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Optional bool   `json:"optional,omitempty"`
	Repeated bool   `json:"repeated,omitempty"`
}

// absentRow is a function of Terraform that is missing on purpose.
type absentRow struct {
	Name    string `json:"name"`
	Why     string `json:"why"`
	Instead string `json:"instead"`
}

func runFunctions(w io.Writer, only string, asJSON bool) error {
	rows, absent := []functionRow{}, []absentRow{}
	var names []string
	for _, f := range config.Functions() {
		names = append(names, f.Name)
		if only != "" && only != f.Name {
			continue
		}
		r := functionRow{Name: f.Name, Group: f.Group, Signature: f.Signature(), Parameters: []parameterRow{}, Returns: f.Returns, Text: f.Text, Terraform: f.Terraform, Differs: f.Differs, Example: exampleRow(f.Example)}
		for _, p := range f.Params {
			r.Parameters = append(r.Parameters, parameterRow(p))
		}
		rows = append(rows, r)
	}
	for _, a := range config.AbsentFunctions {
		if only == "" || only == a.Name {
			absent = append(absent, absentRow(a))
		}
	}
	switch {
	case only != "" && len(absent) > 0:
		return fail(absent[0].Instead, "there is no %s(): %s", only, absent[0].Why)
	case only != "" && len(rows) == 0:
		hint := "imgbuild functions lists them"
		if best := nearest(only, names); best != "" {
			hint = "did you mean " + best + "?"
		}
		return fail(hint, "there is no function %s", diag.Clean(only))
	case asJSON:
		return writeJSON(w, struct {
			FormatVersion string        `json:"format_version"`
			Functions     []functionRow `json:"functions"`
			Absent        []absentRow   `json:"absent"`
		}{"1.0", rows, absent})
	case only != "":
		return printFunction(w, rows[0])
	}
	return printFunctions(w, rows, absent)
}

func printFunctions(out io.Writer, rows []functionRow, absent []absentRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, group := range config.Groups {
		fmt.Fprintf(w, "%s\n", strings.ToUpper(group))
		for _, r := range rows {
			if r.Group == group {
				fmt.Fprintf(w, "  %s\t%s\n", r.Signature, r.Text)
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "ABSENT ON PURPOSE")
	for _, r := range absent {
		fmt.Fprintf(w, "  %s\t%s; %s\n", r.Name, r.Why, r.Instead)
	}
	return w.Flush()
}

func printFunction(out io.Writer, r functionRow) error {
	fmt.Fprintf(out, "%s: %s.\n", r.Signature, r.Text)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range r.Parameters {
		note := ""
		switch {
		case p.Optional:
			note = ", may be left out"
		case p.Repeated:
			note = ", any number of them"
		}
		fmt.Fprintf(w, "  %s\t%s%s\n", p.Name, p.Type, note)
	}
	fmt.Fprintf(w, "  result\t%s\n", r.Returns)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "For example: %s → %s\n", r.Example.Call, r.Example.Result)
	switch {
	case r.Differs != "":
		fmt.Fprintf(out, "As in Terraform, but: %s.\n", r.Differs)
	case r.Terraform:
		fmt.Fprintln(out, "As in Terraform.")
	}
	return nil
}
