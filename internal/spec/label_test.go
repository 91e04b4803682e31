package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

func TestSourceType(t *testing.T) {
	t.Parallel()
	const unknown = ""
	for _, c := range []struct {
		procedural bool
		from       []string
		want       string
	}{
		{false, nil, SourceTrained},
		{false, []string{SourceTrained}, SourceTrained},
		{false, []string{SourceAlgorithmic}, SourceTrained},
		{false, []string{unknown}, SourceComposite},
		{false, []string{"digitalCapture"}, SourceComposite},
		{false, []string{SourceTrained, unknown}, SourceComposite},
		{false, []string{SourceComposite}, SourceComposite},
		{false, []string{SourceSynthetic}, SourceComposite},
		{true, nil, SourceAlgorithmic},
		{true, []string{SourceAlgorithmic}, SourceAlgorithmic},
		{true, []string{SourceTrained}, SourceComposite},
		{true, []string{SourceComposite, SourceAlgorithmic}, SourceComposite},
		{true, []string{unknown}, SourceSynthetic},
		{true, []string{SourceSynthetic}, SourceSynthetic},
	} {
		if got := SourceType(c.procedural, c.from); got != c.want {
			t.Errorf("procedural %t from %q: %s, not %s", c.procedural, c.from, got, c.want)
		}
	}
}

// The digests stand in the locks of projects: a change renders all labelled
// files again.
func TestLabelDigest(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]Label{
		"":                 {},
		"bf6040d7bc16ed0b": {SourceType: SourceTrained},
		"147d15a595273a5f": {SourceType: SourceTrained, Credit: "a\nb", License: "c", Alt: `"d"`, Caption: "é"},
	} {
		if got := l.Digest(); got != want {
			t.Errorf("%+v: %s, not %s", l, got, want)
		}
	}
	seen := map[string]Label{}
	for _, l := range []Label{{SourceType: "a"}, {Credit: "a"}, {License: "a"}, {Alt: "a"}, {Caption: "a"}, {Credit: "a\n\"\""}, {Credit: "a", License: "a"}} {
		if other, twice := seen[l.Digest()]; twice {
			t.Errorf("%+v and %+v have one digest", l, other)
		}
		seen[l.Digest()] = l
	}
}

func TestLabelsInRecipes(t *testing.T) {
	t.Parallel()
	png, jpeg := &provider.Image{MIME: "image/png"}, &provider.Image{MIME: "image/jpeg"}
	signed := &provider.Image{MIME: "image/png", C2PA: true}
	base := Image{Path: "a.png", Renditions: []Rendition{{Name: "c", Path: "c.jpg", Width: 9}, {Name: "copy", Path: "copy.png"}, {Name: "v", Path: "v.avif"}}}
	some := func() Label { return Label{SourceType: SourceTrained} }
	const tag = "label=bf6040d7bc16ed0b"
	for _, c := range []struct {
		name  string
		of    *provider.Image
		all   bool
		label func() Label
		want  []string
	}{
		{"a copy has none", png, false, some, []string{"format=png", "fit=cover format=jpeg " + tag + " width=9", "fit=cover format=png", "fit=cover format=avif"}},
		{"converted", jpeg, false, some, []string{"format=png " + tag, "fit=cover format=jpeg " + tag + " width=9", "fit=cover format=png " + tag, "fit=cover format=avif"}},
		{"not made yet", nil, false, some, []string{"format=png " + tag, "fit=cover format=jpeg " + tag + " width=9", "fit=cover format=png " + tag, "fit=cover format=avif"}},
		{"copies too", png, true, some, []string{"format=png " + tag + ",copies", "fit=cover format=jpeg " + tag + " width=9", "fit=cover format=png " + tag + ",copies", "fit=cover format=avif"}},
		{"but not signed ones", signed, true, some, []string{"format=png", "fit=cover format=jpeg " + tag + " width=9", "fit=cover format=png", "fit=cover format=avif"}},
		{"nothing to say", jpeg, true, func() Label { return Label{} }, []string{"format=png", "fit=cover format=jpeg width=9", "fit=cover format=png", "fit=cover format=avif"}},
	} {
		im := base
		im.LabelCopies = c.all
		var got []string
		for _, o := range new(Resolved).Outputs(&im, digest.Content{}, c.of, c.label) {
			got = append(got, o.Recipe)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		// What was planned before the candidate was there comes to the same.
		for k, o := range new(Resolved).Outputs(&im, digest.Content{}, nil, c.label) {
			if settled := Settled(o.Recipe, c.of); settled != got[k] {
				t.Errorf("%s: %q is settled to %q, not %q", c.name, o.Recipe, settled, got[k])
			}
			if !SameButLabel(o.Recipe, got[k]) {
				t.Errorf("%s: %q and %q differ in more than the label", c.name, o.Recipe, got[k])
			}
		}
	}
	if SameButLabel("format=png width=3", "format=png") || !SameButLabel("format=png "+tag, "format=png") {
		t.Error("a label is not a width")
	}
}
