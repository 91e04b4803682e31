package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// small is a segment of the tests: a few records.
const small = 2048

var unexported = cmp.Options{cmpopts.IgnoreUnexported(Attempt{}), cmpopts.EquateEmpty()}

func intent(id string, n int) Record {
	fields := []provider.Field{{Name: "prompt", Value: "a <lake>\n\"at\" dawn"}}
	return Record{Type: TypeIntent, Attempt: id, Intent: &Intent{
		Address: "image." + id, Request: digest.OfRequest(provider.Canonical(fields)), Fields: fields, Provider: "xai",
		N: n, First: 1, Estimate: 2e8 * provider.Money(n), Run: "run-1", Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}}
}

func receipt(id string, i int) Record {
	return Record{Type: TypeReceipt, Attempt: id, Delivery: &Delivery{
		Index: i, URL: "https://img.example/" + id, MIME: "image/jpeg", Model: "m", RevisedPrompt: "a lake & more", Price: 2e8,
	}}
}

func blob(id string, i int) Record {
	return Record{Type: TypeBlob, Attempt: id, Delivery: &Delivery{
		Index: i, Content: digest.OfContent([]byte(id)), Width: 16, Height: 9, Bytes: 100, MIME: "image/png", C2PA: true, SourceType: "digitalCapture",
	}}
}

func just(t Type, id string) Record { return Record{Type: t, Attempt: id} }

// life is all records of an image that came.
func life(id string) []Record {
	return []Record{intent(id, 1), just(TypeSent, id), receipt(id, 0), blob(id, 0), just(TypeDone, id)}
}

func mustOpen(t testing.TB, f workspace.FS) (*Journal, State) {
	t.Helper()
	j, s, err := open(f, small)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, s
}

func mustAppend(t testing.TB, j *Journal, records ...Record) {
	t.Helper()
	if err := j.Append(records...); err != nil {
		t.Fatal(err)
	}
}

func fold(records ...Record) State {
	f := newFolder()
	for _, r := range records {
		f.add(r)
	}
	return f.state
}

func TestPhases(t *testing.T) {
	t.Parallel()
	in := intent("a", 2)
	moderated := Record{Type: TypeReceipt, Attempt: "a", Delivery: &Delivery{Index: 1, Moderated: true, Price: 1e8}}
	for _, test := range []struct {
		name    string
		records []Record
		phase   Phase
		spent   provider.Money
	}{
		{"intended", []Record{in}, Intended, 0},
		{"sent", []Record{in, just(TypeSent, "a")}, Sent, 0},
		{"accepted", []Record{in, just(TypeSent, "a"), {Type: TypeJob, Attempt: "a", JobID: "j"}}, Accepted, 0},
		{"one of two delivered", []Record{in, receipt("a", 0)}, Delivered, 2e8},
		{"one of two stored", []Record{in, receipt("a", 0), blob("a", 0)}, Delivered, 2e8},
		{"both delivered, out of order", []Record{in, receipt("a", 1), receipt("a", 0)}, Delivered, 4e8},
		{"both stored", []Record{in, receipt("a", 1), blob("a", 1), receipt("a", 0), blob("a", 0)}, Stored, 4e8},
		{"told twice", []Record{in, receipt("a", 0), receipt("a", 0), receipt("a", 1), blob("a", 0), blob("a", 1), receipt("a", 1)}, Stored, 4e8},
		{"one moderated", []Record{in, receipt("a", 0), blob("a", 0), moderated}, Stored, 3e8},
		{"one unusable", []Record{in, receipt("a", 0), blob("a", 0), receipt("a", 1),
			{Type: TypeUnusable, Attempt: "a", Delivery: &Delivery{Index: 1}, Reason: "not a picture"}}, Stored, 4e8},
		{"done", []Record{in, receipt("a", 0), blob("a", 0), just(TypeDone, "a")}, Done, 2e8},
		{"billed for nothing", []Record{in, just(TypeSent, "a"), {Type: TypeUnusable, Attempt: "a", Reason: "moderated", Price: 5}}, Unusable, 5},
		{"failed", []Record{in, {Type: TypeFailed, Attempt: "a", Reason: "no such host"}}, Failed, 0},
		{"sent again after a failure", []Record{in, just(TypeFailed, "a"), just(TypeSent, "a")}, Sent, 0},
		{"in doubt", []Record{in, just(TypeSent, "a"), {Type: TypeInDoubt, Attempt: "a", Reason: "reset", Price: 3}}, InDoubt, 0},
		{"settled by a person", []Record{in, {Type: TypeInDoubt, Attempt: "a", Price: 3}, {Type: TypeResolved, Attempt: "a", Reason: "paid", Price: 4e8}}, Resolved, 4e8},
		{"of a later version", []Record{in, just(TypeSent, "a"), just("thumbs_up", "a")}, Sent, 0},
		{"a receipt without intent", []Record{receipt("a", 0)}, Delivered, 2e8},
	} {
		s := fold(test.records...)
		if len(s.Attempts) != 1 {
			t.Errorf("%s: %d attempts", test.name, len(s.Attempts))
			continue
		}
		a := s.Attempts[0]
		if want := map[bool]provider.Money{true: 3}[a.Phase == InDoubt]; a.Doubt != want {
			t.Errorf("%s: %v in doubt, want %v", test.name, a.Doubt, want)
		}
		if a.Phase != test.phase || a.Spent != test.spent {
			t.Errorf("%s: %v, spent %v; want %v, %v", test.name, a.Phase, a.Spent, test.phase, test.spent)
		}
	}
}

