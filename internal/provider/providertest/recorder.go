package providertest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// Recorder is a provider.Sink that remembers. It may be used by many
// goroutines; the fields may be read when the call has returned.
type Recorder struct {
	Fail map[string]error // what an event such as "sent" or "spool 0" answers

	mu     sync.Mutex
	Events []string // "sent", "accepted ID", "spool 0", "close 0", "delivered 0", "waiting 1s: why"
	Spools map[int][]byte
	Images map[int]provider.Delivery
	Prices map[int]provider.Money
	// Answers counts the answers that owe nothing, after each of which a
	// request may be sent again.
	Answers int
	open    map[int]bool
}

// note remembers an event, unless it is to fail.
func (r *Recorder) note(format string, args ...any) error {
	event := fmt.Sprintf(format, args...)
	if err := r.Fail[event]; err != nil {
		return err
	}
	r.Events = append(r.Events, event)
	return nil
}

func (r *Recorder) Sent() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.note("sent")
}

func (r *Recorder) Accepted(jobID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.note("accepted %s", jobID)
}

// Room is there.
func (r *Recorder) Room(int64) (leave func()) { return func() {} }

func (r *Recorder) Delivered(i int, from provider.Delivery, price provider.Money) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.note("delivered %d", i); err != nil {
		return err
	}
	if r.Images == nil {
		r.Images, r.Prices = map[int]provider.Delivery{}, map[int]provider.Money{}
	}
	r.Images[i], r.Prices[i] = from, price
	return nil
}

func (r *Recorder) Spool(i int) (io.WriteCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.note("spool %d", i); err != nil {
		return nil, err
	}
	if r.open == nil {
		r.open = map[int]bool{}
	}
	r.open[i] = true
	return &spool{r: r, i: i}, nil
}

// Answered notes that what was sent owes nothing.
func (r *Recorder) Answered() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Answers++
	return nil
}

// Stopping never happens.
func (r *Recorder) Stopping() <-chan struct{} { return nil }

func (r *Recorder) Waiting(d time.Duration, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("waiting %s: %s", d, why)
}

// Count is how often an event happened.
func (r *Recorder) Count(event string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.Events {
		if e == event {
			n++
		}
	}
	return n
}

// leaks lists the spools that were never closed.
func (r *Recorder) leaks() (out []int) {
	for i, open := range r.open {
		if open {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

type spool struct {
	bytes.Buffer
	r *Recorder
	i int
}

func (s *spool) Close() error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.open[s.i] = false
	if err := s.r.note("close %d", s.i); err != nil {
		return err
	}
	if s.r.Spools == nil {
		s.r.Spools = map[int][]byte{}
	}
	s.r.Spools[s.i] = s.Bytes()
	return nil
}
