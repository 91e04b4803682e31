package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
)

const envPrefix = "IMGBUILD_VAR_"

// reservedInputs can't be variables: a module block could not give them a value,
// or will have another use for them.
var reservedInputs = append(moduleSchema.names(), "version", "count", "depends_on", "lifecycle", "locals")

type varDecl struct {
	block    *block
	about    described
	ty       cty.Type
	defaults *typeexpr.Defaults
	nullable bool
	given    bool
	value    cty.Value
	from     string               // where value comes from
	at       hcl.Range            // and where that stands
	input    hclsyntax.Expression // of the call, in a module
	done     bool                 // value is that of input
	standard cty.Value            // the default, converted; NilVal if there is none
}

// variables gives each variable its value: the strongest of default,
// environment, files and command line.
func (ev *evaluator) variables(names []string) {
	if tr := ev.rehearsal; tr == nil || tr.dir == "" { // a module alone has what its test gives
		ev.giveAll(names)
	}
	if ev.rehearsal != nil {
		for _, name := range sortedKeys(ev.rehearsal.values) {
			if v := ev.rehearsal.values[name]; ev.cur.vars[name] != nil {
				ev.give(name, v.value, v.at, "the value")
			}
		}
	}
	for _, name := range sortedKeys(ev.cur.vars) {
		v := ev.cur.vars[name]
		if !v.given && ev.opt.Ask != nil && !ev.out.HasErrors() { // with errors the answer would be for nothing
			if text, ok := ev.opt.Ask(Question{name, v.about.description, v.about.sensitive}); ok {
				ev.p.asked = true
				ev.giveText(name, text, "the answer")
			}
		}
		if !v.given {
			hint := fmt.Sprintf("-var %s=…, or a default", name)
			switch {
			case ev.rehearsal != nil:
				hint = fmt.Sprintf("add %s = … to the variables of the test", name)
			case v.about.sensitive:
				hint = fmt.Sprintf("set %s%s in the environment", envPrefix, name) // a command line is seen by others
			}
			ev.add(problem(codeMissingVar, "var."+name, v.block.DefRange(), hint, "it has no value"))
		}
	}
	for _, name := range sortedKeys(ev.cur.vars) {
		ev.validate(name, ev.cur.vars[name])
	}
}

// giveAll takes the values of the environment, of the files of the root and of
// the command line.
func (ev *evaluator) giveAll(names []string) {
	last := map[string]func(){} // what loses is not judged, as in Terraform
	for _, name := range sortedKeys(ev.cur.vars) {
		key := envPrefix + name
		text := ev.opt.env(key)
		ev.inputs.add(Input{Kind: InputEnv, Path: key, Content: digest.OfContent([]byte(text))})
		if text != "" {
			last[name] = func() { ev.giveText(name, text, key) }
		}
	}
	var files []string
	for _, name := range names {
		if strings.HasSuffix(strings.TrimSuffix(name, ".json"), ".auto.imgvars") {
			files = append(files, name)
		}
	}
	for _, file := range []string{"imgbuild.imgvars.json", "imgbuild.imgvars"} {
		if slices.Contains(names, file) {
			files = slices.Insert(files, 0, file)
		}
	}
	for _, file := range files {
		ev.giveFile(file, false, last)
	}
	for _, v := range ev.opt.Vars {
		switch {
		case v.File != "":
			ev.giveFile(v.File, true, last)
		case ev.cur.vars[v.Name] == nil:
			if !ev.torn {
				thing, hint := "var."+v.Name, nearest(v.Name, sortedKeys(ev.cur.vars))
				if !identifier(v.Name) || ev.p.secrets && !strings.HasPrefix(hint, "did") {
					thing = "a variable" // perhaps this is a value without its name, and a secret
				}
				ev.add(diag.Finding{Severity: diag.Error, Code: codeUndeclaredVar, Text: thing + ": -var gives it a value, and it is not declared", Hint: hint})
			}
		default:
			last[v.Name] = func() { ev.giveText(v.Name, v.Value, "-var") }
		}
	}
	for _, name := range sortedKeys(last) {
		if ev.rehearsal != nil {
			if _, stronger := ev.rehearsal.values[name]; stronger {
				continue
			}
		}
		last[name]()
	}
}

