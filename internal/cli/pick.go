package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

type pickFlags struct {
	projectFlags
	json bool
	wait time.Duration
}

func pickVerb() verb {
	var f pickFlags
	return verb{
		name: "pick", short: "choose among the candidates of an image", args: "ADDRESS [NUMBER]",
		help: `
  imgbuild pick image.hero
  imgbuild pick image.hero 2
  imgbuild pick 'image.post["solstice"]' 3

Without a number it lists the candidates. With one it writes pick into the block
of the image, leaving comments and layout as they are; for an image with for_each
the choice stands in imgbuild.lock.json. Nothing is made: it says what the next
apply would do.
`,
		bad: func(n int) bool { return n < 1 || n > 2 },
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &f.json},
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another imgbuild to finish, such as 30s", Destination: &f.wait},
		}, f.projectFlags.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			number := 0
			if s := c.Args().Get(1); s != "" {
				var err error
				if number, err = strconv.Atoi(s); err != nil || number < 1 {
					return usage(env, "%q is not the number of a candidate, such as 2", diag.Clean(s))
				}
			}
			return runPick(ctx, env, &f, address(c.Args().First()), number)
		},
	}
}

// picked is what pick -json writes.
type picked struct {
	FormatVersion string          `json:"format_version"`
	Address       spec.Address    `json:"address"`
	Pick          int             `json:"pick"`
	Was           int             `json:"was,omitempty"`  // before, where it was changed
	File          string          `json:"file,omitempty"` // that was changed
	Candidates    []pickCandidate `json:"candidates"`
	Plan          *plan.Plan      `json:"plan,omitempty"` // what the next apply would do for the image and what is made from it
}

type pickCandidate struct {
	Number int  `json:"number"`
	Picked bool `json:"picked"`
	Held   bool `json:"held"` // the store has it

	Approved bool `json:"approved,omitempty"`
	provider.Image
}

func runPick(ctx context.Context, env *Env, f *pickFlags, a spec.Address, number int) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	unlock := func() {}
	if number > 0 {
		if unlock, err = s.lockWorkspace(ctx, "pick", f.wait); err != nil {
			return err
		}
	}
	out, err := s.pick(ctx, f, a, number)
	unlock()
	if err != nil {
		return err
	}
	if number > 0 {
		if !f.json {
			s.tellPicked(out)
		}
		if out.Plan, err = s.consequences(ctx, f, a); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		return writeJSON(env.Stdout, out)
	case number == 0:
		s.listCandidates(out)
	case len(out.Plan.Steps) > 0:
		fmt.Fprintln(env.Stdout, "The next imgbuild apply would do this:")
		report.Plan(env.Stdout, out.Plan, s.reportOptions())
	}
	return nil
}

// pick finds the candidates of an image and, unless number is 0, writes down
// the choice.
func (s *session) pick(ctx context.Context, f *pickFlags, a spec.Address, number int) (*picked, error) {
	if err := s.prepare(ctx, &f.projectFlags); err != nil {
		return nil, err
	}
	im, err := s.imageOf(a)
	if err != nil {
		return nil, err
	}
	e := s.lock.Get(a)
	if e == nil || len(e.Candidates) == 0 {
		return nil, fail("imgbuild apply -target='"+string(a)+"'", "%s is not made yet, so there is nothing to choose from", a)
	}
	out := &picked{FormatVersion: "1.0", Address: a, Pick: plan.Pick(im, e)}
	if n := len(e.Candidates); number > n {
		return nil, fail("imgbuild pick '"+string(a)+"' lists them; a larger n buys more", "%s has %d %s, and no number %d", a, n, noun(n, "candidate", "candidates"), number)
	}
	if number > 0 && number != out.Pick {
		if out.File, err = s.choose(im, e, number); err != nil {
			return nil, err
		}
		out.Was, out.Pick = out.Pick, number
	}
	for i, c := range e.Candidates {
		out.Candidates = append(out.Candidates, pickCandidate{i + 1, i+1 == out.Pick, s.store.Has(c.Content), e.Approved.Of(&c), c})
	}
	return out, nil
}

// imageOf is an image of the configuration.
func (s *session) imageOf(a spec.Address) (*spec.Image, error) {
	var keys []string
	for i := range s.project.Images {
		im := &s.project.Images[i]
		if im.Address == a {
			return im, nil
		}
		if strings.HasPrefix(string(im.Address), string(a)+"[") {
			keys = append(keys, "'"+string(im.Address)+"'")
		}
	}
	if len(keys) > 0 {
		return nil, fail("name one, such as "+keys[0], "%s has for_each: it is %d %s", a, len(keys), noun(len(keys), "image", "images"))
	}
	return nil, s.noSuchImage(string(a))
}

