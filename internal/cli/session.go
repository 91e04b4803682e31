package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/encoder"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

const (
	own          = ".imgbuild"
	draftDir     = own + "/draft"
	journalDir   = own + "/journal"
	storeDir     = own + "/store"
	projectCache = "project"
	pixelCache   = "pixels"
	maxLock      = 1 << 30 // bytes
	maxSource    = 8 << 20 // bytes; what a configuration file may have

	// manyImages is where lock and project are most of the heap and stay: to
	// collect at twice their size would double the memory of a plan for nothing.
	manyImages = 20_000
)

// session is an open project.
type session struct {
	env     *Env
	root    *workspace.Root // the project
	out     *workspace.Root // where lock and outputs are: root, or the folder of drafts
	draft   bool
	apart   bool // out is nobody's: what is there is not shared, and nothing is kept of it
	project *config.Project
	lock    *lock.Lock
	store   *store.Tiers
	stream  *report.Stream            // of apply -json: gets findings too
	locked  digest.Content            // bytes of the lockfile as this process knows it; zero if there is none
	files   map[string]digest.Content // of sources, masks and fonts
	further []string                  // paths of outputs that the last plan found it needs besides those that are written down
	offers  map[[2]string]*provider.Offer
	vars    []config.Var
	asks    bool              // for variables without a value
	unread  map[string]string // request -> its damaged record
	limits  imaging.Limits

	noAnswer error // why there are no more questions

	mayRun, allowExec bool // programs: somebody approved, or -allow-exec says so

	expressions bool // they are evaluated later
	judge       judge
	encoders    encoder.Set
}

// openSession opens the folder of env. Nothing is written.
func openSession(env *Env) (*session, error) {
	fi, err := os.Stat(env.Dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.IsDir() {
		return nil, fail("name a folder that is there: -C DIR", "there is no folder %s", env.Dir)
	}
	open := workspace.Open
	if env.Open != nil {
		open = env.Open
	}
	root, err := open(env.Dir)
	if err != nil {
		return nil, err
	}
	s := &session{env: env, root: root, out: root, limits: imaging.DefaultLimits, offers: map[[2]string]*provider.Offer{}}
	if text := env.Getenv(maxMegapixels); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < imaging.Least || n > imaging.Most {
			s.close()
			return nil, fail(fmt.Sprintf("unset it for %d, or write %s=200", imaging.Least, maxMegapixels), "%s: %q is no number of megapixels from %d to %d", maxMegapixels, text, imaging.Least, imaging.Most)
		}
		s.limits = imaging.LimitsOf(n)
	}
	s.encoders = encoder.Set{Getenv: env.Getenv, Limits: s.limits}
	return s, nil
}

// maxMegapixels names the variable of the environment that says how large a
// picture may be that is read.
const maxMegapixels = "IMGBUILD_MAX_MEGAPIXELS"

func (s *session) close() {
	if s.out != s.root {
		s.out.Close()
	}
	s.root.Close()
}

// source is the bytes of a file for a snippet, nil where it can't be read.
func (s *session) source(file string) []byte {
	b, err := s.root.Read(file, maxSource)
	if err != nil && s.out != s.root {
		b, err = s.out.Read(file, maxLock)
	} else if err != nil {
		b, err = s.root.Read(file, maxLock)
	}
	if err != nil {
		return nil
	}
	return b
}

// shown is source without the lines that hold sensitive values.
func (s *session) shown(file string) []byte { return s.project.Show(file, s.source(file)) }

