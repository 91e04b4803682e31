package manifest

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples show the files that init writes, and are built with them.
func TestExamplesHaveSiteFiles(t *testing.T) {
	t.Parallel()
	for example, at := range map[string]string{"hugo": "data/imgbuild.json", "eleventy": "src/_data/imgbuild.json", "astro": "src/data/imgbuild.json"} {
		files := SiteFiles(example, at)
		if len(files) == 0 {
			t.Errorf("%s: there are no files", example)
		}
		for _, f := range files {
			b, err := os.ReadFile(path.Join("../../examples", example, f.Path))
			if err != nil {
				t.Error(err)
				continue
			}
			if d := cmp.Diff(f.Text, string(b)); d != "" {
				t.Errorf("%s: %s is not what init writes (-init +example):\n%s", example, f.Path, d)
			}
		}
	}
}

func TestSiteFiles(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{
		{"json", "a.json"},
		{"ts", "src/a.ts"},
		{"hugo", "web/data/en/my-pictures.json", "web/layouts/partials/imgbuild.html", "web/layouts/shortcodes/imgbuild.html", `index $data "en" "my-pictures" }}`, "data/en/my-pictures.json"},
		{"jekyll", "docs/_data/a.json", "docs/_includes/imgbuild.html", `= site.data["a"].images[include.key]`, "in _data/a.json."},
		{"eleventy", "src/_data/a.json", "imgbuild.eleventy.cjs", `"src/_data/a.json"`},
		{"astro", "web/src/x/a.json", "web/src/components/Imgbuild.astro", "web/src/content.config.ts", `file("src/x/a.json")`},
	} {
		var paths []string
		all := ""
		for _, f := range SiteFiles(c[0], c[1]) {
			paths = append(paths, f.Path)
			all += f.Text
		}
		if n := len(paths); !cmp.Equal(paths, append([]string(nil), c[2:2+n]...)) {
			t.Errorf("%s: %q", c[0], paths)
		} else {
			for _, want := range c[2+n:] {
				if !strings.Contains(all, want) {
					t.Errorf("%s: no %s in %q", c[0], want, paths)
				}
			}
		}
		if strings.Contains(all, "DATAFILE") || strings.Contains(all, "DATAKEYS") {
			t.Errorf("%s: something is left to fill in", c[0])
		}
	}
}
