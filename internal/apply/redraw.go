package apply

import (
	"context"

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
	b, _, err := e.render(context.Background(), &job{step: step}, o.Recipe, e.newDrawing(picked, original, o.Recipe))
	return b, err
}
