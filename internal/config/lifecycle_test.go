package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/spec"
)

var lifecycles = files{"a.img.hcl": `provider "sketch" {}
locals {
  keep  = true
  posts = { a = { keep = true, tags = ["x"] }, b = { keep = false, tags = [] } }
}
budget "rest" {
  tags     = ["x", "house", "x"]
  max_cost = 0.5
}
budget "landing" {
  tags     = toset(["landing"])
  max_cost = 1
}
preset "p" {
  tags = ["house", "a"]
}
image "plain" {
  prompt = "p"
  preset = preset.p
  tags   = ["landing", "house"]
  lifecycle {
    protect        = true
    ignore_changes = [prompt, model, edit]
  }
}
image "post" {
  for_each = local.posts
  prompt   = each.key
  preset   = preset.p
  tags     = each.value.tags
  lifecycle {
    protect = each.value.keep
  }
}
image "kept" {
  for_each   = { x = image.plain }
  prompt     = "k"
  depends_on = [each.value, image.off]
  lifecycle {
    protect        = local.keep
    ignore_changes = all
  }
}
image "gone" {
  for_each = {}
  prompt   = "g"
  lifecycle {
    protect = local.keep
  }
}
image "off" {
  prompt  = "o"
  enabled = false
  lifecycle {
    protect = true
  }
}
image "late" {
  prompt     = "l"
  depends_on = [image.post, image.plain, image.kept["x"], image.gone, image.post["a"]]
}
image "literal" {
  prompt     = "l"
  depends_on = [image.post, image.plain, image.off]
}
module "m" {
  source   = "./m"
  for_each = toset(["k"])
}
`, "b.img.json": `{
  "image": {
    "json": {
      "prompt": "j",
      "tags": ["j"],
      "depends_on": ["image.post", "image.kept[\"x\"]"],
      "lifecycle": {"protect": "${local.keep}", "ignore_changes": ["style", "user"]}
    },
    "json_all": {"prompt": "j", "lifecycle": {"ignore_changes": "all"}}
  },
  "budget": {"json": {"tags": ["j"], "max_cost": 2}}
}`, "m/m.img.hcl": `image "literal" {
  prompt     = "l"
  depends_on = [image.keyed]
}
image "keyed" {
  for_each = toset(["a"])
  prompt   = each.key
  tags     = ["landing"]
  lifecycle {
    protect = true
  }
}
image "slow" {
  prompt     = "l"
  depends_on = [image.keyed["a"], image.literal]
}
`}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	p := load(t, lifecycles)
	var got []string
	for i := range p.Images {
		im := &p.Images[i]
		l := string(im.Address)
		for _, a := range im.DependsOn {
			l += " after " + string(a)
		}
		if len(im.Tags) > 0 {
			l += fmt.Sprintf(" %v", im.Tags)
		}
		if im.Protect {
			l += " protected"
		}
		switch {
		case im.Ignore == spec.AllFields:
			l += " ignores all"
		case im.Ignore != 0:
			for _, name := range spec.FieldNames {
				if im.Ignore.Has(name) {
					l += " ignores " + name
				}
			}
		}
		got = append(got, l)
	}
	for _, g := range p.Guards {
		r := p.At(lifecycles, g.Address+`["lost"]`, "lifecycle.protect")
		got = append(got, fmt.Sprintf("guard %s %d:%d", g.Address, r.Start.Line, r.Start.Column))
	}
	for i := range p.Budgets {
		b := &p.Budgets[i]
		at := p.BudgetAt(lifecycles, b.Name, "max_cost")
		got = append(got, fmt.Sprintf("budget %s %v %s %d:%d", b.Name, b.Tags, b.MaxCost, at.Start.Line, at.Start.Column))
	}
	same(t, strings.Join(got, "\n"), strings.TrimSpace(`
image.json after image.kept["x"] after image.post["a"] after image.post["b"] [j] protected ignores style ignores user
image.json_all ignores all
image.kept["x"] after image.plain protected ignores all
image.late after image.kept["x"] after image.plain after image.post["a"] after image.post["b"]
image.literal after image.plain after image.post["a"] after image.post["b"]
image.plain [a house landing] protected ignores edit ignores model ignores prompt
image.post["a"] [a house x] protected
image.post["b"] [a house]
module.m["k"].image.keyed["a"] [landing] protected
module.m["k"].image.literal after module.m["k"].image.keyed["a"]
module.m["k"].image.slow after module.m["k"].image.keyed["a"] after module.m["k"].image.literal
guard image.gone 48:15
guard image.kept 40:22
guard module.m["k"].image.keyed 10:15
guard image.off 55:15
guard module.m.image.keyed 10:15
budget json [j] $2.00 11:50
budget landing [landing] $1.00 12:14
budget rest [house x] $0.50 8:14
`))
}
