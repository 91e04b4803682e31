package xai

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// Polls become rarer quickly: with eight jobs under way they stay below the
// lowest known limit, 6 requests a second. The first one finds what a local
// server has done at once.
const (
	firstPoll    = 100 * time.Millisecond
	pollEvery    = 3 * time.Second
	jobTime      = 15 * time.Minute // until a job is left to the next run
	unheard      = 40               // polls without an answer, one after another, until then
	unheardLater = 5                // the same, of a run that only looks after an earlier one
	unknown      = 3                // polls that know no such job, likewise, until it is gone
)

// isJobID reports whether id may be put into a URL: up to 200 letters, digits,
// dots, dashes and underscores, and not a dot first.
func isJobID(id string) bool {
	return id != "" && len(id) <= 200 && id[0] != '.' && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	})
}

// Resume polls the job that r became.
func (m *maker) Resume(ctx context.Context, jobID string, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	if err := m.ready(ctx); err != nil {
		return provider.Reply{}, err
	}
	offer, ok := m.Offer(r.Model)
	if !ok { // it was there when the job was sent
		offer.Price = func(*provider.Request) (provider.Money, bool) { return 0, false }
	}
	return m.poll(ctx, jobID, 0, unheardLater, r, &offer, s)
}

// poll asks for a job until it has ended. Asking is free, so all that goes
// wrong with it leaves the job as it is: Unfinished.
func (m *maker) poll(ctx context.Context, jobID string, wait time.Duration, patience int, r *provider.Request, o *provider.Offer, s provider.Sink) (provider.Reply, error) {
	if !isJobID(jobID) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Message: "the id of its job can't be asked for: " + m.clip(jobID)}
	}
	missed, missing := 0, 0
	for waited := wait; ; waited += wait {
		if err := pause(ctx, wait); err != nil {
			return provider.Reply{}, err
		}
		wait = min(max(2*wait, 10*firstPoll), pollEvery)
		a, refused, err := m.ask(ctx, jobID, r, s)
		switch {
		case err != nil:
			return provider.Reply{}, err // of the sink, or the run was abandoned
		case a != nil && a.failure != nil:
			return provider.Reply{}, m.jobFailed(a)
		case a != nil:
			return m.deliver(a, r, o, s)
		case refused == nil: // pending
			missed, missing = 0, 0
		case refused.Kind == provider.Credentials, refused.Kind == provider.Quota:
			return provider.Reply{}, m.unfinished(jobID, refused)
		case refused.Status == http.StatusNotFound || refused.Status == http.StatusGone:
			// A job may be known a moment after its id is told.
			if missing++; missing == unknown {
				return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Status: refused.Status, Code: refused.Code,
					Message: "the provider does not know its job " + jobID + " any more"}
			}
		default:
			if missed++; missed == patience {
				return provider.Reply{}, m.unfinished(jobID, refused)
			}
			wait = max(wait, refused.RetryAfter)
			s.Waiting(wait, "its job can't be asked for: "+refused.Message)
		}
		if waited > jobTime {
			return provider.Reply{}, m.unfinished(jobID, &provider.Error{Message: fmt.Sprintf("it is not ready after %s", jobTime)})
		}
	}
}

func (m *maker) unfinished(jobID string, why *provider.Error) *provider.Error {
	return &provider.Error{Kind: provider.Unfinished, Status: why.Status, Code: why.Code, Hint: why.Hint,
		Message: fmt.Sprintf("job %s was accepted: %s", jobID, why.Message)}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask polls once. Both results are nil while the job is pending.
func (m *maker) ask(ctx context.Context, jobID string, r *provider.Request, s provider.Sink) (*answer, *provider.Error, error) {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	u, err := url.Parse(m.endpoint.String() + "/images/" + jobID)
	if err != nil {
		return nil, nil, fmt.Errorf("xai: %w", err)
	}
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: m.header()}).WithContext(ctx)
	resp, err := m.fetches.RoundTrip(req)
	if err != nil {
		if outer.Err() != nil {
			return nil, nil, outer.Err()
		}
		return nil, m.failed(provider.NotSent, err), nil
	}
	resp.Body = watch(resp.Body, fetchIdle, cancel)
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusAccepted:
		return nil, nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, m.refusal(resp), nil
	}
	a, err := m.read(resp, r.N, s)
	switch {
	case err != nil:
		return nil, nil, err
	case a.err != nil && outer.Err() != nil:
		return nil, nil, outer.Err()
	case a.err != nil:
		return nil, m.failed(provider.NotSent, a.err), nil
	case a.jobStatus == "pending" || a.jobStatus == "queued" || a.jobStatus == "processing":
		return nil, nil, nil
	}
	return a, nil, nil
}

// jobStatus is the status that stands for the code of a failed job.
var jobStatus = map[string]int{
	"invalid_argument": 400, "permission_denied": 400, "failed_precondition": 400, "service_unavailable": 503, "internal_error": 500,
}

// jobFailed is how a job failed. That is a complete answer, whatever the code:
// it was not made, and owes only what the answer says.
func (m *maker) jobFailed(a *answer) *provider.Error {
	e := &provider.Error{Status: a.status, Code: m.clip(a.failure.Code), Message: m.clip("the job failed: " + a.failure.Message), RequestID: a.requestID}
	e.Price, e.Priced = a.usage.money()
	e.Kind, e.Hint = classify(max(jobStatus[a.failure.Code], 400), a.failure.Code, a.failure.Message)
	switch {
	case e.Kind == provider.Moderated:
	case e.Price > 0:
		e.Kind = provider.Unusable
	default:
		e.Kind = provider.Rejected
	}
	return e
}
