package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

const cent = provider.Dollar / 100

// accounts plans and applies, and tells what is in the journal before it is
// settled: each attempt without what is different in each run.
func (s *site) accounts(change ...func(*plan.Input)) (res Result, attempts []string) {
	s.t.Helper()
	s.open(func(e *Engine, root *workspace.Root) {
		var err error
		if res, err = e.Apply(s.t.Context(), s.stop, s.plan(e, root, change...)); err != nil {
			s.t.Fatal(err)
		}
		state, err := journal.Read(root.FS(".imgbuild/journal"))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, a := range state.Attempts {
			text := fmt.Sprintf("%s %s: %d of %d", strings.TrimPrefix(a.ID, e.Process), a.Phase, len(a.Deliveries), a.N)
			if a.First > 0 {
				text += fmt.Sprintf(" from %d", a.First)
			}
			text += fmt.Sprintf(", %s of %s", a.Spent, a.Estimate)
			if a.Doubt > 0 {
				text += fmt.Sprintf(", perhaps %s more", a.Doubt)
			}
			if a.Reason != "" {
				text += ", " + a.Reason
			}
			attempts = append(attempts, text)
		}
		if err := e.Settle(true); err != nil {
			s.t.Fatal(err)
		}
	})
	return res, attempts
}

// What a call of three images brings decides what is told, what it has cost,
// what the journal knows and whether anybody else is asked.
func TestReplies(t *testing.T) {
	t.Parallel()
	again := "the next imgbuild apply asks for the missing ones"
	refused := "it is not bought again until the prompt or reroll changes, or: imgbuild apply -retry-refused"
	doubt := "it is not sent again unless you ask: imgbuild apply -retry-in-doubt"
	job := "the next imgbuild apply picks it up; nothing is bought again"
	tests := map[string]struct {
		came  int // images, before
		err   error
		job   bool
		quiet bool // Sent is not told

		kind         EventKind
		text, hint   string
		spent, doubt provider.Money
		journal      string
		other        string // what becomes of another image; "" for done
	}{
		"all":                        {came: 3, kind: Done, spent: 3 * cent, journal: "-1.0 stored: 3 of 3, $0.03 of $0.03"},
		"all, and Sent was not told": {came: 3, quiet: true, kind: Done, spent: 3 * cent, journal: "-1.0 stored: 3 of 3, $0.03 of $0.03"},
		"too few": {came: 1, kind: Failed, text: "1 of 3 images came", hint: again, spent: cent,
			journal: "-1.0 done: 1 of 3, $0.01 of $0.03"},
		"none": {kind: Failed, text: "0 of 3 images came", hint: again, journal: "-1.0 done: 0 of 3, $0.00 of $0.03"},
		"too many": {came: 5, kind: Done, text: "done, and 2 more came and was charged than the 3 that were asked for", spent: 5 * cent,
			journal: "-1.0 stored: 5 of 3, $0.05 of $0.03"},
		"in doubt": {err: &provider.Error{Kind: provider.InDoubt, Status: 502}, kind: Doubtful, text: "in doubt (HTTP 502)", hint: doubt, doubt: 3 * cent,
			journal: "-1.0 in doubt: 0 of 3, $0.00 of $0.03, perhaps $0.03 more, in doubt (HTTP 502)"},
		"in doubt after one": {came: 1, err: &provider.Error{Kind: provider.InDoubt}, kind: Doubtful, text: "in doubt", hint: doubt, spent: cent, doubt: 2 * cent,
			journal: "-1.0 in doubt: 1 of 3, $0.01 of $0.03, perhaps $0.02 more, in doubt"},
		"in doubt after too many": {came: 4, err: &provider.Error{Kind: provider.InDoubt}, kind: Doubtful, text: "in doubt", hint: doubt, spent: 4 * cent,
			journal: "-1.0 in doubt: 4 of 3, $0.04 of $0.03, in doubt"},
		"given up": {err: context.Canceled, kind: Doubtful, text: "in doubt: given up before the reply came: the run was abandoned", hint: doubt, doubt: 3 * cent,
			journal: "-1.0 in doubt: 0 of 3, $0.00 of $0.03, perhaps $0.03 more, in doubt: given up before the reply came: the run was abandoned"},
		"given up before it was sent": {err: context.Canceled, quiet: true, kind: Failed, text: "context canceled"},
		"the disk is full": {came: 1, err: syscall.ENOSPC, kind: Doubtful, text: "in doubt: the reply can't be kept: ", hint: doubt, spent: cent, doubt: 2 * cent,
			journal: "-1.0 in doubt: 1 of 3, $0.01 of $0.03, perhaps $0.02 more, in doubt: the reply can't be kept: ",
			other:   "what came before it could not be kept; nothing was sent"},
		"moderated": {err: &provider.Error{Kind: provider.Moderated, Price: 7 * cent, Priced: true, Message: "no"}, kind: Failed,
			text: "moderated: no ($0.07 was charged)", hint: refused, spent: 7 * cent, journal: "-1.0 unusable: 0 of 3, $0.07 of $0.03, moderated"},
		"moderated for nothing": {err: &provider.Error{Kind: provider.Moderated, Priced: true, Message: "no"}, kind: Failed,
			text: "moderated: no ($0.00 was charged)", hint: refused, journal: "-1.0 unusable: 0 of 3, $0.00 of $0.03, moderated"},
		"unusable": {err: &provider.Error{Kind: provider.Unusable, Message: "no picture"}, kind: Failed,
			text: "unusable: no picture (up to $0.03 may have been charged)", hint: refused, doubt: 3 * cent, journal: "-1.0 unusable: 0 of 3, $0.03 of $0.03, unusable"},
		"unusable after two": {came: 2, err: &provider.Error{Kind: provider.Unusable, Message: "no picture"}, kind: Failed,
			text: "unusable: no picture (up to $0.01 may have been charged)", hint: refused, spent: 2 * cent, doubt: cent,
			journal: "-1.0 unusable: 2 of 3, $0.03 of $0.03, unusable"},
		"rejected": {err: &provider.Error{Kind: provider.Rejected, Status: 400, Message: "bad", Hint: "write better"}, kind: Failed, text: "rejected (HTTP 400): bad", hint: "write better",
			journal: "-1.0 failed: 0 of 3, $0.00 of $0.03, rejected"},
		"not sent":   {err: &provider.Error{Kind: provider.NotSent, Message: "no such host"}, quiet: true, kind: Failed, text: "not sent: no such host"},
		"no key":     {err: &provider.Error{Kind: provider.Credentials, Hint: "export KEY"}, quiet: true, kind: Failed, text: "credentials", hint: "export KEY", other: "fake refused an earlier request"},
		"a bad key":  {err: &provider.Error{Kind: provider.Credentials, Status: 401}, kind: Failed, text: "credentials (HTTP 401)", journal: "-1.0 failed: 0 of 3, $0.00 of $0.03, credentials", other: "fake refused an earlier request"},
		"no money":   {err: &provider.Error{Kind: provider.Quota}, kind: Failed, text: "quota", journal: "-1.0 failed: 0 of 3, $0.00 of $0.03, quota", other: "fake refused an earlier request"},
		"a job":      {job: true, came: 3, kind: Done, spent: 3 * cent, journal: "-1.0 stored: 3 of 3, $0.03 of $0.03"},
		"a slow job": {job: true, err: context.DeadlineExceeded, kind: Accepted, text: "unfinished: job job-1 was accepted; it is not ready", hint: job, doubt: 3 * cent, journal: "-1.0 accepted: 0 of 3, $0.00 of $0.03"},
		"a job that was cut off": {job: true, came: 1, err: errors.New("cut"), kind: Accepted, text: "unfinished: job job-1 was accepted; given up before it ended: cut", hint: job, spent: cent, doubt: 2 * cent,
			journal: "-1.0 delivered: 1 of 3, $0.01 of $0.03"},
		"a job nobody answers for": {job: true, err: &provider.Error{Kind: provider.NotSent, Message: "no such host"}, kind: Accepted,
			text: "unfinished: job job-1 was accepted; given up before it ended: not sent: no such host", hint: job, doubt: 3 * cent, journal: "-1.0 accepted: 0 of 3, $0.00 of $0.03"},
		"an unfinished job": {job: true, err: &provider.Error{Kind: provider.Unfinished, Message: "still drawing", Hint: "wait"}, kind: Accepted, text: "unfinished: still drawing", hint: "wait", doubt: 3 * cent,
			journal: "-1.0 accepted: 0 of 3, $0.00 of $0.03"},
		"a job, and then the key is gone": {job: true, err: &provider.Error{Kind: provider.Unfinished, Cause: provider.Credentials, Message: "no key"}, kind: Accepted, text: "unfinished: no key", hint: job, doubt: 3 * cent,
			journal: "-1.0 accepted: 0 of 3, $0.00 of $0.03", other: "fake refused an earlier request"},
		"a rejected job": {job: true, err: &provider.Error{Kind: provider.Rejected, Message: "bad"}, kind: Failed, text: "rejected: bad",
			journal: "-1.0 failed: 0 of 3, $0.00 of $0.03, rejected"},
		"a moderated job": {job: true, err: &provider.Error{Kind: provider.Moderated, Priced: true, Price: cent}, kind: Failed, text: "moderated ($0.01 was charged)", hint: refused, spent: cent,
			journal: "-1.0 unusable: 0 of 3, $0.01 of $0.03, moderated"},
		"a lost job": {job: true, err: &provider.Error{Kind: provider.InDoubt, Message: "not known"}, kind: Doubtful, text: "in doubt: not known", hint: doubt, doubt: 3 * cent,
			journal: "-1.0 in doubt: 0 of 3, $0.00 of $0.03, perhaps $0.03 more, in doubt: not known"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := img("a")
			a.N = 3
			s := newSite(t, a, img("b"))
			s.change = func(e *Engine) { e.Parallelism = 1 }
			s.maker.quiet = tt.quiet
			s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				if r.Prompt == "b" {
					return provider.Reply{}, s.maker.deliver(r, sink, 1)
				}
				if tt.job {
					if err := sink.Accepted("job-1"); err != nil {
						t.Error(err)
					}
				}
				if err := s.maker.deliver(r, sink, tt.came); err != nil {
					t.Error(err)
				}
				return provider.Reply{}, tt.err
			}
			res, attempts := s.accounts()
			o := res.Outcomes[0]
			if o.Kind != tt.kind || !strings.HasPrefix(o.Text, tt.text) || (o.Text == "") != (tt.text == "") || o.Hint != tt.hint {
				t.Errorf("%s %q, hint %q;\nwant %s %q, hint %q", o.Kind, o.Text, o.Hint, tt.kind, tt.text, tt.hint)
			}
			other := res.Outcomes[1]
			if other.Text != tt.other || (other.Kind == Done) != (tt.other == "") {
				t.Errorf("another image: %s %q, want %q", other.Kind, other.Text, tt.other)
			}
			spent := tt.spent
			if tt.other == "" {
				spent += cent
				attempts = attempts[:max(0, len(attempts)-1)]
			}
			if res.Spent != spent || res.Doubt != tt.doubt {
				t.Errorf("spent %s, and perhaps %s; want %s and %s", res.Spent, res.Doubt, spent, tt.doubt)
			}
			if got := strings.Join(attempts, "\n"); !strings.HasPrefix(got, tt.journal) || (got == "") != (tt.journal == "") {
				t.Errorf("journal: %s\nwant: %s", got, tt.journal)
			}
			if _, err := os.Stat(filepath.Join(s.dir, "a.png")); (err == nil) != (tt.came > 0) {
				t.Errorf("%d images came, and the file: %v", tt.came, err)
			}
		})
	}
}

