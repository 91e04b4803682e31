package config

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// decls is what the files declare. The first of equal names stays.
type decls struct {
	images    []imageDecl          // sorted by name
	names     []string             // of images, when they were asked for
	named     map[string]hcl.Range // the first output, check and budget of each name
	presets   map[string]*presetDecl
	vars      map[string]*varDecl
	locals    map[string]*localDecl
	makers    map[string]*block // provider blocks by key
	outputs   []*outputDecl     // sorted by name
	checks    []*checkDecl      // sorted by name
	modules   map[string]*moduleDecl
	functions map[string]*functionDecl
	project   *block   // imgbuild
	lives     []*block // moved and removed, in order
	imports   []*block // in order
	budgets   []*block
	foreign   []*block // of a module, that only the root may have
}

// block is a block that was kept for the evaluator.
type block struct {
	*hclsyntax.Block
	file int32
	key  string // of a provider
}

// imageDecl is an image block: a draft if it was all literals, else slow.
type imageDecl struct {
	name  string
	place place
	draft *draft
	slow  *slowImage
}

// slowImage is an image block that needs evaluation.
type slowImage struct {
	repeated
	block  *hclsyntax.Block
	drafts []*draft       // as each; nil until the image is decoded
	values []cty.Value    // as each, of references
	offs   map[int]*draft // of these, those that are not enabled
	all    cty.Value      // of a reference to the whole, without what is not enabled
	every  cty.Value      // all, with that
	ready  bool           // values and all are set

	conditions []condition
}

func (d *imageDecl) keyed() bool { return d.slow != nil && d.slow.forEach != nil }

type presetDecl struct {
	name  string
	block *block
	index int32 // in Project.presets
	scope *scope
	draft draft
	done  bool // draft is complete
}

type localDecl struct {
	expr  hclsyntax.Expression
	name  hcl.Range
	value cty.Value
	done  bool
}

type outputDecl struct {
	described
	name  string
	body  *hclsyntax.Body
	at    hcl.Range
	value cty.Value // of a module
	done  bool

	conditions []condition
}

func (d *decls) image(name string) *imageDecl {
	i, ok := slices.BinarySearchFunc(d.images, name, func(d imageDecl, name string) int { return cmp.Compare(d.name, name) })
	if !ok {
		return nil
	}
	return &d.images[i]
}

// imageNames is for hints.
func (d *decls) imageNames() []string {
	if len(d.names) != len(d.images) {
		d.names = make([]string, len(d.images))
		for i := range d.images {
			d.names[i] = d.images[i].name
		}
	}
	return d.names
}

// parsed is what remains of a file when its tree is dropped.
type parsed struct {
	content  digest.Content
	images   []imageDecl
	blocks   []*hclsyntax.Block // the others
	findings diag.List
	torn     bool
	left     *atomic.Int64 // tokens that may still be parsed; nil for a file of values
}

// parseFile guards, parses and decodes what is literal. It keeps neither src
// nor, but for the blocks that it returns, the tree. intern makes one of equal
// short strings.
func parseFile(name string, index int32, src []byte, left *atomic.Int64, intern map[string]string) *parsed {
	out := &parsed{content: digest.OfContent(src), left: left}
	body, ok := out.parse(name, src)
	if !ok {
		return out
	}
	n := 0
	for _, b := range body.Blocks {
		if b.Type == "image" {
			n++
		}
	}
	out.images = make([]imageDecl, 0, n)
	drafts := make([]draft, 0, n)
	for _, name := range sortedKeys(body.Attributes) {
		hint := "put it into a block; values for variables stand in *.imgvars files"
		out.add(problem(codeUnknownAttr, name, body.Attributes[name].NameRange, hint, "there are no attributes outside blocks"))
	}
	for _, b := range body.Blocks {
		if !out.checkHead(b, topBlocks) {
			continue
		}
		if b.Type != "image" {
			out.blocks = append(out.blocks, b)
			continue
		}
		at := placeOf(index, b)
		address := "image." + b.Labels[0]
		d := imageDecl{name: address[len("image."):], place: at}
		if each := b.Body.Attributes["for_each"]; each != nil {
			d.slow = &slowImage{block: b, repeated: repeated{forEach: each.Expr}}
		} else if hasDynamic(b.Body) {
			d.slow = &slowImage{block: b}
		} else {
			drafts = append(drafts, draft{})
			d.draft = &drafts[len(drafts)-1]
			d.draft.origin = origin{at, -1}
			d.draft.Address = spec.Address(address)
			mark := len(out.findings)
			if !out.literalImage(b, d.draft) {
				drafts = drafts[:len(drafts)-1]
				out.findings = out.findings[:mark]
				d.draft, d.slow = nil, &slowImage{block: b}
			} else {
				shorten(d.draft, intern)
			}
		}
		out.images = append(out.images, d)
	}
	return out
}

