package config

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// notOurs are the tests of the suite that are about hcldec, with the reason.
var notOurs = map[string]string{
	"structure/attributes/unexpected": "which attributes there may be is a matter of hcldec's schema; TestFindings has ours",
}

// specSuite finds the tests that come with the module of HCL.
func specSuite(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hashicorp/hcl/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "specsuite", "tests")
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the module of HCL has no suite: %v", err)
	}
	return dir
}

// TestSpecSuite runs the suite of HCL's language through our guard, its parser,
// our meters and our reading of JSON.
func TestSpecSuite(t *testing.T) {
	t.Parallel()
	dir, run := specSuite(t), 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		base, ok := strings.CutSuffix(path, ".t")
		if err != nil || !ok {
			return err
		}
		rel, err := filepath.Rel(dir, base)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if notOurs[name] != "" {
			return nil
		}
		run++
		t.Run(name, func(t *testing.T) {
			want := readSpec(t, base)
			ran := false
			for ending, own := range map[string]string{".hcl": "x.img.hcl", ".hcl.json": "x.img.json"} {
				if src, err := os.ReadFile(base + ending); err == nil {
					want.check(t, own, src)
					ran = true
				}
			}
			if !ran {
				t.Error("there is nothing to parse")
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if run < 14 {
		t.Errorf("only %d tests were found", run)
	}
}

// specTest is what a test of the suite expects.
type specTest struct {
	result    cty.Value // nil if nothing is said
	ty        cty.Type
	errors    []hcl.Pos // where they begin
	variables map[string]cty.Value
	root      *hclsyntax.Block // of the hcldec specification
}

func readSpec(t *testing.T, base string) specTest {
	t.Helper()
	read := func(name string) *hclsyntax.Body {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return f.Body.(*hclsyntax.Body)
	}
	value := func(a *hclsyntax.Attribute) cty.Value {
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return v
	}
	var s specTest
	expected := read(base + ".t")
	if a := expected.Attributes["result"]; a != nil {
		s.result = value(a)
	}
	if a := expected.Attributes["result_type"]; a != nil {
		ty, diags := typeexpr.TypeConstraint(a.Expr)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		s.ty = ty
	}
	for _, b := range expected.Blocks {
		if b.Type != "diagnostics" {
			continue
		}
		for _, e := range b.Body.Blocks {
			for _, from := range e.Body.Blocks {
				if from.Type != "from" {
					continue
				}
				number := func(name string) int {
					n, _ := value(from.Body.Attributes[name]).AsBigFloat().Int64()
					return int(n)
				}
				s.errors = append(s.errors, hcl.Pos{Line: number("line"), Column: number("column"), Byte: number("byte")})
			}
		}
	}
	for _, b := range read(base + ".hcldec").Blocks {
		if b.Type != "variables" {
			s.root = b
			continue
		}
		s.variables = map[string]cty.Value{}
		for name, a := range b.Body.Attributes {
			s.variables[name] = value(a)
		}
	}
	return s
}

func (s specTest) check(t *testing.T, name string, src []byte) {
	t.Helper()
	var out parsed
	body, ok := out.parse(name, src)
	if len(s.errors) > 0 {
		// Only the first mistake of syntax is told: those that follow are its echo.
		if len(out.findings) != 1 || !out.torn {
			t.Fatalf("wants a finding, got %s", lines(out.findings))
		}
		if at, want := out.findings[0].Range.Start, s.errors[0]; at.Line != want.Line || at.Column != want.Column || at.Byte != want.Byte {
			t.Errorf("the finding is at %v, not at %v", at, want)
		}
		return
	}
	if !ok || len(out.findings) > 0 {
		t.Fatal(lines(out.findings))
	}
	var got cty.Value
	switch s.root.Type {
	case "literal": // of the specification: the parser is all that is tested
		got, _ = s.root.Body.Attributes["value"].Expr.Value(nil)
	case "object":
		got = s.value(t, body, src)
	case "block":
		got = s.value(t, body.Blocks[0].Body, src)
	default:
		t.Fatalf("a specification of a %s is not known here", s.root.Type)
	}
	if s.result != cty.NilVal && !got.RawEquals(s.result) {
		t.Errorf("got %#v\nwant %#v", got, s.result)
	}
	if s.ty != cty.NilType {
		if _, err := convert.Convert(got, s.ty); err != nil {
			t.Errorf("%#v is no %s: %v", got, typeexpr.TypeString(s.ty), err)
		}
	}
}

// value makes an object of a body: of its attributes, and of its blocks by their
// labels.
func (s specTest) value(t *testing.T, body *hclsyntax.Body, src []byte) cty.Value {
	t.Helper()
	attrs := map[string]cty.Value{}
	for name, a := range body.Attributes {
		text := string(a.Expr.Range().SliceBytes(src)) // evaluation changes the tree
		attrs[name] = s.evaluate(t, a.Expr)
		s.checkJSON(t, attrs[name], "${"+text+"\n}")
	}
	for _, b := range body.Blocks {
		v := s.value(t, b.Body, src)
		if len(b.Labels) == 0 {
			attrs[b.Type] = v
			continue
		}
		labelled := map[string]cty.Value{}
		if before, ok := attrs[b.Type]; ok {
			labelled = before.AsValueMap()
		}
		labelled[b.Labels[0]] = v
		attrs[b.Type] = cty.ObjectVal(labelled)
	}
	return cty.ObjectVal(attrs)
}

func (s specTest) evaluate(t *testing.T, e hclsyntax.Expression) cty.Value {
	t.Helper()
	ev := newEvaluator(files{}, Options{})
	ctx := ev.root.NewChild()
	ctx.Variables = s.variables
	v := ev.value(ev.prepare(e, uses{thing: "x", bound: sortedKeys(s.variables)}), ctx, "x")
	if len(*ev.out) > 0 {
		t.Error(lines(*ev.out))
	}
	return v
}

// checkJSON does the same from a file in JSON, where the expression stands in a
// template, and where its value stands as it is.
func (s specTest) checkJSON(t *testing.T, want cty.Value, template string) {
	t.Helper()
	plain, err := ctyjson.Marshal(want, want.Type())
	if err != nil {
		t.Fatal(err)
	}
	src, err := json.Marshal(map[string]any{"locals": map[string]any{"template": template, "plain": json.RawMessage(plain)}})
	if err != nil {
		t.Fatal(err)
	}
	var out parsed
	body, ok := out.parse("x.img.json", src)
	if !ok || len(out.findings) > 0 || len(body.Blocks) != 1 {
		t.Fatalf("%s\n%s", src, lines(out.findings))
	}
	for name, a := range body.Blocks[0].Body.Attributes {
		if got := s.evaluate(t, a.Expr); !got.RawEquals(want) {
			t.Errorf("as a %s in JSON it is %#v\nwant %#v", name, got, want)
		}
	}
}
