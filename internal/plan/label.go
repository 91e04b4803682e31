package plan

import (
	"fmt"
	"slices"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// outputs are the files that an image must have, made from a candidate or,
// with nil, from one that is still to be made.
func (m *maker) outputs(im *spec.Image, res *spec.Resolved, mask digest.Content, of *provider.Image) []spec.Output {
	res.Fonts = m.in.Files
	return res.Outputs(im, mask, of, func() spec.Label { return m.label(im, of) })
}

// label is what an image says of itself in files that are encoded here.
func (m *maker) label(im *spec.Image, of *provider.Image) spec.Label {
	if im.Unlabelled {
		return spec.Label{}
	}
	i, _ := m.index(im.Address)
	l := spec.Label{SourceType: m.sourceType(i, of), Credit: im.Credit, License: im.License, Alt: im.Alt, Caption: im.Caption}
	if e := m.state[i].entry; e != nil && slices.ContainsFunc(im.Wanted.Sources, func(s spec.Source) bool { return !s.Content.IsZero() }) {
		// That was a guess, which must not change what is held.
		for _, code := range []string{spec.SourceTrained, spec.SourceComposite, spec.SourceAlgorithmic, spec.SourceSynthetic} {
			was := l
			was.SourceType = code
			for _, o := range e.Outputs {
				if r, _ := spec.ParseRecipe(o.Recipe); r.Label == was.Digest() {
					return was
				}
			}
		}
	}
	return l
}

// sourceType is the code of IPTC for the picture of an image, made from a
// candidate or, with nil, from one that is still to be made. What was imported is
// what its file says: nobody else knows.
//
// Of a source that ignore_changes holds on to only the content is left. It was
// the image that stands in its place now, if one does.
func (m *maker) sourceType(i int, of *provider.Image) string {
	if of != nil && isImported(*of) {
		return of.SourceType
	}
	now := &m.in.Images[i].Wanted
	w := now
	if as := m.state[i].as; as != nil {
		w = &as.Wanted
	}
	offer, ok := m.in.Offer(w.Provider, w.Model)
	from := make([]string, len(w.Sources))
	for k, s := range w.Sources {
		if !s.Content.IsZero() && k < len(now.Sources) {
			s = now.Sources[k]
		}
		if j, is := m.index(s.Image); is && s.Image != "" {
			from[k] = m.origin(j)
		}
	}
	return spec.SourceType(ok && offer.Procedural, from)
}

// origin is sourceType for the candidate that an image will have, which was
// planned before. It is remembered: edits of edits ask again and again.
func (m *maker) origin(i int) string {
	st := &m.state[i]
	if !st.origin.known {
		st.origin.code, st.origin.known = m.sourceType(i, st.picked), true
	}
	return st.origin.code
}

// SourceTypes tells the code of IPTC for the picture of each image as the lock
// has it, or as it would be made, by address.
func SourceTypes(in Input) map[spec.Address]string {
	m := maker{in: in, state: make([]state, len(in.Images))}
	out := make(map[spec.Address]string, len(in.Images))
	for i := range in.Images {
		if im := &in.Images[i]; in.Lock != nil {
			if e := in.Lock.Get(im.Address); e != nil {
				m.state[i].picked = e.Picked(Pick(im, e))
			}
		}
	}
	for i := range in.Images {
		out[in.Images[i].Address] = m.origin(i)
	}
	return out
}

// labels gives the step the texts of the label that its outputs ask for, and
// notes what is lost of the original's own.
func (s *stepper) labels() {
	var unsigned []string
	p := s.picked()
	for i := range s.step.Outputs {
		o := &s.step.Outputs[i]
		if o.Action != Write || o.Adopt {
			continue
		}
		r, _ := spec.ParseRecipe(o.Recipe)
		if r.Label != "" && s.step.Label == nil {
			l := s.m.label(s.im, p)
			s.step.Label = &l
		}
		if p != nil && p.C2PA && !o.Relabel && !r.Verbatim(formatOf(p)) {
			unsigned = append(unsigned, o.Path)
		}
	}
	if len(unsigned) > 0 {
		s.step.Notes = append(slices.Clone(s.step.Notes), Unsigned(unsigned))
	}
}

// Unsigned is the note for files that do not have the C2PA manifest which their
// original has.
func Unsigned(paths []string) string {
	what := paths[0]
	if n := len(paths); n > 1 {
		what = fmt.Sprintf("%s and %d more", what, n-1)
	}
	return what + ": without the Content Credentials (C2PA) of the original, which are valid for that alone; it stays in the store as it came"
}
