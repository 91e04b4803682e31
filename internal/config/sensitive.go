package config

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// secret marks a sensitive value, and whatever is made from it. A marked value
// may reach the words of a request and nothing else; spec and provider carry on
// from there (spec.Wanted.Sensitive).
type secret struct{}

// withheld is what is shown of a sensitive value.
const withheld = "(sensitive value)"

// isSecret reports whether v as a whole is sensitive.
func isSecret(v cty.Value) bool { return v.HasMark(secret{}) }

// hasSecret reports whether v or something in it is sensitive.
func hasSecret(v cty.Value) bool {
	if !v.ContainsMarked() {
		return false
	}
	_, marks := v.UnmarkDeep()
	_, ok := marks[secret{}]
	return ok
}

// onlySecrets drops all other marks.
func onlySecrets(v cty.Value) cty.Value {
	v, marks := v.UnmarkDeepWithPaths()
	marks = slices.DeleteFunc(marks, func(m cty.PathValueMarks) bool {
		_, ok := m.Marks[secret{}]
		return !ok
	})
	for i := range marks {
		marks[i].Marks = cty.NewValueMarks(secret{})
	}
	return v.MarkWithPaths(marks)
}

var sensitiveFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0].Mark(secret{}), nil },
})

var nonsensitiveFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v, marks := args[0].Unmark()
		delete(marks, secret{})
		return v.WithMarks(marks), nil
	},
})

var issensitiveFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return cty.BoolVal(isSecret(args[0])), nil },
})

// touch notes that a sensitive value took part in the evaluation that goes on:
// what HCL and functions say of it may quote the value.
func (ev *evaluator) touch(v cty.Value) cty.Value {
	if ev.p.secrets && !ev.touched {
		ev.touched = hasSecret(v)
	}
	return v
}

// sensitiveHere makes f note that it makes or takes sensitive values.
func sensitiveHere(f function.Function) func(*evaluator) function.Function {
	return func(ev *evaluator) function.Function {
		if ev.p != nil { // else it is only described
			ev.p.secrets = true
		}
		return function.New(&function.Spec{
			Params: f.Params(),
			Type: func(args []cty.Value) (cty.Type, error) {
				ev.touched = true
				return f.ReturnTypeForValues(args)
			},
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
		})
	}
}

// markedByFailure makes the result of f sensitive where a sensitive value took
// part: whether an expression fails tells something of the values in it.
func markedByFailure(f function.Function) func(*evaluator) function.Function {
	return func(ev *evaluator) function.Function {
		return function.New(&function.Spec{
			Params: f.Params(), VarParam: f.VarParam(), Type: function.StaticReturnType(cty.DynamicPseudoType),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				before, trying := ev.touched, ev.trying
				ev.touched, ev.trying = false, true
				v, err := f.Call(args)
				ev.trying = trying
				if ev.touched && err == nil {
					v = v.Mark(secret{})
				}
				ev.touched = ev.touched || before
				return v, err
			},
		})
	}
}

// whyNotSensitive tells where the value of an attribute would show.
var whyNotSensitive = map[string]string{
	"path":       "it would show in the names of files",
	"file":       "it would show in the names of files",
	"output_dir": "it would show in the names of files",
	"alt":        "it is written for the readers of a site",
	"caption":    "it is written for the readers of a site",
	"credit":     "it is written for the readers of a site",
	"license":    "it is written for the readers of a site",
	"endpoint":   "it would show in the lists of providers and in the journal",
}

// sensitiveFields are the fields of spec.Wanted that may be sensitive.
var sensitiveFields = []struct {
	name string
	row  uint32
}{{"prompt", rowPrompt}, {"style", rowStyle}, {"user", rowUser}}

// presetWords are the rows of a preset that become words of the prompt.
var presetWords = func() (bits uint32) {
	for i, r := range presetSchema.rows {
		if r.name == "before" || r.name == "after" {
			bits |= 1 << i
		}
	}
	return bits
}()