func (out *parsed) add(f diag.Finding) { out.findings = append(out.findings, f) }

// parse returns the body, or what could be read of it.
func (out *parsed) parse(name string, src []byte) (*hclsyntax.Body, bool) {
	if isJSON(name) {
		return out.parseJSON(name, src)
	}
	tokens, f := guarded(name, src, false)
	if f != nil {
		out.add(*f)
	}
	if f != nil || out.left != nil && out.left.Add(-int64(tokens)) < 0 {
		out.torn = true
		return nil, false
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	l, torn := syntaxFindings(src, diags)
	out.findings = append(out.findings, l...)
	out.torn = out.torn || torn
	if file == nil {
		return nil, false
	}
	return file.Body.(*hclsyntax.Body), true
}

// syntaxFindings tells of names given twice, and of the first error of syntax:
// those that follow are mostly its echo. An unclosed string alone makes six.
func syntaxFindings(src []byte, diags hcl.Diagnostics) (l diag.List, torn bool) {
	var first *hcl.Diagnostic
	var starts []int // of lines, when they are asked for
	for _, d := range diags {
		switch {
		case d.Severity != hcl.DiagError || d.Subject == nil:
		case d.Summary == "Attribute redefined":
			if starts == nil {
				starts = []int{0, 0}
				for i, c := range src {
					if c == '\n' {
						starts = append(starts, i+1)
					}
				}
			}
			l = append(l, setTwice(src, starts, d))
		case first == nil || d.Subject.Start.Byte < first.Subject.Start.Byte:
			first = d
		}
	}
	if first != nil {
		from := bytes.LastIndexByte(src[:min(first.Subject.Start.Byte, len(src))], '\n') + 1
		line, _, _ := bytes.Cut(src[from:], []byte("\n"))
		f := syntaxProblem(first, string(line))
		if over := f.Range.End.Byte - len(src); over > 0 { // of an open string in JSON
			f.Range.End.Byte -= over
			f.Range.End.Column -= over
		}
		l = append(l, f)
	}
	return l, first != nil
}

var firstSet = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`:(\d+),\d+-[\d,]+\. `) })

// setTwice takes the place of the first one out of the sentence, which would
// change with the layout.
func setTwice(src []byte, starts []int, d *hcl.Diagnostic) diag.Finding {
	name := d.Subject.SliceBytes(src)
	f := problem(codeDuplicate, "attribute", *d.Subject, "keep one of them", "%s is set twice", name)
	m := firstSet().FindStringSubmatch(d.Detail)
	if m == nil {
		return f
	}
	line, _ := strconv.Atoi(m[1])
	if line >= len(starts) {
		return f
	}
	begin := starts[line]
	if i := bytes.Index(src[begin:], name); i >= 0 {
		r := rangeAt(d.Subject.Filename, src, begin+i)
		r.End = diag.Pos{Line: r.Start.Line, Column: r.Start.Column + utf8.RuneCount(name), Byte: r.Start.Byte + len(name)}
		f.Related = []diag.Related{{Range: *r, Text: "the first one"}}
	}
	return f
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && (s[1] < 'A' || s[1] > 'Z') {
		return string(s[0]+'a'-'A') + s[1:]
	}
	return s
}

