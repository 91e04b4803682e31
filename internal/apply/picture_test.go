package apply

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// drawn is a PNG whose pixels have the colours R, G, B, W, K (black) or - for
// none, row by row.
func drawn(rows ...string) []byte {
	p := imaging.New(len(rows[0]), len(rows))
	at := p.Pix()
	for _, row := range rows {
		for _, c := range row {
			copy(at, map[rune][]byte{'R': {255, 0, 0, 255}, 'G': {0, 255, 0, 255}, 'B': {0, 0, 255, 255}, 'W': {255, 255, 255, 255}, 'K': {0, 0, 0, 255}, '-': {0, 0, 0, 0}}[c])
			at = at[4:]
		}
	}
	var b bytes.Buffer
	if _, err := p.Encode(&b, "png", 0, false); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// seen is drawn the other way round.
func seen(b []byte) string {
	p, _, err := imaging.Decode(b, imaging.DefaultLimits)
	if err != nil {
		return err.Error()
	}
	var rows []string
	for y := range p.Height() {
		row := ""
		for x := range p.Width() {
			at := p.Pix()[4*(y*p.Width()+x):]
			c, ok := map[[4]byte]string{{255, 0, 0, 255}: "R", {0, 255, 0, 255}: "G", {0, 0, 255, 255}: "B", {255, 255, 255, 255}: "W", {0, 0, 0, 255}: "K", {}: "-"}[[4]byte(at)]
			if !ok {
				c = "?"
			}
			row += c
		}
		rows = append(rows, row)
	}
	return strings.Join(rows, " ")
}

// torn is a picture whose header can be measured and whose pixels are not there.
func torn() []byte { b := drawn("RG", "BW"); return b[:len(b)-20] }

// keep puts bytes into the store of e and is their image.
func keep(t *testing.T, e *Engine, b []byte) *provider.Image {
	t.Helper()
	c, n, err := e.Store.Put(t.Context(), bytes.NewReader(b), imaging.DefaultLimits.Bytes)
	info, _ := imaging.Measure(b, imaging.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return &provider.Image{Content: c, Bytes: n, MIME: "image/png", Width: info.Width, Height: info.Height}
}

func (s *site) write(name string, b []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o666); err != nil {
		s.t.Fatal(err)
	}
}

// A recipe is followed: what it leaves alone stays to the byte, and what can't be
// made says why.
func TestRender(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	source, mask, small := drawn("GGGG", "GGGG"), drawn("WWKK", "WWKK"), drawn("WK")
	for name, b := range map[string][]byte{"source.png": source, "mask.png": mask, "small.png": small, "torn.png": torn()} {
		s.write(name, b)
	}
	restore := func(mask, source []byte) string {
		return "format=png restore=white:" + digest.OfContent(mask).String() + ":" + digest.OfContent(source).String()
	}
	original := drawn("RRBB", "RRBB")
	for _, tt := range []struct {
		recipe       string
		source, mask string // files of an edit
		want         string // as seen names it, or "" for the same bytes
		err          string
	}{
		{"format=png", "", "", "", ""},
		{"format=jpeg", "", "", "4x2", ""},
		{"format=png lossless=true", "", "", "RRBB RRBB", ""},
		{"fit=fill format=png width=2", "", "", "2x1", ""},
		{"fit=fill format=png height=1", "", "", "2x1", ""},
		{"fit=fill format=png height=2 width=2", "", "", "2x2", ""},
		{"format=png size=2x2", "", "", "2x2", ""},
		{"format=png size=4x4", "", "", "", "the picture is 4x2, too small for 4x4"},
		{"format=png size=8x2", "", "", "", "the picture is 4x2, too small for 8x2"},
		{"format=png size=4x2", "", "", "RRBB RRBB", ""},
		{"enlarge=true format=png size=4x4", "", "", "4x4", ""},
		{"fit=fill format=png size=2x2 width=1", "", "", "1x1", ""},
		{"format=tiff", "", "", "", "tiff"},
		{"colour=red", "", "", "", "unknown key"},
		{restore(mask, source), "source.png", "mask.png", "RRGG RRGG", ""},
		{restore(mask, original), "source.png", "mask.png", "", "source.png has changed since the plan was made"},
		{restore(source, source), "source.png", "mask.png", "", "mask.png has changed since the plan was made"},
		{restore(small, source), "source.png", "small.png", "", "mask small.png is 2x1, the picture is 4x2"},
		{restore(drawn("WK", "KW"), torn()), "torn.png", "mask2.png", "", "imaging"},
		{restore(mask, source), "source.png", "none.png", "", "none.png"},
	} {
		s.write("mask2.png", drawn("WK", "KW"))
		s.open(func(e *Engine, _ *workspace.Root) {
			j := &job{step: &plan.Step{Sources: []spec.Source{{File: tt.source}}, MaskFile: tt.mask}}
			b, encoder, err := e.render(t.Context(), j, tt.recipe, e.newDrawing(j.step, &provider.Image{MIME: "image/png"}, original, tt.recipe))
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.recipe, err, tt.err)
			}
			if err != nil {
				return
			}
			info := must(imaging.Measure(b, imaging.DefaultLimits))
			switch size := fmt.Sprintf("%dx%d", info.Width, info.Height); {
			case tt.want == "":
				if !bytes.Equal(b, original) || encoder != "" {
					t.Errorf("%s: another picture, by %q", tt.recipe, encoder)
				}
			case strings.Contains(tt.want, "x"):
				if size != tt.want {
					t.Errorf("%s: %s, want %s", tt.recipe, size, tt.want)
				}
			case seen(b) != tt.want || encoder == "":
				t.Errorf("%s: %s, want %s; by %q", tt.recipe, seen(b), tt.want, encoder)
			}
		})
	}
	// What can't be decoded is told, unless the bytes are all that is wanted.
	s.open(func(e *Engine, _ *workspace.Root) {
		if b, _, err := e.render(t.Context(), &job{}, "format=png", e.newDrawing(&plan.Step{}, &provider.Image{MIME: "image/png"}, torn(), "format=png")); err != nil || !bytes.Equal(b, torn()) {
			t.Errorf("as it is: %v", err)
		}
		if _, _, err := e.render(t.Context(), &job{}, "format=jpeg", e.newDrawing(&plan.Step{}, &provider.Image{MIME: "image/png"}, torn(), "format=jpeg")); err == nil {
			t.Error("a torn picture was rendered")
		}
	})
}

