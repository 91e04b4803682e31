package limit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// fake answers try after try, and notes when each began.
type fake struct {
	mu     sync.Mutex
	start  time.Time
	tries  []time.Duration
	busy   int
	most   int
	takes  time.Duration
	answer func(try int) error // counted from 1 over all calls
	fetch  func(try int, w io.Writer) error
}

func (f *fake) Offer(string) (provider.Offer, bool) { return provider.Offer{Model: "m"}, true }

func (f *fake) try() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries = append(f.tries, time.Since(f.start))
	f.busy++
	f.most = max(f.most, f.busy)
	return len(f.tries)
}

func (f *fake) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
}

func (f *fake) Make(ctx context.Context, _ *provider.Request, s provider.Sink) (provider.Reply, error) {
	n := f.try()
	defer f.done()
	if err := sleep(ctx, f.takes); err != nil {
		return provider.Reply{}, err
	}
	if f.answer == nil {
		return provider.Reply{}, nil
	}
	return provider.Reply{}, f.answer(n)
}

func (f *fake) Resume(ctx context.Context, _ string, _ *provider.Request, s provider.Sink) (provider.Reply, error) {
	return f.Make(ctx, nil, s)
}

func (f *fake) Fetch(ctx context.Context, _ string, w io.Writer) error {
	n := f.try()
	defer f.done()
	if err := sleep(ctx, f.takes); err != nil {
		return err
	}
	return f.fetch(n, w)
}

func wrap(f *fake, c Config) provider.Maker {
	f.start = time.Now()
	c.Now = time.Now
	if c.Jitter == nil {
		c.Jitter = func() float64 { return 0 }
	}
	return Wrap(f, c)
}

func fails(k provider.Kind, after time.Duration) error {
	return &provider.Error{Kind: k, RetryAfter: after, Message: "m"}
}

const s = time.Second

func TestTries(t *testing.T) {
	t.Parallel()
	// always fails n times with err, then succeeds.
	times := func(n int, err error) func(int) error {
		return func(try int) error {
			if try <= n {
				return err
			}
			return nil
		}
	}
	const ever = 1000
	for name, tt := range map[string]struct {
		answer func(int) error
		jitter float64
		tries  []time.Duration
		ok     bool
	}{
		"at once":              {nil, 0, []time.Duration{0}, true},
		"429 with Retry-After": {times(2, fails(provider.RateLimited, 3*s)), 0, []time.Duration{0, 3 * s, 6 * s}, true},
		"429 without":          {times(ever, fails(provider.RateLimited, 0)), 0, []time.Duration{0, s, 3 * s, 7 * s, 15 * s, 31 * s, 61 * s, 91 * s}, false},
		"429 with jitter":      {times(1, fails(provider.RateLimited, 0)), 0.5, []time.Duration{0, 918750 * time.Microsecond}, true}, // 0.875 s and 5 % of it
		"429 for too long":     {times(1, fails(provider.RateLimited, 11*time.Minute)), 0, []time.Duration{0}, false},
		"429 long, twice":      {times(2, fails(provider.RateLimited, 6*time.Minute)), 0, []time.Duration{0, 6 * time.Minute}, false},
		"not sent, then well":  {times(2, fails(provider.NotSent, 0)), 0, []time.Duration{0, s, 3 * s}, true},
		"never sent":           {times(ever, fails(provider.NotSent, 0)), 0, []time.Duration{0, s, 3 * s}, false},
		"in doubt":             {times(1, fails(provider.InDoubt, s)), 0, []time.Duration{0}, false},
		"rejected":             {times(1, fails(provider.Rejected, s)), 0, []time.Duration{0}, false},
		"moderated":            {times(1, fails(provider.Moderated, s)), 0, []time.Duration{0}, false},
		"unusable":             {times(1, fails(provider.Unusable, s)), 0, []time.Duration{0}, false},
		"credentials":          {times(1, fails(provider.Credentials, s)), 0, []time.Duration{0}, false},
		"quota":                {times(1, fails(provider.Quota, s)), 0, []time.Duration{0}, false},
		"an error of the sink": {times(1, errors.New("disk full")), 0, []time.Duration{0}, false},
		"wrapped":              {times(1, fmt.Errorf("x: %w", fails(provider.RateLimited, s))), 0, []time.Duration{0, s}, true},
		"each kind has its own": {func(try int) error {
			return fails([]provider.Kind{0, provider.NotSent, provider.RateLimited, provider.NotSent, provider.InDoubt}[try], 0)
		}, 0, []time.Duration{0, s, 2 * s, 4 * s}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: tt.answer}
				var sink providertest.Recorder
				_, err := wrap(f, Config{Parallelism: 1, Jitter: func() float64 { return tt.jitter }}).Make(t.Context(), &provider.Request{}, &sink)
				if d := cmp.Diff(tt.tries, f.tries); d != "" || (err == nil) != tt.ok {
					t.Errorf("%v; tries (-want +got):\n%s", err, d)
				}
				if (len(sink.Events) > 0) != (len(tt.tries) > 1) {
					t.Errorf("told: %q", sink.Events)
				}
			})
		})
	}
}

