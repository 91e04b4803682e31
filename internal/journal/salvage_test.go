package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// laid puts segments on a disk of their own.
func laid(t testing.TB, segments []Segment) workspace.FS {
	t.Helper()
	f := faultfs.NewDisk()
	for _, s := range segments {
		file, err := f.Create(segmentName(s.Number))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(s.Data); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := workspace.SyncDir(f, "."); err != nil {
		t.Fatal(err)
	}
	return f
}

// salvaged checks what Salvage left: a journal that opens, with every record
// that could be read and nothing else but doubts, and all that could not be read
// beside it.
func salvaged(t testing.TB, f workspace.FS, damaged []Segment, all [][]byte) (doubts int) {
	t.Helper()
	var want [][]byte
	for _, e := range scan(damaged) {
		want = append(want, e.body)
	}
	segments, err := load(f)
	if err != nil {
		t.Fatal(err)
	}
	h, err := read(segments)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for _, e := range h.entries[1:] { // the marker is not one of them
		var r Record
		if err := json.Unmarshal(e.body, &r); err != nil {
			t.Fatal(err)
		}
		if r.Type == TypeInDoubt {
			doubts++
		} else {
			got = append(got, e.body)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	for _, b := range got {
		if !slices.ContainsFunc(all, func(a []byte) bool { return bytes.Equal(a, b) }) {
			t.Fatalf("a record that nobody wrote: %s", b)
		}
	}
	names, err := list(f, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range damaged {
		if readable(s.Data) {
			continue
		}
		if !slices.ContainsFunc(names, func(n string) bool {
			b, err := readFile(f, n)
			return strings.HasPrefix(n, segmentName(s.Number)+aside) && err == nil && bytes.Equal(b, s.Data)
		}) {
			t.Fatalf("segment %d is not kept: %v", s.Number, names)
		}
	}
	if again, err := Salvage(f); err != nil || again.Damage != nil {
		t.Fatalf("a second salvage: %+v, %v", again.Damage, err)
	}
	return doubts
}

func TestSalvageOfFlippedBits(t *testing.T) {
	t.Parallel()
	clean, all := sample(t, "a", 4, 1024)
	luck := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 200 {
		segments := clone(clean)
		i := luck.IntN(len(segments))
		used := len(bytes.TrimRight(segments[i].Data, "\x00"))
		segments[i].Data[luck.IntN(used)] ^= 1 << luck.IntN(8)
		f := laid(t, segments)
		s, err := salvage(f, 1024)
		if err != nil {
			t.Fatal(err)
		}
		if s.Damage == nil {
			continue // between two records: it is noted
		}
		found++
		if s.Records != len(all)-1 || s.Missing != 1 || s.Before+s.After != s.Records {
			t.Fatalf("%+v", s)
		}
		salvaged(t, f, segments, all)
	}
	if found < 150 {
		t.Errorf("%d of 200 flips hit a record", found)
	}
}

// What is missing may have been the sending of a request, or what it was for.
func TestSalvageDoubts(t *testing.T) {
	t.Parallel()
	job := Record{Type: TypeJob, Attempt: "a", JobID: "j"}
	for name, tt := range map[string]struct {
		records []Record
		lose    int // the record that can't be read
		want    string
	}{
		"sent is lost":           {[]Record{intent("a", 2), just(TypeSent, "a"), intent("b", 1)}, 1, "a in doubt 0.04; b intended 0.00"},
		"the last is lost":       {[]Record{intent("a", 1), just(TypeSent, "a")}, 1, "a in doubt 0.02"},
		"before the intent":      {[]Record{just(TypeDone, "z"), intent("a", 1)}, 0, "a intended 0.00"},
		"the intent is lost":     {[]Record{intent("a", 1), just(TypeSent, "a")}, 0, "a in doubt 0.00"},
		"the job has no intent":  {[]Record{intent("a", 1), job}, 0, "a in doubt 0.00"},
		"the receipt is lost":    {[]Record{intent("a", 1), just(TypeSent, "a"), receipt("a", 0), intent("b", 1)}, 2, "a sent 0.00; b intended 0.00"},
		"the job is known":       {[]Record{intent("a", 1), just(TypeSent, "a"), job}, 1, "a accepted 0.00"},
		"nothing but an end":     {[]Record{intent("a", 1), just(TypeDone, "a")}, 0, "a done 0.00"},
		"the last intent":        {[]Record{intent("a", 1), just(TypeDone, "a"), intent("b", 1)}, 2, "a done 0.00; lost-3 in doubt 0.00"},
		"it was in doubt before": {[]Record{intent("a", 1), {Type: TypeInDoubt, Attempt: "a", Price: 7e8}, just(TypeDone, "z")}, 2, "a in doubt 0.07"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := faultfs.NewDisk()
			j, _ := mustOpen(t, f)
			for _, r := range tt.records {
				mustAppend(t, j, r)
			}
			j.Close()
			segments, err := load(f)
			if err != nil {
				t.Fatal(err)
			}
			entries, n := scan(segments), tt.lose
			for _, s := range segments {
				for off := 0; n >= 0; n-- {
					p := payloadAt(s.Data, off)
					if p == nil {
						break
					}
					if n == 0 {
						p[len(p)-2] ^= 1
					}
					off += headerSize + aligned(len(p))
				}
			}
			f2 := laid(t, segments)
			before, err := salvage(f2, small)
			if err != nil || before.Damage == nil || before.Records != len(entries)-1 {
				t.Fatalf("%+v, %v", before, err)
			}
			after, err := Read(f2)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range after.Attempts {
				got = append(got, fmt.Sprintf("%s %v %s", a.ID, a.Phase, a.Doubt.Decimal()))
			}
			if s := strings.Join(got, "; "); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
			if d := cmp.Diff(before.State.Attempts, after.Attempts, unexported); d != "" {
				t.Errorf("what the survey told is not what is there: %s", d)
			}
		})
	}
}

func TestSalvageOfMissingAndForeignSegments(t *testing.T) {
	t.Parallel()
	clean, all := sample(t, "a", 12, 4096)
	other, more := sample(t, "b", 12, 4096)
	for name, spoil := range map[string]func([]Segment) []Segment{
		"the first is missing":         func(s []Segment) []Segment { return s[1:] },
		"one in the middle is missing": func(s []Segment) []Segment { return append(s[:1], s[2:]...) },
		"one is cut":                   func(s []Segment) []Segment { s[1].Data = s[1].Data[:100]; return s },
		"one of another journal":       func(s []Segment) []Segment { s[1] = other[1]; return s },
	} {
		segments := spoil(clone(clean))
		f := laid(t, segments)
		s, err := salvage(f, 4096)
		if err != nil || s.Damage == nil || s.Missing == 0 && name != "one of another journal" {
			t.Fatalf("%s: %+v, %v", name, s, err)
		}
		salvaged(t, f, segments, append(slices.Clone(all), more...))
	}
}

// Killed at any operation and repeated, a salvage ends as if it had not been.
func TestSalvageKilledAnywhere(t *testing.T) {
	t.Parallel()
	segments, all := sample(t, "a", 4, 1024)
	segments[1].Data[100] ^= 4
	segments[2].Data[20] ^= 4
	for _, kind := range []faultfs.Kind{faultfs.Cut, faultfs.Fail, faultfs.Short} {
		ops := 0
		faultfs.Each(kind, func(fault faultfs.Fault) *faultfs.FS {
			disk := laid(t, segments)
			f := faultfs.Wrap(disk, fault)
			_, _ = salvage(f, 1024)
			// Between the two somebody else may open it, who finds damage or none.
			if j, _, err := open(disk, 1024); err == nil {
				j.Close()
			}
			if _, err := salvage(disk, 1024); err != nil {
				t.Fatalf("operation %d: %v", fault.At, err)
			}
			salvaged(t, disk, segments, all)
			ops = fault.At
			return f
		})
		if ops < 20 {
			t.Errorf("only %d operations", ops)
		}
	}
}

// A power cut in the middle leaves the damage or the mended journal.
func TestSalvagePowerCut(t *testing.T) {
	t.Parallel()
	segments, all := sample(t, "a", 4, 1024)
	segments[1].Data[100] ^= 4
	luck := rand.New(rand.NewPCG(3, 4))
	faultfs.Each(faultfs.Cut, func(fault faultfs.Fault) *faultfs.FS {
		disk := laid(t, segments).(*faultfs.Disk)
		f := faultfs.Wrap(disk, fault)
		_, _ = salvage(f, 1024)
		for range 5 {
			after := disk.Crash(luck)
			if _, err := salvage(after, 1024); err != nil {
				t.Fatalf("operation %d: %v", fault.At, err)
			}
			salvaged(t, after, segments, all)
		}
		return f
	})
}

func TestExamineTellsWhatLiesThere(t *testing.T) {
	t.Parallel()
	segments, _ := sample(t, "a", 4, 1024)
	p := payloadAt(segments[0].Data, 0)
	if len(p)%alignment == 0 {
		t.Fatal("there is nothing between the records")
	}
	segments[0].Data[headerSize+len(p)] ^= 1
	f := laid(t, segments)
	for _, name := range []string{tempPrefix + "x", "notes.txt", segmentName(1) + aside + "0123"} {
		file, err := f.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(file, "x")
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Examine(f)
	if err != nil || s.Damage != nil || len(s.Left) != 1 || len(s.Foreign) != 1 || len(s.Aside) != 1 || len(s.State.Notes) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := Examine(faultfs.NewDisk()); err != nil || s.Segments != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// What a journal knew is not nothing because nobody can read it.
func TestGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	own, f := root.FS("own"), root.FS("own/journal")
	folder := filepath.Join(dir, "own", "journal")
	gone := func() bool {
		t.Helper()
		is, err := Gone(own, f)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if gone() {
		t.Error("a journal that never was is gone")
	}
	j, _, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := j.Mark(own); err != nil {
			t.Fatal(err)
		}
	}
	if gone() {
		t.Error("a journal with a record is gone")
	}
	j.Close()
	for name, lose := range map[string]func() error{
		"removed": func() error { return os.RemoveAll(folder) },
		"emptied": func() error { return os.Truncate(filepath.Join(folder, "000001.log"), 0) },
		"zeros":   func() error { return os.WriteFile(filepath.Join(folder, "000001.log"), make([]byte, 9999), 0o666) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		if !gone() {
			t.Errorf("%s: it is not gone", name)
		}
		j, state, err := Open(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Bereave(); err != nil {
			t.Fatal(err)
		}
		j.Close()
		state.Bereave()
		got, err := Read(f)
		if diff := cmp.Diff(state.Attempts, got.Attempts, cmp.AllowUnexported(Attempt{})); diff != "" || err != nil || len(got.Attempts) != 1 || got.Attempts[0].Phase != InDoubt || !got.Attempts[0].Request.IsZero() {
			t.Errorf("%s: %v, what was said and what is read differ (-said +read):\n%s", name, err, diff)
		}
		if gone() {
			t.Errorf("%s: it is gone after a new one began", name)
		}
	}
}

// A journal without its first segment may have known of anything.
func TestBeheaded(t *testing.T) {
	t.Parallel()
	clean, _ := sample(t, "a", 4, 1024)
	for name, segments := range map[string][]Segment{
		"records after it": clone(clean[1:]),
		"none after it":    {{Number: 2, Data: make([]byte, 1024)}},
	} {
		f := laid(t, segments)
		if _, err := salvage(f, 1024); err != nil {
			t.Fatal(err)
		}
		state, err := Read(f)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(state.Attempts, func(a Attempt) bool { return a.Request.IsZero() && a.Phase == InDoubt }) {
			t.Errorf("%s: nothing unknown is in doubt: %v", name, state.Attempts)
		}
	}
}