// What was delivered is paid, whatever becomes of it: what may still be had is
// fetched by the next run for nothing, and what can't be is not bought again
// unless somebody asks.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		delivery provider.Delivery
		fetch    error  // of its URL
		stays    bool   // for the next run, too
		bytes    []byte // where there is no error
		text     string
		refused  string // in the lock, after the next run
		roll     string // why the index has it refused
		later    string // the plan of the next run, which can fetch all
	}{
		"fine":        {bytes: pixel("a")},
		"a redirect":  {bytes: pixel("a"), delivery: provider.Delivery{MIME: "image/webp"}},
		"not there":   {fetch: &provider.Error{Kind: provider.Rejected, Status: 404}, text: "paid for and not fetched yet, the next apply fetches it for free: it is not at its URL (HTTP 404), and may be later", later: "restore image.a"},
		"gone":        {fetch: &provider.Error{Kind: provider.Rejected, Status: 404}, stays: true, text: "paid for and not fetched yet, the next apply fetches it for free: it is not at its URL (HTTP 404), and may be later", refused: "unusable", roll: "gone", later: "refused image.a"},
		"no answer":   {fetch: &provider.Error{Kind: provider.Rejected}, text: "paid for and not fetched yet, the next apply fetches it for free: ", later: "restore image.a"},
		"not reached": {fetch: &provider.Error{Kind: provider.NotSent}, text: "paid for and not fetched yet, the next apply fetches it for free: ", later: "restore image.a"},
		"cut off":     {fetch: errors.New("cut"), text: "paid for and not fetched yet, the next apply fetches it for free: ", later: "restore image.a"},
		"too large":   {fetch: &provider.Error{Kind: provider.Unusable, Message: "too large"}, text: "it can't be fetched: too large", refused: "unusable", roll: "gone", later: "refused image.a"},
		"no picture":  {bytes: []byte("<html>"), text: "it is no picture: ", refused: "unusable", roll: "unusable", later: "refused image.a"},
		"moderated":   {bytes: pixel("no"), delivery: provider.Delivery{Moderated: true}, text: "the provider's moderation replaced the picture ($0.01 was charged)", refused: "moderated", roll: "moderated", later: "refused image.a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, img("a"))
			s.lenient = true
			if tt.fetch != nil {
				s.maker.fetch = func(string) error { return tt.fetch }
			}
			if tt.bytes != nil {
				s.maker.urls["u"] = tt.bytes
			}
			s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				d := tt.delivery
				d.URL = "u"
				return provider.Reply{}, sink.Delivered(0, d, cent)
			}
			res, attempts := s.accounts()
			o := res.Outcomes[0]
			if !strings.HasPrefix(o.Text, tt.text) || (o.Kind == Done) != (tt.text == "") || res.Spent != cent || res.Doubt != 0 {
				t.Errorf("%s %q, %s; want %q", o.Kind, o.Text, res.Spent, tt.text)
			}
			phase := "stored"
			if tt.stays || tt.later == "restore image.a" {
				phase = "delivered"
			}
			if len(attempts) != 1 || !strings.HasPrefix(attempts[0], "-1.0 "+phase+": 1 of 1, $0.01 of $0.01") || tt.refused != "" && !tt.stays && !strings.HasSuffix(attempts[0], ", "+tt.roll) {
				t.Errorf("journal: %v", attempts)
			}
			if !tt.stays {
				s.maker.urls["u"], s.maker.fetch = pixel("a"), nil
			}
			s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) {
				return provider.Reply{}, errors.New("bought again")
			}
			var refused string
			if e := s.entry("image.a"); e != nil {
				for _, r := range e.Refused {
					refused += r.Reason
				}
			}
			if refused != tt.refused {
				t.Errorf("the lock says it was refused as %q, want %q", refused, tt.refused)
			}
			if tt.later == "" {
				same(t, "plan after", s.steps())
			} else {
				same(t, "plan after", s.steps(), tt.later)
			}
			s.open(func(e *Engine, _ *workspace.Root) {
				rolls := must(e.Store.Bought(provider.RequestOf([]provider.Field{{Name: "provider", Value: "fake"}, {Name: "model", Value: "m"}, {Name: "prompt", Value: "a"}}, 1, 0).Digest()))
				if len(rolls) != 1 || rolls[0].Refused != tt.roll || rolls[0].Image.Price != cent {
					t.Errorf("the index has %+v, want one refused as %q", rolls, tt.roll)
				}
			})
		})
	}
}

