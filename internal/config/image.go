package config

import (
	"cmp"
	"fmt"
	"math/bits"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/shape"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// images decodes what is left, applies presets and defaults and checks the
// whole.
func (ev *evaluator) images() {
	all := make([]*draft, 0, len(ev.top.images))
	ev.every(func(sc *scope) {
		for _, name := range sortedKeys(sc.presets) {
			ev.preset(sc.presets[name], sc.presets[name].block.DefRange())
		}
		for _, name := range sortedKeys(sc.vars) {
			if sc != ev.top {
				ev.variable(name, sc.vars[name].block.DefRange())
				ev.validate(name, sc.vars[name])
			}
		}
		for i := range sc.images {
			if d := &sc.images[i]; d.slow != nil {
				ev.decodeSlow(d)
				all = append(all, d.slow.drafts...)
			} else {
				all = append(all, d.draft)
			}
		}
	})
	ev.earnImages(len(all) - min(len(all), ev.many)) // of what was not evaluated, for those who name it
	for _, im := range all {
		ev.cur = cmp.Or(im.scope, ev.top)
		ev.finish(im, ev.where)
	}
	ev.cur = ev.top
	all = slices.DeleteFunc(all, func(im *draft) bool {
		off := im.off()
		if off && ev.disabled == nil {
			ev.disabled = map[spec.Address]bool{}
		}
		if off {
			ev.disabled[im.Address] = true
			if im.Protect {
				ev.p.Guards = append(ev.p.Guards, Guard{im.Address, im.origin.place})
			}
		}
		return off
	})
	byAddress := func(a, b *draft) int { return cmp.Compare(a.Address, b.Address) }
	if !slices.IsSortedFunc(all, byAddress) {
		slices.SortFunc(all, byAddress)
	}
	// From here on references are to finished images, and the drafts go as
	// they are copied: they are the largest thing there is.
	ev.facts, ev.made = map[spec.Address]Facts{}, map[string]cty.Value{}
	for _, sc := range ev.scopes {
		for i := range sc.images {
			sc.images[i].draft = nil
			if s := sc.images[i].slow; s != nil {
				s.drafts, s.offs, s.block = nil, nil, nil
			}
		}
	}
	ev.p.Images, ev.p.origins = make([]spec.Image, len(all)), make([]origin, len(all))
	for i, im := range all {
		ev.p.Images[i], ev.p.origins[i] = im.Image, im.origin
		all[i] = nil
	}
	ev.checkSources(ev.where)
	ev.checkDepends(ev.where)
	ev.checkPaths(ev.where)
	ev.checkManifests()
	ev.checkEdges(ev.where)
	ev.where = nil // and the files that it had to parse
}

// repeat evaluates the for_each of an image or a module, once.
func (ev *evaluator) repeat(s *repeated, thing string) {
	if s.counted {
		return
	}
	s.counted = true
	if s.forEach == nil {
		s.each = []instanceOf{{}}
		return
	}
	v := ev.value(s.forEach, nil, thing)
	if isSecret(v) {
		ev.add(problem(codeSensitive, thing, s.forEach.Range(), "let only the values be sensitive: write the keys as what is no secret",
			"for_each can't be sensitive: its keys would show in the addresses of images"))
		return
	}
	u, marks := v.Unmark()
	keys := u
	if u.IsKnown() && !u.Type().IsSetType() {
		keys = cty.True // the values may hold what is not known yet
	}
	if unknown, of := unknownIn(keys, marks); unknown {
		if of != "" {
			ev.refuseResult(of, s.forEach.Range(), thing)
		} else if !ev.out.HasErrors() {
			ev.add(problem(codeForEach, thing, s.forEach.Range(), "", "the keys of for_each are not known before apply"))
		}
		return
	}
	ty := u.Type()
	if t, ok := targetOf(u); ok {
		ev.add(problem(codeForEach, thing, s.forEach.Range(), "use a map such as { a = … }", "for_each needs a map or a set of strings, and %s is %s", t, typeName(u)))
		return
	}
	set := ty.IsSetType()
	switch {
	case u.IsNull() || !(ty.IsMapType() || ty.IsObjectType() || set):
		hint := "write a map such as { a = … }"
		if ty.IsTupleType() || ty.IsListType() {
			hint = "write toset(…) around it: a shifted index would buy images again, a name does not"
		}
		ev.add(problem(codeForEach, thing, s.forEach.Range(), hint, "for_each needs a map, an object or a set of strings, and %s", describe(u)))
		return
	case set && ty.ElementType() != cty.String && u.LengthInt() > 0:
		ev.add(problem(codeForEach, thing, s.forEach.Range(), "convert the elements with tostring()", "for_each needs a set of strings, and %s", describe(u)))
		return
	}
	s.waits = !u.IsWhollyKnown()
	s.each = make([]instanceOf, 0, u.LengthInt())
	s.byKey = make(map[string]int, u.LengthInt())
	for it := u.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if set {
			k = e
		}
		if k, _ = k.Unmark(); k.IsNull() {
			ev.add(problem(codeForEach, thing, s.forEach.Range(), "remove it, as compact() does", "for_each has a key that is null"))
			continue
		}
		key := k.AsString()
		s.byKey[key] = len(s.each)
		s.each = append(s.each, instanceOf{key, cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": e.WithMarks(marks)})})
	}
}

// atForEach is where the for_each of an image stands, or the image.
func (ev *evaluator) atForEach(s *slowImage) hcl.Range {
	if s.forEach != nil {
		return s.forEach.Range()
	}
	return s.block.DefRange()
}

// eachValue is each of an instance. The keys stay what they were; values that are
// images, or of images, are evaluated again with what is known of those.
func (ev *evaluator) eachValue(s *repeated, number int, thing string) cty.Value {
	if s.waits && s.round != ev.round {
		s.round = ev.round
		u, marks := ev.value(s.forEach, nil, thing).Unmark()
		if u.IsKnown() && !u.IsNull() && u.CanIterateElements() {
			for it := u.ElementIterator(); it.Next(); {
				k, e := it.Element()
				if k, _ = k.Unmark(); u.Type().IsSetType() || k.Type() != cty.String {
					break // of texts, which were known
				}
				if i, ok := s.byKey[k.AsString()]; ok {
					s.each[i].value = cty.ObjectVal(map[string]cty.Value{"key": k, "value": e.WithMarks(marks)})
				}
			}
		}
	}
	return s.each[number].value
}

// decodeInstances decodes which parts of each instance of an image.
func (ev *evaluator) decodeInstances(d *imageDecl, which parts) []*draft {
	s, base := d.slow, ev.cur.prefix+"image."+d.name
	if !s.counted {
		limit := cmp.Or(ev.opt.images, maxImages)
		if s.counted = ev.many > limit; !s.counted { // else that was told, and each instance of a module would be counted
			ev.repeat(&s.repeated, base)
			ev.earnImages(len(s.each))
		}
		if ev.many += len(s.each); ev.many > limit {
			if ev.many-len(s.each) <= limit {
				ev.add(problem(codeBudget, base, ev.atForEach(s), "make it smaller, or split the project", "the project has more than %d images", limit))
			}
			s.each, s.byKey = nil, nil
		}
		if len(s.each) > 0 && !ev.pay(costOfInstance*len(s.each), base, ev.atForEach(s)) {
			s.each, s.byKey = nil, nil
		}
	}
	drafts := make([]*draft, len(s.each))
	// One context serves all instances: only its variable changes.
	ctx := ev.cur.tree.ctx
	if s.forEach != nil {
		ctx = ctx.NewChild()
		ctx.Variables = map[string]cty.Value{}
	}
	intern := map[string]string{}
	room := make([]draft, len(s.each))
	for i, e := range s.each {
		im := &room[i]
		drafts[i] = im
		im.origin, im.scope = origin{d.place, -1}, ev.cur
		im.Address = spec.Address(base)
		if s.forEach != nil {
			im.Address = spec.Address(instance(string(im.Address), e.key))
			ctx.Variables["each"] = e.value
		}
		thing := string(im.Address)
		get := func(e hclsyntax.Expression) (cty.Value, bool) {
			if v, ok := constant(e); ok {
				return v, true
			}
			return ev.plain(e, ctx, thing), true
		}
		block := *s.block
		block.Body = ev.expand(block.Body, ctx, thing)
		n := len(*ev.out)
		decodeImage(&block, im, which, get, thing, ev.add)
		if im.off() { // then it may read others that are
			*ev.out = append((*ev.out)[:n], slices.DeleteFunc((*ev.out)[n:], func(f diag.Finding) bool {
				return f.Code == codeUnknownElement && strings.HasPrefix(f.Text, thing+": ") && strings.HasSuffix(f.Text, isOff)
			})...)
		}
		shorten(im, intern)
	}
	return drafts
}

func (ev *evaluator) decodeSlow(d *imageDecl) {
	if d.slow.drafts == nil {
		d.slow.drafts = ev.decodeInstances(d, everything)
		ev.guard(d)
	}
}

// image is the value of a reference to an image or, without a key and with a
// for_each, of all its instances.
func (ev *evaluator) image(r *ref) (cty.Value, hcl.Diagnostics) {
	name, key, at := r.name, r.key, r.Range()
	if ev.facts != nil {
		return ev.finished(name, key, at)
	}
	if slices.ContainsFunc(ev.stack, func(f frame) bool { return f.name == "imgbuild" }) {
		// output_dir is a part of every path: this closes a circle.
		ev.enter(ev.cur.prefix+"image."+name, at)
		ev.enter("imgbuild", at)
		ev.leave()
		return cty.DynamicVal, nil
	}
	d := ev.cur.image(name)
	read := func(v cty.Value, im *draft) (cty.Value, hcl.Diagnostics) {
		switch {
		case !r.reads || im == nil:
			return v, nil
		case ev.trying:
			return cty.DynamicVal, notEnabled(string(im.Address), at)
		}
		return markOff(v, im), nil
	}
	if d.slow == nil {
		ev.finishNames(d.draft)
		if !d.draft.off() {
			return imageVal(&d.draft.Image, Facts{}), nil
		}
		return read(imageVal(&d.draft.Image, Facts{}), d.draft)
	}
	s := d.slow
	if !s.ready {
		if !ev.enter(ev.cur.prefix+"image."+name, at) {
			return cty.DynamicVal, nil
		}
		drafts := s.drafts
		if drafts == nil {
			drafts = ev.decodeInstances(d, names)
		}
		ev.leave()
		s.ready = true
		s.values = make([]cty.Value, len(drafts))
		for i, im := range drafts {
			ev.finishNames(im)
			s.values[i] = imageVal(&im.Image, Facts{})
			if im.off() && s.offs == nil {
				s.offs = map[int]*draft{}
			}
			if im.off() {
				s.offs[i] = im
			}
		}
		s.all = gather(s, func(i int) cty.Value {
			if s.forEach != nil && s.offs[i] != nil {
				return cty.NilVal
			}
			return s.values[i]
		})
		if s.every = s.all; len(s.offs) > 0 {
			s.every = gather(s, func(i int) cty.Value {
				if im := s.offs[i]; im != nil {
					return markOff(s.values[i], im)
				}
				return s.values[i]
			})
		}
	}
	switch {
	case s.forEach == nil:
		return read(s.all, s.offs[0])
	case key == nil && r.keyed && !ev.trying:
		return s.every, nil
	case key == nil:
		return s.all, nil
	}
	i, ok := s.byKey[*key]
	if !ok {
		return cty.DynamicVal, s.missing(*key, ev.cur.prefix+"image."+name, at)
	}
	return read(s.values[i], s.offs[i])
}

// gather makes the value of a reference without a key, of what value gives of
// each.
func gather(s *slowImage, value func(i int) cty.Value) cty.Value {
	if s.forEach == nil {
		if len(s.values) == 0 {
			return cty.DynamicVal
		}
		return value(0)
	}
	m := make(map[string]cty.Value, len(s.values))
	for i := range s.values {
		if v := value(i); v != cty.NilVal {
			m[s.each[i].key] = v
		}
	}
	if len(m) == 0 {
		return cty.EmptyObjectVal
	}
	return cty.MapVal(m)
}

// presetOf is the preset of an image, or nil.
func (ev *evaluator) presetOf(im *draft) *presetDecl {
	if im.preset == nil {
		return nil
	}
	return ev.presets[im.preset.name]
}

// preset is what a preset says, together with the one that it builds on. It is
// decoded at the first use.
func (ev *evaluator) preset(p *presetDecl, at hcl.Range) *draft {
	if p.done {
		return &p.draft
	}
	thing := p.scope.prefix + "preset." + p.name
	if p.draft.words == nil {
		p.draft.words = &words{}
	}
	if !ev.enter(thing, at) {
		return &p.draft
	}
	p.draft.origin = ev.p.presets[p.index].origin
	ev.in(p.scope, func() {
		p.draft.given, _ = decode(p.block.Body, &presetSchema, &p.draft, ev.getter(thing), thing, p.block.DefRange(), ev.add)
	})
	if base := ev.presetOf(&p.draft); base != nil {
		b := ev.preset(base, p.block.Body.Attributes["preset"].Expr.Range())
		ev.p.presets[p.index].preset = base.index
		inherit(&p.draft, b)
		p.draft.secret |= b.secret & presetWords
		p.draft.words = &words{phrase(b.words.before, p.draft.words.before), phrase(p.draft.words.after, b.words.after)}
	}
	ev.leave()
	p.done = true
	return &p.draft
}

// phrase joins what is not empty by spaces.
func phrase(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// finishNames settles the paths of an image.
func (ev *evaluator) finishNames(im *draft) {
	if im.named {
		return
	}
	im.named = true
	own := im.given
	if p := ev.presetOf(im); p != nil && own.said&rowPath == 0 {
		from := ev.preset(p, p.block.DefRange())
		im.Path, own = from.Path, from.given
	}
	switch {
	case own.said&rowPath == 0:
		im.Path = ev.under(defaultPath(im.Address) + extension(im.File.Format, ".png"))
	case own.set&rowPath == 0: // its expression failed
	case im.Path == "":
		im.Path = "." // to be told that it is empty
	default:
		im.Path = ev.under(im.Path)
	}
	for i := range im.Renditions {
		r := &im.Renditions[i]
		if r.Path != "" {
			r.Path = ev.under(r.Path)
			continue
		}
		if im.Path == "" {
			continue
		}
		ext := path.Ext(im.Path)
		r.Path = strings.TrimSuffix(im.Path, ext) + "-" + r.Name + extension(r.File.Format, ext)
	}
}

// under puts a path into output_dir. What is wrong with it is found later.
func (ev *evaluator) under(p string) string {
	p = trimDot(p)
	if dir := ev.p.Settings.OutputDir; dir != "." && spec.CheckPath(p) == nil {
		return dir + "/" + p
	}
	return p
}

// extension is how the name of a file in a format ends; without a format it is
// the other one.
func extension(format, other string) string {
	switch format {
	case "png":
		return ".png"
	case "jpeg":
		return ".jpg"
	case "webp", "avif":
		return "." + format
	}
	return other
}

// defaultPath is hero for image.hero and card/dark for image.card["dark"], with
// the key made safe; the format says how it ends.
func defaultPath(address spec.Address) string {
	modules, name, key := address.Split()
	out := ""
	for _, step := range moduleSteps.FindAllStringSubmatch(modules, -1) {
		out = path.Join(out, step[1], safeKey(step[2]))
	}
	return path.Join(out, name, safeKey(key))
}

// moduleSteps takes the modules of an address apart: names and quoted keys.
var moduleSteps = regexp.MustCompile(`module\.([^.\[]+)(?:\[("(?:[^"\\]|\\.)*")\])?\.`)

// safeKey is a quoted key as the name of a file; "" for none.
func safeKey(key string) string {
	if key == "" {
		return ""
	}
	safe := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return r
		}
		return '-'
	}, key[1:len(key)-1])
	safe = strings.TrimLeft(safe, ".")
	if safe == "" {
		safe = "-"
	}
	return safe
}

