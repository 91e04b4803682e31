package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// Of an answer to a request with sensitive values only its kind is told; the
// words of this machine are, for nobody else has seen the values.
func TestWithhold(t *testing.T) {
	t.Parallel()
	plain, sensitive := requestOf("a"), requestOf("a")
	sensitive.Sensitive = []string{"prompt"}
	full := func(kind provider.Kind, status int) *provider.Error {
		return &provider.Error{Kind: kind, Status: status, Message: "canary", Code: "canary", RequestID: "canary", Hint: "do this", Price: 7, Priced: true}
	}
	for _, tt := range []struct {
		name    string
		request *provider.Request
		err     *provider.Error
		want    string // the message
		told    bool   // all of it
	}{
		{"nothing is sensitive", plain, full(provider.Rejected, 400), "canary", true},
		{"rejected", sensitive, full(provider.Rejected, 400), withheld, false},
		{"in doubt", sensitive, full(provider.InDoubt, 0), withheld, false},
		{"a key that is refused", sensitive, full(provider.Credentials, 401), withheld, false},
		{"not sent, says a proxy", sensitive, full(provider.NotSent, 502), withheld, false},
		{"a job", sensitive, full(provider.Unfinished, 200), "the provider has accepted it as a job; " + withheld, false},
		{"no key", sensitive, full(provider.Credentials, 0), "canary", true},
		{"not sent", sensitive, full(provider.NotSent, 0), "canary", true},
	} {
		want := *tt.err
		if want.Message = tt.want; !tt.told {
			want.Code, want.RequestID = "", ""
		}
		before := *tt.err
		var got *provider.Error
		if !errors.As(withhold(tt.request, fmt.Errorf("x: %w", tt.err)), &got) {
			t.Errorf("%s: the kind is not told", tt.name)
		} else if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if *tt.err != before {
			t.Errorf("%s: the error itself was changed", tt.name)
		}
	}
	if err := errors.New("disk full"); withhold(sensitive, err) != err {
		t.Error("what is not of the provider was withheld")
	}
}

// Once a value is sensitive, what was recorded before is taken out of the lock,
// and out of the index of each tier.
func TestConceal(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	s := newSite(t, img("a"))
	s.images[0].N = 2
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		w := must(sink.Spool(0))
		w.Write(pixel("1"))
		return provider.Reply{}, errors.Join(w.Close(), sink.Delivered(0, provider.Delivery{RevisedPrompt: canary + "\xff"}, 1),
			&provider.Error{Kind: provider.Unusable, Message: canary, Price: 1, Priced: true})
	}
	s.change = func(e *Engine) { e.Store.Second = store.Open(e.Out.FS("tier")) }
	s.run()
	if e := s.entry("image.a"); e.Candidates[0].RevisedPrompt != canary+"\uFFFD" || e.Refused[0].Message != canary {
		t.Fatalf("recorded: %+v", e)
	}
	files := func() (out []string) {
		err := filepath.WalkDir(s.dir, func(p string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.Contains(string(must(os.ReadFile(p))), canary) {
				out = append(out, strings.SplitN(strings.TrimPrefix(p, s.dir+"/"), "/requests/", 2)[0])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	same(t, "before", files(), ".imgbuild/store", "imgbuild.lock.json", "tier")
	s.images[0].N = 1
	s.images[0].Wanted.Sensitive = []string{"prompt"}
	same(t, "outcomes", kinds(s.run()), "done image.a")
	same(t, "after", files())
	if e := s.entry("image.a"); len(e.Candidates) != 1 || s.maker.paid["a"] != 0 {
		t.Errorf("recorded: %+v", e)
	}
	same(t, "plan after", s.steps())
}

// A tier that can't be cleared of what is sensitive now fails the step.
func TestConcealFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, img("a"))
	s.run()
	s.images[0].Wanted.Sensitive = []string{"prompt"}
	s.open(func(e *Engine, root *workspace.Root) {
		p := s.plan(e, root)
		if len(p.Steps) != 1 || p.Steps[0].Verb != plan.Render {
			t.Fatalf("%+v", p.Steps)
		}
		tier := filepath.Join(s.dir, ".imgbuild/store/requests")
		if err := os.RemoveAll(tier); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tier, nil, 0o666); err != nil { // no folder: it can't be read
			t.Fatal(err)
		}
		same(t, "outcomes", kinds(must(e.Apply(t.Context(), nil, p))), "failed image.a")
	})
}
