package cli

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// judge is what a session knows of conditions. Steps ask side by side, and
// config evaluates for one at a time.
type judge struct {
	mu      sync.Mutex
	facts   map[spec.Address]config.Facts // of all images
	refused diag.List                     // what postconditions said and was not told yet
	checks  diag.List                     // what checks said with the plan
	pixels  map[digest.Content]string     // the pixel cache; nil before it is needed
	learned bool                          // something that it lacked
}

// pixels tells whether a picture has alpha and is blank. To decode it takes
// many times as long as all the rest of a plan, so it is remembered: a line
// for each picture, with its SHA-256 and the two answers.
func (s *session) pixels(p *apply.Picture) (alpha, blank bool, err error) {
	j := &s.judge
	j.mu.Lock()
	if j.pixels == nil {
		j.pixels = map[digest.Content]string{}
		body, _ := s.readCache(pixelCache)
		for line := range strings.Lines(string(body)) {
			sum, answers, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if c, err := digest.ParseContent(sum); err == nil && len(j.pixels) < manyPictures {
				j.pixels[c] = answers
			}
		}
	}
	answers, ok := j.pixels[p.Content]
	j.mu.Unlock()
	if ok {
		return strings.Contains(answers, "alpha"), strings.Contains(answers, "blank"), nil
	}
	if alpha, blank, err = p.Pixels(); err != nil {
		return false, false, err
	}
	if alpha {
		answers = "alpha"
	}
	if blank {
		answers += "blank"
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pixels[p.Content], j.learned = answers, true
	return alpha, blank, nil
}

// manyPictures is where the pixel cache forgets.
const manyPictures = 100_000

// savePixels keeps the pixel cache for the next run.
func (s *session) savePixels() {
	if !s.judge.learned || s.apart {
		return
	}
	var b strings.Builder
	for _, c := range slices.SortedFunc(maps.Keys(s.judge.pixels), func(a, b digest.Content) int { return bytes.Compare(a[:], b[:]) }) {
		fmt.Fprintf(&b, "%s %s\n", c, s.judge.pixels[c])
	}
	s.writeCache(pixelCache, []byte(b.String()))
	s.judge.learned = false
}

// ask gives what a postcondition says against a picture, "" for nothing.
func (s *session) ask(a spec.Address, p *apply.Picture) (why string, err error) {
	if im := s.project.Image(a); im == nil || !im.Judged {
		return "", nil
	}
	f := config.Facts{Path: p.Path, SHA256: p.Content.String(), MIME: p.MIME, RevisedPrompt: p.RevisedPrompt, Model: p.Model,
		Width: p.Width, Height: p.Height, Bytes: p.Bytes, Known: true}
	if f.Pixels = s.project.NeedsPixels(a); f.Pixels {
		if f.HasAlpha, f.Blank, err = s.pixels(p); err != nil {
			return "", err
		}
	}
	s.judge.mu.Lock()
	defer s.judge.mu.Unlock()
	l := s.project.Judge(a, f, s.judge.facts)
	var parts []string
	for i := range l {
		_, text, _ := strings.Cut(l[i].Text, ": ")
		parts = append(parts, text)
		// It stops this image and no other: what stands in the plan or in the
		// result counts, and this tells the place.
		l[i].Severity = diag.Warning
	}
	s.judge.refused = append(s.judge.refused, l...)
	return strings.Join(parts, "; "), nil
}

// judgeAll answers what a plan asks of pictures. One that can't be looked at
// is left to apply.
func (s *session) judgeAll(out map[plan.Unfit]string, asks []plan.Picture) {
	s.judge.facts = s.facts()
	look := apply.Looker(&apply.Engine{Out: s.out, Sources: s.root, Store: s.store, Lock: s.lock, Limits: s.limits})
	why := make([]string, len(asks))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(asks)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(asks); i = int(next.Add(1)) - 1 {
				if p, err := look(asks[i]); err == nil {
					why[i], _ = s.ask(asks[i].Address, p)
				}
			}
		})
	}
	workers.Wait()
	for i, ask := range asks {
		out[ask.Unfit] = why[i]
	}
	s.savePixels()
}

// judges reports whether there is anything to judge. A draft is not: it has
// other pictures.
func (s *session) judges() bool { return s.project.HasConditions() && !s.draft }

// conditions is what is found once there is a plan: what postconditions said,
// and what checks and preconditions of outputs say with the pictures that stay
// as they are.
func (s *session) conditions(p *plan.Plan) diag.List {
	if !s.judges() {
		return nil
	}
	facts := s.staying(p)
	s.judge.checks = s.project.Checks(facts)
	_, outputs := s.project.Finish(facts)
	l := slices.Concat(s.judge.refused, s.judge.checks, outputs)
	s.judge.refused = nil
	return l
}

// staying is what is known of images while a plan is carried out.
func (s *session) staying(p *plan.Plan) map[spec.Address]config.Facts {
	facts := s.facts()
	for i := range p.Steps {
		if f, ok := facts[p.Steps[i].Address]; ok && !p.Steps[i].Verb.Standing() {
			f.Known = false
			facts[p.Steps[i].Address] = f
		}
	}
	return facts
}

// watch lets an engine that carries out p ask for the postconditions.
func (s *session) watch(e *apply.Engine, p *plan.Plan) {
	if !s.judges() {
		return
	}
	s.judge.facts = s.staying(p)
	e.Judge = s.ask
	e.Recorded = func(entry *lock.Entry) {
		s.judge.mu.Lock()
		defer s.judge.mu.Unlock()
		if im := s.project.Image(entry.Address); im != nil {
			s.judge.facts[entry.Address] = factsOf(im, entry)
		}
	}
}

// afterwards is what is found once a plan is carried out: the outputs, what
// postconditions said of new pictures, and what checks say now and did not say
// before.
func (s *session) afterwards() (values []config.OutputValue, l diag.List) {
	if s.draft || !s.project.HasOutputs() && !s.project.HasConditions() {
		return nil, nil
	}
	facts := s.facts()
	if s.judges() {
		s.savePixels()
		l = append(s.judge.refused, slices.DeleteFunc(s.project.Checks(facts), func(f diag.Finding) bool {
			return slices.ContainsFunc(s.judge.checks, func(b diag.Finding) bool { return b.Text == f.Text && *b.Range == *f.Range })
		})...)
	}
	values, wrong := s.project.Finish(facts)
	return values, append(l, wrong...)
}
