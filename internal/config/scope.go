package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

const (
	maxModules = 100_000 // instances of modules in a project
	maxImages  = 200_000 // of a project
	maxNested  = 32      // modules in one another
)

// tree is what the files of a folder declare. The instances of a module share
// it: its expressions are prepared once, and what they name is looked up in the
// scope that is evaluated.
type tree struct {
	*decls
	dir string           // slash path from the root; "" is the root
	ctx *hcl.EvalContext // with its functions

	makersUsed map[string]bool // by expressions
}

// scope is a module under evaluation: the root, or an instance of a module.
type scope struct {
	*decls // with values
	tree   *tree
	prefix string            // of addresses, such as `module.icons["a"].`
	parent *scope            // nil for the root
	call   *moduleDecl       // in the parent
	ctx    *hcl.EvalContext  // of the call: knows each
	number int               // of the instance
	passed map[string]string // providers by the name that they have here

	defaultMaker string // key
	makerUnclear bool   // and it was told
}

// repeated is what for_each makes of a block.
type repeated struct {
	forEach hclsyntax.Expression // nil for a single one
	each    []instanceOf         // by key; one without key for a single one
	byKey   map[string]int       // index in each; nil if for_each failed
	counted bool                 // each is complete
	waits   bool                 // values have results of images in them
	round   int                  // in which they were evaluated
}

// missing tells that there is no instance of a key, so that try and can may
// swallow it.
func (r *repeated) missing(key, thing string, at hcl.Range) hcl.Diagnostics {
	if r.byKey == nil {
		return nil // its for_each failed, which was told
	}
	f := problem(codeUnknownKey, thing, at, nearest(key, sortedKeys(r.byKey)), "there is no instance %s", quoteKey(key))
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unknown key", Detail: f.Text, Subject: &at, Extra: told{f}}}
}

// instanceOf is one round of a for_each.
type instanceOf struct {
	key   string
	value cty.Value // each
}

// moduleDecl is a module block.
type moduleDecl struct {
	repeated
	name   string
	block  *block
	tree   *tree // nil if it could not be read
	scopes []*scope
	opened bool
}

// has reports whether the module has an output of that name.
func (m *moduleDecl) has(output string) bool {
	return m.tree != nil && slices.ContainsFunc(m.tree.outputs, func(o *outputDecl) bool { return o.name == output })
}

// secretly is what a call gives to sensitive variables of the module.
func (m *moduleDecl) secretly() (list []*hclsyntax.Attribute) {
	for _, name := range sortedKeys(m.block.Body.Attributes) {
		if m.tree != nil && m.tree.vars[name] != nil && m.tree.vars[name].about.sensitive {
			list = append(list, m.block.Body.Attributes[name])
		}
	}
	return list
}

// in evaluates with another scope.
func (ev *evaluator) in(sc *scope, do func()) {
	outer := ev.cur
	ev.cur = sc
	do()
	ev.cur = outer
}

// grow reads the folders of the modules that a tree calls, each folder once.
// chain is the folders on the way to it.
func (ev *evaluator) grow(t *tree, chain []string) {
	for _, name := range sortedKeys(t.modules) {
		m := t.modules[name]
		thing, body := "module."+name, m.block.Body
		a := body.Attributes["source"]
		if a == nil {
			ev.add(problem(codeRequired, thing, m.block.DefRange(), `add source = "./FOLDER"`, "source is required"))
			continue
		}
		at := a.Expr.Range()
		dir, ok := ev.folder(t.dir, a, thing)
		if !ok {
			continue
		}
		if i := slices.Index(chain, dir); i >= 0 {
			text := "includes itself"
			if between := chain[i+1:]; len(between) > 0 {
				text += " by way of " + strings.Join(between, ", ")
			}
			ev.add(problem(codeCycle, thing, at, "let it call another folder", "the folder %s %s", quoteKey(orDot(dir)), text))
			continue
		}
		if len(chain) == maxNested {
			ev.add(problem(codeModule, thing, at, "call some of them side by side", "more than %d modules are nested in one another", maxNested))
			continue
		}
		sub, seen := ev.trees[dir]
		if !seen {
			sub = ev.plant(dir, thing, at, append(slices.Clone(chain), dir))
		}
		m.tree = sub
		if sub != nil {
			ev.checkInputs(m)
		}
	}
}

