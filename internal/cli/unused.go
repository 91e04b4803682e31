package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/manifest"
	"github.com/imgbuild/imgbuild/internal/revision"
	"github.com/imgbuild/imgbuild/internal/site"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func unusedVerb() verb {
	var f projectFlags
	var dir string
	var check, asJSON bool
	return verb{
		name: "unused", short: "list the images that no page uses",
		help: `
  imgbuild unused
  imgbuild unused -site=public
  imgbuild unused -json

Looks for the names of files, addresses and keys of the manifest in the texts of the
project: templates, pages, styles, scripts. It leaves out its own files, manifests, folders that
are hidden or called node_modules, what git ignores, and the folder that Hugo, Eleventy, Astro,
Jekyll or Vite builds. An image from which a used one is edited is used.
Of a page that shows all that the manifest has, or puts names together, it can't
know: build the site and look at that, with -site. Nothing is deleted.
`,
		codes: []int{exitCheck},
		flags: append([]urfave.Flag{
			&urfave.StringFlag{Name: "site", Usage: "look at the built site in `DIR` instead", Destination: &dir},
			&urfave.BoolFlag{Name: "check", Usage: "exit with 3 if there are any", Destination: &check},
			&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.prepare(ctx, &f); err != nil {
				return err
			}
			out, err := s.unused(ctx, dir)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(env.Stdout, out)
			} else {
				s.tellUnused(out, dir)
			}
			if err == nil && check && len(out.Images) > 0 {
				return exit(exitCheck)
			}
			return err
		},
	}
}

// unusedReport is what unused -json writes.
type unusedReport struct {
	FormatVersion string         `json:"format_version"`
	Texts         int            `json:"texts"` // that were read
	Images        []unusedImage  `json:"images"`
	Skipped       []site.Skipped `json:"skipped,omitempty"`
}

type unusedImage struct {
	Address spec.Address `json:"address"`
	Files   []string     `json:"files"` // that are made
	// Perhaps is where a word stands that is also its key: it may be used there.
	Perhaps *site.Mention `json:"perhaps,omitempty"`
}

// unused finds the images that the project, or the built site in dir, does not
// use.
func (s *session) unused(ctx context.Context, dir string) (*unusedReport, error) {
	outputs, sought := s.siteOutputs(), make([]site.Sought, len(s.project.Images))
	for i := range s.project.Images {
		im := &s.project.Images[i]
		sought[i] = site.Sought{Image: string(im.Address), Key: manifest.Key(im.Address), Files: []string{im.Path}}
		if dir != "" {
			sought[i].Key = ""
		}
		for _, r := range im.Renditions {
			sought[i].Files = append(sought[i].Files, r.Path)
		}
		for _, o := range outputs { // a set has the widths that the picture has
			if o.Image == string(im.Address) && !slices.Contains(sought[i].Files, o.Path) {
				sought[i].Files = append(sought[i].Files, o.Path)
			}
		}
	}
	folder, leave := s.env.Dir, s.leavesOf(dir)
	if dir != "" {
		folder = join(folder, dir)
	} else {
		built := s.built(ctx)
		leave = func(name string, folder bool) bool { return built[name] || s.leaves(name, folder) }
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fail(buildFirst, "there is no folder %s", diag.Clean(dir))
	}
	defer root.Close()
	m, err := site.Mentioned(ctx, root.FS(), sought, leave)
	if err != nil {
		return nil, err
	}
	used := map[spec.Address]bool{}
	for a, at := range m.Of {
		used[spec.Address(a)] = at.Sure
	}
	out := &unusedReport{FormatVersion: "1.0", Texts: m.Files, Images: []unusedImage{}, Skipped: m.Skipped}
	if dir != "" {
		r, err := site.Look(ctx, root.FS(), outputs, leave)
		if err != nil {
			return nil, err
		}
		if r.Pages == 0 {
			return nil, fail(buildFirst, "there is no page (*.html) below %s", diag.Clean(dir))
		}
		for _, p := range r.Pictures {
			for _, a := range append(p.Or, p.Image) {
				used[spec.Address(a)] = true
			}
		}
	}
	// What is edited is used by what is made of it, and so on.
	var use func(a spec.Address)
	use = func(a spec.Address) {
		if im := s.project.Image(a); im != nil {
			for _, from := range im.Edges() {
				if !used[from] {
					used[from] = true
					use(from)
				}
			}
		}
	}
	for i := range s.project.Images {
		if a := s.project.Images[i].Address; used[a] {
			use(a)
		}
	}
	for i := range s.project.Images {
		im := &s.project.Images[i]
		if used[im.Address] {
			continue
		}
		u := unusedImage{Address: im.Address, Files: []string{}}
		for _, o := range outputs {
			if o.Image == string(im.Address) {
				u.Files = append(u.Files, o.Path)
			}
		}
		if at, ok := m.Of[string(im.Address)]; ok {
			u.Perhaps = &at
		}
		out.Images = append(out.Images, u)
	}
	return out, nil
}

