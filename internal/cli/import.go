package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/workspace"
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
		out[im.To], _ = apply.Importable(s.root, im.Path, s.limits)
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

// generate writes image blocks for the imports of images that are not
// declared, into a new file of the configuration.
func (s *session) generate(f *projectFlags, name string) error {
	name = strings.TrimPrefix(name, "./")
	if err := spec.CheckPath(name); err != nil || strings.Contains(name, "/") || !strings.HasSuffix(name, ".img.hcl") {
		return fail("write -generate-config-out=imported.img.hcl", "%q would be no part of the configuration: its files end in .img.hcl and lie side by side", name)
	}
	if seen, err := s.root.Look([]string{name}); err != nil || seen[0].State != workspace.Absent {
		return errors.Join(err, fail("choose another name, or remove it", "%s is there already", name))
	}
	s.vars = f.vars
	if l := s.noFiles(); l != nil {
		return s.tell(l)
	}
	opt := s.options()
	opt.Undeclared = true
	var l diag.List
	if s.project, l = config.Load(s.root, opt); l.HasErrors() {
		return s.tell(l)
	}
	var list []config.Generated
	for _, im := range s.project.Undeclared {
		from, b := apply.Importable(s.root, im.Path, s.limits)
		if from.Fault != nil {
			l = append(l, s.finding(codeImport, plan.Problem{Address: im.To, Problem: *from.Fault}))
			continue
		}
		g := config.Generated{Import: im, Format: strings.TrimPrefix(from.Image.MIME, "image/")}
		g.Comment = fmt.Sprintf("%s is a %s of %dx%d pixels, %.1f kB.", im.Path, strings.ToUpper(g.Format), from.Image.Width, from.Image.Height, float64(len(b))/1e3)
		if g.Prompt, g.Alt = imaging.Told(b); g.Prompt == "" {
			g.Prompt = "Describe " + im.Path
		}
		list = append(list, g)
	}
	if err := s.tell(l); err != nil {
		return err
	}
	if len(list) == 0 {
		if left := slices.ContainsFunc(l, func(f diag.Finding) bool { return f.Severity == diag.Warning }); left {
			fmt.Fprintf(s.env.Stderr, "There is no image that a block could be written for: %s is not written.\n", name)
		} else {
			fmt.Fprintf(s.env.Stderr, "Each import has its image: %s is not written.\n", name)
		}
		return nil
	}
	text := s.project.Generate(list)
	// What would not load is not left behind.
	if _, l = config.Load(overlay{s.root, name, text}, opt); l.HasErrors() {
		return s.tell(l)
	}
	if _, err := s.root.Write(name, func(w io.Writer) error { _, err := w.Write(text); return err }, digest.Content{}); err != nil {
		return err
	}
	fmt.Fprintf(s.env.Stderr, "Wrote %s with %d %s: read it, it is yours.\n", name, len(list), noun(len(list), "image", "images"))
	return nil
}

// overlay is the project with one file more in its root.
type overlay struct {
	config.Source
	name string
	text []byte
}

func (o overlay) ReadDir(dir string) ([]string, error) {
	names, err := o.Source.ReadDir(dir)
	if dir == "" {
		names = append(slices.Clone(names), o.name)
		slices.Sort(names)
	}
	return names, err
}

func (o overlay) Read(path string, limit int64) ([]byte, error) {
	if path == o.name {
		return o.text, nil
	}
	return o.Source.Read(path, limit)
}
