package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// fake is a maker whose behaviour a test writes.
type fake struct {
	resume func(id string, r *provider.Request, s provider.Sink) (provider.Reply, error)
	mu     sync.Mutex
	paid   map[string]int // images billed, by prompt
	flying int
	most   int // requests in flight at once, at most
	delay  func(prompt string) time.Duration
	do     func(r *provider.Request, s provider.Sink) (provider.Reply, error) // nil: works
	urls   map[string][]byte
	fetch  func(url string) error // nil: gives what urls has
	free   bool                   // by its offer
	maxN   int                    // images a call by its offer; 0: four, -1: no limit is known
	quiet  bool                   // does not tell Sent
	calls  map[string]int         // by prompt
}

func newFake() *fake {
	return &fake{paid: map[string]int{}, urls: map[string][]byte{}, calls: map[string]int{}}
}

var fakeOffer = provider.Offer{Provider: "fake", Model: "m", AnySize: true, MaxN: 4, MaxInputs: 3,
	Price: func(*provider.Request) (provider.Money, bool) { return provider.Dollar / 100, true }}

func (f *fake) Offer(model string) (provider.Offer, bool) {
	o := fakeOffer
	if f.maxN != 0 {
		o.MaxN = max(0, f.maxN)
	}
	if f.free {
		o.Price = func(*provider.Request) (provider.Money, bool) { return 0, true }
	}
	return o, f.free || model == "" || model == "m"
}

// pixel is a PNG of 1 x 1 whose colour comes from a text.
func pixel(text string) []byte {
	p := imaging.New(1, 1)
	c := digest.OfContent([]byte(text))
	copy(p.Pix(), []byte{c[0], c[1], c[2], 255})
	var b bytes.Buffer
	if _, err := p.Encode(&b, "png", 0, false); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (f *fake) Make(ctx context.Context, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	f.mu.Lock()
	f.flying++
	f.most = max(f.most, f.flying)
	f.calls[r.Prompt]++
	calls := f.calls[r.Prompt]
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.flying--; f.mu.Unlock() }()
	if r.N < 1 || calls > 50 { // nobody asks for nothing, or for ever
		return provider.Reply{}, &provider.Error{Kind: provider.Rejected, Message: fmt.Sprintf("asked %d times, and now for %d images", calls, r.N)}
	}
	if !f.quiet {
		if err := s.Sent(); err != nil {
			return provider.Reply{}, err
		}
	}
	if f.delay != nil {
		select {
		case <-time.After(f.delay(r.Prompt)):
		case <-ctx.Done():
			return provider.Reply{}, ctx.Err()
		}
	}
	if f.do != nil {
		return f.do(r, s)
	}
	return provider.Reply{}, f.deliver(r, s, r.N)
}

