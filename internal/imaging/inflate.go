package imaging

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// inflater undoes deflate (RFC 1951) for bytes that are all in memory, which
// makes it twice as fast as the readers of compress/flate. What it finds
// damaged the standard library is asked about, too, so that it needs no words
// for it.
type inflater struct {
	in   []byte // and 16 bytes that don't count
	pos  int    // of the next byte to read
	acc  uint64 // bits that were read
	n    uint   // how many
	out  []byte // what was written last, as far as a copy can reach back at least
	to   int    // end of what was written
	last bool   // no further block
	left int    // bytes of a stored block that are to come
	mode byte
	lit  [1<<litBits + 2304]uint32 // at most 143 second tables of 16
	dist [1<<distBits + 1920]uint32
}

const (
	reach    = 1 << 15 // of a copy
	longest  = 258     // copy
	slack    = 16      // literals before a copy, and what it writes too much
	litBits  = 11
	distBits = 8
)

// Modes: what comes next.
const (
	blockStart = iota
	stored
	coded
	ended
)

var errDeflate = errors.New("damaged")

// Entries of tables: the length of the code in bits 0 to 7, extra bits in 8 to
// 15, a flag, and in 16 to 31 the literal, the base of a length or a distance,
// or where a second table begins. Of a code that does not exist all is 0.
const (
	isWrong   = 1 << 12 // a code without a meaning
	isLiteral = 1 << 13
	isSecond  = 1 << 14 // bits 8 to 11: how many bits the second table takes
	isEnd     = 1 << 15
)

// newInflater reads in, which is followed by 16 bytes of anything, and keeps
// ahead bytes of output at least.
func newInflater(in []byte, ahead int) *inflater {
	return &inflater{in: in, out: make([]byte, 2*reach+ahead+longest+slack)}
}

// more writes on behind f.to and reports whether it did; what begins at keep
// stays, and is moved to where the new keep says.
func (f *inflater) more(keep int) (int, error) {
	if from := min(keep, f.to-reach); from > reach {
		copy(f.out, f.out[from:f.to])
		f.to -= from
		keep -= from
	}
	limit := len(f.out) - longest - slack
	for f.to < limit && f.mode != ended {
		var err error
		switch f.mode {
		case blockStart:
			err = f.block()
		case stored:
			n := min(f.left, len(f.out)-slack-f.to)
			copy(f.out[f.to:], f.in[f.pos:f.pos+n])
			f.to, f.pos, f.left = f.to+n, f.pos+n, f.left-n
			if f.left == 0 {
				f.mode = blockStart
			}
		case coded:
			err = f.codes(limit)
		}
		if err != nil {
			return keep, err
		}
		if f.mode == blockStart && f.last {
			f.mode = ended
		}
	}
	return keep, nil
}

// fill reads until there are 56 bits at least. It is an error once bits were
// used that are not there.
func (f *inflater) fill() error {
	if f.pos > len(f.in)-8 {
		return errDeflate
	}
	f.acc |= binary.LittleEndian.Uint64(f.in[f.pos:]) << f.n
	f.pos += int(63-f.n) >> 3
	f.n |= 56
	return nil
}

// take removes n bits, which must be there.
func (f *inflater) take(n uint) int {
	v := f.acc & (1<<n - 1)
	f.acc >>= n
	f.n -= n
	return int(v)
}

// rest is where the bytes begin of which no bit was used.
func (f *inflater) rest() int { return f.pos - int(f.n>>3) }

