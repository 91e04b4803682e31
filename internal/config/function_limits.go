package config

import (
	"errors"
	"math"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// limits are of what functions with a size make.
var limits = map[string]float64{"bytes": maxMade, "elements": maxElements, "levels": 1000, "digits": maxDigits, "parts": 100_000}

// maxPattern is of a regular expression, in bytes.
const maxPattern = 16 << 10

// textIn is the length of all text in v.
func textIn(v cty.Value) float64 {
	switch {
	case v.IsNull() || !v.IsKnown():
		return 4
	case v.Type() == cty.String:
		return float64(len(v.AsString()))
	case v.Type() == cty.Number:
		return digitsOf(v)
	case !v.CanIterateElements():
		return 20
	}
	n := 0.0
	each(v, func(e cty.Value) bool {
		n += textIn(e) + 4
		return true
	})
	return n
}

// digitsOf bounds the digits of a number in any base.
func digitsOf(v cty.Value) float64 {
	f := v.AsBigFloat()
	return math.Abs(float64(f.MantExp(nil))) + float64(f.MinPrec()) + 8
}

func textOf(v cty.Value) string {
	if !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func sizeOfDigits(args []cty.Value) (float64, string) { return float64(len(textOf(args[0]))), "digits" }

func sizeOfFormat(args []cty.Value) (float64, string) {
	longest, lines := 0.0, 1.0
	for _, a := range args[1:] {
		longest = max(longest, textIn(a))
		if a.IsKnown() && !a.IsNull() && a.CanIterateElements() {
			lines = max(lines, float64(a.LengthInt()))
		}
	}
	spec := textOf(args[0])
	verbs, widths := 0.0, 0.0
	for i := 0; i < len(spec); i++ {
		if spec[i] != '%' {
			continue
		}
		verbs++
		for i++; i < len(spec) && strings.IndexByte("+-# 0123456789.[]*", spec[i]) >= 0; i++ {
			if spec[i] == '[' { // the number of an argument
				for i+1 < len(spec) && spec[i] != ']' {
					i++
				}
				continue
			}
			n := 0.0
			for i < len(spec) && spec[i] >= '0' && spec[i] <= '9' {
				n = n*10 + float64(spec[i]-'0')
				if i+1 == len(spec) || spec[i+1] < '0' || spec[i+1] > '9' {
					break
				}
				i++
			}
			widths += n
		}
	}
	// The lines of formatlist are texts of their own: their sum may be larger.
	return ((float64(len(spec))+widths)*lines + verbs*longest) / min(lines, 16), "bytes"
}

func checkIndent(args []cty.Value) error {
	if args[0].AsBigFloat().Sign() < 0 {
		return function.NewArgErrorf(0, "must not be negative")
	}
	return nil
}

// numbersOf are two numbers as the functions on them compute.
func numbersOf(args []cty.Value) (a, b float64) {
	a, _ = args[0].AsBigFloat().Float64()
	b, _ = args[1].AsBigFloat().Float64()
	return a, b
}

func checkLog(args []cty.Value) error {
	if a, b := numbersOf(args); math.IsNaN(math.Log(a) / math.Log(b)) {
		return errors.New("there is no such logarithm")
	}
	return nil
}

func checkInt(args []cty.Value) error {
	if args[0].AsBigFloat().IsInf() {
		return function.NewArgErrorf(0, "must not be infinite")
	}
	return nil
}

func checkMerge(args []cty.Value) error {
	for i, v := range args {
		if ty := v.Type(); !v.IsNull() && !ty.IsMapType() && !ty.IsObjectType() {
			return function.NewArgErrorf(i, "must be a map or an object")
		}
	}
	return nil
}

// checkSets: nulls alone have no type, and cty panics on a set of them beside one
// of lists or objects.
func checkSets(args []cty.Value) error {
	untyped, typed := -1, false
	for i, v := range args {
		switch e := v.Type().ElementType(); {
		case e == cty.DynamicPseudoType:
			if v.LengthInt() > 0 {
				untyped = i
			}
		case !e.IsPrimitiveType():
			typed = true
		}
	}
	if untyped >= 0 && typed {
		return function.NewArgErrorf(untyped, "has nothing but null in it")
	}
	return nil
}

func checkPow(args []cty.Value) error {
	if math.IsNaN(math.Pow(numbersOf(args))) {
		return errors.New("there is no such power")
	}
	return nil
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
		if a.IsKnown() && !a.IsNull() && a.CanIterateElements() {
			n *= float64(a.LengthInt())
		}
	}
	return n, "elements"
}

// sizeOfCSV is the number of rows or of fields: an object takes memory.
func sizeOfCSV(args []cty.Value) (float64, string) {
	text := textOf(args[0])
	return float64(2*strings.Count(text, "\n") + strings.Count(text, ",")), "elements" // rows and cells
}

var yamlMarks = sync.OnceValue(func() [2]*regexp.Regexp {
	return [2]*regexp.Regexp{regexp.MustCompile(`(?m)(^|[\s\[,:{-])&\w`), regexp.MustCompile(`(?m)(^|[\s\[,:{-])\*\w`)}
})

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
	if n := longestDigits(text); n > maxDigits {
		return float64(n), "digits"
	}
	n := float64(len(text))
	if strings.IndexByte(text, '&') < 0 {
		return 0, "bytes"
	}
	anchors := float64(len(yamlMarks()[0].FindAllStringIndex(text, -1)))
	if anchors == 0 {
		return 0, "bytes"
	}
	aliases := float64(len(yamlMarks()[1].FindAllStringIndex(text, -1)))
	// Aliases are shared in memory, and only walked: allow some more.
	return max(n, n*math.Pow(1+aliases/anchors, anchors)/64), "bytes"
}

