package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// past writes into the journal of a site what a run that died left of a
// request for n images, at 10 ticks each or free.
func (s *site) past(n int, records ...journal.Record) {
	s.t.Helper()
	s.open(func(e *Engine, _ *workspace.Root) {
		r := &provider.Request{Provider: "fake", Model: "m", Prompt: "a"}
		estimate := 10 * provider.Money(n)
		if s.maker.free {
			estimate = 0
		}
		all := []journal.Record{{Type: journal.TypeIntent, Intent: &journal.Intent{Run: "dead", Address: "image.a", Request: r.Digest(),
			Fields: r.Fields(), Provider: "fake", N: n, Estimate: estimate, Endpoint: s.endpoint}}}
		all = append(all, records...)
		for i := range all {
			all[i].Attempt = "dead-1"
		}
		if err := e.Journal.Append(all...); err != nil {
			s.t.Fatal(err)
		}
	})
}

func receipt(i int, url string, price provider.Money) journal.Record {
	return journal.Record{Type: journal.TypeReceipt, Delivery: &journal.Delivery{Index: i, URL: url, Price: price}}
}

// What a run that died left is counted, held or taken in, and what is settled
// is told a second time by nobody.
func TestRecoveryTells(t *testing.T) {
	t.Parallel()
	const page, picture = "http://x/page", "http://x/picture"
	sent, job := journal.Record{Type: journal.TypeSent}, journal.Record{Type: journal.TypeJob, JobID: "j"}
	blob := func(i int) journal.Record {
		return journal.Record{Type: journal.TypeBlob, Delivery: &journal.Delivery{Index: i, Content: digest.OfContent([]byte{byte(i)}), Width: 1, Height: 1, Bytes: 1}}
	}
	doubt := journal.Record{Type: journal.TypeInDoubt, Price: 20, Reason: "r"}
	fails := func(e *provider.Error) func(*site, *provider.Request, provider.Sink) error {
		return func(*site, *provider.Request, provider.Sink) error { return e }
	}
	delivers := func(k int) func(*site, *provider.Request, provider.Sink) error {
		return func(s *site, r *provider.Request, sink provider.Sink) error { return s.maker.deliver(r, sink, k) }
	}
	tests := map[string]struct {
		n      int
		left   []journal.Record
		resume func(*site, *provider.Request, provider.Sink) error
		want   Recovery
		open   string         // phase, "" if it is settled
		spent  provider.Money // and may have been
		err    string
		rolls  string // of the index: "refused" or "fine" for each
	}{
		"nothing left us": {n: 2},
		"sent": {n: 2, left: []journal.Record{sent},
			want: Recovery{Doubts: 1, Price: 20}, open: "in doubt", spent: 20},
		"in doubt already": {n: 2, left: []journal.Record{sent, doubt},
			open: "in doubt", spent: 20},
		"one of two": {n: 2, left: []journal.Record{sent, receipt(0, picture, 7)},
			want: Recovery{Images: 1, Paid: 7, Doubts: 1, Price: 10}, open: "in doubt", spent: 17, rolls: "fine"},
		"both, one no picture": {n: 2, left: []journal.Record{sent, receipt(0, picture, 7), receipt(1, page, 7)},
			want: Recovery{Images: 1, Paid: 7, Lost: 1}, spent: 14, rolls: "fine refused"},
		"both stored": {n: 2, left: []journal.Record{sent, receipt(0, picture, 7), receipt(1, picture, 7), blob(0), blob(1)},
			spent: 14, rolls: "fine fine"},
		"one stored": {n: 2, left: []journal.Record{sent, receipt(0, picture, 7), receipt(1, picture, 7), blob(0)},
			want: Recovery{Images: 1, Paid: 7}, spent: 14, rolls: "fine fine"},
		"one is not there any more": {n: 1, left: []journal.Record{sent, receipt(0, "http://x/gone", 7)},
			want: Recovery{Lost: 1}, spent: 7, rolls: "refused"},
		"free, one of two": {n: 2, left: []journal.Record{receipt(0, picture, 0)},
			want: Recovery{Images: 1}, rolls: "fine"},
		"refused whole, and one came": {n: 2, left: []journal.Record{sent, receipt(0, picture, 7), {Type: journal.TypeUnusable, Reason: "moderated", Price: 5}},
			want: Recovery{Images: 1, Paid: 7}, spent: 12, rolls: "fine refused 5"},
		"refused whole": {n: 2, left: []journal.Record{sent, {Type: journal.TypeUnusable, Reason: "moderated", Price: 5}},
			spent: 5, rolls: "refused 5"},
		"done, and one came": {n: 2, left: []journal.Record{sent, receipt(0, picture, 7), {Type: journal.TypeDone}},
			want: Recovery{Images: 1, Paid: 7}, spent: 7, rolls: "fine"},
		"done, and none came": {n: 2, left: []journal.Record{sent, {Type: journal.TypeDone}}},

		"a job that is ready": {n: 3, left: []journal.Record{sent, job, receipt(0, picture, 7)}, resume: delivers(3),
			want: Recovery{Images: 3, Paid: 7 + 2*provider.Dollar/100}, spent: 7 + 2*provider.Dollar/100, rolls: "fine fine fine"},
		"a job that brought one, of which all are there": {n: 1, left: []journal.Record{sent, job, receipt(0, picture, 7)},
			resume: fails(&provider.Error{Kind: provider.Unfinished}), want: Recovery{Images: 1, Paid: 7}, spent: 7, rolls: "fine"},
		"a job that brought less": {n: 3, left: []journal.Record{sent, job}, resume: delivers(1),
			want: Recovery{Images: 1, Paid: provider.Dollar / 100}, spent: provider.Dollar / 100, rolls: "fine"},
		"a job that is refused, and a page came before": {n: 3, left: []journal.Record{sent, job, receipt(0, page, 7)},
			resume: fails(&provider.Error{Kind: provider.Moderated, Price: 4, Priced: true}),
			want:   Recovery{Lost: 2}, spent: 11, rolls: "refused refused 4"},
		"a job whose price nobody tells": {n: 3, left: []journal.Record{sent, job},
			resume: fails(&provider.Error{Kind: provider.Unusable}), want: Recovery{Lost: 1}, spent: 30, rolls: "refused 30"},
		"a job that nobody knows": {n: 3, left: []journal.Record{sent, job, receipt(0, picture, 7)},
			resume: fails(&provider.Error{Kind: provider.InDoubt}), want: Recovery{Images: 1, Paid: 7, Doubts: 1, Price: 20}, open: "in doubt", spent: 27, rolls: "fine"},
		"a job that nobody knew, nor does today": {n: 2, left: []journal.Record{sent, job, doubt},
			resume: fails(&provider.Error{Kind: provider.InDoubt}), open: "in doubt", spent: 20},
		"a job that nobody knew, and nobody can be asked": {n: 2, left: []journal.Record{sent, job, doubt},
			resume: fails(&provider.Error{Kind: provider.Unfinished, Cause: provider.NotSent, Message: "nobody is there"}), open: "in doubt", spent: 20, err: "image.a: unfinished: nobody is there"},
		"a job that nobody knew, and that goes on": {n: 2, left: []journal.Record{sent, job, doubt},
			resume: fails(&provider.Error{Kind: provider.Unfinished, Message: "drawing"}), open: "accepted", spent: 20, err: "image.a: unfinished: drawing"},
		"a job that nobody knew, and is given up by us": {n: 2, left: []journal.Record{sent, job, doubt},
			resume: func(*site, *provider.Request, provider.Sink) error { return context.DeadlineExceeded }, open: "accepted", spent: 20, err: "it is not ready"},
		"a job that nobody knew, and failed": {n: 2, left: []journal.Record{sent, job, doubt},
			resume: fails(&provider.Error{Kind: provider.Rejected})},
		"a job that nobody knew, and is ready": {n: 1, left: []journal.Record{sent, job, doubt}, resume: delivers(1),
			want: Recovery{Images: 1, Paid: provider.Dollar / 100}, spent: provider.Dollar / 100, rolls: "fine"},
		"a job whose picture can't be had now": {n: 2, left: []journal.Record{sent, job},
			resume: func(_ *site, _ *provider.Request, sink provider.Sink) error {
				return errors.Join(sink.Delivered(0, provider.Delivery{URL: picture}, 7), sink.Delivered(1, provider.Delivery{URL: "http://x/later"}, 7))
			},
			want: Recovery{Images: 1, Paid: 7}, open: "delivered", spent: 14, err: "image.a: paid for and not fetched yet", rolls: "fine"},
		"an old picture of a job can't be had now": {n: 2, left: []journal.Record{sent, job, receipt(0, "http://x/later", 7)}, resume: delivers(2),
			open: "delivered", spent: 17, err: "image.a: paid for and not fetched yet"},
		"a picture can't be had now": {n: 1, left: []journal.Record{sent, receipt(0, "http://x/later", 7)},
			open: "delivered", spent: 7, err: "image.a: paid for and not fetched yet"},
		"an intent that is damaged": {n: 0, left: []journal.Record{sent, job},
			resume: fails(&provider.Error{Kind: provider.InDoubt}), want: Recovery{Doubts: 1}, open: "in doubt"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.maker.free = strings.HasPrefix(name, "free")
			s.past(tt.n, tt.left...)
			s.maker.urls[picture], s.maker.urls[page] = pixel("x"), []byte("<html>")
			s.maker.fetch = func(url string) error {
				if url == "http://x/later" {
					return &provider.Error{Kind: provider.NotSent}
				}
				return nil
			}
			asked := 0
			s.maker.resume = func(id string, r *provider.Request, sink provider.Sink) (provider.Reply, error) {
				if asked++; id != "j" || r.Prompt != "a" || r.N != tt.n {
					t.Errorf("asked for job %q of %+v", id, r)
				}
				return provider.Reply{}, tt.resume(s, r, sink)
			}
			s.lenient = true
			s.open(func(e *Engine, _ *workspace.Root) {
				if d := cmp.Diff(tt.want, s.recovery); d != "" {
					t.Errorf("recovery (-want +got):\n%s", d)
				}
				open := ""
				for _, a := range e.Open {
					open += a.Phase.String()
				}
				if open != tt.open {
					t.Errorf("open: %q, want %q", open, tt.open)
				}
				if run, spent := Unfinished(s.state.Attempts); run != "dead" || spent != tt.spent {
					t.Errorf("%q has spent %d ticks, want %d", run, spent, tt.spent)
				}
				if err := fmt.Sprint(s.failure); (s.failure == nil) != (tt.err == "") || !strings.Contains(err, tt.err) {
					t.Errorf("%s, want %q", err, tt.err)
				}
				var rolls []string
				for _, r := range must(e.Store.Bought(s.state.Attempts[0].Request)) {
					switch {
					case r.Refused == "":
						rolls = append(rolls, "fine")
					case r.ID == "dead-1":
						rolls = append(rolls, fmt.Sprintf("refused %d", r.Image.Price))
					default:
						rolls = append(rolls, "refused")
					}
				}
				if got := strings.Join(rolls, " "); got != tt.rolls {
					t.Errorf("the index has %q, want %q", got, tt.rolls)
				}
			})
			was := asked
			s.maker.resume = func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
				asked++
				return provider.Reply{}, &provider.Error{Kind: provider.Unfinished, Cause: provider.NotSent}
			}
			s.open(func(e *Engine, _ *workspace.Root) {
				if s.recovery != (Recovery{}) {
					t.Errorf("told again: %+v", s.recovery)
				}
				if len(e.Open) > 0 != (tt.open != "") {
					t.Errorf("open after another run: %+v", e.Open)
				}
				if tt.open == "" && asked > was {
					t.Error("the job of what is settled was asked for")
				}
			})
		})
	}
}

