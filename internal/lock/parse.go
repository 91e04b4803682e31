package lock

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Parse reads a lockfile. The lock points into b, which must not change any
// more. Findings carry the line; with any, the lock is nil.
func Parse(b []byte) (*Lock, diag.List) {
	s := scanner{text: unsafe.String(unsafe.SliceData(b), len(b))}
	l := s.lock()
	if s.err != "" {
		// Markers can't stand in JSON, so they are looked for only here.
		if f := markers(b); f != nil {
			return nil, diag.List{*f}
		}
		hint := "restore the file from git: git checkout -- " + File
		if strings.HasPrefix(s.err, "has format") {
			hint = "it was written by another imgbuild; use that version or a newer one"
		}
		return nil, diag.List{finding(b, s.at, codeDamaged, s.err, hint)}
	}
	return l, nil
}

func finding(b []byte, offset int, code, text, hint string) diag.Finding {
	offset = min(offset, len(b))
	start := bytes.LastIndexByte(b[:offset], '\n') + 1
	end := len(b)
	if i := bytes.IndexByte(b[offset:], '\n'); i >= 0 {
		end = offset + i
	}
	pos := diag.Pos{Line: 1 + bytes.Count(b[:start], []byte("\n")), Column: 1 + utf8.RuneCount(b[start:offset]), Byte: offset}
	stop := pos
	stop.Column += utf8.RuneCount(b[offset:end])
	stop.Byte = end
	return diag.Finding{
		Severity: diag.Error, Code: code, Text: File + ": " + text, Hint: hint,
		Range: &diag.Range{File: File, Start: pos, End: stop},
	}
}

// scanner reads the strict JSON that write.go writes, in any layout. After the
// first error it reads nothing more.
type scanner struct {
	text string
	i    int
	err  string
	at   int // offset of the error

	// Most images have one candidate and one output: they are cut from slabs.
	candidates []provider.Image
	outputs    []Output
}

func (s *scanner) fail(at int, format string, args ...any) {
	if s.err == "" {
		s.err, s.at = fmt.Sprintf(format, args...), at
		s.i = len(s.text)
	}
}

