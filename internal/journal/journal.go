package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/imgbuild/imgbuild/internal/workspace"
)

const (
	segmentSize = 1 << 20
	recordRoom  = 8 << 10 // enough for a receipt with a long URL and a long revised prompt

	tempPrefix = ".imgbuild-tmp-"
)

func segmentName(number int) string { return fmt.Sprintf("%06d.log", number) }

func segmentNumber(name string) (int, bool) {
	digits, ok := strings.CutSuffix(name, ".log")
	number, err := strconv.Atoi(digits)
	return number, ok && err == nil && segmentName(number) == name
}

// Journal is open for writing. It may be used by many goroutines at once; its
// opener holds the workspace lock.
type Journal struct {
	fs   workspace.FS
	size int64 // of a new segment

	mu    sync.Mutex
	queue []*waiting

	commit sync.Mutex // the holder writes; the rest of the struct is its own
	err    error      // final
	active active
	spares []int // numbers of further segments, all zeros
	top    int   // highest number in use
	next   link
}

// active is the segment that is being written.
type active struct {
	file   workspace.File // nil before the first record
	number int
	off    int64
	size   int64
}

// waiting is an Append whose records are not durable yet.
type waiting struct {
	bodies [][]byte
	done   bool
	err    error
}

// Open replays the journal in a folder, which need not exist yet, cuts off what
// a crash left unfinished, and makes what it read durable. With a *Damage there
// is no Journal, and the state is that of the records before it.
func Open(f workspace.FS) (*Journal, State, error) { return open(f, segmentSize) }

// open takes the size of a segment, at least recordRoom if Room is to be called.
func open(f workspace.FS, size int64) (*Journal, State, error) {
	segments, err := load(f)
	if err != nil {
		return nil, State{}, fmt.Errorf("journal: open: %w", err)
	}
	h, err := read(segments)
	if err != nil {
		return nil, h.state(), fmt.Errorf("journal: open: %w", err)
	}
	j := &Journal{fs: f, size: size, next: h.next()}
	if err := j.resume(segments, &h); err != nil {
		j.Close()
		return nil, h.state(), fmt.Errorf("journal: open: %w", err)
	}
	return j, h.state(), nil
}

// resume prepares the files for writing.
func (j *Journal) resume(segments []Segment, h *history) error {
	if err := j.removeTemps(); err != nil {
		return err
	}
	for i, s := range segments {
		// Older ones were replaced. Later ones may be short, or not on disk.
		if i < h.first || i > h.last {
			if err := j.fs.Remove(segmentName(s.Number)); err != nil {
				return err
			}
		}
	}
	if h.last < 0 {
		return nil
	}
	s := segments[h.last]
	j.top = s.Number
	f, err := j.fs.OpenFile(segmentName(s.Number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	j.active = active{f, s.Number, int64(h.end), int64(len(s.Data))}
	if tail := s.Data[h.end:]; !isZero(tail) {
		clear(tail)
		if _, err := f.WriteAt(tail, int64(h.end)); err != nil {
			return err
		}
	}
	// What was read may be in memory only, if its writer was killed before it
	// could sync.
	return errors.Join(f.Sync(), workspace.SyncDir(j.fs, "."))
}

// Read replays the journal in a folder without changing anything. It needs no
// lock: what a running apply writes meanwhile is seen or not seen.
func Read(f workspace.FS) (State, error) {
	for try := 1; ; try++ {
		segments, err := load(f)
		var h history
		if err == nil {
			h, err = read(segments)
		}
		// A segment that was rolled or removed between two of our calls looks
		// like damage, once.
		if err == nil || try == 3 {
			if err != nil {
				err = fmt.Errorf("journal: read: %w", err)
			}
			return h.state(), err
		}
	}
}

// load reads the segments in order. No folder is no segments.
func load(f workspace.FS) ([]Segment, error) {
	names, err := list(f, ".")
	if err != nil {
		return nil, err
	}
	var segments []Segment
	for _, name := range names {
		number, ok := segmentNumber(name)
		if !ok {
			continue
		}
		data, err := readFile(f, name)
		if err != nil {
			return nil, err
		}
		segments = append(segments, Segment{number, data})
	}
	slices.SortFunc(segments, func(a, b Segment) int { return a.Number - b.Number })
	return segments, nil
}

func readFile(f workspace.FS, name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fi, err := file.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, fi.Size())
	_, err = io.ReadFull(file, b)
	return b, err
}

// list names what is in a folder; none is empty.
func list(f workspace.FS, dir string) ([]string, error) {
	d, err := f.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

func (j *Journal) removeTemps() error {
	names, err := list(j.fs, ".")
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			err = errors.Join(err, j.fs.Remove(name))
		}
	}
	return err
}

