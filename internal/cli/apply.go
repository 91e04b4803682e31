package cli

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// unwatched is what an apply that nobody watches may spend if nobody said
// otherwise.
const unwatched = 5 * provider.Dollar

type applyFlags struct {
	planFlags
	yes         bool
	parallelism int
	maxCost     *provider.Money
	failFast    bool
	unpriced    bool
	jsonInto    string
	report      string
	wait        time.Duration
	grace       time.Duration
	saved       string
	allowExec   bool
}

func applyVerb() verb {
	var f applyFlags
	return verb{
		name: "apply", short: "make what the plan says", args: "[PLAN]",
		help: `
  imgbuild apply
  imgbuild apply -auto-approve -max-cost=2.50
  imgbuild apply plan.json
  imgbuild apply -draft
  imgbuild apply -auto-approve -report applied.html

Asks before it does anything, unless a saved plan or -auto-approve says yes. A
failed image stops only what needs it. The first Ctrl-C (or TERM, or a terminal
that is closed) starts nothing new and lets paid requests finish; the second
abandons them, which leaves them in doubt; the third ends imgbuild at once. If who
reads its output goes (| head), it goes on. Without a budget, an apply
that nobody watches and that has no saved plan stops at USD 5.
` + patterns,
		codes: []int{exitFailed, exitBudget, exitStale},
		bad:   func(n int) bool { return n > 1 },
		flags: append(append([]urfave.Flag{
			&urfave.BoolFlag{Name: "auto-approve", Usage: "do not ask", Destination: &f.yes},
			&urfave.GenericFlag{Name: "max-cost", Usage: "spend at most `USD`; overrides max_cost of the configuration", Value: moneyFlag{&f.maxCost}},
			&urfave.BoolFlag{Name: "allow-unpriced", Usage: "let budgets allow what has no known price, one at a time until a reply tells it", Destination: &f.unpriced},
			&urfave.IntFlag{Name: "parallelism", Usage: "make at most `N` images at once (8)", Value: 8, Destination: &f.parallelism},
			&urfave.BoolFlag{Name: "fail-fast", Usage: "start nothing new after a failure", Destination: &f.failFast},
			&urfave.BoolFlag{Name: "json", Usage: "write events as JSON lines to standard output", Destination: &f.json},
			&urfave.StringFlag{Name: "json-into", Usage: "write events as JSON lines to `FILE`, beside the text", Destination: &f.jsonInto},
			&urfave.BoolFlag{Name: "draft", Usage: "sketch everything into .imgbuild/draft, offline and free", Destination: &f.draft},
			&urfave.BoolFlag{Name: "destroy", Usage: "delete all files that imgbuild made", Destination: &f.destroy},
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another imgbuild to finish, such as 30s", Destination: &f.wait},
			&urfave.DurationFlag{Name: "grace", Usage: "after Ctrl-C, wait at most `TIME` for paid requests (2m)", Value: 2 * time.Minute, Destination: &f.grace},
			reportFlag(&f.report),
			allowExecFlag(&f.allowExec),
			&urfave.BoolFlag{Name: "verify", Usage: "hash the files instead of trusting their size and time", Destination: &f.verify},
			&urfave.BoolFlag{Name: "retry-refused", Usage: "buy again what was paid for and refused", Destination: &f.retryRefused},
			&urfave.BoolFlag{Name: "retry-in-doubt", Usage: "send again what was sent and not answered; settle what nobody knows any more", Destination: &f.retryDoubt},
		}, selectFlags(&f.sel)...), f.projectFlags.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			f.saved, f.outputs = c.Args().First(), true
			return runApply(ctx, env, &f)
		},
	}
}

