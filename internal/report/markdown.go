package report

import (
	"fmt"
	"html"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// MostMarkdown is the bytes of a Markdown report, unless less is asked for: a
// comment on GitHub takes 65,536 characters.
const MostMarkdown = 60_000

// MarkdownOptions say how Markdown looks.
type MarkdownOptions struct {
	Most int // bytes; 0 for MostMarkdown
	// Picture is the address of a file in a commit, with {commit} and {path} in
	// it; "" for no pictures.
	Picture string
	// Head is the commit in which the new pictures are; "" for no new pictures.
	Head string
}

// unfolded is how many images are shown without a click.
const unfolded = 20

// Marker is in the first line of a Markdown report, so that a program finds its
// comment again.
func Marker(kind string) string { return "<!-- imgbuild " + kind + " -->" }

// Markdown writes a report for a comment on a pull request: the summary first,
// then deletions, then a row for each image with its old and its new picture,
// and what changed word by word. What does not fit is counted.
func Markdown(w io.Writer, m *Model, o MarkdownOptions) error {
	most := o.Most
	if most == 0 {
		most = MostMarkdown
	}
	var b strings.Builder
	b.WriteString(Marker(m.Kind) + "\n")
	fmt.Fprintf(&b, "### imgbuild: %s\n\n", map[string]string{OfDiff: "what this changes", OfPlan: "the plan", OfApply: "what apply did"}[m.Kind])
	for _, line := range m.sentences(code) {
		b.WriteString(line + "\n")
	}
	order := slices.Clone(m.Images)
	slices.SortStableFunc(order, func(a, b ImageChange) int { return slices.Index(groups, a.Group) - slices.Index(groups, b.Group) })
	deletions(&b, order)
	open := ""
	if len(order) <= unfolded {
		open = " open"
	}
	// Rows stop where the foot would not fit any more.
	const foot = 400
	told, folded := 0, false
	for i := range order {
		im := &order[i]
		text := ""
		if i == 0 || order[i-1].Group != im.Group {
			if folded {
				text = "\n</details>\n"
			}
			n := 0
			for _, o := range order[i:] {
				if o.Group == im.Group {
					n++
				}
			}
			text += fmt.Sprintf("\n<details%s><summary>%s: %d</summary>\n\n", open, headings[im.Group], n)
		}
		text += im.markdown(m, o)
		if b.Len()+len(text) > most-foot {
			break
		}
		b.WriteString(text)
		told, folded = told+1, true
	}
	if folded {
		b.WriteString("\n</details>\n")
	}
	if left := len(order) - told; left > 0 {
		fmt.Fprintf(&b, "\n%d more %s left out here; all of them: `imgbuild %s`\n", left, plural(left, "image is", "images are"), commands[m.Kind])
	}
	for _, p := range m.Manifests {
		line := "\nThe manifest " + code(p.Path) + " is old.\n"
		if b.Len()+len(line) < most {
			b.WriteString(line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var groups = []Group{RemovedImage, ChangedImage, NewImage, MovedImage, UnchangedImage}

var headings = map[Group]string{RemovedImage: "Removed", ChangedImage: "Changed", NewImage: "New", MovedImage: "Moved", UnchangedImage: "Not changed, and something to do"}

// commands show all that a report shortens.
var commands = map[string]string{OfDiff: "diff", OfPlan: "plan", OfApply: "apply -report=FILE.html"}

// deletions lists the files that go, first of all.
func deletions(b *strings.Builder, images []ImageChange) {
	var gone []string
	for i := range images {
		for _, f := range images[i].Files {
			if f.New.IsZero() && images[i].deleted() > 0 {
				gone = append(gone, f.Path)
			}
		}
	}
	if len(gone) == 0 {
		return
	}
	const most = 20
	more := ""
	if n := len(gone) - most; n > 0 {
		gone, more = gone[:most], fmt.Sprintf(" and %d more", n)
	}
	for i := range gone {
		gone[i] = code(gone[i])
	}
	fmt.Fprintf(b, "Deleted: %s%s\n", strings.Join(gone, ", "), more)
}

// markdown is an image: a line, its pictures, and what changed.
func (im *ImageChange) markdown(m *Model, o MarkdownOptions) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- %s", code(im.title()))
	if what := im.headline(); what != "" {
		b.WriteString(": " + code(what))
	}
	if im.Spent > 0 {
		b.WriteString(", spent " + code(im.Spent.String()))
	}
	b.WriteString("\n")
	if s := im.Step; s != nil {
		what, _ := sentence(s, time.Time{})
		fmt.Fprintf(&b, "  - to do: %s", code(what))
		if p := price(s); p != "" {
			b.WriteString(", " + code(p))
		}
		b.WriteString("\n")
	}
	if im.unfinished() {
		fmt.Fprintf(&b, "  - not done: %s\n", code(im.Outcome.Text))
	}
	if pictures := im.pictures(m, o); pictures != "" {
		b.WriteString("\n  " + pictures + "\n\n")
	}
	for _, f := range im.Fields {
		fmt.Fprintf(&b, "  - %s\n", f.markdown(""))
	}
	for _, f := range im.Files {
		for _, r := range f.Recipe {
			fmt.Fprintf(&b, "  - %s\n", r.markdown(f.Path))
		}
	}
	if im.Alt != "" && im.New != nil && im.Group == NewImage {
		fmt.Fprintf(&b, "  - alt %s\n", code(im.Alt))
	}
	return b.String()
}

// pictures are the old and the new one, as thumbnails that lead to the files.
func (im *ImageChange) pictures(m *Model, o MarkdownOptions) string {
	if o.Picture == "" {
		return ""
	}
	show := func(f *ImageFile, commit, what string) string {
		if f == nil || commit == "" {
			return ""
		}
		at := strings.NewReplacer("{commit}", url.PathEscape(commit), "{path}", escapePath(f.Path)).Replace(o.Picture)
		return fmt.Sprintf(`<a href="%s"><img src="%s" width="240" alt="%s"></a>`, html.EscapeString(at), html.EscapeString(at), what)
	}
	var out []string
	same := im.Old != nil && im.New != nil && im.Old.SHA256 == im.New.SHA256
	if p := show(im.Old, m.Base.Commit, "before"); p != "" && !same {
		out = append(out, p)
	}
	if p := show(im.New, o.Head, "after"); p != "" {
		out = append(out, p)
	}
	return strings.Join(out, " ")
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// markdown is what changed of an attribute, word by word; of is the file that it
// is about, "" for the image itself.
func (f FieldChange) markdown(of string) string {
	name := f.Name
	if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		name = code(name) // a lock of somebody else's may say anything
	}
	if of != "" {
		name = code(of) + " " + name
	}
	if f.Sensitive {
		return name + " (sensitive value)"
	}
	all := runs(f.Old, f.New)
	if all == nil {
		return name + " " + tooLong(f.Old, f.New)
	}
	var parts []string
	for _, r := range all {
		text := code(strings.Join(r.words, " "))
		switch r.in {
		case inOld:
			text = "<del>" + text + "</del>"
		case inNew:
			text = "<ins>" + text + "</ins>"
		}
		parts = append(parts, text)
	}
	return name + " " + strings.Join(parts, " ")
}

// code is a code span: neither Markdown nor HTML nor a mention or a link of the
// forge is seen in it.
func code(s string) string {
	s = diag.Clean(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if s == "" || s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' || s[len(s)-1] == ' ' {
		s = " " + s + " " // of which a reader takes away one on each side
	}
	return fence + s + fence
}
