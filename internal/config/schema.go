package config

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/shape"
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
	to       func(*T) any // *string, *int, *bool, **provider.Money, **target, *[]string, *command, *[]spec.Address, **bool, *shape.Length, *[]shape.Length, *[]int or *ordered; nil: decoded elsewhere
	image    bool         // only of images, not of presets
	secret   bool         // its value may be sensitive: words of a request

	// For people and for schema -json; see Language.
	doc  string // what it means, its unit and what else must be known: no capital letter, no full stop
	def  string // the default as HCL writes it; "" if there is none, or doc tells it
	kind string // the type, where to does not tell it
}

// schema is a kind of block.
type schema[T any] struct {
	rows   []row[T]
	blocks []inner  // inside it
	later  []string // attributes and blocks of the language that this version does not know
	open   string   // what attributes of any other name are; "" if there are none
}

// inner is a block within another or, in topBlocks, within a file.
type inner struct {
	name  string
	label string // what stands behind the name, such as NAME; "" for nothing
	many  bool   // there may be more than one; with a label, one of each
	body  body   // a *schema
	doc   string // as of a row
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
	preserve      *bool
	label         bool // only where it is set
	responsive    *responsive
	icon          *icon
	social        *spec.Rendition
}

// words are put round the prompt.
type words struct{ before, after string }

type rendition = spec.Rendition
type encoding = spec.Encoding

var formats = []string{"png", "jpeg", "webp", "avif"}