// A condition sees the picture as it is on disk, or as it would be written.
func TestLooker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open(func(e *Engine, root *workspace.Root) {
		of := *keep(t, e, drawn("RRBB", "RRBB"))
		gone, broken := candidate("gone"), *keep(t, e, torn())
		written, other := drawn("GG"), candidate("other")
		s.write("a.png", written)
		s.write("changed.png", []byte("mine"))
		var outputs []lock.Output
		for _, name := range []string{"a.png", "changed.png", "missing.png"} {
			outputs = append(outputs, lock.Output{Path: name, Recipe: "format=png size=2x1", Of: of.Content, Content: digest.OfContent(written), Bytes: int64(len(written))})
		}
		e.Lock.Set(lock.Entry{Address: "image.a", Candidates: []provider.Image{of, other}, Outputs: outputs})
		look := Looker(e)
		served := of
		served.Model = "m-2026"
		for _, tt := range []struct {
			name    string
			address spec.Address
			output  spec.Output
			of      provider.Image
			want    Picture
			pixels  string // alpha and blank
			err     string // of the look, or of the pixels
		}{
			{"on disk", "image.a", spec.Output{Path: "a.png", Recipe: "format=png size=2x1"}, of,
				Picture{Content: digest.OfContent(written), Bytes: int64(len(written)), MIME: "image/png", Width: 2, Height: 1, Model: "m"}, "false true", ""},
			{"changed on disk", "image.a", spec.Output{Path: "changed.png", Recipe: "format=png size=2x1"}, of,
				Picture{Content: digest.OfContent(written), Bytes: int64(len(written)), MIME: "image/png", Width: 2, Height: 1, Model: "m"}, "", "changed.png is not what was written"},
			{"not on disk", "image.a", spec.Output{Path: "missing.png", Recipe: "format=png size=2x1"}, of,
				Picture{Content: digest.OfContent(written), Bytes: int64(len(written)), MIME: "image/png", Width: 2, Height: 1, Model: "m"}, "", "missing.png"},
			{"another recipe", "image.a", spec.Output{Path: "a.png", Recipe: "format=png"}, of,
				Picture{Content: of.Content, Bytes: of.Bytes, MIME: "image/png", Width: 4, Height: 2, Model: "m"}, "false false", ""},
			{"another path", "image.a", spec.Output{Path: "b.png", Recipe: "format=png"}, served,
				Picture{Content: of.Content, Bytes: of.Bytes, MIME: "image/png", Width: 4, Height: 2, Model: "m-2026"}, "false false", ""},
			{"an image that the lock does not have", "image.b", spec.Output{Path: "a.png", Recipe: "format=png"}, of,
				Picture{Content: of.Content, Bytes: of.Bytes, MIME: "image/png", Width: 4, Height: 2, Model: "m"}, "false false", ""},
			{"to be made", "image.b", spec.Output{Path: "a.png", Recipe: "format=png size=2x2"}, of,
				Picture{MIME: "image/png", Width: 2, Height: 2, Model: "m"}, "false false", ""},
			{"another candidate", "image.a", spec.Output{Path: "a.png", Recipe: "format=png size=2x1"}, gone, Picture{}, "", "can't be had"},
			{"no recipe", "image.b", spec.Output{Path: "a.png", Recipe: "x"}, of, Picture{}, "", "unknown key"},
			{"too small", "image.b", spec.Output{Path: "a.png", Recipe: "format=png size=9x9"}, of, Picture{}, "", "too small"},
			{"torn", "image.b", spec.Output{Path: "a.png", Recipe: "format=png"}, broken,
				Picture{Content: broken.Content, Bytes: broken.Bytes, MIME: "image/png", Width: 2, Height: 2, Model: "m"}, "", "imaging"},
		} {
			p, err := look(plan.Picture{Unfit: plan.Unfit{Address: tt.address}, Of: tt.of, Model: "m", Output: tt.output})
			pixels := ""
			if err == nil {
				var alpha, blank bool
				if alpha, blank, err = p.Pixels(); err == nil {
					pixels = fmt.Sprint(alpha, blank)
				}
				got := Picture{Content: p.Content, Bytes: p.Bytes, MIME: p.MIME, Width: p.Width, Height: p.Height, Model: p.Model}
				if tt.want.Content.IsZero() { // as the encoder makes it
					got.Content, got.Bytes = tt.want.Content, 0
				}
				if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(Picture{})); d != "" || p.Path != tt.output.Path {
					t.Errorf("%s: %s (-want +got):\n%s", tt.name, p.Path, d)
				}
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || pixels != tt.pixels {
				t.Errorf("%s: %s %v, want %s %q", tt.name, pixels, err, tt.pixels, tt.err)
			}
		}
	})
}

