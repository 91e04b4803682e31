package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image/png"
	"math/rand/v2"
	"testing"
)

// drawnPNG is a PNG of random content, packed in one of many ways. It may have
// alpha, runs, and every kind of block that deflate has.
func drawnPNG(random *rand.Rand, width, height int) []byte {
	channels := []int{1, 2, 3, 4}[random.IntN(4)]
	var raw []byte
	kind := random.IntN(4)
	for range height {
		raw = append(raw, byte(random.IntN(5)))
		for i := range channels * width {
			switch kind {
			case 0:
				raw = append(raw, byte(random.Uint32()))
			case 1:
				raw = append(raw, byte(random.IntN(3)))
			case 2:
				raw = append(raw, byte(i/50))
			case 3:
				raw = append(raw, raw[max(0, len(raw)-1-random.IntN(40000))]+byte(random.IntN(200)/199))
			}
		}
	}
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, []int{zlib.HuffmanOnly, zlib.NoCompression, 1, 6, 9}[random.IntN(5)])
	if err != nil {
		panic(err)
	}
	for len(raw) > 0 {
		n := min(len(raw), 1+random.IntN(100_000))
		z.Write(raw[:n])
		if raw = raw[n:]; random.IntN(8) == 0 {
			z.Flush()
		}
	}
	z.Close()
	var b bytes.Buffer
	out := &pngWriter{w: &b}
	out.write([]byte(pngSignature))
	head := binary.BigEndian.AppendUint32(nil, uint32(width))
	head = binary.BigEndian.AppendUint32(head, uint32(height))
	out.chunk("IHDR", append(head, 8, []byte{0, 4, 2, 6}[channels-1], 0, 0, 0))
	for parts := random.IntN(3); packed.Len() > 0; parts-- {
		n := packed.Len()
		if parts > 0 {
			n = random.IntN(n) + 1
		}
		out.chunk("IDAT", packed.Next(n))
	}
	out.chunk("tEXt", []byte("Comment\x00none"))
	out.chunk("IEND", nil)
	return b.Bytes()
}

// TestPNGIsReadAsByTheStandardLibrary: what our reader takes, it reads alike;
// and of what is damaged it takes nothing that the other refuses.
func TestPNGIsReadAsByTheStandardLibrary(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		width, height := 1+random.IntN(300), 1+random.IntN(60)
		if i%20 == 0 {
			width, height = 1+random.IntN(3000), 1+random.IntN(300)
		}
		b := drawnPNG(random, width, height)
		p := readPNG(b, true)
		if p == nil {
			t.Fatalf("picture %d: %dx%d is not read", i, width, height)
		}
		sameAsStandard(t, b, p)
		for range 5 {
			c := bytes.Clone(b)
			for range 1 + random.IntN(3) {
				c[8+random.IntN(len(c)-8)] ^= 1 << random.IntN(8)
			}
			c = c[:len(c)-random.IntN(2)*random.IntN(len(c)-8)]
			if p := readPNG(c, true); p != nil {
				sameAsStandard(t, c, p)
			}
		}
	}
}

func sameAsStandard(t *testing.T, b []byte, p *Picture) {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Errorf("the standard library refuses what we read: %v", err)
		return
	}
	if q := fromImage(m, m.Bounds()); Digest(p) != Digest(q) {
		t.Errorf("%T of %dx%d: other pixels", m, p.width, p.height)
	}
}

// TestInflateWherever lets the output end at every offset that a copy can have
// there.
func TestInflateWherever(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	raw := make([]byte, 0, 1<<19)
	for len(raw) < cap(raw)-400 {
		if n := random.IntN(300); n > 3 && len(raw) > 40000 {
			at := len(raw) - 1 - random.IntN([]int{10, 40000}[n%2])
			for i := range n {
				raw = append(raw, raw[at+i])
			}
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, random.Uint32())
		}
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	z.Write(raw)
	z.Close()
	for ahead := range 300 {
		f, from, got := newInflater(append(packed.Bytes()[2:], make([]byte, 16)...), ahead), 0, []byte(nil)
		for f.mode != ended {
			var err error
			if from, err = f.more(from); err != nil {
				t.Fatal(err)
			}
			got = append(got, f.out[from:f.to]...)
			from = f.to
		}
		if !bytes.Equal(got, raw) {
			t.Fatalf("ahead %d: other bytes", ahead)
		}
	}
}

// FuzzInflate lets the sums of a PNG be right, so that what is damaged reaches
// the decoder.
func FuzzInflate(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		width := 1 + random.IntN(60)
		f.Add(between(drawnPNG(random, width, 1+random.IntN(30))), uint16(width), uint8(random.IntN(4)))
	}
	f.Fuzz(func(t *testing.T, packed []byte, width uint16, channels uint8) {
		w, n := int(width)+1, int(channels&3)+1
		p := New(w, 1+min(5000, 1<<22/w)/8)
		if !p.unpackPNG(append(packed, make([]byte, 16)...), n) {
			return
		}
		r, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("the standard library refuses what we read: %v", err)
		}
		var raw bytes.Buffer
		if _, err := raw.ReadFrom(r); err != nil || raw.Len() != p.height*(1+n*w) {
			t.Fatalf("%d bytes of %d, %v", raw.Len(), p.height*(1+n*w), err)
		}
	})
}

// between is what is in the first chunk of pixels.
func between(b []byte) []byte {
	i := bytes.Index(b, []byte("IDAT"))
	return b[i+4:][:binary.BigEndian.Uint32(b[i-4:])]
}
