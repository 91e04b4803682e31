package imaging

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/klauspost/compress/zlib"
)

// DefaultQuality of a JPEG for which none is asked.
const DefaultQuality = 80

const pngSignature = "\x89PNG\r\n\x1a\n"

// Encode writes p as "png", "jpeg" or lossless "webp" and tells which encoder
// did it, in which version, for the record: the bytes may differ between
// versions. quality, 1 to 100, is for JPEG; 0 means DefaultQuality. A JPEG has
// no alpha: p is put on white. It is an error to ask for another format, or for
// a lossless JPEG or a WebP that is not.
func (p *Picture) Encode(w io.Writer, format string, quality int, lossless bool) (encoder string, err error) {
	switch {
	case format == "png":
		bpp := 4
		if p.Opaque() {
			bpp = 3
		}
		if err := p.encodePNG(w, bpp); err != nil {
			return "", fmt.Errorf("imaging: png: %w", err)
		}
		return Encoder(format), nil
	case format == "jpeg" && lossless:
		return "", fmt.Errorf("imaging: a jpeg can't be lossless")
	case format == "jpeg":
		if quality == 0 {
			quality = DefaultQuality
		}
		if err := p.onWhite().encodeJPEG(w, quality); err != nil {
			return "", fmt.Errorf("imaging: jpeg: %w", err)
		}
		return Encoder(format), nil
	case format == "webp" && lossless:
		if err := p.encodeVP8L(w); err != nil {
			return "", fmt.Errorf("imaging: webp: %w", err)
		}
		return Encoder(format), nil
	}
	return "", fmt.Errorf("imaging: no encoder for %q", format)
}

// Encoder is what Encode would tell.
func Encoder(format string) string { return "imgbuild/" + format + " 1" }

func (p *Picture) onWhite() *Picture {
	if p.Opaque() {
		return p
	}
	out := New(p.width, p.height)
	for i := 0; i < len(p.pix); i += 4 {
		a := int(p.pix[i+3])
		for c := range 3 {
			out.pix[i+c] = byte((int(p.pix[i+c])*a + 255*(255-a) + 127) / 255)
		}
		out.pix[i+3] = 255
	}
	return out
}

// encodePNG picks a filter for each row as libpng does, by the smallest sum of
// differences, and compresses with a deflate that is four times as fast as the
// standard library's.
//
// bpp is 3 for RGB and 4 for RGBA.
func (p *Picture) encodePNG(w io.Writer, bpp int) error {
	colour := byte(6)
	if bpp == 3 {
		colour = 2
	}
	out := &pngWriter{w: w}
	out.write([]byte(pngSignature))
	head := binary.BigEndian.AppendUint32(nil, uint32(p.width))
	head = binary.BigEndian.AppendUint32(head, uint32(p.height))
	out.chunk("IHDR", append(head, 8, colour, 0, 0, 0))

	idat := bufio.NewWriterSize(chunks{out}, 1<<16)
	if err := p.deflate(idat, bpp, p.pngLevel(bpp), 0, p.height); err != nil {
		return err
	}
	if err := idat.Flush(); err != nil {
		return err
	}
	out.chunk("IEND", nil)
	return out.err
}

// deflate writes the filtered rows from one to below another.
func (p *Picture) deflate(w io.Writer, bpp, level, from, to int) error {
	z, err := zlib.NewWriterLevel(w, level)
	if err != nil {
		panic(err) // levels are constants
	}
	f := newFilters(p.width*bpp, bpp)
	for y := max(0, from-1); y < to; y++ {
		src := p.pix[4*p.width*y : 4*p.width*(y+1)]
		if bpp == 4 {
			copy(f.row, src)
		} else {
			for i, j := 0, 0; j+2 < len(f.row) && i+3 < len(src); i, j = i+4, j+3 {
				f.row[j], f.row[j+1], f.row[j+2] = src[i], src[i+1], src[i+2]
			}
		}
		if y >= from {
			if _, err := z.Write(f.best()); err != nil {
				return err
			}
		}
		f.row, f.above = f.above, f.row
	}
	return z.Close()
}

