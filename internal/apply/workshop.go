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

// enter waits for the memory that it takes to decode pictures, and for a place;
// leave gives both back.
func (w *workshop) enter(lim imaging.Limits, pictures ...[]byte) (leave func()) {
	var need int64
	for _, b := range pictures {
		need += imaging.Memory(b, lim)
	}
	free := w.room(need)
	w.places <- struct{}{}
	return func() {
		<-w.places
		free()
	}
}

// room waits for so many bytes of memory, or for all that there is. Who has a
// place waits for nothing, so that who waits for one may hold memory.
func (w *workshop) room(bytes int64) (leave func()) {
	bytes = min(bytes, w.most)
	acquire(w.memory, bytes)
	return func() { w.memory.Release(bytes) }
}

// acquire waits for what is never more than there is.
func acquire(s *semaphore.Weighted, n int64) {
	if err := s.Acquire(context.Background(), n); err != nil {
		panic(err) // it is not cancelled
	}
}
