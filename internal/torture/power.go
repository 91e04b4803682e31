package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

const (
	powerBefore = 4 // images that were made long before the power cut
	powerStates = 8 // of the disk after one cut, where nobody keeps a ledger
)

// powerRow cuts the power at a random operation of an apply that adds images to
// others, and applies again on what the disk may have kept.
func powerRow() *row {
	return &row{
		name: "power cut during apply", must: "lock old or new, never empty; each synced receipt there; nothing paid twice",
		long: 10_000, batch: 50, short: 10,
		sees: []string{"cuts", "too late", "old locks", "unreadable", "lost", "paid twice", "other locks", "left lying", "in doubt", "of these charged"},
		run: func(t *trial) error {
			// The lock of the kernel is on the real disk.
			if err := os.MkdirAll(filepath.Join(t.dir, workspace.Own), 0o777); err != nil {
				return err
			}
			ways := []string{sketched}
			ways = append(append(ways, diskWays["deferred jobs"]...), diskWays["plain calls"]...)
			befores := map[string]*before{}
			for left := t.n; left > 0; {
				way := ways[t.luck.IntN(len(ways))]
				if befores[way] == nil {
					b, err := t.before(way)
					if err != nil {
						return err
					}
					befores[way] = b
				}
				states := 1
				if way == sketched {
					states = min(powerStates, left)
				}
				if err := t.cut(way, befores[way], states); err != nil {
					return err
				}
				left -= states
			}
			return nil
		},
	}
}

// before is where a power cut strikes.
type before struct {
	disk       *faultfs.Disk // with the first images
	whole      lockfile      // the lock of all
	operations int           // from the one to the other
}

func (t *trial) before(way string) (*before, error) {
	_, endpoint, stop, err := t.service(way)
	if err != nil {
		return nil, err
	}
	defer stop()
	b := &before{disk: faultfs.NewDisk()}
	for _, images := range []int{powerBefore, diskImages} {
		disk := b.disk
		if images == diskImages {
			disk = b.disk.Crash(t.luck)
		}
		f := faultfs.Wrap(disk, faultfs.Fault{})
		p := t.inMemory(disk, f)
		if err := p.write("site.img.hcl", diskSite(endpoint, way, images)); err != nil {
			return nil, err
		}
		start := f.Ops()
		e, err := p.run("apply", "-auto-approve", "-max-cost=10")
		if err != nil || e.code != 0 {
			return nil, fmt.Errorf("an apply without an attack ended with %d: %s%s, %w", e.code, e.stdout, e.stderr, err)
		}
		if images == powerBefore {
			b.disk.Settle()
			continue
		}
		b.operations = f.Ops() - start
		if b.whole, err = p.lockOf(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// cut cuts the power once, and looks at some of the states that the disk may
// be in.
func (t *trial) cut(way string, b *before, states int) error {
	service, endpoint, stop, err := t.service(way)
	if err != nil {
		return err
	}
	defer stop()
	disk := b.disk.Crash(t.luck)
	if err := t.inMemory(disk, disk).write("site.img.hcl", diskSite(endpoint, way, diskImages)); err != nil {
		return err
	}
	disk.Settle()
	at := 1 + t.luck.IntN(b.operations)
	f := faultfs.Wrap(disk, faultfs.Fault{At: at, Kind: faultfs.Cut, Err: errors.New("the power is cut")})
	first, err := t.inMemory(disk, f).run("apply", "-auto-approve", "-json", "-max-cost=10")
	if err != nil {
		return err
	}
	if f.Hit() {
		t.count("cuts", 1)
	} else {
		t.count("too late", 1)
	}
	said := listen(first.stdout, first.stderr)
	for range states {
		seed := t.luck.Uint64()
		crashed := disk.Crash(rand.New(rand.NewPCG(seed, 0)))
		p := t.inMemory(crashed, crashed)
		p.had = powerBefore
		if l, err := p.lockOf(); err == nil && len(l.images) == powerBefore {
			t.count("old locks", 1)
		}
		what := fmt.Sprintf("%s, power cut at operation %d, state %d", way, at, seed)
		if err := t.after(what, p.place, said, b.whole, service); err != nil {
			return err
		}
	}
	return nil
}

// memory is a project on a disk in memory.
type memory struct {
	place
	disk *faultfs.Disk
}

// inMemory is a project on a disk, reached through f.
func (t *trial) inMemory(disk *faultfs.Disk, f workspace.FS) *memory {
	p := &memory{disk: disk}
	p.place = place{read: p.readFile, files: func() ([]string, error) { return p.below("") }}
	p.run = func(args ...string) (ended, error) {
		var stdout, stderr bytes.Buffer
		code := cli.Main(&cli.Env{
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Args: args, Getenv: func(string) string { return "" }, Dir: t.dir, Now: hurried(),
			Open: func(dir string) (*workspace.Root, error) {
				return workspace.OpenOver(dir, func(workspace.FS) workspace.FS { return f })
			},
		})
		return ended{code, stdout.String(), stderr.String()}, t.ctx.Err()
	}
	return p
}

func (p *memory) readFile(name string) ([]byte, error) {
	f, err := p.disk.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (p *memory) write(name, text string) error {
	f, err := p.disk.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (p *memory) below(dir string) (names []string, err error) {
	f, err := p.disk.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	infos, err := f.Readdir(-1)
	for _, fi := range infos {
		name := path.Join(dir, fi.Name())
		if !fi.IsDir() {
			names = append(names, name)
			continue
		}
		more, err := p.below(name)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	return names, err
}
