package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

var modular = files{
	"a.img.hcl": `provider "sketch" {}
provider "xai" {}
provider "xai" {
  alias = "eu"
}
imgbuild {
  default_provider = provider.sketch
}
preset "base" {
  before = "Photo."
  after  = "35 mm."
  style  = "natural"
  user   = "base"
}
preset "warm" {
  preset = preset.base
  before = "Warm."
  after  = "Soft light."
  style  = "vivid"
  path   = "warm.png"
}
image "hero" {
  preset = preset.warm
  prompt = "a lake"
}
module "icons" {
  source    = "./modules/icons"
  for_each  = { a = { color = "red" }, "b.c" = { color = "blue" } }
  color     = each.value.color
  photo     = image.hero
  house     = preset.base
  providers = { xai = provider.xai.eu, sketch = provider.xai }
}
module "one" {
  source    = "./modules/../modules/one"
  providers = { sketch = provider.xai.eu }
  sum       = module.icons["a"].color
}
image "night" {
  prompt = "night"
  edit {
    images = [module.icons["b.c"].main, module.icons["a"].all["x"]]
  }
}
output "paths" {
  value = { for k, m in module.icons : k => m.main.path }
}
output "sum" {
  value = module.one.sum
}
`,
	"modules/icons/i.img.hcl": `variable "color" {
  type = string
  validation {
    condition     = var.color != "green"
    error_message = "no ${var.color}"
  }
}
variable "photo" {}
variable "house" {}
variable "size" {
  default = "64x64"
}
preset "base" {
  style = "flat"
}
locals {
  word = upper(var.color)
}
image "main" {
  preset   = preset.base
  prompt   = "icon ${local.word} ${path.module}"
  size     = var.size
  provider = provider.xai
}
image "literal" {
  preset   = preset.base
  prompt   = "literal"
  provider = provider.xai
  rendition "small" {
    width = 8
  }
  edit {
    images = [image.main, "p.png"]
  }
}
image "all" {
  for_each = toset(["x"])
  preset   = var.house
  prompt   = "${image.main.path} ${each.key}"
  edit {
    image = var.photo
  }
}
output "main" {
  value = image.main
}
output "all" {
  value = image.all
}
output "color" {
  value = var.color
}
`,
	"modules/one/o.img.hcl": `variable "sum" {}
image "x" {
  prompt = var.sum
}
output "sum" {
  value = image.x.sha256
}
`,
}

// flat is what modular says, written out.
const flat = `provider "sketch" {}
provider "xai" {}
provider "xai" {
  alias = "eu"
}
image "hero" {
  prompt   = "Photo. Warm. a lake Soft light. 35 mm."
  style    = "vivid"
  user     = "base"
  path     = "warm.png"
  provider = provider.sketch
}
image "night" {
  prompt   = "night"
  provider = provider.sketch
  edit {
    images = [image.bc_main, image.a_all]
  }
}
image "one" {
  prompt   = "red"
  provider = provider.xai.eu
  path     = "one/x.png"
}
`

const flatIcon = `image "N_main" {
  prompt   = "icon WORD modules/icons"
  style    = "flat"
  size     = "64x64"
  provider = provider.xai.eu
  path     = "icons/KEY/main.png"
}
image "N_literal" {
  prompt   = "literal"
  style    = "flat"
  provider = provider.xai.eu
  path     = "icons/KEY/literal.png"
  rendition "small" {
    width = 8
  }
  edit {
    images = [image.N_main, "p.png"]
  }
}
image "N_all" {
  prompt   = "Photo. icons/KEY/main.png x 35 mm."
  style    = "natural"
  user     = "base"
  provider = provider.xai
  path     = "icons/KEY/all/x.png"
  edit {
    image = image.hero
  }
}
`