// finish applies preset and defaults and checks what one image says.
func (ev *evaluator) finish(im *draft, where *locator) {
	if im.preset != nil {
		if p := ev.presetOf(im); p != nil {
			im.origin.preset = p.index
			from := ev.preset(p, p.block.DefRange())
			inherit(im, from)
			if im.Wanted.Prompt != "" {
				if from.secret&presetWords != 0 {
					im.secret |= rowPrompt
				}
				im.Wanted.Prompt = phrase(from.words.before, im.Wanted.Prompt, from.words.after)
			}
		} else {
			name := strings.TrimPrefix(im.preset.name, ev.cur.prefix+"preset.")
			ev.unknownName(where.problem(codeUnknownName, im, "preset", nearest(name, sortedKeys(ev.cur.presets)), "there is no preset %q", name))
		}
	}
	ev.finishNames(im)
	for _, f := range sensitiveFields {
		if im.secret&f.row != 0 {
			im.Wanted.Sensitive = append(im.Wanted.Sensitive, f.name)
		}
	}
	if im.N == 0 {
		im.N = 1
	}
	if strings.TrimSpace(im.Wanted.Prompt) == "" && (im.said&rowPrompt == im.set&rowPrompt) { // else its expression failed
		if im.set&rowPrompt != 0 {
			ev.add(where.problem(codeRequired, im, "prompt", "say what the picture shows", "prompt is empty"))
		} else {
			ev.add(where.problem(codeRequired, im, "prompt", "add prompt = …", "prompt is required"))
		}
	}
	if im.Pick > im.N && im.said&rowN == im.set&rowN { // else n is wrong, and that was told
		ev.add(where.problem(codeRange, im, "pick", fmt.Sprintf("pick from 1 to %d, or raise n", im.N), "pick is %d, and n is %d", im.Pick, im.N))
	}
	if im.Wanted.Size != "" && im.Wanted.AspectRatio != "" {
		ev.add(where.problem(codeFrame, im, "aspect_ratio", "keep one of them", "size %s and aspect_ratio %s exclude each other", quoteKey(im.Wanted.Size), quoteKey(im.Wanted.AspectRatio)))
	}
	if im.Alt != "" && im.Decorative {
		ev.add(where.problem(codeAlt, im, "decorative", "keep one of them", "a decorative image has no alt text"))
	}
	im.Unlabelled, im.LabelCopies = im.set&rowLabel != 0 && !im.label, im.label
	if n := len(im.Alt) + len(im.Caption) + len(im.Credit) + len(im.License); n > maxLabel && !im.Unlabelled {
		ev.add(where.problem(codeRange, im, labelField(im), "shorten it, or write label = false", "alt, caption, credit and license have %d bytes together, and a label has room for %d", n, maxLabel))
	}
	ev.finishProvider(im, where)
	ev.checkOutput(im, nil, im.Path, im.File, where)
	ev.addSets(im)
	told := "" // the set whose paths are no paths
	for i := range im.Renditions {
		r := &im.Renditions[i]
		if r.Block != "" && r.Block == told {
			continue
		}
		if i > 0 && r.Block != "" && r.Block == im.Renditions[i-1].Block && r.File == im.Renditions[i-1].File {
			continue // it differs only in its width
		}
		if !ev.checkOutput(im, r, r.Path, r.File, where) {
			told = r.Block
		}
		ev.checkRendition(im, r, where)
	}
}

