package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Load reads and evaluates the configuration of the root. It returns what
// could be evaluated even with errors, and all findings, sorted.
func Load(src Source, opt Options) (*Project, diag.List) {
	ev, l := loadFor(src, opt, nil)
	return ev.p, l
}

// loadFor is Load, for tr if it is not nil.
func loadFor(src Source, opt Options, tr *rehearsal) (*evaluator, diag.List) {
	ev := newEvaluator(src, opt)
	p, dir, what := ev.p, "", "the root of the project"
	if ev.rehearsal = tr; tr != nil && tr.dir != "" {
		dir, what = tr.dir, "the module "+tr.dir
	}
	names, err := src.ReadDir(dir)
	if err != nil {
		ev.add(diag.Finding{Severity: diag.Error, Code: codeRead, Text: what + ": " + cause(err).Error(), Hint: hintOf(err), Range: &diag.Range{}})
		return ev, *ev.out
	}
	names = configFiles(names)
	ev.inputs.add(Input{Kind: InputFolder, Path: dir, Content: ofList(names)})
	ev.top.decls = ev.parseAll(dir, names)
	ev.top.tree.decls, ev.top.tree.dir = ev.top.decls, dir
	ev.register(ev.top)
	ev.tellForeign()
	for _, name := range sortedKeys(ev.top.vars) {
		ev.declareVar(name, ev.top.vars[name])
	}
	ev.grow(ev.top.tree, []string{dir})
	ev.prepareAll()
	ev.variables(names)
	if dir == "" {
		ev.settings()
	} else {
		ev.settingsOf(tr.root)
	}
	ev.images()
	ev.guardModules()
	ev.lives()
	ev.imports()
	ev.budgets()
	ev.checkConditions()
	ev.checkOutputs()
	p.inputs = ev.inputs.sorted()
	if p.hasOutputs || p.hasConditions || opt.Expressions {
		p.eval = ev
	}
	return ev, p.Conceal(someFindings(withoutEchoes(ev.out.Sorted(), ev.tornFiles)))
}

// maxFindings is how many are told of a severity. Whoever mends that many reads
// them again anyway; a megabyte can hold 200,000 mistakes.
const maxFindings = 1000

// someFindings tells how many more there are than can be told.
func someFindings(l diag.List) diag.List {
	if len(l) <= maxFindings {
		return l
	}
	count := map[diag.Severity]int{}
	l = slices.DeleteFunc(l, func(f diag.Finding) bool {
		count[f.Severity]++
		return count[f.Severity] > maxFindings
	})
	for _, severity := range []diag.Severity{diag.Error, diag.Warning} {
		if more := count[severity] - maxFindings; more > 0 {
			l = append(l, diag.Finding{Severity: severity, Code: codeBudget, Text: fmt.Sprintf("the configuration: %d more findings are not listed", more), Hint: "mend these first"})
		}
	}
	return l
}

// settingsOf gives a module that is tested alone what only the root has.
func (ev *evaluator) settingsOf(root *evaluator) {
	ev.p.Settings, ev.p.Providers = root.p.Settings, root.p.Providers
	ev.top.defaultMaker, ev.top.makers = root.top.defaultMaker, root.top.makers
}

func newEvaluator(src Source, opt Options) *evaluator {
	ev := &evaluator{
		src: src, opt: opt, p: &Project{Settings: Settings{OutputDir: "."}}, out: &diag.List{},
		meter: meter{total: opt.work()}, inputs: &inputs{}, tornFiles: map[string]bool{},
	}
	ev.where = &locator{src: src, p: ev.p, torn: ev.tornFiles}
	ev.inputs.add(Input{Kind: InputOptions, Content: opt.digest()})
	ev.funcs = map[string]function.Function{}
	ev.root = &hcl.EvalContext{Functions: ev.funcs, Variables: map[string]cty.Value{}}
	ev.top = &scope{decls: &decls{}, tree: &tree{ctx: ev.root.NewChild()}}
	ev.top.tree.ctx.Variables, ev.top.tree.ctx.Functions = map[string]cty.Value{}, map[string]function.Function{}
	ev.cur, ev.scopes, ev.trees = ev.top, map[string]*scope{"": ev.top}, map[string]*tree{}
	ev.presets = map[string]*presetDecl{}
	ev.left.Store(cmp.Or(ev.opt.total, maxTotal))
	ev.tokens.Store(cmp.Or(ev.opt.tokens, maxTotalTokens))
	return ev
}

