package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// TestSuffix is how the names of test files end.
const TestSuffix = ".imgtest.hcl"

// maxRuns is how many runs a file of tests may have: each loads the project.
const maxRuns = 1000

// Test is a file of tests. Its runs are evaluated in order, by one goroutine:
// Load, then, with all that was found, Expect, and Judge where there is a plan.
type Test struct {
	Name string // slash path from the root
	Runs []TestRun

	src    Source
	opt    Options
	values map[string]trialValue // of the whole file
	bare   *evaluator            // of the values of variables
	root   *evaluator            // whose providers a module alone has; nil before it is needed
	torn   bool                  // not all of it could be read
	hidden Project               // has the lines of all files that must not be shown
}

// TestRun is a run block.
type TestRun struct {
	Name   string
	Apply  bool     // else only a plan is made
	Module string   // the folder that is tested alone; "" for the root
	Needs  []string // earlier runs that it names, sorted
	Pixels bool     // an assertion asks what only the pixels of pictures tell
	Range  diag.Range

	lost    bool                   // what it tests can't be told
	values  []*hclsyntax.Attribute // of its own, by name
	uses    []hcl.Traversal        // of earlier runs, in values
	asserts []*hclsyntax.Block
	// The conditions of asserts.
	conditions []condition
	expect     []expectation
	ev         *evaluator // of the project under test; nil before Load, and once a later run is loaded
	under      *under     // nil before Load
	outputs    cty.Value  // NilVal before Judge
}

// under is what is remembered of the project under a test.
type under struct {
	vars, outputs []string
	torn          bool
}

// rehearsal is what a run changes of a project.
type rehearsal struct {
	dir    string // of the module that is tested alone; "" for the root
	values map[string]trialValue
	root   *evaluator // whose providers and settings a module alone has
}

// trialValue is the value of a variable.
type trialValue struct {
	value cty.Value
	at    hcl.Range
	name  hcl.Range
}

// expectation is an element of expect_failures.
type expectation struct {
	kind, thing string // "image", `image.post["a"]`
	keyed       bool
	at          hcl.Range
}

// expectable is which findings of what kind of thing may be expected.
var expectable = map[string][]string{
	"var":    {codeInvalidVar},
	"image":  {codePrecondition, codePostcondition},
	"output": {codePrecondition},
	"check":  {codeCheck},
}

const expectHint = "write var.NAME, image.NAME, output.NAME or check.NAME"

// LoadTest reads a file of tests, and finds what is wrong with the file itself.
func LoadTest(src Source, opt Options, name string) (*Test, diag.List) {
	opt.Expressions = true
	t := &Test{Name: name, src: src, opt: opt, values: map[string]trialValue{}, bare: newEvaluator(src, opt)}
	ev := t.bare
	ev.p.secrets = true // whether there are any, is known only when a project is loaded
	text, err := src.Read(name, maxFile+1)
	if err != nil {
		return t, diag.List{{Severity: diag.Error, Code: codeRead, Text: "file " + name + ": " + cause(err).Error(), Hint: hintOf(err), Range: &diag.Range{File: name}}}
	}
	var out parsed
	body, ok := out.parse(name, text)
	if t.torn = out.torn; !ok {
		return t, out.findings
	}
	for _, name := range sortedKeys(body.Attributes) {
		out.add(problem(codeUnknownAttr, name, body.Attributes[name].NameRange, "put it into a run block, or into variables", "there are no attributes outside blocks"))
	}
	var variables *hclsyntax.Block
	for _, b := range body.Blocks {
		switch {
		case !out.checkHead(b, testBlocks):
		case b.Type == "run":
			t.declareRun(b)
		case variables != nil:
			ev.second(b, variables, "variables")
		default:
			variables = b
			ev.noBlocks(b, "variables")
			ev.top.vars = map[string]*varDecl{}
			for _, name := range sortedKeys(b.Body.Attributes) {
				a := b.Body.Attributes[name]
				v, _ := ev.bare("var." + name)(a.Expr)
				t.values[name] = trialValue{value: v, at: a.Expr.Range(), name: a.NameRange}
				ev.top.vars[name] = &varDecl{value: v, given: true}
			}
		}
	}
	for i := range t.Runs {
		t.prepareValues(i)
	}
	return t, withoutEchoes(append(out.findings, *ev.out...).Sorted(), map[string]bool{name: out.torn})
}

