package workspace

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"path"
	"sync"
	"unsafe"

	"github.com/imgbuild/imgbuild/internal/digest"
)

const indexFile = Own + "/index"

// The file is this line, then entries (uvarint length of the path, path, and
// entrySize bytes), then the CRC-32C of all before it; a SHA-256 would take
// longer than all the rest.
const (
	indexMagic = "imgbuild index 1\n"
	entrySize  = 4*8 + sha256.Size
	sumSize    = 4
)

// The table takes a while to make, and most verbs never look at the index.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// stamp tells, without reading it, that a file is still the same.
type stamp struct {
	size, mtime, ctime int64 // bytes, nanoseconds
	inode              uint64
}

type entry struct {
	stamp   stamp
	content digest.Content
}

// index maps paths to what was hashed. It is read when first used.
type index struct {
	mu     sync.RWMutex
	once   sync.Once
	byPath map[string]entry
	dirty  bool
}

func (x *index) get(r *Root, p string) (entry, bool) {
	x.once.Do(func() { x.load(r) })
	x.mu.RLock()
	defer x.mu.RUnlock()
	e, ok := x.byPath[p]
	return e, ok
}

func (x *index) put(r *Root, p string, e entry) {
	x.once.Do(func() { x.load(r) })
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byPath[p] != e {
		x.byPath[p], x.dirty = e, true
	}
}

func (x *index) drop(r *Root, p string) {
	x.once.Do(func() { x.load(r) })
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, ok := x.byPath[p]; ok {
		delete(x.byPath, p)
		x.dirty = true
	}
}

// load takes what it can get: a missing or corrupt index is an empty one.
func (x *index) load(r *Root) {
	x.byPath = map[string]entry{}
	f, fi, err := r.open(indexFile)
	if err != nil {
		return
	}
	defer f.Close()
	b := make([]byte, fi.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return
	}
	if m, ok := decodeIndex(b, stampOf(fi).mtime); ok {
		x.byPath = m
	}
}

// decodeIndex reads an index that was saved at a time. The paths of the result
// share memory with b.
func decodeIndex(b []byte, saved int64) (map[string]entry, bool) {
	end := len(b) - sumSize
	if end < len(indexMagic) || string(b[:len(indexMagic)]) != indexMagic {
		return nil, false
	}
	if crc32.Checksum(b[:end], castagnoli()) != binary.LittleEndian.Uint32(b[end:]) {
		return nil, false
	}
	b = b[len(indexMagic):end]
	m := make(map[string]entry, len(b)/(entrySize+40))
	for len(b) > 0 {
		n, w := binary.Uvarint(b)
		if w <= 0 || n == 0 || n > uint64(len(b)-w) || uint64(len(b)-w)-n < entrySize {
			return nil, false
		}
		p := unsafe.String(&b[w], int(n))
		b = b[w+int(n):]
		e := entry{
			stamp: stamp{
				size:  int64(binary.LittleEndian.Uint64(b)),
				mtime: int64(binary.LittleEndian.Uint64(b[8:])),
				ctime: int64(binary.LittleEndian.Uint64(b[16:])),
				inode: binary.LittleEndian.Uint64(b[24:]),
			},
			content: digest.Content(b[32:entrySize]),
		}
		if max(e.stamp.mtime, e.stamp.ctime) >= saved {
			e.stamp.size = math.MinInt64 // racily clean: equals no file, so it is hashed again
		}
		m[p] = e
		b = b[entrySize:]
	}
	return m, true
}

func (x *index) encode(w io.Writer) error {
	h := crc32.New(castagnoli())
	w = io.MultiWriter(w, h)
	buf := append(make([]byte, 0, 64<<10), indexMagic...)
	for p, e := range x.byPath {
		buf = binary.AppendUvarint(buf, uint64(len(p)))
		buf = append(buf, p...)
		for _, v := range [...]int64{e.stamp.size, e.stamp.mtime, e.stamp.ctime, int64(e.stamp.inode)} {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(v))
		}
		buf = append(buf, e.content[:]...)
		if len(buf) > 60<<10 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	if _, err := w.Write(buf); err != nil {
		return err
	}
	_, err := w.Write(binary.LittleEndian.AppendUint32(nil, h.Sum32()))
	return err
}

// SaveIndex keeps what was hashed for the next run. It is atomic and not
// synced: a lost index costs time only.
func (r *Root) SaveIndex() error {
	r.index.mu.Lock()
	defer r.index.mu.Unlock()
	if !r.index.dirty {
		return nil
	}
	err := r.ensureOwn()
	if err == nil {
		err = r.replace(indexFile, r.index.encode)
	}
	if err != nil {
		return fmt.Errorf("workspace: save the index: %w", err)
	}
	r.index.dirty = false
	return nil
}

// ReadCache returns what WriteCache kept under a name, or false. The caller
// must not trust it to be what was written.
func (r *Root) ReadCache(name string) ([]byte, bool) {
	if check(name) != nil {
		return nil, false
	}
	f, fi, err := r.open(Own + "/cache/" + name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b := make([]byte, fi.Size())
	_, err = io.ReadFull(f, b)
	return b, err == nil
}

// WriteCache keeps bytes under a name, atomically and not synced.
func (r *Root) WriteCache(name string, b []byte) error {
	p := Own + "/cache/" + name
	err := errors.Join(check(name), r.ensureOwn())
	if err == nil {
		err = r.fs.MkdirAll(path.Dir(p), 0o777)
	}
	if err == nil {
		err = r.replace(p, func(w io.Writer) error { _, err := w.Write(b); return err })
	}
	if err != nil {
		return fmt.Errorf("workspace: cache %s: %w", name, err)
	}
	return nil
}

// replace writes a file of our own, whole or not at all, without syncing it.
func (r *Root) replace(p string, from func(io.Writer) error) error {
	temp, f, err := r.temp(p)
	if err != nil {
		return err
	}
	err = from(f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = r.fs.Rename(temp, p)
	}
	if err != nil {
		r.fs.Remove(temp)
	}
	return err
}

// IndexSound reports whether the index can be read, if there is one. One that
// can't be is an empty one.
func (r *Root) IndexSound() bool {
	f, fi, err := r.open(indexFile)
	if err != nil {
		return absent(err)
	}
	defer f.Close()
	b := make([]byte, fi.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return false
	}
	_, ok := decodeIndex(b, math.MaxInt64)
	return ok
}
