package shape

import (
	"fmt"
	"math"
	"strings"
)

// Path is the data of an SVG path: what is inside of its parts, where those
// that run the other way cut holes (the fill rule nonzero). Each part is closed.
type Path struct {
	commands []command
	boxed    bool
	box      [4]int64 // x, y, width and height that lie over the picture, in millionths
}

type command struct {
	letter byte
	args   []int64 // millionths; as many as the letter takes
}

// PathError tells what is wrong with path data, and at which byte.
type PathError struct {
	At   int
	Text string
}

func (e *PathError) Error() string {
	return fmt.Sprintf("is no path data: character %d: %s", e.At+1, e.Text)
}

// argsOf is how many numbers each command takes, by its capital letter.
var argsOf = map[byte]int{'M': 2, 'L': 2, 'H': 1, 'V': 1, 'C': 6, 'S': 4, 'Q': 4, 'T': 2, 'A': 7, 'Z': 0}

const pathLetters = "M, L, H, V, C, S, Q, T, A and Z"

// SetData reads path data. The error is a *PathError.
func (p *Path) SetData(d string) error {
	p.commands = nil
	if len(d) > 4*MaxText {
		return &PathError{4 * MaxText, "it is too long: draw the mask as a file"}
	}
	i := 0
	space := func() {
		for i < len(d) && strings.IndexByte(" \t\r\n\f", d[i]) >= 0 {
			i++
		}
	}
	// comma skips what may stand between two numbers.
	comma := func() {
		if space(); i < len(d) && d[i] == ',' {
			i++
			space()
		}
	}
	var letter byte
	for space(); i < len(d); space() {
		at := i
		again := false
		if c := d[i] &^ 0x20; c >= 'A' && c <= 'Z' && d[i] >= 'A' {
			letter = d[i]
			i++
			space()
		} else if letter == 0 || letter == 'Z' || letter == 'z' {
			return &PathError{at, fmt.Sprintf("there must be a command and not %s; a path begins with M", quoteAt(d, at))}
		} else if again = strings.IndexByte("+-.0123456789,", d[i]) >= 0; !again {
			return &PathError{at, fmt.Sprintf("there must be a command or a number and not %s", quoteAt(d, at))}
		}
		n, known := argsOf[letter&^0x20]
		switch {
		case !known:
			return &PathError{at, fmt.Sprintf("there is no command %s; they are %s", quoteAt(d, at), pathLetters)}
		case len(p.commands) == 0 && letter&^0x20 != 'M':
			return &PathError{at, "a path begins with M"}
		}
		c := command{letter: letter}
		for k := range n {
			if k > 0 {
				comma()
			}
			if letter&^0x20 == 'A' && (k == 3 || k == 4) { // a flag, which needs nothing behind it
				if i >= len(d) || d[i] != '0' && d[i] != '1' {
					return &PathError{i, fmt.Sprintf("a flag of an arc is 0 or 1, and not %s", quoteAt(d, i))}
				}
				c.args = append(c.args, int64(d[i]-'0')*unit)
				i++
				continue
			}
			micro, size, err := scanNumber(d[i:])
			if err == errLarge {
				return &PathError{i, fmt.Sprintf("the number %v", err)}
			} else if err != nil {
				return &PathError{i, fmt.Sprintf("%c takes %d numbers, and there is %s", letter, n, quoteAt(d, i))}
			}
			c.args = append(c.args, micro)
			i += size
		}
		if n > 0 {
			mark := i
			comma()
			if strings.Contains(d[mark:i], ",") && (i == len(d) || d[i] >= 'A') {
				return &PathError{mark, "there is a comma and no number behind it"}
			}
		}
		// Further pairs after M are lines.
		if again && letter == 'M' {
			c.letter = 'L'
		} else if again && letter == 'm' {
			c.letter = 'l'
		}
		p.commands = append(p.commands, c)
	}
	if len(p.commands) == 0 {
		return &PathError{0, "it is empty"}
	}
	if _, err := p.trace(1, 1); err != nil {
		return &PathError{0, err.Error()}
	}
	return nil
}

// quoteAt is the character at a place, for a sentence.
func quoteAt(d string, i int) string {
	if i >= len(d) {
		return "the end"
	}
	for _, r := range d[i:] {
		return fmt.Sprintf("%q", string(r))
	}
	return ""
}

