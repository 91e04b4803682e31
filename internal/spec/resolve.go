package spec

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Resolve fits a wish to an offer. The inputs of the request are there, in
// order, but have no content yet; SetInputs fills them in.
func Resolve(im *Image, offer *provider.Offer, pins Pins) (Resolved, []Problem) {
	w := &im.Wanted
	res := Resolved{Enlarge: w.Enlarge}
	r := &res.Request
	r.Provider, r.Model, r.Prompt, r.Reroll, r.N = offer.Provider, offer.Model, w.Prompt, w.Reroll, im.N
	f := fitter{offer: offer, pinned: pins.Set, pins: pins}

	r.Resolution = f.choose("resolution", w.Resolution, pins.Resolution, offer.DefaultResolution, offer.Resolutions)
	r.Quality = f.choose("quality", w.Quality, pins.Quality, offer.DefaultQuality, offer.Qualities)
	if len(w.Sources) > 0 {
		f.sources(r, w)
	}
	switch {
	case w.Size != "":
		f.size(&res, w)
	case len(w.Sources) > 0 && w.AspectRatio == "":
		// An edit keeps the shape of its first source unless told otherwise.
	default:
		r.AspectRatio = f.choose("aspect_ratio", w.AspectRatio, pins.AspectRatio, offer.DefaultAspectRatio, offer.AspectRatios)
	}
	f.style(&res, w.Style)
	if w.User != "" {
		r.User = w.User
		if !offer.User {
			f.problem("user", w.User, "takes no end-user id", "delete the line")
		}
	}
	if w.Mask != nil && len(w.Sources) > 0 {
		if offer.Mask {
			r.Mask = &provider.Input{Edit: w.Mask.Edit, Shapes: w.Mask.Shapes}
		}
		res.Restore = w.Mask.Preserves(offer.Mask)
		switch {
		case res.Restore && !offer.Mask:
			res.Notes = append(res.Notes, "mask kept by putting the original pixels back")
		case res.Restore:
			res.Notes = append(res.Notes, "outside the mask the original pixels are put back")
		case !offer.Mask:
			f.problem("edit.preserve", "false", "takes no mask, so without the original pixels put back nothing would keep it", "remove preserve = false")
		}
	}
	if offer.Pixels != nil && r.AspectRatio != "" {
		res.Expect, _ = offer.Pixels(r.AspectRatio, r.Resolution)
	}
	if offer.MaxPrompt > 0 && len(r.Prompt) > offer.MaxPrompt {
		f.problem("prompt", fmt.Sprintf("%d bytes", len(r.Prompt)), fmt.Sprintf("takes prompts of at most %d bytes", offer.MaxPrompt), "shorten the prompt")
	}
	if len(w.Sensitive) > 0 {
		f.conceal(r, w)
	}
	return res, f.problems
}

// conceal marks what of the request is sensitive, and takes sensitive values
// out of the problems.
func (f *fitter) conceal(r *provider.Request, w *Wanted) {
	is := func(field string) bool { return slices.Contains(w.Sensitive, field) }
	if is("prompt") || is("style") && w.Style != "" && r.Style == "" { // the style became words of the prompt
		r.Sensitive = append(r.Sensitive, "prompt")
	}
	if is("style") && r.Style != "" {
		r.Sensitive = append(r.Sensitive, "style")
	}
	if is("user") && r.User != "" {
		r.Sensitive = append(r.Sensitive, "user")
	}
	for i := range f.problems {
		if p := &f.problems[i]; is(p.Field) && p.Field == "style" {
			p.Value, p.Text, p.Hint = "", f.offer.Model+" does not take this style, which is a sensitive value", "imgbuild models lists what it takes"
		} else if is(p.Field) {
			p.Value = ""
		}
	}
}

type fitter struct {
	offer    *provider.Offer
	pinned   bool
	pins     Pins
	problems []Problem
}

// problem adds a finding; claim continues the sentence "model …".
func (f *fitter) problem(field, value, claim, hint string) {
	if f.offer.Elsewhere != nil {
		if edit := f.offer.Elsewhere(field, value); edit != "" {
			hint += ", or " + edit
		}
	}
	f.problems = append(f.problems, Problem{Field: field, Value: value, Text: f.offer.Model + " " + claim, Hint: hint})
}

