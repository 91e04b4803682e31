package imaging

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// encodeJPEG writes a baseline JPEG of an opaque picture with one chroma
// sample for four pixels and the tables of the standard's annex K. The file is
// to the bit the one that image/jpeg of Go 1.26 writes, in half the time.
func (p *Picture) encodeJPEG(w io.Writer, quality int) error {
	if p.width > 65535 || p.height > 65535 {
		return fmt.Errorf("%dx%d pixels are more than a JPEG can have", p.width, p.height)
	}
	j := &jpegWriter{w: w, buf: make([]byte, 0, 1<<16+1<<12)}
	j.head(p.width, p.height, min(max(quality, 1), 100))

	var corner [4 * 16 * 16]byte
	for y := 0; y < p.height; y += 16 {
		for x := 0; x < p.width; x += 16 {
			pix, stride := p.pix[4*(y*p.width+x):], 4*p.width
			if x+16 > p.width || y+16 > p.height { // the last pixel goes on
				for i := range 16 {
					row := p.pix[4*min(y+i, p.height-1)*p.width:][:4*p.width]
					for k := range 16 {
						copy(corner[4*(16*i+k):][:4], row[4*min(x+k, p.width-1):])
					}
				}
				pix, stride = corner[:], 4*16
			}
			j.unit(pix, stride)
		}
		if err := j.flush(1 << 16); err != nil {
			return err
		}
	}
	j.emit(0x7f, 7) // the last byte is filled with ones
	for ; j.n >= 8; j.n -= 8 {
		j.byte(byte(j.acc >> (j.n - 8)))
	}
	j.buf = append(j.buf, 0xff, 0xd9)
	return j.flush(0)
}

// jpegWriter is the state between blocks.
type jpegWriter struct {
	w      io.Writer
	buf    []byte
	acc    uint64 // the last n bits are to be written
	n      uint
	last   [3]int32 // DC of the block before, a component
	divide [2][64]divisor
	blocks [6]block // four of luma, Cb and Cr
}

// divisor divides by eight times a quantum q, rounding to the nearest.
type divisor struct{ half, inverse uint32 }

// by is exact for dividends below 1<<16: the inverse is too large by less than
// one part in 2^32 for each of 8q parts.
func (d divisor) by(n uint32) uint32 {
	return uint32(uint64(n+d.half) * uint64(d.inverse) >> 32)
}

// zigzag is where the frequencies of a block lie, in the order of the file.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// quanta are those of annex K.1, luma and chroma, as the file has them.
var quanta = [2][64]uint8{
	{
		16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
		26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
		56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
		95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
	},
	{
		17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
	},
}

// huffman is a table of annex K.3: how many codes each length has, and what
// they stand for.
type huffman struct {
	class  byte // and number, as the file has them
	counts [16]byte
	values string
}

