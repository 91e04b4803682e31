package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imgbuild/imgbuild/internal/cli"
)

// TestFindingsBySchema holds what validate writes of each case of a finding to
// the schemas in testdata/schema. With SARIF_SCHEMA=FILE the log is also held to
// that schema: the one of OASIS, which is not ours to distribute.
func TestFindingsBySchema(t *testing.T) {
	t.Parallel()
	schemas := map[string][]*jsonschema.Schema{"-json": {schemaOf(t, "testdata/schema/findings.schema.json")}, "-sarif": {schemaOf(t, "testdata/schema/sarif.schema.json")}}
	if official := os.Getenv("SARIF_SCHEMA"); official != "" {
		schemas["-sarif"] = append(schemas["-sarif"], schemaOf(t, official))
	}
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
			for flag, list := range schemas {
				var out, talk bytes.Buffer
				cli.Main(&cli.Env{
					Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Args: []string{"validate", flag}, Dir: dir, Now: time.Now,
					Getenv: func(string) string { return "" },
				})
				document, err := jsonschema.UnmarshalJSON(&out)
				if err != nil {
					t.Fatalf("%s: %v\n%s", flag, err, talk.String())
				}
				for _, s := range list {
					if err := s.Validate(document); err != nil {
						t.Errorf("%s: %v", flag, err)
					}
				}
			}
		})
	}
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
