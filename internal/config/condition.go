package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// condition is a validation, precondition, postcondition or assert block: what
// must hold, and what is said where it does not. It keeps the attributes and
// not their expressions, because names are resolved in place.
type condition struct {
	kind               string // the type of the block
	condition, message *hclsyntax.Attribute
	pixels             bool // it uses what only the pixels tell
	words              bool // it uses the revised prompt
}

// checkDecl is a check block.
type checkDecl struct {
	name       string
	at         hcl.Range
	body       *hclsyntax.Body
	conditions []condition
}

// judged is what the postconditions of an image need.
type judged struct {
	scope      *scope
	conditions []condition
	of         *slowImage
	instance   int // of it
	path       string
}

// conditionsIn reads the blocks of some kinds in b. What lacks a part is told
// and left out. It comes before names are resolved: then it can still be seen
// whether a condition has any.
func (ev *evaluator) conditionsIn(b *hclsyntax.Body, thing string, kinds ...string) (out []condition) {
	for _, inner := range b.Blocks {
		if !slices.Contains(kinds, inner.Type) {
			continue
		}
		add := within(ev.add, inner.Type+": ")
		if len(inner.Labels) > 0 {
			add(problem(codeLabel, thing, inner.LabelRanges[0], "remove it", "the block takes no label"))
		}
		decode(inner.Body, &validationSchema, &described{}, constant, thing, inner.DefRange(), add)
		c := condition{kind: inner.Type, condition: inner.Body.Attributes["condition"], message: inner.Body.Attributes["error_message"]}
		if c.condition == nil || c.message == nil {
			continue
		}
		c.pixels = usesOfSelf(c.condition.Expr, "has_alpha", "blank") || usesOfSelf(c.message.Expr, "has_alpha", "blank")
		c.words = usesOfSelf(c.condition.Expr, "revised_prompt") || usesOfSelf(c.message.Expr, "revised_prompt")
		if refersToNothing(c.condition.Expr) && inner.Type != "validation" {
			f := problem(codeNoReference, thing, c.condition.Expr.Range(), "name what it is about, such as a variable", "condition refers to nothing, so it is always the same")
			f.Severity = diag.Warning
			add(f)
		}
		out = append(out, c)
	}
	return out
}

// refersToNothing reports whether an expression has neither a name nor a call:
// a function may look at a file.
func refersToNothing(e hclsyntax.Expression) bool {
	calls := false
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		_, call := n.(*hclsyntax.FunctionCallExpr)
		calls = calls || call
		return nil
	})
	return !calls && len(e.Variables()) == 0
}

// usesOfSelf reports whether an expression names one of some attributes of self.
func usesOfSelf(e hclsyntax.Expression, attrs ...string) bool {
	return slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool {
		name, _, ok := nameStep(t, 1)
		return ok && t.RootName() == "self" && slices.Contains(attrs, name)
	})
}

// declareConditions reads the conditions of images, outputs and checks of a
// folder.
func (ev *evaluator) declareConditions() {
	d := ev.cur.decls
	for i := range d.images {
		s := d.images[i].slow
		if s == nil {
			continue
		}
		thing := "image." + d.images[i].name
		s.conditions = ev.conditionsIn(s.block.Body, thing, "precondition", "postcondition")
		for _, b := range s.block.Body.Blocks {
			if b.Type == "dynamic" && len(b.Labels) == 1 && (b.Labels[0] == "precondition" || b.Labels[0] == "postcondition") {
				ev.add(problem(codeUnsupported, thing, b.LabelRanges[0], "write one with alltrue([for … : …])", "dynamic: a %s can't be generated", b.Labels[0]))
			}
		}
	}
	for _, o := range d.outputs {
		o.conditions = ev.conditionsIn(o.body, "output."+o.name, "precondition")
		ev.p.hasConditions = ev.p.hasConditions || len(o.conditions) > 0
	}
	for _, c := range d.checks {
		thing := "check." + c.name
		decode(c.body, &checkSchema, &described{}, constant, thing, c.at, ev.add)
		c.conditions = ev.conditionsIn(c.body, thing, "assert")
		if !slices.ContainsFunc(c.body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "assert" }) {
			ev.add(problem(codeRequired, thing, c.at, "add assert { condition = … error_message = … }", "a check needs an assert block"))
		}
		ev.p.hasConditions = true
	}
}

// An evaluation is how a condition gets its value: plain, where nothing may
// be unknown, or value.
type evaluation func(e hclsyntax.Expression, ctx *hcl.EvalContext, thing string) cty.Value

