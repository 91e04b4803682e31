package apply

import (
	"github.com/imgbuild/imgbuild/internal/plan"
)

// Redraw is the bytes of an output that a step makes from what it has already.
// Nothing is written; Recover has readied e.
func (e *Engine) Redraw(step *plan.Step, o plan.Output) ([]byte, error) {
	picked := &step.Candidates[step.Pick-1]
	original, err := e.original(picked.Content)
	if err != nil {
		return nil, err
	}
	b, _, err := e.render(&job{step: step}, o, picked, original, new(decoded))
	return b, err
}
