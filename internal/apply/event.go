package apply

import (
	"time"

	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// EventKind says what happened.
type EventKind string

const (
	Started  EventKind = "step_started"
	Waiting  EventKind = "step_waiting"
	Received EventKind = "image_received"
	Done     EventKind = "step_done"
	Failed   EventKind = "step_failed"
	Doubtful EventKind = "step_in_doubt"
	Accepted EventKind = "step_accepted" // as a job, whose end was not seen
	Skipped  EventKind = "step_skipped"
	Stale    EventKind = "step_stale"
	Stopping EventKind = "stopping"

	charged EventKind = "charged" // a receipt came, with its price; told to the runner alone
)

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	Kind    EventKind
	At      time.Time
	Address spec.Address
	Verb    plan.Verb
	Text    string         // why, or the failure; foreign text, to be cleaned before it is shown
	Hint    string         // a command or an edit
	Price   provider.Money // paid for this
	Spent   provider.Money // by the run so far
	Count   int            // images; of Stopping: paid requests in flight
	Total   int            // of Received: images that were asked for
	Wait    time.Duration  // of Stopping: how long those may take at most
	Took    time.Duration
	Paths   []string // written
	Deleted []string
	Notes   []string // of Done: what the outputs lack, or else have that they did not
}

// Outcome is what became of a step.
type Outcome struct {
	Address spec.Address
	Verb    plan.Verb
	Kind    EventKind // Done, Failed, Doubtful, Accepted, Skipped or Stale
	Text    string
	Hint    string
	Paid    provider.Money
}

// Result is what became of a plan.
type Result struct {
	Outcomes []Outcome // one for each step that is not standing, in the order of the plan
	Spent    provider.Money
	Doubt    provider.Money // may have been spent
	Stopped  bool           // by a signal
	Budget   bool           // something was not started for lack of budget
	Budgets  []string       // those with a name that did not allow something
}

// Count is how many outcomes are of a kind.
func (r *Result) Count(k EventKind) (n int) {
	for _, o := range r.Outcomes {
		if o.Kind == k {
			n++
		}
	}
	return n
}
