package config

import (
	"errors"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func textParam(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.String}
}

func hasPrefix(s, part string) bool { return strings.HasPrefix(s, part) }
func hasSuffix(s, part string) bool { return strings.HasSuffix(s, part) }
func hasPart(s, part string) bool   { return strings.Contains(s, part) }

func textTest(part string, f func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("str"), textParam(part)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

func textFunc(name string, f func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam(name)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(f(args[0].AsString())), nil
		},
	})
}

func textNumber(name string, f func(string) int) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam(name)},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.NumberIntVal(int64(f(args[0].AsString()))), nil
		},
	})
}

// replace takes a pattern between slashes as a regular expression.
var replace = function.New(&function.Spec{
	Params: []function.Parameter{textParam("str"), textParam("substr"), textParam("replace")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if old := args[1].AsString(); isPattern(old) {
			return stdlib.RegexReplace(args[0], cty.StringVal(old[1:len(old)-1]), args[2])
		}
		return stdlib.Replace(args[0], args[1], args[2])
	},
})

// length also takes a text, and counts what a person sees as characters.
var length = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true, AllowMarked: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		if ty == cty.String || ty == cty.DynamicPseudoType || ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType() {
			return cty.Number, nil
		}
		return cty.NilType, function.NewArgErrorf(0, "must be a string or a collection")
	},
	Impl: func(args []cty.Value, ty cty.Type) (n cty.Value, err error) {
		v, marks := args[0].Unmark() // those of elements say nothing about their number
		switch {
		case v.Type() == cty.DynamicPseudoType || !v.IsKnown():
			n = cty.UnknownVal(cty.Number)
		case v.Type() == cty.String:
			n, err = stdlib.Strlen(v)
		case v.Type().IsObjectType():
			n = cty.NumberIntVal(int64(len(v.Type().AttributeTypes())))
		default:
			n = v.Length()
		}
		return n.WithMarks(marks), err
	},
})

// index is the place of a value in a list; cty's index is the [ ] operator.
var index = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if ty := args[0].Type(); !ty.IsListType() && !ty.IsTupleType() {
			return cty.NilVal, function.NewArgErrorf(0, "must be a list")
		}
		for it := args[0].ElementIterator(); it.Next(); {
			i, e := it.Element()
			if eq, err := stdlib.Equal(e, args[1]); err == nil && eq.IsKnown() && eq.True() {
				return i, nil
			}
		}
		return cty.NilVal, errors.New("the list does not have the value")
	},
})

// contains refuses a null, of which cty's can't tell the type.
var contains = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type:   func(args []cty.Value) (cty.Type, error) { return stdlib.ContainsFunc.ReturnTypeForValues(args) },
	Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return stdlib.ContainsFunc.Call(args) },
})

var one = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		switch ty := args[0].Type(); {
		case ty.IsListType() || ty.IsSetType():
			return ty.ElementType(), nil
		case ty.IsTupleType() && ty.Length() == 1:
			return ty.TupleElementType(0), nil
		case ty.IsTupleType() && ty.Length() == 0:
			return cty.DynamicPseudoType, nil
		}
		return cty.NilType, function.NewArgErrorf(0, "must be a list, set or tuple of at most one element")
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		switch args[0].LengthInt() {
		case 0:
			return cty.NullVal(ty), nil
		case 1:
			it := args[0].ElementIterator()
			it.Next()
			_, e := it.Element()
			return e, nil
		}
		return cty.NilVal, function.NewArgErrorf(0, "must have at most one element")
	},
})

var sum = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		list := args[0]
		if ty := list.Type(); !ty.IsListType() && !ty.IsSetType() && !ty.IsTupleType() || list.LengthInt() == 0 {
			return cty.NilVal, function.NewArgErrorf(0, "must be a list or a set with at least one element")
		}
		total := cty.Zero
		for it := list.ElementIterator(); it.Next(); {
			_, e := it.Element()
			n, err := convert.Convert(e, cty.Number)
			if err != nil || n.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "must have elements of type number")
			}
			if total, err = stdlib.Add(total, n); err != nil { // infinity and its opposite
				return cty.NilVal, err
			}
		}
		return total, nil
	},
})

// every is alltrue, or anytrue for false. It stops at the first element that
// decides, as a null does for alltrue.
func every(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			unknown := false
			for it := args[0].ElementIterator(); it.Next(); {
				switch _, e := it.Element(); {
				case !e.IsKnown():
					unknown = true
				case (!e.IsNull() && e.True()) != all:
					return cty.BoolVal(!all), nil
				}
			}
			if unknown {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(all), nil
		},
	})
}

// coalesce is cty's, which only skips null, with empty texts skipped as well.
var coalesce = function.New(&function.Spec{
	VarParam: func() *function.Parameter {
		p := *stdlib.CoalesceFunc.VarParam()
		p.AllowMarked = false // all arguments count, as in Terraform
		return &p
	}(),
	Type: func(args []cty.Value) (cty.Type, error) { return stdlib.CoalesceFunc.ReturnTypeForValues(args) },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		rest := make([]cty.Value, len(args))
		for i, v := range args {
			if v.Type() == cty.String && v.IsKnown() && !v.IsNull() && v.AsString() == "" {
				v = cty.NullVal(cty.String)
			}
			rest[i] = v
		}
		v, err := stdlib.CoalesceFunc.Call(rest)
		if err != nil {
			err = errors.New("all arguments are null or empty")
		}
		return v, err
	},
})