var imageSchema = schema[draft]{
	rows: []row[draft]{
		{name: "prompt", secret: true, to: func(d *draft) any { return &d.Wanted.Prompt }, doc: "what is wanted; required, here or in the preset"},
		{name: "path", to: func(d *draft) any { return &d.Path }, doc: "the main output, in output_dir; it ends in .png, .jpg, .jpeg, .webp or .avif. Without it hero.png for image.hero, and icon/docs.png for image.icon[\"docs\"]"},
		{name: "model", to: func(d *draft) any { return &d.Wanted.Model }, doc: "the model that makes it; imgbuild models lists them, and without it the provider's default is taken"},
		{name: "size", to: func(d *draft) any { return &d.Wanted.Size }, doc: "exact width and height in pixels, such as \"1200x630\"; excludes aspect_ratio"},
		{name: "style", secret: true, to: func(d *draft) any { return &d.Wanted.Style }, doc: "\"vivid\" or \"natural\""},
		{name: "preset", to: func(d *draft) any { return &d.preset }, hint: "write preset = preset.NAME", doc: "the house style that it follows"},
		{name: "provider", to: func(d *draft) any { return &d.maker }, hint: "write provider = provider.NAME", doc: "who makes it; without it default_provider, or the only provider without alias"},
		{name: "aspect_ratio", to: func(d *draft) any { return &d.Wanted.AspectRatio }, hint: `write it with quotes, such as "16:9"`, doc: "width to height, such as \"16:9\"; excludes size, and without both the model chooses"},
		{name: "resolution", to: func(d *draft) any { return &d.Wanted.Resolution }, doc: "how large the model draws, such as \"1k\" or \"2k\"; without it the model's default"},
		{name: "quality", to: func(d *draft) any { return &d.Wanted.Quality }, hint: `the quality of the model is a word such as "low"; that of the file is a number in file { quality = … }`, doc: "how much work the model puts in, such as \"low\"; without it the model's default. That of a file is in file and rendition"},
		{name: "user", secret: true, to: func(d *draft) any { return &d.Wanted.User }, doc: "an id of the end user, for the provider"},
		{name: "reroll", loose: true, to: func(d *draft) any { return &d.Wanted.Reroll }, doc: "any change of it asks for a new picture of the same words"},
		{name: "share", to: func(d *draft) any { return &d.Share }, def: "false", doc: "images with share and the same request are bought once"},
		{name: "n", low: 1, up: 10, to: func(d *draft) any { return &d.N }, def: "1", doc: "how many candidates to have; all stay in the store"},
		{name: "pick", low: 1, up: 10, to: func(d *draft) any { return &d.Pick }, def: "1", doc: "the chosen candidate, from 1 to n; another choice is free"},
		{name: "alt", to: func(d *draft) any { return &d.Alt }, doc: "the text for people who don't see it"},
		{name: "caption", to: func(d *draft) any { return &d.Caption }, doc: "the text below it; goes into the label"},
		{name: "credit", to: func(d *draft) any { return &d.Credit }, doc: "whom to name; goes into the label"},
		{name: "license", to: func(d *draft) any { return &d.License }, doc: "the terms of use, as a URL or in words such as \"CC-BY-4.0\"; goes into the label"},
		{name: "label", to: func(d *draft) any { return &d.label }, doc: "false: no file says in its metadata how the picture was made, nor alt, caption, credit and license. true: also copies of what the provider sent do, unless they are signed. Without it, what is encoded here does: renditions, and a main output that is converted"},
		{name: "placeholder", to: func(d *draft) any { return &d.Placeholder }, def: "false", doc: "the lock gets what a page can show before the picture is there: its main colour, a BlurHash, a ThumbHash and a data URL of 400 bytes at most; free, and no file changes with it"},
		{name: "decorative", to: func(d *draft) any { return &d.Decorative }, def: "false", doc: "it needs no alt; excludes alt"},
		{name: "enlarge", to: func(d *draft) any { return &d.Wanted.Enlarge }, def: "false", doc: "size and renditions may be larger than the picture"},
		{name: "enabled", to: func(d *draft) any { return &d.enabled }, def: "true", doc: "false leaves the image out, as if the block were not there: its files are deleted, its candidates stay in the store"},
		{name: "for_each", image: true, kind: "map, object or set of strings", doc: "one image for each key, with each.key and each.value; the keys must be known at plan"},
		{name: "tags", kind: "list or set of strings", to: func(d *draft) any { return &d.Tags }, hint: tagsHint, doc: "words for -target=tag:NAME, -exclude, -replace, restore and budget; those of the preset are added to those of the image"},
		{name: "depends_on", image: true, kind: "list of image addresses", to: func(d *draft) any { return &d.DependsOn }, hint: "write a list such as [image.a, image.b[\"KEY\"]]", doc: "it is made only after these; one with for_each and without a key means all of its instances, and module.NAME all images of a module"},
		{name: "max_cost", to: func(d *draft) any { return &d.MaxCost }, hint: "write an amount in USD, such as 0.10", doc: "USD that an apply may spend on it; a plan that would cost more, or an unknown amount, fails"},
	},
	blocks: []inner{
		{name: "edit", body: &editSchema, doc: "the picture is made from others"},
		{name: "rendition", label: "NAME", many: true, body: &renditionSchema, doc: "one more file, made from the same picture, for free"},
		{name: "responsive", body: &responsiveSchema, doc: "the picture in several widths and formats, for srcset: free, made from one reading, and never enlarged"},
		{name: "icon", body: &iconSchema, doc: "the icons of a site, free: one ICO and PNGs of 180, 192 and 512 pixels"},
		{name: "social", body: &socialSchema, doc: "a card for previews of a page elsewhere: a text over the picture, free"},
		{name: "file", body: &fileSchema, doc: "how the main output is written"},
		{name: "lifecycle", body: &lifecycleSchema, doc: "what may become of the picture"},
		{name: "precondition", many: true, body: &preconditionSchema, doc: "what must hold before anything is made"},
		{name: "postcondition", many: true, body: &postconditionSchema, doc: "what must hold of the picture before it is written"},
		{name: "dynamic", label: "BLOCK", many: true, body: &dynamicSchema, doc: "blocks of one kind, one for each element"},
	},
	later: []string{"negative_prompt", "seed", "background"},
}

// presetSchema is imageSchema without what makes sense for one image only, and
// with words put round the prompt. Rows keep their places, because draft.set
// counts them.
var presetSchema = func() schema[draft] {
	s := schema[draft]{rows: slices.Clone(imageSchema.rows), later: slices.Clone(imageSchema.later)}
	for _, b := range imageSchema.blocks {
		s.later = append(s.later, b.name)
	}
	for i := range s.rows {
		if s.rows[i].image {
			s.rows[i].name = ""
		}
	}
	s.rows = append(s.rows,
		row[draft]{name: "before", secret: true, kind: "string", to: func(d *draft) any { return &d.words.before }, doc: "put before the prompt, with a space between"},
		row[draft]{name: "after", secret: true, kind: "string", to: func(d *draft) any { return &d.words.after }, doc: "put behind the prompt, with a space between"})
	return s
}()

