package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A probe is a command whose cost is measured, once in each round.
type probe struct {
	name   string
	make   func() error // the fixture that it needs; called before the first round
	before func() error // not measured, before every run; may be nil
	dir    string       // where it runs
	argv   []string
	says   string                           // what its output must contain: a command that does nothing is quick
	cost   func(ran) (time.Duration, error) // what counts, where it is not the CPU time of the process; may be nil
	most   int                              // rounds at most; 0 for no bound
}

// A sample is what the rounds of a probe cost.
type sample struct {
	cost []time.Duration // of one run, a figure for each round
	rss  []int64         // bytes, the peak of each round
	said string          // by the last run
	err  error           // why there is no figure
}

// notRun is the reason for which something can't be measured here: it is no
// fault of imgbuild, and never a pass.
type notRun string

func (n notRun) Error() string { return string(n) }

// A lab is the folder and the results of one run of the bench.
type lab struct {
	options
	dir     string
	self    string // this executable, for the children
	log     func(format string, args ...any)
	made    map[string]error
	samples map[string]*sample
	tries   int            // runs of a probe within a round, at most
	servers []func() error // that end with the bench
}

func open(o options, stderr io.Writer) (*lab, error) {
	l := &lab{
		options: o,
		log:     func(format string, args ...any) { fmt.Fprintf(stderr, "bench: "+format+"\n", args...) },
		made:    map[string]error{},
		samples: map[string]*sample{},
		tries:   20,
	}
	var err error
	if l.bin, err = filepath.Abs(o.bin); err != nil {
		return nil, err
	}
	if _, err = os.Stat(l.bin); err != nil {
		return nil, fmt.Errorf("nothing to measure, `make build` first: %w", err)
	}
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if o.keep == "" {
		l.dir, err = os.MkdirTemp("", "imgbuild-bench-")
		return l, err
	}
	if l.dir, err = filepath.Abs(o.keep); err != nil {
		return nil, err
	}
	return l, os.MkdirAll(l.dir, 0o777)
}

// close removes what the bench made: all, or with -keep what can't be used again.
func (l *lab) close() {
	for _, end := range l.servers {
		if err := end(); err != nil {
			l.log("%v", err)
		}
	}
	remove := []string{l.dir}
	if l.keep != "" {
		remove, _ = filepath.Glob(l.path(applyFolders + "*")) // only a bad pattern is an error
	}
	for _, dir := range remove {
		if err := os.RemoveAll(dir); err != nil {
			l.log("%v", err)
		}
	}
}

// once makes a fixture at most once. With -keep, what a complete earlier run
// left is taken as it is.
func (l *lab) once(name string, fill func(dir string) error) error {
	if err, ok := l.made[name]; ok {
		return err
	}
	dir := l.path(name)
	mark := dir + ".complete"
	if _, err := os.Stat(mark); err == nil {
		l.made[name] = nil
		return nil
	}
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o777)
	}
	if err == nil {
		start := time.Now()
		err = fill(dir)
		l.log("made %s in %.1f s", name, time.Since(start).Seconds())
	}
	if err == nil {
		err = os.WriteFile(mark, nil, 0o666)
	}
	l.made[name] = err
	return err
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

// measure runs the probes of rows in turns, each once a round.
func (l *lab) measure(rows []row) {
	var probes []*probe
	for _, r := range rows {
		for _, p := range r.probes {
			if r.skip != nil || l.samples[p.name] != nil {
				continue
			}
			s := &sample{}
			if p.make != nil {
				s.err = p.make()
			}
			l.samples[p.name] = s
			probes = append(probes, p)
		}
	}
	for round := range l.rounds {
		for _, p := range probes {
			s := l.samples[p.name]
			if s.err == nil && (p.most == 0 || round < p.most) {
				s.err = l.round(p, s)
			}
		}
		l.log("round %d of %d", round+1, l.rounds)
	}
}

// round repeats a probe until its CPU time can be told from the noise of
// starting a process, and adds the mean to its figures.
func (l *lab) round(p *probe, s *sample) error {
	const enough = 100 * time.Millisecond
	var cpu, cost time.Duration
	var rss int64
	runs := 0
	for runs < l.tries && cpu < enough {
		if p.before != nil {
			if err := p.before(); err != nil {
				return err
			}
		}
		r, err := l.command(p.dir, p.argv...)
		if err != nil {
			return err
		}
		if !strings.Contains(r.stdout, p.says) {
			return fmt.Errorf("%s: no %q in the output: %s", p.name, p.says, lastLine(r.stdout))
		}
		counts := r.cpu
		if p.cost != nil {
			if counts, err = p.cost(r); err != nil {
				return fmt.Errorf("%s: %w in %q", p.name, err, lastLine(r.stdout))
			}
		}
		cpu, cost, runs = cpu+r.cpu, cost+counts, runs+1
		rss, s.said = max(rss, r.rss), r.stdout
	}
	s.rss = append(s.rss, rss)
	s.cost = append(s.cost, cost/time.Duration(runs))
	return nil
}

// ran is what a finished command used and printed.
type ran struct {
	cpu            time.Duration
	rss            int64 // bytes
	stdout, stderr string
}

// command runs a program to its end. Its environment is small and the same on
// every machine, so that no rc file, key or debugging switch takes part.
func (l *lab) command(dir string, argv ...string) (ran, error) {
	return l.commandEnv(dir, nil, argv...)
}

func (l *lab) commandEnv(dir string, env []string, argv ...string) (ran, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "TMPDIR=" + l.dir, "NO_COLOR=1", "IMGBUILD_LARGE=1",
		// terraform: no call home, no rc file of this user.
		"CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=" + os.DevNull,
	}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return ran{}, err
	}
	if err != nil {
		said := cmp.Or(lastLine(stderr.String()), lastLine(stdout.String()))
		err = fmt.Errorf("%s %s: %w: %s", filepath.Base(argv[0]), strings.Join(argv[1:], " "), err, said)
	}
	return ran{
		cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), maxRSS(cmd.ProcessState),
		stdout.String(), stderr.String(),
	}, err
}

// find is a program on the PATH, or the reason why its rows are not run.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrNotFound) {
		return "", notRun(program + " is not on the PATH (scripts/setup installs what Debian has)")
	}
	return path, err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func median[T time.Duration | int64 | float64](v []T) T {
	s := slices.Sorted(slices.Values(v))
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}
