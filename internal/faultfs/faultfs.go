package faultfs

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/spf13/afero"
)

// Kind of a fault.
type Kind int

const (
	Fail   Kind = iota // the operation fails, later ones work
	Cut                // the operation and all later ones fail, as when the process is killed
	Short              // a write takes half and says so with the error; others fail
	Lie                // a write takes half and reports all; others work
	Flip               // a write or read has one bit changed in its middle; others work
	Kill               // the process kills itself before the operation, or when half of a write is done
	Full               // from the operation on nothing takes more room; the rest works
	Frozen             // from the operation on nothing changes; the rest works
)

// Err is the error of a fault that names none.
var Err = errors.New("fault injected")

// Fault is what goes wrong, and when.
type Fault struct {
	At   int // the operation, counted from 1
	Kind Kind
	Err  error // Err if nil
}

// FS is a file system with a fault. Each call that reaches the disk is an
// operation: opening, reading, writing, syncing, closing a written file,
// renaming, removing, making folders, looking.
type FS struct {
	fs    afero.Fs
	fault Fault

	mu  sync.Mutex
	ops int
	hit bool
}

// Wrap puts a fault into a file system.
func Wrap(f afero.Fs, fault Fault) *FS {
	if fault.Err == nil {
		fault.Err = Err
	}
	return &FS{fs: f, fault: fault}
}

// Each runs a test for every n at which the fault is reached. run does its
// work on a fresh file system with the fault, checks what is left, and returns
// the file system.
func Each(kind Kind, run func(Fault) *FS) {
	for n := 1; run(Fault{At: n, Kind: kind}).Hit(); n++ {
	}
}

// Hit reports whether the fault was reached.
func (f *FS) Hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// Ops is the number of operations so far.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// step counts an operation and tells whether the fault is on it, or before it.
func (f *FS) step() (now, cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops++
	now = f.ops == f.fault.At
	f.hit = f.hit || now
	return now, f.fault.Kind == Cut && f.fault.At > 0 && f.ops >= f.fault.At
}

// effect is what an operation does to the disk.
type effect int

const (
	looks   effect = iota
	changes        // in the room that is there
	grows
)

// gate is step for operations that move no bytes.
func (f *FS) gate(e effect) error {
	now, cut := f.step()
	switch {
	case now && f.fault.Kind == Kill:
		kill()
	case cut, now && (f.fault.Kind == Fail || f.fault.Kind == Short), f.denies(e):
		return f.fault.Err
	}
	return nil
}

// denies reports whether a fault that stays is in the way of an operation.
func (f *FS) denies(e effect) bool {
	return f.Hit() && (f.fault.Kind == Full && e == grows || f.fault.Kind == Frozen && e != looks)
}

// kill ends the process with nothing done any more.
func kill() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Kill()
	}
	select {}
}

func (f *FS) Name() string { return "faultfs" }