func runApply(ctx context.Context, env *Env, f *applyFlags) error {
	if f.parallelism < 1 {
		return usage(env, "-parallelism must be at least 1, got %d", f.parallelism)
	}
	if f.json && !f.yes && f.saved == "" {
		return usage(env, "-json shows no plan to approve: add -auto-approve, or apply a saved plan")
	}
	if err := reportable(env, f.report); err != nil {
		return err
	}
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	s.allowExec, s.mayRun = f.allowExec, f.allowExec || f.yes
	if f.json {
		s.stream = &report.Stream{W: env.Stdout, Now: env.Now}
	}
	var saved *plan.Plan
	if f.saved != "" {
		b, err := os.ReadFile(join(env.Dir, f.saved))
		if err != nil {
			return err
		}
		if saved, err = readPlan(b); err != nil {
			return fail("make one with imgbuild plan -out="+f.saved, "%s: %w", f.saved, err)
		}
		if f.draft && !saved.Draft {
			return fail("make a plan with imgbuild plan -draft", "%s is no plan of a draft", f.saved)
		}
		f.draft = saved.Draft
		if f.destroy || f.retryRefused || f.retryDoubt || len(f.sel.Target)+len(f.sel.Exclude)+len(f.sel.Replace) > 0 {
			return fail("make another plan with them", "a saved plan is carried out as it is: -target, -exclude, -replace, -destroy and -retry-… belong to imgbuild plan")
		}
	}
	if f.draft {
		if err := s.openDraft(); err != nil {
			return err
		}
	}
	// Everything is read under the lock: while we waited for it somebody may have changed it.
	ctx, sig := signals(ctx, f.grace)
	defer sig.done()
	unlock, err := s.lockWorkspace(ctx, "apply", f.wait)
	if err != nil {
		return err
	}
	defer unlock()
	f.leaving = f.destroy
	if err := s.prepare(ctx, &f.projectFlags); err != nil {
		return err
	}
	if saved != nil {
		if !reflect.DeepEqual(saved.Keys, s.keys()) {
			s.tellKeys()
			return exit(exitStale)
		}
		s.mayRun = true
	}
	s.tellLoopback() // before anything is asked, also for what an earlier run left
	e, closeJournal, err := s.engine(ctx, f)
	if err != nil {
		return err
	}
	defer closeJournal()

	p := saved
	if saved != nil {
		s.unseal(saved)
	}
	if saved != nil && saved.Config != digest.OfContent(s.project.Encode()) {
		s.warn("the configuration has changed since this plan was made; the plan is carried out as it is.")
	}
	if o := (planOptions{pending: e.Open}); saved != nil && slices.ContainsFunc(saved.Steps, buys) && o.unknown() != nil {
		return fail("imgbuild plan shows what that means", "%s: what the plan buys may have been paid for", unknownText(o.unknown()))
	}
	if p == nil {
		f.pending = e.Open
		s.askAboutDoubts(ctx, f)
		if p, err = s.planned(ctx, f.planOptions); err != nil {
			return err
		}
	}
	if !f.json && (saved == nil || !p.Changes() && len(p.Steps) == 0) {
		report.Plan(env.Stdout, p, s.reportOptions())
	}
	if l := s.protections(p); len(l) > 0 {
		if f.json {
			s.stream.Begin(p)
		}
		return s.tell(l)
	}
	e.Saved = saved != nil
	s.budget(f, e, e.Saved)
	s.budgets(p)
	s.tellBudget(f, e, p)
	if ask := s.checkKeys(e, p); ask && saved == nil && !f.yes {
		if err := approve(ctx, env, p, e); err != nil {
			return err
		}
		s.mayRun = true
	}
	if f.retryDoubt {
		if err := s.settleUnknown(e); err != nil {
			return err
		}
	}
	return s.carryOut(ctx, f, e, p, sig)
}

func buys(s plan.Step) bool { return s.Verb.Paid() }

// settleUnknown ends the doubts about requests of which a salvaged journal has
// lost what they were for: nobody can send those again, and somebody who knows
// of them goes on.
func (s *session) settleUnknown(e *apply.Engine) error {
	for i := range e.Open {
		a := &e.Open[i]
		if !a.Request.IsZero() {
			continue
		}
		if err := e.Journal.Append(journal.Record{Type: journal.TypeResolved, Attempt: a.ID, Reason: "given up: what it was for is lost"}); err != nil {
			return err
		}
		fmt.Fprintf(s.env.Stderr, "Settled: attempt %s, of which nobody knows what it was for.\n", a.ID)
	}
	return nil
}

