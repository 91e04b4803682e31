package imaging

// The resampler is separable and reads its source once, from the top: each row
// is unpacked into a ring that holds as many rows as the filter is high; an
// output row is filtered down the ring, and then across.
//
// Colours travel as lanes of one word, so that one multiplication weighs them
// all: three lanes of 21 bits for opaque pictures; for the others two words
// with two lanes of 32, premultiplied to 16 bits. A bias keeps every lane
// positive, and therefore out of its neighbour, while negative weights are at
// work.

const (
	weightBits = 12 // the weights of an output pixel add up to 1<<weightBits
	lane       = 21
	laneMask   = 1<<lane - 1
	// Negative weights add up to at most 0.28 of the sum, so that a lane
	// reaches from -0.28*255<<12 to 1.28*255<<12: with the bias, 0 to 2^21.
	bias     = 128 << weightBits
	half     = 1 << (weightBits - 1)
	biasWord = (bias + half) * (1 | 1<<lane | 1<<(2*lane))

	wideBias     = 1 << 28
	wideBiasWord = (wideBias + half) * (1 | 1<<32)
	wideMax      = 2 * 255 * 255 // overshoot of colour and alpha must stay in proportion
)

// clamp undoes the bias of a lane that was shifted down to eight bits.
var clamp = func() (t [512]uint8) {
	for i := range t {
		t[i] = uint8(min(max(i-bias>>weightBits, 0), 255))
	}
	return t
}()

// resize scales the part crop of p to width x height. Of a picture that was
// shrunk, crop is in pixels of the whole.
func resize(p *Picture, crop rect, width, height int) *Picture {
	out := New(width, height)
	step := max(1, p.shrink)
	if crop.width == width && crop.height == height && step == 1 {
		for y := range height {
			copy(out.pix[4*y*width:4*(y+1)*width], p.pix[4*((crop.y+y)*p.width+crop.x):])
		}
		return out
	}
	whole := crop
	crop = rect{crop.x / step, crop.y / step, 0, 0}
	crop.width = min((whole.x+whole.width+step-1)/step, p.width) - crop.x
	crop.height = min((whole.y+whole.height+step-1)/step, p.height) - crop.y
	down := filter(whole.y-crop.y*step, whole.height, step, crop.height, height)
	across := filter(whole.x-crop.x*step, whole.width, step, crop.width, width)
	row := func(pix []byte, stride, x, y, n int) []byte { return pix[4*(y*stride+x):][:4*n] }
	if p.Opaque() {
		ring := newRing(down.size, crop.width)
		sum := make([]uint64, crop.width)
		for y, t := range down.taps {
			for ring.next < t.first+len(t.weights) {
				unpack(ring.push(), row(p.pix, p.width, crop.x, crop.y+ring.next-1, crop.width))
			}
			weigh(sum, ring, t, biasWord)
			for i, v := range sum {
				sum[i] = uint64(clamp[v>>weightBits&511]) | uint64(clamp[v>>(lane+weightBits)&511])<<lane | uint64(clamp[v>>(2*lane+weightBits)&511])<<(2*lane)
			}
			pack(row(out.pix, width, 0, y, width), sum, across)
		}
		return out
	}
	ring := newRing(down.size, 2*crop.width)
	sum := make([]uint64, 2*crop.width)
	for y, t := range down.taps {
		for ring.next < t.first+len(t.weights) {
			unpackWide(ring.push(), row(p.pix, p.width, crop.x, crop.y+ring.next-1, crop.width))
		}
		weigh(sum, ring, t, wideBiasWord)
		for i, v := range sum {
			sum[i] = wideClamp(v) | wideClamp(v>>32)<<32
		}
		packWide(row(out.pix, width, 0, y, width), sum, across)
	}
	return out
}

// ring holds the last rows that were unpacked; row y is at y mod size.
type ring struct {
	rows [][]uint64
	next int // the row that comes next
}

func newRing(size, width int) *ring {
	r := &ring{rows: make([][]uint64, size)}
	for i := range r.rows {
		r.rows[i] = make([]uint64, width)
	}
	return r
}

func (r *ring) row(y int) []uint64 { return r.rows[y%len(r.rows)] }

func (r *ring) push() []uint64 {
	r.next++
	return r.row(r.next - 1)
}

// weigh adds up rows of the ring, four at a time.
func weigh(sum []uint64, r *ring, t tap, start uint64) {
	for i := range sum {
		sum[i] = start
	}
	w, y := t.weights, t.first
	for ; len(w) >= 4; w, y = w[4:], y+4 {
		a, b, c, d := r.row(y)[:len(sum)], r.row(y + 1)[:len(sum)], r.row(y + 2)[:len(sum)], r.row(y + 3)[:len(sum)]
		wa, wb, wc, wd := uint64(w[0]), uint64(w[1]), uint64(w[2]), uint64(w[3])
		for i := range sum {
			sum[i] += a[i]*wa + b[i]*wb + c[i]*wc + d[i]*wd
		}
	}
	for k, wa := range w {
		a := r.row(y + k)[:len(sum)]
		for i := range sum {
			sum[i] += a[i] * uint64(wa)
		}
	}
}

