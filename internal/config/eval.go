package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// evaluator gives values to expressions. It is used by one goroutine.
type evaluator struct {
	src       Source
	p         *Project
	where     *locator // until the images are done
	opt       Options
	top       *scope                       // the root
	cur       *scope                       // whose expressions are evaluated
	scopes    map[string]*scope            // all, by prefix
	trees     map[string]*tree             // all, by folder; nil for one that can't be read
	presets   map[string]*presetDecl       // of all scopes, by address
	instances int                          // of modules
	left      atomic.Int64                 // bytes of configuration that may be read
	tokens    atomic.Int64                 // of it that may be parsed
	tooBig    bool                         // and it was told
	funcs     map[string]function.Function // those that were named so far
	preparing *functionDecl                // whose calls are noted
	templates map[string]hclsyntax.Expression
	root      *hcl.EvalContext
	meter     meter
	earned    int                    // steps beyond those that each project has
	earners   int                    // images and instances of modules that earned some
	byImages  int                    // what they earned
	misses    int                    // names that are not declared
	data      int                    // bytes that were read beside the configuration
	facts     map[spec.Address]Facts // not nil once the images are finished
	made      map[string]cty.Value   // values of images with facts
	judged    map[spec.Address]judged
	round     int                     // counts how often there were new facts
	many      int                     // images that evaluation made
	disabled  map[spec.Address]bool   // images that enabled leaves out
	rehearsal *rehearsal              // nil outside tests
	models    map[spec.Address]string // while assertions of a test are evaluated, else nil
	stack     []frame
	circled   map[string]bool // targets of which a circle is told
	dids      []*bool         // what forget sets back
	out       *diag.List
	inputs    *inputs
	touched   bool // a sensitive value took part in what is being evaluated
	trying    bool // in try or can, which swallow what goes wrong
	spent     bool // the work for the project is used up, and it was told
	torn      bool // a file has a syntax error, so what is missing may stand there
	tornFiles map[string]bool
}

// frame is a target under evaluation.
type frame struct {
	name string
	at   hcl.Range // of the reference that asked for it
}

func (ev *evaluator) add(f diag.Finding) { *ev.out = append(*ev.out, f) }

// unknownName says that a reference has no target, unless the target may stand
// in a file that could not be read.
func (ev *evaluator) unknownName(f diag.Finding) {
	if !ev.torn {
		ev.add(f)
	}
}

func rangeOf(r hcl.Range) *diag.Range {
	return &diag.Range{File: r.Filename,
		Start: diag.Pos{Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte},
		End:   diag.Pos{Line: r.End.Line, Column: r.End.Column, Byte: r.End.Byte}}
}

// problem is an error at r about thing.
func problem(code, thing string, r hcl.Range, hint, format string, args ...any) diag.Finding {
	f := diag.Finding{Severity: diag.Error, Code: code, Hint: hint, Text: clip(thing+": "+fmt.Sprintf(format, args...), 2000)}
	if r.Filename != "" {
		f.Range = rangeOf(r)
	}
	if modules, _, _ := spec.Address(thing).Split(); strings.HasPrefix(thing[len(modules):], "image.") {
		f.Address, _, _ = strings.Cut(thing, ": ")
	}
	return f
}

