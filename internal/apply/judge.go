package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Picture is the main output of an image as it is or would be written, and
// what is recorded of the candidate that it is made from.
type Picture struct {
	Path                 string
	Content              digest.Content
	Bytes                int64
	MIME                 string
	Width, Height        int // pixels
	Model, RevisedPrompt string

	engine *Engine
	load   func() ([]byte, error)
}

// Pixels tells what only the pixels do: whether one of them is not opaque, and
// whether they are one colour all over. It decodes the picture.
func (p *Picture) Pixels() (alpha, blank bool, err error) {
	b, err := p.load()
	if err != nil {
		return false, false, err
	}
	lim := p.engine.limits()
	defer p.engine.pixels.enter(lim, b)()
	return Pixels(b, lim)
}

// Pixels is Picture.Pixels for the bytes of a file.
func Pixels(b []byte, lim imaging.Limits) (alpha, blank bool, err error) {
	if _, err := imaging.MeasureAVIF(b, lim); err == nil {
		return false, false, &hinted{errors.New("the pixels of an AVIF can't be looked at"), "let the main output be a PNG, and the AVIF a rendition"}
	}
	pic, _, err := imaging.Decode(b, lim)
	if err != nil {
		return false, false, err
	}
	return !pic.Opaque(), pic.Blank(), nil
}

// pictureOf is the picture that the recipe of o makes from a candidate; rec is
// what is recorded of it and b its bytes, where they are known.
func (e *Engine) pictureOf(o spec.Output, of *provider.Image, model string, rec *lock.Output, b []byte) (*Picture, error) {
	recipe, err := spec.ParseRecipe(o.Recipe)
	if err != nil {
		return nil, err
	}
	p := &Picture{Path: o.Path, MIME: "image/" + recipe.File.Format, Width: of.Width, Height: of.Height, Model: of.Model, RevisedPrompt: of.RevisedPrompt, engine: e}
	if p.Model == "" {
		p.Model = model
	}
	if !recipe.Size.IsZero() {
		p.Width, p.Height = recipe.Size.Width, recipe.Size.Height
	}
	switch {
	case b != nil:
		p.Content, p.Bytes = digest.OfContent(b), int64(len(b))
		p.load = func() ([]byte, error) { return b, nil }
	case rec != nil:
		p.Content, p.Bytes = rec.Content, rec.Bytes
		p.load = func() ([]byte, error) {
			b, err := e.Out.Read(o.Path, e.limits().Bytes)
			if err == nil && digest.OfContent(b) != rec.Content {
				err = fmt.Errorf("%s is not what was written", o.Path)
			}
			return b, err
		}
	default: // the recipe leaves the original alone
		p.Content, p.Bytes = of.Content, of.Bytes
		p.load = func() ([]byte, error) { return e.original(of.Content) }
	}
	return p, nil
}

// Looker finds out about the pictures that a plan asks for, many at once. It
// needs Out, Sources, Store and Lock of e, writes no output and makes what is
// not on disk in memory, unless a program is needed for that: none is started.
func Looker(e *Engine) func(plan.Picture) (*Picture, error) {
	e.pixels = newWorkshop(e.limits())
	e.findCopies()
	return e.look
}

func (e *Engine) look(ask plan.Picture) (*Picture, error) {
	if entry := e.Lock.Get(ask.Address); entry != nil {
		rec := entry.Output(ask.Output.Path)
		switch {
		case rec == nil || rec.Of != ask.Of.Content:
		case rec.Recipe == ask.Output.Recipe:
			return e.pictureOf(ask.Output, &ask.Of, ask.Model, rec, nil)
		case spec.SameButLabel(rec.Recipe, ask.Output.Recipe):
			o := plan.Output{Path: ask.Output.Path, Recipe: ask.Output.Recipe, Expect: rec.Content}
			if b, err := e.relabel(&job{step: &plan.Step{Label: &ask.Label}}, o, &ask.Of); err == nil && b != nil {
				return e.pictureOf(ask.Output, &ask.Of, ask.Model, nil, b)
			}
		}
	}
	recipe, err := spec.ParseRecipe(ask.Output.Recipe)
	if err != nil {
		return nil, err
	}
	if recipe.Verbatim(strings.TrimPrefix(ask.Of.MIME, "image/")) {
		return e.pictureOf(ask.Output, &ask.Of, ask.Model, nil, nil)
	}
	original, err := e.original(ask.Of.Content)
	if err != nil {
		return nil, err
	}
	b, err := e.redraw(&plan.Step{Sources: ask.Sources, MaskFile: ask.Mask, Label: &ask.Label}, &ask.Of, original, ask.Output.Recipe)
	if err != nil {
		return nil, err
	}
	return e.pictureOf(ask.Output, &ask.Of, ask.Model, nil, b)
}

// unfit is a picture that a postcondition of its image refuses.
type unfit struct {
	why  string
	paid provider.Money // by this run
}

func (u *unfit) Error() string {
	text := "its postcondition does not hold: " + u.why
	if u.paid > 0 {
		text += fmt.Sprintf(" (%s was charged)", u.paid)
	}
	return text
}

// judge asks whether the main output, which is made and not written yet, may
// be. An output that stays as it is was judged with the plan.
func (e *Engine) judge(j *job, picked *provider.Image, made []madeFile) error {
	i := slices.IndexFunc(made, func(m madeFile) bool { return m.name == "" && !m.kept })
	if e.Judge == nil || i < 0 {
		return nil
	}
	m := &made[i]
	p, err := e.pictureOf(spec.Output{Path: m.rec.Path, Recipe: m.rec.Recipe}, picked, j.request.Model, nil, m.bytes)
	if err != nil {
		return err
	}
	why, err := e.Judge(j.step.Address, p)
	if err == nil && why != "" {
		err = &hinted{&unfit{why: why}, "what was made stays in the store, and no output is written; change the condition or pick, or: imgbuild apply -retry-refused"}
	}
	return err
}

// refuse is the entry of an image whose picture is unfit. Where an older one
// is in use it stays, and beside it is remembered what was paid and refused;
// the store has the bytes. Else the candidates are recorded, without outputs.
func (j *job) refuse(entry lock.Entry, why string) lock.Entry {
	old := j.entry
	inUse := slices.ContainsFunc(old.Outputs, func(o lock.Output) bool {
		return slices.ContainsFunc(old.Candidates, func(c provider.Image) bool { return c.Content == o.Of })
	})
	if !inUse || !j.step.Fresh && old.Request == j.digest {
		return entry
	}
	old.Refused = slices.Clone(entry.Refused)
	if old.Request != j.digest {
		r := lock.Refusal{Request: j.digest, Reason: lock.Unfit, Message: why}
		for _, c := range entry.Candidates {
			r.Price += c.Price
		}
		old.Refused = append(old.Refused, r)
	}
	return old
}
