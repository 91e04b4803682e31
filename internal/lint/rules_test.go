package lint_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lint"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
)

// files is a project in memory.
type files map[string]string

func (f files) ReadDir(dir string) ([]string, error) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if d, base := path.Split(name); strings.TrimSuffix(d, "/") == dir {
			names = append(names, base)
		}
	}
	return names, nil
}

func (f files) Read(name string, limit int64) ([]byte, error) {
	s, ok := f[name]
	if !ok || int64(len(s)) > limit {
		return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	}
	return []byte(s), nil
}

func (f files) Glob(dir, pattern string) (out []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		rel := strings.TrimPrefix(name, dir+"/")
		if dir != "" && rel == name {
			continue
		}
		if ok, err := doublestar.Match(pattern, rel); err != nil {
			return nil, err
		} else if ok {
			out = append(out, rel)
		}
	}
	return out, nil
}

const (
	xai = "provider \"xai\" {}\n"
)

func lintFiles(t testing.TB, f files, change func(*lint.Input)) *lint.Result {
	t.Helper()
	p, l := config.Load(f, config.Options{Types: all.Types()})
	if l.HasErrors() {
		t.Fatal(l)
	}
	in := lint.Input{Project: p, Source: f, Today: "2026-12-01", Offer: func(key, model string) (*provider.Offer, bool) {
		for _, c := range p.Providers {
			if c.Key() == key {
				o, found := all.Offer(c, model)
				return &o, found
			}
		}
		return nil, false
	}}
	if change != nil {
		change(&in)
	}
	return lint.Run(in)
}

func lintText(t *testing.T, text string) *lint.Result {
	t.Helper()
	if !strings.Contains(text, "provider ") {
		text = xai + text
	}
	return lintFiles(t, files{"a.img.hcl": text}, nil)
}

// prompt is a project with one image.
func prompt(s string) string {
	return fmt.Sprintf("image \"a\" {\n  prompt = %q\n  alt = \"x\"\n}\n", s)
}

func edit(prompt, more string) string {
	return "image \"s\" {\n  prompt = \"Watercolour of a lake\"\n  alt = \"x\"\n}\nimage \"a\" {\n  prompt = \"" + prompt + "\"\n  alt = \"x\"\n  edit {\n    " + more + "\n  }\n}\n"
}

func image(attributes string) string {
	if !strings.Contains(attributes, "prompt") {
		attributes = "prompt = \"A lake\"\n" + attributes
	}
	return "image \"a\" {\n" + attributes + "\n}\n"
}

func several(n int, one func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(one(i))
	}
	return b.String()
}

