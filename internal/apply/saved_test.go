package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// save is the plan of a site as it is now.
func (s *site) save(change ...func(*plan.Input)) (p *plan.Plan) {
	s.t.Helper()
	s.open(func(e *Engine, root *workspace.Root) { p = s.plan(e, root, change...) })
	return p
}

// apply carries out a plan that was saved.
func (s *site) apply(p *plan.Plan) (res Result) {
	s.t.Helper()
	s.open(func(e *Engine, _ *workspace.Root) {
		e.Saved = true
		res = must(e.Apply(s.t.Context(), nil, p))
		if err := e.Settle(true); err != nil {
			s.t.Fatal(err)
		}
	})
	return res
}

// die plans and applies, and dies before the lock is saved and the outputs are
// there.
func (s *site) die(change ...func(*plan.Input)) {
	s.t.Helper()
	s.open(func(e *Engine, root *workspace.Root) {
		e.SaveLock = func(*lock.Lock) error { return errors.New("dead") }
		e.Apply(s.t.Context(), nil, s.plan(e, root, change...))
	})
	for i := range s.images {
		s.remove(s.images[i].Path)
	}
}

// say is an outcome in short, with its reason and hint.
func say(o Outcome) string {
	text := strings.TrimPrefix(string(o.Kind), "step_") + " " + string(o.Address)
	if o.Text != "" {
		text += ": " + o.Text
	}
	if o.Hint != "" {
		text += " | " + o.Hint
	}
	return text
}

func sayAll(r Result) (out []string) {
	for _, o := range r.Outcomes {
		out = append(out, say(o))
	}
	return out
}

// What a run that died has bought since a plan was saved is taken, in place of
// buying it again, and only the rest is bought.
func TestSavedPlanAfterADeath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		n     int // wanted by the plan; the run that died wanted two
		fresh bool
		saved bool
		paid  int // in all
	}{
		{"all is there", 2, false, true, 2},
		{"some are there", 3, false, true, 3},
		{"fresh", 2, true, true, 4}, // two of a first run, two by the one that died
		{"a plan of this run knows the store", 2, false, false, 4},
	} {
		s := newSite(t, img("a"))
		var replace []func(*plan.Input)
		if tt.fresh {
			s.images[0].N = 2
			s.run()
			replace = append(replace, func(in *plan.Input) { in.Select.Replace = []string{"image.a"} })
		}
		s.images[0].N = tt.n
		saved := s.save(replace...)
		s.images[0].N = 2
		s.die(replace...)
		s.images[0].N = tt.n
		s.open(func(e *Engine, _ *workspace.Root) {
			e.Saved = tt.saved
			same(t, tt.name, kinds(must(e.Apply(t.Context(), nil, saved))), "done image.a")
			if got := len(e.Lock.Get("image.a").Candidates); got != tt.n {
				t.Errorf("%s: %d candidates", tt.name, got)
			}
		})
		if s.maker.paid["a"] != tt.paid {
			t.Errorf("%s: paid %d times, want %d", tt.name, s.maker.paid["a"], tt.paid)
		}
	}
}

// A plan with sensitive values holds for those values alone, as far as they are
// sent anywhere.
func TestSealedPlan(t *testing.T) {
	t.Parallel()
	const stale = "stale image.a: its sensitive values are not those that the plan was made with | give the variables the same values again, or make a new plan"
	for _, tt := range []struct {
		name   string
		bought bool // before: the plan only writes the file again
		change func(*plan.Step)
		want   string
	}{
		{"the same", false, func(*plan.Step) {}, "done image.a"},
		{"another prompt", false, func(st *plan.Step) { st.Request.Prompt = "b" }, stale},
		{"another prompt, and its source is not made yet", false, func(st *plan.Step) { st.Request.Prompt, st.Digest = "b", digest.Request{} }, stale},
		{"another prompt, and the candidates are not known", true, func(st *plan.Step) { st.Request.Prompt, st.Digest = "b", digest.Request{} }, stale},
		{"another prompt, and nothing is sent", true, func(st *plan.Step) { st.Request.Prompt = "b" }, "done image.a"},
		{"nothing is sensitive", false, func(st *plan.Step) {
			st.Request.Prompt, st.Sealed = "b", digest.Request{}
			st.Request.Sensitive, st.Digest = nil, digest.Request{}
		}, "done image.a"},
	} {
		s := newSite(t, img("a"))
		s.images[0].Wanted.Sensitive = []string{"prompt"}
		if tt.bought {
			s.run()
			s.remove("a.png")
		}
		p := s.save()
		before := s.maker.paid["a"] + s.maker.paid["b"]
		tt.change(&p.Steps[0])
		res := s.apply(p)
		same(t, tt.name, sayAll(res), tt.want)
		if paid := s.maker.paid["a"] + s.maker.paid["b"] - before; paid > 0 != (tt.want != stale && !tt.bought) {
			t.Errorf("%s: paid %d", tt.name, paid)
		}
	}
}

