package apply

import (
	"testing"

	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// What becomes sensitive after it was bought is taken out of the lock and out
// of the index. Where the index can't be written that is told, and the next run
// does it.
func TestConcealedLater(t *testing.T) {
	t.Parallel()
	for _, indexed := range []bool{false, true} { // the words are in the index alone
		concealedLater(t, indexed)
	}
}

func concealedLater(t *testing.T, indexed bool) {
	s := newSite(t, img("a"))
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		s.maker.paid["a"]++
		s.maker.urls["u"] = pixel("a")
		return provider.Reply{}, sink.Delivered(0, provider.Delivery{URL: "u", RevisedPrompt: "secret"}, provider.Dollar/100)
	}
	s.run()
	if e := s.entry("image.a"); e.Field("prompt") != "a" || e.Candidates[0].RevisedPrompt != "secret" {
		t.Fatalf("%+v", e)
	}
	if indexed {
		s.open(func(e *Engine, _ *workspace.Root) {
			e.Lock.Get("image.a").Candidates[0].RevisedPrompt = ""
			if err := e.SaveLock(e.Lock); err != nil {
				t.Fatal(err)
			}
		})
	}
	s.images[0].Wanted.Sensitive = []string{"prompt"}
	s.change = func(e *Engine) {
		e.Store.Local = store.Open(faultfs.Wrap(e.Out.FS(".imgbuild/store"), faultfs.Fault{At: 1, Kind: faultfs.Frozen}))
	}
	s.open(func(e *Engine, root *workspace.Root) {
		same(t, "a disk that refuses", kinds(must(e.Apply(t.Context(), s.stop, s.plan(e, root)))), "failed image.a")
	})
	s.change = nil
	same(t, "the next run", kinds(s.run()), "done image.a")
	same(t, "plan after", s.steps())
	s.open(func(e *Engine, _ *workspace.Root) {
		entry := e.Lock.Get("image.a")
		if entry.Field("prompt") != "" || entry.Candidates[0].RevisedPrompt != "" {
			t.Errorf("the lock has %+v", entry)
		}
		if rolls := must(e.Store.Bought(entry.Request)); len(rolls) != 1 || rolls[0].Image.RevisedPrompt != "" {
			t.Errorf("the index has %+v", rolls)
		}
	})
	if s.maker.paid["a"] > 1 {
		t.Error("it was bought again")
	}
}
