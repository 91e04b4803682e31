package plan

import (
	"testing"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// Files that removed keeps are kept, whatever becomes of the record of them.
func TestKept(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		then        []spec.Image
		how         func(*Input)
		want        []string
		gone, stays string
	}{
		{name: "gone", want: []string{"forget a (unwanted)"}, stays: "a.png"},
		{name: "an equal request takes the record", then: []spec.Image{img("b", prompt("a a"))}, want: []string{"move b (renamed, recipe path)"}, stays: "a.png"},
		{name: "and the file", then: []spec.Image{img("b", prompt("a a"), path("a.png"))}, want: []string{"move b (renamed)"}, stays: "a.png"},
		{name: "another request", then: []spec.Image{img("b")}, want: []string{"generate b (new) 1× $0.02", "forget a (unwanted)"}, stays: "a.png"},
		{name: "not kept", then: []spec.Image{img("b", prompt("a a"))}, how: func(in *Input) { in.Kept["image.a"] = false },
			want: []string{"move b (renamed, recipe path)"}, gone: "a.png"},
		{name: "destroy", how: func(in *Input) { in.Destroy = true }, want: []string{"delete a (asked -destroy)"}, gone: "a.png"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(img("a"))
			w.apply(w.plan())
			w.set(tt.then...)
			p := w.plan(func(in *Input) {
				in.Kept = map[spec.Address]bool{"image.a": true}
				if tt.how != nil {
					tt.how(in)
				}
			})
			check(t, p, tt.want...)
			w.apply(p)
			if _, there := w.disk[tt.stays]; tt.stays != "" && !there {
				t.Errorf("%s is deleted", tt.stays)
			}
			if _, there := w.disk[tt.gone]; there {
				t.Errorf("%s stays", tt.gone)
			}
		})
	}
}
