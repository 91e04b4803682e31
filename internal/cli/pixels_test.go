package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/digest"
)

// TestPlanLooksAtNoPixel: where nothing is to be done, files may be no pictures
// at all, as long as they are those of the lock.
func TestPlanLooksAtNoPixel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(want int, args ...string) string {
		var out bytes.Buffer
		code := cli.Main(&cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Args: args, Getenv: func(string) string { return "" }, Dir: dir, Now: time.Now})
		if code != want {
			t.Fatalf("%s: exit code %d, want %d\n%s", args, code, want, out.String())
		}
		return out.String()
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("site.img.hcl", []byte(`
provider "sketch" {}
image "hero" {
  prompt = "Mountains"
  size   = "64x48"
  rendition "card" {
    path  = "card.jpg"
    width = 32
  }
}
`))
	run(0, "apply", "-auto-approve")

	lock := string(read("imgbuild.lock.json"))
	for _, name := range []string{"hero.png", "card.jpg"} {
		old, text := read(name), []byte("no picture, but "+name)
		write(name, text)
		// The candidate and its copy are one line each.
		lock = strings.ReplaceAll(lock, digest.OfContent(old).String(), digest.OfContent(text).String())
		lock = strings.ReplaceAll(lock, fmt.Sprintf(`"bytes": %d`, len(old)), fmt.Sprintf(`"bytes": %d`, len(text)))
	}
	write("imgbuild.lock.json", []byte(lock))
	if err := os.RemoveAll(filepath.Join(dir, ".imgbuild")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"plan", "-detailed-exitcode"}, {"plan", "-verify", "-detailed-exitcode"}} {
		if out := run(0, args...); !strings.Contains(out, "No changes. 1 image is up to date.") {
			t.Errorf("%s: %s", args, out)
		}
	}
}
