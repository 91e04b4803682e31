package apply

import (
	"fmt"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// Inspect finds sources that are no pictures and masks that don't fit them, in
// the steps of a plan that may cost money: what would end such a step is told
// before anybody says yes to it. Sources that are not made yet can't be known.
func Inspect(sources *workspace.Root, l *lock.Lock, p *plan.Plan) (problems []plan.Problem) {
	e := Engine{Sources: sources}
	type sized struct {
		size provider.Size
		err  error
	}
	sizes := map[spec.Source]sized{} // each file is read once, however many edit it
	type masked struct {
		mask *imaging.Mask
		err  error
	}
	masks := map[[2]string]masked{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if !s.Verb.Paid() {
			continue
		}
		add := func(field, hint, format string, args ...any) {
			problems = append(problems, plan.Problem{Address: s.Address, Problem: spec.Problem{Field: field, Hint: hint, Text: fmt.Sprintf(format, args...)}})
		}
		var first provider.Size // of the source that a mask is for
		for k, src := range s.Sources {
			want := s.Request.Inputs[k].Content
			known, ok := sizes[src]
			if !ok || src.Image != "" {
				known.size, known.err = e.sizeOf(src, want, l)
				sizes[src] = known
			}
			size, err := known.size, known.err
			if err != nil {
				add("edit.image", "PNG, JPEG and WebP can be edited", "%s can't be edited: %s", src, plainly(err))
			}
			if k == 0 {
				first = size
			}
		}
		if s.MaskFile == "" {
			continue
		}
		edit := maskEdit(s)
		of, ok := masks[[2]string{s.MaskFile, edit}]
		if !ok {
			of.mask, of.err = e.maskOf(s.MaskFile, edit)
			masks[[2]string{s.MaskFile, edit}] = of
		}
		mask, err := of.mask, of.err
		switch {
		case err != nil:
			add("edit.mask.file", "a mask is a PNG with the pixels of the picture", "%v", err)
		case !first.IsZero() && (mask.Width() != first.Width || mask.Height() != first.Height):
			add("edit.mask.file", "draw the mask with the pixels of the picture", "mask %s is %dx%d, the picture is %s", s.MaskFile, mask.Width(), mask.Height(), first)
		default:
			if none, _ := mask.Coverage(); none {
				add("edit.mask.file", "check edit of the mask: transparent, white or black", "mask %s leaves nothing to edit", s.MaskFile)
			}
		}
	}
	return problems
}

// sizeOf is the size of a source, zero if it is not known yet.
func (e *Engine) sizeOf(src spec.Source, want digest.Content, l *lock.Lock) (provider.Size, error) {
	if !src.Content.IsZero() {
		return provider.Size{}, nil // it was a picture when it was edited
	}
	if src.Image != "" {
		if entry := l.Get(src.Image); entry != nil {
			for _, c := range entry.Candidates {
				if c.Content == want {
					return provider.Size{Width: c.Width, Height: c.Height}, nil
				}
			}
		}
		return provider.Size{}, nil
	}
	b, err := e.source(src, want)
	if err != nil {
		return provider.Size{}, err
	}
	info, err := imaging.Measure(b, imaging.DefaultLimits)
	return provider.Size{Width: info.Width, Height: info.Height}, err
}

// plainly is an error without the names of our packages.
func plainly(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "mask: "), "imaging: ")
}

// maskEdit says which pixels of the mask of a step may change.
func maskEdit(s *plan.Step) string {
	if s.Request.Mask != nil {
		return s.Request.Mask.Edit
	}
	r, _ := spec.ParseRecipe(s.Outputs[0].Recipe)
	return r.RestoreEdit
}

func (e *Engine) maskOf(file, edit string) (*imaging.Mask, error) {
	b, err := e.Sources.Read(file, imaging.DefaultLimits.Bytes)
	if err != nil {
		return nil, err
	}
	mask, err := imaging.ReadMask(b, edit, imaging.DefaultLimits)
	if err != nil {
		return nil, fmt.Errorf("mask %s: %s", file, plainly(err))
	}
	return mask, nil
}
