package plan

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// stepper works out the step of one image that is not up to date.
type stepper struct {
	m      *maker
	im     *spec.Image
	st     *state
	res    *spec.Resolved
	entry  *lock.Entry // of the address, or of the orphan that it was renamed from
	mask   digest.Content
	known  bool // all inputs have a content
	digest digest.Request
	asked  string // the flag that rolls again; "" for -replace
	offer  int    // candidates that images which share may take
	step   Step
}

func (s *stepper) why(r ...Reason) { s.step.Why = append(s.step.Why, r...) }

func (s *stepper) run() {
	im := s.im
	s.offer = 0
	s.step = Step{
		Address: im.Address, Provider: im.Wanted.Provider, Digest: s.digest, Request: s.res.Request,
		Sources: im.Wanted.Sources, N: im.N, Priced: true, RetryRefused: s.m.in.RetryRefused, Notes: s.res.Notes, Precondition: s.entry.Digest(),
	}
	if len(s.res.Request.Sensitive) > 0 {
		s.step.Sealed = s.res.Request.Digest()
	}
	if s.entry != nil && s.entry.Address != im.Address { // by a moved block, or by renamed in an earlier go
		s.step.From = s.entry.Address
		s.why(Reason{Cause: CauseRenamed, Old: string(s.entry.Address)})
	}
	if im.Wanted.Mask != nil {
		s.step.MaskFile = im.Wanted.Mask.File
	}
	s.candidates()
	s.choice()
	if s.blockedButChosen() {
		s.step.Notes = append(slices.Clone(s.step.Notes), fmt.Sprintf("further candidates are held back (%s)", s.step.Verb))
		s.step.Verb, s.step.Need, s.step.Why, s.step.Price = "", 0, nil, 0
		s.offer = min(s.offer, len(s.step.Candidates))
	}
	if !s.step.Verb.Standing() {
		s.sources()
	}
	if !s.step.Verb.Standing() {
		s.outputs()
	}
	if !s.step.Verb.Standing() && s.judge() && s.m.in.RetryRefused {
		s.st.replace, s.asked = true, "-retry-refused"
		s.run()
		return
	}
	s.finish()
}

// judge turns the step into a standing one where a postcondition speaks
// against the picture, and reports whether it does. What the lock does not know
// yet is a step that records it, so that other machines know what was paid for.
// A picture that is imported is left to apply, which puts it into the store.
func (s *stepper) judge() bool {
	p := s.picked()
	if p == nil || s.step.Import != "" {
		return false
	}
	why := s.m.unfit(s.im, s.res, p, s.mask)
	if why == "" {
		return false
	}
	step := &s.step
	step.Why, step.Need = []Reason{{Cause: CauseUnfit, New: why}}, 0
	if s.recorded(p.Content) {
		step.Verb, step.Price = Refused, p.Price
	} else {
		step.Verb = Record
		step.Outputs = slices.DeleteFunc(step.Outputs, func(o Output) bool { return o.Action != Write })
	}
	return true
}

// recorded reports whether the lock knows of a candidate, or that it was refused.
func (s *stepper) recorded(c digest.Content) bool {
	return s.entry != nil && (s.entry.Request == s.digest && slices.ContainsFunc(s.entry.Candidates, func(x provider.Image) bool { return x.Content == c }) ||
		slices.ContainsFunc(s.entry.Refused, func(r lock.Refusal) bool { return r.Request == s.digest }))
}

// candidates finds what the image has already and what must be bought.
func (s *stepper) candidates() {
	m, step := s.m, &s.step
	if s.st.replace {
		step.Need, step.Fresh = s.im.N, true
		s.why(Reason{Cause: CauseAsked, Field: cmp.Or(s.asked, "-replace")})
		if s.known {
			step.Rolls = len(m.bought(s.digest))
			if !s.pending() {
				s.unread()
			}
		}
		return
	}
	if s.imports() {
		return
	}
	if !s.known {
		step.Need = s.im.N
		for _, a := range s.im.Edges() {
			if j, _ := m.index(a); m.state[j].content.IsZero() {
				s.why(Reason{Cause: CauseSource, New: string(a)})
			}
		}
		if s.entry == nil {
			s.step.Why = []Reason{{Cause: CauseNew}}
			return
		}
		for _, r := range s.unheld() {
			if r.Field != "input" {
				s.why(r)
			}
		}
		return
	}
	if s.entry == nil {
		s.renamed()
	}
	same := s.entry != nil && s.entry.Request == s.digest
	if same {
		step.Candidates = slices.Clone(s.entry.Candidates)
		if exposed(s.entry, s.res.Request.Sensitive) {
			s.why(Reason{Cause: CauseSensitive, Field: strings.Join(s.res.Request.Sensitive, ", ")})
		}
	}
	step.Need = max(0, s.im.N-len(step.Candidates))
	if s.im.Share {
		s.offer = len(step.Candidates)
	}
	if step.Need == 0 {
		return
	}
	switch {
	case same && len(step.Candidates) > 0:
		s.why(Reason{Cause: CauseMore, Field: "n", Old: strconv.Itoa(len(step.Candidates)), New: strconv.Itoa(s.im.N)})
	case s.entry == nil || s.entry.Request.IsZero():
		s.why(Reason{Cause: CauseNew})
	default:
		s.why(s.changes()...)
	}
	s.boughtBefore()
	if step.Need > 0 && step.Verb == "" {
		s.blocked()
	}
	if step.Need > 0 && step.Verb == "" {
		s.unread()
	}
}

