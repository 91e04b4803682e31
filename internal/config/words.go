package config

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// HCL and cty speak of arguments, operands, primitive types and tuples. What
// people meet often is told here in the words of the manual, with what to do;
// what has no row is told as it is.

// lazily compiles a pattern when there is something to say: each start of the
// program would pay for all of them.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// syntaxWords are, by the summary of the parser, a sentence and a hint.
var syntaxWords = map[string][2]string{
	"Unclosed configuration block":                    {"this block has no closing brace", "add } where it ends, or where a block inside it ends"},
	"Unclosed configuration body":                     {"this block has no closing brace", "add } where it ends, or where a block inside it ends"},
	"Invalid multi-line string":                       {"a text in quotes must end on its line", `close it with ", or write several lines between <<EOT and EOT`},
	"Unterminated template string":                    {"this text is not closed", `close it with ", or a text after <<EOT with EOT on a line of its own`},
	"Unterminated string literal":                     {"this text is not closed", `close it with "`},
	"Unterminated function call":                      {"this call is not closed", "add )"},
	"Unterminated tuple constructor expression":       {"this list is not closed", "add ]"},
	"Unterminated object constructor expression":      {"this object is not closed", "add }"},
	"Unbalanced parentheses":                          {"a closing parenthesis is missing", "add )"},
	"Missing closing parenthesis":                     {"a closing parenthesis is missing", "add )"},
	"Missing close bracket on index":                  {"this index is not closed", "add ]"},
	"Missing item separator":                          {"a comma is missing before this", "write a comma, or close the list with ]"},
	"Missing argument separator":                      {"a comma is missing before this", "write a comma, or close the call with )"},
	"Missing attribute separator":                     {"a comma or a new line is missing before this", "put each NAME = VALUE on a line of its own, or close the object with }"},
	"Missing key/value separator":                     {"= is missing between a name and its value", "write NAME = VALUE"},
	"Missing newline after argument":                  {"there is more on this line than one value", "put text in quotes, and each attribute on a line of its own"},
	"Missing newline after block definition":          {"there is more on this line than the end of a block", "begin a new line behind }"},
	"Argument or block definition required":           {"this is neither an attribute nor a block", `write NAME = VALUE or NAME { … }`},
	"Invalid block definition":                        {"this is neither an attribute nor a block", `write NAME = VALUE, or TYPE "NAME" { … } with the brace on the same line`},
	"Invalid single-argument block definition":        {"a block on one line has room for one attribute", "put each attribute on a line of its own"},
	"Extra characters after interpolation expression": {"${ is not closed where its value ends", "close it with }, or write $${ for a plain ${"},
	"Unclosed template interpolation sequence":        {"${ is not closed", "close it with }, or write $${ for a plain ${"},
	"Invalid escape sequence":                         {"this is no escape sequence", `write \\ for a backslash; there are \n, \t, \r, \", \\, \uNNNN and \UNNNNNNNN`},
	"Missing false expression in conditional":         {"a conditional says what it is otherwise", "write CONDITION ? VALUE : OTHER"},
	"Invalid expression":                              {"a value is missing here", `write a text in quotes, a number, true, false, a list, an object or a reference`},
	"Missing attribute value":                         {"a value is missing here", "write NAME = VALUE"},
}

var (
	bareRatio = lazily(`=\s*(\d+(?:\.\d+)?:\d+(?:\.\d+)?)`)
	marker    = lazily(`^(?:<{7}|\|{7}|={7}|>{7})(?: |\r?$)`)
	withColon = lazily(`^\s*"?([A-Za-z_][\w-]*)"?\s*:`)
)

