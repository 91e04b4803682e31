package paint

import "github.com/imgbuild/imgbuild/internal/imaging"

// Order says what to draw.
type Order struct {
	Prompt        string
	Style         string // "vivid", "natural" or ""
	Width, Height int    // pixels; with a Base both may be 0 for its size
	Seed          uint64 // another seed, another picture

	Base *imaging.Picture   // to change, or nil
	More []*imaging.Picture // further pictures that go into the change
	Mask *imaging.Mask      // where Base may change, of its size; nil for everywhere
}

// Memory is the bytes, about, that Draw takes for a picture of so many pixels,
// besides what an Order brings; with a base, of which there are so many besides,
// it takes those of its change too.
func Memory(width, height, baseWidth, baseHeight int) int64 {
	out, base := int64(width)*int64(height), int64(baseWidth)*int64(baseHeight)
	if base == 0 {
		return 12 * out // colours of 8 bytes, and the picture of them
	}
	return 20*min(base, int64(most)) + 4*base + 4*out // two of them, or one that is fitted; the change, fitted to base and to what is asked for
}

// Draw draws a new picture of Width x Height pixels, both at least 1, or changes
// Base. A change is worked out at the size of Base, whose pixels outside the
// mask stay as they are to the bit, and is then fitted to Width x Height if
// those differ. Base itself is not written to.
func Draw(o Order) *imaging.Picture {
	m := read(o.Prompt, o.Style)
	if o.Base != nil {
		return edit(o, m)
	}
	m.choose()
	vignette := 34
	if m.manner == "bauhaus" || m.manner == "lowpoly" {
		vignette = 0 // printed flat
	}
	p := compose(m, max(o.Width, least), max(o.Height, least), m.seed(o.Seed)).finish(vignette)
	return resized(p, o.Width, o.Height)
}

// seed makes the same number draw other things for other words.
func (m *mood) seed(n uint64) random {
	r := random(n ^ m.hash)
	return r.split()
}

// least is the shortest side that is drawn; smaller pictures are made of one
// that has it.
const least = 64

// choose fills in, by the hash of the words, what no word names.
func (m *mood) choose() {
	if m.time == "" && (m.with["aurora"] || m.with["stars"] || m.with["moon"]) {
		m.time = "night"
	}
	if m.manner != "" || m.scene != "" {
		return
	}
	r := random(m.hash)
	switch {
	case m.with["lake"] || m.with["trees"] || m.with["aurora"]:
		m.scene = "mountains"
	case m.time != "" || m.season != "":
		m.scene = []string{"mountains", "sea", "meadow", "forest", "mountains", "desert", "city"}[r.n(7)]
	default:
		list := []string{"lowpoly", "bauhaus", "mesh", "mountains", "sea", "lowpoly", "desert", "meadow", "space"}
		if k := r.n(len(list)); k < 3 || k == 5 {
			m.manner = list[k]
		} else {
			m.scene = list[k]
		}
	}
}

// compose draws what m asks for.
func compose(m mood, w, h int, r random) *canvas {
	s := &scene{c: newCanvas(w, h), w: w, h: h, u: min(w, h), r: r, m: m, skyline: 1000}
	switch m.manner {
	case "lowpoly":
		s.lowpoly()
		return s.c
	case "bauhaus":
		s.bauhaus()
		return s.c
	case "mesh":
		s.mesh()
		return s.c
	}
	switch m.scene {
	case "sea":
		s.sea()
	case "city":
		s.city()
	case "meadow":
		s.meadow()
	case "forest":
		s.forest()
	case "desert":
		s.desert()
	case "space":
		s.space()
	default:
		s.mountains()
	}
	s.weather()
	return s.c
}
