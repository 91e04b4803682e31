package config

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// Limits on evaluation. A step is the evaluation of one part of a template,
// loop or call, an element of a value that is made or compared, or 64 bytes of
// text.
const (
	maxSteps        = 4 << 20 // of one expression
	maxTotalSteps   = 7 << 17 // of a project, and what it earns: a step takes up to a microsecond
	earnedByAny     = 448_000 // that images earn in a project of any size; more only with as many bytes
	freeBytes       = 1 << 20 // beyond these
	stepsOfImage    = 64      // that an image or an instance of a module earns, a byte of data earns one by itself
	maxElements     = 500_000 // in the result of a function
	maxText         = 8 << 20 // bytes of any string
	maxMade         = 1 << 20 // of one that a function makes longer
	maxExponent     = 1 << 14 // binary, of any number: arithmetic takes time by its digits
	maxChain        = 1000    // references from one to the next: each takes some stack
	maxSuggested    = 200     // names that are not declared, for which a declared one is looked for
	maxComplaints   = 20      // of one expression: a loop repeats them
	costOfTextByte  = 1.0 / 64
	costOfInstance  = 24 // of an image or a module, and of an image that a module copies
	costOfCopy      = 4  // of another declaration for an instance of a module
	costOfBlock     = 20 // that a dynamic block makes
	costOfComplaint = 20 // of HCL, which a loop may gather
	costOfFraction  = 16 // of writing a number of many digits in decimals
)

// work is the steps that a project has before it earns any.
func (o *Options) work() int {
	if o.Large {
		return 64 << 20
	}
	return maxTotalSteps
}

// workOfOne is the steps that one expression has.
func (o *Options) workOfOne() int {
	if o.Large {
		return o.work()
	}
	return cmp.Or(o.steps, maxSteps)
}

// meter bounds the work of an evaluation. When it is used up, metered nodes
// return unknown at once, so that the loops around them run dry, and the
// finding is made where the evaluation began. It can't be an error value of
// HCL: try and can would swallow it.
type meter struct {
	steps   int // left for this expression
	total   int // left for the project
	used    int // by this expression, without what was evaluated within
	refused string
}

// spend takes n steps and reports whether there were that many.
func (m *meter) spend(n int) bool {
	if m.refused != "" {
		return false
	}
	m.used += n
	if m.steps -= n; m.steps < 0 {
		m.refused = "takes too much work: it makes or walks more than some millions of elements"
	}
	return m.refused == ""
}

// weigh charges for the size of v and refuses what is too large in itself.
// It stops where the steps end, so it takes no longer than they allow.
func (m *meter) weigh(v cty.Value) bool {
	v, _ = v.Unmark()
	if !m.spend(1) {
		return false
	}
	if !v.IsKnown() || v.IsNull() {
		return true
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		n := len(v.AsString())
		if n > maxText && m.refused == "" {
			m.refused = fmt.Sprintf("makes a text longer than %d MiB", maxText>>20)
		}
		if longNumber(v.AsString()) && m.refused == "" { // whatever takes it for a number
			m.refused = manyDigits
		}
		return m.spend(int(float64(n) * costOfTextByte))
	case ty == cty.Number:
		if exp := v.AsBigFloat().MantExp(nil); exp > maxExponent || exp < -maxExponent {
			m.refused = manyDigits
		}
		return m.refused == ""
	case ty.IsObjectType():
		for name := range ty.AttributeTypes() {
			if !m.weigh(v.GetAttr(name)) {
				return false
			}
		}
	case v.CanIterateElements():
		if !ty.IsSetType() {
			return each(v, m.weigh)
		}
		n, before := v.LengthInt(), m.used
		paid := workOfOrder(n, partsIn(n, ty.ElementType()))
		if !m.spend(paid) || !each(v, m.weigh) {
			return false
		}
		return ty.ElementType().IsPrimitiveType() || m.spend(max(0, workOfOrder(n, m.used-before-paid)-paid))
	}
	return true
}

// each hands the elements of v to f until that returns false. An iterator of cty
// makes a number of a kilobyte for each.
func each(v cty.Value, f func(e cty.Value) bool) bool {
	if ty := v.Type(); ty.IsTupleType() || ty.IsListType() {
		i := new(big.Float)
		key := cty.NumberVal(i) // of which i is the inside
		for k := range v.LengthInt() {
			if !f(v.Index(key)) {
				return false
			}
			i.SetInt64(int64(k) + 1)
		}
		return true
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !f(e) {
			return false
		}
	}
	return true
}

