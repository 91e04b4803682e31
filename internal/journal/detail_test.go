package journal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// What has not come may still cost its part of the estimate.
func TestRestAndMay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n, came  int
		estimate provider.Money
		images   int
		price    provider.Money
	}{{4, 0, 8, 4, 8}, {4, 1, 8, 3, 6}, {4, 4, 8, 0, 0}, {1, 2, 8, 0, 0}, {0, 0, 8, 0, 0}} {
		a := Attempt{Intent: Intent{N: tt.n, Estimate: tt.estimate}, Deliveries: make([]Delivery, tt.came)}
		if images, price := a.Rest(); images != tt.images || price != tt.price {
			t.Errorf("%+v: %d images, %d", tt, images, price)
		}
	}
	of := func(p Phase) Attempt {
		return Attempt{Phase: p, Doubt: 100, Intent: Intent{N: 2, Estimate: 8}, Deliveries: make([]Delivery, 1)}
	}
	s := State{Attempts: []Attempt{of(InDoubt), of(Sent), of(Done), of(Accepted), of(Stored), of(Sent), of(InDoubt)}}
	if got := s.May(); got != 100+4+4+100 {
		t.Errorf("it may cost %d", got)
	}
}

// A record that does not say something takes nothing back.
func TestWhatIsNotToldStays(t *testing.T) {
	t.Parallel()
	plain := blob("a", 0)
	plain.Delivery.MIME = ""
	s := fold(intent("a", 1), Record{Type: TypeFailed, Attempt: "a", Reason: "no such host"}, just(TypeSent, "a"), receipt("a", 0), plain)
	if a := s.Attempts[0]; a.Deliveries[0].MIME != "image/jpeg" || a.Reason != "no such host" {
		t.Errorf("%+v", a)
	}
	s = fold(intent("a", 1), receipt("a", 0), blob("a", 0), Record{Type: TypeFailed, Attempt: "a", Reason: "why"})
	if a := s.Attempts[0]; a.Deliveries[0].MIME != "image/png" || a.Reason != "why" {
		t.Errorf("%+v", a)
	}
}

func TestSafeID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{"": false, "a": true, "A-9.z": true, ".a": false, "a/b": false, "ä": false,
		strings.Repeat("a", 100): true, strings.Repeat("a", 101): false} {
		if safeID(id) != want {
			t.Errorf("%q: %t", id, !want)
		}
	}
}

