package apply

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/encoder"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// saveEvery is how often, at most, the lock is rewritten during a run. The
// journal and the store's index hold the truth in between.
const saveEvery = 2 * time.Second

// Engine is what Apply and Recover work with.
type Engine struct {
	Out      *workspace.Root // where outputs are written
	Sources  *workspace.Root // where the files of edits are read
	Store    *store.Tiers
	Journal  *journal.Journal
	Lock     *lock.Lock // owned by Apply until it returns
	SaveLock func(*lock.Lock) error
	Maker    func(provider string) (provider.Maker, error)
	Endpoint func(provider string) string // where it is asked; "" for its own. May be nil
	Offer    func(providerKey, model string) (*provider.Offer, bool)

	Limits imaging.Limits // of the pictures that are read; zero for the default ones

	Process     string // unique among all processes that work on the project: letters, digits and dashes
	Run         string // whose budget it is: Process, or the run that did not end normally
	Parallelism int    // paid steps at once, at least 1
	MaxCost     *provider.Money
	Before      provider.Money    // spent by this run before a crash
	Dearer      Dearer            // what this run learned of prices before a crash. May be nil
	Budgets     []Budget          // further ones, of the steps that name them
	Unpriced    bool              // budgets allow what has no known price, one at a time until a reply tells it
	NotReady    map[string]string // provider key -> why it can't be asked at all
	FailFast    bool
	Saved       bool                    // the plan was made earlier: the store may have got more since
	Protects    func(spec.Address) bool // whose picture must stay as it is. May be nil
	Grace       time.Duration           // how long, at most, the caller waits for what runs once it has closed stop; to be told
	Event       func(Event)             // called from one goroutine at a time

	// Encoders write the outputs. May be nil: then only what is written in
	// process can be.
	Encoders *encoder.Set

	// Judge says which postcondition of an image speaks against a picture, ""
	// for none; nil if nothing is judged. It is called by many goroutines.
	Judge func(spec.Address, *Picture) (why string, err error)
	// Recorded is told of each entry once it is settled, before what needs it
	// starts. May be nil.
	Recorded func(*lock.Entry)

	Now func() time.Time

	// Open are the attempts of earlier runs that are not settled.
	Open []journal.Attempt

	stop     <-chan struct{}
	copies   map[digest.Content][]string // outputs that are copies of a candidate
	pixels   *workshop
	looked   sync.Map // by content of a file that is edited: what sound found, a func
	events   chan Event
	attempts int
	inFlight atomic.Int32 // requests that were sent and whose step has not ended: not what waits its turn

	remembering sync.Mutex // the lock, while an earlier run's jobs end side by side
	remembered  bool       // it has refusals that are not saved
}

// job is a step that may start, with all that it needs from the lock.
type job struct {
	step     *plan.Step
	place    int
	request  provider.Request
	digest   digest.Request
	need     int
	have     []provider.Image
	entry    lock.Entry // as it is now; zero if there is none
	outputs  []plan.Output
	each     provider.Money // estimated price of an image
	priced   bool           // whether it is known
	blind    bool           // it is not, and a budget counts
	free     bool           // by its offer: nothing can ever be owed
	attempt  string
	unsigned []string       // outputs that lack the C2PA manifest of their original
	landed   provider.Money // of images that came; owned by the runner
	charged  provider.Money // by the receipts so far; owned by the runner
}

// result is what became of a job.
type result struct {
	job     *job
	entry   *lock.Entry // to record, nil if nothing changed
	kind    EventKind
	err     error
	paid    provider.Money
	doubt   provider.Money
	broken  bool // by a mistake of ours: what was paid is not known
	unknown bool // more than that may be owed, and nobody knows how much
	paths   []string
	notes   []string
	gone    []string // deleted
	took    time.Duration
	refuse  bool   // the provider refuses everything: stop asking it
	unkept  string // what to do about a disk that refused what was bought: buy no more
}

