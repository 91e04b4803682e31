package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

// nuisance is something that people and systems do to a process.
type nuisance struct {
	name  string
	stops bool // it asks for a stop
	twice bool // and abandons what is in flight
	deaf  bool // nobody reads the output any more
	do    func(t *trial, p *os.Process)
}

var nuisances = []nuisance{
	{name: "INT", stops: true, do: sends(syscall.SIGINT)},
	{name: "TERM", stops: true, do: sends(syscall.SIGTERM)},
	{name: "HUP", stops: true, do: sends(syscall.SIGHUP)},
	{name: "INT twice", stops: true, twice: true, do: sends(syscall.SIGINT, syscall.SIGINT)},
	{name: "INT, TERM, KILL", stops: true, twice: true, do: sends(syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL)}, // as CI does
	{name: "HUP, TERM", stops: true, twice: true, do: sends(syscall.SIGHUP, syscall.SIGTERM)},
	{name: "STOP, CONT", do: sends(syscall.SIGSTOP, syscall.SIGCONT)},
	{name: "PIPE", do: sends(syscall.SIGPIPE)},
	{name: "no reader", deaf: true, do: func(*trial, *os.Process) {}},
	{name: "closed streams", do: func(*trial, *os.Process) {}},
}

// sends sends signals, with moments between them. What comes after a second one
// ends a process for good.
func sends(list ...syscall.Signal) func(t *trial, p *os.Process) {
	return func(t *trial, p *os.Process) {
		for i, s := range list {
			if i > 0 {
				time.Sleep(20 * time.Millisecond)
			}
			if i > 1 {
				time.Sleep(2500 * time.Millisecond)
			}
			_ = p.Signal(s) // it may have ended
		}
	}
}

