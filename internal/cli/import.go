package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

const (
	importField = "import" // of a problem that is about an import block
	codeImport  = "IB0510"
)

// imports looks at the pictures that images take which have none yet. An
// import of an image that has one does nothing; where the file is not what
// the image has, a warning says so.
func (s *session) imports(ctx context.Context) (map[spec.Address]plan.Imported, diag.List, error) {
	out := map[spec.Address]plan.Imported{}
	var inert []string
	var entries []*lock.Entry
	for _, im := range s.project.Imports {
		if e := s.lock.Get(im.To); e != nil && len(e.Candidates) > 0 {
			inert, entries = append(inert, im.Path), append(entries, e)
			continue
		}
		out[im.To], _ = apply.Importable(s.root, im.Path)
	}
	var l diag.List
	contents, errs := s.root.Hash(ctx, inert)
	for i, e := range entries {
		c := contents[i]
		if errs[i] != nil || // it is free to go once it is imported
			slices.ContainsFunc(e.Candidates, func(im provider.Image) bool { return im.Content == c }) ||
			slices.ContainsFunc(e.Outputs, func(o lock.Output) bool { return o.Content == c || o.Path == inert[i] }) {
			continue
		}
		l = append(l, diag.Finding{Severity: diag.Warning, Code: codeImport, Address: string(e.Address),
			Text:  fmt.Sprintf("%s: it has a picture already, so %q is not imported", e.Address, inert[i]),
			Hint:  "remove the import block, or import the file as another image",
			Range: s.project.AtImport(s.root, e.Address, "path")})
	}
	return out, l, ctx.Err()
}