// Luma DC and AC, chroma DC and AC.
var huffmans = [4]huffman{
	{0x00, [16]byte{0, 1, 5, 1, 1, 1, 1, 1, 1}, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
	{0x10, [16]byte{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125}, "" +
		"\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08" +
		"\x23\x42\xb1\xc1\x15\x52\xd1\xf0\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28" +
		"\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59" +
		"\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89" +
		"\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6" +
		"\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2" +
		"\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa"},
	{0x01, [16]byte{0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
	{0x11, [16]byte{0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119}, "" +
		"\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91" +
		"\xa1\xb1\xc1\x09\x23\x33\x52\xf0\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26" +
		"\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58" +
		"\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87" +
		"\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4" +
		"\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda" +
		"\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa"},
}

// codes are the codes of huffmans by value: length<<16 | bits.
var codes = func() (out [4][256]uint32) {
	for i, h := range huffmans {
		code, k := uint32(0), 0
		for n, count := range h.counts {
			for range count {
				out[i][h.values[k]] = uint32(n+1)<<16 | code
				code++
				k++
			}
			code <<= 1
		}
	}
	return out
}()

// head writes all that is before the pixels.
func (j *jpegWriter) head(width, height, quality int) {
	segment := func(marker byte, n int) {
		j.buf = append(j.buf, 0xff, marker)
		j.buf = binary.BigEndian.AppendUint16(j.buf, uint16(n+2))
	}
	percent := 200 - 2*quality
	if quality < 50 {
		percent = 5000 / quality
	}
	j.buf = append(j.buf, 0xff, 0xd8)
	segment(0xdb, 2*65)
	for i := range quanta {
		j.buf = append(j.buf, byte(i))
		for k, q := range quanta[i] {
			q := uint32(min(max((int(q)*percent+50)/100, 1), 255))
			j.buf = append(j.buf, byte(q))
			j.divide[i][k] = divisor{4 * q, (1<<32-1)/(8*q) + 1}
		}
	}
	segment(0xc0, 15)
	j.buf = append(j.buf, 8, byte(height>>8), byte(height), byte(width>>8), byte(width), 3)
	j.buf = append(j.buf, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1)
	n := 0
	for _, h := range huffmans {
		n += 17 + len(h.values)
	}
	segment(0xc4, n)
	for _, h := range huffmans {
		j.buf = append(append(append(j.buf, h.class), h.counts[:]...), h.values...)
	}
	segment(0xda, 10)
	j.buf = append(j.buf, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)
}

// unit writes 16x16 pixels.
func (j *jpegWriter) unit(pix []byte, stride int) {
	j.split(pix, stride)
	for i := range j.blocks {
		fdct(&j.blocks[i])
		component := max(0, i-3)
		j.block(&j.blocks[i], component, min(component, 1))
	}
}

// split fills blocks with luma and, averaged over four pixels each, chroma. Two
// pixels travel in a word, as lanes of 32 bits that no sum leaves.
func (j *jpegWriter) split(pix []byte, stride int) {
	const (
		both = 1 | 1<<32
		low  = 0xff * both
		// Green and one more colour are taken from chroma: from its middle, a
		// half of rounding included. 256 is what a full blue or red gives.
		middle = (257 << 15) * both
	)
	cb, cr := &j.blocks[4], &j.blocks[5]
	for y := 0; y < 16; y += 2 {
		top, bottom := pix[y*stride:][:64:64], pix[(y+1)*stride:][:64:64]
		for x := 0; x < 16; x += 2 {
			yb := &j.blocks[y>>3<<1|x>>3]
			at := y&7<<3 | x&7
			var sum [2]uint64
			for k, row := range [2][]byte{top, bottom} {
				two := binary.LittleEndian.Uint64(row[4*x:])
				r, g, b := two&low, two>>8&low, two>>16&low
				l := (19595*r + 38470*g + 7471*b + 1<<15*both) >> 16
				yb[(at+8*k)&63] = int32(l & 0xff)
				yb[(at+8*k+1)&63] = int32(l >> 32 & 0xff)
				u := (middle + b<<15 - 11056*r - 21712*g) >> 16 & (0x1ff * both)
				v := (middle + r<<15 - 27440*g - 5328*b) >> 16 & (0x1ff * both)
				sum[0] += u - u>>8&both
				sum[1] += v - v>>8&both
			}
			c := y<<2 | x>>1
			cb[c&63] = int32((sum[0]+sum[0]>>32+2)>>2) & 0xff
			cr[c&63] = int32((sum[1]+sum[1]>>32+2)>>2) & 0xff
		}
	}
}

// block quantizes the frequencies of a block and writes their codes.
func (j *jpegWriter) block(b *block, component, table int) {
	var level [64]int32 // in the order of the file
	var some uint64     // a bit for each level that is not 0
	divide := &j.divide[table]
	for i := range level {
		v := b[zigzag[i]&63]
		sign := v >> 31
		n := int32(divide[i].by(uint32((v ^ sign) - sign)))
		level[i] = (n ^ sign) - sign
		some |= uint64(uint32(-n)>>31) << i
	}

	dc := level[0]
	j.level(&codes[2*table], 0, dc-j.last[component])
	j.last[component] = dc
	ac := &codes[2*table+1]
	at := 0
	for rest := some &^ 1; rest != 0; rest &= rest - 1 {
		next := bits.TrailingZeros64(rest)
		run := next - at - 1
		for ; run > 15; run -= 16 {
			j.emit(ac[0xf0]&0xffff, uint(ac[0xf0]>>16))
		}
		j.level(ac, run<<4, level[next&63])
		at = next
	}
	if at < 63 {
		j.emit(ac[0]&0xffff, uint(ac[0]>>16))
	}
}

// level writes the code of a run of zeros and a value, and the value.
func (j *jpegWriter) level(table *[256]uint32, run int, v int32) {
	sign := v >> 31
	n := uint(bits.Len32(uint32((v ^ sign) - sign)))
	code := table[(run|int(n))&255]
	j.emit(code&0xffff<<n|uint32(v+sign)&(1<<n-1), uint(code>>16)+n)
}

// emit adds n bits, at most 32.
func (j *jpegWriter) emit(b uint32, n uint) {
	j.acc = j.acc<<n | uint64(b)
	j.n += n
	if j.n < 32 {
		return
	}
	j.n -= 32
	four := uint32(j.acc >> j.n)
	if (^four-0x01010101)&four&0x80808080 == 0 { // no byte is 0xff
		j.buf = binary.BigEndian.AppendUint32(j.buf, four)
		return
	}
	for shift := 24; shift >= 0; shift -= 8 {
		j.byte(byte(four >> shift))
	}
}

// byte writes a byte of codes, and a zero behind what could be a marker.
func (j *jpegWriter) byte(b byte) {
	j.buf = append(j.buf, b)
	if b == 0xff {
		j.buf = append(j.buf, 0)
	}
}

// flush writes what there is once it is n bytes.
func (j *jpegWriter) flush(n int) error {
	if len(j.buf) < n {
		return nil
	}
	_, err := j.w.Write(j.buf)
	j.buf = j.buf[:0]
	return err
}
