package imaging

import "math/bits"

// BlurMemory is the bytes that Blur and Sharpen take for each pixel: two planes
// of four channels, and what they return.
const BlurMemory = 2*4*4 + 4

// Blur is p after a Gaussian blur whose standard deviation is given in
// hundredths of a pixel. A wide one is made of three boxes, which look the same
// and take no longer the wider they are.
func (p *Picture) Blur(hundredths int) *Picture {
	// Premultiplied, so that what can't be seen colours nothing.
	plane := make([]int32, len(p.pix))
	for i := 0; i < len(plane); i += 4 {
		a := int32(p.pix[i+3])
		for k := range 3 {
			plane[i+k] = int32(p.pix[i+k]) * a
		}
		plane[i+3] = 255 * a
	}
	spare := make([]int32, len(plane))
	if hundredths < 400 {
		kernel := gaussian(hundredths)
		p.weighAcross(spare, plane, kernel)
		p.weighDown(plane, spare, kernel)
	} else {
		for _, size := range boxes(hundredths) {
			p.meanAcross(spare, plane, size)
			p.meanDown(plane, spare, size)
		}
	}
	out := New(p.width, p.height)
	for i := 0; i < len(plane); i += 4 {
		a := plane[i+3]
		if a == 0 {
			continue
		}
		for k := range 3 {
			out.pix[i+k] = byte(min((int64(plane[i+k])*255+int64(a)/2)/int64(a), 255))
		}
		out.pix[i+3] = byte((a + 127) / 255)
	}
	return out
}

// weighAcross weighs each pixel of a plane of four channels and those beside it;
// at the edges the last one is repeated.
func (p *Picture) weighAcross(out, plane []int32, kernel []int64) {
	r, n := len(kernel)/2, 4*p.width
	padded := make([]int32, n+8*r)
	for ; len(plane) > 0; plane, out = plane[n:], out[n:] {
		copy(padded[4*r:], plane[:n])
		for k := range r {
			copy(padded[4*k:], plane[:4])
			copy(padded[4*r+n+4*k:], plane[n-4:n])
		}
		for i := range n {
			sum := int64(1 << 15)
			for k, w := range kernel {
				sum += w * int64(padded[i+4*k])
			}
			out[i] = int32(sum >> 16)
		}
	}
}

// weighDown is weighAcross for the pixels above and below.
func (p *Picture) weighDown(out, plane []int32, kernel []int64) {
	r, n := len(kernel)/2, 4*p.width
	sum := make([]int64, n)
	for y := range p.height {
		for i := range sum {
			sum[i] = 1 << 15
		}
		for k, w := range kernel {
			row := plane[n*min(max(y+k-r, 0), p.height-1):][:n]
			for i, v := range row {
				sum[i] += w * int64(v)
			}
		}
		row := out[n*y:][:n]
		for i, v := range sum {
			row[i] = int32(v >> 16)
		}
	}
}

// meanAcross is the mean of size pixels around each, an odd number; at the edges
// the last one is repeated.
func (p *Picture) meanAcross(out, plane []int32, size int) {
	r, n := size/2, 4*p.width
	by := newAverager(size)
	for ; len(plane) > 0; plane, out = plane[n:], out[n:] {
		at := func(x int) []int32 { return plane[4*min(max(x, 0), p.width-1):][:4] }
		var sum [4]int64
		for x := -r; x <= r; x++ {
			for c, v := range at(x) {
				sum[c] += int64(v)
			}
		}
		for x := range p.width {
			in, gone, d := at(x+r+1), at(x-r), out[4*x:][:4]
			for c, v := range sum {
				d[c] = by.mean(v)
				sum[c] = v + int64(in[c]) - int64(gone[c])
			}
		}
	}
}

// meanDown is meanAcross for the pixels above and below.
func (p *Picture) meanDown(out, plane []int32, size int) {
	r, n := size/2, 4*p.width
	by := newAverager(size)
	row := func(y int) []int32 { return plane[n*min(max(y, 0), p.height-1):][:n] }
	sum := make([]int64, n)
	for y := -r; y <= r; y++ {
		for i, v := range row(y) {
			sum[i] += int64(v)
		}
	}
	for y := range p.height {
		in, gone, d := row(y+r+1), row(y-r), out[n*y:][:n]
		for i, v := range sum {
			d[i] = by.mean(v)
			sum[i] = v + int64(in[i]) - int64(gone[i])
		}
	}
}

// averager divides by a multiplication: exact for the sums of some hundred values
// of 16 bits.
type averager struct{ half, factor int64 }

func newAverager(n int) averager { return averager{int64(n / 2), (1<<40 + int64(n) - 1) / int64(n)} }

func (d averager) mean(sum int64) int32 { return int32((sum + d.half) * d.factor >> 40) }

// boxes are three odd sizes whose means, one after the other, deviate as asked:
// each has a variance of (size²-1)/12.
func boxes(hundredths int) [3]int {
	s := 12 * hundredths * hundredths / 10_000 // 12 sigma²
	small := isqrt(s/3 + 1)
	if small%2 == 0 {
		small--
	}
	// So many small ones leave the rest to ones that are larger by two.
	many := (3*small*small + 12*small + 9 - s + 2*small + 2) / (4*small + 4)
	var out [3]int
	for i := range out {
		out[i] = small
		if i >= many {
			out[i] += 2
		}
	}
	return out
}

func isqrt(n int) int {
	if n < 1 {
		return 0
	}
	x := 1 << ((bits.Len(uint(n)) + 1) / 2)
	for {
		y := (x + n/x) / 2
		if y >= x {
			return x
		}
		x = y
	}
}

// gaussian is the weights of three standard deviations to each side; they add
// up to 1<<16.
func gaussian(hundredths int) []int64 {
	r := (3*hundredths + 99) / 100
	out := make([]int64, 2*r+1)
	var total int64
	for k := range out {
		d := int64(k-r) * 100
		out[k] = expMinus(d * d << 30 / int64(2*hundredths*hundredths))
		total += out[k]
	}
	var run, given int64
	for k, w := range out {
		run += w
		out[k] = (run<<17+total)/(2*total) - given
		given += out[k]
	}
	return out
}

// expMinus is e to the power of -x, both with 30 fractional bits.
func expMinus(x int64) int64 {
	const one = 1 << 30
	if x > 20*one {
		return 0
	}
	x >>= 8 // and squared as often again
	v := one - x + x*x>>30/2 - x*x>>30*x>>30/6
	for range 8 {
		v = v * v >> 30
	}
	return v
}

// Sharpen lifts edges: each colour goes away from its surroundings, a blur of
// one pixel, by so many hundredths of the difference.
func (p *Picture) Sharpen(hundredths int) *Picture {
	out := p.Blur(100)
	for i, v := range p.pix {
		if i%4 == 3 {
			out.pix[i] = v
			continue
		}
		d := (int(v) - int(out.pix[i])) * hundredths
		if d < 0 {
			d -= 49
		} else {
			d += 50
		}
		out.pix[i] = byte(min(max(int(v)+d/100, 0), 255))
	}
	return out
}