// An original that is on no tier is taken from an output that is a copy of it, and
// is in the store again; one that was changed, or only made from it, is none.
func TestCopyStandsIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, copied string
		fine         bool
	}{
		{"a copy", "copy.png", true}, {"a copy that was changed", "changed.png", false}, {"a copy that is gone", "none.png", false}, {"no copy", "", false},
	} {
		s := newSite(t)
		s.write("copy.png", drawn("RG"))
		s.write("changed.png", drawn("RB"))
		s.write("thumb.png", drawn("R"))
		s.open(func(e *Engine, _ *workspace.Root) {
			of := digest.OfContent(drawn("RG"))
			outputs := []lock.Output{{Path: "thumb.png", Content: digest.OfContent(drawn("R")), Of: of}}
			if tt.copied != "" {
				outputs = append(outputs, lock.Output{Path: tt.copied, Content: of, Of: of})
			}
			e.Lock.Set(lock.Entry{Address: "image.a", Outputs: outputs})
			p, err := Looker(e)(plan.Picture{Of: provider.Image{Content: of, MIME: "image/png"}, Output: spec.Output{Path: "x.png", Recipe: "format=png size=1x1"}})
			if (err == nil) != tt.fine || e.Store.Has(of) != tt.fine {
				t.Errorf("%s: %+v, %v", tt.name, p, err)
			}
		})
	}
}

func TestPixels(t *testing.T) {
	t.Parallel()
	for want, b := range map[string][]byte{
		"false false": drawn("RG"), "false true": drawn("RR"), "true false": drawn("R-G"), "true true": drawn("--"),
	} {
		if alpha, blank, err := Pixels(b, imaging.DefaultLimits); err != nil || fmt.Sprint(alpha, blank) != want {
			t.Errorf("%v %v %v, want %s", alpha, blank, err, want)
		}
	}
	if _, _, err := Pixels(torn(), imaging.DefaultLimits); err == nil {
		t.Error("a torn picture has pixels")
	}
}

