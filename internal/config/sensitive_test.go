package config

import (
	"strings"
	"testing"
)

// Which fields of an image are sensitive, whatever way the value came.
func TestSensitiveFields(t *testing.T) {
	t.Parallel()
	p := load(t, files{"a.img.hcl": `provider "sketch" {}
variable "s" {
  default   = "x"
  sensitive = true
}
variable "inside" {
  type    = object({ a = string, b = optional(string) })
  default = { a = "x" }
}
locals {
  map = { a = var.s, b = "open" }
}
preset "after" {
  after = var.s
}
preset "before" {
  before = var.s
}
preset "style" {
  style = var.s
  user  = var.s
}
preset "prompt" {
  prompt = var.s
}
image "each" {
  for_each = local.map
  prompt   = each.value
}
image "keys" {
  for_each = toset(nonsensitive(keys(local.map)))
  prompt   = local.map[each.key]
}
image "open" {
  prompt = nonsensitive(var.s)
}
image "test" {
  prompt = var.s == "x" ? "a" : "b"
}
image "null" {
  prompt = "a"
  user   = sensitive(null)
}
image "after" {
  preset = preset.after
  prompt = "a"
}
image "before" {
  preset = preset.before
  prompt = "a"
}
image "style" {
  preset = preset.style
  prompt = "a"
}
image "own" {
  preset = preset.style
  prompt = "a"
  style  = "plain"
}
image "of_preset" {
  preset = preset.prompt
}
image "own_prompt" {
  preset = preset.prompt
  prompt = "a"
}
`})
	want := map[string]string{
		`image.each["a"]`: "prompt", `image.each["b"]`: "", `image.keys["a"]`: "prompt", `image.keys["b"]`: "", "image.open": "", "image.test": "prompt", "image.null": "",
		"image.after": "prompt", "image.before": "prompt", "image.style": "style user", "image.own": "user", "image.of_preset": "prompt", "image.own_prompt": "",
	}
	for i := range p.Images {
		im := &p.Images[i]
		if got := strings.Join(im.Wanted.Sensitive, " "); got != want[string(im.Address)] {
			t.Errorf("%s: got %q, want %q", im.Address, got, want[string(im.Address)])
		}
	}
	if len(p.Images) != len(want) {
		t.Errorf("%d images", len(p.Images))
	}
}

// What is sensitive, or was asked for, is not kept.
func TestMayKeep(t *testing.T) {
	t.Parallel()
	const variable = "provider \"sketch\" {}\nvariable \"x\" {\n"
	for text, want := range map[string]bool{
		variable + "  default = 1\n}\n":                                      true,
		variable + "  default = 1\n  sensitive = false\n}\n":                 true,
		variable + "  default = 1\n  sensitive = true\n}\n":                  false,
		variable + "  default = 1\n}\nlocals {\n  a = sensitive(var.x)\n}\n": false,
		variable + "}\n": false,
	} {
		p, l := Load(files{"a.img.hcl": text}, Options{Ask: func(q Question) (string, bool) { return "answer", q.Name == "x" }})
		if len(l) > 0 || p.MayKeep() != want {
			t.Errorf("%s\ngot %v\n%s", text, p.MayKeep(), lines(l))
		}
	}
}

// Lines that hold a sensitive value are not shown, and what follows keeps its
// place.
func TestShow(t *testing.T) {
	t.Parallel()
	const text = "provider \"sketch\" {}\nvariable \"x\" {\n  sensitive = true\n  default = [\n    \"hunter2\",\n    \"höhe\"]\n}\nlocals {\n  a = sensitive(\"hunter2\")\n  b = 1\n}\n"
	p := load(t, files{"a.img.hcl": text})
	got := string(p.Show("a.img.hcl", []byte(text)))
	if len(got) != len(text) || strings.Contains(got, "hunter2") || !strings.HasSuffix(got, "\n  b = 1\n}\n") || !strings.HasPrefix(got, text[:strings.Index(text, "  default")]) {
		t.Errorf("%q", got)
	}
	if got := p.Show("b.img.hcl", []byte(text)); string(got) != text {
		t.Errorf("another file: %q", got)
	}
}
