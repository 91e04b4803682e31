package lock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// entries writes locks in one line: "a=r1:x,y>2 p.png:x !refused +x/jo" is
// image.a with candidates x and y for the request r1, the pick 2, a file made of
// x, a refusal, and an approval of x by jo. Entries are separated by ";".
func entries(t testing.TB, text string) *Lock {
	l := &Lock{}
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		words := strings.Fields(part)
		name, rest, ok := strings.Cut(words[0], "=")
		if !ok {
			t.Fatalf("%q is no entry", part)
		}
		e := Entry{Address: addr("image." + name)}
		req, list, _ := strings.Cut(rest, ":")
		if req != "" {
			e.Request = request(req)
			e.SetFields([]provider.Field{{Name: "prompt", Value: req}})
		}
		list, pick, _ := strings.Cut(list, ">")
		if pick != "" {
			e.Pick = int(pick[0] - '0')
		}
		for _, c := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
			e.Candidates = append(e.Candidates, provider.Image{Content: content(c), MIME: "image/png", Price: provider.Dollar / 50})
		}
		for _, w := range words[1:] {
			if r, ok := strings.CutPrefix(w, "!"); ok {
				e.Refused = append(e.Refused, Refusal{Request: request(r), Reason: "moderated", Price: 1})
				continue
			}
			if a, ok := strings.CutPrefix(w, "+"); ok {
				of, by, _ := strings.Cut(a, "/")
				e.Approved = &Approval{Content: content(of), By: by}
				continue
			}
			path, of, _ := strings.Cut(w, ":")
			out := Output{Path: path, Content: content(path + of), Recipe: "format=png"}
			if slices.ContainsFunc(e.Candidates, func(c provider.Image) bool { return c.Content == content(of) }) {
				out.Of = content(of)
			}
			e.Outputs = append(e.Outputs, out)
		}
		l.Set(e)
	}
	return l
}

