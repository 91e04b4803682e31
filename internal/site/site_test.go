package site

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
)

var plain = func() []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		panic(err)
	}
	return b.Bytes()
}()

func labelled(t testing.TB, l imaging.Label) []byte {
	b, err := imaging.Relabel(plain, l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func output(name, path, alt string, b []byte) Output {
	return Output{Image: name, Path: path, Alt: alt, Content: digest.OfContent(b), Bytes: int64(len(b))}
}

// look is each picture of a site in a line: page, source, image, how it was
// recognised, labels.
func look(t *testing.T, files fstest.MapFS, outputs ...Output) (lines []string, r Report) {
	t.Helper()
	r, err := Look(t.Context(), files, outputs, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Pictures {
		lines = append(lines, fmt.Sprintf("%s %s: %s by %s: %s", p.Page, p.Source, p.Image, p.By, strings.Join(p.Labels, ", ")))
	}
	return lines, r
}

func all(string, bool) bool { return false }

func page(body string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(body)} }

func TestRecognises(t *testing.T) {
	t.Parallel()
	hero := labelled(t, imaging.Label{SourceType: "trainedAlgorithmicMedia"})
	outputs := []Output{
		output("image.hero", "static/img/hero.png", "A lake below mountains", hero), output("image.hero", "static/img/hero-card.jpg", "A lake below mountains", []byte("card")),
		output("image.logo", "static/logo.png", "Logo", plain),
		output("image.a", "static/one.png", "A shared description", []byte("a")), output("image.b", "static/two.png", "A shared description", []byte("b")),
	}
	files := fstest.MapFS{
		"img/hero.png": {Data: hero}, "img/renamed.png": {Data: plain}, "other/kept.png": {Data: labelled(t, imaging.Label{SourceType: "algorithmicMedia", Credit: "kept by the generator"})},
		"stranger.jpg": page("a stranger"), "posts/a/hero_hu3f2a1b4c5d6e_640x0_resize_q75_h2_lanczos_2.webp": page("converted"),
		"css/main.css": page(`.a { background: URL( "../img/hero.png" ) } .b{background:url(/img/renamed.png)}.c{background:url(data:image/png;base64,hero.png)}`),
		"posts/a/index.html": page(`<p><img src="../../img/hero.png?v=1#x"><img src=/blog/img/renamed.png><img src="/other/kept.png">
			<picture><source srcset="hero_hu3f2a1b4c5d6e_640x0_resize_q75_h2_lanczos_2.webp 640w, /x/hero-640.avif 2x"><img src="/stranger.jpg" alt="A stranger in town"></picture>
			<img src="/stranger.jpg" alt=" A lake below mountains "><img src="stranger2.jpg" alt="Logo"><img src="stranger3.jpg" alt="A shared description">
			<img src="/w/whatever.jpg" data-imgbuild="image.logo"><figure data-imgbuild="image.nobody"><img src="/w/whatever.jpg"></figure>
			<div style="background-image:url('/img/hero-card.CX9d_2-q.webp')"></div><style>i { content: url(/logo@2x.png) }</style>
			<img src="https://cdn.example/assets/logo.3fa9b2c1.png"><img src="data:image/png;base64,aGVybw=="><img src="javascript:hero.png"><img src=""><img>
			<svg><image href="/img/hero-card.jpg"/></svg><video poster="logo.jpg"></video><a href="/img/hero.png">not shown</a>`),
	}
	got, r := look(t, files, outputs...)
	want := []string{
		"css/main.css ../img/hero.png: image.hero by content: xmp",
		"css/main.css /img/renamed.png: image.logo by content: ",
		"posts/a/index.html ../../img/hero.png?v=1#x: image.hero by content: xmp",
		"posts/a/index.html /blog/img/renamed.png: image.logo by content: ",
		"posts/a/index.html /img/hero-card.CX9d_2-q.webp: image.hero by name: ",
		"posts/a/index.html /img/hero-card.jpg: image.hero by name: ",
		"posts/a/index.html /logo@2x.png: image.logo by name: ",
		"posts/a/index.html /other/kept.png:  by xmp: xmp",
		"posts/a/index.html /stranger.jpg: image.hero by alt: ",
		"posts/a/index.html /w/whatever.jpg: image.logo by attribute: ",
		"posts/a/index.html /x/hero-640.avif: image.hero by name: ",
		"posts/a/index.html hero_hu3f2a1b4c5d6e_640x0_resize_q75_h2_lanczos_2.webp: image.hero by name: ",
		"posts/a/index.html https://cdn.example/assets/logo.3fa9b2c1.png: image.logo by name: ",
		"posts/a/index.html logo.jpg: image.logo by name: ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r.Pages != 1 || len(r.Skipped) > 0 {
		t.Errorf("%d pages, skipped %v", r.Pages, r.Skipped)
	}
}

// TestLabels puts one picture, whose file says nothing, into many pages.
func TestLabels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, labels string }{
		{`<img src=a.png>`, ""},
		{`<img src=a.png data-ai-generated>`, "html attribute"},
		{`<figure data-ai-generated="true"><p><a><img src=a.png></a></figure>`, "html attribute"},
		{`<figure data-ai-generated="true"></figure><img src=a.png>`, ""},
		{`<p data-ai-generated>unclosed <div><img src=a.png></div>`, "html attribute"},
		{`<div><p data-ai-generated>unclosed</div><img src=a.png>`, ""},
		{`<body data-ai-generated><img src=a.png data-ai-generated=false>`, ""},
		{`<div data-ai-generated=false><img src=a.png data-ai-generated></div>`, "html attribute"},
		{`<img src=a.png data-ai-generated><img src=a.png>`, ""}, // the worst of both
		{`<img src=a.png alt="An AI-generated lake">`, "html text"},
		{`<img src=a.png alt="A lake" title="Bild: mit KI erzeugt">`, "html text"},
		{`<img src=a.png alt="Waiting for the train">`, ""},
		{`<figure><picture><img src=a.png></picture><figcaption>A <b>lake</b>, generated&#32;with AI</figcaption></figure>`, "html text"},
		{`<figure><img src=a.png></figure><figcaption>generated with AI</figcaption>`, ""},
		{`<figure><img src=a.png><p>generated with AI</p></figure>`, ""},
		{`<figure><img src=a.png><figcaption>Image générée par l'IA`, "html text"},
		{`<img src=a.png data-ai-generated=algorithmicMedia>`, "html attribute"},
		{`<img src=a.png data-ai-generated="No">`, ""},
		{`<img src=a.png data-ai-generated=0>`, ""},
		{`<img src=a.png data-ai-generated=none>`, ""},
		{`<img src=a.png data-ai-generated="n/a">`, ""},
		{`<img src=a.png data-ai-generated="undefined">`, ""},
		{`<img src=a.png data-ai-generated="drawn/by/grok">`, "html attribute"},
		{`<img src=a.png data-ai-generated="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture">`, ""},
		{`<figure><img src=a.png><figcaption>Not AI-generated</figcaption></figure>`, ""},
		{`<figure><img src=a.png><figcaption>This isn’t an AI-generated picture. It was never made with AI.</figcaption></figure>`, ""},
		{`<figure><img src=a.png><figcaption>Not a photograph: AI-generated</figcaption></figure>`, "html text"},
		{`<figure><img src=a.png><figcaption>The frame is not AI-generated, the picture is made with AI</figcaption></figure>`, "html text"},
		{`<img src=a.png alt="Nicht mit KI erzeugt"><img src=a.png alt="keine KI-generierten Bilder"><img src=a.png title="non générée par l'IA"><img src=a.png title="no fue generado por IA">`, ""},
		{`<img src=a.png><script type="application/ld+json">{"@graph":[{"@type":"ImageObject","contentUrl":"/a.png","digitalSourceType":"https://schema.org/TrainedAlgorithmicMediaDigitalSource"}]}</script>`, "json-ld"},
		{`<img src=a.png><script type="application/ld+json">{"contentUrl":"/a-640w.webp","digitalSourceType":"trainedAlgorithmicMedia"}</script>`, "json-ld"},
		{`<img src=a.png><script type="application/ld+json">{"contentUrl":"/other.png","digitalSourceType":"trainedAlgorithmicMedia"}</script>`, ""},
		{`<img src=a.png><script type="application/ld+json">{"contentUrl":"/a.png","digitalSourceType":"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"}</script>`, ""},
		{`<img src=a.png><script type="application/ld+json">{"contentUrl":"/a.png","digitalSourceType":"x"}</script>`, ""},
		// A host is the site's where the page says so.
		{`<img src=a.png><script type="application/ld+json">{"contentUrl":"https://evil.example/a.png","digitalSourceType":"trainedAlgorithmicMedia"}</script>`, ""},
		{`<link rel=canonical href="https://x.example/post/"><img src=a.png><script type="application/ld+json">{"contentUrl":"https://X.example/a.png","digitalSourceType":"trainedAlgorithmicMedia"}</script>`, "json-ld"},
		{`<meta property="og:url" content="https://x.example/"><img src=a.png><script type="application/ld+json">{"contentUrl":"https://evil.example/a.png","digitalSourceType":"trainedAlgorithmicMedia"}</script>`, ""},
		{`<img src=a.png><script type="application/ld+json">{"contentUrl":"/a.png"}</script>`, ""},
		{`<img src=a.png><script type="application/ld+json">{"contentUrl":"/a.png","digitalSourceType":`, ""},
		{`<script>"<div data-ai-generated>"</script><!-- <div data-ai-generated> --><img src=a.png>`, ""},
		{`<picture data-ai-generated><source srcset="a.png"></picture>`, "html attribute"},
		{strings.Repeat("<div>", 5000) + `</div><img src=a.png>`, ""},
	} {
		got, _ := look(t, fstest.MapFS{"index.html": page(c.body), "a.png": {Data: plain}}, output("image.a", "img/a.png", "", plain))
		if want := "index.html a.png: image.a by content: " + c.labels; cmp.Diff([]string{want}, got) != "" {
			t.Errorf("%.200s\nis  %q\nnot %q", c.body, got, want)
		}
	}
	// An explicit no ends guesses, and nothing that is known.
	got, _ := look(t, fstest.MapFS{"index.html": page(`<img src=/gone/a.png data-ai-generated=false>`)}, output("image.a", "img/a.png", "", plain))
	if len(got) > 0 {
		t.Error(got)
	}
}

