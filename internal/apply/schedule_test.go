package apply

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// told is what events of a kind say, in order.
func (s *site) told(kind EventKind, say func(Event) string) (out []string) {
	for _, ev := range s.events {
		if ev.Kind == kind {
			out = append(out, say(ev))
		}
	}
	return out
}

// The longest chain goes first, the first step of the plan as well as any; among
// equals the plan decides.
func TestLongestChainFirst(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		images []spec.Image
		want   []string
	}{
		"first of the plan": {[]spec.Image{img("a"), img("b"), img("c", "a"), img("d", "c"), img("e", "b"), img("f")}, []string{"a", "b", "c", "d", "e", "f"}},
		"last of the plan":  {[]spec.Image{img("a"), img("b"), img("c"), img("d", "c"), img("e", "d"), img("f", "b")}, []string{"c", "b", "d", "a", "e", "f"}},
	} {
		s := newSite(t, tt.images...)
		s.change = func(e *Engine) { e.Parallelism = 1 }
		s.run()
		same(t, name, s.told(Started, func(ev Event) string { return strings.TrimPrefix(string(ev.Address), "image.") }), tt.want...)
	}
}

// Paid and free steps have places of their own: as many free ones as there are
// processors, beside as many paid ones as were asked for. It goes before those
// tests that are parallel: a run that would hang is found here, as a bubble in
// which nobody can go on.
func TestPlacesOfFreeSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var images []spec.Image
		var files []string
		for i := range 3 * runtime.GOMAXPROCS(0) {
			images = append(images, img(fmt.Sprintf("free%03d", i)))
			files = append(files, images[i].Path)
		}
		s := newSite(t, images...)
		s.run()
		s.remove(files...)
		s.images = append(s.images, img("paid1"), img("paid2"), img("paid3"))
		var free, paid, most, mostPaid, mostOfAll atomic.Int64
		s.change = func(e *Engine) {
			e.Parallelism = 2
			e.Judge = func(a spec.Address, _ *Picture) (string, error) {
				n := &free
				if strings.Contains(string(a), "paid") {
					n = &paid
				}
				n.Add(1)
				time.Sleep(time.Second) // of the bubble: until nothing more can start
				most.Store(max(most.Load(), free.Load()))
				mostPaid.Store(max(mostPaid.Load(), paid.Load()))
				mostOfAll.Store(max(mostOfAll.Load(), free.Load()+paid.Load()))
				time.Sleep(time.Second)
				n.Add(-1)
				return "", nil
			}
		}
		res := s.run()
		if res.Count(Done) != len(s.images) {
			t.Errorf("%v", kinds(res))
		}
		want := int64(runtime.GOMAXPROCS(0))
		if most.Load() != want || mostPaid.Load() != 2 || mostOfAll.Load() != want+2 {
			t.Errorf("%d free and %d paid steps at once, %d in all, want %d, 2 and %d", most.Load(), mostPaid.Load(), mostOfAll.Load(), want, want+2)
		}
	})
}

// What fails ends the run if that is asked for; what is only skipped or stale
// does not. What was not begun says why.
func TestFailFast(t *testing.T) {
	t.Parallel()
	fails := func(k provider.Kind) func(provider.Sink) error {
		return func(provider.Sink) error { return &provider.Error{Kind: k, Status: 500} }
	}
	for _, tt := range []struct {
		name string
		ends func(provider.Sink) error
		fast bool
		want string // of image.a
		then string // of image.b
	}{
		{"failed", fails(provider.Rejected), true, "failed", "skipped: another image failed (-fail-fast)"},
		{"failed, and that is no reason to stop", fails(provider.Rejected), false, "failed", "done: "},
		{"in doubt", fails(provider.InDoubt), true, "in_doubt", "skipped: another image failed (-fail-fast)"},
		{"not ready", func(sink provider.Sink) error {
			return errors.Join(sink.Accepted("j"), &provider.Error{Kind: provider.Unfinished})
		}, true, "accepted", "skipped: another image failed (-fail-fast)"},
		{"stale", nil, true, "stale", "done: "},
	} {
		s := newSite(t, img("a"), img("b"))
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			if r.Prompt == "a" {
				return provider.Reply{}, tt.ends(sink)
			}
			return provider.Reply{}, s.maker.deliver(r, sink, 1)
		}
		s.change = func(e *Engine) { e.Parallelism, e.FailFast = 1, tt.fast }
		s.open(func(e *Engine, root *workspace.Root) {
			p := s.plan(e, root)
			if tt.want == "stale" {
				p.Steps[0].Precondition[0]++
			}
			res := must(e.Apply(t.Context(), nil, p))
			got := fmt.Sprintf("%s: %s", strings.TrimPrefix(string(res.Outcomes[1].Kind), "step_"), res.Outcomes[1].Text)
			if first := strings.TrimPrefix(string(res.Outcomes[0].Kind), "step_"); first != tt.want || got != tt.then {
				t.Errorf("%s: %s, then %s", tt.name, first, got)
			}
			if res.Stopped {
				t.Errorf("%s: nobody stopped it", tt.name)
			}
		})
	}
}

