package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Make plans. While Asks of the result is not empty it is no plan yet.
func Make(in Input) *Plan {
	m := maker{in: in, configured: in.Images, plan: &Plan{
		FormatVersion: FormatVersion, Tool: in.Tool, Draft: in.Draft,
		Partial: in.Select.Partial(), MaxCost: in.MaxCost, Budgets: slices.Clone(in.Budgets), Steps: []Step{},
	}}
	if in.Lock == nil {
		m.in.Lock = &lock.Lock{}
	}
	if in.Destroy {
		m.in.Images = nil
	}
	m.state = make([]state, len(m.in.Images))
	m.select_()
	m.findOrphans()
	for i := range m.in.Images {
		m.visit(i)
	}
	m.orphans()
	m.plan.Recount()
	return m.plan
}

// state is what the rest of the plan may know of an image.
type state struct {
	phase   phase
	skip    bool           // not selected
	replace bool           // asked to roll again
	waits   bool           // can't go on in this run
	works   bool           // has a step that changes its lock entry
	content digest.Content // of the picked candidate; none if it will change
	picked  *provider.Image
	as      *spec.Image // with what ignore_changes holds on to; nil until it is visited
	origin  struct {
		code  string // see maker.origin
		known bool
	}
	entry *lock.Entry // nil if the lock does not know it
}

// sharer is an image whose candidates others may take, and how many it will
// have. While it stands still they can't be had, and are not bought twice.
type sharer struct {
	address spec.Address
	n       int
	stands  bool
	has     []provider.Image // of them now
}

type phase uint8

const (
	unvisited phase = iota
	visiting
	visited
)

type maker struct {
	in    Input
	plan  *Plan
	state []state

	configured []spec.Image          // also of a plan to destroy
	guards     map[spec.Address]bool // built when first needed

	orphan    []int                               // lock entries that the configuration does not have
	taken     []bool                              // orphans that were moved, by index of orphan
	byRequest map[digest.Request][]int            // orphans; built when first needed
	holders   map[digest.Request][]int            // all lock entries; built when first needed
	owners    map[string]*lock.Entry              // by output path; built when first needed
	wanted    map[string]bool                     // output paths that the configuration wants, but for responsive sets; built when first needed
	sets      map[string][]int                    // images by what the paths of their responsive sets have in common; built with wanted
	claimed   map[digest.Request][]digest.Content // bought before and given out in this plan
	text      []byte                              // of a request; reused
	pended    map[int]spec.Address                // whose pending attempts are
	sharers   map[digest.Request]sharer           // the image that has most once the plan is done
	imported  map[digest.Content]bool             // in the store once the plan is done
}

func (m *maker) index(a spec.Address) (int, bool) {
	return slices.BinarySearchFunc(m.in.Images, a, func(im spec.Image, a spec.Address) int {
		return cmp.Compare(im.Address, a)
	})
}

func (m *maker) problem(a spec.Address, p spec.Problem) {
	m.plan.Problems = append(m.plan.Problems, Problem{Address: a, Problem: p})
}

// select_ marks what the flags leave out and what they ask to roll again. A
// target takes what it needs along; an exclusion takes what needs it.
func (m *maker) select_() {
	sel := m.in.Select
	if len(sel.Target)+len(sel.Exclude)+len(sel.Replace) == 0 {
		return
	}
	patterns := [][]string{sel.Target, sel.Exclude, sel.Replace}
	flags := []string{"-target", "-exclude", "-replace"}
	used := make([][]bool, 3)
	for i := range used {
		used[i] = make([]bool, len(patterns[i]))
	}
	wanted := make([]bool, len(m.in.Images))
	for i := range m.in.Images {
		im := &m.in.Images[i]
		wanted[i] = len(sel.Target) == 0 || matchAny(sel.Target, used[0], im)
		m.state[i].skip = matchAny(sel.Exclude, used[1], im)
		m.state[i].replace = matchAny(sel.Replace, used[2], im)
	}
	var need func(i int)
	need = func(i int) {
		for _, a := range m.in.Images[i].Before() {
			if j, ok := m.index(a); ok && !wanted[j] {
				wanted[j] = true
				need(j)
			}
		}
	}
	if len(sel.Target) > 0 {
		for i := range wanted {
			if wanted[i] {
				need(i)
			}
		}
		for i := range wanted {
			m.state[i].skip = m.state[i].skip || !wanted[i]
		}
	}
	for k, list := range patterns {
		for i, p := range list {
			if !used[k][i] && !(k != 2 && m.matchesLock(p)) {
				m.problem("", spec.Problem{Field: flags[k], Value: p,
					Text: flags[k] + "=" + p + " matches no image", Hint: "imgbuild graph lists the addresses; * stands for any run of characters"})
			}
		}
	}
}

