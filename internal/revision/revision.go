package revision

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/imgbuild/imgbuild/internal/tool"
)

// Bounds of what is read of a commit, in bytes.
const (
	maxNames = 64 << 20
	maxFiles = 512 << 20 // in one call
	maxUser  = 1 << 10
)

// Tree is what a commit has below a folder.
type Tree struct {
	Commit string // its full name

	ctx    context.Context
	getenv func(string) string
	dir    string
	files  map[string]file
	dirs   map[string][]fs.DirEntry // sorted by name

	mu   sync.Mutex
	read map[string][]byte // by object
}

// file is one of a commit.
type file struct {
	object string
	size   int64
	mode   fs.FileMode
}

// Open reads the names of the files that a commit has in place of dir, a folder
// of the work tree. ref is what git takes for a commit; one that it does not
// know is an *Unknown. A folder that the commit does not have is empty.
func Open(ctx context.Context, getenv func(string) string, dir, ref string) (*Tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{ctx: ctx, getenv: getenv, dir: dir, files: map[string]file{}, dirs: map[string][]fs.DirEntry{".": nil}, read: map[string][]byte{}}
	prefix, err := t.git(nil, maxNames, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, fmt.Errorf("%s is in no work tree of git: %w", dir, err)
	}
	if t.Commit, err = Commit(ctx, getenv, dir, ref); err != nil {
		return nil, err
	}
	below := t.Commit + ":" + strings.TrimSuffix(strings.TrimRight(string(prefix), "\n"), "/")
	if _, err := t.git(nil, maxNames, "rev-parse", "--verify", "--quiet", "--end-of-options", below); err != nil {
		return t, ctx.Err()
	}
	list, err := t.git(nil, maxNames, "ls-tree", "-r", "-z", "-l", "--full-tree", below)
	if err != nil {
		return nil, err
	}
	return t, t.parse(string(list))
}

// Commit is the full name of the commit that git takes ref for.
func Commit(ctx context.Context, getenv func(string) string, dir, ref string) (string, error) {
	if strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, "\x00\n") {
		return "", &Unknown{ref}
	}
	b, err := Ask(ctx, getenv, dir, nil, maxNames, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", &Unknown{ref}
	}
	return strings.TrimSpace(string(b)), nil
}

// Unknown is a name that stands for no commit.
type Unknown struct{ Ref string }

func (e *Unknown) Error() string { return fmt.Sprintf("git knows no commit %q", e.Ref) }

func (t *Tree) git(in func(io.Writer) error, most int, args ...string) ([]byte, error) {
	return Ask(t.ctx, t.getenv, t.dir, in, most, args...)
}

// Ask asks git, in a folder, for something that writes nothing, and returns at
// most so many bytes. Nothing of the repository may choose what git starts.
func Ask(ctx context.Context, getenv func(string) string, dir string, in func(io.Writer) error, most int, args ...string) ([]byte, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := tool.Call{Time: tool.MaxTime, Output: most, Input: in,
		Command: append([]string{"git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.bareRepository=explicit", "-C", dir}, args...),
		Env:     []string{"GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1"}}
	return c.Run(ctx, getenv)
}

