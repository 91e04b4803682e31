package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// What slug and wordcount make is part of paths and prompts: a change of these
// results buys pictures again.
func TestOwnFunctions(t *testing.T) {
	t.Parallel()
	f := files{
		"posts/a.md": "---\ntitle: A & B\ntags: [x, z]\n---\nText",
		"posts/b.md": "Text",
		"posts/c.md": "---\n---\n",
		"posts/d.md": "\ufeff---\r\ndraft: true\r\n---\r\n",
		"posts/e.md": "---\n- a\n---\n",
		"posts/f.md": "---\na: [\n---\n",
		"posts/g.md": "+++\na = 1\n+++\n",
	}
	for expr, want := range map[string]string{
		`slug("Hello, World!")`:                  `string "hello-world"`,
		`slug("Crème brûlée")`:                   `string "creme-brulee"`,
		`slug("  --Already--a-slug-- ")`:         `string "already-a-slug"`,
		`slug("Größe & Maß")`:                    `string "grosse-mass"`,
		`slug("ÆON Œuvre Øre Łódź Đà Nẵng Þór")`: `string "aeon-oeuvre-ore-lodz-da-nang-thor"`,
		`slug("İstanbul'da ILIK ışık")`:          `string "istanbulda-ilik-isik"`,
		`slug("Don’t stop, it's 2026")`:          `string "dont-stop-its-2026"`,
		`slug("snake_case and CamelCase")`:       `string "snake-case-and-camelcase"`,
		`slug("e\u0301te\u0301")`:                `string "ete"`,
		`slug("ﬁne ② ½ №5 x²")`:                  `string "fine-2-1-2-no5-x2"`,
		`slug("Tokyo 東京 2026")`:                  `string "tokyo-2026"`,
		`slug("C++/Go: 1.5 (new)")`:              `string "c-go-1-5-new"`,
		`slug("a\n\tb\u00a0c")`:                  `string "a-b-c"`,
		`slug(12)`:                               `string "12"`,
		`slug("日本語")`:                            "error",
		`slug("")`:                               "error",
		`slug("!?")`:                             "error",
		`try(slug("日本語"), "ja")`:                 `string "ja"`,

		`wordcount("")`:                              "number 0",
		`wordcount("  a  b\nc ")`:                    "number 3",
		`wordcount("Don't stop - it's 5 o'clock")`:   "number 5",
		`wordcount("# Title\n\n* well-known – 1.5")`: "number 3",
		`wordcount("日本語 text")`:                      "number 4",
		`wordcount("東京2026年")`:                       "number 4",
		`wordcount("안녕 세계")`:                         "number 2",
		`wordcount("e\u0301 \u0301")`:                "number 1",

		`aspect(1920, 1080)`:     `string "16:9"`,
		`aspect(1, 1)`:           `string "1:1"`,
		`aspect("1024", 1536)`:   `string "2:3"`,
		`aspect(7, 5)`:           `string "7:5"`,
		`aspect(1e30, 5e29)`:     `string "2:1"`,
		`aspect(0, 1)`:           "error",
		`aspect(1, -1)`:          "error",
		`aspect(1.5, 1)`:         "error",
		`aspect(1e40, 1)`:        "error",
		`aspect(-log(0, 10), 1)`: "error",

		`frontmatter("posts/a.md")`:    `object({tags=tuple([string,string]),title=string}) {"tags":["x","z"],"title":"A \u0026 B"}`,
		`frontmatter("posts/b.md")`:    "error",
		`frontmatter("posts/c.md")`:    "object({}) {}",
		`frontmatter("posts/d.md")`:    `object({draft=bool}) {"draft":true}`,
		`frontmatter("posts/e.md")`:    "error",
		`frontmatter("posts/f.md")`:    "error",
		`frontmatter("posts/g.md")`:    "error",
		`frontmatter("posts/none.md")`: "error",

		`int(-1.9)`:                                 `number -1`,
		`strlen("e\u0301")`:                         `number 1`,
		`hasindex(["a"], 1)`:                        `bool false`,
		`sethaselement(["a"], "a")`:                 `bool true`,
		`setsymmetricdifference(["a", "b"], ["b"])`: `set(string) ["a"]`,
	} {
		if got, why := evaluate(f, expr); got != want || strings.Contains(why, wentWrong) {
			t.Errorf("%s\n got %s\nwant %s\n%s", expr, got, want, why)
		}
	}
}

