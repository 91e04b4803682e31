package plan

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// world is a project on an imagined disk, and an apply that always works. It
// knows what the plan promises and nothing of how it is made.
type world struct {
	images  []spec.Image
	lock    *lock.Lock
	disk    map[string]digest.Content
	store   map[digest.Request][]Bought
	held    map[digest.Content]bool
	files   map[string]digest.Content
	pending []Pending
	bought  int // images
	unfit   func(Picture) string
}

func newWorld(images ...spec.Image) *world {
	w := &world{lock: &lock.Lock{}, disk: map[string]digest.Content{}, store: map[digest.Request][]Bought{}, held: map[digest.Content]bool{}, files: map[string]digest.Content{}}
	w.set(images...)
	return w
}

func (w *world) set(images ...spec.Image) {
	w.images = slices.Clone(images)
	slices.SortFunc(w.images, func(a, b spec.Image) int { return strings.Compare(string(a.Address), string(b.Address)) })
}

var offers = map[string]provider.Offer{
	"": {Provider: "test", Model: "m1", AspectRatios: []string{"1:1", "16:9"}, DefaultAspectRatio: "1:1", Qualities: []string{"low", "high"}, DefaultQuality: "low",
		MaxN: 10, MaxInputs: 2, Styles: []string{"vivid"}, Price: func(r *provider.Request) (provider.Money, bool) {
			return provider.Dollar/50 + provider.Money(len(r.Inputs))*provider.Dollar/100, true
		}},
}

func init() {
	offers["m1"] = offers[""]
	m2 := offers[""]
	m2.Model, m2.Price = "m2", nil
	offers["m2"] = m2
}

func (w *world) plan(change ...func(*Input)) *Plan {
	in := Input{
		Tool: "test", Images: w.images, Lock: w.lock, Files: w.files, Pending: w.pending,
		Offer:  func(_, model string) (*provider.Offer, bool) { o, ok := offers[model]; return &o, ok },
		Seen:   func(p string) Seen { c, ok := w.disk[p]; return Seen{Exists: ok, Regular: ok, Size: 7, Content: c} },
		Bought: map[digest.Request][]Bought{}, Held: map[digest.Content]bool{}, Hashes: map[string]digest.Content{}, Unfit: map[Unfit]string{},
	}
	for _, f := range change {
		f(&in)
	}
	for range 100 {
		p := Make(in)
		if p.Asks.None() {
			return p
		}
		for _, r := range p.Asks.Requests {
			in.Bought[r] = w.store[r]
		}
		for _, c := range p.Asks.Contents {
			in.Held[c] = w.held[c]
		}
		for _, f := range p.Asks.Files {
			in.Hashes[f] = w.disk[f]
		}
		for _, q := range p.Asks.Pictures {
			if in.Unfit[q.Unfit] = ""; w.unfit != nil {
				in.Unfit[q.Unfit] = w.unfit(q)
			}
		}
	}
	panic("the plan never stops asking")
}

// apply does what the plan says, in its order.
func (w *world) apply(p *Plan) {
	picks := map[spec.Address]int{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Verb.Standing() {
			continue
		}
		var e lock.Entry
		if old := w.lock.Get(s.Address); old != nil {
			e = *old
		}
		if s.From != "" {
			e = *w.lock.Get(s.From)
			w.lock.Remove(s.From)
		}
		e.Address = s.Address
		picks[s.Address] = s.Pick
		if s.N > 0 {
			r := s.Request
			r.Inputs = slices.Clone(r.Inputs)
			for k, src := range s.Sources {
				if src.Image != "" && r.Inputs[k].Content.IsZero() {
					r.Inputs[k].Content = w.lock.Get(src.Image).Picked(picks[src.Image]).Content
				}
			}
			dig := r.Digest()
			have, need := slices.Clone(s.Candidates), s.Need
			if s.Digest.IsZero() && dig == e.Request {
				have, need = e.Candidates, max(0, s.N-len(e.Candidates))
			}
			if s.ShareWith != "" {
				have = slices.Clone(w.lock.Get(s.ShareWith).Candidates)
			}
			for range need {
				w.bought++
				c := provider.Image{Content: digest.OfContent(fmt.Append(nil, "bought", w.bought)), MIME: "image/png", Bytes: 7, Width: 1, Height: 1}
				have = append(have, c)
				w.store[dig] = append(w.store[dig], Bought{Image: c})
				w.held[c.Content] = true
			}
			e.Request, e.Candidates, e.Pick = dig, have, s.LockPick
			e.SetFields(r.Fields())
		}
		for _, o := range s.Outputs {
			drop := func(x lock.Output) bool { return x.Path == o.Path }
			switch o.Action {
			case Write:
				of := e.Picked(s.Pick).Content
				o.Recipe = spec.Settled(o.Recipe, e.Picked(s.Pick))
				c := digest.OfContent([]byte(o.Recipe + of.String()))
				if o.Recipe == "format=png" {
					c = of
				}
				w.disk[o.Path] = c
				e.Outputs = append(slices.DeleteFunc(slices.Clone(e.Outputs), drop), lock.Output{Path: o.Path, Content: c, Bytes: 7, Recipe: o.Recipe, Of: of})
			case DeleteFile:
				delete(w.disk, o.Path)
				fallthrough
			case ForgetFile:
				e.Outputs = slices.DeleteFunc(slices.Clone(e.Outputs), drop)
			}
		}
		if s.Drop {
			w.lock.Remove(s.Address)
		} else {
			w.lock.Set(e)
		}
	}
}

