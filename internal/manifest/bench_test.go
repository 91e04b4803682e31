package manifest

import (
	"fmt"
	"testing"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// A plan with nothing to do makes the manifests, too, to see whether they are
// old.
func BenchmarkManifest(b *testing.B) {
	in := Input{Lock: &lock.Lock{}, Size: apply.SizeOf, SourceTypes: map[spec.Address]string{}}
	for i := range 10_000 {
		a, c := spec.Address(fmt.Sprintf("image.a%05d", i)), digest.OfContent(fmt.Append(nil, i))
		e := lock.Entry{Address: a, Candidates: []provider.Image{{Content: c, MIME: "image/png", Width: 1792, Height: 1024, Bytes: 1}},
			Outputs: []lock.Output{{Path: fmt.Sprintf("static/a%d.png", i), Content: c, Bytes: 1, Recipe: "format=png", Of: c}}}
		e.SetFields([]provider.Field{{Name: "provider", Value: "xai"}, {Name: "model", Value: "drawn"}})
		in.Lock.Entries = append(in.Lock.Entries, e)
		in.Images = append(in.Images, spec.Image{Address: a, Path: e.Outputs[0].Path, Alt: "A lake below mountains"})
		in.SourceTypes[a] = spec.SourceTrained
	}
	for b.Loop() {
		Of(in).Text("hugo", "data/m.json")
	}
}