// deliver bills and spools k images.
func (f *fake) deliver(r *provider.Request, s provider.Sink, k int) error {
	for i := range k {
		f.mu.Lock()
		f.paid[r.Prompt]++
		f.mu.Unlock()
		w, err := s.Spool(i)
		if err != nil {
			return err
		}
		w.Write(pixel(fmt.Sprint(string(r.Canonical()), r.First+i)))
		if err := w.Close(); err != nil {
			return err
		}
		if err := s.Delivered(i, provider.Delivery{MIME: "image/png"}, provider.Dollar/100); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Resume(_ context.Context, id string, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	if f.resume != nil {
		return f.resume(id, r, s)
	}
	return provider.Reply{}, &provider.Error{Kind: provider.Rejected}
}

func (f *fake) Fetch(_ context.Context, url string, w io.Writer) error {
	if f.fetch != nil {
		if err := f.fetch(url); err != nil {
			return err
		}
	}
	b, ok := f.urls[url]
	if !ok {
		return &provider.Error{Kind: provider.Rejected, Status: 404}
	}
	_, err := w.Write(b)
	return err
}

// site is a project on a real disk.
type site struct {
	t        testing.TB
	dir      string
	maker    *fake
	images   []spec.Image
	events   []Event
	mu       sync.Mutex
	change   func(*Engine)
	lenient  bool // recovery may fail
	recovery Recovery
	failure  error         // of recovery
	state    journal.State // as recovery left it
	endpoint string
	stop     chan struct{}
}

func newSite(t testing.TB, images ...spec.Image) *site {
	return &site{t: t, dir: t.TempDir(), maker: newFake(), images: images, stop: make(chan struct{})}
}

func img(name string, sources ...string) spec.Image {
	im := spec.Image{Address: spec.Address("image." + name), N: 1, Path: name + ".png", Wanted: spec.Wanted{Provider: "fake", Prompt: name}}
	for _, s := range sources {
		im.Wanted.Sources = append(im.Wanted.Sources, spec.Source{Image: spec.Address("image." + s)})
	}
	return im
}

// must is for what a test needs and does not test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func offer(_, model string) (*provider.Offer, bool) { return &fakeOffer, model == "" || model == "m" }

// open opens everything, recovers, and hands an engine to f.
func (s *site) open(f func(e *Engine, root *workspace.Root)) {
	s.t.Helper()
	root := must(workspace.Open(s.dir))
	defer root.Close()
	l := &lock.Lock{}
	if b, err := root.Read(lock.File, 1<<30); err == nil {
		var findings any
		if l, findings = parse(b); l == nil {
			s.t.Fatal(findings)
		}
	}
	j, state, err := journal.Open(root.FS(".imgbuild/journal"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	e := &Engine{
		Out: root, Sources: root, Store: &store.Tiers{Local: store.Open(root.FS(".imgbuild/store"))}, Journal: j, Lock: l, Offer: offer,
		Maker:       func(string) (provider.Maker, error) { return s.maker, nil },
		Endpoint:    func(string) string { return s.endpoint },
		Parallelism: 4, Process: fmt.Sprintf("p%d", time.Now().UnixNano()), Now: time.Now,
		Event: func(ev Event) { s.mu.Lock(); s.events = append(s.events, ev); s.mu.Unlock() },
		SaveLock: func(l *lock.Lock) error {
			var expect digest.Content
			if b, err := root.Read(lock.File, 1<<30); err == nil {
				expect = digest.OfContent(b)
			}
			b := l.Bytes()
			if digest.OfContent(b) == expect {
				return nil
			}
			_, err := root.Write(lock.File, func(w io.Writer) error { _, err := w.Write(b); return err }, expect)
			return err
		},
	}
	e.Run = e.Process
	s.recovery, s.failure = e.Recover(s.t.Context(), state)
	if s.state = state; s.failure != nil && !s.lenient {
		s.t.Fatal(s.failure)
	}
	if s.change != nil {
		s.change(e)
	}
	f(e, root)
}

func parse(b []byte) (*lock.Lock, any) { l, f := lock.Parse(b); return l, f }

func (s *site) plan(e *Engine, root *workspace.Root, change ...func(*plan.Input)) *plan.Plan {
	s.t.Helper()
	slices.SortFunc(s.images, func(a, b spec.Image) int { return strings.Compare(string(a.Address), string(b.Address)) })
	in := plan.Input{Images: s.images, Offer: offer, Lock: e.Lock,
		Seen: func(p string) plan.Seen {
			seen := must(root.Look([]string{p}))[0]
			return plan.Seen{Exists: seen.State != workspace.Absent, Regular: seen.State == workspace.Regular, Size: seen.Size, Content: seen.Content}
		},
		Bought: map[digest.Request][]plan.Bought{}, Held: map[digest.Content]bool{}, Hashes: map[string]digest.Content{}}
	for _, a := range e.Open {
		in.Pending = append(in.Pending, plan.Pending{Address: spec.Address(a.Address), Request: a.Request, Attempt: a.ID, Price: a.Estimate})
	}
	for _, f := range change {
		f(&in)
	}
	for {
		p := plan.Make(in)
		if p.Asks.None() {
			return p
		}
		for _, r := range p.Asks.Requests {
			in.Bought[r] = nil
			for _, roll := range must(e.Store.Bought(r)) {
				in.Bought[r] = append(in.Bought[r], plan.Bought{Image: roll.Image, Refused: roll.Refused})
			}
		}
		for _, c := range p.Asks.Contents {
			in.Held[c] = e.Store.Has(c)
		}
		for _, f := range p.Asks.Files {
			in.Hashes[f] = digest.Content{}
		}
	}
}

// run plans and applies, and settles.
func (s *site) run(change ...func(*plan.Input)) (res Result) {
	s.t.Helper()
	s.open(func(e *Engine, root *workspace.Root) {
		p := s.plan(e, root, change...)
		var err error
		res, err = e.Apply(s.t.Context(), s.stop, p)
		if err == nil {
			err = e.Settle(true)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	})
	return res
}

// steps is the plan as it is now, in short.
func (s *site) steps() (out []string) {
	s.t.Helper()
	s.open(func(e *Engine, root *workspace.Root) {
		for _, st := range s.plan(e, root).Steps {
			out = append(out, fmt.Sprintf("%s %s", st.Verb, st.Address))
		}
	})
	return out
}

func kinds(r Result) (out []string) {
	for _, o := range r.Outcomes {
		out = append(out, fmt.Sprintf("%s %s", strings.TrimPrefix(string(o.Kind), "step_"), o.Address))
	}
	return out
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestApplyTwice(t *testing.T) {
	t.Parallel()
	hero := img("hero")
	hero.N = 6 // two calls: the offer makes four at once
	hero.Renditions = []spec.Rendition{{Name: "c", Path: "sub/c.jpg", Width: 3, Height: 3}}
	hero.Wanted.Enlarge = true
	s := newSite(t, hero, img("night", "hero"))
	res := s.run()
	same(t, "outcomes", kinds(res), "done image.hero", "done image.night")
	if res.Spent != 7*provider.Dollar/100 {
		t.Errorf("spent %s", res.Spent)
	}
	for _, name := range []string{"hero.png", "sub/c.jpg", "night.png"} {
		if fi, err := os.Stat(filepath.Join(s.dir, name)); err != nil || fi.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	same(t, "plan after", s.steps())
	first := must(os.ReadFile(filepath.Join(s.dir, lock.File)))
	s.run()
	if again := must(os.ReadFile(filepath.Join(s.dir, lock.File))); !bytes.Equal(first, again) {
		t.Error("an apply with nothing to do changed the lock")
	}
	if s.maker.paid["hero"] != 6 || s.maker.paid["night"] != 1 {
		t.Errorf("paid %v", s.maker.paid)
	}
}

func TestSameLockAtAnyParallelism(t *testing.T) {
	t.Parallel()
	var first []byte
	for _, parallelism := range []int{1, 3, 64} {
		var images []spec.Image
		for i := range 30 {
			im := img(fmt.Sprintf("i%02d", i))
			im.N = 1 + i%3
			if i%4 == 3 {
				im.Wanted.Sources = []spec.Source{{Image: spec.Address(fmt.Sprintf("image.i%02d", i-1))}}
			}
			images = append(images, im)
		}
		s := newSite(t, images...)
		s.change = func(e *Engine) { e.Parallelism = parallelism }
		s.run()
		b := must(os.ReadFile(filepath.Join(s.dir, lock.File)))
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			t.Errorf("parallelism %d makes another lock", parallelism)
		}
		if s.maker.most > parallelism {
			t.Errorf("%d requests in flight at parallelism %d", s.maker.most, parallelism)
		}
	}
}

// A run that dies before it saves the lock is made up for to the byte.
func TestSameLockAfterADeath(t *testing.T) {
	t.Parallel()
	var locks [2][]byte
	for i, dies := range []bool{false, true} {
		s := newSite(t, img("a"))
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			w := must(sink.Spool(0))
			w.Write(pixel("a"))
			w.Close()
			return provider.Reply{}, sink.Delivered(0, provider.Delivery{MIME: "image/png", Model: "m"}, 7)
		}
		if dies {
			s.open(func(e *Engine, root *workspace.Root) {
				e.SaveLock = func(*lock.Lock) error { return errors.New("dead") }
				e.Apply(t.Context(), s.stop, s.plan(e, root))
			})
			if err := os.Remove(filepath.Join(s.dir, "a.png")); err != nil { // the plan of a site takes it for a stranger's
				t.Fatal(err)
			}
		}
		s.run()
		locks[i] = must(os.ReadFile(filepath.Join(s.dir, lock.File)))
	}
	if d := cmp.Diff(string(locks[0]), string(locks[1])); d != "" {
		t.Error(d)
	}
}

func TestFailuresSkipOnlyWhatNeedsThem(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b", "a"), img("c", "b"), img("d"))
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		if r.Prompt == "a" {
			return provider.Reply{}, &provider.Error{Kind: provider.Rejected, Status: 400, Message: "bad prompt"}
		}
		return provider.Reply{}, s.maker.deliver(r, sink, r.N)
	}
	res := s.run()
	same(t, "outcomes", kinds(res), "failed image.a", "skipped image.b", "skipped image.c", "done image.d")
	if o := res.Outcomes[2]; !strings.Contains(o.Text, "image.a") {
		t.Errorf("the reason does not name the failure: %q", o.Text)
	}
	s.maker.do = nil
	same(t, "outcomes of the next run", kinds(s.run()), "done image.a", "done image.b", "done image.c")
	if s.maker.paid["d"] != 1 {
		t.Errorf("d was paid %d times", s.maker.paid["d"])
	}
}

// A disk that fails is no reason for another plan, and says what to do.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.change = func(e *Engine) {
		e.Out = must(workspace.OpenOver(s.dir, func(f workspace.FS) workspace.FS {
			return faultfs.Wrap(f, faultfs.Fault{At: 1, Err: syscall.EIO})
		}))
		t.Cleanup(func() { e.Out.Close() })
	}
	res := s.run()
	same(t, "outcomes", kinds(res), "failed image.a")
	if o := res.Outcomes[0]; !strings.Contains(o.Hint, "check the disk") {
		t.Errorf("%+v", o)
	}
}

// Whatever step of writing the outputs fails, the next run takes what is there
// for its own.
func TestEachFailureOfOutputs(t *testing.T) {
	t.Parallel()
	faultfs.Each(faultfs.Fail, func(fault faultfs.Fault) (f *faultfs.FS) {
		hero := img("a")
		hero.Renditions = []spec.Rendition{{Name: "c", Path: "sub/c.jpg", Width: 1, Height: 1}}
		s := newSite(t, hero)
		s.change = func(e *Engine) {
			e.Out = must(workspace.OpenOver(s.dir, func(real workspace.FS) workspace.FS {
				f = faultfs.Wrap(real, fault)
				return f
			}))
			t.Cleanup(func() { e.Out.Close() })
		}
		s.run()
		s.change = nil
		s.run()
		same(t, fmt.Sprintf("plan after a fault at %d", fault.At), s.steps())
		return f
	})
}

// A disk that keeps no picture stops what is paid: only those in flight are
// lost by it.
func TestFullDiskStopsBuying(t *testing.T) {
	t.Parallel()
	var images []spec.Image
	for i := range 20 {
		images = append(images, img(fmt.Sprintf("i%02d", i)))
	}
	s := newSite(t, images...)
	s.change = func(e *Engine) {
		e.Store = &store.Tiers{Local: store.Open(faultfs.Wrap(e.Out.FS(".imgbuild/store"), faultfs.Fault{At: 1, Kind: faultfs.Full, Err: syscall.ENOSPC}))}
	}
	res := s.run()
	if n := len(s.maker.paid); n == 0 || n > 4 {
		t.Errorf("%d were sent, 4 at once", n)
	}
	last := res.Outcomes[len(res.Outcomes)-1]
	if last.Kind != Skipped || !strings.Contains(last.Text, "could not be kept") || !strings.Contains(last.Hint, "free space") {
		t.Errorf("%+v", last)
	}
}

// A lock that can't be saved is told once.
func TestUnsavedLock(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b"), img("c"))
	s.open(func(e *Engine, root *workspace.Root) {
		var minutes atomic.Int64
		e.Now = func() time.Time { return time.Unix(60*minutes.Add(1), 0) } // each step is a time to save
		saved := 0
		e.SaveLock = func(*lock.Lock) error { saved++; return errors.New("disk full") }
		if _, err := e.Apply(t.Context(), s.stop, s.plan(e, root)); err == nil || err.Error() != "disk full" || saved != 1 {
			t.Errorf("saved %d times: %v", saved, err)
		}
	})
}

func TestCredentialsStopTheProvider(t *testing.T) {
	t.Parallel()
	var images []spec.Image
	for i := range 20 {
		images = append(images, img(fmt.Sprint("i", i)))
	}
	s := newSite(t, images...)
	s.change = func(e *Engine) { e.Parallelism = 2 }
	asked := 0
	var mu sync.Mutex
	s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) {
		mu.Lock()
		asked++
		mu.Unlock()
		return provider.Reply{}, &provider.Error{Kind: provider.Credentials, Status: 401, Hint: "export KEY"}
	}
	res := s.run()
	if asked > 3 || res.Count(Failed)+res.Count(Skipped) != 20 {
		t.Errorf("asked %d times; %v", asked, kinds(res))
	}
}

// What is in doubt is held, counted, and sent again only when asked.
func TestInDoubt(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b", "a"))
	s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Status: 502}
	}
	res := s.run()
	same(t, "outcomes", kinds(res), "in_doubt image.a", "skipped image.b")
	if res.Doubt != provider.Dollar/100 || res.Spent != 0 {
		t.Errorf("doubt %s, spent %s", res.Doubt, res.Spent)
	}
	s.maker.do = nil
	for range 3 {
		same(t, "held", s.steps(), "hold image.a", "missing image.b")
		s.run()
	}
	if len(s.maker.paid) > 0 {
		t.Errorf("paid %v without being asked", s.maker.paid)
	}
	again := func(in *plan.Input) {
		for i := range in.Pending {
			in.Pending[i].Again = true
		}
	}
	same(t, "when asked", kinds(s.run(again)), "done image.a", "done image.b")
	same(t, "after", s.steps())
}