// rowOf is the bit of draft.set for an attribute.
func rowOf(name string) uint32 {
	return 1 << slices.IndexFunc(imageSchema.rows, func(r row[draft]) bool { return r.name == name })
}

var (
	rowPath, rowSize, rowRatio, rowPrompt, rowN, rowEnabled, rowLabel = rowOf("path"), rowOf("size"), rowOf("aspect_ratio"), rowOf("prompt"), rowOf("n"), rowOf("enabled"), rowOf("label")
	rowStyle, rowUser                                                 = rowOf("style"), rowOf("user")
)

var renditionSchema = schema[rendition]{
	rows: append([]row[rendition]{
		{name: "width", low: 1, up: spec.MaxSide, to: func(r *rendition) any { return &r.Width }, doc: "pixels; without it, that of the picture or as its shape and the height want"},
		{name: "height", low: 1, up: spec.MaxSide, to: func(r *rendition) any { return &r.Height }, doc: "pixels; without it, that of the picture or as its shape and the width want"},
		{name: "fit", choices: spec.Fits, to: func(r *rendition) any { return &r.Fit }, def: `"cover"`, doc: "how the picture fits into width and height"},
		{name: "gravity", choices: spec.Gravities, to: func(r *rendition) any { return &r.Gravity }, def: `"center"`, doc: "which side or corner cover keeps and contain puts the picture at; with cover, \"attention\" keeps where edges, saturated colours and tones of skin are"},
		{name: "linear", to: func(r *rendition) any { return &r.Linear }, def: "false", doc: "fit mixes light as an eye would see it from far away, which keeps small bright spots; it takes longer"},
		{name: "grayscale", to: func(r *rendition) any { return &r.Grayscale }, def: "false", doc: "greys only"},
		{name: "blur", up: 100, to: func(r *rendition) any { return &r.Blur }, doc: "pixels of the file, above 0: the standard deviation of a Gaussian blur"},
		{name: "sharpen", up: 10, to: func(r *rendition) any { return &r.Sharpen }, doc: "how much edges are lifted, above 0: 0.5 is a little, 1 is clear"},
		{name: "path", to: func(r *rendition) any { return &r.Path }, doc: "the file, in output_dir; without it, that of the image with -NAME before the end: hero-card.png"},
	}, encodingRows(func(r *rendition) *encoding { return &r.File })...),
	blocks: []inner{{name: "crop", body: &cropSchema, doc: "the part of the picture that is kept, before anything else is done to it"}},
}

var fileSchema = schema[encoding]{rows: encodingRows(func(e *encoding) *encoding { return e })}

// encodingRows are the attributes that the main output and renditions share.
func encodingRows[T any](of func(*T) *encoding) []row[T] {
	return []row[T]{
		{name: "format", choices: formats, to: func(t *T) any { return &of(t).Format }, doc: "of the file; must agree with the end of path, which tells it by itself. A WebP that is not lossless and an AVIF need a program on the PATH: cwebp, avifenc or vips"},
		{name: "quality", low: 1, up: 100, to: func(t *T) any { return &of(t).Quality }, doc: "of a JPEG or WebP, without it 80, or of an AVIF, without it 50"},
		{name: "lossless", to: func(t *T) any { return &of(t).Lossless }, def: "false", doc: "no pixel changes: of a WebP, which then needs no program, or an AVIF, which then needs avifenc; refuses a JPEG"},
		{name: "background", to: func(t *T) any { return (*colour)(&of(t).Background) }, hint: `write it as "#rrggbb"`, doc: "the colour behind the picture, as \"#rrggbb\": of what contain leaves free and of what is transparent. A JPEG without it is put on white"},
	}
}

// colour is what ParseColour reads, as a recipe has it.
type colour string

// extent is a length of a crop: none is negative, and one that is required is not
// nothing.
type extent shape.Length

