package manifest

import (
	"fmt"
	"strings"
	"testing"
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
		bytes := map[string]int64{"png": 9, "webp": 3, "jpeg": 2, "avif": 1}
		file := func(s string) File {
			var kind string
			var width int
			if _, err := fmt.Sscan(s, &kind, &width); err != nil {
				t.Fatal(err)
			}
			return File{Path: fmt.Sprint(kind, width), MIME: "image/" + kind, Width: width, Height: 1, Bytes: bytes[kind]}
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