// Bytes that came with a reply, and that a disk has lost before they were looked
// at, can't be asked for again: they are told as gone, once.
func TestSpooledBytesAreLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.open(func(e *Engine, root *workspace.Root) {
		step := &s.plan(e, root).Steps[0]
		step.Request.N = 1
		sink := &sink{engine: e, address: step.Address, provider: step.Provider, digest: step.Digest, fields: step.Request.Fields(), id: "dead-1", request: &step.Request, tell: func(Event) {}}
		if err := errors.Join(sink.Sent(), s.maker.deliver(&step.Request, sink, 1)); err != nil {
			t.Fatal(err)
		}
		if err := e.Store.Local.Remove(sink.deliveries[0].content); err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		same(t, "plan", s.steps(), "refused image.a")
	}
}

// The lock names the model only where it is not the one that was asked, and
// keeps what the provider made of the prompt, for each image of its own.
func TestWhatIsRecorded(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.N = 4
	s := newSite(t, a)
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		for i, d := range []provider.Delivery{{}, {Model: "m"}, {Model: "m-2"}, {RevisedPrompt: "b\xff"}} {
			if err := s.maker.spool(sink, i, pixel(fmt.Sprint(i)), d); err != nil {
				return provider.Reply{}, err
			}
		}
		return provider.Reply{Model: "m-1"}, nil
	}
	s.run()
	var got []string
	for _, c := range s.entry("image.a").Candidates {
		if c.Price != cent || c.Bytes == 0 || c.MIME != "image/png" || c.Width != 1 || c.Height != 1 {
			t.Errorf("%+v", c)
		}
		got = append(got, c.Model+"/"+c.RevisedPrompt)
	}
	same(t, "recorded", got, "m-1/", "/", "m-2/", "m-1/b\uFFFD")
}