// asks is a configuration that asks for the requests of entries.
func asks(l *Lock) func(*Entry, func(spec.Address) *Entry) Answer {
	return func(e *Entry, _ func(spec.Address) *Entry) Answer {
		want := l.Get(e.Address)
		switch {
		case want == nil:
			return Absent
		case want.Request == e.Request:
			return Wanted
		}
		return Unwanted
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		base, ours, theirs string
		config             string // "" for one that can't be read
		disk               string // files of entries that are on disk
		force              Side
		want               string // "" for a conflict
		say                string // in a choice or a conflict
	}{
		{name: "different images", base: "a=r:1 a.png:1", ours: "a=r:1 a.png:1; b=s:2 b.png:2", theirs: "a=r:1 a.png:1; c=t:3", want: "a=r:1 a.png:1; b=s:2 b.png:2; c=t:3"},
		{name: "one side", base: "a=r:1; b=s:2", ours: "a=r:1; b=s:2", theirs: "a=q:3; b=s:2", want: "a=q:3; b=s:2"},
		{name: "one side removes", base: "a=r:1; b=s:2", ours: "b=s:2", theirs: "a=r:1; b=s:2", want: "b=s:2"},
		{name: "both alike", base: "a=r:1", ours: "a=q:2", theirs: "a=q:2", want: "a=q:2"},
		{name: "both otherwise, no configuration", base: "a=r:1", ours: "a=q:2", theirs: "a=s:3,4", say: "image.a: both sides bought a picture, each for another request: ours has 1 picture for $0.02, theirs has 2 pictures for $0.04"},
		{name: "both otherwise, asked for", base: "a=r:1", ours: "a=q:2 a.png:2", theirs: "a=s:3 a.png:3", config: "a=s:", want: "a=s:3 a.png:3", say: "theirs: the configuration asks for it [2]"},
		{name: "both otherwise, neither", base: "a=r:1", ours: "a=q:2", theirs: "a=s:3", config: "a=x:", say: "the configuration asks for neither"},
		{name: "both otherwise, said", base: "a=r:1", ours: "a=q:2", theirs: "a=s:3", config: "a=s:", force: Ours, want: "a=q:2", say: "ours: as you said [3]"},
		{name: "not in the configuration, on disk", base: "a=r:1", ours: "a=q:2 a.png:2", theirs: "a=s:3 a.png:3", config: "b=s:", disk: "x=: a.png:3", want: "a=s:3 a.png:3", say: "on disk"},
		{name: "pictures of both", ours: "a=r:1 a.png:1", theirs: "a=r:2 a.png:2", disk: "x=: a.png:2", want: "a=r:2,1 a.png:2", say: "both: both sides bought pictures for one request; all are kept, and theirs is in use: its files are on disk"},
		{name: "pictures of both, no telling", ours: "a=r:1 a.png:1", theirs: "a=r:2 a.png:2", say: "both sides hold pictures for one request"},
		{name: "n on both sides", base: "a=r:1 a.png:1", ours: "a=r:1,2 a.png:1", theirs: "a=r:1,3,4 a.png:1", want: sorted("a=r:1,%s a.png:1", "2", "3,4"), say: "all are kept"},
		{name: "n on one side, pick on the other", base: "a=r:1,2 a.png:1", ours: "a=r:1,2,3 a.png:1", theirs: "a=r:1,2>2 a.png:2", want: "a=r:1,2,3>2 a.png:2", say: "both sides changed other things"},
		{name: "picks", base: "a=r:1,2,3", ours: "a=r:1,2,3>2", theirs: "a=r:1,2,3>3", say: "both sides hold the same pictures"},
		{name: "the same bytes bought twice", base: "a=r:1", ours: "a=r:1,1", theirs: "a=r:1,2", want: sorted("a=r:1,%s", "1", "2")},
		{name: "a rendition and a new prompt", base: "a=r:1 a.png:1", ours: "a=r:1 a.png:1 card.png:1", theirs: "a=q:2 a.png:2", want: "a=q:2 a.png:2 card.png:1", say: "theirs: only it bought a picture"},
		{name: "files removed and made", base: "a=r:1,2 a.png:1 b.png:1", ours: "a=r:1,2 a.png:1", theirs: "a=r:1,2>2 a.png:2 b.png:2", want: "a=r:1,2>2 a.png:2 b.png:2"},
		{name: "removed and changed", base: "a=r:1; b=s:2", ours: "b=s:2", theirs: "a=q:3; b=s:2", want: "a=q:3; b=s:2", say: "theirs: changed there and removed on the other side"},
		{name: "removed and changed, said", base: "a=r:1", ours: "", theirs: "a=q:3", force: Ours, want: " ", say: "as you said; theirs changed what ours removed [3]"},
		{name: "renamed and changed", base: "a=r:1 p.png:1", ours: "b=r:1 p.png:1", theirs: "a=q:2 p.png:2", want: "b=q:2 p.png:2", say: "ours renamed image.a, theirs changed it"},
		{name: "renamed and both changed", base: "a=r:1 p.png:1", ours: "b=r:1,3 p.png:1", theirs: "a=q:2 p.png:2", config: "b=q:", want: "b=q:2 p.png:2", say: "theirs: the configuration asks for it [3]"},
		{name: "renamed and changed, as markers of git have it", ours: "b=r:1 p.png:1", theirs: "a=q:2 p.png:2; b=r:1 p.png:1", config: "b=q:", want: "b=q:2 p.png:2", say: "whose request the configuration asks for under this name [1]"},
		{name: "renamed twice", base: "a=r:1", ours: "b=r:1", theirs: "c=r:1", want: "b=r:1; c=r:1"},
		{name: "swapped paths", base: "a=r:1 a.png:1; b=s:2 b.png:2", ours: "a=r:1 b.png:1; b=s:2 a.png:2", theirs: "a=r:1 a.png:1; b=s:2 b.png:2; c=t:3", want: "a=r:1 b.png:1; b=s:2 a.png:2; c=t:3"},
		{name: "one path, two images", ours: "a=r:1 p.png:1", theirs: "b=s:2 p.png:2", say: "image.a and image.b: both sides made p.png, each for another image: ours has image.a with 1 picture for $0.02, theirs has image.b with 1 picture for $0.02"},
		{name: "one path, one is wanted", ours: "a=r:1 p.png:1", theirs: "b=s:2 p.png:2", config: "b=s:", want: "a=r:1; b=s:2 p.png:2", say: "image.a both: p.png is now a file of image.b alone, for the configuration does not have this image"},
		{name: "one path, on disk", ours: "a=r:1 p.png:1", theirs: "b=s:2 p.png:2", disk: "x=: p.png:1", want: "a=r:1 p.png:1; b=s:2", say: "its file is on disk"},
		{name: "one path, said", ours: "a=r:1 p.png:1", theirs: "b=s:2 p.png:2", force: Theirs, want: "a=r:1; b=s:2 p.png:2", say: "you said so"},
		{name: "refusals", base: "a=r:1 !x !y", ours: "a=r:1 !x !y !o", theirs: "a=q:2 !y !t", want: "a=q:2 !y !t !o"},
		{name: "approved on one side", base: "a=r:1", ours: "a=r:1 +1/jo", theirs: "a=r:1", want: "a=r:1 +1/jo"},
		{name: "approved here, another picture bought there", base: "a=r:1 a.png:1", ours: "a=r:1 a.png:1 +1/jo", theirs: "a=q:2 a.png:2", want: "a=q:2 a.png:2 +1/jo", say: "theirs: only it bought a picture"},
		{name: "approved here, another pick there", base: "a=r:1,2 a.png:1", ours: "a=r:1,2 a.png:1 +1/jo", theirs: "a=r:1,2>2 a.png:2 +2/ann", want: "a=r:1,2>2 a.png:2 +2/ann", say: "of two approvals the one of the picture in use stays, by ann"},
		{name: "picked by the configuration, approved twice", base: "a=r:1,2 a.png:2", ours: "a=r:1,2 a.png:2 +2/jo", theirs: "a=r:1,2 a.png:2 +1/ann", want: "a=r:1,2 a.png:2 +2/jo", say: "by jo"},
		{name: "one picture, two people", base: "a=r:1", ours: "a=r:1 +1/jo", theirs: "a=r:1 +1/ann", want: "a=r:1 +1/ann", say: "of two approvals of one picture one stays, by ann"},
		{name: "one picture, two people, said", base: "a=r:1", ours: "a=r:1 +1/jo", theirs: "a=r:1 +1/ann", force: Ours, want: "a=r:1 +1/jo", say: "by jo"},
		{name: "taken back", base: "a=r:1 +1/jo", ours: "a=r:1", theirs: "a=r:1 +1/jo b.png:1", want: "a=r:1 b.png:1"},
		{name: "taken back and given anew", base: "a=r:1 +1/jo", ours: "a=r:1", theirs: "a=r:1 +1/ann", want: "a=r:1 +1/ann"},
		{name: "approved and removed", base: "a=r:1", ours: "a=r:1 +1/jo", theirs: "", want: " "},
		{name: "approved and renamed", base: "a=r:1 p.png:1", ours: "a=r:1 p.png:1 +1/jo", theirs: "b=r:1 p.png:1", want: "b=r:1 p.png:1 +1/jo"},
		{name: "approved, and both bought", base: "a=r:1 a.png:1 +1/jo", ours: "a=q:2 a.png:2 +2/jo", theirs: "a=s:3 a.png:3 +3/ann", config: "a=s:", want: "a=s:3 a.png:3 +3/ann", say: "by ann [2]"},
		{name: "refused and bought", base: "", ours: "a=: !r", theirs: "a=r:1", want: "a=r:1 !r", say: "theirs: only it has a picture"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base, ours, theirs := entries(t, tt.base), entries(t, tt.ours), entries(t, tt.theirs)
			j := Judge{Forced: func(spec.Address, []string) Side { return tt.force }}
			if tt.config != "" {
				j.Wants = asks(entries(t, tt.config))
			}
			if tt.disk != "" {
				j.Disk = func(p string) (c digest.Content) {
					if o := entries(t, tt.disk).Entries[0].Output(p); o != nil {
						return o.Content
					}
					return c
				}
			}
			m := Merge(base, ours, theirs, j)
			if got := said(m); !strings.Contains(got, tt.say) {
				t.Errorf("says %q, want %q", got, tt.say)
			}
			if tt.want == "" {
				if len(m.Conflicts) != 1 {
					t.Fatalf("conflicts: %+v", m.Conflicts)
				}
				return
			}
			if len(m.Conflicts) > 0 {
				t.Fatalf("in conflict: %s", said(m))
			}
			if d := cmp.Diff(string(entries(t, tt.want).Bytes()), string(m.Lock.Bytes())); d != "" {
				t.Errorf("merged (-want +got):\n%s", d)
			}
		})
	}
}