// nearest is the hint for a misspelled name: the name among those that exist
// which is at most a third of its letters away, else the list of them.
func nearest(name string, known []string) string {
	best, distance := "", min(max(2, len(name)/3), 20)+1
	near := known
	if len(near) > 1000 { // of very many, which are sorted, those around it
		i, _ := slices.BinarySearch(near, name)
		near = near[max(0, i-500):min(i+500, len(near))]
	}
	for _, k := range near {
		if d := len(k) - len(name); d > 2*distance || d < -2*distance || len(name) > 1000 {
			continue // there may be 4 bytes to a character, but not for long
		}
		if d := diag.Distance(name, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best != "" && best != name {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) > 0 && len(known) <= 12 {
		if len(known) == 1 {
			return fmt.Sprintf("there is only %q", known[0])
		}
		return "one of " + strings.Join(known, ", ")
	}
	return ""
}

// roots are the names that references begin with, but for each.
var roots = []string{"var", "local", "image", "preset", "provider", "module"}

// uses says what expressions of a place may name.
type uses struct {
	thing string // that the expression belongs to, such as "image.hero"
	refs  bool   // var, local, image, preset and provider
	each  bool
	self  bool
	bound []string // further names, such as parameters

	test   *Test // whose run this is of; nil outside tests
	run    int
	values bool // it is a value for a variable
}

// prepare resolves the names of an expression and puts meters into it. A name
// that does not exist is told here, once, even if the expression is never
// evaluated, and evaluates to unknown.
func (ev *evaluator) prepare(e hclsyntax.Expression, u uses) hclsyntax.Expression {
	t := meterTree{meter: &ev.meter, bound: u.bound}
	t.resolve = func(s *hclsyntax.ScopeTraversalExpr, bound []string) hclsyntax.Expression {
		return ev.resolve(s, bound, u)
	}
	t.call = func(c *hclsyntax.FunctionCallExpr) hclsyntax.Expression { return ev.checkCall(c, u.thing) }
	t.around = func(c *hclsyntax.FunctionCallExpr, arguments func()) {
		n := len(*ev.out)
		if arguments(); makesSensitive(c) {
			ev.hush(n, u.thing+": what stands in sensitive(…) is not valid; why is withheld")
			ev.keep(c.Args)
		}
	}
	return t.visit(e)
}

func (ev *evaluator) prepareBody(b *hclsyntax.Body, u uses) {
	for name, a := range b.Attributes {
		if name != ignoreChanges && !literal(a.Expr) {
			a.Expr = ev.prepare(a.Expr, u)
		}
		if name == "depends_on" {
			wholeModules(a.Expr)
		}
	}
	for _, inner := range b.Blocks {
		if inner.Type == "dynamic" {
			ev.prepareDynamic(inner, u)
		} else {
			u := u
			u.self = inner.Type == "postcondition"
			ev.prepareBody(inner.Body, u)
		}
	}
}

// unknown takes the place of what could not be resolved.
func unknown(r hcl.Range) hclsyntax.Expression {
	return &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: r}
}

// ref evaluates its target when asked. The embedded literal only carries the
// range.
type ref struct {
	hclsyntax.Expression
	ev   *evaluator
	kind string
	name string
	key  *string // of an image or a module
	out  string  // of a module

	reads, keyed bool // an attribute of the image; one of its instances, by a key that is evaluated
}

func (r *ref) Value(*hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	switch r.kind {
	case "var":
		return r.ev.touch(r.ev.variable(r.name, r.Range())), nil
	case "local":
		return r.ev.touch(r.ev.local(r.name, r.Range())), nil
	case "preset":
		return targetVal("preset", r.ev.cur.prefix+"preset."+r.name), nil
	case "provider":
		return targetVal("provider", r.ev.cur.maker(r.name)), nil
	case allOfModule:
		address := r.ev.cur.prefix + "module." + r.name
		if r.key != nil {
			address = instance(address, *r.key)
		}
		return targetVal("image", address), nil
	case "module":
		v, diags := r.ev.module(r.name, r.key, r.out, r.Range())
		return r.ev.touch(v), diags
	case "output":
		return r.ev.touch(r.ev.output(r.ev.cur, r.name, r.Range())), nil
	}
	v, diags := r.ev.image(r)
	if r.ev.models != nil { // else no attribute of an image is sensitive
		r.ev.touch(v)
	}
	return v, diags
}

func (r *ref) String() string {
	name := r.kind + "." + r.name
	if r.key != nil {
		name = instance(name, *r.key)
	}
	if r.out != "" {
		name += "." + r.out
	}
	return name
}

// resolve finds what a traversal names.
func (ev *evaluator) resolve(s *hclsyntax.ScopeTraversalExpr, bound []string, u uses) hclsyntax.Expression {
	root := s.Traversal.RootName()
	if slices.Contains(bound, root) {
		return s
	}
	if root == "self" {
		return ev.resolveSelf(s, u)
	}
	if u.test != nil {
		if e := ev.resolveTest(s, u); e != nil {
			return e
		}
	}
	if root == "each" {
		if !u.each {
			what := "image"
			if u.thing == "import" {
				what = u.thing
			}
			ev.add(problem(codeUnknownName, u.thing, s.SrcRange, "add for_each to the "+what+" block", "each is known only in an %s with for_each", what))
			return unknown(s.SrcRange)
		}
		if len(s.Traversal) < 2 {
			ev.add(problem(codeUnknownName, u.thing, s.SrcRange, "write each.key or each.value", "each is not a value by itself"))
			return unknown(s.SrcRange)
		}
		if a, ok := s.Traversal[1].(hcl.TraverseAttr); !ok || a.Name != "key" && a.Name != "value" {
			ev.add(problem(codeUnknownName, u.thing, s.SrcRange, "write each.key or each.value", "each has only key and value"))
			return unknown(s.SrcRange)
		}
		return s
	}
	if root == "path" && u.refs {
		return ev.resolvePath(s, u)
	}
	if !u.refs || !slices.Contains(roots, root) {
		f := problem(codeUnknownName, u.thing, s.SrcRange, "", "there is nothing called %s here", root)
		switch {
		case !u.refs && slices.Contains(roots, root):
			f.Text, f.Hint = u.thing+": "+root+" can't be used here", "write a plain value"
		case len(s.Traversal) == 1:
			f.Hint = fmt.Sprintf("write %q, with quotes, if it is text", root)
			if ev.top.makers[root] != nil {
				f.Hint = "write provider." + root
			}
		default:
			known := slices.Concat(bound, roots)
			if u.self {
				known = append(known, "self")
			}
			if u.test != nil {
				known = append(known, "output", "plan", "run")
			}
			f.Hint = nearest(root, known)
		}
		ev.add(f)
		return unknown(s.SrcRange)
	}
	name, r, ok := nameStep(s.Traversal, 1)
	if !ok {
		ev.add(problem(codeUnknownName, u.thing, s.SrcRange, "write "+root+".NAME", "%s is not a value by itself", root))
		return unknown(s.SrcRange)
	}
	r = hcl.RangeBetween(s.Traversal[0].(hcl.TraverseRoot).SrcRange, r)
	node := &ref{Expression: &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: r}, ev: ev, kind: root, name: name}
	rest := s.Traversal[2:]
	missing := func(known func() []string, what string) hclsyntax.Expression {
		hint := ""
		if ev.misses++; ev.misses <= maxSuggested {
			hint = nearest(name, known())
		}
		if hint == "" {
			hint = "declare it: " + declaration(root, name)
		}
		ev.unknownName(problem(codeUnknownName, u.thing, r, hint, "there is no %s %q", what, name))
		return unknown(s.SrcRange)
	}
	switch root {
	case "module":
		if ev.cur.modules[name] == nil {
			return missing(func() []string { return sortedKeys(ev.cur.modules) }, "module")
		}
	case "var":
		if ev.cur.vars[name] == nil {
			return missing(func() []string { return sortedKeys(ev.cur.vars) }, "variable")
		}
	case "local":
		if ev.cur.locals[name] == nil {
			return missing(func() []string { return sortedKeys(ev.cur.locals) }, "local")
		}
	case "preset":
		if ev.cur.presets[name] == nil {
			return missing(func() []string { return sortedKeys(ev.cur.presets) }, "preset")
		}
		if len(rest) > 0 {
			ev.add(problem(codeUnknownElement, u.thing, s.SrcRange, "use preset."+name+" as a whole, or keep the value in a local", "the attributes of a preset can't be read"))
			return unknown(s.SrcRange)
		}
		return node
	case "provider":
		key := name
		if alias, _, ok := nameStep(s.Traversal, 2); ok {
			key, rest = name+"."+alias, rest[1:]
		}
		if f, ok := ev.checkProvider(key, u.thing, s.SrcRange); !ok && ev.cur.tree.dir == "" {
			ev.unknownName(f) // what a module is passed shows when it is called
			return unknown(s.SrcRange)
		}
		if len(rest) > 0 {
			ev.add(problem(codeUnknownElement, u.thing, s.SrcRange, "use provider."+key+" as a whole", "the attributes of a provider can't be read"))
			return unknown(s.SrcRange)
		}
		node.name = key
		if ev.cur.tree.makersUsed == nil {
			ev.cur.tree.makersUsed = map[string]bool{}
		}
		ev.cur.tree.makersUsed[key] = true
		return node
	case "image":
		d := ev.cur.image(name)
		if d == nil {
			return missing(ev.cur.imageNames, "image")
		}
		if len(rest) > 0 {
			if ix, ok := rest[0].(hcl.TraverseIndex); ok {
				if !d.keyed() {
					ev.add(problem(codeNeedsKey, u.thing, s.SrcRange, "write image."+name, "image.%s has no for_each, so it takes no key", name))
					return unknown(s.SrcRange)
				}
				if ix.Key.Type() == cty.String {
					rest = node.take(ix.Key.AsString(), ix.SrcRange, rest)
				}
			}
		}
		attrs := imageAttrs
		if u.test != nil {
			attrs = testedAttrs()
		}
		if a, r, ok := nameStep(s.Traversal, len(s.Traversal)-len(rest)); ok && (node.key != nil || !d.keyed()) && !slices.Contains(attrs, a) {
			ev.add(problem(codeUnknownElement, u.thing, r, nearest(a, attrs), "an image has no attribute %q to read", a))
			return unknown(s.SrcRange)
		} else if ok && node.key == nil && d.keyed() {
			ev.add(problem(codeNeedsKey, u.thing, s.SrcRange, fmt.Sprintf("write image.%s[\"KEY\"].%s", name, a), "image.%s has for_each, so it needs a key", name))
			return unknown(s.SrcRange)
		}
	}
	if root == "module" {
		var f *diag.Finding
		if rest, f = ev.resolveModule(node, rest, u.thing, s); f != nil {
			ev.unknownName(*f)
			return unknown(s.SrcRange)
		}
	}
	if len(rest) == 0 {
		return node
	}
	node.reads = true
	return &hclsyntax.RelativeTraversalExpr{Source: node, Traversal: rest, SrcRange: s.SrcRange}
}

