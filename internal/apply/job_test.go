package apply

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/encoder"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// A job that was accepted is paid once, whatever its first run saw of it, and
// what the next run learns of it decides what becomes of the image.
func TestJobOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	fail := func(k provider.Kind) func(*site) func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
		return func(*site) func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
			return func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
				return provider.Reply{}, &provider.Error{Kind: k, Message: "m", Price: 7, Priced: k == provider.Moderated}
			}
		}
	}
	ready := func(s *site) func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
		return func(_ string, r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			return provider.Reply{}, s.maker.deliver(r, sink, r.N)
		}
	}
	tests := map[string]struct {
		first  error // how the first run lost sight of it
		resume func(*site) func(string, *provider.Request, provider.Sink) (provider.Reply, error)
		then   []string // the plan after it was asked for
		open   []journal.Phase
		paid   int
	}{
		"ready":                 {errors.New("cut"), ready, []string{"restore image.a"}, nil, 1},
		"ready after a pause":   {&provider.Error{Kind: provider.Unfinished}, ready, []string{"restore image.a"}, nil, 1},
		"ready after Ctrl-C":    {context.Canceled, ready, []string{"restore image.a"}, nil, 1},
		"not ready":             {errors.New("cut"), fail(provider.Unfinished), []string{"resume image.a"}, []journal.Phase{journal.Accepted}, 0},
		"the key is gone":       {errors.New("cut"), fail(provider.Credentials), []string{"resume image.a"}, []journal.Phase{journal.Accepted}, 0},
		"failed":                {errors.New("cut"), fail(provider.Rejected), []string{"generate image.a"}, nil, 0},
		"moderated":             {errors.New("cut"), fail(provider.Moderated), []string{"refused image.a"}, nil, 0},
		"not known any more":    {errors.New("cut"), fail(provider.InDoubt), []string{"hold image.a"}, []journal.Phase{journal.InDoubt}, 0},
		"no answer to the poll": {errors.New("cut"), fail(provider.NotSent), []string{"resume image.a"}, []journal.Phase{journal.Accepted}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, img("a"))
			s.maker.do = func(_ *provider.Request, sink provider.Sink) (provider.Reply, error) {
				if err := sink.Accepted("job-1"); err != nil {
					t.Error(err)
				}
				return provider.Reply{}, tt.first
			}
			s.open(func(e *Engine, root *workspace.Root) {
				res, err := e.Apply(t.Context(), s.stop, s.plan(e, root))
				if err == nil {
					err = e.Settle(true)
				}
				if err != nil {
					t.Fatal(err)
				}
				same(t, "first run", kinds(res), "accepted image.a")
				if res.Doubt != provider.Dollar/100 {
					t.Errorf("%s may have been spent", res.Doubt)
				}
			})
			s.maker.do = nil
			s.maker.resume = tt.resume(s)
			s.lenient = true
			s.open(func(e *Engine, root *workspace.Root) {
				var open []journal.Phase
				for _, a := range e.Open {
					open = append(open, a.Phase)
				}
				if len(open) != len(tt.open) || len(open) == 1 && open[0] != tt.open[0] {
					t.Errorf("open: %v, want %v", open, tt.open)
				}
				p := s.plan(e, root, func(in *plan.Input) {
					for i := range in.Pending {
						in.Pending[i].Job = e.Open[i].Phase == journal.Accepted
					}
				})
				var got []string
				for _, st := range p.Steps {
					got = append(got, string(st.Verb)+" "+string(st.Address))
				}
				same(t, "plan", got, tt.then...)
			})
			if s.maker.paid["a"] != tt.paid {
				t.Errorf("paid %d times", s.maker.paid["a"])
			}
		})
	}
}

// A job whose end can't be had is given up only when asked; then it is bought
// anew, and the old attempt is settled.
func TestJobGivenUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.lenient = true
	s.maker.do = func(_ *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, errors.Join(sink.Accepted("job-1"), &provider.Error{Kind: provider.Unfinished})
	}
	s.maker.resume = func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.NotSent, Message: "nobody is there"}
	}
	asJob := func(again bool) func(*plan.Input) {
		return func(in *plan.Input) {
			for i := range in.Pending {
				in.Pending[i].Job, in.Pending[i].Again = true, again
			}
		}
	}
	same(t, "first run", kinds(s.run()), "accepted image.a")
	s.maker.do = nil
	same(t, "not asked", kinds(s.run(asJob(false))))
	if s.maker.paid["a"] != 0 {
		t.Error("it was bought without being asked")
	}
	same(t, "asked", kinds(s.run(asJob(true))), "done image.a")
	same(t, "after", s.steps())
	s.open(func(e *Engine, _ *workspace.Root) {
		if len(e.Open) > 0 {
			t.Errorf("open: %+v", e.Open)
		}
	})
}

