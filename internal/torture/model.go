package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// model is what a person would expect of imgbuild, said as simply as it can be:
// it knows for each address what was asked and which pictures (rolls, by their
// SHA-256) it has, and for each request all that was ever bought for it. It
// learns the name of a roll from the lock; how many there may be it says itself.
type model struct {
	lock  map[string]*held
	pool  map[string][]string // rolls by what was asked, in the order in which they came
	names map[string]string   // of requests in the lock, by what was asked
}

// held is what an address has.
type held struct {
	asked string
	rolls []string
	pick  int // from 1
	// choice is the pick that the lock records.
	choice int
}

func (h *held) equal(o *held) bool {
	return o != nil && h.asked == o.asked && slices.Equal(h.rolls, o.rolls) && h.pick == o.pick && h.choice == o.choice
}

func (h *held) picked() string { return h.rolls[h.pick-1] }

func newModel() *model {
	return &model{lock: map[string]*held{}, pool: map[string][]string{}, names: map[string]string{}}
}

// asked is all that a picture is paid for by. The source of an edit is known
// by the picture that it has.
func (m *model) asked(im *picture, lock map[string]*held) string {
	s := fmt.Sprintf("paid=%v %q", im.service, im.words())
	if im.edits != "" {
		s += " of " + lock["image."+im.edits].picked()
	}
	return s
}

// waits reports whether an image starts from one with a file in its way.
func (m *model) waits(w *world, a string) bool {
	for im := w.now.get(strings.TrimPrefix(a, "image.")); im != nil && im.edits != ""; {
		if im = w.now.get(im.edits); im != nil {
			for p := range w.user {
				if p == im.path() || im.width > 0 && p == im.small() {
					return true
				}
			}
		}
	}
	return false
}

// order is the active images, each after what it edits.
func order(p *project) []*picture {
	var out []*picture
	var visit func(im *picture)
	visit = func(im *picture) {
		if slices.Contains(out, im) {
			return
		}
		if im.edits != "" {
			visit(p.get(im.edits))
		}
		out = append(out, im)
	}
	for _, im := range p.active() {
		visit(im)
	}
	return out
}

// applied holds an apply to the model: received are the pictures that came, by
// address, nil if that is not known.
func (m *model) applied(w *world, received map[string]int, replace string) (bought, charged int) {
	p := &w.now
	lock := w.readLock()
	old := maps.Clone(m.lock)
	wanted := map[string]bool{}
	for _, im := range p.active() {
		wanted[im.address()] = true
		if lock[im.address()] == nil {
			w.broken("the lock does not have %s", im.address())
		}
	}
	for a := range lock {
		if !wanted[a] {
			w.broken("the lock has %s, which nobody wants", a)
		}
	}
	// What others have is theirs, by the names that they have before the moves.
	taken := map[string]map[string]bool{}
	for a, h := range m.lock {
		if wanted[a] {
			for _, r := range h.rolls {
				if taken[h.asked] == nil {
					taken[h.asked] = map[string]bool{}
				}
				taken[h.asked][r] = true
			}
		}
	}
	for _, mv := range p.moved {
		from, to := "image."+mv[0], "image."+mv[1]
		if h := old[from]; h != nil && old[to] == nil && wanted[to] {
			old[to] = h
			delete(old, from)
		}
	}
	next := map[string]*held{}
	took := map[string]bool{} // orphans that got another name
	owner := map[string]string{}
	for _, im := range order(p) {
		a := im.address()
		h := &held{asked: m.asked(im, next), rolls: lock[a].rolls(), pick: max(1, im.pick)}
		next[a] = h
		if name := m.names[h.asked]; name == "" {
			m.names[h.asked] = lock[a].Request
		} else if name != lock[a].Request {
			w.broken("%s asks for %s, whose digest was %s and is %s", a, h.asked, name, lock[a].Request)
		}

		was := old[a]
		if was == nil && a != replace { // renamed, and nobody said so
			for _, o := range slices.Sorted(maps.Keys(old)) {
				if !wanted[o] && !took[o] && old[o].asked == h.asked {
					was, took[o] = old[o], true
					break
				}
			}
		}
		var has []string
		if was != nil && was.asked == h.asked && a != replace {
			has = was.rolls
			h.choice = was.choice
			if im.pick == 0 && h.choice > 0 {
				h.pick = h.choice
			}
		}
		if im.pick > 0 && lock[a].Pick == 0 {
			h.choice = 0 // what is written wins
		}
		if lock[a].Pick != h.choice {
			w.broken("the lock has candidate %d of %s, chosen was %d", lock[a].Pick, a, h.choice)
		}
		if was == nil && im.from != "" && a != replace {
			has = []string{sum(w.user[im.from])}
			if !slices.Contains(m.pool[h.asked], has[0]) {
				m.pool[h.asked] = append(m.pool[h.asked], has[0])
			}
		}
		if len(h.rolls) < len(has) || !slices.Equal(h.rolls[:len(has)], has) {
			w.broken("%s had %v and has %v", a, short(has), short(h.rolls))
		}
		free := []string{}
		if a != replace {
			for _, r := range m.pool[h.asked] {
				if !slices.Contains(has, r) && (im.share || !taken[h.asked][r] && owner[r] == "") {
					free = append(free, r)
				}
			}
		}
		need := max(0, im.n-len(has))
		need -= min(need, len(free))
		if want := max(im.n, len(has)); len(h.rolls) < want || len(h.rolls) > want && !im.share {
			w.broken("%s has %d pictures, the model %d", a, len(h.rolls), want)
		}
		fresh := 0
		for i, r := range h.rolls {
			if im.service && slices.Contains(h.rolls[:i], r) {
				w.broken("%s has the picture %s twice", a, short(h.rolls))
			}
			if o := owner[r]; o != "" && !im.share && im.service && !slices.Contains(has, r) {
				w.broken("%s and %s have the same picture %.8s, and do not share", a, o, r)
			}
			if !im.share {
				owner[r] = a
			}
			if !slices.Contains(m.pool[h.asked], r) {
				fresh++
				m.pool[h.asked] = append(m.pool[h.asked], r)
			}
		}
		// A sketch of what another image asks too is drawn again, the same and free.
		if fresh > need || im.service && fresh != need {
			w.broken("%s got %d new pictures, the model buys %d", a, fresh, need)
		}
		if received != nil && (received[a] > need || im.service && received[a] != need) {
			w.broken("%s received %d pictures, the model buys %d", a, received[a], need)
		}
		bought += need
		if im.service {
			charged += need
		}
	}
	m.lock = next
	return bought, charged
}

func short(rolls []string) []string {
	out := make([]string, len(rolls))
	for i, r := range rolls {
		out[i] = fmt.Sprintf("%.8s", r)
	}
	return out
}
