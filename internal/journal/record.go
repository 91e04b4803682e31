package journal

import (
	"time"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Type of a record. Those that this version does not know are kept.
type Type string

const (
	TypeIntent   Type = "intent"   // Intent: about to be sent
	TypeSent     Type = "sent"     // the first byte is about to leave
	TypeJob      Type = "job"      // JobID: accepted, polled from now on
	TypeReceipt  Type = "receipt"  // Delivery: delivered and paid, the bytes are at its URL or in the store
	TypeBlob     Type = "blob"     // Delivery: Index, Content, Width, Height, Bytes: in the store
	TypeDone     Type = "done"     // nothing is left to do
	TypeUnusable Type = "unusable" // Reason; of the image Delivery.Index, or of the call, which was billed Price
	TypeFailed   Type = "failed"   // Reason: not sent or rejected, nothing owed
	TypeInDoubt  Type = "in_doubt" // Reason: sent, and unknown what became of it; Price that it may cost
	TypeResolved Type = "resolved" // Reason: who settled a doubt and how; Price that was owed after all, or may have been

	TypeWrote  Type = "wrote"   // Files: about to be put in place
	TypeRunEnd Type = "run_end" // Reason: the run that ended normally; what it left counts for no budget any more

	typeCompact Type = "compact" // first of a segment: replaces all before
)

// Record is one thing that happened to an attempt.
type Record struct {
	Type     Type           `json:"type"`
	Attempt  string         `json:"attempt,omitempty"` // letters, digits, dots and dashes
	Intent   *Intent        `json:"intent,omitempty"`
	JobID    string         `json:"job,omitempty"`
	Delivery *Delivery      `json:"delivery,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Price    provider.Money `json:"price,omitzero"`

	Files []File `json:"files,omitempty"`

	Keep int `json:"keep,omitempty"` // of a marker: how many records it carries over
}

// File is an output as a run was about to write it.
type File struct {
	Path    string         `json:"path"`
	Content digest.Content `json:"sha256"`
}

// Intent is what is about to be asked for.
type Intent struct {
	Address  string           `json:"address"`
	Request  digest.Request   `json:"request"`
	Fields   []provider.Field `json:"fields,omitempty"`
	Provider string           `json:"provider"` // key: "xai" or "xai.eu"
	N        int              `json:"n"`        // images asked for
	First    int              `json:"first,omitempty"`
	Estimate provider.Money   `json:"estimate,omitzero"`  // of the call
	Run      string           `json:"run,omitempty"`      // whose budget it is
	Budgets  []string         `json:"budgets,omitempty"`  // further budgets of the run that it counts for
	Endpoint string           `json:"endpoint,omitempty"` // where it is sent; "" for the provider's own
	Started  time.Time        `json:"started,omitzero"`
}

// Delivery is one image of a reply.
type Delivery struct {
	Index         int            `json:"index"`         // in the reply, from 0
	URL           string         `json:"url,omitempty"` // or Content
	MIME          string         `json:"mime,omitempty"`
	Model         string         `json:"model,omitempty"`
	RevisedPrompt string         `json:"revised_prompt,omitempty"`
	Moderated     bool           `json:"moderated,omitempty"`
	Price         provider.Money `json:"price,omitzero"`

	Content digest.Content `json:"sha256,omitzero"`  // in the store, once it is
	Width   int            `json:"width,omitempty"`  // pixels
	Height  int            `json:"height,omitempty"` // pixels
	Bytes   int64          `json:"bytes,omitempty"`

	C2PA       bool   `json:"c2pa,omitempty"` // what the file says of itself, as provider.Image has it
	SourceType string `json:"digital_source_type,omitempty"`

	Refused string `json:"-"` // reason of its unusable record
}

// Settled reports whether nothing is left to do for the image.
func (d *Delivery) Settled() bool { return d.Moderated || d.Refused != "" || !d.Content.IsZero() }

// Phase is how far an attempt has come.
type Phase int

const (
	Intended  Phase = iota
	Sent            // if its run is over: in doubt
	Accepted        // a job id: to be polled
	Delivered       // some images came, perhaps not all, or are not in the store yet
	Stored          // all N images came and are in the store, or are refused
	Done
	Unusable
	Failed
	InDoubt
	Resolved
)

var phaseNames = [...]string{"intended", "sent", "accepted", "delivered", "stored", "done", "unusable", "failed", "in doubt", "resolved"}

func (p Phase) String() string { return phaseNames[p] }

// Settled reports whether nothing is left to do for the attempt.
func (p Phase) Settled() bool {
	return p == Done || p == Unusable || p == Failed || p == Resolved
}

// Attempt is all that is known of a paid request.
type Attempt struct {
	ID string
	Intent
	Phase      Phase
	Asked      bool // it was sent; what is free may be delivered without
	JobID      string
	Deliveries []Delivery // by Index
	Spent      provider.Money
	Doubt      provider.Money // what more it may cost; zero unless the phase is InDoubt
	Reason     string         // of the last record that gave one

	billed provider.Money // beyond what the deliveries cost
}

// Rest is how many images the attempt has not told of, and what they may cost
// by its estimate.
func (a *Attempt) Rest() (images int, price provider.Money) {
	images = max(0, a.N-len(a.Deliveries))
	if a.N > 0 {
		price = a.Estimate / provider.Money(a.N) * provider.Money(images)
	}
	return images, price
}

// State is what a journal tells.
type State struct {
	Attempts []Attempt                 // in the order of their intents
	Written  map[string]digest.Content // files that were about to be written since the last compaction, by path
	Notes    []Note
}

// Note is something that the reader of a journal came across and put right.
type Note struct {
	Segment int
	Offset  int64
	Text    string
}

// folder folds records into a State.
type folder struct {
	state State
	at    map[string]int
}

func newFolder() *folder { return &folder{at: map[string]int{}} }

func (f *folder) add(r Record) {
	switch {
	case r.Attempt == "":
		return
	case r.Type == TypeWrote:
		if f.state.Written == nil {
			f.state.Written = map[string]digest.Content{}
		}
		for _, file := range r.Files {
			f.state.Written[file.Path] = file.Content
		}
		return
	case r.Type == TypeRunEnd:
		for i := range f.state.Attempts {
			if f.state.Attempts[i].Run == r.Reason {
				f.state.Attempts[i].Run = ""
			}
		}
		return
	}
	i, ok := f.at[r.Attempt]
	if !ok {
		// Also without an intent: a receipt must never be overlooked.
		i = len(f.state.Attempts)
		f.at[r.Attempt] = i
		f.state.Attempts = append(f.state.Attempts, Attempt{ID: r.Attempt})
	}
	f.state.Attempts[i].add(r)
}

// add takes the last record for the truth, so that a repeated history ends in
// the same state.
func (a *Attempt) add(r Record) {
	switch r.Type {
	case TypeIntent:
		if r.Intent != nil {
			a.Intent = *r.Intent
		}
		a.Phase = Intended
	case TypeSent:
		a.Phase, a.Asked = Sent, true
	case TypeJob:
		a.Phase, a.Asked, a.JobID = Accepted, true, r.JobID
	case TypeReceipt:
		if r.Delivery != nil {
			d := a.delivery(r.Delivery.Index)
			old := *d
			*d = *r.Delivery
			if d.Content.IsZero() {
				d.Content, d.Width, d.Height, d.Bytes = old.Content, old.Width, old.Height, old.Bytes
				d.C2PA, d.SourceType = old.C2PA, old.SourceType
			}
			d.Refused = old.Refused
		}
		a.delivered()
	case TypeBlob:
		if r.Delivery != nil {
			d := a.delivery(r.Delivery.Index)
			d.Content, d.Width, d.Height, d.Bytes = r.Delivery.Content, r.Delivery.Width, r.Delivery.Height, r.Delivery.Bytes
			d.C2PA, d.SourceType = r.Delivery.C2PA, r.Delivery.SourceType
			if r.Delivery.MIME != "" {
				d.MIME = r.Delivery.MIME // as measured
			}
		}
		a.delivered()
	case TypeUnusable:
		if r.Delivery != nil {
			a.delivery(r.Delivery.Index).Refused = r.Reason
			a.delivered()
		} else {
			a.Phase, a.billed = Unusable, r.Price
		}
	case TypeDone:
		a.Phase = Done
	case TypeFailed:
		a.Phase = Failed
	case TypeInDoubt:
		a.Phase, a.Doubt = InDoubt, r.Price
	case TypeResolved:
		a.Phase, a.billed = Resolved, r.Price
	}
	if a.Phase != InDoubt {
		a.Doubt = 0
	}
	if r.Reason != "" {
		a.Reason = r.Reason
	}
	a.Spent = a.billed
	for i := range a.Deliveries {
		a.Spent += a.Deliveries[i].Price
	}
}

// delivery finds the image with an index, or makes room for it.
func (a *Attempt) delivery(index int) *Delivery {
	i := 0
	for i < len(a.Deliveries) && a.Deliveries[i].Index < index {
		i++
	}
	if i == len(a.Deliveries) || a.Deliveries[i].Index != index {
		a.Deliveries = append(a.Deliveries, Delivery{})
		copy(a.Deliveries[i+1:], a.Deliveries[i:])
		a.Deliveries[i] = Delivery{Index: index}
	}
	return &a.Deliveries[i]
}

func (a *Attempt) delivered() {
	if a.Phase == InDoubt || a.Phase.Settled() {
		return // what came of a doubtful reply does not settle the rest of it
	}
	a.Phase = Delivered
	for i := range a.Deliveries {
		if !a.Deliveries[i].Settled() {
			return
		}
	}
	if len(a.Deliveries) >= a.N {
		a.Phase = Stored
	}
}
