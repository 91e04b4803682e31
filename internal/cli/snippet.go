package cli

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/manifest"
)

func snippetVerb() verb {
	var f projectFlags
	var o manifest.Options
	var public string
	return verb{
		name: "snippet", short: "print the HTML of an image", args: "ADDRESS",
		help: `
  imgbuild snippet image.hero
  imgbuild snippet -public=static -sizes='(min-width: 60em) 50vw, 100vw' image.hero
  imgbuild snippet -priority image.hero

An <img>, or a <picture> where the image has renditions in other formats: with its
size, so that nothing on the page moves when it comes, its alt text, the renditions
that show all of it by width, and the label that says how it was made. The files
have the addresses that a manifest block gives them, else their paths in the project.
`,
		bad: func(n int) bool { return n != 1 },
		flags: append([]urfave.Flag{
			&urfave.StringFlag{Name: "public", Usage: "the site serves `DIR` of the project as its root", Destination: &public},
			&urfave.StringFlag{Name: "sizes", Usage: "how `WIDE` it is shown, as sizes of HTML; without it what its responsive set says, or 100vw", Destination: &o.Sizes},
			&urfave.StringFlag{Name: "rendition", Usage: "show the rendition `NAME` instead of the main output", Destination: &o.Variant},
			&urfave.BoolFlag{Name: "placeholder", Usage: "show the placeholder of the image until it is there", Destination: &o.Placeholder},
			&urfave.BoolFlag{Name: "priority", Usage: "it is seen at once: loaded first", Destination: &o.Priority},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.prepare(ctx, &f); err != nil {
				return err
			}
			im, err := s.imageOf(address(c.Args().First()))
			if err != nil {
				return err
			}
			shown := s.manifest().Images[manifest.Key(im.Address)]
			if shown.Status != "" {
				return fail("imgbuild plan -target='"+string(im.Address)+"' says what is to be done", "%s has no file: it is %s", diag.Clean(string(im.Address)), shown.Status)
			}
			outside, unserved := "", ""
			o.URL = func(file manifest.File) string {
				if public != "" {
					if rest, ok := strings.CutPrefix(file.Path, strings.TrimSuffix(strings.TrimPrefix(public, "./"), "/")+"/"); ok {
						return "/" + manifest.Escape(rest)
					}
					outside = file.Path
				}
				for _, m := range s.project.Settings.Manifests {
					if url := manifest.URL(m.Kind, m.Path, file.Path); url != "" {
						return url
					}
				}
				unserved = file.Path
				return manifest.Escape(file.Path)
			}
			text := manifest.HTML(&shown, o)
			if text == "" {
				return fail("imgbuild show '"+string(im.Address)+"' lists the files that are made", "%s has no rendition %q that is made", diag.Clean(string(im.Address)), diag.Clean(o.Variant))
			}
			if outside != "" {
				return fail("name the folder that it is in, or leave -public out", "%s is not in %s", diag.Clean(outside), diag.Clean(public))
			}
			if shown.Alt == "" && !shown.Decorative {
				s.warn(diag.Clean(string(im.Address)) + " has no alt: write one, or decorative = true.")
			}
			if unserved != "" {
				s.tellUnserved(unserved, manifest.Key(im.Address))
			}
			_, err = io.WriteString(env.Stdout, text)
			return err
		},
	}
}

// tellUnserved warns that the generator of the site does not publish a file as it
// lies, so that its path in the project is none on the site.
func (s *session) tellUnserved(file, key string) {
	for _, m := range s.project.Settings.Manifests {
		instead := ""
		switch m.Kind {
		case "hugo":
			instead = fmt.Sprintf(`write {{ partial "imgbuild.html" (dict "key" %q) }}`, key)
		case "astro":
			instead = fmt.Sprintf("write <Imgbuild name=%q />", key)
		case "ts":
			instead = "import " + m.Path
		case "eleventy", "jekyll":
			instead = "give it a path beside " + path.Dir(m.Path)
		default:
			continue
		}
		s.warn(fmt.Sprintf("%s is not where the site serves it: %s, or say -public DIR.", diag.Clean(file), diag.Clean(instead)))
		return
	}
}
