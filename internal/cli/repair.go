package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
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
	if c.changed {
		aside, err := c.replaceLock(text)
		if err != nil {
			return err
		}
		say(aside)
	}
	if !c.rebuild {
		return nil
	}
	if c.s.project == nil {
		c.add(noted, "IB0707", "", "without a configuration that can be read, the lock can't be made anew")
		return nil
	}
	return c.refill(ctx, say)
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
	c.s.lock, c.changed, c.rebuild = l, true, true
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
// buys nothing.
func (c *checkup) refill(ctx context.Context, say func(string)) error {
	s := c.s
	f := &applyFlags{parallelism: 1}
	f.offline = true
	if l := s.hashSources(ctx); l.HasErrors() {
		return s.tell(l)
	}
	e, closeJournal, err := s.engine(ctx, f)
	if err != nil {
		return err
	}
	defer closeJournal()
	f.pending, f.verify = e.Open, true
	p, l, err := s.plan(ctx, f.planOptions)
	if err != nil {
		return err
	}
	if l.HasErrors() {
		return s.tell(l)
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(st plan.Step) bool { return st.Verb != plan.Restore })
	p.Recount()
	e.Event = func(ev apply.Event) {
		if ev.Kind == apply.Done {
			say(fmt.Sprintf("%s: had again from the store, free", ev.Address))
		}
	}
	s.watch(e, p)
	if _, err := e.Apply(ctx, nil, p); err != nil {
		return err
	}
	return e.Settle(false)
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
	return fmt.Sprintf("%s: %s is LOST%s: no tier and no output has it; the damaged file is now %s/%s", where, c.whose(f.Content), cost, t.path, aside), nil
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
			if b, err := c.s.out.Read(o.Path, imaging.DefaultLimits.Bytes); err == nil && digest.OfContent(b) == content {
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
	if known, err := t.dir.Bought(req); err == nil {
		add(t.dir.Fields(req), known...)
	}
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
	if path != "" {
		f, more := t.dir.Glean(path, req)
		before := len(rolls)
		for _, r := range more {
			// What nobody else knows is taken if its picture is there.
			if _, held := t.census.Blobs[r.Image.Content]; held {
				add(f, r)
			}
		}
		gleaned = len(rolls) - before
		add(f)
	}
	aside := ""
	if path != "" {
		to, err := t.dir.SetAside(path)
		if err != nil {
			return "", err
		}
		aside = "; the old one is now " + t.path + "/" + to
	}
	for _, r := range rolls {
		if err := t.dir.Record(req, fields, r); err != nil {
			return "", err
		}
	}
	if err := t.dir.Sync(); err != nil {
		return "", err
	}
	where := t.path + ": what was bought for " + req.Short()
	if len(rolls) == 0 {
		return where + " is LOST: neither lock nor journal knows of it" + aside, nil
	}
	did := fmt.Sprintf("%s is written down anew, %d %s", where, len(rolls), noun(len(rolls), "image", "images"))
	if gleaned > 0 {
		did += fmt.Sprintf(" (%d as far as the damaged record tells)", gleaned)
	}
	return did + aside, nil
}
