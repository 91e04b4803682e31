package lock

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Approval is somebody's yes to a picture. It names the picture by its content,
// so it can never be taken for a yes to another one.
type Approval struct {
	Content digest.Content // of the candidate: what every file is made from
	By      string         // who, as they call themselves; nobody checks it
	Note    string
}

// How long the texts of an approval may be, in bytes: they stand in one line of
// a file that people review.
const (
	MaxBy   = 200
	MaxNote = 1000
)

// Check tells what is wrong with the texts of an approval.
func (a *Approval) Check() error {
	for _, f := range []struct {
		name, text string
		most       int
	}{{"name", a.By, MaxBy}, {"note", a.Note, MaxNote}} {
		switch {
		case len(f.text) > f.most:
			return fmt.Errorf("whose %s has more than %d bytes", f.name, f.most)
		case diag.Clean(f.text) != f.text:
			return fmt.Errorf("whose %s has a character that can't be shown, or more than one line", f.name)
		}
	}
	return nil
}

// Of reports whether the approval is of a picture; nil is of none.
func (a *Approval) Of(c *provider.Image) bool { return a != nil && c != nil && a.Content == c.Content }

// inUse reports whether a picture is the one that an entry uses: files are made
// of it, or if there are none it is the pick. A pick in the configuration shows in
// the files alone.
func (e *Entry) inUse(c digest.Content) bool {
	for i := range e.Outputs {
		if !e.Outputs[i].Of.IsZero() {
			return e.Outputs[i].Of == c
		}
	}
	return e.used().Content == c
}

// approval is the one of a merged entry, and a word on it where both sides gave
// another one: that of the picture in use counts. One of a picture that is not in
// use says nothing, so where neither is, which of them stays only must not
// depend on who is ours; and so where two people said yes to one picture.
func (f *facts) approval(e *Entry, took Side) (*Approval, string) {
	value := func(a *Approval) (v Approval) {
		if a != nil {
			v = *a
		}
		return v
	}
	o, t := value(f.o.Approved), value(f.t.Approved)
	s, why := three(value(f.was), o, t), ""
	if s == Neither {
		switch ours, theirs := e.inUse(o.Content), e.inUse(t.Content); {
		case ours != theirs && ours:
			s = Ours
		case ours != theirs:
			s = Theirs
		case took == Ours || took == Theirs:
			s = took
		case cmp.Or(strings.Compare(o.Content.String(), t.Content.String()), strings.Compare(o.By, t.By), strings.Compare(o.Note, t.Note)) < 0:
			s = Ours
		default:
			s = Theirs
		}
		why = "of two approvals the one of the picture in use stays"
		if o.Content == t.Content {
			why = "of two approvals of one picture one stays"
		} else if !e.inUse(value(f.of(s).Approved).Content) {
			why = "of two approvals, neither of the picture in use, one stays"
		}
		if by := value(f.of(s).Approved).By; by != "" {
			why += ", by " + by
		}
	}
	return f.of(s).Approved, why
}
