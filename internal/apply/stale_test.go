package apply

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

func requestOf(prompt string) *provider.Request {
	return &provider.Request{Provider: "fake", Model: "m", Prompt: prompt}
}

func candidate(text string) provider.Image {
	return provider.Image{Content: digest.OfContent(pixel(text)), MIME: "image/png", Width: 1, Height: 1}
}

// A step was done before if the lock has its request, its candidates and, made
// from the chosen one, its files.
func TestDoneBefore(t *testing.T) {
	t.Parallel()
	entry := lock.Entry{Request: requestOf("a").Digest(), Candidates: []provider.Image{candidate("1"), candidate("2")},
		Outputs: []lock.Output{{Path: "a.png", Recipe: "format=png", Of: candidate("1").Content}}}
	write := plan.Output{Path: "a.png", Action: plan.Write, Recipe: "format=png"}
	for _, tt := range []struct {
		name    string
		prompt  string
		n, pick int
		outputs []plan.Output
		want    bool
	}{
		{"the same", "a", 2, 1, []plan.Output{write}, true},
		{"fewer", "a", 1, 1, []plan.Output{write}, true},
		{"more", "a", 3, 1, []plan.Output{write}, false},
		{"another request", "b", 2, 1, []plan.Output{write}, false},
		{"another choice", "a", 2, 2, []plan.Output{write}, false},
		{"a choice that there is not", "a", 2, 3, []plan.Output{write}, false},
		{"another recipe", "a", 2, 1, []plan.Output{{Path: "a.png", Action: plan.Write, Recipe: "format=jpeg"}}, false},
		{"another file", "a", 2, 1, []plan.Output{write, {Path: "b.png", Action: plan.Write, Recipe: "format=png"}}, false},
		{"a file that stays or goes", "a", 2, 1, []plan.Output{write, {Path: "b.png", Action: plan.KeepFile}, {Path: "c.png", Action: plan.DeleteFile}}, true},
	} {
		j := &job{step: &plan.Step{N: tt.n, Pick: tt.pick}, digest: requestOf(tt.prompt).Digest(), outputs: tt.outputs}
		if got := done(&entry, j); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// Before money is spent the places of the outputs must be free, or have what
// the plan saw there.
func TestFreeToWrite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{"seen.png", "unseen.png"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.dir, "folder.png"), 0o777); err != nil {
		t.Fatal(err)
	}
	root := s.root()
	if _, errs := root.Hash(t.Context(), []string{"seen.png"}); errs[0] != nil { // from here on a look tells its content
		t.Fatal(errs[0])
	}
	is := digest.OfContent([]byte("seen.png"))
	other := digest.OfContent([]byte("other"))
	for _, tt := range []struct {
		name string
		o    plan.Output
		kind EventKind
		err  string
	}{
		{"nothing is there", plan.Output{Path: "none.png", Action: plan.Write}, "", ""},
		{"nothing is there any more", plan.Output{Path: "none.png", Action: plan.Write, Expect: is}, "", ""},
		{"what was seen is there", plan.Output{Path: "seen.png", Action: plan.Write, Expect: is}, "", ""},
		{"something else is there", plan.Output{Path: "seen.png", Action: plan.Write, Expect: other}, Stale, "seen.png is not what it was when the plan was made"},
		{"a stranger's", plan.Output{Path: "seen.png", Action: plan.Write}, Stale, "seen.png is not what it was"},
		{"nobody knows what is there", plan.Output{Path: "unseen.png", Action: plan.Write, Expect: other}, "", ""}, // the write looks itself
		{"a folder", plan.Output{Path: "folder.png", Action: plan.Write, Expect: is}, Stale, "folder.png is not what it was"},
		{"it stays", plan.Output{Path: "seen.png", Action: plan.KeepFile}, "", ""},
		{"it is only recorded", plan.Output{Path: "seen.png", Action: plan.Write, Adopt: true}, "", ""},
		{"it can't be looked at", plan.Output{Path: strings.Repeat("x", 300), Action: plan.Write}, Failed, "look at x"},
	} {
		r := &runner{Engine: &Engine{Out: root}}
		kind, err := r.freeToWrite(&job{outputs: []plan.Output{tt.o}})
		if kind != tt.kind || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q %v, want %q %q", tt.name, kind, err, tt.kind, tt.err)
		}
	}
}

