package config

import (
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// colliding is n texts with one CRC-32, by which the sets of cty are hashed.
// The two parts have the same, so texts that are made of them have, too.
func colliding(t *testing.T, n int) string {
	parts := [2]string{"956a9f617d", "9f360143da"}
	out := make([]string, n)
	hashes := map[uint32]bool{}
	for i := range out {
		for bit := range 13 {
			out[i] += parts[i>>bit&1]
		}
		hashes[crc32.ChecksumIEEE([]byte(strconv.Quote(out[i])))] = true
	}
	if len(hashes) != 1 {
		t.Fatalf("%d hashes", len(hashes))
	}
	return strings.Join(out, "\n")
}

// Each of these would take minutes, gigabytes or the process.
func TestFunctionsAreBounded(t *testing.T) {
	t.Parallel()
	r := strings.Repeat
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, "%d\n", i)
	}
	src := files{
		"text":       r("a b,c;", maxMade/6),
		"characters": r("é👨‍👩‍👧日", maxMade/24),
		"lines":      lines.String(),
		"digits":     r("7", maxMade),
		"json":       "[" + r("7", maxMade-2) + "]",
		"objects":    "[" + r(`{"a":[1]},`, 20_000) + "0]",
		"deep":       r("[", 500_000) + r("]", 500_000),
		"pattern":    r("a{1000}", 100_000),
		"times":      "YYYY" + r("'x'", 100_000),
		"rows":       "a\n" + r("1\n", 600_000),
		"columns":    r("1,", 400_000) + "\n" + r("1,", 100_000),
		"collide":    colliding(t, 8_000),
		"aliases":    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
		"merges":     "a: &a {x: 1}\n" + r("b: {<<: *a}\n", 1000),
		"post":       "---\na: " + r("7", 100_000) + "\n---\n",
		"loops.tmpl": "%{ for a in x }%{ for b in x }%{ for c in x }${a}%{ endfor }%{ endfor }%{ endfor }",
		"deep.tmpl":  r("${", 300),
		"locals.img.hcl": `locals {
  text = file("text")
  many = split("\n", file("lines"))
  tuple = [for x in local.many : x]
  tuples = [for x in local.many : [x]]
  named = { for x in local.many : x => [x] }
  mixed = [for i, x in range(1000) : { "k${i}" = i }]
  self = "$${templatestring(self, {self = self})}"
}
`,
	}
	for _, c := range []struct{ expr, want string }{ // the end of its finding, "" for a result
		{`range(1e9)`, "more than 1024 values"},
		{`[for i in range(1000) : range(1000)]`, codeBudget},
		{`format("%999999999d", 1)`, "more than 1048576 bytes"},
		{`format("%.999999999f", 1)`, "more than 1048576 bytes"},
		{`format("%[1]999999999s", "a")`, "more than 1048576 bytes"},
		{`format("%99999999999999999999999d", 1)`, "more than 1048576 bytes"},
		{`formatlist("%9999d", local.many)`, "more than 1048576 bytes"},
		{`format("%b", pow(2, 1000)) == ""`, ""},
		{`join(local.text, local.many)`, "more than 1048576 bytes"},
		{`replace(local.text, "", local.text)`, "more than 1048576 bytes"},
		{`replace(local.text, "/./", "$0$0$0$0")`, "more than 1048576 bytes"},
		{`replace(local.text, "/(a{0,9}){0,9}x/", "")`, codeBudget},
		{`regex(file("pattern"), "a")`, codeBudget},
		{`regex("(a{1000}|b{1000}|c{1000}){1}[^\\s\\S]", local.text)`, codeBudget},
		{`regexall("(?:a?){500}b{500}", local.text)`, codeBudget},
		{`regexall("` + r("()", 400) + `", local.text)`, codeBudget},
		{`[for i in range(1000) : regexall("(x+x+)+y", local.text)]`, codeBudget},
		{`trim(file("characters"), file("characters"))`, codeBudget},
		{`[for i in range(1000) : strrev(file("characters"))]`, codeBudget},
		{`split("", local.text)`, "more than 500000 elements"},
		{`indent(1e9, "a\nb")`, "more than 1048576 bytes"},
		{`title(local.text) == upper(local.text)`, ""},
		{`formatdate(file("times"), "2018-01-02T23:12:01Z") == ""`, ""},
		{`timeadd("2018-01-02T23:12:01Z", local.text)`, codeFunction},
		{`parseint(file("digits"), 10)`, codeBudget},
		{`tonumber(file("digits"))`, codeBudget},
		{`abs(file("digits"))`, codeBudget},
		{`file("digits") * 2`, codeBudget},
		{`"` + r("7", 100_000) + `" * 2`, codeBudget},
		{`max("-` + r("7", 100_000) + `x", 1)`, codeBudget},
		{`jsondecode(file("json"))`, "more than 4096 digits"},
		{`yamldecode(file("json"))`, "more than 4096 digits"},
		{`frontmatter("post")`, "more than 4096 digits"},
		{`jsondecode(file("deep"))`, codeFunction},
		{`yamldecode(file("deep"))`, "more than 1000 levels"},
		{`yamldecode(file("aliases"))`, "more than 1048576 bytes"},
		{`yamldecode(file("merges")).b.x`, ""},
		{`csvdecode(file("rows"))`, "more than 500000 elements"},
		{`csvdecode(file("columns"))`, codeFunction},
		{`[for i in range(1000) : base64gzip(local.text)]`, codeBudget},
		{`[for i in range(1000) : textencodebase64(local.text, "UTF-16")]`, codeBudget},
		{`pow(10, 1e9) > 1`, ""},
		{`pow(1e300, 1e300) > pow(-1e300, 3)`, ""},
		{`log(0, 10) < pow(2, -1e9)`, ""},
		{`1e16000 * 1e16000`, codeBudget},
		{`cidrsubnets("::/0", range(1, 1025)...)`, codeFunction},
		{`length(cidrsubnets("::/0", [for i in range(1000) : 32]...))`, ""},
		{`setproduct(local.many, local.many)`, "more than 500000 elements"},
		{`setproduct(local.tuple, [1])`, codeBudget},
		{`length(chunklist(local.many, 1))`, ""},
		{`length(distinct(local.many))`, ""},
		{`length(distinct(local.tuple))`, ""},
		{`length(tolist(local.tuple))`, ""},
		{`length(tolist(local.tuples))`, ""},
		{`length(toset(local.tuple))`, ""},
		{`length(tomap(local.named))`, ""},
		{`length(transpose(local.named))`, ""},
		{`length(matchkeys(local.tuple, local.tuple, local.tuple))`, ""},
		{`length(tolist([for x in local.many : null]))`, ""},
		{`tolist(jsondecode(file("objects")))`, "all list elements must have the same type"},
		{`length(tolist(local.mixed))`, ""},
		{`length(true ? local.tuple : [])`, ""},
		{`length(true ? local.mixed : [])`, ""},
		{`coalesce(local.tuple, [])`, codeBudget},
		{`coalescelist(local.tuple, [])[0]`, ""},
		{`toset(split("\n", file("collide")))`, codeBudget},
		{`setunion(split("\n", file("collide")), [])`, codeBudget},
		{`length(toset(concat(local.many, [for x in local.many : "same"])))`, ""},
		{`[for i in range(1000) : toset(local.many)]`, codeBudget},
		{`templatefile("loops.tmpl", { x = range(1000) })`, codeBudget},
		{`templatefile("deep.tmpl", {})`, "more than 256 deep"},
		{`templatestring(local.self, { self = local.self })`, "a template can't call templatestring"},
		{`[for i in range(1000) : templatestring("${i}${local.text}", {})]`, codeBudget},
		{`try([for a in range(1000) : regexall("(a|b)*", local.text)], [])`, codeBudget},
	} {
		t.Run(c.expr[:min(len(c.expr), 60)], func(t *testing.T) {
			t.Parallel()
			opt := Options{steps: 2 << 20} // a quarter of what a project has: the refusals are the same, and soon
			if strings.Contains(c.expr, "range(1000) :") {
				opt.steps = 1 << 18 // a loop uses up whatever there is
			}
			got, why := evaluateWith(src, opt, c.expr)
			if strings.Contains(why, wentWrong) || c.want == "" && got == "error" || !strings.Contains(why, c.want) {
				t.Errorf("want %q, got %.80s %.300s", c.want, got, why)
			}
		})
	}
}

