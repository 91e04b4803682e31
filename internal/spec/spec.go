package spec

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Image is one desired image, instances and presets resolved.
type Image struct {
	Address    Address
	Wanted     Wanted
	N          int // candidates, 1 to 10
	Pick       int // the chosen candidate from 1; 0 if the configuration does not say
	Path       string
	File       Encoding // of the main output
	Renditions []Rendition
	Sizes      string // of the responsive set: what HTML says in sizes
	Alt        string
	Caption    string
	Credit     string // whom to name
	License    string // a URL, or words
	Unlabelled bool   // nothing gets a label

	// LabelCopies: a file that would be a copy of its candidate gets a label, too.
	LabelCopies bool

	// Placeholder: the lock gets what a page can show before the picture is there.
	Placeholder bool
	Tags        []string  // sorted, each once
	DependsOn   []Address // sorted, each once; order only, in no digest
	Ignore      Fields    // count as what the lock recorded, once it has the image
	Share       bool      // equal requests may share their candidates
	Decorative  bool
	Protect     bool            // what is there must not be bought again, written over or deleted
	Judged      bool            // it has postconditions
	MaxCost     *provider.Money // that an apply may spend on it; nil if not said
}

// Wanted is what the user asks for and might be paid for. Empty means "not
// said".
type Wanted struct {
	Provider    string // key of the provider, such as "xai" or "xai.eu"
	Model       string
	Prompt      string
	Size        string
	AspectRatio string
	Resolution  string
	Quality     string
	Style       string
	User        string
	Reroll      string
	Enlarge     bool
	Sources     []Source // an edit if not empty
	Mask        *Mask

	// Sensitive names those of Prompt, Style and User, in this order and as
	// provider.Request does, whose values must not be shown or written.
	Sensitive []string
}

// Source is a picture to edit: another image or a file. Exactly one field is
// set.
type Source struct {
	Image Address `json:"image,omitempty"`
	File  string  `json:"file,omitempty"` // slash path from the root
	Data  string  `json:"data,omitempty"` // a data URL that ParseDataURL takes
	// Content is a source of an earlier run that Ignore holds on to.
	Content digest.Content `json:"content,omitzero"`
}

func (s Source) String() string {
	if s.Image != "" {
		return string(s.Image)
	}
	if s.Data != "" {
		head, _, _ := strings.Cut(s.Data, ",")
		return head
	}
	if !s.Content.IsZero() {
		return "content " + s.Content.Short()
	}
	return s.File
}

// Mask says where an edit may change its first source.
type Mask struct {
	File   string // slash path from the root
	Edit   string // which pixels may change: "transparent", "white" or "black", or provider.Drawn
	Shapes string // of a drawn mask, as package shape writes them, instead of File
	// Written is each of Shapes, in the order of the blocks: only for findings.
	Written []string
	// Preserve says whether the original is put back outside of the mask; nil is
	// only where the model takes no mask.
	Preserve *bool
	// Content is a mask of an earlier run that Ignore holds on to, instead of
	// File.
	Content digest.Content
}

// Place is the field of the block that a shape was written in.
func (m *Mask) Place(shape string) string {
	kind := func(text string) string {
		head, _, _ := strings.Cut(strings.TrimPrefix(text, "!"), "(")
		return head
	}
	n := 0
	for _, w := range m.Written {
		if w == shape {
			break
		}
		if kind(w) == kind(shape) {
			n++
		}
	}
	return "edit.mask." + kind(shape) + "." + strconv.Itoa(n)
}

// Preserves reports whether the original is to be put back; taken tells
// whether the model takes the mask.
func (m *Mask) Preserves(taken bool) bool {
	return m.Preserve == nil && !taken || m.Preserve != nil && *m.Preserve
}

// Encoding says how an output file is written.
type Encoding struct {
	Format   string // "png", "jpeg", "webp" or "avif"; "" to follow the name of the file
	Quality  int    // 1 to 100, 0 if not said
	Lossless bool
	// Background is the colour behind the picture, as "#rrggbb"; "" if not said.
	Background string
}

// Writer says who would write a file: the name of an encoder, with its version
// if that is known without starting it, else why there is none and what to do
// about it.
type Writer struct{ Name, Missing, Hint string }