func TestModules(t *testing.T) {
	t.Parallel()
	text := flat
	for _, key := range [][3]string{{"a", "a", "RED"}, {"b.c", "bc", "BLUE"}} {
		text += strings.NewReplacer("KEY", key[0], "N_", key[1]+"_", "WORD", key[2]).Replace(flatIcon)
	}
	want := load(t, files{"flat.img.hcl": text}).Images
	address := strings.NewReplacer("image.bc_", `module.icons["b.c"].image.`, "image.a_", `module.icons["a"].image.`, "image.one", "module.one.image.x")
	renamed := func(a spec.Address) spec.Address {
		a = spec.Address(address.Replace(string(a)))
		if strings.HasSuffix(string(a), "image.all") {
			a += `["x"]`
		}
		return a
	}
	for i := range want {
		want[i].Address = renamed(want[i].Address)
		for k, s := range want[i].Wanted.Sources {
			if s.Image != "" {
				want[i].Wanted.Sources[k].Image = renamed(s.Image)
			}
		}
	}
	slices.SortFunc(want, func(a, b spec.Image) int { return strings.Compare(string(a.Address), string(b.Address)) })
	p := load(t, modular)
	same(t, p.Images, want)

	got, l := p.Finish(map[spec.Address]Facts{"module.one.image.x": {Known: true, SHA256: "5u"}})
	same(t, lines(l), "")
	same(t, fmt.Sprintf("%s %s", got[0].Text, got[1].Text), `{a = "icons/a/main.png", "b.c" = "icons/b.c/main.png"} "5u"`)
	at := p.At(modular, `module.icons["a"].image.literal`, "style")
	same(t, fmt.Sprintf("%s:%d", at.File, at.Start.Line), "modules/icons/i.img.hcl:14")
	at = p.At(modular, "image.hero", "user")
	same(t, fmt.Sprintf("%s:%d", at.File, at.Start.Line), "a.img.hcl:13")
}

func TestMoved(t *testing.T) {
	t.Parallel()
	inner := `image "x" {
  prompt = "x"
}
image "z" {
  prompt = "z"
}
image "k" {
  for_each = toset(["a", "b"])
  prompt   = each.key
}
moved {
  from = image.older
  to   = image.old
}
moved {
  from = image.old
  to   = image.x
}
`
	p := load(t, files{"m/m.img.hcl": inner, "a.img.hcl": sketch + `module "new" {
  source   = "./m"
  for_each = toset(["i"])
}
image "k" {
  for_each = toset(["a"])
  prompt   = each.key
}
moved {
  from = module.old
  to   = module.new["i"]
}
moved {
  from = image.j
  to   = image.k
}
moved {
  from = image.y
  to   = module.new["i"].image.z
}
moved {
  from = image.single
  to   = image.k["a"]
}
removed {
  from = module.gone
}
removed {
  from = image.away
}
`})
	var got []string
	for _, m := range p.Moved {
		got = append(got, string(m.From+" > "+m.To))
	}
	slices.Sort(got)
	same(t, strings.Join(got, "\n"), `image.j["a"] > image.k["a"]
image.single > image.k["a"]
image.y > module.new["i"].image.z
module.new["i"].image.old > module.new["i"].image.x
module.new["i"].image.older > module.new["i"].image.x
module.old.image.k["a"] > module.new["i"].image.k["a"]
module.old.image.k["b"] > module.new["i"].image.k["b"]
module.old.image.x > module.new["i"].image.x
module.old.image.z > module.new["i"].image.z`)
	same(t, fmt.Sprint(p.Removed), "[{module.gone false} {image.away false}]")
}

// A chain of moves goes on where a module moved later, and ends where an image
// was removed.
func TestMovedChains(t *testing.T) {
	t.Parallel()
	p := load(t, files{"m/m.img.hcl": "image \"b\" {\n  prompt = \"b\"\n}\n", "a.img.hcl": sketch + `module "k" {
  source   = "./m"
  for_each = toset(["x"])
}
moved {
  from = image.a
  to   = module.m.image.b
}
moved {
  from = module.m
  to   = module.k
}
moved {
  from = module.k
  to   = module.k["x"]
}
moved {
  from = image.c
  to   = image.d
}
removed {
  from       = image.d
  keep_files = true
}
import {
  to   = image.a
  path = "a.png"
}
`})
	same(t, fmt.Sprint(p.Imports[0].To), `module.k["x"].image.b`)
	same(t, fmt.Sprint(p.Moved, p.Removed), `[{image.a module.k["x"].image.b} {module.m["x"].image.b module.k["x"].image.b} {module.m.image.b module.k["x"].image.b} {module.k.image.b module.k["x"].image.b}] [{image.c true} {image.d true}]`)
}

