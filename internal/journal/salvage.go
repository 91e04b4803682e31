package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// Survey is what an examination of a whole journal found.
type Survey struct {
	State    State // of all records that can be read
	Segments int
	Records  int // that can be read

	Damage        *Damage // nil if there is none
	Before, After int     // records that can be read before the damage, and after it
	Missing       int     // records that can't be read, at least

	Aside   []string // damaged segments that Salvage kept
	Left    []string // of interrupted writes
	Foreign []string // files that are not ours
}

// aside is between the name of a damaged segment and the beginning of its
// content, in the name under which Salvage keeps it.
const aside = ".damaged-"

// Examine reads a journal like Read, and goes on behind damage: each record
// has a checksum of its own. It changes nothing.
func Examine(f workspace.FS) (Survey, error) {
	var s Survey
	for try := 1; ; try++ {
		segments, err := load(f)
		if err != nil {
			return s, fmt.Errorf("journal: examine: %w", err)
		}
		s, _ = survey(segments)
		if s.Damage == nil || try == 3 { // see Read
			break
		}
	}
	names, err := list(f, ".")
	if err != nil {
		return s, fmt.Errorf("journal: examine: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, tempPrefix):
			s.Left = append(s.Left, name)
		case strings.Contains(name, ".log"+aside):
			s.Aside = append(s.Aside, name)
		default:
			if _, ok := segmentNumber(name); !ok {
				s.Foreign = append(s.Foreign, name)
			}
		}
	}
	return s, nil
}

// survey also returns the records that a sound journal would go on with.
func survey(segments []Segment) (s Survey, records [][]byte) {
	h, err := read(segments)
	s = Survey{State: h.state(), Segments: len(segments), Records: len(h.entries)}
	if !errors.As(err, &s.Damage) {
		s.State.Notes = append(s.State.Notes, gaps(segments, &h)...)
		return s, nil
	}
	// Of a torn write nobody was told, but here it can't be told from the rest.
	all := scan(segments[h.first:])
	s.Before, s.Records = len(h.entries), len(all)
	s.After = s.Records - s.Before
	lost := uint64(0) // the last record that is missing
	next := uint64(1)
	beheaded := false // what was before the first segment may be missing, too
	switch {
	case segments[0].Number == 1:
	case len(all) == 0:
		beheaded = true
	default:
		// The records before were dropped when they were settled; a marker says so,
		// which may be what can't be read.
		next = all[0].seq
		if all[0].Type != typeCompact {
			s.Missing, lost = 1, next-1
			head := firstRecord(segments[0].Data)
			beheaded = head == 0 || head >= leastIntent
		}
	}
	for _, e := range all {
		if e.seq > next {
			s.Missing += int(e.seq - next)
			lost = e.seq - 1
		}
		next = max(next, e.seq+1)
	}
	if s.After <= 0 {
		s.After = 0
		s.Missing, lost = s.Missing+1, next // at the end nothing tells how many
	}
	last := map[string]uint64{}
	f := newFolder()
	for _, e := range all {
		f.add(e.Record)
		last[e.Attempt] = e.seq
		if e.Type != typeCompact {
			records = append(records, e.body)
		}
	}
	add := func(r Record) {
		body, err := r.encode()
		if err != nil {
			panic(err) // the id was read from a record, or is ours
		}
		f.add(r)
		records = append(records, body)
	}
	for _, a := range slices.Clone(f.state.Attempts) {
		r := Record{Type: TypeInDoubt, Attempt: a.ID}
		switch {
		case a.Phase.Settled() || a.Phase == InDoubt:
			continue
		case a.Request.IsZero():
			r.Reason = "what it was for is lost with a damaged part of the journal"
		case a.Phase == Intended && last[a.ID] < lost:
			r.Reason, r.Price = "it may have been sent: that part of the journal is damaged", a.Estimate
		default:
			continue
		}
		add(r)
	}
	if nameless := func(a Attempt) bool { return a.Request.IsZero() && !a.Phase.Settled() }; (beheaded || s.whole(segments)) && !slices.ContainsFunc(f.state.Attempts, nameless) {
		add(Record{Type: TypeInDoubt, Attempt: fmt.Sprintf("lost-%d", lost), Reason: "all that was known of it is lost with a damaged part of the journal"})
	}
	s.State = f.state
	return s, records
}

// leastIntent is less than any intent has: its request alone is 64 bytes.
const leastIntent = 200

