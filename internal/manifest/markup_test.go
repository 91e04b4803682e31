package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func TestSrcset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, main, variants, want string }{
		{"alone", "png 1000", "", ""},
		{"sizes", "jpeg 1000", "jpeg 500, jpeg 250", "jpeg250 jpeg500 jpeg1000"},
		{"what is cropped stays out", "jpeg 1000", "jpeg 500, !jpeg 250", "jpeg500 jpeg1000"},
		{"the best format first", "png 1000", "webp 1000, webp 500, avif 1000, jpeg 1000", "avif: avif1000 | webp: webp500 webp1000 | jpeg1000"},
		{"a format that lacks the full width", "png 1000", "webp 500, png 500", "png500 png1000"},
		{"of two of a width the smaller file", "png 1000", "jpeg 1000, png 500, jpeg 500", "jpeg500 jpeg1000"},
		{"WebP itself", "webp 1000", "webp 500, jpeg 1000", "webp500 jpeg1000"},
		{"nothing worse before an AVIF", "avif 1000", "webp 1000, avif 500", "avif500 avif1000"},
		{"an AVIF before a WebP", "webp 1000", "avif 1000", "avif: avif1000 | webp1000"},
	} {
		sizes := map[string]int64{"png": 9, "webp": 3, "jpeg": 2, "avif": 1}
		file := func(s string) File {
			var kind string
			var width int
			if _, err := fmt.Sscan(s, &kind, &width); err != nil {
				t.Fatal(err)
			}
			return File{Path: fmt.Sprint(kind, width), MIME: "image/" + kind, Width: width, Height: 1, Bytes: sizes[kind]}
		}
		im := Image{File: file(c.main)}
		for s := range strings.SplitSeq(c.variants, ", ") {
			if s != "" {
				im.Variants = append(im.Variants, Variant{File: file(strings.TrimPrefix(s, "!")), Whole: s[0] != '!'})
			}
		}
		var got []string
		for _, choice := range srcset(&im) {
			text := ""
			if choice.MIME != "" {
				text = strings.TrimPrefix(choice.MIME, "image/") + ": "
			}
			var paths []string
			for _, f := range choice.Files {
				paths = append(paths, f.Path)
			}
			got = append(got, text+strings.Join(paths, " "))
		}
		if s := strings.Join(got, " | "); s != c.want {
			t.Errorf("%s: %q, not %q", c.name, s, c.want)
		}
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a/b-1_2.png": "a/b-1_2.png", "a b, c.png": "a%20b%2C%20c.png", "é.png": "%C3%A9.png", "50%?#\"<": "50%25%3F%23%22%3C"} {
		if got := Escape(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

// A responsive set says by itself which formats there are, in which order, and
// what it shows may be cropped.
func TestSet(t *testing.T) {
	t.Parallel()
	in := world()
	hero := in.Lock.Get("image.hero")
	of := hero.Candidates[0].Content
	for path, recipe := range map[string]string{
		"static/hero-320.webp": "crop=0,0,100%,50% fit=cover format=webp width=320", "static/hero-1792.webp": "crop=0,0,100%,50% fit=cover format=webp width=1792",
		"static/hero-320.jpg": "crop=0,0,100%,50% fit=cover format=jpeg width=320", "static/hero-1792.jpg": "crop=0,0,100%,50% fit=cover format=jpeg width=1792",
		"static/hero-icon.ico": "fit=contain format=ico height=48 icon=any width=48", "static/hero-7.avif": "fit=cover format=avif width=7",
	} {
		hero.Outputs = append(hero.Outputs, lock.Output{Path: path, Content: of, Bytes: 1, Recipe: recipe, Of: of})
	}
	hero.Outputs[0].Placeholder = &lock.Placeholder{Color: "#102030", BlurHash: "LEHV6nWB2yk8", ThumbHash: "1QcSHQRnh493", Data: "data:image/png;base64,AAAA"}
	in.Lock.Set(*hero)
	im := in.Images[1]
	im.Sizes = "50vw"
	im.Renditions = append(slices.Clone(im.Renditions), spec.Rendition{Block: spec.Icon, Name: "icon.ico", Path: "static/hero-icon.ico"})
	for _, format := range []string{"webp", "jpeg"} {
		for _, width := range []int{320, 2000} {
			im.Renditions = append(im.Renditions, spec.Rendition{Block: spec.Responsive, Name: fmt.Sprint(width, ".", format), Width: width,
				Path: spec.SetPath("static/hero", width, "."+strings.Replace(format, "jpeg", "jpg", 1)), File: spec.Encoding{Format: format}})
		}
	}
	in.Images = []spec.Image{im}
	m := Of(in)
	out := m.Images["hero"]
	var sets []string
	for _, v := range out.Variants {
		if v.Set != "" {
			sets = append(sets, fmt.Sprintf("%s %s %s %s %dx%d", v.Set, v.Name, v.Path, v.MIME, v.Width, v.Height))
		}
	}
	want := []string{"icon ico static/hero-icon.ico image/x-icon 48x48", "responsive  static/hero-320.jpg image/jpeg 320x91", "responsive  static/hero-1792.jpg image/jpeg 1792x512",
		"responsive  static/hero-320.webp image/webp 320x91", "responsive  static/hero-1792.webp image/webp 1792x512"}
	if d := cmp.Diff(want, sets); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(`<picture>
  <source type="image/webp" srcset="static/hero-320.webp 320w, static/hero-1792.webp 1792w" sizes="50vw">
  <img src="static/hero-1792.jpg" srcset="static/hero-320.jpg 320w, static/hero-1792.jpg 1792w" sizes="50vw" width="1792" height="512" alt="A lake &amp; &#34;shore&#34;" style="background: #102030 url(data:image/png;base64,AAAA) center / cover no-repeat" loading="lazy" decoding="async" data-imgbuild="image.hero" data-ai-generated="trainedAlgorithmicMedia">
</picture>
`, HTML(&out, Options{Placeholder: true})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Text("hugo", "data/m.json")))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled(t).Validate(v); err != nil {
		t.Error(err)
	}
	if text := string(m.Text("ts", "m.ts")); !strings.Contains(text, "    shown: {\n      src: i") {
		t.Errorf("no shown in\n%s", text)
	}
}

func TestHTMLIsInert(t *testing.T) {
	t.Parallel()
	im := Image{File: File{Path: "a\x1b.png", Width: 1, Height: 1}, Address: "image.a", Alt: "\"><script>\x1b[2J\u202e\nx\u200dy"}
	const want = `<img src="a%1B.png" width="1" height="1" alt="&#34;&gt;&lt;script&gt; [2J  x` + "\u200d" + `y" loading="lazy" decoding="async" data-imgbuild="image.a">` + "\n"
	if got := HTML(&im, Options{}); got != want {
		t.Errorf("%q, not %q", got, want)
	}
	im.Path = ""
	if got := HTML(&im, Options{}); got != "" {
		t.Errorf("%q of an image without a file", got)
	}
}
