package workspace

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// tempPrefix begins the name of every file that is not whole yet, so that
// leftovers of a crash can be told from the user's files and swept.
const tempPrefix = ".imgbuild-tmp-"

// tempOf begins the name of what is to become a file: its name in few letters,
// by which it is told from what another process is at in the same folder.
func tempOf(p string) string {
	sum := sha256.Sum256([]byte(path.Base(p)))
	return tempPrefix + hex.EncodeToString(sum[:3]) + "-"
}

// Conflict is a path that holds something else than was expected: somebody
// else's bytes, a folder, a link. Nothing was changed.
type Conflict struct {
	Path   string
	State  State
	Found  digest.Content // of a regular file
	Expect digest.Content // zero: the path was expected to be free
}

func (e *Conflict) Error() string {
	switch {
	case e.State == Other:
		return e.Path + " is a folder, a link or a device"
	case e.Expect.IsZero():
		return e.Path + " exists and was not made by imgbuild"
	}
	return fmt.Sprintf("%s was changed by someone else (%s, expected %s)", e.Path, e.Found.Short(), e.Expect.Short())
}

// Written is what a write left on disk.
type Written struct {
	Content digest.Content
	Size    int64
}

// Write puts a file in place, whole and durable, or changes nothing. from
// writes its bytes. expect is the content that may be replaced, zero if the
// path must be free; the path may also be free though a content is expected,
// and may already hold the new bytes. Anything else is a *Conflict. A file that
// is replaced keeps its permissions.
//
// With an error the result is zero, unless the file is in place and only
// perhaps not durable.
func (r *Root) Write(p string, from func(io.Writer) error, expect digest.Content) (Written, error) {
	w, err := r.write(p, from, expect)
	if err != nil {
		err = fmt.Errorf("workspace: write %s: %w", p, about(p, err))
	}
	return w, err
}

func (r *Root) write(p string, from func(io.Writer) error, expect digest.Content) (Written, error) {
	if err := check(p); err != nil {
		return Written{}, err
	}
	r.folders.RLock()
	made, err := r.mkdirs(path.Dir(p))
	var w Written
	if err == nil {
		w, err = r.put(p, from, expect)
	}
	r.folders.RUnlock()
	if err != nil && made {
		r.prune(path.Dir(p))
	}
	return w, err
}

func (r *Root) put(p string, from func(io.Writer) error, expect digest.Content) (_ Written, err error) {
	dir := path.Dir(p)
	if err := r.refuseDetour(dir); err != nil {
		return Written{}, err
	}
	temp, f, err := r.temp(p)
	if err != nil {
		return Written{}, err
	}
	open, placed := true, false
	defer func() {
		if open {
			f.Close()
		}
		if !placed {
			r.fs.Remove(temp)
		}
	}()

	h := sha256.New()
	count := counter{w: io.MultiWriter(f, h)}
	buffered := bufio.NewWriterSize(&count, 64<<10)
	if err := errors.Join(from(buffered), buffered.Flush()); err != nil {
		return Written{}, err
	}
	if err := f.Sync(); err != nil {
		return Written{}, err
	}
	before, err := f.Stat()
	if err != nil {
		return Written{}, err
	}
	if before.Size() != count.n {
		return Written{}, fmt.Errorf("the disk took %d of %d bytes", before.Size(), count.n)
	}
	open = false
	if err := f.Close(); err != nil {
		return Written{}, err
	}
	w := Written{digest.Content(h.Sum(nil)), count.n}

	state, found, err := r.at(p)
	switch {
	case err != nil:
		return Written{}, err
	case state == Regular && found == w.Content: // there already, perhaps by a run that crashed
		return w, SyncDir(r.fs, dir)
	case state == Other, state == Regular && (expect.IsZero() || found != expect):
		return Written{}, &Conflict{p, state, found, expect}
	}
	if old, err := lstat(r.fs, p); err == nil && old.Mode().IsRegular() && old.Mode().Perm() != before.Mode().Perm() {
		_ = r.fs.Chmod(temp, old.Mode().Perm()) // some file systems have no modes, and the bytes count more
	}
	if err := r.fs.Rename(temp, p); err != nil {
		return Written{}, err
	}
	placed = true
	if err := SyncDir(r.fs, dir); err != nil {
		return w, err
	}
	// Renaming changes ctime, so the stamp is taken again, if it is our file.
	r.index.drop(r, p)
	if after, err := lstat(r.fs, p); err == nil {
		s, t := stampOf(before), stampOf(after)
		if s.ctime = t.ctime; s == t {
			r.index.put(r, p, entry{t, w.Content})
		}
	}
	return w, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// temp opens a new file beside p, which it is to become.
func (r *Root) temp(p string) (string, File, error) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	name := path.Join(path.Dir(p), tempOf(p)+hex.EncodeToString(b[:]))
	f, err := r.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	return name, f, err
}