// take makes the key of an instance a part of the reference.
func (r *ref) take(key string, at hcl.Range, rest hcl.Traversal) hcl.Traversal {
	r.key = &key
	r.Expression = &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: hcl.RangeBetween(r.Range(), at)}
	return rest[1:]
}

// resolveModule reads what follows module.NAME: a key, an output, and what is
// of that.
func (ev *evaluator) resolveModule(node *ref, rest hcl.Traversal, thing string, s *hclsyntax.ScopeTraversalExpr) (hcl.Traversal, *diag.Finding) {
	m := ev.cur.modules[node.name]
	if len(rest) > 0 {
		if ix, ok := rest[0].(hcl.TraverseIndex); ok && ix.Key.Type() == cty.String {
			switch {
			case m.forEach != nil:
				rest = node.take(ix.Key.AsString(), ix.SrcRange, rest)
			case !m.has(ix.Key.AsString()):
				f := problem(codeNeedsKey, thing, s.SrcRange, "write module."+m.name, "module.%s has no for_each, so it takes no key", m.name)
				return nil, &f
			default: // an output
				rest = slices.Clone(rest)
				rest[0] = hcl.TraverseAttr{Name: ix.Key.AsString(), SrcRange: ix.SrcRange}
			}
		} else if a, ok := rest[0].(hcl.TraverseAttr); ok && m.forEach != nil && !m.has(a.Name) {
			rest = node.take(a.Name, a.SrcRange, rest)
		}
	}
	name, r, ok := nameStep(rest, 0)
	switch {
	case !ok:
	case node.key == nil && m.forEach != nil:
		f := problem(codeNeedsKey, thing, s.SrcRange, fmt.Sprintf("write module.%s[\"KEY\"].%s", m.name, name), "module.%s has for_each, so it needs a key", m.name)
		return nil, &f
	case m.tree == nil: // and that was told
	case !m.has(name):
		names := make([]string, len(m.tree.outputs))
		for i, o := range m.tree.outputs {
			names[i] = o.name
		}
		hint := nearest(name, names)
		if !strings.HasPrefix(hint, "did") {
			hint = fmt.Sprintf("add output %q to the module: only its outputs can be read", name)
		}
		f := problem(codeUnknownElement, thing, r, hint, "the module has no output %q", name)
		return nil, &f
	default:
		node.out = name
		node.Expression = &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: hcl.RangeBetween(node.Range(), r)}
		rest = rest[1:]
	}
	return rest, nil
}