// TestEqualBytes: which of two images a file is of, the page says, or the name.
func TestEqualBytes(t *testing.T) {
	t.Parallel()
	outputs := []Output{output("image.a", "static/img/a.png", "", plain), output("image.b", "static/img/b.png", "", plain), output("image.c", "static/old/b.png", "", plain)}
	files := fstest.MapFS{"img/a.png": {Data: plain}, "img/b.png": {Data: plain}, "old/b.png": {Data: plain}, "b-640.png": {Data: plain}, "1.png": {Data: plain}, "index.html": page(
		`<img src=img/a.png><img src=img/b.png><img src=old/b.png><img src="img/a.png?x" data-imgbuild="image.c"><img src="img/b.png?x" data-imgbuild="image.gone"><img src=b-640.png><img src=1.png>`)}
	got, r := look(t, files, outputs...)
	want := []string{
		"index.html 1.png: image.a by content: ", "index.html b-640.png: image.b by content: ", "index.html img/a.png: image.a by content: ", "index.html img/a.png?x: image.c by content: ",
		"index.html img/b.png: image.b by content: ", "index.html img/b.png?x: image.b by content: ", "index.html old/b.png: image.c by content: ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, p := range r.Pictures {
		var or []string
		if i == 0 {
			or = []string{"image.b", "image.c"}
		}
		if diff := cmp.Diff(or, p.Or); diff != "" {
			t.Errorf("%s: %s", p.Source, diff)
		}
	}
}