// unread holds a purchase back that may have been made before: what can't be
// read is not nothing. What the image has already, or another tier knows, is
// used.
func (s *stepper) unread() {
	why, ok := s.m.in.Unread[s.digest]
	if !ok {
		return
	}
	s.step.Verb = Hold
	if len(s.m.plan.Asks.Contents) == 0 { // else what is known may yet do
		s.m.problem(s.im.Address, spec.Problem{Field: FieldBought, Value: s.digest.String(),
			Text: fmt.Sprintf("what was bought for %s can't be read, so nothing is bought for it: %s", s.digest.Short(), why)})
	}
}

// blockedButChosen reports whether further candidates can't be bought but the
// files of the chosen one need work.
func (s *stepper) blockedButChosen() bool {
	p := s.picked()
	if p == nil || s.step.Verb != Hold && s.step.Verb != Refused {
		return false
	}
	return s.entry == nil || slices.ContainsFunc(s.m.outputs(s.im, s.res, s.mask, p), func(o spec.Output) bool {
		rec := s.entry.Output(o.Path)
		return rec == nil || rec.Recipe != o.Recipe || rec.Of != p.Content || !s.m.in.Seen(o.Path).Exists
	})
}

// changes tells what differs from the recorded request.
func (s *stepper) changes() []Reason {
	return named(s.unheld(), s.im.Wanted.Sources)
}

// renamed looks for an orphan with the same request.
func (s *stepper) renamed() {
	m := s.m
	if m.byRequest == nil {
		m.byRequest = make(map[digest.Request][]int)
		for k, j := range m.orphan {
			r := m.in.Lock.Entries[j].Request
			m.byRequest[r] = append(m.byRequest[r], k)
		}
	}
	for _, k := range m.byRequest[s.digest] {
		if m.taken[k] || m.in.Select.Partial() {
			continue
		}
		m.taken[k] = true
		s.entry = &m.in.Lock.Entries[m.orphan[k]]
		s.step.From, s.step.Precondition = s.entry.Address, s.entry.Digest()
		s.why(Reason{Cause: CauseRenamed, Old: string(s.entry.Address)})
		return
	}
}

// boughtBefore takes candidates that were paid for and that no other image
// holds.
func (s *stepper) boughtBefore() {
	m, step := s.m, &s.step
	var with sharer
	if s.im.Share {
		// What the image has already keeps its place.
		if has := len(step.Candidates); has == 0 {
			with = m.sharers[s.digest]
		} else if w := m.sharers[s.digest]; w.n > has && len(w.has) >= has && slices.Equal(w.has[:has], step.Candidates) {
			with = w
		}
	}
	has, need := step.Candidates, step.Need
	// What a sharer has that buys nothing is at hand, as is what was bought before:
	// who wants more than it has takes both.
	atHand := with.n > 0 && with.n == len(with.has) && with.n < s.im.N
	if !atHand {
		with.has = nil
	}
	took := s.fromSharers(with.has)
	// An image to which nothing happens offers nothing, and may have more.
	if with.n > 0 && !with.stands && !atHand && with.n >= len(step.Candidates) {
		step.Candidates, step.Need = has, need
		step.Need, step.ShareWith = max(0, s.im.N-with.n), with.address
		step.After = append(step.After, with.address)
		s.why(Reason{Cause: CauseShared, New: string(with.address)})
		if step.Need > 0 {
			s.offer = s.im.N
		}
		return
	}
	taken := s.taken()
	for _, b := range m.bought(s.digest) {
		if step.Need == 0 {
			break
		}
		if b.Refused != "" {
			continue
		}
		if i := slices.Index(taken, b.Image.Content); i >= 0 {
			taken = slices.Delete(taken, i, i+1)
			continue
		}
		if !m.held(b.Image.Content, nil) {
			continue
		}
		step.Candidates = append(step.Candidates, b.Image)
		if m.claimed == nil {
			m.claimed = make(map[digest.Request][]digest.Content)
		}
		m.claimed[s.digest] = append(m.claimed[s.digest], b.Image.Content)
		step.Need--
		took++
	}
	if took > 0 {
		s.why(Reason{Cause: CauseBought, New: strconv.Itoa(took)})
	}
	switch {
	case !s.im.Share || step.Need == 0:
	case with.stands && len(step.Candidates) == 0:
		step.Verb, step.Why = Missing, []Reason{{Cause: CauseWaits, New: string(with.address)}}
	default:
		s.offer = s.im.N
	}
}

