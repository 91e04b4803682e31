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

	"github.com/google/go-cmp/cmp"

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

// TestDocsFunctions: the tables of functions in the reference are those of the
// program. -update writes them.
func TestDocsFunctions(t *testing.T) {
	doc, err := os.ReadFile(languageDoc)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- begin: functions -->\n", "<!-- end: functions -->\n"
	before, rest, ok := strings.Cut(string(doc), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no tables of functions", languageDoc)
	}
	want := functionTables()
	if *update {
		if err := os.WriteFile(languageDoc, []byte(before+begin+want+end+after), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(want, got); d != "" {
		t.Errorf("go test ./internal/cli -run TestDocsFunctions -update writes %s anew (-want +got):\n%s", languageDoc, d)
	}
}

func functionTables() string {
	var b, differences strings.Builder
	list := config.Functions()
	for _, group := range config.Groups {
		fmt.Fprintf(&b, "| %s | |\n|---|---|\n", group)
		for _, f := range list {
			if f.Group != group {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", f.Signature(), f.Text)
			if f.Differs != "" {
				fmt.Fprintf(&differences, "| `%s` | %s |\n", f.Name, f.Differs)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("| other than in Terraform | |\n|---|---|\n" + differences.String())
	b.WriteString("\n| absent on purpose | why | instead |\n|---|---|---|\n")
	for _, a := range config.AbsentFunctions {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, a.Why, a.Instead)
	}
	return b.String()
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