// What can't cost anything is never in doubt: it is made again.
func TestFreeIsNeverInDoubt(t *testing.T) {
	t.Parallel()
	for came := range 2 {
		hero := img("a")
		hero.N = 2
		s := newSite(t, hero)
		s.maker.free = true
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			return provider.Reply{}, errors.Join(s.maker.deliver(r, sink, came), errors.New("the disk is full"))
		}
		same(t, "first run", kinds(s.run()), "failed image.a")
		s.maker.do = nil
		same(t, "plan", s.steps(), "generate image.a")
		same(t, "second run", kinds(s.run()), "done image.a")
		same(t, "plan after", s.steps())
		if n := len(s.entry("image.a").Candidates); n != 2 {
			t.Errorf("%d candidates", n)
		}

		// A run that dies where the first one failed.
		s = newSite(t, hero)
		s.maker.free = true
		s.open(func(e *Engine, root *workspace.Root) {
			step := &s.plan(e, root).Steps[0]
			step.Request.N = 2
			sink := &sink{engine: e, address: step.Address, provider: step.Provider, digest: step.Digest, fields: step.Request.Fields(), id: "dead-1", request: &step.Request, tell: func(Event) {}, free: true}
			if err := errors.Join(sink.Sent(), s.maker.deliver(&step.Request, sink, came)); err != nil {
				t.Fatal(err)
			}
		})
		same(t, "plan after a death", s.steps(), "generate image.a")
		same(t, "run after a death", kinds(s.run()), "done image.a")
	}
}

