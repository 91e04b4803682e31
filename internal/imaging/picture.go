package imaging

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/image/webp"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// Picture is decoded pixels: red, green, blue and straight alpha, eight bits
// each, in sRGB.
type Picture struct {
	pix           []byte
	width, height int

	// A JPEG that was decoded at a fraction of its size knows the whole, so that
	// Fit makes of it what it would of that. 0 for any other.
	shrink, fullWidth, fullHeight int
	smaller                       []*Picture // further reductions, for Fit
}

// New is a transparent picture of the given size, which must be positive.
func New(width, height int) *Picture {
	if width < 1 || height < 1 {
		panic(fmt.Sprintf("imaging: picture of %dx%d pixels", width, height))
	}
	return &Picture{pix: make([]byte, 4*width*height), width: width, height: height}
}

// Width is in pixels.
func (p *Picture) Width() int { return p.width }

// Height is in pixels.
func (p *Picture) Height() int { return p.height }

// Pix is the pixels themselves, not a copy: R, G, B, A a pixel, row by row from
// the top, without padding.
func (p *Picture) Pix() []byte { return p.pix }

// Opaque reports whether every pixel is.
func (p *Picture) Opaque() bool {
	for i := 3; i < len(p.pix); i += 4 {
		if p.pix[i] != 255 {
			return false
		}
	}
	return true
}

// Blank reports whether the picture shows one colour all over: no channel of
// what is seen differs by more than evenness between any two pixels. A pixel
// that is transparent has no colour.
func (p *Picture) Blank() bool {
	least, most := [4]int{255, 255, 255, 255}, [4]int{}
	for i := 0; i < len(p.pix); i += 4 {
		a := int(p.pix[i+3])
		for c := range 4 {
			v := a
			if c < 3 {
				v = (int(p.pix[i+c])*a + 127) / 255
			}
			least[c], most[c] = min(least[c], v), max(most[c], v)
			if most[c]-least[c] > evenness {
				return false
			}
		}
	}
	return true
}

// evenness is how far apart the channels of one colour may be: a JPEG of an
// even wall leaves a little noise.
const evenness = 8

// Digest names size and pixels, whatever file they came from. Encoders change
// between releases of Go; pixels do not.
func Digest(p *Picture) digest.Content {
	head := fmt.Appendf(nil, "%dx%d\n", p.width, p.height)
	return digest.OfContent(append(head, p.pix...))
}

// Decode reads a whole picture. It is an error if the header is over lim, if
// decoding would take more than 12 bytes of memory for each of lim.Pixels, if
// the file ends early, or if the pixels are not those that the header
// promised. Of an animation it reads the first picture. A JPEG is turned as
// its EXIF orientation says.
func Decode(b []byte, lim Limits) (p *Picture, info Info, err error) {
	return DecodeFor(b, lim, Box{})
}

// Check is Decode for who wants to know whether it would be an error, and no
// pixels: that takes less time and memory.
func Check(b []byte, lim Limits) (Info, error) {
	_, info, err := decode(b, lim, func(h header) *Picture {
		switch h.Format {
		case "png":
			return readPNG(b, false)
		case "jpeg":
			return turned(readJPEGPixels(b, 8), h.turn)
		}
		return nil
	})
	return info, err
}

// Box is what Fit is asked for. The zero Box asks for the picture as it is.
type Box struct {
	Width, Height int
	Fit           string
	Enlarge       bool
}

// DecodeFor is Decode of a picture of which nothing is wanted but to Fit it
// into boxes. For each box that a half, a quarter or an eighth of the pixels of a
// JPEG is enough for it decodes no more, which costs less, and Fit takes that:
// it makes the same size of it as of the whole, and the same pixels whatever
// the other boxes are.
func DecodeFor(b []byte, lim Limits, boxes ...Box) (*Picture, Info, error) {
	return decode(b, lim, func(h header) (p *Picture) {
		switch h.Format {
		case "png":
			p = readPNG(b, true)
		case "jpeg":
			if h.turn != 1 { // the last pixels of a reduction, which stand for fewer, would not be last
				return turned(readJPEGPixels(b, 1), h.turn)
			}
			var shrinks []int
			if len(boxes) == 0 {
				shrinks = []int{1}
			}
			for _, box := range boxes {
				shrinks = append(shrinks, enough(h.Width, h.Height, box))
			}
			slices.Sort(shrinks)
			p = readJPEGPixels(b, slices.Compact(shrinks)...)
		}
		return p
	})
}

