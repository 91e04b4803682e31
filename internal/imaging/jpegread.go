package imaging

import (
	"encoding/binary"
	"errors"
	"slices"
)

// readJPEGPixels reads a JPEG with one component, or three of luma and chroma,
// baseline or progressive, at one size or several: full, a half, a quarter or
// an eighth (shrinks of 1, 2, 4, 8, the least first). The smaller ones come out
// of fewer frequencies and cost next to nothing beside another. The first
// picture has the others as its reductions. At full size the pixels are to the
// bit those of image/jpeg of Go 1.26. Kinds that are rare, and all that is
// damaged, are for the standard library to judge; for these it returns nil.
func readJPEGPixels(b []byte, shrinks ...int) *Picture {
	d := &jpegReader{b: b, shrinks: shrinks}
	p, err := d.read()
	if err != nil {
		return nil
	}
	return p
}

// jpegReader is what is known of a picture while its segments are read.
type jpegReader struct {
	b           []byte
	shrinks     []int
	width       int
	height      int
	progressive bool
	parts       []jpegPart
	wide, high  int // units of the picture: blocks of all parts that cover the same pixels
	interval    int // units between restarts; 0 for none
	quanta      [4][64]int32
	codes       [2][4]*jpegCodes // DC and AC
	stream      bitStream
	run         int // blocks that end at once, in a progressive scan
}

// jpegPart is a component: luma or chroma.
type jpegPart struct {
	id, quanta    byte
	h, v          int // blocks of a unit
	dc, ac        *jpegCodes
	last          int32       // DC of the block before
	levels        []int16     // of all blocks of a progressive picture, each in the order of the file
	planes        []jpegPlane // for each side that a picture takes, the least first
	across, below int         // blocks of a scan of this part alone
	seen          bool        // in a scan
}

// jpegPlane is the pixels of one row of units.
type jpegPlane struct {
	side   int // of what comes out of a block: 8 at full size
	stride int
	pix    []byte
}

var errJPEGOdd = errors.New("not ours to read")

// read walks the segments. completeJPEG has seen that they are there.
func (d *jpegReader) read() (*Picture, error) {
	var p *Picture
	for i := 2; ; {
		marker, body, next := segment(d.b, i)
		if next < 0 {
			return nil, errJPEGOdd
		}
		i = next
		var err error
		switch {
		case marker == 0xd9:
			switch {
			case p != nil:
				return p, nil
			case d.progressive && len(d.parts) > 0:
				return d.reconstruct()
			}
			return nil, errJPEGOdd
		case p != nil: // one scan is all that we take
			return nil, errJPEGOdd
		case marker >= 0xc0 && marker <= 0xc2:
			err = d.frame(body, marker == 0xc2)
		case marker == 0xc4:
			err = d.defineCodes(body)
		case marker == 0xdb:
			err = d.defineQuanta(body)
		case marker == 0xdd:
			if len(body) != 2 {
				return nil, errJPEGOdd
			}
			d.interval = int(binary.BigEndian.Uint16(body))
		case marker == 0xda:
			var scan []*jpegPart
			if scan, err = d.scan(body); err != nil {
				break
			}
			d.stream = bitStream{b: d.b, pos: i}
			if d.progressive {
				err = d.refine(scan, body[len(body)-3:])
			} else {
				p, err = d.baseline(scan)
			}
			if err == nil {
				i, err = d.stream.end()
			}
			if d.run > 0 { // blocks that end beyond the last
				err = errJPEGOdd
			}
		case marker == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe" && body[11] == 0: // not luma and chroma
			err = errJPEGOdd
		case marker >= 0xe0 && marker <= 0xef, marker == 0xfe:
		default:
			err = errJPEGOdd
		}
		if err != nil {
			return nil, err
		}
	}
}

