package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	harm "github.com/imgbuild/imgbuild/internal/config/hostile"
)

// What a configuration of a megabyte may take, and when it is ended: the wall
// time is for one that waits, because a busy machine may take long.
const (
	mostHostileCPU = 30 * time.Second
	mostHostile    = 10 * time.Minute
)

// They are more in tests, which run beside others and measure nothing: the
// memory of a process counts from the peak of the one that starts it.
var (
	hostileCPU  = 2 * time.Second
	hostilePeak = int64(256 << 20)
)

// What the victim is, beside imgbuild.
const (
	writesHostile = "writes"  // the projects
	bounded       = "bounded" // imgbuild with mostHostileCPU
)

// hostileRow lets imgbuild read what means harm. Half of the projects are
// damaged, each time in another way.
func hostileRow() *row {
	return &row{
		name: "hostile configuration up to 1 MB",
		must: "never fatal, of CPU ≤ 2 s, of memory ≤ 256 MB",
		long: 5 * harm.Count, batch: harm.Count, short: 10,
		sees: []string{"accepted", "refused", "fatal", "too slow", "too large"},
		run:  (*trial).hostile,
	}
}

func (t *trial) hostile() error {
	// They are made by a child: Linux begins to count the memory of a process at
	// the peak of the one that starts it.
	write := t.imgbuild(t.dir, fmt.Sprint(t.luck.Uint64()), fmt.Sprint(t.n))
	write.Env = append(write.Env, victimEnv+"="+writesHostile)
	var stderr bytes.Buffer
	write.Stderr = &stderr
	names, err := write.Output()
	if err != nil {
		return fmt.Errorf("write the projects: %w: %s", err, stderr.String())
	}
	for i, name := range strings.Split(strings.TrimSpace(string(names)), "\n") {
		dir := filepath.Join(t.dir, fmt.Sprint(i))
		worked := true
		for _, verb := range []string{"validate", "plan", "lint"} {
			if worked, err = t.readHostile(dir, name, verb); err != nil {
				return err
			}
			if err := os.RemoveAll(filepath.Join(dir, ".imgbuild")); err != nil {
				return err
			}
		}
		if worked {
			t.count("accepted", 1)
		} else {
			t.count("refused", 1)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// readHostile is one verb on one project.
func (t *trial) readHostile(dir, name, verb string) (worked bool, err error) {
	cmd := t.imgbuild(dir, verb)
	cmd.Env = append(cmd.Env, victimEnv+"="+bounded, "GOMAXPROCS=2")
	stderr, err := os.Create(filepath.Join(t.dir, "stderr")) // some tell megabytes
	if err != nil {
		return false, err
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return false, err
	}
	guard := time.AfterFunc(mostHostile, func() { cmd.Process.Kill() })
	_ = cmd.Wait()
	guard.Stop()
	if err := t.ctx.Err(); err != nil {
		return false, err
	}
	said := make([]byte, 4000)
	n, err := stderr.ReadAt(said, 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	state := cmd.ProcessState
	cpu, peak := state.UserTime()+state.SystemTime(), maxRSS(state)
	tell := func(what string) {
		t.count(what, 1)
		t.wrong("%s of %q is %s: %s, %.2f s, %d MB: %.1000s", verb, name, what, state, cpu.Seconds(), peak>>20, said[:n])
	}
	well := state.ExitCode() == 0 || verb == "lint" && state.ExitCode() == 3 // which found something
	if !well && state.ExitCode() != 1 || bytes.Contains(said[:n], []byte("goroutine ")) {
		tell("fatal")
	}
	if cpu > hostileCPU {
		tell("too slow")
	}
	if peak > hostilePeak {
		tell("too large")
	}
	return well, nil
}

// writeHostile writes projects into folders 0, 1 … and tells their names.
func writeHostile(args []string, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintln(stderr, err)
		return 1
	}
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return fail(err)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return fail(err)
	}
	luck := rand.New(rand.NewPCG(seed, 0))
	all := harm.Projects()
	order := luck.Perm(len(all))
	for i := range n {
		p := all[order[i%len(order)]]
		if luck.IntN(2) == 0 {
			p = harm.Damaged(p, luck)
		}
		for name, text := range p.Files {
			file := filepath.Join(fmt.Sprint(i), filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
				return fail(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
				return fail(err)
			}
		}
		fmt.Fprintln(stdout, p.Name)
	}
	return 0
}
