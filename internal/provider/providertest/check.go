package providertest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Rig is a maker, and requests that it carries out.
type Rig struct {
	Maker provider.Maker

	// Requests are of any kind that the maker takes: generate, edit, with a
	// mask. The first one is sent once more by the checks that need only one.
	Requests []*provider.Request

	Inline bool // the maker delivers bytes; otherwise URLs
	Times  int  // how often each request is sent at the same time; 0 counts as 1
}

// Check is one promise of a maker.
type Check struct {
	Name  string
	Shows string // what holds if it passes

	// Pays lists what is sent and paid for; nil if nothing is.
	Pays func(Rig) []*provider.Request

	// Run returns what is wrong. An error that a call ended with is wrapped, so
	// that errors.As finds its *provider.Error. A Skip alone means that there
	// was nothing to check.
	Run func(context.Context, Rig) []error
}

// Skip says why there is nothing to check.
type Skip string

func (s Skip) Error() string { return string(s) }

// Checks lists what applies to the rig, the free ones first.
func Checks(rig Rig) []Check {
	list := []Check{
		{"offer", "the offer is whole and does not contradict itself", nil, offer},
		{"limits", "what the offer excludes is refused before it is sent", nil, beyond},
		{"cancelled", "nothing is sent for a run that has ended", nil, cancelled},
	}
	if _, ok := rig.Maker.(provider.Cataloguer); ok {
		list = append(list, Check{"catalogue", "the provider takes the key and lists the model, at the price of the offer", nil, catalogue})
	}
	return append(list,
		Check{"not sent", "the endpoint is reached, and a journal that can't be written stops the request before its first byte", nil, unsent},
		Check{"pictures", "each request brings its pictures, once each, of the size and at the price that was said", onceEach, pictures},
		Check{"together", "requests at the same time do not mix", manyAtOnce, together},
		Check{"disk full", "a picture that can't be kept ends the call with that error", onceEachFailure, diskFull},
	)
}

// Cost is what a check sends, and what that costs by the offers; ok is false if
// a price is not known.
func (c Check) Cost(rig Rig) (requests, images int, price provider.Money, ok bool) {
	ok = true
	if c.Pays == nil {
		return 0, 0, 0, ok
	}
	for _, r := range c.Pays(rig) {
		requests++
		images += r.N
		m, known := estimate(rig.Maker, r)
		price += m
		ok = ok && known
	}
	return requests, images, price, ok
}

func estimate(m provider.Maker, r *provider.Request) (provider.Money, bool) {
	o, ok := m.Offer(r.Model)
	if !ok || o.Price == nil {
		return 0, false
	}
	one, ok := o.Price(r)
	return one * provider.Money(r.N), ok
}

func onceEach(rig Rig) []*provider.Request { return rig.Requests }

func manyAtOnce(rig Rig) (out []*provider.Request) {
	for range max(rig.Times, 1) {
		out = append(out, rig.Requests...)
	}
	return out
}

func onceEachFailure(rig Rig) (out []*provider.Request) {
	for range failures(rig) {
		out = append(out, rig.Requests[0])
	}
	return out
}

// T is what Run needs of a *testing.T.
type T[Self any] interface {
	Run(name string, f func(Self)) bool
	Error(args ...any)
	Context() context.Context
}

// Run holds a maker to all checks, each as a test of its own. rig is called for
// each of them, so that servers can be fresh; more than once at the same time
// is tried harder than a user would pay for.
func Run[Test T[Test]](t Test, rig func(Test) Rig) {
	for _, c := range Checks(rig(t)) {
		t.Run(c.Name, func(t Test) {
			r := rig(t)
			r.Times = cmp.Or(r.Times, 4)
			for _, err := range c.Run(t.Context(), r) {
				if s := Skip(""); !errors.As(err, &s) {
					t.Error(err)
				}
			}
		})
	}
}

// findings collects what is wrong.
type findings []error

func (f *findings) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

