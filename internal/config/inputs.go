package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// InputKind tells what an Input is.
type InputKind uint8

const (
	InputFile    InputKind = iota + 1 // a file; Content is the SHA-256 of its bytes, zero if it does not exist
	InputGlob                         // Pattern in the folder Path; Content is that of the "\n"-joined result
	InputFolder                       // the configuration files of the folder Path; Content as for a glob
	InputEnv                          // the environment variable Path; Content is that of its value
	InputOptions                      // Vars, Types and Version of Options
)

// Input is something that evaluation read.
type Input struct {
	Kind          InputKind
	Path, Pattern string
	Content       digest.Content
}

// Inputs lists everything that evaluation depends on, sorted.
func (p *Project) Inputs() []Input { return p.inputs }

// Fresh reports whether Load would read the same again, so that a decoded
// project with these inputs holds. hash gives the SHA-256 of a file, perhaps
// without reading it.
func Fresh(src Source, hash func(path string) (digest.Content, error), opt Options, inputs []Input) bool {
	for _, in := range inputs {
		var now digest.Content
		var err error
		switch in.Kind {
		case InputFile:
			if now, err = hash(in.Path); errors.Is(err, fs.ErrNotExist) {
				now, err = digest.Content{}, nil
			}
		case InputGlob:
			var list []string
			list, err = src.Glob(in.Path, in.Pattern)
			now = ofList(list)
		case InputFolder:
			var list []string
			list, err = src.ReadDir(in.Path)
			now = ofList(configFiles(list))
		case InputEnv:
			now = digest.OfContent([]byte(opt.env(in.Path)))
		case InputOptions:
			now = opt.digest()
		}
		if err != nil || now != in.Content {
			return false
		}
	}
	return len(inputs) > 0
}

func ofList(list []string) digest.Content { return digest.OfContent([]byte(strings.Join(list, "\n"))) }

func configFiles(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !strings.HasSuffix(name, ".img.hcl") && !strings.HasSuffix(name, ".img.json") && !isValues(name)
	})
}

func (o *Options) env(name string) string {
	if o.Env == nil {
		return ""
	}
	return o.Env(name)
}

func (o *Options) digest() digest.Content {
	return digest.OfContent(fmt.Appendf(nil, "options v1\n%q\n%q\n%q\n", o.Vars, o.Types, o.Version))
}

// inputs collects what is read, each once.
type inputs struct{ seen map[Input]bool }

func (in *inputs) add(i Input) {
	if in.seen == nil {
		in.seen = map[Input]bool{}
	}
	in.seen[i] = true
}

func (in *inputs) sorted() []Input {
	out := make([]Input, 0, len(in.seen))
	for i := range in.seen {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Input) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Pattern, b.Pattern)
	})
	return out
}
