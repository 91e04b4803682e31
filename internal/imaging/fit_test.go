package imaging

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w, h    int
		fit     string
		enlarge bool
		want    string // crop, picture, box
	}{
		{400, 200, "cover", false, "0,100 800x400 400x200 400x200"},
		{100, 200, "cover", false, "250,0 300x600 100x200 100x200"},
		{800, 600, "cover", false, "0,0 800x600 800x600 800x600"},
		{400, 0, "cover", false, "0,0 800x600 400x300 400x300"},
		{0, 300, "cover", false, "0,0 800x600 400x300 400x300"},
		{0, 0, "cover", false, "0,0 800x600 800x600 800x600"},
		{1600, 800, "cover", true, "0,100 800x400 1600x800 1600x800"},
		{1600, 800, "cover", false, "0,100 800x400 800x400 800x400"},
		{600, 1200, "cover", false, "250,0 300x600 300x600 300x600"},
		{1600, 0, "cover", false, "0,0 800x600 800x600 800x600"},
		{1600, 0, "cover", true, "0,0 800x600 1600x1200 1600x1200"},
		{400, 400, "contain", false, "0,0 800x600 400x300 400x400"},
		{400, 200, "contain", false, "0,0 800x600 267x200 400x200"},
		{2400, 1200, "contain", false, "0,0 800x600 800x600 1200x600"},
		{2400, 1200, "contain", true, "0,0 800x600 1600x1200 2400x1200"},
		{400, 400, "inside", false, "0,0 800x600 400x300 400x300"},
		{2000, 2000, "inside", false, "0,0 800x600 800x600 800x600"},
		{2000, 2000, "inside", true, "0,0 800x600 2000x1500 2000x1500"},
		{300, 300, "outside", false, "0,0 800x600 400x300 400x300"},
		{900, 300, "outside", false, "0,0 800x600 800x600 800x600"},
		{900, 300, "outside", true, "0,0 800x600 900x675 900x675"},
		{100, 500, "fill", false, "0,0 800x600 100x500 100x500"},
		{1600, 300, "fill", false, "0,0 800x600 800x150 800x150"},
		{1600, 300, "fill", true, "0,0 800x600 1600x300 1600x300"},
		{1, 0, "cover", false, "0,0 800x600 1x1 1x1"},
	} {
		p := place(800, 600, c.w, c.h, c.fit, c.enlarge)
		got := fmt.Sprintf("%d,%d %dx%d %dx%d %dx%d", p.crop.x, p.crop.y, p.crop.width, p.crop.height, p.width, p.height, p.boxWidth, p.boxHeight)
		if got != c.want {
			t.Errorf("%dx%d %s, enlarge %v: %s, want %s", c.w, c.h, c.fit, c.enlarge, got, c.want)
		}
		if w, h := (Fitting{Width: c.w, Height: c.h, Fit: c.fit, Enlarge: c.enlarge}).Size(800, 600); !strings.HasSuffix(c.want, fmt.Sprintf(" %dx%d", w, h)) {
			t.Errorf("%dx%d %s, enlarge %v: the size is told to be %dx%d, want that of %s", c.w, c.h, c.fit, c.enlarge, w, h, c.want)
		}
	}
}

func TestFitUnknown(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Fit(New(2, 2), 1, 1, "squeeze", false)
}

// Every fit of every size gives the size that place says, and no panic.
func TestFitSizes(t *testing.T) {
	t.Parallel()
	for _, alpha := range []bool{false, true} {
		p := sample(23, 11, alpha)
		for _, fit := range []string{"cover", "contain", "fill", "inside", "outside"} {
			for _, enlarge := range []bool{false, true} {
				for w := 0; w < 30; w += 3 {
					for h := range 14 {
						q := Fit(p, w, h, fit, enlarge)
						pl := place(23, 11, w, h, fit, enlarge)
						if q.width != pl.boxWidth || q.height != pl.boxHeight || len(q.pix) != 4*q.width*q.height {
							t.Fatalf("%s %dx%d: %dx%d", fit, w, h, q.width, q.height)
						}
						if !enlarge && fit != "contain" && (q.width > 23 || q.height > 11) {
							t.Fatalf("%s %dx%d enlarged to %dx%d", fit, w, h, q.width, q.height)
						}
					}
				}
			}
		}
	}
}

func lanczosFloat(x float64) float64 {
	if x == 0 {
		return 1
	}
	if x >= 3 {
		return 0
	}
	return 3 * math.Sin(math.Pi*x) * math.Sin(math.Pi*x/3) / (math.Pi * math.Pi * x * x)
}

func TestLanczos(t *testing.T) {
	t.Parallel()
	for x := int64(0); x < 3<<20+100; x += 37 {
		got, want := float64(lanczos(x))/(1<<28), lanczosFloat(float64(x)/(1<<20))
		if math.Abs(got-want) > 1e-5 {
			t.Fatalf("at %g: %.8f, want %.8f", float64(x)/(1<<20), got, want)
		}
	}
}

// Weights add up, and stay within what a lane has room for.
func TestFilterBounds(t *testing.T) {
	t.Parallel()
	for src := 1; src < 40; src++ {
		for dst := 1; dst < 40; dst++ {
			for i, tp := range filter(0, src, 1, src, dst).taps {
				sum, low, high := int64(0), int64(0), int64(0)
				for _, w := range tp.weights {
					sum += w
					low, high = low+min(w, 0), high+max(w, 0)
				}
				if sum != 1<<weightBits || tp.first < 0 || tp.first+len(tp.weights) > src {
					t.Fatalf("%d to %d, pixel %d: from %d, %v", src, dst, i, tp.first, tp.weights)
				}
				if bias+half+255*low < 0 || bias+half+255*high > laneMask || wideBias+half+wideMax*low < 0 || wideBias+half+wideMax*high >= 1<<32 {
					t.Fatalf("%d to %d, pixel %d: lanes overflow: %v", src, dst, i, tp.weights)
				}
			}
		}
	}
}

