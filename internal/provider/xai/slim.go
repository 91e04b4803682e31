package xai

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// Fields by their numbers in image.proto.
const (
	imagesField protowire.Number = 1 // of ImageResponse
	base64Field protowire.Number = 1 // of GeneratedImage
)

var errNotMessage = errors.New("not a message")

// slim is the body of a gRPC reply without its inline pictures. It decodes and
// spools them as they arrive, as hollow does for REST: connect takes a message
// as a whole, and would hold each picture twice as base64. It hands on as it
// is whatever is no plain message of a size that may come; connect says why.
type slim struct {
	io.Closer
	in       *bufio.Reader
	limit    int64 // bytes of a message
	maxImage int64
	sink     provider.Sink

	begun   bool
	out     bytes.Buffer // to be read before the rest of in
	err     error        // after out
	sinkErr error
	images  []inlineImage // of the message
}

// inlineImage is what came of the base64 of an image.
type inlineImage struct {
	spooled bool
	mime    string // that a data URL claims
	bad     string
}

func (s *slim) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.err = eofIsCut(s.message())
	}
	switch {
	case s.out.Len() > 0:
		return s.out.Read(p)
	case s.err != nil:
		return 0, s.err
	}
	return s.in.Read(p)
}

// message reads the message that the reply begins with.
func (s *slim) message() error {
	head, err := s.in.Peek(5)
	if err != nil || head[0] != 0 || int64(binary.BigEndian.Uint32(head[1:])) > s.limit {
		return nil
	}
	all := &window{s.in, int64(binary.BigEndian.Uint32(head[1:]))}
	s.in.Discard(len(head))
	var rest []byte
	for {
		image, err := all.until(imagesField, &rest)
		if err != nil {
			return err
		}
		if image == nil {
			break
		}
		fields, err := s.image(image)
		if err != nil {
			return err
		}
		rest = protowire.AppendBytes(protowire.AppendTag(rest, imagesField, protowire.BytesType), fields)
		if len(rest) > maxReply {
			return errTooLong
		}
	}
	s.out.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(rest))))
	s.out.Write(rest)
	return nil
}

// image reads an image and returns its other fields.
func (s *slim) image(in *window) (rest []byte, err error) {
	if len(s.images) == maxCount {
		return nil, errTooLong
	}
	s.images = append(s.images, inlineImage{})
	for {
		text, err := in.until(base64Field, &rest)
		if err == nil && text != nil {
			err = s.picture(text)
		}
		if err != nil || text == nil {
			return rest, err
		}
	}
}

// picture decodes text into the spool of the image that is being read.
func (s *slim) picture(text *window) error {
	im := &s.images[len(s.images)-1]
	d := unbase64{max: s.maxImage, open: func() (io.WriteCloser, error) { return s.sink.Spool(len(s.images) - 1) }}
	var piece [8 << 10]byte
	for text.left > 0 {
		n, err := text.Read(piece[:])
		d.write(piece[:n])
		if err != nil {
			d.close()
			return err
		}
	}
	d.flush()
	s.sinkErr = d.close()
	if im.bad = d.bad; im.spooled {
		im.bad = "two base64 in one image"
	}
	im.spooled, im.mime = d.size > 0, d.mime
	return s.sinkErr
}

// window is the next so many bytes of a reader.
type window struct {
	in   *bufio.Reader
	left int64
}

func (w *window) Read(p []byte) (int, error) {
	if w.left == 0 {
		return 0, io.EOF
	}
	n, err := w.in.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	return n, err
}

func (w *window) ReadByte() (byte, error) {
	if w.left == 0 {
		return 0, io.EOF
	}
	w.left--
	return w.in.ReadByte()
}

// until adds fields of a message to rest until the wanted one, of bytes,
// comes, which it returns. It is to be read to its end before the next call. At
// the end of the message it is nil.
func (w *window) until(want protowire.Number, rest *[]byte) (*window, error) {
	groups := 0
	for w.left > 0 {
		if len(*rest) > maxReply {
			return nil, errTooLong
		}
		tag, err := binary.ReadUvarint(w)
		if err != nil {
			return nil, err
		}
		number, kind := protowire.DecodeTag(tag)
		field := protowire.AppendVarint(nil, tag)
		size := uint64(0) // of what follows
		switch kind {
		case protowire.VarintType:
			v, err := binary.ReadUvarint(w)
			if err != nil {
				return nil, err
			}
			field = protowire.AppendVarint(field, v)
		case protowire.Fixed32Type:
			size = 4
		case protowire.Fixed64Type:
			size = 8
		case protowire.BytesType:
			if size, err = binary.ReadUvarint(w); err != nil {
				return nil, err
			}
			field = protowire.AppendVarint(field, size)
		case protowire.StartGroupType: // of which nobody knows what the fields mean
			groups++
		case protowire.EndGroupType:
			groups--
		default:
			return nil, errNotMessage
		}
		switch {
		case size > uint64(w.left):
			return nil, errNotMessage
		case kind == protowire.BytesType && number == want && groups == 0:
			w.left -= int64(size)
			return &window{w.in, int64(size)}, nil
		case size > maxReply:
			return nil, errTooLong
		}
		*rest = append(append(*rest, field...), make([]byte, size)...)
		if _, err := io.ReadFull(w, (*rest)[len(*rest)-int(size):]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
