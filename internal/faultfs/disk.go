package faultfs

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

const sector = 512

// Disk is a file system in memory that tells what was synced from what was
// not. A folder's Sync keeps its names, a file's Sync its bytes.
type Disk struct {
	mu   sync.Mutex
	root *node
	tick int64 // stands in for a clock: each change has a time of its own
}

type node struct {
	mode  fs.FileMode
	mtime int64

	live, kept []byte
	unsynced   []change

	names, keptNames map[string]*node // of a folder
	moves            []move
}

// change is a write that no sync covers yet, or a truncation if data is nil.
type change struct {
	off  int64
	data []byte
}

// move is a change of names that no sync of the folder covers yet; the names
// of one move change together.
type move map[string]*node

// NewDisk is an empty disk.
func NewDisk() *Disk { return &Disk{root: newFolder()} }

func newFolder() *node {
	return &node{mode: fs.ModeDir | 0o777, names: map[string]*node{}, keptNames: map[string]*node{}}
}

// Crash is the disk after a power cut, as luck will have it: what was synced
// is there, and any part of the rest. The disk itself is not changed.
func (d *Disk) Crash(luck *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	// Nothing, everything and half are the likely outcomes; a coin for each
	// change alone would never show the first two.
	keep := []float64{0, 0.5, 1}[luck.IntN(3)]
	return &Disk{root: d.root.crash(luck, keep), tick: d.tick + 1}
}

// Settle makes everything durable, as time does.
func (d *Disk) Settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root.settle()
}

func (n *node) settle() {
	n.kept, n.unsynced = slices.Clone(n.live), nil
	if n.names != nil {
		n.keptNames, n.moves = maps.Clone(n.names), nil
	}
	for _, below := range n.names {
		below.settle()
	}
}

func (n *node) crash(luck *rand.Rand, keep float64) *node {
	lucky := func() bool { return luck.Float64() < keep }
	out := &node{mode: n.mode, mtime: n.mtime}
	if n.names == nil {
		out.live = slices.Clone(n.kept)
		for _, c := range n.unsynced {
			if c.data == nil {
				if lucky() {
					out.live = resize(out.live, c.off)
				}
				continue
			}
			// Sectors reach the disk one by one.
			for at := c.off; at < c.off+int64(len(c.data)); {
				end := min((at/sector+1)*sector, c.off+int64(len(c.data)))
				if lucky() {
					out.live = put(out.live, c.data[at-c.off:end-c.off], at)
				}
				at = end
			}
		}
		out.kept = slices.Clone(out.live)
		return out
	}
	names := maps.Clone(n.keptNames)
	for _, m := range n.moves {
		if lucky() {
			apply(names, m)
		}
	}
	out.names, out.keptNames = map[string]*node{}, map[string]*node{}
	for _, name := range slices.Sorted(maps.Keys(names)) { // sorted, so that equal luck has equal ends
		out.names[name] = names[name].crash(luck, keep)
	}
	out.keptNames = maps.Clone(out.names)
	return out
}

func apply(names map[string]*node, m move) {
	for name, n := range m {
		if n == nil {
			delete(names, name)
		} else {
			names[name] = n
		}
	}
}

func (n *node) change(m move) {
	apply(n.names, m)
	n.moves = append(n.moves, m)
}

