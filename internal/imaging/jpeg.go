package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// jpegHead is what the segments before the first scan tell.
type jpegHead struct {
	width, height int
	progressive   bool
	turn          int // EXIF orientation, 1 to 8
	scan          int // offset of the first SOS marker
}

var errJPEGShort = errors.New("jpeg: cut off before its end")

// maxScans bounds the work of a progressive picture: every scan walks all
// pixels. Encoders write about ten.
const maxScans = 100

// readJPEG walks the segments up to the first scan. Unlike jpeg.DecodeConfig
// it sees the orientation and whether the picture is progressive, which costs
// five times the memory.
func readJPEG(b []byte) (jpegHead, error) {
	h := jpegHead{turn: 1}
	for i := 2; ; {
		marker, body, next := segment(b, i)
		switch {
		case next < 0:
			return h, errJPEGShort
		case marker == 0xda: // SOS
			if h.height == 0 {
				return h, errors.New("jpeg: no frame before the first scan")
			}
			h.scan = i
			return h, nil
		case marker == 0xc0, marker == 0xc1, marker == 0xc2: // SOF
			if len(body) < 6 {
				return h, errJPEGShort
			}
			h.height = int(binary.BigEndian.Uint16(body[1:]))
			h.width = int(binary.BigEndian.Uint16(body[3:]))
			h.progressive = marker == 0xc2
			if h.height == 0 {
				return h, errors.New("jpeg: no height in the frame")
			}
		case marker > 0xc2 && marker < 0xd0 && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return h, fmt.Errorf("jpeg: frames of kind SOF%d are not read", marker-0xc0)
		case marker == 0xe1:
			if t := orientation(body); t != 0 {
				h.turn = t
			}
		}
		i = next
	}
}

// segment reads the marker segment at i: its marker, its body and where the
// next one begins, or -1 if b ends first. What stands between two segments and
// is none is passed over, as everybody does: cameras and editors leave such.
func segment(b []byte, i int) (marker byte, body []byte, next int) {
	for i+1 < len(b) && (b[i] != 0xff || b[i+1] == 0xff || b[i+1] == 0) {
		i++
	}
	if i+1 >= len(b) {
		return 0, nil, -1
	}
	marker, i = b[i+1], i+2
	if marker == 0x01 || marker >= 0xd0 && marker <= 0xd9 { // these have no body
		return marker, nil, i
	}
	if i+2 > len(b) {
		return 0, nil, -1
	}
	end := i + int(binary.BigEndian.Uint16(b[i:]))
	if end > len(b) || end < i+2 {
		return 0, nil, -1
	}
	return marker, b[i+2 : end], end
}

// completeJPEG walks the scans to the end marker.
func completeJPEG(b []byte) error {
	h, err := readJPEG(b)
	if err != nil {
		return err
	}
	scans := 0
	for i := h.scan; ; {
		marker, _, next := segment(b, i)
		if next < 0 {
			return errJPEGShort
		}
		i = next
		switch marker {
		case 0xd9: // EOI
			return nil
		case 0xda:
			if scans++; scans > maxScans {
				return fmt.Errorf("jpeg: more than %d scans", maxScans)
			}
			for { // to the marker that ends the entropy-coded data
				n := bytes.IndexByte(b[i:], 0xff)
				if n < 0 || i+n+1 >= len(b) {
					return errJPEGShort
				}
				i += n
				if c := b[i+1]; c != 0 && c != 0xff && (c < 0xd0 || c > 0xd7) {
					break
				}
				i++
			}
		}
	}
}

// orientation reads tag 0x0112 of the first directory of an EXIF segment, or
// returns 0.
func orientation(body []byte) int {
	tiff, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00"))
	if !ok || len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(tiff[:2]) == "MM" {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 0
		}
		if order.Uint16(entries) == 0x0112 {
			if t := int(order.Uint16(entries[8:])); t >= 1 && t <= 8 {
				return t
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}
