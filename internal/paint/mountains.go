package paint

// mountains: ranges behind each other in hazy air, the highest with faces in
// light and shadow and snow; often a lake, and dark trees in front.
func (s *scene) mountains() {
	r := &s.r
	lake := s.m.with["lake"] || r.chance(35)
	shore := s.h * r.between(700, 760) / 1000
	if !lake {
		shore = s.h * r.between(790, 850) / 1000
	}
	s.sunAbove, s.skyline = r.between(340, 500), 760
	s.light(shore, "day", "golden", "sunset", "dawn", "dusk", "golden")
	seed := uint32(r.next())
	rock := lch{480, 40, r.between(230, 300)}

	hills := s.land(func(x int) int {
		return (shore-s.u*45/1000)<<8 - (fbm1(x*2, seed+77, 5, 110)+4000)*s.u*75/1000>>7
	})
	s.treeline(hills, 5, 16)
	front, paintPeaks := s.peaks(shore, hills, rock, seed)

	// Far ranges, each nearer one darker and lower.
	n := r.between(2, 3)
	for k := range n {
		base := shore - s.u*(230-60*k)/1000
		amp := s.u * (190 + r.n(60) - 25*k) / 1000
		l := s.land(func(x int) int {
			return base<<8 - ridge1(x*(2+k), seed+uint32(k)*31, 6, 120)*amp>>7 + amp<<7
		})
		t := 205 - 38*k
		s.fill(l, front, shore, fade(s.far(rock, t).colour(), s.far(rock, min(t+60, 250)).colour(), base-amp/2, base+amp/2))
	}
	paintPeaks()
	g := s.green(r)
	if s.m.season != "winter" {
		g.l -= 100
	}
	s.fill(hills, nil, shore, fade(s.far(g, 80).colour(), s.far(g, 30).light(-60).colour(), shore-s.u*130/1000, shore))

	if lake {
		s.water(shore, seed)
	} else {
		s.foothills(shore, seed)
	}
	s.foreground(seed)
}

// peaks is the main range: mountains of one summit each, the highest behind.
// It gives what they hide, with front, and how to paint them.
func (s *scene) peaks(base int, front *land, rock lch, seed uint32) (*land, func()) {
	r := s.r.split()
	wide := s.w << 16 / s.u
	main := -s.air.side * r.between(0, 22) * wide / 100
	type summit struct{ x, y, left, right int }
	all := []summit{{main, base - s.u*r.between(420, 500)/1000, r.between(72, 100), r.between(72, 100)}}
	for k := range 3 + wide>>15 {
		side := 1 - k%2*2
		x := main + side*(k/2+1)*r.between(230, 340)*65536/1000
		all = append(all, summit{x, base - s.u*r.between(200, 370)/1000, r.between(62, 100), r.between(62, 100)})
	}
	lands := make([]*land, len(all))
	for k, m := range all {
		lands[k] = s.land(func(x int) int {
			steep := m.right
			if x < m.x {
				steep = m.left
			}
			y := m.y<<8 + abs(x-m.x)*s.u/256*steep/100
			own := seed + uint32(k)*13
			return y + fbm1(x*7, own, 6, 130)*s.u*50/1000>>7 + ridge1(x*20, own+8, 4, 128)*s.u*16/1000>>7 - s.u*30/1000<<8
		})
	}
	hidden := make([]*land, len(all)+1)
	hidden[len(all)] = front
	for k := len(all) - 1; k >= 0; k-- {
		hidden[k] = lands[k].before(hidden[k+1])
	}
	snow := map[string]int{"winter": 480, "spring": 230, "autumn": 190, "summer": 110}[s.m.season]
	if snow == 0 {
		snow = r.between(130, 290)
	}
	return hidden[0], func() {
		for k, m := range all {
			f := faces{x: m.x*s.u>>16 + s.w/2, y: m.y, foot: base, snow: all[0].y + s.u*snow/1000, haze: 66 - 6*k, seed: seed + uint32(k)*57}
			s.fill(lands[k], hidden[k+1], base, s.faces(f, rock))
		}
	}
}

type faces struct {
	x, y, foot int // of the summit, pixels
	snow       int // the row down to which it lies
	haze       int
	seed       uint32
}

