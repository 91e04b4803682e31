//go:build linux || darwin

package workspace

import (
	"io/fs"
	"path"
	"path/filepath"
	"syscall"
)

// Free is how many bytes the disk of the root has left for us. It is false
// where that can't be told, as of some network disks.
func (r *Root) Free() (int64, bool) {
	if r.os == nil {
		return 0, false
	}
	f, err := r.os.Open(".")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}

// MayWrite is why this user can't make files in a folder, or make the folder.
// It makes none: a disk may still refuse.
func (r *Root) MayWrite(dir string) error {
	if r.os == nil {
		return nil
	}
	for dir != "." {
		if fi, err := r.os.Stat(filepath.FromSlash(dir)); err == nil && fi.IsDir() {
			break
		}
		dir = path.Dir(dir)
	}
	const write, enter = 2, 1
	err := syscall.Access(filepath.Join(r.dir, filepath.FromSlash(dir)), write|enter)
	if err != nil {
		err = plain(&fs.PathError{Op: "write in", Path: dir, Err: err})
	}
	return err
}

// OpenFiles is how many files this process may have open at once.
func OpenFiles() (uint64, bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Cur, err == nil
}
