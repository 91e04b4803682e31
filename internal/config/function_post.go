package config

import (
	"math/big"
	"strings"
	"unicode"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"golang.org/x/text/unicode/norm"
)

// spelled is letters that are no base letter with a mark.
var spelled = strings.NewReplacer(
	"ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "å", "a", "đ", "d", "ð", "d", "þ", "th", "ł", "l", "ħ", "h", "ı", "i", "ŋ", "n", "ŧ", "t", "ĸ", "k",
	"'", "", "’", "", "ʼ", "",
)

// slug is the text as generators of static sites write it in a URL: words of
// a-z and 0-9 with a hyphen between them. Marks on letters go; letters of other
// scripts can't be written so and end a word.
//
// LATER: transliteration of Cyrillic and Greek, because a name of one's own does
// it as well, and the tables are large.
var slug = function.New(&function.Spec{
	Params: []function.Parameter{textParam("text")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		s := slugOf(args[0].AsString())
		if s == "" {
			// An empty name would collide with the next one.
			return cty.NilVal, function.NewArgErrorf(0, "%s has no letter or digit for a slug of a-z and 0-9; name it yourself, as in try(slug(x), \"name\")", quoteKey(show(args[0], 60)))
		}
		return cty.StringVal(s), nil
	},
})

func slugOf(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range spelled.Replace(strings.ToLower(norm.NFKD.String(text))) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			gap = false
		case !unicode.Is(unicode.Mn, r):
			gap = true
		}
	}
	return b.String()
}

// countWords counts what stands between white space and has a letter or a
// digit. In scripts that are written without spaces each character counts, as
// Hugo does it.
func countWords(text string) int {
	n := 0
	inWord := false
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			n++
			inWord = false
		case unicode.IsSpace(r):
			inWord = false
		case !inWord && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			n++
			inWord = true
		}
	}
	return n
}

var aspect = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "width", Type: cty.Number}, {Name: "height", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var sides [2]*big.Int
		for i := range sides {
			var err error
			if sides[i], err = wholeNumber(args, i); err != nil {
				return cty.NilVal, err
			}
			if sides[i].Sign() <= 0 {
				return cty.NilVal, function.NewArgErrorf(i, "must be greater than 0")
			}
		}
		common := new(big.Int).GCD(nil, nil, sides[0], sides[1])
		return cty.StringVal(new(big.Int).Quo(sides[0], common).String() + ":" + new(big.Int).Quo(sides[1], common).String()), nil
	},
})
