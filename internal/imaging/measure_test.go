package imaging

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"go/build"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// sample is a picture with a gradient and, if so wished, transparent parts.
func sample(w, h int, alpha bool) *Picture {
	p := New(w, h)
	for y := range h {
		for x := range w {
			a := byte(255)
			if alpha {
				a = byte(x * 255 / max(w-1, 1))
			}
			copy(p.pix[4*(y*w+x):], []byte{byte(x * 7), byte(y * 5), byte(x ^ y), a})
		}
	}
	return p
}

func encode(t testing.TB, p *Picture, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := p.Encode(&b, format, 90, false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gifOf(t testing.TB, w, h int) []byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White, color.Transparent})
	m.SetColorIndex(1, 0, 1)
	m.SetColorIndex(0, 1, 2)
	var b bytes.Buffer
	if err := gif.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webps are pictures of one pixel: lossless, lossy, and lossy with alpha.
var webps = func() (out [3][]byte) {
	for i, s := range []string{
		"UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
		"UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
		"UklGRkoAAABXRUJQVlA4WAoAAAAQAAAAAAAAAAAAQUxQSAwAAAARBxAR/Q9ERP8DAABWUDggGAAAABQBAJ0BKgEAAQAAAP4AAA3AAP7mtQAAAA==",
	} {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			panic(err)
		}
		out[i] = b
	}
	return out
}()

func TestSniff(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"\x89PNG\r\n\x1a\n": "png", "\xff\xd8\xff\xe0": "jpeg", "RIFF\x00\x00\x00\x00WEBP": "webp", "GIF87a": "gif", "GIF89a": "gif",
		"": "", "\x89PN": "", "RIFF\x00\x00\x00\x00WAVE": "", "<svg>": "", "BM": "", "II*\x00": "", "\x00\x00\x00\x20ftypavif": "",
	} {
		if got := Sniff([]byte(head)); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}

func TestMeasureAndDecode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		b    []byte
		want Info
	}{
		"png":           {encode(t, sample(5, 3, true), "png"), Info{"png", "image/png", 5, 3}},
		"jpeg":          {encode(t, sample(17, 9, false), "jpeg"), Info{"jpeg", "image/jpeg", 17, 9}},
		"gif":           {gifOf(t, 4, 6), Info{"gif", "image/gif", 4, 6}},
		"webp lossless": {webps[0], Info{"webp", "image/webp", 1, 1}},
		"webp lossy":    {webps[1], Info{"webp", "image/webp", 1, 1}},
		"webp alpha":    {webps[2], Info{"webp", "image/webp", 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := Measure(c.b, DefaultLimits); got != c.want || err != nil {
				t.Errorf("Measure: %+v %v", got, err)
			}
			p, got, err := Decode(c.b, DefaultLimits)
			if err != nil || got != c.want || p.Width() != c.want.Width || p.Height() != c.want.Height {
				t.Fatalf("Decode: %+v %v", got, err)
			}
			// A file that stops early is no picture, wherever it stops.
			for n := range c.b {
				if _, _, err := Decode(c.b[:n], DefaultLimits); err == nil {
					t.Errorf("cut to %d of %d bytes: no error", n, len(c.b))
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	b := encode(t, sample(40, 20, false), "png")
	for _, c := range []struct {
		lim  Limits
		want string
	}{
		{Limits{int64(len(b)), 40, 800}, ""},
		{Limits{int64(len(b)) - 1, 40, 800}, "bytes is over the limit"},
		{Limits{1 << 20, 39, 800}, "over the limit of 39 a side"},
		{Limits{1 << 20, 40, 799}, "over the limit of 799 pixels"},
	} {
		_, err := Measure(b, c.lim)
		if _, _, derr := Decode(b, c.lim); (derr == nil) != (err == nil) {
			t.Errorf("%+v: Measure says %v, Decode %v", c.lim, err, derr)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.lim, err, c.want)
		}
	}
}

// chunk is a PNG chunk.
func chunk(kind string, body []byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...)
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// hugePNG is the 47 bytes that make png.Decode ask for 14 GB.
func hugePNG(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	b := append([]byte(pngSignature), chunk("IHDR", append(head, 8, 6, 0, 0, 0))...)
	return append(b, chunk("IDAT", []byte{0x78, 0x9c})...)
}

// hugeJPEG is the progressive frame of 65500 pixels a side that takes the
// process down, padded to the length at which it was found.
func hugeJPEG(side uint16) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xc2, 0, 17, 8}
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, side), side)
	b = append(b, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0)
	b = append(b, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0)
	return append(append(b, make([]byte, 2162-2-len(b))...), 0xff, 0xd9)
}