func (m *maker) matchesLock(pattern string) bool {
	return slices.ContainsFunc(m.in.Lock.Entries, func(e lock.Entry) bool { return m.hit(pattern, e.Address) })
}

// findOrphans walks the two sorted lists side by side, and notes which entry
// belongs to which image.
func (m *maker) findOrphans() {
	i := 0
	for j := range m.in.Lock.Entries {
		a := m.in.Lock.Entries[j].Address
		for i < len(m.in.Images) && m.in.Images[i].Address < a {
			i++
		}
		if i == len(m.in.Images) || m.in.Images[i].Address != a {
			m.orphan = append(m.orphan, j)
		} else {
			m.state[i].entry = &m.in.Lock.Entries[j]
		}
	}
	m.taken = make([]bool, len(m.orphan))
	if len(m.in.Moved) == 0 {
		return
	}
	orphans := make(map[spec.Address]int, len(m.orphan))
	for k, j := range m.orphan {
		orphans[m.in.Lock.Entries[j].Address] = k
	}
	for i := range m.in.Images {
		st := &m.state[i]
		for _, from := range m.in.Moved[m.in.Images[i].Address] {
			if k, ok := orphans[from]; ok && !m.taken[k] && st.entry == nil {
				m.taken[k] = true
				st.entry = &m.in.Lock.Entries[m.orphan[k]]
			}
		}
	}
}

func (m *maker) visit(i int) {
	st := &m.state[i]
	switch st.phase {
	case visited:
		return
	case visiting:
		panic("plan: a cycle of images reached the plan; package config must refuse it")
	}
	st.phase = visiting
	im := &m.in.Images[i]
	for _, a := range im.Before() {
		j, ok := m.index(a)
		if !ok {
			panic("plan: " + string(im.Address) + " needs " + string(a) + ", which is not there; package config must refuse it")
		}
		m.visit(j)
	}
	m.image(i, im)
	st.phase = visited
}

// source is the content of a source, none while it is not known.
func (m *maker) source(s spec.Source) digest.Content {
	switch {
	case !s.Content.IsZero():
		return s.Content
	case s.Data != "":
		b, _ := spec.ParseDataURL(s.Data) // package config has seen that it is one
		return digest.OfContent(b)
	case s.Image == "":
		return m.in.Files[s.File]
	}
	j, _ := m.index(s.Image)
	return m.state[j].content
}

