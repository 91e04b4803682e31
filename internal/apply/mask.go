package apply

import (
	"errors"
	"fmt"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/shape"
	"github.com/imgbuild/imgbuild/internal/spec"
)

const aMask = "a mask is a PNG with the pixels of the picture"

// ShapeField is what the Field of a problem begins with that is one of the
// shape that is its Value.
const ShapeField = "edit.mask.*"

// everything is the Value of the problem that a mask forbids nothing: it can be
// carried out.
const everything = "everything"

// maskIn is the mask of a step, nil if it has none.
func maskIn(s *plan.Step) *provider.Input {
	if s.Request.Mask != nil {
		return s.Request.Mask
	}
	if len(s.Outputs) == 0 || len(s.Sources) == 0 {
		return nil
	}
	if r, _ := spec.ParseRecipe(s.Outputs[0].Recipe); r.Restore.Edit != "" {
		return &r.Restore
	}
	return nil
}

// called is the mask in a sentence.
func called(in *provider.Input, file string) string {
	if in.Edit == provider.Drawn {
		return "the mask"
	}
	return "mask " + file
}

// readMask reads the mask in b, the bytes of file, or draws it for a picture of
// the given size. It tells all that is wrong with it by itself.
func (e *Engine) readMask(in *provider.Input, file string, b []byte, size provider.Size) (*imaging.Mask, []spec.Problem) {
	if in.Edit != provider.Drawn {
		mask, err := imaging.ReadMask(b, in.Edit, e.limits())
		if err != nil {
			return nil, []spec.Problem{{Field: "edit.mask.file", Text: fmt.Sprintf("mask %s: %s", file, plainly(err)), Hint: aMask}}
		}
		return mask, coverage(mask, in, file)
	}
	d, err := shape.Parse(in.Shapes)
	if err != nil {
		return nil, []spec.Problem{{Field: "edit.mask", Text: "the mask can't be drawn: " + err.Error(), Hint: "imgbuild plan makes a new plan"}}
	}
	mask, faults := imaging.DrawMask(d, size.Width, size.Height)
	var problems []spec.Problem
	for _, f := range faults {
		p := spec.Problem{Field: "edit.mask", Text: "the mask " + f.Text, Hint: f.Hint}
		if f.Shape >= 0 {
			s := &d.Shapes[f.Shape]
			p.Field, p.Value = ShapeField, s.String()
			p.Text = fmt.Sprintf("the %s of the mask %s", s.Kind, f.Text)
		}
		if f.Field != "" {
			p.Field += "." + f.Field
		}
		problems = append(problems, p)
	}
	if len(problems) == 0 {
		problems = coverage(mask, in, file)
	}
	return mask, problems
}

// coverage tells that a mask forbids everything, or nothing.
func coverage(mask *imaging.Mask, in *provider.Input, file string) []spec.Problem {
	field, hint := "edit.mask.file", fmt.Sprintf("check edit = %q: it is transparent, white or black", in.Edit)
	if in.Edit == provider.Drawn {
		field, hint = "edit.mask", "let the shapes that subtract leave something"
	}
	none, all := mask.Coverage()
	switch {
	case none:
		return []spec.Problem{{Field: field, Text: called(in, file) + " leaves nothing to edit", Hint: hint}}
	case all:
		if in.Edit == provider.Drawn {
			hint = "make it smaller, or remove it"
		}
		return []spec.Problem{{Field: field, Value: everything, Text: called(in, file) + " lets everything be edited", Hint: hint}}
	}
	return nil
}

// misfit tells that a mask has other pixels than its picture.
func misfit(mask *imaging.Mask, file string, size provider.Size) *spec.Problem {
	if mask.Width() == size.Width && mask.Height() == size.Height {
		return nil
	}
	return &spec.Problem{Field: "edit.mask.file", Hint: "draw the mask with the pixels of the picture",
		Text: fmt.Sprintf("mask %s is %dx%d, the picture is %s", file, mask.Width(), mask.Height(), size)}
}

// mask reads or draws a mask and makes sure that it fits the picture and is
// what was planned.
func (e *Engine) mask(in *provider.Input, file string, picture []byte) (*imaging.Mask, error) {
	info, err := imaging.Measure(picture, e.limits())
	if err != nil {
		return nil, err
	}
	var b []byte
	if in.Edit != provider.Drawn {
		if b, err = e.file(file, in.Content); err != nil {
			return nil, err
		}
	}
	size := provider.Size{Width: info.Width, Height: info.Height}
	mask, problems := e.readMask(in, file, b, size)
	if mask != nil {
		if p := misfit(mask, file, size); p != nil {
			problems = append(problems, *p)
		}
	}
	for _, p := range problems {
		if p.Value != everything {
			return nil, &hinted{errors.New(p.Text), p.Hint}
		}
	}
	return mask, nil
}

// ShowMask is a PNG of the picture that an image edits, with a hole where its
// mask lets it change. src is that picture and content its bytes; file is the
// content of the mask, if it is a file.
func ShowMask(e *Engine, m *spec.Mask, file digest.Content, src spec.Source, content digest.Content) ([]byte, []spec.Problem, error) {
	mask, picture, problems, err := e.seenMask(m, file, src, content)
	if mask == nil {
		return nil, problems, err
	}
	return mask.Hole(picture), problems, nil
}

// MaskView is a veil over the picture that an image edits, where its mask wants
// it to stay, and the share of the pixels there, 0 to 1, that the edited picture
// has otherwise. It is nil where there is no mask that fits.
func MaskView(e *Engine, m *spec.Mask, file digest.Content, src spec.Source, content, edited digest.Content) (*imaging.Picture, float64, error) {
	mask, picture, _, err := e.seenMask(m, file, src, content)
	if mask == nil {
		return nil, 0, err
	}
	b, err := e.Store.Get(edited, e.limits().Bytes)
	if err != nil {
		return nil, 0, err
	}
	after, _, err := imaging.Decode(b, e.limits())
	if err != nil {
		return nil, 0, err
	}
	return mask.Veil(), imaging.Outside(after, picture, mask), nil
}

// seenMask is the mask of an image and the picture that it edits. Without a
// mask that fits there are problems or an error.
func (e *Engine) seenMask(m *spec.Mask, file digest.Content, src spec.Source, content digest.Content) (*imaging.Mask, *imaging.Picture, []spec.Problem, error) {
	e.findCopies()
	b, err := e.source(src, content)
	if err != nil {
		return nil, nil, nil, err
	}
	picture, _, err := imaging.Decode(b, e.limits())
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s can't be edited: %s", src, plainly(err))
	}
	size := provider.Size{Width: picture.Width(), Height: picture.Height()}
	in := provider.Input{Edit: m.Edit, Shapes: m.Shapes, Content: file}
	var bytes []byte
	if m.Edit != provider.Drawn {
		if bytes, err = e.file(m.File, file); err != nil {
			return nil, nil, nil, err
		}
	}
	mask, problems := e.readMask(&in, m.File, bytes, size)
	if mask == nil {
		return nil, nil, problems, nil
	}
	if p := misfit(mask, m.File, size); p != nil {
		return nil, nil, append(problems, *p), nil
	}
	return mask, picture, problems, nil
}