// The headers alone are refused: a test that got as far as the decoders would
// not come back.
func TestBombs(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"47-byte PNG":       {hugePNG(60000, 60000)[:47], "a side"},
		"square PNG":        {hugePNG(12000, 12000), "pixels"},
		"2162-byte JPEG":    {hugeJPEG(65500), "a side"},
		"progressive JPEG":  {hugeJPEG(8000), "to decode"},
		"PNG of no width":   {hugePNG(0, 5), ""},
		"JPEG of no height": {hugeJPEG(0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, _, err := Decode(c.b, DefaultLimits)
			runtime.ReadMemStats(&after)
			if p != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("took %d bytes", n)
			}
		})
	}
}

func BenchmarkBomb(b *testing.B) {
	bomb := hugeJPEG(65500)
	for b.Loop() {
		if _, _, err := Decode(bomb, DefaultLimits); err == nil {
			b.Fatal("no error")
		}
	}
}

// The standard library takes a JPEG without its last marker.
func TestJPEGWithoutEnd(t *testing.T) {
	t.Parallel()
	b := encode(t, sample(64, 64, false), "jpeg")
	if _, _, err := Decode(b[:len(b)-2], DefaultLimits); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("without EOI: %v", err)
	}
	if p, _, err := Decode(append(b, "trailing bytes"...), DefaultLimits); err != nil || p.Width() != 64 {
		t.Errorf("with trailing bytes: %v", err)
	}
}

func TestScans(t *testing.T) {
	t.Parallel()
	b := hugeJPEG(8)
	scan := []byte{0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0}
	i := bytes.Index(b, scan)
	many := append(append(bytes.Clone(b[:i]), bytes.Repeat(scan, maxScans+1)...), 0xff, 0xd9)
	if _, _, err := Decode(many, DefaultLimits); err == nil || !strings.Contains(err.Error(), "scans") {
		t.Errorf("%v", err)
	}
}

func TestOrientation(t *testing.T) {
	t.Parallel()
	// Eight blocks wide and four high, with a bright corner at the top left and
	// a grey one at the top right.
	p := New(64, 32)
	for y := range 32 {
		for x := range 64 {
			v := byte(0)
			if y < 16 && x < 16 {
				v = 255
			} else if y < 16 && x >= 48 {
				v = 128
			}
			copy(p.pix[4*(y*64+x):], []byte{v, v, v, 255})
		}
	}
	plain := encode(t, p, "jpeg")
	// Where the bright and the grey corner are shown: 0 1 over 2 3.
	for turn, want := range map[int][2]int{1: {0, 1}, 2: {1, 0}, 3: {3, 2}, 4: {2, 3}, 5: {0, 2}, 6: {1, 3}, 7: {3, 1}, 8: {2, 0}} {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			b := append([]byte{0xff, 0xd8}, exif(order, turn)...)
			b = append(b, plain[2:]...)
			q, info, err := Decode(b, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := Measure(b, DefaultLimits)
			if m != info || info.Width != q.width || info.Height != q.height || (turn >= 5) != (q.width == 32) {
				t.Errorf("turn %d: %+v, picture %dx%d", turn, info, q.width, q.height)
			}
			for k := range 4 {
				x, y := 4+k%2*(q.width-8), 4+k/2*(q.height-8)
				v := int(q.pix[4*(y*q.width+x)])
				shade := map[int]int{want[0]: 255, want[1]: 128}[k]
				if abs(v-shade) > 20 {
					t.Errorf("turn %d: corner %d is %d, want %d", turn, k, v, shade)
				}
			}
		}
	}
}

func exif(order binary.ByteOrder, turn int) []byte {
	tiff := []byte("II*\x00\x08\x00\x00\x00")
	if order == binary.BigEndian {
		tiff = []byte("MM\x00*\x00\x00\x00\x08")
	}
	entry := make([]byte, 2+12+4)
	order.PutUint16(entry, 1)
	order.PutUint16(entry[2:], 0x0112)
	order.PutUint16(entry[4:], 3)
	order.PutUint32(entry[6:], 1)
	order.PutUint16(entry[10:], uint16(turn))
	body := append([]byte("Exif\x00\x00"), append(tiff, entry...)...)
	return append([]byte{0xff, 0xe1, 0, byte(len(body) + 2)}, body...)
}

