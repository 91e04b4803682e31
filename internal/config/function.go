package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// maxRead bounds a file that a function reads.
const maxRead = 1 << 20

// refusedFuncs are functions that people look for and that are missing on
// purpose.
var refusedFuncs = map[string]struct{ text, hint string }{
	"timestamp":     {"its result changes on each run, which would buy every image again", "write the time as text, or give it as a variable"},
	"plantimestamp": {"its result changes on each run, which would buy every image again", "write the time as text, or give it as a variable"},
	"uuid":          {"its result changes on each run, which would buy every image again", "write an identifier as text; reroll asks for a new roll"},
	"bcrypt":        {"its result changes on each run, which would buy every image again", "use sha256()"},
	"abspath":       {"its result differs from machine to machine", "paths are relative to the root of the project"},
	"pathexpand":    {"its result differs from machine to machine", "paths are relative to the root of the project"},
	"sensitive":     {"prompts and the lockfile show every value", "leave it away"},
}

// pure is the functions that need nothing but their arguments.
var pure = sync.OnceValue(func() map[string]function.Function {
	f := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
		"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "signum": stdlib.SignumFunc, "int": stdlib.IntFunc,

		"chomp": stdlib.ChompFunc, "lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc, "title": stdlib.TitleFunc,
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "strlen": stdlib.StrlenFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc,
		"trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,

		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc,
		"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc,
		"flatten": stdlib.FlattenFunc, "hasindex": stdlib.HasIndexFunc, "keys": stdlib.KeysFunc, "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc,
		"range": stdlib.RangeFunc, "reverse": stdlib.ReverseListFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"setintersection": stdlib.SetIntersectionFunc, "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
		"setsymmetricdifference": stdlib.SetSymmetricDifferenceFunc, "sethaselement": stdlib.SetHasElementFunc,

		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"yamlencode": yaml.YAMLEncodeFunc,
		"can":        tryfunc.CanFunc, "try": tryfunc.TryFunc,
		"tobool": stdlib.MakeToFunc(cty.Bool), "tonumber": stdlib.MakeToFunc(cty.Number), "tostring": stdlib.MakeToFunc(cty.String),
		"tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), "tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),

		// These multiply their arguments, so their result is bounded before it
		// is made.
		"format": bounded(stdlib.FormatFunc, sizeOfFormat), "formatlist": bounded(stdlib.FormatListFunc, sizeOfFormat),
		"indent": bounded(stdlib.IndentFunc, sizeOfIndent), "join": bounded(stdlib.JoinFunc, sizeOfJoin),
		"split": bounded(stdlib.SplitFunc, sizeOfSplit), "setproduct": bounded(stdlib.SetProductFunc, sizeOfProduct),
		"pow": bounded(stdlib.PowFunc, sizeOfPow), "yamldecode": bounded(yaml.YAMLDecodeFunc, sizeOfYAML),
		"replace": bounded(replace, sizeOfReplace),

		"length": length, "index": index, "one": one, "sum": sum, "alltrue": every(true), "anytrue": every(false),
		"startswith": textTest(strings.HasPrefix), "endswith": textTest(strings.HasSuffix), "strcontains": textTest(strings.Contains),
		"basename": textFunc(path.Base), "dirname": textFunc(path.Dir), "urlencode": textFunc(url.QueryEscape),
		"base64encode": textFunc(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }), "base64decode": base64decode,
		"md5":    textFunc(func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }),
		"sha1":   textFunc(func(s string) string { sum := sha1.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }),
		"sha256": textFunc(func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }),
		"sha512": textFunc(func(s string) string { sum := sha512.Sum512([]byte(s)); return hex.EncodeToString(sum[:]) }),
	}
	return f
})

// functions is pure and those that read files, which need the evaluator.
func (ev *evaluator) functions() map[string]function.Function {
	f := maps.Clone(pure())
	f["file"] = ev.fileFunc(cty.String, func(text string) (cty.Value, error) { return cty.StringVal(text), nil })
	f["filesha256"] = ev.bytesFunc(cty.String, maxRead, func(text string) (cty.Value, error) {
		return cty.StringVal(digest.OfContent([]byte(text)).String()), nil
	})
	f["filebase64"] = ev.bytesFunc(cty.String, maxText/4*3-64, func(text string) (cty.Value, error) {
		return cty.StringVal(base64.StdEncoding.EncodeToString([]byte(text))), nil
	})
	f["frontmatter"] = ev.fileFunc(cty.DynamicPseudoType, frontmatter)
	f["fileexists"] = ev.fileexists()
	f["fileset"] = ev.fileset()
	f["templatefile"] = ev.templatefile(maps.Clone(f))
	return f
}

