package xai

import (
	"fmt"
	"strings"
)

// Key is a secret that does not print itself: not with any verb, not inside a
// struct, not as JSON. The zero value is no key.
type Key struct{ secret *string } // behind a pointer: fmt reads unexported strings, but prints pointers as addresses

// NewKey holds s, without the white space around it. Of an empty s it makes
// the zero value.
func NewKey(s string) Key {
	if s = strings.TrimSpace(s); s == "" {
		return Key{}
	}
	return Key{&s}
}

func (k Key) IsZero() bool { return k.secret == nil }

// Format prints "[key]" whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[key]") }

// MarshalText prints "[key]".
func (k Key) MarshalText() ([]byte, error) { return []byte("[key]"), nil }

// sendable reports whether the key can stand in a header.
func (k Key) sendable() bool {
	return k.IsZero() || !strings.ContainsFunc(*k.secret, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// redact takes the key out of foreign text.
func (k Key) redact(s string) string {
	if k.IsZero() {
		return s
	}
	return strings.ReplaceAll(s, *k.secret, "[key]")
}
