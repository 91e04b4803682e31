package workspace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// Own is the folder of imgbuild's own files. It is never committed.
const Own = ".imgbuild"

// Root is an open workspace. It may be used by many goroutines at once.
type Root struct {
	dir   string
	fs    FS       // everything goes through it but the kernel's lock
	os    *os.Root // may be nil if fs is something else
	index index

	// Holders of the read side count on the folders that they made; pruning
	// takes the write side.
	folders sync.RWMutex
	making  sync.Mutex
	durable map[string]bool // folders that this process synced
	ownOnce sync.Mutex
	owned   bool
}

// Open opens the folder dir, which must exist, as a root.
func Open(dir string) (*Root, error) {
	return OpenOver(dir, func(f FS) FS { return f })
}

// OpenOver is Open for who breaks disks: all files are reached through what
// over makes of the folder. Only the lock of the kernel lies in the folder
// itself.
func OpenOver(dir string, over func(FS) FS) (*Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("workspace: open %s: %w", dir, about(dir, plain(err)))
	}
	return &Root{dir: dir, fs: over(rootFS{root}), os: root}, nil
}

// OpenRead is a workspace that can only be read, of files in the place of those
// of dir.
func OpenRead(dir string, files fs.FS) (*Root, error) {
	return OpenOver(dir, func(FS) FS { return afero.NewReadOnlyFs(afero.FromIOFS{FS: files}) })
}

// Sub is a workspace of its own in a folder below .imgbuild, which is made if
// it is not there. A link that leads out of the root is refused.
func (r *Root) Sub(folder string) (*Root, error) {
	if err := r.FS(folder).MkdirAll(".", 0o777); err != nil {
		return nil, fmt.Errorf("workspace: open %s: %w", folder, about(folder, plain(err)))
	}
	if !r.bare() {
		return &Root{dir: r.dir + "/" + folder, fs: r.FS(folder)}, nil
	}
	root, err := r.os.OpenRoot(filepath.FromSlash(folder))
	if err != nil {
		return nil, fmt.Errorf("workspace: open %s: %w", folder, about(folder, plain(err)))
	}
	return &Root{dir: r.dir + "/" + folder, fs: rootFS{root}, os: root}, nil
}

// Close lets go of the folder. Nothing is saved by it.
func (r *Root) Close() error {
	if r.os == nil {
		return nil
	}
	return r.os.Close()
}

// bare reports whether nothing stands between us and the folder; else there are
// no short cuts, as whoever does must see everything.
func (r *Root) bare() bool {
	_, ok := r.fs.(rootFS)
	return ok
}

// Dir is the folder as it was given to Open.
func (r *Root) Dir() string { return r.dir }

// TooLarge is a file that is longer than the caller takes.
type TooLarge struct {
	Path        string
	Size, Limit int64 // bytes
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("%s has %d bytes, more than the limit of %d", e.Path, e.Size, e.Limit)
}

// TooLarge tells it to who doesn't know this room.
func (e *TooLarge) TooLarge() bool { return true }

// Leaves is a path on which a link leads out of the root.
type Leaves struct{ Path string }

func (e *Leaves) Error() string {
	return fmt.Sprintf("a link on the way to %q leads out of the project", e.Path)
}

// NotRegular is a folder, link or device where a file is meant.
type NotRegular struct {
	Path string
	Mode fs.FileMode
}

func (e *NotRegular) Error() string {
	kind := "not a regular file"
	switch {
	case e.Mode.IsDir():
		kind = "a folder"
	case e.Mode&fs.ModeSymlink != 0:
		kind = "a link"
	case e.Mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case e.Mode&fs.ModeSocket != 0:
		kind = "a socket"
	case e.Mode&fs.ModeDevice != 0:
		kind = "a device"
	}
	return e.Path + " is " + kind
}

func check(p string) error {
	if err := spec.CheckPath(p); err != nil {
		return fmt.Errorf("path %q %w", p, err)
	}
	return nil
}

// Read returns a regular file of at most limit bytes, else *TooLarge,
// *NotRegular or an error that wraps fs.ErrNotExist.
func (r *Root) Read(p string, limit int64) ([]byte, error) {
	b, err := r.read(p, limit)
	if err != nil {
		return nil, fmt.Errorf("workspace: read %s: %w", p, about(p, err))
	}
	return b, nil
}

// Peek gives a regular file, and its size in bytes, to someone who reads only
// parts of it. The errors are those of Read.
func (r *Root) Peek(p string, look func(io.ReaderAt, int64)) error {
	err := check(p)
	if err == nil {
		var f File
		var fi fs.FileInfo
		if f, fi, err = r.open(p); err == nil {
			defer f.Close()
			look(f, fi.Size())
			return nil
		}
	}
	return fmt.Errorf("workspace: read %s: %w", p, about(p, err))
}