// syntaxProblem tells of an error of the parser; line is the one it is in.
func syntaxProblem(d *hcl.Diagnostic, line string) diag.Finding {
	text, hint := said(d)
	if marker().MatchString(line) {
		text, hint = "git left a conflict here", "keep what counts of both sides, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>"
	} else if m := bareRatio().FindStringSubmatch(line); m != nil { // what people write first
		hint = "write it with quotes: " + quoteKey(m[1])
	} else if m := withColon().FindStringSubmatch(line); m != nil && strings.HasPrefix(text, "this is neither") {
		hint = "write " + m[1] + " = …"
	}
	return problem(codeSyntax, "syntax", *d.Subject, hint, "%s", text)
}

// said is our sentence for a diagnostic of the parser, or its own first one
// with the second as a hint.
func said(d *hcl.Diagnostic) (text, hint string) {
	if w, ok := syntaxWords[d.Summary]; ok {
		return w[0], w[1]
	}
	text, hint, _ = strings.Cut(sentence(d.Detail), ". ")
	return lowerFirst(text), lowerFirst(hint)
}

// rewordings turn what the evaluator says into our sentence and a hint, by a
// pattern of its detail; $1 and so on stand for its groups.
var rewordings = []struct {
	pattern    func() *regexp.Regexp
	text, hint string
}{
	{lazily(`^Unsuitable value for (left|right) operand: (.*)`), "what stands $1 of the operator $2", ""},
	{lazily(`^Unsuitable value for unary operand: (.*)`), "what stands behind the operator $1", ""},
	{lazily(`^The condition expression must be of type bool`), "the condition must be true or false", `write a comparison, such as … != ""`},
	{lazily(`^The condition value is null`), "the condition is null, and must be true or false", "write … != null before it"},
	{lazily(`^The 'if' clause value is invalid: (.*)`), "the condition behind if $1", ""},
	{lazily(`^The value of the 'if' clause must not be null`), "the condition behind if is null, and must be true or false", ""},
	{lazily(`^A value of type (\S+) cannot be used as the collection in a 'for'`), "for goes over a list, a set, a map or an object, and this is a $1", ""},
	{lazily(`^A null value cannot be used as the collection in a 'for'`), "for goes over a list, a set, a map or an object, and this is null", ""},
	{lazily(`^Two different items produced the key (".*") in this 'for'`), "two elements have the key $1", "write … behind the value, as in { for … : key => value... }, to collect them in lists"},
	{lazily(`^Cannot include the given value in a string template: string required, but have (tuple|list.*|set.*)$`), "a list can't be part of a text", `join(", ", …) makes one text of a list`},
	{lazily(`^Cannot include the given value in a string template: string required, but have (object|map.*)$`), "an object can't be part of a text", "read one of its attributes, or write jsonencode(…)"},
	{lazily(`^The expression result is null\. Cannot include a null value`), "null can't be part of a text", `coalesce(…, "none") gives another value instead`},
	{lazily(`^Function "([^"]+)" expects(?: at least)? \d+ argument\(s\)\. Missing value for "([^"]+)"`), "$1() is called without its $2", ""},
	{lazily(`^Function "([^"]+)" expects only (\d+) argument\(s\)`), "this is one argument too many: $1() takes $2", ""},
	{lazily(`^Call to function "([^"]+)" failed: (.*)`), "$1(): $2", ""},
	{lazily(`^The expanding argument \(indicated by \.\.\.\)`), "what stands before ... must be a list or a set", ""},
}

// reword puts the words of people into a finding that explain made of d.
func (ev *evaluator) reword(f *diag.Finding, d *hcl.Diagnostic) {
	thing, _, _ := strings.Cut(f.Text, ": ")
	detail := sentence(d.Detail)
	for _, r := range rewordings {
		if m := r.pattern().FindStringSubmatchIndex(detail); m != nil {
			f.Text, f.Hint = thing+": "+mustBe(string(r.pattern().ExpandString(nil, r.text, detail, m))), r.hint
			break
		}
	}
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		ev.rewordCall(f, d, thing, call.CalledFunctionName())
		return
	}
	e, ok := d.Expression.(hclsyntax.Expression)
	if !ok || f.Code != codeUnknownElement {
		return
	}
	if name, v, step, ok := failing(e, d.EvalContext); ok && !hasSecret(v) {
		if text, hint := missing(name, v, step); text != "" {
			f.Text, f.Hint = thing+": "+text, hint
			f.Values = []diag.Value{{Expression: name, Text: "is " + show(v, 80)}}
		}
	}
}

