package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// ignoreChanges holds names of attributes, which are no expressions: nothing
// may resolve them.
const ignoreChanges = "ignore_changes"

var lifecycleSchema = schema[draft]{rows: []row[draft]{
	{name: "protect", to: func(d *draft) any { return &d.Protect }, def: "false", doc: "what would buy it again, write over or move a file of it, or delete one, makes the plan fail"},
	{name: ignoreChanges, kind: "list of names", doc: "attributes that count as what the lock recorded, such as prompt and model, or all: changes in them buy nothing"},
}}

// Budget is what an apply may spend on images with any of the tags.
type Budget struct {
	Name    string
	Tags    []string // sorted, each once
	MaxCost provider.Money
	at      place
}

type budget struct {
	Budget
	most *provider.Money
}

var budgetSchema = schema[budget]{rows: []row[budget]{
	{name: "tags", required: true, kind: "list or set of strings", to: func(b *budget) any { return &b.Tags }, hint: tagsHint, doc: "it is for images with any of these"},
	{name: "max_cost", required: true, to: func(b *budget) any { return &b.most }, hint: "write an amount in USD, such as 5.00", doc: "USD that an apply may spend on them"},
}}

const tagsHint = `write a list of texts, such as ["landing", "blog"]`

// Guard is an address whose image the configuration does not have and protects
// all the same: it is disabled, or of a key that for_each has lost. Without
// keys it is for every instance, of the modules on the way too. With the whole
// block the protection goes.
type Guard struct {
	Address spec.Address
	at      place
}

// Of reports whether the guard is for an address.
func (g *Guard) Of(a spec.Address) bool {
	return a == g.Address || a.Base() == g.Address || a.Keyless() == g.Address
}

// decodeLifecycle reads the lifecycle block of an image.
func decodeLifecycle(b *hclsyntax.Block, d *draft, get valuer, thing string, add func(diag.Finding)) (wait bool) {
	add = within(add, "lifecycle: ")
	if _, wait = decode(b.Body, &lifecycleSchema, d, get, thing, b.DefRange(), add); wait {
		return true
	}
	a := b.Body.Attributes[ignoreChanges]
	if a == nil {
		return false
	}
	expr := bare(a.Expr)
	if hcl.ExprAsKeyword(expr) == "all" {
		d.Ignore = spec.AllFields
		return false
	}
	list, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		add(problem(codeType, thing, a.Expr.Range(), "write [prompt, model], or all", "ignore_changes must be a list of names, or all"))
		return false
	}
	for _, e := range list {
		switch name := hcl.ExprAsKeyword(e); {
		case name == "":
			hint := "write a name without quotes, such as prompt"
			if v, ok := constant(e.(hclsyntax.Expression)); ok && !v.IsNull() && v.Type() == cty.String && spec.FieldOf(v.AsString()) != 0 {
				hint = "write " + v.AsString() + " without quotes"
			}
			add(problem(codeType, thing, e.Range(), hint, "ignore_changes takes names of attributes"))
		case spec.FieldOf(name) == 0:
			claim := fmt.Sprintf("ignore_changes can't have %q", name)
			hint := nearest(name, spec.FieldNames)
			if slices.Contains(imageSchema.names(), name) {
				claim += ", which is no part of what is bought"
				hint = "remove it: a change in it is free"
			}
			add(problem(codeUnknownAttr, thing, e.Range(), hint, "%s", claim))
		default:
			d.Ignore |= spec.FieldOf(name)
		}
	}
	return false
}

// bare is an expression without what was put around it.
func bare(e hclsyntax.Expression) hclsyntax.Expression {
	for w, ok := e.(wrapper); ok; w, ok = e.(wrapper) {
		e = w.inner()
	}
	return e
}

// allOfModule is the kind of a reference to all images of a module.
const allOfModule = "module as a whole"

// wholeModules lets module.NAME in a list stand for the images of the module:
// its value is that of its outputs.
func wholeModules(list hclsyntax.Expression) {
	t, ok := bare(list).(*hclsyntax.TupleConsExpr)
	if !ok {
		return
	}
	for _, e := range t.Exprs {
		if r, ok := bare(e).(*ref); ok && r.kind == "module" && r.out == "" {
			r.kind = allOfModule
		}
	}
}

