package spec

import (
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Fields is a set of attributes of an image that take part in its request.
type Fields uint16

// FieldNames are the members that a Fields can have, as they are written.
var FieldNames = []string{"aspect_ratio", "edit", "model", "prompt", "quality", "reroll", "resolution", "size", "style", "user"}

// AllFields is everything of the request, the provider too.
const AllFields = ^Fields(0)

// FieldOf is the set of one name, empty if there is no such member.
func FieldOf(name string) Fields {
	if i := slices.Index(FieldNames, name); i >= 0 {
		return 1 << i
	}
	return 0
}

// Has reports whether the set has a member of that name.
func (f Fields) Has(name string) bool { return f&FieldOf(name) != 0 }

// Recorded is what the lock knows of the request that an image was made by.
type Recorded struct {
	Request *provider.Request
	Recipe  Recipe // of its main output
	Offer   *provider.Offer
}

// Held is the wish with the fields of ignore as they were recorded; now tells
// what a source or a mask is at present.
func (w Wanted) Held(ignore Fields, rec Recorded, now func(Source) digest.Content) Wanted {
	r := rec.Request
	// A size that was made locally stands in the recipe.
	size := r.Size
	if size.IsZero() {
		size = rec.Recipe.Size
	}
	words, style := recordedStyle(r, rec.Offer)
	for _, f := range []struct {
		name string
		to   *string
		was  string
	}{
		{"prompt", &w.Prompt, words}, {"style", &w.Style, style}, {"size", &w.Size, size.String()}, {"aspect_ratio", &w.AspectRatio, r.AspectRatio},
		{"resolution", &w.Resolution, r.Resolution}, {"quality", &w.Quality, r.Quality}, {"user", &w.User, r.User}, {"reroll", &w.Reroll, r.Reroll},
		{"model", &w.Model, r.Model},
	} {
		if ignore.Has(f.name) {
			*f.to = f.was
		}
	}
	if ignore.Has("edit") {
		w.Sources, w.Mask = w.heldSources(r, now), w.heldMask(rec, now)
	}
	return w
}

// recordedStyle takes apart a prompt to which the style was added as words.
func recordedStyle(r *provider.Request, offer *provider.Offer) (prompt, style string) {
	if r.Style != "" || offer == nil {
		return r.Prompt, r.Style
	}
	for name, words := range offer.StyleWords {
		if head, ok := strings.CutSuffix(r.Prompt, " "+words); ok {
			return head, name
		}
	}
	return r.Prompt, ""
}

// heldSources keeps a source that is still what it was, and names the others
// by content.
func (w *Wanted) heldSources(r *provider.Request, now func(Source) digest.Content) []Source {
	out := make([]Source, len(r.Inputs))
	for i := range r.Inputs {
		out[i] = Source{Content: r.Inputs[i].Content}
		if i < len(w.Sources) && now(w.Sources[i]) == r.Inputs[i].Content {
			out[i] = w.Sources[i]
		}
	}
	return out
}

// heldMask keeps a mask that is still what it was, and names another by
// content.
func (w *Wanted) heldMask(rec Recorded, now func(Source) digest.Content) *Mask {
	restored := rec.Recipe.Restore.Edit != ""
	in := &rec.Recipe.Restore
	if rec.Request.Mask != nil {
		in = rec.Request.Mask
	}
	was := Mask{Edit: in.Edit, Shapes: in.Shapes, Content: in.Content, Preserve: &restored}
	switch {
	case was.Edit == "":
		return nil
	case w.Mask == nil:
	case w.Mask.Edit == was.Edit && w.Mask.Shapes == was.Shapes && now(Source{File: w.Mask.File}) == was.Content:
		return w.Mask
	default:
		was.Preserve = w.Mask.Preserve // that costs nothing, so nothing holds it
	}
	return &was
}