// limits are of what bounded functions make.
var limits = map[string]float64{"bytes": maxText, "elements": maxElements, "levels": 1000, "digits": 4096}

// bounded refuses a call whose result would be too large. size tells how large,
// in a unit of limits; it sees known arguments only.
func bounded(f function.Function, size func(args []cty.Value) (float64, string)) function.Function {
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		VarParam:    f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if slices.ContainsFunc(args, func(v cty.Value) bool { return !v.IsWhollyKnown() }) {
				return f.ReturnTypeForValues(args)
			}
			n, unit := size(args)
			if limit := limits[unit]; n > limit {
				return cty.NilType, fmt.Errorf("the result would have more than %.0f %s", limit, unit)
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

// textIn is the length of all text in v.
func textIn(v cty.Value) float64 {
	if v.IsNull() || !v.IsKnown() {
		return 4
	}
	if v.Type() == cty.String {
		return float64(len(v.AsString()))
	}
	if !v.CanIterateElements() {
		return 20
	}
	n := 0.0
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		n += textIn(e) + 4
	}
	return n
}

func textOf(v cty.Value) string {
	if v.IsNull() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func sizeOfFormat(args []cty.Value) (float64, string) {
	longest, lines := 0.0, 1.0
	for _, a := range args[1:] {
		longest = max(longest, textIn(a))
		if !a.IsNull() && a.CanIterateElements() {
			lines = max(lines, float64(a.LengthInt()))
		}
	}
	spec := textOf(args[0])
	// The lines of formatlist are texts of their own: their sum may be larger.
	return (float64(len(spec))*lines + float64(strings.Count(spec, "%"))*longest) / min(lines, 16), "bytes"
}

func sizeOfIndent(args []cty.Value) (float64, string) {
	n, _ := args[0].AsBigFloat().Float64()
	text := textOf(args[1])
	return float64(len(text)) + n*float64(strings.Count(text, "\n")+1), "bytes"
}

func sizeOfJoin(args []cty.Value) (float64, string) {
	n, separator := 0.0, float64(len(textOf(args[0])))
	for _, list := range args[1:] {
		if list.IsNull() {
			continue
		}
		n += textIn(list) + separator*float64(list.LengthInt())
	}
	return n, "bytes"
}

func sizeOfSplit(args []cty.Value) (float64, string) {
	separator, text := textOf(args[0]), textOf(args[1])
	if separator == "" {
		return float64(utf8.RuneCountInString(text)), "elements"
	}
	return float64(strings.Count(text, separator)), "elements"
}

func sizeOfProduct(args []cty.Value) (float64, string) {
	n := float64(len(args))
	for _, a := range args {
		if !a.IsNull() && a.CanIterateElements() {
			n *= float64(a.LengthInt())
		}
	}
	return n, "elements"
}

func sizeOfPow(args []cty.Value) (float64, string) {
	exp, _ := args[1].AsBigFloat().Float64()
	return math.Abs(exp), "digits"
}

var yamlAnchor, yamlAlias = regexp.MustCompile(`(?m)(^|[\s\[,:{-])&\w`), regexp.MustCompile(`(?m)(^|[\s\[,:{-])\*\w`)

// sizeOfYAML bounds what aliases multiply: those of one anchor stand inside
// the next.
func sizeOfYAML(args []cty.Value) (float64, string) {
	text := textOf(args[0])
	// The parser takes quadratic time for open brackets, and stack for each.
	depth, deepest, dashes := 0, 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '-', '?':
			dashes++
		case ' ':
		default:
			dashes = 0
		}
		deepest = max(deepest, depth, dashes)
	}
	if float64(deepest) > limits["levels"] {
		return float64(deepest), "levels"
	}
	n := float64(len(text))
	anchors := float64(len(yamlAnchor.FindAllStringIndex(text, -1)))
	if anchors == 0 {
		return n, "bytes"
	}
	aliases := float64(len(yamlAlias.FindAllStringIndex(text, -1)))
	// Aliases are shared in memory, and only walked: allow some more.
	return max(n, n*math.Pow(1+aliases/anchors, anchors)/64), "bytes"
}

