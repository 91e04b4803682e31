package paint

// hour is the light of a time of day.
type hour struct {
	sky   [4]lch // zenith, two between, horizon
	sun   lch
	high  [2]int // of the sun above the horizon, thousandths of the sky
	dim   int    // lightness of the land, percent
	tint  int    // how much the land takes the colour of the air, of 256
	shade lch    // of what the light does not reach
	stars int    // a megapixel
}

var hours = map[string]hour{
	"day":      {[4]lch{{600, 135, 256}, {720, 110, 245}, {840, 65, 230}, {945, 28, 210}}, lch{990, 35, 100}, [2]int{620, 820}, 100, 40, lch{420, 70, 260}, 0},
	"dawn":     {[4]lch{{600, 90, 275}, {740, 85, 325}, {850, 90, 30}, {935, 75, 75}}, lch{985, 60, 90}, [2]int{120, 260}, 88, 70, lch{440, 80, 295}, 0},
	"golden":   {[4]lch{{620, 85, 255}, {750, 55, 310}, {860, 95, 62}, {935, 105, 88}}, lch{990, 70, 98}, [2]int{200, 380}, 92, 70, lch{400, 70, 320}, 0},
	"sunset":   {[4]lch{{330, 125, 288}, {520, 165, 345}, {700, 175, 42}, {865, 145, 78}}, lch{970, 95, 92}, [2]int{60, 220}, 62, 80, lch{270, 90, 305}, 60},
	"dusk":     {[4]lch{{225, 90, 278}, {370, 120, 292}, {570, 130, 335}, {790, 115, 52}}, lch{930, 60, 85}, [2]int{420, 680}, 42, 84, lch{200, 80, 285}, 350},
	"night":    {[4]lch{{125, 50, 275}, {200, 72, 270}, {300, 85, 258}, {440, 75, 240}}, lch{965, 22, 95}, [2]int{520, 800}, 32, 96, lch{130, 55, 270}, 900},
	"overcast": {[4]lch{{520, 30, 255}, {650, 26, 245}, {780, 18, 235}, {880, 12, 220}}, lch{930, 12, 100}, [2]int{500, 700}, 72, 100, lch{400, 35, 255}, 0},
}

// air is the light of one picture.
type air struct {
	hour
	night      bool
	ramp       *ramp // of the sky, zenith to horizon
	haze       lab   // of what is far away
	sunX, sunY int   // pixels
	side       int   // where the light comes from: -1 left, 1 right
}

// turn gives the sky the hues of the words, keeping its own play of hues in
// half its width.
func (h *hour) turn(by int, hues []lch) {
	if len(hues) == 0 {
		for i := range h.sky {
			h.sky[i].h += by
		}
		return
	}
	for i := range h.sky {
		c := hues[i*len(hues)/4]
		away := (h.sky[i].h-h.sky[2].h+540)%360 - 180
		h.sky[i].h = c.h + away/4
		h.sky[i].c = (h.sky[i].c + c.c*3/2) / 2
		h.sky[i].l = (h.sky[i].l*3 + c.l) / 4
	}
}

// light chooses the time of day and paints the sky down to the row horizon.
func (s *scene) light(horizon int, often ...string) {
	time := s.m.time
	if time == "" {
		time = often[s.r.n(len(often))]
	}
	a := &s.air
	a.hour, a.night = hours[time], time == "night"
	a.turn(s.r.between(-14, 14), s.m.hues)
	stops := make([]lab, 4)
	for i, c := range a.sky {
		c.c = c.c * s.m.chroma / 100
		stops[i] = c.lab()
	}
	a.ramp = even(stops...)
	a.haze = stops[3].mix(stops[2], 110)
	a.side = s.r.sign()
	a.sunX = s.w/2 + a.side*s.r.between(60, 330)*s.w/1000
	a.sunY = horizon - max(s.r.between(a.high[0], a.high[1])*horizon/1000, s.sunAbove*s.u/1000)
	s.horizon = horizon
	s.sky(time)
}

// Everything smooth is computed on a grid of cellX x cellY pixels; clouds are
// longer than high.
const cellX, cellY = 8, 4