// folder reads the source of a module, which stands in dir; ok is false if it
// can't be one.
func (ev *evaluator) folder(dir string, a *hclsyntax.Attribute, thing string) (folder string, ok bool) {
	at := a.Expr.Range()
	v, ok := constant(a.Expr)
	if !ok || v.Type() != cty.String || v.IsNull() {
		ev.add(problem(codeModule, thing, at, `write it such as "./modules/icons"`, "source must be a plain string, because it is read before anything is evaluated"))
		return "", false
	}
	source := v.AsString()
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") {
		hint := "copy the module into the project, and begin the path with ./"
		if spec.CheckPath(source) == nil && !strings.Contains(source, ":") {
			hint = "write " + quoteKey("./"+source)
		}
		ev.add(problem(codeModule, thing, at, hint, "source %s is no folder of the project: it must begin with ./ or ../", quoteKey(source)))
		return "", false
	}
	folder = path.Join(dir, source)
	if folder == ".." || strings.HasPrefix(folder, "../") {
		ev.add(problem(codeModule, thing, at, "copy the module into the project", "source %s leaves the root of the project", quoteKey(source)))
		return "", false
	}
	if folder == "." {
		folder = ""
	}
	return folder, true
}

func orDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// plant reads and prepares the files of a folder.
func (ev *evaluator) plant(dir, thing string, at hcl.Range, chain []string) *tree {
	names, ok := ev.configIn(dir, thing, at)
	if !ok {
		ev.trees[dir] = nil
		return nil
	}
	ev.inputs.add(Input{Kind: InputFolder, Path: dir, Content: ofList(names)})
	t := &tree{dir: dir, ctx: ev.root.NewChild()}
	t.ctx.Variables, t.ctx.Functions = map[string]cty.Value{}, map[string]function.Function{}
	ev.trees[dir] = t
	t.decls = ev.parseAll(dir, names)
	ev.in(&scope{decls: t.decls, tree: t}, func() {
		ev.tellForeign()
		for _, name := range sortedKeys(t.vars) {
			ev.declareVar(name, t.vars[name])
		}
		ev.grow(t, chain)
		ev.prepareAll()
	})
	return t
}

// configIn lists the files of a module, or tells that there are none.
func (ev *evaluator) configIn(dir, thing string, at hcl.Range) (names []string, ok bool) {
	all, err := ev.src.ReadDir(dir)
	names = configFiles(all)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		ev.add(problem(codeModule, thing, at, "", "there is no folder %s", quoteKey(dir)))
	case err != nil:
		ev.add(problem(codeModule, thing, at, "", "the folder %s can't be read: %s", quoteKey(orDot(dir)), cause(err)))
	case !slices.ContainsFunc(names, isConfig):
		ev.add(problem(codeModule, thing, at, "", "there is no *.img.hcl in the folder %s", quoteKey(orDot(dir))))
	default:
		return names, true
	}
	return nil, false
}

// tellForeign tells of blocks that a module can't have.
func (ev *evaluator) tellForeign() {
	for _, b := range ev.cur.foreign {
		ev.add(problem(codeModule, b.Type, b.DefRange(), rootOnly[b.Type], "a module has no %s block", b.Type))
	}
}

// rootOnly is the blocks that only the root has, with what to do instead.
var rootOnly = map[string]string{
	"imgbuild": "move it to the root of the project",
	"import":   "move it to the root of the project, with to = module.NAME.image.NAME",
	"budget":   "move it to the root of the project, where it is for all images with its tags",
	"provider": "declare the provider in the root, and pass it with providers = { xai = provider.NAME }",
}

