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
		name: "init", short: "write a first site.img.hcl and the lines for .gitignore",
		help: `
  imgbuild init
  imgbuild init -C website

Nothing that exists is overwritten.
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
			if len(existing) > 0 {
				fmt.Fprintf(env.Stdout, "%s is there already; it stays as it is.\n", existing[0])
			} else if err := s.create("site.img.hcl", firstFile, digest.Content{}); err != nil {
				return err
			}
			if err := s.ignore(); err != nil {
				return err
			}
			fmt.Fprintln(env.Stderr, "\nNext: imgbuild plan")
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

// ignore adds .imgbuild/ to .gitignore.
func (s *session) ignore() error {
	old, err := s.root.Read(".gitignore", maxSource)
	var expect digest.Content
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		expect = digest.OfContent(old)
		for line := range strings.Lines(string(old)) {
			if t := strings.Trim(strings.TrimSpace(line), "/"); t == own {
				return nil
			}
		}
	}
	text := string(old)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return s.create(".gitignore", text+own+"/\n", expect)
}
