package apply

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/encoder"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// drawing is the original of the outputs of an image, decoded once for all: a
// JPEG only as large as what they make of it needs, and with the pixels of the
// source put back outside the mask where they ask for that, all for the same. It
// holds memory of the workshop for the work on all of them until it is closed.
type drawing struct {
	picked   *provider.Image
	original []byte
	base     func() (*imaging.Picture, error)
	close    func()

	width, height int                 // pixels of base
	share         *semaphore.Weighted // of the memory, what the outputs that are worked on at once may take
	most          int64               // of share
}

// newDrawing is for the outputs of a step with these recipes, and for no others.
func (e *Engine) newDrawing(step *plan.Step, picked *provider.Image, original []byte, recipes ...string) *drawing {
	d := &drawing{picked: picked, original: original}
	format := strings.TrimPrefix(picked.MIME, "image/")
	var drawn []spec.Recipe
	var restore *spec.Recipe
	for _, text := range recipes {
		if r, err := spec.ParseRecipe(text); err == nil && !r.Copies(format) {
			drawn = append(drawn, r)
			if r.Restore.Edit != "" {
				restore = &r
			}
		}
	}
	source := sync.OnceValues(func() ([]byte, error) { return e.source(step.Sources[0], restore.RestoreSource) })
	d.base = sync.OnceValues(func() (*imaging.Picture, error) {
		p, _, err := imaging.DecodeFor(original, e.limits(), boxes(recipes, format)...)
		if err != nil || restore == nil {
			return p, err
		}
		b, err := source()
		if err != nil {
			return nil, err
		}
		return e.restore(step, restore, p, b)
	})
	d.close = func() {}
	if len(drawn) == 0 {
		return d
	}
	// What is wrong with a picture is told when it is needed.
	info, _ := imaging.Measure(original, e.limits())
	decoding := imaging.Memory(original, e.limits())
	if restore != nil {
		b, _ := source()
		info, _ = imaging.Measure(b, e.limits())
		decoding += 2*imaging.Memory(b, e.limits()) + 4*area(info.Width, info.Height) // the mask is as large
	}
	d.width, d.height = info.Width, info.Height
	var need []int64
	for _, r := range drawn {
		need = append(need, scratch(r, d.width, d.height))
	}
	slices.Sort(need)
	held := 4 * area(d.width, d.height)
	all := held
	for _, n := range need[max(0, len(need)-cap(e.pixels.places)):] {
		all += n
	}
	all = min(max(decoding, all), e.pixels.most)
	d.most = max(0, all-held)
	d.share, d.close = semaphore.NewWeighted(d.most), e.pixels.room(all)
	return d
}

func area(width, height int) int64 { return int64(width) * int64(height) }

// boxes are what outputs make of their original, in the given format, first of
// all. Copies need no pixel.
func boxes(recipes []string, format string) (out []imaging.Box) {
	for _, text := range recipes {
		if r, err := spec.ParseRecipe(text); err == nil && !r.Copies(format) {
			for _, one := range sidesOf(r) {
				out = append(out, boxOf(one))
			}
		}
	}
	return out
}

// sidesOf are the recipes of what is in a file: of an ICO several, else its own.
func sidesOf(r spec.Recipe) []spec.Recipe {
	if r.File.Format != "ico" {
		return []spec.Recipe{r}
	}
	out := make([]spec.Recipe, len(spec.ICOSides))
	for i, side := range spec.ICOSides {
		out[i] = r
		out[i].Width, out[i].Height = side, side
	}
	return out
}