func placeOf(file int32, b *hclsyntax.Block) place {
	return place{file, int32(b.TypeRange.Start.Line), int32(b.TypeRange.Start.Byte)}
}

// checkHead tells whether a block is known and has the labels that it needs.
func (out *parsed) checkHead(b *hclsyntax.Block, known []inner) bool {
	kind := blockNamed(known, b.Type)
	labels := 0
	if kind != nil && kind.label != "" {
		labels = 1
	}
	switch {
	case kind == nil:
		out.add(problem(codeUnknownBlock, b.Type, b.TypeRange, nearest(b.Type, blockNames(known)), "there is no such block"))
		return false
	case len(b.Labels) > labels:
		out.add(problem(codeLabel, b.Type, b.LabelRanges[labels], "remove it", "the block takes %s", labelCount(labels)))
		return false
	case len(b.Labels) < labels:
		out.add(problem(codeLabel, b.Type, b.TypeRange, fmt.Sprintf("write %s \"NAME\" { … }", b.Type), "the block takes %s", labelCount(labels)))
		return false
	case labels == 1 && !identifier(b.Labels[0]):
		out.add(problem(codeLabel, b.Type, b.LabelRanges[0], "use letters, digits, - and _, and begin with a letter", "%s can't be a name", quoteKey(b.Labels[0])))
		return false
	}
	return true
}

func labelCount(n int) string {
	if n == 0 {
		return "no label"
	}
	return "one label"
}

func identifier(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && (c >= '0' && c <= '9' || c == '-')) {
			return hclsyntax.ValidIdentifier(s)
		}
	}
	return s != ""
}

// literalImage decodes an image block without an evaluator, and reports
// whether that was possible.
func (out *parsed) literalImage(b *hclsyntax.Block, d *draft) bool {
	if slices.ContainsFunc(b.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "precondition" || b.Type == "postcondition" }) {
		return false
	}
	thing := string(d.Address)
	_, wait := decodeImage(b, d, everything, constant, thing, out.add)
	return !wait
}

type parts int

const (
	names      parts = 1 << iota // path, renditions and enabled: what a reference to the image needs
	rest                         // all else
	everything = names | rest
)

// decodeImage fills d from a block. A for_each image or one that refers to
// others is decoded in two goes, so that two images may use each other's path.
func decodeImage(b *hclsyntax.Block, d *draft, which parts, get valuer, thing string, add func(diag.Finding)) (ok, wait bool) {
	at := b.DefRange()
	if which == names {
		// What is wrong here is told by the other go.
		quiet := func(diag.Finding) {}
		only := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}}
		for _, name := range []string{"path", "preset", "enabled"} {
			if a := b.Body.Attributes[name]; a != nil {
				only.Attributes[name] = a
			}
		}
		if d.given, wait = decode(only, &imageSchema, d, get, thing, at, quiet); wait {
			return false, true
		}
	} else if d.given, wait = decode(b.Body, &imageSchema, d, get, thing, at, add); wait {
		return false, true
	}
	var edit, file, life, set, icons, card *hclsyntax.Block
	var renditions map[string]bool
	for _, inner := range b.Body.Blocks {
		var twice *hclsyntax.Block
		switch inner.Type {
		case "rendition":
			if renditions == nil {
				renditions = map[string]bool{}
			}
			if which&names != 0 && decodeRendition(inner, d, renditions, get, thing, add) {
				return false, true
			}
			continue
		case "edit":
			twice, edit = edit, inner
		case "file":
			twice, file = file, inner
		case "lifecycle":
			twice, life = life, inner
		case "responsive":
			twice, set = set, inner
		case "icon":
			twice, icons = icons, inner
		case "social":
			twice, card = card, inner
		default:
			continue
		}
		if which&rest == 0 {
			continue
		}
		if twice != nil {
			f := problem(codeDuplicate, thing, inner.TypeRange, "keep one", "there are two %s blocks", inner.Type)
			f.Related = []diag.Related{{Range: *rangeOf(twice.TypeRange), Text: "the first one"}}
			add(f)
			continue
		}
		if len(inner.Labels) > 0 {
			add(problem(codeLabel, thing, inner.LabelRanges[0], "remove it", "%s takes no label", inner.Type))
		}
		switch inner.Type {
		case "file":
			_, wait = decode(inner.Body, &fileSchema, &d.File, get, thing, inner.DefRange(), within(add, "file: "))
		case "lifecycle":
			wait = decodeLifecycle(inner, d, get, thing, add)
		case "responsive":
			wait = decodeResponsive(inner, d, get, thing, add)
		case "social":
			wait = decodeSocial(inner, d, get, thing, add)
		case "icon":
			d.icon = &icon{}
			add := within(add, "icon: ")
			if _, wait = decode(inner.Body, &iconSchema, d.icon, get, thing, inner.DefRange(), add); !wait {
				wait = decodeCrop(inner, &d.icon.Crop, get, thing, add)
			}
		default:
			wait = decodeEdit(inner, d, get, thing, add)
		}
		if wait {
			return false, true
		}
	}
	return true, false
}