var badArgument = lazily(`^Invalid value for "([^"]+)" parameter: (.*)`)

func (ev *evaluator) rewordCall(f *diag.Finding, d *hcl.Diagnostic, thing, name string) {
	var known *Function
	if e := catalogue()[name]; e != nil {
		k := e.describe(name)
		known = &k
	}
	if m := badArgument().FindStringSubmatch(sentence(d.Detail)); m != nil {
		text := mustBe(m[2])
		switch {
		case strings.HasPrefix(text, "must be "), strings.HasPrefix(text, "has "):
			f.Text = thing + ": " + name + "(): " + m[1] + " " + text
		case known != nil && len(known.Params) == 1:
			f.Text = thing + ": " + name + "(): " + text
		default:
			f.Text = thing + ": " + name + "(): " + m[1] + ": " + text
		}
		if e, ok := d.Expression.(hclsyntax.Expression); ok {
			f.Range = rangeOf(e.Range())
		}
		if !strings.HasPrefix(text, "must be ") {
			return
		}
	} else if d.Summary == "Error in function call" {
		f.Text = strings.TrimSuffix(f.Text, ": EOF")
		if len(f.Text) > 0 && strings.HasSuffix(sentence(d.Detail), ": EOF") {
			f.Text += ": the text ends too early"
		}
		return
	}
	if known != nil {
		f.Hint = "write " + known.Signature()
	}
}

var (
	required     = lazily(`(?:^| )an? ([a-z ]+) is required$`)
	ofPrimitives = lazily(`(?:list|set|map) of (?:string|number|bool)$`)
	butHave      = lazily(`^([a-z ]+) required(?:, but have ([a-z ]+))?$`)
)

// mustBe rewrites how cty tells of a wrong type.
func mustBe(s string) string {
	if m := required().FindStringSubmatchIndex(s); m != nil {
		return strings.TrimSpace(s[:m[0]] + " must be " + wanted(s[m[2]:m[3]]))
	}
	if m := butHave().FindStringSubmatch(s); m != nil {
		is := ""
		if m[2] != "" {
			is = ", and is " + article(strings.ReplaceAll(m[2], "tuple", "list"))
		}
		return "must be " + wanted(m[1]) + is
	}
	return s
}

func wanted(s string) string {
	if s == "bool" {
		return "true or false"
	}
	return article(s)
}

func article(s string) string {
	if ofPrimitives().MatchString(s) {
		s += "s"
	}
	if strings.HasPrefix(s, "a ") || strings.HasPrefix(s, "an ") {
		return s
	}
	if strings.ContainsAny(s[:1], "aeiou") {
		return "an " + s
	}
	return "a " + s
}

// failing finds the step of a reference that a value does not have: the name of
// the value, and what it is.
func failing(e hclsyntax.Expression, ctx *hcl.EvalContext) (name string, v cty.Value, step hcl.Traverser, ok bool) {
	for w, is := e.(wrapper); is; w, is = e.(wrapper) {
		e = w.inner()
	}
	var steps hcl.Traversal
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		name, steps = e.Traversal.RootName(), e.Traversal[1:]
		v, _ = e.Traversal[:1].TraverseAbs(ctx)
	case *hclsyntax.RelativeTraversalExpr:
		r, is := e.Source.(*ref)
		if !is {
			return "", cty.NilVal, nil, false
		}
		name, steps = r.String(), e.Traversal
		v, _ = r.Value(nil)
	case *hclsyntax.IndexExpr:
		name, v, ok = whole(e.Collection, ctx)
		key, _ := e.Key.Value(ctx)
		return name, v, hcl.TraverseIndex{Key: key}, ok
	default:
		return "", cty.NilVal, nil, false
	}
	for _, s := range steps {
		next, diags := s.TraversalStep(v)
		if diags.HasErrors() {
			return name, v, s, true
		}
		name += traversalText(hcl.Traversal{s})
		v = next
	}
	return name, v, nil, false
}

