package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

var (
	// sized is a model with exact sizes, styles and masks; framed has ratios only.
	sized = provider.Offer{Provider: "xai", Model: "m", Sizes: []provider.Size{{Width: 1024, Height: 1024}, {Width: 1792, Height: 1024}},
		AspectRatios: []string{"1:1", "16:9"}, DefaultAspectRatio: "1:1", Styles: []string{"vivid", "natural"}, Mask: true, MaxInputs: 1, MaxN: 10}
	framed = provider.Offer{Provider: "xai", Model: "m2", AspectRatios: []string{"auto", "1:1", "4:3", "16:9"}, DefaultAspectRatio: "1:1",
		Resolutions: []string{"1k", "2k"}, DefaultResolution: "1k", Qualities: []string{"low", "medium"}, DefaultQuality: "low", User: true,
		StyleWords: map[string]string{"natural": "Natural."}, MaxInputs: 2, MaxN: 10, MaxPrompt: 40}
	plain = provider.Offer{Provider: "x", Model: "plain"}
)

func TestResolve(t *testing.T) {
	t.Parallel()
	unpriced := framed // at 1.5k, as with the real model
	unpriced.Resolutions = []string{"1k", "1.5k", "2k"}
	unpriced.Price = func(r *provider.Request) (provider.Money, bool) { return 5, r.Resolution != "1.5k" }
	unpriced.Elsewhere = func(field, value string) string {
		return map[string]string{"aspect_ratio 21:9": `write wire = "x"`}[field+" "+value]
	}
	edit := []Source{{File: "a.png"}}
	mask := &Mask{File: "m.png", Edit: "white"}
	drawn := &Mask{Edit: provider.Drawn, Shapes: "rect(0,0,1,1)"}
	kept, left := &Mask{Edit: "white", Preserve: new(true)}, &Mask{Edit: "white", Preserve: new(false)}
	tests := []struct {
		name   string
		offer  provider.Offer
		wanted Wanted
		pins   Pins
		want   string // fields of the request after provider, model and prompt
		notes  string
		bad    []string // "field: text | hint"
	}{
		{name: "defaults", offer: framed, want: "aspect_ratio=1:1 resolution=1k quality=low"},
		{name: "pinned defaults", offer: framed, pins: Pins{Set: true, AspectRatio: "16:9", Resolution: "2k", Quality: "medium"}, want: "aspect_ratio=16:9 resolution=2k quality=medium"},
		{name: "a pin that the model no longer takes", offer: framed, pins: Pins{Set: true, Quality: "hd", AspectRatio: "1:1"}, want: "aspect_ratio=1:1 quality=low"},
		{name: "what is written wins", offer: framed, wanted: Wanted{Quality: "medium"}, pins: Pins{Set: true, AspectRatio: "16:9", Resolution: "1k", Quality: "low"}, want: "aspect_ratio=16:9 resolution=1k quality=medium"},
		{name: "exact size", offer: sized, wanted: Wanted{Size: "1792x1024", Style: "vivid"}, want: "size=1792x1024 style=vivid"},
		{name: "size by ratio", offer: framed, wanted: Wanted{Size: "1000x700"}, want: "aspect_ratio=4:3 resolution=1k quality=low", notes: "size 1000x700 by a crop of 4:3 at 1k"},
		{name: "size by the next resolution", offer: framed, wanted: Wanted{Size: "1792x1024"}, want: "aspect_ratio=16:9 resolution=2k quality=low", notes: "size 1792x1024 by a crop of 16:9 at 2k"},
		{name: "size by the cheaper resolution", offer: unpriced, wanted: Wanted{Size: "1200x1200"}, want: "aspect_ratio=1:1 resolution=2k quality=low", notes: "size 1200x1200 by a crop of 1:1 at 2k"},
		{name: "no price anywhere", offer: unpriced, wanted: Wanted{Size: "1200x1200", Resolution: "1.5k"}, want: "aspect_ratio=1:1 resolution=1.5k quality=low", notes: "size 1200x1200 by a crop of 1:1 at 1.5k"},
		{name: "elsewhere", offer: unpriced, wanted: Wanted{AspectRatio: "21:9"}, want: "aspect_ratio=21:9 resolution=1k quality=low", bad: []string{`aspect_ratio: m2 has no aspect ratio "21:9" | the nearest is "16:9", or write wire = "x"`}},
		{name: "size as bought", offer: unpriced, wanted: Wanted{Size: "1200x1200"}, pins: Pins{Set: true, AspectRatio: "1:1", Resolution: "1.5k", Quality: "low", Size: provider.Size{Width: 1200, Height: 1200}},
			want: "aspect_ratio=1:1 resolution=1.5k quality=low", notes: "size 1200x1200 by a crop of 1:1 at 1.5k"},
		{name: "another size than bought", offer: unpriced, wanted: Wanted{Size: "1201x1201"}, pins: Pins{Set: true, AspectRatio: "1:1", Resolution: "1.5k", Quality: "low", Size: provider.Size{Width: 1200, Height: 1200}},
			want: "aspect_ratio=1:1 resolution=2k quality=low", notes: "size 1201x1201 by a crop of 1:1 at 2k"},
		{name: "size too big", offer: framed, wanted: Wanted{Size: "4000x4000"}, want: "aspect_ratio=1:1 resolution=2k quality=low",
			bad: []string{`size: m2 makes at most about 2048x2048 at 1:1, less than size "4000x4000" | write enlarge = true, or ask for a smaller size`}},
		{name: "size enlarged", offer: framed, wanted: Wanted{Size: "4000x4000", Enlarge: true}, want: "aspect_ratio=1:1 resolution=2k quality=low", notes: "size 4000x4000 by enlarging 1:1 at 2k"},
		{name: "no such size", offer: sized, wanted: Wanted{Size: "512x512"}, bad: []string{`size: m has no size "512x512" | it takes "1024x1024" or "1792x1024"; a rendition makes any other size from these`}},
		{name: "size not a size", offer: sized, wanted: Wanted{Size: "big"}, bad: []string{`size: "big" is not a size such as "1024x1024" (width x height in pixels) | write size = "1024x1024"`}},
		{name: "nearest ratio", offer: framed, wanted: Wanted{AspectRatio: "5:4"}, want: "aspect_ratio=5:4 resolution=1k quality=low",
			bad: []string{`aspect_ratio: m2 has no aspect ratio "5:4" | the nearest is "4:3"`}},
		{name: "nothing to choose", offer: plain, wanted: Wanted{AspectRatio: "1:1", Quality: "hd", Style: "vivid", Size: "", User: "u"},
			want: "aspect_ratio=1:1 quality=hd user=u", bad: []string{
				`quality: plain has no quality | delete the line`, `aspect_ratio: plain has no aspect ratio | delete the line`,
				`style: plain has no style | say it in the prompt`, `user: plain takes no end-user id | delete the line`}},
		{name: "style by words", offer: framed, wanted: Wanted{Style: "natural"}, want: "aspect_ratio=1:1 resolution=1k quality=low", notes: "style by words in the prompt"},
		{name: "no such style", offer: framed, wanted: Wanted{Style: "vivd"}, want: "aspect_ratio=1:1 resolution=1k quality=low", bad: []string{`style: m2 has no style "vivd" | it takes "natural"`}},
		{name: "user", offer: framed, wanted: Wanted{User: "u"}, want: "aspect_ratio=1:1 resolution=1k quality=low user=u"},
		{name: "an edit keeps its shape", offer: framed, wanted: Wanted{Sources: edit}, want: "resolution=1k quality=low input=000"},
		{name: "mask sent", offer: sized, wanted: Wanted{Sources: edit, Mask: mask}, want: "input=000 mask=white 000"},
		{name: "mask kept locally", offer: framed, wanted: Wanted{Sources: edit, Mask: mask}, want: "resolution=1k quality=low input=000", notes: "mask kept by putting the original pixels back"},
		{name: "drawn mask sent", offer: sized, wanted: Wanted{Sources: edit, Mask: drawn}, want: "input=000 mask=drawn rect(0,0,1,1)"},
		{name: "mask sent and preserved", offer: sized, wanted: Wanted{Sources: edit, Mask: kept}, want: "input=000 mask=white 000", notes: "outside the mask the original pixels are put back"},
		{name: "mask sent and not preserved", offer: sized, wanted: Wanted{Sources: edit, Mask: left}, want: "input=000 mask=white 000"},
		{name: "mask kept locally on demand", offer: framed, wanted: Wanted{Sources: edit, Mask: kept}, want: "resolution=1k quality=low input=000", notes: "mask kept by putting the original pixels back"},
		{name: "mask lost", offer: framed, wanted: Wanted{Sources: edit, Mask: left}, want: "resolution=1k quality=low input=000",
			bad: []string{"edit.preserve: m2 takes no mask, so without the original pixels put back nothing would keep it | remove preserve = false"}},
		{name: "too many inputs", offer: sized, wanted: Wanted{Sources: append(edit, edit...)}, want: "input=000 input=000", bad: []string{"edit: m edits at most 1 pictures at once | name fewer images"}},
		{name: "can't edit", offer: plain, wanted: Wanted{Sources: edit}, want: "input=000", bad: []string{"edit: plain can't edit pictures | choose a model that can: imgbuild models"}},
		{name: "long prompt", offer: framed, wanted: Wanted{Prompt: strings.Repeat("x", 41)}, want: "aspect_ratio=1:1 resolution=1k quality=low", bad: []string{"prompt: m2 takes prompts of at most 40 bytes | shorten the prompt"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.wanted.Prompt == "" {
				tt.wanted.Prompt = "a cat"
			}
			res, problems := Resolve(&Image{Address: "image.x", N: 1, Path: "x.png", Wanted: tt.wanted}, &tt.offer, tt.pins)
			var fields []string
			for _, f := range res.Request.Fields() {
				if f.Name != "provider" && f.Name != "model" && f.Name != "prompt" {
					fields = append(fields, f.Name+"="+strings.Replace(f.Value, digest.Content{}.String(), "000", 1))
				}
			}
			var bad []string
			for _, p := range problems {
				bad = append(bad, p.Field+": "+p.Text+" | "+p.Hint)
			}
			if got := strings.Join(fields, " "); got != tt.want {
				t.Errorf("request %q, want %q", got, tt.want)
			}
			if got := strings.Join(res.Notes, "; "); got != tt.notes {
				t.Errorf("notes %q, want %q", got, tt.notes)
			}
			if d := cmp.Diff(tt.bad, bad); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if tt.wanted.Style == "natural" && res.Request.Prompt != "a cat Natural." {
				t.Errorf("prompt %q", res.Request.Prompt)
			}
		})
	}
}

