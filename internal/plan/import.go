package plan

import (
	"fmt"
	"slices"

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
		s.offer = 1
	}
	return true
}

func isImported(im provider.Image) bool { return im.Model == ImportedModel }

// overImported notes which files that somebody made are written over or deleted.
func (s *stepper) overImported() {
	m, step := s.m, &s.step
	for _, o := range step.Outputs {
		c := o.Expect
		if c.IsZero() || o.Action != Write && o.Action != DeleteFile {
			continue
		}
		if _, whose := m.owner(o.Path); o.Path != step.Import && !slices.ContainsFunc(m.candidates(whose), func(im provider.Image) bool { return isImported(im) && im.Content == c }) {
			continue
		}
		if p := s.picked(); o.Action == Write && p != nil && p.Content == c && verbatim(o, p) {
			continue // the same bytes again
		}
		what := "writes over"
		if o.Action == DeleteFile {
			what = "deletes"
		}
		step.Notes = append(slices.Clone(step.Notes), fmt.Sprintf("%s the imported %s%s", what, o.Path, m.original(c)))
	}
}

// candidates are those that the lock records for an address.
func (m *maker) candidates(a spec.Address) []provider.Image {
	if e := m.in.Lock.Get(a); e != nil {
		return e.Candidates
	}
	return nil
}

// original says, after what happens to a file, what becomes of the picture
// that was imported.
func (m *maker) original(c digest.Content) string {
	if m.held(c, nil) {
		return "; the original stays in the store"
	}
	return ", and the store does not have the original: keep a copy"
}

func verbatim(o Output, p *provider.Image) bool {
	r, _ := spec.ParseRecipe(o.Recipe)
	return r.Verbatim(formatOf(p))
}
