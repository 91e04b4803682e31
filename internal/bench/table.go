package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// table is every promise, in the order in which it is printed and measured.
func table(l *lab) []row {
	const k = 1000
	tf := func(n int) *probe {
		p := terraform(l, n)
		if n > k {
			p.most = 1 // a minute of CPU
		}
		return p
	}
	rows := []row{
		l.sized(versus("plan, no-op, cold, 1k", noop(l, k, cold), rawParse(l, k), "raw parse", 1.5, 1.25), k),
		l.sized(versus("plan, no-op, cold, 10k", noop(l, 10*k, cold), rawParse(l, 10*k), "raw parse", 1.5, 1.25), 10*k),
		l.sized(versus("plan, no-op, cold, 100k", noop(l, 100*k, cold), rawParse(l, 100*k), "raw parse", 1.5, 1.25), 100*k),
		l.sized(versus("plan, no-op, warm, 10k", noop(l, 10*k, warm), ninja(l, 10*k), "ninja", 3, 1.5), 10*k),
		l.sized(versus("plan, cold, 1k, against terraform", noop(l, k, cold), tf(k), "terraform", 1.0/25, 1.0/40), k),
		l.sized(versus("plan, warm, 1k, against terraform", noop(l, k, warm), tf(k), "terraform", 1.0/200, 1.0/400), k),
		l.slow(l.sized(versus("plan, cold, 10k, against terraform", noop(l, 10*k, cold), tf(10*k), "terraform", 1.0/30, 1.0/50), 10*k)),
		l.slow(l.sized(versus("plan, warm, 10k, against terraform", noop(l, 10*k, warm), tf(10*k), "terraform", 1.0/300, 1.0/500), 10*k)),
		l.sized(versus("growth, cold, 100k to 10k", noop(l, 100*k, cold), noop(l, 10*k, cold), "at 10k", 12, 10.5), 10*k, 100*k),
		l.sized(versus("growth, warm, 100k to 10k", noop(l, 100*k, warm), noop(l, 10*k, warm), "at 10k", 12, 10.5), 10*k, 100*k),
		l.sized(slope("for_each, per instance", planForEach(l, 100), planForEach(l, 10*k), evalForEach(l, 100), evalForEach(l, 10*k),
			10*k-100, "its expressions", 3, 2), 10*k),
		l.sized(peak("peak memory, cold, 10k", noop(l, 10*k, cold), 64, 40), 10*k),
		l.sized(peak("peak memory, cold, 100k", noop(l, 100*k, cold), 320, 200), 100*k),
		l.sized(versus("plan -verify, 1k outputs", verify(l, k, "480x480"), rawHash(l, k), "SHA-256", 1.3, 1.3), k),
		versus("start, version", start(l, "version"), hello(l), "Go hello", 4, 3),
		versus("start, help", start(l, "help"), hello(l), "Go hello", 4, 3),
		{name: "start, slowest init of a package", must: 2, aim: 2, unit: milliseconds, read: slowestInit},
	}
	return slices.Concat(rows, languageRows(l), engine(l), safety(l), wire(l), inline(l), []row{drawing(l)}, pixels(l))
}

// sized skips a row that -n leaves out.
func (l *lab) sized(r row, sizes ...int) row {
	for _, n := range sizes {
		if !slices.Contains(l.sizes, n) {
			r.skip = notRun(fmt.Sprintf("-n leaves %d out", n))
		}
	}
	return r
}

// slow skips a row unless -full asks for it.
func (l *lab) slow(r row) row {
	if !l.full && r.skip == nil {
		r.skip = notRun("takes minutes; -full runs it once")
	}
	return r
}

type state int

const (
	cold state = iota // without the cache of decoded configuration
	warm
)

// project is a folder with n drawn images, in which a plan has nothing to do.
func (l *lab) project(name string, n int, write func(dir string) error) error {
	return l.once(name, func(dir string) error {
		if err := write(dir); err != nil {
			return err
		}
		if _, err := l.command(dir, l.bin, "apply", "-auto-approve"); err != nil {
			return err
		}
		return drawn(dir, n)
	})
}

// drawn checks that a project has n pictures.
func drawn(dir string, n int) error {
	found := 0
	err := filepath.WalkDir(filepath.Join(dir, pictures), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found++
		}
		return err
	})
	if err == nil && found != n {
		err = fmt.Errorf("apply drew %d pictures, not %d", found, n)
	}
	return err
}

func (l *lab) literal(n int) error {
	return l.project(fmt.Sprintf("literal-%d", n), n, func(dir string) error { return writeProject(dir, n, "16x16") })
}

func noop(l *lab, n int, s state) *probe {
	dir := l.path(fmt.Sprintf("literal-%d", n))
	p := &probe{
		name: fmt.Sprintf("plan-%d-cold", n),
		make: func() error { return l.literal(n) },
		dir:  dir,
		argv: []string{l.bin, "plan", "-detailed-exitcode"},
		says: fmt.Sprintf("%d images", n),
		before: func() error {
			return os.RemoveAll(filepath.Join(dir, ".imgbuild", "cache"))
		},
	}
	if s == warm {
		p.name = fmt.Sprintf("plan-%d-warm", n)
		p.before = func() error { // a cold plan may have emptied the cache
			if _, err := os.Stat(filepath.Join(dir, ".imgbuild", "cache")); err == nil {
				return nil
			}
			_, err := l.command(dir, l.bin, "plan")
			return err
		}
	}
	return p
}

func rawParse(l *lab, n int) *probe {
	dir := l.path(fmt.Sprintf("literal-%d", n))
	return &probe{
		name: fmt.Sprintf("raw-%d", n),
		make: func() error { return l.literal(n) },
		dir:  dir,
		argv: []string{l.self, "-raw", dir},
		says: fmt.Sprintf("parsed %d\n", n+1), // and the provider
	}
}

