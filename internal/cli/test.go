package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/encoder"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

const testFolder = "tests" // beside the root

type testFlags struct {
	projectFlags
	filter  []string
	folder  string
	verbose bool
	json    bool
	junit   string
}

func testVerb() verb {
	f := testFlags{folder: testFolder}
	return verb{
		name: "test", short: "run the assertions of *.imgtest.hcl, offline and free",
		help: `
  imgbuild test
  imgbuild test -filter=tests/prices.imgtest.hcl -verbose
  imgbuild test -json
  imgbuild test -junit-xml=report.xml

Reads *.imgtest.hcl here and in tests/. A file has run blocks, such as

  run "winter_is_cheap" {
    variables {
      season = "winter"
    }
    assert {
      condition     = plan.price <= 0.50
      error_message = "costs ${plan.price}"
    }
  }

A run plans, with the prices of the providers, or with command = apply makes
everything with sketch. Nothing of the project is touched or asked for: neither
lock nor outputs nor keys. The runs of a file go in order, and each goes on if
another fails, but for one that uses what failed. imgbuild schema -test lists
the blocks, and what assertions may use.
`,
		codes: []int{exitCheck},
		flags: append([]urfave.Flag{
			&urfave.StringSliceFlag{Name: "filter", Usage: "only the runs of `FILE`; may be repeated", Destination: &f.filter},
			&urfave.StringFlag{Name: "test-directory", Usage: "the `DIR` of tests, beside the root (tests)", Value: f.folder, Destination: &f.folder},
			&urfave.BoolFlag{Name: "verbose", Usage: "show the plan of each run", Destination: &f.verbose},
			&urfave.BoolFlag{Name: "json", Usage: "write events as JSON lines to standard output", Destination: &f.json},
			&urfave.StringFlag{Name: "junit-xml", Usage: "also write the results to `FILE`, as JUnit's XML", Destination: &f.junit},
		}, f.varFlags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error { return runTests(ctx, env, &f) },
	}
}

func runTests(ctx context.Context, env *Env, f *testFlags) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	if f.json {
		s.stream = &report.Stream{W: env.Stdout, Now: env.Now}
		s.stream.Version("imgbuild " + Version)
	}
	if f.junit != "" {
		if err := writableReport(join(env.Dir, f.junit)); err != nil {
			return err
		}
	}
	s.vars = f.vars
	if err := s.tell(s.noFiles()); err != nil {
		return err
	}
	names, err := s.testFiles(f.folder)
	if err != nil {
		return err
	}
	for i, name := range f.filter {
		f.filter[i] = path.Clean(name)
		if !slices.Contains(names, f.filter[i]) {
			hint := "imgbuild test reads *" + config.TestSuffix + " here and in " + f.folder + "/"
			if best := nearest(name, names); best != "" {
				hint = "did you mean " + best + "?"
			}
			return fail(hint, "there is no test file %s", diag.Clean(name))
		}
	}
	if len(f.filter) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(f.filter, name) })
	}
	tests := make([]*config.Test, len(names))
	lists := make([]diag.List, len(names))
	wrong := false
	for i, name := range names {
		tests[i], lists[i] = config.LoadTest(s.root, s.options(), name)
		wrong = wrong || lists[i].HasErrors()
	}
	s.project = &config.Project{}
	for i, t := range tests {
		if wrong { // what else is wrong, and what must not be shown
			lists[i] = t.Conceal(append(lists[i], t.Validate()...))
			s.project.Withhold(t)
		}
	}
	if err := s.tell(slices.Concat(lists...)); err != nil {
		return err
	}
	if len(tests) == 0 {
		fmt.Fprintf(env.Stderr, "There are no tests.\n  Hint: imgbuild test reads *%s here and in %s/; imgbuild help test shows one\n", config.TestSuffix, f.folder)
	}
	ctx, sig := signals(ctx, 0) // nothing is paid for, so nothing is worth waiting for
	defer sig.done()
	files, err := s.runAll(ctx, f, tests)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(env.Stderr, "\nInterrupted. What was sketched is removed.")
		return exit(exitInterrupted)
	}
	if err != nil {
		return err
	}
	if f.junit != "" {
		var b bytes.Buffer
		if err := report.TestsJUnit(&b, files); err != nil {
			return err
		}
		if err := os.WriteFile(join(env.Dir, f.junit), b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	for i := range files {
		if st := files[i].Status(); st == report.TestFailed || st == report.TestErrored {
			return exit(exitCheck)
		}
	}
	return nil
}

// writableReport reports why a file that the user names for the results must
// stay: it is there and is no XML.
func writableReport(name string) error {
	if device(name) {
		return nil
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (len(b) == 0 || bytes.HasPrefix(b, []byte("<?xml"))) {
		return nil
	}
	if err != nil {
		return err
	}
	return fail("choose another name, or remove the file", "%s is there and is no report of imgbuild", name)
}

// testFiles lists the files of tests, those of the root first.
func (s *session) testFiles(folder string) ([]string, error) {
	var out []string
	for _, dir := range []string{"", path.Clean(folder)} {
		names, err := s.root.ReadDir(dir)
		if dir != "" && errors.Is(err, fs.ErrNotExist) || dir == "." {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if strings.HasSuffix(name, config.TestSuffix) {
				out = append(out, path.Join(dir, name))
			}
		}
	}
	return out, nil
}

// checkTests finds what is wrong with the files of tests.
func (s *session) checkTests() (l diag.List) {
	names, err := s.testFiles(testFolder)
	if err != nil {
		return nil // whoever runs them is told
	}
	for _, name := range names {
		t, found := config.LoadTest(s.root, s.options(), name)
		l = append(l, t.Conceal(append(found, t.Validate()...))...)
		s.project.Withhold(t)
	}
	return l
}

// runAll runs files beside each other, and reports them in their order.
func (s *session) runAll(ctx context.Context, f *testFlags, tests []*config.Test) ([]report.TestFile, error) {
	if f.json {
		runs := map[string][]string{}
		for _, t := range tests {
			runs[t.Name] = []string{}
			for i := range t.Runs {
				runs[t.Name] = append(runs[t.Name], t.Runs[i].Name)
			}
		}
		s.stream.TestsBegin(runs)
	}
	type result struct {
		run report.TestRun
		err error
	}
	results := make([]chan result, len(tests))
	next := make(chan int, len(tests))
	for i, t := range tests {
		results[i] = make(chan result, 2*len(t.Runs)+1) // room for all, so that nobody waits for the report
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), len(tests)) {
		go func() {
			for i := range next {
				err := s.runFile(ctx, f, tests[i], func(r report.TestRun) { results[i] <- result{run: r} })
				if err != nil {
					results[i] <- result{err: err}
				}
				close(results[i])
			}
		}()
	}
	files := make([]report.TestFile, len(tests))
	o := s.reportOptions()
	_, watched := terminal(s.env.Stderr)
	var failure error
	for i, t := range tests {
		file := &files[i]
		file.Name = t.Name
		if f.json {
			s.stream.TestFile(file, false)
		} else {
			report.TestHead(s.env.Stdout, t.Name, o)
		}
		for r := range results[i] { // to the end, also after a failure: each removes its folders
			if failure = cmp.Or(failure, r.err); failure != nil {
				continue
			}
			if watched && !f.json {
				text := "\r\x1b[K"
				if r.run.Status == "" {
					text = "  …      " + diag.Clean(r.run.Name)
				}
				fmt.Fprint(s.env.Stderr, text)
			}
			switch {
			case f.json:
				s.stream.Test(&r.run)
			case r.run.Status != "":
				report.Test(s.env.Stdout, &r.run, o)
			}
			if r.run.Status != "" {
				file.Runs = append(file.Runs, r.run)
			}
		}
		if f.json && failure == nil {
			s.stream.TestFile(file, true)
		}
	}
	if failure != nil {
		return nil, failure
	}
	if f.json {
		s.stream.TestsEnd(files)
	} else if len(tests) > 0 {
		report.TestSummary(s.env.Stdout, files, o)
	}
	return files, nil
}

// bench is where the runs of a file are carried out: two folders outside the
// project, one that stays empty and one that apply works in.
type bench struct {
	*session
	test       *config.Test
	empty, own *workspace.Root
}

// runFile carries out the runs of a file. The error is about the disk, or says
// that somebody interrupts.
func (s *session) runFile(ctx context.Context, f *testFlags, t *config.Test, tell func(report.TestRun)) error {
	dir, err := os.MkdirTemp("", "imgbuild-test-*")
	if err != nil {
		return fail("TMPDIR names another place", "a folder for the pictures of tests: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{test: t}
	for _, place := range []struct {
		name string
		root **workspace.Root
	}{{"plan", &b.empty}, {"apply", &b.own}} {
		if err := os.Mkdir(join(dir, place.name), 0o777); err != nil {
			return err
		}
		if *place.root, err = workspace.Open(join(dir, place.name)); err != nil {
			return err
		}
		defer (*place.root).Close()
	}
	passed := map[string]bool{}
	for i := range t.Runs {
		r := report.TestRun{File: t.Name, Name: t.Runs[i].Name, Began: s.env.Now()}
		tell(r)
		for _, name := range t.Runs[i].Needs {
			if !passed[name] && r.Why == "" {
				r.Status, r.Why = report.TestSkipped, fmt.Sprintf("it uses run.%s, which did not pass", name)
			}
		}
		if r.Status == "" {
			// What one run has made of the configuration is nothing to the next.
			b.session = &session{env: s.env, root: s.root, out: b.empty, apart: true, vars: s.vars, limits: s.limits, encoders: encoder.Set{Getenv: s.env.Getenv, Limits: s.limits}, offers: map[[2]string]*provider.Offer{}}
			var p *plan.Plan
			if r.Findings, p, err = b.run(ctx, i); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if f.verbose {
				r.Plan = p
			}
			shown := &config.Project{}
			shown.Withhold(t)
			r.Source = func(file string) []byte { return shown.Show(file, s.source(file)) }
			r.Status = statusOf(r.Findings)
			passed[r.Name] = r.Status == report.TestPassed
		}
		r.Took = s.env.Now().Sub(r.Began)
		tell(r)
	}
	return nil
}

// statusOf is error if anything went wrong, and fail if only conditions do not
// hold.
func statusOf(l diag.List) report.TestStatus {
	st := report.TestPassed
	for _, f := range l {
		switch {
		case f.Severity != diag.Error:
		case !config.IsCondition(f.Code):
			return report.TestErrored
		default:
			st = report.TestFailed
		}
	}
	return st
}

// run carries out one run: what is found, and its plan if it came so far.
func (b *bench) run(ctx context.Context, i int) (diag.List, *plan.Plan, error) {
	p, found := b.test.Load(i)
	if p == nil || found.HasErrors() {
		return b.test.Expect(i, found), nil, nil
	}
	b.project = p
	facts := config.TestFacts{Models: map[spec.Address]string{}}
	for k := range p.Images {
		w := &p.Images[k].Wanted
		facts.Models[p.Images[k].Address] = w.Model
		if o, ok := b.offer(w.Provider, w.Model); ok {
			facts.Models[p.Images[k].Address] = o.Model
		}
	}
	found = append(found, b.hashSources(ctx)...)
	var made *plan.Plan
	var more diag.List
	var err error
	if b.test.Runs[i].Apply {
		made, more, err = b.apply(ctx)
	} else {
		b.lock = &lock.Lock{}
		b.openStore()
		made, more, err = b.plan(ctx, planOptions{})
	}
	if err != nil {
		return nil, nil, err
	}
	if found = append(found, more...); ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	rest := b.test.Expect(i, found)
	if made == nil || slices.ContainsFunc(rest, func(f diag.Finding) bool { return f.Severity == diag.Error && !config.IsCondition(f.Code) }) {
		return rest, made, nil
	}
	facts.Images, facts.Plan = b.facts(), planFacts(made, p)
	if b.test.Runs[i].Pixels {
		for a, f := range facts.Images {
			if f.Known {
				if f.HasAlpha, f.Blank, err = b.pixelsOf(f.Path); err != nil {
					return nil, nil, err
				}
				f.Pixels = true
				facts.Images[a] = f
			}
		}
	}
	return append(rest, b.test.Judge(i, facts)...).Sorted(), made, nil
}

// apply makes everything with sketch. A configuration that a plan refuses is
// refused here too. The plan is nil if there is none.
func (b *bench) apply(ctx context.Context) (*plan.Plan, diag.List, error) {
	if l := b.unmet(); l.HasErrors() {
		return nil, l, nil
	}
	// The assertions go on to see what is wanted.
	drawn := *b.project
	drawn.Images = slices.Clone(drawn.Images)
	b.project, b.out = &drawn, b.own
	b.offers = map[[2]string]*provider.Offer{}
	b.sketchAll()
	l, err := b.readLock()
	if err != nil || l.HasErrors() {
		return nil, l, err
	}
	b.openStore()
	e, closeJournal, err := b.engine(ctx, &applyFlags{parallelism: runtime.GOMAXPROCS(0)})
	if err != nil {
		return nil, nil, err
	}
	defer closeJournal()
	p, l, err := b.plan(ctx, planOptions{})
	if err != nil {
		return nil, nil, err
	}
	if l = append(l, b.protections(p)...); l.HasErrors() {
		return nil, l, nil
	}
	b.watch(e, p)
	e.Event = func(apply.Event) {}
	res, err := e.Apply(ctx, ctx.Done(), p)
	if err != nil {
		return nil, nil, err
	}
	if err := e.Settle(true); err != nil {
		return nil, nil, err
	}
	_, wrong := b.afterwards()
	l = append(l, wrong...)
	// What a condition says tells more than that its picture was not written;
	// and what waits for a picture says nothing new.
	told := res.Count(apply.Failed) > 0 || l.HasErrors() || slices.ContainsFunc(l, func(f diag.Finding) bool { return config.IsCondition(f.Code) })
	for _, o := range res.Outcomes {
		if o.Kind == apply.Done || told && o.Kind == apply.Skipped ||
			slices.ContainsFunc(l, func(f diag.Finding) bool { return f.Address == string(o.Address) && config.IsCondition(f.Code) }) {
			continue
		}
		l = append(l, diag.Finding{Severity: diag.Error, Code: "IB0509", Address: string(o.Address), Text: string(o.Address) + ": " + o.Text, Hint: o.Hint,
			Range: b.project.At(b.root, o.Address, "")})
	}
	return p, l, nil
}

// pixelsOf tells whether a picture has alpha and is blank.
func (b *bench) pixelsOf(file string) (alpha, blank bool, err error) {
	content, err := b.out.Read(file, b.limits.Bytes)
	if err != nil {
		return false, false, err
	}
	return apply.Pixels(content, b.limits)
}

// planFacts is a plan as assertions see it: with a step for each image.
func planFacts(p *plan.Plan, of *config.Project) config.PlanFacts {
	s := p.Summary
	f := config.PlanFacts{Price: s.Price, Buy: s.Buy, Make: s.Make, Images: s.Images, Unpriced: s.Unpriced, Free: s.Free,
		Delete: s.Delete, Files: s.Files, Standing: s.Standing, Unchanged: p.Unchanged}
	for _, b := range p.Budgets {
		f.Budgets = append(f.Budgets, config.BudgetFacts{Name: b.Name, Price: b.Price, MaxCost: b.MaxCost, Unpriced: b.Unpriced})
	}
	steps := map[spec.Address]config.StepFacts{}
	for i := range of.Images {
		a := of.Images[i].Address
		steps[a] = config.StepFacts{Address: a, Verb: "unchanged", Priced: true}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		x := config.StepFacts{Address: s.Address, Verb: string(s.Verb), Price: s.Price, Priced: s.Priced, Notes: s.Notes}
		if s.Verb.Paid() {
			r := &s.Request
			x.Need, x.Provider, x.Model, x.Prompt = s.Need, s.Provider, r.Model, r.Prompt
			x.Sensitive = r.Sensitive
			x.Size, x.AspectRatio, x.Resolution, x.Quality = r.Size.String(), r.AspectRatio, r.Resolution, r.Quality
		}
		for _, r := range s.Why {
			x.Why = append(x.Why, config.ReasonFacts{Cause: string(r.Cause), Field: r.Field, Old: r.Old, New: r.New})
		}
		for _, o := range s.Outputs {
			switch o.Action {
			case plan.Write:
				x.Write = append(x.Write, o.Path)
			case plan.DeleteFile:
				x.Remove = append(x.Remove, o.Path)
			}
		}
		steps[s.Address] = x
	}
	for _, a := range slices.Sorted(maps.Keys(steps)) {
		f.Steps = append(f.Steps, steps[a])
	}
	return f
}