// Nothing that is fulfilled on our side may be in the digest, or a change of
// it would buy again.
func TestLocalIsNotInTheDigest(t *testing.T) {
	t.Parallel()
	base := Image{Address: "image.x", N: 1, Path: "x.png", Wanted: Wanted{Prompt: "a", Size: "1000x700", Sources: []Source{{File: "a"}}, Mask: &Mask{File: "m", Edit: "white"}}}
	first, _ := Resolve(&base, &framed, Pins{})
	changed := base
	changed.N, changed.Path, changed.Pick, changed.Alt = 9, "y.jpg", 3, "other"
	changed.Wanted.Size, changed.Wanted.Mask = "900x650", &Mask{File: "other", Edit: "black"}
	changed.Renditions = []Rendition{{Name: "r", Path: "r.png", Width: 3}}
	second, _ := Resolve(&changed, &framed, Pins{})
	if first.Request.Digest() != second.Request.Digest() {
		t.Errorf("%s\n%s", first.Request.Canonical(), second.Request.Canonical())
	}
	if first.Outputs(&base, digest.Content{1}, nil, nil)[0].Recipe == second.Outputs(&changed, digest.Content{1}, nil, nil)[0].Recipe {
		t.Error("the recipes are equal")
	}
}

func TestRecipes(t *testing.T) {
	t.Parallel()
	im := Image{Path: "a.jpg", File: Encoding{Quality: 82}, Wanted: Wanted{Sources: []Source{{File: "s"}}, Mask: &Mask{File: "m", Edit: "black"}},
		Renditions: []Rendition{{Name: "c", Path: "c.png", Width: 640, Height: 360}, {Name: "d", Path: "d.jpeg", Height: 9, Fit: "inside", File: Encoding{Format: "png"}}}}
	res := Resolved{Restore: true, Size: provider.Size{Width: 1000, Height: 700}, Enlarge: true}
	res.Request.Inputs = []provider.Input{{Content: digest.Content{2}}}
	restore := "restore=black:" + digest.Content{1}.String() + ":" + digest.Content{2}.String()
	got := res.Outputs(&im, digest.Content{1}, nil, nil)
	want := []Output{
		{Path: "a.jpg", Recipe: "enlarge=true format=jpeg quality=82 " + restore + " size=1000x700"},
		{Name: "c", Path: "c.png", Recipe: "enlarge=true fit=cover format=png height=360 " + restore + " size=1000x700 width=640"},
		{Name: "d", Path: "d.jpeg", Recipe: "enlarge=true fit=inside format=png height=9 " + restore + " size=1000x700"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("outputs (-want +got):\n%s", d)
	}
	r, err := ParseRecipe(got[1].Recipe)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Recipe{Fit: "cover", Width: 640, Height: 360, Enlarge: true, Size: res.Size, File: Encoding{Format: "png"},
		Restore: provider.Input{Edit: "black", Content: digest.Content{1}}, RestoreSource: digest.Content{2}}, r, sameLengths); d != "" {
		t.Errorf("recipe (-want +got):\n%s", d)
	}
	im.Wanted.Mask = &Mask{Edit: provider.Drawn, Shapes: "ellipse(50%,1.5,9)~4;!rect(0,0,1,1);~2"}
	drawn := res.Outputs(&im, digest.Content{}, nil, nil)[0].Recipe
	if want := "enlarge=true format=jpeg quality=82 restore=drawn:ellipse(50%,1.5,9)~4;!rect(0,0,1,1);~2:" + (digest.Content{2}).String() + " size=1000x700"; drawn != want {
		t.Errorf("recipe %s, want %s", drawn, want)
	}
	if r, err := ParseRecipe(drawn); err != nil || r.Restore.Edit != provider.Drawn || r.Restore.Shapes != im.Wanted.Mask.Shapes || r.RestoreSource != (digest.Content{2}) || r.Verbatim("jpeg") {
		t.Errorf("%+v %v", r, err)
	}
	for _, bad := range []string{"width=x", "colour=red", "size=1", "restore=a", "restore=a:b:c",
		"fit=stretch", "gravity=up", "width=-1", "height=0", "width=100000", "blur=0.001", "blur=-1", "sharpen=1.50", "crop=1,2,3", "crop=1,2,3,-4", "crop=1,2,101%,4", "background=red"} {
		if _, err := ParseRecipe(bad); err == nil {
			t.Errorf("ParseRecipe(%q) is no error", bad)
		}
	}
	if r, _ := ParseRecipe("format=png"); !r.Verbatim("png") || r.Verbatim("jpeg") {
		t.Error("format=png is verbatim for a PNG alone")
	}
	if r, _ := ParseRecipe("enlarge=true fit=cover format=png gravity=north linear=true"); !r.Verbatim("png") {
		t.Error("how a picture would be fitted changes it")
	}
	for _, not := range []string{"format=png quality=3", "format=png width=3", "format=png size=1x1",
		"format=png grayscale=true", "blur=1 format=png", "format=png sharpen=1", "crop=0,0,1,1 format=png", "background=#ffffff format=png"} {
		if r, _ := ParseRecipe(not); r.Verbatim("png") {
			t.Errorf("%q is verbatim", not)
		}
	}
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a.png", "static/img/a b.png", "ü/ё.jpg", "console.png", "a..b", "images/hero.png", "conin.png", "prn-1.png", ".well-known/x", "com10.png"} {
		if err := CheckPath(good); err != nil {
			t.Errorf("CheckPath(%q): %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"photos/aux.png": "reserves", "photos//hero.png": `"photos/hero.png"`, "images/": `"images"`, "images.": "dot or a space", "photos./hero.png": "dot or a space", "hero\x00.png": "U+0000",
		"": "empty", ".": "empty", "/etc/passwd": "absolute", "C:/x": "absolute", "../x": "leaves", "a/../../x": "leaves", "..": "leaves",
		"a//b": `"a/b"`, "./a": `"a"`, "a/": `"a"`, `a\b`: "backslash", "a\x00b": "U+0000", "a\u202eb": "U+202E", "ab:c": "Windows", "a?": "Windows",
		"CON": "reserves", "aux.png": "reserves", "x/LPT1.txt": "reserves", "a.": "dot or a space", "a ": "dot or a space", ".git/config": "inside .git",
		".GIT/x": "inside .GIT", "x/.imgbuild/y": "inside .imgbuild", "com\u00b2.png": "reserves", "x/Lpt\u00b3": "reserves", "nul .png": "reserves", "CONIN$": "reserves", "conout$.png": "reserves",
		"GIT~1/config": "inside GIT~1", ".g\u0131t/x": "inside", "imgbui~1/store": "inside", "\xff": "UTF-8", strings.Repeat("a", 256): "longer than 255", strings.Repeat("a/", 600) + "b": "longer than 1024",
	} {
		if err := CheckPath(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckPath(%q) = %v, want %q", bad, err, want)
		}
	}
}

func TestPathKey(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"A.png", "a.PNG"}, {"caf\u00e9.png", "cafe\u0301.png"}} {
		if PathKey(pair[0]) != PathKey(pair[1]) {
			t.Errorf("%q and %q have other keys", pair[0], pair[1])
		}
	}
	if PathKey("a.png") == PathKey("b.png") {
		t.Error("a and b have one key")
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	im := Image{Wanted: Wanted{Sources: []Source{{Image: "image.b"}, {File: "x"}, {Image: "image.a"}, {Image: "image.b"}}}}
	if d := cmp.Diff([]Address{"image.b", "image.a"}, im.Edges()); d != "" {
		t.Error(d)
	}
}

