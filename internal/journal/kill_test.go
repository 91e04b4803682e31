package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/imgbuild/imgbuild/internal/workspace"
)

const victim = "JOURNAL_TEST_VICTIM" // folder and name of the run, for the process to be killed

// A process that is killed at any moment loses nothing that it was told to be
// durable, blocks nobody, and leaves a journal that opens.
func TestKilled(t *testing.T) {
	t.Parallel()
	if v := os.Getenv(victim); v != "" {
		dir, run, _ := strings.Cut(v, "\n")
		work(dir, run)
		return
	}
	dir := t.TempDir()
	luck := rand.New(rand.NewPCG(7, 7))
	told := map[string]bool{}
	for run := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), victim+"="+dir+"\n"+fmt.Sprint("r", run))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 1 + luck.IntN(60); n > 0 && lines.Scan(); n-- {
			told[lines.Text()] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			told[lines.Text()] = true
		}
		cmd.Wait() // killed
	}
	root, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s, err := Read(root.FS(".imgbuild/journal"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, a := range s.Attempts {
		for _, d := range a.Deliveries {
			found[fmt.Sprint(a.ID, " ", d.Index)] = true
		}
	}
	for name := range told {
		if !found[name] {
			t.Errorf("%s was durable and is lost", name)
		}
	}
	if len(told) < 50 {
		t.Errorf("only %d receipts were told in all", len(told))
	}
}

// work appends from many goroutines until it is killed, and tells of each
// receipt that is durable.
func work(dir, run string) {
	root, err := workspace.Open(dir)
	if err != nil {
		panic(err)
	}
	if _, err := root.Lock(context.Background(), 0, workspace.Who{PID: os.Getpid(), Verb: "test"}); err != nil {
		panic(err) // the kernel frees the lock of the dead
	}
	j, _, err := open(root.FS(".imgbuild/journal"), 32<<10)
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", run, w, i)
				if err := j.Append(intent(id, 1), just(TypeSent, id)); err != nil {
					panic(err)
				}
				if err := j.Append(receipt(id, 0)); err != nil {
					panic(err)
				}
				os.Stdout.WriteString(id + " 0\n")
				if w == 0 && i%20 == 19 {
					if err := j.Compact(func(Attempt) bool { return true }); err != nil {
						panic(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