// offerToOthers lets images which share have the candidates that this one will
// have. What a postcondition refuses or protect holds back is no offer: what is
// paid for they find themselves, and the rest may never come.
func (s *stepper) offerToOthers() {
	if s.offer == 0 || s.because(CauseUnfit) || s.step.Verb == Protected {
		return
	}
	if s.m.sharers == nil {
		s.m.sharers = make(map[digest.Request]sharer)
	}
	was, now := s.m.sharers[s.digest], sharer{s.im.Address, s.offer, s.step.Verb.Standing(), s.step.Candidates}
	if was.n == 0 || was.stands && !now.stands || was.stands == now.stands && was.n < now.n {
		s.m.sharers[s.digest] = now
	}
}

// fromSharers takes the candidates that another image which shares has already,
// those first that are at hand, and counts them.
func (s *stepper) fromSharers(atHand []provider.Image) (took int) {
	if !s.im.Share {
		return 0
	}
	take := func(list []provider.Image) {
		for _, c := range list {
			if s.step.Need > 0 && !slices.Contains(s.step.Candidates, c) {
				s.step.Candidates = append(s.step.Candidates, c)
				s.step.Need--
				took++
			}
		}
	}
	take(atHand)
	s.m.findHolders()
	for _, j := range s.m.holders[s.digest] {
		e := &s.m.in.Lock.Entries[j]
		i, there := s.m.index(e.Address)
		if !there || e.Address == s.im.Address || !s.m.in.Images[i].Share {
			continue
		}
		take(e.Candidates)
	}
	return took
}

// taken lists the candidates for this request that are spoken for: by other
// images of the configuration that do not share, by this plan, and by the
// image itself.
func (s *stepper) taken() []digest.Content {
	m := s.m
	m.findHolders()
	var out []digest.Content
	if !s.im.Share {
		for _, j := range m.holders[s.digest] {
			e := &m.in.Lock.Entries[j]
			if _, wanted := m.index(e.Address); wanted && e.Address != s.im.Address {
				for _, c := range e.Candidates {
					out = append(out, c.Content)
				}
			}
		}
		out = append(out, m.claimed[s.digest]...)
	}
	for _, c := range s.step.Candidates {
		out = append(out, c.Content)
	}
	return out
}

// pending turns a purchase into a standing step where an earlier one is in
// doubt or only needs fetching, and reports whether it did.
func (s *stepper) pending() bool {
	for i, p := range s.m.in.Pending {
		if of, taken := s.m.pended[i]; p.Request != s.digest || taken && of != s.im.Address {
			continue
		}
		// What an image left that is not there any more may be of this one, renamed.
		if _, there := s.m.index(p.Address); there && p.Address != s.im.Address {
			continue
		}
		if s.m.pended == nil {
			s.m.pended = map[int]spec.Address{}
		}
		s.m.pended[i] = s.im.Address
		switch {
		case p.Resume:
			s.step.Verb = Resume
			s.step.Why = []Reason{{Cause: CauseDelivered, New: p.Attempt}}
			return true
		case p.Again:
			s.step.Again = append(s.step.Again, p.Attempt)
			s.why(Reason{Cause: CauseAsked, Field: "-retry-in-doubt"})
		case p.Job:
			s.step.Verb, s.step.Price, s.step.Sent = Resume, p.Price, p.Sent
			s.step.Why = []Reason{{Cause: CauseAccepted, New: p.Attempt}}
			return true
		default:
			s.step.Verb, s.step.Price, s.step.Sent = Hold, p.Price, p.Sent
			s.step.Why = []Reason{{Cause: CauseUnanswered, New: p.Attempt}}
			return true
		}
	}
	return false
}

