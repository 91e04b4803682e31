package imaging

import (
	"bytes"
	"go/build"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// jpegs are pictures of every kind that Go has files or an encoder for.
func jpegs(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(build.Default.GOROOT, "src", "image", "testdata", "*.jpeg"))
	if err != nil || len(names) == 0 {
		t.Fatalf("Go's own pictures are not there: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = b
	}
	for _, size := range [][2]int{{1, 1}, {7, 9}, {8, 8}, {16, 16}, {17, 33}, {100, 75}} {
		for _, quality := range []int{1, 30, 80, 100} {
			var b bytes.Buffer
			if _, err := sample(size[0], size[1], false).Encode(&b, "jpeg", quality, false); err != nil {
				t.Fatal(err)
			}
			out[image.Pt(size[0], size[1]).String()+string(rune('a'+quality/10))] = bytes.Clone(b.Bytes())
			b.Reset()
			grey := image.NewGray(image.Rect(0, 0, size[0], size[1]))
			for i := range grey.Pix {
				grey.Pix[i] = byte(i * i)
			}
			if err := jpeg.Encode(&b, grey, &jpeg.Options{Quality: quality}); err != nil {
				t.Fatal(err)
			}
			out["grey"+image.Pt(size[0], size[1]).String()+string(rune('a'+quality/10))] = b.Bytes()
		}
	}
	return out
}

// sameAsStandardJPEG is false where the standard library refuses b.
func sameAsStandardJPEG(t *testing.T, name string, b []byte, p *Picture) bool {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return false
	}
	if q := fromImage(m, m.Bounds()); Digest(p) != Digest(q) {
		t.Errorf("%s: other pixels than the standard library's", name)
	}
	return true
}

// TestJPEGIsReadAsByTheStandardLibrary: the same pixels, and nothing is taken
// that it refuses.
func TestJPEGIsReadAsByTheStandardLibrary(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	ours := 0
	for name, b := range jpegs(t) {
		p := readJPEGPixels(b, 1)
		if p == nil {
			t.Logf("%s is left to the standard library", name)
			continue
		}
		ours++
		if !sameAsStandardJPEG(t, name, b, p) {
			t.Errorf("%s: the standard library refuses it", name)
		}
		for range 8 {
			c := bytes.Clone(b)
			for range 1 + random.IntN(3) {
				c[2+random.IntN(len(c)-2)] ^= 1 << random.IntN(8)
			}
			if h, err := readHeader(c, Limits{Bytes: 1 << 20, Side: 2000, Pixels: 1 << 18}); err != nil || completeJPEG(c) != nil || h.Width*h.Height > 1<<18 {
				continue
			}
			if p := readJPEGPixels(c, 1); p != nil && !sameAsStandardJPEG(t, name+", damaged", c, p) {
				t.Errorf("%s, damaged: the standard library refuses what we read", name)
			}
			for _, shrink := range []int{2, 4, 8} {
				readJPEGPixels(c, shrink)
			}
		}
	}
	if ours < 50 {
		t.Errorf("only %d pictures are read by ourselves", ours)
	}
}

// TestShrunkJPEG: a fraction shows what the mean of the pixels shows, and Fit
// makes of it the sizes, and nearly the pixels, that it makes of the whole.
func TestShrunkJPEG(t *testing.T) {
	t.Parallel()
	for name, b := range jpegs(t) {
		whole := readJPEGPixels(b, 1)
		if whole == nil || whole.width < 60 || strings.HasPrefix(name, "grey") { // the grey ones are noise

			continue
		}
		for _, shrink := range []int{2, 4, 8} {
			p := readJPEGPixels(b, shrink)
			if p == nil {
				t.Errorf("%s is read whole and not by 1/%d", name, shrink)
				continue
			}
			var off, n int
			for y := range whole.height / shrink {
				for x := range 3 * (whole.width / shrink) {
					mean := 0
					for i := range shrink * shrink {
						mean += int(whole.pix[4*((y*shrink+i/shrink)*whole.width+x/3*shrink+i%shrink)+x%3])
					}
					off += abs(mean/(shrink*shrink) - int(p.pix[4*(y*p.width+x/3)+x%3]))
					n++
				}
			}
			if off > 5*n { // a pixel beside would be 10
				t.Errorf("%s by 1/%d: %.1f levels off", name, shrink, float64(off)/float64(n))
			}
		}
		for _, box := range []Box{{Width: 30}, {Height: 21}, {Width: 30, Height: 30, Fit: "cover"}, {Width: 31, Height: 17, Fit: "contain"}, {Width: 9, Height: 30, Fit: "fill"}, {Width: 20, Height: 20, Fit: "outside"}} {
			p, info, err := DecodeFor(b, DefaultLimits, box)
			if err != nil || info.Width != whole.width || info.Height != whole.height {
				t.Fatalf("%s: %+v, %v", name, info, err)
			}
			if p.shrink < 2 {
				t.Errorf("%s for %+v is read whole", name, box)
			}
			got, want := Fit(p, box.Width, box.Height, box.Fit, box.Enlarge), Fit(whole, box.Width, box.Height, box.Fit, box.Enlarge)
			if got.width != want.width || got.height != want.height {
				t.Fatalf("%s for %+v: %dx%d, of the whole %dx%d", name, box, got.width, got.height, want.width, want.height)
			}
			off := 0
			for i := range got.pix {
				off += abs(int(got.pix[i]) - int(want.pix[i]))
			}
			if off > 5*len(got.pix) {
				t.Errorf("%s for %+v: %.1f levels off", name, box, float64(off)/float64(len(got.pix)))
			}
		}
	}
}

