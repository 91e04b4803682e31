package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const tierPath = ".images"

// picture is an image of a random project.
type picture struct {
	name    string // "i3", or `set["a"]`
	prompt  string
	n       int
	pick    int // 0 for none
	folder  string
	stem    string // of the path
	jpeg    bool
	width   int // of a rendition; 0 for none
	share   bool
	edits   string // name of the picture that it starts from; "" for none
	off     bool
	preset  bool
	tag     string
	service bool   // made by the emulator, for money
	from    string // a file that it is imported from, until it is
}

func (im *picture) address() string { return "image." + im.name }
func (im *picture) paid() bool      { return im.service }

func (im *picture) ext() string {
	if im.jpeg {
		return ".jpg"
	}
	return ".png"
}

func (im *picture) path() string { return im.folder + im.stem + im.ext() }

func (im *picture) small() string { return im.folder + im.stem + "-small" + im.ext() }

// words is the prompt that is sent.
func (im *picture) words() string {
	if im.preset {
		return "Bauhaus. " + im.prompt
	}
	return im.prompt
}

func (im *picture) instance() bool { return strings.HasPrefix(im.name, "set[") }

// project is what the user has written.
type project struct {
	endpoint string // of a paid provider; "" for none
	tier     bool
	images   []*picture
	moved    [][2]string
	removed  []string // with keep_files
}

func (p project) clone() project {
	images := make([]*picture, len(p.images))
	for i, im := range p.images {
		c := *im
		images[i] = &c
	}
	p.images, p.moved, p.removed = images, slices.Clone(p.moved), slices.Clone(p.removed)
	return p
}

// settle drops the blocks that have done their work.
func (p *project) settle() {
	p.moved, p.removed = nil, nil
	for _, im := range p.images {
		if !im.off {
			im.from = ""
		}
	}
}

func (p *project) get(name string) *picture {
	i := slices.IndexFunc(p.images, func(im *picture) bool { return im.name == name })
	if i < 0 {
		return nil
	}
	return p.images[i]
}

func (p *project) drop(name string) {
	p.images = slices.DeleteFunc(p.images, func(im *picture) bool { return im.name == name })
}

// mend makes it a project that has no errors.
func (p *project) mend() {
	for _, im := range p.images {
		if im.from != "" { // which brings one
			im.n, im.edits = 1, ""
		}
		im.pick = min(im.pick, im.n)
		if im.service && p.endpoint == "" {
			im.service = false
		}
	}
	var set *picture
	for _, im := range p.active() {
		switch {
		case !im.instance():
		case set == nil:
			set = im
		}
	}
	for _, im := range p.images { // they have one block
		if im.instance() {
			if set == nil {
				set = im
			}
			im.n, im.pick, im.share, im.preset, im.tag, im.width, im.service, im.edits = set.n, set.pick, set.share, set.preset, set.tag, set.width, set.service, ""
			if im.share != slices.Contains(sharedPrompts, im.prompt) {
				im.prompt = map[bool]string{true: sharedPrompts[0], false: prompts[0]}[im.share]
			}
		}
	}
	places := map[string]bool{}
	for i, im := range p.images {
		if places[im.folder+im.stem] {
			im.stem = fmt.Sprint(im.stem, "-", i)
		}
		places[im.folder+im.stem] = true
	}
	for again := true; again; {
		again = false
		for _, im := range p.images {
			if im.edits == "" {
				continue
			}
			if of := p.get(im.edits); of == nil || of.off || p.before(of, im) {
				im.edits, again = "", true
			}
		}
	}
	p.moved = slices.DeleteFunc(p.moved, func(m [2]string) bool { return p.get(m[0]) != nil || p.get(m[1]) == nil })
	p.removed = slices.DeleteFunc(p.removed, func(name string) bool { return p.get(name) != nil })
}

// before reports whether im is needed for of.
func (p *project) before(of, im *picture) bool {
	for of != nil {
		if of == im {
			return true
		}
		of = p.get(of.edits)
	}
	return false
}

