package sketch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// sink keeps what it is told.
type sink struct {
	events []string
	files  map[int]*bytes.Buffer
	fail   string // the event that fails
	after  func(event string)
	rooms  []int64 // that were asked for
	left   int
}

var errSink = errors.New("disk full")

func (s *sink) tell(event string) error {
	if event == s.fail {
		return errSink
	}
	s.events = append(s.events, event)
	if s.after != nil {
		s.after(event)
	}
	return nil
}

func (s *sink) Sent() error                   { return s.tell("sent") }
func (s *sink) Accepted(id string) error      { return s.tell("accepted " + id) }
func (s *sink) Answered() error               { return nil }
func (s *sink) Stopping() <-chan struct{}     { return nil }
func (s *sink) Waiting(time.Duration, string) {}
func (s *sink) Room(bytes int64) (leave func()) {
	s.rooms = append(s.rooms, bytes)
	return func() { s.left++ }
}
func (s *sink) Delivered(i int, d provider.Delivery, m provider.Money) error {
	return s.tell(fmt.Sprintf("delivered %d %s %s %s%s", i, d.MIME, d.Model, m, d.URL))
}
func (s *sink) Spool(i int) (io.WriteCloser, error) {
	if s.files == nil {
		s.files = map[int]*bytes.Buffer{}
	}
	s.files[i] = &bytes.Buffer{}
	return spool{s.files[i], s, i}, s.tell(fmt.Sprintf("spool %d", i))
}

type spool struct {
	*bytes.Buffer
	s *sink
	i int
}

func (f spool) Write(b []byte) (int, error) {
	if f.s.fail == "write" {
		return 0, errSink
	}
	return f.Buffer.Write(b)
}
func (f spool) Close() error { return f.s.tell(fmt.Sprintf("close %d", f.i)) }

// small asks for little pictures.
func small(n, first int) *provider.Request {
	return &provider.Request{Provider: "sketch", Model: model, Prompt: "a lake", Size: provider.Size{Width: 96, Height: 64}, N: n, First: first}
}

// pictures makes r and decodes what came.
func pictures(t *testing.T, r *provider.Request) []*imaging.Picture {
	t.Helper()
	s := &sink{}
	if _, err := New().Make(t.Context(), r, s); err != nil {
		t.Fatal(err)
	}
	out := make([]*imaging.Picture, r.N)
	for i := range out {
		p, info, err := imaging.Decode(s.files[i].Bytes(), imaging.DefaultLimits)
		if err != nil || info.Format != "png" {
			t.Fatalf("image %d: %+v %v", i, info, err)
		}
		out[i] = p
	}
	return out
}

func TestConformance(t *testing.T) {
	t.Parallel()
	data := file(t, pictures(t, small(1, 0))[0])
	source := provider.Input{Content: digest.OfContent(data), Data: data, MIME: "image/png"}
	mask := provider.Input{Edit: "transparent", Data: file(t, imaging.New(96, 64))}
	providertest.Run(t, func(*testing.T) providertest.Rig {
		return providertest.Rig{Maker: New(), Inline: true, Requests: []*provider.Request{
			small(1, 0),
			small(3, 2),
			{Provider: "sketch", Model: model, Prompt: "sunset", Inputs: []provider.Input{source}, N: 2},
			{Provider: "sketch", Model: model, Prompt: "sunset", Inputs: []provider.Input{source, source}, Mask: &mask, N: 1},
		}}
	})
}

func TestMake(t *testing.T) {
	t.Parallel()
	s := &sink{}
	reply, err := New().Make(t.Context(), small(2, 0), s)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"sent", "spool 0", "close 0", "delivered 0 image/png sketch-1 $0.00", "spool 1", "close 1", "delivered 1 image/png sketch-1 $0.00"}
	if d := cmp.Diff(want, s.events); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(provider.Reply{Model: model, Priced: true}, reply); d != "" {
		t.Error(d)
	}
}

// Raising n makes only new pictures, and the same ones as if all had been
// asked for at once.
func TestCandidates(t *testing.T) {
	t.Parallel()
	all := pictures(t, small(4, 0))
	rest := pictures(t, small(2, 2))
	seen := map[digest.Content]int{}
	for i, p := range all {
		if j, ok := seen[imaging.Digest(p)]; ok {
			t.Errorf("candidates %d and %d are equal", j, i)
		}
		seen[imaging.Digest(p)] = i
	}
	for i, p := range rest {
		if imaging.Digest(p) != imaging.Digest(all[2+i]) {
			t.Errorf("candidate %d depends on the call", 2+i)
		}
	}
	other := small(1, 0)
	other.Reroll = "again"
	if imaging.Digest(pictures(t, other)[0]) == imaging.Digest(all[0]) {
		t.Error("a reroll is the same picture")
	}
}