// What is appended is what the next opener is told, over many segments.
func TestAppendAndReopen(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	var all []Record
	for i := range 12 {
		j, s := mustOpen(t, f)
		if d := cmp.Diff(fold(all...), s, unexported); d != "" {
			t.Fatalf("round %d: %s", i, d)
		}
		records := life(fmt.Sprint("a", i))
		mustAppend(t, j, records[:2]...)
		for _, r := range records[2:] {
			mustAppend(t, j, r)
		}
		all = append(all, records...)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err := Read(f); err != nil || len(s.Attempts) != i+1 || s.Attempts[i].Phase != Done {
			t.Fatalf("read: %+v, %v", s, err)
		}
		if err := j.Append(all[0]); err == nil {
			t.Fatal("appended to a closed journal")
		}
	}
	if segments, err := load(f); err != nil || len(segments) < 3 {
		t.Errorf("%d segments, %v: the test does not roll", len(segments), err)
	}
}

func TestLongRecords(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _, err := open(f, recordRoom)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r := receipt("a", 0)
	r.Delivery.RevisedPrompt = strings.Repeat("long ", recordRoom)
	mustAppend(t, j, intent("a", 1), r, blob("a", 0))
	if err := j.Room(1); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, receipt("a", 1), r)
	want := fold(intent("a", 1), r, blob("a", 0), receipt("a", 1), r)
	if s, err := Read(f); err != nil || cmp.Diff(want, s, unexported) != "" {
		t.Errorf("%v %s", err, cmp.Diff(want, s, unexported))
	}
}

