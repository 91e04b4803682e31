package paint

import "github.com/imgbuild/imgbuild/internal/imaging"

// edit changes a picture: its light, for the hour and the season that the words
// name; its colours, for colour words; what falls from its sky; and, for words
// that name a scene, what it shows, while its own lights and shadows stay
// visible. Where the mask forbids a change every pixel stays as it was.
func edit(o Order, m mood) *imaging.Picture {
	base := o.Base
	w, h := Canvas(base.Width(), base.Height())
	s := &scene{c: fromPicture(resized(base, w, h)), w: w, h: h, u: min(w, h), r: m.seed(o.Seed), m: m, horizon: h * 55 / 100}
	s.montage(o.More)
	known := m.time != "" || m.season != "" || len(m.hues) > 0 || m.falls()
	if m.scene != "" || m.manner != "" {
		s.repaint(m)
		known = true
	}
	if !known {
		s.m.hues = []lch{{600, 160, int(m.hash % 360)}}
	}
	s.regrade()
	s.objects()
	s.weather()
	out := resized(s.c.finish(0), base.Width(), base.Height())
	copyAlpha(out, base)
	if o.Mask != nil {
		out = imaging.Restore(out, base, o.Mask)
	}
	if o.Width > 0 && o.Height > 0 && (out.Width() != o.Width || out.Height() != o.Height) {
		out = imaging.Fit(out, o.Width, o.Height, "cover", true)
	}
	return out
}

// most is how many pixels an edit is worked out with; what is larger is made of
// that. A test makes it less.
var most = 16 << 20

// Canvas is the size in pixels at which a base of a size is changed.
func Canvas(width, height int) (w, h int) {
	w, h = max(width, least), max(height, least)
	if w*h <= most {
		return w, h
	}
	// Rounded down, so that the product is not more.
	side := root(most * w / h)
	return side, most / side
}

func resized(p *imaging.Picture, w, h int) *imaging.Picture {
	if p.Width() == w && p.Height() == h {
		return p
	}
	return imaging.Fit(p, w, h, "fill", true)
}

func copyAlpha(to, from *imaging.Picture) {
	p, q := to.Pix(), from.Pix()
	for i := 3; i < len(p); i += 4 {
		p[i] = q[i]
	}
}

func fromPicture(p *imaging.Picture) *canvas {
	c := newCanvas(p.Width(), p.Height())
	pix := p.Pix()
	for i := range c.pix {
		q := pix[4*i : 4*i+4 : 4*i+4]
		c.pix[i] = colour(q[0])<<4 | colour(q[1])<<25 | colour(q[2])<<46
	}
	return c
}

// montage sets further pictures side by side with the first, each melting into
// the next.
func (s *scene) montage(more []*imaging.Picture) {
	n := len(more) + 1
	for k, p := range more {
		other := fromPicture(imaging.Fit(p, s.w, s.h, "cover", true))
		border, soft := s.w*(k+1)/n, max(s.w/(3*n), 1)
		for x := max(border-soft, 0); x < s.w; x++ {
			t := step(border-soft, border+soft, x)
			for y := range s.h {
				i := y*s.w + x
				s.c.pix[i] = mix(s.c.pix[i], other.pix[i], t)
			}
		}
	}
}

// luma is how light a colour is, 0 to 4080.
func luma(c colour) int {
	return (int(c&0xfff)*77 + int(c>>21&0xfff)*150 + int(c>>42&0xfff)*29) >> 8
}

// repaint lays another scene over the picture and keeps some of the relief.
func (s *scene) repaint(m mood) {
	other := compose(m, s.w, s.h, random(s.r.next()))
	for i, v := range s.c.pix {
		c := mix(v, other.pix[i], 200)
		if d := luma(v) - luma(other.pix[i]); d > 0 {
			c = lit(c, white, d>>7)
		} else {
			c = mix(c, black, -d>>7)
		}
		s.c.pix[i] = c
	}
}

