package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// Size is a width and a height in pixels. The zero value means "not given".
type Size struct{ Width, Height int }

func (s Size) IsZero() bool { return s == Size{} }

func (s Size) String() string {
	if s.IsZero() {
		return ""
	}
	return strconv.Itoa(s.Width) + "x" + strconv.Itoa(s.Height)
}

// MarshalText prints String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Size) UnmarshalText(b []byte) (err error) {
	*s = Size{}
	if len(b) > 0 {
		*s, err = ParseSize(string(b))
	}
	return err
}

// ParseSize reads "1792x1024".
func ParseSize(s string) (Size, error) {
	w, h, ok := strings.Cut(s, "x")
	width, err1 := strconv.Atoi(w)
	height, err2 := strconv.Atoi(h)
	size := Size{width, height}
	if !ok || err1 != nil || err2 != nil || width < 1 || height < 1 || size.String() != s {
		return Size{}, fmt.Errorf("%q is not a size such as \"1024x1024\" (width x height in pixels)", s)
	}
	return size, nil
}

// Request is what is sent to a maker and paid for: the user's wish as resolved
// for the model's offer. Empty fields are not sent.
//
// N, First and the bytes of the inputs are not part of its digest.
type Request struct {
	Provider    string  `json:"provider"` // as the offer names it: "xai", or "xai (loopback)" of a rehearsal; never an alias
	Model       string  `json:"model"`
	Prompt      string  `json:"prompt"` // as sent, with any words that stand in for a style
	AspectRatio string  `json:"aspect_ratio,omitempty"`
	Size        Size    `json:"size,omitzero"` // only for offers with exact sizes
	Resolution  string  `json:"resolution,omitempty"`
	Quality     string  `json:"quality,omitempty"`
	Style       string  `json:"style,omitempty"`
	User        string  `json:"user,omitempty"`
	Reroll      string  `json:"reroll,omitempty"` // any change asks for a new roll
	Inputs      []Input `json:"inputs,omitempty"`
	Mask        *Input  `json:"mask,omitempty"`

	// Sensitive names the fields whose values must not be written anywhere, in
	// the order of the canonical text. The digest covers them; Fields and JSON
	// leave them out.
	Sensitive []string `json:"sensitive,omitempty"`

	N     int `json:"n,omitempty"`     // images to make in this call, at least 1
	First int `json:"first,omitempty"` // how many images of this request there are already; makers with seeds go on from there
}

// Input is a picture that goes with an edit, or its mask.
type Input struct {
	// Content names the bytes that the digest of the request covers: the
	// stored original of a source, or the file of a mask as the user has it.
	Content digest.Content `json:"content,omitzero"`
	// Edit says which pixels of a mask may change: "transparent", "white" or
	// "black", or that it is Drawn. Empty for sources.
	Edit string `json:"edit,omitempty"`
	// Shapes is what a drawn mask is made of, as package shape writes it,
	// instead of Content: with the source, that is all that its pixels depend on.
	Shapes string `json:"shapes,omitempty"`

	// Data is set just before Make: the bytes to send. Those of a mask are a
	// PNG with the pixels of the first input, transparent where the picture
	// may change.
	Data []byte `json:"-"`
	MIME string `json:"-"`
}

// Drawn is the Edit of a mask that is no file.
const Drawn = "drawn"

// Name is a mask in one word: its bytes or its shapes.
func (in *Input) Name() string {
	if in.Edit == Drawn {
		return in.Shapes
	}
	return in.Content.String()
}

// IsEdit reports whether the request changes existing pictures.
func (r *Request) IsEdit() bool { return len(r.Inputs) > 0 }

// Field is a labelled value of a request, in the order of the canonical text.
type Field struct{ Name, Value string }

