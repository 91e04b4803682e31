package apply

import (
	"context"

	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Redraw is the bytes of an output that a step makes from what it has already.
// Nothing is written; Recover has readied e.
func (e *Engine) Redraw(step *plan.Step, o plan.Output) ([]byte, error) {
	picked := &step.Candidates[step.Pick-1]
	original, err := e.original(picked.Content)
	if err != nil {
		return nil, err
	}
	return e.redraw(step, picked, original, o.Recipe)
}

func (e *Engine) redraw(step *plan.Step, picked *provider.Image, original []byte, recipe string) ([]byte, error) {
	d := e.newDrawing(step, picked, original, recipe)
	defer d.close()
	b, _, err := e.render(context.Background(), &job{step: step}, recipe, d)
	return b, err
}