// blocked turns a purchase into a standing step where an earlier one was
// refused, is in doubt, or only needs fetching.
func (s *stepper) blocked() {
	if s.pending() {
		return
	}
	m := s.m
	refusal := func() (Reason, provider.Money, bool) {
		if s.entry != nil {
			for _, r := range s.entry.Refused {
				if r.Request == s.digest && (r.Reason != lock.Unfit || len(s.step.Candidates) == 0) {
					return Reason{Cause: CauseBadReply, Field: r.Reason, New: r.Message}, r.Price, true
				}
			}
		}
		for _, b := range m.in.Bought[s.digest] {
			if b.Refused != "" {
				return Reason{Cause: CauseBadReply, Field: b.Refused}, b.Image.Price, true
			}
		}
		return Reason{}, 0, false
	}
	if why, price, ok := refusal(); ok {
		if m.in.RetryRefused {
			s.why(Reason{Cause: CauseAsked, Field: "-retry-refused"})
			return
		}
		s.step.Verb, s.step.Price = Refused, price
		s.step.Why = []Reason{why}
	}
}

// choice settles which candidate is used.
func (s *stepper) choice() {
	step := &s.step
	step.Pick = s.im.Pick
	if step.Pick == 0 {
		step.Pick = 1
		if s.entry != nil && s.entry.Request == s.digest && s.known && !s.st.replace && s.entry.Pick > 0 && s.entry.Pick <= len(step.Candidates) {
			step.Pick, step.LockPick = s.entry.Pick, s.entry.Pick
		}
	}
	if step.Verb != "" {
		return
	}
	if step.Need > 0 {
		step.Verb = Generate
		if len(s.im.Wanted.Sources) > 0 {
			step.Verb = Edit
		}
	}
}

// sources orders the step after what it edits, and makes sure that what it
// edits can be had.
func (s *stepper) sources() {
	for _, a := range s.im.Edges() {
		j, _ := s.m.index(a)
		dep := &s.m.state[j]
		switch {
		case dep.waits:
			s.step.Verb = Missing
			s.step.Why = []Reason{{Cause: CauseWaits, New: string(a)}}
			return
		case dep.content.IsZero():
			s.step.After = append(s.step.After, a)
		default:
			if dep.works {
				s.step.After = append(s.step.After, a)
			}
			if s.step.Need > 0 && !s.m.held(dep.content, s.m.in.Lock.Get(a)) {
				s.missing(string(a), dep.content)
			}
		}
	}
	for _, src := range s.im.Wanted.Sources {
		if c := src.Content; s.step.Need > 0 && !c.IsZero() && !s.m.held(c, nil) {
			s.missing("edit", c)
		}
	}
	if k := s.im.Wanted.Mask; k != nil && !k.Content.IsZero() && s.step.Need > 0 {
		s.missing("edit", k.Content)
	}
	s.order()
}

// order puts the step after those of the images that it only depends on.
func (s *stepper) order() {
	for _, a := range s.im.DependsOn {
		j, _ := s.m.index(a)
		switch dep := &s.m.state[j]; {
		case s.step.Verb.Standing(), slices.Contains(s.step.After, a):
		case dep.waits:
			s.step.Verb, s.step.Why = Missing, []Reason{{Cause: CauseWaits, New: string(a)}}
		case dep.works:
			s.step.After = append(s.step.After, a)
		}
	}
}

// copyOf is the path of an output of an image that is, or was, a copy of a
// picture, "" if there is none.
func (m *maker) copyOf(a spec.Address, c digest.Content) string {
	if e := m.in.Lock.Get(a); e != nil {
		for i := range e.Outputs {
			if e.Outputs[i].Content == c {
				return e.Outputs[i].Path
			}
		}
	}
	return ""
}

func (s *stepper) missing(whose string, c digest.Content) {
	if s.step.Verb != Missing {
		s.step.Verb, s.step.Why = Missing, nil
	}
	r := Reason{Cause: CauseNoOriginal, Field: whose, New: c.String(), Copy: s.m.copyOf(spec.Address(whose), c)}
	for _, o := range s.step.Outputs {
		if o.Action == Write && !o.Adopt && !o.Relabel && whose == string(s.im.Address) && (r.Old == "" || r.Old == r.Copy) {
			r.Old = o.Path
		}
	}
	s.why(r)
}

// picked is the chosen candidate, nil while it is still to be bought.
func (s *stepper) picked() *provider.Image {
	if s.step.Pick > len(s.step.Candidates) {
		return nil
	}
	return &s.step.Candidates[s.step.Pick-1]
}

