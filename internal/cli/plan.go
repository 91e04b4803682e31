package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/report"
)

type planFlags struct {
	projectFlags
	planOptions
	out      string
	generate string
	json     bool
	detailed bool
	markdown markdownFlags
}

func planVerb() verb {
	var f planFlags
	return verb{
		name: "plan", short: "show what would be made, why, and what it would cost",
		help: `
  imgbuild plan
  imgbuild plan -out=plan.json && imgbuild apply plan.json
  imgbuild plan -replace='image.post["solstice"]'
  imgbuild plan -detailed-exitcode -json
  imgbuild plan -report plan.html
  imgbuild plan -generate-config-out=imported.img.hcl

Needs no key and no network, and starts no program.
` + patterns,
		codes: []int{exitChanges},
		flags: slices.Concat([]urfave.Flag{
			&urfave.StringFlag{Name: "out", Usage: "save the plan as JSON in `FILE`, for apply", Destination: &f.out},
			&urfave.StringFlag{Name: "generate-config-out", Usage: "write blocks into the new `FILE.img.hcl` for images that imports name and that are not declared", Destination: &f.generate},
			&urfave.BoolFlag{Name: "json", Usage: "write the plan as JSON to standard output", Destination: &f.json},
			&urfave.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 if something is to be done or is held back (refused, in doubt, missing, in conflict)", Destination: &f.detailed},
			&urfave.BoolFlag{Name: "destroy", Usage: "plan to delete all files that imgbuild made", Destination: &f.destroy},
			&urfave.BoolFlag{Name: "draft", Usage: "plan to sketch everything into .imgbuild/draft, offline and free", Destination: &f.draft},
			&urfave.BoolFlag{Name: "verify", Usage: "hash the files instead of trusting their size and time", Destination: &f.verify},
			&urfave.BoolFlag{Name: "retry-refused", Usage: "plan to buy again what was paid for and refused", Destination: &f.retryRefused},
			&urfave.BoolFlag{Name: "retry-in-doubt", Usage: "plan to send again what was sent and not answered", Destination: &f.retryDoubt},
		}, f.markdown.flags(), selectFlags(&f.sel), f.projectFlags.flags()),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error { return runPlan(ctx, env, &f) },
	}
}

func runPlan(ctx context.Context, env *Env, f *planFlags) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	if f.generate != "" {
		if err := s.generate(&f.projectFlags, f.generate); err != nil {
			return err
		}
	}
	f.leaving = f.destroy
	if err := reportable(env, f.markdown.file); err != nil {
		return err
	}
	if err := s.prepare(ctx, &f.projectFlags); err != nil {
		return err
	}
	if err := s.readJournal(&f.planOptions); err != nil {
		return err
	}
	p, err := s.planned(ctx, f.planOptions)
	if err != nil {
		return err
	}
	s.tellLoopback()
	protected := s.protections(p)
	if f.out != "" || f.json {
		p.Config = digest.OfContent(s.project.Encode())
	}
	if f.out != "" && len(protected) == 0 {
		if err := writePlan(env, f.out, p); err != nil {
			return err
		}
	}
	c := &comparison{head: report.State{Images: s.project.Images, Lock: s.lock}}
	c.model = report.Planned(p, c.head)
	if err := s.report(ctx, &f.markdown, c); err != nil {
		return err
	}
	switch {
	case f.json:
		err = report.PlanJSON(env.Stdout, p)
	case f.markdown.on:
		err = f.markdown.write(ctx, env, env.Stdout, c.model)
	default:
		report.Plan(env.Stdout, p, s.reportOptions())
	}
	if err != nil {
		return err
	}
	if err := s.tell(protected); err != nil {
		return err
	}
	if !f.json && !f.markdown.on {
		next(env, f, p)
	}
	// Only what hashing found out is worth keeping; it makes the next plan faster.
	_ = s.out.SaveIndex()
	// What is held back is not as it is wanted either: it needs a decision, apply
	// would end with 4 and verify with 3.
	if f.detailed && len(p.Steps)+len(p.Manifests) > 0 {
		return exit(exitChanges)
	}
	return nil
}

// next names the command that comes next, for people.
func next(env *Env, f *planFlags, p *plan.Plan) {
	if _, ok := terminal(env.Stdout); !ok || !p.Changes() || env.Getenv("IMGBUILD_IN_AUTOMATION") != "" {
		return
	}
	switch {
	case f.out == "" && (f.destroy || f.retryRefused || f.retryDoubt || len(f.vars)+len(f.sel.Target)+len(f.sel.Exclude)+len(f.sel.Replace) > 0):
		fmt.Fprint(env.Stderr, "\nTo carry it out: the same flags with imgbuild apply, or -out=plan.json and imgbuild apply plan.json\n")
	case f.out != "":
		fmt.Fprintf(env.Stderr, "\nTo carry it out: imgbuild apply %s\n", f.out)
	case f.draft:
		fmt.Fprint(env.Stderr, "\nTo carry it out: imgbuild apply -draft\n")
	default:
		fmt.Fprint(env.Stderr, "\nTo carry it out: imgbuild apply\n")
	}
}

func (s *session) reportOptions() report.Options {
	width, _ := terminal(s.env.Stdout)
	return report.Options{Palette: palette(s.env, s.env.Stdout), Width: width, Now: s.env.Now()}
}

// replaceable reports why a file that the user names for output must stay: it
// is there and is nothing that imgbuild wrote for this purpose, with mark at its
// beginning.
func replaceable(name, mark, what string) error {
	if device(name) {
		return nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if n == 0 && err == io.EOF || bytes.Contains(head[:n], []byte(mark)) {
		return nil
	}
	return fail("choose another name, or remove the file", "%s is there and is no %s of imgbuild", name, what)
}

// versionMark stands in all JSON that imgbuild writes.
const versionMark = `"format_version"`

// device reports whether a name is a pipe or a device like /dev/null: that is
// written to, never opened for a look and never replaced by a file.
func device(name string) bool {
	fi, err := os.Stat(name)
	return err == nil && !fi.Mode().IsRegular() && !fi.IsDir()
}

// writePlan writes the plan file whole or not at all.
func writePlan(env *Env, name string, p *plan.Plan) error {
	var b bytes.Buffer
	if err := report.PlanJSON(&b, p); err != nil {
		return err
	}
	return writeFile(join(env.Dir, name), b.Bytes(), versionMark, "plan")
}

func writeFile(name string, b []byte, mark, what string) error {
	if err := replaceable(name, mark, what); err != nil {
		return err
	}
	if device(name) {
		return os.WriteFile(name, b, 0o666)
	}
	temp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".imgbuild-plan-%d", os.Getpid()))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = cmp.Or(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}