// Rendition is a further output of an image, made locally and for free.
type Rendition struct {
	// Block is the block that asks for it: "" for a rendition, else Responsive, Icon
	// or Social.
	Block  string
	Name   string
	Path   string // slash path from the root
	Width  int    // pixels; 0 to follow Height
	Height int    // pixels; 0 to follow Width
	Fit    string // "cover" (default), "contain", "fill", "inside" or "outside"
	File   Encoding

	Crop      Crop   // before Fit
	Gravity   string // what stays of "cover", and where "contain" puts it; "" for the middle
	Icon      string // "any": exactly Width by Height; "maskable": likewise, and all of it in the middle, on Background
	Card      Card   // last of all
	Linear    bool   // reduced as light adds up
	Grayscale bool
	Blur      Hundredths // standard deviation in pixels of the file
	Sharpen   Hundredths // 1 lifts an edge by what a blur of a pixel takes from it
}

// Hundredths is a number with two decimals, times 100.
type Hundredths int

func (n Hundredths) String() string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", n/100, n%100), "0"), ".")
}

// MaxSide is the most pixels that a side of a rendition may be asked to have.
const MaxSide = 1 << 16

// Fits are the values of Fit.
var Fits = []string{"cover", "contain", "fill", "inside", "outside"}

// Gravities are the values of Gravity: eight sides and corners, the middle, and
// what people look at first.
var Gravities = []string{"center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "attention"}

// Responsive is the block of a set of files for srcset: a Rendition of it that
// is wider than the picture is left out, and the picture's own width stands for
// it.
const Responsive = "responsive"

// Icon is the block of the icons of a site. Its files are as large as they are
// asked to be.
const Icon = "icon"

// Social is the block of a card: a text over the picture.
const Social = "social"

// Card is what is written on a picture; none without a title.
type Card struct {
	Title, Subtitle string
	Font            string // slash path from the root; "" for the embedded ones
	Color           string // of the text
}

// ICOSides are the sizes in an ICO file.
var ICOSides = []int{16, 32, 48}

// Field is the name of an attribute of the block, as findings place it.
func (r *Rendition) Field(name string) string {
	if r.Block != "" {
		return r.Block + "." + name
	}
	return "rendition." + r.Name + "." + name
}

// String is how findings begin: "rendition card" or "responsive".
func (r *Rendition) String() string {
	if r.Block != "" {
		return r.Block
	}
	return "rendition " + r.Name
}

// Output is a file that an image must have: its path and the recipe that makes
// it from the picked candidate.
type Output struct {
	Block  string // of the rendition
	Name   string // "" for the main output, else of the rendition
	Path   string // slash path from the root
	Recipe string
	Font   string // the file that the recipe names by its content
}

// Paths are the files that an image asks for. Of a responsive set it may write
// others in their place: see MayWrite.
func (im *Image) Paths() []string {
	out := make([]string, 1, 1+len(im.Renditions))
	out[0] = im.Path
	for i := range im.Renditions {
		out = append(out, im.Renditions[i].Path)
	}
	return out
}

// FormatOf is the format that the name of a file promises, or "".
func FormatOf(file string) string {
	switch strings.ToLower(path.Ext(file)) {
	case ".png":
		return "png"
	case ".jpg", ".jpeg":
		return "jpeg"
	case ".webp":
		return "webp"
	case ".avif":
		return "avif"
	case ".gif":
		return "gif"
	}
	return ""
}

// Edges lists the images whose results im needs, in order and without repeats.
func (im *Image) Edges() []Address {
	var out []Address
	for i, s := range im.Wanted.Sources {
		if s.Image == "" {
			continue
		}
		repeated := false
		for _, t := range im.Wanted.Sources[:i] {
			repeated = repeated || t.Image == s.Image
		}
		if !repeated {
			out = append(out, s.Image)
		}
	}
	return out
}

// Before lists the images that must be done before im is begun: those whose
// results it needs, and those that it only depends on.
func (im *Image) Before() []Address {
	out := im.Edges()
	for _, a := range im.DependsOn {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// Problem is a wish that neither the offer nor we can fulfil.
type Problem struct {
	Field string // of the image block, such as "aspect_ratio"
	Value string // the offending one
	Text  string // one sentence, without the address
	Hint  string // an edit or a command
}

// Pins are the resolved defaults of an earlier run with the same model: they
// hold until the user writes the field, so that neither an upgrade nor another
// wire buys. An empty one holds too: the field was left to the model.
type Pins struct {
	Set                              bool
	AspectRatio, Resolution, Quality string
	Size                             provider.Size // that these were chosen to cover, if one was
}

// Resolved is a wish fitted to an offer.
type Resolved struct {
	Request provider.Request          // inputs have no content yet where a source is not made yet
	Fonts   map[string]digest.Content // by path, for Outputs
	Expect  provider.Size             // what the offer says will come; zero where it does not
	Size    provider.Size             // exact pixels of the main output made locally; zero if none
	Enlarge bool                      // the local step may enlarge
	Restore bool                      // put the original's pixels back outside the mask
	Notes   []string                  // what is fulfilled locally, for the plan
}