// maxLabel is the most bytes of what people write into a label; with the code of
// its source type it has room in any format.
const maxLabel = 9_900

// labelField is the attribute that takes most of a label.
func labelField(im *draft) string {
	return slices.MaxFunc([]string{"alt", "caption", "credit", "license"}, func(a, b string) int {
		size := func(name string) int {
			return len(*imageSchema.rows[bits.TrailingZeros32(rowOf(name))].to(im).(*string))
		}
		return cmp.Compare(size(a), size(b))
	})
}

// inherit fills what an image, or a preset, does not say with what its preset
// says.
func inherit(im, p *draft) {
	own := im.said
	if len(p.Tags) > 0 {
		im.Tags = slices.Compact(slices.Sorted(slices.Values(slices.Concat(im.Tags, p.Tags))))
	}
	for i := range imageSchema.rows {
		bit := uint32(1) << i
		if p.said&bit == 0 || im.said&bit != 0 || bit == rowPath { // the path is for finishNames
			continue
		}
		im.said, im.set, im.secret = im.said|p.said&bit, im.set|p.set&bit, im.secret|p.secret&bit
		// One frame replaces the other kind.
		if bit == rowSize && own&rowRatio != 0 || bit == rowRatio && own&rowSize != 0 {
			continue
		}
		switch to := imageSchema.rows[i].to(im).(type) {
		case *string:
			*to = *imageSchema.rows[i].to(p).(*string)
		case *int:
			*to = *imageSchema.rows[i].to(p).(*int)
		case *bool:
			*to = *imageSchema.rows[i].to(p).(*bool)
		case **target:
			*to = *imageSchema.rows[i].to(p).(**target)
		case **provider.Money:
			*to = *imageSchema.rows[i].to(p).(**provider.Money)
		}
	}
}

