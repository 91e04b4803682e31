package config

import (
	"embed"
	"io/fs"
	"strings"
)

// Codes of findings. They are stable: a script may wait for one.
const (
	codeSyntax  = "IB0101"
	codeTooBig  = "IB0102"
	codeNUL     = "IB0103"
	codeUTF8    = "IB0104"
	codeTooDeep = "IB0105"
	codeTooLong = "IB0106"
	codeHeredoc = "IB0107"
	codeMarker  = "IB0108"
	codeBudget  = "IB0109"
	codeRead    = "IB0110"

	codeUnknownBlock = "IB0201"
	codeUnknownAttr  = "IB0202"
	codeUnsupported  = "IB0203"
	codeType         = "IB0204"
	codeRequired     = "IB0205"
	codeDuplicate    = "IB0206"
	codeLabel        = "IB0207"
	codeChoice       = "IB0208"
	codeVersion      = "IB0209"
	codeCount        = "IB0210"

	codeUnknownName    = "IB0301"
	codeUnknownFunc    = "IB0302"
	codeImpure         = "IB0303"
	codeFunction       = "IB0304"
	codeExpression     = "IB0305"
	codeAddressAsText  = "IB0306"
	codeCycle          = "IB0307"
	codeMixed          = "IB0308"
	codeResult         = "IB0309"
	codeUnknownValue   = "IB0310"
	codeUndeclaredVar  = "IB0311"
	codeMissingVar     = "IB0312"
	codeInvalidVar     = "IB0313"
	codeVarValue       = "IB0314"
	codeUnknownKey     = "IB0315"
	codeNeedsKey       = "IB0316"
	codeUnknownElement = "IB0317"
	codeSensitive      = "IB0318"

	codeNoProvider   = "IB0401"
	codeWhichDefault = "IB0402"
	codeRange        = "IB0403"
	codePath         = "IB0404"
	codeSamePath     = "IB0405"
	codeFormat       = "IB0406"
	codeEdit         = "IB0407"
	codeEdgeCycle    = "IB0408"
	codeFrame        = "IB0409"
	codeForEach      = "IB0410"
	codeAlt          = "IB0411"
	codeOwnOutput    = "IB0412"
	codeMoved        = "IB0413"
	codeModule       = "IB0414"
	codeImport       = "IB0420"
	codeByHand       = "IB0421"
	codeTag          = "IB0415"
	codeRendition    = "IB0416"

	codePrecondition  = "IB0451"
	codePostcondition = "IB0452"
	codeCheck         = "IB0453"
	codeNoReference   = "IB0454"

	codeAssert    = "IB0461"
	codeExpected  = "IB0462"
	codeNotInPlan = "IB0463"
)

// Codes tells in one line what each code of this package means.
var Codes = map[string]string{
	codeSyntax:  "the file is not valid HCL",
	codeTooBig:  "a file, or all files together, are larger than is read",
	codeNUL:     "the file contains a NUL byte",
	codeUTF8:    "the file is not valid UTF-8",
	codeTooDeep: "brackets, blocks or templates are nested too deeply",
	codeTooLong: "an expression has too many operators, or a number too many digits",
	codeHeredoc: "a text between << markers is too long",
	codeMarker:  "the marker of a << text is not ASCII",
	codeBudget:  "an expression takes too much work or makes too large a value",
	codeRead:    "a file could not be read",

	codeUnknownBlock: "there is no such block here",
	codeUnknownAttr:  "there is no such attribute here",
	codeUnsupported:  "this version does not support it yet",
	codeType:         "a value is of the wrong type",
	codeRequired:     "something required is missing",
	codeDuplicate:    "two things have the same name",
	codeLabel:        "a block has a wrong label",
	codeChoice:       "a value is not one of those allowed",
	codeVersion:      "the configuration wants another version of imgbuild",
	codeCount:        "count is not supported, on purpose",

	codeUnknownName:    "a reference to something that is not declared",
	codeUnknownFunc:    "there is no such function",
	codeImpure:         "a function of Terraform is not supported, on purpose",
	codeFunction:       "a function refused its arguments",
	codeExpression:     "an expression can't be evaluated",
	codeAddressAsText:  "an address was used as text",
	codeCycle:          "values refer to each other in a circle",
	codeMixed:          "the results of a conditional are of different types",
	codeResult:         "a result of an image is known only after apply",
	codeUnknownValue:   "a value is not known at plan",
	codeUndeclaredVar:  "a value is given for a variable that is not declared",
	codeMissingVar:     "a variable has neither value nor default",
	codeInvalidVar:     "a variable does not pass its validation",
	codeVarValue:       "the value of a variable does not fit its type",
	codeUnknownKey:     "an image has no instance with this key",
	codeNeedsKey:       "an image with for_each needs a key, and one without takes none",
	codeUnknownElement: "a value has no such attribute or element",
	codeSensitive:      "a sensitive value stands where it would be shown",

	codeNoProvider:   "there is no provider block",
	codeWhichDefault: "it is not clear which provider an image uses",
	codeRange:        "a number is out of range",
	codePath:         "a path can't be used",
	codeSamePath:     "two outputs would be the same file",
	codeFormat:       "the format does not fit the name of the file, or can't be written",
	codeEdit:         "an edit block is not complete",
	codeEdgeCycle:    "images need each other in a circle",
	codeFrame:        "size and aspect_ratio exclude each other",
	codeForEach:      "for_each takes a map, an object or a set of strings",
	codeAlt:          "alt and decorative exclude each other",
	codeOwnOutput:    "an edit names the output of an image as a file",
	codeMoved:        "a moved or removed block does not fit the images",
	codeModule:       "a module can't be called like this",
	codeImport:       "an import block does not fit the images",
	codeByHand:       "a command can't change this, a person can",
	codeTag:          "no image has a tag that a budget is for",
	codeRendition:    "what a rendition asks for can't be done, or would do nothing",

	codePrecondition:  "a precondition does not hold",
	codePostcondition: "the picture of an image does not do what a postcondition asks",
	codeCheck:         "an assertion of a check does not hold",
	codeNoReference:   "a condition refers to nothing",

	codeAssert:    "an assertion of a test does not hold",
	codeExpected:  "what a test expects to fail does not",
	codeNotInPlan: "a test of a plan asks what is known only after apply",
}

// The cases of the tests are what people read.
//
//go:embed testdata/finding/*.txtar
var casesOfFindings embed.FS

// ExampleOf is a finding of a code of this package as text, "" if there is none.
func ExampleOf(code string) string {
	names, err := fs.Glob(casesOfFindings, "testdata/finding/"+code+"*.txtar")
	if err != nil || len(names) == 0 || Codes[code] == "" {
		return ""
	}
	b, _ := casesOfFindings.ReadFile(names[0])
	_, want, _ := strings.Cut(string(b), "\n-- want --\n")
	for one := range strings.SplitSeq(want, "\n\n") {
		if head, _, _ := strings.Cut(one, "\n"); strings.HasSuffix(head, "["+code+"]") {
			return one
		}
	}
	return ""
}
