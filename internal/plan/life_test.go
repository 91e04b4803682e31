package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func protect(im *spec.Image) { im.Protect = true }
func after(names ...spec.Address) func(*spec.Image) {
	return func(im *spec.Image) { im.DependsOn = names }
}
func tags(names ...string) func(*spec.Image) { return func(im *spec.Image) { im.Tags = names } }
func ignore(names ...string) func(*spec.Image) {
	return func(im *spec.Image) {
		for _, name := range names {
			im.Ignore |= spec.FieldOf(name)
		}
	}
}

func TestProtect(t *testing.T) {
	t.Parallel()
	hero := img("hero", protect)
	tests := []struct {
		name  string
		start []spec.Image
		then  func(w *world)
		how   func(*Input)
		want  []string
	}{
		{name: "the first one is made", then: func(w *world) { w.set(hero) }, want: []string{"generate hero (new) 1× $0.02"}},
		{name: "nothing", start: []spec.Image{hero}},
		{name: "prompt", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", protect, prompt("b"))) },
			want: []string{"protected hero (protected generate, changed prompt)"}},
		{name: "what was bought before takes its place", start: []spec.Image{hero}, then: func(w *world) {
			w.set(img("hero", prompt("b")))
			w.apply(w.plan())
			w.set(hero)
		}, want: []string{"protected hero (protected restore, changed prompt, bought)"}},
		{name: "that, and its file is missing", start: []spec.Image{hero}, then: func(w *world) {
			w.set(img("hero", prompt("b")))
			w.apply(w.plan())
			w.set(hero)
			delete(w.disk, "hero.png")
		}, want: []string{"protected hero (protected restore, changed prompt, bought)"}},
		{name: "a missing file", start: []spec.Image{hero}, then: func(w *world) { delete(w.disk, "hero.png") }, want: []string{"restore hero (absent)"}},
		{name: "another choice, and the file is missing", start: []spec.Image{img("hero", protect, n(2))}, then: func(w *world) {
			w.set(img("hero", protect, n(2), pick(2)))
			delete(w.disk, "hero.png")
		}, want: []string{"protected hero (protected render, picked pick)"}},
		{name: "further candidates", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", protect, n(3))) },
			want: []string{"generate hero (more n) 2× $0.04"}},
		{name: "further candidates, and one of them", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", protect, n(2), pick(2))) },
			want: []string{"protected hero (protected generate, more n)"}},
		{name: "a further file", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", protect, card(8))) },
			want: []string{"render hero (recipe path)"}},
		{name: "another size of a file", start: []spec.Image{img("hero", protect, card(8))}, then: func(w *world) { w.set(img("hero", protect, card(9))) },
			want: []string{"protected hero (protected render, recipe width)"}},
		{name: "a file less", start: []spec.Image{img("hero", protect, card(8))}, then: func(w *world) { w.set(hero) },
			want: []string{"protected hero (protected delete)"}},
		{name: "another path", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", protect, path("b.png"))) },
			want: []string{"protected hero (protected render, recipe path)"}},
		{name: "another name, the same file", start: []spec.Image{hero}, then: func(w *world) { w.set(img("top", protect, prompt("a hero"), path("hero.png"))) },
			want: []string{"move top (renamed)"}},
		{name: "what is edited changes, what is made of it does not", start: []spec.Image{hero, img("night", editOf("hero"))},
			then: func(w *world) { w.set(img("hero", protect, prompt("b")), img("night", editOf("hero"))) },
			want: []string{"protected hero (protected generate, changed prompt)"}},
		{name: "an edit whose source changes", start: []spec.Image{img("hero"), img("night", editOf("hero"), protect)},
			then: func(w *world) { w.set(img("hero", prompt("b")), img("night", editOf("hero"), protect)) },
			want: []string{"generate hero (changed prompt) 1× $0.02", "protected night (protected edit, source)"}},
		{name: "replace", start: []spec.Image{hero}, how: func(in *Input) { in.Select.Replace = []string{"image.*"} },
			want: []string{"protected hero (protected generate, asked -replace)"}},
		{name: "excluded", start: []spec.Image{hero}, then: func(w *world) { w.set(img("hero", protect, prompt("b"))) },
			how: func(in *Input) { in.Select.Exclude = []string{"image.hero"} }},
		{name: "without the block", start: []spec.Image{hero}, then: func(w *world) { w.set() }, want: []string{"delete hero (unwanted)"}},
		{name: "destroy", start: []spec.Image{hero, img("b")}, how: func(in *Input) { in.Destroy = true },
			want: []string{"delete b (asked -destroy)", "protected hero (protected delete, asked -destroy)"}},
		{name: "destroy but", start: []spec.Image{hero, img("b")}, how: func(in *Input) { in.Destroy, in.Select.Exclude = true, []string{"image.hero"} },
			want: []string{"delete b (asked -destroy)"}},
		{name: "a guarded key", start: []spec.Image{img(`hero["a["]`), img("heron")}, then: func(w *world) { w.set() },
			how:  func(in *Input) { in.Guards = []spec.Address{"image.hero"} },
			want: []string{`protected hero["a["] (protected delete, unwanted)`, "delete heron (unwanted)"}},
		{name: "a guarded key of a module", start: []spec.Image{img("x", func(im *spec.Image) { im.Address = `module.m["a.b]"].image.hero["k"]` })}, then: func(w *world) { w.set() },
			how:  func(in *Input) { in.Guards = []spec.Address{"module.m.image.hero"} },
			want: []string{`protected module.m["a.b]"].image.hero["k"] (protected delete, unwanted)`}},
		{name: "a guarded key whose files are kept", start: []spec.Image{img(`hero["a"]`)}, then: func(w *world) { w.set() },
			how: func(in *Input) {
				in.Guards, in.Kept = []spec.Address{"image.hero"}, map[spec.Address]bool{`image.hero["a"]`: true}
			}, want: []string{`forget hero["a"] (unwanted)`}},
		{name: "a key of what has no for_each any more", start: []spec.Image{img(`hero["a"]`, prompt("x"))}, then: func(w *world) { w.set(hero) },
			want: []string{"generate hero (new) 1× $0.02", `protected hero["a"] (protected delete, unwanted)`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(tt.start...)
			w.apply(w.plan())
			if tt.then != nil {
				tt.then(w)
			}
			if tt.how == nil {
				tt.how = func(*Input) {}
			}
			p := w.plan(tt.how)
			check(t, p, tt.want...)
			for i := range p.Steps {
				if s := &p.Steps[i]; s.Verb == Protected && (len(s.Outputs) > 0 || s.Need > 0 || s.Drop) {
					t.Errorf("a protected step still does something: %+v", s)
				}
			}
		})
	}
}