// sorted puts two lists of candidates in the order that a merge gives them
// where no side leads.
func sorted(format, a, b string) string {
	x, y := content(a[:1]), content(b[:1])
	if bytes.Compare(x[:], y[:]) > 0 {
		a, b = b, a
	}
	return fmt.Sprintf(format, a+","+b)
}

func said(m *Merged) string {
	var b strings.Builder
	for _, c := range m.Choices {
		fmt.Fprintf(&b, "%s %s: %s", c.Address, c.Took, c.Why)
		for _, d := range c.Dropped {
			for n := range 10 {
				if d.Content == content(fmt.Sprint(n)) {
					fmt.Fprintf(&b, " [%d]", n)
				}
			}
		}
		b.WriteString("\n")
	}
	for i := range m.Conflicts {
		b.WriteString(m.Conflicts[i].Finding(nil).Text + "\n")
	}
	return b.String()
}

// What an edit asks for depends on which of two sources counts.
func TestMergeAsksSourcesFirst(t *testing.T) {
	t.Parallel()
	base := entries(t, "edit=e0:1; source=s0:2")
	ours, theirs := entries(t, "edit=e1:3; source=s1:4"), entries(t, "edit=e2:5; source=s2:6")
	m := Merge(base, ours, theirs, Judge{Wants: func(e *Entry, settled func(spec.Address) *Entry) Answer {
		want := request("s2")
		if e.Address == "image.edit" {
			if s := settled("image.source"); s == nil || s.Request != want {
				t.Errorf("the source is not settled: %+v", s)
				return Unknown
			}
			want = request("e2")
		}
		if e.Request == want {
			return Wanted
		}
		return Unwanted
	}})
	if !bytes.Equal(m.Lock.Bytes(), theirs.Bytes()) {
		t.Errorf("merged:\n%s", m.Lock.Bytes())
	}
}