// Jobs are what a provider still has of ours, as far as anybody can know.
func TestJobs(t *testing.T) {
	t.Parallel()
	r := (&provider.Request{Prompt: "a"}).Digest()
	one := []journal.Delivery{{}}
	for _, tt := range []struct {
		name         string
		a            journal.Attempt
		job, awaited bool
	}{
		{"accepted", journal.Attempt{Intent: journal.Intent{Request: r, N: 1}, Phase: journal.Accepted, JobID: "j"}, true, true},
		{"nobody knows whose", journal.Attempt{Phase: journal.Accepted, JobID: "j"}, false, false},
		{"lost", journal.Attempt{Intent: journal.Intent{Request: r, N: 1}, Phase: journal.InDoubt, JobID: "j"}, true, false},
		{"a call in doubt", journal.Attempt{Intent: journal.Intent{Request: r, N: 1}, Phase: journal.InDoubt}, false, false},
		{"one of two came", journal.Attempt{Intent: journal.Intent{Request: r, N: 2}, Phase: journal.Delivered, JobID: "j", Deliveries: one}, true, true},
		{"all came", journal.Attempt{Intent: journal.Intent{Request: r, N: 1}, Phase: journal.Stored, JobID: "j", Deliveries: one}, false, false},
		{"a call of which one came", journal.Attempt{Intent: journal.Intent{Request: r, N: 2}, Phase: journal.Delivered, Deliveries: one}, false, false},
		{"sent", journal.Attempt{Intent: journal.Intent{Request: r, N: 1}, Phase: journal.Sent}, false, false},
		{"done", journal.Attempt{Intent: journal.Intent{Request: r, N: 1}, Phase: journal.Done, JobID: "j"}, false, false},
	} {
		n := 0
		if tt.job {
			n = 2
		}
		if got := Jobs([]journal.Attempt{tt.a, tt.a}); got != n || Awaited(&tt.a) != tt.awaited {
			t.Errorf("%s: %d jobs of two, awaited %v", tt.name, got, Awaited(&tt.a))
		}
	}
}

