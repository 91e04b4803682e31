package apply

import (
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// restoring is a recipe that restores the pixels of a source, with the content
// of that where the plan did not know it.
func (j *job) restoring(recipe string) string {
	if len(j.request.Inputs) == 0 {
		return recipe
	}
	return strings.Replace(recipe, ":"+digest.Content{}.String(), ":"+j.request.Inputs[0].Content.String(), 1)
}

// fitSet settles which files of the responsive set there are, now that the
// picture is here. One that was not planned must not exist, unless it is of the
// picture before.
func (j *job) fitSet(picked *provider.Image) {
	if picked == nil || len(j.step.Responsive) == 0 {
		return
	}
	set := make([]spec.Output, len(j.step.Responsive))
	for i, o := range j.step.Responsive {
		set[i] = spec.Output{Block: spec.Responsive, Name: o.Name, Path: o.Path, Recipe: j.restoring(o.Recipe)}
	}
	set = spec.FitSet(set, provider.Size{Width: picked.Width, Height: picked.Height})
	var out []plan.Output
	for _, o := range j.outputs {
		i := slices.IndexFunc(set, func(x spec.Output) bool { return x.Path == o.Path })
		switch {
		case i >= 0:
			x := set[i]
			set = slices.Delete(set, i, i+1)
			o = plan.Output{Path: x.Path, Block: x.Block, Name: x.Name, Recipe: x.Recipe, Action: plan.Write, Expect: o.Expect, Relabel: o.Relabel, Adopt: o.Adopt}
		case o.Block == spec.Responsive:
			old := j.entry.Output(o.Path)
			if old == nil {
				continue
			}
			o.Action, o.Adopt, o.Relabel = plan.DeleteFile, false, false
			if o.Expect != old.Content {
				o.Action = plan.ForgetFile
			}
		}
		out = append(out, o)
	}
	for _, x := range set {
		out = append(out, plan.Output{Path: x.Path, Block: x.Block, Name: x.Name, Recipe: x.Recipe, Action: plan.Write})
	}
	j.outputs = out
}