// lockWorkspace makes this process the only writer.
func (s *session) lockWorkspace(ctx context.Context, verb string, wait time.Duration) (func(), error) {
	host, _ := os.Hostname()
	deaf := outlivePipes()
	who := workspace.Who{PID: os.Getpid(), Host: host, Verb: verb, Started: s.env.Now()}
	unlock, err := s.out.Lock(ctx, 0, who)
	var busy *workspace.Busy
	if wait > 0 && errors.As(err, &busy) {
		fmt.Fprintf(s.env.Stderr, "Waiting at most %s: %s.\n", wait, diag.Clean(busy.Error()))
		unlock, err = s.out.Lock(ctx, wait, who)
	}
	if errors.As(err, &busy) {
		err = fail("wait for it, or give it time: -lock-timeout=5m", "%w", err)
	}
	if err != nil {
		deaf()
		return nil, err
	}
	return func() { unlock(); deaf() }, nil
}

// engine opens the journal, recovers what a run that died left, and readies an
// engine.
func (s *session) engine(ctx context.Context, f *applyFlags) (*apply.Engine, func(), error) {
	j, state, err := journal.Open(s.out.FS(journalDir))
	if err == nil {
		if err = s.bereave(&state, j); err != nil {
			j.Close()
		}
	}
	if err != nil {
		_, hint := workspace.Plainly(err)
		return nil, nil, fail(cmp.Or(hint, "see that "+journalDir+" can be read and written: it records what was paid for"), "%w", err)
	}
	var id [4]byte
	rand.Read(id[:])
	e := &apply.Engine{
		Out: s.out, Sources: s.root, Store: s.store, Journal: j, Lock: s.lock, Limits: s.limits, Offer: s.offer, Encoders: &s.encoders,
		SaveLock: s.saveLock, Maker: s.makers(ctx), Endpoint: func(key string) string { c, _ := s.provider(key); return c.Endpoint }, Parallelism: f.parallelism, FailFast: f.failFast, Unpriced: f.unpriced,
		Process: s.env.Now().UTC().Format("20060102T150405") + "-" + hex.EncodeToString(id[:]), Now: s.env.Now,
	}
	f.written = state.Written
	if f.offline {
		e.Maker = func(key string) (provider.Maker, error) {
			return nil, fmt.Errorf("it is at %s, and this verb asks nobody", key)
		}
	}
	e.Protects = s.protects
	if n := apply.Jobs(state.Attempts); n > 0 && !f.offline {
		text := fmt.Sprintf("An earlier run left %d %s with the provider: asking for the result.", n, noun(n, "request", "requests"))
		fmt.Fprintln(s.env.Stderr, text)
		if s.stream != nil {
			s.stream.Write(report.Line{Type: "recovering", Message: text})
		}
	}
	rec, err := e.Recover(ctx, state)
	run, spent := apply.Unfinished(state.Attempts)
	e.Run, e.Before, e.Budgets = cmp.Or(run, e.Process), spent, s.budgetsBefore(state.Attempts, run)
	e.Dearer = apply.DearerBefore(state.Attempts, run)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(s.env.Stderr, "%s what an earlier run paid for could not be fetched yet: %s\n", palette(s.env, s.env.Stderr).Yellow("Warning:"), diag.Clean(strings.TrimSpace(line)))
		}
		fmt.Fprintln(s.env.Stderr, "  Hint: the next apply tries again; nothing is bought a second time")
	}
	var folders []string
	if len(state.Attempts)+len(state.Written) > 0 {
		// What died may have left temporary files beside the outputs. Else those
		// there may be of a fmt at work.
		folders = append(folders, "")
		for i := range s.project.Images {
			im := &s.project.Images[i]
			for _, p := range im.Paths() {
				folders = append(folders, strings.TrimSuffix(path.Dir(p), "."))
			}
		}
		for _, m := range s.project.Settings.Manifests {
			folders = append(folders, strings.TrimSuffix(path.Dir(m.Path), "."))
		}
	}
	slices.Sort(folders)
	_, _ = s.out.Sweep(lock.File, slices.Compact(folders)) // what stays is only untidy
	_ = s.store.Local.Sweep()
	if rec.Images+rec.Lost+rec.Doubts > 0 {
		var parts []string
		if rec.Images > 0 {
			parts = append(parts, fmt.Sprintf("%d paid %s taken in (%s)", rec.Images, noun(rec.Images, "image", "images"), rec.Paid))
		}
		if rec.Lost > 0 {
			parts = append(parts, fmt.Sprintf("%d paid %s gone at the provider", rec.Lost, noun(rec.Lost, "image is", "images are")))
		}
		if rec.Doubts > 0 {
			parts = append(parts, fmt.Sprintf("%d %s in doubt (%s)", rec.Doubts, noun(rec.Doubts, "request", "requests"), rec.Price))
		}
		text := fmt.Sprintf("An earlier run did not end: %s.", strings.Join(parts, ", "))
		fmt.Fprintln(s.env.Stderr, text)
		if s.stream != nil {
			s.stream.Write(report.Line{Type: "recovered", Message: text})
		}
	}
	return e, func() { j.Close() }, nil
}

