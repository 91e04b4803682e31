package lock

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Codes of findings.
const (
	codeDamaged  = "IB0601"
	codeMarkers  = "IB0602"
	codeConflict = "IB0604"
	codeHalf     = "IB0605"
)

// Sides is what a lockfile with conflict markers says.
type Sides struct {
	Base         *Lock // nil if the markers do not have it
	Ours, Theirs *Lock
	Names        [2]string // what git calls ours and theirs: HEAD, a branch
}

const markerSize = 7 // of git, unless an attribute says otherwise

// marker is the length of the run of c that a line begins with, if the line can
// be a marker of git, and what stands behind it.
func marker(line []byte, c byte) (n int, name string) {
	for n < len(line) && line[n] == c {
		n++
	}
	if n < markerSize {
		return 0, ""
	}
	tail := bytes.TrimRight(line[n:], "\r\n")
	if len(tail) > 0 && tail[0] != ' ' {
		return 0, ""
	}
	return n, string(bytes.TrimSpace(tail))
}

// markers is a finding if git left conflict markers in a file.
func markers(b []byte) *diag.Finding {
	var f *diag.Finding
	offset := 0
	for line := range bytes.Lines(b) {
		for _, c := range []byte("<|=>") {
			n, _ := marker(line, c)
			// = and | alone might be anything.
			if n == 0 || f == nil && c != '<' && c != '>' {
				continue
			}
			at := finding(b, offset, codeMarkers, "has conflict markers of git; it can't be read until the conflict is settled", "imgbuild lock resolve")
			if f == nil {
				f = &at
			} else {
				f.Related = append(f.Related, diag.Related{Range: *at.Range, Text: string(line[:n])})
			}
			if c == '>' {
				return f // the first conflict says enough: there may be hundreds
			}
		}
		offset += len(line)
	}
	return f
}

// part is one side of a file with markers, and where its lines stand there.
type part struct {
	text   []byte
	starts []int // in the file, by line
}

func (p *part) add(line []byte, at int) {
	p.text, p.starts = append(p.text, line...), append(p.starts, at)
}

// parse reads a side; what is wrong with it is told where it stands in the file.
func (p *part) parse(b []byte, name string) (*Lock, diag.List) {
	l, findings := Parse(p.text)
	for i := range findings {
		f := &findings[i]
		at := len(b)
		if n := f.Range.Start.Line; n <= len(p.starts) {
			at = p.starts[n-1] + f.Range.Start.Byte - (bytes.LastIndexByte(p.text[:f.Range.Start.Byte], '\n') + 1)
		}
		text := strings.TrimPrefix(f.Text, File+": ")
		findings[i] = finding(b, at, codeHalf, fmt.Sprintf("%s of its conflict is no lock of its own: it %s", name, text), again)
	}
	return l, findings
}

// Driver is how git starts a merge of locks. Where imgbuild is not on the PATH
// that git has (a GUI's) or fails, git merges the lines as it does without a
// driver: else it would leave our side without markers, as if that were both.
const Driver = "imgbuild lock merge %O %A %B %P; r=$?; [ $r -gt 1 ] || exit $r; git merge-file -L ours -L base -L theirs %A %O %B"

// again is for what git or somebody's hand made of a conflict: with the driver
// git merges the file anew from what it has of both sides.
const again = "run imgbuild init and the git config line that it prints; then git checkout --merge " + File + " merges it anew"

// Unmarked is the finding for a lockfile that git holds in conflict and that is
// our side alone, without markers.
func Unmarked() diag.Finding {
	return diag.Finding{Severity: diag.Error, Code: codeHalf, Range: &diag.Range{File: File},
		Text: File + ": git holds it in conflict, and it has no markers and is our side alone: what theirs bought is not in it",
		Hint: again + "; if our side alone is meant: git add " + File}
}

