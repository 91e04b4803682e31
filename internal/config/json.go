package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// HCL's JSON syntax says only with a schema what is a block and what a value.
// A file is read by HCL's parser and then written as the tree that the native
// syntax would give, so that everything after the parser knows one syntax.
// https://github.com/hashicorp/hcl/blob/main/json/spec.md

// maxJSON is less than maxFile: HCL's parser takes 220 bytes for one of a file.
const maxJSON = 2 << 20

// maxWeight is of the values in a file, by weightOf: HCL's parser and our tree
// take up to a kilobyte for each unit.
const maxWeight = 400_000

var weightOf = [256]uint8{'{': 8, '[': 4, ',': 2, ':': 1}

var language = sync.OnceValue(func() *Block { return &Block{Blocks: Language()} })

// jsonTree makes a syntax tree of a file.
type jsonTree struct {
	file string
	add  func(diag.Finding)
	torn bool // a block could not be read
	bare bool // texts are no templates
}

func isJSON(file string) bool { return strings.HasSuffix(file, ".json") }

// parseJSON returns the body of a file, or what could be read of it.
func (out *parsed) parseJSON(name string, src []byte) (*hclsyntax.Body, bool) {
	if f := guardJSON(name, src); f != nil {
		out.add(*f)
		out.torn = true
		return nil, false
	}
	e, diags := hcljson.ParseExpression(src, name)
	if diags.HasErrors() {
		l, _ := syntaxFindings(src, diags)
		out.findings, out.torn = append(out.findings, l...), true
		return nil, false
	}
	t := &jsonTree{file: name, add: out.add}
	body := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: e.Range(), EndRange: e.Range()}
	kind := language()
	if !isConfig(name) {
		kind, t.bare = &Block{Open: "value"}, true
	}
	for _, part := range elementsOf(e) { // the file may be an array of objects
		t.fill(body, part, kind, nil)
	}
	out.torn = out.torn || t.torn
	return body, true
}

// elementsOf is the elements of an array, or the value alone.
func elementsOf(e hcl.Expression) []hcl.Expression {
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		return list
	}
	return []hcl.Expression{e}
}

// fill adds the properties of an object to a body of the kind b; outer is the
// kind around it.
func (t *jsonTree) fill(body *hclsyntax.Body, e hcl.Expression, b, outer *Block) {
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		t.wrong(e, "write { … }", "there must be an object here")
		return
	}
	for _, pair := range pairs {
		v, _ := pair.Key.Value(nil)
		name, at := v.AsString(), pair.Key.Range()
		inner := b.Block(name)
		if name == "dynamic" && inner == nil && outer != nil && len(b.Blocks) > 0 {
			inner = language().Block("image").Block(name) // within an image, it may stand wherever blocks may
		}
		switch {
		case name == "//": // a comment
		case inner != nil:
			body.Blocks = append(body.Blocks, t.blocks(name, at, pair.Value, inner, b, nil, nil)...)
		case b.attribute(name) == nil && b.Open == "" && isObject(pair.Value):
			body.Blocks = append(body.Blocks, &hclsyntax.Block{Type: name, TypeRange: at, Body: &hclsyntax.Body{Attributes: hclsyntax.Attributes{}}, OpenBraceRange: at, CloseBraceRange: at})
		case body.Attributes[name] != nil:
			t.add(problem(codeDuplicate, "attribute", at, "keep one of them", "%s is given twice", name))
		default:
			a := b.attribute(name)
			body.Attributes[name] = &hclsyntax.Attribute{
				Name: name, NameRange: at, EqualsRange: at, SrcRange: hcl.RangeBetween(at, pair.Value.Range()),
				Expr: t.expression(pair.Value, a != nil && a.words()),
			}
		}
	}
}

func isObject(e hcl.Expression) bool {
	list := elementsOf(e)
	if len(list) == 0 {
		return false
	}
	_, diags := hcl.ExprMap(list[0])
	return !diags.HasErrors()
}

