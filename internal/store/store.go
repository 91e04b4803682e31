package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"sync"

	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// ErrMissing says that the store does not have the bytes, or not intact.
var ErrMissing = errors.New("not in the store")

// Corrupt is a file of the store that is not what its name says. It is
// ErrMissing to errors.Is.
type Corrupt struct {
	Path   string // in the store
	Reason string
}

func (e *Corrupt) Error() string        { return e.Path + " is damaged: " + e.Reason }
func (e *Corrupt) Is(target error) bool { return target == ErrMissing }

// TooLarge is content that is longer than the caller takes.
type TooLarge struct{ Limit int64 } // bytes

func (e *TooLarge) Error() string { return fmt.Sprintf("more than %d bytes", e.Limit) }

const (
	blobs    = "sha256"
	requests = "requests"
	temps    = "tmp" // one folder, so that leftovers of a crash are found at once
)

// Dir is a store in a folder. It may be used by many goroutines at once.
type Dir struct {
	fs      afero.Fs
	making  sync.Mutex
	durable map[string]bool // folders that this process synced
	records [64]sync.Mutex  // by request

	loosely sync.Mutex
	loose   map[string]bool // records that were written and not synced yet
}

// Open makes a store of a folder, which need not exist yet.
func Open(f afero.Fs) *Dir { return &Dir{fs: f} }

func blobPath(c digest.Content) string {
	s := c.String()
	return path.Join(blobs, s[:2], s)
}

// Put keeps the bytes of r, at most limit of them, and names them. They are
// durable when it returns. Bytes that are there already are not written again.
func (d *Dir) Put(ctx context.Context, r io.Reader, limit int64) (digest.Content, int64, error) {
	c, n, err := d.put(ctx, r, limit)
	if err != nil {
		return digest.Content{}, 0, fmt.Errorf("store: put: %w", err)
	}
	return c, n, nil
}

func (d *Dir) put(ctx context.Context, r io.Reader, limit int64) (_ digest.Content, _ int64, err error) {
	temp, f, err := d.temp(0o444)
	if err != nil {
		return digest.Content{}, 0, err
	}
	open, placed := true, false
	defer func() {
		if open {
			f.Close()
		}
		if !placed {
			d.fs.Remove(temp)
		}
	}()
	c, n, err := hashAll(ctx, io.TeeReader(r, f), limit)
	if err != nil {
		return digest.Content{}, 0, err
	}
	to := blobPath(c)
	if d.intact(c) {
		return c, n, d.keep(to)
	}
	if err := f.Sync(); err != nil {
		return digest.Content{}, 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return digest.Content{}, 0, err
	}
	switch back, m, err := hashAll(ctx, f, limit); {
	case err != nil:
		return digest.Content{}, 0, fmt.Errorf("read back: %w", err)
	case back != c:
		return digest.Content{}, 0, fmt.Errorf("read back: the disk kept %d of %d bytes, and not as they were", m, n)
	}
	open = false
	if err := f.Close(); err != nil {
		return digest.Content{}, 0, err
	}
	if err := d.place(temp, to); err != nil {
		return digest.Content{}, 0, err
	}
	placed = true
	return c, n, nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

func hashAll(ctx context.Context, r io.Reader, limit int64) (c digest.Content, n int64, err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	h := sha256.New()
	for {
		m, err := r.Read(*buf)
		h.Write((*buf)[:m])
		n += int64(m)
		switch {
		case n > limit:
			return c, n, &TooLarge{limit}
		case err == io.EOF:
			return digest.Content(h.Sum(nil)), n, nil
		case err != nil:
			return c, n, err
		case ctx.Err() != nil:
			return c, n, ctx.Err()
		}
	}
}

// intact reports whether the right bytes are there.
func (d *Dir) intact(c digest.Content) bool {
	f, err := d.Open(c)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, f)
	return errors.Join(err, f.Close()) == nil
}

// keep makes the name of a file durable that is there already: the run that
// renamed it may have died before it synced the folder.
func (d *Dir) keep(p string) error {
	if err := d.folder(path.Dir(p)); err != nil {
		return err
	}
	return syncDir(d.fs, path.Dir(p))
}

// temp opens a new file.
func (d *Dir) temp(perm os.FileMode) (string, afero.File, error) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	name := path.Join(temps, hex.EncodeToString(b[:]))
	var f afero.File
	err := d.in(temps, func() (err error) {
		f, err = d.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		return err
	})
	return name, f, err
}

// place gives a synced file its name, durably.
func (d *Dir) place(temp, to string) error {
	if err := d.rename(temp, to); err != nil {
		return err
	}
	return syncDir(d.fs, path.Dir(to))
}

func (d *Dir) rename(from, to string) error {
	return d.in(path.Dir(to), func() error { return d.fs.Rename(from, to) })
}

// in does something in a folder, which is made if it is not there; also if it
// was there before and somebody removed it under us.
func (d *Dir) in(dir string, do func() error) error {
	if err := d.folder(dir); err != nil {
		return err
	}
	err := do()
	if errors.Is(err, fs.ErrNotExist) {
		d.making.Lock()
		delete(d.durable, dir)
		d.making.Unlock()
		if err := d.folder(dir); err != nil {
			return err
		}
		err = do()
	}
	return err
}