// tell shows findings and returns the exit code for them, nil if none is an
// error.
func (s *session) tell(l diag.List) error {
	if s.noAnswer == errInterrupted {
		return exit(exitInterrupted)
	}
	l.Text(s.env.Stderr, s.shown, palette(s.env, s.env.Stderr))
	if s.stream != nil {
		for _, f := range l.Sorted() {
			s.stream.Write(report.Line{Type: "diagnostic", Message: f.Text, Address: f.Address, Hint: f.Hint, Finding: &f})
		}
	}
	if !l.HasErrors() {
		return nil
	}
	n := 0
	for _, f := range l.Sorted() {
		if f.Severity == diag.Error {
			n++
		}
	}
	if n > 1 {
		fmt.Fprintf(s.env.Stderr, "\n%d errors.\n", n)
	}
	return exit(exitError)
}

func (s *session) options() config.Options {
	o := config.Options{Large: s.env.Getenv("IMGBUILD_LARGE") != "", Expressions: s.expressions, Vars: s.vars, Env: s.env.Getenv, Types: all.Types(), Version: Version, Measure: s.measure}
	if s.asks {
		o.Ask = s.askVariable
	}
	return o
}

// measure reads the header of a picture for imagesize.
func (s *session) measure(b []byte) (config.Picture, error) {
	info, err := imaging.Measure(b, s.limits)
	if err != nil {
		return config.Picture{}, errors.New(strings.TrimPrefix(err.Error(), "imaging: "))
	}
	return config.Picture{Width: info.Width, Height: info.Height, Format: info.Format}, nil
}

// load evaluates the configuration, from the cache if it is fresh and holds
// what f asks for: outputs and conditions can't be evaluated from it.
func (s *session) load(f *projectFlags) diag.List {
	s.vars = f.vars
	s.asks = f.input && !f.quiet && mayAsk(s.env)
	if !f.noCache {
		if p := s.cached(); p != nil && !(f.outputs && p.HasOutputs()) && !p.HasConditions() {
			s.project = p
			if len(p.Images) <= manyImages {
				debug.SetGCPercent(400) // what follows is small and soon over
			}
			return nil
		}
	}
	if l := s.noFiles(); l != nil {
		return l
	}
	var l diag.List
	s.project, l = loadFrugally(s.root, s.options())
	switch {
	case s.project != nil && !s.project.MayKeep():
		_ = s.root.WriteCache(projectCache, nil) // of before its values were sensitive
	case f.noCache || len(l) > 0:
	case s.project.HasConditions():
		_ = s.root.WriteCache(projectCache, nil) // it would not be taken
	default:
		s.writeCache(projectCache, s.project.Encode())
	}
	if s.project != nil && len(s.project.Images) > manyImages {
		debug.FreeOSMemory() // what parsing left would double what comes now
	}
	return l
}

// noFiles is a finding if the folder has no configuration: that is a mistake,
// and not the wish that everything be deleted.
func (s *session) noFiles() diag.List {
	names, err := s.root.ReadDir("")
	if err != nil || slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".img.hcl") || strings.HasSuffix(n, ".img.json") }) {
		return nil // config.Load tells what is wrong
	}
	return diag.List{{Severity: diag.Error, Code: "IB0502", Text: "there is no *.img.hcl file in " + s.root.Dir(),
		Hint: "imgbuild init writes a first one; -C DIR works in another folder"}}
}

// readCache reads a cache file, which is the SHA-256 of a text, and the text.
// It is advisory: whatever is wrong with it makes it a miss.
func (s *session) readCache(name string) ([]byte, bool) {
	b, ok := s.root.ReadCache(name)
	if !ok || len(b) < sha256.Size || sha256.Sum256(b[sha256.Size:]) != [sha256.Size]byte(b) {
		return nil, false
	}
	return b[sha256.Size:], true
}

func (s *session) writeCache(name string, body []byte) {
	sum := sha256.Sum256(body)
	// A cache that can't be written makes the next plan slower, not wrong.
	_ = s.root.WriteCache(name, append(sum[:], body...))
}

// cached is the project of the last run, which lists what it was evaluated
// from, if that is the same now.
func (s *session) cached() *config.Project {
	body, ok := s.readCache(projectCache)
	if !ok {
		return nil
	}
	p, err := config.Decode(body)
	if err != nil || !config.Fresh(s.root, s.hashOne, s.options(), p.Inputs()) {
		return nil
	}
	return p
}

