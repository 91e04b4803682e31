package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// FaultKind says what is wrong with a file of the store.
type FaultKind int

const (
	BadBlob    FaultKind = iota // its bytes are not those of its name, or can't be read
	BadRecord                   // it can't be read, or says what was not written
	NewRecord                   // a later imgbuild wrote it
	OldBad                      // a record that was set aside, and begun anew
	Leftover                    // of an interrupted write
	Foreign                     // it is not ours
	Writable                    // a blob that programs could change by mistake
	KeptDamage                  // set aside by an earlier repair
)

// Fault is one thing that Check found.
type Fault struct {
	Kind    FaultKind
	Path    string         // in the store
	Content digest.Content // of a BadBlob
	Request digest.Request // of a record
	Reason  string
}

// Census is what Check found.
type Census struct {
	Blobs   map[digest.Content]int64 // those that are sound, and their bytes
	Records map[digest.Request][]Roll
	Fields  map[digest.Request][]provider.Field // of the requests that have such records
	Bytes   int64                               // that were read
	Faults  []Fault
}

const keptDamage = "damaged" // where SetAside puts things

// Check reads everything that lies in the store and changes nothing. progress,
// which may be nil, is told of bytes as they are read, by many goroutines. The
// error is about the disk, or that of ctx.
func (d *Dir) Check(ctx context.Context, progress func(n int64)) (Census, error) {
	c := Census{Blobs: map[digest.Content]int64{}, Records: map[digest.Request][]Roll{}, Fields: map[digest.Request][]provider.Field{}}
	files, err := d.all(".")
	if err != nil {
		return c, fmt.Errorf("store: check: %w", err)
	}
	if progress == nil {
		progress = func(int64) {}
	}
	var mu sync.Mutex
	next := 0
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		group.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(files) {
					return
				}
				one := d.checkOne(ctx, files[i], progress)
				mu.Lock()
				c.add(one)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.SortFunc(c.Faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
	return c, ctx.Err()
}

type found struct {
	path string
	info fs.FileInfo
}

// all lists the files below a folder. One that is not there has none.
func (d *Dir) all(dir string) (out []found, err error) {
	infos, err := afero.ReadDir(d.fs, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, fi := range infos {
		p := path.Join(dir, fi.Name())
		if !fi.IsDir() {
			out = append(out, found{p, fi})
			continue
		}
		more, e := d.all(p)
		out, err = append(out, more...), errors.Join(err, e)
	}
	return out, err
}

type checked struct {
	faults []Fault
	blob   *Blob
	record *record
	read   int64
}

func (c *Census) add(one checked) {
	c.Faults = append(c.Faults, one.faults...)
	c.Bytes += one.read
	if b := one.blob; b != nil {
		c.Blobs[b.Content] = b.Bytes
	}
	if r := one.record; r != nil {
		rolls := make([]Roll, len(r.Rolls))
		for i := range r.Rolls {
			rolls[i] = r.Rolls[i].roll()
		}
		c.Records[r.Request], c.Fields[r.Request] = rolls, r.fields()
	}
}

func (d *Dir) checkOne(ctx context.Context, f found, progress func(int64)) (out checked) {
	fault := func(k FaultKind, reason string) {
		out.faults = append(out.faults, Fault{Kind: k, Path: f.path, Reason: reason})
	}
	top, _, _ := strings.Cut(f.path, "/")
	base := path.Base(f.path)
	if content, err := digest.ParseContent(base); err == nil && f.path == blobPath(content) {
		n, err := d.readBlob(ctx, content, progress)
		out.read = n
		switch {
		case ctx.Err() != nil:
		case err != nil:
			fault(BadBlob, reasonOf(err))
			out.faults[0].Content = content
		default:
			out.blob = &Blob{content, n}
			if f.info.Mode().Perm()&0o222 != 0 {
				fault(Writable, "")
			}
		}
		return out
	}
	req, ok := parseRecordName(recordOfBad(base))
	switch {
	case ok && f.path == recordPath(req):
		rec, err := d.load(req)
		switch {
		case errors.Is(err, errNewer):
			fault(NewRecord, reasonOf(err))
		case err != nil:
			fault(BadRecord, reasonOf(err))
		default:
			out.record = &rec
		}
	case ok && path.Dir(f.path) == path.Dir(recordPath(req)) && base != recordOfBad(base):
		fault(OldBad, "")
	case top == temps:
		fault(Leftover, "")
	case top == keptDamage:
		fault(KeptDamage, "")
	default:
		fault(Foreign, "")
	}
	for i := range out.faults {
		out.faults[i].Request = req
	}
	return out
}

// recordOfBad is the name of the record that setBad renamed, and that of
// everything else.
func recordOfBad(name string) string {
	s, ok := strings.CutSuffix(name, bad)
	if record, number, cut := strings.Cut(s, ".json."); ok && cut {
		if _, err := strconv.Atoi(number); err == nil {
			return record + ".json"
		}
	}
	return s
}

func reasonOf(err error) string {
	var c *Corrupt
	if errors.As(err, &c) {
		return c.Reason
	}
	return err.Error()
}

// bigBuffers are for whole stores: fewer calls than with buffers.
var bigBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

func (d *Dir) readBlob(ctx context.Context, c digest.Content, progress func(int64)) (n int64, err error) {
	f, err := d.Open(c)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := bigBuffers.Get().(*[]byte)
	defer bigBuffers.Put(buf)
	for ctx.Err() == nil {
		m, err := f.Read(*buf)
		n += int64(m)
		progress(int64(m))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, ctx.Err()
}

// SetAside moves a damaged file of the store out of the way, durably, and
// tells where it is now. Nothing is ever deleted.
func (d *Dir) SetAside(p string) (string, error) {
	to, err := d.unused(aside(p))
	if err == nil {
		err = d.place(p, to)
	}
	if err == nil {
		err = syncDir(d.fs, path.Dir(p))
	}
	if err != nil {
		return "", fmt.Errorf("store: set aside %s: %w", p, err)
	}
	return to, nil
}

// aside is where a damaged file is kept: the i-th name, from 1.
func aside(p string) func(i int) string {
	return func(i int) string {
		if i == 1 {
			return path.Join(keptDamage, path.Base(p))
		}
		return path.Join(keptDamage, fmt.Sprintf("%s.%d", path.Base(p), i))
	}
}

// KeepCopy copies a damaged file to where SetAside would move it, durably, and
// tells where that is: its name stays taken until something sound has it. A copy
// that is there already is not made again.
func (d *Dir) KeepCopy(p string) (string, error) {
	to, err := d.keepCopy(p)
	if err != nil {
		return "", fmt.Errorf("store: keep a copy of %s: %w", p, err)
	}
	return to, nil
}

func (d *Dir) keepCopy(p string) (string, error) {
	from, err := d.fs.Open(p)
	if err != nil {
		return "", err
	}
	defer from.Close()
	temp, f, err := d.temp(0o666)
	if err != nil {
		return "", err
	}
	defer d.fs.Remove(temp) // unless it has got its name
	want, _, err := hashAll(context.Background(), io.TeeReader(from, f), math.MaxInt64)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	free, err := d.unused(aside(p))
	if err != nil {
		return "", err
	}
	for i := 1; aside(p)(i) != free; i++ {
		have, err := d.fs.Open(aside(p)(i))
		if err != nil {
			return "", err
		}
		c, _, err := hashAll(context.Background(), have, math.MaxInt64)
		if have.Close(); err == nil && c == want {
			return aside(p)(i), d.keep(aside(p)(i))
		}
	}
	return free, d.place(temp, free)
}

// Glean is what can still be read of a damaged record, at any path of the
// store. It is sure where one bit put right makes the checksum fit; else nothing
// of it is certain but the fields, which come only if they give the request.
func (d *Dir) Glean(p string, req digest.Request) (fields []provider.Field, rolls []Roll, sure bool) {
	b, err := d.read(p)
	if err != nil {
		return nil, nil, false
	}
	rec, err := parseRecord(unflip(b))
	if sure = err == nil && rec.Request == req; !sure {
		rec = record{}
		if json.NewDecoder(bytes.NewReader(b)).Decode(&rec) != nil {
			return nil, nil, false
		}
	}
	if f := rec.fields(); sure || digest.OfRequest(provider.Canonical(f)) == req {
		fields = f
	}
	for _, r := range rec.Rolls {
		if r.ID != "" && r.Price >= 0 {
			rolls = append(rolls, r.roll())
		}
	}
	return fields, rolls, sure
}

// maxUnflip is how long a record may be, in bytes, for each of its bits to be
// tried: a hash of the whole for each is a second for this, and most have one.
const maxUnflip = 8 << 10

// unflip is a record with the one bit put right whose change made its checksum
// another one. What no single bit mends is nil.
func unflip(b []byte) []byte {
	const end = "\n}\n"
	before, after := ",\n  \"sum\": \"", "\""+end
	at := len(b) - len(before) - 16 - len(after)
	if at < 0 || len(b) > maxUnflip {
		return nil
	}
	text := append(slices.Clone(b[:at]), end...)
	whole := func() []byte { return slices.Concat(text[:at], []byte(before), []byte(sumOf(text)), []byte(after)) }
	sum := string(b[at+len(before):][:16])
	for i := range at {
		for bit := range 8 {
			text[i] ^= 1 << bit
			if sumOf(text) == sum {
				return whole()
			}
			text[i] ^= 1 << bit
		}
	}
	// It may be a bit of the checksum, or of what is about it.
	changed := 0
	for i, c := range whole() {
		changed += bits.OnesCount8(c ^ b[i])
	}
	if changed > 1 {
		return nil
	}
	return whole()
}

// Fields are the resolved fields of a request that has a record, nil if there
// is none that can be read.
func (d *Dir) Fields(req digest.Request) []provider.Field {
	rec, err := d.load(req)
	if err != nil {
		return nil
	}
	return rec.fields()
}
