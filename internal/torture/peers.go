package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A peer is a program that keeps a record of what it made, and is killed while
// it makes more. Only what it does is looked at.
type peer struct {
	name  string
	state string // its record
	// text is the configuration of so many things that are there, and so many
	// that are made.
	file string
	text func(have, more int) string
	cmd  func(dir string, args ...string) *exec.Cmd
	// before is run once in an empty folder, or nil.
	before []string
	apply  []string
	plan   []string
	// told reads a line of apply: what it says is finished. Again reads what
	// plan says: what would be made.
	told  func(line []byte) string
	again func(out []byte) ([]string, error)
}

// peers are all that there are here, ours last. What is absent comes second.
func peers(t *trial) (here []*peer, absent []string) {
	for _, name := range []string{"terraform", "tofu"} {
		program, err := exec.LookPath(name)
		if err != nil {
			absent = append(absent, name)
			continue
		}
		here = append(here, &peer{
			name: name, state: "terraform.tfstate", file: "main.tf",
			text: func(have, more int) string {
				s := fmt.Sprintf("resource \"terraform_data\" \"have\" {\n  count = %d\n  input = \"tile ${count.index}\"\n}\n", have)
				if more > 0 {
					s += fmt.Sprintf("resource \"terraform_data\" \"more\" {\n  count = %d\n  input = \"stripe ${count.index}\"\n}\n", more)
				}
				return s
			},
			cmd: func(dir string, args ...string) *exec.Cmd {
				cmd := exec.CommandContext(t.ctx, program, args...)
				cmd.Dir = dir
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.dir, "TMPDIR=" + t.dir, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
				return cmd
			},
			before: []string{"init", "-no-color"},
			apply:  []string{"apply", "-auto-approve", "-json"},
			plan:   []string{"plan", "-json"},
			told: func(line []byte) string {
				var e struct {
					Type string
					Hook struct{ Resource struct{ Addr string } }
				}
				if json.Unmarshal(line, &e) != nil || e.Type != "apply_complete" {
					return ""
				}
				return e.Hook.Resource.Addr
			},
			again: func(out []byte) (list []string, err error) {
				for line := range bytes.Lines(out) {
					var e struct {
						Type   string
						Change struct {
							Action   string
							Resource struct{ Addr string }
						}
					}
					if err := json.Unmarshal(line, &e); err != nil {
						return nil, err
					}
					if e.Type == "planned_change" && e.Change.Action == "create" {
						list = append(list, e.Change.Resource.Addr)
					}
				}
				return list, nil
			},
		})
	}
	return append(here, &peer{
		name: "imgbuild", state: "imgbuild.lock.json", file: "site.img.hcl",
		text: func(have, more int) string {
			s := "provider \"sketch\" {}\n"
			for name, n := range map[string]int{"have": have, "more": more} {
				if n == 0 {
					continue
				}
				keys := make([]string, n)
				for i := range keys {
					keys[i] = fmt.Sprintf("%q", fmt.Sprint("k", i))
				}
				s += fmt.Sprintf("image %q {\n  for_each = toset([%s])\n  prompt = \"tile ${each.key}\"\n  size = \"16x16\"\n}\n", name, strings.Join(keys, ", "))
			}
			return s
		},
		cmd:   t.imgbuild,
		apply: []string{"apply", "-auto-approve", "-json"},
		plan:  []string{"plan", "-json"},
		told: func(line []byte) string {
			var e struct{ Type, Address string }
			if json.Unmarshal(line, &e) != nil || e.Type != "image_received" && e.Type != "step_done" {
				return ""
			}
			return e.Address
		},
		again: func(out []byte) (list []string, err error) {
			var p struct{ Steps []step }
			err = json.Unmarshal(out, &p)
			for _, s := range p.Steps {
				if s.Verb == "generate" {
					list = append(list, s.Address)
				}
			}
			return list, err
		},
	}), absent
}

// survived is what kills left of a peer's record.
type survived struct {
	kills, late   int
	broken        int // records that are empty or can't be read
	refused       int // plans that failed
	told          int // things of which was said that they are finished
	lost, lostHad int // of these, and of those that were there before: would be made again
}

