package config

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// responsive is a block of that name: all but the width and the format of its
// files.
type responsive struct {
	spec.Rendition
	widths  []int
	formats ordered
	sizes   string
}

// ordered is a list of texts whose order says something.
type ordered []string

var responsiveSchema = func() schema[responsive] {
	s := schema[responsive]{rows: []row[responsive]{
		{name: "widths", required: true, low: 1, up: spec.MaxSide, kind: "list of numbers", to: func(r *responsive) any { return &r.widths }, hint: "write a list such as [320, 640, 1280]", doc: "pixels, each once. One that is wider than the picture is left out, and the picture's own width stands for it"},
		{name: "formats", choices: formats, kind: "list of strings", to: func(r *responsive) any { return &r.formats }, hint: `write a list such as ["webp", "jpeg"]`, doc: "each width comes in each of them, the best first: that is the order of the sources in HTML. Without it, that of the main output"},
		{name: "sizes", to: func(r *responsive) any { return &r.sizes }, def: `"100vw"`, doc: "how wide the picture is shown, as the attribute sizes of HTML says it: for manifests, no file changes with it"},
		{name: "path", to: func(r *responsive) any { return &r.Path }, doc: "what the names of the files begin with, in output_dir: \"img/hero\" for img/hero-640.webp; without it, the path of the image without its end"},
	}, blocks: renditionSchema.blocks}
	for _, r := range renditionSchema.rows {
		switch r.name {
		case "linear", "grayscale", "sharpen", "quality", "lossless", "background":
			to := r.to
			s.rows = append(s.rows, row[responsive]{name: r.name, low: r.low, up: r.up, def: r.def, hint: r.hint, kind: r.kind, doc: r.doc, to: func(r *responsive) any { return to(&r.Rendition) }})
		}
	}
	return s
}()

func decodeResponsive(b *hclsyntax.Block, d *draft, get valuer, thing string, add func(diag.Finding)) (wait bool) {
	r := &responsive{}
	d.responsive = r
	add = within(add, "responsive: ")
	set, wait := decode(b.Body, &responsiveSchema, r, get, thing, b.DefRange(), add)
	if wait || decodeCrop(b, &r.Crop, get, thing, add) {
		return true
	}
	for i, list := range []int{len(r.widths), len(r.formats)} {
		if name := responsiveSchema.rows[i].name; list == 0 && set.set&(1<<i) != 0 {
			add(problem(codeRange, thing, b.Body.Attributes[name].Expr.Range(), responsiveSchema.rows[i].hint, "%s is empty", name))
		}
	}
	return false
}

// addSets turns sets of files into renditions, once the path is settled.
func (ev *evaluator) addSets(im *draft) {
	if r := im.responsive; r != nil {
		ext := path.Ext(im.Path)
		base := strings.TrimSuffix(im.Path, ext)
		if r.Path != "" {
			base = ev.under(r.Path)
		}
		widths, files := slices.Sorted(slices.Values(r.widths)), r.formats
		if files == nil {
			files = ordered{cmp.Or(im.File.Format, spec.FormatOf(im.Path))}
		}
		im.Sizes = cmp.Or(r.sizes, "100vw")
		for _, format := range files {
			for _, width := range widths {
				one := r.Rendition
				one.Block, one.Name, one.Width, one.File.Format = spec.Responsive, strconv.Itoa(width)+"."+format, width, format
				one.Path = spec.SetPath(base, width, extension(format, ext))
				im.Renditions = append(im.Renditions, one)
			}
		}
	}
	ev.addIcons(im)
	ev.addSocial(im)
}

// icon is a block of that name.
type icon struct {
	spec.Rendition
	maskable *bool
}

var iconSchema = schema[icon]{rows: []row[icon]{
	{name: "path", to: func(i *icon) any { return &i.Path }, doc: "what the names of the files begin with, in output_dir: \"favicon\" for favicon.ico and favicon-192.png; without it, that of the image with -icon: logo-icon.ico"},
	{name: "fit", choices: []string{"contain", "cover"}, to: func(i *icon) any { return &i.Fit }, def: `"contain"`, doc: "how a picture that is no square becomes one: with transparent bars, or cropped"},
	{name: "background", to: func(i *icon) any { return (*colour)(&i.File.Background) }, hint: `write it as "#rrggbb"`, def: `"#ffffff"`, doc: "the colour behind those of 180 pixels and the maskable one, which are never transparent"},
	{name: "maskable", to: func(i *icon) any { return &i.maskable }, def: "true", doc: "one of 512 pixels more, for phones that cut icons: all of the picture that is seen lies in the middle, in the circle of 80 % that each of them shows"},
}, blocks: renditionSchema.blocks}

