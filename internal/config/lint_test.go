package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/diag"
)

func TestLintBlock(t *testing.T) {
	t.Parallel()
	p, l := Load(files{"a.img.hcl": sketch + `imgbuild {
  lint {
    off       = ["IB1001"]
    info      = ["IB1002"]
    warning   = toset(["IB1003"])
    error     = ["IB1004"]
    baseline  = "./ci/lint.json"
    names     = ["A B"]
    max_bytes = 5000
  }
}
`}, Options{})
	if len(l) > 0 {
		t.Fatal(l)
	}
	got := p.Settings.Lint
	if r := p.LintAt(files{}, "off"); r == nil || r.Start.Line != 3 {
		t.Errorf("the block is at %+v", r)
	}
	got.at = place{}
	same(t, got, Lint{Off: []string{"IB1001"}, Info: []string{"IB1002"}, Warning: []string{"IB1003"}, Error: []string{"IB1004"}, Baseline: "ci/lint.json", Names: []string{"A B"}, MaxBytes: 5000})
	for text, want := range map[string]string{
		"lint {\n baseline = \"../x.json\"\n}":              codePath,
		"lint {\n baseline = \"imgbuild.lock.json\"\n}":     codePath,
		"lint {\n off = \"IB1001\"\n}":                      codeType,
		"lint {\n off = [\"IB1001\", \"IB1001\"]\n}":        codeDuplicate,
		"lint {\n max_bytes = 7\n}":                         codeRange,
		"lint {\n of = []\n}":                               codeUnknownAttr,
		"lint {\n}\nlint {\n}":                              codeDuplicate,
		"lint {\n warning {\n }\n}":                         codeUnknownBlock,
		"lint {\n off = [sensitive(\"IB1001\")]\n}":         codeSensitive,
		"lint {\n names = [for x in [1] : image.b.path]\n}": codeUnknownName,
	} {
		_, l := Load(files{"a.img.hcl": sketch + "imgbuild {\n" + text + "\n}\nimage \"a\" {\n prompt = \"x\"\n}\n"}, Options{})
		if len(l) != 1 || l[0].Code != want || l[0].Range == nil {
			t.Errorf("%s: %+v, not %s", text, l, want)
		}
	}
}

// A place is where the text is written out: in the attribute, else in the words
// of its preset, else it is what At tells.
func TestPlaces(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": sketch + `preset "base" {
  before = "Über 8K art."
}
preset "p" {
  preset = preset.base
  after  = "Muted."
  alt    = "Picture of p"
}
locals {
  l = "a local text"
}
image "a" {
  preset = preset.p
  prompt = "A ÄÖ lake ${local.l}"
}
image "h" {
  prompt = <<-EOT
    first
      second line
  EOT
  alt = upper("x")
}
`, "b.img.json": `{"image": {"j": {"prompt": "A json lake"}}}`}
	p, l := Load(f, Options{})
	if len(l) > 0 {
		t.Fatal(l)
	}
	tests := []struct {
		spot    Spot
		at      string
		found   bool
		literal string
	}{
		{Spot{"image.a", "prompt", "LAKE"}, "a.img.hcl:15:18 lake", true, ""},
		{Spot{"image.a", "prompt", "8k"}, "a.img.hcl:3:18 8K", true, `"Über 8K art."`},
		{Spot{"image.a", "prompt", "muted"}, "a.img.hcl:7:13 Muted", true, `"Muted."`},
		{Spot{"image.a", "prompt", "local text"}, `a.img.hcl:15:12 "A ÄÖ lake ${local.l}"`, false, ""},
		{Spot{"image.a", "prompt", ""}, `a.img.hcl:15:12 "A ÄÖ lake ${local.l}"`, false, ""},
		{Spot{"image.a", "alt", "Picture"}, "a.img.hcl:8:13 Picture", true, `"Picture of p"`},
		{Spot{"image.a", "caption", ""}, `a.img.hcl:13:1 image "a"`, false, ""},
		{Spot{"image.h", "prompt", "second"}, "a.img.hcl:20:7 second", true, "<<-EOT\n    first\n      second line\n  EOT"},
		{Spot{"image.h", "alt", "X"}, "a.img.hcl:22:16 x", true, ""},
		{Spot{"image.j", "prompt", "json"}, "b.img.json:1:31 json", true, ""},
		{Spot{"image.none", "prompt", "x"}, "", false, ""},
	}
	spots := make([]Spot, len(tests))
	for i := range tests {
		spots[i] = tests[i].spot
	}
	text := func(r *diag.Range) string { return f[r.File][r.Start.Byte:r.End.Byte] }
	for i, got := range p.Places(f, spots) {
		at, literal := "", ""
		if r := got.Range; r != nil {
			at = fmt.Sprintf("%s:%d:%d %s", r.File, r.Start.Line, r.Start.Column, text(r))
		}
		if got.Literal != nil {
			literal = text(got.Literal)
		}
		if tt := tests[i]; at != tt.at || got.Found != tt.found || literal != tt.literal {
			t.Errorf("%v: %q, %t, %q; not %q, %t, %q", tt.spot, at, got.Found, literal, tt.at, tt.found, tt.literal)
		}
	}
}

// What a comment is for: the thing on its line, or on the next line that is no
// comment.
func TestDirectives(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": `provider "sketch" {} # x:y of a block
# x:y of an image
// other

