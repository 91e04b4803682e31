package apply

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Budget is what a run may spend on the steps that name it, beside what it may
// spend in all.
type Budget struct {
	Name   string
	Max    provider.Money
	Before provider.Money // spent by this run before a crash
}

// purse is a budget during a run.
type purse struct {
	Budget
	used provider.Money // spent, in doubt, or reserved for what is under way
}

// purses are the budgets that a step counts for. One that the configuration no
// longer has limits nothing.
func (r *runner) purses(step *plan.Step) (out []*purse) {
	for i := range r.named {
		if slices.Contains(step.Budgets, r.named[i].Name) {
			out = append(out, &r.named[i])
		}
	}
	return out
}

var errUnknown = errors.New("its price is not known, nor what an earlier request may have cost: the budget may be used up")

// unknown reports whether an attempt of this run is in doubt, or a job that is
// not ready, and nobody knows what it may cost.
func (e *Engine) unknown(a journal.Attempt) bool {
	if a.Phase != journal.InDoubt && !Awaited(&a) || a.Run == "" || a.Run != e.Run || a.Doubt > 0 || a.Estimate > 0 {
		return false
	}
	r := provider.RequestOf(a.Fields, a.N, a.First)
	offer, ok := e.Offer(a.Provider, r.Model)
	if !ok || offer.Price == nil {
		return true
	}
	_, known := offer.Price(r)
	return !known
}

// limited reports whether a budget counts what a step costs.
func (r *runner) limited(step *plan.Step) bool { return r.MaxCost != nil || len(r.purses(step)) > 0 }

// afford is why a step can't be begun: a budget does not allow what it costs.
func (r *runner) afford(step *plan.Step, cost provider.Money, priced bool) error {
	blind := !priced && r.Unpriced
	switch {
	case r.MaxCost == nil:
	case blind && r.unknown:
		r.budget = true
		return errUnknown
	case blind && r.spent+r.doubt+r.reserved >= *r.MaxCost:
		r.budget = true
		return fmt.Errorf("the budget of %s is used up%s", *r.MaxCost, earlier(r.Before))
	case blind:
	case !priced:
		r.budget = true
		return errors.New("its price is not known, so the budget does not allow it")
	case cost > 0 && r.spent+r.doubt+r.reserved+cost > *r.MaxCost:
		r.budget = true
		return fmt.Errorf("the budget of %s does not allow %s more%s", *r.MaxCost, cost, earlier(r.Before))
	}
	for _, p := range r.purses(step) {
		var err error
		switch {
		case blind && r.unknown:
			err = errUnknown
		case blind && p.used >= p.Max:
			err = fmt.Errorf("the budget %q of %s is used up%s", p.Name, p.Max, earlier(p.Before))
		case blind:
			continue
		case !priced:
			err = fmt.Errorf("its price is not known, so the budget %q does not allow it", p.Name)
		case cost > 0 && p.used+cost > p.Max:
			err = fmt.Errorf("the budget %q of %s does not allow %s more%s", p.Name, p.Max, cost, earlier(p.Before))
		default:
			continue
		}
		if !slices.Contains(r.empty, p.Name) {
			r.empty = append(r.empty, p.Name)
		}
		return err
	}
	return nil
}

// Dearer is how much more than expected the images of a model cost, by provider
// and model: what was charged, and what had been expected.
type Dearer map[string][2]provider.Money

// DearerBefore is what a run that did not end normally has learned.
func DearerBefore(attempts []journal.Attempt, run string) Dearer {
	d := Dearer{}
	for i := range attempts {
		if a := &attempts[i]; run != "" && a.Run == run {
			d.learn(a.Provider+" "+provider.RequestOf(a.Fields, a.N, a.First).Model, a.Spent, a.Estimate)
		}
	}
	return d
}

func (d Dearer) learn(model string, charged, expected provider.Money) {
	if charged <= expected || expected == 0 {
		return
	}
	if had, ok := d[model]; !ok || float64(charged)*float64(had[1]) > float64(had[0])*float64(expected) {
		d[model] = [2]provider.Money{charged, expected}
	}
}

// learn is Dearer.learn for the run.
func (r *runner) learn(model string, charged, expected provider.Money) {
	if r.dearer == nil {
		r.dearer = Dearer{}
	}
	r.dearer.learn(model, charged, expected)
}

// price is what an image is expected to cost now.
func (d Dearer) price(model string, each provider.Money) provider.Money {
	if x, ok := d[model]; ok {
		return provider.Money(math.Ceil(float64(each) * float64(x[0]) / float64(x[1])))
	}
	return each
}

// earlier says what of a budget this process did not spend itself.
func earlier(spent provider.Money) string {
	if spent == 0 {
		return ""
	}
	return fmt.Sprintf(", as %s of the run that did not end count too", spent)
}

// SpentBefore is what a run that did not end normally has spent, or may have,
// on the attempts that count.
func SpentBefore(attempts []journal.Attempt, run string, counts func(*journal.Attempt) bool) (spent provider.Money) {
	for i := range attempts {
		a := &attempts[i]
		if run == "" || a.Run != run || !counts(a) {
			continue
		}
		spent += a.Spent
		switch a.Phase {
		case journal.Sent, journal.Accepted:
			spent += a.Estimate
		case journal.Delivered, journal.Stored:
			_, price := a.Rest()
			spent += price
		case journal.InDoubt:
			spent += a.Doubt
		}
	}
	return spent
}