// workOfOrder is for a set of n elements, which cty sorts for each walk. Elements
// that have no order, of that many parts in all, are written out for each
// comparison.
func workOfOrder(n, parts int) int {
	comparisons := 4 + 2*bits.Len(uint(n)) // of each
	if parts == 0 {
		return n * comparisons / 4
	}
	return min(parts*comparisons, 2*maxSteps)
}

// partsIn is how many parts of n elements there are at least, 0 if they have an
// order.
func partsIn(n int, element cty.Type) int {
	if element.IsPrimitiveType() {
		return 0
	}
	if !element.IsObjectType() {
		return 6 * n // numbers are written in decimals
	}
	return n * int(min(max(2, partsOfType(element)-1), maxSteps))
}

const manyDigits = "makes a number with thousands of digits"

// metered is a node of the tree that is charged for.
type metered struct {
	hclsyntax.Expression
	meter *meter
}

func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if !e.meter.spend(1) {
		return cty.DynamicVal, nil
	}
	v, diags := e.Expression.Value(ctx)
	if !e.meter.spend(costOfComplaint*len(diags)) || !e.meter.weigh(v) {
		return cty.DynamicVal, nil
	}
	return v, diags
}

// finite is an operand of %: cty 1.20 panics where the left one is infinite.
type finite struct{ hclsyntax.Expression }

func (e *finite) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.Expression.Value(ctx)
	if u, _ := v.Unmark(); u.Type() == cty.Number && u.IsKnown() && !u.IsNull() && u.AsBigFloat().IsInf() {
		return cty.DynamicVal, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid operand", Subject: e.Range().Ptr(),
			Detail: "the operand is infinite: nothing may be divided by 0",
		})
	}
	return v, diags
}

// wrapper is a node that stands around another.
type wrapper interface{ inner() hclsyntax.Expression }

func (e *metered) inner() hclsyntax.Expression { return e.Expression }
func (e *choice) inner() hclsyntax.Expression  { return e.ConditionalExpr }
func (e *notNull) inner() hclsyntax.Expression { return e.Expression }
func (e *finite) inner() hclsyntax.Expression  { return e.Expression }

// meteredCall also holds the result of a function to its limits.
type meteredCall struct{ metered }

func (e *meteredCall) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	before := e.meter.steps
	v, diags := e.metered.Value(ctx)
	if e.meter.refused == "" && before-e.meter.steps > maxElements && elements(v) > maxElements {
		e.meter.refused = fmt.Sprintf("makes more than %d elements by a function", maxElements)
		return cty.DynamicVal, nil
	}
	return v, diags
}

// elements counts what is in v, as far as it matters here.
func elements(v cty.Value) int {
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return 0
	}
	if ty := v.Type(); ty.IsCollectionType() && ty.ElementType().IsPrimitiveType() {
		return v.LengthInt()
	}
	n := 0
	each(v, func(e cty.Value) bool {
		n += 1 + elements(e)
		return n <= maxElements
	})
	return n
}

// meteredNumber is an operand of arithmetic: a text that converts to a number
// with a vast exponent is refused as well.
type meteredNumber struct{ metered }

func (e *meteredNumber) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.metered.Value(ctx)
	if u, _ := v.Unmark(); u.Type() == cty.String && u.IsKnown() && !u.IsNull() {
		if longNumber(u.AsString()) && !e.meter.weigh(u) { // a literal was not weighed yet
			return cty.DynamicVal, nil
		}
		if n, err := cty.ParseNumberVal(u.AsString()); err == nil && !e.meter.weigh(n) {
			return cty.DynamicVal, nil
		}
	}
	return v, diags
}

// notNull is an operand of && or ||: hcl 2.25 takes null for false there, but
// not in false || null, and Terraform for a mistake.
type notNull struct{ hclsyntax.Expression }

func (e *notNull) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.Expression.Value(ctx)
	if !v.IsNull() {
		return v, diags
	}
	return cty.UnknownVal(cty.Bool), append(diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Invalid operand", Subject: e.Range().Ptr(),
		Detail:     "the operand is null, and must be true or false",
		Expression: e.Expression, EvalContext: ctx,
	})
}