// broken makes a finding of a condition that is false. What is wrong with the
// condition itself is told at once; one that is not known yet is neither.
func (ev *evaluator) broken(c condition, code, thing string, ctx *hcl.EvalContext, eval evaluation) (f diag.Finding, is bool) {
	e := c.condition.Expr
	shown := eval(e, ctx, thing)
	got, _ := shown.Unmark()
	if as, err := convert.Convert(got, cty.Bool); err == nil && got.Type() != cty.DynamicPseudoType {
		got = as // "true" is true, as in Terraform
	}
	switch {
	case got.Type() == cty.DynamicPseudoType && !got.IsKnown():
		return f, false // what failed was told
	case got.Type() != cty.Bool || got.IsNull():
		what := show(shown, 60)
		if !got.IsKnown() {
			what = typeName(got)
		}
		ev.add(problem(codeType, thing, e.Range(), "write a comparison, such as "+strings.Replace(comparisons[c.kind], "IT", thing, 1), "%s: condition must be true or false, and is %s", c.kind, what))
		return f, false
	case !got.IsKnown() || got.True():
		return f, false
	}
	message := eval(c.message.Expr, ctx, thing)
	text, _ := message.Unmark()
	if text.IsKnown() && (text.Type() != cty.String || text.IsNull()) {
		ev.add(problem(codeType, thing, c.message.Expr.Range(), "write it with quotes", "%s: error_message must be a string, and %s", c.kind, describe(message)))
	}
	if text.Type() != cty.String || text.IsNull() || !text.IsKnown() {
		text = cty.StringVal("the condition does not hold")
	}
	if hasSecret(message) {
		text = cty.StringVal("the condition does not hold; its error_message is withheld, because it uses a sensitive value")
	}
	f = problem(code, thing, e.Range(), "", "%s", strings.TrimSuffix(sentence(text.AsString()), "."))
	if ctx == nil {
		ctx = ev.cur.tree.ctx
	}
	f.Values = ev.values(e, ctx)
	return f, true
}

// comparisons are examples of conditions; IT is what the block is in.
var comparisons = map[string]string{
	"validation":    `contains([…], IT)`,
	"precondition":  `var.width <= 1024`,
	"postcondition": `self.width >= 1024`,
	"assert":        `image.NAME.bytes < 300000`,
}

// selfAttrs are the attributes of self, which is the picture that a
// postcondition judges.
var selfAttrs = []string{"path", "width", "height", "bytes", "mime", "sha256", "has_alpha", "blank", "revised_prompt", "model"}

// selfVal is the value of self; without facts only the path is known.
func selfVal(path string, f *Facts) cty.Value {
	attrs := map[string]cty.Value{"path": cty.StringVal(path), "has_alpha": cty.UnknownVal(cty.Bool), "blank": cty.UnknownVal(cty.Bool)}
	for name, ty := range resultAttrs {
		attrs[name] = cty.UnknownVal(ty)
	}
	if f != nil {
		f.results(attrs)
		if f.Pixels {
			attrs["has_alpha"], attrs["blank"] = cty.BoolVal(f.HasAlpha), cty.BoolVal(f.Blank)
		}
	}
	return cty.ObjectVal(attrs)
}

// resolveSelf checks a reference to self.
func (ev *evaluator) resolveSelf(s *hclsyntax.ScopeTraversalExpr, u uses) hclsyntax.Expression {
	name, r, ok := nameStep(s.Traversal, 1)
	switch {
	case !u.self:
		ev.add(problem(codeUnknownName, u.thing, s.SrcRange, "write the condition in a postcondition block of the image", "self is the picture that was made, and is known only in a postcondition"))
	case !ok:
		ev.add(problem(codeUnknownName, u.thing, s.SrcRange, "write self.width, or another of its attributes", "self is not a value by itself"))
	case !slices.Contains(selfAttrs, name):
		ev.add(problem(codeUnknownElement, u.thing, r, nearest(name, selfAttrs), "self has no attribute %q", name))
	default:
		return s
	}
	return unknown(s.SrcRange)
}

// checkConditions evaluates what conditions of images say before anything is
// made. A postcondition that is false whatever the picture will be is told
// now: that is before it is paid for.
func (ev *evaluator) checkConditions() {
	ev.every(func(sc *scope) {
		for i := range sc.images {
			if s := sc.images[i].slow; s != nil && len(s.conditions) > 0 {
				ev.checkImageConditions(sc, s, sc.prefix+"image."+sc.images[i].name)
			}
		}
	})
}

