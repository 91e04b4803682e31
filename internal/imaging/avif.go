package imaging

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MeasureAVIF reads the size of an AVIF picture from its boxes and holds it
// against lim. Pixels of AVIF are not read, so that this is all that can be
// known of one: that it is one, and how large it says it is. It is an error if
// the file ends before its boxes do.
func MeasureAVIF(b []byte, lim Limits) (info Info, err error) {
	if int64(len(b)) > lim.Bytes {
		return info, fmt.Errorf("imaging: avif of %d bytes is over the limit of %d", len(b), lim.Bytes)
	}
	var found, data bool
	width, height := 0, 0
	err = boxesOf(b, func(kind string, body []byte) error {
		switch kind {
		case "ftyp":
			for k := 0; k+4 <= len(body); k += 4 {
				brand := string(body[k:][:4])
				found = found || k != 4 && (brand == "avif" || brand == "avis") // the second is a version
			}
		case "mdat":
			data = true
		case "meta":
			if len(body) < 4 {
				return errAVIFShort
			}
			return boxesOf(body[4:], func(kind string, body []byte) error {
				if kind != "iprp" {
					return nil
				}
				return boxesOf(body, func(kind string, body []byte) error {
					if kind != "ipco" {
						return nil
					}
					return boxesOf(body, func(kind string, body []byte) error {
						// The largest, as a file may hold a small one for a look.
						if kind == "ispe" && len(body) >= 12 {
							w, h := binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
							if uint64(w)*uint64(h) > uint64(width)*uint64(height) && w < 1<<31 && h < 1<<31 {
								width, height = int(w), int(h)
							}
						}
						return nil
					})
				})
			})
		}
		return nil
	})
	switch {
	case err != nil:
		return info, fmt.Errorf("imaging: %w", err)
	case !found:
		return info, errors.New("imaging: not an AVIF picture")
	case !data || width == 0:
		return info, errors.New("imaging: avif without a picture")
	case width > lim.Side || height > lim.Side || width > lim.Pixels/height:
		return info, fmt.Errorf("imaging: avif of %dx%d pixels is over the limits", width, height)
	}
	return Info{Format: "avif", MIME: "image/avif", Width: width, Height: height}, nil
}

var errAVIFShort = errors.New("avif: cut off before its end")

// boxesOf tells each box of ISO/IEC 14496-12 in b.
func boxesOf(b []byte, tell func(kind string, body []byte) error) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return errAVIFShort
		}
		size, head, kind := uint64(binary.BigEndian.Uint32(b)), uint64(8), string(b[4:8])
		switch size {
		case 0: // to the end
			size = uint64(len(b))
		case 1:
			if len(b) < 16 {
				return errAVIFShort
			}
			size, head = binary.BigEndian.Uint64(b[8:]), 16
		}
		if size < head || size > uint64(len(b)) {
			return errAVIFShort
		}
		if err := tell(kind, b[head:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}
