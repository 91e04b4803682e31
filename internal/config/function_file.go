package config

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// What a function reads at most, in bytes.
const (
	maxRead    = maxText  // of a text
	maxHashed  = 64 << 20 // of a file whose hash is asked for
	maxPicture = 64 << 20
)

// costOfReadByte is what reading and hashing a byte of a file takes, in steps.
const costOfReadByte = 1.0 / 4096

// fileFunc makes a function of the content of one text file.
func fileFunc(ty cty.Type, limit int64, f func(text string) (cty.Value, error)) func(*evaluator) function.Function {
	return bytesFunc(ty, limit, func(b []byte) (cty.Value, error) {
		if !utf8.Valid(b) {
			return cty.NilVal, function.NewArgErrorf(0, "the file is not UTF-8 text")
		}
		return f(string(b))
	})
}

// bytesFunc makes a function of what is in a file of at most limit bytes.
func bytesFunc(ty cty.Type, limit int64, f func(b []byte) (cty.Value, error)) func(*evaluator) function.Function {
	return func(ev *evaluator) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{textParam("path")},
			Type:   function.StaticReturnType(ty),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				b, err := ev.readFile(args[0].AsString(), limit)
				if err != nil {
					return cty.NilVal, function.NewArgError(0, err)
				}
				if !ev.meter.spend(int(float64(len(b)) * costOfReadByte)) {
					return cty.NilVal, errSpent
				}
				return f(b)
			},
		})
	}
}

func (ev *evaluator) readUTF8(file string, limit int64) (string, error) {
	text, err := ev.readText(file, limit)
	if err == nil && !utf8.ValidString(text) {
		err = errors.New("the file is not UTF-8 text")
	}
	return text, err
}

func asText(text string) (cty.Value, error) { return cty.StringVal(text), nil }

func written(f func([]byte) string) func([]byte) (cty.Value, error) {
	return func(b []byte) (cty.Value, error) { return cty.StringVal(f(b)), nil }
}

func frontmatterFunc(ev *evaluator) function.Function {
	return fileFunc(cty.DynamicPseudoType, maxRead, func(text string) (cty.Value, error) {
		return ev.frontmatter(text)
	})(ev)
}

// frontmatter is the YAML between two lines of three dashes at the begin of a
// file.
func (ev *evaluator) frontmatter(text string) (cty.Value, error) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff"), "---\n")
	if !ok {
		return cty.NilVal, function.NewArgErrorf(0, "the file does not begin with a line of ---")
	}
	head, _, ok := strings.Cut("\n"+rest, "\n---\n")
	if !ok {
		if head, ok = strings.CutSuffix("\n"+rest, "\n---"); !ok {
			return cty.NilVal, function.NewArgErrorf(0, "the front matter has no closing line of ---")
		}
	}
	if strings.TrimSpace(head) == "" {
		return cty.EmptyObjectVal, nil
	}
	args := []cty.Value{cty.StringVal(head)}
	if n, unit := sizeOfYAML(args); n > limits[unit] {
		return cty.NilVal, function.NewArgErrorf(0, "the front matter: the result would have more than %.0f %s", limits[unit], unit)
	}
	if !ev.meter.spend(int(workOfYAML(args))) {
		return cty.NilVal, errSpent
	}
	v, err := yaml.YAMLDecodeFunc.Call(args)
	if err != nil {
		return cty.NilVal, function.NewArgErrorf(0, "the front matter: %s", err)
	}
	if !v.Type().IsObjectType() || v.IsNull() {
		return cty.NilVal, function.NewArgErrorf(0, "the front matter is not a list of names and values")
	}
	return v, nil
}

func fileexists(ev *evaluator) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("path")},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			dir, name := path.Split(trimDot(args[0].AsString()))
			list, err := ev.glob(dir, globText(name))
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.BoolVal(len(list) == 1), nil
		},
	})
}

// globText is the pattern that matches s and nothing else.
func globText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`, `]`, `\]`, `}`, `\}`).Replace(s)
}

func fileset(ev *evaluator) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{textParam("path"), textParam("pattern")},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			list, err := ev.glob(args[0].AsString(), args[1].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			if len(list) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			vals := make([]cty.Value, len(list))
			for i := range list {
				vals[i] = cty.StringVal(list[i])
			}
			return cty.SetVal(vals), nil
		},
	})
}

// maxAlternatives is how many patterns one with braces may stand for: each walks
// the folders again.
const maxAlternatives = 256

// alternatives counts the patterns that one with braces stands for.
func alternatives(pattern string) float64 {
	type group struct{ before, sum float64 } // before: of what stands before it
	now, open := 1.0, []group(nil)
	for i := 0; i < len(pattern); i++ {
		last := len(open) - 1
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case c == '{':
			open = append(open, group{before: now})
			now = 1
		case c == ',' && last >= 0:
			open[last].sum += now
			now = 1
		case c == '}' && last >= 0:
			now = open[last].before * (open[last].sum + now)
			open = open[:last]
		}
	}
	for _, g := range open {
		now *= g.before * (g.sum + 1)
	}
	return now
}

// glob lists files below dir, and notes it.
func (ev *evaluator) glob(dir, pattern string) ([]string, error) {
	if path.IsAbs(dir) || strings.HasPrefix(path.Clean(dir)+"/", "../") || path.IsAbs(pattern) || slices.Contains(strings.Split(pattern, "/"), "..") {
		return nil, fmt.Errorf("%s leaves the root of the project", quoteKey(path.Join(dir, pattern)))
	}
	if dir = path.Clean(dir); dir == "." {
		dir = ""
	}
	pattern = trimDot(pattern)
	if alternatives(pattern) > maxAlternatives {
		return nil, fmt.Errorf("the pattern stands for more than %d", maxAlternatives)
	}
	list, err := ev.src.Glob(dir, pattern)
	if err != nil {
		return nil, cause(err)
	}
	ev.inputs.add(Input{Kind: InputGlob, Path: dir, Pattern: pattern, Content: ofList(list)})
	if len(list) > maxElements {
		return nil, fmt.Errorf("more than %d files match", maxElements)
	}
	return list, nil
}

func imagesize(ev *evaluator) function.Function {
	return bytesFunc(cty.Object(map[string]cty.Type{"width": cty.Number, "height": cty.Number, "format": cty.String}), maxPicture, func(b []byte) (cty.Value, error) {
		if ev.opt.Measure == nil {
			return cty.NilVal, errors.New("pictures can't be measured here")
		}
		p, err := ev.opt.Measure(b)
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		return cty.ObjectVal(map[string]cty.Value{
			"width": cty.NumberIntVal(int64(p.Width)), "height": cty.NumberIntVal(int64(p.Height)), "format": cty.StringVal(p.Format),
		}), nil
	})(ev)
}