// resizeFloat is the same filter in floating point, straight from its
// definition.
func resizeFloat(p *Picture, w, h int) []float64 {
	axis := func(src, dst int) [][]float64 {
		out := make([][]float64, dst)
		for i := range out {
			out[i] = make([]float64, src)
			scale := max(1, float64(src)/float64(dst))
			center := (float64(i)+.5)*float64(src)/float64(dst) - .5
			total := 0.0
			for j := range out[i] {
				out[i][j] = lanczosFloat(math.Abs(float64(j)-center) / scale)
				total += out[i][j]
			}
			for j := range out[i] {
				out[i][j] /= total
			}
		}
		return out
	}
	ys, xs := axis(p.height, h), axis(p.width, w)
	out := make([]float64, 4*w*h)
	for y := range h {
		for x := range w {
			var c [4]float64
			for j, wy := range ys[y] {
				for i, wx := range xs[x] {
					q := p.pix[4*(j*p.width+i):][:4]
					a := float64(q[3]) / 255
					for k := range 3 {
						c[k] += wx * wy * float64(q[k]) * a
					}
					c[3] += wx * wy * a
				}
			}
			a := min(max(c[3], 0), 1)
			for k := range 3 {
				if a > 0 {
					out[4*(y*w+x)+k] = min(max(c[k]/a, 0), 255)
				}
			}
			out[4*(y*w+x)+3] = a * 255
		}
	}
	return out
}

func TestResizeAgainstFloat(t *testing.T) {
	t.Parallel()
	for _, alpha := range []bool{false, true} {
		p := New(61, 43)
		for y := range 43 {
			for x := range 61 {
				a := byte(255)
				if alpha {
					a = byte(128 + 127*math.Sin(float64(x)/9))
				}
				copy(p.pix[4*(y*61+x):], []byte{byte(128 + 100*math.Sin(float64(x*y)/70)), byte(128 + 100*math.Cos(float64(x)/5)), byte(y * 5), a})
			}
		}
		for _, size := range [][2]int{{20, 14}, {61, 20}, {30, 43}, {80, 50}, {7, 5}, {1, 1}} {
			got, want := Fit(p, size[0], size[1], "fill", true), resizeFloat(p, size[0], size[1])
			worst := 0.0
			for i, v := range got.pix {
				if want[i|3] > 20 {
					worst = max(worst, math.Abs(float64(v)-want[i]))
				}
			}
			if worst > 2.5 {
				t.Errorf("alpha %v, %v: differs by %.1f", alpha, size, worst)
			}
		}
	}
}

// What is invisible has no influence on what is visible.
func TestFitAlphaDoesNotBleed(t *testing.T) {
	t.Parallel()
	p := New(40, 40)
	for i := range 1600 {
		if i%40 < 20 {
			copy(p.pix[4*i:], []byte{200, 100, 50, 255})
		} else {
			copy(p.pix[4*i:], []byte{0, 255, 0, 0})
		}
	}
	q := Fit(p, 13, 13, "fill", false)
	for i := 0; i < len(q.pix); i += 4 {
		if c := q.pix[i:]; c[3] > 8 && (abs(int(c[0])-200) > 3 || abs(int(c[1])-100) > 3 || abs(int(c[2])-50) > 3) {
			t.Fatalf("pixel %d is %v", i/4, c[:4])
		}
	}
}

func TestFitFlat(t *testing.T) {
	t.Parallel()
	for _, a := range []byte{255, 254, 1} {
		p := New(50, 30)
		for i := range 1500 {
			copy(p.pix[4*i:], []byte{255, 0, 77, a})
		}
		for _, size := range [][2]int{{17, 9}, {120, 80}} {
			q := Fit(p, size[0], size[1], "fill", true)
			for i := 0; i < len(q.pix); i += 4 {
				if string(q.pix[i:i+4]) != string([]byte{255, 0, 77, a}) {
					t.Fatalf("alpha %d, %v: %v", a, size, q.pix[i:i+4])
				}
			}
		}
	}
}

func TestFitLeavesSourceAlone(t *testing.T) {
	t.Parallel()
	p := sample(20, 20, true)
	before := Digest(p)
	for _, size := range []int{20, 10} {
		q := Fit(p, size, size, "cover", false)
		for i := range q.pix {
			q.pix[i] = 9
		}
	}
	if Digest(p) != before {
		t.Error("changed")
	}
}

// The same to the bit on every platform: these pixels may not change without a
// new version of the recipe.
func TestFitGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alpha   bool
		w, h    int
		fit     string
		enlarge bool
		want    string
	}{
		{false, 64, 36, "cover", false, "df902eeddfe1"},
		{true, 64, 36, "cover", false, "4d25f5f4d083"},
		{false, 40, 40, "contain", false, "33f03ffaf5a0"},
		{false, 300, 200, "fill", true, "bbf42b9e19e1"},
		{true, 300, 200, "fill", true, "18014bee012d"},
	} {
		if got := Digest(Fit(sample(160, 120, c.alpha), c.w, c.h, c.fit, c.enlarge)).Short(); got != c.want {
			t.Errorf("%dx%d %s, alpha %v: %s, want %s", c.w, c.h, c.fit, c.alpha, got, c.want)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	for _, alpha := range []bool{false, true} {
		p := sample(1792, 1024, alpha)
		b.Run(fmt.Sprintf("1792to640/alpha=%v", alpha), func(b *testing.B) {
			for b.Loop() {
				Fit(p, 640, 0, "cover", false)
			}
		})
	}
}