// withoutEchoes drops what else was found in a file whose syntax is wrong: the
// parser guessed where blocks end.
func withoutEchoes(l diag.List, torn map[string]bool) diag.List {
	return slices.DeleteFunc(l, func(f diag.Finding) bool {
		return f.Range != nil && torn[f.Range.File] && !strings.HasPrefix(f.Code, "IB01")
	})
}

// isConfig reports whether a file has blocks.
func isConfig(name string) bool {
	return strings.HasSuffix(name, ".img.hcl") || strings.HasSuffix(name, ".img.json")
}

// isValues reports whether a file has values of variables.
func isValues(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(name, ".json"), ".imgvars")
}

// parseAll parses the files of a folder beside each other and collects what
// they declare.
func (ev *evaluator) parseAll(dir string, names []string) *decls {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isConfig(name) })
	for i := range names {
		names[i] = path.Join(dir, names[i])
	}
	first := len(ev.p.files)
	ev.p.files = append(ev.p.files, names...)
	files := make([]*parsed, len(names))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		workers.Go(func() {
			intern := map[string]string{}
			for {
				i := int(next.Add(1)) - 1
				if i >= len(names) {
					return
				}
				files[i] = readAndParse(ev.src, names[i], int32(first+i), &ev.left, &ev.tokens, intern)
			}
		})
	}
	workers.Wait()

	d := &decls{presets: map[string]*presetDecl{}, vars: map[string]*varDecl{}, locals: map[string]*localDecl{}, makers: map[string]*block{}, modules: map[string]*moduleDecl{}, functions: map[string]*functionDecl{}, named: map[string]hcl.Range{}}
	n := 0
	for _, f := range files {
		n += len(f.images)
	}
	d.images = make([]imageDecl, 0, n)
	for i, f := range files {
		*ev.out = append(*ev.out, f.findings...)
		ev.tear(names[i], f.torn)
		if len(f.findings) > 0 {
			if text, err := ev.src.Read(names[i], maxFile); err == nil {
				ev.p.hideBlocks(ev.src, names[i], text)
			}
		}
		ev.inputs.add(Input{Kind: InputFile, Path: names[i], Content: f.content})
		d.images = append(d.images, f.images...)
		for _, b := range f.blocks {
			if dir != "" && rootOnly[b.Type] != "" {
				d.foreign = append(d.foreign, &block{Block: b})
				continue
			}
			ev.declare(d, &block{Block: b, file: int32(first + i)})
		}
		files[i] = nil
	}
	ev.sortImages(d)
	slices.SortFunc(d.outputs, func(a, b *outputDecl) int { return cmp.Compare(a.name, b.name) })
	slices.SortFunc(d.checks, func(a, b *checkDecl) int { return cmp.Compare(a.name, b.name) })
	if ev.left.Load() >= 0 && ev.tokens.Load() < 0 && !ev.tooBig {
		ev.tooBig = true
		ev.add(diag.Finding{Severity: diag.Error, Code: codeTooBig, Range: &diag.Range{File: names[0]},
			Text: fmt.Sprintf("the configuration: all files together have more than %d words and signs", maxTotalTokens), Hint: "write repeated blocks as one with for_each"})
	}
	if ev.left.Load() < 0 && !ev.tooBig {
		ev.tooBig = true
		ev.add(diag.Finding{Severity: diag.Error, Code: codeTooBig, Range: &diag.Range{File: names[0]},
			Text: fmt.Sprintf("the configuration: all files together are larger than %d MiB", maxTotal>>20), Hint: "write repeated blocks as one with for_each"})
	}
	return d
}

