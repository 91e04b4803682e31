package apply

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// carryOut does a step. It runs beside the others and owns only its image.
func (e *Engine) carryOut(ctx context.Context, j *job) result {
	entry := j.entry
	entry.Outputs = slices.Clone(entry.Outputs)
	res := result{kind: Done}
	var picked []byte
	short, extra := false, 0 // what is to be used did not come; images that nobody asked for did
	if j.step.Import != "" {
		var err error
		if picked, res.kind, err = e.adopt(ctx, j); err != nil {
			return result{kind: res.kind, err: err}
		}
	}
	if j.step.N > 0 {
		// What was refused for another prompt stays known: it may come back.
		entry.Refused = slices.DeleteFunc(slices.Clone(entry.Refused), func(r lock.Refusal) bool { return r.Request == j.digest })
		bought := e.buy(ctx, j)
		if bought.picked != nil {
			picked = bought.picked
		}
		res.paid, res.doubt, res.unknown, res.err, res.refuse = bought.paid, bought.doubt, bought.unknown, bought.err, bought.refuse
		res.unkept = cmp.Or(bought.unkept, workspace.Advice(bought.err))
		entry.Refused = append(entry.Refused, bought.refused...)
		entry.Pick = j.step.LockPick
		candidates := append(slices.Clone(j.have), bought.images...)
		switch {
		case len(candidates) > 0:
			entry.Request, entry.Candidates = j.digest, candidates
			entry.SetFields(j.request.Fields())
		case len(bought.refused) > 0:
			// The old picture stays; what was refused is remembered beside it.
			entry.Request, entry.Candidates, entry.Pick = j.entry.Request, slices.Clone(j.entry.Candidates), j.entry.Pick
			entry.SetFields(j.entry.Fields())
		default:
			res.kind = kindOf(bought.err)
			var pe *provider.Error
			if e.stopped() && errors.As(bought.err, &pe) && pe.Kind == provider.NotSent {
				res.kind, res.err = Skipped, errors.New("the run was stopped")
			}
			return res
		}
		short, extra = j.step.Pick > len(candidates), len(bought.images)-j.need
		switch {
		case bought.err != nil:
			res.kind = kindOf(bought.err)
		case short:
			res.kind, res.err = Failed, fmt.Errorf("image %d is to be used, and %d came", j.step.Pick, len(candidates))
		}
	}
	res.entry = &entry
	if len(j.request.Sensitive) > 0 {
		if err := e.conceal(j, &entry); err != nil {
			res.err, res.kind = errors.Join(res.err, err), Failed
			return res
		}
	}
	if short {
		return res
	}
	done, err := e.files(ctx, j, &entry, picked)
	res.paths, res.gone, res.notes = done.paths, done.gone, done.notes
	if len(j.unsigned) > 0 && len(res.paths) > 0 {
		res.notes = append(res.notes, plan.Unsigned(j.unsigned))
	}
	switch {
	case err != nil:
		res.err, res.kind = errors.Join(res.err, err), Failed
	case res.err == nil && extra > 0:
		res.err = fmt.Errorf("done, and %d more came and was charged than the %d that were asked for", extra, j.need)
	}
	var refused *unfit
	if errors.As(err, &refused) {
		refused.paid = res.paid
		entry = j.refuse(entry, refused.why)
	}
	return res
}

func kindOf(err error) EventKind {
	var pe *provider.Error
	switch errors.As(err, &pe); {
	case pe != nil && pe.Kind == provider.InDoubt:
		return Doubtful
	case pe != nil && pe.Kind == provider.Unfinished:
		return Accepted
	}
	return Failed
}

// keepInMemory is the most bytes of a picture that wait in memory until the
// call has ended; a larger one is read from the store again.
const keepInMemory = 8 << 20

// maxImages is how many images a call may have: the most that n can be.
const maxImages = 10

// purchase is what buy brought.
type purchase struct {
	images  []provider.Image
	picked  []byte // of the chosen candidate, if it is one of images: it is written next
	refused []lock.Refusal
	paid    provider.Money
	doubt   provider.Money
	err     error
	refuse  bool
	unkept  string // what to do about a disk that refused what came
	unknown bool   // more may be owed, and nobody knows how much
}