// offer: the default model exists, is found under its own name and aliases, and
// holds together.
func offer(_ context.Context, rig Rig) []error {
	var f findings
	o, ok := rig.Maker.Offer("")
	if !ok {
		f.add("no default model")
		return f
	}
	for _, name := range append([]string{o.Model}, o.Aliases...) {
		if same, ok := rig.Maker.Offer(name); !ok || same.Model != o.Model {
			f.add("the offer for %q is that of %q; want %q", name, same.Model, o.Model)
		}
	}
	if _, ok := rig.Maker.Offer("no such model"); ok {
		f.add("there is an offer for a model that does not exist")
	}
	return append(f, CheckOffer(o)...)
}

// CheckOffer finds what is missing or contradicts itself in an offer.
func CheckOffer(o provider.Offer) []error {
	var f findings
	for _, fact := range []struct {
		name  string
		there bool
	}{
		{"provider", o.Provider != ""}, {"model", o.Model != ""}, {"date", o.AsOf != ""}, {"source", o.Source != ""},
		{"price", o.Price != nil}, {"size in pixels", o.Pixels != nil}, {"limit of n", o.MaxN >= 1},
	} {
		if !fact.there {
			f.add("%s: the offer has no %s", o.Model, fact.name)
		}
	}
	for _, d := range []struct {
		name, value string
		of          []string
	}{
		{"aspect ratio", o.DefaultAspectRatio, o.AspectRatios},
		{"resolution", o.DefaultResolution, o.Resolutions},
		{"quality", o.DefaultQuality, o.Qualities},
	} {
		if d.value != "" && !slices.Contains(d.of, d.value) {
			f.add("%s: the default %s %q is not one of %q", o.Model, d.name, d.value, d.of)
		}
	}
	if len(o.Styles) > 0 && len(o.StyleWords) > 0 {
		f.add("%s: both styles and words that stand in for them", o.Model)
	}
	if o.Mask && o.MaxInputs == 0 {
		f.add("%s: a mask, but no edits", o.Model)
	}
	if slices.Contains(append(o.Aliases, o.Model), o.ServedBy) || o.ServedBy != "" && o.EndOfLife == "" {
		f.add("%s: served by %q, and yet not at its end", o.Model, o.ServedBy)
	}
	if o.Price != nil {
		if m, ok := o.Price(&provider.Request{Resolution: o.DefaultResolution, Quality: o.DefaultQuality, N: 1}); !ok || m < 0 {
			f.add("%s: a request of defaults has no price", o.Model)
		}
	}
	return f
}

// catalogue: it can be had, and agrees with the offer of the default model.
func catalogue(ctx context.Context, rig Rig) []error {
	listed, err := rig.Maker.(provider.Cataloguer).Catalogue(ctx)
	if failed := (*provider.Error)(nil); errors.As(err, &failed) && failed.Status == 404 {
		return []error{Skip("the endpoint has no catalogue")}
	}
	if err != nil {
		return []error{err}
	}
	var f findings
	o, _ := rig.Maker.Offer("")
	for _, d := range provider.Compare([]provider.Offer{o}, listed) {
		// Prices that only the catalogue knows are no promise of ours.
		if d.Model == o.Model && (d.Kind == provider.Gone || d.Kind == provider.OtherPrice) {
			f.add("%s", d)
		}
	}
	return f
}

// pictures: every request gives its images once each, in the right order of
// events, with bytes that are pictures, and is itself not changed.
func pictures(ctx context.Context, rig Rig) []error {
	var f findings
	for _, r := range rig.Requests {
		before := r.Canonical()
		var s Recorder
		reply, err := rig.Maker.Make(ctx, r, &s)
		if err != nil {
			f.add("%s: %w", describe(r), err)
			if over(ctx, err) {
				break
			}
			continue
		}
		if !bytes.Equal(before, r.Canonical()) {
			f.add("%s: the request was changed", describe(r))
		}
		f.sink(r, &s)
		var sum provider.Money
		for i, d := range s.Images {
			sum += s.Prices[i]
			if s.Spools[i] != nil != rig.Inline {
				f.add("%s: image %d came as %s", describe(r), i+1, map[bool]string{true: "a URL, not as bytes", false: "bytes, not as a URL"}[rig.Inline])
			}
			f.picture(ctx, rig.Maker, r, i, d, s.Spools[i])
		}
		if sum != reply.Price {
			f.add("%s: the images cost %s, the reply says %s", describe(r), sum, reply.Price)
		}
		if want, ok := estimate(rig.Maker, r); ok && reply.Priced && reply.Price != want && len(s.Images) == r.N {
			f.add("%s: %s was charged; the offer says %s", describe(r), reply.Price, want)
		}
	}
	return f
}

