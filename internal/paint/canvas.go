package paint

import "github.com/imgbuild/imgbuild/internal/imaging"

// canvas is a picture under work.
type canvas struct {
	pix  []colour
	w, h int
	area []int32 // of cover, zero between two calls
}

func newCanvas(w, h int) *canvas { return &canvas{pix: make([]colour, w*h), w: w, h: h} }

func (c *canvas) row(y int) []colour { return c.pix[y*c.w : (y+1)*c.w] }

// finish rounds to eight bits with an ordered dither, which hides the steps of
// smooth gradients, and darkens the corners by vignette/256.
func (c *canvas) finish(vignette int) *imaging.Picture {
	out := imaging.New(c.w, c.h)
	pix := out.Pix()
	light := make([]colour, c.w)
	for x := range light {
		light[x] = colour(256 - edge(x, c.w)*vignette>>8)
	}
	for y := range c.h {
		row, dst := c.row(y), pix[4*y*c.w:4*(y+1)*c.w]
		light := light[:len(row)]
		threshold := &bayer[y&7]
		d := colour(edge(y, c.h) * vignette >> 8)
		for x, v := range row {
			v = (v * (light[x] - d) >> 8 & laneMask) + threshold[x&7]
			p := dst[:4]
			p[0], p[1], p[2], p[3] = byte(v>>4), byte(v>>25), byte(v>>46), 255
			dst = dst[4:]
		}
	}
	return out
}

// edge is 0 in the middle of n pixels and 128 at both ends.
func edge(i, n int) int {
	d := (2*i + 1 - n) * 256 / n
	return d * d >> 8 * d >> 8 * d >> 9
}

// bayer is the 8x8 ordered dither in all lanes, 0 to 15; white, at 0xff0, can't
// overflow.
var bayer = func() (t [8][8]colour) {
	for y := range 8 {
		for x := range 8 {
			v := 0
			for bit := range 3 {
				v |= ((x^y)>>bit&1<<1 | y>>bit&1) << (4 - 2*bit)
			}
			t[y][x] = colour(v>>2) * lanes
		}
	}
	return t
}()

// mist lays col over all pixels of row y, t from 0 to 256.
func (c *canvas) mist(y int, col colour, t int) {
	if y < 0 || y >= c.h || t <= 0 {
		return
	}
	row := c.row(y)
	for x, v := range row {
		row[x] = mix(v, col, t)
	}
}

// disc is a filled circle; centre and radius in Q8 pixels.
func (c *canvas) disc(cx, cy, r int, col colour, strength int) {
	if r < 128 { // smaller than a pixel: its area, at one spot
		strength = strength * (r * r * 201 >> 14) >> 8
		r = 128
	}
	inner, outer := max(r-128, 0), r+128
	for y := max((cy-outer)>>8, 0); y <= min((cy+outer)>>8, c.h-1); y++ {
		dy := y<<8 + 128 - cy
		span := root(max(outer*outer-dy*dy, 0))
		x0, x1 := max((cx-span-128)>>8, 0), min((cx+span)>>8, c.w-1)
		row := c.row(y)
		for x := x0; x <= x1; x++ {
			dx := x<<8 + 128 - cx
			d := dx*dx + dy*dy
			switch {
			case d <= inner*inner:
				row[x] = mix(row[x], col, strength)
			case d < outer*outer:
				row[x] = mix(row[x], col, strength*min(outer-root(d), 256)>>8)
			}
		}
	}
}

// glow lights up pixels round a centre (pixels), fading to the radius.
func (c *canvas) glow(cx, cy, r int, light colour, strength int) {
	if r < 1 {
		return
	}
	rr := r * r
	part := 256 << 24 / rr
	for y := max(cy-r, 0); y <= min(cy+r, c.h-1); y++ {
		dy := (y - cy) * (y - cy)
		span := root(max(rr-dy, 0))
		row := c.row(y)
		for x := max(cx-span, 0); x <= min(cx+span, c.w-1); x++ {
			t := 256 - ((x-cx)*(x-cx)+dy)*part>>24
			t = t * t >> 8 * strength >> 8
			row[x] = lit(row[x], light, t)
		}
	}
}

// point is a place in Q8 pixels.
type point struct{ x, y int }