// madeBy tells the steps and the bytes that expr takes.
func madeBy(t *testing.T, src files, expr string) (steps, made float64) {
	var before, after runtime.MemStats
	ev := newEvaluator(src, Options{})
	ev.top.decls = ev.parseAll("", []string{"locals.img.hcl"})
	ev.prepareAll()
	runtime.ReadMemStats(&before)
	if _, why := ev.try(expr); why != "" {
		t.Errorf("%s: %s", expr, why)
	}
	runtime.ReadMemStats(&after)
	return float64(maxTotalSteps + ev.earned - ev.meter.total), float64(after.TotalAlloc - before.TotalAlloc)
}

// cty compares the type of each element with that of each other, and notes each
// pair that is not alike; where it is let do that, it is paid for. Not parallel:
// what others allocate would count.
func TestConversionIsLinear(t *testing.T) {
	source := func(n int) files {
		return files{"locals.img.hcl": fmt.Sprintf(`locals {
  tuple  = flatten([for i in range(%d) : [for k in range(64) : [k < 32, "${i}/${k}"]]])
  lists  = [for x in local.tuple : [x]]
  object = { for i, x in local.tuple : "k${i}" => [x] }
  mixed  = { for i, x in local.tuple : "k${i}" => x }
}
`, n)}
	}
	for _, expr := range []string{
		`join(",", local.tuple)`, `compact(local.tuple)`, `tolist(local.tuple)`, `toset(local.tuple)`, `tolist(local.lists)`, `tomap(local.object)`, `tomap(local.mixed)`,
		`distinct(local.tuple)`, `sort(local.tuple)`, `true ? [for x in local.tuple : "${x}."] : []`, `true ? { for i, x in local.tuple : i => "x" } : {}`, `transpose(local.object)`,
	} {
		expr = "length(" + expr + ")"
		steps, made := madeBy(t, source(20), expr)
		steps4, made4 := madeBy(t, source(80), expr)
		if steps4 > 6*steps || made4 > 6*made {
			t.Errorf("%s: four times as many elements take %.1f times the steps and %.1f times the memory", expr, steps4/steps, made4/made)
		}
	}
}