// A value that is sensitive now and stood in the lock before must not come back.
func TestMergeLeavesSecretsOut(t *testing.T) {
	t.Parallel()
	ours, theirs := entries(t, "a=r:1"), entries(t, "a=r:1,2")
	ours.Entries[0].SetFields([]provider.Field{{Name: "model", Value: "m"}})
	theirs.Entries[0].SetFields([]provider.Field{{Name: "model", Value: "m"}, {Name: "prompt", Value: "hush"}})
	for _, pair := range [][2]*Lock{{ours, theirs}, {theirs, ours}} {
		if b := Merge(nil, pair[0], pair[1], Judge{}).Lock.Bytes(); bytes.Contains(b, []byte("hush")) || len(b) == 0 {
			t.Errorf("merged:\n%s", b)
		}
	}
}

// Whoever adds a field to an entry must say how it is merged.
func TestMergeKnowsEveryField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want string
	}{
		{Lock{}, "Entries"},
		{Entry{}, "Address Request fields Candidates Pick Refused Outputs Approved"},
		{Output{}, "Path Content Bytes Recipe Of Encoder Placeholder"},
		{Refusal{}, "Request Reason Message Price"},
		{Approval{}, "Content By Note"},
	} {
		var names []string
		for i := range reflect.TypeOf(c.v).NumField() {
			names = append(names, reflect.TypeOf(c.v).Field(i).Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%T has the fields %s; merge.go knows %s", c.v, got, c.want)
		}
	}
}

// drawLock draws a valid lock: each path belongs to one image.
func drawLock(t *rapid.T, label string) *Lock {
	l := &Lock{}
	taken := map[string]bool{}
	for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4, rapid.ID[string]).Draw(t, label) {
		e := drawEntry(t, "image."+a)
		e.Outputs = slices.DeleteFunc(e.Outputs, func(o Output) bool { return taken[o.Path] })
		for _, o := range e.Outputs {
			taken[o.Path] = true
		}
		l.Set(e)
	}
	return l
}

