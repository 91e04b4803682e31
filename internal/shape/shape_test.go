package shape

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, err string }{
		{"12", "12", ""}, {"-3.50", "-3.5", ""}, {"45%", "45%", ""}, {"+0.125", "0.125", ""}, {".5", "0.5", ""}, {"5.", "5", ""}, {"-0", "0", ""},
		{"1e2", "100", ""}, {"1.5E-1", "0.15", ""}, {"33.33333333%", "33.333333%", ""}, {"0.0000005", "0.000001", ""}, {"0.0000004", "0", ""},
		{"100000", "100000", ""}, {"99999.9999999", "100000", ""}, {"1e-999999999999", "0", ""}, {"0e999999999999", "0", ""},
		{"12345.678901234567890123", "12345.678901", ""}, {"000000000000000000000012", "12", ""},
		{"100001", "", "larger"}, {"1e9", "", "larger"}, {"99999999999999999999999999", "", "larger"},
		{"", "", "neither"}, {"%", "", "neither"}, {"px", "", "neither"}, {"12px", "", "neither"}, {"1 ", "", "neither"}, {"1%%", "", "neither"}, {"--1", "", "neither"}, {"1.2.3", "", "neither"}, {"NaN", "", "neither"},
	} {
		l, err := ParseLength(c.in)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q", c.in, err, c.err)
			}
			continue
		}
		if err != nil || l.String() != c.want {
			t.Errorf("%q: %q %v, want %q", c.in, l, err, c.want)
		}
		if again, err := ParseLength(l.String()); err != nil || again != l {
			t.Errorf("%q: %v is read as %v %v", c.in, l, again, err)
		}
	}
}

func TestLengthOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		l          string
		side, want int
		whole      bool
	}{{"7", 3, 7, true}, {"0%", 9, 0, true}, {"50%", 9, 5, true}, {"50%", 10, 5, true}, {"100%", 16384, 16384, true}, {"33.333%", 3, 1, true}, {"0.005%", 10000, 1, true}, {"2.5", 1, 3, false}, {"-50%", 9, -5, true}} {
		l, err := ParseLength(tt.l)
		if got := l.Of(tt.side); err != nil || got != tt.want || l.Whole() != tt.whole {
			t.Errorf("%s of %d is %d, %t, %v; want %d, %t", tt.l, tt.side, got, l.Whole(), err, tt.want, tt.whole)
		}
	}
}

// Parts in percent that meet cover each pixel once.
func TestSpansMeet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.IntRange(1, 5000).Draw(t, "side")
		cut := Length{rapid.Int64Range(1, 100*unit-1).Draw(t, "cut"), true}
		at, a := cut.Span(Length{0, true}, side)
		x, b := Length{100*unit - cut.micro, true}.Span(cut, side)
		if at != 0 || x != a || x+b != side {
			t.Fatalf("%s: %d to %d and %d to %d of %d", cut, at, a, x, x+b, side)
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"rect(0,0,100%,45%)", "rect(-5,2.5,10,10,3)~12", "ellipse(50%,50%,20%)", "ellipse(1,2,3,4%)",
		"polygon(0,0,100%,0,50%,100%)", "path(M0,0L10,0L5,8Z)", "path(0,0,24,24|M0,0l1,2Z)",
		"ellipse(1,2,3);rect(0,0,1,1);!rect(0,0,2,2)~4%;~12",
	} {
		d, err := Parse(text)
		if err != nil || d.String() != text {
			t.Errorf("%s: %v %v", text, d, err)
		}
	}
	for text, want := range map[string]string{
		"": "no text", "rect": "no text", "rect(": "no text", "rect(0,0,1,1)x": "no text", "rect(0,0,1,1);": "no text",
		"rect(0,0,1)": "4 or 5 numbers", "rect(0,0,1,1,1,1)": "4 or 5 numbers", "circle(0,0,1)": "no shape",
		"rect(0,0,0,1)": "0, so", "rect(0,0,1,-1)": "negative", "rect(0,0,1,1,-1)": "negative", "rect(0,0,1,1)~-1": "negative", "rect(0,0,1,1);~-1": "negative",
		"rect(00,0,1,1)": "no text", "rect(0.0,0,1,1)": "no text", "rect(0, 0,1,1)": "neither", "rect(0,0,1,1);ellipse(0,0,1)": "no text",
		"rect(0,0,1,1);rect(0,0,1,1)": "no text", "!rect(0,0,1,1)": "only shapes that subtract", "~3": "only shapes that subtract",
		"rect(100%,0,1%,1%)": "outside", "ellipse(-1%,50%,1%)": "outside", "polygon(0,-1%,1%,0,0,-2%)": "outside", "path(5,5,1,1|M0,0h5v5Z)": "outside",
		"polygon(0,0,1,1)": "three points", "polygon(0,0,1,1,2,2,3)": "one number", "path()": "empty", "path(L1,1)": "begins with M", "path(0,0,0,1|M0,0)": "above 0",
		"rect(0,0,1,1)~0":                        "no text",
		strings.Repeat("rect(0,0,1,1);", 70):     "no text",
		"path(M" + strings.Repeat("1,", 9000):    "more than",
		"path(M0,0" + strings.Repeat("z", 20000): "more than",
	} {
		if d, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v %v, want %q", text, d, err, want)
		}
	}
}

