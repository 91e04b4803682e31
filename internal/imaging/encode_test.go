package imaging

import (
	"bytes"
	"errors"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"
)

func TestEncodePNG(t *testing.T) {
	t.Parallel()
	for _, alpha := range []bool{false, true} {
		for _, size := range [][2]int{{1, 1}, {1, 40}, {40, 1}, {33, 17}, {200, 150}} {
			p := sample(size[0], size[1], alpha)
			b := encode(t, p, "png")
			q, _, err := Decode(b, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			if Digest(q) != Digest(p) {
				t.Errorf("%v, alpha %v: other pixels", size, alpha)
			}
			c, err := png.DecodeConfig(bytes.NewReader(b))
			if err != nil || c.Width != size[0] || c.Height != size[1] {
				t.Errorf("%v: %+v %v", size, c, err)
			}
		}
	}
}

func TestEncodeJPEG(t *testing.T) {
	t.Parallel()
	p := New(32, 32)
	for i := range 32 * 32 {
		copy(p.pix[4*i:], []byte{200, 0, 0, 255})
		if i%32 >= 16 {
			p.pix[4*i+3] = 0 // shows white
		}
	}
	var b bytes.Buffer
	encoder, err := p.Encode(&b, "jpeg", 0, false)
	if err != nil || encoder != "imgbuild/jpeg 1" {
		t.Fatalf("%q %v", encoder, err)
	}
	q, info, err := Decode(b.Bytes(), DefaultLimits)
	if err != nil || info.Format != "jpeg" {
		t.Fatal(err)
	}
	left, right := q.pix[:3], q.pix[4*28:][:3]
	if abs(int(left[0])-200) > 8 || left[1] > 20 || right[0] < 245 || right[1] < 245 || right[2] < 245 {
		t.Errorf("left %v, right %v", left, right)
	}
	if p.pix[4*20+3] != 0 {
		t.Error("the picture itself was put on white")
	}
	var fine bytes.Buffer
	if _, err := sample(64, 64, false).Encode(&fine, "jpeg", 95, false); err != nil {
		t.Fatal(err)
	}
	var coarse bytes.Buffer
	if _, err := sample(64, 64, false).Encode(&coarse, "jpeg", 20, false); err != nil || coarse.Len() >= fine.Len() {
		t.Errorf("quality 20 takes %d bytes, 95 takes %d (%v)", coarse.Len(), fine.Len(), err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format   string
		lossless bool
		want     string
	}{{"webp", false, `no encoder for "webp"`}, {"", false, "no encoder"}, {"jpeg", true, "lossless"}} {
		var b bytes.Buffer
		if _, err := New(1, 1).Encode(&b, c.format, 0, c.lossless); err == nil || !strings.Contains(err.Error(), c.want) || b.Len() > 0 {
			t.Errorf("%+v: %v, %d bytes", c, err, b.Len())
		}
	}
}

var errFull = errors.New("disk full")

// full fails after n bytes.
type full struct{ n int }

func (f *full) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestEncodeWriteError(t *testing.T) {
	t.Parallel()
	p := sample(300, 300, true)
	for _, format := range []string{"png", "jpeg"} {
		size := len(encode(t, p, format))
		for n := 0; n < size; n += 1 + size/40 {
			if _, err := p.Encode(&full{n}, format, 90, false); !errors.Is(err, errFull) {
				t.Fatalf("%s, full after %d of %d bytes: %v", format, n, size, err)
			}
		}
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	p := sample(6, 4, true)
	q := &Picture{pix: p.pix, width: 4, height: 6}
	if Digest(p) == Digest(q) {
		t.Error("the shape is not in the digest")
	}
	if Digest(p) != Digest(sample(6, 4, true)) {
		t.Error("equal pictures differ")
	}
}

func BenchmarkEncodePNG(b *testing.B) {
	p := sample(1792, 1024, false)
	for b.Loop() {
		var out bytes.Buffer
		if _, err := p.Encode(&out, "png", 0, true); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(out.Len()), "bytes")
	}
}

// TestPNGLevel: in noise nothing repeats, and in a drawing much.
func TestPNGLevel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	noise, drawing := New(1024, 700).onWhite(), sample(1024, 700, false)
	for i := range noise.pix {
		if i%4 < 3 {
			noise.pix[i] = byte(i/4096) + byte(random.IntN(9))
		}
		drawing.pix[i] &= 0xf0 | byte(i%4/3*255)
	}
	for _, tt := range []struct {
		name string
		p    *Picture
		want int
	}{{"noise", noise, zlib.HuffmanOnly}, {"drawing", drawing, searching}, {"a small one", sample(30, 30, false), searching}, {"one row", New(1<<18, 1).onWhite(), searching}} {
		if got := tt.p.pngLevel(3); got != tt.want {
			t.Errorf("%s: level %d, want %d", tt.name, got, tt.want)
		}
		q, _, err := Decode(encode(t, tt.p, "png"), Limits{Bytes: 1 << 26, Side: 1 << 20, Pixels: 1 << 22})
		if err != nil || Digest(q) != Digest(tt.p) {
			t.Errorf("%s: other pixels, %v", tt.name, err)
		}
	}
}
