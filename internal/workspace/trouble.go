package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// Trouble is what a disk or the system refuses, in plain words. It wraps what
// the system said.
type Trouble struct {
	Path string // slash path as far as it is known and means something to people, else ""
	text string
	hint string
	err  error
}

func (t *Trouble) Error() string {
	if t.Path == "" {
		return t.text
	}
	return t.Path + ": " + t.text
}

func (t *Trouble) Unwrap() error { return t.err }

// Hint is what can be done about it.
func (t *Trouble) Hint() string { return t.hint }

// plainWords is what the errors of a system mean to people. Where an error of
// another system means the same, errors.Is says so.
var plainWords = []struct {
	err        error
	text, hint string
}{
	{syscall.ENOSPC, "the disk is full", "free space there, or inodes, and run it again"},
	{syscall.EDQUOT, "your share of the disk is used up", "free space there, or ask for a larger quota, and run it again"},
	{syscall.EROFS, "the disk is read-only", "mount it for writing, or work in a copy"},
	{syscall.EIO, "the disk failed", "check the disk and its cable or network, then run it again"},
	{syscall.ENOLCK, "this disk can't hold a lock", "keep the project on a disk of this machine"},
	{syscall.EFBIG, "the file would be larger than it may be", "ulimit -f unlimited"},
	{syscall.EMFILE, "too many files are open in this process", "ulimit -n 1024"},
	{syscall.ENFILE, "too many files are open on this machine", "end what holds them, or raise fs.file-max"},
	{fs.ErrPermission, "permission denied", "ls -l shows whose it is; chmod or chown it, or run imgbuild as its owner"},
}

// Plainly is an error for people, and what can be done about it, if a Trouble
// or what could be one is behind it; any other error stays as it is.
func Plainly(err error) (text, hint string) {
	var t *Trouble
	if !errors.As(plain(err), &t) {
		return err.Error(), ""
	}
	// Where in the program it was made means nothing to people.
	rooms := regexp.MustCompile(`(?m)(^|: )(?:(?:workspace|journal|store|room): )+`)
	lines := strings.Split(rooms.ReplaceAllString(err.Error(), "$1"), "\n")
	// What failed twice, as a write and the one that was to mend it, is told once.
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "; "), t.hint
}

// Plain is an error of the system in plain words, if it is one of those that
// users meet.
func Plain(err error) (error, bool) {
	err = plain(&fs.PathError{Err: err})
	t, ok := err.(*Trouble)
	return t, ok
}

// Advice is what can be done about a disk that refuses, "" if err is about
// something else, or none.
func Advice(err error) string {
	if err == nil {
		return ""
	}
	_, hint := Plainly(err)
	return hint
}

// plain puts an error of the system into plain words, if it is one of those that
// users meet.
func plain(err error) error {
	if err == nil {
		return nil
	}
	var known *Trouble
	if errors.As(err, &known) {
		return err
	}
	for _, w := range plainWords {
		if !errors.Is(err, w.err) {
			continue
		}
		t := &Trouble{text: w.text, hint: w.hint, err: err}
		var p *fs.PathError
		var l *os.LinkError
		switch {
		case errors.As(err, &p):
			t.Path = p.Path
		case errors.As(err, &l):
			t.Path = l.New
		case w.err == fs.ErrPermission: // of a connection
			continue
		}
		t.Path = path.Clean(filepath.ToSlash(t.Path))
		if t.Path == "." || strings.HasPrefix(path.Base(t.Path), tempPrefix) {
			t.Path = "" // the caller says what it is about
		}
		return t
	}
	return err
}

// about is err in plain words, without the path that the caller names anyway.
func about(p string, err error) error {
	err = plain(err)
	if t, ok := err.(*Trouble); ok && t.Path == p {
		short := *t
		short.Path = ""
		return &short
	}
	return err
}
