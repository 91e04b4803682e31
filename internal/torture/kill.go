package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

const killParallelism = 8

// killRow kills an apply at a random moment and applies again. Plain calls go
// over each of the other ways in turns.
func killRow(name string, deferred bool) *row {
	must := "nothing lost, nothing paid twice, in doubt ≤ 8 a kill, ledger ≤ charges ≤ ledger + in doubt"
	if deferred {
		must = "nothing lost, nothing paid twice, in doubt ≤ 8 a kill, ledger = charges to the tick but for requests killed before their job id came"
	}
	return &row{
		name: name, must: must, long: 1000, batch: 20, short: 3,
		sees: []string{"killed", "too late", "unreadable", "lost", "paid twice", "in doubt", "of these charged"},
		run: func(t *trial) error {
			for i := range t.n {
				way := ways[0]
				if !deferred {
					way = ways[1+t.luck.IntN(len(ways)-1)]
				}
				if err := t.kill(filepath.Join(t.dir, fmt.Sprint(i)), way); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// ways are how a request can travel and its picture come back; the first is
// the only one that a crash leaves no doubt about.
var ways = []string{
	"deferred = true",
	"deferred = false",
	"deferred = false\n  response = \"b64_json\"",
	"transport = \"grpc\"",
	"transport = \"grpc\"\n  response = \"b64_json\"",
}

const (
	killImages = 16
	killLines  = 80 // of -json, about, that an apply of them prints
)

// killSite is a project of 16 images, four of them edits of others.
func killSite(endpoint, way string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "provider \"xai\" {\n  endpoint = %q\n  %s\n}\n", endpoint, way)
	for i := range killImages {
		fmt.Fprintf(&b, "image \"i%d\" {\n  prompt = \"Bauhaus tiles, sheet %d.\"\n  path   = \"i%d.jpg\"\n", i, i, i)
		if i >= killImages-4 {
			fmt.Fprintf(&b, "  edit {\n    image = image.i%d\n  }\n", i%4)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// ledger is what a lockfile says: the pictures by prompt, and what they cost.
type ledger struct {
	pictures map[string]int
	ticks    int64
}

func readLedger(dir string) (ledger, error) {
	l := ledger{pictures: map[string]int{}}
	b, err := os.ReadFile(filepath.Join(dir, "imgbuild.lock.json"))
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	var lock struct {
		Images map[string]struct {
			Request             string
			Candidates, Refused []struct{ Price string }
		}
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		return l, err
	}
	for address, im := range lock.Images {
		for _, c := range append(im.Candidates, im.Refused...) {
			l.pictures[address]++
			ticks, err := ticksOf(c.Price)
			if err != nil {
				return l, fmt.Errorf("%s: %w", address, err)
			}
			l.ticks += ticks
		}
	}
	return l, nil
}

func (l ledger) images() (n int) {
	for _, k := range l.pictures {
		n += k
	}
	return n
}

// ticksOf reads USD.
func ticksOf(price string) (int64, error) {
	dollars, err := strconv.ParseFloat(price, 64)
	return int64(math.Round(dollars * 1e10)), err
}

func (t *trial) kill(dir, way string) error {
	slow := emulator.Do{Delay: emulator.Duration(20 * time.Millisecond)}
	if strings.HasPrefix(way, "deferred = true") { // the job is accepted at once, and takes its time
		slow = emulator.Do{ReadyAfter: emulator.Duration(50 * time.Millisecond)}
	}
	service, endpoint, stop, err := serve(t.ctx, emulator.Config{Profile: "current", Album: &painted, Faults: []emulator.Fault{{Match: emulator.Match{Method: "POST"}, Do: slow}}})
	if err != nil {
		return err
	}
	defer stop()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(killSite(endpoint, way)), 0o666); err != nil {
		return err
	}

	cmd := t.imgbuild(dir, "apply", "-auto-approve", "-json", "-max-cost=10")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// A line that is printed is a better clock than time: it runs as fast as the
	// victim.
	at, delay := t.luck.IntN(killLines), time.Duration(t.luck.Int64N(int64(30*time.Millisecond)))
	if at == 0 {
		delay *= 3 // the start
	}
	kill := func() { time.AfterFunc(delay, func() { cmd.Process.Kill() }) }
	var told []string // images that imgbuild said it has
	lines := bufio.NewScanner(out)
	for n := 0; n == 0 || lines.Scan(); n++ {
		if n == at {
			kill()
		}
		var e struct{ Type, Address string }
		if json.Unmarshal(lines.Bytes(), &e) == nil && (e.Type == "image_received" || e.Type == "step_done") {
			told = append(told, e.Address)
		}
	}
	err = cmd.Wait()
	if err == nil {
		t.count("too late", 1)
	} else if cmd.ProcessState.ExitCode() == -1 {
		t.count("killed", 1)
	} else {
		t.wrong("%s: apply ended with %d: %s", way, cmd.ProcessState.ExitCode(), stderr.String())
		return nil
	}
	return t.again(dir, way, service, told, killParallelism)
}

// again applies once more after something went wrong, and settles what became
// of the images of a killSite that was told of, and of the money.
func (t *trial) again(dir, way string, service *emulator.Server, told []string, mostDoubts int) error {
	if _, err := readLedger(dir); err != nil {
		t.count("unreadable", 1)
		t.wrong("%s: the lock after the first apply: %v", way, err)
	}

	again, err := t.do(dir, "apply", "-auto-approve", "-max-cost=10")
	if err != nil {
		return err
	}
	if again.code != 0 && again.code != 4 {
		t.wrong("%s: the second apply ended with %d: %s", way, again.code, again.stderr)
		return nil
	}
	doubts, price, err := t.doubts(dir)
	if err != nil {
		return err
	}
	stats := service.Stats()
	l, err := readLedger(dir)
	if err != nil {
		t.count("unreadable", 1)
		t.wrong("%s: the lock after the second apply: %v", way, err)
		return nil
	}
	charged := map[string]int{}
	for _, c := range stats.Charges {
		charged[c.Prompt] += c.Images
	}
	for prompt, n := range charged {
		if n > 1 {
			t.count("paid twice", n-1)
			t.wrong("%s: %d × %q was charged", way, n, prompt)
		}
	}
	for _, a := range told {
		if l.pictures[a] == 0 {
			t.count("lost", 1)
			t.wrong("%s: %s was told as received and is not in the lock", way, a)
		}
	}
	t.count("in doubt", doubts)
	t.count("of these charged", stats.Images-l.images())
	switch {
	case doubts > mostDoubts:
		t.wrong("%s: %d in doubt: %s", way, doubts, again.stdout)
	case stats.Ticks < l.ticks || stats.Ticks > l.ticks+price:
		t.wrong("%s: the ledger is %d, %d were charged, %d in doubt: %s", way, l.ticks, stats.Ticks, doubts, again.stdout)
	}
	// What is not in doubt, or waits for such, is done.
	for i := range killImages {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("i%d.jpg", i))); err != nil && doubts == 0 {
			t.wrong("%s: image.i%d is missing, and nothing is in doubt: %s", way, i, again.stdout)
		}
	}
	return nil
}

// doubts are what a plan says is in doubt: so many requests, and the most that
// they may have cost, in ticks.
func (t *trial) doubts(dir string) (n int, ticks int64, err error) {
	e, err := t.do(dir, "plan", "-json")
	if err != nil {
		return 0, 0, err
	}
	var plan struct {
		Steps []struct{ Verb, Price string }
	}
	if err := json.Unmarshal([]byte(e.stdout), &plan); err != nil {
		return 0, 0, fmt.Errorf("plan -json: %w: %s%s", err, e.stdout, e.stderr)
	}
	for _, s := range plan.Steps {
		if s.Verb != "hold" {
			continue
		}
		price, err := ticksOf(s.Price)
		if err != nil {
			return 0, 0, err
		}
		n, ticks = n+1, ticks+price
	}
	return n, ticks, nil
}
