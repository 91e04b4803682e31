package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/revision"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

func diffVerb() verb {
	var f projectFlags
	var asJSON bool
	var md markdownFlags
	return verb{
		name: "diff", short: "compare with a commit: configuration, pictures, money", args: "BASE",
		help: `
  imgbuild diff main
  imgbuild diff HEAD~1
  imgbuild diff -json origin/main
  imgbuild diff -report review.html origin/main
  imgbuild diff -markdown -picture-url 'https://github.com/me/site/blob/{commit}/{path}?raw=true' origin/main

BASE is what git takes for a commit. What the folder has now is compared with it:
for each image what changed in its block, prompts word by word, and which picture
and which files are others; what was paid for that, by the lock; and what a plan
has still to do, with its price. For a pull request, compare with the commit that
it began at: imgbuild diff $(git merge-base origin/main HEAD).

git is asked for objects only: no hook, no filter and no other program of the
repository is started. It needs no key and no network, and changes nothing.
`,
		bad:   func(n int) bool { return n != 1 },
		flags: slices.Concat([]urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON}}, md.flags(), f.flags()),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			if err := reportable(env, md.file); err != nil {
				return err
			}
			cmp, err := s.compare(ctx, &f, c.Args().First())
			if err == nil {
				err = s.report(ctx, &md, cmp)
			}
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return report.ModelJSON(env.Stdout, cmp.model)
			case md.on:
				return md.write(ctx, env, env.Stdout, cmp.model)
			}
			report.ModelText(env.Stdout, cmp.model, s.reportOptions())
			return nil
		},
	}
}

// markdownFlags are those of verbs that report for a pull request.
type markdownFlags struct {
	on      bool
	picture string
	most    int
	file    string // a report besides, in the format that its name ends in
}

func (f *markdownFlags) flags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.BoolFlag{Name: "markdown", Usage: "as Markdown, for a comment on a pull request", Destination: &f.on},
		&urfave.StringFlag{Name: "picture-url", Usage: "with pictures, at this `URL` with {commit} and {path} in it", Destination: &f.picture},
		&urfave.IntFlag{Name: "max-bytes", Usage: "of the Markdown, at most `N`", Value: report.MostMarkdown, Destination: &f.most},
		reportFlag(&f.file),
	}
}

// write writes Markdown. The new pictures are those of the commit that is
// checked out.
func (f *markdownFlags) write(ctx context.Context, env *Env, w io.Writer, m *report.Model) error {
	o := report.MarkdownOptions{Most: f.most, Picture: f.picture}
	if f.picture != "" {
		head, err := revision.Commit(ctx, env.Getenv, env.Dir, "HEAD")
		if err != nil {
			return err
		}
		o.Head = head
	}
	return report.Markdown(w, m, o)
}

// comparison is the folder as it is beside a commit.
type comparison struct {
	model *report.Model
	head  report.State
	base  report.State
	tree  *revision.Tree // of the base; nil if there is none
}

// compare compares the folder as it is with a commit, or with itself if ref is
// "": then the model is that of the plan.
func (s *session) compare(ctx context.Context, f *projectFlags, ref string) (*comparison, error) {
	if err := s.prepare(ctx, f); err != nil {
		return nil, err
	}
	var o planOptions
	if err := s.readJournal(&o); err != nil {
		return nil, err
	}
	p, err := s.planned(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &comparison{head: report.State{Images: s.project.Images, Lock: s.lock}}
	if ref == "" {
		c.model = report.Planned(p, c.head)
		return c, nil
	}
	if c.base, c.tree, err = s.before(ctx, f, ref); err != nil {
		return nil, err
	}
	moved := map[spec.Address][]spec.Address{}
	for _, m := range s.project.Moved {
		moved[m.To] = append(moved[m.To], m.From)
	}
	c.model = report.Compare(c.base, c.head, p, moved)
	return c, nil
}

// before is the project as a commit has it. A configuration with errors is told
// and left out; a lock with errors is one.
func (s *session) before(ctx context.Context, f *projectFlags, ref string) (state report.State, tree *revision.Tree, err error) {
	tree, err = revision.Open(ctx, s.env.Getenv, s.env.Dir, ref)
	var unknown *revision.Unknown
	switch {
	case errors.As(err, &unknown):
		return state, nil, fail("git fetch, or name a branch, a tag or a commit that is here", "%s", diag.Clean(err.Error()))
	case err != nil:
		return state, tree, err
	}
	ours := func(name string) bool {
		base := path.Base(name)
		return base == lock.File || strings.Contains(base, ".img.") || strings.Contains(base, ".imgvars")
	}
	if err := tree.Fetch(ours); err != nil {
		return state, tree, err
	}
	env := *s.env
	env.Open = func(dir string) (*workspace.Root, error) { return workspace.OpenRead(dir, fs.FS(tree)) }
	old, err := openSession(&env)
	if err != nil {
		return state, tree, err
	}
	defer old.close()
	state = report.State{Name: ref, Commit: tree.Commit, Lock: &lock.Lock{}}
	flags := *f
	flags.noCache = true
	l := old.load(&flags)
	if old.project != nil && !l.HasErrors() {
		state.Images = old.project.Images
		if state.Images == nil {
			state.Images = []spec.Image{}
		}
	}
	for _, e := range l {
		if e.Severity == diag.Error && len(tree.Names()) > 0 {
			warning := diag.Finding{Severity: diag.Warning, Code: "IB0515", Text: "the configuration of " + ref + " has errors, and only its lock is compared: " + e.Text}
			if err := s.tell(diag.List{warning}); err != nil {
				return state, tree, err
			}
			break
		}
	}
	more, err := old.readLock()
	if err == nil {
		err = s.tell(more)
	}
	if old.lock != nil {
		state.Lock = old.lock
	}
	return state, tree, err
}