func TestRefusesWhatCantBeReadAgain(t *testing.T) {
	t.Parallel()
	j, _ := mustOpen(t, faultfs.NewDisk())
	for name, r := range map[string]Record{
		"no type":        {Attempt: "a"},
		"the marker":     {Type: typeCompact, Attempt: "a"},
		"no attempt":     {Type: TypeSent},
		"a path":         {Type: TypeSent, Attempt: "../a"},
		"negative price": {Type: TypeUnusable, Attempt: "a", Price: -1},
		"negative cost":  {Type: TypeReceipt, Attempt: "a", Delivery: &Delivery{Price: -1}},
		"year 10000":     {Type: TypeIntent, Attempt: "a", Intent: &Intent{Started: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		if err := j.Append(r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	mustAppend(t, j, life("a")...)
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _ := mustOpen(t, f)
	const n = 40
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for _, r := range life(fmt.Sprint("a", i)) {
				if err := j.Append(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := Read(f.Crash(rand.New(rand.NewPCG(1, 1))))
	if err != nil || len(s.Attempts) != n || len(s.Notes) > 0 {
		t.Fatalf("%d attempts, %v, %v", len(s.Attempts), s.Notes, err)
	}
	for _, a := range s.Attempts {
		if a.Phase != Done {
			t.Errorf("%s is %v", a.ID, a.Phase)
		}
	}
}

// On a disk that is full from now on, the promised number of receipts fits.
func TestRoomOnFullDisk(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 300} {
		full := &fullDisk{FS: faultfs.NewDisk()}
		j, _, err := Open(full)
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, intent("a", n))
		if err := j.Room(n); err != nil {
			t.Fatal(err)
		}
		full.full = true
		if err := j.Room(10_000); err == nil {
			t.Error("room on a full disk")
		}
		for i := range n {
			r := receipt("a", i)
			r.Delivery.RevisedPrompt = strings.Repeat("x", 7<<10)
			if err := j.Append(r); err != nil {
				t.Fatalf("receipt %d of %d: %v", i, n, err)
			}
		}
		if s, err := Read(full); err != nil || len(s.Attempts[0].Deliveries) != n {
			t.Errorf("%d receipts: %v", n, err)
		}
		full.full = false
		if err := j.Room(400); err != nil {
			t.Fatal(err)
		}
		j.Close()

		// A segment that was prepared and not used is not counted on: whoever
		// prepared it may have died half-way.
		if j, _, err = Open(full); err != nil {
			t.Fatal(err)
		}
		if segments, err := load(full); err != nil || segments[len(segments)-1].Number != j.active.number {
			t.Errorf("%d segments, %d is active: %v", len(segments), j.active.number, err)
		}
		j.Close()
	}
}

// fullDisk refuses what needs new room.
type fullDisk struct {
	workspace.FS
	full bool
}

func (f *fullDisk) OpenFile(name string, flag int, perm fs.FileMode) (workspace.File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &fullFile{file, f}, nil
}

type fullFile struct {
	workspace.File
	disk *fullDisk
}

var errFull = errors.New("no space left on device")

func (f *fullFile) Write(b []byte) (int, error) {
	if f.disk.full {
		return 0, errFull
	}
	return f.File.Write(b)
}

func (f *fullFile) WriteAt(b []byte, off int64) (int, error) {
	if fi, err := f.Stat(); f.disk.full && (err != nil || off+int64(len(b)) > fi.Size()) {
		return 0, errFull
	}
	return f.File.WriteAt(b, off)
}

func TestCompact(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _ := mustOpen(t, f)
	var open []Record
	for i := range 10 {
		id := fmt.Sprint("a", i)
		records := life(id)
		if i%3 == 0 {
			records = append(records[:3], just("thumbs_up", id))
			open = append(open, records...)
		}
		mustAppend(t, j, records...)
	}
	mustAppend(t, j, Record{Type: TypeWrote, Attempt: "p", Files: []File{{Path: "a.png", Content: digest.Content{1}}}},
		Record{Type: TypeRunEnd, Attempt: "p", Reason: "no such run"})
	if s, err := Read(f); err != nil || s.Written["a.png"] != (digest.Content{1}) {
		t.Errorf("written: %v, %v", s.Written, err)
	}
	unsettled := func(a Attempt) bool { return !a.Phase.Settled() }
	for range 3 {
		if err := j.Compact(unsettled); err != nil {
			t.Fatal(err)
		}
		s, err := Read(f)
		if d := cmp.Diff(fold(open...), s, unexported); d != "" || err != nil {
			t.Fatalf("%v %s", err, d)
		}
		if segments, _ := load(f); len(segments) != 1 || bytes.Contains(segments[0].Data, []byte("https://img.example/a1")) {
			t.Errorf("%d segments, or the URL of a settled attempt, are left", len(segments))
		}
		more := life(fmt.Sprint("b", len(open)))[:2]
		mustAppend(t, j, more...)
		open = append(open, more...)
		j.Close()
		if j, s = mustOpen(t, f); cmp.Diff(fold(open...), s, unexported) != "" {
			t.Fatal(cmp.Diff(fold(open...), s, unexported))
		}
	}
	segments, _ := load(f)
	if !bytes.Contains(segments[0].Data, []byte("thumbs_up")) {
		t.Error("a record of a later version was not kept")
	}
	if err := j.Compact(func(Attempt) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if s, err := Read(f); err != nil || len(s.Attempts) > 0 {
		t.Errorf("after dropping all: %v, %v", s, err)
	}
}

// What compaction carried over was synced before it had a name: no part of it
// may be taken for torn.
func TestCompactedSegmentIsWhole(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _ := mustOpen(t, f)
	mustAppend(t, j, append(life("a"), life("b")...)...)
	if err := j.Compact(func(Attempt) bool { return true }); err != nil {
		t.Fatal(err)
	}
	segments, err := load(f)
	if err != nil || len(segments) != 1 {
		t.Fatal(len(segments), err)
	}
	for cut := range int(j.active.off) - alignment {
		for name, tail := range map[string][]byte{"shorter": nil, "zeros": make([]byte, len(segments[0].Data)-cut)} {
			s := clone(segments)
			s[0].Data = append(s[0].Data[:cut:cut], tail...)
			var damage *Damage
			if state, err := Replay(s); !errors.As(err, &damage) {
				t.Fatalf("%s at %d: %v, %+v", name, cut, err, state)
			}
		}
	}
}

func TestCompactOfNothing(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _ := mustOpen(t, f)
	if err := j.Compact(func(Attempt) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if names, _ := list(f, "."); len(names) > 0 {
		t.Errorf("made %v", names)
	}
}

// What a run left counts for its budget until the run ends normally.
func TestRunEnd(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _ := mustOpen(t, f)
	a, b := intent("a", 1), intent("b", 1)
	a.Intent.Run, b.Intent.Run = "r1", "r2"
	mustAppend(t, j, a, b, Record{Type: TypeRunEnd, Attempt: "p", Reason: "r1"})
	s, err := Read(f)
	if err != nil || len(s.Attempts) != 2 || s.Attempts[0].Run != "" || s.Attempts[1].Run != "r2" {
		t.Errorf("%+v, %v", s.Attempts, err)
	}
}

// sample is a journal of several segments with commits of several records, and
// the JSON of the records in it.
func sample(t testing.TB, name string, lives int, size int64) ([]Segment, [][]byte) {
	f := faultfs.NewDisk()
	j, _, err := open(f, size)
	if err != nil {
		t.Fatal(err)
	}
	for i := range lives {
		records := life(fmt.Sprint(name, i))
		mustAppend(t, j, records[:1]...)
		mustAppend(t, j, records[1:4]...)
		mustAppend(t, j, records[4:]...)
	}
	j.Close()
	segments, err := load(f)
	if err != nil {
		t.Fatal(err)
	}
	h, err := read(segments)
	if err != nil || len(segments) < 2 || len(h.entries) != 5*lives {
		t.Fatalf("%d segments, %d records, %v", len(segments), len(h.entries), err)
	}
	var bodies [][]byte
	for _, e := range h.entries {
		bodies = append(bodies, e.body)
	}
	return segments, bodies
}

// prefix reads segments and tells how many of the records they still hold, or
// -1 if there is anything else.
func prefix(segments []Segment, bodies [][]byte) (int, error) {
	h, err := read(segments)
	for i, e := range h.entries {
		if i >= len(bodies) || !bytes.Equal(e.body, bodies[i]) {
			return -1, err
		}
	}
	return len(h.entries), err
}

func clone(segments []Segment) []Segment {
	out := slices.Clone(segments)
	for i := range out {
		out[i].Data = slices.Clone(out[i].Data)
	}
	return out
}

// A journal cut at any byte is a prefix of itself, and no error: that is how a
// killed process leaves it.
func TestTruncatedAtEveryByte(t *testing.T) {
	t.Parallel()
	segments, all := sample(t, "a", 5, 4096)
	last := len(segments) - 1
	h, err := read(segments)
	if err != nil {
		t.Fatal(err)
	}
	before := -1
	for cut := 0; cut <= h.end; cut++ {
		for name, tail := range map[string][]byte{"shorter": nil, "zeros": make([]byte, len(segments[last].Data)-cut)} {
			s := clone(segments)
			s[last].Data = append(s[last].Data[:cut:cut], tail...)
			n, err := prefix(s, all)
			if err != nil || n < 0 || n < before {
				t.Fatalf("%s at %d: %d records, %v", name, cut, n, err)
			}
			before = n
		}
	}
	if before != len(all) {
		t.Errorf("the whole journal has %d of %d records", before, len(all))
	}
}

// Whatever sectors of the last commit a power cut loses, no error comes of it
// and all earlier commits are there.
func TestTornSectors(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _, err := open(f, 8192)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, intent("a", 2), just(TypeSent, "a"))
	from := int(j.active.off)
	long := receipt("a", 0)
	long.Delivery.RevisedPrompt = strings.Repeat("long ", 300)
	mustAppend(t, j, long, blob("a", 0), receipt("a", 1), blob("a", 1))
	to := int(j.active.off)
	j.Close()
	segments, err := load(f)
	if err != nil {
		t.Fatal(err)
	}
	h, err := read(segments)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, e := range h.entries {
		all = append(all, e.body)
	}
	first, last := from/sectorSize, (to-1)/sectorSize
	for lost := range 1 << (last - first + 1) {
		s := clone(segments)
		for i := first; i <= last; i++ {
			if lost>>(i-first)&1 == 1 {
				clear(s[0].Data[max(from, i*sectorSize):min(to, (i+1)*sectorSize)])
			}
		}
		if n, err := prefix(s, all); err != nil || n < 2 || n == 6 != (lost == 0) {
			t.Errorf("lost sectors %b: %d records, %v", lost, n, err)
		}
	}
}

// A flipped bit in a record, wherever it is, is never taken for a crash.
func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	segments, all := sample(t, "a", 2, 1024)
	for i := range segments {
		used := len(bytes.TrimRight(segments[i].Data, "\x00"))
		for at := range used {
			for bit := range 8 {
				segments[i].Data[at] ^= 1 << bit
				n, err := prefix(segments, all)
				var damage *Damage
				switch {
				case err == nil && n == len(all): // in the fill between two records
				case !errors.As(err, &damage) || damage.Segment != segments[i].Number || damage.Offset > int64(at):
					t.Fatalf("segment %d, byte %d, bit %d: %v", i, at, bit, err)
				case n < 0:
					t.Fatalf("segment %d, byte %d, bit %d: not a prefix", i, at, bit)
				}
				segments[i].Data[at] ^= 1 << bit
			}
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	segments, all := sample(t, "a", 12, 4096)
	other, _ := sample(t, "b", 12, 4096)
	for name, spoil := range map[string]func([]Segment) []Segment{
		"a segment of another journal": func(s []Segment) []Segment { s[1] = other[1]; return s },
		"the first segment is missing": func(s []Segment) []Segment { return s[1:] },
		"one in the middle is missing": func(s []Segment) []Segment { return append(s[:1], s[2:]...) },
		"two are exchanged":            func(s []Segment) []Segment { s[0].Data, s[1].Data = s[1].Data, s[0].Data; return s },
		"a segment is empty":           func(s []Segment) []Segment { clear(s[1].Data); return s },
		"a segment is cut":             func(s []Segment) []Segment { s[1].Data = s[1].Data[:100]; return s },
		"a sector is lost":             func(s []Segment) []Segment { clear(s[1].Data[512:1024]); return s },
		"a record is left out": func(s []Segment) []Segment {
			n := headerSize + aligned(len(payloadAt(s[0].Data, 0)))
			s[0].Data = s[0].Data[n:]
			return s
		},
	} {
		n, err := prefix(spoil(clone(segments)), all)
		var damage *Damage
		if !errors.As(err, &damage) || n < 0 {
			t.Errorf("%s: %d records, %v", name, n, err)
		}
	}
}

// Nothing can be opened for writing, or changed, while there is damage.
func TestDamageStopsTheOpener(t *testing.T) {
	t.Parallel()
	f := faultfs.NewDisk()
	j, _ := mustOpen(t, f)
	mustAppend(t, j, life("a")...)
	mustAppend(t, j, life("b")...)
	file, err := f.OpenFile(segmentName(1), 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.WriteAt([]byte("x"), 20)
	before, _ := load(f)
	_, _, err = open(f, small)
	var damage *Damage
	if !errors.As(err, &damage) || damage.Segment != 1 || damage.Offset != 0 {
		t.Errorf("%v", err)
	}
	if after, _ := load(f); !cmp.Equal(before, after) {
		t.Error("the damaged journal was changed")
	}
}

func drawRecords(t *rapid.T) []Record {
	types := []Type{TypeIntent, TypeSent, TypeJob, TypeReceipt, TypeBlob, TypeDone, TypeUnusable, TypeFailed, TypeInDoubt, TypeResolved, "later"}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Record {
		r := Record{Type: rapid.SampledFrom(types).Draw(t, "type"), Attempt: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "attempt")}
		i := rapid.IntRange(0, 2).Draw(t, "index")
		switch r.Type {
		case TypeIntent:
			r = intent(r.Attempt, i)
		case TypeJob:
			r.JobID = rapid.String().Draw(t, "job")
		case TypeReceipt:
			r = receipt(r.Attempt, i)
		case TypeBlob:
			r = blob(r.Attempt, i)
		case TypeUnusable:
			if rapid.Bool().Draw(t, "one") {
				r.Delivery = &Delivery{Index: i}
			}
			fallthrough
		case TypeResolved:
			r.Reason, r.Price = rapid.String().Draw(t, "reason"), provider.Money(rapid.Int64Range(0, 9).Draw(t, "price"))
		}
		return r
	}), 0, 40).Draw(t, "records")
}

func TestReplayProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t)
		f := faultfs.NewDisk()
		j, _, err := open(f, small)
		if err != nil {
			t.Fatal(err)
		}
		for rest := records; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "commit")
			if err := j.Append(rest[:n]...); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		once := fold(records...)

		// The files say what was appended.
		s, err := Read(f)
		if d := cmp.Diff(fold(decoded(t, records)...), s, unexported); d != "" || err != nil {
			t.Fatalf("%v %s", err, d)
		}
		// A repeated history, as after a crash, has the same end.
		for i, a := range fold(append(slices.Clone(records), records...)...).Attempts {
			b := once.Attempts[i]
			a.Phase, b.Phase = ended(a.Phase), ended(b.Phase)
			if d := cmp.Diff(b, a, unexported); d != "" {
				t.Fatal(d)
			}
		}
		// Attempts do not depend on each other.
		byID := slices.Clone(records)
		slices.SortStableFunc(byID, func(a, b Record) int { return strings.Compare(a.Attempt, b.Attempt) })
		again := fold(byID...)
		sortByID(once.Attempts)
		if d := cmp.Diff(once, again, unexported); d != "" {
			t.Fatal(d)
		}
		// Compaction changes nothing of what it keeps.
		if err := j.Compact(func(a Attempt) bool { return a.ID != "b" }); err != nil {
			t.Fatal(err)
		}
		kept := slices.DeleteFunc(decoded(t, records), func(r Record) bool { return r.Attempt == "b" })
		s, err = Read(f)
		if d := cmp.Diff(fold(kept...), s, unexported); d != "" || err != nil {
			t.Fatalf("compacted: %v %s", err, d)
		}
	})
}