// sky paints gradient, glow, clouds, sun or moon and stars.
func (s *scene) sky(time string) {
	a, seed := &s.air, uint32(s.r.next())
	cover := s.r.between(-5200, 1500)
	switch {
	case s.m.with["clouds"] || time == "overcast":
		cover = 5000
	case a.night:
		cover = -7000
	}
	glow := a.sun.lab().mix(lch{880, 130, 62}.lab(), 90)
	if a.night || time == "overcast" {
		glow = a.sun.lab().chroma(60)
	}
	glowColour := glow.colour()
	lightCloud := even(a.haze.mix(a.sun.lab(), 40).light(30), a.haze.mix(a.sun.lab(), 170).light(60))
	darkCloud := a.sky[1].lab().mix(a.haze, 120).light(-20).colour()
	if a.night {
		lightCloud = even(a.sky[2].lab().light(-40), a.sky[3].lab().light(40))
		darkCloud = a.sky[1].lab().light(-10).colour()
	}
	gw, gh := s.w/cellX+2, s.horizon/cellY+2
	grid := make([]colour, gw*gh)
	reach := s.u * 9 / 10
	var above [4][]int // the clouds of the last rows
	for k := range above {
		above[k] = make([]int, gw)
	}
	for j := -len(above); j < gh; j++ { // the first ones only to know what is above
		y := j * cellY
		base := a.ramp.at(y * 65536 / max(s.horizon*s.skyline/1000, 1))
		// Clouds lie on a ceiling: they crowd towards the horizon.
		far := 65536 * 300 / (220 + max(s.horizon-y, 0)*1000/s.u)
		fade := step(0, 256*120/1000, (s.horizon-y)*256/s.u+12) // into the haze
		now, up := above[j&3], above[(j+1)&3]
		for i := range gw {
			x := i * cellX
			c := base
			dx, dy := (x-a.sunX)*256/reach, (y-a.sunY)*256/reach
			g := 256 * 6000 / (6000 + dx*dx + dy*dy*3/2)
			g = g * g >> 8
			c = lit(c, glowColour, g*150>>8)
			n := s.cloud((x-s.w/2)*far/s.u*2, far*9, cover, seed)
			if now[i] = n; n > -1500 {
				thick := step(-1500, 9000, n)
				shade := min(max((n-up[i]+2500)*256/7500, 0), 256)
				cloud := mix(darkCloud, lightCloud.at(shade*256), 60+shade*196>>8)
				cloud = lit(cloud, glowColour, g*110>>8)
				c = mix(c, cloud, thick*fade>>8*215>>8)
			}
			if j >= 0 {
				grid[j*gw+i] = c
			}
		}
	}
	s.spread(grid, gw, min(s.horizon, s.h))
	for y := s.horizon; y < s.horizon+s.u/6; y++ { // behind hills that begin lower
		s.c.mist(y, a.ramp.at(65535), 256)
	}

	bright := a.stars
	if s.m.with["stars"] {
		bright = max(bright, 900)
	}
	if bright > 0 {
		s.stars(bright)
	}
	if s.m.with["aurora"] {
		s.aurora(seed)
	}
	r := s.u * s.r.between(34, 52) / 1000
	switch {
	case a.night || time == "dusk" || s.m.with["moon"]:
		s.moon(a.sunX, a.sunY, r*8/10)
	case time == "overcast":
	default:
		light := a.sun.colour()
		s.c.glow(a.sunX, a.sunY, r*5, glowColour, 110)
		s.c.disc(a.sunX<<8, a.sunY<<8, r<<8, light, 256)
	}
}

// cloud is how thick clouds are; below -1500 there is none.
func (s *scene) cloud(x, y, cover int, seed uint32) int {
	n := cover + fbm2(x, y, seed, 2)
	if n < -8000 { // the finer octaves can't make up for it
		return n
	}
	return n + fbm2(x<<2, y<<2, seed+2*977, 3)>>2
}

// spread paints the rows down to bottom from a grid of colours, smoothly
// between its points.
func (s *scene) spread(grid []colour, gw, bottom int) {
	for y := range bottom {
		j, v := y/cellY, y%cellY*256/cellY
		up, down := grid[j*gw:], grid[min((j+1)*gw, len(grid)-gw):]
		row := s.c.row(y)
		a := mix(up[0], down[0], v)
		for i := 0; i*cellX < s.w; i++ {
			b := mix(up[i+1], down[i+1], v)
			for k := range min(cellX, s.w-i*cellX) {
				row[i*cellX+k] = mix(a, b, k*256/cellX)
			}
			a = b
		}
	}
}

func (s *scene) stars(perMegapixel int) {
	r := s.r.split()
	n := perMegapixel * (s.w * 1024 / s.u) * (s.h * 1024 / s.u) >> 20
	for range n {
		x, y := r.n(s.w<<8), r.n(max(s.horizon, 1)<<8)
		size := s.u * (60 + r.n(60)*r.n(60)*r.n(60)/800) >> 9 // mostly small
		warm := lch{960, 40, []int{70, 250, 250, 300}[r.n(4)]}.colour()
		fade := 256 - y/max(s.horizon, 1)*200/256
		s.c.disc(x, y, size, warm, (90+r.n(166))*fade>>8)
	}
}

func (s *scene) moon(x, y, r int) {
	light := lch{960, 25, 95}.colour()
	s.c.glow(x, y, r*7, lch{700, 60, 250}.colour(), 90)
	s.c.glow(x, y, r*2, light, 70)
	s.c.disc(x<<8, y<<8, r<<8, light, 256)
	sea := lch{880, 20, 250}.colour()
	rr := s.r.split()
	for range 9 {
		a, d := rr.n(1024), r*rr.n(62)/100
		size := r * rr.between(8, 26) / 100
		s.c.disc((x<<8)+d*cosine(a)>>6, (y<<8)+d*sine(a)>>6, size<<8, sea, 110)
	}
}

// aurora hangs curtains of light in the sky.
func (s *scene) aurora(seed uint32) {
	for k := range 3 {
		col := lch{820, 190, 155 + 25*k + 60*(k/2)}.colour()
		for x := range s.w {
			u := x << 16 / s.u
			base := s.horizon*(52-9*k)/100 + fbm1(u*3/2+k<<18, seed+uint32(k), 3, 110)*s.u*22/100>>15
			bright := 128 + noise1(u*24, seed+9+uint32(k))>>9 + noise1(u*5, seed+5)>>9
			tall := s.u*(26+10*k)/100 + noise1(u*9, seed+7)*s.u/12>>15
			for y := max(base-tall, 0); y < min(base+s.u/40, s.horizon); y++ {
				t := 256
				if y < base {
					t = 256 - (base-y)*256/tall
				} else {
					t = 256 - (y-base)*256/(s.u/40+1)
				}
				i := y*s.w + x
				s.c.pix[i] = lit(s.c.pix[i], col, t*t>>8*max(bright, 0)>>8*170>>8)
			}
		}
	}
}
