package config

import (
	"strings"
	"testing"
)

const sketch = "provider \"sketch\" {}\n"

type findingCase struct {
	name  string
	files files
	opt   Options
	want  string
}

var findingCases = []findingCase{
	// syntax
	{name: "unclosed string", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x
}
image "b" {
  prompt = "y"
}
`}, want: `
a.img.hcl:3:14-4:1 IB0101 syntax: a text in quotes must end on its line | close it with ", or write several lines between <<EOT and EOT
`},
	{name: "unclosed block", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
`}, want: `
a.img.hcl:2:11-2:12 IB0101 syntax: this block has no closing brace | add } where it ends, or where a block inside it ends
`},
	{name: "a torn file hides declarations", files: files{"a.img.hcl": `provider "sketch" {
image "a" {`, "b.img.hcl": `image "b" {
  prompt = "x"
  preset = preset.p
}
`}, want: `
a.img.hcl:2:11-2:12 IB0101 syntax: this block has no closing brace | add } where it ends, or where a block inside it ends
`},
	{name: "reading what is not enabled", files: files{"m/m.img.hcl": `variable "p" {
}
image "x" {
  prompt = "see ${var.p}"
}
`, "a.img.hcl": sketch + `variable "on" {
  default = false
}
image "off" {
  prompt  = "x"
  enabled = var.on
}
image "half" {
  for_each = toset(["a", "b"])
  prompt   = "x"
  enabled  = each.key == "a"
}
image "a" {
  prompt = "see ${image.off.path}"
}
image "b" {
  prompt = image.half["b"].alt == "x" ? "a" : "b"
}
image "c" {
  for_each = toset(["a", "b"])
  prompt   = "see ${image.half[each.key].path}"
}
locals {
  path = image.off.path
}
image "d" {
  prompt = "see ${local.path}"
}
module "m" {
  source = "./m"
  p      = image.off.path
}
`}, want: `
a.img.hcl:15:12-15:35 IB0317 image.a: image.off is not enabled | ask first, as in var.on ? image.off.path : null, or try(image.off.path, null)
a.img.hcl:18:12-18:50 IB0317 image.b: image.half["b"] is not enabled | ask first, as in var.on ? image.half["b"].path : null, or try(image.half["b"].path, null)
a.img.hcl:22:14-22:48 IB0317 image.c["b"]: image.half["b"] is not enabled | ask first, as in var.on ? image.half["b"].path : null, or try(image.half["b"].path, null)
a.img.hcl:28:12-28:31 IB0317 image.d: image.off is not enabled | ask first, as in var.on ? image.off.path : null, or try(image.off.path, null)
m/m.img.hcl:4:12-4:26 IB0317 module.m.image.x: image.off is not enabled | ask first, as in var.on ? image.off.path : null, or try(image.off.path, null)
`},
	{name: "not reading what is not enabled", files: files{"a.img.hcl": sketch + `variable "on" {
  default = false
}
image "off" {
  prompt  = "x"
  enabled = var.on
}
image "too" {
  prompt  = "see ${image.off.path}"
  enabled = var.on
  edit {
    image = image.off
  }
}
image "half" {
  for_each = toset(["a", "b"])
  prompt   = "x"
  enabled  = each.key == "a"
}
image "half_too" {
  for_each = toset(["a", "b"])
  prompt   = "see ${image.half[each.key].path}"
  enabled  = each.key == "a"
  edit {
    image = image.half[each.key]
  }
}
image "each" {
  for_each = image.half
  prompt   = "see ${each.value.path}"
  edit {
    image = each.value
  }
}
image "asks" {
  prompt = "see ${var.on ? image.off.path : ""}, ${!var.on ? "" : local.path}, ${try(image.off.path, "x")}, ${can(image.half["b"].path)}, ${join(",", [for i in image.half : i.path])}, ${length(image.half)}"
}
locals {
  path = image.off.path
}
image "first" {
  enabled = image.second.path == "second.png"
  prompt  = "x"
}
image "second" {
  prompt = "see ${image.first.path}"
}
`}},
	{name: "a prompt of spaces", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = " \t"
}
`}, want: `
a.img.hcl:3:12-3:17 IB0205 image.a: prompt is empty | say what the picture shows
`},
	{name: "values that lose", files: files{"a.img.hcl": `variable "n" {
  type     = number
  nullable = false
}
variable "l" {
  type = list(number)
}
`, "x.auto.imgvars": "n = \"many\"\nl = 3\n", "y.auto.imgvars": "n = null\nl = [\"x\"]\n"}, opt: Options{Vars: []Var{{Name: "n", Value: "1"}, {Name: "l", Value: "[1]"}}, Env: func(string) string { return "x" }}},
	{name: "the value that wins", files: files{"a.img.hcl": `variable "n" {
  type = number
}
`, "x.auto.imgvars": "n = 1\n", "y.auto.imgvars": "n = \"many\"\n"}, want: `
y.auto.imgvars:1:5-1:11 IB0314 var.n: y.auto.imgvars does not fit its type: it must be a number {var.n is "many"}
`},
	{name: "files of values that are too large", files: files{"a.img.hcl": "locals {}\n", "x.auto.imgvars": strings.Repeat(" ", maxFile+1)}, want: `