// notSensitive is the finding for a sensitive value where none may be.
func notSensitive(thing, attr string, at hcl.Range) diag.Finding {
	why := whyNotSensitive[attr]
	if why == "" {
		why = "it would show in the plan"
	}
	return problem(codeSensitive, thing, at, "use a value that is not sensitive, or nonsensitive(…) if it is no secret", "%s can't be sensitive: %s", attr, why)
}

// openly is get where no sensitive value may be.
func openly(get valuer, thing, attr string, add func(diag.Finding)) valuer {
	return func(e hclsyntax.Expression) (cty.Value, bool) {
		v, ok := get(e)
		if ok && hasSecret(v) {
			add(notSensitive(thing, attr, e.Range()))
			return cty.DynamicVal, true
		}
		return v, ok
	}
}

// openly is plain where no sensitive value may be.
func (ev *evaluator) openly(e hclsyntax.Expression, ctx *hcl.EvalContext, thing, attr string) cty.Value {
	v, _ := openly(func(e hclsyntax.Expression) (cty.Value, bool) { return ev.plain(e, ctx, thing), true }, thing, attr, ev.add)(e)
	return v
}

// hush takes what may quote a sensitive value out of the findings that were
// made since there were n.
func (ev *evaluator) hush(n int, text string) {
	for i := range (*ev.out)[n:] {
		f := &(*ev.out)[n+i]
		f.Text, f.Hint, f.Values, f.Related = text, `write an HCL expression, such as ["a", "b"]; text needs quotes`, nil, nil
	}
}

const whyHushed = ": its value is not valid; why is withheld, because the variable is sensitive"

// discreet is an expression in a place that makes its value sensitive: it may be
// written out there, and an error would quote it.
type discreet struct {
	hclsyntax.Expression
	ev *evaluator
}

func (e *discreet) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.Expression.Value(ctx)
	for i, d := range diags {
		diags[i] = &hcl.Diagnostic{Severity: d.Severity, Summary: d.Summary, Detail: "the details are withheld, because a sensitive value is involved", Subject: d.Subject}
		e.ev.touched = true
	}
	return v, diags
}

// keep makes expressions discreet.
func (ev *evaluator) keep(list []hclsyntax.Expression) {
	for i := range list {
		list[i] = &discreet{list[i], ev}
	}
}

// makesSensitive reports whether what is written in a call is a secret.
func makesSensitive(c *hclsyntax.FunctionCallExpr) bool {
	return strings.TrimPrefix(c.Name, terraformNamespace) == "sensitive"
}

// stretch is lines of a file, both ends included; last is 0 for all of it.
type stretch struct{ first, last int }

// hide keeps the lines of a range out of what is shown of a file.
func (p *Project) hide(r hcl.Range) { p.hideLines(r.Filename, stretch{r.Start.Line, r.End.Line}) }

func (p *Project) hideLines(file string, l stretch) {
	if p.hidden == nil {
		p.hidden = map[string][]stretch{}
	}
	p.hidden[file] = append(p.hidden[file], l)
}

func (p *Project) hides(file string, line int) bool {
	return slices.ContainsFunc(p.hidden[file], func(l stretch) bool { return l.last == 0 || l.first <= line && line <= l.last })
}

// Show is the text of a file as it may be shown: without the lines that hold a
// sensitive value. Places in it stay where they are.
func (p *Project) Show(file string, text []byte) []byte {
	if p == nil || len(p.hidden[file]) == 0 {
		return text
	}
	out, n := make([]byte, 0, len(text)), 0
	for line := range bytes.Lines(text) {
		if n++; p.hides(file, n) {
			line, _ = bytes.CutSuffix(line, []byte("\n"))
			blank := bytes.Repeat([]byte(" "), len(line))
			copy(blank, "(withheld)")
			line = append(blank, '\n')
		}
		out = append(out, line...)
	}
	return out
}

// MayKeep reports whether the project may be cached: sensitive values must not
// be written, and for answers there would be nothing to compare with.
func (p *Project) MayKeep() bool { return !p.secrets && !p.asked }

