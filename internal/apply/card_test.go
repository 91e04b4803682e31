package apply

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gomono"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// A card is drawn in the font that the plan was made with, or not at all.
func TestCardFont(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "card.ttf")
	if err := os.WriteFile(file, gomono.TTF, 0o666); err != nil {
		t.Fatal(err)
	}
	root, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	e := &Engine{Sources: root}
	e.pixels = newWorkshop(e.limits())
	var b bytes.Buffer
	if _, err := imaging.New(300, 200).Encode(&b, "png", 0, false); err != nil {
		t.Fatal(err)
	}
	picked := &provider.Image{MIME: "image/png", Width: 300, Height: 200}
	draw := func(font string) (*imaging.Picture, error) {
		recipe := "color=#ffffff fit=cover font=" + font + " format=png height=100 title=Hello+there width=200"
		recipe = strings.Replace(recipe, "font= ", "", 1)
		step := &plan.Step{Outputs: []plan.Output{{Path: "a.png", Recipe: "format=png"}, {Path: "card.png", Recipe: recipe, Font: "card.ttf", Action: plan.Write}}}
		if p := e.cards(step); len(p) > 0 {
			t.Logf("%+v", p)
			if p[0].Kind != plan.BadCard || p[0].Hint == "" {
				t.Errorf("finding %+v", p[0])
			}
		}
		file, _, err := e.render(t.Context(), &job{step: step}, recipe, e.newDrawing(nil, picked, b.Bytes(), recipe))
		if err != nil {
			return nil, err
		}
		p, _, err := imaging.Decode(file, e.limits())
		return p, err
	}
	mono, err := draw(digest.OfContent(gomono.TTF).String())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := draw("")
	if err != nil {
		t.Fatal(err)
	}
	if imaging.Digest(mono) == imaging.Digest(plain) {
		t.Error("both fonts draw the same")
	}
	if _, err := draw(digest.OfContent([]byte("other")).String()); err == nil || !strings.Contains(err.Error(), "card.ttf has changed since the plan was made") {
		t.Errorf("another font: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := draw(digest.OfContent(gomono.TTF).String()); err == nil {
		t.Error("a font that is gone was used")
	}
}