// second tells of a block that may be there once.
func (ev *evaluator) second(b, first *hclsyntax.Block, thing string) {
	f := problem(codeDuplicate, thing, b.DefRange(), "keep one", "there are two %s blocks", b.Type)
	f.Related = []diag.Related{{Range: *rangeOf(first.DefRange()), Text: "the first one"}}
	ev.add(f)
}

func (ev *evaluator) noBlocks(b *hclsyntax.Block, thing string) {
	for _, inner := range b.Body.Blocks {
		ev.add(problem(codeUnknownBlock, thing, inner.TypeRange, "write NAME = value", "there are no blocks in variables"))
	}
}

// declareRun files a run block.
func (t *Test) declareRun(b *hclsyntax.Block) {
	ev, name := t.bare, b.Labels[0]
	thing := "run." + name
	if i := t.run(name); i >= 0 {
		ev.twice(thing, *rangeOf(b.DefRange()), t.Runs[i].Range)
		return
	}
	if len(t.Runs) == maxRuns {
		if !t.torn {
			ev.add(problem(codeBudget, thing, b.DefRange(), "split the file", "the file has more than %d runs", maxRuns))
		}
		t.torn = true
		return
	}
	r := TestRun{Name: name, Range: *rangeOf(b.DefRange())}
	decode(b.Body, &runSchema, &described{}, constant, thing, b.DefRange(), ev.add)
	if a := b.Body.Attributes["command"]; a != nil {
		word := hcl.ExprAsKeyword(a.Expr)
		r.Apply = word == "apply"
		if word != "plan" && word != "apply" {
			hint := nearest(word, commands)
			if v, ok := constant(a.Expr); ok && v.Type() == cty.String && slices.Contains(commands, v.AsString()) {
				hint = "write it without quotes"
			}
			ev.add(problem(codeChoice, thing, a.Expr.Range(), hint, "command must be plan or apply"))
		}
	}
	if a := b.Body.Attributes["expect_failures"]; a != nil {
		r.expect = ev.expectations(a.Expr, thing)
	}
	once := map[string]*hclsyntax.Block{}
	for _, inner := range b.Body.Blocks {
		switch first := once[inner.Type]; {
		case inner.Type == "assert":
			r.asserts = append(r.asserts, inner)
			r.Pixels = r.Pixels || asksPixels(inner.Body)
		case blockNamed(runSchema.blocks, inner.Type) == nil: // and that was told
		case first != nil:
			ev.second(inner, first, thing)
		default:
			once[inner.Type] = inner
			if len(inner.Labels) > 0 {
				ev.add(problem(codeLabel, thing, inner.LabelRanges[0], "remove it", "%s takes no label", inner.Type))
			}
		}
	}
	if v := once["variables"]; v != nil {
		ev.noBlocks(v, thing)
		for _, name := range sortedKeys(v.Body.Attributes) {
			r.values = append(r.values, v.Body.Attributes[name])
		}
	}
	if m := once["module"]; m != nil {
		var d described
		decode(m.Body, &runModuleSchema, &d, constant, thing, m.DefRange(), within(ev.add, "module: "))
		r.lost = true
		if a := m.Body.Attributes["source"]; a != nil {
			var ok bool
			if r.Module, ok = ev.folder("", a, thing); ok && r.Module != "" {
				_, ok = ev.configIn(r.Module, thing, a.Expr.Range())
			}
			r.lost = !ok
		}
	}
	needs := map[string]bool{}
	need := func(a *hclsyntax.Attribute) (uses []hcl.Traversal) {
		for _, v := range a.Expr.Variables() {
			if name, _, ok := nameStep(v, 1); ok && v.RootName() == "run" && t.run(name) >= 0 {
				needs[name] = true
				uses = append(uses, v)
			}
		}
		return uses
	}
	for _, a := range r.values {
		r.uses = append(r.uses, need(a)...)
	}
	for _, inner := range r.asserts {
		for _, a := range inner.Body.Attributes {
			need(a)
		}
	}
	r.Needs = sortedKeys(needs)
	r.conditions = ev.conditionsIn(b.Body, thing, "assert")
	t.Runs = append(t.Runs, r)
}

