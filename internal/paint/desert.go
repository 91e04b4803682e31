package paint

// desert: dunes with a side in light and one in shadow.
func (s *scene) desert() {
	r := &s.r
	horizon := s.h * r.between(560, 640) / 1000
	s.sunAbove = r.between(150, 330)
	s.light(horizon, "golden", "sunset", "day", "dusk", "dawn", "golden")
	seed := uint32(r.next())
	sand := lch{770, 115, r.between(52, 78)}
	if len(s.m.hues) > 0 {
		sand.h = s.m.hues[len(s.m.hues)-1].h
	}
	for k := range 2 {
		base := horizon - s.u*(20-20*k)/1000
		l := s.land(func(x int) int {
			return base<<8 - ridge1(x*(3-k), seed+uint32(k)*5, 5, 115)*s.u*(110-25*k)/1000>>7 + s.u*60/1000<<8
		})
		s.fill(l, nil, horizon+s.u*90/1000, fade(s.far(lch{520, 70, sand.h - 20}, 170-40*k).colour(), s.far(sand, 200).colour(), base-s.u*60/1000, base+s.u*30/1000))
	}
	const rows = 5
	var lands [rows + 1]*land
	for k := range rows {
		base := horizon + (s.h-horizon)*k*k/(rows*rows) + s.u*(20+16*k)/1000
		amp := s.u * (50 + 44*k) / 1000
		lands[k] = s.land(func(x int) int {
			return base<<8 - fbm1(x*(rows-k)/2+x/2, seed+100+uint32(k)*11, 2, 70)*amp>>7
		})
	}
	for k, l := range lands[:rows] {
		s.fill(l, lands[k+1], s.h, s.dune(l, sand, 100-24*k, s.u*(50+44*k)/1000, seed+uint32(k)))
	}
}

// dune is bright where its slope looks at the sun. The line between light and
// shadow starts at the crest and winds down towards the viewer.
func (s *scene) dune(l *land, sand lch, far, amp int, seed uint32) func(y, x0, x1 int, out []colour) {
	a := &s.air
	far = max(far, 0)
	bright := s.far(sand, far).mix(a.sun.lab(), 50)
	dark := s.far(lch{sand.l * 56 / 100, sand.c, sand.h - 15}, far).mix(s.far(a.shade, far), 110)
	tone := even(dark.light(-30), dark, dark.mix(bright, 110), bright, bright.light(35))
	reach := max(s.u*14/1000, 1)
	slope := make([]int, s.w)
	for x := range slope {
		p, q := max(x-reach, 0), min(x+reach, s.w-1)
		slope[x] = int(l.high[q]-l.high[p]) * 65536 / ((q - p + 1) * 256)
	}
	scale := 65536 * 3 / s.u
	wind := make([]int, s.h+1) // how far the line is from the crest, by depth
	for d := range wind {
		wind[d] = a.side*d*8/10 + noise1(d*scale*2, seed+7)*s.u*20/1000>>15
	}
	ripple := make([]int, s.w)
	return func(y, x0, x1 int, out []colour) {
		noiseRow(ripple[:len(out)], x0*scale*4, scale*4, y*scale*14, seed)
		for i := range out {
			x := x0 + i
			d := max(y-int(l.high[x])>>8, 0)
			// The light comes from the side, so that the line leaves it.
			v := slope[min(max(x+wind[min(d, s.h)], 0), s.w-1)] * a.side
			v = 37000 + v*5/2 + ripple[i]/5 - min(d*9000/(amp+1), 9000)
			out[i] = tone.at(v)
		}
	}
}
