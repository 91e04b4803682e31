package xai

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
)

// Key is a secret that does not print itself: not with any verb, not inside a
// struct, not as JSON. The zero value is no key.
type Key struct{ secret **secret } // fmt reads unexported fields, also behind one pointer, but prints the second as an address

type secret struct {
	text  string
	forms []string // in which a text may repeat it, squeezed; none for one that is too short to be told from other words
}

// shortest is the length from which a word is looked for in other forms than
// its own, and in what is no error text: a rehearsal's key may be "x".
const shortest = 8

// NewKey holds s, without the white space around it. Of an empty s it makes
// the zero value.
func NewKey(s string) Key {
	if s = strings.TrimSpace(s); s == "" {
		return Key{}
	}
	k := &secret{text: s}
	if plain := squeeze(s); len(plain) >= shortest {
		back := []byte(plain)
		slices.Reverse(back)
		k.forms = []string{plain, string(back), hex.EncodeToString([]byte(s))}
		for i := range 3 { // by what stands before it; the ends depend on what stands around it
			b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", i) + s))
			from := (i*8 + 5) / 6
			k.forms = append(k.forms, squeeze(b[from:(i+len(s))*8/6]))
		}
	}
	return Key{&k}
}

func (k Key) IsZero() bool { return k.secret == nil }

// Format prints "[key]" whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[key]") }

// MarshalText prints "[key]".
func (k Key) MarshalText() ([]byte, error) { return []byte("[key]"), nil }

// sendable reports whether the key can stand in a header.
func (k Key) sendable() bool {
	return k.IsZero() || !strings.ContainsFunc((*k.secret).text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// redact takes the key out of foreign text. A text that has it in another form
// (escaped, encoded, cut into lines) is not shown at all.
func (k Key) redact(s string) string {
	if k.IsZero() {
		return s
	}
	s = strings.ReplaceAll(s, (*k.secret).text, "[key]")
	if k.within(s) {
		return "[it repeats the key]"
	}
	return s
}

// within reports whether s repeats the key in whatever form.
func (k Key) within(s string) bool {
	if k.IsZero() || (*k.secret).forms == nil {
		return false
	}
	return k.beneath(s, '%') || k.beneath(s, '=')
}

// beneath is within for texts of URLs or of mails, which escape with a
// percent or an equals sign.
func (k Key) beneath(s string, escape byte) bool {
	for range 4 { // what is escaped may be escaped again
		squeezed := squeeze(s)
		if slices.ContainsFunc((*k.secret).forms, func(form string) bool { return strings.Contains(squeezed, form) }) {
			return true
		}
		plain := unescape(s, escape)
		if plain == s {
			return false
		}
		s = plain
	}
	return false
}

// inName reports whether a name that must stay as it is (a URL, the id of a
// job) repeats the key. For a short key it is stricter than within: what has
// such a name is paid for, and a resemblance must not cost it.
func (k Key) inName(s string) bool {
	if k.IsZero() || (*k.secret).forms == nil {
		return false
	}
	if len((*k.secret).forms[0]) >= 2*shortest {
		return k.within(s)
	}
	squeezed, plain := squeeze(s), unescape(s, '%')
	return strings.Contains(s, (*k.secret).text) || strings.Contains(plain, (*k.secret).text) || strings.Contains(unescape(plain, '%'), (*k.secret).text) ||
		slices.ContainsFunc((*k.secret).forms[2:], func(form string) bool { return strings.Contains(squeezed, form) })
}

// squeeze keeps letters and digits, in lower case.
func squeeze(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			out = append(out, c)
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		}
	}
	return string(out)
}

// unescape undoes one round of what URLs (or mails), JSON, Go and HTML do to a
// text, as far as it fits.
func unescape(s string, escape byte) string {
	if strings.Contains(s, "&") {
		s = html.UnescapeString(s)
	}
	if strings.IndexByte(s, escape) < 0 && strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var out strings.Builder
	for len(s) > 0 {
		digits := 0
		switch {
		case s[0] == escape:
			digits = 2
		case strings.HasPrefix(s, `\x`):
			s, digits = s[1:], 2
		case strings.HasPrefix(s, `\u`):
			s, digits = s[1:], 4
		}
		if digits > 0 && len(s) > digits {
			if n, err := strconv.ParseUint(s[1:1+digits], 16, 32); err == nil {
				out.WriteRune(rune(n))
				s = s[1+digits:]
				continue
			}
		}
		out.WriteByte(s[0])
		s = s[1:]
	}
	return out.String()
}