func (s *session) hashOne(path string) (digest.Content, error) {
	c, errs := s.root.Hash(context.Background(), []string{path})
	return c[0], errs[0]
}

// finding turns a problem of the plan into one about the user's files.
func (s *session) finding(code string, p plan.Problem) diag.Finding {
	if p.Field == "model" {
		if c, ok := s.providerOf(p.Address); ok {
			var names []string
			for _, o := range all.Offers(c) {
				names = append(append(names, o.Model), o.Aliases...)
			}
			if best := nearest(p.Value, names); best != "" {
				p.Hint = "did you mean " + strconv.Quote(best) + "?"
			}
		}
	}
	if tag, ok := strings.CutPrefix(p.Value, plan.TagPrefix); ok && p.Address == "" {
		p.Hint = s.tagHint(tag)
	} else if strings.HasPrefix(p.Field, "-") { // a flag that names images
		p.Hint = cmp.Or(s.meant(p.Value), p.Hint)
	}
	switch p.Kind {
	case plan.NoEncoder:
		code = "IB0507"
	case plan.BadCrop:
		code = "IB0508"
	case plan.BadCard:
		code = "IB0512"
	case plan.TooSmall:
		code = "IB0511"
	case plan.TooLarge:
		code = "IB0514"
	}
	f := diag.Finding{Severity: diag.Error, Code: code, Address: string(p.Address), Text: p.Text, Hint: p.Hint}
	if rest, ok := strings.CutPrefix(p.Field, apply.ShapeField); ok {
		if im := s.project.Image(p.Address); im != nil && im.Wanted.Mask != nil {
			p.Field = im.Wanted.Mask.Place(p.Value) + rest
		}
	}
	if p.Warning {
		f.Severity = diag.Warning
	}
	switch {
	case p.Field == plan.FieldMaxCost:
		f.Code, f.Text = "IB0506", string(p.Address)+": "+p.Text
		f.Range = s.project.At(s.root, p.Address, p.Field)
	case p.Field == plan.FieldBought:
		f.Code, f.Text, f.Hint = "IB0702", string(p.Address)+": "+p.Text, repairHint
		if s.draft {
			f.Hint = "rm -r " + draftDir + ", which costs nothing"
		}
		f.Range = &diag.Range{File: s.unread[p.Value]}
	case p.Field == importField:
		f.Code, f.Text = codeImport, string(p.Address)+": "+p.Text
		f.Range = s.project.AtImport(s.root, p.Address, "path")
	case p.Address != "":
		f.Text = string(p.Address) + ": " + p.Text
		f.Range = s.project.At(s.root, p.Address, p.Field)
	}
	return f
}

// readLock reads the lockfile; a missing one is an empty one, any other
// trouble is a finding.
func (s *session) readLock() (diag.List, error) {
	b, l, err := s.lockText()
	if len(l) > 0 || err != nil {
		return l, err
	}
	if b == nil {
		s.lock = &lock.Lock{}
		return nil, nil
	}
	s.lock, l = lock.Parse(b)
	return l, nil
}

// lockText is the text of the lockfile, nil if there is none.
func (s *session) lockText() ([]byte, diag.List, error) {
	seen, err := s.out.Look([]string{lock.File})
	if err != nil {
		return nil, nil, err
	}
	s.locked = digest.Content{}
	switch seen[0].State {
	case workspace.Absent:
		return nil, nil, nil
	case workspace.Regular:
	default:
		return nil, diag.List{{Severity: diag.Error, Code: "IB0603", Range: &diag.Range{File: lock.File},
			Text: lock.File + " is a folder, a link or a device", Hint: "put the file itself there: git checkout -- " + lock.File}}, nil
	}
	b, err := s.out.Read(lock.File, maxLock)
	if err != nil {
		return nil, nil, err
	}
	s.locked = digest.OfContent(b)
	return b, nil, nil
}

