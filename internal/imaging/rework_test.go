package imaging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plain is a picture of one colour.
func plain(w, h int, c ...byte) *Picture {
	p := New(w, h)
	for i := range p.pix {
		p.pix[i] = c[i%4]
	}
	return p
}

// put paints a part of p.
func put(p *Picture, r rect, c ...byte) {
	for y := r.y; y < r.y+r.height; y++ {
		for x := r.x; x < r.x+r.width; x++ {
			copy(p.pix[4*(y*p.width+x):], c)
		}
	}
}

// at is a pixel.
func at(p *Picture, x, y int) [4]byte { return [4]byte(p.pix[4*(y*p.width+x):]) }

func TestGravity(t *testing.T) {
	t.Parallel()
	// Nine fields of three pixels, numbered in red.
	p := New(9, 9)
	for i := range 9 {
		put(p, rect{i % 3 * 3, i / 3 * 3, 3, 3}, byte(10*i), 0, 0, 255)
	}
	for gravity, want := range map[string][2]int{ // the fields that a row and a column keep
		"": {4, 4}, "center": {4, 4}, "north": {1, 4}, "south": {7, 4}, "west": {4, 3}, "east": {4, 5},
		"northwest": {1, 3}, "northeast": {1, 5}, "southwest": {7, 3}, "southeast": {7, 5},
	} {
		row := Fitting{Width: 9, Height: 3, Fit: "cover", Gravity: gravity}.Of(p)
		if got := int(at(row, 4, 1)[0]) / 10; got != want[0] || row.width != 9 || row.height != 3 {
			t.Errorf("%q: a row keeps field %d, want %d", gravity, got, want[0])
		}
		column := Fitting{Width: 3, Height: 9, Fit: "cover", Gravity: gravity}.Of(p)
		if got := int(at(column, 1, 4)[0]) / 10; got != want[1] {
			t.Errorf("%q: a column keeps field %d, want %d", gravity, got, want[1])
		}
		box := Fitting{Width: 15, Height: 9, Fit: "contain", Gravity: gravity}.Of(p)
		begin := slices.IndexFunc(box.pix, func(v byte) bool { return v == 255 }) / 4 % 15
		if wantX := (want[1] - 3) * 3; begin != wantX || box.width != 15 {
			t.Errorf("%q: begins at %d, want %d", gravity, begin, wantX)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("another gravity does not panic")
		}
	}()
	Fitting{Width: 1, Height: 3, Fit: "cover", Gravity: "up"}.Of(p)
}

func TestAttention(t *testing.T) {
	t.Parallel()
	skies := func(draw func(*Picture)) *Picture { // a dull picture with something at 200 to 240
		p := New(400, 100)
		for i := 0; i < len(p.pix); i += 4 {
			copy(p.pix[i:], []byte{90, byte(95 + i/4/400/10), 100, 255})
		}
		draw(p)
		return p
	}
	face := rect{260, 30, 40, 40}
	for name, draw := range map[string]func(*Picture){
		"skin":       func(p *Picture) { put(p, face, 224, 172, 140, 255) },
		"saturation": func(p *Picture) { put(p, face, 20, 200, 60, 255) },
		"edges": func(p *Picture) {
			for i := range 10 {
				put(p, rect{face.x + 4*i, face.y, 2, face.height}, 20, 20, 20, 255)
			}
		},
	} {
		p := skies(draw)
		x, y := p.Attention(100, 100)
		if middle := x + 50; y != 0 || middle < face.x || middle > face.x+face.width {
			t.Errorf("%s: it keeps %d to %d", name, x, x+100)
		}
		// The same, standing upright.
		q := New(100, 400)
		for i := range 100 * 400 {
			copy(q.pix[4*i:], p.pix[4*(i%100*400+i/100):][:4])
		}
		if x, y := q.Attention(100, 100); x != 0 || y+50 < face.x || y+50 > face.x+face.width {
			t.Errorf("%s, upright: it keeps %d to %d", name, y, y+100)
		}
	}
	if x, y := plain(400, 100, 90, 90, 90, 255).Attention(100, 100); x != 150 || y != 0 {
		t.Errorf("of nothing it keeps %d, %d", x, y)
	}
	if x, y := plain(3, 1, 90, 9, 90, 255).Attention(3, 1); x != 0 || y != 0 {
		t.Errorf("of all it keeps %d, %d", x, y)
	}
	kept := Fitting{Width: 50, Height: 50, Fit: "cover", Gravity: "attention"}.Of(skies(func(p *Picture) { put(p, face, 224, 172, 140, 255) }))
	if c := at(kept, 25, 25); c[0] < 200 {
		t.Errorf("the middle is %v", c)
	}
}

