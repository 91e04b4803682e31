package spec

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// ParseDataURL is the bytes of a picture that is written as
// "data:image/png;base64,…", the form in which the published API takes one.
func ParseDataURL(s string) ([]byte, error) {
	head, data, ok := strings.Cut(s, ",")
	mime, isBase64 := strings.CutSuffix(strings.TrimPrefix(head, "data:"), ";base64")
	switch {
	case !IsDataURL(s) || !ok || !isBase64:
		return nil, errors.New(`is not written as "data:image/png;base64,…"`)
	case !slices.Contains([]string{"image/png", "image/jpeg", "image/webp"}, mime):
		return nil, errors.New("is not PNG, JPEG or WebP")
	}
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(data))
	switch {
	case err != nil:
		return nil, errors.New("has broken base64")
	case len(b) == 0:
		return nil, errors.New("is empty")
	}
	return b, nil
}

// IsDataURL reports whether s is no path but a picture itself.
func IsDataURL(s string) bool { return strings.HasPrefix(s, "data:") }