// So are those of variables, and of what is in them.
func TestVariablesAreLinear(t *testing.T) {
	for ty, value := range map[string]string{
		"list(any)":                            `flatten([for i in range(%d) : [for k in range(64) : [k < 32, "${i}/${k}"]]])`,
		"list(string)":                         `flatten([for i in range(%d) : [for k in range(64) : [k < 32, "${i}/${k}"]]])`,
		"object({ a = tuple([map(string)]) })": `{ a = [merge([for i in range(%d) : { for k in range(128) : "${i}/${k}" => k }]...)] }`,
		"list(object({ a = number, b = optional(list(string), [1]) }))": `flatten([for i in range(%d) : [for k in range(128) : k < 64 ? { a = k, b = null } : { a = "1", b = ["x"] }]])`,
		"set(object({ a = string, b = optional(string) }))":             `tolist(flatten([for i in range(%d) : [for k in range(128) : { a = "${i}/${k}" }]]))`,
		"map(object({ a = optional(string, 1) }))":                      `tomap({ for x in flatten([for i in range(%d) : [for k in range(128) : "${i}/${k}"]]) : x => { a = x } })`,
	} {
		take := func(n int) (steps, made float64) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ev := newEvaluator(files{"a.img.hcl": fmt.Sprintf("variable \"x\" {\n  type    = "+ty+"\n  default = "+value+"\n}\n", n)}, Options{})
			ev.top.decls = ev.parseAll("", []string{"a.img.hcl"})
			ev.declareVar("x", ev.top.vars["x"])
			ev.variables(nil)
			runtime.ReadMemStats(&after)
			if len(*ev.out) > 0 {
				t.Errorf("%s: %s", ty, lines(*ev.out))
			}
			return float64(maxTotalSteps + ev.earned - ev.meter.total), float64(after.TotalAlloc - before.TotalAlloc)
		}
		steps, made := take(12)
		if steps4, made4 := take(48); steps4 > 6*steps || made4 > 6*made {
			t.Errorf("%s: four times as many elements take %.1f times the steps and %.1f times the memory", ty, steps4/steps, made4/made)
		}
	}
}

// What a function takes as a list, set or map is handed to it as it is: HCL
// would convert it by cty.
func TestConversionIsOurs(t *testing.T) {
	t.Parallel()
	ev := newEvaluator(files{}, Options{})
	for name := range catalogue() {
		ev.function(name)
		f := ev.funcs[name]
		params := f.Params()
		if p := f.VarParam(); p != nil {
			params = append(params, *p)
		}
		for _, p := range params {
			if p.Type.IsCollectionType() {
				t.Errorf("%s: %s is of type %s", name, p.Name, p.Type.FriendlyName())
			}
		}
	}
}

// A number that the parser would read for minutes.
func TestLongLiterals(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"1%s", "0.%s", "%s.5e-3"} {
		number = fmt.Sprintf(number, strings.Repeat("7", 2_000_000))
		_, l := Load(files{"a.img.hcl": "locals {\n  a = " + number + "\n}\n"}, Options{})
		if len(l) != 1 || l[0].Code != codeTooLong {
			t.Errorf("%.10s…: %.300s", number, lines(l))
		}
	}
}

