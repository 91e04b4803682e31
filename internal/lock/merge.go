package lock

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Side is one of the two locks of a merge, by the name that git has for it.
type Side int

const (
	Neither Side = iota
	Ours
	Theirs
	Both
)

func (s Side) String() string { return [...]string{"neither", "ours", "theirs", "both"}[s] }

// MarshalText makes a side a word of JSON.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Side) other() Side { return Ours + Theirs - s }

// Answer is what the configuration says to an entry.
type Answer int

const (
	Unknown  Answer = iota // there is no telling
	Wanted                 // it asks for the request of the entry
	Unwanted               // it asks for another one
	Absent                 // it does not have the image
	Moved                  // it asks for the request, under the name that a moved block gives the image
)

func (a Answer) yes() bool { return a == Wanted || a == Moved }

// Judge is what a merge may ask where both sides changed one thing. Each
// function may be nil.
type Judge struct {
	// Forced is the side that somebody named for an image, or Neither.
	Forced func(a spec.Address, paths []string) Side
	// Wants is what the configuration says to an entry. What an edit asks for
	// depends on its source: settled is the merged entry of another address,
	// nil where there is none or it is in conflict.
	Wants func(e *Entry, settled func(spec.Address) *Entry) Answer
	// Disk is the content of a file, zero if there is none.
	Disk func(path string) digest.Content
}

// Merged is what came of a merge.
type Merged struct {
	Lock      *Lock // without the images that are in conflict
	Choices   []Choice
	Conflicts []Conflict
}

// Choice is how an image was settled that both sides changed. Choices and
// conflicts are sorted by address.
type Choice struct {
	Address spec.Address
	Took    Side
	Why     string
	// Dropped are pictures that one side bought and that the lock does not
	// record any more. They stay in the store that they were bought into.
	Dropped []provider.Image
}

// Conflict is an image that both sides changed, or two that claim one path,
// where nothing says which counts. The entries are as the sides have them.
type Conflict struct {
	Addresses          []spec.Address
	Path               string // that both claim, or ""
	Why                string
	Base, Ours, Theirs []Entry
}

// Merge merges two locks that were made from base, which is nil if it is not
// known. What only one side changed is taken. Where both changed an image:
//
//   - The same request on both sides: the candidates of both are kept, for all
//     are paid for; pick and outputs are merged one by one.
//   - Another request on each: the one that the configuration asks for.
//   - Changed on one side and removed on the other: kept, because the next plan
//     removes for free what is not wanted, but buys again what was thrown away.
//   - Renamed on one side and changed on the other: the change, under the new
//     name. Where markers of git do not show that it was renamed, an image that
//     the configuration does not have goes to the one that asks for its request.
//
// The result depends on what the sides hold and not on which of them is ours,
// but for Forced.
func Merge(base, ours, theirs *Lock, j Judge) *Merged {
	if base == nil {
		base = &Lock{}
	}
	m := &merger{base: base, ours: ours, theirs: theirs, judge: j, settled: map[spec.Address]*outcome{}, renamed: map[spec.Address]rename{}, now: map[spec.Address]spec.Address{}}
	m.findRenames(Ours)
	m.findRenames(Theirs)
	for _, l := range []*Lock{base, ours, theirs} {
		for i := range l.Entries {
			if a := l.Entries[i].Address; m.now[a] == "" {
				m.settle(a)
			}
		}
	}
	m.adopt()
	m.claims()
	return m.result()
}

type rename struct {
	from spec.Address
	by   Side
}

type outcome struct {
	base, ours, theirs *Entry       // as the sides have them, under the address that counts
	entry              *Entry       // nil: gone, or in conflict
	adopted            spec.Address // where entry comes from
	choice             *Choice
	conflict           *Conflict
}

type merger struct {
	base, ours, theirs *Lock
	judge              Judge
	settled            map[spec.Address]*outcome
	renamed            map[spec.Address]rename       // by the new name
	now                map[spec.Address]spec.Address // new names, by the old one
}

func (m *merger) lock(s Side) *Lock {
	if s == Ours {
		return m.ours
	}
	return m.theirs
}

// same compares entries without their addresses.
func same(a, b *Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Request == b.Request && bytes.Equal(a.append(nil), b.append(nil))
}