// TestPauseIsShared: one refusal slows every request.
func TestPauseIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(try int) error {
			if try == 1 {
				return fails(provider.RateLimited, 10*s)
			}
			return nil
		}}
		m := wrap(f, Config{Parallelism: 3})
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * s)
				var sink providertest.Recorder
				if _, err := m.Make(t.Context(), &provider.Request{}, &sink); err != nil {
					t.Error(err)
				}
				if i > 0 && i < 3 && !strings.HasPrefix(strings.Join(sink.Events, "|"), fmt.Sprintf("waiting %ds: the provider asked", 10-i)) {
					t.Errorf("%d was told %q", i, sink.Events)
				}
			})
		}
		wg.Wait()
		if d := cmp.Diff([]time.Duration{0, 10 * s, 10 * s, 10 * s, 10 * s, 10 * s}, f.tries); d != "" {
			t.Error(d)
		}
	})
}

// TestStorm: a provider that refuses all the time is given up in bounded time,
// and asked once for each request after that.
func TestStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(int) error { return fails(provider.RateLimited, 0) }}
		m := wrap(f, Config{Parallelism: 4})
		start := time.Now()
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				_, err := m.Make(t.Context(), &provider.Request{}, &providertest.Recorder{})
				if e := (*provider.Error)(nil); !errors.As(err, &e) || e.Kind != provider.RateLimited {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > patience || len(f.tries) > 200+8*4*8 {
			t.Errorf("%s, %d tries", took, len(f.tries))
		}
		// A provider that has recovered is taken at its word again.
		f.answer = nil
		if _, err := m.Make(t.Context(), &provider.Request{}, &providertest.Recorder{}); err != nil {
			t.Error(err)
		}
		first := true
		f.answer = func(int) error {
			if first {
				first = false
				return fails(provider.RateLimited, s)
			}
			return nil
		}
		if _, err := m.Make(t.Context(), &provider.Request{}, &providertest.Recorder{}); err != nil {
			t.Error(err)
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: s, fetch: func(int, io.Writer) error { return nil }}
		m := wrap(f, Config{Parallelism: 3})
		var wg sync.WaitGroup
		for range 9 {
			wg.Go(func() { m.Make(t.Context(), &provider.Request{}, &providertest.Recorder{}) })
		}
		wg.Wait()
		if took := time.Since(f.start); f.most != 3 || took != 3*s {
			t.Errorf("%d at once, %s", f.most, took)
		}
		// Requests do not wait for downloads.
		f.most = 0
		for range 3 {
			wg.Go(func() { m.Fetch(t.Context(), "u", io.Discard) })
			wg.Go(func() { m.Resume(t.Context(), "id", nil, &providertest.Recorder{}) })
		}
		wg.Wait()
		if f.most != 6 {
			t.Errorf("%d at once, want 6", f.most)
		}
	})
}

