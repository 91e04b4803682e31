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

type varDecl struct {
	block    *block
	ty       cty.Type
	defaults *typeexpr.Defaults
	nullable bool
	given    bool
	value    cty.Value
	input    hclsyntax.Expression // of the call, in a module
	done     bool                 // value is that of input
}

// variables gives each variable its value: the strongest of default,
// environment, files and command line.
func (ev *evaluator) variables(names []string) {
	for _, name := range sortedKeys(ev.cur.vars) {
		key := envPrefix + name
		text := ev.opt.env(key)
		ev.inputs.add(Input{Kind: InputEnv, Path: key, Content: digest.OfContent([]byte(text))})
		if text != "" {
			ev.giveText(name, text, key)
		}
	}
	var files []string
	for _, name := range names {
		if name == "imgbuild.imgvars" {
			files = slices.Insert(files, 0, name)
		} else if strings.HasSuffix(name, ".auto.imgvars") {
			files = append(files, name)
		}
	}
	for _, file := range files {
		ev.giveFile(file)
	}
	for _, v := range ev.opt.Vars {
		switch {
		case v.File != "":
			ev.giveFile(v.File)
		case ev.cur.vars[v.Name] == nil:
			if !ev.torn {
				ev.add(diag.Finding{Severity: diag.Error, Code: codeUndeclaredVar, Text: "var." + v.Name + ": -var gives it a value, and it is not declared",
					Hint: nearest(v.Name, sortedKeys(ev.cur.vars))})
			}
		default:
			ev.giveText(v.Name, v.Value, "-var")
		}
	}
	for _, name := range sortedKeys(ev.cur.vars) {
		v := ev.cur.vars[name]
		if !v.given {
			ev.add(problem(codeMissingVar, "var."+name, v.block.DefRange(), fmt.Sprintf("-var %s=…, or a default", name), "it has no value"))
		}
	}
	for _, name := range sortedKeys(ev.cur.vars) {
		ev.validate(name, ev.cur.vars[name])
	}
}

func (ev *evaluator) declareVar(name string, v *varDecl) {
	thing, body := "var."+name, v.block.Body
	v.ty, v.nullable = cty.DynamicPseudoType, true
	var d described
	decode(body, &variableSchema, &d, ev.bare(thing), thing, v.block.DefRange(), ev.add)
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
	if a := body.Attributes["sensitive"]; a != nil {
		ev.add(problem(codeUnsupported, thing, a.NameRange, "remove it; keys of providers never go through variables", "sensitive variables are not supported, because prompts and the lockfile show every value"))
	}
	if a := body.Attributes["nullable"]; a != nil {
		if b, ok := ev.bare(thing)(a.Expr); ok && b.Type() == cty.Bool && b.IsKnown() && !b.IsNull() {
			v.nullable = b.True()
		} else {
			ev.add(problem(codeType, thing, a.Expr.Range(), "", "nullable must be true or false"))
		}
	}
	if a := body.Attributes["default"]; a != nil {
		val, _ := ev.bare(thing)(a.Expr)
		ev.give(name, val, a.Expr.Range(), "the default")
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
	if v.ty.IsPrimitiveType() || v.block.Body.Attributes["type"] == nil {
		ev.give(name, cty.StringVal(text), at, from)
		return
	}
	if f := guard(from, []byte(text), false); f != nil {
		ev.add(problem(f.Code, "var."+name, at, f.Hint, "the value of %s: %s", from, f.Text))
		v.given = true
		return
	}
	e, diags := hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos)
	if diags.HasErrors() {
		ev.add(problem(codeVarValue, "var."+name, at, "write an HCL expression, such as '"+name+`=["a", "b"]'`, "the value of %s is not an expression: %s", from, sentence(diags[0].Detail)))
		v.given = true
		return
	}
	before := len(*ev.out)
	val, _ := ev.bare("var." + name)(e)
	for i := range (*ev.out)[before:] { // its ranges are of the command line
		f := &(*ev.out)[before+i]
		f.Range, f.Related = rangeOf(at), nil
	}
	ev.give(name, val, at, from)
}

// giveFile reads a file of values.
func (ev *evaluator) giveFile(file string) {
	text, err := ev.readText(file, maxFile)
	if err != nil {
		ev.add(diag.Finding{Severity: diag.Error, Code: codeRead, Text: "file " + file + ": " + err.Error(), Range: &diag.Range{File: file}})
		return
	}
	var out parsed
	body, ok := out.parse(file, []byte(text))
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
		if ev.cur.vars[name] == nil {
			if !ev.torn {
				f := problem(codeUndeclaredVar, "var."+name, a.NameRange, nearest(name, sortedKeys(ev.cur.vars)), "it has a value here, and is not declared")
				f.Severity = diag.Warning
				ev.add(f)
			}
			continue
		}
		v, _ := ev.bare("var." + name)(a.Expr)
		ev.give(name, v, a.Expr.Range(), file)
	}
}

// give converts a value to the type of the variable.
func (ev *evaluator) give(name string, val cty.Value, at hcl.Range, from string) {
	v := ev.cur.vars[name]
	v.given = true
	if val.Type() == cty.DynamicPseudoType && !val.IsKnown() {
		v.value = cty.DynamicVal
		return
	}
	thing := ev.cur.prefix + "var." + name
	fitted := &fitting{LiteralValueExpr: hclsyntax.LiteralValueExpr{Val: val, SrcRange: at}, meter: &ev.meter, want: v.ty, defaults: v.defaults}
	out := ev.value(fitted, nil, thing)
	if err := fitted.err; err == errSpent {
		out = cty.DynamicVal
	} else if err != nil {
		where := pathText(err)
		if where != "" {
			where += ": "
		}
		f := problem(codeVarValue, thing, at, "", "%s does not fit its type: %s%s", from, where, sentence(err.Error()))
		f.Values = []diag.Value{{Expression: "var." + name, Text: "is " + show(val, 80)}}
		ev.add(f)
		out = cty.DynamicVal
	} else if out.IsNull() && !v.nullable {
		ev.add(problem(codeVarValue, thing, at, "give it a value", "%s is null, and the variable is not nullable", from))
		out = cty.DynamicVal
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
			if v.input != nil {
				f.Related = []diag.Related{{Range: *rangeOf(v.input.Range()), Text: "the value"}}
			}
			ev.add(f)
		}
	}
}