// Close lets go of the files. Everything appended is durable without it.
func (j *Journal) Close() error {
	j.commit.Lock()
	defer j.commit.Unlock()
	if j.err == nil {
		j.err = fs.ErrClosed
	}
	if j.active.file == nil {
		return nil
	}
	f := j.active.file
	j.active.file = nil
	return f.Close()
}

// Append adds records. They are durable when it returns nil; with an error
// they may or may not be there, and nothing that depends on them may be done.
func (j *Journal) Append(records ...Record) error {
	w := &waiting{bodies: make([][]byte, len(records))}
	for i, r := range records {
		body, err := r.encode()
		if err != nil {
			return fmt.Errorf("journal: append: %w", err)
		}
		w.bodies[i] = body
	}
	j.mu.Lock()
	j.queue = append(j.queue, w)
	j.mu.Unlock()

	// Whoever gets here first writes for all that wait by then.
	j.commit.Lock()
	defer j.commit.Unlock()
	if !w.done {
		j.mu.Lock()
		batch := j.queue
		j.queue = nil
		j.mu.Unlock()
		err := j.write(batch)
		for _, w := range batch {
			w.done, w.err = true, err
		}
	}
	if w.err != nil {
		return fmt.Errorf("journal: append: %w", w.err)
	}
	return nil
}

func (r *Record) encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// check refuses what could be written and not be read again.
func (r *Record) check() error {
	negative := r.Price < 0 || r.Intent != nil && r.Intent.Estimate < 0 || r.Delivery != nil && r.Delivery.Price < 0
	switch {
	case r.Type == "" || r.Type == typeCompact:
		return fmt.Errorf("%q is not a type of record", r.Type)
	case negative:
		return errors.New("a price is negative")
	case !safeID(r.Attempt):
		return fmt.Errorf("%q is not an id of an attempt", r.Attempt)
	}
	return nil
}

// safeID reports whether an id may be part of a file name.
func safeID(id string) bool {
	return id != "" && id[0] != '.' && len(id) <= 100 &&
		strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}

// write makes the records of a batch durable, with one sync for each segment
// that they touch.
func (j *Journal) write(batch []*waiting) error {
	if j.err != nil {
		return j.err
	}
	var buf []byte
	l := j.next
	l.base = l.seq
	for _, w := range batch {
		for _, body := range w.bodies {
			longer, next := appendFrame(buf, body, l)
			if j.active.off+int64(len(longer)) > j.active.size {
				// A commit lies in one segment.
				if err := j.flush(buf, l); err != nil {
					return err
				}
				l.base = l.seq
				longer, next = appendFrame(nil, body, l)
				if err := j.roll(int64(len(longer))); err != nil {
					return err
				}
			}
			buf, l = longer, next
		}
	}
	return j.flush(buf, l)
}

func (j *Journal) flush(buf []byte, next link) error {
	if len(buf) == 0 {
		return nil
	}
	n, err := j.active.file.WriteAt(buf, j.active.off)
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = j.active.file.Sync()
	}
	if err != nil {
		j.err = err
		return err
	}
	j.active.off += int64(len(buf))
	j.next = next
	return nil
}

