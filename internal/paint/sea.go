package paint

// sea: waves to the horizon, a path of light under the sun, islands, and often
// a sail.
func (s *scene) sea() {
	r := &s.r
	horizon := s.h * r.between(500, 590) / 1000
	s.sunAbove = r.between(90, 260)
	s.light(horizon, "sunset", "golden", "day", "dusk", "dawn", "day")
	seed := uint32(r.next())
	a := &s.air

	// Islands, far ones first.
	for k := range r.between(1, 3) {
		at := r.sign() * r.between(15, 60) * (s.w << 16 / s.u) / 100
		if k == 0 { // one that frames the picture, away from the sun
			at = -a.side * r.between(38, 58) * (s.w << 16 / s.u) / 100
		}
		wide, tall := r.between(180, 420)*65536/1000, s.u*r.between(50, 150)/1000
		rock := lch{430, 50, r.between(130, 290)}
		l := s.land(func(x int) int {
			d := (x - at) * 256 / wide
			body := tall << 8 * max(256-d*d>>8, -64) >> 8
			return horizon<<8 - body - (ridge1(x*6, seed+uint32(k), 5, 125)-20000)*tall*4/10>>7
		})
		far := 130 + r.n(70) - 40*k
		s.fill(l, nil, horizon, fade(s.far(rock, far).colour(), s.far(rock, far+40).colour(), horizon-tall, horizon))
	}
	s.waves(horizon, seed)
	if s.m.with["boat"] || r.chance(55) {
		x := s.w/2 - a.side*r.between(2, 22)*s.w/100
		s.sail(x, horizon+s.u*r.between(35, 90)/1000, s.u*r.between(70, 130)/1000)
	}
	if s.m.with["palms"] {
		s.palms(seed)
	}
	s.birds(r.between(4, 9), horizon)
}

func (s *scene) waves(horizon int, seed uint32) {
	a := &s.air
	deep := lch{380, 85, 238}
	if len(s.m.hues) > 0 {
		deep.h = (deep.h + s.m.hues[0].h) / 2
	}
	near := s.far(deep, 0)
	surface := even(a.sky[3].lab().mix(a.haze, 128), a.sky[2].lab().mix(near, 90), a.sky[1].lab().mix(near, 170), near, near.light(-70))
	sun := a.sun.lab().mix(a.sky[3].lab(), 70).colour()
	long, mid, short := make([]int, s.w), make([]int, s.w), make([]int, s.w)
	bright := 256
	if a.night {
		bright = 150
	}
	for y := horizon; y < s.h; y++ {
		d := (y - horizon) * 1000 / s.u
		z := 65536 * 60 / (d + 6)
		dx := max(z*3/s.u, 1)
		noiseRow(long, -s.w/2*dx*2, dx*2, z*13, seed+41)
		noiseRow(mid, -s.w/2*dx*7, dx*7, z*37, seed+43)
		noiseRow(short, -s.w/2*dx*19, dx*19, z*90, seed+42)
		base := 9000 + root(d*1000)*52
		path := s.u*35/1000 + (y-horizon)*30/100 // half the width of the light
		row := s.c.row(y)
		grow := min(d*4+60, 700)
		for x := range row {
			n := long[x] + mid[x]*3/4 + short[x]/2
			c := surface.at(base + n*grow/700)
			off := abs(x-a.sunX) * 256 / path
			if off < 512 {
				t := 256 - off/2
				t = t * t >> 8
				if g := mid[x] + short[x] + t*90 - 21000; g > 0 {
					c = lit(c, sun, min(g>>4, 256)*t>>8*bright>>8)
				}
				c = lit(c, sun, t*t>>8*60>>8*bright>>8)
			}
			row[x] = c
		}
	}
	s.c.mist(horizon, a.haze.colour(), 120)
}

