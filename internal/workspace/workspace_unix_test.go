//go:build unix

package workspace

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// Opening a pipe would wait for ever.
func TestPipesAreNotOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	var not *NotRegular
	if _, err := r.Read("pipe", 10); !errors.As(err, &not) {
		t.Errorf("read: %v", err)
	}
	if _, errs := r.Verify(context.Background(), []string{"pipe"}); !errors.As(errs[0], &not) {
		t.Errorf("verify: %v", errs[0])
	}
	if names, err := r.ReadDir(""); err != nil || len(names) != 1 {
		t.Errorf("list: %q, %v: it is passed over in silence", names, err)
	}
	if seen, err := r.Look([]string{"pipe"}); err != nil || seen[0].State != Other {
		t.Errorf("look: %+v, %v", seen, err)
	}
	var conflict *Conflict
	if _, err := r.Write("pipe", text("x"), digest.Content{}); !errors.As(err, &conflict) {
		t.Errorf("write: %v", err)
	}
}

func TestWriteKeepsPermissions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	for _, mode := range []os.FileMode{0o600, 0o755} {
		if err := errors.Join(os.WriteFile(name, []byte("old"), 0o666), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, dir).Write("a", text("new"), digest.OfContent([]byte("old"))); err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%v became %v, %v", mode, fi.Mode(), err)
		}
	}
}

// Store and journal open files by name, too, and what they find there may come
// with a repository of a stranger.
func TestOwnFoldersHoldFilesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, Own)
	if err := errors.Join(
		os.MkdirAll(filepath.Join(own, "journal"), 0o777),
		syscall.Mkfifo(filepath.Join(own, "journal", "pipe"), 0o666),
		os.WriteFile(filepath.Join(dir, "mine"), []byte("mine"), 0o666),
		os.Symlink("../../mine", filepath.Join(own, "journal", "link")),
		os.Mkdir(filepath.Join(dir, ".git"), 0o777),
		os.Symlink("../.git", filepath.Join(own, "store")),
	); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	f := r.FS(Own + "/journal")
	var not *NotRegular
	for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_CREATE | os.O_TRUNC} {
		if _, err := f.OpenFile("pipe", flag, 0o666); !errors.As(err, &not) && !errors.Is(err, syscall.ENXIO) {
			t.Errorf("a pipe, %#x: %v", flag, err)
		}
	}
	if _, err := f.OpenFile("link", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666); !errors.As(err, &not) {
		t.Errorf("a link: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "mine")); string(b) != "mine" {
		t.Errorf("written through a link: %q, %v", b, err)
	}
	if err := r.FS(Own+"/store").MkdirAll("ab", 0o777); err == nil {
		t.Error("a folder is made in .git")
	}
	if _, err := r.Sub(Own + "/store"); err == nil {
		t.Error("a workspace in .git")
	}
	if list, err := os.ReadDir(filepath.Join(dir, ".git")); len(list) > 0 || err != nil {
		t.Errorf("in .git: %v, %v", list, err)
	}
}

// Another name of the old file keeps the old bytes.
func TestWriteBreaksHardLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o666), os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b"))); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Write("a", text("new"), digest.OfContent([]byte("old"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "new", "b": "old"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); string(b) != want {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
}