// outputs compares each file with what is recorded and what is on disk.
func (s *stepper) outputs() {
	s.tooSmall()
	s.cropped()
	var of digest.Content
	if p := s.picked(); p != nil {
		of = p.Content
	}
	wanted := s.m.outputs(s.im, s.res, s.mask, s.picked())
	var why, conflicts []Reason
	write := false
	for _, o := range wanted {
		out, reasons, conflict := s.output(o, of)
		if out.Action == Write && !out.Adopt && !out.Relabel {
			s.writer(o)
		}
		s.step.Outputs = append(s.step.Outputs, out)
		why = append(why, reasons...)
		if conflict != nil {
			conflicts = append(conflicts, *conflict)
		}
		write = write || out.Action == Write && !out.Adopt && !out.Relabel || out.Placeholder && slices.ContainsFunc(reasons, isPlaceholder)
	}
	fresh := func(o Output) bool { // not only written again, or with another label
		if o.Block != spec.Responsive || o.Action != Write || o.Relabel {
			return false
		}
		if s.entry == nil {
			return true
		}
		rec := s.entry.Output(o.Path)
		return rec == nil || rec.Of != of || rec.Recipe != o.Recipe && !spec.SameButLabel(rec.Recipe, o.Recipe)
	}
	if slices.ContainsFunc(s.step.Outputs, fresh) {
		s.set()
	}
	if s.entry != nil {
		for i := range s.entry.Outputs {
			old := &s.entry.Outputs[i]
			if slices.ContainsFunc(wanted, func(o spec.Output) bool { return o.Path == old.Path }) {
				continue
			}
			out, reasons := s.m.drop(s.entry, old)
			s.step.Outputs = append(s.step.Outputs, out)
			why = append(why, reasons...)
		}
	}
	s.labels()
	if len(conflicts) > 0 {
		s.step.Verb, s.step.Why, s.step.Need = Conflict, conflicts, 0
		return
	}
	if s.step.Need == 0 || len(s.step.Why) == 0 {
		s.why(why...)
	}
	if write && !of.IsZero() && s.step.ShareWith == "" {
		if !s.m.held(of, s.entry) {
			s.missing(string(s.im.Address), of)
		}
		if k := s.im.Wanted.Mask; k != nil && !k.Content.IsZero() && s.res.Restore {
			s.missing("edit", k.Content)
		}
		if r, _ := spec.ParseRecipe(s.step.Outputs[0].Recipe); r.Restore.Edit != "" && !r.RestoreSource.IsZero() && len(s.im.Wanted.Sources) > 0 {
			if src := s.im.Wanted.Sources[0]; src.Image != "" && !s.m.held(r.RestoreSource, s.m.in.Lock.Get(src.Image)) {
				s.missing(string(src.Image), r.RestoreSource)
			}
		}
	}
}

// isPlaceholder reports whether a reason is that the lock lacks a placeholder, or
// has one that nobody wants.
func isPlaceholder(r Reason) bool { return r.Cause == CauseRecipe && r.Field == FieldPlaceholder }

// writer finds an output that nothing here can write, and notes one that was
// written by something else: its bytes may differ from those that the lock has.
func (s *stepper) writer(o spec.Output) {
	recipe, _ := spec.ParseRecipe(o.Recipe)
	p := s.picked()
	if s.m.in.Writer == nil || p != nil && recipe.Copies(formatOf(p)) {
		return
	}
	w := s.m.in.Writer(recipe.File)
	if w.Name == "" {
		field := "path"
		if r := (spec.Rendition{Block: o.Block, Name: o.Name}); o.Block == spec.Responsive {
			field = r.Field("formats")
			if slices.ContainsFunc(s.m.plan.Problems, func(p Problem) bool {
				return p.Address == s.im.Address && p.Kind == NoEncoder && p.Field == field && spec.FormatOf(p.Value) == recipe.File.Format
			}) {
				return // one of the set tells it for all
			}
		} else if o.Name != "" {
			field = r.Field("format")
		} else if s.im.File.Format != "" {
			field = "file.format"
		}
		s.m.plan.Problems = append(s.m.plan.Problems, Problem{Address: s.im.Address, Kind: NoEncoder, Problem: spec.Problem{Field: field, Value: o.Path, Text: fmt.Sprintf("%s: %s", o.Path, w.Missing), Hint: w.Hint}})
		return
	}
	if s.entry == nil || p == nil {
		return
	}
	rec := s.entry.Output(o.Path)
	if rec == nil || rec.Recipe != o.Recipe || rec.Of != p.Content || rec.Encoder == "" {
		return
	}
	was := rec.Encoder
	if program, _, versioned := strings.Cut(was, " "); versioned && !strings.Contains(w.Name, " ") {
		was = program // of a program that is not started only the name is known
	}
	if was != w.Name {
		s.step.Notes = append(slices.Clone(s.step.Notes), fmt.Sprintf("other encoder: %s was written by %s, now by %s; its bytes may differ", o.Path, rec.Encoder, w.Name))
	}
}