func drawEntry(t *rapid.T, a string) Entry {
	e := Entry{Address: addr(a)}
	few := func(name string, of ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(of), 0, 3).Draw(t, name)
	}
	if r := rapid.SampledFrom([]string{"", "r", "s", "t"}).Draw(t, "request"); r != "" {
		e.Request = request(r)
		e.SetFields([]provider.Field{{Name: "prompt", Value: r}})
		for _, c := range few("candidates", "1", "2", "3", "4", "5") {
			// The same bytes can have been sold at two prices.
			e.Candidates = append(e.Candidates, provider.Image{Content: content(r + c), Price: provider.Money(rapid.IntRange(0, 1).Draw(t, "price"))})
		}
		e.Pick = rapid.IntRange(0, 3).Draw(t, "pick")
	}
	for _, r := range few("refused", "r", "s", "t") {
		e.Refused = append(e.Refused, Refusal{Request: request(r), Reason: "moderated"})
	}
	for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p.png", "q.png", "s.png"}), 0, 3, rapid.ID[string]).Draw(t, "paths") {
		o := Output{Path: p, Content: content(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "file")), Encoder: rapid.SampledFrom([]string{"", "go"}).Draw(t, "encoder")}
		if rapid.Bool().Draw(t, "placeholder") {
			o.Placeholder = &Placeholder{Color: "#102030", Data: "data:image/png;base64," + strings.Repeat("A", 40)}
		}
		if len(e.Candidates) > 0 && rapid.Bool().Draw(t, "made") {
			o.Of = rapid.SampledFrom(e.Candidates).Draw(t, "of").Content
		}
		e.Outputs = append(e.Outputs, o)
	}
	slices.SortFunc(e.Outputs, func(a, b Output) int { return strings.Compare(a.Path, b.Path) })
	e.Approved = drawApproval(t, e)
	return e
}

func drawApproval(t *rapid.T, e Entry) *Approval {
	of := []digest.Content{content("gone")}
	for _, c := range e.Candidates {
		of = append(of, c.Content)
	}
	if !rapid.Bool().Draw(t, "approved") {
		return nil
	}
	return &Approval{Content: rapid.SampledFrom(of).Draw(t, "approved picture"), By: rapid.SampledFrom([]string{"", "jo", "ann"}).Draw(t, "by"), Note: rapid.SampledFrom([]string{"", "fine"}).Draw(t, "note")}
}

// drawEdit changes some images of a lock, renames and removes some.
func drawEdit(t *rapid.T, label string, l *Lock) *Lock {
	out := &Lock{}
	taken := map[string]bool{}
	for _, e := range l.Entries {
		switch rapid.SampledFrom([]string{"keep", "keep", "remove", "rename", "change", "more", "pick", "approve"}).Draw(t, label) {
		case "remove":
			continue
		case "rename":
			e.Address += "_new"
		case "change":
			e = drawEntry(t, string(e.Address))
		case "more":
			if len(e.Candidates) > 0 {
				e.Candidates = append(slices.Clone(e.Candidates), provider.Image{Content: content(rapid.SampledFrom([]string{"m", "n"}).Draw(t, "more"))})
			}
		case "approve":
			e.Approved = drawApproval(t, e)
		case "pick":
			if n := len(e.Candidates); n > 0 {
				e.Pick = rapid.IntRange(0, n).Draw(t, "number")
			}
		}
		e.Outputs = slices.DeleteFunc(slices.Clone(e.Outputs), func(o Output) bool { return taken[o.Path] })
		for _, o := range e.Outputs {
			taken[o.Path] = true
		}
		out.Set(e)
	}
	return out
}

func drawSides(t *rapid.T) (base, ours, theirs *Lock) {
	base = drawLock(t, "base")
	side := func(name string) *Lock {
		if rapid.Bool().Draw(t, name+" is new") {
			return drawLock(t, name)
		}
		return drawEdit(t, name, base)
	}
	ours, theirs = side("ours"), side("theirs")
	if rapid.Bool().Draw(t, "no base") {
		base = nil
	}
	return base, ours, theirs
}

// drawJudge answers at random, but always the same, and without regard to who
// is ours.
func drawJudge(t *rapid.T) Judge {
	var j Judge
	if rapid.Bool().Draw(t, "configuration") {
		j.Wants = asks(drawLock(t, "wanted"))
	}
	if rapid.Bool().Draw(t, "disk") {
		file := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "disk has")
		j.Disk = func(string) digest.Content { return content(file) }
	}
	return j
}

func reparsed(t *rapid.T, what string, b []byte) *Lock {
	l, findings := Parse(b)
	if len(findings) > 0 {
		t.Fatalf("%s does not parse: %v\n%s", what, findings, b)
	}
	if again := l.Bytes(); !bytes.Equal(again, b) {
		t.Fatalf("%s is not written as it was read:\n%s", what, cmp.Diff(string(b), string(again)))
	}
	return l
}

// canonical is a lock as it is after it was written and read, without outputs
// whose candidate is gone.
func canonical(t *rapid.T, l *Lock) *Lock {
	if l == nil {
		return nil
	}
	return reparsed(t, "a drawn lock", l.Bytes())
}

func TestMergeProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base, ours, theirs := drawSides(t)
		base, ours, theirs = canonical(t, base), canonical(t, ours), canonical(t, theirs)
		before := [][]byte{ours.Bytes(), theirs.Bytes()}
		j := drawJudge(t)
		m := Merge(base, ours, theirs, j)
		text := m.Lock.Bytes()
		reparsed(t, "the merged lock", text)
		if !bytes.Equal(before[0], ours.Bytes()) || !bytes.Equal(before[1], theirs.Bytes()) {
			t.Fatal("the merge changed a side")
		}

		// Each image is settled or in conflict, and no path has two owners.
		owner := map[string]spec.Address{}
		for _, e := range m.Lock.Entries {
			for _, o := range e.Outputs {
				if other, twice := owner[o.Path]; twice {
					t.Fatalf("%s is a file of %s and of %s", o.Path, other, e.Address)
				}
				owner[o.Path] = e.Address
			}
		}
		var open []spec.Address
		for _, c := range m.Conflicts {
			for _, list := range [][]Entry{c.Base, c.Ours, c.Theirs} {
				for _, e := range list {
					open = append(open, e.Address)
				}
			}
			if f := c.Finding(nil); f.Hint == "" || f.Text == "" {
				t.Fatalf("no hint: %+v", f)
			}
		}

		// Nobody's yes is made up, and none is lost but to one of the other side.
		for _, e := range m.Lock.Entries {
			var given []Approval
			for _, l := range []*Lock{ours, theirs} {
				for _, x := range l.Entries {
					if x.Approved != nil {
						given = append(given, *x.Approved)
					}
				}
			}
			if e.Approved != nil && !slices.Contains(given, *e.Approved) {
				t.Fatalf("%s has an approval that no side has: %+v", e.Address, *e.Approved)
			}
			if o, th := ours.Get(e.Address), theirs.Get(e.Address); o != nil && th != nil && o.Approved != nil && th.Approved != nil && e.Approved == nil {
				t.Fatalf("%s lost the approvals of both sides", e.Address)
			}
		}

		// What was paid for and is asked for on both sides is all there.
		for _, o := range ours.Entries {
			e, th := m.Lock.Get(o.Address), theirs.Get(o.Address)
			if th == nil || e == nil || o.Request != th.Request || o.Request.IsZero() {
				continue
			}
			if b := base.get(o.Address); same(b, &o) || same(b, th) || e.Request != o.Request {
				continue // only one side did something, or the configuration gave it another picture
			}
			for _, side := range [][]provider.Image{o.Candidates, th.Candidates} {
				if lost := missing(side, e.Candidates); len(lost) > 0 {
					t.Fatalf("%s lost %d candidates", o.Address, len(lost))
				}
			}
		}
		// No picture goes without a word: it is recorded, told as dropped, in
		// conflict, or a side let it go that both began with.
		known := map[digest.Content]bool{}
		note := func(list []provider.Image) {
			for _, c := range list {
				known[c.Content] = true
			}
		}
		for _, e := range m.Lock.Entries {
			note(e.Candidates)
		}
		for _, c := range m.Choices {
			note(c.Dropped)
		}
		if base != nil {
			for _, e := range base.Entries {
				for _, side := range []*Lock{ours, theirs} {
					if s := side.get(e.Address); s == nil {
						note(e.Candidates)
					} else {
						note(missing(e.Candidates, s.Candidates))
					}
				}
			}
		}
		for _, side := range []*Lock{ours, theirs} {
			for _, e := range side.Entries {
				if slices.Contains(open, e.Address) {
					continue
				}
				for _, c := range e.Candidates {
					if !known[c.Content] {
						t.Fatalf("a picture of %s is gone without a word\n%s", e.Address, said(m))
					}
				}
			}
		}

		// The sides' names do not matter.
		mirror := Merge(base, theirs, ours, j)
		if other := mirror.Lock.Bytes(); !bytes.Equal(other, text) || len(mirror.Conflicts) != len(m.Conflicts) {
			t.Fatalf("theirs with ours is another lock:\n%s\n%s\n%s", cmp.Diff(string(text), string(other)), said(m), said(mirror))
		}

		for name, same := range map[string]*Lock{
			"merge(base, x, x)":        Merge(base, ours, ours, j).Lock,
			"merge(ours, ours, x)":     Merge(theirs, theirs, ours, j).Lock,
			"merge(theirs, x, theirs)": Merge(theirs, ours, theirs, j).Lock,
		} {
			if b := same.Bytes(); !bytes.Equal(b, before[0]) {
				t.Fatalf("%s is not x:\n%s", name, cmp.Diff(string(before[0]), string(b)))
			}
		}

		// The markers hold both sides, and settling everything for one side ends
		// without conflict.
		if len(m.Conflicts) == 0 {
			return
		}
		marked := m.Text([2]string{"HEAD", "topic"})
		if l, f := Parse(marked); l != nil || !Conflicted(f) {
			t.Fatalf("no conflict in\n%s", marked)
		}
		sides, findings := Split(marked)
		if len(findings) > 0 {
			t.Fatalf("%v\n%s", findings, marked)
		}
		for k, pair := range [][2]*Lock{{ours, sides.Ours}, {theirs, sides.Theirs}} {
			for _, a := range open {
				if want, got := pair[0].Get(a), pair[1].Get(a); !same(want, got) {
					t.Fatalf("side %d, %s: in the markers it is not what it was\n%s", k, a, marked)
				}
			}
		}
		for _, side := range []Side{Ours, Theirs} {
			again := Merge(sides.Base, sides.Ours, sides.Theirs, Judge{Forced: func(spec.Address, []string) Side { return side }})
			if len(again.Conflicts) > 0 {
				t.Fatalf("still in conflict: %s\n%s", said(again), marked)
			}
			reparsed(t, "the resolved lock", again.Lock.Bytes())
		}
	})
}

