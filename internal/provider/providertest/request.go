package providertest

import (
	"bytes"
	"sync"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Requests are the cheapest that show what an offer has: one image, two in a
// call, an edit and an edit with a mask, as far as the model takes them.
func Requests(o provider.Offer) []*provider.Request {
	plain := provider.Request{Provider: o.Provider, Model: o.Model, Prompt: "A red apple on a white table", N: 1}
	if len(o.Resolutions) > 0 {
		plain.Resolution = o.Resolutions[0]
	}
	if len(o.Qualities) > 0 {
		plain.Quality = o.Qualities[0]
	}
	edit := plain
	switch {
	case o.AnySize:
		plain.Size, plain.Resolution, edit.Resolution = provider.Size{Width: 320, Height: 240}, "", ""
	case o.DefaultAspectRatio != "":
		plain.AspectRatio = o.DefaultAspectRatio
	case len(o.Sizes) > 0:
		plain.Size = o.Sizes[0]
	}
	list := []*provider.Request{&plain}
	if o.MaxN > 1 {
		two := plain
		two.N = 2
		list = append(list, &two)
	}
	if o.MaxInputs > 0 {
		edit.Prompt = "Make the apple green"
		edit.Inputs = []provider.Input{source()}
		list = append(list, &edit)
	}
	if o.MaxInputs > 0 && o.Mask {
		masked := edit
		m := mask()
		m.Edit = "transparent"
		masked.Mask = &m
		list = append(list, &masked)
	}
	return list
}

// side of the picture that is edited, in pixels.
const side = 512

// source is a red disc on white.
var source = sync.OnceValue(func() provider.Input {
	p := imaging.New(side, side)
	for i := range side * side {
		x, y := i%side-side/2, i/side-side/2
		colour := []byte{255, 255, 255, 255}
		if x*x+y*y < side*side/9 {
			colour = []byte{200, 30, 40, 255}
		}
		copy(p.Pix()[4*i:], colour)
	}
	return input(p)
})

// mask lets the upper half change.
var mask = sync.OnceValue(func() provider.Input {
	p := imaging.New(side, side)
	for i := side * side / 2; i < side*side; i++ {
		p.Pix()[4*i+3] = 255
	}
	return input(p)
})

func input(p *imaging.Picture) provider.Input {
	var b bytes.Buffer
	if _, err := p.Encode(&b, "png", 0, true); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return provider.Input{Content: digest.OfContent(b.Bytes()), Data: b.Bytes(), MIME: "image/png"}
}