// What was not begun says why: somebody stopped the run, or it can't be recorded.
func TestWhyNot(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"stop":    "the run was stopped",
		"cancel":  "the run was stopped",
		"unsaved": "the lock can't be saved",
	} {
		s := newSite(t, img("a"), img("b"))
		s.open(func(e *Engine, root *workspace.Root) {
			e.Parallelism, e.Grace = 1, time.Minute
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			clock := time.Unix(0, 0)
			e.Now = func() time.Time { return clock }
			saves := 0
			save := e.SaveLock
			e.SaveLock = func(l *lock.Lock) error {
				if saves++; name == "unsaved" {
					return errors.New("disk full")
				}
				return save(l)
			}
			e.Recorded = func(entry *lock.Entry) { // while nothing runs: image.a has ended
				switch name {
				case "stop":
					close(s.stop)
				case "cancel":
					cancel()
				case "unsaved":
					clock = clock.Add(time.Hour)
				}
			}
			res, err := e.Apply(ctx, s.stop, s.plan(e, root))
			if o := res.Outcomes[1]; o.Kind != Skipped || o.Text != want || s.maker.paid["b"] != 0 {
				t.Errorf("%s: %+v", name, o)
			}
			if res.Stopped != (name != "unsaved") || (err != nil) != (name == "unsaved") || saves != 1 {
				t.Errorf("%s: stopped %v, %v, saved %d times", name, res.Stopped, err, saves)
			}
		})
	}
}

// The lock is saved on the way once two seconds have passed, a slow one less
// often, and at the end if there is something new.
func TestSaves(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step, save time.Duration // how long each takes
		want       string        // how many images the lock had, each time
	}{
		"quick steps":           {500 * time.Millisecond, 0, "4 6"},
		"not quite two seconds": {1999 * time.Millisecond, 0, "2 4 6"},
		"two seconds":           {2 * time.Second, 0, "1 2 3 4 5 6"},
		"a slow disk":           {2 * time.Second, 100 * time.Millisecond, "1 3 5 6"},
	} {
		var images []spec.Image
		for i := range 6 {
			images = append(images, img(fmt.Sprint("i", i)))
		}
		s := newSite(t, images...)
		s.open(func(e *Engine, root *workspace.Root) {
			clock := time.Unix(0, 0)
			e.Now = func() time.Time { return clock }
			e.Parallelism = 1
			var saved []string
			e.SaveLock = func(l *lock.Lock) error {
				saved = append(saved, fmt.Sprint(len(l.Entries)))
				clock = clock.Add(tt.save)
				return nil
			}
			e.Recorded = func(*lock.Entry) { clock = clock.Add(tt.step) }
			must(e.Apply(t.Context(), nil, s.plan(e, root)))
			if got := strings.Join(saved, " "); got != tt.want {
				t.Errorf("%s: saved with %s images, want %s", name, got, tt.want)
			}
		})
	}
}

// What is recorded is told once it is done, and only then.
func TestRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b", "a"), img("c"))
	s.images[2].N = 2
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, s.maker.deliver(r, sink, 1)
	}
	var got []string
	s.change = func(e *Engine) {
		e.Parallelism = 1
		told := e.Event
		e.Event = func(ev Event) {
			if told(ev); ev.Kind != Received {
				got = append(got, fmt.Sprintf("%s %s", strings.TrimPrefix(string(ev.Kind), "step_"), ev.Address))
			}
		}
		e.Recorded = func(entry *lock.Entry) {
			got = append(got, fmt.Sprintf("%s has %d", entry.Address, len(entry.Candidates)))
		}
	}
	s.run()
	same(t, "in this order", got, "started image.a", "image.a has 1", "done image.a", "started image.b", "image.b has 1", "done image.b",
		"started image.c", "failed image.c")
}

// Each event tells what the run has spent so far, each image once, and nothing
// of what was spent before a crash.
func TestEventsTellMoney(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b"))
	s.images[0].N = 2
	limit := provider.Dollar
	s.change = func(e *Engine) {
		e.Parallelism, e.MaxCost, e.Before = 1, &limit, provider.Dollar/2
		e.Process, e.Now = "p", func() time.Time { return time.Unix(7, 0) }
	}
	s.open(func(e *Engine, root *workspace.Root) {
		must(e.Apply(t.Context(), nil, s.plan(e, root)))
		var ids []string
		for _, a := range must(journal.Read(root.FS(".imgbuild/journal"))).Attempts {
			ids = append(ids, a.ID)
		}
		same(t, "attempts", ids, "p-1.0", "p-2.0")
	})
	var got []string
	for _, ev := range s.events {
		got = append(got, fmt.Sprintf("%s %s %d/%d %s %s", ev.Kind, ev.Address, ev.Count, ev.Total, ev.Price, ev.Spent))
		if ev.At != time.Unix(7, 0) {
			t.Errorf("%s was at %s", ev.Kind, ev.At)
		}
	}
	same(t, "events", got,
		"step_started image.a 0/0 $0.00 $0.00",
		"image_received image.a 1/2 $0.01 $0.01",
		"image_received image.a 2/2 $0.01 $0.02",
		"step_done image.a 0/0 $0.02 $0.02",
		"step_started image.b 0/0 $0.00 $0.02",
		"image_received image.b 1/1 $0.01 $0.03",
		"step_done image.b 0/0 $0.01 $0.03")
}

// A renamed image leaves its old name, keeps its file and costs nothing.
func TestRenamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.run()
	s.images[0].Address = "image.b"
	same(t, "outcomes", kinds(s.run(func(in *plan.Input) {
		in.Moved = map[spec.Address][]spec.Address{"image.b": {"image.a"}}
	})), "done image.b")
	if s.entry("image.a") != nil || s.entry("image.b") == nil || s.maker.paid["a"] != 1 {
		t.Errorf("paid %v", s.maker.paid)
	}
	same(t, "after", s.steps())
}