// A run that dies anywhere loses no reply and pays for none twice.
func TestDiesAfterReceipt(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b"))
	s.open(func(e *Engine, root *workspace.Root) {
		// What is left of a process that died: receipts, one by URL and one spooled.
		p := s.plan(e, root)
		for i, a := range []string{"a", "b"} {
			step := &p.Steps[i]
			id := "dead-" + a
			sink := &sink{engine: e, address: step.Address, provider: step.Provider, digest: step.Digest, fields: step.Request.Fields(), id: id, request: &step.Request, tell: func(Event) {}, each: 1}
			step.Request.N = 1
			if err := sink.Sent(); err != nil {
				t.Fatal(err)
			}
			d := provider.Delivery{MIME: "image/png"}
			if a == "a" {
				d.URL = "http://x/a"
				s.maker.urls[d.URL] = pixel("a")
			} else {
				w := must(sink.Spool(0))
				w.Write(pixel("b"))
				w.Close()
			}
			if err := sink.Delivered(0, d, provider.Dollar/100); err != nil {
				t.Fatal(err)
			}
		}
	})
	same(t, "plan", s.steps(), "restore image.a", "restore image.b")
	same(t, "outcomes", kinds(s.run()), "done image.a", "done image.b")
	if len(s.maker.paid) > 0 {
		t.Errorf("paid again: %v", s.maker.paid)
	}
	same(t, "plan after", s.steps())
}

