package paint

// palettes for pictures without a place or a time. The first colour is the
// ground.
var palettes = [][]string{
	{"#f4ede0", "#1d3557", "#e63946", "#f4a261", "#457b9d", "#a8dadc"},
	{"#fdf6e3", "#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51"},
	{"#f7f1e8", "#2b2d42", "#ef233c", "#ffb703", "#8d99ae", "#219ebc"},
	{"#fff3e6", "#3d348b", "#7678ed", "#f7b801", "#f18701", "#f35b04"},
	{"#f1faee", "#0b3954", "#087e8b", "#bfd7ea", "#ff5a5f", "#c81d25"},
	{"#faf3dd", "#344e41", "#588157", "#a3b18a", "#dda15e", "#bc6c25"},
	{"#f8edeb", "#4a4e69", "#9a8c98", "#c9ada7", "#f28482", "#f6bd60"},
	{"#eef4f8", "#10214b", "#5a189a", "#c77dff", "#ff8fab", "#48cae4"},
	{"#fbf7ef", "#222831", "#00adb5", "#ff6f3c", "#ffc93c", "#ff9a76"},
	{"#f6f0ea", "#432371", "#714674", "#9f6976", "#cc8b79", "#faae7b"},
}

// palette is six colours that go together: those of the words, or of the hour,
// or one of the sets.
func (s *scene) palette() []lab {
	set := palettes[s.r.n(len(palettes))]
	tilt := s.r.between(-12, 12)
	out := make([]lab, 6)
	for i := range out {
		c, _ := hexColour(set[i])
		c.h += tilt
		c.c = c.c * s.m.chroma / 100
		out[i] = c.lab()
	}
	h, timed := hours[s.m.time]
	switch {
	case len(s.m.hues) > 0:
		for i := range out {
			c := s.m.hues[i%len(s.m.hues)]
			if i == 0 {
				c = lch{955, min(c.c/5, 30), c.h}
			} else if n := i / len(s.m.hues); n > 0 { // more of a colour: darker, lighter, its neighbours
				c.l = min(max(c.l+[]int{0, -230, 150, -90, 210, 90}[n], 230), 930)
				c.h += []int{0, 8, -14, 28, 4, -28}[n]
				if c.l > 900 {
					c.c = c.c / 2
				}
			}
			c.c = c.c * s.m.chroma / 100
			out[i] = c.lab()
		}
	case timed:
		list := []lch{h.sky[3], h.sky[0], h.sky[1], h.sky[2], h.sun, h.shade}
		for i, c := range list {
			c.c = c.c * s.m.chroma / 100
			out[i] = c.lab()
		}
	}
	return out
}

// spectrum runs from dark to light along an arc of hues, so that no two of its
// colours meet in grey.
func (s *scene) spectrum() *ramp {
	r := &s.r
	if _, timed := hours[s.m.time]; timed && len(s.m.hues) == 0 {
		h := hours[s.m.time]
		h.turn(r.between(-14, 14), nil)
		return even(h.shade.lab(), h.sky[0].lab(), h.sky[1].lab(), h.sky[2].lab(), h.sky[3].lab(), h.sun.lab())
	}
	// From where dark to where light: the arcs that stay clear of mud.
	arcs := [][2]int{{280, 140}, {265, -90}, {220, 105}, {195, -95}, {350, 90}, {300, -110}, {320, 120}, {250, 160}, {15, 70}}
	pair := arcs[r.n(len(arcs))]
	hue, arc := pair[0]+r.between(-12, 12), pair[1]
	if n := len(s.m.hues); n > 0 {
		hue = s.m.hues[0].h
		arc = r.sign() * r.between(25, 50)
		if n > 1 {
			arc = (s.m.hues[n-1].h-hue+540)%360 - 180
		}
	}
	var stops []lab
	for i, c := range []lch{{250, 110, 0}, {400, 165, 0}, {550, 195, 0}, {680, 185, 0}, {810, 145, 0}, {930, 65, 0}} {
		stops = append(stops, lch{c.l + r.between(-30, 30), c.c * s.m.chroma / 100, hue + arc*i/5 - arc/8}.lab())
	}
	return even(stops...)
}