// fuzzAtoms are arguments, each unpleasant for some function.
var fuzzAtoms = []string{
	"null", "true", "false", "0", "1", "-1", "2.5", "1e30", "-1e-30", "1e300", "log(0, 10)", "-log(0, 10)", "16", "64", "1024",
	`""`, `"a"`, `"1"`, `"true"`, `"é"`, `"e\u0301👨‍👩‍👧"`, `"a,b\n1,2"`, `"[1, {\"a\": null}]"`, `"a: &x [1]\nb: *x"`, `"/(a|b)*/"`, `"(a*)*"`, `"%5d %-3s %v %%"`, `"%[2]*.3f"`,
	`"2018-01-02T23:12:01Z"`, `"1h"`, `"YYYY-MM"`, `"10.0.0.0/8"`, `"fd00::/8"`, `"dns"`, `"UTF-16LE"`, `"SGk="`, `"\u0000\u001b"`, `"$${a}"`, `"a.txt"`, `"p.md"`, `"*"`, `"**/../x"`, `"../x"`, `"."`, `join("", range(200))`,
	"[]", "{}", `["a"]`, `["b", "a", "a"]`, `[1, 2]`, `[null]`, `[1, "a", true]`, `[[1], []]`, `[{ a = 1 }, { a = "x" }]`, `{ a = 1 }`, `{ a = "x", b = [1] }`, `{ "1" = null }`,
	`toset(["a"])`, `toset([1, 2])`, `tolist([])`, `tomap({ a = "a" })`, `tomap({})`, `range(300)`, `[for i in range(70) : i]`, `{ for i in range(70) : i => i }`,
}

// fuzzExpression reads an expression from bytes: a function, how many arguments,
// and for each an atom or a call.
func fuzzExpression(data *[]byte, names []string, depth int) string {
	next := func() int {
		if len(*data) == 0 {
			return 0
		}
		b := (*data)[0]
		*data = (*data)[1:]
		return int(b)
	}
	name := names[next()%len(names)]
	e := catalogue()[name]
	f := e.describe(name)
	n := len(f.Params)
	if n > 0 && (f.Params[n-1].Repeated || f.Params[n-1].Optional) {
		n += next()%4 - 1
	}
	args := make([]string, n)
	for i := range args {
		if b := next(); b >= 224 && depth > 0 {
			args[i] = fuzzExpression(data, names, depth-1)
		} else {
			args[i] = fuzzAtoms[b%len(fuzzAtoms)]
		}
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// FuzzFunctions calls functions with arguments that they may not like. None
// panics, and each ends soon, with a value that is known or a finding.
func FuzzFunctions(f *testing.F) {
	names := sortedKeys(catalogue())
	for i := range names {
		f.Add([]byte{byte(i), 0, 0, 0})
		f.Add([]byte{byte(i), 16, 230, byte(i * 7), 3, 4, 60, 61})
	}
	src := files{"a.txt": "text", "p.md": "---\na: 1\n---\n", "sub/a.txt": "${a}"}
	f.Fuzz(func(t *testing.T, data []byte) {
		expr := fuzzExpression(&data, names, 3)
		defer time.AfterFunc(2*time.Minute, func() { panic(expr + " hangs") }).Stop()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, why := evaluateWith(src, Options{steps: 1 << 17, Measure: func([]byte) (Picture, error) { return Picture{1, 1, "png"}, nil }}, expr)
		runtime.ReadMemStats(&after)
		if strings.Contains(why, wentWrong) {
			t.Errorf("%s panics", expr)
		}
		if got == "unknown" {
			t.Errorf("%s is unknown", expr)
		}
		if made := after.TotalAlloc - before.TotalAlloc; made > 512<<20 {
			t.Errorf("%s takes %d MiB", expr, made>>20)
		}
	})
}

// The atoms are read by a byte, of which the upper ones stand for calls.
func TestFuzzGrammar(t *testing.T) {
	t.Parallel()
	if len(fuzzAtoms) > 224 || len(catalogue()) > 256 {
		t.Error("some atom or function is never used")
	}
	var calls []string
	for i := range 256 {
		data := []byte{byte(i), 1, 2, 3}
		name, _, _ := strings.Cut(fuzzExpression(&data, sortedKeys(catalogue()), 3), "(")
		calls = append(calls, name)
	}
	for name := range catalogue() {
		if !slices.Contains(calls, name) {
			t.Errorf("%s is never called", name)
		}
	}
}

// A value that does not fit deep inside is told by its path, and always by the
// same one.
func TestConversionTellsWhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ty, value, want string }{
		{`list(object({ a = number }))`, `[{ a = 1 }, { a = "x" }]`, `[1].a must be a number`},
		{`map(list(bool))`, `{ "k 1" = [true, 2] }`, `["k 1"][1] must be true or false, and is a number`},
		{`object({ a = object({ b = string, c = string }) })`, `{ a = {} }`, `.a: attributes "b" and "c" are missing`},
		{`object({ a = number, b = number, c = number })`, `{ a = 1, b = "x", c = "y" }`, `.b must be a number`},
		{`tuple([number, number])`, `[1, []]`, `[1] must be a number, and is a list`},
		{`tuple([number, number])`, `[1]`, `it must be a tuple`},
		{`list(any)`, `[1, {}]`, `all list elements must have the same type`},
	} {
		_, l := Load(files{"a.img.hcl": "variable \"x\" {\n  type    = " + c.ty + "\n  default = " + c.value + "\n}\n"}, Options{})
		if got := lines(l); !strings.Contains(got, "IB0314 var.x: the default does not fit its type: "+c.want+" {") {
			t.Errorf("%s, %s\n got %s\nwant %s", c.ty, c.value, got, c.want)
		}
	}
}

