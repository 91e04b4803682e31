package lint

import (
	"fmt"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
)

// Codes of findings about how the linter is used.
const (
	codeNoRule    = "IB0801"
	codeNoGate    = "IB0802"
	codeTwice     = "IB0803"
	codeNoReason  = "IB0804"
	codeUseless   = "IB0805"
	codeBaseline  = "IB0806"
	codeRemovable = "IB0807"
)

// OwnCodes tells in one line what each code means that is of no rule.
var OwnCodes = map[string]string{
	codeNoRule:    "there is no rule of this code",
	codeNoGate:    "advice can't be made an error",
	codeTwice:     "the lint block says two things of one rule",
	codeNoReason:  "warning: a finding is ignored, and nothing says why",
	codeUseless:   "info: a comment ignores nothing",
	codeBaseline:  "the baseline of the linter can't be read",
	codeRemovable: "info: the baseline has findings that are gone",
}

// Check finds what is wrong with the lint block of a project.
func Check(p *config.Project, src config.Source) (l diag.List) {
	c := &p.Settings.Lint
	said := map[string]string{}
	for _, list := range []struct {
		name  string
		codes []string
	}{{"off", c.Off}, {"info", c.Info}, {"warning", c.Warning}, {"error", c.Error}} {
		for _, code := range list.codes {
			f := diag.Finding{Severity: diag.Error, Range: p.LintAt(src, list.name)}
			rule := Lookup(code)
			switch before := said[code]; {
			case rule == nil:
				f.Code, f.Hint = codeNoRule, noRuleHint(code)
				f.Text = fmt.Sprintf("imgbuild: lint: %s names %q, and there is no such rule", list.name, diag.Clean(code))
			case before != "":
				f.Code, f.Hint = codeTwice, "keep one of them"
				f.Text = fmt.Sprintf("imgbuild: lint: %s is in %s and in %s", code, before, list.name)
			case list.name == "error" && !rule.Certain:
				f.Code, f.Hint = codeNoGate, "write it into warning; imgbuild explain "+code+" says more"
				f.Text = fmt.Sprintf("imgbuild: lint: %s (%s) is advice that rests on lists of words, so no build may fail for it", code, rule.Title)
			default:
				said[code] = list.name
				continue
			}
			l = append(l, f)
		}
	}
	return l
}

// noRuleHint is the code that was probably meant.
func noRuleHint(code string) string {
	best, distance := "", 3
	for _, known := range Codes() {
		if d := diag.Distance(code, known); d < distance {
			best, distance = known, d
		}
	}
	if best == "" {
		return "imgbuild explain lists the rules"
	}
	return "did you mean " + best + " (" + Lookup(best).Title + ")?"
}
