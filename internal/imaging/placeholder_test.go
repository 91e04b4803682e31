package imaging

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// patches is a picture without any symmetry, of which a quotient of two colours
// could be a tie; the vectors below were made of the same one.
func patches(kind string, w, h int) *Picture {
	p := New(w, h)
	for y := range h {
		for x := range w {
			s := p.pix[4*(y*w+x):][:4]
			for c := range 3 {
				v := uint32(x>>2+1)*73856093 ^ uint32(y>>2+1)*19349663 ^ uint32(c+1)*83492791
				v = (v ^ v>>15) * 0x2c1b3c6d
				s[c] = byte((int(v>>24) + []int{255 * x / w * 2, 255 * y / h * 2, 256}[c]) / 3)
			}
			s[3] = 255
			switch {
			case kind == "alpha":
				s[3] = byte((x + y) * 255 / (w + h))
			case kind == "disc" && (2*x-w)*(2*x-w)+(2*y-h)*(2*y-h) >= w*h:
				s[3] = 0
			}
		}
	}
	return p
}

// The hashes are those of thumbhash 0.1.1 and blurhash 2.0.5 of npm, which are
// the authors' own.
func TestHashes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind        string
		w, h        int
		thumb, blur string
	}{
		{"blocks", 100, 75, "3/cFJZBxh4iAd4iIh3eIh3GAB/h4", "L6F=~*3T{*GXL[rZWBadl$kjX4jK"},
		{"blocks", 75, 100, "3/cFJRCAh3CHeHd3h4d3eHCACPd4", "T7F~mj3U].dOrZWAUQXNo2zzSwnm"},
		{"blocks", 100, 100, "3/cFJxJwh4eAd4iHd3d4eIiHFwd4gI8H", "U7F=~*3m[vGXQKvkWTaLP}ouW;k9vWX4bXaQ"},
		{"blocks", 100, 7, "XgcGKZJyh4dwd4eIYmAI93c=", "LCE{qh3$$,TI_gE9RkremsaiWon+"},
		{"blocks", 5, 100, "n9cFKRKAgnd4iHeIgHEY+Hc=", "THEM{@4SBPz5ZqWVTCsRW=o[o@WE"},
		{"blocks", 31, 37, "3wcGJhSRdwh4h4d3iHeHeHhncHAH6Hc=", "T7F~dL4P}uz6Iwv}uJF|xZ#2E8*:"},
		{"alpha", 100, 56, "YQiGE4gnooewh4mSsBn6d3CHc3h3d3g=", ""},
		{"disc", 64, 64, "4AeGHQosgIpwiqiXeJCACfeIB1eHiIB0WA==", ""},
		{"alpha", 33, 90, "YuiFEgongLC4eJiQsgrpSYWHcIiHeHc=", ""},
	} {
		p := patches(tt.kind, tt.w, tt.h)
		if got := p.thumbHash(); got != tt.thumb {
			a, _ := base64.StdEncoding.DecodeString(got)
			b, _ := base64.StdEncoding.DecodeString(tt.thumb)
			t.Errorf("%s %dx%d: ThumbHash\n%x, want\n%x", tt.kind, tt.w, tt.h, a, b)
		}
		if got := p.blurHash(); tt.blur != "" && got != tt.blur {
			t.Errorf("%s %dx%d: BlurHash %s, want %s", tt.kind, tt.w, tt.h, got, tt.blur)
		}
	}
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	flat := func(w, h int, r, g, b, a byte) *Picture {
		p := New(w, h)
		for i := 0; i < len(p.pix); i += 4 {
			copy(p.pix[i:], []byte{r, g, b, a})
		}
		return p
	}
	most := flat(50, 40, 200, 16, 8, 255) // of two reds that are nearly the same
	copy(most.pix[:4*50*10], flat(50, 10, 202, 18, 10, 255).pix)
	copy(most.pix[4*50*10:], flat(50, 19, 0, 0, 255, 255).pix)
	for _, tt := range []struct {
		name, color   string
		p             *Picture
		width, height int // of the data URL
	}{
		{"landscape", "", patches("", 448, 256), 11, 6},
		{"portrait", "", patches("", 90, 160), 6, 11},
		{"square", "", patches("", 64, 64), 8, 8},
		{"very wide", "", patches("", 4000, 3), 16, 1},
		{"with alpha", "", patches("alpha", 64, 48), 8, 6},
		{"a pixel", "#1e90ff", flat(1, 1, 0x1e, 0x90, 0xff, 255), 1, 1},
		{"one colour", "#1e90ff", flat(40, 30, 0x1e, 0x90, 0xff, 255), 9, 7},
		{"the most frequent one", "#c91109", most, 9, 7},
		{"nothing to be seen", "transparent", flat(20, 20, 9, 9, 9, 0), 7, 7},
		{"what is seen counts", "#0a141e", patches("disc", 20, 20).mostly(10, 20, 30), 7, 7},
	} {
		got, err := PlaceholderOf(tt.p)
		if err != nil {
			t.Fatal(err)
		}
		if tt.color != "" && got.Color != tt.color {
			t.Errorf("%s: colour %s, want %s", tt.name, got.Color, tt.color)
		}
		if len(got.Data) > 400 {
			t.Errorf("%s: a data URL of %d bytes", tt.name, len(got.Data))
		}
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got.Data, "data:image/png;base64,"))
		if err != nil {
			t.Fatal(err)
		}
		small, _, err := Decode(b, LimitsOf(0))
		if err != nil {
			t.Fatal(err)
		}
		if small.width != tt.width || small.height != tt.height {
			t.Errorf("%s: the data URL is %dx%d, want %dx%d", tt.name, small.width, small.height, tt.width, tt.height)
		}
		if want := Fit(Fit(tt.p, 100, 100, "inside", false), tt.width, tt.height, "inside", false); !bytes.Equal(small.pix, want.pix) {
			t.Errorf("%s: the data URL shows something else", tt.name)
		}
	}
}

// mostly is p with every pixel that is seen of one colour, and all others of
// another.
func (p *Picture) mostly(r, g, b byte) *Picture {
	for i := 0; i < len(p.pix); i += 4 {
		if copy(p.pix[i:], []byte{r, g, b}); p.pix[i+3] == 0 {
			copy(p.pix[i:], []byte{255, 0, 0})
		}
	}
	return p
}
