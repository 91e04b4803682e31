package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// fake is a maker that keeps every promise, but for the one that it is told to
// break.
type fake struct {
	breaks  string
	inline  bool
	fetched atomic.Int32
}

func (f *fake) is(fault string) bool { return f.breaks == fault }

func (f *fake) Offer(model string) (provider.Offer, bool) {
	if model != "" && model != "m" && model != "m-latest" && !f.is("offers anything") {
		return provider.Offer{}, false
	}
	o := provider.Offer{
		Provider: "fake", Model: "m", Aliases: []string{"m-latest"}, AspectRatios: []string{"1:1"}, DefaultAspectRatio: "1:1",
		Resolutions: []string{"1k"}, DefaultResolution: "1k", MaxN: 10, MaxInputs: 1, AsOf: "2026-11-22", Source: "here",
		Pixels: func(string, string) (provider.Size, bool) { return provider.Size{Width: 16, Height: 8}, true },
		Price:  func(r *provider.Request) (provider.Money, bool) { return 2 + provider.Money(len(r.Inputs)), true },
	}
	switch f.breaks {
	case "no default model":
		return o, model != ""
	case "forgets an alias":
		return o, model != "m-latest"
	case "no source":
		o.Source = ""
	case "default that is no choice":
		o.DefaultResolution = "8k"
	case "mask without edits":
		o.Mask, o.MaxInputs = true, 0
	case "styles twice":
		o.Styles, o.StyleWords = []string{"vivid"}, map[string]string{"vivid": "Vivid."}
	case "served before its end":
		o.ServedBy = "n"
	}
	return o, true
}

func (f *fake) Make(ctx context.Context, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	rejected := &provider.Error{Kind: provider.Rejected, Message: "no"}
	switch {
	case r.Model != "m" && r.Model != "m-latest" || r.N < 1 || r.N > 10 || r.Quality != "" || r.Mask != nil && len(r.Inputs) == 0:
		return provider.Reply{}, rejected
	case r.AspectRatio != "" && r.AspectRatio != "1:1" || r.Style != "" && !f.is("sends any style"):
		return provider.Reply{}, rejected
	case ctx.Err() != nil && f.is("wraps no context"):
		return provider.Reply{}, rejected
	case ctx.Err() != nil && !f.is("sends for a run that ended"):
		return provider.Reply{}, ctx.Err()
	case f.is("no key"):
		return provider.Reply{}, &provider.Error{Kind: provider.Credentials, Message: "no key", Hint: "get one"}
	case f.is("always in doubt"):
		s.Sent()
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Message: "gone"}
	}
	if err := s.Sent(); err != nil && !f.is("sends though it may not") {
		if f.is("hides the cause") {
			err = rejected
		}
		return provider.Reply{}, err
	}
	if f.is("sent twice") {
		s.Sent()
	}
	if f.is("asks again after a 429") {
		s.Waiting(1, "slow down")
		s.Answered()
		s.Sent()
	}
	reply := provider.Reply{Priced: true}
	n := r.N
	if f.is("one too few") {
		n--
	}
	for i := range n {
		price := f.price(r)
		d := provider.Delivery{URL: "u", Moderated: f.is("moderated")}
		if f.inline {
			d.URL = ""
			w, err := s.Spool(i)
			if err != nil {
				return reply, err
			}
			w.Write(f.picture())
			if f.is("delivered before it is closed") {
				s.Delivered(i, d, price)
			}
			if !f.is("leaves a spool open") {
				if err := w.Close(); err != nil && !f.is("ignores a spool that is not kept") {
					return reply, err
				}
			}
		}
		reply.Price += price
		if err := s.Delivered(i, d, price); err != nil && !f.is("ignores a full disk") {
			return reply, err
		}
		if f.is("delivered twice") {
			s.Delivered(i, d, price)
		}
	}
	switch f.breaks {
	case "sum":
		reply.Price++
	case "changes the request":
		r.Prompt += "!"
		defer func() { r.Prompt = strings.TrimRight(r.Prompt, "!") + "?" }()
	}
	return reply, nil
}

