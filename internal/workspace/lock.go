package workspace

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const lockFile = Own + "/lock"

// Who holds the lock.
type Who struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Verb    string    `json:"verb"`
	Started time.Time `json:"started"`
}

// Busy is a lock that somebody else holds. Who is zero if the holder has not
// said yet.
type Busy struct{ Who Who }

func (e *Busy) Error() string {
	if e.Who == (Who{}) {
		return "another imgbuild is at work here"
	}
	return fmt.Sprintf("imgbuild %s is at work here (process %d on %s, since %s)",
		e.Who.Verb, e.Who.PID, e.Who.Host, e.Who.Started.Format(time.DateTime))
}

// Lock makes the caller the only writer of the workspace, waiting up to wait
// for the holder to finish; then the error is a *Busy. The kernel holds the
// lock and frees it when the process dies, so there is nothing to steal or to
// unlock by hand.
func (r *Root) Lock(ctx context.Context, wait time.Duration, who Who) (unlock func(), err error) {
	unlock, err = r.lock(ctx, wait, who)
	if err != nil {
		return nil, fmt.Errorf("workspace: lock: %w", err)
	}
	return unlock, nil
}

func (r *Root) lock(ctx context.Context, wait time.Duration, who Who) (func(), error) {
	if err := r.ensureOwn(); err != nil {
		return nil, err
	}
	if fi, err := lstat(r.fs, lockFile); err == nil && !fi.Mode().IsRegular() {
		return nil, &NotRegular{lockFile, fi.Mode()} // flock opens by path, past os.Root
	}
	name := filepath.Join(r.dir, filepath.FromSlash(lockFile))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		l := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
		ok, err := l.TryLock()
		if err != nil {
			return nil, plain(err)
		}
		if ok && same(l, name) {
			say(name, who)
			return func() { say(name, Who{}); l.Close() }, nil
		}
		l.Close()
		if !ok || wait > 0 { // a lock on a removed file is tried again at once
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-timer.C:
				return nil, &Busy{heard(name)}
			case <-poll.C:
			}
		}
	}
}

// Holder is who holds the lock now, if somebody does. It waits for nothing and
// changes nothing.
func (r *Root) Holder() (Who, bool) {
	if fi, err := lstat(r.fs, lockFile); err != nil || !fi.Mode().IsRegular() {
		return Who{}, false
	}
	name := filepath.Join(r.dir, filepath.FromSlash(lockFile))
	who := heard(name)
	if who == (Who{}) {
		return Who{}, false // nobody, or somebody who has only just come
	}
	// The name may be that of a process that died: the kernel knows.
	l := flock.New(name, flock.SetFlag(os.O_RDONLY))
	ok, err := l.TryRLock()
	l.Close()
	return who, err == nil && !ok
}

// same reports whether the locked file is still the one with that name; if
// someone removed .imgbuild meanwhile, the lock protects nothing.
func same(l *flock.Flock, name string) bool {
	a, err1 := l.Stat()
	b, err2 := os.Stat(name)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// say writes the holder into the lock file, from the second byte on: Windows
// locks the first one against reading. It only helps the message of Busy.
func say(name string, who Who) {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	f.Truncate(1)
	if who != (Who{}) {
		b, _ := json.Marshal(who)
		f.WriteAt(b, 1)
	}
}

func heard(name string) (who Who) {
	f, err := os.Open(name)
	if err != nil {
		return Who{}
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 1, 4096))
	if err != nil || json.Unmarshal(b, &who) != nil {
		return Who{}
	}
	return who
}