// words reports whether a text is an address, a type or a name, and no text.
func (a *Attribute) words() bool {
	return strings.HasSuffix(a.Type, " address") || strings.HasSuffix(a.Type, " addresses") ||
		slices.Contains([]string{"type", "name", "list of names", "map of provider"}, a.Type)
}

// blocks makes the blocks of a property: of an object, which names labels or is
// a body, or of an array of these.
func (t *jsonTree) blocks(name string, at hcl.Range, e hcl.Expression, b, outer *Block, labels []string, ranges []hcl.Range) []*hclsyntax.Block {
	var out []*hclsyntax.Block
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		for _, e := range list {
			if len(ranges) == 0 {
				at = e.StartRange()
			}
			out = append(out, t.blocks(name, at, e, b, outer, labels, ranges)...)
		}
		return out
	}
	if v, diags := e.Value(nil); !diags.HasErrors() && v.IsNull() {
		return nil
	}
	if b.Label != "" && len(labels) == 0 {
		pairs, diags := hcl.ExprMap(e)
		if diags.HasErrors() {
			t.wrong(e, fmt.Sprintf(`write "%s": { "%s": { … } }`, name, b.Label), "%s needs an object with names", name)
			return nil
		}
		for _, pair := range pairs {
			if v, _ := pair.Key.Value(nil); v.AsString() != "//" {
				r := pair.Key.Range()
				out = append(out, t.blocks(name, r, pair.Value, b, outer, []string{v.AsString()}, []hcl.Range{r})...)
			}
		}
		return out
	}
	if name == "dynamic" && len(labels) == 1 {
		b = dynamicBlock(b, outer.Block(labels[0]))
	}
	body := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: e.Range(), EndRange: e.Range()}
	t.fill(body, e, b, outer)
	return append(out, &hclsyntax.Block{
		Type: name, TypeRange: at, Labels: labels, LabelRanges: ranges, Body: body, OpenBraceRange: e.StartRange(), CloseBraceRange: e.StartRange(),
	})
}

// dynamicBlock is a dynamic block whose content is the body of what it makes.
func dynamicBlock(b, made *Block) *Block {
	if made == nil {
		return b
	}
	d, c := *b, *made
	c.Name, c.Label = "content", ""
	d.Blocks = []Block{c}
	return &d
}

func (b *Block) attribute(name string) *Attribute {
	if i := slices.IndexFunc(b.Attributes, func(a Attribute) bool { return a.Name == name }); i >= 0 {
		return &b.Attributes[i]
	}
	return nil
}

func (t *jsonTree) wrong(e hcl.Expression, hint, format string, args ...any) {
	t.torn = true
	t.add(problem(codeSyntax, "file "+t.file, e.Range(), hint, format, args...))
}

