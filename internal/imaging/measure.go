package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/png"

	"golang.org/x/image/webp"
)

// Limits say what is read at all.
type Limits struct {
	Bytes  int64 // of the file
	Side   int   // pixels of the longer side
	Pixels int   // width times height
}

// DefaultLimits take any picture that a provider delivers today and none that
// would hurt: 64 MiB, 16384 pixels a side, 64 megapixels.
var DefaultLimits = Limits{Bytes: 64 << 20, Side: 16384, Pixels: 64 << 20}

// LimitsOf are limits for pictures of so many megapixels (1 << 20) for who
// trusts theirs: Least, which gives DefaultLimits, to Most. Less there is not:
// what a provider delivers is paid for when it is measured.
func LimitsOf(megapixels int) Limits {
	lim := DefaultLimits
	if megapixels > Least {
		lim = Limits{Bytes: int64(megapixels) << 20, Side: 65535, Pixels: megapixels << 20} // a JPEG can't have more a side
	}
	return lim
}

// Least and Most are the megapixels that LimitsOf takes.
const (
	Least = 64
	Most  = 1024
)

// ErrOver is the cause where a limit is why a picture is not read.
var ErrOver = errors.New("over the limit")

// bytesPerPixel, times Limits.Pixels, bounds the memory for a decode: enough
// for the largest allowed PNG with 16 bits a channel.
const bytesPerPixel = 12

// Memory is the bytes that decoding a picture within these limits takes at
// most.
func (l Limits) Memory() int64 { return int64(l.Pixels) * bytesPerPixel }

// Memory is the bytes that decoding b takes at most, about, by its header: 0
// where that is over the limits, for then nothing is decoded.
func Memory(b []byte, lim Limits) (n int64) {
	var err error
	defer recovered(&n, &err)
	h, err := readHeader(b, lim)
	if err != nil {
		return 0
	}
	return int64(h.Width) * int64(h.Height) * int64(h.memory)
}

// Info is what the header of a picture tells. Width and Height are pixels as
// shown: a JPEG that says it lies on its side has them exchanged.
type Info struct {
	Format        string // "png", "jpeg", "webp" or "gif"
	MIME          string
	Width, Height int
}

// Sniff tells the format by the first bytes (12 are enough), whatever the name
// or the MIME type claim: "png", "jpeg", "webp", "gif", or "" for any other.
func Sniff(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte(pngSignature)):
		return "png"
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "jpeg"
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "webp"
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "gif"
	}
	return ""
}

// Measure reads the header of a picture and holds it against lim. It does not
// look at the pixels, which may still be damaged.
func Measure(b []byte, lim Limits) (info Info, err error) {
	defer recovered(&info, &err)
	h, err := readHeader(b, lim)
	return h.Info, err
}

// header is Info and what Decode needs besides.
type header struct {
	Info
	rawWidth, rawHeight int // as the decoder will give them
	turn                int // EXIF orientation, 1 to 8
	memory              int // bytes a pixel that decoding takes at most, about
}

func readHeader(b []byte, lim Limits) (header, error) {
	h := header{turn: 1, memory: 8}
	h.Format = Sniff(b)
	h.MIME = "image/" + h.Format
	if h.Format == "" {
		return header{}, errors.New("imaging: not a PNG, JPEG, WebP or GIF picture")
	}
	if int64(len(b)) > lim.Bytes {
		return header{}, fmt.Errorf("imaging: %s of %d bytes is %w of %d", h.Format, len(b), ErrOver, lim.Bytes)
	}
	var err error
	switch h.Format {
	case "png":
		c, e := png.DecodeConfig(bytes.NewReader(b))
		h.rawWidth, h.rawHeight, err = c.Width, c.Height, e
		if len(b) > 24 && b[24] == 16 { // bit depth
			h.memory = 12
		}
	case "jpeg":
		j, e := readJPEG(b)
		h.rawWidth, h.rawHeight, h.turn, err = j.width, j.height, j.turn, e
		if j.progressive {
			h.memory = 19 // 14.4 measured (Go 1.26), and our own four
		}
	case "webp":
		c, e := webp.DecodeConfig(bytes.NewReader(b))
		h.rawWidth, h.rawHeight, err = c.Width, c.Height, e
		if err == nil {
			switch kind := string(b[12:16]); {
			case kind == "VP8X" && b[20]&webpAnimation != 0:
				err = errors.New("webp: animations are not read")
			case kind != "VP8 " && kind != "VP8L" && (kind != "VP8X" || b[20]&webpAlpha != 0):
				h.memory = 12 // packed alpha is read as a picture of its own: 12.5 measured, 4 of them soon garbage
			}
		}
	case "gif":
		if len(b) < 10 {
			err = errors.New("gif: cut off in the header")
		} else {
			h.rawWidth = int(binary.LittleEndian.Uint16(b[6:]))
			h.rawHeight = int(binary.LittleEndian.Uint16(b[8:]))
		}
	}
	if err != nil {
		return header{}, h.failure(err)
	}
	h.Width, h.Height = h.rawWidth, h.rawHeight
	if h.turn >= 5 {
		h.Width, h.Height = h.Height, h.Width
	}
	switch {
	case h.Width < 1 || h.Height < 1:
		return header{}, fmt.Errorf("imaging: %s of %dx%d pixels has nothing to show", h.Format, h.Width, h.Height)
	case h.Width > lim.Side || h.Height > lim.Side:
		return header{}, fmt.Errorf("imaging: %s of %dx%d pixels is %w of %d a side", h.Format, h.Width, h.Height, ErrOver, lim.Side)
	case h.Width > lim.Pixels/h.Height:
		return header{}, fmt.Errorf("imaging: %s of %dx%d pixels is %w of %d pixels", h.Format, h.Width, h.Height, ErrOver, lim.Pixels)
	}
	return h, nil
}

// complete reports an error for a file that ends before its format says so.
// The decoders stop reading at the last pixel that they need, or make up what
// is missing.
func complete(b []byte, format string) error {
	switch format {
	case "jpeg":
		return completeJPEG(b)
	case "webp":
		if size := int64(binary.LittleEndian.Uint32(b[4:])) + 8; int64(len(b)) < size {
			return fmt.Errorf("webp: cut off: %d bytes of %d", len(b), size)
		}
	case "gif":
		return completeGIF(b)
	}
	return nil // png.Decode insists on a sound IEND
}

func completeGIF(b []byte) error {
	short := errors.New("gif: cut off before its end")
	palette := func(flags byte) int {
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	if len(b) < 13 {
		return short
	}
	for i := 13 + palette(b[10]); i < len(b); {
		switch b[i] {
		case 0x3b:
			return nil
		case 0x21:
			i += 2
		case 0x2c:
			if i+10 >= len(b) {
				return short
			}
			i += 10 + palette(b[i+9]) + 1
		default:
			return errors.New("gif: unknown block")
		}
		for i < len(b) && b[i] != 0 {
			i += int(b[i]) + 1
		}
		i++
	}
	return short
}
