package plan

import (
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Asker tells which lock entries are what the configuration asks for, while
// there is no lock to plan with.
type Asker struct {
	m     maker
	moved map[spec.Address]spec.Address // old name to new
	known map[spec.Address]bool         // images whose content is settled
}

// NewAsker needs Images, Offer, Files and Moved of an input.
func NewAsker(in Input) *Asker {
	x := &Asker{m: maker{in: in, plan: &Plan{}}, moved: map[spec.Address]spec.Address{}, known: map[spec.Address]bool{}}
	x.m.state = make([]state, len(in.Images))
	for to, list := range in.Moved {
		for _, from := range list {
			x.moved[from] = to
		}
	}
	return x
}

// Wants answers for an entry. The request of an edit has its sources in it:
// settled is what the lock will have of them, nil where that is not known.
func (x *Asker) Wants(e *lock.Entry, settled func(spec.Address) *lock.Entry) lock.Answer {
	i, there := x.m.index(e.Address)
	yes := lock.Wanted
	if to, ok := x.moved[e.Address]; !there && ok {
		i, there = x.m.index(to)
		yes = lock.Moved
	}
	if !there {
		return lock.Absent
	}
	im := &x.m.in.Images[i]
	for _, a := range im.Edges() {
		x.source(a, settled)
	}
	held, request, _ := x.m.hold(im, e)
	if request != nil {
		return yes // ignore_changes = all: what it has is what it asks for
	}
	out := lock.Unknown
	for _, pinned := range []bool{false, true} {
		res, problems := x.m.resolve(held, e, pinned)
		if len(problems) > 0 {
			continue
		}
		dig, known := x.m.digest(held, &res)
		if !known {
			return lock.Unknown
		}
		if dig == e.Request {
			return yes
		}
		out = lock.Unwanted
	}
	return out
}

// source settles the content of an image that another one edits.
func (x *Asker) source(a spec.Address, settled func(spec.Address) *lock.Entry) {
	i, there := x.m.index(a)
	if !there || x.known[a] {
		return
	}
	x.known[a] = true
	e := settled(a)
	if e == nil {
		for _, from := range x.m.in.Moved[a] {
			if e = settled(from); e != nil {
				break
			}
		}
	}
	if e == nil {
		return
	}
	if w := x.Wants(e, settled); w != lock.Wanted && w != lock.Moved {
		return
	}
	if p := e.Picked(Pick(&x.m.in.Images[i], e)); p != nil {
		x.m.state[i].content = p.Content
	}
}