func (f *FS) Create(name string) (afero.File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (f *FS) Open(name string) (afero.File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

func (f *FS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	e := looks
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		e = changes
	}
	if flag&os.O_CREATE != 0 {
		if _, err := f.fs.Stat(name); err != nil {
			e = grows
		}
	}
	if err := f.gate(e); err != nil {
		return nil, err
	}
	file, err := f.fs.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{file, f, flag&(os.O_WRONLY|os.O_RDWR) != 0}, nil
}

func (f *FS) Mkdir(name string, perm os.FileMode) error {
	return f.do(grows, func() error { return f.fs.Mkdir(name, perm) })
}

func (f *FS) MkdirAll(name string, perm os.FileMode) error {
	return f.do(grows, func() error { return f.fs.MkdirAll(name, perm) })
}

func (f *FS) Remove(name string) error {
	return f.do(changes, func() error { return f.fs.Remove(name) })
}

func (f *FS) RemoveAll(name string) error {
	return f.do(changes, func() error { return f.fs.RemoveAll(name) })
}

func (f *FS) Rename(from, to string) error {
	return f.do(changes, func() error { return f.fs.Rename(from, to) })
}

func (f *FS) Chmod(name string, mode os.FileMode) error {
	return f.do(changes, func() error { return f.fs.Chmod(name, mode) })
}

func (f *FS) Chown(name string, uid, gid int) error {
	return f.do(changes, func() error { return f.fs.Chown(name, uid, gid) })
}

func (f *FS) Chtimes(name string, atime, mtime time.Time) error {
	return f.do(changes, func() error { return f.fs.Chtimes(name, atime, mtime) })
}

func (f *FS) do(e effect, op func() error) error {
	if err := f.gate(e); err != nil {
		return err
	}
	return op()
}

func (f *FS) Stat(name string) (os.FileInfo, error) {
	if err := f.gate(looks); err != nil {
		return nil, err
	}
	return f.fs.Stat(name)
}

// LstatIfPossible makes it an afero.Lstater.
func (f *FS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	if err := f.gate(looks); err != nil {
		return nil, true, err
	}
	if l, ok := f.fs.(afero.Lstater); ok {
		return l.LstatIfPossible(name)
	}
	fi, err := f.fs.Stat(name)
	return fi, false, err
}

type faultFile struct {
	afero.File
	fs      *FS
	written bool
}

func (f *faultFile) Write(b []byte) (int, error) {
	return f.write(b, grows, f.File.Write)
}

func (f *faultFile) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

func (f *faultFile) WriteAt(b []byte, off int64) (int, error) {
	e := grows
	if fi, err := f.File.Stat(); err == nil && off+int64(len(b)) <= fi.Size() {
		e = changes // a log that was filled with zeros, for one
	}
	return f.write(b, e, func(b []byte) (int, error) { return f.File.WriteAt(b, off) })
}

func (f *faultFile) write(b []byte, e effect, write func([]byte) (int, error)) (int, error) {
	now, cut := f.fs.step()
	switch {
	case cut, now && f.fs.fault.Kind == Short:
		n, err := write(b[:len(b)/2])
		return n, errors.Join(f.fs.fault.Err, err)
	case f.fs.denies(e):
		return 0, f.fs.fault.Err
	case !now, f.fs.fault.Kind == Full, f.fs.fault.Kind == Frozen:
		return write(b)
	case f.fs.fault.Kind == Kill:
		write(b[:len(b)/2])
		kill()
		return 0, nil // not reached
	case f.fs.fault.Kind == Fail:
		return 0, f.fs.fault.Err
	case f.fs.fault.Kind == Lie:
		_, err := write(b[:len(b)/2])
		return len(b), err
	default:
		return write(flip(b))
	}
}

func (f *faultFile) Read(b []byte) (int, error) {
	return f.read(b, f.File.Read)
}

func (f *faultFile) ReadAt(b []byte, off int64) (int, error) {
	return f.read(b, func(b []byte) (int, error) { return f.File.ReadAt(b, off) })
}

func (f *faultFile) read(b []byte, read func([]byte) (int, error)) (int, error) {
	now, cut := f.fs.step()
	switch {
	case now && f.fs.fault.Kind == Kill:
		kill()
	case cut, now && (f.fs.fault.Kind == Fail || f.fs.fault.Kind == Short):
		return 0, f.fs.fault.Err
	}
	n, err := read(b)
	if now && f.fs.fault.Kind == Flip {
		copy(b, flip(b[:n]))
	}
	return n, err
}

func flip(b []byte) []byte {
	out := append([]byte(nil), b...)
	if len(out) > 0 {
		out[len(out)/2] ^= 1
	}
	return out
}

func (f *faultFile) Sync() error { return f.fs.do(changes, f.File.Sync) }

// SyncAll is of a folder whose file system has it.
func (f *faultFile) SyncAll() error {
	all, ok := f.File.(interface{ SyncAll() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return f.fs.do(changes, all.SyncAll)
}

func (f *faultFile) Truncate(size int64) error {
	return f.fs.do(grows, func() error { return f.File.Truncate(size) })
}
func (f *faultFile) Stat() (os.FileInfo, error) { return statGate(f.fs, f.File.Stat) }

func statGate(f *FS, stat func() (os.FileInfo, error)) (os.FileInfo, error) {
	if err := f.gate(looks); err != nil {
		return nil, err
	}
	return stat()
}

// Close always closes, so that tests leak nothing; a fault only changes what
// it says.
func (f *faultFile) Close() error {
	if !f.written {
		return f.File.Close()
	}
	return errors.Join(f.fs.gate(looks), f.File.Close())
}

func (f *faultFile) Readdir(n int) ([]os.FileInfo, error) {
	if err := f.fs.gate(looks); err != nil {
		return nil, err
	}
	return f.File.Readdir(n)
}

func (f *faultFile) Readdirnames(n int) ([]string, error) {
	if err := f.fs.gate(looks); err != nil {
		return nil, err
	}
	return f.File.Readdirnames(n)
}

// ReadDir keeps the fast way of a real folder.
func (f *faultFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if d, ok := f.File.(fs.ReadDirFile); ok {
		if err := f.fs.gate(looks); err != nil {
			return nil, err
		}
		return d.ReadDir(n)
	}
	infos, err := f.Readdir(n)
	entries := make([]fs.DirEntry, len(infos))
	for i, fi := range infos {
		entries[i] = fs.FileInfoToDirEntry(fi)
	}
	return entries, err
}