func (f *fake) price(r *provider.Request) provider.Money {
	o, _ := f.Offer("")
	m, _ := o.Price(r)
	if f.is("charges more") {
		m++
	}
	return m
}

var right, wrong = input(imaging.New(16, 8)).Data, input(imaging.New(8, 8)).Data

func (f *fake) picture() []byte {
	switch f.breaks {
	case "no picture":
		return []byte("<html>")
	case "wrong size":
		return wrong
	}
	return right
}

func (f *fake) Resume(context.Context, string, *provider.Request, provider.Sink) (provider.Reply, error) {
	return provider.Reply{}, errors.New("no jobs")
}

func (f *fake) Fetch(_ context.Context, _ string, w io.Writer) error {
	n := f.fetched.Add(1)
	if f.is("downloads once") && n > 1 {
		return &provider.Error{Kind: provider.Unusable, Message: "gone"}
	}
	b := f.picture()
	if f.is("downloads differ") {
		b = fmt.Appendf(bytes.Clone(b), "%d", n)
	}
	_, err := w.Write(b)
	return err
}

// listing is a fake with a catalogue.
type listing struct{ *fake }

func (l listing) Catalogue(context.Context) ([]provider.Listed, error) {
	m := provider.Listed{Model: "m", Prices: []provider.ListedPrice{{Price: 2}, {Resolution: "8k", Price: 9}}}
	switch l.breaks {
	case "catalogue: key":
		return nil, &provider.Error{Kind: provider.Credentials, Message: "wrong key"}
	case "catalogue: none":
		return nil, &provider.Error{Kind: provider.Rejected, Status: 404, Message: "not found"}
	case "catalogue: gone":
		return []provider.Listed{{Model: "n"}}, nil
	case "catalogue: price":
		m.Prices[0].Price = 3
	}
	return []provider.Listed{m, {Model: "n"}}, nil
}

func rigOf(breaks string, inline bool) Rig {
	f := &fake{breaks: breaks, inline: inline}
	o, _ := (&fake{}).Offer("")
	rig := Rig{Maker: f, Inline: inline, Requests: Requests(o)}
	if breaks == "other way" {
		rig.Inline = !inline
	}
	if strings.HasPrefix(breaks, "catalogue") {
		rig.Maker = listing{f}
	}
	return rig
}

func TestGoodMakers(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) Rig { return rigOf("", false) })
	Run(t, func(*testing.T) Rig { return rigOf("", true) })
	Run(t, func(*testing.T) Rig { return rigOf("asks again after a 429", false) })
	Run(t, func(*testing.T) Rig { return rigOf("catalogue", false) })
	Run(t, func(*testing.T) Rig { return rigOf("catalogue: none", false) })
}