func terraform(l *lab, n int) *probe {
	name := fmt.Sprintf("terraform-%d", n)
	p := &probe{name: name, dir: l.path(name), says: "No changes", argv: []string{"terraform", "plan", "-refresh=false", "-no-color", "-input=false", "-detailed-exitcode"}}
	p.make = func() error {
		if _, err := find("terraform"); err != nil {
			return err
		}
		return l.once(name, func(dir string) error {
			if err := writeTerraform(dir, n); err != nil {
				return err
			}
			_, err := l.command(dir, "terraform", "init", "-no-color", "-input=false") // built-in provider: no network
			return err
		})
	}
	return p
}

func ninja(l *lab, n int) *probe {
	name := fmt.Sprintf("ninja-%d", n)
	p := &probe{name: name, dir: l.path(name), says: "no work to do", argv: []string{"ninja"}}
	p.make = func() error {
		if _, err := find("ninja"); err != nil {
			return err
		}
		return l.once(name, func(dir string) error {
			if err := writeNinja(dir, n); err != nil {
				return err
			}
			_, err := l.command(dir, "ninja")
			return err
		})
	}
	return p
}

func planForEach(l *lab, n int) *probe {
	p := noop(l, n, cold)
	name := fmt.Sprintf("for-each-%d", n)
	dir := l.path(name)
	p.name, p.dir = "plan-"+name, dir
	p.make = func() error {
		return l.project(name, n, func(dir string) error { return writeForEach(dir, n) })
	}
	p.before = func() error { return os.RemoveAll(filepath.Join(dir, ".imgbuild", "cache")) }
	return p
}

func evalForEach(l *lab, n int) *probe {
	p := planForEach(l, n)
	p.name = fmt.Sprintf("eval-%d", n)
	p.argv = []string{l.self, "-eval", p.dir}
	p.before, p.says = nil, fmt.Sprintf("evaluated %d ", n)
	return p
}

// verify is a plan that hashes n outputs of about 200 kB each.
func verify(l *lab, n int, size string) *probe {
	name := fmt.Sprintf("pictures-%d-%s", n, size)
	return &probe{
		name: "verify-" + name,
		make: func() error {
			return l.project(name, n, func(dir string) error { return writeProject(dir, n, size) })
		},
		dir:  l.path(name),
		argv: []string{l.bin, "plan", "-verify", "-detailed-exitcode"},
		says: fmt.Sprintf("%d images", n),
	}
}

func rawHash(l *lab, n int) *probe {
	p := verify(l, n, "480x480")
	p.name = fmt.Sprintf("hash-%d", n)
	p.argv = []string{l.self, "-hash", p.dir}
	p.says = fmt.Sprintf("hashed %d\n", n)
	return p
}

func start(l *lab, verb string) *probe {
	return &probe{name: "start-" + verb, dir: l.dir, argv: []string{l.bin, verb}, says: "imgbuild"}
}

// hello is the least that a Go program can be and still say something, built
// as imgbuild is.
func hello(l *lab) *probe {
	program := filepath.Join(l.path("hello"), "hello")
	return &probe{name: "hello", dir: l.dir, argv: []string{program}, says: "hello", make: func() error {
		return l.once("hello", func(dir string) error {
			source := filepath.Join(dir, "main.go")
			err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"), 0o666)
			if err != nil {
				return err
			}
			build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, source)
			build.Env = append(os.Environ(), "CGO_ENABLED=0") // and the caches of this user
			if out, err := build.CombinedOutput(); err != nil {
				return fmt.Errorf("go build: %w: %s", err, lastLine(string(out)))
			}
			return nil
		})
	}}
}

// slowestInit is the package that spends the longest in init. The runtime
// tells wall time, so the least of the rounds counts for each.
func slowestInit(l *lab) (figures, error) {
	least := map[string]float64{}
	for range l.rounds {
		r, err := l.commandEnv(l.dir, []string{"GODEBUG=inittrace=1"}, l.bin, "version")
		if err != nil {
			return figures{}, err
		}
		for _, p := range initTrace(r.stderr) {
			if old, ok := least[p.name]; !ok || p.clock < old {
				least[p.name] = p.clock
			}
		}
	}
	if len(least) == 0 {
		return figures{}, errors.New("the runtime printed no trace")
	}
	slowest := ""
	for name, clock := range least {
		if slowest == "" || clock > least[slowest] || clock == least[slowest] && strings.Compare(name, slowest) < 0 {
			slowest = name
		}
	}
	return figures{milliseconds(least[slowest]), slowest, least[slowest]}, nil
}

// drawing is a row for the slowest of what sketch draws, a megapixel.
func drawing(l *lab) row {
	out := row{name: "draw, slowest scene, a megapixel", must: 30, aim: 30, unit: milliseconds, known: "rich scenes are too slow"}
	for _, prompt := range []string{"mountains with a lake at sunset", "low poly", "bauhaus tiles", "abstract gradient",
		"tropical beach", "city at night", "poppy meadow", "misty forest", "desert", "saturn in space"} {
		out.probes = append(out.probes, &probe{name: prompt, dir: l.dir, argv: []string{l.self, "-draw", prompt}, cost: counted})
	}
	out.read = func(l *lab) (figures, error) {
		slowest := slices.MaxFunc(out.probes, func(a, b *probe) int {
			return cmp.Compare(median(l.samples[a.name].cost), median(l.samples[b.name].cost))
		}).name
		each := median(l.samples[slowest].cost)
		return figures{cpu(each), slowest, each.Seconds() * 1e3}, nil
	}
	return out
}