// each calls add for everything that the digest covers, in order, without
// empty values. Inputs are named by content.
func (r *Request) each(add func(name, value string)) {
	some := func(name, value string) {
		if value != "" {
			add(name, value)
		}
	}
	some("provider", r.Provider)
	some("model", r.Model)
	some("prompt", r.Prompt)
	some("aspect_ratio", r.AspectRatio)
	some("size", r.Size.String())
	some("resolution", r.Resolution)
	some("quality", r.Quality)
	some("style", r.Style)
	some("user", r.User)
	some("reroll", r.Reroll)
	for _, in := range r.Inputs {
		add("input", in.Content.String())
	}
	if r.Mask != nil {
		add("mask", r.Mask.Edit+" "+r.Mask.Name())
	}
}

// sensitive is the name of the field that names the fields which are not there.
const sensitive = "sensitive"

// Fields lists what the digest covers, as it may be written: of sensitive
// fields only the names, in a field of their own.
func (r *Request) Fields() []Field {
	f := make([]Field, 0, 10+len(r.Inputs))
	r.each(func(name, value string) {
		if !slices.Contains(r.Sensitive, name) {
			f = append(f, Field{name, value})
		}
	})
	if len(r.Sensitive) > 0 {
		f = append(f, Field{sensitive, strings.Join(r.Sensitive, " ")})
	}
	return f
}

// secret is where the value of a field is that may be sensitive.
func (r *Request) secret(name string) *string {
	switch name {
	case "prompt":
		return &r.Prompt
	case "style":
		return &r.Style
	case "user":
		return &r.User
	}
	return new(string)
}

// Fill takes the sensitive values of another request: of one that was written
// and read again they are missing.
func (r *Request) Fill(from *Request) {
	for _, name := range r.Sensitive {
		*r.secret(name) = *from.secret(name)
	}
}

// MarshalJSON leaves sensitive values out.
func (r Request) MarshalJSON() ([]byte, error) {
	r.Fill(&Request{})
	type plain Request // without this method
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // that is for the encoder around this one to say
	err := e.Encode(plain(r))
	return b.Bytes(), err
}

// RequestOf is the request that has these fields, without the bytes of its
// inputs. Names that it does not know are left out.
func RequestOf(fields []Field, n, first int) *Request {
	r := &Request{N: n, First: first}
	for _, f := range fields {
		switch f.Name {
		case "provider":
			r.Provider = f.Value
		case "model":
			r.Model = f.Value
		case "prompt":
			r.Prompt = f.Value
		case "aspect_ratio":
			r.AspectRatio = f.Value
		case "size":
			r.Size, _ = ParseSize(f.Value)
		case "resolution":
			r.Resolution = f.Value
		case "quality":
			r.Quality = f.Value
		case "style":
			r.Style = f.Value
		case "user":
			r.User = f.Value
		case "reroll":
			r.Reroll = f.Value
		case "input":
			content, _ := digest.ParseContent(f.Value)
			r.Inputs = append(r.Inputs, Input{Content: content})
		case "mask":
			edit, what, _ := strings.Cut(f.Value, " ")
			if r.Mask = (&Input{Edit: edit}); edit == Drawn {
				r.Mask.Shapes = what
			} else {
				r.Mask.Content, _ = digest.ParseContent(what)
			}
		case sensitive:
			r.Sensitive = strings.Fields(f.Value)
		}
	}
	return r
}

const version = "request v1\n"

// Canonical is the text whose SHA-256 names the request: a version line, then
// a line for each field. It is printable, and equal only for equal requests.
func (r *Request) Canonical() []byte { return r.AppendCanonical(nil) }

// AppendCanonical appends Canonical to b.
func (r *Request) AppendCanonical(b []byte) []byte {
	b = append(b, version...)
	r.each(func(name, value string) { b = appendField(b, name, value) })
	return b
}

// Canonical is the canonical text of fields.
func Canonical(fields []Field) []byte {
	b := []byte(version)
	for _, f := range fields {
		b = appendField(b, f.Name, f.Value)
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ' ')
	b = appendQuoted(b, value)
	return append(b, '\n')
}

// Digest names the request.
func (r *Request) Digest() digest.Request { return digest.OfRequest(r.Canonical()) }

// appendQuoted is not strconv.AppendQuote: that one follows the Unicode tables
// of the Go release, and an upgrade must not change a digest.
func appendQuoted(b []byte, s string) []byte {
	const hexa = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'x', hexa[c>>4], hexa[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}