// A server that is free and does not answer leaves nothing in doubt.
func TestFreeIsNotAnswered(t *testing.T) {
	t.Parallel()
	for text, err := range map[string]*provider.Error{
		"no reply came: HTTP 502": {Kind: provider.InDoubt, Status: 502},
		"no reply came: cut":      {Kind: provider.InDoubt, Message: "cut"},
	} {
		s := newSite(t, img("a"))
		s.maker.free = true
		s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) { return provider.Reply{}, err }
		res, attempts := s.accounts()
		if o := res.Outcomes[0]; o.Kind != Failed || o.Text != text || !strings.Contains(o.Hint, "it is free") || res.Doubt != 0 {
			t.Errorf("%s %q, hint %q, perhaps %s", o.Kind, o.Text, o.Hint, res.Doubt)
		}
		same(t, "journal", attempts)
		s.open(func(e *Engine, _ *workspace.Root) {
			if len(e.Open) > 0 {
				t.Errorf("open: %+v", e.Open)
			}
		})
		same(t, "plan", s.steps(), "generate image.a")
	}
}

// More images than a call may have are asked for in several. What came short, a
// price above the estimate where there is a budget, a failure and a stop end the
// asking; the rest is for the next run.
func TestSeveralCalls(t *testing.T) {
	t.Parallel()
	limit := provider.Dollar
	budget := func(e *Engine) { e.MaxCost = &limit }
	tests := map[string]struct {
		change func(*Engine)
		named  bool // the step counts for a budget with a name
		maxN   int
		do     func(s *site, call int, r *provider.Request, sink provider.Sink) error // nil: delivers
		calls  []string                                                               // the images of each
		text   string
	}{
		"two":                 {calls: []string{"4 from 0", "2 from 4"}},
		"two within a budget": {change: budget, calls: []string{"4 from 0", "2 from 4"}},
		"six":                 {maxN: 1, calls: []string{"1 from 0", "1 from 1", "1 from 2", "1 from 3", "1 from 4", "1 from 5"}},
		"as many as you like": {maxN: -1, calls: []string{"6 from 0"}},
		"the second came short": {calls: []string{"4 from 0", "2 from 4"}, text: "5 of 6 images came",
			do: func(s *site, call int, r *provider.Request, sink provider.Sink) error {
				return s.maker.deliver(r, sink, r.N-call)
			}},
		"a failure": {calls: []string{"4 from 0"}, text: "rejected",
			do: func(s *site, call int, r *provider.Request, sink provider.Sink) error {
				return errors.Join(s.maker.deliver(r, sink, 4), &provider.Error{Kind: provider.Rejected})
			}},
		"a stop": {calls: []string{"4 from 0"}, text: "4 of 6 images came",
			do: func(s *site, call int, r *provider.Request, sink provider.Sink) error {
				close(s.stop)
				<-sink.Stopping()
				return s.maker.deliver(r, sink, 4)
			}},
		"dear, and nobody minds": {calls: []string{"4 from 0", "2 from 4"}, do: dear},
		"dear":                   {change: budget, calls: []string{"4 from 0"}, do: dear, text: "4 of 6 images came, at $0.08 instead of $0.04"},
		"dear for another budget": {named: true, calls: []string{"4 from 0"}, do: dear, text: "4 of 6 images came, at $0.08 instead of $0.04",
			change: func(e *Engine) { e.Budgets = []Budget{{Name: "b", Max: limit}} }},
		"all at once, and dear": {maxN: -1, change: budget, calls: []string{"6 from 0"}, do: dear},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := img("a")
			a.N = 6
			s := newSite(t, a)
			s.change, s.maker.maxN = tt.change, tt.maxN
			var calls []string
			s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				calls = append(calls, fmt.Sprintf("%d from %d", r.N, r.First))
				if tt.do == nil {
					return provider.Reply{}, s.maker.deliver(r, sink, r.N)
				}
				return provider.Reply{}, tt.do(s, len(calls)-1, r, sink)
			}
			var o Outcome
			s.open(func(e *Engine, root *workspace.Root) {
				p := s.plan(e, root)
				if tt.named {
					p.Steps[0].Budgets = []string{"b"}
				}
				o = must(e.Apply(t.Context(), s.stop, p)).Outcomes[0]
				state := must(journal.Read(root.FS(".imgbuild/journal")))
				for i, a := range state.Attempts {
					if want := fmt.Sprintf("%s-1.%d", e.Process, i); a.ID != want {
						t.Errorf("attempt %q, want %q", a.ID, want)
					}
				}
			})
			same(t, "calls", calls, tt.calls...)
			if o.Text != tt.text || (o.Kind == Done) != (tt.text == "") {
				t.Errorf("%s %q, want %q", o.Kind, o.Text, tt.text)
			}
		})
	}
}