// finishProvider settles which provider an image uses.
func (ev *evaluator) finishProvider(im *draft, where *locator) {
	if im.maker != nil {
		im.Wanted.Provider = im.maker.name
		if f, ok := ev.checkProvider(im.maker.name, string(im.Address), hcl.Range{}); !ok {
			f.Range = where.of(im, "provider")
			ev.unknownName(f)
		}
		return
	}
	im.Wanted.Provider = ev.defaultFor(ev.cur, im, where)
}

// defaultFor is the provider of an image that names none: in a module the only
// one that it is passed, or what it is passed for the default of the caller.
func (ev *evaluator) defaultFor(sc *scope, im *draft, where *locator) string {
	if len(sc.passed) == 1 {
		for _, key := range sc.passed {
			return key
		}
	}
	if sc.parent != nil {
		key := ev.defaultFor(sc.parent, im, where)
		return cmp.Or(sc.passed[key], key)
	}
	if sc.defaultMaker == "" && !sc.makerUnclear {
		var plain []string
		for _, c := range ev.p.Providers {
			if c.Alias == "" {
				plain = append(plain, c.Type)
			}
		}
		switch {
		case len(plain) == 1:
			sc.defaultMaker = plain[0]
		case len(sc.makers) == 0:
			sc.makerUnclear = true
			f := diag.Finding{Severity: diag.Error, Code: codeNoProvider, Text: "provider: there is no provider block, so nothing can make an image",
				Hint: `add provider "xai" {} or, to draw offline and for free, provider "sketch" {}`, Range: where.of(im, "")}
			ev.unknownName(f)
		default:
			sc.makerUnclear = true
			keys := make([]string, len(ev.p.Providers))
			for i, c := range ev.p.Providers {
				keys[i] = "provider." + c.Key()
			}
			if len(keys) > 0 {
				f := where.problem(codeWhichDefault, im, "", "write provider = "+keys[0]+" in the image, or default_provider = "+keys[0]+" in imgbuild { }", "it does not say which provider it uses: there is %s", strings.Join(keys, ", "))
				ev.unknownName(f)
			}
		}
	}
	return sc.defaultMaker
}