// mesh is a gradient in the plane, with soft folds like silk.
func (s *scene) mesh() {
	r := &s.r
	seed := uint32(r.next())
	tone := s.spectrum()
	gw, gh := s.w/cellX+2, s.h/cellY+2
	grid := make([]colour, gw*gh)
	scale := 65536 * 5 / (4 * s.u)
	turn := r.n(1024)
	ct, st := cosine(turn), sine(turn)
	folds := r.between(9, 17)
	for j := range gh {
		for i := range gw {
			x, y := (i*cellX-s.w/2)*scale, (j*cellY-s.h/2)*scale
			x, y = (x*ct+y*st)>>14, (y*ct-x*st)>>14
			wx, wy := noise2(x, y, seed), noise2(x+40000, y+9000, seed+1)
			x, y = x+wx*5/4, y+wy*5/4
			wx, wy = noise2(x*3/2, y, seed+2), noise2(x, y*3/2, seed+3)
			n := noise2((x+wx)/2, (y+wy)*3/4, seed+4)
			v := 33000 + n*2 + y/4
			fold := sine(n*folds/512 + wx/200)
			c := tone.at(reflect(v + fold/5))
			grid[j*gw+i] = c
		}
	}
	s.spread(grid, gw, s.h)
}

// reflect folds v back into 0 to 65535.
func reflect(v int) int {
	v = abs(v) & 131071
	return min(v, 131071-v)
}

// lowpoly is a mesh of triangles over another picture, as if folded of paper.
func (s *scene) lowpoly() {
	r := &s.r
	m := s.m
	m.manner = ""
	if m.scene == "" && m.time == "" {
		m.manner = "mesh"
	}
	small := 240
	from := compose(m, max(s.w*small/s.u, 1), max(s.h*small/s.u, 1), random(r.next()))
	across := r.between(13, 19)
	if m.manner == "" {
		across = r.between(25, 32)
	}
	size := max(s.u*256/across, 256)
	cols, rows := s.w<<8/size+4, s.h<<8*8/(size*7)+4
	pts := make([]point, cols*rows)
	for j := range rows {
		for i := range cols {
			x, y := (i-1)*size-size/2+j%2*size/2, (j-1)*size*7/8-size/2
			pts[j*cols+i] = point{x + r.between(-26, 26)*size/100, y + r.between(-26, 26)*size/100}
		}
	}
	side := r.sign()
	triangle := func(a, b, c point) {
		mx, my := (a.x+b.x+c.x)/3, (a.y+b.y+c.y)/3
		sum, n := colour(0), 0
		// The mean of what the triangle covers, near enough.
		for _, p := range []point{{mx, my}, {mx, my}, {(a.x + mx) / 2, (a.y + my) / 2}, {(b.x + mx) / 2, (b.y + my) / 2}, {(c.x + mx) / 2, (c.y + my) / 2}} {
			x := min(max(p.x*from.w/(s.w<<8), 0), from.w-1)
			y := min(max(p.y*from.h/(s.h<<8), 0), from.h-1)
			v := from.pix[y*from.w+x]
			if n == 0 {
				sum = v
			}
			n++
			sum = mix(sum, v, 256/n)
		}
		// Each facet leans its own way.
		lean := ((b.x-a.x)*(c.y-a.y)-(b.y-a.y)*(c.x-a.x))/size*100/size*side + r.between(-60, 60)
		if lean > 0 {
			sum = lit(sum, white, min(lean/4, 30))
		} else {
			sum = mix(sum, black, min(-lean/3, 44))
		}
		// A little too large, so that no gap shows between two of them.
		grow := func(p point) point {
			return point{p.x + (p.x-mx)*640/size, p.y + (p.y-my)*640/size}
		}
		s.c.polygon([]point{grow(a), grow(b), grow(c)}, sum.flat(), 256)
	}
	for j := range rows - 1 {
		for i := range cols - 1 {
			a, b := pts[j*cols+i], pts[j*cols+i+1]
			c, d := pts[(j+1)*cols+i], pts[(j+1)*cols+i+1]
			if j%2 == 0 {
				triangle(a, b, c)
				triangle(b, d, c)
			} else {
				triangle(a, b, d)
				triangle(a, d, c)
			}
		}
	}
}

// bauhaus is tiles with circles, quarters, arcs and stripes.
func (s *scene) bauhaus() {
	r := &s.r
	p := s.palette()
	inks := make([]colour, len(p))
	for i, c := range p {
		inks[i] = c.colour().flat()
	}
	n := r.between(4, 6)
	side := (s.u + n - 1) / n // whole pixels, for sharp edges
	cols, rows := (s.w+side-1)/side, (s.h+side-1)/side
	left, top, size := (s.w-cols*side)/2<<8, (s.h-rows*side)/2<<8, side<<8
	last := -1
	for j := range rows {
		for i := range cols {
			t := tile{s.c, left + i*size, top + j*size, size, r}
			ground := r.n(len(inks))
			if r.chance(30) {
				ground = 0
			}
			ink := (ground + r.between(1, len(inks)-1)) % len(inks)
			third := (ink + r.between(1, len(inks)-1)) % len(inks)
			if third == ground {
				third = (third + 1) % len(inks)
			}
			t.c.rect(t.x, t.y, t.x+size, t.y+size, inks[ground], 256)
			kind := r.n(len(motifs))
			if kind == last {
				kind = (kind + 1) % len(motifs)
			}
			last = kind
			motifs[kind](t, inks[ink], inks[third])
		}
	}
}

