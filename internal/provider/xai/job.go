package xai

import (
	"context"
	"errors"
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
	firstPoll = 100 * time.Millisecond
	pollEvery = 3 * time.Second
	pollTime  = 30 * time.Second // of one poll, its answer included
	pollAgain = time.Minute      // at most, whatever a limit asks for: polls are free and rare
	jobTime   = 15 * time.Minute // until a job is left to the next run
)

// patience is how many polls in a row may go wrong.
type patience struct {
	unheard int // without an answer, until the job is left to the next run
	unknown int // answered that there is no such job, until it is in doubt
}

var (
	whileSent = patience{unheard: 40, unknown: 10}
	whenLater = patience{unheard: 5, unknown: 3}
)

// Resume polls the job that r became.
func (m *maker) Resume(ctx context.Context, jobID string, r *provider.Request, s provider.Sink) (reply provider.Reply, err error) {
	s = discreet{s, m}
	defer func() { m.hush(&reply, err) }()
	if err := m.ready(ctx); err != nil {
		return provider.Reply{}, err
	}
	offer, ok := m.Offer(r.Model)
	if !ok { // it was there when the job was sent
		offer.Price = func(*provider.Request) (provider.Money, bool) { return 0, false }
	}
	return m.poll(ctx, jobID, 0, whenLater, r, &offer, s)
}

// poll asks for a job until it has ended. Asking is free, so all that goes
// wrong with it leaves the job as it is: Unfinished.
func (m *maker) poll(outer context.Context, jobID string, wait time.Duration, most patience, r *provider.Request, o *provider.Offer, s provider.Sink) (provider.Reply, error) {
	if !isJobID(jobID) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Message: "the id of its job can't be asked for: " + m.clip(jobID)}
	}
	ctx, cancel := context.WithTimeout(outer, jobTime)
	defer cancel()
	last := &provider.Error{Message: "it is not ready"}
	for unheard, unknown := 0, 0; ; {
		if pause(ctx, wait) != nil {
			if outer.Err() != nil {
				return provider.Reply{}, outer.Err()
			}
			last.Message += fmt.Sprintf(" (asked for %s)", jobTime)
			return provider.Reply{}, m.unfinished(jobID, last)
		}
		wait = min(max(2*wait, 10*firstPoll), pollEvery)
		a, refused, err := m.ask(ctx, jobID, r, s)
		switch {
		case err != nil && outer.Err() == nil && ctx.Err() != nil:
			continue // the pause will tell
		case err != nil:
			return provider.Reply{}, err // of the sink, or the run was abandoned
		case a != nil && a.failed():
			return provider.Reply{}, m.jobFailed(a)
		case a != nil:
			return m.deliver(a, r, o, s)
		case refused == nil: // pending
			unheard, unknown = 0, 0
			continue
		}
		last = refused
		switch {
		case refused.StopsRun():
			return provider.Reply{}, m.unfinished(jobID, refused)
		case refused.Status == http.StatusNotFound || refused.Status == http.StatusGone:
			// A job may be known a moment after its id is told.
			if unknown++; unknown == most.unknown {
				return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Status: refused.Status, Code: refused.Code,
					Message: "the provider does not know its job " + jobID + " any more"}
			}
		default:
			if unheard++; unheard == most.unheard {
				return provider.Reply{}, m.unfinished(jobID, refused)
			}
			wait = max(wait, min(refused.RetryAfter, pollAgain))
			s.Waiting(wait, "its job can't be asked for: "+refused.Message)
		}
	}
}

func (m *maker) unfinished(jobID string, why *provider.Error) *provider.Error {
	return &provider.Error{Kind: provider.Unfinished, Cause: why.Kind, Status: why.Status, Code: why.Code, Hint: why.Hint,
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
func (m *maker) ask(outer context.Context, jobID string, r *provider.Request, s provider.Sink) (*answer, *provider.Error, error) {
	ctx, cancel := context.WithTimeoutCause(outer, pollTime, errors.New("the answer took too long"))
	defer cancel()
	lost := func(err error) (*answer, *provider.Error, error) {
		if outer.Err() != nil {
			return nil, nil, outer.Err()
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, m.failed(provider.NotSent, err), nil
	}
	u, err := url.Parse(m.endpoint.String() + "/images/" + url.PathEscape(jobID))
	if err != nil {
		return nil, nil, fmt.Errorf("xai: %w", err)
	}
	resp, err := m.roundTrip((&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: m.header()}).WithContext(ctx))
	if err != nil {
		return lost(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusAccepted:
		return nil, nil, nil
	case http.StatusOK:
	default:
		return nil, m.refusal(resp), nil
	}
	a, err := m.read(resp, r.N, s)
	switch {
	case err != nil:
		return nil, nil, err
	case a.err != nil:
		return lost(a.err)
	case a.jobStatus == "expired":
		return nil, &provider.Error{Status: http.StatusGone, Message: "the job has expired"}, nil
	case a.pending():
		return nil, nil, nil
	}
	return a, nil, nil
}

// pending reports whether a is no end of a job: only pictures, the words done
// and failed, or a plain answer without pictures end one.
func (a *answer) pending() bool {
	return len(a.images) == 0 && a.jobStatus != "done" && !a.failed() && !(a.jobStatus == "" && a.none)
}

// failed reports whether a is the end of a job that failed.
func (a *answer) failed() bool { return a.jobStatus == "failed" }

// isJobID reports whether id may be put into a URL: it stays one segment of the
// path, however a server on the way reads that.
func isJobID(id string) bool {
	return id != "" && id != "." && id != ".." && len(id) <= 500 &&
		!strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\%?#`, r) })
}

// jobStatus is the status that stands for the code of a failed job.
var jobStatus = map[string]int{
	"invalid_argument": 400, "permission_denied": 400, "failed_precondition": 400, "service_unavailable": 503, "internal_error": 500,
}

// jobFailed is how a job failed. That is a complete answer, whatever the code:
// it was not made, and owes only what the answer says. The key was good when
// the job was accepted, so what is not permitted is the picture.
func (m *maker) jobFailed(a *answer) *provider.Error {
	e := m.explain(a.status, nil, a.body)
	e.RequestID = a.requestID
	e.Message = m.clip("the job failed: " + e.Message)
	kind, hint := classify(max(jobStatus[e.Code], 400), e.Code, e.Message)
	switch {
	case kind == provider.Moderated, e.Code == "permission_denied":
		e.Kind, e.Hint = provider.Moderated, "change the prompt"
	case e.Price > 0:
		e.Kind, e.Hint = provider.Unusable, ""
	default:
		e.Kind, e.Hint = provider.Rejected, hint
	}
	return e
}
