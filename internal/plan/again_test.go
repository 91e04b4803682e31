package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// What a postcondition refuses and is asked for again is planned a second time:
// it keeps its old name, and what was sent for it stays its own.
func TestPlannedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(img("a", judged, prompt("p")))
	w.apply(w.plan())
	w.unfit = func(Picture) string { return "no good" }
	again := func(in *Input) { in.RetryRefused = true }

	w.set(img("a2", judged, prompt("p")))
	p := w.plan(again)
	check(t, p, "generate a2 (renamed, asked -retry-refused) 1× $0.02")
	if s := p.Steps[0]; s.From != "image.a" || s.Precondition != w.lock.Get("image.a").Digest() {
		t.Errorf("from %q", s.From)
	}

	w.set(img("a", judged, prompt("p"), n(3)))
	entry := *w.lock.Get("image.a")
	sent := entry.Request
	entry.Outputs = nil // it was never written
	w.lock.Set(entry)
	delete(w.disk, "a.png")
	for _, how := range []func(*Input){again, func(in *Input) { in.Select.Replace = []string{"image.a"} }} {
		p = w.plan(how, func(in *Input) {
			in.Pending = []Pending{{Request: sent, Address: spec.Address("image.a"), Attempt: "1"}}
		})
		if len(p.Steps) != 1 || p.Steps[0].Verb != Hold {
			t.Errorf("what was sent and not answered is not held: %v", lines(p))
		}
	}
}

func TestCheckWantsReasons(t *testing.T) {
	t.Parallel()
	for _, verb := range []Verb{Record, Protected} {
		p := Plan{Steps: []Step{{Address: "image.a", Verb: verb, N: 1, Pick: 1}}}
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), "why") {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

// A picture that was an edit took the shape of its source. That is no default
// of a model, and says nothing about the picture that is made without one.
func TestNoEditAnyMore(t *testing.T) {
	t.Parallel()
	night := img("night", editOf("hero"))
	w := newWorld(img("hero"), night)
	w.apply(w.plan())
	plain := img("night")
	w.set(img("hero"), plain)
	p := w.plan()
	fresh := newWorld(plain).plan()
	if diff := cmp.Diff(fresh.Steps[0].Request, p.Steps[0].Request); diff != "" {
		t.Errorf("what was an edit is asked for otherwise than what never was (-never +was):\n%s", diff)
	}
}

// A saved plan may come from somewhere else: what imgbuild reads is no picture.
func TestCheckWantsPictures(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"imgbuild.lock.json", "Imgbuild.Lock.JSON", "site.img.hcl", "sub/x.img.json", "a.imgvars", "a.imgvars.json", "site.imgtest.hcl", ".gitignore", "img/.gitignore"} {
		p := Plan{Steps: []Step{{Address: "image.a", Verb: Render, N: 1, Pick: 1, Outputs: []Output{{Path: path, Action: Write, Recipe: "format=png"}}}}}
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), "itself") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What images share is bought once, also when all of them want more of it.
func TestSharersWantMore(t *testing.T) {
	t.Parallel()
	share := func(im *spec.Image) { im.Share = true }
	of := func(number int) []spec.Image {
		return []spec.Image{img("a", share, prompt("p"), n(number)), img("b", share, prompt("p"), n(number)), img("c", share, prompt("p"), n(number+1))}
	}
	w := newWorld(of(1)...)
	w.apply(w.plan())
	if w.bought != 2 {
		t.Fatalf("%d are bought at first, not 2", w.bought)
	}
	w.set(of(3)...)
	w.apply(w.plan())
	if w.bought != 4 {
		t.Errorf("4 different pictures are wanted, and %d were bought", w.bought)
	}
	if again := w.plan(); len(again.Steps) > 0 {
		t.Errorf("the second plan is not empty: %v", lines(again))
	}
}

// Who wants more than the image that it shares with has gets the rest from what
// was bought for the same before.
func TestSharersTakeWhatWasBought(t *testing.T) {
	t.Parallel()
	share := func(im *spec.Image) { im.Share = true }
	w := newWorld(img("a", share, prompt("p"), n(4)), img("b", share, prompt("q")))
	w.apply(w.plan())
	w.set(img("b", share, prompt("q")))
	w.apply(w.plan())
	had := w.bought
	w.set(img("a", share, prompt("p"), n(2)), img("b", share, prompt("q")))
	w.apply(w.plan())
	w.set(img("a", share, prompt("p"), n(2), path("elsewhere.png")), img("b", share, prompt("p"), n(4)))
	w.apply(w.plan())
	if w.bought != had {
		t.Errorf("4 were bought for this before, and %d are bought again", w.bought-had)
	}
	if again := w.plan(); len(again.Steps) > 0 {
		t.Errorf("the second plan is not empty: %v", lines(again))
	}
}

// What an image has to which nothing happens is shared as well, also where
// another one, with less, is worked on.
func TestSharesWithTheUnchanged(t *testing.T) {
	t.Parallel()
	share := func(im *spec.Image) { im.Share = true }
	w := newWorld(img("a", share, prompt("p")), img("x", share, prompt("p"), n(2)))
	w.apply(w.plan())
	w.set(img("a", share, prompt("p"), path("elsewhere.png")), img("x", share, prompt("p"), n(2)), img("y", share, prompt("p"), n(2)))
	had := w.bought
	w.apply(w.plan())
	if w.bought != had {
		t.Errorf("%d bought again", w.bought-had)
	}
	if again := w.plan(); len(again.Steps) > 0 {
		t.Errorf("the second plan is not empty: %v", lines(again))
	}
}