// What a step edits is what the lock has of its source: the picture that the
// plan was made with, or, where the source was made anew, the chosen one.
func TestContentsOfSources(t *testing.T) {
	t.Parallel()
	one, two := candidate("1").Content, candidate("2").Content
	source := lock.Entry{Address: "image.s", Request: requestOf("s").Digest(), Candidates: []provider.Image{candidate("1"), candidate("2")}}
	chosen := source
	chosen.Pick = 2
	for _, tt := range []struct {
		name    string
		entry   *lock.Entry
		step    *plan.Step       // of the source, if the plan has one
		sources []spec.Source    // image.s if nil
		planned []digest.Content // of the inputs
		want    string           // the inputs: 1, 2, or 0 for none
		err     string
	}{
		{"as it was", &source, nil, nil, []digest.Content{one}, "1", ""},
		{"as it was, and not the first", &source, nil, nil, []digest.Content{two}, "2", ""},
		{"made by this run", &source, &plan.Step{Address: "image.s", Pick: 2}, nil, []digest.Content{{}}, "2", ""},
		{"made by this run, as it was", &source, &plan.Step{Address: "image.s", Pick: 2}, nil, []digest.Content{two}, "2", ""},
		{"made by this run, otherwise", &source, &plan.Step{Address: "image.s", Pick: 1}, nil, []digest.Content{two}, "", "image.s has changed since the plan was made"},
		{"not known, and chosen by the lock", &chosen, nil, nil, []digest.Content{{}}, "2", ""},
		{"not known, and nobody chose", &source, nil, nil, []digest.Content{{}}, "1", ""},
		{"no candidate any more", &source, nil, nil, []digest.Content{candidate("3").Content}, "", "image.s has changed"},
		{"gone", nil, nil, nil, []digest.Content{one}, "", "image.s has changed"},
		{"a file beside it", &source, nil, []spec.Source{{File: "f.png"}, {Image: "image.s"}}, []digest.Content{one, two}, "1 2", ""},
		{"a step that buys nothing", &source, nil, []spec.Source{{Image: "image.s"}}, nil, "", ""},
	} {
		l := &lock.Lock{}
		if tt.entry != nil {
			l.Set(*tt.entry)
		}
		p := &plan.Plan{}
		if tt.step != nil {
			p.Steps = append(p.Steps, *tt.step)
		}
		if tt.sources == nil {
			tt.sources = []spec.Source{{Image: "image.s"}}
		}
		r := &runner{Engine: &Engine{Lock: l}, plan: p}
		r.order()
		step := &plan.Step{N: 1, Sources: tt.sources, Request: *requestOf("e"), Outputs: []plan.Output{{Recipe: "restore=white:" + two.String() + ":" + digest.Content{}.String()}}}
		for _, c := range tt.planned {
			step.Request.Inputs = append(step.Request.Inputs, provider.Input{Content: c})
		}
		j := &job{step: step, request: step.Request, outputs: step.Outputs}
		err := r.contents(j)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		}
		if err != nil {
			continue
		}
		var got []string
		for _, in := range j.request.Inputs {
			got = append(got, map[digest.Content]string{one: "1", two: "2"}[in.Content])
		}
		if strings.Join(got, " ") != tt.want || j.digest != j.request.Digest() {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if len(got) > 0 && !strings.HasSuffix(j.outputs[0].Recipe, ":"+j.request.Inputs[0].Content.String()) {
			t.Errorf("%s: %s", tt.name, j.outputs[0].Recipe)
		}
	}
	// A step that only deletes has no request, and is not given one.
	r, j := &runner{Engine: &Engine{Lock: &lock.Lock{}}, plan: &plan.Plan{}}, &job{step: &plan.Step{}}
	if err := r.contents(j); err != nil || !j.digest.IsZero() {
		t.Errorf("%v, %s", err, j.digest)
	}
}

