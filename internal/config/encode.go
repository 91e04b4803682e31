package config

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// encoding is named in the first bytes, so that a cache of another version is
// an error and not a surprise. Change it with the layout or a field.
const encodingVersion = "imgbuild config 16\n"

var errCorrupt = errors.New("config: the encoded project is corrupt or of another version")

// Encode writes the project for the cache: everything but the expressions of
// outputs, checks and postconditions. Findings are not in it, so it is for projects without any.
//
// The layout is the version, the digest of what follows it, then fields one
// after the other: numbers as varints, a text as 1 + the number of an earlier
// equal one or as 0, length and bytes. Only texts that tend to repeat are
// numbered.
func (p *Project) Encode() []byte {
	w := writer{texts: map[string]int{}}
	w.b = make([]byte, len(encodingVersion)+len(digest.Content{}), 1024+len(p.Images)*320)
	s := &p.Settings
	w.text(s.RequiredVersion)
	w.text(s.OutputDir)
	w.flag(s.MaxCost != nil)
	if s.MaxCost != nil {
		w.number(int(*s.MaxCost))
	}
	w.flag(s.Store != nil)
	if s.Store != nil {
		w.text(s.Store.Path)
		w.text(s.Store.Keep)
	}
	w.number(len(s.Manifests))
	for _, m := range s.Manifests {
		w.text(m.Kind)
		w.text(m.Path)
		w.place(m.at)
	}
	for _, list := range s.Lint.lists() {
		w.number(len(*list))
		for _, t := range *list {
			w.again(t)
		}
	}
	w.text(s.Lint.Baseline)
	w.number(s.Lint.MaxBytes)
	w.place(s.Lint.at)
	w.flag(p.hasOutputs)
	w.flag(p.hasConditions)

	w.number(len(p.Providers))
	for i := range p.Providers {
		c := &p.Providers[i]
		for _, t := range []string{c.Type, c.Alias, c.Endpoint, c.Wire, c.Transport, c.Response, c.InDoubt} {
			w.again(t)
		}
		w.number(len(c.Command))
		for _, t := range c.Command {
			w.again(t)
		}
		w.flag(c.Deferred)
		w.number(c.Parallelism)
		w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(c.PerMinute))
	}
	w.number(len(p.Moved))
	for _, m := range p.Moved {
		w.again(string(m.From))
		w.again(string(m.To))
	}
	w.number(len(p.Removed))
	for _, r := range p.Removed {
		w.again(string(r.From))
		w.flag(r.KeepFiles)
	}
	w.number(len(p.Budgets))
	for _, b := range p.Budgets {
		w.text(b.Name)
		w.number(len(b.Tags))
		for _, t := range b.Tags {
			w.again(t)
		}
		w.number(int(b.MaxCost))
		w.place(b.at)
	}
	w.number(len(p.Guards))
	for _, g := range p.Guards {
		w.text(string(g.Address))
		w.place(g.at)
	}
	w.number(len(p.files))
	for _, f := range p.files {
		w.text(f)
	}
	w.number(len(p.Imports))
	for _, im := range p.Imports {
		w.again(string(im.To))
		w.text(im.Path)
		w.place(im.block)
	}
	w.number(len(p.presets))
	for _, a := range p.presets {
		w.origin(a.origin)
		w.text(a.name)
	}
	w.number(len(p.inputs))
	for _, in := range p.inputs {
		w.number(int(in.Kind))
		w.text(in.Path)
		w.text(in.Pattern)
		w.b = append(w.b, in.Content[:]...)
	}
	w.number(len(p.Images))
	for i := range p.Images {
		w.image(&p.Images[i])
		w.origin(p.origins[i])
	}
	head := copy(w.b, encodingVersion)
	sum := digest.OfContent(w.b[head+len(digest.Content{}):])
	copy(w.b[head:], sum[:])
	return w.b
}

