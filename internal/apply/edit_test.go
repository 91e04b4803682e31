package apply

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// paint is a PNG of grey pixels with these alphas, a row for each text: 'x' is
// opaque.
func paint(grey byte, rows ...string) []byte {
	p := imaging.New(len(rows[0]), len(rows))
	for i, c := range []byte(strings.Join(rows, "")) {
		if c == 'x' {
			copy(p.Pix()[4*i:], []byte{grey, grey, grey, 255})
		}
	}
	var b bytes.Buffer
	if _, err := p.Encode(&b, "png", 0, false); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// greys are the red channels of a picture.
func greys(t *testing.T, b []byte) (out []byte) {
	t.Helper()
	p, _, err := imaging.Decode(b, imaging.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(p.Pix()); i += 4 {
		out = append(out, p.Pix()[i])
	}
	return out
}

func (s *site) put(name string, b []byte) digest.Content {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o666); err != nil {
		s.t.Fatal(err)
	}
	return digest.OfContent(b)
}

// spool delivers one image with these bytes.
func (f *fake) spool(s provider.Sink, i int, b []byte, d provider.Delivery) error {
	w, err := s.Spool(i)
	if err == nil {
		w.Write(b)
		err = w.Close()
	}
	if err == nil {
		err = s.Delivered(i, d, provider.Dollar/100)
	}
	return err
}

// What an edit is made of is read, held against the plan and against each other
// before anything is sent: a mistake in it must cost nothing. It is the same
// whether the maker takes the mask or we put the pixels back.
func TestEditWithMask(t *testing.T) {
	t.Parallel()
	photo, mask := paint(10, "xx"), paint(0, "x.") // the right half may change
	tests := map[string]struct {
		edit        string
		photo, mask []byte // as they are when the plan is carried out
		shapes      string
		preserve    *bool
		all         bool   // it lets everything be edited
		text, hint  string // why it fails; "" if it does not
	}{
		"fine":                 {edit: "transparent", photo: photo, mask: mask},
		"another picture":      {edit: "transparent", photo: paint(11, "xx"), mask: mask, text: "photo.png has changed since the plan was made"},
		"another mask":         {edit: "transparent", photo: photo, mask: paint(0, ".x"), text: "m.png has changed since the plan was made"},
		"no picture":           {edit: "transparent", photo: []byte("no"), mask: mask, text: "photo.png can't be edited: not a PNG"},
		"a mask is no picture": {edit: "transparent", photo: photo, mask: []byte("no"), text: "mask m.png: not a PNG", hint: "a mask is a PNG with the pixels of the picture"},
		"too broad":            {edit: "transparent", photo: photo, mask: paint(0, "x.x"), text: "mask m.png is 3x1, the picture is 2x1", hint: "draw the mask with the pixels of the picture"},
		"too high":             {edit: "transparent", photo: photo, mask: paint(0, "x.", "x."), text: "mask m.png is 2x2, the picture is 2x1", hint: "draw the mask with the pixels of the picture"},
		"nothing may change":   {edit: "white", photo: photo, mask: mask, text: "mask m.png leaves nothing to edit", hint: `check edit = "white": it is transparent, white or black`},
		"all may change":       {edit: "white", photo: photo, mask: paint(255, "xx"), all: true},
		"preserved":            {edit: "transparent", photo: photo, mask: mask, preserve: new(true)},
		"not preserved":        {edit: "transparent", photo: photo, mask: mask, preserve: new(false)},
		"drawn":                {edit: provider.Drawn, shapes: "rect(50%,0,1,1)", photo: photo, mask: mask},
		"drawn and preserved":  {edit: provider.Drawn, shapes: "rect(50%,0,1,1)", photo: photo, mask: mask, preserve: new(true)},
		"drawn outside":        {edit: provider.Drawn, shapes: "rect(2,0,1,1)", photo: photo, text: "the rect of the mask lies outside of the picture, which is 2x1", hint: "move it into the picture, or remove it"},
		"drawn to nothing":     {edit: provider.Drawn, shapes: "rect(0,0,1,1);!rect(0,0,2,1)", photo: photo, text: "the mask leaves nothing to edit", hint: "let the shapes that subtract leave something"},
		"drawn by nobody":      {edit: provider.Drawn, shapes: "rect(0,0,1", photo: photo, text: "the mask can't be drawn", hint: "imgbuild plan makes a new plan"},
	}
	for name, tt := range tests {
		for _, native := range []bool{true, false} {
			if !native && tt.preserve != nil && !*tt.preserve {
				continue // a finding of the plan
			}
			t.Run(name+map[bool]string{true: ", sent", false: ", put back"}[native], func(t *testing.T) {
				t.Parallel()
				im := img("a")
				im.Wanted.Sources = []spec.Source{{File: "photo.png"}}
				im.Wanted.Mask = &spec.Mask{File: "m.png", Edit: tt.edit, Shapes: tt.shapes, Preserve: tt.preserve}
				if tt.shapes != "" {
					im.Wanted.Mask.File = ""
				}
				s := newSite(t, im)
				offer := fakeOffer
				offer.Mask = native
				var asked []provider.Request
				s.maker.do = func(r *provider.Request, sink provider.Sink) (provider.Reply, error) {
					asked = append(asked, *r)
					return provider.Reply{}, s.maker.spool(sink, 0, paint(200, "xx"), provider.Delivery{MIME: "image/png"})
				}
				planned := map[string]digest.Content{"photo.png": s.put("photo.png", tt.photo), "m.png": s.put("m.png", tt.mask)}
				if strings.HasPrefix(name, "another") {
					planned = map[string]digest.Content{"photo.png": digest.OfContent(photo), "m.png": digest.OfContent(mask)}
				}
				res := s.run(func(in *plan.Input) {
					in.Offer = func(_, model string) (*provider.Offer, bool) { return &offer, true }
					in.Files = planned
				})
				o := res.Outcomes[0]
				if tt.text != "" {
					if o.Kind != Failed || !strings.HasPrefix(o.Text, tt.text) || o.Hint != tt.hint {
						t.Errorf("%s %q, hint %q; want %q, hint %q", o.Kind, o.Text, o.Hint, tt.text, tt.hint)
					}
					if len(asked) != 0 || res.Spent+res.Doubt != 0 {
						t.Errorf("asked %d times, for %s", len(asked), res.Spent)
					}
					return
				}
				if o.Kind != Done || len(asked) != 1 {
					t.Fatalf("%+v, asked %d times", o, len(asked))
				}
				r := asked[0]
				if len(r.Inputs) != 1 || !bytes.Equal(r.Inputs[0].Data, photo) || r.Inputs[0].MIME != "image/png" {
					t.Errorf("sent %+v", r.Inputs)
				}
				made := greys(t, must(os.ReadFile(filepath.Join(s.dir, "a.png"))))
				kept := byte(200)
				if !tt.all && (!native || tt.preserve != nil && *tt.preserve) {
					kept = 10
				}
				if !native {
					if r.Mask != nil || made[0] != kept || made[1] != 200 {
						t.Errorf("sent the mask %v, made %v", r.Mask, made)
					}
					return
				}
				if r.Mask == nil || r.Mask.MIME != "image/png" || made[0] != kept || made[1] != 200 {
					t.Fatalf("sent the mask %v, made %v", r.Mask, made)
				}
				sent, err := imaging.ReadMask(r.Mask.Data, "transparent", imaging.DefaultLimits)
				if err != nil || sent.Width() != 2 || sent.Height() != 1 {
					t.Errorf("the mask that was sent: %v", err)
				}
				if none, all := sent.Coverage(); none || all != tt.all {
					t.Errorf("the mask that was sent covers nothing (%v) or everything (%v)", none, all)
				}
			})
		}
	}
}

// A plan from a file may name a mask that nothing is made with, or a recipe of
// another version: neither is a reason to panic, and only the one that can't be
// made fails, before it is paid for.
func TestMaskOfAForeignPlan(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sources []spec.Source
		recipe  string
		want    string
	}{
		"no source":          {nil, "format=png", "done image.a"},
		"nothing put back":   {[]spec.Source{{File: "photo.png"}}, "format=png", "done image.a"},
		"an unknown recipe":  {[]spec.Source{{File: "photo.png"}}, "colour=red", "failed image.a"},
		"half a restoration": {[]spec.Source{{File: "photo.png"}}, "restore=white", "failed image.a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im := img("a")
			im.Wanted.Sources = tt.sources
			s := newSite(t, im)
			photo := s.put("photo.png", paint(10, "xx"))
			s.open(func(e *Engine, root *workspace.Root) {
				p := s.plan(e, root, func(in *plan.Input) { in.Files = map[string]digest.Content{"photo.png": photo} })
				p.Steps[0].MaskFile, p.Steps[0].Outputs[0].Recipe = "m.png", tt.recipe
				res := must(e.Apply(t.Context(), s.stop, p))
				same(t, "outcomes", kinds(res), tt.want)
				if done := strings.HasPrefix(tt.want, "done"); (res.Spent > 0) != done || (s.maker.paid["a"] > 0) != done {
					t.Errorf("spent %s", res.Spent)
				}
			})
		})
	}
}

