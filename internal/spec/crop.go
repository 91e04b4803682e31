package spec

import (
	"errors"
	"strings"

	"github.com/imgbuild/imgbuild/internal/shape"
)

// Crop is the part of a picture that is kept. The zero value is all of it.
type Crop struct{ X, Y, Width, Height shape.Length }

// IsZero reports whether c is not said.
func (c Crop) IsZero() bool { return c == Crop{} }

func (c Crop) String() string {
	if c.IsZero() {
		return ""
	}
	return c.X.String() + "," + c.Y.String() + "," + c.Width.String() + "," + c.Height.String()
}

// ForCrop reports whether a crop can have a length.
func ForCrop(l shape.Length) bool {
	return l.Sign() >= 0 && l.Whole() && l.Of(MaxSide) <= MaxSide
}

var errCrop = errors.New("it is not x, y, width and height, in whole pixels or percent")

// ParseCrop reads what String wrote.
func ParseCrop(s string) (c Crop, err error) {
	if s == "" {
		return c, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) != 4 {
		return c, errCrop
	}
	for i, to := range []*shape.Length{&c.X, &c.Y, &c.Width, &c.Height} {
		if *to, err = shape.ParseLength(parts[i]); err != nil || !ForCrop(*to) {
			return c, errCrop
		}
	}
	if c.Width.Sign() == 0 || c.Height.Sign() == 0 {
		return c, errCrop
	}
	return c, nil
}

// In is the part in pixels of a picture, and whether all of it is there and not
// empty.
func (c Crop) In(width, height int) (x, y, w, h int, ok bool) {
	x, w = c.Width.Span(c.X, width)
	y, h = c.Height.Span(c.Y, height)
	return x, y, w, h, w > 0 && h > 0 && x+w <= width && y+h <= height
}
