package config

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

var record = flag.Bool("record", false, "ask terraform, and write what it says to testdata/terraform.txt")

// terraformTable is expressions, each followed by what Terraform makes of it
// and, if that differs, what imgbuild does and, where that is no matter of a
// function, why: lines that are indented.
const terraformTable = "testdata/terraform.txt"

const (
	oursLine   = "imgbuild: "
	reasonLine = "because: "
)

// lineEnds are those of an expression in the table, which has one on a line.
var lineEnds = strings.NewReplacer("␤", "\n", "␍", "\r")

// terraformVersion is the one that was asked; others know other functions.
const terraformVersion = "Terraform v1.11.4"

// terraformHere reports whether Terraform can be asked, and in that version.
func terraformHere(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("terraform", "version").Output()
	version, _, _ := strings.Cut(string(out), "\n")
	if here := err == nil && version == terraformVersion; here || !*record {
		if !here {
			t.Logf("only what was recorded is compared: %s is not here", terraformVersion)
		}
		return here
	}
	t.Fatalf("-record needs %s: %v %s", terraformVersion, err, version)
	return false
}

// What the expressions of the table name and read.
const terraformLocals = `locals {
  template         = "Hi $${name}%%{ for x in list } $${x}%%{ endfor }"
  number           = "$${1.50}"
  directive        = "%%{ if n }yes%%{ endif }"
  broken           = "$${"
  caller           = "$${templatestring(name, {})}"
  whole            = "$${list}"
  recursive        = "$${templatestring(t, {})}"
  empty            = ""
  escaped          = join("", ["$", "$", "{name}"])
  object           = { t = "<$${name}>" }
  unknown_function = "$${nope()}"
  outside          = "$${local.template}"
}
`

var terraformFiles = files{
	"hello.txt":      "Hello, Wörld!\n",
	"empty.txt":      "",
	"decomposed.txt": "e\u0301\n",
	"raw.bin":        "\xff\xfe\x00",
	"t.tmpl":         "Hi ${name}%{ for x in list } ${x}%{ endfor }",
	"number.tmpl":    "${n}",
	"recursive.tmpl": `%{ if n > 0 }${n} ${templatefile("recursive.tmpl", { n = n - 1 })}%{ endif }`,
	"endless.tmpl":   `${templatefile("endless.tmpl", {})}`,
	"broken.tmpl":    "${",
	"sub/a.md":       "a",
	"sub/b.md":       "b",
	"sub/.hidden":    "",
	"sub/deep/c.md":  "c",
}

// trial is one expression of the table.
type trial struct {
	line      int
	text      string // as it stands there
	expr      string
	terraform string
	ours      string // as recorded; "" where it is the same
	reason    string
}

func readTable(t *testing.T) (text []string, rows []trial) {
	t.Helper()
	b, err := os.ReadFile(terraformTable)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if result, ok := strings.CutPrefix(line, "\t"); ok && len(rows) > 0 {
			r := &rows[len(rows)-1]
			if ours, ok := strings.CutPrefix(result, oursLine); ok {
				r.ours = ours
			} else if reason, ok := strings.CutPrefix(result, reasonLine); ok {
				r.reason = reason
			} else {
				r.terraform = result
			}
			continue
		}
		text = append(text, line)
		if line != "" && !strings.HasPrefix(line, "#") {
			rows = append(rows, trial{line: i + 1, text: line, expr: lineEnds.Replace(line)})
		}
	}
	return text, rows
}

// typed is the type and the value, on one line.
func typed(v cty.Value) string {
	if !v.IsWhollyKnown() {
		return "unknown"
	}
	b, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return err.Error()
	}
	return typeexpr.TypeString(v.Type()) + " " + string(b)
}

