package workspace

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

// FS is a folder as store and journal get it. Names are slash paths.
type FS = afero.Fs

// File is an open file of an FS.
type File = afero.File

// rootFS is os.Root as an afero.Fs.
type rootFS struct{ root *os.Root }

func (f rootFS) Name() string { return "os.Root" }

func (f rootFS) Create(name string) (File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (f rootFS) Open(name string) (File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens files and folders, and nothing else: a pipe that lies in the
// place of a file would hold us up for ever.
func (f rootFS) OpenFile(name string, flag int, perm os.FileMode) (File, error) {
	file, err := f.root.OpenFile(filepath.FromSlash(name), flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, plain(err) // not a nil *os.File in a File
	}
	fi, err := file.Stat()
	if err == nil && !fi.Mode().IsRegular() && !fi.IsDir() {
		err = &NotRegular{name, fi.Mode()}
	}
	if err != nil {
		file.Close()
		return nil, plain(err)
	}
	return rootFile{file}, nil
}

// rootFile knows which systems can't sync a folder: Windows, some network
// disks. There is nothing to be done about it, so that is no error.
type rootFile struct{ *os.File }

func (f rootFile) Sync() error {
	err := plain(f.File.Sync())
	if err == nil {
		return nil
	}
	if fi, e := f.Stat(); e == nil && fi.IsDir() &&
		(runtime.GOOS == "windows" || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)) {
		return nil
	}
	return err
}

func (f rootFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, plain(err)
}

func (f rootFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	return n, plain(err)
}

func (f rootFile) WriteString(s string) (int, error) {
	n, err := f.File.WriteString(s)
	return n, plain(err)
}

func (f rootFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	return n, plain(err)
}

func (f rootFile) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(b, at)
	return n, plain(err)
}

func (f rootFile) ReadDir(n int) ([]os.DirEntry, error) {
	list, err := f.File.ReadDir(n)
	return list, plain(err)
}

func (f rootFile) Readdir(n int) ([]os.FileInfo, error) {
	list, err := f.File.Readdir(n)
	return list, plain(err)
}

func (f rootFile) Readdirnames(n int) ([]string, error) {
	list, err := f.File.Readdirnames(n)
	return list, plain(err)
}

func (f rootFile) Seek(to int64, whence int) (int64, error) {
	at, err := f.File.Seek(to, whence)
	return at, plain(err)
}

func (f rootFile) Stat() (os.FileInfo, error) {
	fi, err := f.File.Stat()
	return fi, plain(err)
}

func (f rootFile) Truncate(size int64) error { return plain(f.File.Truncate(size)) }
func (f rootFile) Close() error              { return plain(f.File.Close()) }
func (f rootFile) SyncAll() error            { return plain(syncAll(f.File)) }

func (f rootFS) Mkdir(name string, perm os.FileMode) error {
	return plain(f.root.Mkdir(filepath.FromSlash(name), perm))
}

func (f rootFS) MkdirAll(name string, perm os.FileMode) error {
	return plain(f.root.MkdirAll(filepath.FromSlash(name), perm))
}

func (f rootFS) Remove(name string) error { return plain(f.root.Remove(filepath.FromSlash(name))) }

func (f rootFS) RemoveAll(name string) error {
	return plain(f.root.RemoveAll(filepath.FromSlash(name)))
}

func (f rootFS) Rename(from, to string) error {
	return plain(f.root.Rename(filepath.FromSlash(from), filepath.FromSlash(to)))
}

func (f rootFS) Stat(name string) (os.FileInfo, error) {
	fi, err := f.root.Stat(filepath.FromSlash(name))
	return fi, plain(err)
}

// LstatIfPossible makes it an afero.Lstater.
func (f rootFS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := f.root.Lstat(filepath.FromSlash(name))
	return fi, true, plain(err)
}

func (f rootFS) Chmod(name string, mode os.FileMode) error {
	return f.root.Chmod(filepath.FromSlash(name), mode)
}

func (f rootFS) Chown(name string, uid, gid int) error {
	return f.root.Chown(filepath.FromSlash(name), uid, gid)
}

func (f rootFS) Chtimes(name string, atime, mtime time.Time) error {
	return f.root.Chtimes(filepath.FromSlash(name), atime, mtime)
}

// FS gives a folder of the workspace to a room that keeps its own files there.
// The folder need not exist; it is made by the first MkdirAll. Names with ".."
// stay inside it.
func (r *Root) FS(folder string) FS { return subFS{r, folder} }

// subFS adds a prefix. It holds no handle of the folder: a handle would go on
// writing into a folder that was removed under a run.
type subFS struct {
	r      *Root
	folder string
}

// SyncAll makes everything durable that was written there, in one call that
// may take the rest of the file system along. Where there is no such call the
// error is errors.ErrUnsupported.
func (s subFS) SyncAll() error {
	f, err := s.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if all, ok := f.(interface{ SyncAll() error }); ok {
		return all.SyncAll()
	}
	return errors.ErrUnsupported
}

func (s subFS) at(name string) string { return path.Join(s.folder, path.Clean("/"+name)) }

func (s subFS) Name() string { return s.folder }
func (s subFS) Create(name string) (File, error) {
	return s.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}
func (s subFS) Open(name string) (File, error) { return s.r.fs.Open(s.at(name)) }

// OpenFile writes no file through a link: it may lead to a file of the user.
func (s subFS) OpenFile(name string, flag int, perm os.FileMode) (File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 && flag&os.O_EXCL == 0 {
		if fi, err := lstat(s.r.fs, s.at(name)); err == nil && !fi.Mode().IsRegular() {
			return nil, &NotRegular{s.at(name), fi.Mode()}
		}
	}
	return s.r.fs.OpenFile(s.at(name), flag, perm)
}

func (s subFS) Mkdir(name string, perm os.FileMode) error { return s.r.fs.Mkdir(s.at(name), perm) }

func (s subFS) MkdirAll(name string, perm os.FileMode) error {
	if err := s.r.ensureOwn(); err != nil {
		return err
	}
	_, err := s.r.mkdirs(s.at(name))
	return err
}

func (s subFS) Remove(name string) error                  { return s.r.fs.Remove(s.at(name)) }
func (s subFS) RemoveAll(name string) error               { return s.r.fs.RemoveAll(s.at(name)) }
func (s subFS) Rename(from, to string) error              { return s.r.fs.Rename(s.at(from), s.at(to)) }
func (s subFS) Stat(name string) (os.FileInfo, error)     { return s.r.fs.Stat(s.at(name)) }
func (s subFS) Chmod(name string, mode os.FileMode) error { return s.r.fs.Chmod(s.at(name), mode) }
func (s subFS) Chown(name string, uid, gid int) error     { return s.r.fs.Chown(s.at(name), uid, gid) }

func (s subFS) Chtimes(name string, atime, mtime time.Time) error {
	return s.r.fs.Chtimes(s.at(name), atime, mtime)
}

func (s subFS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := lstat(s.r.fs, s.at(name))
	return fi, true, err
}

func lstat(f FS, name string) (os.FileInfo, error) {
	if l, ok := f.(afero.Lstater); ok {
		fi, _, err := l.LstatIfPossible(name)
		return fi, err
	}
	return f.Stat(name)
}

// SyncDir makes the names in a folder durable.
func SyncDir(f FS, dir string) error {
	d, err := f.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
