package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// checkOutputs evaluates the outputs without facts, to find what is wrong with
// them now.
func (ev *evaluator) checkOutputs() {
	ev.p.hasOutputs = len(ev.top.outputs) > 0
	ev.every(func(sc *scope) {
		for _, o := range sc.outputs {
			thing := sc.prefix + "output." + o.name
			decode(o.body, &outputSchema, &o.described, ev.getter(thing), thing, o.at, ev.add)
			ev.checkOutputConditions(o)
			v := ev.output(sc, o.name, o.at)
			if a := o.body.Attributes["value"]; a != nil && sc == ev.top && !o.sensitive && hasSecret(v) { // that of a module only travels on
				ev.add(problem(codeSensitive, thing, a.Expr.Range(), "add sensitive = true, which withholds it, or write nonsensitive(…) if it is no secret", "the value comes from a sensitive one, and the output does not say sensitive = true"))
			}
		}
		for _, name := range sortedKeys(sc.locals) {
			ev.local(name, sc.locals[name].name) // also those that nothing uses
		}
	})
}

// Finish evaluates the output blocks, sorted by name, with what is known of
// the images; those without facts count as not made yet. An output with a
// precondition that is false is an error and left out. It works on loaded
// projects only: a decoded one has none of its expressions, and gives nil.
func (p *Project) Finish(facts map[spec.Address]Facts) ([]OutputValue, diag.List) {
	if p.eval == nil {
		return nil, nil
	}
	ev, out := p.eval, diag.List{}
	ev.begin(&out, facts)
	values := make([]OutputValue, 0, len(ev.top.outputs))
	ev.every(func(sc *scope) {
		for _, o := range sc.outputs {
			if sc != ev.top {
				ev.checkOutputConditions(o)
			}
		}
	})
	for _, o := range ev.top.outputs {
		if !ev.checkOutputConditions(o) {
			continue
		}
		v := OutputValue{Name: o.name, Description: o.description}
		if a := o.body.Attributes["value"]; a != nil {
			ev.into(&v, a.Expr, "output."+o.name)
		}
		if o.sensitive {
			v.Sensitive, v.Text, v.JSON = true, withheld, nil
		}
		values = append(values, v)
	}
	return values, out.Sorted()
}

// begin readies the evaluator for another round, with what is known of the
// images.
func (ev *evaluator) begin(out *diag.List, facts map[spec.Address]Facts) {
	ev.out, ev.meter, ev.spent = out, ev.budget(), false
	ev.facts, ev.made = facts, map[string]cty.Value{}
	ev.round++
	if facts == nil {
		ev.facts = map[spec.Address]Facts{}
	}
	ev.forget()
}

func (ev *evaluator) into(v *OutputValue, e hclsyntax.Expression, thing string) {
	got := plainly(onlySecrets(ev.value(e, nil, thing)))
	v.Text, v.Sensitive = show(got, 0), hasSecret(got)
	if got.IsWhollyKnown() && !v.Sensitive {
		b, err := ctyjson.Marshal(got, got.Type())
		if err != nil { // the only value that JSON has no word for
			ev.add(problem(codeExpression, thing, e.Range(), "keep the numbers finite: nothing may be divided by 0", "the value has an infinite number in it"))
		}
		v.JSON = b
	}
}

// Expression is the file that findings of Eval are about.
const Expression = "<expression>"

// Eval evaluates an expression in the project, which was loaded with
// Options.Expressions, as an output would be.
func (p *Project) Eval(src string, facts map[spec.Address]Facts) (v OutputValue, l diag.List) {
	if f := guard(Expression, []byte(src), false); f != nil {
		return v, diag.List{*f}
	}
	p.hideBlocks(p.eval.src, Expression, []byte(src))
	e, diags := hclsyntax.ParseExpression([]byte(src), Expression, hcl.InitialPos)
	if l, torn := syntaxFindings([]byte(src), diags); torn {
		return v, p.Conceal(l)
	}
	ev, out := p.eval, diag.List{}
	ev.begin(&out, facts)
	ev.into(&v, ev.prepare(e, uses{thing: "expression", refs: true}), "expression")
	return v, out.Sorted()
}

// plainly makes texts and objects of what carries an address.
func plainly(v cty.Value) cty.Value {
	out, err := cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		ty := v.Type()
		switch {
		case v.IsMarked(): // and not shown
		case ty == targetType && v.IsKnown() && !v.IsNull():
			return cty.StringVal(v.EncapsulatedValue().(*target).String()), nil
		case ty.IsObjectType() && ty.HasAttribute(addressAttr) && v.IsKnown() && !v.IsNull():
			attrs := v.AsValueMap()
			attrs["address"] = attrs[addressAttr]
			delete(attrs, addressAttr)
			return cty.ObjectVal(attrs), nil
		}
		return v, nil
	})
	if err != nil {
		panic(err) // the function above gives none
	}
	return out
}

const isOff = " is not enabled"

func notEnabled(address string, at hcl.Range) hcl.Diagnostics {
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Image not enabled", Detail: address + isOff, Subject: &at,
		Extra: complaint{codeUnknownElement, askFirst(address)},
	}}
}

func askFirst(address string) string {
	return "ask first, as in var.on ? " + address + ".path : null, or try(" + address + ".path, null)"
}

// finished is the value of a reference to an image, with its facts.
func (ev *evaluator) finished(name string, key *string, at hcl.Range) (cty.Value, hcl.Diagnostics) {
	d, prefix := ev.cur.image(name), ev.cur.prefix+"image."+name
	one := func(address string) cty.Value {
		if v, ok := ev.made[address]; ok {
			return v
		}
		a := spec.Address(address)
		i, ok := ev.p.index(a)
		if !ok {
			return cty.NilVal // it is not enabled
		}
		v := imageVal(&ev.p.Images[i], ev.facts[a])
		if ev.models != nil {
			v = ev.tested(&ev.p.Images[i], ev.facts[a], v)
		}
		ev.made[address] = v
		return v
	}
	off := func(address string) (cty.Value, hcl.Diagnostics) {
		if v := one(address); v != cty.NilVal {
			return v, nil
		}
		return cty.DynamicVal, notEnabled(address, at)
	}
	if !d.keyed() {
		return off(prefix)
	}
	s := d.slow
	if key != nil {
		if _, ok := s.byKey[*key]; !ok {
			return cty.DynamicVal, s.missing(*key, prefix, at)
		}
		return off(instance(prefix, *key))
	}
	if v, ok := ev.made[prefix]; ok {
		return v, nil
	}
	values := make(map[string]cty.Value, len(s.each))
	for i := range s.each {
		if v := one(instance(prefix, s.each[i].key)); v != cty.NilVal {
			values[s.each[i].key] = v
		}
	}
	v := cty.EmptyObjectVal
	if len(values) > 0 {
		v = cty.MapVal(values)
	}
	ev.made[prefix] = v
	return v, nil
}
