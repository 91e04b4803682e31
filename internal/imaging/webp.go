package imaging

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// The lossless half of WebP (VP8L), written as the specification tells to read
// it: a picture of few colours by a palette, any other by the difference of
// each pixel from what its neighbours predict; then repeats as in deflate, a
// cache of colours if it pays, and one set of prefix codes. Files are some
// percent larger than libwebp's best, and take a fraction of its time.

const maxWebP = 1 << 14 // pixels of a side

// WebPMemory is the bytes that Encode takes at most for each pixel of a lossless
// WebP, measured.
const WebPMemory = 16

// encodeVP8L writes p with every pixel as it is, also those that can't be seen.
func (p *Picture) encodeVP8L(w io.Writer) error {
	if p.width > maxWebP || p.height > maxWebP {
		return fmt.Errorf("%dx%d pixels are more than %d a side", p.width, p.height, maxWebP)
	}
	var out bitWriter
	out.write(0x2f, 8)
	out.write(uint64(p.width-1), 14)
	out.write(uint64(p.height-1), 14)
	alpha := uint64(1)
	if p.Opaque() {
		alpha = 0
	}
	out.write(alpha, 1)
	out.write(0, 3) // version

	argb := make([]uint32, p.width*p.height)
	for i := range argb {
		s := p.pix[4*i : 4*i+4 : 4*i+4]
		argb[i] = uint32(s[3])<<24 | uint32(s[0])<<16 | uint32(s[1])<<8 | uint32(s[2])
	}
	width := p.width
	if palette := paletteOf(argb); palette != nil {
		argb, width = out.palette(argb, width, palette)
	} else {
		out.write(1|2<<1, 3) // a transform: green is taken from red and blue
		for i, v := range argb {
			g := v >> 8 & 255
			argb[i] = minus(v, g<<16|g)
		}
		argb = out.predict(argb, width)
	}
	out.write(0, 1) // no more transforms
	out.picture(argb, width, true)

	body := out.bytes()
	head := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(12+len(body)+len(body)&1))...)
	head = append(append(head, "WEBPVP8L"...), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
	if len(body)&1 == 1 {
		body = append(body, 0)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

// paletteOf is the colours in order, nil if they are more than 256.
func paletteOf(argb []uint32) []uint32 {
	seen := make(map[uint32]bool, 257)
	last := ^argb[0]
	for _, v := range argb {
		if v == last {
			continue
		}
		if last = v; !seen[v] {
			if seen[v] = true; len(seen) > 256 {
				return nil
			}
		}
	}
	out := make([]uint32, 0, len(seen))
	for v := range seen {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// palette writes the transform to a palette, and returns the picture of
// numbers: several of them in a pixel if they are small.
func (w *bitWriter) palette(argb []uint32, width int, palette []uint32) ([]uint32, int) {
	w.write(1|3<<1, 3)
	w.write(uint64(len(palette)-1), 8)
	number := make(map[uint32]uint32, len(palette))
	diffs := slices.Clone(palette)
	for i, v := range palette {
		number[v] = uint32(i)
		if i > 0 {
			diffs[i] = minus(v, palette[i-1])
		}
	}
	w.picture(diffs, len(diffs), false)
	shift := 0 // so many numbers in a pixel, as a power of two
	switch n := len(palette); {
	case n <= 2:
		shift = 3
	case n <= 4:
		shift = 2
	case n <= 16:
		shift = 1
	}
	packed := (width + 1<<shift - 1) >> shift
	out := make([]uint32, 0, packed*(len(argb)/width))
	for ; len(argb) > 0; argb = argb[width:] {
		for x := 0; x < width; x += 1 << shift {
			v := uint32(0)
			for k := range min(1<<shift, width-x) {
				v |= number[argb[x+k]] << (k << (3 - shift))
			}
			out = append(out, 0xff000000|v<<8)
		}
	}
	return out, packed
}

const (
	blockBits  = 4 // a side of the blocks that have a way of predicting each, as a power of two
	predictors = 14
)

// predict writes the transform by which each pixel is the difference from what
// its neighbours foretell, in the way that suits its block best, and returns
// the differences.
func (w *bitWriter) predict(argb []uint32, width int) []uint32 {
	height := len(argb) / width
	across, down := (width+1<<blockBits-1)>>blockBits, (height+1<<blockBits-1)>>blockBits
	ways := make([]uint32, across*down)
	out := make([]uint32, len(argb))
	for by := range down {
		for bx := range across {
			y1, x1 := min(height, (by+1)<<blockBits), min(width, (bx+1)<<blockBits)
			var sums [predictors]int
			for y := max(1, by<<blockBits); y < y1; y += 2 { // every other row tells enough
				for i := y*width + max(1, bx<<blockBits); i < y*width+x1; i++ {
					v, l, t, r, c := argb[i], argb[i-1], argb[i-width], argb[i-width+1], argb[i-width-1]
					for way := range sums {
						d := minus(v, foretell(way, l, t, r, c))
						sums[way] += int(costs[d>>24]) + int(costs[d>>16&255]) + int(costs[d>>8&255]) + int(costs[d&255])
					}
				}
			}
			best := 0
			for way, sum := range sums {
				if sum < sums[best] {
					best = way
				}
			}
			ways[by*across+bx] = 0xff000000 | uint32(best)<<8
			for y := by << blockBits; y < y1; y++ {
				for x := bx << blockBits; x < x1; x++ {
					i, expect := y*width+x, uint32(0xff000000)
					switch {
					case i == 0:
					case y == 0:
						expect = argb[i-1]
					case x == 0:
						expect = argb[i-width]
					default: // above the last column, to the right, is the first of this row
						expect = foretell(best, argb[i-1], argb[i-width], argb[i-width+1], argb[i-width-1])
					}
					out[i] = minus(argb[i], expect)
				}
			}
		}
	}
	w.write(1|0<<1, 3)
	w.write(blockBits-2, 3)
	w.picture(ways, across, false)
	return out
}

// costs is about how many eighths of a bit a difference takes.
var costs = func() (t [256]uint8) {
	for i := range t {
		d := uint32(abs(int(int8(i)))) + 1
		n := bits.Len32(d) - 1
		t[i] = uint8(8*n + int(d<<3>>n) - 8)
	}
	return t
}()

// foretell predicts a pixel from those to the left, above, above to the right
// and above to the left.
func foretell(way int, l, t, r, c uint32) uint32 {
	switch way {
	case 1:
		return l
	case 2:
		return t
	case 3:
		return r
	case 4:
		return c
	case 5:
		return mean(mean(l, r), t)
	case 6:
		return mean(l, c)
	case 7:
		return mean(l, t)
	case 8:
		return mean(c, t)
	case 9:
		return mean(t, r)
	case 10:
		return mean(mean(l, c), mean(t, r))
	case 11:
		towards := 0 // how much nearer to l + t - c the left one is
		for s := 0; s < 32; s += 8 {
			towards += abs(int(l>>s&255)-int(c>>s&255)) - abs(int(t>>s&255)-int(c>>s&255))
		}
		if towards > 0 {
			return l
		}
		return t
	case 12:
		var v uint32
		for s := 0; s < 32; s += 8 {
			v |= uint32(min(max(int(l>>s&255)+int(t>>s&255)-int(c>>s&255), 0), 255)) << s
		}
		return v
	case 13:
		var v uint32
		m := mean(l, t)
		for s := 0; s < 32; s += 8 {
			a := int(m >> s & 255)
			v |= uint32(min(max(a+(a-int(c>>s&255))/2, 0), 255)) << s
		}
		return v
	}
	return 0xff000000
}

// mean is that of each channel, rounded down.
func mean(a, b uint32) uint32 { return a&b + (a^b)&0xfefefefe>>1 }

// minus is a - b in each channel, modulo 256.
func minus(a, b uint32) uint32 {
	return (0x00ff00ff+a&0xff00ff00-b&0xff00ff00)&0xff00ff00 | (0xff00ff00+a&0x00ff00ff-b&0x00ff00ff)&0x00ff00ff
}

// token is a pixel as it is, a colour of the cache, or a copy of earlier ones.
type token struct {
	kind  uint8
	v     uint32 // the pixel, the place in the cache, or how far back (as it is written)
	count uint32 // pixels of a copy
}

const (
	plainPixel = iota
	cached
	copied
)

const (
	maxCopy    = 1 << 12 // pixels
	minCopy    = 3
	maxBack    = 1<<20 - 120
	candidates = 16 // earlier places that are looked at
	lengths    = 24 // prefix codes of lengths
)

// picture writes pixels with their prefix codes. Only the main one may say that
// its parts have codes of their own, and this one says that they don't.
func (w *bitWriter) picture(argb []uint32, width int, main bool) {
	found := repeats(argb, width)
	var best [5][]int
	cacheBits, least := 0, 0
	for _, n := range []int{0, 6, 10} {
		if n > 0 && len(argb) < 1<<n {
			break
		}
		h := count(found, argb, n)
		if size := entropy(h); n == 0 || size < least {
			best, cacheBits, least = h, n, size
		}
	}
	if cacheBits > 0 {
		w.write(1|uint64(cacheBits)<<1, 5)
	} else {
		w.write(0, 1)
	}
	if main {
		w.write(0, 1)
	}
	var codes [5]prefixCode
	for i, h := range best {
		codes[i] = newPrefixCode(h, 15)
		w.code(codes[i], h)
	}
	walk(found, argb, cacheBits, func(t token) {
		switch t.kind {
		case plainPixel:
			codes[0].put(w, t.v>>8&255)
			codes[1].put(w, t.v>>16&255)
			codes[2].put(w, t.v&255)
			codes[3].put(w, t.v>>24)
		case cached:
			codes[0].put(w, 256+lengths+t.v)
		case copied:
			symbol, extra, n := prefix(t.count)
			codes[0].put(w, 256+symbol)
			w.write(uint64(extra), n)
			symbol, extra, n = prefix(t.v)
			codes[4].put(w, symbol)
			w.write(uint64(extra), n)
		}
	})
}

// stretch is so many pixels as they are, or a copy of earlier ones.
type stretch struct {
	back  uint32 // how far back, as it is written; 0 for no copy
	count uint32 // pixels
}

// repeats finds copies of what came before.
func repeats(argb []uint32, width int) []stretch {
	const hashBits = 16
	head := make([]int32, 1<<hashBits)             // place + 1 of the last pixels that hash like these
	before := make([]int32, min(len(argb), 1<<20)) // and of those before them, as far back as a copy may reach
	note := func(i int) (last int32) {
		if i+2 >= len(argb) {
			return 0
		}
		h := (argb[i]*0x9e3779b1 ^ argb[i+1]*0x85ebca77 ^ argb[i+2]*0xc2b2ae3d) >> (32 - hashBits)
		last = head[h]
		head[h], before[i%len(before)] = int32(i)+1, last
		return last
	}
	var found []stretch
	for i := 0; i < len(argb); {
		at, size, back := int(note(i))-1, 0, 0
		for try := 0; try < candidates && at >= 0 && i-at <= maxBack; try++ {
			n, most := 0, min(len(argb)-i, maxCopy)
			for n < most && argb[at+n] == argb[i+n] {
				n++
			}
			if n > size {
				size, back = n, i-at
			}
			at = int(before[at%len(before)]) - 1
		}
		if size < minCopy {
			if k := len(found) - 1; k >= 0 && found[k].back == 0 {
				found[k].count++
			} else {
				found = append(found, stretch{0, 1})
			}
			i++
			continue
		}
		found = append(found, stretch{nearness(back, width), uint32(size)})
		for k := 1; k < size; k++ {
			note(i + k)
		}
		i += size
	}
	return found
}

// near are the numbers of the 120 places that have short names, by rows above
// and columns to the right, as the specification lists them.
var near = [128]uint8{
	96, 73, 55, 39, 23, 13, 5, 1, 255, 255, 255, 255, 255, 255, 255, 255,
	101, 78, 58, 42, 26, 16, 8, 2, 0, 3, 9, 17, 27, 43, 59, 79,
	102, 86, 62, 46, 32, 20, 10, 6, 4, 7, 11, 21, 33, 47, 63, 87,
	105, 90, 70, 52, 37, 28, 18, 14, 12, 15, 19, 29, 38, 53, 71, 91,
	110, 99, 82, 66, 48, 35, 30, 24, 22, 25, 31, 36, 49, 67, 83, 100,
	115, 108, 94, 76, 64, 50, 44, 40, 34, 41, 45, 51, 65, 77, 95, 109,
	118, 113, 103, 92, 80, 68, 60, 56, 54, 57, 61, 69, 81, 93, 104, 114,
	119, 116, 111, 106, 97, 88, 84, 74, 72, 75, 85, 89, 98, 107, 112, 117,
}

// nearness is how a distance in pixels is written.
func nearness(back, width int) uint32 {
	y := back / width
	x := back - y*width
	if x <= 8 && y < 8 {
		return uint32(near[y*16+8-x]) + 1
	} else if x > width-8 && y < 7 {
		return uint32(near[(y+1)*16+8+width-x]) + 1
	}
	return uint32(back) + 120
}

// walk tells each token, with colours that the cache has as such.
func walk(found []stretch, argb []uint32, cacheBits int, tell func(token)) {
	var cache []uint32
	if cacheBits > 0 {
		cache = make([]uint32, 1<<cacheBits)
	}
	place := func(v uint32) uint32 { return v * 0x1e35a7bd >> (32 - cacheBits) }
	at := 0
	for _, s := range found {
		if s.back > 0 {
			tell(token{copied, s.back, s.count})
		}
		for _, v := range argb[at : at+int(s.count)] {
			t := token{plainPixel, v, 1}
			if cache != nil {
				p := place(v)
				// The first pixel stands for itself, so that no code has only symbols
				// of the cache.
				if at > 0 && cache[p] == v {
					t = token{cached, p, 1}
				}
				cache[p] = v
			}
			if at++; s.back == 0 {
				tell(t)
			}
		}
	}
}

// count is how often each symbol of the five codes comes.
func count(found []stretch, argb []uint32, cacheBits int) (h [5][]int) {
	sizes := [5]int{256 + lengths, 256, 256, 256, 40}
	if cacheBits > 0 {
		sizes[0] += 1 << cacheBits
	}
	for i, n := range sizes {
		h[i] = make([]int, n)
	}
	walk(found, argb, cacheBits, func(t token) {
		switch t.kind {
		case plainPixel:
			h[0][t.v>>8&255]++
			h[1][t.v>>16&255]++
			h[2][t.v&255]++
			h[3][t.v>>24]++
		case cached:
			h[0][256+lengths+t.v]++
		case copied:
			symbol, _, _ := prefix(t.count)
			h[0][256+symbol]++
			symbol, _, _ = prefix(t.v)
			h[4][symbol]++
		}
	})
	return h
}

// entropy is about how many bits, times 256, the symbols take.
func entropy(h [5][]int) (size int) {
	for _, counts := range h {
		total := 0
		for _, n := range counts {
			size -= n * log2(n)
			total += n
		}
		size += total * log2(total)
	}
	return size
}

// log2 is the logarithm of n times 256, 0 for 0; between powers of two it is
// straight.
func log2(n int) int {
	if n == 0 {
		return 0
	}
	k := bits.Len(uint(n)) - 1
	return k<<8 + n<<8>>k - 256
}

// prefix is a number, from 1, as a symbol and the bits that follow it.
func prefix(v uint32) (symbol, extra uint32, n int) {
	v--
	if v < 4 {
		return v, 0, 0
	}
	n = bits.Len32(v) - 2
	return uint32(2*n) + v>>n, v & (1<<n - 1), n
}

// bitWriter puts the lowest bits first.
type bitWriter struct {
	b    []byte
	bits uint64
	n    int
}

func (w *bitWriter) write(v uint64, n int) {
	w.bits |= v << w.n
	for w.n += n; w.n >= 32; w.n -= 32 {
		w.b = binary.LittleEndian.AppendUint32(w.b, uint32(w.bits))
		w.bits >>= 32
	}
}

func (w *bitWriter) bytes() []byte {
	for ; w.n > 0; w.n -= 8 {
		w.b = append(w.b, byte(w.bits))
		w.bits >>= 8
	}
	return w.b
}

// prefixCode is a canonical Huffman code: the length of each symbol, 0 for one
// that does not come, and its bits, first bit lowest.
type prefixCode struct {
	length []uint8
	bits   []uint16
}

func (c prefixCode) put(w *bitWriter, symbol uint32) {
	w.write(uint64(c.bits[symbol]), int(c.length[symbol]))
}

// newPrefixCode makes a code with at most so many bits a symbol. A code of one
// symbol takes none.
func newPrefixCode(counts []int, most uint8) prefixCode {
	c := prefixCode{make([]uint8, len(counts)), make([]uint16, len(counts))}
	for floor := 1; ; floor *= 2 { // rare symbols count as less rare until no code is too long
		if c.lengths(counts, floor); slices.Max(c.length) <= most {
			break
		}
	}
	var next [17]uint16
	for n := uint8(1); n < 16; n++ {
		next[n+1] = next[n] + uint16(number(c.length, n))
		next[n+1] <<= 1
	}
	for s, n := range c.length {
		if n > 0 {
			c.bits[s] = bits.Reverse16(next[n]) >> (16 - n)
			next[n]++
		}
	}
	return c
}

func number(lengths []uint8, of uint8) (n int) {
	for _, l := range lengths {
		if l == of {
			n++
		}
	}
	return n
}

// node is a symbol, or two of them put together.
type node struct {
	weight, symbol int // the symbol also orders what weighs the same
	a, b           *node
}

type nodes []*node

func (n nodes) Len() int { return len(n) }
func (n nodes) Less(i, j int) bool {
	return n[i].weight < n[j].weight || n[i].weight == n[j].weight && n[i].symbol < n[j].symbol
}
func (n nodes) Swap(i, j int) { n[i], n[j] = n[j], n[i] }
func (n *nodes) Push(x any)   { *n = append(*n, x.(*node)) }
func (n *nodes) Pop() any {
	last := (*n)[len(*n)-1]
	*n = (*n)[:len(*n)-1]
	return last
}

func (c prefixCode) lengths(counts []int, floor int) {
	clear(c.length)
	var q nodes
	for s, k := range counts {
		if k > 0 {
			q = append(q, &node{weight: max(k, floor), symbol: s})
		}
	}
	if len(q) < 2 {
		return
	}
	heap.Init(&q)
	for next := len(counts); len(q) > 1; next++ {
		a, b := heap.Pop(&q).(*node), heap.Pop(&q).(*node)
		heap.Push(&q, &node{a.weight + b.weight, next, a, b})
	}
	var down func(n *node, depth uint8)
	down = func(n *node, depth uint8) {
		if n.a == nil {
			c.length[n.symbol] = depth
			return
		}
		down(n.a, depth+1)
		down(n.b, depth+1)
	}
	down(q[0], 0)
}

// code writes a code: one or two symbols by name, more by the lengths of all.
func (w *bitWriter) code(c prefixCode, counts []int) {
	var used []int
	for s, k := range counts {
		if k > 0 {
			used = append(used, s)
		}
	}
	if len(used) == 0 {
		used = []int{0}
	}
	if len(used) <= 2 && used[len(used)-1] < 256 {
		w.write(1|uint64(len(used)-1)<<1|1<<2, 3) // the first one has eight bits
		for _, s := range used {
			w.write(uint64(s), 8)
		}
		return
	}
	type run struct{ symbol, extra, n int }
	var runs []run
	times := func(i int) (n int) {
		for i+n < len(c.length) && c.length[i+n] == c.length[i] {
			n++
		}
		return n
	}
	for i, last := 0, 8; i < len(c.length); {
		n, length := times(i), int(c.length[i])
		switch {
		case length == 0 && n >= 11:
			n = min(n, 138)
			runs = append(runs, run{18, n - 11, 7})
		case length == 0 && n >= 3:
			runs = append(runs, run{17, n - 3, 3})
		case length > 0 && length == last && n >= 3:
			n = min(n, 6)
			runs = append(runs, run{16, n - 3, 2})
		default:
			n = 1
			runs = append(runs, run{length, 0, 0})
		}
		if length > 0 {
			last = length
		}
		i += n
	}
	histogram := make([]int, 19)
	for _, r := range runs {
		histogram[r.symbol]++
	}
	lengths := newPrefixCode(histogram, 7)
	if k := slices.IndexFunc(histogram, func(n int) bool { return n == len(runs) }); k >= 0 {
		lengths.length[k] = 1 // which stands for no bits
	}
	order := []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for len(order) > 4 && lengths.length[order[len(order)-1]] == 0 {
		order = order[:len(order)-1]
	}
	w.write(uint64(len(order)-4)<<1, 5)
	for _, s := range order {
		w.write(uint64(lengths.length[s]), 3)
	}
	w.write(0, 1) // the lengths of all symbols follow
	for _, r := range runs {
		if r.symbol < 19 && histogram[r.symbol] < len(runs) {
			lengths.put(w, uint32(r.symbol))
		}
		w.write(uint64(r.extra), r.n)
	}
}