func (t *Test) run(name string) int {
	return slices.IndexFunc(t.Runs, func(r TestRun) bool { return r.Name == name })
}

func (t *Test) runNames(before int) []string {
	names := make([]string, before)
	for i := range names {
		names[i] = t.Runs[i].Name
	}
	return names
}

// asksPixels reports whether a block names what only the pixels of a picture
// tell. A name that is computed is not seen, and there is none.
func asksPixels(b *hclsyntax.Body) (asks bool) {
	hclsyntax.VisitAll(b, func(n hclsyntax.Node) hcl.Diagnostics {
		var steps hcl.Traversal
		switch n := n.(type) {
		case *hclsyntax.ScopeTraversalExpr:
			steps = n.Traversal
		case *hclsyntax.RelativeTraversalExpr:
			steps = n.Traversal
		}
		for _, s := range steps {
			switch s := s.(type) {
			case hcl.TraverseAttr:
				asks = asks || pixelAttrs[s.Name] != ""
			case hcl.TraverseIndex:
				asks = asks || s.Key.Type() == cty.String && pixelAttrs[s.Key.AsString()] != ""
			}
		}
		return nil
	})
	return asks
}

// expectations reads expect_failures.
func (ev *evaluator) expectations(e hclsyntax.Expression, thing string) (out []expectation) {
	list, ok := e.(*hclsyntax.TupleConsExpr)
	if !ok {
		ev.add(problem(codeType, thing, e.Range(), "write expect_failures = [var.NAME]", "expect_failures must be a list of addresses"))
		return nil
	}
	for _, e := range list.Exprs {
		wrong := func(text string) {
			ev.add(problem(codeType, thing, e.Range(), expectHint, "expect_failures: %s", text))
		}
		t, diags := hcl.AbsTraversalForExpr(e)
		if diags.HasErrors() {
			wrong("this is no address")
			continue
		}
		x := expectation{kind: t.RootName(), at: e.Range()}
		name, _, ok := nameStep(t, 1)
		switch {
		case expectable[x.kind] == nil:
			wrong(x.kind + " has no conditions that could fail")
			continue
		case !ok:
			wrong(x.kind + " is not one thing")
			continue
		}
		x.thing = x.kind + "." + name
		if len(t) > 2 {
			ix, ok := t[2].(hcl.TraverseIndex)
			if !ok || x.kind != "image" || ix.Key.Type() != cty.String || len(t) > 3 {
				wrong("only " + x.thing + " as a whole can be expected to fail")
				continue
			}
			x.thing, x.keyed = instance(x.thing, ix.Key.AsString()), true
		}
		out = append(out, x)
	}
	return out
}

// prepareValues resolves the names in the variables of a run.
func (t *Test) prepareValues(i int) {
	r := &t.Runs[i]
	for _, a := range r.values {
		a.Expr = t.bare.prepare(a.Expr, uses{thing: "run." + r.Name, test: t, run: i, values: true})
	}
}

// Validate loads what the runs test and finds what is wrong with what they say
// of it. Nothing that needs a run is evaluated.
func (t *Test) Validate() diag.List {
	if t.torn { // where values stand can't be told
		if ev, _ := loadFor(t.src, t.opt, nil); ev.p.secrets {
			t.hidden.hideLines(t.Name, stretch{})
		}
		return nil
	}
	loaded := map[string]*evaluator{}
	var out diag.List
	for i := range t.Runs {
		r := &t.Runs[i]
		if r.lost {
			continue
		}
		if r.ev = loaded[r.Module]; r.ev == nil {
			r.ev, _ = loadFor(t.src, t.opt, t.rehearse(r.Module, nil))
			loaded[r.Module] = r.ev
		}
		out = append(out, t.prepareRun(i)...)
	}
	return append(out, t.strangers()...).Sorted()
}

