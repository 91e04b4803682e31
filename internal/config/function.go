package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// terraformNamespace is where Terraform has its functions, too.
const terraformNamespace = "core::"

// function makes a function callable, when an expression names it for the first
// time.
func (ev *evaluator) function(name string) bool {
	if _, ok := ev.funcs[name]; ok {
		return true
	}
	e := catalogue()[name]
	if e == nil {
		return false
	}
	f := e.f
	if e.bind != nil {
		f = e.bind(ev)
	}
	ev.funcs[name] = ev.hold(e, f)
	return true
}

// checkCall finds the function of a call, or tells why there is none.
func (ev *evaluator) checkCall(c *hclsyntax.FunctionCallExpr, thing string) hclsyntax.Expression {
	c.Name = strings.TrimPrefix(c.Name, terraformNamespace)
	if ev.cur.functions[c.Name] != nil || ev.function(c.Name) {
		if ev.preparing != nil && ev.cur.functions[c.Name] != nil {
			ev.preparing.calls = append(ev.preparing.calls, c.Name)
		}
		if c.Name == "sensitive" {
			ev.p.hide(c.Range()) // its argument may be written out
		}
		return c
	}
	ev.add(noFunction(c, thing, sortedKeys(ev.cur.functions)))
	return unknown(c.Range())
}

func noFunction(c *hclsyntax.FunctionCallExpr, thing string, others []string) diag.Finding {
	for _, a := range AbsentFunctions {
		if a.Name == c.Name {
			return problem(codeImpure, thing, c.NameRange, a.Instead, "there is no %s(): %s", c.Name, a.Why)
		}
	}
	hint := nearest(c.Name, append(others, sortedKeys(catalogue())...))
	if hint == "" {
		hint = "imgbuild functions lists them"
		for _, known := range sortedKeys(catalogue()) {
			if len(known) > 3 && strings.HasPrefix(c.Name, known) { // uppercase
				hint = fmt.Sprintf("did you mean %q?", known)
			}
		}
	}
	return problem(codeUnknownFunc, thing, c.NameRange, hint, "there is no function %s", c.Name)
}

// errSpent ends a call for which there are no steps left. Nobody reads it: the
// meter tells.
var errSpent = errors.New("takes too much work")

// hold makes f refuse what would be too large before it is made, pay for its
// work beforehand, and take lists by our own conversion.
func (ev *evaluator) hold(e *entry, f function.Function) function.Function {
	params, rest := slices.Clone(f.Params()), f.VarParam()
	loose := false
	for i := range params {
		if params[i].Type.IsCollectionType() {
			params[i].Type, loose = cty.DynamicPseudoType, true
		}
	}
	if rest != nil && rest.Type.IsCollectionType() {
		r := *rest
		r.Type = cty.DynamicPseudoType
		rest, loose = &r, true
	}
	if e.size == nil && e.work == nil && e.check == nil && !loose {
		return f
	}
	strict := func(args []cty.Value) ([]cty.Value, error) {
		if !loose {
			return args, nil
		}
		out := slices.Clone(args)
		for i := range out {
			p := f.VarParam()
			if i < len(params) {
				p = &f.Params()[i]
			}
			if !p.Type.IsCollectionType() {
				continue
			}
			var err error
			if out[i], err = ev.meter.fit(args[i], p.Type); err != nil {
				text := err.Error()
				if strings.HasSuffix(text, " required") {
					text += ", but have " + args[i].Type().FriendlyName()
				}
				return nil, function.NewArgErrorf(i, "%s", text)
			}
		}
		return out, nil
	}
	check := func(args []cty.Value) error {
		for i := range args {
			if args[i].ContainsMarked() {
				args = slices.Clone(args)
				args[i], _ = args[i].UnmarkDeep()
			}
		}
		if e.work != nil && !ev.meter.spend(int(min(e.work(args), 2*maxSteps))) {
			return errSpent
		}
		if e.size != nil {
			n, unit := e.size(args)
			if limit := limits[unit]; n > limit {
				return fmt.Errorf("the result would have more than %.0f %s", limit, unit)
			}
		}
		if e.check != nil {
			return e.check(args)
		}
		return nil
	}
	return function.New(&function.Spec{
		Params:   params,
		VarParam: rest,
		Type: func(args []cty.Value) (cty.Type, error) {
			if slices.ContainsFunc(args, func(v cty.Value) bool { return !v.IsWhollyKnown() }) {
				args, err := strict(args)
				if err != nil {
					return cty.NilType, err
				}
				return f.ReturnTypeForValues(args)
			}
			// The call itself tells the type: what decodes would decode once more.
			return cty.DynamicPseudoType, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			args, err := strict(args)
			if err == nil {
				err = check(args)
			}
			if err != nil {
				return cty.NilVal, err
			}
			return f.Call(args)
		},
	})
}