// askTerraform evaluates all expressions in one plan, whose outputs tell types
// as well as values, which terraform console does not.
func askTerraform(t *testing.T, rows []trial) []string {
	t.Helper()
	var b strings.Builder
	b.WriteString(terraformLocals)
	results := make([]string, len(rows))
	for i, r := range rows {
		if !terraformParses(r.expr) {
			results[i] = "error"
			continue
		}
		fmt.Fprintf(&b, "output \"e%d\" {\n  value = try({ v = %s }, \"error\")\n}\n", i, r.expr)
	}
	p := tfProject{files: maps.Clone(terraformFiles)}
	p.files["main.tf"] = b.String()
	outputs, why := p.terraform(t)
	if why != "" {
		t.Fatal(why)
	}
	for i := range rows {
		if results[i] != "" {
			continue
		}
		v, ok := outputs[fmt.Sprintf("e%d", i)]
		switch {
		case !ok:
			t.Fatalf("terraform gave no value for %s", rows[i].expr)
		case !v.IsWhollyKnown():
			results[i] = "unknown"
		case v.Type() == cty.String:
			results[i] = "error"
		default:
			results[i] = typed(v.GetAttr("v"))
		}
	}
	return results
}

// terraformParses reports whether Terraform takes the expression as far as its
// syntax goes. Where our parser takes it that is not asked: it would take
// minutes, and the plan fails if it is not so.
func terraformParses(expr string) bool {
	if _, diags := hclsyntax.ParseExpression([]byte(expr), "x", hcl.InitialPos); !diags.HasErrors() {
		return true
	}
	cmd := exec.Command("terraform", "fmt", "-")
	cmd.Stdin = strings.NewReader("x = { v = " + expr + " }\n")
	return cmd.Run() == nil
}

// evaluate tells the result of an expression in a project of these files, with
// the findings if there are any.
func evaluate(f files, expr string) (result, why string) { return evaluateWith(f, Options{}, expr) }

func evaluateWith(f files, opt Options, expr string) (result, why string) {
	ev := newEvaluator(f, opt)
	ev.top.decls = ev.parseAll("", []string{"locals.img.hcl"}[:min(1, len(f["locals.img.hcl"]))])
	ev.prepareAll()
	return ev.try(expr)
}

func (ev *evaluator) try(expr string) (result, why string) {
	e, diags := hclsyntax.ParseExpression([]byte(expr), "x", hcl.InitialPos)
	if diags.HasErrors() {
		return "error", diags.Error()
	}
	v := ev.value(ev.prepare(e, uses{thing: "x", refs: true}), nil, "x")
	if len(*ev.out) > 0 {
		return "error", lines(*ev.out)
	}
	return typed(v), ""
}

// TestTerraform holds the language and its functions to what Terraform makes of
// the same expressions, as it was recorded, and to Terraform itself where that
// is there. A difference is written below its expression, and is right only
// where the reason stands there too, or in the table of functions.
func TestTerraform(t *testing.T) {
	text, rows := readTable(t)
	if terraformHere(t) {
		for i, got := range askTerraform(t, rows) {
			if got != rows[i].terraform && !*record {
				t.Errorf("%s:%d: %s\nterraform says %s\nrecorded is    %s", terraformTable, rows[i].line, rows[i].expr, got, rows[i].terraform)
			}
			rows[i].terraform = got
		}
	}
	project := files{"locals.img.hcl": terraformLocals}
	for name, text := range terraformFiles {
		project[name] = text
	}
	for i := range rows {
		r := &rows[i]
		got, why := evaluate(project, r.expr)
		want := r.terraform
		if r.ours != "" {
			want = r.ours
		}
		if *record {
			if r.ours = ""; got != r.terraform {
				r.ours = got
			}
			continue
		}
		if strings.Contains(why, wentWrong) {
			t.Errorf("%s panics", r.expr)
		}
		if got != want {
			t.Errorf("%s:%d: %s\n got %s\nwant %s\n%s", terraformTable, r.line, r.expr, got, want, why)
		}
		if r.ours == r.terraform {
			t.Errorf("%s:%d: %s is listed as a difference and is none", terraformTable, r.line, r.expr)
		}
	}
	if *record {
		writeTable(t, text, rows)
		return
	}

	// Each function that differs has a reason in the table of functions, which
	// stands in the reference, and an expression that shows it.
	shown := map[string]bool{}
	tried := map[string]bool{}
	for _, r := range rows {
		name, _, _ := strings.Cut(r.expr, "(")
		tried[name] = true
		if strings.Contains(r.expr, "(sensitive(") {
			tried["sensitive"] = true // alone it has no result to compare
		}
		if r.ours == "" && r.reason != "" {
			t.Errorf("%s:%d: %s has a reason to differ, and does not", terraformTable, r.line, r.expr)
		}
		if r.ours == "" || r.reason != "" {
			continue
		}
		shown[name] = true
		if e := catalogue()[name]; e == nil || e.differs == "" {
			t.Errorf("%s:%d: %s differs, and neither a line because: nor the table of functions has a reason", terraformTable, r.line, r.expr)
		}
	}
	for name, e := range catalogue() {
		if e.differs != "" && !shown[name] {
			t.Errorf("%s is said to differ: %s; no expression shows that", name, e.differs)
		}
		if !e.ours && !tried[name] {
			t.Errorf("no expression compares %s with Terraform", name)
		}
	}
}