// sizeOfReplace: each match gives way to the replacement, in which $1 repeats
// what was matched.
func sizeOfReplace(args []cty.Value) (float64, string) {
	text, old, with := textOf(args[0]), textOf(args[1]), textOf(args[2])
	n := float64(len(text))
	if !isPattern(old) {
		return n + float64(strings.Count(text, old)*len(with)), "bytes"
	}
	re, err := regexp.Compile(old[1 : len(old)-1])
	if err != nil {
		return 0, "bytes" // the call tells
	}
	return n + float64(len(re.FindAllStringIndex(text, -1))*len(with)) + n*float64(strings.Count(with, "$")), "bytes"
}

func isPattern(s string) bool { return len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' }

func textParam(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.String}
}

// replace takes a pattern between slashes as a regular expression.
var replace = function.New(&function.Spec{
	Description: "replaces each occurrence of a text, or of a pattern between slashes",
	Params:      []function.Parameter{textParam("str"), textParam("substr"), textParam("replace")},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if old := args[1].AsString(); isPattern(old) {
			return stdlib.RegexReplace(args[0], cty.StringVal(old[1:len(old)-1]), args[2])
		}
		return stdlib.Replace(args[0], args[1], args[2])
	},
})

// length also takes a text, and counts what a person sees as characters.
var length = function.New(&function.Spec{
	Description: "the number of elements or characters",
	Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		if ty == cty.String || ty == cty.DynamicPseudoType || ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType() {
			return cty.Number, nil
		}
		return cty.NilType, function.NewArgErrorf(0, "must be a string or a collection")
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		switch v := args[0]; {
		case v.Type() == cty.DynamicPseudoType || !v.IsKnown():
			return cty.UnknownVal(cty.Number), nil
		case v.Type() == cty.String:
			return stdlib.Strlen(v)
		case v.Type().IsObjectType():
			return cty.NumberIntVal(int64(len(v.Type().AttributeTypes()))), nil
		default:
			return v.Length(), nil
		}
	},
})

// index is the place of a value in a list; cty's index is the [ ] operator.
var index = function.New(&function.Spec{
	Description: "the place of a value in a list, from 0",
	Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type:        function.StaticReturnType(cty.Number),
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

var one = function.New(&function.Spec{
	Description: "the only element of a list, or null if it is empty",
	Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
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

// elementsOf converts the elements of a list to a primitive type.
func elementsOf(v cty.Value, ty cty.Type) ([]cty.Value, error) {
	if !v.CanIterateElements() || v.Type().IsMapType() || v.Type().IsObjectType() {
		return nil, function.NewArgErrorf(0, "must be a list or a set")
	}
	var out []cty.Value
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		e, err := convert.Convert(e, ty)
		if err != nil || e.IsNull() {
			return nil, function.NewArgErrorf(0, "must have elements of type %s", ty.FriendlyName())
		}
		out = append(out, e)
	}
	return out, nil
}

var sum = function.New(&function.Spec{
	Description: "the sum of a list of numbers",
	Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		list, err := elementsOf(args[0], cty.Number)
		if err != nil {
			return cty.NilVal, err
		}
		total := cty.Zero
		for _, e := range list {
			total = total.Add(e)
		}
		return total, nil
	},
})

// every is alltrue, or anytrue for false.
func every(all bool) function.Function {
	return function.New(&function.Spec{
		Description: "whether all or any of a list are true",
		Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:        function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			list, err := elementsOf(args[0], cty.Bool)
			if err != nil {
				return cty.NilVal, err
			}
			for _, e := range list {
				if e.True() != all {
					return cty.BoolVal(!all), nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

func textTest(f func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("str"), textParam("part")},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

func textFunc(f func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("str")},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(f(args[0].AsString())), nil
		},
	})
}

var base64decode = function.New(&function.Spec{
	Params: []function.Parameter{textParam("str")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		b, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil || !utf8.Valid(b) {
			return cty.NilVal, function.NewArgErrorf(0, "is not base64 of UTF-8 text")
		}
		return cty.StringVal(string(b)), nil
	},
})

// fileFunc is a function of the content of one text file.
func (ev *evaluator) fileFunc(ty cty.Type, f func(text string) (cty.Value, error)) function.Function {
	return ev.bytesFunc(ty, maxRead, func(text string) (cty.Value, error) {
		if !utf8.ValidString(text) {
			return cty.NilVal, function.NewArgErrorf(0, "the file is not UTF-8 text")
		}
		return f(text)
	})
}

// bytesFunc makes a function of what is in a file of at most limit bytes.
func (ev *evaluator) bytesFunc(ty cty.Type, limit int64, f func(text string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("path")},
		Type:   function.StaticReturnType(ty),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := ev.readText(args[0].AsString(), limit)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return f(text)
		},
	})
}