// frame reads the size and what the components are.
func (d *jpegReader) frame(body []byte, progressive bool) error {
	if d.parts != nil || len(body) < 6 || body[0] != 8 {
		return errJPEGOdd
	}
	d.height, d.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	n := int(body[5])
	if n != 1 && n != 3 || len(body) != 6+3*n || d.width == 0 || d.height == 0 {
		return errJPEGOdd
	}
	d.progressive = progressive
	d.parts = make([]jpegPart, n)
	for i := range d.parts {
		c := body[6+3*i:]
		part := &d.parts[i]
		*part = jpegPart{id: c[0], h: int(c[1] >> 4), v: int(c[1] & 15), quanta: c[2]}
		if part.quanta > 3 {
			return errJPEGOdd
		}
	}
	luma := &d.parts[0]
	if n == 1 {
		if luma.h < 1 || luma.h > 4 || luma.h == 3 || luma.v < 1 || luma.v > 4 || luma.v == 3 {
			return errJPEGOdd
		}
		luma.h, luma.v = 1, 1
	} else {
		for _, c := range d.parts[1:] {
			if c.h != 1 || c.v != 1 {
				return errJPEGOdd
			}
		}
		if luma.h < 1 || luma.h > 2 || luma.v < 1 || luma.v > 2 {
			return errJPEGOdd
		}
		ids := [3]byte{d.parts[0].id, d.parts[1].id, d.parts[2].id}
		if ids == [3]byte{'R', 'G', 'B'} || ids[0] == ids[1] || ids[0] == ids[2] || ids[1] == ids[2] {
			return errJPEGOdd
		}
	}
	d.wide = (d.width + 8*luma.h - 1) / (8 * luma.h)
	d.high = (d.height + 8*luma.v - 1) / (8 * luma.v)
	for i := range d.parts {
		part := &d.parts[i]
		for k := len(d.shrinks) - 1; k >= 0; k-- {
			side := d.side(i, d.shrinks[k])
			if n := len(part.planes); n > 0 && part.planes[n-1].side == side {
				continue
			}
			stride := d.wide * part.h * side
			part.planes = append(part.planes, jpegPlane{side, stride, make([]byte, stride*part.v*side)})
		}
		part.across, part.below = (d.width*part.h+8*luma.h-1)/(8*luma.h), (d.height*part.v+8*luma.v-1)/(8*luma.v)
		if progressive {
			part.levels = make([]int16, 64*d.wide*part.h*d.high*part.v)
		}
	}
	return nil
}

// side is how many pixels come out of a block of a part. Chroma that has half of
// them each way at full size has as many as luma when that is smaller.
func (d *jpegReader) side(part, shrink int) int {
	if part > 0 && shrink > 1 && d.parts[0].h == 2 && d.parts[0].v == 2 {
		return 16 / shrink
	}
	return 8 / shrink
}

// plane is that of a part which a picture takes.
func (d *jpegReader) plane(part, shrink int) *jpegPlane {
	side := d.side(part, shrink)
	planes := d.parts[part].planes
	return &planes[slices.IndexFunc(planes, func(p jpegPlane) bool { return p.side == side })]
}

// show makes pixels of the block at x, y in a row of units. It destroys b.
func (part *jpegPart) show(b *block, end, x, y int) {
	for _, p := range part.planes { // the whole size, which destroys b, is last
		pixels(b, end, p.side, p.pix[y*p.side*p.stride+x*p.side:], p.stride)
	}
}

func (d *jpegReader) defineQuanta(body []byte) error {
	for len(body) > 0 {
		n, wide := body[0]&15, int(body[0]>>4)
		if n > 3 || wide > 1 || len(body) < 1+64<<wide {
			return errJPEGOdd
		}
		for i := range 64 {
			if wide == 1 {
				d.quanta[n][i] = int32(binary.BigEndian.Uint16(body[1+2*i:]))
			} else {
				d.quanta[n][i] = int32(body[1+i])
			}
		}
		body = body[1+64<<wide:]
	}
	return nil
}

func (d *jpegReader) defineCodes(body []byte) error {
	for len(body) > 0 {
		if len(body) < 17 {
			return errJPEGOdd
		}
		class, n := body[0]>>4, body[0]&15
		count := 0
		for _, c := range body[1:17] {
			count += int(c)
		}
		if class > 1 || n > 3 || count == 0 || count > 256 || len(body) < 17+count {
			return errJPEGOdd
		}
		c, err := newJPEGCodes([16]byte(body[1:17]), body[17:17+count])
		if err != nil {
			return err
		}
		d.codes[class][n] = c
		body = body[17+count:]
	}
	return nil
}

