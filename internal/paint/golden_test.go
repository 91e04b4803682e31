package paint

import (
	"testing"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// Pixels of a released model never change: who changes these lines adds a
// model to provider/sketch.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		prompt, style string
		w, h          int
		seed          uint64
		want          string
	}{
		{"mountains with a lake at sunset", "", 256, 256, 1, "5ed39bc0ef77"},
		{"mountains with a lake at sunset", "", 256, 256, 2, "67035f880ba9"},
		{"mountains with a lake at sunset", "vivid", 256, 256, 1, "c98971f08824"},
		{"mountains with a lake at sunset", "natural", 448, 256, 1, "5081a86d1a09"},
		{"blizzard in the mountains", "", 200, 120, 1, "5b532c4f8213"},
		{"northern lights over a snowy forest at night", "", 200, 300, 1, "02cc2ec939b6"},
		{"tropical beach", "", 256, 144, 1, "185e48e92d3b"},
		{"sea", "", 256, 256, 7, "a6b5d82299dd"},
		{"rainy city", "", 256, 256, 1, "0d1bd9071b48"},
		{"city at night", "", 320, 180, 1, "783c88680f42"},
		{"poppy meadow", "", 256, 256, 1, "8efb5b936446"},
		{"misty forest", "", 256, 256, 1, "063b04c3a847"},
		{"desert", "", 256, 144, 1, "e8e3bce56370"},
		{"saturn in space", "", 256, 256, 1, "8a94907232e7"},
		{"low poly mountain", "", 256, 256, 1, "5a7a3fd38e57"},
		{"low poly", "", 256, 144, 1, "e8a50a390d51"},
		{"bauhaus tiles in teal and orange", "", 256, 256, 1, "0a8f8b9c059b"},
		{"bauhaus", "", 256, 144, 2, "93e65955cd5f"},
		{"abstract gradient", "", 256, 256, 1, "34d601e0608d"},
		{"abstract #0b7285", "", 33, 17, 1, "1ab40e1ddd34"},
		{"Alice", "", 64, 64, 1, "e8729f8e18e5"},
		{"", "", 64, 64, 0, "df233513d771"},
	} {
		p := Draw(Order{Prompt: c.prompt, Style: c.style, Width: c.w, Height: c.h, Seed: c.seed})
		if got := imaging.Digest(p).Short(); got != c.want {
			t.Errorf("%q %q %dx%d seed %d: %s, want %s", c.prompt, c.style, c.w, c.h, c.seed, got, c.want)
		}
	}
	base := Draw(Order{Prompt: "mountain lake by day", Width: 160, Height: 90, Seed: 3})
	mask := maskOf(t, 160, 90, func(x, y int) bool { return (x-80)*(x-80)+(y-30)*(y-30) < 900 })
	for _, c := range []struct {
		prompt, want string
	}{
		{"make it night", "e6504909d6d5"}, {"autumn", "554037031921"}, {"put a city there", "d3ce8aa155f6"}, {"make it teal, with birds", "13b3bdd65bfe"}, {"rain and fog", "f7adbd8840ec"},
	} {
		if got := imaging.Digest(Draw(Order{Prompt: c.prompt, Base: base, Mask: mask, Seed: 1})).Short(); got != c.want {
			t.Errorf("edit %q: %s, want %s", c.prompt, got, c.want)
		}
	}
}
