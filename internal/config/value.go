package config

import (
	"math/big"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// target is what the value of a reference to an image, preset or provider
// carries: an address, and nothing that a user could write by hand.
type target struct {
	kind string // "image", "preset" or "provider"
	name string // address of the image or the preset, key of the provider
}

func (t *target) String() string {
	if t.kind == "provider" {
		return "provider." + t.name
	}
	return t.name
}

var targetType = cty.Capsule("address", reflect.TypeFor[target]())

// addressAttr is where the object that stands for an image holds its target.
// It is no identifier, so that image.x.… can't name it.
const addressAttr = "(address)"

func targetVal(kind, name string) cty.Value {
	return cty.CapsuleVal(targetType, &target{kind, name})
}

// targetOf tells the target that v carries, if any.
func targetOf(v cty.Value) (*target, bool) {
	v, _ = v.Unmark()
	if v.Type().IsObjectType() && v.Type().HasAttribute(addressAttr) && v.IsKnown() && !v.IsNull() {
		v = v.GetAttr(addressAttr)
	}
	if v.Type() != targetType || !v.IsKnown() || v.IsNull() {
		return nil, false
	}
	return v.EncapsulatedValue().(*target), true
}

// isTarget reports whether values of type ty carry a target.
func isTarget(ty cty.Type) bool {
	return ty == targetType || ty.IsObjectType() && ty.HasAttribute(addressAttr)
}

// result marks what is known of an image only after apply.
type result struct{ of string } // image.hero.sha256

// resultAttrs are the attributes of an image that are results.
var resultAttrs = map[string]cty.Type{
	"sha256": cty.String, "mime": cty.String, "revised_prompt": cty.String, "model": cty.String,
	"width": cty.Number, "height": cty.Number, "bytes": cty.Number,
}

var imageAttrs = []string{"path", "files", "alt", "sha256", "mime", "revised_prompt", "model", "width", "height", "bytes"}

// imageVal is the value of an image. Its results are those of f, or unknown
// and marked.
func imageVal(im *spec.Image, f Facts) cty.Value {
	path, files := im.Path, make(map[string]cty.Value, len(im.Renditions))
	for i := range im.Renditions {
		if r := &im.Renditions[i]; r.Block == "" {
			files[r.Name] = cty.StringVal(r.Path)
		}
	}
	if f.Path != "" {
		path = f.Path
	}
	for name, file := range f.Files {
		files[name] = cty.StringVal(file)
	}
	attrs := map[string]cty.Value{
		addressAttr: targetVal("image", string(im.Address)),
		"path":      cty.StringVal(path),
		"files":     cty.MapValEmpty(cty.String),
		"alt":       cty.StringVal(im.Alt),
	}
	if path == "" { // its expression failed
		attrs["path"] = cty.UnknownVal(cty.String)
	}
	if len(files) > 0 {
		attrs["files"] = cty.MapVal(files)
	}
	if f.Known {
		f.results(attrs)
		if len(im.Wanted.Sensitive) > 0 && f.RevisedPrompt == "" {
			attrs["revised_prompt"] = cty.NullVal(cty.String) // it is withheld, and no text says that better
		}
		return cty.ObjectVal(attrs)
	}
	for name, ty := range resultAttrs {
		attrs[name] = cty.UnknownVal(ty).Mark(result{string(im.Address) + "." + name})
	}
	return cty.ObjectVal(attrs)
}

// results puts what resultAttrs lists into attrs.
func (f *Facts) results(attrs map[string]cty.Value) {
	attrs["sha256"] = cty.StringVal(f.SHA256)
	attrs["mime"] = cty.StringVal(f.MIME)
	attrs["revised_prompt"] = cty.StringVal(f.RevisedPrompt)
	attrs["model"] = cty.StringVal(f.Model)
	attrs["width"] = cty.NumberIntVal(int64(f.Width))
	attrs["height"] = cty.NumberIntVal(int64(f.Height))
	attrs["bytes"] = cty.NumberIntVal(f.Bytes)
}

// off marks what is read of an image that is not enabled. The map of all
// instances has none; that for one key has, because who asks may be off, too.
type off struct{ of string }

func (im *draft) off() bool { return im.set&rowEnabled != 0 && !im.enabled }

// markOff marks what a reference to im reads.
func markOff(v cty.Value, im *draft) cty.Value {
	attrs := v.AsValueMap()
	for _, name := range []string{"path", "files", "alt"} {
		attrs[name] = attrs[name].Mark(off{string(im.Address)})
	}
	return cty.ObjectVal(attrs)
}

// offIn is the first image that is not enabled and was read.
func offIn(marks cty.ValueMarks) (of string) {
	for m := range marks {
		if o, ok := m.(off); ok && (of == "" || o.of < of) {
			of = o.of
		}
	}
	return of
}

// unknownIn reports whether v is not known as a whole, and which result of an
// image it waits for, if that can be told. Images themselves count as known:
// their address is. A known value never depends on a result, whatever marks it
// has: functions mark all that they return.
func unknownIn(v cty.Value, marks cty.ValueMarks) (unknown bool, of string) {
	v, own := v.Unmark()
	if len(own) == 0 {
		own = marks
	} else if len(marks) > 0 {
		own = cty.NewValueMarks(own, marks)
	}
	switch {
	case !v.IsKnown():
		for m := range own {
			if r, ok := m.(result); ok && (of == "" || r.of < of) {
				of = r.of
			}
		}
		return true, of
	case v.IsNull() || isTarget(v.Type()) || !v.CanIterateElements():
		return false, ""
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if unknown, of = unknownIn(e, own); unknown {
			return true, of
		}
	}
	return false, ""
}

// constant tells the value of an expression that needs no evaluation: a
// literal, or a plain reference whose address stands in the text.
func constant(e hclsyntax.Expression) (cty.Value, bool) {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e.Val, true
	case *hclsyntax.TemplateExpr:
		return constantText(e.Parts)
	case *hclsyntax.TupleConsExpr:
		vals := make([]cty.Value, len(e.Exprs))
		for i := range e.Exprs {
			v, ok := constant(e.Exprs[i])
			if !ok {
				return cty.NilVal, false
			}
			vals[i] = v
		}
		return cty.TupleVal(vals), true
	case *hclsyntax.ScopeTraversalExpr:
		words, ok := traversalWords(e.Traversal)
		if !ok {
			return cty.NilVal, false
		}
		switch root := e.Traversal.RootName(); {
		case root == "preset" && len(words) == 1:
			return targetVal(root, "preset."+words[0]), true
		case root == "provider" && (len(words) == 1 || len(words) == 2):
			return targetVal(root, strings.Join(words, ".")), true
		case root == "image" && len(words) == 1:
			return targetVal(root, "image."+words[0]), true
		}
	}
	return cty.NilVal, false
}

