package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Each part of what is gone counts, a budget may be used up to the last tick,
// and what costs nothing is always allowed.
func TestAfford(t *testing.T) {
	t.Parallel()
	const all, none = provider.Money(100), provider.Money(-1)
	for _, tt := range []struct {
		name                   string
		max                    provider.Money // none: not set
		spent, doubt, reserved provider.Money
		used                   provider.Money // of the budget "b", which allows 100
		cost                   provider.Money
		budgets                []string
		unpriced, allowed      bool
		unknown                bool   // something may be owed that nobody knows
		err                    string // "" for none
		run                    bool   // the run's own budget is told to be empty
		empty                  string // of the named ones
	}{
		{name: "no budget", max: none, spent: 1000, cost: 1000},
		{name: "to the last tick", max: all, spent: 20, doubt: 30, reserved: 40, cost: 10},
		{name: "spent", max: all, spent: 91, cost: 10, err: "the budget of $0.00000001 does not allow $0.000000001 more", run: true},
		{name: "in doubt", max: all, doubt: 91, cost: 10, err: "the budget of", run: true},
		{name: "reserved", max: all, reserved: 91, cost: 10, err: "the budget of", run: true},
		{name: "a budget of nothing", max: 0, cost: 1, err: "the budget of", run: true},
		{name: "free, with all of it gone", max: all, spent: 200, used: 200, budgets: []string{"b"}, cost: 0},
		{name: "a price that is not known", max: all, unpriced: true, err: "so the budget does not allow it", run: true},
		{name: "a price that is not known, allowed", max: all, spent: 30, doubt: 30, reserved: 39, used: 99, budgets: []string{"b"}, unpriced: true, allowed: true},
		{name: "a price that is not known, and nothing is left", max: all, spent: 30, doubt: 30, reserved: 40, unpriced: true, allowed: true, err: "the budget of $0.00000001 is used up", run: true},
		{name: "a price that is not known, and all is in doubt", max: all, doubt: 100, unpriced: true, allowed: true, err: "the budget of", run: true},
		{name: "a price that is not known, and all is reserved", max: all, reserved: 100, unpriced: true, allowed: true, err: "the budget of", run: true},
		{name: "a price that is not known, and nothing is left of the named", max: none, used: 100, budgets: []string{"b"}, unpriced: true, allowed: true, err: `the budget "b" of $0.00000001 is used up`, empty: "b"},
		{name: "nobody knows what is owed", max: all, unpriced: true, allowed: true, unknown: true, err: errUnknown.Error(), run: true},
		{name: "nobody knows what is owed, named", max: none, budgets: []string{"b"}, unpriced: true, allowed: true, unknown: true, err: errUnknown.Error(), empty: "b"},
		{name: "nobody knows what is owed, and this has a price", max: all, cost: 10, used: 90, budgets: []string{"b"}, allowed: true, unknown: true},
		{name: "a price that is not known, no budget", max: none, unpriced: true},
		{name: "named, to the last tick", max: none, used: 90, cost: 10, budgets: []string{"a", "b"}},
		{name: "named", max: none, used: 91, cost: 10, budgets: []string{"b"}, err: `the budget "b" of $0.00000001 does not allow $0.000000001 more`, empty: "b"},
		{name: "named, a price that is not known", max: none, cost: 0, unpriced: true, budgets: []string{"b"}, err: `so the budget "b" does not allow it`, empty: "b"},
		{name: "one that the configuration does not have", max: none, used: 91, cost: 10, budgets: []string{"c"}},
		{name: "of another step", max: none, used: 91, cost: 10},
	} {
		r := &runner{Engine: &Engine{Unpriced: tt.allowed}, spent: tt.spent, doubt: tt.doubt, reserved: tt.reserved, unknown: tt.unknown,
			named: []purse{{Budget: Budget{Name: "a", Max: 1000}}, {Budget{Name: "b", Max: 100}, tt.used}}}
		if tt.max != none {
			r.MaxCost = &tt.max
		}
		for range 2 { // a budget is told once, however many steps it stops
			err := r.afford(&plan.Step{Budgets: tt.budgets}, tt.cost, !tt.unpriced)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
		}
		if got := strings.Join(r.empty, " "); r.budget != tt.run || got != tt.empty {
			t.Errorf("%s: empty are the run's %v and %q, want %v and %q", tt.name, r.budget, got, tt.run, tt.empty)
		}
	}
}

