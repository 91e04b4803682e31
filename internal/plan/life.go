package plan

import (
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Ignored is what an image wants and ignore_changes holds back.
type Ignored struct {
	Address spec.Address `json:"address"`
	Changes []Reason     `json:"changes"`
}

// Budget is what an apply may spend on some images.
type Budget struct {
	Name     string         `json:"name"`
	Tags     []string       `json:"tags"`
	MaxCost  provider.Money `json:"max_cost"`
	Price    provider.Money `json:"price"`    // of its steps whose price is known
	Unpriced int            `json:"unpriced"` // of its steps without a known price
}

// Exceeded reports whether the budget will not do for what is planned.
func (b *Budget) Exceeded() bool { return b.Price > b.MaxCost || b.Unpriced > 0 }

// hold gives the image that is planned: that of the configuration, with what
// ignore_changes names as the lock recorded it; and the request, where all of
// it is held. It is blind where the lock does not have all fields of the
// request: it keeps no secrets, and a later version may know more of them.
func (m *maker) hold(im *spec.Image, entry *lock.Entry) (held *spec.Image, request *provider.Request, blind bool) {
	if im.Ignore == 0 || entry == nil || entry.Request.IsZero() {
		return im, nil, false
	}
	rec := spec.Recorded{Request: provider.RequestOf(entry.Fields(), im.N, 0)}
	if rec.Request.Digest() != entry.Request {
		return im, nil, true
	}
	ignore := im.Ignore
	if o, ok := m.in.Offer(im.Wanted.Provider, rec.Request.Model); ok && o.Provider == rec.Request.Provider {
		rec.Offer = o
	} else if ignore != spec.AllFields {
		// What another provider calls a model, a resolution or a quality says
		// nothing to this one.
		ignore &^= spec.FieldOf("model") | spec.FieldOf("resolution") | spec.FieldOf("quality")
	}
	if len(entry.Outputs) > 0 {
		rec.Recipe, _ = spec.ParseRecipe(entry.Outputs[0].Recipe)
	}
	was := *im
	was.Wanted = im.Wanted.Held(ignore, rec, m.source)
	if ignore == spec.AllFields {
		request = rec.Request
		request.Sensitive = im.Wanted.Sensitive // also of before they were
	}
	return &was, request, false
}

// resolveHeld is resolve for an image all of whose request is held: it is what
// it was, whatever became of the model and of the provider.
func resolveHeld(im *spec.Image, request *provider.Request) spec.Resolved {
	res := spec.Resolved{Request: *request, Enlarge: im.Wanted.Enlarge}
	res.Restore = im.Wanted.Mask != nil && im.Wanted.Mask.Preserves(request.Mask != nil)
	if request.Size.IsZero() {
		res.Size, _ = provider.ParseSize(im.Wanted.Size)
	}
	return res
}

// unheld is what differs from the recorded request. A size that is not held
// brings another aspect ratio or resolution with it even where those are: the
// size is the reason then.
func (s *stepper) unheld() []Reason {
	why := s.fieldDiff()
	follows := func(r Reason) bool {
		return (r.Field == "aspect_ratio" || r.Field == "resolution") && s.im.Ignore.Has(r.Field)
	}
	i := slices.IndexFunc(why, follows)
	if i < 0 || s.im.Wanted.Size == "" {
		return why
	}
	was := s.entry.Field("size")
	if was == "" && len(s.entry.Outputs) > 0 {
		recipe, _ := spec.ParseRecipe(s.entry.Outputs[0].Recipe)
		was = recipe.Size.String()
	}
	size := Reason{Cause: CauseChanged, Field: "size", Old: was, New: s.im.Wanted.Size}
	why[i] = size
	return slices.DeleteFunc(why, func(r Reason) bool { return follows(r) || r.Field == "size" && r != size })
}

// canBeAsked reports whether the provider of the image can be asked at all: a
// request that is held as a whole may be another one's.
func (s *stepper) canBeAsked() bool {
	offer, ok := s.m.in.Offer(s.im.Wanted.Provider, s.res.Request.Model)
	if ok && offer.Provider == s.res.Request.Provider {
		return true
	}
	s.m.problem(s.im.Address, spec.Problem{Field: "lifecycle.ignore_changes", Value: s.res.Request.Model,
		Text: "ignore_changes = all holds on to " + s.res.Request.Model + " of " + s.res.Request.Provider + ", which provider " + s.im.Wanted.Provider + " does not have",
		Hint: "name the fields to ignore instead of all, or leave the image as it is"})
	return false
}

// ignored notes what an image wants in vain.
func (m *maker) ignored(im *spec.Image, entry *lock.Entry, held *spec.Resolved) {
	res, problems := m.resolve(im, entry, true)
	var changes []Reason
	if res.Request.Provider == "" && len(problems) > 0 { // there is no such model
		changes = []Reason{{Cause: CauseChanged, Field: "model", Old: held.Request.Model, New: im.Wanted.Model}}
	} else {
		m.digest(im, &res)
		changes = sourceDiff(held.Request.Fields(), res.Request.Fields(), im.Wanted.Sources)
		if res.Size != held.Size { // made locally, so no field of the request
			changes = append(changes, Reason{Cause: CauseChanged, Field: "size", Old: held.Size.String(), New: res.Size.String()})
		}
	}
	if len(changes) > 0 {
		m.plan.Ignored = append(m.plan.Ignored, Ignored{im.Address, changes})
	}
}

// Replaces reports whether carrying out the step would take away what e
// records: buy another picture in its place, write over a file of it, or delete
// it. Further candidates, further files and files that are missing do not.
func (s *Step) Replaces(e *lock.Entry) bool {
	if e == nil || e.Request.IsZero() {
		return false // there is no picture yet
	}
	if s.Drop || s.Fresh || s.N > 0 && s.Digest != e.Request {
		return true
	}
	var of digest.Content
	if s.Pick > 0 && s.Pick <= len(s.Candidates) {
		of = s.Candidates[s.Pick-1].Content
	}
	return slices.ContainsFunc(s.Outputs, func(o Output) bool {
		rec := e.Output(o.Path)
		return o.Action == DeleteFile || o.Action == Write && !o.Adopt && (!o.Expect.IsZero() || rec != nil && rec.Of != of)
	})
}

// protect makes the step of a protected image a standing one if it would
// replace the picture.
func (s *Step) protect(e *lock.Entry) {
	if s.Verb.Standing() || !s.Replaces(e) {
		return
	}
	s.Why = append([]Reason{{Cause: CauseProtected, Field: string(s.Verb)}}, s.Why...)
	s.Verb = Protected
}

// protects reports whether the configuration guards an address that it does
// not have.
func (m *maker) protects(a spec.Address) bool {
	if m.guards == nil {
		m.guards = map[spec.Address]bool{}
		for _, g := range m.in.Guards {
			m.guards[g] = true
		}
		for i := range m.configured {
			if im := &m.configured[i]; im.Protect {
				m.guards[im.Address] = true
			}
		}
	}
	return m.guards[a] || m.guards[a.Base()] || m.guards[a.Keyless()]
}

// hit reports whether a pattern means an image that the plan deletes.
func (m *maker) hit(pattern string, a spec.Address) bool {
	if i, ok := slices.BinarySearchFunc(m.configured, a, func(im spec.Image, a spec.Address) int { return strings.Compare(string(im.Address), string(a)) }); ok {
		return MatchImage(pattern, &m.configured[i])
	}
	return Match(pattern, a)
}

// countBudgets adds the prices of the steps to their budgets.
func (p *Plan) countBudgets() {
	for i := range p.Budgets {
		b := &p.Budgets[i]
		b.Price, b.Unpriced = 0, 0
		for k := range p.Steps {
			if s := &p.Steps[k]; s.Verb.Paid() && slices.Contains(s.Budgets, b.Name) {
				b.Price += s.Price
				if !s.Priced {
					b.Unpriced++
				}
			}
		}
	}
}

// budgetsOf names the budgets that an image counts for.
func (m *maker) budgetsOf(im *spec.Image) (names []string) {
	for i := range m.in.Budgets {
		if b := &m.in.Budgets[i]; slices.ContainsFunc(im.Tags, func(t string) bool { return slices.Contains(b.Tags, t) }) {
			names = append(names, b.Name)
		}
	}
	return names
}
