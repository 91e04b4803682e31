package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// Where cty makes a list of a tuple, or a map of an object, it looks for the type
// that the elements have in common by comparing each with each: 10,000 take
// seconds, 100,000 minutes. Nearly always they are of one type, so here only
// those that differ are compared.

const (
	maxKinds   = 256  // types of elements that are told apart
	fewKinds   = 2048 // elements that cty may compare each with each
	costOfPair = 1.0 / 64
)

// maxDigits is of a number in a text: to read one takes quadratic time.
const maxDigits = 4096

// longNumber reports whether text begins with more digits than a number may
// have; whether more follows does not matter, it is found out after the digits.
func longNumber(text string) bool {
	if len(text) <= maxDigits {
		return false
	}
	text = strings.TrimLeft(text, "+-")
	for i := range len(text) {
		if (text[i] < '0' || text[i] > '9') && text[i] != '.' {
			return false
		}
		if i == maxDigits {
			return true
		}
	}
	return false
}

// elementTypes are those of a tuple or an object.
func elementTypes(ty cty.Type) []cty.Type {
	switch {
	case ty.IsTupleType():
		return ty.TupleElementTypes()
	case ty.IsObjectType():
		attrs := ty.AttributeTypes()
		out := make([]cty.Type, 0, len(attrs))
		for _, name := range sortedKeys(attrs) {
			out = append(out, attrs[name])
		}
		return out
	}
	return nil
}

// partsOfType counts the types that ty is made of.
func partsOfType(ty cty.Type) float64 {
	n := 1.0
	for _, e := range elementTypes(ty) {
		n += partsOfType(e)
	}
	return n
}

// payForPairs charges for what cty takes to find the common type of types.
func (m *meter) payForPairs(types []cty.Type) error {
	n := 0.0
	for _, ty := range types {
		n += partsOfType(ty)
	}
	if n > fewKinds/8 && !m.spend(int(min(n*n*costOfPair, 2*maxSteps))) {
		return errSpent
	}
	return nil
}

// fit converts v to want as convert.Convert does. What is wrong inside of v is
// a cty.PathError.
func (m *meter) fit(v cty.Value, want cty.Type) (cty.Value, error) {
	if v.IsMarked() {
		v, marks := v.Unmark()
		v, err := m.fit(v, want)
		if err != nil {
			return cty.NilVal, err
		}
		return v.WithMarks(marks), nil
	}
	ty := v.Type()
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() || ty.Equals(want) || ty.IsSetType() && !v.IsWhollyKnown() {
		return convert.Convert(v, want)
	}
	switch {
	case want.IsObjectType() && (ty.IsObjectType() || ty.IsMapType()):
		return m.fitObject(v.AsValueMap(), want)
	case want.IsTupleType() && ty.IsTupleType() && want.Length() == ty.Length():
		out := v.AsValueSlice()
		for i := range out {
			var err error
			if out[i], err = m.fit(out[i], want.TupleElementType(i)); err != nil {
				return cty.NilVal, inside(cty.IndexStep{Key: cty.NumberIntVal(int64(i))}, err)
			}
		}
		return cty.TupleVal(out), nil
	case want.IsMapType() && (ty.IsObjectType() || ty.IsMapType()), (want.IsListType() || want.IsSetType()) && (ty.IsTupleType() || ty.IsListType() || ty.IsSetType()):
		return m.fitCollection(v, want)
	}
	return convert.Convert(v, want)
}

func (m *meter) fitObject(attrs map[string]cty.Value, want cty.Type) (cty.Value, error) {
	types, out := map[string]cty.Type{}, map[string]cty.Value{}
	missing := false
	for name, ty := range want.AttributeTypes() {
		v, ok := attrs[name]
		if ok {
			types[name] = v.Type()
		} else if want.AttributeOptional(name) {
			out[name] = cty.NullVal(ty.WithoutOptionalAttributesDeep())
		} else {
			missing = true
		}
	}
	if missing {
		return cty.NilVal, errors.New(convert.MismatchMessage(cty.Object(types), want))
	}
	for _, name := range sortedKeys(types) {
		var err error
		if out[name], err = m.fit(attrs[name], want.AttributeType(name)); err != nil {
			return cty.NilVal, inside(cty.GetAttrStep{Name: name}, err)
		}
	}
	return cty.ObjectVal(out), nil
}