func readAndParse(src Source, name string, index int32, left, tokens *atomic.Int64, intern map[string]string) *parsed {
	b, err := src.Read(name, maxFile+1)
	if tooLarge(err) {
		return &parsed{torn: true, findings: diag.List{fileTooLarge(name)}}
	}
	if err != nil {
		return &parsed{torn: true, findings: diag.List{{Severity: diag.Error, Code: codeRead, Text: "file " + name + ": " + cause(err).Error(), Hint: hintOf(err), Range: &diag.Range{File: name}}}}
	}
	weight := int64(len(b))
	if isJSON(name) {
		weight *= maxFile / maxJSON
	}
	if left.Add(-weight) < 0 {
		return &parsed{torn: true}
	}
	return parseFile(name, index, b, tokens, intern)
}

// tear notes that not all of a file could be read.
func (ev *evaluator) tear(file string, torn bool) {
	if torn {
		ev.torn, ev.tornFiles[file] = true, true
	}
}

// sortImages sorts the declarations by name and tells of equal ones.
func (ev *evaluator) sortImages(d *decls) {
	byName := func(a, b imageDecl) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.place.file, b.place.file), cmp.Compare(a.place.byte, b.place.byte))
	}
	if !slices.IsSortedFunc(d.images, byName) {
		slices.SortFunc(d.images, byName)
	}
	kept := 0
	for i := range d.images {
		if kept > 0 && d.images[i].name == d.images[kept-1].name {
			first := d.images[kept-1]
			ev.twice("image."+first.name, *ev.where.field(d.images[i].place, ""), *ev.where.field(first.place, ""))
			continue
		}
		d.images[kept] = d.images[i]
		kept++
	}
	d.images = d.images[:kept]
}

func (ev *evaluator) twice(thing string, second, first diag.Range) {
	ev.add(diag.Finding{Severity: diag.Error, Code: codeDuplicate, Text: thing + ": is declared twice", Hint: "rename one of them",
		Range: &second, Related: []diag.Related{{Range: first, Text: "the first one"}}})
}

// secondOf tells of a block whose thing was declared before.
func (ev *evaluator) secondOf(d *decls, thing string, b *block) bool {
	first, ok := d.named[thing]
	if ok {
		ev.twice(thing, *rangeOf(b.DefRange()), *rangeOf(first))
	} else {
		d.named[thing] = b.DefRange()
	}
	return ok
}

