package apply

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func outputs(e *lock.Entry) (out []string) {
	for _, o := range e.Outputs {
		out = append(out, o.Path)
	}
	return out
}

// Before a file is written the journal has its name and bytes, so that a run
// that dies does not take it for a stranger's. Of what is there already, and of
// what is only deleted, it has nothing to say.
func TestJournalOfFiles(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.Renditions = []spec.Rendition{{Name: "c", Path: "c.jpg"}}
	s := newSite(t, a)
	s.run()
	written := func() (out map[string]digest.Content, raw []byte) {
		root := must(workspace.Open(s.dir))
		defer root.Close()
		for _, f := range must(os.ReadDir(filepath.Join(s.dir, ".imgbuild/journal"))) {
			raw = append(raw, must(os.ReadFile(filepath.Join(s.dir, ".imgbuild/journal", f.Name())))...)
		}
		return must(journal.Read(root.FS(".imgbuild/journal"))).Written, raw
	}
	apply := func() {
		s.open(func(e *Engine, root *workspace.Root) {
			must(e.Apply(t.Context(), s.stop, s.plan(e, root, func(in *plan.Input) {
				for p := range in.Hashes {
					in.Hashes[p] = digest.OfContent(must(os.ReadFile(filepath.Join(s.dir, p))))
				}
			})))
		})
	}

	// The lock is lost: the copy of the candidate is recognized, the other
	// output is not there and made again.
	for _, name := range []string{lock.File, "c.jpg"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.change = func(e *Engine) {
		e.Store.Local.Sweep()
	}
	s.open(func(e *Engine, root *workspace.Root) {
		p := s.plan(e, root, func(in *plan.Input) {
			in.Hashes["a.png"] = digest.OfContent(must(os.ReadFile(filepath.Join(s.dir, "a.png"))))
		})
		if o := p.Steps[0].Outputs; len(o) != 2 || !o[0].Adopt || o[1].Adopt {
			t.Fatalf("%+v", o)
		}
		same(t, "outcomes", kinds(must(e.Apply(t.Context(), s.stop, p))), "done image.a")
	})
	same(t, "recorded", outputs(s.entry("image.a")), "a.png", "c.jpg")
	got, _ := written()
	if want := digest.OfContent(must(os.ReadFile(filepath.Join(s.dir, "c.jpg")))); len(got) != 1 || got["c.jpg"] != want {
		t.Errorf("the journal has %v, want c.jpg", got)
	}

	_, before := written()
	s.images[0].Renditions = nil
	apply()
	if _, err := os.Stat(filepath.Join(s.dir, "c.jpg")); err == nil {
		t.Error("c.jpg is still there")
	}
	same(t, "recorded", outputs(s.entry("image.a")), "a.png")
	if _, after := written(); !bytes.Equal(before, after) {
		t.Error("the journal was written for a file that was deleted")
	}
}

// A file that is to be deleted, and is not what we wrote any more, stays, and
// stays recorded; what came before it is recorded, too.
func TestAlteredFileIsNotDeleted(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.Renditions = []spec.Rendition{{Name: "c", Path: "c.jpg"}, {Name: "d", Path: "d.jpg"}}
	s := newSite(t, a)
	s.run()
	s.images[0].Renditions = []spec.Rendition{{Name: "e", Path: "e.jpg"}}
	s.open(func(e *Engine, root *workspace.Root) {
		p := s.plan(e, root)
		s.put("d.jpg", []byte("mine"))
		res := must(e.Apply(t.Context(), s.stop, p))
		if o := res.Outcomes[0]; o.Kind != Failed || !strings.Contains(o.Text, "d.jpg") {
			t.Errorf("%s %q", o.Kind, o.Text)
		}
	})
	last := s.events[len(s.events)-1]
	same(t, "told as written", last.Paths, "e.jpg")
	same(t, "told as deleted", last.Deleted, "c.jpg")
	same(t, "recorded", outputs(s.entry("image.a")), "a.png", "d.jpg", "e.jpg")
	if b := must(os.ReadFile(filepath.Join(s.dir, "d.jpg"))); string(b) != "mine" {
		t.Errorf("d.jpg is now %q", b)
	}
}

// The image that is to be used did not come: what came is kept and recorded, no
// file is written, and the reason is that of the call.
func TestPickDidNotCome(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		n    int // of the plan
		kind EventKind
		text string
	}{
		"too few":        {nil, 2, Failed, "1 of 2 images came"},
		"in doubt":       {&provider.Error{Kind: provider.InDoubt}, 2, Doubtful, "in doubt"},
		"a foreign plan": {nil, 1, Failed, "image 2 is to be used, and 1 came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := img("a")
			a.N, a.Pick = 2, 2
			s := newSite(t, a)
			s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				return provider.Reply{}, errors.Join(s.maker.deliver(r, sink, 1), tt.err)
			}
			s.open(func(e *Engine, root *workspace.Root) {
				p := s.plan(e, root)
				p.Steps[0].N, p.Steps[0].Need = tt.n, tt.n
				o := must(e.Apply(t.Context(), s.stop, p)).Outcomes[0]
				if o.Kind != tt.kind || o.Text != tt.text || o.Paid != cent {
					t.Errorf("%s %q, %s; want %s %q", o.Kind, o.Text, o.Paid, tt.kind, tt.text)
				}
			})
			if e := s.entry("image.a"); e == nil || len(e.Candidates) != 1 || len(e.Outputs) != 0 {
				t.Errorf("recorded: %+v", e)
			}
			if _, err := os.Stat(filepath.Join(s.dir, "a.png")); err == nil {
				t.Error("a file was written")
			}
		})
	}
}

