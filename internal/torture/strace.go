package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// strace runs a process of imgbuild below strace, which exits as it does. What
// strace is asked to do stands in its own arguments.
func (t *trial) strace(cmd *exec.Cmd, args ...string) (*exec.Cmd, error) {
	tool, err := exec.LookPath("strace")
	if err != nil {
		return nil, err
	}
	s := exec.CommandContext(t.ctx, tool, append(append(append([]string{"-f", "-qq"}, args...), cmd.Path), cmd.Args[1:]...)...)
	s.Dir, s.Env = cmd.Dir, cmd.Env
	together(s)
	return s, nil
}

// patience is far more than any process of a row takes. It bounds one that
// waits for what never comes.
const patience = time.Minute

// watched ends a process that waits for ever, with all that it started, and
// tells whether it had to.
func (t *trial) watched(cmd *exec.Cmd) (e ended, late bool, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	done := context.AfterFunc(ctx, func() {
		if cmd.Process != nil {
			endTogether(cmd)
		}
	})
	defer done()
	e, err = t.finish(cmd)
	return e, ctx.Err() == context.DeadlineExceeded, err
}

// A call is a line of a trace that was written with -y.
type call struct {
	name, args string
	ret        int    // below 0 for an error
	opened     string // the path that the kernel found, if it opened one
}

var (
	traced  = regexp.MustCompile(`^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|\?)(.*)$`)
	resumed = regexp.MustCompile(`^<\.\.\. (\w+) resumed>(.*)$`)
	ofFile  = regexp.MustCompile(`^<([^>]*)>`)
)

// readTrace reads a trace. The two halves of a call that another thread cut in
// two are put together.
func readTrace(file string) ([]call, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	halves := map[string]string{}
	var calls []call
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		pid, line, _ := strings.Cut(lines.Text(), " ")
		line = strings.TrimLeft(line, " ")
		if half, cut := strings.CutSuffix(line, " <unfinished ...>"); cut {
			halves[pid] = half
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = halves[pid] + m[2]
		}
		m := traced.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		c := call{name: m[1], args: m[2]}
		c.ret, _ = strconv.Atoi(m[3])
		if o := ofFile.FindStringSubmatch(m[4]); o != nil {
			c.opened = o[1]
		}
		calls = append(calls, c)
	}
	return calls, lines.Err()
}