func TestCropIsExact(t *testing.T) {
	t.Parallel()
	p := patterned(t, "noise", 20, 10)
	q := p.Crop(3, 2, 5, 4)
	for y := range 4 {
		for x := range 5 {
			if at(q, x, y) != at(p, x+3, y+2) {
				t.Fatalf("%d,%d is %v", x, y, at(q, x, y))
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a crop outside does not panic")
		}
	}()
	p.Crop(16, 0, 5, 4)
}

// A light of half the strength is 188 in sRGB, not 128.
func TestLinear(t *testing.T) {
	t.Parallel()
	p := New(64, 64)
	for i := range 64 * 64 {
		v := byte(255 * ((i + i/64) % 2))
		copy(p.pix[4*i:], []byte{v, v, v, 255})
	}
	c := at(Fitting{Width: 8, Height: 8, Fit: "fill", Linear: true}.Of(p), 4, 4)
	if c != [4]byte{188, 188, 188, 255} {
		t.Errorf("linear: %v", c)
	}
	if c := at(Fit(p, 8, 8, "fill", false), 4, 4); c[0] < 126 || c[0] > 129 {
		t.Errorf("not linear: %v", c)
	}
	for v := range 256 { // one colour stays what it is
		c := []byte{byte(v), byte(255 - v), byte(v / 2), byte(max(v, 40))}
		q := Fitting{Width: 3, Height: 5, Fit: "fill", Linear: true}.Of(plain(12, 9, c...))
		for i, x := range q.pix {
			if d := abs(int(x) - int(c[i%4])); d > 0 && (c[3] == 255 || d > 3) {
				t.Fatalf("%v becomes %v", c, q.pix[:4])
			}
		}
	}
	// What can't be seen does not shine.
	q := New(2, 1)
	copy(q.pix, []byte{255, 0, 0, 255, 0, 255, 0, 0})
	if c := at(Fitting{Width: 1, Height: 1, Fit: "fill", Linear: true}.Of(q), 0, 0); c[0] != 255 || c[1] != 0 || abs(int(c[3])-128) > 1 {
		t.Errorf("half transparent: %v", c)
	}
}

func TestLightTables(t *testing.T) {
	t.Parallel()
	table := lights()
	for v := range 256 {
		x := float64(v) / 255
		want := x / 12.92
		if x > 0.04045 {
			want = math.Pow((x+0.055)/1.055, 2.4)
		}
		if got := float64(table.of[v]) / 65535; math.Abs(got-want) > 0.6/65535 {
			t.Errorf("light of %d is %f, want %f", v, got, want)
		}
		if got := table.value[table.of[v]]; int(got) != v {
			t.Errorf("the value of the light of %d is %d", v, got)
		}
	}
	if !slices.IsSorted(table.value[:]) {
		t.Error("more light is darker somewhere")
	}
}

// A blur keeps one colour and the sum of light, and spreads as widely as asked.
func TestBlur(t *testing.T) {
	t.Parallel()
	for _, sigma := range []int{1, 30, 50, 100, 150, 250, 399, 400, 700, 1500} {
		if p := plain(31, 17, 200, 100, 50, 255); Digest(p.Blur(sigma)) != Digest(p) {
			t.Errorf("%d: one colour becomes another", sigma)
		}
		const n = 241
		p := plain(n, 1, 0, 0, 0, 255)
		for i := n/2 - 2; i <= n/2+2; i++ { // 255 is too little to measure
			put(p, rect{i, 0, 1, 1}, 255, 255, 255, 255)
		}
		plane := p.Blur(sigma)
		var sum, square float64
		for x := range n {
			v, d := float64(at(plane, x, 0)[0]), float64(x-n/2)
			sum += v
			square += v * d * d
		}
		deviation := math.Sqrt(max(square/sum-2, 0)) // of five pixels beside each other it is 2
		if want := float64(sigma) / 100; sigma >= 50 && sigma <= 700 && math.Abs(deviation-want) > 0.12*want+0.1 {
			t.Errorf("%d: the deviation is %.2f", sigma, deviation)
		}
		if math.Abs(sum-5*255) > 0.1*5*255 {
			t.Errorf("%d: the light adds up to %.0f of %d", sigma, sum, 5*255)
		}
	}
	// Colours that can't be seen don't bleed.
	p := plain(20, 20, 0, 255, 0, 0)
	put(p, rect{0, 0, 10, 20}, 255, 0, 0, 255)
	for _, sigma := range []int{150, 500} {
		q := p.Blur(sigma)
		if c := at(q, 10, 10); c[0] != 255 || c[1] != 0 || c[3] < 60 || c[3] > 190 {
			t.Errorf("%d: the edge is %v", sigma, c)
		}
	}
}

func TestAverager(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 999; n += 2 { // boxes reach 10 times the standard deviation, which is at most 100
		d := newAverager(n)
		for _, v := range []int64{0, 1, 65025, 255 * 254, 40_000} {
			for _, rest := range []int64{0, 1, int64(n) / 2, int64(n)/2 + 1, int64(n) - 1} {
				sum := v*int64(n) - rest
				if sum < 0 {
					continue
				}
				if got, want := int64(d.mean(sum)), (sum+int64(n/2))/int64(n); got != want {
					t.Fatalf("%d / %d is %d, want %d", sum, n, got, want)
				}
			}
		}
	}
}

func TestGaussian(t *testing.T) {
	t.Parallel()
	for _, sigma := range []int{1, 33, 100, 250, 399} {
		k := gaussian(sigma)
		var sum int64
		for _, w := range k {
			sum += w
		}
		if sum != 1<<16 {
			t.Errorf("%d: adds up to %d", sigma, sum)
		}
		middle := len(k) / 2
		for i, w := range k {
			d := float64(i-middle) * 100 / float64(sigma)
			want := float64(k[middle]) * math.Exp(-d*d/2)
			if math.Abs(float64(w)-want) > 2 {
				t.Errorf("%d: weight %d is %d, want %.1f", sigma, i, w, want)
			}
		}
	}
	for n := range 5000 {
		if got, want := isqrt(n), int(math.Sqrt(float64(n))); got != want {
			t.Fatalf("the root of %d is %d, want %d", n, got, want)
		}
	}
}

func TestSharpen(t *testing.T) {
	t.Parallel()
	if p := plain(9, 9, 200, 100, 50, 128); Digest(p.Sharpen(300)) != Digest(p) {
		t.Error("one colour becomes another")
	}
	p := plain(20, 5, 100, 100, 100, 255)
	put(p, rect{10, 0, 10, 5}, 150, 150, 150, 255)
	q := p.Sharpen(100)
	if dark, light := at(q, 9, 2)[0], at(q, 10, 2)[0]; dark >= 95 || light <= 155 {
		t.Errorf("an edge of 100 and 150 becomes one of %d and %d", dark, light)
	}
	if far := at(q, 1, 2)[0]; far != 100 {
		t.Errorf("far from the edge it is %d", far)
	}
}

func TestGrayscale(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		c    [4]byte
		want byte
	}{{[4]byte{255, 255, 255, 255}, 255}, {[4]byte{0, 0, 0, 9}, 0}, {[4]byte{255, 0, 0, 255}, 54}, {[4]byte{0, 255, 0, 255}, 182}, {[4]byte{0, 0, 255, 7}, 18}, {[4]byte{77, 77, 77, 0}, 77}} {
		if got := at(plain(1, 1, tt.c[:]...).Grayscale(), 0, 0); got != [4]byte{tt.want, tt.want, tt.want, tt.c[3]} {
			t.Errorf("%v becomes %v, want %d", tt.c, got, tt.want)
		}
	}
}

