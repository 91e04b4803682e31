package paint

import "math"

// scene is a landscape under work.
type scene struct {
	c        *canvas
	w, h, u  int // u is the unit of lengths: the shorter side, in pixels
	r        random
	m        mood
	air      air
	horizon  int // row
	sunAbove int // the horizon, at least, in thousandths
	skyline  int // where the sky has its last colour, thousandths of the way to the horizon
}

// land is a silhouette: the height of its top edge.
type land struct {
	top  []int32 // Q8 rows, four for each column
	high []int32 // the highest and lowest of the four
	low  []int32
}

func (s *scene) land(height func(x int) int) *land {
	l := &land{make([]int32, 4*s.w), make([]int32, s.w), make([]int32, s.w)}
	for i := range l.top {
		// x runs in Q16 units, with 0 in the middle, whatever the size.
		l.top[i] = int32(height((i - 2*s.w) << 14 / s.u))
	}
	l.bound()
	return l
}

func (l *land) bound() {
	for x := range l.high {
		t := l.top[4*x : 4*x+4]
		l.high[x], l.low[x] = min(t[0], t[1], t[2], t[3]), max(t[0], t[1], t[2], t[3])
	}
}

// fill paints l down to the row bottom, where front does not hide it. shade
// gives the colours of the pixels x0 to x1 of a row.
func (s *scene) fill(l, front *land, bottom int, shade func(y, x0, x1 int, out []colour)) {
	first := int32(s.h << 8)
	for _, t := range l.high {
		first = min(first, t)
	}
	buf := make([]colour, s.w)
	for y := max(int(first)>>8, 0); y < min(bottom, s.h); y++ {
		edge := int32(y << 8)
		seen := func(x int) bool { return edge+256 > l.high[x] && (front == nil || edge < front.low[x]) }
		x0, x1 := 0, s.w
		for x0 < x1 && !seen(x0) {
			x0++
		}
		for x1 > x0 && !seen(x1-1) {
			x1--
		}
		if x0 == x1 {
			continue
		}
		shade(y, x0, x1, buf[:x1-x0])
		row := s.c.row(y)
		for x := x0; x < x1; x++ {
			switch {
			case edge >= l.low[x]:
				row[x] = buf[x-x0]
			case edge+256 > l.high[x]:
				t := int32(0)
				for _, v := range l.top[4*x : 4*x+4] {
					t += min(max(edge+256-v, 0), 256)
				}
				row[x] = mix(row[x], buf[x-x0], int(t)>>2)
			}
		}
	}
}

// fade shades from a at the row top to b at the row bottom.
func fade(a, b colour, top, bottom int) func(y, x0, x1 int, out []colour) {
	return func(y, _, _ int, out []colour) {
		c := mix(a, b, min(max((y-top)*256/max(bottom-top, 1), 0), 256))
		for i := range out {
			out[i] = c
		}
	}
}

// before is the land that hides what either hides.
func (l *land) before(m *land) *land {
	if m == nil {
		return l
	}
	out := &land{l.top, l.high, make([]int32, len(l.low))}
	for x := range out.low {
		out.low[x] = min(l.low[x], m.low[x])
	}
	return out
}

// noiseRow is gradient noise along a row, computed every few pixels: at pixel
// x it is that of (x*dx+x0, y), Q16.
func noiseRow(out []int, x0, dx, y int, seed uint32) {
	const every = 4
	row := noiseLine{j: y >> 16, fy: y & 0xffff, v: smooth(y&0xffff, 16), seed: seed, cell: math.MinInt}
	a := row.at(x0)
	for i := 0; i < len(out); i += every {
		x0 += dx * every
		b := row.at(x0)
		for k := range min(every, len(out)-i) {
			out[i+k] = a + (b-a)*k/every
		}
		a = b
	}
}

// noiseLine is noise2 along a line: the corners of a cell are looked up once.
type noiseLine struct {
	j, fy, v   int
	seed       uint32
	cell       int
	a, b, c, d *[2]int
}

func (n *noiseLine) at(x int) int {
	if i := x >> 16; i != n.cell {
		n.cell = i
		n.a, n.b = &tilts[hash(i, n.j, n.seed)>>28], &tilts[hash(i+1, n.j, n.seed)>>28]
		n.c, n.d = &tilts[hash(i, n.j+1, n.seed)>>28], &tilts[hash(i+1, n.j+1, n.seed)>>28]
	}
	fx, fy := x&0xffff, n.fy
	u := smooth(fx, 16)
	a, b := (fx*n.a[0]+fy*n.a[1])>>8, ((fx-65536)*n.b[0]+fy*n.b[1])>>8
	c, d := (fx*n.c[0]+(fy-65536)*n.c[1])>>8, ((fx-65536)*n.d[0]+(fy-65536)*n.d[1])>>8
	p, q := a+(b-a)*u>>16, c+(d-c)*u>>16
	return (p + (q-p)*n.v>>16) * 3 >> 2
}

// far is the colour of land in the air between, t from 0 (here) to 256 (at the
// horizon).
func (s *scene) far(material lch, t int) lab {
	a := &s.air
	material.l = material.l * a.dim / 100
	material.c = material.c * s.m.chroma / 100 * (50 + a.dim/2) / 100
	c := material.lab().mix(a.shade.lab(), a.tint*3/4)
	return c.mix(a.haze, t)
}

// green is the colour of plants in the season.
func (s *scene) green(r *random) lch {
	switch s.m.season {
	case "autumn":
		return []lch{{560, 140, 50}, {600, 145, 65}, {500, 140, 38}, {640, 140, 82}}[r.n(4)]
	case "winter":
		return lch{760, 25, 235}
	case "spring":
		return lch{660, 140, r.between(118, 135)}
	}
	return lch{500, 105, r.between(128, 152)}
}