// over reports whether whatever comes next would fail in the same way.
func over(ctx context.Context, err error) bool {
	var e *provider.Error
	return ctx.Err() != nil || errors.As(err, &e) && e.Kind != provider.Rejected && e.Kind != provider.Moderated && e.Kind != provider.Unusable
}

// Over reports whether err, of a check, makes the checks that remain pointless
// or too dear: nobody takes the key, answers, or says what was charged.
func Over(err error) bool { return over(context.Background(), err) }

func describe(r *provider.Request) string {
	switch {
	case r.Mask != nil:
		return "an edit with a mask"
	case r.IsEdit():
		return "an edit"
	case r.N == 1:
		return "one image"
	}
	return fmt.Sprintf("%d images", r.N)
}

// sink finds what is wrong with what a successful call told its sink.
func (f *findings) sink(r *provider.Request, s *Recorder) {
	what := describe(r)
	if told := happened(s); s.Count("sent") != 1+s.Answers || told[0] != "sent" {
		f.add("%s: not sent first and once: %q", what, s.Events)
	}
	if len(s.Images) != r.N {
		f.add("%s: %d came, want %d", what, len(s.Images), r.N)
	}
	for i := range r.N {
		delivered := fmt.Sprintf("delivered %d", i)
		if n := s.Count(delivered); n > 1 {
			f.add("%s: image %d was delivered %d times", what, i+1, n)
		}
		at := func(kind string) int { return slices.Index(s.Events, fmt.Sprintf("%s %d", kind, i)) }
		if at("spool") >= 0 && !(at("spool") < at("close") && at("close") < at("delivered")) {
			f.add("%s: image %d was not closed before it was delivered: %q", what, i+1, s.Events)
		}
	}
	if l := s.leaks(); l != nil {
		f.add("%s: spools were not closed: %v", what, l)
	}
}

// happened lists the events without those that only tell people to wait.
func happened(s *Recorder) []string {
	return slices.DeleteFunc(slices.Clone(s.Events), func(e string) bool { return strings.HasPrefix(e, "waiting ") })
}

// picture fetches d where needed (twice: it must be repeatable), decodes it and
// compares its size with what the request and the offer say.
func (f *findings) picture(ctx context.Context, m provider.Maker, r *provider.Request, i int, d provider.Delivery, b []byte) {
	what := fmt.Sprintf("%s: image %d", describe(r), i+1)
	if d.Moderated {
		f.add("%s was refused by moderation", what)
		return
	}
	if d.URL != "" {
		var first, again bytes.Buffer
		for _, w := range []*bytes.Buffer{&first, &again} {
			if err := m.Fetch(ctx, d.URL, w); err != nil {
				f.add("%s can't be downloaded: %w", what, err)
				return
			}
		}
		if b = again.Bytes(); !bytes.Equal(b, first.Bytes()) {
			f.add("%s: two downloads differ", what)
		}
	}
	_, info, err := imaging.Decode(b, imaging.DefaultLimits)
	if err != nil {
		f.add("%s is not a picture: %w", what, err)
		return
	}
	want := r.Size
	if o, ok := m.Offer(r.Model); ok && want.IsZero() && !r.IsEdit() {
		want, _ = o.Pixels(cmp.Or(r.AspectRatio, o.DefaultAspectRatio), cmp.Or(r.Resolution, o.DefaultResolution))
	}
	if got := (provider.Size{Width: info.Width, Height: info.Height}); !want.IsZero() && got != want {
		f.add("%s has %s pixels, want %s", what, got, want)
	}
}

// cancelled: nothing is sent for a run that has ended.
func cancelled(ctx context.Context, rig Rig) []error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	var f findings
	var s Recorder
	if _, err := rig.Maker.Make(ctx, rig.Requests[0], &s); !errors.Is(err, context.Canceled) {
		f.add("the call ends with %w, not with %w", err, context.Canceled)
	}
	if len(s.Events) > 0 {
		f.add("something happened: %q", s.Events)
	}
	return f
}

var errFull = errors.New("disk full")