// What a run that died leaves of its budget: all that was paid, and all that
// may yet have to be.
func TestSpentBefore(t *testing.T) {
	t.Parallel()
	attempt := func(run string, phase journal.Phase, spent provider.Money) journal.Attempt {
		return journal.Attempt{Intent: journal.Intent{Run: run, N: 4, Estimate: 40}, Phase: phase, Spent: spent, Doubt: 7,
			Deliveries: []journal.Delivery{{Price: spent}}}
	}
	for _, tt := range []struct {
		phase journal.Phase
		want  provider.Money
	}{
		{journal.Intended, 3}, {journal.Sent, 43}, {journal.Accepted, 43}, {journal.Delivered, 33}, {journal.Stored, 33},
		{journal.Done, 3}, {journal.Unusable, 3}, {journal.Failed, 3}, {journal.InDoubt, 10}, {journal.Resolved, 3},
	} {
		list := []journal.Attempt{attempt("dead", tt.phase, 3), attempt("", tt.phase, 1000)}
		if run, got := Unfinished(list); run != "dead" || got != tt.want {
			t.Errorf("%s: run %q has spent %d ticks, want %d", tt.phase, run, got, tt.want)
		}
		none := func(*journal.Attempt) bool { return false }
		if got := SpentBefore(list, "dead", none); got != 0 {
			t.Errorf("%s: %d ticks of what does not count", tt.phase, got)
		}
	}
	if run, got := Unfinished([]journal.Attempt{attempt("", journal.InDoubt, 1)}); run != "" || got != 0 {
		t.Errorf("run %q, which ended, has spent %d ticks", run, got)
	}
}

// A step reserves what it is estimated to cost, gives back what it did not
// cost, and holds more once its receipts say more. The same holds for a budget
// with a name.
func TestReservations(t *testing.T) {
	t.Parallel()
	const cent = provider.Dollar / 100 // the estimate of an image
	for _, tt := range []struct {
		name     string
		price    provider.Money // of an image, by its receipt
		err      error          // after the receipt
		n        int
		limit    provider.Money
		before   provider.Money
		outcomes []string
	}{
		{"cheaper than thought", cent / 4, nil, 1, 2*cent - cent/4, 0, []string{"done image.a", "done image.b", "done image.c", "done image.d"}},
		{"one tick short", cent / 4, nil, 1, 2*cent - cent/4 - 1, 0, []string{"done image.a", "done image.b", "done image.c", "skipped image.d"}},
		{"as thought", cent, nil, 1, 2 * cent, 0, []string{"done image.a", "done image.b", "skipped image.c", "skipped image.d"}},
		{"dearer than thought", 3 * cent, nil, 1, 4 * cent, 0, []string{"done image.a", "skipped image.b", "skipped image.c", "skipped image.d"}},
		{"dearer, and room for two", 3 * cent, nil, 1, 6 * cent, 0, []string{"done image.a", "done image.b", "skipped image.c", "skipped image.d"}},
		{"spent before a crash", cent, nil, 1, 3 * cent, cent, []string{"done image.a", "done image.b", "skipped image.c", "skipped image.d"}},
		{"in doubt counts", cent, &provider.Error{Kind: provider.InDoubt}, 2, 4 * cent, 0,
			[]string{"in_doubt image.a", "in_doubt image.b", "skipped image.c", "skipped image.d"}},
	} {
		for _, named := range []bool{false, true} {
			s := newSite(t, img("a"), img("b"), img("c"), img("d"))
			for i := range s.images {
				s.images[i].N, s.images[i].Tags = tt.n, []string{"t"}
			}
			s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				w := must(sink.Spool(0))
				w.Write(pixel(r.Prompt))
				return provider.Reply{}, errors.Join(w.Close(), sink.Delivered(0, provider.Delivery{}, tt.price), tt.err)
			}
			s.change = func(e *Engine) {
				e.Parallelism = 1
				if e.MaxCost, e.Before = &tt.limit, tt.before; named {
					e.MaxCost, e.Budgets = nil, []Budget{{Name: "b", Max: tt.limit, Before: tt.before}}
				}
			}
			res := s.run(func(in *plan.Input) {
				in.Budgets = []plan.Budget{{Name: "b", Tags: []string{"t"}, MaxCost: tt.limit}}
			})
			same(t, fmt.Sprintf("%s, named %v", tt.name, named), kinds(res), tt.outcomes...)
		}
	}
}

