package cli

import (
	"errors"
	"strings"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// projectFlags are the flags of every verb that evaluates a configuration.
type projectFlags struct {
	vars    []config.Var // -var and -var-file, in the order of the command line
	noCache bool
	outputs bool // the verb evaluates outputs
	draft   bool
	leaving bool // all goes: preconditions are not asked for
	input   bool // on a terminal, missing values are asked for
	quiet   bool // the verb never asks
}

// varFlag collects -var and -var-file into one list, because their order
// matters.
type varFlag struct {
	list *[]config.Var
	file bool
}

func (v varFlag) String() string { return "" }
func (v varFlag) Get() any       { return nil }

func (v varFlag) Set(s string) error {
	if v.file {
		*v.list = append(*v.list, config.Var{File: s})
		return nil
	}
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("what follows it is not name=value")
	}
	*v.list = append(*v.list, config.Var{Name: strings.TrimSpace(name), Value: value})
	return nil
}

// varFlags are flags of a verb that never takes the configuration from the
// cache.
func (f *projectFlags) varFlags() []urfave.Flag { return f.flags()[:3] }

func (f *projectFlags) flags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.GenericFlag{Name: "var", Usage: "set a variable, `name=value`; may be repeated", Value: varFlag{&f.vars, false}},
		&urfave.GenericFlag{Name: "var-file", Usage: "set variables from `FILE`; may be repeated", Value: varFlag{&f.vars, true}},
		&urfave.BoolFlag{Name: "input", Usage: "ask for variables without a value; -input=false never does", Value: true, Destination: &f.input},
		&urfave.BoolFlag{Name: "no-cache", Usage: "evaluate the configuration anew", Destination: &f.noCache},
	}
}

// selectFlags narrow a plan.
func selectFlags(s *plan.Selection) []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringSliceFlag{Name: "target", Usage: "only images that match `PATTERN`, and what they need; may be repeated", Destination: &s.Target},
		&urfave.StringSliceFlag{Name: "exclude", Usage: "not images that match `PATTERN`, nor what needs them; may be repeated", Destination: &s.Exclude},
		&urfave.StringSliceFlag{Name: "replace", Usage: "make images that match `PATTERN` again; may be repeated", Destination: &s.Replace},
	}
}

const patterns = `
A PATTERN is an address (image.hero), an address of all instances (image.post),
a module (module.icons), the path of an output, a tag (tag:landing), or one of
these with * for any run of characters.
`

// moneyFlag is an amount in USD.
type moneyFlag struct{ m **provider.Money }

func (f moneyFlag) String() string { return "" }
func (f moneyFlag) Get() any       { return nil }

func (f moneyFlag) Set(s string) error {
	m, err := provider.ParseMoney(strings.TrimPrefix(s, "$"))
	if err != nil {
		return err
	}
	*f.m = &m
	return nil
}
