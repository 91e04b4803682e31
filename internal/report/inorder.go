package report

import "runtime"

// inOrder makes something of each, a few at a time, and hands it to take in
// their order, until take returns false.
func inOrder[A, B any](all []A, of func(A) B, take func(A, B) bool) {
	width := runtime.GOMAXPROCS(0)
	var made []chan B
	begin := func(a A) {
		c := make(chan B, 1)
		made = append(made, c)
		go func() { c <- of(a) }()
	}
	for i := range all {
		for len(made) < len(all) && len(made) < i+width {
			begin(all[len(made)])
		}
		if !take(all[i], <-made[i]) {
			break
		}
	}
}
