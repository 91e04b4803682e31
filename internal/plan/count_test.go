package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func TestRecount(t *testing.T) {
	t.Parallel()
	gone := []Output{{Path: "a.png", Action: DeleteFile}, {Path: "b.png", Action: ForgetFile}, {Path: "c.png", Action: DeleteFile}}
	p := Plan{Steps: []Step{
		{Verb: Generate, Need: 2, Price: 5, Priced: true},
		{Verb: Edit, Need: 3, Price: 7, Priced: true, Outputs: gone[:1]},
		{Verb: Generate, Need: 4},               // of a provider that names no price
		{Verb: Generate, Need: 5, Priced: true}, // made on this machine
		{Verb: Delete, Outputs: gone}, {Verb: Delete},
		{Verb: Hold}, {Verb: Missing}, {Verb: Protected},
		{Verb: Move}, {Verb: Forget}, {Verb: Record}, {Verb: Restore},
	}}
	p.Recount()
	p.Recount() // anew, not on top
	want := Summary{Make: 1, Buy: 3, Images: 14, Price: 12, Unpriced: 1, Delete: 2, Files: 3, Standing: 3, Free: 4}
	if d := cmp.Diff(want, p.Summary); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A plan that was saved may come from anywhere.
func TestCheck(t *testing.T) {
	t.Parallel()
	mask := provider.Request{Inputs: make([]provider.Input, 1), Mask: &provider.Input{}}
	source := make([]spec.Source, 1)
	tests := []struct {
		name string
		step Step
		want string // of the error; "" for none
	}{
		{"nothing", Step{Verb: Forget}, ""},
		{"no verb", Step{}, "not a verb"},
		{"all that is allowed", Step{Verb: Restore, N: 10, Need: 10, Pick: 1, Outputs: []Output{{Path: "b.png", Recipe: "format=png"}}}, ""},
		{"n below", Step{Verb: Restore, N: -1}, "numbers"},
		{"n above", Step{Verb: Restore, N: 11, Pick: 1}, "numbers"},
		{"need below", Step{Verb: Restore, Need: -1}, "numbers"},
		{"need above n", Step{Verb: Restore, N: 1, Need: 2, Pick: 1}, "numbers"},
		{"no pick", Step{Verb: Restore, N: 1}, "numbers"},
		{"pick below", Step{Verb: Forget, Pick: -1}, "numbers"},
		{"rolls below", Step{Verb: Forget, Rolls: -1}, "numbers"},
		{"import", Step{Verb: Import, Import: "x.png", N: 1, Pick: 1, Candidates: make([]provider.Image, 1)}, ""},
		{"import of nothing", Step{Verb: Import}, "imported"},
		{"import by another verb", Step{Verb: Render, Import: "x.png", N: 1, Pick: 1, Candidates: make([]provider.Image, 1)}, "imported"},
		{"import from outside", Step{Verb: Import, Import: "../x.png", N: 1, Pick: 1, Candidates: make([]provider.Image, 1)}, "imported"},
		{"import of two", Step{Verb: Import, Import: "x.png", N: 2, Pick: 1, Candidates: make([]provider.Image, 1)}, "imported"},
		{"import without a picture", Step{Verb: Import, Import: "x.png", N: 1, Pick: 1}, "imported"},
		{"sources without inputs", Step{Verb: Forget, Sources: source}, "1 sources and 0 inputs"},
		{"mask", Step{Verb: Edit, Request: mask, Sources: source, MaskFile: "m.png"}, ""},
		{"drawn mask", Step{Verb: Edit, Request: provider.Request{Inputs: make([]provider.Input, 1), Mask: &provider.Input{Edit: provider.Drawn, Shapes: "rect(0,0,1,1)"}}, Sources: source}, ""},
		{"mask without a file", Step{Verb: Edit, Request: mask, Sources: source}, "mask"},
		{"a standing one needs no file", Step{Verb: Hold, Request: mask, Sources: source}, ""},
		{"mask of nothing", Step{Verb: Hold, Request: provider.Request{Mask: mask.Mask}, MaskFile: "m.png"}, "mask"},
		{"there twice", Step{Verb: Forget, Address: "image.first"}, "twice"},
		{"after one before", Step{Verb: Forget, After: []spec.Address{"image.first"}}, ""},
		{"after one that is not planned", Step{Verb: Forget, After: []spec.Address{"image.other"}}, ""},
		{"after a later one", Step{Verb: Forget, After: []spec.Address{"image.last"}}, "must come after image.last"},
		{"after itself", Step{Verb: Forget, After: []spec.Address{"image.a"}}, "must come after image.a"},
		{"a recipe of nobody", Step{Verb: Render, Outputs: []Output{{Path: "b.png", Recipe: "colour=red"}}}, "colour"},
		{"buys and writes nothing", Step{Verb: Generate, N: 1, Need: 1, Pick: 1}, "writes nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.step.Address == "" {
				tt.step.Address = "image.a"
			}
			p := Plan{Steps: []Step{{Address: "image.first", Verb: Forget}, tt.step, {Address: "image.last", Verb: Forget}}}
			switch err := p.Check(); {
			case (err == nil) != (tt.want == ""), err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("%v, want %q", err, tt.want)
			case err != nil && !strings.HasPrefix(err.Error(), "step 2, "+string(tt.step.Address)+": "):
				t.Errorf("the wrong step: %v", err)
			}
		})
	}
}

