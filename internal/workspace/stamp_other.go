//go:build !unix

package workspace

import "io/fs"

func stampOf(fi fs.FileInfo) stamp {
	return stamp{size: fi.Size(), mtime: fi.ModTime().UnixNano()}
}

// isNotDir is false: such systems say fs.ErrNotExist.
func isNotDir(error) bool { return false }
