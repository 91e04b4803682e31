package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

const (
	budgetParallelism = 16
	imagePrice        = 200_000_000 // ticks, of an image by the default model
	editPrice         = 20_000_000  // ticks, of a picture to edit
)

// budgetRow holds runs with limits in their middle, and crash loops of them,
// against the ledger of the server.
func budgetRow() *row {
	return &row{
		name: "budget, with crash loops",
		must: "spent ≤ limit for each run, in all and by tag, whatever it was killed and restarted with; a price above the estimate stops all that was not in flight",
		long: 100, batch: 4, short: 1,
		sees: []string{"images", "runs", "killed", "ended by the budget", "ended otherwise", "above the estimate"},
		run: func(t *trial) error {
			for i := range t.n {
				if err := t.budget(filepath.Join(t.dir, fmt.Sprint(i))); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// budgetSite is a project of n images, each third tagged; a few are edits or ask
// for more.
func budgetSite(luck *rand.Rand, endpoint, way string, n int, most, tagged int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "provider \"xai\" {\n  endpoint = %q\n  parallelism = %d\n  %s\n}\n", endpoint, budgetParallelism, way)
	fmt.Fprintf(&b, "imgbuild {\n  max_cost = %s\n}\n", dollars(most))
	fmt.Fprintf(&b, "budget \"third\" {\n  tags = [\"third\"]\n  max_cost = %s\n}\n", dollars(tagged))
	for i := range n {
		fmt.Fprintf(&b, "image \"i%d\" {\n  prompt = \"Sheet %d. %s\"\n", i, i, fate(luck, i))
		if i%3 == 0 {
			b.WriteString("  tags = [\"third\"]\n")
		}
		if luck.IntN(4) == 0 {
			fmt.Fprintf(&b, "  n = %d\n", 2+luck.IntN(3))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// fate is a word in a prompt that the faults know. Most pictures are withheld:
// they cost as much and need not be drawn.
func fate(luck *rand.Rand, i int) string {
	words := []string{"Withheld.", "Withheld.", "Withheld.", "Refused.", "Vanished.", "Too few.", "Silence.", "Rejected.", "Cut."}
	if k := luck.IntN(len(words) + 1); k < len(words) {
		return words[k]
	}
	return "Drawn."
}

func fates(cost int64) []emulator.Fault {
	var list []emulator.Fault
	one := 1
	for word, do := range map[string]emulator.Do{
		"Withheld.": {Moderated: "flag"},
		"Refused.":  {Moderated: "400"},
		"Vanished.": {Moderated: "empty"},
		"Too few.":  {Moderated: "flag", N: &one},
		"Silence.":  {Drop: "after-request"},
		"Rejected.": {Status: 422},
		"Cut.":      {Drop: "mid-body"},
		"Drawn.":    {Delay: emulator.Duration(5 * time.Millisecond)},
	} {
		do.Delay, do.Cost = emulator.Duration(3*time.Millisecond), cost
		list = append(list, emulator.Fault{Match: emulator.Match{Method: "POST", PromptContains: word}, Do: do})
	}
	return list
}

func dollars(ticks int64) string { return fmt.Sprintf("%d.%010d", ticks/1e10, ticks%1e10) }

func (t *trial) budget(dir string) error {
	n := 60 + t.luck.IntN(100)
	if t.n > 1 && t.luck.IntN(3) == 0 {
		n = 1000
	}
	way, cost := ways[t.luck.IntN(len(ways))], int64(1)
	// A failure has no place in gRPC to tell that it cost more than thought.
	if t.luck.IntN(4) == 0 && !strings.Contains(way, "grpc") {
		cost = 2 + t.luck.Int64N(3)
	}
	// In the middle: half of what all would cost, about.
	most := (int64(n)/4 + t.luck.Int64N(int64(n))) * imagePrice
	tagged := (int64(n)/10 + t.luck.Int64N(int64(n)/4)) * imagePrice
	shop, err := t.open(&emulator.Album{Flat: true}, fates(cost)...)
	if err != nil {
		return err
	}
	defer shop.stop()
	if err := write(dir, map[string]string{"site.img.hcl": budgetSite(t.luck, shop.endpoint, way, n, most, tagged)}); err != nil {
		return err
	}
	t.count("images", n)

	var base [2]int64 // charged to runs that have ended: in all, by tag
	seen := 0         // charges to these
	kills := 1 + t.luck.IntN(6)
	for try := range kills + 3 {
		args := []string{"apply", "-auto-approve", "-json", fmt.Sprintf("-parallelism=%d", 1+t.luck.IntN(budgetParallelism))}
		if t.luck.IntN(2) == 0 {
			args = append(args, "-retry-in-doubt")
		}
		if t.luck.IntN(3) == 0 {
			args = append(args, "-retry-refused")
		}
		line := -1
		if try < kills {
			line = n + t.luck.IntN(n/2+8) // after the plan, which is a line an image
		}
		end, said, err := t.endAt(dir, line, time.Duration(t.luck.Int64N(int64(5*time.Millisecond))), args...)
		if err != nil {
			return err
		}
		stats, err := shop.settled()
		if err != nil {
			return err
		}
		now := chargedThird(stats)
		t.count("runs", 1)
		for k, limit := range []int64{most, tagged} {
			over := now[k] - base[k] - limit
			// Nobody could know of what was in flight that it costs more. An image
			// of this project is asked for at most four at a time.
			allowed := (cost-1)*4*imagePrice*budgetParallelism + untold(stats.Charges[seen:], cost)
			if over > 0 {
				t.count("above the estimate", 1)
			}
			if over > allowed {
				t.wrong("%s, %d images, price × %d, try %d %v: %s spent of %s (%s)", way, n, cost, try, args, dollars(now[k]-base[k]), dollars(limit), []string{"in all", "third"}[k])
			}
		}
		summed := false
		for _, e := range said {
			summed = summed || e.Type == "apply_summary"
		}
		switch {
		case end.code == -1:
			t.count("killed", 1)
		case end.code == 5:
			t.count("ended by the budget", 1)
		case end.code == 0 || end.code == 4:
			t.count("ended otherwise", 1)
		default:
			t.wrong("%s: %v ended with %d: %s", way, args, end.code, end.stderr)
			return nil
		}
		if summed { // that run has ended, even if it was killed after it had
			base, seen = now, len(stats.Charges)
		}
	}
	return nil
}

// untold is what requests cost beyond the estimate whose price no reply told.
func untold(charges []emulator.Charge, cost int64) (ticks int64) {
	for _, c := range charges {
		if strings.Contains(c.Prompt, "Silence.") || strings.Contains(c.Prompt, "Cut.") {
			ticks += c.Ticks / cost * (cost - 1)
		}
	}
	return ticks
}

// chargedThird is what was charged in all, and for images of the third.
func chargedThird(s emulator.Stats) (sum [2]int64) {
	for _, c := range s.Charges {
		sum[0] += c.Ticks
		i := 0
		if fmt.Sscanf(c.Prompt, "Sheet %d.", &i); i%3 == 0 {
			sum[1] += c.Ticks
		}
	}
	return sum
}

// endAt runs imgbuild, kills it a moment after it has printed so many lines (never
// if that is negative), and gives what it said until then.
func (t *trial) endAt(dir string, line int, delay time.Duration, args ...string) (ended, []event, error) {
	cmd := t.imgbuild(dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return ended{}, nil, err
	}
	if err := cmd.Start(); err != nil {
		return ended{}, nil, err
	}
	var said []event
	scan := bufio.NewScanner(out)
	scan.Buffer(nil, 16<<20)
	pace(scan, line, delay, func() { cmd.Process.Kill() }, func(b []byte) {
		var e event
		if json.Unmarshal(b, &e) == nil {
			said = append(said, e)
		}
	})
	_ = cmd.Wait() // the exit code tells
	return ended{code: cmd.ProcessState.ExitCode(), stderr: stderr.String()}, said, nil
}
