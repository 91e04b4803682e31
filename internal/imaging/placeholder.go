package imaging

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// Placeholder is what a page can show before a picture is there.
type Placeholder struct {
	Color     string // the one that most of it has, as "#rrggbb"; "transparent" where nothing is seen
	BlurHash  string // of four by three components, or three by four, as its shape is
	ThumbHash string // in base64
	Data      string // a PNG of some pixels as a data URL, of 400 bytes at most
}

// PlaceholderSide is the most pixels a side that a placeholder is made from:
// more cost time and change nothing.
const PlaceholderSide = 100

// PlaceholderOf makes all kinds of p, in whole numbers: they are the same
// everywhere.
func PlaceholderOf(p *Picture) (Placeholder, error) {
	p = Fit(p, PlaceholderSide, PlaceholderSide, "inside", false)
	data, err := p.dataURL()
	if err != nil {
		return Placeholder{}, err
	}
	return Placeholder{p.mainColour(), p.blurHash(), p.thumbHash(), data}, nil
}

// mainColour is the mean of the most frequent colours, as sharp counts them: by
// the upper half of each channel.
func (p *Picture) mainColour() string {
	type bin struct{ weight, r, g, b int }
	var bins [1 << 12]bin
	best := 0
	for i := 0; i < len(p.pix); i += 4 {
		s := p.pix[i:][:4]
		k := int(s[0])>>4<<8 | int(s[1])>>4<<4 | int(s[2])>>4
		c, a := &bins[k], int(s[3])
		c.weight += a
		c.r += a * int(s[0])
		c.g += a * int(s[1])
		c.b += a * int(s[2])
		if c.weight > bins[best].weight {
			best = k
		}
	}
	c := bins[best]
	if c.weight == 0 {
		return "transparent"
	}
	half := c.weight / 2
	return fmt.Sprintf("#%02x%02x%02x", (c.r+half)/c.weight, (c.g+half)/c.weight, (c.b+half)/c.weight)
}