// within puts the name of an inner block after the thing of each finding.
func within(add func(diag.Finding), inner string) func(diag.Finding) {
	return func(f diag.Finding) {
		thing, text, _ := strings.Cut(f.Text, ": ")
		f.Text = thing + ": " + inner + text
		add(f)
	}
}

func decodeRendition(b *hclsyntax.Block, d *draft, seen map[string]bool, get valuer, thing string, add func(diag.Finding)) (wait bool) {
	if len(b.Labels) != 1 || !identifier(b.Labels[0]) {
		add(problem(codeLabel, thing, b.DefRange(), `write rendition "NAME" { … } with letters, digits, - and _, a letter first`, "a rendition takes one name"))
		return false
	}
	r := rendition{Name: b.Labels[0]}
	if seen[r.Name] {
		add(problem(codeDuplicate, thing, b.DefRange(), "give it another name", "there are two renditions %q", r.Name))
		return false
	}
	add = within(add, "rendition "+r.Name+": ")
	if _, wait = decode(b.Body, &renditionSchema, &r, get, thing, b.DefRange(), add); wait {
		return true
	}
	if decodeCrop(b, &r.Crop, get, thing, add) {
		return true
	}
	seen[r.Name] = true
	d.Renditions = append(d.Renditions, r)
	return false
}

// decodeCrop decodes the crop within a block.
func decodeCrop(b *hclsyntax.Block, to *spec.Crop, get valuer, thing string, add func(diag.Finding)) (wait bool) {
	var crop *hclsyntax.Block
	for _, inner := range b.Body.Blocks {
		switch {
		case inner.Type != "crop":
		case crop != nil:
			add(problem(codeDuplicate, thing, inner.TypeRange, "keep one", "there are two crop blocks"))
		default:
			crop = inner
			if len(inner.Labels) > 0 {
				add(problem(codeLabel, thing, inner.LabelRanges[0], "remove it", "crop takes no label"))
			}
			if _, wait = decode(inner.Body, &cropSchema, to, get, thing, inner.DefRange(), within(add, "crop: ")); wait {
				return true
			}
		}
	}
	return false
}