// The picture that is edited comes from the store, else from an output that is
// a copy of it, which then heals the store; a file that is no copy any more is
// not taken for it.
func TestOriginalFromAnOutput(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path   string
		change func(t *testing.T, file string)
		want   []string
		text   string
	}{
		"a copy":         {"a.png", nil, []string{"done image.b"}, ""},
		"another format": {"a.jpg", nil, []string{"failed image.b"}, "can't be had"},
		"an altered copy": {"a.png", func(t *testing.T, file string) {
			b := must(os.ReadFile(file))
			b[len(b)-1] ^= 1
			if err := os.WriteFile(file, b, 0o666); err != nil {
				t.Fatal(err)
			}
		}, []string{"failed image.b"}, "can't be had"},
		"no file": {"a.png", func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, []string{"failed image.b"}, "can't be had"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := img("a")
			a.Path = tt.path
			s := newSite(t, a)
			s.run()
			original := s.entry("image.a").Candidates[0].Content
			s.images = append(s.images, img("b", "a"))
			s.open(func(e *Engine, root *workspace.Root) {
				p := s.plan(e, root)
				if err := e.Store.Local.Remove(original); err != nil {
					t.Fatal(err)
				}
				if tt.change != nil {
					tt.change(t, filepath.Join(s.dir, tt.path))
				}
				res := must(e.Apply(t.Context(), s.stop, p))
				same(t, "outcomes", kinds(res), tt.want...)
				if o := res.Outcomes[0]; !strings.Contains(o.Text, tt.text) || (tt.text != "") != strings.Contains(o.Hint, "-replace") {
					t.Errorf("%q, hint %q", o.Text, o.Hint)
				}
				if healed := e.Store.Has(original); healed != (tt.text == "") {
					t.Errorf("in the store: %v", healed)
				}
			})
			if bought := s.maker.paid["b"] > 0; bought != (tt.text == "") {
				t.Errorf("paid %v", s.maker.paid)
			}
		})
	}
}

