package imaging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// EncodeICO writes pictures of at most 256 pixels a side as an icon file, each
// as a PNG, which all browsers read.
func EncodeICO(w io.Writer, pictures ...*Picture) (encoder string, err error) {
	const head, entry = 6, 16
	var dir, data bytes.Buffer
	le := binary.LittleEndian
	dir.Write(le.AppendUint16([]byte{0, 0, 1, 0}, uint16(len(pictures))))
	for _, p := range pictures {
		if p.width > 256 || p.height > 256 {
			return "", fmt.Errorf("imaging: ico: a picture of %dx%d is larger than 256x256", p.width, p.height)
		}
		at := data.Len()
		if err := p.encodePNG(&data, 4); err != nil {
			return "", fmt.Errorf("imaging: ico: %w", err)
		}
		e := []byte{byte(p.width), byte(p.height), 0, 0, 1, 0, 32, 0} // 256 is 0; one plane of 32 bits
		e = le.AppendUint32(e, uint32(data.Len()-at))
		dir.Write(le.AppendUint32(e, uint32(head+entry*len(pictures)+at)))
	}
	if _, err := w.Write(append(dir.Bytes(), data.Bytes()...)); err != nil {
		return "", err
	}
	return Encoder("ico"), nil
}

// Maskable is p in the middle of a square of one colour, as large as nothing of
// it that is seen leaves the circle of 80 % which every platform shows of a
// maskable icon. It is enlarged for that only if it may be.
func (p *Picture) Maskable(side int, background [3]byte, enlarge bool) *Picture {
	far := p.reach()
	// The radius is 2/5 of the side, and far is the square of twice a distance.
	long := max(p.width, p.height)
	size := isqrt(long * long * 16 * side * side / 25 / max(far, 1))
	if size = min(size, side); !enlarge {
		size = min(size, long)
	}
	for ; ; size-- {
		small := Fit(p, max(size, 1), max(size, 1), "inside", enlarge)
		if 25*small.reach() > 16*side*side && size > 1 {
			continue // a pixel is rounded, and the filter reaches a little farther
		}
		out := New(side, side)
		left, top := (side-small.width)/2, (side-small.height)/2
		for y := range small.height {
			copy(out.pix[4*((top+y)*side+left):], small.pix[4*y*small.width:][:4*small.width])
		}
		return out.On(background)
	}
}

// reach is the square of twice the distance of the farthest corner of a pixel
// that is seen from the middle. What is all but transparent is not.
func (p *Picture) reach() (far int) {
	const seen = 8
	for y := range p.height {
		dy := max(p.height-2*y, 2*y+2-p.height)
		for x := range p.width {
			if p.pix[4*(y*p.width+x)+3] < seen {
				continue
			}
			dx := max(p.width-2*x, 2*x+2-p.width)
			far = max(far, dx*dx+dy*dy)
		}
	}
	return far
}