func TestOn(t *testing.T) {
	t.Parallel()
	p := New(3, 1)
	copy(p.pix, []byte{255, 0, 0, 255, 255, 0, 0, 128, 255, 0, 0, 0})
	q := p.On([3]byte{0, 100, 200})
	if want := []byte{255, 0, 0, 255, 128, 50, 100, 255, 0, 100, 200, 255}; !bytes.Equal(q.pix, want) {
		t.Errorf("%v, want %v", q.pix, want)
	}
}

// The pixels of renditions are the same on every platform and in every release.
func TestRenditionPixels(t *testing.T) {
	t.Parallel()
	glass, smooth := patterned(t, "glass", 97, 61), patterned(t, "smooth", 97, 61)
	for name, tt := range map[string]struct {
		p    *Picture
		want string
	}{
		"attention":       {Fitting{Width: 40, Height: 40, Fit: "cover", Gravity: "attention"}.Of(smooth), "3b74d9d16612"},
		"linear":          {Fitting{Width: 40, Height: 30, Fit: "fill", Linear: true}.Of(smooth), "cb1ed1615f35"},
		"linear, glass":   {Fitting{Width: 40, Height: 30, Fit: "fill", Linear: true}.Of(glass), "3dec2ae5dd9d"},
		"grayscale":       {glass.Grayscale(), "6b368e1200fe"},
		"a little blur":   {glass.Blur(80), "04cc6347075f"},
		"much blur":       {smooth.Blur(800), "5f4e523d94fc"},
		"sharpen":         {glass.Sharpen(150), "9d276137ac27"},
		"on a background": {glass.On([3]byte{10, 200, 90}), "ba49611f9203"},
	} {
		if d := Digest(tt.p).Short(); d != tt.want {
			t.Errorf("%s: %s, want %s", name, d, tt.want)
		}
	}
}

