package cli

import (
	"context"
	"fmt"
	"io"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lint"
)

func validateVerb() verb {
	f := projectFlags{quiet: true}
	var asJSON, asSARIF bool
	return verb{
		name: "validate", short: "check the configuration and the lock",
		help: `
  imgbuild validate
  imgbuild validate -json
  imgbuild validate -sarif > imgbuild.sarif

Needs no key, no network, no encoder and no init.
`,
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "findings as JSON", Destination: &asJSON},
			&urfave.BoolFlag{Name: "sarif", Usage: "findings as SARIF 2.1.0, for code scanning", Destination: &asSARIF},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			l, err := s.check(ctx, &f)
			if err != nil {
				return err
			}
			if asJSON || asSARIF {
				write := l.JSON
				if asSARIF {
					write = func(w io.Writer) error {
						return l.SARIF(w, Version, meaning)
					}
				}
				if err := write(env.Stdout); err != nil {
					return err
				}
				if l.HasErrors() {
					return exit(exitError)
				}
				return nil
			}
			if err := s.tell(l); err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "%s %d %s.\n", palette(env, env.Stdout).Green("Valid:"), len(s.project.Images), noun(len(s.project.Images), "image", "images"))
			return nil
		},
	}
}

// check collects every finding that a plan would have, wherever it is made.
func (s *session) check(ctx context.Context, f *projectFlags) (diag.List, error) {
	l := s.load(f)
	if s.project == nil {
		return l, nil
	}
	l = append(append(append(l, s.hashSources(ctx)...), s.checkTests()...), lint.Check(s.project, s.root)...)
	more, err := s.readLock()
	if err != nil {
		return nil, err
	}
	if l = append(l, more...); l.HasErrors() {
		return append(l, s.unmet()...), nil
	}
	s.openStore()
	_, more, err = s.plan(ctx, planOptions{looks: true})
	return append(l, more...), err
}