// whole reports whether all records of a request may be among the missing ones:
// it was sent after two at least, its intent and that it would be sent.
func (s *Survey) whole(segments []Segment) bool {
	if s.After > 0 {
		return s.Missing > 1
	}
	unread := 0 // bytes at the end
	for _, g := range segments {
		if g.Number == s.Damage.Segment {
			g.Data = g.Data[s.Damage.Offset:]
		}
		if g.Number >= s.Damage.Segment {
			unread += len(bytes.TrimRight(g.Data, "\x00"))
		}
	}
	return unread >= leastIntent
}

// firstRecord is where the first record is that can be read; the length of data
// if there is none.
func firstRecord(data []byte) int {
	for off := 0; off < len(data); off += alignment {
		if payload := payloadAt(data, off); payload != nil {
			if _, err := parse(payload); err == nil {
				return off
			}
		}
	}
	return len(data)
}

// scan lists the records that can be read, in order of their numbers.
func scan(segments []Segment) (all []entry) {
	for _, s := range segments {
		for off := 0; off < len(s.Data); {
			payload := payloadAt(s.Data, off)
			if payload == nil {
				off += alignment
				continue
			}
			if e, err := parse(payload); err == nil {
				all = append(all, e)
			}
			off += headerSize + aligned(len(payload))
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	// A compacted segment repeats what those before it say.
	return slices.CompactFunc(all, func(a, b entry) bool { return a.seq == b.seq && bytes.Equal(a.body, b.body) })
}

// gaps looks at the zeros between the records, which carry no checksum and no
// meaning.
func gaps(segments []Segment, h *history) (notes []Note) {
	for i := max(h.first, 0); i <= h.last; i++ {
		s := segments[i]
		for off := 0; off < len(s.Data); {
			payload := payloadAt(s.Data, off)
			if payload == nil {
				break
			}
			end := off + headerSize + len(payload)
			off += headerSize + aligned(len(payload))
			if !isZero(s.Data[end:min(off, len(s.Data))]) {
				notes = append(notes, Note{s.Number, int64(end), "a byte between two records has changed; no record is touched"})
			}
		}
	}
	return notes
}

// Salvage makes a damaged journal usable again: a new segment begins with
// every record that can be read, and with a doubt for each request that may
// have been sent though its records don't say so. Segments that hold anything
// unreadable are kept under another name. It may be killed at any moment and
// repeated. The caller holds the workspace lock. What it returns is the survey
// of before; without damage nothing is done.
func Salvage(f workspace.FS) (Survey, error) { return salvage(f, segmentSize) }

func salvage(f workspace.FS, size int64) (Survey, error) {
	segments, err := load(f)
	if err != nil {
		return Survey{}, fmt.Errorf("journal: salvage: %w", err)
	}
	s, records := survey(segments)
	if s.Damage == nil {
		return s, nil
	}
	if err := rebuild(f, size, segments, records); err != nil {
		return s, fmt.Errorf("journal: salvage: %w", err)
	}
	return s, nil
}

func rebuild(f workspace.FS, size int64, segments []Segment, records [][]byte) error {
	j := &Journal{fs: f, size: size, next: link{seq: 1}}
	defer j.Close()
	if err := j.removeTemps(); err != nil {
		return err
	}
	for _, e := range scan(segments) {
		j.next.seq = max(j.next.seq, e.seq+1)
	}
	// The copies come first: once the new segment has its name, the next who
	// opens the journal removes the old ones.
	for _, s := range segments {
		j.top = max(j.top, s.Number)
		if readable(s.Data) {
			continue
		}
		if err := keepCopy(f, segmentName(s.Number)+aside+digest.OfContent(s.Data).Short(), s.Data); err != nil {
			return err
		}
	}
	if err := workspace.SyncDir(f, "."); err != nil {
		return err
	}
	return j.replace(records, segments)
}

// readable reports whether a segment holds records and zeros and nothing else.
func readable(data []byte) bool {
	for off := 0; off < len(data); {
		payload := payloadAt(data, off)
		if payload == nil {
			return isZero(data[off:])
		}
		off += headerSize + aligned(len(payload))
	}
	return true
}

func keepCopy(f workspace.FS, name string, data []byte) error {
	if have, err := readFile(f, name); err == nil && bytes.Equal(have, data) {
		return nil
	}
	temp := tempPrefix + name
	file, err := f.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	n, err := file.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = f.Rename(temp, name)
	}
	return err
}

// May is what the attempts that are not settled may cost still, by their
// estimates.
func (s *State) May() (sum provider.Money) {
	for i := range s.Attempts {
		if a := &s.Attempts[i]; a.Phase == InDoubt {
			sum += a.Doubt
		} else if a.Phase == Sent {
			_, price := a.Rest()
			sum += price
		}
	}
	return sum
}
