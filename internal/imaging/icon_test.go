package imaging

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestEncodeICO(t *testing.T) {
	t.Parallel()
	pictures := []*Picture{patches("alpha", 16, 16), patches("", 48, 40), patches("disc", 256, 256)}
	var b bytes.Buffer
	by, err := EncodeICO(&b, pictures...)
	if err != nil || by != "imgbuild/ico 1" {
		t.Fatal(by, err)
	}
	file := b.Bytes()
	le := binary.LittleEndian
	if !bytes.HasPrefix(file, []byte{0, 0, 1, 0, 3, 0}) {
		t.Fatalf("head %x", file[:6])
	}
	end := 6 + 16*len(pictures)
	for i, p := range pictures {
		e := file[6+16*i:][:16]
		size, at := int(le.Uint32(e[8:])), int(le.Uint32(e[12:]))
		if at != end {
			t.Errorf("picture %d begins at %d, and what is before ends at %d", i, at, end)
		}
		end = at + size
		if e[0] != byte(p.width) || e[1] != byte(p.height) || le.Uint16(e[4:]) != 1 || le.Uint16(e[6:]) != 32 {
			t.Errorf("picture %d: entry %x", i, e)
		}
		got, info, err := Decode(file[at:end], DefaultLimits)
		if err != nil || info.Format != "png" || Digest(got) != Digest(p) {
			t.Errorf("picture %d: %+v, %v, or other pixels", i, info, err)
		}
	}
	if end != len(file) {
		t.Errorf("%d bytes, of which %d are pictures and their list", len(file), end)
	}
	if _, err := EncodeICO(&b, New(257, 1)); err == nil {
		t.Error("257 pixels were taken")
	}
}

// Nothing that is seen leaves the circle, and what lies in it is as large as it
// can be.
func TestMaskable(t *testing.T) {
	t.Parallel()
	red := [3]byte{255, 0, 0}
	for _, tt := range []struct {
		name    string
		p       *Picture
		side    int
		enlarge bool
		least   int // of the longer side of what is seen
	}{
		{"a square", patches("", 400, 400).mostly(0, 0, 255), 100, false, 55},
		{"wide", patches("", 400, 100).mostly(0, 0, 255), 100, false, 76},
		{"a disc fills the circle", patches("disc", 400, 400).mostly(0, 0, 255), 512, false, 390},
		{"small", patches("", 20, 20).mostly(0, 0, 255), 512, false, 20},
		{"small, and enlarged", patches("", 20, 20).mostly(0, 0, 255), 512, true, 287},
		{"a pixel", patches("", 1, 1).mostly(0, 0, 255), 48, false, 1},
		{"nothing to be seen", New(30, 30), 48, false, 0},
	} {
		got := tt.p.Maskable(tt.side, red, tt.enlarge)
		if got.width != tt.side || got.height != tt.side || !got.Opaque() {
			t.Fatalf("%s: %dx%d, opaque %t", tt.name, got.width, got.height, got.Opaque())
		}
		left, right := tt.side, -1
		for y := range tt.side {
			for x := range tt.side {
				if got.pix[4*(y*tt.side+x)+2] < 8 { // as good as the background
					continue
				}
				left, right = min(left, x), max(right, x)
				dx, dy := max(tt.side-2*x, 2*x+2-tt.side), max(tt.side-2*y, 2*y+2-tt.side)
				if 25*(dx*dx+dy*dy) > 16*(tt.side+2)*(tt.side+2) { // where the middle is between two pixels it is half a one off
					t.Fatalf("%s: %d,%d is outside of the circle", tt.name, x, y)
				}
			}
		}
		if wide := max(0, right-left+1); wide < tt.least {
			t.Errorf("%s: what is seen is %d wide, want at least %d", tt.name, wide, tt.least)
		}
	}
}