func decodeEdit(b *hclsyntax.Block, d *draft, get valuer, thing string, add func(diag.Finding)) (wait bool) {
	add = within(add, "edit: ")
	at := b.DefRange()
	open := openly(get, thing, "a source", add)
	if _, wait = decode(b.Body, &editSchema, d, get, thing, at, add); wait {
		return true
	}
	one, many := b.Body.Attributes["image"], b.Body.Attributes["images"]
	source := func(v cty.Value, at hcl.Range) {
		if t, ok := targetOf(v); ok && t.kind == "image" {
			d.Wanted.Sources = append(d.Wanted.Sources, spec.Source{Image: spec.Address(t.name)})
			return
		}
		switch {
		case !v.IsKnown():
		case v.Type() != cty.String || v.IsNull():
			hint := `write image.NAME, or a path such as "photos/lake.jpg"`
			if v.Type().IsObjectType() || v.Type().IsMapType() {
				hint = "an image with for_each needs a key: image.NAME[\"KEY\"]"
			}
			add(problem(codeType, thing, at, hint, "a source must be an image or a path, and %s", describe(v)))
		case spec.IsDataURL(v.AsString()):
			if _, err := spec.ParseDataURL(v.AsString()); err != nil {
				add(problem(codeType, thing, at, `write "data:image/png;base64,${filebase64("a.png")}", or simply "a.png"`, "the data URL %s", err))
				return
			}
			d.Wanted.Sources = append(d.Wanted.Sources, spec.Source{Data: v.AsString()})
		case strings.Contains(v.AsString(), "://"):
			add(problem(codePath, thing, at, "download it into the project and write its path", "%s is on another machine, so it may change unseen", quoteKey(v.AsString())))
		default:
			file := trimDot(v.AsString())
			if err := spec.CheckPath(file); err != nil {
				add(problem(codePath, thing, at, pathHint(file), "the path %s %s", quoteKey(file), err))
				return
			}
			d.Wanted.Sources = append(d.Wanted.Sources, spec.Source{File: file})
		}
	}
	switch {
	case one != nil && many != nil:
		add(problem(codeEdit, thing, many.NameRange, "keep one of them", "image and images exclude each other"))
	case one != nil:
		v, ok := open(one.Expr)
		if !ok {
			return true
		}
		source(v, one.Expr.Range())
	case many != nil:
		v, ok := open(many.Expr)
		if !ok {
			return true
		}
		if !v.IsKnown() {
			break
		}
		if ty := v.Type(); v.IsNull() || !(ty.IsTupleType() || ty.IsListType() || ty.IsSetType()) {
			add(problem(codeType, thing, many.Expr.Range(), `write images = [image.a, "b.png"]`, "images must be a list, and %s", describe(v)))
			break
		}
		if v.LengthInt() == 0 {
			add(problem(codeEdit, thing, many.Expr.Range(), "name at least one image, or remove the block", "the list of images is empty"))
		}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			source(e, many.Expr.Range())
		}
	default:
		add(problem(codeEdit, thing, at, `add image = image.NAME, or a path such as "photos/lake.jpg"`, "an edit needs a source"))
	}
	for _, inner := range b.Body.Blocks {
		if inner.Type != "mask" {
			continue
		}
		if d.Wanted.Mask != nil {
			add(problem(codeDuplicate, thing, inner.TypeRange, "keep one", "there are two mask blocks"))
			continue
		}
		if decodeMask(inner, d, get, thing, add) {
			return true
		}
	}
	if p := d.preserve; p != nil && d.Wanted.Mask == nil {
		add(problem(codeEdit, thing, b.Body.Attributes["preserve"].Expr.Range(), "add mask { … }, or remove the line", "preserve needs a mask: without one all may change"))
	} else if p != nil {
		d.Wanted.Mask.Preserve = p
	}
	return false
}

// trimDot drops what says nothing: ./a.png is a.png.
func trimDot(p string) string {
	for strings.HasPrefix(p, "./") {
		p = p[2:]
	}
	return p
}

// shorten lets equal short values share their bytes: models, sizes and styles
// repeat thousands of times.
func shorten(d *draft, intern map[string]string) {
	for _, s := range []*string{&d.Wanted.Model, &d.Wanted.Size, &d.Wanted.AspectRatio, &d.Wanted.Resolution, &d.Wanted.Quality, &d.Wanted.Style, &d.Wanted.User} {
		if *s == "" {
			continue
		}
		if one, ok := intern[*s]; ok {
			*s = one
		} else if len(intern) < 10_000 {
			intern[*s] = *s
		}
	}
}
