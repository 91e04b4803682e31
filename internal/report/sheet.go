package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Sheet is what the pages of a review show: a model, and of every image of the
// project what somebody who judges it wants to see.
type Sheet struct {
	Project string // name of the folder
	Model   *Model
	Cards   []Card // by state, then by address
	Presets []string
}

// CardState is the group of a card on the contact sheet.
type CardState string

// The groups, in the order in which people want to see them.
const (
	CardFailed    CardState = "failed" // in doubt, missing, in conflict: it needs a decision
	CardRefused   CardState = "refused"
	CardChanged   CardState = "changed"
	CardNew       CardState = "new"
	CardRemoved   CardState = "removed"
	CardOpen      CardState = "open" // not approved yet
	CardUnchanged CardState = "unchanged"
)

var cardStates = []CardState{CardFailed, CardRefused, CardChanged, CardNew, CardRemoved, CardOpen, CardUnchanged}

var cardTitles = map[CardState]string{CardFailed: "Failed or in doubt", CardRefused: "Refused", CardChanged: "Changed", CardNew: "New", CardRemoved: "Removed",
	CardOpen: "Not yet approved", CardUnchanged: "Unchanged"}

// Card is an image on a sheet.
type Card struct {
	ImageChange
	State      CardState
	Approved   *Approval
	Candidates []Candidate
	Refused    []RecordedRefusal
	Says       []Fact // what the configuration says, the prompt first
	Decorative bool
	Preset     string
	Tags       []string
	Paid       provider.Money // for all that the lock has of it
	Findings   diag.List
	Masked     bool
	Mask       *MaskView // once somebody looked
}

// Approval is what somebody said of a picture.
type Approval struct {
	By, Note string
	Current  bool // it is about the picture that is picked now
}

// Candidate is one that can be picked.
type Candidate struct {
	Number int
	Picked bool
	provider.Image
}

// Fact is an attribute of an image. A sensitive one has no text.
type Fact struct {
	Name, Text string
	Sensitive  bool
}

// MaskView is the mask of an edit, and what the edit did outside of it.
type MaskView struct {
	Veil    []byte  // a PNG, opaque where nothing should change
	Outside float64 // share of the pixels that should have stayed and did not, 0 to 1
	PutBack bool    // the files have them as they were
}

// CardDetail is what the model and the lock do not know of an image.
type CardDetail struct {
	Preset   string
	Findings diag.List
}

// NewSheet lays out all images of head, and those that m has besides. run is the
// last apply, and detail what else is known of an image; both may be nil.
func NewSheet(project string, m *Model, head State, run *Run, detail func(spec.Address) CardDetail) *Sheet {
	s := &Sheet{Project: project, Model: m}
	changes := map[string]ImageChange{}
	for _, im := range m.Images {
		changes[im.Address] = im
	}
	approvals := slices.ContainsFunc(head.Lock.Entries, func(e lock.Entry) bool { return e.Approved != nil })
	add := func(a spec.Address) {
		im, e := head.image(a), head.Lock.Get(a)
		change, known := changes[string(a)]
		if !known {
			change = ImageChange{Address: string(a), Group: UnchangedImage, Old: mainFile(e, im), New: mainFile(e, im)}
		}
		delete(changes, string(a))
		c := Card{ImageChange: change}
		if im != nil {
			c.Alt, c.Decorative, c.Tags, c.Masked = im.Alt, im.Decorative, im.Tags, im.Wanted.Mask != nil
			for _, f := range fieldsOf(im) {
				if f.sensitive {
					f.text = ""
				}
				if f.text != "" || f.sensitive {
					c.Says = append(c.Says, Fact{f.name, f.text, f.sensitive})
				}
			}
		}
		c.recorded(im, e)
		if detail != nil {
			d := detail(a)
			c.Preset, c.Findings = d.Preset, d.Findings
			if d.Preset != "" && !slices.Contains(s.Presets, d.Preset) {
				s.Presets = append(s.Presets, d.Preset)
			}
		}
		c.State = c.state(approvals)
		if c.unfinished() || c.Step != nil && run.failed(c.Address) {
			c.State = CardFailed
		}
		s.Cards = append(s.Cards, c)
	}
	for _, a := range head.wanted() {
		add(a)
	}
	for _, im := range m.Images {
		if _, left := changes[im.Address]; left {
			add(spec.Address(im.Address))
		}
	}
	slices.Sort(s.Presets)
	slices.SortStableFunc(s.Cards, func(a, b Card) int {
		return cmp.Or(slices.Index(cardStates, a.State)-slices.Index(cardStates, b.State), strings.Compare(a.Address, b.Address))
	})
	return s
}

// recorded takes in what the lock has.
func (c *Card) recorded(im *spec.Image, e *lock.Entry) {
	if e == nil {
		return
	}
	r := Record(e)
	c.Refused, c.Paid = r.Refused, r.Paid
	pick := 1
	if im != nil {
		pick = plan.Pick(im, e)
	}
	for i, cand := range e.Candidates {
		c.Candidates = append(c.Candidates, Candidate{i + 1, i+1 == pick, cand})
	}
	if a := e.Approved; a != nil {
		p := e.Picked(pick)
		c.Approved = &Approval{a.By, a.Note, p != nil && p.Content == a.Content}
	}
}

// state says where a card belongs. That nobody approved it is worth a group
// only where the project approves at all.
func (c *Card) state(approvals bool) CardState {
	if s := c.Step; s != nil {
		switch s.Verb {
		case plan.Hold, plan.Missing, plan.Conflict, plan.Protected:
			return CardFailed
		case plan.Refused:
			return CardRefused
		}
	}
	switch c.Group {
	case RemovedImage:
		return CardRemoved
	case NewImage:
		return CardNew
	case ChangedImage, MovedImage:
		return CardChanged
	}
	if approvals && c.New != nil && (c.Approved == nil || !c.Approved.Current) {
		return CardOpen
	}
	return CardUnchanged
}

func (s *Sheet) has(address string) bool {
	return slices.ContainsFunc(s.Cards, func(c Card) bool { return c.Address == address })
}
