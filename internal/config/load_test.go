package config

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// theLanguage is the example of the language, as far as this version has it.
var theLanguage = files{
	"site.img.hcl": `imgbuild {
  required_version = ">= 0.1"
  default_provider = provider.xai
  output_dir       = "static/img"
  max_cost         = 5.00
  store {
    path = ".images"
    keep = "all"
  }
}

provider "xai" {
  transport   = "rest"
  wire        = "documented"
  parallelism = 4
  rate        = "1/s"
  response    = "b64_json"
  in_doubt    = "ask"
}

provider "xai" {
  alias    = "eu"
  endpoint = "https://eu.example/v1"
}

provider "sketch" {}

variable "season" {
  type    = string
  default = "autumn"
  validation {
    condition     = contains(["spring", "summer", "autumn", "winter"], var.season)
    error_message = "season must be one of the four seasons, got ${var.season}."
  }
}

locals {
  mood = "soft morning light"
}

preset "editorial" {
  before       = "Editorial photograph."
  after        = "Muted palette, ${local.mood}, 35 mm."
  aspect_ratio = "16:9"
  style        = "natural"
}

image "hero" {
  preset = preset.editorial
  model  = "grok-imagine-image"
  prompt = "A serene mountain landscape with a lake in ${var.season}"
  n      = 4
  pick   = 2
  path   = "hero.png"
  alt    = "A lake below snowy mountains"

  rendition "card" {
    width   = 640
    height  = 360
    fit     = "cover"
    format  = "jpeg"
    quality = 80
  }

  responsive {
    widths  = [640, 320]
    formats = ["webp", "jpeg"]
    sizes   = "50vw"
  }
}

image "hero_night" {
  prompt   = "Make it night, keep the shoreline unchanged"
  provider = provider.xai.eu

  edit {
    image = image.hero
    mask {
      file = "masks/sky.png"
      edit = "white"
    }
  }
}

image "post" {
  for_each = { for f in fileset("content/posts", "*.md") : trimsuffix(f, ".md") => frontmatter("content/posts/${f}") }
  preset   = preset.editorial
  prompt   = each.value.image_prompt
  path     = "posts/${each.key}.jpg"
  alt      = each.value.image_alt
}

output "hero" {
  value = image.hero.path
}
`,
	"content/posts/a.md": "---\nimage_prompt: A fox\nimage_alt: Fox\n---\nText\n",
	"content/posts/b.md": "---\nimage_prompt: A bear\nimage_alt: Bear\n---\n",
}

func TestTheLanguage(t *testing.T) {
	t.Parallel()
	p := load(t, theLanguage)
	editorial := func(prompt string) spec.Wanted {
		return spec.Wanted{Provider: "xai", Prompt: "Editorial photograph. " + prompt + " Muted palette, soft morning light, 35 mm.", AspectRatio: "16:9", Style: "natural"}
	}
	hero := editorial("A serene mountain landscape with a lake in autumn")
	hero.Model = "grok-imagine-image"
	set := func(name, format string, width int) spec.Rendition {
		return spec.Rendition{Block: "responsive", Name: name, Path: "static/img/hero-" + strings.Replace(name, "jpeg", "jpg", 1), Width: width, File: spec.Encoding{Format: format}}
	}
	cost := 5 * provider.Dollar
	same(t, p.Images, []spec.Image{
		{Address: "image.hero", Wanted: hero, N: 4, Pick: 2, Path: "static/img/hero.png", Alt: "A lake below snowy mountains", Sizes: "50vw",
			Renditions: []spec.Rendition{{Name: "card", Path: "static/img/hero-card.jpg", Width: 640, Height: 360, Fit: "cover", File: spec.Encoding{Format: "jpeg", Quality: 80}},
				set("320.webp", "webp", 320), set("640.webp", "webp", 640), set("320.jpeg", "jpeg", 320), set("640.jpeg", "jpeg", 640)}},
		{Address: "image.hero_night", N: 1, Path: "static/img/hero_night.png", Wanted: spec.Wanted{Provider: "xai.eu", Prompt: "Make it night, keep the shoreline unchanged",
			Sources: []spec.Source{{Image: "image.hero"}}, Mask: &spec.Mask{File: "masks/sky.png", Edit: "white"}}},
		{Address: `image.post["a"]`, Wanted: editorial("A fox"), N: 1, Path: "static/img/posts/a.jpg", Alt: "Fox"},
		{Address: `image.post["b"]`, Wanted: editorial("A bear"), N: 1, Path: "static/img/posts/b.jpg", Alt: "Bear"},
	})
	same(t, p.Settings, Settings{RequiredVersion: ">= 0.1", OutputDir: "static/img", MaxCost: &cost, Store: &Store{Path: ".images", Keep: "all"}})
	plain := provider.Config{Wire: "current", Transport: "rest", Response: "url", Deferred: true, InDoubt: "hold", Parallelism: 8}
	sketch, eu := plain, plain
	sketch.Type = "sketch"
	eu.Type, eu.Alias, eu.Endpoint = "xai", "eu", "https://eu.example/v1"
	same(t, p.Providers, []provider.Config{sketch,
		{Type: "xai", Wire: "documented", Transport: "rest", Response: "b64_json", InDoubt: "ask", Parallelism: 4, PerMinute: 60}, eu})
	same(t, p.SourceFiles(), []string{"masks/sky.png"})
}

