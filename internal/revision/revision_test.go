package revision

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// repository runs git in an empty folder of its own.
func repository(t *testing.T) (dir string, git func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	git = func(args ...string) string {
		t.Helper()
		c := exec.Command("git", args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+filepath.Join(dir, "none"), "GIT_CONFIG_SYSTEM="+filepath.Join(dir, "none"),
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	return dir, git
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	dir, git := repository(t)
	write(t, dir, map[string]string{"README": "top", "site/a.img.hcl": "one\n", "site/img/ä b.png": "\x89PNG\n\n", "site/empty": "", "other/x": "y"})
	if err := os.Symlink("../../README", filepath.Join(dir, "site", "img", "link")); err != nil {
		t.Fatal(err)
	}
	git("add", "-A")
	git("commit", "-qm", "one")
	first := git("rev-parse", "HEAD")
	write(t, dir, map[string]string{"site/a.img.hcl": "two\n", "new/b.img.hcl": "b\n"})
	git("add", "-A")
	git("commit", "-qm", "two")
	write(t, dir, map[string]string{"site/a.img.hcl": "not committed\n"})

	open := func(sub, ref string) *Tree {
		t.Helper()
		tree, err := Open(t.Context(), os.Getenv, filepath.Join(dir, sub), ref)
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	tree := open("site", "HEAD~1")
	if tree.Commit != first {
		t.Errorf("it is %s, want %s", tree.Commit, first)
	}
	if d := cmp.Diff([]string{"a.img.hcl", "empty", "img/link", "img/ä b.png"}, tree.Names()); d != "" {
		t.Error(d)
	}
	if err := tree.Fetch(func(name string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	tree.getenv = func(string) string { return "" } // all was read: git is not asked again
	for name, want := range map[string]string{"a.img.hcl": "one\n", "img/ä b.png": "\x89PNG\n\n", "empty": ""} {
		if b, err := fs.ReadFile(tree, name); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := fs.ReadFile(tree, "img/link"); err == nil || !strings.Contains(err.Error(), "is a link") {
		t.Error(err)
	}
	if i, err := fs.Stat(tree, "img/link"); err != nil || i.Mode().IsRegular() {
		t.Error("a link is a file", err)
	}
	if _, err := fs.ReadFile(tree, "../README"); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
	if _, err := fs.ReadFile(tree, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var walked []string
	if err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		walked = append(walked, name)
		return err
	}); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string{".", "a.img.hcl", "empty", "img", "img/link", "img/ä b.png"}, walked); d != "" {
		t.Error(d)
	}

	if err := fstest.TestFS(open("other", "main"), "x"); err != nil {
		t.Error(err)
	}
	if b, err := fs.ReadFile(open("site", "main"), "a.img.hcl"); err != nil || string(b) != "two\n" {
		t.Errorf("%q, %v", b, err)
	}
	if got := open("new", first).Names(); len(got) > 0 {
		t.Errorf("a folder that was not there yet has %s", got)
	}
	if got := len(open("", first).Names()); got != 6 {
		t.Errorf("the whole has %d files, want 6", got)
	}
	for _, ref := range []string{"nothing", "--help", "-h", "", "HEAD:README", "HEAD\nmain", first + "0"} {
		var unknown *Unknown
		if _, err := Open(t.Context(), os.Getenv, dir, ref); !errors.As(err, &unknown) {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if _, err := Open(t.Context(), os.Getenv, t.TempDir(), "HEAD"); err == nil || !strings.Contains(err.Error(), "is in no work tree of git") {
		t.Error(err)
	}
}

// Nothing that the repository configures is started.
func TestNothingIsStarted(t *testing.T) {
	t.Parallel()
	dir, git := repository(t)
	write(t, dir, map[string]string{"a.img.hcl": "one\n", ".gitattributes": "* filter=trap diff=trap\n"})
	git("add", "-A")
	git("commit", "-qm", "one")
	trap := filepath.Join(dir, "trap")
	write(t, dir, map[string]string{"trap": "#!/bin/sh\ntouch \"" + trap + ".started\"\n"})
	if err := os.Chmod(trap, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"core.fsmonitor", "core.sshCommand", "core.pager", "filter.trap.smudge", "filter.trap.process", "diff.trap.textconv", "diff.trap.command", "alias.ls-tree", "alias.cat-file", "credential.helper", "core.askPass"} {
		git("config", key, trap)
	}
	hooks := filepath.Join(dir, ".git", "hooks")
	for _, name := range []string{"post-index-change", "reference-transaction", "post-checkout"} {
		b, _ := os.ReadFile(trap)
		if err := os.WriteFile(filepath.Join(hooks, name), b, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Open(t.Context(), os.Getenv, dir, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := fs.ReadFile(tree, "a.img.hcl"); err != nil || string(b) != "one\n" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(trap + ".started"); err == nil {
		t.Error("a program of the repository was started")
	}
}
