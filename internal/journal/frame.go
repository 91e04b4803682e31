package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"sync"
)

const (
	headerSize = 8 // length and checksum
	alignment  = 8 // so that a header never crosses a sector
	sectorSize = 512
)

var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }) // most verbs never need it

// Segment is a file of the journal.
type Segment struct {
	Number int
	Data   []byte
}

// Damage is a journal that is not as it was written, and not merely cut off by
// a crash.
type Damage struct {
	Segment int
	Offset  int64
	Reason  string
}

func (e *Damage) Error() string {
	return fmt.Sprintf("journal %s is damaged at byte %d: %s", segmentName(e.Segment), e.Offset, e.Reason)
}

// link ties a record to its place in the history.
type link struct {
	seq  uint64  // of the record, from 1
	base uint64  // seq of the first record of its commit
	prev [8]byte // beginning of the SHA-256 of the JSON of the record before
}

// appendFrame frames body, the JSON of a Record, and returns the link with
// which the next record begins.
func appendFrame(buf, body []byte, l link) ([]byte, link) {
	start := len(buf)
	buf = append(buf, make([]byte, headerSize)...)
	buf = append(buf, `{"seq":`...)
	buf = strconv.AppendUint(buf, l.seq, 10)
	buf = append(buf, `,"base":`...)
	buf = strconv.AppendUint(buf, l.base, 10)
	buf = append(buf, `,"prev":"`...)
	buf = hex.AppendEncode(buf, l.prev[:])
	buf = append(buf, `",`...)
	buf = append(buf, body[1:]...)
	payload := buf[start+headerSize:]
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(buf[start+4:], crc32.Checksum(payload, castagnoli()))
	next := link{seq: l.seq + 1, base: l.base, prev: hashOf(payload)}
	return append(buf, make([]byte, aligned(len(payload))-len(payload))...), next
}

func hashOf(payload []byte) [8]byte {
	sum := sha256.Sum256(payload)
	return [8]byte(sum[:8])
}

func aligned(n int) int { return (n + alignment - 1) / alignment * alignment }

// payloadAt returns the checked JSON at an offset, or nil.
func payloadAt(data []byte, off int) []byte {
	if len(data)-off < headerSize {
		return nil
	}
	n := binary.LittleEndian.Uint32(data[off:])
	if n == 0 || uint64(n) > uint64(len(data)-off-headerSize) {
		return nil
	}
	payload := data[off+headerSize:][:n]
	if !bytes.HasPrefix(payload, []byte(`{"seq":`)) || crc32.Checksum(payload, castagnoli()) != binary.LittleEndian.Uint32(data[off+4:]) {
		return nil
	}
	return payload
}

// entry is a record with its place.
type entry struct {
	link
	Record
	body []byte // JSON of the Record alone, as it was appended
	next [8]byte
}

// parse reads the link by hand and not as JSON, which would cost half of a
// replay; appendFrame writes it in this form only.
func parse(payload []byte) (e entry, err error) {
	var prev []byte
	rest, ok := bytes.CutPrefix(payload, []byte(`{"seq":`))
	rest, ok = number(&e.seq, rest, `,"base":`, ok)
	rest, ok = number(&e.base, rest, `,"prev":"`, ok)
	if ok {
		prev, rest, ok = bytes.Cut(rest, []byte(`",`))
	}
	if n, err := hex.Decode(e.prev[:], prev[:min(len(prev), 2*len(e.prev))]); !ok || err != nil || n != len(e.prev) || len(prev) != 2*n {
		return e, errors.New("the link is not where it belongs")
	}
	e.next = hashOf(payload)
	e.body = append(append(make([]byte, 0, 1+len(rest)), '{'), rest...)
	return e, e.Record.decode(e.body)
}

// number reads digits up to a separator.
func number(to *uint64, text []byte, end string, ok bool) ([]byte, bool) {
	digits, rest, found := bytes.Cut(text, []byte(end))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	*to = n
	return rest, ok && found && err == nil
}

// history is what the segments hold, in order.
type history struct {
	entries []entry
	notes   []Note
	first   int // index of the segment with which it begins; older ones are replaced
	last    int // index of the last segment that was written; -1 if none was
	end     int // where its records end
}

// next is the link of the record after the last.
func (h *history) next() link {
	if len(h.entries) == 0 {
		return link{seq: 1}
	}
	e := &h.entries[len(h.entries)-1]
	return link{seq: e.seq + 1, prev: e.next}
}

