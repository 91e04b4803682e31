package imaging

import (
	"fmt"
	"image"
	"image/draw"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/image/vector"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/shape"
)

func drawn(t testing.TB, text string, width, height int) *Mask {
	t.Helper()
	d, err := shape.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	m, faults := DrawMask(d, width, height)
	if len(faults) > 0 {
		t.Fatalf("%s: %v", text, faults)
	}
	return m
}

// pixels is how many pixels may change, in whole ones.
func (m *Mask) pixels() float64 {
	sum := 0
	for _, c := range m.cover {
		sum += int(c)
	}
	return float64(sum) / 255
}

// Whole pixels are covered wholly or not at all.
func TestDrawRect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		inside func(x, y int) bool
	}{
		{"rect(10,20,30,40)", func(x, y int) bool { return x >= 10 && x < 40 && y >= 20 && y < 60 }},
		{"rect(-10,-10,20,20)", func(x, y int) bool { return x < 10 && y < 10 }},
		{"rect(90%,50%,50%,500)", func(x, y int) bool { return x >= 90 && y >= 40 }},
		{"rect(0,0,100%,100%)", func(x, y int) bool { return true }},
		{"rect(0,0,100%,100%);!rect(50%,0,50%,100%)", func(x, y int) bool { return x < 50 }},
		{"rect(0,0,10,10);rect(5,5,10,10)", func(x, y int) bool { return x < 10 && y < 10 || x >= 5 && x < 15 && y >= 5 && y < 15 }},
		{"polygon(0,0,10,0,10,10,0,10)", func(x, y int) bool { return x < 10 && y < 10 }},
		{"path(M0,0h20v20h-20ZM5,5v10h10v-10Z)", func(x, y int) bool { return x < 20 && y < 20 && !(x >= 5 && x < 15 && y >= 5 && y < 15) }}, // the other way: a hole
		{"path(M0,0h20v20h-20ZM5,5h10v10h-10Z)", func(x, y int) bool { return x < 20 && y < 20 }},
		{"path(M-50,10L-50,20H200V10ZM-9,30h-9v9h9Z)", func(x, y int) bool { return y >= 10 && y < 20 }},
	} {
		m := drawn(t, c.text, 100, 80)
		for i, v := range m.cover {
			want := byte(0)
			if c.inside(i%100, i/100) {
				want = 255
			}
			if v != want {
				t.Fatalf("%s: pixel %d,%d has %d, want %d", c.text, i%100, i/100, v, want)
			}
		}
	}
	if m := drawn(t, "rect(1.5,2.25,2,1)", 6, 4); fmt.Sprint(m.cover[12:18], m.cover[18:24]) != "[0 96 191 96 0 0] [0 32 64 32 0 0]" {
		t.Errorf("%v", m.cover)
	}
}

func TestDrawArea(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want float64
	}{
		{"ellipse(50%,50%,200,100)", math.Pi * 200 * 100}, {"ellipse(300,200,7.5)", math.Pi * 7.5 * 7.5}, {"ellipse(0,0,100)", math.Pi * 100 * 100 / 4},
		{"rect(10,10,100,50,25)", 100*50 - 25*25*(4-math.Pi)}, {"polygon(0,0,600,0,0,400)", 120000}, {"rect(0,0,33.333333%,12.5)", 200 * 12.5},
		{"ellipse(50%,50%,200,100);!ellipse(50%,50%,100,50)", math.Pi * (200*100 - 100*50)},
		{"path(0,0,10,10|M5,0L10,10L0,10Z)", 120000},
		{"rect(100,100,200,200)~40", 40000}, {"rect(100,100,200,200);~40", 40000}, // as much within as without, but for the corners
	} {
		if got := drawn(t, c.text, 600, 400).pixels(); math.Abs(got-c.want) > 0.01*c.want {
			t.Errorf("%s: %.1f pixels, want %.1f", c.text, got, c.want)
		}
	}
}

func TestFeather(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7, 12, 50} {
		for _, text := range []string{"rect(50%%,0,50%%,100%%)~%d", "rect(50%%,0,50%%,100%%);~%d"} {
			m := drawn(t, fmt.Sprintf(text, n), 200, 60)
			row := m.cover[30*200 : 31*200]
			soft := 0
			for x := range row {
				if a, b := int(row[x]), int(row[199-x]); a+b < 254 || a+b > 256 {
					t.Errorf("feather %d: %d at %d and %d at %d", n, a, x, b, 199-x)
				}
				if x > 0 && row[x] < row[x-1] {
					t.Errorf("feather %d: it falls at %d", n, x)
				}
				if row[x] > 0 && row[x] < 255 {
					soft++
				}
				if row[x] != m.cover[x] { // the border of the picture does not fade
					t.Errorf("feather %d: %d at the border, %d inside", n, m.cover[x], row[x])
				}
			}
			if soft < n-2 || soft > n {
				t.Errorf("feather %d: %d pixels are soft", n, soft)
			}
		}
	}
	// A figure looks the same from all sides.
	m := drawn(t, "rect(20,20,21,21)~9", 61, 61)
	for i, c := range m.cover {
		x, y := i%61, i/61
		if turned := int(c) - int(m.cover[x*61+y]); c != m.cover[y*61+60-x] || c != m.cover[(60-y)*61+x] || turned < -1 || turned > 1 {
			t.Fatalf("pixel %d,%d has %d", x, y, c)
		}
	}
	// Only what has a feather is soft.
	m = drawn(t, "rect(0,0,10,100%);rect(50,0,50,100%)~20", 100, 20)
	if m.cover[9] != 255 || m.cover[10] != 0 || m.cover[50] == 0 || m.cover[50] == 255 {
		t.Errorf("%v", m.cover[:100])
	}
}

func TestDrawFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"rect(100,0,5,5)":                 "0 lies outside of the picture, which is 100x80 | move it into the picture, or remove it",
		"rect(0,-20,100%,20)":             "0 lies outside of the picture, which is 100x80 | move it into the picture, or remove it",
		"polygon(0,0,10,10,20,20)":        "0 has no area in the picture, which is 100x80 | make it larger, or remove it",
		"path(M0,0h50h-50Z)":              "0 has no area in the picture, which is 100x80 | make it larger, or remove it",
		"rect(0,0,0.001,5)":               "0 has no area in the picture, which is 100x80 | make it larger, or remove it",
		"rect(0,0,5,5)~81":                "0 has a feather of 81 pixels, which is larger than the picture of 100x80 | write a smaller feather",
		"rect(0,0,5,5);~101%":             "-1 has a feather of 81 pixels, which is larger than the picture of 100x80 | write a smaller feather",
		"rect(90000,0,90000,1)":           "0 can't be drawn: it goes farther than 100000 from the picture | keep it near the picture",
		"rect(0,0,5,5);!ellipse(-9,-9,9)": "1 lies outside of the picture, which is 100x80 | move it into the picture, or remove it",
	} {
		d, err := shape.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		_, faults := DrawMask(d, 100, 80)
		got := ""
		for _, f := range faults {
			got += fmt.Sprintf("%d %s | %s", f.Shape, f.Text, f.Hint)
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", text, got, want)
		}
	}
}

// A peer: x/image/vector fills the same polygons. It gets their edges in short
// pieces, for it rounds the slope of an edge once for all of its rows.
func TestFillLikeVector(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var args []string
		var points [][2]float32
		for range 3 + rnd.IntN(3) {
			x, y := rnd.IntN(160)-20, rnd.IntN(130)-20
			args, points = append(args, fmt.Sprint(x), fmt.Sprint(y)), append(points, [2]float32{float32(x), float32(y)})
		}
		z := vector.NewRasterizer(120, 90)
		z.DrawOp = draw.Src
		z.MoveTo(points[0][0], points[0][1])
		for i, a := range points {
			b := points[(i+1)%len(points)]
			for k := range 128 {
				t := float32(k+1) / 128
				z.LineTo(a[0]+t*(b[0]-a[0]), a[1]+t*(b[1]-a[1]))
			}
		}
		want := image.NewAlpha(image.Rect(0, 0, 120, 90))
		z.Draw(want, want.Rect, image.Opaque, image.Point{})
		text := "polygon(" + strings.Join(args, ",") + ")"
		d, err := shape.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := DrawMask(d, 120, 90)
		for i, c := range got.cover {
			if off := int(c) - int(want.Pix[i]); off < -6 || off > 6 {
				t.Fatalf("round %d, %s: pixel %d,%d has %d, vector says %d", round, text, i%120, i/120, c, want.Pix[i])
			}
		}
	}
}

// What a long edge rounds away in one row does not stay in those below: forty
// slanted bars end before the last columns.
func TestFillLeavesNothing(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "M%d,0h2v512h198Z", i*7)
	}
	m := drawn(t, "path("+b.String()+")", 512, 512)
	for i, c := range m.cover {
		if i%512 >= 480 && c != 0 {
			t.Fatalf("pixel %d,%d has %d", i%512, i/512, c)
		}
	}
}

// The pixels of masks, on every platform: they are what is sent and what an
// original is put back by.
func TestMaskGolden(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"rect(10%,12.5,50%,40%,9)":                                                      "7cdec9d94948",
		"ellipse(50%,50%,33.3%,20%);~12":                                                "d9008fc4e514",
		"ellipse(50%,50%,40%)~5%;!rect(0,0,50%,50%)~3":                                  "6332f9f5512d",
		"path(0,0,24,24|M12,2a10,10,30,1,0,0.5,0Q3,3,2,9T12,12C1,2,3,4,5,20S9,9,12,2Z)": "3d80bacadca8",
	} {
		if got := digest.OfContent(drawn(t, text, 701, 523).cover).Short(); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func BenchmarkDrawMask(b *testing.B) {
	for _, text := range []string{"rect(0,0,100%,45%)", "ellipse(50%,50%,40%,40%)", "ellipse(50%,50%,40%,40%);~24"} {
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				drawn(b, text, 1792, 1024)
			}
		})
	}
}