// resolvePath gives path.module and path.root, which begin the paths of files.
func (ev *evaluator) resolvePath(s *hclsyntax.ScopeTraversalExpr, u uses) hclsyntax.Expression {
	if name, _, ok := nameStep(s.Traversal, 1); ok && len(s.Traversal) == 2 {
		switch name {
		case "module":
			return &hclsyntax.LiteralValueExpr{Val: cty.StringVal(orDot(ev.cur.tree.dir)), SrcRange: s.SrcRange}
		case "root":
			return &hclsyntax.LiteralValueExpr{Val: cty.StringVal("."), SrcRange: s.SrcRange}
		}
	}
	ev.add(problem(codeUnknownName, u.thing, s.SrcRange, "write path.module, the folder of this file, or path.root", "there are only path.module and path.root"))
	return unknown(s.SrcRange)
}

// nameStep is the name that step i of a traversal takes: .name or ["name"].
func nameStep(t hcl.Traversal, i int) (string, hcl.Range, bool) {
	if i >= len(t) {
		return "", hcl.Range{}, false
	}
	switch s := t[i].(type) {
	case hcl.TraverseAttr:
		return s.Name, s.SrcRange, true
	case hcl.TraverseIndex:
		if i == 1 && s.Key.Type() == cty.String {
			return s.Key.AsString(), s.SrcRange, true
		}
	}
	return "", hcl.Range{}, false
}