// dear delivers what was asked for at twice the price.
func dear(s *site, _ int, r *provider.Request, sink provider.Sink) error {
	for i := range r.N {
		u := fmt.Sprint(r.First + i)
		s.maker.urls[u] = pixel(u)
		if err := sink.Delivered(i, provider.Delivery{URL: u}, 2*cent); err != nil {
			return err
		}
	}
	return nil
}

// What was not sent because the run was stopped is no failure.
func TestNotSentWhenStopped(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		stop bool
		err  error
		want string
		text string
	}{
		{true, &provider.Error{Kind: provider.NotSent}, "skipped image.a", "the run was stopped"},
		{false, &provider.Error{Kind: provider.NotSent}, "failed image.a", "not sent"},
		{true, &provider.Error{Kind: provider.Rejected}, "failed image.a", "rejected"},
		{true, errors.New("other"), "failed image.a", "other"},
	} {
		s := newSite(t, img("a"))
		s.maker.quiet = true
		s.maker.do = func(_ *provider.Request, sink provider.Sink) (provider.Reply, error) {
			if tt.stop {
				close(s.stop)
				<-sink.Stopping()
			}
			return provider.Reply{}, tt.err
		}
		res := s.run()
		same(t, tt.text, kinds(res), tt.want)
		if o := res.Outcomes[0]; o.Text != tt.text || res.Spent+res.Doubt != 0 {
			t.Errorf("%q, want %q", o.Text, tt.text)
		}
	}
}