func TestResolveSensitive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		offer  provider.Offer
		wanted Wanted
		want   string
		bad    string
	}{
		{"nothing", framed, Wanted{User: "u"}, "", ""},
		{"prompt", framed, Wanted{User: "u", Sensitive: []string{"prompt"}}, "prompt", ""},
		{"user", framed, Wanted{User: "u", Sensitive: []string{"user"}}, "user", ""},
		{"no user", framed, Wanted{Sensitive: []string{"user"}}, "", ""},
		{"style that is sent", sized, Wanted{Style: "vivid", Sensitive: []string{"style"}}, "style", ""},
		{"style by words", framed, Wanted{Style: "natural", Sensitive: []string{"style"}}, "prompt", ""},
		{"style that is none", sized, Wanted{Style: "hunter2", Sensitive: []string{"style"}}, "prompt", "m does not take this style, which is a sensitive value"},
		{"user that nobody takes", sized, Wanted{User: "hunter2", Sensitive: []string{"user"}}, "user", "m takes no end-user id"},
		{"all", framed, Wanted{Style: "natural", User: "u", Sensitive: []string{"prompt", "style", "user"}}, "prompt user", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.wanted.Prompt = "p"
			res, problems := Resolve(&Image{Wanted: tt.wanted, N: 1}, &tt.offer, Pins{})
			if got := strings.Join(res.Request.Sensitive, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			bad := ""
			for _, p := range problems {
				bad += p.Text
				if strings.Contains(p.Value+p.Text+p.Hint, "hunter2") {
					t.Errorf("%+v", p)
				}
			}
			if bad != tt.bad {
				t.Errorf("got %q, want %q", bad, tt.bad)
			}
		})
	}
}