// Images that share take the candidates of the first, and buy what it lacks;
// what it does not have after all is not bought in its place.
func TestShare(t *testing.T) {
	t.Parallel()
	share := func(name string, n int) spec.Image {
		im := img(name)
		im.Wanted.Prompt, im.N, im.Share = "same", n, true
		return im
	}
	for _, tt := range []struct {
		name   string
		n      int // of the second
		change func(*plan.Step)
		want   string
		paid   int
	}{
		{"all", 2, nil, "done image.b", 2},
		{"one of two", 1, nil, "done image.b", 2},
		{"and one more", 3, nil, "done image.b", 3},
		{"an image that there is not", 2, func(st *plan.Step) { st.ShareWith = "image.x" }, "failed image.b: image.x has not enough candidates to share", 2},
		{"an image with another request", 2, func(st *plan.Step) { st.ShareWith = "image.0" }, "failed image.b: image.0 has not enough candidates to share", 2},
	} {
		other := img("0")
		other.N = 2
		s := newSite(t, share("a", 2), share("b", tt.n), other)
		p := s.save()
		if b := &p.Steps[2]; b.ShareWith != "image.a" {
			t.Fatalf("%+v", b)
		} else if tt.change != nil {
			tt.change(b)
		}
		res := s.apply(p)
		if got := say(res.Outcomes[2]); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if s.maker.paid["same"] != tt.paid {
			t.Errorf("%s: paid %d times, want %d", tt.name, s.maker.paid["same"], tt.paid)
		}
		if b := s.entry("image.b"); tt.change == nil && len(b.Candidates) != max(2, tt.n) {
			t.Errorf("%s: %d candidates", tt.name, len(b.Candidates))
		}
	}
}

// An edit whose source was bought anew and came out as it was costs nothing,
// unless it is asked for; and what was refused for that source is not bought
// again.
func TestSourceCameOutAsBefore(t *testing.T) {
	t.Parallel()
	replace := func(in *plan.Input) { in.Select.Replace = []string{"image.b"} }
	for _, tt := range []struct {
		name  string
		looks []string // of the source, in each run; the last is what this is about
		fails int      // the run whose edit is refused, from 1
		last  func(*plan.Input)
		want  string
		paid  int // for the edit
	}{
		{"as before", []string{"x", "x"}, 0, nil, "done image.b", 1},
		{"otherwise", []string{"x", "y"}, 0, nil, "done image.b", 2},
		{"as before, and asked for anew", []string{"x", "x"}, 0, replace, "done image.b", 2},
		{"as when it was refused", []string{"x", "y", "x"}, 1, nil,
			"skipped image.b: the same request was paid for and refused before | imgbuild apply -retry-refused asks again", 1},
		{"as when it was refused, and asked for", []string{"x", "y", "x"}, 1, func(in *plan.Input) { in.RetryRefused = true }, "done image.b", 2},
		{"as when it was refused, and replaced", []string{"x", "y", "x"}, 1, replace, "done image.b", 2},
	} {
		s := newSite(t, img("a"), img("b", "a"))
		run, look := 0, ""
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			if r.IsEdit() {
				if run == tt.fails {
					return provider.Reply{}, &provider.Error{Kind: provider.Moderated, Price: 7, Priced: true}
				}
				return provider.Reply{}, s.maker.deliver(r, sink, r.N)
			}
			w := must(sink.Spool(0))
			w.Write(pixel(look))
			return provider.Reply{}, errors.Join(w.Close(), sink.Delivered(0, provider.Delivery{}, 1))
		}
		var res Result
		for run, look = range tt.looks {
			run++
			s.images[0].Wanted.Prompt = fmt.Sprint("prompt ", run)
			if run == len(tt.looks) && tt.last != nil {
				res = s.run(tt.last)
			} else {
				res = s.run()
			}
		}
		if got := say(res.Outcomes[1]); got != tt.want || s.maker.paid["b"] != tt.paid {
			t.Errorf("%s: %s, paid %d times, want %s, %d", tt.name, got, s.maker.paid["b"], tt.want, tt.paid)
		}
	}
}

// A request that makes only what is missing tells the maker how many there are,
// so that one with seeds does not make them again.
func TestFirstOfARequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	var first []string
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		first = append(first, fmt.Sprintf("%d from %d", r.N, r.First))
		return provider.Reply{}, s.maker.deliver(r, sink, r.N)
	}
	s.images[0].N = 2
	s.run()
	s.images[0].N = 3
	s.run()
	s.run(func(in *plan.Input) { in.Select.Replace = []string{"image.a"} }) // four at once, by the offer
	same(t, "asked for", first, "2 from 0", "1 from 2", "3 from 3")
}

// What is free goes on beside what is open, and fails for itself where its place
// was taken.
func TestFreeStepsLookForThemselves(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.run()
	s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt}
	}
	s.images[0].N = 2
	s.run() // the second is in doubt
	s.images[0].N = 1
	s.remove("a.png")
	unaware := func(in *plan.Input) { in.Pending = nil }
	p := s.save(unaware)
	if err := os.WriteFile(filepath.Join(s.dir, "a.png"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if res := s.apply(p); res.Outcomes[0].Kind != Failed || !strings.Contains(res.Outcomes[0].Text, "a.png") {
		t.Errorf("%+v", res.Outcomes)
	}
	s.remove("a.png")
	same(t, "then", sayAll(s.apply(s.save(unaware))), "done image.a")
}

// A protected picture stays, also where the plan is older than the protection.
func TestProtectedSince(t *testing.T) {
	t.Parallel()
	for _, protected := range []bool{false, true} {
		s := newSite(t, img("a"), img("b"))
		s.run()
		s.images[0].Wanted.Prompt = "other"
		s.remove("b.png")
		p := s.save()
		s.change = func(e *Engine) { e.Protects = func(spec.Address) bool { return protected } }
		want := []string{"done image.a", "done image.b"}
		if protected {
			want[0] = "stale image.a: it has been protected since the plan was made"
		}
		same(t, fmt.Sprint("protected ", protected), sayAll(s.apply(p)), want...)
		if s.maker.paid["other"] == 0 != protected {
			t.Errorf("paid %v", s.maker.paid)
		}
	}
}