func TestDiesBeforeReply(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.open(func(e *Engine, root *workspace.Root) {
		step := &s.plan(e, root).Steps[0]
		step.Request.N = 1
		if err := (&sink{engine: e, address: step.Address, provider: step.Provider, digest: step.Digest, fields: step.Request.Fields(), id: "dead-1", request: &step.Request, each: 5}).Sent(); err != nil {
			t.Fatal(err)
		}
	})
	s.open(func(e *Engine, _ *workspace.Root) {
		if len(e.Open) != 1 || e.Open[0].Phase != journal.InDoubt {
			t.Errorf("open attempts: %+v", e.Open)
		}
	})
	same(t, "plan", s.steps(), "hold image.a")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]func(s *site) func(*provider.Request, provider.Sink) (provider.Reply, error){
		"moderated": func(*site) func(*provider.Request, provider.Sink) (provider.Reply, error) {
			return func(*provider.Request, provider.Sink) (provider.Reply, error) {
				return provider.Reply{}, &provider.Error{Kind: provider.Moderated, Price: 7, Priced: true, Message: "no"}
			}
		},
		"placeholder": func(s *site) func(*provider.Request, provider.Sink) (provider.Reply, error) {
			return func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				s.maker.urls["u"] = pixel("placeholder")
				return provider.Reply{}, sink.Delivered(0, provider.Delivery{URL: "u", Moderated: true}, 7)
			}
		},
		"html": func(s *site) func(*provider.Request, provider.Sink) (provider.Reply, error) {
			return func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				s.maker.urls["u"] = []byte("<html>")
				return provider.Reply{}, sink.Delivered(0, provider.Delivery{URL: "u"}, 7)
			}
		},
	}
	for name, behave := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, img("a"))
			s.maker.do = behave(s)
			for range 3 {
				res := s.run()
				if n := res.Count(Done); n != 0 {
					t.Errorf("%d done", n)
				}
			}
			same(t, "plan", s.steps(), "refused image.a")
			entry := s.entry("image.a")
			if entry == nil || len(entry.Refused) != 1 || entry.Refused[0].Price != 7 {
				t.Errorf("recorded: %+v", entry)
			}
			if _, err := os.Stat(filepath.Join(s.dir, "a.png")); err == nil {
				t.Error("what was refused is on disk")
			}
			s.maker.do = nil
			same(t, "asked again", kinds(s.run(func(in *plan.Input) { in.RetryRefused = true })), "done image.a")
			if entry := s.entry("image.a"); len(entry.Refused) != 0 && len(entry.Candidates) != 1 {
				t.Errorf("recorded after: %+v", entry)
			}
			same(t, "plan after", s.steps())
		})
	}
}

