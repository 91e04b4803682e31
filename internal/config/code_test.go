package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/imgbuild/imgbuild/internal/diag"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

// expansion is {{repeat N TEXT}} or {{byte N}} in a file of a case.
var expansion = regexp.MustCompile(`\{\{(repeat|byte) (\d+)(?: (.+?))?\}\}`)

// TestEachCode shows what people read: testdata/finding has a case for each
// code, in files that begin with it. The comment of a case may give -var NAME=VALUE,
// -var-file FILE, version VERSION and types TYPE…, a line each. -update rewrites
// what is wanted.
func TestEachCode(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/finding/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	// Load does not tell these; see edit_test.go and testfile_test.go.
	shown := map[string]bool{codeByHand: true, codeAssert: true, codeExpected: true, codeNotInPlan: true}
	for _, name := range names {
		code := strings.TrimSuffix(filepath.Base(name), ".txtar")
		shown[code[:6]] = true
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, opt := files{}, Options{}
			for line := range strings.Lines(string(a.Comment)) {
				switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
				case "-var":
					name, value, _ := strings.Cut(rest, "=")
					opt.Vars = append(opt.Vars, Var{Name: name, Value: value})
				case "-var-file":
					opt.Vars = append(opt.Vars, Var{File: rest})
				case "version":
					opt.Version = rest
				case "types":
					opt.Types = strings.Fields(rest)
				}
			}
			want := &a.Files[len(a.Files)-1]
			for _, file := range a.Files[:len(a.Files)-1] {
				f[file.Name] = expansion.ReplaceAllStringFunc(string(file.Data), func(s string) string {
					m := expansion.FindStringSubmatch(s)
					n, _ := strconv.Atoi(m[2])
					if m[1] == "byte" {
						return string([]byte{byte(n)})
					}
					return strings.Repeat(m[3], n)
				})
			}
			p, l := Load(f, opt)
			if code[:6] == codeCheck { // which Load does not tell
				l = append(l, p.Checks(nil)...)
			}
			var out bytes.Buffer
			l.Text(&out, func(name string) []byte { return []byte(f[name]) }, diag.Palette{})
			if !strings.Contains(out.String(), "["+code[:6]+"]") {
				t.Errorf("it does not show %s:\n%s", code[:6], out.String())
			}
			if *update {
				want.Data = out.Bytes()
				if err := os.WriteFile(name, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			same(t, out.String(), string(want.Data))
		})
	}
	for _, code := range sortedKeys(Codes) {
		if !shown[code] {
			t.Errorf("%s (%s) has no case", code, Codes[code])
		}
	}
}