// traversalWords is what follows the root if it is all plain names.
func traversalWords(t hcl.Traversal) ([]string, bool) {
	words := make([]string, 0, 2)
	for _, s := range t[1:] {
		a, ok := s.(hcl.TraverseAttr)
		if !ok {
			return nil, false
		}
		words = append(words, a.Name)
	}
	return words, true
}

// enter puts a target on the stack, or tells the circle that it closes.
func (ev *evaluator) enter(name string, at hcl.Range) bool {
	if len(ev.stack) == maxChain {
		ev.add(problem(codeBudget, name, at, "break the chain: write one of the values out", "more than %d values refer to each other in a row", maxChain))
		return false
	}
	begin := slices.IndexFunc(ev.stack, func(f frame) bool { return f.name == name })
	if begin < 0 {
		ev.stack = append(ev.stack, frame{name, at})
		return true
	}
	ring := ev.stack[begin:]
	if !slices.ContainsFunc(ring, func(f frame) bool { return !ev.circled[f.name] }) {
		return false // it is told of each already; there may be as many circles as there are subsets
	}
	if ev.circled == nil {
		ev.circled = map[string]bool{}
	}
	f := problem(codeCycle, name, at, "break the circle: one of these must be a plain value", "refers to itself")
	if len(ring) > 1 {
		f.Range = rangeOf(ring[1].at) // where it begins
	}
	if len(ring) > 1 {
		names := make([]string, 0, len(ring)+1)
		for _, fr := range ring {
			names = append(names, fr.name)
		}
		f.Text = name + ": refers to itself by way of " + strings.Join(someOf(names[1:], func(n int) string { return fmt.Sprintf("%d more", n) }), ", ")
	}
	for i, fr := range ring {
		ev.circled[fr.name] = true
		if i == 0 || leftOut(i, len(ring)) {
			continue // the first stands above
		}
		next, place := name, at
		if i+1 < len(ring) {
			next, place = ring[i+1].name, ring[i+1].at
		}
		f.Related = append(f.Related, diag.Related{Range: *rangeOf(place), Text: fr.name + " uses " + next})
	}
	ev.add(f)
	return false
}

// maxRing is how many members of a circle are told; of a longer one, these but
// one and the last.
const maxRing = 12

func leftOut(i, of int) bool { return of > maxRing && i >= maxRing-1 && i < of-1 }

// someOf is list with what leftOut leaves out told in one.
func someOf(list []string, more func(n int) string) []string {
	if len(list) <= maxRing {
		return list
	}
	return append(slices.Clone(list[:maxRing-1]), more(len(list)-maxRing), list[len(list)-1])
}

func (ev *evaluator) leave() { ev.stack = ev.stack[:len(ev.stack)-1] }