// cropped finds a crop that leaves the picture, where its size is known.
func (s *stepper) cropped() {
	size := s.size()
	for i, r := range s.im.Renditions {
		if size.IsZero() || r.Crop.IsZero() || i > 0 && r.Block != "" && s.im.Renditions[i-1].Block == r.Block { // those of a block have one crop
			continue
		}
		if x, y, w, h, ok := r.Crop.In(size.Width, size.Height); !ok {
			s.m.plan.Problems = append(s.m.plan.Problems, Problem{Address: s.im.Address, Kind: BadCrop, Problem: spec.Problem{Field: r.Field("crop"), Value: r.Crop.String(),
				Text: fmt.Sprintf("%s: the crop of %dx%d at %d,%d leaves the picture, which is %s", r.String(), w, h, x, y, size),
				Hint: "write it in percent, or smaller"}})
		}
	}
}

// size is that of the main output, zero while it is not known.
func (s *stepper) size() provider.Size {
	size := s.res.Size
	if p := s.picked(); size.IsZero() && p != nil {
		size = provider.Size{Width: p.Width, Height: p.Height}
	}
	if size.IsZero() {
		size = s.res.Request.Size
	}
	return size
}

// set notes which files of the responsive set the picture does not have and,
// while there is none, hands all of it to apply, which will see.
func (s *stepper) set() {
	asked := slices.DeleteFunc(s.res.Asked(s.im, s.mask, s.picked(), func() spec.Label { return s.m.label(s.im, s.picked()) }),
		func(o spec.Output) bool { return o.Block != spec.Responsive })
	if len(asked) == 0 {
		return
	}
	size, may := s.size(), ""
	if s.picked() == nil {
		for _, o := range asked {
			s.step.Responsive = append(s.step.Responsive, Output{Path: o.Path, Block: o.Block, Name: o.Name, Recipe: o.Recipe, Action: Write})
		}
		if size.IsZero() {
			size, may = s.res.Expect, "about "
		}
	}
	var wider []string
	own, what := 0, "picture"
	for _, o := range asked {
		r, _ := spec.ParseRecipe(o.Recipe)
		if !r.Crop.IsZero() {
			what = "crop"
		}
		if own = spec.OwnWidth(r, size); own > 0 && r.Width > own && !slices.Contains(wider, strconv.Itoa(r.Width)) {
			wider = append(wider, strconv.Itoa(r.Width))
		}
	}
	note := ""
	switch {
	case size.IsZero():
		note = "responsive: widths that the picture does not have are left out"
	case len(wider) > 0:
		note = fmt.Sprintf("responsive: the %s is %s%d wide, which stands for %s", what, may, own, strings.Join(wider, " and "))
	default:
		return
	}
	s.step.Notes = append(slices.Clone(s.step.Notes), note)
}

// tooSmall notes renditions that will be smaller than asked, where the size of
// the picture is known.
func (s *stepper) tooSmall() {
	size := s.size()
	for _, r := range s.im.Renditions {
		if r.Block == spec.Responsive || r.Icon == "maskable" {
			continue
		}
		of, what := size, "picture"
		if !r.Crop.IsZero() {
			_, _, of.Width, of.Height, _ = r.Crop.In(size.Width, size.Height)
			what = "crop"
		}
		if size.IsZero() || s.res.Enlarge || r.Width <= of.Width && r.Height <= of.Height {
			continue
		}
		if r.Icon != "" {
			if !exact(&r, of) && !slices.ContainsFunc(s.m.plan.Problems, func(p Problem) bool { return p.Address == s.im.Address && p.Kind == TooSmall }) {
				s.m.plan.Problems = append(s.m.plan.Problems, Problem{Address: s.im.Address, Kind: TooSmall, Problem: spec.Problem{Field: r.Block, Value: r.Path,
					Text: fmt.Sprintf("%s: the %s is %s, too small for %s of %dx%d", r.Block, what, of, r.Path, r.Width, r.Height), Hint: "write enlarge = true, or make a larger picture"}})
			}
		} else {
			s.step.Notes = append(slices.Clone(s.step.Notes), fmt.Sprintf("%s will be smaller than asked: the %s is %s and is enlarged only with enlarge = true", r.String(), what, of))
		}
	}
}

// exact reports whether a picture is large enough for a file that is as large as
// it is asked to be.
func exact(r *spec.Rendition, of provider.Size) bool {
	if r.Fit == "contain" { // one side touches
		return of.Width >= r.Width || of.Height >= r.Height
	}
	return of.Width >= r.Width && of.Height >= r.Height
}

