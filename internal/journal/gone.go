package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/imgbuild/imgbuild/internal/workspace"
)

// Marker is a file beside the folder of a journal. It says that there is one.
const Marker = "has-journal"

const markerText = "The folder journal beside this file knows what was paid for and not stored yet.\nIf it goes missing, imgbuild doctor tells what to do.\n"

// gone stands for all that a journal knew which is not there any more.
var gone = Record{Type: TypeInDoubt, Attempt: "journal-is-gone", Reason: "the journal that knew what it was for is gone"}

// Mark makes the journal's first record durable and then its marker, in the
// folder that holds the journal's. From then on a journal without any record is
// one that was lost. It costs something only once.
func (j *Journal) Mark(beside workspace.FS) error {
	if marked, err := isMarked(beside); marked || err != nil {
		return err
	}
	j.commit.Lock()
	defer j.commit.Unlock()
	err := j.err
	if err == nil && j.next.seq == 1 {
		if err = j.fs.MkdirAll(".", 0o777); err == nil {
			err = j.replace(nil, nil)
		}
	}
	if err == nil {
		err = writeMarker(beside)
	}
	if err != nil {
		return fmt.Errorf("journal: mark: %w", err)
	}
	return nil
}

func writeMarker(beside workspace.FS) error {
	f, err := beside.OpenFile(Marker, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(markerText)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return workspace.SyncDir(beside, ".")
}

func isMarked(beside workspace.FS) (bool, error) {
	f, err := beside.Open(Marker)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("journal: %w", err)
	}
	return true, f.Close()
}

// Gone reports whether a journal was marked and has no record any more. It
// changes nothing.
func Gone(beside, f workspace.FS) (bool, error) {
	if marked, err := isMarked(beside); !marked || err != nil {
		return false, err
	}
	segments, err := load(f)
	if err != nil {
		return false, fmt.Errorf("journal: %w", err)
	}
	h, err := read(segments)
	return err == nil && len(h.entries) == 0, nil // damage is told by those who read it
}

// Bereave adds to what was read of a journal that is gone an attempt which
// stands for those that it knew: it has no request, and is in doubt.
func (s *State) Bereave() {
	f := newFolder()
	f.add(gone)
	s.Attempts = append(s.Attempts, f.state.Attempts...)
}

// Bereave begins a journal that is gone anew, with what State.Bereave adds.
func (j *Journal) Bereave() error { return j.Append(gone) }
