// Package hostile is configurations of up to a megabyte that mean harm: each
// took a program like ours minutes, gigabytes or its life, or is the most that a
// limit of ours lets pass. Projects lists them for tests and for make torture,
// which hold imgbuild to a promise: none is fatal, or takes more than 2 s of one
// processor or 256 MB. What stands beside an input is no part of it: the sizes
// are of all files together.
//
// For tests and package torture. It must know nothing of imgbuild but its
// language.
package hostile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	Most  = 1 << 20 // the size of all files of a project, in bytes
	Count = 194     // the length of Projects, for who has no room for them
)

// Project is a configuration.
type Project struct {
	Name  string
	Files map[string]string // by slash path
}

var r = strings.Repeat

const sketch = "provider \"sketch\" {}\n"

// fill is head, as many of piece as fit, and foot.
func fill(head, piece, foot string) string {
	return head + r(piece, (Most-len(head)-len(foot)-100)/len(piece)) + foot
}

// count is head, as many numbered pieces as fit, at most n, and foot. %[1]d in a
// piece is its number, %[2]d that of the next.
func count(n int, head, piece, foot string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		s := fmt.Sprintf(piece, i, (i+1)%n)
		if b.Len()+len(s)+len(foot)+100 > Most {
			break
		}
		b.WriteString(s)
	}
	b.WriteString(foot)
	return b.String()
}

func locals(of string) string { return "locals {\n" + of + "\n}\n" }

func local(e string) string { return locals("  x = " + e) }

// doubling is n locals, each made of ten of the one before.
func doubling(n int, format string) string {
	return count(n, "locals {\n  l_ = \"0123456789\"\n  l0 = \"0123456789\"\n", format, "}\n")
}

const many = 1 << 20

