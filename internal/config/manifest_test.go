package config

import "testing"

var withManifests = files{"a.img.hcl": `provider "sketch" {}
imgbuild {
  output_dir = "out"
  manifest "json" {
    path = "${local.where}/all.json"
  }
  manifest "ts" {
    path = "./src/a.gen.ts"
  }
  manifest "json" {
    path = "other.json"
  }
  manifest "eleventy" {
    path = "src/_data/imgbuild.json"
  }
}
locals {
  where = "data"
}
image "a" {
  prompt = "x"
}
`}

func TestManifests(t *testing.T) {
	t.Parallel()
	p := load(t, withManifests)
	var got []string
	for _, m := range p.Settings.Manifests {
		got = append(got, m.Kind+" "+m.Path)
	}
	same(t, got, []string{"json data/all.json", "ts src/a.gen.ts", "json other.json", "eleventy src/_data/imgbuild.json"})
	for i, line := range []int{5, 8, 11, 14} {
		if at := p.ManifestAt(withManifests, p.Settings.Manifests[i], "path"); at == nil || at.Start.Line != line {
			t.Errorf("manifest %d is at %+v, not in line %d", i, at, line)
		}
	}
	json := load(t, files{"a.img.json": `{"imgbuild": {"manifest": {"json": [{"path": "a.json"}, {"path": "b.json"}], "hugo": {"path": "data/c.json"}}},
  "provider": {"sketch": {}}, "image": {"a": {"prompt": "x"}}}`})
	if n := len(json.Settings.Manifests); n != 3 {
		t.Errorf("%d manifests in JSON: %+v", n, json.Settings.Manifests)
	}
}