const buildFirst = "build the site first, and name the folder that the build wrote: -site public"

// leavesOf is what a built site has of the project that are no pages: all of
// leaves where the site is the project itself, else only its own files.
func (s *session) leavesOf(dir string) func(name string, folder bool) bool {
	top, err := filepath.Abs(s.env.Dir)
	at, err2 := filepath.Abs(join(s.env.Dir, dir))
	if err = errors.Join(err, err2); err != nil {
		return func(string, bool) bool { return false }
	}
	above := at == top || strings.HasPrefix(top, strings.TrimSuffix(at, string(filepath.Separator))+string(filepath.Separator))
	return func(name string, folder bool) bool {
		rel, err := filepath.Rel(top, filepath.Join(at, filepath.FromSlash(name)))
		if rel = filepath.ToSlash(rel); err != nil || strings.Trim(rel, "./") == "" {
			return false // on the way from above
		}
		return !folder && s.own(rel) || above && s.leaves(rel, folder)
	}
}

// built are the files and folders of the project that are made from others, as
// git ignores them, or as the generator of the site calls them: a page of a past
// build uses nothing.
func (s *session) built(ctx context.Context) map[string]bool {
	out := map[string]bool{}
	if g := s.generator(); g != nil && g.builds != "" {
		out[g.builds] = true
	}
	// Without git, or a repository, nothing is ignored.
	b, err := revision.Ask(ctx, s.env.Getenv, s.env.Dir, nil, 16<<20, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
	if err != nil {
		return out
	}
	for name := range strings.SplitSeq(string(b), "\x00") {
		out[strings.TrimSuffix(name, "/")] = true
	}
	return out
}

// own reports whether a file is one that imgbuild has written, or reads.
func (s *session) own(name string) bool {
	return spec.CheckOutput(name) == spec.ErrOwn || slices.ContainsFunc(s.project.Settings.Manifests, func(m config.Manifest) bool { return m.Path == name })
}

// leaves reports whether a file or folder of the project says nothing of what
// pages use.
func (s *session) leaves(name string, folder bool) bool {
	base := path.Base(name)
	if folder {
		return base[0] == '.' || base == "node_modules" || s.project.Settings.Store != nil && name == s.project.Settings.Store.Path
	}
	return base[0] == '.' || s.own(name)
}

func (s *session) tellUnused(r *unusedReport, dir string) {
	w, c := s.env.Stdout, palette(s.env, s.env.Stdout)
	where := "the project"
	switch {
	case dir == "":
	case strings.Trim(dir, "./") == "":
		where = "the site"
	default:
		where = diag.Clean(dir)
	}
	texts := fmt.Sprintf("%d %s of %s", r.Texts, noun(r.Texts, "text", "texts"), where)
	for _, x := range r.Skipped {
		fmt.Fprintf(w, "  %s %s  not looked at: %s\n", c.Red("!"), diag.Clean(x.File), diag.Clean(x.Why))
	}
	column := 0
	for _, u := range r.Images {
		column = max(column, len(u.Address))
	}
	for _, u := range r.Images {
		files := "not made yet"
		if n := len(u.Files); n > 0 {
			files = u.Files[0]
			if n > 1 {
				files += fmt.Sprintf(" and %d more", n-1)
			}
		}
		line := fmt.Sprintf("  - %-*s  %s", column, diag.Clean(string(u.Address)), diag.Clean(files))
		if u.Perhaps != nil {
			line += fmt.Sprintf("; perhaps used: its key is a word in %s:%d", diag.Clean(u.Perhaps.File), u.Perhaps.Line)
		}
		fmt.Fprintln(w, line)
	}
	if len(r.Images) == 0 {
		all := fmt.Sprintf("all %d images are", len(s.project.Images))
		switch len(s.project.Images) {
		case 1:
			all = "the image is"
		case 2:
			all = "both images are"
		}
		fmt.Fprintf(w, "%s %s found in %s.\n", c.Green("Used:"), all, texts)
		return
	}
	perhaps := slices.ContainsFunc(r.Images, func(u unusedImage) bool { return u.Perhaps != nil })
	fmt.Fprintf(w, "\n%s %d of %d %s %s not found in %s.\n", c.Yellow("Unused:"), len(r.Images), len(s.project.Images), noun(len(s.project.Images), "image", "images"), noun(len(r.Images), "is", "are"), texts)
	hint := "remove their blocks, and the next apply deletes their files; what was paid for stays in the store"
	if dir == "" || perhaps {
		hint = "names that pages put together are not found: build the site, and look at that with -site DIR"
	}
	fmt.Fprintf(w, "  Hint: %s.\n", strings.TrimSpace(hint))
}