// openStore opens the tiers; nothing is written before something is put in.
func (s *session) openStore() {
	s.store = &store.Tiers{Local: store.Open(s.out.FS(storeDir))}
	if s.project == nil || s.draft || s.apart {
		return
	}
	if t := s.project.Settings.Store; t != nil {
		s.store.Second, s.store.Keep = store.Open(s.root.FS(t.Path)), t.Keep
	}
}

// hashSources hashes the files that edits use.
func (s *session) hashSources(ctx context.Context) diag.List {
	type user struct {
		address spec.Address
		field   string
	}
	users := map[string]user{}
	for i := range s.project.Images {
		im := &s.project.Images[i]
		for _, src := range im.Wanted.Sources {
			if src.File != "" {
				users[src.File] = user{im.Address, "edit.image"}
			}
		}
		if m := im.Wanted.Mask; m != nil && m.File != "" {
			users[m.File] = user{im.Address, "edit.mask.file"}
		}
		for _, r := range im.Renditions {
			if f := r.Card.Font; f != "" {
				users[f] = user{im.Address, r.Field("font")}
			}
		}
	}
	if len(users) == 0 {
		return nil
	}
	paths := slices.Sorted(maps.Keys(users))
	contents, errs := s.root.Hash(ctx, paths)
	s.files = make(map[string]digest.Content, len(paths))
	var l diag.List
	for i, p := range paths {
		s.files[p] = contents[i]
		if errs[i] == nil {
			continue
		}
		f := diag.Finding{Severity: diag.Error, Code: "IB0503", Address: string(users[p].address),
			Range: s.project.At(s.root, users[p].address, users[p].field), Hint: "check the path; it starts from the folder of the configuration"}
		if errors.Is(errs[i], fs.ErrNotExist) {
			f.Text = fmt.Sprintf("%s: there is no file %q", users[p].address, p)
		} else {
			f.Text = fmt.Sprintf("%s: %v", users[p].address, errs[i])
		}
		l = append(l, f)
	}
	return l
}

// providerOf is the provider of an image.
func (s *session) providerOf(a spec.Address) (provider.Config, bool) {
	if im := s.project.Image(a); im != nil {
		return s.provider(im.Wanted.Provider)
	}
	return provider.Config{}, false
}

// config of a provider, by key.
func (s *session) provider(key string) (provider.Config, bool) {
	for _, c := range s.project.Providers {
		if c.Key() == key {
			return c, true
		}
	}
	return provider.Config{}, false
}

// offer looks a model up once.
func (s *session) offer(key, model string) (*provider.Offer, bool) {
	k := [2]string{key, model}
	o, known := s.offers[k]
	if !known {
		if c, ok := s.provider(key); ok {
			if found, ok := all.Offer(c, model); ok {
				o = &found
			}
		}
		s.offers[k] = o
	}
	return o, o != nil
}

// planOptions are the flags of a plan.
type planOptions struct {
	sel          plan.Selection
	destroy      bool
	verify       bool // hash the outputs
	offline      bool // nobody is asked, so nothing is bought
	looks        bool // nothing will be written, so that no encoder is needed
	retryRefused bool
	retryDoubt   bool
	retryAsked   bool // somebody said yes to what in_doubt = "ask" asks
	pending      []journal.Attempt
	written      map[string]digest.Content // by a run that died
}

// writer tells a plan who would write a file. It looks for programs, and starts
// none.
func (s *session) writer(e spec.Encoding) (w spec.Writer) {
	f := encoder.File{Format: e.Format, Quality: e.Quality, Lossless: e.Lossless}
	if w.Name = s.encoders.Find(f); w.Name != "" {
		return w
	}
	w.Missing, w.Hint = s.encoders.Missing(f)
	if e.Format == "webp" {
		w.Hint += ", or write lossless = true"
	}
	return w
}

