package imaging

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Label is what a picture says of itself in its XMP metadata.
type Label struct {
	SourceType string // a code of IPTC's digital source types, such as "trainedAlgorithmicMedia"
	Credit     string // whom to name
	License    string // a URL, or words
	Alt        string // the text for people who don't see it
	Caption    string
}

// SourceTypes is where the codes of SourceType are defined; a picture holds
// both as one URL.
const SourceTypes = "http://cv.iptc.org/newscodes/digitalsourcetype/"

// Tool is the creator tool that Relabel names. It tells no version: the bytes of
// a file must not change with each release.
const Tool = "imgbuild"

// MaxLabel is the most bytes of all texts of a label together: what a segment of
// a JPEG holds, when each byte is escaped to six.
const MaxLabel = 10_000

// ErrSigned says that a picture has a C2PA manifest, whose signature covers all
// bytes of the file.
var ErrSigned = errors.New("imaging: it has Content Credentials (C2PA), which a new label would break")

// Relabel gives an encoded PNG, JPEG or WebP the label l in place of its XMP
// metadata, and leaves everything else as it is, above all the pixels: equal
// pictures with equal labels have equal bytes, whatever label they had before.
// A label without texts takes the XMP away.
func Relabel(b []byte, l Label) ([]byte, error) {
	if n := len(l.SourceType) + len(l.Credit) + len(l.License) + len(l.Alt) + len(l.Caption); n > MaxLabel {
		return nil, fmt.Errorf("imaging: a label of %d bytes is over the limit of %d", n, MaxLabel)
	}
	if ReadMarks(bytes.NewReader(b), int64(len(b))).C2PA {
		return nil, ErrSigned
	}
	packet := l.packet()
	switch format := Sniff(b); format {
	case "png":
		return relabelPNG(b, packet)
	case "jpeg":
		return relabelJPEG(b, packet)
	case "webp":
		return relabelWebP(b, packet)
	}
	return nil, errors.New("imaging: no label can be written into this format")
}

// Names of XMP, by their namespaces.
const (
	nsRDF    = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	nsDC     = "http://purl.org/dc/elements/1.1/"
	nsXMP    = "http://ns.adobe.com/xap/1.0/"
	nsRights = "http://ns.adobe.com/xap/1.0/rights/"
	nsPhoto  = "http://ns.adobe.com/photoshop/1.0/"
	nsCore   = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
	nsExt    = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
)

// packet is the label as XMP, nil for a label that says nothing. Only the
// namespaces that it uses are declared.
func (l Label) packet() []byte {
	if l == (Label{}) {
		return nil
	}
	var spaces, body strings.Builder
	declared := map[string]bool{}
	add := func(prefix, space, name, value string, perLanguage bool) {
		if value == "" {
			return
		}
		if !declared[prefix] {
			declared[prefix] = true
			fmt.Fprintf(&spaces, "\n    xmlns:%s=\"%s\"", prefix, space)
		}
		var text strings.Builder
		_ = xml.EscapeText(&text, []byte(value)) // a Builder does not fail
		if perLanguage {
			fmt.Fprintf(&body, "   <%s:%s><rdf:Alt><rdf:li xml:lang=\"x-default\">%s</rdf:li></rdf:Alt></%[1]s:%[2]s>\n", prefix, name, text.String())
		} else {
			fmt.Fprintf(&body, "   <%s:%s>%s</%[1]s:%[2]s>\n", prefix, name, text.String())
		}
	}
	if l.SourceType != "" {
		add("Iptc4xmpExt", nsExt, "DigitalSourceType", SourceTypes+l.SourceType, false)
	}
	add("xmp", nsXMP, "CreatorTool", Tool, false)
	add("photoshop", nsPhoto, "Credit", l.Credit, false)
	if isURL(l.License) {
		add("xmpRights", nsRights, "WebStatement", l.License, false)
	} else {
		add("xmpRights", nsRights, "UsageTerms", l.License, true)
	}
	add("Iptc4xmpCore", nsCore, "AltTextAccessibility", l.Alt, true)
	add("dc", nsDC, "description", l.Caption, true)
	return []byte("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
		"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n <rdf:RDF xmlns:rdf=\"" + nsRDF + "\">\n  <rdf:Description rdf:about=\"\"" +
		spaces.String() + ">\n" + body.String() + "  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"w\"?>")
}

func isURL(s string) bool {
	return (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")) && !strings.ContainsAny(s, " \t\n")
}

// pngXMP is how the body of an iTXt chunk with XMP begins; what follows are two
// bytes about compression, the language and the translated key.
const pngXMP = "XML:com.adobe.xmp\x00"

// relabelPNG puts the packet behind the header, where readers find it before
// the pixels.
func relabelPNG(b, packet []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(b) + len(packet) + 64)
	w := &pngWriter{w: &out}
	w.write(b[:len(pngSignature)])
	for i := len(pngSignature); ; {
		if len(b)-i < 12 || int64(binary.BigEndian.Uint32(b[i:])) > int64(len(b)-i-12) {
			return nil, errors.New("imaging: png: cut off before its end")
		}
		next := i + 12 + int(binary.BigEndian.Uint32(b[i:]))
		kind, body := string(b[i+4:i+8]), b[i+8:next-4]
		if first := i == len(pngSignature); first != (kind == "IHDR") {
			return nil, errors.New("imaging: png: its header is not where it belongs")
		}
		if kind != "iTXt" || !bytes.HasPrefix(body, []byte(pngXMP)) {
			w.write(b[i:next])
		}
		if kind == "IHDR" && packet != nil {
			w.chunk("iTXt", slices.Concat([]byte(pngXMP+"\x00\x00\x00\x00"), packet))
		}
		if i = next; kind == "IEND" {
			w.write(b[i:])
			return out.Bytes(), nil
		}
	}
}