// checkOutput checks the path and the format of an output: of a rendition, or
// with nil the main one. It reports whether the path is one.
func (ev *evaluator) checkOutput(im *draft, of *spec.Rendition, file string, enc spec.Encoding, where *locator) bool {
	field, subject := "path", ""
	inner := "file."
	if of != nil {
		inner = of.Field("")
		field, subject = inner+"path", of.String()+": "
	}
	if file == "" {
		return true // its expression failed
	}
	if err := spec.CheckOutput(file); err != nil {
		hint, why := pathHint(file), err.Error()
		switch dir := ev.p.Settings.OutputDir; {
		case err == spec.ErrOwn:
			hint = "let the path end in .png or .jpg"
		case err == spec.ErrLeaves && dir != ".":
			hint, why = `keep it inside; or write output_dir = "." and whole paths`, "leaves output_dir, which is "+quoteKey(dir)
		}
		ev.add(where.problem(codePath, im, field, hint, "%sthe path %s %s", subject, quoteKey(file), why))
		return false
	}
	promised := spec.FormatOf(file)
	format := cmp.Or(enc.Format, promised)
	switch {
	case enc.Format != "" && promised != "" && promised != enc.Format:
		ev.add(where.problem(codeFormat, im, inner+"format", "let the path end in "+extension(enc.Format, "")+", or leave format away", "%sformat is %q, and the path is %s", subject, enc.Format, quoteKey(file)))
	case format == "ico" && of != nil && of.Block == spec.Icon:
	case !slices.Contains(formats, format):
		text := fmt.Sprintf("%sthe format %q can't be written by this version", subject, format)
		if format == "" {
			text = fmt.Sprintf("%sthe path %s does not tell the format", subject, quoteKey(file))
		}
		ev.add(where.problem(codeFormat, im, field, "let the path end in .png, .jpg, .webp or .avif", "%s", text))
	case enc.Lossless && format == "jpeg":
		hint := "let the path end in .png"
		if of != nil && of.Block == spec.Responsive {
			hint = `write formats without "jpeg", or remove lossless`
		}
		ev.add(where.problem(codeFormat, im, inner+"lossless", hint, "%sa JPEG is never lossless", subject))
	case enc.Lossless && enc.Quality > 0 && format != "png":
		ev.add(where.problem(codeFormat, im, inner+"quality", "keep one of them", "%squality %d and lossless exclude each other", subject, enc.Quality))
	}
	return true
}

