package spec

import (
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

func TestFitSet(t *testing.T) {
	t.Parallel()
	set := func(extra string, widths ...string) (out []Output) {
		out = append(out, Output{Path: "a/hero.png", Recipe: "format=png width=9000"})
		for _, format := range []string{"webp", "png"} {
			for _, w := range widths {
				out = append(out, Output{Block: Responsive, Name: w + "." + format, Path: "a/b-" + w + "-" + w + "." + format, Recipe: extra + "fit=cover format=" + format + " width=" + w})
			}
		}
		return append(out, Output{Block: "icon", Name: "x", Path: "x-9000.png", Recipe: "format=png width=9000"})
	}
	for _, tt := range []struct {
		name          string
		outputs       []Output
		width, height int
		want          string // widths of a format
	}{
		{"all fit", set("", "10", "20"), 30, 9, "10 20"},
		{"one is as wide", set("", "10", "20"), 20, 9, "10 20"},
		{"one is wider", set("", "10", "20"), 15, 9, "10 15"},
		{"two are wider", set("", "10", "20", "30"), 15, 9, "10 15"},
		{"all are wider", set("", "10", "20"), 3, 9, "3"},
		{"its own width is there", set("", "10", "20", "30"), 10, 9, "10"},
		{"nobody knows", set("", "10", "20"), 0, 0, "10 20"},
		{"a crop", set("crop=0,0,50%,100% ", "10", "20"), 30, 9, "10 15"},
		{"a crop that leaves the picture is told elsewhere", set("crop=0,0,50,100% ", "10", "20"), 30, 9, "10 20"},
		{"a size made here", set("size=12x12 ", "10", "20"), 30, 9, "10 12"},
	} {
		var want []Output
		base := set("", strings.Fields(tt.want)...)
		for i, o := range base {
			if o.Block == Responsive { // the first number of the name is of the base
				asked := tt.outputs[1+(i-1)%len(strings.Fields(tt.want))]
				first, _, _ := strings.Cut(strings.TrimPrefix(asked.Path, "a/b-"), "-")
				_, second, _ := strings.Cut(strings.TrimPrefix(o.Path, "a/b-"), "-")
				o.Path = "a/b-" + first + "-" + second
				extra, _, _ := strings.Cut(asked.Recipe, "fit=")
				o.Recipe = extra + o.Recipe
			}
			want = append(want, o)
		}
		got := FitSet(tt.outputs, provider.Size{Width: tt.width, Height: tt.height})
		if len(got) != len(want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %+v, want %+v", tt.name, got[i], want[i])
			}
		}
	}
}

func TestMayWrite(t *testing.T) {
	t.Parallel()
	im := &Image{Path: "hero.png", Renditions: []Rendition{
		{Name: "card", Path: "card-640.png", Width: 640},
		{Block: Responsive, Path: "img/Hero-320.png", Width: 320}, {Block: Responsive, Path: "img/Hero-640.png", Width: 640},
	}}
	for file, want := range map[string]bool{
		"img/Hero-320.png": true, "img/hero-640.PNG": true, "img/Hero-1.png": true, "img/Hero-639.png": true,
		"img/Hero-641.png": false, "img/Hero-0.png": false, "img/Hero-064.png": false, "img/Hero-+64.png": false, "img/Hero-64.jpg": false, "Hero-64.png": false,
		"img/Hero.png": false, "img/Hero-.png": false, "img/Hero-a-64.png": false, "card-64.png": false, "card-640.png": false, "hero.png": false, "": false,
	} {
		if got := im.MayWrite(file); got != want {
			t.Errorf("%q: %t", file, got)
		}
	}
}

// Whatever stands on a card, it is one word of a recipe and comes back.
func TestCardRecipe(t *testing.T) {
	t.Parallel()
	font := digest.OfContent([]byte("font"))
	for _, title := range []string{"Hello", "a b", "a=b label=x width=9", "100 % + & ?", "two\nlines\tand\u00a0more", "日本 – “é”", "%41+"} {
		im := &Image{Path: "a.png", Renditions: []Rendition{{Block: Social, Name: "social.card", Path: "a.jpg", Width: 1200, Height: 630,
			Card: Card{Title: title, Subtitle: title + " too", Font: "f.ttf", Color: "#102030"}}}}
		res := &Resolved{Fonts: map[string]digest.Content{"f.ttf": font}}
		out := res.Outputs(im, digest.Content{}, nil, nil)
		if len(out) != 2 || out[1].Font != "f.ttf" || out[0].Font != "" {
			t.Fatalf("%+v", out)
		}
		r, err := ParseRecipe(out[1].Recipe)
		if want := (Card{Title: title, Subtitle: title + " too", Color: "#102030"}); err != nil || r.Card != want || r.CardFont != font || r.Width != 1200 || r.Label != "" {
			t.Errorf("%q: %+v, %v", out[1].Recipe, r, err)
		}
	}
	for _, bad := range []string{
		"title=x", "color=#102030 height=630 title= width=1200", "height=630 title=x width=1200", "color=#102030 height=99 title=x width=1200", "color=red height=630 title=x width=1200",
		"color=#102030 height=630 title=%zz width=1200", "color=#102030 font=1 height=630 title=x width=1200", "subtitle=x", "color=#102030",
		"format=ico", "format=ico height=48 width=48", "icon=any", "icon=any width=9", "icon=other height=9 width=9", "height=9000 icon=maskable width=9000",
	} {
		if r, err := ParseRecipe(bad); err == nil {
			t.Errorf("%q is %+v", bad, r)
		}
	}
}
