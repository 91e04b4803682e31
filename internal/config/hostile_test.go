package config

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// Each of these took minutes or gigabytes, in the loading or in what was said of
// it. What is told is bounded, too.
func TestHostileConfigurations(t *testing.T) {
	t.Parallel()
	r := strings.Repeat
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i, (i+1)%n)
		}
		return b.String()
	}
	all := strings.TrimSuffix(numbered(100, "local.l%[1]d, "), ", ")
	for name, c := range map[string]struct {
		src   string
		opt   Options
		code  string // of each finding, "" for none
		most  int    // findings
		bytes int    // of all that is told
	}{
		"many small values":      {src: "locals {\n" + r("a=1\n", 300_000) + "}\n", code: codeTooBig, most: 1, bytes: 300},
		"many blocks":            {src: r("image \"a\" {}\n", 250_000), code: codeTooBig, most: 1, bytes: 300},
		"many in a string":       {src: "locals {\n  a = \"" + r("${1}", 400_000) + "\"\n}\n", code: codeTooBig, most: 1, bytes: 300},
		"many in all files":      {src: numbered(100, "image \"i%d\" {}\n"), opt: Options{tokens: 400}, code: codeTooBig, most: 1, bytes: 300},
		"a chain of names":       {src: "locals {\n  a = {}" + r(".a", 200_000) + "\n}\n", code: codeTooLong, most: 1, bytes: 300},
		"a circle":               {src: "locals {\n" + numbered(900, "  l%d = local.l%d\n") + "}\n", code: codeCycle, most: 1, bytes: 2000},
		"circles of all":         {src: "locals {\n" + numbered(100, "  l%[1]d = {a = ["+all+"]}\n") + "}\n", opt: Options{steps: 1 << 12}, code: codeCycle + " " + codeBudget, most: 400, bytes: 400_000},
		"a circle of edits":      {src: sketch + numbered(2000, "image \"i%d\" {\n  prompt = \"x\"\n  edit {\n    image = image.i%d\n  }\n}\n"), code: codeEdgeCycle, most: 1, bytes: 3000},
		"long names":             {src: sketch + "image \"" + r("a", 1<<20) + "\" {\n  prompt = image." + r("b", 1<<20) + ".path\n}\n", code: codeUnknownName + " " + codePath, most: 2, bytes: 3 << 20},
		"a long key":             {src: sketch + "image \"a\" {\n  prompt   = each.value\n  for_each = { " + r("b", 1<<20) + " = \"x\" }\n}\n", code: codePath, most: 1, bytes: 2 << 20},
		"a path of many folders": {src: sketch + "image \"a\" {\n  prompt = \"x\"\n  path   = \"" + r("a/", 100_000) + "a.png\"\n}\n", code: codePath, most: 1, bytes: 3000},
		"alternatives":           {src: "locals {\n  a = fileset(\".\", \"" + r("{a,b}", 30) + "\")\n}\n", code: codeFunction, most: 1, bytes: 300},
		"nested alternatives":    {src: "locals {\n  a = fileset(\".\", \"" + r("{{a,b},", 30) + r("c}", 30) + r("{a,b}", 8) + "\")\n}\n", code: codeFunction, most: 1, bytes: 300},
		"some alternatives":      {src: "locals {\n  a = fileset(\".\", \"**/*.{md,mdx,html,{jpg,jpeg},\\\\{}\")\n}\n"},
		"many outputs":           {src: numbered(20_000, "output \"o%d\" {\n  value = %d\n}\n")},
		"many renditions":        {src: sketch + "image \"a\" {\n  prompt = \"x\"\n" + numbered(15_000, "  rendition \"r%d\" {\n    width = 1 + %d\n  }\n") + "}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, l := Load(files{"a.img.hcl": c.src}, c.opt)
			if len(l) > c.most || c.code != "" && len(l) == 0 {
				t.Errorf("%d findings: %.1000s", len(l), lines(l))
			}
			told := 0
			for _, f := range l {
				if f.Code == "" || !strings.Contains(c.code, f.Code) {
					t.Errorf("want %s, got %.300s", c.code, line(f))
				}
				told += len(line(f))
			}
			if told > c.bytes {
				t.Errorf("%d bytes are told: %.1000s", told, lines(l))
			}
		})
	}
}

// A long name is compared with those around it, and not letter by letter with
// one of another length.
func TestNearestAmongMany(t *testing.T) {
	t.Parallel()
	var known []string
	for i := range 100_000 {
		known = append(known, fmt.Sprintf("post_%06d", i))
	}
	for name, want := range map[string]string{
		"post_04242":              `did you mean "post_042042"?`,
		"":                        "",
		strings.Repeat("p", 1e6):  "",
		"post_099999x":            `did you mean "post_099999"?`,
		strings.Repeat("日本", 400): "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%.20s: got %s, want %s", name, got, want)
		}
	}
}