// runner is the goroutine that owns lock, budget and order.
type runner struct {
	*Engine
	ctx      context.Context
	plan     *plan.Plan
	at       map[spec.Address]int // place of the step of an address
	waits    []int                // steps before it that have not ended
	needed   [][]int              // steps that wait for it
	height   []int                // length of the longest chain behind it
	ended    []bool
	outcomes []Outcome
	paid     queue // steps that may start and may cost money
	free     queue // steps that may start and are free
	paying   int   // paid steps running
	working  int   // free steps running
	results  chan result
	group    errgroup.Group
	spent    provider.Money
	landed   provider.Money // of images that came, of steps that have not ended
	running  map[spec.Address]*job
	reserved provider.Money
	doubt    provider.Money
	budget   bool
	named    []purse
	empty    []string                  // of named: those that did not allow a step
	stopping bool                      // by a signal
	halted   bool                      // by a failure
	unsaved  bool                      // the lock can't be written
	unkept   string                    // what to do about a disk that refused what was bought
	blind    bool                      // a step runs whose price nobody knows: nothing else is bought beside it
	unknown  bool                      // for a request whose price nobody knows something may be owed
	aside    []int                     // steps of unknown price that wait until nothing is bought
	told     map[string]provider.Money // by provider and model: the dearest image of those without a known price
	dearer   Dearer
	refused  map[string]string // provider key -> why it is not asked any more
	saved    time.Time
	dirty    bool
}

func (e *Engine) limits() imaging.Limits {
	if e.Limits == (imaging.Limits{}) {
		return imaging.DefaultLimits
	}
	return e.Limits
}

// Apply carries out p. Closing stop starts nothing new and lets what runs
// finish; cancelling ctx abandons what runs, too. The error is about the disk:
// what could not be recorded.
func (e *Engine) Apply(ctx context.Context, stop <-chan struct{}, p *plan.Plan) (Result, error) {
	e.pixels = newWorkshop(e.limits())
	e.events = make(chan Event, 64)
	e.findCopies()
	if e.NotReady == nil {
		e.NotReady = map[string]string{}
	}
	halt := make(chan struct{})
	e.stop = halt
	r := &runner{Engine: e, ctx: ctx, plan: p, results: make(chan result), spent: e.Before, refused: maps.Clone(e.NotReady), running: map[spec.Address]*job{}, dearer: maps.Clone(e.Dearer), told: map[string]provider.Money{}, saved: e.Now()}
	for _, b := range e.Budgets {
		r.named = append(r.named, purse{b, b.Before})
	}
	r.unknown = slices.ContainsFunc(e.Open, e.unknown)
	r.order()
	var failure error
	halted := func() {
		stop = nil
		close(halt)
		r.stopping = true
		r.tell(Event{Kind: Stopping, Count: int(e.inFlight.Load()), Wait: e.Grace})
	}
	for {
		select {
		case <-stop: // before anything new is started
			halted()
		default:
		}
		if !r.stopping && !r.halted {
			r.start()
		}
		if r.paying+r.working == 0 {
			break
		}
		select {
		case res := <-r.results:
			for len(e.events) > 0 { // what the step told before it ended
				r.tell(<-e.events)
			}
			failure = errors.Join(failure, r.end(res))
		case ev := <-e.events:
			r.tell(ev)
		case <-stop:
			halted()
		}
	}
	r.group.Wait()
	for len(e.events) > 0 {
		r.tell(<-e.events)
	}
	for i := range p.Steps {
		if !r.ended[i] && !p.Steps[i].Verb.Standing() {
			r.skip(i, r.whyNot(i))
		}
	}
	if r.dirty && !r.unsaved {
		failure = errors.Join(failure, e.SaveLock(e.Lock))
	}
	res := Result{Spent: r.spent - e.Before, Doubt: r.doubt, Stopped: r.stopping || ctx.Err() != nil, Budget: r.budget, Budgets: r.empty}
	for i, o := range r.outcomes {
		if o.Kind != "" && !p.Steps[i].Verb.Standing() {
			res.Outcomes = append(res.Outcomes, o)
		}
	}
	return res, failure
}

// stopped reports whether nothing new may be sent.
func (e *Engine) stopped() bool {
	select {
	case <-e.stop:
		return true
	default:
		return false
	}
}

// findCopies notes which outputs are byte-for-byte copies of a candidate: they
// stand in for an original that is on no tier.
func (e *Engine) findCopies() {
	e.copies = map[digest.Content][]string{}
	for i := range e.Lock.Entries {
		for _, o := range e.Lock.Entries[i].Outputs {
			if o.Content == o.Of {
				e.copies[o.Content] = append(e.copies[o.Content], o.Path)
			}
		}
	}
}

