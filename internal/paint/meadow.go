package paint

import "slices"

// meadow: a field of flowers that runs towards hills, a lone tree, grass in
// front.
func (s *scene) meadow() {
	r := &s.r
	horizon := s.h * r.between(430, 520) / 1000
	s.sunAbove = r.between(180, 420)
	s.light(horizon, "day", "golden", "dawn", "sunset", "golden", "day")
	seed := uint32(r.next())
	for k := range 3 {
		base := horizon - s.u*(35-25*k)/1000
		amp := s.u * (110 - 28*k) / 1000
		l := s.land(func(x int) int {
			return base<<8 - (fbm1(x*(2+k)/2, seed+uint32(k)*7, 3+k, 90)+9000)*amp>>7
		})
		if k == 2 {
			s.treeline(l, 4, 12)
		}
		g := s.green(r)
		t := 190 - 55*k
		s.fill(l, nil, horizon+s.u*60/1000, fade(s.far(g, t).colour(), s.far(g, t+30).colour(), base-amp, base+amp/2))
	}
	field := s.land(func(x int) int {
		return (horizon+s.u*20/1000)<<8 + fbm1(x, seed+50, 2, 90)*s.u*30/1000>>7
	})
	g := s.green(r)
	s.fill(field, nil, s.h, fade(s.far(g, 90).colour(), s.far(lch{g.l - 140, g.c, g.h}, 0).colour(), horizon, horizon+s.u*300/1000))
	if r.chance(70) || s.m.with["trees"] {
		x := s.w/2 - s.air.side*s.w*r.between(12, 34)/100
		s.tree(x, int(field.high[x])>>8+s.u*12/1000, s.u*r.between(170, 270)/1000)
	}
	s.flowers(field, seed)
}

// petals is the colours of the flowers.
func (s *scene) petals(r *random) []lch {
	if len(s.m.hues) > 0 {
		return s.m.hues
	}
	sets := [][]lch{
		{{620, 215, 28}, {660, 200, 35}, {940, 50, 95}},                   // poppies
		{{620, 160, 300}, {560, 170, 295}, {720, 120, 310}},               // lavender
		{{870, 170, 92}, {830, 165, 80}, {930, 100, 100}},                 // sunflowers
		{{720, 180, 355}, {650, 210, 8}, {960, 20, 340}, {800, 120, 350}}, // tulips
		{{640, 170, 265}, {720, 130, 250}, {930, 40, 250}, {700, 170, 310}},
	}
	return sets[r.n(len(sets))]
}

func (s *scene) flowers(field *land, seed uint32) {
	r := s.r.split()
	kinds := s.petals(&r)
	type flower struct{ x, y, size, tone, kind int }
	var all []flower
	n := 2600 * s.w / s.u
	top := s.h
	for _, t := range field.high {
		top = min(top, int(t)>>8)
	}
	for range n {
		t := r.n(1024)
		x := r.n(s.w)
		// As many flowers to a stretch of ground: crowded where it is far.
		z := t * t >> 10
		z = z * (700 + t*300>>10) / 1000
		y := top + (s.h+s.u*30/1000-top)*z/1024
		if y < int(field.low[x])>>8 {
			continue
		}
		depth := (y - top) * 1000 / s.u
		patch := noise2((x-s.w/2)<<16/s.u*3*300/(depth+90), 65536*900/(depth+60), seed+9)
		kind := (patch + 9000) * len(kinds) / 18000
		all = append(all, flower{x, y, s.u * (120 + depth*r.between(30, 46)/10) * 256 / 160000, r.between(-70, 70), min(max(kind+r.n(4)/3, 0), len(kinds)-1)})
	}
	slices.SortStableFunc(all, func(a, b flower) int { return a.y - b.y })
	blade := s.green(&r)
	for i, f := range all {
		depth := (f.y - top) * 1000 / s.u
		air := max(110-depth*2/3, 0)
		size := f.size
		if i%4 == 0 { // grass between the flowers
			g := s.far(lch{blade.l + r.between(-150, 60), blade.c, blade.h + r.between(-8, 8)}, air).colour()
			x, tall := f.x<<8+r.between(-3, 3)*size, size*r.between(3, 6)
			bend := r.between(-2, 2) * tall / 6
			s.c.polygon([]point{{x - size*2/9, f.y<<8 + size*2}, {x + bend, f.y<<8 + size*2 - tall}, {x + size*2/9, f.y<<8 + size*2}}, g, 256)
		}
		k := kinds[f.kind]
		k.l = min(max(k.l+f.tone, 300), 970)
		c := s.far(k, air)
		x, y := f.x<<8, f.y<<8
		if size < 600 {
			s.c.disc(x, y, max(size, 100), c.colour(), 256)
			continue
		}
		stem := s.far(lch{blade.l - 120, blade.c, blade.h}, air).colour()
		s.c.polygon([]point{{x - size/9, y}, {x + size/9, y}, {x + size/12, y + size*3}, {x - size/12, y + size*3}}, stem, 256)
		turn := r.n(1024)
		dark, light := c.light(-60).colour(), c.light(25).colour()
		for p := range 6 {
			a := turn + p*1024/6
			col := light
			if sine(a) > 0 {
				col = dark
			}
			s.c.disc(x+size*58/100*cosine(a)>>14, y+size*45/100*sine(a)>>14, size*52/100, col, 256)
		}
		s.c.disc(x, y, size*30/100, s.far(lch{830, 150, 82}, air).colour(), 256)
	}
}

// tree is a broad one: a crown of many leaves over a trunk.
func (s *scene) tree(x, foot, tall int) {
	r := s.r.split()
	bark := s.far(lch{280, 40, 50}, 20).colour()
	wide := tall * 256 / 22
	s.c.polygon([]point{{x<<8 - wide, foot << 8}, {x<<8 - wide*5/10, (foot - tall/2) << 8}, {x<<8 + wide*5/10, (foot - tall/2) << 8}, {x<<8 + wide, foot << 8}}, bark, 256)
	g := s.green(&r)
	side := s.air.side
	under := g
	under.l -= 170
	s.c.disc(x<<8, (foot-tall*64/100)<<8, tall*256*33/100, s.far(under, 20).colour(), 256)
	for k := range 340 {
		// Leaves lie on a ball; the later ones nearer to the light.
		a, d := r.n(1024), root(r.n(1<<20))
		dx, dy := d*cosine(a)>>14, d*sine(a)>>14 // of 1024
		lightness := (dx*side - dy) / 8
		leaf := g
		leaf.l += lightness*9/10 + r.between(-50, 50) - 110 + k/5
		leaf.h += r.between(-10, 10)
		cx, cy := x<<8+dx*tall*256*42/102400, (foot-tall*64/100)<<8+dy*tall*256*36/102400
		s.c.disc(cx, cy, tall*256*r.between(35, 75)/1000, s.far(leaf, 20).colour(), 256)
	}
}
