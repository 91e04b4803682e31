package manifest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// FormatVersion of the JSON.
const FormatVersion = "1.0"

// Generator is what a manifest says of who wrote it.
const Generator = "imgbuild"

// Manifest is what a site may know.
type Manifest struct {
	FormatVersion string           `json:"format_version"`
	Generator     string           `json:"generator"`
	Images        map[string]Image `json:"images"` // by key
}

// File is a picture in a file. What is empty is left out.
type File struct {
	Path     string `json:"path,omitempty"`     // slash path from the root of the project
	URL      string `json:"url,omitempty"`      // on the site, from its root, where the kind of the manifest tells it
	Resource string `json:"resource,omitempty"` // of kind hugo: path below the folder assets
	Src      string `json:"src,omitempty"`      // of kind astro: path from the manifest
	Width    int    `json:"width,omitempty"`    // pixels
	Height   int    `json:"height,omitempty"`
	MIME     string `json:"mime,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
}

// Image is an image of the project; its File is the main output.
type Image struct {
	Address string `json:"address"`
	Status  string `json:"status,omitempty"` // Missing or Refused: there is no file
	File
	Alt        string   `json:"alt"`
	Decorative bool     `json:"decorative"` // it needs no alt
	Caption    string   `json:"caption,omitempty"`
	Credit     string   `json:"credit,omitempty"`
	License    string   `json:"license,omitempty"`
	Tags       []string `json:"tags"`
	// Placeholder is what can be shown before the picture is there.
	Placeholder *Placeholder `json:"placeholder,omitempty"`
	Variants    []Variant    `json:"variants"` // by set, name, MIME, width and path
	// Shown is the file for <img>, of an image with a responsive set: it may be
	// cropped; else it is the main output.
	Shown *File  `json:"shown,omitempty"`
	Sizes string `json:"sizes,omitempty"` // of the responsive set, as HTML says it
	// Srcset is the files that a browser may choose among, what it should take first:
	// lists of one MIME type each and, last and without one, what stands in for
	// the main output in any browser. None if there is only that.
	Srcset []Choice `json:"srcset,omitempty"`
	AI     AI       `json:"ai"`
}

// Placeholder is what package imaging makes of that name.
type Placeholder struct {
	Color     string `json:"color"`
	BlurHash  string `json:"blurhash"`
	ThumbHash string `json:"thumbhash"`
	DataURL   string `json:"data_url"`
}

// Choice is files that show the same, by width: each has its places and its
// width.
type Choice struct {
	MIME  string `json:"mime,omitempty"`
	Files []File `json:"files"`
}

// Variant is a further file of an image.
type Variant struct {
	Set  string `json:"set,omitempty"`  // "responsive", "icon" or "social", for a file of such a block
	Name string `json:"name,omitempty"` // of the rendition; of an icon what it is for: "ico", "180", "192", "512" or "maskable"
	File
	Whole bool `json:"whole"` // it shows all that the main output shows, so that a browser may choose by width
}

// AI says how a picture was made.
type AI struct {
	Generated bool `json:"generated"` // by a model or a program, in whole or in part
	// Label: pages should say so. False also where the image says label = false.
	Label      bool     `json:"label"`
	SourceType string   `json:"digital_source_type,omitempty"` // URL of IPTC's code
	Provider   string   `json:"provider,omitempty"`
	Model      string   `json:"model,omitempty"`
	C2PA       bool     `json:"c2pa"`                  // the main output has Content Credentials
	EditedFrom []string `json:"edited_from,omitempty"` // addresses and paths
}

// Reasons why an image has no file.
const (
	Missing = "missing"
	Refused = "refused"
)

// Input is all that a manifest is made of.
type Input struct {
	Images      []spec.Image
	Lock        *lock.Lock
	SourceTypes map[spec.Address]string // as plan.SourceTypes tells
	// Size is what a recipe makes of a picture of the size of a candidate, as package
	// apply reckons it.
	Size func(recipe string, of *provider.Image) (width, height int, err error)
	// Measure reads the size of a file whose recipe does not tell it: what was
	// put back from a source that is no image of the project. Nil if that can't be
	// done.
	Measure func(path string) (width, height int, ok bool)
}

const vocabulary = "http://cv.iptc.org/newscodes/digitalsourcetype/"

// Of makes the manifest of a project, without what a kind adds.
func Of(in Input) *Manifest {
	m := &Manifest{FormatVersion: FormatVersion, Generator: Generator, Images: make(map[string]Image, len(in.Images))}
	for i := range in.Images {
		im := &in.Images[i]
		m.Images[Key(im.Address)] = in.image(im)
	}
	return m
}

// templates undoes how HCL keeps the beginning of a template from being one.
var templates = strings.NewReplacer("$${", "${", "%%{", "%{")

// Key is the name of an image in a manifest.
func Key(a spec.Address) string {
	modules, name, key := a.Split()
	if strings.Contains(modules, "[") {
		return string(a)
	}
	short := strings.ReplaceAll("."+modules, ".module.", ".")[1:] + name
	if key == "" {
		return short
	}
	text, err := strconv.Unquote(key)
	if err != nil {
		return string(a)
	}
	return short + "/" + templates.Replace(text)
}

func (in *Input) image(im *spec.Image) Image {
	code := in.SourceTypes[im.Address]
	out := Image{
		Address: string(im.Address), Alt: im.Alt, Decorative: im.Decorative, Caption: im.Caption, Credit: im.Credit, License: im.License,
		Tags: append([]string{}, im.Tags...), Variants: []Variant{},
		AI: AI{Generated: spec.Generated(code)},
	}
	if code != "" {
		out.AI.SourceType = vocabulary + code
	}
	out.AI.Label = out.AI.Generated && !im.Unlabelled
	for _, s := range im.Wanted.Sources {
		out.AI.EditedFrom = append(out.AI.EditedFrom, s.String())
	}
	e := in.Lock.Get(im.Address)
	var main *lock.Output
	if e != nil {
		main = e.Output(im.Path)
	}
	if main == nil {
		out.Status = Missing
		if e != nil && len(e.Candidates) == 0 && len(e.Refused) > 0 {
			out.Status = Refused
		}
		return out
	}
	from := candidate(e, main.Of)
	out.File = in.file(from, main)
	if out.AI.Generated {
		out.AI.Provider, out.AI.Model = e.Field("provider"), e.Field("model")
		if from != nil {
			out.AI.Model = cmp.Or(from.Model, out.AI.Model)
		}
	}
	r, _ := spec.ParseRecipe(main.Recipe)
	out.AI.C2PA = from != nil && from.C2PA && r.Verbatim(strings.TrimPrefix(from.MIME, "image/"))
	if p := main.Placeholder; p.Known() {
		out.Placeholder = &Placeholder{p.Color, p.BlurHash, p.ThumbHash, p.Data}
	}
	for i := range e.Outputs {
		o := &e.Outputs[i]
		v := Variant{File: in.file(candidate(e, o.Of), o)}
		k := slices.IndexFunc(im.Renditions, func(r spec.Rendition) bool { return r.Path == o.Path })
		switch {
		case o == main:
			continue
		case k >= 0 && im.Renditions[k].Block == "":
			v.Name = im.Renditions[k].Name
			v.Whole = o.Of == main.Of && whole(o.Recipe, main.Recipe, v.File, out.File)
		case k >= 0 && im.Renditions[k].Block != spec.Responsive:
			v.Set, v.Name, _ = strings.Cut(im.Renditions[k].Name, ".")
		case k >= 0 || im.MayWrite(o.Path):
			v.Set = spec.Responsive
			v.Whole = o.Of == main.Of && whole(o.Recipe, main.Recipe, v.File, out.File)
		default:
			continue // the next apply deletes it
		}
		out.Variants = append(out.Variants, v)
	}
	slices.SortFunc(out.Variants, func(a, b Variant) int {
		return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Name, b.Name), cmp.Compare(a.MIME, b.MIME), a.Width-b.Width, cmp.Compare(a.Path, b.Path))
	})
	out.Srcset, out.Shown = set(&out, im)
	if out.Shown != nil {
		out.Sizes = im.Sizes
	} else {
		out.Srcset = srcset(&out)
	}
	return out
}

func candidate(e *lock.Entry, content digest.Content) *provider.Image {
	i := slices.IndexFunc(e.Candidates, func(c provider.Image) bool { return c.Content == content })
	if i < 0 {
		return nil
	}
	return &e.Candidates[i]
}

// file is what is known of an output. Of its candidate nothing is known if that
// is none of the image any more.
func (in *Input) file(from *provider.Image, o *lock.Output) File {
	f := File{Path: o.Path, Bytes: o.Bytes, SHA256: o.Content.String(), MIME: mime(spec.FormatOf(o.Path))}
	r, err := spec.ParseRecipe(o.Recipe)
	if err == nil && from != nil {
		if f.Width, f.Height = in.size(o.Recipe, r, from); r.File.Format != "" {
			f.MIME = mime(r.File.Format)
		}
	}
	if f.Width == 0 && in.Measure != nil {
		f.Width, f.Height, _ = in.Measure(o.Path)
	}
	return f
}

func mime(format string) string {
	if format == "ico" {
		return "image/x-icon"
	}
	return "image/" + format
}

// size is the size of what a recipe makes of a candidate, 0 if that is not known.
func (in *Input) size(recipe string, r spec.Recipe, from *provider.Image) (w, h int) {
	w, h = from.Width, from.Height
	if r.Restore.Edit != "" {
		if w, h = in.sizeOf(r.RestoreSource); w == 0 {
			return 0, 0
		}
	}
	w, h, err := in.Size(recipe, &provider.Image{Width: w, Height: h})
	if err != nil {
		return 0, 0
	}
	return w, h
}

// sizeOf is the size of an original that the lock knows.
func (in *Input) sizeOf(content digest.Content) (w, h int) {
	for i := range in.Lock.Entries {
		if c := candidate(&in.Lock.Entries[i], content); c != nil {
			return c.Width, c.Height
		}
	}
	return 0, 0
}

// whole reports whether a rendition shows what the main output does, only
// smaller or in another format.
func whole(recipe, main string, f, of File) bool {
	r, err := spec.ParseRecipe(recipe)
	m, err2 := spec.ParseRecipe(main)
	if err != nil || err2 != nil || f.Width == 0 || of.Width == 0 {
		return false
	}
	same := r.Crop.IsZero() && r.File.Background == m.File.Background && r.Grayscale == m.Grayscale && r.Blur == m.Blur && r.Size == m.Size && r.Restore.Edit == m.Restore.Edit
	// A pixel less or more is what rounding makes of a side.
	off := f.Width*of.Height - f.Height*of.Width
	return same && r.Fit != "fill" && 2*max(off, -off) <= max(of.Width, of.Height)
}