func TestImagesize(t *testing.T) {
	t.Parallel()
	src := files{"a.png": "png 3 2", "b.txt": "text"}
	measure := func(b []byte) (Picture, error) {
		if string(b) != src["a.png"] {
			return Picture{}, errors.New("no picture")
		}
		return Picture{Width: 3, Height: 2, Format: "png"}, nil
	}
	for expr, want := range map[string]string{
		`imagesize("a.png")`:                    `object({format=string,height=number,width=number}) {"format":"png","height":2,"width":3}`,
		`aspect(imagesize("./a.png").width, 4)`: `string "3:4"`,
		`imagesize("b.txt")`:                    `error: x: imagesize(): no picture`,
		`imagesize("c.png")`:                    `error: x: imagesize(): there is no file "c.png"`,
		`imagesize("../c.png")`:                 `error: x: imagesize(): "../c.png" leaves the root of the project`,
	} {
		got, why := evaluateWith(src, Options{Measure: measure}, expr)
		if _, text, ok := strings.Cut(why, "IB0304 "); ok {
			got += ": " + text
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", expr, got, want)
		}
	}
	if got, why := evaluate(src, `imagesize("a.png")`); got != "error" || !strings.Contains(why, "can't be measured here") {
		t.Errorf("without Measure: %s %s", got, why)
	}
}

// reads reports whether a function may read files.
func (e *entry) reads(name string) bool {
	return e.bind != nil && e.group != "types" && name != "templatestring"
}

// Whatever reads a file notes it, also one that is not there, so that a cached
// project is evaluated again when that changes.
func TestFunctionsRecordInputs(t *testing.T) {
	t.Parallel()
	src := files{"d/a.txt": "x: 1", "p.md": "---\na: 1\n---\n"}
	fileInput := func(name string) Input {
		in := Input{Kind: InputFile, Path: name}
		if text, ok := src[name]; ok {
			in.Content = digest.OfContent([]byte(text))
		}
		return in
	}
	tests := map[string]Input{
		`fileset("d", "*.txt")`:       {Kind: InputGlob, Path: "d", Pattern: "*.txt", Content: ofList([]string{"a.txt"})},
		`fileset("./d/", "./*.txt")`:  {Kind: InputGlob, Path: "d", Pattern: "*.txt", Content: ofList([]string{"a.txt"})},
		`fileexists("d/b.txt")`:       {Kind: InputGlob, Path: "d", Pattern: "b.txt", Content: ofList(nil)},
		`frontmatter("p.md")`:         fileInput("p.md"),
		`templatefile("d/a.txt", {})`: fileInput("d/a.txt"),
		`file("./d/../p.md")`:         fileInput("p.md"),
		`try(file("none"), "")`:       fileInput("none"),
		`try(imagesize("none"), "")`:  fileInput("none"),
		`imagesize("p.md")`:           fileInput("p.md"),
	}
	for _, name := range []string{"file", "filebase64", "filebase64sha256", "filebase64sha512", "filemd5", "filesha1", "filesha256", "filesha512"} {
		tests[name+`("d/a.txt")`] = fileInput("d/a.txt")
	}
	tested := map[string]bool{}
	for expr, want := range tests {
		ev := newEvaluator(src, Options{Measure: func([]byte) (Picture, error) { return Picture{}, nil }})
		if _, why := ev.try(expr); why != "" {
			t.Errorf("%s: %s", expr, why)
		}
		if got := ev.inputs.sorted(); !slices.Contains(got, want) {
			t.Errorf("%s: got %v, want %v", expr, got, want)
		}
		// Each function that reads is in this table.
		name, _, _ := strings.Cut(strings.TrimPrefix(expr, "try("), "(")
		if catalogue()[name].bind == nil {
			t.Errorf("%s reads nothing", name)
		}
		tested[name] = true
	}
	for name, e := range catalogue() {
		if !tested[name] && e.reads(name) {
			t.Errorf("%s is not tested", name)
		}
	}
}