// read goes through segments, in order of their numbers. With an error, the
// history is what came before it.
func read(segments []Segment) (h history, err error) {
	// The last marker counts. What is before it was to be removed.
	marked := false
	for i := len(segments) - 1; i >= 0 && !marked; i-- {
		if p := payloadAt(segments[i].Data, 0); p != nil {
			if e, err := parse(p); err == nil && e.Type == typeCompact {
				h.first, marked = i, true
			}
		}
	}
	h.last = -1
	if len(segments) > 0 && !marked && segments[0].Number != 1 {
		return h, &Damage{segments[0].Number, 0, "what was before it is missing"}
	}
	carried := uint64(0) // up to here the records were carried over, all before they had a name
	for i := h.first; i < len(segments); i++ {
		s := segments[i]
		damage := func(off int, format string, args ...any) error {
			return &Damage{s.Number, int64(off), fmt.Sprintf(format, args...)}
		}
		off := 0
		for off < len(s.Data) {
			next := h.next()
			payload := payloadAt(s.Data, off)
			if payload == nil {
				if isZero(s.Data[off:]) {
					break
				}
				lost, acknowledged := later(segments, i, off, next.seq)
				if !isTorn(s.Data, off) || acknowledged || next.seq <= carried {
					return h, damage(off, "record %d can't be read", next.seq)
				}
				text := "an unfinished record was cut off"
				if lost > 0 {
					text = fmt.Sprintf("an unfinished record and %d after it, of the same commit, were cut off", lost)
				}
				h.notes = append(h.notes, Note{s.Number, int64(off), text})
				h.last, h.end = i, off
				return h, nil
			}
			e, err := parse(payload)
			if err != nil {
				return h, damage(off, "record %d can't be understood: %v", next.seq, err)
			}
			switch {
			case e.Type == typeCompact && i == h.first && off == 0:
				carried = e.seq + uint64(e.Keep)
			case e.seq != next.seq:
				return h, damage(off, "record %d follows record %d", e.seq, next.seq-1)
			case e.prev != next.prev:
				return h, damage(off, "record %d does not follow the one before it", e.seq)
			}
			h.entries = append(h.entries, e)
			off += headerSize + aligned(len(payload))
			h.last, h.end = i, min(off, len(s.Data))
		}
	}
	if next := h.next(); next.seq <= carried {
		return h, &Damage{segments[h.last].Number, int64(h.end), fmt.Sprintf("records from %d to %d are missing", next.seq, carried)}
	}
	return h, nil
}

// later counts the readable records after a place that can't be read, and
// reports whether one of them belongs to a later commit than record seq: then
// that one was synced, and known to be.
func later(segments []Segment, i, off int, seq uint64) (n int, acknowledged bool) {
	for off += alignment; i < len(segments); i, off = i+1, 0 {
		for data := segments[i].Data; off < len(data); off += alignment {
			if p := payloadAt(data, off); p != nil {
				if e, err := parse(p); err == nil {
					n++
					acknowledged = acknowledged || e.base > seq
				}
			}
		}
	}
	return n, acknowledged
}

// isTorn reports whether the unreadable record at an offset looks like one
// that was never wholly on disk, and not like one that rotted there: JSON has
// no zero bytes, and the room was zeros before.
func isTorn(data []byte, off int) bool {
	if len(data)-off < headerSize {
		return true // the file ends in it
	}
	n := binary.LittleEndian.Uint32(data[off:])
	// A flipped bit in the length alone would send us to look at foreign bytes.
	rest := data[off+headerSize:]
	for bit := range 32 {
		m := n ^ 1<<bit
		if m > 0 && uint64(m) <= uint64(len(rest)) && crc32.Checksum(rest[:m], castagnoli()) == binary.LittleEndian.Uint32(data[off+4:]) {
			return false
		}
	}
	if n == 0 {
		return isZero(data[off:min(len(data), (off/sectorSize+1)*sectorSize)])
	}
	if uint64(n) > uint64(len(rest)) {
		return true // the file ends in it
	}
	end := off + headerSize + int(n)
	if data[end-1] == 0 {
		return true
	}
	for at := off; at < end; {
		to := min((at/sectorSize+1)*sectorSize, end)
		if isZero(data[at:to]) {
			return true
		}
		at = to
	}
	return false
}

func isZero(b []byte) bool {
	for len(b) >= len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

var zeros [4096]byte

// Replay tells what the segments hold, in order of their numbers. With a
// *Damage, the state is that of the records before it.
func Replay(segments []Segment) (State, error) {
	h, err := read(segments)
	return h.state(), err
}

func (h *history) state() State {
	f := newFolder()
	for _, e := range h.entries {
		f.add(e.Record)
	}
	f.state.Notes = h.notes
	return f.state
}
