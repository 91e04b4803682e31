package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
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
func (ev *evaluator) payForPairs(types []cty.Type) error {
	n := 0.0
	for _, ty := range types {
		n += partsOfType(ty)
	}
	if n > fewKinds/8 && !ev.meter.spend(int(min(n*n*costOfPair, 2*maxSteps))) {
		return errSpent
	}
	return nil
}

// collect converts v to a list, set or map of elements of one type, as
// convert.Convert does.
func (ev *evaluator) collect(v cty.Value, want cty.Type) (cty.Value, error) {
	ty := v.Type()
	if err := ev.payForCollisions(v, want); err != nil {
		return cty.NilVal, err
	}
	fits := want.IsMapType() && ty.IsObjectType() || (want.IsListType() || want.IsSetType()) && ty.IsTupleType()
	if !fits || !v.IsKnown() || v.IsNull() || v.IsMarked() || v.LengthInt() == 0 {
		return convert.Convert(v, want)
	}
	all, common := elementTypes(ty), want.ElementType()
	if common == cty.DynamicPseudoType {
		var err error
		if common, err = ev.commonType(all, want); err != nil {
			return cty.NilVal, err
		}
	}
	out := make([]cty.Value, 0, len(all))
	var keys []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if !e.Type().Equals(common) {
			var err error
			if e, err = ev.collect(e, common); err != nil {
				return cty.NilVal, err
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
	if err := ev.payForPairs(all); err != nil {
		return cty.NilVal, err
	}
	return convert.Convert(v, want)
}

// payForCollisions: the hash of a set is a CRC-32, for which anybody can make up
// thousands of texts that collide, and each is compared with all others.
func (ev *evaluator) payForCollisions(v cty.Value, want cty.Type) error {
	if !want.IsSetType() || !v.IsWhollyKnown() || v.IsNull() || v.ContainsMarked() || !v.CanIterateElements() || v.LengthInt() <= fewKinds/8 {
		return nil
	}
	alike := map[int][]cty.Value{}
	pairs := 0
next:
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		h := e.Hash()
		for _, other := range alike[h] {
			if pairs++; pairs%4 == 0 && !ev.meter.spend(1) {
				return errSpent
			}
			if other.RawEquals(e) {
				continue next
			}
		}
		alike[h] = append(alike[h], e)
	}
	return nil
}

// commonType is the type that cty finds for elements of these types.
func (ev *evaluator) commonType(all []cty.Type, want cty.Type) (cty.Type, error) {
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
	if err := ev.payForPairs(kinds); err != nil {
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
				v, err := ev.collect(args[0], want)
				if err != nil {
					return cty.NilVal, function.NewArgErrorf(0, "%s", err)
				}
				return v, nil
			},
		})
	}
}

// branch is a result of a conditional. What is long becomes a list if it can,
// because the results are brought to a common type.
type branch struct{ metered }

func (e *branch) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.metered.Value(ctx)
	ty := v.Type()
	if !ty.IsTupleType() && !ty.IsObjectType() || isTarget(ty) {
		return v, diags
	}
	switch {
	case ty.IsTupleType() && ty.Length() > fewKinds && v.IsKnown() && !v.IsNull():
		types, same := ty.TupleElementTypes(), true
		for i := 1; i < len(types) && same; i++ {
			same = types[i].Equals(types[0])
		}
		if same && types[0] != cty.DynamicPseudoType {
			if vals := v.AsValueSlice(); cty.CanListVal(vals) {
				return cty.ListVal(vals), diags
			}
		}
		fallthrough
	case ty.IsTupleType() && ty.Length() > fewKinds/8, ty.IsObjectType() && len(ty.AttributeTypes()) > fewKinds/8:
		n := partsOfType(ty)
		if !e.meter.spend(int(min(n*n*costOfPair, 2*maxSteps))) {
			return cty.DynamicVal, nil
		}
	}
	return v, diags
}
