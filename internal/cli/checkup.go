package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// A checkup is `imgbuild doctor` without a provider: git fsck for a project. It
// asks nobody and writes nothing. What it finds carries the way to mend it,
// which `doctor -repair` goes.

const (
	noted = diag.Severity("note") // worth knowing, and no trouble

	repairHint = "imgbuild doctor -repair"

	// leastRoom is a segment of the journal, its copy when it is compacted, and
	// some pictures.
	leastRoom = 64 << 20 // bytes

	// leastFiles is what eight requests at once may have open, and the rest.
	leastFiles = 128
)

// ailment is one thing that a checkup found.
type ailment struct {
	diag.Finding
	mend func() (did string, err error) // nil if -repair can't
}

type checkup struct {
	s        *session
	list     []ailment
	text     []byte // of the lockfile
	lockBad  bool   // it can't be read
	journal  journal.Survey
	local    store.Census
	second   store.Census
	changed  bool             // the lock in memory was mended and is to be written
	rebuild  bool             // entries of the lock may be had from the store for free; so it stays, for what is mended later may bring more
	torn     []spec.Address   // whose entries could not be read
	lost     []ailment        // what a repair could not bring back
	unfilled []ailment        // entries that a repair could not bring back yet
	absent   []digest.Request // of entries whose request has no record
	inFile   map[digest.Content]bool
	read     atomic.Int64
	told     atomic.Int64 // of read, when it was last shown
	watching bool
}

func (c *checkup) add(sev diag.Severity, code, hint, format string, args ...any) *ailment {
	c.list = append(c.list, ailment{Finding: diag.Finding{Severity: sev, Code: code, Hint: hint, Text: fmt.Sprintf(format, args...)}})
	return &c.list[len(c.list)-1]
}

// mendable is add for what -repair mends.
func (c *checkup) mendable(code string, mend func() (string, error), format string, args ...any) *ailment {
	a := c.add(diag.Error, code, repairHint, format, args...)
	a.mend = mend
	return a
}

// inLock lets an ailment of an entry point at a text in its part of the
// lockfile.
func (c *checkup) inLock(a *ailment, of spec.Address, needle string) {
	a.Address = string(of)
	at := bytes.Index(c.text, []byte("\n    "+quoted(string(of))+": {"))
	if at < 0 {
		return
	}
	at++
	if i := bytes.Index(c.text[at:], []byte(needle)); i >= 0 && needle != "" {
		at += i
	}
	line := bytes.LastIndexByte(c.text[:at], '\n') + 1
	end := at + len(needle)
	pos := func(off int) diag.Pos {
		return diag.Pos{Line: 1 + bytes.Count(c.text[:line], []byte("\n")), Column: 1 + len([]rune(string(c.text[line:off]))), Byte: off}
	}
	a.Range = &diag.Range{File: lock.File, Start: pos(at), End: pos(end)}
}

// quoted is an address as a key of the lockfile.
func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// look finds everything that is wrong. The error is that of ctx, or one that
// leaves nothing to say.
func (c *checkup) look(ctx context.Context, f *projectFlags) error {
	*c = checkup{s: c.s, watching: c.watching, rebuild: c.rebuild, torn: c.torn, lost: c.lost, unfilled: c.unfilled}
	f.noCache, f.quiet = true, true
	c.configuration(f)
	if err := c.readLock(); err != nil {
		return err
	}
	c.disk()
	c.checkJournal()
	c.s.openStore()
	if err := c.checkStores(ctx); err != nil {
		return err
	}
	if !c.lockBad {
		if err := c.checkOutputs(ctx); err != nil {
			return err
		}
		c.checkEntries()
		c.planned(ctx)
	}
	c.advisory()
	return ctx.Err()
}

// configuration is loaded for the second tier, and to see what is picked.
func (c *checkup) configuration(f *projectFlags) {
	if c.s.noFiles() != nil {
		c.s.project = nil
		return
	}
	l := c.s.load(f)
	if c.s.project != nil && !l.HasErrors() {
		return
	}
	for _, x := range l.Sorted() {
		if x.Severity == diag.Error {
			c.list = append(c.list, ailment{Finding: x})
		}
	}
	c.s.project = nil
}