image "a" { # x:y head
  # x:y of two comments
  # x:y second
  prompt = <<-EOT
    text # x:y no comment
  EOT
  /* x:y star */
  alt = "x" // x:y: colon
  tags = [ # x:y inside
    "a",
    # x:y before an element
    "b",
  ]
  # x:y of nothing
}
#x:yes another word
# x:y at the end`, "b.img.json": `{"//": "# x:y"}`}
	p, l := Load(f, Options{})
	if len(l) > 0 {
		t.Fatal(l)
	}
	var got []string
	for _, d := range p.Directives(f, "x:y") {
		got = append(got, fmt.Sprintf("%d: %s: %d-%d", d.Range.Start.Line, d.Text, d.First, d.Last))
		if text := f[d.Range.File][d.Range.Start.Byte:d.Range.End.Byte]; !strings.Contains(text, d.Text) || strings.HasSuffix(text, "\n") {
			t.Errorf("the place of %q is %q", d.Text, text)
		}
	}
	same(t, strings.Join(got, "\n"), `1: of a block: 1-1
2: of an image: 0-0
5: head: 5-19
6: of two comments: 8-10
7: second: 8-10
11: star: 12-12
12: colon: 12-12
13: inside: 13-17
15: before an element: 0-0
18: of nothing: 0-0
21: at the end: 0-0`)
}

func TestSplice(t *testing.T) {
	t.Parallel()
	const src = "image \"a\" {\n  prompt = \"ab\" # c\n  alt    = \"d\"  # e\n}\n"
	at := strings.Index(src, "ab")
	out, l := Splice("a.img.hcl", []byte(src), []Edit{{strings.Index(src, `"d"`) + 1, strings.Index(src, `"d"`) + 2, "longer"}, {at, at + 1, ""}})
	if len(l) > 0 {
		t.Fatal(l)
	}
	same(t, string(out), "image \"a\" {\n  prompt = \"b\"      # c\n  alt    = \"longer\" # e\n}\n")
	for name, edits := range map[string][]Edit{
		"overlap":           {{at, at + 2, "x"}, {at + 1, at + 2, "y"}},
		"outside":           {{at, len(src) + 1, "x"}},
		"another attribute": {{at, at + 1, "\"\n  n = \"1"}},
		"no HCL":            {{at, at + 1, "\""}},
	} {
		out, l := Splice("a.img.hcl", []byte(src), edits)
		if len(l) != 1 || l[0].Code != codeByHand || string(out) != src {
			t.Errorf("%s: %v\n%s", name, l, out)
		}
	}
}