// What a postcondition refuses is kept and not written; why, what was charged
// and what to do is told.
func TestJudged(t *testing.T) {
	t.Parallel()
	const hint = " | what was made stays in the store, and no output is written; change the condition or pick, or: imgbuild apply -retry-refused"
	s := newSite(t, img("a"))
	s.images[0].Judged = true
	s.images[0].Renditions = []spec.Rendition{{Name: "r", Path: "r.jpg"}}
	why, trouble := "too dark", error(nil)
	var asked []string
	s.change = func(e *Engine) {
		e.Judge = func(a spec.Address, p *Picture) (string, error) {
			alpha, _, err := p.Pixels()
			asked = append(asked, fmt.Sprintf("%s %s %s %dx%d %s alpha %v", a, p.Path, p.MIME, p.Width, p.Height, p.Model, alpha))
			return why, errors.Join(err, trouble)
		}
	}
	fine := func(in *plan.Input) { // nothing is known against what is there
		in.Unfit = map[plan.Unfit]string{}
		for _, e := range in.Lock.Entries {
			for _, c := range e.Candidates {
				in.Unfit[plan.Unfit{Address: e.Address, Candidate: c.Content}] = ""
			}
		}
	}
	same(t, "bought", sayAll(s.run(fine)), "failed image.a: its postcondition does not hold: too dark ($0.01 was charged)"+hint)
	same(t, "from the store", sayAll(s.run(fine)), "failed image.a: its postcondition does not hold: too dark"+hint)
	trouble = errors.New("no such attribute")
	same(t, "what can't be judged", sayAll(s.run(fine)), "failed image.a: no such attribute")
	for _, name := range []string{"a.png", "r.jpg"} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	why, trouble = "", nil
	same(t, "fine", sayAll(s.run(fine)), "done image.a")
	n := len(asked)
	s.remove("r.jpg")
	same(t, "a rendition alone", sayAll(s.run(fine)), "done image.a")
	if len(asked) != n {
		t.Errorf("a rendition was judged: %v", asked[n:])
	}
	s.remove("a.png")
	why = "too dark"
	same(t, "its main output again", sayAll(s.run(fine)), "failed image.a: its postcondition does not hold: too dark"+hint)
	for _, got := range asked {
		if want := "image.a a.png image/png 1x1 m alpha false"; got != want {
			t.Errorf("judged %s, want %s", got, want)
		}
	}
	if s.maker.paid["a"] != 1 {
		t.Errorf("paid %v", s.maker.paid)
	}
}

// What is recorded of a picture that a postcondition refuses: beside an older
// one that is in use, or in the place of one that is not.
func TestRefuseKeepsWhatIsInUse(t *testing.T) {
	t.Parallel()
	a, b := requestOf("a").Digest(), requestOf("b").Digest()
	x, y := candidate("x"), candidate("y")
	x.Price, y.Price = 3, 4
	used := lock.Output{Path: "a.png", Of: candidate("old").Content}
	lost := lock.Output{Path: "a.png", Of: candidate("lost").Content}
	other := lock.Refusal{Request: b, Reason: "moderated"}
	text := func(e lock.Entry) string { return string((&lock.Lock{Entries: []lock.Entry{e}}).Bytes()) }
	for _, tt := range []struct {
		name    string
		request digest.Request // of the old entry
		outputs []lock.Output  // of the old entry
		fresh   bool
		keeps   bool
		price   provider.Money // of what is noted as refused, -1 for nothing
	}{
		{"none before", digest.Request{}, nil, false, false, -1},
		{"in use, by another request", b, []lock.Output{used}, false, true, 7},
		{"in use, by the same request", a, []lock.Output{used}, false, false, -1},
		{"in use, and rolled again", a, []lock.Output{used}, true, true, -1},
		{"not in use any more", b, []lock.Output{lost}, false, false, -1},
		{"one of two is in use", b, []lock.Output{lost, used}, false, true, 7},
	} {
		old := lock.Entry{Request: tt.request, Candidates: []provider.Image{candidate("older"), candidate("old")}, Outputs: tt.outputs, Refused: []lock.Refusal{{Reason: "older"}}}
		made := lock.Entry{Request: a, Candidates: []provider.Image{x, y}, Refused: []lock.Refusal{other}}
		j := &job{step: &plan.Step{Fresh: tt.fresh}, digest: a, entry: old}
		got := j.refuse(made, "too dark")
		want := made
		if tt.keeps {
			want = old
			want.Refused = []lock.Refusal{other}
			if tt.price >= 0 {
				want.Refused = append(want.Refused, lock.Refusal{Request: a, Reason: lock.Unfit, Message: "too dark", Price: tt.price})
			}
		}
		if d := cmp.Diff(text(want), text(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