// root is the folder of the site, open until the test ends.
func (s *site) root() *workspace.Root {
	root := must(workspace.Open(s.dir))
	s.t.Cleanup(func() { root.Close() })
	return root
}

func (s *site) remove(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) entry(a spec.Address) (e *lock.Entry) {
	s.open(func(en *Engine, _ *workspace.Root) { e = en.Lock.Get(a) })
	return e
}

// Fewer than n: what came is used, and the rest is planned.
func TestTooFew(t *testing.T) {
	t.Parallel()
	hero := img("a")
	hero.N = 3
	s := newSite(t, hero)
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		if s.maker.paid["a"] > 0 {
			return provider.Reply{}, nil
		}
		return provider.Reply{}, s.maker.deliver(r, sink, 1)
	}
	res := s.run()
	same(t, "outcomes", kinds(res), "failed image.a")
	if _, err := os.Stat(filepath.Join(s.dir, "a.png")); err != nil {
		t.Error(err)
	}
	s.maker.do = nil
	same(t, "plan", s.steps(), "generate image.a")
	s.run()
	if s.maker.paid["a"] != 3 {
		t.Errorf("paid %v", s.maker.paid)
	}
}

// Some came and the rest is no good: each image is charged once, and what
// happened to those that came is told too.
func TestPartlyUnusable(t *testing.T) {
	t.Parallel()
	hero := img("a")
	hero.N = 4
	s := newSite(t, hero)
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		if err := s.maker.deliver(r, sink, 2); err != nil {
			return provider.Reply{}, err
		}
		if err := sink.Delivered(2, provider.Delivery{URL: "gone"}, provider.Dollar/100); err != nil {
			return provider.Reply{}, err
		}
		return provider.Reply{}, &provider.Error{Kind: provider.Unusable, Message: "no picture"}
	}
	res := s.run()
	if res.Spent != 3*provider.Dollar/100 || res.Doubt != provider.Dollar/100 {
		t.Errorf("spent %s on 3 images of $0.01, and perhaps %s on one whose price was not told", res.Spent, res.Doubt)
	}
	text := ""
	for _, e := range s.events {
		if e.Text != "" {
			text += e.Text + "\n"
		}
	}
	for _, want := range []string{"no picture", "not at its URL (HTTP 404), and may be later"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told: %s", want, text)
		}
	}
}

// A power cut takes the index and the lock: the journal still knows what came
// and what was refused, and nothing is bought again.
func TestIndexLost(t *testing.T) {
	t.Parallel()
	refuse := func(r *provider.Request, sink provider.Sink) error {
		return &provider.Error{Kind: provider.Unusable, Price: 7, Priced: true, Message: "no"}
	}
	none := func(*provider.Request, provider.Sink) error { return nil }
	tests := map[string]struct {
		images int
		then   func(*provider.Request, provider.Sink) error
		want   []string
	}{
		"all came":     {2, none, []string{"restore image.a"}},
		"too few":      {1, none, []string{"generate image.a"}},
		"refused":      {0, refuse, []string{"refused image.a"}},
		"some refused": {1, refuse, []string{"restore image.a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hero := img("a")
			hero.N = 2
			s := newSite(t, hero)
			s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				if err := s.maker.deliver(r, sink, tt.images); err != nil {
					return provider.Reply{}, err
				}
				return provider.Reply{}, tt.then(r, sink)
			}
			s.open(func(e *Engine, root *workspace.Root) {
				must(e.Apply(t.Context(), s.stop, s.plan(e, root)))
			})
			for _, name := range []string{lock.File, "a.png", ".imgbuild/store/requests"} {
				if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "plan", s.steps(), tt.want...)
			s.open(func(e *Engine, root *workspace.Root) {
				usable := 0
				for _, r := range must(e.Store.Bought(s.plan(e, root).Steps[0].Digest)) {
					if r.Refused == "" {
						usable++
					}
				}
				if usable != tt.images {
					t.Errorf("%d of %d images in the index", usable, tt.images)
				}
			})
		})
	}
}

// An image that leaves the configuration leaves no copy in the second tier.
func TestDropPromotesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.run()
	s.images = nil
	second := ""
	s.change = func(e *Engine) {
		second = filepath.Join(s.dir, "second")
		if err := os.Mkdir(second, 0o777); err != nil {
			t.Fatal(err)
		}
		root := must(workspace.Open(second))
		t.Cleanup(func() { root.Close() })
		e.Store.Second = store.Open(root.FS("tier"))
	}
	s.run()
	if _, err := os.Stat(filepath.Join(s.dir, "a.png")); err == nil {
		t.Error("a.png is still there")
	}
	if names := must(os.ReadDir(second)); len(names) != 0 {
		t.Errorf("the tier holds %v", names)
	}
}

