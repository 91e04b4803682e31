package cli_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

var (
	flips = flag.Int("flips", 60, "how many bits TestBitRot flips")
	luckN = flag.Uint64("luck", 7, "the seed of TestBitRot")
)

// TestBitRot flips bits anywhere in what imgbuild keeps. Each is told by
// doctor, no other picture than the one that was made is ever put in place, and
// nothing that was bought is planned to be bought again.
func TestBitRot(t *testing.T) {
	t.Parallel()
	p := newRot(t, earlierSite, rotSite)
	luck := rand.New(rand.NewPCG(*luckN, 8))
	mended, lost := 0, 0
	for i := range *flips {
		f := p.flip(luck)
		told, buys := p.told(), p.boughtAgain(earlierSite)
		p.reset(f)
		if buys != "" && strings.HasPrefix(f.name, ".imgbuild/") {
			t.Errorf("flip %d: %s: what was bought is bought again:\n%s", i, f, buys)
		}
		switch wrong := p.wrongPicture(); {
		case !told && !f.idle:
			t.Errorf("flip %d: %s is not told", i, f)
		case wrong != "":
			t.Errorf("flip %d: %s: %s is another picture", i, f, wrong)
		}
		p.reset(f)
		code, said := p.run("doctor", "-repair", "-auto-approve")
		again, more := p.run("doctor", "-repair", "-auto-approve")
		if !strings.Contains(more, "There is nothing to mend.") || again > code {
			t.Errorf("flip %d: %s: a second repair finds something:\n%s\n%s", i, f, said, more)
		}
		switch {
		case code == 0:
			mended++
		case strings.HasPrefix(f.name, ".imgbuild/store/requests/"):
			t.Errorf("flip %d: %s: a bit of a record is not put right:\n%s", i, f, said)
		case strings.Contains(said, " is LOST"): // only the store had it
			lost++
		}
		p.reset(flip{})
	}
	t.Logf("%d flips, %d mended, %d lost", *flips, mended, lost)
	if mended < (*flips-lost)*3/4 {
		t.Errorf("only %d of %d flips were mended", mended, *flips)
	}
}

// rot is a project that was made, and what it looked like then.
type rot struct {
	t     testing.TB
	dir   string
	files map[string][]byte
	names []string // of those that rot
	clean string   // what doctor says of it
	open  func(string) (*workspace.Root, error)
}

// flip is a bit that has changed.
type flip struct {
	name    string
	at, bit int
	idle    bool // no fact that anything uses
	context string
}

func (f flip) String() string {
	return fmt.Sprintf("%s, byte %d, bit %d (…%s…)", f.name, f.at, f.bit, f.context)
}