// value evaluates a prepared expression of thing. It is unknown where that
// failed, and then a finding was made or stands at the cause.
func (ev *evaluator) value(e hclsyntax.Expression, ctx *hcl.EvalContext, thing string) cty.Value {
	if ctx == nil {
		ctx = ev.cur.tree.ctx
	}
	if ev.spent {
		return cty.DynamicVal
	}
	outer, outerTouched, outerTrying, earned := ev.meter, ev.touched, ev.trying, ev.earned
	defer func() { ev.touched, ev.trying = outerTouched, outerTrying }()
	ev.trying = false
	if ev.touched = false; ctx != ev.root {
		ev.touch(ctx.Variables["each"])
	}
	ev.meter.refused, ev.meter.steps, ev.meter.used = "", min(ev.opt.workOfOne(), outer.total), 0
	v, diags := e.Value(ctx)
	ev.meter.weigh(v)
	refused, used := ev.meter.refused, ev.meter.used
	// What this used counts for the project; a local that was evaluated within
	// has counted already.
	earned = ev.earned - earned
	total := ev.meter.total - min(ev.meter.total, ev.meter.used)
	// Those around it have no more than what is left: there may be hundreds.
	ev.meter = meter{steps: min(outer.steps+earned, total), refused: outer.refused, total: total, used: outer.used}
	if ev.spent {
		return cty.DynamicVal // told by one within
	}
	if total == 0 {
		if ev.spent = true; refused == "" || used < ev.opt.work()/2 { // else it did that by itself
			refused = "is where the work for the whole project is used up"
		}
	}
	if refused != "" {
		// What is wrong is told: a circle of bombs need not use up everything.
		ev.meter.total = min(ev.meter.total, ev.opt.work()/4)
		ev.add(problem(codeBudget, thing, e.Range(), ev.lessWork(), "the expression %s", refused))
		return cty.DynamicVal
	}
	if diags.HasErrors() {
		ev.explain(diags, thing)
		return cty.DynamicVal
	}
	return v
}

// lessWork is what to do about a used up budget.
func (ev *evaluator) lessWork() string {
	if ev.opt.Large {
		return "make it smaller, or keep the data in a file"
	}
	return "make it smaller, or keep the data in a file; if you trust who wrote it: export IMGBUILD_LARGE=1"
}

// earn gives n steps more, for what a project declares or reads.
func (ev *evaluator) earn(n int) {
	ev.earned += n
	ev.meter.steps += n
	ev.meter.total += n
}

// earnImages is for n images or instances of modules more.
func (ev *evaluator) earnImages(n int) {
	if ev.earners += n; ev.opt.Large {
		ev.earn(stepsOfImage * n)
		return
	}
	most := earnedByAny + max(0, int(cmp.Or(ev.opt.total, maxTotal)-ev.left.Load())+ev.data-freeBytes)
	if more := min(stepsOfImage*ev.earners, most) - ev.byImages; more > 0 {
		ev.byImages += more
		ev.earn(more)
	}
}

// budget is the steps of a further round of evaluation.
func (ev *evaluator) budget() meter { return meter{total: ev.opt.work() + ev.earned} }

// pay takes n steps of the project for what is made outside of expressions, and
// tells when they are used up.
func (ev *evaluator) pay(n int, thing string, at hcl.Range) bool {
	if ev.spent {
		return false
	}
	if ev.meter.total -= min(n, ev.meter.total); ev.meter.total == 0 {
		ev.spent = true
		ev.add(problem(codeBudget, thing, at, ev.lessWork(), "this is where the work for the whole project is used up"))
		return false
	}
	return true
}

// plain is value for what is wanted now: results of images are refused. What it
// returns has no marks, but for the inside of images and, as a whole, that of a
// sensitive value.
func (ev *evaluator) plain(e hclsyntax.Expression, ctx *hcl.EvalContext, thing string) cty.Value {
	v := ev.value(e, ctx, thing)
	if _, ok := targetOf(v); ok {
		return v
	}
	if unknown, of := unknownIn(v, nil); unknown {
		if of != "" {
			ev.refuseResult(of, e.Range(), thing)
		} else if !ev.out.HasErrors() { // else it waits for what failed
			ev.add(problem(codeUnknownValue, thing, e.Range(), "results of images can be used in outputs, checks and postconditions only", "the value is not known before apply"))
		}
		return cty.DynamicVal
	}
	if v.ContainsMarked() {
		hidden := hasSecret(v)
		var marks cty.ValueMarks
		v, marks = v.UnmarkDeep()
		if of := offIn(marks); of != "" {
			ev.add(problem(codeUnknownElement, thing, e.Range(), askFirst(of), "%s%s", of, isOff))
			return cty.DynamicVal
		}
		if hidden {
			v = v.Mark(secret{})
		}
	}
	return v
}

func (ev *evaluator) refuseResult(of string, r hcl.Range, thing string) {
	ev.add(problem(codeResult, thing, r, "path and files are known before; results can be used in outputs, checks and postconditions", "%s is known only after apply", of))
}

// wentWrong is what is told of a function that panicked.
const wentWrong = "it can't deal with these values"

