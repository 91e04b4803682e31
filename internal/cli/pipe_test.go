//go:build unix

package cli_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe with the name of a configuration is told, and never waited for.
func TestPipeAsConfiguration(t *testing.T) {
	for _, name := range []string{"y.img.hcl", "y.auto.imgvars", "y.img.json"} {
		w := watch(t)
		w.write("a.img.hcl", "provider \"sketch\" {}\n")
		if err := syscall.Mkfifo(filepath.Join(w.dir, name), 0o666); err != nil {
			t.Fatal(err)
		}
		if said := w.run(1, "validate"); !strings.Contains(said, name+" is a pipe") {
			t.Errorf("%s: %s", name, said)
		}
	}
}