// A picture that exists becomes the candidate of an image, for nothing; its
// renditions are made from it. One that has changed since is not taken.
func TestImportIsRendered(t *testing.T) {
	t.Parallel()
	for _, changed := range []bool{false, true} {
		im := img("a")
		im.Renditions = []spec.Rendition{{Name: "c", Path: "c.png", Width: 1, Height: 1, Fit: "fill"}}
		s := newSite(t, im)
		logo := paint(7, "xxx")
		s.put("a.png", logo)
		var imported plan.Imported
		s.open(func(e *Engine, root *workspace.Root) { imported, _ = Importable(root, "a.png", imaging.DefaultLimits) })
		s.open(func(e *Engine, root *workspace.Root) {
			p := s.plan(e, root, func(in *plan.Input) {
				in.Imports = map[spec.Address]plan.Imported{"image.a": imported}
				in.Hashes["a.png"] = imported.Image.Content
			})
			if changed {
				s.put("a.png", paint(8, "xxx"))
			}
			res := must(e.Apply(t.Context(), s.stop, p))
			if changed {
				same(t, "outcomes", kinds(res), "stale image.a")
				if e.Lock.Get("image.a") != nil {
					t.Error("it is in the lock")
				}
				return
			}
			same(t, "outcomes", kinds(res), "done image.a")
			entry := e.Lock.Get("image.a")
			if d := cmp.Diff([]provider.Image{imported.Image}, entry.Candidates); d != "" {
				t.Error(d)
			}
			var got []string
			for _, o := range entry.Outputs {
				got = append(got, o.Path)
			}
			same(t, "outputs", got, "a.png", "c.png")
			if g := greys(t, must(os.ReadFile(filepath.Join(s.dir, "c.png")))); len(g) != 1 || g[0] != 7 {
				t.Errorf("the rendition is %v", g)
			}
			if !e.Store.Has(imported.Image.Content) || s.maker.paid["a"] != 0 {
				t.Errorf("in the store: %v; paid %v", e.Store.Has(imported.Image.Content), s.maker.paid)
			}
		})
	}
}