func img(name string, change ...func(*spec.Image)) spec.Image {
	im := spec.Image{Address: spec.Address("image." + name), N: 1, Path: name + ".png", Wanted: spec.Wanted{Provider: "test", Prompt: "a " + name}}
	for _, f := range change {
		f(&im)
	}
	return im
}

func editOf(sources ...string) func(*spec.Image) {
	return func(im *spec.Image) {
		for _, s := range sources {
			if strings.Contains(s, ".") {
				im.Wanted.Sources = append(im.Wanted.Sources, spec.Source{File: s})
			} else {
				im.Wanted.Sources = append(im.Wanted.Sources, spec.Source{Image: spec.Address("image." + s)})
			}
		}
	}
}

func prompt(p string) func(*spec.Image)  { return func(im *spec.Image) { im.Wanted.Prompt = p } }
func quality(q string) func(*spec.Image) { return func(im *spec.Image) { im.Wanted.Quality = q } }
func sealed(im *spec.Image)              { im.Wanted.Sensitive = []string{"prompt"} }
func n(k int) func(*spec.Image)          { return func(im *spec.Image) { im.N = k } }
func pick(k int) func(*spec.Image)       { return func(im *spec.Image) { im.Pick = k } }
func path(p string) func(*spec.Image)    { return func(im *spec.Image) { im.Path = p } }
func size(s string) func(*spec.Image)    { return func(im *spec.Image) { im.Wanted.Size = s } }
func share(im *spec.Image)               { im.Share = true }
func card(width int) func(*spec.Image) {
	return func(im *spec.Image) {
		im.Renditions = append(im.Renditions, spec.Rendition{Name: "card", Path: "card.jpg", Width: width})
	}
}

// lines is a plan in short: verb address (causes) price.
func lines(p *Plan) []string {
	out := []string{}
	for _, s := range p.Steps {
		var causes []string
		for _, r := range s.Why {
			causes = append(causes, strings.TrimSpace(string(r.Cause)+" "+r.Field))
		}
		l := fmt.Sprintf("%s %s (%s)", s.Verb, strings.TrimPrefix(string(s.Address), "image."), strings.Join(causes, ", "))
		if s.Need > 0 {
			l += fmt.Sprintf(" %d× %s", s.Need, s.Price)
		}
		out = append(out, l)
	}
	for _, x := range p.Problems {
		out = append(out, fmt.Sprintf("problem %s %s: %s", x.Address, x.Field, x.Text))
	}
	return out
}

func check(t *testing.T, p *Plan, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if d := cmp.Diff(want, lines(p)); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
}

var photo = digest.OfContent([]byte("a photo"))

// imports lets an image take the photo that is at path.
func imports(name, path string) func(*Input) {
	return func(in *Input) {
		in.Imports = map[spec.Address]Imported{spec.Address("image." + name): {Path: path,
			Image: provider.Image{Content: photo, MIME: "image/png", Width: 1, Height: 1, Bytes: 7, Model: "imported"}}}
	}
}

