package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// The blocks of the language are tables: to widen it is to add a row.

// row is an attribute of a block that is decoded into a T.
type row[T any] struct {
	name     string
	required bool
	choices  []string     // of a string; nil for any
	low, up  int          // of a number; both 0 for any
	loose    bool         // a number or bool is taken as text
	hint     string       // for a wrong type
	to       func(*T) any // *string, *int, *bool, **provider.Money or **target; nil: decoded elsewhere
	image    bool         // only of images, not of presets
}

// schema is a kind of block.
type schema[T any] struct {
	rows   []row[T]
	blocks []string // inside it
	later  []string // attributes and blocks of the language that this version does not know
}

// draft is an image or a preset before presets and defaults are applied.
type draft struct {
	spec.Image
	given         // rows of imageSchema
	preset, maker *target
	words         *words // of a preset
	origin        origin
	scope         *scope
	named         bool // the path is final
	enabled       bool // only where it is set
}

// words are put round the prompt.
type words struct{ before, after string }

type rendition = spec.Rendition
type encoding = spec.Encoding

var formats = []string{"png", "jpeg"}

var imageSchema = schema[draft]{
	rows: []row[draft]{
		{name: "prompt", to: func(d *draft) any { return &d.Wanted.Prompt }},
		{name: "path", to: func(d *draft) any { return &d.Path }},
		{name: "model", to: func(d *draft) any { return &d.Wanted.Model }},
		{name: "size", to: func(d *draft) any { return &d.Wanted.Size }},
		{name: "style", to: func(d *draft) any { return &d.Wanted.Style }},
		{name: "preset", to: func(d *draft) any { return &d.preset }, hint: "write preset = preset.NAME"},
		{name: "provider", to: func(d *draft) any { return &d.maker }, hint: "write provider = provider.NAME"},
		{name: "aspect_ratio", to: func(d *draft) any { return &d.Wanted.AspectRatio }, hint: `write it with quotes, such as "16:9"`},
		{name: "resolution", to: func(d *draft) any { return &d.Wanted.Resolution }},
		{name: "quality", to: func(d *draft) any { return &d.Wanted.Quality }, hint: `the quality of the model is a word such as "low"; that of the file is a number in file { quality = … }`},
		{name: "user", to: func(d *draft) any { return &d.Wanted.User }},
		{name: "reroll", loose: true, to: func(d *draft) any { return &d.Wanted.Reroll }},
		{name: "share", to: func(d *draft) any { return &d.Share }},
		{name: "n", low: 1, up: 10, to: func(d *draft) any { return &d.N }},
		{name: "pick", low: 1, up: 10, to: func(d *draft) any { return &d.Pick }},
		{name: "alt", to: func(d *draft) any { return &d.Alt }},
		{name: "decorative", to: func(d *draft) any { return &d.Decorative }},
		{name: "enlarge", to: func(d *draft) any { return &d.Wanted.Enlarge }},
		{name: "enabled", to: func(d *draft) any { return &d.enabled }},
		{name: "for_each", image: true},
	},
	blocks: []string{"edit", "rendition", "file"},
	later: []string{"negative_prompt", "seed", "background", "caption", "tags", "license", "credit", "depends_on",
		"responsive", "precondition", "postcondition", "lifecycle", "dynamic"},
}

// presetSchema is imageSchema without what makes sense for one image only, and
// with words put round the prompt. Rows keep their places, because draft.set
// counts them.
var presetSchema = func() schema[draft] {
	s := schema[draft]{rows: slices.Clone(imageSchema.rows), later: slices.Clone(imageSchema.later)}
	s.later = append(s.later, imageSchema.blocks...)
	for i := range s.rows {
		if s.rows[i].image {
			s.rows[i].name = ""
		}
	}
	s.rows = append(s.rows,
		row[draft]{name: "before", to: func(d *draft) any { return &d.words.before }},
		row[draft]{name: "after", to: func(d *draft) any { return &d.words.after }})
	return s
}()

