package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func reportFlag(to *string) urfave.Flag {
	return &urfave.StringFlag{Name: "report", Usage: "write a report into `FILE` besides: .html, .md or .json", Destination: to}
}

// reportMarks are at the beginning of reports that may be replaced, by the end
// of their names.
var reportMarks = map[string]string{".html": report.PageMark, ".md": "<!-- imgbuild ", ".json": versionMark}

// reportable reports why a report can't be written into a file, before anything
// is done of which it would tell.
func reportable(env *Env, name string) error {
	if name == "" {
		return nil
	}
	mark, ok := reportMarks[strings.ToLower(filepath.Ext(name))]
	if !ok {
		return fail("call it report.html, report.md or report.json", "-report: %q does not say what to write", name)
	}
	return replaceable(join(env.Dir, name), mark, "report")
}

// report writes a report into the file that a flag names, if it names one.
func (s *session) report(ctx context.Context, f *markdownFlags, c *comparison) error {
	if f.file == "" {
		return nil
	}
	ext := strings.ToLower(filepath.Ext(f.file))
	var b bytes.Buffer
	var err error
	switch ext {
	case ".html":
		sheet, pictures, err := s.sheetOf(c, nil)
		if err != nil {
			return err
		}
		sheet.Cards = slices.DeleteFunc(sheet.Cards, func(c report.Card) bool {
			return c.State == report.CardUnchanged || c.State == report.CardOpen
		})
		return s.writeHTML(f.file, sheet, pictures)
	case ".md":
		err = f.write(ctx, s.env, &b, c.model)
	default:
		err = report.ModelJSON(&b, c.model)
	}
	if err != nil {
		return err
	}
	return writeFile(join(s.env.Dir, f.file), b.Bytes(), reportMarks[ext], "report")
}

// reportApplied writes the report of an apply that has ended.
func (s *session) reportApplied(ctx context.Context, f *applyFlags, before *lock.Lock, ended map[spec.Address]report.Outcome) error {
	if f.report == "" {
		return nil
	}
	quiet := *s.env
	quiet.Stderr = new(bytes.Buffer) // what there is to tell was told
	after, err := openSession(&quiet)
	if err != nil {
		return err
	}
	defer after.close()
	if err := after.prepare(ctx, &f.projectFlags); err != nil {
		return err
	}
	var o planOptions
	if err := after.readJournal(&o); err != nil {
		return err
	}
	p, err := after.planned(ctx, o)
	if err != nil {
		return err
	}
	after.env = s.env
	c := &comparison{head: report.State{Images: after.project.Images, Lock: after.lock}, base: report.State{Lock: before}}
	c.model = report.Applied(before, c.head, p, ended)
	return after.report(ctx, &markdownFlags{file: f.report}, c)
}