// A file that can't be written does not hide what became of the call.
func TestBothFailuresAreTold(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.N = 2
	s := newSite(t, a)
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		s.put("a.png", []byte("mine"))
		return provider.Reply{}, errors.Join(s.maker.deliver(r, sink, 1), &provider.Error{Kind: provider.InDoubt, Status: 502})
	}
	o := s.run().Outcomes[0]
	if !strings.Contains(o.Text, "in doubt (HTTP 502)") || !strings.Contains(o.Text, "a.png") || !strings.Contains(o.Hint, "-retry-in-doubt") {
		t.Errorf("%q, hint %q", o.Text, o.Hint)
	}
}

// A doubt that is settled by sending again stays spent, as what it may have cost.
func TestSentAgainStaysSpent(t *testing.T) {
	t.Parallel()
	b := img("b")
	b.N = 2
	s := newSite(t, img("a"), b)
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt}
	}
	s.change = func(e *Engine) { e.Parallelism = 1 }
	s.run()
	s.maker.do = nil
	_, attempts := s.accounts(func(in *plan.Input) { in.Pending[0].Again = true })
	if len(attempts) != 3 || !strings.HasSuffix(attempts[0], " resolved: 0 of 1, $0.01 of $0.01, sent again") || !strings.HasSuffix(attempts[1], " in doubt: 0 of 2, $0.00 of $0.02, perhaps $0.02 more, in doubt") ||
		attempts[2] != "-1.0 stored: 1 of 1, $0.01 of $0.01" {
		t.Errorf("journal:\n%s", strings.Join(attempts, "\n"))
	}
}

// What is free is journaled with its receipt: one that came is known by what it
// was made for.
func TestFreeIsJournaledWhenItCame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2} {
		a := img("a")
		a.N = n
		s := newSite(t, a)
		s.maker.free = true
		_, attempts := s.accounts()
		same(t, "journal", attempts, fmt.Sprintf("-1.0 stored: %d of %d, $0.0%d of $0.0%d", n, n, n, n))
	}
}

