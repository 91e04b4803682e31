package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/imgbuild/imgbuild/internal/apply"
)

// Run is what an apply has told of itself so far, or told before it ended.
type Run struct {
	Texts map[string]string // by address: what there is to say of an image that is not done
	Text  string            // of all
	Ended bool

	doomed map[string]bool
}

func (r *Run) failed(address string) bool { return r != nil && r.doomed[address] }

// ReadRun reads the event stream of an apply. It believes what it can read: a
// line may be half written.
func ReadRun(src io.Reader) *Run {
	r := &Run{Texts: map[string]string{}, doomed: map[string]bool{}}
	lines := bufio.NewScanner(src)
	lines.Buffer(nil, 1<<20)
	all, done, failed := 0, 0, 0
	for lines.Scan() {
		var l Line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		switch l.Type {
		case "planned_step":
			if !l.Verb.Standing() {
				all++
			}
		case string(apply.Done):
			done++
			delete(r.Texts, l.Address)
		case string(apply.Failed), string(apply.Doubtful), string(apply.Stale), string(apply.Skipped):
			failed++
			r.Texts[l.Address], r.doomed[l.Address] = l.Message, true
		case string(apply.Accepted), string(apply.Started), string(apply.Waiting), string(apply.Received):
			r.Texts[l.Address] = l.Message
		case "apply_summary":
			r.Ended = true
			r.Text = l.Message
		}
	}
	if !r.Ended {
		r.Text = fmt.Sprintf("An apply is under way: %d of %d done", done, all)
		if failed > 0 {
			r.Text += fmt.Sprintf(", %d not", failed)
		}
	}
	return r
}
