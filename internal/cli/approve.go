package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/revision"
	"github.com/imgbuild/imgbuild/internal/spec"
)

type approveFlags struct {
	projectFlags
	by, note         string
	all, revoke, yes bool
	json             bool
	wait             time.Duration
	patterns         []string
	named            bool // with -by or -note: what is approved already is approved anew
}

func approveVerb() verb {
	var f approveFlags
	return verb{
		name: "approve", short: "say yes to pictures, or take it back", args: "[PATTERN...]",
		help: `
  imgbuild approve image.hero
  imgbuild approve -note 'the blue one' 'image.post["solstice"]'
  imgbuild approve -by 'Jo Doe' tag:landing
  imgbuild approve -all -yes
  imgbuild approve -revoke image.hero

Tells of each picture where it is and what it was made from, and writes the
approval into imgbuild.lock.json: the content of the picked candidate, who and the
note. It is good for this picture alone: after another purchase or another pick it
counts no more, and imgbuild verify -approved says so. At a terminal it asks before;
elsewhere the images that are named are approved, and -all needs -yes. The name is
git's user.name; nobody checks it.

What is to be made again, is in doubt, or has a file that somebody changed, is not
approved, nor a picture that is neither in the store nor in its file.
` + patterns,
		bad: func(int) bool { return false },
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "all", Usage: "each image that is not approved yet, or with -revoke each that is", Destination: &f.all},
			&urfave.StringFlag{Name: "by", Usage: "the `NAME` of who approves, instead of git's user.name", Destination: &f.by},
			&urfave.StringFlag{Name: "note", Usage: "a `TEXT` that stands beside it", Destination: &f.note},
			&urfave.BoolFlag{Name: "revoke", Usage: "take the approval back", Destination: &f.revoke},
			&urfave.BoolFlag{Name: "yes", Usage: "do not ask", Destination: &f.yes},
			&urfave.BoolFlag{Name: "json", Usage: "as JSON; nothing is asked", Destination: &f.json},
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another imgbuild to finish, such as 30s", Destination: &f.wait},
		}, f.projectFlags.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			f.patterns, f.named = c.Args().Slice(), c.IsSet("note") || c.IsSet("by")
			switch {
			case f.all == (len(f.patterns) > 0):
				return usage(env, "imgbuild approve takes images, or -all for each that is not approved yet")
			case f.revoke && f.named:
				return usage(env, "-revoke takes neither -by nor -note")
			}
			if err := (&lock.Approval{By: f.by, Note: f.note}).Check(); err != nil {
				return usage(env, "an approval %v can't be written", err)
			}
			return runApprove(ctx, env, &f)
		},
	}
}

// approval is what somebody decided on a picture that they saw.
type approval struct {
	Address  spec.Address
	Seen     digest.Content // the candidate that was shown
	By, Note string
	Revoke   bool
}

// approve writes decisions into the lock, all of them or none. The workspace must
// be locked, and the lock read since. One on a picture that is not the picked one
// is refused: somebody may have bought or picked another since it was shown.
func (s *session) approve(list ...approval) error {
	for _, d := range list {
		e := s.lock.Get(d.Address)
		if d.Revoke && e != nil {
			changed := *e
			changed.Approved = nil
			s.lock.Set(changed)
			continue
		}
		picked, err := s.picked(d.Address)
		if err != nil {
			return err
		}
		if picked.Content != d.Seen {
			return fail("look at it again: imgbuild approve '"+string(d.Address)+"'", "%s: the picture in use is not the one that was shown (%s, not %s); nothing was written", d.Address, picked.Content.Short(), d.Seen.Short())
		}
		changed := *e
		changed.Approved = &lock.Approval{Content: d.Seen, By: d.By, Note: d.Note}
		if err := changed.Approved.Check(); err != nil {
			return fail("write it in one line, and shorter", "%s: an approval %v can't be written", d.Address, err)
		}
		s.lock.Set(changed)
	}
	return s.saveLock(s.lock)
}

// picked is the candidate that an image of the configuration uses.
func (s *session) picked(a spec.Address) (*provider.Image, error) {
	im, err := s.imageOf(a)
	if err != nil {
		return nil, err
	}
	e := s.lock.Get(a)
	if e == nil || len(e.Candidates) == 0 {
		return nil, fail("imgbuild apply -target='"+string(a)+"'", "%s is not made yet", a)
	}
	n := plan.Pick(im, e)
	if picked := e.Picked(n); picked != nil {
		return picked, nil
	}
	return nil, fail("imgbuild apply -target='"+string(a)+"'", "%s: candidate %d is not made yet", a, n)
}

