package imaging

import (
	"fmt"
	"slices"

	"github.com/imgbuild/imgbuild/internal/shape"
)

// Fault is what is wrong with a shape in a picture of a certain size.
type Fault struct {
	Shape int    // of the drawing; -1 for the whole
	Field string // the value that is to blame, or ""
	Text  string
	Hint  string
}

// DrawMask draws a mask for a picture of the given size. It covers what a shape
// covers, edge pixels in part, and less what those cover that subtract; then
// edges are feathered. Faults are shapes that do nothing there.
func DrawMask(d *shape.Drawing, width, height int) (*Mask, []Fault) {
	m := &Mask{make([]byte, width*height), width, height}
	var faults []Fault
	picture := fmt.Sprintf("%dx%d", width, height)
	wide := func(i int, l shape.Length) int {
		n := shape.FeatherIn(l, width, height)
		if n > min(width, height) {
			faults = append(faults, Fault{i, "feather", fmt.Sprintf("has a feather of %d pixels, which is larger than the picture of %s", n, picture), "write a smaller feather"})
			return 0
		}
		return n
	}
	var layer, scratch []byte // of a shape with a feather of its own
	for _, subtract := range []bool{false, true} {
		for i := range d.Shapes {
			s := &d.Shapes[i]
			if s.Subtract != subtract {
				continue
			}
			parts, err := s.Outline(width, height)
			if err != nil {
				faults = append(faults, Fault{i, "", "can't be drawn: " + err.Error(), "keep it near the picture"})
				continue
			}
			soft := wide(i, s.Feather)
			onto := m.cover
			if soft > 0 {
				if layer == nil {
					layer, scratch = make([]byte, len(m.cover)), make([]byte, len(m.cover))
				}
				clear(layer)
				onto = layer
			}
			covers := fill(parts, width, height, func(y, from int, row []byte) {
				mix(onto[y*width+from:], row, subtract && soft == 0)
			})
			if soft > 0 {
				feather(layer, scratch, width, height, soft)
				mix(m.cover, layer, subtract)
			}
			switch {
			case covers:
			case shape.Outside(parts, width, height):
				faults = append(faults, Fault{i, "", "lies outside of the picture, which is " + picture, "move it into the picture, or remove it"})
			default:
				faults = append(faults, Fault{i, "", "has no area in the picture, which is " + picture, "make it larger, or remove it"})
			}
		}
	}
	if soft := wide(-1, d.Feather); soft > 0 {
		feather(m.cover, make([]byte, len(m.cover)), width, height, soft)
	}
	return m, faults
}

// mix adds a coverage to another one, or takes it away.
func mix(to, from []byte, subtract bool) {
	for i, c := range from {
		switch {
		case c == 0:
		case subtract:
			to[i] = byte((int(to[i])*(255-int(c)) + 127) / 255)
		default:
			to[i] = byte(255 - ((255-int(to[i]))*(255-int(c))+127)/255)
		}
	}
}

// edge is one side of a polygon from its upper to its lower end.
type edge struct {
	x0, y0, x1, y1 int64 // y0 < y1
	dir            int32 // 1 downwards, -1 upwards
}

// x is where the edge is at a height.
func (e *edge) x(y int64) int64 {
	switch y {
	case e.y0:
		return e.x0
	case e.y1:
		return e.x1
	}
	n, d := (e.x1-e.x0)*(y-e.y0), e.y1-e.y0
	q := n / d
	if n%d < 0 { // down, so that neighbours agree
		q--
	}
	return e.x0 + q
}