// explain makes findings of the diagnostics of an evaluation.
func (ev *evaluator) explain(diags hcl.Diagnostics, thing string) {
	for i, d := range diags {
		if i == maxComplaints {
			return
		}
		if d.Severity != hcl.DiagError || ev.inside(d, thing) {
			continue
		}
		if t, ok := d.Extra.(told); ok {
			ev.add(t.Finding)
			continue
		}
		var at hcl.Range
		for _, r := range []*hcl.Range{d.Context, d.Subject} { // a call that is not closed has no place of its end
			if r != nil && r.Filename != "" {
				at = *r
			}
		}
		// cty makes an error of a panic in a function, with a stack; it is our
		// mistake, and the fuzzing of functions looks for these words.
		if text, _, panicked := strings.Cut(d.Detail, "panic in function implementation"); panicked {
			d.Detail = text + wentWrong
		}
		f := problem(codeExpression, thing, at, "", "%s", lowerFirst(sentence(d.Detail)))
		switch d.Summary {
		case "Invalid function argument", "Error in function call", "Not enough function arguments", "Too many function arguments", "Invalid expanding argument value":
			f.Code = codeFunction
		case "Inconsistent conditional result types":
			f.Code = codeMixed
		case "Unsupported attribute", "Invalid index", "Missing map element", "Attempt to get attribute from null value", "Attempt to index null value":
			f.Code = codeUnknownElement
		case "Unknown variable":
			f.Code = codeUnknownName
		}
		if c, ok := d.Extra.(complaint); ok {
			f.Code, f.Hint = c.code, c.hint // its sentence has no values
		} else if ev.touched {
			f.Text = fmt.Sprintf("%s: %s; the details are withheld, because a sensitive value is involved", thing, lowerFirst(d.Summary))
			ev.add(f)
			continue
		}
		if e, ok := d.Expression.(hclsyntax.Expression); ok && !ev.touched {
			f.Values = ev.values(e, d.EvalContext)
		}
		if _, ours := d.Extra.(complaint); !ours {
			ev.reword(&f, d)
		}
		ev.add(f)
	}
}

// sentence joins what HCL says into one line without a full stop.
func sentence(s string) string {
	s = strings.TrimSuffix(strings.Join(strings.Fields(s), " "), ".")
	return clip(s, 600)
}

// clip is s, or the beginning of it: some have a megabyte in them.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// values tells what the names in e stand for.
func (ev *evaluator) values(e hclsyntax.Expression, ctx *hcl.EvalContext) []diag.Value {
	var out []diag.Value
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		var name string
		var v cty.Value
		for w, ok := n.(wrapper); ok; w, ok = n.(wrapper) {
			n = w.inner()
		}
		switch n := n.(type) {
		case *hclsyntax.ScopeTraversalExpr:
			for t := n.Traversal; len(t) > 0; t = t[:len(t)-1] { // where it fails, what it fails on
				var diags hcl.Diagnostics
				if v, diags = t.TraverseAbs(ctx); !diags.HasErrors() {
					name = traversalText(t)
					break
				}
			}
		case *hclsyntax.RelativeTraversalExpr:
			if r, ok := n.Source.(*ref); ok {
				name = r.String() + traversalText(n.Traversal)
				src, _ := r.Value(nil)
				v, _ = n.Traversal.TraverseRel(src)
			}
		case *ref:
			name = n.String()
			v, _ = n.Value(nil)
		}
		if _, address := targetOf(v); name != "" && !address && v.IsKnown() && len(out) < 8 && !slices.ContainsFunc(out, func(o diag.Value) bool { return o.Expression == name || strings.HasPrefix(o.Expression, name+".") }) {
			out = append(out, diag.Value{Expression: name, Text: "is " + show(v, 80)})
		}
		return nil
	})
	return out
}

func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, s := range t {
		switch s := s.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			b.WriteString("[" + show(s.Key, 40) + "]")
		}
	}
	return b.String()
}

// local is the value of a local, evaluated at the first use.
func (ev *evaluator) local(name string, at hcl.Range) cty.Value {
	l := ev.cur.locals[name]
	if l.done {
		return l.value
	}
	thing := ev.cur.prefix + "local." + name
	if !ev.enter(thing, at) {
		return cty.DynamicVal
	}
	v := ev.value(l.expr, nil, thing)
	ev.leave()
	l.value = v
	ev.did(&l.done)
	return v
}