// What was sent before and has no end yet is not sent again, whoever sent it
// under which name, unless somebody asked for that; what belongs to another
// image is no reason.
func TestOpenAttempts(t *testing.T) {
	t.Parallel()
	const doubt, later = "sent before and not answered (x)", "the result is not in yet (x)"
	for _, tt := range []struct {
		name    string
		address string // of the attempt
		prompt  string
		phase   journal.Phase
		again   string
		err     string
		hint    string
	}{
		{"in doubt", "image.a", "a", journal.InDoubt, "", doubt, "imgbuild plan -retry-in-doubt makes a plan that sends it again"},
		{"accepted", "image.a", "a", journal.Accepted, "", later, "imgbuild apply asks for it again; nothing is bought a second time"},
		{"delivered", "image.a", "a", journal.Delivered, "", later, "imgbuild apply asks for it again; nothing is bought a second time"},
		{"another request", "image.a", "b", journal.InDoubt, "", "", ""},
		{"asked again", "image.a", "a", journal.InDoubt, "x", "", ""},
		{"another one is asked again", "image.a", "a", journal.InDoubt, "y", doubt, "imgbuild plan -retry-in-doubt makes a plan that sends it again"},
		{"by its old name", "image.old", "a", journal.InDoubt, "", doubt, "imgbuild plan -retry-in-doubt makes a plan that sends it again"},
		{"of an image that stays", "image.kept", "a", journal.InDoubt, "", "", ""},
		{"of an image that is planned", "image.planned", "a", journal.InDoubt, "", "", ""},
		{"of an image that goes", "image.goes", "a", journal.InDoubt, "", doubt, "imgbuild plan -retry-in-doubt makes a plan that sends it again"},
		{"of an image that is gone", "image.gone", "a", journal.InDoubt, "", doubt, "imgbuild plan -retry-in-doubt makes a plan that sends it again"},
	} {
		e := &Engine{Lock: &lock.Lock{Entries: []lock.Entry{{Address: "image.kept"}, {Address: "image.old"}}}, Open: []journal.Attempt{
			{ID: "none", Intent: journal.Intent{Address: "image.a", Request: requestOf("none").Digest()}, Phase: journal.InDoubt},
			{ID: "x", Intent: journal.Intent{Address: tt.address, Request: requestOf(tt.prompt).Digest()}, Phase: tt.phase}}}
		p := &plan.Plan{Steps: []plan.Step{{Address: "image.a", From: "image.old", Again: []string{tt.again}}, {Address: "image.goes", Drop: true}, {Address: "image.planned"}}}
		r := &runner{Engine: e, plan: p}
		r.order()
		err := r.open(&job{step: &p.Steps[0], digest: requestOf("a").Digest()})
		var h *hinted
		if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || !errors.As(err, &h) || h.hint != tt.hint) {
			t.Errorf("%s: %v, %+v", tt.name, err, h)
		}
	}
}