// newRot makes a project of some configurations, one after the other.
func newRot(t testing.TB, sites ...string) *rot {
	t.Helper()
	p := &rot{t: t, dir: t.TempDir(), files: map[string][]byte{}}
	for _, site := range sites {
		p.write("site.img.hcl", []byte(site))
		for _, args := range [][]string{{"apply", "-auto-approve"}, {"plan"}} {
			if code, said := p.run(args...); code != 0 {
				t.Fatal(said)
			}
		}
	}
	err := fs.WalkDir(os.DirFS(p.dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		p.files[name], err = os.ReadFile(filepath.Join(p.dir, name))
		for _, top := range []string{"imgbuild.lock.json", ".imgbuild/store/", ".imgbuild/journal/", ".imgbuild/index", ".imgbuild/cache/"} {
			// What an apply told is for somebody who looks at it, and decides nothing.
			if strings.HasPrefix(name, top) && name != ".imgbuild/cache/apply.jsonl" {
				p.names = append(p.names, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	code := 0
	if code, p.clean = p.run("doctor"); code != 0 {
		t.Fatal(p.clean)
	}
	return p
}

func (p *rot) run(args ...string) (int, string) {
	var out bytes.Buffer
	code := cli.Main(&cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Args: args, Getenv: func(string) string { return "" }, Dir: p.dir, Open: p.open,
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
	return code, out.String()
}

func (p *rot) write(name string, b []byte) {
	full := filepath.Join(p.dir, name)
	_ = os.Remove(full) // the store's files are read-only
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		p.t.Fatal(err)
	}
	mode := os.FileMode(0o666)
	if strings.Contains(name, "/sha256/") {
		mode = 0o444
	}
	if err := os.WriteFile(full, b, mode); err != nil {
		p.t.Fatal(err)
	}
}

// flip changes a bit of one of the files, mostly where something stands.
func (p *rot) flip(luck *rand.Rand) flip {
	name := p.names[luck.IntN(len(p.names))]
	if luck.IntN(3) == 0 {
		name = "imgbuild.lock.json"
	}
	b := p.files[name]
	used := len(b)
	if luck.IntN(4) > 0 {
		used = max(1, len(bytes.TrimRight(b, "\x00")))
	}
	f := flip{name: name, at: luck.IntN(used), bit: luck.IntN(8)}
	f.context = fmt.Sprintf("%q", b[max(0, f.at-20):min(len(b), f.at+10)])
	// The encoder is recorded for people; nobody else knows it.
	line := b[bytes.LastIndexByte(b[:f.at], '\n')+1:]
	at := f.at - (len(b) - len(line))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if i := bytes.Index(line, []byte(`"encoder": "`)); name == "imgbuild.lock.json" && i >= 0 && at >= i+len(`"encoder": "`) {
		f.idle = true
	}
	p.put(f)
	return f
}

func (p *rot) put(f flip) {
	b := slices.Clone(p.files[f.name])
	b[f.at] ^= 1 << f.bit
	p.write(f.name, b)
}

// rotSite is what has been made.
const rotSite = `
provider "sketch" {}
image "a" {
  prompt = "a lake at dawn"
  size   = "32x32"
  n      = 2
}
image "b" {
  prompt = "two boats"
  size   = "32x32"
  path   = "b.jpg"
  rendition "small" {
    width = 16
    path  = "small.png"
  }
}
image "c" {
  prompt = "darker"
  path   = "img/c.png"
  edit {
    image = image.a
  }
}
`

// earlierSite is what was bought before the configuration became what it is.
const earlierSite = `
provider "sketch" {}
image "a" {
  prompt = "a lake at dusk"
  size   = "32x32"
  n      = 2
}
image "b" {
  prompt = "three boats"
  size   = "32x32"
  path   = "b.jpg"
}
`

// boughtAgain is a plan to go back to an earlier configuration, if it would buy
// anything.
func (p *rot) boughtAgain(site string) string {
	p.write("site.img.hcl", []byte(site))
	code, said := p.run("plan", "-json")
	var made struct{ Summary struct{ Images int } }
	text := said[max(0, strings.Index(said, "{\n")):] // behind warnings
	if code == 0 && (json.Unmarshal([]byte(text), &made) != nil || made.Summary.Images > 0) {
		return said
	}
	return ""
}

// told reports whether doctor says anything that it did not say before.
func (p *rot) told() bool {
	code, said := p.run("doctor")
	return code != 0 || said != p.clean
}

// wrongPicture restores all outputs and names one that is not what it was.
func (p *rot) wrongPicture() string {
	outputs := []string{"a.png", "b.jpg", "small.png", "img/c.png"}
	for _, name := range outputs {
		if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
			p.t.Fatal(err)
		}
	}
	p.run("restore")
	p.run("apply", "-auto-approve", "-max-cost=0")
	for _, name := range outputs {
		if b, err := os.ReadFile(filepath.Join(p.dir, name)); err == nil && sha256.Sum256(b) != sha256.Sum256(p.files[name]) {
			return name
		}
	}
	return ""
}

// reset puts everything back, but for a flip.
func (p *rot) reset(f flip) {
	for _, dir := range []string{".imgbuild/store", ".imgbuild/journal"} {
		if err := os.RemoveAll(filepath.Join(p.dir, dir)); err != nil {
			p.t.Fatal(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(p.dir, "imgbuild.lock.json*"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		p.write(name, p.files[name])
	}
	if f.name != "" {
		p.put(f)
	}
}