// SetBox reads four numbers, such as "0 0 24 24": the area of the coordinates
// of the path that is laid over the whole picture, stretched to fit.
func (p *Path) SetBox(s string) error {
	fields := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,\t\r\n", r) })
	if len(fields) != 4 {
		return fmt.Errorf("must be four numbers: x, y, width and height")
	}
	for i, f := range fields {
		micro, n, err := scanNumber(f)
		if err == nil && n != len(f) {
			err = fmt.Errorf("is no number")
		}
		if err != nil {
			return fmt.Errorf("must be four numbers, and %q %w", f, err)
		}
		p.box[i] = micro
	}
	if p.box[2] <= 0 || p.box[3] <= 0 {
		return fmt.Errorf("needs a width and a height above 0")
	}
	p.boxed = true
	return nil
}

// String is the canonical text: numbers in their shortest form, a letter for
// each command.
func (p *Path) String() string {
	var b strings.Builder
	if p.boxed {
		for i, v := range p.box {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(decimal(v))
		}
		b.WriteByte('|')
	}
	for _, c := range p.commands {
		letter := c.letter
		if letter == 'z' {
			letter = 'Z'
		}
		b.WriteByte(letter)
		for i, a := range c.args {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(decimal(a))
		}
	}
	return b.String()
}

// trace is the outline in a picture. It is an error if it goes too far.
func (p *Path) trace(width, height int) ([][]Point, error) {
	t := tracer{}
	box := [4]int64{0, 0, unit, unit}
	w, h := int64(Sub), int64(Sub)
	if p.boxed {
		box, w, h = p.box, int64(width)*Sub, int64(height)*Sub
	}
	place := func(x, y int64) Point {
		return Point{t.bound(mulDiv(x-box[0], w, box[2])), t.bound(mulDiv(y-box[1], h, box[3]))}
	}
	var x, y, fromX, fromY int64 // where the pen is, where the part began
	var cx, cy int64             // the last control point
	var last byte                // the command before
	for _, c := range p.commands {
		a := c.args
		var ox, oy int64 // of relative coordinates
		if c.letter >= 'a' {
			ox, oy = x, y
		}
		big := c.letter &^ 0x20
		smooth := func(of string) (int64, int64) {
			if strings.IndexByte(of, last) >= 0 {
				return 2*x - cx, 2*y - cy
			}
			return x, y
		}
		if big != 'M' && big != 'Z' && last == 'Z' {
			t.move(place(x, y))
		}
		switch big {
		case 'M':
			x, y = ox+a[0], oy+a[1]
			fromX, fromY = x, y
			t.move(place(x, y))
		case 'Z':
			x, y = fromX, fromY
		case 'L':
			x, y = ox+a[0], oy+a[1]
			t.line(place(x, y))
		case 'H':
			x = ox + a[0]
			t.line(place(x, y))
		case 'V':
			y = oy + a[0]
			t.line(place(x, y))
		case 'C', 'S':
			var bx, by int64
			if big == 'C' {
				bx, by, a = ox+a[0], oy+a[1], a[2:]
			} else {
				bx, by = smooth("CS")
			}
			cx, cy = ox+a[0], oy+a[1]
			x, y = ox+a[2], oy+a[3]
			t.cubic(place(bx, by), place(cx, cy), place(x, y))
		case 'Q', 'T':
			if big == 'Q' {
				cx, cy, a = ox+a[0], oy+a[1], a[2:]
			} else {
				cx, cy = smooth("QT")
			}
			x, y = ox+a[0], oy+a[1]
			t.quad(place(cx, cy), place(x, y))
		case 'A':
			toX, toY := ox+a[5], oy+a[6]
			for _, q := range arc(float64(x), float64(y), float64(a[0]), float64(a[1]), a[2], a[3] != 0, a[4] != 0, float64(toX), float64(toY)) {
				t.line(place(int64(math.Round(q[0])), int64(math.Round(q[1]))))
			}
			x, y = toX, toY
			t.line(place(x, y))
		}
		last = big
		if far := max(x, -x, y, -y, cx, -cx, cy, -cy); far > 3*most*unit {
			t.far = true
		}
		if t.far {
			return nil, errFar
		}
	}
	return t.parts, nil
}
