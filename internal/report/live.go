package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Live is a view of a running apply on a terminal: a line for each image that
// is being made, and one that counts. What is done scrolls away above it.
//
// It is our own because it is a hundred lines: the libraries that draw bars
// bring a width table whose set-up costs more than all of imgbuild's start.
type Live struct {
	w     io.Writer
	o     Options
	now   func() time.Time
	total int
	price provider.Money

	mu      sync.Mutex
	begun   time.Time
	running []*running
	drawn   int // lines on the screen that belong to the view
	done    int
	failed  int
	skipped int
	spent   provider.Money
	frame   int
	stop    chan struct{}
	stopped sync.WaitGroup
}

type running struct {
	address string
	verb    plan.Verb
	note    string
	begun   time.Time
}

// NewLive starts a view of a plan.
func NewLive(w io.Writer, p *plan.Plan, now func() time.Time, o Options) *Live {
	v := &Live{w: w, o: o, now: now, begun: now(), price: p.Summary.Price, stop: make(chan struct{})}
	for i := range p.Steps {
		if !p.Steps[i].Verb.Standing() {
			v.total++
		}
	}
	v.stopped.Go(func() {
		tick := time.NewTicker(120 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case <-tick.C:
				v.mu.Lock()
				v.frame++
				v.draw("")
				v.mu.Unlock()
			}
		}
	})
	return v
}

// Event shows what happened.
func (v *Live) Event(e apply.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.spent = e.Spent
	a := diag.Clean(string(e.Address))
	at := -1
	for i, r := range v.running {
		if r.address == a {
			at = i
		}
	}
	switch e.Kind {
	case apply.Started:
		v.running = append(v.running, &running{address: a, verb: e.Verb, begun: e.At})
		return
	case apply.Waiting:
		if at >= 0 {
			v.running[at].note = fmt.Sprintf("waits %s (%s)", seconds(e.Wait), diag.Clean(e.Text))
		}
		return
	case apply.Received:
		if at >= 0 {
			v.running[at].note = fmt.Sprintf("%d of %d came", e.Count, e.Total)
		}
		return
	}
	if at >= 0 {
		v.running = append(v.running[:at], v.running[at+1:]...)
	}
	c, line := v.o.Palette, EventText(e)
	switch e.Kind {
	case apply.Done:
		v.done++
		line = c.Green("✓ ") + line
	case apply.Skipped:
		v.skipped++
		line = c.Yellow("– ") + line
	case apply.Failed, apply.Doubtful, apply.Accepted, apply.Stale:
		v.failed++
		line = c.Red("✗ ") + line
	}
	v.draw(line)
}

// Close takes the view off the screen.
func (v *Live) Close() {
	close(v.stop)
	v.stopped.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase(&strings.Builder{}, true)
}

func (v *Live) erase(b *strings.Builder, write bool) {
	if v.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", v.drawn)
	}
	v.drawn = 0
	if write {
		io.WriteString(v.w, b.String())
	}
}

// maxRunning is how many running images have a line of their own.
const maxRunning = 10

// draw writes a line that stays, if any, and the view below it.
func (v *Live) draw(line string) {
	var b strings.Builder
	v.erase(&b, false)
	if line != "" {
		b.WriteString("  " + line + "\n")
	}
	spinner := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	now := v.now()
	for i, r := range v.running {
		if i == maxRunning {
			fmt.Fprintf(&b, "  … and %d more\n", len(v.running)-maxRunning)
			v.drawn++
			break
		}
		text := fmt.Sprintf("%s %s %s", r.address, doing(r.verb), seconds(now.Sub(r.begun)))
		if r.note != "" {
			text += ", " + r.note
		}
		fmt.Fprintf(&b, "  %s %s\n", v.o.Palette.Cyan(string(spinner[v.frame%len(spinner)])), cut(text, v.o.width()-5))
		v.drawn++
	}
	fmt.Fprintf(&b, "  %s\n", cut(v.status(now), v.o.width()-3))
	v.drawn++
	io.WriteString(v.w, b.String())
}

func (v *Live) status(now time.Time) string {
	s := fmt.Sprintf("%s %d/%d done · %d running", v.bar(20), v.done, v.total, len(v.running))
	if v.failed > 0 {
		s += fmt.Sprintf(" · %d failed", v.failed)
	}
	if v.skipped > 0 {
		s += fmt.Sprintf(" · %d skipped", v.skipped)
	}
	if v.price > 0 || v.spent > 0 {
		s += fmt.Sprintf(" · %s of %s", v.spent, v.price)
	}
	elapsed := now.Sub(v.begun)
	if ended := v.done + v.failed + v.skipped; ended > 0 && ended < v.total && elapsed > 2*time.Second {
		s += " · " + seconds(elapsed*time.Duration(v.total-ended)/time.Duration(ended)) + " left"
	}
	return s
}

func (v *Live) bar(width int) string {
	if v.total == 0 {
		return ""
	}
	full := width * (v.done + v.failed + v.skipped) / v.total
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// cut keeps a line from wrapping, which would break the view.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}