// The photo is not to be had from any provider: what becomes of it is told
// before anything is written over it.
func TestImportNotes(t *testing.T) {
	t.Parallel()
	logo := img("logo")
	const over, stays = "writes over the imported logo.png", "; the original stays in the store"
	sized := func(in *Input) {
		imports("other", "x.png")(in)
		in.Offer = func(_, model string) (*provider.Offer, bool) {
			o, ok := offers[model]
			o.AnySize, o.MaxPixels = true, 1<<20
			return &o, ok
		}
	}
	tests := []struct {
		name   string
		then   func(w *world)
		change func(*Input)
		want   []string // address: note
	}{
		{"nothing", func(*world) {}, nil, nil},
		{"prompt", func(w *world) { w.set(img("logo", prompt("b"))) }, nil, []string{"logo: " + over + stays}},
		{"prompt, not in the store", func(w *world) { clear(w.held); w.set(img("logo", prompt("b"))) }, nil,
			[]string{"logo: " + over + ", and the store does not have the original: keep a copy"}},
		{"prompt, and the file is gone", func(w *world) { delete(w.disk, "logo.png"); w.set(img("logo", prompt("b"))) }, nil, nil},
		{"prompt, and the file was changed", func(w *world) { w.disk["logo.png"] = digest.OfContent(nil); w.set(img("logo", prompt("b"))) }, nil, nil},
		{"replace", func(*world) {}, func(in *Input) { in.Select.Replace = []string{"image.logo"} }, []string{"logo: " + over + stays}},
		{"rendition", func(w *world) { w.set(img("logo", card(1))) }, nil, nil},
		{"a rendition in the place of what is imported", func(w *world) { w.set(img("other", card(1))); w.disk["card.jpg"] = photo }, imports("other", "card.jpg"),
			[]string{"other: writes over the imported card.jpg" + stays, "logo: it was imported" + stays}},
		{"another size than asked", func(w *world) { w.set(logo, img("other", size("2x2"))) }, sized,
			[]string{"other: the picture is 1x1, not 2x2 as size says; it is taken as it is"}},
		{"the size that is asked", func(w *world) { w.set(logo, img("other", size("1x1"))) }, sized, nil},
		{"prompt and path", func(w *world) { w.set(img("logo", prompt("b"), path("new.png"))) }, nil,
			[]string{"logo: deletes the imported logo.png" + stays}},
		{"another image takes the path", func(w *world) { w.set(img("other", path("logo.png"))) }, nil, []string{"other: " + over + stays}},
		{"another name and prompt, imported again", func(w *world) { w.set(img("top", path("logo.png"))) }, imports("top", "logo.png"), nil},
		{"deleted", func(w *world) { w.set() }, nil, []string{"logo: it was imported" + stays}},
		{"deleted, not in the store", func(w *world) { clear(w.held); w.set() }, nil,
			[]string{"logo: it was imported, and the store does not have the original: keep a copy"}},
		{"destroyed", func(*world) {}, func(in *Input) { in.Destroy = true }, []string{"logo: it was imported" + stays}},
		{"deleted, and the file is gone", func(w *world) { clear(w.disk); w.set() }, nil, nil},
		{"kept", func(w *world) { w.set() }, func(in *Input) { in.Kept = map[spec.Address]bool{"image.logo": true} }, nil},
		{"protected", func(w *world) { w.set(img("logo", prompt("b"), func(im *spec.Image) { im.Protect = true })) }, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(logo)
			w.disk["logo.png"] = photo
			w.apply(w.plan(imports("logo", "logo.png")))
			w.disk["logo.png"], w.held[photo] = photo, true
			w.lock.Entries[0].Outputs[0].Content = photo
			tt.then(w)
			var how []func(*Input)
			if tt.change != nil {
				how = append(how, tt.change)
			}
			var got []string
			for _, s := range w.plan(how...).Steps {
				for _, n := range s.Notes {
					got = append(got, strings.TrimPrefix(string(s.Address), "image.")+": "+n)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
		})
	}
}

func TestImportFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(img("logo", n(3)), img("gone"))
	p := w.plan(func(in *Input) {
		imports("logo", "logo.png")(in)
		in.Imports["image.gone"] = Imported{Path: "x.png", Fault: &spec.Problem{Field: "import", Text: "there is no file"}}
	})
	var got []string
	for _, x := range p.Problems {
		got = append(got, string(x.Address)+" "+x.Field+": "+x.Text)
	}
	want := []string{"image.gone import: there is no file", "image.logo n: n is 3, and an import brings one candidate"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

func TestStories(t *testing.T) {
	t.Parallel()
	hero := img("hero")
	tests := []struct {
		name  string
		start []spec.Image // planned and applied
		then  func(w *world)
		how   func(*Input)
		want  []string
		buys  int // images that applying want buys
	}{
		{name: "new", then: func(w *world) { w.set(hero) }, want: []string{"generate hero (new) 1× $0.02"}, buys: 1},
		{name: "nothing", start: []spec.Image{hero}},
		{name: "prompt", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", prompt("b"))) },
			want: []string{"generate hero (changed prompt) 1× $0.02"}, buys: 1},
		{name: "sensitive prompt", start: []spec.Image{img("hero", sealed)}, then: func(w *world) { w.set(img("hero", sealed, prompt("b"))) },
			want: []string{"generate hero (changed prompt) 1× $0.02"}, buys: 1},
		{name: "sensitive prompt and model", start: []spec.Image{img("hero", sealed)}, then: func(w *world) { w.set(img("hero", sealed, prompt("b"), quality("high"))) },
			want: []string{"generate hero (changed prompt, changed quality) 1× $0.02"}, buys: 1},
		{name: "only what is not sensitive", start: []spec.Image{img("hero", sealed)}, then: func(w *world) { w.set(img("hero", sealed, quality("high"))) },
			want: []string{"generate hero (changed quality) 1× $0.02"}, buys: 1},
		{name: "sensitive from now on", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", sealed)) }, want: []string{"render hero (sensitive prompt)"}},
		{name: "sensitive from now on, and another", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", sealed, prompt("b"))) },
			want: []string{"generate hero (changed prompt) 1× $0.02"}, buys: 1},
		{name: "sensitive no more", start: []spec.Image{img("hero", sealed)}, then: func(w *world) { w.set(hero) }},
		{name: "an edit with a sensitive prompt", start: []spec.Image{hero, img("night", editOf("hero"), sealed)},
			then: func(w *world) { w.set(img("hero", prompt("b")), img("night", editOf("hero"), sealed)) },
			want: []string{"generate hero (changed prompt) 1× $0.02", "edit night (source) 1× $0.03"}, buys: 2},
		{name: "reverted prompt is free", start: []spec.Image{hero}, then: func(w *world) {
			w.set(img("hero", prompt("b")))
			w.apply(w.plan())
			w.set(hero)
		}, want: []string{"restore hero (changed prompt, bought)"}},
		{name: "width is free", start: []spec.Image{img("hero", card(800))}, then: func(w *world) { w.set(img("hero", card(640))) },
			want: []string{"render hero (recipe width)"}},
		{name: "rendition added and removed", start: []spec.Image{img("a"), img("b", card(1))}, then: func(w *world) { w.set(img("a", card(2)), img("b")) },
			want: []string{"render a (recipe path)", "forget b ()"}},
		{name: "rendition removed", start: []spec.Image{img("b", card(1))}, then: func(w *world) { w.set(img("b")) }, want: []string{"delete b ()"}},
		{name: "renamed is a free move", start: []spec.Image{hero}, then: func(w *world) { w.set(img("top", prompt("a hero"), path("hero.png"))) },
			want: []string{"move top (renamed)"}},
		{name: "renamed, and the file too", start: []spec.Image{hero}, then: func(w *world) { w.set(img("top", prompt("a hero"))) },
			want: []string{"move top (renamed, recipe path)"}},
		{name: "renamed source, the edit stays", start: []spec.Image{hero, img("night", editOf("hero"))},
			then: func(w *world) {
				w.set(img("top", prompt("a hero"), path("hero.png")), img("night", editOf("top")))
			}, want: []string{"move top (renamed)"}},
		{name: "raising n buys the difference", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", n(4))) },
			want: []string{"generate hero (more n) 3× $0.06"}, buys: 3},
		{name: "lowering n buys nothing", start: []spec.Image{img("hero", n(4))}, then: func(w *world) { w.set(hero) }},
		{name: "pick is free", start: []spec.Image{img("hero", n(2))}, then: func(w *world) { w.set(img("hero", n(2), pick(2))) },
			want: []string{"render hero (picked pick)"}},
		{name: "import is free, and its edits are planned with it", then: func(w *world) {
			w.set(hero, img("night", editOf("hero")))
			w.disk["hero.png"] = photo
		}, how: imports("hero", "hero.png"), want: []string{"import hero (imported)", "edit night (new) 1× $0.03"}, buys: 1},
		{name: "import of another file", then: func(w *world) { w.set(hero) }, how: imports("hero", "old/hero.png"), want: []string{"import hero (imported)"}},
		{name: "import never replaces what was bought", start: []spec.Image{hero}, how: imports("hero", "old/hero.png")},
		{name: "import never replaces what was bought under another name", start: []spec.Image{hero}, then: func(w *world) { w.set(img("top", prompt("a hero"), path("hero.png"))) },
			how: imports("top", "old/hero.png"), want: []string{"move top (renamed)"}},
		{name: "import and -replace", then: func(w *world) { w.set(hero) }, how: func(in *Input) {
			imports("hero", "old/hero.png")(in)
			in.Select.Replace = []string{"image.hero"}
		}, want: []string{"generate hero (asked -replace) 1× $0.02"}, buys: 1},
		{name: "what is excluded is not imported", then: func(w *world) { w.set(hero) }, how: func(in *Input) {
			imports("hero", "old/hero.png")(in)
			in.Select.Exclude = []string{"image.hero"}
		}},
		{name: "an import keeps the file of an image that is gone", start: []spec.Image{img("old")}, then: func(w *world) { w.set(hero) },
			how: imports("hero", "old.png"), want: []string{"import hero (imported)", "forget old (unwanted)"}},
		{name: "a run that died wrote a rendition over the import", then: func(w *world) {
			w.set(img("hero", card(2)))
			w.disk["hero.png"] = photo
			r := w.plan().Steps[0].Digest
			w.store[r] = []Bought{{Image: provider.Image{Content: digest.OfContent([]byte("the original")), MIME: "image/png", Bytes: 7}}}
			w.held[w.store[r][0].Image.Content] = true
		}, how: func(in *Input) {
			imports("hero", "hero.png")(in)
			in.Written = map[string]digest.Content{"hero.png": photo}
		}, want: []string{"restore hero (new, bought)"}},
		{name: "edit follows its source", start: []spec.Image{hero, img("night", editOf("hero"))},
			then: func(w *world) { w.set(img("hero", prompt("b")), img("night", editOf("hero"))) },
			want: []string{"generate hero (changed prompt) 1× $0.02", "edit night (source) 1× $0.03"}, buys: 2},
		{name: "edit follows the pick of its source", start: []spec.Image{img("hero", n(2)), img("night", editOf("hero"))},
			then: func(w *world) { w.set(img("hero", n(2), pick(2)), img("night", editOf("hero"))) },
			want: []string{"render hero (picked pick)", "edit night (source) 1× $0.03"}, buys: 1},
		{name: "edit of a file follows its bytes", start: []spec.Image{img("night", editOf("lake.jpg"))},
			then: func(w *world) { w.files["lake.jpg"] = digest.OfContent([]byte("other")) },
			want: []string{"edit night (source) 1× $0.03"}, buys: 1},
		{name: "chain of new edits", then: func(w *world) { w.set(img("c", editOf("b")), img("b", editOf("a")), img("a")) },
			want: []string{"generate a (new) 1× $0.02", "edit b (new) 1× $0.03", "edit c (new) 1× $0.03"}, buys: 3},
		{name: "unwanted", start: []spec.Image{hero}, then: func(w *world) { w.set() }, want: []string{"delete hero (unwanted)"}},
		{name: "unwanted, file gone", start: []spec.Image{hero}, then: func(w *world) { w.set(); delete(w.disk, "hero.png") },
			want: []string{"forget hero (unwanted)"}},
		{name: "unwanted, file changed by someone stays", start: []spec.Image{hero}, then: func(w *world) { w.set(); w.disk["hero.png"] = digest.OfContent(nil) },
			want: []string{"forget hero (unwanted, altered)"}},
		{name: "missing file is restored", start: []spec.Image{hero}, then: func(w *world) { delete(w.disk, "hero.png") },
			want: []string{"restore hero (absent)"}},
		{name: "missing file and no original", start: []spec.Image{hero}, then: func(w *world) { clear(w.disk); clear(w.held) },
			want: []string{"missing hero (no original image.hero)"}},
		{name: "an output that is a copy stands in for the original", start: []spec.Image{img("hero", card(800))}, then: func(w *world) { clear(w.held); w.set(img("hero", card(640))) },
			want: []string{"render hero (recipe width)"}},
		{name: "changed by someone", start: []spec.Image{hero}, then: func(w *world) { w.disk["hero.png"] = digest.OfContent(nil) },
			want: []string{"conflict hero (altered)"}},
		{name: "changed by someone is not bought over either", start: []spec.Image{hero}, then: func(w *world) {
			w.disk["hero.png"] = digest.OfContent(nil)
			w.set(img("hero", prompt("b")))
		}, want: []string{"conflict hero (altered)"}},
		{name: "a file of somebody", then: func(w *world) { w.disk["hero.png"] = digest.OfContent(nil); w.set(hero) },
			want: []string{"conflict hero (foreign)"}},
		{name: "path taken over from an image that goes", start: []spec.Image{hero}, then: func(w *world) { w.set(img("other", path("hero.png"))) },
			want: []string{"generate other (new) 1× $0.02", "forget hero (unwanted)"}, buys: 1},
		{name: "lost lock: bought before, the files are copies", start: []spec.Image{hero}, then: func(w *world) { w.lock = &lock.Lock{} },
			want: []string{"restore hero (new, bought)"}},
		{name: "equal requests are separate rolls", start: []spec.Image{hero}, then: func(w *world) { w.set(hero, img("twin", prompt("a hero"))) },
			want: []string{"generate twin (new) 1× $0.02"}, buys: 1},
		{name: "two new equal requests", then: func(w *world) { w.set(hero, img("twin", prompt("a hero"))) },
			want: []string{"generate hero (new) 1× $0.02", "generate twin (new) 1× $0.02"}, buys: 2},
		{name: "shared requests are bought once", then: func(w *world) { w.set(img("hero", share), img("twin", prompt("a hero"), share)) },
			want: []string{"generate hero (new) 1× $0.02", "restore twin (new, shared)"}, buys: 1},
		{name: "shared later", start: []spec.Image{img("hero", share)}, then: func(w *world) { w.set(img("hero", share), img("twin", prompt("a hero"), share)) },
			want: []string{"restore twin (new, bought)"}},
		{name: "replace", start: []spec.Image{hero, img("other")}, how: func(in *Input) { in.Select.Replace = []string{"image.he*"} },
			want: []string{"generate hero (asked -replace) 1× $0.02"}, buys: 1},
		{name: "target takes what it needs", then: func(w *world) { w.set(hero, img("night", editOf("hero")), img("other")) },
			how:  func(in *Input) { in.Select.Target = []string{"image.night"} },
			want: []string{"generate hero (new) 1× $0.02", "edit night (new) 1× $0.03"}, buys: 2},
		{name: "exclude takes what needs it", then: func(w *world) { w.set(hero, img("night", editOf("hero")), img("other")) },
			how: func(in *Input) { in.Select.Exclude = []string{"hero.png"} }, want: []string{"generate other (new) 1× $0.02"}, buys: 1},
		{name: "target that matches nothing", start: []spec.Image{hero}, how: func(in *Input) { in.Select.Target = []string{"image.hreo"} },
			want: []string{"problem  -target: -target=image.hreo matches no image"}},
		{name: "destroy", start: []spec.Image{hero}, how: func(in *Input) { in.Destroy = true }, want: []string{"delete hero (asked -destroy)"}},
		{name: "target and exclude", then: func(w *world) { w.set(hero, img("night"), img("other")) }, how: func(in *Input) {
			in.Select.Target, in.Select.Exclude = []string{"image.hero", "image.night"}, []string{"image.night"}
		}, want: []string{"generate hero (new) 1× $0.02"}, buys: 1},
		{name: "exclude and replace", start: []spec.Image{hero, img("night")}, how: func(in *Input) {
			in.Select.Exclude, in.Select.Replace = []string{"image.hero"}, []string{"image.*"}
		}, want: []string{"generate night (asked -replace) 1× $0.02"}, buys: 1},
		{name: "target and replace", start: []spec.Image{hero, img("night")}, how: func(in *Input) {
			in.Select.Target, in.Select.Replace = []string{"image.hero"}, []string{"image.*"}
		}, want: []string{"generate hero (asked -replace) 1× $0.02"}, buys: 1},
		{name: "the source of a new edit is excluded and stays as it is", start: []spec.Image{img("hero", judged)},
			then: func(w *world) { w.set(img("hero", judged, prompt("b")), img("night", editOf("hero"))) },
			how:  func(in *Input) { in.Select.Exclude = []string{"image.hero"} },
			want: []string{"edit night (new) 1× $0.03"}, buys: 1},
		{name: "a moved block is a move, and the new prompt a purchase", start: []spec.Image{hero}, then: func(w *world) { w.set(img("top")) },
			how:  func(in *Input) { in.Moved = map[spec.Address][]spec.Address{"image.top": {"image.hero"}} },
			want: []string{"generate top (renamed, changed prompt) 1× $0.02"}, buys: 1},
		{name: "of two names that it had, the first that is there", start: []spec.Image{hero, img("old")}, then: func(w *world) { w.set(img("top", path("hero.png"))) },
			how: func(in *Input) {
				in.Moved = map[spec.Address][]spec.Address{"image.top": {"image.none", "image.hero", "image.old"}}
			},
			want: []string{"generate top (renamed, changed prompt) 1× $0.02", "delete old (unwanted)"}, buys: 1},
		{name: "a moved block on a name that is taken", start: []spec.Image{hero, img("old")}, then: func(w *world) { w.set(hero) },
			how:  func(in *Input) { in.Moved = map[spec.Address][]spec.Address{"image.hero": {"image.old"}} },
			want: []string{"delete old (unwanted)"}},
		{name: "import never replaces what was bought, whatever is wanted now", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", prompt("b"))) },
			how: imports("hero", "old/hero.png"), want: []string{"generate hero (changed prompt) 1× $0.02"}, buys: 1},
		{name: "import after a refusal", then: func(w *world) {
			w.set(hero)
			w.lock.Set(lock.Entry{Address: "image.hero", Refused: []lock.Refusal{{Request: w.plan().Steps[0].Digest, Reason: "moderated"}}})
		}, how: imports("hero", "old/hero.png"), want: []string{"import hero (imported, recipe path)"}},
		{name: "the words of a refusal give away what is sensitive now", start: []spec.Image{img("hero", sealed)}, then: func(w *world) {
			e := *w.lock.Get("image.hero")
			e.Refused = []lock.Refusal{{Reason: "moderated"}}
			w.lock.Set(e)
			check(t, w.plan())
			e.Refused = []lock.Refusal{{Reason: "moderated", Message: "no heroes"}}
			w.lock.Set(e)
		}, how: func(*Input) {}, want: []string{"render hero (sensitive prompt)"}},
		{name: "what was bought before serves, though another attempt is in doubt", start: []spec.Image{hero}, then: func(w *world) {
			w.pending = []Pending{{Address: "image.hero", Request: w.lock.Entries[0].Request, Attempt: "1"}}
			w.lock = &lock.Lock{}
		}, want: []string{"restore hero (new, bought)"}},
		{name: "in doubt, and the files of the chosen one are there", start: []spec.Image{hero}, then: doubt(n(3)), want: []string{"hold hero (unanswered)"}},
		{name: "in doubt, and a file of the chosen one is missing", start: []spec.Image{hero}, then: func(w *world) { doubt(n(3))(w); delete(w.disk, "hero.png") },
			want: []string{"restore hero (absent)"}, how: func(*Input) {}},
		{name: "in doubt, and a file of the chosen one is new", start: []spec.Image{hero}, then: doubt(n(3), card(8)),
			want: []string{"render hero (recipe path)"}, how: func(*Input) {}},
		{name: "in doubt, and a file of the chosen one is another size", start: []spec.Image{img("hero", card(9))}, then: doubt(n(3), card(8)),
			want: []string{"render hero (recipe width)"}, how: func(*Input) {}},
		{name: "in doubt, and another one is chosen", start: []spec.Image{img("hero", n(2))}, then: doubt(n(3), pick(2)),
			want: []string{"render hero (picked pick)"}, how: func(*Input) {}},
		{name: "the lock chooses", start: []spec.Image{img("hero", n(2))}, then: func(w *world) { choose(w, 2); w.set(img("hero", n(2), card(8))) },
			want: []string{"render hero (picked pick, recipe path)"}},
		{name: "the lock chose of another request", start: []spec.Image{img("hero", n(2))}, then: func(w *world) { choose(w, 2); w.set(img("hero", n(2), prompt("b"))) },
			want: []string{"generate hero (changed prompt) 2× $0.04"}, buys: 2},
		{name: "an edit whose source is on no tier", start: []spec.Image{img("hero", path("hero.jpg"))}, then: func(w *world) {
			clear(w.held)
			w.set(img("hero", path("hero.jpg")), img("night", editOf("hero")))
		}, want: []string{"missing night (no original image.hero)"}},
		{name: "what is made of a picture needs no source of it", start: []spec.Image{img("hero", path("hero.jpg")), img("night", editOf("hero"), card(8))}, then: func(w *world) {
			delete(w.held, w.lock.Get("image.hero").Candidates[0].Content)
			w.set(img("hero", path("hero.jpg")), img("night", editOf("hero"), card(9)))
		}, want: []string{"render night (recipe width)"}},
		{name: "the source that is held on to is on no tier", start: []spec.Image{img("night", editOf("lake.jpg"), ignore("edit"))}, then: func(w *world) {
			w.files["lake.jpg"] = digest.OfContent([]byte("other"))
			w.set(img("night", editOf("lake.jpg"), ignore("edit"), prompt("b")))
		}, want: []string{"missing night (no original edit)"}},
		{name: "the source that is held on to is in the store", start: []spec.Image{img("night", editOf("lake.jpg"), ignore("edit"))}, then: func(w *world) {
			w.held[w.files["lake.jpg"]] = true
			w.files["lake.jpg"] = digest.OfContent([]byte("other"))
			w.set(img("night", editOf("lake.jpg"), ignore("edit"), prompt("b")))
		}, want: []string{"edit night (changed prompt) 1× $0.03"}, buys: 1},
		{name: "a source that is held on to is not needed for a file", start: []spec.Image{img("night", editOf("lake.jpg"), ignore("edit"), card(8))}, then: func(w *world) {
			w.files["lake.jpg"] = digest.OfContent([]byte("other"))
			w.set(img("night", editOf("lake.jpg"), ignore("edit"), card(9)))
		}, want: []string{"render night (recipe width)"}},
		{name: "unknown model", then: func(w *world) { w.set(img("hero", func(im *spec.Image) { im.Wanted.Model = "nope" })) },
			want: []string{`problem image.hero model: test has no model "nope"`}},
		{name: "no price", then: func(w *world) { w.set(img("hero", func(im *spec.Image) { im.Wanted.Model = "m2" })) },
			want: []string{"generate hero (new) 1× $0.00"}, buys: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(tt.start...)
			w.files["lake.jpg"] = digest.OfContent([]byte("lake"))
			w.apply(w.plan())
			if tt.then != nil {
				tt.then(w)
			}
			var how []func(*Input)
			if tt.how != nil {
				how = append(how, tt.how)
			}
			before := w.bought
			p := w.plan(how...)
			check(t, p, tt.want...)
			w.apply(p)
			if got := w.bought - before; got != tt.buys {
				t.Errorf("bought %d images, want %d", got, tt.buys)
			}
			if standing := slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Verb.Standing() }); !standing && !p.Partial && len(p.Problems) == 0 && tt.how == nil {
				check(t, w.plan()) // a second plan is empty
			}
		})
	}
}