// assignList stores a list of texts or of images. Where v is none, it says what
// it should be and what is wrong with it.
func assignList(to any, v cty.Value) (complaint string) {
	texts, isTexts := to.(*[]string)
	want := "images, and "
	if isTexts {
		want = "strings, and "
	}
	if !v.IsKnown() {
		return ""
	}
	if ty := v.Type(); !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		return want + describe(v)
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		switch {
		case !e.IsKnown():
		case isTexts && (e.Type() != cty.String || e.IsNull()), !isTexts && e.IsNull():
			return want + show(e, 60) + " in it is " + typeName(e)
		case isTexts && e.AsString() == "":
			return want + "one in it is empty"
		case isTexts:
			out = append(out, e.AsString())
		default:
			more, ok := imagesIn(e)
			if !ok {
				return want + show(e, 60) + " in it is " + typeName(e)
			}
			out = append(out, more...)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if isTexts {
		*texts = out
		return ""
	}
	addresses := make([]spec.Address, len(out))
	for i, a := range out {
		addresses[i] = spec.Address(a)
	}
	*to.(*[]spec.Address) = addresses
	return ""
}

// imagesIn is the address of an image, or those of all instances of one.
func imagesIn(v cty.Value) (out []string, ok bool) {
	if t, is := targetOf(v); is {
		return []string{t.name}, t.kind == "image"
	}
	if !v.Type().IsMapType() && !v.Type().IsObjectType() {
		return nil, false
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if !e.IsKnown() {
			continue
		}
		t, is := targetOf(e)
		if !is || t.kind != "image" {
			return nil, false
		}
		out = append(out, t.name)
	}
	return out, true
}

// guard notes that a block protects also those instances that it does not have
// any more, which its own for_each can't tell about.
func (ev *evaluator) guard(d *imageDecl) {
	a := protectOf(d.slow.block)
	if d.slow.forEach == nil || a == nil || usesEach(a.Expr) {
		return
	}
	protects := false
	if len(d.slow.drafts) > 0 {
		protects = d.slow.drafts[0].Protect
	} else {
		v := ev.plain(a.Expr, nil, ev.cur.prefix+"image."+d.name)
		protects = v.IsKnown() && !v.IsNull() && v.Type() == cty.Bool && v.True()
	}
	if protects {
		ev.p.Guards = append(ev.p.Guards, Guard{spec.Address(ev.cur.prefix + "image." + d.name), d.place})
	}
}

// guardModules notes what modules protect by a plain true: an instance that is
// gone takes its values along, but not what stands in the files.
func (ev *evaluator) guardModules() {
	left := maxModules
	var visit func(t *tree, prefix string)
	visit = func(t *tree, prefix string) {
		for _, name := range sortedKeys(t.modules) {
			m := t.modules[name]
			if left--; m.tree == nil || left < 0 {
				continue
			}
			inside := prefix + "module." + name + "."
			for i := range m.tree.images {
				if d := &m.tree.images[i]; d.protected() {
					ev.p.Guards = append(ev.p.Guards, Guard{spec.Address(inside + "image." + d.name), d.place})
				}
			}
			visit(m.tree, inside)
		}
	}
	visit(ev.top.tree, "")
}

// protected reports whether a block says so without a value to evaluate.
func (d *imageDecl) protected() bool {
	if d.slow == nil {
		return d.draft.Protect
	}
	a := protectOf(d.slow.block)
	if a == nil {
		return false
	}
	v, ok := constant(a.Expr)
	return ok && v.Type() == cty.Bool && !v.IsNull() && v.True()
}

// protectOf is the attribute of an image block, or nil.
func protectOf(b *hclsyntax.Block) *hclsyntax.Attribute {
	i := slices.IndexFunc(b.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "lifecycle" })
	if i < 0 {
		return nil
	}
	return b.Body.Blocks[i].Body.Attributes["protect"]
}

