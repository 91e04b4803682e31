package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestSetAttribute(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, want string }{
		{"beside n, aligned", `# the first
image "a" { # why
  prompt = "x"
  n      = 4 # candidates

  # the file
  path = "a.png"
}
`, `# the first
image "a" { # why
  prompt = "x"
  n      = 4 # candidates
  pick   = 2

  # the file
  path = "a.png"
}
`},
		{"what was canonical stays so", `image "a" {
  n = 4 // candidates
  rendition "r" {
    width = 10
  }
}
`, `image "a" {
  n    = 4 // candidates
  pick = 2
  rendition "r" {
    width = 10
  }
}
`},
		{"what was not stays as it was", `image   "a"   {
    prompt="x"
    n=4 /* why */ # and how
	rendition  "r"  { width=10 }
}
`, `image   "a"   {
    prompt="x"
    n=4 /* why */ # and how
    pick = 2
	rendition  "r"  { width=10 }
}
`},
		{"another value", "image \"a\" {\n  pick   =    1   # best\n}\n", "image \"a\" {\n  pick   =    2   # best\n}\n"},
		{"before inner blocks", "image \"a\" {\n  prompt = \"x\"\n  file {\n    quality = 5\n  }\n  alt = \"y\"\n}\n",
			"image \"a\" {\n  prompt = \"x\"\n  pick   = 2\n  file {\n    quality = 5\n  }\n  alt = \"y\"\n}\n"},
		{"no attribute", "image \"a\" { # none\n\n  file {}\n}\n", "image \"a\" { # none\n  pick = 2\n\n  file {}\n}\n"},
		{"one line", "image \"a\" { preset = preset.p }\n# b\n", "image \"a\" {\n  preset = preset.p\n  pick   = 2\n}\n# b\n"},
		{"empty", "image \"a\" {}", "image \"a\" {\n  pick = 2\n}"},
		{"heredoc", "image \"a\" {\n  prompt = <<EOT\n  pick = 1\nEOT\n  file {}\n}\n", "image \"a\" {\n  prompt = <<EOT\n  pick = 1\nEOT\n  pick   = 2\n  file {}\n}\n"},
		{"CRLF", "image \"a\" {\r\n  prompt = \"x\" # c\r\n  n = 3\r\n}\r\n", "image \"a\" {\r\n  prompt = \"x\" # c\r\n  n = 3\r\n  pick = 2\r\n}\r\n"},
		{"CRLF, canonical", "image \"a\" {\r\n  n = 3\r\n}\r\n", "image \"a\" {\r\n  n    = 3\r\n  pick = 2\r\n}\r\n"},
		{"CRLF, one line", "# x\r\nimage \"a\" { n = 3 }\r\n", "# x\r\nimage \"a\" {\r\n  n    = 3\r\n  pick = 2\r\n}\r\n"},
		{"byte order mark", "\xef\xbb\xbfimage \"a\" {\n  n = 3\n}\n", "\xef\xbb\xbfimage \"a\" {\n  n = 3\n  pick = 2\n}\n"},
		{"several blocks", "image \"b\" {\n  n = 3\n}\nimage \"a\" {\n\tn = 3\n}\n", "image \"b\" {\n  n = 3\n}\nimage \"a\" {\n\tn = 3\n\tpick = 2\n}\n"},
		{"value over several lines", "image \"a\" {\n  n = max(\n    3,\n    4,\n  )\n  alt = \"x\"\n}\n", "image \"a\" {\n  n = max(\n    3,\n    4,\n  )\n  pick = 2\n  alt  = \"x\"\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, l := SetAttribute("a.img.hcl", []byte(tt.src), "image.a", "pick", "2", "n")
			if len(l) > 0 {
				t.Fatal(l)
			}
			if d := cmp.Diff(tt.want, string(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			checkEdit(t, []byte(tt.src), got, "image.a", "pick")
		})
	}
}

func TestSetAttributeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, want string }{
		{"expression", "image \"a\" {\n  pick = var.x\n}\n", "a.img.hcl:2:10-2:15 IB0421 image.a: pick is an expression, which a command can't change | edit it by hand"},
		{"gone", "image \"b\" {}\n", "a.img.hcl:0:0-0:0 IB0421 image.a: it is not in a.img.hcl any more"},
		{"torn", "image \"a\" {\n", "a.img.hcl:1:11-1:12 IB0101 syntax: this block has no closing brace | add } where it ends, or where a block inside it ends"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, l := SetAttribute("a.img.hcl", []byte(tt.src), "image.a", "pick", "2", "n")
			if string(got) != tt.src {
				t.Errorf("changed to %q", got)
			}
			if d := cmp.Diff(tt.want, lines(l)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": sketch + `preset "second" {
  n    = 2
  pick = 2
}
locals {
  best = 2
}
image "plain" {
  prompt = "x"
}
image "said" {
  prompt = "x"
  n      = 2
  pick   = 2
}
image "styled" {
  preset = preset.second
  prompt = "x"
}
image "computed" {
  prompt = "x"
  n      = 2
  pick   = local.best
}
image "many" {
  for_each = toset(["a"])
  prompt   = "x"
}
image "many_said" {
  for_each = toset(["a"])
  prompt   = "x"
  n        = 2
  pick     = 2
}
image "many_styled" {
  for_each = toset(["a"])
  preset   = preset.second
  prompt   = "x"
}
module "m" {
  source = "./m"
}
`, "m/a.img.hcl": `image "plain" {
  prompt = "x"
}
image "said" {
  prompt = "x"
  n      = 2
  pick   = 2
}
`, "b.img.json": `{"image": {"j": {"prompt": "x"}, "j_said": {"prompt": "x", "n": 2, "pick": 2}}}
`}
	p := load(t, f)
	got := map[string]string{}
	for _, im := range p.Images {
		switch c := p.Choice(f, im.Address); {
		case c.Fixed != nil:
			got[string(im.Address)] = fmt.Sprintf("fixed at %s:%d:%d", c.Fixed.File, c.Fixed.Start.Line, c.Fixed.Start.Column)
		case c.File != "":
			got[string(im.Address)] = c.File
		default:
			got[string(im.Address)] = "the lock"
		}
	}
	same(t, got, map[string]string{
		"image.plain": "a.img.hcl", "image.said": "a.img.hcl", "image.styled": "a.img.hcl", "image.computed": "fixed at a.img.hcl:24:12",
		`image.many["a"]`: "the lock", `image.many_said["a"]`: "fixed at a.img.hcl:34:14", `image.many_styled["a"]`: "fixed at a.img.hcl:4:10",
		"image.j": "the lock", "image.j_said": "fixed at b.img.json:1:76",
		"module.m.image.plain": "the lock", "module.m.image.said": "fixed at m/a.img.hcl:7:12",
	})
	if c := p.Choice(f, "image.gone"); c != (Choice{}) {
		t.Errorf("%+v", c)
	}
}

// checkEdit holds that an edit changed nothing but the attribute: no token
// outside it, no line end but those of a new line, and no canonical layout.
func checkEdit(t *testing.T, before, after []byte, block, attr string) {
	t.Helper()
	outside := func(src []byte) (out []string, lines int) {
		b, l := findBlock("a.img.hcl", src, block)
		if b == nil {
			t.Fatal(l)
		}
		var hide hcl.Range
		if a := b.Body.Attributes[attr]; a != nil {
			hide = a.SrcRange
		}
		tokens, _ := hclsyntax.LexConfig(src, "a.img.hcl", hcl.InitialPos)
		for _, tok := range tokens {
			switch {
			case tok.Type == hclsyntax.TokenNewline:
				lines++
			case tok.Range.Start.Byte < hide.Start.Byte || tok.Range.Start.Byte >= hide.End.Byte:
				out = append(out, string(tok.Bytes))
			}
		}
		return out, lines
	}
	was, linesBefore := outside(before)
	is, linesAfter := outside(after)
	if d := cmp.Diff(was, is); d != "" {
		t.Errorf("tokens (-before +after):\n%s", d)
	}
	b, _ := findBlock("a.img.hcl", before, block)
	more := 1
	if b.Body.Attributes[attr] != nil {
		more = 0
	} else if b.OpenBraceRange.End.Line == b.CloseBraceRange.Start.Line {
		more = 3
		if len(bytes.TrimSpace(before[b.OpenBraceRange.End.Byte:b.CloseBraceRange.Start.Byte])) == 0 {
			more = 2
		}
	}
	if linesAfter-linesBefore != more {
		t.Errorf("%d lines more, want %d", linesAfter-linesBefore, more)
	}
	if f, _ := Format("a.img.hcl", before); bytes.Equal(f, before) {
		if f, _ = Format("a.img.hcl", after); !bytes.Equal(f, after) {
			t.Error("the layout is not canonical any more")
		}
	}
}

// FuzzEdit holds checkEdit for the first block of any file, and that the same
// edit again changes nothing.
func FuzzEdit(f *testing.F) {
	for _, src := range []string{
		theLanguage["site.img.hcl"], "image \"a\" { n = 3 }", "image \"a\" {\r\n  n = 3 # x\r\n}\r\n", "a {\n  n = <<E\nx\nE\n}\n", "a {\n b = [\n1]\n c {}\n}",
		"a {\n pick = 1\n}\n", "a \"b\" \"c\" { /* x */ }\n", "\xef\xbb\xbfa {\n}\n",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if guard("a.img.hcl", src, false) != nil {
			return
		}
		file, diags := hclsyntax.ParseConfig(src, "a.img.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			return
		}
		blocks := file.Body.(*hclsyntax.Body).Blocks
		if len(blocks) == 0 {
			return
		}
		name := strings.Join(append([]string{blocks[0].Type}, blocks[0].Labels...), ".")
		out, l := SetAttribute("a.img.hcl", bytes.Clone(src), name, "pick", "2", "n")
		if len(l) > 0 {
			if !bytes.Equal(out, src) {
				t.Fatal("a finding, and a change")
			}
			if !slices.Contains([]string{codeByHand}, l[0].Code) {
				t.Fatal(l)
			}
			return
		}
		checkEdit(t, src, out, name, "pick")
		if again, _ := SetAttribute("a.img.hcl", bytes.Clone(out), name, "pick", "2", "n"); !bytes.Equal(again, out) {
			t.Fatalf("the same edit again changes:\n%s\nto\n%s", out, again)
		}
	})
}
