package manifest

import (
	"cmp"
	"fmt"
	"html"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// everywhere are the formats that every browser shows; the others are offered
// first, the best of them before.
var everywhere = []string{"image/png", "image/jpeg", "image/gif"}

var offered = []string{"image/avif", "image/webp"}

// set is the choices that the responsive set of an image gives, in the order of
// its formats, and the file for <img>, which is the widest of the last one. Both
// are nil where there is no such set.
func set(out *Image, im *spec.Image) (choices []Choice, shown *File) {
	for _, r := range im.Renditions {
		kind := mime(r.File.Format)
		if r.Block != spec.Responsive || slices.ContainsFunc(choices, func(c Choice) bool { return c.MIME == kind }) {
			continue
		}
		c := Choice{MIME: kind}
		for _, v := range out.Variants {
			if v.Set == spec.Responsive && v.MIME == kind {
				shown = &File{Path: v.Path, Width: v.Width, Height: v.Height}
				c.Files = append(c.Files, File{Path: v.Path, Width: v.Width})
			}
		}
		if len(c.Files) > 0 {
			choices = append(choices, c)
		}
	}
	if len(choices) > 0 {
		choices[len(choices)-1].MIME = ""
	}
	return choices, shown
}

// srcset is the files of an image that show all that its main output shows. A
// format that is offered for itself must have that in full width: a browser
// which takes it looks at nothing else.
func srcset(im *Image) (out []Choice) {
	all := map[string][]File{"": {im.File}}
	for _, v := range im.Variants {
		kind := v.MIME
		if kind == im.MIME || slices.Contains(everywhere, kind) {
			kind = ""
		}
		if v.Whole {
			all[kind] = append(all[kind], v.File)
		}
	}
	better := offered
	if i := slices.Index(offered, im.MIME); i >= 0 {
		better = offered[:i]
	}
	for _, kind := range append(slices.Clone(better), "") {
		files := all[kind]
		slices.SortFunc(files, func(a, b File) int {
			return cmp.Or(a.Width-b.Width, cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Path, b.Path))
		})
		files = slices.CompactFunc(files, func(a, b File) bool { return a.Width == b.Width })
		if n := len(files); n == 0 || files[n-1].Width < im.Width {
			continue
		}
		c := Choice{MIME: kind}
		for _, f := range files {
			c.Files = append(c.Files, File{Path: f.Path, Width: f.Width})
		}
		out = append(out, c)
	}
	if len(out) == 1 && len(out[0].Files) < 2 {
		return nil
	}
	return out
}

// Options are what a page says of a picture on it.
type Options struct {
	Sizes       string // how wide it is shown, as sizes of HTML; "" for what the set says, or the whole width
	Variant     string // the name of a rendition to show instead of the main output
	Placeholder bool   // that of the image is shown until it is there
	Priority    bool   // it is seen at once: loaded first instead of last
	// URL is where a file is on the site; nil for its path, as it is escaped in a
	// URL.
	URL func(File) string
}

// HTML is the markup of an image for a page, that what it shows can't move when
// it comes, and that says how it was made. It is "" where there is no such file.
func HTML(im *Image, o Options) string {
	file, sources := im.File, im.Srcset
	if im.Shown != nil {
		file = *im.Shown
	}
	if o.Variant != "" {
		i := slices.IndexFunc(im.Variants, func(v Variant) bool { return v.Set == "" && v.Name == o.Variant })
		if i < 0 {
			return ""
		}
		file, sources = im.Variants[i].File, nil
	}
	if file.Path == "" {
		return ""
	}
	url := o.URL
	if url == nil {
		url = func(f File) string { return Escape(f.Path) }
	}
	attr := func(name, value string) string {
		return " " + name + `="` + html.EscapeString(strings.Map(seen, value)) + `"`
	}
	set := func(files []File) string {
		var list []string
		for _, f := range files {
			list = append(list, fmt.Sprintf("%s %dw", url(f), f.Width))
		}
		return attr("srcset", strings.Join(list, ", ")) + attr("sizes", cmp.Or(o.Sizes, im.Sizes, "100vw"))
	}
	var b strings.Builder
	img := "<img" + attr("src", url(file))
	if n := len(sources); n > 0 {
		if len(sources[n-1].Files) > 1 {
			img += set(sources[n-1].Files)
		}
		sources = sources[:n-1]
	}
	if file.Width > 0 {
		img += fmt.Sprintf(` width="%d" height="%d"`, file.Width, file.Height)
	}
	if im.Alt != "" || im.Decorative {
		img += attr("alt", im.Alt)
	}
	if p := im.Placeholder; o.Placeholder && p != nil {
		img += attr("style", "background: "+p.Color+" url("+p.DataURL+") center / cover no-repeat")
	}
	if o.Priority {
		img += ` fetchpriority="high"`
	} else {
		img += ` loading="lazy"`
	}
	img += ` decoding="async"` + attr("data-imgbuild", im.Address)
	if im.AI.Label {
		img += attr("data-ai-generated", path.Base(im.AI.SourceType))
	}
	img += ">\n"
	if len(sources) == 0 {
		return img
	}
	b.WriteString("<picture>\n")
	for _, s := range sources {
		b.WriteString("  <source" + attr("type", s.MIME) + set(s.Files) + ">\n")
	}
	return b.String() + "  " + img + "</picture>\n"
}

// seen makes a blank of what HTML does not have and a terminal would obey.
func seen(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' { // these join letters, and emoji
		return ' '
	}
	return r
}

// Escape makes a path part of a URL, also in a srcset, which blanks and commas
// end.
func Escape(p string) string {
	const plain = "/-_.~!$&'()*+;=:@"
	var b strings.Builder
	for i := range len(p) {
		if c := p[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