func usesEach(e hclsyntax.Expression) bool {
	found := false
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		for w, ok := n.(wrapper); ok; w, ok = n.(wrapper) {
			n = w.inner()
		}
		if t, ok := n.(*hclsyntax.ScopeTraversalExpr); ok {
			found = found || t.Traversal.RootName() == "each"
		}
		return nil
	})
	return found
}

// budgets evaluates the budget blocks.
func (ev *evaluator) budgets() {
	tags := map[string]bool{}
	for i := range ev.p.Images {
		for _, t := range ev.p.Images[i].Tags {
			tags[t] = true
		}
	}
	for _, b := range ev.top.budgets {
		thing := "budget." + b.Labels[0]
		var one budget
		has, _ := decode(b.Body, &budgetSchema, &one, ev.getter(thing), thing, b.DefRange(), ev.add)
		at := func(attr string) hcl.Range { return b.Body.Attributes[attr].Expr.Range() }
		if has.set&1 != 0 && len(one.Tags) == 0 {
			ev.add(problem(codeRequired, thing, at("tags"), tagsHint, "tags is empty, so it is for no image"))
		}
		if has.set != 3 {
			continue
		}
		for _, t := range one.Tags {
			if !tags[t] && !ev.out.HasErrors() { // else what has it may have failed
				f := problem(codeTag, thing, at("tags"), nearest(t, sortedKeys(tags)), "no image has the tag %s", quoteKey(t))
				f.Severity = diag.Warning
				ev.add(f)
			}
		}
		one.Name, one.MaxCost, one.Budget.at = b.Labels[0], *one.most, placeOf(b.file, b.Block)
		ev.p.Budgets = append(ev.p.Budgets, one.Budget)
	}
	slices.SortFunc(ev.p.Budgets, func(a, b Budget) int { return cmp.Compare(a.Name, b.Name) })
}

// Of reports whether an image counts for the budget.
func (b *Budget) Of(im *spec.Image) bool {
	return slices.ContainsFunc(im.Tags, func(t string) bool { return slices.Contains(b.Tags, t) })
}

// BudgetAt is the place of an attribute of a budget block.
func (p *Project) BudgetAt(src Source, name, field string) *diag.Range {
	for i := range p.Budgets {
		if p.Budgets[i].Name == name {
			return (&locator{src: src, p: p}).field(p.Budgets[i].at, field)
		}
	}
	return nil
}

// guardAt is the place of a field of the block that guards an address.
func (p *Project) guardAt(src Source, a spec.Address, field string) *diag.Range {
	for _, g := range p.Guards {
		if g.Of(a) {
			return (&locator{src: src, p: p}).field(g.at, field)
		}
	}
	return nil
}

// checkDepends finds images that depend on what is not there, and puts all
// instances for an address without a key, and all images for a module.
func (ev *evaluator) checkDepends(where *locator) {
	images, find := ev.p.Images, ev.p.index
	for i := range images {
		im := &images[i]
		if len(im.DependsOn) == 0 {
			continue
		}
		var out []spec.Address
		for _, a := range im.DependsOn {
			if _, ok := find(a); ok {
				out = append(out, a)
				continue
			}
			j, _ := find(a + "[")
			for ; j < len(images) && strings.HasPrefix(string(images[j].Address), string(a)+"["); j++ {
				out = append(out, images[j].Address)
			}
			if moduleAddress(a) {
				if strings.HasSuffix(string(a), "]") && ev.scopes[string(a)+"."] == nil {
					ev.add(where.image(codeUnknownKey, i, "depends_on", "write a key that the module has, or none for all", "there is no %s", a))
				}
				out = append(out, ev.within(a)...)
				continue
			}
			if sc, name := ev.scopeOf(a); !ev.disabled[a] && sc.image(name) == nil {
				ev.unknownName(where.image(codeUnknownName, i, "depends_on", nearest(name, sc.imageNames()), "there is no image %q", name))
			}
		}
		slices.Sort(out)
		im.DependsOn = slices.Compact(out)
	}
}
