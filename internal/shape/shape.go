package shape

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Shape is one figure.
type Shape struct {
	Kind     string   // "rect", "ellipse", "polygon" or "path"
	Args     []Length // rect: x, y, width, height, and radius if it has one; ellipse: cx, cy, rx, and ry if it is no circle; polygon: x and y of each point
	Path     Path
	Feather  Length
	Subtract bool // takes away from what the others draw
}

// Drawing is the figures of a mask: what those draw that add, less what those
// draw that subtract. Their order does not matter.
type Drawing struct {
	Shapes  []Shape
	Feather Length // of the whole
}

const (
	// MaxShapes is how many figures a drawing may have. A path may have any
	// number of parts.
	MaxShapes = 64
	// MaxText is how long its text may be, in bytes: it stands in the lockfile,
	// for each file of an image once more.
	MaxText = 16 << 10
)

// String is the canonical text.
func (d *Drawing) String() string {
	var adds, subtracts []string
	for i := range d.Shapes {
		if s := &d.Shapes[i]; s.Subtract {
			subtracts = append(subtracts, s.String())
		} else {
			adds = append(adds, s.String())
		}
	}
	slices.Sort(adds)
	slices.Sort(subtracts)
	parts := append(slices.Compact(adds), slices.Compact(subtracts)...)
	if d.Feather.Sign() != 0 {
		parts = append(parts, "~"+d.Feather.String())
	}
	return strings.Join(parts, ";")
}

// String is the canonical text of one figure.
func (s *Shape) String() string {
	var b strings.Builder
	if s.Subtract {
		b.WriteByte('!')
	}
	b.WriteString(s.Kind)
	b.WriteByte('(')
	if s.Kind == "path" {
		b.WriteString(s.Path.String())
	}
	for i, a := range s.Args {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(a.String())
	}
	b.WriteByte(')')
	if s.Feather.Sign() != 0 {
		b.WriteString("~" + s.Feather.String())
	}
	return b.String()
}

var errText = errors.New("is no text of a drawing")

// Parse reads what String wrote.
func Parse(text string) (*Drawing, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("%d bytes of figures are more than %d", len(text), MaxText)
	}
	d := &Drawing{}
	parts := strings.Split(text, ";")
	if last := parts[len(parts)-1]; strings.HasPrefix(last, "~") {
		var err error
		if d.Feather, err = ParseLength(last[1:]); err != nil {
			return nil, fmt.Errorf("%q %w", last, err)
		}
		parts = parts[:len(parts)-1]
	}
	for _, part := range parts {
		s, err := parseShape(part)
		if err != nil {
			return nil, fmt.Errorf("%.80q %w", part, err)
		}
		d.Shapes = append(d.Shapes, s)
	}
	if l := d.Faults(); len(l) > 0 {
		return nil, l[0].error()
	}
	if d.String() != text {
		return nil, fmt.Errorf("%.80q %w", text, errText)
	}
	return d, nil
}

func parseShape(text string) (s Shape, err error) {
	text, s.Subtract = strings.CutPrefix(text, "!")
	head, tail, ok := strings.Cut(text, ")")
	kind, args, ok2 := strings.Cut(head, "(")
	if !ok || !ok2 {
		return s, errText
	}
	if feather, ok := strings.CutPrefix(tail, "~"); ok {
		if s.Feather, err = ParseLength(feather); err != nil {
			return s, err
		}
	} else if tail != "" {
		return s, errText
	}
	s.Kind = kind
	switch kind {
	case "path":
		box, data, boxed := strings.Cut(args, "|")
		if !boxed {
			data = args
		} else if err = s.Path.SetBox(strings.ReplaceAll(box, ",", " ")); err != nil {
			return s, err
		}
		if err = s.Path.SetData(data); err != nil {
			return s, err
		}
	default:
		for a := range strings.SplitSeq(args, ",") {
			l, err := ParseLength(a)
			if err != nil {
				return s, err
			}
			s.Args = append(s.Args, l)
		}
	}
	if l := s.Faults(); len(l) > 0 {
		return s, l[0].error()
	}
	return s, nil
}

// Fault is something wrong whatever the picture: the name of the value that is
// to blame, if it is one, and the rest of a sentence.
type Fault struct{ Field, Text string }

func (f Fault) error() error { return errors.New(strings.TrimSpace(f.Field + " " + f.Text)) }

// Faults is what is wrong with a drawing, but not with its shapes.
func (d *Drawing) Faults() (list []Fault) {
	adds := false
	for i := range d.Shapes {
		adds = adds || !d.Shapes[i].Subtract
	}
	if d.Feather.Sign() < 0 {
		list = append(list, Fault{"feather", "is negative"})
	}
	switch {
	case len(d.Shapes) > MaxShapes:
		list = append(list, Fault{"", fmt.Sprintf("has %d shapes, and at most %d are drawn", len(d.Shapes), MaxShapes)})
	case !adds:
		list = append(list, Fault{"", "has only shapes that subtract, so it leaves nothing to edit"})
	case len(d.String()) > MaxText:
		list = append(list, Fault{"", fmt.Sprintf("is %d bytes of numbers, and at most %d are kept", len(d.String()), MaxText)})
	}
	return list
}

// Faults is what is wrong with a shape.
func (s *Shape) Faults() (list []Fault) {
	add := func(field, format string, args ...any) {
		list = append(list, Fault{field, fmt.Sprintf(format, args...)})
	}
	var names []string
	switch s.Kind {
	case "rect":
		names = []string{"x", "y", "width", "height", "radius"}
	case "ellipse":
		names = []string{"cx", "cy", "rx", "ry"}
	case "polygon":
		if len(s.Args) < 6 {
			add("points", "needs three points to have an area")
		} else if len(s.Args)%2 != 0 {
			add("points", "has a point with one number")
		}
	case "path":
		if len(s.Path.commands) == 0 {
			add("d", "is empty")
		}
	default:
		add("", "%q is no shape", s.Kind)
	}
	if names != nil && len(s.Args) != len(names) && len(s.Args) != len(names)-1 {
		add("", "a %s has %d or %d numbers", s.Kind, len(names)-1, len(names))
		return list
	}
	for i, a := range s.Args {
		switch {
		case names == nil || i < 2:
		case a.Sign() < 0:
			add(names[i], "is negative")
		case a.Sign() == 0 && names[i] != "radius":
			add(names[i], "is 0, so the shape has no area")
		}
	}
	if s.Feather.Sign() < 0 {
		add("feather", "is negative")
	}
	if len(list) == 0 && s.relative() {
		const side = 4096 // of any picture
		if parts, err := s.Outline(side, side); err == nil && Outside(parts, side, side) {
			add("", "lies outside of the picture")
		}
	}
	return list
}

// FeatherIn is a feather in whole pixels of a picture.
func FeatherIn(l Length, width, height int) int {
	return int((l.in(min(width, height)) + Sub/2) / Sub)
}