// The decoders of the standard library are the oracle for every kind of PNG in
// its own test suite.
func TestPNGSuite(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(build.Default.GOROOT, "src/image/png/testdata/pngsuite/*.png"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := Decode(b, DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
			continue
		}
		for y := range p.height {
			for x := range p.width {
				n := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
				got := p.pix[4*(y*p.width+x):][:4]
				for k, v := range []byte{n.R, n.G, n.B, n.A} {
					// Sixteen bits are rounded here and cut off there; what
					// is invisible has no colour.
					if n.A > 0 && abs(int(got[k])-int(v)) > 1 {
						t.Fatalf("%s at %d,%d: %v, want %v", filepath.Base(f), x, y, got, n)
					}
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range [][]byte{encode(f, sample(9, 7, true), "png"), encode(f, sample(9, 7, false), "jpeg"), gifOf(f, 3, 3), webps[0], webps[1], webps[2], hugePNG(9, 9), hugeJPEG(16)} {
		f.Add(b)
	}
	lim := Limits{Bytes: 1 << 16, Side: 512, Pixels: 1 << 16}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, info, err := Decode(b, lim)
		if err != nil {
			return
		}
		if p.width != info.Width || p.height != info.Height || len(p.pix) != 4*p.width*p.height || p.width*p.height > lim.Pixels {
			t.Fatalf("%+v, but %dx%d pixels in %d bytes", info, p.width, p.height, len(p.pix))
		}
		if m, err := Measure(b, lim); err != nil || m != info {
			t.Fatalf("Measure says %+v, %v; Decode %+v", m, err, info)
		}
	})
}

func TestLimitsOf(t *testing.T) {
	t.Parallel()
	if got := LimitsOf(Least); got != DefaultLimits {
		t.Errorf("64 megapixels: %+v", got)
	}
	small, large := Limits{1 << 20, 4096, 1 << 20}, LimitsOf(Most)
	wide := hugePNG(20000, 3000)
	if _, err := Measure(wide, DefaultLimits); err == nil {
		t.Error("20000 pixels a side are more than the default")
	}
	if info, err := Measure(wide, large); err != nil || info.Width != 20000 {
		t.Errorf("%+v %v", info, err)
	}
	if _, err := Measure(encode(t, sample(1100, 1000, false), "png"), small); !errors.Is(err, ErrOver) {
		t.Errorf("%v", err)
	}
	if got := Memory(wide, large); got != 20000*3000*8 {
		t.Errorf("%d bytes", got)
	}
	if got := Memory(wide, small); got != 0 {
		t.Errorf("%d bytes for what is not decoded", got)
	}
}

// TestCheck: the same verdict as Decode's, on sound pictures and damaged ones.
func TestCheck(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	pictures := [][]byte{gifOf(t, 9, 7), webps[0], webps[1]}
	for range 40 {
		pictures = append(pictures, drawnPNG(random, 1+random.IntN(90), 1+random.IntN(90)))
	}
	for _, b := range jpegs(t) {
		pictures = append(pictures, b)
	}
	sound, damaged := 0, 0
	for _, whole := range pictures {
		for i := range 4 {
			b := bytes.Clone(whole)
			for range i {
				b[random.IntN(len(b))] ^= 1 << random.IntN(8)
			}
			lim := Limits{Bytes: 1 << 20, Side: 4000, Pixels: 1 << 20}
			_, info, err := Decode(b, lim)
			got, why := Check(b, lim)
			if info != got || (err == nil) != (why == nil) {
				t.Errorf("%s: %+v %v, to Decode %+v %v", Sniff(b), got, why, info, err)
			}
			if err == nil {
				sound++
			} else {
				damaged++
			}
		}
	}
	if sound < 100 || damaged < 100 {
		t.Errorf("%d sound, %d damaged", sound, damaged)
	}
}

func TestSpared(t *testing.T) {
	t.Parallel()
	p := New(1, 1)
	if got := spared(func() *Picture { return p }); got != p {
		t.Error("the picture is lost")
	}
	if got := spared(func() *Picture { panic("a mistake of ours") }); got != nil {
		t.Error("a picture out of a panic")
	}
}

// TestExtendedWebP: alpha costs memory, and of an animation, which the decoder
// does not read, that is said when it is measured.
func TestExtendedWebP(t *testing.T) {
	t.Parallel()
	if plain, alpha := Memory(webps[1], DefaultLimits), Memory(webps[2], DefaultLimits); plain != 8 || alpha != 12 {
		t.Errorf("%d bytes for a pixel, %d with alpha", plain, alpha)
	}
	moves := bytes.Clone(webps[2])
	moves[20] |= webpAnimation
	if _, err := Measure(moves, DefaultLimits); err == nil || err.Error() != "imaging: webp: animations are not read" {
		t.Error(err)
	}
}

// TestCutOff: what a decoder calls an unexpected EOF is told in words.
func TestCutOff(t *testing.T) {
	t.Parallel()
	b := encode(t, sample(40, 30, false), "png")
	for _, n := range []int{10, 20, len(b) - 20, len(b) - 12} {
		if _, _, err := Decode(b[:n], DefaultLimits); err == nil || err.Error() != "imaging: png: cut off before its end" {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}