// findRenames finds the images that one side renamed while the other changed
// them under the old name. A renamed image keeps its candidates, which no other
// image of that side then has unless they share.
func (m *merger) findRenames(by Side) {
	here, there := m.lock(by), m.lock(by.other())
	was := map[digest.Content]spec.Address{}
	for i := range m.base.Entries {
		b := &m.base.Entries[i]
		if t := there.Get(b.Address); here.Get(b.Address) == nil && t != nil && !same(t, b) {
			for _, c := range b.Candidates {
				was[c.Content] = b.Address
			}
		}
	}
	if len(was) == 0 {
		return
	}
	now := map[spec.Address][]spec.Address{}
	for i := range here.Entries {
		e := &here.Entries[i]
		for _, c := range e.Candidates {
			if from, ok := was[c.Content]; ok && m.base.Get(from).Request == e.Request {
				now[from] = append(now[from], e.Address)
				break
			}
		}
	}
	for from, to := range now {
		if a := to[0]; len(to) == 1 && m.base.Get(a) == nil && there.Get(a) == nil && m.renamed[a].by == Neither {
			m.renamed[a], m.now[from] = rename{from, by}, a
		}
	}
}

func (m *merger) sides(a spec.Address) (b, o, t *Entry) {
	r := m.renamed[a]
	if r.by == Neither {
		return m.base.Get(a), m.ours.Get(a), m.theirs.Get(a)
	}
	named := func(e *Entry) *Entry { c := *e; c.Address = a; return &c }
	b = named(m.base.Get(r.from))
	if r.by == Ours {
		return b, m.ours.Get(a), named(m.theirs.Get(r.from))
	}
	return b, named(m.ours.Get(r.from)), m.theirs.Get(a)
}

// settle merges the entries of one address, once.
func (m *merger) settle(a spec.Address) *outcome {
	if out := m.settled[a]; out != nil {
		return out
	}
	out := &outcome{}
	m.settled[a] = out
	b, o, t := m.sides(a)
	out.base, out.ours, out.theirs = b, o, t
	switch {
	case same(o, t), same(b, t):
		out.entry = o
	case same(b, o):
		out.entry = t
	case o == nil || t == nil:
		m.removed(out)
	default:
		m.changed(out)
	}
	if r := m.renamed[a]; r.by != Neither && out.choice == nil && out.conflict == nil {
		out.choice = &Choice{Address: a, Took: Both, Why: r.by.String() + " renamed " + string(r.from) + ", " + r.by.other().String() + " changed it"}
	}
	return out
}

func (m *merger) forced(entries ...*Entry) Side {
	if m.judge.Forced == nil {
		return Neither
	}
	var a spec.Address
	var paths []string
	for _, e := range entries {
		if e != nil {
			a = e.Address
			for i := range e.Outputs {
				paths = append(paths, e.Outputs[i].Path)
			}
		}
	}
	return m.judge.Forced(a, paths)
}

func (m *merger) wants(e *Entry) Answer {
	if m.judge.Wants == nil {
		return Unknown
	}
	return m.judge.Wants(e, func(a spec.Address) *Entry {
		return m.settle(cmp.Or(m.now[a], a)).entry
	})
}

// onDisk is the side whose files are on disk at these paths, or Neither.
func (m *merger) onDisk(paths []string, o, t *Entry) Side {
	if m.judge.Disk == nil {
		return Neither
	}
	ours, theirs := true, true
	differ := false
	for _, p := range paths {
		oo, to := o.Output(p), t.Output(p)
		if oo == nil || to == nil || oo.Content == to.Content {
			continue
		}
		found := m.judge.Disk(p)
		differ, ours, theirs = true, ours && found == oo.Content, theirs && found == to.Content
	}
	switch {
	case !differ || ours == theirs:
		return Neither
	case ours:
		return Ours
	}
	return Theirs
}