// pngLevel is how to compress. In a photograph next to nothing repeats, and to
// look for it takes seven times as long as codes alone and makes the file
// larger; a drawing it makes several times smaller. A few bands of rows are
// tried both ways.
func (p *Picture) pngLevel(bpp int) int {
	const band, every = 16, 256
	if p.width*p.height < 1<<18 || p.height < band {
		return searching
	}
	var codes, search counter
	for y := min(every, p.height-band) / 2; y+band <= p.height; y += every {
		if p.deflate(&codes, bpp, zlib.HuffmanOnly, y, y+band) != nil || p.deflate(&search, bpp, searching, y, y+band) != nil {
			return searching // never: a counter takes everything
		}
	}
	if codes <= search {
		return zlib.HuffmanOnly
	}
	return searching
}

// counter counts what is written.
type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// searching: against level 1 it takes 1.2 to 2 times as long and saves 17 to
// 30 % of a drawn picture, 1 % of a photograph; level 7 is three times slower.
const searching = 6

// filters holds a row, the one above and the row as each filter leaves it,
// with the number of the filter in front.
type filters struct {
	bpp        int
	row, above []byte
	out        [5][]byte
}

func newFilters(n, bpp int) *filters {
	f := &filters{bpp: bpp, row: make([]byte, n), above: make([]byte, n)}
	for i := range f.out {
		f.out[i] = make([]byte, n+1)
		f.out[i][0] = byte(i)
	}
	return f
}

// best is the filtered row whose bytes, as signed numbers, are nearest to
// zero.
func (f *filters) best() []byte {
	n := len(f.row)
	row, above := f.row, f.above[:n]
	none, sub, up, avg, paeth := f.out[0][1:][:n], f.out[1][1:][:n], f.out[2][1:][:n], f.out[3][1:][:n], f.out[4][1:][:n]
	copy(none, row)
	var sum [5]int
	for i, v := range row {
		a, b, c := 0, int(above[i]), 0
		if j := i - f.bpp; j >= 0 {
			a, c = int(row[j]), int(above[j])
		}
		pa, pb := b-c, a-c
		pc := pa + pb
		pa, pb, pc = abs(pa), abs(pb), abs(pc)
		near := c
		if pa <= pb && pa <= pc {
			near = a
		} else if pb <= pc {
			near = b
		}
		s, u, g, p := v-byte(a), v-byte(b), v-byte((a+b)/2), v-byte(near)
		sub[i], up[i], avg[i], paeth[i] = s, u, g, p
		sum[0] += abs(int(int8(v)))
		sum[1] += abs(int(int8(s)))
		sum[2] += abs(int(int8(u)))
		sum[3] += abs(int(int8(g)))
		sum[4] += abs(int(int8(p)))
	}
	k := 0
	for i, s := range sum {
		if s < sum[k] {
			k = i
		}
	}
	return f.out[k]
}

func abs(x int) int {
	m := x >> (bits.UintSize - 1) // no branch: this runs five times a byte
	return (x ^ m) - m
}

// pngWriter writes chunks until the first error.
type pngWriter struct {
	w   io.Writer
	err error
}

func (p *pngWriter) write(b []byte) {
	if p.err == nil {
		_, p.err = p.w.Write(b)
	}
}

func (p *pngWriter) chunk(kind string, body []byte) {
	head := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...)
	sum := crc32.Update(crc32.ChecksumIEEE(head[4:]), crc32.IEEETable, body)
	p.write(head)
	p.write(body)
	p.write(binary.BigEndian.AppendUint32(nil, sum))
}

// chunks makes an IDAT of each write.
type chunks struct{ out *pngWriter }

func (c chunks) Write(b []byte) (int, error) {
	c.out.chunk("IDAT", b)
	return len(b), c.out.err
}