// doubt sends for more of hero than there is, and gets no answer.
func doubt(change ...func(*spec.Image)) func(w *world) {
	return func(w *world) {
		w.pending = []Pending{{Address: "image.hero", Request: w.lock.Get("image.hero").Request, Attempt: "1"}}
		w.set(img("hero", change...))
	}
}

// choose lets the lock choose a candidate of hero.
func choose(w *world, pick int) {
	e := *w.lock.Get("image.hero")
	e.Pick = pick
	w.lock.Set(e)
}

// What a reason says was and will be.
func TestReasons(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		start []func(*spec.Image)
		then  []func(*spec.Image)
		want  []Reason
	}{
		{"another path", nil, []func(*spec.Image){path("b.png")}, []Reason{{Cause: CauseRecipe, Field: "path", Old: "a.png", New: "b.png"}}},
		{"a further file", nil, []func(*spec.Image){card(8)}, []Reason{{Cause: CauseRecipe, Field: "path", New: "card.jpg"}}},
		{"another size", []func(*spec.Image){card(8)}, []func(*spec.Image){card(9)}, []Reason{{Cause: CauseRecipe, Field: "width", Old: "8", New: "9"}}},
		{"another choice", []func(*spec.Image){n(3), pick(3)}, []func(*spec.Image){n(3), pick(2)}, []Reason{{Cause: CausePicked, Field: "pick", Old: "3", New: "2"}}},
		{"another prompt", nil, []func(*spec.Image){prompt("b")}, []Reason{{Cause: CauseChanged, Field: "prompt", Old: "a a", New: "b"}}},
		{"more", []func(*spec.Image){n(2)}, []func(*spec.Image){n(5)}, []Reason{{Cause: CauseMore, Field: "n", Old: "2", New: "5"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(img("a", tt.start...))
			w.apply(w.plan())
			w.set(img("a", tt.then...))
			if d := cmp.Diff(tt.want, w.plan().Steps[0].Why); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Renditions are not enlarged unasked, which is said where it is known.
func TestTooSmall(t *testing.T) {
	t.Parallel()
	rendition := func(width, height int) func(*spec.Image) {
		return func(im *spec.Image) {
			im.Renditions = []spec.Rendition{{Name: "r", Path: "r.png", Width: width, Height: height}}
		}
	}
	for _, tt := range []struct {
		width, height int
		enlarge       bool
		notes         int
	}{{1, 1, false, 0}, {2, 1, false, 1}, {1, 2, false, 1}, {2, 2, true, 0}} {
		w := newWorld(img("a"))
		w.apply(w.plan()) // 1x1
		w.set(img("a", rendition(tt.width, tt.height), func(im *spec.Image) { im.Wanted.Enlarge = tt.enlarge }))
		if s := w.plan().Steps[0]; len(s.Notes) != tt.notes {
			t.Errorf("%+v: %q", tt, s.Notes)
		}
	}
}

// Only a plan with something to hide says what it hides by digest.
func TestSealed(t *testing.T) {
	t.Parallel()
	for _, hides := range []bool{false, true} {
		im := img("a")
		if hides {
			sealed(&im)
		}
		if s := newWorld(im).plan().Steps[0]; s.Sealed.IsZero() == hides {
			t.Errorf("hides %t: sealed as %s", hides, s.Sealed)
		}
	}
}

// A default that the offer changes, or a new default model, must not buy.
func TestUpgradeNeverBuys(t *testing.T) {
	w := newWorld(img("hero"), img("night", editOf("hero")))
	w.apply(w.plan())
	upgraded := func(in *Input) {
		old := in.Offer
		in.Offer = func(key, model string) (*provider.Offer, bool) {
			if model == "" {
				model = "m2"
			}
			o, ok := old(key, model)
			upgraded := *o
			upgraded.DefaultAspectRatio, upgraded.DefaultQuality = "16:9", "high"
			return &upgraded, ok
		}
	}
	check(t, w.plan(upgraded))
	w.set(img("hero", func(im *spec.Image) { im.Wanted.Quality = "high" }), img("night", editOf("hero")))
	check(t, w.plan(upgraded), "generate hero (changed quality) 1× $0.02", "edit night (source) 1× $0.03")
}

// A shape that a model learns, and that fits a size better, must not buy.
func TestNewShapeNeverBuys(t *testing.T) {
	t.Parallel()
	ratios := func(list ...string) func(*Input) {
		return func(in *Input) {
			in.Offer = func(_, model string) (*provider.Offer, bool) {
				o, ok := offers[model]
				o.MaxPixels, o.AspectRatios = 1<<21, list
				return &o, ok
			}
		}
	}
	w := newWorld(img("a", size("30x20")))
	w.apply(w.plan(ratios("1:1", "16:9")))
	check(t, w.plan(ratios("1:1", "16:9", "3:2")))
	w.set(img("a", size("60x40")))
	check(t, w.plan(ratios("1:1", "16:9", "3:2")), "generate a (changed aspect_ratio) 1× $0.02")
}

func TestRefusedAndInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(img("hero"))
	dig := w.plan().Steps[0].Digest
	w.store[dig] = []Bought{{Refused: "moderated", Image: provider.Image{Price: 5}}}
	check(t, w.plan(), "refused hero (bad reply moderated)")
	check(t, w.plan(func(in *Input) { in.RetryRefused = true }), "generate hero (new, asked -retry-refused) 1× $0.02")

	w = newWorld(img("hero"), img("night", editOf("hero")))
	w.pending = []Pending{{Address: "image.hero", Request: dig, Attempt: "a-1", Price: 7}}
	p := w.plan()
	check(t, p, "hold hero (unanswered)", "missing night (waits)")
	if p.Summary.Buy != 0 || p.Summary.Price != 0 || p.Changes() {
		t.Errorf("what is in doubt counts as a purchase: %+v", p.Summary)
	}
	w.pending[0].Again = true
	check(t, w.plan(), "generate hero (new, asked -retry-in-doubt) 1× $0.02", "edit night (new) 1× $0.03")
	w.pending[0].Resume = true
	check(t, w.plan(), "resume hero (delivered)", "missing night (waits)")
	// Another prompt is another request: the doubt does not hold it.
	w.set(img("hero", prompt("b")))
	check(t, w.plan(), "generate hero (new) 1× $0.02")
}

func TestPlanJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(img("hero", n(2)), img("night", editOf("hero")))
	p := w.plan()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again Plan
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	p.Asks, p.Problems = Asks{}, nil
	if d := cmp.Diff(p, &again); d != "" {
		t.Errorf("a plan changes when it is saved (-before +after):\n%s", d)
	}
	if second, _ := json.Marshal(w.plan()); string(second) != string(b) {
		t.Error("two plans of the same differ")
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, address string
		want             bool
	}{
		{"image.hero", "image.hero", true}, {"image.hero", "image.hero2", false}, {"image.he*", "image.hero", true},
		{"image.post", `image.post["a,b"]`, true}, {`image.post["a,b"]`, `image.post["a,b"]`, true}, {`image.post["*"]`, `image.post["x"]`, true},
		{`image.post["a*"]`, `image.post["ba"]`, false}, {"*", "image.x", true}, {"*card*", `image.card["x"]`, true}, {"*a*b", "image.ab", true},
		{"img/*.png", "image.hero", false}, {"", "image.hero", false}, {"im*age*ro", "image.hero", true}, {"*ab*b", "image.ab", false},
	} {
		if got := Match(tt.pattern, spec.Address(tt.address)); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.address, got)
		}
	}
}

