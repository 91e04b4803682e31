//go:build unix

package workspace

import (
	"errors"
	"io/fs"
	"syscall"
)

// stampOf includes the inode and the time of the last change of the inode: a
// file replaced or edited with its old time put back is still noticed.
func stampOf(fi fs.FileInfo) stamp {
	s := stamp{size: fi.Size(), mtime: fi.ModTime().UnixNano()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.inode, s.ctime = uint64(st.Ino), ctime(st)
	}
	return s
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