var cropSchema = schema[spec.Crop]{rows: []row[spec.Crop]{
	{name: "x", to: func(c *spec.Crop) any { return (*extent)(&c.X) }, def: "0", doc: "where it begins from the left, in pixels of the picture, or in percent of its width: \"25%\""},
	{name: "y", to: func(c *spec.Crop) any { return (*extent)(&c.Y) }, def: "0", doc: "where it begins from the top, likewise"},
	{name: "width", required: true, to: func(c *spec.Crop) any { return (*extent)(&c.Width) }, doc: "how wide it is, likewise"},
	{name: "height", required: true, to: func(c *spec.Crop) any { return (*extent)(&c.Height) }, doc: "how high it is, likewise"},
}}

// editSchema: the sources are decoded by their own code.
var editSchema = schema[draft]{
	rows: []row[draft]{
		{name: "image", kind: "image address or string", doc: "the source: image.NAME, the path of a PNG, JPEG or WebP file, or a data URL; one of image and images is required"},
		{name: "images", kind: "list of image addresses and strings", doc: "several sources; a mask is for the first"},
		{name: "preserve", to: func(d *draft) any { return &d.preserve }, doc: "true: put the original pixels of the first source back outside of the mask, exactly; without it that is done where the model takes no mask. It is free"},
	},
	blocks: []inner{{name: "mask", body: &maskSchema, doc: "where the first source may change: a file, or shapes"}},
}

type settings struct {
	Settings
	maker *target
	store Store
}

var manifestSchema = schema[Manifest]{rows: []row[Manifest]{
	{name: "path", required: true, to: func(m *Manifest) any { return &m.Path }, doc: "the file, from the root of the project and not of output_dir: .json, and .ts for ts. Kinds hugo, eleventy and jekyll read it only in their data folder: data/ or _data/"},
}}

const codesHint = `write a list of codes, such as ["IB1003"]; imgbuild explain lists them`

var lintSchema = schema[Lint]{rows: []row[Lint]{
	{name: "off", kind: "list of codes", to: func(l *Lint) any { return (*ordered)(&l.Off) }, hint: codesHint, doc: "rules that say nothing"},
	{name: "info", kind: "list of codes", to: func(l *Lint) any { return (*ordered)(&l.Info) }, hint: codesHint, doc: "rules that only advise"},
	{name: "warning", kind: "list of codes", to: func(l *Lint) any { return (*ordered)(&l.Warning) }, hint: codesHint, doc: "rules that warn"},
	{name: "error", kind: "list of codes", to: func(l *Lint) any { return (*ordered)(&l.Error) }, hint: codesHint, doc: "rules that make imgbuild lint end with 3; only such as are certain, which imgbuild explain tells"},
	{name: "baseline", to: func(l *Lint) any { return &l.Baseline }, hint: `write it with quotes, such as "lint-baseline.json"`, doc: "a file of findings that are not told, from the root of the project; imgbuild lint -write-baseline writes it"},
	{name: "names", kind: "list of strings", to: func(l *Lint) any { return (*ordered)(&l.Names) }, hint: `write a list such as ["Jane Doe", "Acme"]`, doc: "names of people, artists and marks that IB1016 finds in prompts"},
	{name: "max_bytes", low: 1000, up: 1 << 30, to: func(l *Lint) any { return &l.MaxBytes }, def: "2000000", doc: "how large a file may be that is committed, for IB5003"},
}}

var settingsSchema = schema[settings]{
	rows: []row[settings]{
		{name: "required_version", to: func(s *settings) any { return &s.RequiredVersion }, hint: `write it with quotes, such as ">= 0.1"`, doc: "versions of imgbuild that may read this, such as \">= 0.1\" or \"~> 1.2\"; without it any"},
		{name: "default_provider", to: func(s *settings) any { return &s.maker }, hint: "write default_provider = provider.NAME", doc: "who makes images that name no provider; without it, the only provider without alias"},
		{name: "output_dir", to: func(s *settings) any { return &s.OutputDir }, def: `"."`, doc: "the folder for all outputs"},
		{name: "max_cost", to: func(s *settings) any { return &s.MaxCost }, hint: "write an amount in USD, such as 5.00", doc: "USD that an apply may spend; -max-cost is stronger. Without both, an apply without terminal and saved plan stops at 5"},
	},
	blocks: []inner{
		{name: "store", body: &storeSchema, doc: "a second tier of the store, which may be committed or shared"},
		{name: "lint", body: &lintSchema, doc: "which rules imgbuild lint has, and how strict they are"},
		{name: "manifest", label: "KIND", many: true, body: &manifestSchema, doc: "a file that tells a site what there is to show: json, hugo, eleventy, astro, ts or jekyll"},
	},
}

