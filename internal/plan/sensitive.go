package plan

import (
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// fieldDiff tells what differs from the recorded request. Of sensitive fields
// it only tells that they differ.
func (s *stepper) fieldDiff() []Reason {
	r := &s.res.Request
	old, now := s.entry.Fields(), r.Fields()
	was := provider.RequestOf(old, 0, 0)
	if len(was.Sensitive)+len(r.Sensitive) == 0 {
		return fieldDiff(old, now)
	}
	var hidden []string
	for _, name := range []string{"prompt", "style", "user"} {
		if slices.Contains(was.Sensitive, name) || slices.Contains(r.Sensitive, name) {
			hidden = append(hidden, name)
		}
	}
	open := func(list []provider.Field) []provider.Field {
		return slices.DeleteFunc(slices.Clone(list), func(f provider.Field) bool {
			return f.Name == "sensitive" || slices.Contains(hidden, f.Name)
		})
	}
	var why []Reason
	// The recorded request with the values of now has the recorded digest if
	// they are the ones of then.
	was.Sensitive = hidden
	if was.Fill(r); was.Digest() != s.entry.Request {
		why = append(why, Reason{Cause: CauseChanged, Field: strings.Join(hidden, " or "), Sensitive: true})
	}
	return append(why, fieldDiff(open(old), open(now))...)
}

// exposed reports whether an entry has the value of a field that is sensitive
// now, or words of the provider that may hold it.
func exposed(e *lock.Entry, sensitive []string) bool {
	if len(sensitive) == 0 {
		return false
	}
	return slices.ContainsFunc(sensitive, func(name string) bool { return e.Field(name) != "" }) ||
		slices.ContainsFunc(e.Candidates, func(c provider.Image) bool { return c.RevisedPrompt != "" }) ||
		slices.ContainsFunc(e.Refused, func(r lock.Refusal) bool { return r.Message != "" })
}