// No function leaves the root, and none reads more than it says.
func TestFunctionsStayInside(t *testing.T) {
	t.Parallel()
	src := files{"big.txt": strings.Repeat("a", maxRead+1), "huge.bin": strings.Repeat("a", maxPicture+1), "in.txt": "a"}
	for name, e := range catalogue() {
		if !e.reads(name) {
			continue
		}
		more := ""
		switch {
		case name == "fileset":
			more = `, "*"`
		case name == "templatefile":
			more = `, {}`
		}
		for _, path := range []string{"../x", "/etc/passwd", "a/../../x", ".."} {
			expr := name + `("` + path + `"` + more + ")"
			if got, why := evaluate(src, expr); got != "error" || !strings.Contains(why, "leaves the root of the project") {
				t.Errorf("%s: %s %s", expr, got, why)
			}
		}
		if name == "fileset" || name == "fileexists" {
			continue
		}
		large := "huge.bin"
		if slices.Contains([]string{"file", "filebase64", "frontmatter", "templatefile"}, name) {
			large = "big.txt"
		}
		expr := name + `("` + large + `"` + more + ")"
		if got, why := evaluate(src, expr); got != "error" || !strings.Contains(why, "is larger than") && !strings.Contains(why, "too large") {
			t.Errorf("%s: %s %.200s", expr, got, why)
		}
	}
	for _, expr := range []string{`fileset(".", "../*")`, `fileset("a", "/*")`, `fileset("a", "b/../../*")`} {
		if got, why := evaluate(src, expr); got != "error" || !strings.Contains(why, "leaves the root of the project") {
			t.Errorf("%s: %s %s", expr, got, why)
		}
	}
}

// The table tells what is true of the functions.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	list := Functions()
	if len(list) != len(catalogue()) {
		t.Errorf("%d functions are listed, of %d: which group is not in Groups?", len(list), len(catalogue()))
	}
	for _, f := range list {
		e := catalogue()[f.Name]
		if f.Text == "" || strings.HasSuffix(f.Text, ".") {
			t.Errorf("%s: text %q", f.Name, f.Text)
		}
		call := e.f
		if e.bind != nil {
			call = e.bind(&evaluator{})
		}
		var args []cty.Value
		for _, p := range call.Params() {
			args = append(args, cty.UnknownVal(p.Type))
		}
		if p := call.VarParam(); p != nil && len(args) == 0 && p.Type == cty.DynamicPseudoType {
			continue
		} else if p != nil && p.Type != cty.DynamicPseudoType {
			args = append(args, cty.UnknownVal(p.Type))
		}
		ty, err := call.ReturnTypeForValues(args)
		if err != nil || ty.HasDynamicTypes() {
			continue // it depends on the arguments
		}
		if got := typed(cty.NullVal(ty)); got != strings.ReplaceAll(f.Returns, ", ", ",")+" null" {
			t.Errorf("%s returns %s, and the table says %s", f.Name, got, f.Returns)
		}
	}
}

// A template of a for_each is parsed once, and what is wrong in one is told.
func TestTemplates(t *testing.T) {
	t.Parallel()
	src := files{"t": "<${x}>\n${upper(x)}", "bad": "a\n${nope(x)}", "clock": "${timestamp()}", "self": "${core::templatefile(\"self\", {})}"}
	ev := newEvaluator(src, Options{})
	if got, why := ev.try(`[for x in ["a", "b"]: templatefile("t", { x = x })]`); got != `tuple([string,string]) ["\u003ca\u003e\nA","\u003cb\u003e\nB"]` || len(ev.templates) != 1 {
		t.Errorf("%s %s, %d templates parsed", got, why, len(ev.templates))
	}
	for expr, want := range map[string]string{
		`templatefile("bad", { x = 1 })`:      `bad:2: there is no function nope (did you mean "one"?)`,
		`templatefile("clock", {})`:           `clock:1: there is no timestamp(): ` + everyRun,
		`templatefile("self", {})`:            `self:1: a template can't call templatefile`,
		`templatestring("$${y}", { x = 1 })`:  `the template:1: There is no variable named "y"`,
		`templatestring("x", { "a b" = 1 })`:  `"a b" can't be a name in a template`,
		`templatestring("$${x}", { x = [] })`: `the template gives no text`,
	} {
		if got, why := evaluate(src, expr); got != "error" || !strings.Contains(why, want) {
			t.Errorf("%s: %s %s", expr, got, why)
		}
	}
}