func TestDependsOn(t *testing.T) {
	t.Parallel()
	w := newWorld(img("a", after("image.b", "image.c")), img("b"), img("c", after("image.b")))
	p := w.plan()
	check(t, p, "generate b (new) 1× $0.02", "generate c (new) 1× $0.02", "generate a (new) 1× $0.02")
	if d := cmp.Diff([]spec.Address{"image.b", "image.c"}, p.Steps[2].After); d != "" {
		t.Error(d)
	}
	w.apply(p)
	w.set(img("a"), img("b"), img("c"))
	check(t, w.plan()) // it is in no digest
	w.set(img("a", after("image.b"), prompt("new")), img("b"), img("c"))
	if p := w.plan(); len(p.Steps) != 1 || len(p.Steps[0].After) != 0 {
		t.Errorf("it waits for what has nothing to do: %+v", p.Steps)
	}
	w = newWorld(img("a", after("image.b")), img("b"), img("c"))
	check(t, w.plan(func(in *Input) { in.Select.Target = []string{"image.a"} }), "generate b (new) 1× $0.02", "generate a (new) 1× $0.02")
	check(t, w.plan(func(in *Input) { in.Select.Exclude = []string{"image.b"} }), "generate c (new) 1× $0.02")
	w.disk["b.png"] = digest.OfContent([]byte("a stranger"))
	check(t, w.plan(), "conflict b (foreign)", "missing a (waits)", "generate c (new) 1× $0.02")
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	w := newWorld(img("a", tags("x"), n(2)), img("b", tags("x", "y")), img("c", tags("z")), img("d", tags("y"), func(im *spec.Image) { im.Wanted.Model = "m2" }))
	p := w.plan(func(in *Input) {
		in.Budgets = []Budget{{Name: "one", Tags: []string{"x", "y"}, MaxCost: provider.Dollar}, {Name: "two", Tags: []string{"x"}, MaxCost: provider.Dollar / 100}, {Name: "none", Tags: []string{"none"}}}
	})
	want := []Budget{{Name: "one", Tags: []string{"x", "y"}, MaxCost: provider.Dollar, Price: 3 * provider.Dollar / 50, Unpriced: 1},
		{Name: "two", Tags: []string{"x"}, MaxCost: provider.Dollar / 100, Price: 3 * provider.Dollar / 50}, {Name: "none", Tags: []string{"none"}}}
	if d := cmp.Diff(want, p.Budgets); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for i, exceeded := range []bool{true, true, false} {
		if p.Budgets[i].Exceeded() != exceeded {
			t.Errorf("%s: exceeded is %t", p.Budgets[i].Name, !exceeded)
		}
	}
	if d := cmp.Diff([]string{"one", "two"}, p.Steps[1].Budgets); d != "" {
		t.Error(d)
	}
}