// cases are what each rule finds, and what looks like it and is not.
var cases = map[string]struct{ hit, miss []string }{
	"IB1001": {[]string{prompt("A woman"), prompt("A red bicycle")},
		[]string{prompt("A woman, watercolour"), prompt("A fox in a snowy forest beside an old wooden barn"), prompt("Eine Frau, die am Ufer eines Sees steht"), edit("Add a hat", "image = image.s")}},
	"IB1002": {[]string{prompt("A harbour, make it look good"), prompt("Something nice for the front page")}, []string{prompt("A harbour at dawn, good light on the boats"), prompt(`A sign that says "make it look good"`)}},
	"IB1003": {[]string{prompt("A fox runs over a frozen lake beside an old barn")},
		[]string{prompt("Watercolour of a fox on a frozen lake"), image("prompt = \"A fox runs over a frozen lake beside a barn\"\nstyle = \"natural\""), "preset \"p\" {\n after = \"Flat vector illustration.\"\n}\n" + image("preset = preset.p\nprompt = \"A fox beside a barn\"")}},
	"IB1004": {[]string{prompt("Watercolour of a fox beside a barn")}, []string{prompt("Watercolour of a fox at dusk"), prompt("Flat vector icon of a fox")}},
	"IB1005": {[]string{prompt("Watercolour of a fox at dusk")}, []string{prompt("Watercolour of a fox at dusk, close-up"), prompt("Flat vector icon of a fox")}},
	"IB1006": {[]string{prompt("Photograph of a desk in a room at dusk")}, []string{prompt("Photograph of a quiet room at dusk"), prompt("Logo of a bank, line art")}},
	"IB1007": {[]string{prompt("girl, forest, fantasy, moonlight, deer, magic"), prompt("red fox, snow, winter, forest, trees, cold, blue sky")},
		[]string{prompt("A girl leads a deer through a forest, moonlight, mist, calm, watercolour, wide angle"), prompt("A market with fish, fruit, bread, cheese, flowers, and tea"), prompt("fox, snow, winter, forest")}},
	"IB1008": {[]string{prompt("Photorealistic watercolour of a fox"), prompt("A street at midnight, bright daylight"), prompt("Colourful flowers, black and white")},
		[]string{prompt("Watercolour of a fox, not photorealistic"), prompt("A photographer paints, oil painting"), prompt("A photograph of an oil painting on a wall"), prompt("A street at midnight under lamps"), edit("Turn midnight into noon, keep the rest", "image = image.s")}},
	"IB1009": {[]string{image("prompt = \"A tower, portrait orientation\"\naspect_ratio = \"16:9\""), image("prompt = \"A lake, square format\"\naspect_ratio = \"3:2\""), image("prompt = \"A lake, 16:9\"\naspect_ratio = \"4:3\""), image("prompt = \"A lake in muted colours\"\nstyle = \"vivid\""), prompt("A lake, landscape orientation")},
		[]string{image("prompt = \"A tower, portrait orientation\"\naspect_ratio = \"9:16\""), image("prompt = \"Portrait of a man\"\naspect_ratio = \"16:9\""), image("prompt = \"A town square\"\naspect_ratio = \"16:9\""), image("prompt = \"A clock that shows 4:35\"\naspect_ratio = \"16:9\""), image("prompt = \"A lake in muted colours\"\nstyle = \"natural\"")}},
	"IB1010": {[]string{prompt("A shop sign that says fresh bread"), prompt("Poster with the title Tea for two")}, []string{prompt(`A shop sign that says "Fresh bread"`), prompt("A girl reading a book under a tree"), prompt("A shop sign that says 'Fresh bread'"), prompt("A poster without text")}},
	"IB1011": {[]string{prompt(`Poster with the title "Everything you ever wanted to know about tea"`), prompt(`Logo with the words "The old tea house"`)}, []string{prompt(`Poster with the title "Tea for two"`), prompt(`A garden after the poem "The road not taken by any traveller" at dusk`)}},
	"IB1013": {[]string{prompt("A street without cars"), prompt("A forest, no animals")}, []string{prompt("A forest, no text"), prompt("A street, without any watermark"), prompt("An empty street"), prompt("A clock in a forest nobody knows")}},
	"IB1015": {[]string{prompt("A red apple, transparent background")}, []string{prompt("A red apple on white"), prompt("A transparent glass on a table"), prompt("A red apple, not on a transparent background")}},
	"IB1016": {[]string{prompt("A dragon in the style of Jane Doe"), prompt("A dragon, painted by Vincent van Gogh"), "imgbuild {\n lint {\n names = [\"Acme Rocket\"]\n }\n}\n" + prompt("An ACME rocket on a pad")},
		[]string{prompt("A dragon in the style of Art Deco"), prompt("A chair in the style of the sixties"), prompt("A dragon in the style of Impressionism"), prompt("A man stands by Lake Geneva"), "imgbuild {\n lint {\n names = [\"Acme Rocket\"]\n }\n}\n" + prompt("A rocket for Acme")}},
	"IB1019": {[]string{prompt("A market with fish, and fruit, and a dog, and a cat, and a tree, and a bench, and a lamp, and a sign, and a cart, and a boy, and a bird, and a well, and rain")}, []string{prompt("A market with fish, fruit and a dog")}},
	"IB1020": {[]string{prompt("A lake "), "image \"a\" {\n  prompt = \"A la\u200bke\"\n  alt = \"x\"\n}\n", "image \"a\" {\n  prompt = <<EOT\nA lake  \nat dusk\nEOT\n  alt = \"x\"\n}\n", "image \"a\" {\n  prompt = \"A lake\"\n  alt = \"a\u00a0lake\"\n}\n", "image \"a\" {\r\n  prompt = <<EOT\r\nA lake\r\nEOT\r\n  alt = \"x\"\r\n}\r\n"},
		[]string{prompt("A lake"), "image \"a\" {\n  prompt = <<EOT\nA lake\nat dusk\nEOT\n  alt = \"x\"\n}\n", prompt("A family 👩‍🚀 at home")}},
	"IB1021": {[]string{prompt("A portrait of <subject>"), prompt("A lake, TODO say which"), prompt("A portrait of {{name}}"), image("alt = \"Lorem ipsum dolor\"")}, []string{prompt("A todo list on a desk"), prompt("A lake where 3 < 4"), prompt("A man with a [small] hat")}},
	"IB1023": {[]string{prompt("Four images of a fox"), prompt("Create 3 different variations of a logo")}, []string{prompt("Four foxes in the snow"), prompt("A wall with four pictures of foxes"), prompt("A fox, one image")}},
	"IB1024": {[]string{prompt("A business card of jo@acme.io"), prompt("A poster with +49 30 1234567")}, []string{prompt("A sign that says \"mail@example.com\""), prompt("A race in 2024, runner 4711 of 12345"), prompt("A ratio of 16:9 at +5 degrees")}},
	"IB1025": {[]string{prompt("Masterpiece, 8k, a fox")}, []string{prompt("A fox, fine fur"), prompt("A box of 8 kittens")}},
	"IB2003": {[]string{image("style = \"vivid\"")}, []string{"provider \"sketch\" {}\n" + image("style = \"vivid\""), image("alt = \"x\"")}},
	"IB2005": {[]string{image("model = \"grok-imagine-image-quality\""), image("model = \"grok-imagine-image-pro\"")}, []string{image("model = \"grok-imagine-image-2.0\""), image("alt = \"x\"")}},
	"IB2104": {[]string{edit("Make it night", "image = image.s")}, []string{edit("Make it night, keep the shore unchanged", "image = image.s"), edit("Make it night", "image = image.s\n    mask {\n      rect {\n        width = 9\n        height = 9\n      }\n    }"), prompt("Make it night")}},
	"IB2105": {[]string{edit("Put the balloon over the lake", "images = [image.s, \"b.png\"]")}, []string{edit("Put the balloon of the second picture over the lake", "images = [image.s, \"b.png\"]"), edit("Put the hat of image 2 on the man", "images = [image.s, \"b.png\"]"), edit("Put a balloon over the lake", "image = image.s")}},
	"IB3001": {[]string{several(2, func(i int) string {
		return fmt.Sprintf("image \"a%d\" {\n prompt = \"A small red fox sleeps beside a warm stove\"\n style = %q\n}\n", i, []string{"vivid", "natural"}[i])
	})}, []string{several(2, func(i int) string {
		return fmt.Sprintf("image \"a%d\" {\n prompt = \"A small red fox sleeps beside a warm stove\"\n style = \"vivid\"\n}\n", i)
	}), several(2, func(i int) string {
		return fmt.Sprintf("image \"a%d\" {\n prompt = \"A small red fox sleeps beside a %s\"\n style = %q\n}\n", i, []string{"warm stove", "cold frozen river"}[i], []string{"vivid", "natural"}[i])
	}), "image \"a\" {\n for_each = toset([\"vivid\", \"natural\"])\n prompt = \"A small red fox sleeps beside a warm stove\"\n style = each.key\n}\n"}},
	"IB3002": {[]string{several(4, func(i int) string {
		return fmt.Sprintf("image \"a%d\" {\n prompt = \"A lake %d\"\n tags = [\"t\"]\n style = %q\n}\n", i, i, []string{"vivid", "natural"}[i/3])
	})}, []string{several(4, func(i int) string {
		return fmt.Sprintf("image \"a%d\" {\n prompt = \"A lake %d\"\n tags = [\"t\"]\n style = %q\n}\n", i, i, []string{"vivid", "natural"}[i%2])
	}), several(2, func(i int) string {
		return fmt.Sprintf("image \"a%d\" {\n prompt = \"A lake %d\"\n tags = [\"t\"]\n style = %q\n}\n", i, i, []string{"vivid", "natural"}[i])
	})}},
	"IB3003": {[]string{several(5, func(i int) string {
		return prompted(i, fmt.Sprintf("Fox %d, flat vector illustration, three colours, thick lines, no text", i))
	})},
		[]string{several(4, func(i int) string {
			return prompted(i, fmt.Sprintf("Fox %d, flat vector illustration, three colours, thick lines, no text", i))
		}),
			"preset \"p\" {\n after = \"flat vector illustration, three colours, thick lines, no text\"\n}\n" + several(6, func(i int) string {
				return fmt.Sprintf("image \"a%d\" {\n preset = preset.p\n prompt = \"Fox %d\"\n}\n", i, i)
			}),
			"image \"a\" {\n for_each = toset([\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"])\n prompt = \"Fox ${each.key}, flat vector illustration, three colours, thick lines, no text\"\n}\n"}},
	"IB4001": {[]string{image("path = \"b.png\""), image("alt = \"\"")}, []string{image("alt = \"x\""), image("decorative = true"), "preset \"p\" {\n alt = \"x\"\n}\n" + image("preset = preset.p")}},
	"IB4003": {[]string{image("prompt = \"A lake, watercolour, wide angle\"\nalt = \"A lake, watercolour, wide angle\""), image("prompt = \"Watercolour of a small red fox asleep beside a warm iron stove, soft light\"\nalt = \"Watercolour of a small red fox asleep beside a warm iron stove\"")},
		[]string{image("prompt = \"A cat in a tree\"\nalt = \"A cat in a tree\""), image("prompt = \"Watercolour of a small red fox asleep beside a warm iron stove, soft light\"\nalt = \"A fox asleep beside a stove\"")}},
	"IB4004": {[]string{image("alt = \"Image of a lake\""), image("alt = \"A photo showing a lake\""), image("alt = \"hero.png\""), image("alt = \"logo\"")}, []string{image("alt = \"A lake\""), image("alt = \"Picture frames on a wall\""), image("alt = \"Acme logo\"")}},
	"IB4005": {[]string{image("alt = \"" + strings.Repeat("a lake ", 22) + "\"")}, []string{image("alt = \"" + strings.Repeat("ü", 150) + "\"")}},
	"IB4006": {[]string{image("prompt = \"A sign that says \\\"Open now\\\"\"\nalt = \"A shop door\"")}, []string{image("prompt = \"A sign that says \\\"Open now\\\"\"\nalt = \"A door, open now\""), image("prompt = \"A garden after \\\"Alice in Wonderland\\\"\"\nalt = \"A garden\""), image("prompt = \"A sign that says \\\"Open now\\\"\"\ndecorative = true")}},
	"IB5004": {[]string{"locals {\n  k = \"xai-" + strings.Repeat("aB3", 12) + "\"\n}\n" + prompt("x"), "locals {\n  k = \"q7Zp2Lx9Vb4Nw8Kc3Td6Rf1Hg5Js0YmA\"\n}\n" + prompt("x"), prompt("A note with sk-proj-" + strings.Repeat("aB3", 12))},
		[]string{"locals {\n  k = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n}\n" + prompt("x"), prompt("A task-management board with sk-y"), "locals {\n  k = \"static/Images/Some/Long/Path2/To3/A4/Picture\"\n}\n" + prompt("x")}},
	"IB5005": {[]string{image("model = \"grok-imagine-image-2.0\"\nresolution = \"1.5k\"")}, []string{image("model = \"grok-imagine-image-2.0\"\nresolution = \"2k\""), "provider \"sketch\" {}\n" + image("alt = \"x\"")}},
	"IB6001": {[]string{image("prompt = \"Photograph of a woman in a café\"\nlabel = false")}, []string{image("prompt = \"Photograph of a woman in a café\""), image("prompt = \"Watercolour of a woman\"\nlabel = false"), image("prompt = \"Photograph of a café\"\nlabel = false")}},
	"IB6002": {[]string{"image \"b\" {\n prompt = \"x\"\n license = \"CC-BY-4.0\"\n}\n" + image("alt = \"x\"")}, []string{image("alt = \"x\""), "image \"b\" {\n prompt = \"x\"\n license = \"CC-BY-4.0\"\n}\n" + image("credit = \"us\"")}},
}