// A suite that notices nothing would hold for any maker.
func TestNotices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		breaks string
		inline bool
		want   string // the checks that fail
	}{
		{"no default model", false, "offer"},
		{"forgets an alias", false, "offer"},
		{"offers anything", false, "offer"},
		{"no source", false, "offer"},
		{"default that is no choice", false, "offer"},
		{"mask without edits", false, "offer"},
		{"styles twice", false, "offer"},
		{"served before its end", false, "offer"},
		{"sends any style", false, "limits"},
		{"sends for a run that ended", false, "cancelled"},
		{"wraps no context", false, "cancelled"},
		{"catalogue: key", false, "catalogue"},
		{"catalogue: gone", false, "catalogue"},
		{"catalogue: price", false, "catalogue"},
		{"sends though it may not", false, "not sent"},
		{"hides the cause", false, "not sent"},
		{"no key", false, "not sent, pictures, together, disk full"},
		{"always in doubt", false, "not sent, pictures, together, disk full"},
		{"sent twice", false, "pictures, together"},
		{"one too few", false, "pictures, together, disk full"},
		{"moderated", false, "pictures"},
		{"delivered twice", true, "pictures, together"},
		{"delivered before it is closed", true, "pictures, together, disk full"},
		{"leaves a spool open", true, "pictures, together, disk full"},
		{"other way", false, "pictures, disk full"},
		{"other way", true, "pictures"},
		{"sum", false, "pictures"},
		{"charges more", false, "pictures"},
		{"changes the request", false, "pictures"},
		{"no picture", false, "pictures"},
		{"wrong size", true, "pictures"},
		{"downloads once", false, "pictures"},
		{"downloads differ", false, "pictures"},
		{"ignores a full disk", false, "disk full"},
		{"ignores a spool that is not kept", true, "disk full"},
	} {
		t.Run(tt.breaks, func(t *testing.T) {
			t.Parallel()
			var failed []string
			var texts []error
			for _, c := range Checks(rigOf(tt.breaks, tt.inline)) {
				if found := c.Run(t.Context(), rigOf(tt.breaks, tt.inline)); len(found) > 0 {
					failed = append(failed, c.Name)
					texts = append(texts, found...)
				}
			}
			if got := strings.Join(failed, ", "); got != tt.want {
				t.Errorf("fails: %s; want %s\n%v", got, tt.want, errors.Join(texts...))
			}
		})
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	type cost struct {
		Requests, Images int
		Price            provider.Money
	}
	for _, tt := range []struct {
		inline bool
		want   map[string]cost
	}{
		{false, map[string]cost{"pictures": {3, 4, 9}, "together": {3, 4, 9}, "disk full": {1, 1, 2}}},
		{true, map[string]cost{"pictures": {3, 4, 9}, "together": {3, 4, 9}, "disk full": {3, 3, 6}}},
	} {
		got := map[string]cost{}
		for _, c := range Checks(rigOf("", tt.inline)) {
			var k cost
			var ok bool
			if k.Requests, k.Images, k.Price, ok = c.Cost(rigOf("", tt.inline)); !ok {
				t.Errorf("%s has no price", c.Name)
			}
			if k != (cost{}) {
				got[c.Name] = k
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Error(d)
		}
	}
}

// TestPays: what a check says it sends is what it sends.
func TestPays(t *testing.T) {
	t.Parallel()
	for _, inline := range []bool{false, true} {
		for _, c := range Checks(rigOf("", inline)) {
			rig := rigOf("", inline)
			counted := &counter{Maker: rig.Maker}
			requests, images, _, _ := c.Cost(rig)
			rig.Maker = counted
			c.Run(t.Context(), rig)
			if int(counted.requests.Load()) != requests || int(counted.images.Load()) != images {
				t.Errorf("%s: %d requests, %d images; it says %d and %d", c.Name, counted.requests.Load(), counted.images.Load(), requests, images)
			}
		}
	}
}

// counter counts what is sent.
type counter struct {
	provider.Maker
	requests, images atomic.Int32
}

func (c *counter) Make(ctx context.Context, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	return c.Maker.Make(ctx, r, countingSink{s, func() { c.requests.Add(1); c.images.Add(int32(r.N)) }})
}

type countingSink struct {
	provider.Sink
	sent func()
}

func (s countingSink) Sent() error {
	err := s.Sink.Sent()
	if err == nil {
		s.sent()
	}
	return err
}

func TestOver(t *testing.T) {
	t.Parallel()
	for kind, want := range map[provider.Kind]bool{
		provider.NotSent: true, provider.RateLimited: true, provider.Rejected: false, provider.Credentials: true,
		provider.Quota: true, provider.Moderated: false, provider.Unusable: false, provider.InDoubt: true,
	} {
		if got := Over(fmt.Errorf("an edit: %w", &provider.Error{Kind: kind})); got != want {
			t.Errorf("%v: %v", kind, got)
		}
	}
	if Over(errors.New("a picture is red")) {
		t.Error("a finding ends the run")
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	o, _ := (&fake{}).Offer("")
	var all []string
	for _, r := range Requests(o) {
		all = append(all, describe(r))
	}
	o.Mask = true
	for _, r := range Requests(o) {
		if d := describe(r); !slices.Contains(all, d) {
			all = append(all, "masked: "+d)
		}
	}
	if d := cmp.Diff([]string{"one image", "2 images", "an edit", "masked: an edit with a mask"}, all); d != "" {
		t.Error(d)
	}
}
