package sketch

import (
	"math"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/provider"
)

const (
	model     = "sketch-1"
	maxPixels = 64 << 20
)

// ratios are those of xAI's image models, so that a project can change between
// the two.
var ratios = []string{
	"1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9", "1:2", "2:1", "21:9", "5:2",
}

// Offer tells about "sketch-1", also called "".
func Offer(name string) (provider.Offer, bool) {
	if name != "" && name != model {
		return provider.Offer{}, false
	}
	return provider.Offer{
		Provider:     "sketch",
		Model:        model,
		AnySize:      true,
		Procedural:   true,
		MaxPixels:    maxPixels,
		AspectRatios: ratios,
		Resolutions:  []string{"1k", "2k"},
		Styles:       []string{"vivid", "natural"},
		Mask:         true,
		MaxN:         10,
		MaxInputs:    5,
		Pixels:       pixels,
		Price:        func(*provider.Request) (provider.Money, bool) { return 0, true },
		AsOf:         "2026-11-22",
		Source:       "built in",
		Note:         "drawn on this machine from the words of the prompt; an edit without size and ratio keeps those of its source",
	}, true
}

// pixels is the size for a ratio ("" is 1:1) and a resolution ("" is "1k"):
// about one or four megapixels, in sides that are multiples of 16.
func pixels(ratio, resolution string) (provider.Size, bool) {
	if ratio == "" {
		ratio = "1:1"
	}
	ws, hs, ok := strings.Cut(ratio, ":")
	w, err1 := strconv.ParseFloat(ws, 64)
	h, err2 := strconv.ParseFloat(hs, 64)
	if !ok || err1 != nil || err2 != nil || !(w > 0 && h > 0 && w <= 64*h && h <= 64*w) {
		return provider.Size{}, false
	}
	return ofArea(w/h, resolution)
}

func ofArea(ratio float64, resolution string) (provider.Size, bool) {
	side, ok := map[string]float64{"": 1024, "1k": 1024, "2k": 2048}[resolution]
	if !ok {
		return provider.Size{}, false
	}
	to16 := func(f float64) int { return max(16, 16*int(math.Round(f/16))) }
	root := math.Sqrt(ratio)
	return provider.Size{Width: to16(side * root), Height: to16(side / root)}, true
}
