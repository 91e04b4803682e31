package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// till is a maker whose images cost 10 each, and that does as it is told.
type till struct {
	does func(s provider.Sink) (provider.Reply, error)
}

func (till) Offer(string) (provider.Offer, bool) {
	return provider.Offer{Model: "m", MaxN: 10, Price: func(*provider.Request) (provider.Money, bool) { return 10, true }}, true
}

func (t till) Make(_ context.Context, _ *provider.Request, s provider.Sink) (provider.Reply, error) {
	return t.does(s)
}

func (till) Resume(context.Context, string, *provider.Request, provider.Sink) (provider.Reply, error) {
	return provider.Reply{}, errors.New("no jobs")
}

func (till) Fetch(context.Context, string, io.Writer) error { return errors.New("no URLs") }

// TestMeter: what each end of a call adds to what was spent, and to what may
// have been.
func TestMeter(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	fails := func(k provider.Kind, price provider.Money) error { return &provider.Error{Kind: k, Price: price} }
	for name, tt := range map[string]struct {
		fail         map[string]error
		does         func(s provider.Sink) (provider.Reply, error)
		spent, doubt provider.Money
	}{
		"well":             {nil, func(s provider.Sink) (provider.Reply, error) { s.Sent(); return provider.Reply{Price: 21}, nil }, 21, 0},
		"rejected at home": {nil, func(s provider.Sink) (provider.Reply, error) { return provider.Reply{}, fails(provider.Rejected, 0) }, 0, 0},
		"rejected": {nil, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			return provider.Reply{}, fails(provider.Rejected, 0)
		}, 0, 0},
		"moderated": {nil, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			return provider.Reply{}, fails(provider.Moderated, 7)
		}, 7, 0},
		"in doubt": {nil, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			return provider.Reply{}, fails(provider.InDoubt, 0)
		}, 0, 20},
		"cut after one": {nil, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			s.Delivered(0, provider.Delivery{}, 10)
			return provider.Reply{Price: 20}, fails(provider.InDoubt, 0)
		}, 10, 10},
		"one of two is unusable": {nil, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			s.Delivered(0, provider.Delivery{}, 10)
			return provider.Reply{Price: 20}, fails(provider.Unusable, 10)
		}, 20, 0},
		"429 to the end": {nil, func(s provider.Sink) (provider.Reply, error) {
			for range 3 {
				s.Sent()
				s.Answered()
			}
			return provider.Reply{}, fails(provider.RateLimited, 0)
		}, 0, 0},
		"429, then well": {nil, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			s.Answered()
			s.Waiting(time.Second, "slow")
			s.Sent()
			return provider.Reply{Price: 20}, nil
		}, 20, 0},
		"not to be sent": {map[string]error{"sent": full}, func(s provider.Sink) (provider.Reply, error) { return provider.Reply{}, s.Sent() }, 0, 0},
		"not to be kept": {map[string]error{"delivered 0": full}, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			return provider.Reply{Price: 19}, s.Delivered(0, provider.Delivery{}, 10)
		}, 19, 0},
		"not to be kept, without a price": {map[string]error{"spool 0": full}, func(s provider.Sink) (provider.Reply, error) {
			s.Sent()
			_, err := s.Spool(0)
			return provider.Reply{}, err
		}, 20, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &meter{Maker: till{tt.does}, waits: func(time.Duration, string) {}}
			m.Make(t.Context(), &provider.Request{N: 2}, &providertest.Recorder{Fail: tt.fail})
			if spent, doubt := m.sums(); spent != tt.spent || doubt != tt.doubt {
				t.Errorf("%d spent, %d in doubt; want %d and %d", spent, doubt, tt.spent, tt.doubt)
			}
		})
	}
}

// TestDoctorBudget: replies that cost more than the offer said end it before
// the budget is passed.
func TestDoctorBudget(t *testing.T) {
	t.Parallel()
	limit := provider.Money(50)
	var out bytes.Buffer
	env := &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }}
	m := &meter{Maker: till{func(s provider.Sink) (provider.Reply, error) {
		s.Sent()
		return provider.Reply{Price: 25}, nil // twice and a half of what was said
	}}}
	r := &provider.Request{N: 1}
	d := &doctor{env: env, flags: &doctorFlags{maxCost: &limit}, meter: m, rig: providertest.Rig{Maker: m, Requests: []*provider.Request{r}}}
	check := providertest.Check{
		Name: "one", Pays: func(rig providertest.Rig) []*provider.Request { return rig.Requests },
		Run: func(ctx context.Context, rig providertest.Rig) []error {
			_, err := rig.Maker.Make(ctx, r, &providertest.Recorder{})
			if err != nil {
				return []error{err}
			}
			return nil
		},
	}
	d.run(t.Context(), []providertest.Check{check, check, check, check})
	var results []string
	for _, r := range d.rows {
		results = append(results, r.Result)
	}
	if got := strings.Join(results, ", "); got != "ok, ok, not run, not run" || m.total() != 50 || d.over != overBudget {
		t.Errorf("%s; %d spent; %s", got, m.total(), d.over)
	}
}
