package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes foreign text (prompts, names, messages of providers) fit to be
// shown on one line of a terminal: control characters, escapes, invalid bytes
// and characters that reorder or hide text are written out.
func Clean(s string) string {
	if !strings.ContainsFunc(s, hostile) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteByte(' ')
		case hostile(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// hostile covers C0, C1 and the format characters, but keeps the joiners that
// emoji and Indic scripts need.
func hostile(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u200c'
}

// Palette is the colours of a text; its zero value has none.
type Palette struct{ On bool }

func (p Palette) paint(code, s string) string {
	if !p.On || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Red and its siblings colour s, if colours are on.
func (p Palette) Red(s string) string    { return p.paint("31", s) }
func (p Palette) Green(s string) string  { return p.paint("32", s) }
func (p Palette) Yellow(s string) string { return p.paint("33", s) }
func (p Palette) Cyan(s string) string   { return p.paint("36", s) }
func (p Palette) Dim(s string) string    { return p.paint("2", s) }
func (p Palette) Bold(s string) string   { return p.paint("1", s) }

// Text writes the findings for people, with the lines of source that they are
// about. source returns the bytes of a file, nil if it can't. What is wrong with
// many instances at one place is told of the first, with the names of others.
func (l List) Text(w io.Writer, source func(file string) []byte, p Palette) {
	var name string
	var src []byte
	last := func(file string) []byte { // findings are sorted by file
		if file != name {
			name, src = file, source(file)
		}
		return src
	}
	if source == nil {
		last = nil
	}
	l = l.Sorted()
	advice := l.sameAdvice()
	first := true
	for i := 0; i < len(l); {
		f := &l[i]
		others, told := advice[i]
		if f.Severity == Info && !told {
			i++ // with the first of its kind
			continue
		}
		if !first {
			fmt.Fprintln(w)
		}
		first = false
		f.text(w, last, p)
		var also []string
		for _, k := range others {
			if also = append(also, Clean(l[k].Address)); !f.samePlace(&l[k]) {
				also[len(also)-1] = l[k].nameAndPlace()
			}
		}
		for i++; f.Severity != Info && i < len(l) && f.samePlace(&l[i]); i++ {
			also = append(also, Clean(l[i].Address))
		}
		also = slices.Compact(also)
		if more := len(also) - maxAlso; more > 0 {
			also = append(also[:maxAlso], fmt.Sprintf("%d more", more))
		}
		if len(also) > 0 {
			fmt.Fprintf(w, "  Also: %s\n", strings.Join(also, ", "))
		}
	}
}

// sameAdvice are the first of each piece of advice, with the others that say the
// same of other images, wherever these stand: advice is often the same for a
// whole project.
func (l List) sameAdvice() map[int][]int {
	type advice struct{ code, text, hint string }
	first, out := map[advice]int{}, map[int][]int{}
	for i := range l {
		f := &l[i]
		if f.Severity != Info {
			continue
		}
		of := advice{f.Code, strings.TrimPrefix(f.Text, f.Address), f.Hint}
		if k, ok := first[of]; ok && f.Address != "" {
			out[k] = append(out[k], i)
			continue
		}
		first[of], out[i] = i, nil
	}
	return out
}

func (f *Finding) nameAndPlace() string {
	if f.Range == nil || f.Range.Start.Line == 0 {
		return Clean(f.Address)
	}
	return fmt.Sprintf("%s (%s:%d)", Clean(f.Address), Clean(f.Range.File), f.Range.Start.Line)
}

// maxAlso is how many further instances are named.
const maxAlso = 5

// samePlace reports whether o says of another image what f says.
func (f *Finding) samePlace(o *Finding) bool {
	return f.Range != nil && o.Range != nil && *f.Range == *o.Range && f.Range.Start.Line > 0 && f.Code == o.Code && f.Hint == o.Hint &&
		f.Address != "" && o.Address != "" && f.Address != o.Address
}

func (f *Finding) text(w io.Writer, source func(string) []byte, p Palette) {
	head := p.Red("Error:")
	switch f.Severity {
	case Warning:
		head = p.Yellow("Warning:")
	case Info:
		head = p.Cyan("Info:")
	}
	text := Clean(f.Text)
	if f.Address != "" && !strings.HasPrefix(text, f.Address) {
		text = Clean(f.Address) + ": " + text
	}
	fmt.Fprintf(w, "%s %s %s\n", head, p.Bold(text), p.Dim("["+f.Code+"]"))
	if f.Range != nil {
		snippet(w, *f.Range, source, p, "")
	}
	for _, v := range f.Values {
		fmt.Fprintf(w, "  %s %s\n", p.Dim(Clean(v.Expression)), Clean(v.Text))
	}
	for _, r := range f.Related {
		snippet(w, r.Range, source, p, Clean(r.Text))
	}
	if f.Hint != "" {
		fmt.Fprintf(w, "  Hint: %s\n", Clean(f.Hint))
	}
}

// maxSnippet is how much of a line is shown, in characters.
const maxSnippet = 120

func snippet(w io.Writer, r Range, source func(string) []byte, p Palette, note string) {
	at := Clean(r.File)
	if r.Start.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", at, r.Start.Line, r.Start.Column)
	}
	if note != "" {
		at += ": " + note
	}
	fmt.Fprintf(w, "  %s\n", at)
	if source == nil || r.Start.Line == 0 {
		return
	}
	b := source(r.File)
	if b == nil || r.Start.Byte > len(b) {
		return
	}
	// Not all of a line of megabytes: there may be a finding for each of its words.
	const most = 8 * maxSnippet
	start := max(0, r.Start.Byte-most)
	if i := bytes.LastIndexByte(b[start:r.Start.Byte], '\n'); i >= 0 {
		start += i + 1
	}
	stop := min(len(b), max(r.End.Byte, r.Start.Byte)+most)
	if i := bytes.IndexByte(b[r.Start.Byte:stop], '\n'); i >= 0 {
		stop = r.Start.Byte + i
	}
	for start < r.Start.Byte && !utf8.RuneStart(b[start]) {
		start++
	}
	for stop < len(b) && stop > r.Start.Byte && !utf8.RuneStart(b[stop]) {
		stop--
	}
	end := min(max(r.End.Byte, r.Start.Byte+1), stop)
	before, span, after := Clean(string(b[start:r.Start.Byte])), Clean(string(b[r.Start.Byte:max(end, r.Start.Byte)])), Clean(string(b[max(end, r.Start.Byte):stop]))
	indent := utf8.RuneCountInString(before)
	if indent > maxSnippet/2 {
		runes := []rune(before)
		before, indent = "…"+string(runes[len(runes)-maxSnippet/2:]), maxSnippet/2+1
	}
	span = short(span, maxSnippet)
	after = short(after, max(0, maxSnippet-indent-utf8.RuneCountInString(span)))
	number := strconv.Itoa(r.Start.Line)
	gutter := strings.Repeat(" ", len(number))
	fmt.Fprintf(w, "   %s %s %s%s%s\n", p.Dim(number), p.Dim("│"), before, p.Bold(span), after)
	fmt.Fprintf(w, "   %s %s %s%s\n", gutter, p.Dim("│"), strings.Repeat(" ", indent), p.Red(strings.Repeat("^", max(1, utf8.RuneCountInString(span)))))
}

func short(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// JSON writes the findings as one document: format_version, valid, counts and
// the findings in the order of Text.
func (l List) JSON(w io.Writer) error {
	doc := struct {
		FormatVersion string `json:"format_version"`
		Valid         bool   `json:"valid"`
		Errors        int    `json:"error_count"`
		Warnings      int    `json:"warning_count"`
		Infos         int    `json:"info_count"`
		Findings      List   `json:"diagnostics"`
	}{FormatVersion: "1.0", Valid: !l.HasErrors(), Findings: l.Sorted()}
	if doc.Findings == nil {
		doc.Findings = List{}
	}
	for _, f := range doc.Findings {
		switch f.Severity {
		case Error:
			doc.Errors++
		case Warning:
			doc.Warnings++
		default:
			doc.Infos++
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}