// What was bought before counts where no image holds it: each roll once, in the
// order of arrival, as many as are wanted, and only what is there and usable.
func TestUnclaimed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		rolls string // of the request: "-" in front if refused, "?" if its bytes are lost
		held  string // by another image with the same request
		other string // by an image with another request
		have  string
		n     int
		fresh int // how many rolls the plan of a fresh roll knew; -1 if it is not one
		want  string
	}{
		{"none", "", "", "", "", 2, -1, ""},
		{"as many as are wanted", "1 2 3", "", "", "", 2, -1, "1 2"},
		{"beside those it has", "1 2 3", "", "", "1", 2, -1, "2"},
		{"it has all", "1 2", "", "", "1", 1, -1, ""},
		{"another image has the first", "1 2", "1", "", "", 2, -1, "2"},
		{"another image has the last", "1 2", "2", "", "", 2, -1, "1"},
		{"another image has two of them", "1 2 3", "2 1", "", "", 2, -1, "3"},
		{"the same picture twice, one is held", "1 1a", "1", "", "", 2, -1, "1"},
		{"an image with another request is no matter", "1 2", "", "1", "", 2, -1, "1 2"},
		{"refused", "-1 2", "", "", "", 2, -1, "2"},
		{"lost", "?1 2", "", "", "", 2, -1, "2"},
		{"fresh, and none came since", "1 2", "", "", "", 2, 2, ""},
		{"fresh, and one came since", "1 2 3", "", "", "", 2, 2, "3"},
		{"fresh, and the index has lost some", "1", "", "", "", 2, 2, ""},
	} {
		s := newSite(t)
		s.open(func(e *Engine, _ *workspace.Root) {
			for _, x := range strings.Fields(tt.rolls) {
				text := strings.TrimLeft(x, "-?")
				r := store.Roll{ID: text, Image: candidate(text[:1])}
				switch x[0] {
				case '-':
					r.Refused = "moderated"
					fallthrough
				default:
					if _, _, err := e.Store.Put(t.Context(), bytes.NewReader(pixel(text[:1])), imaging.DefaultLimits.Bytes); err != nil {
						t.Fatal(err)
					}
				case '?':
				}
				if err := e.Store.Record(requestOf("a").Digest(), requestOf("a").Fields(), r); err != nil {
					t.Fatal(err)
				}
			}
			list := func(names string) (out []provider.Image) {
				for _, x := range strings.Fields(names) {
					out = append(out, candidate(x))
				}
				return out
			}
			e.Lock.Set(lock.Entry{Address: "image.h", Request: requestOf("a").Digest(), Candidates: list(tt.held)})
			e.Lock.Set(lock.Entry{Address: "image.o", Request: requestOf("b").Digest(), Candidates: list(tt.other)})
			step := &plan.Step{Address: "image.a", N: tt.n}
			if tt.fresh >= 0 {
				step.Fresh, step.Rolls = true, tt.fresh
			}
			r := &runner{Engine: e}
			got, err := r.unclaimed(&job{step: step, digest: requestOf("a").Digest(), have: list(tt.have)})
			if d := cmp.Diff(list(tt.want), got); err != nil || d != "" {
				t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
			}
		})
	}
}

// A reply that was paid for and refused is remembered by the lock, or by the
// store alone.
func TestWasRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, inLock, inStore string // the prompt that was refused
		fine                  bool   // the store has one that is not
		want                  bool
	}{
		{"by nobody", "", "", true, false},
		{"by the lock", "a", "", false, true},
		{"another one by the lock", "b", "", false, false},
		{"by the store", "", "a", true, true},
		{"another one by the store", "", "b", true, false},
	} {
		s := newSite(t)
		s.open(func(e *Engine, _ *workspace.Root) {
			note := func(prompt string, r store.Roll) {
				if err := e.Store.Record(requestOf(prompt).Digest(), requestOf(prompt).Fields(), r); err != nil {
					t.Fatal(err)
				}
			}
			if tt.fine {
				note("a", store.Roll{ID: "1", Image: candidate("1")})
			}
			if tt.inStore != "" {
				note(tt.inStore, store.Roll{ID: "2", Refused: "gone"})
			}
			j := &job{digest: requestOf("a").Digest()}
			if tt.inLock != "" {
				j.entry.Refused = []lock.Refusal{{Request: requestOf(tt.inLock).Digest()}}
			}
			if got := (&runner{Engine: e}).wasRefused(j); got != tt.want {
				t.Errorf("%s: %v", tt.name, got)
			}
		})
	}
}