// partlyTold is a site in which a run died after one receipt, at URL u, of a job
// with three images.
func partlyTold(t *testing.T) *site {
	hero := img("a")
	hero.N = 3
	s := newSite(t, hero)
	s.lenient = true
	s.open(func(e *Engine, root *workspace.Root) {
		step := &s.plan(e, root).Steps[0]
		step.Request.N = 3
		sink := &sink{engine: e, address: step.Address, provider: step.Provider, digest: step.Digest, fields: step.Request.Fields(), id: "dead-1", request: &step.Request, tell: func(Event) {}, each: provider.Dollar / 100}
		for _, err := range []error{sink.Sent(), sink.Accepted("job-1"), sink.Delivered(0, provider.Delivery{URL: "u"}, provider.Dollar/100)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	return s
}

// Of a job with three images a run died after one receipt: the two others are
// still the job's, whatever the image is called now, and are not bought.
func TestJobPartlyTold(t *testing.T) {
	t.Parallel()
	s := partlyTold(t)
	hero := s.images[0]
	s.maker.urls["u"] = pixel("one")
	s.maker.resume = func(string, *provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.Unfinished, Cause: provider.NotSent, Message: "nobody is there"}
	}
	for _, name := range []string{"a", "renamed"} {
		// A power cut may take what the store's index had noted of the first.
		if err := os.RemoveAll(filepath.Join(s.dir, ".imgbuild/store/requests")); err != nil {
			t.Fatal(err)
		}
		renamed := hero
		renamed.Address = spec.Address("image." + name)
		s.images = []spec.Image{renamed}
		s.open(func(e *Engine, root *workspace.Root) {
			if len(e.Open) != 1 || !Awaited(&e.Open[0]) || len(e.Open[0].Deliveries) != 1 {
				t.Fatalf("open: %+v", e.Open)
			}
			if rolls := must(e.Store.Bought(e.Open[0].Request)); len(rolls) != 1 {
				t.Errorf("the index has %d of the images that came", len(rolls))
			}
			p := s.plan(e, root, func(in *plan.Input) { in.Pending = nil }) // a plan that knows nothing of it
			res, err := e.Apply(t.Context(), s.stop, p)
			if err == nil {
				err = e.Settle(false)
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, name, kinds(res), "skipped image."+name)
		})
	}
	if s.maker.paid["a"] != 0 {
		t.Errorf("bought %d", s.maker.paid["a"])
	}
	s.maker.resume = func(_ string, r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, s.maker.deliver(r, sink, 3)
	}
	same(t, "the rest came", s.steps(), "restore image.renamed")
}

// What is wrong with a picture that a job has brought says nothing of the job:
// it stays open, and none of its images is bought again.
func TestJobPartlyToldAndRefused(t *testing.T) {
	t.Parallel()
	s := partlyTold(t)
	s.maker.fetch = func(string) error { return &provider.Error{Kind: provider.Rejected, Message: "a private address"} }
	for range 2 {
		s.open(func(e *Engine, root *workspace.Root) {
			if len(e.Open) != 1 {
				t.Fatalf("open: %+v", e.Open)
			}
			if err := e.Settle(false); err != nil {
				t.Fatal(err)
			}
			if p := s.plan(e, root); len(p.Steps) != 1 || p.Steps[0].Verb.Paid() {
				t.Errorf("planned: %+v", p.Steps)
			}
		})
	}
}

// A picture that is not at its URL may be there a moment later. It is given up
// by the second run that looks.
func TestGoneForTheMoment(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{true, false} {
		s := newSite(t, img("a"))
		s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
			s.maker.paid[r.Prompt]++
			return provider.Reply{}, sink.Delivered(0, provider.Delivery{URL: "late"}, provider.Dollar/100)
		}
		same(t, "the run that was told", kinds(s.run()), "failed image.a")
		want := "refused image.a"
		if back {
			s.maker.urls["late"], want = pixel("late"), "restore image.a"
		}
		same(t, "a later one", s.steps(), want)
		s.run()
		if s.maker.paid["a"] != 1 {
			t.Errorf("paid %d times", s.maker.paid["a"])
		}
	}
}

// A mistake of ours costs one image, and not what others have in flight. What it
// may have cost counts.
func TestMistake(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"), img("b"))
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		if r.Prompt == "a" {
			panic("oh")
		}
		return provider.Reply{}, s.maker.deliver(r, sink, 1)
	}
	res := s.run()
	same(t, "ends", kinds(res), "failed image.a", "done image.b")
	if res.Doubt != provider.Dollar/100 {
		t.Errorf("%s is in doubt", res.Doubt)
	}
	if text := res.Outcomes[0].Text; !regexp.MustCompile(`^imgbuild made a mistake: oh, in job_test\.go:\d+$`).MatchString(text) {
		t.Error(text)
	}
	same(t, "the next run", s.steps(), "hold image.a")
}

