package plan

import (
	"slices"
	"testing"

	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func judged(im *spec.Image) { im.Judged = true }

func TestUnfit(t *testing.T) {
	t.Parallel()
	retry := func(in *Input) { in.RetryRefused = true }
	w := newWorld(img("hero", judged), img("night", editOf("hero")), img("plain"))
	asked := []Picture{}
	w.unfit = func(p Picture) string { asked = append(asked, p); return "no good" }
	p := w.plan()
	check(t, p, "generate hero (new) 1× $0.02", "edit night (new) 1× $0.03", "generate plain (new) 1× $0.02")
	if len(asked) > 0 {
		t.Errorf("asked about pictures that are not there: %+v", asked)
	}

	// Paid, recorded, and without an output, as apply leaves it.
	p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return s.Address == "image.night" })
	w.apply(p)
	e := *w.lock.Get("image.hero")
	done := e
	delete(w.disk, "hero.png")
	e.Outputs = nil
	w.lock.Set(e)
	p = w.plan()
	check(t, p, "refused hero (unfit)", "missing night (waits)")
	if p.Steps[0].Price != e.Candidates[0].Price || p.Unchanged != 1 || p.Changes() || p.Steps[0].Need != 0 || p.Steps[0].Outputs != nil {
		t.Errorf("%+v", p.Steps[0])
	}
	want := Picture{Unfit: Unfit{"image.hero", e.Candidates[0].Content}, Of: e.Candidates[0], Model: "m1", Output: spec.Output{Path: "hero.png", Recipe: "format=png"}}
	if len(asked) != 1 || asked[0].Unfit != want.Unfit || asked[0].Of != want.Of || asked[0].Model != want.Model || asked[0].Output != want.Output {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
	// What depends on it is left out with it, though it has a candidate.
	check(t, w.plan(func(in *Input) { in.Select.Exclude = []string{"image.hero"} }))
	check(t, w.plan(retry), "generate hero (asked -retry-refused) 1× $0.02", "edit night (new) 1× $0.03")
	if s := w.plan(retry).Steps[0]; !s.Fresh || s.Rolls != 1 || len(s.Candidates) != 0 {
		t.Errorf("%+v", s)
	}
	check(t, w.plan(func(in *Input) { in.Draft = true }), "render hero (recipe path)", "edit night (new) 1× $0.03")

	// Another condition, or another choice.
	only := e.Candidates[0].Content
	w.unfit = func(p Picture) string {
		if p.Candidate == only {
			return "no good"
		}
		return ""
	}
	two := e
	two.Candidates = append(slices.Clone(e.Candidates), provider.Image{Content: w.lock.Get("image.plain").Candidates[0].Content, MIME: "image/png", Bytes: 7, Width: 1, Height: 1})
	w.lock.Set(two)
	w.set(img("hero", judged, n(2), pick(2)), img("plain"))
	check(t, w.plan(), "render hero (recipe path)")
	w.set(img("hero", judged, n(3)), img("plain"))
	check(t, w.plan(), "refused hero (unfit)")
	w.unfit = nil
	w.lock.Set(e)
	w.set(img("hero", judged), img("night", editOf("hero")), img("plain"))
	check(t, w.plan(), "render hero (recipe path)", "edit night (new) 1× $0.03")

	// What is done is judged too, and what was made of it stays.
	w.lock.Set(done)
	w.disk["hero.png"] = done.Outputs[0].Content
	w.apply(w.plan())
	check(t, w.plan())
	w.unfit = func(Picture) string { return "no good" }
	check(t, w.plan(), "refused hero (unfit)")
	check(t, w.plan(retry), "generate hero (asked -retry-refused) 1× $0.02", "edit night (source) 1× $0.03")
}