// output compares one file; conflict is set where it must not be written.
func (s *stepper) output(o spec.Output, of digest.Content) (out Output, why []Reason, conflict *Reason) {
	out = Output{Path: o.Path, Block: o.Block, Name: o.Name, Recipe: o.Recipe, Font: o.Font, Action: Write}
	out.Placeholder = o.Name == "" && s.im.Placeholder
	var rec *lock.Output
	if s.entry != nil {
		rec = s.entry.Output(o.Path)
	}
	seen := s.m.in.Seen(o.Path)
	if seen.Unknown {
		s.m.plan.Asks.Paths = append(s.m.plan.Asks.Paths, o.Path)
	}
	fresh := rec != nil && rec.Recipe == o.Recipe && rec.Of == of && !of.IsZero()
	if rec == nil {
		why = s.newOutput(o)
	} else if !fresh {
		why = s.staleOutput(o, rec)
	}
	switch {
	case seen.Outside:
		s.m.problem(s.im.Address, spec.Problem{Field: "path", Value: o.Path,
			Text: "a link on the way to " + strconv.Quote(o.Path) + " leads out of the project", Hint: "choose another path, or remove the link"})
	case !seen.Exists:
		if fresh {
			why = []Reason{{Cause: CauseAbsent, New: o.Path}}
		}
	case rec != nil && ours(seen, rec):
		out.Expect = rec.Content
		if fresh {
			out.Action = KeepFile
			if o.Name == "" && rec.Placeholder.Known() != s.im.Placeholder {
				why = append(why, Reason{Cause: CauseRecipe, Field: FieldPlaceholder, Old: strconv.FormatBool(rec.Placeholder.Known()), New: strconv.FormatBool(s.im.Placeholder)})
			}
		} else {
			out.Relabel = rec.Of == of && !of.IsZero() && spec.SameButLabel(rec.Recipe, o.Recipe)
		}
	case s.written(o, seen):
		out.Expect = s.m.in.Written[o.Path]
	case rec != nil && seen.Regular && s.isCopy(o, seen):
		out.Adopt = true // git brought what we would write
	case rec != nil:
		conflict = &Reason{Cause: CauseAltered, New: o.Path}
	case s.step.Import == o.Path && !s.isCopy(o, seen) && s.content(o.Path, seen) == of:
		out.Expect = of // the picture stays in the store
	default:
		if other, of := s.m.owner(o.Path); other != nil && ours(seen, other) {
			if j, there := s.m.index(of); !there || !s.m.state[j].skip {
				out.Expect = other.Content
				break
			}
		}
		if seen.Regular && s.isCopy(o, seen) {
			out.Adopt = true
			break
		}
		conflict = &Reason{Cause: CauseForeign, New: o.Path}
	}
	return out, why, conflict
}

// isCopy reports whether a file that we do not know has just the bytes that we
// would write.
func (s *stepper) isCopy(o spec.Output, seen Seen) bool {
	p := s.picked()
	recipe, _ := spec.ParseRecipe(o.Recipe)
	if p == nil || seen.Size != p.Bytes || !recipe.Verbatim(formatOf(p)) {
		return false
	}
	return s.content(o.Path, seen) == p.Content
}

// written reports whether a file is what a run that died wrote there.
func (s *stepper) written(o spec.Output, seen Seen) bool {
	c, ok := s.m.in.Written[o.Path]
	return ok && seen.Regular && s.content(o.Path, seen) == c
}

// content is the bytes of a file on disk, asked for if they are not known.
func (s *stepper) content(path string, seen Seen) digest.Content {
	if !seen.Content.IsZero() {
		return seen.Content
	}
	c, ok := s.m.in.Hashes[path]
	if !ok {
		s.m.plan.Asks.Files = append(s.m.plan.Asks.Files, path)
	}
	return c
}

func formatOf(im *provider.Image) string { return strings.TrimPrefix(im.MIME, "image/") }

// newOutput tells why a path that is not recorded is written: the image is
// new, the path changed, or a rendition was added.
func (s *stepper) newOutput(o spec.Output) []Reason {
	if s.entry == nil {
		return nil
	}
	for _, old := range s.entry.Outputs {
		if old.Recipe == o.Recipe && !s.m.wants(old.Path) && !s.m.mayBe(old.Path, "") {
			return []Reason{{Cause: CauseRecipe, Field: "path", Old: old.Path, New: o.Path}}
		}
	}
	return []Reason{{Cause: CauseRecipe, Field: "path", New: o.Path}}
}