// strangers tells of values of the file for variables that are nowhere: neither
// in what is tested, nor used by the values of a run.
func (t *Test) strangers() (out diag.List) {
	known, loaded := map[string]bool{}, map[string]bool{}
	for i := range t.Runs {
		r := &t.Runs[i]
		if r.under == nil {
			continue
		}
		if r.under.torn {
			return nil // it can't be told
		}
		loaded[r.Module] = true
		for _, v := range r.under.vars {
			known[v] = true
		}
	}
	if len(loaded) == 0 || slices.ContainsFunc(t.Runs, func(r TestRun) bool { return !loaded[r.Module] }) {
		return nil
	}
	for _, name := range sortedKeys(t.values) {
		if !known[name] && !t.bare.top.vars[name].done {
			f := problem(codeUndeclaredVar, "var."+name, t.values[name].name, nearest(name, sortedKeys(known)), "it has a value here, and is not declared")
			f.Severity = diag.Warning
			out = append(out, f)
		}
	}
	return out
}

func (t *Test) rehearse(module string, values map[string]trialValue) *rehearsal {
	tr := &rehearsal{dir: module, values: values}
	if module != "" {
		if t.root == nil {
			t.root, _ = loadFor(t.src, t.opt, nil) // what is wrong with it is told elsewhere
		}
		tr.root = t.root
	}
	return tr
}

// Load evaluates the variables of a run, and with them the project that it
// tests. It comes after Load and Judge of the runs that it needs. The last run
// also tells of values for the whole file that nothing takes.
func (t *Test) Load(i int) (*Project, diag.List) {
	r := &t.Runs[i]
	values, out := t.valuesOf(i)
	if out.HasErrors() {
		r.ev, _ = loadFor(t.src, t.opt, t.rehearse(r.Module, nil)) // tells what is sensitive
		t.hide(r)
		return nil, t.Conceal(out)
	}
	for k := range i {
		t.Runs[k].ev = nil // a project is large
	}
	ev, found := loadFor(t.src, t.opt, t.rehearse(r.Module, values))
	r.ev = ev
	out = append(append(out, found...), t.prepareRun(i)...)
	if i == len(t.Runs)-1 {
		out = append(out, t.strangers()...)
	}
	return ev.p, out.Sorted()
}

// valuesOf evaluates the variables of a run.
func (t *Test) valuesOf(i int) (map[string]trialValue, diag.List) {
	r, ev, out := &t.Runs[i], t.bare, diag.List{}
	ev.out, ev.meter, ev.spent = &out, ev.budget(), false
	values := make(map[string]trialValue, len(t.values)+len(r.values))
	for name, v := range t.values {
		values[name] = v
	}
	ctx := ev.top.tree.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"run": t.earlier(i)}
	thing := "run." + r.Name
	for _, a := range r.values {
		v := ev.value(a.Expr, ctx, thing)
		if unknown, of := unknownIn(v, nil); unknown {
			if !out.HasErrors() {
				ev.add(problem(codeNotInPlan, thing, a.Expr.Range(), "let that run have command = apply", "%s is known only after apply", cmp.Or(of, a.Name)))
			}
			continue
		}
		v = onlySecrets(v)
		values[a.Name] = trialValue{value: v, at: a.Expr.Range(), name: a.NameRange}
	}
	return values, out
}

// earlier is the value of run: the outputs of the runs before i.
func (t *Test) earlier(i int) cty.Value {
	attrs := map[string]cty.Value{}
	for k := range t.Runs[:i] {
		r := &t.Runs[k]
		if attrs[r.Name] = r.outputs; r.outputs == cty.NilVal {
			attrs[r.Name] = cty.DynamicVal
		}
	}
	return cty.ObjectVal(attrs)
}