// What the lock does not record can't be held, and must not be sent empty.
func TestIgnoreChangesBlindly(t *testing.T) {
	t.Parallel()
	w := newWorld(img("a", ignore("prompt")))
	w.apply(w.plan())
	e := *w.lock.Get("image.a")
	e.SetFields(slices.DeleteFunc(e.Fields(), func(f provider.Field) bool { return f.Name == "prompt" }))
	w.lock.Set(e)
	check(t, w.plan())
	w.set(img("a", ignore("prompt"), prompt("another")))
	check(t, w.plan(), "problem image.a lifecycle.ignore_changes: the request changes, and the lock does not have all of what it was, so nothing can be held")
}

// Whatever changes in fields that are ignored, and in nothing else, there is
// nothing to do; and taking the fields back shows the change.
func TestIgnoreChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		preserve := rapid.SampledFrom([]*bool{nil, new(true)}).Draw(t, "preserve") // held or not, it is free
		wish := func(label string) func(*spec.Image) {
			one := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label+" "+name) }
			prompt, model, quality := one("prompt", "p", "q "), one("model", "", "m1", "m2", "worded"), one("quality", "", "low", "high")
			ratio, style, user, reroll := one("aspect_ratio", "", "1:1", "16:9"), one("style", "", "vivid"), one("user", "", "u"), one("reroll", "", "1")
			size, source, mask := one("size", "", "30x20", "40x40"), one("edit", "", "a.png", "b.png", "b.png a.png", "image"), one("mask", "", "m.png white", "m.png black", "n.png white", "rect(0,0,1,1) drawn", "rect(0,0,2,2) drawn")
			return func(im *spec.Image) {
				im.Wanted = spec.Wanted{Provider: "test", Prompt: prompt, Model: model, Quality: quality, Style: style, User: user, Reroll: reroll, Size: size}
				if size == "" {
					im.Wanted.AspectRatio = ratio
				}
				for _, s := range strings.Fields(source) {
					if s == "image" {
						im.Wanted.Sources = append(im.Wanted.Sources, spec.Source{Image: "image.source"})
					} else {
						im.Wanted.Sources = append(im.Wanted.Sources, spec.Source{File: s})
					}
				}
				if file, edit, ok := strings.Cut(mask, " "); ok && source != "" {
					im.Wanted.Mask = &spec.Mask{File: file, Edit: edit, Preserve: preserve}
					if edit == provider.Drawn {
						im.Wanted.Mask.File, im.Wanted.Mask.Shapes = "", file
					}
				}
			}
		}
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(spec.FieldNames), 1, -1, rapid.ID[string]).Draw(t, "ignored")
		if slices.Contains(names, "size") != slices.Contains(names, "aspect_ratio") {
			names = append(names, "size", "aspect_ratio") // one can't change without the other
		}
		before, now := img("a", wish("before")), img("a", wish("now"))
		after := before
		for _, name := range names {
			from, to := &now.Wanted, &after.Wanted
			switch name {
			case "prompt":
				to.Prompt = from.Prompt
			case "model":
				to.Model = from.Model
			case "quality":
				to.Quality = from.Quality
			case "aspect_ratio":
				to.AspectRatio = from.AspectRatio
			case "size":
				to.Size = from.Size
			case "style":
				to.Style = from.Style
			case "user":
				to.User = from.User
			case "reroll":
				to.Reroll = from.Reroll
			case "edit":
				to.Sources, to.Mask = from.Sources, from.Mask
			}
		}
		w := newWorld(img("source"))
		offer := func(in *Input) {
			in.Offer = func(_, model string) (*provider.Offer, bool) { o, ok := worded(model); return &o, ok }
		}
		for _, f := range []string{"a.png", "b.png", "m.png", "n.png"} {
			w.files[f] = digest.OfContent([]byte(f))
		}
		w.apply(w.plan(offer)) // first, so that what is edited is known
		w.set(before, img("source"))
		if p := w.plan(offer); len(p.Problems) > 0 {
			t.Skip("it can't be made at all") // rapid draws another
		} else {
			w.apply(p)
		}
		ignore(names...)(&after)
		if rapid.Bool().Draw(t, "all") {
			after.Wanted, after.Ignore = now.Wanted, spec.AllFields
		}
		source := img("source")
		if rapid.Bool().Draw(t, "the source changes") && (after.Ignore.Has("edit") || len(before.Wanted.Sources) == 0) {
			source = img("source", prompt("another"))
		}
		w.set(after, source)
		p := w.plan(offer)
		p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return s.Address == "image.source" })
		if got := lines(p); len(got) > 0 {
			t.Fatalf("%v", got)
		}
	})
}