// choose writes a choice where it belongs, and tells into which file.
func (s *session) choose(im *spec.Image, e *lock.Entry, number int) (string, error) {
	place := s.project.Choice(s.root, im.Address)
	switch {
	case place.Fixed != nil:
		return "", s.tell(diag.List{{Severity: diag.Error, Code: "IB0421", Address: string(im.Address), Range: place.Fixed,
			Text: string(im.Address) + ": the configuration says its pick here, in a way that a command can't change", Hint: fmt.Sprintf("edit it so that it gives %d", number)}})
	case place.File == "":
		changed := *e
		if changed.Pick = number; number == 1 {
			changed.Pick = 0 // which is what the lock says by saying nothing
		}
		s.lock.Set(changed)
		return lock.File, s.saveLock(s.lock)
	case number > im.N:
		return "", s.tell(diag.List{{Severity: diag.Error, Code: "IB0403", Address: string(im.Address), Range: s.project.At(s.root, im.Address, "n"),
			Text: fmt.Sprintf("%s: n is %d, so pick can't be %d", im.Address, im.N, number), Hint: fmt.Sprintf("write n = %d first; that buys nothing, for there are %d already", number, len(e.Candidates))}})
	}
	src, err := s.root.Read(place.File, maxSource)
	if err != nil {
		return "", err
	}
	text, l := config.SetAttribute(place.File, src, string(im.Address), "pick", strconv.Itoa(number), "n")
	if len(l) > 0 {
		return "", s.tell(l)
	}
	_, err = s.root.Write(place.File, func(w io.Writer) error { _, err := w.Write(text); return err }, digest.OfContent(src))
	var conflict *workspace.Conflict
	if errors.As(err, &conflict) {
		return "", fail("do it again, or write pick = "+strconv.Itoa(number)+" by hand", "%s; nothing was written", conflict)
	}
	return place.File, err
}

func (s *session) tellPicked(p *picked) {
	w := s.env.Stdout
	if p.File == "" {
		fmt.Fprintf(w, "%s: candidate %d is picked already.\n", diag.Clean(string(p.Address)), p.Pick)
		return
	}
	fmt.Fprintf(w, "%s: picks candidate %d instead of %d, in %s.\n", diag.Clean(string(p.Address)), p.Pick, p.Was, diag.Clean(p.File))
}

func (s *session) listCandidates(p *picked) {
	w, c := s.env.Stdout, palette(s.env, s.env.Stdout)
	fmt.Fprintf(w, "%s  %d %s\n", c.Bold(diag.Clean(string(p.Address))), len(p.Candidates), noun(len(p.Candidates), "candidate", "candidates"))
	for _, x := range p.Candidates {
		mark, from, more := " ", report.Money(x.Price), ""
		if x.Picked {
			mark = c.Green("*")
		}
		if x.Model == plan.ImportedModel {
			from = x.Model
		} else if x.Model != "" {
			more = "  " + diag.Clean(x.Model)
		}
		if x.Approved {
			more += "  " + c.Green("approved")
		}
		if !x.Held {
			more += "  " + c.Yellow("not in the store")
		}
		fmt.Fprintf(w, "  %s %d  %s  %dx%d  %s%s\n", mark, x.Number, x.Content.Short(), x.Width, x.Height, from, more)
	}
}

// consequences plans what follows from a choice: the steps of the image and of
// all that is made from it.
func (s *session) consequences(ctx context.Context, f *pickFlags, a spec.Address) (*plan.Plan, error) {
	if err := s.prepare(ctx, &f.projectFlags); err != nil {
		return nil, err
	}
	var o planOptions
	if err := s.readJournal(&o); err != nil {
		return nil, err
	}
	s.tellUnfinished(o.pending)
	p, err := s.planned(ctx, o)
	if err != nil {
		return nil, err
	}
	follows := map[spec.Address]bool{a: true}
	for more := true; more; {
		more = false
		for i := range s.project.Images {
			im := &s.project.Images[i]
			if !follows[im.Address] && slices.ContainsFunc(im.Edges(), func(e spec.Address) bool { return follows[e] }) {
				follows[im.Address], more = true, true
			}
		}
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(st plan.Step) bool { return !follows[st.Address] })
	p.Unchanged = 0
	p.Recount()
	return p, nil
}