func unpack(dst []uint64, src []byte) {
	for i := range dst {
		s := src[4*i : 4*i+4 : 4*i+4]
		dst[i] = uint64(s[0]) | uint64(s[1])<<lane | uint64(s[2])<<(2*lane)
	}
}

func pack(dst []byte, src []uint64, across taps) {
	for x, t := range across.taps {
		v := uint64(biasWord)
		s := src[t.first:][:len(t.weights)]
		for i, w := range t.weights {
			v += s[i] * uint64(w)
		}
		d := dst[4*x : 4*x+4 : 4*x+4]
		d[0] = clamp[v>>weightBits&511]
		d[1] = clamp[v>>(lane+weightBits)&511]
		d[2] = clamp[v>>(2*lane+weightBits)&511]
		d[3] = 255
	}
}

func wideClamp(v uint64) uint64 {
	return uint64(min(max(int64(v&(1<<32-1))>>weightBits-wideBias>>weightBits, 0), wideMax))
}

func unpackWide(dst []uint64, src []byte) {
	for i := 0; i+1 < len(dst); i += 2 {
		s := src[2*i : 2*i+4 : 2*i+4]
		a := uint64(s[3])
		dst[i] = uint64(s[0])*a | uint64(s[1])*a<<32
		dst[i+1] = uint64(s[2])*a | 255*a<<32
	}
}

func packWide(dst []byte, src []uint64, across taps) {
	for x, t := range across.taps {
		v, u := uint64(wideBiasWord), uint64(wideBiasWord)
		s := src[2*t.first:][:2*len(t.weights)]
		for i, w := range t.weights {
			v += s[2*i] * uint64(w)
			u += s[2*i+1] * uint64(w)
		}
		alpha := wideClamp(u >> 32)
		straight := func(c uint64) byte {
			if alpha == 0 {
				return 0
			}
			return byte(min((c*255+alpha/2)/alpha, 255))
		}
		d := dst[4*x : 4*x+4 : 4*x+4]
		d[0], d[1], d[2] = straight(wideClamp(v)), straight(wideClamp(v>>32)), straight(wideClamp(u))
		d[3] = byte(min((alpha+127)/255, 255))
	}
}

// tap is which source pixels make an output pixel, and how much of each.
type tap struct {
	first   int
	weights []int64
}

type taps struct {
	taps []tap
	size int // of the longest tap
}

// filter is the weights that make dst pixels of size pixels from offset on, of
// which each of the n that there are covers step. At the edges the part of the
// filter that lies outside is left out.
func filter(offset, size, step, n, dst int) taps {
	// Lengths are in halves of a pixel, times dst.
	pixel := step * dst
	unit := 2 * max(size, pixel) // that make one lobe
	out := taps{taps: make([]tap, dst)}
	var raw []int64
	for i := range dst {
		center := 2*offset*dst + (2*i+1)*size
		// Source pixel j has its center at (2j+1)*pixel.
		first := max(0, (center-3*unit+pixel)/(2*pixel)-1)
		raw = raw[:0]
		var total int64
		for j := first; j < n && (2*j+1)*pixel < center+3*unit; j++ {
			d := (2*j+1)*pixel - center
			w := lanczos(int64(max(d, -d)) << 20 / int64(unit))
			if w == 0 && len(raw) == 0 {
				first = j + 1
				continue
			}
			raw = append(raw, w)
			total += w
		}
		// Rounding the running total keeps the sum exact and the errors of
		// long filters from piling up on one side.
		weights := make([]int64, len(raw))
		var run, given int64
		for k, w := range raw {
			run += w
			weights[k] = (2*run<<weightBits+total)/(2*total) - given
			given += weights[k]
		}
		out.taps[i] = tap{first, weights}
		out.size = max(out.size, len(weights))
	}
	return out
}

// lanczos is sinc(x)*sinc(x/3) for x >= 0 with 20 fractional bits, with 28.
func lanczos(x int64) int64 {
	const one = 1 << 28
	switch {
	case x >= 3<<20:
		return 0
	case x < 1<<15: // 1 - pi^2/6 * (1+1/9) * x^2; the quotient below loses its digits
		return one - x*x*1871/(1024<<12)
	}
	px := x * pi28 >> 24 // pi*x with 24 bits
	return (3 * (sinPi(x<<4) * sinPi(x<<4/3) >> 28) << 28) / (px * px >> 20)
}

const pi28 = 843314857 // pi with 28 fractional bits

// sinPi is sin(pi*x) with 28 fractional bits, for x with 24.
func sinPi(x int64) int64 {
	x &= 2<<24 - 1
	sign := int64(1)
	if x >= 1<<24 {
		x, sign = x-1<<24, -1
	}
	if x > 1<<23 {
		x = 1<<24 - x
	}
	const one = 1 << 28
	z := x * pi28 >> 24
	q := z * z >> 28
	s := int64(one)
	for _, d := range []int64{110, 72, 42, 20, 6} {
		s = one - s*q>>28/d
	}
	return sign * z * s >> 28
}
