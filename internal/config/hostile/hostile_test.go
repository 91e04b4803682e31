package hostile

import (
	"math/rand/v2"
	"testing"
)

// What a project is measured against is a megabyte.
func TestSizes(t *testing.T) {
	t.Parallel()
	luck := rand.New(rand.NewPCG(1, 0))
	seen := map[string]bool{}
	for _, p := range Projects() {
		if seen[p.Name] {
			t.Errorf("%s is there twice", p.Name)
		}
		seen[p.Name] = true
		for _, p := range []Project{p, Damaged(p, luck)} {
			n := 0
			for _, text := range p.Files {
				n += len(text)
			}
			if n > Most {
				t.Errorf("%s: %d bytes", p.Name, n)
			}
		}
	}
	if len(seen) != Count {
		t.Errorf("there are %d", len(seen))
	}
}
