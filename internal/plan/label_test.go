package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func init() {
	draws := offers[""]
	draws.Model, draws.Procedural = "draws", true
	offers["draws"] = draws
}

func alt(s string) func(*spec.Image)   { return func(im *spec.Image) { im.Alt = s } }
func model(m string) func(*spec.Image) { return func(im *spec.Image) { im.Wanted.Model = m } }
func ofFile(im *spec.Image)            { im.Wanted.Sources = []spec.Source{{File: "photo.jpg"}} }

// relabels lists the files of a plan that only get another label.
func relabels(p *Plan) (out []string) {
	for _, s := range p.Steps {
		for _, o := range s.Outputs {
			if o.Relabel {
				out = append(out, o.Path)
			}
		}
	}
	return out
}

// Another label is a free step that needs no original; a copy of the original
// has no label, so nothing happens to it.
func TestLabelChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(img("hero", path("hero.jpg"), card(8), alt("a lake")), img("plain"))
	w.apply(w.plan())
	check(t, w.plan())
	clear(w.held)
	w.set(img("hero", path("hero.jpg"), card(8), alt("a pond")), img("plain", alt("a hill")))
	p := w.plan()
	check(t, p, "render hero (recipe label)")
	if got := relabels(p); !slices.Equal(got, []string{"hero.jpg", "card.jpg"}) {
		t.Errorf("relabelled: %q", got)
	}
	if l := p.Steps[0].Label; l == nil || *l != (spec.Label{SourceType: spec.SourceTrained, Alt: "a pond"}) {
		t.Errorf("the label of the step is %+v", l)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	w.apply(p)
	check(t, w.plan())

	// With another size the original is needed, and it is gone.
	w.set(img("hero", path("hero.jpg"), card(9), alt("a brook")), img("plain"))
	check(t, w.plan(), "missing hero (no original image.hero)")

	// A label less is written the same way.
	w.set(img("hero", path("hero.jpg"), card(8), alt("a pond"), func(im *spec.Image) { im.Unlabelled = true }), img("plain"))
	p = w.plan()
	check(t, p, "render hero (recipe label)")
	if got := relabels(p); !slices.Equal(got, []string{"hero.jpg", "card.jpg"}) || p.Steps[0].Label != nil {
		t.Errorf("relabelled: %q, label %+v", got, p.Steps[0].Label)
	}
}

// What an earlier version wrote has no label: its files get one, free and
// without their originals, and nothing is bought.
func TestUpgradeLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(img("hero", card(8)), img("plain"), img("night", editOf("hero"), path("night.jpg")))
	w.apply(w.plan())
	for i := range w.lock.Entries {
		for k := range w.lock.Entries[i].Outputs {
			o := &w.lock.Entries[i].Outputs[k]
			o.Recipe = strings.Join(slices.DeleteFunc(strings.Fields(o.Recipe), func(s string) bool { return strings.HasPrefix(s, "label=") }), " ")
		}
	}
	clear(w.held)
	p := w.plan()
	check(t, p, "render hero (recipe label)", "render night (recipe label)")
	if got := relabels(p); !slices.Equal(got, []string{"card.jpg", "night.jpg"}) || p.Summary.Free != 2 || p.Summary.Price != 0 {
		t.Errorf("relabelled: %q, %+v", got, p.Summary)
	}
	w.apply(p)
	check(t, w.plan())
}

// label = true labels copies, too.
func TestLabelCopies(t *testing.T) {
	t.Parallel()
	all := func(im *spec.Image) { im.LabelCopies = true }
	w := newWorld(img("hero"))
	w.apply(w.plan())
	w.set(img("hero", all))
	p := w.plan()
	check(t, p, "render hero (recipe label)")
	if got := relabels(p); !slices.Equal(got, []string{"hero.png"}) {
		t.Errorf("relabelled: %q", got)
	}
	w.apply(p)
	check(t, w.plan())
	w.set(img("hero"))
	p = w.plan()
	check(t, p, "render hero (recipe label)")
	if got := relabels(p); !slices.Equal(got, []string{"hero.png"}) {
		t.Errorf("relabelled: %q", got)
	}

	// A signed one stays as it is.
	w = newWorld(img("hero"))
	w.apply(w.plan())
	w.lock.Entries[0].Candidates[0].C2PA = true
	w.set(img("hero", all))
	check(t, w.plan())
}

func TestSourceTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(img("a"), img("drawn", model("draws")), img("file", ofFile), img("of_file", editOf("file")), img("of_a", editOf("a")), img("of_drawn", editOf("drawn")),
		img("drawn_over", model("draws"), editOf("a")), img("drawn_file", model("draws"), ofFile), img("mix", editOf("a", "of_file")),
		img("imported"), img("of_imported", editOf("imported")), img("known"), img("of_known", editOf("known")))
	w.files["photo.jpg"] = digest.OfContent([]byte("photo"))
	w.apply(w.plan())
	for _, name := range []string{"imported", "known"} {
		e := *w.lock.Get(spec.Address("image." + name))
		e.Candidates = []provider.Image{e.Candidates[0]}
		e.Candidates[0].Model = ImportedModel
		if name == "known" {
			e.Candidates[0].SourceType = spec.SourceTrained
		}
		w.lock.Set(e)
	}
	got := SourceTypes(Input{Images: w.images, Lock: w.lock, Offer: func(_, model string) (*provider.Offer, bool) { o, ok := offers[model]; return &o, ok }})
	for name, want := range map[string]string{
		"a": spec.SourceTrained, "drawn": spec.SourceAlgorithmic, "file": spec.SourceComposite, "of_file": spec.SourceComposite, "of_a": spec.SourceTrained,
		"of_drawn": spec.SourceTrained, "drawn_over": spec.SourceComposite, "drawn_file": spec.SourceSynthetic, "mix": spec.SourceComposite,
		"imported": "", "of_imported": spec.SourceComposite, "known": spec.SourceTrained, "of_known": spec.SourceTrained,
	} {
		if got[spec.Address("image."+name)] != want {
			t.Errorf("%s: %q, not %q", name, got[spec.Address("image."+name)], want)
		}
	}
}

// A rendition can't keep Content Credentials, and that is said; a copy keeps them.
func TestUnsignedIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(img("hero"))
	w.apply(w.plan())
	w.lock.Entries[0].Candidates[0].C2PA = true
	w.set(img("hero", card(8)))
	p := w.plan()
	check(t, p, "render hero (recipe path)")
	if !slices.Contains(p.Steps[0].Notes, Unsigned([]string{"card.jpg"})) {
		t.Errorf("notes: %q", p.Steps[0].Notes)
	}
	delete(w.disk, "hero.png")
	w.set(img("hero"))
	if p := w.plan(); len(p.Steps[0].Notes) > 0 {
		t.Errorf("notes of a copy: %q", p.Steps[0].Notes)
	}
	if text := Unsigned([]string{"a", "b", "c"}); !strings.HasPrefix(text, "a and 2 more: ") {
		t.Error(text)
	}
}

// A saved plan whose label was changed would write something else than it shows.
func TestCheckLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(img("hero", card(8), alt("a lake")))
	for _, change := range []func(*Step){func(s *Step) { s.Label = nil }, func(s *Step) { s.Label.Alt = "a pond" }} {
		p := w.plan()
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		change(&p.Steps[0])
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), "label") {
			t.Errorf("%+v: %v", p.Steps[0].Label, err)
		}
	}
}