// block reads the head of a block.
func (f *inflater) block() error {
	if err := f.fill(); err != nil {
		return err
	}
	f.last = f.take(1) == 1
	switch f.take(2) {
	case 0:
		f.pos = f.rest()
		f.acc, f.n = 0, 0
		if f.pos+4 > len(f.in)-16 {
			return errDeflate
		}
		size := int(binary.LittleEndian.Uint16(f.in[f.pos:]))
		if size^0xffff != int(binary.LittleEndian.Uint16(f.in[f.pos+2:])) || f.pos+4+size > len(f.in)-16 {
			return errDeflate
		}
		f.pos += 4
		f.left, f.mode = size, stored
		if size == 0 {
			f.mode = blockStart
		}
		return nil
	case 1:
		var lengths [288 + 30]byte
		for i := range lengths {
			switch {
			case i < 144, i >= 280 && i < 288:
				lengths[i] = 8
			case i < 256:
				lengths[i] = 9
			case i < 280:
				lengths[i] = 7
			default:
				lengths[i] = 5
			}
		}
		f.mode = coded
		// Two more distances have codes and no meaning, so the code is not complete.
		return errors.Join(table(f.lit[:], litBits, lengths[:288], literal, false), table(f.dist[:], distBits, lengths[288:], distance, true))
	case 2:
		f.mode = coded
		return f.dynamic()
	}
	return errDeflate
}

// dynamic reads the tables of a block.
func (f *inflater) dynamic() error {
	lits, dists, n := f.take(5)+257, f.take(5)+1, f.take(4)+4
	if lits > 286 || dists > 30 {
		return errDeflate
	}
	var codes [19]byte
	for i := range n {
		if i%16 == 0 {
			if err := f.fill(); err != nil {
				return err
			}
		}
		codes["\x10\x11\x12\x00\x08\x07\x09\x06\x0a\x05\x0b\x04\x0c\x03\x0d\x02\x0e\x01\x0f"[i]] = byte(f.take(3))
	}
	var first [128]uint32
	if err := table(first[:], 7, codes[:], func(i int) uint32 { return uint32(i) << 16 }, false); err != nil {
		return err
	}
	var lengths [286 + 30]byte
	for i := 0; i < lits+dists; {
		if err := f.fill(); err != nil {
			return err
		}
		e := first[f.acc&127]
		if e == 0 {
			return errDeflate
		}
		f.take(uint(e & 0xff))
		length, times := byte(e>>16), 1
		switch length {
		case 16:
			if i == 0 {
				return errDeflate
			}
			length, times = lengths[i-1], 3+f.take(2)
		case 17:
			length, times = 0, 3+f.take(3)
		case 18:
			length, times = 0, 11+f.take(7)
		}
		if i+times > lits+dists {
			return errDeflate
		}
		for range times {
			lengths[i] = length
			i++
		}
	}
	if lengths[256] == 0 {
		return errDeflate
	}
	return errors.Join(table(f.lit[:], litBits, lengths[:lits], literal, false), table(f.dist[:], distBits, lengths[lits:lits+dists], distance, true))
}

// literal is the entry of a code for a literal, the end or a length.
func literal(i int) uint32 {
	switch {
	case i < 256:
		return isLiteral | uint32(i)<<16
	case i == 256:
		return isEnd
	case i < 265:
		return uint32(i-254) << 16
	case i < 285:
		extra := uint32(i-261) / 4
		return extra<<8 | (uint32((i-261)%4+4)<<extra+3)<<16
	case i == 285:
		return longest << 16
	}
	return isWrong
}

// distance is the entry of a code for a distance.
func distance(i int) uint32 {
	if i < 4 {
		return uint32(i+1) << 16
	}
	extra := uint32(i-2) / 2
	return extra<<8 | (uint32(i%2+2)<<extra+1)<<16
}

