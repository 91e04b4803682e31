package workspace

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
)

func open(t testing.TB, dir string) *Root {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// tree makes files, and links where the content begins with "-> ".
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			if err := os.Symlink(target, p); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// files is the opposite of tree, without .imgbuild.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		switch {
		case rel == Own:
			return fs.SkipDir
		case d.Type().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			out[filepath.ToSlash(rel)] = string(b)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			out[filepath.ToSlash(rel)] = "-> " + target
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func of(s string) digest.Content { return digest.OfContent([]byte(s)) }

func TestRead(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"secret": "no"})
	dir := tree(t, map[string]string{
		"a.txt": "12345", "sub/b": "b", "in": "-> sub/b", "out": "-> " + filepath.Join(outside, "secret"),
		"outdir": "-> " + outside, "dangling": "-> nowhere", "up": "-> ../" + filepath.Base(outside) + "/secret",
	})
	r := open(t, dir)
	for _, test := range []struct {
		path  string
		limit int64
		want  string
		is    func(error) bool // nil: no error
	}{
		{"a.txt", 5, "12345", nil},
		{"a.txt", 4, "", func(err error) bool {
			var e *TooLarge
			return errors.As(err, &e) && e.Size == 5 && e.Limit == 4
		}},
		{"sub/b", 10, "b", nil},
		{"in", 10, "b", nil},
		{"none", 10, "", func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{"dangling", 10, "", func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{"sub", 10, "", func(err error) bool { var e *NotRegular; return errors.As(err, &e) }},
		{"out", 10, "", whatever},
		{"up", 10, "", whatever},
		{"outdir/secret", 10, "", whatever},
		{"../" + filepath.Base(outside) + "/secret", 10, "", whatever},
		{filepath.Join(outside, "secret"), 10, "", whatever},
		{".imgbuild/lock", 10, "", whatever},
	} {
		b, err := r.Read(test.path, test.limit)
		if string(b) != test.want || (err == nil) != (test.is == nil) || err != nil && !test.is(err) {
			t.Errorf("%s: %q, %v", test.path, b, err)
		}
	}
}

func whatever(error) bool { return true }

func TestReadDir(t *testing.T) {
	t.Parallel()
	r := open(t, tree(t, map[string]string{
		"b.img.hcl": "", "a.img.hcl": "", "sub/c": "", "link": "-> b.img.hcl", "dir": "-> sub", "broken": "-> /etc/passwd",
	}))
	got, err := r.ReadDir("")
	if want := []string{"a.img.hcl", "b.img.hcl", "broken", "link"}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err = r.ReadDir("sub"); err != nil || !cmp.Equal(got, []string{"c"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err = r.ReadDir("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
	if _, err = r.ReadDir("../"); err == nil {
		t.Error("the parent folder was listed")
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"secret.md": "no"})
	r := open(t, tree(t, map[string]string{
		"posts/b.md": "", "posts/a.md": "", "posts/x.txt": "", "posts/deep/er/c.md": "", "other/d.md": "",
		".git/e.md": "", ".imgbuild/f.md": "", "posts/.git/g.md": "", "posts/.hidden.md": "",
		"posts/out": "-> " + outside, "posts/out.md": "-> " + filepath.Join(outside, "secret.md"),
		"posts/in": "-> ../other", "posts/in.md": "-> ../other/d.md", "posts/.imgbuild-tmp-1.md": "",
	}))
	for _, test := range []struct {
		dir, pattern string
		want         []string
	}{
		{"posts", "*.md", []string{".hidden.md", "a.md", "b.md", "in.md"}},
		{"posts", "**/*.md", []string{".hidden.md", "a.md", "b.md", "deep/er/c.md", "in.md"}},
		{"posts", "{a,b}.md", []string{"a.md", "b.md"}},
		{"", "*/d.md", []string{"other/d.md"}},
		{"", ".git/*.md", nil},
		{"", "**/f.md", nil},
		{"posts", "out/*.md", nil},
		{"posts", "out.md", nil},
		{"posts", "a.md", []string{"a.md"}},
		{"posts", "deep", nil},
		{"none", "**", nil},
	} {
		got, err := r.Glob(test.dir, test.pattern)
		if err != nil || !cmp.Equal(got, test.want) {
			t.Errorf("%q in %q: %v, %v; want %v", test.pattern, test.dir, got, err, test.want)
		}
	}
	for _, pattern := range []string{"../*", "a/../../b", "/etc/*", "[", "{a"} {
		if got, err := r.Glob("", pattern); err == nil {
			t.Errorf("%q: %v and no error", pattern, got)
		}
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{
		"known": "one", "unknown": "two", "a/changed": "old", "a/same": "s", "sub/x": "", "link": "-> known",
	})
	r := open(t, dir)
	if _, errs := r.Hash(context.Background(), []string{"known", "a/changed", "a/same"}); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	if err := os.WriteFile(filepath.Join(dir, "a/changed"), []byte("newer"), 0o666); err != nil {
		t.Fatal(err)
	}
	paths := []string{"known", "unknown", "a/changed", "none", "sub", "link", "none/below", "known/below", "a/same"}
	got, err := r.Look(paths)
	if err != nil {
		t.Fatal(err)
	}
	want := []Seen{
		{Regular, 3, of("one"), true},
		{State: Regular, Size: 3},
		{Regular, 5, of("newer"), true},
		{}, {State: Other}, {State: Other}, {}, {State: Other},
		{Regular, 1, of("s"), true},
	}
	for i := range want {
		if want[i].Content != got[i].Content || want[i].State != got[i].State || want[i].Known != got[i].Known ||
			want[i].State == Regular && got[i].Size != map[string]int64{"a/changed": 5}[paths[i]] && got[i].Size != want[i].Size {
			t.Errorf("%s: %+v, want %+v", paths[i], got[i], want[i])
		}
	}
	if seen, err := r.Look([]string{"../x"}); err != nil || seen[0] != (Seen{State: Outside}) {
		t.Errorf("out of the root: %+v, %v", seen, err)
	}
}

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 100_000)
	dir := tree(t, map[string]string{"a": "a", "big": big, "sub/b": "b", "link": "-> a", "empty": ""})
	r := open(t, dir)
	paths := []string{"sub/b", "none", "a", "big", "sub", "link", "../a", "empty"}
	for name, hash := range map[string]func(context.Context, []string) ([]digest.Content, []error){"hash": r.Hash, "verify": r.Verify, "again": r.Hash} {
		got, errs := hash(context.Background(), paths)
		want := []digest.Content{of("b"), {}, of("a"), of(big), {}, of("a"), {}, of("")}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for i, bad := range []bool{false, true, false, false, true, false, true, false} {
			if (errs[i] != nil) != bad {
				t.Errorf("%s: %s: %v", name, paths[i], errs[i])
			}
		}
		if !errors.Is(errs[1], fs.ErrNotExist) {
			t.Errorf("%s: a missing file: %v", name, errs[1])
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, errs := r.Verify(ctx, []string{"a"}); !errors.Is(errs[0], context.Canceled) {
		t.Errorf("cancelled: %v", errs[0])
	}
}

// A change that keeps size and times must be found by Verify, and need not be
// by Hash.
func TestVerifyBelievesNothing(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a": "old"})
	r := open(t, dir)
	r.Hash(context.Background(), []string{"a"})
	fi, err := os.Stat(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("new"), 0o666); err != nil {
		t.Fatal(err)
	}
	e, _ := r.index.get(r, "a")
	e.stamp = stampOf(must(os.Stat(filepath.Join(dir, "a"))))
	r.index.put(r, "a", e) // as if nothing of the stat had changed
	if c, _ := r.Hash(context.Background(), []string{"a"}); c[0] != of("old") {
		t.Errorf("the index was not used: %s of size %d", c[0].Short(), fi.Size())
	}
	if c, _ := r.Verify(context.Background(), []string{"a"}); c[0] != of("new") {
		t.Error("Verify believed the index")
	}
}

func must[T interface{}](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWrite(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{})
	for _, test := range []struct {
		name     string
		before   map[string]string
		path     string
		expect   digest.Content
		conflict bool
		fails    bool
		after    map[string]string // nil: as before
	}{
		{name: "new", path: "a.png", after: map[string]string{"a.png": "new"}},
		{name: "new in new folders", path: "x/y/a.png", after: map[string]string{"x/y/a.png": "new"}},
		{name: "replaced", before: map[string]string{"a.png": "old"}, path: "a.png", expect: of("old"), after: map[string]string{"a.png": "new"}},
		{name: "expected but gone", path: "a.png", expect: of("old"), after: map[string]string{"a.png": "new"}},
		{name: "there already", before: map[string]string{"a.png": "new"}, path: "a.png"},
		{name: "there already instead of old", before: map[string]string{"a.png": "new"}, path: "a.png", expect: of("old")},
		{name: "not ours", before: map[string]string{"a.png": "mine"}, path: "a.png", conflict: true},
		{name: "changed", before: map[string]string{"a.png": "mine"}, path: "a.png", expect: of("old"), conflict: true},
		{name: "a folder", before: map[string]string{"a.png/x": ""}, path: "a.png", conflict: true},
		{name: "a link", before: map[string]string{"a.png": "-> b", "b": "old"}, path: "a.png", expect: of("old"), conflict: true},
		{name: "through a link inside", before: map[string]string{"l": "-> d", "d/x": ""}, path: "l/a.png",
			after: map[string]string{"l": "-> d", "d/x": "", "d/a.png": "new"}},
		{name: "through a link outside", before: map[string]string{"l": "-> " + outside}, path: "l/a.png", fails: true},
		{name: "through a link to .git", before: map[string]string{"l": "-> .git/hooks", ".git/hooks/x": ""}, path: "l/a.png", fails: true},
		{name: "through a link to .imgbuild", before: map[string]string{"k/l": "-> ../.imgbuild", ".imgbuild/x": ""}, path: "k/l/sub/a.png", fails: true},
		{name: "parent is a file", before: map[string]string{"f": "x"}, path: "f/a.png", fails: true},
		{name: "bad path", path: "../a.png", fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, test.before)
			before := files(t, dir)
			r := open(t, dir)
			w, err := r.Write(test.path, text("new"), test.expect)
			var conflict *Conflict
			if errors.As(err, &conflict) != test.conflict || (err != nil) != (test.fails || test.conflict) {
				t.Fatalf("error %v", err)
			}
			if err == nil && w != (Written{of("new"), 3}) {
				t.Errorf("written %+v", w)
			}
			if test.after == nil {
				test.after = before
			}
			if d := cmp.Diff(test.after, files(t, dir)); d != "" {
				t.Error(d)
			}
			if err == nil {
				if s, err := r.Look([]string{test.path}); err != nil || !s[0].Known || s[0].Content != of("new") {
					t.Errorf("not in the index: %+v, %v", s, err)
				}
			}
		})
	}
	if left := files(t, outside); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
}

// What fails leaves nothing behind, not even the folders made for it.
func TestWriteFailsClean(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	broken := errors.New("broken")
	_, err := r.Write("x/y/a.png", func(w io.Writer) error {
		w.Write(make([]byte, 1<<20))
		return broken
	}, digest.Content{})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	if entries := must(os.ReadDir(dir)); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a/b/c.png": "c", "a/d.png": "d", "e/l": "-> ../a", "mine": "m", "p/f/g.png": "g", "p/l": "-> f"})
	r := open(t, dir)
	for _, test := range []struct {
		path     string
		expect   string
		conflict bool
	}{
		{"a/b/c.png", "c", false},
		{"a/b/c.png", "c", false}, // again
		{"mine", "other", true},
		{"e/l", "", true},
		{"a", "", true},
		{"p/l/g.png", "g", false},
	} {
		err := r.Remove(test.path, of(test.expect))
		var conflict *Conflict
		if errors.As(err, &conflict) != test.conflict || (err != nil) != test.conflict {
			t.Errorf("%s: %v", test.path, err)
		}
	}
	if d := cmp.Diff(map[string]string{"a/d.png": "d", "e/l": "-> ../a", "mine": "m", "p/l": "-> f"}, files(t, dir)); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(filepath.Join(dir, "a/b")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the empty folder is still there")
	}
	if _, err := os.Stat(filepath.Join(dir, "p/f")); err != nil {
		t.Error("the folder behind a link was removed:", err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{
		".imgbuild-tmp-1": "", "a.png": "a", "img/.imgbuild-tmp-2": "", "img/deep/.imgbuild-tmp-3": "",
		".imgbuild/cache/ab/.imgbuild-tmp-4": "", ".imgbuild/index": "x", "img/x.imgbuild-tmp-5": "",
	})
	got, err := open(t, dir).Sweep("img/a.png", []string{"", "img", "none", "img"})
	if want := []string{".imgbuild/cache/ab/.imgbuild-tmp-4", ".imgbuild-tmp-1", "img/.imgbuild-tmp-2"}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if d := cmp.Diff(map[string]string{"a.png": "a", "img/deep/.imgbuild-tmp-3": "", "img/x.imgbuild-tmp-5": ""}, files(t, dir)); d != "" {
		t.Error(d)
	}
}

// What somebody else is writing beside the file that is swept for stays.
func TestSweepOfOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	left := func(name string) string {
		var temp string
		_, err := r.Write(name, func(io.Writer) error {
			for p := range files(t, dir) {
				if strings.HasPrefix(path.Base(p), ".imgbuild-tmp-") {
					temp = p
				}
			}
			return errors.New("stop")
		}, digest.Content{})
		if err == nil || temp == "" {
			t.Fatalf("%s: %q, %v", name, temp, err)
		}
		if err := os.WriteFile(filepath.Join(dir, temp), nil, 0o666); err != nil { // as if the process had died
			t.Fatal(err)
		}
		return temp
	}
	dead, busy := left("lock.json"), left("site.img.hcl")
	got, err := r.Sweep("lock.json", nil)
	if err != nil || !cmp.Equal(got, []string{dead}) {
		t.Errorf("%v, %v; want %s and not %s", got, err, dead, busy)
	}
}

func TestOwnFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	if err := r.FS(".imgbuild/store").MkdirAll("a/b", 0o777); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, ".imgbuild/.gitignore")); err != nil || string(b) != "*\n" {
		t.Errorf(".gitignore: %q, %v", b, err)
	}
	f, err := r.FS(".imgbuild/store").Create("../../../a/x")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := os.Stat(filepath.Join(dir, ".imgbuild/store/a/x")); err != nil {
		t.Error("a name with .. left its folder:", err)
	}

	linked := tree(t, map[string]string{".imgbuild": "-> elsewhere", "elsewhere/x": ""})
	var not *NotRegular
	if err := open(t, linked).WriteCache("a", nil); !errors.As(err, &not) {
		t.Errorf("a linked .imgbuild: %v", err)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	if _, ok := r.ReadCache("ab/x"); ok {
		t.Error("read what was never written")
	}
	for _, want := range []string{"one", "two", ""} {
		if err := r.WriteCache("ab/x", []byte(want)); err != nil {
			t.Fatal(err)
		}
		if b, ok := r.ReadCache("ab/x"); !ok || string(b) != want {
			t.Errorf("read %q, %v", b, ok)
		}
	}
	if err := r.WriteCache("../x", nil); err == nil {
		t.Error("wrote out of the cache")
	}
	if _, ok := r.ReadCache("../index"); ok {
		t.Error("read out of the cache")
	}
}

