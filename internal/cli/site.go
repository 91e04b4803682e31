package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/site"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// sitePicture is a picture of a site and whether it needs a label.
type sitePicture struct {
	site.Picture
	Needed bool `json:"needed"` // it was made by a model or a program, and its image does not say label = false
}

// siteOutputs are the files that a site may show.
func (s *session) siteOutputs() (out []site.Output) {
	for i := range s.project.Images {
		im := &s.project.Images[i]
		if e := s.lock.Get(im.Address); e != nil {
			for _, o := range e.Outputs {
				out = append(out, site.Output{Image: string(im.Address), Path: o.Path, Content: o.Content, Bytes: o.Bytes, Alt: strings.TrimSpace(im.Alt)})
			}
		}
	}
	return out
}

// publish is how a site gets the files that its pages name.
func (s *session) publish() string {
	if slices.ContainsFunc(s.project.Settings.Manifests, func(m config.Manifest) bool { return m.Kind == "hugo" }) {
		return "Hugo publishes of assets/ only what a template asks for: {{ with resources.Get \"img/favicon.ico\" }}{{ .RelPermalink }}{{ end }}"
	}
	return "imgbuild apply, and let the build of the site copy the files to where its pages look for them"
}

// sourceTypes is how each picture was made, as IPTC's codes.
func (s *session) sourceTypes() map[spec.Address]string {
	return plan.SourceTypes(plan.Input{Images: s.project.Images, Offer: s.offer, Lock: s.lock})
}

// runVerifySite looks at a built site. It needs the configuration and the lock,
// and no picture but those of the site.
func (s *session) runVerifySite(ctx context.Context, dir string, asJSON bool) error {
	root, err := os.OpenRoot(join(s.env.Dir, dir))
	if err != nil {
		return fail(buildFirst, "there is no folder %s", diag.Clean(dir))
	}
	defer root.Close()
	outputs := s.siteOutputs()
	needed := map[string]bool{"": true} // what only its XMP tells of
	types := s.sourceTypes()
	for i := range s.project.Images {
		im := &s.project.Images[i]
		needed[string(im.Address)] = spec.Generated(types[im.Address]) && !im.Unlabelled
	}
	r, err := site.Look(ctx, root.FS(), outputs, s.leavesOf(dir))
	if err != nil {
		return err
	}
	if r.Pages == 0 {
		return fail(buildFirst, "there is no page (*.html) below %s", diag.Clean(dir))
	}
	list, bare, absent := make([]sitePicture, len(r.Pictures)), 0, len(r.Links)
	for i, p := range r.Pictures {
		list[i] = sitePicture{p, needed[p.Image] || slices.ContainsFunc(p.Or, func(a string) bool { return needed[a] })}
		if list[i].Needed && len(p.Labels) == 0 {
			bare++
		}
		if p.Absent {
			absent++
		}
	}
	if asJSON {
		err = writeJSON(s.env.Stdout, struct {
			FormatVersion string         `json:"format_version"`
			Pages         int            `json:"pages"`
			Unlabelled    int            `json:"unlabelled"` // pictures that need a label and have none
			Absent        int            `json:"absent"`     // pictures and links to what is not in the site
			Pictures      []sitePicture  `json:"pictures"`
			Links         []site.Link    `json:"links,omitempty"`
			Skipped       []site.Skipped `json:"skipped,omitempty"`
		}{"1.0", r.Pages, bare, absent, list, r.Links, r.Skipped})
	} else {
		s.tellSite(list, r, bare, absent)
	}
	if err == nil && (bare > 0 || absent > 0 || len(r.Skipped) > 0) {
		return exit(exitCheck)
	}
	return err
}

func (s *session) tellSite(list []sitePicture, r site.Report, bare, absent int) {
	w, c := s.env.Stdout, palette(s.env, s.env.Stdout)
	type line struct{ page, text string }
	var lines []line
	for _, l := range r.Links {
		lines = append(lines, line{l.Page, fmt.Sprintf("  %s %s  %s, an icon or a card: not in the site", c.Red("!"), diag.Clean(l.Source), diag.Clean(l.Image))})
	}
	for _, p := range list {
		mark, has := c.Green("✓"), strings.Join(p.Labels, ", ")
		switch {
		case has != "":
		case p.Needed:
			mark, has = c.Red("!"), "no label"
		default:
			mark, has = " ", "no label, and none is needed"
		}
		if p.SourceType != "" {
			has += " (" + p.SourceType + ")"
		}
		if p.Absent {
			mark, has = c.Red("!"), "not in the site; "+has
		}
		image := diag.Clean(strings.Join(append([]string{cmp.Or(p.Image, "an image of another time")}, p.Or...), " or "))
		if by := map[string]string{site.ByName: "by its name", site.ByAlt: "by its alt text", site.ByXMP: "by its XMP"}[p.By]; by != "" {
			image += ", " + by
		}
		lines = append(lines, line{p.Page, fmt.Sprintf("  %s %s  %s: %s", mark, diag.Clean(p.Source), image, has)})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.page, b.page) })
	for i, l := range lines {
		if i == 0 || lines[i-1].page != l.page {
			fmt.Fprintln(w, diag.Clean(l.page))
		}
		fmt.Fprintln(w, l.text)
	}
	for _, x := range r.Skipped {
		fmt.Fprintf(w, "  %s %s  not looked at: %s\n", c.Red("!"), diag.Clean(x.File), diag.Clean(x.Why))
	}
	if len(lines)+len(r.Skipped) > 0 {
		fmt.Fprintln(w)
	}
	pages := fmt.Sprintf("%d %s", r.Pages, noun(r.Pages, "page", "pages"))
	switch {
	case bare > 0:
		fmt.Fprintf(w, "%s %d of %d %s on %s tell nowhere how they were made.\n", c.Red("Not labelled:"), bare, len(list), noun(len(list), "picture", "pictures"), pages)
		hint := "write data-ai-generated into the <img> or the <figure> around it, or let the site copy files instead of converting them"
		if slices.ContainsFunc(list, func(p sitePicture) bool { return p.By == site.ByContent && p.Needed && len(p.Labels) == 0 }) {
			hint = "write data-ai-generated into the <img> or the <figure> around it; label = true in the image labels files that are copies of what the provider sent"
		}
		fmt.Fprintf(w, "  Hint: %s.\n", hint)
	case absent > 0:
	case len(list) == 0:
		fmt.Fprintf(w, "No picture of this project was found on %s.\n", pages)
	default:
		fmt.Fprintf(w, "%s %d %s on %s.\n", c.Green("Labelled:"), len(list), noun(len(list), "picture", "pictures"), pages)
	}
	if absent > 0 {
		fmt.Fprintf(w, "%s %d %s that pages name.\n", c.Red("Not in the site:"), absent, noun(absent, "picture", "pictures"))
		fmt.Fprintf(w, "  Hint: %s.\n", s.publish())
	}
}