// fill tells, row by row, how much of each pixel lies inside polygons, by the
// rule nonzero, and reports whether any does. It does what x/image/vector does,
// which was tried first: that one sums up a whole picture in one go, so what it
// rounds in a row stays in all rows below (ten slanted bars in 512 pixels leave
// a coverage of 2 far outside, forty one of 9: pixels that may change where none
// may), and above 512 pixels it computes in floats, whose sums differ between
// processors. Here each row begins anew, and what an edge gives to the pixels of
// a row adds up to exactly its height in it.
func fill(parts [][]shape.Point, width, height int, row func(y, from int, cover []byte)) (covers bool) {
	const sub = shape.Sub
	const whole = 2 * sub * sub // area of a pixel
	right := int64(width) * sub
	var edges []edge
	for _, part := range parts {
		for i, a := range part {
			b := part[(i+1)%len(part)]
			e := edge{a.X, a.Y, b.X, b.Y, 1}
			if a.Y > b.Y {
				e = edge{b.X, b.Y, a.X, a.Y, -1}
			}
			if e.y0 < e.y1 && e.y1 > 0 && e.y0 < int64(height)*sub {
				edges = append(edges, e)
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return int(a.y0 - b.y0) })
	cover, area := make([]int32, width), make([]int32, width)
	out := make([]byte, width)
	var active []edge
	for y := 0; y < height && len(edges)+len(active) > 0; y++ {
		top, bottom := int64(y)*sub, int64(y+1)*sub
		for len(edges) > 0 && edges[0].y0 < bottom {
			active, edges = append(active, edges[0]), edges[1:]
		}
		active = slices.DeleteFunc(active, func(e edge) bool { return e.y1 <= top })
		if len(active) == 0 {
			continue
		}
		first, last := width, 0
		for i := range active {
			e := &active[i]
			from, to := max(e.y0, top), min(e.y1, bottom)
			a, b := e.x(from), e.x(to)
			n := int32(to-from) * e.dir
			// What is left of the picture counts in its first column as a
			// whole, what is right of it nowhere.
			xa, xb := min(max(a, 0), right), min(max(b, 0), right)
			if a > b {
				a, b, xa, xb = b, a, xb, xa
			}
			first, last = min(first, int(xa/sub)), max(last, int(xb/sub))
			// at is how much of n lies before x.
			at := func(x int64) int32 {
				if x >= b {
					return n
				}
				return int32(int64(n) * (x - a) / (b - a))
			}
			if b <= 0 {
				cover[0] += n
				continue
			}
			done := int32(0)
			if a < 0 {
				done = at(0)
				cover[0] += done
			}
			for x := xa; x < right; {
				c := x / sub
				end := min((c+1)*sub, xb)
				d := at(end) - done
				cover[c] += d
				area[c] += d * int32(x+end-2*c*sub)
				done += d
				if end >= xb {
					break
				}
				x = end
			}
		}
		sum, any := int32(0), false
		last = min(last, width-1)
		for c := first; c <= last; c++ {
			sum += cover[c]
			v := sum*2*sub - area[c]
			cover[c], area[c] = 0, 0
			out[c] = byte((min(max(v, -v), whole)*255 + whole/2) / whole)
			any = any || out[c] != 0
		}
		if any {
			covers = true
			row(y, first, out[first:last+1])
		}
	}
	return covers
}

// feather lets the edges of a coverage fade over n pixels, half of them on
// either side. Beyond the picture it goes on as it is at the border: what
// reaches the border does not fade there.
func feather(cover, scratch []byte, width, height, n int) {
	half := n/2 + 1 // two boxes of this length reach over 2*half-1 pixels
	if half < 2 {
		return
	}
	room := max(width, height) + 2*half
	b := blurrer{make([]byte, room), make([]int64, room), half}
	for y := range height {
		b.blur(scratch[y:], height, cover[y*width:(y+1)*width])
	}
	for x := range width {
		b.blur(cover[x:], width, scratch[x*height:(x+1)*height])
	}
}

type blurrer struct {
	padded []byte  // the row, going on at both ends
	box    []int64 // sums of half pixels of it, by the first
	half   int
}

// blur writes a row, softened by two boxes, as a column whose pixels are step
// apart. It rounds once, so that both ways of an edge look the same.
func (b *blurrer) blur(to []byte, step int, row []byte) {
	half, width := b.half, len(row)
	padded := b.padded[:width+2*half-2]
	copy(padded[half-1:], row)
	for i := range half - 1 {
		padded[i], padded[half-1+width+i] = row[0], row[width-1]
	}
	box := b.box[:width+half]
	sum := int64(0)
	for _, c := range padded[:half] {
		sum += int64(c)
	}
	box[0] = sum
	for i := half; i < len(padded); i++ {
		sum += int64(padded[i]) - int64(padded[i-half])
		box[i-half+1] = sum
	}
	sum = 0
	for _, v := range box[:half] {
		sum += v
	}
	square := int64(half) * int64(half)
	for i := range width {
		switch sum { // most pixels are far from any edge, and a division is slow
		case 0:
			to[i*step] = 0
		case 255 * square:
			to[i*step] = 255
		default:
			to[i*step] = byte((sum + square/2) / square)
		}
		sum += box[i+half] - box[i]
	}
}
