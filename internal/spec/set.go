package spec

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// FitSet fits the responsive set among outputs to a picture of the given size,
// zero where nobody knows it: then all of it stays. Nothing is enlarged: what is
// wider than the picture, or than the part of it that is kept, goes, and for the
// first of each format that does, the whole width comes.
func FitSet(outputs []Output, size provider.Size) []Output {
	if size.IsZero() || !slices.ContainsFunc(outputs, func(o Output) bool { return o.Block == Responsive && !narrow(o.Recipe, size.Width) }) {
		return outputs
	}
	var out []Output
	widest := map[string]int{} // by format
	for _, o := range outputs {
		r, err := ParseRecipe(o.Recipe)
		if o.Block != Responsive || err != nil || r.Width == 0 {
			out = append(out, o)
			continue
		}
		own := OwnWidth(r, size)
		switch {
		case own == 0 || r.Width <= own:
			out = append(out, o)
			widest[r.File.Format] = max(widest[r.File.Format], r.Width)
		case widest[r.File.Format] < own:
			out = append(out, o.ofWidth(r.Width, own))
			widest[r.File.Format] = own
		}
	}
	return out
}

// narrow reports whether a recipe certainly asks for no more than a width, of a
// picture that is as wide. Each plan asks it of every file of a set.
func narrow(recipe string, width int) bool {
	head, last, ok := strings.Cut(recipe, " width=")
	n, err := strconv.Atoi(last)
	return ok && err == nil && n <= width && !strings.Contains(head, "crop=") && !strings.Contains(head, "size=")
}

// OwnWidth is how wide the picture is that a recipe scales, made from one of the
// given size; 0 if its crop leaves that.
func OwnWidth(r Recipe, size provider.Size) int {
	if !r.Size.IsZero() {
		size = r.Size
	}
	if r.Crop.IsZero() {
		return size.Width
	}
	_, _, w, _, ok := r.Crop.In(size.Width, size.Height)
	if !ok {
		return 0
	}
	return w
}

// ofWidth is a file of a set in another width: in its name, its path and its
// recipe, of which the width is the last word.
func (o Output) ofWidth(asked, width int) Output {
	was, now := strconv.Itoa(asked), strconv.Itoa(width)
	ext := path.Ext(o.Path)
	o.Name = now + strings.TrimPrefix(o.Name, was)
	o.Path = strings.TrimSuffix(o.Path, "-"+was+ext) + "-" + now + ext
	o.Recipe = strings.TrimSuffix(o.Recipe, "width="+was) + "width=" + now
	return o
}

// SetPath is the path of a file of a responsive set, for one whose base is
// "img/hero" and format extension ".webp".
func SetPath(base string, width int, ext string) string {
	return base + "-" + strconv.Itoa(width) + ext
}

// MayWrite reports whether the responsive set of im may write a path: those
// that it asks for and, where the picture is not as wide as that, one of any
// smaller width.
func (im *Image) MayWrite(file string) bool {
	base, width, ext := CutSetPath(file)
	return width > 0 && slices.ContainsFunc(im.Renditions, func(r Rendition) bool {
		return r.Block == Responsive && width <= r.Width && PathKey(r.Path) == PathKey(SetPath(base, r.Width, ext))
	})
}

// CutSetPath takes a path apart that SetPath may have made; width is 0 for any
// other.
func CutSetPath(file string) (base string, width int, ext string) {
	ext = path.Ext(file)
	rest := strings.TrimSuffix(file, ext)
	i := strings.LastIndexByte(rest, '-')
	if i < 0 {
		return "", 0, ""
	}
	n, err := strconv.Atoi(rest[i+1:])
	if err != nil || n < 1 || n > MaxSide || strconv.Itoa(n) != rest[i+1:] {
		return "", 0, ""
	}
	return rest[:i], n, ext
}
