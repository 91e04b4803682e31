package cli_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/config"
)

const languageDoc = "../../docs/language.md"

var (
	hclBlock  = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")
	providers = regexp.MustCompile(`(?m)^provider "`)
	pictures  = regexp.MustCompile(`"((?:photos|masks)/[^"]+\.png)"`)
)

// TestDocsExamples validates each example of the language reference by itself.
func TestDocsExamples(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(languageDoc)
	if err != nil {
		t.Fatal(err)
	}
	blocks := hclBlock.FindAllSubmatchIndex(doc, -1)
	if len(blocks) == 0 {
		t.Fatal("no examples")
	}
	for _, b := range blocks {
		line := 1 + bytes.Count(doc[:b[2]], []byte("\n"))
		example := string(doc[b[2]:b[3]])
		t.Run(fmt.Sprintf("line %d", line), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name string, content []byte) {
				file := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, content, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			write("example.img.hcl", []byte(example))
			if !providers.MatchString(example) {
				write("provider.img.hcl", []byte("provider \"sketch\" {}\n"))
			}
			for _, m := range pictures.FindAllStringSubmatch(example, -1) {
				write(m[1], tinyPNG(t))
			}
			write("content/posts/solstice.md", []byte("---\ntitle: SOLSTICE\nimage_prompt: A bonfire\nimage_alt: People round a fire\n---\nText\n"))

			for _, args := range [][]string{{"validate"}, {"fmt", "-check"}} {
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

// TestDocsCodes: each code of a finding stands in the reference, as the program
// means it.
func TestDocsCodes(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(languageDoc)
	if err != nil {
		t.Fatal(err)
	}
	for code, text := range config.Codes {
		if cells := "| " + code + " | " + text + " |"; !bytes.Contains(doc, []byte(cells)) {
			t.Errorf("missing: %s", cells)
		}
	}
}

// tinyPNG is a photo and a mask alike: the upper half is white, the rest black.
func tinyPNG(t *testing.T) []byte {
	var b bytes.Buffer
	p := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range len(p.Pix) / 2 {
		p.Pix[i] = 255
	}
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