func (c *checkup) readLock() error {
	l, err := c.s.readLock()
	if err != nil {
		return err
	}
	c.text = nil
	if !c.s.locked.IsZero() {
		if c.text, err = c.s.out.Read(lock.File, maxLock); err != nil {
			return err
		}
	}
	for _, x := range l {
		a := ailment{Finding: x}
		switch x.Code {
		case "IB0601":
			if !strings.Contains(x.Text, "has format") { // that of a newer imgbuild is not damaged
				a.Hint, a.mend = x.Hint+"; or "+repairHint, c.salvageLock
			}
		case "IB0602":
			a.Hint = "imgbuild lock resolve"
		}
		c.list = append(c.list, a)
		c.lockBad = true
	}
	if c.lockBad {
		c.s.lock = &lock.Lock{}
		return nil
	}
	if c.text != nil && !bytes.Equal(bytes.ReplaceAll(c.text, []byte("\r\n"), []byte("\n")), c.s.lock.Bytes()) {
		c.add(noted, "IB0606", "the next imgbuild apply that changes anything writes it so", "%s is not as imgbuild writes it: order or layout differ", lock.File)
	}
	return nil
}

// disk tells what would keep a verb that writes from its work.
func (c *checkup) disk() {
	out := c.s.out
	dirs := []string{".", own, journalDir, storeDir}
	for i := range c.s.lock.Entries {
		for _, o := range c.s.lock.Entries[i].Outputs {
			if dir := path.Dir(o.Path); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	told := "" // why the whole project can't be written
	for _, dir := range dirs {
		fi, err := out.FS(".").Stat(dir)
		if err != nil {
			continue
		}
		if !fi.IsDir() {
			c.add(diag.Error, "IB0706", "move it away", "%s is not a folder", dir)
			continue
		}
		err = out.MayWrite(dir)
		why, hint := "", ""
		if err != nil {
			why, hint = workspace.Plainly(err)
		}
		switch {
		case err == nil, hint == told:
		case errors.Is(err, fs.ErrPermission):
			c.add(diag.Warning, "IB0706", "chmod u+rwx "+dir, "%s: this user may not write there", dir)
		default:
			told = hint
			c.add(diag.Warning, "IB0706", hint, "%s", why)
		}
	}
	if room, ok := out.Free(); ok && room < leastRoom {
		c.add(diag.Warning, "IB0706", "make room; nothing is sent while there is none for the receipt", "the disk has room for %.1f MB", float64(room)/1e6)
	}
	if n, ok := workspace.OpenFiles(); ok && n < leastFiles {
		c.add(diag.Warning, "IB0706", fmt.Sprintf("ulimit -n %d, or imgbuild apply -parallelism=1", leastFiles), "a process may have %d files open, which may not do for 8 requests at once", n)
	}
	if who, busy := out.Holder(); busy && who.PID != os.Getpid() {
		c.add(noted, "IB0706", "look again when it has ended", "imgbuild %s is at work here (process %d on %s): what it is writing may show as unfinished", diag.Clean(who.Verb), who.PID, diag.Clean(who.Host))
	}
}

func (c *checkup) checkJournal() {
	fs := c.s.out.FS(journalDir)
	var err error
	if c.journal, err = journal.Examine(fs); err != nil {
		c.add(diag.Error, "IB0703", "copy what can be read to a sound disk", "%s can't be read: %v", journalDir, err)
		return
	}
	v := &c.journal
	if v.Damage != nil {
		c.mendable("IB0703", func() (string, error) {
			done, err := journal.Salvage(fs)
			return fmt.Sprintf("%s: %d %s kept in a new segment, at least %d lost; the damaged segments are kept beside it", journalDir,
				done.Records, noun(done.Records, "record is", "records are"), done.Missing), err
		}, "%s/%s; %d %s before it and %d after it can be read, at least %d can't", journalDir, strings.TrimPrefix(v.Damage.Error(), "journal "),
			v.Before, noun(v.Before, "record", "records"), v.After, v.Missing)
	}
	if err := c.gone(v); err != nil {
		c.add(diag.Error, "IB0703", "copy what can be read to a sound disk", "%s can't be read: %v", journalDir, err)
	}
	for _, n := range v.State.Notes {
		c.add(noted, "IB0703", "", "%s/%06d.log, byte %d: %s", journalDir, n.Segment, n.Offset, n.Text)
	}
	for _, name := range v.Aside {
		c.add(noted, "IB0703", "remove it when nobody needs it", "%s/%s was set aside by a repair", journalDir, name)
	}
	c.leftovers(journalDir, v.Left)
	for _, name := range v.Foreign {
		c.add(noted, "IB0705", "", "%s/%s is not imgbuild's", journalDir, diag.Clean(name))
	}
	for i := range v.State.Attempts {
		c.attempt(&v.State.Attempts[i])
	}
}

// gone tells of a journal that was here and has nothing any more.
func (c *checkup) gone(v *journal.Survey) error {
	before := len(v.State.Attempts)
	if err := c.s.bereave(&v.State, nil); err != nil || len(v.State.Attempts) == before {
		return err
	}
	c.mendable("IB0703", func() (string, error) {
		j, _, err := journal.Open(c.s.out.FS(journalDir))
		if err != nil {
			return "", err
		}
		return journalDir + ": a new journal begins with a doubt about what the old one knew", errors.Join(j.Bereave(), j.Close())
	}, "%s was here and is gone, with what it knew of requests that were sent and not answered", journalDir)
	return nil
}

// attempt tells of a request that is not settled.
func (c *checkup) attempt(a *journal.Attempt) {
	who := cmp.Or(a.Address, "a request of an unknown image") + " (attempt " + a.ID
	if age := report.Age(c.s.env.Now(), a.Started); age != "" {
		who += ", " + age
	}
	who += ")"
	_, rest := a.Rest()
	switch {
	case a.Phase.Settled() || a.Phase == journal.Intended || a.Phase == journal.Stored:
	case a.Request.IsZero():
		c.add(diag.Warning, "IB0704", unknownHint, "%s (attempt %s)", unknownText(a), a.ID)
	case apply.Awaited(a):
		c.add(noted, "IB0704", "imgbuild apply asks for it, which costs nothing", "%s: the provider has it as a job; up to %s", who, rest).Address = a.Address
	case a.Phase == journal.InDoubt || a.Phase == journal.Sent:
		cost := "what it may cost is not known"
		if price := cmp.Or(a.Doubt, rest); price > 0 {
			cost = fmt.Sprintf("it may cost %s", price)
		}
		c.add(noted, "IB0704", "imgbuild apply -retry-in-doubt sends it again", "%s: sent and not answered; %s", who, cost).Address = a.Address
	case apply.Unsettled(*a):
		c.add(noted, "IB0704", "imgbuild apply fetches it, which costs nothing", "%s: paid for (%s) and not fetched yet", who, a.Spent).Address = a.Address
	}
}

func (c *checkup) leftovers(dir string, names []string) {
	if len(names) == 0 {
		return
	}
	c.add(noted, "IB0705", "the next imgbuild apply or gc removes them", "%s holds %d %s of interrupted writes", dir, len(names), noun(len(names), "leftover", "leftovers"))
}

// tier is a store with the folder that people know it by.
type tier struct {
	dir    *store.Dir
	path   string
	census *store.Census
	other  *store.Dir // nil if there is none
	local  bool
}

func (c *checkup) tiers() []tier {
	out := []tier{{c.s.store.Local, storeDir, &c.local, c.s.store.Second, true}}
	if c.s.store.Second != nil {
		out = append(out, tier{c.s.store.Second, c.s.project.Settings.Store.Path, &c.second, c.s.store.Local, false})
	}
	return out
}

func (c *checkup) checkStores(ctx context.Context) error {
	for _, t := range c.tiers() {
		var err error
		if *t.census, err = t.dir.Check(ctx, c.progress); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.add(diag.Error, "IB0701", "see that the folder can be read", "%s can't be read: %v", t.path, err)
			continue
		}
	}
	if c.watching && c.told.Load() > 0 {
		fmt.Fprint(c.s.env.Stderr, "\r\x1b[K")
	}
	for _, t := range c.tiers() {
		count := map[store.FaultKind]int{}
		for _, f := range t.census.Faults {
			c.fault(t, f)
			count[f.Kind]++
		}
		if n := count[store.Writable]; n > 0 && t.local {
			c.add(noted, "IB0701", "chmod a-w -R "+t.path+"/sha256", "%s: %d %s not protected against being written", t.path, n, noun(n, "picture is", "pictures are"))
		}
		if n := count[store.Leftover]; n > 0 {
			c.add(noted, "IB0705", "the next imgbuild gc removes them", "%s/tmp holds %d %s of interrupted writes", t.path, n, noun(n, "leftover", "leftovers"))
		}
		if n := count[store.KeptDamage]; n > 0 {
			c.add(noted, "IB0705", "remove the folder when nobody needs it", "%s/damaged holds %d %s that a repair set aside", t.path, n, noun(n, "file", "files"))
		}
	}
	return nil
}

// progress shows on a terminal that a long read goes on.
func (c *checkup) progress(n int64) {
	const step = 64 << 20
	sum, told := c.read.Add(n), c.told.Load()
	if c.watching && sum-told >= step && c.told.CompareAndSwap(told, sum) {
		fmt.Fprintf(c.s.env.Stderr, "\r  … read %.0f MB of the store", float64(sum)/1e6)
	}
}

func (c *checkup) fault(t tier, f store.Fault) {
	where := t.path + "/" + f.Path
	switch f.Kind {
	case store.BadBlob:
		c.mendable("IB0701", func() (string, error) { return c.mendBlob(t, f) }, "%s: %s is damaged: %s", where, c.whose(f.Content), f.Reason)
	case store.BadRecord:
		c.mendable("IB0702", func() (string, error) { return c.mendRecord(t, f.Request, f.Path) }, "%s: what was bought for %s can't be read: %s", where, f.Request.Short(), f.Reason)
	case store.OldBad:
		c.mendable("IB0702", func() (string, error) { return c.mendRecord(t, f.Request, f.Path) }, "%s: a record that could not be read was set aside, and begun anew with less", where)
	case store.NewRecord:
		c.add(diag.Error, "IB0702", "use the newer imgbuild", "%s was written by a newer imgbuild", where)
	case store.Foreign:
		c.add(noted, "IB0705", "", "%s is not imgbuild's", diag.Clean(where))
	}
}

// whose names the images that have a picture among their candidates.
func (c *checkup) whose(content digest.Content) string {
	var names []string
	for i := range c.s.lock.Entries {
		e := &c.s.lock.Entries[i]
		for k := range e.Candidates {
			if e.Candidates[k].Content == content {
				names = append(names, fmt.Sprintf("picture %d of %s", k+1, e.Address))
			}
		}
	}
	if names == nil {
		return "a picture that no image uses now"
	}
	return strings.Join(names, ", ")
}

// intact reports whether a tier has the bytes.
func (c *checkup) intact(content digest.Content) bool {
	_, here := c.local.Blobs[content]
	_, there := c.second.Blobs[content]
	return here || there
}

func (c *checkup) rolls(r digest.Request) []store.Roll {
	return slices.Concat(c.local.Records[r], c.second.Records[r])
}

// checkEntries compares what the lock says of each image with itself and with
// the store: the lock is plain text without a checksum, so a fact that changed
// on its own is found by whoever else knows it.
func (c *checkup) checkEntries() {
	if c.text == nil && len(c.local.Records) > 0 && len(c.journal.State.Attempts) == 0 {
		n := len(c.local.Records)
		c.mendable("IB0707", func() (string, error) { c.rebuild = true; return "", nil },
			"%s", missingLock(n)).Hint = missingLockHint
	}
	onlyOutputs, others := 0, 0
	for i := range c.s.lock.Entries {
		e := &c.s.lock.Entries[i]
		c.checkRequest(e)
		for k := range e.Candidates {
			c.checkCandidate(e, k)
		}
		c.checkRefused(e)
		for k := range e.Candidates {
			x := e.Candidates[k].Content
			switch {
			case c.intact(x):
			case c.inFile[x]:
				onlyOutputs++
			case k+1 != c.pick(e) && !slices.ContainsFunc(e.Outputs, func(o lock.Output) bool { return o.Of == x }):
				others++
			case len(c.local.Blobs)+len(c.second.Blobs)+len(c.local.Records) > 0:
				a := c.add(diag.Warning, "IB0607", "copy it there from a machine that has it, or buy it again: imgbuild apply -replace='"+string(e.Address)+"'",
					"%s: the original of picture %d is on no tier", e.Address, k+1)
				c.inLock(a, e.Address, x.String())
			default:
				others++
			}
		}
	}
	if onlyOutputs > 0 {
		c.add(noted, "IB0607", "", "%d %s only in the outputs, and on no tier of the store", onlyOutputs, noun(onlyOutputs, "original is", "originals are"))
	}
	if others > 0 {
		c.add(noted, "IB0607", "the store of the machine that bought them has them", "%d %s on no tier of the store", others, noun(others, "candidate is", "candidates are"))
	}
}

const missingLockHint = "restore it from git: git checkout -- " + lock.File + "; or " + repairHint

// missingLock says that there is no lock where there should be one.
func missingLock(requests int) string {
	return fmt.Sprintf("%s is missing, and the store knows of %d %s", lock.File, requests, noun(requests, "request", "requests"))
}

func (c *checkup) pick(e *lock.Entry) int {
	if c.s.project != nil {
		if im := c.s.project.Image(e.Address); im != nil {
			return plan.Pick(im, e)
		}
	}
	return max(e.Pick, 1)
}

// wrong is a fact of the lock that is not so; set puts it right.
func (c *checkup) wrong(a spec.Address, needle, format string, args []any, set func(e *lock.Entry)) {
	what := fmt.Sprintf(format, args...)
	var mend func() (string, error)
	if set != nil {
		mend = func() (string, error) {
			e := *c.s.lock.Get(a)
			e.Candidates, e.Refused, e.Outputs = slices.Clone(e.Candidates), slices.Clone(e.Refused), slices.Clone(e.Outputs)
			set(&e)
			c.s.lock.Set(e)
			c.changed = true
			return lock.File + ": put right that " + string(a) + ": " + what, nil
		}
	}
	f := c.mendable("IB0606", mend, "%s: %s", a, what)
	if mend == nil {
		f.Hint = "restore the file from git: git checkout -- " + lock.File
	}
	c.inLock(f, a, needle)
}

func isSensitive(fields []provider.Field) bool {
	return slices.ContainsFunc(fields, func(f provider.Field) bool { return f.Name == "sensitive" })
}

// checkRequest compares the name of a request with its fields.
func (c *checkup) checkRequest(e *lock.Entry) {
	if e.Request.IsZero() {
		return
	}
	fields := e.Fields()
	known := c.local.Fields[e.Request]
	if known == nil {
		known = c.second.Fields[e.Request]
	}
	if isSensitive(fields) || isSensitive(known) {
		if known != nil && !slices.Equal(known, fields) {
			c.wrong(e.Address, `"fields"`, "the fields are not those of %s in the store", []any{e.Request.Short()}, func(e *lock.Entry) { e.SetFields(known) })
		}
		return
	}
	named := digest.OfRequest(provider.Canonical(fields))
	switch {
	case named == e.Request:
	case nearly(digest.Content(named), digest.Content(e.Request)):
		c.wrong(e.Address, e.Request.String(), "the request is %s by its fields, and %s is recorded: one digit has changed", []any{named.Short(), e.Request.Short()},
			func(e *lock.Entry) { e.Request = named })
	case known != nil:
		c.wrong(e.Address, `"fields"`, "the fields are not those of the request %s, which the store knows", []any{e.Request.Short()}, func(e *lock.Entry) { e.SetFields(known) })
	default:
		c.wrong(e.Address, `"fields"`, "the fields give the request %s, and %s is recorded", []any{named.Short(), e.Request.Short()}, nil)
	}
}

// nearly reports whether two digests differ in one hexadecimal digit: two
// that name different things never do.
func nearly(a, b digest.Content) bool {
	x, y := a.String(), b.String()
	n := 0
	for i := range x {
		if x[i] != y[i] {
			n++
		}
	}
	return n == 1
}

// checkCandidate compares what the lock says of a picture with the record of
// its purchase, or else with its bytes.
func (c *checkup) checkCandidate(e *lock.Entry, k int) {
	im := e.Candidates[k]
	rolls := c.rolls(e.Request)
	at := slices.IndexFunc(rolls, func(r store.Roll) bool { return r.Image.Content == im.Content })
	if at < 0 && !c.intact(im.Content) {
		for _, r := range rolls {
			if nearly(r.Image.Content, im.Content) {
				right := r.Image.Content
				c.wrong(e.Address, im.Content.String(), "picture %d is %s by the record of its purchase: one digit has changed", []any{k + 1, right.Short()}, func(e *lock.Entry) {
					old := e.Candidates[k].Content
					e.Candidates[k].Content = right
					for i := range e.Outputs {
						if e.Outputs[i].Of == old {
							e.Outputs[i].Of = right
						}
					}
				})
				return
			}
		}
		return // on no tier: told elsewhere
	}
	want := im
	if at >= 0 {
		want = rolls[at].Image
		if want.Model == e.Field("model") {
			want.Model = ""
		}
	} else {
		size, here := c.local.Blobs[im.Content]
		if !here {
			size = c.second.Blobs[im.Content]
		}
		want.Bytes = size
		if b, err := c.s.store.Get(im.Content, c.s.limits.Bytes); err == nil {
			if info, err := imaging.Measure(b, c.s.limits); err == nil {
				want.Width, want.Height, want.MIME = info.Width, info.Height, info.MIME
				apply.Mark(&want, b)
			}
		}
		if here && !e.Request.IsZero() && !slices.Contains(c.absent, e.Request) && !c.damaged(e.Request) {
			c.absent = append(c.absent, e.Request)
			f := c.mendable("IB0702", func() (string, error) { return c.mendRecord(c.tiers()[0], e.Request, "") },
				"%s: the store has picture %d and no record that it was bought for %s", e.Address, k+1, e.Request.Short())
			c.inLock(f, e.Address, e.Request.String())
		}
	}
	have := im
	if have.Model == e.Field("model") {
		have.Model = ""
	}
	if have == want {
		return
	}
	var what []string
	differ := func(name string, a, b any) {
		if a != b {
			what = append(what, fmt.Sprintf("%s is %v and not %v", name, b, a))
		}
	}
	differ("width", have.Width, want.Width)
	differ("height", have.Height, want.Height)
	differ("bytes", have.Bytes, want.Bytes)
	differ("mime", have.MIME, want.MIME)
	differ("price", have.Price.Decimal(), want.Price.Decimal())
	differ("model", have.Model, want.Model)
	differ("c2pa", have.C2PA, want.C2PA)
	differ("digital_source_type", have.SourceType, want.SourceType)
	if have.RevisedPrompt != want.RevisedPrompt {
		what = append(what, "revised_prompt is another one")
	}
	c.wrong(e.Address, im.Content.String(), "of picture %d, %s by the store", []any{k + 1, strings.Join(what, ", ")}, func(e *lock.Entry) { e.Candidates[k] = want })
}

// damaged reports whether the record of a request was found damaged.
func (c *checkup) damaged(r digest.Request) bool {
	return slices.ContainsFunc(c.local.Faults, func(f store.Fault) bool { return f.Request == r })
}

// checkRefused compares what was paid and refused with the store.
func (c *checkup) checkRefused(e *lock.Entry) {
	for k, r := range e.Refused {
		var prices []provider.Money
		unknown := true
		for req := range c.local.Records {
			if req == r.Request {
				unknown = false
			} else if nearly(digest.Content(req), digest.Content(r.Request)) {
				c.wrong(e.Address, r.Request.String(), "what was refused is of request %s: one digit has changed", []any{req.Short()}, func(e *lock.Entry) { e.Refused[k].Request = req })
			}
		}
		for _, roll := range c.rolls(r.Request) {
			if roll.Refused != "" || r.Reason == lock.Unfit {
				prices = append(prices, roll.Image.Price)
			}
		}
		if !slices.Contains([]string{"moderated", "unusable", lock.Unfit}, r.Reason) {
			c.wrong(e.Address, `"refused"`, "there is no reason %q to refuse a picture", []any{diag.Clean(r.Reason)}, nil)
		}
		if !unknown && len(prices) > 0 && !slices.Contains(prices, r.Price) {
			right := prices[len(prices)-1]
			c.wrong(e.Address, `"refused"`, "what was refused cost %s by the store, and not %s", []any{right, r.Price}, func(e *lock.Entry) { e.Refused[k].Price = right })
		}
	}
}

// checkOutputs hashes every file that the lock records.
func (c *checkup) checkOutputs(ctx context.Context) error {
	var paths []string
	for i := range c.s.lock.Entries {
		for _, o := range c.s.lock.Entries[i].Outputs {
			paths = append(paths, o.Path)
		}
	}
	seen, err := c.s.out.Look(paths)
	if err != nil {
		return err
	}
	contents, errs := c.s.out.Verify(ctx, paths)
	if err := ctx.Err(); err != nil {
		return err
	}
	n := -1
	c.inFile = map[digest.Content]bool{}
	for i := range c.s.lock.Entries {
		e := &c.s.lock.Entries[i]
		for k, o := range e.Outputs {
			n++
			name, state, found := quoted(o.Path), seen[n], contents[n]
			c.inFile[found] = true
			var a *ailment
			if _, err := spec.ParseRecipe(o.Recipe); err != nil {
				c.wrong(e.Address, name, "the recipe of %s can't be read: %v", []any{o.Path, err}, nil)
			}
			switch {
			case state.State == workspace.Absent:
				a = c.add(diag.Warning, "IB0608", "imgbuild restore, which costs nothing", "%s: %s is not there", e.Address, o.Path)
			case state.State != workspace.Regular:
				a = c.add(diag.Warning, "IB0608", "move it away, then imgbuild restore", "%s: %s is a folder, a link or a device", e.Address, o.Path)
			case errs[n] != nil:
				a = c.add(diag.Error, "IB0608", "see that the file can be read", "%s: %v", e.Address, errs[n])
			case found == o.Content && state.Size != o.Bytes:
				size := state.Size
				c.wrong(e.Address, name, "%s has %d bytes, and not %d", []any{o.Path, size, o.Bytes}, func(e *lock.Entry) { e.Outputs[k].Bytes = size })
			case found == o.Content:
			case nearly(found, o.Content):
				c.wrong(e.Address, name, "%s is %s, and %s is recorded: one digit has changed", []any{o.Path, found.Short(), o.Content.Short()}, func(e *lock.Entry) { e.Outputs[k].Content = found })
			default:
				a = c.add(diag.Warning, "IB0608", "if nobody changed it: rm '"+o.Path+"', then imgbuild restore, which costs nothing",
					"%s: %s is not what imgbuild wrote (%s, expected %s)", e.Address, o.Path, found.Short(), o.Content.Short())
			}
			if a != nil {
				c.inLock(a, e.Address, name)
			}
		}
	}
	return nil
}

// planned tells if a plan has anything to do: whoever sees that and changed
// nothing has found what no digest covers, such as an address or a recipe. The
// files were hashed before.
func (c *checkup) planned(ctx context.Context) {
	if c.s.project == nil || c.journal.Damage != nil {
		return
	}
	if l := c.s.hashSources(ctx); l.HasErrors() {
		for _, f := range l {
			c.list = append(c.list, ailment{Finding: f})
		}
		return
	}
	p, l, err := c.s.plan(ctx, planOptions{offline: true, looks: true, pending: c.journal.State.Attempts, written: c.journal.State.Written})
	if err != nil {
		c.add(noted, "IB0606", "imgbuild plan", "no plan can be made: %v", err)
		return
	}
	if l.HasErrors() {
		c.add(noted, "IB0606", "imgbuild plan", "a plan has errors")
	}
	if n := len(p.Steps); n > 0 {
		c.add(noted, "IB0606", "imgbuild plan says which, and why", "configuration, lock and files differ on %d %s", n, noun(n, "image", "images"))
	}
}

// advisory looks at what may be thrown away at any time.
func (c *checkup) advisory() {
	if !c.s.root.IndexSound() {
		c.add(noted, "IB0705", "the next plan makes it anew", "%s/index can't be read", own)
	}
	for _, name := range []string{projectCache, pixelCache} {
		if b, ok := c.s.root.ReadCache(name); ok && len(b) > 0 {
			if _, ok := c.s.readCache(name); !ok {
				c.add(noted, "IB0705", "the next plan makes it anew", "%s/cache/%s can't be read", own, name)
			}
		}
	}
}

// count of the findings of a severity.
func (c *checkup) count(s diag.Severity) (n int) {
	for i := range c.list {
		if c.list[i].Severity == s {
			n++
		}
	}
	return n
}

// mends are the findings that can be mended now. Without a lock nobody knows
// whose a picture is and what is in an output: that comes first.
func (c *checkup) mends() (out []*ailment) {
	for i := range c.list {
		a := &c.list[i]
		if a.mend != nil && (!c.lockBad || a.Code == "IB0601" || a.Code == "IB0703") {
			out = append(out, a)
		}
	}
	return out
}

// tell prints what was found.
func (c *checkup) tell() {
	env := c.s.env
	w, p := env.Stdout, palette(env, env.Stdout)
	var l diag.List
	for _, a := range c.list {
		if a.Severity != noted {
			l = append(l, a.Finding)
		}
	}
	source := c.s.source
	if c.s.project != nil {
		source = c.s.shown
	}
	l.Text(w, source, p)
	if len(l) > 0 {
		fmt.Fprintln(w)
	}
	for _, a := range c.list {
		if a.Severity == noted {
			fmt.Fprintf(w, "%s %s\n", p.Cyan("Note:"), diag.Clean(a.Text))
			if a.Hint != "" {
				fmt.Fprintf(w, "  Hint: %s\n", diag.Clean(a.Hint))
			}
		}
	}
	blobs, records := len(c.local.Blobs)+len(c.second.Blobs), len(c.local.Records)+len(c.second.Records)
	sum := fmt.Sprintf("%d %s in the lock, %d %s in the journal, %d %s (%.1f MB) and %d %s in the store", len(c.s.lock.Entries), noun(len(c.s.lock.Entries), "image", "images"),
		c.journal.Records, noun(c.journal.Records, "record", "records"), blobs, noun(blobs, "picture", "pictures"), float64(c.local.Bytes+c.second.Bytes)/1e6, records, noun(records, "record", "records"))
	errs, warnings := c.count(diag.Error), c.count(diag.Warning)
	if errs+warnings == 0 {
		fmt.Fprintf(w, "%s %s.\n", p.Green("Healthy:"), sum)
		return
	}
	fmt.Fprintf(w, "%s %d %s, %d %s. Read: %s.\n", p.Red("Not healthy:"), errs, noun(errs, "error", "errors"), warnings, noun(warnings, "warning", "warnings"), sum)
}

// checkedUp is what `doctor -json` writes of a project.
type checkedUp struct {
	FormatVersion string         `json:"format_version"`
	OK            bool           `json:"ok"`
	Images        int            `json:"images"`
	Records       int            `json:"journal_records"`
	Pictures      int            `json:"pictures"`
	Requests      int            `json:"requests"` // that the store has records of
	Bytes         int64          `json:"bytes"`    // that were read of the store
	Findings      []checkedRow   `json:"findings"`
	Repaired      []string       `json:"repaired,omitempty"`
	InDoubt       provider.Money `json:"in_doubt"`
}

type checkedRow struct {
	diag.Finding
	Repairable bool `json:"repairable"`
}

func (c *checkup) json(repaired []string) error {
	out := checkedUp{FormatVersion: "1.0", OK: c.count(diag.Error)+c.count(diag.Warning) == 0, Images: len(c.s.lock.Entries), Records: c.journal.Records,
		Pictures: len(c.local.Blobs) + len(c.second.Blobs), Requests: len(c.local.Records) + len(c.second.Records),
		Bytes: c.local.Bytes + c.second.Bytes, Findings: []checkedRow{}, Repaired: repaired, InDoubt: c.journal.State.May()}
	for _, a := range c.list {
		out.Findings = append(out.Findings, checkedRow{a.Finding, a.mend != nil})
	}
	return writeJSON(c.s.env.Stdout, out)
}

// runCheckup examines the project, and with -repair mends it.
func runCheckup(ctx context.Context, env *Env, f *doctorFlags) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	_, watching := terminal(env.Stderr)
	c := &checkup{s: s, watching: watching && env.Getenv("TERM") != "dumb"}
	var repaired []string
	if f.repair {
		repaired, err = c.repair(ctx, f)
	} else {
		err = c.look(ctx, &f.projectFlags)
	}
	if errors.Is(err, context.Canceled) {
		return exit(exitInterrupted)
	}
	if err != nil {
		return err
	}
	if f.json {
		err = c.json(repaired)
	} else {
		c.tell()
	}
	if err == nil && c.count(diag.Error)+c.count(diag.Warning) > 0 {
		err = exit(exitCheck)
	}
	return err
}
