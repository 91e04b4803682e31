package plan

import (
	"fmt"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// ImportedModel stands where the model would that served a candidate.
const ImportedModel = "imported"

// imports makes a picture that exists the only candidate of an image which has
// none, and reports whether it did. What was paid for is never given up for it.
func (s *stepper) imports() bool {
	m, step := s.m, &s.step
	from, ok := m.in.Imports[s.im.Address]
	if !ok {
		return false
	}
	if s.entry == nil && s.known {
		s.renamed()
	}
	if s.entry != nil && len(s.entry.Candidates) > 0 {
		return false
	}
	if c, ok := m.in.Written[from.Path]; ok && from.Fault == nil && c == from.Image.Content {
		// A run that died has imported it and written its rendition in its
		// place: the picture itself is in the store.
		return false
	}
	switch {
	case from.Fault != nil:
		m.problem(s.im.Address, *from.Fault)
		return false
	case s.im.N > 1:
		m.problem(s.im.Address, spec.Problem{Field: "n", Text: fmt.Sprintf("n is %d, and an import brings one candidate", s.im.N),
			Hint: "write n = 1; once it is imported, a larger n buys the difference"})
		return false
	}
	step.Import, step.Candidates = from.Path, []provider.Image{from.Image}
	s.why(Reason{Cause: CauseImported, New: from.Path})
	if is := (provider.Size{Width: from.Image.Width, Height: from.Image.Height}); s.im.Wanted.Size != "" && s.res.Size.IsZero() && is.String() != s.im.Wanted.Size {
		step.Notes = append(step.Notes[:len(step.Notes):len(step.Notes)], fmt.Sprintf("the picture is %s, not %s as size says; it is taken as it is", is, s.im.Wanted.Size))
	}
	if m.imported == nil {
		m.imported = map[digest.Content]bool{}
	}
	m.imported[from.Image.Content] = true
	if s.im.Share {
		s.offerToOthers(1)
	}
	return true
}
