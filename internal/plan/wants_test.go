package plan

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func (w *world) asker(moved map[spec.Address][]spec.Address) *Asker {
	return NewAsker(Input{Images: w.images, Files: w.files, Moved: moved,
		Offer: func(_, model string) (*provider.Offer, bool) { o, ok := offers[model]; return &o, ok }})
}

func TestAsker(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before []spec.Image
		after  []spec.Image
		moved  map[spec.Address][]spec.Address
		want   lock.Answer // to image.a
	}{
		{"the same", []spec.Image{img("a")}, []spec.Image{img("a")}, nil, lock.Wanted},
		{"what is free", []spec.Image{img("a")}, []spec.Image{img("a", path("b.png"), n(3), card(3))}, nil, lock.Wanted},
		{"prompt", []spec.Image{img("a")}, []spec.Image{img("a", prompt("b"))}, nil, lock.Unwanted},
		{"a default that the lock pins", []spec.Image{img("a", quality("high"))}, []spec.Image{img("a")}, nil, lock.Wanted},
		{"ignored", []spec.Image{img("a")}, []spec.Image{img("a", prompt("b"), ignore("prompt"))}, nil, lock.Wanted},
		{"all is ignored", []spec.Image{img("a")}, []spec.Image{img("a", prompt("b"), func(im *spec.Image) { im.Ignore = spec.AllFields })}, nil, lock.Wanted},
		{"gone", []spec.Image{img("a")}, []spec.Image{img("b")}, nil, lock.Absent},
		{"moved", []spec.Image{img("a")}, []spec.Image{img("b", prompt("a a"))}, map[spec.Address][]spec.Address{"image.b": {"image.a"}}, lock.Moved},
		{"moved and changed", []spec.Image{img("a")}, []spec.Image{img("b")}, map[spec.Address][]spec.Address{"image.b": {"image.a"}}, lock.Unwanted},
		{"edit", []spec.Image{img("a", editOf("s")), img("s")}, []spec.Image{img("a", editOf("s")), img("s")}, nil, lock.Wanted},
		{"edit of a source that changes", []spec.Image{img("a", editOf("s")), img("s")}, []spec.Image{img("a", editOf("s")), img("s", prompt("b"))}, nil, lock.Unknown},
		{"edit of another pick", []spec.Image{img("a", editOf("s")), img("s", n(2))}, []spec.Image{img("a", editOf("s")), img("s", n(2), pick(2))}, nil, lock.Unwanted},
		{"edit of a source that moved", []spec.Image{img("a", editOf("s")), img("s")}, []spec.Image{img("a", editOf("t")), img("t", prompt("a s"))}, map[spec.Address][]spec.Address{"image.t": {"image.r", "image.s"}}, lock.Wanted},
		{"edit of a source that is new", []spec.Image{img("a", editOf("s")), img("s")}, []spec.Image{img("a", editOf("t")), img("t", prompt("a s"))}, nil, lock.Unknown},
		{"what no model takes", []spec.Image{img("a")}, []spec.Image{img("a", quality("odd"))}, nil, lock.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(tt.before...)
			w.apply(w.plan())
			w.set(tt.after...)
			if got := w.asker(tt.moved).Wants(w.lock.Get("image.a"), w.lock.Get); got != tt.want {
				t.Errorf("answers %d, want %d", got, tt.want)
			}
		})
	}
}

// Two branches work on the same images, each with a store of its own, and are
// merged on a third machine that has neither store. Whatever each image of the
// merged configuration came from, a picture that its branch paid for is there:
// only an edit whose source comes from the other branch is bought.
func TestMergedIsNotBoughtAgain(t *testing.T) {
	t.Parallel()
	buys := 0
	rapid.Check(t, func(t *rapid.T) {
		base := newWorld(img("a", path("a.png")), img("b", editOf("a"), path("b.png")), img("c", path("c.png")))
		base.apply(base.plan())
		type branch struct {
			*world
			of map[string]*spec.Image // by the name in base; nil: removed
		}
		side := func(name string, first int) branch {
			w := newWorld()
			w.lock, w.bought = &lock.Lock{Entries: slices.Clone(base.lock.Entries)}, first
			w.disk, w.held = maps.Clone(base.disk), maps.Clone(base.held)
			of := map[string]*spec.Image{}
			for range rapid.IntRange(1, 2).Draw(t, name+" applies") {
				var images []spec.Image
				for _, old := range base.images {
					im := old
					im.Wanted.Sources = slices.Clone(old.Wanted.Sources)
					key := string(old.Address)
					what := rapid.SampledFrom([]string{"keep", "keep", "prompt", "prompt", "n", "name", "name and prompt"}).Draw(t, name+" "+key)
					switch what {
					case "prompt", "name and prompt":
						im.Wanted.Prompt = rapid.SampledFrom([]string{"x", "y", "of " + name}).Draw(t, "prompt")
					case "n":
						im.N = rapid.IntRange(1, 3).Draw(t, "n")
					}
					if what == "name" || what == "name and prompt" {
						if key != "image.a" { // which is edited
							im.Address += "_2"
						}
					}
					images = append(images, im)
					of[key] = &im
				}
				w.set(images...)
				w.apply(w.plan())
			}
			return branch{w, of}
		}
		ours, theirs := side("ours", 1000), side("theirs", 2000)

		merged := newWorld()
		from := map[spec.Address]branch{}
		var images []spec.Image
		for _, old := range base.images {
			key := string(old.Address)
			b := ours
			if d := cmp.Equal(ours.of[key], &old); d || !cmp.Equal(theirs.of[key], &old) && rapid.Bool().Draw(t, key+" of theirs") {
				b = theirs
			}
			images = append(images, *b.of[key])
			from[b.of[key].Address] = b
			merged.disk[old.Path] = b.disk[old.Path]
		}
		merged.set(images...)
		m := lock.Merge(base.lock, ours.lock, theirs.lock, lock.Judge{Wants: merged.asker(nil).Wants, Disk: func(p string) digest.Content { return merged.disk[p] }})
		for i := range m.Conflicts {
			t.Logf("%s", m.Conflicts[i].Finding(nil).Text)
		}
		if len(m.Conflicts) > 0 {
			// What an edit asks for is not known while its source is of neither side.
			for _, c := range m.Conflicts {
				if c.Addresses[0].Base() != "image.b" && c.Addresses[0].Base() != "image.b_2" {
					t.Fatalf("%s is in conflict: %s", c.Addresses, c.Why)
				}
			}
			return
		}
		merged.lock = m.Lock
		for _, s := range merged.plan().Steps {
			if s.Need == 0 {
				continue
			}
			b := from[s.Address]
			if e := b.lock.Get("image.a"); len(s.Sources) > 0 {
				now := merged.lock.Get("image.a")
				if e.Picked(1).Content != now.Picked(1).Content {
					buys++
					continue // its source is another picture
				}
			}
			t.Fatalf("buys again: %v\n%s", lines(&Plan{Steps: []Step{s}}), fmt.Sprint(m.Choices))
		}
	})
	if buys == 0 {
		t.Error("no edit ever got another source: the property was tried on too little")
	}
}
