package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
)

func evalVerb() verb {
	f := projectFlags{noCache: true}
	var asJSON bool
	return verb{
		name: "eval", short: "evaluate an expression in the configuration", args: "EXPRESSION",
		help: `
  imgbuild eval 'image.hero.path'
  imgbuild eval -json '[for k, i in image.post : i.sha256]'
  imgbuild eval -var season=winter 'upper(var.season)'

Results of images (sha256, width, …) are those of the lock.
`,
		bad:   func(n int) bool { return n != 1 },
		flags: append([]urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON}}, f.varFlags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			s, err := openExpressions(ctx, env, &f)
			if err != nil {
				return err
			}
			defer s.close()
			v, err := s.eval(c.Args().First())
			switch {
			case err != nil:
				return err
			case asJSON && v.Sensitive:
				return fail("write nonsensitive(…) if it is no secret", "the value is sensitive, and JSON has no word for what is withheld")
			case asJSON && v.JSON == nil:
				return fail("leave out -json", "the value is not known before apply")
			case asJSON:
				fmt.Fprintln(env.Stdout, string(v.JSON))
			default:
				fmt.Fprintln(env.Stdout, diag.Clean(v.Text))
			}
			return nil
		},
	}
}

func consoleVerb() verb {
	f := projectFlags{noCache: true}
	return verb{
		name: "console", short: "evaluate expressions, a line each, until exit",
		help: `
  imgbuild console
  echo 'image.hero.path' | imgbuild console

A wrong line is told, and the next one is read. Ctrl-D or exit ends it.
`,
		flags: f.varFlags(),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			s, err := openExpressions(ctx, env, &f)
			if err != nil {
				return err
			}
			defer s.close()
			_, asked := terminal(env.Stdin)
			in := bufio.NewScanner(env.Stdin)
			in.Buffer(nil, 1<<20)
			wrong := false
			for {
				if asked {
					fmt.Fprint(env.Stderr, "> ")
				}
				if !in.Scan() || strings.TrimSpace(in.Text()) == "exit" {
					break
				}
				if strings.TrimSpace(in.Text()) == "" {
					continue
				}
				if v, err := s.eval(in.Text()); err != nil {
					wrong = true
				} else {
					fmt.Fprintln(env.Stdout, diag.Clean(v.Text))
				}
			}
			if wrong && !asked { // a script wants to know
				return exit(exitError)
			}
			return in.Err()
		},
	}
}

// openExpressions opens the project with all that an expression may name.
func openExpressions(ctx context.Context, env *Env, f *projectFlags) (*session, error) {
	s, err := openSession(env)
	if err != nil {
		return nil, err
	}
	s.expressions = true
	if err := s.prepare(ctx, f); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// eval evaluates an expression, and tells what is wrong with it.
func (s *session) eval(src string) (config.OutputValue, error) {
	v, findings := s.project.Eval(src, s.facts())
	findings.Text(s.env.Stderr, func(file string) []byte {
		if file == config.Expression {
			return s.project.Show(file, []byte(src))
		}
		return s.shown(file)
	}, palette(s.env, s.env.Stderr))
	if findings.HasErrors() {
		return v, exit(exitError)
	}
	return v, nil
}
