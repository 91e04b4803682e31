package lint_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lint"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
)

// Whatever stands in a file, in its comments too: each finding has a code that is
// known and a place in the file, none of one image is told twice at one place, and
// a mended file is one of the same images, in which nothing more is mended.
func FuzzLint(f *testing.F) {
	for _, c := range cases {
		for _, text := range c.hit {
			f.Add(xai + text)
		}
	}
	f.Add(sketchText)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		load := func(text string) (*config.Project, files, bool) {
			src := files{"a.img.hcl": text}
			p, l := config.Load(src, config.Options{Types: all.Types()})
			return p, src, !l.HasErrors()
		}
		run := func(p *config.Project, src files) *lint.Result {
			return lint.Run(lint.Input{Project: p, Source: src, Today: "2026-12-01", Offer: func(string, string) (*provider.Offer, bool) {
				return &provider.Offer{Model: "m", MaxPrompt: 50, DefaultAspectRatio: "1:1"}, true
			}})
		}
		p, src, ok := load(text)
		if !ok {
			return
		}
		lint.Check(p, src)
		r := run(p, src)
		for _, f := range r.Found {
			if lint.Lookup(f.Code) == nil && lint.OwnCodes[f.Code] == "" {
				t.Errorf("a finding of the code %q", f.Code)
			}
			if f.Range == nil || f.Range.Start.Byte < 0 || f.Range.End.Byte < f.Range.Start.Byte || f.Range.End.Byte > len(text) || f.Range.Start.Line < 1 || f.Text == "" {
				t.Errorf("a finding without a place: %+v", f.Finding)
			}
		}
		_ = r.List().JSON(new(strings.Builder))
		edits := r.Fixes(p, src, &lock.Lock{}).Edits["a.img.hcl"]
		out, l := config.Splice("a.img.hcl", []byte(text), edits)
		if len(l) > 0 || len(edits) == 0 {
			return
		}
		again, _, ok := load(string(out))
		if !ok || len(again.Images) != len(p.Images) {
			t.Fatalf("mended, it is another project:\n%s\n%s", text, out)
		}
		if utf8.ValidString(text) && !utf8.Valid(out) {
			t.Errorf("mended, it is no UTF-8:\n%q", out)
		}
		for i := range again.Images {
			if again.Images[i].Address != p.Images[i].Address || again.Images[i].Path != p.Images[i].Path {
				t.Errorf("mended, %s is %s", p.Images[i].Address, again.Images[i].Address)
			}
		}
	})
}

const sketchText = `provider "sketch" {}
# imgbuild:ignore IB1001, IB1003: why not
image "a" { # imgbuild:ignore
  prompt = "A lake ` + "\u200b" + ` " /* imgbuild:ignore IB1020 - a */
  alt    = <<-EOT
    Image of ${1 + 1} ` + "\t" + `
  EOT
}
`

// Whatever is in the file, it is a baseline or a finding that names it; and one
// holds what was written into it.
func FuzzBaseline(f *testing.F) {
	f.Add([]byte("{\"format_version\": \"1.0\", \"findings\": [\n{\"code\":\"IB1001\",\"of\":\"image.a\",\"text\":\"00\"}\n]}\n"))
	f.Add([]byte("<<<<<<< ours\n"))
	f.Add([]byte(`{"format_version": "2.0"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		baseline, l := lint.ParseBaseline("b.json", b)
		if (baseline == nil) == (len(l) == 0) {
			t.Fatalf("%v, %v", baseline, l)
		}
		if baseline == nil {
			if f := l[0]; f.Severity != diag.Error || f.Range == nil || f.Range.File != "b.json" {
				t.Errorf("%+v", f)
			}
			return
		}
		r := lintFiles(t, files{"a.img.hcl": xai + prompt("Four images of a <subject>")}, func(in *lint.Input) { in.Baseline = baseline })
		_ = r.List().JSON(new(strings.Builder))
	})
}