// boxOf is what a recipe makes of its original first of all: the zero Box for
// one that does anything else before it fits it, or that says anything that is
// not known here, and so may need every pixel.
func boxOf(r spec.Recipe) imaging.Box {
	known := spec.Recipe{Size: r.Size, Width: r.Width, Height: r.Height, Fit: r.Fit, Enlarge: r.Enlarge, File: r.File, Label: r.Label,
		Crop: r.Crop, Gravity: r.Gravity, Icon: r.Icon, Card: r.Card, CardFont: r.CardFont, Linear: r.Linear, Grayscale: r.Grayscale, Blur: r.Blur, Sharpen: r.Sharpen}
	switch {
	case !reflect.DeepEqual(r, known):
		return imaging.Box{}
	case !r.Size.IsZero():
		return imaging.Box{Width: r.Size.Width, Height: r.Size.Height, Fit: "cover", Enlarge: r.Enlarge}
	case !r.Crop.IsZero(), r.Width == 0 && r.Height == 0, r.Icon == "maskable":
		return imaging.Box{}
	}
	return fittingOf(r).Box()
}

// render carries out a recipe. An original that the recipe leaves alone is
// copied byte for byte, with whatever its maker put into it.
func (e *Engine) render(ctx context.Context, j *job, text string, d *drawing) ([]byte, string, error) {
	recipe, err := spec.ParseRecipe(text)
	if err != nil {
		return nil, "", err
	}
	if is := imaging.Sniff(d.original); is != strings.TrimPrefix(d.picked.MIME, "image/") {
		return nil, "", &hinted{fmt.Errorf("%s says that the original is %s, and it is %s", lock.File, d.picked.MIME, cmp.Or(is, "no picture")), "imgbuild doctor -repair"}
	}
	if recipe.Copies(strings.TrimPrefix(d.picked.MIME, "image/")) {
		if recipe.Label == "" {
			return d.original, "", nil
		}
		b, err := imaging.Relabel(d.original, imaging.Label(*j.step.Label))
		return b, "", err
	}
	if err := tooLarge(recipe, d.picked, e.limits()); err != nil {
		return nil, "", err
	}
	file := fileOf(recipe)
	encoders := e.Encoders
	if encoders == nil {
		encoders = &encoder.Set{Getenv: func(string) string { return "" }}
	}
	if encoders.Find(file) == "" {
		return nil, "", e.noEncoder(file)
	}
	defer e.enter(recipe, d)()
	var pictures []*imaging.Picture
	for _, one := range sidesOf(recipe) {
		p, err := e.draw(j, one, d)
		if err != nil {
			return nil, "", err
		}
		pictures = append(pictures, p)
	}
	if file.Format == "ico" {
		var b bytes.Buffer
		by, err := imaging.EncodeICO(&b, pictures...)
		return b.Bytes(), by, err
	}
	b, by, err := encoders.Encode(ctx, pictures[0], file)
	if err != nil || recipe.Label == "" {
		return b, by, err
	}
	b, err = imaging.Relabel(b, imaging.Label(*j.step.Label))
	return b, by, err
}

// enter takes a place in the workshop for what draw does, and of the memory that
// d holds what that takes.
func (e *Engine) enter(recipe spec.Recipe, d *drawing) (leave func()) {
	need := min(scratch(recipe, d.width, d.height), d.most)
	acquire(d.share, need)
	e.pixels.places <- struct{}{}
	return func() {
		<-e.pixels.places
		d.share.Release(need)
	}
}

// draw is the pixels that a recipe makes.
func (e *Engine) draw(j *job, recipe spec.Recipe, d *drawing) (*imaging.Picture, error) {
	p, err := d.base()
	if err != nil {
		return nil, err
	}
	if s := recipe.Size; !s.IsZero() {
		if p, err = fit(p, s.Width, s.Height, "cover", recipe.Enlarge); err != nil {
			return nil, err
		}
	}
	if p, err = rework(p, recipe); err != nil || recipe.Card.Title == "" {
		return p, err
	}
	card, err := e.card(j.step, recipe)
	if err != nil {
		return nil, err
	}
	return card.Of(p)
}