func (l *Lock) get(a spec.Address) *Entry {
	if l == nil {
		return nil
	}
	return l.Get(a)
}

// git makes these of two branches that bought another picture for one image.
const (
	markedHead = "{\n  \"format\": 1,\n  \"images\": {\n"
	markedTail = "  }\n}\n"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	line := func(name, prompt string) string {
		return fmt.Sprintf("    \"image.%s\": {\"fields\": {\"prompt\": \"%s\"}}", name, prompt)
	}
	tests := []struct {
		name, text               string
		base, ours, theirs, says string
	}{
		{name: "merge", text: markedHead + "<<<<<<< HEAD\n" + line("a", "x") + "\n=======\n" + line("a", "y") + "\n>>>>>>> topic\n" + markedTail, ours: "a x", theirs: "a y"},
		{name: "diff3", text: markedHead + "<<<<<<< HEAD\n" + line("a", "x") + "\n||||||| 1234567\n" + line("a", "w") + "\n=======\n" + line("a", "y") + "\n>>>>>>> topic\n" + markedTail, base: "a w", ours: "a x", theirs: "a y"},
		{name: "zdiff3, whose base is no lock", text: markedHead + line("a", "x") + ",\n<<<<<<< HEAD\n" + line("b", "x") + "\n||||||| 1234567\n" + line("a", "w") + "\n=======\n" + line("b", "y") + "\n>>>>>>> topic\n" + markedTail, ours: "a x, b x", theirs: "a x, b y"},
		{name: "CRLF", text: strings.ReplaceAll(markedHead+"<<<<<<< HEAD\n"+line("a", "x")+"\n=======\n"+line("a", "y")+"\n>>>>>>> topic\n"+markedTail, "\n", "\r\n"), ours: "a x", theirs: "a y"},
		{name: "several, one without base", text: markedHead + "<<<<<<< HEAD\n" + line("a", "x") + ",\n||||||| 1\n=======\n" + line("a", "y") + ",\n>>>>>>> topic\n<<<<<<< HEAD\n" + line("b", "x") + "\n=======\n" + line("b", "y") + "\n>>>>>>> topic\n" + markedTail, ours: "a x, b x", theirs: "a y, b y"},
		{name: "a conflict within the base", text: markedHead + "<<<<<<< HEAD\n" + line("a", "x") + "\n||||||| merged common ancestors\n<<<<<<<<< Temporary merge branch 1\n" + line("a", "v") + "\n=========\n" + line("a", "w") + "\n>>>>>>>>> Temporary merge branch 2\n=======\n" + line("a", "y") + "\n>>>>>>> topic\n" + markedTail, ours: "a x", theirs: "a y"},
		{name: "wide markers", text: markedHead + "<<<<<<<<< HEAD\n" + line("a", "x") + "\n=========\n" + line("a", "y") + "\n>>>>>>>>> topic\n" + markedTail, ours: "a x", theirs: "a y"},
		{name: "no end", text: markedHead + "<<<<<<< HEAD\n" + line("a", "x") + "\n=======\n" + markedTail, says: "4:1 this conflict does not end"},
		{name: "no beginning", text: markedHead + line("a", "x") + "\n=======\n" + line("a", "y") + "\n>>>>>>> topic\n" + markedTail, says: "1:1 there is no beginning"},
		{name: "one in another", text: markedHead + "<<<<<<< HEAD\n<<<<<<< HEAD\n=======\n>>>>>>> topic\n" + markedTail, says: "5:1 a conflict begins within a conflict"},
		{name: "ends twice", text: markedHead + "<<<<<<< HEAD\n=======\n>>>>>>> topic\n>>>>>>> topic\n" + markedTail, says: "7:1 a conflict ends that did not begin"},
		{name: "a side that is torn", text: markedHead + "<<<<<<< HEAD\n" + line("a", "x") + "\n=======\n    \"image.a\": {]\n>>>>>>> topic\n" + markedTail, says: "7:17 their side of its conflict is no lock of its own: it expected '\"', found \"]\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sides, l := Split([]byte(tt.text))
			if tt.says != "" {
				if sides != nil || len(l) != 1 || l[0].Hint == "" {
					t.Fatalf("%+v, %v", sides, l)
				}
				p := l[0].Range.Start
				_, what, _ := strings.Cut(l[0].Text, "together: ")
				if what == "" {
					what = strings.TrimPrefix(l[0].Text, File+": ")
				}
				if got := position(p.Line, p.Column) + " " + what; !strings.HasPrefix(got, tt.says) {
					t.Errorf("says %q, want %q", got, tt.says)
				}
				return
			}
			if len(l) > 0 {
				t.Fatal(l)
			}
			for name, pair := range map[string][2]string{"base": {show(sides.Base), tt.base}, "ours": {show(sides.Ours), tt.ours}, "theirs": {show(sides.Theirs), tt.theirs}} {
				if pair[0] != pair[1] {
					t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
				}
			}
			if sides.Names != [2]string{"HEAD", "topic"} {
				t.Errorf("the sides are called %q", sides.Names)
			}
		})
	}
}

