package paint

// colour is a pixel under work: red, green and blue in lanes of 21 bits, each
// an sRGB value with 8 integer and 4 fractional bits. Twelve bits leave room
// in the lane to weigh all three with one multiplication.
type colour uint64

const (
	lanes    = 1 | 1<<21 | 1<<42
	laneMask = 0xfff * lanes
	laneHalf = 128 * lanes
	black    = colour(0)
	white    = colour(0xff0 * lanes)
)

// mix is a for t 0 and b for t 256.
func mix(a, b colour, t int) colour {
	return (a*colour(256-t) + b*colour(t) + laneHalf) >> 8 & laneMask
}

// flat is c cut to whole values, which the dither leaves alone.
func (c colour) flat() colour { return c &^ (0xf * lanes) }

// lit is c plus as much of light as does not go over white: what glows.
func lit(c, light colour, t int) colour {
	const lane = 0xfff
	a, b := uint64(c), uint64(light)
	u := uint64(t)
	return screen(a&lane, b&lane*u>>8) | screen(a>>21&lane, b>>21&lane*u>>8)<<21 | screen(a>>42&lane, b>>42&lane*u>>8)<<42
}

// screen is 1-(1-a)(1-b) for one lane.
func screen(a, b uint64) colour { return colour(a + b - a*b/0xff0) }

// lch is a colour as people think of it (OKLCH): lightness 0 to 1000, chroma 0
// to about 330 and hue in degrees.
type lch struct{ l, c, h int }

// lab is the same in OKLab, Q16, where the middle of two colours looks like
// it.
type lab struct{ l, a, b int }

func (x lch) lab() lab {
	turn := (x.h%360 + 360) % 360 * 1024 / 360
	c := x.c * 65536 / 1000
	return lab{x.l * 65536 / 1000, c * cosine(turn) >> 14, c * sine(turn) >> 14}
}

func (x lch) colour() colour { return x.lab().colour() }

func (x lab) mix(y lab, t int) lab {
	return lab{lerp(x.l, y.l, t), lerp(x.a, y.a, t), lerp(x.b, y.b, t)}
}

// light is x made lighter (or darker) by thousandths.
func (x lab) light(by int) lab {
	x.l = min(max(x.l+by*65536/1000, 0), 65536)
	return x
}

// chroma is x with its chroma in percent.
func (x lab) chroma(percent int) lab {
	return lab{x.l, x.a * percent / 100, x.b * percent / 100}
}

// colour is the nearest that can be shown of the same lightness and hue.
func (x lab) colour() colour {
	x.l = min(max(x.l, 0), 65536)
	best, ok := x.show()
	if ok {
		return best
	}
	lo, hi := 0, 256 // parts of the chroma
	for range 8 {
		mid := (lo + hi) / 2
		c, ok := lab{x.l, x.a * mid >> 8, x.b * mid >> 8}.show()
		if ok {
			lo = mid
		} else {
			hi = mid
		}
		if ok || mid == 0 {
			best = c
		}
	}
	return best
}

func (x lab) show() (colour, bool) {
	cube := func(v int) int { return v * v >> 16 * v >> 16 }
	l := cube(x.l + (x.a*25974+x.b*14143)>>16)
	m := cube(x.l - (x.a*6918+x.b*4185)>>16)
	s := cube(x.l - (x.a*5864+x.b*84639)>>16)
	rgb := [3]int{
		(l*267173 - m*216774 + s*15137) >> 16,
		(-l*83128 + m*171034 - s*22370) >> 16,
		(-l*275 - m*46100 + s*111911) >> 16,
	}
	var c colour
	ok := true
	for i, v := range rgb {
		ok = ok && v >= -200 && v <= 65536+400
		c |= colour(encode(v)) << (21 * i)
	}
	return c, ok
}

// encode is linear light, 0 to 65535, as sRGB with four fractional bits.
func encode(v int) int {
	v = min(max(v, 0), 65535)
	lo, hi := 0, 255
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; int(linear[mid]) <= v {
			lo = mid
		} else {
			hi = mid
		}
	}
	a, b := int(linear[lo]), int(linear[hi])
	return 16*lo + min(16*(v-a)/(b-a), 16)
}

// ramp is a gradient of 257 colours.
type ramp [257]colour

// at is the colour at t, 0 to 65536.
func (r *ramp) at(t int) colour {
	t = min(max(t, 0), 65535)
	return mix(r[t>>8], r[t>>8+1], t&255)
}

type stop struct {
	at int // 0 to 256
	lab
}

