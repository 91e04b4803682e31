package imaging

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gomono"
)

// words are the lines of a card.
func (c *Card) words(t *testing.T) []string {
	t.Helper()
	lines, faults := c.layout()
	if len(faults) > 0 {
		t.Fatalf("%q: %+v", c.Title, faults)
	}
	var out []string
	for _, l := range lines {
		out = append(out, string(l.runes[l.from:l.to]))
	}
	return out
}

func TestCardLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ title, subtitle, want string }{
		{"Hello", "", "Hello"},
		{"Hello", "World", "Hello|World"},
		{"  Two\n\nlines  \n", "", "Two|lines"},
		{"The quick brown fox jumps over the lazy dog and on", "", "The quick brown fox jumps|over the lazy dog and on"},
		{"The quick brown fox\u00a0jumps\u00a0over the lazy dog", "", "The quick brown|fox\u00a0jumps\u00a0over the lazy dog"},
		{"A well-known well-known well-known well-known well-known", "by anybody", "A well-known well-known|well-known well-known|well-known|by anybody"},
		{"Über Ærø – ½ € “ß” Ωμέγα Привет", "", "Über Ærø – ½ € “ß” Ωμέγα|Привет"},
	} {
		c := Card{Title: tt.title, Subtitle: tt.subtitle, Width: 1200, Height: 630}
		if got := strings.Join(c.words(t), "|"); got != tt.want {
			t.Errorf("%q\n%q, want\n%q", tt.title, got, tt.want)
		}
	}
}

func TestCardFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, title, subtitle string
		font                  []byte
		want                  string
	}{
		{"fine", "Hello", "World", nil, ""},
		{"too long", strings.Repeat("many words ", 40), "", nil, "title: the title is too long for the card: it has 440 characters, and 198 fit"},
		{"both too long", strings.Repeat("many words ", 40), strings.Repeat("some more ", 40), nil,
			"subtitle: the subtitle is too long for the card: it has 400 characters, and 130 fit; title: the title is too long for the card: it has 440 characters, and 198 fit"},
		{"a long word", "A " + strings.Repeat("long", 30), "", nil, `title: the word "` + strings.Repeat("long", 15) + `…" of the title is wider than the card`},
		{"Hebrew", "Shalom: שלום", "", nil, `title: the title has "ש" (U+05E9), of a script that is written from right to left, which cards can't`},
		{"Arabic digits", "٣", "", nil, `title: the title has "٣" (U+0663), of a script that is written from right to left, which cards can't`},
		{"no glyph", "日本", "", nil, `title: the title has "日" (U+65E5), for which the font has no glyph`},
		{"an emoji", "Fun", "so 🎉", nil, `subtitle: the subtitle has "🎉" (U+1F389), for which the font has no glyph`},
		{"a mark", "x\u0301", "", nil, `title: the title has the character U+0301, which joins with other letters, which cards can't do`},
		{"invisible", "a\u200bb", "", nil, `title: the title has the character U+200B, which can't be seen`},
		{"a tab", "a\tb", "", nil, `title: the title has the character U+0009, which can't be seen`},
		{"a font of its own", "Mono", "spaced", gomono.TTF, ""},
		{"a font of its own lacks it too", "日", "", gomono.TTF, `title: the title has "日" (U+65E5), for which the font has no glyph`},
		{"no font", "a", "", []byte("not a font"), "font: the font can't be read: invalid bounds"},
	} {
		c := Card{Title: tt.title, Subtitle: tt.subtitle, Font: tt.font, Width: 1200, Height: 630}
		var got []string
		for _, f := range c.Check() {
			got = append(got, f.Field+": "+f.Text)
			if f.Hint == "" {
				t.Errorf("%s: no hint", tt.name)
			}
		}
		if s := strings.Join(got, "; "); s != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.name, s, tt.want)
		}
		if _, err := c.Of(New(1200, 630)); (err != nil) != (tt.want != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Text is legible on anything, and what is far from it stays as it is.
func TestCardPixels(t *testing.T) {
	t.Parallel()
	of := lights().of
	light := func(s []byte) int {
		return (13933*int(of[s[0]])+46871*int(of[s[1]])+4732*int(of[s[2]]))>>16 + 3277
	}
	for _, tt := range []struct {
		name   string
		ground byte
		color  [3]byte
	}{
		{"white on white", 255, [3]byte{255, 255, 255}}, {"white on black", 0, [3]byte{255, 255, 255}},
		{"black on black", 0, [3]byte{0, 0, 0}}, {"black on white", 255, [3]byte{0, 0, 0}},
		{"orange on white", 255, [3]byte{255, 136, 0}}, {"grey on white", 255, [3]byte{119, 119, 119}}, {"grey on black", 0, [3]byte{119, 119, 119}},
	} {
		p := New(600, 315)
		for i := range p.pix {
			p.pix[i] = tt.ground
			if i%4 == 3 {
				p.pix[i] = 255
			}
		}
		before := Digest(p)
		c := Card{Title: "Ag", Subtitle: "jI", Color: tt.color, Width: 1200, Height: 630}
		got, err := c.Of(p)
		if err != nil {
			t.Fatal(err)
		}
		if Digest(p) != before {
			t.Errorf("%s: the picture has changed", tt.name)
		}
		left, top, right, bottom := got.width, got.height, -1, -1
		plain := 0
		for y := range got.height {
			row := got.pix[4*y*got.width:][:4*got.width]
			edge := row[:4] // where no letter is
			if edge[0] == tt.ground {
				plain++
			}
			for x := range got.width {
				s := row[4*x:][:4]
				if s[0] == edge[0] && s[1] == edge[1] && s[2] == edge[2] {
					continue
				}
				left, top, right, bottom = min(left, x), min(top, y), max(right, x), max(bottom, y)
				a, b := light(edge), light(tt.color[:])
				if ratio := 100 * max(a, b) / min(a, b); ratio < 449 {
					t.Fatalf("%s: at %d,%d the contrast is %d to 100", tt.name, x, y, ratio)
				}
			}
		}
		if left < 20 || left > 36 || right > 150 || top < 180 || bottom > 300 || right < 60 || bottom < 270 {
			t.Errorf("%s: the text is at %d,%d to %d,%d", tt.name, left, top, right, bottom)
		}
		if plain < 150 {
			t.Errorf("%s: only %d rows are as they were", tt.name, plain)
		}
	}
}

// A font is a file that anybody can have made.
func TestCardDamagedFont(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	p := New(120, 63)
	drawn, faults := 0, 0
	for range 300 {
		f := slices.Clone(gomono.TTF)
		for range 1 + r.IntN(20) {
			f[r.IntN(len(f))] = byte(r.Uint32())
		}
		for range r.IntN(3) { // the tables at the front, which say where all is
			f[r.IntN(300)] = byte(r.Uint32())
		}
		c := Card{Title: "Hello, glyphs", Font: f, Width: 1200, Height: 630}
		if _, err := c.Of(p); err == nil {
			drawn++
		} else {
			faults++
		}
	}
	if drawn == 0 || faults == 0 {
		t.Errorf("%d drawn, %d refused: this tests nothing", drawn, faults)
	}
}

// The pixels are the same on every platform.
func TestCardGolden(t *testing.T) {
	t.Parallel()
	c := Card{Title: "The quick brown fox jumps over the lazy dog & “all” that: §é", Subtitle: "0123456789", Color: [3]byte{255, 255, 255}, Width: 1200, Height: 630}
	got, err := c.Of(patches("", 480, 252))
	if err != nil {
		t.Fatal(err)
	}
	if d := Digest(got).Short(); d != "5357f775720e" {
		t.Errorf("pixels %s", d)
	}
}
