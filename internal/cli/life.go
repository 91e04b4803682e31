package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// protections are the findings about protected images that a plan would take
// away: it must not be carried out, and not be saved.
func (s *session) protections(p *plan.Plan) (l diag.List) {
	for i := range p.Steps {
		step := &p.Steps[i]
		if step.Verb != plan.Protected {
			continue
		}
		hint := fmt.Sprintf("set protect = false in its lifecycle block, or leave the image out: -exclude='%s'", step.Address)
		l = append(l, s.findingAbout("IB0505", step.Address, "lifecycle.protect", report.Protection(step), hint))
	}
	return l
}

func (s *session) findingAbout(code string, a spec.Address, field, text, hint string) diag.Finding {
	return s.finding(code, plan.Problem{Address: a, Problem: spec.Problem{Field: field, Text: text, Hint: hint}})
}

// protects reports whether the configuration protects an address now.
func (s *session) protects(a spec.Address) bool {
	im := s.project.Image(a)
	return im != nil && im.Protect || im == nil && slices.ContainsFunc(s.project.Guards, func(g config.Guard) bool {
		return g.Of(a)
	})
}

// budgetsBefore are the budgets of the configuration with what a run that did
// not end has spent on them: by what its journal says and by the tags that the
// images have now, whichever counts it.
func (s *session) budgetsBefore(attempts []journal.Attempt, run string) (out []apply.Budget) {
	for i := range s.project.Budgets {
		b := &s.project.Budgets[i]
		out = append(out, apply.Budget{Name: b.Name, Max: b.MaxCost, Before: apply.SpentBefore(attempts, run, func(a *journal.Attempt) bool {
			im := s.project.Image(spec.Address(a.Address))
			return slices.Contains(a.Budgets, b.Name) || im != nil && b.Of(im)
		})})
	}
	return out
}

// budgets lets the steps of a saved plan count for the budgets of today too.
func (s *session) budgets(p *plan.Plan) {
	for i := range p.Steps {
		step := &p.Steps[i]
		im := s.project.Image(step.Address)
		if !step.Verb.Paid() || im == nil {
			continue
		}
		for k := range s.project.Budgets {
			if b := &s.project.Budgets[k]; b.Of(im) && !slices.Contains(step.Budgets, b.Name) {
				step.Budgets = append(step.Budgets, b.Name)
			}
		}
	}
}

// budgetHints tells which line to change for each budget that did not do.
func (s *session) budgetHints(r apply.Result) {
	for _, name := range r.Budgets {
		where := ""
		if at := s.project.BudgetAt(s.root, name, "max_cost"); at != nil {
			where = fmt.Sprintf(", %s:%d", at.File, at.Start.Line)
		}
		fmt.Fprintf(s.env.Stderr, "  Hint: raise max_cost of budget %q%s\n", name, where)
	}
}

// tagHint is for a tag that no image has.
func (s *session) tagHint(tag string) string {
	var tags []string
	for i := range s.project.Images {
		for _, t := range s.project.Images[i].Tags {
			if !slices.Contains(tags, t) {
				tags = append(tags, t)
			}
		}
	}
	slices.Sort(tags)
	switch best := nearest(tag, tags); {
	case best != "":
		return "did you mean " + plan.TagPrefix + best + "?"
	case len(tags) == 0:
		return `no image has tags: write tags = ["` + tag + `"]`
	case len(tags) > 12:
		return "imgbuild graph -json lists the tags"
	}
	return "there is " + plan.TagPrefix + strings.Join(tags, ", "+plan.TagPrefix)
}