func resize(b []byte, size int64) []byte {
	if int64(len(b)) >= size {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func put(b, data []byte, off int64) []byte {
	b = resize(b, max(int64(len(b)), off+int64(len(data))))
	copy(b[off:], data)
	return b
}

func pathErr(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// find walks to a node; the mutex is held.
func (d *Disk) find(name string) (*node, error) {
	n := d.root
	if name = clean(name); name == "" {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if n.names == nil {
			return nil, syscall.ENOTDIR
		}
		if n = n.names[part]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// folder finds the folder of a name, and the last part of the name.
func (d *Disk) folder(name string) (*node, string, error) {
	dir, base := path.Split(clean(name))
	n, err := d.find(dir)
	switch {
	case err != nil:
		return nil, "", err
	case n.names == nil:
		return nil, "", syscall.ENOTDIR
	case base == "":
		return nil, "", fs.ErrInvalid
	}
	return n, base, nil
}

func (d *Disk) now() int64 {
	d.tick++
	return d.tick
}

func (d *Disk) Name() string { return "faultfs.Disk" }

func (d *Disk) Create(name string) (afero.File, error) {
	return d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (d *Disk) Open(name string) (afero.File, error) { return d.OpenFile(name, os.O_RDONLY, 0) }

func (d *Disk) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	write := flag&(os.O_WRONLY|os.O_RDWR) != 0
	switch {
	case err == nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, pathErr("open", name, fs.ErrExist)
	case err == nil && n.names != nil && write:
		return nil, pathErr("open", name, syscall.EISDIR)
	case err == nil && flag&os.O_TRUNC != 0:
		n.truncate(0, d.now())
	case err == nil:
	case flag&os.O_CREATE == 0:
		return nil, pathErr("open", name, err)
	default:
		dir, base, err := d.folder(name)
		if err != nil {
			return nil, pathErr("open", name, err)
		}
		n = &node{mode: perm & 0o777, mtime: d.now()}
		dir.change(move{base: n})
	}
	return &diskFile{disk: d, node: n, name: name, write: write, append: flag&os.O_APPEND != 0}, nil
}

func (d *Disk) Mkdir(name string, _ os.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, base, err := d.folder(name)
	if err == nil && dir.names[base] != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return pathErr("mkdir", name, err)
	}
	n := newFolder()
	n.mtime = d.now()
	dir.change(move{base: n})
	return nil
}

func (d *Disk) MkdirAll(name string, perm os.FileMode) error {
	name = clean(name)
	for i, c := range name + "/" {
		if c != '/' || i == 0 {
			continue
		}
		if fi, err := d.Stat(name[:i]); err == nil && fi.IsDir() {
			continue
		}
		if err := d.Mkdir(name[:i], perm); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err == nil && len(n.names) > 0 {
		err = syscall.ENOTEMPTY
	}
	var dir *node
	var base string
	if err == nil {
		dir, base, err = d.folder(name)
	}
	if err != nil {
		return pathErr("remove", name, err)
	}
	dir.change(move{base: nil})
	return nil
}

func (d *Disk) RemoveAll(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.find(name); err != nil {
		return nil
	}
	dir, base, err := d.folder(name)
	if err != nil {
		return pathErr("remove", name, err)
	}
	dir.change(move{base: nil})
	return nil
}

// Rename replaces atomically within a folder. Between two folders the names
// are kept by the sync of each.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(from)
	if err != nil {
		return pathErr("rename", from, err)
	}
	src, a, err := d.folder(from)
	if err != nil {
		return pathErr("rename", from, err)
	}
	dst, b, err := d.folder(to)
	if err == nil && dst.names[b] != nil && (dst.names[b].names != nil) != (n.names != nil) {
		err = fs.ErrExist
	}
	if err != nil {
		return pathErr("rename", to, err)
	}
	switch {
	case src != dst:
		dst.change(move{b: n})
		src.change(move{a: nil})
	case a != b:
		src.change(move{b: n, a: nil})
	}
	return nil
}

func (d *Disk) Stat(name string) (os.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err != nil {
		return nil, pathErr("stat", name, err)
	}
	return n.info(path.Base(clean(name))), nil
}

func (d *Disk) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := d.Stat(name)
	return fi, true, err
}

func (d *Disk) Chmod(name string, mode os.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err != nil {
		return pathErr("chmod", name, err)
	}
	n.mode = n.mode&fs.ModeDir | mode&0o777
	return nil
}

func (d *Disk) Chown(string, int, int) error { return nil }

func (d *Disk) Chtimes(name string, _, mtime time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err != nil {
		return pathErr("chtimes", name, err)
	}
	n.mtime = mtime.UnixNano()
	return nil
}

func (n *node) truncate(size, tick int64) {
	n.live = resize(n.live, size)
	n.mtime = tick
	n.unsynced = append(n.unsynced, change{off: size})
}

type info struct {
	name  string
	mode  fs.FileMode
	size  int64
	mtime int64
}

func (n *node) info(name string) info { return info{name, n.mode, int64(len(n.live)), n.mtime} }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Unix(0, i.mtime) }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

type diskFile struct {
	disk          *Disk
	node          *node
	name          string
	off           int64
	write, append bool
	closed        bool
	listed        bool
}

// enter takes the mutex of the disk, if the file is open.
func (f *diskFile) enter() (leave func(), err error) {
	f.disk.mu.Lock()
	if f.closed {
		f.disk.mu.Unlock()
		return nil, pathErr("use", f.name, fs.ErrClosed)
	}
	return f.disk.mu.Unlock, nil
}

func (f *diskFile) Name() string { return f.name }

func (f *diskFile) Close() error {
	leave, err := f.enter()
	if err != nil {
		return err
	}
	defer leave()
	f.closed = true
	return nil
}

func (f *diskFile) readAt(b []byte, off int64) (int, error) {
	switch {
	case f.node.names != nil:
		return 0, pathErr("read", f.name, syscall.EISDIR)
	case off >= int64(len(f.node.live)):
		return 0, io.EOF
	}
	return copy(b, f.node.live[off:]), nil
}

func (f *diskFile) Read(b []byte) (int, error) {
	leave, err := f.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	n, err := f.readAt(b, f.off)
	f.off += int64(n)
	return n, err
}

func (f *diskFile) ReadAt(b []byte, off int64) (int, error) {
	leave, err := f.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	n, err := f.readAt(b, off)
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

func (f *diskFile) Seek(off int64, whence int) (int64, error) {
	leave, err := f.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	switch whence {
	case io.SeekCurrent:
		off += f.off
	case io.SeekEnd:
		off += int64(len(f.node.live))
	}
	if off < 0 {
		return 0, pathErr("seek", f.name, fs.ErrInvalid)
	}
	f.off = off
	return off, nil
}

func (f *diskFile) writeAt(b []byte, off int64) (int, error) {
	if !f.write {
		return 0, pathErr("write", f.name, syscall.EBADF)
	}
	if len(b) > 0 {
		f.node.live = put(f.node.live, b, off)
		f.node.unsynced = append(f.node.unsynced, change{off, slices.Clone(b)})
		f.node.mtime = f.disk.now()
	}
	return len(b), nil
}

func (f *diskFile) Write(b []byte) (int, error) {
	leave, err := f.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	if f.append {
		f.off = int64(len(f.node.live))
	}
	n, err := f.writeAt(b, f.off)
	f.off += int64(n)
	return n, err
}

func (f *diskFile) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

func (f *diskFile) WriteAt(b []byte, off int64) (int, error) {
	leave, err := f.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	return f.writeAt(b, off)
}

func (f *diskFile) Truncate(size int64) error {
	leave, err := f.enter()
	if err != nil {
		return err
	}
	defer leave()
	f.node.truncate(size, f.disk.now())
	return nil
}

// Sync keeps what the file or folder is now.
func (f *diskFile) Sync() error {
	leave, err := f.enter()
	if err != nil {
		return err
	}
	defer leave()
	n := f.node
	if n.names != nil {
		n.keptNames, n.moves = maps.Clone(n.names), nil
	} else {
		for _, c := range n.unsynced { // not a copy of all: logs are long and their writes short
			if c.data == nil {
				n.kept = resize(n.kept, c.off)
			} else {
				n.kept = put(n.kept, c.data, c.off)
			}
		}
		n.unsynced = nil
	}
	return nil
}

func (f *diskFile) Stat() (os.FileInfo, error) {
	leave, err := f.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return f.node.info(path.Base(clean(f.name))), nil
}

// Readdir lists everything at the first call, whatever the count.
func (f *diskFile) Readdir(count int) ([]os.FileInfo, error) {
	leave, err := f.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if f.node.names == nil {
		return nil, pathErr("readdir", f.name, syscall.ENOTDIR)
	}
	if f.listed {
		if count > 0 {
			return nil, io.EOF
		}
		return nil, nil
	}
	f.listed = true
	var out []os.FileInfo
	for _, name := range slices.Sorted(maps.Keys(f.node.names)) {
		out = append(out, f.node.names[name].info(name))
	}
	return out, nil
}

func (f *diskFile) Readdirnames(count int) ([]string, error) {
	infos, err := f.Readdir(count)
	var names []string
	for _, fi := range infos {
		names = append(names, fi.Name())
	}
	return names, err
}