// fitCollection converts to a list, set or map of elements of one type.
func (m *meter) fitCollection(v cty.Value, want cty.Type) (cty.Value, error) {
	ty, common := v.Type(), want.ElementType()
	if v.LengthInt() == 0 {
		return convert.Convert(v, want)
	}
	all := elementTypes(ty)
	if all == nil { // a list, set or map
		if all = []cty.Type{ty.ElementType()}; common == cty.DynamicPseudoType {
			common = ty.ElementType()
		}
	} else if common == cty.DynamicPseudoType {
		var err error
		if common, err = m.commonType(all, want); err != nil {
			return cty.NilVal, err
		}
	}
	plain := common.WithoutOptionalAttributesDeep()
	out := make([]cty.Value, 0, v.LengthInt())
	var keys []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if !e.Type().Equals(plain) {
			if common == cty.String {
				e = m.decimal(e)
			}
			var err error
			if e, err = m.fit(e, common); err != nil {
				return cty.NilVal, inside(cty.IndexStep{Key: k}, err)
			}
			if !m.spend(1) {
				return cty.NilVal, errSpent
			}
		}
		out = append(out, e)
		if want.IsMapType() {
			keys = append(keys, k.AsString())
		}
	}
	switch {
	case want.IsListType() && cty.CanListVal(out):
		return cty.ListVal(out), nil
	case want.IsSetType() && cty.CanSetVal(out):
		if err := m.payForCollisions(cty.ListVal(out), want); err != nil {
			return cty.NilVal, err
		}
		return cty.SetVal(out), nil
	case want.IsMapType():
		named := make(map[string]cty.Value, len(out))
		for i, k := range keys {
			named[k] = out[i]
		}
		if cty.CanMapVal(named) {
			return cty.MapVal(named), nil
		}
	}
	// Elements of which cty makes different types.
	if err := m.payForPairs(all); err != nil {
		return cty.NilVal, err
	}
	return convert.Convert(v, want)
}

// inside puts a step before the path of an error.
func inside(step cty.PathStep, err error) error {
	p := cty.Path{step}
	if e, ok := err.(cty.PathError); ok {
		p = append(p, e.Path...)
	} else if err == errSpent {
		return err
	}
	return p.NewError(errors.New(err.Error()))
}

// fitting is a value that is converted when it is asked for, so that this is
// metered as an evaluation is.
type fitting struct {
	hclsyntax.LiteralValueExpr
	meter    *meter
	want     cty.Type
	defaults *typeexpr.Defaults // nil if there are none
	err      error
}

func (f *fitting) Value(*hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v := f.Val
	if f.defaults != nil && !v.IsNull() {
		v = f.defaults.Apply(loosen(v, f.defaults))
	}
	if v, f.err = f.meter.fit(v, f.want); f.err != nil {
		return cty.DynamicVal, nil
	}
	return v, nil
}

// loosen makes tuples and objects of the lists, sets and maps to whose elements
// d applies: it would bring them to a common type again.
func loosen(v cty.Value, d *typeexpr.Defaults) cty.Value {
	if d == nil || len(d.DefaultValues)+len(d.Children) == 0 || !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return v
	}
	v, marks := v.Unmark()
	if ty := v.Type(); ty.IsObjectType() || ty.IsMapType() {
		attrs := v.AsValueMap()
		for name, e := range attrs {
			child := d.Children[""]
			if d.Type.IsObjectType() {
				child = d.Children[name]
			}
			attrs[name] = loosen(e, child)
		}
		return cty.ObjectVal(attrs).WithMarks(marks)
	}
	all := v.AsValueSlice()
	for i, e := range all {
		child := d.Children[""]
		if d.Type.IsTupleType() {
			child = d.Children[strconv.Itoa(i)]
		}
		all[i] = loosen(e, child)
	}
	return cty.TupleVal(all).WithMarks(marks)
}