// Weighing a value takes no memory for each of its elements: it is done again
// wherever the value is used.
func TestWeighingAllocatesNothing(t *testing.T) {
	ev := newEvaluator(files{"locals.img.hcl": "locals {\n  x = [for i in range(1000) : [i, \"a\", [i]]]\n}\n"}, Options{})
	ev.top.decls = ev.parseAll("", []string{"locals.img.hcl"})
	ev.prepareAll()
	v := ev.value(ev.top.decls.locals["x"].expr, nil, "local.x")
	m := meter{steps: 1 << 30}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		m.weigh(v)
	}
	runtime.ReadMemStats(&after)
	steps := 1<<30 - m.steps
	if made := int(after.TotalAlloc - before.TotalAlloc); made > 100*steps {
		t.Errorf("%d bytes for %d steps", made, steps)
	}
}

// Each instance of a module copies its declarations, and each image is then one
// more: both are paid for.
func TestInstancesArePaidFor(t *testing.T) {
	t.Parallel()
	work := func(instances int, format string, n int) int {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		ev, l := loadFor(files{
			"a.img.hcl":   sketch + fmt.Sprintf("module \"m\" {\n  source = \"./m\"\n  for_each = toset([for i in range(%d) : \"k${i}\"])\n}\n", instances),
			"m/m.img.hcl": "locals {}\n" + b.String(),
		}, Options{}, nil)
		if len(l) > 0 {
			t.Errorf("%.500s", lines(l))
		}
		return maxTotalSteps + ev.earned - ev.meter.total
	}
	const instances, n = 10, 100
	bare := work(instances, "", 0)
	if more := bare - work(0, "", 0); more < instances*costOfInstance {
		t.Errorf("%d steps for %d instances", more, instances)
	}
	for format, cost := range map[string]int{
		"image \"a%d\" {\n  prompt = \"x\"\n}\n":        costOfInstance,
		"image \"a%d\" {\n  prompt = lower(\"x\")\n}\n": costOfInstance,
		"preset \"a%d\" {\n  style = \"x\"\n}\n":        costOfCopy,
		"locals {\n  a%d = 1\n}\n":                      costOfCopy,
		"variable \"a%d\" {\n  default = 1\n}\n":        costOfCopy,
		"output \"a%d\" {\n  value = 1\n}\n":            costOfCopy,
	} {
		if more := work(instances, format, n) - bare; more < instances*n*cost {
			t.Errorf("%s: %d steps for %d copies", format, more, instances*n)
		}
	}
}

// Beyond some, what is declared earns steps only by the bytes of a project.
func TestImagesEarnByTheirText(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int]int{0: earnedByAny, freeBytes: earnedByAny, freeBytes + 1000: earnedByAny + 1000, 100 << 20: maxImages * stepsOfImage} {
		ev := newEvaluator(files{}, Options{})
		ev.data = bytes
		ev.earnImages(100)
		if ev.earned != 100*stepsOfImage {
			t.Errorf("%d bytes: 100 images earn %d", bytes, ev.earned)
		}
		ev.earnImages(maxImages - 100)
		if ev.earned != want || ev.meter.total != maxTotalSteps+want {
			t.Errorf("%d bytes: %d earned, want %d", bytes, ev.earned, want)
		}
	}
}

// Of each severity the first thousand are told, and how many more there are.
func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range maxFindings + 500 {
		fmt.Fprintf(&b, "image \"i%d\" {}\n", i)
	}
	_, l := Load(files{"a.img.hcl": sketch + b.String()}, Options{})
	if len(l) != maxFindings+1 {
		t.Fatalf("%d findings", len(l))
	}
	if last := l[maxFindings]; last.Severity != diag.Error || last.Text != "the configuration: 500 more findings are not listed" || last.Hint == "" {
		t.Errorf("%+v", last)
	}
	many := func(severity diag.Severity, n int) diag.List {
		return slices.Repeat(diag.List{{Severity: severity, Text: "x"}}, n)
	}
	for _, c := range []struct{ errors, warnings, told int }{
		{maxFindings, 0, maxFindings},
		{maxFindings, maxFindings, 2 * maxFindings},
		{1, maxFindings + 1, maxFindings + 2},
		{maxFindings + 1, maxFindings + 2, 2*maxFindings + 2},
	} {
		if l := someFindings(append(many(diag.Error, c.errors), many(diag.Warning, c.warnings)...)); len(l) != c.told {
			t.Errorf("%d errors and %d warnings: %d are told", c.errors, c.warnings, len(l))
		}
	}
}