// roll goes on with a segment that has room for n bytes.
func (j *Journal) roll(n int64) error {
	for {
		if len(j.spares) == 0 {
			if err := j.prepare(max(j.size, n)); err != nil {
				return err
			}
		}
		number := j.spares[0]
		f, err := j.fs.OpenFile(segmentName(number), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		fi, err := f.Stat()
		if err != nil {
			f.Close()
			return err
		}
		j.spares = j.spares[1:]
		if j.active.file != nil {
			j.active.file.Close() // synced with its last commit
		}
		j.active = active{f, number, 0, fi.Size()}
		if fi.Size() >= n {
			return nil
		}
	}
}

// prepare makes a spare segment. It is written full of zeros, and not merely
// reserved: that needs no system call of its own, and later writes need no
// change of the file's metadata.
func (j *Journal) prepare(size int64) error {
	if err := j.fs.MkdirAll(".", 0o777); err != nil {
		return err
	}
	number := j.top + 1
	name := segmentName(number)
	f, err := j.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	err = errors.Join(fill(f, size), f.Close())
	if err == nil {
		err = workspace.SyncDir(j.fs, ".")
	}
	if err != nil {
		j.fs.Remove(name)
		return fmt.Errorf("make room for receipts: %w", err)
	}
	j.top, j.spares = number, append(j.spares, number)
	return nil
}

// fill appends zeros up to size, and syncs.
func fill(f workspace.File, size int64) error {
	at, err := f.Seek(0, io.SeekEnd)
	for zeros := make([]byte, 256<<10); err == nil && at < size; {
		var n int
		n, err = f.Write(zeros[:min(size-at, int64(len(zeros)))])
		at += int64(n)
	}
	if err == nil {
		err = f.Sync()
	}
	return err
}

// Room makes sure that n more records of up to 8 KiB fit even if the disk is
// full from now on. It reserves nothing: n counts the records that may still
// come for all requests under way, and for the one about to be sent.
func (j *Journal) Room(n int) error {
	j.commit.Lock()
	defer j.commit.Unlock()
	if j.err != nil {
		return fmt.Errorf("journal: room: %w", j.err)
	}
	room := int((j.active.size-j.active.off)/recordRoom) + len(j.spares)*int(j.size/recordRoom)
	for ; room < n; room += int(j.size / recordRoom) {
		if err := j.prepare(j.size); err != nil {
			return fmt.Errorf("journal: room: %w", err)
		}
	}
	return nil
}

// Compact drops the attempts that keep does not want, all their URLs, and what
// was noted of files. What they led to must be durable elsewhere.
func (j *Journal) Compact(keep func(Attempt) bool) error {
	j.commit.Lock()
	defer j.commit.Unlock()
	if err := j.compact(keep); err != nil {
		return fmt.Errorf("journal: can't be tidied up, and stays as it is: %w", err)
	}
	return nil
}

func (j *Journal) compact(keep func(Attempt) bool) error {
	if j.err != nil {
		return j.err
	}
	segments, err := load(j.fs)
	if err != nil || len(segments) == 0 {
		return err
	}
	h, err := read(segments)
	if err != nil {
		return err
	}
	kept, any := map[string]bool{}, false
	for _, a := range h.state().Attempts {
		kept[a.ID] = keep(a)
		any = any || kept[a.ID]
	}
	var bodies [][]byte
	for _, e := range h.entries {
		// The ends of runs stay with what the runs left.
		if e.Type != typeCompact && (kept[e.Attempt] || any && e.Type == TypeRunEnd) {
			bodies = append(bodies, e.body)
		}
	}
	return j.replace(bodies, segments)
}

// replace begins a segment with a marker and records, and removes the others.
func (j *Journal) replace(bodies [][]byte, segments []Segment) error {
	marker, err := json.Marshal(Record{Type: typeCompact, Keep: len(bodies)})
	if err != nil {
		return err
	}
	l := j.next
	l.base = l.seq
	buf, l := appendFrame(nil, marker, l)
	for _, body := range bodies {
		buf, l = appendFrame(buf, body, l)
	}

	// The segment gets its name when it is whole: from then on it alone counts.
	number := j.top + 1
	temp := tempPrefix + segmentName(number)
	f, err := j.fs.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	size := (int64(len(buf))/j.size + 1) * j.size
	n, err := f.Write(buf)
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = fill(f, size)
	}
	if err == nil {
		err = j.fs.Rename(temp, segmentName(number))
	}
	if err != nil {
		f.Close()
		j.fs.Remove(temp)
		return err
	}
	if j.active.file != nil {
		j.active.file.Close()
	}
	j.active, j.spares, j.top, j.next = active{f, number, int64(len(buf)), size}, nil, number, l
	if err := workspace.SyncDir(j.fs, "."); err != nil {
		j.err = err // unknown which segment will be there
		return err
	}
	for _, s := range segments {
		if err := j.fs.Remove(segmentName(s.Number)); err != nil {
			return err
		}
	}
	return nil
}