// order counts for each step what it waits for.
func (r *runner) order() {
	n := len(r.plan.Steps)
	r.at = make(map[spec.Address]int, n)
	r.waits, r.needed, r.height = make([]int, n), make([][]int, n), make([]int, n)
	r.ended, r.outcomes = make([]bool, n), make([]Outcome, n)
	for i := range r.plan.Steps {
		r.at[r.plan.Steps[i].Address] = i
	}
	for i := range r.plan.Steps {
		for _, a := range r.plan.Steps[i].After {
			if j, ok := r.at[a]; ok {
				r.waits[i]++
				r.needed[j] = append(r.needed[j], i)
			}
		}
	}
	// The plan's order respects After, so the ends of chains come last.
	for i := n - 1; i >= 0; i-- {
		for _, j := range r.needed[i] {
			r.height[i] = max(r.height[i], r.height[j]+1)
		}
	}
	less := func(a, b int) bool {
		return cmp.Or(cmp.Compare(r.height[b], r.height[a]), cmp.Compare(a, b)) < 0
	}
	r.paid.less, r.free.less = less, less
	for i := range r.plan.Steps {
		switch {
		case r.plan.Steps[i].Verb.Standing():
			r.fail(i, "")
		case r.waits[i] == 0 && !r.ended[i]:
			r.push(i)
		}
	}
}

func (r *runner) push(i int) {
	if r.plan.Steps[i].Verb.Paid() {
		heap.Push(&r.paid, i)
	} else {
		heap.Push(&r.free, i)
	}
}

// start starts what may start. Free steps have places of their own. A step
// that was done before ends at once and lets others start, of either kind.
func (r *runner) start() {
	for !r.halted && r.ctx.Err() == nil {
		switch {
		case r.paying < r.Parallelism && r.paid.Len() > 0 && !r.blind:
			r.launch(heap.Pop(&r.paid).(int))
		case r.working < cap(r.pixels.places) && r.free.Len() > 0:
			r.launch(heap.Pop(&r.free).(int))
		default:
			return
		}
	}
}

func (r *runner) launch(i int) {
	if r.ended[i] {
		return
	}
	step := &r.plan.Steps[i]
	j, kind, err := r.prepare(i, step)
	if kind != "" {
		r.conclude(i, kind, err)
		return
	}
	cost := j.cost()
	if j.need > 0 {
		if why, ok := r.refused[step.Provider]; ok {
			r.conclude(i, Skipped, errors.New(why))
			return
		}
		if r.unkept != "" {
			r.conclude(i, Skipped, &hinted{errors.New("what came before it could not be kept; nothing was sent"), r.unkept})
			return
		}
		if !j.priced && r.Unpriced && r.limited(step) {
			// A reply has told what such an image costs; without one, it is found
			// out one at a time.
			j.each = r.told[j.model()]
			cost, j.priced, j.blind = j.cost(), j.each > 0, j.each == 0
			if j.blind && r.paying > 0 {
				r.aside = append(r.aside, i)
				return
			}
		}
		expected := cost
		j.each = r.dearer.price(j.model(), j.each)
		cost = j.cost()
		if err := r.afford(step, cost, j.priced); err != nil {
			if cost > expected {
				err = fmt.Errorf("%w: an image of %s was charged more than expected", err, j.model())
			}
			r.conclude(i, Skipped, err)
			return
		}
		r.blind = j.blind
		r.reserve(j, cost)
		r.attempts++
		j.attempt = fmt.Sprintf("%s-%d", r.Process, r.attempts)
	}
	if step.Verb.Paid() {
		r.paying++
	} else {
		r.working++
	}
	r.running[step.Address] = j
	r.tell(Event{Kind: Started, Address: step.Address, Verb: step.Verb})
	begun := r.Now()
	r.group.Go(func() error {
		res := r.survive(j)
		res.job, res.took = j, r.Now().Sub(begun)
		r.results <- res
		return nil
	})
}

// survive is carryOut for which a mistake of ours is one more failure: what
// others have in flight is paid for.
func (r *runner) survive(j *job) (res result) {
	defer func() {
		if p := recover(); p != nil {
			res = result{kind: Failed, broken: true, err: mistake(p)}
		}
	}()
	return r.carryOut(r.ctx, j)
}