func constantText(parts []hclsyntax.Expression) (cty.Value, bool) {
	if len(parts) == 1 {
		if lit, ok := parts[0].(*hclsyntax.LiteralValueExpr); ok && lit.Val.Type() == cty.String && !lit.Val.IsNull() {
			return lit.Val, true
		}
		return cty.NilVal, false
	}
	var b strings.Builder
	for _, p := range parts {
		lit, ok := p.(*hclsyntax.LiteralValueExpr)
		if !ok || lit.Val.Type() != cty.String || lit.Val.IsNull() {
			return cty.NilVal, false
		}
		b.WriteString(lit.Val.AsString())
	}
	return cty.StringVal(b.String()), true
}

// literal reports whether e is a constant without a name in it.
func literal(e hclsyntax.Expression) bool {
	if t, ok := e.(*hclsyntax.TupleConsExpr); ok {
		return !slices.ContainsFunc(t.Exprs, func(e hclsyntax.Expression) bool { return !literal(e) })
	}
	if _, ok := e.(*hclsyntax.ScopeTraversalExpr); ok {
		return false
	}
	_, ok := constant(e)
	return ok
}

// Quote writes a text as a template of HCL that says just that.
func Quote(text string) string { return quoteKey(text) }

// quoteKey writes an instance key as HCL does in an index.
func quoteKey(key string) string {
	var b strings.Builder
	b.Grow(len(key) + 2)
	b.WriteByte('"')
	for i, r := range key {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == '$' || r == '%') && strings.HasPrefix(key[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			b.WriteString(`\u` + strconv.FormatInt(0x10000+int64(r), 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// instance is the address of an instance of a for_each.
func instance(address, key string) string { return address + "[" + quoteKey(key) + "]" }

// show renders v as one would write it in HCL, on one line and cut to limit
// bytes where limit is not 0.
func show(v cty.Value, limit int) string {
	b := appendValue(nil, v, limit)
	if limit > 0 && len(b) > limit {
		cut := limit - len("…")
		for cut > 0 && !utf8.RuneStart(b[cut]) {
			cut--
		}
		return string(b[:cut]) + "…"
	}
	return string(b)
}

// appendValue stops a little after limit bytes, because a value may be huge.
func appendValue(b []byte, v cty.Value, limit int) []byte {
	if limit > 0 && len(b) > limit {
		return b
	}
	if isSecret(v) {
		return append(b, withheld...)
	}
	v, _ = v.Unmark()
	ty := v.Type()
	if t, ok := targetOf(v); ok {
		return append(b, t.String()...)
	}
	switch {
	case !v.IsKnown():
		return append(b, "(known after apply)"...)
	case v.IsNull():
		return append(b, "null"...)
	case ty == cty.String:
		s := v.AsString()
		if limit > 0 && len(s) > limit+4 {
			cut := limit + 4
			for !utf8.RuneStart(s[cut]) {
				cut--
			}
			s = s[:cut]
		}
		return append(b, quoteKey(s)...)
	case ty == cty.Bool:
		return strconv.AppendBool(b, v.True())
	case ty == cty.Number:
		return append(b, number(v.AsBigFloat())...)
	case ty.IsMapType() || ty.IsObjectType():
		b = append(b, '{')
		for i, it := 0, v.ElementIterator(); it.Next(); i++ {
			k, e := it.Element()
			if i > 0 {
				b = append(b, ", "...)
			}
			if key := k.AsString(); hclsyntax.ValidIdentifier(key) {
				b = append(b, key...)
			} else {
				b = append(b, quoteKey(key)...)
			}
			b = appendValue(append(b, " = "...), e, limit)
		}
		return append(b, '}')
	case ty.IsListType() || ty.IsTupleType() || ty.IsSetType():
		b = append(b, '[')
		for i, it := 0, v.ElementIterator(); it.Next(); i++ {
			if i > 0 {
				b = append(b, ", "...)
			}
			_, e := it.Element()
			b = appendValue(b, e, limit)
		}
		return append(b, ']')
	}
	return append(b, ty.FriendlyName()...)
}

func number(f *big.Float) string {
	if exp := f.MantExp(nil); exp > 256 || exp < -256 {
		return f.Text('g', 10)
	}
	return f.Text('f', -1)
}

// describe tells what v is, to stand after "and".
func describe(v cty.Value) string {
	if v.IsNull() {
		return "it is null"
	}
	return show(v, 60) + " is " + typeName(v)
}

// typeName names the type of v for people.
func typeName(v cty.Value) string {
	if t, ok := targetOf(v); ok {
		return map[string]string{"image": "an image", "preset": "a preset", "provider": "a provider"}[t.kind]
	}
	ty := v.Type()
	switch {
	case isTarget(ty):
		return "an image"
	case ty == cty.String:
		return "a string"
	case ty == cty.Bool:
		return "a bool"
	case ty == cty.Number:
		return "a number"
	case ty.IsObjectType():
		return "an object"
	case ty.IsTupleType():
		return "a list"
	}
	return article(ty.FriendlyName())
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
