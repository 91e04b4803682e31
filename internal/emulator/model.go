package emulator

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Ticks are 1e-10 USD, the unit of usage.cost_in_usd_ticks.
const cent = 1e8

// model is what the emulator knows of a model. The prices are those published
// for the real one; where none is, the next higher.
type model struct {
	name            string
	aliases         []string
	servedBy        string           // another model, since it was retired
	input           int64            // ticks for each picture to edit
	prices          map[string]int64 // by "resolution quality"; "" for all; nil if tokens are billed
	qualities       bool             // more of them than others
	created         int64
	maxPromptLength int
}

var models = []model{
	{name: "grok-imagine-image", input: cent / 5, prices: map[string]int64{"": 2 * cent}, created: 1769558400, maxPromptLength: 8000},
	{name: "grok-imagine-image-2.0", input: cent, qualities: true, created: 1785542400, maxPromptLength: 8000, prices: map[string]int64{
		"1k low": 4 * cent, "1k medium": 6 * cent, "1.5k low": 6 * cent, "1.5k medium": 8 * cent, "2k low": 6 * cent, "2k medium": 8 * cent,
	}},
	{name: "grok-imagine-image-quality", aliases: []string{"grok-imagine-image-quality-latest", "grok-imagine-image-quality-20260403", "grok-imagine-image-pro"},
		servedBy: "grok-imagine-image-2.0", input: cent, created: 1772323200, maxPromptLength: 8000,
		prices: map[string]int64{"1k ": 4 * cent, "1.5k ": 6 * cent, "2k ": 6 * cent}},
}

func modelNamed(models []model, name string) (model, bool) {
	i := slices.IndexFunc(models, func(m model) bool { return m.name == name || slices.Contains(m.aliases, name) })
	if i < 0 {
		return model{}, false
	}
	return models[i], true
}

// price of n images of o. Pictures to edit are billed once a call.
func (o *order) price(n int) int64 {
	m := &o.model
	if m.prices == nil {
		return o.tokens(n).ticks()
	}
	one, flat := m.prices[""]
	if !flat {
		one = m.prices[o.resolution+" "+o.quality]
	}
	return int64(n)*one + int64(len(o.inputs))*m.input
}

var ratios = []string{
	"auto", "1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9", "1:2", "2:1", "21:9", "5:2",
}

var areas = map[string]float64{"1k": 1024, "1.5k": 1536, "2k": 2048}

// pixels of a ratio and a resolution: that many megapixels, sides multiples of
// 16. The page's table of sizes has its own for two ratios.
func pixels(ratio, resolution, profile string) (width, height int) {
	if profile == "documented" && resolution == "1k" {
		switch ratio {
		case "16:9":
			return 1792, 1024
		case "9:16":
			return 1024, 1792
		}
	}
	ws, hs, _ := strings.Cut(ratio, ":")
	w, _ := strconv.ParseFloat(ws, 64)
	h, _ := strconv.ParseFloat(hs, 64)
	if !(w > 0 && h > 0) { // "auto"
		w, h = 1, 1
	}
	side := func(f float64) int { return max(16, 16*int(math.Round(f/16))) }
	root := math.Sqrt(w / h)
	return side(areas[resolution] * root), side(areas[resolution] / root)
}
