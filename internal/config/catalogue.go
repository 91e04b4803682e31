package config

import (
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Function is a function of the language, as people and programs are told of
// it.
type Function struct {
	Name, Group string
	Params      []Param
	Returns     string // a type, as a variable would declare it
	Text        string // one line, without a capital letter and a full stop
	// Terraform is whether Terraform has a function of this name; Differs tells
	// where the results are others.
	Terraform bool
	Differs   string
	Example   Example
}

// Param is a parameter of a function. Of a repeated one there may be any
// number of arguments, also none.
type Param struct {
	Name, Type         string
	Optional, Repeated bool
}

// Signature is how a call is written: lookup(inputMap, key, [default]).
func (f *Function) Signature() string {
	names := make([]string, len(f.Params))
	for i, p := range f.Params {
		switch names[i] = p.Name; {
		case p.Repeated:
			names[i] += "..."
		case p.Optional:
			names[i] = "[" + p.Name + "]"
		}
	}
	return f.Name + "(" + strings.Join(names, ", ") + ")"
}

// Groups are those of functions, in the order in which they are shown.
var Groups = []string{"text", "templates", "numbers", "collections", "types", "encoding", "hashes", "dates", "addresses", "paths", "files", "posts and pictures"}

// Functions lists all functions by group and name.
func Functions() []Function {
	out := make([]Function, 0, 128)
	for _, group := range Groups {
		for _, name := range sortedKeys(catalogue()) {
			if e := catalogue()[name]; e.group == group {
				out = append(out, e.describe(name))
			}
		}
	}
	return out
}

func (e *entry) describe(name string) Function {
	f := Function{Name: name, Group: e.group, Returns: e.returns, Text: e.text, Terraform: !e.ours, Differs: e.differs, Example: exampleOf()[name]}
	call := e.f
	if e.bind != nil {
		call = e.bind(&evaluator{})
	}
	for _, p := range call.Params() {
		f.Params = append(f.Params, Param{Name: p.Name, Type: paramType(p)})
	}
	if p := call.VarParam(); p != nil {
		f.Params = append(f.Params, Param{Name: p.Name, Type: paramType(*p), Repeated: !e.optional, Optional: e.optional})
	}
	return f
}

// paramType is any also for the expressions of can and try, which are not
// evaluated before.
func paramType(p function.Parameter) string {
	if p.Type.IsCapsuleType() {
		return "any"
	}
	return typeexpr.TypeString(p.Type)
}

// AbsentFunction is one that Terraform has and that is missing on purpose.
type AbsentFunction struct{ Name, Why, Instead string }

const (
	everyRun   = "its result changes on each run, which would buy every image again"
	otherwhere = "its result differs from machine to machine"
)

// AbsentFunctions are those that people look for, by name.
var AbsentFunctions = []AbsentFunction{
	{"abspath", otherwhere, "paths are relative to the root of the project"},
	{"bcrypt", everyRun, "use sha256()"},
	{"ephemeralasnull", "no value is ephemeral", "leave it away"},
	{"pathexpand", otherwhere, "paths are relative to the root of the project"},
	{"plantimestamp", everyRun, "write the time as text, or give it as a variable"},
	{"rsadecrypt", "it would need a private key in the configuration, and prompts and the lockfile would show the secret", "keep secrets in the environment"},
	{"timestamp", everyRun, "write the time as text, or give it as a variable"},
	{"type", "Terraform has it in its console only", "use can(), as in can(tonumber(x)), to test a type"},
	{"uuid", everyRun, "write an identifier as text, or use uuidv5(); reroll asks for a new roll"},
}

// entry is a row of the table of functions.
type entry struct {
	group, returns, text string
	ours                 bool   // Terraform has no such function
	differs              string // where Terraform gives another result
	optional             bool   // there is at most one argument for the last parameter

	// One of them: what needs only its arguments, and what needs the evaluator.
	f    function.Function
	bind func(ev *evaluator) function.Function

	// size tells how large the result will be, in a unit of limits, and work how
	// many steps the call takes beyond those for its arguments and its result.
	// They see known arguments only; nil if that is no question.
	size func(args []cty.Value) (float64, string)
	work func(args []cty.Value) float64
	// check tells of arguments for which the function would panic.
	check func(args []cty.Value) error
}

// catalogue is the table of functions by name: what expressions may call, and
// what `imgbuild functions` and the reference tell of it. It is made when it is
// first asked for, so that a run that needs no function doesn't pay for it.
func catalogue() map[string]*entry {
	madeCatalogue.Do(func() { madeCatalogue.table = makeCatalogue() })
	return madeCatalogue.table
}

// Not a sync.OnceValue: the table holds templatefile, which looks into it, and
// Go would see a circle.
var madeCatalogue struct {
	sync.Once
	table map[string]*entry
}

func makeCatalogue() map[string]*entry {
	const (
		numbers, text, collections, types          = "numbers", "text", "collections", "types"
		encoding, hashes, dates, addresses         = "encoding", "hashes", "dates", "addresses"
		templates, paths, filesOfProject, pictures = "templates", "paths", "files", "posts and pictures"

		aNumber, aString, aBool, anything = "number", "string", "bool", "any"
		strings, list                     = "list(string)", "list(any)"
	)
	m := map[string]*entry{
		"abs":      {group: numbers, returns: aNumber, f: stdlib.AbsoluteFunc, text: "the number without its sign"},
		"ceil":     {group: numbers, returns: aNumber, f: stdlib.CeilFunc, text: "the next whole number, up"},
		"floor":    {group: numbers, returns: aNumber, f: stdlib.FloorFunc, text: "the next whole number, down"},
		"int":      {group: numbers, returns: aNumber, f: stdlib.IntFunc, check: checkInt, text: "the number without its fraction", ours: true},
		"log":      {group: numbers, returns: aNumber, f: stdlib.LogFunc, check: checkLog, text: "the logarithm to a base"},
		"max":      {group: numbers, returns: aNumber, f: stdlib.MaxFunc, text: "the greatest of the numbers"},
		"min":      {group: numbers, returns: aNumber, f: stdlib.MinFunc, text: "the least of the numbers"},
		"parseint": {group: numbers, returns: aNumber, f: stdlib.ParseIntFunc, size: sizeOfDigits, text: "the whole number that a text writes in a base from 2 to 62"},
		"pow":      {group: numbers, returns: aNumber, f: stdlib.PowFunc, check: checkPow, text: "the number raised to a power"},
		"signum":   {group: numbers, returns: aNumber, f: stdlib.SignumFunc, text: "-1, 0 or 1: the sign of the number", differs: "takes fractions too"},
		"sum":      {group: numbers, returns: aNumber, f: sum, text: "the sum of a list or set of numbers, which must not be empty"},

		"chomp":       {group: text, returns: aString, f: stdlib.ChompFunc, text: "the text without line breaks at its end"},
		"endswith":    {group: text, returns: aBool, f: textTest("suffix", hasSuffix), text: "whether the text ends with another"},
		"format":      {group: text, returns: aString, f: stdlib.FormatFunc, size: sizeOfFormat, text: `a text by a pattern: format("%03d", 7) is "007"`, differs: nullsInFormat},
		"formatlist":  {group: text, returns: strings, f: stdlib.FormatListFunc, size: sizeOfFormat, work: workOfEncoding, text: "format for each element of lists", differs: nullsInFormat},
		"indent":      {group: text, returns: aString, f: stdlib.IndentFunc, size: sizeOfIndent, check: checkIndent, text: "the text with spaces before each line but the first"},
		"join":        {group: text, returns: aString, f: stdlib.JoinFunc, size: sizeOfJoin, text: "the texts of lists with a separator between them"},
		"lower":       {group: text, returns: aString, f: stdlib.LowerFunc, text: "the text in lower case"},
		"regex":       {group: text, returns: anything, f: stdlib.RegexFunc, size: sizeOfPattern, work: workOfRegex, text: "the first match of a pattern (RE2): a text, or a list or an object of its groups"},
		"regexall":    {group: text, returns: list, f: stdlib.RegexAllFunc, size: sizeOfMatches, work: workOfRegex, text: "all matches of a pattern (RE2)"},
		"replace":     {group: text, returns: aString, f: replace, size: sizeOfReplace, work: workOfReplace, text: "the text with a part replaced wherever it stands; a part in slashes is a pattern (RE2)"},
		"split":       {group: text, returns: strings, f: stdlib.SplitFunc, size: sizeOfSplit, text: "the parts of a text between separators"},
		"startswith":  {group: text, returns: aBool, f: textTest("prefix", hasPrefix), text: "whether the text begins with another"},
		"strcontains": {group: text, returns: aBool, f: textTest("substr", hasPart), text: "whether the text contains another"},
		"strlen":      {group: text, returns: aNumber, f: stdlib.StrlenFunc, work: workOfCharacters, text: "the number of characters, as length", ours: true},
		"strrev":      {group: text, returns: aString, f: stdlib.ReverseFunc, work: workOfCharacters, text: "the characters in reverse order"},
		"substr":      {group: text, returns: aString, f: stdlib.SubstrFunc, work: workOfCharacters, text: "a part of a text, from a character on and of a length; -1 is the rest"},
		"title":       {group: text, returns: aString, f: stdlib.TitleFunc, text: "the text with a capital letter at each word"},
		"trim":        {group: text, returns: aString, f: stdlib.TrimFunc, work: workOfTrim, text: "the text without these characters at both ends"},
		"trimprefix":  {group: text, returns: aString, f: stdlib.TrimPrefixFunc, text: "the text without this beginning"},
		"trimspace":   {group: text, returns: aString, f: stdlib.TrimSpaceFunc, text: "the text without white space at both ends"},
		"trimsuffix":  {group: text, returns: aString, f: stdlib.TrimSuffixFunc, text: "the text without this end"},
		"upper":       {group: text, returns: aString, f: stdlib.UpperFunc, text: "the text in upper case"},

		"templatefile":   {group: templates, returns: anything, bind: templatefile, text: "a file rendered as a template, in which the names of an object stand for its values; it may call all functions but the two of this group"},
		"templatestring": {group: templates, returns: aString, bind: templatestring, text: "a text rendered as a template", differs: "takes any text; Terraform insists on a reference"},

		"alltrue":                {group: collections, returns: aBool, f: every(true), text: "whether all elements are true; null is not"},
		"anytrue":                {group: collections, returns: aBool, f: every(false), text: "whether one of the elements is true"},
		"chunklist":              {group: collections, returns: "list(list(any))", f: stdlib.ChunklistFunc, text: "the list cut into lists of a size"},
		"coalesce":               {group: collections, returns: anything, f: coalesce, work: workOfPairs, text: "the first argument that is neither null nor an empty text"},
		"coalescelist":           {group: collections, returns: anything, f: stdlib.CoalesceListFunc, text: "the first list that is not empty"},
		"compact":                {group: collections, returns: strings, f: stdlib.CompactFunc, text: "the texts that are neither null nor empty"},
		"concat":                 {group: collections, returns: anything, f: stdlib.ConcatFunc, text: "the lists as one"},
		"contains":               {group: collections, returns: aBool, f: contains, text: "whether a list or set has the value"},
		"distinct":               {group: collections, returns: list, f: distinct, text: "the elements without repetitions"},
		"element":                {group: collections, returns: anything, f: stdlib.ElementFunc, text: "the element at an index; past the end it begins again", differs: "a negative index counts from the end"},
		"flatten":                {group: collections, returns: anything, f: stdlib.FlattenFunc, text: "the elements of lists within the list, at any depth"},
		"hasindex":               {group: collections, returns: aBool, f: stdlib.HasIndexFunc, text: "whether a collection has an index or a key", ours: true},
		"index":                  {group: collections, returns: aNumber, f: index, text: "the place of a value in a list, from 0"},
		"keys":                   {group: collections, returns: anything, f: stdlib.KeysFunc, text: "the keys of a map or an object, sorted"},
		"length":                 {group: collections, returns: aNumber, f: length, work: workOfCharacters, text: "the number of elements, or of the characters of a text"},
		"lookup":                 {group: collections, returns: anything, f: lookup, optional: true, text: "the value of a key, or else the default"},
		"matchkeys":              {group: collections, returns: list, f: matchkeys, text: "the values whose keys, at the same place, are in a list"},
		"merge":                  {group: collections, returns: anything, f: stdlib.MergeFunc, check: checkMerge, text: "the maps or objects as one; the later one wins"},
		"one":                    {group: collections, returns: anything, f: one, text: "the only element, or null if there is none"},
		"range":                  {group: collections, returns: "list(number)", f: stdlib.RangeFunc, text: "numbers up to a limit, from a start and by a step; at most 1024"},
		"reverse":                {group: collections, returns: anything, f: stdlib.ReverseListFunc, text: "the list in reverse order"},
		"sethaselement":          {group: collections, returns: aBool, f: stdlib.SetHasElementFunc, text: "whether a set has the value", ours: true},
		"setintersection":        {group: collections, returns: "set(any)", f: stdlib.SetIntersectionFunc, check: checkSets, text: "what is in each of the sets"},
		"setproduct":             {group: collections, returns: anything, f: stdlib.SetProductFunc, size: sizeOfProduct, work: workOfProduct, text: "all combinations of an element of each set"},
		"setsubtract":            {group: collections, returns: "set(any)", f: stdlib.SetSubtractFunc, check: checkSets, text: "what is in the first set and not in the second"},
		"setsymmetricdifference": {group: collections, returns: "set(any)", f: stdlib.SetSymmetricDifferenceFunc, check: checkSets, text: "what is in one of the sets only", ours: true},
		"setunion":               {group: collections, returns: "set(any)", f: stdlib.SetUnionFunc, check: checkSets, text: "what is in any of the sets"},
		"slice":                  {group: collections, returns: anything, f: stdlib.SliceFunc, text: "the elements from an index up to another, which is not included"},
		"sort":                   {group: collections, returns: strings, f: stdlib.SortFunc, text: "the texts in the order of their characters"},
		"transpose":              {group: collections, returns: "map(list(string))", f: transpose, text: "a map of lists with keys and elements exchanged"},
		"values":                 {group: collections, returns: anything, f: stdlib.ValuesFunc, text: "the values of a map or an object, in the order of the keys"},
		"zipmap":                 {group: collections, returns: anything, f: stdlib.ZipmapFunc, text: "a map or an object of a list of keys and one of values"},

		"can":          {group: types, returns: aBool, bind: markedByFailure(tryfunc.CanFunc), text: "whether an expression can be evaluated"},
		"try":          {group: types, returns: anything, bind: markedByFailure(tryfunc.TryFunc), text: "the first expression that can be evaluated"},
		"issensitive":  {group: types, returns: aBool, f: issensitiveFunc, text: "whether the value is sensitive"},
		"nonsensitive": {group: types, returns: anything, f: nonsensitiveFunc, text: "the value, no longer sensitive: for what is certainly no secret, such as its length"},
		"sensitive":    {group: types, returns: anything, bind: sensitiveHere(sensitiveFunc), text: "the value, sensitive: it and what is made from it is shown and written nowhere"},
		"tobool":       {group: types, returns: aBool, f: toType(cty.Bool), text: "the value as a bool"},
		"tolist":       {group: types, returns: list, bind: toCollection(toType(cty.List(cty.DynamicPseudoType)), cty.List(cty.DynamicPseudoType)), text: "the value as a list, its elements of one type"},
		"tomap":        {group: types, returns: "map(any)", bind: toCollection(toType(cty.Map(cty.DynamicPseudoType)), cty.Map(cty.DynamicPseudoType)), text: "the value as a map, its elements of one type"},
		"tonumber":     {group: types, returns: aNumber, f: toType(cty.Number), text: "the value as a number"},
		"toset":        {group: types, returns: "set(any)", bind: toCollection(toType(cty.Set(cty.DynamicPseudoType)), cty.Set(cty.DynamicPseudoType)), text: "the value as a set: no order, each element once"},
		"tostring":     {group: types, returns: aString, f: toType(cty.String), text: "the value as a text"},

		"base64decode":     {group: encoding, returns: aString, f: base64decode, text: "the UTF-8 text of base64"},
		"base64encode":     {group: encoding, returns: aString, f: textFunc("str", ofText(base64encode)), text: "the text in base64"},
		"base64gzip":       {group: encoding, returns: aString, f: base64gzip, work: workOfGzip, text: "the text, compressed by gzip, in base64"},
		"csvdecode":        {group: encoding, returns: list, f: stdlib.CSVDecodeFunc, size: sizeOfCSV, work: workOfCSV, text: "CSV as a list of objects; its first line names the attributes"},
		"jsondecode":       {group: encoding, returns: anything, f: stdlib.JSONDecodeFunc, size: sizeOfJSON, work: workOfJSON, text: "the value that JSON writes"},
		"jsonencode":       {group: encoding, returns: aString, f: stdlib.JSONEncodeFunc, work: workOfEncoding, text: "the value as JSON"},
		"textdecodebase64": {group: encoding, returns: aString, f: textdecodebase64, text: `the text of base64 in an encoding such as "UTF-16LE"`},
		"textencodebase64": {group: encoding, returns: aString, f: textencodebase64, text: `the text in an encoding such as "UTF-16LE", in base64`},
		"urlencode":        {group: encoding, returns: aString, f: textFunc("str", urlencode), text: "the text as a part of a URL"},
		"yamldecode":       {group: encoding, returns: anything, f: yaml.YAMLDecodeFunc, size: sizeOfYAML, work: workOfYAML, text: "the value that YAML writes"},
		"yamlencode":       {group: encoding, returns: aString, f: yaml.YAMLEncodeFunc, work: workOfEncoding, text: "the value as YAML"},

		"base64sha256": {group: hashes, returns: aString, f: textFunc("str", ofText(inBase64(sumSHA256))), text: "the SHA-256 of the text, in base64"},
		"base64sha512": {group: hashes, returns: aString, f: textFunc("str", ofText(inBase64(sumSHA512))), text: "the SHA-512 of the text, in base64"},
		"md5":          {group: hashes, returns: aString, f: textFunc("str", ofText(inHex(sumMD5))), text: "the MD5 of the text"},
		"sha1":         {group: hashes, returns: aString, f: textFunc("str", ofText(inHex(sumSHA1))), text: "the SHA-1 of the text"},
		"sha256":       {group: hashes, returns: aString, f: textFunc("str", ofText(inHex(sumSHA256))), text: "the SHA-256 of the text"},
		"sha512":       {group: hashes, returns: aString, f: textFunc("str", ofText(inHex(sumSHA512))), text: "the SHA-512 of the text"},
		"uuidv5":       {group: hashes, returns: aString, f: uuidv5, text: `the UUID of a name, in the namespace "dns", "url", "oid", "x500" or a UUID`},

		"formatdate": {group: dates, returns: aString, f: stdlib.FormatDateFunc, text: `a time (RFC 3339) by a pattern: formatdate("D MMMM YYYY", …)`},
		"timeadd":    {group: dates, returns: aString, f: stdlib.TimeAddFunc, text: `a time (RFC 3339) and a duration such as "-1h30m" later`},
		"timecmp":    {group: dates, returns: aNumber, f: timecmp, text: "-1, 0 or 1: whether the first time is earlier, the same or later"},

		"cidrhost":    {group: addresses, returns: aString, f: cidrhost, text: "the address of a number in a network", differs: mappedAddresses},
		"cidrnetmask": {group: addresses, returns: aString, f: cidrnetmask, text: "the mask of an IPv4 network"},
		"cidrsubnet":  {group: addresses, returns: aString, f: cidrsubnet, text: "the network of a number, longer by some bits, in a network", differs: "newbits and netnum must not be negative; Terraform gives a wrong network"},
		"cidrsubnets": {group: addresses, returns: strings, f: cidrsubnets, text: "consecutive networks, each longer by some bits, in a network"},

		"basename": {group: paths, returns: aString, f: textFunc("path", baseName), text: "the last name of a path"},
		"dirname":  {group: paths, returns: aString, f: textFunc("path", dirName), text: "the path without its last name"},

		"file":             {group: filesOfProject, returns: aString, bind: fileFunc(cty.String, maxRead, asText), text: "the text of a file, in UTF-8"},
		"filebase64":       {group: filesOfProject, returns: aString, bind: bytesFunc(cty.String, maxMade/4*3-64, written(base64encode)), text: "the bytes of a file, up to 750 KiB, in base64"},
		"filebase64sha256": {group: filesOfProject, returns: aString, bind: bytesFunc(cty.String, maxHashed, written(inBase64(sumSHA256))), text: "the SHA-256 of a file, in base64"},
		"filebase64sha512": {group: filesOfProject, returns: aString, bind: bytesFunc(cty.String, maxHashed, written(inBase64(sumSHA512))), text: "the SHA-512 of a file, in base64"},
		"fileexists":       {group: filesOfProject, returns: aBool, bind: fileexists, text: "whether there is such a file", differs: "false for a folder, where Terraform fails"},
		"filemd5":          {group: filesOfProject, returns: aString, bind: bytesFunc(cty.String, maxHashed, written(inHex(sumMD5))), text: "the MD5 of a file"},
		"fileset":          {group: filesOfProject, returns: "set(string)", bind: fileset, text: "the files below a folder that match a pattern, relative to it: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any folders", differs: "a pattern can't contain `..`"},
		"filesha1":         {group: filesOfProject, returns: aString, bind: bytesFunc(cty.String, maxHashed, written(inHex(sumSHA1))), text: "the SHA-1 of a file"},
		"filesha256":       {group: filesOfProject, returns: aString, bind: bytesFunc(cty.String, maxHashed, written(inHex(sumSHA256))), text: "the SHA-256 of a file"},
		"filesha512":       {group: filesOfProject, returns: aString, bind: bytesFunc(cty.String, maxHashed, written(inHex(sumSHA512))), text: "the SHA-512 of a file"},

		"aspect":      {group: pictures, returns: aString, f: aspect, text: `the ratio in whole numbers: aspect(1920, 1080) is "16:9"`},
		"frontmatter": {group: pictures, returns: anything, bind: frontmatterFunc, text: "the YAML between two lines of `---` at the beginning of a file, as an object"},
		"imagesize":   {group: pictures, returns: "object({format=string, height=number, width=number})", bind: imagesize, text: "width and height, in pixels as shown, and format of a PNG, JPEG, WebP or GIF file"},
		"slug":        {group: pictures, returns: aString, f: slug, text: `the text as a name for a file or a URL: slug("Crème brûlée!") is "creme-brulee"`},
		"wordcount":   {group: pictures, returns: aNumber, f: textNumber("text", countWords), text: "the number of words; each Chinese or Japanese character is one"},
	}
	for _, e := range m {
		e.ours = e.ours || e.group == pictures
	}
	return m
}

const (
	nullsInFormat   = "a null that is written out is null; Terraform can't tell before apply"
	mappedAddresses = "an IPv4 address within IPv6 is refused; Terraform gives a wrong address"
)
