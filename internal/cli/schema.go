package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/manifest"
	"github.com/imgbuild/imgbuild/internal/report"
)

func schemaVerb() verb {
	var asJSON, tests, ofManifest, ofReport bool
	return verb{
		name: "schema", short: "list the blocks of the language and their attributes", args: "[BLOCK]",
		help: `
  imgbuild schema
  imgbuild schema image
  imgbuild schema image.rendition
  imgbuild schema -json
  imgbuild schema -test
  imgbuild schema -manifest
  imgbuild schema -report

A BLOCK within another is written with a dot. Needs no configuration; imgbuild
functions lists what expressions may call.
`,
		bad:   func(n int) bool { return n > 1 },
		words: func() []string { return blockPaths("", config.Language()) },
		flags: []urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON},
			&urfave.BoolFlag{Name: "manifest", Usage: "the JSON Schema of the manifests of kinds json, hugo, eleventy and jekyll", Destination: &ofManifest},
			&urfave.BoolFlag{Name: "report", Usage: "the JSON Schema of what diff -json writes", Destination: &ofReport},
			&urfave.BoolFlag{Name: "test", Usage: "the blocks of *.imgtest.hcl, and what assertions may use", Destination: &tests},
		},
		run: func(_ context.Context, env *Env, c *urfave.Command) error {
			for asked, text := range map[*bool][]byte{&ofManifest: manifest.Schema, &ofReport: report.Schema} {
				if *asked && c.NArg() == 0 {
					_, err := env.Stdout.Write(text)
					return err
				}
			}
			if tests && c.NArg() == 0 {
				return runTestSchema(env.Stdout, asJSON)
			}
			return runSchema(env.Stdout, c.Args().First(), asJSON)
		},
	}
}

// blockRow is a kind of block as programs see it.
type blockRow struct {
	Name       string         `json:"name"`
	Label      string         `json:"label,omitempty"`
	Many       bool           `json:"many"`
	Text       string         `json:"text"`
	Attributes []attributeRow `json:"attributes"`
	Open       string         `json:"open,omitempty"`
	Blocks     []blockRow     `json:"blocks"`
}

