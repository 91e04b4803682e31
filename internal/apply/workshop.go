package apply

import (
	"context"
	"runtime"

	"golang.org/x/sync/semaphore"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// workshop bounds the work on pixels, all of it together: as many pictures at
// once as there are CPUs, and no more memory than the largest picture that is
// read at all may take. Many small ones are worked on side by side, and a large
// one waits until it has the room.
type workshop struct {
	places chan struct{}
	memory *semaphore.Weighted
	most   int64
}

func newWorkshop(lim imaging.Limits) *workshop {
	most := lim.Memory()
	return &workshop{make(chan struct{}, runtime.GOMAXPROCS(0)), semaphore.NewWeighted(most), most}
}

// enter waits for a place, and for the memory that it takes to decode
// pictures; leave gives both back.
func (w *workshop) enter(lim imaging.Limits, pictures ...[]byte) (leave func()) {
	return w.enterWith(0, lim, pictures...)
}

// enterWith is enter for work that takes more bytes besides.
func (w *workshop) enterWith(more int64, lim imaging.Limits, pictures ...[]byte) (leave func()) {
	need := more
	for _, b := range pictures {
		need += imaging.Memory(b, lim)
	}
	need = min(need, w.most)
	w.places <- struct{}{}
	// Who has a place and waits for memory waits for others that have both.
	if err := w.memory.Acquire(context.Background(), need); err != nil {
		panic(err) // it is not cancelled, and need is not more than there is
	}
	return func() {
		w.memory.Release(need)
		<-w.places
	}
}