func (r *Root) read(p string, limit int64) ([]byte, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	f, fi, err := r.open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi.Size() > limit {
		return nil, &TooLarge{p, fi.Size(), limit}
	}
	b := make([]byte, 0, fi.Size()+1) // the spare byte finds the end without growing
	for {
		n, err := f.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			return nil, &TooLarge{p, int64(len(b)), limit}
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// open opens a regular file. It looks before it opens, for opening a pipe
// would wait for a writer.
func (r *Root) open(p string) (File, fs.FileInfo, error) {
	fi, err := r.fs.Stat(p)
	if err != nil && r.leaves(p) {
		return nil, nil, &Leaves{p}
	}
	if err != nil {
		return nil, nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, nil, &NotRegular{p, fi.Mode()}
	}
	f, err := r.fs.Open(p)
	if err != nil {
		return nil, nil, err
	}
	if fi, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// ReadDir lists the names of all that is no folder in a folder ("" for the root),
// sorted. Links are listed unless they lead to a folder, and pipes and devices
// too, so that reading what can't be read is an error and not a silence.
func (r *Root) ReadDir(dir string) ([]string, error) {
	if dir == "" {
		dir = "."
	} else if err := check(dir); err != nil {
		return nil, fmt.Errorf("workspace: list: %w", err)
	}
	entries, err := r.entries(dir)
	if err != nil {
		if r.leaves(dir) {
			err = &Leaves{dir}
		}
		return nil, fmt.Errorf("workspace: list %s: %w", dir, about(dir, err))
	}
	var names []string
	for _, e := range entries {
		folder := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			fi, err := r.fs.Stat(path.Join(dir, e.Name()))
			folder = err == nil && fi.IsDir()
		}
		if !folder {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// entries lists a folder by name, without a stat of each file where possible.
func (r *Root) entries(dir string) ([]fs.DirEntry, error) {
	f, err := r.fs.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var entries []fs.DirEntry
	if d, ok := f.(fs.ReadDirFile); ok {
		entries, err = d.ReadDir(-1)
	} else {
		var infos []fs.FileInfo
		infos, err = f.Readdir(-1)
		for _, fi := range infos {
			entries = append(entries, fs.FileInfoToDirEntry(fi))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// Glob lists the regular files below dir ("" for the root) that match a
// pattern of doublestar ("**", "{a,b}"), relative to dir and sorted. It does
// not descend into linked folders, .git or .imgbuild, and leaves out links that
// lead out of the root. A folder that does not exist has no files; one that
// lies outside is *Leaves.
func (r *Root) Glob(dir, pattern string) ([]string, error) {
	if dir == "" {
		dir = "."
	} else if err := check(dir); err != nil {
		return nil, fmt.Errorf("workspace: glob: %w", err)
	}
	if slices.Contains(strings.Split(pattern, "/"), "..") || path.IsAbs(pattern) {
		return nil, fmt.Errorf("workspace: glob: pattern %q leaves its folder", pattern)
	}
	names, err := doublestar.Glob(globFS{r, dir}, pattern,
		doublestar.WithFilesOnly(), doublestar.WithNoFollow(), doublestar.WithFailOnIOErrors())
	if err != nil {
		return nil, fmt.Errorf("workspace: glob %q: %w", pattern, err)
	}
	if len(names) == 0 && dir != "." && r.leaves(dir) {
		return nil, fmt.Errorf("workspace: glob %q: %w", pattern, &Leaves{dir})
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// globFS shows doublestar only what a pattern may find.
type globFS struct {
	r   *Root
	dir string
}

var errHidden = fmt.Errorf("not shown: %w", fs.ErrNotExist)

func (g globFS) at(name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", errHidden
	}
	for part := range strings.SplitSeq(name, "/") {
		if hidden(part) {
			return "", errHidden
		}
	}
	return path.Join(g.dir, name), nil
}

func hidden(name string) bool {
	return strings.EqualFold(name, ".git") || strings.EqualFold(name, Own) || strings.HasPrefix(name, tempPrefix)
}

func (g globFS) Open(name string) (fs.File, error) {
	p, err := g.at(name)
	if err != nil {
		return nil, err
	}
	return g.r.fs.Open(p)
}

// Stat makes it an fs.StatFS.
func (g globFS) Stat(name string) (fs.FileInfo, error) {
	p, err := g.at(name)
	if err != nil {
		return nil, err
	}
	fi, err := g.r.fs.Stat(p)
	switch {
	case err != nil && g.r.leaves(p), err == nil && !fi.IsDir() && !fi.Mode().IsRegular():
		return nil, errHidden
	}
	return fi, err
}

// ReadDir makes it an fs.ReadDirFS.
func (g globFS) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := g.at(name)
	if err != nil {
		return nil, err
	}
	entries, err := g.r.entries(p)
	if err != nil && g.r.leaves(p) {
		return nil, errHidden
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		switch {
		case hidden(e.Name()):
			return true
		case e.IsDir() || e.Type().IsRegular():
			return false
		case e.Type()&fs.ModeSymlink == 0:
			return true
		}
		fi, err := g.r.fs.Stat(path.Join(p, e.Name()))
		return err != nil || !fi.Mode().IsRegular()
	}), err
}

// ensureOwn makes .imgbuild, which ignores itself in git.
func (r *Root) ensureOwn() error {
	r.ownOnce.Lock()
	defer r.ownOnce.Unlock()
	if r.owned {
		return nil
	}
	if fi, err := lstat(r.fs, Own); err == nil && !fi.IsDir() {
		return &NotRegular{Own, fi.Mode()}
	}
	if err := r.fs.Mkdir(Own, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := r.fs.OpenFile(Own+"/.gitignore", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	switch {
	case errors.Is(err, fs.ErrExist):
	case err != nil:
		return err
	default:
		_, err := f.WriteString("*\n")
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	r.owned = true
	return nil // mkdirs syncs what is kept there; the rest is advisory
}

// real is where a folder is when its links are followed.
func (r *Root) real(dir string) (string, error) {
	top, err := filepath.Abs(r.dir) // a link may lead to an absolute path
	if err != nil {
		return "", err
	}
	if top, err = filepath.EvalSymlinks(top); err != nil {
		return "", err
	}
	at, err := filepath.EvalSymlinks(filepath.Join(top, filepath.FromSlash(dir)))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(top, at)
	return filepath.ToSlash(rel), err
}

// leaves reports whether the links of a path lead out of the root; os.Root
// refuses such a path with an error that has no name.
func (r *Root) leaves(p string) bool {
	real, err := r.real(p)
	return err == nil && !filepath.IsLocal(filepath.FromSlash(real))
}
