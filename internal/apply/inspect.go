package apply

import (
	"fmt"
	"slices"
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
// the steps of a plan that may cost money, and cards whose text does not fit: what would end such a step is told
// before anybody says yes to it. Sources that are not made yet can't be known.
func Inspect(sources *workspace.Root, l *lock.Lock, p *plan.Plan, lim imaging.Limits) (problems []plan.Problem) {
	e := Engine{Sources: sources, Limits: lim}
	type sized struct {
		size provider.Size
		err  error
	}
	sizes := map[spec.Source]sized{} // each file is read once, however many edit it
	type masked struct {
		mask   *imaging.Mask
		faults []spec.Problem
	}
	masks := map[[2]string]masked{} // each is read once; one that is drawn, once for a size
	for i := range p.Steps {
		s := &p.Steps[i]
		problems = append(problems, e.cards(s)...)
		problems = append(problems, e.outsized(s)...)
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
				add("edit.image", orLarger(err, "PNG, JPEG and WebP can be edited"), "%s can't be edited: %s", src, plainly(err))
			}
			if k == 0 {
				first = size
			}
		}
		in := maskIn(s)
		if in == nil || in.Edit == provider.Drawn && first.IsZero() || in.Edit != provider.Drawn && s.MaskFile == "" {
			continue
		}
		key := [2]string{in.Edit, s.MaskFile}
		if in.Edit == provider.Drawn {
			key = [2]string{first.String(), in.Shapes}
		}
		of, ok := masks[key]
		if !ok {
			var b []byte
			var err error
			if in.Edit != provider.Drawn {
				b, err = e.Sources.Read(s.MaskFile, e.limits().Bytes)
			}
			if err != nil {
				of.faults = []spec.Problem{{Field: "edit.mask.file", Text: err.Error(), Hint: aMask}}
			} else {
				of.mask, of.faults = e.readMask(in, s.MaskFile, b, first)
			}
			masks[key] = of
		}
		faults := of.faults
		if of.mask != nil && !first.IsZero() {
			if p := misfit(of.mask, s.MaskFile, first); p != nil {
				faults = append(slices.Clone(faults), *p)
			}
		}
		for _, f := range faults {
			problems = append(problems, plan.Problem{Address: s.Address, Problem: f, Warning: f.Value == everything})
		}
	}
	return problems
}

// outsized finds files that would have more pixels than may be decoded, which
// only what enlarges can make, or whose making would take more memory than there
// may be.
func (e *Engine) outsized(s *plan.Step) (problems []plan.Problem) {
	for _, o := range s.Outputs {
		r, err := spec.ParseRecipe(o.Recipe)
		if err != nil || o.Action != plan.Write || o.Relabel {
			continue
		}
		of := provider.Image{Width: s.Request.Size.Width, Height: s.Request.Size.Height}
		if s.Pick > 0 && s.Pick <= len(s.Candidates) {
			of = s.Candidates[s.Pick-1]
		}
		if err := tooLarge(r, &of, e.limits()); err != nil {
			field := "size"
			if o.Name != "" {
				field = "rendition." + o.Name
			}
			problems = append(problems, plan.Problem{Address: s.Address, Kind: plan.TooLarge, Problem: spec.Problem{Field: field, Text: o.Path + ": " + err.Error(),
				Hint: "make it smaller; if you trust who wrote it: export IMGBUILD_MAX_MEGAPIXELS=…"}})
		}
	}
	return problems
}

// tooLarge is why the file of a recipe can't be made of a picture, whose size
// may not be known.
func tooLarge(r spec.Recipe, of *provider.Image, lim imaging.Limits) error {
	width, height := max(of.Width, 1), max(of.Height, 1)
	var sizes [][2]int
	if r.Enlarge {
		w, h := r.Width, r.Height
		if !r.Size.IsZero() || of.Width > 0 {
			w, h = sizeOf(r, width, height)
		}
		sizes = [][2]int{{r.Size.Width, r.Size.Height}, {w, h}}
	}
	for _, size := range sizes {
		w, h := size[0], size[1]
		if max(w, h) <= lim.Side && w*h <= lim.Pixels {
			continue
		}
		what := fmt.Sprintf("%dx%d pixels", w, h)
		if min(w, h) == 0 {
			what = fmt.Sprintf("a side of %d pixels", max(w, h))
		}
		return fmt.Errorf("it would have %s, and %d megapixels and %d a side are allowed", what, lim.Pixels>>20, lim.Side)
	}
	if need := 4*area(width, height) + scratch(r, width, height); need > lim.Memory() {
		return fmt.Errorf("it would take %d MB to make, and %d are allowed", need>>20, lim.Memory()>>20)
	}
	return nil
}

// cards finds texts that can't be written on the files of a step.
func (e *Engine) cards(s *plan.Step) (problems []plan.Problem) {
	for _, o := range s.Outputs {
		r, err := spec.ParseRecipe(o.Recipe)
		if err != nil || r.Card.Title == "" || o.Action != plan.Write || o.Relabel {
			continue
		}
		var faults []imaging.CardFault
		card, err := e.card(s, r)
		if err != nil {
			faults = []imaging.CardFault{{Field: "font", Text: err.Error(), Hint: "use a TrueType or OpenType file"}}
		} else {
			faults = card.Check()
		}
		for _, f := range faults {
			problems = append(problems, plan.Problem{Address: s.Address, Kind: plan.BadCard, Problem: spec.Problem{Field: o.Block + "." + f.Field, Text: o.Block + ": " + f.Text, Hint: f.Hint}})
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
	info, err := imaging.Measure(b, e.limits())
	if most := e.limits().Memory(); err == nil && imaging.Memory(b, e.limits()) > most {
		err = fmt.Errorf("it takes more than %d MB to decode", most>>20)
	}
	return provider.Size{Width: info.Width, Height: info.Height}, err
}

// plainly is an error without the names of our packages.
func plainly(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "mask: "), "imaging: ")
}