// Our conversion gives what cty gives, for everything that is small.
func TestConversionIsThatOfCty(t *testing.T) {
	t.Parallel()
	ev := newEvaluator(files{}, Options{})
	var values []cty.Value
	for _, expr := range append(fuzzAtoms, `[{ a = 1, b = [1] }, { a = "x", b = null }]`, `{ a = { a = 1 }, b = { a = "x", b = true } }`, `tomap({ a = ["x"] })`, `[tomap({ a = 1 }), {}]`, `tolist([{ a = 1 }])`, `toset([["a"], ["b"]])`, `[toset(["1"])]`) {
		e, diags := hclsyntax.ParseExpression([]byte(expr), "x", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		values = append(values, ev.value(ev.prepare(e, uses{thing: "x", refs: true}), nil, "x"))
	}
	if len(*ev.out) > 0 {
		t.Fatal(lines(*ev.out))
	}
	values = append(values, cty.UnknownVal(cty.String), cty.ListVal([]cty.Value{cty.UnknownVal(cty.String), cty.StringVal("a").Mark("m")}), cty.SetVal([]cty.Value{cty.UnknownVal(cty.Number), cty.NumberIntVal(1)}), cty.EmptyTupleVal.Mark("m"))
	for _, of := range []string{"any", "string", "list(any)", "set(any)", "map(any)", "list(string)", "set(string)", "map(string)", "list(list(string))", "list(set(any))", "map(list(any))", "object({})", "object({ a = string })", "object({ a = optional(string), b = optional(list(string)) })", "map(object({ a = any }))", "list(object({ a = string, b = optional(list(string)) }))", "tuple([string, any])", "tuple([object({ a = number, b = optional(set(any)) })])", "set(object({ a = optional(object({ b = optional(string) })) }))", "list(tuple([any]))"} {
		e, diags := hclsyntax.ParseExpression([]byte(of), "x", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		want, _, diags := typeexpr.TypeConstraintWithDefaults(e)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, v := range values {
			ours, err := (&meter{steps: maxSteps}).fit(v, want)
			theirs, err2 := convert.Convert(v, want)
			if (err == nil) != (err2 == nil) || err == nil && !(ours.Type().Equals(theirs.Type()) && ours.RawEquals(theirs)) {
				t.Errorf("%#v as %s\n got %#v %v\nwant %#v %v", v, of, ours, err, theirs, err2)
			}
		}
	}
}

// What a picture will be like is not known before it is there, and conditions
// may ask every function about it.
func TestUnknownArguments(t *testing.T) {
	t.Parallel()
	ev := newEvaluator(files{}, Options{})
	for name := range catalogue() {
		ev.function(name)
		f := ev.funcs[name]
		params := f.Params()
		if p := f.VarParam(); p != nil {
			params = append(params, *p, *p)
		}
		args := make([]cty.Value, len(params))
		for _, ty := range []cty.Type{cty.String, cty.Number, cty.List(cty.String), cty.Map(cty.String), cty.DynamicPseudoType} {
			for i, p := range params {
				args[i] = cty.UnknownVal(p.Type)
				if p.Type == cty.DynamicPseudoType {
					args[i] = cty.UnknownVal(ty)
				}
			}
			if _, err := f.Call(args); err != nil && strings.Contains(err.Error(), "panic in function implementation") {
				t.Errorf("%s of what is not known (%s): %.200s", name, ty.FriendlyName(), err)
			}
		}
	}
}
