package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// movedSchema and removedSchema: addresses are decoded by their own code, since
// they name images that the configuration no longer has.
var (
	movedSchema = schema[described]{rows: []row[described]{
		{name: "from", kind: "image address", required: true, doc: "the address before: image.NAME or image.NAME[\"KEY\"]"},
		{name: "to", kind: "image address", required: true, doc: "the address now"},
	}}
	removedSchema = schema[removal]{rows: []row[removal]{
		{name: "from", kind: "image address", required: true, doc: "the address that is gone: image.NAME or image.NAME[\"KEY\"]"},
		{name: "keep_files", to: func(r *removal) any { return &r.keep }, def: "false", doc: "leave its files where they are"},
	}}
)

type removal struct{ keep bool }

// life is a moved or removed block; its addresses are those of the project.
type life struct {
	block        *block
	from, to     spec.Address // to is empty for removed
	fromAt, toAt hcl.Range
	keep         bool
}

// lives reads the moved and removed blocks.
func (ev *evaluator) lives() {
	var all []*life
	from, to := map[spec.Address]*life{}, map[spec.Address]*life{}
	once := func(seen map[spec.Address]*life, a spec.Address, l *life, at func(*life) hcl.Range) bool {
		first := seen[a]
		if first != nil {
			ev.add(diag.Finding{Severity: diag.Error, Code: codeDuplicate, Text: fmt.Sprintf("%s: another block names %s", l.block.Type, a), Hint: "keep one of them",
				Range: rangeOf(at(l)), Related: []diag.Related{{Range: *rangeOf(at(first)), Text: "the first one"}}})
			return false
		}
		seen[a] = l
		return true
	}
	ev.every(func(sc *scope) {
		for _, b := range sc.lives {
			l := &life{block: b}
			var r removal
			if b.Type == "removed" {
				decode(b.Body, &removedSchema, &r, ev.getter(b.Type), b.Type, b.DefRange(), ev.add)
				l.keep = r.keep
			} else {
				decode(b.Body, &movedSchema, &described{}, ev.getter(b.Type), b.Type, b.DefRange(), ev.add)
			}
			var ok bool
			if l.from, l.fromAt, ok = ev.addressIn(b, "from"); !ok || !once(from, l.from, l, func(l *life) hcl.Range { return l.fromAt }) {
				continue
			}
			if b.Type == "moved" {
				if l.to, l.toAt, ok = ev.addressIn(b, "to"); !ok || !once(to, l.to, l, func(l *life) hcl.Range { return l.toAt }) {
					continue
				}
				if moduleAddress(l.from) != moduleAddress(l.to) {
					ev.add(problem(codeMoved, b.Type, l.toAt, "let both be images, or both be modules", "%s can't become %s", l.from, l.to))
					continue
				}
			}
			all = append(all, l)
		}
	})
	byFrom := make(map[spec.Address]*life, len(all))
	for _, l := range all {
		byFrom[l.from] = l
	}
	for _, l := range all {
		if l.to == "" {
			if still := ev.within(l.from); len(still) > 0 {
				ev.stillThere(l, still[0])
				continue
			}
			ev.p.Removed = append(ev.p.Removed, Removed{l.from, l.keep})
			continue
		}
		if ev.wants(l.from) {
			ev.stillThere(l, l.from)
			continue
		}
		// Blocks stay for those who come from an old state, so a chain of them is
		// followed to its end.
		// One step may be both: module.m["x"] was module.k["x"], and module.m was
		// made an instance later.
		end, found := l.to, false
		var gone *life
		for hops := 0; hops <= len(all) && gone == nil; hops++ {
			for _, im := range ev.within(end) {
				old := l.from + im[len(end):]
				if ev.wants(old) {
					ev.stillThere(l, old)
					break
				}
				found = true
				ev.p.Moved = append(ev.p.Moved, Moved{old, im})
			}
			next := longest(byFrom, end)
			if next == nil {
				break
			}
			if end = next.to + end[len(next.from):]; next.to == "" {
				gone = next
			}
		}
		if gone != nil && !found {
			ev.p.Removed = append(ev.p.Removed, Removed{l.from, gone.keep}) // for who has it under its first name
			found = true
		}
		if !found && !ev.wants(l.from) {
			sc, name := ev.scopeOf(end)
			hint := "if it is gone, remove the block, or add removed { from = " + string(l.to) + " }"
			if sc != nil && !moduleAddress(end) {
				if best := nearest(name, sc.imageNames()); strings.HasPrefix(best, "did") {
					hint = best
				}
			}
			f := problem(codeMoved, l.block.Type, l.toAt, hint, "there is no %s to move %s to", end, l.from)
			f.Severity = diag.Warning // the blocks may stay when the image has gone
			ev.add(f)
		}
	}
}