func gradient(stops ...stop) *ramp {
	var r ramp
	k := 0
	for i := range r {
		for k+2 < len(stops) && i > stops[k+1].at {
			k++
		}
		a, b := stops[k], stops[min(k+1, len(stops)-1)]
		t := 0
		if b.at > a.at {
			t = min(max((i-a.at)*256/(b.at-a.at), 0), 256)
		}
		r[i] = a.lab.mix(b.lab, t).colour()
	}
	return &r
}

// even spreads colours over a gradient.
func even(colours ...lab) *ramp {
	stops := make([]stop, len(colours))
	for i, c := range colours {
		stops[i] = stop{i * 256 / max(len(colours)-1, 1), c}
	}
	return gradient(stops...)
}

// linear is the light, 0 to 65535, of each sRGB value (IEC 61966-2-1).
var linear = [256]uint16{
	0, 20, 40, 60, 80, 99, 119, 139, 159, 179, 199, 219, 241, 264, 288, 313,
	340, 367, 396, 427, 458, 491, 526, 562, 599, 637, 677, 718, 761, 805, 851, 898,
	947, 997, 1048, 1101, 1156, 1212, 1270, 1330, 1391, 1453, 1517, 1583, 1651, 1720, 1790, 1863,
	1937, 2013, 2090, 2170, 2250, 2333, 2418, 2504, 2592, 2681, 2773, 2866, 2961, 3058, 3157, 3258,
	3360, 3464, 3570, 3678, 3788, 3900, 4014, 4129, 4247, 4366, 4488, 4611, 4736, 4864, 4993, 5124,
	5257, 5392, 5530, 5669, 5810, 5953, 6099, 6246, 6395, 6547, 6700, 6856, 7014, 7174, 7335, 7500,
	7666, 7834, 8004, 8177, 8352, 8528, 8708, 8889, 9072, 9258, 9445, 9635, 9828, 10022, 10219, 10417,
	10619, 10822, 11028, 11235, 11446, 11658, 11873, 12090, 12309, 12530, 12754, 12980, 13209, 13440, 13673, 13909,
	14146, 14387, 14629, 14874, 15122, 15371, 15623, 15878, 16135, 16394, 16656, 16920, 17187, 17456, 17727, 18001,
	18277, 18556, 18837, 19121, 19407, 19696, 19987, 20281, 20577, 20876, 21177, 21481, 21787, 22096, 22407, 22721,
	23038, 23357, 23678, 24002, 24329, 24658, 24990, 25325, 25662, 26001, 26344, 26688, 27036, 27386, 27739, 28094,
	28452, 28813, 29176, 29542, 29911, 30282, 30656, 31033, 31412, 31794, 32179, 32567, 32957, 33350, 33745, 34143,
	34544, 34948, 35355, 35764, 36176, 36591, 37008, 37429, 37852, 38278, 38706, 39138, 39572, 40009, 40449, 40891,
	41337, 41785, 42236, 42690, 43147, 43606, 44069, 44534, 45002, 45473, 45947, 46423, 46903, 47385, 47871, 48359,
	48850, 49344, 49841, 50341, 50844, 51349, 51858, 52369, 52884, 53401, 53921, 54445, 54971, 55500, 56032, 56567,
	57105, 57646, 58190, 58737, 59287, 59840, 60396, 60955, 61517, 62082, 62650, 63221, 63795, 64372, 64952, 65535,
}

// toLab is the colour of an sRGB value, eight bits a channel.
func toLab(r, g, b int) lab {
	lr, lg, lb := int(linear[r]), int(linear[g]), int(linear[b])
	l := cubeRoot((lr*27015 + lg*35149 + lb*3372) >> 16)
	m := cubeRoot((lr*13887 + lg*44610 + lb*7038) >> 16)
	s := cubeRoot((lr*5787 + lg*18462 + lb*41286) >> 16)
	return lab{
		(l*13792 + m*52011 - s*267) >> 16,
		(l*129630 - m*159160 + s*29530) >> 16,
		(l*1698 + m*51300 - s*52998) >> 16,
	}
}

// cubeRoot is of a number from 0 to 65536, Q16.
func cubeRoot(v int) int {
	x := 0
	for bit := 1 << 16; bit > 0; bit >>= 1 {
		if y := x | bit; y*y*y <= v<<32 {
			x = y
		}
	}
	return x
}

func fromRGB(r, g, b int) lch {
	x := toLab(r, g, b)
	// The hue is the direction in which (a, b) reaches farthest.
	best := lch{l: x.l * 1000 >> 16, c: root(x.a*x.a+x.b*x.b) * 1000 >> 16}
	reach := -1 << 62
	for h := range 360 {
		turn := h * 1024 / 360
		if d := x.a*cosine(turn) + x.b*sine(turn); d > reach {
			reach, best.h = d, h
		}
	}
	return best
}