var storeSchema = schema[Store]{rows: []row[Store]{
	{name: "path", required: true, to: func(s *Store) any { return &s.Path }, doc: "its folder"},
	{name: "keep", choices: []string{"picked", "all"}, to: func(s *Store) any { return &s.Keep }, def: `"picked"`, doc: "originals of the chosen candidates only, or of all"},
}}

// command is a program and its arguments, in their order.
type command []string

type maker struct {
	provider.Config
	rate string
}

var providerSchema = schema[maker]{
	rows: []row[maker]{
		{name: "alias", to: func(m *maker) any { return &m.Alias }, hint: `write it with quotes, such as "eu"`, doc: "the name of a second block of the type, for provider.TYPE.ALIAS; a plain string"},
		{name: "endpoint", to: func(m *maker) any { return &m.Endpoint }, doc: "xai: the URL of another server, with its path; without it https://api.x.ai/v1"},
		{name: "credential_command", kind: "list of strings", to: func(m *maker) any { return (*command)(&m.Command) }, hint: `write a program and its arguments: credential_command = ["pass", "show", "xai"]`, doc: "xai: a program on the PATH, and its arguments, that prints the key; run without a shell, only by apply, doctor and models, and in CI only with -allow-exec"},
		{name: "wire", choices: []string{"current", "documented"}, to: func(m *maker) any { return &m.Wire }, def: `"current"`, doc: "xai: the requests as the service takes them now, or as its API page says"},
		{name: "transport", choices: []string{"rest", "grpc"}, to: func(m *maker) any { return &m.Transport }, def: `"rest"`, doc: "xai: how requests travel; gRPC lacks 21:9, 5:2 and 1.5k"},
		{name: "response", choices: []string{"url", "b64_json"}, to: func(m *maker) any { return &m.Response }, def: `"url"`, doc: "xai: a short reply and a download that may be repeated for free, or pictures inside the reply"},
		{name: "deferred", to: func(m *maker) any { return &m.Deferred }, doc: "xai: a request first becomes a job, whose id is kept at once, so that the next apply picks up what a killed one had sent; true where it can be, which is with transport = \"rest\", wire = \"current\" and response = \"url\""},
		{name: "in_doubt", choices: []string{"hold", "ask", "retry"}, to: func(m *maker) any { return &m.InDoubt }, def: `"hold"`, doc: "a request that was sent and not answered, and may have been paid: hold it until apply -retry-in-doubt; let apply ask in a terminal, else hold; or send it again in the next apply"},
		{name: "parallelism", low: 1, up: 1024, to: func(m *maker) any { return &m.Parallelism }, def: "8", doc: "requests in flight at a time"},
		{name: "rate", to: func(m *maker) any { return &m.rate }, hint: `write it with quotes, such as "60/m"`, doc: "requests started in a time: \"1/s\", \"60/m\" or \"500/h\"; without it no limit"},
	},
}

type described struct {
	description string
	sensitive   bool
}

// variableSchema and the following: what has no target is kept as expressions.
var variableSchema = schema[described]{
	rows: []row[described]{
		{name: "type", kind: "type", def: "any", doc: "string, number, bool, any, list(…), set(…), map(…), tuple([…]) or object({ a = string, b = optional(number, 3) })"},
		{name: "default", kind: "any", doc: "of the type; may call functions and name nothing. Without it a value is required"},
		{name: "nullable", kind: "bool", def: "true", doc: "whether null is a value; where it is not, null stands for the default"},
		{name: "sensitive", to: func(d *described) any { return &d.sensitive }, def: "false", doc: "it, and what is made from it, is shown and written nowhere"},
		{name: "description", to: func(d *described) any { return &d.description }, doc: "for people"},
	},
	blocks: []inner{{name: "validation", many: true, body: &validationSchema, doc: "what values must be; may use any variable and local"}},
}

