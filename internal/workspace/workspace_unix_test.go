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