// mistake is the error of a deferred function that has recovered p.
func mistake(p any) error {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(4, pc)]) // beside this one, its caller and gopanic
	at, more := frames.Next()
	for more && strings.HasPrefix(at.Function, "runtime.") {
		at, more = frames.Next()
	}
	return &hinted{fmt.Errorf("imgbuild made a mistake: %v, in %s:%d", p, filepath.Base(at.File), at.Line),
		"report it; what was paid for is kept, and the next imgbuild apply takes it in"}
}

// model is whose price counts for the job.
func (j *job) model() string { return j.step.Provider + " " + j.request.Model }

// cost is what a job is estimated to cost.
func (j *job) cost() provider.Money { return j.each * provider.Money(j.need) }

// reserve takes a job's place in the budgets for as long as it runs: what it is
// estimated to cost, or more once its receipts say so.
func (r *runner) reserve(j *job, more provider.Money) {
	r.reserved += more
	for _, p := range r.purses(j.step) {
		p.used += more
	}
}

// prepare fits a step to the lock as it is now. A kind other than "" ends the
// step at once.
func (r *runner) prepare(i int, step *plan.Step) (*job, EventKind, error) {
	j := &job{step: step, place: i, request: step.Request, digest: step.Digest, need: step.Need, outputs: step.Outputs}
	entry := r.Lock.Get(step.Address)
	planned := entry
	if step.From != "" {
		planned = r.Lock.Get(step.From)
	}
	if entry != nil {
		j.entry = *entry
	} else if planned != nil {
		j.entry = *planned
	}
	j.entry.Address = step.Address
	if err := r.contents(j); err != nil {
		return nil, Stale, err
	}
	if planned.Digest() != step.Precondition {
		if entry != nil && done(entry, j) {
			return nil, Done, errors.New("already done")
		}
		return nil, Stale, errors.New("the lock has changed since the plan was made")
	}
	if r.Protects != nil && r.Protects(step.Address) && step.Replaces(planned) {
		return nil, Stale, errors.New("it has been protected since the plan was made")
	}
	if !step.Sealed.IsZero() && (step.Need > 0 || step.Digest.IsZero()) && step.Request.Digest() != step.Sealed {
		return nil, Stale, &hinted{errors.New("its sensitive values are not those that the plan was made with"),
			"give the variables the same values again, or make a new plan"}
	}
	j.have = slices.Clone(step.Candidates)
	if step.ShareWith != "" {
		if with := r.Lock.Get(step.ShareWith); with != nil && with.Request == j.digest {
			j.have = slices.Clone(with.Candidates)
		}
		if j.need = max(0, step.N-len(j.have)); j.need > step.Need {
			return nil, Failed, fmt.Errorf("%s has not enough candidates to share", step.ShareWith)
		}
	}
	var unread error // that would tell whether more was bought
	if step.Need > 0 {
		// What the step edits may be known only now, and then be what it was
		// before; and a run that died may have bought since the plan was made.
		if step.Digest.IsZero() && !step.Fresh && j.entry.Request == j.digest {
			j.have = slices.Clone(j.entry.Candidates)
		}
		if step.Digest.IsZero() || r.Saved {
			bought, err := r.unclaimed(j)
			var damage *store.Corrupt
			if err != nil && !errors.As(err, &damage) {
				return nil, Failed, err
			}
			j.have, unread = append(j.have, bought...), err
		}
		j.need = max(0, step.N-len(j.have))
	}
	if j.need > 0 && unread != nil {
		return nil, Failed, &hinted{fmt.Errorf("nothing was sent: %w", unread), "imgbuild doctor -repair"}
	}
	if j.need > 0 {
		if err := r.open(j); err != nil {
			return nil, Skipped, err
		}
	}
	if j.need > 0 {
		if step.Digest.IsZero() && !step.Fresh && !step.RetryRefused && r.wasRefused(j) {
			return nil, Skipped, &hinted{errors.New("the same request was paid for and refused before"), "imgbuild apply -retry-refused asks again"}
		}
		if kind, err := r.encodable(j); err != nil {
			return nil, kind, err
		}
		if kind, err := r.freeToWrite(j); err != nil {
			return nil, kind, err
		}
		if offer, ok := r.Offer(step.Provider, step.Request.Model); ok && offer.Price != nil {
			j.each, j.priced = offer.Price(&j.request)
		}
		j.request.First = step.Rolls + len(j.have)
	}
	return j, "", nil
}

