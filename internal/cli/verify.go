package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func verifyVerb() verb {
	var f projectFlags
	var asJSON, approved bool
	var site string
	return verb{
		name: "verify", short: "check that configuration, lock and files agree",
		help: `
  imgbuild verify
  imgbuild verify -json
  imgbuild verify -approved
  imgbuild verify -site public

For CI: needs no key and no network, changes nothing, hashes every file. A manifest
that is old does not agree either.

With -approved the picture in use of each image must also be approved: see imgbuild
help approve. An approval of another picture, or of what was bought before, is none.

With -site it looks at a built site instead: for each picture of the project that
a page or a style sheet shows, is there still a label that says how it was made,
in the page, in XMP or as Content Credentials (C2PA)? And is each file there that
a page names, also as an icon or a card for previews? What was looked for and what
counts is told under Labels in docs/reference.md.
`,
		codes: []int{exitCheck},
		flags: append([]urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "the differences as the JSON of a plan, or the pictures of the site", Destination: &asJSON},
			&urfave.BoolFlag{Name: "approved", Usage: "each picture must be approved, too", Destination: &approved},
			&urfave.StringFlag{Name: "site", Usage: "look for labels, and for pictures that are not there, in the built site in `DIR`", Destination: &site}}, f.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			if approved && site != "" {
				return usage(env, "-approved looks at the project, and -site at a built site: run verify twice")
			}
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			f.noCache = true
			if err := s.prepare(ctx, &f); err != nil {
				return err
			}
			if site != "" {
				return s.runVerifySite(ctx, site, asJSON)
			}
			o := planOptions{verify: true, looks: true}
			if err := s.readJournal(&o); err != nil {
				return err
			}
			p, err := s.planned(ctx, o)
			if err != nil {
				return err
			}
			var open diag.List
			if approved {
				open = s.unapproved(p)
			}
			switch {
			case asJSON && approved:
				err = writeJSON(env.Stdout, verified{p, open})
			case asJSON:
				err = report.PlanJSON(env.Stdout, p)
			default:
				s.tellVerified(p, open, approved)
			}
			if err == nil && len(p.Steps)+len(p.Manifests)+len(open) > 0 {
				err = exit(exitCheck)
			}
			return err
		},
	}
}

// verified is what verify -approved -json writes.
type verified struct {
	*plan.Plan
	Findings diag.List `json:"diagnostics"`
}

func (s *session) tellVerified(p *plan.Plan, open diag.List, approved bool) {
	c := palette(s.env, s.env.Stdout)
	if len(p.Steps)+len(p.Manifests)+len(open) == 0 {
		report.Keys(s.env.Stdout, p.Keys, s.reportOptions())
		more := ""
		if approved {
			more = ", and each picture is approved"
		}
		fmt.Fprintf(s.env.Stdout, "%s configuration, lock and files agree on %d %s%s.\n", c.Green("Verified:"), p.Unchanged, noun(p.Unchanged, "image", "images"), more)
		return
	}
	var what []string
	mend := "To look at them: imgbuild approve -all"
	if n := len(p.Steps) + len(p.Manifests); n > 0 {
		report.Plan(s.env.Stdout, p, s.reportOptions())
		mend = "To mend it: imgbuild apply"
		if resumed := func(s plan.Step) bool { return s.Verb == plan.Resume }; !p.Changes() && !slices.ContainsFunc(p.Steps, resumed) {
			mend = "Apply can't mend this: see what each one needs"
		}
	} else {
		report.Keys(s.env.Stdout, p.Keys, s.reportOptions())
	}
	open.Text(s.env.Stdout, s.shown, c)
	if n := len(p.Steps); n > 0 {
		what = append(what, fmt.Sprintf("%d %s with the configuration", n, noun(n, "image does not agree", "images do not agree")))
	}
	if n := len(p.Manifests); n > 0 {
		what = append(what, fmt.Sprintf("%d %s", n, noun(n, "manifest is old", "manifests are old")))
	}
	if n := len(open); n > 0 {
		what = append(what, fmt.Sprintf("%d %s not approved", n, noun(n, "picture is", "pictures are")))
	}
	fmt.Fprintf(s.env.Stdout, "%s %s. %s\n", c.Red("Not verified:"), strings.Join(what, ", "), mend)
}

