package paint

import (
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// mood is what a prompt asks for, as far as its words are known.
type mood struct {
	scene  string // "" if no word names one
	manner string // "lowpoly", "bauhaus", "mesh" or ""
	time   string // of the day, or ""
	season string
	hues   []lch // of colour words, in order
	with   map[string]bool
	chroma int // percent
	hash   uint64
}

// The vocabulary: a word and what it means, as "kind value".
// It is made when first needed: most runs of the program draw nothing.
var vocabulary = sync.OnceValue(func() map[string][]string {
	v := map[string][]string{}
	for meaning, words := range map[string]string{
		"scene mountains": "mountain alp alpine peak summit range landscape hill hike hiking trail valley scenery nature glacier fjord volcano cliff canyon himalaya",
		"scene sea":       "sea ocean coast beach wave surf island harbor harbour ship sailing sailboat boat bay lagoon marine tropical",
		"scene city":      "city skyline town street building skyscraper urban downtown metropolis tower office architecture cyberpunk neon village house",
		"scene meadow":    "meadow field flower tulip poppy lavender sunflower daisy garden wildflower blossom farm prairie pasture grass grassland countryside vineyard bloom",
		"scene forest":    "forest wood pine fir spruce jungle grove taiga woodland redwood",
		"scene desert":    "desert dune sand sahara oasis camel cactus",
		"scene space":     "space galaxy planet nebula cosmos universe cosmic astronaut rocket orbit saturn alien satellite",
		"manner lowpoly":  "lowpoly polygon polygonal poly triangle triangulated faceted crystal origami",
		"manner bauhaus":  "bauhaus geometric tile pattern mosaic logo icon poster shape circle square grid minimalist midcentury modernist quilt",
		"manner mesh":     "mesh gradient abstract fluid silk blur aura wallpaper texture liquid marble smoke ink background swirl",
		"time day":        "day daylight noon midday sunny sunlit bright morning",
		"time dawn":       "dawn sunrise daybreak pastel",
		"time sunset":     "sunset evening sundown dramatic fiery",
		"time golden":     "golden warm afternoon",
		"time dusk":       "dusk twilight gloaming",
		"time night":      "night midnight nocturnal moonlit moonlight starry dark nighttime",
		"time overcast":   "overcast cloudy storm stormy rain rainy grey gray gloomy foggy misty moody fog mist",
		"season spring":   "spring april may cherry",
		"season summer":   "summer june july august",
		"season autumn":   "autumn fall autumnal october september november",
		"season winter":   "winter snow snowy frozen frost icy ice december january february christmas",
		"with lake":       "lake pond river reflection tarn mirror fjord canal",
		"with trees":      "tree pine fir spruce forest wood",
		"with moon":       "moon moonlit moonlight crescent",
		"with sun":        "sun sunny",
		"with stars":      "star starry milky constellation galaxy",
		"with aurora":     "aurora borealis northern",
		"with birds":      "bird seagull gull crow flock goose",
		"with rain":       "rain rainy storm",
		"with snowfall":   "snowfall snowing blizzard snowflake snowstorm",
		"with mist":       "fog foggy mist misty haze hazy",
		"with clouds":     "cloud cloudy",
		"with boat":       "boat sailboat ship sailing sail yacht",
		"with rings":      "saturn ring",
		"with palms":      "palm tropical oasis",
	} {
		for _, w := range strings.Fields(words) {
			v[w] = append(v[w], meaning)
		}
	}
	return v
})

var colours = map[string]lch{
	"red": {600, 210, 27}, "crimson": {520, 190, 20}, "scarlet": {600, 220, 30}, "orange": {730, 170, 55}, "amber": {800, 160, 75},
	"yellow": {890, 170, 98}, "gold": {810, 145, 85}, "lime": {860, 200, 125}, "green": {650, 170, 145}, "emerald": {680, 150, 160},
	"olive": {600, 110, 110}, "mint": {880, 90, 165}, "teal": {620, 100, 190}, "turquoise": {780, 120, 185}, "cyan": {830, 120, 200},
	"blue": {580, 170, 255}, "azure": {680, 150, 245}, "navy": {360, 110, 262}, "indigo": {420, 170, 275}, "violet": {560, 190, 300},
	"purple": {510, 190, 308}, "lavender": {770, 90, 300}, "magenta": {640, 240, 335}, "pink": {790, 130, 355}, "rose": {690, 170, 10},
	"coral": {730, 150, 32}, "peach": {850, 90, 55}, "brown": {470, 80, 50}, "beige": {890, 40, 85}, "cream": {940, 35, 92},
	"white": {960, 10, 250}, "black": {200, 15, 270}, "silver": {800, 12, 250},
}

// read finds out what prompt asks for. Of several scenes or times the first
// one counts.
func read(prompt, style string) mood {
	m := mood{with: map[string]bool{}, chroma: 100, hash: 14695981039346656037}
	switch style {
	case "vivid":
		m.chroma = 122
	case "natural":
		m.chroma = 74
	}
	for clause := range strings.FieldsFuncSeq(strings.ToLower(prompt), func(r rune) bool { return strings.ContainsRune(",.;:!?\n", r) }) {
		m.clause(strings.FieldsFunc(clause, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '#'
		}))
	}
	return m
}

// clause takes in words that belong together. What an edit is to keep is not
// what it is to bring.
func (m *mood) clause(words []string) {
	keep := false
	for _, w := range words {
		for _, b := range []byte(w + " ") { // FNV-1a
			m.hash = (m.hash ^ uint64(b)) * 1099511628211
		}
		keep = keep || w == "keep" || w == "preserve" || w == "unchanged"
	}
	if keep {
		return
	}
	for i, w := range words {
		if i > 0 && (words[i-1] == "no" || words[i-1] == "without" || words[i-1] == "not") {
			continue
		}
		if c, ok := colours[w]; ok {
			m.hues = append(m.hues, c)
		}
		if c, ok := hexColour(w); ok {
			m.hues = append(m.hues, c)
		}
		for _, meaning := range vocabulary()[singular(w)] {
			kind, value, _ := strings.Cut(meaning, " ")
			switch kind {
			case "scene":
				set(&m.scene, value)
			case "manner":
				set(&m.manner, value)
			case "time":
				set(&m.time, value)
			case "season":
				set(&m.season, value)
			case "with":
				m.with[value] = true
			}
		}
	}
}

func set(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// singular is the known word of which w is a plural or another form, or w.
func singular(w string) string {
	for _, end := range [][2]string{{"", ""}, {"s", ""}, {"es", ""}, {"ies", "y"}, {"y", ""}, {"ed", ""}, {"ing", ""}} {
		if stem, ok := strings.CutSuffix(w, end[0]); ok && vocabulary()[stem+end[1]] != nil {
			return stem + end[1]
		}
	}
	return w
}

// hexColour reads "#0b7285".
func hexColour(w string) (lch, bool) {
	digits, ok := strings.CutPrefix(w, "#")
	v, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil || len(digits) != 6 {
		return lch{}, false
	}
	return fromRGB(int(v>>16), int(v>>8&255), int(v&255)), true
}