// card is what a recipe writes on a picture, with its font.
func (e *Engine) card(step *plan.Step, r spec.Recipe) (*imaging.Card, error) {
	color, err := spec.ParseColour(r.Card.Color)
	if err != nil {
		return nil, err
	}
	c := &imaging.Card{Title: r.Card.Title, Subtitle: r.Card.Subtitle, Color: color, Width: r.Width, Height: r.Height}
	if r.CardFont.IsZero() {
		return c, nil
	}
	for _, o := range step.Outputs {
		if o.Font != "" && strings.Contains(o.Recipe, "font="+r.CardFont.String()) {
			c.Font, err = e.file(o.Font, r.CardFont)
			return c, err
		}
	}
	return nil, fmt.Errorf("the file of the font %s is not known", r.CardFont.Short())
}

// placeholder is that of what a recipe makes.
func (e *Engine) placeholder(j *job, text string, d *drawing) (lock.Placeholder, error) {
	recipe, err := spec.ParseRecipe(text)
	if err != nil {
		return lock.Placeholder{}, err
	}
	defer e.enter(recipe, d)()
	p, err := e.draw(j, recipe, d)
	if err != nil {
		return lock.Placeholder{}, err
	}
	out, err := imaging.PlaceholderOf(p)
	return lock.Placeholder(out), err
}

// scratch is the bytes, about, that a recipe takes for a picture of so many
// pixels, besides that picture.
func scratch(r spec.Recipe, width, height int) (need int64) {
	for _, size := range sizesOf(r, width, height) {
		need += 4 * area(size[0], size[1])
	}
	width, height = sizeOf(r, width, height)
	each := int64(4) // what is made of it: without colours, on a background, with a text
	if r.Blur > 0 || r.Sharpen > 0 {
		each += imaging.BlurMemory
	}
	if r.File.Format == "webp" && r.File.Lossless {
		each += imaging.WebPMemory
	}
	return need + each*area(width, height)
}

// SizeOf is the size in pixels of what a recipe makes of a candidate.
func SizeOf(recipe string, of *provider.Image) (width, height int, err error) {
	r, err := spec.ParseRecipe(recipe)
	if err != nil {
		return 0, 0, err
	}
	width, height = sizeOf(r, of.Width, of.Height)
	return width, height, nil
}

func sizeOf(r spec.Recipe, width, height int) (int, int) {
	if sizes := sizesOf(r, width, height); len(sizes) > 0 {
		width, height = sizes[len(sizes)-1][0], sizes[len(sizes)-1][1]
	}
	return width, height
}

// sizesOf are the sizes in pixels that a recipe makes one after another of a
// picture, none if it stays as it is.
func sizesOf(r spec.Recipe, width, height int) (sizes [][2]int) {
	if !r.Size.IsZero() {
		width, height = r.Size.Width, r.Size.Height
		sizes = append(sizes, [2]int{width, height})
	}
	if _, _, w, h, ok := r.Crop.In(width, height); ok && !r.Crop.IsZero() {
		width, height = w, h
		sizes = append(sizes, [2]int{w, h})
	}
	if r.Width > 0 || r.Height > 0 {
		w, h := fittingOf(r).Size(width, height)
		sizes = append(sizes, [2]int{w, h})
	}
	return sizes
}

// maxRelabel is the most bytes of a file that gets another label: our own are
// larger than what providers deliver.
const maxRelabel = 4 * 64 << 20

// relabel gives a file that was written before another label. It is nil for what
// is to be a copy of its original again and is not with its label taken away: the
// original had metadata of its own.
func (e *Engine) relabel(j *job, o plan.Output, of *provider.Image) ([]byte, error) {
	recipe, err := spec.ParseRecipe(o.Recipe)
	if err != nil {
		return nil, err
	}
	b, err := e.Out.Read(o.Path, maxRelabel)
	if err != nil {
		return nil, err
	}
	if digest.OfContent(b) != o.Expect {
		return nil, fmt.Errorf("it has changed since the plan was made")
	}
	var l imaging.Label
	if recipe.Label != "" {
		l = imaging.Label(*j.step.Label)
	}
	b, err = imaging.Relabel(b, l)
	if err == nil && recipe.Verbatim(strings.TrimPrefix(of.MIME, "image/")) && digest.OfContent(b) != of.Content {
		return nil, nil
	}
	return b, err
}

