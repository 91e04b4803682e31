package config

import (
	"strings"
	"testing"
)

// jsonForm is theLanguage and modules in JSON syntax.
func TestJSONSyntax(t *testing.T) {
	t.Parallel()
	native := files{"a.img.hcl": `provider "sketch" {}
provider "sketch" {
  alias = "two"
}
imgbuild {
  default_provider = provider.sketch.two
  output_dir       = "img"
  max_cost         = 2.5
}
variable "season" {
  type    = object({ name = string, n = optional(number, 3) })
  default = { name = "autumn" }
  validation {
    condition     = var.season.name != ""
    error_message = "no ${var.season.name}"
  }
}
locals {
  mood = "soft \"light\"\n${upper("x")}"
}
locals {
  other = { "k${1}" = [1, null, true], plain = local.mood }
}
function "twice" {
  params = [a]
  result = "${a} ${a}"
}
preset "p" {
  after = "P."
}
preset "q" {
  preset = preset.p
}
image "a" {
  preset = preset.q
  prompt = "A $${x} %{if true}${var.season.name}%{endif} ${local.other.k1[0]} ${twice("y")} ${local.mood} ${length(local.other.k1[*]) == 3}"
  n      = var.season.n
  rendition "r" {
    width = 5
  }
  rendition "s" {
    height = 6
  }
  dynamic "rendition" {
    for_each = { t = 7 }
    labels   = [rendition.key]
    content {
      width = rendition.value
    }
  }
}
image "b" {
  for_each = toset(["x", "y"])
  provider = provider.sketch
  prompt   = each.key
  edit {
    images = [image.a, "b.png"]
    mask {
      file = "m.png"
    }
  }
}
image "c" {
  prompt  = "c"
  preset  = preset.p
  enabled = true
}
module "m" {
  source    = "./m"
  for_each  = { i = 1 }
  providers = { sketch = provider.sketch.two }
  pic       = image.b["x"]
}
output "o" {
  value = { for k, m in module.m : k => m.word }
}
moved {
  from = image.old["k"]
  to   = image.c
}
moved {
  from = module.n
  to   = module.m["i"]
}
`}
	inner := `variable "pic" {}
image "d" {
  prompt = "d"
  edit {
    image = var.pic
  }
}
output "word" {
  value = "w"
}
`
	native["m/m.img.hcl"] = inner
	json := files{"a.img.json": `{
  "//": "a comment",
  "provider": { "sketch": [{}, { "alias": "two" }] },
  "imgbuild": { "default_provider": "provider.sketch.two", "output_dir": "img", "max_cost": 2.5 },
  "variable": { "season": {
    "type": "object({ name = string, n = optional(number, 3) })",
    "default": { "name": "autumn" },
    "validation": { "condition": "${var.season.name != \"\"}", "error_message": "no ${var.season.name}" }
  } },
  "locals": [
    { "mood": "soft \"light\"\n${upper(\"x\")}" },
    { "other": { "k${1}": [1, null, true], "plain": "${local.mood}" } }
  ],
  "function": { "twice": { "params": ["a"], "result": "${a} ${a}" } },
  "preset": { "p": { "after": "P." }, "q": { "preset": "preset.p" } },
  "image": [
    { "a": {
      "preset": "preset.q",
      "prompt": "A $${x} %{if true}${var.season.name}%{endif} ${local.other.k1[0]} ${twice(\"y\")} ${local.mood} ${length(local.other.k1[*]) == 3}",
      "n": "${var.season.n}",
      "rendition": { "r": { "width": 5 }, "s": { "height": 6 } },
      "dynamic": { "rendition": { "for_each": { "t": 7 }, "labels": ["${rendition.key}"], "content": { "width": "${rendition.value}" } } }
    } },
    { "b": {
      "for_each": "${toset([\"x\", \"y\"])}",
      "provider": "${provider.sketch}",
      "prompt": "${each.key}",
      "edit": { "images": ["${image.a}", "b.png"], "mask": { "file": "m.png" } }
    }, "c": [{ "prompt": "c", "preset": "preset.p", "enabled": true }] }
  ],
  "module": { "m": { "source": "./m", "for_each": { "i": 1 }, "providers": { "sketch": "provider.sketch.two" }, "pic": "${image.b[\"x\"]}" } },
  "output": { "o": { "value": "${{ for k, m in module.m : k => m.word }}" } },
  "moved": [
    { "from": "image.old[\"k\"]", "to": "image.c" },
    { "from": "module.n", "to": "module.m[\"i\"]" }
  ]
}
`, "m/m.img.json": `[
  { "variable": { "pic": {} }, "image": { "d": { "prompt": "d", "edit": { "image": "${var.pic}" } } } },
  { "output": { "word": { "value": "w" } } }
]
`}
	a, b := load(t, native), load(t, json)
	same(t, b.Images, a.Images)
	same(t, b.Providers, a.Providers)
	same(t, b.Settings, a.Settings)
	same(t, b.Moved, a.Moved)
	x, l := a.Finish(nil)
	y, m := b.Finish(nil)
	same(t, y, x)
	same(t, lines(m), lines(l))
	at := b.At(json, `image.b["y"]`, "edit.mask")
	if at == nil || at.File != "a.img.json" || !strings.HasPrefix(json["a.img.json"][at.Start.Byte:], `"mask"`) {
		t.Errorf("edit.mask is at %v", at)
	}
}

func TestJSONIsGuarded(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		strings.Repeat("[", 5000):                                   codeTooDeep,
		`{"locals": {"a": ` + strings.Repeat("7", 5000) + `}}`:      codeTooLong,
		`{"locals": {"a": "` + strings.Repeat("${", 300) + `"}}`:    codeTooDeep,
		`{"locals": {"a": "` + strings.Repeat("x", maxJSON) + `"}}`: codeTooBig,
		"{\"locals\": \"\x00\"}":                                    codeNUL,
		"{\"locals\": \"\xff\"}":                                    codeUTF8,
	} {
		if _, l := Load(files{"a.img.json": text}, Options{}); len(l) != 1 || l[0].Code != code {
			t.Errorf("%.40s: want %s, got %.300s", text, code, lines(l))
		}
	}
}