func prompted(i int, text string) string {
	return fmt.Sprintf("image \"a%d\" {\n  prompt = %q\n  alt = \"x\"\n}\n", i, text)
}

// Each rule finds what it is about, and not what looks like it.
func TestRules(t *testing.T) {
	t.Parallel()
	apart := map[string]bool{"IB1018": true, "IB5003": true} // tests of their own
	for _, rule := range lint.Rules {
		c := cases[rule.Code]
		if (len(c.hit) == 0 || len(c.miss) == 0) && !apart[rule.Code] {
			t.Errorf("%s (%s) has no hit or no near miss", rule.Code, rule.Title)
		}
		count := func(text string) (n int) {
			for _, f := range lintText(t, text).Found {
				if f.Code == rule.Code {
					n++
					if f.Range == nil || f.Range.Start.Line == 0 || f.Hint == "" || strings.Contains(f.Text, "\n") {
						t.Errorf("%s: a finding without a line, a hint or in several lines: %+v", rule.Code, f.Finding)
					}
				}
			}
			return n
		}
		for _, text := range c.hit {
			if count(text) == 0 {
				t.Errorf("%s does not find\n%s", rule.Code, text)
			}
		}
		for _, text := range c.miss {
			if n := count(text); n > 0 {
				t.Errorf("%s finds %d in\n%s", rule.Code, n, text)
			}
		}
	}
}

