package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Rig is a maker, and requests that it carries out.
type Rig struct {
	Maker    provider.Maker
	Requests []*provider.Request // by name of what they show: generate, edit, with a mask, …
}

// Run holds makers to what provider.Maker promises. rig is called for each
// test, so that servers can be fresh.
func Run(t *testing.T, rig func(t *testing.T) Rig) {
	t.Run("offer", func(t *testing.T) { offer(t, rig(t)) })
	t.Run("make", func(t *testing.T) { makes(t, rig(t)) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, rig(t)) })
	t.Run("sink refuses", func(t *testing.T) { refuses(t, rig(t)) })
	t.Run("together", func(t *testing.T) { together(t, rig(t)) })
	t.Run("beyond the offer", func(t *testing.T) { beyond(t, rig(t)) })
}

// offer: the default model exists, is found under its own name and aliases, and
// holds together.
func offer(t *testing.T, rig Rig) {
	o, ok := rig.Maker.Offer("")
	if !ok {
		t.Fatal("no default model")
	}
	for _, name := range append([]string{o.Model}, o.Aliases...) {
		if same, ok := rig.Maker.Offer(name); !ok || same.Model != o.Model {
			t.Errorf("Offer(%q) is %q, %v; want %q", name, same.Model, ok, o.Model)
		}
	}
	if _, ok := rig.Maker.Offer("no such model"); ok {
		t.Error("there is an offer for a model that does not exist")
	}
	CheckOffer(t, o)
}

// CheckOffer finds what is missing or contradicts itself in an offer.
func CheckOffer(t *testing.T, o provider.Offer) {
	t.Helper()
	if o.Provider == "" || o.Model == "" || o.AsOf == "" || o.Source == "" || o.Price == nil || o.Pixels == nil || o.MaxN < 1 {
		t.Errorf("%s: a provider, model, date, source, price, pixels or n is missing: %+v", o.Model, o)
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
			t.Errorf("%s: the default %s %q is not one of %q", o.Model, d.name, d.value, d.of)
		}
	}
	if len(o.Styles) > 0 && len(o.StyleWords) > 0 {
		t.Errorf("%s: both styles and words that stand in for them", o.Model)
	}
	if o.Mask && o.MaxInputs == 0 {
		t.Errorf("%s: a mask, but no edits", o.Model)
	}
	if m, ok := o.Price(&provider.Request{Resolution: o.DefaultResolution, Quality: o.DefaultQuality, N: 1}); !ok || m < 0 {
		t.Errorf("%s: a request of defaults has no price", o.Model)
	}
}

// makes: every request gives its images once each, in the right order of
// events, with bytes that are pictures, and is itself not changed.
func makes(t *testing.T, rig Rig) {
	for i, r := range rig.Requests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			before := r.Canonical()
			var s Recorder
			reply, err := rig.Maker.Make(t.Context(), r, &s)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, r.Canonical()) {
				t.Error("Make changed the request")
			}
			checkSink(t, &s, r.N)
			var sum provider.Money
			for i, d := range s.Images {
				sum += s.Prices[i]
				checkPicture(t, rig.Maker, d, s.Spools[i])
			}
			if sum != reply.Price {
				t.Errorf("the images cost %s, the reply says %s", sum, reply.Price)
			}
		})
	}
}

func checkSink(t *testing.T, s *Recorder, n int) {
	t.Helper()
	if s.Count("sent") != 1 || s.Events[0] != "sent" {
		t.Errorf("not sent first and once: %q", s.Events)
	}
	if len(s.Images) != n {
		t.Errorf("%d images delivered, want %d", len(s.Images), n)
	}
	for i := range n {
		delivered := fmt.Sprintf("delivered %d", i)
		if s.Count(delivered) != 1 {
			t.Errorf("%s: %d times", delivered, s.Count(delivered))
		}
		at := func(kind string) int { return slices.Index(s.Events, fmt.Sprintf("%s %d", kind, i)) }
		if at("spool") >= 0 && !(at("spool") < at("close") && at("close") < at("delivered")) {
			t.Errorf("image %d was not closed before it was delivered: %q", i, s.Events)
		}
	}
	if l := s.leaks(); l != nil {
		t.Errorf("spools were not closed: %v", l)
	}
}

