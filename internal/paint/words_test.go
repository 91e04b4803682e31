package paint

import (
	"fmt"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for prompt, want := range map[string]string{
		"A serene mountain landscape with a lake in autumn": "mountains// autumn lake",
		"Two cities, at NIGHT":                              "city//night ",
		"A bonfire on a beach at dusk":                      "sea//dusk ",
		"low-poly foxes":                                    "/lowpoly/ ",
		"a logo":                                            "/bauhaus/ ",
		"mountains without snow, no lake":                   "mountains// ",
		"snowy peaks":                                       "mountains// winter",
		"daisies":                                           "meadow// ",
		"Make it night, keep the shoreline unchanged":       "//night ",
		"Keep the mountains. Add a moon":                    "// ",
		"":                                                  "// ",
		"éclair ☂ 東京":                                       "// ",
	} {
		m := read(prompt, "")
		with := ""
		if m.with["lake"] {
			with = " lake"
		}
		if got := fmt.Sprintf("%s/%s/%s %s%s", m.scene, m.manner, m.time, m.season, with); got != want {
			t.Errorf("%q: %q, want %q", prompt, got, want)
		}
	}
}

func TestColourWords(t *testing.T) {
	t.Parallel()
	m := read("a TEAL and orange pattern, #0B7285", "")
	if len(m.hues) != 3 || m.hues[0] != colours["teal"] || m.hues[1] != colours["orange"] {
		t.Fatalf("%v", m.hues)
	}
	if h := m.hues[2]; h.h < 205 || h.h > 220 || h.l < 480 || h.l > 530 {
		t.Errorf("#0b7285 is %+v", h)
	}
	for _, w := range []string{"#12345", "#1234567", "#gggggg", "0b7285"} {
		if m := read(w, ""); m.hues != nil {
			t.Errorf("%s is %v", w, m.hues)
		}
	}
}

// A word with two meanings of one kind would be read by the order of a map.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	for word, meanings := range vocabulary() {
		kinds := map[string]bool{}
		for _, m := range meanings {
			kind, value, _ := strings.Cut(m, " ")
			if kind != "with" && kinds[kind] {
				t.Errorf("%s: %v", word, meanings)
			}
			kinds[kind] = true
			if _, ok := hours[value]; kind == "time" && !ok {
				t.Errorf("%s: no hour %q", word, value)
			}
		}
	}
}

func TestSine(t *testing.T) {
	t.Parallel()
	for x, want := range map[int]int{0: 0, 256: 16384, 512: 0, 768: -16384, 1024: 0, -256: -16384, 128: 11585, 85: 8163} {
		if got := sine(x); abs(got-want) > 6 {
			t.Errorf("sine(%d) = %d, want %d", x, got, want)
		}
	}
}

// sRGB to OKLab and back is the same colour.
func TestColourRoundTrip(t *testing.T) {
	t.Parallel()
	for r := 0; r < 256; r += 15 {
		for g := 0; g < 256; g += 15 {
			for b := 0; b < 256; b += 15 {
				c := toLab(r, g, b).colour()
				for i, want := range []int{r, g, b} {
					if got := int(c>>(21*i)&0xfff) >> 4; abs(got-want) > 3 {
						t.Fatalf("%d %d %d came back with %d", r, g, b, got)
					}
				}
			}
		}
	}
}

func TestMixAndLitStayInTheirLanes(t *testing.T) {
	t.Parallel()
	for _, a := range []colour{black, white, 0xff0, 0xff0 << 21, 0xff0 << 42} {
		for _, b := range []colour{black, white, 0xff0, 0xff0 << 21, 0xff0 << 42} {
			for k := 0; k <= 256; k += 32 {
				for _, c := range []colour{mix(a, b, k), lit(a, b, k)} {
					for s := 0; s < 63; s += 21 {
						x, y, z := a>>s&0xfff, b>>s&0xfff, c>>s&0xfff
						if z > 0xff0 || x == y && x == 0 && z != 0 {
							t.Fatalf("%x and %x at %d: %x", a, b, k, c)
						}
					}
				}
			}
		}
	}
	if mix(white, black, 0) != white || mix(white, black, 256) != black {
		t.Error("the ends of mix are not its arguments")
	}
}