// buy makes the images that are needed, in as few calls as the offer allows.
func (e *Engine) buy(ctx context.Context, j *job) (p purchase) {
	if j.need == 0 {
		return p
	}
	maker, err := e.Maker(j.step.Provider)
	if err == nil {
		err = e.load(ctx, j)
	}
	if err != nil {
		var pe *provider.Error
		return purchase{err: err, refuse: errors.As(err, &pe) && pe.StopsRun()}
	}
	most := j.need
	offer, known := maker.Offer(j.request.Model)
	if known && offer.MaxN > 0 {
		most = min(most, offer.MaxN)
	}
	j.free = known && offer.Free()
	for call := 0; len(p.images) < j.need; call++ {
		r := j.request
		r.N = min(most, j.need-len(p.images))
		r.First += len(p.images)
		before := len(p.images)
		e.call(ctx, j, maker, &r, fmt.Sprintf("%s.%d", j.attempt, call), &p)
		if len(p.images)-before < r.N || e.stopped() {
			break // fewer than asked: the rest is planned, not bought at once
		}
		if done := provider.Money(len(p.images)); (e.MaxCost != nil || len(j.step.Budgets) > 0) && p.paid > j.each*done && len(p.images) < j.need {
			p.err = &hinted{fmt.Errorf("%d of %d images came, at %s instead of %s", done, j.need, p.paid, j.each*done), "the next imgbuild apply asks for the missing ones, within its budget"}
		}
		if p.err != nil {
			break
		}
	}
	if p.err == nil && len(p.images) < j.need {
		p.err = &hinted{fmt.Errorf("%d of %d images came", len(p.images), j.need), "the next imgbuild apply asks for the missing ones"}
	}
	return p
}