// worded are the offers of the tests, with one whose style is words in the
// prompt and whose sizes and masks are made locally.
func worded(model string) (provider.Offer, bool) {
	o, ok := offers[model]
	o.User, o.Mask = true, model != "worded"
	if model == "worded" {
		o, ok = offers["m1"], true
		o.Model, o.Styles, o.StyleWords, o.User = "worded", nil, map[string]string{"vivid": "Very vivid."}, true
	} else {
		o.AnySize, o.MaxPixels = true, 1<<20
	}
	return o, ok
}

// No reason to buy is a field that is ignored.
func TestIgnoreChangesReason(t *testing.T) {
	t.Parallel()
	frame := func(ratio, size string) func(*spec.Image) {
		return func(im *spec.Image) { im.Wanted.AspectRatio, im.Wanted.Size = ratio, size }
	}
	tests := []struct {
		name      string
		was, then func(*spec.Image)
		ignore    []string
		want      []Reason
	}{
		{"a size in place of a ratio", frame("16:9", ""), frame("", "1024x1024"), []string{"model", "aspect_ratio"},
			[]Reason{{Cause: CauseChanged, Field: "size", New: "1024x1024"}}},
		{"another size", frame("", "64x64"), frame("", "160x90"), []string{"aspect_ratio"},
			[]Reason{{Cause: CauseChanged, Field: "size", Old: "64x64", New: "160x90"}}},
		{"both are held", frame("16:9", ""), frame("", "1024x1024"), []string{"size", "aspect_ratio"}, nil},
		{"nothing of it is", frame("16:9", ""), frame("", "1024x1024"), []string{"model"},
			[]Reason{{Cause: CauseChanged, Field: "aspect_ratio", Old: "16:9", New: "1:1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sizes := func(in *Input) {
				in.Offer = func(_, model string) (*provider.Offer, bool) {
					o, ok := offers[model]
					o.AnySize, o.MaxPixels = false, 1<<21
					return &o, ok
				}
			}
			w := newWorld(img("a", tt.was))
			w.apply(w.plan(sizes))
			w.set(img("a", tt.then, ignore(tt.ignore...)))
			p := w.plan(sizes)
			var got []Reason
			for _, s := range p.Steps {
				got = append(got, s.Why...)
			}
			if d := cmp.Diff(tt.want, got); d != "" || len(p.Problems) > 0 {
				t.Errorf("(-want +got):\n%s%v", d, p.Problems)
			}
		})
	}
}

