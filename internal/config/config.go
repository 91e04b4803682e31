package config

import (
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Source is what config may know of the repository. Paths are slash paths from
// the root; "" is the root. Errors wrap those of the file system, so that
// errors.Is(err, fs.ErrNotExist) tells. It is used by many goroutines at once.
type Source interface {
	// ReadDir lists the names of what is no folder in a folder, sorted. What is
	// no regular file is refused by Read.
	ReadDir(dir string) ([]string, error)
	// Read returns a file of at most limit bytes and refuses paths that leave
	// the root. The error of a larger one has a method TooLarge that returns true.
	Read(path string, limit int64) ([]byte, error)
	// Glob lists the files that match a doublestar pattern relative to dir,
	// sorted, relative to dir.
	Glob(dir, pattern string) ([]string, error)
}

// Options is what does not stand in the files of the root.
type Options struct {
	// Vars is -var and -var-file in the order of the command line; the later
	// one wins. They are stronger than *.auto.imgvars, imgbuild.imgvars (or these with .json),
	// IMGBUILD_VAR_name and the default, in this order.
	Vars []Var
	// Env looks up IMGBUILD_VAR_name for each declared variable; nil for none.
	Env func(string) string
	// Types is the known provider types; nil to take any.
	Types []string
	// Version of the program, checked against required_version; "" for no
	// check.
	Version string

	// Ask asks a person for the value of a variable that has none, which counts
	// as one of the command line; nil asks nobody. ok is false if there is no
	// answer.
	Ask func(Question) (answer string, ok bool)

	// Expressions keeps what Eval needs, which takes memory.
	Expressions bool

	// Undeclared lists imports of images that are not declared in the project
	// of that name, instead of making a finding of each.
	Undeclared bool

	// Measure reads the header of a picture, for imagesize; nil if that can't be
	// done. It is handed in because this package knows nothing of pictures.
	Measure func(b []byte) (Picture, error)

	// Large takes projects as large as their owner likes: the bounds on the work
	// of all expressions are for those of strangers.
	Large bool

	// Limits for tests; 0 for what a user has.
	steps         int
	images        int
	total, tokens int64
}

// Var is one -var (Name and Value) or one -var-file (File). A value is taken
// literally by variables of a primitive type and is an HCL expression for
// others.
type Var struct{ Name, Value, File string }

// Question is a variable without a value.
type Question struct {
	Name, Description string
	Sensitive         bool // the answer must not be seen
}

// Picture is what a header tells. Width and Height are pixels as shown.
type Picture struct {
	Width, Height int
	Format        string // "png", "jpeg", "webp" or "gif"
}

// Project is an evaluated configuration. Finish, Judge, Checks and Eval evaluate
// in it, so one goroutine at a time.
type Project struct {
	Images    []spec.Image      // sorted by address (byte order)
	Providers []provider.Config // sorted by Key
	Settings  Settings
	Moved     []Moved   // in order
	Removed   []Removed // in order
	Imports   []Import  // sorted by To
	// Undeclared are the imports of images that the configuration does not
	// have, with Options.Undeclared.
	Undeclared []Import
	Budgets    []Budget // sorted by name
	Guards     []Guard

	files         []string // that places point into
	origins       []origin // of Images
	presets       []ancestor
	inputs        []Input
	hasOutputs    bool
	hasConditions bool
	secrets       bool                 // there are sensitive values
	asked         bool                 // somebody was asked for a value
	hidden        map[string][]stretch // that hold a sensitive value, by file
	eval          *evaluator           // nil in a decoded project
}

// Moved says that an image has another address than before.
type Moved struct{ From, To spec.Address }

// Removed says that an image is gone on purpose.
type Removed struct {
	From      spec.Address
	KeepFiles bool
}

// Import says that an image takes a picture that exists instead of buying one.
type Import struct {
	To   spec.Address
	Path string // clean slash path from the root; not of output_dir

	block place
}

// Settings is the imgbuild block.
type Settings struct {
	RequiredVersion string
	OutputDir       string          // clean slash path from the root; "." by default
	MaxCost         *provider.Money // nil if not said
	Store           *Store          // nil if there is no second tier
	Manifests       []Manifest      // in order
	Lint            Lint
}

// Manifest is a file that tells a site what there is to show.
type Manifest struct {
	Kind string // one of ManifestKinds
	Path string // clean slash path from the root

	at place
}

// Store is the second tier of the store.
type Store struct {
	Path string // clean slash path from the root
	Keep string // "picked" or "all"
}

// Facts is what is known of an image after apply.
type Facts struct {
	Path          string
	Files         map[string]string // rendition name to path
	SHA256        string            // of the main output
	MIME          string
	RevisedPrompt string
	Model         string
	Width, Height int // pixels
	Bytes         int64
	Known         bool // false: the picture is not made yet, and only Path and Files hold

	// Of the picture that Judge looks at, and only if Pixels is set.
	Pixels   bool
	HasAlpha bool // a pixel is not opaque
	Blank    bool // one colour all over
}

// OutputValue is an evaluated output block. JSON is nil where the value depends
// on a picture that is not made yet, and where it is sensitive; then Text tells
// of what is not sensitive in it.
type OutputValue struct {
	Name, Description string
	Sensitive         bool
	JSON              []byte
	Text              string // as one would write it in HCL
}

// place is where a block begins.
type place struct{ file, line, byte int32 }

// origin is the block of an image or a preset and the preset that it takes from,
// -1 for none.
type origin struct {
	place
	preset int32
}

// ancestor is a preset.
type ancestor struct {
	origin
	name string
}

// Preset is the name of the preset that an image takes from, "" if it takes
// from none or the project does not have it.
func (p *Project) Preset(a spec.Address) string {
	i, ok := p.index(a)
	if !ok || p.origins[i].preset < 0 {
		return ""
	}
	return p.presets[p.origins[i].preset].name
}

// HasOutputs reports whether the configuration has output blocks. Where it does
// and the project was decoded, Finish needs a loaded one.
func (p *Project) HasOutputs() bool { return p.hasOutputs }
