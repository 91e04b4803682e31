package diag

import "testing"

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"alt", "alt", 0}, {"atl", "alt", 1}, {"lat", "alt", 1}, {"tla", "alt", 2}, {"al", "alt", 1}, {"atlx", "altx", 1},
		{"ab", "ba", 1}, {"abc", "bad", 3}, {"", "a", 1}, {"äö", "öä", 2}, {"prompt", "propmt", 1},
	} {
		if got := Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q for %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