// regrade gives the picture the light of another hour or season: its own
// lightness chooses a colour of the new light, which is mixed with its own. The
// seed turns the light a little, so that no two edits are one.
func (s *scene) regrade() {
	m := &s.m
	strength, dim, turn, stronger := 0, 256, 0, 0
	vary := func() { turn, stronger, dim = s.r.between(-12, 12), s.r.between(-24, 16), 256-s.r.n(24) }
	turned := func(c lch) lch {
		c.h = (c.h + turn + 360) % 360
		return c
	}
	var tone *ramp
	switch {
	case m.time != "":
		h := hours[m.time]
		h.turn(s.r.between(-8, 8), nil)
		tone = even(h.shade.lab().light(-180), h.shade.lab(), h.sky[1].lab(), h.sky[2].lab(), h.sky[3].lab(), h.sun.lab())
		strength, dim = 185, 256*(h.dim+60)/160
		if m.time == "night" {
			tone = even(lch{40, 20, 275}.lab(), lch{140, 55, 270}.lab(), lch{250, 70, 262}.lab(), lch{380, 70, 250}.lab(), lch{560, 55, 240}.lab())
			strength, dim = 190, 170
		}
	case len(m.hues) > 0:
		vary()
		c, last := turned(m.hues[0]), turned(m.hues[len(m.hues)-1])
		tone = even(lch{120, c.c / 3, c.h}.lab(), lch{380, c.c * 9 / 10, c.h}.lab(), lch{620, c.c, c.h}.lab(), lch{820, last.c * 7 / 10, last.h}.lab(), lch{970, last.c / 5, last.h}.lab())
		strength = 170 + stronger
	}
	if season := map[string][]lch{
		"autumn": {{150, 40, 30}, {420, 120, 38}, {640, 150, 58}, {830, 110, 78}, {970, 30, 90}},
		"winter": {{200, 30, 260}, {480, 40, 250}, {720, 30, 240}, {900, 15, 235}, {990, 5, 230}},
		"spring": {{180, 50, 150}, {480, 110, 140}, {720, 110, 130}, {880, 80, 350}, {980, 20, 340}},
		"summer": {{160, 50, 230}, {430, 120, 150}, {700, 130, 110}, {880, 90, 95}, {985, 30, 95}},
	}[m.season]; season != nil && tone == nil {
		vary()
		stops := make([]lab, len(season))
		for i, c := range season {
			stops[i] = turned(c).lab()
		}
		tone, strength = even(stops...), 130+stronger
	}
	if tone == nil {
		return
	}
	for i, v := range s.c.pix {
		c := mix(v, tone.at(luma(v)<<4), strength)
		s.c.pix[i] = mix(black, c, dim)
	}
	if m.time == "night" {
		s.air.night = true
		s.nightfall()
	}
}

// nightfall sets stars and a moon into the upper part of a picture.
func (s *scene) nightfall() {
	s.horizon = s.h * 45 / 100
	s.stars(700)
	side := s.r.sign()
	s.moon(s.w/2+side*s.w*s.r.between(15, 34)/100, s.h*s.r.between(12, 26)/100, s.u*s.r.between(34, 46)/1000)
}

// objects adds what words name and a regrade does not bring.
func (s *scene) objects() {
	with, r := s.m.with, s.r.split()
	a := &s.air
	a.side = r.sign()
	a.hour = hours["day"]
	a.haze = a.sky[3].lab()
	a.sunX, a.sunY = s.w/2+a.side*s.w*r.between(15, 35)/100, s.h*r.between(12, 24)/100
	size := s.u * r.between(36, 50) / 1000
	if with["stars"] && s.m.time != "night" {
		s.stars(900)
	}
	if with["aurora"] {
		s.aurora(uint32(r.next()))
	}
	switch {
	case with["moon"] && s.m.time != "night":
		s.moon(a.sunX, a.sunY, size)
	case with["sun"]:
		s.c.glow(a.sunX, a.sunY, size*6, lch{900, 120, 75}.colour(), 150)
		s.c.disc(a.sunX<<8, a.sunY<<8, size<<8, a.sun.colour(), 256)
	}
	if with["boat"] {
		s.sail(s.w/2-a.side*s.w/5, s.h*72/100, s.u*r.between(90, 140)/1000)
	}
	if with["birds"] {
		s.birds(r.between(6, 11), s.horizon)
	}
}

// falls reports whether words name something that weather adds.
func (m *mood) falls() bool {
	for _, w := range []string{"rain", "snowfall", "mist", "stars", "moon", "sun", "birds", "aurora", "boat"} {
		if m.with[w] {
			return true
		}
	}
	return false
}

// weather lets snow and rain fall and mist rise, in front of everything.
func (s *scene) weather() {
	r := s.r.split()
	with := s.m.with
	if with["mist"] {
		seed := uint32(r.next())
		veil := lch{900, 12, 240}.colour()
		if s.air.ramp != nil {
			veil = s.air.haze.light(30).colour()
		}
		row := make([]int, s.w)
		for y := s.h * 35 / 100; y < s.h; y++ {
			dx := 65536 * 2 / s.u
			noiseRow(row, 0, dx, y*dx*5, seed)
			t := 150 - abs(y-s.h*72/100)*150/(s.h*37/100+1)
			line := s.c.row(y)
			for x, v := range line {
				line[x] = mix(v, veil, min(max(t+row[x]*t>>15, 0), 220))
			}
		}
	}
	if with["rain"] {
		drop := lch{880, 20, 240}.colour()
		for range 900 * s.w / s.u {
			x, y := r.n(s.w)<<8, r.n(s.h)<<8
			long := s.u * r.between(18, 46) * 256 / 1000
			wide := max(long/40, 60)
			s.c.polygon([]point{{x, y}, {x + wide, y}, {x + wide - long/5, y + long}, {x - long/5, y + long}}, drop, r.between(40, 120))
		}
	}
	if with["snowfall"] {
		for range 1100 * s.w / s.u {
			size := s.u * 256 * (10 + r.n(30)*r.n(30)/16) / 10000
			s.c.disc(r.n(s.w<<8), r.n(s.h<<8), size, white, r.between(120, 240))
		}
	}
}
