package config

import "testing"

// theLives has what a decoded project must keep of moved, removed and import
// blocks.
var theLives = files{"a.img.hcl": sketch + `imgbuild {
  output_dir = "static"
}
locals {
  folder = "icons"
}
image "logo" {
  prompt = "a fox"
}
image "icon" {
  for_each = toset(["home", "mail"])
  prompt   = each.key
}
image "off" {
  prompt  = "nothing"
  enabled = false
}
moved {
  from = image.old
  to   = image.logo
}
removed {
  from       = image.older
  keep_files = true
}
import {
  to   = image.off
  path = "off.png"
}
import {
  to   = image.logo
  path = "./photos/logo.jpg"
}
import {
  for_each = { mail = "m", home = "h" }
  to       = image.icon[each.key]
  path     = "${local.folder}/${each.value}.png"
}
`}

func TestImports(t *testing.T) {
	t.Parallel()
	p := load(t, theLives)
	got := map[string]string{}
	for _, im := range p.Imports {
		got[string(im.To)] = im.Path
	}
	same(t, got, map[string]string{"image.logo": "photos/logo.jpg", `image.icon["home"]`: "icons/h.png", `image.icon["mail"]`: "icons/m.png"})
	at := p.AtImport(theLives, `image.icon["mail"]`, "path")
	if at == nil || at.Start.Line != 38 || at.Start.Column != 14 {
		t.Errorf("path of the import is at %+v", at)
	}
}

func TestImportsInJSON(t *testing.T) {
	t.Parallel()
	p := load(t, files{"a.img.json": `{
  "provider": {"sketch": {}},
  "image": {"logo": {"prompt": "x"}, "icon": {"for_each": {"a": 1, "b": 2}, "prompt": "${each.key}"}},
  "import": [
    {"to": "image.logo", "path": "logo.png"},
    {"for_each": {"a": "x", "b": "y"}, "to": "image.icon[each.key]", "path": "${each.value}.png"}
  ]
}`})
	got := map[string]string{}
	for _, im := range p.Imports {
		got[string(im.To)] = im.Path
	}
	same(t, got, map[string]string{"image.logo": "logo.png", `image.icon["a"]`: "x.png", `image.icon["b"]`: "y.png"})
}

func TestImportsIntoModules(t *testing.T) {
	t.Parallel()
	module := `variable "n" {
  type = string
}
image "logo" {
  prompt = var.n
}
image "icon" {
  for_each = toset(["home", "mail"])
  prompt   = each.key
}
`
	p := load(t, files{"a.img.hcl": sketch + `module "one" {
  source = "./m"
  n      = "one"
}
module "each" {
  source   = "./m"
  for_each = toset(["a", "b"])
  n        = each.key
}
import {
  to   = module.one.image.logo
  path = "one.png"
}
import {
  to   = module.each["b"].image.icon["mail"]
  path = "mail.png"
}
import {
  for_each = toset(["a", "b"])
  to       = module.each[each.key].image.logo
  path     = "${each.key}.png"
}
import {
  for_each = { home = 1 }
  to       = module.each["a"].image.icon[each.key]
  path     = "home.png"
}
`, "m/m.img.hcl": module})
	got := map[string]string{}
	for _, im := range p.Imports {
		got[string(im.To)] = im.Path
	}
	same(t, got, map[string]string{
		"module.one.image.logo": "one.png", `module.each["b"].image.icon["mail"]`: "mail.png",
		`module.each["a"].image.logo`: "a.png", `module.each["b"].image.logo`: "b.png", `module.each["a"].image.icon["home"]`: "home.png",
	})

	_, l := Load(files{"a.img.hcl": sketch + `module "one" {
  source = "./m"
  n      = "one"
}
import {
  to   = module.one.image.lego
  path = "one.png"
}
import {
  to   = module.ones.image.logo
  path = "one.png"
}
import {
  to   = module.one
  path = "one.png"
}
`, "m/m.img.hcl": module + `import {
  to   = image.logo
  path = "a.png"
}
`}, Options{Undeclared: true})
	same(t, lines(l), `a.img.hcl:7:10-7:31 IB0420 import: there is no module.one.image.lego | did you mean "logo"?
a.img.hcl:11:10-11:32 IB0420 import: there is no module.ones.image.logo | did you mean "module.one"?
a.img.hcl:15:10-15:20 IB0420 import: to must be the address of an image | write image.NAME, image.NAME["KEY"] or image.NAME[each.key], without quotes around it
m/m.img.hcl:11:1-11:7 IB0414 import: a module has no import block | move it to the root of the project, with to = module.NAME.image.NAME`)
}