// lookup may be called without a default.
var lookup = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "inputMap", Type: cty.DynamicPseudoType, AllowMarked: true}, textParam("key")},
	VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true},
	Type:     function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (found cty.Value, err error) {
		m, marks := args[0].Unmark()
		key, ty := args[1].AsString(), m.Type()
		defer func() {
			if err == nil {
				found = found.WithMarks(marks)
			}
		}()
		if len(args) > 3 {
			return cty.NilVal, errors.New("it takes a map, a key and at most one default")
		}
		switch {
		case ty.IsObjectType():
			if ty.HasAttribute(key) {
				return m.GetAttr(key), nil
			}
			if len(args) == 3 {
				return args[2], nil
			}
			return cty.NilVal, function.NewArgErrorf(0, "has no attribute %s", quoteKey(key))
		case ty.IsMapType():
			otherwise := cty.NilVal
			if len(args) == 3 {
				var err error
				if otherwise, err = convert.Convert(args[2], ty.ElementType()); err != nil {
					return cty.NilVal, function.NewArgErrorf(2, "must be of the type of the elements: %s", err)
				}
			}
			if m.HasIndex(args[1]).True() {
				return m.Index(args[1]), nil
			}
			if len(args) == 3 {
				return otherwise, nil
			}
			return cty.NilVal, function.NewArgErrorf(0, "has no element %s", quoteKey(key))
		}
		return cty.NilVal, function.NewArgErrorf(0, "must be a map or an object")
	},
})

// identity is equal for equal values, wholly known and unmarked, of one type. A
// hash would not do: equal ones can be made up, and then a list takes quadratic
// time.
func identity(v cty.Value) string {
	if v.Type() == cty.String && !v.IsNull() {
		return v.AsString()
	}
	return v.GoString()
}

// distinct is cty's in linear time.
var distinct = function.New(&function.Spec{
	Params: stdlib.DistinctFunc.Params(),
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(ty), nil
		}
		seen := map[string]bool{}
		var kept []cty.Value
		for it := args[0].ElementIterator(); it.Next(); {
			_, e := it.Element()
			if id := identity(e); !seen[id] {
				seen[id] = true
				kept = append(kept, e)
			}
		}
		return listOf(kept, ty.ElementType()), nil
	},
})

func listOf(vals []cty.Value, ty cty.Type) cty.Value {
	if len(vals) == 0 {
		return cty.ListValEmpty(ty)
	}
	return cty.ListVal(vals)
}

var matchkeys = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "values", Type: cty.List(cty.DynamicPseudoType)},
		{Name: "keys", Type: cty.List(cty.DynamicPseudoType)},
		{Name: "searchset", Type: cty.List(cty.DynamicPseudoType)},
	},
	Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		values, keys, wanted := args[0], args[1], args[2]
		if !keys.IsWhollyKnown() || !wanted.IsWhollyKnown() || !values.IsKnown() {
			return cty.UnknownVal(ty), nil
		}
		if values.LengthInt() != keys.LengthInt() {
			return cty.NilVal, errors.New("values and keys must be of the same length")
		}
		common, _ := convert.UnifyUnsafe([]cty.Type{keys.Type(), wanted.Type()})
		if common == cty.NilType {
			return cty.NilVal, errors.New("keys and searchset must be of one type")
		}
		keys, err := convert.Convert(keys, common)
		if err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		if wanted, err = convert.Convert(wanted, common); err != nil {
			return cty.NilVal, function.NewArgError(2, err)
		}
		found := map[string]bool{}
		for it := wanted.ElementIterator(); it.Next(); {
			_, e := it.Element()
			found[identity(e)] = true
		}
		var kept []cty.Value
		for v, k := values.ElementIterator(), keys.ElementIterator(); v.Next() && k.Next(); {
			_, key := k.Element()
			if found[identity(key)] {
				_, e := v.Element()
				kept = append(kept, e)
			}
		}
		return listOf(kept, ty.ElementType()), nil
	},
})

var transpose = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "values", Type: cty.Map(cty.List(cty.String))}},
	Type:   function.StaticReturnType(cty.Map(cty.List(cty.String))),
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(ty), nil
		}
		out := map[string][]cty.Value{}
		for it := args[0].ElementIterator(); it.Next(); {
			key, list := it.Element()
			if list.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "must not have a null in it")
			}
			for it := list.ElementIterator(); it.Next(); {
				_, e := it.Element()
				if e.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "must not have a null in it")
				}
				out[e.AsString()] = append(out[e.AsString()], key)
			}
		}
		if len(out) == 0 {
			return cty.MapValEmpty(cty.List(cty.String)), nil
		}
		vals := make(map[string]cty.Value, len(out))
		for key, list := range out {
			vals[key] = cty.ListVal(list)
		}
		return cty.MapVal(vals), nil
	},
})