// The blocks of conditions differ in what false means.
var (
	validationSchema      = conditionSchema("false is an error", "what the error says")
	preconditionSchema    = conditionSchema("false is an error, before anything is paid for; may use variables, locals, each, and paths of images", "what the error says")
	postconditionSchema   = conditionSchema("false refuses the picture: it is kept, and no file is written; may use self, the picture, and results of other images besides", "why it is refused")
	outputConditionSchema = conditionSchema("false is an error; may use results of images", "what the error says")
	assertSchema          = conditionSchema("false is a warning; may use results of images", "what the warning says")
)

func conditionSchema(condition, message string) schema[described] {
	return schema[described]{rows: []row[described]{
		{name: "condition", kind: "bool", required: true, doc: condition},
		{name: "error_message", kind: "string", required: true, doc: message},
	}}
}

var outputSchema = schema[described]{
	rows: []row[described]{
		{name: "value", kind: "any", required: true, doc: "printed by apply and imgbuild output; results of images may be used"},
		{name: "description", to: func(d *described) any { return &d.description }, doc: "for people"},
		{name: "sensitive", to: func(d *described) any { return &d.sensitive }, def: "false", doc: "the value is not shown; required where it comes from a sensitive one"},
	},
	blocks: []inner{{name: "precondition", many: true, body: &outputConditionSchema, doc: "what must hold of that which the output is made of"}},
}

var checkSchema = schema[described]{
	blocks: []inner{{name: "assert", many: true, body: &assertSchema, doc: "what should hold"}},
	later:  []string{"data"},
}

// moduleSchema is for the tables: the inputs have the names of the variables.
var moduleSchema = schema[described]{
	rows: []row[described]{
		{name: "source", required: true, kind: "string", doc: "the folder, which begins with ./ or ../ and is in the project"},
		{name: "for_each", kind: "map, object or set of strings", doc: "one instance for each key, with each.key and each.value"},
		{name: "providers", kind: "map of provider", doc: "what a provider in the module is: { xai = provider.xai.eu }; without it the same as here"},
	},
	open: "any variable of the module: its value",
}

var localsSchema = schema[described]{open: "any name: a value, read as local.NAME"}

// topBlocks are the blocks of a file.
var topBlocks = []inner{
	{name: "image", label: "NAME", many: true, body: &imageSchema, doc: "a picture that is wanted, and the files that are made from it"},
	{name: "preset", label: "NAME", many: true, body: &presetSchema, doc: "a house style: attributes that images share, and words put round their prompts"},
	{name: "variable", label: "NAME", many: true, body: &variableSchema, doc: "a value that is given from outside, read as var.NAME"},
	{name: "locals", many: true, body: &localsSchema, doc: "names for expressions"},
	{name: "module", label: "NAME", many: true, body: &moduleSchema, doc: "the images of another folder, made with values of yours; its outputs are read as module.NAME.OUTPUT"},
	{name: "function", label: "NAME", many: true, body: &functionSchema, doc: "a function of your own, called as NAME(…)"},
	{name: "output", label: "NAME", many: true, body: &outputSchema, doc: "a value for others, known at the latest after apply"},
	{name: "check", label: "NAME", many: true, body: &checkSchema, doc: "assertions that only warn, with the plan and after apply"},
	{name: "moved", many: true, body: &movedSchema, doc: "an image, or a module, has another name now and keeps its pictures"},
	{name: "removed", many: true, body: &removedSchema, doc: "an image, or a module, is gone, and what becomes of its files"},
	{name: "import", many: true, body: &importSchema, doc: "an image takes a picture that exists, free, instead of having one made"},
	{name: "budget", label: "NAME", many: true, body: &budgetSchema, doc: "what an apply may spend on images with certain tags"},
	{name: "provider", label: "TYPE", many: true, body: &providerSchema, doc: "who makes pictures: sketch, built in, offline and free, or xai, which is paid"},
	{name: "imgbuild", body: &settingsSchema, doc: "the settings of the project"},
}

