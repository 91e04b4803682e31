package manifest

import (
	"embed"
	"encoding/json"
	"path"
	"strings"
)

//go:embed site
var site embed.FS

// SiteFile is a file that a site needs beside its manifest. It belongs to whoever
// has the site: it is written where there is none.
type SiteFile struct {
	Path string // slash path from the root of the project
	Text string
}

// SiteFiles are the files for a manifest of a kind that lies at a path.
func SiteFiles(kind, at string) (out []SiteFile) {
	root := path.Dir(at)
	add := func(name, where string) {
		b, err := site.ReadFile("site/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		file := at
		if root != "." {
			file = strings.TrimPrefix(at, root+"/")
		}
		out = append(out, SiteFile{path.Join(root, where), strings.NewReplacer("DATAFILE", file, "DATAKEYS", dataKeys(kind, at)).Replace(string(b))})
	}
	switch kind {
	case "hugo":
		root = above(at, "data")
		add("hugo.partial.html", "layouts/partials/imgbuild.html")
		add("hugo.shortcode.html", "layouts/shortcodes/imgbuild.html")
	case "eleventy":
		root = "." // where its configuration is
		add("eleventy.cjs", "imgbuild.eleventy.cjs")
	case "jekyll":
		root = above(at, "_data")
		add("jekyll.html", "_includes/imgbuild.html")
	case "astro":
		root = above(at, "src")
		add("astro.component.astro", "src/components/Imgbuild.astro")
		add("astro.config.ts", "src/content.config.ts")
	}
	return out
}

// above is the folder that has a folder of that name on the way to a file; that
// of the file if none has.
func above(file, name string) string {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if path.Base(dir) == name {
			return path.Dir(dir)
		}
	}
	return path.Dir(file)
}

// dataKeys is how a template reads the manifest among the data of its site.
func dataKeys(kind, at string) string {
	folder := map[string]string{"hugo": "data", "jekyll": "_data"}[kind]
	if folder == "" {
		return ""
	}
	rest := strings.TrimSuffix(strings.TrimPrefix(at, path.Join(above(at, folder), folder)+"/"), ".json")
	keys := ""
	for name := range strings.SplitSeq(rest, "/") {
		b, _ := json.Marshal(name)
		if kind == "hugo" {
			keys += " " + string(b)
		} else {
			keys += "[" + string(b) + "]"
		}
	}
	if kind == "jekyll" {
		return "site.data" + keys
	}
	return keys[1:]
}