// More than n: all are kept as candidates.
func TestTooMany(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, s.maker.deliver(r, sink, 3)
	}
	same(t, "outcomes", kinds(s.run()), "done image.a")
	if e := s.entry("image.a"); len(e.Candidates) != 3 {
		t.Errorf("%d candidates", len(e.Candidates))
	}
	same(t, "plan", s.steps())
}

func TestBudget(t *testing.T) {
	t.Parallel()
	var images []spec.Image
	for i := range 50 {
		images = append(images, img(fmt.Sprintf("i%02d", i)))
	}
	s := newSite(t, images...)
	limit := 13 * provider.Dollar / 100
	s.change = func(e *Engine) { e.Parallelism, e.MaxCost, e.Before = 16, &limit, 3*provider.Dollar/100 }
	res := s.run()
	if !res.Budget || res.Spent != limit-3*provider.Dollar/100 || res.Count(Done) != 10 || res.Count(Skipped) != 40 {
		t.Errorf("budget %v, spent %s, %d done, %d skipped", res.Budget, res.Spent, res.Count(Done), res.Count(Skipped))
	}
}

// unpriced makes the offer of a site's model one without a price.
func (s *site) unpriced(limit provider.Money, named bool) {
	s.change = func(e *Engine) {
		e.Unpriced = true
		if named {
			e.Budgets = []Budget{{Name: "b", Max: limit}}
		} else {
			e.MaxCost = &limit
		}
		known := e.Offer
		e.Offer = func(key, model string) (*provider.Offer, bool) {
			o, ok := known(key, model)
			unpriced := *o
			unpriced.Price = func(*provider.Request) (provider.Money, bool) { return 0, false }
			return &unpriced, ok
		}
	}
}

// tagged gives the plan a budget that the images with tag t count for.
func tagged(in *plan.Input) { in.Budgets = []plan.Budget{{Name: "b", Tags: []string{"t"}}} }

// A budget allows what has no known price only if it is told to, and then no
// more than is left of it: the first reply tells what an image costs.
func TestUnpriced(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var images []spec.Image
			for i := range 20 {
				images = append(images, img(fmt.Sprint("i", i)))
				images[i].Tags = []string{"t"}
			}
			s := newSite(t, images...)
			s.maker.delay = func(string) time.Duration { return time.Second } // so that requests meet
			s.unpriced(5*provider.Dollar/100, named)
			allow := s.change
			s.change = func(e *Engine) { allow(e); e.Unpriced = false }
			if res := s.run(tagged); len(s.maker.paid) != 0 || res.Count(Skipped) != 20 || len(res.Budgets) == 0 && !res.Budget {
				t.Errorf("named %v, not allowed: %+v", named, res)
			}
			s.change = allow
			res := s.run(tagged)
			if res.Spent != 5*provider.Dollar/100 || res.Count(Done) != 5 || res.Count(Skipped) != 15 || s.maker.most < 2 {
				t.Errorf("named %v: %+v, %d at once", named, res, s.maker.most)
			}
		})
	}
}

// What a request in doubt has cost is not known either, nor what a job will that
// is not ready: it is the last one that the budget allows, also after a crash.
func TestUnpricedInDoubt(t *testing.T) {
	t.Parallel()
	kinds := []provider.Kind{provider.InDoubt, provider.InDoubt, provider.Unfinished, provider.Unfinished, provider.Moderated, provider.Unusable}
	for k, end := range kinds {
		named := k%2 == 0
		a, b := img("a"), img("b")
		a.Tags, b.Tags = []string{"t"}, []string{"t"}
		s := newSite(t, a, b)
		s.unpriced(provider.Dollar, named)
		allow := s.change
		s.change = func(e *Engine) { allow(e); e.Run = "one" }
		sent := 0
		s.maker.do = func(_ *provider.Request, sink provider.Sink) (provider.Reply, error) {
			if sent++; end == provider.Unfinished {
				must(0, sink.Accepted("job-1"))
			}
			return provider.Reply{}, &provider.Error{Kind: end}
		}
		s.lenient = true // the job is not ready in the next run, either
		s.maker.resume = func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
			return provider.Reply{}, &provider.Error{Kind: provider.Unfinished}
		}
		for range map[bool]int{true: 2, false: 1}[end == provider.InDoubt || end == provider.Unfinished] { // a crash, and the run that goes on
			s.open(func(e *Engine, root *workspace.Root) {
				if _, err := e.Apply(t.Context(), s.stop, s.plan(e, root, tagged)); err != nil {
					t.Fatal(err)
				}
			})
		}
		if sent != 1 {
			t.Errorf("named %v: %d requests of unknown price were sent after one was %s", named, sent, end)
		}
	}
}