// contents fills in what the step edits, as the lock knows it now.
func (r *runner) contents(j *job) error {
	step := j.step
	j.request.Inputs = slices.Clone(step.Request.Inputs)
	for k, s := range step.Sources {
		if s.Image == "" || k >= len(j.request.Inputs) {
			continue
		}
		var now digest.Content
		if e := r.Lock.Get(s.Image); e != nil {
			pick := max(1, e.Pick)
			if at, ok := r.at[s.Image]; ok {
				pick = r.plan.Steps[at].Pick
			} else if planned := step.Request.Inputs[k].Content; !planned.IsZero() {
				pick = 1 + slices.IndexFunc(e.Candidates, func(c provider.Image) bool { return c.Content == planned })
			}
			if p := e.Picked(pick); p != nil {
				now = p.Content
			}
		}
		planned := step.Request.Inputs[k].Content
		if now.IsZero() || !planned.IsZero() && now != planned {
			return fmt.Errorf("%s has changed since the plan was made", s.Image)
		}
		j.request.Inputs[k].Content = now
	}
	if j.digest.IsZero() && step.N > 0 {
		j.digest = j.request.Digest()
	}
	if len(j.request.Inputs) > 0 {
		// Recipes that restore pixels name the source, which the plan may not have known.
		j.outputs = slices.Clone(step.Outputs)
		for k := range j.outputs {
			j.outputs[k].Recipe = j.restoring(j.outputs[k].Recipe)
		}
	}
	return nil
}

// wasRefused reports whether a reply to the request was paid for and can't be
// used.
func (r *runner) wasRefused(j *job) bool {
	if slices.ContainsFunc(j.entry.Refused, func(x lock.Refusal) bool { return x.Request == j.digest }) {
		return true
	}
	rolls, _ := r.Store.Bought(j.digest) // unclaimed has seen that they can be read
	return slices.ContainsFunc(rolls, func(x store.Roll) bool { return x.Refused != "" })
}

// freeToWrite looks once more at the places of the outputs before money is
// spent.
func (r *runner) freeToWrite(j *job) (EventKind, error) {
	var paths []string
	var expect []digest.Content
	for _, o := range j.outputs {
		if o.Action == plan.Write && !o.Adopt {
			paths, expect = append(paths, o.Path), append(expect, o.Expect)
		}
	}
	seen, err := r.Out.Look(paths)
	if err != nil {
		return Failed, err // another plan would not help
	}
	for i, s := range seen {
		switch {
		case s.State == workspace.Absent:
		case s.State != workspace.Regular, expect[i].IsZero(), s.Known && s.Content != expect[i]:
			return Stale, fmt.Errorf("%s is not what it was when the plan was made", paths[i])
		}
	}
	for _, p := range paths {
		if err := r.Out.MayWrite(path.Dir(p)); err != nil {
			return Failed, fmt.Errorf("nothing was sent, for its file could not be written: %w", err)
		}
	}
	return "", nil
}

// encodable makes sure, before money is spent, that what is bought can be
// written: a saved plan may be of another machine.
func (r *runner) encodable(j *job) (EventKind, error) {
	for _, o := range j.outputs {
		recipe, err := spec.ParseRecipe(o.Recipe)
		if err != nil {
			return Failed, err
		}
		if o.Action != plan.Write || o.Adopt || o.Relabel {
			continue
		}
		if n := j.step.Pick; n > 0 && n <= len(j.have) && recipe.Copies(strings.TrimPrefix(j.have[n-1].MIME, "image/")) {
			continue
		}
		if f := fileOf(recipe); f.External() && (r.Encoders == nil || r.Encoders.Find(f) == "") {
			return Skipped, fmt.Errorf("%s: %w", o.Path, r.noEncoder(f))
		}
	}
	return "", nil
}