// prepareRun checks what a run says against the project that it tests, and
// readies its assertions for Judge. Names that were read once are not read
// again.
func (t *Test) prepareRun(i int) diag.List {
	r, out := &t.Runs[i], diag.List{}
	ev, thing := r.ev, "run."+r.Name
	t.hide(r)
	r.under = &under{sortedKeys(ev.top.vars), ev.top.outputNames(), ev.torn}
	outer := ev.out
	ev.out = &out
	defer func() { ev.out = outer }()
	for _, a := range r.values {
		if ev.top.vars[a.Name] == nil {
			ev.unknownName(problem(codeUndeclaredVar, thing, a.NameRange, nearest(a.Name, sortedKeys(ev.top.vars)), "there is no variable %q to give a value", a.Name))
		}
	}
	for _, use := range r.uses {
		name, _, _ := nameStep(use, 1)
		ev.checkUse(t, name, use, thing)
	}
	for _, x := range r.expect {
		name := strings.TrimPrefix(x.thing, x.kind+".")
		var names []string
		switch x.kind {
		case "var":
			names = sortedKeys(ev.top.vars)
		case "image":
			if x.keyed {
				name, _, _ = strings.Cut(name, "[")
			}
			names = ev.top.imageNames()
		case "output":
			names = ev.top.outputNames()
		case "check":
			for _, c := range ev.top.checks {
				names = append(names, c.name)
			}
		}
		if d := ev.top.image(name); x.kind == "image" && x.keyed && d != nil && !d.keyed() {
			ev.add(problem(codeNeedsKey, thing, x.at, "write image."+name, "image.%s has no for_each, so it takes no key", name))
		}
		if !slices.Contains(names, name) {
			ev.unknownName(problem(codeUnknownName, thing, x.at, nearest(name, names), "expect_failures: there is no %s.%s", x.kind, name))
		}
	}
	for _, b := range r.asserts {
		ev.prepareBody(b.Body, uses{thing: thing, refs: true, test: t, run: i})
	}
	return out
}

// hide notes which lines hold sensitive values, in the files of the project
// that a run tests and in the file of tests.
func (t *Test) hide(r *TestRun) {
	p := r.ev.p
	if !p.secrets {
		return
	}
	t.hidden.secrets = true
	t.hidden.withhold(p)
	conceal := func(name string, at hcl.Range) {
		if d := r.ev.top.vars[name]; d == nil || d.about.sensitive { // the name may be misspelled
			t.hidden.hide(at)
		}
	}
	for _, a := range r.values {
		conceal(a.Name, a.Expr.Range())
	}
	for _, name := range sortedKeys(t.values) {
		conceal(name, t.values[name].at)
	}
}

// Conceal rewrites what is said of values for sensitive variables, in the file of
// tests, as far as runs are loaded: it may quote them.
func (t *Test) Conceal(l diag.List) diag.List {
	for i := range l {
		f := &l[i]
		if f.Range == nil || f.Range.File != t.Name || f.Code == codeUndeclaredVar || !t.hidden.hides(t.Name, f.Range.Start.Line) {
			continue
		}
		thing, _, _ := strings.Cut(f.Text, ": ")
		f.Text, f.Hint, f.Values, f.Related = thing+": a value is not valid; why is withheld, because its variable is sensitive", "", nil, nil
	}
	return l
}

// withhold hides what other hides.
func (p *Project) withhold(other *Project) {
	for file, lines := range other.hidden {
		for _, l := range lines {
			if !slices.Contains(p.hidden[file], l) {
				p.hideLines(file, l)
			}
		}
	}
}

// Withhold hides the lines of the file of tests, and of what it tests, that hold
// sensitive values, as far as runs are loaded.
func (p *Project) Withhold(t *Test) { p.withhold(&t.hidden) }

func (d *decls) outputNames() []string {
	names := make([]string, len(d.outputs))
	for i, o := range d.outputs {
		names[i] = o.name
	}
	return names
}

