package imaging

import (
	"bufio"
	"fmt"
	"io"
)

// WritePNM writes the pixels as they are, for a program that reads them from a
// pipe: as PPM, or as PAM if p is not opaque.
func (p *Picture) WritePNM(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	if !p.Opaque() {
		fmt.Fprintf(b, "P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n", p.width, p.height)
		b.Write(p.pix)
		return b.Flush()
	}
	fmt.Fprintf(b, "P6\n%d %d\n255\n", p.width, p.height)
	for i := 0; i < len(p.pix); i += 4 {
		b.Write(p.pix[i : i+3])
	}
	return b.Flush()
}

// WriteY4M writes one frame of YUV4MPEG2 with the full range of values: Y'CbCr
// as JPEG has it (Rec. 601), a quarter of the colours in an opaque picture and
// all of them beside alpha. lossless: green, blue and red are the three planes,
// which is what matrix coefficients of 0 mean.
func (p *Picture) WriteY4M(w io.Writer, lossless bool) error {
	b := bufio.NewWriterSize(w, 1<<16)
	opaque := p.Opaque()
	kind := "420jpeg"
	switch {
	case !opaque:
		kind = "444alpha"
	case lossless:
		kind = "444"
	}
	fmt.Fprintf(b, "YUV4MPEG2 W%d H%d F1:1 Ip A1:1 C%s XCOLORRANGE=FULL\nFRAME\n", p.width, p.height, kind)
	plane := func(step int, value func(x, y int) int) {
		for y := 0; y < p.height; y += step {
			for x := 0; x < p.width; x += step {
				b.WriteByte(byte(min(max(value(x, y), 0), 255)))
			}
		}
	}
	channel := func(c int) func(x, y int) int {
		return func(x, y int) int { return int(p.pix[4*(y*p.width+x)+c]) }
	}
	weigh := func(r, g, b, base int) func(x, y int) int { // 1 is 1<<16
		return func(x, y int) int {
			s := p.pix[4*(y*p.width+x):][:3]
			return (r*int(s[0]) + g*int(s[1]) + b*int(s[2]) + base<<16 + 1<<15) >> 16
		}
	}
	mean := func(f func(x, y int) int) func(x, y int) int {
		return func(x, y int) int {
			x1, y1 := min(x+1, p.width-1), min(y+1, p.height-1)
			return (f(x, y) + f(x1, y) + f(x, y1) + f(x1, y1) + 2) / 4
		}
	}
	blue, red := weigh(-11059, -21709, 32768, 128), weigh(32768, -27439, -5329, 128)
	switch {
	case lossless:
		for _, c := range []int{1, 2, 0} {
			plane(1, channel(c))
		}
	default:
		plane(1, weigh(19595, 38470, 7471, 0))
		if opaque {
			plane(2, mean(blue))
			plane(2, mean(red))
		} else {
			plane(1, blue)
			plane(1, red)
		}
	}
	if !opaque {
		plane(1, channel(3))
	}
	return b.Flush()
}