func showVerb() verb {
	var f projectFlags
	var asJSON, mask bool
	return verb{
		name: "show", short: "show what the lock records, a saved plan, or the mask of an edit", args: "[ADDRESS | PLAN]",
		help: `
  imgbuild show
  imgbuild show image.hero
  imgbuild show plan.json
  imgbuild show -json
  imgbuild show -mask image.hero_night

With -mask it writes a PNG of the picture that the image edits, with a hole where
its mask lets it change, and prints the path. Only then it reads the configuration.
`,
		bad: func(n int) bool { return n > 1 },
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON},
			&urfave.BoolFlag{Name: "mask", Usage: "write the mask of an image, for a look", Destination: &mask},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			if mask {
				return runShowMask(ctx, env, &f, address(c.Args().First()))
			}
			return runShow(env, c.Args().First(), asJSON)
		},
	}
}

func runShow(env *Env, what string, asJSON bool) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	l, err := s.readLock()
	if err != nil {
		return err
	}
	if err := s.tell(l); err != nil {
		return err
	}
	if what != "" && s.lock.Get(address(what)) == nil {
		if p, ok := s.planFile(what); ok {
			if asJSON {
				return report.PlanJSON(env.Stdout, p)
			}
			report.Plan(env.Stdout, p, s.reportOptions())
			if p.Summary.Price > 0 {
				fmt.Fprintln(env.Stderr, "\nPrices are what the file says; apply reckons anew what each image costs, and holds its budgets against that.")
			}
			return nil
		}
		return s.noSuchImage(what)
	}
	shown := []report.Recorded{}
	for i := range s.lock.Entries {
		if e := &s.lock.Entries[i]; what == "" || e.Address == address(what) {
			shown = append(shown, report.Record(e))
			s.readLabels(shown[len(shown)-1].Outputs)
		}
	}
	if asJSON {
		return writeJSON(env.Stdout, struct {
			FormatVersion string            `json:"format_version"`
			Images        []report.Recorded `json:"images"`
		}{"1.0", shown})
	}
	if len(shown) == 0 {
		fmt.Fprintln(env.Stdout, "Nothing was made yet.")
		return nil
	}
	report.Records(env.Stdout, shown, s.reportOptions())
	return nil
}

// readLabels tells what the files that are there say of themselves.
func (s *session) readLabels(outputs []report.RecordedOutput) {
	for i := range outputs {
		_ = s.out.Peek(outputs[i].Path, func(r io.ReaderAt, size int64) { // one that is not there has none
			m := imaging.ReadMarks(r, size)
			outputs[i].Label = &report.RecordedLabel{SourceType: m.Label.SourceType, Credit: m.Label.Credit, License: m.Label.License, Alt: m.Label.Alt, Caption: m.Label.Caption, C2PA: m.C2PA}
		})
	}
}

// noSuchImage says that an address is unknown, with the nearest that is known.
func (s *session) noSuchImage(name string) error {
	return fail(cmp.Or(s.meant(name), "imgbuild graph lists the images"), "there is no image %s", diag.Clean(name))
}

// meant is the hint for an address or a pattern that fits no image, or "".
func (s *session) meant(name string) string {
	var names []string
	known := func(a spec.Address) {
		names = append(names, string(a))
		if of, _, keyed := strings.Cut(string(a), "["); keyed {
			names = append(names, of) // all instances
		}
	}
	if s.lock != nil {
		for i := range s.lock.Entries {
			known(s.lock.Entries[i].Address)
		}
	}
	if s.project != nil {
		for i := range s.project.Images {
			known(s.project.Images[i].Address)
		}
	}
	best := "image." + name
	if !slices.Contains(names, best) {
		best = nearest(name, names)
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}
