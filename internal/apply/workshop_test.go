package apply

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func TestWorkshop(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if _, err := imaging.New(1024, 1024).Encode(&b, "png", 0, false); err != nil {
		t.Fatal(err)
	}
	picture := b.Bytes()
	lim := imaging.Limits{Bytes: 1 << 20, Side: 2048, Pixels: 2 << 20}
	each := imaging.Memory(picture, lim)
	if each != 8<<20 || lim.Memory() != 24<<20 {
		t.Fatalf("%d bytes of %d", each, lim.Memory())
	}
	for _, tt := range []struct {
		name       string
		pictures   [][]byte
		side, want int64
	}{
		{"one after the other by places", [][]byte{picture}, 1, 1},
		{"three have room", [][]byte{picture}, 9, 3},
		{"one that takes two", [][]byte{picture, picture}, 9, 1},
		{"more than all there is", [][]byte{picture, picture, picture, picture, picture}, 9, 1},
		{"no picture takes nothing", [][]byte{[]byte("text")}, 9, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorkshop(lim)
				w.places = make(chan struct{}, tt.side)
				if got := atOnce(9, func(in func()) {
					defer w.enter(lim, tt.pictures...)()
					in()
				}); got != tt.want {
					t.Errorf("%d worked at once, want %d", got, tt.want)
				}
			})
		})
	}
}

// atOnce lets n work side by side, each until no other can begin, and tells how
// many of them were at it at once. It is for a bubble of synctest.
func atOnce(n int, work func(in func())) (most int64) {
	var working atomic.Int64
	finish := make(chan struct{})
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			work(func() {
				working.Add(1)
				<-finish
				working.Add(-1)
			})
		})
	}
	for range n { // each turn those that are in leave
		synctest.Wait()
		in := working.Load()
		most = max(most, in)
		for range in {
			finish <- struct{}{}
		}
	}
	all.Wait()
	return most
}

// What an image takes with its outputs is held as long as it is worked on, and
// shared by them.
func TestDrawingMemory(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if _, err := imaging.New(1024, 1024).Encode(&b, "png", 0, false); err != nil {
		t.Fatal(err)
	}
	lim := imaging.Limits{Bytes: 1 << 20, Side: 2048, Pixels: 4 << 20} // 48 MB of memory
	const jpeg, webp = "format=jpeg", "format=webp lossless=true"
	small := "blur=2 fit=cover format=jpeg width=512"
	for _, tt := range []struct {
		name            string
		recipes         []string
		images, outputs int64 // at once
	}{
		{"decoding takes 8 bytes a pixel", []string{jpeg}, 6, 6},
		{"copies take nothing", []string{"format=png"}, 9, 0},
		{"a lossless WebP takes 20 besides the picture's 4", []string{webp}, 2, 2},
		{"two of them as much again", []string{webp, webp}, 1, 2},
		{"a third waits for one of them", []string{webp, webp, webp}, 1, 2},
		{"a blur takes 40", []string{"blur=2 format=jpeg"}, 1, 1},
		{"and so does another edge", []string{"format=jpeg sharpen=1"}, 1, 1},
		{"that of a quarter of the pixels 11", []string{small}, 3, 3},
		{"that of a crop of a few nothing much", []string{"blur=2 crop=0,0,16,16 format=jpeg"}, 6, 6},
		{"what has no room at all is alone", []string{"enlarge=true fit=cover format=jpeg width=4096"}, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &Engine{Limits: lim}
				e.pixels = newWorkshop(lim)
				e.pixels.places = make(chan struct{}, 9)
				picked := &provider.Image{MIME: "image/png", Width: 1024, Height: 1024}
				if got := atOnce(9, func(in func()) {
					d := e.newDrawing(nil, picked, b.Bytes(), tt.recipes...)
					defer d.close()
					in()
				}); got != tt.images {
					t.Errorf("%d images at once, want %d", got, tt.images)
				}
				outputs := make(chan func(in func()), 9*len(tt.recipes))
				var all []*drawing
				for range tt.images {
					d := e.newDrawing(nil, picked, b.Bytes(), tt.recipes...)
					all = append(all, d)
					for _, text := range tt.recipes {
						recipe, err := spec.ParseRecipe(text)
						if err != nil {
							t.Fatal(err)
						}
						if recipe.Copies("png") {
							continue
						}
						outputs <- func(in func()) {
							defer e.enter(recipe, d)()
							in()
						}
					}
				}
				if got := atOnce(len(outputs), func(in func()) { (<-outputs)(in) }); got != tt.outputs {
					t.Errorf("%d outputs at once, want %d", got, tt.outputs)
				}
				for _, d := range all {
					d.close()
				}
				if !e.pixels.memory.TryAcquire(e.pixels.most) || len(e.pixels.places) > 0 {
					t.Error("not all was given back")
				}
			})
		})
	}
}

// TestBoxes: what needs every pixel of an original must get it.
func TestBoxes(t *testing.T) {
	t.Parallel()
	whole := imaging.Box{}
	tests := map[string]imaging.Box{
		"format=jpeg":                                                       whole,
		"fit=cover format=jpeg width=640":                                   {Width: 640, Fit: "cover"},
		"fit=inside format=png height=20 size=300x200":                      {Width: 300, Height: 200, Fit: "cover"},
		"enlarge=true fit=fill format=png height=9 width=20":                {Width: 20, Height: 9, Fit: "fill", Enlarge: true},
		"blur=2 fit=cover format=jpeg grayscale=true sharpen=1 width=64":    {Width: 64, Fit: "cover"},
		"crop=0,0,50%,100% fit=cover format=jpeg width=64":                  whole,
		"crop=0,0,50%,100% fit=cover format=jpeg size=30x20 width=9":        {Width: 30, Height: 20, Fit: "cover"},
		"fit=cover format=png gravity=north height=20 width=20":             whole,
		"fit=cover format=png linear=true width=20":                         whole,
		"fit=cover format=png grayscale=true":                               whole,
		"fit=contain format=png height=180 icon=any width=180":              {Width: 180, Height: 180, Fit: "contain"},
		"fit=contain format=png height=180 icon=maskable width=180":         whole,
		"color=#ffffff fit=cover format=jpeg height=630 title=x width=1200": {Width: 1200, Height: 630, Fit: "cover"},
		"format=png restore=white:" + sum + ":" + sum + " size=30x20":       whole,
	}
	for text, want := range tests {
		recipe, err := spec.ParseRecipe(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := boxOf(recipe); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	got := boxes([]string{
		"format=jpeg", // a copy
		"fit=cover format=jpeg width=640",
		"fit=contain format=ico height=48 icon=any width=48", // the sizes in it are made one by one
	}, "jpeg")
	if want := []imaging.Box{{Width: 640, Fit: "cover"}, {Width: 16, Height: 16, Fit: "contain"}, {Width: 32, Height: 32, Fit: "contain"}, {Width: 48, Height: 48, Fit: "contain"}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

const sum = "0000000000000000000000000000000000000000000000000000000000000001"