// settle puts the times of files into the past, so that they are older than
// an index saved now.
func settle(t testing.TB, dir string, names ...string) {
	t.Helper()
	past := time.Now().Add(-time.Hour)
	for _, name := range names {
		if err := os.Chtimes(filepath.Join(dir, name), past, past); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIndexSurvives(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a": "a", "sub/b": "b"})
	r := open(t, dir)
	r.Hash(context.Background(), []string{"a", "sub/b"})
	if err := r.SaveIndex(); err != nil {
		t.Fatal(err)
	}
	saved := must(os.ReadFile(filepath.Join(dir, indexFile)))
	later := time.Now().Add(time.Hour).UnixNano()
	m, ok := decodeIndex(saved, later)
	if !ok || len(m) != 2 || m["sub/b"].content != of("b") || m["sub/b"].stamp.size != 1 {
		t.Fatalf("decoded %v, %v", m, ok)
	}

	t.Run("racily clean entries are hashed again", func(t *testing.T) {
		m, _ := decodeIndex(saved, m["a"].stamp.ctime)
		if m["a"].stamp.size >= 0 {
			t.Error("an entry as young as the index is trusted")
		}
	})
	t.Run("damage is emptiness", func(t *testing.T) {
		for i := range saved {
			bad := bytes.Clone(saved)
			bad[i] ^= 1 << (i % 8)
			if _, ok := decodeIndex(bad, later); ok {
				t.Fatalf("a flipped bit in byte %d passed", i)
			}
			if _, ok := decodeIndex(saved[:i], later); ok {
				t.Fatalf("the first %d bytes passed", i)
			}
		}
	})
	t.Run("cold and warm agree", func(t *testing.T) {
		for _, content := range [][]byte{saved, []byte("rubbish"), nil} {
			if err := os.WriteFile(filepath.Join(dir, indexFile), content, 0o666); err != nil {
				t.Fatal(err)
			}
			r := open(t, dir)
			got, errs := r.Hash(context.Background(), []string{"a", "sub/b"})
			if !cmp.Equal(got, []digest.Content{of("a"), of("b")}) {
				t.Errorf("%v %v", got, errs)
			}
		}
	})
}

// An edit that keeps size and modification time is seen by the inode's own time.
func TestIndexNoticesRestoredTimes(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a": "old"})
	settle(t, dir, "a")
	r := open(t, dir)
	r.Hash(context.Background(), []string{"a"})
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("new"), 0o666); err != nil {
		t.Fatal(err)
	}
	e, _ := r.index.get(r, "a")
	if err := os.Chtimes(filepath.Join(dir, "a"), time.Time{}, time.Unix(0, e.stamp.mtime)); err != nil {
		t.Fatal(err)
	}
	e.stamp.ctime -= int64(time.Second) // the clock of the kernel ticks only every few ms
	r.index.put(r, "a", e)
	if s, err := r.Look([]string{"a"}); err != nil || s[0].Content != of("new") {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	who := Who{PID: 42, Host: "here", Verb: "apply", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	unlock, err := a.Lock(context.Background(), 0, who)
	if err != nil {
		t.Fatal(err)
	}
	var busy *Busy
	if _, err := b.Lock(context.Background(), 0, Who{}); !errors.As(err, &busy) || busy.Who != who {
		t.Fatalf("a second lock: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Lock(ctx, time.Hour, Who{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	got := make(chan error)
	go func() {
		unlock, err := b.Lock(context.Background(), time.Minute, who)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Errorf("waiting for the lock: %v", err)
	}
	unlock, err = a.Lock(context.Background(), 0, Who{})
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("index", filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	var not *NotRegular
	if _, err := a.Lock(context.Background(), 0, Who{}); !errors.As(err, &not) {
		t.Errorf("a linked lock: %v", err)
	}
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inside, most := 0, 0
	var mu sync.Mutex
	count := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		inside += d
		most = max(most, inside)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r, err := Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for range 20 {
				unlock, err := r.Lock(context.Background(), 0, Who{})
				var busy *Busy
				if errors.As(err, &busy) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				count(1)
				runtime.Gosched()
				count(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d held the lock at once", most)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := fmt.Sprintf("d%d/%d.png", i%2, i)
			for range 20 {
				if _, err := r.Write(p, text(p), digest.Content{}); err != nil {
					t.Error(err)
				}
				if s, err := r.Look([]string{p}); err != nil || s[0].Content != of(p) {
					t.Errorf("%+v, %v", s, err)
				}
				if err := r.Remove(p, of(p)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if entries := must(r.entries(".")); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// onDisk is a root on a file system of the tests.
func onDisk(f FS) *Root { return &Root{fs: f} }

func read(f FS, p string) string {
	file, err := f.Open(p)
	if err != nil {
		return "-"
	}
	b, err := io.ReadAll(file)
	if err != nil {
		return "-"
	}
	return string(b)
}

// For every operation and every kind of fault a write leaves the whole old or
// the whole new file, now and after a power cut; and the new one, if it said so.
func TestWriteIsWholeOldOrWholeNew(t *testing.T) {
	t.Parallel()
	old, new := strings.Repeat("o", 1500), strings.Repeat("n", 1600)
	for _, kind := range []faultfs.Kind{faultfs.Fail, faultfs.Cut, faultfs.Short} {
		for _, before := range []string{"-", old} {
			faultfs.Each(kind, func(fault faultfs.Fault) *faultfs.FS {
				disk := faultfs.NewDisk()
				expect := digest.Content{}
				if before == old {
					if _, err := onDisk(disk).Write("x/a.png", text(old), digest.Content{}); err != nil {
						t.Fatal(err)
					}
					expect = of(old)
				}
				f := faultfs.Wrap(disk, fault)
				w, err := onDisk(f).Write("x/a.png", text(new), expect)
				if placed := read(disk, "x/a.png") == new; placed != (w.Content == of(new)) {
					t.Errorf("fault %+v: in place %v, told %+v, %v", fault, placed, w, err)
				}
				if err == nil && f.Hit() {
					// Only the stamp for the index may fail unnoticed.
					if got := read(disk, "x/a.png"); got != new {
						t.Errorf("fault %+v was overlooked, %q is there", fault, got)
					}
				}
				checks := []FS{disk}
				for seed := range uint64(12) {
					checks = append(checks, disk.Crash(rand.New(rand.NewPCG(seed, 2))))
				}
				for i, d := range checks {
					got := read(d, "x/a.png")
					if got != new && (err == nil || got != before) {
						t.Errorf("kind %v at %d, after %v, disk %d: %q", kind, fault.At, err, i, got)
					}
				}
				if kind != faultfs.Cut { // a killed process can't clean up; Sweep does
					for _, dir := range []string{".", "x"} {
						entries, _ := onDisk(disk).entries(dir)
						for _, e := range entries {
							if hidden(e.Name()) {
								t.Errorf("kind %v at %d: left %s", kind, fault.At, e.Name())
							}
						}
					}
				}
				return f
			})
		}
	}
}

// A run that was killed and repeated is as durable as one that was not.
func TestWriteAgainAfterKill(t *testing.T) {
	t.Parallel()
	faultfs.Each(faultfs.Cut, func(fault faultfs.Fault) *faultfs.FS {
		disk := faultfs.NewDisk()
		f := faultfs.Wrap(disk, fault)
		onDisk(f).Write("x/y/a.png", text("new"), digest.Content{})
		if _, err := onDisk(disk).Write("x/y/a.png", text("new"), digest.Content{}); err != nil {
			t.Fatalf("at %d: again: %v", fault.At, err)
		}
		for seed := range uint64(12) {
			if got := read(disk.Crash(rand.New(rand.NewPCG(seed, 5))), "x/y/a.png"); got != "new" {
				t.Errorf("at %d: after a power cut: %q", fault.At, got)
			}
		}
		return f
	})
}

func TestWriteFindsLyingDisk(t *testing.T) {
	t.Parallel()
	lies := 0
	faultfs.Each(faultfs.Lie, func(fault faultfs.Fault) *faultfs.FS {
		disk := faultfs.NewDisk()
		f := faultfs.Wrap(disk, fault)
		_, err := onDisk(f).Write("a.png", text("12345678"), digest.Content{})
		if err != nil {
			lies++
		} else if got := read(disk, "a.png"); got != "12345678" {
			t.Errorf("a lie at %d was believed: %q", fault.At, got)
		}
		return f
	})
	if lies == 0 {
		t.Error("no write was lied to")
	}
}

// The advisory files are whole or not there, and a fault never changes what is
// told of the files.
func TestIndexFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []faultfs.Kind{faultfs.Fail, faultfs.Cut, faultfs.Short, faultfs.Lie, faultfs.Flip} {
		faultfs.Each(kind, func(fault faultfs.Fault) *faultfs.FS {
			disk := faultfs.NewDisk()
			if _, err := onDisk(disk).Write("a", text("aaaa"), digest.Content{}); err != nil {
				t.Fatal(err)
			}
			f := faultfs.Wrap(disk, fault)
			r := onDisk(f)
			r.index.put(r, "a", entry{content: of("aaaa"), stamp: stampOf(must(disk.Stat("a")))})
			r.SaveIndex()
			got, errs := onDisk(disk).Hash(context.Background(), []string{"a"})
			if errs[0] != nil || got[0] != of("aaaa") {
				t.Errorf("%+v: %v, %v", fault, got, errs)
			}
			return f
		})
	}
}

func FuzzIndex(f *testing.F) {
	r := onDisk(faultfs.NewDisk())
	r.index.put(r, "a/b.png", entry{stamp{1, 2, 3, 4}, of("x")})
	var b bytes.Buffer
	if err := r.index.encode(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes()[:b.Len()-sumSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		// With the right sum, so that the entries are reached.
		sum := crc32.Checksum(b, castagnoli())
		m, ok := decodeIndex(binary.LittleEndian.AppendUint32(b, sum), 100)
		if !ok && m != nil {
			t.Error("entries of a damaged index")
		}
		for p := range m {
			if p == "" {
				t.Error("an entry without a path")
			}
		}
	})
}

func many(tb testing.TB, n int) (string, []string) {
	tb.Helper()
	dir := tb.TempDir()
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("static/img/d%02d/image-%05d.png", i*64/n, i)
		if i == 0 || filepath.Dir(paths[i]) != filepath.Dir(paths[i-1]) {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(paths[i])), 0o777); err != nil {
				tb.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, paths[i]), []byte(paths[i]), 0o666); err != nil {
			tb.Fatal(err)
		}
	}
	return dir, paths
}

func BenchmarkLook10k(b *testing.B) {
	dir, paths := many(b, 10_000)
	r := open(b, dir)
	r.Hash(context.Background(), paths)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Look(paths); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(paths)), "ns/path")
}

func BenchmarkHash10kWarm(b *testing.B) {
	dir, paths := many(b, 10_000)
	r := open(b, dir)
	r.Hash(context.Background(), paths)
	for b.Loop() {
		r.Hash(context.Background(), paths)
	}
}

func BenchmarkVerify(b *testing.B) {
	const size, n = 4 << 20, 32
	dir := b.TempDir()
	data := make([]byte, size)
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("%d.png", i)
		if err := os.WriteFile(filepath.Join(dir, paths[i]), data, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	r := open(b, dir)
	b.Run("files", func(b *testing.B) {
		b.SetBytes(size * n)
		for b.Loop() {
			r.Verify(context.Background(), paths)
		}
	})
	b.Run("raw", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			digest.OfContent(data)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	r := open(b, b.TempDir())
	data := make([]byte, 4096)
	i := 0
	for b.Loop() {
		i++
		p := fmt.Sprintf("img/%d.png", i)
		if _, err := r.Write(p, func(w io.Writer) error { _, err := w.Write(data); return err }, digest.Content{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIndex100k(b *testing.B) {
	r := open(b, b.TempDir())
	for i := range 100_000 {
		r.index.put(r, fmt.Sprintf("static/img/d%02d/image-%05d.png", i%64, i), entry{stamp{4096, int64(i), int64(i), uint64(i)}, of(fmt.Sprint(i))})
	}
	if err := r.SaveIndex(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		fresh := Root{fs: r.fs, os: r.os}
		if _, ok := fresh.index.get(&fresh, "static/img/d00/image-00000.png"); !ok {
			b.Fatal("not loaded")
		}
	}
}

// Who stands between sees each look and each step, also where there are short
// cuts without him.
func TestOpenOverSeesAll(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"img/a.png": "a", "img/b.png": "b"})
	var between *faultfs.FS
	r, err := OpenOver(dir, func(f FS) FS {
		between = faultfs.Wrap(f, faultfs.Fault{})
		return between
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	grew := func(what string, do func() error) {
		t.Helper()
		before := between.Ops()
		if err := do(); err != nil || between.Ops() == before {
			t.Errorf("%s: %v, %d operations seen", what, err, between.Ops()-before)
		}
	}
	grew("a look", func() error { _, err := r.Look([]string{"img/a.png"}); return err })
	grew("hashing", func() error { _, errs := r.Hash(context.Background(), []string{"img/b.png"}); return errs[0] })
	sub, err := r.Sub(".imgbuild/draft")
	if err != nil {
		t.Fatal(err)
	}
	grew("a root in the root", func() error { _, err := sub.Write("x.png", text("x"), digest.Content{}); return err })
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, ".imgbuild/draft/x.png")); string(b) != "x" {
		t.Errorf("the root in the root wrote %q: %v", b, err)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	if _, held := r.Holder(); held {
		t.Error("held before anybody came")
	}
	unlock, err := r.Lock(context.Background(), 0, Who{PID: 7, Verb: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	if who, held := r.Holder(); !held || who.PID != 7 {
		t.Errorf("while it is held: %+v, %v", who, held)
	}
	unlock()
	if who, held := r.Holder(); held {
		t.Errorf("after it was let go: %+v", who)
	}
	// One who died leaves a name and no lock.
	if err := os.WriteFile(filepath.Join(r.Dir(), lockFile), []byte("x{\"pid\": 9}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if who, held := r.Holder(); held {
		t.Errorf("held by the dead: %+v", who)
	}
}