// scan reads which components a scan has, and their codes.
func (d *jpegReader) scan(body []byte) ([]*jpegPart, error) {
	if d.parts == nil || len(body) < 4 || len(body) != 4+2*int(body[0]) {
		return nil, errJPEGOdd
	}
	n := int(body[0])
	if n != 1 && n != len(d.parts) || !d.progressive && (n != len(d.parts) || string(body[1+2*n:]) != "\x00\x3f\x00") || d.progressive && d.interval > 0 {
		return nil, errJPEGOdd
	}
	var out []*jpegPart
	for i := range n {
		id, codes := body[1+2*i], body[2+2*i]
		if codes>>4 > 3 || codes&15 > 3 {
			return nil, errJPEGOdd
		}
		for k := range d.parts {
			part := &d.parts[k]
			if part.id != id || n > 1 && k != i {
				continue
			}
			part.dc, part.ac = d.codes[0][codes>>4], d.codes[1][codes&15]
			part.last, part.seen = 0, true
			out = append(out, part)
		}
	}
	if len(out) != n {
		return nil, errJPEGOdd
	}
	return out, nil
}

// baseline reads the one scan of a picture, and makes each row of units pixels
// as soon as it is there.
func (d *jpegReader) baseline(scan []*jpegPart) (*Picture, error) {
	for _, part := range scan {
		if part.dc == nil || part.ac == nil {
			return nil, errJPEGOdd
		}
	}
	p := d.picture()
	var b block
	left, restart := d.interval, byte(0xd0)
	for y := range d.high {
		for x := range d.wide {
			if d.interval > 0 {
				if left == 0 {
					if err := d.stream.restart(restart); err != nil {
						return nil, err
					}
					for _, part := range scan {
						part.last = 0
					}
					left, restart = d.interval, 0xd0+(restart+1)&7
				}
				left--
			}
			for _, part := range scan {
				q := &d.quanta[part.quanta]
				for i := range part.h * part.v {
					end, err := d.stream.block(&b, part, q)
					if err != nil {
						return nil, err
					}
					part.show(&b, end, x*part.h+i%part.h, i/part.h)
				}
			}
		}
		if d.stream.overrun() {
			return nil, errJPEGOdd
		}
		d.colour(p, y)
	}
	return p, nil
}

// picture is an empty one of the first size that is asked for, with those of
// the others.
func (d *jpegReader) picture() *Picture {
	var first *Picture
	for _, shrink := range d.shrinks {
		p := New((d.width+shrink-1)/shrink, (d.height+shrink-1)/shrink)
		if shrink > 1 {
			p.shrink, p.fullWidth, p.fullHeight = shrink, d.width, d.height
		}
		if first == nil {
			first = p
		} else {
			first.smaller = append(first.smaller, p)
		}
	}
	return first
}

// reconstruct makes pixels of the levels of a progressive picture.
func (d *jpegReader) reconstruct() (*Picture, error) {
	for _, part := range d.parts {
		if !part.seen {
			return nil, errJPEGOdd
		}
	}
	p := d.picture()
	var b block
	for y := range d.high {
		for i := range d.parts {
			part := &d.parts[i]
			q := &d.quanta[part.quanta]
			width := d.wide * part.h
			for v := range part.v {
				levels := part.levels[64*width*(y*part.v+v):][:64*width]
				for x := range width {
					clear(b[:])
					end := 0
					for k, l := range levels[64*x : 64*x+64] {
						if l != 0 {
							b[zigzag[k]] = int32(l) * q[k]
							end = k
						}
					}
					part.show(&b, end, x, v)
				}
			}
		}
		d.colour(p, y)
	}
	return p, nil
}

// refine reads a scan of a progressive picture.
func (d *jpegReader) refine(scan []*jpegPart, how []byte) error {
	first, last, high, low := int(how[0]), int(how[1]), uint(how[2]>>4), uint(how[2]&15)
	if first == 0 && last != 0 || first > last || last > 63 || first > 0 && len(scan) != 1 || high > 0 && high != low+1 || low > 13 {
		return errJPEGOdd
	}
	s := &d.stream
	d.run = 0
	do := func(part *jpegPart, x, y int) error {
		levels := (*[64]int16)(part.levels[64*(y*d.wide*part.h+x):])
		switch {
		case first == 0 && high == 0:
			if part.dc == nil {
				return errJPEGOdd
			}
			s.fill()
			n := part.dc.next(s)
			if n > 16 {
				return errJPEGOdd
			}
			part.last += s.value(uint(n))
			v := part.last << low
			if v != int32(int16(v)) {
				return errJPEGOdd
			}
			levels[0] = int16(v)
			return nil
		case first == 0:
			s.fill()
			levels[0] |= int16(s.take(1)) << low
			return nil
		case part.ac == nil:
			return errJPEGOdd
		case high == 0:
			return d.firstLevels(levels, part.ac, first, last, low)
		}
		return d.nextLevels(levels, part.ac, first, last, int16(1)<<low)
	}
	if len(scan) == 1 {
		part := scan[0]
		for y := range part.below {
			for x := range part.across {
				if err := do(part, x, y); err != nil {
					return err
				}
			}
			if s.overrun() {
				return errJPEGOdd
			}
		}
		return nil
	}
	for y := range d.high {
		for x := range d.wide {
			for _, part := range scan {
				for i := range part.h * part.v {
					if err := do(part, x*part.h+i%part.h, y*part.v+i/part.h); err != nil {
						return err
					}
				}
			}
		}
		if s.overrun() {
			return errJPEGOdd
		}
	}
	return nil
}