func (ev *evaluator) declareVar(name string, v *varDecl) {
	thing, body := "var."+name, v.block.Body
	v.ty, v.nullable = cty.DynamicPseudoType, true
	if slices.Contains(reservedInputs, name) {
		ev.add(problem(codeLabel, thing, v.block.LabelRanges[0], "rename it", "a module block has a use of its own for the name %s", name))
	}
	decode(body, &variableSchema, &v.about, ev.bare(thing), thing, v.block.DefRange(), ev.add)
	if v.about.sensitive {
		ev.p.secrets = true
		if a := body.Attributes["default"]; a != nil {
			ev.p.hide(a.Expr.Range())
		}
	}
	if a := body.Attributes["type"]; a != nil {
		ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		if diags.HasErrors() {
			f := problem(codeType, thing, a.Expr.Range(), "write string, number, bool, list(…), set(…), map(…), object({…}), tuple([…]) or any", "%s", sentence(diags[0].Detail))
			ev.add(f)
			v.given = true // unknown: nothing more to say
			return
		}
		v.ty, v.defaults = ty, defaults
	}
	if a := body.Attributes["nullable"]; a != nil {
		if b, ok := ev.bare(thing)(a.Expr); ok && b.Type() == cty.Bool && b.IsKnown() && !b.IsNull() && !b.IsMarked() {
			v.nullable = b.True()
		} else {
			ev.add(problem(codeType, thing, a.Expr.Range(), "", "nullable must be true or false"))
		}
	}
	for _, b := range body.Blocks {
		a := b.Body.Attributes["condition"]
		if b.Type == "validation" && a != nil && !slices.ContainsFunc(hclsyntax.Variables(a.Expr), func(t hcl.Traversal) bool {
			of, _, ok := nameStep(t, 1)
			return ok && t.RootName() == "var" && of == name
		}) {
			ev.add(problem(codeInvalidVar, thing, a.Expr.Range(), "write it about "+thing+", or into the block of the variable that it is about", "validation: the condition does not look at %s", thing))
		}
	}
	if a := body.Attributes["default"]; a != nil {
		n := len(*ev.out)
		val, _ := ev.bare(thing)(a.Expr)
		if v.about.sensitive {
			ev.hush(n, thing+whyHushed)
		}
		ev.give(name, val, a.Expr.Range(), "the default")
		v.standard = v.value
	}
}

// bare evaluates an expression that may name nothing.
func (ev *evaluator) bare(thing string) valuer {
	return func(e hclsyntax.Expression) (cty.Value, bool) {
		return ev.plain(ev.prepare(e, uses{thing: thing}), nil, thing), true
	}
}

// giveText takes text literally for a primitive type, else as an expression.
func (ev *evaluator) giveText(name, text, from string) {
	v := ev.cur.vars[name]
	at := v.block.DefRange()
	n := len(*ev.out)
	quiet := func() {
		if v.about.sensitive {
			ev.hush(n, "var."+name+whyHushed)
		}
	}
	if v.ty.IsPrimitiveType() || v.block.Body.Attributes["type"] == nil {
		ev.give(name, cty.StringVal(text), at, from)
		return
	}
	if f := guard(from, []byte(text), false); f != nil {
		ev.add(problem(f.Code, "var."+name, at, f.Hint, "the value of %s: %s", from, f.Text))
		quiet()
		v.given = true
		return
	}
	e, diags := hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos)
	if diags.HasErrors() {
		why, _ := said(diags[0])
		hint := `write an expression, such as ["a", "b"]`
		switch {
		case from == "-var":
			hint = "write an expression, such as -var '" + name + `=["a", "b"]'`
		case strings.HasPrefix(from, envPrefix):
			hint = "write an expression, such as " + from + `='["a", "b"]'`
		}
		ev.add(problem(codeVarValue, "var."+name, at, hint, "%s is not an expression: %s", from, why))
		quiet()
		v.given = true
		return
	}
	before := len(*ev.out)
	val, _ := ev.bare("var." + name)(e)
	for i := range (*ev.out)[before:] { // its ranges are of the command line
		f := &(*ev.out)[before+i]
		f.Range, f.Related = rangeOf(at), nil
		f.Text = "var." + name + ": " + from + ": " + strings.TrimPrefix(f.Text, "var."+name+": ")
	}
	quiet()
	ev.give(name, val, at, from)
}