// declare files a block that is no image.
func (ev *evaluator) declare(d *decls, b *block) {
	switch b.Type {
	case "imgbuild":
		if d.project != nil {
			ev.twice("imgbuild", *rangeOf(b.TypeRange), *rangeOf(d.project.TypeRange))
			return
		}
		d.project = b
	case "provider":
		b.key = b.Labels[0]
		if a := b.Body.Attributes["alias"]; a != nil {
			if v, ok := constant(a.Expr); ok && v.Type() == cty.String && !v.IsNull() {
				b.key += "." + v.AsString()
			} else {
				ev.add(problem(codeType, "provider."+b.key, a.Expr.Range(), `write it with quotes, such as "eu"`, "alias must be a plain string"))
				return
			}
		}
		if first := d.makers[b.key]; first != nil {
			ev.twice("provider."+b.key, *rangeOf(b.DefRange()), *rangeOf(first.DefRange()))
			return
		}
		d.makers[b.key] = b
	case "variable":
		name := b.Labels[0]
		if first := d.vars[name]; first != nil {
			ev.twice("var."+name, *rangeOf(b.DefRange()), *rangeOf(first.block.DefRange()))
			return
		}
		d.vars[name] = &varDecl{block: b, value: cty.DynamicVal}
	case "locals":
		for _, name := range sortedKeys(b.Body.Attributes) {
			a := b.Body.Attributes[name]
			if first := d.locals[name]; first != nil {
				ev.twice("local."+name, *rangeOf(a.NameRange), *rangeOf(first.name))
				continue
			}
			d.locals[name] = &localDecl{expr: a.Expr, name: a.NameRange}
		}
		for _, inner := range b.Body.Blocks {
			ev.add(problem(codeUnknownBlock, "locals", inner.TypeRange, "write NAME = { … }", "there are no blocks in locals"))
		}
	case "preset":
		name := b.Labels[0]
		if first := d.presets[name]; first != nil {
			ev.twice("preset."+name, *rangeOf(b.DefRange()), *rangeOf(first.block.DefRange()))
			return
		}
		p := &presetDecl{name: name, block: b, index: int32(len(ev.p.presets)), scope: ev.top}
		d.presets[name] = p
		ev.p.presets = append(ev.p.presets, ancestor{origin{placeOf(b.file, b.Block), -1}, name})
	case "module":
		name := b.Labels[0]
		if first := d.modules[name]; first != nil {
			ev.twice("module."+name, *rangeOf(b.DefRange()), *rangeOf(first.block.DefRange()))
			return
		}
		m := &moduleDecl{name: name, block: b}
		if a := b.Body.Attributes["for_each"]; a != nil {
			m.forEach = a.Expr
		}
		d.modules[name] = m
	case "function":
		ev.declareFunction(d, b)
	case "moved", "removed":
		d.lives = append(d.lives, b)
	case "import":
		d.imports = append(d.imports, b)
	case "budget":
		if ev.secondOf(d, "budget."+b.Labels[0], b) {
			return
		}
		d.budgets = append(d.budgets, b)
	case "output":
		name := b.Labels[0]
		if ev.secondOf(d, "output."+name, b) {
			return
		}
		d.outputs = append(d.outputs, &outputDecl{name: name, at: b.DefRange(), body: b.Body})
	case "check":
		name := b.Labels[0]
		if ev.secondOf(d, "check."+name, b) {
			return
		}
		d.checks = append(d.checks, &checkDecl{name: name, at: b.DefRange(), body: b.Body})
	}
}

// getter evaluates the expressions of thing without a context.
func (ev *evaluator) getter(thing string) valuer {
	return func(e hclsyntax.Expression) (cty.Value, bool) {
		if v, ok := constant(e); ok {
			return v, true
		}
		return ev.plain(e, nil, thing), true
	}
}

// prepareAll resolves the names in everything that was kept, also in what is
// never evaluated.
func (ev *evaluator) prepareAll() {
	d := ev.cur.decls
	ev.declareConditions()
	for _, name := range sortedKeys(d.functions) {
		ev.prepareFunction(d.functions[name])
	}
	ev.checkFunctions()
	for _, name := range sortedKeys(d.locals) {
		d.locals[name].expr = ev.prepare(d.locals[name].expr, uses{thing: "local." + name, refs: true})
	}
	if d.project != nil {
		ev.prepareBody(d.project.Body, uses{thing: "imgbuild", refs: true})
	}
	for _, key := range sortedKeys(d.makers) {
		ev.prepareBody(d.makers[key].Body, uses{thing: "provider." + key, refs: true})
	}
	for _, name := range sortedKeys(d.presets) {
		ev.prepareBody(d.presets[name].block.Body, uses{thing: "preset." + name, refs: true})
	}
	for i := range d.images {
		if s := d.images[i].slow; s != nil {
			thing := "image." + d.images[i].name
			if s.forEach != nil {
				s.forEach = ev.prepare(s.forEach, uses{thing: thing, refs: true})
				delete(s.block.Body.Attributes, "for_each")
			}
			ev.prepareBody(s.block.Body, uses{thing: thing, refs: true, each: s.forEach != nil})
		}
	}
	for _, b := range d.budgets {
		ev.prepareBody(b.Body, uses{thing: "budget." + b.Labels[0], refs: true})
	}
	for _, o := range d.outputs {
		ev.prepareBody(o.body, uses{thing: "output." + o.name, refs: true})
	}
	for _, c := range d.checks {
		ev.prepareBody(c.body, uses{thing: "check." + c.name, refs: true})
	}
	for _, name := range sortedKeys(d.vars) {
		for _, b := range d.vars[name].block.Body.Blocks {
			ev.prepareBody(b.Body, uses{thing: "var." + name, refs: true})
		}
	}
	for _, name := range sortedKeys(d.modules) {
		m := d.modules[name]
		body, thing := m.block.Body, "module."+name
		if m.forEach != nil {
			m.forEach = ev.prepare(m.forEach, uses{thing: thing, refs: true})
			delete(body.Attributes, "for_each")
		}
		delete(body.Attributes, "source")
		for _, a := range m.secretly() {
			if n := len(*ev.out); !literal(a.Expr) {
				a.Expr = &discreet{ev.prepare(a.Expr, uses{thing: thing, refs: true, each: m.forEach != nil}), ev}
				ev.hush(n, thing+"."+a.Name+whyHushed)
			}
		}
		ev.prepareBody(body, uses{thing: thing, refs: true, each: m.forEach != nil})
	}
}

