package imaging

import "image"

// fromWebP converts what the decoder of lossy WebP gives, nil for anything
// else. The decoder hands out the planes of VP8, in which black is 16 and white
// 235, as if they were those of a JPEG: shown like that, black is a dark grey
// and all colours are pale.
func fromWebP(m image.Image) *Picture {
	var planes *image.YCbCr
	alpha, _ := m.(*image.NYCbCrA)
	if alpha != nil {
		planes = &alpha.YCbCr
	} else if planes, _ = m.(*image.YCbCr); planes == nil {
		return nil
	}
	w, h := planes.Rect.Dx(), planes.Rect.Dy()
	p := New(w, h)
	cw, ch := (w+1)/2, (h+1)/2
	// Colours have half the pixels of a side; between them they are mixed by
	// distance, as libwebp and browsers do.
	near := func(x, n int) (here, beside int) { return x / 2, min(max(x/2+x%2*2-1, 0), n-1) }
	for y := range h {
		here, beside := near(y, ch)
		luma := planes.Y[y*planes.YStride:][:w]
		cb, cr := planes.Cb[here*planes.CStride:][:cw], planes.Cr[here*planes.CStride:][:cw]
		cb2, cr2 := planes.Cb[beside*planes.CStride:][:cw], planes.Cr[beside*planes.CStride:][:cw]
		for x, l := range luma {
			i, k := near(x, cw)
			u := (9*int(cb[i]) + 3*int(cb[k]) + 3*int(cb2[i]) + int(cb2[k]) + 8) >> 4
			v := (9*int(cr[i]) + 3*int(cr[k]) + 3*int(cr2[i]) + int(cr2[k]) + 8) >> 4
			// Rec. 601 of the limited range, with the numbers of libwebp.
			bright := 19077 * int(l) >> 8
			d := p.pix[4*(y*w+x):][:4]
			d[0] = clip6(bright + 26149*v>>8 - 14234)
			d[1] = clip6(bright - 6419*u>>8 - 13320*v>>8 + 8708)
			d[2] = clip6(bright + 33050*u>>8 - 17685)
			d[3] = 255
			if alpha != nil {
				d[3] = alpha.A[y*alpha.AStride+x]
			}
		}
	}
	return p
}

// clip6 drops six bits and keeps a byte.
func clip6(v int) byte { return byte(min(max(v>>6, 0), 255)) }