// longest finds the block that says most exactly what became of an address.
func longest(byFrom map[spec.Address]*life, a spec.Address) *life {
	for n := len(a); n > 0; n-- {
		if l := byFrom[a[:n]]; l != nil && a.Within(l.from) {
			return l
		}
	}
	return nil
}

func (ev *evaluator) stillThere(l *life, a spec.Address) {
	ev.add(problem(codeMoved, l.block.Type, l.fromAt, "remove the image block, or this one", "%s is still there", a))
}

// moduleAddress reports whether a names a module, and not an image.
func moduleAddress(a spec.Address) bool {
	_, name, _ := a.Split()
	return name == ""
}

// within lists the images of the configuration that an address names.
func (ev *evaluator) within(a spec.Address) []spec.Address {
	i, _ := ev.p.index(a)
	var out []spec.Address
	for ; i < len(ev.p.Images) && strings.HasPrefix(string(ev.p.Images[i].Address), string(a)); i++ {
		if ev.p.Images[i].Address.Within(a) {
			out = append(out, ev.p.Images[i].Address)
		}
	}
	return out
}

// wants reports whether the configuration has an image.
func (ev *evaluator) wants(a spec.Address) bool {
	_, ok := ev.p.index(a)
	return ok
}

// addressIn reads an attribute of a block as an address in the scope, which
// need not exist.
func (ev *evaluator) addressIn(b *block, name string) (spec.Address, hcl.Range, bool) {
	a := b.Body.Attributes[name]
	if a == nil {
		return "", hcl.Range{}, false // and that was told
	}
	at := a.Expr.Range()
	if address, ok := addressOf(a.Expr); ok {
		return spec.Address(ev.cur.prefix) + address, at, true
	}
	ev.add(problem(codeMoved, b.Type, at, `write image.NAME, image.NAME["KEY"] or module.NAME, without quotes around it`, "%s must be the address of an image or a module", name))
	return "", at, false
}

// addressOf reads image.NAME, image.NAME["KEY"] and these after module.NAME or
// module.NAME["KEY"], which are addresses, too.
func addressOf(e hclsyntax.Expression) (spec.Address, bool) {
	t, diags := hcl.AbsTraversalForExpr(e)
	if diags.HasErrors() {
		return "", false
	}
	return addressAlong(t)
}

func addressAlong(t hcl.Traversal) (spec.Address, bool) {
	address := ""
	for i := 0; i < len(t); {
		kind := ""
		switch step := t[i].(type) {
		case hcl.TraverseRoot:
			kind = step.Name
		case hcl.TraverseAttr:
			kind = step.Name
		}
		if kind != "image" && kind != "module" || i+1 == len(t) {
			return "", false
		}
		name, ok := t[i+1].(hcl.TraverseAttr)
		if !ok {
			return "", false
		}
		if address != "" {
			address += "."
		}
		address += kind + "." + name.Name
		i += 2
		if i < len(t) {
			if key, ok := t[i].(hcl.TraverseIndex); ok {
				if key.Key.Type() != cty.String {
					return "", false
				}
				address = instance(address, key.Key.AsString())
				i++
			}
		}
		if kind == "image" && i < len(t) {
			return "", false
		}
	}
	return spec.Address(address), true
}