func TestSinkErrors(t *testing.T) {
	t.Parallel()
	for _, fail := range []string{"sent", "spool 0", "write", "close 0", "delivered 0 image/png sketch-1 $0.00", "spool 1"} {
		s := &sink{fail: fail}
		if _, err := New().Make(t.Context(), small(2, 0), s); !errors.Is(err, errSink) {
			t.Errorf("%s fails: %v after %q", fail, err, s.events)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &sink{after: func(event string) {
		if strings.HasPrefix(event, "delivered 0") {
			cancel()
		}
	}}
	if _, err := New().Make(ctx, small(5, 0), s); !errors.Is(err, context.Canceled) || len(s.files) != 1 {
		t.Errorf("%v after %d images", err, len(s.files))
	}
	s = &sink{}
	if _, err := New().Make(ctx, small(1, 0), s); !errors.Is(err, context.Canceled) || s.events != nil {
		t.Errorf("%v after %q", err, s.events)
	}
}

func file(t *testing.T, p *imaging.Picture) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := p.Encode(&b, "png", 0, true); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEditWithMask(t *testing.T) {
	t.Parallel()
	base := pictures(t, small(1, 0))[0]
	mask := imaging.New(96, 64)
	for i := range 96 * 64 {
		if i/96 >= 20 {
			mask.Pix()[4*i+3] = 255
		}
	}
	data := file(t, base)
	r := &provider.Request{
		Model: model, Prompt: "Make it night, keep the shoreline unchanged", N: 2,
		Inputs: []provider.Input{{Content: digest.OfContent(data), Data: data}},
		Mask:   &provider.Input{Edit: "white", Data: file(t, mask)},
	}
	for _, p := range pictures(t, r) {
		if p.Width() != 96 || p.Height() != 64 {
			t.Fatalf("%dx%d", p.Width(), p.Height())
		}
		changed := 0
		for i := range 96 * 64 {
			same := bytes.Equal(p.Pix()[4*i:4*i+4], base.Pix()[4*i:4*i+4])
			if !same && i/96 >= 20 {
				t.Fatalf("pixel %d outside the mask changed", i)
			}
			if !same {
				changed++
			}
		}
		if changed < 96*20*9/10 {
			t.Errorf("only %d pixels changed", changed)
		}
	}
}

func TestEditSizes(t *testing.T) {
	t.Parallel()
	data := file(t, pictures(t, small(1, 0))[0])
	for _, c := range []struct {
		r    provider.Request
		want provider.Size
	}{
		{provider.Request{}, provider.Size{Width: 96, Height: 64}},
		{provider.Request{AspectRatio: "1:1"}, provider.Size{Width: 1024, Height: 1024}},
		{provider.Request{Resolution: "1k"}, provider.Size{Width: 1248, Height: 832}},
		{provider.Request{Size: provider.Size{Width: 50, Height: 70}}, provider.Size{Width: 50, Height: 70}},
	} {
		c.r.Prompt, c.r.N = "sunset", 1
		c.r.Inputs = []provider.Input{{Data: data}, {Data: data}}
		if p := pictures(t, &c.r)[0]; p.Width() != c.want.Width || p.Height() != c.want.Height {
			t.Errorf("%+v: %dx%d", c.want, p.Width(), p.Height())
		}
	}
}

// What is decoded and drawn has room for all of it, once, until the end.
func TestRoom(t *testing.T) {
	t.Parallel()
	data, mask := file(t, imaging.New(100, 80)), file(t, imaging.New(100, 80))
	const pixels = 100 * 80
	for _, tt := range []struct {
		name   string
		change func(r *provider.Request)
		want   int64
	}{
		{"new", func(*provider.Request) {}, 12 * 96 * 64},
		{"an edit", func(r *provider.Request) { r.Inputs = []provider.Input{{Data: data}} }, 8*pixels + 24*pixels + 4*96*64},
		{"of its size", func(r *provider.Request) { r.Inputs, r.Size = []provider.Input{{Data: data}}, provider.Size{} }, 8*pixels + 28*pixels},
		{"with a mask", func(r *provider.Request) {
			r.Inputs, r.Size, r.Mask = []provider.Input{{Data: data}}, provider.Size{}, &provider.Input{Data: mask}
		}, 8*pixels + 28*pixels + pixels},
		{"of three", func(r *provider.Request) {
			r.Inputs, r.Size = []provider.Input{{Data: data}, {Data: data}, {Data: data}}, provider.Size{}
		}, 8*pixels + 28*pixels + 8*pixels},
		{"that is no picture", func(r *provider.Request) { r.Inputs = []provider.Input{{Data: []byte("x")}} }, 12 * 96 * 64},
		{"nothing", func(r *provider.Request) { r.Size = provider.Size{Width: -1, Height: 2} }, 0},
	} {
		r := small(2, 0)
		tt.change(r)
		s := &sink{}
		s.after = func(event string) {
			if s.left > 0 {
				t.Errorf("%s: %s after the room was left", tt.name, event)
			}
		}
		New().Make(t.Context(), r, s)
		if !slices.Equal(s.rooms, []int64{tt.want}) || s.left != 1 {
			t.Errorf("%s: room for %d, left %d times, want once %d", tt.name, s.rooms, s.left, tt.want)
		}
	}
}

func TestRejected(t *testing.T) {
	t.Parallel()
	data := file(t, imaging.New(8, 8))
	input := []provider.Input{{Data: data}}
	for want, change := range map[string]func(r *provider.Request){
		`no model "sketch-9"`:        func(r *provider.Request) { r.Model = "sketch-9" },
		"n is 0":                     func(r *provider.Request) { r.N = 0 },
		"n is 11":                    func(r *provider.Request) { r.N = 11 },
		`no style "loud"`:            func(r *provider.Request) { r.Style = "loud" },
		`no quality "high"`:          func(r *provider.Request) { r.Quality = "high" },
		"no end users":               func(r *provider.Request) { r.User = "u" },
		`no aspect ratio "5:4"`:      func(r *provider.Request) { r.Size, r.AspectRatio = provider.Size{}, "5:4" },
		`with resolution "9k"`:       func(r *provider.Request) { r.Size, r.Resolution = provider.Size{}, "9k" },
		"is not within":              func(r *provider.Request) { r.Size = provider.Size{Width: 1 << 40, Height: 1 << 40} },
		"size -1x5":                  func(r *provider.Request) { r.Size = provider.Size{Width: -1, Height: 5} },
		"6 inputs":                   func(r *provider.Request) { r.Inputs = make([]provider.Input, 6) },
		"input 1: imaging: not a":    func(r *provider.Request) { r.Inputs = []provider.Input{{Data: []byte("x")}} },
		"mask without a picture":     func(r *provider.Request) { r.Mask = &provider.Input{} },
		"mask: imaging: not a":       func(r *provider.Request) { r.Inputs, r.Mask = input, &provider.Input{Data: []byte("x")} },
		"mask of 9x8 pixels for a p": func(r *provider.Request) { r.Inputs, r.Mask = input, &provider.Input{Data: file(t, imaging.New(9, 8))} },
	} {
		r := small(1, 0)
		change(r)
		s := &sink{}
		_, err := New().Make(t.Context(), r, s)
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.Rejected || !strings.Contains(e.Message, want) || s.events != nil {
			t.Errorf("%v after %q, want %q", err, s.events, want)
		}
	}
}

func TestNoJobsAndURLs(t *testing.T) {
	t.Parallel()
	var e *provider.Error
	if _, err := New().Resume(t.Context(), "1", nil, &sink{}); !errors.As(err, &e) || e.Kind != provider.Rejected {
		t.Errorf("Resume: %v", err)
	}
	if err := New().Fetch(t.Context(), "http://localhost", io.Discard); !errors.As(err, &e) || e.Kind != provider.Rejected {
		t.Errorf("Fetch: %v", err)
	}
}

func TestOffer(t *testing.T) {
	t.Parallel()
	if _, ok := Offer("sketch-2"); ok {
		t.Error("sketch-2 does not exist yet")
	}
	for _, name := range []string{"", "sketch-1"} {
		o, ok := New().Offer(name)
		if !ok || o.Model != "sketch-1" || !o.Free() || !o.Mask || o.MaxN != 10 || o.MaxInputs != 5 || !o.TakesSize(provider.Size{Width: 123, Height: 45}) {
			t.Errorf("%q: %+v", name, o)
		}
		if len(o.AspectRatios) != 15 {
			t.Errorf("%d ratios", len(o.AspectRatios))
		}
		for _, ratio := range o.AspectRatios {
			for i, res := range o.Resolutions {
				s, ok := o.Pixels(ratio, res)
				area := s.Width * s.Height * 100 >> (20 + 2*i)
				if !ok || s.Width%16 != 0 || s.Height%16 != 0 || area < 97 || area > 103 {
					t.Errorf("%s %s: %v, %d %% of the area", ratio, res, s, area)
				}
			}
		}
		for ratio, want := range map[string]string{"16:9": "1360x768", "1:1": "1024x1024", "": "1024x1024", "19.5:9": "1504x688", "2:1": "1456x720"} {
			if s, ok := o.Pixels(ratio, ""); !ok || s.String() != want {
				t.Errorf("%q: %v, want %s", ratio, s, want)
			}
		}
		for _, ratio := range []string{"16", "a:b", "0:1", "1:0", "-1:1", "NaN:1", "Inf:1", "1:1000"} {
			if s, ok := o.Pixels(ratio, ""); ok {
				t.Errorf("%q: %v", ratio, s)
			}
		}
		if _, ok := o.Pixels("1:1", "8k"); ok {
			t.Error("8k")
		}
	}
}
