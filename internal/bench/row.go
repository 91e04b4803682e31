package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A row is one promise: a figure of ours, that of a peer, and the value that
// they give, which is good when it is small.
type row struct {
	name      string
	probes    []*probe
	skip      error // why the row is not run; nil to run it
	must, aim float64
	unit      func(float64) string
	read      func(*lab) (figures, error) // after the probes; their errors are handled before
	known     string                      // why the must is missed, where that is told and does not fail the bench
}

type figures struct {
	ours, peer string
	value      float64
}

// A result is a row as it is printed.
type result struct {
	name, ours, peer, value, must, aim, verdict string
	missed                                      bool
}

func (r row) judge(l *lab) result {
	out := result{name: r.name, ours: "-", peer: "-", value: "-", must: "≤ " + r.unit(r.must), aim: r.unit(r.aim)}
	err := r.skip
	for _, p := range r.probes {
		if err == nil {
			err = l.samples[p.name].err
		}
	}
	var f figures
	if err == nil {
		f, err = r.read(l)
	}
	var reason notRun
	switch {
	case errors.As(err, &reason):
		out.verdict = "not run: " + string(reason)
		return out
	case err != nil:
		out.verdict, out.missed = "FAILED: "+err.Error(), true
		return out
	}
	out.ours, out.peer, out.value = f.ours, f.peer, r.unit(f.value)
	switch {
	// NaN is neither: it must not pass.
	case f.value <= r.aim:
		out.verdict = "aim"
	case f.value <= r.must:
		out.verdict = "must"
	case r.known != "" && f.value > r.must:
		out.verdict = "MISSED, as known: " + r.known
	default:
		out.verdict, out.missed = "MISSED", true
	}
	return out
}

func render(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "quantity\tours\tpeer\tvalue\tmust\taim\tverdict")
	for _, r := range results {
		fmt.Fprintln(t, strings.Join([]string{r.name, r.ours, r.peer, r.value, r.must, r.aim, r.verdict}, "\t"))
	}
	t.Flush()
}

// versus is a row for ours divided by the peer.
func versus(name string, ours, peer *probe, what string, must, aim float64) row {
	return row{name: name, probes: []*probe{ours, peer}, must: must, aim: aim, unit: times, read: func(l *lab) (figures, error) {
		a, b := l.samples[ours.name].cost, l.samples[peer.name].cost
		return figures{cpu(median(a)), cpu(median(b)) + " " + what, ratio(a, b)}, nil
	}}
}

// peak is a row for the peak memory of ours, in MB.
func peak(name string, ours *probe, must, aim float64) row {
	return row{name: name, probes: []*probe{ours}, must: must, aim: aim, unit: megabytes, read: func(l *lab) (figures, error) {
		rss := l.samples[ours.name].rss
		most := slices.Max(rss)
		if most == 0 {
			return figures{}, notRun("this system does not tell the peak memory of a child")
		}
		mb := float64(most) / 1e6
		return figures{megabytes(mb), "-", mb}, nil
	}}
}

// slope is a row for what each further instance costs ours, divided by the
// same for the peer: start-up cancels out.
func slope(name string, few, many, peerFew, peerMany *probe, step int, what string, must, aim float64) row {
	return row{name: name, probes: []*probe{few, peerFew, many, peerMany}, must: must, aim: aim, unit: times, read: func(l *lab) (figures, error) {
		each := func(few, many *probe) []time.Duration {
			out := make([]time.Duration, l.rounds)
			for i := range out {
				out[i] = (l.samples[many.name].cost[i] - l.samples[few.name].cost[i]) / time.Duration(step)
			}
			return out
		}
		a, b := each(few, many), each(peerFew, peerMany)
		if median(a) <= 0 || median(b) <= 0 {
			return figures{}, errors.New("the cost of an instance drowned in noise")
		}
		return figures{cpu(median(a)), cpu(median(b)) + " " + what, ratio(a, b)}, nil
	}}
}

// ratio is the median of the ratios of the rounds, or the ratio of the medians
// where one side had fewer rounds.
func ratio[T time.Duration | int64](a, b []T) float64 {
	if len(a) != len(b) {
		return float64(median(a)) / float64(median(b))
	}
	out := make([]float64, len(a))
	for i := range a {
		out[i] = float64(a[i]) / float64(b[i])
	}
	return median(out)
}

// times prints a ratio as a person reads it: 1.23 ×, or 1/38 where ours is
// much the smaller.
func times(v float64) string {
	if v > 0 && v <= 0.2 {
		return fmt.Sprintf("1/%.0f", math.Floor(1/v+1e-9))
	}
	return fmt.Sprintf("%.2f ×", v)
}

func megabytes(v float64) string { return fmt.Sprintf("%.0f MB", v) }

func milliseconds(v float64) string { return fmt.Sprintf("%.2f ms", v) }

// cpu prints a time with three digits.
func cpu(d time.Duration) string {
	switch s := d.Seconds(); {
	case d >= time.Second:
		return fmt.Sprintf("%.3g s", s)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", s*1e3)
	default:
		return fmt.Sprintf("%.3g µs", s*1e6)
	}
}
