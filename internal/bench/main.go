package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) == 3 {
		if child, ok := children[os.Args[1]]; ok {
			if err := child(os.Stdout, os.Args[2]); err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// options is what the command line says.
type options struct {
	rows   *regexp.Regexp
	rounds int
	sizes  []int
	full   bool
	keep   string
	bin    string
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{rounds: 5}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	rows := fs.String("rows", "", "run only rows whose name matches this `regexp`")
	fs.IntVar(&o.rounds, "rounds", o.rounds, "rounds in which ours and the peers run in turns")
	sizes := fs.String("n", "1000,10000,100000", "`numbers` of images to run rows for")
	fs.BoolVar(&o.full, "full", false, "also what costs minutes: terraform at 10,000 images, once")
	fs.StringVar(&o.keep, "keep", "", "make the projects in this `folder`, use what an earlier run left there, and leave them")
	fs.StringVar(&o.bin, "bin", filepath.Join("bin", "imgbuild"), "the imgbuild to measure")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.rows, err = regexp.Compile(*rows); err != nil {
		return o, err
	}
	for s := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return o, fmt.Errorf("-n: %w", err)
		}
		o.sizes = append(o.sizes, n)
	}
	if o.rounds < 1 || fs.NArg() > 0 {
		return o, fmt.Errorf("-rounds is at least 1, and there are no arguments")
	}
	return o, nil
}

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 64
	}
	l, err := open(o, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	defer l.close()

	rows := slices.DeleteFunc(table(l), func(r row) bool { return !o.rows.MatchString(r.name) })
	before := load()
	l.measure(rows)
	missed := false
	results := make([]result, len(rows))
	for i, r := range rows {
		results[i] = r.judge(l)
		missed = missed || results[i].missed
	}
	render(stdout, results)
	fmt.Fprintf(stdout, "\n%d cores, %s %s/%s, load %s before and %s after, %d rounds in turns, CPU time, medians, %s\n",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, before, load(), o.rounds,
		time.Now().UTC().Format(time.DateOnly))
	if missed {
		return 1
	}
	return 0
}

// load is the load average of the last minute, where the system tells.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