func (ev *evaluator) checkImageConditions(sc *scope, s *slowImage, base string) {
	post := slices.DeleteFunc(slices.Clone(s.conditions), func(c condition) bool { return c.kind != "postcondition" })
	for i, e := range s.each {
		address := base
		if s.forEach != nil {
			address = instance(base, e.key)
		}
		k, ok := ev.p.index(spec.Address(address))
		if !ok {
			continue // it is not enabled
		}
		im := &ev.p.Images[k]
		ctx := ev.around(e.value, selfVal(im.Path, nil))
		for _, c := range s.conditions {
			code, eval := codePrecondition, ev.plain
			if c.kind == "postcondition" {
				code, eval = codePostcondition, ev.value
				if c.words && len(im.Wanted.Sensitive) > 0 {
					// It would be judged by a text that is empty for everybody.
					ev.add(problem(codeSensitive, address, c.condition.Expr.Range(), "leave it out, or write nonsensitive(…) where the "+im.Wanted.Sensitive[0]+" is made, if it is no secret",
						"postcondition: self.revised_prompt is withheld, because the %s is sensitive", im.Wanted.Sensitive[0]))
					continue
				}
			}
			if f, is := ev.broken(c, code, address, ctx, eval); is {
				ev.add(f)
			}
		}
		if len(post) > 0 {
			if ev.judged == nil {
				ev.judged = map[spec.Address]judged{}
			}
			ev.judged[im.Address] = judged{sc, post, s, i, im.Path}
			im.Judged, ev.p.hasConditions = true, true
		}
	}
}

// around is a context with each, which may be NilVal, and self.
func (ev *evaluator) around(each, self cty.Value) *hcl.EvalContext {
	ctx := ev.cur.tree.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"self": self}
	if each != cty.NilVal {
		ctx.Variables["each"] = each
	}
	return ctx
}

// checkOutputConditions evaluates the preconditions of an output, with what is
// known of the images, and reports whether none is false.
func (ev *evaluator) checkOutputConditions(o *outputDecl) (hold bool) {
	hold = true
	for _, c := range o.conditions {
		if f, is := ev.broken(c, codePrecondition, ev.cur.prefix+"output."+o.name, nil, ev.value); is {
			ev.add(f)
			hold = false
		}
	}
	return hold
}

// Judge evaluates the postconditions of an image for a picture, of which all
// facts are known, and gives what speaks against it. What depends on other
// pictures that are not made yet speaks for it.
func (p *Project) Judge(a spec.Address, picture Facts, facts map[spec.Address]Facts) diag.List {
	ev, out := p.eval, diag.List{}
	j, ok := ev.judged[a]
	if !ok {
		return nil
	}
	ev.begin(&out, facts)
	ev.in(j.scope, func() {
		ctx := ev.around(ev.eachValue(&j.of.repeated, j.instance, string(a)), selfVal(j.path, &picture))
		for _, c := range j.conditions {
			if f, is := ev.broken(c, codePostcondition, string(a), ctx, ev.value); is {
				ev.add(f)
			}
		}
	})
	return out.Sorted()
}

// NeedsPixels reports whether a postcondition of the image uses what only the
// pixels tell.
func (p *Project) NeedsPixels(a spec.Address) bool {
	return slices.ContainsFunc(p.eval.judged[a].conditions, func(c condition) bool { return c.pixels })
}

// Checks evaluates the check blocks with what is known of the images. All that
// it gives is warnings: a check never stops anything.
func (p *Project) Checks(facts map[spec.Address]Facts) diag.List {
	ev, out := p.eval, diag.List{}
	ev.begin(&out, facts)
	ev.every(func(sc *scope) {
		for _, d := range sc.checks {
			for _, c := range d.conditions {
				if f, is := ev.broken(c, codeCheck, sc.prefix+"check."+d.name, nil, ev.value); is {
					ev.add(f)
				}
			}
		}
	})
	for i := range out {
		out[i].Severity = diag.Warning
	}
	return out.Sorted()
}

// IsPrecondition reports whether a finding is a precondition that is false.
func IsPrecondition(f diag.Finding) bool { return f.Code == codePrecondition }

// HasConditions reports whether there are postconditions, check blocks or
// preconditions of outputs. Where there are and the project was decoded, Judge
// and Checks need a loaded one.
func (p *Project) HasConditions() bool { return p.hasConditions }
