package workspace

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// State is what a path holds.
type State int

const (
	Absent State = iota
	Regular
	Other   // a folder, link or device
	Outside // not to be reached: a link on the way leads out of the root
)

// Seen is what a look at a path found.
type Seen struct {
	State   State
	Size    int64 // bytes, of a regular file
	Content digest.Content
	Known   bool // whether Content is; without an entry in the index the file is not hashed
}

// Look tells about each path, in the same order, at the cost of one lstat
// each. A file that differs from its entry in the index is hashed; one
// without an entry is not.
func (r *Root) Look(paths []string) ([]Seen, error) {
	seen := make([]Seen, len(paths))
	look := looker{r: r}
	defer look.close()
	var changed []string
	var at []int
	for i, p := range paths {
		// No check of the path: it costs as much as the lstat, and os.Root alone
		// keeps a look inside.
		fi, err := look.lstat(p)
		switch {
		case err != nil && isNotDir(err):
			seen[i].State = Other // a file in the place of a parent folder
			continue
		case absent(err):
			continue
		case err != nil && LeadsOut(err):
			seen[i].State = Outside
			continue
		case err != nil:
			return nil, fmt.Errorf("workspace: look at %s: %w", p, about(p, plain(err)))
		case !fi.Mode().IsRegular():
			seen[i].State = Other
			continue
		}
		seen[i] = Seen{State: Regular, Size: fi.Size()}
		e, ok := r.index.get(r, p)
		switch {
		case ok && e.stamp == stampOf(fi):
			seen[i].Content, seen[i].Known = e.content, true
		case ok:
			changed, at = append(changed, p), append(at, i)
		}
	}
	contents, errs := r.hash(context.Background(), changed, true)
	for j, i := range at {
		if errs[j] == nil {
			seen[i].Content, seen[i].Known = contents[j], true
		} else if absent(errs[j]) { // gone since the lstat
			seen[i] = Seen{}
		} else {
			return nil, fmt.Errorf("workspace: look at %s: %w", paths[i], about(paths[i], errs[j]))
		}
	}
	return seen, nil
}

// absent also takes a file in the place of a parent folder for "not there".
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || isNotDir(err) }

// LeadsOut reports whether a path was refused because it leads out; os.Root has
// no error value for that.
func LeadsOut(err error) bool {
	var leaves *Leaves
	return errors.As(err, &leaves) || errors.Is(err, syscall.ELOOP) || strings.Contains(err.Error(), "escapes from parent")
}

// looker keeps the last folder open: os.Root walks down from the root for
// every name, which costs more than the lstat itself.
type looker struct {
	r      *Root
	dir    string
	folder *os.Root // nil if it can't be opened
}

func (l *looker) lstat(p string) (fs.FileInfo, error) {
	if !l.r.bare() {
		return lstat(l.r.fs, p)
	}
	i := len(p) - 1
	for i >= 0 && p[i] != '/' {
		i--
	}
	if i < 0 {
		return l.r.os.Lstat(p)
	}
	if l.dir != p[:i] {
		l.close()
		l.dir = p[:i]
		l.folder, _ = l.r.os.OpenRoot(filepath.FromSlash(l.dir))
	}
	if l.folder == nil {
		return l.r.os.Lstat(p) // for its error, which tells "no such file" from the rest
	}
	return l.folder.Lstat(p[i+1:])
}

func (l *looker) close() {
	if l.folder != nil {
		l.folder.Close()
	}
	l.folder, l.dir = nil, ""
}

// Hash names the bytes of files, through the stat index, and updates it. The
// slices have the order of paths; a file that can't be read has an error
// (fs.ErrNotExist, *NotRegular, …).
func (r *Root) Hash(ctx context.Context, paths []string) ([]digest.Content, []error) {
	return r.hash(ctx, paths, true)
}

// Verify is Hash that believes nothing: every byte is read.
func (r *Root) Verify(ctx context.Context, paths []string) ([]digest.Content, []error) {
	return r.hash(ctx, paths, false)
}

func (r *Root) hash(ctx context.Context, paths []string, believe bool) ([]digest.Content, []error) {
	contents := make([]digest.Content, len(paths))
	errs := make([]error, len(paths))
	// A worker takes a stretch of paths: a goroutine for each would cost as
	// much as a small file.
	workers := min(runtime.GOMAXPROCS(0), len(paths))
	var g errgroup.Group
	var mu sync.Mutex
	next := 0
	for range workers {
		g.Go(func() error {
			look := looker{r: r}
			defer look.close()
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(paths) {
					return nil
				}
				if errs[i] = ctx.Err(); errs[i] == nil {
					contents[i], errs[i] = r.hashOne(ctx, paths[i], believe, &look)
				}
			}
		})
	}
	g.Wait() // errors are kept by path
	return contents, errs
}

func (r *Root) hashOne(ctx context.Context, p string, believe bool, look *looker) (digest.Content, error) {
	if err := check(p); err != nil {
		return digest.Content{}, err
	}
	if believe {
		if e, ok := r.index.get(r, p); ok {
			fi, err := look.lstat(p)
			if err == nil && fi.Mode()&fs.ModeSymlink != 0 {
				fi, err = r.fs.Stat(p)
			}
			if err == nil && fi.Mode().IsRegular() && e.stamp == stampOf(fi) {
				return e.content, nil
			}
		}
	}
	f, fi, err := r.open(p)
	if err != nil {
		return digest.Content{}, err
	}
	defer f.Close()
	c, err := hashFile(ctx, f)
	if err != nil {
		return digest.Content{}, err
	}
	// Only a file that did not change under us is remembered.
	if after, err := f.Stat(); err == nil && stampOf(after) == stampOf(fi) {
		r.index.put(r, p, entry{stampOf(fi), c})
	}
	return c, nil
}

// buffers are large, so that a long file costs its hash and few calls.
var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

func hashFile(ctx context.Context, f io.Reader) (digest.Content, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	h := sha256.New()
	for {
		n, err := f.Read(*buf)
		h.Write((*buf)[:n])
		if err == io.EOF {
			return digest.Content(h.Sum(nil)), nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return digest.Content{}, err
		}
	}
}

// at tells what a path holds now, for a decision to replace or remove it.
func (r *Root) at(p string) (State, digest.Content, error) {
	fi, err := lstat(r.fs, p)
	switch {
	case absent(err):
		return Absent, digest.Content{}, nil
	case err != nil:
		return 0, digest.Content{}, err
	case !fi.Mode().IsRegular():
		return Other, digest.Content{}, nil
	}
	look := looker{r: r}
	defer look.close()
	c, err := r.hashOne(context.Background(), p, true, &look)
	if absent(err) {
		return Absent, digest.Content{}, nil
	}
	return Regular, c, err
}
