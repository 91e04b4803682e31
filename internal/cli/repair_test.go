package cli_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// TestRepairKilledAnywhere cuts doctor -repair off at each operation on the
// disk. The next one ends as one that was not cut off does, and what was bought
// is not bought again.
func TestRepairKilledAnywhere(t *testing.T) {
	t.Parallel()
	const then, now = `
provider "sketch" {}
image "a" {
  prompt = "a lake at dusk"
  size   = "16x16"
}
`, `
provider "sketch" {}
image "a" {
  prompt = "a lake at dawn"
  size   = "16x16"
  rendition "small" {
    width = 8
    path  = "small.png"
  }
}
`
	for name, damage := range map[string]func(p *rot){
		"records": func(p *rot) {
			for _, name := range p.below(".imgbuild/store/requests/") {
				p.write(name, bytes.Replace(p.files[name], []byte(`"price": "0.00"`), []byte(`"price": "0.09"`), 1))
			}
		},
		"records begun anew": func(p *rot) {
			for _, name := range p.below(".imgbuild/store/requests/") {
				p.write(name+".bad", p.files[name])
				if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"lock": func(p *rot) { p.write("imgbuild.lock.json", nil) },
		"no lock": func(p *rot) {
			if err := os.Remove(filepath.Join(p.dir, "imgbuild.lock.json")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newRot(t, then, now)
			faultfs.Each(faultfs.Cut, func(fault faultfs.Fault) (f *faultfs.FS) {
				p.reset(flip{})
				damage(p)
				if fault.At == 1 {
					if code, said := p.run("doctor"); code != 3 {
						t.Fatalf("the damage is not told: %s", said)
					}
				}
				before := p.tree()
				p.open = func(dir string) (*workspace.Root, error) {
					return workspace.OpenOver(dir, func(real workspace.FS) workspace.FS {
						f = faultfs.Wrap(real, fault)
						return f
					})
				}
				_, first := p.run("doctor", "-repair", "-auto-approve")
				p.open = nil
				if maps.Equal(before, p.tree()) && fault.At > 1 {
					return f // it had only read
				}
				if again := p.boughtAgain(then); again != "" {
					t.Errorf("operation %d: cut off, it is bought again:\n%s\n%s", fault.At, first, again)
				}
				p.write("site.img.hcl", []byte(now))
				code, second := p.run("doctor", "-repair", "-auto-approve")
				if lock, err := os.ReadFile(filepath.Join(p.dir, "imgbuild.lock.json")); code != 0 || err != nil || !bytes.Equal(lock, p.files["imgbuild.lock.json"]) {
					t.Errorf("operation %d: exit code %d, %v, the lock is not what it was:\n%s\n%s\n%s", fault.At, code, err, first, second, lock)
				}
				if again := p.boughtAgain(then); again != "" {
					t.Errorf("operation %d: mended, it is bought again:\n%s\n%s\n%s", fault.At, first, second, again)
				}
				return f
			})
		})
	}
}

// tree is every file but those that may be thrown away.
func (p *rot) tree() map[string]string {
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(p.dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, ".imgbuild/cache/") || name == ".imgbuild/index" || name == ".imgbuild/lock" {
			return err
		}
		b, err := os.ReadFile(filepath.Join(p.dir, name))
		files[name] = string(b)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return files
}

// below lists the files in a folder as they were made.
func (p *rot) below(dir string) (names []string) {
	for _, name := range p.names {
		if strings.HasPrefix(name, dir) {
			names = append(names, name)
		}
	}
	return names
}