// addIcons does that for icons.
func (ev *evaluator) addIcons(im *draft) {
	if im.icon == nil {
		return
	}
	base := strings.TrimSuffix(im.Path, path.Ext(im.Path)) + "-icon"
	if im.icon.Path != "" {
		base = ev.under(im.icon.Path)
	}
	add := func(name, end string, side int, kind, format, background string) {
		one := im.icon.Rendition
		one.Block, one.Name, one.Path = spec.Icon, "icon."+name, base+end
		one.Fit, one.Icon, one.Width, one.Height = cmp.Or(one.Fit, "contain"), kind, side, side
		one.File = spec.Encoding{Format: format, Background: background}
		im.Renditions = append(im.Renditions, one)
	}
	background := cmp.Or(im.icon.File.Background, "#ffffff")
	add("ico", ".ico", spec.ICOSides[len(spec.ICOSides)-1], "any", "ico", "")
	add("180", "-180.png", 180, "any", "png", background)
	add("192", "-192.png", 192, "any", "png", "")
	add("512", "-512.png", 512, "any", "png", "")
	if m := im.icon.maskable; m == nil || *m {
		add("maskable", "-maskable.png", 512, "maskable", "png", background)
	}
}

var socialSchema = func() schema[rendition] {
	s := schema[rendition]{rows: []row[rendition]{
		{name: "title", required: true, to: func(r *rendition) any { return &r.Card.Title }, doc: "the text; as large as it fits into three lines, and a line break in it is one on the card. One that is too long, or that the font has no glyphs for, is an error"},
		{name: "subtitle", to: func(r *rendition) any { return &r.Card.Subtitle }, doc: "a smaller text below it, of two lines at most"},
		{name: "font", to: func(r *rendition) any { return &r.Card.Font }, doc: "a TrueType or OpenType file for both; without it Go Bold and Go Regular, which have the letters of Latin, Greek and Cyrillic"},
		{name: "color", to: func(r *rendition) any { return (*colour)(&r.Card.Color) }, hint: `write it as "#rrggbb"`, def: `"#ffffff"`, doc: "that of the text; behind it the picture is darkened, or lightened for a dark one, so far that the contrast is at least 4.5 to 1"},
		{name: "width", low: spec.MinCard, up: 4096, to: func(r *rendition) any { return &r.Width }, def: "1200", doc: "pixels"},
		{name: "height", low: spec.MinCard, up: 4096, to: func(r *rendition) any { return &r.Height }, def: "630", doc: "pixels; of a smaller picture the card is smaller, in the same shape, unless enlarge = true"},
	}, blocks: renditionSchema.blocks}
	for _, r := range renditionSchema.rows {
		switch r.name {
		case "gravity", "path", "format", "quality":
			if r.name == "path" {
				r.doc = "the file, in output_dir; without it, that of the image with -social.jpg"
			}
			s.rows = append(s.rows, r)
		}
	}
	return s
}()

func decodeSocial(b *hclsyntax.Block, d *draft, get valuer, thing string, add func(diag.Finding)) (wait bool) {
	r := &spec.Rendition{Block: spec.Social, Name: "social.card", Width: 1200, Height: 630, Card: spec.Card{Color: "#ffffff"}}
	add = within(add, "social: ")
	set, wait := decode(b.Body, &socialSchema, r, get, thing, b.DefRange(), add)
	if wait || decodeCrop(b, &r.Crop, get, thing, add) {
		return true
	}
	at := func(name string) hcl.Range { return b.Body.Attributes[name].Expr.Range() }
	if set.set&1 != 0 && strings.TrimSpace(r.Card.Title) == "" {
		add(problem(codeRequired, thing, at("title"), "say what stands on the card", "title is empty"))
	}
	if r.Card.Font = trimDot(r.Card.Font); r.Card.Font != "" {
		if err := spec.CheckPath(r.Card.Font); err != nil {
			add(problem(codePath, thing, at("font"), pathHint(r.Card.Font), "the path %s %s", quoteKey(r.Card.Font), err))
			r.Card.Font = ""
		}
	}
	d.social = r
	return false
}

// addSocial does that for a card.
func (ev *evaluator) addSocial(im *draft) {
	if im.social == nil || im.social.Card.Title == "" {
		return
	}
	one := *im.social
	if one.Path == "" {
		one.Path = strings.TrimSuffix(im.Path, path.Ext(im.Path)) + "-social" + extension(one.File.Format, ".jpg")
	} else {
		one.Path = ev.under(one.Path)
	}
	im.Renditions = append(im.Renditions, one)
}
