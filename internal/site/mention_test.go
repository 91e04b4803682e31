package site

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMentioned(t *testing.T) {
	t.Parallel()
	images := []Sought{
		{"image.hero", "hero", []string{"static/img/hero.png", "static/img/hero-card.jpg"}},
		{`image.post["fog"]`, "post/fog", []string{"static/img/post/fog.jpg"}},
		{`image.post["a b"]`, "post/a b", []string{"static/img/post/a b.jpg"}},
		{"module.icons.image.home", "icons.home", []string{"i/é.svg.png"}},
	}
	for _, c := range []struct{ text, want string }{
		{"nothing", ""},
		{`<img src="/img/hero.png">`, "image.hero"},
		{`background:url(../img/hero-card.jpg)`, "image.hero"},
		{`srcset="/x/hero.png?v=1 2x"`, "image.hero"},
		{`superhero.png, hero.png2, my-hero.png`, ""},
		{"see hero.png.", "image.hero"},
		{"the hero of the day", "perhaps image.hero"},
		{"heroes, hero-like", ""},
		{`{{ partial "imgbuild.html" (dict "key" "hero") }}`, "image.hero"},
		{`{% imgbuild 'post/fog' %}`, `image.post["fog"]`},
		{`{% imgbuild "post/a b" %}`, `image.post["a b"]`},
		{`cover: post/fog`, `perhaps image.post["fog"]`},
		{`src={images.hero.src}`, "image.hero"},
		{`site.data.images.hero`, "image.hero"},
		{`images.heroic`, ""},
		{"see image.hero", "image.hero"},
		{`data-imgbuild="image.post[&#34;fog&#34;]"`, ""},
		{`data-imgbuild='image.post["fog"]'`, `image.post["fog"]`},
		{`partial "imgbuild.html" (printf "post/%s" .Slug)`, `image.post["a b"] image.post["fog"]`},
		{"imgbuild(`post/${slug}`)", `image.post["a b"] image.post["fog"]`},
		{`href="/post/" + slug`, `perhaps image.post["a b"] perhaps image.post["fog"]`},
		{`printf "/img/post/%s.jpg" .Slug`, `perhaps image.post["a b"] perhaps image.post["fog"]`},
		{`href="/post/fog"`, `perhaps image.post["fog"]`},
		{`href="/post/other"`, ""},
		{`<img src="post/a%20b.jpg">`, `image.post["a b"]`},
		{`<img src="post/a b.jpg">`, `image.post["a b"]`},
		{`<img src="i/%C3%A9.svg.png">`, "module.icons.image.home"},
		{`<img src="i/é.svg.png">`, "module.icons.image.home"},
		{`imgbuild icons.home`, "module.icons.image.home"},
		{"hero\nimgbuild hero", "image.hero"},
		{"a\x00b hero.png", ""},
		{strings.Repeat("x", 1<<16) + "/hero.png", ""},
	} {
		m, err := Mentioned(context.Background(), fstest.MapFS{"a.txt": {Data: []byte(c.text)}, "img/hero.png": {Data: []byte("hero.png")}, "left/x": {Data: []byte("hero.png")}}, images,
			func(name string, folder bool) bool { return name == "left" && folder })
		if err != nil || len(m.Skipped) > 0 {
			t.Fatal(err, m.Skipped)
		}
		var got []string
		for _, im := range images {
			if at, ok := m.Of[im.Image]; ok && at.Sure {
				got = append(got, im.Image)
			} else if ok {
				got = append(got, "perhaps "+im.Image)
			}
		}
		slices.Sort(got)
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%.60q: %q, not %q", c.text, text, c.want)
		}
	}
}
