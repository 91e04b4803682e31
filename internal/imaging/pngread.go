package imaging

import (
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
)

// readPNG reads a sound PNG with eight bits a channel that has no palette, is
// not interlaced and names no colour that is transparent, which is what most
// are, in a third of the time that image/png takes. For every other
// it returns nil: what is wrong with it the standard library says. Unless keep
// is true the picture has no pixels.
func readPNG(b []byte, keep bool) *Picture {
	at := len(pngSignature)
	next := func() (kind string, body []byte) {
		if at+12 > len(b) {
			return "", nil
		}
		n := int64(binary.BigEndian.Uint32(b[at:]))
		if n > int64(len(b)-at-12) {
			return "", nil
		}
		chunk := b[at+4:][:4+n]
		if crc32.ChecksumIEEE(chunk) != binary.BigEndian.Uint32(b[at+8+int(n):]) {
			return "", nil
		}
		at += 12 + int(n)
		return string(chunk[:4]), chunk[4:]
	}
	kind, head := next()
	if kind != "IHDR" || len(head) != 13 || string(head[10:]) != "\x00\x00\x00" || head[8] != 8 {
		return nil
	}
	channels := map[byte]int{0: 1, 2: 3, 4: 2, 6: 4}[head[9]]
	width, height := int(binary.BigEndian.Uint32(head)), int(binary.BigEndian.Uint32(head[4:]))
	if channels == 0 || width < 1 || height < 1 {
		return nil
	}

	// Pixels are in chunks that follow each other. One alone is read where it
	// lies: the 16 bytes behind it are its checksum and the chunk of the end.
	var packed []byte
	parts, done := 0, false
	for at < len(b) && kind != "IEND" {
		start := at + 8
		var body []byte
		kind, body = next()
		switch {
		case kind == "IDAT" && done:
			return nil
		case kind == "IDAT" && parts == 0:
			packed = b[start : start+len(body)]
			parts++
		case kind == "IDAT":
			if parts == 1 {
				whole := make([]byte, len(packed), len(b))
				copy(whole, packed)
				packed = whole
			}
			packed = append(packed, body...)
			parts++
		case kind == "IEND" && len(body) == 0 && parts > 0:
		case kind == "" || kind[0]&0x20 == 0 || kind == "tRNS":
			return nil
		default:
			done = parts > 0
		}
	}
	if kind != "IEND" {
		return nil
	}
	if parts == 1 {
		packed = packed[:len(packed)+16]
	} else {
		packed = append(packed, make([]byte, 16)...)
	}
	p := &Picture{width: width, height: height}
	if keep {
		p = New(width, height)
	}
	if !p.unpackPNG(packed, channels) {
		return nil
	}
	return p
}

// unpackPNG fills p, if it has pixels, with the rows of a stream of zlib, which
// 16 more bytes follow, and reports whether it was sound.
func (p *Picture) unpackPNG(packed []byte, channels int) bool {
	end := len(packed) - 16
	if end < 6 || packed[0]&15 != 8 || packed[0] > 0x78 || packed[1]&0x20 != 0 || binary.BigEndian.Uint16(packed)%31 != 0 {
		return false
	}
	n := channels * p.width
	f := newInflater(packed[2:], n+1)
	sum := adler32.New()
	row, above := make([]byte, n+8), make([]byte, n+8) // and what is read of a word but not used
	from := 0
	more := func(want int) bool {
		for f.to-from < want && f.mode != ended {
			before := f.to - from
			var err error
			if from, err = f.more(from); err != nil {
				return false
			}
			sum.Write(f.out[from+before : f.to])
		}
		return f.to-from >= want
	}
	for y := range p.height {
		if !more(n + 1) {
			return false
		}
		filter := f.out[from]
		if filter > 4 {
			return false
		}
		if p.pix == nil {
			from += n + 1
			continue
		}
		copy(row, f.out[from+1:from+1+n])
		from += n + 1
		unfilter(row[:n], above[:n], filter, channels)
		expand(p.pix[4*p.width*y:4*p.width*(y+1)], row, channels)
		row, above = above, row
	}
	// Nothing may follow but the sum.
	return !more(1) && f.mode == ended && f.rest()+2 == end-4 && sum.Sum32() == binary.BigEndian.Uint32(packed[end-4:])
}