// TestReductionsAreByThemselves: what Fit makes does not depend on what else is
// made of the same decode.
func TestReductionsAreByThemselves(t *testing.T) {
	t.Parallel()
	boxes := []Box{{Width: 90}, {Width: 14}, {Height: 20}, {Width: 40, Height: 30, Fit: "cover"}, {}, {Width: 19, Height: 19, Fit: "contain"}}
	for name, b := range jpegs(t) {
		all, _, err := DecodeFor(b, DefaultLimits, boxes...)
		if err != nil {
			continue
		}
		for _, box := range boxes {
			alone, _, err := DecodeFor(b, DefaultLimits, box)
			if err != nil {
				t.Fatal(err)
			}
			if Digest(Fit(all, box.Width, box.Height, box.Fit, box.Enlarge)) != Digest(Fit(alone, box.Width, box.Height, box.Fit, box.Enlarge)) {
				t.Errorf("%s for %+v: other pixels beside other boxes", name, box)
			}
		}
	}
}

func TestEnough(t *testing.T) {
	t.Parallel()
	tests := []struct {
		width, height int
		box           Box
		want          int
	}{
		{4096, 4096, Box{}, 1},
		{4096, 4096, Box{Width: 320}, 8},
		{4096, 4096, Box{Width: 513}, 4},
		{4096, 4096, Box{Height: 1792}, 2},
		{1000, 500, Box{Width: 250, Height: 250, Fit: "cover"}, 2},
		{1000, 500, Box{Width: 250, Height: 250, Fit: "contain"}, 4},
		{1000, 500, Box{Width: 2000, Enlarge: true}, 1},
		{100, 100, Box{Width: 13, Height: 12, Fit: "fill"}, 4}, // 12.5 pixels would not be enough
	}
	for _, tt := range tests {
		if got := enough(tt.width, tt.height, tt.box); got != tt.want {
			t.Errorf("%dx%d for %+v: 1/%d, want 1/%d", tt.width, tt.height, tt.box, got, tt.want)
		}
	}
}

func FuzzJPEG(f *testing.F) {
	for _, b := range jpegs(f) {
		if len(b) < 4000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if Sniff(b) != "jpeg" {
			return
		}
		h, err := readHeader(b, Limits{Bytes: 1 << 20, Side: 1000, Pixels: 1 << 16})
		if err != nil || completeJPEG(b) != nil {
			return
		}
		for _, shrink := range []int{1, 2, 4, 8} {
			p := readJPEGPixels(b, shrink)
			if p == nil {
				continue
			}
			if w, height := p.full(); w != h.rawWidth || height != h.rawHeight {
				t.Errorf("%dx%d pixels of %dx%d", w, height, h.rawWidth, h.rawHeight)
			}
			if shrink == 1 {
				sameAsStandardJPEG(t, "fuzz", b, p)
			}
			// All at once they are the same.
			all := readJPEGPixels(b, 1, 2, 4, 8)
			for _, q := range append([]*Picture{all}, all.smaller...) {
				if max(1, q.shrink) == shrink && Digest(q) != Digest(p) {
					t.Errorf("by 1/%d: other pixels beside other sizes", shrink)
				}
			}
		}
	})
}

// TestBetweenSegments: what stands between the segments of a JPEG and is none, as
// some cameras and editors leave it, hides neither pixels nor labels, and makes no
// cut file whole.
func TestBetweenSegments(t *testing.T) {
	t.Parallel()
	plain := encode(t, sample(64, 48, false), "jpeg")
	labelled, err := Relabel(plain, Label{SourceType: "trainedAlgorithmicMedia"})
	if err != nil {
		t.Fatal(err)
	}
	signed := slices.Concat(labelled[:2], []byte("\xff\xeb\x00\x1aJP\x00\x01\x00\x00\x00\x01\x00\x00\x00\x20jumbc2pa"), make([]byte, 4), labelled[2:])
	signed = slices.Concat(signed[:2], []byte("\xff\xfe\x00\x02"), signed[2:])
	for name, junk := range map[string]string{"none": "", "zero": "\x00", "text": "not a marker", "stuffed": "\xff\x00", "fill": "\xff\xff\xff", "long": strings.Repeat("\x00\xff", 3000) + "\x00"} {
		_, _, i := segment(signed, 2) // Sniff wants the first at its place
		b := signed[:i:i]
		for marker := byte(0); marker != 0xda; {
			var next int
			if marker, _, next = segment(signed, i); marker == 0xda {
				next = len(signed)
			}
			b = append(append(b, junk...), signed[i:next]...)
			i = next
		}
		p, info, err := Decode(b, DefaultLimits)
		if err != nil || info.Width != 64 || info.Height != 48 {
			t.Errorf("%s: %+v %v", name, info, err)
			continue
		}
		if !sameAsStandardJPEG(t, name, b, p) {
			t.Errorf("%s: the standard library refuses it", name)
		}
		m := ReadMarks(bytes.NewReader(b), int64(len(b)))
		if m.Label.SourceType != "trainedAlgorithmicMedia" || !m.C2PA {
			t.Errorf("%s: %+v", name, m)
		}
		for n := len(b) - 1; n > len(b)-40; n-- {
			if _, _, err := Decode(b[:n], DefaultLimits); err == nil {
				t.Errorf("%s: cut to %d of %d bytes, and no error", name, n, len(b))
			}
		}
	}
}