// checkInputs compares what a call gives with the variables of the module.
func (ev *evaluator) checkInputs(m *moduleDecl) {
	thing := "module." + m.name
	for _, a := range m.secretly() {
		ev.p.hide(a.Expr.Range())
	}
	for _, name := range sortedKeys(m.block.Body.Attributes) {
		a := m.block.Body.Attributes[name]
		switch {
		case slices.Contains(moduleSchema.names(), name):
		case m.tree.vars[name] != nil:
		case name == "depends_on" || name == "version":
			hint := "write depends_on in the images of the module"
			if name == "version" {
				hint = "remove it: a folder of the project has no versions"
			}
			ev.add(problem(codeUnknownAttr, thing, a.NameRange, hint, "a module block takes no %s", name))
		case name == "count":
			ev.add(problem(codeCount, thing, a.NameRange, "use for_each with a map or a set: its keys name the images", "there is no count, because a shifted index would buy images again"))
		default:
			ev.unknownName(problem(codeUnknownAttr, thing, a.NameRange, nearest(name, sortedKeys(m.tree.vars)), "the module has no variable %q", name))
		}
	}
	for _, name := range sortedKeys(m.tree.vars) {
		if m.block.Body.Attributes[name] == nil && !m.tree.vars[name].given {
			f := problem(codeMissingVar, thing, m.block.DefRange(), fmt.Sprintf("add %s = …", name), "the variable %s of the module has no value", name)
			f.Related = []diag.Related{{Range: *rangeOf(m.tree.vars[name].block.DefRange()), Text: "var." + name}}
			ev.add(f)
		}
	}
	for _, b := range m.block.Body.Blocks {
		ev.add(problem(codeUnknownBlock, thing, b.TypeRange, "write NAME = value for each variable of the module", "there are no blocks in a module block"))
	}
}

// open makes the instances of a module, with values of their own.
func (ev *evaluator) open(m *moduleDecl, at hcl.Range) {
	outer := ev.cur
	thing := outer.prefix + "module." + m.name
	if m.opened || !ev.enter(thing, at) {
		return
	}
	ev.repeat(&m.repeated, thing)
	ev.leave()
	m.opened = true
	if m.tree == nil {
		return
	}
	passed := ev.passed(m, thing)
	for i, e := range m.each {
		ev.earnImages(1)
		if ev.instances++; ev.instances > maxModules {
			if ev.instances == maxModules+1 {
				ev.add(problem(codeBudget, thing, m.block.DefRange(), "use for_each of images instead", "the project has more than %d instances of modules", maxModules))
			}
			break
		}
		if !ev.pay(m.tree.costOfInstance(), thing, m.block.DefRange()) {
			break
		}
		sc := &scope{tree: m.tree, parent: outer, call: m, prefix: thing + ".", passed: passed, ctx: outer.tree.ctx, number: i}
		if m.forEach != nil {
			sc.prefix = instance(thing, e.key) + "."
			sc.ctx = outer.tree.ctx.NewChild()
			sc.ctx.Variables = map[string]cty.Value{"each": e.value}
		}
		sc.decls = m.tree.instance(sc)
		ev.scopes[sc.prefix] = sc
		m.scopes = append(m.scopes, sc)
		ev.register(sc)
	}
}

// register makes the presets of a scope known by their addresses.
func (ev *evaluator) register(sc *scope) {
	for _, p := range sc.presets {
		ev.presets[sc.prefix+"preset."+p.name] = p
	}
}

// costOfInstance is for the declarations that an instance copies.
func (t *tree) costOfInstance() int {
	others := len(t.presets) + len(t.vars) + len(t.locals) + len(t.modules) + len(t.outputs)
	return costOfInstance*(1+len(t.images)) + costOfCopy*others
}

