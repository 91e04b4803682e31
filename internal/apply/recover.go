package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
)

// Recovery is what an earlier run left and what became of it.
type Recovery struct {
	Images int            // paid for, and now in the store
	Paid   provider.Money // for those
	Lost   int            // paid for, and gone or unusable
	Doubts int            // newly held as in doubt
	Price  provider.Money // of what is newly in doubt
}

// Recover finishes what a run that died had under way, without sending
// anything that costs money: jobs are polled until they end, what was delivered
// is fetched into the store, what was sent and not answered is held as in
// doubt. The attempts that are still open are then in Open, and those of state say
// what they have cost by now.
func (e *Engine) Recover(ctx context.Context, state journal.State) (Recovery, error) {
	e.pixels = newWorkshop(e.limits())
	var rec Recovery
	var failure error
	resumed := e.resumeAll(ctx, state.Attempts)
	for i := range state.Attempts {
		a := &state.Attempts[i]
		if a.Request.IsZero() {
			// A salvaged journal may have lost what it was for: there is nothing to
			// ask or to record, and it must not be forgotten.
			if !a.Phase.Settled() {
				e.Open = append(e.Open, *a)
			}
			continue
		}
		if a.Phase == journal.Intended || a.Phase.Settled() && len(a.Deliveries) == 0 && a.Phase != journal.Unusable {
			continue
		}
		var open bool
		var err error
		if r, ok := resumed[a.ID]; ok {
			open, err = r.tell(a, &rec)
			if a.Spent += r.purchase.paid; !open { // what it cost is known now
				a.Spent += r.purchase.doubt
				a.Phase = journal.Done
			}
		} else {
			open, err = e.recoverOne(ctx, a, &rec)
		}
		failure = errors.Join(failure, err)
		if open {
			e.Open = append(e.Open, *a)
		}
	}
	if e.remembered {
		failure = errors.Join(failure, e.SaveLock(e.Lock))
	}
	return rec, failure
}

// Jobs counts the requests that a provider has accepted and whose end was not
// seen: Recover asks for them, which may take as long as drawing does.
func Jobs(attempts []journal.Attempt) (n int) {
	for i := range attempts {
		if isJob(&attempts[i]) {
			n++
		}
	}
	return n
}

// isJob reports whether there is a job to ask for. Of a job with several
// images a crash may have kept only some of the receipts; and a job that was
// not found may be found later: asking is free.
func isJob(a *journal.Attempt) bool {
	if a.Request.IsZero() {
		return false // nobody knows whose it is
	}
	switch a.Phase {
	case journal.Accepted:
		return true
	case journal.InDoubt:
		return a.JobID != ""
	case journal.Delivered, journal.Stored:
		return a.JobID != "" && len(a.Deliveries) < a.N
	}
	return false
}

// Awaited reports whether a job of an earlier run is still to bring images:
// until then they are neither bought nor in doubt.
func Awaited(a *journal.Attempt) bool { return a.Phase != journal.InDoubt && isJob(a) }

// recoverTime is how long a run waits for the jobs of an earlier one. What is
// not ready then stands in the plan, and the rest goes on.
const recoverTime = time.Minute

// resumption is what became of a job of an earlier run.
type resumption struct {
	sink     *sink
	purchase purchase
	rec      Recovery // of what had been delivered already
	fetch    error    // of that: it says nothing of the job
}

// resumeAll polls the jobs side by side.
func (e *Engine) resumeAll(ctx context.Context, attempts []journal.Attempt) map[string]*resumption {
	out := map[string]*resumption{}
	ctx, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(max(1, e.Parallelism))
	for i := range attempts {
		if a := &attempts[i]; isJob(a) {
			r := &resumption{}
			out[a.ID] = r
			group.Go(func() error {
				e.resume(ctx, a, r)
				return nil
			})
		}
	}
	_ = group.Wait() // each tells its own trouble
	return out
}