// unsent: a sink that refuses Sent keeps the request at home.
func unsent(ctx context.Context, rig Rig) []error {
	f, _ := refused(ctx, rig, "sent")
	return f
}

// failures are the events after which something is paid for and can't be kept.
func failures(rig Rig) []string {
	if rig.Inline {
		return []string{"delivered 0", "spool 0", "close 0"}
	}
	return []string{"delivered 0"}
}

// diskFull: a sink that can't keep what it is told ends the call, and its error
// comes back. A job that was accepted by then is paid for, and a later run gets
// its pictures.
func diskFull(ctx context.Context, rig Rig) []error {
	var f findings
	for _, event := range failures(rig) {
		more, s := refused(ctx, rig, event)
		f = append(f, more...)
		for _, e := range s.Events {
			if job, ok := strings.CutPrefix(e, "accepted "); ok {
				f = append(f, resumed(ctx, rig, job)...)
			}
		}
		if slices.ContainsFunc(more, func(err error) bool { return over(ctx, err) }) {
			break
		}
	}
	return f
}

// refused makes the first request with a sink that refuses one event.
func refused(ctx context.Context, rig Rig, event string) ([]error, *Recorder) {
	var f findings
	s := &Recorder{Fail: map[string]error{event: errFull}}
	_, err := rig.Maker.Make(ctx, rig.Requests[0], s)
	switch {
	case err == nil:
		f.add("%q could not be kept, and the call ends well", event)
	case !errors.Is(err, errFull):
		f.add("%q could not be kept, and the call ends with: %w", event, err)
	}
	if s.Count("delivered 0") > 0 || event == "sent" && len(happened(s)) > 0 {
		f.add("%q could not be kept, and yet: %q", event, s.Events)
	}
	if l := s.leaks(); l != nil {
		f.add("%q could not be kept, and spools %v stay open", event, l)
	}
	return f, s
}

// resumed: a job brings its pictures to a run that did not send it.
func resumed(ctx context.Context, rig Rig, job string) []error {
	var f findings
	var s Recorder
	r := rig.Requests[0]
	if _, err := rig.Maker.Resume(ctx, job, r, &s); err != nil {
		f.add("the job is not resumed: %w", err)
	} else if s.Count("sent") > 0 || len(s.Images) != r.N {
		f.add("a resumed job brings %d pictures of %d: %q", len(s.Images), r.N, s.Events)
	}
	return f
}

// together: calls at the same time do not mix.
func together(ctx context.Context, rig Rig) []error {
	var wg sync.WaitGroup
	requests := manyAtOnce(rig)
	found := make([]findings, len(requests))
	for i, r := range requests {
		wg.Go(func() {
			var s Recorder
			if _, err := rig.Maker.Make(ctx, r, &s); err != nil {
				found[i].add("%s: %w", describe(r), err)
			} else {
				found[i].sink(r, &s)
			}
		})
	}
	wg.Wait()
	return slices.Concat(found...)
}

// beyond: a request that the offer excludes is rejected before it is sent.
func beyond(ctx context.Context, rig Rig) []error {
	var f findings
	for _, wrong := range []struct {
		what  string
		spoil func(*provider.Request)
	}{
		{"an unknown model", func(r *provider.Request) { r.Model = "no such model" }},
		{"no image at all", func(r *provider.Request) { r.N = 0 }},
		{"1000 images", func(r *provider.Request) { r.N = 1000 }},
		{"an unknown quality", func(r *provider.Request) { r.Quality = "no such quality" }},
		{"the aspect ratio 1:1000", func(r *provider.Request) { r.Size, r.AspectRatio = provider.Size{}, "1:1000" }},
		{"an unknown style", func(r *provider.Request) { r.Style = "no such style" }},
		{"a mask without a picture", func(r *provider.Request) { r.Inputs, r.Mask = nil, &provider.Input{} }},
	} {
		r := *rig.Requests[0]
		wrong.spoil(&r)
		var s Recorder
		_, err := rig.Maker.Make(ctx, &r, &s)
		var e *provider.Error
		switch {
		case err == nil || s.Count("sent") > 0:
			f.add("%s was sent", wrong.what)
		case !errors.As(err, &e) || e.Kind != provider.Rejected:
			f.add("%s is not refused but: %w", wrong.what, err)
		}
	}
	return f
}