// firstLevels reads the first bits of the levels first to last of a block.
func (d *jpegReader) firstLevels(levels *[64]int16, ac *jpegCodes, first, last int, low uint) error {
	if d.run > 0 {
		d.run--
		return nil
	}
	s := &d.stream
	for k := first; k <= last; k++ {
		s.fill()
		rs := ac.next(s)
		r, n := int(rs>>4), uint(rs&15)
		switch {
		case n > 0:
			if k += r; k > last {
				return errJPEGOdd
			}
			v := s.value(n) << low
			if v != int32(int16(v)) {
				return errJPEGOdd
			}
			levels[k] = int16(v)
		case r < 15:
			d.run = 1<<r - 1 + int(s.take(uint(r)))
			return nil
		default:
			k += 15
		}
	}
	return nil
}

// nextLevels reads one bit more of the levels first to last of a block.
func (d *jpegReader) nextLevels(levels *[64]int16, ac *jpegCodes, first, last int, bit int16) error {
	s := &d.stream
	k := first
	// more goes on to the zeros-th next level that is zero, or to the end, and
	// reads a bit of all others on the way.
	more := func(zeros int) {
		for ; k <= last; k++ {
			v := levels[k]
			if v == 0 {
				if zeros == 0 {
					return
				}
				zeros--
				continue
			}
			s.fill()
			if s.take(1) == 1 {
				if v > 0 {
					levels[k] = v + bit
				} else {
					levels[k] = v - bit
				}
			}
		}
	}
	if d.run == 0 {
		for ; k <= last; k++ {
			s.fill()
			rs := ac.next(s)
			r, n := int(rs>>4), rs&15
			var v int16
			switch {
			case n > 1:
				return errJPEGOdd
			case n == 1:
				if v = -bit; s.take(1) == 1 {
					v = bit
				}
			case r < 15:
				d.run = 1<<r + int(s.take(uint(r)))
			}
			if d.run > 0 {
				break
			}
			if more(r); k > last {
				return errJPEGOdd
			}
			if v != 0 {
				levels[k] = v
			}
		}
	}
	if d.run > 0 {
		d.run--
		more(64)
	}
	return nil
}