// whole is the name and the value of a reference that does not fail.
func whole(e hclsyntax.Expression, ctx *hcl.EvalContext) (name string, v cty.Value, ok bool) {
	for w, is := e.(wrapper); is; w, is = e.(wrapper) {
		e = w.inner()
	}
	if r, is := e.(*ref); is {
		v, _ = r.Value(nil)
		return r.String(), v, true
	}
	name, v, _, failed := failing(e, ctx)
	return name, v, name != "" && !failed
}

// missing says that v, which is called name, has no such step.
func missing(name string, v cty.Value, step hcl.Traverser) (text, hint string) {
	v, _ = v.Unmark()
	word, what := "", "attribute"
	switch s := step.(type) {
	case hcl.TraverseAttr:
		word = s.Name
	case hcl.TraverseIndex:
		key, _ := s.Key.Unmark()
		switch {
		case !key.IsKnown() || key.IsNull():
			return "", ""
		case key.Type() == cty.Number && !v.IsNull() && v.IsKnown() && (v.Type().IsTupleType() || v.Type().IsListType()):
			n := v.LengthInt()
			hint := fmt.Sprintf("the first is %s[0], the last %s[%d]", name, name, n-1)
			switch n {
			case 0:
				hint = "test length(" + name + ") before"
			case 1:
				hint = "there is only " + name + "[0]"
			}
			return fmt.Sprintf("%s has %s, and no [%s]", name, counted(n, "element"), show(key, 40)), hint
		case key.Type() == cty.String:
			word, what = key.AsString(), "element"
		default:
			return "", ""
		}
	}
	ty := v.Type()
	switch {
	case v.IsNull():
		return fmt.Sprintf("%s is null, so it has no %s", name, quoteKey(word)), "give it a value, or write try(…, OTHER) around it"
	case ty.IsObjectType():
		known := sortedKeys(ty.AttributeTypes())
		return fmt.Sprintf("%s has no %s %s", name, what, quoteKey(word)), nearest(word, slices.DeleteFunc(known, func(k string) bool { return k == addressAttr }))
	case ty.IsMapType() && v.IsKnown():
		return fmt.Sprintf("%s has no element %s", name, quoteKey(word)), nearest(word, sortedKeys(v.AsValueMap()))
	case ty.IsTupleType() || ty.IsListType():
		return fmt.Sprintf("%s is a list, so it has no attribute %s", name, quoteKey(word)), fmt.Sprintf("write %s[0].%s for the first element, %s[*].%s for all", name, word, name, word)
	case ty.IsSetType():
		return fmt.Sprintf("%s is a set, so it has no attribute %s", name, quoteKey(word)), fmt.Sprintf("write [for e in %s : e.%s]", name, word)
	case ty.IsPrimitiveType():
		return fmt.Sprintf("%s is %s, so it has no attribute %s", name, typeName(v), quoteKey(word)), ""
	}
	return "", ""
}

func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

var stepInWords = lazily(`^(?:attribute|element) ("(?:[^"\\]|\\.)*"|\d+)(: | is required$)`)