// settings evaluates the imgbuild and provider blocks.
func (ev *evaluator) settings() {
	s := settings{Settings: ev.p.Settings}
	if b := ev.top.project; b != nil {
		ev.enter("imgbuild", b.TypeRange)
		get := ev.getter("imgbuild")
		decode(b.Body, &settingsSchema, &s, get, "imgbuild", b.TypeRange, ev.add)
		at := func(attr string) hcl.Range { return b.Body.Attributes[attr].Expr.Range() }
		if s.OutputDir = trimDot(s.OutputDir); s.OutputDir == "" {
			s.OutputDir = "."
		}
		if err := spec.CheckPath(s.OutputDir); err != nil && s.OutputDir != "." {
			ev.add(problem(codePath, "imgbuild", at("output_dir"), pathHint(s.OutputDir), "the path %s %s", quoteKey(s.OutputDir), err))
			s.OutputDir = "."
		}
		if s.RequiredVersion != "" {
			ev.checkVersion(s.RequiredVersion, at("required_version"))
		}
		manifests := 0
		for i, inner := range b.Body.Blocks {
			if inner.Type == "lint" {
				if at := s.Lint.at; at.line != 0 {
					ev.twice("imgbuild: lint", *rangeOf(inner.TypeRange), *ev.where.field(at, ""))
				} else {
					ev.lint(b, inner, get, &s.Lint)
				}
				continue
			}
			if inner.Type == "manifest" {
				ev.manifest(manifests, b, inner, get, &s.Settings)
				manifests++
			}
			if inner.Type != "store" {
				continue
			}
			if first := slices.IndexFunc(b.Body.Blocks, func(o *hclsyntax.Block) bool { return o.Type == "store" }); first < i {
				ev.twice("imgbuild: store", *rangeOf(inner.TypeRange), *rangeOf(b.Body.Blocks[first].TypeRange))
				continue
			}
			s.store.Keep = "picked"
			decode(inner.Body, &storeSchema, &s.store, get, "imgbuild: store", inner.DefRange(), ev.add)
			if s.store.Path = trimDot(s.store.Path); s.store.Path == "" {
				continue
			}
			if err := spec.CheckPath(s.store.Path); err != nil {
				ev.add(problem(codePath, "imgbuild: store", inner.Body.Attributes["path"].Expr.Range(), pathHint(s.store.Path), "the path %s %s", quoteKey(s.store.Path), err))
				continue
			}
			s.Store = &s.store
		}
		ev.leave()
	}
	ev.p.Settings = s.Settings
	if s.maker != nil {
		ev.top.defaultMaker = s.maker.name
	}

	for _, key := range sortedKeys(ev.top.makers) {
		b := ev.top.makers[key]
		m := maker{Config: provider.Defaults(b.Labels[0])}
		thing := "provider." + key
		if f, ok := ev.checkType(m.Type, thing, b.LabelRanges[0]); !ok {
			ev.add(f)
			continue
		}
		has, _ := decode(b.Body, &providerSchema, &m, ev.getter(thing), thing, b.DefRange(), ev.add)
		at := func(attr string) hcl.Range { return b.Body.Attributes[attr].Expr.Range() }
		if m.Alias != "" && !identifier(m.Alias) {
			ev.add(problem(codeLabel, thing, at("alias"), "use letters, digits, - and _, and begin with a letter", "%s can't be a name", quoteKey(m.Alias)))
			continue
		}
		if a := b.Body.Attributes["endpoint"]; a != nil && m.Endpoint == "" && has.said == has.set {
			ev.add(problem(codeChoice, thing, a.Expr.Range(), "delete the line to use the provider's own endpoint", "endpoint is empty"))
		}
		if what, hint, ok := wrongEndpoint(m.Endpoint); ok {
			where := at("endpoint")
			if strings.ContainsAny(m.Endpoint, "@?#") {
				where = b.DefRange() // a line that may hold a secret is not shown
			}
			ev.add(problem(codeChoice, thing, where, hint, "endpoint %s", what))
		}
		if a := b.Body.Attributes["credential_command"]; a != nil && m.Type != "xai" {
			ev.add(problem(codeChoice, thing, a.Expr.Range(), "delete the line", "%s needs no key", m.Type))
		} else if name, ok := wrongProgram(m.Command); a != nil && has.said == has.set && ok {
			ev.add(problem(codeChoice, thing, a.Expr.Range(), `write a program on the PATH and its arguments: credential_command = ["pass", "show", "xai"]`,
				"%s is neither the name of a program nor an absolute path", quoteKey(name)))
		}
		if m.Transport != "rest" || m.Wire != "current" || m.Response != "url" {
			if a := b.Body.Attributes["deferred"]; a != nil && m.Deferred {
				ev.add(problem(codeChoice, thing, a.Expr.Range(), "delete the line, or what excludes it",
					`deferred jobs need transport = "rest", wire = "current" and response = "url"`))
			}
			m.Deferred = false
		}
		if u, err := url.Parse(m.Endpoint); err == nil && m.Transport == "grpc" && strings.TrimSuffix(u.Path, "/") != "" && strings.TrimSuffix(u.Path, "/") != "/v1" {
			ev.add(problem(codeChoice, thing, at("endpoint"), "write the endpoint without a path, or leave transport away", "gRPC has no paths, so %s can't be asked over it", quoteKey(m.Endpoint)))
		}
		if m.rate != "" {
			rate, ok := perMinute(m.rate)
			if !ok {
				ev.add(problem(codeChoice, thing, at("rate"), `write a number and a unit: "60/m", "1/s" or "500/h"`, "rate can't be %s", quoteKey(m.rate)))
			}
			m.PerMinute = rate
		}
		ev.p.Providers = append(ev.p.Providers, m.Config)
	}
	slices.SortFunc(ev.p.Providers, func(a, b provider.Config) int { return cmp.Compare(a.Key(), b.Key()) })
}

