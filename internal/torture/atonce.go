package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

// crowd is how many processes begin at once.
const crowd = 50

// visitor is a verb that runs beside applies.
type visitor struct {
	args  []string
	codes []int
}

var visitors = []visitor{
	{[]string{"plan"}, []int{0}},
	{[]string{"plan", "-json"}, []int{0}},
	{[]string{"verify"}, []int{0, 3}},
	{[]string{"validate"}, []int{0}},
	{[]string{"show"}, []int{0}},
	{[]string{"show", "-json"}, []int{0}},
	{[]string{"why", "image.i1"}, []int{0}},
	{[]string{"graph"}, []int{0}},
	{[]string{"output"}, []int{0}},
	{[]string{"gc"}, []int{0, 1}},
	{[]string{"gc", "-lock-timeout=5m"}, []int{0}},
	{[]string{"restore"}, []int{0, 1, 3}},
	{[]string{"restore", "-lock-timeout=5m"}, []int{0, 3}},
	{[]string{"pick", "image.e[\"a\"]", "2"}, []int{0, 1}},
	{[]string{"pick", "image.e[\"b\"]", "2"}, []int{0, 1}},
}

// busy is how one says that another is at work; only then a verb may give up.
var busy = regexp.MustCompile(`(?m)^Error: .*(at work here|no candidates?|has no picture|nothing to pick|is not made yet|not made|has no )`)

// atOnceRow starts many in one root.
func atOnceRow() *row {
	return &row{
		name: "50 at once in one root",
		must: "one runs, the others wait or say who is at work; each image paid once, the end is that of one apply, and nobody sees a mixed state",
		long: 40, batch: 2, short: 1,
		sees: []string{"processes", "applies that ran", "said who is at work", "visitors"},
		run: func(t *trial) error {
			for i := range t.n {
				if err := t.atOnce(filepath.Join(t.dir, fmt.Sprint(i)), i%2 == 0 && t.n > 1); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func atOnceSite(endpoint, way string) string {
	var b strings.Builder
	b.WriteString(killSite(endpoint, way))
	b.WriteString("image \"e\" {\n  for_each = toset([\"a\", \"b\"])\n  prompt = \"Picked ${each.key}\"\n  path = \"e-${each.key}.jpg\"\n  n = 2\n}\n")
	b.WriteString("output \"first\" {\n  value = image.i0.path\n}\n")
	return b.String()
}

// atOnce lets a crowd in, of applies only or of all kinds.
func (t *trial) atOnce(dir string, only bool) error {
	way := ways[t.luck.IntN(len(ways))]
	shop, err := t.open(&painted, emulator.Fault{Match: emulator.Match{Method: "POST"}, Do: emulator.Do{Delay: emulator.Duration(20 * time.Millisecond)}})
	if err != nil {
		return err
	}
	defer shop.stop()
	site := map[string]string{"site.img.hcl": atOnceSite(shop.endpoint, way)}
	if err := write(dir, site); err != nil {
		return err
	}
	type guest struct {
		visitor
		cmd         *exec.Cmd
		out, talk   bytes.Buffer
		apply, wait bool
		err         error
	}
	guests := make([]*guest, crowd)
	for i := range guests {
		g := &guest{}
		if only || i == 0 || t.luck.IntN(3) == 0 {
			g.apply, g.wait = true, i == 0 || t.luck.IntN(2) == 0
			g.visitor = visitor{[]string{"apply", "-auto-approve", "-max-cost=10"}, []int{0, 1}}
			if g.wait {
				g.args, g.codes = append(g.args, "-lock-timeout=5m"), []int{0}
			}
		} else {
			g.visitor = visitors[t.luck.IntN(len(visitors))]
		}
		g.cmd = t.imgbuild(dir, g.args...)
		g.cmd.Stdout, g.cmd.Stderr = &g.out, &g.talk
		guests[i] = g
	}
	var all sync.WaitGroup
	for _, g := range guests {
		all.Go(func() { g.err = g.cmd.Run() })
	}
	all.Wait()
	for _, g := range guests {
		if g.cmd.ProcessState == nil {
			return g.err
		}
		code, talk := g.cmd.ProcessState.ExitCode(), g.talk.String()
		t.count("processes", 1)
		switch {
		case !slices.Contains(g.codes, code), strings.Contains(talk, "goroutine "), code == 1 && !busy.MatchString(talk):
			t.wrong("%s: %v ended with %d: %s%s", way, g.args, code, talk, g.out.String())
		case code == 1 && strings.Contains(talk, "at work here"):
			t.count("said who is at work", 1)
		case g.apply:
			t.count("applies that ran", 1)
		default:
			t.count("visitors", 1)
		}
		if slices.Contains(g.args, "-json") && !json.Valid(g.out.Bytes()) {
			t.wrong("%s: %v is no JSON: %s", way, g.args, g.out.String())
		}
	}
	stats, err := shop.settled()
	if err != nil {
		return err
	}
	images, _ := byPrompt(stats)
	for prompt, n := range images {
		if most := 1 + strings.Count(prompt, "Picked"); n != most {
			t.wrong("%s: %d × %q was charged, want %d", way, n, prompt, most)
		}
	}
	if len(images) != killImages+2 {
		t.wrong("%s: %d of %d images were charged", way, len(images), killImages+2)
	}

	// The same, one after the other, in a root of its own.
	alone := dir + "-alone"
	if err := write(alone, site); err != nil {
		return err
	}
	fresh, err := t.open(&painted)
	if err != nil {
		return err
	}
	defer fresh.stop()
	if err := write(alone, map[string]string{"site.img.hcl": atOnceSite(fresh.endpoint, way)}); err != nil {
		return err
	}
	picks := [][]string{{"apply", "-auto-approve", "-max-cost=10"}, {"pick", "image.e[\"a\"]", "2"}, {"pick", "image.e[\"b\"]", "2"}, {"apply", "-auto-approve"}, {"verify"}}
	for _, args := range picks {
		for _, where := range []string{alone, dir} {
			e, err := t.do(where, args...)
			if err != nil {
				return err
			}
			if e.code != 0 {
				t.wrong("%s: %v afterwards ended with %d: %s%s", way, args, e.code, e.stdout, e.stderr)
			}
		}
	}
	if a, b, err := bothLocks(alone, dir); err != nil || a != b {
		t.wrong("%s: %v: one apply leaves %s\nand many %s", way, err, a, b)
	}
	return nil
}

func bothLocks(a, b string) (string, string, error) {
	x, err := os.ReadFile(filepath.Join(a, "imgbuild.lock.json"))
	if err != nil {
		return "", "", err
	}
	y, err := os.ReadFile(filepath.Join(b, "imgbuild.lock.json"))
	return string(x), string(y), err
}