// While a step runs, a receipt that is dearer than the estimate keeps others
// from starting.
func TestReceiptsReserve(t *testing.T) {
	t.Parallel()
	const cent = provider.Dollar / 100
	s := newSite(t, img("a"), img("b"), img("c", "b"))
	s.images[0].N = 2
	limit := 5 * cent
	charged := make(chan struct{})
	ended := make(chan struct{})
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		price := provider.Money(0)
		switch r.Prompt {
		case "a":
			price = 3 * cent / 2 // both for 3, and 2 was reserved
		case "b":
			<-charged
		}
		for i := range r.N {
			w := must(sink.Spool(i))
			w.Write(pixel(r.Prompt + fmt.Sprint(i)))
			if err := errors.Join(w.Close(), sink.Delivered(i, provider.Delivery{}, price)); err != nil {
				return provider.Reply{}, err
			}
		}
		if r.Prompt == "a" {
			close(charged)
			<-ended // b has ended and c was begun, or not
		}
		return provider.Reply{}, nil
	}
	s.change = func(e *Engine) {
		e.MaxCost, e.Before = &limit, 3*cent/2
		told := e.Event
		e.Event = func(ev Event) {
			if told(ev); ev.Address == "image.c" {
				close(ended)
				e.Event = told
			}
		}
	}
	res := s.run()
	same(t, "outcomes", kinds(res), "done image.a", "done image.b", "skipped image.c")
	if !res.Budget || res.Spent != 3*cent {
		t.Errorf("%+v", res)
	}
}

// What has no known price is bought alone, until a reply has told what one costs:
// from then on the dearest image counts. A price of nothing tells nothing.
func TestUnpricedIsBoughtAlone(t *testing.T) {
	t.Parallel()
	const cent = provider.Dollar / 100
	synctest.Test(t, func(t *testing.T) {
		var images []spec.Image
		for _, name := range []string{"m1", "m2", "u1", "u2", "u3", "v1", "v2", "z1", "z2"} {
			im := img(name)
			im.Wanted.Model = name[:1]
			images = append(images, im)
		}
		images[2].N = 2
		s := newSite(t, images...)
		limit := 10 * cent
		begun := time.Now()
		s.change = func(e *Engine) {
			e.MaxCost, e.Unpriced = &limit, true
			e.Offer = modelOffer
		}
		at := map[time.Duration][]string{}
		var mu sync.Mutex
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			mu.Lock()
			now := time.Since(begun)
			at[now] = append(at[now], r.Prompt)
			mu.Unlock()
			time.Sleep(time.Second)
			for i := range r.N {
				price := cent
				switch {
				case r.Prompt == "u1" && i == 0:
					price = 3 * cent // the other one costs 1
				case r.Model == "z":
					price = 0
				}
				w := must(sink.Spool(i))
				w.Write(pixel(r.Prompt + fmt.Sprint(i)))
				if err := errors.Join(w.Close(), sink.Delivered(i, provider.Delivery{}, price)); err != nil {
					return provider.Reply{}, err
				}
			}
			return provider.Reply{}, nil
		}
		res := s.run(func(in *plan.Input) { in.Offer = modelOffer })
		var got []string
		for sec := range 20 {
			if list := at[time.Duration(sec)*time.Second]; list != nil {
				slices.Sort(list)
				got = append(got, strings.Join(list, " "))
			}
		}
		// 2 for both m, 4 for u1; u2 reserves 3 of the 4 that are left, and u3 finds
		// no room beside it.
		same(t, "at once", got, "m1 m2", "u1", "u2", "v1", "v2", "z1", "z2")
		if res.Spent != 9*cent || res.Count(Skipped) != 1 {
			t.Errorf("%+v", res)
		}
	})
}

// Where no budget counts what a step costs, nobody waits for its price.
func TestUnpricedWithoutBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, img("a"), img("b"), img("c"), img("d"))
		s.maker.delay = func(string) time.Duration { return time.Second }
		s.unpriced(provider.Dollar, true) // a budget that none of them counts for
		if res := s.run(tagged); res.Count(Done) != 4 || s.maker.most != 4 {
			t.Errorf("%+v, %d at once", res, s.maker.most)
		}
	})
}

// modelOffer is an offer of a model "m" with a price, and of others without.
func modelOffer(_, model string) (*provider.Offer, bool) {
	o := fakeOffer
	if o.Model = model; model != "m" {
		o.Price = func(*provider.Request) (provider.Money, bool) { return 0, false }
	}
	return &o, true
}