// What the store's index is told again after a power cut is what the run itself
// noted; what is not settled is not in it.
func TestRolls(t *testing.T) {
	t.Parallel()
	r := &provider.Request{Provider: "fake", Model: "m", Prompt: "a"}
	c := digest.OfContent([]byte("x"))
	a := &journal.Attempt{ID: "p-1.0", Intent: journal.Intent{Request: r.Digest(), Fields: r.Fields(), N: 4}, Deliveries: []journal.Delivery{
		{Index: 0, Content: c, Width: 3, Height: 2, Bytes: 9, MIME: "image/png", Model: "m", RevisedPrompt: "b", Price: 7},
		{Index: 1, Content: c, Width: 1, Height: 1, Model: "m-2026"},
		{Index: 2, Refused: "gone", Price: 7},
		{Index: 3, Content: c, Price: 7}, // came, and nobody looked at it
	}}
	want := []store.Roll{
		{ID: "p-1.0/0", Image: provider.Image{Content: c, Width: 3, Height: 2, Bytes: 9, MIME: "image/png", RevisedPrompt: "b", Price: 7}},
		{ID: "p-1.0/1", Image: provider.Image{Content: c, Width: 1, Height: 1, Model: "m-2026"}},
		{ID: "p-1.0/2", Refused: "gone", Image: provider.Image{Price: 7}},
	}
	if d := cmp.Diff(want, Rolls(a)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !Unsettled(*a) {
		t.Error("the last image is not known to be there")
	}
	if a.Deliveries = a.Deliveries[:3]; Unsettled(*a) {
		t.Error("all is settled")
	}
}

// The journal lets go of what has ended, and keeps what may still come, be owed
// or be paid twice. A budget goes on until its run has ended.
func TestSettleKeeps(t *testing.T) {
	t.Parallel()
	sent, job := journal.Record{Type: journal.TypeSent}, journal.Record{Type: journal.TypeJob, JobID: "j"}
	tests := map[string]struct {
		left  []journal.Record
		keeps bool // when the run has ended
	}{
		"intended":         {nil, false},
		"sent":             {[]journal.Record{sent}, true},
		"accepted":         {[]journal.Record{sent, job}, true},
		"in doubt":         {[]journal.Record{sent, {Type: journal.TypeInDoubt, Price: 5}}, true},
		"not in the store": {[]journal.Record{sent, receipt(0, "http://x", 7), receipt(1, "http://x", 7)}, true},
		"one of a job":     {[]journal.Record{sent, job, receipt(0, "", 7), {Type: journal.TypeUnusable, Reason: "gone", Delivery: &journal.Delivery{}}}, true},
		"refused":          {[]journal.Record{sent, receipt(0, "", 7), {Type: journal.TypeUnusable, Reason: "gone", Delivery: &journal.Delivery{}}, {Type: journal.TypeDone}}, false},
		"done":             {[]journal.Record{sent, {Type: journal.TypeDone}}, false},
		"failed":           {[]journal.Record{sent, {Type: journal.TypeFailed}}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.past(2, tt.left...)
			settle := func(ended, keeps bool, run string) {
				t.Helper()
				root := s.root()
				j, _, err := journal.Open(root.FS(".imgbuild/journal"))
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				e := &Engine{Journal: j, Store: &store.Tiers{Local: store.Open(root.FS(".imgbuild/store"))}, Process: "p"}
				if err := e.Settle(ended); err != nil {
					t.Fatal(err)
				}
				state := must(journal.Read(root.FS(".imgbuild/journal")))
				if len(state.Attempts) > 0 != keeps {
					t.Errorf("ended %v: kept %+v", ended, state.Attempts)
				}
				if got, _ := Unfinished(state.Attempts); got != run {
					t.Errorf("ended %v: the budget of run %q goes on, want %q", ended, got, run)
				}
			}
			settle(false, true, "dead")
			settle(true, tt.keeps, "")
			settle(false, tt.keeps, "")
		})
	}
}

