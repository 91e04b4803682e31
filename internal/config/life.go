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
	movedSchema   = schema[described]{rows: []row[described]{{name: "from", required: true}, {name: "to", required: true}}}
	removedSchema = schema[removal]{rows: []row[removal]{{name: "from", required: true}, {name: "keep_files", to: func(r *removal) any { return &r.keep }}}}
)

type removal struct{ keep bool }

// lives reads the moved and removed blocks.
func (ev *evaluator) lives() {
	from := map[spec.Address]hcl.Range{} // that a block names already
	to := map[spec.Address]hcl.Range{}
	once := func(seen map[spec.Address]hcl.Range, a spec.Address, thing string, at hcl.Range) bool {
		first, ok := seen[a]
		if ok {
			ev.add(diag.Finding{Severity: diag.Error, Code: codeDuplicate, Text: fmt.Sprintf("%s: another block names %s", thing, a), Hint: "keep one of them",
				Range: rangeOf(at), Related: []diag.Related{{Range: *rangeOf(first), Text: "the first one"}}})
		}
		seen[a] = at
		return !ok
	}
	gone := func(a spec.Address, thing string, at hcl.Range) bool {
		if ev.wants(a) {
			ev.add(problem(codeMoved, thing, at, "remove the image block, or this one", "%s is still there", a))
			return false
		}
		return true
	}
	for _, b := range ev.decls.lives {
		var r removal
		if b.Type == "removed" {
			decode(b.Body, &removedSchema, &r, ev.getter(b.Type), b.Type, b.DefRange(), ev.add)
		} else {
			decode(b.Body, &movedSchema, &described{}, ev.getter(b.Type), b.Type, b.DefRange(), ev.add)
		}
		old, oldAt, ok := ev.addressIn(b, "from")
		if !ok || !once(from, old, b.Type, oldAt) || !gone(old, b.Type, oldAt) {
			continue
		}
		if b.Type == "removed" {
			ev.p.Removed = append(ev.p.Removed, Removed{old, r.keep})
			continue
		}
		now, nowAt, ok := ev.addressIn(b, "to")
		switch {
		case !ok || !once(to, now, b.Type, nowAt):
		case !ev.wants(now):
			name, _, _ := strings.Cut(strings.TrimPrefix(string(now), "image."), "[")
			ev.add(problem(codeMoved, b.Type, nowAt, nearest(name, ev.decls.imageNames()), "there is no %s to move %s to", now, old))
		default:
			ev.p.Moved = append(ev.p.Moved, Moved{old, now})
		}
	}
}

// wants reports whether the configuration has an image, or a keyed one of that
// name.
func (ev *evaluator) wants(a spec.Address) bool {
	for i := range ev.p.Images {
		if ev.p.Images[i].Address == a {
			return true
		}
	}
	return false
}

// addressIn reads an attribute of a block as the address of an image, which
// need not exist.
func (ev *evaluator) addressIn(b *block, name string) (spec.Address, hcl.Range, bool) {
	a := b.Body.Attributes[name]
	if a == nil {
		return "", hcl.Range{}, false // and that was told
	}
	at := a.Expr.Range()
	if address, ok := addressOf(a.Expr); ok {
		return address, at, true
	}
	ev.add(problem(codeMoved, b.Type, at, `write image.NAME or image.NAME["KEY"], without quotes around it`, "%s must be the address of an image", name))
	return "", at, false
}

// addressOf reads image.NAME and image.NAME["KEY"].
func addressOf(e hclsyntax.Expression) (spec.Address, bool) {
	t, diags := hcl.AbsTraversalForExpr(e)
	if diags.HasErrors() || len(t) < 2 || len(t) > 3 || t.RootName() != "image" {
		return "", false
	}
	name, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return "", false
	}
	address := "image." + name.Name
	if len(t) == 3 {
		key, ok := t[2].(hcl.TraverseIndex)
		if !ok || key.Key.Type() != cty.String {
			return "", false
		}
		address = instance(address, key.Key.AsString())
	}
	return spec.Address(address), true
}
