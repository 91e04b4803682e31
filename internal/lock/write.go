package lock

import (
	"strconv"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// Bytes is the canonical text of the lockfile.
func (l *Lock) Bytes() []byte {
	b := make([]byte, 0, 64+1024*len(l.Entries))
	b = append(b, "{\n  \"format\": "...)
	b = strconv.AppendInt(b, Format, 10)
	b = append(b, ",\n  \"images\": {"...)
	for i := range l.Entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n    "...)
		b = appendString(b, string(l.Entries[i].Address))
		b = append(b, ": "...)
		b = l.Entries[i].append(b)
	}
	if len(l.Entries) > 0 {
		b = append(b, "\n  "...)
	}
	return append(b, "}\n}\n"...)
}

// object writes "key": value pairs with commas between them.
type object struct {
	b      []byte
	indent string // before each key; " " for all on one line
	any    bool
}

func (o *object) key(k string) {
	if o.any {
		o.b = append(o.b, ',')
		if o.indent == "" {
			o.b = append(o.b, ' ')
		}
	}
	o.any = true
	o.b = append(o.b, o.indent...)
	o.b = appendString(o.b, k)
	o.b = append(o.b, ": "...)
}

func (o *object) str(k, v string) {
	if v != "" {
		o.key(k)
		o.b = appendString(o.b, v)
	}
}

func (o *object) num(k string, v int64) {
	if v != 0 {
		o.key(k)
		o.b = strconv.AppendInt(o.b, v, 10)
	}
}

func (o *object) money(k string, m provider.Money) {
	if m != 0 {
		o.str(k, m.Decimal())
	}
}

const (
	in1 = "\n      "
	in2 = "\n        "
)

func (e *Entry) append(b []byte) []byte {
	o := object{b: append(b, '{'), indent: in1}
	if !e.Request.IsZero() {
		o.str("request", e.Request.String())
	}
	if list := e.Fields(); len(list) > 0 {
		o.key("fields")
		f := object{b: append(o.b, '{'), indent: in2}
		for i := 0; i < len(list); {
			name := list[i].Name
			f.key(name)
			n := i + 1
			for n < len(list) && list[n].Name == name {
				n++
			}
			if name != "input" {
				f.b = appendString(f.b, list[i].Value)
			} else {
				f.b = append(f.b, '[')
				for j := i; j < n; j++ {
					if j > i {
						f.b = append(f.b, ", "...)
					}
					f.b = appendString(f.b, list[j].Value)
				}
				f.b = append(f.b, ']')
			}
			i = n
		}
		o.b = append(append(f.b, in1...), '}')
	}
	if len(e.Candidates) > 0 {
		o.key("candidates")
		o.b = append(o.b, '[')
		for i, c := range e.Candidates {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = append(o.b, in2...)
			c := candidate(c)
			o.b = c.append(o.b)
		}
		o.b = append(append(o.b, in1...), ']')
	}
	o.num("pick", int64(e.Pick))
	if len(e.Refused) > 0 {
		o.key("refused")
		o.b = append(o.b, '[')
		for i, r := range e.Refused {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			f := object{b: append(append(o.b, in2...), '{')}
			f.str("request", r.Request.String())
			f.str("reason", r.Reason)
			f.money("price", r.Price)
			f.str("message", r.Message)
			o.b = append(f.b, '}')
		}
		o.b = append(append(o.b, in1...), ']')
	}
	if len(e.Outputs) > 0 {
		o.key("outputs")
		files := object{b: append(o.b, '{'), indent: in2}
		for _, out := range e.Outputs {
			files.key(out.Path)
			f := object{b: append(files.b, '{')}
			f.str("sha256", out.Content.String())
			f.num("bytes", out.Bytes)
			f.str("recipe", out.Recipe)
			f.num("of", e.index(out))
			f.str("encoder", out.Encoder)
			if p := out.Placeholder; p.Known() {
				f.key("placeholder")
				o := object{b: append(f.b, '{')}
				o.str("color", p.Color)
				o.str("blurhash", p.BlurHash)
				o.str("thumbhash", p.ThumbHash)
				o.str("data", p.Data)
				f.b = append(o.b, '}')
			}
			files.b = append(f.b, '}')
		}
		o.b = append(append(files.b, in1...), '}')
	}
	if a := e.Approved; a != nil {
		o.key("approved")
		f := object{b: append(o.b, '{')}
		f.str("content", a.Content.String())
		f.str("by", a.By)
		f.str("note", a.Note)
		o.b = append(f.b, '}')
	}
	if !o.any {
		return append(o.b, '}')
	}
	return append(o.b, "\n    }"...)
}

// index is the number, from 1, of the candidate that an output was made from,
// or 0 if it is no longer one of them.
func (e *Entry) index(out Output) int64 {
	for i := range e.Candidates {
		if e.Candidates[i].Content == out.Of {
			return int64(i + 1)
		}
	}
	return 0
}

type candidate provider.Image

func (c *candidate) append(b []byte) []byte {
	o := object{b: append(b, '{')}
	o.str("sha256", c.Content.String())
	o.str("mime", c.MIME)
	o.num("width", int64(c.Width))
	o.num("height", int64(c.Height))
	o.num("bytes", c.Bytes)
	o.money("price", c.Price)
	o.str("model", c.Model)
	o.str("revised_prompt", c.RevisedPrompt)
	if c.C2PA {
		o.key("c2pa")
		o.b = append(o.b, "true"...)
	}
	o.str("digital_source_type", c.SourceType)
	return append(o.b, '}')
}

// appendString writes a JSON string. Unlike encoding/json it leaves <, > and &
// as they are: the file is for people and diffs.
func appendString(b []byte, s string) []byte {
	const hexa = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexa[c>>4], hexa[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r) // invalid bytes become U+FFFD
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
