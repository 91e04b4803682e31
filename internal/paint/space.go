package paint

// space: a planet in the light of a star, in front of a nebula.
func (s *scene) space() {
	r := &s.r
	s.horizon = s.h
	seed := uint32(r.next())
	hue := r.n(360)
	if len(s.m.hues) > 0 {
		hue = s.m.hues[0].h
	}
	other := hue + []int{40, -50, 90, 150, -110}[r.n(5)]
	if len(s.m.hues) > 1 {
		other = s.m.hues[1].h
	}
	c := func(l, ch, h int) lab { return lch{l, ch * s.m.chroma / 100, h}.lab() }
	gas := even(c(95, 30, hue+20), c(150, 60, hue), c(300, 120, hue-10), c(520, 150, other), c(760, 110, other+20))
	gw, gh := s.w/cellX+2, s.h/cellY+2
	grid := make([]colour, gw*gh)
	scale := 65536 * 2 / s.u
	for j := range gh {
		for i := range gw {
			x, y := (i*cellX-s.w/2)*scale, (j*cellY-s.h/2)*scale
			wx, wy := noise2(x, y, seed), noise2(x+9<<16, y, seed)
			n := fbm2(x+wx*3/2, y+wy*3/2, seed+3, 5)
			band := 26000 - abs(y*3/2+x*2/3+wx)*2/5
			grid[j*gw+i] = gas.at(9000 + n*11/10 + max(band, -6000)*8/10)
		}
	}
	s.spread(grid, gw, s.h)
	s.air.night = true
	s.stars(1500)
	rr := r.split()
	for range 5 {
		x, y := rr.n(s.w), rr.n(s.h)
		s.c.glow(x, y, s.u*rr.between(8, 22)/1000, lch{900, 60, other}.colour(), 230)
		s.c.disc(x<<8, y<<8, s.u*256/700, white, 256)
	}
	side := r.sign()
	size := s.u * r.between(190, 290) / 1000
	x, y := s.w/2+side*s.w*r.between(4, 24)/100, s.h*r.between(42, 62)/100
	ring := s.m.with["rings"] || r.chance(55)
	tilt := r.between(-70, 70)
	body := []lab{c(300, 90, other), c(560, 130, other+10), c(740, 120, hue+30), c(620, 140, hue), c(860, 70, other+30)}
	if ring {
		s.ring(x, y, size, tilt, seed, c(800, 70, hue+20), false)
	}
	s.planet(x, y, size, tilt, even(body...), seed, -side)
	if ring {
		s.ring(x, y, size, tilt, seed, c(800, 70, hue+20), true)
	}
	s.planet(x-side*s.u*r.between(360, 460)/1000, y-s.u*r.between(-240, 280)/1000, size*r.between(12, 24)/100, tilt, even(c(420, 40, hue), c(640, 50, hue+40), c(780, 40, other)), seed+1, -side)
}

// planet is a ball with weather, lit from above on one side.
func (s *scene) planet(cx, cy, r, tilt int, weather *ramp, seed uint32, side int) {
	if r < 1 {
		return
	}
	glow := weather.at(52000)
	s.c.glow(cx+side*r/8, cy-r/8, r*135/100, glow, 120)
	night := lch{70, 20, 280}.colour()
	ct, st := cosine(tilt), sine(tilt)
	const poles = 1280 // how far bands are known from the middle, of 1024
	var bands [2 * poles]colour
	for v := range bands {
		bands[v] = weather.at(32768 + fbm1((v-poles)*190, seed+2, 4, 150))
	}
	for y := max(cy-r-1, 0); y <= min(cy+r+1, s.h-1); y++ {
		row := s.c.row(y)
		for x := max(cx-r-1, 0); x <= min(cx+r+1, s.w-1); x++ {
			dx, dy := (x-cx)*1024/r, (y-cy)*1024/r
			d := dx*dx + dy*dy
			edge := (1<<20 - d) * r >> 12 // 256 a pixel inside the rim, about
			if edge <= -256 {
				continue
			}
			z := root(max(1<<20-d, 0))
			u, v := (dx*ct+dy*st)>>14, (dy*ct-dx*st)>>14
			// Stretch towards the rim, as on a ball.
			warp := noise2(u*(2048-z)*40>>10, v*110, seed) * 150 >> 15
			c := bands[v+warp+poles]
			light := (dx*side*620 - dy*420 + z*690) >> 10 // of 1024
			t := step(-180, 900, light)
			c = mix(night, c, 10+t*246>>8)
			if rim := 1024 - z; rim > 600 && light > 0 {
				c = lit(c, glow, (rim-600)*light/2600)
			}
			row[x] = mix(row[x], c, min(max(edge+128, 0), 256))
		}
	}
}

// ring is the half of a ring round a planet that is in front of it, or the
// half behind.
func (s *scene) ring(cx, cy, r, tilt int, seed uint32, tone lab, front bool) {
	ct, st := cosine(tilt), sine(tilt)
	bright, dim := tone.colour(), tone.light(-250).colour()
	reach := r * 23 / 10
	var gap [2300]int
	for d := range gap {
		n := fbm1(d*300, seed+4, 3, 150)
		t := step(1340, 1380, d) * step(2250, 2200, d) >> 8
		gap[d] = t * (140 + n>>8) >> 8
	}
	for y := max(cy-reach, 0); y <= min(cy+reach, s.h-1); y++ {
		row := s.c.row(y)
		for x := max(cx-reach, 0); x <= min(cx+reach, s.w-1); x++ {
			u, v := ((x-cx)*ct+(y-cy)*st)>>14, ((y-cy)*ct-(x-cx)*st)>>14
			if (v >= 0) != front || abs(v)*7/2 > reach {
				continue
			}
			d := root((u*u+v*v*49/4)<<8) * 1000 / (r << 4) // of the radius, thousandths
			if d < 1340 || d > 2250 {
				continue
			}
			row[x] = mix(row[x], mix(dim, bright, min(64+gap[d]/2, 256)), min(max(gap[d], 0), 235))
		}
	}
}
