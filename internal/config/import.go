package config

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// importSchema: to is decoded by its own code, since it names what may not be
// there, and its keys may be expressions.
var importSchema = schema[Import]{rows: []row[Import]{
	{name: "to", kind: "image address", required: true, doc: "the image: image.NAME, image.NAME[\"KEY\"], or image.NAME[each.key] with for_each; one of a module, too"},
	{name: "path", required: true, to: func(im *Import) any { return &im.Path }, hint: `write the path of a picture, such as "static/logo.png"`,
		doc: "a PNG, JPEG, WebP or GIF of the project, from the root (not of output_dir)"},
	{name: "for_each", kind: "map, object or set of strings", doc: "one import for each key, with each.key and each.value"},
}}

const rowImportPath = 1 << 1

// AtImport is the place of an attribute of the import block of an image, else
// the head of the block. It is nil for an image without one.
func (p *Project) AtImport(src Source, a spec.Address, field string) *diag.Range {
	for _, list := range [][]Import{p.Imports, p.Undeclared} {
		if i, ok := slices.BinarySearchFunc(list, a, func(im Import, a spec.Address) int { return cmp.Compare(im.To, a) }); ok {
			return (&locator{src: src, p: p}).field(list[i].block, field)
		}
	}
	return nil
}

// Generated is an image block to be written for an import.
type Generated struct {
	Import
	Comment, Prompt, Alt string // Alt may be empty
	Format               string // of the picture
}

// Generate writes image blocks that take the pictures of imports as they are,
// where the format allows it.
func (p *Project) Generate(list []Generated) []byte {
	f := hclwrite.NewEmptyFile()
	comment := func(to *hclwrite.Body, text string) {
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, text)
		to.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + text + "\n")}})
	}
	comment(f.Body(), "Written by imgbuild plan -generate-config-out, for pictures that exist. The import blocks")
	comment(f.Body(), "may go when they are applied.")
	for _, g := range list {
		f.Body().AppendNewline()
		body := f.Body().AppendNewBlock("image", []string{strings.TrimPrefix(string(g.To), "image.")}).Body()
		comment(body, g.Comment)
		comment(body, "Put the prompt right before the first apply: a later change of it buys a new picture.")
		body.SetAttributeValue("prompt", cty.StringVal(g.Prompt))
		body.SetAttributeValue("path", cty.StringVal(p.generatedPath(g.Path, g.Format)))
		if g.Alt != "" {
			body.SetAttributeValue("alt", cty.StringVal(g.Alt))
		}
	}
	return hclwrite.Format(f.Bytes())
}

// generatedPath is the path of an image that takes a picture: that of the
// picture if it lies under output_dir and its name ends as its format wants.
func (p *Project) generatedPath(file, format string) string {
	if dir := p.Settings.OutputDir; dir != "." {
		inside := strings.HasPrefix(file, dir+"/")
		if file = strings.TrimPrefix(file, dir+"/"); !inside {
			file = path.Base(file)
		}
	}
	if spec.FormatOf(file) != format || !slices.Contains(formats, format) {
		return strings.TrimSuffix(file, path.Ext(file)) + extension(format, ".png")
	}
	return file
}

// imports reads the import blocks, which only the root has.
func (ev *evaluator) imports() {
	seen := map[spec.Address]hcl.Range{}
	moved := make(map[spec.Address]spec.Address, len(ev.p.Moved))
	for _, m := range slices.Backward(ev.p.Moved) {
		moved[m.From] = m.To
	}
	ev.in(ev.top, func() {
		for _, b := range ev.top.imports {
			ev.importsOf(b, seen, moved)
		}
	})
	for _, list := range [][]Import{ev.p.Imports, ev.p.Undeclared} {
		slices.SortFunc(list, func(a, b Import) int { return cmp.Compare(a.To, b.To) })
	}
}

