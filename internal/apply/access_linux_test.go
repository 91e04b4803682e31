package apply

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/imgbuild/imgbuild/internal/workspace"
)

// Nothing is bought for a folder that can't be written.
func TestFolderOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"theirs", "theirs/new"} {
		here := img("a")
		here.Path = folder + "/a.png"
		s := newSite(t, here)
		if err := os.Mkdir(filepath.Join(s.dir, "theirs"), 0o555); err != nil {
			t.Fatal(err)
		}
		s.open(func(e *Engine, root *workspace.Root) {
			p := s.plan(e, root)
			done := make(chan error)
			var res Result
			go func() {
				// The thread is nobody's from now on, and is thrown away.
				runtime.LockOSThread()
				_, _, _ = syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534)
				var err error
				res, err = e.Apply(t.Context(), s.stop, p)
				done <- err
			}()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			same(t, folder, kinds(res), "failed image.a")
			if o := res.Outcomes[0]; !strings.HasPrefix(o.Text, "nothing was sent") || !strings.Contains(o.Text, "theirs: permission denied") || !strings.Contains(o.Hint, "chmod") {
				t.Errorf("%q, hint %q", o.Text, o.Hint)
			}
		})
		if len(s.maker.paid) > 0 {
			t.Errorf("bought %v", s.maker.paid)
		}
	}
}