// terraformSignatures are the functions that Terraform has, one a line.
const terraformSignatures = "testdata/terraform_functions.txt"

// TestTerraformSignatures: each function of Terraform is there, with its
// parameters, or is absent with a reason.
func TestTerraformSignatures(t *testing.T) {
	recorded, err := os.ReadFile(terraformSignatures)
	if err != nil && !*record {
		t.Fatal(err)
	}
	if terraformHere(t) {
		now := askSignatures(t)
		if *record {
			if err := os.WriteFile(terraformSignatures, []byte(now), 0o666); err != nil {
				t.Fatal(err)
			}
			recorded = []byte(now)
		}
		if d := cmp.Diff(string(recorded), now); d != "" {
			t.Errorf("%s is not what terraform says (-recorded +now):\n%s", terraformSignatures, d)
		}
	}
	ours := map[string]string{}
	for _, f := range Functions() {
		if f.Terraform {
			ours[f.Name] = f.Signature()
		}
	}
	for _, a := range AbsentFunctions {
		if catalogue()[a.Name] != nil {
			t.Errorf("%s is there, and is said to be absent", a.Name)
		}
		ours[a.Name] = ""
	}
	for _, signature := range strings.Fields(strings.ReplaceAll(string(recorded), ", ", ",")) {
		name, _, _ := strings.Cut(signature, "(")
		if got, ok := ours[name]; !ok {
			t.Errorf("there is no %s, and no reason why", name)
		} else if got := strings.NewReplacer(", ", ",", "[", "", "]", "...").Replace(got); got != "" && got != signature {
			t.Errorf("got %s, Terraform has %s", got, signature)
		}
		delete(ours, name)
	}
	delete(ours, "type") // of the console, which the list leaves out
	for name := range ours {
		t.Errorf("Terraform has no %s", name)
	}
}

func askSignatures(t *testing.T) string {
	out, err := exec.Command("terraform", "metadata", "functions", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	type parameter struct{ Name string }
	var list struct {
		Signatures map[string]struct {
			Parameters []parameter
			Variadic   *parameter `json:"variadic_parameter"`
		} `json:"function_signatures"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range sortedKeys(list.Signatures) {
		if strings.HasPrefix(name, terraformNamespace) {
			continue // the same again
		}
		var names []string
		for _, p := range list.Signatures[name].Parameters {
			names = append(names, p.Name)
		}
		if p := list.Signatures[name].Variadic; p != nil {
			names = append(names, p.Name+"...")
		}
		fmt.Fprintf(&b, "%s(%s)\n", name, strings.Join(names, ", "))
	}
	return b.String()
}

func writeTable(t *testing.T, text []string, rows []trial) {
	var b strings.Builder
	for _, line := range text {
		b.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		b.WriteString("\t" + rows[0].terraform + "\n")
		if rows[0].ours != "" {
			b.WriteString("\t" + oursLine + rows[0].ours + "\n")
			if rows[0].reason != "" {
				b.WriteString("\t" + reasonLine + rows[0].reason + "\n")
			}
		}
		rows = rows[1:]
	}
	if err := os.WriteFile(terraformTable, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}