// checkRendition finds what would say nothing or can't be done.
func (ev *evaluator) checkRendition(im *draft, r *spec.Rendition, where *locator) {
	tell := func(field, hint, format string, args ...any) {
		ev.add(where.problem(codeRendition, im, r.Field(field), hint, r.String()+": "+format, args...))
	}
	fit := cmp.Or(r.Fit, "cover")
	switch {
	case r.Gravity == "":
	case r.Width == 0 || r.Height == 0:
		tell("gravity", "add the other side, or remove gravity", "gravity is for a rendition with width and height")
	case r.Gravity == "attention" && fit != "cover":
		tell("gravity", `write fit = "cover"`, "gravity \"attention\" chooses what cover keeps, and fit is %q", fit)
	case fit != "cover" && fit != "contain":
		tell("gravity", "remove it", "gravity is for cover and contain, and fit is %q", fit)
	}
	if r.Linear && r.Width == 0 && r.Height == 0 {
		tell("linear", "add width or height, or remove linear", "linear is about fitting, and neither width nor height is there")
	}
	for _, side := range []struct {
		what     string
		at, size shape.Length
	}{{"wide", r.Crop.X, r.Crop.Width}, {"high", r.Crop.Y, r.Crop.Height}} {
		if at, size := side.size.Span(side.at, spec.MaxSide); side.at.Percent && side.size.Percent && at+size > spec.MaxSide { // of every picture
			tell("crop", "let both add up to 100% at most", "crop begins at %s and is %s %s, so it leaves the picture", side.at, side.size, side.what)
		}
	}
}