// unapprovable says why the picture of an image can't be approved now: the plan,
// which must be one that hashed the outputs, would put another in its place, or
// nobody can see it as it is.
func (s *session) unapprovable(p *plan.Plan, a spec.Address) error {
	picked, err := s.picked(a)
	if err != nil {
		return err
	}
	why := "imgbuild why '" + string(a) + "'"
	for i := range p.Steps {
		st := &p.Steps[i]
		switch {
		case st.Address != a:
			continue
		case st.Verb == plan.Render || st.Verb == plan.Restore: // from the same picture
		case st.Verb == plan.Conflict:
			return fail(why, "%s: a file of it was changed by someone, so that it does not show the picture", a)
		case st.Verb == plan.Hold:
			return fail(why, "%s: a request for it is in doubt, or waits for one", a)
		default:
			return fail(why+", and imgbuild apply", "%s: the configuration asks for another picture", a)
		}
	}
	if s.store.Has(picked.Content) {
		return nil
	}
	im, o := s.project.Image(a), s.lock.Get(a).Outputs
	steps := slices.ContainsFunc(p.Steps, func(st plan.Step) bool { return st.Address == a })
	if !steps && slices.ContainsFunc(o, func(o lock.Output) bool { return o.Path == im.Path && o.Of == picked.Content }) {
		return nil // the plan found the file to be what the lock says
	}
	return fail("copy the store of the machine that made it, or "+why, "%s: its picture is neither in the store nor in %s, so nobody can see it", a, im.Path)
}

// unapproved is a finding for each image whose picture in use nobody approved.
// Sketches and what is only decoration count: a page shows them like the others.
func (s *session) unapproved(p *plan.Plan) diag.List {
	l := diag.List{}
	for i := range s.project.Images {
		im := &s.project.Images[i]
		e := s.lock.Get(im.Address)
		picked, err := s.picked(im.Address)
		if err == nil && e.Approved.Of(picked) {
			continue
		}
		f := diag.Finding{Severity: diag.Error, Code: "IB2107", Address: string(im.Address), Range: s.project.At(s.root, im.Address, ""),
			Text: string(im.Address) + ": nobody approved its picture", Hint: "imgbuild approve '" + string(im.Address) + "'"}
		if err != nil || s.unapprovable(p, im.Address) != nil {
			f.Hint = "imgbuild apply, then " + f.Hint
		}
		if e != nil && e.Approved != nil {
			f.Text = fmt.Sprintf("%s: the picture in use is not the one that was approved", im.Address)
			if by := e.Approved.By; by != "" {
				f.Text += " by " + by
			}
		}
		l = append(l, f)
	}
	return l
}

// approvable is an image whose picture somebody may say yes to.
type approvable struct {
	Address  spec.Address   `json:"address"`
	Path     string         `json:"path"` // the main output
	Pick     int            `json:"pick"`
	Content  digest.Content `json:"sha256"` // of the picked candidate
	Approved bool           `json:"approved"`
	By       string         `json:"by,omitempty"`
	Note     string         `json:"note,omitempty"`
	Changed  bool           `json:"changed"` // by this command

	image  provider.Image
	was    *lock.Approval // the last, of whatever picture
	model  string
	prompt string
}

func runApprove(ctx context.Context, env *Env, f *approveFlags) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.prepare(ctx, &f.projectFlags); err != nil {
		return err
	}
	list, left, err := s.approvables(ctx, f)
	if err != nil {
		return err
	}
	asks := !f.yes && !f.json && !f.revoke && mayAsk(env)
	if f.all && !asks && !f.yes && !f.revoke && len(list) > 0 {
		return fail("imgbuild approve -all -yes, or name the images", "%d %s not approved, and nobody is there to look", len(list), noun(len(list), "picture is", "pictures are"))
	}
	if !f.revoke && f.by == "" && len(list) > 0 {
		f.by = revision.User(ctx, env.Getenv, env.Dir)
		if f.by == "" || (&lock.Approval{By: f.by}).Check() != nil {
			return fail("imgbuild approve -by NAME, or git config user.name NAME", "git does not say who you are")
		}
	}
	if asks {
		err = s.askApprovals(ctx, f, list)
	} else {
		err = s.approveAll(ctx, f, list)
	}
	if err != nil {
		return err
	}
	if f.json {
		err = writeJSON(env.Stdout, struct {
			FormatVersion string       `json:"format_version"`
			Images        []approvable `json:"images"`
		}{"1.0", list})
	} else {
		s.tellApproved(list, f)
	}
	if err == nil && left {
		return exit(exitError)
	}
	return err
}

// settled reports whether there is nothing to decide on an image.
func (f *approveFlags) settled(x *approvable) bool {
	if f.revoke {
		return x.was == nil
	}
	return x.Approved && !f.named
}

// take notes a decision, and gives it.
func (f *approveFlags) take(x *approvable) approval {
	x.Changed, x.Approved, x.By, x.Note = true, !f.revoke, f.by, f.note
	return approval{x.Address, x.Content, f.by, f.note, f.revoke}
}

// approveAll takes the command for a yes to each.
func (s *session) approveAll(ctx context.Context, f *approveFlags, list []approvable) error {
	var decided []approval
	for i := range list {
		if !f.json {
			s.tellApprovable(s.env.Stdout, &list[i], f.revoke)
		}
		if !f.settled(&list[i]) {
			decided = append(decided, f.take(&list[i]))
		}
	}
	if len(decided) == 0 {
		return nil
	}
	return s.decide(ctx, f, decided)
}