// resolveTest finds what a traversal of a test names that only tests have; nil
// if that is for others to say.
func (ev *evaluator) resolveTest(s *hclsyntax.ScopeTraversalExpr, u uses) hclsyntax.Expression {
	root := s.Traversal.RootName()
	name, r, ok := nameStep(s.Traversal, 1)
	refuse := func(code string, at hcl.Range, hint, format string, args ...any) hclsyntax.Expression {
		ev.unknownName(problem(code, u.thing, at, hint, format, args...))
		return unknown(s.SrcRange)
	}
	switch {
	case u.values && root == "var" && ok:
		v := ev.top.vars[name]
		if v == nil {
			return refuse(codeUnknownName, s.SrcRange, nearest(name, sortedKeys(ev.top.vars)), "there is no variable %q in the variables of the file", name)
		}
		v.done = true // somebody uses it
		node := &ref{Expression: &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: s.SrcRange}, ev: ev, kind: "var", name: name}
		if len(s.Traversal) == 2 {
			return node
		}
		return &hclsyntax.RelativeTraversalExpr{Source: node, Traversal: s.Traversal[2:], SrcRange: s.SrcRange}
	case u.values && root != "run":
		return refuse(codeUnknownName, s.SrcRange, "write a value, var.NAME of the variables of this file, or run.NAME.OUTPUT", "%s can't be used here", root)
	case root == "plan":
		switch {
		case !ok:
			return refuse(codeUnknownName, s.SrcRange, "write plan.price, or another of its attributes", "plan is not a value by itself")
		case !slices.Contains(planNames(), name):
			return refuse(codeUnknownElement, r, nearest(name, planNames()), "plan has no attribute %q", name)
		case name == "steps" && len(s.Traversal) > 2:
			ix, ok := s.Traversal[2].(hcl.TraverseIndex)
			if !ok || ix.Key.Type() != cty.String {
				break
			}
			var known []string
			for _, image := range ev.top.imageNames() {
				known = append(known, "image."+image)
			}
			a := spec.Address(ix.Key.AsString())
			if modules, _, _ := a.Split(); modules == "" && !slices.Contains(known, string(a.Base())) {
				return refuse(codeUnknownElement, ix.SrcRange, nearest(ix.Key.AsString(), known), "there is no image %s, so it has no step", quoteKey(ix.Key.AsString()))
			}
		}
		return &touching{s, ev}
	case root == "output":
		switch {
		case !ok:
			return refuse(codeUnknownName, s.SrcRange, "write output.NAME", "output is not a value by itself")
		case !slices.Contains(ev.top.outputNames(), name):
			return refuse(codeUnknownName, s.SrcRange, nearest(name, ev.top.outputNames()), "there is no output %q", name)
		}
		node := &ref{Expression: &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: s.SrcRange}, ev: ev, kind: "output", name: name}
		if len(s.Traversal) == 2 {
			return node
		}
		return &hclsyntax.RelativeTraversalExpr{Source: node, Traversal: s.Traversal[2:], SrcRange: s.SrcRange}
	case root == "run":
		if !ok {
			return refuse(codeUnknownName, s.SrcRange, "write run.NAME.OUTPUT", "run is not a value by itself")
		}
		before := u.test.runNames(u.run)
		if !slices.Contains(before, name) {
			hint := nearest(name, before)
			if u.test.run(name) >= u.run {
				hint = "use an earlier run, or change the order"
			} else if len(before) == 0 {
				hint = "this is the first run"
			}
			return refuse(codeUnknownName, s.SrcRange, hint, "there is no run %q before this one", name)
		}
		if !u.values && !ev.checkUse(u.test, name, s.Traversal, u.thing) {
			return unknown(s.SrcRange)
		}
		return &touching{s, ev}
	}
	return nil
}

// touching is a reference that notes whether its value is sensitive.
type touching struct {
	hclsyntax.Expression
	ev *evaluator
}

func (e *touching) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.Expression.Value(ctx)
	return e.ev.touch(v), diags
}

func (e *touching) inner() hclsyntax.Expression { return e.Expression }

