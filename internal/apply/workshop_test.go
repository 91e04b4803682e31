package apply

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/imgbuild/imgbuild/internal/imaging"
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
		recipe     string
	}{
		{"one after the other by places", [][]byte{picture}, 1, 1, ""},
		{"three have room", [][]byte{picture}, 9, 3, ""},
		{"one that takes two", [][]byte{picture, picture}, 9, 1, ""},
		{"more than all there is", [][]byte{picture, picture, picture, picture, picture}, 9, 1, ""},
		{"no picture takes nothing", [][]byte{[]byte("text")}, 9, 9, ""},
		{"a blur of all takes four times as much again", [][]byte{picture}, 9, 1, "blur=2 format=png"},
		{"and so does another edge", [][]byte{picture}, 9, 1, "format=png sharpen=1"},
		{"that of a quarter of the pixels as much again", [][]byte{picture}, 9, 1, "blur=2 fit=cover format=png width=512"},
		{"that of a crop of a few none", [][]byte{picture}, 9, 2, "blur=2 crop=0,0,16,16 format=png"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorkshop(lim)
				w.places = make(chan struct{}, tt.side)
				var working, most atomic.Int64
				finish := make(chan struct{})
				var all sync.WaitGroup
				for range 9 {
					all.Go(func() {
						recipe, err := spec.ParseRecipe(tt.recipe)
						if err != nil {
							t.Error(err)
						}
						leave := w.enterWith(scratch(recipe, picture, lim), lim, tt.pictures...)
						working.Add(1)
						<-finish
						working.Add(-1)
						leave()
					})
				}
				for range 9 { // each turn those that are in leave
					synctest.Wait()
					n := working.Load()
					most.Store(max(most.Load(), n))
					for range n {
						finish <- struct{}{}
					}
				}
				all.Wait()
				if got := most.Load(); got != tt.want {
					t.Errorf("%d worked at once, want %d", got, tt.want)
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