func (f *fitter) choose(field, wanted, pinned, normal string, accepted []string) string {
	switch {
	case wanted == "" && f.pinned && (pinned == "" || slices.Contains(accepted, pinned)):
		return pinned
	case wanted == "":
		return normal
	case slices.Contains(accepted, wanted):
		return wanted
	case len(accepted) == 0:
		f.problem(field, wanted, "has no "+words(field), "delete the line")
	default:
		f.problem(field, wanted, fmt.Sprintf("has no %s %q", words(field), wanted), nearest(field, wanted, accepted))
	}
	return wanted
}

func words(field string) string { return strings.ReplaceAll(field, "_", " ") }

func nearest(field, wanted string, accepted []string) string {
	if want, ok := ratio(wanted); ok && field == "aspect_ratio" {
		return fmt.Sprintf("the nearest is %q", slices.MinFunc(ratiosOnly(accepted), func(a, b string) int {
			ra, _ := ratio(a)
			rb, _ := ratio(b)
			return cmp.Compare(math.Abs(math.Log(ra/want)), math.Abs(math.Log(rb/want)))
		}))
	}
	return "it takes " + list(accepted)
}

func list(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// ratio reads "16:9".
func ratio(s string) (float64, bool) {
	a, b, ok := strings.Cut(s, ":")
	w, err1 := strconv.ParseFloat(a, 64)
	h, err2 := strconv.ParseFloat(b, 64)
	return w / h, ok && err1 == nil && err2 == nil && w > 0 && h > 0
}

func ratiosOnly(in []string) []string {
	return slices.DeleteFunc(slices.Clone(in), func(s string) bool { _, ok := ratio(s); return !ok })
}

func (f *fitter) sources(r *provider.Request, w *Wanted) {
	switch {
	case f.offer.MaxInputs == 0:
		f.problem("edit", "", "can't edit pictures", "choose a model that can: imgbuild models")
	case len(w.Sources) > f.offer.MaxInputs:
		f.problem("edit", fmt.Sprintf("%d images", len(w.Sources)), fmt.Sprintf("edits at most %d pictures at once", f.offer.MaxInputs), "name fewer images")
	}
	r.Inputs = make([]provider.Input, len(w.Sources))
}

func (f *fitter) style(res *Resolved, style string) {
	offer := f.offer
	switch {
	case style == "":
	case slices.Contains(offer.Styles, style):
		res.Request.Style = style
	case offer.Styles == nil && offer.StyleWords[style] != "":
		res.Request.Prompt = strings.TrimSpace(res.Request.Prompt) + " " + offer.StyleWords[style]
		res.Notes = append(res.Notes, "style by words in the prompt")
	case offer.Styles == nil && len(offer.StyleWords) == 0:
		f.problem("style", style, "has no style", "say it in the prompt")
	default:
		accepted := slices.Clone(offer.Styles)
		for s := range offer.StyleWords {
			accepted = append(accepted, s)
		}
		slices.Sort(accepted)
		f.problem("style", style, fmt.Sprintf("has no style %q", style), "it takes "+list(accepted))
	}
}

// size asks for exact pixels: of the model where it has them, else by the
// cheapest ratio and resolution that cover them and a local crop and
// reduction.
func (f *fitter) size(res *Resolved, w *Wanted) {
	offer, r := f.offer, &res.Request
	size, err := provider.ParseSize(w.Size)
	switch {
	case err != nil:
		f.problems = append(f.problems, Problem{Field: "size", Value: w.Size, Text: err.Error(), Hint: `write size = "1024x1024"`})
		return
	case offer.TakesSize(size):
		r.Size = size
		if !offer.AnySize {
			r.Resolution = "" // the size says it all
		}
		return
	case offer.AnySize:
		f.problem("size", w.Size, fmt.Sprintf("makes at most %d megapixels", offer.MaxPixels>>20), "ask for a smaller size")
		return
	case len(offer.Sizes) > 0:
		sizes := make([]string, len(offer.Sizes))
		for i, s := range offer.Sizes {
			sizes[i] = s.String()
		}
		f.problem("size", w.Size, fmt.Sprintf("has no size %q", w.Size), "it takes "+list(sizes)+"; a rendition makes any other size from these")
		return
	case len(offer.AspectRatios) == 0:
		f.problem("size", w.Size, "lets nobody choose the size", "delete the line")
		return
	}
	f.cover(res, w, size)
}

// cover chooses the cheapest resolution and ratio that cover a size; among
// equals the lowest resolution, then the nearest ratio.
func (f *fitter) cover(res *Resolved, w *Wanted, size provider.Size) {
	offer, r := f.offer, &res.Request
	res.Size = size
	want := float64(size.Width) / float64(size.Height)
	ratios := ratiosOnly(offer.AspectRatios)
	off := func(aspect string) float64 { rat, _ := ratio(aspect); return math.Abs(math.Log(rat / want)) }
	slices.SortStableFunc(ratios, func(a, b string) int { return cmp.Compare(off(a), off(b)) })
	resolutions := offer.Resolutions
	if w.Resolution != "" || len(resolutions) == 0 {
		resolutions = []string{r.Resolution}
	}
	r.AspectRatio, r.Resolution = ratios[0], resolutions[len(resolutions)-1] // if nothing covers it
	if p := f.pins; p.Set && p.Size == size && slices.Contains(ratios, p.AspectRatio) && slices.Contains(resolutions, p.Resolution) {
		// What was cheapest when it was bought may not be any more: the frame
		// stays as long as the size does.
		r.AspectRatio, r.Resolution = p.AspectRatio, p.Resolution
		res.Notes = append(res.Notes, fmt.Sprintf("size %s by a crop of %s at %s", size, p.AspectRatio, p.Resolution))
		return
	}
	best, found := provider.Money(math.MaxInt64), false
	for _, resolution := range resolutions {
		for _, aspect := range ratios {
			if got := pixels(offer, aspect, resolution); got.Width < size.Width || got.Height < size.Height {
				continue
			}
			asked := *r
			asked.AspectRatio, asked.Resolution = aspect, resolution
			price, known := provider.Money(math.MaxInt64), false
			if offer.Price != nil {
				price, known = offer.Price(&asked)
			}
			if !known {
				price = math.MaxInt64 - 1 // only if there is no other
			}
			if price < best {
				best, found = price, true
				r.AspectRatio, r.Resolution = aspect, resolution
			}
		}
	}
	at := fmt.Sprintf("%s%s", r.AspectRatio, prefixed(" at ", r.Resolution))
	switch {
	case found:
		res.Notes = append(res.Notes, fmt.Sprintf("size %s by a crop of %s", size, at))
	case w.Enlarge:
		res.Notes = append(res.Notes, fmt.Sprintf("size %s by enlarging %s", size, at))
	default:
		f.problem("size", w.Size, fmt.Sprintf("makes at most about %s at %s, less than size %q", pixels(offer, r.AspectRatio, r.Resolution), r.AspectRatio, w.Size),
			"write enlarge = true, or ask for a smaller size")
	}
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// pixels is what comes back for a ratio and a resolution: the offer's figure,
// else the sides of that ratio with the area that the resolution stands for
// ("1k" is 1024 x 1024).
func pixels(offer *provider.Offer, aspect, resolution string) provider.Size {
	if offer.Pixels != nil {
		if s, ok := offer.Pixels(aspect, resolution); ok {
			return s
		}
	}
	k, err := strconv.ParseFloat(strings.TrimSuffix(strings.ToLower(resolution), "k"), 64)
	if err != nil {
		k = 1
	}
	rat, _ := ratio(aspect)
	side := k * 1024
	return provider.Size{Width: int(side * math.Sqrt(rat)), Height: int(side / math.Sqrt(rat))}
}

// SetInputs fills in the contents of sources and mask. It reports whether all
// are known.
func (res *Resolved) SetInputs(im *Image, source func(Source) digest.Content, file func(string) digest.Content) bool {
	known := true
	for i, s := range im.Wanted.Sources {
		if i >= len(res.Request.Inputs) {
			break
		}
		c := source(s)
		res.Request.Inputs[i].Content = c
		known = known && !c.IsZero()
	}
	if m := res.Request.Mask; m != nil && m.Edit != provider.Drawn {
		if m.Content = im.Wanted.Mask.Content; m.Content.IsZero() {
			m.Content = file(im.Wanted.Mask.File)
		}
	}
	return known
}

// Outputs lists the files of an image with their recipes. A recipe is stable
// text: its keys are sorted and it has only what was asked for. Of is the
// candidate, nil while it is still to be made; label is asked at most once, and
// only where a file is not a plain copy of it. Of a responsive set those are
// there that a picture of its size has or, before there is one, of the size that
// is expected.
func (res *Resolved) Outputs(im *Image, maskFile digest.Content, of *provider.Image, label func() Label) []Output {
	out := res.Asked(im, maskFile, of, label)
	if !slices.ContainsFunc(out, func(o Output) bool { return o.Block == Responsive }) {
		return out
	}
	size := res.Request.Size
	switch {
	case !res.Size.IsZero():
		size = res.Size
	case of != nil:
		size = provider.Size{Width: of.Width, Height: of.Height}
	case size.IsZero():
		size = res.Expect
	}
	return FitSet(out, size)
}

// Asked is Outputs with the whole of a responsive set, whatever the picture has.
func (res *Resolved) Asked(im *Image, maskFile digest.Content, of *provider.Image, label func() Label) []Output {
	format := formatOf(of)
	var tag string
	asked := label == nil
	text := func(r recipe) string {
		if r == (recipe{file: Encoding{Format: format}}) && !im.LabelCopies || !labelled(r.file.Format) { // what most images have
			return r.String()
		}
		if !asked {
			if tag, asked = label().Digest(), true; tag != "" && im.LabelCopies {
				tag += labelCopies
			}
		}
		if r.label = tag; of != nil && r.width+r.height > 0 { // certainly no copy
			r.label = strings.TrimSuffix(tag, labelCopies)
			return r.String()
		}
		return Settled(r.String(), of)
	}
	out := make([]Output, 0, 1+len(im.Renditions))
	var restore string
	if res.Restore && len(res.Request.Inputs) > 0 {
		mask := provider.Input{Edit: im.Wanted.Mask.Edit, Shapes: im.Wanted.Mask.Shapes, Content: maskFile}
		restore = mask.Edit + ":" + mask.Name() + ":" + res.Request.Inputs[0].Content.String()
	}
	out = append(out, Output{Path: im.Path, Recipe: text(recipe{
		size: res.Size.String(), restore: restore, enlarge: res.Enlarge && !res.Size.IsZero(), file: withFormat(im.File, im.Path),
	})})
	for _, r := range im.Renditions {
		fit := r.Fit
		if fit == "" {
			fit = "cover"
		}
		out = append(out, Output{Block: r.Block, Name: r.Name, Path: r.Path, Font: r.Card.Font, Recipe: text(recipe{
			size: res.Size.String(), restore: restore, enlarge: res.Enlarge && (r.Block != Responsive || !res.Size.IsZero()), file: withFormat(r.File, r.Path),
			fit: fit, width: r.Width, height: r.Height,
			title: r.Card.Title, subtitle: r.Card.Subtitle, color: r.Card.Color, font: res.font(r.Card.Font),
			crop: r.Crop, gravity: r.Gravity, icon: r.Icon, linear: r.Linear, grayscale: r.Grayscale, blur: r.Blur, sharpen: r.Sharpen,
		})})
	}
	return out
}

// font is how a recipe names one.
func (res *Resolved) font(path string) string {
	if path == "" {
		return ""
	}
	return res.Fonts[path].String()
}

func withFormat(e Encoding, file string) Encoding {
	if e.Format == "" {
		e.Format = FormatOf(file)
	}
	return e
}

type recipe struct {
	enlarge       bool
	fit           string
	file          Encoding
	width, height int
	restore, size string
	label         string

	crop              Crop
	gravity, icon     string
	title, subtitle   string
	color, font       string
	linear, grayscale bool
	blur, sharpen     Hundredths
}

func (r recipe) String() string {
	switch r { // what most images have
	case recipe{file: Encoding{Format: "png"}}:
		return "format=png"
	case recipe{file: Encoding{Format: "jpeg"}}:
		return "format=jpeg"
	}
	b := make([]byte, 0, 64)
	add := func(key, value string) {
		if value == "" || value == "0" {
			return
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, key...), '='), value...)
	}
	flag := func(key string, on bool) {
		if on {
			add(key, "true")
		}
	}
	add("background", r.file.Background)
	add("blur", r.blur.String())
	add("color", r.color)
	add("crop", r.crop.String())
	flag("enlarge", r.enlarge)
	add("fit", r.fit)
	add("font", r.font)
	add("format", r.file.Format)
	add("gravity", r.gravity)
	flag("grayscale", r.grayscale)
	add("height", strconv.Itoa(r.height))
	add("icon", r.icon)
	add("label", r.label)
	flag("linear", r.linear)
	flag("lossless", r.file.Lossless)
	add("quality", strconv.Itoa(r.file.Quality))
	add("restore", r.restore)
	add("sharpen", r.sharpen.String())
	add("size", r.size)
	add("subtitle", url.QueryEscape(r.subtitle)) // no blank is left
	add("title", url.QueryEscape(r.title))
	add("width", strconv.Itoa(r.width))
	return string(b)
}