// faces shades a mountain: one flank has the light, gullies run down from the
// crest between the two, and the foot is in mist.
func (s *scene) faces(f faces, rock lch) func(y, x0, x1 int, out []colour) {
	a := &s.air
	sun := a.sun.lab().mix(a.sky[3].lab(), 120)
	tone := func(m lch, lightBy, shadow int) *ramp {
		dark := s.far(lch{m.l * shadow / 100, m.c, m.h}, f.haze).mix(s.far(a.shade, f.haze), 120).chroma(115)
		bright := s.far(lch{min(m.l+lightBy, 990), m.c, m.h}, f.haze).mix(sun, 60+a.tint/3)
		return even(dark.light(-25), dark, dark.mix(bright, 120), bright, bright.light(45))
	}
	stone, snow := tone(rock, 90, 56), tone(lch{960, 12, 250}, 40, 74)
	mist := a.haze.colour()
	scale := 65536 * 16 / s.u // noise a pixel
	rough, fine := make([]int, s.w), make([]int, s.w)
	return func(y, x0, x1 int, out []colour) {
		fall := max(y-f.y, 0)
		crest := f.x + (noise1(fall*scale, f.seed)+noise1(fall*scale*4, f.seed+1)/3)*s.u*36/1000>>15
		split := min(max(crest-x0, 0), len(out))
		flank := func(from, to, side int) { // gullies lean away from the crest
			at := x0 + from - f.x
			noiseRow(rough[from:to], (at-side*fall*6/10)*scale, scale, fall*scale*2/5, f.seed+3)
			noiseRow(fine[from:to], (at-side*fall*8/10)*scale*3, scale*3, fall*scale, f.seed+4)
		}
		flank(0, split, -1)
		flank(split, len(out), 1)
		veil := min(max((y-f.foot+s.u*190/1000)*1000/s.u, 0), 220)
		for i := range out {
			x := x0 + i
			v := 16000
			if (i >= split) == (a.side > 0) {
				v = 44000
			}
			near := abs(x - crest) // the crest is no knife
			if near < 3 {
				v = (v*(near+3) + 30000*(3-near)) / 6
			}
			g, h := rough[i], 9000-abs(fine[i])*2 // creases
			v += g*2/3 + h/2
			c := stone.at(v)
			if t := step(-6, 6, (f.snow-y)*1000/s.u+(g+h)>>8); t > 0 {
				c = mix(c, snow.at(v+4000), t)
			}
			out[i] = mix(c, mist, veil)
		}
	}
}

// treeline sets small conifers on the edge of a land, lo to hi thousandths
// high.
func (s *scene) treeline(l *land, lo, hi int) {
	r := s.r.split()
	for x := 0; x < len(l.top); {
		tall := s.u * r.between(lo, hi) * 256 / 1000
		wide := max(tall*40/100*4/256, 2) // in quarter columns
		base := l.top[x]
		for k := -wide / 2; k <= wide/2; k++ {
			if i := x + k; i >= 0 && i < len(l.top) {
				l.top[i] = min(l.top[i], base-int32(tall-abs(k)*2*tall/(wide+1)))
			}
		}
		x += max(wide*r.between(35, 80)/100, 1)
	}
	l.bound()
}

// foothills roll from the mountains to the viewer.
func (s *scene) foothills(top int, seed uint32) {
	r := &s.r
	var lands [4]*land
	base := func(k int) int { return top - s.u*30/1000 + (s.h-top+s.u*30/1000)*k/3 }
	for k := range 3 {
		lands[k] = s.land(func(x int) int {
			return base(k)<<8 + fbm1(x*3/2+k<<19, seed+uint32(k)*17, 4, 90)*s.u*50/1000>>7
		})
		if k < 2 {
			s.treeline(lands[k], 10+10*k, 26+18*k)
		}
	}
	for k, l := range lands[:3] {
		g := s.green(r)
		g.l -= 130 + 60*k
		s.fill(l, lands[k+1], s.h, fade(s.far(g, 80-30*k).colour(), s.far(g, 60-25*k).light(-50).colour(), base(k)-s.u*50/1000, base(k)+s.u*120/1000))
	}
}

