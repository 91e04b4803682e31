package cli

import (
	"context"
	"fmt"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/tool"
)

func allowExecFlag(to *bool) urfave.Flag {
	return &urfave.BoolFlag{Name: "allow-exec", Usage: "start the program of a credential_command also in CI, and without asking", Destination: to}
}

// keys is what stands before all else in the report of a plan: where the keys
// of the providers go and come from, other than by default. Nothing is
// remembered of what it was before: each plan tells it, also one that asks no
// provider, for it may be that of the pull request that brings the line.
func (s *session) keys() (out []plan.Key) {
	for _, c := range s.project.Providers {
		k := plan.Key{Provider: c.Key(), Command: c.Command}
		if all.Foreign(c) {
			k.Endpoint = c.Endpoint
		}
		if k.Endpoint != "" || len(k.Command) > 0 {
			out = append(out, k)
		}
	}
	return out
}

// tellLoopback tells which providers on this machine get a key that is at hand:
// whoever changes the configuration may name any port, and on a machine that
// others use, too, somebody may listen there. Without a key it is nobody's
// business.
func (s *session) tellLoopback() {
	has := s.env.Getenv("XAI_API_KEY") != "" || s.env.Getenv("XAI_API_KEY_FILE") != ""
	for _, c := range s.project.Providers {
		if c.Endpoint != "" && all.Local(c) && (has || len(c.Command) > 0) {
			fmt.Fprintf(s.env.Stderr, "%s: its key goes to a server on this machine: %s\n", c.Key(), diag.Clean(c.Endpoint))
		}
	}
}

// tellKeys tells that what a saved plan says of keys is not so any more.
func (s *session) tellKeys() {
	c := palette(s.env, s.env.Stderr)
	fmt.Fprintf(s.env.Stderr, "%s the endpoint or the credential_command of a provider is not what it was when the plan was made. Now:\n", c.Red("Error:"))
	for _, k := range s.keys() {
		for _, line := range report.KeyText(&k) {
			fmt.Fprintf(s.env.Stderr, "  %s\n", diag.Clean(line))
		}
	}
	fmt.Fprintln(s.env.Stderr, "  Hint: make a new plan: imgbuild plan")
}

// credential runs the credential_command of a provider, if somebody has said
// yes to it.
func (s *session) credential(ctx context.Context, c provider.Config) (string, error) {
	if !s.mayRun && !inCI(s.env) {
		fmt.Fprintf(s.env.Stderr, "Start a program for the key of %s, to fetch what an earlier run paid for: %s? Only yes does it: ", c.Key(), diag.Clean(strings.Join(c.Command, " ")))
		s.mayRun = readLine(ctx, s.env.Stdin) == "yes"
		fmt.Fprintln(s.env.Stderr)
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if !s.mayRun {
			return "", &provider.Error{Kind: provider.Credentials, Message: "its credential_command was not approved", Hint: "answer yes, or use -allow-exec"}
		}
	}
	return runCredential(ctx, s.env, c, s.allowExec)
}

func inCI(env *Env) bool {
	v := env.Getenv("CI")
	return v != "" && v != "false" && v != "0"
}

// runCredential runs the program of a provider; in CI, where whoever changes
// the configuration in a pull request would have it run, only if allowed.
func runCredential(ctx context.Context, env *Env, c provider.Config, allowed bool) (string, error) {
	trouble := func(text, hint string) error {
		return &provider.Error{Kind: provider.Credentials, Message: text, Hint: hint}
	}
	if inCI(env) && !allowed {
		return "", trouble("its credential_command is not started in CI", "use -allow-exec if only trusted people change the configuration, or give XAI_API_KEY and delete the line")
	}
	// Whatever said yes to it, and to whom: that a program is started is never silent.
	fmt.Fprintf(env.Stderr, "%s: starts a program for its key: %s\n", c.Key(), diag.Clean(strings.Join(c.Command, " ")))
	b, err := tool.Output(ctx, env.Getenv, c.Command)
	if err != nil {
		return "", trouble("its credential_command: "+err.Error(), "try it: "+strings.Join(c.Command, " "))
	}
	return string(b), nil
}