// Bytes on their way into the store are gathered without waste, up to what a
// picture may have, offered to a failing disk again, and dropped from memory
// where they are many.
func TestPut(t *testing.T) {
	t.Parallel()
	root := must(workspace.Open(t.TempDir()))
	defer root.Close()
	tiers := func(fault faultfs.Fault) *store.Tiers {
		return &store.Tiers{Local: store.Open(faultfs.Wrap(root.FS("store"), fault))}
	}
	whole := make([]byte, keepInMemory+1)
	for i := range whole {
		whole[i] = byte(i >> 3)
	}
	for _, size := range []int{0, 1, 8 << 10, 8<<10 + 1, 3<<20 + 7, keepInMemory, keepInMemory + 1} {
		for _, chunk := range []int{1000, 32 << 10, len(whole)} {
			if size >= keepInMemory && chunk > 1000 {
				continue // slow, and no other case
			}
			p := &put{store: tiers(faultfs.Fault{}), most: imaging.DefaultLimits.Bytes}
			for rest := whole[:size]; len(rest) > 0; {
				n, err := p.Write(rest[:min(chunk, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			for i, piece := range p.pieces {
				if i < len(p.pieces)-1 && len(piece) != cap(piece) {
					t.Errorf("%d bytes in chunks of %d: piece %d of %d has %d bytes and room for %d", size, chunk, i, len(p.pieces), len(piece), cap(piece))
				}
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if want := digest.OfContent(whole[:size]); p.content != want || p.size != int64(size) {
				t.Errorf("%d bytes in chunks of %d are kept as %d others", size, chunk, p.size)
			}
			if kept := bytes.Join(p.pieces, nil); size <= keepInMemory && !bytes.Equal(kept, whole[:size]) || size > keepInMemory && len(kept) > 0 {
				t.Errorf("%d of %d bytes stay in memory", len(kept), size)
			}
		}
	}

	p := &put{most: imaging.DefaultLimits.Bytes}
	large := make([]byte, imaging.DefaultLimits.Bytes-1)
	for _, tt := range []struct {
		n    int
		fine bool
	}{{len(large), true}, {2, false}, {1, true}, {1, false}} {
		if n, err := p.Write(large[:tt.n]); (err == nil) != tt.fine || tt.fine && n != tt.n {
			t.Errorf("%d bytes more: %d, %v", tt.n, n, err)
		}
	}

	for at := 1; at < 20; at++ { // whatever fails once
		p := &put{store: tiers(faultfs.Fault{At: at}), most: imaging.DefaultLimits.Bytes}
		b := []byte(fmt.Sprint(at))
		p.Write(b)
		if err := p.Close(); err != nil || p.content != digest.OfContent(b) {
			t.Errorf("a fault at %d: %v", at, err)
		}
	}
	p = &put{store: tiers(faultfs.Fault{At: 1, Kind: faultfs.Frozen}), most: imaging.DefaultLimits.Bytes}
	p.Write([]byte("x"))
	if err := p.Close(); !errors.Is(err, faultfs.Err) {
		t.Errorf("a disk that keeps nothing: %v", err)
	}
}

// A picture too large to wait in memory is read from the store again.
func TestLargePicture(t *testing.T) {
	t.Parallel()
	b := append(pixel("a"), make([]byte, keepInMemory)...) // what follows a PNG is not looked at
	s := newSite(t, img("a"))
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, s.maker.spool(sink, 0, b, provider.Delivery{})
	}
	same(t, "outcomes", kinds(s.run()), "done image.a")
	if got := must(os.ReadFile(filepath.Join(s.dir, "a.png"))); !bytes.Equal(got, b) {
		t.Errorf("%d bytes came, and %d others are written", len(b), len(got))
	}
}

// A journal that can't be written stops a call at each thing that it is told.
func TestSinkNeedsTheJournal(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.open(func(e *Engine, root *workspace.Root) {
		step := &s.plan(e, root).Steps[0]
		step.Request.N = 1
		told := 0
		sink := &sink{engine: e, address: step.Address, provider: step.Provider, digest: step.Digest, fields: step.Request.Fields(), id: "a-1", request: &step.Request, tell: func(Event) { told++ }}
		e.Journal.Close()
		for what, err := range map[string]error{"sent": sink.Sent(), "accepted": sink.Accepted("job-1"), "delivered": sink.Delivered(0, provider.Delivery{URL: "u"}, cent)} {
			if err == nil {
				t.Errorf("%s is not durable, and nobody says so", what)
			}
		}
		if sink.sent || sink.jobID != "" || len(sink.deliveries) != 0 || told != 0 {
			t.Errorf("%+v", sink)
		}
		if err := sink.Answered(); err != nil {
			t.Errorf("nothing was sent, and its answer is told: %v", err)
		}
	})
}
