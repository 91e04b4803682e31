package apply

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// What would end a paid edit is told with the plan: sources that are no pictures
// and masks that don't fit them. What is not made yet, or was edited before, is
// left alone, and so are free steps.
func TestInspect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	files := map[string][]byte{
		"wide.png": drawn("RGB", "RGB"), "page.png": []byte("<html>"), "mask.png": drawn("WWK", "KKK"),
		"narrow.png": drawn("WK", "KK"), "tall.png": drawn("WKK", "KKK", "KKK"), "black.png": drawn("KKK", "KKK"),
	}
	for name, b := range files {
		s.write(name, b)
	}
	wide := candidate("s")
	wide.Width, wide.Height = 3, 2
	other := candidate("other")
	other.Width, other.Height = 9, 9
	l := &lock.Lock{Entries: []lock.Entry{{Address: "image.s", Candidates: []provider.Image{other, wide}}}}
	file := func(names ...string) (out []spec.Source) {
		for _, name := range names {
			out = append(out, spec.Source{File: name})
		}
		return out
	}
	image := []spec.Source{{Image: "image.s"}}
	const page = "edit.image: page.png can't be edited: not a PNG, JPEG, WebP or GIF picture | PNG, JPEG and WebP can be edited"
	const larger = "edit.mask.file: mask narrow.png is 2x2, the picture is 3x2 | draw the mask with the pixels of the picture"
	for _, tt := range []struct {
		name    string
		verb    plan.Verb
		sources []spec.Source
		want    digest.Content // of the first source, as the plan has it
		mask    string
		edit    string // of a mask that is sent; "" if it is only used here
		told    []string
	}{
		{"all is well", plan.Edit, file("wide.png"), digest.Content{}, "mask.png", "white", nil},
		{"all is well, and the mask is not sent", plan.Edit, file("wide.png"), digest.Content{}, "mask.png", "", nil},
		{"no source", plan.Generate, nil, digest.Content{}, "", "", nil},
		{"no picture", plan.Edit, file("page.png"), digest.Content{}, "", "", []string{page}},
		{"no picture, with a mask for one", plan.Edit, file("page.png"), digest.Content{}, "mask.png", "white", []string{page}},
		{"the second is no picture", plan.Edit, file("wide.png", "page.png"), digest.Content{}, "mask.png", "white", []string{page}},
		{"a free step", plan.Render, file("page.png"), digest.Content{}, "", "", nil},
		{"a file that changed", plan.Edit, file("wide.png"), other.Content, "", "",
			[]string{"edit.image: wide.png can't be edited: wide.png has changed since the plan was made | PNG, JPEG and WebP can be edited"}},
		{"a mask that is too narrow", plan.Edit, file("wide.png"), digest.Content{}, "narrow.png", "white", []string{larger}},
		{"a mask that is too tall", plan.Edit, file("wide.png"), digest.Content{}, "tall.png", "",
			[]string{"edit.mask.file: mask tall.png is 3x3, the picture is 3x2 | draw the mask with the pixels of the picture"}},
		{"a mask is for the first", plan.Edit, file("narrow.png", "wide.png"), digest.Content{}, "narrow.png", "white", nil},
		{"a mask without an opening", plan.Edit, file("wide.png"), digest.Content{}, "black.png", "white",
			[]string{"edit.mask.file: mask black.png leaves nothing to edit | check edit = \"white\": it is transparent, white or black"}},
		{"a mask that is no mask", plan.Edit, file("wide.png"), digest.Content{}, "page.png", "white",
			[]string{"edit.mask.file: mask page.png: not a PNG, JPEG, WebP or GIF picture | a mask is a PNG with the pixels of the picture"}},
		{"another edit of it", plan.Edit, file("wide.png"), digest.Content{}, "mask.png", "black", nil},
		{"a mask that is all opening", plan.Edit, file("wide.png"), digest.Content{}, "black.png", "black",
			[]string{"warning: edit.mask.file: mask black.png lets everything be edited | check edit = \"black\": it is transparent, white or black"}},
		{"shapes", plan.Edit, file("wide.png"), digest.Content{}, "", "drawn rect(0,0,2,1)", nil},
		{"shapes that are all", plan.Edit, file("wide.png"), digest.Content{}, "", "drawn rect(0,0,100%,100%)",
			[]string{"warning: edit.mask: the mask lets everything be edited | make it smaller, or remove it"}},
		{"shapes that leave nothing", plan.Edit, file("wide.png"), digest.Content{}, "", "drawn rect(0,0,1,1);!rect(0,0,2,2)",
			[]string{"edit.mask: the mask leaves nothing to edit | let the shapes that subtract leave something"}},
		{"shapes that do nothing", plan.Edit, image, wide.Content, "", "drawn rect(0,0,1,1);rect(3,0,1,1);!ellipse(9,9,1);~9", []string{
			"edit.mask.*: the rect of the mask lies outside of the picture, which is 3x2 | move it into the picture, or remove it",
			"edit.mask.*: the ellipse of the mask lies outside of the picture, which is 3x2 | move it into the picture, or remove it",
			"edit.mask.feather: the mask has a feather of 9 pixels, which is larger than the picture of 3x2 | write a smaller feather"}},
		{"shapes of a picture that is not made yet", plan.Edit, []spec.Source{{Image: "image.x"}}, digest.Content{}, "", "drawn rect(9,9,1,1)", nil},
		{"shapes of nobody", plan.Edit, file("wide.png"), digest.Content{}, "", "drawn circle(1,1,1)",
			[]string{"edit.mask: the mask can't be drawn: \"circle(1,1,1)\" \"circle\" is no shape | imgbuild plan makes a new plan"}},
		{"another image", plan.Edit, image, wide.Content, "mask.png", "white", nil},
		{"another image, and its mask is too narrow", plan.Edit, image, wide.Content, "narrow.png", "white", []string{larger}},
		{"a candidate that the lock does not have", plan.Edit, image, candidate("x").Content, "narrow.png", "white", nil},
		{"an image that is not made yet", plan.Edit, []spec.Source{{Image: "image.x"}}, digest.Content{}, "narrow.png", "white", nil},
		{"what was edited before", plan.Edit, []spec.Source{{Content: wide.Content}}, wide.Content, "narrow.png", "white", nil},
	} {
		step := plan.Step{Address: "image.e", Verb: tt.verb, Sources: tt.sources, MaskFile: tt.mask,
			Outputs: []plan.Output{{Recipe: "format=png restore=white:" + wide.Content.String() + ":" + wide.Content.String()}}}
		for k, src := range tt.sources {
			in := provider.Input{Content: tt.want}
			if k > 0 || tt.want.IsZero() {
				in.Content = digest.OfContent(files[src.File])
			}
			step.Request.Inputs = append(step.Request.Inputs, in)
		}
		if tt.edit != "" {
			step.Request.Mask = &provider.Input{}
			step.Request.Mask.Edit, step.Request.Mask.Shapes, _ = strings.Cut(tt.edit, " ")
		}
		var got []string
		for _, p := range Inspect(s.root(), l, &plan.Plan{Steps: []plan.Step{step}}, imaging.DefaultLimits) {
			mild := map[bool]string{true: "warning: "}[p.Warning]
			if got = append(got, fmt.Sprintf("%s%s: %s | %s", mild, p.Field, p.Text, p.Hint)); p.Address != "image.e" {
				t.Errorf("%s: told of %s", tt.name, p.Address)
			}
		}
		same(t, tt.name, got, tt.told...)
	}

	// A mask that is not there is told too, and all that is wrong at once.
	if err := os.Remove(s.dir + "/black.png"); err != nil {
		t.Fatal(err)
	}
	edit := plan.Step{Address: "image.e", Verb: plan.Edit, Sources: file("page.png"), MaskFile: "black.png"}
	edit.Request.Inputs = []provider.Input{{Content: digest.OfContent(files["page.png"])}}
	edit.Request.Mask = &provider.Input{Edit: "white"}
	again := edit
	again.Address = "image.f"
	if got := Inspect(s.root(), l, &plan.Plan{Steps: []plan.Step{edit, again}}, imaging.DefaultLimits); len(got) != 4 {
		t.Errorf("%d things are told of: %v", len(got), got)
	}
}

// The candidate of an image is looked up for each edit: two may have chosen
// differently.
func TestInspectEachCandidate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("mask.png", drawn("WK"))
	fits, not := candidate("1"), candidate("2")
	fits.Width, fits.Height, not.Width, not.Height = 2, 1, 5, 5
	l := &lock.Lock{Entries: []lock.Entry{{Address: "image.s", Candidates: []provider.Image{fits, not}}}}
	var p plan.Plan
	for i, c := range []digest.Content{fits.Content, not.Content} {
		st := plan.Step{Address: spec.Address(fmt.Sprint("image.", i)), Verb: plan.Edit, Sources: []spec.Source{{Image: "image.s"}}, MaskFile: "mask.png"}
		st.Request.Inputs, st.Request.Mask = []provider.Input{{Content: c}}, &provider.Input{Edit: "white"}
		p.Steps = append(p.Steps, st)
	}
	if got := Inspect(s.root(), l, &p, imaging.DefaultLimits); len(got) != 1 || got[0].Address != "image.1" {
		t.Errorf("%+v", got)
	}
}
