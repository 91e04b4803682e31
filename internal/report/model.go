package report

import (
	"cmp"
	_ "embed" // of Schema
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Schema is the JSON Schema of what ModelJSON writes.
//
//go:embed report.schema.json
var Schema []byte

// State is a project at one time.
type State struct {
	Name   string       // what the user called it; "" for the folder as it is
	Commit string       // of git; "" for the folder as it is
	Images []spec.Image // sorted by address; nil if the configuration has errors
	Lock   *lock.Lock
}

// Model is what a report shows, whatever it looks like. Of two revisions it is
// what became of the configuration, the lock and the files, what was paid for
// that, and what the plan of the later one has still to do; of a plan alone it is
// that.
type Model struct {
	FormatVersion string          `json:"format_version"`
	Kind          string          `json:"kind"` // OfDiff, OfPlan or OfApply
	Tool          string          `json:"tool"`
	Base          Point           `json:"base"`
	Head          Point           `json:"head"`
	Summary       Total           `json:"summary"`
	Images        []ImageChange   `json:"images"` // that differ or have something to do, by address
	Manifests     []plan.Manifest `json:"manifests,omitempty"`
}

// Kinds of models.
const (
	OfDiff  = "diff"
	OfPlan  = "plan"
	OfApply = "apply"
)

// Point names a state.
type Point struct {
	Ref    string `json:"ref,omitempty"`    // as it was asked for; none for the folder as it is
	Commit string `json:"commit,omitempty"` // its full name
	Broken bool   `json:"broken,omitempty"` // the configuration has errors: only the lock is compared
}

// Total counts images and money.
type Total struct {
	New       int            `json:"new"`
	Changed   int            `json:"changed"`
	Moved     int            `json:"moved"`
	Removed   int            `json:"removed"`
	Pending   int            `json:"pending"` // of all these and of the others: that the plan has something to do for
	Unchanged int            `json:"unchanged"`
	Deleted   int            `json:"files_deleted"`
	Spent     provider.Money `json:"spent"`
	ToSpend   provider.Money `json:"to_spend"`
	Unpriced  int            `json:"unpriced"` // of Pending: to be paid, at a price that is not known
}

// Group says what became of an image.
type Group string

// The groups, in the order in which people want to see them.
const (
	RemovedImage   Group = "removed"
	ChangedImage   Group = "changed"
	NewImage       Group = "new"
	MovedImage     Group = "moved"
	UnchangedImage Group = "unchanged" // it has something to do all the same
)

// ImageChange is one image of a comparison.
type ImageChange struct {
	Address string         `json:"address"`
	From    string         `json:"from,omitempty"` // its address in the base
	Group   Group          `json:"group"`
	Alt     string         `json:"alt,omitempty"`
	Fields  []FieldChange  `json:"fields,omitempty"` // of the configuration
	Old     *ImageFile     `json:"old,omitempty"`    // the main output
	New     *ImageFile     `json:"new,omitempty"`
	Files   []FileChange   `json:"files,omitempty"` // all that differ, by path
	Spent   provider.Money `json:"spent"`
	Step    *plan.Step     `json:"step,omitempty"`    // what is still to do
	Outcome *Outcome       `json:"outcome,omitempty"` // of an apply
}

// Outcome is how an apply ended for an image.
type Outcome struct {
	Kind apply.EventKind `json:"kind"`
	Text string          `json:"text,omitempty"` // why it is not done
	Hint string          `json:"hint,omitempty"`
}

// FieldChange is an attribute of an image that differs. Old or New is "" where it
// is not said.
type FieldChange struct {
	Name      string `json:"name"`
	Old       string `json:"old,omitempty"`
	New       string `json:"new,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"` // Old and New are withheld
}

// ImageFile is a picture as the lock records it. Width and Height are pixels of
// the candidate that it was made from.
type ImageFile struct {
	Path   string         `json:"path"`
	SHA256 digest.Content `json:"sha256"`
	Bytes  int64          `json:"bytes"`
	Of     digest.Content `json:"of,omitzero"`
	Width  int            `json:"width,omitempty"`
	Height int            `json:"height,omitempty"`
	Model  string         `json:"model,omitempty"`
}

// FileChange is a file that is new, another one, or gone: then Old or New is none.
type FileChange struct {
	Path     string         `json:"path"`
	Old      digest.Content `json:"old,omitzero"`
	New      digest.Content `json:"new,omitzero"`
	OldBytes int64          `json:"old_bytes,omitempty"`
	NewBytes int64          `json:"new_bytes,omitempty"`
	Recipe   []FieldChange  `json:"recipe,omitempty"` // how it is made otherwise: width, fit, quality, …
}

// Compare tells what is between base and head. p is the plan of head, and moved
// maps an address of head to those that the image may have had.
func Compare(base, head State, p *plan.Plan, moved map[spec.Address][]spec.Address) *Model {
	c := &Model{FormatVersion: "1.0", Kind: OfDiff, Tool: p.Tool, Manifests: p.Manifests, Images: []ImageChange{},
		Base: Point{base.Name, base.Commit, base.Images == nil}, Head: Point{head.Name, head.Commit, head.Images == nil}}
	known := map[digest.Content]bool{}
	for i := range base.Lock.Entries {
		for _, im := range base.Lock.Entries[i].Candidates {
			known[im.Content] = true
		}
	}
	counted := map[digest.Content]bool{} // shared candidates are paid for once
	steps := map[spec.Address]*plan.Step{}
	for i := range p.Steps {
		steps[p.Steps[i].Address] = &p.Steps[i]
	}
	taken := map[spec.Address]bool{} // addresses of the base that have another name now
	for _, a := range head.wanted() {
		im := ImageChange{Address: string(a), Step: steps[a]}
		from := a
		if !base.has(a) {
			names := moved[a]
			if im.Step != nil && im.Step.From != "" {
				names = append(slices.Clone(names), im.Step.From)
			}
			if i := slices.IndexFunc(names, func(a spec.Address) bool { return base.has(a) && !head.wants(a) && !taken[a] }); i >= 0 {
				from, im.From = names[i], string(names[i])
				taken[from] = true
			}
		}
		e := head.Lock.Get(a)
		if e == nil {
			e = head.Lock.Get(from)
		}
		im.compare(base.image(from), head.image(a), base.Lock.Get(from), e)
		if e != nil {
			for _, cand := range e.Candidates {
				if !known[cand.Content] && !counted[cand.Content] {
					counted[cand.Content] = true
					im.Spent += cand.Price
				}
			}
			im.Spent += newRefusals(base.Lock.Get(from), e)
		}
		c.add(im)
	}
	for _, a := range base.addresses() {
		if !head.wants(a) && !taken[a] {
			im := ImageChange{Address: string(a), Step: steps[a]}
			im.compare(base.image(a), nil, base.Lock.Get(a), head.Lock.Get(a))
			im.Group = RemovedImage
			c.add(im)
		}
	}
	slices.SortFunc(c.Images, func(a, b ImageChange) int { return cmp.Compare(a.Address, b.Address) })
	return c
}

// Planned is the model of a plan for a project as it is.
func Planned(p *plan.Plan, head State) *Model {
	c := &Model{FormatVersion: "1.0", Kind: OfPlan, Tool: p.Tool, Manifests: p.Manifests, Images: []ImageChange{}}
	for i := range p.Steps {
		s := &p.Steps[i]
		now := head.image(s.Address)
		im := ImageChange{Address: string(s.Address), From: string(s.From), Step: s, Group: ChangedImage, Old: mainFile(head.Lock.Get(cmp.Or(s.From, s.Address)), nil)}
		if now != nil {
			im.Alt = now.Alt
		}
		if s.Verb != plan.Delete {
			im.New = im.Old
		}
		for _, r := range s.Why {
			if r.Cause == plan.CauseChanged {
				im.Fields = append(im.Fields, FieldChange{r.Field, r.Old, r.New, r.Sensitive})
			}
		}
		for _, o := range s.Outputs {
			if o.Action == plan.DeleteFile {
				im.Files = append(im.Files, FileChange{Path: o.Path, Old: o.Expect})
			}
		}
		switch {
		case s.Verb == plan.Delete || s.Verb == plan.Forget:
			im.Group = RemovedImage
		case s.Verb == plan.Move:
			im.Group = MovedImage
		case s.Verb.Standing():
			im.Group = UnchangedImage
		case has(s, plan.CauseNew), has(s, plan.CauseImported):
			im.Group = NewImage
		}
		c.add(im)
	}
	c.Summary.Unchanged += p.Unchanged
	return c
}

// Applied is what an apply did: between what the lock was before and is now, with
// how it ended for each image. p is the plan of what is left.
func Applied(before *lock.Lock, head State, p *plan.Plan, ended map[spec.Address]Outcome) *Model {
	c := Compare(State{Lock: before}, head, p, nil)
	c.Kind, c.Base = OfApply, Point{}
	for i := range c.Images {
		if o, ok := ended[spec.Address(c.Images[i].Address)]; ok {
			c.Images[i].Outcome = &o
		}
	}
	return c
}

// newRefusals is what was paid for replies that can't be used.
func newRefusals(old, now *lock.Entry) (paid provider.Money) {
	for _, r := range now.Refused {
		if old == nil || !slices.Contains(old.Refused, r) {
			paid += r.Price
		}
	}
	return paid
}

// add takes an image in if there is something to tell of it.
func (c *Model) add(im ImageChange) {
	t := &c.Summary
	switch im.Group {
	case NewImage:
		t.New++
	case ChangedImage:
		t.Changed++
	case MovedImage:
		t.Moved++
	case RemovedImage:
		t.Removed++
	default:
		t.Unchanged++
	}
	t.Spent += im.Spent
	t.Deleted += im.deleted()
	if s := im.Step; s != nil {
		t.Pending++
		if s.Verb.Paid() {
			t.ToSpend += s.Price
			if !s.Priced {
				t.Unpriced++
			}
		}
	}
	if im.Group != UnchangedImage || im.Step != nil {
		c.Images = append(c.Images, im)
	}
}

// image is that of an address, nil if the configuration has none.
func (s *State) image(a spec.Address) *spec.Image {
	i, ok := slices.BinarySearchFunc(s.Images, a, func(im spec.Image, a spec.Address) int { return cmp.Compare(im.Address, a) })
	if !ok {
		return nil
	}
	return &s.Images[i]
}

func (s *State) has(a spec.Address) bool { return s.image(a) != nil || s.Lock.Get(a) != nil }

// wants reports whether a state has an image on purpose: only the lock can tell
// where the configuration can't be read.
func (s *State) wants(a spec.Address) bool {
	return s.image(a) != nil || s.Images == nil && s.Lock.Get(a) != nil
}

// addresses are those of the configuration and of the lock, sorted.
func (s *State) addresses() (out []spec.Address) {
	for i := range s.Images {
		out = append(out, s.Images[i].Address)
	}
	for i := range s.Lock.Entries {
		out = append(out, s.Lock.Entries[i].Address)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *State) wanted() []spec.Address {
	return slices.DeleteFunc(s.addresses(), func(a spec.Address) bool { return !s.wants(a) })
}

// compare fills in what is between an image of the base and one of the head, of
// which there may be none, by their blocks and by what their locks have.
func (im *ImageChange) compare(old, now *spec.Image, was, is *lock.Entry) {
	if now != nil {
		im.Alt = now.Alt
	}
	if old != nil && now != nil {
		im.Fields = fieldChanges(fieldsOf(old), fieldsOf(now))
	} else if was != nil && is != nil { // nobody knows more than the locks do
		im.Fields = fieldChanges(recorded(was), recorded(is))
	}
	im.Old, im.New = mainFile(was, old), mainFile(is, now)
	im.Files = fileChanges(was, is)
	onlyPath := !slices.ContainsFunc(im.Fields, func(f FieldChange) bool { return f.Name != "path" && f.Name != "files" })
	switch {
	case old == nil && was == nil:
		im.Group = NewImage
	case im.From != "" && onlyPath && sameFiles(im.Files):
		im.Group = MovedImage
	case len(im.Fields) > 0, !sameFiles(im.Files):
		im.Group = ChangedImage
	default:
		im.Group = UnchangedImage
	}
}

// deleted counts the files that are gone, and not only elsewhere.
func (im *ImageChange) deleted() (n int) {
	for _, f := range im.Files {
		if f.New.IsZero() && !slices.ContainsFunc(im.Files, func(g FileChange) bool { return g.New == f.Old }) {
			n++
		}
	}
	return n
}

// sameFiles reports whether files only have other names.
func sameFiles(l []FileChange) bool {
	var old, now []digest.Content
	for _, f := range l {
		if !f.Old.IsZero() {
			old = append(old, f.Old)
		}
		if !f.New.IsZero() {
			now = append(now, f.New)
		}
	}
	byText := func(a, b digest.Content) int { return cmp.Compare(a.String(), b.String()) }
	slices.SortFunc(old, byText)
	slices.SortFunc(now, byText)
	return slices.Equal(old, now)
}

// mainFile is the main output that an entry records: that of the path which the
// image has, else of the recipe without a rendition, which is the first.
func mainFile(e *lock.Entry, im *spec.Image) *ImageFile {
	if e == nil || len(e.Outputs) == 0 {
		return nil
	}
	o := &e.Outputs[0]
	if im != nil && e.Output(im.Path) != nil {
		o = e.Output(im.Path)
	}
	f := &ImageFile{Path: o.Path, SHA256: o.Content, Bytes: o.Bytes, Of: o.Of, Model: e.Field("model")}
	for _, c := range e.Candidates {
		if c.Content == o.Of {
			f.Width, f.Height, f.Model = c.Width, c.Height, cmp.Or(c.Model, f.Model)
		}
	}
	return f
}

func fileChanges(was, is *lock.Entry) (out []FileChange) {
	files, recipes := map[string]*FileChange{}, map[string]string{}
	at := func(path string) *FileChange {
		if files[path] == nil {
			files[path] = &FileChange{Path: path}
		}
		return files[path]
	}
	if was != nil {
		for _, o := range was.Outputs {
			f := at(o.Path)
			f.Old, f.OldBytes = o.Content, o.Bytes
			recipes[o.Path] = o.Recipe
		}
	}
	if is != nil {
		for _, o := range is.Outputs {
			f := at(o.Path)
			f.New, f.NewBytes = o.Content, o.Bytes
			if !f.Old.IsZero() {
				f.Recipe = fieldChanges(recipeFields(recipes[o.Path]), recipeFields(o.Recipe))
			}
		}
	}
	for _, f := range files {
		if f.Old != f.New {
			out = append(out, *f)
		}
	}
	slices.SortFunc(out, func(a, b FileChange) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// recipeFields are the words of a recipe, KEY=VALUE, that say something to
// people: what it restores and its label are digests.
func recipeFields(recipe string) (out []field) {
	for _, word := range strings.Fields(recipe) {
		if key, value, _ := strings.Cut(word, "="); key != "restore" && key != "label" && key != "font" {
			out = append(out, field{key, value, false})
		}
	}
	return out
}

// field is an attribute as text.
type field struct {
	name, text string
	sensitive  bool
}

// fieldsOf are the attributes of an image that somebody who reviews it reads,
// the prompt first.
func fieldsOf(im *spec.Image) []field {
	w := &im.Wanted
	secret := func(name string) bool { return slices.Contains(w.Sensitive, name) }
	var out []field
	add := func(name, text string) { out = append(out, field{name, text, secret(name)}) }
	flag := func(name string, set bool) {
		if set {
			add(name, "true")
		} else {
			add(name, "")
		}
	}
	add("prompt", w.Prompt)
	add("style", w.Style)
	var sources []string
	for _, s := range w.Sources {
		sources = append(sources, s.String())
	}
	add("edit", strings.Join(sources, ", "))
	mask := ""
	if m := w.Mask; m != nil {
		mask = strings.TrimSpace(strings.Join([]string{m.Edit, m.File, strings.ReplaceAll(m.Shapes, ";", " ")}, " "))
	}
	add("mask", mask)
	add("provider", w.Provider)
	add("model", w.Model)
	add("size", w.Size)
	add("aspect_ratio", w.AspectRatio)
	add("resolution", w.Resolution)
	add("quality", w.Quality)
	add("user", w.User)
	add("reroll", w.Reroll)
	flag("enlarge", w.Enlarge)
	n := ""
	if im.N != 1 {
		n = strconv.Itoa(im.N)
	}
	add("n", n)
	pick := ""
	if im.Pick > 0 {
		pick = strconv.Itoa(im.Pick)
	}
	add("pick", pick)
	add("path", im.Path)
	add("alt", im.Alt)
	flag("decorative", im.Decorative)
	add("caption", im.Caption)
	add("credit", im.Credit)
	add("license", im.License)
	add("tags", strings.Join(im.Tags, ", "))
	var renditions []string
	for i := range im.Renditions {
		r := &im.Renditions[i]
		renditions = append(renditions, r.String()+" "+r.Path)
	}
	slices.Sort(renditions)
	add("files", strings.Join(renditions, ", "))
	return out
}

// recorded are the fields of a request as the lock has them.
func recorded(e *lock.Entry) (out []field) {
	for _, f := range e.Fields() {
		out = append(out, field{f.Name, f.Value, false})
	}
	return out
}

// fieldChanges compares lists of fields, of which a name may have several.
func fieldChanges(old, now []field) (out []FieldChange) {
	type both struct {
		old, now []string
		secret   bool
	}
	values := map[string]*both{}
	var names []string
	at := func(f field) *both {
		if values[f.name] == nil {
			values[f.name] = &both{}
			names = append(names, f.name)
		}
		values[f.name].secret = values[f.name].secret || f.sensitive
		return values[f.name]
	}
	for _, f := range old {
		b := at(f)
		b.old = append(b.old, f.text)
	}
	for _, f := range now {
		b := at(f)
		b.now = append(b.now, f.text)
	}
	for _, name := range names {
		b := values[name]
		c := FieldChange{Name: name, Old: strings.Join(b.old, ", "), New: strings.Join(b.now, ", "), Sensitive: b.secret}
		if c.Old == c.New {
			continue
		}
		if c.Sensitive {
			c.Old, c.New = "", ""
		}
		out = append(out, c)
	}
	return out
}
