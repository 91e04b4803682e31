package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imgbuild/imgbuild/internal/cli"
)

// TestFindingsBySchema holds what validate and lint write of each case of a finding to
// the schemas in testdata/schema. With SARIF_SCHEMA=FILE the log is also held to
// that schema: the one of OASIS, which is not ours to distribute.
func TestFindingsBySchema(t *testing.T) {
	t.Parallel()
	schemas := findingSchemas(t)
	cases, err := filepath.Glob("../config/testdata/finding/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, f := range a.Files[:len(a.Files)-1] {
				file := filepath.Join(dir, f.Name)
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, f.Data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			bySchema(t, schemas, dir, "validate")
			bySchema(t, schemas, dir, "lint")
		})
	}
}

// TestLintBySchema holds what lint writes of the hundred prompts of its tests, as
// an image each, to the schemas: errors, warnings and advice, and comments that
// are wrong.
func TestLintBySchema(t *testing.T) {
	t.Parallel()
	prompts, err := os.ReadFile("../lint/testdata/prompts.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, n := "provider \"xai\" {}\n# imgbuild:ignore\n", 0
	for line := range strings.Lines(string(prompts)) {
		n++
		text += fmt.Sprintf("image \"i%d\" {\n  prompt = %q # imgbuild:ignore IB%d\n}\n", n, strings.ReplaceAll(strings.TrimSpace(line), "\u200b", ""), 1000+n)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.img.hcl"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for flag, out := range bySchema(t, findingSchemas(t), dir, "lint") {
		for _, what := range []string{"IB4001", "IB1008", "IB1003", "IB0804", map[string]string{"-json": `"severity": "info"`, "-sarif": `"level": "note"`}[flag]} {
			if !strings.Contains(out, what) {
				t.Errorf("%s has no %s", flag, what)
			}
		}
	}
}

func findingSchemas(t *testing.T) map[string][]*jsonschema.Schema {
	schemas := map[string][]*jsonschema.Schema{"-json": {schemaOf(t, "testdata/schema/findings.schema.json")}, "-sarif": {schemaOf(t, "testdata/schema/sarif.schema.json")}}
	if official := os.Getenv("SARIF_SCHEMA"); official != "" {
		schemas["-sarif"] = append(schemas["-sarif"], schemaOf(t, official))
	}
	return schemas
}

// bySchema holds what a verb writes with each flag to its schemas.
func bySchema(t *testing.T, schemas map[string][]*jsonschema.Schema, dir, verb string) map[string]string {
	texts := map[string]string{}
	for flag, list := range schemas {
		var out, talk bytes.Buffer
		cli.Main(&cli.Env{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Args: []string{verb, flag}, Dir: dir, Now: time.Now,
			Getenv: func(string) string { return "" },
		})
		texts[flag] = out.String()
		document, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", verb, flag, err, talk.String())
		}
		for _, s := range list {
			if err := s.Validate(document); err != nil {
				t.Errorf("%s %s: %v", verb, flag, err)
			}
		}
	}
	return texts
}

func schemaOf(t *testing.T, file string) *jsonschema.Schema {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