// plan makes a plan. The session must be loaded.
func (s *session) plan(ctx context.Context, o planOptions) (*plan.Plan, diag.List, error) {
	seen, err := s.look(ctx, o.verify)
	if err != nil {
		return nil, nil, err
	}
	s.further = nil
	in := plan.Input{
		Tool: "imgbuild " + Version, Images: s.project.Images, Offer: s.offer, Writer: s.writer, Files: s.files, Lock: s.lock,
		Seen: func(path string) plan.Seen {
			x, looked := seen[path]
			x.Unknown = !looked
			return x
		}, MaxCost: s.project.Settings.MaxCost,
		Bought: map[digest.Request][]plan.Bought{}, Held: map[digest.Content]bool{}, Hashes: map[string]digest.Content{}, Unfit: map[plan.Unfit]string{}, Unread: map[digest.Request]string{},
		Select: o.sel, Destroy: o.destroy, RetryRefused: o.retryRefused, Draft: s.draft,
		Pending: s.pending(o), Written: o.written, Moved: map[spec.Address][]spec.Address{}, Kept: map[spec.Address]bool{},
	}
	if a := o.unknown(); a != nil {
		in.Lost = a.ID
	}
	for _, m := range s.project.Moved {
		in.Moved[m.To] = append(in.Moved[m.To], m.From)
	}
	for _, r := range s.project.Removed {
		for i := range s.lock.Entries {
			if a := s.lock.Entries[i].Address; a.Within(r.From) {
				in.Kept[a] = r.KeepFiles
			}
		}
	}

	var ignored diag.List
	if in.Imports, ignored, err = s.imports(ctx); err != nil {
		return nil, nil, err
	}
	for i := range s.project.Budgets {
		b := &s.project.Budgets[i]
		in.Budgets = append(in.Budgets, plan.Budget{Name: b.Name, Tags: b.Tags, MaxCost: b.MaxCost})
	}
	for _, g := range s.project.Guards {
		in.Guards = append(in.Guards, g.Address)
	}

	if o.looks {
		in.Writer = nil
	}
	for {
		p := plan.Make(in)
		var l diag.List
		for _, problem := range p.Problems {
			f := s.finding("IB0501", problem)
			if (problem.Field == plan.FieldBought || problem.Kind == plan.NoEncoder) && o.offline {
				f.Severity = diag.Warning
			}
			l = append(l, f)
		}
		if p.Asks.None() && !l.HasErrors() {
			for _, problem := range apply.Inspect(s.root, s.lock, p, s.limits) {
				l = append(l, s.finding("IB0503", problem))
			}
		}
		if p.Asks.None() || l.HasErrors() {
			p.Keys = s.keys()
			l = slices.Concat(l, ignored, s.endings(), tellUnknown(p, o), s.tellNoLock(p))
			if !o.destroy {
				l = append(l, s.conditions(p)...)
			}
			return p, l, nil
		}
		err := s.answer(ctx, &in, p.Asks)
		if err == nil && len(p.Asks.Paths) > 0 {
			s.further = append(s.further, p.Asks.Paths...)
			err = s.lookAt(ctx, seen, p.Asks.Paths, o.verify)
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// planned is plan with its findings told; an error among them is returned.
func (s *session) planned(ctx context.Context, o planOptions) (*plan.Plan, error) {
	p, findings, err := s.plan(ctx, o)
	if err != nil {
		return nil, err
	}
	more, err := s.planManifests(p, o.destroy && len(o.sel.Target)+len(o.sel.Exclude) == 0)
	if err != nil {
		return nil, err
	}
	return p, s.tell(append(findings, more...))
}

// endings warns of models in use that are gone or soon will be.
func (s *session) endings() (l diag.List) {
	now := s.env.Now()
	for k, o := range s.offers {
		if o == nil || o.EndOfLife == "" || o.EndOfLife > now.AddDate(0, 0, 60).Format(time.DateOnly) {
			continue
		}
		f := diag.Finding{Severity: diag.Warning, Code: "IB0504", Text: fmt.Sprintf("%s: the model %s ends on %s", k[0], o.Model, o.EndOfLife),
			Hint: "imgbuild models lists the others"}
		if o.EndOfLife <= now.Format(time.DateOnly) {
			f.Text = fmt.Sprintf("%s: the model %s ended on %s; %s", k[0], o.Model, o.EndOfLife, o.Note)
		}
		l = append(l, f)
	}
	return l.Sorted()
}

const unknownHint = "look at the provider's bill; imgbuild apply -retry-in-doubt settles it"

// unknown is an attempt of an earlier run of which the journal has lost what it
// was for, or that stands for all that a lost journal knew: whatever a plan would
// buy may have been paid for by it.
func (o *planOptions) unknown() *journal.Attempt {
	for i := range o.pending {
		if a := &o.pending[i]; a.Request.IsZero() && !a.Phase.Settled() && !o.retryDoubt {
			return a
		}
	}
	return nil
}

// tellUnknown warns where a plan doesn't buy for that.
func tellUnknown(p *plan.Plan, o planOptions) (l diag.List) {
	a := o.unknown()
	lost := func(s plan.Step) bool {
		return slices.ContainsFunc(s.Why, func(r plan.Reason) bool { return r.Cause == plan.CauseLost })
	}
	if a != nil && !o.offline && slices.ContainsFunc(p.Steps, lost) {
		l = append(l, diag.Finding{Severity: diag.Warning, Code: "IB0704", Hint: unknownHint,
			Text: fmt.Sprintf("%s (attempt %s): what this plan would buy may have been paid for, and is not bought", unknownText(a), a.ID)})
	}
	return l
}

// tellNoLock warns where files are strangers because the lockfile is gone.
func (s *session) tellNoLock(p *plan.Plan) diag.List {
	foreign := func(s plan.Step) bool {
		return slices.ContainsFunc(s.Why, func(r plan.Reason) bool { return r.Cause == plan.CauseForeign })
	}
	if !s.locked.IsZero() || s.draft || s.apart || !slices.ContainsFunc(p.Steps, foreign) {
		return nil
	}
	known := 0
	for _, err := range s.store.Local.Requests() {
		if err != nil {
			return nil // doctor tells of it
		}
		known++
	}
	if known == 0 {
		return nil
	}
	return diag.List{{Severity: diag.Warning, Code: "IB0707", Text: missingLock(known), Hint: missingLockHint}}
}

func unknownText(a *journal.Attempt) string {
	return "an earlier run may have sent a request, and " + cmp.Or(a.Reason, "what it was for is lost with a damaged part of the journal")
}

func (s *session) pending(o planOptions) (out []plan.Pending) {
	for _, a := range o.pending {
		if a.Request.IsZero() {
			continue // what it was for is lost: in.Lost tells of it
		}
		p := plan.Pending{Address: spec.Address(a.Address), Request: a.Request, Attempt: a.ID, Sent: a.Started, Images: a.N, Price: a.Estimate}
		switch a.Phase {
		case journal.Sent, journal.InDoubt:
			c, _ := s.provider(a.Provider)
			p.Again = o.retryDoubt || c.InDoubt == "retry" || o.retryAsked && c.InDoubt == "ask"
			if a.Phase == journal.InDoubt {
				p.Price = a.Doubt
			}
		default:
			if apply.Awaited(&a) {
				p.Job, p.Again = true, o.retryDoubt
				p.Images, p.Price = a.Rest()
			} else if apply.Unsettled(a) {
				p.Resume = true
			} else {
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// look looks at every output that the configuration wants or the lock records.
func (s *session) look(ctx context.Context, verify bool) (map[string]plan.Seen, error) {
	paths := make([]string, 0, len(s.project.Images)+len(s.lock.Entries)/8)
	out := make(map[string]plan.Seen, len(s.project.Images))
	add := func(p string) {
		if _, ok := out[p]; !ok {
			out[p] = plan.Seen{}
			paths = append(paths, p)
		}
	}
	for i := range s.lock.Entries {
		for k := range s.lock.Entries[i].Outputs {
			add(s.lock.Entries[i].Outputs[k].Path)
		}
	}
	for i := range s.project.Images {
		im := &s.project.Images[i]
		add(im.Path)
		for k := range im.Renditions {
			add(im.Renditions[k].Path)
		}
	}
	return out, s.lookAt(ctx, out, paths, verify)
}

// lookAt puts into seen what is at the paths.
func (s *session) lookAt(ctx context.Context, out map[string]plan.Seen, paths []string, verify bool) error {
	seen, err := s.out.Look(paths)
	if err != nil {
		return err
	}
	var contents []digest.Content
	var errs []error
	if verify {
		contents, errs = s.out.Verify(ctx, paths)
	}
	for i, p := range paths {
		v := plan.Seen{Exists: seen[i].State != workspace.Absent, Regular: seen[i].State == workspace.Regular, Outside: seen[i].State == workspace.Outside, Size: seen[i].Size}
		if seen[i].Known {
			v.Content = seen[i].Content
		}
		if verify && v.Regular {
			if errs[i] != nil {
				return errs[i]
			}
			v.Content = contents[i]
		}
		out[p] = v
	}
	return nil
}

func (s *session) answer(ctx context.Context, in *plan.Input, asks plan.Asks) error {
	for _, r := range asks.Requests {
		rolls, err := s.store.Bought(r)
		if err != nil {
			if err = s.damaged(in, r, err); err != nil {
				return err
			}
		}
		bought := make([]plan.Bought, len(rolls))
		for i, roll := range rolls {
			bought[i] = plan.Bought{Image: roll.Image, Refused: roll.Refused}
		}
		in.Bought[r] = bought
	}
	for _, c := range asks.Contents {
		in.Held[c] = s.store.Has(c)
	}
	if len(asks.Files) > 0 {
		contents, errs := s.out.Hash(ctx, asks.Files)
		for i, p := range asks.Files {
			if errs[i] == nil {
				in.Hashes[p] = contents[i]
			} else {
				in.Hashes[p] = digest.Content{}
			}
		}
	}
	if len(asks.Pictures) > 0 {
		s.judgeAll(in.Unfit, asks.Pictures)
	}
	return nil
}

// damaged notes that the record of a request can't be read, if that is what err
// says.
func (s *session) damaged(in *plan.Input, r digest.Request, err error) error {
	file := func(folder string, dir *store.Dir) bool {
		_, err := dir.Bought(r)
		var damage *store.Corrupt
		if !errors.As(err, &damage) {
			return false
		}
		if s.unread == nil {
			s.unread = map[string]string{}
		}
		in.Unread[r], s.unread[r.String()] = damage.Reason, folder+"/"+damage.Path
		return true
	}
	if file(storeDir, s.store.Local) || s.store.Second != nil && file(s.project.Settings.Store.Path, s.store.Second) {
		return nil
	}
	return err
}

// unmet finds what models do not take, where there will be no plan to find it.
func (s *session) unmet() (l diag.List) {
	for _, p := range plan.Unmet(s.project.Images, s.offer) {
		l = append(l, s.finding("IB0501", p))
	}
	return l
}

// prepare loads all that a plan needs: configuration, sources, lock, store and
// what the journal says. Findings that are errors are told and end it.
func (s *session) prepare(ctx context.Context, f *projectFlags) error {
	l := s.load(f)
	if s.project == nil {
		return s.tell(l)
	}
	if f.leaving {
		l = slices.DeleteFunc(l, config.IsPrecondition)
	}
	if l.HasErrors() {
		return s.tell(append(append(l, s.unmet()...), s.hashSources(ctx)...))
	}
	if f.draft {
		if err := s.toDraft(); err != nil {
			return err
		}
	}
	if len(s.project.Images) > manyImages {
		debug.SetGCPercent(25)
	}
	l = append(l, s.hashSources(ctx)...)
	more, err := s.readLock()
	if err != nil {
		return err
	}
	if err := s.tell(append(l, more...)); err != nil {
		return err
	}
	s.openStore()
	return nil
}

// openDraft makes the folder of drafts the place of lock and outputs.
func (s *session) openDraft() error {
	if s.draft {
		return nil
	}
	out, err := s.root.Sub(draftDir)
	if err == nil {
		s.out, s.draft = out, true
	}
	return err
}

// toDraft turns the project into one that sketches everything into a folder of
// its own, with a lock of its own.
func (s *session) toDraft() error {
	if err := s.openDraft(); err != nil {
		return err
	}
	s.sketchAll()
	return nil
}

// sketchAll lets sketch make everything.
func (s *session) sketchAll() {
	s.project.Providers = []provider.Config{{Type: "sketch", Parallelism: 8}}
	s.project.Budgets, s.project.Guards = nil, nil // a draft costs nothing and takes nothing away
	for i := range s.project.Images {
		s.project.Images[i].Protect, s.project.Images[i].Ignore = false, 0
		w := &s.project.Images[i].Wanted
		w.Provider, w.Model, w.Resolution, w.Quality, w.User = "sketch", "", "", "", ""
	}
}

// readJournal reads the journal without changing it.
func (s *session) readJournal(o *planOptions) error {
	state, err := journal.Read(s.out.FS(journalDir))
	if err == nil {
		err = s.bereave(&state, nil)
	}
	o.pending, o.written = state.Attempts, state.Written
	if err != nil || !slices.ContainsFunc(o.pending, func(a journal.Attempt) bool { return !a.Phase.Settled() }) {
		return err
	}
	who, busy := s.out.Holder()
	switch {
	case !busy:
	case o.retryDoubt:
		return fail("wait for it", "imgbuild %s is at work here (process %d): what it waits for is not in doubt yet", who.Verb, who.PID)
	default:
		fmt.Fprintf(s.env.Stderr, "imgbuild %s is at work here (process %d): what it has sent and not received yet shows as in doubt.\n", who.Verb, who.PID)
	}
	return nil
}

// bereave adds to a state what stands for a journal that was here and is gone;
// and to the journal, if it is open.
func (s *session) bereave(state *journal.State, j *journal.Journal) error {
	gone, err := journal.Gone(s.out.FS(workspace.Own), s.out.FS(journalDir))
	if !gone || err != nil {
		return err
	}
	state.Bereave()
	if j == nil {
		return nil
	}
	return j.Bereave()
}

// tellUnfinished says, where a verb writes and does not take up what an
// earlier run left, that there is something.
func (s *session) tellUnfinished(attempts []journal.Attempt) {
	n := 0
	for i := range attempts {
		if a := &attempts[i]; a.Phase == journal.Sent || a.Phase == journal.Accepted || !a.Phase.Settled() && apply.Unsettled(*a) {
			n++
		}
	}
	if n > 0 {
		fmt.Fprintf(s.env.Stderr, "An earlier run did not end: %d %s left; imgbuild apply goes on there.\n", n, noun(n, "request is", "requests are"))
	}
}

func readPlan(b []byte) (*plan.Plan, error) {
	var p plan.Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("it is no plan of imgbuild: %w", err)
	}
	if major, _, _ := strings.Cut(p.FormatVersion, "."); major != "1" {
		return nil, fmt.Errorf("it has format_version %q; this imgbuild reads 1.x", p.FormatVersion)
	}
	return &p, p.Check()
}