// payForCollisions: the hash of a set is a CRC-32, for which anybody can make up
// thousands of texts that collide, and each is compared with all others.
func (m *meter) payForCollisions(v cty.Value, want cty.Type) error {
	if !want.IsSetType() || !v.IsWhollyKnown() || v.IsNull() || v.ContainsMarked() || !v.CanIterateElements() {
		return nil
	}
	// Whoever weighs the set pays for its order by the type of its elements,
	// beforehand, and there may be more in them.
	if n, least := v.LengthInt(), partsIn(v.LengthInt(), v.Type().ElementType()); least > 0 && !m.spend(max(0, workOfOrder(n, elements(v)-n)-workOfOrder(n, least))) {
		return errSpent
	}
	if v.LengthInt() <= fewKinds/8 {
		return nil
	}
	alike := map[int][]cty.Value{}
	texts := map[string]bool{}
	pairs := 0
next:
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if text := e.Type() == cty.String && !e.IsNull(); text && texts[e.AsString()] {
			continue // equal ones are one
		} else if text {
			texts[e.AsString()] = true
		}
		h := e.Hash()
		if e.Type() != cty.String {
			for _, other := range alike[h] {
				if !m.spend(1) {
					return errSpent
				}
				if other.RawEquals(e) {
					continue next
				}
			}
		}
		pairs += len(alike[h])
		alike[h] = append(alike[h], e)
	}
	if !m.spend(min(pairs/4, 2*maxSteps)) {
		return errSpent
	}
	return nil
}

// commonType is the type that cty finds for elements of these types.
func (m *meter) commonType(all []cty.Type, want cty.Type) (cty.Type, error) {
	var kinds []cty.Type
	for _, e := range all {
		if !slices.ContainsFunc(kinds, e.Equals) {
			kinds = append(kinds, e)
		}
		if len(kinds) > maxKinds {
			kinds = all
			break
		}
	}
	if len(kinds) == 1 {
		return kinds[0], nil
	}
	if err := m.payForPairs(kinds); err != nil {
		return cty.NilType, err
	}
	few, err := convert.Convert(cty.UnknownVal(cty.Tuple(kinds)), cty.List(cty.DynamicPseudoType))
	if err == nil {
		return few.Type().ElementType(), nil
	}
	if want.IsMapType() {
		return cty.NilType, errors.New("all map elements must have the same type")
	}
	return cty.NilType, err
}

// toCollection is tolist, toset or tomap.
func toCollection(f function.Function, want cty.Type) func(*evaluator) function.Function {
	return func(ev *evaluator) function.Function {
		return function.New(&function.Spec{
			Params: f.Params(),
			Type: func(args []cty.Value) (cty.Type, error) {
				if !args[0].IsKnown() || args[0].IsNull() {
					return f.ReturnTypeForValues(args)
				}
				return cty.DynamicPseudoType, nil
			},
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				if ty := args[0].Type(); args[0].IsNull() || !ty.IsTupleType() && !ty.IsObjectType() && !ty.IsListType() {
					return f.Call(args)
				}
				v, err := ev.meter.fit(args[0], want)
				if err != nil {
					return cty.NilVal, function.NewArgErrorf(0, "%s", err)
				}
				return v, nil
			},
		})
	}
}

// branch is a result of a conditional. What is long becomes a list or map if
// it can, because the results are brought to a common type.
type branch struct{ metered }

func (e *branch) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.metered.Value(ctx)
	ty := v.Type()
	if !ty.IsTupleType() && !ty.IsObjectType() || isTarget(ty) {
		return v, diags
	}
	types := elementTypes(ty)
	if len(types) <= fewKinds/8 || !v.IsKnown() || v.IsNull() {
		return v, diags
	}
	alike := len(types) > fewKinds && types[0] != cty.DynamicPseudoType && !v.IsMarked()
	for i := 1; i < len(types) && alike; i++ {
		alike = types[i].Equals(types[0])
	}
	if alike && ty.IsTupleType() {
		if all := v.AsValueSlice(); cty.CanListVal(all) {
			return cty.ListVal(all), diags
		}
	} else if alike {
		if all := v.AsValueMap(); cty.CanMapVal(all) {
			return cty.MapVal(all), diags
		}
	}
	n := partsOfType(ty)
	if !e.meter.spend(int(min(n*n*costOfPair, 2*maxSteps))) {
		return cty.DynamicVal, nil
	}
	return v, diags
}
