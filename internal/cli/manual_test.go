package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/imgbuild/imgbuild/internal/cli"
)

// TestVerbExamples runs the commands in the help of each verb, which are those
// of docs/cli.md, in the project of testdata/manual.txtar.
func TestVerbExamples(t *testing.T) {
	t.Parallel()
	project, err := txtar.ParseFile("testdata/manual.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir, preparation := t.TempDir(), project.Comment
	for name, commands := range cli.VerbExamples() {
		var script bytes.Buffer
		script.Write(preparation)
		for _, command := range commands {
			if !strings.Contains(command, "imgbuild "+name) {
				t.Errorf("%s: %q is no example of it", name, command)
			}
			quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
			switch {
			case name == "emulate": // until Ctrl-C; the port may be taken
				fmt.Fprintf(&script, "start %s\nlistens\nsend INT\nended 0\n", strings.Replace(command, ":8080", ":0", 1))
			case name == "review" && !strings.Contains(command, " -o "):
				fmt.Fprintf(&script, "start %s\nserves\nsend INT\nended 0\n", command)
			case name == "completion":
				fmt.Fprintf(&script, "[exec:bash] exec bash -c %s\n", quote("fpath=(. .); "+command))
			case name == "apply": // asks
				fmt.Fprintf(&script, "exec sh -c %s\n", quote("echo yes | "+command))
			default:
				fmt.Fprintf(&script, "exec sh -c %s\n", quote(command))
			}
		}
		project.Comment = script.Bytes()
		if err := os.WriteFile(filepath.Join(dir, name+".txtar"), txtar.Format(project), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, scripts(dir))
}