// meterTree puts meters into an expression where work or values can grow, and
// hands each reference to resolve. The tree is changed in place; what is
// returned takes the place of e.
type meterTree struct {
	meter   *meter
	resolve func(e *hclsyntax.ScopeTraversalExpr, bound []string) hclsyntax.Expression
	call    func(e *hclsyntax.FunctionCallExpr) hclsyntax.Expression // nil: leave it
	around  func(e *hclsyntax.FunctionCallExpr, arguments func())    // visits the arguments of a call; nil: nothing to do for it
	bound   []string                                                 // names that for expressions around here have bound
}

func (t *meterTree) all(list []hclsyntax.Expression) {
	for i := range list {
		list[i] = t.visit(list[i])
	}
}

func (t *meterTree) charge(e hclsyntax.Expression) hclsyntax.Expression {
	return &metered{e, t.meter}
}

func (t *meterTree) visit(e hclsyntax.Expression) hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return t.resolve(e, t.bound)
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() == cty.Number {
			return t.charge(e) // its exponent may be vast
		}
	case *hclsyntax.ParenthesesExpr:
		e.Expression = t.visit(e.Expression)
	case *hclsyntax.RelativeTraversalExpr:
		e.Source = t.visit(e.Source)
	case *hclsyntax.IndexExpr:
		e.Collection, e.Key = t.visit(e.Collection), t.visit(e.Key)
		if r, ok := e.Collection.(*ref); ok {
			r.keyed = true
		}
	case *hclsyntax.UnaryOpExpr:
		e.Val = &meteredNumber{metered{t.visit(e.Val), t.meter}}
	case *hclsyntax.BinaryOpExpr:
		// A comparison walks its operands.
		e.LHS = &meteredNumber{metered{t.visit(e.LHS), t.meter}}
		e.RHS = &meteredNumber{metered{t.visit(e.RHS), t.meter}}
		if e.Op.ShortCircuit != nil {
			e.LHS, e.RHS = &notNull{e.LHS}, &notNull{e.RHS}
		} else if e.Op == hclsyntax.OpModulo {
			e.LHS, e.RHS = &finite{e.LHS}, &finite{e.RHS}
		}
	case *hclsyntax.ConditionalExpr:
		e.Condition, e.TrueResult, e.FalseResult = t.visit(e.Condition), &branch{metered{t.visit(e.TrueResult), t.meter}}, &branch{metered{t.visit(e.FalseResult), t.meter}}
		return &choice{e}
	case *hclsyntax.TupleConsExpr:
		t.all(e.Exprs)
		return t.charge(e)
	case *hclsyntax.ObjectConsExpr:
		for i := range e.Items {
			// A bare word is a literal key, and a.b is refused by its node.
			k, ok := e.Items[i].KeyExpr.(*hclsyntax.ObjectConsKeyExpr)
			if _, bare := k.Wrapped.(*hclsyntax.ScopeTraversalExpr); ok && (k.ForceNonLiteral || !bare && hcl.ExprAsKeyword(k.Wrapped) == "") {
				k.Wrapped = t.visit(k.Wrapped)
			}
			e.Items[i].ValueExpr = t.visit(e.Items[i].ValueExpr)
		}
		return t.charge(e)
	case *hclsyntax.FunctionCallExpr:
		arguments := func() {
			for i := range e.Args {
				e.Args[i] = &argument{metered{t.visit(e.Args[i]), t.meter}}
			}
		}
		if t.around != nil {
			t.around(e, arguments)
		} else {
			arguments()
		}
		if t.call != nil {
			if other := t.call(e); other != e {
				return other
			}
		}
		return &meteredCall{metered{e, t.meter}}
	case *hclsyntax.TemplateExpr:
		for i, p := range e.Parts {
			if _, literal := p.(*hclsyntax.LiteralValueExpr); !literal {
				e.Parts[i] = &part{metered{t.visit(p), t.meter}, true}
			}
		}
		return t.charge(e)
	case *hclsyntax.TemplateWrapExpr:
		e.Wrapped = &part{metered{t.visit(e.Wrapped), t.meter}, false}
	case *hclsyntax.TemplateJoinExpr:
		e.Tuple = t.visit(e.Tuple)
		return t.charge(e)
	case *hclsyntax.SplatExpr:
		e.Source, e.Each = t.visit(e.Source), t.charge(t.visit(e.Each))
		return t.charge(e)
	case *hclsyntax.ForExpr:
		e.CollExpr = t.visit(e.CollExpr)
		outer := t.bound
		t.bound = append(outer[:len(outer):len(outer)], e.KeyVar, e.ValVar)
		if e.KeyExpr != nil {
			e.KeyExpr = t.charge(t.visit(e.KeyExpr))
		}
		e.ValExpr = t.charge(t.visit(e.ValExpr))
		if e.CondExpr != nil {
			e.CondExpr = t.charge(t.visit(e.CondExpr))
		}
		t.bound = outer
	}
	return e
}

