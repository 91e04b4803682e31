package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/xml"
	"io"
	"strings"
)

// Marks are what a picture in a file tells of where it is from.
type Marks struct {
	Label Label  // as its XMP has it, whoever wrote that
	Tool  string // the creator tool that its XMP names
	C2PA  bool   // it has Content Credentials; whether they hold is not checked
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// maxPacket is the most bytes that are read of XMP, maxWalk the most chunks that
// are walked, and maxScanned the most bytes of a format that is not taken apart.
const (
	maxPacket  = 1 << 20
	maxWalk    = 1 << 16
	maxScanned = 64 << 20
)

// ReadMarks looks for XMP and C2PA in a PNG, JPEG or WebP of which it reads the
// heads of chunks and little else; in any other file, such as an AVIF or a GIF,
// for an XMP packet in plain sight and the box of a C2PA manifest. Damage ends
// the search, and what was found counts. All texts are foreign.
func ReadMarks(r io.ReaderAt, size int64) (m Marks) {
	f := &source{r, size}
	head := f.bytes(0, 16)
	var packet []byte
	switch Sniff(head) {
	case "png":
		packet, m.C2PA = f.png()
	case "jpeg":
		packet, m.C2PA = f.jpeg()
	case "webp":
		packet, m.C2PA = f.webp()
	default:
		packet = f.scan()
		m.C2PA = len(head) > 8 && string(head[4:8]) == "ftyp" && f.boxed()
	}
	m.Label, m.Tool = parseXMP(packet)
	return m
}

// source is a file to be walked.
type source struct {
	r    io.ReaderAt
	size int64
}

// bytes are those from at, fewer than n at the end of the file.
func (f *source) bytes(at, n int64) []byte {
	if at < 0 || n <= 0 || at >= f.size {
		return nil
	}
	b := make([]byte, min(n, f.size-at))
	got, _ := f.r.ReadAt(b, at)
	return b[:got]
}

func (f *source) png() (packet []byte, c2pa bool) {
	at := int64(len(pngSignature))
	for range maxWalk {
		head := f.bytes(at, 8)
		if len(head) < 8 {
			return packet, c2pa
		}
		size := int64(binary.BigEndian.Uint32(head))
		switch string(head[4:]) {
		case "caBX":
			c2pa = true
		case "iTXt":
			rest, ok := bytes.CutPrefix(f.bytes(at+8, min(size, maxPacket)), []byte(pngXMP))
			if !ok || packet != nil || len(rest) < 2 {
				break
			}
			parts := bytes.SplitN(rest[2:], []byte{0}, 3)
			if len(parts) < 3 {
				break
			}
			if packet = parts[2]; rest[0] == 1 {
				packet = nil
				if z, err := zlib.NewReader(bytes.NewReader(parts[2])); err == nil {
					packet, _ = io.ReadAll(io.LimitReader(z, maxPacket))
				}
			}
		case "IEND":
			return packet, c2pa
		}
		at += 12 + size
	}
	return packet, c2pa
}

func (f *source) jpeg() (packet []byte, c2pa bool) {
	at := int64(2)
	for range maxWalk {
		head := f.bytes(at, 4)
		if len(head) >= 2 && (head[0] != 0xff || head[1] == 0xff || head[1] == 0) { // none: see segment
			rest := f.bytes(at+1, 4096)
			n := bytes.IndexByte(rest, 0xff)
			if n < 0 {
				n = len(rest)
			}
			at += 1 + int64(n)
			continue
		}
		if len(head) < 4 || head[1] == 0xda || head[1] == 0xd9 {
			break
		}
		if head[1] == 0x01 || head[1] >= 0xd0 && head[1] <= 0xd8 { // these have no body
			at += 2
			continue
		}
		size := int64(binary.BigEndian.Uint16(head[2:]))
		switch head[1] {
		case 0xe1:
			if rest, ok := bytes.CutPrefix(f.bytes(at+4, size-2), []byte(jpegXMP)); ok && packet == nil {
				packet = rest
			}
		case 0xeb: // JUMBF: "JP", two numbers, and a box that says what it is
			b := f.bytes(at+4, min(size-2, 64))
			c2pa = c2pa || len(b) > 16 && string(b[:2]) == "JP" && string(b[12:16]) == "jumb" && bytes.Contains(b[16:], []byte("c2pa"))
		}
		at += 2 + max(size, 2)
	}
	return packet, c2pa
}

func (f *source) webp() (packet []byte, c2pa bool) {
	at := int64(12)
	for range maxWalk {
		head := f.bytes(at, 8)
		if len(head) < 8 {
			break
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		switch string(head[:4]) {
		case "XMP ":
			packet = f.bytes(at+8, min(size, maxPacket))
		case "C2PA":
			c2pa = true
		}
		at += 8 + size + size&1
	}
	return packet, c2pa
}

// boxed looks for the box of a C2PA manifest in an AVIF or its like.
func (f *source) boxed() bool {
	const c2pa = "\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81"
	at := int64(0)
	for range maxWalk {
		head := f.bytes(at, 24)
		if len(head) < 24 {
			return false
		}
		size := int64(binary.BigEndian.Uint32(head))
		if string(head[4:8]) == "uuid" && string(head[8:]) == c2pa {
			return true
		}
		if size == 1 { // a long one
			if long := binary.BigEndian.Uint64(head[8:]); long < 1<<62 {
				size = int64(long)
			}
		}
		if size < 8 || at > f.size-size {
			return false
		}
		at += size
	}
	return false
}

// scan looks for a packet in plain sight.
func (f *source) scan() []byte {
	const begin, end, window = "<x:xmpmeta", "</x:xmpmeta>", 1 << 20
	for at := int64(0); at < min(f.size, maxScanned); at += window {
		b := f.bytes(at, window+int64(len(begin)))
		i := bytes.Index(b, []byte(begin))
		if i < 0 {
			continue
		}
		packet := f.bytes(at+int64(i), maxPacket)
		if j := bytes.Index(packet, []byte(end)); j >= 0 {
			return packet[:j+len(end)]
		}
		return nil
	}
	return nil
}

// parseXMP reads what a label has out of a packet. The parser knows no entities
// but those of XML, so that a packet means no more than its bytes.
func parseXMP(packet []byte) (l Label, tool string) {
	if len(packet) == 0 {
		return l, ""
	}
	var source, web, terms string
	known := map[xml.Name]*string{
		{Space: nsExt, Local: "DigitalSourceType"}: &source, {Space: nsXMP, Local: "CreatorTool"}: &tool,
		{Space: nsPhoto, Local: "Credit"}: &l.Credit, {Space: nsRights, Local: "WebStatement"}: &web, {Space: nsRights, Local: "UsageTerms"}: &terms,
		{Space: nsCore, Local: "AltTextAccessibility"}: &l.Alt, {Space: nsDC, Local: "description"}: &l.Caption,
	}
	set := func(to *string, value string) {
		if value = strings.TrimSpace(value); to != nil && *to == "" {
			*to = strings.ToValidUTF8(value[:min(len(value), maxText)], "")
		}
	}
	const maxDepth = 64
	var to *string // of the property that is open, at depth
	var text strings.Builder
	depth, at, closed := 0, 0, false
	d := xml.NewDecoder(bytes.NewReader(packet))
	for depth < maxDepth {
		token, err := d.Token()
		if err != nil {
			break // what came before it counts
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			for _, a := range t.Attr {
				switch {
				case t.Name == (xml.Name{Space: nsRDF, Local: "Description"}):
					set(known[a.Name], a.Value)
				case a.Name == (xml.Name{Space: nsRDF, Local: "resource"}):
					set(known[t.Name], a.Value)
				}
			}
			if to == nil && known[t.Name] != nil {
				to, at, closed = known[t.Name], depth, false
				text.Reset()
			}
		case xml.CharData:
			if to != nil && !closed {
				text.Write(t)
			}
		case xml.EndElement:
			if to != nil && t.Name.Local == "li" {
				closed = true // the first language is the one to show
			}
			if to != nil && depth == at {
				set(to, text.String())
				to = nil
			}
			depth--
		}
	}
	code := source[strings.LastIndexByte(source, '/')+1:]
	if len(code) <= 64 && strings.Trim(code, letters) == "" {
		l.SourceType = code
	}
	if l.License = web; web == "" {
		l.License = terms
	}
	return l, tool
}