// rework makes a rendition of a picture.
func rework(p *imaging.Picture, r spec.Recipe) (*imaging.Picture, error) {
	if !r.Crop.IsZero() {
		x, y, w, h, ok := r.Crop.In(p.Width(), p.Height())
		if !ok {
			return nil, &hinted{fmt.Errorf("the crop of %dx%d at %d,%d leaves the picture, which is %dx%d", w, h, x, y, p.Width(), p.Height()), "write the crop in percent, or smaller"}
		}
		p = p.Crop(x, y, w, h)
	}
	switch {
	case r.Icon == "maskable":
		c, err := spec.ParseColour(r.File.Background)
		if err != nil {
			return nil, err
		}
		return p.Maskable(r.Width, c, r.Enlarge), nil
	case r.Width > 0 || r.Height > 0:
		w, h := p.Width(), p.Height()
		p = fittingOf(r).Of(p)
		if r.Icon != "" && (p.Width() != r.Width || p.Height() != r.Height) {
			return nil, tooSmall(w, h, r.Width, r.Height)
		}
	}
	if r.Grayscale {
		p = p.Grayscale()
	}
	if r.Blur > 0 {
		p = p.Blur(int(r.Blur))
	}
	if r.Sharpen > 0 {
		p = p.Sharpen(int(r.Sharpen))
	}
	if r.File.Background != "" {
		c, err := spec.ParseColour(r.File.Background)
		if err != nil {
			return nil, err
		}
		p = p.On(c)
	}
	return p, nil
}

func fittingOf(r spec.Recipe) imaging.Fitting {
	return imaging.Fitting{Width: r.Width, Height: r.Height, Fit: r.Fit, Gravity: r.Gravity, Enlarge: r.Enlarge, Linear: r.Linear}
}

// fileOf is how a recipe ends.
func fileOf(r spec.Recipe) encoder.File {
	return encoder.File{Format: r.File.Format, Quality: r.File.Quality, Lossless: r.File.Lossless}
}

// errNoEncoder says that nothing here can write an output.
var errNoEncoder = errors.New("there is no encoder")

func (e *Engine) noEncoder(f encoder.File) error {
	if e.Encoders == nil {
		return errNoEncoder
	}
	text, hint := e.Encoders.Missing(f)
	return &hinted{errors.New(text), hint}
}

// other is a note where an output was made again by another encoder; old is
// what the lock has of it.
func other(old *lock.Output, now lock.Output) string {
	if old == nil || old.Recipe != now.Recipe || old.Of != now.Of || old.Content == now.Content || old.Encoder == now.Encoder || old.Encoder == "" {
		return ""
	}
	return fmt.Sprintf("other encoder: %s was written by %s, now by %s; its bytes differ", now.Path, old.Encoder, now.Encoder)
}

// fit makes exact pixels; a picture that is too small is an error unless it
// may be enlarged.
func fit(p *imaging.Picture, width, height int, how string, enlarge bool) (*imaging.Picture, error) {
	out := imaging.Fit(p, width, height, how, enlarge)
	if out.Width() != width || out.Height() != height {
		return nil, tooSmall(p.Width(), p.Height(), width, height)
	}
	return out, nil
}

func tooSmall(w, h, width, height int) error {
	return &hinted{fmt.Errorf("the picture is %dx%d, too small for %dx%d", w, h, width, height), "write enlarge = true, or ask for a smaller size"}
}

// restore puts the pixels of the first source back outside the mask; source is
// its bytes.
func (e *Engine) restore(step *plan.Step, r *spec.Recipe, edited *imaging.Picture, source []byte) (*imaging.Picture, error) {
	mask, err := e.mask(&r.Restore, step.MaskFile, source)
	if err != nil {
		return nil, err
	}
	base, _, err := imaging.Decode(source, e.limits())
	if err != nil {
		return nil, err
	}
	return imaging.Restore(edited, base, mask), nil
}
