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
