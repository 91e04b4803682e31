package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// StreamVersion is the version of the event stream. Within 1.x types and
// fields are only added; readers ignore what they don't know.
const StreamVersion = "1.0"

// Line is one line of the event stream: the sentence that a person would see,
// the type, and what belongs to it.
type Line struct {
	Type    string          `json:"type"`
	Time    string          `json:"time"`
	Message string          `json:"message"`
	Version string          `json:"format_version,omitempty"` // of type "version"
	Address string          `json:"address,omitempty"`
	Verb    plan.Verb       `json:"verb,omitempty"`
	Price   *provider.Money `json:"price,omitempty"` // paid for this
	Spent   *provider.Money `json:"spent,omitempty"` // by the run so far
	Images  int             `json:"images,omitempty"`
	Of      int             `json:"of,omitempty"`
	Wait    float64         `json:"wait_seconds,omitempty"`
	Took    float64         `json:"took_seconds,omitempty"`
	Paths   []string        `json:"paths,omitempty"`
	Deleted []string        `json:"deleted,omitempty"`
	Notes   []string        `json:"notes,omitempty"` // what the files lack, or else have that they did not
	Hint    string          `json:"hint,omitempty"`
	Step    *plan.Step      `json:"step,omitempty"`       // of type "planned_step"
	Summary *plan.Summary   `json:"summary,omitempty"`    // of type "plan_summary"
	Result  *ResultCount    `json:"result,omitempty"`     // of type "apply_summary"
	Finding *diag.Finding   `json:"diagnostic,omitempty"` // of type "diagnostic"

	Tests       map[string][]string `json:"test_abstract,omitempty"` // of type "test_abstract": runs by file
	TestFile    *TestProgress       `json:"test_file,omitempty"`     // of type "test_file"
	TestRun     *TestProgress       `json:"test_run,omitempty"`      // of type "test_run", and of what belongs to one
	TestSummary *TestCounts         `json:"test_summary,omitempty"`  // of type "test_summary"
}

// ResultCount is the counts of a Result.
type ResultCount struct {
	Done     int            `json:"done"`
	Failed   int            `json:"failed"`
	InDoubt  int            `json:"in_doubt"`
	Accepted int            `json:"accepted"` // jobs whose end was not seen
	Skipped  int            `json:"skipped"`
	Stale    int            `json:"stale"`
	Spent    provider.Money `json:"spent"`
	Doubt    provider.Money `json:"may_have_been_spent"`
}

// Stream writes events as JSON lines.
type Stream struct {
	W   io.Writer
	Now func() time.Time
	err error
}

// Err is why the stream is not whole, or nil.
func (s *Stream) Err() error { return s.err }

// Write writes one line. After an error it writes nothing more.
func (s *Stream) Write(l Line) {
	if l.Time == "" {
		l.Time = s.Now().UTC().Format(time.RFC3339Nano)
	}
	b, err := json.Marshal(l)
	if err == nil && s.err == nil {
		_, s.err = s.W.Write(append(b, '\n'))
	}
}

// Begin writes the version and the plan.
func (s *Stream) Begin(p *plan.Plan) {
	s.Version(p.Tool)
	s.plan(p, nil)
}

// Version is the first line of a stream; Begin writes it by itself.
func (s *Stream) Version(tool string) {
	s.Write(Line{Type: "version", Version: StreamVersion, Message: tool})
}

// plan writes a plan; run is the run of a test that it belongs to, or nil.
func (s *Stream) plan(p *plan.Plan, run *TestProgress) {
	for i := range p.Steps {
		what, _ := sentence(&p.Steps[i], time.Time{})
		s.Write(Line{Type: "planned_step", Address: string(p.Steps[i].Address), Verb: p.Steps[i].Verb, Step: &p.Steps[i], TestRun: run,
			Message: title(&p.Steps[i]) + ": " + what})
	}
	s.Write(Line{Type: "plan_summary", Summary: &p.Summary, TestRun: run, Message: "Plan: " + Totals(p.Summary)})
}

// Event writes what happened.
func (s *Stream) Event(e apply.Event) {
	l := Line{Type: string(e.Kind), Time: e.At.UTC().Format(time.RFC3339Nano), Message: EventText(e), Address: string(e.Address), Verb: e.Verb,
		Images: e.Count, Of: e.Total, Wait: e.Wait.Seconds(), Took: e.Took.Seconds(), Paths: e.Paths, Deleted: e.Deleted, Notes: e.Notes, Hint: e.Hint}
	switch e.Kind {
	case apply.Received, apply.Done, apply.Failed, apply.Doubtful, apply.Accepted:
		l.Price, l.Spent = &e.Price, &e.Spent
	}
	s.Write(l)
}

// End writes the counts.
func (s *Stream) End(r apply.Result) {
	s.Write(Line{Type: "apply_summary", Message: Summary(r), Result: &ResultCount{
		Done: r.Count(apply.Done), Failed: r.Count(apply.Failed), InDoubt: r.Count(apply.Doubtful), Accepted: r.Count(apply.Accepted),
		Skipped: r.Count(apply.Skipped), Stale: r.Count(apply.Stale), Spent: r.Spent, Doubt: r.Doubt}})
}