// Projects is all of them, by name.
func Projects() []Project {
	one := map[string]string{
		// The parser.
		"parentheses":             fill("locals {\n a = ", "(", ""),
		"parentheses, closed":     "locals {\n a = " + r("(", many/2-100) + "1" + r(")", many/2-100) + "\n}\n",
		"lists":                   fill("a = ", "[", ""),
		"objects":                 fill("a = ", "{a=", ""),
		"calls":                   fill("a = ", "f(", ""),
		"for in for":              fill("a = ", "[for x in ", ""),
		"templates in templates":  fill("a = ", "\"${", ""),
		"templates in heredocs":   fill("a = ", "<<E\n${", ""),
		"blocks in blocks":        fill("", "a {\n", ""),
		"not":                     fill("a = ", "!", ""),
		"minus":                   fill("a = ", "-", ""),
		"plus":                    fill("a = 1", "+1", "\n"),
		"plus, allowed":           count(many, "locals {\n", "  a%[1]d = 1"+r("+1", 9_990)+"\n", "}\n"),
		"conditionals":            fill("a = ", "b?c:", "1\n"),
		"conditionals, allowed":   count(many, "locals {\n", "  a%[1]d = "+r("false?1:", 4_990)+"1\n", "}\n"),
		"not, allowed":            count(many, "locals {\n", "  a%[1]d = "+r("!", 9_990)+"true\n", "}\n"),
		"parentheses, allowed":    count(many, "locals {\n", "  a%[1]d = "+r("(", 250)+"1"+r(")", 250)+"\n", "}\n"),
		"lists, allowed":          count(many, "locals {\n", "  a%[1]d = "+r("[", 250)+"1"+r("]", 250)+"\n", "}\n"),
		"templates, allowed":      count(many, "locals {\n", "  a%[1]d = "+r("\"${", 120)+"1"+r("}\"", 120)+"\n", "}\n"),
		"indexes":                 fill("a = b", "[0]", "\n"),
		"splats":                  fill("a = b", ".*.c", "\n"),
		"a chain of names":        fill("a = {}", ".a", "\n"),
		"names, allowed":          count(many, "locals {\n", "  a%[1]d = {}"+r(".a", 9_990)+"\n", "}\n"),
		"directives":              fill("a = \"", "%{if x}", "\n"),
		"a heredoc of lines":      fill("a = <<E\n", "x\n", "E\n"),
		"a heredoc of bytes":      fill("a = <<E\n", "x", "\nE\n"),
		"heredocs, allowed":       count(many, "locals {\n", "  a%[1]d = <<E\n"+r("x\n", 1_990)+"E\n", "}\n"),
		"flush heredocs, allowed": count(many, "locals {\n", "  a%[1]d = <<-E\n"+r("    x ${1}\n", 1_990)+"  E\n", "}\n"),
		"long heredocs, allowed":  count(many, "locals {\n", "  a%[1]d = <<E\n"+r("x", 250<<10)+"\nE\n", "}\n"),
		"an unclosed heredoc":     fill("a = <<E\n", "x y z", ""),
		"a text":                  fill("locals {\n  a = \"", "x", "\"\n}\n"),
		"a text of escapes":       fill("locals {\n  a = \"", "\\n", "\"\n}\n"),
		"a text of marks":         fill("locals {\n  a = \"", "e\u0301\u0302", "\"\n}\n"),
		"an unclosed text":        fill("locals {\n  a = \"", "x", ""),
		"a text in pieces":        fill("locals {\n  a = \"", "${1}", "\"\n}\n"),
		"comments":                fill("", "# x\n", ""),
		"a comment":               fill("/*", "*", "*/\n"),
		"empty lines":             fill("", "\n", ""),
		"small values":            count(many, "locals {\n", "a%[1]d=1\n", "}\n"),
		"one value again":         fill("locals {\n", "a=1\n", "}\n"),
		"a list of numbers":       fill("locals {\n  a = [", "1,", "1]\n}\n"),
		"a list of texts":         fill("locals {\n  a = [", "\"\",", "1]\n}\n"),
		"a list of lists":         fill("locals {\n  a = [", "[],", "1]\n}\n"),
		"an object":               count(many, "locals {\n  a = {", "a%[1]d=1,", "}\n}\n"),
		"an object of one key":    fill("locals {\n  a = {", "a=1,", "}\n}\n"),
		"a list of names":         fill("locals {\n  a = [", "b,", "b]\n}\n"),
		"a list of locals":        fill("locals {\n  b = 1\n  a = [", "local.b,", "1]\n}\n"),
		"a list of calls":         fill("locals {\n  a = [", "abs(1),", "1]\n}\n"),
		"a list of unknown calls": fill("locals {\n  a = [", "asb(1),", "1]\n}\n"),
		"a list of sums":          fill("locals {\n  a = [", "1+1,", "1]\n}\n"),
		"a list of for":           fill("locals {\n  a = [", "[for x in []:x],", "1]\n}\n"),
		"a list of splats":        fill("locals {\n  a = [", "[][*].a,", "1]\n}\n"),
		"one block again":         fill("", "image \"a\" {}\n", ""),
		"blocks":                  count(many, sketch, "image \"i%[1]d\" {}\n", ""),
		"unknown blocks":          fill("", "a {}\n", ""),
		"unknown attributes":      count(many, sketch+"image \"a\" {\n  prompt = \"x\"\n", "a%[1]d=1\n", "}\n"),
		"attributes outside":      count(many, "", "a%[1]d=1\n", ""),
		"wrong signs":             fill("", "@ ", ""),
		"single quotes":           fill("locals {\n a = ", "'", ""),
		"wrong blocks":            fill("", "a b c\n", ""),
		"letters of all scripts":  fill("locals {\n", "é日=1\n", "}\n"),
		"a number":                fill("locals {\n  a = ", "1", "\n}\n"),
		"numbers, allowed":        count(many, "locals {\n", "  a%[1]d = "+r("1", 4_000)+"\n", "}\n"),
		"an exponent":             local("1e999999999999"),
		"a large exponent":        local("1e100000000 % 7"),
		// Declarations.
		"small images":       count(many, sketch, "image \"i%[1]d\" {\n prompt=\"x\"\n}\n", ""),
		"images that wait":   count(many, sketch+"locals {\n  p = \"x\"\n}\n", "image \"i%[1]d\" {\n prompt=local.p\n}\n", ""),
		"unknown references": count(many, sketch, "image \"i%[1]d\" {\n prompt=image.j%[1]d.path\n}\n", ""),
		"a chain of edits":   count(12_000, sketch, "image \"i%[1]d\" {\n  prompt = \"x\"\n  edit {\n    image = image.i%[2]d\n  }\n}\n", ""),
		"one path":           count(many, sketch, "image \"i%[1]d\" {\n prompt=\"x\"\n path=\"a.png\"\n}\n", ""),
		"paths in paths":     count(many, sketch, "image \"i%[1]d\" {\n prompt=\"x\"\n path=\""+r("a/", 200)+"%[1]d.png\"\n}\n", ""),
		"a path":             fill(sketch+"image \"a\" {\n  prompt = \"x\"\n  path   = \"", "a/", "a.png\"\n}\n"),
		"a name":             fill(sketch+"image \"", "a", "\" {\n  prompt = \"x\"\n}\n"),
		"variables":          count(many, "", "variable \"v%[1]d\" {\n}\n", ""),
		"variables of types": count(many, "", "variable \"v%[1]d\" {\n  type = list(object({a=optional(map(number))}))\n  default = [{}]\n}\n", ""),
		"a deep type":        "variable \"v\" {\n  type = " + r("list(", 250) + "any" + r(")", 250) + "\n  default = []\n}\n",
		"a wide type":        count(many, "variable \"v\" {\n  type = object({", "a%[1]d=optional(string,\"x\"),", "})\n  default = {}\n}\n"),
		"validations":        count(many, "variable \"v\" {\n  default = 1\n", "  validation {\n    condition = var.v == %[1]d\n    error_message = \"x\"\n  }\n", "}\n"),
		"outputs":            count(many, "", "output \"o%[1]d\" {\n  value = %[2]d\n}\n", ""),
		"checks":             count(many, "", "check \"c%[1]d\" {\n  assert {\n    condition = 1 == %[2]d\n    error_message = \"x\"\n  }\n}\n", ""),
		"renditions":         count(many, sketch+"image \"a\" {\n  prompt = \"x\"\n", "  rendition \"r%[1]d\" {\n    width = 1 + %[2]d\n  }\n", "}\n"),
		"manifests":          count(many, sketch+"imgbuild {\n", "  manifest \"json\" {\n    path = \"m%[1]d.json\"\n  }\n", "}\n"),
		"sets of renditions": count(many, sketch, "image \"a%[1]d\" {\n  prompt = \"x\"\n  responsive {\n    widths = range(%[2]d, 4096, 64)\n    formats = [\"webp\", \"jpeg\", \"png\"]\n  }\n  icon {}\n}\n", ""),
		"large sets":         sketch + "image \"a\" {\n  for_each = toset([for i in range(1024): tostring(i)])\n  prompt = \"x\"\n  responsive {\n    widths = range(1, 1000)\n    formats = [\"webp\", \"jpeg\", \"png\"]\n  }\n}\n",
		"cards":              count(many, sketch, "image \"a%[1]d\" {\n  prompt = \"x\"\n  social {\n    title = \""+r("lake ", 40)+"\"\n  }\n}\n", ""),
		"a card":             fill(sketch+"image \"a\" {\n  prompt = \"x\"\n  social {\n    title = \"", "lake ", "\"\n  }\n}\n"),
		"a card of one word": fill(sketch+"image \"a\" {\n  prompt = \"x\"\n  social {\n    title = \"", "w", "\"\n  }\n}\n"),
		"providers":          count(many, sketch, "provider \"sketch\" {\n  alias = \"a%[1]d\"\n}\n", ""),
		"presets":            count(many, sketch, "preset \"p%[1]d\" {\n  preset = preset.p%[2]d\n}\n", ""),
		"moves":              count(many, sketch, "moved {\n  from = image.a%[1]d\n  to = image.a%[2]d\n}\n", ""),
		"removals":           count(many, sketch, "removed {\n  from = image.a%[1]d\n}\n", ""),
		"imports":            count(many, sketch, "import {\n  to = image.a%[1]d\n  path = \"a.png\"\n}\n", ""),
		"budgets":            count(many, sketch, "budget \"b%[1]d\" {\n  max_cost = 1\n  tags = [\"a\"]\n}\n", ""),
		"functions":          count(many, "", "function \"f%[1]d\" {\n  params = [x]\n  result = f%[2]d(x)\n}\n", ""),
		"tags":               count(many, sketch+"image \"a\" {\n  prompt = \"x\"\n  tags = [", "\"t%[1]d\",", "]\n}\n"),
		"dependencies":       count(60_000, sketch+"image \"a\" {\n  prompt = \"x\"\n}\nimage \"b\" {\n  prompt = \"x\"\n  depends_on = [", "image.a,", "]\n}\n"),
		// References.
		"a circle of locals": count(40_000, "locals {\n", "  l%[1]d = local.l%[2]d\n", "}\n"),
		"a chain of locals":  count(40_000, "locals {\n", "  l%[1]d = local.l%[2]d\n", "  l39999 = 1\n}\n"),
		"all locals in each": count(300, "locals {\n", "  l%[1]d = {a = ["+strings.TrimSuffix(count(300, "", "local.l%[1]d, ", ""), ", ")+"]}\n", "}\n"),
		"unknown long names": count(many, "locals {\n", "  a%[1]d = local."+r("b", 500)+"%[2]d\n", "}\n"),
		"doubling functions": count(60, "", "function \"f%[2]d\" {\n  params = [x]\n  result = [f%[1]d(x), f%[1]d(x)]\n}\n", "function \"f_\" {\n  params = [x]\n  result = x\n}\nlocals {\n  x = f59(1)\n}\n"),
		"keys of each other": sketch + count(2_000, "", "image \"i%[1]d\" {\n  for_each = image.i%[2]d\n  prompt = \"x\"\n}\n", ""),
		"presets of each":    sketch + "preset \"p\" {\n  style = \"x\"\n}\nimage \"a\" {\n  for_each = toset([for i in range(1024): tostring(i)])\n  prompt = join(\",\", [for j in range(1024): each.key])\n  preset = preset.p\n}\n",
		// Evaluation.
		"four loops":           local("[for a in range(1024): [for b in range(1024): [for c in range(1024): [for d in range(1024): d]]]]"),
		"loops in a template":  local(`"%{for a in range(1000)}%{for b in range(1000)}%{for c in range(1000)}x%{endfor}%{endfor}%{endfor}"`),
		"loops in try":         local("try([for a in range(1000): [for b in range(1000): [for c in range(1000): c]]], 1)"),
		"loops in conditions":  local("[for a in range(1000): a if length([for b in range(1000): b if length([for c in range(1000): c]) > 0]) > 0]"),
		"loops of splats":      local("[for a in range(1000): [for b in range(1000): range(1000)[*]]]"),
		"many loops":           count(100, "locals {\n", "  l%[1]d = [for a in range(1024): [for b in range(1024): b]]\n", "}\n"),
		"many large values":    count(1000, "locals {\n", "  l%[1]d = [for a in range(700): range(700)]\n", "}\n"),
		"many loops that fail": count(1000, "locals {\n", "  l%[1]d = [for a in range(1024): [for b in range(1024): b.x]]\n", "}\n"),
		"many texts":           count(1000, "locals {\n", "  l%[1]d = [for a in range(1024): join(\"\", range(1024))]\n", "}\n"),
		"many objects":         count(1000, "locals {\n", "  l%[1]d = {for a in range(1024): a => {for b in range(500): b => {}}}\n", "}\n"),
		"doubling texts":       doubling(10, "  l%[2]d = \""+r("${local.l%[1]d}", 10)+"\"\n"),
		"doubling lists":       doubling(10, "  l%[2]d = ["+r("local.l%[1]d, ", 10)+"]\n"),
		"doubling sets":        doubling(10, "  l%[2]d = toset(["+r("[local.l%[1]d], ", 10)+"])\n"),
		"comparing":            local("[for a in range(1000): local.y == local.y]\n  y = [for a in range(1000): range(1000)]"),
		"comparing sets":       local("[for a in range(1000): local.y == local.y]\n  y = toset([for a in range(1000): [a, range(10)]])"),
		"mixed conditionals":   local("[for a in range(1000): a > 5 ? [for b in range(1000): b > 5 ? [b] : []] : []]"),
		"setproduct":           local("setproduct(" + r("range(10), ", 7) + "range(10))"),
		"setproduct, allowed":  local("[for i in range(100): setproduct(range(250), range(250))]"),
		"join":                 local("join(local.y, range(1000))\n  y = \"" + r("a", 100_000) + "\""),
		"replace":              local("replace(local.y, \"a\", local.y)\n  y = \"" + r("a", 100_000) + "\""),
		"replace, allowed":     local("[for i in range(1000): replace(local.y, \"/(a+)+b/\", \"$1\")]\n  y = \"" + r("a", 10_000) + "\""),
		"a pattern":            local("[for i in range(1000): regexall(\"(a|b|ab)*c{1,1000}\", local.y)]\n  y = \"" + r("ab", 5_000) + "\""),
		"a long pattern":       local("regex(\"" + r("(a{0,30}){0,30}", 1000) + "\", \"a\")"),
		"format":               local("format(\"" + r("%[1]s", 100) + "\", local.y)\n  y = \"" + r("a", 100_000) + "\""),
		"a wide format":        local("format(\"%1000000000d\", 1)"),
		"formatlist":           local("formatlist(\"" + r("x", 100_000) + "%s\", range(1000))"),
		"sort":                 local("[for i in range(100): sort([for a in range(1024): format(\"%s%04d\", \"" + r("x", 500) + "\", a)])]"),
		"distinct":             local("distinct(flatten([for a in range(300): [for b in range(300): \"${a}-${b}\"]]))"),
		"distinct objects":     local("distinct(flatten([for a in range(100): [for b in range(100): {a = a, b = [b]}]]))"),
		"sets":                 local("[for i in range(100): setunion([for a in range(1024): [a]], [for a in range(1024): [a, i]])]"),
		"a set of objects":     local("toset(flatten([for a in range(200): [for b in range(200): {a = a, b = b}]]))"),
		"flatten":              local("flatten([for a in range(1000): range(1000)])"),
		"merge":                local("merge([for i in range(500): {for k in range(500): \"k${i}-${k}\" => i}]...)"),
		"yaml":                 local(`yamldecode("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]")`),
		"digests":              local("[for i in range(1024): [for k in range(1024): sha512(\"" + r("x", 60_000) + "${i}${k}\")]]"),
		"compression":          local("[for i in range(1024): base64gzip(\"" + r("xyz", 60_000) + "${i}\")]"),
		"encodings":            local("[for i in range(1024): jsonencode(local.y)]\n  y = [for a in range(300): range(300)]"),
		"characters":           local("[for i in range(1024): strrev(\"" + r("e\u0301", 60_000) + "\")]"),
		"indents":              local(`indent(1000000000, "a\nb")`),
		"cidr and time":        local("[for i in range(1024): [for k in range(1024): try(timeadd(\"2020-01-01T00:00:00Z\", \"${i}h\"), 1)]]"),
		"numbers with digits":  local("[for i in range(1000): pow(3, 9000 + i) * pow(7, 5000 + i)]"),
		"images of a loop":     sketch + "image \"a\" {\n  for_each = toset(flatten([for a in range(500): [for b in range(500): \"${a}-${b}\"]]))\n  prompt = each.key\n}\n",
		"images with words":    sketch + "locals {\n  long = \"" + r("word ", 4_000) + "\"\n}\nimage \"a\" {\n  for_each = toset(flatten([for a in range(200): [for b in range(500): \"${a}-${b}\"]]))\n  prompt = \"${each.key} ${local.long}\"\n}\n",
		"many for_each":        sketch + count(1000, "", "image \"i%[1]d\" {\n  for_each = toset([for a in range(1000): \"k${a}\"])\n  prompt = each.key\n}\n", ""),
		"dynamic blocks":       sketch + "image \"a\" {\n  prompt = \"x\"\n  dynamic \"rendition\" {\n    for_each = range(100000)\n    labels = [\"r${rendition.value}\"]\n    content {\n      width = rendition.value + 1\n    }\n  }\n}\n",
		"dynamic in dynamic":   sketch + "image \"a\" {\n  prompt = \"x\"\n  dynamic \"edit\" {\n    for_each = range(1000)\n    content {\n      dynamic \"mask\" {\n        for_each = range(1000)\n        content {}\n      }\n    }\n  }\n}\n",
		"alternatives":         local("fileset(\".\", \"" + r("{a,b}", 30) + "\")"),
		"conditions of images": sketch + "image \"a\" {\n  for_each = toset([for a in range(1000): \"k${a}\"])\n  prompt = each.key\n  postcondition {\n    condition = length([for a in range(1000): a if self.width > a]) > 0\n    error_message = \"x\"\n  }\n}\n",
	}
	all := []Project{
		{"json: arrays", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": ", "[", "")}},
		{"json: numbers", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": [", "0,", "0]}}")}},
		{"json: texts", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": [", "\"\",", "0]}}")}},
		{"json: empty arrays", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": [", "[],", "0]}}")}},
		{"json: empty objects", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": [", "{},", "0]}}")}},
		{"json: objects", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": [", "{\"\":0},", "0]}}")}},
		{"json: properties", map[string]string{"a.img.json": count(many, "{\"locals\": {", "\"a%[1]d\":0,", "\"b\":0}}")}},
		{"json: one property again", map[string]string{"a.img.json": fill("{\"locals\": {", "\"a\":0,", "\"b\":0}}")}},
		{"json: templates", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": [", "\"${1}\",", "0]}}")}},
		{"json: a template", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": \"", "${1}", "\"}}")}},
		{"json: images", map[string]string{"a.img.hcl": sketch, "b.img.json": count(10_000, "{\"image\": {", "\"i%[1]d\":{\"prompt\":\"x\"},", "\"b\":{\"prompt\":\"x\"}}}")}},
		{"json: blocks of nothing", map[string]string{"a.img.hcl": sketch, "b.img.json": fill("{\"image\": {\"a\":[", "{},", "{}]}}")}},
		{"json: wrong signs", map[string]string{"a.img.json": fill("{", "@,", "")}},
		{"json: a number", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": ", "1", "}}")}},
		{"json: escapes", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": \"", "\\u0041", "\"}}")}},
		{"json: an unclosed text", map[string]string{"a.img.json": fill("{\"locals\": {\"a\": \"", "x", "")}},
		{"values: numbers", map[string]string{"a.img.hcl": "variable \"v\" {\n  type = any\n}\n", "x.auto.imgvars": fill("v = [", "1,", "1]\n")}},
		{"values: of a type", map[string]string{"a.img.hcl": "variable \"v\" {\n  type = list(object({a=optional(string)}))\n}\n", "x.auto.imgvars": fill("v = [", "{a=1},", "{}]\n")}},
		{"values: names", map[string]string{"a.img.hcl": sketch, "x.auto.imgvars": count(many, "", "a%[1]d=1\n", "")}},
		{"values: json", map[string]string{"a.img.hcl": "variable \"v\" {\n  type = any\n}\n", "x.auto.imgvars.json": fill("{\"v\": [", "0,", "1]}")}},
		{"data: json", map[string]string{"a.img.hcl": local("jsondecode(file(\"d\"))"), "d": fill("[", "0,", "0]")}},
		{"data: json objects", map[string]string{"a.img.hcl": local("jsondecode(file(\"d\"))"), "d": fill("[", "{\"a\":0},", "0]")}},
		{"data: json, often", map[string]string{"a.img.hcl": local("[for i in range(1000): jsondecode(file(\"d\"))]"), "d": "[" + r("0,", 50_000) + "0]"}},
		{"data: csv", map[string]string{"a.img.hcl": local("csvdecode(file(\"d\"))"), "d": fill("a,b\n", "1,2\n", "")}},
		{"data: a wide csv", map[string]string{"a.img.hcl": local("csvdecode(file(\"d\"))"), "d": count(60_000, "", "a%[1]d,", "b\n") + r(",", 60_000) + "\n"}},
		{"data: yaml", map[string]string{"a.img.hcl": local("yamldecode(file(\"d\"))"), "d": fill("", "- a\n", "")}},
		{"data: yaml brackets", map[string]string{"a.img.hcl": local("yamldecode(file(\"d\"))"), "d": fill("", "[", "")}},
		{"data: yaml, a list", map[string]string{"a.img.hcl": local("yamldecode(file(\"d\"))"), "d": fill("[", "a,", "a]")}},
		{"data: yaml keys", map[string]string{"a.img.hcl": local("yamldecode(file(\"d\"))"), "d": count(many, "", "a%[1]d: b\n", "")}},
		{"data: front matter", map[string]string{"a.img.hcl": local("frontmatter(\"d\")"), "d": fill("---\n", "- a\n", "---\n")}},
		{"data: a template", map[string]string{"a.img.hcl": local("templatefile(\"d\", {})"), "d": fill("", "${1}", "")}},
		{"data: a template of loops", map[string]string{"a.img.hcl": local("[for i in range(1000): templatefile(\"d\", {i = i})]"), "d": r("%{for a in range(1000)}${a}${i}%{endfor}", 100)}},
		{"data: templates", map[string]string{"a.img.hcl": local("[for i in range(1000): templatestring(\"" + r("$${a}", 1000) + "${i}\", {a = i})]")}},
		{"data: a text, often", map[string]string{"a.img.hcl": local("[for i in range(1000): file(\"d\")]"), "d": r("x", 900_000)}},
		{"data: lines", map[string]string{"a.img.hcl": local("split(\"\\n\", file(\"d\"))"), "d": fill("", "\n", "")}},
		{"modules: of modules", modules(20, "../m%d")},
		{"modules: in each", map[string]string{"a.img.hcl": sketch + "module \"m\" {\n  source = \"./m\"\n  for_each = toset(flatten([for a in range(400): [for b in range(500): \"${a}-${b}\"]]))\n}\n", "m/a.img.hcl": "image \"a\" {\n  prompt = \"x\"\n}\n"}},
		{"modules: with images in each", map[string]string{"a.img.hcl": sketch + "module \"m\" {\n  source = \"./m\"\n  for_each = toset([for a in range(1000): \"k${a}\"])\n}\n", "m/a.img.hcl": "image \"a\" {\n  for_each = toset([for a in range(1000): \"k${a}\"])\n  prompt = \"x\"\n}\n"}},
		{"modules: large", map[string]string{"a.img.hcl": sketch + "module \"m\" {\n  source = \"./m\"\n  for_each = toset([for a in range(1000): \"k${a}\"])\n}\n", "m/a.img.hcl": count(10_000, "", "image \"i%[1]d\" {\n  prompt = \"x\"\n}\n", "")}},
		{"modules: of locals", map[string]string{"a.img.hcl": sketch + "module \"m\" {\n  source = \"./m\"\n  for_each = toset([for a in range(1000): \"k${a}\"])\n}\n", "m/a.img.hcl": count(30_000, "locals {\n", "  l%[1]d = %[2]d\n", "}\noutput \"x\" {\n  value = local.l0\n}\n")}},
		{"modules: calls", map[string]string{"a.img.hcl": count(20_000, sketch, "module \"m%[1]d\" {\n  source = \"./m\"\n}\n", ""), "m/a.img.hcl": "image \"a\" {\n  prompt = \"x\"\n}\n"}},
		{"files", numbered(5_000, "image \"i%d\" {\n  prompt = \"x\"\n}\n")},
		{"files with mistakes", numbered(5_000, "image \"i%d\" {\n  prompt = 'x'\n}\n")},
	}
	for _, name := range sorted(one) {
		all = append(all, Project{name, map[string]string{"a.img.hcl": one[name]}})
	}
	return all
}