func noun(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// makers makes each maker once.
func (s *session) makers(ctx context.Context) func(string) (provider.Maker, error) {
	var mu sync.Mutex // steps ask side by side
	made := map[string]provider.Maker{}
	return func(key string) (provider.Maker, error) {
		mu.Lock()
		defer mu.Unlock()
		if m := made[key]; m != nil {
			return m, nil
		}
		c, ok := s.provider(key)
		if !ok {
			return nil, fmt.Errorf("there is no provider %s in the configuration any more", key)
		}
		m, err := all.Make(c, all.Env{Getenv: s.env.Getenv, ReadFile: os.ReadFile, Now: s.env.Now, Credential: func(c provider.Config) (string, error) { return s.credential(ctx, c) }})
		if err == nil {
			made[key] = m
		}
		return m, err
	}
}

func (s *session) saveLock(l *lock.Lock) error {
	b := l.Bytes()
	if c := digest.OfContent(b); c == s.locked || len(l.Entries) == 0 && s.locked.IsZero() {
		return nil
	}
	w, err := s.out.Write(lock.File, func(w io.Writer) error { _, err := w.Write(b); return err }, s.locked)
	var conflict *workspace.Conflict
	switch {
	case errors.As(err, &conflict):
		return fail("what was made is in the store and in the journal; settle the file and run imgbuild apply again, which costs nothing",
			"%s was changed by somebody else while imgbuild was at work", lock.File)
	case err == nil:
		s.locked = w.Content
	}
	return err
}

// askAboutDoubts asks where a provider says in_doubt = "ask" and somebody is
// there.
func (s *session) askAboutDoubts(ctx context.Context, f *applyFlags) {
	var sum provider.Money
	n := 0
	for _, a := range f.pending {
		if c, _ := s.provider(a.Provider); c.InDoubt == "ask" && a.Phase == journal.InDoubt {
			n++
			sum += a.Doubt
		}
	}
	if n == 0 || f.retryDoubt || f.yes {
		return
	}
	if _, ok := terminal(s.env.Stdin); !ok {
		return
	}
	fmt.Fprintf(s.env.Stderr, "%d %s sent and not answered (%s); it may have been paid. Send again? Only yes does: ", n, noun(n, "request was", "requests were"), sum)
	f.retryAsked = readLine(ctx, s.env.Stdin) == "yes"
}

// budget settles what the run may spend.
func (s *session) budget(f *applyFlags, e *apply.Engine, saved bool) {
	_, watched := terminal(s.env.Stdin)
	switch {
	case f.maxCost != nil:
		e.MaxCost = f.maxCost
	case s.project.Settings.MaxCost != nil:
		e.MaxCost = s.project.Settings.MaxCost
	case !watched && !saved:
		limit := unwatched
		e.MaxCost = &limit
	}
}

// warn tells what is about no file.
func (s *session) warn(text string) {
	fmt.Fprintf(s.env.Stderr, "%s %s\n", palette(s.env, s.env.Stderr).Yellow("Warning:"), text)
}

// tellBudget tells before anything is asked or done that the budget of the run
// will stop it, where the plan does not say so: the budget is none of the
// configuration, or an earlier run has used some of it.
func (s *session) tellBudget(f *applyFlags, e *apply.Engine, p *plan.Plan) {
	if e.MaxCost == nil || p.Summary.Price+e.Before <= *e.MaxCost || p.Summary.Price == 0 {
		return
	}
	sum, whose, hint := fmt.Sprintf("the plan's %s", p.Summary.Price), "max_cost allows", ""
	switch {
	case f.maxCost != nil:
		whose = "-max-cost allows"
	case s.project.Settings.MaxCost == nil:
		whose, hint = "a run may spend that nobody watches", "; allow more with -max-cost"
	case e.Before == 0:
		return // the plan has said so
	}
	if e.Before > 0 {
		sum += fmt.Sprintf(", with %s of the run that did not end,", e.Before)
	}
	s.warn(fmt.Sprintf("%s is more than %s (%s): it stops there%s.", sum, whose, *e.MaxCost, hint))
}

// checkKeys tells before anything is asked or done which providers can't be
// asked: their images wait, the others go on. It reports whether anything is
// left to do.
func (s *session) checkKeys(e *apply.Engine, p *plan.Plan) (left bool) {
	ready := map[string]error{}
	waiting := map[string]int{}
	left = len(p.Manifests) > 0
	for i := range p.Steps {
		step := &p.Steps[i]
		if step.Need == 0 || !step.Verb.Paid() {
			left = left || !step.Verb.Standing()
			continue
		}
		why, known := ready[step.Provider]
		if c, ok := s.provider(step.Provider); ok && !known {
			why = all.Ready(c, all.Env{Getenv: s.env.Getenv, ReadFile: os.ReadFile, Now: s.env.Now})
			ready[step.Provider] = why
		}
		if why != nil {
			waiting[step.Provider]++
		} else {
			left = true
		}
	}
	e.NotReady = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(waiting)) {
		e.NotReady[key] = key + " can't be asked: " + strings.TrimPrefix(ready[key].Error(), "credentials: ")
		fmt.Fprintf(s.env.Stderr, "%s %s; %d %s for it\n", palette(s.env, s.env.Stderr).Yellow("Warning:"), diag.Clean(e.NotReady[key]),
			waiting[key], noun(waiting[key], "image waits", "images wait"))
		var pe *provider.Error
		if errors.As(ready[key], &pe) && pe.Hint != "" {
			fmt.Fprintf(s.env.Stderr, "  Hint: %s\n", diag.Clean(pe.Hint))
		}
	}
	return left
}