// Decode reads what Encode wrote. The result has no expressions: where
// HasOutputs tells that there are outputs, Finish needs a loaded project.
func Decode(b []byte) (*Project, error) {
	head := len(encodingVersion) + len(digest.Content{})
	if len(b) < head || string(b[:len(encodingVersion)]) != encodingVersion {
		return nil, errCorrupt
	}
	if digest.OfContent(b[head:]) != digest.Content(b[len(encodingVersion):head]) {
		return nil, errCorrupt
	}
	// All texts share these bytes; most of them are text.
	r := reader{s: string(b[head:])}
	p := &Project{}
	s := &p.Settings
	s.RequiredVersion, s.OutputDir = r.text(), r.text()
	if r.flag() {
		m := provider.Money(r.number())
		s.MaxCost = &m
	}
	if r.flag() {
		s.Store = &Store{r.text(), r.text()}
	}
	s.Manifests = list[Manifest](&r)
	for i := range s.Manifests {
		s.Manifests[i] = Manifest{r.text(), r.text(), r.place()}
	}
	for _, to := range s.Lint.lists() {
		*to = list[string](&r)
		for i := range *to {
			(*to)[i] = r.again()
		}
	}
	s.Lint.Baseline, s.Lint.MaxBytes, s.Lint.at = r.text(), r.number(), r.place()
	p.hasOutputs, p.hasConditions = r.flag(), r.flag()

	p.Providers = list[provider.Config](&r)
	for i := range p.Providers {
		c := &p.Providers[i]
		for _, t := range []*string{&c.Type, &c.Alias, &c.Endpoint, &c.Wire, &c.Transport, &c.Response, &c.InDoubt} {
			*t = r.again()
		}
		c.Command = list[string](&r)
		for k := range c.Command {
			c.Command[k] = r.again()
		}
		c.Deferred = r.flag()
		c.Parallelism = r.number()
		if bits := r.bytes(8); len(bits) == 8 {
			c.PerMinute = math.Float64frombits(binary.LittleEndian.Uint64([]byte(bits)))
		}
	}
	p.Moved = list[Moved](&r)
	for i := range p.Moved {
		p.Moved[i] = Moved{spec.Address(r.again()), spec.Address(r.again())}
	}
	p.Removed = list[Removed](&r)
	for i := range p.Removed {
		p.Removed[i] = Removed{spec.Address(r.again()), r.flag()}
	}
	p.Budgets = list[Budget](&r)
	for i := range p.Budgets {
		b := &p.Budgets[i]
		b.Name, b.Tags = r.text(), list[string](&r)
		for k := range b.Tags {
			b.Tags[k] = r.again()
		}
		b.MaxCost, b.at = provider.Money(r.number()), r.place()
	}
	p.Guards = list[Guard](&r)
	for i := range p.Guards {
		p.Guards[i] = Guard{spec.Address(r.text()), r.place()}
	}
	p.files = list[string](&r)
	for i := range p.files {
		p.files[i] = r.text()
	}
	p.Imports = list[Import](&r)
	for i := range p.Imports {
		p.Imports[i] = Import{spec.Address(r.again()), r.text(), r.place()}
		if int(p.Imports[i].block.file) >= len(p.files) {
			r.bad = true
		}
	}
	r.bad = r.bad || s.Lint.at.line != 0 && int(s.Lint.at.file) >= len(p.files)
	for _, m := range s.Manifests {
		r.bad = r.bad || int(m.at.file) >= len(p.files)
	}
	for i := range p.Budgets {
		r.bad = r.bad || int(p.Budgets[i].at.file) >= len(p.files)
	}
	for i := range p.Guards {
		r.bad = r.bad || int(p.Guards[i].at.file) >= len(p.files)
	}
	p.presets = list[ancestor](&r)
	for i := range p.presets {
		p.presets[i] = ancestor{r.origin(p), r.text()}
	}
	p.inputs = list[Input](&r)
	for i := range p.inputs {
		in := &p.inputs[i]
		in.Kind, in.Path, in.Pattern = InputKind(r.number()), r.text(), r.text()
		copy(in.Content[:], r.bytes(len(in.Content)))
	}
	p.Images = list[spec.Image](&r)
	p.origins = make([]origin, len(p.Images))
	for i := range p.Images {
		r.image(&p.Images[i])
		p.origins[i] = r.origin(p)
		if r.bad {
			return nil, errCorrupt
		}
	}
	if r.bad || r.at != len(r.s) {
		return nil, errCorrupt
	}
	return p, nil
}

type writer struct {
	b     []byte
	texts map[string]int
}

func (w *writer) number(n int) { w.b = binary.AppendVarint(w.b, int64(n)) }

