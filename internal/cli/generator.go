package cli

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/manifest"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// generator is what builds a site, as init recognises it.
type generator struct {
	name, kind string
	files      []string // one of these is there; .* is a suffix of JavaScript
	says       string   // what the file must have where others use its name too
	needs      string   // or package.json needs this
	folder     string   // of the pictures
	manifest   string
	builds     string // the folder that it writes, if nobody says otherwise
	use        string // how a page shows a picture
	note       string // on the folder, as comments
}

// generators, the surer ones first.
var generators = []generator{
	{name: "Astro", kind: "astro", files: []string{"astro.config.*"}, needs: "astro", folder: "src/assets/img", manifest: "src/data/imgbuild.json", builds: "dist",
		use: "import Imgbuild from \"../components/Imgbuild.astro\";\n  <Imgbuild name=\"hero\" priority />"},
	{name: "Next", kind: "ts", files: []string{"next.config.*"}, needs: "next", folder: "assets/img", manifest: "imgbuild.gen.ts", builds: "out",
		use: "import { images } from \"@/imgbuild.gen\";\n  const { src, alt } = images.hero;   <Image src={src} alt={alt} priority />"},
	{name: "Eleventy", kind: "eleventy", files: []string{".eleventy.*", "eleventy.config.*"}, needs: "@11ty/eleventy", folder: "img", manifest: "_data/imgbuild.json", builds: "_site"},
	{name: "Hugo", kind: "hugo", files: []string{"hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default/hugo.toml", "config/_default/hugo.yaml"}, folder: "assets/img", manifest: "data/imgbuild.json", builds: "public", use: useHugo, note: noteHugo},
	{name: "Hugo", kind: "hugo", files: []string{"config.toml", "config.yaml", "config.yml", "config.json", "config/_default/config.toml"}, says: "(?i)\\bbaseURL\\b", folder: "assets/img", manifest: "data/imgbuild.json", builds: "public", use: useHugo, note: noteHugo},
	{name: "Jekyll", kind: "jekyll", files: []string{"_config.yml", "_config.yaml"}, folder: "assets/img", manifest: "_data/imgbuild.json", builds: "_site", use: "{% include imgbuild.html key=\"hero\" priority=true %}\nJekyll publishes whatever it is not told to leave out. Write into _config.yml\n  exclude: [\"*.img.hcl\", imgbuild.lock.json]"},
	{name: "Vite", kind: "ts", files: []string{"vite.config.*"}, needs: "vite", folder: "src/assets/img", manifest: "src/imgbuild.gen.ts", builds: "dist",
		use: "import { images } from \"./imgbuild.gen\";\n  const { src, alt, width, height } = images.hero;"},
}

const useHugo = "{{ partial \"imgbuild.html\" (dict \"key\" \"hero\" \"priority\" true) }}   in a template\n  {{< imgbuild \"hero\" >}}   in Markdown"

const noteHugo = `  # Hugo publishes of assets/ only what a template asks for. The partial does for
  # pictures; for icons and social cards write into the <head>
  # {{ with resources.Get "img/favicon.ico" }}<link rel="icon" href="{{ .RelPermalink }}">{{ end }}
`

// inputOf finds the folder that Eleventy takes its pages from.
var inputOf = regexp.MustCompile(`\binput:\s*["']([^"']+)["']`)

// nodePackage is what package.json says.
type nodePackage struct {
	Type                          string
	Dependencies, DevDependencies map[string]any
}

func (p *nodePackage) needs(name string) bool {
	_, runs := p.Dependencies[name]
	_, builds := p.DevDependencies[name]
	return runs || builds
}

// generator recognises what builds the site in the root, or is nil.
func (s *session) generator() *generator {
	var node nodePackage
	if b, err := s.root.Read("package.json", maxSource); err == nil {
		_ = json.Unmarshal(b, &node) // of another it says nothing
	}
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
				if g.kind == "eleventy" {
					if m := inputOf.FindSubmatch(b); m != nil {
						if dir := path.Clean(string(m[1])); dir != "." && spec.CheckPath(dir) == nil {
							g.folder, g.manifest = path.Join(dir, g.folder), path.Join(dir, g.manifest)
						}
					}
					g.use = useEleventy(file, b, &node)
				}
				return &g
			}
		}
	}
	for _, g := range generators {
		if g.needs != "" && node.needs(g.needs) {
			if g.kind == "eleventy" {
				g.use = useEleventy("", nil, &node)
			}
			return &g
		}
	}
	return nil
}

var exports = regexp.MustCompile(`(?m)^\s*(?:export|import)\b`)

// useEleventy is how a page of Eleventy shows a picture, by a plugin in its
// configuration: a module of one of two kinds, or none yet.
func useEleventy(file string, text []byte, node *nodePackage) string {
	const page = "\n  {% imgbuild \"hero\" %}   in a page"
	if file == "" {
		return `module.exports = (eleventyConfig) => { eleventyConfig.addPlugin(require("./imgbuild.eleventy.cjs")); };   in a new file eleventy.config.cjs, and` + page
	}
	load := `const imgbuild = require("./imgbuild.eleventy.cjs");`
	switch ext := path.Ext(file); {
	case ext == ".mjs", ext == ".mts", ext == ".ts", ext == ".js" && (node.Type == "module" || exports.Match(text)):
		load = `import imgbuild from "./imgbuild.eleventy.cjs";`
	}
	return load + "   in " + file + ", and there\n  eleventyConfig.addPlugin(imgbuild);" + page
}

// block is the imgbuild block for a site.
func (g *generator) block() string {
	return fmt.Sprintf("imgbuild {\n%s  output_dir = %s\n  %s\n}\n", g.note, config.Quote(g.folder), g.manifestBlock())
}

func (g *generator) manifestBlock() string {
	return fmt.Sprintf("manifest %q {\n    path = %s\n  }", g.kind, config.Quote(g.manifest))
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
		if seen[0].State == workspace.Outside {
			fmt.Fprintf(s.env.Stdout, "%s was not written: a link on the way leads out of the project.\n", file.Path)
			continue
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
		fmt.Fprintf(s.env.Stderr, "\nThis is a site of %s. So that it knows the pictures, write into the imgbuild block:\n  %s\n", g.name, g.manifestBlock())
	}
	fmt.Fprintf(s.env.Stderr, "\nA page of %s shows a picture by\n  %s\n", g.name, g.use)
	return nil
}