// TestAbsent: what a page says of pictures that the site should have.
func TestAbsent(t *testing.T) {
	t.Parallel()
	outputs := []Output{output("image.a", "assets/img/a.png", "", plain), output("image.logo", "assets/favicon.ico", "", []byte("ico")), output("image.a", "assets/img/a-social.jpg", "", []byte("card"))}
	const sitemap = "sitemap.xml"
	for _, c := range []struct {
		body, also, want string
	}{
		{`<img src=a.png>`, "a.png", ""},
		{`<img src=a.png><img src=/img/a-640.webp><img src=/blog/a.png>`, "a.png", "/img/a-640.webp of image.a"},
		{`<img src=b.png><img src=b.png data-imgbuild=image.a>`, "", "b.png of image.a"},
		// Where a host makes it, or another has it.
		{`<img src="/_image?url=a.png" data-imgbuild=image.a><img src="https://cdn.example/a.png">`, "", ""},
		{`<img src="https://x.example/a.png">`, sitemap, "https://x.example/a.png of image.a"},
		{`<img src="https://x.example/blog/a.png">`, "a.png", ""},
		{`<base href="https://x.example/"><img src="https://x.example/a.png">`, "", "https://x.example/a.png of image.a"},
		// Icons and cards are named.
		{`<link rel="shortcut icon" href="/favicon.ico"><link rel=stylesheet href=/a.png>`, "", "/favicon.ico of image.logo"},
		{`<link rel="icon" href="/favicon.ico">`, "favicon.ico", ""},
		{`<link rel="icon" href="/other.ico">`, "", ""},
		{`<link rel="icon" href="data:image/png;base64,a.png">`, "", ""},
		{`<meta property="og:image" content="https://x.example/img/a-social.jpg"><link rel=canonical href="https://x.example/">`, "", "https://x.example/img/a-social.jpg of image.a"},
		{`<meta name="twitter:image" content="https://x.example/img/a-social.jpg">`, sitemap, "https://x.example/img/a-social.jpg of image.a"},
		{`<meta name="twitter:image" content="https://x.example/img/a-social.jpg">`, "", ""},
		{`<meta property="og:image" content="/img/a-social.jpg"><meta property="og:image" content="/img/a-social.jpg">`, "", "/img/a-social.jpg of image.a"},
	} {
		files := fstest.MapFS{"index.html": page(c.body)}
		if c.also == sitemap {
			files[sitemap] = page(`<urlset><url><loc> https://X.example/post/</loc></url></urlset>`)
		} else if c.also != "" {
			files[c.also] = page("anything")
		}
		_, r := look(t, files, outputs...)
		var got []string
		for _, p := range r.Pictures {
			if p.Absent {
				got = append(got, p.Source+" of "+p.Image)
			}
		}
		for _, l := range r.Links {
			got = append(got, l.Source+" of "+l.Image)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s\nis  %q\nnot %q", c.body, text, c.want)
		}
	}
}