// A refusal is remembered until its request is bought after all: another prompt
// neither forgets it nor loses the picture that is in use.
func TestRefusalsStay(t *testing.T) {
	t.Parallel()
	a := img("a")
	s := newSite(t, a)
	s.run()
	refuse := func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.Moderated, Price: cent, Priced: true, Message: "not " + r.Prompt}
	}
	check := func(what, prompt string, refused ...string) {
		t.Helper()
		e := s.entry("image.a")
		var got []string
		for _, r := range e.Refused {
			got = append(got, r.Message)
		}
		same(t, what, got, refused...)
		if e.Field("prompt") != prompt || len(e.Candidates) != 1 || len(e.Outputs) != 1 || e.Outputs[0].Of != e.Candidates[0].Content {
			t.Errorf("%s: %+v", what, e)
		}
	}
	s.maker.do = refuse
	s.images[0].Wanted.Prompt = "b"
	same(t, "b", kinds(s.run()), "failed image.a")
	check("b is refused", "a", "not b")
	s.images[0].Wanted.Prompt = "c"
	same(t, "c", kinds(s.run()), "failed image.a")
	check("c is refused", "a", "not b", "not c")
	s.maker.do = nil
	same(t, "c again", kinds(s.run(func(in *plan.Input) { in.RetryRefused = true })), "done image.a")
	check("c is bought", "c", "not b")
	s.images[0].Wanted.Prompt = "b"
	same(t, "plan of b", s.steps(), "refused image.a")
}

