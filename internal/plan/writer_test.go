package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// What nothing here can write is found before anything is bought, and only where
// it must be written; what something else wrote is noted.
func TestWriters(t *testing.T) {
	t.Parallel()
	webp := img("hero", path("hero.webp"))
	avif := func(im *spec.Image) {
		im.Renditions = []spec.Rendition{{Name: "r", Path: "r.avif"}}
	}
	by := func(encoder string) func(*world) {
		return func(w *world) {
			e := w.lock.Get("image.hero")
			e.Outputs = slices.Clone(e.Outputs)
			for i := range e.Outputs {
				e.Outputs[i].Encoder = encoder
			}
			w.lock.Set(*e)
		}
	}
	gone := func(w *world) { // the renditions
		for p := range w.disk {
			if p != "hero.png" {
				delete(w.disk, p)
			}
		}
	}
	tests := []struct {
		name   string
		start  []spec.Image
		then   []func(*world)
		writes map[string]string // the name of what writes a format
		want   []string          // lines, and notes
	}{
		{"none, and it would be bought", nil, []func(*world){func(w *world) { w.set(webp) }}, nil,
			[]string{"generate hero (new) 1× $0.02", "problem image.hero path: hero.webp: nothing writes webp"}},
		{"the format is said", nil, []func(*world){func(w *world) {
			w.set(img("hero", path("hero"), func(im *spec.Image) { im.File.Format = "webp" }))
		}}, nil, []string{"generate hero (new) 1× $0.02", "problem image.hero file.format: hero: nothing writes webp"}},
		{"none for a rendition", []spec.Image{img("hero")}, []func(*world){func(w *world) { w.set(img("hero", avif)) }}, map[string]string{"png": "p"},
			[]string{"render hero (recipe path)", "problem image.hero rendition.r.format: r.avif: nothing writes avif"}},
		{"a rendition that is there", []spec.Image{img("hero", avif)}, nil, nil, nil},
		{"a rendition that is not there", []spec.Image{img("hero", avif)}, []func(*world){by("tool 1"), gone}, map[string]string{"avif": "tool"},
			[]string{"restore hero (absent)"}},
		{"another program", []spec.Image{img("hero", avif)}, []func(*world){by("tool 1"), gone}, map[string]string{"avif": "vise"},
			[]string{"restore hero (absent)", "other encoder: r.avif was written by tool 1, now by vise; its bytes may differ"}},
		{"another version in process", []spec.Image{img("hero", card(1))}, []func(*world){by("go1.1/jpeg"), gone}, map[string]string{"jpeg": "go1.2/jpeg"},
			[]string{"restore hero (absent)", "other encoder: card.jpg was written by go1.1/jpeg, now by go1.2/jpeg; its bytes may differ"}},
		{"another recipe", []spec.Image{img("hero", card(1))}, []func(*world){by("go1.1/jpeg"), func(w *world) {
			w.set(img("hero", card(1), func(im *spec.Image) { im.Renditions[0].File.Quality = 9 }))
		}}, map[string]string{"jpeg": "go1.2/jpeg"},
			[]string{"render hero (recipe quality)"}},
		{"a picture in that format already", []spec.Image{webp}, []func(*world){func(w *world) {
			e := w.lock.Get("image.hero")
			e.Candidates = slices.Clone(e.Candidates)
			e.Candidates[0].MIME = "image/webp"
			e.Outputs = slices.Clone(e.Outputs)
			e.Outputs[0].Recipe = "format=webp" // a copy
			w.lock.Set(*e)
		}, gone}, nil, []string{"restore hero (absent)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(tt.start...)
			w.apply(w.plan())
			for _, f := range tt.then {
				f(w)
			}
			p := w.plan(func(in *Input) {
				in.Writer = func(e spec.Encoding) spec.Writer {
					return spec.Writer{Name: tt.writes[e.Format], Missing: "nothing writes " + e.Format}
				}
			})
			got := lines(p)
			for _, s := range p.Steps {
				got = append(got, s.Notes...)
			}
			if d := cmp.Diff(append([]string{}, tt.want...), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A crop that leaves the picture is found before anything is bought where its
// size is known.
func TestCrops(t *testing.T) {
	t.Parallel()
	crop := func(x, width string) func(*spec.Image) {
		c, err := spec.ParseCrop(x + ",0," + width + ",100%")
		if err != nil {
			t.Fatal(err)
		}
		return func(im *spec.Image) {
			im.Renditions = []spec.Rendition{{Name: "r", Path: "r.png", Width: 5, Crop: c}}
		}
	}
	for name, tt := range map[string]struct {
		crop func(*spec.Image)
		want []string
	}{
		"inside":      {crop("10", "20"), nil},
		"to the edge": {crop("10", "30"), nil},
		"over it":     {crop("10", "31"), []string{"problem image.hero rendition.r.crop: rendition r: the crop of 31x30 at 10,0 leaves the picture, which is 40x30"}},
		"percent":     {crop("90%", "10%"), []string{"rendition r will be smaller than asked: the crop is 4x30 and is enlarged only with enlarge = true"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(img("hero"))
			w.apply(w.plan())
			e := *w.lock.Get("image.hero")
			e.Candidates = slices.Clone(e.Candidates)
			e.Candidates[0].Width, e.Candidates[0].Height = 40, 30
			w.lock.Set(e)
			w.set(img("hero", tt.crop))
			p := w.plan()
			got := append([]string{}, p.Steps[0].Notes...)
			got = append(got, lines(p)[1:]...)
			if d := cmp.Diff(append([]string{}, tt.want...), got); d != "" {
				t.Error(d)
			}
		})
	}
}