// approve asks, with the price of what will be sent: not of images whose
// provider is not ready, nor of what the budget does not allow.
func approve(ctx context.Context, env *Env, p *plan.Plan, e *apply.Engine) error {
	what := "Do this"
	sum, notReady := p.Summary, e.NotReady
	for i := range p.Steps {
		if step := &p.Steps[i]; notReady[step.Provider] != "" && step.Verb.Paid() {
			if step.Priced {
				sum.Price -= step.Price
			} else {
				sum.Unpriced--
			}
		}
	}
	switch s := sum; {
	case s.Unpriced > 0 && s.Price > 0:
		what = fmt.Sprintf("Spend %s and an unknown amount on %d more", s.Price, s.Unpriced)
	case s.Unpriced > 0:
		what = fmt.Sprintf("Spend an unknown amount on %d", s.Unpriced)
	case s.Price > 0 && e.MaxCost != nil && s.Price+e.Before > *e.MaxCost:
		what = fmt.Sprintf("Spend at most %s of %s", max(*e.MaxCost-e.Before, 0), s.Price)
	case s.Price > 0:
		what = "Spend " + s.Price.String()
	}
	fmt.Fprintf(env.Stderr, "\n%s? Only yes does it: ", what)
	if line := readLine(ctx, env.Stdin); line != "yes" {
		fmt.Fprintln(env.Stderr)
		if err := ctx.Err(); err != nil {
			return err
		}
		return fail("answer yes, or use -auto-approve", "not approved; nothing of the plan was done")
	}
	fmt.Fprintln(env.Stderr)
	return nil
}

