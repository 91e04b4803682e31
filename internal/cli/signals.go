package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// stops are the signals that end a run: Ctrl-C, what asks a process to go, and a
// terminal that was closed.
var stops = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// interrupts is what signals have asked of a run.
type interrupts struct {
	stop chan struct{} // closed by the first

	mu    sync.Mutex
	spend bool // paid requests may be in flight: the first lets them finish
	ended func()
}

// signals makes the first signal close stop and the second, or the end of the
// grace, cancel the context; the third ends the process at once. Before paying
// there is nothing to wait for, and the first does both.
func signals(ctx context.Context, grace time.Duration) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(ctx)
	i := &interrupts{stop: make(chan struct{})}
	got := make(chan os.Signal, 2)
	for _, s := range stops {
		if !signal.Ignored(s) { // by nohup, say
			signal.Notify(got, s)
		}
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-got:
		case <-over:
			return
		}
		if i.first() {
			wait := time.NewTimer(grace)
			defer wait.Stop()
			select {
			case <-got:
			case <-wait.C:
			case <-over:
				return
			}
		}
		signal.Stop(got)
		cancel()
	}()
	i.ended = sync.OnceFunc(func() { signal.Stop(got); close(over); cancel() })
	return ctx, i
}

// first reports whether something in flight may be worth waiting for.
func (i *interrupts) first() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.stop)
	return i.spend
}

// paying says that from now on requests are sent. It is false after a signal.
func (i *interrupts) paying() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	select {
	case <-i.stop:
		return false
	default:
		i.spend = true
		return true
	}
}

// done lets signals do again what they usually do, and ends the context.
func (i *interrupts) done() { i.ended() }

// outlivePipes makes a write to a reader that has gone (| head) an error like
// others, until the returned function is called. Without it the runtime ends the
// process, with whatever is in flight.
func outlivePipes() func() {
	got := make(chan os.Signal, 1) // and nobody listens. Unlike Ignore, it is not inherited by tools
	signal.Notify(got, syscall.SIGPIPE)
	return func() { signal.Stop(got) }
}