// Damaged is p with one of its files cut short, or with pieces of it removed,
// moved or repeated, as a fuzzer does.
func Damaged(p Project, luck *rand.Rand) Project {
	files := maps.Clone(p.Files)
	names := sorted(files)
	name := names[luck.IntN(len(names))]
	text, room := files[name], Most
	for other, text := range files {
		if other != name {
			room -= len(text)
		}
	}
	for range 1 + luck.IntN(4) {
		at, to := luck.IntN(len(text)+1), luck.IntN(len(text)+1)
		piece := text[at:min(at+1+luck.IntN(64), len(text))]
		switch luck.IntN(4) {
		case 0:
			text = text[:at]
		case 1:
			text = text[:at] + text[at+len(piece):]
		case 2:
			text = text[:to] + piece + text[to:]
		case 3:
			text = text[:to] + r(piece, luck.IntN(1000)) + text[to:]
		}
		text = text[:min(len(text), room)]
	}
	files[name] = text
	return Project{p.Name + ", damaged", files}
}

// modules is n folders, each of which calls the next one twice.
func modules(n int, next string) map[string]string {
	call := func(name, to string) string {
		return fmt.Sprintf("module %q {\n  source = %q\n}\n", name, to)
	}
	out := map[string]string{"a.img.hcl": sketch + call("m", "./m0")}
	for i := range n {
		to := fmt.Sprintf(next, i+1)
		out[fmt.Sprintf("m%d/m.img.hcl", i)] = call("a", to) + call("b", to)
	}
	out[fmt.Sprintf("m%d/m.img.hcl", n)] = "image \"a\" {\n  prompt = \"x\"\n}\n"
	return out
}

// numbered is n files.
func numbered(n int, format string) map[string]string {
	out := map[string]string{"a.img.hcl": sketch}
	for i := range n {
		out[fmt.Sprintf("f%d.img.hcl", i)] = fmt.Sprintf(format, i)
	}
	return out
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