// readLine is "" once ctx is over.
func readLine(ctx context.Context, r io.Reader) string {
	read := make(chan string, 1)
	go func() { // after a signal nobody waits for it: the process ends
		line, _ := bufio.NewReader(r).ReadString('\n')
		read <- strings.TrimSpace(line)
	}()
	select {
	case line := <-read:
		return line
	case <-ctx.Done():
		return ""
	}
}

// carryOut applies the plan, tells what happens, and settles everything.
func (s *session) carryOut(ctx context.Context, f *applyFlags, e *apply.Engine, p *plan.Plan, sig *interrupts) error {
	if !sig.paying() {
		return ctx.Err()
	}
	var sinks []func(apply.Event)
	var ends []func(apply.Result)
	var into *report.Stream
	var streams []*report.Stream
	if f.json {
		streams = append(streams, s.stream)
		s.stream.Begin(p)
		sinks, ends = append(sinks, s.stream.Event), append(ends, s.stream.End)
	}
	if f.jsonInto != "" {
		name := join(s.env.Dir, f.jsonInto)
		if err := replaceable(name, versionMark, "event log"); err != nil {
			return err
		}
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		defer file.Close()
		stream := &report.Stream{W: file, Now: s.env.Now}
		streams = append(streams, stream)
		if stream.Begin(p); stream.Err() != nil {
			return fail("name another file; nothing was sent", "the event log %s can't be written: %w", f.jsonInto, stream.Err())
		}
		into = stream
		sinks, ends = append(sinks, stream.Event), append(ends, stream.End)
	}
	if log := s.logRun(p); log != nil {
		defer log.Close()
		stream := &report.Stream{W: log, Now: s.env.Now}
		stream.Begin(p)
		sinks, ends = append(sinks, stream.Event), append(ends, stream.End)
	}
	live := func() {}
	if !f.json {
		if width, ok := terminal(s.env.Stderr); ok && p.Changes() {
			v := report.NewLive(s.env.Stderr, p, s.env.Now, report.Options{Palette: palette(s.env, s.env.Stderr), Width: width})
			sinks, live = append(sinks, v.Event), v.Close
		} else {
			waits := map[spec.Address]string{} // why each waits: told once, not each time
			sinks = append(sinks, func(ev apply.Event) {
				if ev.Kind == apply.Started || ev.Kind == apply.Waiting && waits[ev.Address] == ev.Text {
					return
				}
				waits[ev.Address] = ""
				if ev.Kind == apply.Waiting {
					waits[ev.Address] = ev.Text
				}
				fmt.Fprintln(s.env.Stderr, report.EventText(ev))
			})
		}
	}
	e.Event = func(ev apply.Event) {
		if s.draft {
			for i := range ev.Paths {
				ev.Paths[i] = draftDir + "/" + ev.Paths[i]
			}
		}
		for _, sink := range sinks {
			sink(ev)
		}
	}
	before := &lock.Lock{Entries: slices.Clone(s.lock.Entries)}
	ended := map[spec.Address]report.Outcome{}
	if f.report != "" {
		sinks = append(sinks, func(ev apply.Event) {
			switch ev.Kind {
			case apply.Done, apply.Failed, apply.Doubtful, apply.Accepted, apply.Skipped, apply.Stale:
				ended[ev.Address] = report.Outcome{Kind: ev.Kind, Text: ev.Text, Hint: ev.Hint}
			}
		})
	}
	e.Grace = f.grace
	s.watch(e, p)
	if slices.ContainsFunc(p.Steps, buys) {
		if err := e.Journal.Mark(s.out.FS(workspace.Own)); err != nil {
			return fmt.Errorf("nothing was sent, for its receipt could not be kept: %w", err)
		}
	}
	res, err := e.Apply(ctx, sig.stop, p)
	live()
	var untold error
	if err == nil { // else the lock may be older than what is made
		gone := f.destroy || slices.ContainsFunc(p.Manifests, func(m plan.Manifest) bool { return m.Action == plan.DeleteFile })
		untold = s.writeManifests(gone, func(path, what string) { s.tellManifest(streams, path, what) })
	}
	values, wrong := s.afterwards()
	if len(wrong) > 0 {
		fmt.Fprintln(s.env.Stderr)
	}
	told := s.tell(wrong)
	if code := exit(0); untold != nil && !errors.As(untold, &code) {
		tellError(s.env, untold)
		told = cmp.Or(told, error(exit(exitError)))
	} else {
		told = cmp.Or(told, untold)
	}
	for _, end := range ends {
		end(res)
	}
	if into != nil && into.Err() != nil {
		s.warn(fmt.Sprintf("the event log %s ends too early, as it could not be written: %v", diag.Clean(f.jsonInto), into.Err()))
		told = cmp.Or(told, error(exit(exitError)))
	}
	err = errors.Join(err, s.promoteAll(e))
	if err == nil {
		// The lock is durable: from here on the journal needs only what is in doubt.
		err = e.Settle(!f.offline)
	}
	_ = s.out.SaveIndex() // advisory
	if err := s.reportApplied(ctx, f, before, ended); err != nil {
		tellError(s.env, err)
		told = cmp.Or(told, error(exit(exitError)))
	}
	if !f.json && (p.Changes() || p.Summary.Standing > 0) {
		report.Result(s.env.Stdout, res, p.Summary.Standing, s.reportOptions())
	}
	if err != nil {
		return err
	}
	if !f.json && !f.draft {
		printOutputs(s.env.Stdout, values)
	}
	return cmp.Or(s.exitCode(f, p, res), told)
}