func run1(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s%s", strings.Join(cmd.Args, " "), err, stderr.String(), out)
	}
	return out, err
}

// attackPeer kills it so often, each time in a fresh copy of a folder where have
// things are, while it makes more.
func (t *trial) attackPeer(p *peer, kills, have, more int) (s survived, err error) {
	base := filepath.Join(t.dir, p.name)
	if err := os.Mkdir(base, 0o777); err != nil {
		return s, err
	}
	write := func(dir string, more int) error {
		return os.WriteFile(filepath.Join(dir, p.file), []byte(p.text(have, more)), 0o666)
	}
	if err := write(base, 0); err != nil {
		return s, err
	}
	if p.before != nil {
		if _, err := run1(p.cmd(base, p.before...)); err != nil {
			return s, err
		}
	}
	if _, err := run1(p.cmd(base, p.apply...)); err != nil {
		return s, err
	}
	for i := range kills {
		dir := filepath.Join(t.dir, fmt.Sprint(p.name, i))
		if err := errors.Join(os.CopyFS(dir, os.DirFS(base)), write(dir, more)); err != nil {
			return s, err
		}
		if err := t.killPeer(p, dir, more, &s); err != nil {
			return s, err
		}
		if err := os.RemoveAll(dir); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (t *trial) killPeer(p *peer, dir string, more int, s *survived) error {
	cmd := p.cmd(dir, p.apply...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// As many finished things, and then a moment: so no program is killed only
	// at its start because it is slower.
	at, delay := 1+t.luck.IntN(more), time.Duration(t.luck.Int64N(int64(30*time.Millisecond)))
	told := map[string]bool{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if a := p.told(lines.Bytes()); a != "" && !told[a] {
			told[a] = true
			if len(told) == at {
				time.AfterFunc(delay, func() { cmd.Process.Kill() })
			}
		}
	}
	io.Copy(io.Discard, out)
	if cmd.Wait() == nil {
		s.late++
	} else if cmd.ProcessState.ExitCode() != -1 {
		return fmt.Errorf("%s ended with %d", p.name, cmd.ProcessState.ExitCode())
	}
	s.kills++
	s.told += len(told)
	b, err := os.ReadFile(filepath.Join(dir, p.state))
	if err != nil || !json.Valid(b) {
		s.broken++
	}
	plan, err := run1(p.cmd(dir, p.plan...))
	if err != nil {
		s.refused++
		return nil
	}
	again, err := p.again(plan)
	if err != nil {
		return err
	}
	for _, a := range again {
		switch {
		case told[a]:
			s.lost++
		case strings.Contains(a, ".have["):
			s.lostHad++
		}
	}
	return nil
}

// comparePeers prints what becomes of the record of each program when it is
// killed, and an error if ours loses anything.
func comparePeers(ctx context.Context, o options, stdout, stderr io.Writer) error {
	const have, more = 1000, 300
	kills := o.n
	if kills == 0 {
		kills = 12
	}
	dir, err := os.MkdirTemp("", "imgbuild-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	t := &trial{ctx: ctx, luck: rand.New(rand.NewPCG(o.seed, 0)), dir: dir, self: self, counts: map[string]int{}}
	here, absent := peers(t)
	tab := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tab, "killed while it makes %d beside %d\tkills\trecord empty or unreadable\tno plan after it\ttold as finished\tof these made again\tof the %d made again\n", more, have, have)
	var ours survived
	for _, p := range here {
		s, err := t.attackPeer(p, kills, have, more)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(stderr, "torture: %s: %d kills, %d of them too late\n", p.name, s.kills, s.late)
		fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", p.name, s.kills, s.broken, s.refused, s.told, s.lost, s.lostHad)
		ours = s
	}
	for _, name := range slices.Sorted(slices.Values(absent)) {
		fmt.Fprintf(tab, "%s\tnot run: there is no %s\n", name, name)
	}
	tab.Flush()
	if ours.broken+ours.refused+ours.lost+ours.lostHad > 0 {
		return errors.New("imgbuild lost something")
	}
	return nil
}