// Recipe is the text of a recipe, taken apart.
type Recipe struct {
	Fit           string
	Width, Height int
	Enlarge       bool
	Size          provider.Size // exact pixels of the picture before Fit
	File          Encoding
	Restore       provider.Input // the mask outside of which the source is put back; no Edit for no restoring
	Crop          Crop           // then Fit
	Gravity       string
	Icon          string
	Card          Card           // but for its Font
	CardFont      digest.Content // zero for the embedded ones
	Linear        bool
	Grayscale     bool
	Blur, Sharpen Hundredths
	RestoreSource digest.Content
	Label         string // digest of what is written into the metadata; "" for nothing
	LabelCopies   bool   // that also where nothing else is done
}

// labelCopies ends the label of a recipe that is for copies, too.
const labelCopies = ",copies"

// Settled is a recipe for a candidate that is known now: a copy of it gets a
// label only where that was asked for and breaks no signature.
func Settled(recipe string, of *provider.Image) string {
	r, err := ParseRecipe(recipe)
	switch {
	case err != nil || of == nil || r.Label == "":
		return recipe
	case !r.Copies(formatOf(of)):
		return strings.Replace(recipe, labelCopies, "", 1) // it has one anyway
	case r.LabelCopies && !of.C2PA:
		return recipe
	}
	return withoutLabel(recipe)
}