// decode lets quick read the pixels if it can, and else the standard library.
func decode(b []byte, lim Limits, quick func(header) *Picture) (p *Picture, info Info, err error) {
	defer recovered(&p, &err)
	h, err := readHeader(b, lim)
	if err != nil {
		return nil, Info{}, err
	}
	if need := int64(h.Width) * int64(h.Height) * int64(h.memory); need > lim.Memory() {
		return nil, Info{}, fmt.Errorf("imaging: %s of %dx%d pixels would take %d MB to decode, which is %w of %d", h.Format, h.Width, h.Height, need>>20, ErrOver, lim.Memory()>>20)
	}
	if err := complete(b, h.Format); err != nil {
		return nil, Info{}, fmt.Errorf("imaging: %w", err)
	}
	if p := spared(func() *Picture { return quick(h) }); p != nil {
		if w, height := p.full(); w != h.Width || height != h.Height {
			return nil, Info{}, h.mismatch(w, height)
		}
		return p, h.Info, nil
	}
	if h.memory > 8 {
		runtime.GC() // what our own decoder took is not to stand beside what the other takes
	}
	decode := map[string]func(*bytes.Reader) (image.Image, error){
		"png":  func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) },
		"jpeg": func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) },
		"webp": func(r *bytes.Reader) (image.Image, error) { return webp.Decode(r) },
		"gif":  func(r *bytes.Reader) (image.Image, error) { return gif.Decode(r) },
	}[h.Format]
	m, err := decode(bytes.NewReader(b))
	if err != nil {
		return nil, Info{}, h.failure(err)
	}
	screen := image.Rect(0, 0, h.rawWidth, h.rawHeight)
	if m.Bounds() != screen && (h.Format != "gif" || !m.Bounds().In(screen)) {
		return nil, Info{}, h.mismatch(m.Bounds().Dx(), m.Bounds().Dy())
	}
	if h.Format == "webp" {
		if p := fromWebP(m); p != nil {
			return p, h.Info, nil
		}
	}
	return turned(fromImage(m, screen), h.turn), h.Info, nil
}

// spared is what our own decoder reads, nil if that has a mistake: a picture
// that was paid for is not lost for it.
func spared(read func() *Picture) (p *Picture) {
	defer func() {
		if recover() != nil {
			p = nil
		}
	}()
	return read()
}

// failure is what a decoder of h.Format says, in words.
func (h header) failure(err error) error {
	if strings.HasSuffix(err.Error(), "EOF") { // not always io's own
		err = errors.New(h.Format + ": cut off before its end")
	}
	return fmt.Errorf("imaging: %w", err)
}

func (h header) mismatch(width, height int) error {
	return fmt.Errorf("imaging: %s header says %dx%d pixels, the picture has %dx%d", h.Format, h.rawWidth, h.rawHeight, width, height)
}

// full is the size of the whole picture, of which p may be a reduction.
func (p *Picture) full() (width, height int) {
	if p.shrink > 1 {
		return p.fullWidth, p.fullHeight
	}
	return p.width, p.height
}

// alone is p without the reductions that are there for the sake of other boxes.
func (p *Picture) alone() *Picture {
	whole := *p
	whole.smaller = nil
	return &whole
}

// enough is by how much a picture may shrink so that a box does not enlarge what
// is left: 1, 2, 4 or 8.
func enough(width, height int, b Box) int {
	if b == (Box{}) {
		return 1
	}
	pl := place(width, height, b.Width, b.Height, b.Fit, b.Enlarge)
	shrink := 8
	for shrink > 1 && (pl.width*shrink > pl.crop.width || pl.height*shrink > pl.crop.height) {
		shrink /= 2
	}
	return shrink
}