func (m *maker) image(i int, im *spec.Image) {
	st := &m.state[i]
	entry := st.entry
	configured := im
	im, request, blind := m.hold(im, entry)
	st.as = im
	for _, a := range im.Before() {
		if j, _ := m.index(a); m.state[j].skip && m.state[j].content.IsZero() {
			st.skip = true
		}
	}
	if st.skip {
		if entry != nil {
			// A candidate that a postcondition refused has no output.
			if p := entry.Picked(Pick(im, entry)); p != nil && (!im.Judged || slices.ContainsFunc(entry.Outputs, func(o lock.Output) bool { return o.Of == p.Content })) {
				st.content, st.picked = p.Content, p
			}
		}
		st.waits = st.content.IsZero()
		return
	}
	var mask digest.Content
	if k := im.Wanted.Mask; k != nil {
		mask = m.source(spec.Source{File: k.File, Content: k.Content})
	}
	var res spec.Resolved
	var problems []spec.Problem
	if request != nil {
		res = resolveHeld(im, request)
	} else {
		res, problems = m.resolve(im, entry, false)
	}
	dig, known := m.digest(im, &res)
	if request == nil && entry != nil && (!known || dig != entry.Request || len(problems) > 0) {
		// It may differ only in defaults that the lock pins. They are looked at
		// only here: taking fields apart costs more than all the rest of an
		// unchanged image.
		res, problems = m.resolve(im, entry, true)
		dig, known = m.digest(im, &res)
	}
	if len(problems) > 0 {
		st.waits = true
		for _, p := range problems {
			m.problem(im.Address, p)
		}
		return
	}

	if blind && (!known || dig != entry.Request) {
		st.waits = true
		m.problem(im.Address, spec.Problem{Field: "lifecycle.ignore_changes",
			Text: "the request changes, and the lock does not have all of what it was, so nothing can be held",
			Hint: "remove ignore_changes to buy it again, or write the values back"})
		return
	}
	if im != configured {
		m.ignored(configured, entry, &res)
	}
	if known && entry != nil && entry.Request == dig && len(entry.Candidates) >= im.N && !st.replace && entry.Address == im.Address && !exposed(entry, res.Request.Sensitive) {
		if m.upToDate(im, st, entry, &res, mask) && m.unfit(im, &res, entry.Picked(Pick(im, entry)), mask) == "" {
			m.plan.Unchanged++
			return
		}
		st.content, st.picked = digest.Content{}, nil
	}
	s := &stepper{m: m, im: im, st: st, res: &res, entry: entry, mask: mask, known: known, digest: dig}
	s.run()
}

// Pick is the number, from 1, of the chosen candidate: the configuration wins
// over the lock.
func Pick(im *spec.Image, entry *lock.Entry) int {
	if im.Pick > 0 {
		return im.Pick
	}
	if entry != nil && entry.Pick > 0 && entry.Pick <= len(entry.Candidates) {
		return entry.Pick
	}
	return 1
}

// digest fills in the inputs and names the request, if all of them are known.
func (m *maker) digest(im *spec.Image, res *spec.Resolved) (dig digest.Request, known bool) {
	if len(im.Wanted.Sources) > 0 && !res.SetInputs(im, m.source, func(f string) digest.Content { return m.in.Files[f] }) {
		return dig, false
	}
	m.text = res.Request.AppendCanonical(m.text[:0])
	return digest.OfRequest(m.text), true
}

// resolve fits the wish to the offer, with the defaults that the lock pins if
// it is asked to.
func (m *maker) resolve(im *spec.Image, entry *lock.Entry, pinned bool) (spec.Resolved, []spec.Problem) {
	var pins spec.Pins
	w := &im.Wanted
	offer, ok := m.in.Offer(w.Provider, w.Model)
	if !ok {
		return spec.Resolved{}, []spec.Problem{{Field: "model", Value: w.Model,
			Text: w.Provider + " has no model " + strconv.Quote(w.Model), Hint: "imgbuild models lists them"}}
	}
	if pinned && entry.Field("provider") == offer.Provider {
		if o, is := m.in.Offer(w.Provider, entry.Field("model")); is && w.Model == "" {
			offer = o
		}
	}
	if pinned && entry.Field("provider") == offer.Provider && entry.Field("model") == offer.Model {
		pins = spec.Pins{Set: true, Resolution: entry.Field("resolution"), Quality: entry.Field("quality"), AspectRatio: entry.Field("aspect_ratio")}
		if entry.Field("input") != "" && len(w.Sources) == 0 {
			pins.AspectRatio = offer.DefaultAspectRatio // an edit took the shape of its source
		}
		if len(entry.Outputs) > 0 && w.Size != "" {
			r, _ := spec.ParseRecipe(entry.Outputs[0].Recipe)
			pins.Size = r.Size
		}
	}
	return spec.Resolve(im, offer, pins)
}