// What a few lines ask for is bounded before it is made.
func TestProjectsAreBounded(t *testing.T) {
	t.Parallel()
	presets := sketch + "image \"a\" {\n  prompt = \"a\"\n  preset = preset.p0\n}\npreset \"p1200\" {}\n"
	for i := range 1200 {
		presets += fmt.Sprintf("preset \"p%d\" {\n  preset = preset.p%d\n}\n", i, i+1)
	}
	for name, f := range map[string]files{
		"presets": {"a.img.hcl": presets},
		"dynamic": {"a.img.hcl": sketch + `image "a" {
  prompt = "a"
  dynamic "rendition" {
    for_each = range(1000)
    labels   = ["r${rendition.value}"]
    content {
      dynamic "file" {
        for_each = range(1000)
        content {
          dynamic "file" {
            for_each = range(1000)
            content {}
          }
        }
      }
    }
  }
}
`},
		"images": {"a.img.hcl": sketch + "module \"m\" {\n  source = \"./m\"\n  for_each = toset([for i in range(10) : \"k${i}\"])\n}\n",
			"m/m.img.hcl": "image \"a\" {\n  prompt = each.key\n  for_each = toset([for i in range(1000) : \"k${i}\"])\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, l := Load(f, Options{images: 4500})
			if !slices.ContainsFunc(l, func(f diag.Finding) bool { return f.Code == codeBudget }) {
				t.Errorf("%.500s", lines(l))
			}
		})
	}
}

// Once there are too many images, those of further instances of a module are not
// counted: that took minutes.
func TestImagesAreNotCountedFurther(t *testing.T) {
	t.Parallel()
	work := func(instances int) int {
		ev, l := loadFor(files{
			"a.img.hcl":   sketch + fmt.Sprintf("module \"m\" {\n  source = \"./m\"\n  for_each = toset([for i in range(%d) : \"k${i}\"])\n}\n", instances),
			"m/m.img.hcl": "image \"a\" {\n  prompt = each.key\n  for_each = toset([for i in range(1000) : \"k${i}\"])\n}\n"},
			Options{images: 900}, nil)
		if len(l) != 1 || l[0].Code != codeBudget {
			t.Errorf("%.500s", lines(l))
		}
		return maxTotalSteps + ev.earned - ev.meter.total
	}
	if few, many := work(2), work(200); many > 2*few {
		t.Errorf("%d steps for 2 instances, %d for 200", few, many)
	}
}

// Modules that call the next one twice are 2^30 instances.
func TestModulesAreBounded(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": sketch + call("m", "./m0")}
	for i := range 30 {
		f[fmt.Sprintf("m%d/m.img.hcl", i)] = call("a", fmt.Sprintf("../m%d", i+1)) + call("b", fmt.Sprintf("../m%d", i+1))
	}
	f["m30/m.img.hcl"] = "locals {}\n"
	_, l := Load(f, Options{})
	if len(l) != 1 || l[0].Code != codeBudget {
		t.Errorf("%.500s", lines(l))
	}
}

func call(name, source string) string {
	return fmt.Sprintf("module %q {\n  source = %q\n}\n", name, source)
}

func TestDynamic(t *testing.T) {
	t.Parallel()
	blocks := `
  dynamic "rendition" {
    for_each = { small = 8, large = 80 }
    labels   = [rendition.key]
    content {
      width  = rendition.value
      height = local.height
      format = "jpeg"
    }
  }
  dynamic "rendition" {
    for_each = toset([each.key])
    iterator = it
    labels   = ["r-${it.value}"]
    content {
      path = "${it.key}.jpg"
    }
  }
  dynamic "edit" {
    for_each = each.key == "x" ? ["a.png"] : []
    iterator = e
    content {
      image = e.value
      dynamic "mask" {
        for_each = e.key == 0 ? [e.value] : []
        content {
          file = "${mask.value}-${e.value}.png"
        }
      }
    }
  }
`
	got := load(t, files{"a.img.hcl": sketch + "locals {\n  height = 9\n}\nimage \"a\" {\n  for_each = toset([\"x\", \"y\"])\n  prompt = \"p\"\n" + blocks + "}\n"}).Images
	want := load(t, files{"a.img.hcl": sketch + `image "x" {
  prompt = "p"
  path   = "a/x.png"
  rendition "large" {
    width  = 80
    height = 9
    format = "jpeg"
  }
  rendition "small" {
    width  = 8
    height = 9
    format = "jpeg"
  }
  rendition "r-x" {
    path = "x.jpg"
  }
  edit {
    image = "a.png"
    mask {
      file = "a.png-a.png.png"
    }
  }
}
image "y" {
  prompt = "p"
  path   = "a/y.png"
  rendition "large" {
    width  = 80
    height = 9
    format = "jpeg"
  }
  rendition "small" {
    width  = 8
    height = 9
    format = "jpeg"
  }
  rendition "r-y" {
    path = "y.jpg"
  }
}
`}).Images
	for i, key := range []string{"x", "y"} {
		want[i].Address = spec.Address(instance("image.a", key))
	}
	same(t, got, want)
}

