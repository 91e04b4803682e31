package imaging

import (
	"bytes"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// TestJPEGIsThatOfTheStandardLibrary holds files to those of Go 1.26. If a later
// Go writes others, ours stay as they are: keep what this one wrote.
func TestJPEGIsThatOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	noisy := func(w, h int) *Picture {
		p := New(w, h)
		for i := range p.pix {
			p.pix[i] = byte(random.Uint32()) | byte(i&3/3*255)
		}
		return p
	}
	extreme := noisy(48, 48)
	for i, v := range extreme.pix {
		extreme.pix[i] = byte(int8(v)>>7) | byte(i&3/3*255)
	}
	tests := map[string]*Picture{
		"one": sample(1, 1, false), "edges": sample(33, 17, false), "tall": sample(7, 100, false), "even": sample(160, 96, false),
		"noise": noisy(75, 50), "black and white noise": extreme, "flat": New(40, 40).onWhite(),
	}
	for name, p := range tests {
		for _, quality := range []int{1, 10, 50, 80, 95, 100} {
			var ours, theirs bytes.Buffer
			if _, err := p.Encode(&ours, "jpeg", quality, false); err != nil {
				t.Fatal(err)
			}
			if err := jpeg.Encode(&theirs, p.rgba(), &jpeg.Options{Quality: quality}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ours.Bytes(), theirs.Bytes()) {
				t.Errorf("%s at %d: another file, %d bytes for %d", name, quality, ours.Len(), theirs.Len())
			}
		}
	}
}

func TestJPEGTooLarge(t *testing.T) {
	t.Parallel()
	if _, err := New(65536, 1).Encode(&bytes.Buffer{}, "jpeg", 80, false); err == nil {
		t.Error("a JPEG says its width in 16 bits")
	}
}
