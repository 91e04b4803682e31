package shape

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Point is a place in a picture, in Sub parts of a pixel from its upper left
// corner.
type Point struct{ X, Y int64 }

var errFar = fmt.Errorf("it goes farther than %d from the picture", most)

// Outline is the figure in a picture: polygons, each of them closed. It is an
// error if it goes too far from the picture.
func (s *Shape) Outline(width, height int) ([][]Point, error) {
	var t tracer
	x := func(l Length) int64 { return t.bound(l.in(width)) }
	y := func(l Length) int64 { return t.bound(l.in(height)) }
	switch s.Kind {
	case "path":
		return s.Path.trace(width, height)
	case "polygon":
		part := make([]Point, len(s.Args)/2)
		for i := range part {
			part[i] = Point{x(s.Args[2*i]), y(s.Args[2*i+1])}
		}
		t.parts = append(t.parts, part)
	case "rect":
		left, top := x(s.Args[0]), y(s.Args[1])
		right, bottom := t.bound(s.Args[0].in(width)+s.Args[2].in(width)), t.bound(s.Args[1].in(height)+s.Args[3].in(height))
		radius := int64(0)
		if len(s.Args) > 4 {
			radius = min(t.bound(s.Args[4].in(min(width, height))), (right-left)/2, (bottom-top)/2)
		}
		t.rounded(left, top, right, bottom, radius, radius)
	case "ellipse":
		cx, cy, rx := x(s.Args[0]), y(s.Args[1]), x(s.Args[2])
		ry := rx
		if len(s.Args) > 3 {
			ry = y(s.Args[3])
		}
		t.rounded(cx-rx, cy-ry, cx+rx, cy+ry, rx, ry)
	default:
		return nil, errors.New("there is no such shape")
	}
	if t.far {
		return nil, errFar
	}
	return t.parts, nil
}

// Outside reports whether an outline lies beside a picture.
func Outside(parts [][]Point, width, height int) bool {
	var x, y []int64
	for _, part := range parts {
		for _, p := range part {
			x, y = append(x, p.X), append(y, p.Y)
		}
	}
	beside := func(v []int64, side int) bool {
		least, most := slices.Min(v), slices.Max(v)
		return most < 0 || least < 0 && most == 0 || least >= int64(side)*Sub
	}
	return beside(x, width) || beside(y, height)
}

// relative reports whether the figure covers the same part of any picture.
func (s *Shape) relative() bool {
	for _, a := range s.Args {
		if !a.Percent && a.Sign() != 0 {
			return false
		}
	}
	return s.Kind != "path" || s.Path.boxed
}

// tracer collects an outline.
type tracer struct {
	parts [][]Point
	far   bool // something was out of bounds
}

// bound keeps a coordinate where arithmetic can't overflow.
func (t *tracer) bound(v int64) int64 {
	if v > most*Sub || v < -most*Sub {
		t.far = true
		return 0
	}
	return v
}

func (t *tracer) move(p Point) { t.parts = append(t.parts, []Point{p}) }

func (t *tracer) line(p Point) {
	last := len(t.parts) - 1
	t.parts[last] = append(t.parts[last], p)
}

func (t *tracer) pen() Point {
	part := t.parts[len(t.parts)-1]
	return part[len(part)-1]
}

// rounded adds a rectangle whose corners are quarters of ellipses.
func (t *tracer) rounded(left, top, right, bottom, rx, ry int64) {
	if rx == 0 || ry == 0 {
		t.parts = append(t.parts, []Point{{left, top}, {right, top}, {right, bottom}, {left, bottom}})
		return
	}
	// How far from its ends the control points of a quarter are: a cubic is a
	// circle to three in ten thousand.
	kx, ky := rx-rx*36195>>16, ry-ry*36195>>16
	t.move(Point{left + rx, top})
	t.line(Point{right - rx, top})
	t.cubic(Point{right - kx, top}, Point{right, top + ky}, Point{right, top + ry})
	t.line(Point{right, bottom - ry})
	t.cubic(Point{right, bottom - ky}, Point{right - kx, bottom}, Point{right - rx, bottom})
	t.line(Point{left + rx, bottom})
	t.cubic(Point{left + kx, bottom}, Point{left, bottom - ky}, Point{left, bottom - ry})
	t.line(Point{left, top + ry})
	t.cubic(Point{left, top + ky}, Point{left + kx, top}, Point{left + rx, top})
}

// cubic adds a Bézier curve from the pen, as lines that are nowhere off by more
// than a fiftieth of a pixel.
func (t *tracer) cubic(b, c, d Point) {
	a := t.pen()
	bend := max(far(a, b, c), far(b, c, d))
	n := pieces(3 * bend)
	for i := int64(1); i < n; i++ {
		j := n - i
		p := func(a, b, c, d int64) int64 {
			return over(a*j*j*j+3*b*i*j*j+3*c*i*i*j+d*i*i*i, n*n*n)
		}
		t.line(Point{p(a.X, b.X, c.X, d.X), p(a.Y, b.Y, c.Y, d.Y)})
	}
	t.line(d)
}