// active are the images that there are, sorted by address.
func (p *project) active() []*picture {
	var out []*picture
	for _, im := range p.images {
		if !im.off {
			out = append(out, im)
		}
	}
	slices.SortFunc(out, func(a, b *picture) int { return strings.Compare(a.address(), b.address()) })
	return out
}

// paths are the files that are wanted.
func (p *project) paths() map[string]*picture {
	out := map[string]*picture{}
	for _, im := range p.active() {
		out[im.path()] = im
		if im.width > 0 {
			out[im.small()] = im
		}
	}
	return out
}

func (p *project) text() string {
	var b strings.Builder
	if p.tier {
		fmt.Fprintf(&b, "imgbuild {\n  default_provider = provider.sketch\n  store {\n    path = %q\n    keep = \"all\"\n  }\n}\n", tierPath)
	} else {
		b.WriteString("imgbuild {\n  default_provider = provider.sketch\n}\n")
	}
	b.WriteString("provider \"sketch\" {}\n")
	if p.endpoint != "" {
		fmt.Fprintf(&b, "provider \"xai\" {\n  endpoint = %q\n  deferred = true\n}\n", p.endpoint)
	}
	b.WriteString("preset \"house\" {\n  before = \"Bauhaus.\"\n}\n")
	set := map[string]*picture{}
	for _, im := range p.images {
		if im.instance() {
			set[im.name] = im
			continue
		}
		fmt.Fprintf(&b, "image %q {\n  prompt = %q\n", im.name, im.prompt)
		im.rest(&b)
		fmt.Fprintf(&b, "  path = %q\n", im.path())
		if im.off {
			b.WriteString("  enabled = false\n")
		}
		if im.edits != "" {
			fmt.Fprintf(&b, "  edit {\n    image = image.%s\n  }\n", im.edits)
		}
		b.WriteString("}\n")
	}
	if names := slices.Sorted(maps.Keys(set)); len(names) > 0 {
		b.WriteString("image \"set\" {\n  for_each = {\n")
		for _, name := range names {
			im := set[name]
			fmt.Fprintf(&b, "    %s = { prompt = %q, path = %q, on = %v }\n", strings.Trim(name, `set[]"`), im.prompt, im.path(), !im.off)
		}
		b.WriteString("  }\n  prompt = each.value.prompt\n  path = each.value.path\n  enabled = each.value.on\n")
		set[names[0]].rest(&b)
		b.WriteString("}\n")
	}
	for _, im := range p.active() {
		if im.from != "" {
			fmt.Fprintf(&b, "import {\n  to   = image.%s\n  path = %q\n}\n", im.name, im.from)
		}
	}
	for _, m := range p.moved {
		fmt.Fprintf(&b, "moved {\n  from = image.%s\n  to   = image.%s\n}\n", m[0], m[1])
	}
	for _, name := range p.removed {
		fmt.Fprintf(&b, "removed {\n  from       = image.%s\n  keep_files = true\n}\n", name)
	}
	return b.String()
}

// rest is what is written of every image.
func (im *picture) rest(b *strings.Builder) {
	if im.service {
		b.WriteString("  provider = provider.xai\n")
	} else {
		b.WriteString("  size = \"16x16\"\n")
	}
	if im.n != 1 {
		fmt.Fprintf(b, "  n = %d\n", im.n)
	}
	if im.pick > 0 {
		fmt.Fprintf(b, "  pick = %d\n", im.pick)
	}
	if im.share {
		b.WriteString("  share = true\n")
	}
	if im.preset {
		b.WriteString("  preset = preset.house\n")
	}
	if im.tag != "" {
		fmt.Fprintf(b, "  tags = [%q]\n", im.tag)
	}
	if im.width > 0 {
		fmt.Fprintf(b, "  rendition \"small\" {\n    width = %d\n  }\n", im.width)
	}
}
