package imaging

import (
	"math/big"
	"sort"
	"sync"
)

// light is the tables between sRGB and 16 bits of linear light.
type light struct {
	of    [256]int32   // of a value of sRGB
	value [65536]uint8 // whose light is nearest, as the eye sees it
}

// lights computes the tables: in whole numbers, so that they are the same
// everywhere.
var lights = sync.OnceValue(func() *light {
	t := &light{}
	var upTo [255]int32 // the light halfway to the next value
	for v := range 256 {
		t.of[v] = lightOf(2 * v)
		if v < 255 {
			upTo[v] = lightOf(2*v + 1)
		}
	}
	for l := range t.value {
		t.value[l] = uint8(sort.Search(255, func(v int) bool { return upTo[v] >= int32(l) }))
	}
	return t
})

// lightOf is the light of a value of sRGB, of 510, with 16 bits: x/12.92 for
// dark ones, else ((x+0.055)/1.055)^2.4, rounded.
func lightOf(v int) int32 {
	if v <= 20 {
		return int32((2*65535*100*v + 510*1292) / (2 * 510 * 1292))
	}
	// The fifth power of the result is 65535^5 * (n/d)^12.
	n, d := big.NewInt(int64(v*1000+510*55)), big.NewInt(510*1055)
	pow := func(x *big.Int, k int64) *big.Int { return new(big.Int).Exp(x, big.NewInt(k), nil) }
	want := new(big.Int).Mul(pow(big.NewInt(2*65535), 5), pow(n, 12))
	unit := pow(d, 12)
	return int32(sort.Search(65535, func(l int) bool { // the first whose upper half is not below
		return new(big.Int).Mul(pow(big.NewInt(int64(2*l+1)), 5), unit).Cmp(want) >= 0
	}))
}

// resizeLinear is resize in linear light: two pixels, one black and one white,
// give a grey that shines half as much as the white one.
func resizeLinear(p *Picture, crop rect, width, height int) *Picture {
	if crop.width == width && crop.height == height {
		return resize(p, crop, width, height)
	}
	table := lights()
	down, across := filter(0, crop.height, 1, crop.height, height), filter(0, crop.width, 1, crop.width, width)
	n := 4 * crop.width
	rows := make([][]int32, down.size)
	for i := range rows {
		rows[i] = make([]int32, n)
	}
	out, sum, next := New(width, height), make([]int32, n), 0
	for y, t := range down.taps {
		for ; next < t.first+len(t.weights); next++ {
			row, src := rows[next%down.size], p.pix[4*((crop.y+next)*p.width+crop.x):]
			for i := 0; i < n; i += 4 {
				a := int32(src[i+3])
				for c := range 3 {
					row[i+c] = (table.of[src[i+c]]*a + 127) / 255
				}
				row[i+3] = a * 257
			}
		}
		for i := range sum {
			sum[i] = 1 << (weightBits - 1)
		}
		for k, w := range t.weights {
			row := rows[(t.first+k)%down.size][:len(sum)]
			for i, v := range row {
				sum[i] += v * int32(w)
			}
		}
		for i, v := range sum {
			sum[i] = min(max(v>>weightBits, 0), 65535)
		}
		dst := out.pix[4*width*y:]
		for x, t := range across.taps {
			var v [4]int32
			for k, w := range t.weights {
				s := sum[4*(t.first+k):][:4]
				for c := range v {
					v[c] += s[c] * int32(w)
				}
			}
			for c := range v {
				v[c] = min(max((v[c]+1<<(weightBits-1))>>weightBits, 0), 65535)
			}
			if v[3] == 0 {
				continue
			}
			for c := range 3 {
				dst[4*x+c] = table.value[min((int64(v[c])*65535+int64(v[3])/2)/int64(v[3]), 65535)]
			}
			dst[4*x+3] = byte((v[3] + 128) / 257)
		}
	}
	return out
}
