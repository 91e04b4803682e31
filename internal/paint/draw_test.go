package paint

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// manners is a prompt for each way of drawing.
var manners = []string{
	"mountains with a lake at sunset", "mountains by day", "tropical beach", "sea", "city at night", "poppy meadow",
	"misty forest", "desert", "saturn in space", "low poly mountain", "low poly", "bauhaus tiles", "abstract gradient",
	"northern lights over a snowy forest at night", "rainy city", "blizzard in the mountains",
}

func TestEverySize(t *testing.T) {
	t.Parallel()
	for _, prompt := range manners {
		for i, size := range [][2]int{{1, 1}, {1, 90}, {90, 1}, {7, 5}, {300, 20}, {20, 300}, {65, 64}} {
			p := Draw(Order{Prompt: prompt, Width: size[0], Height: size[1], Seed: uint64(i)})
			p = Draw(Order{Prompt: prompt, Base: p, Seed: uint64(i)})
			if p.Width() != size[0] || p.Height() != size[1] || !p.Opaque() {
				t.Fatalf("%q at %v: %dx%d, opaque %v", prompt, size, p.Width(), p.Height(), p.Opaque())
			}
		}
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	base := Draw(Order{Prompt: "mountain lake by day", Width: 120, Height: 80, Seed: 4})
	upper := maskOf(t, 120, 80, func(_, y int) bool { return y < 36 })
	before := bytes.Clone(base.Pix())
	for _, prompt := range []string{
		"make it night", "sunset", "autumn", "make it teal", "put a city there", "add a moon", "snowfall", "rain and fog", "northern lights", "low poly", "qwertz",
	} {
		whole := Draw(Order{Prompt: prompt, Base: base, Seed: 9})
		if n := changed(base, whole, 0, 80); n < 100 {
			t.Errorf("%q without a mask changes %d pixels", prompt, n)
		}
		part := Draw(Order{Prompt: prompt, Base: base, Seed: 9, Mask: upper})
		if n := changed(base, part, 36, 80); n != 0 {
			t.Errorf("%q changes %d pixels outside the mask", prompt, n)
		}
		if n := changed(base, part, 0, 36); n < 50 {
			t.Errorf("%q changes only %d pixels under the mask", prompt, n)
		}
		if changed(whole, part, 0, 36) != 0 {
			t.Errorf("%q paints otherwise under a mask", prompt)
		}
	}
	if !bytes.Equal(before, base.Pix()) {
		t.Error("an edit changed the picture that it was given")
	}
}

func TestEditKeepsComposition(t *testing.T) {
	t.Parallel()
	base := Draw(Order{Prompt: "mountain by day", Width: 160, Height: 120, Seed: 2})
	night := Draw(Order{Prompt: "make it night", Base: base, Seed: 1})
	if a, b := light(base), light(night); b*2 > a {
		t.Errorf("night is %d light, day %d", b, a)
	}
	// Where the day was lighter, below the new stars, the night still is.
	agree, n := 0, 0
	for y := 60; y < 120; y++ {
		for x := range 159 {
			i := 4 * (y*160 + x)
			d, e := lightness(base.Pix()[i:])-lightness(base.Pix()[i+4:]), lightness(night.Pix()[i:])-lightness(night.Pix()[i+4:])
			if abs(d) > 90 {
				n++
				if d > 0 == (e > 0) {
					agree++
				}
			}
		}
	}
	if n < 50 || agree < n*95/100 {
		t.Errorf("%d of %d edges kept", agree, n)
	}
}

func TestEditSize(t *testing.T) {
	t.Parallel()
	base := Draw(Order{Prompt: "sea", Width: 100, Height: 60})
	p := Draw(Order{Prompt: "night", Base: base, Width: 150, Height: 150})
	if p.Width() != 150 || p.Height() != 150 {
		t.Errorf("%dx%d", p.Width(), p.Height())
	}
	other := Draw(Order{Prompt: "city", Width: 40, Height: 40})
	more := Draw(Order{Prompt: "make it teal", Base: base, More: []*imaging.Picture{other}})
	plain := Draw(Order{Prompt: "make it teal", Base: base})
	if changed(more, plain, 0, 60) < 1000 {
		t.Error("a further picture leaves no trace")
	}
}

func TestEditKeepsAlpha(t *testing.T) {
	t.Parallel()
	base := imaging.New(4, 4)
	for i := range base.Pix() {
		base.Pix()[i] = byte(i * 5)
	}
	p := Draw(Order{Prompt: "sunset", Base: base})
	for i := 3; i < len(p.Pix()); i += 4 {
		if p.Pix()[i] != base.Pix()[i] {
			t.Fatalf("alpha %d became %d", base.Pix()[i], p.Pix()[i])
		}
	}
}

// A large base is changed at a smaller size, and no pixel is lost where the mask
// forbids the change. Nothing else runs meanwhile: most is for all.
func TestEditOfLarge(t *testing.T) {
	defer func(was int) { most = was }(most)
	base := Draw(Order{Prompt: "a lake below hills", Width: 300, Height: 200})
	mask := maskOf(t, 300, 200, func(_, y int) bool { return y < 100 })
	order := Order{Prompt: "make it night", Base: base, Mask: mask, More: []*imaging.Picture{base}}
	whole := Draw(order)
	most = 150 * 100
	half := Draw(order)
	if half.Width() != 300 || half.Height() != 200 || changed(base, half, 100, 200) > 0 || changed(base, half, 0, 100) < 20_000 || changed(whole, half, 0, 100) < 10_000 {
		t.Errorf("%dx%d, %d pixels changed that must not, %d that may, %d as with a base that is not large", half.Width(), half.Height(), changed(base, half, 100, 200), changed(base, half, 0, 100), 30_000-changed(whole, half, 0, 100))
	}
	if light(half)*10 < light(whole)*9 || light(whole)*10 < light(half)*9 {
		t.Errorf("its light is %d, of a base that is not large %d", light(half), light(whole))
	}
}

func TestCanvas(t *testing.T) {
	t.Parallel()
	for _, tt := range [][4]int{{1, 1, 64, 64}, {300, 20, 300, 64}, {4096, 4096, 4096, 4096}, {8192, 8192, 4096, 4096}, {16384, 4096, 8192, 2048}, {65535, 1024, 32767, 512}, {1024, 65535, 512, 32768}} {
		if w, h := Canvas(tt[0], tt[1]); w != tt[2] || h != tt[3] {
			t.Errorf("%dx%d is changed at %dx%d, want %dx%d", tt[0], tt[1], w, h, tt[2], tt[3])
		}
	}
}

func TestSeedsAndPromptsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, prompt := range append([]string{"Alice", "Bob", "a cat", "a dog"}, manners...) {
		for seed := range uint64(2) {
			name := fmt.Sprintf("%q, seed %d", prompt, seed)
			d := imaging.Digest(Draw(Order{Prompt: prompt, Width: 64, Height: 64, Seed: seed})).String()
			if other := seen[d]; other != "" {
				t.Errorf("%s is %s", name, other)
			}
			seen[d] = name
		}
	}
}

