package lint

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Fixes is what can be mended, by file, and what could be but is left.
type Fixes struct {
	Edits map[string][]config.Edit
	Left  diag.List
}

// Fixes are the edits that mend findings. Only a text that is written out is
// edited, once however many images have it, and no prompt that has candidates in
// the lock.
func (r *Result) Fixes(p *config.Project, src config.Source, recorded *lock.Lock) Fixes {
	out := Fixes{Edits: map[string][]config.Edit{}}
	type value struct {
		file       string
		start, end int
	}
	paid := map[value]bool{}
	texts := map[string][]byte{}
	mended := map[value]string{}
	for pass := range 2 {
		for i := range r.Found {
			f := &r.Found[i]
			if rule := Lookup(f.Code); rule == nil || !rule.Fixes || f.Range == nil {
				continue
			}
			left := func(why, hint string) {
				g := f.Finding
				g.Text += "; it is left as it is: " + why
				g.Hint = hint
				out.Left = append(out.Left, g)
			}
			if f.literal == nil {
				if pass == 1 {
					left("it is an expression, or in JSON", "edit it by hand")
				}
				continue
			}
			v := value{f.literal.File, f.literal.Start.Byte, f.literal.End.Byte}
			if f.field == "prompt" && wasPaid(p, recorded, spec.Address(f.Address)) {
				paid[v] = true
			}
			if pass == 0 {
				continue
			}
			if paid[v] {
				left("the prompt was paid for, and another one buys again", "edit it by hand, and imgbuild plan tells the price")
				continue
			}
			if texts[v.file] == nil {
				texts[v.file], _ = src.Read(v.file, maxLintFile)
			}
			b := texts[v.file]
			if v.end > len(b) {
				continue
			}
			was, ok := mended[v]
			if !ok {
				was = string(b[v.start:v.end])
			}
			now := mend(f.Code, was)
			if now == was && !ok {
				left("it is not written out there", "edit it by hand")
				continue
			}
			mended[v] = now
		}
	}
	for v, text := range mended {
		out.Edits[v.file] = append(out.Edits[v.file], config.Edit{Start: v.start, End: v.end, Text: text})
	}
	for file := range out.Edits {
		slices.SortFunc(out.Edits[file], func(a, b config.Edit) int { return a.Start - b.Start })
	}
	return out
}

// wasPaid reports whether the lock has replies for an image, also under the names
// that it had.
func wasPaid(p *config.Project, recorded *lock.Lock, a spec.Address) bool {
	if e := recorded.Get(a); e != nil {
		return len(e.Candidates)+len(e.Refused) > 0
	}
	return slices.ContainsFunc(p.Moved, func(m config.Moved) bool { return a.Within(m.To) && len(recorded.Entries) > 0 })
}

// mend changes a text as it stands in the file: in quotes, or between <<EOT and
// EOT.
func mend(code, text string) string {
	head, body, tail := cutLiteral(text)
	switch code {
	case "IB1020":
		body = strings.Map(func(r rune) rune {
			switch {
			case r == '\u00a0' || r == '\u2007' || r == '\u202f' || r == '\u3164':
				return ' '
			case unseen(r):
				return -1
			}
			return r
		}, body)
		lines := strings.Split(body, "\n")
		for i, line := range lines {
			if i+1 < len(lines) || !strings.HasPrefix(head, "<<") {
				lines[i] = strings.TrimRight(line, " \t\r")
			}
		}
		body = strings.Join(lines, "\n")
	case "IB4004":
		if m := ofPicture().FindString(body); m != "" {
			rest := body[len(m):]
			r, n := utf8.DecodeRuneInString(rest)
			if rest != "" && r != '\\' && r != '$' && r != '%' {
				body = m[:len(m)-len(strings.TrimLeft(m, " \t\n"))] + string(unicode.ToUpper(r)) + rest[n:]
			}
		}
	}
	return head + body + tail
}

// cutLiteral takes a text apart into what stands before it, itself, and what
// stands behind.
func cutLiteral(text string) (head, body, tail string) {
	if strings.HasPrefix(text, `"`) && strings.HasSuffix(text, `"`) && len(text) > 1 {
		return `"`, text[1 : len(text)-1], `"`
	}
	if strings.HasPrefix(text, "<<") {
		first := strings.IndexByte(text, '\n')
		last := strings.LastIndexByte(strings.TrimRight(text, "\r\n"), '\n')
		if first >= 0 && last >= first {
			return text[:first+1], text[first+1 : last+1], text[last+1:]
		}
	}
	return text, "", ""
}
