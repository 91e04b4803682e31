package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Content is the SHA-256 of some bytes. The zero value means "none".
type Content [sha256.Size]byte

// Request is the SHA-256 of the canonical text of a paid request. The zero
// value means "none" or "not known yet".
type Request [sha256.Size]byte

const requestPrefix = "r1:"

// OfContent names b.
func OfContent(b []byte) Content { return sha256.Sum256(b) }

// OfRequest names the canonical text of a request.
func OfRequest(canonical []byte) Request { return sha256.Sum256(canonical) }

func (c Content) String() string { return hex.EncodeToString(c[:]) }

// Short is the first 12 digits, for people.
func (c Content) Short() string { return hex.EncodeToString(c[:6]) }

func (c Content) IsZero() bool { return c == Content{} }

// MarshalText prints the zero value as the empty string.
func (c Content) MarshalText() ([]byte, error) {
	if c.IsZero() {
		return nil, nil
	}
	return []byte(c.String()), nil
}

func (c *Content) UnmarshalText(b []byte) (err error) {
	*c = Content{}
	if len(b) > 0 {
		*c, err = ParseContent(string(b))
	}
	return err
}

func (r Request) String() string { return requestPrefix + hex.EncodeToString(r[:]) }

// Short is the prefix and the first 12 digits, for people.
func (r Request) Short() string { return requestPrefix + hex.EncodeToString(r[:6]) }

func (r Request) IsZero() bool { return r == Request{} }

// MarshalText prints the zero value as the empty string.
func (r Request) MarshalText() ([]byte, error) {
	if r.IsZero() {
		return nil, nil
	}
	return []byte(r.String()), nil
}

func (r *Request) UnmarshalText(b []byte) (err error) {
	*r = Request{}
	if len(b) > 0 {
		*r, err = ParseRequest(string(b))
	}
	return err
}

// ParseContent reads 64 lower-case hexadecimal digits.
func ParseContent(s string) (Content, error) {
	var c Content
	if !decode(c[:], s) {
		return Content{}, fmt.Errorf("%q is not a SHA-256 (64 lower-case hexadecimal digits)", s)
	}
	return c, nil
}

// ParseRequest reads what Request.String prints.
func ParseRequest(s string) (Request, error) {
	var r Request
	hexa, ok := strings.CutPrefix(s, requestPrefix)
	if !ok || !decode(r[:], hexa) {
		return Request{}, fmt.Errorf("%q is not a request digest (%q and 64 lower-case hexadecimal digits)", s, requestPrefix)
	}
	return r, nil
}

// decode is not hex.Decode: that one takes upper-case digits, which would give
// one digest two spellings.
func decode(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	for i := range dst {
		hi, lo := digits[s[2*i]], digits[s[2*i+1]]
		if hi|lo > 15 {
			return false
		}
		dst[i] = hi<<4 | lo
	}
	return true
}

// digits is the value of each hexadecimal digit, 255 for other bytes. It is a
// table because a lock of 10,000 images has two million digits.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i] = 10 + i
	}
	return t
}()
