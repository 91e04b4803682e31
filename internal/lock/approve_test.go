package lock

import (
	"os"
	"strings"
	"testing"
)

// What an entry says of its approval is one line, is read as it was written, and
// older lockfiles have none.
func TestApproval(t *testing.T) {
	t.Parallel()
	const golden = "testdata/format-1-approved.json"
	l := entries(t, "a=r:1,2>2 a.png:2; b=s:3; c=: ")
	l.Entries[0].Approved = &Approval{Content: content("2"), By: "Jo Österberg", Note: `the "blue" one <3`}
	l.Entries[1].Approved = &Approval{Content: content("9")}
	text := l.Bytes()
	if *update {
		if err := os.WriteFile(golden, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(want) {
		t.Errorf("written:\n%s", text)
	}
	if n := strings.Count(string(text), "approved"); n != 2 || !strings.Contains(string(text), "\n      \"approved\": {\"content\": \""+content("9").String()+"\"}\n") {
		t.Errorf("an approval is not a line of its own:\n%s", text)
	}
	read, findings := Parse(want)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if a, b := read.Entries[0].Approved, l.Entries[0].Approved; a == nil || *a != *b {
		t.Errorf("read %+v, written %+v", a, b)
	}
	if string(read.Bytes()) != string(want) || read.Entries[2].Approved != nil {
		t.Error("read and written again it differs")
	}
	saved, lost := Salvage(append(want[:len(want)-4], "torn"...))
	if len(lost) > 0 || saved.Get("image.a").Approved == nil || *saved.Get("image.a").Approved != *l.Entries[0].Approved {
		t.Errorf("salvaged %+v, lost %v", saved, lost)
	}
	if e := &l.Entries[0]; !e.Approved.Of(e.Picked(2)) || e.Approved.Of(e.Picked(1)) || e.Approved.Of(nil) || (*Approval)(nil).Of(e.Picked(1)) {
		t.Error("it is of another picture than it says")
	}
}

// An approval between plan and apply makes no step stale.
func TestApprovalIsNoPrecondition(t *testing.T) {
	t.Parallel()
	e := entries(t, "a=r:1 a.png:1").Entries[0]
	before := e.Digest()
	e.Approved = &Approval{Content: content("1"), By: "jo"}
	if e.Digest() != before {
		t.Error("the digest has changed")
	}
	if e.Approved == nil {
		t.Error("the digest took the approval away")
	}
	if e.Pick = 2; e.Digest() == before {
		t.Error("nothing changes the digest")
	}
}
