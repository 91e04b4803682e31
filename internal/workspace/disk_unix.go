//go:build linux || darwin

package workspace

import (
	"path/filepath"
	"syscall"
)

// Room is how many bytes the disk of the root has left for this user, or false
// where that can't be known.
func (r *Root) Room() (int64, bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(r.dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}

// Writable reports whether this user may make files in a folder, which is
// there. It makes none.
func (r *Root) Writable(dir string) bool {
	const write, enter = 2, 1
	return syscall.Access(filepath.Join(r.dir, filepath.FromSlash(dir)), write|enter) == nil
}

// OpenFiles is how many files this process may have open at once.
func OpenFiles() (uint64, bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Cur, err == nil
}