// imageA loads the files and gives image.a.
func imageA(t *testing.T, f files) spec.Image {
	t.Helper()
	return get(t, load(t, f), "image.a")
}

func TestValues(t *testing.T) {
	t.Parallel()
	with := func(blocks, attrs string) files {
		return files{"a.img.hcl": sketch + blocks + "\nimage \"a\" {\n" + attrs + "\n}\n", "t.txt": "Hello ${name}!", "raw.bin": "\x89P\x00\xff", "d.csv": "k,v\na,1\n", "posts/x.md": "---\ntitle: X\n---\n", "posts/y.md": ""}
	}
	prompt := func(e string) files { return with("", "prompt = "+e) }
	for name, c := range map[string]struct {
		files files
		get   func(im spec.Image) any
		want  any
	}{
		"function":      {with("variable \"v\" { default = 2 }\nfunction \"f\" {\n  params = [x]\n  variadic_param = y\n  result = \"${g(x)}${var.v}${join(\"\", y)}\"\n}\nfunction \"g\" {\n  params = [x]\n  result = upper(x)\n}", `prompt = f("a", 3, 4)`), nil, "A234"},
		"in a template": {with("function \"f\" {\n  params = [x]\n  result = \"<${x}>\"\n}", `prompt = templatestring("$${f(n)}", { n = 1 })`), nil, "<1>"},
		"conditional":   {with("variable \"v\" { default = true }", `prompt = var.v ? "yes" : "no"`), nil, "yes"},
		"for":           {prompt(`join(" ", [for i, w in ["a", "b"] : "${i}${w}"])`), nil, "0a 1b"},
		"splat":         {prompt(`join(" ", [{ x = "a" }, { x = "b" }][*].x)`), nil, "a b"},
		"heredoc":       {prompt("<<-EOT\n  two\n    lines\n  EOT"), nil, "two\n  lines\n"},
		"directive":     {prompt(`"%{for w in ["a", "b"]}<${w}>%{endfor}"`), nil, "<a><b>"},
		"escape":        {prompt(`"$${x} %%{y}"`), nil, "${x} %{y}"},
		"NFC":           {prompt("\"e\u0301\""), nil, "\u00e9"},
		"shadowing":     {prompt(`join("", [for image in ["x"] : image])`), nil, "x"},
		"local":         {with("locals {\n  b = \"${local.a}!\"\n  a = \"x\"\n}", "prompt = local.b"), nil, "x!"},
		"templatefile":  {prompt(`templatefile("t.txt", { name = upper("you") })`), nil, "Hello YOU!"},
		"file":          {prompt(`file("./t.txt")`), nil, "Hello ${name}!"},
		"csv":           {prompt(`csvdecode(file("d.csv"))[0].v`), nil, "1"},
		"yaml":          {prompt(`yamldecode("a: [x]").a[0]`), nil, "x"},
		"json":          {prompt(`jsonencode({ a = [1, null] })`), nil, `{"a":[1,null]}`},
		"fileset":       {prompt(`join(" ", fileset("posts", "*.md"))`), nil, "x.md y.md"},
		"fileexists":    {prompt(`"${fileexists("posts/x.md")} ${fileexists("posts/z.md")}"`), nil, "true false"},
		"frontmatter":   {prompt(`frontmatter("posts/x.md").title`), nil, "X"},
		"filesha256":    {prompt(`filesha256("posts/y.md")`), nil, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		"filebase64":    {prompt(`filebase64("raw.bin")`), nil, "iVAA/w=="},
		"sha of bytes":  {prompt(`filesha256("raw.bin")`), nil, "bdbaeb5461965483dc4a6d3f7ac8791caa77df6161646fb377f8df30eaac6359"},
		"data URL":      {with("", "prompt = \"x\"\nedit {\n  image = \"data:image/png;base64,${filebase64(\"raw.bin\")}\"\n}"), func(im spec.Image) any { return im.Wanted.Sources }, []spec.Source{{Data: "data:image/png;base64,iVAA/w=="}}},
		"try":           {prompt(`try(frontmatter("posts/y.md").title, "none")`), nil, "none"},
		"path":          {with(`image "b" { prompt = "x" }`, "prompt = image.b.path"), nil, "b.png"},
		"files":         {with("image \"b\" {\n  prompt = \"x\"\n  rendition \"r\" { format = \"jpeg\" }\n}", `prompt = image.b.files["r"]`), nil, "b-r.jpg"},
		"path of key":   {with("image \"b\" {\n  for_each = toset([\"k\"])\n  prompt = each.key\n}", `prompt = image.b["k"].path`), nil, "b/k.png"},
		"paths of keys": {with("image \"b\" {\n  for_each = { k = 1, l = 2 }\n  prompt = each.key\n}", `prompt = join(" ", [for k, b in image.b : "${k}=${b.path}"])`), nil, "k=b/k.png l=b/l.png"},
		"each other":    {with("image \"b\" {\n  prompt = \"x\"\n  alt = image.a.path\n}", "prompt = image.b.path"), nil, "b.png"},
		"edit of one whose alt uses us": {with("image \"b\" {\n  prompt = \"x\"\n  alt = image.a.path\n}", "prompt = \"x\"\nedit {\n  image = image.b\n}"),
			func(im spec.Image) any { return im.Wanted.Sources }, []spec.Source{{Image: "image.b"}}},
		"chosen image": {with("image \"b\" { prompt = \"x\" }\nimage \"c\" { prompt = \"x\" }\nlocals {\n  i = [image.b, image.c]\n}", "prompt = \"x\"\nedit {\n  image = 1 < 2 ? local.i[1] : image.b\n}"),
			func(im spec.Image) any { return im.Wanted.Sources }, []spec.Source{{Image: "image.c"}}},
		"list of images": {with("image \"b\" {\n  for_each = { k = 1, l = 2 }\n  prompt = each.key\n}", "prompt = \"x\"\nedit {\n  images = concat([for b in image.b : b], [\"./f.png\"])\n}"),
			func(im spec.Image) any { return im.Wanted.Sources }, []spec.Source{{Image: `image.b["k"]`}, {Image: `image.b["l"]`}, {File: "f.png"}}},
		"values() of images": {with("image \"b\" {\n  for_each = { k = 1, l = 2 }\n  prompt = each.key\n}", "prompt = \"x\"\nedit {\n  images = values(image.b)\n}"),
			func(im spec.Image) any { return im.Wanted.Sources }, []spec.Source{{Image: `image.b["k"]`}, {Image: `image.b["l"]`}}},
		"chosen provider": {with("provider \"xai\" {}\nprovider \"xai\" { alias = \"eu\" }", "prompt = \"x\"\nprovider = true ? provider.xai.eu : provider.sketch"),
			func(im spec.Image) any { return im.Wanted.Provider }, "xai.eu"},
		"chosen preset": {with("preset \"p\" { style = \"s\" }\nlocals {\n  p = { x = preset.p }\n}", "prompt = \"x\"\npreset = local.p.x"),
			func(im spec.Image) any { return im.Wanted.Style }, "s"},
		"default provider": {with("provider \"xai\" {}\nimgbuild { default_provider = provider.xai }", `prompt = "x"`),
			func(im spec.Image) any { return im.Wanted.Provider }, "xai"},
		"preset is weaker": {with("preset \"p\" {\n  n = 3\n  style = \"s\"\n  model = \"m\"\n  aspect_ratio = \"1:1\"\n  share = true\n  provider = provider.sketch\n}", "prompt = \"x\"\npreset = preset.p\nstyle = \"mine\"\nmodel = null\nsize = \"1x1\""),
			func(im spec.Image) any { return im }, spec.Image{Address: "image.a", N: 3, Share: true, Path: "a.png", Wanted: spec.Wanted{Provider: "sketch", Prompt: "x", Style: "mine", Model: "m", Size: "1x1"}}},
		"prompt of the preset": {with(`preset "p" { prompt = "words" }`, `preset = preset.p`), nil, "words"},
		"path of the preset":   {with(`preset "p" { path = "p/x.jpg" }`, "prompt = \"x\"\npreset = preset.p"), func(im spec.Image) any { return im.Path }, "p/x.jpg"},
		"reroll":               {with("", "prompt = \"x\"\nreroll = 2"), func(im spec.Image) any { return im.Wanted.Reroll }, "2"},
		"rendition paths": {with(`imgbuild { output_dir = "./out" }`, "prompt = \"x\"\npath = \"./p/a.jpg\"\nrendition \"r\" {}\nrendition \"s\" { format = \"png\" }\nrendition \"t\" { path = \"./t.png\" }"),
			func(im spec.Image) any {
				return []string{im.Path, im.Renditions[0].Path, im.Renditions[1].Path, im.Renditions[2].Path}
			}, []string{"out/p/a.jpg", "out/p/a-r.jpg", "out/p/a-s.png", "out/t.png"}},
		"mask by default": {with("", "prompt = \"x\"\nedit {\n  image = \"x.png\"\n  mask { file = \"./m.png\" }\n}"),
			func(im spec.Image) any { return *im.Wanted.Mask }, spec.Mask{File: "m.png", Edit: "transparent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.get == nil {
				c.get = func(im spec.Image) any { return im.Wanted.Prompt }
			}
			same(t, c.get(imageA(t, c.files)), c.want)
		})
	}
}

