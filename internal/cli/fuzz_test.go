package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
)

const fuzzSite = `
provider "sketch" {}
image "a" {
  prompt = "Bauhaus"
  size   = "16x16"
}
image "b" {
  prompt = "Bauhaus at night"
  size   = "16x16"
  path   = "b.jpg"
  edit {
    image = image.a
  }
  rendition "small" {
    width = 8
  }
}
`

// FuzzPlanFile applies a plan that somebody else may have written. Whatever it
// says, nothing outside the project and no file of the user's is touched, and the
// project still plans.
func FuzzPlanFile(f *testing.F) {
	run := func(dir string, args ...string) (int, string) {
		var out bytes.Buffer
		code := cli.Main(&cli.Env{
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &out, Args: args, Dir: dir,
			Getenv: func(string) string { return "" }, Now: time.Now,
		})
		return code, out.String()
	}
	write := func(t testing.TB, file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	project := func(t testing.TB, dir string) {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "site.img.hcl"), fuzzSite)
		write(t, filepath.Join(dir, "mine.png"), "the user's")
	}
	at := f.TempDir()
	project(f, at)
	var seeds [][]byte
	for _, flags := range [][]string{{}, {"-target=image.a"}, {"-destroy"}} {
		file := filepath.Join(at, "plan.json")
		if code, out := run(at, append([]string{"plan", "-out=plan.json"}, flags...)...); code != 0 {
			f.Fatal(out)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, b)
		run(at, "apply", "-auto-approve")
	}
	for i := range 60 {
		f.Add(byte(i), []byte{byte(i >> 4), byte(i * 37), byte(i)}, "../../out.png")
	}
	f.Fuzz(func(t *testing.T, which byte, edits []byte, word string) {
		b := spoiled(t, seeds[int(which)%len(seeds)], edits, word)
		top := t.TempDir()
		dir := filepath.Join(top, "project")
		project(t, dir)
		write(t, filepath.Join(dir, "plan.json"), string(b))
		code, out := run(dir, "apply", "plan.json")
		if strings.Contains(out, "goroutine ") {
			t.Errorf("apply panicked: %s", out)
		}
		if code == 64 || code < 0 {
			t.Errorf("apply ended with %d: %s", code, out)
		}
		if _, err := os.Lstat("/tmp/imgbuild-out.png"); err == nil {
			t.Error("a file was written by its absolute path")
		}
		around, err := os.ReadDir(top)
		if err != nil || len(around) != 1 {
			t.Errorf("outside the project is %v, %v", around, err)
		}
		for file, want := range map[string]string{"mine.png": "the user's", "site.img.hcl": fuzzSite, "plan.json": string(b)} {
			if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != want {
				t.Errorf("%s is %q, %v", file, got, err)
			}
		}
		if code, out := run(dir, "plan"); code != 0 {
			t.Errorf("plan ended with %d: %s", code, out)
		}
	})
}

// spoiled is a plan in which some values are others: three bytes of edits say
// which and what.
func spoiled(t *testing.T, plan []byte, edits []byte, word string) []byte {
	var tree any
	if err := json.Unmarshal(plan, &tree); err != nil {
		t.Fatal(err)
	}
	for ; len(edits) >= 3; edits = edits[3:] {
		values := []any{
			word, nil, "", "mine.png", "../out.png", "/tmp/imgbuild-out.png", ".imgbuild/journal/000001.log", "site.img.hcl", "imgbuild.lock.json", "C:\\x.png", "a\x00.png",
			"image.z", "image.a", "sketch", "xai", -1, 0, 1, 10, 1e18, 0.5, true, []any{}, map[string]any{}, "format=png width=99999999 height=99999999", "generate", "delete", "import",
			"render", "restore", "move", "forget", "record", "write", "keep", strings.Repeat("a", 5000), strings.Repeat("0", 64), "\x1b[2J",
		}
		var places []func(any)
		var walk func(v any, set func(any))
		walk = func(v any, set func(any)) {
			places = append(places, set)
			switch v := v.(type) {
			case map[string]any:
				for _, k := range slices.Sorted(maps.Keys(v)) {
					walk(v[k], func(x any) { v[k] = x })
				}
			case []any:
				for i := range v {
					walk(v[i], func(x any) { v[i] = x })
				}
			}
		}
		walk(tree, func(x any) { tree = x })
		places[(int(edits[0])<<8|int(edits[1]))%len(places)](values[int(edits[2])%len(values)])
	}
	out, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
