package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
)

// ignoreWord begins a comment that ignores findings.
const ignoreWord = "imgbuild:ignore"

var isCode = lazily(`^IB\d+$`)

// parseIgnore takes "IB1003, IB1004 for a logo" apart.
func parseIgnore(text string) (codes []string, reason string) {
	for {
		word, rest := text, ""
		if i := strings.IndexAny(text, " \t,"); i >= 0 {
			word, rest = text[:i], strings.TrimLeft(text[i:], " \t,")
		}
		code := strings.TrimSuffix(word, ":")
		if !isCode().MatchString(code) {
			return codes, strings.TrimSpace(strings.TrimLeft(text, "-–—: "))
		}
		codes, text = append(codes, code), rest
		if strings.HasSuffix(word, ":") {
			return codes, strings.TrimSpace(rest)
		}
	}
}

// ignore leaves out what comments ignore, and tells of comments that are not
// right.
func (r *run) ignore(out *Result) (kept []Found) {
	list := r.Project.Directives(r.Source, ignoreWord)
	if len(list) == 0 {
		return r.found
	}
	type ignored struct {
		d     *config.Directive
		codes []string
		used  map[string]bool
	}
	all := make([]ignored, len(list))
	byFile := map[string][]*ignored{}
	var about []Found
	complain := func(d *config.Directive, severity diag.Severity, code, hint, format string, args ...any) {
		about = append(about, Found{Subject: code + d.Text, Finding: diag.Finding{Severity: severity, Code: code, Text: "a comment " + fmt.Sprintf(format, args...), Hint: hint, Range: &d.Range}})
	}
	for i := range list {
		d := &list[i]
		codes, reason := parseIgnore(d.Text)
		all[i] = ignored{d: d, codes: codes, used: map[string]bool{}}
		byFile[d.Range.File] = append(byFile[d.Range.File], &all[i])
		switch {
		case len(codes) == 0:
			complain(d, diag.Warning, codeNoRule, "write # "+ignoreWord+" IB1003 and why", "ignores findings and names no code")
		case reason == "":
			complain(d, diag.Warning, codeNoReason, "write why behind the code", "ignores %s without a reason", strings.Join(codes, ", "))
		}
		for _, code := range codes {
			if Lookup(code) == nil {
				all[i].used[code] = true
				complain(d, diag.Warning, codeNoRule, noRuleHint(code), "ignores %s, and there is no such rule", code)
			} else if r.severity[code] == "" {
				all[i].used[code] = true // it may be on elsewhere
			}
		}
	}
	for _, f := range r.found {
		hit := false
		if f.Range != nil {
			for _, ig := range byFile[f.Range.File] {
				if line := f.Range.Start.Line; ig.d.First > 0 && ig.d.First <= line && line <= ig.d.Last && slices.Contains(ig.codes, f.Code) {
					hit, ig.used[f.Code] = true, true
				}
			}
		}
		if hit {
			out.Ignored++
		} else {
			kept = append(kept, f)
		}
	}
	for i := range all {
		for _, code := range all[i].codes {
			if !all[i].used[code] && !r.Partial {
				complain(all[i].d, diag.Info, codeUseless, "delete it, or put it on the line before what it is for", "ignores %s, which is not found there", code)
			}
		}
	}
	return append(kept, about...)
}