// rowOf is the bit of draft.set for an attribute.
func rowOf(name string) uint32 {
	return 1 << slices.IndexFunc(imageSchema.rows, func(r row[draft]) bool { return r.name == name })
}

var (
	rowPath, rowSize, rowRatio, rowPrompt, rowN, rowEnabled = rowOf("path"), rowOf("size"), rowOf("aspect_ratio"), rowOf("prompt"), rowOf("n"), rowOf("enabled")
)

var renditionSchema = schema[rendition]{rows: []row[rendition]{
	{name: "width", low: 1, up: 1 << 16, to: func(r *rendition) any { return &r.Width }},
	{name: "height", low: 1, up: 1 << 16, to: func(r *rendition) any { return &r.Height }},
	{name: "fit", choices: []string{"cover", "contain", "fill", "inside", "outside"}, to: func(r *rendition) any { return &r.Fit }},
	{name: "format", choices: formats, to: func(r *rendition) any { return &r.File.Format }},
	{name: "quality", low: 1, up: 100, to: func(r *rendition) any { return &r.File.Quality }},
	{name: "path", to: func(r *rendition) any { return &r.Path }},
}}

var fileSchema = schema[encoding]{rows: []row[encoding]{
	{name: "format", choices: formats, to: func(e *encoding) any { return &e.Format }},
	{name: "quality", low: 1, up: 100, to: func(e *encoding) any { return &e.Quality }},
	{name: "lossless", to: func(e *encoding) any { return &e.Lossless }},
}}

// editSchema and maskSchema: the sources are decoded by their own code.
var editSchema = schema[draft]{
	rows:   []row[draft]{{name: "image"}, {name: "images"}},
	blocks: []string{"mask"},
	later:  []string{"preserve"},
}

var maskSchema = schema[spec.Mask]{
	rows: []row[spec.Mask]{
		{name: "file", required: true, to: func(m *spec.Mask) any { return &m.File }},
		{name: "edit", choices: []string{"transparent", "white", "black"}, to: func(m *spec.Mask) any { return &m.Edit }},
	},
	later: []string{"rect", "ellipse", "polygon"},
}

type settings struct {
	Settings
	maker *target
	store Store
}

var settingsSchema = schema[settings]{
	rows: []row[settings]{
		{name: "required_version", to: func(s *settings) any { return &s.RequiredVersion }, hint: `write it with quotes, such as ">= 0.1"`},
		{name: "default_provider", to: func(s *settings) any { return &s.maker }, hint: "write default_provider = provider.NAME"},
		{name: "output_dir", to: func(s *settings) any { return &s.OutputDir }},
		{name: "max_cost", to: func(s *settings) any { return &s.MaxCost }, hint: "write an amount in USD, such as 5.00"},
	},
	blocks: []string{"store"},
	later:  []string{"manifest"},
}

var storeSchema = schema[Store]{rows: []row[Store]{
	{name: "path", required: true, to: func(s *Store) any { return &s.Path }},
	{name: "keep", choices: []string{"picked", "all"}, to: func(s *Store) any { return &s.Keep }},
}}

type maker struct {
	provider.Config
	rate string
}

var providerSchema = schema[maker]{
	rows: []row[maker]{
		{name: "alias", to: func(m *maker) any { return &m.Alias }, hint: `write it with quotes, such as "eu"`},
		{name: "endpoint", to: func(m *maker) any { return &m.Endpoint }},
		{name: "wire", choices: []string{"current", "documented"}, to: func(m *maker) any { return &m.Wire }},
		{name: "transport", choices: []string{"rest", "grpc"}, to: func(m *maker) any { return &m.Transport }},
		{name: "response", choices: []string{"url", "b64_json"}, to: func(m *maker) any { return &m.Response }},
		{name: "deferred", to: func(m *maker) any { return &m.Deferred }},
		{name: "in_doubt", choices: []string{"hold", "ask", "retry"}, to: func(m *maker) any { return &m.InDoubt }},
		{name: "parallelism", low: 1, up: 1024, to: func(m *maker) any { return &m.Parallelism }},
		{name: "rate", to: func(m *maker) any { return &m.rate }, hint: `write it with quotes, such as "60/m"`},
	},
	later: []string{"credential_command"},
}

