package apply

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// signed is a PNG with the chunk that C2PA manifests are in.
func signed() []byte {
	b := pixel("signed")
	chunk := []byte("caBXjumb")
	c := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	c = binary.BigEndian.AppendUint32(append(c, chunk...), crc32.ChecksumIEEE(chunk))
	return bytes.Join([][]byte{b[:33], c, b[33:]}, nil)
}

func (s *site) file(name string) []byte {
	s.t.Helper()
	return must(os.ReadFile(filepath.Join(s.dir, name)))
}

func (s *site) marks(name string) imaging.Marks {
	s.t.Helper()
	b := s.file(name)
	return imaging.ReadMarks(bytes.NewReader(b), int64(len(b)))
}

// TestRelabelStartsNothing: another label needs no encoder, also where a further
// candidate is bought at the same time.
func TestRelabelStartsNothing(t *testing.T) {
	t.Parallel()
	im := img("a")
	im.Credit = "me"
	im.Renditions = []spec.Rendition{{Name: "w", Path: "w.webp"}}
	s := newSite(t, im)
	var webp bytes.Buffer
	must(imaging.New(1, 1).Encode(&webp, "webp", 0, true))
	s.change = func(e *Engine) { e.Encoders = program(t, "cwebp", webp.String(), "") }
	same(t, "outcomes", kinds(s.run()), "done image.a")
	if got := s.marks("w.webp").Label.Credit; got != "me" {
		t.Errorf("what cwebp wrote names %q", got)
	}
	s.change = nil
	s.images[0].Credit, s.images[0].N = "you", 2
	same(t, "without an encoder", kinds(s.run()), "done image.a")
	if got := s.marks("w.webp").Label.Credit; got != "you" {
		t.Errorf("relabelled, it names %q", got)
	}
	if e := s.entry("image.a"); len(e.Candidates) != 2 || e.Output("w.webp").Encoder != "cwebp" {
		t.Errorf("%+v", e)
	}
	same(t, "plan after", s.steps())
}

// TestSigned: what a provider signed stays what it was, also where labels are
// asked for, is recorded, and is not missed silently.
func TestSigned(t *testing.T) {
	t.Parallel()
	im := img("a")
	im.LabelCopies, im.Credit = true, "me"
	im.Renditions = []spec.Rendition{{Name: "c", Path: "c.jpg", Width: 1}}
	s := newSite(t, im)
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		w := must(sink.Spool(0))
		w.Write(signed())
		w.Close()
		return provider.Reply{}, sink.Delivered(0, provider.Delivery{MIME: "image/png"}, 1)
	}
	same(t, "outcomes", kinds(s.run()), "done image.a")
	if !bytes.Equal(s.file("a.png"), signed()) {
		t.Error("the copy of what came is not what came")
	}
	if m := s.marks("c.jpg"); m.C2PA || m.Label.Credit != "me" {
		t.Errorf("the rendition has %+v", m)
	}
	if e := s.entry("image.a"); !e.Candidates[0].C2PA {
		t.Error("the lock does not know that it is signed")
	}
	if want := plan.Unsigned([]string{"c.jpg"}); !slices.ContainsFunc(s.events, func(e Event) bool { return e.Kind == Done && slices.Contains(e.Notes, want) }) {
		t.Errorf("events without %q: %+v", want, s.events)
	}
	same(t, "plan after", s.steps())

	// The lock is lost, and the store knows it, too.
	for _, name := range []string{"imgbuild.lock.json", "a.png", "c.jpg"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.run()
	if e := s.entry("image.a"); e == nil || !e.Candidates[0].C2PA {
		t.Error("the store does not know that it is signed")
	}
}

// TestRelabelWithoutOriginal: another label is written into the files that are
// there, and their pixels stay to the bit.
func TestRelabelWithoutOriginal(t *testing.T) {
	t.Parallel()
	im := img("a")
	im.Path, im.Alt = "a.jpg", "a lake"
	s := newSite(t, im)
	s.run()
	first := s.file("a.jpg")
	if m := s.marks("a.jpg"); m.Label != (imaging.Label{SourceType: spec.SourceTrained, Alt: "a lake"}) {
		t.Fatalf("the label is %+v", m)
	}
	encoder := s.entry("image.a").Outputs[0].Encoder
	if err := os.RemoveAll(filepath.Join(s.dir, ".imgbuild", "store")); err != nil {
		t.Fatal(err)
	}
	s.images[0].Alt = "a pond"
	same(t, "outcomes", kinds(s.run()), "done image.a")
	if m := s.marks("a.jpg"); m.Label.Alt != "a pond" {
		t.Errorf("the label is %+v", m)
	}
	if got := s.entry("image.a").Outputs[0].Encoder; got != encoder || encoder == "" {
		t.Errorf("encoded by %q, recorded is %q", encoder, got)
	}
	s.images[0].Alt = "a lake"
	s.run()
	if !bytes.Equal(s.file("a.jpg"), first) {
		t.Error("the first label again gives other bytes")
	}

	// Somebody changes the file between plan and apply: it is not written over.
	s.images[0].Alt = "a brook"
	s.open(func(e *Engine, root *workspace.Root) {
		p := s.plan(e, root)
		if err := os.WriteFile(filepath.Join(s.dir, "a.jpg"), append(first, "mine"...), 0o666); err != nil {
			t.Fatal(err)
		}
		res, err := e.Apply(context.Background(), s.stop, p)
		if err != nil || res.Count(Failed) != 1 {
			t.Errorf("%+v, %v", res, err)
		}
	})
	if !bytes.HasSuffix(s.file("a.jpg"), []byte("mine")) {
		t.Error("what somebody changed was written over")
	}
}

// TestCopyAgain: what a provider wrote into its picture gives way to the label
// that was asked for, and comes back when it is not asked for any more.
func TestCopyAgain(t *testing.T) {
	t.Parallel()
	theirs := must(imaging.Relabel(pixel("theirs"), imaging.Label{Credit: "the provider", SourceType: spec.SourceComposite}))
	im := img("a")
	im.LabelCopies = true
	s := newSite(t, im)
	s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
		w := must(sink.Spool(0))
		w.Write(theirs)
		w.Close()
		return provider.Reply{}, sink.Delivered(0, provider.Delivery{MIME: "image/png"}, 1)
	}
	s.run()
	if m := s.marks("a.png"); m.Label != (imaging.Label{SourceType: spec.SourceTrained}) {
		t.Errorf("the label is %+v", m)
	}
	if got := s.entry("image.a").Candidates[0].SourceType; got != spec.SourceComposite {
		t.Errorf("the lock says that the provider says %q", got)
	}
	s.images[0].LabelCopies = false
	s.run()
	if !bytes.Equal(s.file("a.png"), theirs) {
		t.Error("the copy of what came is not what came")
	}
	same(t, "plan after", s.steps())
}