// checkPicture fetches d where needed (twice: it must be repeatable) and
// decodes it.
func checkPicture(t *testing.T, m provider.Maker, d provider.Delivery, spooled []byte) {
	t.Helper()
	if d.URL != "" {
		var again bytes.Buffer
		for _, w := range []*bytes.Buffer{{}, &again} {
			if err := m.Fetch(t.Context(), d.URL, w); err != nil {
				t.Fatal(err)
			}
			spooled = w.Bytes()
		}
	}
	if _, _, err := imaging.Decode(spooled, imaging.DefaultLimits); err != nil {
		t.Errorf("not a picture: %v", err)
	}
}

// cancelled: nothing is sent for a run that has ended.
func cancelled(t *testing.T, rig Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var s Recorder
	if _, err := rig.Maker.Make(ctx, rig.Requests[0], &s); !errors.Is(err, context.Canceled) {
		t.Errorf("Make: %v, want %v", err, context.Canceled)
	}
	if len(s.Events) > 0 {
		t.Errorf("something happened: %q", s.Events)
	}
}

// refuses: a sink that can't keep what it is told ends the call, and its error
// comes back.
func refuses(t *testing.T, rig Rig) {
	full := errors.New("disk full")
	for _, event := range []string{"sent", "spool 0", "close 0", "delivered 0"} {
		s := Recorder{Fail: map[string]error{event: full}}
		_, err := rig.Maker.Make(t.Context(), rig.Requests[0], &s)
		if len(s.open) == 0 && (event == "spool 0" || event == "close 0") && err == nil {
			continue // it delivers URLs
		}
		if !errors.Is(err, full) {
			t.Errorf("%s fails: Make says %v", event, err)
		}
		if s.Count("delivered 0") > 0 || event == "sent" && len(s.Events) > 0 {
			t.Errorf("%s fails and yet: %q", event, s.Events)
		}
		if l := s.leaks(); l != nil {
			t.Errorf("%s fails: spools %v stay open", event, l)
		}
	}
}

// together: calls at the same time do not mix.
func together(t *testing.T, rig Rig) {
	var wg sync.WaitGroup
	for range 4 {
		for _, r := range rig.Requests {
			wg.Go(func() {
				var s Recorder
				if _, err := rig.Maker.Make(t.Context(), r, &s); err != nil {
					t.Error(err)
				} else {
					checkSink(t, &s, r.N)
				}
			})
		}
	}
	wg.Wait()
}

// beyond: a request that the offer excludes is rejected before it is sent.
func beyond(t *testing.T, rig Rig) {
	for what, spoil := range map[string]func(*provider.Request){
		"model":   func(r *provider.Request) { r.Model = "no such model" },
		"none":    func(r *provider.Request) { r.N = 0 },
		"n":       func(r *provider.Request) { r.N = 1000 },
		"quality": func(r *provider.Request) { r.Quality = "no such quality" },
		"ratio":   func(r *provider.Request) { r.Size, r.AspectRatio = provider.Size{}, "1:1000" },
		"style":   func(r *provider.Request) { r.Style = "no such style" },
		"mask":    func(r *provider.Request) { r.Inputs, r.Mask = nil, &provider.Input{} },
	} {
		r := *rig.Requests[0]
		spoil(&r)
		var s Recorder
		_, err := rig.Maker.Make(t.Context(), &r, &s)
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.Rejected || len(s.Events) > 0 {
			t.Errorf("%s: %v, %q; want a rejection and nothing sent", what, err, s.Events)
		}
	}
}
