package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Every block and attribute tells people what it is.
func TestLanguage(t *testing.T) {
	t.Parallel()
	var walk func(path string, list []Block)
	sentence := func(path, text string) {
		if text == "" || strings.HasSuffix(text, ".") || regexp.MustCompile(`^[A-Z][a-z]`).MatchString(text) {
			t.Errorf("%s: %q is no sentence without a capital letter and a full stop", path, text)
		}
	}
	walk = func(path string, list []Block) {
		for _, b := range list {
			path := path + b.Name
			sentence(path, b.Text)
			if len(b.Attributes) == 0 && len(b.Blocks) == 0 && b.Open == "" {
				t.Errorf("%s holds nothing", path)
			}
			for _, a := range b.Attributes {
				sentence(path+"."+a.Name, a.Text)
				if a.Type == "" {
					t.Errorf("%s.%s has no type", path, a.Name)
				}
				if a.Required && a.Default != "" {
					t.Errorf("%s.%s is required and has a default", path, a.Name)
				}
			}
			walk(path+".", b.Blocks)
		}
	}
	walk("", Language())
}

// Every block and attribute stands in an example of the reference. That the
// examples are valid is for a test of cli.
func TestLanguageExamples(t *testing.T) {
	t.Parallel()
	const file = "../cli/manual/language.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var walk func(path string, b *hclsyntax.Body)
	walk = func(path string, b *hclsyntax.Body) {
		for name := range b.Attributes {
			used[path+name] = true
		}
		for _, inner := range b.Blocks {
			used[path+inner.Type] = true
			walk(path+inner.Type+".", inner.Body)
		}
	}
	for _, m := range regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$").FindAllSubmatch(doc, -1) {
		f, diags := hclsyntax.ParseConfig(m[1], file, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		walk("", f.Body.(*hclsyntax.Body))
	}
	var want func(path string, list []Block)
	want = func(path string, list []Block) {
		for _, b := range list {
			for _, a := range b.Attributes {
				if name := path + b.Name + "." + a.Name; !used[name] {
					t.Errorf("%s has no example in %s", name, file)
				}
			}
			if !used[path+b.Name] {
				t.Errorf("%s has no example in %s", path+b.Name, file)
			}
			want(path+b.Name+".", b.Blocks)
		}
	}
	want("", Language())
}

// Each function has a call with its result. -update writes the results.
func TestFunctionExamples(t *testing.T) {
	src := files{
		"prompts/hero.txt": "A lake below snowy mountains", "prompts/scene.tpl": "${subject}%{ if fog } in fog%{ endif }",
		"photos/lake.png": "", "content/posts/solstice.md": "---\nimage_prompt: A bonfire on a frozen lake\n---\n",
	}
	p, l := Load(src, Options{Expressions: true, Measure: func([]byte) (Picture, error) {
		return Picture{Width: 1600, Height: 900, Format: "png"}, nil
	}})
	if p == nil {
		t.Fatal(lines(l))
	}
	var out strings.Builder
	has := map[string]bool{}
	for line := range strings.Lines(functionExamples) {
		call, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " → ")
		name, _, _ := strings.Cut(call, "(")
		has[name] = true
		v, l := p.Eval(call, nil)
		if len(l) > 0 {
			t.Errorf("%s: %s", call, lines(l))
		}
		out.WriteString(call + " → " + strings.ReplaceAll(v.Text, "\n", "") + "\n")
	}
	for _, f := range Functions() {
		if !has[f.Name] {
			t.Errorf("%s has no example", f.Name)
		}
	}
	if *update {
		if err := os.WriteFile("function_examples.txt", []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	same(t, out.String(), functionExamples)
}