// logRun opens the log that a review follows, nil where there can't be one: it is
// advisory.
func (s *session) logRun(p *plan.Plan) io.WriteCloser {
	if s.draft || s.apart || !p.Changes() {
		return nil
	}
	dir := s.out.FS(cacheDir)
	if dir.MkdirAll(".", 0o777) != nil {
		return nil
	}
	f, err := dir.OpenFile(runLog, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil
	}
	return f
}

// promoteAll brings the picked originals to the second tier, also those that
// were bought before there was one.
func (s *session) promoteAll(e *apply.Engine) error {
	if s.store.Second == nil {
		return nil
	}
	var failure error
	for i := range s.project.Images {
		im := &s.project.Images[i]
		entry := e.Lock.Get(im.Address)
		if entry == nil {
			continue
		}
		for k := range entry.Candidates {
			c := &entry.Candidates[k]
			picked := c == entry.Picked(plan.Pick(im, entry))
			if s.store.Local.Has(c.Content) && !s.store.Second.Has(c.Content) {
				failure = errors.Join(failure, s.store.Promote(context.Background(), entry.Request, c.Content, picked))
			}
		}
	}
	return failure
}

func (s *session) exitCode(f *applyFlags, p *plan.Plan, r apply.Result) error {
	switch {
	case r.Stopped:
		return exit(exitInterrupted)
	case !r.Budget && len(r.Budgets) > 0:
		s.budgetHints(r)
		return exit(exitBudget)
	case r.Budget:
		s.budgetHints(r)
		hint := "raise -max-cost or max_cost; -allow-unpriced lets through what has no known price"
		if f.maxCost == nil && s.project.Settings.MaxCost == nil {
			hint = fmt.Sprintf("nobody watches this run, so it may spend %s; allow more with -max-cost", unwatched)
		}
		fmt.Fprintf(s.env.Stderr, "  Hint: %s\n", hint)
		return exit(exitBudget)
	case r.Count(apply.Failed)+r.Count(apply.Doubtful)+r.Count(apply.Accepted)+r.Count(apply.Skipped)+p.Summary.Standing > 0:
		return exit(exitFailed)
	case r.Count(apply.Stale) > 0:
		fmt.Fprintln(s.env.Stderr, "  Hint: make a new plan: imgbuild plan")
		return exit(exitStale)
	}
	return nil
}