func templatefile(ev *evaluator) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("path"), {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			file := args[0].AsString()
			text, err := ev.readUTF8(file, maxRead)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return ev.render(file, text, args[1])
		},
	})
}

func templatestring(ev *evaluator) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("template"), {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := ev.render("the template", args[0].AsString(), args[1])
			if err != nil {
				return cty.NilVal, err
			}
			if v, err = convert.Convert(v, cty.String); err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "the template gives no text: %s", err)
			}
			return v, nil
		},
	})
}

// render evaluates a template in which only the names of vars are known.
func (ev *evaluator) render(file, text string, vars cty.Value) (cty.Value, error) {
	if ty := vars.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		return cty.NilVal, function.NewArgErrorf(1, "must be an object, such as { name = value }")
	}
	names := vars.AsValueMap()
	for _, name := range sortedKeys(names) {
		if !hclsyntax.ValidIdentifier(name) {
			return cty.NilVal, function.NewArgErrorf(1, "%s can't be a name in a template", quoteKey(name))
		}
	}
	e, err := ev.template(file, text)
	if err != nil {
		return cty.NilVal, function.NewArgError(0, err)
	}
	ctx := ev.cur.tree.ctx.NewChild()
	ctx.Variables = names
	v, diags := e.Value(ctx)
	if diags.HasErrors() {
		return cty.NilVal, function.NewArgErrorf(0, "%s", lineOf(diags))
	}
	return v, nil
}

// template parses a template and meters it. A template that a for_each renders
// is parsed once.
func (ev *evaluator) template(file, text string) (hclsyntax.Expression, error) {
	key := ev.cur.tree.dir + "\x00" + file + "\x00" + text // functions are those of the module
	if e, ok := ev.templates[key]; ok {
		return e, nil
	}
	if !ev.meter.spend(len(text)) {
		return nil, errSpent
	}
	if f := guard(file, []byte(text), true); f != nil {
		return nil, errors.New(f.Text)
	}
	e, diags := hclsyntax.ParseTemplate([]byte(text), file, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, errors.New(lineOf(diags))
	}
	var refused error
	t := meterTree{meter: &ev.meter, resolve: func(s *hclsyntax.ScopeTraversalExpr, _ []string) hclsyntax.Expression { return s }}
	t.around = func(c *hclsyntax.FunctionCallExpr, arguments func()) {
		before := refused
		if arguments(); makesSensitive(c) {
			if refused != before {
				refused = fmt.Errorf("%s:%d: what stands in sensitive(…) is not valid", file, c.NameRange.Start.Line)
			}
			ev.keep(c.Args)
		}
	}
	t.call = func(c *hclsyntax.FunctionCallExpr) hclsyntax.Expression {
		c.Name = strings.TrimPrefix(c.Name, terraformNamespace)
		switch {
		case refused != nil:
		case c.Name == "templatefile" || c.Name == "templatestring":
			// One that renders itself would overflow the stack.
			refused = fmt.Errorf("%s:%d: a template can't call %s", file, c.NameRange.Start.Line, c.Name)
		case ev.cur.functions[c.Name] == nil && !ev.function(c.Name):
			f := noFunction(c, "", sortedKeys(ev.cur.functions))
			refused = fmt.Errorf("%s:%d%s (%s)", file, c.NameRange.Start.Line, f.Text, f.Hint)
		}
		return c
	}
	e = t.visit(e)
	if refused != nil {
		return nil, refused
	}
	if ev.templates == nil {
		ev.templates = map[string]hclsyntax.Expression{}
	}
	ev.templates[key] = e
	return e, nil
}

func lineOf(diags hcl.Diagnostics) string {
	d := diags[0]
	text := sentence(d.Detail)
	if d.Subject != nil {
		text = fmt.Sprintf("%s:%d: %s", d.Subject.Filename, d.Subject.Start.Line, text)
	}
	return text
}