// Unmet lists what the models of images do not take: what a plan would find,
// where there can be no plan because of something else.
func Unmet(images []spec.Image, offer func(providerKey, model string) (*provider.Offer, bool)) (out []Problem) {
	m := maker{in: Input{Offer: offer}}
	for i := range images {
		if images[i].Wanted.Provider == "" {
			continue // and that was told
		}
		_, problems := m.resolve(&images[i], nil, false)
		for _, p := range problems {
			out = append(out, Problem{Address: images[i].Address, Problem: p})
		}
	}
	return out
}

// upToDate is the path of an image with nothing to do.
func (m *maker) upToDate(im *spec.Image, st *state, entry *lock.Entry, res *spec.Resolved, mask digest.Content) bool {
	picked := entry.Picked(Pick(im, entry))
	if picked == nil {
		return false
	}
	outs := m.outputs(im, res, mask, picked)
	if len(outs) != len(entry.Outputs) {
		return false
	}
	for _, o := range outs {
		rec := entry.Output(o.Path)
		if rec == nil || rec.Recipe != o.Recipe || rec.Of != picked.Content || !ours(m.in.Seen(o.Path), rec) || o.Name == "" && rec.Placeholder.Known() != im.Placeholder {
			return false
		}
	}
	st.content, st.picked = picked.Content, picked
	return true
}

// unfit is what a postcondition of an image says against its picture made from
// a candidate; "" if none does, and while that is asked for. A draft is not
// judged.
func (m *maker) unfit(im *spec.Image, res *spec.Resolved, of *provider.Image, mask digest.Content) string {
	if !im.Judged || m.in.Draft {
		return ""
	}
	key := Unfit{im.Address, of.Content}
	why, ok := m.in.Unfit[key]
	if !ok {
		p := Picture{Unfit: key, Of: *of, Model: res.Request.Model, Output: m.outputs(im, res, mask, of)[0], Sources: im.Wanted.Sources}
		if im.Wanted.Mask != nil {
			p.Mask = im.Wanted.Mask.File
		}
		if r, _ := spec.ParseRecipe(p.Output.Recipe); r.Label != "" {
			p.Label = m.label(im, of)
		}
		m.plan.Asks.Pictures = append(m.plan.Asks.Pictures, p)
	}
	return why
}

// ours reports whether a file is what we wrote, as far as is known.
func ours(seen Seen, rec *lock.Output) bool {
	return seen.Exists && seen.Regular && seen.Size == rec.Bytes && (seen.Content.IsZero() || seen.Content == rec.Content)
}

func (m *maker) bought(r digest.Request) []Bought {
	b, ok := m.in.Bought[r]
	if !ok {
		m.plan.Asks.Requests = append(m.plan.Asks.Requests, r)
	}
	return b
}

// held reports whether an original can be had: from a tier, or from an output
// that is a byte-for-byte copy of it.
func (m *maker) held(c digest.Content, entry *lock.Entry) bool {
	if entry != nil {
		for i := range entry.Outputs {
			if o := &entry.Outputs[i]; o.Content == c && ours(m.in.Seen(o.Path), o) {
				return true
			}
		}
	}
	if m.imported[c] {
		return true
	}
	h, ok := m.in.Held[c]
	if !ok {
		m.plan.Asks.Contents = append(m.plan.Asks.Contents, c)
	}
	return h
}

func (m *maker) orphans() {
	for k, j := range m.orphan {
		if m.taken[k] {
			continue
		}
		e := &m.in.Lock.Entries[j]
		if sel := m.in.Select; sel.Partial() {
			hit := func(p string) bool { return m.hit(p, e.Address) }
			if slices.ContainsFunc(sel.Exclude, hit) || len(sel.Target) > 0 && !slices.ContainsFunc(sel.Target, hit) {
				continue
			}
		}
		s := Step{Address: e.Address, Verb: Forget, Drop: true, Priced: true, Precondition: e.Digest(),
			Why: []Reason{{Cause: CauseUnwanted}}}
		if m.in.Destroy {
			s.Why[0] = Reason{Cause: CauseAsked, Field: "-destroy"}
		}
		for i := range e.Outputs {
			o := &e.Outputs[i]
			out, why := m.drop(e, o)
			s.Outputs = append(s.Outputs, out)
			s.Why = append(s.Why, why...)
			if out.Action == DeleteFile {
				s.Verb = Delete
			}
		}
		if !m.in.Kept[e.Address] && m.protects(e.Address) {
			s.protect(e)
		}
		if s.Verb == Protected {
			s.Outputs, s.Drop = nil, false
		}
		if i := slices.IndexFunc(e.Candidates, isImported); i >= 0 && s.Verb == Delete {
			s.Notes = []string{"it was imported" + m.original(e.Candidates[i].Content)}
		}
		m.plan.Steps = append(m.plan.Steps, s)
	}
}