// part is what stands between ${ and }. An address there is a mistake: HCL
// would say "string required", or take "${image.x}" for image.x.
type part struct {
	metered
	text bool // it stands among others
}

func (e *part) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.metered.Value(ctx)
	t, ok := targetOf(v)
	if !ok {
		if e.text {
			v = e.meter.decimal(v)
		}
		return v, diags
	}
	hint := "write the reference without quotes and ${ }"
	if t.kind == "image" {
		hint += ", or its file as ${" + t.name + ".path}"
	}
	return cty.DynamicVal, append(diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Address as text", Subject: e.Range().Ptr(),
		Detail: t.String() + " is an address and can't be part of a text",
		Extra:  complaint{codeAddressAsText, hint},
	})
}

// decimal is a number as a text, as cty makes it, and anything else as it is. To
// find the shortest decimals of 512 bits takes cty 20 µs; nearly all numbers are
// small integers.
func (m *meter) decimal(v cty.Value) cty.Value {
	n, marks := v.Unmark()
	if n.Type() != cty.Number || !n.IsKnown() || n.IsNull() {
		return v
	}
	f := n.AsBigFloat()
	if i, exact := f.Int64(); exact == big.Exact && !(i == 0 && f.Signbit()) {
		return cty.StringVal(strconv.FormatInt(i, 10)).WithMarks(marks)
	}
	m.spend(costOfFraction)
	return v
}

// argument of a call, which walks it, and may take a number for a text.
type argument struct{ metered }

func (e *argument) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.metered.Value(ctx)
	n, _ := v.Unmark()
	cost := 0
	switch {
	case !n.IsKnown() || n.IsNull():
	case n.CanIterateElements():
		cost = n.LengthInt() // cty looks for marks
	case n.Type() == cty.Number && n.AsBigFloat().Prec() > 64:
		cost = costOfFraction
	}
	if !e.meter.spend(cost) {
		return cty.DynamicVal, nil
	}
	return v, diags
}

// choice is a conditional that tells which types it mixes.
type choice struct{ *hclsyntax.ConditionalExpr }

func (e *choice) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.ConditionalExpr.Value(ctx)
	if bare, marks := v.Unmark(); offIn(marks) != "" { // HCL gives it the marks of both branches
		c, _ := e.Condition.Value(ctx)
		c, asked := c.Unmark()
		chosen := e.FalseResult
		if c.RawEquals(cty.True) {
			chosen = e.TrueResult
		}
		got, _ := chosen.Value(ctx)
		if _, kept := got.UnmarkDeep(); offIn(kept) == "" && offIn(asked) == "" {
			maps.DeleteFunc(marks, func(m any, _ struct{}) bool { _, is := m.(off); return is })
		}
		v = bare.WithMarks(marks)
	}
	for _, d := range diags {
		if d.Summary != "Inconsistent conditional result types" || d.Subject == nil || *d.Subject != hcl.RangeBetween(e.TrueResult.Range(), e.FalseResult.Range()) {
			continue
		}
		yes, _ := e.TrueResult.Value(ctx)
		no, _ := e.FalseResult.Value(ctx)
		d.Detail = fmt.Sprintf("the conditional gives %s or %s, and both must be of one type", typeName(yes), typeName(no))
		hint := "let both results be of one type"
		if isTarget(yes.Type()) != isTarget(no.Type()) {
			hint = "let both results be images or both be paths, or write two edits"
		}
		d.Extra = complaint{codeMixed, hint}
	}
	return v, diags
}

// complaint travels in hcl.Diagnostic.Extra: Detail is then our own sentence.
type complaint struct{ code, hint string }

// told travels there too, a finding that is complete.
type told struct{ diag.Finding }