// table fills t with the entries of codes that have the given lengths, by the
// next n bits; of longer codes those lead to a second table behind. Bits that
// no code begins with are an error, except that distances may have one code
// or, where nothing is copied, none; incomplete says that this is about them.
func table(t []uint32, n int, lengths []byte, entry func(int) uint32, incomplete bool) error {
	var count, next [17]int
	for _, l := range lengths {
		count[l]++
	}
	used := len(lengths) - count[0]
	count[0] = 0
	code, longestCode := 0, 0
	for l := 1; l < 16; l++ {
		code = (code + count[l-1]) << 1
		next[l] = code
		if count[l] > 0 {
			longestCode = l
		}
		if code+count[l] > 1<<l {
			return errDeflate
		}
	}
	if whole := longestCode > 0 && next[longestCode]+count[longestCode] == 1<<longestCode; !whole {
		fixed := used == 30 && count[5] == 30
		if !incomplete || used > 1 && !fixed {
			return errDeflate
		}
	}
	// Codes with the same n first bits share a second table.
	clear(t[:1<<n])
	end, more := 1<<n, max(0, longestCode-n)
	for i, l := range lengths {
		if l == 0 {
			continue
		}
		c := int(bits.Reverse16(uint16(next[l])) >> (16 - l))
		next[l]++
		e := entry(i) | uint32(l)
		if int(l) <= n {
			for ; c < 1<<n; c += 1 << l {
				t[c] = e
			}
			continue
		}
		root := c & (1<<n - 1)
		if t[root] == 0 {
			if end+1<<more > len(t) {
				return errDeflate
			}
			t[root] = isSecond | uint32(n) | uint32(more)<<8 | uint32(end)<<16
			clear(t[end : end+1<<more])
			end += 1 << more
		}
		second := t[t[root]>>16:][:1<<more]
		for c >>= n; c < 1<<more; c += 1 << (int(l) - n) {
			second[c] = e - uint32(n)
		}
	}
	return nil
}

// codes writes what the codes of a block say, to its end or to limit.
func (f *inflater) codes(limit int) error {
	in, out, pos, acc, n, to := f.in, f.out, f.pos, f.acc, f.n, f.to
	defer func() { f.pos, f.acc, f.n, f.to = pos, acc, n, to }()
	for to < limit {
		if pos > len(in)-8 {
			return errDeflate
		}
		acc |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56
		e := f.lit[acc&(1<<litBits-1)]
		if e&isLiteral != 0 {
			out[to] = byte(e >> 16)
			to++
			acc >>= e & 63
			n -= uint(e & 63)
			e = f.lit[acc&(1<<litBits-1)]
			if e&isLiteral != 0 {
				out[to] = byte(e >> 16)
				to++
				acc >>= e & 63
				n -= uint(e & 63)
				e = f.lit[acc&(1<<litBits-1)]
				if e&isLiteral != 0 {
					out[to] = byte(e >> 16)
					to++
					acc >>= e & 63
					n -= uint(e & 63)
					continue
				}
			}
			if n < 48 { // the most that follows: 15 and 5 bits of a length, 15 and 13 of a distance
				if pos > len(in)-8 {
					return errDeflate
				}
				acc |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
				pos += int(63-n) >> 3
				n |= 56
			}
		}
		if e&isSecond != 0 {
			acc >>= e & 63
			n -= uint(e & 63)
			e = f.lit[e>>16+uint32(acc)&(1<<(e>>8&15)-1)]
			if e&isLiteral != 0 {
				out[to] = byte(e >> 16)
				to++
				acc >>= e & 63
				n -= uint(e & 63)
				continue
			}
		}
		if e&(isEnd|isWrong) != 0 || e == 0 {
			if e&isEnd == 0 {
				return errDeflate
			}
			acc >>= e & 63
			n -= uint(e & 63)
			f.mode = blockStart
			return nil
		}
		acc >>= e & 63
		length := int(e>>16) + int(acc&(1<<(e>>8&15)-1))
		acc >>= e >> 8 & 15
		n -= uint(e&63 + e>>8&15)

		d := f.dist[acc&(1<<distBits-1)]
		if d&isSecond != 0 {
			acc >>= d & 63
			n -= uint(d & 63)
			d = f.dist[d>>16+uint32(acc)&(1<<(d>>8&15)-1)]
		}
		if d == 0 {
			return errDeflate
		}
		acc >>= d & 63
		back := int(d>>16) + int(acc&(1<<(d>>8&15)-1))
		acc >>= d >> 8 & 15
		n -= uint(d&63 + d>>8&15)

		if back > to {
			return errDeflate
		}
		src, dst := out[to-back:], out[to:to+longest+8]
		to += length
		switch {
		case back >= 8:
			for i := 0; i < length; i += 8 {
				binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(src[i:]))
			}
		case length <= 16:
			for i := range length {
				dst[i] = src[i]
			}
		default: // what repeats doubles
			for i := 0; i < length; {
				i += copy(dst[i:length], src[:back+i])
			}
		}
	}
	return nil
}