func TestAsksNone(t *testing.T) {
	t.Parallel()
	if !(Asks{}).None() {
		t.Error("no question is one")
	}
	one := Asks{make([]digest.Request, 1), make([]digest.Content, 1), make([]string, 1), make([]string, 1), make([]Picture, 1)}
	for mask := 1; mask < 32; mask++ {
		var a Asks
		if mask&16 > 0 {
			a.Paths = one.Paths
		}
		if mask&1 > 0 {
			a.Requests = one.Requests
		}
		if mask&2 > 0 {
			a.Contents = one.Contents
		}
		if mask&4 > 0 {
			a.Files = one.Files
		}
		if mask&8 > 0 {
			a.Pictures = one.Pictures
		}
		if a.None() {
			t.Errorf("%+v is no question", a)
		}
	}
}

// The configuration chooses before the lock, and a lock that names what is not
// there chooses nothing.
func TestPick(t *testing.T) {
	t.Parallel()
	entry := func(pick, candidates int) *lock.Entry {
		return &lock.Entry{Pick: pick, Candidates: make([]provider.Image, candidates)}
	}
	for _, tt := range []struct {
		name  string
		pick  int
		entry *lock.Entry
		want  int
	}{
		{"no lock", 0, nil, 1}, {"only the configuration", 2, nil, 2}, {"only the lock", 0, entry(2, 2), 2}, {"both", 1, entry(2, 2), 1},
		{"nobody", 0, entry(0, 2), 1}, {"not there", 0, entry(3, 2), 1}, {"nonsense", 0, entry(-1, 2), 1},
	} {
		if got := Pick(&spec.Image{Pick: tt.pick}, tt.entry); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The prices of a plan are as old as the oldest of them; what is free has none.
func TestPricesAsOf(t *testing.T) {
	t.Parallel()
	dates := map[string]string{"old": "2026-01-01", "new": "2026-02-01", "free": "2025-01-01"}
	of := func(models ...string) string {
		var images []spec.Image
		for _, model := range models {
			images = append(images, img(model, func(im *spec.Image) { im.Wanted.Model = model }))
		}
		return newWorld(images...).plan(func(in *Input) {
			in.Offer = func(_, model string) (*provider.Offer, bool) {
				o := offers["m1"]
				o.Model, o.AsOf = model, dates[model]
				if model == "free" {
					o.Price = func(*provider.Request) (provider.Money, bool) { return 0, true }
				}
				return &o, true
			}
		}).PricesAsOf
	}
	for _, tt := range []struct {
		models []string
		want   string
	}{{nil, ""}, {[]string{"free"}, ""}, {[]string{"new"}, dates["new"]}, {[]string{"free", "new"}, dates["new"]}, {[]string{"new", "old"}, dates["old"]}} {
		if got := of(tt.models...); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.models, got, tt.want)
		}
	}
}

// Where there can be no plan, what the models do not take is told all the same.
func TestUnmet(t *testing.T) {
	t.Parallel()
	odd := img("odd", quality("odd"))
	nobody := img("nobody", quality("odd"), func(im *spec.Image) { im.Wanted.Provider = "" })
	got := Unmet([]spec.Image{img("fine"), nobody, odd}, func(_, model string) (*provider.Offer, bool) { o, ok := offers[model]; return &o, ok })
	if len(got) != 1 || got[0].Address != odd.Address || got[0].Field != "quality" {
		t.Errorf("%+v", got)
	}
}

func TestReplaces(t *testing.T) {
	t.Parallel()
	of := digest.OfContent([]byte("of"))
	e := &lock.Entry{Address: "image.a", Request: digest.OfRequest([]byte("r")), Candidates: []provider.Image{{Content: of}},
		Outputs: []lock.Output{{Path: "a.png", Of: of}}}
	other := digest.OfRequest([]byte("other"))
	have := func(s Step) Step { s.N, s.Digest, s.Pick, s.Candidates = 1, e.Request, 1, e.Candidates; return s }
	for _, tt := range []struct {
		name  string
		step  Step
		entry *lock.Entry
		want  bool
	}{
		{"nothing there", Step{Drop: true}, nil, false}, {"no picture there", Step{Drop: true}, &lock.Entry{}, false},
		{"drop", Step{Drop: true}, e, true}, {"roll", Step{Fresh: true}, e, true},
		{"another request", Step{N: 1, Digest: other}, e, true}, {"the same one", have(Step{}), e, false},
		{"of no request", Step{Outputs: []Output{{Path: "b.png", Action: Write}}}, e, false},
		{"a missing file", have(Step{Outputs: []Output{{Path: "a.png", Action: Write}}}), e, false},
		{"a file of another candidate", Step{N: 2, Digest: e.Request, Pick: 2, Candidates: e.Candidates, Outputs: []Output{{Path: "a.png", Action: Write}}}, e, true},
		{"over a file", have(Step{Outputs: []Output{{Path: "a.png", Action: Write, Expect: of}}}), e, true},
		{"a file that is right already", have(Step{Outputs: []Output{{Path: "a.png", Action: Write, Expect: of, Adopt: true}}}), e, false},
		{"a file goes", have(Step{Outputs: []Output{{Path: "a.png", Action: DeleteFile}}}), e, true},
		{"a file is left", have(Step{Outputs: []Output{{Path: "a.png", Action: ForgetFile}}}), e, false},
	} {
		if got := tt.step.Replaces(tt.entry); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
