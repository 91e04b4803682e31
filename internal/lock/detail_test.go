package lock

import (
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func TestAppendString(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"": `""`, "a~": `"a~"`, "\"\\": `"\"\\"`, "\n\t": `"\n\u0009"`, "\x1f ": `"\u001f "`, "\x7f": `"\u007f"`, "é": `"é"`, "\x80": "\"\ufffd\""} {
		if got := string(appendString(nil, s)); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// What is quoted in a finding is short.
func TestRest(t *testing.T) {
	t.Parallel()
	const twenty = "äbcdefghijklmnopqrst"
	for s, want := range map[string]string{"": "", "a\nb": "a", twenty: twenty, twenty + "u": twenty + "…"} {
		if got := rest(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"a\n", "b\n", "a\n=======\nb\n"}, {"a", "b", "a\n=======\nb\n"}, {"", "b\n", "=======\nb\n"}, {"a\n", "", "a\n=======\n"},
	} {
		if got, want := string(Whole([]byte(tt[0]), []byte(tt[1]))), "<<<<<<< ours\n"+tt[2]+">>>>>>> theirs\n"; got != want {
			t.Errorf("%q and %q: %q, want %q", tt[0], tt[1], got, want)
		}
	}
}

// Nothing that is there is no precondition, and has a name of its own.
func TestEntryDigest(t *testing.T) {
	t.Parallel()
	var none *Entry
	if !none.Digest().IsZero() || (&Entry{}).Digest().IsZero() {
		t.Errorf("%v, %v", none.Digest(), (&Entry{}).Digest())
	}
}

func TestConflictSays(t *testing.T) {
	t.Parallel()
	picture := []provider.Image{{Content: digest.OfContent([]byte("a"))}}
	refused := make([]Refusal, 2)
	says := func(e Entry) string {
		e.Address = "image.a"
		c := Conflict{Addresses: []spec.Address{"image.a"}, Why: "why", Ours: []Entry{e}}
		return c.Finding(nil).Text
	}
	prefix, suffix := "image.a: why: ours has ", ", theirs has nothing"
	for _, tt := range []struct {
		entry Entry
		want  string
	}{
		{Entry{Candidates: picture}, Bought(picture)},
		{Entry{Refused: refused}, "2 refused"},
		{Entry{Candidates: picture, Refused: refused}, Bought(picture)},
		{Entry{}, Bought(nil)},
	} {
		if got := says(tt.entry); got != prefix+tt.want+suffix {
			t.Errorf("%q, want %q", got, prefix+tt.want+suffix)
		}
	}
	// Also where the file has the address in its first byte.
	c := Conflict{Addresses: []spec.Address{"image.a"}}
	if f := c.Finding([]byte(`"image.a": {}`)); f.Range == nil || f.Range.Start.Line != 1 {
		t.Errorf("%+v", f.Range)
	}
}

// Of two requests for which nothing was paid the same one stands, whichever
// branch merges the other.
func TestMergeOfNothingPaid(t *testing.T) {
	t.Parallel()
	entry := func(s string) *Lock {
		return &Lock{Entries: []Entry{{Address: "image.a", Request: digest.OfRequest([]byte(s)), Refused: []Refusal{{Request: digest.OfRequest([]byte(s)), Reason: "moderated"}}}}}
	}
	one := Merge(&Lock{}, entry("x"), entry("y"), Judge{})
	two := Merge(&Lock{}, entry("y"), entry("x"), Judge{})
	if a, b := one.Lock.Bytes(), two.Lock.Bytes(); len(one.Conflicts)+len(two.Conflicts) > 0 || string(a) != string(b) {
		t.Errorf("%s\nor\n%s", a, b)
	}
}
