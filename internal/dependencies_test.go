package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/dependencies.txt")

// TestDependencies holds the list of all that others wrote and that is in the
// program: a module that comes, a version that changes, a package more that is
// linked, and under which licence, is a reviewed line.
func TestDependencies(t *testing.T) {
	t.Parallel()
	const golden = "testdata/dependencies.txt"
	modules := linked(t)
	var b strings.Builder
	fmt.Fprintln(&b, "# What cmd/imgbuild links beside the standard library, of any system that it is built for.")
	fmt.Fprintln(&b, "# go test ./internal -run TestDependencies -update")
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		licence, err := licenceOf(m.dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fmt.Fprintf(&b, "%s %s %s\n", name, m.version, licence)
		for _, p := range slices.Sorted(maps.Keys(m.packages)) {
			fmt.Fprintf(&b, "\t%s\n", p)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the program links other things than %s says (-update writes it):\n%s", golden, diff)
	}
	if most := 25; len(modules) > most {
		t.Errorf("%d modules are linked, the most is %d", len(modules), most)
	}
}

type linkedModule struct {
	version, dir string
	packages     map[string]bool
}

// linked asks the go command what the program is built of.
func linked(t *testing.T) map[string]*linkedModule {
	t.Helper()
	out := map[string]*linkedModule{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Module", "../cmd/imgbuild")
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		b, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v: %s", err, stderr.String())
		}
		for list := json.NewDecoder(bytes.NewReader(b)); ; {
			var p struct {
				ImportPath string
				Standard   bool
				Module     *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			if err := list.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if p.Standard || p.Module == nil || p.Module.Main {
				continue
			}
			m := out[p.Module.Path]
			if m == nil {
				m = &linkedModule{p.Module.Version, p.Module.Dir, map[string]bool{}}
				out[p.Module.Path] = m
			}
			m.packages[p.ImportPath] = true
		}
	}
	return out
}

// licences are known by words that no other one has.
var licences = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MPL-2.0", "Mozilla Public License"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software"},
	{"MIT", "Permission is hereby granted, free of charge"},
}

func licenceOf(dir string) (string, error) {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		text := strings.Join(strings.Fields(string(b)), " ")
		var found []string // one file may hold those of several authors
		for _, l := range licences {
			if strings.Contains(text, l.words) && (l.name != "BSD-2-Clause" || !slices.Contains(found, "BSD-3-Clause")) {
				found = append(found, l.name)
			}
		}
		if len(found) > 0 {
			return strings.Join(found, "+"), nil
		}
		return "", fmt.Errorf("%s is under a licence that nobody has looked at", name)
	}
	return "", errors.New("it has no licence")
}