// What ignore_changes holds back is told, and only that.
func TestIgnored(t *testing.T) {
	t.Parallel()
	model := func(m string) func(*spec.Image) { return func(im *spec.Image) { im.Wanted.Model = m } }
	all := func(im *spec.Image) { im.Ignore = spec.AllFields }
	one := func(field, old, now string) []Reason {
		return []Reason{{Cause: CauseChanged, Field: field, Old: old, New: now}}
	}
	tests := []struct {
		name      string
		was, then []func(*spec.Image)
		want      []Reason
	}{
		{"nothing", nil, []func(*spec.Image){ignore("prompt")}, nil},
		{"prompt", nil, []func(*spec.Image){ignore("prompt"), prompt("b")}, one("prompt", "a a", "b")},
		{"a model that is not there", nil, []func(*spec.Image){ignore("model"), model("nope")}, one("model", "m1", "nope")},
		{"another model", nil, []func(*spec.Image){all, model("m2")}, one("model", "m1", "m2")},
		{"a size that is made here", []func(*spec.Image){size("30x20")}, []func(*spec.Image){ignore("size", "aspect_ratio"), size("60x40")}, one("size", "30x20", "60x40")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			offer := func(in *Input) {
				in.Offer = func(_, model string) (*provider.Offer, bool) {
					o, ok := offers[model]
					o.MaxPixels = 1 << 21
					return &o, ok
				}
			}
			w := newWorld(img("a", tt.was...))
			w.apply(w.plan(offer))
			w.set(img("a", tt.then...))
			p := w.plan(offer)
			check(t, p)
			var got []Reason
			for _, x := range p.Ignored {
				got = append(got, x.Changes...)
			}
			if d := cmp.Diff(tt.want, got); d != "" || len(p.Ignored) != min(1, len(tt.want)) {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A picture of which no file was ever written is held as well.
func TestIgnoreChangesWithoutFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(img("a"))
	w.apply(w.plan())
	e := *w.lock.Get("image.a")
	e.Outputs = nil
	w.lock.Set(e)
	delete(w.disk, "a.png")
	w.set(img("a", ignore("prompt"), prompt("b")))
	check(t, w.plan(), "render a (recipe path)")
	w.set(img("a", ignore("aspect_ratio"), size("160x90")))
	check(t, w.plan(func(in *Input) {
		in.Offer = func(_, model string) (*provider.Offer, bool) {
			o, ok := offers[model]
			o.MaxPixels = 1 << 21
			return &o, ok
		}
	}), "generate a (changed size) 1× $0.02")
}

// What one provider calls a quality says nothing to another one.
func TestIgnoreChangesOfAnotherProvider(t *testing.T) {
	t.Parallel()
	other := func(im *spec.Image) { im.Wanted.Provider = "other" }
	offer := func(in *Input) {
		in.Offer = func(key, model string) (*provider.Offer, bool) {
			o, ok := offers[model]
			o.Provider = key
			return &o, ok
		}
	}
	w := newWorld(img("a", quality("high")))
	w.apply(w.plan(offer))
	w.set(img("a", other, quality("low"), ignore("quality")))
	if s := w.plan(offer).Steps; len(s) != 1 || s[0].Request.Quality != "low" {
		t.Errorf("the quality of another provider is held on to: %+v", s)
	}
	w.set(img("a", other, quality("low"), func(im *spec.Image) { im.Ignore = spec.AllFields }))
	check(t, w.plan(offer)) // all of it is held
}
