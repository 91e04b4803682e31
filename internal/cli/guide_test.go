package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var guides = []string{"../../docs/guide.md", "../../docs/site.md"}

var (
	// What the guide does: a file, which the text before names first; a session;
	// and, unseen, a mask to paint, a word to change, a session that fails.
	guidePart = regexp.MustCompile("(?ms)^```(console|hcl|markdown|yaml|toml|html)\n(.*?)^```$|^<!-- (mask|change|fails) ?(.*?) ?-->$")
	fileName  = regexp.MustCompile("`([\\w./-]+\\.(?:hcl|md|yml|toml|html))`")
	ciCommand = regexp.MustCompile(`(?m)^ *- run: (.*)$`)
	// progress comes in the order in which pictures do.
	progress = regexp.MustCompile(`(?m)^\S+: (?:the image came|image \d of \d came|done, wrote).*\n`)
)

// TestGuide does what the guides say, each in a folder of its own, and compares
// what comes with what is shown. -update writes it.
func TestGuide(t *testing.T) {
	t.Parallel()
	for _, guide := range guides {
		t.Run(filepath.Base(guide), func(t *testing.T) {
			t.Parallel()
			testGuide(t, guide)
		})
	}
}

func testGuide(t *testing.T, guide string) {
	doc, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("imgbuild")
	if err != nil {
		t.Fatal(err) // testscript.Main puts it on the PATH
	}
	dir := t.TempDir()
	env := []string{"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TESTSCRIPT_COMMAND=imgbuild"}
	fails := false
	run := func(command string) string {
		c := exec.Command("sh", "-c", command+" 2>&1")
		c.Dir, c.Env = dir, env
		out, err := c.Output()
		if (err != nil) != fails {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		return progress.ReplaceAllString(string(out), "")
	}
	write := func(name, content string) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var got bytes.Buffer
	end, since := 0, 0 // the last part, the last block
	for _, m := range guidePart.FindAllSubmatchIndex(doc, -1) {
		got.Write(doc[end:m[0]])
		end = m[1]
		if m[6] >= 0 { // a comment
			got.Write(doc[m[0]:m[1]])
			words := strings.Fields(string(doc[m[8]:m[9]]))
			switch string(doc[m[6]:m[7]]) {
			case "mask":
				var w, h int
				if _, err := fmt.Sscanf(words[1], "%dx%d", &w, &h); err != nil {
					t.Fatal(err)
				}
				write(words[0], string(upperHalf(t, w, h)))
			case "fails":
				fails = true
			case "change":
				b, err := os.ReadFile(filepath.Join(dir, words[0]))
				if err != nil {
					t.Fatal(err)
				}
				write(words[0], strings.Replace(string(b), words[1], words[2], 1))
			}
			continue
		}
		kind, content := string(doc[m[2]:m[3]]), string(doc[m[4]:m[5]])
		if kind != "console" {
			got.Write(doc[m[0]:m[1]])
			for _, c := range ciCommand.FindAllStringSubmatch(content, -1) {
				run(c[1])
			}
			// A block that is to stand instead of another is only shown.
			if name := fileName.FindSubmatch(doc[since:m[0]]); name != nil {
				write(string(name[1]), content)
			}
			since = end
			continue
		}
		since = end
		got.WriteString("```console\n")
		for line := range strings.Lines(content) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				got.WriteString(line + run(strings.TrimSpace(command)))
			}
		}
		got.WriteString("```")
		fails = false
	}
	got.Write(doc[end:])
	if *update {
		if err := os.WriteFile(guide, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(got.String(), string(doc)); d != "" {
		t.Errorf("go test ./internal/cli -run TestGuide -update writes %s anew (-want +got):\n%s", guide, d)
	}
}
