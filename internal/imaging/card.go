package imaging

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/bidi"

	"github.com/imgbuild/imgbuild/internal/shape"
)

// Card is a text over a picture, for previews of a page elsewhere.
type Card struct {
	Title, Subtitle string
	Font            []byte // a TrueType or OpenType file for both; nil for Go Bold and Go Regular
	Color           [3]byte
	// Width and Height are those that the text is laid out for: on a picture of
	// another size all of it is larger or smaller, in the same lines.
	Width, Height int
}

// CardFault is why a card can't be drawn.
type CardFault struct{ Field, Text, Hint string }

// Check lists what is wrong with a card.
func (c *Card) Check() []CardFault {
	_, faults := c.layout()
	return faults
}

// Of is p with the text on it, at the lower left. Behind it the picture is
// darkened, or lightened for a dark text, so far that the contrast is at least
// 4.5 to 1 wherever a letter stands and whatever the picture shows.
func (c *Card) Of(p *Picture) (out *Picture, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("imaging: the font is damaged: %v", r)
		}
	}()
	lines, faults := c.layout()
	if len(faults) > 0 {
		return nil, fmt.Errorf("imaging: %s: %s", faults[0].Field, faults[0].Text)
	}
	out = &Picture{pix: append([]byte(nil), p.pix...), width: p.width, height: p.height}
	tone, most := c.plate()
	// The plate fades in over the height of a line above the text.
	fade := lines[0].ppem
	full := (lines[0].baseline - lines[0].ppem - fade/4) * p.height / c.Height
	from := full - fade*p.height/c.Height
	for y := max(from, 0); y < p.height; y++ {
		alpha := most
		if y < full {
			alpha = most * (y - from) / (full - from)
		}
		row := out.pix[4*y*p.width:][:4*p.width]
		for i := range row {
			if i%4 < 3 {
				row[i] = byte((int(row[i])*(255-alpha) + tone*alpha + 127) / 255)
			} else {
				row[i] = byte(255 - ((255-int(row[i]))*(255-alpha)+127)/255)
			}
		}
	}
	var parts [][]shape.Point
	for i := range lines {
		more, err := lines[i].outline(c, p.width)
		if err != nil {
			return nil, fmt.Errorf("imaging: font: %w", err)
		}
		parts = append(parts, more...)
	}
	fill(parts, p.width, p.height, func(y, from int, cover []byte) {
		row := out.pix[4*(y*p.width+from):]
		for i, a := range cover {
			s, a := row[4*i:][:4], int(a)
			for k := range 3 {
				s[k] = byte((int(s[k])*(255-a) + int(c.Color[k])*a + 127) / 255)
			}
			s[3] = byte(255 - ((255-int(s[3]))*(255-a)+127)/255)
		}
	})
	return out, nil
}

// plate is the grey that goes behind the text, black or white, and how much of
// it: the less, the better.
func (c *Card) plate() (tone, alpha int) {
	light := lights()
	of := light.of
	luminance := (13933*int(of[c.Color[0]]) + 46871*int(of[c.Color[1]]) + 4732*int(of[c.Color[2]])) >> 16
	const dim = 3277 // the light that is always there: 0.05
	for alpha = 160; alpha < 255; alpha++ {
		// The worst that can stand behind the plate is its opposite.
		dark, bright := int(of[255-alpha]), int(of[alpha])
		if 2*(luminance+dim) >= 9*(dark+dim) {
			return 0, alpha
		}
		if 2*(bright+dim) >= 9*(luminance+dim) {
			return 255, alpha
		}
	}
	if luminance > 11_000 {
		return 0, 255
	}
	return 255, 255
}

// fonts are the embedded ones.
var fonts = [2]func() (*sfnt.Font, error){
	sync.OnceValues(func() (*sfnt.Font, error) { return sfnt.Parse(gobold.TTF) }),
	sync.OnceValues(func() (*sfnt.Font, error) { return sfnt.Parse(goregular.TTF) }),
}

// spelled is a text in a font.
type spelled struct {
	font   *sfnt.Font
	buffer *sfnt.Buffer
	runes  []rune
	glyphs []sfnt.GlyphIndex
}

// line is a line of a card, placed.
type line struct {
	*spelled
	from, to int // of its characters
	ppem     int // height of the font in pixels
	baseline int
}

// margin and gap are what is left free around and between the texts.
func (c *Card) margin() int { return min(c.Width, c.Height) / 12 }

// Lines that a card has room for.
const (
	titleLines    = 4
	subtitleLines = 2
)