// TestPerMinute: no minute, wherever it begins, sees more than that.
func TestPerMinute(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		perMinute   float64
		parallelism int
	}{{60, 8}, {1, 8}, {5, 8}, {30, 2}, {600, 100}, {0.5, 1}} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			m := wrap(f, Config{Parallelism: tt.parallelism, PerMinute: tt.perMinute})
			var wg sync.WaitGroup
			calls := int(tt.perMinute*3) + 1
			for range calls {
				wg.Go(func() { m.Make(t.Context(), &provider.Request{}, &providertest.Recorder{}) })
			}
			wg.Wait()
			for i, from := range f.tries {
				n := 0
				for _, other := range f.tries[i:] {
					if other < from+time.Minute {
						n++
					}
				}
				if float64(n) > max(tt.perMinute, 1) {
					t.Errorf("%v a minute: %d from %s on", tt.perMinute, n, from)
					break
				}
			}
			if took := time.Since(f.start); tt.perMinute >= 1 && took > 4*time.Minute {
				t.Errorf("%v a minute: %d took %s", tt.perMinute, calls, took)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg    Config
		answer func(int) error
		first  func(provider.Maker)
	}{
		"waiting for a place": {cfg: Config{Parallelism: 1}, first: func(m provider.Maker) {
			go m.Make(context.Background(), &provider.Request{}, &providertest.Recorder{})
		}},
		"waiting for its minute": {cfg: Config{Parallelism: 9, PerMinute: 1}, first: func(m provider.Maker) {
			go m.Make(context.Background(), &provider.Request{}, &providertest.Recorder{})
		}},
		"pausing":       {cfg: Config{Parallelism: 1}, answer: func(int) error { return fails(provider.RateLimited, time.Minute) }},
		"between tries": {cfg: Config{Parallelism: 1}, answer: func(int) error { return fails(provider.NotSent, time.Minute) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: tt.answer, takes: 30 * s}
				m := wrap(f, tt.cfg)
				if tt.first != nil {
					tt.first(m)
					synctest.Wait()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 40*s)
				if tt.first != nil {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), 5*s)
				}
				defer cancel()
				_, err := m.Make(ctx, &provider.Request{}, &providertest.Recorder{})
				if !errors.Is(err, context.DeadlineExceeded) || len(f.tries) != 1 {
					t.Errorf("%v after %d tries", err, len(f.tries))
				}
				time.Sleep(time.Minute) // for the first to end
			})
		})
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	// part writes n bytes of file, then fails.
	file := []byte(strings.Repeat("0123456789", 10))
	type part struct {
		data []byte
		err  error
	}
	other := bytes.Repeat([]byte("x"), 100)
	gone := fails(provider.NotSent, 0)
	for name, tt := range map[string]struct {
		parts []part
		want  int // bytes
		ok    bool
	}{
		"at once":               {[]part{{file, nil}}, 100, true},
		"cut three times":       {[]part{{file[:40], gone}, {file[:10], gone}, {file[:70], gone}, {file, nil}}, 100, true},
		"cut four times":        {[]part{{nil, gone}, {file[:10], gone}, {nil, gone}, {nil, gone}}, 10, false},
		"rate":                  {[]part{{nil, fails(provider.RateLimited, s)}, {file, nil}}, 100, true},
		"gone":                  {[]part{{nil, fails(provider.Unusable, 0)}}, 0, false},
		"refused":               {[]part{{nil, fails(provider.Rejected, 0)}}, 0, false},
		"another file":          {[]part{{file[:40], gone}, {other, nil}, {other, nil}, {other, nil}}, 40, false},
		"another, shorter file": {[]part{{file[:40], gone}, {file[:30], nil}, {nil, nil}, {file[:39], nil}}, 40, false},
		"another, once":         {[]part{{file[:40], gone}, {other, nil}, {file, nil}}, 100, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{fetch: func(try int, w io.Writer) error {
					p := tt.parts[try-1]
					for len(p.data) > 0 { // in odd pieces
						n := min(7, len(p.data))
						if _, err := w.Write(p.data[:n]); err != nil {
							return err
						}
						p.data = p.data[n:]
					}
					return p.err
				}}
				var b bytes.Buffer
				err := wrap(f, Config{Parallelism: 1}).Fetch(t.Context(), "u", &b)
				if (err == nil) != tt.ok || !bytes.Equal(b.Bytes(), file[:tt.want]) || len(f.tries) != len(tt.parts) {
					t.Errorf("%v, %d bytes, %d tries; want %+v", err, b.Len(), len(f.tries), tt)
				}
			})
		})
	}
}

func TestOffer(t *testing.T) {
	t.Parallel()
	if o, ok := Wrap(&fake{}, Config{}).Offer(""); !ok || o.Model != "m" {
		t.Error(o.Model, ok)
	}
}
