package imaging

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// patterned are pictures of few and of many colours, with and without alpha, of
// sides that no block divides.
func patterned(t *testing.T, kind string, w, h int) *Picture {
	t.Helper()
	p, r := New(w, h), rand.New(rand.NewPCG(uint64(w), uint64(h)))
	for i := 0; i < len(p.pix); i += 4 {
		x, y := i/4%w, i/4/w
		var c [4]byte
		switch kind {
		case "noise":
			c = [4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		case "smooth":
			c = [4]byte{byte(x*3 + r.IntN(3)), byte(y*2 + x), byte(x ^ y), 255}
		case "glass":
			c = [4]byte{byte(x), byte(y), byte(x + y), byte(x * y)}
		case "tiles":
			c = [4]byte{byte(x / 8 * 16), byte(y / 8 * 40), 7, 255}
		case "clear":
		case "one":
			c = [4]byte{9, 200, 3, 255}
		default: // of so many colours
			n := 0
			fmt.Sscan(kind, &n)
			k := r.IntN(n)
			c = [4]byte{byte(k * 7), byte(k), byte(k * 31), 255 - byte(k%3)}
		}
		copy(p.pix[i:], c[:])
	}
	return p
}

func TestLosslessWebP(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"noise", "smooth", "glass", "tiles", "clear", "one", "2", "3", "4", "5", "16", "17", "256", "257", "5000"} {
		for _, size := range [][2]int{{1, 1}, {2, 1}, {1, 7}, {3, 5}, {16, 16}, {17, 33}, {100, 61}, {257, 130}} {
			p := patterned(t, kind, size[0], size[1])
			var b bytes.Buffer
			encoder, err := p.Encode(&b, "webp", 0, true)
			if err != nil || encoder != "imgbuild/webp 1" {
				t.Fatal(encoder, err)
			}
			got, info, err := Decode(b.Bytes(), DefaultLimits)
			if err != nil {
				t.Fatalf("%s %v: %v", kind, size, err)
			}
			if info.Format != "webp" || Digest(got) != Digest(p) {
				t.Errorf("%s %v: the pixels are others", kind, size)
			}
		}
	}
}