// open is why the request must not be sent: an attempt of an earlier run is in
// doubt, or its result is not in yet, and the plan does not send it again.
func (r *runner) open(j *job) error {
	for i := range r.Open {
		a := &r.Open[i]
		if a.Request != j.digest || slices.Contains(j.step.Again, a.ID) {
			continue
		}
		// What belongs to an image that the configuration still has is not ours;
		// that of one that is gone may be of this one, renamed.
		if address := spec.Address(a.Address); address != j.step.Address && address != j.step.From {
			k, planned := r.at[address]
			if planned && !r.plan.Steps[k].Drop || !planned && r.Lock.Get(address) != nil {
				continue
			}
		}
		if a.Phase == journal.InDoubt {
			return &hinted{fmt.Errorf("it was sent before and not answered (%s); it may have been paid", a.ID),
				"imgbuild plan -retry-in-doubt makes a plan that sends it again"}
		}
		return &hinted{fmt.Errorf("an earlier run sent it, and the result is not in yet (%s)", a.ID),
			"imgbuild apply asks for it again; nothing is bought a second time"}
	}
	return nil
}

// unclaimed are images bought before that no entry of the lock holds; of a
// fresh roll, only what was bought since the plan was made. They may come with
// an error about a record that can't be read.
func (r *runner) unclaimed(j *job) (out []provider.Image, err error) {
	rolls, err := r.Store.Bought(j.digest)
	if len(rolls) == 0 {
		return nil, err
	}
	if j.step.Fresh {
		rolls = rolls[min(j.step.Rolls, len(rolls)):]
	}
	var taken []digest.Content
	for k := range r.Lock.Entries {
		if e := &r.Lock.Entries[k]; e.Request == j.digest {
			for _, c := range e.Candidates {
				taken = append(taken, c.Content)
			}
		}
	}
	for _, c := range j.have {
		taken = append(taken, c.Content)
	}
	for _, roll := range rolls {
		if roll.Refused != "" || len(j.have)+len(out) >= j.step.N {
			continue
		}
		if k := slices.Index(taken, roll.Image.Content); k >= 0 {
			taken = slices.Delete(taken, k, k+1)
		} else if r.Store.Has(roll.Image.Content) {
			out = append(out, roll.Image)
		}
	}
	return out, err
}

// done reports whether an entry is what the step would have made: the same
// plan was applied before.
func done(e *lock.Entry, j *job) bool {
	if e.Request != j.digest || len(e.Candidates) < j.step.N {
		return false
	}
	picked := e.Picked(j.step.Pick)
	j.fitSet(picked)
	for _, o := range j.outputs {
		if rec := e.Output(o.Path); o.Action == plan.Write && (rec == nil || picked == nil || rec.Recipe != spec.Settled(o.Recipe, picked) || rec.Of != picked.Content) {
			return false
		} else if rec != nil && o.Name == "" && rec.Placeholder.Known() != o.Placeholder {
			return false
		}
	}
	return true
}

// end records what became of a job.
func (r *runner) end(res result) error {
	j := res.job
	if j.step.Verb.Paid() {
		r.paying--
	} else {
		r.working--
	}
	if j.need > 0 {
		if res.broken { // the journal knows more, and tells the next run
			res.doubt = max(j.cost(), j.charged)
		}
		r.reserve(j, -max(j.cost(), j.charged))
		for _, p := range r.purses(j.step) {
			p.used += res.paid + res.doubt
		}
	}
	if j.blind {
		r.blind, r.unknown = false, r.unknown || res.unknown
	}
	if r.paying == 0 {
		for _, i := range r.aside {
			r.push(i)
		}
		r.aside = nil
	}
	r.learn(j.model(), res.paid, j.cost())
	r.landed -= j.landed
	delete(r.running, j.step.Address)
	r.spent += res.paid
	r.doubt += res.doubt
	if res.entry != nil {
		if from := j.step.From; from != "" {
			r.Lock.Remove(from)
		}
		if j.step.Drop {
			r.Lock.Remove(j.step.Address)
		} else {
			r.Lock.Set(*res.entry)
			if r.Recorded != nil && res.kind == Done {
				r.Recorded(res.entry)
			}
		}
		r.dirty = true
	}
	if res.refuse {
		r.refused[j.step.Provider] = fmt.Sprintf("%s refused an earlier request", j.step.Provider)
	}
	r.unkept = cmp.Or(r.unkept, res.unkept)
	r.outcomes[j.place].Paid = res.paid
	ev := Event{Price: res.paid, Took: res.took, Paths: res.paths, Deleted: res.gone, Notes: res.notes}
	r.concludeWith(j.place, res.kind, res.err, ev)
	if r.dirty && !r.unsaved && r.Now().Sub(r.saved) >= saveEvery {
		begun := r.Now()
		if err := r.SaveLock(r.Lock); err != nil {
			r.halted = true // what can't be recorded must not be bought
			r.unsaved = true
			return err
		}
		// A big lock is saved less often, so that saving stays a small part of the run.
		r.saved, r.dirty = r.Now().Add(20*r.Now().Sub(begun)), false
	}
	return nil
}