// Candidates of an edit differ too, whatever it asks for.
func TestEditsDiffer(t *testing.T) {
	t.Parallel()
	base := Draw(Order{Prompt: "a lake below hills", Width: 64, Height: 64})
	for _, prompt := range []string{"Add a rainbow in the sky", "Swap the cat with a dog", "make it teal", "autumn", "make it night", "add rain", "x"} {
		seen := map[string]uint64{}
		for seed := range uint64(10) {
			d := imaging.Digest(Draw(Order{Prompt: prompt, Base: base, Seed: seed})).String()
			if other, ok := seen[d]; ok {
				t.Errorf("%q: seed %d is seed %d", prompt, seed, other)
			}
			seen[d] = seed
		}
	}
}

func TestStyle(t *testing.T) {
	t.Parallel()
	chroma := func(style string) (sum int) {
		pix := Draw(Order{Prompt: "mountains at sunset", Style: style, Width: 96, Height: 96, Seed: 5}).Pix()
		for i := 0; i < len(pix); i += 4 {
			sum += int(max(pix[i], pix[i+1], pix[i+2])) - int(min(pix[i], pix[i+1], pix[i+2]))
		}
		return sum
	}
	natural, plain, vivid := chroma("natural"), chroma(""), chroma("vivid")
	if natural*108 > plain*100 || plain*102 > vivid*100 {
		t.Errorf("chroma natural %d, plain %d, vivid %d", natural, plain, vivid)
	}
}

// maskOf is a mask that covers where in says so.
func maskOf(t *testing.T, w, h int, in func(x, y int) bool) *imaging.Mask {
	t.Helper()
	p := imaging.New(w, h)
	for i := range w * h {
		if !in(i%w, i/w) {
			p.Pix()[4*i+3] = 255
		}
	}
	var b bytes.Buffer
	if _, err := p.Encode(&b, "png", 0, true); err != nil {
		t.Fatal(err)
	}
	m, err := imaging.ReadMask(b.Bytes(), "transparent", imaging.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// changed counts the pixels of the rows y0 to y1 that differ.
func changed(a, b *imaging.Picture, y0, y1 int) (n int) {
	for i := 4 * y0 * a.Width(); i < 4*y1*a.Width(); i += 4 {
		if !bytes.Equal(a.Pix()[i:i+4], b.Pix()[i:i+4]) {
			n++
		}
	}
	return n
}

func lightness(p []byte) int { return int(p[0]) + int(p[1]) + int(p[2]) }

func light(p *imaging.Picture) (sum int) {
	for i := 0; i < len(p.Pix()); i += 4 {
		sum += lightness(p.Pix()[i:])
	}
	return sum
}

// BenchmarkDraw reports milliseconds a megapixel.
func BenchmarkDraw(b *testing.B) {
	for _, prompt := range manners[:13] {
		b.Run(prompt, func(b *testing.B) {
			seed := uint64(0)
			for b.Loop() {
				Draw(Order{Prompt: prompt, Width: 1024, Height: 1024, Seed: seed % 8})
				seed++
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/MP")
		})
	}
}