func TestInstances(t *testing.T) {
	t.Parallel()
	p := load(t, files{"a.img.hcl": sketch + `image "card" {
  for_each = { "a b/c\"d" = 1, "..x" = 2, "$${y}" = 3, "" = 4, "ü" = 5 }
  prompt   = "number ${each.value}"
  path     = each.key == "ü" ? "u.jpg" : null
}
image "card2" {
  prompt = "x"
}
image "none" {
  for_each = {}
  prompt   = each.key
}
`})
	var got []string
	for _, im := range p.Images {
		got = append(got, string(im.Address)+" "+im.Path+" "+im.Wanted.Prompt)
	}
	same(t, got, []string{
		`image.card2 card2.png x`,
		`image.card[""] card/-.png number 4`,
		`image.card["$${y}"] card/---y-.png number 3`,
		`image.card["..x"] card/x.png number 2`,
		`image.card["a b/c\"d"] card/a-b-c--d.png number 1`,
		`image.card["ü"] u.jpg number 5`,
	})
}

// A literal takes another way through the code than what needs evaluation.
func TestBothWaysAgree(t *testing.T) {
	t.Parallel()
	fast := literalImages(150)
	fast["more.img.hcl"] = `preset "p" {
  style = "s"
}
image "edited" {
  prompt = "x"
  preset = preset.p
  provider = provider.sketch
  n = 3
  decorative = true
  edit {
    images = [image.picture_000001, "x.png"]
    mask {
      file = "m.png"
    }
  }
  rendition "r" {
    width = 5
  }
  file {
    quality = 5
  }
}
`
	slow := files{}
	for name, src := range fast {
		slow[name] = strings.ReplaceAll(src, `  prompt = "`, `  share = !true
  prompt = "`)
	}
	a, b := load(t, fast), load(t, slow)
	same(t, b.Images, a.Images)
	for i := range a.Images {
		if a.Images[i].Address == "image.edited" {
			return
		}
	}
	t.Error("image.edited is missing")
}