// dataURL is a PNG of so few pixels that it is 400 bytes at most: what it has
// besides, in base64 and with what stands before, leaves room for 214.
func (p *Picture) dataURL() (string, error) {
	side, small := 16, p
	for {
		small = Fit(p, side, side, "inside", false)
		bpp := 4
		if small.Opaque() {
			bpp = 3
		}
		if (bpp*small.width+1)*small.height <= 214 {
			break
		}
		side--
	}
	var b bytes.Buffer
	if _, err := small.Encode(&b, "png", 0, false); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// waves is cos(pi*k*(2x+odd)/(2n)) for each x below n, with 24 fractional bits.
func waves(k, n, odd int) []int64 {
	out := make([]int64, n)
	for x := range out {
		out[x] = sinPi(1<<23+int64(k*(2*x+odd))<<24/int64(2*n)) >> 4
	}
	return out
}

// project is the mean of a plane, which has some fractional bits, times a wave
// across and one down, with 24. The sums of a row lose bits, so that those of all
// fit.
func project(plane []int64, bits, lose uint, across, down []int64) int64 {
	var sum int64
	for y, v := range down {
		var row int64
		for x, u := range across {
			row += plane[y*len(across)+x] * u
		}
		sum += row >> lose * v
	}
	return sum / int64(len(plane)) >> (bits + 24 - lose)
}

// thumbHash is Evan Wallace's ThumbHash: https://evanw.github.io/thumbhash.
func (p *Picture) thumbHash() string {
	const one = 1 << 24
	n := p.width * p.height
	var sums [4]int64
	for i := 0; i < len(p.pix); i += 4 {
		a := int64(p.pix[i+3])
		for c := range 3 {
			sums[c] += a * int64(p.pix[i+c])
		}
		sums[3] += a
	}
	var mean [3]int64
	for c := range mean {
		if sums[3] > 0 {
			mean[c] = sums[c] * one / (255 * sums[3])
		}
	}
	light, yellow, red, alpha := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range n {
		a := int64(p.pix[4*i+3])
		var v [3]int64
		for c := range v { // on the mean
			v[c] = (mean[c]*(255-a) + a*int64(p.pix[4*i+c])*one/255) / 255
		}
		light[i], yellow[i], red[i], alpha[i] = (v[0]+v[1]+v[2])/3, (v[0]+v[1])/2-v[2], v[0]-v[1], a*one/255
	}
	transparent := sums[3] < 255*int64(n)
	limit := 7
	if transparent {
		limit = 5
	}
	longer := max(p.width, p.height)
	lx, ly := max(1, (2*limit*p.width+longer)/(2*longer)), max(1, (2*limit*p.height+longer)/(2*longer))
	encode := func(plane []int64, nx, ny int) (dc, scale int64, ac []int64) {
		for cy := range ny {
			down := waves(cy, p.height, 1)
			for cx := 0; cx*ny < nx*(ny-cy); cx++ {
				f := project(plane, 24, 24, waves(cx, p.width, 1), down)
				if cx+cy == 0 {
					dc = f
					continue
				}
				ac = append(ac, f)
				scale = max(scale, f, -f)
			}
		}
		for i, f := range ac {
			if scale == 0 {
				break
			}
			ac[i] = (15*(scale+f) + scale) / (2 * scale) // four bits
		}
		return dc, scale, ac
	}
	times := func(most, v int64) int { return int((most*v + one/2) >> 24) }
	flag := func(on bool, bit int) int {
		if on {
			return 1 << bit
		}
		return 0
	}
	lDC, lScale, lAC := encode(light, max(3, lx), max(3, ly))
	pDC, pScale, pAC := encode(yellow, 3, 3)
	qDC, qScale, qAC := encode(red, 3, 3)
	head := times(63, lDC) | times(63, (one+pDC)/2)<<6 | times(63, (one+qDC)/2)<<12 | times(31, lScale)<<18 | flag(transparent, 23)
	short := lx
	if p.width > p.height {
		short = ly
	}
	more := short | times(63, pScale)<<3 | times(63, qScale)<<9 | flag(p.width > p.height, 15)
	hash := []byte{byte(head), byte(head >> 8), byte(head >> 16), byte(more), byte(more >> 8)}
	all := append(append(lAC, pAC...), qAC...)
	if transparent {
		aDC, aScale, aAC := encode(alpha, 5, 5)
		hash = append(hash, byte(times(15, aDC)|times(15, aScale)<<4))
		all = append(all, aAC...)
	}
	for i, f := range all {
		if i%2 == 0 {
			hash = append(hash, byte(f))
		} else {
			hash[len(hash)-1] |= byte(f << 4)
		}
	}
	return base64.StdEncoding.EncodeToString(hash)
}

// blurHash is Wolt's BlurHash: https://blurha.sh. It knows no alpha, so p is put
// on white.
func (p *Picture) blurHash() string {
	nx, ny := 4, 4
	if p.width > p.height {
		ny = 3
	} else if p.width < p.height {
		nx = 3
	}
	table := lights()
	p = p.onWhite()
	var planes [3][]int64
	for c := range planes {
		planes[c] = make([]int64, p.width*p.height)
		for i := range planes[c] {
			planes[c][i] = int64(table.of[p.pix[4*i+c]])
		}
	}
	const one = 1 << 24
	b := base83(nil, nx-1+9*(ny-1), 1)
	var dc int
	var ac []int64
	var most int64
	for j := range ny {
		down := waves(j, p.height, 0)
		for i := range nx {
			across := waves(i, p.width, 0)
			for c := range planes {
				f := project(planes[c], 0, 16, across, down)
				if i+j == 0 {
					dc = dc<<8 | int(table.value[(f+1<<23)>>24])
					continue
				}
				f = 2 * f / 65535
				ac = append(ac, f)
				if len(ac) == 1 || f > most {
					most = f
				}
			}
		}
	}
	step := min(max((2*166*most-one)>>25, 0), 82)
	b = base83(b, int(step), 1)
	b = base83(b, dc, 4)
	for i := 0; i < len(ac); i += 3 {
		word := 0
		for _, f := range ac[i : i+3] {
			root := int64(isqrt(int(max(f, -f) * 166 / (step + 1) << 24)))
			if f < 0 {
				root = -root
			}
			word = word*19 + int(min(max((2*9*root+19*one)>>25, 0), 18))
		}
		b = base83(b, word, 2)
	}
	return string(b)
}

// base83 appends the digits of n.
func base83(b []byte, n, digits int) []byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
	for range digits {
		b = append(b, 0)
	}
	for i := range digits {
		b[len(b)-1-i] = alphabet[n%83]
		n /= 83
	}
	return b
}
