package manifest

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func TestKey(t *testing.T) {
	t.Parallel()
	seen := map[string]spec.Address{}
	for _, c := range []struct {
		a    spec.Address
		want string
	}{
		{"image.hero", "hero"},
		{`image.post["a/b"]`, "post/a/b"},
		{`image.post["a \"q\" \\ é"]`, `post/a "q" \ é`},
		{`image.post["$${x} %%{y} $$${z}"]`, "post/${x} %{y} $${z}"},
		{`image.post["\u0007"]`, "post/\a"},
		{"module.icons.image.home", "icons.home"},
		{"module.a.module.b.image.c", "a.b.c"},
		{"module.module.image.module", "module.module"},
		{`module.icons.image.home["k.[x"]`, "icons.home/k.[x"},
		{`module.icons["k"].image.home`, `module.icons["k"].image.home`},
		{`module.icons["x.home"].image.home["y"]`, `module.icons["x.home"].image.home["y"]`},
		{`image.icons["x.home"]`, "icons/x.home"},
	} {
		got := Key(c.a)
		if got != c.want {
			t.Errorf("%s: %q, not %q", c.a, got, c.want)
		}
		if other, twice := seen[got]; twice {
			t.Errorf("%s and %s have one key", c.a, other)
		}
		seen[got] = c.a
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, at, file, want string }{
		{"json", "data/m.json", "static/a.png", " "},
		{"hugo", "data/m.json", "static/img/a.png", "/img/a.png "},
		{"hugo", "data/m.json", "assets/img/a.png", " img/a.png"},
		{"hugo", "site/data/en/m.json", "site/assets/a.png", " a.png"},
		{"hugo", "site/data/m.json", "static/a.png", "/a.png "},
		{"hugo", "site/data/m.json", "other/static/a.png", " "},
		{"hugo", "data/m.json", "statics/a.png", " "},
		{"eleventy", "_data/m.json", "img/a.png", "/img/a.png "},
		{"eleventy", "src/_data/m.json", "src/img/a.png", "/img/a.png "},
		{"eleventy", "src/_data/deep/m.json", "img/a.png", " "},
		{"jekyll", "docs/_data/m.json", "docs/a.png", "/a.png "},
	} {
		f := File{Path: c.file}
		place(&f, c.kind, c.at)
		if got := f.URL + " " + f.Resource; got != c.want {
			t.Errorf("%s %s of %s: %q, not %q", c.kind, c.file, c.at, got, c.want)
		}
	}
	for _, c := range [][3]string{
		{"m.json", "a.png", "./a.png"}, {"src/m.json", "src/a/b.png", "./a/b.png"}, {"src/data/m.json", "src/a.png", "../a.png"},
		{"src/data/m.json", "a.png", "../../a.png"}, {"src/m.json", "srca/b.png", "../srca/b.png"},
		{"src/data/m.json", "public/a.png", "/a.png"}, {"web/src/m.json", "web/public/x/a.png", "/x/a.png"}, {"web/src/m.json", "other/public/a.png", "../../other/public/a.png"},
	} {
		f := File{Path: c[1]}
		if forAstro(&f, c[0]); f.URL+f.Src != c[2] {
			t.Errorf("%s of %s: %q", c[1], c[0], f.URL+f.Src)
		}
	}
}

