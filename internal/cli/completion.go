package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	urfave "github.com/urfave/cli/v3"
)

// Completion is three small scripts of our own, made from the table of verbs:
// the library's would start imgbuild at each key.
func completionVerb() verb {
	return verb{
		name: "completion", short: "print a completion script for a shell", args: "bash|zsh|fish",
		help: `
  source <(imgbuild completion bash)
  imgbuild completion zsh > "${fpath[1]}/_imgbuild"
  imgbuild completion fish > ~/.config/fish/completions/imgbuild.fish
`,
		bad:   func(n int) bool { return n != 1 },
		words: func() []string { return []string{"bash", "zsh", "fish"} },
		run: func(_ context.Context, env *Env, c *urfave.Command) error {
			scripts := map[string]func([]verb) string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
			script, ok := scripts[c.Args().First()]
			if !ok {
				return fail("imgbuild completion bash, zsh or fish", "there is no completion for %q", c.Args().First())
			}
			_, err := io.WriteString(env.Stdout, script(verbs()))
			return err
		},
	}
}

// offered is what a shell may put behind a verb.
func offered(v verb) []string {
	var names []string
	if v.words != nil {
		names = v.words()
	}
	for _, f := range v.flags {
		names = append(names, "-"+f.Names()[0])
	}
	return append(names, "-chdir", "-help")
}

func verbNames(list []verb) string {
	var names []string
	for _, v := range list {
		names = append(names, v.name)
	}
	return strings.Join(names, " ")
}

func bashScript(list []verb) string {
	var b strings.Builder
	fmt.Fprintf(&b, `_imgbuild() {
  local cur=${COMP_WORDS[COMP_CWORD]} words=
  if [ "$COMP_CWORD" = 1 ]; then
    words="%s"
  else
    case ${COMP_WORDS[1]} in
`, verbNames(list))
	for _, v := range list {
		fmt.Fprintf(&b, "      %s) words=\"%s\" ;;\n", v.name, strings.Join(offered(v), " "))
	}
	b.WriteString(`    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ -n "${COMPREPLY[*]}" ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _imgbuild imgbuild
`)
	return b.String()
}

func zshScript(list []verb) string {
	var b strings.Builder
	b.WriteString("#compdef imgbuild\n_imgbuild() {\n  if (( CURRENT == 2 )); then\n    local -a verbs=(\n")
	for _, v := range list {
		fmt.Fprintf(&b, "      '%s:%s'\n", v.name, strings.ReplaceAll(v.short, "'", "'\\''"))
	}
	b.WriteString("    )\n    _describe verb verbs\n    return\n  fi\n  case $words[2] in\n")
	for _, v := range list {
		fmt.Fprintf(&b, "    %s) compadd -- %s ;;\n", v.name, strings.Join(offered(v), " "))
	}
	b.WriteString("  esac\n  _files\n}\n_imgbuild \"$@\"\n")
	return b.String()
}

func fishScript(list []verb) string {
	var b strings.Builder
	for _, v := range list {
		fmt.Fprintf(&b, "complete -c imgbuild -n __fish_use_subcommand -a %s -d '%s'\n", v.name, strings.ReplaceAll(v.short, "'", "\\'"))
		if v.words != nil {
			fmt.Fprintf(&b, "complete -c imgbuild -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", v.name, strings.Join(v.words(), " "))
		}
		for _, f := range v.flags {
			fmt.Fprintf(&b, "complete -c imgbuild -n '__fish_seen_subcommand_from %s' -o %s\n", v.name, f.Names()[0])
		}
	}
	return b.String()
}