// Outputs are drawn side by side; a mistake of ours in one costs this image only,
// and nothing that was paid for.
func TestMistakeInDrawing(t *testing.T) {
	t.Parallel()
	a := img("a")
	s := newSite(t, a, img("b"))
	s.run()
	a.Renditions = []spec.Rendition{{Name: "w", Path: "w.webp"}, {Name: "p", Path: "p.png", Width: 1}}
	b := img("b")
	b.Renditions = []spec.Rendition{{Name: "p", Path: "q.png", Width: 1}}
	s.images = []spec.Image{a, b}
	s.change = func(e *Engine) { e.Encoders = &encoder.Set{Getenv: func(string) string { panic("oh") }} }
	res := s.run()
	same(t, "ends", kinds(res), "failed image.a", "done image.b")
	if text := res.Outcomes[0].Text; !regexp.MustCompile(`^imgbuild made a mistake: oh, in job_test\.go:\d+$`).MatchString(text) {
		t.Error(text)
	}
	same(t, "the next run", s.steps(), "render image.a")
}

// What is bought must be writable: a saved plan may be carried out where it is
// not, and then nothing is sent.
func TestNothingToWriteItWith(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.Renditions = []spec.Rendition{{Name: "w", Path: "w.webp"}}
	s := newSite(t, a, img("b"))
	s.change = func(e *Engine) { e.Encoders = &encoder.Set{Getenv: func(string) string { return "" }} }
	res := s.run()
	same(t, "ends", kinds(res), "skipped image.a", "done image.b")
	if n := s.maker.paid["a"]; n != 0 {
		t.Errorf("paid %d times", n)
	}
	if o := res.Outcomes[0]; o.Text != "w.webp: a WebP that is not lossless needs cwebp or vips, and neither is on the PATH" || o.Hint == "" {
		t.Errorf("%+v", o)
	}
}

// A doubt is forgotten only when what was sent instead may cost itself.
func TestRefusedRepeatKeepsTheDoubt(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt}
	}
	s.run()
	s.maker.do = func(*provider.Request, provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, &provider.Error{Kind: provider.Rejected, Status: 400}
	}
	same(t, "asked", kinds(s.run(func(in *plan.Input) { in.Pending[0].Again = true })), "failed image.a")
	same(t, "after", s.steps(), "hold image.a")
}

// A job is asked for, and a picture fetched, only where they are: another server
// would not know them.
func TestJobAtAnotherEndpoint(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.lenient, s.endpoint = true, "http://here"
	s.maker.do = func(_ *provider.Request, sink provider.Sink) (provider.Reply, error) {
		return provider.Reply{}, errors.Join(sink.Accepted("job-1"), context.Canceled)
	}
	s.run()
	asked := 0
	s.maker.resume = func(_ string, r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		asked++
		return provider.Reply{}, s.maker.deliver(r, sink, 1)
	}
	s.endpoint = "http://there"
	s.open(func(e *Engine, _ *workspace.Root) {
		if asked != 0 || len(e.Open) != 1 || e.Open[0].Phase != journal.Accepted {
			t.Errorf("asked %d times; open: %+v", asked, e.Open)
		}
	})
	s.endpoint = "http://here"
	same(t, "back again", s.steps(), "restore image.a")
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// What a salvaged journal lost the intent of is neither recorded for no request
// nor forgotten.
func TestRecoverWithoutIntent(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.open(func(e *Engine, _ *workspace.Root) {
		blob := journal.Delivery{Content: digest.OfContent([]byte("x")), Width: 1, Height: 1, Bytes: 1}
		err := e.Journal.Append(
			journal.Record{Type: journal.TypeBlob, Attempt: "done", Delivery: &blob}, journal.Record{Type: journal.TypeDone, Attempt: "done"},
			journal.Record{Type: journal.TypeBlob, Attempt: "open", Delivery: &blob}, journal.Record{Type: journal.TypeInDoubt, Attempt: "open"},
			journal.Record{Type: journal.TypeJob, Attempt: "job", JobID: "j"}, journal.Record{Type: journal.TypeInDoubt, Attempt: "job"})
		if err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		s.run(func(in *plan.Input) { in.Pending = nil })
		s.open(func(e *Engine, _ *workspace.Root) {
			var open []string
			for _, a := range e.Open {
				open = append(open, a.ID+" "+a.Phase.String())
			}
			same(t, "open", open, "open in doubt", "job in doubt")
		})
	}
}