// givenUp are the open attempts for the request that the user asked to send
// again.
func (e *Engine) givenUp(j *job) (ids []string) {
	for _, a := range e.Open {
		if slices.Contains(j.step.Again, a.ID) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// load reads the pictures and the mask of an edit.
func (e *Engine) load(ctx context.Context, j *job) error {
	for k := range j.request.Inputs {
		in := &j.request.Inputs[k]
		var err error
		if in.Data, err = e.source(j.step.Sources[k], in.Content); err != nil {
			return err
		}
		info, err := e.sound(j.step.Sources[k], in)
		if err != nil {
			return fmt.Errorf("%s can't be edited: %s", j.step.Sources[k], plainly(err))
		}
		in.MIME = info.MIME
	}
	if len(j.request.Inputs) == 0 {
		return nil
	}
	picture := j.request.Inputs[0].Data
	read := func(in *provider.Input) (*imaging.Mask, error) {
		defer e.pixels.enter(e.limits(), picture)() // a mask has as many pixels
		return e.mask(in, j.step.MaskFile, picture)
	}
	if j.request.Mask == nil {
		// The mask is used after the purchase: what is wrong with it is found before.
		recipe, err := spec.ParseRecipe(j.outputs[0].Recipe)
		if err != nil || recipe.Restore.Edit == "" {
			return err
		}
		_, err = read(&recipe.Restore)
		return err
	}
	m := *j.request.Mask
	mask, err := read(&m)
	if err != nil {
		return err
	}
	m.Data, m.MIME = mask.PNG(), "image/png"
	j.request.Mask = &m
	return ctx.Err()
}

// sound looks at a source before it is paid for that it is edited: at all of a
// file, which nobody has looked at, once.
func (e *Engine) sound(s spec.Source, in *provider.Input) (imaging.Info, error) {
	if s.File == "" {
		return imaging.Measure(in.Data, e.limits())
	}
	type verdict struct {
		info imaging.Info
		err  error
	}
	look := sync.OnceValue(func() verdict {
		defer e.pixels.enter(e.limits(), in.Data)()
		info, err := imaging.Check(in.Data, e.limits())
		return verdict{info, err}
	})
	found, _ := e.looked.LoadOrStore(in.Content, look)
	v := found.(func() verdict)()
	return v.info, v.err
}

// source is the bytes of what is edited.
func (e *Engine) source(s spec.Source, want digest.Content) ([]byte, error) {
	switch {
	case s.Image != "", !s.Content.IsZero():
		return e.original(want)
	case s.Data != "":
		b, err := spec.ParseDataURL(s.Data)
		if err == nil && digest.OfContent(b) != want {
			err = errors.New("is not what it was when the plan was made")
		}
		if err != nil {
			return nil, fmt.Errorf("the data URL %w", err)
		}
		return b, nil
	}
	return e.file(s.File, want)
}

func (e *Engine) file(path string, want digest.Content) ([]byte, error) {
	b, err := e.Sources.Read(path, e.limits().Bytes)
	if err != nil {
		return nil, err
	}
	if digest.OfContent(b) != want {
		return nil, fmt.Errorf("%s has changed since the plan was made", path)
	}
	return b, nil
}

// original is the bytes of a candidate: from a tier, else from an output that
// is a copy of it.
func (e *Engine) original(c digest.Content) ([]byte, error) {
	b, err := e.Store.Get(c, e.limits().Bytes)
	if err == nil || !errors.Is(err, store.ErrMissing) {
		return b, err
	}
	for i := range e.copies[c] {
		if b, err := e.Out.Read(e.copies[c][i], e.limits().Bytes); err == nil && digest.OfContent(b) == c {
			// The next one who needs it finds it in the store.
			_, _, err := e.Store.Put(context.Background(), bytes.NewReader(b), e.limits().Bytes)
			return b, err
		}
	}
	return nil, &hinted{fmt.Errorf("the original %s can't be had: %w", c.Short(), err), "imgbuild doctor -repair looks for another copy; or copy it there, or buy it again with -replace"}
}

// pictureRoom is what a picture may take on the disk, in bytes: more than most
// do.
const pictureRoom = 2 << 20

// call makes one paid request and takes in what comes.
func (e *Engine) call(ctx context.Context, j *job, maker provider.Maker, r *provider.Request, id string, p *purchase) {
	// Room reserves nothing: it must be there for all that may be in flight.
	if err := e.Journal.Room(e.Parallelism * (4 + 3*maxImages)); err != nil {
		_, hint := workspace.Plainly(err)
		p.err = &hinted{fmt.Errorf("nothing was sent, for its receipt could not be kept: %w", err), cmp.Or(hint, "see what is wrong with .imgbuild/journal")}
		return
	}
	// A reply that brings its bytes along can't be asked for again.
	need := int64(e.Parallelism) * int64(r.N) * pictureRoom
	if free, known := e.Out.Free(); known && free < need {
		p.err = &hinted{fmt.Errorf("no room for the pictures: %.1f MB are free on the disk, and %.1f MB may be on their way", float64(free)/1e6, float64(need)/1e6),
			"free space there, or ask for less at once with -parallelism; nothing was sent"}
		return
	}
	s := &sink{engine: e, address: j.step.Address, budgets: j.step.Budgets, provider: j.step.Provider, digest: j.digest, fields: r.Fields(), request: r, id: id, each: j.each, free: j.free}
	defer func() {
		if s.sent {
			e.inFlight.Add(-1)
		}
	}()
	s.tell = func(ev Event) {
		ev.At, ev.Address, ev.Verb = e.Now(), j.step.Address, j.step.Verb
		e.events <- ev
	}
	s.again = e.givenUp(j)
	s.came = func(price provider.Money, b []byte) {
		if len(j.have)+len(p.images) == j.step.Pick {
			p.picked = b
		}
		s.tell(Event{Kind: Received, Price: price, Count: len(j.have) + len(p.images), Total: j.step.N})
	}
	reply, err := maker.Make(ctx, r, s)
	e.conclude(ctx, maker, s, reply, err, p)
}

// conclude takes in what a call brought, and journals what it lacks.
func (e *Engine) conclude(ctx context.Context, maker provider.Maker, s *sink, reply provider.Reply, err error, p *purchase) {
	p.unkept = workspace.Advice(err) // the words of what follows don't wrap it
	err = withhold(s.request, err)
	var pe *provider.Error
	errors.As(err, &pe)
	for _, d := range s.deliveries {
		p.paid += d.price
	}
	e.takeIn(ctx, maker, s, reply, p)
	took, id := p.err, s.id
	missing := max(0, s.request.N-len(s.deliveries)-len(s.known))
	rest := s.each * provider.Money(missing) // of images of which nothing came
	switch {
	case s.jobID != "" && err != nil && !verdict(pe):
		// The job goes on without us.
		p.refuse = pe != nil && pe.StopsRun()
		if pe == nil || pe.Kind != provider.Unfinished {
			why := "given up before it ended: " + abandoned(err)
			if errors.Is(err, context.DeadlineExceeded) {
				why = "it is not ready"
			}
			pe = &provider.Error{Kind: provider.Unfinished, Message: fmt.Sprintf("job %s was accepted; %s", s.jobID, why)}
		}
		p.doubt += rest
		p.unknown = s.unpriced()
		p.err = errors.Join(&hinted{pe, cmp.Or(pe.Hint, "the next imgbuild apply picks it up; nothing is bought again")}, took)
	case err == nil && (missing > 0 || s.resumed):
		// The reply is complete: what it lacks will not come any more.
		p.err = errors.Join(p.err, e.Journal.Append(journal.Record{Type: journal.TypeDone, Attempt: id}))
	case err == nil:
	case s.free && pe != nil && pe.Kind == provider.InDoubt:
		// Nothing can be owed, and there is no intent that a doubt could be about.
		p.err = errors.Join(&hinted{fmt.Errorf("no reply came: %s", cmp.Or(pe.Message, fmt.Sprintf("HTTP %d", pe.Status))), "the next imgbuild apply asks again; it is free"}, took)
	case pe == nil && s.sent:
		// Cancelled or cut off by us: the reply may still have been made.
		why, hint := workspace.Plainly(err)
		what := "given up before the reply came: "
		if hint != "" { // it is the disk that fails
			what = "the reply can't be kept: "
		}
		if errors.Is(err, context.Canceled) {
			why = abandoned(err)
		}
		pe = &provider.Error{Kind: provider.InDoubt, Message: what + why}
		fallthrough
	case pe != nil && pe.Kind == provider.InDoubt:
		p.doubt += rest
		p.unknown = s.unpriced()
		p.err = errors.Join(&hinted{pe, "it is not sent again unless you ask: imgbuild apply -retry-in-doubt"},
			e.Journal.Append(append([]journal.Record{{Type: journal.TypeInDoubt, Attempt: id, Reason: pe.Error(), Price: rest}}, s.replaced()...)...), took)
	case pe != nil && (pe.Kind == provider.Moderated || pe.Kind == provider.Unusable):
		price, charged := pe.Price, "%s was charged"
		if pe.Priced {
			p.paid += price
		} else {
			price, charged = rest, "up to %s may have been charged"
			p.doubt += price
			p.unknown = s.unpriced()
		}
		p.refuse_(s.request, pe.Kind.String(), pe.Message, price, s.digest)
		p.err = errors.Join(&hinted{fmt.Errorf("%w ("+charged+")", pe, price), "it is not bought again until the prompt or reroll changes, or: imgbuild apply -retry-refused"},
			e.Journal.Append(append([]journal.Record{{Type: journal.TypeUnusable, Attempt: id, Reason: pe.Kind.String(), Price: price}}, s.replaced()...)...),
			e.Store.Record(s.digest, s.fields, store.Roll{ID: id, Refused: pe.Kind.String(), Image: provider.Image{Price: price}}), took)
	case pe != nil:
		p.err, p.refuse = errors.Join(pe, took), pe.StopsRun()
		if s.sent {
			p.err = errors.Join(p.err, e.Journal.Append(journal.Record{Type: journal.TypeFailed, Attempt: id, Reason: pe.Kind.String()}))
		}
	default:
		p.err = errors.Join(err, took)
	}
}

// verdict reports whether a failure tells what became of a job, and not only
// that it could not be asked for.
func verdict(e *provider.Error) bool {
	return e != nil && (e.Kind == provider.Rejected || e.Kind == provider.Moderated || e.Kind == provider.Unusable || e.Kind == provider.InDoubt)
}

func (p *purchase) refuse_(asked *provider.Request, reason, message string, price provider.Money, r digest.Request) {
	if len(asked.Sensitive) > 0 {
		message = "" // the reason says enough
	}
	p.refused = append(p.refused, lock.Refusal{Request: r, Reason: reason, Message: message, Price: price})
}

// unpriced reports whether nobody knows what the call may cost.
func (s *sink) unpriced() bool { return s.each == 0 && !s.free }

// takeIn brings what was delivered into the store. Every delivery is tried,
// whatever becomes of the others: all are paid.
func (e *Engine) takeIn(ctx context.Context, maker provider.Maker, s *sink, reply provider.Reply, p *purchase) {
	for _, d := range s.deliveries {
		if d.Model == "" {
			d.Model = reply.Model
		}
		im, b, why, err := e.takeOne(ctx, maker, s.id, s.digest, s.fields, s.request, d, false)
		switch {
		case err != nil:
			p.err = errors.Join(p.err, err)
		case why != "":
			reason := "unusable"
			if d.Moderated {
				reason = "moderated"
			}
			p.refuse_(s.request, reason, why, d.price, s.digest)
			p.err = errors.Join(p.err, &hinted{fmt.Errorf("%s (%s was charged)", why, d.price), "it is not bought again until the prompt or reroll changes, or: imgbuild apply -retry-refused"})
		default:
			p.images = append(p.images, im)
			s.came(d.price, b)
		}
	}
}

// takeOne brings one delivery into the store. why is set where it can't be
// used; it is then remembered as refused. A picture that is not at its URL is
// given up only by a later run than the one that was told of it.
func (e *Engine) takeOne(ctx context.Context, maker provider.Maker, attempt string, dig digest.Request, fields []provider.Field, r *provider.Request, d delivery, later bool) (im provider.Image, b []byte, why string, err error) {
	roll := fmt.Sprintf("%s/%d", attempt, d.index)
	c, b, err := e.bytes(ctx, maker, d)
	err = withhold(r, err)
	var pe *provider.Error
	var large *store.TooLarge
	if errors.As(err, &large) || d.URL == "" && errors.Is(err, store.ErrMissing) {
		pe = &provider.Error{Kind: provider.Unusable, Message: err.Error()}
	}
	if pe != nil || errors.As(err, &pe) && (pe.Kind == provider.Unusable || pe.Absent()) && (later || !pe.Absent()) {
		// It was paid for and can't be had any more: it is remembered as
		// refused, so that it is not bought again without being asked.
		im = provider.Image{Price: d.price}
		if err = e.Store.Record(dig, fields, store.Roll{ID: roll, Refused: "gone", Image: im}); err == nil {
			err = e.Journal.Append(journal.Record{Type: journal.TypeUnusable, Attempt: attempt, Reason: "gone", Delivery: &journal.Delivery{Index: d.index}})
		}
		return im, nil, "it can't be fetched: " + pe.Message, err
	}
	if err != nil {
		switch {
		case ctx.Err() != nil:
			err = errors.New("the run was stopped")
		case pe != nil && pe.Absent():
			err = fmt.Errorf("it is not at its URL (HTTP %d), and may be later", pe.Status)
		}
		return im, nil, "", fmt.Errorf("paid for and not fetched yet, the next apply fetches it for free: %w", err)
	}
	im = provider.Image{Content: c, Bytes: int64(len(b)), Price: d.price, Model: d.Model, RevisedPrompt: revised(r, d.RevisedPrompt)}
	if im.Model == r.Model {
		im.Model = ""
	}
	if d.Moderated {
		why = "the provider's moderation replaced the picture"
	} else {
		why = e.check(b, r, &im)
	}
	refused := ""
	if why != "" {
		if refused = "unusable"; d.Moderated {
			refused = "moderated"
		}
	}
	if refused == "" {
		defer func() { err = errors.Join(err, e.Store.Promote(ctx, dig, c, false)) }()
	}
	// The journal lets go of a delivery only once the index has it.
	if err = e.Store.Record(dig, fields, store.Roll{ID: roll, Refused: refused, Image: im}); err == nil {
		err = e.settle(attempt, d, im, refused)
	}
	return im, b, why, err
}

// settle journals that a delivery needs nothing more.
func (e *Engine) settle(attempt string, d delivery, im provider.Image, refused string) error {
	records := []journal.Record{{Type: journal.TypeBlob, Attempt: attempt, Delivery: &journal.Delivery{
		Index: d.index, Content: im.Content, Bytes: im.Bytes, MIME: im.MIME, Width: im.Width, Height: im.Height, C2PA: im.C2PA, SourceType: im.SourceType}}}
	if refused != "" {
		records = append(records, journal.Record{Type: journal.TypeUnusable, Attempt: attempt, Reason: refused,
			Delivery: &journal.Delivery{Index: d.index}})
	}
	return e.Journal.Append(records...)
}

// bytes makes sure that the bytes of a delivery are in the store, which reads
// back what it writes, and returns them.
func (e *Engine) bytes(ctx context.Context, maker provider.Maker, d delivery) (digest.Content, []byte, error) {
	switch {
	case d.URL != "":
	case d.data != nil:
		return d.content, d.data, nil // they came with the reply
	default:
		b, err := e.Store.Get(d.content, e.limits().Bytes)
		return d.content, b, err
	}
	var b bytes.Buffer
	r, w := io.Pipe()
	go func() { w.CloseWithError(maker.Fetch(ctx, d.URL, w)) }()
	defer r.Close()
	c, _, err := e.Store.Put(ctx, io.TeeReader(r, &b), e.limits().Bytes)
	return c, b.Bytes(), err
}

// Mark notes what the bytes of an image say of themselves.
func Mark(im *provider.Image, b []byte) {
	m := imaging.ReadMarks(bytes.NewReader(b), int64(len(b)))
	im.C2PA, im.SourceType = m.C2PA, m.Label.SourceType
}

// check decodes an image, measures it and compares it with what was asked.
func (e *Engine) check(b []byte, r *provider.Request, im *provider.Image) (why string) {
	leave := e.pixels.enter(e.limits(), b)
	info, err := imaging.Check(b, e.limits())
	leave()
	if err != nil {
		return "it is no picture: " + err.Error()
	}
	im.MIME, im.Width, im.Height = info.MIME, info.Width, info.Height
	Mark(im, b)
	if !r.Size.IsZero() && r.Size != (provider.Size{Width: info.Width, Height: info.Height}) {
		return fmt.Sprintf("it is %dx%d, asked was %s", info.Width, info.Height, r.Size)
	}
	// "1k" stands for the area of 1024 x 1024. Ratios and edits make it vary, so
	// only what is far too small is not what was asked.
	if k, err := strconv.ParseFloat(strings.TrimSuffix(r.Resolution, "k"), 64); err == nil && r.Size.IsZero() && !r.IsEdit() &&
		float64(info.Width)*float64(info.Height) < 0.4*k*k*1024*1024 {
		return fmt.Sprintf("it is %dx%d, asked was %s", info.Width, info.Height, r.Resolution)
	}
	if w, h, ok := strings.Cut(r.AspectRatio, ":"); ok {
		a, err1 := strconv.ParseFloat(w, 64)
		b, err2 := strconv.ParseFloat(h, 64)
		got := float64(info.Width) / float64(info.Height)
		// Providers round sides to multiples of 16: a small difference is normal.
		if err1 == nil && err2 == nil && math.Abs(got/(a/b)-1) > 0.05 {
			return fmt.Sprintf("it is %dx%d, asked was %s", info.Width, info.Height, r.AspectRatio)
		}
	}
	return ""
}

// sink journals what a maker tells of one call.
type sink struct {
	engine   *Engine
	address  spec.Address
	budgets  []string // names
	provider string   // key
	digest   digest.Request
	fields   []provider.Field
	request  *provider.Request
	each     provider.Money // estimated, of an image
	id       string         // of the attempt
	tell     func(Event)
	came     func(price provider.Money, b []byte) // an image was taken in

	free    bool         // nothing of it can ever be owed, so that it is never in doubt
	again   []string     // attempts that this one replaces
	resumed bool         // the call is of an earlier run
	known   map[int]bool // images that an earlier run was told of

	sent       bool
	jobID      string
	deliveries []delivery
	puts       map[int]*put
}

type delivery struct {
	provider.Delivery
	index   int
	price   provider.Money
	content digest.Content // where the bytes came with the reply: they are in the store
	data    []byte
}

// abandoned says why a request was given up.
func abandoned(err error) string {
	if errors.Is(err, context.Canceled) {
		return "the run was abandoned"
	}
	return err.Error()
}

// Sent journals the intent with the first byte and not before: until then there
// is nothing to remember. What is free is made again if it does not come.
func (s *sink) Sent() error {
	if s.sent || s.free {
		return nil
	}
	err := s.engine.Journal.Append(s.intent(), journal.Record{Type: journal.TypeSent, Attempt: s.id})
	if s.sent = err == nil; s.sent {
		s.engine.inFlight.Add(1)
	}
	return err
}

func (s *sink) intent() journal.Record {
	return journal.Record{Type: journal.TypeIntent, Attempt: s.id, Intent: &journal.Intent{
		Run: s.engine.Run, Budgets: s.budgets, Address: string(s.address), Request: s.digest, Fields: s.fields, Provider: s.provider, Endpoint: s.engine.endpoint(s.provider),
		N: s.request.N, First: s.request.First, Estimate: s.each * provider.Money(s.request.N), Started: s.engine.Now()}}
}

// endpoint is where a provider is asked.
func (e *Engine) endpoint(key string) string {
	if e.Endpoint == nil {
		return ""
	}
	return e.Endpoint(key)
}

func (s *sink) Answered() error {
	if !s.sent {
		return nil
	}
	s.sent = false
	if !s.resumed {
		s.engine.inFlight.Add(-1)
	}
	return s.engine.Journal.Append(journal.Record{Type: journal.TypeFailed, Attempt: s.id, Reason: provider.RateLimited.String()})
}

// replaced settles what the call was sent instead of, once it is clear that
// the call itself may cost: a refusal must not make a doubt and its price be
// forgotten.
func (s *sink) replaced() (records []journal.Record) {
	for _, id := range s.again {
		r := journal.Record{Type: journal.TypeResolved, Attempt: id, Reason: "sent again"}
		for i := range s.engine.Open {
			if a := &s.engine.Open[i]; a.ID == id {
				r.Price = a.Doubt // it may have been paid, and stays spent for its run
			}
		}
		records = append(records, r)
	}
	s.again = nil
	return records
}

func (s *sink) Stopping() <-chan struct{} { return s.engine.stop }

func (s *sink) Accepted(jobID string) error {
	err := s.engine.Journal.Append(append([]journal.Record{{Type: journal.TypeJob, Attempt: s.id, JobID: jobID}}, s.replaced()...)...)
	if err == nil {
		s.jobID = jobID
	}
	return err
}

func (s *sink) Delivered(i int, from provider.Delivery, price provider.Money) error {
	if s.known[i] {
		return nil
	}
	var records []journal.Record
	if err := s.Sent(); err != nil {
		return err
	}
	if s.free && len(s.deliveries) == 0 {
		records = append(records, s.intent())
	}
	d := delivery{Delivery: from, index: i, price: price}
	var size int64
	if p := s.puts[i]; from.URL == "" && p != nil {
		d.content, d.data, size = p.content, slices.Concat(p.pieces...), p.size
		delete(s.puts, i)
	}
	records = append(records, journal.Record{Type: journal.TypeReceipt, Attempt: s.id, Delivery: &journal.Delivery{
		Index: i, URL: from.URL, Content: d.content, Bytes: size, MIME: from.MIME, Model: from.Model, RevisedPrompt: revised(s.request, from.RevisedPrompt),
		Moderated: from.Moderated, Price: price}})
	err := s.engine.Journal.Append(append(records, s.replaced()...)...)
	if err == nil {
		s.deliveries = append(s.deliveries, d)
		s.tell(Event{Kind: charged, Price: price})
	}
	return err
}

// Spool leads straight into the store, which is where the bytes must end.
func (s *sink) Spool(i int) (io.WriteCloser, error) {
	if s.puts == nil {
		s.puts = map[int]*put{}
	}
	s.puts[i] = &put{store: s.engine.Store, most: s.engine.limits().Bytes}
	return s.puts[i], nil
}

// put is bytes on their way into the store. They are gathered first: they are
// decoded from memory anyway, and a part of a picture is worth nothing. They
// are gathered in pieces, since a slice that grows takes up to three times as
// much.
type put struct {
	store   *store.Tiers
	most    int64 // bytes
	content digest.Content
	pieces  [][]byte
	size    int64
}

func (p *put) Write(b []byte) (int, error) {
	if p.size+int64(len(b)) > p.most {
		return 0, fmt.Errorf("the picture has more than %d bytes", p.most)
	}
	for rest := b; len(rest) > 0; {
		last := len(p.pieces) - 1
		if last < 0 || len(p.pieces[last]) == cap(p.pieces[last]) {
			p.pieces = append(p.pieces, make([]byte, 0, min(max(p.size, 8<<10), 1<<20))) // as many as there are
			last++
		}
		into := p.pieces[last]
		n := copy(into[len(into):cap(into)], rest)
		p.pieces[last] = into[:len(into)+n]
		p.size += int64(n)
		rest = rest[n:]
	}
	return len(b), nil
}

// putTries is how often bytes are offered to a disk that fails: they are paid
// for and nowhere else. Each try is a new file, so that no failed sync is
// believed.
const putTries = 3

// Close returns when the bytes are durable. Then only a few are kept: the other
// images of the reply may take long to come.
func (p *put) Close() (err error) {
	for range putTries {
		readers := make([]io.Reader, len(p.pieces))
		for i := range p.pieces {
			readers[i] = bytes.NewReader(p.pieces[i])
		}
		if p.content, _, err = p.store.Put(context.Background(), io.MultiReader(readers...), p.most); err == nil {
			break
		}
	}
	if p.size > keepInMemory {
		p.pieces = nil // they are in the store
	}
	return err
}

func (s *sink) Room(bytes int64) (leave func()) { return s.engine.pixels.room(bytes) }

func (s *sink) Waiting(d time.Duration, why string) {
	if len(s.request.Sensitive) > 0 {
		why, _, _ = strings.Cut(why, ": ") // what follows may be the provider's words
	}
	s.tell(Event{Kind: Waiting, Wait: d, Text: why})
}

// files writes, keeps and deletes the outputs of a step, and records them in
// the entry as they are done. original is the bytes of the chosen candidate if
// they are at hand.
func (e *Engine) files(ctx context.Context, j *job, entry *lock.Entry, original []byte) (done settled, err error) {
	picked := entry.Picked(max(1, j.step.Pick))
	j.fitSet(picked)
	made, err := e.makeFiles(ctx, j, picked, original)
	if err != nil {
		return done, err
	}
	if err := e.judge(j, picked, made); err != nil {
		return done, err
	}
	// Before a file is there the journal knows that it is ours: the lock is
	// saved later, and a run that dies in between must not find a stranger.
	wrote := journal.Record{Type: journal.TypeWrote, Attempt: e.Process}
	for i := range made {
		if made[i].bytes != nil {
			wrote.Files = append(wrote.Files, journal.File{Path: made[i].rec.Path, Content: made[i].rec.Content})
		}
	}
	if len(wrote.Files) > 0 {
		if err := e.Journal.Append(wrote); err != nil {
			return done, err
		}
	}
	forget := func(path string) {
		entry.Outputs = slices.DeleteFunc(entry.Outputs, func(x lock.Output) bool { return x.Path == path })
	}
	for i := range made {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		m := &made[i]
		if m.bytes != nil {
			from := func(w io.Writer) error { _, err := w.Write(m.bytes); return err }
			if w, err := e.Out.Write(m.rec.Path, from, m.expect); err != nil {
				if !w.Content.IsZero() { // it is there, and must not pass for a stranger's
					forget(m.rec.Path)
					entry.Outputs = append(entry.Outputs, m.rec)
				}
				return done, err
			}
			done.paths = append(done.paths, m.rec.Path)
			if note := other(entry.Output(m.rec.Path), m.rec); note != "" {
				done.notes = append(done.notes, note)
			}
		}
		forget(m.rec.Path)
		entry.Outputs = append(entry.Outputs, m.rec)
	}
	for _, o := range j.outputs {
		if o.Action == plan.DeleteFile {
			if err := e.Out.Remove(o.Path, o.Expect); err != nil {
				return done, err
			}
			done.gone = append(done.gone, o.Path)
		}
		if o.Action == plan.DeleteFile || o.Action == plan.ForgetFile {
			forget(o.Path)
		}
	}
	if picked == nil || j.step.Drop {
		return done, nil
	}
	return done, e.Store.Promote(ctx, entry.Request, picked.Content, true)
}

// settled is what became of the files of a step.
type settled struct{ paths, gone, notes []string }

// madeFile is an output that is ready to be written, or, without bytes, that
// is on disk already.
type madeFile struct {
	name   string // of the rendition
	kept   bool   // it stays as it is, and only its placeholder is made
	rec    lock.Output
	bytes  []byte
	expect digest.Content
}

// drawn reports whether the bytes are still to be made: it has no other label,
// and is not there.
func (m *madeFile) drawn() bool { return m.bytes == nil && m.rec.Content.IsZero() }

// makeFiles makes the bytes of all outputs that are to be written, side by
// side.
func (e *Engine) makeFiles(ctx context.Context, j *job, picked *provider.Image, original []byte) (made []madeFile, err error) {
	small, of := "", -1 // the recipe of the placeholder, and of which it is
	for _, o := range j.outputs {
		old := j.entry.Output(o.Path)
		renew := o.Action == plan.KeepFile && o.Name == "" && picked != nil && old != nil && old.Placeholder.Known() != o.Placeholder
		if o.Placeholder && (renew || o.Action == plan.Write) {
			small, of = spec.Small(o.Recipe, imaging.PlaceholderSide), len(made)
		}
		if renew {
			m := madeFile{kept: true, rec: *old}
			m.rec.Placeholder = nil
			made = append(made, m)
		}
		if o.Action != plan.Write {
			continue
		}
		if picked == nil {
			return nil, errors.New("there is no picture to write")
		}
		m := madeFile{name: o.Name, rec: lock.Output{Path: o.Path, Recipe: o.Recipe, Of: picked.Content}, expect: o.Expect}
		if o.Adopt {
			m.rec.Content, m.rec.Bytes = picked.Content, picked.Bytes
			made = append(made, m)
			continue
		}
		o.Recipe = spec.Settled(o.Recipe, picked)
		m.rec.Recipe = o.Recipe
		if o.Relabel {
			if m.bytes, err = e.relabel(j, o, picked); err != nil {
				return nil, fmt.Errorf("%s: %w", o.Path, err)
			}
			if old := j.entry.Output(o.Path); old != nil {
				m.rec.Encoder = old.Encoder
			}
		}
		if m.bytes == nil && original == nil {
			if original, err = e.original(picked.Content); err != nil {
				return nil, err
			}
		}
		made = append(made, m)
	}
	var recipes []string
	for i := range made {
		if made[i].drawn() {
			recipes = append(recipes, made[i].rec.Recipe)
		}
	}
	if small != "" {
		recipes = append(recipes, small)
		if original == nil {
			if original, err = e.original(picked.Content); err != nil {
				return nil, err
			}
		}
	}
	from := e.newDrawing(j.step, picked, original, recipes...)
	defer from.close()
	errs := make([]error, len(made)+1)
	var group errgroup.Group
	if small != "" {
		group.Go(func() error {
			defer caught(&errs[len(made)])
			p, err := e.placeholder(j, small, from)
			if err != nil {
				errs[len(made)] = fmt.Errorf("the placeholder: %w", err)
				return nil
			}
			made[of].rec.Placeholder = &p
			return nil
		})
	}
	for i := range made {
		m := &made[i]
		if !m.drawn() {
			continue
		}
		group.Go(func() error {
			defer caught(&errs[i])
			b, by, err := e.render(ctx, j, m.rec.Recipe, from)
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", m.rec.Path, err)
				return nil
			}
			m.bytes, m.rec.Encoder = b, by
			return nil
		})
	}
	_ = group.Wait() // each keeps its error, so that the first of the outputs tells
	if err := cmp.Or(errs...); err != nil {
		return nil, err
	}
	for i := range made {
		m := &made[i]
		if m.bytes == nil {
			continue
		}
		m.rec.Content, m.rec.Bytes = digest.OfContent(m.bytes), int64(len(m.bytes))
		if picked.C2PA && m.rec.Content != picked.Content {
			j.unsigned = append(j.unsigned, m.rec.Path)
		}
	}
	return made, nil
}

// caught is for goroutines of a step: nobody else would catch what is a mistake
// of ours there.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = mistake(p)
	}
}
