package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// tokensOf is what src says: no spaces, no newlines, no comments.
func tokensOf(src string) string {
	tokens, _ := hclsyntax.LexConfig([]byte(strings.TrimPrefix(src, "\ufeff")), "x", hcl.InitialPos)
	var b strings.Builder
	for _, k := range tokens {
		if k.Type != hclsyntax.TokenNewline && k.Type != hclsyntax.TokenComment {
			b.WriteString(string(k.Type) + " " + string(k.Bytes) + "\n")
		}
	}
	return b.String()
}

// places are those that a text names by itself, as that of try does.
var places = regexp.MustCompile(`\(at [^)]*:[0-9,-]+\)`)

// meaning is what a configuration comes to, without places.
func meaning(src string) []any {
	p, l := Load(files{"a.img.hcl": src, "t.txt": "${x}", "p/a.md": "---\na: 1\n---\n"}, Options{Types: []string{"xai", "sketch"}, steps: 1 << 14})
	var told []string
	for _, f := range l {
		told = append(told, f.Code+" "+places.ReplaceAllString(f.Text, "")+" "+f.Hint)
	}
	var outputs []OutputValue
	if !l.HasErrors() {
		outputs, _ = p.Finish(nil)
	}
	for i := range p.Settings.Manifests {
		p.Settings.Manifests[i].at = place{}
	}
	return []any{p.Images, p.Providers, p.Settings, p.Moved, p.Removed, told, outputs}
}

// FuzzFormat: the layout settles, and nothing but the layout changes.
func FuzzFormat(f *testing.F) {
	for _, src := range theLanguage {
		f.Add(src)
	}
	for _, c := range findingCases {
		f.Add(c.files["a.img.hcl"])
	}
	for _, s := range []string{"a = 1 # x\nbb = 2 # y\n", "a {\n/* x */ b = 1\n}\n", "a = <<E\n x\nE\n", "a = <<-E\n   x\n  ${y}\n  E\n", "a=[1,\n2,#\n]\r\n", "a = \"${ b }\"\n", "#\n\n\n#", "a = b ? - 1 : ! c\n", "a = \"%{ if b ~} x %{ endif }\"\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		once, l := Format("a.img.hcl", []byte(src))
		if len(l) > 0 {
			return
		}
		twice, l := Format("a.img.hcl", once)
		if len(l) > 0 {
			t.Fatalf("%q became %q:\n%s", src, once, lines(l))
		}
		if string(once) != string(twice) {
			t.Errorf("%q became %q and then %q", src, once, twice)
		}
		if before, after := tokensOf(src), tokensOf(string(once)); before != after {
			t.Errorf("%q became %q:\n%s\n%s", src, once, before, after)
		}
		if before, after := meaning(src), meaning(string(once)); !reflect.DeepEqual(before, after) {
			t.Errorf("%q became %q:\n%+v\n%+v", src, once, before, after)
		}
	})
}

// loaded are the files that FuzzLoad writes, one at a time.
var loaded = []string{"a.img.hcl", "x.auto.imgvars", "t.txt", "p/a.md", "b.img.json", "m/m.img.hcl"}

// FuzzLoad: whatever stands in a file, there is no panic, and each finding has
// its code and a place in that file.
func FuzzLoad(f *testing.F) {
	for _, src := range theLanguage {
		f.Add(uint8(0), src)
	}
	for _, c := range findingCases {
		for i, name := range loaded {
			if src, ok := c.files[name]; ok {
				f.Add(uint8(i), src)
			}
		}
	}
	f.Add(uint8(1), "v = [\"x\", { a = 1 }]\nw = 2\n")
	f.Add(uint8(4), `{"locals": {"b": "${var.v}"}, "image": {"b": {"prompt": "${local.b}", "edit": {"image": "${image.a[\"a\"]}"}}}, "//": 1}`)
	f.Add(uint8(5), "variable \"p\" {}\nimage \"m\" {\n  prompt = var.p\n}\n")
	f.Add(uint8(2), "%{ for a in x }${upper(a)}%{ endfor }")
	f.Add(uint8(3), "---\na: &b [1, {c: d}]\ne: *b\n---\n# Text\n")
	f.Fuzz(func(t *testing.T, which uint8, src string) {
		in := files{"m/m.img.hcl": "variable \"p\" {}\n", "b.img.json": "{}", "t.txt": "${x}", "p/a.md": "---\na: 1\n---\n", "x.auto.imgvars": `v = "x"`, "a.img.hcl": sketch + `variable "v" {}
image "a" {
  for_each = { for k, v in frontmatter("p/a.md") : k => jsonencode(v) }
  prompt   = templatefile("t.txt", { x = [var.v, each.value] })
  path     = "${each.key}.png"
}
module "m" {
  source = "./m"
  p      = var.v
}
output "a" {
  value = { v = var.v, all = image.a, some = try(image.a["a"].sha256, null) }
}
`}
		in[loaded[int(which)%len(loaded)]] = src
		p, l := Load(in, Options{Types: []string{"xai", "sketch"}, steps: 1 << 14})
		for _, finding := range l {
			if Codes[finding.Code] == "" || finding.Text == "" || finding.Range == nil {
				t.Errorf("%+v", finding)
				continue
			}
			if r := finding.Range; r.File != "" && (r.Start.Byte > r.End.Byte || r.End.Byte > len(in[r.File]) || in[r.File] == "" && r.End.Byte > 0) {
				t.Errorf("%+v at %+v, of %d bytes", finding, *r, len(in[r.File]))
			}
		}
		if !l.HasErrors() {
			p.Finish(nil)
			if d, err := Decode(p.Encode()); err != nil || len(d.Images) != len(p.Images) {
				t.Error(err)
			}
		}
		for i := range p.Images {
			p.At(in, p.Images[i].Address, "prompt")
		}
	})
}

// FuzzEval evaluates an expression in a project: it ends soon, with a value or
// a finding.
func FuzzEval(f *testing.F) {
	for _, src := range []string{`image.a.path`, `[for k, v in image.post : k if v.n > 1]`, `"${upper(var.x)}%{ for i in range(3) }${i}%{ endfor }"`, `image.post["x"]...`, `setproduct(range(9), range(9))`, "<<-E\n  a\nE\n"} {
		f.Add(src)
	}
	src := files{"site.img.hcl": "provider \"sketch\" {}\nvariable \"x\" {\n  default = \"y\"\n}\nimage \"a\" {\n  prompt = \"p\"\n}\nimage \"post\" {\n  for_each = toset([\"x\", \"z\"])\n  prompt = each.key\n  n = 2\n}\n"}
	f.Fuzz(func(t *testing.T, expr string) {
		p, l := Load(src, Options{Expressions: true, steps: 1 << 17, Types: []string{"sketch"}})
		if l.HasErrors() {
			t.Fatal(l)
		}
		defer time.AfterFunc(2*time.Minute, func() { panic(expr + " hangs") }).Stop()
		v, findings := p.Eval(expr, nil)
		if !findings.HasErrors() && v.Text == "" && v.JSON == nil {
			t.Errorf("%q is neither a value nor a finding: %v", expr, findings)
		}
		for _, x := range findings {
			if strings.Contains(x.Text, wentWrong) {
				t.Errorf("%q panics", expr)
			}
		}
	})
}
