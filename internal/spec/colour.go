package spec

import (
	"encoding/hex"
	"errors"
	"strings"
)

// ParseColour reads "#rrggbb" or "#rgb".
func ParseColour(s string) (c [3]byte, err error) {
	digits, ok := strings.CutPrefix(s, "#")
	if len(digits) == 3 {
		d := digits
		digits = string([]byte{d[0], d[0], d[1], d[1], d[2], d[2]})
	}
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != 3 {
		return c, errors.New(`a colour is "#rrggbb"`)
	}
	return [3]byte(b), nil
}

// Colour is c as a recipe writes it.
func Colour(c [3]byte) string { return "#" + hex.EncodeToString(c[:]) }