// unfilter undoes a filter, 0 to 4, of a row of pixels of as many bytes as bpp
// says.
func unfilter(row, above []byte, filter byte, bpp int) {
	above = above[:len(row)]
	switch filter {
	case 1:
		for i := bpp; i < len(row); i++ {
			row[i] += row[i-bpp]
		}
	case 2:
		i := 0
		for ; i+8 <= len(row); i += 8 {
			binary.LittleEndian.PutUint64(row[i:], addBytes(binary.LittleEndian.Uint64(row[i:]), binary.LittleEndian.Uint64(above[i:])))
		}
		for ; i < len(row); i++ {
			row[i] += above[i]
		}
	case 3:
		for i := range min(bpp, len(row)) {
			row[i] += above[i] / 2
		}
		for i := bpp; i < len(row); i++ {
			row[i] += byte((int(row[i-bpp]) + int(above[i])) / 2)
		}
	case 4:
		// Three or four chains run side by side.
		switch bpp {
		case 3:
			var a0, a1, a2, c0, c1, c2 int
			for i := 0; i+3 <= len(row); i += 3 {
				r, u := row[i:i+3:i+3], above[i:i+3:i+3]
				b0, b1, b2 := int(u[0]), int(u[1]), int(u[2])
				a0 = (int(r[0]) + nearest(a0, b0, c0)) & 255
				a1 = (int(r[1]) + nearest(a1, b1, c1)) & 255
				a2 = (int(r[2]) + nearest(a2, b2, c2)) & 255
				r[0], r[1], r[2] = byte(a0), byte(a1), byte(a2)
				c0, c1, c2 = b0, b1, b2
			}
		case 4:
			var a0, a1, a2, a3, c0, c1, c2, c3 int
			for i := 0; i+4 <= len(row); i += 4 {
				r, u := row[i:i+4:i+4], above[i:i+4:i+4]
				b0, b1, b2, b3 := int(u[0]), int(u[1]), int(u[2]), int(u[3])
				a0 = (int(r[0]) + nearest(a0, b0, c0)) & 255
				a1 = (int(r[1]) + nearest(a1, b1, c1)) & 255
				a2 = (int(r[2]) + nearest(a2, b2, c2)) & 255
				a3 = (int(r[3]) + nearest(a3, b3, c3)) & 255
				r[0], r[1], r[2], r[3] = byte(a0), byte(a1), byte(a2), byte(a3)
				c0, c1, c2, c3 = b0, b1, b2, b3
			}
		default:
			for i := range row {
				a, c := 0, 0
				if i >= bpp {
					a, c = int(row[i-bpp]), int(above[i-bpp])
				}
				row[i] += byte(nearest(a, int(above[i]), c))
			}
		}
	}
}

// nearest is Paeth's: which of left, above and the corner is nearest to left
// plus above less corner. Without a branch, which would be guessed wrong every
// other time.
func nearest(a, b, c int) int {
	low, high := min(a, b), max(a, b)
	t := 3*c - a - b
	out := c
	if high <= t {
		out = low
	}
	if t <= low {
		out = high
	}
	return out
}

// addBytes adds the eight bytes of two words, each by itself.
func addBytes(x, y uint64) uint64 {
	const top = 0x8080808080808080
	return x&^top + y&^top ^ (x^y)&top
}

// expand makes red, green, blue and alpha of grey, grey and alpha, or red,
// green and blue. Behind src there are four more bytes.
func expand(dst, src []byte, channels int) {
	switch channels {
	case 1:
		for i := 0; i+4 <= len(dst); i += 4 {
			binary.LittleEndian.PutUint32(dst[i:], uint32(src[i/4])*0x010101|0xff000000)
		}
	case 2:
		for i := 0; i+4 <= len(dst); i += 4 {
			binary.LittleEndian.PutUint32(dst[i:], uint32(src[i/2])*0x010101|uint32(src[i/2+1])<<24)
		}
	case 3:
		for i, j := 0, 0; i+4 <= len(dst); i, j = i+4, j+3 {
			binary.LittleEndian.PutUint32(dst[i:], binary.LittleEndian.Uint32(src[j:])|0xff000000)
		}
	case 4:
		copy(dst, src)
	}
}