// instance copies the declarations, for values of their own.
func (t *tree) instance(sc *scope) *decls {
	d := &decls{
		images: slices.Clone(t.images), lives: t.lives, functions: t.functions, checks: t.checks,
		presets: make(map[string]*presetDecl, len(t.presets)), vars: make(map[string]*varDecl, len(t.vars)),
		locals: make(map[string]*localDecl, len(t.locals)), modules: make(map[string]*moduleDecl, len(t.modules)),
		outputs: make([]*outputDecl, len(t.outputs)),
	}
	for i := range d.images {
		im := &d.images[i]
		if im.slow != nil {
			im.slow = &slowImage{block: im.slow.block, repeated: repeated{forEach: im.slow.forEach}, conditions: im.slow.conditions}
			continue
		}
		draft := *im.draft
		draft.scope = sc
		draft.Address = spec.Address(sc.prefix) + draft.Address
		draft.Renditions = slices.Clone(draft.Renditions)
		draft.Wanted.Sources = slices.Clone(draft.Wanted.Sources)
		for k := range draft.Wanted.Sources {
			if s := &draft.Wanted.Sources[k]; s.Image != "" {
				s.Image = spec.Address(sc.prefix) + s.Image
			}
		}
		draft.DependsOn = slices.Clone(draft.DependsOn)
		for k, a := range draft.DependsOn {
			draft.DependsOn[k] = spec.Address(sc.prefix) + a
		}
		if p := draft.preset; p != nil {
			draft.preset = &target{p.kind, sc.prefix + p.name}
		}
		if p := draft.maker; p != nil {
			draft.maker = &target{p.kind, sc.maker(p.name)}
		}
		im.draft = &draft
	}
	for name, p := range t.presets {
		d.presets[name] = &presetDecl{name: p.name, block: p.block, index: p.index, scope: sc}
	}
	for name, v := range t.vars {
		c := *v
		if a := sc.call.block.Body.Attributes[name]; a != nil {
			c.input, c.given, c.value = a.Expr, true, cty.DynamicVal
		}
		d.vars[name] = &c
	}
	for name, l := range t.locals {
		d.locals[name] = &localDecl{expr: l.expr, name: l.name}
	}
	for name, m := range t.modules {
		d.modules[name] = &moduleDecl{name: m.name, block: m.block, tree: m.tree, repeated: repeated{forEach: m.forEach}}
	}
	for i, o := range t.outputs {
		d.outputs[i] = &outputDecl{name: o.name, body: o.body, at: o.at, conditions: o.conditions}
	}
	return d
}

// passed reads which providers a call hands to its module.
func (ev *evaluator) passed(m *moduleDecl, thing string) map[string]string {
	a := m.block.Body.Attributes["providers"]
	if a == nil {
		return nil
	}
	hint := "write providers = { xai = provider.NAME }"
	v := ev.openly(a.Expr, nil, thing, "providers")
	if v.Type() == cty.DynamicPseudoType {
		return nil
	}
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		ev.add(problem(codeType, thing, a.Expr.Range(), hint, "providers must map names to providers, and %s", describe(v)))
		return nil
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if known := ev.makersOf(m.tree); !slices.Contains(known, k.AsString()) {
			ev.add(problem(codeUnknownName, thing, a.Expr.Range(), nearest(k.AsString(), known), "providers: the module knows no provider %s", quoteKey(k.AsString())))
		} else if t, ok := targetOf(e); ok && t.kind == "provider" {
			out[k.AsString()] = t.name
		} else if e.IsKnown() {
			ev.add(problem(codeType, thing, a.Expr.Range(), hint, "providers: %s must be a provider, and %s", k.AsString(), describe(e)))
		}
	}
	return out
}

// makersOf is the names that a module may have for providers: those that it and
// its modules use, and the types.
func (ev *evaluator) makersOf(t *tree) []string {
	names := map[string]bool{}
	for _, ty := range ev.opt.Types {
		names[ty] = true
	}
	for key := range ev.top.makers {
		ty, _, _ := strings.Cut(key, ".")
		names[ty] = true
	}
	var visit func(t *tree)
	visit = func(t *tree) {
		for key := range t.makersUsed {
			names[key] = true
		}
		for i := range t.images {
			if d := t.images[i].draft; d != nil && d.maker != nil {
				names[d.maker.name] = true
			}
		}
		for _, m := range t.modules {
			if m.tree != nil {
				visit(m.tree)
			}
		}
	}
	if t != nil {
		visit(t)
	}
	return sortedKeys(names)
}

// maker is the key in the root of a provider that is named in this module: what
// was passed, else the one of that name.
func (sc *scope) maker(key string) string {
	for ; sc.parent != nil; sc = sc.parent {
		if to, ok := sc.passed[key]; ok {
			return to // evaluated in the parent, so that it is of the root
		}
	}
	return key
}