// drop says what to do with an output of an entry that is no longer wanted.
func (m *maker) drop(e *lock.Entry, o *lock.Output) (Output, []Reason) {
	out := Output{Path: o.Path, Action: ForgetFile}
	seen := m.in.Seen(o.Path)
	switch {
	case !seen.Exists, m.wants(o.Path), m.mayBe(o.Path, e.Address):
	case !ours(seen, o):
		return out, []Reason{{Cause: CauseAltered, New: o.Path}}
	case m.in.Kept[e.Address] && !m.in.Destroy:
	default:
		out.Action, out.Expect = DeleteFile, o.Content
	}
	return out, nil
}

// wants reports whether some image of the configuration has this output, or is
// imported from it. Names are compared as a file system that ignores case would.
func (m *maker) wants(path string) bool {
	if m.wanted == nil {
		m.wanted, m.sets = make(map[string]bool, len(m.in.Images)), map[string][]int{}
		for i := range m.in.Images {
			im := &m.in.Images[i]
			m.wanted[spec.PathKey(im.Path)] = true
			for _, r := range im.Renditions {
				if r.Block != spec.Responsive {
					m.wanted[spec.PathKey(r.Path)] = true
					continue
				}
				base, _, ext := spec.CutSetPath(r.Path)
				if key := spec.PathKey(base + ext); !slices.Contains(m.sets[key], i) {
					m.sets[key] = append(m.sets[key], i)
				}
			}
		}
		for _, im := range m.in.Imports {
			m.wanted[spec.PathKey(im.Path)] = true
		}
	}
	return m.wanted[spec.PathKey(path)]
}

// mayBe reports whether a path may be one of the responsive set of an image;
// wants has been asked before.
func (m *maker) mayBe(path string, except spec.Address) bool {
	base, _, ext := spec.CutSetPath(path)
	return slices.ContainsFunc(m.sets[spec.PathKey(base+ext)], func(i int) bool {
		im := &m.in.Images[i]
		return im.Address != except && im.MayWrite(path)
	})
}

// findHolders notes which lock entries have candidates for which request.
func (m *maker) findHolders() {
	if m.holders != nil {
		return
	}
	m.holders = make(map[digest.Request][]int)
	for j := range m.in.Lock.Entries {
		r := m.in.Lock.Entries[j].Request
		m.holders[r] = append(m.holders[r], j)
	}
}

// owner is the recorded output of any image at path, or nil, and whose it is.
func (m *maker) owner(path string) (*lock.Output, spec.Address) {
	if m.owners == nil {
		m.owners = make(map[string]*lock.Entry, len(m.in.Lock.Entries))
		for i := range m.in.Lock.Entries {
			e := &m.in.Lock.Entries[i]
			for _, o := range e.Outputs {
				m.owners[o.Path] = e
			}
		}
	}
	if e := m.owners[path]; e != nil {
		return e.Output(path), e.Address
	}
	return nil, ""
}

