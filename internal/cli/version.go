package cli

import (
	"context"
	"fmt"
	"runtime"

	urfave "github.com/urfave/cli/v3"
)

// Version is set by the build.
var Version = "0.1.0-dev"

func versionVerb() verb {
	var asJSON bool
	return verb{
		name: "version", short: "print the version",
		help: `
  imgbuild version
  imgbuild version -json
`,
		flags: []urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &asJSON}},
		run: func(_ context.Context, env *Env, _ *urfave.Command) error {
			if asJSON {
				fmt.Fprintf(env.Stdout, "{\"version\": %q, \"os\": %q, \"arch\": %q, \"go\": %q}\n", Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
				return nil
			}
			fmt.Fprintf(env.Stdout, "imgbuild %s %s/%s\n", Version, runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
