package imaging

import (
	"bytes"
	"errors"
	"fmt"
)

// Mask says how much each pixel of a picture may change in an edit: 0 not at
// all, 255 freely.
type Mask struct {
	cover         []byte
	width, height int
}

// ReadMask reads the picture b as a mask. edit says which of its pixels mark
// what may change: "transparent" ones, "white" ones or "black" ones; half
// tones and half transparency mean half. For white and black what is
// transparent marks nothing. It is an error if b has no alpha channel where
// that counts, or colours where white and black count. Any other edit panics.
func ReadMask(b []byte, edit string, lim Limits) (*Mask, error) {
	p, info, err := Decode(b, lim)
	if err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	m := &Mask{make([]byte, p.width*p.height), p.width, p.height}
	switch edit {
	case "transparent":
		if !hasAlpha(b, info.Format, p) {
			return nil, fmt.Errorf(`mask: this %s has no alpha channel, so nothing is marked as transparent; for a black and white picture say edit = "white" or "black"`, info.Format)
		}
		for i := range m.cover {
			m.cover[i] = 255 - p.pix[4*i+3]
		}
	case "white", "black":
		for i := range m.cover {
			r, g, b, a := int(p.pix[4*i]), int(p.pix[4*i+1]), int(p.pix[4*i+2]), int(p.pix[4*i+3])
			if a > 0 && max(r, g, b)-min(r, g, b) > tinge {
				return nil, errors.New("mask: the picture has colours; a mask has only black, white and the greys between")
			}
			light := (r + g + b + 1) / 3
			if edit == "black" {
				light = 255 - light
			}
			m.cover[i] = byte((light*a + 127) / 255)
		}
	default:
		panic(fmt.Sprintf("imaging: no mask edits %q pixels", edit))
	}
	return m, nil
}

// tinge is how far apart the channels of a grey may be: a lossy encoder leaves
// some at hard edges.
const tinge = 64

// hasAlpha reports whether a file can express transparency. An opaque picture
// with an alpha channel is a mask that marks nothing, which is for the caller
// to judge; without a channel it is a mistake.
func hasAlpha(b []byte, format string, p *Picture) bool {
	if format == "png" {
		kind := b[25] // colour type; png.Decode has seen it
		head, _, _ := bytes.Cut(b, []byte("IDAT"))
		return kind >= 4 || bytes.Contains(head, []byte("tRNS"))
	}
	return !p.Opaque()
}

// Width is in pixels.
func (m *Mask) Width() int { return m.width }

// Height is in pixels.
func (m *Mask) Height() int { return m.height }

// Coverage reports whether nothing may change, and whether everything may: a
// mask of either kind is probably a mistake.
func (m *Mask) Coverage() (none, all bool) {
	none, all = true, true
	for _, c := range m.cover {
		none = none && c == 0
		all = all && c == 255
	}
	return none, all
}

// PNG is the mask as providers take it: RGBA with eight bits, transparent where
// the picture may change.
func (m *Mask) PNG() []byte {
	p := New(m.width, m.height)
	for i, c := range m.cover {
		p.pix[4*i+3] = 255 - c
	}
	var b bytes.Buffer
	if err := p.encodePNG(&b, 4); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// Hole is a PNG of p, which has the size of the mask, with a hole where it may
// change: to look at, and a mask of its own.
func (m *Mask) Hole(p *Picture) []byte {
	out := New(m.width, m.height)
	copy(out.pix, p.pix)
	for i, c := range m.cover {
		out.pix[4*i+3] = byte((int(out.pix[4*i+3])*(255-int(c)) + 127) / 255)
	}
	var b bytes.Buffer
	if err := out.encodePNG(&b, 4); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// Veil is a picture to lay over one of the size of the mask: magenta where it
// must stay as it is, transparent where it may change.
func (m *Mask) Veil() *Picture {
	p := New(m.width, m.height)
	for i, c := range m.cover {
		copy(p.pix[4*i:], []byte{255, 0, 255, 255 - c})
	}
	return p
}

// strayed is by how much a channel of a pixel must differ, of 255, to count as
// changed: a lossy encoder alone makes less of most pixels.
const strayed = 16

// Outside is the share of the pixels that m allows no change of and that differ
// all the same, 0 to 1. An edited picture of another size is fitted to that of
// the original first. The mask must have the size of the original, else Outside
// panics.
func Outside(edited, original *Picture, m *Mask) float64 {
	if m.width != original.width || m.height != original.height {
		panic(fmt.Sprintf("imaging: mask of %dx%d pixels for a picture of %dx%d", m.width, m.height, original.width, original.height))
	}
	if edited.width != original.width || edited.height != original.height {
		edited = Fit(edited, original.width, original.height, "cover", true)
	}
	kept, changed := 0, 0
	for i, c := range m.cover {
		if c != 0 {
			continue
		}
		kept++
		for k := 4 * i; k < 4*i+4; k++ {
			if d := int(edited.pix[k]) - int(original.pix[k]); d > strayed || d < -strayed {
				changed++
				break
			}
		}
	}
	if kept == 0 {
		return 0
	}
	return float64(changed) / float64(kept)
}

// Restore puts original back where m forbids a change: exactly where it covers
// nothing, blended where it covers in part. Providers treat a mask as a wish.
// An edited picture of another size is first fitted to the original's pixels;
// one of the same is written to.
// The mask must have the size of the original, else Restore panics.
func Restore(edited, original *Picture, m *Mask) *Picture {
	if m.width != original.width || m.height != original.height {
		panic(fmt.Sprintf("imaging: mask of %dx%d pixels for a picture of %dx%d", m.width, m.height, original.width, original.height))
	}
	if edited.width != original.width || edited.height != original.height {
		edited = Fit(edited.alone(), original.width, original.height, "cover", true)
	}
	for i, c := range m.cover {
		o, e := original.pix[4*i:4*i+4], edited.pix[4*i:4*i+4]
		switch c {
		case 0:
			copy(e, o)
		case 255:
		default:
			// Colours weigh as much as they are visible.
			we, wo := int(c)*int(e[3]), (255-int(c))*int(o[3])
			if we+wo == 0 {
				clear(e)
				continue
			}
			for k := range 3 {
				e[k] = byte((int(e[k])*we + int(o[k])*wo + (we+wo)/2) / (we + wo))
			}
			e[3] = byte((we + wo + 127) / 255)
		}
	}
	return edited
}
