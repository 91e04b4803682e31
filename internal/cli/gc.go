package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/store"
)

func gcVerb() verb {
	var dry bool
	var wait time.Duration
	return verb{
		name: "gc", short: "remove from the local store what nothing needs any more",
		help: `
  imgbuild gc -dry-run
  imgbuild gc

Keeps every candidate that the lock records, everything that the journal
still needs and every picture that was ever imported. What it removes was paid
for: a prompt that is changed back later must then be bought again. A saved plan
may lie anywhere, so gc knows of none: one that brings back what only the store
knows can't be carried out any more, and buys nothing instead. A second tier is
never touched, and gc removes nothing while lock, journal or the record of a
purchase can't be read, or while the store has pictures and there is no lock.
`,
		flags: []urfave.Flag{
			&urfave.BoolFlag{Name: "dry-run", Usage: "only say what would be removed", Destination: &dry},
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another imgbuild to finish, such as 30s", Destination: &wait},
		},
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error { return runGC(ctx, env, dry, wait) },
	}
}

func runGC(ctx context.Context, env *Env, dry bool, wait time.Duration) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	unlock, err := s.lockWorkspace(ctx, "gc", wait)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := s.readLock()
	if err != nil {
		return err
	}
	if err := s.tell(l); err != nil {
		return err
	}
	s.openStore()
	state, err := journal.Read(s.out.FS(journalDir))
	if err != nil {
		return err
	}
	s.tellUnfinished(state.Attempts)
	contents, requests := needed(s, state.Attempts)
	local := s.store.Local
	if err := imported(local, contents, requests); err != nil {
		return err
	}
	// Nothing is removed before all is known.
	var blobs []digest.Content
	var size int64
	for blob, err := range local.Blobs() {
		if err != nil {
			return err
		}
		if !contents[blob.Content] {
			blobs, size = append(blobs, blob.Content), size+blob.Bytes
		}
	}
	known := 0
	var records []digest.Request
	for r, err := range local.Requests() {
		if err != nil {
			return err
		}
		known++
		if !requests[r] {
			records = append(records, r)
		}
	}
	if s.locked.IsZero() && len(blobs)+len(records) > 0 {
		return fail(missingLockHint, "%s; nothing was removed", missingLock(known))
	}
	if !dry {
		for _, c := range blobs {
			if err := local.Remove(c); err != nil {
				return err
			}
		}
		for _, r := range records {
			if err := local.RemoveRequest(r); err != nil {
				return err
			}
		}
		if err := local.Sweep(); err != nil {
			return err
		}
	}
	verb := "Removed"
	if dry {
		verb = "Would remove"
	}
	fmt.Fprintf(env.Stdout, "%s %d %s, %.1f MB.\n", verb, len(blobs), noun(len(blobs), "picture", "pictures"), float64(size)/1e6)
	return nil
}

// needed is what the lock and the journal name.
func needed(s *session, attempts []journal.Attempt) (map[digest.Content]bool, map[digest.Request]bool) {
	contents, requests := map[digest.Content]bool{}, map[digest.Request]bool{}
	for i := range s.lock.Entries {
		e := &s.lock.Entries[i]
		requests[e.Request] = true
		for _, c := range e.Candidates {
			contents[c.Content] = true
		}
		for _, r := range e.Refused {
			requests[r.Request] = true
			if r.Reason != lock.Unfit {
				continue
			}
			// Another postcondition may take what this one refused.
			rolls, _ := s.store.Local.Bought(r.Request)
			for _, roll := range rolls {
				contents[roll.Image.Content] = true
			}
		}
	}
	for i := range attempts {
		requests[attempts[i].Request] = true
		for _, d := range attempts[i].Deliveries {
			contents[d.Content] = true
		}
	}
	return contents, requests
}

// imported adds the pictures that somebody made: the store may have the only
// copy, and nobody sells another.
func imported(local *store.Dir, contents map[digest.Content]bool, requests map[digest.Request]bool) error {
	for r, err := range local.Requests() {
		if err != nil {
			return err
		}
		rolls, err := local.Bought(r)
		var damage *store.Corrupt
		if errors.As(err, &damage) {
			return fail(repairHint,
				storeDir+"/%w, so it can't be told whether it holds an imported picture", damage)
		}
		if err != nil {
			return err
		}
		for _, roll := range rolls {
			if roll.Image.Model == plan.ImportedModel {
				contents[roll.Image.Content], requests[r] = true, true
			}
		}
	}
	return nil
}
