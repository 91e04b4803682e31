package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestPlainly(t *testing.T) {
	t.Parallel()
	path := func(name string, err error) error {
		return plain(&fs.PathError{Op: "openat", Path: name, Err: err})
	}
	for _, tt := range []struct {
		err        error
		text, hint string
	}{
		{fmt.Errorf("workspace: write a.png: %w", path("./"+tempPrefix+"01", syscall.ENOSPC)), "write a.png: the disk is full", "free space there, or inodes, and run it again"},
		{fmt.Errorf("journal: room: %w", path("./.imgbuild/journal/000001.log", syscall.EIO)), ".imgbuild/journal/000001.log: the disk failed", "check the disk and its cable or network, then run it again"},
		{fmt.Errorf("workspace: read a: %w", about("a", path("a", syscall.EACCES))), "read a: permission denied", "ls -l shows whose it is; chmod or chown it, or run imgbuild as its owner"},
		{fmt.Errorf("store: put: %w", plain(&os.LinkError{Op: "renameat", Old: tempPrefix, New: "b", Err: syscall.EROFS})), "put: b: the disk is read-only", "mount it for writing, or work in a copy"},
		{errors.Join(fmt.Errorf("workspace: write a: %w", plain(syscall.EMFILE)), fmt.Errorf("workspace: write a: %w", plain(syscall.EMFILE))),
			"write a: too many files are open in this process", "ulimit -n 1024"},
		{fmt.Errorf("workspace: write a: %w", fs.ErrNotExist), "workspace: write a: file does not exist", ""},
	} {
		if text, hint := Plainly(tt.err); text != tt.text || hint != tt.hint {
			t.Errorf("%v:\ngot  %q, %q\nwant %q, %q", tt.err, text, hint, tt.text, tt.hint)
		}
	}
	if err := path("a", syscall.EACCES); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not what the system said", err)
	}
	if plain(nil) != nil {
		t.Error("no error became one")
	}
}