// What explain prints is there, and the lists are in order.
func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	if !slices.IsSortedFunc(lint.Rules, func(a, b lint.Rule) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("the rules are not sorted")
	}
	for _, r := range lint.Rules {
		if r.Title == "" || r.Why == "" || r.Bad == "" || r.Good == "" || r.Source == "" || r.Severity == "" {
			t.Errorf("%s has no title, reason, example, source or severity", r.Code)
		}
		if r.Severity == diag.Error && !r.Certain {
			t.Errorf("%s is advice and an error", r.Code)
		}
		if lint.Elsewhere[r.Code] != "" {
			t.Errorf("%s is told elsewhere too", r.Code)
		}
	}
}

func TestNearTheLimit(t *testing.T) {
	t.Parallel()
	offer := func(most int) func(in *lint.Input) {
		return func(in *lint.Input) {
			in.Offer = func(string, string) (*provider.Offer, bool) {
				return &provider.Offer{Model: "m", MaxPrompt: most}, true
			}
		}
	}
	const text = "A lake below mountains at dusk" // 30 bytes
	for most, want := range map[int]int{30: 1, 37: 1, 38: 0, 29: 0, 0: 0} {
		n := 0
		for _, f := range lintFiles(t, files{"a.img.hcl": xai + prompt(text)}, offer(most)).Found {
			if f.Code == "IB1018" {
				n++
			}
		}
		if n != want {
			t.Errorf("%d of %d bytes: %d findings, not %d", len(text), most, n, want)
		}
	}
}

func TestHeavyFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		settings string
		bytes    int64
		want     int
	}{{"", 2_000_000, 0}, {"", 2_000_001, 1}, {"max_bytes = 500000", 500_001, 1}, {"max_bytes = 5000000", 2_000_001, 0}} {
		recorded := &lock.Lock{}
		recorded.Set(lock.Entry{Address: "image.a", Outputs: []lock.Output{{Path: "a.png", Bytes: tt.bytes}}})
		r := lintFiles(t, files{"a.img.hcl": xai + "imgbuild {\n lint {\n " + tt.settings + "\n }\n}\n" + prompt("A lake")}, func(in *lint.Input) { in.Lock = recorded })
		n := 0
		for _, f := range r.Found {
			if f.Code == "IB5003" {
				n++
			}
		}
		if n != tt.want {
			t.Errorf("%q, %d bytes: %d findings, not %d", tt.settings, tt.bytes, n, tt.want)
		}
	}
}

// What lint warns of in a hundred prompts, half of them good ones: a rule that
// cries wolf is switched off with all the others.
func TestPrompts(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/prompts.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		n++
		var want, got []string
		text := strings.TrimPrefix(line, "- ")
		for strings.HasPrefix(text, "IB") {
			var code string
			code, text, _ = strings.Cut(text, " ")
			want = append(want, code)
		}
		for _, f := range lintText(t, prompt(text)).Found { // whose alt is "x", so not IB4006
			if f.Severity != diag.Info && f.Code != "IB4006" && !slices.Contains(got, f.Code) {
				got = append(got, f.Code)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, not %v", text, got, want)
		}
	}
	if n < 100 {
		t.Errorf("%d prompts are not a hundred", n)
	}
}

