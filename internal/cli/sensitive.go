package cli

import (
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// unseal fills in the sensitive values of a saved plan, which it does not hold,
// from the configuration. Whether they are those of the plan is for apply to
// see: it compares the digest.
func (s *session) unseal(p *plan.Plan) {
	for i := range p.Steps {
		step := &p.Steps[i]
		if len(step.Request.Sensitive) == 0 {
			continue
		}
		im := s.project.Image(step.Address)
		if offer, known := s.offer(step.Provider, step.Request.Model); im != nil && known {
			res, _ := spec.Resolve(im, offer, spec.Pins{})
			step.Request.Fill(&res.Request)
		}
	}
}
