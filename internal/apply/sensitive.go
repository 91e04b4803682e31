package apply

import (
	"errors"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
)

// What a provider says to a request with sensitive values may repeat them in
// any form: none of its words are shown or written, only what kind of answer it
// was.

const withheld = "the words are withheld, because the request has sensitive values"

// withhold takes foreign words out of a failure.
func withhold(r *provider.Request, err error) error {
	var pe *provider.Error
	if len(r.Sensitive) == 0 || !errors.As(err, &pe) {
		return err
	}
	out := *pe
	// Where there was no answer, the words are of this machine: nothing was
	// sent, or there is no key.
	if local := pe.Status == 0 && (pe.Kind == provider.NotSent || pe.Kind == provider.Credentials); !local {
		out.Message, out.Code, out.RequestID = withheld, "", ""
		if pe.Kind == provider.Unfinished {
			out.Message = "the provider has accepted it as a job; " + withheld
		}
	}
	return &out
}

// revised is the prompt as the provider changed it, as it may be kept.
func revised(r *provider.Request, prompt string) string {
	if len(r.Sensitive) > 0 {
		return ""
	}
	return strings.ToValidUTF8(prompt, "\uFFFD")
}

// conceal takes what was recorded before the values were sensitive out of the
// index and then out of the entry: what the entry still shows is what makes the
// next plan come back for the index, where it can't be written now.
func (e *Engine) conceal(j *job, entry *lock.Entry) error {
	if slices.ContainsFunc(j.step.Why, func(r plan.Reason) bool { return r.Cause == plan.CauseSensitive }) {
		for _, tier := range []*store.Dir{e.Store.Local, e.Store.Second} {
			if tier == nil {
				continue
			}
			rolls, err := tier.Bought(j.digest)
			for _, roll := range rolls {
				roll.Image.RevisedPrompt = ""
				err = errors.Join(err, tier.Record(j.digest, j.request.Fields(), roll))
			}
			if err != nil {
				entry.SetFields(j.entry.Fields())
				return err
			}
		}
	}
	for i := range entry.Candidates {
		entry.Candidates[i].RevisedPrompt = ""
	}
	for i := range entry.Refused {
		entry.Refused[i].Message = ""
	}
	return nil
}
