package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
)

// ModelJSON writes the documented JSON of a comparison.
func ModelJSON(w io.Writer, c *Model) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(c)
}

// ModelText writes a comparison for people: a line for each image, what
// differs below it, and a summary.
func ModelText(w io.Writer, c *Model, o Options) {
	column := 0
	for i := range c.Images {
		column = max(column, utf8.RuneCountInString(c.Images[i].title()))
	}
	column = min(column, 44)
	for i := range c.Images {
		c.Images[i].text(w, column, o)
	}
	for _, m := range c.Manifests {
		fmt.Fprintf(w, "  %s manifest %s is old\n", o.Palette.Yellow("~"), diag.Clean(m.Path))
	}
	if len(c.Images)+len(c.Manifests) > 0 {
		fmt.Fprintln(w)
	}
	for _, line := range c.sentences(func(s string) string { return s }) {
		fmt.Fprintln(w, line)
	}
}

func (im *ImageChange) title() string {
	if im.From != "" {
		return diag.Clean(im.From + " → " + im.Address)
	}
	return diag.Clean(im.Address)
}

// groupSymbols stand before the line of an image.
var groupSymbols = map[Group]string{NewImage: "+", ChangedImage: "~", MovedImage: "=", RemovedImage: "-", UnchangedImage: " "}

func (im *ImageChange) text(w io.Writer, column int, o Options) {
	p := o.Palette
	paint := map[Group]func(string) string{NewImage: p.Green, RemovedImage: p.Red, ChangedImage: p.Yellow}[im.Group]
	if paint == nil {
		paint = func(s string) string { return s }
	}
	spent := ""
	if im.Spent > 0 {
		spent = "spent " + im.Spent.String()
	}
	row(w, paint(groupSymbols[im.Group]), im.title(), im.headline(), spent, column, o)
	var told []string
	for _, f := range im.Fields {
		if f.Name == "path" && im.Old != nil && im.New != nil && im.Old.Path != im.New.Path {
			continue // the headline tells
		}
		told = append(told, f.text(p))
		fmt.Fprintf(w, "      %s\n", told[len(told)-1])
	}
	for _, f := range im.Files {
		for _, r := range f.Recipe {
			fmt.Fprintf(w, "      %s: %s\n", diag.Clean(f.Path), r.text(p))
		}
	}
	if s := im.Step; s != nil {
		what, more := sentence(s, o.Now)
		line := "to do: " + what
		if p := price(s); p != "" {
			line += ", " + p
		}
		fmt.Fprintf(w, "      %s\n", p.Bold(line))
		for _, l := range more {
			if text := l(p); !slices.Contains(told, text) {
				fmt.Fprintf(w, "        %s\n", text)
			}
		}
	}
}

// headline is what became of the picture and its files.
func (im *ImageChange) headline() string {
	var parts []string
	switch old, now := im.Old, im.New; {
	case old == nil && now != nil:
		parts = append(parts, diag.Clean(now.Path)+": "+now.size())
	case old != nil && now == nil:
		parts = append(parts, diag.Clean(old.Path)+" is gone")
	case old != nil && now != nil && old.Of != now.Of:
		parts = append(parts, fmt.Sprintf("%s: another picture, %s → %s", diag.Clean(now.Path), old.size(), now.size()))
	case old != nil && now != nil && old.SHA256 != now.SHA256:
		parts = append(parts, diag.Clean(now.Path)+": the same picture, rendered anew")
	case old != nil && now != nil && old.Path != now.Path:
		parts = append(parts, diag.Clean(old.Path+" → "+now.Path)+", the same picture")
	case old == nil && now == nil && im.Group == NewImage:
		parts = append(parts, "not made yet")
	}
	written, gone := 0, im.deleted()
	if im.Old != nil && im.New == nil && gone > 0 {
		gone-- // it was told
	}
	for _, f := range im.Files {
		moved := slices.ContainsFunc(im.Files, func(g FileChange) bool { return g.Old == f.New })
		if !f.New.IsZero() && !moved && (im.New == nil || f.Path != im.New.Path) {
			written++
		}
	}
	if written > 0 {
		parts = append(parts, fmt.Sprintf("%d more %s", written, plural(written, "file", "files")))
	}
	if gone > 0 {
		parts = append(parts, fmt.Sprintf("%d %s gone", gone, plural(gone, "file", "files")))
	}
	return strings.Join(parts, ", ")
}

// unfinished reports whether an apply could not do what it was to do.
func (im *ImageChange) unfinished() bool { return im.Outcome != nil && im.Outcome.Kind != apply.Done }

func (f *ImageFile) size() string {
	size := Bytes(f.Bytes)
	if f.Width > 0 {
		size = fmt.Sprintf("%dx%d, %s", f.Width, f.Height, size)
	}
	return size
}

// Bytes prints a size.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// text is a line: texts of several words word by word.
func (f FieldChange) text(p diag.Palette) string {
	f.Name = diag.Clean(f.Name)
	switch {
	case f.Sensitive:
		return f.Name + "  (sensitive value)"
	case f.Old == "":
		return f.Name + "  " + p.Green("{+"+diag.Clean(f.New)+"+}")
	case f.New == "":
		return f.Name + "  " + p.Red("[-"+diag.Clean(f.Old)+"-]")
	case strings.ContainsRune(f.Old, ' ') || strings.ContainsRune(f.New, ' '):
		return f.Name + "  " + words(f.Old, f.New, p)
	}
	return fmt.Sprintf("%s  %s → %s", f.Name, diag.Clean(f.Old), diag.Clean(f.New))
}

// sentences are the summary: images, then money. What is foreign, or an amount,
// goes through quote.
func (c *Model) sentences(quote func(string) string) []string {
	t := c.Summary
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{t.Changed, "changed"}, {t.New, "new"}, {t.Moved, "moved"}, {t.Removed, "removed"}, {t.Unchanged, "unchanged"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if t.Deleted > 0 {
		parts = append(parts, fmt.Sprintf("%d %s deleted", t.Deleted, plural(t.Deleted, "file", "files")))
	}
	if len(parts) == 0 {
		parts = []string{"no images"}
	}
	since := map[string]string{OfPlan: "The plan", OfApply: "Apply", OfDiff: "Since " + c.Base.title(quote)}[c.Kind]
	out := []string{fmt.Sprintf("%s: %s.", since, strings.Join(parts, ", "))}
	left := "nothing"
	switch {
	case t.Unpriced > 0 && t.ToSpend > 0:
		left = fmt.Sprintf("%s and %d without a known price", quote(t.ToSpend.String()), t.Unpriced)
	case t.Unpriced > 0:
		left = fmt.Sprintf("%d without a known price", t.Unpriced)
	case t.ToSpend > 0:
		left = quote(t.ToSpend.String())
	}
	if c.Kind == OfPlan {
		return append(out, "To spend: "+left+".")
	}
	money := "Nothing was spent"
	if t.Spent > 0 {
		money = "Spent: " + quote(t.Spent.String())
	}
	out = append(out, money+"; still to spend: "+left+".")
	if t.Pending > 0 {
		out = append(out, fmt.Sprintf("%d %s not what the configuration says: imgbuild apply.", t.Pending, plural(t.Pending, "image is", "images are")))
	}
	return out
}

// title is how a state is called.
func (p Point) title(quote func(string) string) string {
	if p.Commit == "" {
		return "the folder as it is"
	}
	if p.Ref == "" || strings.HasPrefix(p.Commit, p.Ref) {
		return fmt.Sprintf("%.12s", p.Commit)
	}
	return fmt.Sprintf("%s (%.12s)", quote(diag.Clean(p.Ref)), p.Commit)
}