// TestDataURL: a placeholder is no picture, one that is in the page is.
func TestDataURL(t *testing.T) {
	t.Parallel()
	long := "data:image/webp;base64," + strings.Repeat("A", 400)
	for body, want := range map[string]string{
		`<img src=a.png style="background: url(` + long + `)" data-imgbuild=image.a>`: "a.png",
		`<img src="` + long + `" data-src=a.png data-imgbuild=image.a>`:               "a.png",
		`<img src="` + long + `" data-imgbuild=image.a>`:                              long[:40] + "…",
	} {
		_, r := look(t, fstest.MapFS{"index.html": page(body), "a.png": {Data: plain}}, output("image.a", "a.png", "", plain))
		if len(r.Pictures) != 1 || r.Pictures[0].Source != want || r.Pictures[0].Absent {
			t.Errorf("%.60s: %+v", body, r.Pictures)
		}
	}
}

func TestDerived(t *testing.T) {
	t.Parallel()
	for rest, want := range map[string]bool{
		".png": true, "": true, "-640.webp": true, "-640w.jpg": true, "@2x.png": true, "_hu8f3a2b1c.webp": true, ".BQ3xk91z.avif": true, "-CX9d_2-q.js": true,
		".Cx2sdZ_Z1abcD.webp": true, ".png.webp": true, "-1280x720.jpg": true, "_hu_d1a3c0ffee12.jpg": true,
		"-photo.png": false, "ine.png": false, "-at-night.jpg": false, "-card.jpg": false, "2.png": false, "-landscape.png": false, "-office.png": false,
	} {
		if derived(rest) != want {
			t.Errorf("%q: %v", rest, !want)
		}
	}
}

