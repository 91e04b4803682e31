package hostile

import "testing"

// What a project is measured against is a megabyte.
func TestSizes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range Projects() {
		n := 0
		for _, text := range p.Files {
			n += len(text)
		}
		if n > Most || seen[p.Name] {
			t.Errorf("%s: %d bytes", p.Name, n)
		}
		seen[p.Name] = true
	}
}
