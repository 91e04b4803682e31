package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// Env is the world of a command.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Args           []string
	Getenv         func(string) string
	Dir            string
	Now            func() time.Time
	Open           func(dir string) (*workspace.Root, error) // the project; nil is workspace.Open
}

// Exit codes.
const (
	exitError       = 1
	exitChanges     = 2
	exitCheck       = 3
	exitFailed      = 4
	exitBudget      = 5
	exitStale       = 6
	exitUsage       = 64
	exitInterrupted = 130
)

// exit is an error that was already told, and the code to end with.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// trouble is an error with a hint.
type trouble struct {
	err  error
	hint string
}

func (t *trouble) Error() string { return t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }

func fail(hint, format string, args ...any) error {
	return &trouble{fmt.Errorf(format, args...), hint}
}

// verb is one command.
type verb struct {
	name  string
	short string // one sentence, for the list of verbs
	args  string // such as "[DIR]"
	help  string // examples and what else a person must know; flags and exit codes are added
	codes []int  // exit codes other than 0, 1, 64 and 130
	flags []urfave.Flag
	words func() []string // arguments that a shell may offer; nil for files
	// bad reports whether a number of arguments is wrong; nil takes none.
	bad func(n int) bool
	run func(ctx context.Context, env *Env, c *urfave.Command) error
}

func verbs() []verb {
	return []verb{
		initVerb(), fmtVerb(), validateVerb(), lintVerb(), explainVerb(), planVerb(), applyVerb(), verifyVerb(), emitVerb(), snippetVerb(), testVerb(), restoreVerb(), pickVerb(), approveVerb(), diffVerb(), reviewVerb(),
		showVerb(), outputVerb(), evalVerb(), consoleVerb(), whyVerb(), unusedVerb(), graphVerb(), gcVerb(), lockVerb(), providersVerb(), modelsVerb(),
		functionsVerb(), schemaVerb(), doctorVerb(), emulateVerb(), versionVerb(), completionVerb(), helpVerb(),
	}
}

// Main runs a command and returns its exit code.
func Main(env *Env) int {
	out := &watched{w: env.Stdout}
	world := *env
	world.Stdout = out
	err := run(&world)
	// What nobody checked must not pass for said. Who only stops reading (| head)
	// has what was wanted.
	if lost := out.err; lost != nil && !errors.Is(lost, syscall.EPIPE) && !errors.Is(err, lost) {
		if p, ok := errors.AsType[*fs.PathError](lost); ok {
			lost = p.Err // its name says nothing that is not said
			if plain, ok := workspace.Plain(p.Err); ok {
				lost = plain
			}
		}
		lost = fail("what was done is done; give standard output another place", "standard output can't be written: %w", lost)
		if err == nil {
			err = lost
		} else {
			tellError(env, lost)
		}
	}
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(env.Stderr, "Interrupted.")
		return exitInterrupted
	}
	tellError(env, err)
	return exitError
}

// watched notes the first failure of a stream.
type watched struct {
	w   io.Writer
	err error
}

func (n *watched) Write(p []byte) (int, error) {
	k, err := n.w.Write(p)
	if n.err == nil && err != nil {
		n.err = err
	}
	return k, err
}

func tellError(env *Env, err error) {
	c := palette(env, env.Stderr)
	text, hint := workspace.Plainly(err)
	fmt.Fprintf(env.Stderr, "%s %s\n", c.Red("Error:"), diag.Clean(text))
	var t *trouble
	var damage *journal.Damage
	switch {
	case errors.As(err, &damage):
		hint = repairHint + ": it keeps every record that can be read"
	case errors.As(err, &t) && t.hint != "":
		hint = t.hint
	}
	if hint != "" {
		fmt.Fprintf(env.Stderr, "  Hint: %s\n", diag.Clean(hint))
	}
}

func run(env *Env) error {
	list := verbs()
	args := env.Args
	// -C DIR may stand before the verb; behind it the library reads it.
	for len(args) > 1 && slices.Contains([]string{"-C", "--C", "-chdir", "--chdir"}, args[0]) {
		env.Dir, args = join(env.Dir, args[1]), args[2:]
	}
	if len(args) > 0 {
		if dir, ok := strings.CutPrefix(strings.TrimLeft(args[0], "-"), "chdir="); ok && args[0][0] == '-' {
			env.Dir, args = join(env.Dir, dir), args[1:]
		}
	}
	if len(args) == 0 {
		fmt.Fprint(env.Stderr, overview(list))
		return exit(exitUsage)
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args = []string{"help"}
	case "-v", "-version", "--version":
		args = []string{"version"}
	}
	i := slices.IndexFunc(list, func(v verb) bool { return v.name == args[0] })
	if i < 0 {
		return unknownVerb(env, list, args[0])
	}
	if slices.ContainsFunc(args[1:], func(a string) bool { return slices.Contains([]string{"-h", "--h", "-help", "--help"}, a) }) {
		_, err := io.WriteString(env.Stdout, list[i].text())
		return err
	}
	root := &urfave.Command{
		Name: "imgbuild", HideHelp: true, HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr, Reader: env.Stdin,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(context.Context, *urfave.Command, error) {},
		Commands:                  []*urfave.Command{list[i].command(env)},
	}
	return root.Run(context.Background(), append([]string{"imgbuild"}, args...))
}