// wrongEndpoint says why a text can't be the endpoint of a provider.
func wrongEndpoint(s string) (what, hint string, ok bool) {
	if s == "" {
		return "", "", false
	}
	const whole = `write the URL of the server: endpoint = "https://HOST/v1"`
	u, err := url.Parse(s)
	switch {
	case !strings.Contains(s, "://") && !strings.ContainsAny(s, "@?#"):
		scheme := "https://"
		if strings.HasPrefix(s, "127.") || strings.HasPrefix(s, "localhost") {
			scheme = "http://"
		}
		return quoteKey(s) + " is not a URL", "write " + quoteKey(scheme+s), true
	case err == nil && u.User != nil:
		return "has a user name or a password before its host, which is " + quoteKey(u.Host), "write it without them, and the key into XAI_API_KEY", true
	case err != nil && strings.ContainsAny(s, "@?#"):
		return "is not a URL", whole, true
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return quoteKey(s) + " is not the URL of a server", whole, true
	case u.RawQuery != "" || u.Fragment != "":
		return "has a query or a fragment", "delete what stands behind ? or #", true
	}
	return "", "", false
}

// wrongProgram reports whether a command does not begin with a program: one by
// a relative path would be the project's.
func wrongProgram(command []string) (name string, wrong bool) {
	if len(command) > 0 {
		name = command[0]
	}
	return name, name == "" || strings.ContainsAny(name, `/\`) && name[0] != '/' && !strings.HasPrefix(name[1:], `:\`) || strings.Contains(strings.Join(command, ""), "\x00")
}

func perMinute(rate string) (float64, bool) {
	number, unit, _ := strings.Cut(rate, "/")
	n, err := strconv.ParseFloat(number, 64)
	per := map[string]float64{"s": 60, "m": 1, "h": 1.0 / 60}[unit]
	return n * per, err == nil && per > 0 && n > 0 && n <= 1e6
}

func (ev *evaluator) checkVersion(constraint string, at hcl.Range) {
	c, err := version.NewConstraint(constraint)
	if err != nil {
		ev.add(problem(codeVersion, "imgbuild", at, `write it such as ">= 0.1" or "~> 1.2"`, "required_version %s is not a constraint", quoteKey(constraint)))
		return
	}
	v, err := version.NewVersion(ev.opt.Version)
	if err != nil {
		return // a build without a version passes for any
	}
	if !c.Check(v.Core()) {
		ev.add(problem(codeVersion, "imgbuild", at, "install another version, or change required_version", "this is imgbuild %s, and the configuration wants %s", ev.opt.Version, constraint))
	}
}

func (ev *evaluator) checkType(ty, thing string, at hcl.Range) (diag.Finding, bool) {
	if ev.opt.Types == nil || slices.Contains(ev.opt.Types, ty) {
		return diag.Finding{}, true
	}
	return problem(codeUnknownName, thing, at, nearest(ty, ev.opt.Types), "there is no provider type %q", ty), false
}

// checkProvider tells what is wrong with a reference to a provider.
func (ev *evaluator) checkProvider(key, thing string, at hcl.Range) (diag.Finding, bool) {
	if ev.top.makers[key] != nil {
		return diag.Finding{}, true
	}
	ty, alias, _ := strings.Cut(key, ".")
	hint := nearest(key, sortedKeys(ev.top.makers))
	if alias == "" && !strings.HasPrefix(hint, "did") {
		hint = fmt.Sprintf("add provider %q {}", ty)
	} else if alias != "" && ev.top.makers[ty] != nil && !strings.HasPrefix(hint, "did") {
		hint = fmt.Sprintf("add provider %q { alias = %q }", ty, alias)
	}
	return problem(codeUnknownName, thing, at, hint, "there is no provider.%s", key), false
}

// tooLarge reports whether a Source refused to read as much.
func tooLarge(err error) bool {
	var e interface{ TooLarge() bool }
	return errors.As(err, &e) && e.TooLarge()
}

// cause is an error of a Source without its room and verb.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// hintOf is what a source says can be done about an error of its.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// readText reads a file that the configuration names, and notes it.
func (ev *evaluator) readText(file string, limit int64) (string, error) {
	b, err := ev.readFile(file, limit)
	return string(b), err
}

// readFile reads a file inside the root, and notes it.
func (ev *evaluator) readFile(file string, limit int64) ([]byte, error) {
	if file = trimDot(file); path.IsAbs(file) || file == ".." || strings.HasPrefix(path.Clean(file), "../") {
		return nil, fmt.Errorf("%s leaves the root of the project", quoteKey(file))
	}
	file = path.Clean(file)
	b, err := ev.src.Read(file, limit+1)
	in := Input{Kind: InputFile, Path: file}
	if err == nil {
		if in.Content = digest.OfContent(b); !ev.inputs.seen[in] {
			ev.data += len(b)
			ev.earn(len(b))
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		ev.inputs.add(in)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", quoteKey(file))
	case err != nil && !tooLarge(err):
		return nil, cause(err)
	case err != nil || int64(len(b)) > limit:
		return nil, fmt.Errorf("%s is larger than %d MiB", quoteKey(file), limit>>20)
	}
	return b, nil
}