// world is a project with an image of each state.
func world() Input {
	content := func(s string) digest.Content { return digest.OfContent([]byte(s)) }
	var l lock.Lock
	hero := lock.Entry{Address: "image.hero", Candidates: []provider.Image{
		{Content: content("1"), MIME: "image/png", Width: 1792, Height: 1024, Model: "drawn-2", C2PA: true}, {Content: content("2"), MIME: "image/jpeg", Width: 100, Height: 100},
	}, Outputs: []lock.Output{
		{Path: "static/hero.png", Content: content("1"), Bytes: 9, Recipe: "format=png", Of: content("1")},
		{Path: "static/small.webp", Content: content("3"), Bytes: 8, Recipe: "fit=cover format=webp width=640", Of: content("1")},
		{Path: "static/square.jpg", Content: content("4"), Bytes: 7, Recipe: "fit=cover format=jpeg height=64 width=64", Of: content("1")},
		{Path: "static/zoom.jpg", Content: content("5"), Bytes: 6, Recipe: "crop=25%,25%,50%,50% fit=cover format=jpeg", Of: content("1")},
		{Path: "static/other.jpg", Content: content("6"), Bytes: 5, Recipe: "fit=cover format=jpeg", Of: content("2")},
	}}
	hero.SetFields([]provider.Field{{Name: "provider", Value: "xai"}, {Name: "model", Value: "drawn"}, {Name: "prompt", Value: "a secret plan"}})
	l.Set(hero)
	l.Set(lock.Entry{Address: "image.refused", Refused: []lock.Refusal{{Reason: "moderated"}}})
	l.Set(lock.Entry{Address: `image.edit["a"]`, Candidates: []provider.Image{{Content: content("7"), MIME: "image/jpeg", Width: 512, Height: 512}}, Outputs: []lock.Output{
		{Path: "edit.png", Content: content("8"), Bytes: 4, Recipe: "format=png restore=white:" + content("m").String() + ":" + content("1").String(), Of: content("7")},
	}})
	l.Set(lock.Entry{Address: "image.photo", Candidates: []provider.Image{{Content: content("9"), MIME: "image/jpeg", Width: 3, Height: 4}}, Outputs: []lock.Output{
		{Path: "photo.png", Content: content("a"), Bytes: 3, Recipe: "format=png restore=white:" + content("m").String() + ":" + content("elsewhere").String(), Of: content("9")},
	}})
	var renditions []spec.Rendition
	for _, o := range []string{"static/small.webp", "static/square.jpg", "static/zoom.jpg", "static/other.jpg", "static/unmade.jpg"} {
		renditions = append(renditions, spec.Rendition{Name: strings.TrimPrefix(strings.Split(o, ".")[0], "static/"), Path: o})
	}
	return Input{Lock: &l, Images: []spec.Image{
		{Address: `image.edit["a"]`, Path: "edit.png", Alt: "</script>\u2028", Wanted: spec.Wanted{Sources: []spec.Source{{Image: "image.hero"}, {File: "photos/x.jpg"}}}},
		{Address: "image.hero", Path: "static/hero.png", Alt: "A lake & \"shore\"", Caption: "c", Credit: "d", License: "e", Tags: []string{"x"}, Renditions: renditions},
		{Address: "image.moved", Path: "elsewhere.png", Alt: "alt"},
		{Address: "image.photo", Path: "photo.png", Decorative: true},
		{Address: "image.refused", Path: "refused.png", Alt: "alt", Unlabelled: true},
	}, Size: apply.SizeOf, SourceTypes: map[spec.Address]string{"image.hero": spec.SourceTrained, `image.edit["a"]`: spec.SourceComposite, "image.photo": "digitalCapture", "image.refused": spec.SourceTrained},
		Measure: func(path string) (int, int, bool) { return 77, 88, path == "photo.png" }}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	m := Of(world())
	var got []string
	for _, key := range []string{"hero", "edit/a", "photo", "moved", "refused"} {
		im := m.Images[key]
		list := []string{key, im.Status, im.Path, im.MIME, provider.Size{Width: im.Width, Height: im.Height}.String(), strings.TrimPrefix(im.AI.SourceType, vocabulary), im.AI.Provider, im.AI.Model}
		for what, is := range map[string]bool{"label": im.AI.Label, "generated": im.AI.Generated, "c2pa": im.AI.C2PA} {
			if !is {
				list = append(list, "no "+what)
			}
		}
		slices.Sort(list[8:])
		got = append(got, strings.Join(append(list, im.AI.EditedFrom...), "|"))
		for _, v := range im.Variants {
			flag := ""
			if v.Whole {
				flag = "whole"
			}
			got = append(got, strings.Join([]string{" ", v.Name, v.Path, v.MIME, provider.Size{Width: v.Width, Height: v.Height}.String(), flag}, "|"))
		}
	}
	want := []string{
		"hero||static/hero.png|image/png|1792x1024|trainedAlgorithmicMedia|xai|drawn-2",
		" |other|static/other.jpg|image/jpeg|100x100|",
		" |small|static/small.webp|image/webp|640x366|whole",
		" |square|static/square.jpg|image/jpeg|64x64|",
		" |zoom|static/zoom.jpg|image/jpeg|896x512|",
		"edit/a||edit.png|image/png|1792x1024|compositeWithTrainedAlgorithmicMedia|||no c2pa|image.hero|photos/x.jpg",
		"photo||photo.png|image/png|77x88|digitalCapture|||no c2pa|no generated|no label",
		"moved|missing|||||||no c2pa|no generated|no label",
		"refused|refused||||trainedAlgorithmicMedia|||no c2pa|no label",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	schema := compiled(t)
	m := Of(world())
	for kind, at := range map[string]string{"json": "m.json", "hugo": "data/m.json", "eleventy": "_data/m.json", "jekyll": "_data/m.json", "astro": "src/m.json", "ts": "src/m.ts"} {
		text := m.Text(kind, at)
		if !bytes.Equal(text, Of(world()).Text(kind, at)) {
			t.Errorf("%s: two texts of one project differ", kind)
		}
		if !Ours(text) {
			t.Errorf("%s: it is not known as ours", kind)
		}
		if bytes.Contains(text, []byte("secret")) {
			t.Errorf("%s: it has the prompt", kind)
		}
		if kind == "ts" {
			continue
		}
		if kind == "astro" {
			text = append(append([]byte(`{"format_version": "1.0", "generator": "imgbuild", "images": `), text...), '}')
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, bad := range []string{
		`{"format_version": "2.0", "generator": "imgbuild", "images": {}}`,
		`{"format_version": "1.0", "generator": "imgbuild", "images": {"a": {"address": "image.a"}}}`,
		`{"format_version": "1.0", "generator": "imgbuild", "images": {"a": {"address": "image.a", "alt": "", "decorative": true, "tags": [], "variants": [], "ai": {"generated": true, "label": true, "c2pa": false}}}}`,
	} {
		v, _ := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if schema.Validate(v) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

func TestModule(t *testing.T) {
	t.Parallel()
	in := world()
	in.Images = in.Images[:2]
	in.Images[1].Renditions = in.Images[1].Renditions[:1]
	in.Lock.Entries[0].Outputs[0].Path, in.Images[0].Path = "web/public/edit.png", "web/public/edit.png"
	got := string(Of(in).Text("ts", "web/src/m.ts"))
	hash := func(s string) string { return digest.OfContent([]byte(s)).String() }
	want := `// Code generated by imgbuild. DO NOT EDIT.
import i1 from "../../static/hero.png";
import i2 from "../../static/small.webp";

export const images = {
  "edit/a": {
    address: "image.edit[\"a\"]",
    src: "/edit.png",
    width: 1792,
    height: 1024,
    mime: "image/png",
    bytes: 4,
    sha256: "` + hash("8") + `",
    alt: "</script>\u2028",
    decorative: false,
    tags: [],
    variants: [],
    ai: {
      "generated": true,
      "label": true,
      "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
      "c2pa": false,
      "edited_from": [
        "image.hero",
        "photos/x.jpg"
      ]
    },
  },
  "hero": {
    address: "image.hero",
    src: i1,
    width: 1792,
    height: 1024,
    mime: "image/png",
    bytes: 9,
    sha256: "` + hash("1") + `",
    alt: "A lake & \"shore\"",
    decorative: false,
    caption: "c",
    credit: "d",
    license: "e",
    tags: [
      "x"
    ],
    variants: [
      {
        name: "small",
        src: i2,
        width: 640,
        height: 366,
        mime: "image/webp",
        bytes: 8,
        sha256: "` + hash("3") + `",
        whole: true,
      },
    ],
    ai: {
      "generated": true,
      "label": true,
      "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
      "provider": "xai",
      "model": "drawn-2",
      "c2pa": true
    },
  },
} as const;

export type ImageKey = keyof typeof images;
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestModuleProto: a property of that name in a literal would be no image.
func TestModuleProto(t *testing.T) {
	t.Parallel()
	got := string(Of(Input{Images: []spec.Image{{Address: "image.__proto__", Path: "a.png"}}, Lock: &lock.Lock{}}).Text("ts", "m.ts"))
	if !strings.Contains(got, "\n  [\"__proto__\"]: {\n") {
		t.Error(got)
	}
}

func TestOurs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, "x": false, "null": false, "[]": false, `"imgbuild"`: false,
		`{"generator": "hugo"}`: false, `{"hero": {"src": "a.png"}}`: false, `{"hero": {"address": "12 Main Street"}}`: false,
		`{"generator": "imgbuild"}`: true, `{"hero": {"address": "image.hero", "new": 1}}`: true,
		"// Code generated by imgbuild. DO NOT EDIT.\n": true, "// Code generated by imgbuild. DO NOT EDIT.\r\n": true, "// Code generated by hand.\n": false,
		"{\n<<<<<<< HEAD\n\"generator\": \"imgbuild\"\n=======\n\"generator\": \"imgbuild\", \"a\": 1\n>>>>>>> b\n}\n": true,
		"{\n<<<<<<< HEAD\n\"generator\": \"imgbuild\"\n||||||| base\nx\n=======\ny\n>>>>>>> b\n, \"a\": 1}\n":          true,
		"{\n<<<<<<< HEAD\n\"generator\": \"hugo\"\n=======\n\"generator\": \"imgbuild\"\n>>>>>>> b\n}\n":               false,
	} {
		if Ours([]byte(text)) != want {
			t.Errorf("%q: not %t", text, want)
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("manifest.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
