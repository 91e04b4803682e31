package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// functionSchema is for the tables: names of parameters are no values. The form
// is that of HCL's user function extension.
var functionSchema = schema[described]{
	rows: []row[described]{
		{name: "params", required: true, kind: "list of names", doc: "the names of its parameters, without quotes: [a, b]"},
		{name: "variadic_param", kind: "name", doc: "takes what further arguments there are, as a list"},
		{name: "result", required: true, kind: "any", doc: "an expression of the parameters, which may also use functions, variables and locals"},
		{name: "description", to: func(d *described) any { return &d.description }, doc: "what it is for"},
	},
}

// functionDecl is a function block.
type functionDecl struct {
	name   string
	block  *block
	params []string
	rest   string // variadic_param, or ""
	result hclsyntax.Expression
	calls  []string // of other functions of the user
	round  bool     // it calls itself, perhaps by way of others
}

// declareFunction reads the head of a function, so that calls of it can be
// found; its result waits for prepareFunction.
func (ev *evaluator) declareFunction(d *decls, b *block) {
	name, body := b.Labels[0], b.Body
	thing := "function." + name
	if first := d.functions[name]; first != nil {
		ev.twice(thing, *rangeOf(b.DefRange()), *rangeOf(first.block.DefRange()))
		return
	}
	if catalogue()[name] != nil {
		ev.add(problem(codeDuplicate, thing, b.LabelRanges[0], "give it another name", "there is a built-in function of this name"))
		return
	}
	f := &functionDecl{name: name, block: b}
	decode(body, &functionSchema, &described{}, constant, thing, b.DefRange(), ev.add)
	param := func(e hclsyntax.Expression) {
		word := hcl.ExprAsKeyword(e)
		switch {
		case word == "" || slices.Contains(roots, word) || slices.Contains([]string{"each", "path", "self"}, word):
			ev.add(problem(codeType, thing, e.Range(), "write a plain word, without quotes", "this can't be the name of a parameter"))
		case slices.Contains(f.params, word):
			ev.add(problem(codeDuplicate, thing, e.Range(), "give one of them another name", "there are two parameters %s", word))
		}
		f.params = append(f.params, word)
	}
	if a := body.Attributes["params"]; a != nil {
		if list, ok := a.Expr.(*hclsyntax.TupleConsExpr); ok {
			for _, e := range list.Exprs {
				param(e)
			}
		} else {
			ev.add(problem(codeType, thing, a.Expr.Range(), "write params = [a, b]", "params must be a list of names"))
		}
	}
	if a := body.Attributes["variadic_param"]; a != nil {
		param(a.Expr)
		last := len(f.params) - 1
		f.params, f.rest = f.params[:last], f.params[last]
	}
	if a := body.Attributes["result"]; a != nil {
		f.result = a.Expr
	}
	d.functions[name] = f
}

// prepareFunction makes a function of the current tree callable.
func (ev *evaluator) prepareFunction(f *functionDecl) {
	thing := "function." + f.name
	if f.result == nil {
		f.result = unknown(f.block.DefRange())
	}
	ev.preparing = f
	f.result = ev.prepare(f.result, uses{thing: thing, refs: true, bound: append(slices.Clone(f.params), f.rest)})
	ev.preparing = nil
	spec := &function.Spec{Type: function.StaticReturnType(cty.DynamicPseudoType)}
	for _, p := range f.params {
		spec.Params = append(spec.Params, freely(p))
	}
	if f.rest != "" {
		p := freely(f.rest)
		spec.VarParam = &p
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if f.round || !ev.enter(ev.cur.prefix+thing, f.block.DefRange()) {
			return cty.DynamicVal, nil
		}
		defer ev.leave()
		ctx := ev.cur.tree.ctx.NewChild()
		ctx.Variables = make(map[string]cty.Value, len(args))
		for i, p := range f.params {
			ctx.Variables[p] = args[i]
		}
		if f.rest != "" {
			ctx.Variables[f.rest] = cty.TupleVal(args[len(f.params):])
		}
		v, diags := f.result.Value(ctx)
		if diags.HasErrors() {
			return cty.DynamicVal, failedInside{diags}
		}
		return v, nil
	}
	ev.cur.tree.ctx.Functions[f.name] = function.New(spec)
}

// checkFunctions tells of functions of the current tree that call each other in
// a circle, whether anybody calls them or not.
func (ev *evaluator) checkFunctions() {
	circled, n := ev.circled, len(*ev.out)
	ev.circled = nil // another tree may have functions of the same names
	done := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		f := ev.cur.functions[name]
		if done[name] || !ev.enter("function."+name, f.block.DefRange()) {
			return
		}
		for _, c := range f.calls {
			visit(c)
		}
		ev.leave()
		done[name] = true
	}
	for _, name := range sortedKeys(ev.cur.functions) {
		visit(name)
	}
	for i := range (*ev.out)[n:] {
		(*ev.out)[n+i].Hint = "no function can call itself: go over a list with [for x in … : …]"
	}
	for name, f := range ev.cur.functions {
		f.round = ev.circled["function."+name]
	}
	ev.circled = circled
}

func freely(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true}
}

// failedInside carries what went wrong in a user's function out of its call.
type failedInside struct{ diags hcl.Diagnostics }

func (f failedInside) Error() string { return f.diags.Error() }

// inside tells what went wrong within the function that d is about, if it is
// one of the user's.
func (ev *evaluator) inside(d *hcl.Diagnostic, thing string) bool {
	call, ok := d.Extra.(hclsyntax.FunctionCallDiagExtra)
	if !ok {
		return false
	}
	f, ok := call.FunctionCallError().(failedInside)
	if !ok {
		return false
	}
	before := len(*ev.out)
	ev.explain(f.diags, thing)
	if d.Subject != nil {
		for i := range (*ev.out)[before:] {
			o := &(*ev.out)[before+i]
			o.Related = append(o.Related, diag.Related{Range: *rangeOf(*d.Subject), Text: "called here"})
		}
	}
	return true
}