func (s *scanner) space() {
	for s.i < len(s.text) {
		switch s.text[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

// next skips space and reports whether c comes; if so it is read.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.i < len(s.text) && s.text[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) expect(c byte) {
	if s.err == "" && !s.next(c) {
		if s.i >= len(s.text) {
			s.fail(s.i, "ends too early: it was cut off")
		} else {
			s.fail(s.i, "expected %q, found %q", c, rest(s.text[s.i:]))
		}
	}
}

func rest(t string) string {
	t, _, _ = strings.Cut(t, "\n")
	if r := []rune(t); len(r) > 20 {
		t = string(r[:20]) + "…"
	}
	return t
}

func (s *scanner) string() string {
	s.expect('"')
	start := s.i
	// Eight bytes at a time up to a quote, a backslash or a control character:
	// half of a lock is digests and prompts.
	b := unsafe.Slice(unsafe.StringData(s.text), len(s.text))
	for s.i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[s.i:])
		if m := below(w, ' ') | equal(w, '"') | equal(w, '\\'); m != 0 {
			s.i += bits.TrailingZeros64(m) / 8
			break
		}
		s.i += 8
	}
	for s.i < len(b) {
		switch c := b[s.i]; {
		case c == '"':
			v := s.text[start:s.i]
			s.i++
			return v
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.fail(s.i, "has a raw control character in a string")
			return ""
		default:
			s.i++
		}
	}
	s.fail(start, "ends inside a string: it was cut off")
	return ""
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// below and equal set the top bit of each byte of w that is less than n, or n;
// above the lowest such byte there may be bits too many.
func below(w, n uint64) uint64 { return (w - ones*n) &^ w & tops }
func equal(w, n uint64) uint64 { w ^= ones * n; return (w - ones) &^ w & tops }

func (s *scanner) escaped(start int) string {
	for s.i < len(s.text) && s.text[s.i] != '"' {
		if s.text[s.i] == '\\' {
			s.i++
		}
		s.i++
	}
	if s.i >= len(s.text) {
		s.fail(start, "ends inside a string: it was cut off")
		return ""
	}
	s.i++
	var v string
	if err := json.Unmarshal([]byte(s.text[start-1:s.i]), &v); err != nil {
		s.fail(start, "has a string that is not JSON: %v", err)
	}
	return v
}

func (s *scanner) number() int64 {
	s.space()
	start := s.i
	for s.i < len(s.text) && (s.text[s.i] >= '0' && s.text[s.i] <= '9') {
		s.i++
	}
	n, err := strconv.ParseInt(s.text[start:s.i], 10, 64)
	if err != nil && s.err == "" {
		s.fail(start, "expected a whole number, found %q", rest(s.text[start:]))
	}
	return n
}

// yes reads true: what is not so has no key.
func (s *scanner) yes() {
	s.space()
	if !strings.HasPrefix(s.text[min(s.i, len(s.text)):], "true") {
		s.fail(s.i, "expected true, found %q", rest(s.text[min(s.i, len(s.text)):]))
		return
	}
	s.i += len("true")
}

// object calls f for each key, which must read the value.
func (s *scanner) object(f func(key string, at int)) {
	s.expect('{')
	if s.err != "" || s.next('}') {
		return
	}
	for s.err == "" {
		s.space()
		at := s.i
		key := s.string()
		s.expect(':')
		if s.err != "" {
			return
		}
		f(key, at)
		if s.err != "" || s.next('}') {
			return
		}
		s.expect(',')
	}
}

func (s *scanner) array(f func()) {
	s.expect('[')
	if s.err != "" || s.next(']') {
		return
	}
	for s.err == "" {
		f()
		if s.err != "" || s.next(']') {
			return
		}
		s.expect(',')
	}
}

// seen notes that key number n of an object came, and fails on the second.
func (s *scanner) seen(set *uint, n uint, key string, at int) {
	if *set&(1<<n) != 0 {
		s.fail(at, "has the key %q twice", key)
	}
	*set |= 1 << n
}

// known is the number of a key, in a list of those that an object may have.
func (s *scanner) known(set *uint, keys []string, key string, at int) int {
	n := slices.Index(keys, key)
	if n < 0 {
		s.fail(at, "has the unknown key %q; was it written by a newer imgbuild?", key)
		return -1
	}
	s.seen(set, uint(n), key, at)
	return n
}

func (s *scanner) lock() *Lock {
	l := &Lock{}
	var set uint
	s.space()
	s.object(func(key string, at int) {
		switch s.known(&set, []string{"format", "images"}, key, at) {
		case 0:
			s.space()
			where := s.i
			if v := s.number(); s.err == "" && v != Format {
				s.fail(where, "has format %d; this imgbuild reads format %d", v, Format)
			}
		case 1:
			s.images(l)
		}
	})
	if s.err == "" && set != 3 {
		s.fail(0, "lacks \"format\" or \"images\"")
	}
	if s.space(); s.err == "" && s.i < len(s.text) {
		s.fail(s.i, "has something after its end: %q", rest(s.text[s.i:]))
	}
	return l
}

func (s *scanner) images(l *Lock) {
	sorted := true
	// An entry takes 750 bytes or more; a guess that is too small only costs a copy.
	l.Entries = make([]Entry, 0, 1+len(s.text)/750)
	s.object(func(key string, at int) {
		if n := len(l.Entries); n > 0 {
			switch strings.Compare(string(l.Entries[n-1].Address), key) {
			case 0:
				s.fail(at, "has the image %q twice", key)
			case 1:
				sorted = false
			}
		}
		e := Entry{Address: spec.Address(key)}
		s.entry(&e)
		l.Entries = append(l.Entries, e)
	})
	if s.err != "" || sorted {
		return
	}
	slices.SortFunc(l.Entries, func(a, b Entry) int { return strings.Compare(string(a.Address), string(b.Address)) })
	for i := 1; i < len(l.Entries); i++ {
		if a := l.Entries[i].Address; a == l.Entries[i-1].Address {
			s.fail(strings.LastIndex(s.text, string(appendString(nil, string(a)))), "has the image %q twice", a)
		}
	}
}

var (
	entryKeys       = []string{"request", "fields", "candidates", "pick", "refused", "outputs", "approved"}
	candidateKeys   = []string{"sha256", "mime", "width", "height", "bytes", "price", "model", "revised_prompt", "c2pa", "digital_source_type"}
	refusedKeys     = []string{"request", "reason", "price", "message"}
	outputKeys      = []string{"sha256", "bytes", "recipe", "of", "encoder", "placeholder"}
	approvedKeys    = []string{"content", "by", "note"}
	placeholderKeys = []string{"color", "blurhash", "thumbhash", "data"}
)

func (s *scanner) entry(e *Entry) {
	var set uint
	var few [4]int64
	of := few[:0] // by output; candidates may come later in the file
	s.object(func(key string, at int) {
		switch s.known(&set, entryKeys, key, at) {
		case 0:
			e.Request = s.request()
		case 1:
			s.space()
			start := s.i
			s.skipFields()
			e.fields.raw = s.text[start:min(s.i, len(s.text))]
		case 2:
			e.Candidates = one(&s.candidates)
			s.array(func() { e.Candidates = append(e.Candidates, s.candidate()) })
		case 3:
			e.Pick = int(s.number())
		case 4:
			s.array(func() { e.Refused = append(e.Refused, s.refusal()) })
		case 5:
			e.Outputs = one(&s.outputs)
			s.object(func(path string, at int) {
				if e.Output(path) != nil {
					s.fail(at, "has the output %q twice", path)
				}
				if err := spec.CheckOutput(path); err != nil {
					s.fail(at, "has the output path %q, which %v", path, err)
				}
				out, n := s.output()
				out.Path = path
				e.Outputs, of = append(e.Outputs, out), append(of, n)
			})
		case 6:
			a := s.approval(at)
			e.Approved = &a
		}
	})
	for i, n := range of {
		if n < 0 || n > int64(len(e.Candidates)) {
			s.fail(s.i, "has an output of %s that is made from candidate %d, but there are %d", e.Address, n, len(e.Candidates))
		} else if n > 0 {
			e.Outputs[i].Of = e.Candidates[n-1].Content
		}
	}
	slices.SortFunc(e.Outputs, func(a, b Output) int { return strings.Compare(a.Path, b.Path) })
}

// one is an empty slice with room for one, cut from a slab.
func one[T any](slab *[]T) []T {
	if len(*slab) == 0 {
		*slab = make([]T, 256)
	}
	out := (*slab)[:0:1]
	*slab = (*slab)[1:]
	return out
}

func (s *scanner) content() digest.Content {
	s.space()
	at := s.i
	c, err := digest.ParseContent(s.string())
	if err != nil && s.err == "" {
		s.fail(at, "%v", err)
	}
	return c
}

func (s *scanner) request() digest.Request {
	s.space()
	at := s.i
	r, err := digest.ParseRequest(s.string())
	if err != nil && s.err == "" {
		s.fail(at, "%v", err)
	}
	return r
}

func (s *scanner) money() provider.Money {
	s.space()
	at := s.i
	m, err := provider.ParseMoney(s.string())
	if err != nil && s.err == "" {
		s.fail(at, "%v", err)
	}
	return m
}

func (s *scanner) candidate() (c provider.Image) {
	var set uint
	s.object(func(key string, at int) {
		switch s.known(&set, candidateKeys, key, at) {
		case 0:
			c.Content = s.content()
		case 1:
			c.MIME = s.string()
		case 2:
			c.Width = int(s.number())
		case 3:
			c.Height = int(s.number())
		case 4:
			c.Bytes = s.number()
		case 5:
			c.Price = s.money()
		case 6:
			c.Model = s.string()
		case 7:
			c.RevisedPrompt = s.string()
		case 8:
			s.yes()
			c.C2PA = true
		case 9:
			c.SourceType = s.string()
		}
	})
	if s.err == "" && set&1 == 0 {
		s.fail(s.i, "has a candidate without sha256")
	}
	return c
}

func (s *scanner) refusal() (r Refusal) {
	var set uint
	s.object(func(key string, at int) {
		switch s.known(&set, refusedKeys, key, at) {
		case 0:
			r.Request = s.request()
		case 1:
			r.Reason = s.string()
		case 2:
			r.Price = s.money()
		case 3:
			r.Message = s.string()
		}
	})
	return r
}

func (s *scanner) output() (out Output, of int64) {
	var set uint
	s.object(func(key string, at int) {
		switch s.known(&set, outputKeys, key, at) {
		case 0:
			out.Content = s.content()
		case 1:
			out.Bytes = s.number()
		case 2:
			out.Recipe = s.string()
		case 3:
			of = s.number()
		case 4:
			out.Encoder = s.string()
		case 5:
			if p := s.placeholder(); p.Known() {
				out.Placeholder = &p
			}
		}
	})
	if s.err == "" && set&1 == 0 {
		s.fail(s.i, "has an output without sha256")
	}
	return out, of
}

func (s *scanner) approval(at int) (a Approval) {
	var set uint
	s.object(func(key string, at int) {
		switch s.known(&set, approvedKeys, key, at) {
		case 0:
			a.Content = s.content()
		case 1:
			a.By = s.string()
		case 2:
			a.Note = s.string()
		}
	})
	if s.err == "" && set&1 == 0 {
		s.fail(at, "has an approval without content")
	} else if err := a.Check(); err != nil {
		s.fail(at, "has an approval %v", err)
	}
	return a
}

func (s *scanner) placeholder() (p Placeholder) {
	var set uint
	s.object(func(key string, at int) {
		n := s.known(&set, placeholderKeys, key, at)
		if n < 0 {
			return
		}
		text := s.string()
		*[...]*string{&p.Color, &p.BlurHash, &p.ThumbHash, &p.Data}[n] = text
		if s.err == "" && !placeholders[n](text) {
			s.fail(at, "has a placeholder whose %s is none", key)
		}
	})
	return p
}

// skipFields checks an object of strings and lists of strings.
func (s *scanner) skipFields() { s.eachField(func(provider.Field) {}) }

func (s *scanner) fieldList() []provider.Field {
	list := make([]provider.Field, 0, 8)
	s.eachField(func(f provider.Field) { list = append(list, f) })
	return list
}

func (s *scanner) eachField(f func(provider.Field)) {
	var names [16]string
	n := 0
	s.object(func(key string, at int) {
		if slices.Contains(names[:n], key) || n == len(names) {
			s.fail(at, "has the field %q twice, or too many fields", key)
			return
		}
		names[n] = key
		n++
		if s.space(); s.i < len(s.text) && s.text[s.i] == '[' {
			s.array(func() { f(provider.Field{Name: key, Value: s.string()}) })
			return
		}
		f(provider.Field{Name: key, Value: s.string()})
	})
}
