package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
)

// A row is one attack, and what must hold however often it is made.
type row struct {
	name  string
	must  string
	needs []string      // programs that must be on the PATH
	may   func() string // what this machine does not allow, "" if it allows all
	sees  []string      // what is counted, in the order in which it is told
	long  int           // how many attacks are promised
	batch int           // made between two lines of the totals
	short int           // made by the tests
	run   func(t *trial) error
}

// absent is a program or a right that the row lacks here, "" if there is none.
func (r *row) absent() string {
	for _, p := range r.needs {
		if _, err := exec.LookPath(p); err != nil {
			return p
		}
	}
	if r.may != nil {
		return r.may()
	}
	return ""
}

// A trial is one batch of attacks of a row. Its error is a trouble of the
// attacker; what the victim did wrong goes to wrongs.
type trial struct {
	ctx    context.Context
	n      int        // attacks to make
	from   int        // attacks made before, for a row that makes each once
	luck   *rand.Rand // of the seed
	dir    string     // an empty folder
	self   string     // this executable
	counts map[string]int
	wrongs []string
}

// count adds to what was seen.
func (t *trial) count(what string, n int) { t.counts[what] += n }

const mostWrongs = 20

// wrong tells a violation.
func (t *trial) wrong(format string, args ...any) {
	t.count("violations", 1)
	if len(t.wrongs) < mostWrongs {
		t.wrongs = append(t.wrongs, fmt.Sprintf(format, args...))
	}
}

// attack makes a batch.
func (r *row) attack(ctx context.Context, b *batch) error {
	dir, err := os.MkdirTemp("", "imgbuild-torture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	t := &trial{ctx: ctx, n: b.N, from: b.From, luck: rand.New(rand.NewPCG(b.Seed, 0)), dir: dir, self: self, counts: map[string]int{}}
	err = r.run(t)
	b.Counts, b.Wrong, b.Commit = t.counts, t.wrongs, commit()
	return err
}

// commit is the one that is checked out, with "-dirty" if something was
// changed since.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