// The chosen picture is written as it came, without a look at the store, and
// each that comes is told with its number.
func TestPickedAsItCame(t *testing.T) {
	t.Parallel()
	a := img("a")
	s := newSite(t, a)
	s.run()
	s.images[0].N, s.images[0].Pick = 4, 3
	var third []byte
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		for i := range r.N {
			b := pixel(fmt.Sprint(i))
			if i == 1 {
				third = b
			}
			if err := s.maker.spool(sink, i, b, provider.Delivery{}); err != nil {
				return provider.Reply{}, err
			}
		}
		return provider.Reply{}, os.RemoveAll(filepath.Join(s.dir, ".imgbuild/store/sha256"))
	}
	s.events = nil
	same(t, "outcomes", kinds(s.run()), "done image.a")
	if b := must(os.ReadFile(filepath.Join(s.dir, "a.png"))); string(b) != string(third) {
		t.Error("another picture is in a.png")
	}
	var told []string
	for _, e := range s.events {
		if e.Kind == Received {
			told = append(told, fmt.Sprintf("%d of %d, %s, %s so far", e.Count, e.Total, e.Price, e.Spent))
		}
	}
	same(t, "told", told, "2 of 4, $0.01, $0.01 so far", "3 of 4, $0.01, $0.02 so far", "4 of 4, $0.01, $0.03 so far")
}

// A second tier that keeps all has each candidate, and nothing that was refused.
func TestSecondTierKeepsAll(t *testing.T) {
	t.Parallel()
	for keep, want := range map[string]int{"all": 3, "picked": 1} {
		a := img("a")
		a.N = 4
		s := newSite(t, a)
		second := filepath.Join(s.dir, "second")
		if err := os.Mkdir(second, 0o777); err != nil {
			t.Fatal(err)
		}
		root := must(workspace.Open(second))
		defer root.Close()
		tier := store.Open(root.FS("tier"))
		s.change = func(e *Engine) { e.Store.Second, e.Store.Keep = tier, keep }
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			return provider.Reply{}, errors.Join(s.maker.deliver(r, sink, 3), s.maker.spool(sink, 3, []byte("<html>"), provider.Delivery{}))
		}
		s.run()
		n := 0
		for range tier.Blobs() {
			n++
		}
		if n != want {
			t.Errorf("keep = %q: %d pictures in the second tier, want %d", keep, n, want)
		}
	}
}