func TestRawPixels(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := New(3, 2)
	for i := range p.pix {
		p.pix[i] = byte(10 * i)
	}
	if err := p.WritePNM(&b); err != nil || b.String() != "P7\nWIDTH 3\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"+string(p.pix) {
		t.Errorf("%q, %v", b.String(), err)
	}
	b.Reset()
	if err := plain(2, 1, 1, 2, 3, 255).WritePNM(&b); err != nil || b.String() != "P6\n2 1\n255\n\x01\x02\x03\x01\x02\x03" {
		t.Errorf("%q, %v", b.String(), err)
	}
	for _, tt := range []struct {
		p        *Picture
		lossless bool
		kind     string
		planes   string
	}{
		{plain(3, 2, 255, 0, 0, 255), false, "420jpeg", strings.Repeat("\x4c", 6) + "\x55\x55\xff\xff"},
		{plain(3, 2, 255, 255, 255, 255), false, "420jpeg", strings.Repeat("\xff", 6) + "\x80\x80\x80\x80"},
		{plain(1, 2, 0, 0, 0, 7), false, "444alpha", "\x00\x00\x80\x80\x80\x80\x07\x07"},
		{plain(2, 1, 1, 2, 3, 255), true, "444", "\x02\x02\x03\x03\x01\x01"},
		{plain(1, 1, 1, 2, 3, 4), true, "444alpha", "\x02\x03\x01\x04"},
	} {
		b.Reset()
		want := fmt.Sprintf("YUV4MPEG2 W%d H%d F1:1 Ip A1:1 C%s XCOLORRANGE=FULL\nFRAME\n%s", tt.p.width, tt.p.height, tt.kind, tt.planes)
		if err := tt.p.WriteY4M(&b, tt.lossless); err != nil || b.String() != want {
			t.Errorf("%q, want %q, %v", b.String(), want, err)
		}
	}
}

// isoBox is a box of ISO/IEC 14496-12.
func isoBox(kind string, parts ...string) string {
	body := strings.Join(parts, "")
	n := len(body) + 8
	return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + kind + body
}

func avifOf(brand string, w, h uint32, rest ...string) string {
	side := func(n uint32) string { return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) }
	return isoBox("ftyp", brand, "\x00\x00\x00\x00", "mif1", "avif") +
		isoBox("meta", "\x00\x00\x00\x00", isoBox("hdlr", "pict"), isoBox("iprp", isoBox("ipco", isoBox("ispe", "\x00\x00\x00\x00", side(8), side(8)), isoBox("ispe", "\x00\x00\x00\x00", side(w), side(h))))) +
		strings.Join(rest, "")
}