// User is the name that git has for who works in a folder, "" if it has none.
func User(ctx context.Context, getenv func(string) string, dir string) string {
	b, err := Ask(ctx, getenv, dir, nil, maxUser, "config", "--get", "user.name")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// parse reads what ls-tree lists: MODE TYPE OBJECT SIZE, a tab and the path,
// each ended by a NUL.
func (t *Tree) parse(list string) error {
	for line := range strings.SplitSeq(list, "\x00") {
		if line == "" {
			continue
		}
		head, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(head)
		if !ok || len(f) != 4 || !fs.ValidPath(name) {
			return fmt.Errorf("git lists %q, which can't be read", line)
		}
		if f[1] != "blob" {
			continue // a submodule
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			return fmt.Errorf("git lists %q, which can't be read", line)
		}
		mode := fs.FileMode(0o444)
		if f[0] == "120000" {
			mode |= fs.ModeSymlink
		}
		t.add(name, file{f[2], size, mode})
	}
	for _, list := range t.dirs {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return nil
}

func (t *Tree) add(name string, f file) {
	t.files[name] = f
	t.enter(name, info{path.Base(name), f.size, f.mode})
}

// enter makes a name known in its folder, and that in its own.
func (t *Tree) enter(name string, i info) {
	dir := path.Dir(name)
	if _, known := t.dirs[dir]; !known {
		t.enter(dir, info{path.Base(dir), 0, fs.ModeDir | 0o555})
	}
	t.dirs[dir] = append(t.dirs[dir], fs.FileInfoToDirEntry(i))
}

// Names are the paths of all files, sorted.
func (t *Tree) Names() []string {
	out := make([]string, 0, len(t.files))
	for name := range t.files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Fetch reads the files that are wanted at once, which takes one run of git and
// not one for each.
func (t *Tree) Fetch(wanted func(name string) bool) error {
	var objects []string
	for name, f := range t.files {
		if wanted(name) && f.mode.IsRegular() {
			objects = append(objects, f.object)
		}
	}
	slices.Sort(objects)
	_, err := t.objects(slices.Compact(objects))
	return err
}

// Forget lets go of the bytes that were read.
func (t *Tree) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.read)
}

// objects are the bytes of objects.
func (t *Tree) objects(names []string) (map[string][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := t.read[name]; return ok })
	if len(missing) == 0 {
		return t.read, nil
	}
	ask := func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Join(missing, "\n")+"\n")
		return err
	}
	out, err := t.git(ask, maxFiles, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(bytes.NewReader(out))
	for _, name := range missing {
		head, err := r.ReadString('\n') // OBJECT blob SIZE
		f := strings.Fields(head)
		if err != nil || len(f) != 3 || f[0] != name || f[1] != "blob" {
			return nil, fmt.Errorf("git has no object %s: %s", name, strings.TrimSpace(head))
		}
		size, err := strconv.Atoi(f[2])
		if err != nil || size < 0 || size > len(out) {
			return nil, fmt.Errorf("git tells of %q, which can't be read", strings.TrimSpace(head))
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, fmt.Errorf("git ends within %s: %w", name, err)
		}
		if _, err := r.Discard(1); err != nil {
			return nil, fmt.Errorf("git ends after %s: %w", name, err)
		}
		t.read[name] = b
	}
	return t.read, nil
}

// Open is that of fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	if list, ok := t.dirs[name]; ok {
		return &folder{info{path.Base(name), 0, fs.ModeDir | 0o555}, list}, nil
	}
	f, ok := t.files[name]
	switch {
	case !ok:
		return fail(fs.ErrNotExist)
	case !f.mode.IsRegular():
		return fail(errors.New("is a link"))
	case f.size > maxFiles:
		return fail(errors.New("is too large"))
	}
	read, err := t.objects([]string{f.object})
	if err != nil {
		return fail(err)
	}
	return &opened{info{path.Base(name), f.size, f.mode}, bytes.NewReader(read[f.object])}, nil
}

// Stat is that of fs.StatFS: it reads no bytes.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	if _, ok := t.dirs[name]; ok {
		return info{path.Base(name), 0, fs.ModeDir | 0o555}, nil
	}
	if f, ok := t.files[name]; ok {
		return info{path.Base(name), f.size, f.mode}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

type opened struct {
	info
	*bytes.Reader
}

func (f *opened) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *opened) Size() int64                { return f.info.size }
func (f *opened) Close() error               { return nil }

type folder struct {
	info
	left []fs.DirEntry
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *folder) Close() error               { return nil }
func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("is a folder")}
}

// ReadDir is that of fs.ReadDirFile.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.left)
	} else if len(f.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.left))
	out := f.left[:n]
	f.left = f.left[n:]
	return out, nil
}
