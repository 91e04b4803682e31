package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
)

// rounds is how often a repair looks again: what is mended first may show
// what else can be, such as a lock that can be read.
const rounds = 4

// repair mends what can be mended, from what else is there. Every step is
// durable by itself, so that one that is killed is only to be repeated. It
// returns what it did, and leaves in c what was found at the end.
func (c *checkup) repair(ctx context.Context, f *doctorFlags) (did []string, err error) {
	s := c.s
	unlock, err := s.lockWorkspace(ctx, "doctor", f.wait)
	if err != nil {
		return nil, err
	}
	defer unlock()
	say := func(text string) {
		if text == "" {
			return
		}
		did = append(did, text)
		if !f.json {
			fmt.Fprintf(s.env.Stdout, "%s %s\n", palette(s.env, s.env.Stdout).Green("Mended:"), diag.Clean(text))
		}
	}
	for round := range rounds {
		if err := c.look(ctx, &f.projectFlags); err != nil {
			return did, err
		}
		mends := c.mends()
		if len(mends) == 0 {
			break
		}
		if round == 0 && !f.yes {
			if err := c.permit(ctx, mends); err != nil {
				return nil, err
			}
		}
		if err := c.mendAll(ctx, mends, say); err != nil {
			return did, err
		}
	}
	c.list = slices.Concat(c.list, c.lost, c.unfilled)
	if len(did) == 0 && !f.json {
		fmt.Fprintln(s.env.Stdout, "There is nothing to mend.")
	}
	return did, nil
}

// permit shows what would be mended, and asks.
func (c *checkup) permit(ctx context.Context, mends []*ailment) error {
	w := c.s.env.Stderr
	for _, a := range mends {
		fmt.Fprintf(w, "%s %s\n", palette(c.s.env, w).Red("Error:"), diag.Clean(a.Text))
	}
	fmt.Fprintf(w, "\nMend %d %s? What is damaged is kept beside. Only yes does it: ", len(mends), noun(len(mends), "thing", "things"))
	line := readLine(ctx, c.s.env.Stdin)
	fmt.Fprintln(w)
	if line != "yes" {
		return fail("answer yes, or use -auto-approve", "not approved; nothing was done")
	}
	return nil
}

func (c *checkup) mendAll(ctx context.Context, mends []*ailment, say func(string)) error {
	text := c.text // as it was before anything was mended
	for _, a := range mends {
		if err := ctx.Err(); err != nil {
			return err
		}
		did, err := a.mend()
		if err != nil {
			return fmt.Errorf("%s: %w", a.Text, err)
		}
		say(did)
	}
	save := func() error { return c.s.saveLock(c.s.lock) }
	if c.changed {
		save = func() error {
			aside, err := c.replaceLock(text)
			if err == nil {
				say(aside)
			}
			return err
		}
	}
	switch {
	case !c.rebuild:
		if c.changed {
			return save()
		}
		return nil
	case c.s.project == nil:
		c.unfilled = []ailment{{Finding: diag.Finding{Severity: diag.Warning, Code: "IB0707", Hint: "mend the configuration, then imgbuild apply, which costs nothing for what the store has",
			Text: "without a configuration that can be read, the lock can't be made anew"}}}
		return save()
	}
	return c.refill(ctx, save, say)
}

// replaceLock writes the lock in memory over the text that is there, which is
// kept beside.
func (c *checkup) replaceLock(text []byte) (string, error) {
	s := c.s
	name := lock.File + ".damaged-" + digest.OfContent(text).Short()
	put := func(w io.Writer) error { _, err := w.Write(text); return err }
	if _, err := s.out.Write(name, put, digest.Content{}); err != nil {
		return "", err
	}
	b := s.lock.Bytes()
	w, err := s.out.Write(lock.File, func(w io.Writer) error { _, err := w.Write(b); return err }, s.locked)
	if err != nil {
		return "", err
	}
	s.locked = w.Content
	return "the old " + lock.File + " is kept as " + name, nil
}

// salvageLock keeps the entries that can be read. The others are had again
// from the store, as far as it knows them.
func (c *checkup) salvageLock() (string, error) {
	l, lost := lock.Salvage(c.text)
	c.s.lock, c.changed, c.rebuild, c.torn = l, true, true, lost
	var names []string
	for _, a := range lost {
		names = append(names, string(a))
	}
	did := fmt.Sprintf("%s: %d %s kept", lock.File, len(l.Entries), noun(len(l.Entries), "entry is", "entries are"))
	if len(names) > 0 {
		did += fmt.Sprintf(", %d can't be read: %s", len(names), strings.Join(names, ", "))
	}
	return did, nil
}