// A valuer gives the value of an expression, or false if it has none yet and
// the block must wait for the evaluator.
type valuer func(hclsyntax.Expression) (cty.Value, bool)

// given tells by bits which rows of a block were said, that is, are there and
// not null, which of these fit and were stored, and which are sensitive.
type given struct{ said, set, secret uint32 }

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
		if hasSecret(v) {
			if !r.secret {
				add(notSensitive(thing, r.name, a.Expr.Range()))
				continue
			}
			has.secret |= 1 << i
		}
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
		if blockNamed(s.blocks, inner.Type) == nil {
			s.stranger("block", inner.Type, blockNames(s.blocks), thing, inner.TypeRange, add)
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

// strangers tells of attributes that have no row.
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
	case what == "attribute" && blockNamed(s.blocks, name) != nil:
		add(problem(codeUnknownAttr, thing, at, fmt.Sprintf("write %s { … }", name), "%s is a block, not an attribute", name))
	case what == "block" && slices.Contains(s.names(), name):
		add(problem(codeUnknownBlock, thing, at, fmt.Sprintf("write %s = …", name), "%s is an attribute, not a block", name))
	default:
		hint := nearest(name, known)
		half := map[string]string{"width": "rx", "height": "ry"}[name]
		if half != "" && slices.Contains(known, half) {
			hint = fmt.Sprintf("write %s, half the %s", half, name)
		} else if h, ok := elsewhere[name]; ok && (half == "" || slices.Contains(known, "size")) && what == "attribute" && !strings.HasPrefix(hint, "did") {
			hint = h
		}
		if what == "block" && (name == "precondition" || name == "postcondition") {
			hint = "write it in the image itself" // in Terraform it is in lifecycle
		}
		add(problem(code, thing, at, hint, "there is no %s %q here", what, name))
	}
}