func (e *Engine) resume(ctx context.Context, a *journal.Attempt, out *resumption) {
	request := provider.RequestOf(a.Fields, a.N, a.First)
	s := &sink{engine: e, address: spec.Address(a.Address), provider: a.Provider, digest: a.Request, fields: a.Fields, request: request, id: a.ID,
		resumed: true, known: map[int]bool{}, sent: true, jobID: a.JobID, tell: func(Event) {}, came: func(provider.Money, []byte) {}}
	if a.N > 0 {
		s.each = a.Estimate / provider.Money(a.N)
	}
	out.sink = s
	// What was told already is fetched first: its URL may end.
	for k := range a.Deliveries {
		d := &a.Deliveries[k]
		s.known[d.Index] = true
		if err := e.takeAgain(ctx, a, d, &out.rec); err != nil {
			out.fetch = err
			return
		}
	}
	unfinished := func(format string, args ...any) *provider.Error {
		return &provider.Error{Kind: provider.Unfinished, Message: fmt.Sprintf("job %s was accepted ", a.JobID) + fmt.Sprintf(format, args...)}
	}
	if here := e.endpoint(a.Provider); here != a.Endpoint {
		// Another server would not know it, and would make it look lost.
		out.purchase.err = unfinished("by %s, and %s asks %s now", where(a.Endpoint), a.Provider, where(here))
		return
	}
	maker, err := e.Maker(a.Provider)
	if err != nil {
		out.purchase.err = unfinished("and can't be asked for: %v", err)
		return
	}
	reply, err := maker.Resume(ctx, a.JobID, request, s)
	var pe *provider.Error
	if errors.As(err, &pe) && pe.Kind == provider.InDoubt && a.Phase == journal.InDoubt {
		out.purchase.err = withhold(request, err) // as before
		return
	}
	e.conclude(ctx, maker, s, reply, err, &out.purchase)
	if a.Phase == journal.InDoubt && err != nil && !verdict(pe) && (pe == nil || pe.Cause == 0) {
		// It was given up for lost, and goes on: no doubt that may be sent again.
		if err := e.Journal.Append(journal.Record{Type: journal.TypeJob, Attempt: a.ID, JobID: a.JobID}); err != nil {
			out.purchase.err = errors.Join(out.purchase.err, err)
			return
		}
		a.Phase, a.Doubt = journal.Accepted, 0
	}
}

func where(endpoint string) string { return cmp.Or(endpoint, "the provider's own endpoint") }

// tell brings a up to date and reports whether it stays open.
func (r *resumption) tell(a *journal.Attempt, rec *Recovery) (open bool, err error) {
	p := &r.purchase
	rec.Images += len(p.images) + r.rec.Images
	rec.Paid += r.rec.Paid
	for i := range p.images {
		rec.Paid += p.images[i].Price
	}
	rec.Lost += len(p.refused) + r.rec.Lost
	var pe *provider.Error
	errors.As(p.err, &pe)
	switch {
	case r.fetch != nil:
		return true, r.fetch
	case p.err == nil:
		return false, nil
	case pe != nil && pe.Kind == provider.InDoubt:
		if a.Phase != journal.InDoubt {
			a.Phase, a.Doubt = journal.InDoubt, p.doubt
			rec.Doubts++
			rec.Price += p.doubt
		}
		return true, nil
	case len(r.sink.deliveries) > len(p.images)+len(p.refused):
		// Receipts are there, and not all bytes yet.
		a.Phase = journal.Delivered
		for _, d := range r.sink.deliveries {
			a.Deliveries = append(a.Deliveries, journal.Delivery{Index: d.index, URL: d.URL, Price: d.price})
		}
	case verdict(pe):
		return false, nil // journaled
	}
	return true, fmt.Errorf("%s: %w", a.Address, p.err)
}

// recoverOne reports whether the attempt stays open.
func (e *Engine) recoverOne(ctx context.Context, a *journal.Attempt, rec *Recovery) (open bool, err error) {
	var failure error
	rest := a.Spent // on what was not delivered
	for k := range a.Deliveries {
		d := &a.Deliveries[k]
		rest -= d.Price
		failure = errors.Join(failure, e.takeAgain(ctx, a, d, rec))
	}
	if a.Phase == journal.Unusable {
		failure = errors.Join(failure, e.Store.Record(a.Request, a.Fields, store.Roll{ID: a.ID, Refused: a.Reason, Image: provider.Image{Price: rest}}))
	}
	switch {
	case failure != nil:
		return true, failure
	case a.Phase == journal.InDoubt:
		return true, nil
	case a.Phase.Settled():
		return false, nil
	case a.Phase == journal.Sent, a.Asked && len(a.Deliveries) < a.N:
		_, price := a.Rest()
		rec.Doubts++
		rec.Price += price
		a.Phase, a.Doubt = journal.InDoubt, price
		return true, e.Journal.Append(journal.Record{Type: journal.TypeInDoubt, Attempt: a.ID, Reason: "the run ended before the reply came", Price: price})
	}
	return false, e.Journal.Append(journal.Record{Type: journal.TypeDone, Attempt: a.ID})
}

// takeAgain makes sure that the store has a delivery of an earlier run and knows
// whose it is.
func (e *Engine) takeAgain(ctx context.Context, a *journal.Attempt, d *journal.Delivery, rec *Recovery) error {
	if d.Refused != "" || d.Width > 0 {
		// Settled; but a power cut may have taken what the index noted.
		return e.Store.Record(a.Request, a.Fields, rollOf(a, d))
	}
	return e.fetch(ctx, a, d, rec)
}