type described struct{ description string }

// variableSchema and the following: what has no target is kept as expressions.
var variableSchema = schema[described]{
	rows: []row[described]{
		{name: "type"}, {name: "default"}, {name: "nullable"}, {name: "sensitive"},
		{name: "description", to: func(d *described) any { return &d.description }},
	},
	blocks: []string{"validation"},
}

var validationSchema = schema[described]{rows: []row[described]{{name: "condition", required: true}, {name: "error_message", required: true}}}

var outputSchema = schema[described]{
	rows: []row[described]{
		{name: "value", required: true},
		{name: "description", to: func(d *described) any { return &d.description }},
	},
	later: []string{"precondition", "sensitive"},
}

// topBlocks are the blocks of a file, with how many labels they have, and
// laterBlocks those of the language that this version does not know.
var (
	topBlocks   = map[string]int{"imgbuild": 0, "provider": 1, "variable": 1, "locals": 0, "preset": 1, "image": 1, "output": 1, "moved": 0, "removed": 0, "module": 1}
	laterBlocks = []string{"import", "function", "check"}
)

// A valuer gives the value of an expression, or false if it has none yet and
// the block must wait for the evaluator.
type valuer func(hclsyntax.Expression) (cty.Value, bool)

// given tells by bits which rows of a block were said, that is, are there and
// not null, and which of these fit and were stored.
type given struct{ said, set uint32 }

// decode fills to from the attributes of a block. wait is true if an
// expression needs the evaluator.
func decode[T any](b *hclsyntax.Body, s *schema[T], to *T, get valuer, thing string, at hcl.Range, add func(diag.Finding)) (has given, wait bool) {
	seen := 0
	for i := range s.rows {
		r := &s.rows[i]
		a := b.Attributes[r.name]
		if a == nil {
			if r.required {
				add(problem(codeRequired, thing, at, fmt.Sprintf("add %s = …", r.name), "%s is required", r.name))
			}
			continue
		}
		seen++
		if r.to == nil {
			has.said |= 1 << i
			continue
		}
		v, ok := get(a.Expr)
		if !ok {
			return has, true
		}
		if v.IsNull() {
			if r.required {
				add(problem(codeRequired, thing, a.Expr.Range(), "give it a value", "%s is required, and null", r.name))
			}
			continue
		}
		has.said |= 1 << i
		if v.Type() == cty.DynamicPseudoType {
			continue // what failed was told
		}
		if assign(r, r.to(to), v, thing, a.Expr.Range(), add) {
			has.set |= 1 << i
		}
	}
	if seen < len(b.Attributes) {
		s.strangers(b, thing, add)
	}
	for _, inner := range b.Blocks {
		if !slices.Contains(s.blocks, inner.Type) {
			s.stranger("block", inner.Type, s.blocks, thing, inner.TypeRange, add)
		}
	}
	return has, false
}

func (s *schema[T]) names() []string {
	names := make([]string, 0, len(s.rows))
	for i := range s.rows {
		if s.rows[i].name != "" {
			names = append(names, s.rows[i].name)
		}
	}
	return names
}

// strangers tells of attributes that have no row.
// elsewhere says where people find what they look for under another name.
var elsewhere = map[string]string{
	"ratio":           "write aspect_ratio",
	"width":           `write size = "1024x768", or a rendition with a width`,
	"height":          `write size = "1024x768", or a rendition with a height`,
	"response_format": `write response = "b64_json" in the provider block`,
	"api_key":         "the key comes from XAI_API_KEY or the file that XAI_API_KEY_FILE names, never from the configuration",
	"key":             "the key comes from XAI_API_KEY or the file that XAI_API_KEY_FILE names, never from the configuration",
	"output":          "write path",
	"file_name":       "write path",
	"filename":        "write path",
}