// The order of figures and the way numbers are written are no change of what
// is paid for.
func TestCanonical(t *testing.T) {
	t.Parallel()
	a, b := mustShape(t, "rect(0,0,1,1)"), mustShape(t, "ellipse(5,5,1)")
	c := mustShape(t, "!rect(3,3,1,1)")
	one := &Drawing{Shapes: []Shape{a, b, c, a}}
	two := &Drawing{Shapes: []Shape{c, b, a}}
	if one.String() != two.String() || one.String() != "ellipse(5,5,1);rect(0,0,1,1);!rect(3,3,1,1)" {
		t.Errorf("%s\n%s", one, two)
	}
}

func mustShape(t *testing.T, text string) Shape {
	t.Helper()
	s, err := parseShape(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPathData(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" M 0 0 L 10,0 5 8 z ":       "M0,0L10,0L5,8Z",
		"m1-2.5.5-3e1zl1 1":          "m1,-2.5l0.5,-30Zl1,1",
		"M0 0 10 10 20 0":            "M0,0L10,10L20,0",
		"M0 0a5 5 0 1110 0":          "M0,0a5,5,0,1,1,10,0",
		"M0,0A5,5,0,0,1,10,0h-3V4":   "M0,0A5,5,0,0,1,10,0h-3V4",
		"M0 0C1 1 2 2 3 0S5 5 6 0":   "M0,0C1,1,2,2,3,0S5,5,6,0",
		"M0 0Q1 1 2 0T4 0T6 0 8 0":   "M0,0Q1,1,2,0T4,0T6,0T8,0",
		"M.0000001 0H10.50V1e1":      "M0,0H10.5V10",
		"M0 0\n\tL1 1,2 2 , 3 3\r\n": "M0,0L1,1L2,2L3,3",
	} {
		var p Path
		if err := p.SetData(in); err != nil || p.String() != want {
			t.Errorf("%q: %q %v, want %q", in, p.String(), err, want)
			continue
		}
		var again Path
		if err := again.SetData(want); err != nil || again.String() != want {
			t.Errorf("%q: %q %v", want, again.String(), err)
		}
	}
	for _, c := range []struct {
		in   string
		at   int
		text string
	}{
		{"", 0, "empty"}, {"  ", 0, "empty"}, {"L1 1", 0, "begins with M"}, {"1 1", 0, "begins with M"},
		{"M0 0 X1 1", 5, `no command "X"`}, {"M0 0 é", 5, `a number and not "é"`}, {"M0 0 #", 5, `"#"`}, {"M0", 2, "takes 2 numbers, and there is the end"}, {"M0 0L1 L2 2", 7, `there is "L"`},
		{"M0 0 L 1,", 9, "there is the end"}, {"M0 0,L1 1", 4, "comma"}, {"M0,,0", 3, `there is ","`}, {"M0 0 z 1", 7, `not "1"`},
		{"M0 0A5 5 0 2 0 1 1", 11, "0 or 1"}, {"M0 0L1e9 0", 5, "larger than"}, {"M0 0" + strings.Repeat("l90000 0", 9), 0, "farther"},
		{"M0 0 " + strings.Repeat("Z", 70000), 65536, "too long"},
	} {
		var p Path
		err := p.SetData(c.in)
		var at *PathError
		if !errors.As(err, &at) || at.At != c.at || !strings.Contains(at.Text, c.text) {
			t.Errorf("%.40q: %v, want %d %q", c.in, err, c.at, c.text)
		}
	}
	for in, want := range map[string]string{"0 0 24 24": "", "-1.5, 0, 3 3": "", "0 0 1": "four numbers", "0 0 1 x": `"x"`, "0 0 1 1px": `"1px"`, "0 0 0 1": "above 0", "0 0 1 -1": "above 0"} {
		var p Path
		if err := p.SetBox(in); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// area is twice that of polygons, in pixels.
func area(parts [][]Point) float64 {
	sum := 0.0
	for _, part := range parts {
		for i, a := range part {
			b := part[(i+1)%len(part)]
			sum += float64(a.X*b.Y - b.X*a.Y)
		}
	}
	return math.Abs(sum) / 2 / Sub / Sub
}

func TestOutline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		area float64
	}{
		{"rect(10,20,30,40)", 1200}, {"rect(0,0,50%,50%)", 100 * 50}, {"rect(0,0,100,100,20)", 10000 - 400*(4-math.Pi)},
		{"rect(0,0,40,40,50%)", 400 * math.Pi},
		{"ellipse(50,50,40)", 1600 * math.Pi}, {"ellipse(50%,50%,10%,30%)", 20 * 30 * math.Pi},
		{"polygon(0,0,100%,0,0,100%)", 10000},
		{"path(M0,0h10v10h-10Z)", 100}, {"path(0,0,1,1|M0,0L1,0L1,1L0,1Z)", 20000},
		{"path(M10,50a40,40,0,1,0,80,0a40,40,0,1,0,-80,0)", 1600 * math.Pi},
		{"path(M10,50A40,40,0,0,1,90,50Z)", 800 * math.Pi},                            // half a circle
		{"path(M50,10A40,40,0,1,1,10,50L50,50Z)", 1200 * math.Pi},                     // three quarters
		{"path(M50,10A40,40,0,0,0,10,50L50,50Z)", 400 * math.Pi},                      // one
		{"path(M0,0A1,1,0,0,1,80,0Z)", 800 * math.Pi},                                 // a radius that is too small grows
		{"path(M10,50A20,40,90,0,1,90,50A20,40,90,0,1,10,50Z)", 800 * math.Pi},        // turned
		{"path(M0,0A5,0,0,0,1,10,10L0,10Z)", 50},                                      // a line
		{"path(M0,0Q50,100,100,0Z)", 100 * 100 / 3.0},                                 // a parabola
		{"path(M0,0Q25,50,50,0T100,0Z)", 0},                                           // what lies above takes away
		{"path(M0,0C0,55.228475,44.771525,100,100,100L0,100Z)", 10000 - 2500*math.Pi}, // a quarter
		{"path(M0,0c0,10,10,10,10,0s10,-10,10,0Z)", 0},
	} {
		s := mustShape(t, c.text)
		parts, err := s.Outline(200, 100)
		if got := area(parts); err != nil || math.Abs(got-c.area) > 1e-3*c.area+0.1 {
			t.Errorf("%s: area %.2f %v, want %.2f", c.text, got, err, c.area)
		}
	}
	for _, text := range []string{"rect(90000,0,90000,1)", "ellipse(0,0,99999%,1)", "path(0,0,0.001,0.001|M0,0L9,9L0,9Z)"} {
		s := mustShape(t, text)
		if parts, err := s.Outline(200, 100); err != errFar {
			t.Errorf("%s: %v %v", text, parts, err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"M0 0L10 0 5 8z", "m1-2.5.5-3e1zl1 1", "M0 0a5 5 0 1110 0", "M0 0C1 1 2 2 3 0S5 5 6 0Q1 1 2 0T4 0", "M 0,0 H1e3 V-1e-3", "M0 0A99999 1e-6 12.5 1 0 99999 99999"} {
		f.Add(s, "0 0 24 24")
	}
	f.Fuzz(func(t *testing.T, data, box string) {
		s := Shape{Kind: "path"}
		if box != "" && s.Path.SetBox(box) != nil {
			return
		}
		if s.Path.SetData(data) != nil {
			return
		}
		d := &Drawing{Shapes: []Shape{s}}
		text := d.String()
		if strings.ContainsAny(text, " :\n") {
			t.Fatalf("%q", text)
		}
		again, err := Parse(text)
		if err != nil {
			if len(d.Faults())+len(s.Faults()) > 0 {
				return
			}
			t.Fatalf("%q: %v", text, err)
		}
		for _, size := range [][2]int{{1, 1}, {200, 100}, {16384, 16384}} {
			one, err := s.Outline(size[0], size[1])
			two, err2 := again.Shapes[0].Outline(size[0], size[1])
			if (err == nil) != (err2 == nil) || area(one) != area(two) {
				t.Fatalf("%q: %v %v", text, err, err2)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("ellipse(1,2,3);rect(0,0,1,1);!rect(0,0,2,2)~4%;~12")
	f.Add("path(0,0,24,24|M0,0l1,2Z);polygon(0,0,1,1,2,0)")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		if d.String() != text {
			t.Fatalf("%q is written as %q", text, d)
		}
		for i := range d.Shapes {
			d.Shapes[i].Outline(64, 64)
		}
	})
}
