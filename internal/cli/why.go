package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func address(s string) spec.Address { return spec.Address(s) }

// planFile reads a saved plan, if name is one. What looks like an address is not
// looked for on the disk: a repository could keep a pipe there that holds us up,
// or a link that leads out.
func (s *session) planFile(name string) (*plan.Plan, bool) {
	if strings.HasPrefix(name, "image.") || strings.HasPrefix(name, "module.") {
		return nil, false
	}
	b, err := os.ReadFile(join(s.env.Dir, name))
	if err != nil {
		return nil, false
	}
	p, err := readPlan(b)
	return p, err == nil
}

func whyVerb() verb {
	var f projectFlags
	return verb{
		name: "why", short: "tell why an image would be made again, or why not", args: "ADDRESS",
		help: `
  imgbuild why image.hero
  imgbuild why 'image.post["solstice"]'

Shows the step that a plan has for the image with all reasons and files, and the
text whose digest names the request.
`,
		bad:   func(n int) bool { return n != 1 },
		flags: f.flags(),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			return runWhy(ctx, env, &f, address(c.Args().First()))
		},
	}
}

func runWhy(ctx context.Context, env *Env, f *projectFlags, a spec.Address) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.prepare(ctx, f); err != nil {
		return err
	}
	var o planOptions
	if err := s.readJournal(&o); err != nil {
		return err
	}
	p, err := s.planned(ctx, o)
	if err != nil {
		return err
	}
	unheeded := func() {
		for i := range p.Ignored {
			if p.Ignored[i].Address == a {
				report.Unheeded(env.Stdout, &p.Ignored[i], s.reportOptions())
			}
		}
	}
	for i := range p.Steps {
		if step := &p.Steps[i]; step.Address == a || step.From == a {
			report.Why(env.Stdout, step, s.reportOptions())
			unheeded()
			if step.N > 0 {
				printRequest(env, provider.Canonical(step.Request.Fields()), step.Digest.String(), step.Digest.IsZero())
			}
			return nil
		}
	}
	e := s.lock.Get(a)
	if e == nil {
		return s.noSuchImage(string(a))
	}
	fmt.Fprintf(env.Stdout, "%s is up to date: its request, its recipes and its files are what the lock records.\n", diag.Clean(string(a)))
	unheeded()
	printRequest(env, provider.Canonical(e.Fields()), e.Request.String(), false)
	return nil
}

func printRequest(env *Env, canonical []byte, digest string, unknown bool) {
	fmt.Fprintln(env.Stdout)
	for line := range strings.Lines(string(canonical)) {
		fmt.Fprintf(env.Stdout, "  %s\n", diag.Clean(strings.TrimSuffix(line, "\n")))
	}
	if unknown {
		digest = "not known before its sources are made"
	}
	fmt.Fprintf(env.Stdout, "  → %s\n", digest)
}

func graphVerb() verb {
	var f projectFlags
	var asJSON, mermaid bool
	return verb{
		name: "graph", short: "print which image is made from which",
		help: `
  imgbuild graph | dot -Tsvg > graph.svg
  imgbuild graph -mermaid
`,
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON},
			&urfave.BoolFlag{Name: "mermaid", Usage: "as Mermaid instead of DOT", Destination: &mermaid},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.tell(s.load(&f)); err != nil {
				return err
			}
			return s.graph(asJSON, mermaid)
		},
	}
}

func (s *session) graph(asJSON, mermaid bool) error {
	type node struct {
		Address string   `json:"address"`
		Edits   []string `json:"edits,omitempty"`
		Depends []string `json:"depends_on,omitempty"`
		Tags    []string `json:"tags,omitempty"`
	}
	nodes := []node{}
	for i := range s.project.Images {
		im := &s.project.Images[i]
		n := node{Address: string(im.Address), Tags: im.Tags}
		for _, src := range im.Wanted.Sources {
			n.Edits = append(n.Edits, src.String())
		}
		for _, a := range im.DependsOn {
			n.Depends = append(n.Depends, string(a))
		}
		nodes = append(nodes, n)
	}
	w := s.env.Stdout
	if asJSON {
		return writeJSON(w, struct {
			FormatVersion string `json:"format_version"`
			Images        []node `json:"images"`
		}{"1.0", nodes})
	}
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(diag.Clean(s)) + `"`
	}
	if mermaid {
		fmt.Fprintln(w, "flowchart LR")
		id := map[string]string{}
		inert := strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "#", "#35;", "`", "#96;") // labels may be HTML or Markdown
		name := func(a string) string {
			if id[a] == "" {
				id[a] = fmt.Sprintf("n%d", len(id)+1)
				fmt.Fprintf(w, "  %s[\"%s\"]\n", id[a], inert.Replace(diag.Clean(a)))
			}
			return id[a]
		}
		for _, n := range nodes {
			to := name(n.Address)
			for _, from := range n.Edits {
				fmt.Fprintf(w, "  %s --> %s\n", name(from), to)
			}
			for _, from := range n.Depends {
				fmt.Fprintf(w, "  %s -.-> %s\n", name(from), to)
			}
		}
		return nil
	}
	fmt.Fprintln(w, "digraph imgbuild {\n  rankdir = LR;")
	for _, n := range nodes {
		fmt.Fprintf(w, "  %s;\n", quote(n.Address))
		for _, from := range n.Edits {
			fmt.Fprintf(w, "  %s -> %s;\n", quote(from), quote(n.Address))
		}
		for _, from := range n.Depends {
			fmt.Fprintf(w, "  %s -> %s [style = dashed];\n", quote(from), quote(n.Address))
		}
	}
	fmt.Fprintln(w, "}")
	return nil
}