// signalRow sends signals at random moments of an apply, takes its reader away,
// and applies again.
func signalRow() *row {
	r := &row{
		name: "signals at random moments",
		must: "nothing lost, nothing paid twice, exit code 130 or 0; after one signal and after a lost reader nothing is in doubt; after two, in doubt ≤ 8 and ledger ≤ charges ≤ ledger + in doubt",
		long: 500, batch: 20, short: 5,
		run: func(t *trial) error {
			from := t.luck.IntN(len(nuisances))
			for i := range t.n {
				n := nuisances[(from+i)%len(nuisances)]
				t.count(n.name, 1)
				if err := t.signal(filepath.Join(t.dir, fmt.Sprint(i)), ways[t.luck.IntN(len(ways))], n); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for _, n := range nuisances {
		r.sees = append(r.sees, n.name)
	}
	r.sees = append(r.sees, "ended with 130", "ended with 0", "ended before it could listen", "in doubt")
	return r
}

func (t *trial) signal(dir, way string, n nuisance) error {
	slow := emulator.Do{Delay: emulator.Duration(time.Duration(10+t.luck.IntN(30)) * time.Millisecond)}
	if strings.HasPrefix(way, "deferred = true") {
		slow = emulator.Do{ReadyAfter: emulator.Duration(50 * time.Millisecond)}
	}
	shop, err := t.open(&painted, emulator.Fault{Match: emulator.Match{Method: "POST"}, Do: slow})
	if err != nil {
		return err
	}
	defer shop.stop()
	if err := write(dir, map[string]string{"site.img.hcl": killSite(shop.endpoint, way)}); err != nil {
		return err
	}
	args := []string{"apply", "-auto-approve", "-json", "-max-cost=10", "-json-into=events.jsonl"}
	cmd := t.imgbuild(dir, args...)
	if n.name == "closed streams" {
		// As from a daemon: 0, 1 and 2 are what is opened next.
		cmd = exec.CommandContext(t.ctx, "sh", append([]string{"-c", `exec "$0" "$@" <&- >&- 2>&-`, t.self}, args...)...)
		cmd.Dir, cmd.Env = dir, t.imgbuild(dir).Env
	}
	code, stderr, err := t.disturb(cmd, n, t.luck)
	if err != nil {
		return err
	}
	stats, err := shop.settled()
	if err != nil {
		return err
	}
	switch {
	case code == 0:
		t.count("ended with 0", 1)
	case code == 130 && n.stops:
		t.count("ended with 130", 1)
	case code == -1 && n.stops && stats.Requests == 0:
		t.count("ended before it could listen", 1) // while the process came up
	case code == -1 && n.twice && summed(dir):
		t.count("ended with 130", 1) // the last one came while the process went
	default:
		t.wrong("%s, %s: ended with %d: %s", n.name, way, code, stderr)
		return nil
	}
	told, err := receivedIn(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		return err
	}
	first, err := t.doubtsOf(dir)
	if err != nil {
		return err
	}
	l, err := readLedger(dir)
	if err != nil {
		return err
	}
	if !n.twice && (len(first) > 0 || stats.Ticks != l.ticks) {
		t.wrong("%s, %s: %d charged, the ledger is %d, in doubt: %v: %s", n.name, way, stats.Ticks, l.ticks, first, stderr)
	}
	again, err := t.do(dir, "apply", "-auto-approve", "-max-cost=10")
	if err != nil {
		return err
	}
	if again.code != 0 && again.code != 4 {
		t.wrong("%s, %s: the next apply ended with %d: %s", n.name, way, again.code, again.stderr)
		return nil
	}
	open, err := t.doubtsOf(dir)
	if err != nil {
		return err
	}
	var price int64
	for _, p := range open {
		price += p
	}
	if l, err = readLedger(dir); err != nil {
		return err
	}
	if stats, err = shop.settled(); err != nil {
		return err
	}
	t.count("in doubt", len(open))
	images, _ := byPrompt(stats)
	for prompt, n := range images {
		if n > 1 {
			t.wrong("%d × %q was charged", n, prompt)
		}
	}
	for _, a := range told {
		if l.pictures[a] == 0 {
			t.wrong("%s, %s: %s was told as received and is not in the lock", n.name, way, a)
		}
	}
	if len(open) > killParallelism || stats.Ticks < l.ticks || stats.Ticks > l.ticks+price {
		t.wrong("%s, %s: the ledger is %d, %d were charged, in doubt: %v: %s", n.name, way, l.ticks, stats.Ticks, open, again.stdout)
	}
	for i := range killImages {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("i%d.jpg", i))); err != nil && len(open) == 0 {
			t.wrong("%s, %s: image.i%d is missing, and nothing is in doubt: %s", n.name, way, i, again.stdout)
		}
	}
	return nil
}

// disturb runs a process and does n to it at a random moment.
func (t *trial) disturb(cmd *exec.Cmd, n nuisance, luck *rand.Rand) (code int, stderr string, err error) {
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, "", err
	}
	if n.deaf {
		cmd.Stderr = nil
	}
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	line, delay := luck.IntN(killLines), time.Duration(luck.Int64N(int64(30*time.Millisecond)))
	if line == 0 {
		delay *= 3
	}
	done, armed := make(chan struct{}), false
	act := func() { n.do(t, cmd.Process); close(done) }
	in := bufio.NewScanner(out)
	for k := 0; k == 0 || in.Scan(); k++ {
		if k < line {
			continue
		}
		if n.deaf {
			break
		}
		if k == line {
			armed = true
			time.AfterFunc(delay, act)
		}
	}
	if n.deaf {
		out.Close()
	}
	err = cmd.Wait()
	if armed {
		<-done
	}
	if cmd.ProcessState == nil {
		return 0, "", err
	}
	return cmd.ProcessState.ExitCode(), talk.String(), nil
}

// summed reports whether an apply had told its end.
func summed(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	return err == nil && bytes.Contains(b, []byte(`"type":"apply_summary"`))
}

// receivedIn are the images that a log of events tells of.
func receivedIn(file string) (told []string, err error) {
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	for line := range bytes.Lines(b) {
		var e event
		if json.Unmarshal(line, &e) == nil && (e.Type == "image_received" || e.Type == "step_done") {
			told = append(told, e.Address)
		}
	}
	return told, err
}

// doubtsOf is what each address may have cost beyond what its lock says.
func (t *trial) doubtsOf(dir string) (map[string]int64, error) {
	p, err := t.plan(dir)
	if err != nil {
		return nil, err
	}
	return p.open()
}
