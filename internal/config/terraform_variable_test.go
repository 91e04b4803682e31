package config

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// terraformVariables is what Terraform makes of each case below: a name, a tab,
// and the value of [var.x] as JSON, or "error".
const terraformVariables = "testdata/terraform_variables.txt"

// variableCases give a value to var.x. Files and the environment have the names
// of imgbuild.
var variableCases = []struct {
	name  string
	decl  string // inside variable "x"
	more  string // further blocks
	env   string
	files files
	vars  []Var
	// ours is what imgbuild does where it differs, and why.
	ours, why string
}{
	// What wins.
	{name: "default", decl: `default = "d"`},
	{name: "environment over default", decl: `default = "d"`, env: "e"},
	{name: "file over environment", decl: `default = "d"`, env: "e", files: files{"imgbuild.imgvars": `x = "f"`}},
	{name: "auto file over file", decl: `default = "d"`, files: files{"imgbuild.imgvars": `x = "f"`, "a.auto.imgvars": `x = "a"`}},
	{name: "later auto file", files: files{"a.auto.imgvars": `x = "a"`, "b.auto.imgvars": `x = "b"`, "B.auto.imgvars": `x = "B"`}},
	{name: "command line over auto file", files: files{"a.auto.imgvars": `x = "a"`}, vars: []Var{{Name: "x", Value: "c"}}},
	{name: "-var-file after -var", files: files{"v.imgvars": `x = "v"`}, vars: []Var{{Name: "x", Value: "c"}, {File: "v.imgvars"}}},
	{name: "-var after -var-file", files: files{"v.imgvars": `x = "v"`}, vars: []Var{{File: "v.imgvars"}, {Name: "x", Value: "c"}}},
	{name: "last -var", vars: []Var{{Name: "x", Value: "1"}, {Name: "x", Value: "2"}}},
	{name: "no file by itself", decl: `default = "d"`, files: files{"v.imgvars": `x = "v"`}},
	{name: "nothing"},
	{name: "an empty environment", decl: `default = "d"`, env: "(empty)", ours: `["d"]`, why: "an empty variable of the environment counts as not set, as CI systems hand on what they do not have"},

	// Not declared.
	{name: "-var not declared", decl: `default = "d"`, vars: []Var{{Name: "y", Value: "c"}}},
	{name: "-var-file not declared", decl: `default = "d"`, files: files{"v.imgvars": `y = "v"`}, vars: []Var{{File: "v.imgvars"}}},
	{name: "file not declared", decl: `default = "d"`, files: files{"a.auto.imgvars": `y = "v"`}},
	{name: "-var-file not there", decl: `default = "d"`, vars: []Var{{File: "none.imgvars"}}},

	// Text and expressions.
	{name: "text looks like a number", vars: []Var{{Name: "x", Value: "01"}}},
	{name: "text looks like an expression", vars: []Var{{Name: "x", Value: `["a"]`}}},
	{name: "text with quotes", decl: `type = string`, vars: []Var{{Name: "x", Value: `"a"`}}},
	{name: "text null", decl: `type = string`, vars: []Var{{Name: "x", Value: "null"}}},
	{name: "text with spaces", decl: `type = string`, vars: []Var{{Name: "x", Value: " a = b "}}},
	{name: "empty text", decl: `type = string`, vars: []Var{{Name: "x", Value: ""}}},
	{name: "number", decl: `type = number`, vars: []Var{{Name: "x", Value: "1e3"}}},
	{name: "number with space", decl: `type = number`, vars: []Var{{Name: "x", Value: " 1"}}},
	{name: "no number", decl: `type = number`, vars: []Var{{Name: "x", Value: "one"}}},
	{name: "expression for a number", decl: `type = number`, vars: []Var{{Name: "x", Value: "1 + 1"}}},
	{name: "bool", decl: `type = bool`, vars: []Var{{Name: "x", Value: "true"}}},
	{name: "bool by number", decl: `type = bool`, vars: []Var{{Name: "x", Value: "1"}}},
	{name: "bool in capitals", decl: `type = bool`, vars: []Var{{Name: "x", Value: "True"}}},
	{name: "any by text", decl: `type = any`, vars: []Var{{Name: "x", Value: "a"}}},
	{name: "any by expression", decl: `type = any`, vars: []Var{{Name: "x", Value: `["a", 1]`}}},
	{name: "any by number", decl: `type = any`, vars: []Var{{Name: "x", Value: `01`}}},
	{name: "list", decl: `type = list(string)`, vars: []Var{{Name: "x", Value: `["a", 1, true]`}}},
	{name: "list by text", decl: `type = list(string)`, vars: []Var{{Name: "x", Value: `a,b`}}},
	{name: "list from the environment", decl: `type = list(number)`, env: `["1", 2]`},
	{name: "list with a call", decl: `type = list(string)`, vars: []Var{{Name: "x", Value: `[upper("a")]`}}, ours: `[["A"]]`, why: "values may call functions"},
	{name: "list with a name", decl: `type = list(string)`, vars: []Var{{Name: "x", Value: `[var.x]`}}},
	{name: "empty text for a list", decl: "type = list(string)\ndefault = [\"d\"]", vars: []Var{{Name: "x", Value: ""}}},
	{name: "set", decl: `type = set(string)`, vars: []Var{{Name: "x", Value: `["b", "a", "b"]`}}},
	{name: "map", decl: `type = map(number)`, vars: []Var{{Name: "x", Value: `{ a = "1", "b c" = 2, d : 3 }`}}},
	{name: "map by JSON", decl: `type = map(number)`, vars: []Var{{Name: "x", Value: `{"a": 1}`}}},
	{name: "tuple", decl: `type = tuple([string, number])`, vars: []Var{{Name: "x", Value: `[1, "2"]`}}},
	{name: "tuple too short", decl: `type = tuple([string, number])`, vars: []Var{{Name: "x", Value: `[1]`}}},

	// Objects.
	{name: "object", decl: `type = object({ a = string, b = optional(number), c = optional(number, 3) })`, vars: []Var{{Name: "x", Value: `{ a = 1 }`}}},
	{name: "object with more", decl: `type = object({ a = string })`, vars: []Var{{Name: "x", Value: `{ a = "1", z = 2 }`}}},
	{name: "object with less", decl: `type = object({ a = string })`, vars: []Var{{Name: "x", Value: `{}`}}},
	{name: "null for an optional", decl: `type = object({ a = optional(string, "d"), b = optional(string) })`, vars: []Var{{Name: "x", Value: `{ a = null, b = null }`}}},
	{name: "objects in a map", decl: `type = map(object({ a = optional(object({ b = optional(list(string), ["q"]) }), {}) }))`, vars: []Var{{Name: "x", Value: `{ k = {}, l = { a = { b = ["z"] } } }`}}},
	{name: "default of objects", decl: "type = list(object({ a = optional(string, \"d\") }))\ndefault = [{}, { a = \"e\" }]"},
	{name: "default of another type", decl: "type = list(string)\ndefault = [1, true]"},
	{name: "default that does not fit", decl: "type = number\ndefault = \"x\""},
	{name: "default with a call", decl: `default = upper("a")`, ours: `["A"]`, why: "defaults may call functions"},
	{name: "default with a name", decl: `default = var.y`, more: `variable "y" { default = 1 }`},

	// Null.
	{name: "null default", decl: `default = null`},
	{name: "null in a file", decl: `default = "d"`, files: files{"a.auto.imgvars": `x = null`}},
	{name: "null in a file without a default", files: files{"a.auto.imgvars": `x = null`}},
	{name: "null where none may be", decl: "default = \"d\"\nnullable = false", files: files{"a.auto.imgvars": `x = null`}},
	{name: "null where none may be and no default", decl: "nullable = false", files: files{"a.auto.imgvars": `x = null`}},
	{name: "null default where none may be", decl: "default = null\nnullable = false"},
	{name: "null inside where none may be", decl: "type = list(string)\nnullable = false", vars: []Var{{Name: "x", Value: `[null]`}}},
	{name: "nullable by text", decl: "default = 1\nnullable = \"false\"", files: files{"a.auto.imgvars": `x = null`}, ours: "error", why: "true and false stand without quotes in all blocks"},

	// Validation.
	{name: "valid", decl: "default = 1\nvalidation {\n condition = var.x > 0\n error_message = \"no\"\n}"},
	{name: "invalid", decl: "default = 1\nvalidation {\n condition = var.x > 1\n error_message = \"no\"\n}"},
	{name: "second invalid", decl: "default = 1\nvalidation {\n condition = var.x > 0\n error_message = \"no\"\n}\nvalidation {\n condition = var.x > 1\n error_message = \"no\"\n}"},
	{name: "validation by another variable", decl: "default = 1\nvalidation {\n condition = var.x < var.y\n error_message = \"more than ${var.y}\"\n}", more: `variable "y" { default = 1 }`},
	{name: "validation by a local", decl: "default = 1\nvalidation {\n condition = var.x < local.y\n error_message = \"no\"\n}", more: "locals {\n  y = 2\n}"},
	{name: "validation without the variable", decl: "default = 1\nvalidation {\n condition = var.y == 1\n error_message = \"no\"\n}", more: `variable "y" { default = 1 }`},
	{name: "validation by text", decl: "default = \"true\"\nvalidation {\n condition = var.x\n error_message = \"no\"\n}"},
	{name: "validation by null", decl: "default = null\nvalidation {\n condition = var.x\n error_message = \"no\"\n}"},
	{name: "validation by a number", decl: "default = 1\nvalidation {\n condition = var.x\n error_message = \"no\"\n}"},
	{name: "validation that fails", decl: "default = 1\nvalidation {\n condition = var.x.y\n error_message = \"no\"\n}"},
	{name: "validation of null", decl: "default = null\nvalidation {\n condition = var.x == null || can(regex(\"a\", var.x))\n error_message = \"no\"\n}"},
	{name: "message by a number", decl: "default = 1\nvalidation {\n condition = var.x > 0\n error_message = 5\n}"},
	{name: "no message", decl: "default = 1\nvalidation {\n condition = var.x > 0\n}"},
	{name: "two in a circle", decl: "default = 1\nvalidation {\n condition = var.x < var.y\n error_message = \"no\"\n}", more: "variable \"y\" {\n default = 2\n validation {\n condition = var.y > var.x\n error_message = \"no\"\n}\n}", ours: "[1]", why: "validations are checked once all variables have their values"},
	{name: "sensitive", decl: "default = \"a\"\nsensitive = true\nvalidation {\n condition = length(var.x) == 1\n error_message = \"no\"\n}"},
	{name: "sensitive by text", decl: "default = \"a\"\nsensitive = \"true\"", ours: "error", why: "true and false stand without quotes in all blocks"},
	{name: "sensitive by a name", decl: "default = \"a\"\nsensitive = var.y", more: `variable "y" { default = true }`},
}