// checkSources finds sources that are not what they seem.
func (ev *evaluator) checkSources(where *locator) {
	var outputs map[string]spec.Address // by path key, made for the first file
	for i := range ev.p.Images {
		im := &ev.p.Images[i]
		for k, s := range im.Wanted.Sources {
			if s.Image != "" {
				sc, name := ev.scopeOf(s.Image)
				d := sc.image(name)
				switch {
				case d == nil:
					ev.unknownName(where.image(codeUnknownName, i, "edit.image", nearest(name, sc.imageNames()), "there is no image %q", name))
				case ev.disabled[s.Image]:
					ev.add(where.image(codeEdit, i, "edit.image", "enable it, or disable this one too", "it edits %s, which is not enabled", s.Image))
				case d.keyed() && s.Image == s.Image.Base():
					ev.add(where.image(codeNeedsKey, i, "edit.image", fmt.Sprintf("write image.%s[\"KEY\"]", name), "image.%s has for_each, so it needs a key", name))
				}
				continue
			}
			if sc, _ := ev.scopeOf(im.Address); strings.HasPrefix(s.File, "image.") && sc.image(s.File[len("image."):]) != nil {
				ev.add(where.image(codeOwnOutput, i, "edit.image", "write "+s.File+", without quotes", "%s is an image, and not a file", quoteKey(s.File)))
				im.Wanted.Sources[k] = spec.Source{Image: spec.Address(sc.prefix + s.File)} // so that nobody looks for a file
				continue
			}
			if outputs == nil {
				outputs = map[string]spec.Address{}
				for j := range ev.p.Images {
					outputs[spec.PathKey(ev.p.Images[j].Path)] = ev.p.Images[j].Address
					for _, r := range ev.p.Images[j].Renditions {
						outputs[spec.PathKey(r.Path)] = ev.p.Images[j].Address
					}
				}
			}
			if of := outputs[spec.PathKey(s.File)]; s.File != "" && of != "" {
				hint := "write " + string(of) + ", without quotes and without .path"
				if of == im.Address {
					hint = "give the image another path: what it edits would be overwritten"
				}
				ev.add(where.image(codeOwnOutput, i, "edit.image", hint, "the file %s is what %s makes", quoteKey(s.File), of))
			}
		}
	}
}

// checkPaths finds outputs that would be one file, also on a file system that
// ignores case or the Unicode form of names.
func (ev *evaluator) checkPaths(where *locator) {
	type output struct {
		key   string
		image int32
		rend  int32 // -1 for the main output
	}
	n := len(ev.p.Images)
	for i := range ev.p.Images {
		n += len(ev.p.Images[i].Renditions)
	}
	all := make([]output, 0, n)
	for i := range ev.p.Images {
		im := &ev.p.Images[i]
		all = append(all, output{spec.PathKey(im.Path), int32(i), -1})
		for j := range im.Renditions {
			all = append(all, output{spec.PathKey(im.Renditions[j].Path), int32(i), int32(j)})
		}
	}
	byKey := func(a, b output) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.image, b.image), cmp.Compare(a.rend, b.rend))
	}
	if !slices.IsSortedFunc(all, byKey) {
		slices.SortFunc(all, byKey)
	}
	tell := func(o output) (name, file, field string) {
		im := &ev.p.Images[o.image]
		if o.rend < 0 {
			return string(im.Address), im.Path, "path"
		}
		r := &im.Renditions[o.rend]
		return string(im.Address) + " (" + r.String() + ")", r.Path, r.Field("path")
	}
	for i := 1; i < len(all); i++ {
		if all[i].key == "" || all[i].key != all[i-1].key {
			continue
		}
		_, file, field := tell(all[i])
		other, otherFile, otherField := tell(all[i-1])
		why := ""
		if file != otherFile {
			why = ", which is the same file on Windows and macOS"
		}
		f := where.image(codeSamePath, int(all[i].image), field, "give one of them another path", "it writes %s, and %s writes %s%s", quoteKey(file), other, quoteKey(otherFile), why)
		if r := where.at(int(all[i-1].image), otherField); r != nil {
			f.Related = []diag.Related{{Range: *r, Text: other}}
		}
		ev.add(f)
	}
	// A set may write further files: one of the picture's own width for each
	// format, whatever that is.
	type set struct {
		widest int
		of     output
	}
	sets := map[string]set{}
	inSet := func(o output) bool {
		return o.rend >= 0 && ev.p.Images[o.image].Renditions[o.rend].Block == spec.Responsive
	}
	for _, o := range all {
		if inSet(o) {
			if base, width, ext := spec.CutSetPath(o.key); width > sets[base+ext].widest {
				sets[base+ext] = set{width, o}
			}
		}
	}
	for i, o := range all {
		if len(sets) == 0 {
			break
		}
		base, width, ext := spec.CutSetPath(o.key)
		s := sets[base+ext]
		alone := (i == 0 || all[i-1].key != o.key) && (i+1 == len(all) || all[i+1].key != o.key) // else that was told
		if width == 0 || width > s.widest || !alone || inSet(o) && o.image == s.of.image {
			continue
		}
		_, file, field := tell(o)
		other, _, otherField := tell(s.of)
		f := where.image(codeSamePath, int(o.image), field, "give one of them another path", "it writes %s, and %s does, too, if its picture is %d pixels wide", quoteKey(file), other, width)
		if r := where.at(int(s.of.image), otherField); r != nil {
			f.Related = []diag.Related{{Range: *r, Text: other}}
		}
		ev.add(f)
	}
	last := ""
	for _, o := range all {
		if len(o.key) > spec.MaxPath {
			continue // told already
		}
		for dir := path.Dir(o.key); dir != "." && dir != "/" && dir != last; dir = path.Dir(dir) {
			last = path.Dir(o.key)
			k, found := slices.BinarySearchFunc(all, dir, func(o output, dir string) int { return cmp.Compare(o.key, dir) })
			if !found {
				continue
			}
			_, file, field := tell(o)
			other, otherFile, _ := tell(all[k])
			ev.add(where.image(codeSamePath, int(o.image), field, "give one of them another path", "it writes %s, and %s writes the file %s", quoteKey(file), other, quoteKey(otherFile)))
		}
	}
}