// EventText is one line for people.
func EventText(e apply.Event) string {
	a := diag.Clean(string(e.Address))
	text := diag.Clean(e.Text)
	switch e.Kind {
	case apply.Started:
		return fmt.Sprintf("%s: %s", a, doing(e.Verb))
	case apply.Waiting:
		return fmt.Sprintf("%s: waits %s (%s)", a, seconds(e.Wait), text)
	case apply.Received:
		if e.Total > 1 {
			return fmt.Sprintf("%s: image %d of %d came (%s)", a, e.Count, e.Total, Money(e.Price))
		}
		return fmt.Sprintf("%s: the image came (%s)", a, Money(e.Price))
	case apply.Done:
		s := fmt.Sprintf("%s: done", a)
		if text != "" {
			s = fmt.Sprintf("%s: %s", a, text)
		}
		if len(e.Paths) > 0 {
			s += ", wrote " + diag.Clean(strings.Join(e.Paths, ", "))
		}
		if len(e.Deleted) > 0 {
			s += ", deleted " + diag.Clean(strings.Join(e.Deleted, ", "))
		}
		if e.Took >= 100*time.Millisecond {
			s += " in " + seconds(e.Took)
		}
		for _, n := range e.Notes {
			s += "; " + diag.Clean(n)
		}
		return s
	case apply.Failed:
		return fmt.Sprintf("%s: failed: %s", a, text)
	case apply.Doubtful, apply.Accepted:
		return fmt.Sprintf("%s: %s", a, text) // the text begins with "in doubt" or "unfinished"
	case apply.Skipped:
		return fmt.Sprintf("%s: skipped: %s", a, text)
	case apply.Stale:
		return fmt.Sprintf("%s: stale: %s", a, text)
	case apply.Stopping:
		if e.Count == 0 {
			return "stopping"
		}
		grace := ""
		if e.Wait > 0 {
			grace = fmt.Sprintf(" (%s at most)", seconds(e.Wait))
		}
		return fmt.Sprintf("stopping: letting %d paid %s finish%s; once more abandons %s", e.Count, plural(e.Count, "request", "requests"), grace, plural(e.Count, "it", "them"))
	}
	return string(e.Kind)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func doing(v plan.Verb) string {
	switch v {
	case plan.Generate:
		return "generating"
	case plan.Edit:
		return "editing"
	case plan.Import:
		return "importing"
	case plan.Render:
		return "rendering"
	case plan.Restore:
		return "restoring"
	case plan.Move:
		return "moving"
	case plan.Delete:
		return "deleting"
	case plan.Forget:
		return "forgetting"
	case plan.Record:
		return "recording"
	}
	return string(v)
}

func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// Summary is the sentence that ends an apply.
func Summary(r apply.Result) string {
	parts := []string{fmt.Sprintf("%d done", r.Count(apply.Done))}
	for _, k := range []struct {
		kind apply.EventKind
		text string
	}{{apply.Failed, "failed"}, {apply.Doubtful, "in doubt"}, {apply.Accepted, "accepted and not finished"}, {apply.Skipped, "skipped"}, {apply.Stale, "stale"}} {
		if n := r.Count(k.kind); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, k.text))
		}
	}
	s := "Apply: " + strings.Join(parts, ", ") + ". "
	if r.Spent == 0 {
		s += "Nothing was spent."
	} else {
		s += "Spent " + r.Spent.String() + "."
	}
	if r.Doubt > 0 {
		open := "what is in doubt"
		if r.Count(apply.Accepted) > 0 && r.Count(apply.Doubtful) == 0 {
			open = "what was accepted"
		}
		s += fmt.Sprintf(" Up to %s more may have been spent on %s.", r.Doubt, open)
	}
	return s
}

// Result writes what became of a plan: what did not work, why, and a summary;
// standing is how many steps were held back.
func Result(w io.Writer, r apply.Result, standing int, o Options) {
	c := o.Palette
	for _, out := range r.Outcomes {
		if out.Kind == apply.Done {
			continue
		}
		fmt.Fprintf(w, "  %s %s %s\n", c.Red("!"), c.Bold(diag.Clean(string(out.Address))), word(out.Kind)+diag.Clean(out.Text))
		if out.Hint != "" {
			fmt.Fprintf(w, "      Hint: %s\n", diag.Clean(out.Hint))
		}
	}
	text := Summary(r)
	if standing > 0 {
		text += fmt.Sprintf(" %d held back, see above.", standing)
	}
	fmt.Fprintln(w, c.Bold(text))
}

func word(k apply.EventKind) string {
	return map[apply.EventKind]string{apply.Failed: "failed: ", apply.Skipped: "skipped: ", apply.Stale: "stale: "}[k]
}
