package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func outputVerb() verb {
	f := projectFlags{outputs: true}
	var asJSON, raw bool
	return verb{
		name: "output", short: "print the outputs of the configuration", args: "[NAME]",
		help: `
  imgbuild output
  imgbuild output -json
  imgbuild output -raw hero
`,
		bad: func(n int) bool { return n > 1 },
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "json", Usage: "as one JSON object", Destination: &asJSON},
			&urfave.BoolFlag{Name: "raw", Usage: "one string without quotes", Destination: &raw},
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
			values, findings := s.project.Finish(s.facts())
			if err := s.tell(findings); err != nil {
				return err
			}
			if name := c.Args().First(); name != "" {
				i := slices.IndexFunc(values, func(v config.OutputValue) bool { return v.Name == name })
				if i < 0 {
					return fail("imgbuild output lists them", "there is no output %q", name)
				}
				values = values[i : i+1]
			}
			switch {
			case raw && len(values) == 1 && values[0].Sensitive:
				return fail("imgbuild shows no sensitive value; output nonsensitive(…) if it is no secret", "the output %q is sensitive", values[0].Name)
			case raw && len(values) == 1:
				var text string
				if err := json.Unmarshal(values[0].JSON, &text); err != nil {
					text = string(values[0].JSON)
				}
				_, err = io.WriteString(env.Stdout, text)
				return err
			case raw:
				return fail("imgbuild output -raw NAME", "-raw prints one output; there are %d", len(values))
			case asJSON:
				doc := map[string]json.RawMessage{}
				for _, v := range values {
					doc[v.Name] = v.JSON
					if v.JSON == nil {
						doc[v.Name] = json.RawMessage("null")
					}
				}
				return writeJSON(env.Stdout, doc)
			}
			printOutputs(env.Stdout, values)
			return nil
		},
	}
}

func printOutputs(w io.Writer, values []config.OutputValue) {
	if len(values) == 0 {
		return
	}
	fmt.Fprintln(w, "\nOutputs:")
	for _, v := range values {
		fmt.Fprintf(w, "  %s = ", diag.Clean(v.Name))
		// Its own lines are layout; whatever is in a string is foreign text.
		for line := range strings.Lines(v.Text) {
			text, end := strings.CutSuffix(line, "\n")
			fmt.Fprint(w, diag.Clean(text))
			if end {
				fmt.Fprintln(w)
			}
		}
		fmt.Fprintln(w)
	}
}

// facts is what outputs may use of each image.
func (s *session) facts() map[spec.Address]config.Facts {
	out := make(map[spec.Address]config.Facts, len(s.project.Images))
	for i := range s.project.Images {
		im := &s.project.Images[i]
		out[im.Address] = factsOf(im, s.lock.Get(im.Address))
	}
	return out
}

// factsOf is what is known of an image by its entry, which may be nil.
func factsOf(im *spec.Image, e *lock.Entry) config.Facts {
	f := config.Facts{Path: im.Path, Files: map[string]string{}}
	for _, r := range im.Renditions {
		if r.Block == "" {
			f.Files[r.Name] = r.Path
		}
	}
	if e == nil {
		return f
	}
	o, p := e.Output(im.Path), e.Picked(plan.Pick(im, e))
	if o == nil || p == nil || o.Of != p.Content {
		return f
	}
	f.SHA256, f.Bytes, f.Known = o.Content.String(), o.Bytes, true
	f.MIME, f.RevisedPrompt, f.Model = p.MIME, p.RevisedPrompt, e.Field("model")
	f.Width, f.Height = p.Width, p.Height
	if p.Model != "" {
		f.Model = p.Model
	}
	if r, err := spec.ParseRecipe(o.Recipe); err == nil {
		f.MIME = "image/" + r.File.Format
		if !r.Size.IsZero() {
			f.Width, f.Height = r.Size.Width, r.Size.Height
		}
	}
	return f
}
