package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lint"
)

type lintFlags struct {
	projectFlags
	json, sarif, fix, diff, baseline bool
}

func lintVerb() verb {
	f := lintFlags{projectFlags: projectFlags{quiet: true}}
	return verb{
		name: "lint", short: "advise on prompts, alt texts, models and files",
		help: `
  imgbuild lint
  imgbuild lint -json
  imgbuild lint -sarif > lint.sarif
  imgbuild lint -fix -diff
  imgbuild lint -write-baseline

Needs no key and no network, and starts no program. Errors make it end with 3;
warnings and advice do not. The lint block of imgbuild { } turns rules off or makes
them stricter, and names the baseline: findings that are not told. A comment

  # imgbuild:ignore IB1013 the client wants it so

on the line before an attribute or a block, or behind it, ignores a rule there.
imgbuild explain IB1013 says what a rule is about. -fix never changes a prompt that
was paid for: its next apply would buy again.
`,
		codes: []int{exitCheck},
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "findings as JSON", Destination: &f.json},
			&urfave.BoolFlag{Name: "sarif", Usage: "findings as SARIF 2.1.0, for code scanning", Destination: &f.sarif},
			&urfave.BoolFlag{Name: "fix", Usage: "mend what can be mended, and print the names of the files", Destination: &f.fix},
			&urfave.BoolFlag{Name: "diff", Usage: "with -fix: print what would change, and change nothing", Destination: &f.diff},
			&urfave.BoolFlag{Name: "write-baseline", Usage: "write all findings into the baseline", Destination: &f.baseline},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			switch {
			case f.diff && !f.fix:
				return usage(env, "-diff shows what -fix would change: imgbuild lint -fix -diff")
			case f.fix && (f.json || f.sarif || f.baseline) || f.json && f.sarif || f.baseline && (f.json || f.sarif):
				return usage(env, "-json, -sarif, -fix and -write-baseline exclude each other")
			}
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			return s.lint(&f)
		},
	}
}

func (s *session) lint(f *lintFlags) error {
	l := s.load(&f.projectFlags)
	if s.project == nil {
		return s.tellAs(l, f)
	}
	more, err := s.readLock()
	if err != nil {
		return err
	}
	l = append(append(l, more...), lint.Check(s.project, s.root)...)
	baseline, more, err := s.readBaseline(f.baseline)
	if err != nil {
		return err
	}
	if l = append(l, more...); l.HasErrors() {
		return s.tellAs(l, f)
	}
	result := lint.Run(lint.Input{
		Project: s.project, Source: s.root, Offer: s.offer, Lock: s.lock, Today: s.env.Now().Format(time.DateOnly), Baseline: baseline,
	})
	switch {
	case f.baseline:
		return s.writeBaseline(result)
	case f.fix:
		return s.fixLint(result, f.diff)
	}
	l = append(l, result.List()...)
	if f.json || f.sarif {
		err = s.tellAs(l, f)
	} else {
		s.tellLint(l)
		s.tellLinted(l, result)
	}
	if err == nil && l.HasErrors() {
		return exit(exitCheck)
	}
	return err
}

// tellAs writes findings as the flags say; text is for those that stop all else.
func (s *session) tellAs(l diag.List, f *lintFlags) error {
	switch {
	case f.json:
		if err := l.JSON(s.env.Stdout); err != nil {
			return err
		}
	case f.sarif:
		if err := l.SARIF(s.env.Stdout, Version, meaning); err != nil {
			return err
		}
	default:
		return s.tell(l)
	}
	if slices.ContainsFunc(l, func(f diag.Finding) bool { return f.Severity == diag.Error && lint.Lookup(f.Code) == nil }) {
		return exit(exitError)
	}
	return nil
}

// tellLint writes the findings as text, advice last.
func (s *session) tellLint(l diag.List) {
	advice := func(f diag.Finding) bool { return f.Severity == diag.Info }
	graver := slices.DeleteFunc(slices.Clone(l), advice)
	lesser := slices.DeleteFunc(slices.Clone(l), func(f diag.Finding) bool { return !advice(f) })
	graver.Text(s.env.Stdout, s.shown, palette(s.env, s.env.Stdout))
	if len(graver) > 0 && len(lesser) > 0 {
		fmt.Fprintln(s.env.Stdout)
	}
	lesser.Text(s.env.Stdout, s.shown, palette(s.env, s.env.Stdout))
}

