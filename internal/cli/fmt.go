package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
)

func fmtVerb() verb {
	var check, recursive, noWrite, asDiff bool
	return verb{
		name: "fmt", short: "bring *.img.hcl, *.imgtest.hcl and *.imgvars into the canonical layout", args: "[FILE... | -]",
		help: `
  imgbuild fmt
  imgbuild fmt -check -recursive
  imgbuild fmt -diff -list-only
  imgbuild fmt - < site.img.hcl

Prints the names of the files that it changed (with -check: would change).
`,
		codes: []int{exitCheck},
		bad:   func(int) bool { return false },
		flags: []urfave.Flag{
			&urfave.BoolFlag{Name: "check", Usage: "change nothing; exit with 3 if a file is not formatted", Destination: &check},
			&urfave.BoolFlag{Name: "diff", Usage: "print what changes, line by line", Destination: &asDiff},
			&urfave.BoolFlag{Name: "recursive", Usage: "also in folders below", Destination: &recursive},
			&urfave.BoolFlag{Name: "list-only", Usage: "change nothing, only print the names", Destination: &noWrite},
		},
		run: func(_ context.Context, env *Env, c *urfave.Command) error {
			if c.NArg() == 1 && c.Args().First() == "-" {
				src, err := io.ReadAll(io.LimitReader(env.Stdin, maxSource))
				if err != nil {
					return err
				}
				const name = "<stdin>"
				p := &config.Project{}
				p.Mind(nil, name, src)
				out, l := config.Format(name, src)
				if l.HasErrors() {
					p.Conceal(l).Text(env.Stderr, func(string) []byte { return p.Show(name, src) }, palette(env, env.Stderr))
					return exit(exitError)
				}
				if asDiff {
					printDiff(env.Stdout, nil, name, src, out, p)
				} else if !check {
					_, err = env.Stdout.Write(out)
				}
				if err == nil && check && !bytes.Equal(src, out) {
					return exit(exitCheck)
				}
				return err
			}
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			files := c.Args().Slice()
			if len(files) == 0 {
				pattern := "*.{img.hcl,imgtest.hcl,imgvars}"
				if recursive {
					pattern = "**/" + pattern
				}
				if files, err = s.root.Glob("", pattern); err != nil {
					return err
				}
			}
			return s.format(files, check, noWrite, asDiff)
		},
	}
}

// printDiff prints what changes in a file, but for lines that may hold a
// sensitive value. Its lines are foreign text.
func printDiff(w io.Writer, root config.Source, name string, before, after []byte, p *config.Project) {
	before, after = p.ShowAnew(root, name, before), p.ShowAnew(root, name, after)
	for line := range strings.Lines(string(diff.Diff(name, before, name, after))) {
		fmt.Fprintln(w, diag.Clean(strings.TrimSuffix(line, "\n")))
	}
}

func (s *session) format(files []string, check, noWrite, asDiff bool) error {
	var findings diag.List
	unformatted := false
	s.mind(files)
	for _, name := range files {
		name = strings.TrimPrefix(name, "./")
		src, err := s.root.Read(name, maxSource)
		if err != nil {
			return err
		}
		out, l := config.Format(name, src)
		findings = append(findings, l...)
		if l.HasErrors() || bytes.Equal(out, src) {
			continue
		}
		unformatted = true
		if asDiff {
			printDiff(s.env.Stdout, s.root, name, src, out, s.project)
		} else {
			fmt.Fprintln(s.env.Stdout, diag.Clean(name))
		}
		if check || noWrite {
			continue
		}
		if _, err := s.root.Write(name, func(w io.Writer) error { _, err := w.Write(out); return err }, digest.OfContent(src)); err != nil {
			return err
		}
	}
	if err := s.tell(s.project.Conceal(findings)); err != nil {
		return err
	}
	if check && unformatted {
		return exit(exitCheck)
	}
	return nil
}

// mind finds out what of the files, which are not evaluated, must not be shown.
func (s *session) mind(files []string) {
	s.project = &config.Project{}
	all, _ := s.root.Glob("", "*.img.{hcl,json}") // what can't be read is told where it is needed
	all = append(all, files...)
	for _, values := range []bool{false, true} { // files of values come last
		for _, name := range all {
			if src, err := s.root.Read(name, maxSource); err == nil && strings.HasSuffix(name, ".imgvars") == values {
				s.project.Mind(s.root, strings.TrimPrefix(name, "./"), src)
			}
		}
	}
}