// What is sensitive is not looked at, for a finding would quote it.
func TestSensitive(t *testing.T) {
	t.Parallel()
	const secret = "Four images of <subject>, masterpiece, jo@acme.io"
	r := lintText(t, "variable \"s\" {\n  sensitive = true\n  default = \""+secret+"\"\n}\nimage \"a\" {\n  prompt = var.s\n}\n")
	if len(r.Found) != 1 || r.Found[0].Code != "IB4001" {
		t.Errorf("%+v", r.List())
	}
	for _, f := range r.Found {
		for _, word := range strings.Fields(secret)[1:] {
			if strings.Contains(fmt.Sprint(f.Finding, f.Subject), word) {
				t.Errorf("%q is told: %+v", word, f)
			}
		}
	}
}

// A key is told by its place: neither the finding nor the line that people are
// shown has it.
func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	key := "xai-" + strings.Repeat("aB3", 12)
	src := files{"a.img.hcl": xai + "locals {\n  key = \"" + key + "\"\n}\n" + prompt("A lake")}
	p, _ := config.Load(src, config.Options{})
	r := lint.Run(lint.Input{Project: p, Source: src, Offer: func(string, string) (*provider.Offer, bool) { return nil, false }})
	var out strings.Builder
	r.List().Text(&out, func(file string) []byte { return p.Show(file, []byte(src[file])) }, diag.Palette{})
	if !strings.Contains(out.String(), "[IB5004]") || strings.Contains(out.String(), "aB3") {
		t.Error(out.String())
	}
	text, _ := lint.WriteBaseline(r.Found)
	if strings.Contains(string(text), "aB3") {
		t.Errorf("%s", text)
	}
	var doc strings.Builder
	if err := r.List().JSON(&doc); err != nil || strings.Contains(doc.String(), "aB3") {
		t.Errorf("%v %s", err, doc.String())
	}
}