// giveFile reads a file of values, which was asked for by -var-file or is taken
// because of its name, and notes what it gives.
func (ev *evaluator) giveFile(file string, asked bool, last map[string]func()) {
	text, err := ev.readText(file, maxFile)
	if err != nil {
		f := diag.Finding{Severity: diag.Error, Code: codeRead, Text: "a file of values: " + err.Error(), Hint: "mend it, or give it another name: each *.auto.imgvars is read", Range: &diag.Range{File: file}}
		if asked {
			f.Text, f.Hint = "-var-file: "+err.Error(), "write its path from the root of the project"
		}
		ev.add(f)
		return
	}
	var out parsed
	body, ok := out.parse(file, []byte(text))
	if ev.p.secrets && len(out.findings) > 0 {
		ev.p.hideLines(file, stretch{}) // what stands where can't be told
	}
	*ev.out = append(*ev.out, out.findings...)
	ev.tear(file, out.torn)
	if !ok {
		return
	}
	for _, b := range body.Blocks {
		ev.add(problem(codeUnknownBlock, "file "+file, b.TypeRange, "write NAME = value; blocks stand in *.img.hcl", "there are no blocks in a file of values"))
	}
	for _, name := range sortedKeys(body.Attributes) {
		a := body.Attributes[name]
		d := ev.cur.vars[name]
		if ev.p.secrets && (d == nil || d.about.sensitive) { // the name may be misspelled
			ev.p.hide(a.Expr.Range())
		}
		if d == nil {
			if !ev.torn {
				f := problem(codeUndeclaredVar, "var."+name, a.NameRange, nearest(name, sortedKeys(ev.cur.vars)), "it has a value here, and is not declared")
				f.Severity = diag.Warning
				ev.add(f)
			}
			continue
		}
		last[name] = func() {
			n := len(*ev.out)
			v, _ := ev.bare("var." + name)(a.Expr)
			if d.about.sensitive {
				ev.hush(n, "var."+name+whyHushed)
			}
			ev.give(name, v, a.Expr.Range(), file)
		}
	}
}

// give converts a value to the type of the variable.
func (ev *evaluator) give(name string, val cty.Value, at hcl.Range, from string) {
	v := ev.cur.vars[name]
	v.given, v.from, v.at = true, from, at
	if val.Type() == cty.DynamicPseudoType && !val.IsKnown() {
		v.value = cty.DynamicVal
		return
	}
	hidden := v.about.sensitive || isSecret(val)
	val, marks := val.Unmark()
	of := offIn(marks)
	shown := val
	if hidden {
		shown = val.Mark(secret{})
	}
	thing := ev.cur.prefix + "var." + name
	fitted := &fitting{LiteralValueExpr: hclsyntax.LiteralValueExpr{Val: val, SrcRange: at}, meter: &ev.meter, want: v.ty, defaults: v.defaults}
	out := ev.value(fitted, nil, thing)
	if err := fitted.err; err == errSpent {
		out = cty.DynamicVal
	} else if err != nil {
		f := unfit(ev.cur.prefix, "var."+name, at, from, val, err)
		if hidden || hasSecret(val) {
			f = problem(codeVarValue, thing, at, "", "%s does not fit its type, %s", from, v.ty.FriendlyName())
			f.Values = []diag.Value{{Expression: "var." + name, Text: "is " + show(shown, 80)}}
		}
		ev.add(f)
		out = cty.DynamicVal
	} else if out.IsNull() && !v.nullable && v.standard != cty.NilVal {
		v.value = v.standard // what null stands for, as in Terraform
		return
	} else if out.IsNull() && !v.nullable {
		ev.add(problem(codeVarValue, thing, at, "give it a value", "%s is null, and the variable is not nullable", from))
		out = cty.DynamicVal
	} else if hidden {
		out = out.Mark(secret{})
	}
	if of != "" {
		out = out.Mark(off{of})
	}
	v.value = out
}

// validate checks the validation blocks of a variable.
func (ev *evaluator) validate(name string, v *varDecl) {
	thing := ev.cur.prefix + "var." + name
	for _, c := range ev.conditionsIn(v.block.Body, thing, "validation") {
		if v.value.Type() == cty.DynamicPseudoType && !v.value.IsKnown() {
			continue
		}
		if f, is := ev.broken(c, codeInvalidVar, thing, nil, ev.plain); is {
			f.Values = []diag.Value{{Expression: thing, Text: "is " + show(v.value, 80)}}
			if v.at != v.block.DefRange() {
				f.Related = []diag.Related{{Range: *rangeOf(v.at), Text: "the value"}}
			} else {
				f.Values[0].Text += ", by " + v.from // the environment or the command line
			}
			ev.add(f)
		}
	}
}
