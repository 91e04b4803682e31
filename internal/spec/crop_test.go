package spec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/imgbuild/imgbuild/internal/shape"
)

func length(t *testing.T, s string) shape.Length {
	t.Helper()
	l, err := shape.ParseLength(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var sameLengths = cmp.Comparer(func(a, b shape.Length) bool { return a == b })

func TestParseCrop(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "0,0,1,1": "0,0,1,1", "010,0%,12.50%,65536": "10,0%,12.5%,65536", "0,0,33.333333%,100%": "0,0,33.333333%,100%"} {
		if got, err := ParseCrop(in); err != nil || got.String() != want {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"0", "0,0,1", "0,0,1,1,1", "-1,0,1,1", "0,-1%,1,1", "0.5,0,1,1", "0,0,1.5,1", "0,0,0,1", "0,0,1,0%", "0,0,,1", "0,0,1px,1", "a,b,c,d"} {
		if got, err := ParseCrop(bad); err == nil {
			t.Errorf("%q is %q", bad, got)
		}
	}
}

func TestCropIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ x, y, width, height, want string }{
		{"10", "20%", "50%", "30", "10 10 50 30 true"}, {"50%", "0", "50%", "50", "50 0 50 50 true"},
		{"51", "0", "50%", "50", "51 0 50 50 false"}, {"0", "0", "0.4%", "50", "0 0 0 50 false"}, {"0", "1", "1", "50", "0 1 1 50 false"},
	} {
		c := Crop{length(t, tt.x), length(t, tt.y), length(t, tt.width), length(t, tt.height)}
		x, y, w, h, ok := c.In(100, 50)
		if got := fmt.Sprint(x, y, w, h, ok); got != tt.want {
			t.Errorf("%s: %s, want %s", c, got, tt.want)
		}
	}
}

// What a rendition asks for comes back out of its recipe.
func TestRenditionRecipe(t *testing.T) {
	t.Parallel()
	drawn := rapid.Custom(func(rt *rapid.T) shape.Length {
		if rapid.Bool().Draw(rt, "in percent") {
			return length(t, fmt.Sprintf("%d.%06d%%", rapid.IntRange(0, 99).Draw(rt, "percent"), rapid.IntRange(1, 999_999).Draw(rt, "millionths")))
		}
		return shape.Pixels(rapid.IntRange(1, MaxSide).Draw(rt, "pixels"))
	})
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string, up int) int { return rapid.IntRange(0, up).Draw(t, name) }
		r := Rendition{Name: "r", Path: "r.webp", Width: number("width", MaxSide), Height: number("height", MaxSide), Fit: rapid.SampledFrom(Fits).Draw(t, "fit"),
			Gravity: rapid.SampledFrom(append([]string{""}, Gravities...)).Draw(t, "gravity"), Linear: rapid.Bool().Draw(t, "linear"), Grayscale: rapid.Bool().Draw(t, "grayscale"),
			Blur: Hundredths(number("blur", 10_000)), Sharpen: Hundredths(number("sharpen", 1000)),
			File: Encoding{Format: "webp", Quality: number("quality", 100), Lossless: rapid.Bool().Draw(t, "lossless")}}
		if rapid.Bool().Draw(t, "cropped") {
			r.Crop = Crop{drawn.Draw(t, "x"), drawn.Draw(t, "y"), drawn.Draw(t, "w"), drawn.Draw(t, "h")}
		}
		if rapid.Bool().Draw(t, "coloured") {
			r.File.Background = Colour([3]byte(rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "background")))
		}
		label := Label{Credit: rapid.SampledFrom([]string{"", "me"}).Draw(t, "credit")}
		out := (&Resolved{}).Outputs(&Image{Path: "a.png", Renditions: []Rendition{r}}, [32]byte{}, nil, func() Label { return label })[1]
		if words := strings.Fields(out.Recipe); !sorted(words) {
			t.Fatalf("%s is not sorted", out.Recipe)
		}
		got, err := ParseRecipe(out.Recipe)
		want := Recipe{Fit: r.Fit, Width: r.Width, Height: r.Height, File: r.File, Crop: r.Crop, Gravity: r.Gravity, Linear: r.Linear, Grayscale: r.Grayscale, Blur: r.Blur, Sharpen: r.Sharpen, Label: label.Digest()}
		if d := cmp.Diff(want, got, sameLengths); err != nil || d != "" {
			t.Fatalf("%s: %v (-want +got)\n%s", out.Recipe, err, d)
		}
	})
}

func sorted(words []string) bool {
	for i := 1; i < len(words); i++ {
		if words[i-1] >= words[i] {
			return false
		}
	}
	return true
}

func TestParseColour(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"#1E90ff": "#1e90ff", "#abc": "#aabbcc", "#000000": "#000000"} {
		if c, err := ParseColour(in); err != nil || Colour(c) != want {
			t.Errorf("%q is %s, %v", in, Colour(c), err)
		}
	}
	for _, bad := range []string{"", "#", "abc", "#ab", "#abcd", "#abcde", "#abcdeg", "#aabbccdd", "white", "##abc", "#\u00e4b"} {
		if c, err := ParseColour(bad); err == nil {
			t.Errorf("%q is %s", bad, Colour(c))
		}
	}
}