x.auto.imgvars:0:0-0:0 IB0110 a file of values: "x.auto.imgvars" is larger than 8 MiB | mend it, or give it another name: each *.auto.imgvars is read
`},
	{name: "functions that nobody calls", files: files{"a.img.hcl": `function "a" {
  params = [x]
  result = b(x)
}
function "b" {
  params = [x]
  result = [c(1), a(x)]
}
function "c" {
  params = [x]
  result = x
}
function "d" {
  params = [x]
  result = x ? d(false) : c(1)
}
`}, want: `
a.img.hcl:5:1-5:13 IB0307 function.a: refers to itself by way of function.b | no function can call itself: go over a list with [for x in … : …] <a.img.hcl:1:1 function.b uses function.a>
a.img.hcl:13:1-13:13 IB0307 function.d: refers to itself | no function can call itself: go over a list with [for x in … : …]
`},
	{name: "attribute twice", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  prompt = "y"
}
`}, want: `
a.img.hcl:4:3-4:9 IB0206 attribute: prompt is set twice | keep one of them <a.img.hcl:3:3 the first one>
`},
	{name: "NUL", files: files{"a.img.hcl": "a\n b\x00"}, want: `
a.img.hcl:2:3-2:4 IB0103 file a.img.hcl: contains a NUL byte | save the file as UTF-8 text
`},
	{name: "UTF-8", files: files{"a.img.hcl": "ä\xff"}, want: `
a.img.hcl:1:2-1:3 IB0104 file a.img.hcl: is not valid UTF-8 | save the file as UTF-8 text
`},
	{name: "unknown block", files: files{"a.img.hcl": `imgae "a" {}
`}, want: `
a.img.hcl:1:1-1:6 IB0201 imgae: there is no such block | did you mean "image"?
`},
	{name: "attribute at top", files: files{"a.img.hcl": `a = 1
`}, want: `
a.img.hcl:1:1-1:2 IB0202 a: there are no attributes outside blocks | put it into a block; values for variables stand in *.imgvars files
`},
	{name: "no label", files: files{"a.img.hcl": `image {}
`}, want: `
a.img.hcl:1:1-1:6 IB0207 image: the block takes one label | write image "NAME" { … }
`},
	{name: "two labels", files: files{"a.img.hcl": `image "a" "b" {}
`}, want: `
a.img.hcl:1:11-1:14 IB0207 image: the block takes one label | remove it
`},
	{name: "bad name", files: files{"a.img.hcl": `image "a b" {}
`}, want: `
a.img.hcl:1:7-1:12 IB0207 image: "a b" can't be a name | use letters, digits, - and _, and begin with a letter
`},
	{name: "unknown attribute", files: files{"a.img.hcl": sketch + `image "a" {
  promt = "x"
  prompt = "x"
}
`}, want: `
a.img.hcl:3:3-3:8 IB0202 image.a: there is no attribute "promt" here | did you mean "prompt"?
`},
	{name: "later attribute", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  seed = 3
}
`}, want: `
a.img.hcl:4:3-4:7 IB0203 image.a: seed is not supported by this version | remove it for now
`},
	{name: "count", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  count = 3
}
`}, want: `
a.img.hcl:4:3-4:8 IB0210 image.a: there is no count, because a shifted index would buy images again | use for_each with a map or a set: its keys name the images
`},
	{name: "manifests", files: files{"a.img.hcl": sketch + `imgbuild {
  manifest {
    path = "a.json"
  }
  manifest "hogo" {
    path = "a.json"
  }
  manifest "json" {}
  manifest "json" {
    path = "../a.json"
  }
  manifest "json" {
    path = "imgbuild.lock.json"
  }
  manifest "ts" {
    path = "a.json"
  }
  manifest "hugo" {
    path = "site/a.json"
  }
  manifest "json" {
    path = "b.json"
  }
  manifest "astro" {
    path = "B.json"
  }
  manifest "json" {
    path = "a.png/c.json"
  }
  manifest "json" {
    path = "out.json"
    name = "x"
  }
}
image "a" {
  prompt = "x"
  rendition "b" {
    path   = "out.json/b.png"
    width  = 3
    format = "png"
  }
}
`}, want: `
a.img.hcl:3:3-3:11 IB0207 imgbuild: manifest: a manifest takes one kind: json, hugo, eleventy, astro, ts, jekyll | write manifest "json" { … }
a.img.hcl:6:12-6:18 IB0207 imgbuild: manifest: a manifest takes one kind: json, hugo, eleventy, astro, ts, jekyll | did you mean "hugo"?
a.img.hcl:9:3-9:18 IB0205 imgbuild: manifest: path is required | add path = …
a.img.hcl:11:12-11:23 IB0404 imgbuild: manifest: the path "../a.json" leaves the root of the project | keep it inside the folder of the configuration
a.img.hcl:14:12-14:32 IB0404 imgbuild: manifest: the path "imgbuild.lock.json" is a file of imgbuild itself | choose another name
a.img.hcl:17:12-17:20 IB0404 imgbuild: manifest: the path "a.json" does not end in .ts | write "a.ts"
a.img.hcl:20:12-20:25 IB0404 imgbuild: manifest: hugo reads its data in a folder data, and the path "site/a.json" is in none | write "data/a.json", with the folder of the site before it; manifest "json" may lie anywhere
a.img.hcl:26:12-26:20 IB0405 imgbuild: manifest: two manifests would be the file "B.json" | give one of them another path <a.img.hcl:23:12 the first one>
a.img.hcl:29:12-29:26 IB0405 imgbuild: manifest: it writes "a.png/c.json", and image.a writes "a.png" | give one of them another path
a.img.hcl:32:12-32:22 IB0405 imgbuild: manifest: it writes "out.json", and image.a (rendition b) writes "out.json/b.png" | give one of them another path
a.img.hcl:33:5-33:9 IB0202 imgbuild: manifest: there is no attribute "name" here | there is only "path"
`},
	{name: "one manifest below another, or in the store", files: files{"a.img.hcl": sketch + `imgbuild {
  manifest "json" {
    path = "a.json/b.json"
  }
  manifest "json" {
    path = "A.json"
  }
  manifest "json" {
    path = ".images/b.json"
  }
  store {
    path = ".images"
  }
}
`}, want: `
a.img.hcl:7:12-7:20 IB0405 imgbuild: manifest: of the manifests "a.json/b.json" and "A.json" one would be a folder of the other | give one of them another path <a.img.hcl:4:12 the first one>
a.img.hcl:10:12-10:28 IB0405 imgbuild: manifest: it writes ".images/b.json", and the store is ".images" | give one of them another path
`},
	{name: "out of output_dir", files: files{"a.img.hcl": sketch + `imgbuild {
  output_dir = "assets/img"
}
image "a" {
  prompt = "x"
  path   = "../a.png"
  icon {
    path = "../../static/favicon"
  }
  responsive {
    widths  = [1, 2]
    formats = ["webp", "jpeg"]
    path    = "../b"
  }
  rendition "180" {}
  atl = "x"
}
`}, want: `
a.img.hcl:7:12-7:22 IB0404 image.a: the path "../a.png" leaves output_dir, which is "assets/img" | keep it inside; or write output_dir = "." and whole paths
a.img.hcl:9:12-9:34 IB0404 image.a: icon: the path "../../static/favicon.ico" leaves output_dir, which is "assets/img" | keep it inside; or write output_dir = "." and whole paths
a.img.hcl:14:15-14:21 IB0404 image.a: responsive: the path "../b-1.webp" leaves output_dir, which is "assets/img" | keep it inside; or write output_dir = "." and whole paths
a.img.hcl:16:3-16:18 IB0207 image.a: a rendition takes one name | write rendition "NAME" { … } with letters, digits, - and _, a letter first
a.img.hcl:17:3-17:6 IB0202 image.a: there is no attribute "atl" here | did you mean "alt"?
`},
	{name: "block as attribute", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  edit = 3
}
`}, want: `
a.img.hcl:4:3-4:7 IB0202 image.a: edit is a block, not an attribute | write edit { … }
`},
	{name: "attribute as block", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  path {}
}
`}, want: `
a.img.hcl:4:3-4:7 IB0201 image.a: path is an attribute, not a block | write path = …
`},
	{name: "no prompt", files: files{"a.img.hcl": sketch + `image "a" {
}
`}, want: `
a.img.hcl:2:1-2:10 IB0205 image.a: prompt is required | add prompt = …
`},
	{name: "wrong types", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  model = 5
  quality = 80
  n = "4"
  share = 1
  preset = "p"
  style = ["a", 1]
}
`}, want: `
a.img.hcl:4:11-4:12 IB0204 image.a: model must be a string, and 5 is a number | write it with quotes, or convert it with tostring()
a.img.hcl:5:13-5:15 IB0204 image.a: quality must be a string, and 80 is a number | the quality of the model is a word such as "low"; that of the file is a number in file { quality = … }
a.img.hcl:6:7-6:10 IB0204 image.a: n must be a number, and "4" is a string | write it without quotes, or convert it with tonumber()
a.img.hcl:7:11-7:12 IB0204 image.a: share must be true or false, and 1 is a number
a.img.hcl:8:12-8:15 IB0204 image.a: preset must be a preset, and "p" is a string | write preset = preset.NAME
a.img.hcl:9:11-9:19 IB0204 image.a: style must be a string, and ["a", 1] is a list | join(", ", …) makes one text of a list
`},
	{name: "ranges", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  n = 11
}
image "b" {
  prompt = "x"
  n = 2
  pick = 3
}
image "c" {
  prompt = "x"
  n = 1.5
}
`}, want: `
a.img.hcl:4:7-4:9 IB0403 image.a: n must be from 1 to 10, and is 11
a.img.hcl:9:10-9:11 IB0403 image.b: pick is 3, and n is 2 | pick from 1 to 2, or raise n
a.img.hcl:13:7-13:10 IB0204 image.c: n must be a whole number, and 1.5 is a number
`},
	{name: "duplicates", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
}
`, "b.img.hcl": sketch + `image "a" {
  prompt = "x"
}
locals {
  a = 1
}
locals {
  a = 2
}
variable "v" {
  default = 1
}
variable "v" {
  default = 1
}
preset "p" {}
preset "p" {}
output "o" {
  value = 1
}
output "o" {
  value = 1
}
imgbuild {}
imgbuild {}
`}, want: `
b.img.hcl:1:1-1:18 IB0206 provider.sketch: is declared twice | rename one of them <a.img.hcl:1:1 the first one>
b.img.hcl:2:1-2:10 IB0206 image.a: is declared twice | rename one of them <a.img.hcl:2:1 the first one>
b.img.hcl:9:3-9:4 IB0206 local.a: is declared twice | rename one of them <b.img.hcl:6:3 the first one>
b.img.hcl:14:1-14:13 IB0206 var.v: is declared twice | rename one of them <b.img.hcl:11:1 the first one>
b.img.hcl:18:1-18:11 IB0206 preset.p: is declared twice | rename one of them <b.img.hcl:17:1 the first one>
b.img.hcl:22:1-22:11 IB0206 output.o: is declared twice | rename one of them <b.img.hcl:19:1 the first one>
b.img.hcl:26:1-26:9 IB0206 imgbuild: is declared twice | rename one of them <b.img.hcl:25:1 the first one>
`},
	{name: "rendition", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  rendition {}
  rendition "r" {
    fit = "covr"
    format = "jpg"
    quality = 0
  }
  rendition "r" {}
}
`}, want: `
a.img.hcl:4:3-4:12 IB0207 image.a: a rendition takes one name | write rendition "NAME" { … } with letters, digits, - and _, a letter first
a.img.hcl:6:11-6:17 IB0208 image.a: rendition r: fit can't be "covr" | did you mean "cover"?
a.img.hcl:7:14-7:19 IB0208 image.a: rendition r: format can't be "jpg" | write "jpeg"
a.img.hcl:8:15-8:16 IB0403 image.a: rendition r: quality must be from 1 to 100, and is 0
a.img.hcl:10:3-10:16 IB0206 image.a: there are two renditions "r" | give it another name
`},
	{name: "format", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  path = "a.png"
  file {
    format = "jpeg"
  }
}
image "b" {
  prompt = "x"
  path = "b.gif"
}
image "c" {
  prompt = "x"
  path = "c"
}
image "d" {
  prompt = "x"
  path = "d.jpg"
  file {
    lossless = true
  }
}
`}, want: `
a.img.hcl:6:14-6:20 IB0406 image.a: format is "jpeg", and the path is "a.png" | let the path end in .jpg, or leave format away
a.img.hcl:11:10-11:17 IB0406 image.b: the format "gif" can't be written by this version | let the path end in .png, .jpg, .webp or .avif
a.img.hcl:15:10-15:13 IB0406 image.c: the path "c" does not tell the format | let the path end in .png, .jpg, .webp or .avif
a.img.hcl:21:16-21:20 IB0406 image.d: a JPEG is never lossless | let the path end in .png
`},
	{name: "renditions", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  file {
    background = "white"
  }
  rendition "r" {
    width      = 10
    height     = 10
    gravity    = "top"
    blur       = 0
    sharpen    = 10.01
    linear     = "yes please"
    background = "#12345"
    crop {
      x      = 1.5
      y      = -1
      width  = 0
      height = "101%"
    }
    crop {
      width  = 1
      height = 1
    }
  }
  rendition "s" {
    crop "x" {
      y     = [1]
      width = "half"
    }
    crop = 1
  }
}
`}, want: `
a.img.hcl:5:18-5:25 IB0204 image.a: file: background must be a colour such as "#1e90ff", and is "white" | write it as "#rrggbb"
a.img.hcl:10:18-10:23 IB0208 image.a: rendition r: gravity can't be "top" | one of center, north, northeast, east, southeast, south, southwest, west, northwest, attention
a.img.hcl:11:18-11:19 IB0403 image.a: rendition r: blur must be from 0.01 to 100, and is 0
a.img.hcl:12:18-12:23 IB0403 image.a: rendition r: sharpen must be from 0.01 to 10, and is 10.01
a.img.hcl:13:18-13:30 IB0204 image.a: rendition r: linear must be true or false, and "yes please" is a string | write true or false, without quotes
a.img.hcl:14:18-14:26 IB0204 image.a: rendition r: background must be a colour such as "#1e90ff", and is "#12345" | write it as "#rrggbb"
a.img.hcl:16:16-16:19 IB0204 image.a: rendition r: crop: x must be a whole number of pixels, or percent such as "25%", and is 1.5
a.img.hcl:17:16-17:18 IB0204 image.a: rendition r: crop: y must be a whole number of pixels, or percent such as "25%", and is -1
a.img.hcl:18:16-18:17 IB0403 image.a: rendition r: crop: width must be above 0, and is 0 | keep something
a.img.hcl:19:16-19:22 IB0204 image.a: rendition r: crop: height must be a whole number of pixels, or percent such as "25%", and is "101%"
a.img.hcl:21:5-21:9 IB0206 image.a: rendition r: there are two crop blocks | keep one
a.img.hcl:27:5-27:13 IB0205 image.a: rendition s: crop: height is required | add height = …
a.img.hcl:27:10-27:13 IB0207 image.a: rendition s: crop takes no label | remove it
a.img.hcl:28:15-28:18 IB0204 image.a: rendition s: crop: y must be a whole number of pixels, or percent such as "25%", and [1] is a list
a.img.hcl:29:15-29:21 IB0204 image.a: rendition s: crop: width must be a whole number of pixels, or percent such as "25%", and "half" is a string
a.img.hcl:31:5-31:9 IB0202 image.a: rendition s: crop is a block, not an attribute | write crop { … }
`},
	{name: "settings", files: files{"a.img.hcl": `imgbuild {
  required_version = ">= 2"
  default_provider = provider.skech
  output_dir = "../x"
  max_cost = -1
  store {
    keep = "some"
  }
  manifest "json" {}
}
` + sketch + `provider "xia" {}
provider "xai" {
  rate = "60"
  endpoint = "eu.example"
  transport = "websocket"
  parallelism = 0
}
provider "xai" {
  alias = "b"
  response = "b64_json"
  deferred = true
}
`}, opt: Options{Version: "0.1.0", Types: []string{"xai", "sketch"}}, want: `
a.img.hcl:2:22-2:28 IB0209 imgbuild: this is imgbuild 0.1.0, and the configuration wants >= 2 | install another version, or change required_version
a.img.hcl:3:22-3:36 IB0301 imgbuild: there is no provider.skech | did you mean "sketch"?
a.img.hcl:4:16-4:22 IB0404 imgbuild: the path "../x" leaves the root of the project | keep it inside the folder of the configuration
a.img.hcl:5:14-5:16 IB0204 imgbuild: max_cost must be an amount in USD that is not negative, and -1 is a number | write an amount in USD, such as 5.00
a.img.hcl:6:3-6:8 IB0205 imgbuild: store: path is required | add path = …
a.img.hcl:7:12-7:18 IB0208 imgbuild: store: keep can't be "some" | one of picked, all
a.img.hcl:9:3-9:18 IB0205 imgbuild: manifest: path is required | add path = …
a.img.hcl:12:10-12:15 IB0301 provider.xia: there is no provider type "xia" | did you mean "xai"?
a.img.hcl:14:10-14:14 IB0208 provider.xai: rate can't be "60" | write a number and a unit: "60/m", "1/s" or "500/h"
a.img.hcl:15:14-15:26 IB0208 provider.xai: endpoint "eu.example" is not a URL | write "https://eu.example"
a.img.hcl:16:15-16:26 IB0208 provider.xai: transport can't be "websocket" | one of rest, grpc
a.img.hcl:17:17-17:18 IB0403 provider.xai: parallelism must be from 1 to 1024, and is 0
a.img.hcl:22:14-22:18 IB0208 provider.xai.b: deferred jobs need transport = "rest", wire = "current" and response = "url" | delete the line, or what excludes it
`},
	// references
	{name: "unknown names", files: files{"a.img.hcl": sketch + `preset "house" {}
locals {
  mood = 1
}
variable "season" {
  default = 1
}
image "a" {
  prompt = "${var.saeson} ${local.mod} ${foo.bar}"
  preset = preset.hous
  style = natural
  provider = provider.xai
}
image "b" {
  prompt = uper("x")
  edit {
    image = image.aa
  }
}
image "c" {
  prompt = "x"
  preset = preset.hous
  provider = provider.sketch.eu
}
`}, want: `
a.img.hcl:10:15-10:25 IB0301 image.a: there is no variable "saeson" | did you mean "season"?
a.img.hcl:10:29-10:38 IB0301 image.a: there is no local "mod" | did you mean "mood"?
a.img.hcl:10:42-10:49 IB0301 image.a: there is nothing called foo here | one of var, local, image, preset, provider, module
a.img.hcl:11:12-11:23 IB0301 image.a: there is no preset "hous" | did you mean "house"?
a.img.hcl:12:11-12:18 IB0301 image.a: there is nothing called natural here | write "natural", with quotes, if it is text
a.img.hcl:13:14-13:26 IB0301 image.a: there is no provider.xai | add provider "xai" {}
a.img.hcl:16:12-16:16 IB0302 image.b: there is no function uper | did you mean "upper"?
a.img.hcl:18:13-18:21 IB0301 image.b: there is no image "aa" | one of a, b, c
a.img.hcl:23:12-23:23 IB0301 image.c: there is no preset "hous" | did you mean "house"?
a.img.hcl:24:14-24:32 IB0301 image.c: there is no provider.sketch.eu | did you mean "sketch"?
`},
	{name: "impure", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "${timestamp()} ${uuid()}"
}
`}, want: `
a.img.hcl:3:15-3:24 IB0303 image.a: there is no timestamp(): its result changes on each run, which would buy every image again | write the time as text, or give it as a variable
a.img.hcl:3:30-3:34 IB0303 image.a: there is no uuid(): its result changes on each run, which would buy every image again | write an identifier as text, or use uuidv5(); reroll asks for a new roll
`},
	{name: "function error", files: files{"a.img.hcl": sketch + `locals {
  x = 5
}
image "a" {
  prompt = join(",", local.x)
}
image "b" {
  prompt = upper()
}
image "c" {
  prompt = file("no.txt")
}
image "d" {
  prompt = file("../no.txt")
}
`}, want: `
a.img.hcl:6:22-6:29 IB0304 image.a: join(): lists must be a list of strings, and is a number {local.x is 5} | write join(separator, lists...)
a.img.hcl:9:18-9:19 IB0304 image.b: upper() is called without its str | write upper(str)
a.img.hcl:12:17-12:25 IB0304 image.c: file(): there is no file "no.txt"
a.img.hcl:15:17-15:28 IB0304 image.d: file(): "../no.txt" leaves the root of the project
`},
	{name: "expression error", files: files{"a.img.hcl": sketch + `locals {
  x = { a = 1 }
  y = local.x.b
  z = 1 + "a"
}
image "a" {
  prompt = local.x.b
}
image "b" {
  prompt = "${local.x}"
}
image "c" {
  prompt = "a ${local.x}"
}
`}, want: `
a.img.hcl:4:14-4:16 IB0317 local.y: local.x has no attribute "b" {local.x is {a = 1}} | there is only "a"
a.img.hcl:5:11-5:14 IB0305 local.z: what stands right of the operator must be a number
a.img.hcl:8:19-8:21 IB0317 image.a: local.x has no attribute "b" {local.x is {a = 1}} | there is only "a"
a.img.hcl:11:12-11:24 IB0204 image.b: prompt must be a string, and {a = 1} is an object | read one of its attributes, or write jsonencode(…)
a.img.hcl:14:17-14:24 IB0305 image.c: an object can't be part of a text {local.x is {a = 1}} | read one of its attributes, or write jsonencode(…)
`},
	{name: "address as text", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
}
image "b" {
  prompt = "like ${image.a}"
  edit {
    image = "${image.a}"
  }
}
image "c" {
  prompt = image.a
}
`}, want: `
a.img.hcl:6:20-6:27 IB0306 image.b: image.a is an address and can't be part of a text | write the reference without quotes and ${ }, or its file as ${image.a.path}
a.img.hcl:8:16-8:23 IB0306 image.b: image.a is an address and can't be part of a text | write the reference without quotes and ${ }, or its file as ${image.a.path}
a.img.hcl:12:12-12:19 IB0204 image.c: prompt must be a string, and image.a is an image
`},
	{name: "results", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
}
locals {
  w = image.a.width
}
image "b" {
  prompt = "x ${image.a.revised_prompt}"
  alt = image.a.sha256
  n = local.w
  edit {
    image = image.a.sha256
  }
}
image "c" {
  for_each = toset([image.a.mime])
  prompt = "x"
}
image "d" {
  prompt = try(image.a.mime, "x")
  path = image.a.pth
}
`}, want: `
a.img.hcl:9:12-9:41 IB0309 image.b: image.a.revised_prompt is known only after apply | path and files are known before; results can be used in outputs, checks and postconditions
a.img.hcl:10:9-10:23 IB0309 image.b: image.a.sha256 is known only after apply | path and files are known before; results can be used in outputs, checks and postconditions
a.img.hcl:11:7-11:14 IB0309 image.b: image.a.width is known only after apply | path and files are known before; results can be used in outputs, checks and postconditions
a.img.hcl:13:13-13:27 IB0309 image.b: image.a.sha256 is known only after apply | path and files are known before; results can be used in outputs, checks and postconditions
a.img.hcl:17:14-17:35 IB0309 image.c: image.a.mime is known only after apply | path and files are known before; results can be used in outputs, checks and postconditions
a.img.hcl:22:17-22:21 IB0317 image.d: an image has no attribute "pth" to read | did you mean "path"?
`},
	{name: "cycles", files: files{"a.img.hcl": sketch + `locals {
  a = local.b
  b = local.c
  c = local.a
  s = local.s
}
image "a" {
  prompt = local.a
}
image "p" {
  prompt = "x"
  path = image.q.path
}
image "q" {
  prompt = "x"
  path = image.p.path
}
`}, want: `
a.img.hcl:3:7-3:14 IB0307 local.a: refers to itself by way of local.b, local.c | break the circle: one of these must be a plain value <a.img.hcl:4:7 local.b uses local.c> <a.img.hcl:5:7 local.c uses local.a>
a.img.hcl:6:7-6:14 IB0307 local.s: refers to itself | break the circle: one of these must be a plain value
a.img.hcl:17:10-17:17 IB0307 image.q: refers to itself by way of image.p | break the circle: one of these must be a plain value <a.img.hcl:13:10 image.p uses image.q>
`},
	{name: "edges", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  edit {
    image = image.b
  }
}
image "b" {
  prompt = "x"
  edit {
    images = [image.c, "x.png"]
  }
}
image "c" {
  prompt = "x"
  edit {
    image = image.a
  }
}
image "s" {
  prompt = "x"
  edit {
    image = image.s
  }
}
`}, want: `
a.img.hcl:4:3-4:7 IB0408 image.a: it needs itself: it edits image.b, which edits image.c, which edits image.a | let one of them edit a file, or draw it anew <a.img.hcl:5:13 image.a edits image.b> <a.img.hcl:11:14 image.b edits image.c> <a.img.hcl:17:13 image.c edits image.a>
a.img.hcl:22:3-22:7 IB0408 image.s: it edits itself | let one of them edit a file, or draw it anew <a.img.hcl:23:13 image.s edits image.s>
`},
	{name: "settings in a circle", files: files{"a.img.hcl": sketch + `imgbuild {
  output_dir = local.d
}
locals {
  d = image.a.path
}
image "a" {
  prompt = "x"
}
`}, want: `
a.img.hcl:3:16-3:23 IB0307 imgbuild: refers to itself by way of local.d, image.a | break the circle: one of these must be a plain value <a.img.hcl:6:7 local.d uses image.a> <a.img.hcl:6:7 image.a uses imgbuild>
`},
	{name: "mixed", files: files{"a.img.hcl": sketch + `variable "v" {
  default = true
}
image "a" {
  prompt = "x"
}
image "b" {
  prompt = "x"
  edit {
    image = var.v ? image.a : "x.png"
  }
}
`}, want: `
a.img.hcl:11:21-11:38 IB0308 image.b: the conditional gives an image or a string, and both must be of one type {var.v is true} | let both results be images or both be paths, or write two edits
`},
	{name: "keys", files: files{"a.img.hcl": sketch + `image "card" {
  for_each = toset(["dark", "light"])
  prompt = each.key
}
image "b" {
  prompt = image.card["drak"].path
}
image "c" {
  prompt = image.card.path
}
image "d" {
  prompt = image.b["x"].path
}
image "e" {
  prompt = "x"
  edit {
    image = image.card
  }
}
image "f" {
  prompt = each.key
}
image "g" {
  for_each = { a = 1 }
  prompt = each.vlaue
}
`}, want: `
a.img.hcl:7:12-7:30 IB0315 image.card: there is no instance "drak" | did you mean "dark"?
a.img.hcl:10:12-10:27 IB0316 image.c: image.card has for_each, so it needs a key | write image.card["KEY"].path
a.img.hcl:13:12-13:29 IB0316 image.d: image.b has no for_each, so it takes no key | write image.b
a.img.hcl:18:13-18:23 IB0316 image.e: image.card has for_each, so it needs a key | write image.card["KEY"]
a.img.hcl:22:12-22:20 IB0301 image.f: each is known only in an image with for_each | add for_each to the image block
a.img.hcl:26:12-26:22 IB0301 image.g: each has only key and value | write each.key or each.value
`},
	{name: "for_each", files: files{"a.img.hcl": sketch + `image "a" {
  for_each = ["x"]
  prompt = "x"
}
image "b" {
  for_each = "x"
  prompt = "x"
}
image "c" {
  for_each = toset([1])
  prompt = "x"
}
image "d" {
  for_each = null
  prompt = "x"
}
image "e" {
  for_each = image.a
  prompt = "x"
}
image "f" {
  for_each = toset(["k", null])
  prompt = "x"
}
`}, want: `
a.img.hcl:3:14-3:19 IB0410 image.a: for_each needs a map, an object or a set of strings, and ["x"] is a list | write toset(…) around it: a shifted index would buy images again, a name does not
a.img.hcl:7:14-7:17 IB0410 image.b: for_each needs a map, an object or a set of strings, and "x" is a string | write a map such as { a = … }
a.img.hcl:11:14-11:24 IB0410 image.c: for_each needs a set of strings, and [1] is a set of numbers | convert the elements with tostring()
a.img.hcl:15:14-15:18 IB0410 image.d: for_each needs a map, an object or a set of strings, and it is null | write a map such as { a = … }
a.img.hcl:23:14-23:32 IB0410 image.f: for_each has a key that is null | remove it, as compact() does
`},
	{name: "an instance is wrong", files: files{"a.img.hcl": sketch + `image "a" {
  for_each = { x = { p = "ok" }, y = { q = 1 } }
  prompt = each.value.p
  n = each.key == "x" ? 1 : 99
}
`}, want: `
a.img.hcl:4:22-4:24 IB0317 image.a["y"]: each.value has no attribute "p" {each.value is {q = 1}} | there is only "q"
a.img.hcl:5:7-5:31 IB0403 image.a["y"]: n must be from 1 to 10, and is 99
`},
	// variables
	{name: "variables", files: files{
		"a.img.hcl": sketch + `variable "season" {
  type = string
}
variable "n" {
  type = number
  default = "x"
}
variable "l" {
  type = list(string)
}
variable "key" {
  sensitive = true
  default = 1
}
variable "t" {
  type = strng
}
variable "nn" {
  nullable = false
  default = null
}
variable "ok" {
  default = 5
  validation {
    condition = var.ok > 10
    error_message = "Must be more than 10, got ${var.ok}."
  }
}
`,
		"x.auto.imgvars": `seson = "x"
block {}
`,
	}, opt: Options{Vars: []Var{{Name: "l", Value: "[1"}, {Name: "sason", Value: "x"}, {File: "no.imgvars"}}}, want: `
a.img.hcl:2:1-2:18 IB0312 var.season: it has no value | -var season=…, or a default
a.img.hcl:7:13-7:16 IB0314 var.n: the default does not fit its type: it must be a number {var.n is "x"}
a.img.hcl:9:1-9:13 IB0314 var.l: -var is not an expression: this list is not closed | write an expression, such as -var 'l=["a", "b"]'
a.img.hcl:17:10-17:15 IB0204 var.t: The keyword "strng" is not a valid type specification | write string, number, bool, list(…), set(…), map(…), object({…}), tuple([…]) or any
a.img.hcl:21:13-21:17 IB0314 var.nn: the default is null, and the variable is not nullable | give it a value
a.img.hcl:26:17-26:28 IB0313 var.ok: Must be more than 10, got 5 {var.ok is 5} <a.img.hcl:24:13 the value>
no.imgvars:0:0-0:0 IB0110 -var-file: there is no file "no.imgvars" | write its path from the root of the project
x.auto.imgvars:1:1-1:6 warning IB0311 var.seson: it has a value here, and is not declared | did you mean "season"?
x.auto.imgvars:2:1-2:6 IB0201 file x.auto.imgvars: there are no blocks in a file of values | write NAME = value; blocks stand in *.img.hcl
IB0311 var.sason: -var gives it a value, and it is not declared | did you mean "season"?
`},
	{name: "sensitive values", files: files{
		"a.img.hcl": `provider "sketch" {
  endpoint = var.key
}
variable "key" {
  sensitive = true
  default   = "hunter2"
}
variable "n" {
  type      = number
  sensitive = true
  validation {
    condition     = var.n < 5
    error_message = "must be less than 5, got ${var.n}."
  }
  validation {
    condition     = var.n < 3
    error_message = "must be less than 3."
  }
}
variable "l" {
  type      = list(string)
  sensitive = true
}
variable "m" {
  type      = map(number)
  sensitive = true
  default   = { hunter2 = "x" }
}
variable "open" {
  type = map(string)
  default = { a = "b" }
}
locals {
  up    = upper(var.key)
  keyed = { (local.up) = 1 }
}
preset "p" {
  n     = var.n
  after = local.up
}
image "a" {
  preset  = preset.p
  prompt  = "x"
  path    = "${var.key}.png"
  alt     = substr(var.key, 0, 1)
  enabled = var.key == "x"
  size    = strrev(var.key)
  edit {
    image = "${var.key}.png"
    mask {
      file = base64encode(var.key)
    }
  }
  rendition "r" {
    width = length(var.key)
  }
  file {
    quality = length(var.key)
  }
}
image "b" {
  for_each = local.keyed
  prompt   = "x"
}
image "c" {
  for_each = toset([var.key])
  prompt   = "x"
}
image "d" {
  for_each = { for k, v in var.open : k => "${v} ${var.key}" }
  prompt   = each.value
  path     = each.value
}
image "e" {
  prompt = tonumber(var.key)
  style  = var.key.none
  user   = { hunter3 = 1 }[var.key]
}
image "f" {
  prompt = [var.key]
  user   = jsondecode("{\"${var.key}")
}
image "g" {
  for_each = { a = var.key }
  prompt   = jsondecode(each.value)
}
output "a" {
  value = jsonencode({ k = var.key })
}
output "b" {
  value     = var.key
  sensitive = var.key
}
output "ok" {
  value     = var.key
  sensitive = true
}
`,
		"x.auto.imgvars": `keey = "hunter2"
l      = ["a", hunter2]
`,
	}, opt: Options{Vars: []Var{{Name: "l", Value: "[hunter2"}, {Name: "hunter2 hunter", Value: "x"}, {Name: "n", Value: "7"}, {Name: "l", Value: "hunter2"}}}, want: `
a.img.hcl:2:14-2:21 IB0318 provider.sketch: endpoint can't be sensitive: it would show in the lists of providers and in the journal | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:12:21-12:30 IB0313 var.n: the condition does not hold; its error_message is withheld, because it uses a sensitive value {var.n is (sensitive value), by -var}
a.img.hcl:16:21-16:30 IB0313 var.n: must be less than 3 {var.n is (sensitive value), by -var}
a.img.hcl:20:1-20:13 IB0301 var.l: its value is not valid; why is withheld, because the variable is sensitive | write an HCL expression, such as ["a", "b"]; text needs quotes
a.img.hcl:27:15-27:32 IB0314 var.m: the default does not fit its type, map of number {var.m is (sensitive value)}
a.img.hcl:38:11-38:16 IB0318 preset.p: n can't be sensitive: it would show in the plan | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:44:13-44:29 IB0318 image.a: path can't be sensitive: it would show in the names of files | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:45:13-45:34 IB0318 image.a: alt can't be sensitive: it is written for the readers of a site | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:46:13-46:27 IB0318 image.a: enabled can't be sensitive: it would show in the plan | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:47:13-47:28 IB0318 image.a: size can't be sensitive: it would show in the plan | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:49:13-49:29 IB0318 image.a: edit: a source can't be sensitive: it would show in the plan | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:51:14-51:35 IB0318 image.a: edit: mask: file can't be sensitive: it would show in the names of files | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:55:13-55:28 IB0318 image.a: rendition r: width can't be sensitive: it would show in the plan | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:58:15-58:30 IB0318 image.a: file: quality can't be sensitive: it would show in the plan | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:62:14-62:25 IB0318 image.b: for_each can't be sensitive: its keys would show in the addresses of images | let only the values be sensitive: write the keys as what is no secret
a.img.hcl:66:14-66:30 IB0318 image.c: for_each can't be sensitive: its keys would show in the addresses of images | let only the values be sensitive: write the keys as what is no secret
a.img.hcl:72:14-72:24 IB0318 image.d["a"]: path can't be sensitive: it would show in the names of files | use a value that is not sensitive, or nonsensitive(…) if it is no secret
a.img.hcl:75:21-75:28 IB0304 image.e: invalid function argument; the details are withheld, because a sensitive value is involved
a.img.hcl:76:19-76:24 IB0317 image.e: unsupported attribute; the details are withheld, because a sensitive value is involved
a.img.hcl:77:27-77:36 IB0317 image.e: invalid index; the details are withheld, because a sensitive value is involved
a.img.hcl:80:12-80:21 IB0204 image.f: prompt must be a string, and (sensitive value) is a list | join(", ", …) makes one text of a list
a.img.hcl:81:12-81:23 IB0304 image.f: error in function call; the details are withheld, because a sensitive value is involved
a.img.hcl:85:14-85:25 IB0304 image.g["a"]: error in function call; the details are withheld, because a sensitive value is involved
a.img.hcl:88:11-88:38 IB0318 output.a: the value comes from a sensitive one, and the output does not say sensitive = true | add sensitive = true, which withholds it, or write nonsensitive(…) if it is no secret
a.img.hcl:91:15-91:22 IB0318 output.b: the value comes from a sensitive one, and the output does not say sensitive = true | add sensitive = true, which withholds it, or write nonsensitive(…) if it is no secret
a.img.hcl:92:15-92:22 IB0318 output.b: sensitive can't be sensitive: it would show in the plan | use a value that is not sensitive, or nonsensitive(…) if it is no secret
x.auto.imgvars:1:1-1:5 warning IB0311 var.keey: it has a value here, and is not declared | did you mean "key"?
IB0311 a variable: -var gives it a value, and it is not declared | one of key, l, m, n, open
`},
	// images
	{name: "no provider", files: files{"a.img.hcl": `image "a" {
  prompt = "x"
}
image "b" {
  prompt = "x"
}
`}, want: `
a.img.hcl:1:1-1:10 IB0401 provider: there is no provider block, so nothing can make an image | add provider "xai" {} or, to draw offline and for free, provider "sketch" {}
`},
	{name: "which provider", files: files{"a.img.hcl": `provider "xai" {}
provider "sketch" {}
image "a" {
  prompt = "x"
}
image "b" {
  prompt = "x"
}
`}, want: `
a.img.hcl:3:1-3:10 IB0402 image.a: it does not say which provider it uses: there is provider.sketch, provider.xai | write provider = provider.sketch in the image, or default_provider = provider.sketch in imgbuild { }
`},
	{name: "an alias is no default", files: files{"a.img.hcl": `provider "xai" {
  alias = "eu"
}
image "a" {
  prompt = "x"
}
`}, want: `
a.img.hcl:4:1-4:10 IB0402 image.a: it does not say which provider it uses: there is provider.xai.eu | write provider = provider.xai.eu in the image, or default_provider = provider.xai.eu in imgbuild { }
`},
	{name: "paths", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  path = "/x.png"
}
image "b" {
  prompt = "x"
  path = "../x.png"
}
image "c" {
  prompt = "x"
  path = "CON.png"
}
image "d" {
  prompt = "x"
  rendition "r" {
    path = "a/../b.png"
  }
}
image "e" {
  prompt = "x"
  edit {
    image = "../x.png"
    mask {
      file = "/m.png"
    }
  }
}
`}, want: `
a.img.hcl:4:10-4:18 IB0404 image.a: the path "/x.png" is absolute; it must be relative to the root of the project | write "x.png"
a.img.hcl:8:10-8:20 IB0404 image.b: the path "../x.png" leaves the root of the project | keep it inside the folder of the configuration
a.img.hcl:12:10-12:19 IB0404 image.c: the path "CON.png" has the name "CON.png", which Windows reserves | choose another name
a.img.hcl:17:12-17:24 IB0404 image.d: rendition r: the path "a/../b.png" is not in its shortest form, which is "b.png" | write "b.png"
a.img.hcl:23:13-23:23 IB0404 image.e: edit: the path "../x.png" leaves the root of the project | keep it inside the folder of the configuration
a.img.hcl:25:14-25:22 IB0404 image.e: edit: mask: the path "/m.png" is absolute; it must be relative to the root of the project | write "m.png"
`},
	{name: "same path", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  path = "X.png"
}
image "b" {
  prompt = "x"
  path = "./x.png"
}
image "c" {
  prompt = "x"
  rendition "r" {
    path = "c.png"
  }
}
image "k" {
  for_each = toset(["a/b", "a-b"])
  prompt = "x"
}
`}, want: `
a.img.hcl:8:10-8:19 IB0405 image.b: it writes "x.png", and image.a writes "X.png", which is the same file on Windows and macOS | give one of them another path <a.img.hcl:4:10 image.a>
a.img.hcl:13:12-13:19 IB0405 image.c: it writes "c.png", and image.c writes "c.png" | give one of them another path <a.img.hcl:10:1 image.c>
a.img.hcl:16:1-16:10 IB0405 image.k["a/b"]: it writes "k/a-b.png", and image.k["a-b"] writes "k/a-b.png" | give one of them another path <a.img.hcl:16:1 image.k["a-b"]>
`},
	{name: "edit", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  edit {}
}
image "b" {
  prompt = "x"
  edit {
    image = image.a
    images = [image.a]
    preserve = true
  }
}
image "c" {
  prompt = "x"
  edit {
    images = []
    mask {
      edit = "red"
    }
  }
}
image "d" {
  prompt = "x"
  edit {
    image = 5
  }
  edit {
    image = "x.png"
  }
}
image "e" {
  prompt = "x"
  edit {
    image = image.a.path
  }
}
image "f" {
  prompt = "x"
  edit {
    images = ["data:image/png;base64,!", "data:text/plain;base64,AAAA", "data:image/png,x", "data:image/png;base64,", "https://example.com/a.png"]
  }
}
`}, want: `
a.img.hcl:4:3-4:7 IB0407 image.a: edit: an edit needs a source | add image = image.NAME, or a path such as "photos/lake.jpg"
a.img.hcl:10:5-10:11 IB0407 image.b: edit: image and images exclude each other | keep one of them
a.img.hcl:11:16-11:20 IB0407 image.b: edit: preserve needs a mask: without one all may change | add mask { … }, or remove the line
a.img.hcl:17:14-17:16 IB0407 image.c: edit: the list of images is empty | name at least one image, or remove the block
a.img.hcl:18:5-18:9 IB0205 image.c: edit: mask: it needs a file or a shape | add file = "masks/sky.png", or draw it: rect { … }, ellipse { … }, polygon { … } or path { … }
a.img.hcl:19:14-19:19 IB0208 image.c: edit: mask: edit can't be "red" | one of transparent, white, black
a.img.hcl:26:13-26:14 IB0204 image.d: edit: a source must be an image or a path, and 5 is a number | write image.NAME, or a path such as "photos/lake.jpg"
a.img.hcl:28:3-28:7 IB0206 image.d: there are two edit blocks | keep one <a.img.hcl:25:3 the first one>
a.img.hcl:35:13-35:25 IB0412 image.e: the file "a.png" is what image.a makes | write image.a, without quotes and without .path
a.img.hcl:41:14-41:147 IB0204 image.f: edit: the data URL has broken base64 | write "data:image/png;base64,${filebase64("a.png")}", or simply "a.png"
a.img.hcl:41:14-41:147 IB0204 image.f: edit: the data URL is empty | write "data:image/png;base64,${filebase64("a.png")}", or simply "a.png"
a.img.hcl:41:14-41:147 IB0204 image.f: edit: the data URL is not PNG, JPEG or WebP | write "data:image/png;base64,${filebase64("a.png")}", or simply "a.png"
a.img.hcl:41:14-41:147 IB0204 image.f: edit: the data URL is not written as "data:image/png;base64,…" | write "data:image/png;base64,${filebase64("a.png")}", or simply "a.png"
a.img.hcl:41:14-41:147 IB0404 image.f: edit: "https://example.com/a.png" is on another machine, so it may change unseen | download it into the project and write its path
`},
	{name: "mask", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      file = "m.png"
      feather = 3
      rect {
        width = 1
        height = 1
      }
    }
  }
}
image "b" {
  prompt = "x"
  edit {
    image = "photo.png"
    preserve = "yes"
    mask {
      edit = "white"
      feather = "wide"
      rect {
        x = true
        y = "12px"
        width = 0
        height = 1e9
      }
      rect "sky" {
        width = "0%"
        height = -3
        radius = -1
      }
      ellipse {
        cx = 1
        cy = 1
        rx = 1
        ry = 0
        radius = 1
      }
      circle {}
    }
  }
}
image "c" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      polygon {
        points = [[0, 0], [1, 1]]
      }
      polygon {
        points = [[0, 0], [1, 1], [2]]
      }
      polygon {
        points = "0,0 1,1 2,0"
      }
      polygon {
        points = [[0, 0], [1, 1], ["a", 0]]
      }
      path {
        d = "M0 0 é5 5"
      }
      path {
        d = "M0 \n X"
      }
      path {
        d = ""
        viewbox = "0 0 24"
      }
      path {}
    }
  }
}
image "d" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      feather = -1
      rect {
        width = 1
        height = 1
        subtract = true
      }
    }
  }
}
image "e" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      rect {
        width = 1
        height = 1
        subtract = true
      }
    }
  }
}
image "f" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      file = "m.png"
      feather = 3
    }
  }
}
image "h" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      rect {
        x = "100%"
        width = "1%"
        height = "1%"
      }
      path {
        d = "M-5 -5 h 5 v 5 z"
        viewbox = "0 0 9 9"
      }
    }
  }
}
image "g" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      dynamic "rect" {
        for_each = range(65)
        content {
          x = rect.value
          width = 1
          height = 1
        }
      }
    }
  }
}
`}, want: `
a.img.hcl:9:7-9:11 IB0407 image.a: edit: mask: a mask is a file or drawn, and not both | keep the file, or the shapes
a.img.hcl:20:16-20:21 IB0204 image.b: edit: preserve must be true or false, and "yes" is a string | write true or false, without quotes
a.img.hcl:22:14-22:21 IB0407 image.b: edit: mask: edit is for a file: what is drawn may change | remove it; a shape with subtract = true stays as it is
a.img.hcl:23:17-23:23 IB0204 image.b: edit: mask: feather must be a number of pixels, or a percentage such as "45%", and "wide" is a string
a.img.hcl:25:13-25:17 IB0204 image.b: edit: mask: rect: x must be a number of pixels, or a percentage such as "45%", and true is a bool
a.img.hcl:26:13-26:19 IB0204 image.b: edit: mask: rect: y must be a number of pixels, or a percentage such as "45%", and "12px" is a string
a.img.hcl:28:18-28:21 IB0403 image.b: edit: mask: rect: height is larger than 100000
a.img.hcl:30:12-30:17 IB0207 image.b: edit: mask: rect takes no label | remove it
a.img.hcl:31:17-31:21 IB0403 image.b: edit: mask: rect: width is 0, so the shape has no area | write a number above 0
a.img.hcl:32:18-32:20 IB0403 image.b: edit: mask: rect: height is negative | write a number above 0
a.img.hcl:33:18-33:20 IB0403 image.b: edit: mask: rect: radius is negative | write 0 or more
a.img.hcl:40:9-40:15 IB0202 image.b: edit: mask: ellipse: there is no attribute "radius" here | one of cx, cy, rx, ry, feather, subtract
a.img.hcl:42:7-42:13 IB0201 image.b: edit: mask: there is no block "circle" here | one of rect, ellipse, polygon, path
a.img.hcl:52:18-52:34 IB0403 image.c: edit: mask: polygon: points needs three points to have an area | write points = [[0, 0], ["50%", "100%"], [200, 0]]
a.img.hcl:55:18-55:39 IB0204 image.c: edit: mask: polygon: points must be a list of points [x, y], and [[0, 0], [1, 1], [2]] is a list | write points = [[0, 0], ["50%", "100%"], [200, 0]]
a.img.hcl:58:18-58:31 IB0204 image.c: edit: mask: polygon: points must be a list of points [x, y], and "0,0 1,1 2,0" is a string | write points = [[0, 0], ["50%", "100%"], [200, 0]]
a.img.hcl:61:18-61:44 IB0204 image.c: edit: mask: polygon: points must be a list of points [x, y], each number of pixels, or a percentage such as "45%", and [[0, 0], [1, 1], ["a", 0]] is a list | write points = [[0, 0], ["50%", "100%"], [200, 0]]
a.img.hcl:64:19-64:20 IB0204 image.c: edit: mask: path: d is no path data: character 6: there must be a command or a number and not "é" | write SVG path data, such as "M0 0 L100 0 L50 80 Z"
a.img.hcl:67:13-67:22 IB0204 image.c: edit: mask: path: d is no path data: character 6: M takes 2 numbers, and there is "X" | write SVG path data, such as "M0 0 L100 0 L50 80 Z"
a.img.hcl:70:13-70:15 IB0204 image.c: edit: mask: path: d is no path data: character 1: it is empty | write SVG path data, such as "M0 0 L100 0 L50 80 Z"
a.img.hcl:71:19-71:27 IB0204 image.c: edit: mask: path: viewbox must be four numbers: x, y, width and height | write viewbox = "0 0 24 24"
a.img.hcl:73:7-73:11 IB0205 image.c: edit: mask: path: d is required | add d = …
a.img.hcl:81:5-81:9 IB0403 image.d: edit: mask: it has only shapes that subtract, so it leaves nothing to edit | draw what may change, such as rect { … } with width and height "100%"
a.img.hcl:82:17-82:19 IB0403 image.d: edit: mask: feather is negative | write 0 or more
a.img.hcl:95:5-95:9 IB0403 image.e: edit: mask: it has only shapes that subtract, so it leaves nothing to edit | draw what may change, such as rect { … } with width and height "100%"
a.img.hcl:110:17-110:18 IB0407 image.f: edit: mask: feather is for shapes | soften the edges in the file, with greys
a.img.hcl:119:7-119:11 IB0403 image.h: edit: mask: rect: it lies outside of the picture | move it into the picture, or remove it
a.img.hcl:124:7-124:11 IB0403 image.h: edit: mask: path: it lies outside of the picture | move it into the picture, or remove it
a.img.hcl:135:5-135:9 IB0403 image.g: edit: mask: it has 65 shapes, and at most 64 are drawn | draw it as a file
`},
	{name: "frame and alt", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  size = "1x1"
  aspect_ratio = "1:1"
  alt = "a"
  decorative = true
  credit = 3
  label = "no"
  license = ["CC0"]
}
`}, want: `
a.img.hcl:5:18-5:23 IB0409 image.a: size "1x1" and aspect_ratio "1:1" exclude each other | keep one of them
a.img.hcl:7:16-7:20 IB0411 image.a: a decorative image has no alt text | keep one of them
a.img.hcl:8:12-8:13 IB0204 image.a: credit must be a string, and 3 is a number | write it with quotes, or convert it with tostring()
a.img.hcl:9:11-9:15 IB0204 image.a: label must be true or false, and "no" is a string | write true or false, without quotes
a.img.hcl:10:13-10:20 IB0204 image.a: license must be a string, and ["CC0"] is a list | join(", ", …) makes one text of a list
`},
	{name: "values of wrong blocks", files: files{"a.img.hcl": sketch + `locals {
  x = 1
  y {}
}
provider "xai" {
  alias = local.x
}
provider "xai" {
  alias = "a b"
}
imgbuild {
  required_version = "one"
  store {
    path = "../x"
  }
  store {
    path = "y"
  }
}
`}, opt: Options{Version: "1.0.0"}, want: `
a.img.hcl:4:3-4:4 IB0201 locals: there are no blocks in locals | write NAME = { … }
a.img.hcl:7:11-7:18 IB0204 provider.xai: alias must be a plain string | write it with quotes, such as "eu"
a.img.hcl:10:11-10:16 IB0207 provider.xai.a b: "a b" can't be a name | use letters, digits, - and _, and begin with a letter
a.img.hcl:13:22-13:27 IB0209 imgbuild: required_version "one" is not a constraint | write it such as ">= 0.1" or "~> 1.2"
a.img.hcl:15:12-15:18 IB0404 imgbuild: store: the path "../x" leaves the root of the project | keep it inside the folder of the configuration
a.img.hcl:17:3-17:8 IB0206 imgbuild: store: is declared twice | rename one of them <a.img.hcl:14:3 the first one>
`},
	{name: "names that are no values", files: files{"a.img.hcl": sketch + `preset "p" {}
