package workspace

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll makes everything durable that was written to the file system of f.
// Since Linux 5.8 it tells of errors of earlier writes, as fsync does.
func syncAll(f *os.File) error { return unix.Syncfs(int(f.Fd())) }