func (w *writer) flag(f bool) {
	if f {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) text(s string) {
	w.number(len(s))
	w.b = append(w.b, s...)
}

// again is text for what tends to repeat.
func (w *writer) again(s string) {
	if s == "" {
		w.number(1)
		return
	}
	if n, ok := w.texts[s]; ok {
		w.number(n + 2)
		return
	}
	w.texts[s] = len(w.texts)
	w.number(0)
	w.text(s)
}

func (w *writer) place(p place) {
	w.number(int(p.file))
	w.number(int(p.line))
	w.number(int(p.byte))
}

func (w *writer) origin(o origin) {
	w.place(o.place)
	w.number(int(o.preset) + 1)
}

func (w *writer) encoding(e *spec.Encoding) {
	w.again(e.Format)
	w.number(e.Quality)
	w.flag(e.Lossless)
	w.again(e.Background)
}

// Fields of an image that are mostly empty are announced by a bit.
const (
	hasEdit = 1 << iota
	hasMask
	hasFile
	hasRenditions
	isShared
	isDecorative
	isEnlarged
	isProtected
	hasLife // tags, depends_on or ignore_changes
	isJudged
	hasMaxCost
	hasLabel // caption, credit or license
	isUnlabelled
	labelsCopies
	hasSizes
	hasPlaceholder
)

func (w *writer) image(im *spec.Image) {
	bits := 0
	for _, f := range []struct {
		bit int
		on  bool
	}{
		{hasEdit, len(im.Wanted.Sources) > 0}, {hasMask, im.Wanted.Mask != nil}, {hasFile, im.File != spec.Encoding{}},
		{hasRenditions, len(im.Renditions) > 0}, {isShared, im.Share}, {isDecorative, im.Decorative}, {isEnlarged, im.Wanted.Enlarge},
		{isProtected, im.Protect}, {isJudged, im.Judged}, {hasMaxCost, im.MaxCost != nil}, {hasLabel, im.Caption+im.Credit+im.License != ""}, {isUnlabelled, im.Unlabelled}, {labelsCopies, im.LabelCopies}, {hasSizes, im.Sizes != ""}, {hasPlaceholder, im.Placeholder}, {hasLife, len(im.Tags)+len(im.DependsOn) > 0 || im.Ignore != 0},
	} {
		if f.on {
			bits |= f.bit
		}
	}
	w.number(bits)
	w.text(string(im.Address))
	w.text(im.Wanted.Prompt)
	w.text(im.Path)
	w.text(im.Alt)
	for _, t := range repeating(im) {
		w.again(*t)
	}
	w.number(im.N)
	w.number(im.Pick)
	if bits&hasEdit != 0 {
		w.number(len(im.Wanted.Sources))
		for _, s := range im.Wanted.Sources {
			w.again(string(s.Image))
			w.again(s.File)
			w.text(s.Data)
		}
	}
	if m := im.Wanted.Mask; m != nil {
		w.again(m.File)
		w.again(m.Edit)
		w.again(m.Shapes)
		w.number(len(m.Written))
		for _, t := range m.Written {
			w.again(t)
		}
		w.flag(m.Preserve != nil)
		w.flag(m.Preserve != nil && *m.Preserve)
	}
	if bits&hasFile != 0 {
		w.encoding(&im.File)
	}
	if bits&hasRenditions != 0 {
		w.number(len(im.Renditions))
		for i := range im.Renditions {
			r := &im.Renditions[i]
			w.again(r.Block)
			w.again(r.Name)
			w.text(r.Path)
			w.number(r.Width)
			w.number(r.Height)
			w.again(r.Fit)
			w.encoding(&r.File)
			w.again(r.Crop.String())
			w.again(r.Gravity)
			w.again(r.Icon)
			for _, t := range []string{r.Card.Title, r.Card.Subtitle, r.Card.Font, r.Card.Color} {
				w.again(t)
			}
			w.flag(r.Linear)
			w.flag(r.Grayscale)
			w.number(int(r.Blur))
			w.number(int(r.Sharpen))
		}
	}
	if bits&hasLife != 0 {
		w.number(len(im.Tags))
		for _, t := range im.Tags {
			w.again(t)
		}
		w.number(len(im.DependsOn))
		for _, a := range im.DependsOn {
			w.again(string(a))
		}
		w.number(int(im.Ignore))
	}
	if bits&hasMaxCost != 0 {
		w.number(int(*im.MaxCost))
	}
	if bits&hasLabel != 0 {
		w.text(im.Caption)
		w.again(im.Credit)
		w.again(im.License)
	}
	if bits&hasSizes != 0 {
		w.again(im.Sizes)
	}
}

// repeating is the fields of an image that have few different values.
func repeating(im *spec.Image) [9]*string {
	w := &im.Wanted
	return [9]*string{&w.Provider, &w.Model, &w.Size, &w.AspectRatio, &w.Resolution, &w.Quality, &w.Style, &w.User, &w.Reroll}
}

type reader struct {
	s     string
	at    int
	texts []string
	bad   bool
}

func (r *reader) number() int {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		if r.at >= len(r.s) {
			break
		}
		c := r.s[r.at]
		r.at++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int(n>>1) ^ -int(n&1)
		}
	}
	r.bad = true
	return 0
}