// formatOf is the format of a candidate, "" for none.
func formatOf(of *provider.Image) string {
	if of == nil {
		return ""
	}
	return strings.TrimPrefix(of.MIME, "image/")
}

// withoutLabel is the recipe with the label taken out.
func withoutLabel(recipe string) string {
	parts := strings.Fields(recipe)
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return strings.HasPrefix(p, "label=") }), " ")
}

// Small is a recipe for what that of a main output shows, within so many pixels
// a side.
func Small(recipe string, side int) string {
	out := fmt.Sprintf("fit=inside format=png height=%d", side)
	sized := false
	for _, part := range strings.Fields(recipe) {
		switch key, _, _ := strings.Cut(part, "="); key {
		case "size":
			sized = true
			fallthrough
		case "restore":
			out += " " + part
		}
	}
	if sized && slices.Contains(strings.Fields(recipe), "enlarge=true") {
		out = "enlarge=true " + out
	}
	return out + fmt.Sprintf(" width=%d", side)
}

// Verbatim reports whether the recipe leaves a picture of the given format as
// it is, byte for byte.
func (r Recipe) Verbatim(format string) bool { return r.Label == "" && r.Copies(format) }

// Copies reports whether the recipe does nothing to a picture of the given
// format but, perhaps, label it.
func (r Recipe) Copies(format string) bool {
	// How it would be fitted says nothing without a width or a height.
	same := r.Restore.Edit == "" && r.Size.IsZero() && r.Width == 0 && r.Height == 0
	return same && r.Crop.IsZero() && !r.Grayscale && r.Blur == 0 && r.Sharpen == 0 && r.File == (Encoding{Format: format})
}

