package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

func main() {
	if victim() {
		return
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// options is what the command line says.
type options struct {
	rows   *regexp.Regexp
	totals string
	seed   uint64
	n      int
	from   int
	limit  time.Duration
	report bool
	table  bool
	peers  bool
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("torture", flag.ContinueOnError)
	fs.SetOutput(stderr)
	rows := fs.String("rows", "", "only rows whose name matches this `regexp`")
	fs.StringVar(&o.totals, "totals", "", "keep the totals in this `file`; default imgbuild/torture.jsonl in the user's cache folder")
	fs.Uint64Var(&o.seed, "seed", 0, "make one batch with this `seed` again, and save nothing")
	fs.IntVar(&o.n, "n", 0, "with -seed, so many attacks")
	fs.IntVar(&o.from, "from", 0, "with -seed, after so many attacks, for a row that makes each once")
	fs.DurationVar(&o.limit, "for", 0, "begin no batch after this `time`; default until each row has its long count")
	fs.BoolVar(&o.report, "report", false, "attack nothing, print the totals")
	fs.BoolVar(&o.table, "markdown", false, "print the totals as a table of Markdown")
	fs.BoolVar(&o.peers, "peers", false, "kill terraform, tofu and imgbuild instead, -n times each (12), and compare what is left")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("there are no arguments, got %q", fs.Args())
	}
	if o.totals == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("-totals: %w", err)
		}
		o.totals = filepath.Join(dir, "imgbuild", "torture.jsonl")
	}
	o.rows, err = regexp.Compile(*rows)
	return o, err
}

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "torture:", err)
		return 64
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	work := gather
	if o.peers {
		work = comparePeers
	}
	if err := work(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "torture:", err)
		return 1
	}
	return 0
}

// gather makes attacks until each row has its long count or the time is over,
// a batch of each row in turns, and prints the totals.
func gather(ctx context.Context, o options, stdout, stderr io.Writer) error {
	var rows []*row
	for _, r := range table() {
		if o.rows.MatchString(r.name) {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return errors.New("no row has such a name")
	}
	if o.seed != 0 {
		o.totals = ""
	}
	t, err := readTotals(o.totals)
	if err != nil {
		return err
	}
	start := time.Now()
	for again := !o.report; again; {
		again = false
		for _, r := range rows {
			late := o.limit > 0 && time.Since(start) > o.limit
			if ctx.Err() != nil || late || r.absent() != "" || t.sum(r.name).N >= r.long {
				continue
			}
			b := batch{Row: r.name, Seed: o.seed, N: min(r.batch, r.long-t.sum(r.name).N)}
			if o.seed == 0 {
				b.Seed, again = rand.Uint64()>>11, true // a number that JSON keeps
				b.From = t.sum(r.name).N
			} else {
				b.N, b.From = cmp.Or(o.n, b.N), o.from
			}
			repeat := fmt.Sprintf("%s, -seed=%d -n=%d", r.name, b.Seed, b.N)
			if b.From > 0 {
				repeat += fmt.Sprintf(" -from=%d", b.From)
			}
			// A batch may take minutes, and who waits shall know for what.
			fmt.Fprintf(stderr, "torture: %s: attacks %d to %d of %d …\n", r.name, b.From+1, b.From+b.N, r.long)
			err := r.attack(ctx, &b)
			if ctx.Err() != nil {
				break // its victims were ended, too
			}
			if err != nil {
				return fmt.Errorf("%s: %w", repeat, err)
			}
			for _, w := range b.Wrong {
				fmt.Fprintf(stderr, "torture: %s: %s\n", repeat, w)
			}
			if err := t.add(b); err != nil {
				return err
			}
			fmt.Fprintf(stderr, "torture: %s: %d of %d\n", r.name, t.sum(r.name).N, r.long)
		}
	}
	return t.print(stdout, rows, o.table)
}