// How the APP1 segments of a JPEG with XMP begin; the second holds what did not
// fit into the first.
const (
	jpegXMP     = "http://ns.adobe.com/xap/1.0/\x00"
	jpegMoreXMP = "http://ns.adobe.com/xmp/extension/\x00"
)

// relabelJPEG puts the packet before all but the APP0 segments, which must come
// first.
func relabelJPEG(b, packet []byte) ([]byte, error) {
	if n := 2 + len(jpegXMP) + len(packet); n > 0xffff {
		return nil, fmt.Errorf("imaging: jpeg: the label takes %d bytes, and a segment has room for %d", n, 0xffff)
	}
	out := append(make([]byte, 0, len(b)+len(packet)+64), b[:2]...)
	label := func() {
		if packet != nil {
			out = binary.BigEndian.AppendUint16(append(out, 0xff, 0xe1), uint16(2+len(jpegXMP)+len(packet)))
			out = append(append(out, jpegXMP...), packet...)
			packet = nil
		}
	}
	for i := 2; ; {
		marker, body, next := segment(b, i)
		if next < 0 {
			return nil, errJPEGShort
		}
		if marker != 0xe0 {
			label()
		}
		switch {
		case marker == 0xda || marker == 0xd9: // what follows are pixels, or nothing
			return append(out, b[i:]...), nil
		case marker == 0xe1 && (bytes.HasPrefix(body, []byte(jpegXMP)) || bytes.HasPrefix(body, []byte(jpegMoreXMP))):
		default:
			out = append(out, b[i:next]...)
		}
		i = next
	}
}

// Bits of the flags in VP8X.
const (
	webpAnimation = 1 << 1
	webpXMP       = 1 << 2
	webpAlpha     = 1 << 4
)

type webpChunk struct {
	kind string
	body []byte
}

// webpChunks takes a WebP apart.
func webpChunks(b []byte) (list []webpChunk, err error) {
	size := int64(binary.LittleEndian.Uint32(b[4:])) + 8
	if size > int64(len(b)) || size < 12 {
		return nil, errors.New("imaging: webp: cut off before its end")
	}
	for b = b[12:size]; len(b) > 0; {
		if len(b) < 8 || int64(binary.LittleEndian.Uint32(b[4:])) > int64(len(b)-8) {
			return nil, errors.New("imaging: webp: a chunk is longer than the file")
		}
		end := 8 + int(binary.LittleEndian.Uint32(b[4:]))
		list = append(list, webpChunk{string(b[:4]), b[8:end]})
		b = b[min(len(b), end+end&1):]
	}
	return list, nil
}

// relabelWebP puts the packet at the end, where the format wants it. Metadata
// need the extended header; a file that has one for nothing else loses it with
// them.
func relabelWebP(b, packet []byte) ([]byte, error) {
	list, err := webpChunks(b)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(c webpChunk) bool { return c.kind == "XMP " })
	if len(list) == 0 {
		return nil, errors.New("imaging: webp: it has no picture")
	}
	var head []byte // of the extended format
	if list[0].kind == "VP8X" {
		if head = bytes.Clone(list[0].body); len(head) != 10 {
			return nil, errors.New("imaging: webp: its extended header is damaged")
		}
		head[0] &^= webpXMP
		list = list[1:]
	}
	simple := len(list) == 1 && (list[0].kind == "VP8 " || list[0].kind == "VP8L") && (head == nil || head[0]&^webpAlpha == 0)
	switch {
	case packet == nil && simple:
		head = nil
	case head == nil:
		if head, err = webpHead(list[0]); err != nil {
			return nil, err
		}
	}
	if packet != nil {
		head[0] |= webpXMP
		list = append(list, webpChunk{"XMP ", packet})
	}
	if head != nil {
		list = slices.Insert(list, 0, webpChunk{"VP8X", head})
	}
	out := append(make([]byte, 0, len(b)+len(packet)+64), "RIFF\x00\x00\x00\x00WEBP"...)
	for _, c := range list {
		out = binary.LittleEndian.AppendUint32(append(out, c.kind...), uint32(len(c.body)))
		if out = append(out, c.body...); len(c.body)&1 == 1 {
			out = append(out, 0)
		}
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out, nil
}

// webpHead is the extended header for the only chunk of a simple file.
func webpHead(c webpChunk) ([]byte, error) {
	var width, height uint32 // less one
	head := make([]byte, 10)
	switch b := c.body; {
	case c.kind == "VP8 " && len(b) >= 10 && b[3] == 0x9d && b[4] == 0x01 && b[5] == 0x2a:
		width = uint32(binary.LittleEndian.Uint16(b[6:])&0x3fff) - 1
		height = uint32(binary.LittleEndian.Uint16(b[8:])&0x3fff) - 1
	case c.kind == "VP8L" && len(b) >= 5 && b[0] == 0x2f:
		bits := binary.LittleEndian.Uint32(b[1:])
		width, height = bits&0x3fff, bits>>14&0x3fff
		if bits>>28&1 == 1 {
			head[0] = webpAlpha
		}
	default:
		return nil, errors.New("imaging: webp: its picture is damaged")
	}
	head[4], head[5], head[6] = byte(width), byte(width>>8), byte(width>>16)
	head[7], head[8], head[9] = byte(height), byte(height>>8), byte(height>>16)
	return head, nil
}