const variableOutput = "\noutput \"v\" {\n  value = nonsensitive([nonsensitive(var.x)])\n}\n"

func TestVariablesAsTerraform(t *testing.T) {
	recorded := map[string]string{}
	b, err := os.ReadFile(terraformVariables)
	if err != nil && !*record {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		name, result, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		recorded[name] = result
	}
	ask := *record // each case is two runs of terraform
	var now strings.Builder
	for _, c := range variableCases {
		decl := "variable \"x\" {\n" + c.decl + "\n}\n" + c.more + "\n"
		src := files{"a.img.hcl": decl + variableOutput}
		for name, text := range c.files {
			src[name] = text + "\n"
		}
		if ask {
			recorded[c.name] = terraformVariable(t, src, c.vars, c.env)
		}
		want := recorded[c.name]
		fmt.Fprintf(&now, "%s\t%s\n", c.name, want)
		got := "error"
		p, l := Load(src, Options{Vars: c.vars, Expressions: true, Env: func(name string) string {
			if name == envPrefix+"x" && c.env != "(empty)" {
				return c.env
			}
			return ""
		}})
		if !l.HasErrors() {
			if v, _ := p.Eval("nonsensitive([nonsensitive(var.x)])", nil); v.JSON != nil {
				got = canonicalJSON(t, v.JSON)
			}
		}
		switch {
		case c.ours == "" && got != want:
			t.Errorf("%s: got %s, Terraform %s\n%s", c.name, got, want, lines(l))
		case c.ours != "" && got != c.ours:
			t.Errorf("%s: got %s, want %s", c.name, got, c.ours)
		case c.ours == want || c.ours != "" && c.why == "":
			t.Errorf("%s is listed as a difference and is none, or has no reason", c.name)
		}
	}
	if *record {
		if err := os.WriteFile(terraformVariables, []byte(now.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func canonicalJSON(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// terraformVariable plans a folder of its own.
func terraformVariable(t *testing.T, src files, vars []Var, env string) string {
	t.Helper()
	dir := t.TempDir()
	theirs := strings.NewReplacer("imgbuild.imgvars", "terraform.tfvars", ".imgvars", ".tfvars", ".img.hcl", ".tf")
	for name, text := range src {
		if err := os.WriteFile(filepath.Join(dir, theirs.Replace(name)), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-chdir=" + dir, "plan", "-input=false", "-refresh=false", "-lock=false", "-out=plan"}
	for _, v := range vars {
		if v.File != "" {
			args = append(args, "-var-file="+theirs.Replace(v.File))
		} else {
			args = append(args, "-var="+v.Name+"="+v.Value)
		}
	}
	run := func(args ...string) ([]byte, error) {
		cmd := exec.Command("terraform", args...)
		cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE=/dev/null", "CHECKPOINT_DISABLE=1")
		if env == "(empty)" {
			cmd.Env = append(cmd.Env, "TF_VAR_x=")
		} else if env != "" {
			cmd.Env = append(cmd.Env, "TF_VAR_x="+env)
		}
		return cmd.Output()
	}
	if _, err := run(args...); err != nil {
		return "error"
	}
	b, err := run("-chdir="+dir, "show", "-json", "plan")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Planned struct {
			Outputs map[string]struct{ Value json.RawMessage }
		} `json:"planned_values"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return canonicalJSON(t, doc.Planned.Outputs["v"].Value)
}
