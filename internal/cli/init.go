package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
)

const firstFile = `# Pictures of this project. imgbuild plan shows what would be made; imgbuild
# apply makes it. Commit this file, the pictures and imgbuild.lock.json.

provider "sketch" {} # built in, offline and free; replace it by provider "xai" {}

image "hero" {
  prompt       = "A serene mountain landscape with a lake at sunrise"
  aspect_ratio = "16:9"
  path         = "hero.png"
  alt          = "A lake below mountains at sunrise"

  rendition "card" {
    width  = 640
    height = 360
    format = "jpeg"
  }
}
`

func initVerb() verb {
	return verb{
		name: "init", short: "write a first site.img.hcl, lines for git, and what a site needs to show pictures",
		help: `
  imgbuild init
  imgbuild init -C website

Nothing that exists is overwritten. Where it sees a site of Hugo, Eleventy, Astro,
Jekyll, Next or Vite, it writes a manifest block and what shows pictures in pages:
a partial and a shortcode, a plugin, a component, an include; docs/site.md leads on
from there. The line in .gitattributes lets git merge imgbuild.lock.json by imgbuild
lock merge, in each clone that has run the git config command that init prints. Without
it git merges the lines, and imgbuild lock resolve settles what it can't.
`,
		run: func(_ context.Context, env *Env, _ *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			existing, err := s.root.Glob("", "*.img.hcl")
			if err != nil {
				return err
			}
			g, first := s.generator(), firstFile
			if g != nil {
				first = strings.Replace(first, "provider ", g.block()+"\nprovider ", 1)
			}
			if len(existing) > 0 {
				fmt.Fprintf(env.Stdout, "%s is there already; it stays as it is.\n", existing[0])
			} else if err := s.create("site.img.hcl", first, digest.Content{}); err != nil {
				return err
			}
			err = s.addLine(".gitignore", own+"/", func(line string) bool { return strings.Trim(line, "/") == own })
			if err != nil {
				return err
			}
			err = s.addLine(".gitattributes", lock.File+" merge=imgbuild", func(line string) bool {
				f := strings.Fields(line)
				return len(f) > 0 && strings.TrimPrefix(f[0], "/") == lock.File && strings.Contains(line, "merge")
			})
			if err != nil {
				return err
			}
			if g != nil {
				if err := s.initSite(g, len(existing) == 0); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(env.Stderr, "\nNo site of Hugo, Eleventy, Astro, Jekyll, Next or Vite is seen here. imgbuild snippet image.hero prints the HTML of a picture.\n")
			}
			fmt.Fprintf(env.Stderr, "\nSo that git merges %s, once in each clone:\n  git config merge.imgbuild.driver '%s'\n\nNext: imgbuild plan\n", lock.File, lock.Driver)
			return nil
		},
	}
}

func (s *session) create(name, text string, expect digest.Content) error {
	_, err := s.root.Write(name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }, expect)
	if err == nil {
		fmt.Fprintf(s.env.Stdout, "wrote %s\n", name)
	}
	return err
}

// addLine adds a line to a file, unless one is there that does.
func (s *session) addLine(name, line string, does func(line string) bool) error {
	old, err := s.root.Read(name, maxSource)
	var expect digest.Content
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		expect = digest.OfContent(old)
		for l := range strings.Lines(string(old)) {
			if does(strings.TrimSpace(l)) {
				return nil
			}
		}
	}
	text := string(old)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return s.create(name, text+line+"\n", expect)
}