// foreground frames the picture with a dark slope and conifers.
func (s *scene) foreground(seed uint32) {
	r := s.r.split()
	side := r.sign()
	half := s.w << 15 / s.u
	slope := s.land(func(x int) int {
		rise := max(x*side+half*3/10, 0) * s.u >> 8 * 20 / 100
		return (s.h-s.u*12/1000)<<8 - rise + fbm1(x*5, seed+99, 4, 110)*s.u*12/1000>>7
	})
	g := s.green(&r)
	g.l, g.c = 310, g.c*75/100
	near := s.far(g, 12).mix(s.air.shade.lab(), 70).light(-40)
	col := near.colour()
	n := r.between(16, 26)
	for k := range n {
		// Trees stand denser and taller towards the side.
		d := r.n(1000) * r.n(1000) / 1000
		x := s.w/2 + side*(s.w/2-d*s.w*62/100/1000)
		x = min(max(x, 0), s.w-1)
		tall := s.u * (r.between(70, 120) + (1000-d)*r.between(60, 190)/1000) / 1000
		foot := int(slope.high[x])>>8 + s.u*8/1000
		s.conifer(&r, x, foot, tall, mix(col, s.air.haze.colour(), (n-k)*40/n))
	}
	s.fill(slope, nil, s.h, fade(col, near.light(-35).colour(), s.h-s.u*200/1000, s.h))
}

// conifer draws a fir whose tip is tall pixels above its foot.
func (s *scene) conifer(r *random, x, foot, tall int, col colour) {
	tiers := min(max(tall/12, 4), 11)
	lean := r.between(-3, 3) * tall / 2
	wide := tall * r.between(38, 50) * 256 / 200
	var left, right []point
	for k := range tiers {
		y0 := (foot-tall)<<8 + tall<<8*(k*92)/(tiers*100)
		y1 := (foot-tall)<<8 + tall<<8*((k+1)*92+24)/(tiers*100)
		inner := wide * k * 50 / (tiers * 100)
		cx := x<<8 + lean*(tiers-k)/tiers
		for i, list := range []*[]point{&left, &right} {
			outer := wide * (k + 1) * r.between(78, 104) / (tiers * 100)
			*list = append(*list, point{cx + (2*i-1)*inner, y0}, point{cx + (2*i-1)*outer, y1 + r.n(tall*4+1)})
		}
	}
	trunk, low := max(wide/14, 64), foot<<8-tall*10
	pts := append(left, point{x<<8 - trunk, low}, point{x<<8 - trunk, foot << 8}, point{x<<8 + trunk, foot << 8}, point{x<<8 + trunk, low})
	for i := len(right) - 1; i >= 0; i-- {
		pts = append(pts, right[i])
	}
	s.c.polygon(pts, col, 256)
}

// water mirrors what stands above the shore, in ripples that grow towards the
// viewer.
func (s *scene) water(shore int, seed uint32) {
	deep := s.far(lch{330, 70, 245}, 20).colour()
	shine := s.air.ramp.at(56000)
	long, short := make([]int, s.w), make([]int, s.w)
	for y := shore; y < s.h; y++ {
		d := y - shore
		near := d * 1000 / s.u
		amp := s.u * (2 + near/24)
		// Waves are long across and short in depth.
		z := 65536 * 60 / (near + 14)
		dx := z * 4 / s.u
		noiseRow(long, -s.w/2*dx*5, dx*5, z*26, seed+41)
		noiseRow(short, -s.w/2*dx*13, dx*13, z*61, seed+42)
		row := s.c.row(y)
		tint := 40 + min(near/6, 70)
		mirror := shore - 1 - d*16/10
		for x := range row {
			n := long[x] + short[x]/2
			sy := min(max(mirror+n*amp/1000>>15, 0), shore-1)
			sx := min(max(x+n*amp/2600>>15, 0), s.w-1)
			c := mix(s.c.pix[sy*s.w+sx], deep, tint)
			if n > 9000 {
				c = mix(c, shine, min((n-9000)>>7, 60))
			}
			row[x] = c
		}
	}
	thick := max(s.u*5/1000, 1)
	for k := range thick { // the line of the shore
		s.c.mist(shore+k, shine, 60-k*50/thick)
	}
}
