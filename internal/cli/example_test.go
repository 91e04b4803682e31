package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
)

// TestExamples applies the examples that need no key, and finds nothing more to
// do after that.
func TestExamples(t *testing.T) {
	t.Parallel()
	for name, images := range map[string]int{"quickstart": 5, "blog": 3, "team": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../../examples/"+name)); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"fmt", "-check", "-recursive"}, {"validate"}, {"apply", "-auto-approve"}, {"output"}, {"verify"}, {"plan", "-detailed-exitcode"},
			} {
				var out, talk bytes.Buffer
				code := cli.Main(&cli.Env{
					Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Now: time.Now, Dir: dir, Getenv: func(string) string { return "" }, Args: args,
				})
				if code != 0 {
					t.Fatalf("imgbuild %q ends with %d\n%s%s", args, code, &out, &talk)
				}
				if want := fmt.Sprintf("No changes. %d images are up to date.\n", images); args[0] == "plan" && out.String() != want {
					t.Errorf("plan says %q, not %q", out.String(), want)
				}
			}
		})
	}
}