// sail draws a boat with two sails and its shadow on the water; its hull lies
// on row y.
func (s *scene) sail(x, y, tall int) {
	p := func(dx, dy int) point { return point{x<<8 + dx*tall*256/1000, y<<8 - dy*tall*256/1000} }
	a := &s.air
	cloth := s.far(lch{970, 25, 85}, 20)
	hull := s.far(lch{330, 90, 30}, 20).colour()
	side := a.side
	s.c.polygon([]point{p(-40*side, -10), p(300*side, -40), p(120*side, -420), p(0, -520)}, hull, 60)
	s.c.polygon([]point{p(20*side, 80), p(20*side, 1000), p(-30*side, 760), p(-110*side, 400), p(-240*side, 110)}, cloth.colour(), 256)
	s.c.polygon([]point{p(50*side, 110), p(40*side, 930), p(150*side, 540), p(330*side, 130)}, cloth.mix(a.shade.lab(), 90).colour(), 256)
	s.c.polygon([]point{p(-330, 70), p(360, 70), p(270, -30), p(-250, -30)}, hull, 256)
}

func (s *scene) birds(n, horizon int) {
	r := s.r.split()
	col := s.far(lch{240, 30, 280}, 30).colour()
	cx, cy := s.w*r.between(25, 75)/100, horizon*r.between(30, 70)/100
	for range n {
		x, y := (cx+r.between(-130, 130)*s.u/1000)<<8, (cy+r.between(-70, 70)*s.u/1000)<<8
		size := s.u * 256 * r.between(8, 19) / 1000
		flap := r.between(20, 60)
		q := func(dx, dy int) point { return point{x + dx*size/100, y + dy*size/100} }
		s.c.polygon([]point{q(0, 0), q(-50, -flap), q(-100, -flap+14), q(-52, -flap+20), q(0, 16), q(52, -flap+20), q(100, -flap+14), q(50, -flap)}, col, 220)
	}
}

// palms lean in from one side, in front of all.
func (s *scene) palms(seed uint32) {
	r := s.r.split()
	side := -s.air.side
	col := s.far(lch{240, 50, 150}, 0).mix(s.air.shade.lab(), 120).light(-60).colour()
	for k := range 2 + r.n(2) {
		foot := point{(s.w/2 + side*(s.w/2-s.u*(20+60*k)/1000)) << 8, s.h << 8}
		tall := s.u * r.between(480, 700) / 1000 << 8
		lean := -side * s.u * r.between(60, 190) / 1000 << 8
		var left, right []point
		top := foot
		for i := range 9 {
			t := i * 32
			x, y := foot.x+lean*t*t>>16, foot.y-tall*t>>8
			thick := s.u * (11 - i*6/8) * 256 / 1000
			left, right = append(left, point{x - thick, y}), append([]point{{x + thick, y}}, right...)
			top = point{x, y}
		}
		s.c.polygon(append(left, right...), col, 256)
		for i := range 9 {
			turn := 512 + i*64 + r.between(-24, 24) // over the upper half and a little down
			long := s.u * r.between(130, 190) * 256 / 1000
			s.frond(top, turn, long, col)
		}
	}
	beach := s.land(func(x int) int {
		return (s.h-s.u*40/1000)<<8 + fbm1(x*2, seed+5, 3, 100)*s.u*30/1000>>7
	})
	s.fill(beach, nil, s.h, fade(col, col, 0, 1))
}

// frond is a bent leaf with a comb of leaflets.
func (s *scene) frond(from point, turn, long int, col colour) {
	at := func(t int) point { // t of 256 along the leaf, which falls under its weight
		return point{from.x + long*t>>8*cosine(turn)>>14, from.y + long*t>>8*sine(turn)>>14 + long*t*t>>16*70/100}
	}
	var up, down []point
	for i := range 33 {
		p := at(i * 8)
		thick := long * (i%2*5 + 3) * (34 - i) / 2000
		up, down = append(up, point{p.x, p.y - thick/3}), append([]point{{p.x, p.y + thick}}, down...)
	}
	s.c.polygon(append(up, down...), col, 256)
}