// fetch brings one delivery of an earlier run into the store.
func (e *Engine) fetch(ctx context.Context, a *journal.Attempt, d *journal.Delivery, rec *Recovery) error {
	r := provider.RequestOf(a.Fields, a.N, a.First)
	var maker provider.Maker
	var err error
	if d.URL != "" {
		if here := e.endpoint(a.Provider); here != a.Endpoint {
			return fmt.Errorf("%s: paid for at %s and not fetched yet, and %s asks %s now", a.Address, where(a.Endpoint), a.Provider, where(here))
		}
		if maker, err = e.Maker(a.Provider); err != nil {
			return fmt.Errorf("%s: %w", a.Address, err)
		}
	}
	from := delivery{index: d.Index, price: d.Price, content: d.Content, Delivery: provider.Delivery{
		URL: d.URL, MIME: d.MIME, Model: d.Model, RevisedPrompt: d.RevisedPrompt, Moderated: d.Moderated}}
	_, _, why, err := e.takeOne(ctx, maker, a.ID, a.Request, a.Fields, r, from, true)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", a.Address, err)
	case why == "":
		rec.Images++
		rec.Paid += d.Price
	default:
		rec.Lost++
		e.remember(a, d, r, why)
	}
	return nil
}

// remember puts a refusal that a run finds out later where the run itself would
// have put it: the store's index, which has it, is not committed.
func (e *Engine) remember(a *journal.Attempt, d *journal.Delivery, r *provider.Request, why string) {
	var p purchase
	p.refuse_(r, "unusable", why, d.Price, a.Request)
	e.remembering.Lock()
	defer e.remembering.Unlock()
	entry := lock.Entry{Address: spec.Address(a.Address)}
	if known := e.Lock.Get(entry.Address); known != nil {
		entry = *known
	}
	entry.Refused = append(slices.Clone(entry.Refused), p.refused...)
	e.Lock.Set(entry)
	e.remembered = true
}

// Rolls are what an attempt has brought into the store, as its index notes it.
func Rolls(a *journal.Attempt) (out []store.Roll) {
	for i := range a.Deliveries {
		if d := &a.Deliveries[i]; d.Refused != "" || d.Width > 0 {
			out = append(out, rollOf(a, d))
		}
	}
	return out
}

// rollOf is what the run itself would have noted.
func rollOf(a *journal.Attempt, d *journal.Delivery) store.Roll {
	im := provider.Image{Content: d.Content, Bytes: d.Bytes, Width: d.Width, Height: d.Height, MIME: d.MIME,
		Model: d.Model, RevisedPrompt: d.RevisedPrompt, Price: d.Price, C2PA: d.C2PA, SourceType: d.SourceType}
	if im.Model == provider.RequestOf(a.Fields, a.N, a.First).Model {
		im.Model = ""
	}
	return store.Roll{ID: fmt.Sprintf("%s/%d", a.ID, d.Index), Refused: d.Refused, Image: im}
}

// Unfinished is the run that did not end normally, and what it has spent or
// may have spent; "" if there is none. Its budgets go on.
func Unfinished(attempts []journal.Attempt) (run string, spent provider.Money) {
	for i := range attempts {
		if attempts[i].Run != "" {
			run = attempts[i].Run
		}
	}
	return run, SpentBefore(attempts, run, func(*journal.Attempt) bool { return true })
}

// Settle compacts the journal once the lock is durable: only what is in doubt
// or under way stays. ended tells whether the run that spends has ended; a verb
// that buys nothing is none, and must not free the budget of one that died.
func (e *Engine) Settle(ended bool) error {
	if err := e.Store.Sync(); err != nil {
		return err
	}
	runs := map[string]bool{}
	err := e.Journal.Compact(func(a journal.Attempt) bool {
		keep := a.Phase == journal.InDoubt || a.Phase == journal.Accepted || a.Phase == journal.Sent || Unsettled(a) || isJob(&a) || !ended && a.Run != ""
		if keep && a.Run != "" && ended {
			runs[a.Run] = true
		}
		return keep
	})
	if err != nil {
		return err
	}
	// A crash before this counts what is kept for the budget of the next run:
	// too careful, and never too little.
	for run := range runs {
		if err := e.Journal.Append(journal.Record{Type: journal.TypeRunEnd, Attempt: e.Process, Reason: run}); err != nil {
			return err
		}
	}
	return nil
}

// Unsettled reports whether something was delivered that is not in the store,
// or not measured yet: Recover takes it in for free.
func Unsettled(a journal.Attempt) bool {
	return slices.ContainsFunc(a.Deliveries, func(d journal.Delivery) bool { return d.Refused == "" && d.Width == 0 })
}