// pixels writes what the frequencies of a block show, of which those behind end
// (in the order of the file) are zero.
func pixels(b *block, end, side int, dst []byte, stride int) {
	if end == 0 {
		v := level((b[0]<<17 + 1<<19) >> 20)
		if side < 8 {
			v = level((b[0] + 4) >> 3)
		}
		for y := range side {
			row := dst[y*stride:][:side]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	switch side {
	case 8:
		idct(b)
		for y := range 8 {
			row, s := dst[y*stride:][:8:8], b[8*y:][:8:8]
			row[0], row[1], row[2], row[3] = level(s[0]), level(s[1]), level(s[2]), level(s[3])
			row[4], row[5], row[6], row[7] = level(s[4]), level(s[5]), level(s[6]), level(s[7])
		}
	case 4:
		idct4(b, dst, stride)
	case 2:
		a, c, e, f := b[0]+4, b[1], b[8], b[9]
		row := dst[:2]
		row[0], row[1] = level((a+c+e+f)>>3), level((a-c+e-f)>>3)
		row = dst[stride:][:2]
		row[0], row[1] = level((a+c-e-f)>>3), level((a-c-e+f)>>3)
	case 1:
		dst[0] = level((b[0] + 4) >> 3)
	}
}

// level is a pixel out of what is 128 less.
func level(v int32) byte {
	v += 128
	if uint32(v) > 255 {
		v = ^(v >> 31)
	}
	return byte(v)
}

// colour makes pixels of p and its reductions out of a row of units.
func (d *jpegReader) colour(p *Picture, unit int) {
	for _, q := range p.smaller {
		d.colour(q, unit)
	}
	shrink := max(1, p.shrink)
	luma := d.plane(0, shrink)
	var u, v *jpegPlane
	if len(d.parts) > 1 {
		u, v = d.plane(1, shrink), d.plane(2, shrink)
	}
	rows := d.parts[0].v * luma.side
	for y := range min(rows, p.height-unit*rows) {
		dst := p.pix[4*(unit*rows+y)*p.width:][:4*p.width]
		l := luma.pix[y*luma.stride:]
		if u == nil {
			expand(dst, l, 1)
			continue
		}
		y := y * u.side / rows
		cb, cr := u.pix[y*u.stride:][:u.stride], v.pix[y*u.stride:][:u.stride]
		if u.stride == luma.stride {
			for x, l := range l[:p.width] {
				r, g, b := chroma(cb[x], cr[x])
				binary.LittleEndian.PutUint32(dst[4*x:], coloured(l, r, g, b))
			}
			continue
		}
		x := 0
		for ; x+1 < p.width; x += 2 {
			r, g, b := chroma(cb[x/2], cr[x/2])
			two := l[x : x+2 : x+2]
			binary.LittleEndian.PutUint64(dst[4*x:], uint64(coloured(two[0], r, g, b))|uint64(coloured(two[1], r, g, b))<<32)
		}
		if x < p.width {
			r, g, b := chroma(cb[x/2], cr[x/2])
			binary.LittleEndian.PutUint32(dst[4*x:], coloured(l[x], r, g, b))
		}
	}
}

// chroma is what colour adds to red, green and blue, with 16 fractional bits.
func chroma(cb, cr byte) (r, g, b int32) {
	u, v := int32(cb)-128, int32(cr)-128
	return 91881 * v, -22554*u - 46802*v, 116130 * u
}

// coloured is red, green, blue and 255 as a word.
func coloured(l byte, r, g, b int32) uint32 {
	y := int32(l) * 0x10101
	return uint32(shades[uint(y+r+256<<16)>>16&1023]) | uint32(shades[uint(y+g+256<<16)>>16&1023])<<8 | uint32(shades[uint(y+b+256<<16)>>16&1023])<<16 | 0xff000000
}

// shades keeps -256 to 767 between 0 and 255.
var shades = func() (t [1024]byte) {
	for i := range t {
		t[i] = byte(min(max(i-256, 0), 255))
	}
	return t
}()

// bitStream reads the bits of a scan.
type bitStream struct {
	b    []byte
	pos  int
	acc  uint64 // the next bit is the highest
	n    int    // bits that acc has
	made int    // of the bits read, those behind the last one that there is: zeros
}

// fill makes sure that there are 32 bits, if need be of zeros.
func (s *bitStream) fill() {
	if s.n >= 32 {
		return
	}
	if s.pos+4 <= len(s.b) {
		if v := binary.BigEndian.Uint32(s.b[s.pos:]); (^v-0x01010101)&v&0x80808080 == 0 { // no byte is 0xff
			s.acc |= uint64(v) << (32 - s.n)
			s.n += 32
			s.pos += 4
			return
		}
	}
	s.slowly()
}

func (s *bitStream) slowly() {
	for s.n <= 56 {
		v := uint64(0)
		switch {
		case s.pos+1 < len(s.b) && s.b[s.pos] == 0xff && s.b[s.pos+1] == 0:
			v = 0xff
			s.pos += 2
		case s.pos < len(s.b) && s.b[s.pos] != 0xff:
			v = uint64(s.b[s.pos])
			s.pos++
		default: // a marker
			s.made += 8
		}
		s.acc |= v << (56 - s.n)
		s.n += 8
	}
}

// overrun reports whether bits were used that are not there.
func (s *bitStream) overrun() bool { return s.made > s.n }

// take removes n bits, 16 at most.
func (s *bitStream) take(n uint) uint32 {
	v := uint32(s.acc >> 1 >> (63 - n))
	s.acc <<= n
	s.n -= int(n)
	return v
}

// value reads the n bits of a level, 16 at most.
func (s *bitStream) value(n uint) int32 {
	v := int32(s.take(n))
	if n > 0 && v>>(n-1) == 0 {
		v -= 1<<n - 1
	}
	return v
}

// end is where the marker is that ends the scan. What is left of the last byte
// does not count.
func (s *bitStream) end() (int, error) {
	if s.n-s.made >= 8 || s.overrun() || s.pos+1 >= len(s.b) || s.b[s.pos] != 0xff || s.b[s.pos+1] == 0 {
		return 0, errJPEGOdd
	}
	return s.pos, nil
}

// restart skips a marker.
func (s *bitStream) restart(marker byte) error {
	at, err := s.end()
	if err != nil || s.b[at+1] != marker {
		return errJPEGOdd
	}
	s.pos, s.acc, s.n, s.made = at+2, 0, 0, 0
	return nil
}

// jpegCodes finds what codes stand for. Of those that are short enough quick
// knows, by the bits that come next, the length and the value, for AC with the
// level behind it where that is short, too.
type jpegCodes struct {
	quick  [1 << quickBits]uint32 // bits used in 0 to 7, value in 8 to 15, level in 16 to 31; 0 for none
	limit  [17]int32              // behind the last code of a length, as 16 bits; the last is never reached
	offset [16]int32              // of the values of a length less its first code
	values []byte
}

const (
	quickBits = 10
	hasLevel  = 1 << 7
)

func newJPEGCodes(counts [16]byte, values []byte) (*jpegCodes, error) {
	c := &jpegCodes{values: values}
	code, k := int32(0), 0
	for i, count := range counts {
		n := i + 1
		c.offset[i] = int32(k) - code
		for range count {
			if code >= 1<<n {
				return nil, errJPEGOdd
			}
			if n <= quickBits {
				for j := range int32(1) << (quickBits - n) {
					c.quick[code<<(quickBits-n)|j] = c.entry(values[k], n, uint32(j)<<(32-quickBits+n))
				}
			}
			code++
			k++
		}
		c.limit[i] = code << (16 - n)
		code <<= 1
	}
	c.limit[16] = 1 << 16
	return c, nil
}

// entry is what a code of n bits tells that the bits of rest follow.
func (c *jpegCodes) entry(value byte, n int, rest uint32) uint32 {
	size := int(value & 15)
	if size == 0 || n+size > quickBits {
		return uint32(n) | uint32(value)<<8
	}
	v := int32(rest >> (32 - size))
	if v>>(size-1) == 0 {
		v -= 1<<size - 1
	}
	return uint32(n+size) | hasLevel | uint32(value)<<8 | uint32(uint16(v))<<16
}

// next reads a code; s was filled. Of a code that does not exist it returns
// something.
func (c *jpegCodes) next(s *bitStream) byte {
	if e := c.quick[s.acc>>(64-quickBits)]; e != 0 {
		n := e & 63
		if e&hasLevel != 0 {
			n -= e >> 8 & 15
		}
		s.take(uint(n))
		return byte(e >> 8)
	}
	return c.slowly(s)
}

func (c *jpegCodes) slowly(s *bitStream) byte {
	code := int32(s.acc >> 48)
	i := 0
	for code >= c.limit[i] {
		i++
	}
	if i == 16 {
		s.made += 1 << 20 // there is no such code: as if bits were missing
		return 0
	}
	s.take(uint(i + 1))
	return c.values[code>>(15-i)+c.offset[i]]
}

// block reads a block and multiplies it with its quanta; end is the last level
// that may not be zero.
func (s *bitStream) block(b *block, part *jpegPart, q *[64]int32) (end int, err error) {
	clear(b[:])
	s.fill()
	n := part.dc.next(s)
	if n > 16 {
		return 0, errJPEGOdd
	}
	if n > 0 {
		part.last += s.value(uint(n))
	}
	b[0] = part.last * q[0]
	ac := part.ac
	for k := 1; k < 64; k++ {
		s.fill()
		e := ac.quick[s.acc>>(64-quickBits)]
		if e&hasLevel != 0 {
			s.acc <<= e & 63
			s.n -= int(e & 63)
			k += int(e >> 12 & 15)
			if k > 63 {
				return 0, errJPEGOdd
			}
			b[zigzag[k]&63] = int32(e) >> 16 * q[k]
			end = k
			continue
		}
		rs := ac.next(s)
		r, n := int(rs>>4), uint(rs&15)
		if n == 0 {
			if r == 15 {
				k += 15
				continue
			}
			if r > 0 {
				return 0, errJPEGOdd
			}
			break
		}
		if k += r; k > 63 {
			return 0, errJPEGOdd
		}
		b[zigzag[k]&63] = s.value(n) * q[k]
		end = k
	}
	return end, nil
}
