package apply

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// render carries out a recipe. An original that the recipe leaves alone is
// copied byte for byte, with whatever its maker put into it.
func (e *Engine) render(j *job, o plan.Output, picked *provider.Image, original []byte, pic *decoded) ([]byte, string, error) {
	recipe, err := spec.ParseRecipe(o.Recipe)
	if err != nil {
		return nil, "", err
	}
	if recipe.Verbatim(strings.TrimPrefix(picked.MIME, "image/")) {
		return original, "", nil
	}
	if recipe.Copies(strings.TrimPrefix(picked.MIME, "image/")) {
		b, err := imaging.Relabel(original, imaging.Label(*j.step.Label))
		return b, "", err
	}
	work := [][]byte{original}
	if recipe.Restore.Edit != "" {
		work = append(work, original, original) // the source and the mask are as large, about
	}
	defer e.pixels.enter(e.limits(), work...)()
	p, err := pic.decode(original, boxOf(recipe), e.limits())
	if err != nil {
		return nil, "", err
	}
	if recipe.Restore.Edit != "" {
		if p, err = e.restore(j, recipe, p); err != nil {
			return nil, "", err
		}
	}
	if s := recipe.Size; !s.IsZero() {
		if p, err = fit(p, s.Width, s.Height, "cover", recipe.Enlarge); err != nil {
			return nil, "", err
		}
	}
	if recipe.Width > 0 || recipe.Height > 0 {
		p = imaging.Fit(p, recipe.Width, recipe.Height, recipe.Fit, recipe.Enlarge)
	}
	var b bytes.Buffer
	encoder, err := p.Encode(&b, recipe.File.Format, recipe.File.Quality, recipe.File.Lossless)
	if err != nil || recipe.Label == "" {
		return b.Bytes(), encoder, err
	}
	out, err := imaging.Relabel(b.Bytes(), imaging.Label(*j.step.Label))
	return out, encoder, err
}

// maxRelabel is the most bytes of a file that gets another label: our own are
// larger than what providers deliver.
const maxRelabel = 4 * 64 << 20

// relabel gives a file that was written before another label. It is nil for what
// is to be a copy of its original again and is not with its label taken away: the
// original had metadata of its own.
func (e *Engine) relabel(j *job, o plan.Output, of *provider.Image) ([]byte, error) {
	recipe, err := spec.ParseRecipe(o.Recipe)
	if err != nil {
		return nil, err
	}
	b, err := e.Out.Read(o.Path, maxRelabel)
	if err != nil {
		return nil, err
	}
	if digest.OfContent(b) != o.Expect {
		return nil, fmt.Errorf("it has changed since the plan was made")
	}
	var l imaging.Label
	if recipe.Label != "" {
		l = imaging.Label(*j.step.Label)
	}
	b, err = imaging.Relabel(b, l)
	if err == nil && recipe.Verbatim(strings.TrimPrefix(of.MIME, "image/")) && digest.OfContent(b) != of.Content {
		return nil, nil
	}
	return b, err
}

// decoded is the original of outputs, decoded once for all whose boxes are
// known before: a JPEG only as large as what is fitted into them needs.
type decoded struct {
	boxes []imaging.Box
	pic   *imaging.Picture
}

// decode is the original for an output that makes that box of it.
func (d *decoded) decode(original []byte, box imaging.Box, lim imaging.Limits) (p *imaging.Picture, err error) {
	known := slices.Contains(d.boxes, box)
	if !known {
		d.boxes = append(d.boxes, box)
	}
	if !known || d.pic == nil {
		d.pic, _, err = imaging.DecodeFor(original, lim, d.boxes...)
	}
	return d.pic, err
}

// boxes are what the outputs that are to be written make of their original, in
// the given format, first of all. Copies need no pixel.
func boxes(outputs []plan.Output, format string) (out []imaging.Box) {
	for _, o := range outputs {
		recipe, err := spec.ParseRecipe(o.Recipe)
		if err == nil && o.Action == plan.Write && !o.Adopt && !recipe.Copies(format) {
			out = append(out, boxOf(recipe))
		}
	}
	return out
}

// boxOf is what a recipe makes of its original first of all: the zero Box for
// one that says anything that is not known here, and so may need every pixel.
func boxOf(r spec.Recipe) imaging.Box {
	known := spec.Recipe{Size: r.Size, Width: r.Width, Height: r.Height, Fit: r.Fit, Enlarge: r.Enlarge, File: r.File, Label: r.Label}
	switch {
	case !reflect.DeepEqual(r, known):
		return imaging.Box{}
	case !r.Size.IsZero():
		return imaging.Box{Width: r.Size.Width, Height: r.Size.Height, Fit: "cover", Enlarge: r.Enlarge}
	case r.Width > 0 || r.Height > 0:
		return imaging.Box{Width: r.Width, Height: r.Height, Fit: r.Fit, Enlarge: r.Enlarge}
	}
	return imaging.Box{}
}

// fit makes exact pixels; a picture that is too small is an error unless it
// may be enlarged.
func fit(p *imaging.Picture, width, height int, how string, enlarge bool) (*imaging.Picture, error) {
	out := imaging.Fit(p, width, height, how, enlarge)
	if out.Width() != width || out.Height() != height {
		return nil, &hinted{fmt.Errorf("the picture is %dx%d, too small for %dx%d", p.Width(), p.Height(), width, height), "write enlarge = true, or ask for a smaller size"}
	}
	return out, nil
}

// restore puts the pixels of the first source back outside the mask.
func (e *Engine) restore(j *job, recipe spec.Recipe, edited *imaging.Picture) (*imaging.Picture, error) {
	source, err := e.source(j.step.Sources[0], recipe.RestoreSource)
	if err != nil {
		return nil, err
	}
	mask, err := e.mask(&recipe.Restore, j.step.MaskFile, source)
	if err != nil {
		return nil, err
	}
	base, _, err := imaging.Decode(source, e.limits())
	if err != nil {
		return nil, err
	}
	return imaging.Restore(edited, base, mask), nil
}