// Check reports what is wrong with a plan that was read from a file.
func (p *Plan) Check() error {
	verbs := []Verb{Generate, Edit, Import, Render, Restore, Move, Delete, Forget, Record, Resume, Hold, Refused, Conflict, Missing, Protected}
	before := map[spec.Address]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		bad := func(format string, args ...any) error {
			return fmt.Errorf("step %d, %s: %s", i+1, s.Address, fmt.Sprintf(format, args...))
		}
		switch {
		case !slices.Contains(verbs, s.Verb):
			return bad("%q is not a verb", s.Verb)
		case len(s.Sources) != len(s.Request.Inputs):
			return bad("it has %d sources and %d inputs", len(s.Sources), len(s.Request.Inputs))
		case s.N < 0 || s.N > 10 || s.Need < 0 || s.Need > s.N || s.N > 0 && s.Pick < 1 || s.Pick < 0 || s.Rolls < 0:
			return bad("its numbers make no sense")
		case (s.Import != "") != (s.Verb == Import) || s.Import != "" && (spec.CheckPath(s.Import) != nil || s.N != 1 || len(s.Candidates) != 1):
			return bad("it does not say what is imported")
		case (s.Verb == Record || s.Verb == Protected) && len(s.Why) == 0:
			return bad("it does not say why")
		case s.Request.Mask != nil && (s.MaskFile == "" && s.Request.Mask.Edit != provider.Drawn && !s.Verb.Standing() || len(s.Sources) == 0):
			return bad("it has a mask and nothing that is masked")
		}
		if before[s.Address] {
			return bad("it is there twice")
		}
		for _, a := range s.After {
			if !before[a] && slices.ContainsFunc(p.Steps, func(x Step) bool { return x.Address == a }) {
				return bad("it must come after %s", a)
			}
		}
		before[s.Address] = true
		for _, o := range slices.Concat(s.Outputs, s.Responsive) {
			if err := spec.CheckOutput(o.Path); err != nil {
				return bad("the path %q %v", o.Path, err)
			}
			r, err := spec.ParseRecipe(o.Recipe)
			if err != nil {
				return bad("%v", err)
			}
			if o.Action == Write && !o.Adopt && r.Label != "" && (s.Label == nil || s.Label.Digest() != r.Label) {
				return bad("its label is not the one that %q is to have", o.Path)
			}
		}
		if s.Need > 0 && len(s.Outputs) == 0 {
			return bad("it buys and writes nothing")
		}
	}
	return nil
}

// Recount counts the steps and their prices anew.
func (p *Plan) Recount() {
	p.countBudgets()
	p.Summary = Summary{}
	s := &p.Summary
	s.Free = len(p.Manifests)
	for i := range p.Steps {
		step := &p.Steps[i]
		for _, o := range step.Outputs {
			if o.Action == DeleteFile {
				s.Files++
			}
		}
		switch {
		case step.Verb.Paid() && step.Priced && step.Price == 0:
			s.Make++
			s.Images += step.Need
		case step.Verb.Paid():
			s.Buy++
			s.Images += step.Need
			s.Price += step.Price
			if !step.Priced {
				s.Unpriced++
			}
		case step.Verb == Delete:
			s.Delete++
		case step.Verb.Standing():
			s.Standing++
		default:
			s.Free++
		}
	}
}

// Changes reports whether applying the plan would do anything.
func (p *Plan) Changes() bool {
	return len(p.Manifests) > 0 || slices.ContainsFunc(p.Steps, func(s Step) bool { return !s.Verb.Standing() })
}

// inputName is how a reason names what an edit starts from.
func inputName(sources []spec.Source) string {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}

// sourceDiff is fieldDiff for people: a source that changed is named, not
// printed as a digest.
func sourceDiff(old, new []provider.Field, sources []spec.Source) []Reason {
	return named(fieldDiff(old, new), sources)
}

func named(why []Reason, sources []spec.Source) []Reason {
	for i := range why {
		if why[i].Field == "input" {
			why[i] = Reason{Cause: CauseSource, New: inputName(sources)}
		}
	}
	return why
}

func fieldDiff(old, new []provider.Field) (why []Reason) {
	get := func(list []provider.Field, name string) string {
		var values []string
		for _, f := range list {
			if f.Name == name {
				values = append(values, f.Value)
			}
		}
		return strings.Join(values, " ")
	}
	var names []string
	for _, f := range slices.Concat(new, old) {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	for _, name := range names {
		if a, b := get(old, name), get(new, name); a != b {
			why = append(why, Reason{Cause: CauseChanged, Field: name, Old: a, New: b})
		}
	}
	return why
}
