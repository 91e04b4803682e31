package config

import (
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/shape"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// files is a Source in memory.
type files map[string]string

func (f files) ReadDir(dir string) ([]string, error) {
	var names []string
	for name := range f {
		if d, base := path.Split(name); strings.TrimSuffix(d, "/") == dir {
			names = append(names, base)
		}
	}
	sort.Strings(names)
	return names, nil
}

type largeFile struct{}

func (largeFile) Error() string  { return "too large" }
func (largeFile) TooLarge() bool { return true }

func (f files) Read(name string, limit int64) ([]byte, error) {
	s, ok := f[name]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	}
	if int64(len(s)) > limit {
		return nil, largeFile{}
	}
	return []byte(s), nil
}

func (f files) Glob(dir, pattern string) ([]string, error) {
	var out []string
	for name := range f {
		rel, ok := strings.CutPrefix(name, dir+"/")
		if dir == "" {
			rel, ok = name, true
		}
		if !ok {
			continue
		}
		match, err := doublestar.Match(pattern, rel)
		if err != nil {
			return nil, err
		}
		if match {
			out = append(out, rel)
		}
	}
	sort.Strings(out)
	return out, nil
}

// line is a finding on one line: place, severity, code, text, values, hint.
func line(f diag.Finding) string {
	var b strings.Builder
	if f.Range != nil {
		fmt.Fprintf(&b, "%s:%d:%d-%d:%d ", f.Range.File, f.Range.Start.Line, f.Range.Start.Column, f.Range.End.Line, f.Range.End.Column)
	}
	if f.Severity != diag.Error {
		b.WriteString(string(f.Severity) + " ")
	}
	b.WriteString(f.Code + " " + f.Text)
	for _, v := range f.Values {
		fmt.Fprintf(&b, " {%s %s}", v.Expression, v.Text)
	}
	if f.Hint != "" {
		b.WriteString(" | " + f.Hint)
	}
	for _, r := range f.Related {
		fmt.Fprintf(&b, " <%s:%d:%d %s>", r.Range.File, r.Range.Start.Line, r.Range.Start.Column, r.Text)
	}
	return b.String()
}

func lines(l diag.List) string {
	var out []string
	for _, f := range l {
		out = append(out, line(f))
	}
	return strings.Join(out, "\n")
}

// load fails the test on any finding.
func load(t *testing.T, f files) *Project {
	t.Helper()
	p, l := Load(f, Options{})
	if len(l) > 0 {
		t.Fatalf("findings:\n%s", lines(l))
	}
	return p
}

func get(t *testing.T, p *Project, address string) spec.Image {
	t.Helper()
	for _, im := range p.Images {
		if string(im.Address) == address {
			return im
		}
	}
	t.Fatalf("there is no %s", address)
	return spec.Image{}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(shape.Length{}, Lint{}, place{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