// Of the form on disk: each frame begins at a multiple of eight.
func TestAligned(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 0, 1: 8, 7: 8, 8: 8, 9: 16, 16: 16, 17: 24} {
		if got := aligned(n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}

// frames lays records one after the other, each with the number of its place,
// all of a commit that begins with base.
func frames(t testing.TB, from, base uint64, records ...Record) []byte {
	t.Helper()
	var buf []byte
	l := link{seq: from, base: base}
	for _, r := range records {
		body, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		buf, l = appendFrame(buf, body, l)
		l.base = base
	}
	return buf
}

func TestWhatCutsOff(t *testing.T) {
	t.Parallel()
	a, room := just(TypeSent, "a"), make([]byte, 600)
	one := len(frames(t, 1, 1, a))
	torn := func(records int) []byte { // the second of one commit never came to the disk whole
		var all []Record
		for range records {
			all = append(all, a)
		}
		data := append(frames(t, 1, 1, all...), room...)
		clear(data[2*one-16 : 2*one])
		return data
	}
	for _, tt := range []struct {
		name string
		data []byte
		want string // of the note, or of the damage
	}{
		{"whole", append(frames(t, 1, 1, a, a), room...), ""},
		{"up to the last byte", frames(t, 1, 1, a, a), ""},
		{"a torn record", torn(2), "an unfinished record was cut off"},
		{"and one after it", torn(3), "an unfinished record and 1 after it, of the same commit, were cut off"},
		{"and three after it", torn(5), "an unfinished record and 3 after it, of the same commit, were cut off"},
		{"a number is missing", append(frames(t, 1, 1, a), frames(t, 5, 5, a)...), "record 5 follows record 1"},
	} {
		s, err := Replay([]Segment{{1, tt.data}})
		var damage *Damage
		got := ""
		if errors.As(err, &damage) {
			got = damage.Reason
		} else if len(s.Notes) > 0 {
			got = s.Notes[0].Text
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	record := frames(t, 1, 1, just(TypeSent, "a"))
	for _, tt := range []struct {
		name string
		data []byte
		want bool
	}{
		{"nothing", nil, true}, {"zeros", make([]byte, 5000), true}, {"a record", record, true},
		{"and zeros", append(slices.Clone(record), make([]byte, 99)...), true}, {"noise", []byte("noise"), false},
		{"a record and noise", append(slices.Clone(record), 0, 0, 1), false},
	} {
		if readable(tt.data) != tt.want {
			t.Errorf("%s: %t", tt.name, !tt.want)
		}
	}
}

// What a compacted segment repeats counts once; what is told twice, twice.
func TestScanRepeated(t *testing.T) {
	t.Parallel()
	a := just(TypeSent, "a")
	s := Segment{1, frames(t, 1, 1, a, a, just(TypeDone, "a"))}
	if n := len(scan([]Segment{s, {2, s.Data}})); n != 3 {
		t.Errorf("%d records of 3", n)
	}
}

// Of a journal whose beginning is gone, what was not sent is not in doubt.
func TestBeginningIsGone(t *testing.T) {
	t.Parallel()
	s, _ := survey([]Segment{{2, append(frames(t, 3, 3, intent("a", 1)), make([]byte, 64)...)}})
	if s.Damage == nil || s.Missing != 1 || s.Before != 0 || s.State.Attempts[0].Phase != Intended {
		t.Fatalf("%+v", s)
	}
	sent := Segment{2, frames(t, 3, 3, intent("a", 1), just(TypeSent, "a"))}
	if s, _ := survey([]Segment{sent}); s.State.Attempts[0].Phase != Sent {
		t.Errorf("%v", s.State.Attempts[0].Phase)
	}
}

// A byte that changed where nothing is written is told, and is no damage.
func TestGapsAreTold(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "ab", "abc"} { // of which two leave a gap
		data := frames(t, 1, 1, just(TypeSent, id), just(TypeDone, id))
		end := headerSize + len(payloadAt(data, 0))
		if end%alignment == 0 {
			continue
		}
		if s, _ := survey([]Segment{{1, data}}); s.Damage != nil || len(s.State.Notes) > 0 {
			t.Errorf("%s: %v, %v", id, s.Damage, s.State.Notes)
		}
		data[end] = 1
		if s, _ := survey([]Segment{{1, data}}); s.Damage != nil || len(s.State.Notes) != 1 || s.State.Notes[0].Offset != int64(end) {
			t.Errorf("%s: %v, %v", id, s.Damage, s.State.Notes)
		}
	}
}

// Room counts what is left of the segment and of the spares.
func TestRoomMakesSpares(t *testing.T) {
	t.Parallel()
	j, _, err := open(faultfs.NewDisk(), 4*recordRoom)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	mustAppend(t, j, life("a")...)
	had := len(j.spares)
	for _, tt := range []struct{ records, spares int }{{3, 0}, {4, 1}, {7, 1}, {8, 2}, {2, 2}, {15, 3}} {
		if err := j.Room(tt.records); err != nil {
			t.Fatal(err)
		}
		if got := len(j.spares) - had; got != tt.spares {
			t.Errorf("for %d: %d spares, want %d", tt.records, got, tt.spares)
		}
	}
}

// A compacted segment has the size of a segment, or as many as it needs.
func TestCompactedSize(t *testing.T) {
	t.Parallel()
	for _, lives := range []int{0, 1, 3, 9} {
		f := faultfs.NewDisk()
		j, _ := mustOpen(t, f)
		for i := range lives {
			mustAppend(t, j, life(string(rune('a'+i)))...)
		}
		mustAppend(t, j, just(TypeSent, "last"))
		if err := j.Compact(func(Attempt) bool { return true }); err != nil {
			t.Fatal(err)
		}
		segments, err := load(f)
		if err != nil || len(segments) != 1 {
			t.Fatalf("%d segments, %v", len(segments), err)
		}
		data := segments[0].Data
		used := len(bytes.TrimRight(data, "\x00"))
		if want := (used/small + 1) * small; len(data) != want || j.active.size != int64(want) {
			t.Errorf("%d bytes of records: %d bytes, want %d", used, len(data), want)
		}
	}
}

// brief is a file system that writes less than it is given, and says nothing.
type brief struct{ workspace.FS }

type briefFile struct{ workspace.File }

func (b brief) OpenFile(name string, flag int, perm fs.FileMode) (workspace.File, error) {
	f, err := b.FS.OpenFile(name, flag, perm)
	return briefFile{f}, err
}

func (b briefFile) Write(p []byte) (int, error) { return b.File.Write(p[:(len(p)+1)/2]) }

func TestShortWrites(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	if err := keepCopy(brief{disk}, "copy", []byte("damaged")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a copy of what is damaged: %v", err)
	}
	if _, err := disk.Stat("copy"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a copy has the name of a whole one: %v", err)
	}
	j, _ := mustOpen(t, disk)
	mustAppend(t, j, life("a")...)
	j.fs = brief{disk}
	if err := j.Compact(func(Attempt) bool { return true }); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a compacted segment: %v", err)
	}
	if s, err := Read(disk); err != nil || len(s.Attempts) != 1 {
		t.Errorf("what was before is not there any more: %+v, %v", s, err)
	}
}

// closed is a file system that can't be written.
type closed struct{ workspace.FS }

func (closed) OpenFile(string, int, fs.FileMode) (workspace.File, error) {
	return nil, fs.ErrPermission
}

func TestCopyIsKeptOnce(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	if err := keepCopy(disk, "copy", []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	if err := keepCopy(closed{disk}, "copy", []byte("damaged")); err != nil {
		t.Errorf("it is there already: %v", err)
	}
	if err := keepCopy(closed{disk}, "copy", []byte("otherwise")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another one is there: %v", err)
	}
}

// settling is a journal that looks damaged until it was looked at a few times,
// as one does whose writer rolls a segment meanwhile.
type settling struct {
	workspace.FS
	damaged workspace.FS
	left    *int
}

func (s settling) Open(name string) (workspace.File, error) {
	if name == "." {
		*s.left--
	}
	if *s.left >= 0 {
		return s.damaged.Open(name)
	}
	return s.FS.Open(name)
}

func TestLooksAgain(t *testing.T) {
	t.Parallel()
	whole := Segment{1, frames(t, 1, 1, intent("a", 1), just(TypeSent, "a"))}
	bad := Segment{1, slices.Clone(whole.Data)}
	bad.Data[20] ^= 1
	for damaged, sound := range map[int]bool{0: true, 1: true, 2: true, 3: false} {
		look := func() settling {
			left := damaged
			return settling{laid(t, []Segment{whole}), laid(t, []Segment{bad}), &left}
		}
		if s, err := Read(look()); (err == nil) != sound || sound && len(s.Attempts) != 1 {
			t.Errorf("damaged %d times: %+v, %v", damaged, s, err)
		}
		if s, err := Examine(look()); err != nil || (s.Damage == nil) != sound {
			t.Errorf("damaged %d times: %v, %v", damaged, s.Damage, err)
		}
	}
}
