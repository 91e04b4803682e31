package config

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// HCL's own extension for dynamic blocks works on abstract bodies; ours are
// decoded from the syntax tree, so the blocks are written out there.

var dynamicSchema = schema[described]{
	rows: []row[described]{
		{name: "for_each", required: true, kind: "map, object, list or set", doc: "one block for each element"},
		{name: "iterator", kind: "name", doc: "what the element is called, without quotes: NAME.key and NAME.value; without it the name of the block"},
		{name: "labels", kind: "list(string)", doc: "the labels of the block"},
	},
	blocks: []inner{{name: "content", body: &contentSchema, doc: "the body of the block"}},
}

var contentSchema = schema[described]{open: "the attributes of the block; so may its blocks be here"}

func hasDynamic(b *hclsyntax.Body) bool {
	return slices.ContainsFunc(b.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "dynamic" || hasDynamic(b.Body) })
}

// iteratorOf is the name of the element in a dynamic block.
func iteratorOf(b *hclsyntax.Block) string {
	if a := b.Body.Attributes["iterator"]; a != nil {
		return hcl.ExprAsKeyword(a.Expr)
	}
	if len(b.Labels) > 0 {
		return b.Labels[0]
	}
	return ""
}

func contentOf(b *hclsyntax.Block) *hclsyntax.Block {
	i := slices.IndexFunc(b.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "content" })
	if i < 0 {
		return nil
	}
	return b.Body.Blocks[i]
}

// prepareDynamic checks a dynamic block and prepares what is in it.
func (ev *evaluator) prepareDynamic(b *hclsyntax.Block, u uses) {
	add := within(ev.add, "dynamic: ")
	decode(b.Body, &dynamicSchema, &described{}, constant, u.thing, b.DefRange(), add)
	if len(b.Labels) != 1 {
		add(problem(codeLabel, u.thing, b.DefRange(), `write dynamic "rendition" { … }`, "it takes the name of a block"))
	}
	if len(b.Labels) == 1 && b.Labels[0] == "lifecycle" {
		add(problem(codeUnknownBlock, u.thing, b.LabelRanges[0], "write lifecycle { protect = … }, whose values may be expressions", "lifecycle can't be dynamic: it holds also for images that are gone"))
	}
	if a := b.Body.Attributes["for_each"]; a != nil {
		a.Expr = ev.prepare(a.Expr, u)
	}
	name := iteratorOf(b)
	if a := b.Body.Attributes["iterator"]; a != nil && (name == "" || slices.Contains(roots, name) || name == "each" || name == "path") {
		add(problem(codeType, u.thing, a.Expr.Range(), "write a plain word, without quotes", "this can't be the name of an iterator"))
	}
	u.bound = append(slices.Clone(u.bound), name)
	if a := b.Body.Attributes["labels"]; a != nil {
		a.Expr = ev.prepare(a.Expr, u)
	}
	if c := contentOf(b); c != nil {
		ev.prepareBody(c.Body, u)
	} else {
		add(problem(codeRequired, u.thing, b.DefRange(), "add content { … }", "content is required"))
	}
}

// expand writes out the dynamic blocks of a body.
func (ev *evaluator) expand(b *hclsyntax.Body, ctx *hcl.EvalContext, thing string) *hclsyntax.Body {
	if !hasDynamic(b) {
		return b
	}
	out := *b
	out.Blocks = nil
	for _, inner := range b.Blocks {
		if inner.Type == "dynamic" {
			out.Blocks = append(out.Blocks, ev.generate(inner, ctx, thing)...)
			continue
		}
		c := *inner
		c.Body = ev.expand(inner.Body, ctx, thing)
		out.Blocks = append(out.Blocks, &c)
	}
	return &out
}

// generate makes the blocks of one dynamic block.
func (ev *evaluator) generate(b *hclsyntax.Block, ctx *hcl.EvalContext, thing string) []*hclsyntax.Block {
	each, content := b.Body.Attributes["for_each"], contentOf(b)
	if each == nil || content == nil || len(b.Labels) != 1 {
		return nil // and that was told
	}
	v := ev.openly(each.Expr, ctx, thing, "dynamic: for_each")
	if !v.IsKnown() {
		return nil
	}
	if _, ok := targetOf(v); ok || v.IsNull() || !v.CanIterateElements() {
		ev.add(problem(codeForEach, thing, each.Expr.Range(), "write a map, an object, a list or a set", "dynamic: for_each needs elements, and %s", describe(v)))
		return nil
	}
	name := iteratorOf(b)
	var out []*hclsyntax.Block
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if v.Type().IsSetType() {
			k = e
		}
		if !ev.pay(costOfBlock, thing, each.Expr.Range()) {
			return out
		}
		element := cty.ObjectVal(map[string]cty.Value{"key": k, "value": e})
		inner := ctx.NewChild()
		inner.Variables = map[string]cty.Value{name: element}
		g := *content
		g.Type, g.TypeRange, g.Labels, g.LabelRanges = b.Labels[0], b.LabelRanges[0], nil, nil
		if a := b.Body.Attributes["labels"]; a != nil {
			for _, label := range ev.labels(a.Expr, inner, thing) {
				g.Labels, g.LabelRanges = append(g.Labels, label), append(g.LabelRanges, a.Expr.Range())
			}
		}
		g.Body = ev.bind(ev.expand(content.Body, inner, thing), name, element)
		out = append(out, &g)
	}
	return out
}

func (ev *evaluator) labels(e hclsyntax.Expression, ctx *hcl.EvalContext, thing string) []string {
	v := ev.openly(e, ctx, thing, "dynamic: labels")
	if !v.IsKnown() {
		return nil
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil || list.IsNull() {
		ev.add(problem(codeType, thing, e.Range(), "write labels = [NAME.key]", "dynamic: labels must be a list of strings, and %s", describe(v)))
		return nil
	}
	var out []string
	for it := list.ElementIterator(); it.Next(); {
		if _, label := it.Element(); label.IsNull() {
			ev.add(problem(codeType, thing, e.Range(), "", "dynamic: a label is null"))
		} else {
			out = append(out, label.AsString())
		}
	}
	return out
}

// bind lets the expressions of a body know the element.
func (ev *evaluator) bind(b *hclsyntax.Body, name string, element cty.Value) *hclsyntax.Body {
	out := *b
	out.Attributes = maps.Clone(b.Attributes)
	for key, a := range out.Attributes {
		if !literal(a.Expr) {
			c := *a
			c.Expr = &knowing{a.Expr, name, element}
			out.Attributes[key] = &c
		}
	}
	out.Blocks = slices.Clone(b.Blocks)
	for i, inner := range out.Blocks {
		c := *inner
		c.Body = ev.bind(inner.Body, name, element)
		out.Blocks[i] = &c
	}
	return &out
}

// knowing is an expression that knows one name more.
type knowing struct {
	hclsyntax.Expression
	name  string
	value cty.Value
}

func (e *knowing) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	inner := ctx.NewChild()
	inner.Variables = map[string]cty.Value{e.name: e.value}
	return e.Expression.Value(inner)
}

func (e *knowing) inner() hclsyntax.Expression { return e.Expression }