// expression makes an expression of a value. A text is a template, or, where
// words are wanted, an address, a type or a name.
func (t *jsonTree) expression(e hcl.Expression, words bool) hclsyntax.Expression {
	r := e.Range()
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		out := &hclsyntax.TupleConsExpr{SrcRange: r, OpenRange: e.StartRange()}
		for _, e := range list {
			out.Exprs = append(out.Exprs, t.expression(e, words))
		}
		return out
	}
	if pairs, diags := hcl.ExprMap(e); !diags.HasErrors() {
		out := &hclsyntax.ObjectConsExpr{SrcRange: r, OpenRange: e.StartRange()}
		for _, pair := range pairs {
			out.Items = append(out.Items, hclsyntax.ObjectConsItem{
				KeyExpr:   &hclsyntax.ObjectConsKeyExpr{Wrapped: t.expression(pair.Key, false), ForceNonLiteral: true},
				ValueExpr: t.expression(pair.Value, words),
			})
		}
		return out
	}
	v, _ := e.Value(nil)
	if v.Type() != cty.String || v.IsNull() {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: r}
	}
	text := v.AsString()
	if t.bare || !strings.Contains(text, "${") && !strings.Contains(text, "%{") && !words {
		return &hclsyntax.TemplateExpr{Parts: []hclsyntax.Expression{&hclsyntax.LiteralValueExpr{Val: v, SrcRange: r}}, SrcRange: r}
	}
	words = words && !strings.HasPrefix(text, "${")
	if f := guard(t.file, []byte(text), !words); f != nil {
		f.Range = rangeOf(r)
		t.add(*f)
		return unknown(r)
	}
	parse := hclsyntax.ParseTemplate
	if words {
		parse = hclsyntax.ParseExpression
	}
	at := hcl.Pos{Line: r.Start.Line, Column: r.Start.Column + 1, Byte: r.Start.Byte + 1}
	out, diags := parse([]byte(text), t.file, at)
	if diags.HasErrors() {
		l, _ := syntaxFindings([]byte(text), diags)
		for _, f := range l {
			f.Range = rangeOf(r)
			t.add(f)
		}
		return unknown(r)
	}
	if len(text)+2 != r.End.Byte-r.Start.Byte {
		relocate(out, r)
	}
	if wrap, ok := out.(*hclsyntax.TemplateWrapExpr); ok {
		return wrap.Wrapped // "${…}" is how one writes an expression
	}
	return out
}

// relocate lets all that is in a text with escapes stand at the text: the
// parser did not see the escapes, so what it says of lines and columns is wrong.
func relocate(e hclsyntax.Expression, r hcl.Range) {
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		v := reflect.ValueOf(n)
		if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
			return nil
		}
		for i := range v.Elem().NumField() {
			if !v.Elem().Type().Field(i).IsExported() {
				continue // of the symbol of a splat: what it evaluates to
			}
			switch f := v.Elem().Field(i).Addr().Interface().(type) {
			case *hcl.Range:
				*f = r
			case *hcl.Traversal:
				for i, step := range *f {
					switch step := step.(type) {
					case hcl.TraverseRoot:
						step.SrcRange = r
						(*f)[i] = step
					case hcl.TraverseAttr:
						step.SrcRange = r
						(*f)[i] = step
					case hcl.TraverseIndex:
						step.SrcRange = r
						(*f)[i] = step
					}
				}
			}
		}
		return nil
	})
}

// guardJSON scans a file before the parser may see it, as guard does: nesting
// overflows the stack, and a long number takes quadratic time.
func guardJSON(file string, src []byte) *diag.Finding {
	if f := guardText(file, src); f != nil {
		return f
	}
	if len(src) > maxJSON {
		return &diag.Finding{Severity: diag.Error, Code: codeTooBig, Range: &diag.Range{File: file},
			Text: fmt.Sprintf("file %s: is larger than %d MiB", file, maxJSON>>20), Hint: "keep the data in a file of its own and read it with jsondecode(file(\"…\"))"}
	}
	refuse := func(code string, at int, text, hint string) *diag.Finding {
		return &diag.Finding{Severity: diag.Error, Code: code, Text: "file " + file + ": " + text, Hint: hint, Range: rangeAt(file, src, at)}
	}
	depth, digits, weight := 0, 0, 0
	for i := 0; i < len(src); i++ {
		c := src[i]
		if weight += int(weightOf[c]); weight > maxWeight {
			return refuse(codeTooBig, i, "has too many values", "split it, or keep the data in a file of its own and read it with jsondecode(file(\"…\"))")
		}
		if c >= '0' && c <= '9' {
			if digits++; digits > maxDigits {
				return refuse(codeTooLong, i, fmt.Sprintf("a number has more than %d digits", maxDigits), "write it with an exponent, such as 1e10")
			}
			continue
		}
		digits = 0
		switch c {
		case '"':
			for i++; i < len(src) && src[i] != '"' && src[i] != '\n'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return refuse(codeTooDeep, i, fmt.Sprintf("brackets are nested more than %d deep", maxDepth), "keep the data in a file of its own and read it with jsondecode(file(\"…\"))")
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}
