package apply

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// What came is compared with what was asked, with room for what providers round.
func TestCheckOfPictures(t *testing.T) {
	t.Parallel()
	e := &Engine{pixels: newWorkshop(imaging.DefaultLimits)}
	edit := []provider.Input{{}}
	for _, tt := range []struct {
		name          string
		width, height int
		asked         provider.Request
		fine          bool
	}{
		{"nothing asked", 30, 20, provider.Request{}, true},
		{"size", 30, 20, provider.Request{Size: provider.Size{Width: 30, Height: 20}}, true},
		{"another width", 31, 20, provider.Request{Size: provider.Size{Width: 30, Height: 20}}, false},
		{"another height", 30, 21, provider.Request{Size: provider.Size{Width: 30, Height: 20}}, false},
		{"resolution", 656, 656, provider.Request{Resolution: "1k"}, true},       // 0.41 of the area
		{"just enough", 256, 160, provider.Request{Resolution: "0.3125k"}, true}, // 0.4 of the area
		{"half of a side", 512, 512, provider.Request{Resolution: "1k"}, false},
		{"far too narrow", 1024, 400, provider.Request{Resolution: "1k"}, false},
		{"a resolution of which too much is asked", 1024, 1024, provider.Request{Resolution: "2k"}, false},
		{"an edit is as large as its source", 512, 512, provider.Request{Resolution: "1k", Inputs: edit}, true},
		{"a size says more than a resolution", 30, 20, provider.Request{Resolution: "1k", Size: provider.Size{Width: 30, Height: 20}}, true},
		{"no number", 30, 20, provider.Request{Resolution: "large"}, true},
		{"ratio", 320, 180, provider.Request{AspectRatio: "16:9"}, true},
		{"a ratio that was rounded up", 330, 180, provider.Request{AspectRatio: "16:9"}, true},
		{"a ratio that was rounded down", 310, 180, provider.Request{AspectRatio: "16:9"}, true},
		{"too broad", 340, 180, provider.Request{AspectRatio: "16:9"}, false},
		{"too narrow", 300, 180, provider.Request{AspectRatio: "16:9"}, false},
		{"the other way round", 180, 320, provider.Request{AspectRatio: "16:9"}, false},
		{"no ratio", 30, 20, provider.Request{AspectRatio: "auto"}, true},
		{"half a ratio", 30, 20, provider.Request{AspectRatio: "16:x"}, true},
		{"the other half", 30, 20, provider.Request{AspectRatio: "x:9"}, true},
	} {
		var b bytes.Buffer
		if _, err := imaging.New(tt.width, tt.height).Encode(&b, "png", 0, false); err != nil {
			t.Fatal(err)
		}
		var im provider.Image
		if why := e.check(b.Bytes(), &tt.asked, &im); (why == "") != tt.fine {
			t.Errorf("%s: %q", tt.name, why)
		}
		if im.Width != tt.width || im.Height != tt.height || im.MIME != "image/png" {
			t.Errorf("%s: measured %+v", tt.name, im)
		}
	}
	if why := e.check([]byte("no picture"), &provider.Request{}, &provider.Image{}); !strings.HasPrefix(why, "it is no picture: ") {
		t.Errorf("%q", why)
	}
}

// What is edited must be what the plan was made with.
func TestSourceIsWhatItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.png"), []byte("a"), 0o666); err != nil {
		t.Fatal(err)
	}
	root, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	e := &Engine{Sources: root}
	data := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("a"))
	a, b := digest.OfContent([]byte("a")), digest.OfContent([]byte("b"))
	for _, tt := range []struct {
		name   string
		source spec.Source
		want   digest.Content
		err    string // "" for none
	}{
		{"a file", spec.Source{File: "a.png"}, a, ""},
		{"a file that changed", spec.Source{File: "a.png"}, b, "a.png has changed since the plan was made"},
		{"no file", spec.Source{File: "b.png"}, a, "b.png"},
		{"data", spec.Source{Data: data}, a, ""},
		{"other data", spec.Source{Data: data}, b, "the data URL is not what it was when the plan was made"},
		{"no data", spec.Source{Data: "data:,"}, a, "the data URL "},
	} {
		got, err := e.source(tt.source, tt.want)
		switch {
		case (err == nil) != (tt.err == ""), err != nil && !strings.Contains(err.Error(), tt.err):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		case err == nil && string(got) != "a":
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