// Split reads a lockfile with conflict markers of git, also with those of the
// styles diff3 and zdiff3.
func Split(b []byte) (*Sides, diag.List) {
	const (
		common = iota
		inOurs
		inBase
		inTheirs
	)
	var out Sides
	var ours, base, theirs part
	state, size, opened, based := common, 0, 0, true
	hadBase := false
	half := func(at int, what string) (*Sides, diag.List) {
		return nil, diag.List{finding(b, at, codeHalf, "has conflict markers that do not belong together: "+what, again)}
	}
	offset := 0
	for line := range bytes.Lines(b) {
		at := offset
		offset += len(line)
		is := func(c byte) (string, bool) {
			n, name := marker(line, c)
			// Longer and shorter ones are of a conflict within the base.
			return name, n > 0 && (size == 0 && c == '<' || n == size)
		}
		if name, ok := is('<'); ok {
			if state != common {
				return half(at, "a conflict begins within a conflict")
			}
			size, _ = marker(line, '<')
			state, opened, hadBase = inOurs, at, false
			out.Names[0] = cmp.Or(out.Names[0], name)
			continue
		}
		if _, ok := is('|'); ok && state == inOurs {
			state, hadBase = inBase, true
			continue
		}
		if _, ok := is('='); ok && (state == inOurs || state == inBase) {
			state, based = inTheirs, based && hadBase
			continue
		}
		if name, ok := is('>'); ok {
			if state != inTheirs {
				return half(at, "a conflict ends that did not begin")
			}
			state = common
			out.Names[1] = cmp.Or(out.Names[1], name)
			continue
		}
		if state == common || state == inOurs {
			ours.add(line, at)
		}
		if state == common || state == inBase {
			base.add(line, at)
		}
		if state == common || state == inTheirs {
			theirs.add(line, at)
		}
	}
	switch {
	case state != common:
		return half(opened, "this conflict does not end")
	case size == 0:
		return half(0, "there is no beginning of a conflict")
	}
	var l, more diag.List
	out.Ours, l = ours.parse(b, "our side")
	out.Theirs, more = theirs.parse(b, "their side")
	if l = append(l, more...); len(l) > 0 {
		return nil, l
	}
	for i, side := range []*Lock{out.Ours, out.Theirs} {
		if e := mixed(side); e != nil {
			name := [2]string{"our side", "their side"}[i]
			return nil, diag.List{finding(b, opened, codeHalf, fmt.Sprintf("%s of its conflict has the pictures of one branch beside the files of another: %s", name, e.Address), again)}
		}
	}
	if based {
		// With zdiff3 it may be no lock at all: then both sides must do.
		out.Base, _ = Parse(base.text)
	}
	return &out, nil
}

// mixed is an entry with a file that is a copy of one of its candidates by its
// recipe, and by its content is not: what stands round the markers of a conflict
// is what git made of both sides line by line.
func mixed(l *Lock) *Entry {
	for i := range l.Entries {
		e := &l.Entries[i]
		for k := range e.Outputs {
			o := &e.Outputs[k]
			r, err := spec.ParseRecipe(o.Recipe)
			if err != nil || o.Recipe == "" || o.Of.IsZero() || o.Content == o.Of {
				continue
			}
			for _, c := range e.Candidates {
				if format, ok := strings.CutPrefix(c.MIME, "image/"); ok && c.Content == o.Of && r.Verbatim(format) {
					return e
				}
			}
		}
	}
	return nil
}

