package diag

import "github.com/agext/levenshtein"

// Distance is how many letters were mistyped if b was meant: added, left out,
// another one, or two that changed places.
func Distance(a, b string) int {
	d := levenshtein.Distance(a, b, nil)
	if d == 2 && len(a) == len(b) {
		for i := range a {
			if a[i] != b[i] { // the first of the two
				if i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:] {
					return 1
				}
				break
			}
		}
	}
	return d
}