// refill makes entries that the lock lacks from what the store knows, and
// buys nothing. save writes the lock, once all is in it: a repair that is killed
// before finds the lock as damaged as it was, and begins again.
func (c *checkup) refill(ctx context.Context, save func() error, say func(string)) error {
	s := c.s
	f := &applyFlags{parallelism: 1}
	f.offline = true
	if l := s.hashSources(ctx); l.HasErrors() {
		return cmp.Or(save(), s.tell(l))
	}
	e, closeJournal, err := s.engine(ctx, f)
	if err != nil {
		return err
	}
	defer closeJournal()
	f.pending, f.verify = e.Open, true
	p, l, err := c.refillPlan(ctx, e, f)
	if err != nil {
		return err
	}
	if l.HasErrors() {
		return cmp.Or(save(), s.tell(l))
	}
	all := slices.Clone(p.Steps)
	p.Steps = slices.DeleteFunc(p.Steps, func(st plan.Step) bool { return st.Verb != plan.Restore })
	p.Recount()
	e.Event = func(ev apply.Event) {
		if ev.Kind == apply.Done {
			say(fmt.Sprintf("%s: had again from the store, free", ev.Address))
		}
	}
	e.SaveLock = func(*lock.Lock) error { return nil }
	s.watch(e, p)
	if _, err := e.Apply(ctx, nil, p); err != nil {
		return err
	}
	c.notRefilled(all)
	if err := save(); err != nil {
		return err
	}
	return e.Settle(false)
}

// refillPlan is the plan of a refill. Without an entry nobody knows which files
// are ours: those are that hold just what would be written.
func (c *checkup) refillPlan(ctx context.Context, e *apply.Engine, f *applyFlags) (*plan.Plan, diag.List, error) {
	s := c.s
	var paths []string
	for i := range s.project.Images {
		im := &s.project.Images[i]
		if s.lock.Get(im.Address) != nil {
			continue
		}
		paths = append(paths, im.Paths()...)
	}
	if p, l, err := s.plan(ctx, f.planOptions); err != nil || l.HasErrors() {
		return p, l, err
	}
	paths = append(paths, s.further...)
	contents, errs := s.out.Hash(ctx, paths)
	f.written = maps.Clone(f.written)
	if f.written == nil {
		f.written = map[string]digest.Content{}
	}
	taken := map[string]bool{}
	for i, path := range paths {
		if _, known := f.written[path]; !known && errs[i] == nil {
			f.written[path], taken[path] = contents[i], true
		}
	}
	p, l, err := s.plan(ctx, f.planOptions)
	if err != nil || l.HasErrors() {
		return p, l, err
	}
	for i := range p.Steps {
		step := &p.Steps[i]
		for _, o := range step.Outputs {
			if step.Verb != plan.Restore || !taken[o.Path] {
				continue
			}
			if b, err := e.Redraw(step, o); err == nil && digest.OfContent(b) == f.written[o.Path] {
				delete(taken, o.Path)
			}
		}
	}
	for path := range taken {
		delete(f.written, path)
	}
	return s.plan(ctx, f.planOptions)
}

// notRefilled notes what is still not in the lock, and why: gc would take it
// that nobody needs its pictures.
func (c *checkup) notRefilled(steps []plan.Step) {
	c.unfilled = nil
	warn := func(a spec.Address, hint, format string, args ...any) {
		c.unfilled = append(c.unfilled, ailment{Finding: diag.Finding{Severity: diag.Warning, Code: "IB0606", Address: string(a), Hint: hint,
			Text: string(a) + ": its entry is not in the lock again: " + fmt.Sprintf(format, args...)}})
	}
	const look = "imgbuild plan says what is to be done, and what it costs"
	for i := range c.s.project.Images {
		a := c.s.project.Images[i].Address
		if c.s.lock.Get(a) != nil {
			continue
		}
		k := slices.IndexFunc(steps, func(st plan.Step) bool { return st.Address == a })
		switch {
		case k < 0:
			warn(a, look, "it can't be planned")
		case len(steps[k].Candidates) < steps[k].N:
			warn(a, look, "the store does not have all that the configuration asks for")
		case steps[k].Verb == plan.Conflict:
			for _, why := range steps[k].Why {
				warn(a, "move the file away, then imgbuild apply, which costs nothing", "%s is not what would be written there", why.New)
			}
		default:
			warn(a, look, "that is not to be had by restoring files (%s)", steps[k].Verb)
		}
	}
	for _, a := range c.torn {
		if c.s.project.Image(a) == nil && c.s.lock.Get(a) == nil {
			warn(a, "its pictures stay in the store until imgbuild gc", "the configuration does not have this image")
		}
	}
}

// mendBlob puts the right bytes in the place of damaged ones, or sets those
// aside.
func (c *checkup) mendBlob(t tier, f store.Fault) (string, error) {
	where := t.path + "/" + f.Path
	if b, from := c.copyOf(t, f.Content); b != nil {
		if _, _, err := t.dir.Put(context.Background(), bytes.NewReader(b), math.MaxInt64); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s: healed from %s", where, from), nil
	}
	aside, err := t.dir.SetAside(f.Path)
	if err != nil {
		return "", err
	}
	cost := ""
	if price, ok := c.cost(f.Content); ok {
		cost = ", which cost " + price.String()
	}
	c.isLost("IB0701", "copy it there from a machine that has it", "%s is LOST%s", c.whose(f.Content), cost)
	return fmt.Sprintf("%s: %s is LOST%s: no tier and no output has it; the damaged file is now %s/%s", where, c.whose(f.Content), cost, t.path, aside), nil
}