// TestHistories applies random changes to random graphs: after each apply the
// plan is empty, the disk has exactly the wanted files, and nothing is bought
// that was bought before for the same request and is free.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		for range rapid.IntRange(1, 8).Draw(t, "applies") {
			var images []spec.Image
			for i := range rapid.IntRange(0, 6).Draw(t, "images") {
				im := img(fmt.Sprint("i", i), prompt(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "prompt")), n(rapid.IntRange(1, 3).Draw(t, "n")))
				im.Share = rapid.Bool().Draw(t, "share")
				if rapid.Bool().Draw(t, "rendition") {
					im.Renditions = []spec.Rendition{{Name: "r", Path: im.Path + ".jpg", Width: rapid.IntRange(1, 2).Draw(t, "width")}}
				}
				if i > 0 && rapid.Bool().Draw(t, "edit") {
					editOf(fmt.Sprint("i", rapid.IntRange(0, i-1).Draw(t, "of")))(&im)
				}
				if rapid.Bool().Draw(t, "pick") {
					im.Pick = rapid.IntRange(1, im.N).Draw(t, "picked")
				}
				if rapid.IntRange(0, 3).Draw(t, "absent") > 0 {
					images = append(images, im)
				}
			}
			images = slices.DeleteFunc(images, func(im spec.Image) bool {
				return slices.ContainsFunc(im.Edges(), func(a spec.Address) bool {
					return !slices.ContainsFunc(images, func(x spec.Image) bool { return x.Address == a })
				})
			})
			for again := true; again; {
				before := len(images)
				images = slices.DeleteFunc(images, func(im spec.Image) bool {
					return slices.ContainsFunc(im.Edges(), func(a spec.Address) bool {
						return !slices.ContainsFunc(images, func(x spec.Image) bool { return x.Address == a })
					})
				})
				again = len(images) != before
			}
			w.set(images...)
			if rapid.Bool().Draw(t, "lose a file") {
				for _, p := range slices.Sorted(mapKeys(w.disk)) {
					delete(w.disk, p)
					break
				}
			}
			p := w.plan()
			need := 0
			for _, s := range p.Steps {
				if s.Verb.Standing() {
					t.Fatalf("a step stands: %v", lines(p))
				}
				need += s.Need
			}
			before := w.bought
			w.apply(p)
			if w.bought-before > need {
				t.Fatalf("bought %d, planned %d", w.bought-before, need)
			}
			if got := lines(w.plan()); len(got) > 0 {
				t.Fatalf("the second plan is not empty: %v", got)
			}
			want := map[string]bool{}
			for _, im := range w.images {
				want[im.Path] = true
				for _, r := range im.Renditions {
					want[r.Path] = true
				}
			}
			for p := range w.disk {
				if !want[p] {
					t.Fatalf("%s is on disk and not wanted", p)
				}
				delete(want, p)
			}
			if len(want) > 0 {
				t.Fatalf("not on disk: %v", want)
			}
		}
	})
}

func mapKeys(m map[string]digest.Content) iter.Seq[string] { return maps.Keys(m) }