// tellLinted ends the text with what there was.
func (s *session) tellLinted(l diag.List, r *lint.Result) {
	count := map[diag.Severity]int{}
	for _, f := range l.Sorted() {
		count[f.Severity]++
	}
	c := palette(s.env, s.env.Stdout)
	images := fmt.Sprintf("%d %s", len(s.project.Images), noun(len(s.project.Images), "image", "images"))
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{{count[diag.Error], "error", "errors"}, {count[diag.Warning], "warning", "warnings"}, {count[diag.Info], "piece of advice", "pieces of advice"},
		{r.Ignored, "ignored by a comment", "ignored by comments"}, {r.Baselined, "in the baseline", "in the baseline"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, noun(p.n, p.one, p.many)))
		}
	}
	if len(l) > 0 {
		fmt.Fprintln(s.env.Stdout)
	}
	head := c.Green("Clean:")
	switch {
	case count[diag.Error] > 0:
		head = c.Red("Lint:")
	case len(l) > 0:
		head = c.Yellow("Lint:")
	}
	if len(parts) > 0 {
		images += ": " + strings.Join(parts, ", ")
	}
	more := ""
	if i := slices.IndexFunc([]diag.Severity{diag.Error, diag.Warning, diag.Info}, func(sev diag.Severity) bool { return count[sev] > 0 }); i >= 0 {
		gravest := []diag.Severity{diag.Error, diag.Warning, diag.Info}[i]
		k := slices.IndexFunc(l.Sorted(), func(f diag.Finding) bool { return f.Severity == gravest })
		more = " imgbuild explain " + l.Sorted()[k].Code + " says more."
	}
	fmt.Fprintf(s.env.Stdout, "%s %s.%s\n", head, images, more)
}

// readBaseline reads the baseline that the project names, nil if it has none.
// Anew: it is about to be written, so that what is in it does not matter.
func (s *session) readBaseline(anew bool) (*lint.Baseline, diag.List, error) {
	name := s.project.Settings.Lint.Baseline
	if name == "" || anew {
		return nil, nil, nil
	}
	b, err := s.root.Read(name, maxLock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, diag.List{{Severity: diag.Warning, Code: "IB0806", Text: "imgbuild: lint: there is no file " + name, Hint: "imgbuild lint -write-baseline writes it", Range: s.project.LintAt(s.root, "baseline")}}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	baseline, l := lint.ParseBaseline(name, b)
	return baseline, l, nil
}

func (s *session) writeBaseline(r *lint.Result) error {
	name := s.project.Settings.Lint.Baseline
	if name == "" {
		return fail("write into the imgbuild block: lint { baseline = \"lint-baseline.json\" }", "the project names no baseline")
	}
	old, err := s.root.Read(name, maxLock)
	expect := digest.OfContent(old)
	if errors.Is(err, fs.ErrNotExist) {
		expect = digest.Content{}
	} else if err != nil {
		return err
	} else if _, l := lint.ParseBaseline(name, old); l.HasErrors() {
		return fail("move it away, or name another file in lint { baseline }", "%s is there, and is no baseline", name)
	}
	b, n := lint.WriteBaseline(r.Found)
	if !bytes.Equal(old, b) {
		if _, err := s.root.Write(name, func(w io.Writer) error { _, err := w.Write(b); return err }, expect); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.env.Stdout, "%s: %d %s, which imgbuild lint does not tell any more. Commit it.\n", name, n, noun(n, "finding", "findings"))
	return nil
}

// fixLint mends what can be mended.
func (s *session) fixLint(r *lint.Result, onlyShow bool) error {
	fixes := r.Fixes(s.project, s.root, s.lock)
	files := slices.Sorted(maps.Keys(fixes.Edits))
	fixes.Left.Text(s.env.Stderr, s.shown, palette(s.env, s.env.Stderr)) // before places move
	n := 0
	for _, name := range files {
		src, err := s.root.Read(name, maxSource)
		if err != nil {
			return err
		}
		out, l := config.Splice(name, src, fixes.Edits[name])
		if len(l) > 0 {
			if err := s.tell(l); err != nil {
				return err
			}
			continue
		}
		n += len(fixes.Edits[name])
		if onlyShow {
			printDiff(s.env.Stdout, s.root, name, src, out, s.project)
			continue
		}
		if _, err := s.root.Write(name, func(w io.Writer) error { _, err := w.Write(out); return err }, digest.OfContent(src)); err != nil {
			return err
		}
		fmt.Fprintf(s.env.Stdout, "%s: %d %s mended\n", diag.Clean(name), len(fixes.Edits[name]), noun(len(fixes.Edits[name]), "text", "texts"))
	}
	if n == 0 && len(fixes.Left) == 0 {
		fmt.Fprintln(s.env.Stdout, "There is nothing to mend.")
	}
	return nil
}
