//go:build linux || darwin

package workspace

import "syscall"

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