// What was refused while an older picture is in use is known where its bytes
// are, and where only the lock is.
func TestUnfitBesideAnOlderOne(t *testing.T) {
	t.Parallel()
	w := newWorld(img("hero", judged))
	w.apply(w.plan())
	w.set(img("hero", judged, prompt("other")))
	p := w.plan()
	check(t, p, "generate hero (changed prompt) 1× $0.02")
	e := *w.lock.Get("image.hero")
	before := e
	w.apply(p)
	dig := w.lock.Get("image.hero").Request
	e.Refused = []lock.Refusal{{Request: dig, Reason: lock.Unfit, Message: "no good", Price: 3}}
	w.lock.Set(e)
	w.disk["hero.png"] = before.Outputs[0].Content
	w.unfit = func(Picture) string { return "no good" }
	check(t, w.plan(), "refused hero (unfit)")
	w.unfit = nil
	check(t, w.plan(), "restore hero (changed prompt, bought)")
	w.set(img("hero", judged, prompt("other"), n(2)))
	check(t, w.plan(), "generate hero (changed prompt, bought) 1× $0.02")
	w.set(img("hero", judged, prompt("other")))
	w.store = nil
	check(t, w.plan(), "refused hero (bad reply postcondition)")
	w.set(img("hero", judged))
	check(t, w.plan())
}

// An image that shares takes nothing from one that stands still, and does not
// buy what that one may have yet.
func TestShareWithWhatStands(t *testing.T) {
	t.Parallel()
	p := prompt("p")
	refused := func(w *world) {
		w.set(img("a", share, judged, p))
		w.apply(w.plan())
		e := *w.lock.Get("image.a")
		delete(w.disk, "a.png")
		e.Outputs = nil
		w.lock.Set(e)
		w.unfit = func(Picture) string { return "no good" }
	}
	doubt := func(verb func(*Pending)) func(w *world) {
		return func(w *world) {
			w.set(img("a", share, p))
			w.pending = []Pending{{Address: "image.a", Request: w.plan().Steps[0].Digest, Attempt: "1", Images: 1, Price: provider.Dollar / 50}}
			verb(&w.pending[0])
		}
	}
	tests := []struct {
		name   string
		before func(w *world)
		then   []spec.Image
		how    func(*Input)
		want   []string
	}{
		{name: "refused by a postcondition", before: refused,
			then: []spec.Image{img("a", share, judged, p), img("b", share, p), img("c", share, p, n(2), after("image.a"))},
			want: []string{"refused a (unfit)", "restore b (new, bought)", "missing c (waits)"}},
		{name: "and others want more", before: refused,
			then: []spec.Image{img("a", share, judged, p), img("b", share, p, n(2)), img("c", share, p, n(2))},
			want: []string{"refused a (unfit)", "generate b (new, bought) 1× $0.02", "restore c (new, shared)"}},
		{name: "and made again", before: refused, how: func(in *Input) { in.RetryRefused = true },
			then: []spec.Image{img("a", share, judged, p), img("b", share, p)},
			want: []string{"generate a (asked -retry-refused) 1× $0.02", "restore b (new, bought)"}},
		{name: "the one that stands comes last", before: refused,
			then: []spec.Image{img("a", share, judged, p), img("0", share, p)},
			want: []string{"restore 0 (new, bought)", "refused a (unfit)"}},
		{name: "in doubt", before: doubt(func(*Pending) {}), then: []spec.Image{img("a", share, p), img("b", share, p)},
			want: []string{"hold a (unanswered)", "missing b (waits)"}},
		{name: "a job", before: doubt(func(p *Pending) { p.Job = true }), then: []spec.Image{img("a", share, p), img("b", share, p)},
			want: []string{"resume a (accepted)", "missing b (waits)"}},
		{name: "in doubt and sent again", before: doubt(func(p *Pending) { p.Again = true }), then: []spec.Image{img("a", share, p), img("b", share, p)},
			want: []string{"generate a (new, asked -retry-in-doubt) 1× $0.02", "restore b (new, shared)"}},
		{name: "in doubt, and b shares nothing", before: doubt(func(*Pending) {}), then: []spec.Image{img("a", share, p), img("b", p)},
			want: []string{"hold a (unanswered)", "generate b (new) 1× $0.02"}},
		{name: "protected", before: func(w *world) {
			w.set(img("a", share))
			w.apply(w.plan())
		}, then: []spec.Image{img("a", share, protect, p), img("b", share, p)},
			want: []string{"protected a (protected generate, changed prompt)", "generate b (new) 1× $0.02"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tt.before(w)
			w.set(tt.then...)
			if tt.how == nil {
				tt.how = func(*Input) {}
			}
			plan := w.plan(tt.how)
			check(t, plan, tt.want...)
			w.apply(plan)
			for i := range plan.Steps {
				if s := &plan.Steps[i]; s.Verb == Restore && w.lock.Get(s.Address) == nil {
					t.Errorf("%s is not made", s.Address)
				}
			}
		})
	}
}

