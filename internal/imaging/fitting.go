package imaging

import (
	"fmt"
	"slices"
)

// Fitting is Fit with a say in what is kept and how pixels are mixed.
type Fitting struct {
	Width, Height int
	Fit           string // as Fit says
	// Gravity is the side or corner that cover keeps, and that contain puts the
	// picture at: "north", "northeast", … and "" or "center" for the middle.
	// "attention" keeps, of cover, what Attention finds.
	Gravity string
	Enlarge bool
	// Linear mixes light and not the numbers that stand for it.
	Linear bool
}

// plain reports whether Fit does all of it.
func (f Fitting) plain() bool { return (f.Gravity == "" || f.Gravity == "center") && !f.Linear }

// Box is what DecodeFor has to be asked for: all of a picture unless Fit does
// the work.
func (f Fitting) Box() Box {
	if f.plain() {
		return Box{f.Width, f.Height, f.Fit, f.Enlarge}
	}
	return Box{}
}

// Size is that of what Of makes of a picture of the given size.
func (f Fitting) Size(width, height int) (int, int) {
	pl := place(width, height, f.Width, f.Height, f.Fit, f.Enlarge)
	return pl.boxWidth, pl.boxHeight
}

// Of is p so fitted.
func (f Fitting) Of(p *Picture) *Picture {
	if f.plain() {
		return Fit(p, f.Width, f.Height, f.Fit, f.Enlarge)
	}
	p = p.alone()
	pl := place(p.width, p.height, f.Width, f.Height, f.Fit, f.Enlarge)
	pl.crop.x, pl.crop.y = f.within(p.width-pl.crop.width, p.height-pl.crop.height)
	if f.Gravity == "attention" {
		pl.crop.x, pl.crop.y = p.Attention(pl.crop.width, pl.crop.height)
	}
	scale := resize
	if f.Linear {
		scale = resizeLinear
	}
	scaled := scale(p, pl.crop, pl.width, pl.height)
	if pl.width == pl.boxWidth && pl.height == pl.boxHeight {
		return scaled
	}
	out := New(pl.boxWidth, pl.boxHeight)
	left, top := f.within(pl.boxWidth-pl.width, pl.boxHeight-pl.height)
	for y := range pl.height {
		copy(out.pix[4*((top+y)*out.width+left):], scaled.pix[4*y*pl.width:4*(y+1)*pl.width])
	}
	return out
}

// within is where something begins that leaves so many pixels free. Any other
// gravity is a bug and panics.
func (f Fitting) within(x, y int) (int, int) {
	points := []string{"northwest", "north", "northeast", "west", "center", "east", "southwest", "south", "southeast"}
	i := slices.Index(points, f.Gravity)
	if f.Gravity == "" || f.Gravity == "attention" {
		i = 4
	} else if i < 0 {
		panic(fmt.Sprintf("imaging: no gravity %q", f.Gravity))
	}
	return x * (i % 3) / 2, y * (i / 3) / 2
}

// Crop is the part of p that begins at x and y. It must lie inside.
func (p *Picture) Crop(x, y, width, height int) *Picture {
	if x < 0 || y < 0 || x+width > p.width || y+height > p.height {
		panic(fmt.Sprintf("imaging: crop of %dx%d at %d,%d from %dx%d", width, height, x, y, p.width, p.height))
	}
	return resize(p, rect{x, y, width, height}, width, height)
}

// Attention is where a part of p of the given size, as wide or as high as p,
// should begin so that it shows what people look at first: edges, saturated
// colours and tones of skin, as libvips and smartcrop.js judge, added up over
// the part and counted most in its middle.
func (p *Picture) Attention(width, height int) (x, y int) {
	const side = 128 // what is seen from afar is enough, and cheap
	small := Fit(p, min(side, p.width), min(side, p.height), "inside", false)
	columns, rows := small.saliency()
	return heaviest(columns, p.width, width), heaviest(rows, p.height, height)
}

// saliency is the sums of the columns and of the rows.
func (p *Picture) saliency() (columns, rows []int) {
	light := make([]int, p.width*p.height)
	for i := range light {
		light[i] = luma(p.pix[4*i:]) * int(p.pix[4*i+3]) / 255
	}
	at := func(x, y int) int {
		return light[min(max(y, 0), p.height-1)*p.width+min(max(x, 0), p.width-1)]
	}
	columns, rows = make([]int, p.width), make([]int, p.height)
	for y := range p.height {
		for x := range p.width {
			s := p.pix[4*(y*p.width+x):][:4]
			edge := abs(4*at(x, y) - at(x-1, y) - at(x+1, y) - at(x, y-1) - at(x, y+1))
			score := (2*min(edge, 255) + saturation(s) + 2*skin(s)) * int(s[3]) / 255
			columns[x] += score
			rows[y] += score
		}
	}
	return columns, rows
}

// saturation is 0 to 255; what is nearly black or white has little.
func saturation(s []byte) int {
	most, least := int(max(s[0], s[1], s[2])), int(min(s[0], s[1], s[2]))
	if most < 13 || least > 242 {
		return 0
	}
	return most - least
}

// skin is how near the direction of a colour is to that of skin, 0 to 255, and
// 0 where it is too dark or too light to tell.
func skin(s []byte) int {
	r, g, b := int(s[0]), int(s[1]), int(s[2])
	light := (r*r + g*g + b*b)
	if light < 60*60 || min(r, g, b) > 230 {
		return 0
	}
	// The cosine of the angle to (78, 57, 44), squared and times 2^16.
	dot := r*78 + g*57 + b*44
	cosine := (dot * dot / (78*78 + 57*57 + 44*44)) << 16 / light
	return max(0, cosine-63300) * 255 / (1<<16 - 63300)
}

// heaviest is where so many of all pixels should begin, by the weights of
// parts of equal size. Among equals the nearest to the middle.
func heaviest(weights []int, all, part int) int {
	best, most := (all-part)/2, -1
	n := len(weights)
	size := max(1, (n*part+all/2)/all)
	if part >= all || size >= n {
		return best
	}
	for from := range n - size + 1 {
		sum := 0
		for k := range size {
			// 1 in the middle, and a quarter at the edges.
			d := 2*k + 1 - size
			sum += weights[from+k] * (4*size*size - 3*d*d)
		}
		at := from * (all - part) / (n - size)
		if sum > most || sum == most && abs(at-(all-part)/2) < abs(best-(all-part)/2) {
			best, most = at, sum
		}
	}
	return best
}

// luma is how light a colour is, as Rec. 709 weighs it.
func luma(s []byte) int {
	return (13933*int(s[0]) + 46871*int(s[1]) + 4732*int(s[2]) + 1<<15) >> 16
}

// Grayscale is p without its colours.
func (p *Picture) Grayscale() *Picture {
	out := New(p.width, p.height)
	for i := 0; i < len(p.pix); i += 4 {
		v := byte(luma(p.pix[i:]))
		out.pix[i], out.pix[i+1], out.pix[i+2], out.pix[i+3] = v, v, v, p.pix[i+3]
	}
	return out
}

// On is p on a colour, opaque.
func (p *Picture) On(c [3]byte) *Picture {
	out := New(p.width, p.height)
	for i := 0; i < len(p.pix); i += 4 {
		a := int(p.pix[i+3])
		for k := range 3 {
			out.pix[i+k] = byte((int(p.pix[i+k])*a + int(c[k])*(255-a) + 127) / 255)
		}
		out.pix[i+3] = 255
	}
	return out
}