// ended lets the phase of a delivery stand for both of its forms: which of
// them the end of a repeated history is depends on how much was told before.
func ended(p Phase) Phase {
	if p == Stored {
		return Delivered
	}
	return p
}

func sortByID(a []Attempt) {
	slices.SortFunc(a, func(a, b Attempt) int { return strings.Compare(a.ID, b.ID) })
}

// decoded is records as JSON brings them back.
func decoded(t *rapid.T, records []Record) []Record {
	out := make([]Record, len(records))
	for i, r := range records {
		b, err := json.Marshal(r)
		if err == nil {
			err = json.Unmarshal(b, &out[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// For every operation, every kind of fault and many power cuts: what Append
// acknowledged is there, in order, with nothing but unacknowledged records
// after it; and the journal opens and works.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	const size = recordRoom
	for name, kind := range map[string]faultfs.Kind{"fail": faultfs.Fail, "cut": faultfs.Cut, "short": faultfs.Short, "lie": faultfs.Lie} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faultfs.Each(kind, func(fault faultfs.Fault) *faultfs.FS {
				disk := faultfs.NewDisk()
				f := faultfs.Wrap(disk, fault)
				tried, acknowledged, compacted := busy(f, size)
				disks := []*faultfs.Disk{disk}
				for seed := range uint64(4) {
					disks = append(disks, disk.Crash(rand.New(rand.NewPCG(seed, 4))))
				}
				for i, d := range disks {
					j, _, err := open(d, size)
					if kind == faultfs.Lie && err != nil {
						continue // a disk that lies is found out, not outwitted
					}
					if err != nil {
						t.Fatalf("at %d, disk %d: %v", fault.At, i, err)
					}
					segments, err := load(d)
					if err != nil {
						t.Fatal(err)
					}
					if h, err := read(segments); err != nil || h.first > 0 {
						t.Errorf("at %d, disk %d: %d replaced segments are still there, %v", fault.At, i, h.first, err)
					}
					got := bodies(t, d)
					if now := bodies(t, d.Crash(rand.New(rand.NewPCG(6, uint64(i))))); !slices.Equal(now, got) {
						t.Errorf("at %d, disk %d: what was read of %d records is not durable: %d", fault.At, i, len(got), len(now))
					}
					ok := false
					for n := acknowledged; n <= len(tried); n++ {
						ok = ok || !compacted && slices.Equal(got, tried[:n]) || slices.Equal(got, withoutA0(tried[:n]))
					}
					if !ok && kind != faultfs.Lie {
						t.Errorf("at %d, disk %d: %d records of %d tried and %d acknowledged (compacted: %v)",
							fault.At, i, len(got), len(tried), acknowledged, compacted)
					}
					if err := j.Append(just(TypeSent, "z")); err != nil {
						t.Errorf("at %d, disk %d: append: %v", fault.At, i, err)
					}
					if n := len(bodies(t, d.Crash(rand.New(rand.NewPCG(5, 5))))); n != len(got)+1 {
						t.Errorf("at %d, disk %d: %d records after one more than %d", fault.At, i, n, len(got))
					}
					j.Close()
				}
				return f
			})
		})
	}
}

// busy is a run that rolls and compacts. It stops as apply does, when it can't
// append. It returns the JSON of the records, of how many it was told that they
// are durable, and whether it was told that those of a0 are gone.
func busy(f workspace.FS, size int64) (tried []string, acknowledged int, compacted bool) {
	j, _, err := open(f, size)
	if err != nil {
		return nil, 0, false
	}
	defer j.Close()
	for i := range 4 {
		records := life(fmt.Sprint("a", i))
		records[2].Delivery.RevisedPrompt = strings.Repeat("long ", 500)
		for _, batch := range [][]Record{records[:2], records[2:3], records[3:]} {
			if j.Room(1) != nil {
				break // nothing is sent
			}
			for _, r := range batch {
				b, _ := json.Marshal(r)
				tried = append(tried, string(b))
			}
			if j.Append(batch...) != nil {
				return tried, acknowledged, compacted
			}
			acknowledged = len(tried)
		}
		if i == 1 {
			compacted = j.Compact(func(a Attempt) bool { return a.ID != "a0" }) == nil
		}
	}
	return tried, acknowledged, compacted
}

func withoutA0(bodies []string) []string {
	return slices.DeleteFunc(slices.Clone(bodies), func(b string) bool { return strings.Contains(b, `"attempt":"a0"`) })
}

// bodies is the JSON of the records in a journal.
func bodies(t *testing.T, f workspace.FS) (out []string) {
	segments, err := load(f)
	if err != nil {
		t.Fatal(err)
	}
	h, err := read(segments)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.entries {
		if e.Type != typeCompact {
			out = append(out, string(e.body))
		}
	}
	return out
}

// After a failed sync the kernel may have dropped what was written: no later
// sync may be believed.
func TestFailedWriteIsFinal(t *testing.T) {
	t.Parallel()
	// The operations of the second Append.
	count := faultfs.Wrap(faultfs.NewDisk(), faultfs.Fault{})
	j, _ := mustOpen(t, count)
	mustAppend(t, j, intent("a", 1))
	first := count.Ops()
	mustAppend(t, j, just(TypeSent, "a"))
	if count.Ops() != first+2 {
		t.Fatalf("an append has %d operations, not a write and a sync", count.Ops()-first)
	}
	for at := first + 1; at <= first+2; at++ {
		j, _ := mustOpen(t, faultfs.Wrap(faultfs.NewDisk(), faultfs.Fault{At: at}))
		mustAppend(t, j, intent("a", 1))
		for range 2 {
			if err := j.Append(just(TypeSent, "a")); !errors.Is(err, faultfs.Err) {
				t.Errorf("operation %d: %v", at, err)
			}
		}
		if err := errors.Join(j.Room(1), j.Compact(func(Attempt) bool { return true })); !errors.Is(err, faultfs.Err) {
			t.Errorf("operation %d: went on: %v", at, err)
		}
	}
}

func FuzzReplay(f *testing.F) {
	segments, _ := sample(f, "a", 4, 2048)
	f.Add(segments[0].Data, segments[1].Data)
	f.Add(segments[0].Data[:700], []byte{})
	f.Add(make([]byte, 64), segments[0].Data[:64])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		segments := []Segment{{1, a}, {2, b}}
		state, err := Replay(segments)
		again, err2 := Replay(segments)
		if !cmp.Equal(state, again, unexported) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Error("two replays differ")
		}
		if err != nil {
			return
		}
		// What can be read can be opened, and then has no unfinished end.
		disk := faultfs.NewDisk()
		for _, s := range segments {
			file, err := disk.Create(segmentName(s.Number))
			if err != nil {
				t.Fatal(err)
			}
			file.Write(s.Data)
			file.Close()
		}
		j, opened, err := open(disk, small)
		if err != nil || !cmp.Equal(state, opened, unexported) {
			t.Fatalf("open: %v", err)
		}
		if err := j.Append(just(TypeSent, "zz")); err != nil {
			t.Fatal(err)
		}
		if s, err := Read(disk); err != nil || len(s.Notes) > 0 {
			t.Fatalf("after an append: %v %v", s.Notes, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			root, err := workspace.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer root.Close()
			j, _, err := Open(root.FS(".imgbuild/journal"))
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			r := receipt("a", 0)
			var wg sync.WaitGroup
			next := make(chan struct{})
			for range writers {
				wg.Go(func() {
					for range next {
						if err := j.Append(r); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				next <- struct{}{}
			}
			close(next)
			wg.Wait()
		})
	}
}

func BenchmarkOpenEmpty(b *testing.B) {
	root, err := workspace.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	f := root.FS(".imgbuild/journal")
	j, _, err := Open(f)
	if err == nil {
		err = j.Append(life("a")...)
	}
	if err != nil {
		b.Fatal(err)
	}
	j.Close()
	for b.Loop() {
		if _, err := Read(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReplay10k(b *testing.B) {
	f := faultfs.NewDisk()
	j, _, err := open(f, segmentSize)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 2000 {
		mustAppend(b, j, life(fmt.Sprint("a", i))...)
	}
	segments, err := load(f)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Replay(segments); err != nil {
			b.Fatal(err)
		}
	}
}

// What is read by hand is what JSON says.
func TestParseByHand(t *testing.T) {
	t.Parallel()
	for _, r := range append(life("a-1.0"), Record{Type: "later", Attempt: "x"}, Record{Type: `qu"ote`, Attempt: "x"}, Record{Type: TypeRunEnd, Attempt: "p", Reason: "r"},
		Record{Type: typeCompact, Keep: 3}) {
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		l := link{seq: 12, base: 7, prev: [8]byte{1, 2, 255}}
		frame, next := appendFrame(nil, body, l)
		e, err := parse(payloadAt(frame, 0))
		if err != nil || e.link != l || e.next != next.prev || !bytes.Equal(e.body, body) || !cmp.Equal(e.Record, r) {
			t.Errorf("%s: %+v, %v", body, e, err)
		}
	}
	for _, bad := range []string{`{"seq":`, `{"seq":1,"base":1,"prev":"00",{}`, `{"seq":x,"base":1,"prev":"0000000000000000","type":"a"}`,
		`{"seq":1,"base":1,"prev":"000000000000000g","type":"a"}`, `{"seq":1,"base":1,"prev":"000000000000000000","type":"a"}`, `{"seq":1,"base":1,"prev":"0000000000000000","type":1}`} {
		if e, err := parse([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, e)
		}
	}
}
