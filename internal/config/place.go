package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// At is the place of a field of an image, such as "aspect_ratio", "edit",
// "edit.mask", "file.quality", "rendition.card.width" or, for the second of the
// blocks without a label, "edit.mask.rect.1": the value in its block, else in its preset, else the head of the block. It is nil for an
// address that the project does not have. It parses the file again, so it is
// for when there is something to say.
func (p *Project) At(src Source, a spec.Address, field string) *diag.Range {
	i, ok := p.index(a)
	if !ok {
		return p.guardAt(src, a, field)
	}
	return (&locator{src: src, p: p}).at(i, field)
}

// Image is the image of an address, nil if the project does not have it.
func (p *Project) Image(a spec.Address) *spec.Image {
	if i, ok := p.index(a); ok {
		return &p.Images[i]
	}
	return nil
}

// index is the place of an image among Images.
func (p *Project) index(a spec.Address) (int, bool) {
	return slices.BinarySearchFunc(p.Images, a, func(im spec.Image, a spec.Address) int { return cmp.Compare(im.Address, a) })
}

// locator finds places. It remembers a few files, because findings come in
// bunches.
type locator struct {
	src   Source
	p     *Project
	torn  map[string]bool // of these nothing is told but the first error of syntax
	files [8]located
	next  int
}

type located struct {
	file   string
	blocks map[int32]*hclsyntax.Block // by byte
	src    []byte
}

func (l *locator) at(image int, field string) *diag.Range {
	return l.ofOrigin(l.p.origins[image], field)
}

func (l *locator) of(im *draft, field string) *diag.Range { return l.ofOrigin(im.origin, field) }

func (l *locator) ofOrigin(o origin, field string) *diag.Range {
	if field != "" {
		if r := l.inBlock(o.place, field); r != nil {
			return r
		}
		for next, hops := o.preset, 0; next >= 0 && hops < len(l.p.presets); hops++ {
			p := l.p.presets[next]
			if r := l.inBlock(p.place, field); r != nil {
				return r
			}
			next = p.preset
		}
	}
	return l.field(o.place, "")
}

// field is like inBlock, but the head of the block where the field is not in
// it, and at least its line where the file has changed.
func (l *locator) field(at place, field string) *diag.Range {
	if b := l.block(at); b == nil {
		pos := diag.Pos{Line: int(at.line), Column: 1, Byte: int(at.byte)}
		return &diag.Range{File: l.p.files[at.file], Start: pos, End: pos}
	} else if r := l.inBlock(at, field); r != nil {
		return r
	} else {
		return rangeOf(b.DefRange())
	}
}

// inBlock is the place of a field in a block, or nil.
func (l *locator) inBlock(at place, field string) *diag.Range {
	b := l.block(at)
	if b == nil {
		return nil
	}
	var found *hcl.Range
	body := b.Body
	names := strings.Split(field, ".")
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		a := body.Attributes[name]
		if a == nil && name == "image" {
			a = body.Attributes["images"]
		}
		if a != nil {
			r := a.Expr.Range()
			return rangeOf(r)
		}
		nth := 0
		if len(names) > 0 {
			if n, err := strconv.Atoi(names[0]); err == nil {
				nth, names = n, names[1:]
			}
		}
		i := slices.IndexFunc(body.Blocks, func(b *hclsyntax.Block) bool {
			if b.Type == "dynamic" && len(b.Labels) == 1 && b.Labels[0] == name {
				return contentOf(b) != nil
			}
			if b.Type != name || len(b.Labels) > 0 && len(names) > 0 && b.Labels[0] != names[0] {
				return false
			}
			nth--
			return nth < 0
		})
		if i < 0 {
			break
		}
		inner := body.Blocks[i]
		if inner.Type == "dynamic" {
			if name == "rendition" && len(names) > 0 {
				names = names[1:] // its label is computed
			}
			inner = contentOf(inner)
		} else if len(inner.Labels) > 0 && len(names) > 0 {
			names = names[1:]
		}
		r := inner.DefRange()
		found, body = &r, inner.Body
	}
	if found == nil {
		return nil
	}
	return rangeOf(*found)
}

func (l *locator) block(at place) *hclsyntax.Block {
	if int(at.file) >= len(l.p.files) {
		return nil
	}
	file := l.p.files[at.file]
	if l.torn[file] {
		return nil
	}
	i := slices.IndexFunc(l.files[:], func(f located) bool { return f.file == file })
	if i < 0 {
		i = l.next
		l.next = (l.next + 1) % len(l.files)
		l.files[i] = l.parse(file)
	}
	return l.files[i].blocks[at.byte]
}

// source is the text of a file that block has read just now.
func (l *locator) source(file string) []byte {
	for i := range l.files {
		if l.files[i].file == file {
			return l.files[i].src
		}
	}
	return nil
}

func (l *locator) parse(file string) located {
	src, err := l.src.Read(file, maxFile)
	if err != nil {
		return located{file: file}
	}
	body, ok := new(parsed).parse(file, src)
	if !ok {
		return located{file: file}
	}
	blocks := map[int32]*hclsyntax.Block{}
	for _, b := range body.Blocks {
		blocks[int32(b.TypeRange.Start.Byte)] = b
		if b.Type == "imgbuild" {
			for _, inner := range b.Body.Blocks {
				blocks[int32(inner.TypeRange.Start.Byte)] = inner
			}
		}
	}
	return located{file, blocks, src}
}

// problem is an error about a field of an image.
func (l *locator) problem(code string, im *draft, field, hint, format string, args ...any) diag.Finding {
	f := problem(code, string(im.Address), hcl.Range{}, hint, format, args...)
	f.Range = l.of(im, field)
	return f
}

// image is problem for an image of the project.
func (l *locator) image(code string, image int, field, hint, format string, args ...any) diag.Finding {
	f := problem(code, string(l.p.Images[image].Address), hcl.Range{}, hint, format, args...)
	f.Range = l.at(image, field)
	return f
}