// visit is an image on the way and the edges not taken yet.
type visit struct {
	image int
	edges []spec.Address
}

// checkEdges finds images that need each other in a circle, and tells each
// circle once, edge by edge.
func (ev *evaluator) checkEdges(where *locator) {
	images := ev.p.Images
	find := ev.p.index
	const (
		unseen = iota
		open
		done
	)
	state := make([]uint8, len(images))
	// The path from the root is a slice and not the stack: a chain of edits may
	// be as long as the project.
	for root := range images {
		if state[root] != unseen || len(images[root].Wanted.Sources)+len(images[root].DependsOn) == 0 {
			continue
		}
		trail := []visit{{root, images[root].Before()}}
		state[root] = open
		for len(trail) > 0 {
			top := &trail[len(trail)-1]
			if len(top.edges) == 0 {
				state[top.image] = done
				trail = trail[:len(trail)-1]
				continue
			}
			next, ok := find(top.edges[0])
			top.edges = top.edges[1:]
			switch {
			case !ok || state[next] == done:
			case state[next] == open:
				begin := slices.IndexFunc(trail, func(v visit) bool { return v.image == next })
				ev.tellCircle(trail[begin:], where)
			default:
				state[next] = open
				trail = append(trail, visit{next, images[next].Before()})
			}
		}
	}
}

func (ev *evaluator) tellCircle(ring []visit, where *locator) {
	// Begin with the first address, so that the order of files changes nothing.
	first := 0
	for i := range ring {
		if ring[i].image < ring[first].image {
			first = i
		}
	}
	ring = append(slices.Clone(ring[first:]), ring[:first]...)
	address := func(i int) string { return string(ev.p.Images[ring[i%len(ring)].image].Address) }
	hint := "let one of them edit a file, or draw it anew"
	// edge is the kind of the edge from image i to the next, and its place.
	edge := func(i int) (kind, field string) {
		if im := &ev.p.Images[ring[i].image]; !slices.Contains(im.Edges(), spec.Address(address(i+1))) {
			hint = "remove one of the depends_on"
			return "depends on", "depends_on"
		}
		return "edits", "edit.image"
	}
	kind, field := edge(0)
	text := "it " + kind + " itself"
	if len(ring) > 1 {
		text = "it needs itself: it " + kind + " " + address(1)
		var rest []string
		for i := 1; i < len(ring); i++ {
			kind, _ := edge(i)
			rest = append(rest, ", which "+kind+" "+address(i+1))
		}
		text += strings.Join(someOf(rest, func(n int) string { return fmt.Sprintf(", and so on over %d more", n) }), "")
	}
	f := where.image(codeEdgeCycle, ring[0].image, strings.TrimSuffix(field, ".image"), hint, "%s", text)
	for i := range ring {
		if leftOut(i, len(ring)) {
			continue
		}
		kind, field := edge(i)
		if r := where.at(ring[i].image, field); r != nil {
			f.Related = append(f.Related, diag.Related{Range: *r, Text: address(i) + " " + kind + " " + address(i+1)})
		}
	}
	ev.add(f)
}

// SourceFiles lists the files that edits, masks and cards name, sorted, each once.
func (p *Project) SourceFiles() []string {
	seen := map[string]bool{}
	for i := range p.Images {
		w := &p.Images[i].Wanted
		for _, s := range w.Sources {
			if s.File != "" {
				seen[s.File] = true
			}
		}
		if w.Mask != nil && w.Mask.File != "" {
			seen[w.Mask.File] = true
		}
		for _, r := range p.Images[i].Renditions {
			if r.Card.Font != "" {
				seen[r.Card.Font] = true
			}
		}
	}
	return sortedKeys(seen)
}