// The disk must have room for what may come, before anything is sent: for the
// records of all calls that may be in flight, and for their pictures.
func TestRoomBeforePaying(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.change = func(e *Engine) { e.Parallelism = 16 }
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		var size int64
		for _, f := range must(os.ReadDir(filepath.Join(s.dir, ".imgbuild/journal"))) {
			size += must(f.Info()).Size()
		}
		// An intent, that it was sent, a job and its end; of each image a
		// receipt, its bytes and a refusal.
		if want := int64(16 * (4 + 3*10) * 8 << 10); size < want || size > 2*want {
			t.Errorf("%d bytes are kept free for records, want %d", size, want)
		}
		return provider.Reply{}, s.maker.deliver(r, sink, r.N)
	}
	same(t, "outcomes", kinds(s.run()), "done image.a")

	s.change, s.maker.maxN = nil, -1 // all in one call
	s.maker.do = func(r *provider.Request, _ provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, fmt.Errorf("asked for %d images", r.N)
	}
	s.images[0].N = 1 << 28 // 2 PiB
	var free int64
	s.open(func(e *Engine, root *workspace.Root) {
		known := false
		if free, known = root.Free(); !known {
			t.Skip("this system does not tell how much is free")
		}
	})
	o := s.run().Outcomes[0]
	var said, need float64
	if _, err := fmt.Sscanf(o.Text, "no room for the pictures: %f MB are free on the disk, and %f MB may be on their way", &said, &need); err != nil || o.Kind != Failed {
		t.Fatalf("%s %q: %v", o.Kind, o.Text, err)
	}
	if mb := float64(free) / 1e6; said < mb/2 || said > mb*2 {
		t.Errorf("%q, and %.1f MB are", o.Text, mb)
	}
	if want := 4 * float64(1<<28-1) * (2 << 20) / 1e6; need < want-1 || need > want+1 {
		t.Errorf("%q, want %.1f", o.Text, want)
	}
	if !strings.Contains(o.Hint, "nothing was sent") || s.maker.paid["a"] != 1 {
		t.Errorf("hint %q, paid %v", o.Hint, s.maker.paid)
	}
}

// Of a job with three images one was told and the rest is in doubt: the two
// others are what it may still cost.
func TestRestOfALostJob(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.N = 3
	s := newSite(t, a)
	s.open(func(e *Engine, root *workspace.Root) {
		step := &s.plan(e, root).Steps[0]
		step.Request.N = 3
		s.maker.urls["u"] = pixel("one")
		sink := &sink{engine: e, address: step.Address, provider: step.Provider, digest: step.Digest, fields: step.Request.Fields(), id: "dead-1", request: &step.Request, tell: func(Event) {}, each: cent}
		if err := errors.Join(sink.Sent(), sink.Accepted("job-1"), sink.Delivered(0, provider.Delivery{URL: "u"}, cent)); err != nil {
			t.Fatal(err)
		}
	})
	s.maker.resume = func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Message: "not known"}
	}
	s.open(func(e *Engine, _ *workspace.Root) {
		if len(e.Open) != 1 || e.Open[0].Phase != journal.InDoubt || e.Open[0].Doubt != 2*cent {
			t.Errorf("open: %+v", e.Open)
		}
	})
}

// What a maker says while it waits is told as of its image; of a request with
// sensitive values without the provider's words, which may repeat them.
func TestWaitingIsTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sensitive []string
		want      string
	}{{nil, "rate limited: slow down, secret"}, {[]string{"prompt"}, "rate limited"}} {
		a := img("a")
		a.Wanted.Sensitive = tt.sensitive
		s := newSite(t, a)
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			sink.Waiting(7, "rate limited: slow down, secret")
			return provider.Reply{}, s.maker.deliver(r, sink, 1)
		}
		s.run()
		told := 0
		for _, e := range s.events {
			if e.Kind == Waiting {
				told++
				if e.Text != tt.want || e.Wait != 7 || e.Address != "image.a" || e.Verb != plan.Generate || e.At.IsZero() {
					t.Errorf("%+v, want %q", e, tt.want)
				}
			}
		}
		if told != 1 {
			t.Errorf("told %d times", told)
		}
	}
}