// misfit says where and why val does not convert to a type: the path within
// the value, such as .sizes[2].width, what is wrong there, and what is there.
func misfit(val cty.Value, err error) (path, text, lacks string, v cty.Value) {
	var steps cty.Path
	var pe cty.PathError
	if errors.As(err, &pe) {
		steps = pe.Path
	}
	text = sentence(err.Error())
	v = val
	walk := func(step cty.PathStep) {
		at := step
		if i, ok := step.(cty.IndexStep); ok && v.Type().IsObjectType() && i.Key.Type() == cty.String {
			at = cty.GetAttrStep{Name: i.Key.AsString()} // it was to become a map
		}
		next, err := cty.Path{at}.Apply(v)
		if err != nil {
			next = cty.DynamicVal
		}
		v = next
		switch s := step.(type) {
		case cty.GetAttrStep:
			path += "." + s.Name
		case cty.IndexStep:
			path += "[" + show(s.Key, 40) + "]"
		}
	}
	for _, s := range steps {
		walk(s)
	}
	// A mismatch of types is told as a sentence.
	for m := stepInWords().FindStringSubmatch(text); m != nil; m = stepInWords().FindStringSubmatch(text) {
		attribute := strings.HasPrefix(text, "attribute")
		word := strings.Trim(m[1], `"`)
		if m[2] != ": " {
			return path, fmt.Sprintf("attribute %s is missing", m[1]), word, v
		}
		text = text[len(m[0]):]
		switch {
		case attribute:
			walk(cty.GetAttrStep{Name: word})
		case m[1] == word:
			walk(cty.IndexStep{Key: cty.MustParseNumberVal(word)})
		default:
			walk(cty.IndexStep{Key: cty.StringVal(word)})
		}
	}
	return path, mustBe(strings.Replace(text, " are required", " are missing", 1)), "", v
}

// unfit tells that a value is not of the type of a variable; scope is the
// prefix of a module.
func unfit(scope, thing string, at hcl.Range, from string, val cty.Value, err error) diag.Finding {
	path, text, lacks, v := misfit(val, err)
	hint := ""
	if ty := v.Type(); lacks != "" && ty.IsObjectType() {
		for _, name := range sortedKeys(ty.AttributeTypes()) {
			if h := nearest(name, []string{lacks}); strings.HasPrefix(h, "did") {
				hint = strings.Replace(h, "?", fmt.Sprintf(" instead of %q?", name), 1)
			}
		}
	}
	switch bad := strings.HasPrefix(text, "must be"); {
	case bad:
		text = cmp.Or(path, "it") + " " + text
	case path != "":
		text = path + ": " + text
	}
	f := problem(codeVarValue, scope+thing, at, hint, "%s does not fit its type: %s", from, text)
	f.Values = []diag.Value{{Expression: thing + path, Text: "is " + show(v, 80)}}
	return f
}

// declaration is how a name of a kind is declared.
func declaration(kind, name string) string {
	switch kind {
	case "var":
		return fmt.Sprintf("variable %q { }", name)
	case "local":
		return "locals { " + name + " = … }"
	}
	return fmt.Sprintf("%s %q { … }", kind, name)
}

// conversion is the hint for a value that is not what is wanted.
func conversion(want string, v cty.Value) string {
	ty := v.Type()
	switch {
	case want == "a string" && ty.IsPrimitiveType():
		return "write it with quotes, or convert it with tostring()"
	case want == "a string" && (ty.IsTupleType() || ty.IsListType() || ty.IsSetType()):
		return `join(", ", …) makes one text of a list`
	case want == "a string" && (ty.IsObjectType() || ty.IsMapType()) && !isTarget(ty):
		return "read one of its attributes, or write jsonencode(…)"
	case want == "a number" && ty == cty.String:
		return "write it without quotes, or convert it with tonumber()"
	case want == "true or false" && ty == cty.String:
		return "write true or false, without quotes"
	}
	return ""
}

// pathHint is what to write instead of a path that spec.CheckPath refuses.
func pathHint(p string) string {
	switch clean := path.Clean(strings.ReplaceAll(strings.TrimLeft(p, "/"), `\`, "/")); {
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return "keep it inside the folder of the configuration"
	case clean != p && spec.CheckPath(clean) == nil:
		return "write " + quoteKey(clean)
	}
	return "choose another name"
}