// assign stores v and reports whether it fits.
func assign[T any](r *row[T], to any, v cty.Value, thing string, at hcl.Range, add func(diag.Finding)) bool {
	shown := v
	v, _ = v.Unmark()
	wrong := func(want string) bool {
		hint := r.hint
		if hint == "" {
			hint = conversion(want, v)
		}
		add(problem(codeType, thing, at, hint, "%s must be %s, and %s", r.name, want, describe(shown)))
		return false
	}
	not := func(want string) bool {
		add(problem(codeType, thing, at, r.hint, "%s must be %s, and is %s", r.name, want, show(shown, 60)))
		return false
	}
	switch to := to.(type) {
	case *string:
		if r.loose && v.IsKnown() && (v.Type() == cty.Number || v.Type() == cty.Bool) {
			v = cty.StringVal(show(v, 0))
		}
		if v.Type() != cty.String {
			if r.loose {
				return wrong("a string, a number or a bool")
			}
			return wrong("a string")
		}
		if !v.IsKnown() {
			return false
		}
		s := v.AsString()
		if r.choices != nil && !slices.Contains(r.choices, s) {
			f := problem(codeChoice, thing, at, nearest(s, r.choices), "%s can't be %s", r.name, show(shown, 60))
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
	case *spec.Hundredths:
		if v.Type() != cty.Number {
			return wrong("a number")
		}
		if !v.IsKnown() {
			return false
		}
		n, _ := new(big.Float).Mul(v.AsBigFloat(), big.NewFloat(100)).Int64()
		if n < 1 || n > int64(r.up)*100 {
			add(problem(codeRange, thing, at, "", "%s must be from 0.01 to %d, and is %s", r.name, r.up, show(shown, 0)))
			return false
		}
		*to = spec.Hundredths(n)
	case *extent:
		const want = `a whole number of pixels, or percent such as "25%"`
		if !v.IsKnown() {
			return false
		}
		l, complaint := lengthOf(v)
		if complaint == aLength {
			return wrong(want)
		}
		if complaint != "" || !spec.ForCrop(l) {
			return not(want)
		}
		if r.required && l.Sign() == 0 {
			add(problem(codeRange, thing, at, "keep something", "%s must be above 0, and is %s", r.name, show(shown, 0)))
			return false
		}
		*to = extent(l)
	case *colour:
		if v.Type() != cty.String {
			return wrong("a colour")
		}
		if !v.IsKnown() {
			return false
		}
		c, err := spec.ParseColour(v.AsString())
		if err != nil {
			return not("a colour such as \"#1e90ff\"")
		}
		*to = colour(spec.Colour(c))
	case *bool:
		if v.Type() != cty.Bool {
			return wrong("true or false")
		}
		if !v.IsKnown() {
			return false
		}
		*to = v.True()
	case **bool:
		if v.Type() != cty.Bool {
			return wrong("true or false")
		}
		if !v.IsKnown() {
			return false
		}
		b := v.True()
		*to = &b
	case *shape.Length:
		if !v.IsKnown() {
			return false
		}
		l, complaint := lengthOf(v)
		if strings.HasPrefix(complaint, "is ") {
			add(problem(codeRange, thing, at, r.hint, "%s %s", r.name, complaint))
			return false
		} else if complaint != "" {
			return wrong(complaint)
		}
		*to = l
	case *[]shape.Length:
		points, known, complaint := pointsOf(v)
		if complaint != "" {
			return wrong(complaint)
		}
		if !known {
			return false
		}
		*to = points
	case **provider.Money:
		if v.Type() != cty.Number || !v.IsKnown() {
			return wrong("a number")
		}
		m, err := provider.MoneyFromBig(v.AsBigFloat())
		if err != nil {
			return wrong("an amount in USD that is not negative")
		}
		*to = &m
	case *command:
		if !v.IsKnown() {
			return false
		}
		if !v.Type().IsTupleType() && !v.Type().IsListType() {
			return wrong("a list of strings")
		}
		var words command
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if e.Type() != cty.String || e.IsNull() || !e.IsKnown() {
				return wrong("a list of strings")
			}
			words = append(words, e.AsString())
		}
		*to = words
	case *[]int:
		const want = "a list of whole numbers"
		list, ok := membersOf(v)
		if !ok {
			return wrong(want)
		}
		for _, e := range list {
			n, exact := int64(0), big.Below
			if e.Type() == cty.Number && e.IsKnown() && !e.IsNull() {
				n, exact = e.AsBigFloat().Int64()
			}
			switch {
			case !e.IsKnown():
				return false
			case exact != big.Exact:
				return not(want)
			case n < int64(r.low) || n > int64(r.up):
				add(problem(codeRange, thing, at, "", "%s must be from %d to %d, and one of them is %d", r.name, r.low, r.up, n))
				return false
			case slices.Contains(*to, int(n)):
				add(problem(codeDuplicate, thing, at, "keep one", "%s has %d twice", r.name, n))
				return false
			}
			*to = append(*to, int(n))
		}
	case *ordered:
		list, ok := membersOf(v)
		if !ok {
			return wrong("a list of strings")
		}
		for _, e := range list {
			one := ""
			if !e.IsKnown() {
				return false
			}
			single := *r
			if !assign(&single, &one, e, thing, at, add) {
				return false
			}
			if slices.Contains(*to, one) {
				add(problem(codeDuplicate, thing, at, "keep one", "%s has %s twice", r.name, quoteKey(one)))
				return false
			}
			*to = append(*to, one)
		}
	case *[]string, *[]spec.Address:
		if complaint := assignList(to, v); complaint != "" {
			add(problem(codeType, thing, at, r.hint, "%s must be a list of %s", r.name, complaint))
			return false
		}
	case **target:
		t, ok := targetOf(v)
		if !ok || t.kind != kindOf(r.name) {
			return wrong("a " + kindOf(r.name))
		}
		*to = t
	}
	return true
}

// membersOf are those of a list, a tuple or a set; none while it is not known.
func membersOf(v cty.Value) (list []cty.Value, ok bool) {
	if !v.IsKnown() {
		return nil, true
	}
	if ty := v.Type(); v.IsNull() || !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		return nil, false
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		list = append(list, e)
	}
	return list, true
}

// kindOf is the kind of target that an attribute takes.
func kindOf(attr string) string {
	if attr == "preset" {
		return "preset"
	}
	return "provider"
}