func (s *schema[T]) strangers(b *hclsyntax.Body, thing string, add func(diag.Finding)) {
	names := s.names()
	for _, name := range sortedKeys(b.Attributes) {
		if !slices.Contains(names, name) {
			s.stranger("attribute", name, names, thing, b.Attributes[name].NameRange, add)
		}
	}
}

func (s *schema[T]) stranger(what, name string, known []string, thing string, at hcl.Range, add func(diag.Finding)) {
	code := codeUnknownAttr
	if what == "block" {
		code = codeUnknownBlock
	}
	switch {
	case name == "count":
		add(problem(codeCount, thing, at, "use for_each with a map or a set: its keys name the images", "there is no count, because a shifted index would buy images again"))
	case slices.Contains(s.later, name):
		add(problem(codeUnsupported, thing, at, "remove it for now", "%s is not supported by this version", name))
	case what == "attribute" && slices.Contains(s.blocks, name):
		add(problem(codeUnknownAttr, thing, at, fmt.Sprintf("write %s { … }", name), "%s is a block, not an attribute", name))
	case what == "block" && slices.Contains(s.names(), name):
		add(problem(codeUnknownBlock, thing, at, fmt.Sprintf("write %s = …", name), "%s is an attribute, not a block", name))
	default:
		hint := nearest(name, known)
		if h, ok := elsewhere[name]; ok && what == "attribute" && !strings.HasPrefix(hint, "did") {
			hint = h
		}
		add(problem(code, thing, at, hint, "there is no %s %q here", what, name))
	}
}

// assign stores v and reports whether it fits.
func assign[T any](r *row[T], to any, v cty.Value, thing string, at hcl.Range, add func(diag.Finding)) bool {
	wrong := func(want string) bool {
		hint := r.hint
		if hint == "" && want == "a string" && v.Type().IsPrimitiveType() {
			hint = "write it with quotes, or convert it with tostring()"
		}
		add(problem(codeType, thing, at, hint, "%s must be %s, and %s", r.name, want, describe(v)))
		return false
	}
	switch to := to.(type) {
	case *string:
		if r.loose && v.IsKnown() && (v.Type() == cty.Number || v.Type() == cty.Bool) {
			v = cty.StringVal(show(v, 0))
		}
		if v.Type() != cty.String {
			return wrong("a string")
		}
		if !v.IsKnown() {
			return false
		}
		s := v.AsString()
		if r.choices != nil && !slices.Contains(r.choices, s) {
			f := problem(codeChoice, thing, at, nearest(s, r.choices), "%s can't be %s", r.name, show(v, 60))
			if r.name == "format" && s == "jpg" {
				f.Hint = `write "jpeg"`
			}
			add(f)
			return false
		}
		*to = s
	case *int:
		if v.Type() != cty.Number {
			return wrong("a number")
		}
		if !v.IsKnown() {
			return false
		}
		n, exact := v.AsBigFloat().Int64()
		if !v.AsBigFloat().IsInt() || exact != 0 {
			return wrong("a whole number")
		}
		if (r.low != 0 || r.up != 0) && (n < int64(r.low) || n > int64(r.up)) {
			add(problem(codeRange, thing, at, "", "%s must be from %d to %d, and is %d", r.name, r.low, r.up, n))
			return false
		}
		*to = int(n)
	case *bool:
		if v.Type() != cty.Bool {
			return wrong("true or false")
		}
		if !v.IsKnown() {
			return false
		}
		*to = v.True()
	case **provider.Money:
		if v.Type() != cty.Number || !v.IsKnown() {
			return wrong("a number")
		}
		m, err := provider.MoneyFromBig(v.AsBigFloat())
		if err != nil {
			return wrong("an amount in USD that is not negative")
		}
		*to = &m
	case **target:
		t, ok := targetOf(v)
		if !ok || t.kind != kindOf(r.name) {
			return wrong("a " + kindOf(r.name))
		}
		*to = t
	}
	return true
}

// kindOf is the kind of target that an attribute takes.
func kindOf(attr string) string {
	if attr == "preset" {
		return "preset"
	}
	return "provider"
}
