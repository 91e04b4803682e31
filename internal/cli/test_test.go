package cli_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/config"
)

// runTests runs the tests of a folder, and fails where one of them does not
// pass.
func runTests(t *testing.T, dir string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	code := cli.Main(&cli.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Args: append([]string{"test"}, args...), Dir: dir, Now: time.Now,
		Getenv: func(string) string { return "" },
	})
	if code != 0 || !strings.Contains(out.String(), " passed, 0 failed.") || strings.Contains(out.String(), "0 passed") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
}

// The tests of the examples pass.
func TestExamplesTests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*/tests/*" + config.TestSuffix)
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests (%v)", err)
	}
	dirs := map[string]bool{}
	for _, name := range files {
		dirs[filepath.Dir(filepath.Dir(name))] = true
	}
	for dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			runTests(t, dir)
		})
	}
}

// The tests in the reference pass, with the project that they are about.
func TestDocsTests(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(referenceDoc)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```hcl test\n(.*?)^```$").FindAllSubmatch(doc, -1)
	if len(blocks) == 0 {
		t.Fatal("no examples")
	}
	dir := t.TempDir()
	files := map[string]string{
		"site.img.hcl": `
provider "sketch" {}
variable "season" {
  default = "autumn"
  validation {
    condition     = var.season != "monsoon"
    error_message = "no monsoon"
  }
}
image "hero" {
  prompt       = "A lake in ${var.season}"
  aspect_ratio = "16:9"
}
output "hero" {
  value = image.hero.sha256
}
`,
		"modules/dots/dots.img.hcl": `
variable "color" {}
image "dot" {
  prompt = "A ${var.color} dot"
}
`,
	}
	for i, b := range blocks {
		files[fmt.Sprintf("tests/%d%s", i, config.TestSuffix)] = string(b[1])
	}
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	runTests(t, dir)
}

// element is any of XML.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

// junitSchema is what both schemas in use ask of an element: the attributes that
// must be there, and the elements inside in their order.
var junitSchema = map[string]struct {
	attrs, inside []string
}{
	"testsuites": {[]string{"tests", "failures", "errors", "time"}, []string{"testsuite"}},
	"testsuite": {[]string{"id", "name", "package", "hostname", "timestamp", "tests", "failures", "errors", "skipped", "time"},
		[]string{"properties", "testcase", "system-out", "system-err"}},
	"testcase": {[]string{"name", "classname", "time"}, []string{"skipped", "error", "failure"}},
	"failure":  {[]string{"message", "type"}, nil}, "error": {[]string{"message", "type"}, nil}, "skipped": {[]string{"message"}, nil},
	"properties": {}, "system-out": {}, "system-err": {},
}

func TestJUnitSchema(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.img.hcl": "provider \"sketch\" {}\nimage \"a\" {\n  prompt = \"x\"\n}\n",
		"a.imgtest.hcl": `
run "pass" {}
run "warn" {
  assert {
    condition     = 1 == 1
    error_message = "x"
  }
}
run "fail" {
  assert {
    condition     = image.a.prompt == ""
    error_message = "]]> \u0000 \u001b[2J \ufffe </failure>"
  }
}
run "error" {
  variables {
    x = 1
  }
}
run "skip" {
  assert {
    condition     = run.fail == {}
    error_message = "x"
  }
}
`,
		"empty.imgtest.hcl": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	code := cli.Main(&cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Args: []string{"test", "-junit-xml=report.xml"}, Dir: dir, Now: time.Now,
		Getenv: func(string) string { return "" }})
	if code != 3 {
		t.Fatalf("exit code %d\n%s", code, out.String())
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc element
	if err := xml.Unmarshal(b, &doc); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	seen := map[string]int{}
	var check func(e element)
	check = func(e element) {
		name := e.XMLName.Local
		seen[name]++
		s, ok := junitSchema[name]
		if !ok {
			t.Errorf("there is no element %s", name)
		}
		var attrs []string
		for _, a := range e.Attrs {
			attrs = append(attrs, a.Name.Local)
			if a.Name.Local == "timestamp" {
				if _, err := time.Parse("2006-01-02T15:04:05", a.Value); err != nil {
					t.Error(err)
				}
			}
		}
		if !slices.Equal(attrs, s.attrs) {
			t.Errorf("%s has the attributes %q", name, attrs)
		}
		at := 0
		for _, c := range e.Children {
			i := slices.Index(s.inside, c.XMLName.Local)
			if i < at {
				t.Errorf("%s is out of place in %s", c.XMLName.Local, name)
			}
			at = i
			check(c)
		}
	}
	check(doc)
	want := map[string]int{"testsuites": 1, "testsuite": 2, "testcase": 5, "failure": 1, "error": 1, "skipped": 1, "properties": 2, "system-out": 2, "system-err": 2}
	if d := cmp.Diff(want, seen); d != "" {
		t.Error(d)
	}
}
