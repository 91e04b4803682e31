package imaging

import (
	"bytes"
	"strings"
	"testing"
)

func maskFile(t *testing.T, format string, pixels ...[4]byte) []byte {
	t.Helper()
	p := New(len(pixels), 1)
	for i, c := range pixels {
		copy(p.pix[4*i:], c[:])
	}
	return encode(t, p, format)
}

var (
	opaqueWhite = [4]byte{255, 255, 255, 255}
	opaqueBlack = [4]byte{0, 0, 0, 255}
	grey        = [4]byte{128, 128, 128, 255}
	clear0      = [4]byte{0, 0, 0, 0}
	half0       = [4]byte{9, 9, 9, 100}
	red         = [4]byte{255, 0, 0, 255}
)

func TestReadMask(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		edit   string
		pixels [][4]byte
		want   []byte
		err    string
	}{
		{"transparent", [][4]byte{clear0, opaqueWhite, half0, red}, []byte{255, 0, 155, 0}, ""},
		{"transparent", [][4]byte{opaqueWhite, opaqueBlack}, nil, `no alpha channel`},
		{"white", [][4]byte{opaqueWhite, opaqueBlack, grey, clear0}, []byte{255, 0, 128, 0}, ""},
		{"black", [][4]byte{opaqueWhite, opaqueBlack, grey, clear0}, []byte{0, 255, 127, 0}, ""},
		{"white", [][4]byte{opaqueWhite, red}, nil, "colours"},
		{"black", [][4]byte{opaqueWhite, red}, nil, "colours"},
	} {
		m, err := ReadMask(maskFile(t, "png", c.pixels...), c.edit, DefaultLimits)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), "mask: ") || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s %v: %v, want %q", c.edit, c.pixels, err, c.err)
			}
			continue
		}
		if err != nil || !bytes.Equal(m.cover, c.want) || m.Width() != len(c.pixels) || m.Height() != 1 {
			t.Errorf("%s %v: %v %v, want %v", c.edit, c.pixels, m, err, c.want)
		}
	}
	if _, err := ReadMask([]byte("no"), "white", DefaultLimits); err == nil || !strings.HasPrefix(err.Error(), "mask: ") {
		t.Errorf("%v", err)
	}
	// Grey with the tinge that a lossy encoder gives it is grey.
	if m, err := ReadMask(maskFile(t, "jpeg", opaqueWhite, opaqueBlack, grey, opaqueWhite), "white", DefaultLimits); err != nil || m.cover[0] < 200 || m.cover[1] > 60 {
		t.Errorf("jpeg: %v %v", m, err)
	}
}

// A file with an alpha channel that is opaque everywhere marks nothing: no
// error here, but Coverage tells.
func TestMaskCoverage(t *testing.T) {
	t.Parallel()
	m := &Mask{[]byte{0, 0}, 2, 1}
	opaque, err := ReadMask(m.PNG(), "transparent", DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m         *Mask
		none, all bool
	}{{opaque, true, false}, {&Mask{[]byte{255, 255}, 2, 1}, false, true}, {&Mask{[]byte{0, 255}, 2, 1}, false, false}, {&Mask{[]byte{254, 255}, 2, 1}, false, false}, {&Mask{[]byte{1, 0}, 2, 1}, false, false}} {
		if none, all := c.m.Coverage(); none != c.none || all != c.all {
			t.Errorf("%v: none %v, all %v", c.m.cover, none, all)
		}
	}
}

func TestMaskPNG(t *testing.T) {
	t.Parallel()
	m := &Mask{[]byte{0, 1, 128, 255, 254, 3}, 3, 2}
	b := m.PNG()
	if b[25] != 6 || b[24] != 8 {
		t.Errorf("colour type %d with %d bits, want RGBA with 8", b[25], b[24])
	}
	again, err := ReadMask(b, "transparent", DefaultLimits)
	if err != nil || !bytes.Equal(again.cover, m.cover) || again.width != 3 {
		t.Errorf("%v %v", again, err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	w, h := 16, 8
	original, edited := sample(w, h, true), New(w, h)
	for i := range w * h {
		copy(edited.pix[4*i:], []byte{10, 250, 30, 200})
	}
	m := &Mask{make([]byte, w*h), w, h}
	for i := range m.cover {
		m.cover[i] = []byte{0, 255, 128, 7}[i%4]
	}
	before, e := Digest(original), []byte{10, 250, 30, 200}
	got := Restore(edited, original, m)
	for i, c := range m.cover {
		o, g := original.pix[4*i:4*i+4], got.pix[4*i:4*i+4]
		switch c {
		case 0:
			if !bytes.Equal(g, o) {
				t.Fatalf("pixel %d is %v, was %v", i, g, o)
			}
		case 255:
			if !bytes.Equal(g, e) {
				t.Fatalf("pixel %d is %v, the edit has %v", i, g, e)
			}
		default:
			for k := range 4 {
				if lo, hi := min(o[k], e[k]), max(o[k], e[k]); g[k] < lo || g[k] > hi {
					t.Fatalf("pixel %d is %v, between %v and %v", i, g, o, e)
				}
			}
			want := (int(o[3])*(255-int(c)) + int(e[3])*int(c) + 127) / 255
			if int(g[3]) != want {
				t.Fatalf("pixel %d has alpha %d, want %d", i, g[3], want)
			}
		}
	}
	if Digest(original) != before {
		t.Error("the original was changed")
	}
}

func TestRestoreFits(t *testing.T) {
	t.Parallel()
	original := sample(20, 10, false)
	m := &Mask{bytes.Repeat([]byte{255, 0}, 100), 20, 10}
	for _, edited := range []*Picture{sample(40, 20, false), sample(10, 5, false), sample(30, 30, false)} {
		got := Restore(edited, original, m)
		if got.width != 20 || got.height != 10 || !bytes.Equal(got.pix[4:8], original.pix[4:8]) {
			t.Errorf("%dx%d: %dx%d", edited.width, edited.height, got.width, got.height)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a mask of another size did not panic")
		}
	}()
	Restore(original, sample(10, 10, false), m)
}
