package main

import (
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if victim() {
		return
	}
	os.Exit(m.Run())
}

// TestRows makes each attack a few times.
func TestRows(t *testing.T) {
	t.Parallel()
	for _, r := range table() {
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