func (v verb) command(env *Env) *urfave.Command {
	flags := append(v.flags,
		&urfave.StringFlag{Name: "chdir", Aliases: []string{"C"}, Usage: "work in `DIR`"})
	return &urfave.Command{
		Name: v.name, HideHelp: true, HideHelpCommand: true, Flags: flags,
		DisableSliceFlagSeparator: true,
		OnUsageError: func(_ context.Context, c *urfave.Command, err error, _ bool) error {
			return v.usageError(env, flags, err)
		},
		Action: func(ctx context.Context, c *urfave.Command) error {
			if dir := c.String("chdir"); dir != "" {
				env.Dir = join(env.Dir, dir)
			}
			if n := c.NArg(); v.bad == nil && n > 0 || v.bad != nil && v.bad(n) {
				return v.usageError(env, flags, fmt.Errorf("wrong number of arguments: imgbuild %s %s", v.name, v.args))
			}
			return v.run(ctx, env, c)
		},
	}
}

func join(dir, to string) string {
	if to == "" || strings.HasPrefix(to, "/") || dir == "." {
		return to
	}
	return dir + "/" + to
}

func (v verb) usageError(env *Env, flags []urfave.Flag, err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, " for flag -var: "); i >= 0 {
		text = "-var: " + text[i+len(" for flag -var: "):] // its value may be a secret
	}
	_, name, unknown := strings.Cut(text, "not defined: ")
	if unknown {
		text = fmt.Sprintf("imgbuild %s has no flag %s", v.name, name)
	}
	fmt.Fprintf(env.Stderr, "%s %s\n", palette(env, env.Stderr).Red("Error:"), diag.Clean(text))
	if unknown {
		var names []string
		for _, f := range flags {
			names = append(names, f.Names()...)
		}
		if best := nearest(strings.TrimLeft(name, "-"), names); best != "" {
			fmt.Fprintf(env.Stderr, "  Hint: did you mean -%s?\n", best)
			return exit(exitUsage)
		}
	}
	fmt.Fprintf(env.Stderr, "  Hint: imgbuild help %s\n", v.name)
	return exit(exitUsage)
}

func usage(env *Env, format string, args ...any) error {
	fmt.Fprintf(env.Stderr, "%s %s\n", palette(env, env.Stderr).Red("Error:"), fmt.Sprintf(format, args...))
	return exit(exitUsage)
}

// elsewhere is where people find what Terraform has as a verb.
var elsewhere = map[string]string{
	"destroy": "imgbuild apply -destroy", "refresh": "imgbuild plan -verify", "state": "imgbuild show",
	"taint": "imgbuild apply -replace=ADDRESS", "import": "write an import block; imgbuild plan -generate-config-out=FILE writes the image",
	"mv": "write a moved block", "rm": "write a removed block", "get": "modules are folders of the project, so there is nothing to fetch",
	"workspace": "use folders, or -var-file", "force-unlock": "nothing needs it: the lock ends with its process", "metadata": "imgbuild functions -json",
}

func unknownVerb(env *Env, list []verb, name string) error {
	fmt.Fprintf(env.Stderr, "%s there is no verb %q\n", palette(env, env.Stderr).Red("Error:"), diag.Clean(name))
	if hint := elsewhere[name]; hint != "" {
		fmt.Fprintf(env.Stderr, "  Hint: %s\n", hint)
		return exit(exitUsage)
	}
	names := []string{topicLanguage}
	for _, v := range list {
		names = append(names, v.name)
	}
	if best := nearest(name, names); best != "" {
		if best == topicLanguage {
			best = "help " + topicLanguage
		}
		fmt.Fprintf(env.Stderr, "  Hint: did you mean imgbuild %s?\n", best)
	} else {
		fmt.Fprintln(env.Stderr, "  Hint: imgbuild help")
	}
	return exit(exitUsage)
}

// nearest is the name that was probably meant, or "".
func nearest(name string, names []string) string {
	best, distance := "", 3
	for _, n := range names {
		if d := diag.Distance(name, n); d < distance && d < len(n) {
			best, distance = n, d
		}
	}
	return best
}

// terminal reports whether a stream is one, and its width in columns.
func terminal(stream any) (width int, ok bool) {
	if n, ok := stream.(*watched); ok {
		stream = n.w
	}
	f, isFile := stream.(*os.File)
	if !isFile {
		return 0, false
	}
	return terminalWidth(int(f.Fd()))
}

// palette follows NO_COLOR, CLICOLOR_FORCE and the kind of stream.
func palette(env *Env, stream any) diag.Palette {
	if env.Getenv("NO_COLOR") != "" {
		return diag.Palette{}
	}
	if v := env.Getenv("CLICOLOR_FORCE"); v != "" && v != "0" {
		return diag.Palette{On: true}
	}
	_, ok := terminal(stream)
	return diag.Palette{On: ok && env.Getenv("TERM") != "dumb"}
}
