package imaging

import "fmt"

// Fit scales p, keeping its ratio unless fit is "fill", with a Lanczos filter
// of three lobes. A width or height of 0 follows the other; both 0 means no
// change.
//
//	cover    fills the box and crops what sticks out on two sides equally
//	contain  the whole picture in the middle of the box, the rest transparent
//	fill     stretches to the box
//	inside   as large as fits into the box; the result may be smaller than it
//	outside  as small as covers the box; the result may be larger than it
//
// Unless enlarge is true no pixel is made up: a box that would need it is
// reduced, keeping its own ratio, until it does not. Any other fit is a
// bug and panics.
func Fit(p *Picture, width, height int, fit string, enlarge bool) *Picture {
	w, h := p.full()
	if len(p.smaller) > 0 {
		shrink := enough(w, h, Box{width, height, fit, enlarge})
		for _, q := range p.smaller {
			if q.shrink == shrink {
				p = q
			}
		}
	}
	pl := place(w, h, width, height, fit, enlarge)
	scaled := resize(p, pl.crop, pl.width, pl.height)
	if pl.width == pl.boxWidth && pl.height == pl.boxHeight {
		return scaled
	}
	out := New(pl.boxWidth, pl.boxHeight)
	left, top := (pl.boxWidth-pl.width)/2, (pl.boxHeight-pl.height)/2
	for y := range pl.height {
		copy(out.pix[4*((top+y)*out.width+left):], scaled.pix[4*y*pl.width:4*(y+1)*pl.width])
	}
	return out
}

type rect struct{ x, y, width, height int }

// placement says which part of the source is scaled to which size, and the
// size of the box in whose middle it is put.
type placement struct {
	crop                rect
	width, height       int
	boxWidth, boxHeight int
}

func place(sw, sh, w, h int, fit string, enlarge bool) placement {
	pl := placement{crop: rect{0, 0, sw, sh}}
	// A side of 0 follows the other, and then every fit is the same.
	follow := w == 0 || h == 0
	switch {
	case w == 0 && h == 0:
		w, h = sw, sh
	case w == 0:
		w = scale(sw, h, sh)
	case h == 0:
		h = scale(sh, w, sw)
	}
	wide := w*sh > sw*h // the box is wider than the picture
	switch {
	case fit == "fill", follow:
		if !enlarge {
			if w > sw {
				w, h = sw, scale(h, sw, w)
			}
			if h > sh {
				w, h = scale(w, sh, h), sh
			}
		}
		pl.width, pl.height = w, h
	case fit == "cover":
		if !enlarge {
			if wide && w > sw {
				w, h = sw, scale(h, sw, w)
			} else if !wide && h > sh {
				w, h = scale(w, sh, h), sh
			}
		}
		if wide {
			pl.crop.height = min(sh, scale(sw, h, w))
		} else {
			pl.crop.width = min(sw, scale(sh, w, h))
		}
		pl.crop.x, pl.crop.y = (sw-pl.crop.width)/2, (sh-pl.crop.height)/2
		pl.width, pl.height = w, h
	case fit == "contain":
		if !enlarge {
			if wide && h > sh {
				w, h = scale(w, sh, h), sh
			} else if !wide && w > sw {
				w, h = sw, scale(h, sw, w)
			}
		}
		pl.width, pl.height = inside(sw, sh, w, h, wide)
	case fit == "inside", fit == "outside":
		pl.width, pl.height = inside(sw, sh, w, h, wide == (fit == "inside"))
		if !enlarge && (pl.width > sw || pl.height > sh) {
			pl.width, pl.height = sw, sh
		}
		w, h = pl.width, pl.height
	default:
		panic(fmt.Sprintf("imaging: no fit %q", fit))
	}
	pl.boxWidth, pl.boxHeight = w, h
	return pl
}

// inside is a picture of sw x sh scaled to the height of the box, or to its
// width.
func inside(sw, sh, w, h int, toHeight bool) (int, int) {
	if toHeight {
		return scale(sw, h, sh), h
	}
	return w, scale(sh, w, sw)
}

// scale is n*num/den, rounded, and at least 1.
func scale(n, num, den int) int { return max(1, (2*n*num+den)/(2*den)) }
