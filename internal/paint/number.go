package paint

import "math"

// All numbers are integers, so that pixels are the same on every processor.
// "Q16" means 16 fractional bits. Lengths of a scene are written in
// thousandths.

// The arithmetic needs an int of 64 bits. On a processor without it this
// constant does not compile, which is better than other pixels.
const _ uint = 1 << 63

// random is splitmix64: small, fast, and the same everywhere.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n is 0 to k-1.
func (r *random) n(k int) int { return int(r.next() >> 33 % uint64(max(k, 1))) }

// between is lo to hi, both included.
func (r *random) between(lo, hi int) int { return lo + r.n(hi-lo+1) }

// chance is true in percent of the cases.
func (r *random) chance(percent int) bool { return r.n(100) < percent }

// sign is -1 or 1.
func (r *random) sign() int { return 1 - 2*r.n(2) }

// split is a generator of its own, so that drawing more of one thing does not
// change all others.
func (r *random) split() random { return random(r.next()) }

// sine is sin of x/1024 of a turn, Q14.
func sine(x int) int {
	x &= 1023
	sign := 1
	if x >= 512 {
		x, sign = x-512, -1
	}
	if x > 256 {
		x = 512 - x
	}
	// Q14 of a quarter turn; a polynomial with an error below 1/4000.
	z := x * 64
	q := z * z >> 14
	return sign * (z * (25736 - q*(10580-q*1228>>14)>>14) >> 14) // pi/2, about pi^3/48, and a rest that makes it end at 1
}

func cosine(x int) int { return sine(x + 256) }

// smooth is the cubic that leaves 0 and reaches one flat, for t from 0 to
// 1<<bits.
func smooth(t int, bits uint) int {
	one := 1 << bits
	t = min(max(t, 0), one)
	return (t * t >> bits) * (3*one - 2*t) >> bits
}

// step rises smoothly from 0 at lo to 256 at hi.
func step(lo, hi, x int) int {
	if lo == hi {
		hi++
	}
	return smooth((x-lo)*256/(hi-lo), 8)
}

func lerp(a, b, t256 int) int { return a + (b-a)*t256>>8 }

func abs(x int) int { return max(x, -x) }

// root is the integer square root of n < 1<<52. This is the one use of a
// floating number: IEEE 754 wants square roots rounded correctly, so that all
// processors agree.
func root(n int) int { return int(math.Sqrt(float64(n))) }

func hash(x, y int, seed uint32) uint32 {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77 ^ seed
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return h ^ h>>15
}

// noise1 is smooth noise along a line, x in Q16, from -32768 to 32767.
func noise1(x int, seed uint32) int {
	i, f := x>>16, smooth(x&0xffff, 16)
	a, b := int(hash(i, 0, seed)>>16), int(hash(i+1, 0, seed)>>16)
	return a + (b-a)*f>>16 - 32768
}

// fbm1 adds octaves of noise1, each twice as fine and rough/256 as strong. It
// stays within -32768 to 32767.
func fbm1(x int, seed uint32, octaves, rough int) int {
	sum, weight, total := 0, 256, 0
	for o := range octaves {
		sum += noise1(x<<o+o*7919<<12, seed+uint32(o)*101) * weight
		total += weight
		weight = weight * rough >> 8
	}
	return sum / total
}

// ridge1 is fbm1 folded, so that it has sharp crests: 0 to 32767.
func ridge1(x int, seed uint32, octaves, rough int) int {
	sum, weight, total := 0, 256, 0
	for o := range octaves {
		n := 32767 - abs(noise1(x<<o+o*7919<<12, seed+uint32(o)*101))
		sum += n * weight
		total += weight
		weight = weight * rough >> 8
	}
	return sum / total
}

// noise2 is gradient noise in the plane, x and y in Q16, about -32768 to 32767.
func noise2(x, y int, seed uint32) int {
	i, j := x>>16, y>>16
	fx, fy := x&0xffff, y&0xffff
	u, v := smooth(fx, 16), smooth(fy, 16)
	a := slope(hash(i, j, seed), fx, fy)
	b := slope(hash(i+1, j, seed), fx-65536, fy)
	c := slope(hash(i, j+1, seed), fx, fy-65536)
	d := slope(hash(i+1, j+1, seed), fx-65536, fy-65536)
	p, q := a+(b-a)*u>>16, c+(d-c)*u>>16
	return (p + (q-p)*v>>16) * 3 >> 2
}

// slope is the height at (x, y) of a plane through the origin that tilts in
// one of sixteen directions.
func slope(h uint32, x, y int) int {
	g := &tilts[h>>28]
	return (x*g[0] + y*g[1]) >> 8
}

var tilts = [16][2]int{
	{256, 0}, {237, 98}, {181, 181}, {98, 237}, {0, 256}, {-98, 237}, {-181, 181}, {-237, 98},
	{-256, 0}, {-237, -98}, {-181, -181}, {-98, -237}, {0, -256}, {98, -237}, {181, -181}, {237, -98},
}

func fbm2(x, y int, seed uint32, octaves int) int {
	sum := 0
	for o := range octaves {
		sum += noise2(x<<o, y<<o, seed+uint32(o)*977) >> (o + 1)
	}
	return sum
}
