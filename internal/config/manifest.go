package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// ManifestKinds are the kinds of manifest blocks.
var ManifestKinds = []string{"json", "hugo", "eleventy", "astro", "ts", "jekyll"}

// dataFolder is where a generator reads data, by kind. Its parent is where the
// paths of the site begin, so that it must be known.
var dataFolder = map[string]string{"hugo": "data", "eleventy": "_data", "jekyll": "_data"}

// ManifestAt is the place of an attribute of a manifest block.
func (p *Project) ManifestAt(src Source, m Manifest, field string) *diag.Range {
	return (&locator{src: src, p: p}).field(m.at, field)
}

// maxManifests is far more than the parts of a site read.
const maxManifests = 32

// manifest evaluates a manifest block of the imgbuild block b, the nth of it.
func (ev *evaluator) manifest(nth int, b *block, inner *hclsyntax.Block, get valuer, to *Settings) {
	const thing = "imgbuild: manifest"
	if nth >= maxManifests {
		if nth == maxManifests {
			ev.add(problem(codeRange, thing, inner.DefRange(), "remove it: all parts of a site can read one file", "there are more than %d manifests", maxManifests))
		}
		return
	}
	if len(inner.Labels) != 1 || !slices.Contains(ManifestKinds, inner.Labels[0]) {
		at, hint := inner.DefRange(), `write manifest "json" { … }`
		if len(inner.Labels) > 0 {
			at, hint = inner.LabelRanges[0], nearest(inner.Labels[0], ManifestKinds)
		}
		ev.add(problem(codeLabel, thing, at, hint, "a manifest takes one kind: %s", strings.Join(ManifestKinds, ", ")))
		return
	}
	m := Manifest{Kind: inner.Labels[0], at: placeOf(b.file, inner)}
	if has, _ := decode(inner.Body, &manifestSchema, &m, get, thing, inner.DefRange(), ev.add); has.set == 0 {
		return
	}
	m.Path = trimDot(m.Path)
	at, ext := inner.Body.Attributes["path"].Expr.Range(), ".json"
	if m.Kind == "ts" {
		ext = ".ts"
	}
	data := dataFolder[m.Kind]
	if err := spec.CheckOutput(m.Path); err != nil {
		ev.add(problem(codePath, thing, at, pathHint(m.Path), "the path %s %s", quoteKey(m.Path), err))
	} else if path.Ext(m.Path) != ext {
		ev.add(problem(codePath, thing, at, "write "+quoteKey(strings.TrimSuffix(m.Path, path.Ext(m.Path))+ext), "the path %s does not end in %s", quoteKey(m.Path), ext))
	} else if data != "" && !slices.Contains(strings.Split(path.Dir(m.Path), "/"), data) {
		ev.add(problem(codePath, thing, at, "write "+quoteKey(path.Join(data, path.Base(m.Path)))+`, with the folder of the site before it; manifest "json" may lie anywhere`,
			"%s reads its data in a folder %s, and the path %s is in none", m.Kind, data, quoteKey(m.Path)))
	} else if i := slices.IndexFunc(to.Manifests, func(o Manifest) bool { return clash(o.Path, m.Path) }); i >= 0 {
		f := problem(codeSamePath, thing, at, "give one of them another path", "two manifests would be the file %s", quoteKey(m.Path))
		if other := to.Manifests[i].Path; spec.PathKey(other) != spec.PathKey(m.Path) {
			f.Text = fmt.Sprintf("%s: of the manifests %s and %s one would be a folder of the other", thing, quoteKey(other), quoteKey(m.Path))
		}
		if first := ev.p.ManifestAt(ev.src, to.Manifests[i], "path"); first != nil {
			f.Related = []diag.Related{{Range: *first, Text: "the first one"}}
		}
		ev.add(f)
	} else {
		to.Manifests = append(to.Manifests, m)
	}
}

// clash reports whether two paths are one file, or one is a folder of the other.
func clash(a, b string) bool {
	a, b = spec.PathKey(a)+"/", spec.PathKey(b)+"/"
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

// checkManifests finds manifests in the place of an output, or of a folder of
// one.
func (ev *evaluator) checkManifests() {
	if len(ev.p.Settings.Manifests) == 0 {
		return
	}
	type output struct{ key, address string }
	var all []output
	for i := range ev.p.Images {
		im := &ev.p.Images[i]
		all = append(all, output{spec.PathKey(im.Path), string(im.Address)})
		for _, r := range im.Renditions {
			all = append(all, output{spec.PathKey(r.Path), string(im.Address) + " (rendition " + r.Name + ")"})
		}
	}
	slices.SortFunc(all, func(a, b output) int { return cmp.Compare(a.key, b.key) })
	find := func(key string) (int, bool) {
		return slices.BinarySearchFunc(all, key, func(o output, key string) int { return cmp.Compare(o.key, key) })
	}
	for _, m := range ev.p.Settings.Manifests {
		key, at := spec.PathKey(m.Path), -1
		if i, _ := find(key + "/"); i < len(all) && strings.HasPrefix(all[i].key, key+"/") {
			at = i
		}
		for p := key; p != "."; p = path.Dir(p) {
			if i, is := find(p); is {
				at = i
			}
		}
		other := ""
		if at >= 0 {
			other = all[at].address + " writes " + quoteKey(all[at].key)
		} else if s := ev.p.Settings.Store; s != nil && clash(s.Path, m.Path) {
			other = "the store is " + quoteKey(s.Path)
		}
		if other != "" {
			f := problem(codeSamePath, "imgbuild: manifest", hcl.Range{}, "give one of them another path", "it writes %s, and %s", quoteKey(m.Path), other)
			f.Range = ev.p.ManifestAt(ev.src, m, "path")
			ev.add(f)
		}
	}
}