type attributeRow struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Text     string   `json:"text"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Choices  []string `json:"choices,omitempty"`
	Minimum  *int     `json:"minimum,omitempty"`
	Maximum  *int     `json:"maximum,omitempty"`
}

func blockRows(list []config.Block) []blockRow {
	out := []blockRow{}
	for _, b := range list {
		r := blockRow{Name: b.Name, Label: b.Label, Many: b.Many, Text: b.Text, Open: b.Open, Attributes: attributeRows(b.Attributes), Blocks: blockRows(b.Blocks)}
		out = append(out, r)
	}
	return out
}

func attributeRows(list []config.Attribute) []attributeRow {
	out := []attributeRow{}
	for _, a := range list {
		row := attributeRow{Name: a.Name, Type: a.Type, Text: a.Text, Required: a.Required, Default: a.Default, Choices: a.Choices}
		if a.Low != 0 || a.Up != 0 {
			row.Minimum, row.Maximum = &a.Low, &a.Up
		}
		out = append(out, row)
	}
	return out
}

func runSchema(w io.Writer, path string, asJSON bool) error {
	blocks := config.Language()
	if path != "" {
		b, err := blockAt(path)
		if err != nil {
			return err
		}
		blocks = []config.Block{*b}
	}
	switch {
	case asJSON:
		return writeJSON(w, struct {
			FormatVersion string     `json:"format_version"`
			Blocks        []blockRow `json:"blocks"`
		}{"1.0", blockRows(blocks)})
	case path == "":
		return printLanguage(w, blocks)
	}
	return printBlock(w, &blocks[0])
}

// runTestSchema is runSchema for files of tests.
func runTestSchema(w io.Writer, asJSON bool) error {
	blocks := config.LanguageOfTests()
	image, plan, step := config.NamesOfTests()
	if asJSON {
		return writeJSON(w, struct {
			FormatVersion string         `json:"format_version"`
			Blocks        []blockRow     `json:"blocks"`
			Image         []attributeRow `json:"image"`
			Plan          []attributeRow `json:"plan"`
			Step          []attributeRow `json:"step"`
		}{"1.0", blockRows(blocks), attributeRows(image), attributeRows(plan), attributeRows(step)})
	}
	for i := range blocks {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := printBlock(w, &blocks[i]); err != nil {
			return err
		}
		for k := range blocks[i].Blocks {
			fmt.Fprintln(w)
			if err := printBlock(w, &blocks[i].Blocks[k]); err != nil {
				return err
			}
		}
	}
	for _, names := range []struct {
		head string
		list []config.Attribute
	}{
		{"image.NAME.… in assertions, besides path, files, alt and results:", image},
		{"plan.… in assertions:", plan},
		{`plan.steps["ADDRESS"].… in assertions:`, step},
	} {
		fmt.Fprintf(w, "\n%s\n", names.head)
		for i := range names.list {
			a := &names.list[i]
			fmt.Fprintf(w, "\n  %s: %s\n%s", a.Name, takes(a), wrap(a.Text, "      "))
		}
	}
	return nil
}

// blockAt finds image.rendition.
func blockAt(path string) (*config.Block, error) {
	in := &config.Block{Blocks: config.Language()}
	for name := range strings.SplitSeq(path, ".") {
		next := in.Block(name)
		if next == nil {
			where, hint := "", "imgbuild schema lists them"
			if in.Name != "" {
				where, hint = " in "+in.Name, "imgbuild schema "+strings.Split(path, "."+name)[0]
			}
			names := make([]string, len(in.Blocks))
			for i, b := range in.Blocks {
				names[i] = b.Name
			}
			if best := nearest(name, names); best != "" {
				hint = "did you mean " + best + "?"
			}
			return nil, fail(hint, "there is no block %s%s", diag.Clean(name), where)
		}
		in = next
	}
	return in, nil
}

// blockPaths are image, image.rendition and so on.
func blockPaths(prefix string, list []config.Block) []string {
	var out []string
	for _, b := range list {
		out = append(append(out, prefix+b.Name), blockPaths(prefix+b.Name+".", b.Blocks)...)
	}
	return out
}

// head is how a block is written: rendition "NAME".
func head(b *config.Block) string {
	if b.Label == "" {
		return b.Name
	}
	return b.Name + ` "` + b.Label + `"`
}

// takes says what an attribute may be.
func takes(a *config.Attribute) string {
	switch {
	case a.Choices != nil:
		quoted := make([]string, len(a.Choices))
		for i, c := range a.Choices {
			quoted[i] = strconv.Quote(c)
		}
		return strings.Join(quoted, ", ")
	case a.Low != 0 || a.Up != 0:
		return fmt.Sprintf("%s from %d to %d", a.Type, a.Low, a.Up)
	}
	return a.Type
}

func printLanguage(out io.Writer, blocks []config.Block) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var walk func(indent string, list []config.Block)
	walk = func(indent string, list []config.Block) {
		for i := range list {
			fmt.Fprintf(w, "%s%s\t%s\n", indent, head(&list[i]), list[i].Text)
			walk(indent+"  ", list[i].Blocks)
		}
	}
	walk("", blocks)
	return w.Flush()
}

func printBlock(out io.Writer, b *config.Block) error {
	fmt.Fprintf(out, "%s { }: %s.\n", head(b), b.Text)
	for i := range b.Attributes {
		a := &b.Attributes[i]
		fmt.Fprintf(out, "\n  %s = %s", a.Name, takes(a))
		switch {
		case a.Required:
			fmt.Fprint(out, "; required")
		case a.Default != "":
			fmt.Fprintf(out, "; default %s", a.Default)
		}
		fmt.Fprintf(out, "\n%s", wrap(a.Text, "      "))
	}
	if b.Open != "" {
		fmt.Fprintf(out, "\n  %s\n", b.Open)
	}
	for i := range b.Blocks {
		inner := &b.Blocks[i]
		many := ""
		if inner.Many {
			many = "; any number"
		}
		fmt.Fprintf(out, "\n  %s { }%s\n%s", head(inner), many, wrap(inner.Text, "      "))
	}
	return nil
}

// wrap breaks a text into lines of at most 80 columns.
func wrap(text, indent string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+n > 80:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	b.WriteByte('\n')
	return b.String()
}