func TestMeasureAVIF(t *testing.T) {
	t.Parallel()
	data := isoBox("mdat", "pixels")
	good := avifOf("mif1", 640, 480, data)
	info, err := MeasureAVIF([]byte(good), DefaultLimits)
	if err != nil || info != (Info{"avif", "image/avif", 640, 480}) {
		t.Fatalf("%+v, %v", info, err)
	}
	for name, tt := range map[string]struct{ b, want string }{
		"nothing":      {"", "not an AVIF"},
		"text":         {"all is well, and this is no picture", "cut off"},
		"another":      {isoBox("ftyp", "heic", "\x00\x00\x00\x00", "mif1") + data, "not an AVIF"},
		"a version":    {isoBox("ftyp", "heic", "avif") + good[32:], "not an AVIF"},
		"no pixels":    {avifOf("avif", 640, 480), "without a picture"},
		"no size":      {isoBox("ftyp", "avif") + data, "without a picture"},
		"large":        {avifOf("avif", 16385, 1, data), "over the limits"},
		"many":         {avifOf("avif", 16000, 16000, data), "over the limits"},
		"vast":         {avifOf("avif", 1<<31-1, 1<<31-1, data), "over the limits"},
		"short box":    {isoBox("ftyp", "avif") + "\x00\x00\x00\x04meta", "cut off"},
		"long box":     {isoBox("ftyp", "avif") + "\x00\x00\x00\x01meta\xff\xff\xff\xff\xff\xff\xff\xff", "cut off"},
		"a short meta": {isoBox("ftyp", "avif") + isoBox("meta", "ab"), "cut off"},
		"many bytes":   {strings.Repeat("x", int(DefaultLimits.Bytes)+1), "over the limit"},
	} {
		if _, err := MeasureAVIF([]byte(tt.b), DefaultLimits); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	for n := range len(good) {
		if _, err := MeasureAVIF([]byte(good[:n]), DefaultLimits); err == nil {
			t.Fatalf("the first %d of %d bytes are a picture", n, len(good))
		}
	}
	if Sniff([]byte(good)) != "" {
		t.Error("AVIF is read")
	}
}

// FuzzAVIF: what measures tells a size within the limits, of a file that has it
// and pixels, and tells the same with something behind it.
func FuzzAVIF(f *testing.F) {
	data := isoBox("mdat", "pixels")
	f.Add([]byte(avifOf("avif", 640, 480, data)))
	f.Add([]byte(avifOf("mif1", 1<<31-1, 1, isoBox("free"), data)))
	f.Add([]byte(avifOf("avis", 3, 2, "\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x14rest")))
	f.Add([]byte(avifOf("avif", 9, 9, "\x00\x00\x00\x00mdatto the end")))
	lim := Limits{Bytes: 1 << 16, Side: 4096, Pixels: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := MeasureAVIF(b, lim)
		if err != nil {
			return
		}
		if w, h := info.Width, info.Height; info.Format != "avif" || w < 1 || h < 1 || w > lim.Side || h > lim.Side || w*h > lim.Pixels || len(b) > int(lim.Bytes) {
			t.Fatalf("%+v of %d bytes", info, len(b))
		}
		size := append(binary.BigEndian.AppendUint32(nil, uint32(info.Width)), binary.BigEndian.AppendUint32(nil, uint32(info.Height))...)
		if !bytes.Contains(b, size) || !bytes.Contains(b, []byte("mdat")) {
			t.Fatalf("%+v is made up", info)
		}
		if more, err := MeasureAVIF(append(b, isoBox("free", "x")...), DefaultLimits); err != nil || more != info {
			t.Fatalf("%+v, and with a box behind it %+v %v", info, more, err)
		}
	})
}

// What one output makes of a JPEG does not depend on what else is made of it.
func TestFittingsBesideOthers(t *testing.T) {
	t.Parallel()
	p := New(1024, 512)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range p.pix {
		if p.pix[i] = byte(r.Uint32()); i%4 == 3 {
			p.pix[i] = 255
		}
	}
	var b bytes.Buffer
	if _, err := p.Encode(&b, "jpeg", 90, false); err != nil {
		t.Fatal(err)
	}
	for _, f := range []Fitting{
		{Width: 64, Height: 32, Fit: "fill"}, {Width: 100, Height: 100, Fit: "cover", Gravity: "west"},
		{Width: 200, Height: 500, Fit: "cover", Gravity: "attention"}, {Width: 64, Fit: "cover", Linear: true},
	} {
		alone, _, err := DecodeFor(b.Bytes(), DefaultLimits, f.Box())
		if err != nil {
			t.Fatal(err)
		}
		beside, _, err := DecodeFor(b.Bytes(), DefaultLimits, Box{Width: 256, Height: 128, Fit: "fill"}, f.Box(), Box{Width: 128, Height: 64, Fit: "fill"}, Box{})
		if err != nil {
			t.Fatal(err)
		}
		if Digest(f.Of(alone)) != Digest(f.Of(beside)) {
			t.Errorf("%+v: other pixels beside other outputs", f)
		}
	}
}

// TestFittingSize: the size is known before anything is scaled.
func TestFittingSize(t *testing.T) {
	t.Parallel()
	for _, p := range []*Picture{New(40, 30), New(7, 31), New(1, 1)} {
		for _, fit := range []string{"cover", "contain", "fill", "inside", "outside"} {
			for _, box := range [][2]int{{20, 0}, {0, 20}, {20, 20}, {64, 10}, {10, 64}, {3, 3}} {
				for _, enlarge := range []bool{false, true} {
					f := Fitting{Width: box[0], Height: box[1], Fit: fit, Enlarge: enlarge}
					w, h := f.Size(p.Width(), p.Height())
					if got := f.Of(p); got.Width() != w || got.Height() != h {
						t.Errorf("%+v of %dx%d: %dx%d, and was told as %dx%d", f, p.Width(), p.Height(), got.Width(), got.Height(), w, h)
					}
				}
			}
		}
	}
}
