package paint

// forest: rows of conifers that step out of the mist, with rays of light.
func (s *scene) forest() {
	r := &s.r
	ground := s.h * r.between(780, 840) / 1000
	s.sunAbove = r.between(420, 560)
	s.skyline = 830
	s.light(ground, "golden", "dawn", "overcast", "day", "golden", "dusk")
	seed := uint32(r.next())
	a := &s.air
	g := s.green(r)
	const rows = 6
	var lands [rows + 1]*land
	base := func(k int) int {
		if k == rows-1 {
			return s.h
		}
		return ground - s.u*(220-44*k)/1000
	}
	for k := range rows {
		lands[k] = s.land(func(x int) int { return base(k)<<8 + fbm1(x*2, seed+uint32(k)*19, 4, 100)*s.u*45/1000>>7 })
	}
	rise := s.land(func(x int) int {
		return (ground-s.u*300/1000)<<8 - fbm1(x*2, seed+3, 5, 110)*s.u*130/1000>>7
	})
	s.treeline(rise, 8, 22)
	s.fill(rise, lands[0], s.h, fade(s.far(g, 200).colour(), s.far(g, 235).colour(), ground-s.u*400/1000, ground-s.u*100/1000))
	for k := range rows {
		rr := r.split()
		l := lands[k]
		far := 190 - 38*k
		leaf := g
		leaf.l = g.l - 60 - 45*k
		col := s.far(leaf, max(far, 0)).mix(a.shade.lab(), 12*k)
		gap := s.u * (34 + 15*k) / 1000
		for x := -gap; x < s.w+gap; x += gap * rr.between(45, 130) / 100 {
			tall := s.u * (110 + 52*k) * rr.between(70, 150) / 100000
			if k >= rows-2 { // leave the middle open
				tall = tall * (60 + abs(x-s.w/2)*90/s.w) / 100
				if k == rows-1 && abs(x-s.w/2) < s.w*22/100 {
					continue
				}
			}
			at := min(max(x, 0), s.w-1)
			s.conifer(&rr, x, int(l.high[at])>>8+s.u*(8+3*k)/1000, tall, col.light(rr.between(-18, 18)).colour())
		}
		deep := s.u * 170 / 1000
		s.fill(l, lands[k+1], s.h, fade(col.colour(), s.far(leaf, max(far, 0)).mix(a.haze, 150-26*k).colour(), base(k)-s.u*20/1000, base(k)+deep))
		switch k {
		case 3:
			s.rays(seed)
		case rows - 2: // young ones in the clearing
			const n = 22
			for i := range n {
				y := base(k) + s.u*30/1000 + (s.h-base(k))*i*9/(n*10)
				x := s.w/2 + rr.between(-420, 420)*s.w/1000
				tall := s.u * (26 + i*3) * rr.between(70, 140) / 100000
				s.conifer(&rr, x, y, tall, col.light(rr.between(-45, -15)).colour())
			}
		}
	}
}

// rays fall from the sun through the trees.
func (s *scene) rays(seed uint32) {
	a := &s.air
	if a.night || a.dim < 50 {
		return
	}
	light := a.sun.lab().mix(a.sky[3].lab(), 100).colour()
	r := s.r.split()
	for range 7 {
		dx := r.between(-900, 900) * s.u / 1000
		wide := s.u * r.between(15, 60) / 1000
		from := point{a.sunX << 8, a.sunY << 8}
		to := s.h + s.u/10
		pts := []point{from, {(a.sunX + dx - wide) << 8, to << 8}, {(a.sunX + dx + wide) << 8, to << 8}}
		s.c.cover(pts, func(row []colour, y int, area []int32) {
			run := int32(0)
			t := max(256-max(y-a.sunY, 0)*256/(to-a.sunY+1), 0) * 44 >> 8
			for x, d := range area {
				run += d
				if v := min(abs(int(run))>>8, 256); v > 0 {
					row[x] = lit(row[x], light, v*t>>8)
				}
			}
		})
	}
}