// removed settles an image that one side changed and the other removed.
func (m *merger) removed(out *outcome) {
	kept, side := out.ours, Ours
	if kept == nil {
		kept, side = out.theirs, Theirs
	}
	if kept.Digest() == out.base.Digest() {
		return // it was approved there, or that was taken back: nothing would be lost
	}
	if m.forced(kept) == side.other() {
		out.choice = &Choice{Address: kept.Address, Took: side.other(), Why: "as you said; " + side.String() + " changed what " + side.other().String() + " removed"}
		return
	}
	out.entry = kept
	out.choice = &Choice{Address: kept.Address, Took: side, Why: "changed there and removed on the other side; if it is not wanted, the next plan removes it"}
}

// changed settles an image that both sides changed, each in its own way.
func (m *merger) changed(out *outcome) {
	b, o, t := out.base, out.ours, out.theirs
	took, why := m.forced(o, t), "as you said"
	if took == Neither && o.Request != t.Request {
		if took, why = m.request(b, o, t); took == Neither {
			out.conflict = &Conflict{Why: why}
			return
		}
	}
	f := facts{b: b, o: o, t: t}
	if b != nil {
		f.was = b.Approved
	}
	if o.Request == t.Request {
		if b == nil || b.Request != o.Request {
			f.b = nil // what it had for another request says nothing
		}
	} else {
		f.request = took
	}
	f.compare()
	if len(f.contested) > 0 || f.pick == Neither {
		if took == Neither {
			if took, why = m.onDisk(f.contested, o, t), "its files are on disk"; took == Neither {
				out.conflict = &Conflict{Why: "both sides hold pictures for one request, and each uses another one or made other files of it"}
				if len(o.Candidates) == 0 || slices.Equal(o.Candidates, t.Candidates) {
					out.conflict.Why = "both sides hold the same pictures, and each uses another one or made other files of it"
				}
				return
			}
		}
	}
	out.entry = f.merge(took)
	c := &Choice{Address: o.Address, Took: took, Why: why}
	if o.Request == t.Request && took == Neither {
		c.Took, c.Why = Both, "both sides changed other things of it"
	}
	if o.Request == t.Request && len(f.candidates) > max(len(o.Candidates), len(t.Candidates)) {
		if c.Why = "both sides bought pictures for one request; all are kept"; took != Neither {
			c.Why += ", and " + took.String() + " is in use: " + why
		}
		c.Took = Both
	}
	if f.approved != "" {
		c.Why += "; " + f.approved
	}
	out.choice = c
}

// request decides between two requests.
func (m *merger) request(b, o, t *Entry) (Side, string) {
	bought := func(e *Entry) bool {
		return b == nil || b.Request != e.Request || !slices.Equal(b.Candidates, e.Candidates)
	}
	switch {
	case len(o.Candidates)+len(t.Candidates) == 0: // nothing was paid for
		if o.Request.String() > t.Request.String() {
			return Ours, "neither has a picture"
		}
		return Theirs, "neither has a picture"
	case len(t.Candidates) == 0:
		return Ours, "only it has a picture"
	case len(o.Candidates) == 0:
		return Theirs, "only it has a picture"
	case !bought(o):
		return Theirs, "only it bought a picture; files and pick are merged"
	case !bought(t):
		return Ours, "only it bought a picture; files and pick are merged"
	}
	wo, wt := m.wants(o), m.wants(t)
	switch {
	case wo.yes() && !wt.yes():
		return Ours, "the configuration asks for it"
	case wt.yes() && !wo.yes():
		return Theirs, "the configuration asks for it"
	case wo == Unknown || wt == Unknown:
		return Neither, "both sides bought a picture, each for another request"
	case wo == Unwanted:
		return Neither, "both sides bought a picture, each for another request, and the configuration asks for neither"
	}
	var paths []string
	for i := range o.Outputs {
		paths = append(paths, o.Outputs[i].Path)
	}
	if s := m.onDisk(paths, o, t); s != Neither {
		return s, "its files are on disk"
	}
	if wo == Absent {
		return Neither, "both sides bought a picture, each for another request, and the configuration does not have the image"
	}
	return Neither, "both sides bought a picture, each for another request, and the configuration takes either"
}

// facts are the three versions of an image, fact by fact.
type facts struct {
	b, o, t    *Entry
	was        *Approval // of the base, which holds also where its request is another one
	approved   string    // what to say of two approvals, or ""
	request    Side      // whose request counts; Neither: both have the same
	pick       Side      // whose pick; Both: they agree, Neither: contested
	outputs    map[string]Side
	contested  []string // paths
	candidates []provider.Image
}

