package config

import (
	"strings"
	"testing"
)

func TestLabel(t *testing.T) {
	t.Parallel()
	p := load(t, files{"a.img.hcl": sketch + `
preset "house" {
  credit  = "Studio"
  license = "CC0"
  label   = true
}
preset "quiet" {
  preset = preset.house
  label  = false
}
image "plain" { prompt = "x" }
image "of_house" {
  prompt  = "x"
  preset  = preset.house
  license = "https://example.com/terms"
  caption = "A caption"
}
image "of_quiet" {
  prompt = "x"
  preset = preset.quiet
}
image "not_quiet" {
  prompt = "x"
  preset = preset.quiet
  label  = true
}
`})
	for _, c := range []struct {
		name, credit, license, caption string
		none, copies                   bool
	}{
		{"plain", "", "", "", false, false},
		{"of_house", "Studio", "https://example.com/terms", "A caption", false, true},
		{"of_quiet", "Studio", "CC0", "", true, false},
		{"not_quiet", "Studio", "CC0", "", false, true},
	} {
		im := get(t, p, "image."+c.name)
		if im.Credit != c.credit || im.License != c.license || im.Caption != c.caption || im.Unlabelled != c.none || im.LabelCopies != c.copies {
			t.Errorf("%s: credit %q, license %q, caption %q, unlabelled %t, copies %t", c.name, im.Credit, im.License, im.Caption, im.Unlabelled, im.LabelCopies)
		}
	}
}

// What no file has room for is told at its longest part.
func TestLongLabel(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	for _, c := range []struct{ body, want string }{
		{"alt = " + text(maxLabel), ""},
		{"alt = " + text(maxLabel+1) + "\nlabel = false", ""},
		{"alt = " + text(maxLabel+1), "a.img.hcl:5:7"},
		{"alt = " + text(9) + "\ncaption = " + text(maxLabel) + "\ncredit = " + text(3), "a.img.hcl:6:11"},
	} {
		_, l := Load(files{"a.img.hcl": sketch + "image \"a\" {\nprompt = \"x\"\n\n" + c.body + "\n}\n"}, Options{})
		if got := lines(l); c.want == "" && got != "" || c.want != "" && (len(l) != 1 || !strings.Contains(got, c.want) || !strings.Contains(got, "a label has room for 9900 | shorten it, or write label = false")) {
			t.Errorf("%.40s…: %s", c.body, got)
		}
	}
}