// isLost notes what no repair can bring back: that is no sound end.
func (c *checkup) isLost(code, hint, format string, args ...any) {
	c.lost = append(c.lost, ailment{Finding: diag.Finding{Severity: diag.Warning, Code: code, Hint: hint, Text: fmt.Sprintf(format, args...)}})
}

// copyOf looks for the bytes of a picture in the other tier and in outputs.
func (c *checkup) copyOf(t tier, content digest.Content) (b []byte, from string) {
	if t.other != nil {
		if b, err := t.other.Get(content, math.MaxInt64); err == nil {
			return b, "the other tier"
		}
	}
	for i := range c.s.lock.Entries {
		for _, o := range c.s.lock.Entries[i].Outputs {
			if o.Content != content {
				continue
			}
			if b, err := c.s.out.Read(o.Path, c.s.limits.Bytes); err == nil && digest.OfContent(b) == content {
				return b, o.Path
			}
		}
	}
	return nil, ""
}

// cost is what was paid for a picture.
func (c *checkup) cost(content digest.Content) (provider.Money, bool) {
	for i := range c.s.lock.Entries {
		for _, im := range c.s.lock.Entries[i].Candidates {
			if im.Content == content {
				return im.Price, true
			}
		}
	}
	for _, records := range []map[digest.Request][]store.Roll{c.local.Records, c.second.Records} {
		for _, rolls := range records {
			for _, r := range rolls {
				if r.Image.Content == content {
					return r.Image.Price, true
				}
			}
		}
	}
	return 0, false
}

// mendRecord writes down anew what was bought for a request: from the lock,
// from the journal, from the other tier, and from what can still be read of the
// damaged record at a path, "" for none.
func (c *checkup) mendRecord(t tier, req digest.Request, path string) (string, error) {
	var fields []provider.Field
	var rolls []store.Roll
	add := func(f []provider.Field, more ...store.Roll) {
		if fields == nil {
			fields = f
		}
		for _, r := range more {
			if !slices.ContainsFunc(rolls, func(have store.Roll) bool {
				return have.ID == r.ID || !r.Image.Content.IsZero() && have.Image.Content == r.Image.Content
			}) {
				rolls = append(rolls, r)
			}
		}
	}
	var of []provider.Field
	var told []store.Roll // by the damaged record
	sure := false
	if path != "" {
		of, told, sure = t.dir.Glean(path, req)
	}
	if sure {
		add(of, told...)
	}
	known, _ := t.dir.Bought(req)
	add(t.dir.Fields(req), known...)
	if t.other != nil {
		known, _ := t.other.Bought(req)
		add(t.other.Fields(req), known...)
	}
	for i := range c.journal.State.Attempts {
		if a := &c.journal.State.Attempts[i]; a.Request == req {
			add(a.Fields, apply.Rolls(a)...)
		}
	}
	for i := range c.s.lock.Entries {
		e := &c.s.lock.Entries[i]
		if e.Request == req {
			for _, im := range e.Candidates {
				id := "lock-"
				if im.Model == plan.ImportedModel {
					id = "import-"
				}
				add(e.Fields(), store.Roll{ID: id + im.Content.String(), Image: im})
			}
		}
		for k, r := range e.Refused {
			if r.Request == req && r.Reason != lock.Unfit {
				add(nil, store.Roll{ID: fmt.Sprintf("lock-%s-refused-%d", e.Address, k), Refused: r.Reason, Image: provider.Image{Price: r.Price}})
			}
		}
	}
	gleaned := 0
	if !sure {
		before := len(rolls)
		for _, r := range told {
			// What nobody else knows is taken if its picture is there, or if it was
			// refused: to forget that would be to pay for it again.
			if _, held := t.census.Blobs[r.Image.Content]; held || r.Refused != "" {
				add(of, r)
			}
		}
		gleaned = len(rolls) - before
		add(of)
	}
	// The name of a record is never free: that would read as "nothing was bought".
	inPlace := path != "" && len(rolls) > 0 && !strings.HasSuffix(path, ".bad")
	var to string
	var err error
	if inPlace {
		to, err = t.dir.KeepCopy(path)
	}
	if err == nil && len(rolls) > 0 {
		err = t.dir.Rewrite(req, fields, rolls)
	}
	if err == nil && path != "" && !inPlace {
		to, err = t.dir.SetAside(path)
	}
	if err != nil {
		return "", err
	}
	aside := ""
	if path != "" {
		aside = "; the old one is now " + t.path + "/" + to
	}
	where := t.path + ": what was bought for " + req.Short()
	if len(rolls) == 0 {
		c.isLost("IB0702", "copy it from a machine that has it; else imgbuild plan may buy it again", "%s is LOST", where)
		return where + " is LOST: neither lock nor journal knows of it" + aside, nil
	}
	did := fmt.Sprintf("%s is written down anew, %d %s", where, len(rolls), noun(len(rolls), "image", "images"))
	if gleaned > 0 {
		did += fmt.Sprintf(" (%d as far as the damaged record tells)", gleaned)
	}
	return did + aside, nil
}
