package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

// What starved applies are counted by, and what holds for all of them.
var (
	starvedSees = []string{"went through", "stopped", "unclear", "unreadable", "lost", "paid twice", "in doubt", "of these charged", "not ours"}
	starvedMust = "the lock old or new, nothing told as received lost, nothing paid twice, ledger ≤ charges ≤ ledger + in doubt, the second apply ends right, the first says in plain words what is wrong and what to do"
)

// fullDiskRow applies on a disk that has room, or inodes, for a part of it only,
// or becomes full while it is at work.
func fullDiskRow() *row {
	return &row{
		name: "ENOSPC: an apply on a small tmpfs, of bytes or inodes", must: starvedMust,
		needs: []string{"unshare", "mount", "sh"}, may: mayMount, long: 500, batch: 25, short: 2,
		sees: starvedSees,
		run: func(t *trial) error {
			for i := range t.n {
				// An apply looks for room first, so that a disk must become full under it.
				limit, with := "size=32m,nr_inodes=1k", plainCommand
				switch i % 4 {
				case 0:
					limit = fmt.Sprintf("size=%dk", 64+t.luck.IntN(24_000))
				case 1:
					limit = fmt.Sprintf("size=32m,nr_inodes=%d", 2+t.luck.IntN(160))
				default:
					with = fill(t.luck.IntN(1000))
				}
				disk, err := t.mount(limit)
				if err != nil {
					return err
				}
				more := func() error { return disk.do("rm -f disk/ballast; mount -o remount,size=0,nr_inodes=0 disk") }
				if err = t.starve(disk.dir, limit, nothing, with, more); err == nil {
					err = disk.end()
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// limitRow applies with too few open files, too small files, on a read-only
// disk, and without the right to write.
func limitRow() *row {
	return &row{
		name: "EMFILE, EFBIG, EROFS, EACCES: an apply within limits of the system", must: starvedMust,
		needs: []string{"unshare", "mount", "sh", "prlimit", "setpriv"}, may: mayMount, long: 500, batch: 25, short: 4,
		sees: starvedSees,
		run: func(t *trial) error {
			for i := range t.n {
				disk, err := t.mount("size=100m")
				if err != nil {
					return err
				}
				var with func(*exec.Cmd)
				what, begin, undo := "", nothing, nothing
				switch i % 4 {
				case 0, 1:
					what = fmt.Sprintf("--nofile=%d", 5+t.luck.IntN(60))
					with = wrap("prlimit", what)
				case 2:
					what = fmt.Sprintf("--fsize=%d", t.luck.IntN(1<<21))
					with = wrap("prlimit", what)
				case 3:
					what, with = "read-only", plainCommand
					begin = func() error { return disk.do("mount -o remount,ro disk") }
					undo = func() error { return disk.do("mount -o remount,rw disk") }
					if os.Getuid() == 0 && t.luck.IntN(2) == 0 {
						what, with = "another user", wrap("setpriv", "--reuid=65534", "--clear-groups")
						begin = nothing
					}
				}
				if err = t.starve(disk.dir, what, begin, with, undo); err == nil {
					err = disk.end()
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// injectable are the calls that strace lets fail, with what they may fail with.
var injectable = []struct {
	call   string
	errors []string
	most   int // how often an apply of killImages makes it, about
}{
	{"openat", []string{"EIO", "EMFILE", "ENFILE", "ENOSPC", "EACCES", "EROFS"}, 900},
	{"write", []string{"EIO", "ENOSPC", "EDQUOT", "EFBIG"}, 300},
	{"pwrite64", []string{"EIO", "ENOSPC"}, 60},
	{"fsync", []string{"EIO", "ENOSPC", "EDQUOT"}, 300},
	{"fdatasync", []string{"EIO"}, 10},
	{"syncfs", []string{"EIO"}, 2},
	{"renameat", []string{"EIO", "ENOSPC", "EACCES", "EROFS"}, 60},
	{"mkdirat", []string{"EIO", "ENOSPC", "EACCES", "EROFS"}, 80},
	{"unlinkat", []string{"EIO", "EACCES", "EROFS"}, 30},
	{"ftruncate", []string{"EIO", "EFBIG", "ENOSPC"}, 3},
	{"close", []string{"EIO", "ENOSPC", "EDQUOT"}, 900},
	{"newfstatat", []string{"EIO", "EACCES"}, 300},
	{"fstat", []string{"EIO"}, 100},
	{"getdents64", []string{"EIO"}, 40},
	{"flock", []string{"EIO", "ENOLCK"}, 2},
	{"pread64", []string{"EIO"}, 40},
	{"lseek", []string{"EIO"}, 8},
	{"fchmodat", []string{"EIO", "EACCES"}, 8},
	{"socket", []string{"EMFILE", "ENFILE"}, 8},
}

// injectRow lets strace fail the system calls of an apply: one, or all from
// one on. strace counts for each thread of its own, and Go moves its work
// between threads, so that which call is met is luck.
func injectRow() *row {
	return &row{
		name: "EIO, ENOSPC, EMFILE and others injected at each kind of system call", must: starvedMust,
		needs: []string{"strace"}, long: 1000, batch: 50, short: 6, sees: starvedSees,
		run: func(t *trial) error {
			for i := range t.n {
				in := injectable[(i+t.luck.IntN(len(injectable)))%len(injectable)]
				// Most threads make few calls.
				when := 1 + t.luck.IntN(1+t.luck.IntN(in.most))
				what := fmt.Sprintf("inject=%s:error=%s:when=%d%s", in.call, in.errors[t.luck.IntN(len(in.errors))], when, []string{"", "+"}[t.luck.IntN(2)])
				dir := filepath.Join(t.dir, fmt.Sprint(i))
				if err := os.MkdirAll(dir, 0o777); err != nil {
					return err
				}
				var failed error
				with := func(cmd *exec.Cmd) {
					s, err := t.strace(cmd, "--seccomp-bpf", "-o", os.DevNull, "-e", "trace="+in.call, "-e", what)
					if failed = err; err == nil {
						*cmd = *s
					}
				}
				if err := t.starve(dir, what, nothing, with, nothing); err != nil || failed != nil {
					return fmt.Errorf("%s: %w %w", what, err, failed)
				}
			}
			return nil
		},
	}
}

func plainCommand(*exec.Cmd) {}

// fill makes the disk full so many milliseconds after the command began.
func fill(after int) func(*exec.Cmd) {
	return wrap("sh", "-c", fmt.Sprintf(`(sleep %d.%03d; cat /dev/zero > ballast) 2>/dev/null & "$@"; code=$?; wait; exit $code`, after/1000, after%1000), "sh")
}

func nothing() error { return nil }

// wrap starts a command by another program.
func wrap(program string, args ...string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.Args = append(append([]string{program}, args...), append([]string{cmd.Path}, cmd.Args[1:]...)...)
		if at, err := exec.LookPath(program); err == nil {
			cmd.Path = at
		}
	}
}

// starve applies in a folder in which trouble begins, under a command that may
// make some too, ends the trouble, and applies again.
func (t *trial) starve(dir, what string, begin func() error, with func(*exec.Cmd), undo func() error) error {
	way := ways[t.luck.IntN(len(ways))]
	service, endpoint, stop, err := serve(t.ctx, emulator.Config{Profile: "current", Album: &painted})
	if err != nil {
		return err
	}
	defer stop()
	if err := os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(killSite(endpoint, way)), 0o666); err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	cmd := t.imgbuild(dir, "apply", "-auto-approve", "-json", "-max-cost=10")
	cmd.Env = append(cmd.Env, "PWD="+dir)
	with(cmd)
	e, late, err := t.watched(cmd)
	if err != nil {
		return err
	}
	name := strings.ReplaceAll(way, "\n", ",") + ", " + what
	var told []string
	lines := bufio.NewScanner(strings.NewReader(e.stdout))
	lines.Buffer(nil, 1<<20)
	said := e.stderr
	for lines.Scan() {
		var l struct{ Type, Address, Message, Hint string }
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		switch l.Type {
		case "image_received", "step_done":
			told = append(told, l.Address)
		case "step_failed", "step_in_doubt", "step_skipped", "step_stale", "diagnostic":
			said += "\n" + l.Message + "\n" + l.Hint
		}
	}
	switch {
	case late:
		t.wrong("%s: it waits for ever", name)
	case e.code == 0:
		t.count("went through", 1)
	case beforeMain.MatchString(e.stderr), e.stderr == "" && strings.Contains(what, "inject=write"):
		t.count("not ours", 1) // the runtime can't be told, or can't tell, and ends it
	case e.code == 1 || e.code == 4:
		t.count("stopped", 1)
		if jargon.MatchString(ofSocket.ReplaceAllString(said, "")) || !strings.Contains(said, ":") {
			t.count("unclear", 1)
			t.wrong("%s: unclear: %s", name, said)
		}
	default:
		t.wrong("%s: apply ended with %d: %s", name, e.code, e.stderr)
	}
	if err := undo(); err != nil {
		return err
	}
	return t.again(dir, name, service, told, killImages)
}

var (
	// The loader, the runtime, and what starts us are not ours.
	beforeMain = regexp.MustCompile(`error while loading shared libraries|^(prlimit|setpriv):|runtime: \w* ?(netpoll|epoll|eventfd)|failed to create new OS thread`)
	// Only strace makes a socket say what a file would say.
	ofSocket = regexp.MustCompile(`(?m)\b(?:write|read) tcp .*$`)
	// Names of system calls, and words that only programmers know.
	jargon = regexp.MustCompile(`(?im)\b(openat|renameat|mkdirat|unlinkat|fstatat|readdirent|ftruncate|fsync|errno|input/output error|no space left|too many open files|file too large|read-only file system|EOF)\b|(?:^|: )(?:workspace|journal|store): `)
)

// A disk is a tmpfs in a name space of its own, which ends with its shell, so
// that nothing stays mounted whatever becomes of us.
type disk struct {
	dir     string // as it is seen from here
	shell   *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader
}

func unshared(args ...string) []string {
	if os.Getuid() == 0 {
		return append([]string{"--mount"}, args...)
	}
	return append([]string{"--mount", "--map-root-user"}, args...)
}

// mayMount tells what is missing for a mount.
func mayMount() string {
	if exec.Command("unshare", unshared("mount", "-t", "tmpfs", "tmpfs", os.TempDir())...).Run() != nil {
		return "right to mount (unshare --mount)"
	}
	return ""
}

// mount makes a disk.
func (t *trial) mount(options string) (*disk, error) {
	dir, err := os.MkdirTemp(t.dir, "")
	if err != nil {
		return nil, err
	}
	d := &disk{shell: exec.CommandContext(t.ctx, "unshare", unshared("sh")...)}
	d.shell.Dir, d.shell.Stderr = dir, os.Stderr
	if d.in, err = d.shell.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.shell.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.answers = bufio.NewReader(out)
	if err := d.shell.Start(); err != nil {
		return nil, err
	}
	d.dir = fmt.Sprintf("/proc/%d/root%s/disk", d.shell.Process.Pid, dir)
	return d, d.do("mkdir disk && mount -t tmpfs -o size=64k,mode=755," + options + " tmpfs disk")
}

// do runs a command where the disk is.
func (d *disk) do(command string) error {
	fmt.Fprintf(d.in, "%s; echo $?\n", command)
	answer, err := d.answers.ReadString('\n')
	if err == nil && answer != "0\n" {
		err = fmt.Errorf("%s: exit code %s", command, strings.TrimSpace(answer))
	}
	return err
}

func (d *disk) end() error {
	d.in.Close()
	return d.shell.Wait()
}