// partsOf is how many instructions a pattern compiles to, about. It is asked
// before the pattern is compiled: a{1000}, again and again, takes a gigabyte.
func partsOf(pattern string) (parts float64, ok bool) {
	if len(pattern) > maxPattern {
		return math.Inf(1), true
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 32 * float64(len(pattern)), false // what it took to find that out
	}
	var count func(re *syntax.Regexp) float64
	count = func(re *syntax.Regexp) float64 {
		n := 1 + float64(len(re.Rune))/2
		for _, sub := range re.Sub {
			n += count(sub)
		}
		if re.Op == syntax.OpRepeat {
			n *= float64(max(re.Min, re.Max, 1))
		}
		return n
	}
	return count(re), true
}

// tooManyParts tells of a pattern that must not be compiled.
func tooManyParts(pattern string) (float64, bool) {
	n, ok := partsOf(pattern)
	return n, ok && n > limits["parts"]
}

func sizeOfPattern(args []cty.Value) (float64, string) {
	if n, ok := tooManyParts(textOf(args[0])); ok {
		return n, "parts"
	}
	return 0, "parts"
}

// sizeOfMatches looks whether all matches with their groups could be too many,
// and only then counts them.
func sizeOfMatches(args []cty.Value) (float64, string) {
	pattern, text := textOf(args[0]), textOf(args[1])
	if n, ok := tooManyParts(pattern); ok {
		return n, "parts"
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return 0, "elements"
	}
	each := re.NumSubexp() + 1
	if (len(text)+1)*each <= maxElements {
		return 0, "elements"
	}
	return float64(len(re.FindAllStringIndex(text, maxElements/each+1)) * each), "elements"
}

// workOfRegex: the time of a match is that of the instructions for each byte,
// in the worst case.
func workOfRegex(args []cty.Value) float64 {
	parts, ok := partsOf(textOf(args[0]))
	if !ok {
		return parts / 4
	}
	return parts/4 + parts*float64(len(textOf(args[1])))/64
}

// sizeOfReplace: each match gives way to the replacement, in which $1 repeats
// what was matched.
func sizeOfReplace(args []cty.Value) (float64, string) {
	text, old, with := textOf(args[0]), textOf(args[1]), textOf(args[2])
	n := float64(len(text))
	if !isPattern(old) {
		return n + float64(strings.Count(text, old)*len(with)), "bytes"
	}
	old = old[1 : len(old)-1]
	if n, ok := tooManyParts(old); ok {
		return n, "parts"
	}
	re, err := regexp.Compile(old)
	if err != nil {
		return 0, "bytes" // the call tells
	}
	return n + float64(len(re.FindAllStringIndex(text, -1))*len(with)) + n*float64(strings.Count(with, "$")), "bytes"
}

func workOfReplace(args []cty.Value) float64 {
	old := textOf(args[1])
	if !isPattern(old) {
		return 0
	}
	return 2 * workOfRegex([]cty.Value{cty.StringVal(old[1 : len(old)-1]), args[0]})
}

func isPattern(s string) bool { return len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' }

// workOfTrim: each character that goes is looked for among all others.
func workOfTrim(args []cty.Value) float64 {
	return float64(len(textOf(args[0]))) * float64(len(textOf(args[1]))) / 4096
}

// What a person sees as a character takes long to find.
func workOfCharacters(args []cty.Value) float64 { return float64(len(textOf(args[0]))) / 8 }

func workOfGzip(args []cty.Value) float64 { return float64(len(textOf(args[0]))) / 4 }

// workOfCSV is that of its bytes, or of many lines and fields in few.
func workOfCSV(args []cty.Value) float64 {
	text := textOf(args[0])
	return max(float64(len(text))/4, float64(2*strings.Count(text, "\n")+2*strings.Count(text, ",")))
}

// workOfJSON is that of the values that come out, by the signs around them.
func workOfJSON(args []cty.Value) float64 {
	text, n, depth := textOf(args[0]), 0, 0
	for i := range len(text) {
		n += int(weightOf[text[i]])
		switch text[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth > 10_000 { // which the decoder refuses
			return float64(len(text)) / 4
		}
	}
	return float64(len(text))/4 + 3*float64(n)
}

// workOfEncoding is that of writing each value.
func workOfEncoding(args []cty.Value) float64 {
	n := 0.0
	for _, v := range args {
		switch {
		case v.IsNull() || !v.IsKnown():
			n++
		case v.Type() == cty.Number && v.AsBigFloat().Prec() > 64:
			n += costOfFraction
		case v.CanIterateElements():
			each(v, func(e cty.Value) bool {
				n += workOfEncoding([]cty.Value{e})
				return true
			})
			fallthrough
		default:
			n += 4
		}
	}
	return n
}

func workOfYAML(args []cty.Value) float64 { return float64(len(textOf(args[0]))) / 2 }

// workOfPairs: arguments are brought to a common type.
func workOfPairs(args []cty.Value) float64 {
	n := 0.0
	for _, v := range args {
		n += partsOfType(v.Type())
	}
	if n <= fewKinds/8 {
		return 0
	}
	return n * n * costOfPair
}

// workOfProduct: so are the elements of each argument.
func workOfProduct(args []cty.Value) float64 {
	n := 0.0
	for _, v := range args {
		n += workOfPairs([]cty.Value{v})
	}
	return n
}

// longestDigits is the longest run of digits in a text.
func longestDigits(text string) int {
	longest, now := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			now++
			longest = max(longest, now)
		case c != '.' && c != '_': // which YAML leaves out
			now = 0
		}
	}
	return longest
}

func sizeOfJSON(args []cty.Value) (float64, string) {
	return float64(longestDigits(textOf(args[0]))), "digits"
}