func (r *reader) flag() bool { return r.bytes(1) == "\x01" }

func (r *reader) bytes(n int) string {
	if n < 0 || n > len(r.s)-r.at {
		r.bad = true
		return ""
	}
	s := r.s[r.at : r.at+n]
	r.at += n
	return s
}

func (r *reader) text() string { return r.bytes(r.number()) }

func (r *reader) again() string {
	switch n := r.number() - 2; {
	case n == -1:
		return ""
	case n == -2:
		s := r.text()
		r.texts = append(r.texts, s)
		return s
	case n >= 0 && n < len(r.texts):
		return r.texts[n]
	}
	r.bad = true
	return ""
}

func (r *reader) place() place {
	p := place{int32(r.number()), int32(r.number()), int32(r.number())}
	if p.file < 0 {
		r.bad = true
	}
	return p
}

func (r *reader) origin(p *Project) origin {
	o := origin{r.place(), int32(r.number() - 1)}
	if int(o.preset) >= len(p.presets) || int(o.file) >= len(p.files) {
		r.bad = true
	}
	return o
}

// list makes room for as many as follow; each takes a byte at least, so a wrong
// number can't ask for more than the input allows.
func list[T any](r *reader) []T {
	n := r.number()
	if n < 0 || n > len(r.s)-r.at {
		r.bad = true
		n = 0
	}
	if n == 0 {
		return nil
	}
	return make([]T, n)
}

func (r *reader) encoding(e *spec.Encoding) {
	e.Format, e.Quality, e.Lossless, e.Background = r.again(), r.number(), r.flag(), r.again()
}

func (r *reader) image(im *spec.Image) {
	bits := r.number()
	im.Share, im.Decorative, im.Wanted.Enlarge = bits&isShared != 0, bits&isDecorative != 0, bits&isEnlarged != 0
	im.Protect, im.Judged, im.Unlabelled, im.LabelCopies = bits&isProtected != 0, bits&isJudged != 0, bits&isUnlabelled != 0, bits&labelsCopies != 0
	im.Placeholder = bits&hasPlaceholder != 0
	im.Address = spec.Address(r.text())
	im.Wanted.Prompt, im.Path, im.Alt = r.text(), r.text(), r.text()
	for _, t := range repeating(im) {
		*t = r.again()
	}
	im.N, im.Pick = r.number(), r.number()
	if bits&hasEdit != 0 {
		im.Wanted.Sources = list[spec.Source](r)
		for i := range im.Wanted.Sources {
			im.Wanted.Sources[i] = spec.Source{Image: spec.Address(r.again()), File: r.again(), Data: r.text()}
		}
	}
	if bits&hasMask != 0 {
		m := &spec.Mask{File: r.again(), Edit: r.again(), Shapes: r.again(), Written: list[string](r)}
		for i := range m.Written {
			m.Written[i] = r.again()
		}
		if said, preserve := r.flag(), r.flag(); said {
			m.Preserve = &preserve
		}
		im.Wanted.Mask = m
	}
	if bits&hasFile != 0 {
		r.encoding(&im.File)
	}
	if bits&hasRenditions != 0 {
		im.Renditions = list[spec.Rendition](r)
		for i := range im.Renditions {
			rd := &im.Renditions[i]
			rd.Block, rd.Name, rd.Path, rd.Width, rd.Height, rd.Fit = r.again(), r.again(), r.text(), r.number(), r.number(), r.again()
			r.encoding(&rd.File)
			crop, err := spec.ParseCrop(r.again())
			rd.Crop, r.bad = crop, r.bad || err != nil
			rd.Gravity, rd.Icon = r.again(), r.again()
			rd.Card = spec.Card{Title: r.again(), Subtitle: r.again(), Font: r.again(), Color: r.again()}
			rd.Linear, rd.Grayscale = r.flag(), r.flag()
			rd.Blur, rd.Sharpen = spec.Hundredths(r.number()), spec.Hundredths(r.number())
		}
	}
	if bits&hasLife != 0 {
		im.Tags = list[string](r)
		for i := range im.Tags {
			im.Tags[i] = r.again()
		}
		im.DependsOn = list[spec.Address](r)
		for i := range im.DependsOn {
			im.DependsOn[i] = spec.Address(r.again())
		}
		im.Ignore = spec.Fields(r.number())
	}
	if bits&hasMaxCost != 0 {
		m := provider.Money(r.number())
		im.MaxCost = &m
	}
	if bits&hasLabel != 0 {
		im.Caption, im.Credit, im.License = r.text(), r.again(), r.again()
	}
	if bits&hasSizes != 0 {
		im.Sizes = r.again()
	}
}