// ParseRecipe reads what Outputs wrote. It may come from a file that anybody
// can have changed: what is not possible is an error.
func ParseRecipe(s string) (Recipe, error) {
	var r Recipe
	for _, part := range strings.Fields(s) {
		key, value, _ := strings.Cut(part, "=")
		var err error
		switch key {
		case "background":
			r.File.Background = value
			_, err = ParseColour(value)
		case "blur":
			r.Blur, err = parseHundredths(value)
		case "color":
			r.Card.Color = value
			_, err = ParseColour(value)
		case "crop":
			r.Crop, err = ParseCrop(value)
		case "enlarge":
			r.Enlarge = value == "true"
		case "fit":
			r.Fit, err = value, among(value, Fits)
		case "font":
			r.CardFont, err = digest.ParseContent(value)
		case "format":
			r.File.Format = value
		case "gravity":
			r.Gravity, err = value, among(value, Gravities)
		case "grayscale":
			r.Grayscale = value == "true"
		case "height":
			r.Height, err = parseSide(value)
		case "icon":
			r.Icon, err = value, among(value, []string{"any", "maskable"})
		case "label":
			r.Label, r.LabelCopies = strings.CutSuffix(value, labelCopies)
		case "linear":
			r.Linear = value == "true"
		case "lossless":
			r.File.Lossless = value == "true"
		case "quality":
			r.File.Quality, err = strconv.Atoi(value)
		case "restore":
			err = r.parseRestore(value)
		case "sharpen":
			r.Sharpen, err = parseHundredths(value)
		case "size":
			r.Size, err = provider.ParseSize(value)
		case "subtitle":
			r.Card.Subtitle, err = url.QueryUnescape(value)
		case "title":
			r.Card.Title, err = url.QueryUnescape(value)
		case "width":
			r.Width, err = parseSide(value)
		default:
			err = fmt.Errorf("unknown key")
		}
		if err != nil {
			return Recipe{}, fmt.Errorf("recipe %q: %s: %w", s, key, err)
		}
	}
	if r.Card != (Card{}) && (r.Card.Title == "" || r.Card.Color == "" || r.Width < MinCard || r.Height < MinCard) {
		return Recipe{}, fmt.Errorf("recipe %q: it does not say what card", s)
	}
	if r.File.Format == "ico" && r.Icon == "" || r.Icon != "" && (r.Width == 0 || r.Height == 0 || r.Width > maxIcon || r.Height > maxIcon) {
		return Recipe{}, fmt.Errorf("recipe %q: it does not say what icon", s)
	}
	return r, nil
}