func TestSrcset(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"": nil, " , ,": nil, "a": {"a"}, "a, b 2x": {"a", "b"}, "a,b 1x,c": {"a,b", "c"}, "a 640w,b 1280w": {"a", "b"}, "a, , b,": {"a", "b"}, "a\n1x\t,\tb": {"a", "b"},
	} {
		if diff := cmp.Diff(want, srcset(in)); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

// TestDisk is a site with what makes others hang, or leave it.
func TestDisk(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "secret.html"), []byte("<img src=a.png>"))
	write(filepath.Join(outside, "a.png"), plain)
	write(filepath.Join(dir, "index.html"), []byte(`<img src=a.png><img src=b.png><img src=loop/a.png><img src=/><img src="../../`+filepath.Base(outside)+`/a.png"><img src=folder/a.png>`))
	write(filepath.Join(dir, "a.png"), plain)
	for link, to := range map[string]string{"loop": ".", "out.html": filepath.Join(outside, "secret.html"), "b.png": filepath.Join(outside, "a.png"), "gone.html": "nothing"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "folder", "a.png"), 0o777); err != nil {
		t.Fatal(err)
	}
	big, err := os.Create(filepath.Join(dir, "big.html"))
	if err != nil {
		t.Fatal(err)
	}
	if err := big.Truncate(maxPage + 1); err != nil { // a hole
		t.Fatal(err)
	}
	if err := big.Close(); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	r, err := Look(t.Context(), root.FS(), []Output{output("image.a", "a.png", "", plain)}, all)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Pictures {
		got = append(got, p.Source+" "+p.File+" "+p.By)
	}
	want := []string{"../../" + filepath.Base(outside) + "/a.png  name", "a.png a.png content", "folder/a.png  name", "loop/a.png loop/a.png content"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var skipped []string
	for _, s := range r.Skipped {
		skipped = append(skipped, s.File)
	}
	if diff := cmp.Diff([]string{"b.png", "big.html", "gone.html", "out.html"}, skipped); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Look(ctx, root.FS(), nil, all); err != context.Canceled {
		t.Error(err)
	}
	if _, err := Look(t.Context(), os.DirFS(filepath.Join(dir, "none")), nil, all); err == nil {
		t.Error("a site that is not there was looked at")
	}
}

// TestHostilePage: the work grows with the page, whatever stands in it. A page
// that took a second for a tenth of this would never end.
func TestHostilePage(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{
		"open": "<div data-ai-generated>", "figures": "<figure><figcaption>", "tables": "<table><b>", "ends": "</a></p>", "comments": "<!--<", "attributes": "<a b ", "scripts": "<script><!--<script>",
		"images": "<img src=a.png>", "entities": "&amp&lt", "styles": "<p style='a:url(a.png)'>", "sets": "<img srcset='a.png,,,, b 1x'>", "json": `<script type=application/ld+json>[[[[</script>`,
	} {
		_, r := look(t, fstest.MapFS{"index.html": page(strings.Repeat(unit, 1<<18/len(unit))), "a.png": {Data: plain, Mode: fs.FileMode(0o444), ModTime: time.Time{}}}, output("image.a", "a.png", "", plain))
		if len(r.Pictures) > 1 {
			t.Errorf("%s: %d pictures", name, len(r.Pictures))
		}
	}
}

func FuzzPage(f *testing.F) {
	for _, s := range []string{`<figure><img src=a.png srcset="b 1x, a-2.png 2x"><figcaption>AI generated`, `<picture><source srcset=a.png></picture><style>i{x:url('a.png')}</style>`,
		`<script type="application/ld+json">{"digitalSourceType":"x","url":"a.png"}</script><img src=a.png>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Look(t.Context(), fstest.MapFS{"index.html": page(s), "x.css": page(s), "a.png": {Data: plain}}, []Output{output("image.a", "a.png", "A long description", plain)}, all)
		if err != nil || r.Pages != 1 {
			t.Fatal(r.Pages, err)
		}
		for _, p := range r.Pictures {
			if p.By == "" || p.Image == "" && p.By != ByXMP || p.Labels == nil {
				t.Fatalf("%+v", p)
			}
		}
	})
}