func TestOrderOfFilesChangesNothing(t *testing.T) {
	t.Parallel()
	blocks := []string{sketch, `locals {
  a = "x"
}
`, `preset "p" {
  style = local.a
}
`, `image "b" {
  prompt = image.c.path
  preset = preset.p
}
`, `image "c" {
  for_each = toset(["k"])
  prompt = "x"
}
`, `image "a" {
  prompt = "x"
  edit {
    image = image.c["k"]
  }
}
`, `image "z" {
  prompt = "y"
}
`, `output "o" {
  value = image.b.path
}
`, "variable \"v\" {\n  default = 1\n}\n"}
	blocks[3] = strings.Replace(blocks[3], "image.c.path", `image.c["k"].path`, 1)
	var want *Project
	for round := range 20 {
		f := files{}
		for i, j := range rand.New(rand.NewPCG(1, uint64(round))).Perm(len(blocks)) {
			f[fmt.Sprintf("%d.img.hcl", i/2)] += blocks[j]
		}
		p := load(t, f)
		if want == nil {
			want = p
		}
		same(t, p.Images, want.Images)
		same(t, p.Providers, want.Providers)
		values, _ := p.Finish(nil)
		first, _ := want.Finish(nil)
		same(t, values, first)
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	src := func(decl string) files {
		return files{"a.img.hcl": sketch + "variable \"v\" {\n" + decl + "\n}\nimage \"a\" {\n  prompt = jsonencode(var.v)\n}\n",
			"imgbuild.imgvars": `v = "file"`, "b.auto.imgvars": `v = "b"`, "a.auto.imgvars": `v = "a"`, "x.imgvars": `v = "x"`, "y.imgvars": `v = ["y"]`}
	}
	without := func(f files, names ...string) files {
		for _, n := range names {
			delete(f, n)
		}
		return f
	}
	all := []string{"a.auto.imgvars", "b.auto.imgvars", "imgbuild.imgvars"}
	env := func(name string) string { return map[string]string{"IMGBUILD_VAR_v": "env"}[name] }
	for name, c := range map[string]struct {
		files files
		opt   Options
		want  string
	}{
		"default":                      {without(src(`default = "d"`), all...), Options{}, `"d"`},
		"environment":                  {without(src(`default = "d"`), all...), Options{Env: env}, `"env"`},
		"imgbuild.imgvars":             {without(src(`default = "d"`), all[:2]...), Options{Env: env}, `"file"`},
		"auto files":                   {src(`default = "d"`), Options{Env: env}, `"b"`},
		"command line":                 {src(`default = "d"`), Options{Vars: []Var{{File: "x.imgvars"}}}, `"x"`},
		"the later one":                {src(`default = "d"`), Options{Vars: []Var{{File: "x.imgvars"}, {Name: "v", Value: "1"}}}, `"1"`},
		"the later file":               {src(`default = "d"`), Options{Vars: []Var{{Name: "v", Value: "1"}, {File: "x.imgvars"}}}, `"x"`},
		"string is literal":            {src(`type = string`), Options{Vars: []Var{{Name: "v", Value: `["a"]`}}}, `"[\"a\"]"`},
		"number":                       {without(src(`type = number`), all...), Options{Vars: []Var{{Name: "v", Value: `5`}}}, `5`},
		"bool":                         {without(src(`type = bool`), all...), Options{Vars: []Var{{Name: "v", Value: `true`}}}, `true`},
		"list is an expression":        {without(src(`type = list(string)`), all...), Options{Vars: []Var{{Name: "v", Value: `["a,b", upper("c")]`}}}, `["a,b","C"]`},
		"any is an expression":         {without(src(`type = any`), all...), Options{Vars: []Var{{Name: "v", Value: `{ a = 1 }`}}}, `{"a":1}`},
		"list from a file":             {without(src(`type = list(string)`), all...), Options{Vars: []Var{{File: "y.imgvars"}}}, `["y"]`},
		"optional":                     {without(src("type = object({ a = optional(number, 3), b = optional(string) })\n default = {}"), all...), Options{}, `{"a":3,"b":null}`},
		"null":                         {without(src("default = null"), all...), Options{}, `null`},
		"converted":                    {without(src("type = string\n default = 5"), all...), Options{}, `"5"`},
		"validated":                    {without(src("default = 5\n validation {\n condition = var.v > local.min\n error_message = \"no\"\n }\n}\nlocals {\n min = 1"), all...), Options{}, `5`},
		"nothing from the environment": {without(src(`default = "d"`), all...), Options{Env: func(string) string { return "" }}, `"d"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, l := Load(c.files, c.opt)
			if len(l) > 0 {
				t.Fatal(lines(l))
			}
			same(t, get(t, p, "image.a").Wanted.Prompt, c.want)
		})
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	p := load(t, files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  rendition "r" {}
}
image "k" {
  for_each = toset(["x", "y"])
  prompt   = each.key
}
locals {
  bytes = image.a.bytes
}
output "whole" {
  value = image.a
}
output "text" {
  description = "a sentence"
  value       = "${image.a.width}x${image.a.height} ${image.a.files["r"]} ${local.bytes}"
}
output "all" {
  value = { for k, i in image.k : k => i.sha256 }
}
output "images" {
  value = image.k
}
output "one" {
  value = image.k["x"].mime
}
output "plain" {
  value = [1, "a\nb", null, true, { "a b" = 1.5 }]
}
`})
	text := func(v []OutputValue) (out []string) {
		for _, o := range v {
			out = append(out, o.Name+" "+o.Description+" "+string(o.JSON)+" "+o.Text)
		}
		return out
	}
	before, l := p.Finish(nil)
	same(t, lines(l), "")
	image := func(address, path, files string) string {
		return fmt.Sprintf(`{address = "%s", alt = "", bytes = (known after apply), files = %s, height = (known after apply), mime = (known after apply), model = (known after apply), path = "%s", revised_prompt = (known after apply), sha256 = (known after apply), width = (known after apply)}`, address, files, path)
	}
	same(t, text(before), []string{
		`all   {x = (known after apply), y = (known after apply)}`,
		`images   {x = ` + image(`image.k[\"x\"]`, "k/x.png", "{}") + `, y = ` + image(`image.k[\"y\"]`, "k/y.png", "{}") + `}`,
		`one   (known after apply)`,
		`plain  [1,"a\nb",null,true,{"a b":1.5}] [1, "a\nb", null, true, {"a b" = 1.5}]`,
		`text a sentence  (known after apply)`,
		`whole   ` + image("image.a", "a.png", `{r = "a-r.png"}`),
	})
	facts := map[spec.Address]Facts{
		"image.a":      {Known: true, Path: "a.png", Files: map[string]string{"r": "a-r.png"}, SHA256: "00ff", MIME: "image/png", Model: "m", Width: 3, Height: 2, Bytes: 99},
		`image.k["x"]`: {Known: true, Path: "k/x.png", SHA256: "01", MIME: "image/jpeg"},
	}
	for range 2 { // it may be asked again
		after, l := p.Finish(facts)
		same(t, lines(l), "")
		got := text(after)
		same(t, []string{got[0], got[2], got[4], got[5]}, []string{
			`all   {x = "01", y = (known after apply)}`,
			`one  "image/jpeg" "image/jpeg"`,
			`text a sentence "3x2 a-r.png 99" "3x2 a-r.png 99"`,
			`whole  {"address":"image.a","alt":"","bytes":99,"files":{"r":"a-r.png"},"height":2,"mime":"image/png","model":"m","path":"a.png","revised_prompt":"","sha256":"00ff","width":3} ` +
				`{address = "image.a", alt = "", bytes = 99, files = {r = "a-r.png"}, height = 2, mime = "image/png", model = "m", path = "a.png", revised_prompt = "", sha256 = "00ff", width = 3}`,
		})
	}
	again, _ := p.Finish(nil)
	same(t, again, before)
}

func TestAt(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": sketch + `preset "p" {
  style = "s"
}
`, "b.img.hcl": `image "x" {
  prompt = "x"
}
image "a" {
  preset = preset.p
  prompt = "ü"
  path   = "y.png"
  edit {
    images = ["i.png"]
    mask {
      file = "m.png"
    }
  }
  rendition "r" {
    width = 1
  }
  rendition "s" {
    width = 22
  }
  file {
    quality = 5
  }
}
`}
	p := load(t, f)
	decoded, err := Decode(p.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"prompt": "b.img.hcl:6:12-6:15", "path": "b.img.hcl:7:12-7:19", "edit": "b.img.hcl:8:3-8:7", "edit.image": "b.img.hcl:9:14-9:23",
		"edit.mask": "b.img.hcl:10:5-10:9", "edit.mask.file": "b.img.hcl:11:14-11:21", "rendition.s.width": "b.img.hcl:18:13-18:15",
		"rendition.s": "b.img.hcl:17:3-17:16", "rendition.s.height": "b.img.hcl:17:3-17:16", "file.quality": "b.img.hcl:21:15-21:16", "style": "a.img.hcl:3:11-3:14", "model": "b.img.hcl:4:1-4:10", "": "b.img.hcl:4:1-4:10",
	} {
		for _, p := range []*Project{p, decoded} {
			r := p.At(f, "image.a", field)
			if r == nil {
				t.Errorf("%q has no place", field)
				continue
			}
			if got := fmt.Sprintf("%s:%d:%d-%d:%d", r.File, r.Start.Line, r.Start.Column, r.End.Line, r.End.Column); got != want {
				t.Errorf("%q is at %s, want %s", field, got, want)
			}
		}
	}
	if r := p.At(f, "image.none", "path"); r != nil {
		t.Error("an image that is not there has a place")
	}
	if r := p.At(files{}, "image.a", "path"); r == nil || r.File != "b.img.hcl" || r.Start.Line != 4 {
		t.Errorf("without the file: %+v", r)
	}
	if r := p.At(files{"b.img.hcl": "("}, "image.a", "path"); r == nil || r.Start.Line != 4 {
		t.Errorf("with another file: %+v", r)
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	start := func() files {
		return files{"a.img.hcl": sketch + "variable \"v\" {\n  default = \"d\"\n}\nimage \"a\" {\n  prompt = \"${file(\"t.txt\")} ${join(\" \", fileset(\"posts\", \"*.md\"))} ${fileexists(\"later\")} ${var.v}\"\n}\n",
			"t.txt": "text", "posts/x.md": "", "x.auto.imgvars": `v = "x"`, "other": ""}
	}
	opt := Options{Env: func(string) string { return "" }}
	for name, c := range map[string]struct {
		change func(f files, opt *Options)
		fresh  bool
	}{
		"nothing":            {func(files, *Options) {}, true},
		"another file":       {func(f files, _ *Options) { f["other"], f["more"] = "x", "y" }, true},
		"content of a post":  {func(f files, _ *Options) { f["posts/x.md"] = "x" }, true},
		"configuration":      {func(f files, _ *Options) { f["a.img.hcl"] += "\n" }, false},
		"new configuration":  {func(f files, _ *Options) { f["b.img.hcl"] = "" }, false},
		"new values":         {func(f files, _ *Options) { f["imgbuild.imgvars"] = "" }, false},
		"values":             {func(f files, _ *Options) { f["x.auto.imgvars"] = `v = "y"` }, false},
		"file of a function": {func(f files, _ *Options) { f["t.txt"] = "other" }, false},
		"it is gone":         {func(f files, _ *Options) { delete(f, "t.txt") }, false},
		"a new post":         {func(f files, _ *Options) { f["posts/y.md"] = "" }, false},
		"it exists now":      {func(f files, _ *Options) { f["later"] = "" }, false},
		"-var":               {func(_ files, o *Options) { o.Vars = []Var{{Name: "v", Value: "x"}} }, false},
		"environment":        {func(_ files, o *Options) { o.Env = func(string) string { return "x" } }, false},
		"version":            {func(_ files, o *Options) { o.Version = "2" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, opt := start(), opt
			p, l := Load(f, opt)
			if len(l) > 0 {
				t.Fatal(lines(l))
			}
			c.change(f, &opt)
			hash := func(path string) (digest.Content, error) {
				b, err := f.Read(path, 1<<30)
				return digest.OfContent(b), err
			}
			if got := Fresh(f, hash, opt, p.Inputs()); got != c.fresh {
				t.Errorf("fresh: %v", got)
			}
		})
	}
	if Fresh(files{}, nil, Options{}, nil) {
		t.Error("a project without inputs is fresh")
	}
}

func TestMissingFileIsAnInput(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": sketch + "image \"a\" {\n  prompt = try(file(\"t.txt\"), \"none\")\n}\n"}
	p := load(t, f)
	hash := func(path string) (digest.Content, error) {
		b, err := f.Read(path, 1<<30)
		return digest.OfContent(b), err
	}
	if !Fresh(f, hash, Options{}, p.Inputs()) {
		t.Error("it is not fresh")
	}
	f["t.txt"] = "now"
	if Fresh(f, hash, Options{}, p.Inputs()) {
		t.Error("it is fresh, though the file exists now")
	}
}

type broken struct{ files }

func (broken) ReadDir(string) ([]string, error) { return nil, fs.ErrPermission }

func TestUnreadable(t *testing.T) {
	t.Parallel()
	_, l := Load(broken{}, Options{})
	same(t, lines(l), ":0:0-0:0 IB0110 the root of the project: permission denied")
	_, l = Load(unreadable{files{"a.img.hcl": sketch}}, Options{})
	same(t, lines(l), "a.img.hcl:0:0-0:0 IB0110 file a.img.hcl: permission denied")
}

type unreadable struct{ files }

func (unreadable) Read(string, int64) ([]byte, error) { return nil, fs.ErrPermission }

func TestTotalSize(t *testing.T) {
	t.Parallel()
	f := files{}
	for i := range 9 {
		f[fmt.Sprintf("%d.img.hcl", i)] = strings.Repeat(" ", 1000)
	}
	_, l := Load(f, Options{total: 9000})
	same(t, lines(l), "")
	_, l = Load(f, Options{total: 8999})
	same(t, lines(l), "0.img.hcl:0:0-0:0 IB0102 the configuration: all files together are larger than 64 MiB | write repeated blocks as one with for_each")
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"image \"a\" {\nprompt=\"x\"\n  aspect_ratio = \"1:1\" # c\n}\n", "image \"a\" {\n  prompt       = \"x\"\n  aspect_ratio = \"1:1\" # c\n}\n"},
		{"\ufeffa=1\n", "a = 1\n"},
		{"", ""},
	} {
		got, l := Format("a.img.hcl", []byte(c.in))
		same(t, lines(l), "")
		same(t, string(got), c.want)
	}
	in := []byte("a = [\n")
	got, l := Format("a.img.hcl", in)
	if string(got) != string(in) || len(l) != 1 || l[0].Code != codeSyntax {
		t.Errorf("%q %s", got, lines(l))
	}
}