// every calls do in each scope, the root first.
func (ev *evaluator) every(do func(sc *scope)) {
	var visit func(sc *scope)
	visit = func(sc *scope) {
		ev.in(sc, func() {
			do(sc)
			for _, name := range sortedKeys(sc.modules) {
				m := sc.modules[name]
				ev.open(m, m.block.DefRange())
				for _, sub := range m.scopes {
					visit(sub)
				}
			}
		})
	}
	visit(ev.top)
}

// variable is the value of a variable, which in a module is what the call
// gives, evaluated at the first use.
func (ev *evaluator) variable(name string, at hcl.Range) cty.Value {
	sc := ev.cur
	v := sc.vars[name]
	if v.input == nil || v.done {
		return v.value
	}
	thing := sc.prefix + "var." + name
	if !ev.enter(thing, at) {
		return cty.DynamicVal
	}
	var val cty.Value
	ev.in(sc.parent, func() {
		if sc.call.forEach != nil {
			sc.ctx.Variables["each"] = ev.eachValue(&sc.call.repeated, sc.number, strings.TrimSuffix(sc.prefix, "."))
		}
		val = ev.value(v.input, sc.ctx, strings.TrimSuffix(sc.prefix, "."))
	})
	ev.leave()
	ev.give(name, val, v.input.Range(), "the value")
	ev.did(&v.done)
	return v.value
}

// module is the value of a reference to a module: with an output the value of
// that, else an object of all; without the key of a for_each one of all
// instances.
func (ev *evaluator) module(name string, key *string, output string, at hcl.Range) (cty.Value, hcl.Diagnostics) {
	m := ev.cur.modules[name]
	thing := ev.cur.prefix + "module." + name
	if ev.open(m, at); !m.opened {
		return cty.DynamicVal, nil // a circle
	}
	one := func(i int) cty.Value {
		if i >= len(m.scopes) {
			return cty.DynamicVal
		}
		if output != "" {
			return ev.output(m.scopes[i], output, at)
		}
		attrs := map[string]cty.Value{}
		for _, o := range m.tree.outputs {
			attrs[o.name] = ev.output(m.scopes[i], o.name, at)
		}
		return cty.ObjectVal(attrs)
	}
	if key != nil {
		i, ok := m.byKey[*key]
		if !ok {
			return cty.DynamicVal, m.missing(*key, thing, at)
		}
		return one(i), nil
	}
	if m.forEach == nil {
		return one(0), nil
	}
	attrs := make(map[string]cty.Value, len(m.scopes))
	for i := range m.scopes {
		attrs[m.each[i].key] = one(i)
	}
	return cty.ObjectVal(attrs), nil
}

// output is the value of an output of a module.
func (ev *evaluator) output(sc *scope, name string, at hcl.Range) cty.Value {
	i, ok := slices.BinarySearchFunc(sc.outputs, name, func(o *outputDecl, name string) int { return cmp.Compare(o.name, name) })
	if !ok {
		return cty.DynamicVal // and that was told
	}
	o := sc.outputs[i]
	if o.done {
		return o.value
	}
	thing := sc.prefix + "output." + name
	a := o.body.Attributes["value"]
	if a == nil || !ev.enter(thing, at) {
		return cty.DynamicVal
	}
	ev.in(sc, func() { o.value = ev.value(a.Expr, nil, thing) })
	ev.leave()
	ev.did(&o.done)
	return o.value
}

// forget drops what was evaluated and may depend on a result.
func (ev *evaluator) forget() {
	for _, done := range ev.dids {
		*done = false
	}
	ev.dids = ev.dids[:0]
}

// did notes that a value is evaluated. There may be many, and between two
// pictures that are judged few of them are.
func (ev *evaluator) did(done *bool) {
	*done = true
	ev.dids = append(ev.dids, done)
}

// scopeOf finds the module of an address, and the name of the image in it.
func (ev *evaluator) scopeOf(a spec.Address) (*scope, string) {
	modules, name, _ := a.Split()
	return ev.scopes[modules], name
}