func (r *runner) conclude(i int, kind EventKind, err error) {
	r.concludeWith(i, kind, err, Event{})
}

func (r *runner) concludeWith(i int, kind EventKind, err error, ev Event) {
	step := &r.plan.Steps[i]
	r.ended[i] = true
	o := &r.outcomes[i]
	o.Address, o.Verb, o.Kind = step.Address, step.Verb, kind
	if err != nil {
		o.Text, o.Hint = workspace.Plainly(err)
		var pe *provider.Error
		if errors.As(err, &pe) {
			o.Hint = pe.Hint
		}
		var hinted *hinted
		if errors.As(err, &hinted) {
			o.Hint = hinted.hint
		}
	}
	ev.Kind, ev.Address, ev.Verb, ev.Text, ev.Hint = kind, step.Address, step.Verb, o.Text, o.Hint
	r.tell(ev)
	if kind == Done {
		for _, k := range r.needed[i] {
			if r.waits[k]--; r.waits[k] == 0 && !r.ended[k] {
				r.push(k)
			}
		}
		return
	}
	if r.FailFast && (kind == Failed || kind == Doubtful || kind == Accepted) {
		r.halted = true
	}
	r.fail(i, string(step.Address))
}

// fail marks everything that needs step i as skipped, with one reason.
func (r *runner) fail(i int, because string) {
	r.ended[i] = true
	if because == "" {
		because = string(r.plan.Steps[i].Address)
	}
	for _, k := range r.needed[i] {
		if !r.ended[k] {
			r.skip(k, "it needs "+because)
			r.fail(k, because)
		}
	}
}

func (r *runner) skip(i int, why string) {
	step := &r.plan.Steps[i]
	r.ended[i] = true
	r.outcomes[i] = Outcome{Address: step.Address, Verb: step.Verb, Kind: Skipped, Text: why}
	r.tell(Event{Kind: Skipped, Address: step.Address, Verb: step.Verb, Text: why})
}

func (r *runner) whyNot(i int) string {
	if r.ctx.Err() != nil || r.stopping {
		return "the run was stopped"
	}
	if r.unsaved {
		return "the lock can't be saved"
	}
	if r.halted {
		return "another image failed (-fail-fast)"
	}
	return "what it needs did not end"
}

func (r *runner) tell(ev Event) {
	if ev.Kind == charged {
		if j := r.running[ev.Address]; j != nil {
			before := max(j.cost(), j.charged)
			j.charged += ev.Price
			r.learn(j.model(), ev.Price, j.each)
			if j.blind {
				r.told[j.model()] = max(r.told[j.model()], ev.Price)
			}
			r.reserve(j, max(j.cost(), j.charged)-before)
		}
		return
	}
	if ev.At.IsZero() {
		ev.At = r.Now()
	}
	if ev.Kind == Received {
		r.landed += ev.Price
		if j := r.running[ev.Address]; j != nil {
			j.landed += ev.Price
		}
	}
	ev.Spent = r.spent + r.landed - r.Before
	r.Event(ev)
}

// hinted is an error with an edit or a command for the user.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// queue is the steps that may start, best first.
type queue struct {
	items []int
	less  func(a, b int) bool
}

func (q *queue) Len() int           { return len(q.items) }
func (q *queue) Less(i, j int) bool { return q.less(q.items[i], q.items[j]) }
func (q *queue) Swap(i, j int)      { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *queue) Push(x any)         { q.items = append(q.items, x.(int)) }
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}