// polygon is a shape filled with col; where it covers a pixel in part, that
// part, exactly. Shapes that share an edge leave no seam if add is used on a
// black canvas.
func (c *canvas) polygon(pts []point, col colour, strength int) {
	c.cover(pts, func(row []colour, _ int, area []int32) {
		run := int32(0)
		row = row[:len(area)]
		for x, a := range area {
			run += a
			t := run >> 8
			if t < 0 {
				t = -t
			}
			if t >= 256 && strength == 256 {
				row[x] = col
			} else if t > 0 {
				row[x] = mix(row[x], col, min(int(t), 256)*strength>>8)
			}
		}
	})
}

// cover walks the rows that a shape touches. area holds, for each pixel of
// row, what its coverage differs from the one to the left of it, Q16.
func (c *canvas) cover(pts []point, do func(row []colour, y int, area []int32)) {
	x0, y0, x1, y1 := pts[0].x, pts[0].y, pts[0].x, pts[0].y
	for _, p := range pts[1:] {
		x0, x1, y0, y1 = min(x0, p.x), max(x1, p.x), min(y0, p.y), max(y1, p.y)
	}
	left, top := max(x0>>8, 0), max(y0>>8, 0)
	right, bottom := min(x1>>8+1, c.w), min(y1>>8+1, c.h)
	if left >= right || top >= bottom {
		return
	}
	if n := (right - left + 2) * (bottom - top); n > len(c.area) {
		c.area = make([]int32, n)
	}
	a := area{c.area, right - left + 2, bottom - top}
	for i, p := range pts {
		q := pts[(i+1)%len(pts)]
		a.edge(p.x-left<<8, p.y-top<<8, q.x-left<<8, q.y-top<<8)
	}
	for y := top; y < bottom; y++ {
		used := a.acc[(y-top)*a.w:][:a.w]
		do(c.row(y)[left:right], y, used[:right-left])
		clear(used)
	}
}

// area accumulates the signed coverage that each edge adds to the right of it.
type area struct {
	acc  []int32
	w, h int
}

// edge adds a line, coordinates in Q8. Both directions give the same numbers
// with opposite signs.
func (a *area) edge(x0, y0, x1, y1 int) {
	sign := int32(1)
	if y0 > y1 {
		x0, y0, x1, y1, sign = x1, y1, x0, y0, -1
	}
	if y0 == y1 || y1 <= 0 || y0 >= a.h<<8 {
		return
	}
	at := func(y int) int { return x0 + (x1-x0)*(y-y0)/(y1-y0) }
	for y := max(y0, 0); y < min(y1, a.h<<8); {
		end := min(y|255+1, y1)
		a.strip(y>>8, at(y), at(end), end-y, sign)
		y = end
	}
}

// strip adds the part of an edge within row y that is dy high, from xa to xb.
func (a *area) strip(y, xa, xb, dy int, sign int32) {
	limit := (a.w - 2) << 8
	xa, xb = min(max(xa, 0), limit), min(max(xb, 0), limit)
	if xa > xb {
		xa, xb = xb, xa
	}
	row := a.acc[y*a.w : (y+1)*a.w]
	if xa>>8 == xb>>8 {
		f := (xa+xb)/2 - xa&^255
		row[xa>>8] += sign * int32(dy*(256-f))
		row[xa>>8+1] += sign * int32(dy*f)
		return
	}
	given := 0
	for x := xa; x < xb; {
		end := min(x|255+1, xb)
		part := dy*(end-xa)/(xb-xa) - given
		given += part
		f := (x+end)/2 - x&^255
		row[x>>8] += sign * int32(part*(256-f))
		row[x>>8+1] += sign * int32(part*f)
		x = end
	}
}

// rect is an upright rectangle, edges in Q8 pixels.
func (c *canvas) rect(x0, y0, x1, y1 int, col colour, strength int) {
	for y := max(y0>>8, 0); y <= min((y1-1)>>8, c.h-1); y++ {
		v := min(y1, (y+1)<<8) - max(y0, y<<8)
		row := c.row(y)
		for x := max(x0>>8, 0); x <= min((x1-1)>>8, c.w-1); x++ {
			t := (min(x1, (x+1)<<8) - max(x0, x<<8)) * v >> 8 * strength >> 8
			if t == 256 {
				row[x] = col
			} else {
				row[x] = mix(row[x], col, t)
			}
		}
	}
}