// quad is cubic with one control point.
func (t *tracer) quad(b, c Point) {
	a := t.pen()
	n := pieces(far(a, b, c))
	for i := int64(1); i < n; i++ {
		j := n - i
		p := func(a, b, c int64) int64 { return over(a*j*j+2*b*i*j+c*i*i, n*n) }
		t.line(Point{p(a.X, b.X, c.X), p(a.Y, b.Y, c.Y)})
	}
	t.line(c)
}

// far is how much three control points bend.
func far(a, b, c Point) int64 {
	x, y := a.X-2*b.X+c.X, a.Y-2*b.Y+c.Y
	return max(x, -x) + max(y, -y)
}

// pieces is into how many lines a curve is cut: the error shrinks with the
// square of their number.
func pieces(bend int64) int64 {
	n := int64(1)
	for n*n*Sub/16 < bend && n < 512 {
		n++
	}
	return n
}

// over is v/n to the nearest.
func over(v, n int64) int64 {
	if v < 0 {
		return -((-v + n/2) / n)
	}
	return (v + n/2) / n
}

// arc is points on an elliptical arc of SVG between its ends. Each product is
// rounded by itself, as the conversions tell the compiler.
func arc(x0, y0, rx, ry float64, degrees int64, large, sweep bool, x1, y1 float64) [][2]float64 {
	rx, ry = math.Abs(rx), math.Abs(ry)
	if x0 == x1 && y0 == y1 || rx == 0 || ry == 0 {
		return nil
	}
	mul := func(a, b float64) float64 { return float64(a * b) }
	sin, cos := sinCos(degrees)
	// In the frame of the ellipse, where it is the unit circle, the middle of
	// the chord is the origin and u one of its ends.
	dx, dy := (x0-x1)/2, (y0-y1)/2
	ux, uy := (mul(cos, dx)+mul(sin, dy))/rx, (mul(cos, dy)-mul(sin, dx))/ry
	length := mul(ux, ux) + mul(uy, uy)
	if length > 1 { // too small to reach: it grows
		k := math.Sqrt(length)
		rx, ry, ux, uy, length = mul(rx, k), mul(ry, k), ux/k, uy/k, 1
	}
	q := math.Sqrt((1 - length) / length)
	if large == sweep {
		q = -q
	}
	cx, cy := mul(q, uy), -mul(q, ux)
	mx, my := (x0+x1)/2, (y0+y1)/2
	var out [][2]float64
	point := func(wx, wy float64) {
		px, py := mul(wx+cx, rx), mul(wy+cy, ry)
		out = append(out, [2]float64{mul(cos, px) - mul(sin, py) + mx, mul(sin, px) + mul(cos, py) + my})
	}
	var halve func(ux, uy, vx, vy float64, large bool, depth int)
	halve = func(ux, uy, vx, vy float64, large bool, depth int) {
		wx, wy := ux+vx, uy+vy
		size := mul(wx, wx) + mul(wy, wy)
		switch {
		case size < 1e-12: // half a circle
			wx, wy, size = -uy, ux, 1
			if !sweep {
				wx, wy = -wx, -wy
			}
		case large:
			wx, wy = -wx, -wy
		}
		k := math.Sqrt(size)
		wx, wy = wx/k, wy/k
		if depth > 0 {
			halve(ux, uy, wx, wy, false, depth-1)
		}
		point(wx, wy)
		if depth > 0 {
			halve(wx, wy, vx, vy, false, depth-1)
		}
	}
	halve(ux-cx, uy-cy, -ux-cx, -uy-cy, large, 7)
	return out
}

// sinCos is of an angle in millionths of a degree.
func sinCos(degrees int64) (sin, cos float64) {
	const turn = 360 * unit
	degrees = (degrees%turn + turn) % turn
	quarters := (degrees + turn/8) / (turn / 4)
	x := float64(float64(degrees-quarters*turn/4) * (math.Pi / (180 * unit))) // within an eighth of a turn
	series := func(term float64, from int) float64 {
		sum := term
		for n := from; n < from+16; n += 2 {
			term = float64(float64(-term*x) * x / float64((n+1)*(n+2)))
			sum += term
		}
		return sum
	}
	sin, cos = series(x, 1), series(1, 0)
	switch quarters % 4 {
	case 1:
		sin, cos = cos, -sin
	case 2:
		sin, cos = -sin, -cos
	case 3:
		sin, cos = -cos, sin
	}
	return sin, cos
}