// importsOf evaluates one block, once for each round of its for_each.
func (ev *evaluator) importsOf(b *block, seen map[spec.Address]hcl.Range, moved map[spec.Address]spec.Address) {
	to, from, each := b.Body.Attributes["to"], b.Body.Attributes["path"], b.Body.Attributes["for_each"]
	var rounds repeated
	ctx := ev.cur.tree.ctx
	if each != nil {
		rounds.forEach = ev.prepare(each.Expr, uses{thing: "import", refs: true})
		ctx = ctx.NewChild()
		ctx.Variables = map[string]cty.Value{}
	}
	ev.repeat(&rounds, "import")
	u := uses{thing: "import", refs: true, each: each != nil}
	if from != nil && !literal(from.Expr) {
		from.Expr = ev.prepare(from.Expr, u)
	}
	var target func() (spec.Address, bool)
	if to != nil {
		target = ev.importTarget(to.Expr, u, ctx)
	}
	get := func(e hclsyntax.Expression) (cty.Value, bool) {
		if v, ok := constant(e); ok {
			return v, true
		}
		return ev.plain(e, ctx, "import"), true
	}
	if len(rounds.each) == 0 { // what is wrong with the block is told even so
		decode(b.Body, &importSchema, &Import{}, func(hclsyntax.Expression) (cty.Value, bool) { return cty.DynamicVal, true }, "import", b.DefRange(), ev.add)
	}
	for _, r := range rounds.each {
		if each != nil {
			ctx.Variables["each"] = r.value
		}
		im := Import{block: placeOf(b.file, b.Block)}
		has, _ := decode(b.Body, &importSchema, &im, get, "import", b.DefRange(), ev.add)
		if target == nil {
			continue // and that was told
		}
		var ok bool
		if im.To, ok = target(); !ok {
			continue
		}
		at := to.Expr.Range()
		if first, twice := seen[im.To]; twice {
			f := problem(codeDuplicate, "import", at, "keep one of them", "another picture is imported as %s", im.To)
			f.Related = []diag.Related{{Range: *rangeOf(first), Text: "the first one"}}
			if first == at {
				f.Hint, f.Related = "use each.key in to, so that each picture has an image of its own", nil
			}
			ev.add(f)
			continue
		}
		seen[im.To] = at
		// The block may stay when the image gets another name.
		if now, ok := moved[im.To]; ok {
			im.To = now
		}
		good := has.set&rowImportPath != 0 && ev.importPath(&im, from.Expr.Range()) // else that was told
		switch {
		case ev.wants(im.To):
			if good {
				ev.p.Imports = append(ev.p.Imports, im)
			}
		case ev.declared(im.To):
			// It is left out by enabled, or its for_each failed.
		case ev.opt.Undeclared && ev.writable(im.To):
			if good {
				ev.p.Undeclared = append(ev.p.Undeclared, im)
			}
		default:
			f := ev.notDeclared(im.To, at)
			if ev.opt.Undeclared && !strings.HasPrefix(f.Hint, "did") {
				f.Severity = diag.Warning
				f.Text += ", and no block is written for it: " + whyNotWritten(im.To)
			}
			ev.unknownName(f)
		}
	}
}

// importPath tells what is wrong with the path of an import.
func (ev *evaluator) importPath(im *Import, at hcl.Range) bool {
	im.Path = trimDot(im.Path)
	if strings.Contains(im.Path, "://") {
		ev.add(problem(codePath, "import", at, "download it into the project and write its path", "%s is on another machine", quoteKey(im.Path)))
		return false
	}
	if err := spec.CheckPath(im.Path); err != nil {
		ev.add(problem(codePath, "import", at, "", "the path %s %s", quoteKey(im.Path), err))
		return false
	}
	return true
}

// writable reports whether a block can be written for an image that is not
// declared: what a for_each should be can't be guessed, and a module is not of
// the files that are written to.
func (ev *evaluator) writable(a spec.Address) bool {
	modules, name, key := a.Split()
	return modules == "" && key == "" && identifier(name) && ev.top.image(name) == nil
}

func whyNotWritten(a spec.Address) string {
	switch modules, _, key := a.Split(); {
	case modules != "":
		return "it would belong into the folder of a module"
	case key != "":
		return "what its for_each should be can't be told from one key"
	}
	return "another block has its name"
}