// three says which side's version of a fact counts: Both if they agree, Neither
// if each changed it. What one side changed and the other took away is kept.
func three[T comparable](b, o, t T) Side {
	var none T
	switch {
	case o == t:
		return Both
	case o == b, t != b && o == none:
		return Theirs
	case t == b, t == none:
		return Ours
	}
	return Neither
}

// used is the candidate that an entry uses unless the configuration says
// otherwise; the zero image if it has none.
func (e *Entry) used() (c provider.Image) {
	if e == nil {
		return c
	}
	if p := cmp.Or(e.Picked(e.Pick), e.Picked(1)); p != nil {
		c = *p
	}
	return c
}

// made is the output of an entry at a path without what is for people.
func (e *Entry) made(path string) (out Output) {
	if e != nil {
		if p := e.Output(path); p != nil {
			out = *p
			out.Encoder = ""
		}
	}
	return out
}

func (f *facts) compare() {
	f.pick = Both
	if f.request == Neither {
		f.pick = three(f.b.used(), f.o.used(), f.t.used())
	}
	f.outputs = map[string]Side{}
	for _, e := range []*Entry{f.o, f.t} {
		for i := range e.Outputs {
			p := e.Outputs[i].Path
			if _, known := f.outputs[p]; known {
				continue
			}
			s := three(f.b.made(p), f.o.made(p), f.t.made(p))
			if s == Neither {
				if s = f.request; s == Neither {
					f.contested = append(f.contested, p)
				}
			}
			f.outputs[p] = s
		}
	}
	slices.Sort(f.contested)
}

// lead is the side whose candidates keep their numbers: that which chose, else
// the only one that made files of what it has, else the one that is first by
// what it has, which does not depend on who is ours.
func (f *facts) lead(took Side) Side {
	if took != Neither {
		return took
	}
	sides := slices.Collect(maps.Values(f.outputs))
	ours := f.pick == Ours || slices.Contains(sides, Ours)
	theirs := f.pick == Theirs || slices.Contains(sides, Theirs)
	switch {
	case ours && !theirs:
		return Ours
	case theirs && !ours:
		return Theirs
	}
	byContent := func(a, b provider.Image) int { return bytes.Compare(a.Content[:], b.Content[:]) }
	if cmp.Or(slices.CompareFunc(f.o.Candidates, f.t.Candidates, byContent), bytes.Compare(f.o.append(nil), f.t.append(nil))) <= 0 {
		return Ours
	}
	return Theirs
}

func (f *facts) of(s Side) *Entry {
	if s == Theirs {
		return f.t
	}
	return f.o
}

// merge puts the facts together. took decides what is contested.
func (f *facts) merge(took Side) *Entry {
	lead := f.lead(took)
	first, second := f.of(lead), f.of(lead.other())
	e := &Entry{Address: f.o.Address, Request: first.Request, fields: first.fields, Pick: first.Pick}
	e.Candidates = slices.Clone(first.Candidates)
	if f.request == Neither {
		e.Candidates = append(e.Candidates, missing(second.Candidates, first.Candidates)...)
		e.fields = f.fields()
		used := f.pick
		if used == Neither {
			used = took
		}
		e.Pick = 1 + slices.Index(e.Candidates, f.of(used).used())
		if e.Pick == 1 {
			e.Pick = 0 // which is what a lock says by saying nothing
		}
	}
	f.candidates = e.Candidates
	has := map[digest.Content]bool{}
	for i := range e.Candidates {
		has[e.Candidates[i].Content] = true
	}
	for p, s := range f.outputs {
		if s == Neither {
			s = took
		}
		out := f.of(s).Output(p)
		if out == nil {
			continue // taken away
		}
		if s == Both { // but for the encoder, perhaps
			if other := f.t.Output(p); other.Encoder < out.Encoder {
				out = other
			}
		}
		made := *out
		if !has[made.Of] {
			made.Of = digest.Content{}
		}
		e.Outputs = append(e.Outputs, made)
	}
	slices.SortFunc(e.Outputs, func(a, b Output) int { return cmp.Compare(a.Path, b.Path) })
	e.Refused = f.refused(first, second)
	e.Approved, f.approved = f.approval(e, took)
	return e
}