func show(l *Lock) string {
	if l == nil {
		return ""
	}
	var all []string
	for _, e := range l.Entries {
		all = append(all, strings.TrimPrefix(string(e.Address), "image.")+" "+e.Field("prompt"))
	}
	return strings.Join(all, ", ")
}

// FuzzSplit holds that no text with markers makes resolve panic or write
// something that is no lock.
func FuzzSplit(f *testing.F) {
	m := Merge(nil, sample(), &Lock{Entries: []Entry{{Address: "image.banner"}, {Address: "image.new"}}}, Judge{})
	f.Add(m.Text([2]string{}))
	m = Merge(entries(f, "a=r:1; b=s:2"), entries(f, "a=q:3 p.png:3; b=s:2"), entries(f, "a=t:4 p.png:4; b=s:2"), Judge{})
	f.Add(m.Text([2]string{"HEAD", "topic"}))
	f.Add(Whole(sample().Bytes(), []byte("{}")))
	f.Add([]byte("<<<<<<< a\n{\"format\":1,\"images\":{}}\n=======\n{\"format\":1,\"images\":{}}\n>>>>>>> b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, findings := Parse(bytes.Clone(b))
		sides, l := Split(bytes.Clone(b))
		if (sides == nil) == (len(l) == 0) {
			t.Fatal("sides and findings, or neither")
		}
		if sides == nil {
			return
		}
		if len(findings) == 0 {
			t.Fatal("a lock that is whole has sides")
		}
		for _, force := range []Side{Neither, Ours, Theirs} {
			m := Merge(sides.Base, sides.Ours, sides.Theirs, Judge{Forced: func(spec.Address, []string) Side { return force }})
			text := m.Lock.Bytes()
			if !json.Valid(text) {
				t.Fatalf("not JSON: %s", text)
			}
			if _, l := Parse(text); len(l) > 0 {
				t.Fatalf("%v\n%s", l, text)
			}
			for i := range m.Conflicts {
				m.Conflicts[i].Finding(b)
			}
			if len(m.Conflicts) > 0 {
				if _, l := Split(m.Text(sides.Names)); len(l) > 0 {
					t.Fatalf("its own markers: %v\n%s", l, m.Text(sides.Names))
				}
			}
		}
	})
}