// The value of an instance that is an image, or of one, has the results of that
// image once they are known: in a postcondition, and in what a module is given.
func TestEachOfImages(t *testing.T) {
	t.Parallel()
	p := load(t, files{"a.img.hcl": sketch + `image "base" {
  for_each = toset(["z"])
  prompt   = "base"
}
image "v" {
  for_each = { k = image.base["z"] }
  prompt   = "v"
  postcondition {
    condition     = self.width == each.value.width + 1
    error_message = "it is ${each.value.width}"
  }
}
module "n" {
  source   = "./n"
  for_each = image.base
  pic      = { z = each.value }
}
output "width" {
  value = module.n["z"].width
}
`, "n/n.img.hcl": `variable "pic" {}
output "width" {
  value = var.pic.z.width
}
`})
	for _, width := range []int{5, 7} {
		facts := map[spec.Address]Facts{`image.base["z"]`: {Known: true, Width: width}}
		same(t, len(p.Judge(`image.v["k"]`, Facts{Known: true, Width: width + 1}, facts)), 0)
		if l := p.Judge(`image.v["k"]`, Facts{Known: true, Width: width}, facts); len(l) != 1 || !strings.Contains(l[0].Text, fmt.Sprintf("it is %d", width)) {
			t.Errorf("%s", lines(l))
		}
		got, l := p.Finish(facts)
		same(t, fmt.Sprint(got[0].Text, lines(l)), fmt.Sprint(width))
	}
}

func TestDependsOnModules(t *testing.T) {
	t.Parallel()
	f := files{"m/m.img.hcl": "image \"x\" {\n  prompt = \"x\"\n}\nimage \"y\" {\n  prompt = \"y\"\n}\n", "a.img.hcl": sketch + `module "one" {
  source = "./m"
}
module "many" {
  source   = "./m"
  for_each = toset(["a", "b"])
}
image "i" {
  prompt     = "i"
  depends_on = [module.one, module.many["b"]]
}
image "j" {
  prompt     = "j"
  depends_on = [module.many, image.i]
}
`}
	p := load(t, f)
	same(t, fmt.Sprint(p.Images[0].DependsOn), `[module.many["b"].image.x module.many["b"].image.y module.one.image.x module.one.image.y]`)
	same(t, fmt.Sprint(p.Images[1].DependsOn), `[image.i module.many["a"].image.x module.many["a"].image.y module.many["b"].image.x module.many["b"].image.y]`)

	typo := files{"m/m.img.hcl": f["m/m.img.hcl"], "a.img.hcl": strings.Replace(f["a.img.hcl"], `module.many["b"]`, `module.many["z"]`, 1)}
	_, l := Load(typo, Options{})
	same(t, lines(l), `a.img.hcl:11:16-11:46 IB0315 image.i: there is no module.many["z"] | write a key that the module has, or none for all`)

	f["m/m.img.hcl"] = "variable \"p\" {\n  default = \"p\"\n}\nimage \"x\" {\n  prompt = var.p\n}\n"
	f["a.img.hcl"] = strings.Replace(f["a.img.hcl"], `source = "./m"`, "source = \"./m\"\n  p = image.i.path", 1)
	same(t, len(load(t, f).Images), 5) // a path is known before, so this is no circle
}