func (s *stepper) staleOutput(o spec.Output, rec *lock.Output) (why []Reason) {
	pairs := func(recipe string) (list []provider.Field) {
		for _, part := range strings.Fields(recipe) {
			k, v, _ := strings.Cut(part, "=")
			switch k {
			case "title", "subtitle":
				v, _ = url.QueryUnescape(v)
			case "font":
				v = v[:min(len(v), 12)]
			}
			list = append(list, provider.Field{Name: k, Value: v})
		}
		return list
	}
	for _, r := range fieldDiff(pairs(rec.Recipe), pairs(o.Recipe)) {
		r.Cause = CauseRecipe
		why = append(why, r)
	}
	if i := slices.IndexFunc(s.entry.Candidates, func(c provider.Image) bool { return c.Content == rec.Of }); i >= 0 && i+1 != s.step.Pick && s.step.Need == 0 {
		reason := Reason{Cause: CausePicked, Field: "pick", Old: strconv.Itoa(i + 1), New: strconv.Itoa(s.step.Pick)}
		if !slices.Contains(s.step.Why, reason) {
			why = append(why, reason)
		}
	}
	return why
}

// finish settles verb, price and what others may know, and adds the step.
func (s *stepper) finish() {
	step, st := &s.step, s.st
	has := func(a Action) bool {
		return slices.ContainsFunc(step.Outputs, func(o Output) bool { return o.Action == a })
	}
	if step.Verb == "" {
		if len(step.Why) == 0 && has(Write) {
			s.why(Reason{Cause: CauseBought, New: strconv.Itoa(len(step.Candidates))})
		}
		switch {
		case step.Import != "":
			step.Verb = Import
		case step.From != "":
			step.Verb = Move
		case step.ShareWith != "", s.because(CauseBought), s.because(CauseAbsent):
			step.Verb = Restore
		case has(Write), slices.ContainsFunc(step.Why, isPlaceholder):
			step.Verb = Render
		case has(DeleteFile):
			step.Verb = Delete
		case s.because(CauseSensitive):
			step.Verb = Render
		default:
			step.Verb = Forget
		}
	}
	step.Why = slices.CompactFunc(step.Why, func(a, b Reason) bool { return a == b })
	if step.Verb.Paid() && !s.canBeAsked() {
		step.Verb = Missing
	}
	if step.Verb.Paid() {
		step.Price, step.Priced = s.price()
		step.Budgets = s.m.budgetsOf(s.im)
		if s.m.in.Lost != "" && (step.Price > 0 || !step.Priced) {
			step.Verb, step.Why = Hold, []Reason{{Cause: CauseLost, New: s.m.in.Lost}}
		}
	}
	if s.im.Protect {
		step.protect(s.entry)
	}
	if step.Verb.Paid() {
		s.holdToMaxCost()
	}
	s.offerToOthers()
	if step.Verb.Standing() {
		step.Outputs, step.Need = nil, 0
	}
	s.overImported()
	p := s.picked()
	if step.Verb == Protected {
		p = s.entry.Picked(Pick(s.im, s.entry))
	}
	if p != nil && (!step.Fresh || step.Verb == Protected) {
		st.content, st.picked = p.Content, p
	} else {
		st.waits = step.Verb.Standing()
	}
	st.waits = st.waits || s.because(CauseUnfit)
	st.works = !step.Verb.Standing()
	s.m.plan.Steps = append(s.m.plan.Steps, *step)
}

func (s *stepper) because(c Cause) bool {
	return slices.ContainsFunc(s.step.Why, func(r Reason) bool { return r.Cause == c })
}

// holdToMaxCost finds a price above what the configuration allows for the image.
func (s *stepper) holdToMaxCost() {
	most, step := s.im.MaxCost, s.step
	switch {
	case most == nil || step.Need == 0:
	case !step.Priced:
		s.m.problem(s.im.Address, spec.Problem{Field: FieldMaxCost, Text: fmt.Sprintf("its price is not known, and max_cost allows %s", *most),
			Hint: "remove max_cost, or choose a model with a price: imgbuild models"})
	case step.Price > *most:
		hint := fmt.Sprintf("write max_cost = %s", step.Price.Decimal())
		if step.Need > 1 {
			hint += ", or lower n"
		}
		s.m.problem(s.im.Address, spec.Problem{Field: FieldMaxCost, Value: most.Decimal(), Text: fmt.Sprintf("it would cost %s, and max_cost allows %s", step.Price, *most), Hint: hint})
	}
}

func (s *stepper) price() (provider.Money, bool) {
	offer, _ := s.m.in.Offer(s.im.Wanted.Provider, s.res.Request.Model)
	if offer.Price == nil {
		return 0, false
	}
	each, ok := offer.Price(&s.res.Request)
	if p := s.m.plan; each > 0 && (p.PricesAsOf == "" || offer.AsOf < p.PricesAsOf) {
		p.PricesAsOf = offer.AsOf
	}
	return each * provider.Money(s.step.Need), ok
}