// Mind notes what of a file must not be shown, by its text alone: for files that
// are not evaluated. Files of values come last: whether they hold anything
// sensitive, the others tell. src has the modules that it calls; without it all
// may be given something sensitive.
func (p *Project) Mind(src Source, file string, text []byte) {
	if !strings.HasSuffix(file, ".imgvars") {
		p.hideBlocks(src, file, text)
	} else if p.secrets {
		p.hideLines(file, stretch{})
	}
}

// ShowAnew is Show for another text of a file that Mind has seen.
func (p *Project) ShowAnew(src Source, file string, text []byte) []byte {
	other := &Project{secrets: p.secrets}
	other.Mind(src, file, text)
	return other.Show(file, text)
}

// hideBlocks hides the variable blocks that say sensitive, and the calls of
// modules that have such ones, in a file whose syntax is wrong, where blocks
// can't be told from the tree.
func (p *Project) hideBlocks(src Source, file string, text []byte) {
	hide := func(l stretch) {
		p.hideLines(file, l)
		p.secrets = true
	}
	if strings.HasSuffix(file, ".json") {
		if bytes.Contains(text, []byte("sensitive")) || bytes.Contains(text, []byte(`"module"`)) && takesSecrets(src, file, text) {
			hide(stretch{})
		}
		return
	}
	kind, first, begin, said := "", 0, 0, false
	n, at := 0, 0
	end := func() {
		if kind == "variable" && said || kind == "module" && takesSecrets(src, file, text[begin:at]) {
			hide(stretch{first, n})
		}
	}
	for line := range bytes.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		if word = strings.TrimRight(word, "{\""); slices.Contains(blockWords, word) {
			end()
			kind, first, begin, said = word, n+1, at, false
		}
		n, at = n+1, at+len(line)
		said = said || bytes.Contains(line, []byte("sensitive"))
		if bytes.Contains(line, []byte("sensitive(")) {
			hide(stretch{n, n})
		}
	}
	end()
}

var sourceOf = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`source"?\s*[=:]\s*"(\.[^"\n]*)`) })

// takesSecrets reports whether a module that is called in text has a sensitive
// variable, by words alone, or could have one.
func takesSecrets(src Source, file string, text []byte) bool {
	calls := sourceOf().FindAllSubmatch(text, -1)
	return len(calls) == 0 || slices.ContainsFunc(calls, func(m [][]byte) bool {
		dir := path.Join(path.Dir(file), string(m[1]))
		if src == nil {
			return true
		}
		names, err := src.ReadDir(dir)
		return err != nil || slices.ContainsFunc(names, func(name string) bool {
			if !isConfig(name) {
				return false
			}
			b, err := src.Read(path.Join(dir, name), maxFile)
			return err != nil || bytes.Contains(b, []byte("sensitive"))
		})
	})
}

var blockWords = func() (words []string) {
	for _, b := range topBlocks {
		words = append(words, b.name)
	}
	return words
}()

// Conceal rewrites what is said of the syntax of hidden lines: it quotes them.
func (p *Project) Conceal(l diag.List) diag.List {
	for i := range l {
		f := &l[i]
		if f.Range == nil || !strings.HasPrefix(f.Code, "IB01") || !p.hides(f.Range.File, f.Range.Start.Line) {
			continue
		}
		thing, _, _ := strings.Cut(f.Text, ": ")
		f.Text, f.Hint, f.Values = thing+": what is wrong is withheld, because a sensitive value may stand here", "", nil
	}
	return l
}

// toType is a conversion that keeps the marks of elements where they are.
func toType(ty cty.Type) function.Function {
	f := stdlib.MakeToFunc(ty)
	p := f.Params()[0]
	p.AllowMarked = true
	return function.New(&function.Spec{
		Params: []function.Parameter{p},
		Type: func(args []cty.Value) (cty.Type, error) {
			v, _ := args[0].UnmarkDeep()
			return f.ReturnTypeForValues([]cty.Value{v})
		},
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			if v, err := convert.Convert(args[0], ty); err == nil {
				return v, nil
			}
			v, _ := args[0].UnmarkDeep()
			return f.Call([]cty.Value{v}) // which tells why not
		},
	})
}