// recovered turns a panic of a decoder, which is about the bytes it was given,
// into an error.
func recovered[T any](result *T, err *error) {
	if r := recover(); r != nil {
		var zero T
		*result, *err = zero, fmt.Errorf("imaging: damaged picture: the decoder gave up: %v", r)
	}
}

// fromImage converts m, which lies within screen, to straight alpha.
func fromImage(m image.Image, screen image.Rectangle) *Picture {
	w, h := screen.Dx(), screen.Dy()
	if m, ok := m.(*image.NRGBA); ok && m.Rect == screen && m.Stride == 4*w {
		return &Picture{pix: m.Pix[:4*w*h], width: w, height: h}
	}
	// A decoder gives this only for a picture without alpha, for which both mean the same.
	if m, ok := m.(*image.RGBA); ok && m.Rect == screen && m.Stride == 4*w {
		return &Picture{pix: m.Pix[:4*w*h], width: w, height: h}
	}
	p := New(w, h)
	switch m := m.(type) {
	case *image.NRGBA64:
		for y := range h {
			src, dst := m.Pix[y*m.Stride:], p.pix[4*w*y:4*w*(y+1)]
			for i := range dst {
				v := uint32(src[2*i])<<8 | uint32(src[2*i+1])
				dst[i] = byte((v*255 + 32767) / 65535)
			}
		}
	case *image.Paletted:
		var palette [256][4]byte
		for i, c := range m.Palette {
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			palette[i] = [4]byte{n.R, n.G, n.B, n.A}
		}
		r := m.Rect
		for y := r.Min.Y; y < r.Max.Y; y++ {
			dst := p.pix[4*(w*y+r.Min.X):]
			for x, c := range m.Pix[(y-r.Min.Y)*m.Stride:][:r.Dx()] {
				copy(dst[4*x:4*x+4], palette[c][:])
			}
		}
	case *image.NYCbCrA:
		p.drawOpaque(&m.YCbCr)
		for y := range h {
			for x, a := range m.A[y*m.AStride:][:w] {
				p.pix[4*(y*w+x)+3] = a
			}
		}
	case *image.RGBA, *image.RGBA64, *image.YCbCr, *image.Gray, *image.Gray16, *image.CMYK:
		p.drawOpaque(m) // decoders give these only for pictures without alpha
	default:
		for y := range h {
			for x := range w {
				n := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				copy(p.pix[4*(y*w+x):], []byte{n.R, n.G, n.B, n.A})
			}
		}
	}
	return p
}

// drawOpaque uses the fast paths of image/draw, for which premultiplied and
// straight alpha are the same where all is opaque.
func (p *Picture) drawOpaque(m image.Image) {
	draw.Draw(p.rgba(), image.Rect(0, 0, p.width, p.height), m, image.Point{}, draw.Src)
}

// rgba shows p, which must be opaque, to the standard library.
func (p *Picture) rgba() *image.RGBA {
	return &image.RGBA{Pix: p.pix, Stride: 4 * p.width, Rect: image.Rect(0, 0, p.width, p.height)}
}

// turned is p as an EXIF orientation wants it shown.
func turned(p *Picture, turn int) *Picture {
	if turn == 1 || p == nil {
		return p
	}
	out := New(p.width, p.height)
	out.shrink, out.fullWidth, out.fullHeight = p.shrink, p.fullWidth, p.fullHeight
	if turn >= 5 {
		out = New(p.height, p.width)
		out.shrink, out.fullWidth, out.fullHeight = p.shrink, p.fullHeight, p.fullWidth
	}
	for y := range out.height {
		for x := range out.width {
			sx, sy := x, y
			if turn >= 5 {
				sx, sy = y, x
			}
			switch turn {
			case 2, 3, 7, 8:
				sx = p.width - 1 - sx
			}
			switch turn {
			case 3, 4, 6, 7:
				sy = p.height - 1 - sy
			}
			copy(out.pix[4*(y*out.width+x):][:4], p.pix[4*(sy*p.width+sx):][:4])
		}
	}
	return out
}