// folder makes a folder and its parents, durably. One that is there already may
// be the work of a process that died before it could sync, so each is synced
// once by each process.
func (d *Dir) folder(dir string) error {
	d.making.Lock() // else another could count on a folder before it is durable
	defer d.making.Unlock()
	if d.durable[dir] {
		return nil
	}
	if err := d.fs.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for at := dir; at != "."; at = path.Dir(at) {
		if err := syncDir(d.fs, path.Dir(at)); err != nil {
			return err
		}
	}
	if d.durable == nil {
		d.durable = map[string]bool{}
	}
	d.durable[dir] = true
	return nil
}

func syncDir(f afero.Fs, dir string) error {
	d, err := f.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Has reports whether there is a file for c. It does not read it.
func (d *Dir) Has(c digest.Content) bool {
	fi, err := d.fs.Stat(blobPath(c))
	return err == nil && fi.Mode().IsRegular()
}

// Open reads the bytes of c. A reader that is read to the end gets *Corrupt
// instead of io.EOF if they are not those of c. The error is ErrMissing if
// there are none.
func (d *Dir) Open(c digest.Content) (io.ReadCloser, error) {
	f, err := d.fs.Open(blobPath(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %s is %w", c.Short(), ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", c.Short(), err)
	}
	return &verified{f, sha256.New(), c}, nil
}

// Get is the bytes of c, at most limit, compared with their name.
func (d *Dir) Get(c digest.Content, limit int64) ([]byte, error) {
	fi, err := d.fs.Stat(blobPath(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %s is %w", c.Short(), ErrMissing)
	}
	if err == nil && fi.Size() > limit {
		err = &TooLarge{limit}
	}
	var b []byte
	if err == nil {
		b, err = afero.ReadFile(d.fs, blobPath(c))
	}
	if err == nil && digest.OfContent(b) != c {
		err = &Corrupt{blobPath(c), notTheBytes}
	}
	if err != nil {
		return nil, fmt.Errorf("store: get %s: %w", c.Short(), err)
	}
	return b, nil
}

// Remove removes the bytes of c, if they are there.
func (d *Dir) Remove(c digest.Content) error { return d.remove(blobPath(c)) }

// RemoveRequest removes the record of a request, if there is one.
func (d *Dir) RemoveRequest(req digest.Request) error { return d.remove(recordPath(req)) }

func (d *Dir) remove(p string) error {
	if err := d.fs.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: remove: %w", err)
	}
	return nil
}

// Blob is what a listing tells of some bytes.
type Blob struct {
	Content digest.Content
	Bytes   int64
}

// Blobs lists what is there, by content. What can't be listed is an error, and
// ends the listing: a collector must not take silence for absence.
func (d *Dir) Blobs() iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		d.walk(blobs, func(fi fs.FileInfo, err error) bool {
			if err != nil {
				return yield(Blob{}, err)
			}
			c, err := digest.ParseContent(fi.Name())
			return err != nil || yield(Blob{c, fi.Size()}, nil)
		})
	}
}

// Requests lists the requests that have a record, in order; see Blobs.
func (d *Dir) Requests() iter.Seq2[digest.Request, error] {
	return func(yield func(digest.Request, error) bool) {
		d.walk(requests, func(fi fs.FileInfo, err error) bool {
			if err != nil {
				return yield(digest.Request{}, err)
			}
			req, ok := parseRecordName(fi.Name())
			return !ok || yield(req, nil)
		})
	}
}

// walk visits the files two levels below a folder, in order, until visit
// returns false or after an error.
func (d *Dir) walk(top string, visit func(fs.FileInfo, error) bool) {
	list := func(dir string) ([]fs.FileInfo, bool) {
		infos, err := afero.ReadDir(d.fs, dir) // sorted
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			visit(nil, fmt.Errorf("store: list: %w", err))
			return nil, false
		}
		return infos, true
	}
	shelves, ok := list(top)
	for _, shelf := range shelves {
		if !ok || !shelf.IsDir() {
			continue
		}
		var files []fs.FileInfo
		if files, ok = list(path.Join(top, shelf.Name())); !ok {
			return
		}
		for _, fi := range files {
			if fi.Mode().IsRegular() && !visit(fi, nil) {
				return
			}
		}
	}
}

// Sweep removes what interrupted writes left behind. Only the holder of the
// workspace lock may call it, and only on a store that nobody else writes.
func (d *Dir) Sweep() error {
	infos, err := afero.ReadDir(d.fs, temps)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, fi := range infos {
		errs = append(errs, d.fs.Remove(path.Join(temps, fi.Name())))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("store: sweep: %w", err)
	}
	return nil
}

const notTheBytes = "its bytes are not those of its name"

// verified compares what went through it with the name, at the end.
type verified struct {
	f    io.ReadCloser
	h    hash.Hash
	want digest.Content
}

func (v *verified) Read(b []byte) (int, error) {
	n, err := v.f.Read(b)
	v.h.Write(b[:n])
	if err == io.EOF && digest.Content(v.h.Sum(nil)) != v.want {
		err = &Corrupt{blobPath(v.want), notTheBytes}
	}
	return n, err
}

func (v *verified) Close() error { return v.f.Close() }