// missing is what list has and from lacks, counting repeats: equal bytes that
// were bought twice are two candidates.
func missing[T comparable](list, from []T) (out []T) {
	if len(list) == 0 {
		return nil
	}
	rest := make(map[T]int, len(from))
	for _, x := range from {
		rest[x]++
	}
	for _, x := range list {
		if rest[x] > 0 {
			rest[x]--
		} else {
			out = append(out, x)
		}
	}
	return out
}

// refused are the refusals of both sides without those that one of them
// dropped.
func (f *facts) refused(first, second *Entry) []Refusal {
	out := slices.Concat(first.Refused, missing(second.Refused, first.Refused))
	if f.b == nil {
		return out
	}
	dropped := slices.Concat(missing(f.b.Refused, first.Refused), missing(f.b.Refused, second.Refused))
	return missing(out, dropped)
}

// fields of equal requests differ where one side left out what is sensitive
// now: that must not come back.
func (f *facts) fields() fields {
	text := func(e *Entry) string {
		if e == nil {
			return ""
		}
		x := Entry{fields: e.fields}
		return string(x.append(nil))
	}
	o, t := text(f.o), text(f.t)
	switch s := three(text(f.b), o, t); {
	case s == Theirs, s == Neither && cmp.Or(cmp.Compare(len(t), len(o)), cmp.Compare(t, o)) < 0:
		return f.t.fields
	}
	return f.o.fields
}

// adopt gives an image that one side has alone, and that the configuration does
// not have, to an image whose entry is of another request than it asks for: git
// put the new name into both sides, and the change under the old one.
func (m *merger) adopt() {
	if m.judge.Wants == nil {
		return
	}
	if base := m.base.Bytes(); bytes.Equal(base, m.ours.Bytes()) || bytes.Equal(base, m.theirs.Bytes()) {
		return // one side did nothing
	}
	all := slices.Sorted(maps.Keys(m.settled))
	var strays []spec.Address
	for _, a := range all {
		out := m.settled[a]
		if out.entry == nil || (out.ours == nil) == (out.theirs == nil) || len(out.entry.Candidates) == 0 {
			continue
		}
		if w := m.wants(out.entry); w == Absent || w == Moved {
			strays = append(strays, a)
		}
	}
	for _, a := range all {
		out := m.settled[a]
		if len(strays) == 0 {
			return
		}
		if out.entry == nil || m.wants(out.entry) != Unwanted {
			continue
		}
		for i, from := range strays {
			x := *m.settled[from].entry
			x.Address = a
			if m.wants(&x) != Wanted {
				continue
			}
			f := facts{o: out.entry, t: &x, request: Theirs}
			f.compare()
			own := out.entry.Candidates
			out.entry = f.merge(Theirs)
			out.choice = &Choice{Address: a, Took: Both, Why: "it was " + string(from) + " on one side, whose request the configuration asks for under this name",
				Dropped: missing(own, out.entry.Candidates)}
			out.adopted = from
			m.settled[from].entry, m.settled[from].choice = nil, nil
			strays = slices.Delete(strays, i, i+1)
			break
		}
	}
}

// claims settles paths that two images hold once both sides are one.
func (m *merger) claims() {
	owner := map[string]spec.Address{}
	for _, a := range slices.Sorted(maps.Keys(m.settled)) {
		out := m.settled[a]
		if out.entry == nil {
			continue
		}
		for _, o := range slices.Clone(out.entry.Outputs) {
			first := m.settled[owner[o.Path]]
			switch {
			case out.entry == nil: // in conflict since the last path
			case first == nil || first.entry == nil:
				owner[o.Path] = a
			case m.claim(o.Path, first, out) == first:
				owner[o.Path] = a
			}
		}
	}
}

