package cli

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/manifest"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// generator is what builds a site, as init recognises it.
type generator struct {
	name, kind string
	files      []string // one of these is there; .* is a suffix of JavaScript
	says       string   // what the file must have where others use its name too
	folder     string   // of the pictures
	manifest   string
	use        string // how a page shows a picture
}

// generators, the surer ones first.
var generators = []generator{
	{name: "Astro", kind: "astro", files: []string{"astro.config.*"}, folder: "src/assets/img", manifest: "src/data/imgbuild.json",
		use: "import Imgbuild from \"../components/Imgbuild.astro\";\n  <Imgbuild name=\"hero\" priority />"},
	{name: "Next", kind: "ts", files: []string{"next.config.*"}, folder: "assets/img", manifest: "imgbuild.gen.ts",
		use: "import { images } from \"@/imgbuild.gen\";\n  const { src, alt } = images.hero;   <Image src={src} alt={alt} priority />"},
	{name: "Eleventy", kind: "eleventy", files: []string{".eleventy.*", "eleventy.config.*"}, folder: "img", manifest: "_data/imgbuild.json",
		use: "import imgbuild from \"./imgbuild.eleventy.cjs\";   in the configuration of Eleventy, and\n  eleventyConfig.addPlugin(imgbuild);\n  {% imgbuild \"hero\" %}   in a page"},
	{name: "Hugo", kind: "hugo", files: []string{"hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default/hugo.toml", "config/_default/hugo.yaml"}, folder: "assets/img", manifest: "data/imgbuild.json", use: useHugo},
	{name: "Hugo", kind: "hugo", files: []string{"config.toml", "config.yaml", "config.yml", "config.json", "config/_default/config.toml"}, says: "(?i)\\bbaseURL\\b", folder: "assets/img", manifest: "data/imgbuild.json", use: useHugo},
	{name: "Jekyll", kind: "jekyll", files: []string{"_config.yml", "_config.yaml"}, folder: "assets/img", manifest: "_data/imgbuild.json", use: "{% include imgbuild.html key=\"hero\" priority=true %}\nJekyll publishes whatever it is not told to leave out. Write into _config.yml\n  exclude: [\"*.img.hcl\", imgbuild.lock.json]"},
	{name: "Vite", kind: "ts", files: []string{"vite.config.*"}, folder: "src/assets/img", manifest: "src/imgbuild.gen.ts",
		use: "import { images } from \"./imgbuild.gen\";\n  const { src, alt, width, height } = images.hero;"},
}

const useHugo = "{{ partial \"imgbuild.html\" (dict \"key\" \"hero\" \"priority\" true) }}   in a template\n  {{< imgbuild \"hero\" >}}   in Markdown"

// inputOf finds the folder that Eleventy takes its pages from.
var inputOf = regexp.MustCompile(`\binput:\s*["']([^"']+)["']`)

// generator recognises what builds the site in the root, or is nil.
func (s *session) generator() *generator {
	for _, g := range generators {
		for _, name := range g.files {
			found := []string{name}
			if base, any := strings.CutSuffix(name, "*"); any {
				found = nil
				for _, ext := range []string{"js", "mjs", "cjs", "ts", "mts", "cts"} {
					found = append(found, base+ext)
				}
			}
			for _, file := range found {
				b, err := s.root.Read(file, maxSource)
				if err != nil || g.says != "" && !regexp.MustCompile(g.says).Match(b) {
					continue
				}
				if m := inputOf.FindSubmatch(b); m != nil && g.kind == "eleventy" {
					if dir := path.Clean(string(m[1])); dir != "." && !strings.HasPrefix(dir, "..") && !strings.HasPrefix(dir, "/") {
						g.folder, g.manifest = path.Join(dir, g.folder), path.Join(dir, g.manifest)
					}
				}
				return &g
			}
		}
	}
	return nil
}

// block is the imgbuild block for a site.
func (g *generator) block() string {
	return fmt.Sprintf("imgbuild {\n  output_dir = %q\n  manifest %q {\n    path = %q\n  }\n}\n", g.folder, g.kind, g.manifest)
}

// initSite writes what a site needs to show pictures, where it is not there;
// fresh tells that the configuration was written just now, for this generator.
func (s *session) initSite(g *generator, fresh bool) error {
	declared := fresh
	if !fresh {
		f := projectFlags{noCache: true, quiet: true}
		if l := s.load(&f); s.project != nil && !l.HasErrors() {
			if i := slices.IndexFunc(s.project.Settings.Manifests, func(m config.Manifest) bool { return m.Kind == g.kind }); i >= 0 {
				declared, g.manifest = true, s.project.Settings.Manifests[i].Path
			}
		}
	}
	for _, file := range manifest.SiteFiles(g.kind, g.manifest) {
		seen, err := s.root.Look([]string{file.Path})
		if err != nil {
			return err
		}
		if seen[0].State != workspace.Absent {
			fmt.Fprintf(s.env.Stdout, "%s is there already; it stays as it is.\n", file.Path)
			continue
		}
		if err := s.create(file.Path, file.Text, digest.Content{}); err != nil {
			return err
		}
	}
	if !declared {
		fmt.Fprintf(s.env.Stderr, "\nThis is a site of %s. So that it knows the pictures, write into the imgbuild block:\n  manifest %q {\n    path = %q\n  }\n", g.name, g.kind, g.manifest)
	}
	fmt.Fprintf(s.env.Stderr, "\nA page of %s shows a picture by\n  %s\n", g.name, g.use)
	return nil
}