// frontmatter is the YAML between two lines of three dashes at the begin of a
// file.
func frontmatter(text string) (cty.Value, error) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff"), "---\n")
	if !ok {
		return cty.NilVal, function.NewArgErrorf(0, "the file does not begin with a line of ---")
	}
	head, _, ok := strings.Cut("\n"+rest, "\n---\n")
	if !ok {
		if head, ok = strings.CutSuffix("\n"+rest, "\n---"); !ok {
			return cty.NilVal, function.NewArgErrorf(0, "the front matter has no closing line of ---")
		}
	}
	if strings.TrimSpace(head) == "" {
		return cty.EmptyObjectVal, nil
	}
	v, err := pure()["yamldecode"].Call([]cty.Value{cty.StringVal(head)})
	if err != nil {
		return cty.NilVal, function.NewArgErrorf(0, "the front matter: %s", err)
	}
	if !v.Type().IsObjectType() || v.IsNull() {
		return cty.NilVal, function.NewArgErrorf(0, "the front matter is not a list of names and values")
	}
	return v, nil
}

func (ev *evaluator) fileexists() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("path")},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			dir, name := path.Split(trimDot(args[0].AsString()))
			list, err := ev.glob(dir, globText(name))
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.BoolVal(len(list) == 1), nil
		},
	})
}

// globText is the pattern that matches s and nothing else.
func globText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`, `]`, `\]`, `}`, `\}`).Replace(s)
}

func (ev *evaluator) fileset() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("dir"), textParam("pattern")},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			list, err := ev.glob(args[0].AsString(), args[1].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			if len(list) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			vals := make([]cty.Value, len(list))
			for i := range list {
				vals[i] = cty.StringVal(list[i])
			}
			return cty.SetVal(vals), nil
		},
	})
}

// glob lists files below dir, and notes it.
func (ev *evaluator) glob(dir, pattern string) ([]string, error) {
	dir = strings.TrimSuffix(trimDot(dir), "/")
	if dir == "." {
		dir = ""
	}
	if path.IsAbs(dir) || strings.HasPrefix(path.Clean(dir)+"/", "../") || path.IsAbs(pattern) || slices.Contains(strings.Split(pattern, "/"), "..") {
		return nil, fmt.Errorf("%s leaves the root of the project", quoteKey(path.Join(dir, pattern)))
	}
	list, err := ev.src.Glob(dir, pattern)
	if err != nil {
		return nil, err
	}
	ev.inputs.add(Input{Kind: InputGlob, Path: dir, Pattern: pattern, Content: ofList(list)})
	if len(list) > maxElements {
		return nil, fmt.Errorf("more than %d files match", maxElements)
	}
	return list, nil
}

// templatefile renders a file as a template with the given names. It may call
// all functions but itself.
func (ev *evaluator) templatefile(funcs map[string]function.Function) function.Function {
	render := func(args []cty.Value) (cty.Value, error) {
		file := args[0].AsString()
		text, err := ev.readText(file, maxRead)
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		vars := args[1]
		if ty := vars.Type(); vars.IsNull() || !ty.IsObjectType() && !ty.IsMapType() {
			return cty.NilVal, function.NewArgErrorf(1, "must be an object, such as { name = value }")
		}
		if f := guard(file, []byte(text), true); f != nil {
			return cty.NilVal, function.NewArgErrorf(0, "%s", f.Text)
		}
		e, diags := hclsyntax.ParseTemplate([]byte(text), file, hcl.InitialPos)
		if diags.HasErrors() {
			return cty.NilVal, function.NewArgErrorf(0, "%s", lineOf(diags))
		}
		t := meterTree{meter: &ev.meter, resolve: func(s *hclsyntax.ScopeTraversalExpr, _ []string) hclsyntax.Expression { return s }}
		ctx := &hcl.EvalContext{Variables: vars.AsValueMap(), Functions: funcs}
		v, diags := t.visit(e).Value(ctx)
		if diags.HasErrors() {
			return cty.NilVal, function.NewArgErrorf(0, "%s", lineOf(diags))
		}
		return convert.Convert(v, cty.String)
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("path"), {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return render(args) },
	})
}

func lineOf(diags hcl.Diagnostics) string {
	d := diags[0]
	text := sentence(d.Detail)
	if d.Subject != nil {
		text = fmt.Sprintf("%s:%d: %s", d.Subject.Filename, d.Subject.Start.Line, text)
	}
	return text
}
