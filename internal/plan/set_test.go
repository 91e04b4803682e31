package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// A set goes by the size of its picture where that is known; else the step has
// all of it, and what it writes is a guess.
func TestResponsive(t *testing.T) {
	t.Parallel()
	set := func(widths ...int) func(*spec.Image) {
		return func(im *spec.Image) {
			for _, format := range []string{"webp", "png"} {
				for _, w := range widths {
					im.Renditions = append(im.Renditions, spec.Rendition{Block: spec.Responsive, Name: fmt.Sprint(w, ".", format), Path: spec.SetPath("hero", w, "."+format), Width: w, File: spec.Encoding{Format: format}})
				}
			}
		}
	}
	sized := func(width, height int) func(*world) {
		return func(w *world) {
			w.apply(w.plan())
			e := *w.lock.Get("image.hero")
			e.Candidates = slices.Clone(e.Candidates)
			e.Candidates[0].Width, e.Candidates[0].Height = width, height
			w.lock.Set(e)
		}
	}
	paths := func(list []Output) string {
		var out []string
		for _, o := range list {
			verb := ""
			if o.Action != Write {
				verb = string(o.Action) + " "
			}
			out = append(out, verb+o.Path)
		}
		return strings.Join(out, " ")
	}
	none := map[string]string{}
	for _, tt := range []struct {
		name    string
		start   []spec.Image
		then    []func(*world)
		wanted  []spec.Image
		pixels  provider.Size // that the offer promises
		writers map[string]string
		want    []string
	}{
		{"nobody knows the size", nil, nil, []spec.Image{img("hero", set(10, 20))}, provider.Size{}, nil,
			[]string{"generate hero (new) 1× $0.02", "responsive: widths that the picture does not have are left out",
				"hero.png hero-10.webp hero-20.webp hero-10.png hero-20.png", "set hero-10.webp hero-20.webp hero-10.png hero-20.png"}},
		{"the offer tells it", nil, nil, []spec.Image{img("hero", set(10, 20, 30))}, provider.Size{Width: 15, Height: 15}, nil,
			[]string{"generate hero (new) 1× $0.02", "responsive: the picture is about 15 wide, which stands for 20 and 30",
				"hero.png hero-10.webp hero-15.webp hero-10.png hero-15.png", "set hero-10.webp hero-20.webp hero-30.webp hero-10.png hero-20.png hero-30.png"}},
		{"the offer tells that all are there", nil, nil, []spec.Image{img("hero", set(10))}, provider.Size{Width: 15, Height: 15}, nil,
			[]string{"generate hero (new) 1× $0.02", "hero.png hero-10.webp hero-10.png", "set hero-10.webp hero-10.png"}},
		{"the picture is there", []spec.Image{img("hero")}, []func(*world){sized(12, 9)}, []spec.Image{img("hero", set(10, 20))}, provider.Size{Width: 99, Height: 99}, nil,
			[]string{"render hero (recipe path, recipe path, recipe path, recipe path)", "responsive: the picture is 12 wide, which stands for 20",
				"keep hero.png hero-10.webp hero-12.webp hero-10.png hero-12.png"}},
		{"nothing writes a format", nil, nil, []spec.Image{img("hero", set(10, 20))}, provider.Size{}, none,
			[]string{"generate hero (new) 1× $0.02", "problem image.hero path: hero.png: nothing writes png",
				"problem image.hero responsive.formats: hero-10.webp: nothing writes webp", "problem image.hero responsive.formats: hero-10.png: nothing writes png",
				"responsive: widths that the picture does not have are left out",
				"hero.png hero-10.webp hero-20.webp hero-10.png hero-20.png", "set hero-10.webp hero-20.webp hero-10.png hero-20.png"}},
		{"a file that another one may write is not deleted", []spec.Image{img("old", path("hero-7.png"))}, []func(*world){func(w *world) { w.apply(w.plan()) }},
			[]spec.Image{img("hero", set(10)), img("old", path("old.png"))}, provider.Size{}, nil,
			[]string{"generate hero (new) 1× $0.02", "render old (recipe path)", "responsive: widths that the picture does not have are left out",
				"hero.png hero-10.webp hero-10.png", "set hero-10.webp hero-10.png", "old.png forget hero-7.png"}},
		{"one that it can't is", []spec.Image{img("old", path("hero-11.png"))}, []func(*world){func(w *world) { w.apply(w.plan()) }},
			[]spec.Image{img("hero", set(10)), img("old", path("old.png"))}, provider.Size{}, nil,
			[]string{"generate hero (new) 1× $0.02", "render old (recipe path)", "responsive: widths that the picture does not have are left out",
				"hero.png hero-10.webp hero-10.png", "set hero-10.webp hero-10.png", "old.png delete hero-11.png"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(tt.start...)
			for _, f := range tt.then {
				f(w)
			}
			w.set(tt.wanted...)
			p := w.plan(func(in *Input) {
				offer := in.Offer
				in.Offer = func(key, model string) (*provider.Offer, bool) {
					o, ok := offer(key, model)
					o.Pixels = func(string, string) (provider.Size, bool) { return tt.pixels, !tt.pixels.IsZero() }
					return o, ok
				}
				if tt.writers != nil {
					in.Writer = func(e spec.Encoding) spec.Writer {
						return spec.Writer{Name: tt.writers[e.Format], Missing: "nothing writes " + e.Format}
					}
				}
			})
			got := lines(p)
			for _, s := range p.Steps {
				got = append(got, s.Notes...)
			}
			for _, s := range p.Steps {
				got = append(got, paths(s.Outputs))
				if len(s.Responsive) > 0 {
					got = append(got, "set "+paths(s.Responsive))
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A placeholder is a record: whether there is one is compared, and what it needs
// is the original.
func TestPlaceholder(t *testing.T) {
	t.Parallel()
	with := img("hero", func(im *spec.Image) { im.Placeholder = true })
	w := newWorld(img("hero"))
	w.apply(w.plan())
	if got := lines(w.plan()); len(got) > 0 {
		t.Fatalf("without one: %s", got)
	}
	w.set(with)
	if got := lines(w.plan()); !slices.Equal(got, []string{"render hero (recipe placeholder)"}) {
		t.Errorf("asked for: %s", got)
	}
	if o := w.plan().Steps[0].Outputs[0]; o.Action != KeepFile || !o.Placeholder {
		t.Errorf("asked for: %+v", o)
	}
	e := *w.lock.Get("image.hero")
	e.Outputs = slices.Clone(e.Outputs)
	e.Outputs[0].Placeholder = &lock.Placeholder{Color: "#102030"}
	w.lock.Set(e)
	if got := lines(w.plan()); len(got) > 0 {
		t.Errorf("there: %s", got)
	}
	w.set(img("hero"))
	if got := lines(w.plan()); !slices.Equal(got, []string{"render hero (recipe placeholder)"}) {
		t.Errorf("not wanted any more: %s", got)
	}
}