// checkUse tells of an output that an earlier run does not have.
func (ev *evaluator) checkUse(t *Test, run string, use hcl.Traversal, thing string) bool {
	of := t.Runs[t.run(run)].under
	output, at, ok := nameStep(use, 2)
	if of == nil || !ok || slices.Contains(of.outputs, output) {
		return true
	}
	if !of.torn {
		ev.unknownName(problem(codeUnknownElement, thing, at, nearest(output, of.outputs), "what run.%s tests has no output %q", run, output))
	}
	return false
}

// Judge evaluates the assertions of a run, and keeps its outputs for later
// runs.
func (t *Test) Judge(i int, facts TestFacts) diag.List {
	r, out := &t.Runs[i], diag.List{}
	ev, thing := r.ev, "run."+r.Name
	ev.begin(&out, facts.Images)
	outputs := map[string]cty.Value{}
	for _, o := range ev.top.outputs {
		v := plainly(onlySecrets(ev.output(ev.top, o.name, o.at)))
		if o.sensitive {
			v = v.Mark(secret{})
		}
		if !v.IsKnown() {
			v = v.Mark(result{thing + "." + o.name})
		}
		outputs[o.name] = v
	}
	r.outputs = cty.ObjectVal(outputs)

	// Once more, with all that assertions may ask of images.
	ev.begin(&out, facts.Images)
	out, ev.models = nil, facts.Models // what is wrong with outputs was told by Finish
	if ev.models == nil {
		ev.models = map[spec.Address]string{}
	}
	ctx := ev.top.tree.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"run": t.earlier(i), "plan": facts.Plan.value()}
	eval := func(e hclsyntax.Expression, ctx *hcl.EvalContext, thing string) cty.Value {
		before := len(out)
		v := ev.value(e, ctx, thing)
		unknown, of := unknownIn(v, nil)
		if !unknown {
			return v
		}
		if !out[before:].HasErrors() {
			f := problem(codeNotInPlan, thing, e.Range(), "write command = apply, which draws the pictures offline", "%s is known only after apply", cmp.Or(of, "this"))
			switch {
			case strings.HasPrefix(of, "run."):
				f.Hint = "let that run have command = apply"
			case r.Apply:
				f.Hint = "the picture was not made"
			}
			ev.add(f)
		}
		return cty.DynamicVal
	}
	for _, c := range r.conditions {
		if f, is := ev.broken(c, codeAssert, thing, ctx, eval); is {
			ev.add(f)
		}
	}
	ev.models = nil
	return out.Sorted()
}

// Expect takes the failures that a run expects out of what was found in it, and
// adds those that are missing. What is left of the failures of conditions is
// an error, also of a check.
func (t *Test) Expect(i int, found diag.List) diag.List {
	r := &t.Runs[i]
	met := make([]bool, len(r.expect))
	var out diag.List
	for _, f := range found {
		expected := false
		for k, x := range r.expect {
			if x.fits(&f) {
				met[k], expected = true, true
			}
		}
		if !expected {
			if IsCondition(f.Code) {
				f.Severity = diag.Error
			}
			out = append(out, f)
		}
	}
	stopped := out.HasErrors()
	for k, x := range r.expect {
		if !met[k] {
			hint := ""
			switch {
			case stopped:
				hint = "something else failed before it could"
			case !r.Apply && x.kind != "var":
				hint = "if it is about the picture, it takes command = apply"
			}
			out = append(out, problem(codeExpected, "run."+r.Name, x.at, hint, "%s was expected to fail, and did not", x.thing))
		}
	}
	return out.Sorted()
}

func (x *expectation) fits(f *diag.Finding) bool {
	if !slices.Contains(expectable[x.kind], f.Code) {
		return false
	}
	rest, ok := strings.CutPrefix(f.Text, x.thing)
	return ok && (strings.HasPrefix(rest, ": ") || x.kind == "image" && !x.keyed && strings.HasPrefix(rest, "["))
}

// IsCondition reports whether a code is of a condition that does not hold, also
// of a test: what was looked for, and not what went wrong.
func IsCondition(code string) bool {
	return slices.Contains([]string{codeInvalidVar, codePrecondition, codePostcondition, codeCheck, codeAssert, codeExpected}, code)
}