// declared reports whether an image is only left out by enabled, or a for_each
// on the way to it failed: that is no mistake of the import.
func (ev *evaluator) declared(a spec.Address) bool {
	modules, _, key := a.Split()
	sc, name := ev.scopeOf(a)
	if sc == nil {
		last := ""
		for prefix := range ev.scopes {
			if strings.HasPrefix(modules, prefix) && len(prefix) > len(last) {
				last = prefix
			}
		}
		called := strings.TrimPrefix(modules[len(last):], "module.")
		m := ev.scopes[last].modules[called[:strings.IndexAny(called, ".[")]]
		return m != nil && (m.tree == nil || m.forEach != nil && m.byKey == nil)
	}
	d := sc.image(name)
	if d == nil || d.keyed() != (key != "") {
		return false
	}
	if key == "" || d.slow.byKey == nil {
		return true
	}
	return ev.disabled[a]
}

// notDeclared says that there is no image to import a picture to.
func (ev *evaluator) notDeclared(a spec.Address, at hcl.Range) diag.Finding {
	modules, name, key := a.Split()
	f := problem(codeImport, "import", at, "", "there is no %s", a)
	sc, _ := ev.scopeOf(a)
	if sc == nil {
		scopes := slices.DeleteFunc(slices.Sorted(maps.Keys(ev.scopes)), func(s string) bool { return s == "" })
		for i := range scopes {
			scopes[i] = strings.TrimSuffix(scopes[i], ".")
		}
		f.Hint = nearest(strings.TrimSuffix(modules, "."), scopes)
		return f
	}
	base := a.Base()
	d := sc.image(name)
	switch {
	case d != nil && key != "" && d.keyed():
		f.Hint = nearest(strings.Trim(key, `"`), sortedKeys(d.slow.byKey))
	case d != nil && key != "":
		f.Hint = fmt.Sprintf("%s has no for_each, so it takes no key", base)
	case d != nil:
		f.Hint = fmt.Sprintf("%s has for_each: write to = %s[\"KEY\"], or for_each here too and to = %s[each.key]", base, base, base)
	case modules != "":
		f.Hint = nearest(name, sc.imageNames())
	case key != "":
		f.Hint = fmt.Sprintf("add image %q { for_each = … }", name)
	default:
		f.Hint = "imgbuild plan -generate-config-out=imported.img.hcl writes its block"
		if best := nearest(name, sc.imageNames()); strings.HasPrefix(best, "did") {
			f.Hint = best + " Else: " + f.Hint
		}
	}
	return f
}

// importTarget reads the address of an import, whose keys may be expressions.
// The result gives it for the round that ctx holds.
func (ev *evaluator) importTarget(e hclsyntax.Expression, u uses, ctx *hcl.EvalContext) func() (spec.Address, bool) {
	steps, keys, ok := addressSteps(e)
	shape, is := addressAlong(steps)
	if !ok || !is || moduleAddress(shape) {
		ev.add(problem(codeImport, "import", e.Range(), `write image.NAME, image.NAME["KEY"] or image.NAME[each.key], without quotes around it`, "to must be the address of an image"))
		return nil
	}
	for i := range keys {
		keys[i] = ev.prepare(keys[i], u)
	}
	return func() (spec.Address, bool) {
		for i, key := range keys {
			v := ev.openly(key, ctx, "import", "a key")
			if !v.IsKnown() {
				return "", false // and that was told
			}
			if v.Type() != cty.String || v.IsNull() {
				ev.add(problem(codeImport, "import", key.Range(), "use each.key", "the key must be a string, and %s", describe(v)))
				return "", false
			}
			steps[i] = hcl.TraverseIndex{Key: v}
		}
		return addressAlong(steps)
	}
}

// addressSteps takes an address apart. A key that is an expression is in keys,
// by its step, and stood in for.
func addressSteps(e hclsyntax.Expression) (steps hcl.Traversal, keys map[int]hclsyntax.Expression, ok bool) {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return slices.Clone(e.Traversal), map[int]hclsyntax.Expression{}, true
	case *hclsyntax.RelativeTraversalExpr:
		if steps, keys, ok = addressSteps(e.Source); ok {
			return append(steps, e.Traversal...), keys, true
		}
	case *hclsyntax.IndexExpr:
		if steps, keys, ok = addressSteps(e.Collection); ok {
			keys[len(steps)] = e.Key
			return append(steps, hcl.TraverseIndex{Key: cty.StringVal("")}), keys, true
		}
	}
	return nil, nil, false
}
