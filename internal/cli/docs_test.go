package cli_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"golang.org/x/image/font/gofont/goregular"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/lint"
)

const referenceDoc = "../../docs/reference.md"

var (
	// A fence of the reference, with the name of its file if it belongs to the
	// example before: with `modules/icons/icon.img.hcl`:
	fence    = regexp.MustCompile("(?ms)(?:^with `([^`\n]+)`:\n\n)?^```(hcl|json)\n(.*?)^```$")
	pictures = regexp.MustCompile(`"((?:photos|masks)/[^"]+\.png)"`)
)

// TestReferenceExamples validates each example of the language reference by
// itself.
func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(referenceDoc)
	if err != nil {
		t.Fatal(err)
	}
	type example map[string]string
	var examples []example
	var lines []int
	for _, m := range fence.FindAllSubmatchIndex(doc, -1) {
		content := string(doc[m[6]:m[7]])
		if m[2] >= 0 {
			examples[len(examples)-1][string(doc[m[2]:m[3]])] = content
			continue
		}
		examples = append(examples, example{"example.img." + string(doc[m[4]:m[5]]): content})
		lines = append(lines, 1+bytes.Count(doc[:m[6]], []byte("\n")))
	}
	if len(examples) == 0 {
		t.Fatal("no examples")
	}
	for i, e := range examples {
		t.Run(fmt.Sprintf("line %d", lines[i]), func(t *testing.T) {
			t.Parallel()
			all := strings.Join(slices.Collect(maps.Values(e)), "\n")
			if !strings.Contains(all, "provider \"") {
				e["provider.img.hcl"] = "provider \"sketch\" {}\n"
				if strings.Contains(all, "provider.xai") {
					e["provider.img.hcl"] += "provider \"xai\" {}\nimgbuild {\n  default_provider = provider.sketch\n}\n"
				}
			}
			e["content/posts/solstice.md"] = "---\ntitle: SOLSTICE\nimage_prompt: A bonfire\nimage_alt: People round a fire\n---\nText\n"
			e["fonts/card.ttf"] = string(goregular.TTF)
			for _, m := range pictures.FindAllStringSubmatch(all, -1) {
				e[m[1]] = string(tinyPNG(t))
			}
			dir := t.TempDir()
			for name, content := range e {
				file := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{{"validate"}, {"fmt", "-check", "-recursive"}} {
				var out bytes.Buffer
				code := cli.Main(&cli.Env{
					Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Args: args, Dir: dir, Now: time.Now,
					Getenv: func(string) string { return "" },
				})
				if code != 0 {
					t.Errorf("%s: exit code %d\n%s", strings.Join(args, " "), code, out.String())
				}
			}
		})
	}
}

// TestManual: docs/reference.md and docs/cli.md are what the tables of the
// program say. -update writes them.
func TestManual(t *testing.T) {
	for name, want := range map[string]string{referenceDoc: cli.LanguageManual(), "../../docs/cli.md": cli.CLIManual()} {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("go generate ./internal/cli writes %s anew (-want +got):\n%s", name, d)
		}
	}
}

// TestOtherCodes: each code that is not of config has its line in the manual, and
// is shown by a script, but for what only a date or a broken provider brings about.
func TestOtherCodes(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile(`IB0\d{3}`)
	read := func(pattern string) string {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		var all strings.Builder
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
		return all.String()
	}
	for _, c := range code.FindAllString(read("*.go")+read("../lock/*.go")+read("../lint/*.go"), -1) {
		if cli.Meaning(c) == "" {
			t.Errorf("%s has no line in otherCodes", c)
		}
	}
	shown := read("testdata/script/*.txtar")
	for c := range lint.OwnCodes {
		if !strings.Contains(shown, c) {
			t.Errorf("%s is in no script", c)
		}
	}
	for c := range cli.OtherCodes {
		if c != "IB0504" && c != "IB0509" && !strings.Contains(shown, c) {
			t.Errorf("%s is in no script", c)
		}
	}
}

// tinyPNG is a photo and a mask alike.
func tinyPNG(t *testing.T) []byte { return upperHalf(t, 8, 8) }

// upperHalf is a mask whose upper half is white, the rest black.
func upperHalf(t *testing.T, width, height int) []byte {
	var b bytes.Buffer
	p := image.NewGray(image.Rect(0, 0, width, height))
	for i := range len(p.Pix) / 2 {
		p.Pix[i] = 255
	}
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