// mkdirs makes a folder and its parents, each durable, and tells whether it
// made one. One that is there already may be the work of a process that died
// before it could sync, so each is synced once by each process.
func (r *Root) mkdirs(dir string) (made bool, err error) {
	r.making.Lock() // else another could count on a folder before it is durable
	defer r.making.Unlock()
	if dir == "." {
		return false, nil
	}
	if r.durable[dir] {
		if fi, err := r.fs.Stat(dir); err == nil && fi.IsDir() {
			return false, nil
		}
	}
	for i, c := range dir + "/" {
		if c != '/' {
			continue
		}
		err := r.fs.Mkdir(dir[:i], 0o777)
		switch {
		case err == nil:
			made = true
		case !errors.Is(err, fs.ErrExist):
			return made, err
		case r.durable[dir[:i]]:
			continue
		default:
			fi, err := r.fs.Stat(dir[:i])
			if err != nil {
				return made, err
			}
			if !fi.IsDir() {
				return made, fmt.Errorf("%s is not a folder", dir[:i])
			}
			if err := r.refuseDetour(dir[:i]); err != nil {
				return made, err
			}
		}
		if err := SyncDir(r.fs, path.Dir(dir[:i])); err != nil {
			return made, err
		}
		if r.durable == nil {
			r.durable = map[string]bool{}
		}
		r.durable[dir[:i]] = true
	}
	return made, nil
}

// refuseDetour refuses a folder that leads through links to where no path may
// lead: a link "img" to ".git/hooks" is inside the root, and would pass.
func (r *Root) refuseDetour(dir string) error {
	if dir == "." {
		return nil
	}
	for i, c := range dir + "/" {
		if c != '/' {
			continue
		}
		fi, err := lstat(r.fs, dir[:i])
		if err != nil {
			return err
		}
		if fi.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		real, err := r.real(dir)
		if err == nil && real != "." {
			err = check(real)
		}
		if err != nil {
			return fmt.Errorf("%s is a link: %w", dir[:i], err)
		}
		return nil
	}
	return nil
}

// Remove removes a file if its bytes are still those expected, and then the
// folders that it leaves empty, up to the root. A file that is gone already is
// no error; other bytes are a *Conflict.
func (r *Root) Remove(p string, expect digest.Content) error {
	if err := r.remove(p, expect); err != nil {
		return fmt.Errorf("workspace: remove %s: %w", p, about(p, err))
	}
	return nil
}

func (r *Root) remove(p string, expect digest.Content) error {
	if err := check(p); err != nil {
		return err
	}
	gone, err := r.take(p, expect)
	if gone {
		r.prune(path.Dir(p))
	}
	return err
}

// take removes a file and tells whether it did.
func (r *Root) take(p string, expect digest.Content) (bool, error) {
	r.folders.RLock()
	defer r.folders.RUnlock()
	state, found, err := r.at(p)
	switch {
	case err != nil:
		return false, err
	case state == Absent:
		return false, nil
	case state == Other || found != expect:
		return false, &Conflict{p, state, found, expect}
	}
	if err := r.refuseDetour(path.Dir(p)); err != nil {
		return false, err
	}
	if err := r.fs.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	r.index.drop(r, p)
	return true, SyncDir(r.fs, path.Dir(p))
}

// prune removes a folder and its parents as long as they are empty. It is a
// courtesy: what can't be removed stays.
func (r *Root) prune(dir string) {
	r.folders.Lock()
	defer r.folders.Unlock()
	for ; dir != "."; dir = path.Dir(dir) {
		// A link to a folder must not be removed, and a non-empty one can't.
		if fi, err := lstat(r.fs, dir); err != nil || !fi.IsDir() || r.fs.Remove(dir) != nil {
			return
		}
	}
}

// Sweep removes what interrupted writes left behind: those of the given file,
// all in the given folders of outputs ("" for the root; folders below them are
// not entered), and those of what this room keeps in .imgbuild. Only the holder
// of the lock may call it. It returns the names of the files removed.
func (r *Root) Sweep(file string, folders []string) ([]string, error) {
	var swept []string
	var errs []error
	seen := map[string]bool{}
	sweep := func(dir, prefix string, deep bool) {}
	sweep = func(dir, prefix string, deep bool) {
		if seen[dir+"/"+prefix] {
			return
		}
		seen[dir+"/"+prefix] = true
		entries, err := r.entries(dir)
		if err != nil {
			if !absent(err) {
				errs = append(errs, err)
			}
			return
		}
		for _, e := range entries {
			p := path.Join(dir, e.Name())
			switch {
			case deep && e.IsDir():
				sweep(p, prefix, true)
			case strings.HasPrefix(e.Name(), prefix) && e.Type().IsRegular():
				if err := r.fs.Remove(p); err != nil {
					errs = append(errs, err)
				} else {
					swept = append(swept, p)
				}
			}
		}
	}
	sweep(path.Dir(file), tempOf(file), false)
	sweep(Own, tempPrefix, false)
	sweep(Own+"/cache", tempPrefix, true)
	for _, dir := range folders {
		if dir == "" {
			dir = "."
		} else if err := check(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		sweep(dir, tempPrefix, false)
	}
	if err := errors.Join(errs...); err != nil {
		return swept, fmt.Errorf("workspace: sweep: %w", err)
	}
	return swept, nil
}
