package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v3"
)

func helpVerb() verb {
	return verb{
		name: "help", short: "show the verbs, the help of one, or the reference of the language", args: "[VERB|language]",
		help: `
  imgbuild help
  imgbuild help plan
  imgbuild help language
`,
		bad:   func(n int) bool { return n > 1 },
		words: func() []string { return append(strings.Fields(verbNames(verbs())), topicLanguage) },
		run: func(_ context.Context, env *Env, c *urfave.Command) error {
			list := verbs()
			if c.NArg() == 0 {
				_, err := io.WriteString(env.Stdout, overview(list))
				return err
			}
			if c.Args().First() == topicLanguage {
				_, err := io.WriteString(env.Stdout, plain(languageManual()))
				return err
			}
			i := slices.IndexFunc(list, func(v verb) bool { return v.name == c.Args().First() })
			if i < 0 {
				return unknownVerb(env, list, c.Args().First())
			}
			_, err := io.WriteString(env.Stdout, list[i].text())
			return err
		},
	}
}

// topicLanguage is what help knows beside the verbs.
const topicLanguage = "language"

func overview(list []verb) string {
	var b strings.Builder
	b.WriteString(`imgbuild makes the pictures that HCL files declare, and only those that changed.

  imgbuild init       write a first site.img.hcl
  imgbuild plan       see what would be made, why, and what it would cost
  imgbuild apply      make it

Verbs:
`)
	for _, v := range list {
		fmt.Fprintf(&b, "  %-11s %s\n", v.name, v.short)
	}
	b.WriteString(`
Flags take one dash or two. -C DIR works with every verb; imgbuild help VERB
shows the others, imgbuild help language the language.
`)
	return b.String()
}

var codeTexts = map[int]string{
	exitChanges: "changes are pending (with -detailed-exitcode)",
	exitCheck:   "a check failed",
	exitFailed:  "some images failed, the rest is done",
	exitBudget:  "stopped by the budget",
	exitStale:   "the plan is stale",
}

// text is the help of a verb: what it does, examples, flags, exit codes.
func (v verb) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "imgbuild %s", v.name)
	if len(v.flags) > 0 {
		b.WriteString(" [flags]")
	}
	if v.args != "" {
		b.WriteString(" " + v.args)
	}
	fmt.Fprintf(&b, ": %s.\n%s", v.short, v.help)
	if len(v.flags) > 0 {
		b.WriteString("\nFlags:\n")
		for _, f := range v.flags {
			name, usage := flagText(f)
			if len(name) > 22 {
				fmt.Fprintf(&b, "  %s\n  %-22s %s\n", name, "", usage)
			} else {
				fmt.Fprintf(&b, "  %-22s %s\n", name, usage)
			}
		}
	}
	b.WriteString("\nExit codes: 0 done, 1 error")
	for _, c := range v.codes {
		fmt.Fprintf(&b, ", %d %s", c, codeTexts[c])
	}
	b.WriteString(", 64 usage, 130 interrupted.\n")
	return b.String()
}

// flagText is how a flag is written, such as -out FILE, and what it does.
func flagText(f urfave.Flag) (name, usage string) {
	name, usage = "-"+f.Names()[0], f.(urfave.DocGenerationFlag).GetUsage()
	if a, rest, ok := strings.Cut(usage, "`"); ok {
		value, tail, _ := strings.Cut(rest, "`")
		name, usage = name+" "+value, a+value+tail
	}
	return name, usage
}