// Modules and instances are told where they stand, each image by its address.
func TestModules(t *testing.T) {
	t.Parallel()
	r := lintFiles(t, files{"a.img.hcl": xai + "module \"m\" {\n  source = \"./m\"\n  for_each = toset([\"x\", \"y\"])\n}\n", "m/m.img.hcl": "image \"a\" {\n  prompt = \"Four images of a fox\" # imgbuild:ignore IB1003 a test\n  alt = \"Image of a fox\"\n}\n"}, nil)
	at := map[string]int{}
	for _, f := range r.Found {
		if f.Range == nil || f.Range.File != "m/m.img.hcl" {
			t.Errorf("%s stands at %+v", f.Code, f.Range)
		}
		at[f.Code+f.Address]++
	}
	for _, a := range []string{`module.m["x"].image.a`, `module.m["y"].image.a`} {
		if at["IB1023"+a] != 1 || at["IB4004"+a] != 1 || at["IB1003"+a] != 0 {
			t.Errorf("%s: %v", a, at)
		}
	}
	fixes := r.Fixes(&config.Project{}, files{"m/m.img.hcl": "image \"a\" {\n  prompt = \"Four images of a fox\" # imgbuild:ignore IB1003 a test\n  alt = \"Image of a fox\"\n}\n"}, &lock.Lock{})
	if n := len(fixes.Edits["m/m.img.hcl"]); n != 1 {
		t.Errorf("one text of two instances is mended %d times", n)
	}
}

// The examples show how it is done: nothing warns of them, and their comments are
// of use.
func TestExamples(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("../../examples/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("%v %v", dirs, err)
	}
	for _, dir := range dirs {
		f := files{}
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == "node_modules" || d.Name() == ".imgbuild" {
					return fs.SkipDir
				}
				return nil
			}
			b, err := os.ReadFile(name)
			rel, _ := filepath.Rel(dir, name)
			f[filepath.ToSlash(rel)] = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		r := lintFiles(t, f, func(in *lint.Input) {
			l, findings := lock.Parse([]byte(f[lock.File]))
			if f[lock.File] != "" && findings.HasErrors() {
				t.Fatal(findings)
			}
			in.Lock = l
			if len(in.Project.Images) == 0 {
				t.Errorf("%s has no images", dir)
			}
		})
		for _, found := range r.Found {
			if found.Severity != diag.Info || lint.Lookup(found.Code) == nil {
				t.Errorf("%s: %+v", dir, found.Finding)
			}
		}
	}
}

// What is large takes longer, and not for ever: each of these was quadratic, or
// could be.
func TestLargePrompts(t *testing.T) {
	t.Parallel()
	const n = 100_000
	for name, text := range map[string]string{
		"an address":                 prompt(strings.Repeat("a", n) + "@acme.io"),
		"quotes that nothing closes": prompt(strings.Repeat("“", n/3)),
		"apostrophes":                prompt(strings.Repeat("'a ", n/3)),
		"one letter":                 "locals {\n  l = \"b\"\n}\nimage \"a\" {\n  prompt = \"" + strings.Repeat("a", n) + "${local.l}\"\n}\n",
		"one word":                   prompt(strings.Repeat("no ", n/3)),
		"commas":                     prompt(strings.Repeat(",", n)),
		"spaces":                     prompt("a" + strings.Repeat(" ", n)),
		"digits":                     prompt(strings.Repeat("1", n)),
		"signs":                      prompt(strings.Repeat("<a", n/2)),
		"at":                         prompt(strings.Repeat("a@", n/2)),
		"style":                      prompt("in the style of A" + strings.Repeat(" van", n/4)),
	} {
		t.Run(name, func(t *testing.T) {
			r := lintText(t, text)
			if len(r.Found) == 0 {
				t.Error("nothing is found")
			}
			for _, f := range r.Found {
				if len(f.Text) > 2000 {
					t.Errorf("%s has a text of %d bytes", f.Code, len(f.Text))
				}
			}
		})
	}
}