// What is in doubt without any price that could count holds up its own run.
func TestUnknownDoubts(t *testing.T) {
	t.Parallel()
	attempt := func(change func(*journal.Attempt)) journal.Attempt {
		a := journal.Attempt{Intent: journal.Intent{Run: "r", Fields: (&provider.Request{Model: "u"}).Fields(), N: 1}, Phase: journal.InDoubt}
		change(&a)
		return a
	}
	for name, tt := range map[string]struct {
		change func(*journal.Attempt)
		want   bool
	}{
		"in doubt":                {func(*journal.Attempt) {}, true},
		"accepted":                {func(a *journal.Attempt) { a.Phase, a.Request = journal.Accepted, requestOf("a").Digest() }, true},
		"sent":                    {func(a *journal.Attempt) { a.Phase = journal.Sent }, false},
		"of another run":          {func(a *journal.Attempt) { a.Run = "x" }, false},
		"of a run that ended":     {func(a *journal.Attempt) { a.Run = "" }, false},
		"its price counts":        {func(a *journal.Attempt) { a.Doubt = 1 }, false},
		"it was estimated":        {func(a *journal.Attempt) { a.Estimate = 1 }, false},
		"it is free":              {func(a *journal.Attempt) { a.Fields = (&provider.Request{Model: "m"}).Fields() }, false},
		"a model that is gone":    {func(a *journal.Attempt) { a.Fields = (&provider.Request{Model: "gone"}).Fields() }, true},
		"an offer without prices": {func(a *journal.Attempt) { a.Fields = (&provider.Request{Model: "bare"}).Fields() }, true},
	} {
		for _, run := range []string{"r", ""} {
			e := &Engine{Run: run, Offer: func(key, model string) (*provider.Offer, bool) {
				o, _ := modelOffer(key, model)
				if model == "bare" {
					o.Price = nil
				}
				return o, model != "gone"
			}}
			if got := e.unknown(attempt(tt.change)); got != (tt.want && run == "r") {
				t.Errorf("%s, run %q: %v", name, run, got)
			}
		}
	}
}

// What is free runs whatever is wrong with paying: an empty budget or no
// key.
func TestFreeStepsNeedNoMoney(t *testing.T) {
	t.Parallel()
	none := provider.Money(0)
	for name, change := range map[string]func(*Engine){
		"no budget": func(e *Engine) { e.MaxCost = &none },
		"no key":    func(e *Engine) { e.NotReady = map[string]string{"fake": "there is no key"} },
	} {
		s := newSite(t, img("a"))
		s.run()
		s.remove("a.png")
		s.images = append(s.images, img("b"))
		s.change = change
		res := s.run()
		same(t, name, kinds(res), "done image.a", "skipped image.b")
		if text := res.Outcomes[1].Text; name == "no key" && text != "there is no key" {
			t.Errorf("%s: %q", name, text)
		}
		if s.maker.paid["a"] != 1 || s.maker.paid["b"] != 0 {
			t.Errorf("%s: paid %v", name, s.maker.paid)
		}
	}
}

// What a run learned of prices before a crash is what its attempts were charged
// beyond their estimates; a later estimate knows of it already.
func TestDearer(t *testing.T) {
	t.Parallel()
	attempt := func(run, model string, spent, estimate provider.Money) journal.Attempt {
		return journal.Attempt{Spent: spent, Intent: journal.Intent{Run: run, Provider: "p", N: 1, Estimate: estimate, Fields: []provider.Field{{Name: "model", Value: model}}}}
	}
	d := DearerBefore([]journal.Attempt{
		attempt("mine", "m", 30, 20), attempt("mine", "m", 60, 20), attempt("mine", "m", 60, 60), attempt("mine", "m", 10, 20),
		attempt("mine", "free", 5, 0), attempt("other", "n", 60, 20),
	}, "mine")
	for _, tt := range []struct {
		model      string
		each, want provider.Money
	}{{"p m", 20, 60}, {"p m", 7, 21}, {"p m", 0, 0}, {"p n", 20, 20}, {"p free", 20, 20}} {
		if got := d.price(tt.model, tt.each); got != tt.want {
			t.Errorf("%s of %d: %d, want %d", tt.model, tt.each, got, tt.want)
		}
	}
	if got := DearerBefore([]journal.Attempt{attempt("", "m", 60, 20)}, "").price("p m", 20); got != 20 {
		t.Errorf("without a run that died: %d", got)
	}
}