type tile struct {
	c          *canvas
	x, y, size int // Q8 pixels
	r          *random
}

// at is a place in the tile, thousandths, turned by quarters.
func (t tile) at(x, y, quarter int) point {
	for range quarter & 3 {
		x, y = 1000-y, x
	}
	return point{t.x + t.size*x/1000, t.y + t.size*y/1000}
}

// pie is a part of a circle round (x, y), from and to in 1/1024 of a turn.
func (t tile) pie(x, y, radius, from, to, quarter int, ink colour) {
	const steps = 40
	pts := []point{}
	if to-from < 1024 {
		pts = append(pts, t.at(x, y, quarter))
	}
	for i := range steps + 1 {
		a := from + (to-from)*i/steps
		pts = append(pts, t.at(x+radius*cosine(a)>>14, y+radius*sine(a)>>14, quarter))
	}
	t.c.polygon(pts, ink, 256)
}

func (t tile) shape(quarter int, ink colour, xy ...int) {
	var pts []point
	for i := 0; i < len(xy); i += 2 {
		pts = append(pts, t.at(xy[i], xy[i+1], quarter))
	}
	t.c.polygon(pts, ink, 256)
}

var motifs = []func(t tile, a, b colour){
	func(t tile, a, _ colour) { t.pie(0, 0, 1000, 0, 256, t.r.n(4), a) },
	func(t tile, a, b colour) {
		q := t.r.n(4)
		t.pie(0, 0, 1000, 0, 256, q, a)
		t.pie(0, 0, 500, 0, 256, q, b)
	},
	func(t tile, a, b colour) { // rainbow
		q := t.r.n(4)
		ground := t.c.pix[min(max((t.y+t.size/2)>>8, 0), t.c.h-1)*t.c.w+min(max((t.x+t.size/2)>>8, 0), t.c.w-1)]
		for i, ink := range []colour{a, ground, b, ground, a} {
			t.pie(0, 0, 1000-i*200, 0, 256, q, ink)
		}
	},
	func(t tile, a, b colour) { // half moons
		q := t.r.n(4)
		t.pie(0, 500, 500, -256, 256, q, a)
		t.pie(500, 500, 500, -256, 256, q, b)
	},
	func(t tile, a, b colour) { // eye
		t.pie(500, 500, 420, 0, 1024, 0, a)
		t.pie(500, 500, 200, 0, 1024, 0, b)
	},
	func(t tile, a, b colour) { // leaf
		q := t.r.n(2)
		var pts []point
		for i := range 33 {
			pts = append(pts, t.at(1000*cosine(i*8)>>14, 1000*sine(i*8)>>14, q))
		}
		for i := range 33 {
			pts = append(pts, t.at(1000-1000*cosine(i*8)>>14, 1000-1000*sine(i*8)>>14, q))
		}
		t.c.polygon(pts, a, 256)
		t.pie(500, 500, 150, 0, 1024, 0, b)
	},
	func(t tile, a, b colour) { // half a square
		q := t.r.n(4)
		t.shape(q, a, 0, 0, 1000, 0, 0, 1000)
		t.shape(q, b, 0, 0, 500, 0, 0, 500)
	},
	func(t tile, a, _ colour) { // stripes
		q := t.r.n(2)
		for i := range 4 {
			t.shape(q, a, i*250, 0, i*250+125, 0, i*250+125, 1000, i*250, 1000)
		}
	},
	func(t tile, a, b colour) { // dots
		for i := range 9 {
			ink := a
			if i == 4 {
				ink = b
			}
			t.pie(190+i%3*310, 190+i/3*310, 105, 0, 1024, 0, ink)
		}
	},
	func(t tile, a, b colour) { // petals
		for q := range 4 {
			ink := a
			if q%2 == 1 {
				ink = b
			}
			t.pie(0, 0, 500, 0, 256, q, ink)
		}
	},
	func(t tile, a, b colour) { // bridge
		q := t.r.n(4)
		t.pie(500, 1000, 500, 512, 1024, q, a)
		t.pie(500, 1000, 250, 512, 1024, q, b)
		t.pie(500, 250, 130, 0, 1024, q, b)
	},
}