image "a" {
  prompt = preset.p.style
  model = provider.sketch.x.y
  style = local
  user = foo(1)
}
image "b" {
  for_each = toset(["x"])
  prompt = each
  alt = image["a"].foo
}
variable "v" {
  default = local.x
}
output "o" {
  value = image.zz.path
}
output "q" {}
`}, want: `
a.img.hcl:4:12-4:26 IB0317 image.a: the attributes of a preset can't be read | use preset.p as a whole, or keep the value in a local
a.img.hcl:5:11-5:30 IB0301 image.a: there is no provider.sketch.x | did you mean "sketch"?
a.img.hcl:6:11-6:16 IB0301 image.a: local is not a value by itself | write local.NAME
a.img.hcl:7:10-7:13 IB0302 image.a: there is no function foo | did you mean "floor"?
a.img.hcl:11:12-11:16 IB0301 image.b: each is not a value by itself | write each.key or each.value
a.img.hcl:12:19-12:23 IB0317 image.b: an image has no attribute "foo" to read | one of path, files, alt, sha256, mime, revised_prompt, model, width, height, bytes
a.img.hcl:15:13-15:20 IB0301 var.v: local can't be used here | write a plain value
a.img.hcl:18:11-18:19 IB0301 output.o: there is no image "zz" | one of a, b
a.img.hcl:20:1-20:11 IB0205 output.q: value is required | add value = …
`},
	{name: "not known and no reason", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
}
image "b" {
  prompt = try(image.a.mime, "x")
}
`}, want: `
a.img.hcl:6:12-6:34 IB0310 image.b: the value is not known before apply | results of images can be used in outputs, checks and postconditions only
`},
	{name: "a budget", files: files{"a.img.hcl": sketch + `locals {
  x = [for a in range(1000): [for b in range(1000): b]]
}
image "a" {
  prompt = local.x
}
`}, opt: Options{steps: 1 << 16}, want: `
a.img.hcl:3:7-3:56 IB0109 local.x: the expression takes too much work: it makes or walks more than some millions of elements | make it smaller, or keep the data in a file; if you trust who wrote it: export IMGBUILD_LARGE=1
`},
	{name: "validation", files: files{"a.img.hcl": sketch + `variable "v" {
  type = object({ a = optional(number, 3) })
  default = {}
  validation {
    condition = var.v.a
    error_message = "x"
  }
  validation {
    error_message = "x"
  }
  nullable = 5
}
`}, want: `
a.img.hcl:6:17-6:24 IB0204 var.v: validation: condition must be true or false, and is 3 | write a comparison, such as contains([…], var.v)
a.img.hcl:9:3-9:13 IB0205 var.v: validation: condition is required | add condition = …
a.img.hcl:12:14-12:15 IB0204 var.v: nullable must be true or false
`},
	{name: "moved", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
}
moved {
  from = image.a
  to   = image.b
}
removed {
  from = local.x
}
`}, want: `
a.img.hcl:6:10-6:17 IB0413 moved: image.a is still there | remove the image block, or this one
a.img.hcl:10:10-10:17 IB0413 removed: from must be the address of an image or a module | write image.NAME, image.NAME["KEY"] or module.NAME, without quotes around it
`},
	{name: "import", files: files{"a.img.hcl": sketch + `image "logo" {
  prompt = "x"
}
image "off" {
  prompt  = "x"
  enabled = false
}
image "icon" {
  for_each = { home = 1, mail = 2 }
  prompt   = each.key
}
import {
  to   = image.logo
  path = "/etc/x.png"
}
import {
  to   = image.off
  path = "off.png"
}
import {
  to   = image.logos
  path = "logo.png"
}
import {
  to   = image.banner
  path = "banner.png"
}
import {
  to   = image.icon
  path = "icon.png"
}
import {
  for_each = ["a"]
  to       = image.icon[each.key]
  path     = each.value
}
import {
  for_each = { hone = "a.png", home = "b.png" }
  to       = image.icon[each.key]
  path     = each.value
}
import {
  for_each = { a = "a.png", b = "b.png" }
  to       = image.icon["mail"]
  path     = each.value
}
import {
  to   = image.logo.path
  path = each.value
}
import {
  to   = image.logo["a"]
  path = "https://x.example/a.png"
}
import {
  too  = image.logo
}
`}, want: `
a.img.hcl:15:10-15:22 IB0404 import: the path "/etc/x.png" is absolute; it must be relative to the root of the project
a.img.hcl:22:10-22:21 IB0420 import: there is no image.logos | did you mean "logo"? Else: imgbuild plan -generate-config-out=imported.img.hcl writes its block
a.img.hcl:26:10-26:22 IB0420 import: there is no image.banner | imgbuild plan -generate-config-out=imported.img.hcl writes its block
a.img.hcl:30:10-30:20 IB0420 import: there is no image.icon | image.icon has for_each: write to = image.icon["KEY"], or for_each here too and to = image.icon[each.key]
a.img.hcl:34:14-34:19 IB0410 import: for_each needs a map, an object or a set of strings, and ["a"] is a list | write toset(…) around it: a shifted index would buy images again, a name does not
a.img.hcl:40:14-40:34 IB0420 import: there is no image.icon["hone"] | did you mean "home"?
a.img.hcl:45:14-45:32 IB0206 import: another picture is imported as image.icon["mail"] | use each.key in to, so that each picture has an image of its own
a.img.hcl:49:10-49:25 IB0420 import: to must be the address of an image | write image.NAME, image.NAME["KEY"] or image.NAME[each.key], without quotes around it
a.img.hcl:50:10-50:20 IB0301 import: each is known only in an import with for_each | add for_each to the import block
a.img.hcl:53:10-53:25 IB0420 import: there is no image.logo["a"] | image.logo has no for_each, so it takes no key
a.img.hcl:54:10-54:35 IB0404 import: "https://x.example/a.png" is on another machine | download it into the project and write its path
a.img.hcl:56:1-56:7 IB0205 import: path is required | add path = …
a.img.hcl:56:1-56:7 IB0205 import: to is required | add to = …
a.img.hcl:57:3-57:6 IB0202 import: there is no attribute "too" here | did you mean "to"?
`},
	{name: "lifecycle", files: files{"a.img.hcl": sketch + `variable "keep" {
  default = "yes"
}
image "a" {
  prompt = "x"
  lifecycle {
    protect        = var.keep
    ignore_changes = [promt, "model", path, edit.image, 3]
    prevent        = true
  }
}
image "b" {
  prompt = "x"
  lifecycle {
    ignore_changes = everything
  }
  lifecycle "x" {
    protect = true
  }
}
image "c" {
  prompt    = "x"
  lifecycle = true
}
`}, want: `
a.img.hcl:8:22-8:30 IB0204 image.a: lifecycle: protect must be true or false, and "yes" is a string | write true or false, without quotes
a.img.hcl:9:23-9:28 IB0202 image.a: lifecycle: ignore_changes can't have "promt" | did you mean "prompt"?
a.img.hcl:9:30-9:37 IB0204 image.a: lifecycle: ignore_changes takes names of attributes | write model without quotes
a.img.hcl:9:39-9:43 IB0202 image.a: lifecycle: ignore_changes can't have "path", which is no part of what is bought | remove it: a change in it is free
a.img.hcl:9:45-9:55 IB0204 image.a: lifecycle: ignore_changes takes names of attributes | write a name without quotes, such as prompt
a.img.hcl:9:57-9:58 IB0204 image.a: lifecycle: ignore_changes takes names of attributes | write a name without quotes, such as prompt
a.img.hcl:10:5-10:12 IB0202 image.a: lifecycle: there is no attribute "prevent" here | one of protect, ignore_changes
a.img.hcl:16:22-16:32 IB0204 image.b: lifecycle: ignore_changes must be a list of names, or all | write [prompt, model], or all
a.img.hcl:18:3-18:12 IB0206 image.b: there are two lifecycle blocks | keep one <a.img.hcl:15:3 the first one>
a.img.hcl:24:3-24:12 IB0202 image.c: lifecycle is a block, not an attribute | write lifecycle { … }
`},
	{name: "tags, depends_on and budget", files: files{"a.img.hcl": sketch + `preset "p" {
  tags = "landing"
}
image "a" {
  prompt     = "x"
  tags       = ["landing", 3]
  depends_on = [image.bb, preset.p]
}
image "b" {
  prompt     = "x"
  depends_on = [image.c["y"], image.bb]
}
image "c" {
  for_each   = toset(["x"])
  prompt     = each.key
  tags       = [""]
  depends_on = image.b
}
image "d" {
  prompt     = "x"
  depends_on = ["image.a"]
}
budget "p" {
  max_cost = -1
}
budget "q" {
  tags     = []
  max_cost = 1
}
budget "q" {
  tags = ["landing"]
}
`}, want: `
a.img.hcl:3:10-3:19 IB0204 preset.p: tags must be a list of strings, and "landing" is a string | write a list of texts, such as ["landing", "blog"]
a.img.hcl:7:16-7:30 IB0204 image.a: tags must be a list of strings, and 3 in it is a number | write a list of texts, such as ["landing", "blog"]
a.img.hcl:8:16-8:36 IB0204 image.a: depends_on must be a list of images, and preset.p in it is a preset | write a list such as [image.a, image.b["KEY"]]
a.img.hcl:12:17-12:29 IB0315 image.c: there is no instance "y" | there is only "x"
a.img.hcl:12:31-12:39 IB0301 image.b: there is no image "bb" | one of a, b, c, d
a.img.hcl:17:16-17:20 IB0204 image.c["x"]: tags must be a list of strings, and one in it is empty | write a list of texts, such as ["landing", "blog"]
a.img.hcl:18:16-18:23 IB0204 image.c["x"]: depends_on must be a list of images, and image.b is an image | write a list such as [image.a, image.b["KEY"]]
a.img.hcl:22:16-22:27 IB0204 image.d: depends_on must be a list of images, and "image.a" in it is a string | write a list such as [image.a, image.b["KEY"]]
a.img.hcl:24:1-24:11 IB0205 budget.p: tags is required | add tags = …
a.img.hcl:25:14-25:16 IB0204 budget.p: max_cost must be an amount in USD that is not negative, and -1 is a number | write an amount in USD, such as 5.00
a.img.hcl:28:14-28:16 IB0205 budget.q: tags is empty, so it is for no image | write a list of texts, such as ["landing", "blog"]
a.img.hcl:31:1-31:11 IB0206 budget.q: is declared twice | rename one of them <a.img.hcl:27:1 the first one>
`},
	{name: "a budget in a module", files: files{"a.img.hcl": sketch + `module "m" {
  source = "./m"
}
`, "m/m.img.hcl": `image "a" {
  prompt     = "x"
  depends_on = [image.bb]
}
image "b" {
  prompt = "y"
}
budget "b" {
  tags     = ["x"]
  max_cost = 1
}
`}, want: `
m/m.img.hcl:3:16-3:26 IB0301 module.m.image.a: there is no image "bb" | one of a, b
m/m.img.hcl:8:1-8:11 IB0414 budget: a module has no budget block | move it to the root of the project, where it is for all images with its tags
`},
	{name: "unknown image in depends_on", files: files{"a.img.hcl": sketch + `image "hero" {
  prompt = "x"
}
image "late" {
  prompt     = "x"
  depends_on = [image.heroo]
}
image "off" {
  prompt  = "x"
  enabled = false
}
image "after" {
  prompt     = "x"
  depends_on = [image.off]
}
`}, want: `
a.img.hcl:7:16-7:29 IB0301 image.late: there is no image "heroo" | did you mean "hero"?
`},
	{name: "circles by depends_on", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  edit {
    image = image.b
  }
}
image "b" {
  prompt     = "x"
  depends_on = [image.c]
}
image "c" {
  for_each   = toset(["k"])
  prompt     = "x"
  path       = "c.png"
  depends_on = [image.a]
}
image "d" {
  prompt     = "x"
  depends_on = [image.d]
}
`}, want: `
a.img.hcl:4:3-4:7 IB0408 image.a: it needs itself: it edits image.b, which depends on image.c["k"], which depends on image.a | remove one of the depends_on <a.img.hcl:5:13 image.a edits image.b> <a.img.hcl:10:16 image.b depends on image.c["k"]> <a.img.hcl:16:16 image.c["k"] depends on image.a>
a.img.hcl:20:16-20:25 IB0408 image.d: it depends on itself | remove one of the depends_on <a.img.hcl:20:16 image.d depends on image.d>
`},
	{name: "tag of a budget", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  tags   = ["landing"]
}
budget "b" {
  tags     = ["landnig", "landing"]
  max_cost = 1
}
`}, want: `
a.img.hcl:7:14-7:36 warning IB0415 budget.b: no image has the tag "landnig" | did you mean "landing"?
`},
	{name: "preset", files: files{"a.img.hcl": sketch + `preset "p" {
  n = 20
  preset = preset.p
  rendition "r" {}
  befor = "x"
  pick = 4
}
image "a" {
  prompt = "x"
  preset = preset.p
}
`}, want: `
a.img.hcl:3:7-3:9 IB0403 preset.p: n must be from 1 to 10, and is 20
a.img.hcl:4:12-4:20 IB0307 preset.p: refers to itself | break the circle: one of these must be a plain value
a.img.hcl:5:3-5:12 IB0203 preset.p: rendition is not supported by this version | remove it for now
a.img.hcl:6:3-6:8 IB0202 preset.p: there is no attribute "befor" here | did you mean "before"?
`},
	{name: "modules", files: files{"a.img.hcl": sketch + `module "a" {
  source = "modules/a"
}
module "b" {
  source = "https://example.com/icons.zip"
}
module "c" {
  source = "../c"
}
module "d" {
  source = "./none"
}
module "e" {
  source = "./m"
  colour = "red"
  count  = 2
  extra {}
}
module "f" {
  source    = "./m"
  for_each  = toset(["x"])
  color     = 1
  providers = { sketch = "sketch", xai = provider.sketch }
}
module "g" {
  source = "./${"m"}"
}
module "e" {
  source = "./m"
}
image "i" {
  prompt = module.h.text
  path   = module.f.text
  style  = module.f["y"].text
  model  = module.e.texd
  user   = module.f["x"].image.x
  alt    = "${path.cwd} ${module}"
}
`, "m/m.img.hcl": `imgbuild {}
provider "sketch" {}
variable "color" {
  type = list(string)
}
variable "word" {
  default = "w"
}
module "again" {
  source = "../"
}
module "deep" {
  source = "./deep"
}
image "x" {
  prompt   = var.word
  provider = provider.xai.eu
  preset   = preset.none
}
output "text" {
  value = "t"
}
`, "m/deep/d.img.hcl": `module "up" {
  source = "../../m"
}
`}, want: `
a.img.hcl:3:12-3:23 IB0414 module.a: source "modules/a" is no folder of the project: it must begin with ./ or ../ | write "./modules/a"
a.img.hcl:6:12-6:43 IB0414 module.b: source "https://example.com/icons.zip" is no folder of the project: it must begin with ./ or ../ | copy the module into the project, and begin the path with ./
a.img.hcl:9:12-9:18 IB0414 module.c: source "../c" leaves the root of the project | copy the module into the project
a.img.hcl:12:12-12:20 IB0414 module.d: there is no *.img.hcl in the folder "none"
a.img.hcl:14:1-14:11 IB0312 module.e: the variable color of the module has no value | add color = … <m/m.img.hcl:3:1 var.color>
a.img.hcl:16:3-16:9 IB0202 module.e: the module has no variable "colour" | did you mean "color"?
a.img.hcl:17:3-17:8 IB0210 module.e: there is no count, because a shifted index would buy images again | use for_each with a map or a set: its keys name the images
a.img.hcl:18:3-18:8 IB0201 module.e: there are no blocks in a module block | write NAME = value for each variable of the module
a.img.hcl:23:15-23:16 IB0314 module.f["x"].var.color: the value does not fit its type: it must be a list of strings, and is a number {var.color is 1}
a.img.hcl:24:15-24:59 IB0204 module.f: providers: sketch must be a provider, and "sketch" is a string | write providers = { xai = provider.NAME }
a.img.hcl:24:15-24:59 IB0301 module.f: providers: the module knows no provider "xai" | one of sketch, xai.eu
a.img.hcl:27:12-27:22 IB0414 module.g: source must be a plain string, because it is read before anything is evaluated | write it such as "./modules/icons"
a.img.hcl:29:1-29:11 IB0206 module.e: is declared twice | rename one of them <a.img.hcl:14:1 the first one>
a.img.hcl:33:12-33:20 IB0301 image.i: there is no module "h" | one of a, b, c, d, e, f, g
a.img.hcl:34:12-34:25 IB0316 image.i: module.f has for_each, so it needs a key | write module.f["KEY"].text
a.img.hcl:35:12-35:30 IB0315 module.f: there is no instance "y" | there is only "x"
a.img.hcl:36:20-36:25 IB0317 image.i: the module has no output "texd" | did you mean "text"?
a.img.hcl:37:25-37:31 IB0317 image.i: the module has no output "image" | add output "image" to the module: only its outputs can be read
a.img.hcl:38:15-38:23 IB0301 image.i: there are only path.module and path.root | write path.module, the folder of this file, or path.root
a.img.hcl:38:27-38:33 IB0301 image.i: module is not a value by itself | write module.NAME
m/deep/d.img.hcl:2:12-2:21 IB0307 module.up: the folder "m" includes itself by way of m/deep | let it call another folder
m/m.img.hcl:1:1-1:9 IB0414 imgbuild: a module has no imgbuild block | move it to the root of the project
m/m.img.hcl:2:1-2:18 IB0414 provider: a module has no provider block | declare the provider in the root, and pass it with providers = { xai = provider.NAME }
m/m.img.hcl:10:12-10:17 IB0307 module.again: the folder "." includes itself by way of m | let it call another folder
m/m.img.hcl:17:14-17:29 IB0301 module.e.image.x: there is no provider.xai.eu | there is only "sketch"
m/m.img.hcl:17:14-17:29 IB0301 module.f["x"].image.x: there is no provider.xai.eu | there is only "sketch"
m/m.img.hcl:18:14-18:25 IB0301 image.x: there is no preset "none" | declare it: preset "none" { … }
`},
	{name: "validation in a module", files: files{"a.img.hcl": sketch + `module "a" {
  source   = "./m"
  for_each = { good = "red", bad = "green" }
  color    = each.value
}
`, "m/m.img.hcl": `variable "color" {
  validation {
    condition     = var.color != "green"
    error_message = "no ${var.color}"
  }
}
`}, want: `
m/m.img.hcl:3:21-3:41 IB0313 module.a["bad"].var.color: no green {module.a["bad"].var.color is "green"} <a.img.hcl:5:14 the value>
`},
	{name: "circle through modules", files: files{"a.img.hcl": sketch + `module "a" {
  source = "./m"
  in     = module.b.out
}
module "b" {
  source = "./m"
  in     = module.a.out
}
`, "m/m.img.hcl": `variable "in" {}
output "out" {
  value = "${var.in}!"
}
`}, want: `
a.img.hcl:4:12-4:24 IB0307 module.a.var.in: refers to itself by way of module.b.output.out, module.b.var.in, module.a.output.out | break the circle: one of these must be a plain value <m/m.img.hcl:3:14 module.b.output.out uses module.b.var.in> <a.img.hcl:8:12 module.b.var.in uses module.a.output.out> <m/m.img.hcl:3:14 module.a.output.out uses module.a.var.in>
`},
	{name: "presets in a circle", files: files{"a.img.hcl": sketch + `preset "a" {
  preset = preset.b
}
preset "b" {
  preset = preset.a
}
image "i" {
  prompt = "x"
  preset = preset.a
}
`}, want: `
a.img.hcl:3:12-3:20 IB0307 preset.a: refers to itself by way of preset.b | break the circle: one of these must be a plain value <a.img.hcl:6:12 preset.b uses preset.a>
`},
	{name: "functions of one's own", files: files{"a.img.hcl": sketch + `function "upper" {
  params = [a]
  result = a
}
function "twice" {
  params = [a]
  result = "${a} ${a}"
}
function "twice" {
  params = []
  result = 1
}
function "bad" {
  params         = [a, "b", a, var]
  variadic_param = a
}
function "up" {
  params = [n]
  result = parseint(n, 10)
}
function "loop" {
  params = [n]
  result = pool(n)
}
function "pool" {
  params = [n]
  result = loop(n)
}
function "free" {
  params = [n]
  result = "${n} ${m} ${each.key}"
}
image "a" {
  prompt = twice(up("x"))
  alt    = loop(1)
  style  = twice()
  path   = twicer(1)
}
`}, want: `
a.img.hcl:2:10-2:17 IB0206 function.upper: there is a built-in function of this name | give it another name
a.img.hcl:10:1-10:17 IB0206 function.twice: is declared twice | rename one of them <a.img.hcl:6:1 the first one>
a.img.hcl:14:1-14:15 IB0205 function.bad: result is required | add result = …
a.img.hcl:15:24-15:27 IB0204 function.bad: this can't be the name of a parameter | write a plain word, without quotes
a.img.hcl:15:29-15:30 IB0206 function.bad: there are two parameters a | give one of them another name
a.img.hcl:15:32-15:35 IB0204 function.bad: this can't be the name of a parameter | write a plain word, without quotes
a.img.hcl:16:20-16:21 IB0206 function.bad: there are two parameters a | give one of them another name
a.img.hcl:20:21-20:22 IB0304 image.a: parseint(): number: cannot parse "x" as a base 10 integer {n is "x"} <a.img.hcl:35:18 called here>
a.img.hcl:26:1-26:16 IB0307 function.loop: refers to itself by way of function.pool | no function can call itself: go over a list with [for x in … : …] <a.img.hcl:22:1 function.pool uses function.loop>
a.img.hcl:32:20-32:21 IB0301 function.free: there is nothing called m here | write "m", with quotes, if it is text
a.img.hcl:32:25-32:33 IB0301 function.free: each is known only in an image with for_each | add for_each to the image block
a.img.hcl:37:18-37:19 IB0304 image.a: twice() is called without its a
a.img.hcl:38:12-38:18 IB0302 image.a: there is no function twicer | did you mean "twice"?
`},
	{name: "dynamic", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  dynamic "rendition" {
    for_each = [1]
    labels   = ["r"]
    content {
      width = rendition.valu
      widht = 1
    }
  }
  dynamic "rendition" {
    for_each = 5
    iterator = image
    extra    = 1
    labels   = 1
    content {}
  }
  dynamic "rendition" {
    for_each = ["a"]
    labels   = [rendition.value, "b"]
    content {}
  }
  dynamic "renditions" {
    for_each = ["a"]
    content {}
  }
  dynamic "edit" {
    for_each = ["a"]
  }
  dynamic {
    content {
      width = each.value
    }
  }
}
`}, want: `
a.img.hcl:8:24-8:29 IB0317 image.a: rendition has no attribute "valu" {rendition is {key = 0, value = 1}} | did you mean "value"?
a.img.hcl:9:7-9:12 IB0202 image.a: rendition r: there is no attribute "widht" here | did you mean "width"?
a.img.hcl:13:16-13:17 IB0410 image.a: dynamic: for_each needs elements, and 5 is a number | write a map, an object, a list or a set
a.img.hcl:14:16-14:21 IB0204 image.a: dynamic: this can't be the name of an iterator | write a plain word, without quotes
a.img.hcl:15:5-15:10 IB0202 image.a: dynamic: there is no attribute "extra" here | one of for_each, iterator, labels
a.img.hcl:19:11-21:38 IB0207 image.a: a rendition takes one name | write rendition "NAME" { … } with letters, digits, - and _, a letter first
a.img.hcl:24:11-24:23 IB0201 image.a: there is no block "renditions" here | did you mean "rendition"?
a.img.hcl:28:3-28:17 IB0205 image.a: dynamic: content is required | add content { … }
a.img.hcl:31:3-31:10 IB0205 image.a: dynamic: for_each is required | add for_each = …
a.img.hcl:31:3-31:10 IB0207 image.a: dynamic: it takes the name of a block | write dynamic "rendition" { … }
a.img.hcl:33:15-33:25 IB0301 image.a: each is known only in an image with for_each | add for_each to the image block
`},
	{name: "json", files: files{"a.img.json": `{
  "provider": { "sketch": {} },
  "image": {
    "a": {
      "promt": "x",
      "n": "2",
      "rendtion": { "r": {} },
      "path": "a\n\n\n${local.m}",
      "alt": "x ${",
      "preset": "preset.",
      "style": "${upper(\"x\", 1)}",
      "n": 3
    },
    "b c": {}
  },
  "locals": { "mode": 1 },
  "imge": { "x": {} },
  "five": 5
}
`}, want: `
a.img.json:4:5-4:8 IB0205 image.a: prompt is required | add prompt = …
a.img.json:5:7-5:14 IB0202 image.a: there is no attribute "promt" here | did you mean "prompt"?
a.img.json:6:12-6:15 IB0204 image.a: n must be a number, and "2" is a string | write it without quotes, or convert it with tonumber()
a.img.json:7:7-7:17 IB0201 image.a: there is no block "rendtion" here | did you mean "rendition"?
a.img.json:8:15-8:34 IB0301 image.a: there is no local "m" | there is only "mode"
a.img.json:9:14-9:20 IB0101 syntax: expected the start of an expression, but found the end of the file
a.img.json:10:17-10:26 IB0101 syntax: an attribute name is required after a dot
a.img.json:11:16-11:36 IB0304 image.a: this is one argument too many: upper() takes 1 | write upper(str)
a.img.json:12:7-12:10 IB0206 attribute: n is given twice | keep one of them
a.img.json:14:5-14:10 IB0207 image: "b c" can't be a name | use letters, digits, - and _, and begin with a letter
a.img.json:17:3-17:9 IB0201 imge: there is no such block | did you mean "image"?
a.img.json:18:3-18:9 IB0202 five: there are no attributes outside blocks | put it into a block; values for variables stand in *.imgvars files
`},
	{name: "json syntax", files: files{"a.img.json": `{
  "image": { "a": { "prompt": "x", } }
}
`, "b.img.json": `5
`, "d.img.json": `{ "image": { "a": 5, "b": { "edit": 5 } }, "locals": "x" }`, "c.img.json": ``}, want: `
a.img.json:2:34-2:35 IB0101 syntax: JSON does not permit a trailing comma after the final property in an object
b.img.json:1:1-1:2 IB0101 file b.img.json: there must be an object here | write { … }
c.img.json:1:1-1:1 IB0101 syntax: the JSON data ends prematurely
d.img.json:1:19-1:20 IB0101 file d.img.json: there must be an object here | write { … }
d.img.json:1:37-1:38 IB0101 file d.img.json: there must be an object here | write { … }
d.img.json:1:54-1:57 IB0101 file d.img.json: there must be an object here | write { … }
`},

	// conditions
	{name: "as in Terraform", files: files{"a.img.hcl": sketch + `variable "source" {
  default = 1
}
variable "flag" {
  type    = bool
  default = null
}
module "self" {
  for_each = module.self
  source   = "./m"
}
module "m" {
  for_each = { red = 1 }
  source   = "./m"
}
module "one" {
  source = "./m"
}
image "card" {
  for_each = { dark = 1 }
  prompt   = "x"
}
output "null" {
  value = [var.flag && true, var.flag || true, false || var.flag]
}
output "keys" {
  value = [module.m.rde.out, module.m.red.out, module.m.out, module.one["out"], module.one["uot"]]
}
output "try" {
  value = [try(image.card["drak"].path, "none"), can(module.m["blue"]), try(image.card["drak"].path, module.m["blue"])]
}
`, "m/m.img.hcl": `output "out" {
  value = 1
}
`}, want: `
a.img.hcl:2:10-2:18 IB0207 var.source: a module block has a use of its own for the name source | rename it
a.img.hcl:10:14-10:25 IB0307 module.self: refers to itself | break the circle: one of these must be a plain value
a.img.hcl:25:12-25:20 IB0305 output.null: the operand is null, and must be true or false {var.flag is null}
a.img.hcl:25:57-25:65 IB0305 output.null: the operand is null, and must be true or false {var.flag is null}
a.img.hcl:28:12-28:28 IB0315 module.m: there is no instance "rde" | did you mean "red"?
a.img.hcl:28:48-28:60 IB0316 output.keys: module.m has for_each, so it needs a key | write module.m["KEY"].out
a.img.hcl:28:81-28:98 IB0316 output.keys: module.one has no for_each, so it takes no key | write module.one
a.img.hcl:31:73-31:77 IB0304 output.try: try(): no expression succeeded: - Unknown key (at a.img.hcl:31,77-95) image.card: there is no instance "drak" - Unknown key (at a.img.hcl:31,102-118) module.m: there is no instance "blue" At least one expression must produce a successful result
`},
	{name: "preconditions", files: files{"a.img.hcl": sketch + `variable "w" {
  default = 5
}
image "a" {
  prompt = "x"
  precondition {
    condition     = var.w > 7 && image.a.path != ""
    error_message = "w must be over 7, got ${var.w}."
  }
  precondition {
    condition     = self.width > 7
    error_message = "no"
  }
  precondition {
    condition     = 1 == 2
    error_message = "no"
  }
  precondition {
    condition     = fileexists("t.txt")
    error_message = "no file"
  }
  precondition {
    condition     = image.b["l"].width == 3
    error_message = "no"
  }
  precondition {
    condition     = var.w
    error_message = "no"
  }
  precondition {
    condition     = var.w > 6
    error_message = ["no"]
  }
  precondition "x" {
    condition = true
    text      = "no"
  }
}
image "b" {
  for_each = { k = 1, l = 2 }
  prompt   = "x"
  enabled  = each.value == 2
  precondition {
    condition     = each.value > 2
    error_message = "${each.key} is ${each.value}"
  }
}
`}, want: `
a.img.hcl:8:21-8:52 IB0451 image.a: w must be over 7, got 5 {var.w is 5} {image.a.path is "a.png"}
a.img.hcl:12:21-12:31 IB0301 image.a: self is the picture that was made, and is known only in a postcondition | write the condition in a postcondition block of the image
a.img.hcl:16:21-16:27 IB0451 image.a: no
a.img.hcl:16:21-16:27 warning IB0454 image.a: precondition: condition refers to nothing, so it is always the same | name what it is about, such as a variable
a.img.hcl:20:21-20:40 IB0451 image.a: no file
a.img.hcl:24:21-24:44 IB0309 image.a: image.b["l"].width is known only after apply | path and files are known before; results can be used in outputs, checks and postconditions
a.img.hcl:28:21-28:26 IB0204 image.a: precondition: condition must be true or false, and is 5 | write a comparison, such as var.width <= 1024
a.img.hcl:32:21-32:30 IB0451 image.a: the condition does not hold {var.w is 5}
a.img.hcl:33:21-33:27 IB0204 image.a: precondition: error_message must be a string, and ["no"] is a list | write it with quotes
a.img.hcl:35:3-35:19 IB0205 image.a: precondition: error_message is required | add error_message = …
a.img.hcl:35:16-35:19 IB0207 image.a: precondition: the block takes no label | remove it
a.img.hcl:37:5-37:9 IB0202 image.a: precondition: there is no attribute "text" here | one of condition, error_message
a.img.hcl:45:21-45:35 IB0451 image.b["l"]: l is 2 {each.value is 2}
`},
	{name: "conditions in lifecycle", files: files{"a.img.hcl": sketch + `image "a" {
  prompt = "x"
  lifecycle {
    precondition {
      condition     = true
      error_message = "no"
    }
  }
}
`}, want: `
a.img.hcl:5:5-5:17 IB0201 image.a: lifecycle: there is no block "precondition" here | write it in the image itself
`},
	{name: "conflict markers", files: files{"a.img.hcl": sketch + `image "a" {
<<<<<<< HEAD
  prompt = "ours"
=======
  prompt = "theirs"
>>>>>>> theirs
}
`}, want: `
a.img.hcl:3:1-3:2 IB0101 syntax: git left a conflict here | keep what counts of both sides, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>
`},
	{name: "results that are not known yet", files: files{"a.img.hcl": sketch + `
image "a" {
  prompt = "x"
  postcondition {
    condition     = length(self.mime) > 2 && strlen(self.revised_prompt) > 1 && startswith(self.mime, "image/") && regex("[a-z]+", self.mime) == "image"
    error_message = "no ${upper(self.mime)}"
  }
}
output "words" {
  value = length(image.a.revised_prompt)
}
check "words" {
  assert {
    condition     = wordcount(image.a.revised_prompt) > 2
    error_message = "few"
  }
}
`}, want: ``},
	{name: "revised prompts that are withheld", files: files{"a.img.hcl": sketch + `variable "client" {
  default   = "Acme"
  sensitive = true
}
image "a" {
  prompt = "for ${var.client}"
  postcondition {
    condition     = !strcontains(self.revised_prompt, var.client)
    error_message = "no"
  }
  postcondition {
    condition     = self.width > 1
    error_message = "not ${self["revised_prompt"]}"
  }
  postcondition {
    condition     = self.width > 2
    error_message = "not ${var.client}"
  }
}
`}, want: `
a.img.hcl:9:21-9:66 IB0318 image.a: postcondition: self.revised_prompt is withheld, because the prompt is sensitive | leave it out, or write nonsensitive(…) where the prompt is made, if it is no secret
a.img.hcl:13:21-13:35 IB0318 image.a: postcondition: self.revised_prompt is withheld, because the prompt is sensitive | leave it out, or write nonsensitive(…) where the prompt is made, if it is no secret
`},
	{name: "postconditions", files: files{"a.img.hcl": sketch + `variable "w" {
  default = 5
}
image "a" {
  prompt = "x"
  postcondition {
    condition     = self.widht > 7
    error_message = "no"
  }
  postcondition {
    condition     = self.width
    error_message = "no"
  }
  postcondition {
    condition     = self
    error_message = "no"
  }
  postcondition {
    condition     = self.width > 7 && var.w == 6
    error_message = "never, with ${var.w}"
  }
  postcondition {
    condition     = self.width > 7 && !self.blank && self["mime"] == "image/png" && image.a.width > 3
    error_message = "perhaps"
  }
  postcondition {
    condition     = slef.width > 7
    error_message = "no"
  }
  dynamic "postcondition" {
    for_each = [1]
    content {
      condition     = var.w > 7
      error_message = "no"
    }
  }
}
`}, want: `
a.img.hcl:8:25-8:31 IB0317 image.a: self has no attribute "widht" | did you mean "width"?
a.img.hcl:12:21-12:31 IB0204 image.a: postcondition: condition must be true or false, and is a number | write a comparison, such as self.width >= 1024
a.img.hcl:16:21-16:25 IB0301 image.a: self is not a value by itself | write self.width, or another of its attributes
a.img.hcl:20:21-20:49 IB0452 image.a: never, with 5 {var.w is 5}
a.img.hcl:28:21-28:31 IB0301 image.a: there is nothing called slef here | did you mean "self"?
a.img.hcl:31:11-31:26 IB0203 image.a: dynamic: a postcondition can't be generated | write one with alltrue([for … : …])
`},
	{name: "checks and outputs", files: files{"a.img.hcl": sketch + `variable "w" {
  default = 5
}
image "a" {
  prompt = "x"
}
check "none" {}
check "a" {
  asert {}
  data "x" "y" {}
}
check "a" {
  assert {
    condition     = image.a.width > 3
    error_message = "no"
  }
}
check "b" {
  assert {
    condition     = image.a.widt > 3
    error_message = self.width
  }
  assert {
    condition     = var.w == 6
    error_message = "told by Checks"
  }
}
output "o" {
  value = image.a.width
  precondition {
    condition     = image.a.width > 3 && var.w == 6
    error_message = "w is ${var.w}"
  }
  precondition {
    condition     = image.a.width > 3
    error_message = "not known"
  }
}
`}, want: `
a.img.hcl:8:1-8:13 IB0205 check.none: a check needs an assert block | add assert { condition = … error_message = … }
a.img.hcl:9:1-9:10 IB0205 check.a: a check needs an assert block | add assert { condition = … error_message = … }
a.img.hcl:10:3-10:8 IB0201 check.a: there is no block "asert" here | did you mean "assert"?
a.img.hcl:11:3-11:7 IB0203 check.a: data is not supported by this version | remove it for now
a.img.hcl:13:1-13:10 IB0206 check.a: is declared twice | rename one of them <a.img.hcl:9:1 the first one>
a.img.hcl:21:28-21:33 IB0317 check.b: an image has no attribute "widt" to read | did you mean "width"?
a.img.hcl:22:21-22:31 IB0301 check.b: self is the picture that was made, and is known only in a postcondition | write the condition in a postcondition block of the image
a.img.hcl:32:21-32:52 IB0451 output.o: w is 5 {var.w is 5}
`},
	{name: "what is not enabled", files: files{"a.img.hcl": sketch + `variable "on" {
  default = false
}
image "a" {
  prompt  = "a"
  enabled = var.on
}
image "k" {
  for_each = toset(["x", "y"])
  prompt   = "k"
  enabled  = each.key == "x"
}
image "empty" {
  prompt   = join("", [])
  provider = sketch
}
image "quoted" {
  prompt = "q"
  edit { 
    image = "image.l" 
  }
}
output "a" {
  value = image.a.path
}
output "asked" {
  value = [var.on ? image.a.path : "none", try(image.a.path, "none"), keys(image.k), image.k["y"].path]
}
image "l" {
  prompt = "l"
  dynamic "lifecycle" {
    for_each = [1]
    content {
      protect = true
    }
  }
}
module "m" {
  source     = "./m"
  secret     = "hunter2"
  depends_on = [image.a]
  version    = "1"
  providers  = { skech = provider.sketch }
}
`, "m/m.img.hcl": `variable "secret" {
  sensitive = true
}
image "s" {
  prompt   = var.secret
  provider = provider.sketch
}
`}, want: `
a.img.hcl:15:14-15:26 IB0205 image.empty: prompt is empty | say what the picture shows
a.img.hcl:16:14-16:20 IB0301 image.empty: there is nothing called sketch here | write provider.sketch
a.img.hcl:21:13-21:22 IB0412 image.quoted: "image.l" is an image, and not a file | write image.l, without quotes
a.img.hcl:25:11-25:18 IB0317 output.a: image.a is not enabled | ask first, as in var.on ? image.a.path : null, or try(image.a.path, null)
a.img.hcl:28:86-28:98 IB0317 output.asked: image.k["y"] is not enabled | ask first, as in var.on ? image.k["y"].path : null, or try(image.k["y"].path, null)
a.img.hcl:32:11-32:22 IB0201 image.l: dynamic: lifecycle can't be dynamic: it holds also for images that are gone | write lifecycle { protect = … }, whose values may be expressions
a.img.hcl:42:3-42:13 IB0202 module.m: a module block takes no depends_on | write depends_on in the images of the module
a.img.hcl:43:3-43:10 IB0202 module.m: a module block takes no version | remove it: a folder of the project has no versions
a.img.hcl:44:16-44:43 IB0301 module.m: providers: the module knows no provider "skech" | did you mean "sketch"?
`},
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for _, c := range findingCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, l := Load(c.files, c.opt)
			if p == nil {
				t.Fatal("there is no project")
			}
			same(t, lines(l), strings.TrimSpace(c.want))
		})
	}
}

// A code that is told is in the table. That each is shown is for TestEachCode.
func TestCodesHaveLines(t *testing.T) {
	t.Parallel()
	for _, c := range findingCases {
		_, l := Load(c.files, c.opt)
		for _, f := range l {
			if Codes[f.Code] == "" {
				t.Errorf("%s has no line in Codes", f.Code)
			}
		}
	}
}