// Text is what was settled, with markers of git around what is in conflict, so
// that Split reads the sides again.
func (m *Merged) Text(names [2]string) []byte {
	if len(m.Conflicts) == 0 {
		return m.Lock.Bytes()
	}
	settled := m.Lock.Entries
	var b []byte
	section := func(list []Entry, comma bool) {
		for i := range list {
			b = appendEntry(b, &list[i], comma || i+1 < len(list))
		}
	}
	hunk := func(ours, base, theirs []Entry, comma bool) {
		b = append(b, "<<<<<<< "+cmp.Or(names[0], "ours")+"\n"...)
		section(ours, comma)
		b = append(b, "||||||| base\n"...)
		section(base, comma)
		b = append(b, "=======\n"...)
		section(theirs, comma)
		b = append(b, ">>>>>>> "+cmp.Or(names[1], "theirs")+"\n"...)
	}
	b = append(b, fmt.Sprintf("{\n  \"format\": %d,\n  \"images\": {\n", Format)...)
	if len(settled) == 0 {
		// One conflict, so that each side knows which entry is its last.
		var all Conflict
		for _, c := range m.Conflicts {
			all.Ours, all.Base, all.Theirs = append(all.Ours, c.Ours...), append(all.Base, c.Base...), append(all.Theirs, c.Theirs...)
		}
		hunk(all.Ours, all.Base, all.Theirs, false)
		return append(b, "  }\n}\n"...)
	}
	// A settled entry stands last: every entry of a conflict then has its comma,
	// and a side may be without any.
	next := 0
	for i := range settled {
		last := i+1 == len(settled)
		for next < len(m.Conflicts) && (last || m.Conflicts[next].Addresses[0] < settled[i].Address) {
			c := &m.Conflicts[next]
			hunk(c.Ours, c.Base, c.Theirs, true)
			next++
		}
		b = appendEntry(b, &settled[i], !last)
	}
	return append(b, "  }\n}\n"...)
}

// appendEntry writes an entry as Bytes does, on lines of its own.
func appendEntry(b []byte, e *Entry, comma bool) []byte {
	b = appendString(append(b, "    "...), string(e.Address))
	b = e.append(append(b, ": "...))
	if comma {
		b = append(b, ',')
	}
	return append(b, '\n')
}

// Whole is two texts that can't be merged as one conflict, which is what git
// makes of them.
func Whole(ours, theirs []byte) []byte {
	line := func(b []byte) []byte {
		if len(b) > 0 && b[len(b)-1] != '\n' {
			return append(slices.Clone(b), '\n')
		}
		return b
	}
	return slices.Concat([]byte("<<<<<<< ours\n"), line(ours), []byte("=======\n"), line(theirs), []byte(">>>>>>> theirs\n"))
}

// Finding tells of a conflict; text is the file that has it, nil if there is
// none.
func (c *Conflict) Finding(text []byte) diag.Finding {
	var names []string
	for _, a := range c.Addresses {
		names = append(names, string(a))
	}
	side := func(list []Entry) string {
		if len(list) == 0 {
			return "nothing"
		}
		var all []string
		for i := range list {
			what := Bought(list[i].Candidates)
			if c.Path != "" {
				what = string(list[i].Address) + " with " + what
			}
			if n := len(list[i].Refused); n > 0 && len(list[i].Candidates) == 0 {
				what = fmt.Sprintf("%d refused", n)
			}
			all = append(all, what)
		}
		return strings.Join(all, ", ")
	}
	a := c.Addresses[0]
	quoted := "'" + string(a) + "'"
	f := diag.Finding{Severity: diag.Error, Code: codeConflict, Address: string(a),
		Text: fmt.Sprintf("%s: %s: ours has %s, theirs has %s", strings.Join(names, " and "), c.Why, side(c.Ours), side(c.Theirs)),
		Hint: "imgbuild lock resolve -ours=" + quoted + ", or -theirs=" + quoted}
	f.Range = &diag.Range{File: File}
	if i := place(text, a); i >= 0 {
		f.Range = finding(text, i, "", "", "").Range
	}
	return f
}

// place is where a file has the entry of an address, or -1.
func place(text []byte, a spec.Address) int {
	return bytes.Index(text, append(appendString(nil, string(a)), ':'))
}

// Bought counts pictures and what was paid for them.
func Bought(list []provider.Image) string {
	var sum provider.Money
	for i := range list {
		sum += list[i].Price
	}
	text := fmt.Sprintf("%d pictures", len(list))
	switch len(list) {
	case 0:
		return "no picture"
	case 1:
		text = "1 picture"
	}
	if sum == 0 {
		return text + ", free"
	}
	return text + " for " + sum.String()
}

// Conflicted reports whether Parse found conflict markers.
func Conflicted(l diag.List) bool { return len(l) == 1 && l[0].Code == codeMarkers }