// A number in a text is what cty makes of it.
func TestDecimal(t *testing.T) {
	t.Parallel()
	m := meter{steps: 1 << 20}
	for _, n := range []string{"0", "-0", "1", "-17", "0.1", "-2.50", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e18", "1e19", "1e-3", "123456789.000000001"} {
		v := cty.MustParseNumberVal(n)
		want, err := convert.Convert(v, cty.String)
		if err != nil {
			t.Fatal(err)
		}
		got, err := convert.Convert(m.decimal(v), cty.String)
		if err != nil || !got.RawEquals(want) {
			t.Errorf("%s: got %#v, want %#v", n, got, want)
		}
	}
	if v := m.decimal(cty.NumberIntVal(7).Mark("x")); !v.HasMark("x") {
		t.Error("the mark is lost")
	}
	for _, v := range []cty.Value{cty.NullVal(cty.Number), cty.UnknownVal(cty.Number), cty.True} {
		if got := m.decimal(v); !got.RawEquals(v) {
			t.Errorf("%#v became %#v", v, got)
		}
	}
}

// Data of a size that people have passes: 50,000 rows, 5 MB, 10,000 posts and
// templates.
func TestHonestSizes(t *testing.T) {
	t.Parallel()
	var csv, json strings.Builder
	csv.WriteString("id,name,prompt\n")
	for i := range 50_000 {
		fmt.Fprintf(&csv, "%d,name %d,\"A house, number %d\"\n", i, i, i)
		fmt.Fprintf(&json, "{\"id\": %d, \"name\": \"name %d\", \"prompt\": \"A house, number %d, at the lake, in soft morning light\"},\n", i, i, i)
	}
	src := files{"rows.csv": csv.String(), "rows.json": "[" + json.String() + "{}]", "t": "A house, number ${key}%{ for t in tags ~}, with ${upper(t)}%{ endfor ~}.", "a.img.hcl": sketch + `variable "on" {
  default = true
}
locals {
  csv   = csvdecode(file("rows.csv"))
  names = [for r in local.csv : r.name if r.id != "7"]
  json  = jsondecode(file("rows.json"))
  ids   = { for r in slice(local.json, 0, 40000) : r.id => r.name }
  posts = { for f in fileset("posts", "*.md") : trimsuffix(f, ".md") => frontmatter("posts/${f}") }
  tags  = toset(flatten([for p in local.posts : p.tags]))
}
image "post" {
  for_each = var.on ? local.posts : {}
  prompt   = templatefile("t", { key = each.value.title, tags = each.value.tags })
  path     = "${each.key}.png"
}
`}
	for i := range 10_000 {
		src[fmt.Sprintf("posts/p%05d.md", i)] = fmt.Sprintf("---\ntitle: Number %d\ntags: [a, t%d]\n---\nText\n", i, i%50)
	}
	p, l := Load(src, Options{})
	if len(l) > 0 || len(p.Images) != 10_000 {
		t.Errorf("%d images, %.1000s", len(p.Images), lines(l))
	}
}

// Who trusts a project may have a loop make what strangers may not.
func TestLarge(t *testing.T) {
	t.Parallel()
	src := files{"a.img.hcl": `provider "sketch" {}
image "post" {
  for_each = { for i in flatten([for k in range(300) : [for j in range(100) : k * 100 + j]]) : format("%06d", i) => upper("boat ${i}") }
  prompt   = "A harbour with ${each.value}, ${lower(each.value)}, ${upper(each.key)} and ${title(each.value)}"
  path     = "${each.key}.png"
}
`}
	for large, code := range map[bool]string{false: "IB0109", true: ""} {
		p, l := Load(src, Options{Large: large})
		var got string
		if len(l) > 0 {
			got = l[0].Code
		}
		if got != code || large && len(p.Images) != 30_000 {
			t.Errorf("large %v: %v", large, l)
		}
	}
}

// Thousands of names that are not declared, among thousands that are, were
// looked for in a list that was sorted for each.
func TestUndeclaredNamesAreLinear(t *testing.T) {
	for _, kind := range []string{"preset", "local", "var", "module"} {
		made := func(n int) float64 {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "preset \"p%d\" {\n  prompt = \"x\"\n}\nlocals {\n  l%[1]d = 1\n}\nvariable \"v%[1]d\" {\n  default = 1\n}\noutput \"o%[1]d\" {\n  value = %s.n%[1]d\n}\n", i, kind)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, l := Load(files{"a.img.hcl": b.String()}, Options{})
			runtime.ReadMemStats(&after)
			if len(l) < min(n, 1000) {
				t.Errorf("%d findings for %d names", len(l), n)
			}
			return float64(after.TotalAlloc - before.TotalAlloc)
		}
		if one, four := made(1000), made(4000); four > 4.6*one {
			t.Errorf("%s: four times as many take %.1f times the memory", kind, four/one)
		}
	}
}