// layout breaks the texts into lines: the title as large as it fits into three,
// the subtitle below it.
func (c *Card) layout() (lines []line, faults []CardFault) {
	defer func() {
		if r := recover(); r != nil { // a font is a file of the user
			lines, faults = nil, []CardFault{{"font", fmt.Sprintf("the font is damaged: %v", r), "use another TrueType or OpenType file"}}
		}
	}()
	texts := make([]*spelled, 2)
	for i, field := range []string{"title", "subtitle"} {
		f, err := fonts[i]()
		if c.Font != nil {
			f, err = sfnt.Parse(c.Font)
		}
		if err != nil {
			return nil, []CardFault{{"font", "the font can't be read: " + strings.TrimPrefix(err.Error(), "sfnt: "), "use a TrueType or OpenType file"}}
		}
		var fault *CardFault
		if texts[i], fault = spell(f, field, []string{c.Title, c.Subtitle}[i]); fault != nil {
			faults = append(faults, *fault)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	room := c.Width - 2*c.margin()
	sub, over := texts[1].wrap(c.Height/20, room, subtitleLines)
	if over != nil {
		faults = append(faults, over.fault("subtitle"))
	}
	var title []line
	large, small := c.Height/8, c.Height/16
	for ppem := large; ; ppem -= 2 {
		ppem = max(ppem, small)
		most := titleLines - 1
		if ppem == small {
			most = titleLines
		}
		if title, over = texts[0].wrap(ppem, room, most); over == nil || ppem == small {
			break
		}
	}
	if over != nil {
		faults = append(faults, over.fault("title"))
	}
	if len(faults) > 0 {
		return nil, faults
	}
	// From the bottom upwards.
	y := c.Height - c.margin()
	lines = append(title, sub...)
	for i := len(lines) - 1; i >= 0; i-- {
		lines[i].baseline = y - lines[i].ppem/4
		y -= lines[i].ppem * 6 / 5
		if i == len(title) {
			y -= lines[i].ppem / 3
		}
	}
	if y < 0 {
		return nil, []CardFault{{"title", fmt.Sprintf("the text does not fit into %dx%d", c.Width, c.Height), "shorten it, or make the card higher"}}
	}
	return lines, nil
}

// spell finds the glyphs of a text.
func spell(f *sfnt.Font, field, text string) (*spelled, *CardFault) {
	l := &spelled{font: f, buffer: &sfnt.Buffer{}}
	for _, r := range text {
		fault := func(format, hint string) (*spelled, *CardFault) {
			return nil, &CardFault{field, fmt.Sprintf("the %s has %s, "+format, field, shown(r)), hint}
		}
		class, _ := bidi.LookupRune(r)
		switch c := class.Class(); {
		case c == bidi.R || c == bidi.AL || c == bidi.AN:
			return fault("of a script that is written from right to left, which cards can't", "make the card elsewhere, or write it in another script")
		case unicode.Is(unicode.M, r):
			return fault("which joins with other letters, which cards can't do", "make the card elsewhere, or write it in another script")
		case r == '\n':
			l.runes, l.glyphs = append(l.runes, r), append(l.glyphs, 0)
			continue
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return fault("which can't be seen", "remove it")
		}
		g, err := f.GlyphIndex(l.buffer, r)
		if err != nil {
			return nil, &CardFault{"font", "the font can't be read: " + strings.TrimPrefix(err.Error(), "sfnt: "), "use a TrueType or OpenType file"}
		}
		if g == 0 && unicode.IsSpace(r) {
			g, _ = f.GlyphIndex(l.buffer, ' ')
		}
		if g == 0 {
			return fault("for which the font has no glyph", `write font = "…" with a font that has it, or another text`)
		}
		l.runes, l.glyphs = append(l.runes, r), append(l.glyphs, g)
	}
	return l, nil
}

// shown is a character for people.
func shown(r rune) string {
	if unicode.IsGraphic(r) && !unicode.Is(unicode.M, r) {
		return fmt.Sprintf("%q (%U)", string(r), r)
	}
	return fmt.Sprintf("the character %U", r)
}

// overflow is a text that does not fit.
type overflow struct {
	word      string // that is wider than the card
	has, fits int    // characters
}

func (o *overflow) fault(field string) CardFault {
	if o.word != "" {
		if r := []rune(o.word); len(r) > 60 {
			o.word = string(r[:60]) + "…"
		}
		return CardFault{field, fmt.Sprintf("the word %q of the %s is wider than the card", o.word, field), "shorten or hyphenate it"}
	}
	return CardFault{field, fmt.Sprintf("the %s is too long for the card: it has %d characters, and %d fit", field, o.has, o.fits), "shorten it"}
}

// advance is how far the pen goes from glyph i to the next one of its line, in
// 64ths of a pixel.
func (l *spelled) advance(i int, last bool, ppem fixed.Int26_6) int {
	a, err := l.font.GlyphAdvance(l.buffer, l.glyphs[i], ppem, font.HintingNone)
	if err != nil {
		panic(err)
	}
	if !last {
		if k, err := l.font.Kern(l.buffer, l.glyphs[i], l.glyphs[i+1], ppem, font.HintingNone); err == nil {
			a += k
		}
	}
	return int(a)
}

// wrap breaks the text into lines of so many pixels.
func (l *spelled) wrap(ppem, room, most int) (lines []line, over *overflow) {
	size, n := fixed.I(ppem), len(l.runes)
	space := func(i int) bool { return unicode.IsSpace(l.runes[i]) }
	for from := 0; ; {
		for from < n && space(from) {
			from++
		}
		if from == n {
			return lines, nil
		}
		end, next, x := -1, 0, 0 // where the line may end, and the next begin
		i := from
		for ; i < n && l.runes[i] != '\n'; i++ {
			if wide := l.runes[i] == '\u00a0' || l.runes[i] == '\u202f'; space(i) && !wide && !space(i-1) || i > from && l.breaks(i) {
				end, next = i, i
			}
			x += l.advance(i, i+1 == n || l.runes[i+1] == '\n', size)
			if x > 64*room && !space(i) {
				break
			}
		}
		if i == n || l.runes[i] == '\n' { // all of the rest fits
			if next = i; !space(i - 1) {
				end = i
			}
		}
		switch {
		case end < 0:
			for i < n && !space(i) {
				i++
			}
			return nil, &overflow{word: string(l.runes[from:i])}
		case len(lines) == most:
			return nil, &overflow{has: n, fits: from}
		}
		lines = append(lines, line{spelled: l, from: from, to: end, ppem: ppem})
		from = next
	}
}

// breaks reports whether a line may end before character i, where there is no
// space: behind a hyphen or dash, and between characters that are words.
func (l *spelled) breaks(i int) bool {
	word := func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }
	a, b := l.runes[i-1], l.runes[i]
	return (a == '-' || a == '\u2013' || a == '\u2014') && unicode.IsLetter(b) || word(a) && word(b)
}

// outline is the polygons of a line on a picture of the given width.
func (l *line) outline(c *Card, width int) (parts [][]shape.Point, err error) {
	// 26.6, at the size of the picture.
	scaled := func(v int) int { return v * width / c.Width }
	ppem := fixed.Int26_6(scaled(64 * l.ppem))
	x, y := int64(scaled(64*c.margin())), int64(scaled(64*l.baseline))
	for i := l.from; i < l.to; i++ {
		segments, err := l.font.LoadGlyph(l.buffer, l.glyphs[i], ppem, nil)
		if err != nil {
			return nil, err
		}
		var part []shape.Point
		at := func(p fixed.Point26_6) shape.Point {
			const unit = shape.Sub / 64
			to := shape.Point{X: (x + int64(p.X)) * unit, Y: (y + int64(p.Y)) * unit}
			if max(to.X, -to.X, to.Y, -to.Y) > 1<<16*shape.Sub {
				panic("a glyph is far too large")
			}
			return to
		}
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if len(part) > 2 {
					parts = append(parts, part)
				}
				part = []shape.Point{at(s.Args[0])}
			case sfnt.SegmentOpLineTo:
				part = append(part, at(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				part = curve(part, at(s.Args[0]), at(s.Args[1]))
			case sfnt.SegmentOpCubeTo:
				part = curve(part, at(s.Args[0]), at(s.Args[1]), at(s.Args[2]))
			}
		}
		if len(part) > 2 {
			parts = append(parts, part)
		}
		x += int64(l.advance(i, i+1 == l.to, ppem))
	}
	return parts, nil
}

// curve appends the points of a curve that begins where part ends: of one or two
// control points, and an end.
func curve(part []shape.Point, to ...shape.Point) []shape.Point {
	const steps = 12
	points := append([]shape.Point{part[len(part)-1]}, to...)
	for t := int64(1); t <= steps; t++ {
		p := append([]shape.Point(nil), points...)
		unit := int64(1) // after each round all are times steps
		for n := len(p) - 1; n > 0; n-- {
			for i := range n {
				p[i] = shape.Point{X: p[i].X*(steps-t) + p[i+1].X*t, Y: p[i].Y*(steps-t) + p[i+1].Y*t}
			}
			unit *= steps
		}
		part = append(part, shape.Point{X: floorDiv(p[0].X, unit), Y: floorDiv(p[0].Y, unit)})
	}
	return part
}

func floorDiv(n, d int64) int64 {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}
