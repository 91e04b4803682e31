package paint

// city: blocks of towers in three depths, windows lit by the hour, and a river
// that mirrors them.
func (s *scene) city() {
	r := &s.r
	shore := s.h * r.between(740, 800) / 1000
	s.sunAbove = r.between(300, 480)
	s.skyline = 830
	s.light(shore, "dusk", "night", "sunset", "golden", "dusk", "dawn")
	seed := uint32(r.next())
	for k := range 3 {
		s.towers(k, shore)
		for y := shore - s.u*200/1000; y < shore; y++ { // haze between the blocks
			s.c.mist(y, s.air.haze.colour(), (y-shore+s.u*200/1000)*(70-20*k)/(s.u*200/1000+1))
		}
	}
	quay := s.far(lch{250, 30, 270}, 10).colour()
	for y := shore - s.u*9/1000; y < shore; y++ {
		s.c.mist(y, quay, 256)
	}
	s.water(shore, seed)
}

func (s *scene) towers(depth, foot int) {
	r := s.r.split()
	a := &s.air
	far := 170 - 70*depth
	hue := r.between(220, 320)
	if len(s.m.hues) > 0 {
		hue = s.m.hues[depth%len(s.m.hues)].h
	}
	on := map[bool]int{true: 42, false: 8}[a.dim < 50]
	if a.dim >= 50 && a.dim < 70 {
		on = 22
	}
	lamp := []colour{lch{880, 110, 80}.colour(), lch{900, 90, 92}.colour(), lch{840, 120, 62}.colour(), lch{900, 50, 220}.colour()}
	for x := -s.u * r.n(50) / 1000; x < s.w; {
		wide := s.u * r.between(46, 96-8*depth) / 1000
		// Downtown stands in the middle.
		mid := 1000 - abs(x+wide/2-s.w/2)*1000/(s.w/2+1)
		tall := s.u * (r.between(90, 200) + mid*r.between(60, 340)/1000) * (10 - 2*depth) / 10000
		if r.chance(12) {
			tall = tall * 135 / 100
		}
		stone := lch{r.between(380, 520), r.between(20, 60), hue + r.between(-25, 25)}
		bright := s.far(stone, far).mix(a.sun.lab(), 24+a.tint/4)
		dark := s.far(lch{stone.l * 68 / 100, stone.c, stone.h}, far)
		s.tower(&r, x, foot, wide, tall, depth, bright, dark, lamp, on)
		x += wide + s.u*r.between(-12, 18-4*depth)/1000
	}
}

func (s *scene) tower(r *random, x, foot, wide, tall, depth int, bright, dark lab, lamp []colour, on int) {
	a := &s.air
	u := func(n int) int { return s.u * n * 256 / 1000 }
	x0, x1, top, bottom := x<<8, (x+wide)<<8, (foot-tall)<<8, foot<<8
	fold := x0 + (x1-x0)*r.between(25, 75)/100
	cl, cr := bright.colour(), dark.colour()
	if a.side > 0 {
		cl, cr = cr, cl
	}
	switch r.n(7) {
	case 0: // a mast
		m := (x0 + x1) / 2
		s.c.polygon([]point{{m - u(2), top}, {m, top - u(r.between(50, 110))}, {m + u(2), top}}, cr, 256)
	case 1, 2: // set back
		in := (x1 - x0) / 5
		up := u(r.between(15, 50))
		s.c.rect(x0+in, top-up, fold, top, cl, 256)
		s.c.rect(fold, top-up, x1-in, top, cr, 256)
	case 3: // slanted
		up := u(r.between(20, 60))
		s.c.polygon([]point{{x0, top}, {x0, top - up}, {fold, top - up/2}, {fold, top}}, cl, 256)
		s.c.polygon([]point{{fold, top}, {fold, top - up/2}, {x1, top}}, cr, 256)
	}
	s.c.rect(x0, top, fold, bottom, cl, 256)
	s.c.rect(fold, top, x1, bottom, cr, 256)
	if depth == 0 && on < 20 {
		return
	}
	// Windows.
	w, h := u(r.between(5, 8)), u(r.between(6, 10))
	gapX, gapY := w*r.between(150, 200)/100, h*r.between(150, 190)/100
	glass := mix(cr, a.ramp.at(40000), 90)
	tint := lamp[r.n(len(lamp))]
	strength := 110 + 70*depth
	columns := (x1 - x0 - w) / gapX
	margin := (x1 - x0 - columns*gapX + gapX - w) / 2
	for y := top + h; y < bottom-2*h; y += gapY {
		for i := range columns {
			wx := x0 + margin + i*gapX
			if r.chance(on) {
				c := tint
				if r.chance(20) {
					c = lamp[r.n(len(lamp))]
				}
				s.c.rect(wx, y, wx+w, y+h, c, strength-r.n(70))
			} else {
				s.c.rect(wx, y, wx+w, y+h, glass, 90)
			}
		}
	}
}