// MinCard is the fewest pixels a side that a text can be read on.
const MinCard = 100

// maxIcon is the most pixels a side of an icon.
const maxIcon = 4096

func among(s string, of []string) error {
	if !slices.Contains(of, s) {
		return fmt.Errorf("it is not one of %s", strings.Join(of, ", "))
	}
	return nil
}

func parseSide(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err == nil && (n < 1 || n > MaxSide) {
		err = fmt.Errorf("it is not from 1 to %d", MaxSide)
	}
	return n, err
}

func parseHundredths(s string) (Hundredths, error) {
	whole, part, _ := strings.Cut(s, ".")
	n, err := strconv.Atoi(whole + (part + "00")[:2])
	if err == nil && (n < 0 || Hundredths(n).String() != s) {
		err = fmt.Errorf("%q has not at most two decimals", s)
	}
	return Hundredths(n), err
}

func (r *Recipe) parseRestore(value string) (err error) {
	parts := strings.Split(value, ":")
	if len(parts) != 3 {
		return fmt.Errorf("%q has not three parts", value)
	}
	if r.Restore.Edit = parts[0]; r.Restore.Edit == provider.Drawn {
		r.Restore.Shapes = parts[1]
	} else if r.Restore.Content, err = digest.ParseContent(parts[1]); err != nil {
		return err
	}
	r.RestoreSource, err = digest.ParseContent(parts[2])
	return err
}