// claim settles a path that two images hold, each by one side, and returns the
// one that gave it up; nil if that is neither, or both are in conflict now.
func (m *merger) claim(path string, x, y *outcome) *outcome {
	held := func(out *outcome) (s Side) {
		if out.ours != nil && out.ours.Output(path) != nil {
			s |= Ours
		}
		if out.theirs != nil && out.theirs.Output(path) != nil {
			s |= Theirs
		}
		return s
	}
	if held(x) == held(y) {
		return nil // so it was before
	}
	// The one that loses where a side wins. With markers of git a side can hold
	// what is new in the other one.
	keeps := func(side Side) *outcome {
		switch {
		case side == Neither:
		case held(x) == side, held(y)&side == 0:
			return y
		case held(y) == side, held(x)&side == 0:
			return x
		}
		return nil
	}
	xo, yo := x.entry.Output(path), y.entry.Output(path)
	var loser *outcome
	why := "you said so"
	if loser = keeps(m.forced(x.entry)); loser == nil {
		loser = keeps(m.forced(y.entry))
	}
	if loser == nil {
		wx, wy := m.wants(x.entry), m.wants(y.entry)
		why = "the configuration does not have this image"
		if wx == Absent && wy != Absent && wy != Unknown {
			loser = x
		} else if wy == Absent && wx != Absent && wx != Unknown {
			loser = y
		}
	}
	if loser == nil && xo.Content == yo.Content {
		loser, why = y, "both hold the same file"
	}
	if loser == nil && m.judge.Disk != nil {
		why = "its file is on disk"
		switch m.judge.Disk(path) {
		case xo.Content:
			loser = y
		case yo.Content:
			loser = x
		}
	}
	if loser == nil {
		m.clash(path, x, y)
		return nil
	}
	keeper := x
	if loser == x {
		keeper = y
	}
	e := *loser.entry
	e.Outputs = slices.DeleteFunc(slices.Clone(e.Outputs), func(o Output) bool { return o.Path == path })
	loser.entry = &e
	note := path + " is now a file of " + string(keeper.entry.Address) + " alone, for "
	if loser.choice == nil {
		loser.choice = &Choice{Address: e.Address, Took: Both, Why: note + why}
	} else {
		loser.choice.Why += "; " + note + why
	}
	return loser
}

func (m *merger) clash(path string, x, y *outcome) {
	c := &Conflict{Path: path, Why: "both sides made " + path + ", each for another image", Addresses: []spec.Address{x.entry.Address, y.entry.Address}}
	x.entry, y.entry, x.choice, y.choice = nil, nil, nil, nil
	x.conflict = c
	y.conflict = c
}

// result gathers what was settled.
func (m *merger) result() *Merged {
	out := &Merged{Lock: &Lock{}}
	kept := map[digest.Content]bool{}
	var conflicts []*Conflict
	all := slices.Sorted(maps.Keys(m.settled))
	for _, a := range all {
		if e := m.settled[a].entry; e != nil {
			out.Lock.Entries = append(out.Lock.Entries, *e)
			for i := range e.Candidates {
				kept[e.Candidates[i].Content] = true
			}
		}
	}
	for _, a := range all {
		s := m.settled[a]
		if c := s.choice; c != nil {
			for _, e := range []*Entry{s.ours, s.theirs} {
				if e == nil {
					continue
				}
				for _, p := range e.Candidates {
					old := s.base != nil && slices.Contains(s.base.Candidates, p)
					if !old && !kept[p.Content] && !slices.Contains(c.Dropped, p) {
						c.Dropped = append(c.Dropped, p)
					}
				}
			}
			out.Choices = append(out.Choices, *c)
		}
		c := s.conflict
		if c == nil {
			continue
		}
		if len(c.Addresses) == 0 {
			c.Addresses = []spec.Address{a}
		}
		add := func(list *[]Entry, l *Lock) {
			for _, name := range []spec.Address{a, m.renamed[a].from, s.adopted} {
				if e := l.Get(name); e != nil && name != "" {
					*list = append(*list, *e)
				}
			}
		}
		add(&c.Base, m.base)
		add(&c.Ours, m.ours)
		add(&c.Theirs, m.theirs)
		if !slices.Contains(conflicts, c) {
			conflicts = append(conflicts, c)
		}
	}
	for _, c := range conflicts {
		out.Conflicts = append(out.Conflicts, *c)
	}
	return out
}