func TestStale(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b"))
	var saved *plan.Plan
	s.open(func(e *Engine, root *workspace.Root) { saved = s.plan(e, root) })
	apply := func() (res Result) {
		s.open(func(e *Engine, _ *workspace.Root) { res, _ = e.Apply(t.Context(), nil, saved) })
		return res
	}
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		if r.Prompt == "a" {
			return provider.Reply{}, &provider.Error{Kind: provider.NotSent}
		}
		return provider.Reply{}, s.maker.deliver(r, sink, 1)
	}
	same(t, "first", kinds(apply()), "failed image.a", "done image.b")
	s.maker.do = nil
	same(t, "again: only the rest", kinds(apply()), "done image.a", "done image.b")
	if s.maker.paid["b"] != 1 {
		t.Errorf("paid %v", s.maker.paid)
	}
	s.images[0].Wanted.Prompt = "other"
	s.run()
	same(t, "after another change", kinds(apply()), "stale image.a", "done image.b")
}

// A file that appears between plan and apply is not overwritten.
func TestConflictAtTheLastMoment(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	path := filepath.Join(s.dir, "a.png")
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		if err := os.WriteFile(path, []byte("mine"), 0o666); err != nil {
			t.Error(err)
		}
		return provider.Reply{}, s.maker.deliver(r, sink, 1)
	}
	same(t, "outcomes", kinds(s.run()), "failed image.a")
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("the file is now %q", b)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes of the next run", kinds(s.run()), "done image.a")
	if s.maker.paid["a"] != 1 {
		t.Errorf("paid %v", s.maker.paid)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, img("a"), img("b"), img("c"))
		s.change = func(e *Engine) { e.Parallelism = 1 }
		s.maker.delay = func(string) time.Duration { return 10 * time.Second }
		time.AfterFunc(time.Second, func() { close(s.stop) })
		res := s.run()
		same(t, "outcomes", kinds(res), "done image.a", "skipped image.b", "skipped image.c")
		if !res.Stopped || s.maker.paid["a"] != 1 {
			t.Errorf("stopped %v, paid %v", res.Stopped, s.maker.paid)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, img("a"), img("b"))
		s.maker.delay = func(string) time.Duration { return 10 * time.Second }
		s.open(func(e *Engine, root *workspace.Root) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			res, err := e.Apply(ctx, nil, s.plan(e, root))
			if err != nil || !res.Stopped {
				t.Errorf("%v %v", res, err)
			}
			same(t, "outcomes", kinds(res), "in_doubt image.a", "in_doubt image.b")
		})
		same(t, "plan", s.steps(), "hold image.a", "hold image.b")
	})
}

// TestSchedule holds that 1,000 images with latencies of 1 to 10 s, eight at
// once, end within 5 % of what is possible, in virtual time.
func TestSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var images []spec.Image
		latency := map[string]time.Duration{}
		var sum, longest time.Duration
		chain := make([]time.Duration, 300) // more say the same, and each is synced for real
		for i := range chain {
			name := fmt.Sprintf("i%04d", i)
			latency[name] = time.Second + time.Duration(i*7919%9001)*time.Millisecond
			sum += latency[name]
			im := img(name)
			chain[i] = latency[name]
			if i%50 > 0 && i%50 < 10 { // six chains of ten edits
				im = img(name, fmt.Sprintf("i%04d", i-1))
				chain[i] += chain[i-1]
			}
			longest = max(longest, chain[i])
			images = append(images, im)
		}
		s := newSite(t, images...)
		s.change = func(e *Engine) { e.Parallelism = 8 }
		s.maker.delay = func(prompt string) time.Duration { return latency[prompt] }
		begun := time.Now()
		s.run()
		took, bound := time.Since(begun), max(sum/8, longest)
		if ratio := float64(took) / float64(bound); ratio > 1.05 {
			t.Errorf("took %s, possible %s: %.3f", took, bound, ratio)
		} else {
			t.Logf("took %s, possible %s: %.3f", took, bound, ratio)
		}
	})
}

func TestDiskErrorsBeforePaying(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, errors.New("must not be asked")
	}
	s.open(func(e *Engine, root *workspace.Root) {
		p := s.plan(e, root)
		e.Journal.Close()
		res, _ := e.Apply(t.Context(), nil, p)
		same(t, "outcomes", kinds(res), "failed image.a")
	})
}

// BenchmarkApply is the engine alone: a maker without delay, everything synced.
func BenchmarkApply(b *testing.B) {
	for b.Loop() {
		var images []spec.Image
		for i := range 1000 {
			images = append(images, img(fmt.Sprintf("i%05d", i)))
		}
		s := newSite(b, images...)
		s.run()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/image")
}