// What was bought before and is refused is known with the plan; what the lock
// does not know of it yet is recorded, and what needs it waits.
func TestUnfitBoughtBefore(t *testing.T) {
	t.Parallel()
	p := prompt("b")
	tests := []struct {
		name string
		lost bool // the lock does not know that it was refused
		then []spec.Image
		how  func(*Input)
		want []string
	}{
		{name: "recorded", then: []spec.Image{img("a", judged, p), img("e", editOf("a"))}, want: []string{"refused a (unfit)", "missing e (waits)"}},
		{name: "under another name", then: []spec.Image{img("a2", judged, p), img("e", editOf("a2"))},
			want: []string{"record a2 (unfit)", "missing e (waits)", "delete a (unwanted)"}},
		{name: "and more are wanted", then: []spec.Image{img("a2", judged, p, n(3)), img("e", editOf("a2"))},
			want: []string{"record a2 (unfit)", "missing e (waits)", "delete a (unwanted)"}},
		{name: "by what only depends on it", then: []spec.Image{img("a2", judged, p), img("x", after("image.a2"))},
			want: []string{"record a2 (unfit)", "missing x (waits)", "delete a (unwanted)", "delete e (unwanted)"}},
		{name: "in place of another one", lost: true, then: []spec.Image{img("a", judged, p), img("e", editOf("a"))},
			want: []string{"record a (unfit)", "missing e (waits)"}},
		{name: "that is protected", lost: true, then: []spec.Image{img("a", judged, protect, p)},
			want: []string{"protected a (protected record, unfit)", "delete e (unwanted)"}},
		{name: "made again", then: []spec.Image{img("a2", judged, p)}, how: func(in *Input) { in.RetryRefused = true },
			want: []string{"generate a2 (asked -retry-refused) 1× $0.02", "delete a (unwanted)", "delete e (unwanted)"}},
		{name: "a draft", then: []spec.Image{img("a2", judged, p)}, how: func(in *Input) { in.Draft = true },
			want: []string{"restore a2 (new, bought)", "delete a (unwanted)", "delete e (unwanted)"}},
		{name: "without a condition", then: []spec.Image{img("a2", p)}, want: []string{"restore a2 (new, bought)", "delete a (unwanted)", "delete e (unwanted)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(img("a", judged), img("e", editOf("a")))
			w.apply(w.plan())
			first := *w.lock.Get("image.a")
			w.set(img("a", judged, p), img("e", editOf("a")))
			buy := w.plan(func(in *Input) { in.Select.Target = []string{"image.a"} })
			w.apply(buy)
			w.disk["a.png"] = first.Outputs[0].Content
			w.unfit = func(q Picture) string {
				if q.Of.Content == first.Candidates[0].Content {
					return ""
				}
				return "no good"
			}
			if !tt.lost {
				first.Refused = []lock.Refusal{{Request: buy.Steps[0].Digest, Reason: lock.Unfit, Message: "no good"}}
			}
			w.lock.Set(first)
			w.set(tt.then...)
			if tt.how == nil {
				tt.how = func(*Input) {}
			}
			plan := w.plan(tt.how)
			check(t, plan, tt.want...)
			for i := range plan.Steps {
				s := &plan.Steps[i]
				if s.Verb == Record && (s.Verb.Paid() || s.Need > 0 || s.Price > 0 || !plan.Changes()) {
					t.Errorf("%+v", s)
				}
				// What is judged is the file that it would be, and nothing is deleted.
				if s.Verb == Record && (len(s.Outputs) != 1 || s.Outputs[0].Action != Write) {
					t.Errorf("outputs %+v", s.Outputs)
				}
			}
			if err := plan.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}
