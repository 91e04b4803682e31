package emulator

// shelf keeps things by name: the newest, as many as fit into most bytes.
type shelf[T any] struct {
	most, bytes int
	things      map[string]kept[T]
	oldest      []string
}

type kept[T any] struct {
	thing T
	bytes int
}

func newShelf[T any](most int) *shelf[T] { return &shelf[T]{most: most, things: map[string]kept[T]{}} }

func (s *shelf[T]) get(name string) (T, bool) {
	k, ok := s.things[name]
	return k.thing, ok
}

// put keeps a thing under a name that was not there before.
func (s *shelf[T]) put(name string, thing T, bytes int) {
	s.things[name] = kept[T]{thing, bytes}
	s.oldest = append(s.oldest, name)
	s.bytes += bytes
	for s.bytes > s.most {
		s.bytes -= s.things[s.oldest[0]].bytes
		delete(s.things, s.oldest[0])
		s.oldest = s.oldest[1:]
	}
}
