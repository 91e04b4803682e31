package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	if victim() {
		return
	}
	hostileCPU, hostilePeak = 5*hostileCPU, 5*hostilePeak
	os.Exit(m.Run())
}

// TestRows makes each attack a few times.
func TestRows(t *testing.T) {
	t.Parallel()
	for _, r := range table() {
		if r.short == 0 { // a target's seeds are run by the tests of its room
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			switch p := r.absent(); {
			case strings.HasPrefix(p, "right "):
				t.Skipf("not run: there is no %s", p) // and nothing could be installed
			case p != "":
				t.Fatalf("not run: there is no %s; scripts/setup installs it", p)
			}
			b := batch{Row: r.name, Seed: 1, N: r.short}
			if err := r.attack(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			for _, w := range b.Wrong {
				t.Error(w)
			}
			t.Logf("%d times: %v", b.N, b.Counts)
		})
	}
}

// A fuzz target without a row would never be fuzzed for long.
func TestFuzzed(t *testing.T) {
	t.Parallel()
	var have []string
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := os.ReadFile(name)
		room, _ := filepath.Rel("..", filepath.Dir(name))
		for _, m := range target.FindAllSubmatch(b, -1) {
			have = append(have, fmt.Sprintf("fuzz %s %s", filepath.ToSlash(room), m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(have)
	var rows []string
	for _, r := range fuzzRows() {
		rows = append(rows, r.name)
	}
	slices.Sort(rows)
	if diff := cmp.Diff(have, rows); diff != "" {
		t.Errorf("targets and rows differ (-targets +rows):\n%s", diff)
	}
}

// The row must see a crash, and where the input of it is.
func TestFuzzSees(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module m\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc FuzzBad(f *testing.F) {\n\tf.Add(1)\n\tf.Fuzz(func(t *testing.T, n int) {\n\t\tif n != 1 {\n\t\t\tpanic(n)\n\t\t}\n\t})\n}\n\nfunc FuzzGood(f *testing.F) { f.Fuzz(func(t *testing.T, n int) {}) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for target, crashes := range map[string]int{"FuzzBad": 1, "FuzzGood": 0} {
		tr := &trial{ctx: t.Context(), n: 2, luck: rand.New(rand.NewPCG(1, 1)), dir: dir, counts: map[string]int{}}
		if err := tr.fuzz(dir, ".", target); err != nil {
			t.Fatal(err)
		}
		if tr.counts["crashes"] != crashes || tr.counts["violations"] != crashes || tr.counts["executions"] == 0 && crashes == 0 {
			t.Errorf("%s: %v %q", target, tr.counts, tr.wrongs)
		}
		if crashes > 0 && !strings.Contains(tr.wrongs[0], "testdata/fuzz/FuzzBad/") {
			t.Errorf("no name of the input in %q", tr.wrongs)
		}
	}
	tr := &trial{ctx: t.Context(), n: 1, dir: dir, counts: map[string]int{}}
	if err := tr.fuzz(dir, ".", "FuzzNone"); err == nil {
		t.Error("a target that is not there was fuzzed")
	}
}

// A peer that is there is killed once; ours loses nothing.
func TestPeers(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{ctx: t.Context(), luck: rand.New(rand.NewPCG(1, 1)), dir: t.TempDir(), self: self, counts: map[string]int{}}
	here, absent := peers(tr)
	for _, p := range here {
		s, err := tr.attackPeer(p, 2, 10, 20)
		if err != nil {
			t.Fatal(err)
		}
		if s.kills != 2 || s.told == 0 {
			t.Errorf("%s: not attacked: %+v", p.name, s)
		}
		if p.name == "imgbuild" && s.broken+s.refused+s.lost+s.lostHad > 0 {
			t.Errorf("imgbuild lost something: %+v", s)
		}
		t.Logf("%s: %+v", p.name, s)
	}
	for _, name := range absent {
		t.Logf("not run: there is no %s", name)
	}
}

// A row that makes each attack once leaves none out, and its first ones have
// each fault.
func TestScatter(t *testing.T) {
	t.Parallel()
	for _, operations := range []int{1, 2, 7, 1000, 2500} {
		n := operations * len(diskFaults)
		seen, first := map[int]bool{}, map[int]bool{}
		for i := range n {
			at := scatter(i, n)
			seen[at] = at >= 0 && at < n
			if i < len(diskFaults) {
				first[at%len(diskFaults)] = true
			}
		}
		if len(seen) != n || len(first) != len(diskFaults) {
			t.Errorf("%d operations: %d of %d attacks, %d faults first", operations, len(seen), n, len(first))
		}
	}
}
