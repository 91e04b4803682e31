package apply

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// A set that was planned for another size than came: what the plan did not know
// of must not exist, and what is not there any more goes if it is ours.
func TestFitSetToWhatCame(t *testing.T) {
	t.Parallel()
	ours, theirs := digest.OfContent([]byte("ours")), digest.OfContent([]byte("theirs"))
	file := func(width string, a plan.Action, expect digest.Content) plan.Output {
		return plan.Output{Block: spec.Responsive, Name: width + ".png", Path: "h-" + width + ".png", Recipe: "fit=cover format=png width=" + width, Action: a, Expect: expect}
	}
	none := digest.Content{}
	main := plan.Output{Path: "h.png", Recipe: "format=png", Action: plan.Write, Expect: ours}
	old := plan.Output{Path: "h-25.png", Action: plan.DeleteFile, Expect: ours}
	all := []plan.Output{file("10", plan.Write, none), file("20", plan.Write, none), file("30", plan.Write, none)}
	for _, tt := range []struct {
		name     string
		planned  []plan.Output
		recorded []string
		width    int
		want     []plan.Output
	}{
		{"as planned", []plan.Output{main, file("10", plan.Write, ours), file("15", plan.Write, none)}, nil, 15, []plan.Output{main, file("10", plan.Write, ours), file("15", plan.Write, none)}},
		{"wider", []plan.Output{main, file("10", plan.Write, ours), file("15", plan.Write, none)}, nil, 25, []plan.Output{main, file("10", plan.Write, ours), file("20", plan.Write, none), file("25", plan.Write, none)}},
		{"wider, and ours is there already", []plan.Output{main, file("10", plan.Write, ours), file("20", plan.Write, none), old}, []string{"h-25.png"}, 25,
			[]plan.Output{main, file("10", plan.Write, ours), file("20", plan.Write, none), file("25", plan.Write, ours)}},
		{"narrower", []plan.Output{main, file("10", plan.Write, ours), file("20", plan.Write, ours), file("30", plan.Write, theirs)}, []string{"h-10.png", "h-20.png", "h-30.png"}, 10,
			[]plan.Output{main, file("10", plan.Write, ours), file("20", plan.DeleteFile, ours), file("30", plan.ForgetFile, theirs)}},
		{"narrower than what nobody has written", []plan.Output{main, file("10", plan.Write, none), file("20", plan.Write, none)}, nil, 5, []plan.Output{main, file("5", plan.Write, none)}},
		{"no picture", []plan.Output{main, file("20", plan.Write, none)}, nil, 0, []plan.Output{main, file("20", plan.Write, none)}},
	} {
		j := &job{step: &plan.Step{Responsive: all}, outputs: tt.planned}
		for _, p := range tt.recorded {
			j.entry.Outputs = append(j.entry.Outputs, lock.Output{Path: p, Content: ours})
		}
		var picked *provider.Image
		if tt.width > 0 {
			picked = &provider.Image{Width: tt.width, Height: 9}
		}
		j.fitSet(picked)
		if !slices.Equal(j.outputs, tt.want) {
			t.Errorf("%s:\n%+v, want\n%+v", tt.name, j.outputs, tt.want)
		}
	}
}

// The size of an output is told without its pixels, as they would be.
func TestSizeOf(t *testing.T) {
	t.Parallel()
	of := imaging.New(40, 30)
	var b bytes.Buffer
	if _, err := of.Encode(&b, "png", 0, false); err != nil {
		t.Fatal(err)
	}
	e := &Engine{}
	e.pixels = newWorkshop(e.limits())
	picked := &provider.Image{MIME: "image/png", Width: 40, Height: 30}
	for recipe, want := range map[string]string{
		"format=png":                                              "40x30",
		"fit=cover format=jpeg width=20":                          "20x15",
		"format=jpeg size=10x20":                                  "10x20",
		"fit=cover format=jpeg width=99":                          "40x30",
		"crop=0,0,50%,10 format=png":                              "20x10",
		"crop=0,0,50%,10 format=png fit=contain height=5 width=5": "5x5",
		"fit=inside format=png height=20 size=20x20 width=10":     "10x10",
	} {
		w, h, err := SizeOf(recipe, picked)
		if got := fmt.Sprintf("%dx%d", w, h); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", recipe, got, err, want)
		}
		file, _, err := e.render(t.Context(), &job{}, recipe, e.newDrawing(nil, picked, b.Bytes(), recipe))
		if err != nil {
			t.Fatalf("%s: %v", recipe, err)
		}
		if info, err := imaging.Measure(file, e.limits()); err != nil || fmt.Sprintf("%dx%d", info.Width, info.Height) != want {
			t.Errorf("%s: the file is %+v, %v, want %s", recipe, info, err, want)
		}
	}
	if _, _, err := SizeOf("width=x", picked); err == nil {
		t.Error("a bad recipe has a size")
	}
}
