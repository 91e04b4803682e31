package limit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/imgbuild/imgbuild/internal/provider"
)

const (
	limitedTries = 8
	unsentTries  = 3
	fetchTries   = 4
	absentTries  = 3                // where the server says that there is no such picture: it was told of a moment ago
	patience     = 10 * time.Minute // with a provider that refuses every request
	firstWait    = time.Second
	longestWait  = 30 * time.Second
)

// Config says how a maker is used.
type Config struct {
	Parallelism int              // requests in flight, and downloads beside them; at least 1
	PerMinute   float64          // requests started in any minute; 0 for no limit
	Now         func() time.Time // the clock by which a shared pause ends
	Jitter      func() float64   // in [0, 1): spreads the waits of those that wait together
}

type limited struct {
	provider.Maker
	cfg    Config
	calls  chan struct{} // a place for each request in flight
	loads  chan struct{} // and for each download
	starts *rate.Limiter

	mu    sync.Mutex
	until time.Time // nothing starts before it
	since time.Time // start of the row of refusals that goes on; zero if none
}

// Wrap returns m with its use limited by cfg.
func Wrap(m provider.Maker, cfg Config) provider.Maker {
	places := max(cfg.Parallelism, 1)
	l := &limited{
		Maker: m, cfg: cfg, starts: starter(cfg.PerMinute, places),
		calls: make(chan struct{}, places), loads: make(chan struct{}, places),
	}
	// The catalogue is one small question of the user's: it waits for nobody.
	return provider.WithCatalogue(l, m)
}

// starter lets a first handful go at once and spaces the rest, so that no
// minute sees more than perMinute starts, the handful included.
func starter(perMinute float64, places int) *rate.Limiter {
	if perMinute <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	burst := min(places, max(1, int(perMinute/10)))
	return rate.NewLimiter(rate.Limit((perMinute-float64(burst-1))/60), burst)
}

func (l *limited) Make(ctx context.Context, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	select {
	case <-s.Stopping():
		return provider.Reply{}, stopped()
	default:
	}
	select {
	case l.calls <- struct{}{}:
	case <-s.Stopping():
		return provider.Reply{}, stopped()
	case <-ctx.Done():
		return provider.Reply{}, ctx.Err()
	}
	defer func() { <-l.calls }()
	for refused, unsent := 0, 0; ; {
		if err := l.turn(ctx, s); err != nil {
			return provider.Reply{}, err
		}
		reply, err := l.Maker.Make(ctx, r, s)
		var failed *provider.Error
		if !errors.As(err, &failed) {
			l.accepted()
			return reply, err
		}
		switch failed.Kind {
		case provider.RateLimited:
			refused++
			if err := s.Answered(); err != nil {
				return reply, err
			}
			// The next turn waits for the pause, as everybody's does.
			if again := l.pause(l.wait(failed, refused)); !again || refused == limitedTries {
				return reply, err
			}
		case provider.NotSent:
			unsent++
			if unsent == unsentTries {
				return reply, err
			}
			d := l.wait(failed, unsent)
			s.Waiting(d, "not sent: "+failed.Message)
			if err := wait(ctx, s, d); err != nil {
				return reply, err
			}
		default:
			l.accepted()
			return reply, err
		}
	}
}

// stopped is what becomes of a call that may not be sent any more.
func stopped() error {
	return &provider.Error{Kind: provider.NotSent, Message: "the run was stopped before it was sent"}
}

// wait sleeps, unless the run stops.
func wait(ctx context.Context, s provider.Sink, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.Stopping():
		return stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Resume waits for a place only: polling a job is free and paces itself.
func (l *limited) Resume(ctx context.Context, jobID string, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	if err := take(ctx, l.calls); err != nil {
		return provider.Reply{}, err
	}
	defer func() { <-l.calls }()
	return l.Maker.Resume(ctx, jobID, r, s)
}

func (l *limited) Fetch(ctx context.Context, url string, w io.Writer) error {
	if err := take(ctx, l.loads); err != nil {
		return err
	}
	defer func() { <-l.loads }()
	out := &resumed{w: w, sum: sha256.New()}
	for try := 1; ; try++ {
		err := l.Maker.Fetch(ctx, url, out)
		if err == nil && out.skip > 0 {
			err = errChanged // it was shorter than what came before
		}
		var failed *provider.Error
		tries := 1
		switch {
		case !errors.As(err, &failed):
		case failed.Kind == provider.NotSent, failed.Kind == provider.RateLimited:
			tries = fetchTries
		case failed.Absent():
			tries = absentTries
		}
		if try >= tries {
			return err
		}
		if err := sleep(ctx, min(l.wait(failed, try), longestWait)); err != nil {
			return err
		}
		out.again()
	}
}

func take(ctx context.Context, places chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turn returns when a request may start. A pause may be prolonged while one
// waits for it, and a start that was taken stays taken.
func (l *limited) turn(ctx context.Context, s provider.Sink) error {
	start := l.starts.ReserveN(l.cfg.Now(), 1)
	for taken := false; ; {
		why, d := "the provider asked to slow down", l.paused()
		if d > 0 {
			d += time.Duration(l.cfg.Jitter() * float64(min(d/10, firstWait)))
		} else if !taken {
			taken = true
			why, d = "rate", start.DelayFrom(l.cfg.Now())
		}
		if d <= 0 && taken {
			return nil
		}
		if d > 0 {
			s.Waiting(d, why)
		}
		if err := wait(ctx, s, d); err != nil {
			start.CancelAt(l.cfg.Now())
			return err
		}
	}
}

// pause keeps everybody from starting for d. It does not, and reports false, if
// that would be out of patience with a provider that refuses all the time.
func (l *limited) pause(d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.cfg.Now()
	if l.since.IsZero() {
		l.since = now
	}
	end := now.Add(d)
	if end.Sub(l.since) > patience {
		return false
	}
	if end.After(l.until) {
		l.until = end
	}
	return true
}

// accepted ends a row of refusals.
func (l *limited) accepted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = time.Time{}
}

func (l *limited) paused() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.Sub(l.cfg.Now())
}

// wait is what the provider asks for, else 1, 2, 4 … 30 seconds, less up to a
// quarter.
func (l *limited) wait(e *provider.Error, try int) time.Duration {
	if e.RetryAfter > 0 {
		return e.RetryAfter
	}
	d := min(float64(firstWait)*math.Pow(2, float64(try-1)), float64(longestWait))
	return time.Duration(d * (1 - l.cfg.Jitter()/4))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return ctx.Err()
	}
}

// resumed passes a file on once, though it comes in several tries: what an
// earlier try has passed is compared by its hash and not passed again.
type resumed struct {
	w      io.Writer
	passed int64 // bytes that w has
	sum    hash.Hash
	skip   int64     // bytes of this try that w has already
	seen   hash.Hash // of those
}

func (r *resumed) again() { r.skip, r.seen = r.passed, sha256.New() }

func (r *resumed) Write(p []byte) (int, error) {
	old := p[:min(r.skip, int64(len(p)))]
	if len(old) > 0 {
		r.seen.Write(old)
		r.skip -= int64(len(old))
		if r.skip == 0 && !bytes.Equal(r.seen.Sum(nil), r.sum.Sum(nil)) {
			return 0, errChanged
		}
	}
	n, err := r.w.Write(p[len(old):])
	r.sum.Write(p[len(old) : len(old)+n])
	r.passed += int64(n)
	return len(old) + n, err
}

// errChanged is free to repeat: the next try may bring the first file again.
var errChanged = &provider.Error{Kind: provider.NotSent, Message: "the file changed between two tries"}