// askApprovals shows and asks of one after the other. What was said is kept at
// once, whatever comes next.
func (s *session) askApprovals(ctx context.Context, f *approveFlags, list []approvable) error {
	for i := range list {
		x := &list[i]
		s.tellApprovable(s.env.Stderr, x, false) // where the question is
		if f.settled(x) {
			continue
		}
		question := "  Approve it? Only y or yes does: "
		if x.Approved {
			question = "  It is approved. Write it anew? Only y or yes does: "
		}
		text, err := readAnswer(s.env.Stdin.(*os.File), false, func() { fmt.Fprint(s.env.Stderr, question) })
		if err != nil {
			fmt.Fprintln(s.env.Stderr)
		}
		switch text = strings.ToLower(strings.TrimSpace(text)); {
		case err == errInterrupted:
			return exit(exitInterrupted)
		case err != nil: // nobody is there any more
			return nil
		case text != "y" && text != "yes":
			continue
		}
		if err := s.decide(ctx, f, []approval{f.take(x)}); err != nil {
			return err
		}
	}
	return nil
}

// decide writes decisions while no other imgbuild does.
func (s *session) decide(ctx context.Context, f *approveFlags, list []approval) error {
	unlock, err := s.lockWorkspace(ctx, "approve", f.wait)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := s.readLock() // while somebody was thinking, it may have changed
	if err == nil {
		err = s.tell(l)
	}
	if err != nil {
		return err
	}
	return s.approve(list...)
}

// approvables are the images that are meant, in the order of the configuration,
// and whether some of all were left out. Of what is named each must be one.
func (s *session) approvables(ctx context.Context, f *approveFlags) (list []approvable, left bool, err error) {
	meant, err := s.meantImages(f.patterns)
	if err != nil {
		return nil, false, err
	}
	var p *plan.Plan
	if !f.revoke {
		o := planOptions{verify: true, looks: true, offline: true}
		if err := s.readJournal(&o); err != nil {
			return nil, false, err
		}
		if p, err = s.planned(ctx, o); err != nil {
			return nil, false, err
		}
	}
	list = []approvable{}
	for i := range s.project.Images {
		im := &s.project.Images[i]
		if !f.all && !meant[im.Address] {
			continue
		}
		x := approvable{Address: im.Address, Path: im.Path}
		e := s.lock.Get(im.Address)
		picked, err := s.picked(im.Address)
		if e != nil && e.Approved != nil {
			x.was, x.By, x.Note, x.Approved = e.Approved, e.Approved.By, e.Approved.Note, e.Approved.Of(picked)
		}
		if f.all && f.settled(&x) {
			continue
		}
		if err == nil && !f.revoke {
			err = s.unapprovable(p, im.Address)
		}
		switch {
		case picked != nil && (err == nil || f.revoke):
			x.Pick, x.Content, x.image = plan.Pick(im, e), picked.Content, *picked
			x.model, x.prompt = cmp.Or(picked.Model, e.Field("model")), e.Field("prompt")
		case f.revoke && e != nil:
		case f.all:
			tellError(s.env, err)
			left = true
			continue
		default:
			return nil, false, err
		}
		list = append(list, x)
	}
	return list, left, nil
}

// tellApprovable says what a picture is.
func (s *session) tellApprovable(w io.Writer, x *approvable, short bool) {
	c := palette(s.env, w)
	fmt.Fprintf(w, "%s  %s\n", c.Bold(diag.Clean(string(x.Address))), diag.Clean(x.Path))
	if short {
		return
	}
	price := report.Money(x.image.Price)
	if x.model == plan.ImportedModel {
		price = x.model
	} else if x.model != "" {
		price = x.model + "  " + price
	}
	fmt.Fprintf(w, "  candidate %d  %s  %dx%d  %s\n", x.Pick, x.Content.Short(), x.image.Width, x.image.Height, diag.Clean(price))
	if x.prompt != "" {
		fmt.Fprintf(w, "  prompt  \"%s\"\n", diag.Clean(x.prompt))
	}
}

// tellApproved ends the text with what there was.
func (s *session) tellApproved(list []approvable, f *approveFlags) {
	w, c := s.env.Stdout, palette(s.env, s.env.Stdout)
	changed, open := 0, 0
	for i := range list {
		if list[i].Changed {
			changed++
		} else if !list[i].Approved {
			open++
		}
	}
	pictures := fmt.Sprintf("%d %s", changed, noun(changed, "picture", "pictures"))
	switch {
	case f.revoke && changed > 0:
		fmt.Fprintf(w, "%s the approval of %s, in %s.\n", c.Yellow("Revoked:"), pictures, lock.File)
	case f.revoke:
		fmt.Fprintln(w, "There is no approval to take back.")
	case changed > 0:
		fmt.Fprintf(w, "%s %s, by %s, in %s.\n", c.Green("Approved:"), pictures, diag.Clean(f.by), lock.File)
	case open > 0:
		fmt.Fprintln(w, "Nothing was approved.")
	default:
		fmt.Fprintf(w, "%s nothing is left to approve.\n", c.Green("Approved:"))
	}
}