// A journal is not let go of before the store has all on the disk, and what the
// disk refuses is told.
func TestSettleFails(t *testing.T) {
	t.Parallel()
	fails := 0
	faultfs.Each(faultfs.Fail, func(fault faultfs.Fault) (f *faultfs.FS) {
		s := newSite(t)
		s.past(1, journal.Record{Type: journal.TypeSent})
		root := must(workspace.OpenOver(s.dir, func(real workspace.FS) workspace.FS {
			f = faultfs.Wrap(real, fault)
			return f
		}))
		defer root.Close()
		e := &Engine{Store: &store.Tiers{Local: store.Open(root.FS(".imgbuild/store"))}, Process: "p"}
		j, state, err := journal.Open(root.FS(".imgbuild/journal"))
		if err != nil {
			return f
		}
		defer j.Close()
		e.Journal = j
		r := &provider.Request{Prompt: "b"}
		if err := e.Store.Record(r.Digest(), r.Fields(), store.Roll{ID: "x", Refused: "gone"}); err != nil || len(state.Attempts) != 1 {
			return f
		}
		before := f.Hit()
		err = e.Settle(true)
		if hit := !before && f.Hit(); hit {
			fails++
		} else if err != nil {
			t.Errorf("fault at %d: %v", fault.At, err)
			return f
		}
		j.Close()
		run, _ := Unfinished(must(journal.Read(s.root().FS(".imgbuild/journal"))).Attempts)
		if err == nil && run != "" {
			t.Errorf("fault at %d: the run goes on, and nobody was told", fault.At)
		}
		return f
	})
	if fails < 5 {
		t.Errorf("%d faults were met", fails)
	}
}
