package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func restoreVerb() verb {
	f := applyFlags{}
	f.parallelism = 8
	return verb{
		name: "restore", short: "put back files from the store, free", args: "[PATTERN...]",
		help: `
  imgbuild restore
  imgbuild restore image.hero
  imgbuild restore tag:landing
  imgbuild restore 'static/img/*'

Writes files that are missing or whose size, crop or format changed. Buys
nothing, needs no key and no network, and never touches a file that somebody
changed.
`,
		codes: []int{exitCheck, exitFailed},
		bad:   func(int) bool { return false },
		flags: append([]urfave.Flag{
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another imgbuild to finish, such as 30s", Destination: &f.wait},
		}, f.projectFlags.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			f.grace = time.Minute
			return runRestore(ctx, env, &f, c.Args().Slice())
		},
	}
}

func runRestore(ctx context.Context, env *Env, f *applyFlags, wanted []string) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, sig := signals(ctx, f.grace)
	defer sig.done()
	unlock, err := s.lockWorkspace(ctx, "restore", f.wait)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.prepare(ctx, &f.projectFlags); err != nil {
		return err
	}
	f.offline = true
	e, closeJournal, err := s.engine(ctx, f)
	if err != nil {
		return err
	}
	defer closeJournal()
	f.pending = e.Open
	p, err := s.planned(ctx, f.planOptions)
	if err != nil {
		return err
	}
	left, err := s.keepFree(p, wanted)
	if err != nil {
		return err
	}
	if p.Changes() {
		report.Plan(env.Stdout, p, s.reportOptions())
	} else {
		fmt.Fprintln(env.Stdout, "Nothing to restore.")
	}
	if err := s.carryOut(ctx, f, e, p, sig); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(env.Stderr, "%d %s not restored; imgbuild plan says why.\n", left, noun(left, "image was", "images were"))
		return exit(exitCheck)
	}
	return nil
}

// keepFree leaves in a plan only steps that put files of wanted images in place
// for free, and counts the wanted images that it left out.
func (s *session) keepFree(p *plan.Plan, wanted []string) (left int, err error) {
	meant, err := s.meantImages(wanted)
	if err != nil {
		return 0, err
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool {
		if len(wanted) > 0 && !meant[s.Address] {
			return true
		}
		if s.Verb == plan.Restore || s.Verb == plan.Render || s.Verb == plan.Move {
			return false
		}
		if s.Verb != plan.Delete && s.Verb != plan.Forget {
			left++
		}
		return true
	})
	p.Recount()
	return left, nil
}

// meantImages are the images that patterns name; each must name one.
func (s *session) meantImages(patterns []string) (map[spec.Address]bool, error) {
	meant := map[spec.Address]bool{}
	for _, w := range patterns {
		any := false
		for i := range s.project.Images {
			im := &s.project.Images[i]
			if plan.MatchImage(w, im) {
				meant[im.Address], any = true, true
			}
		}
		if !any {
			return nil, fail(cmp.Or(s.meant(w), "imgbuild graph lists the images; * stands for any run of characters"), "%s matches no image and no file of one", w)
		}
	}
	return meant, nil
}
