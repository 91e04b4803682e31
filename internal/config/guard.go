package config

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// Limits on what is given to the parser. hcl 2.25 overflows the stack on deep
// nesting and long chains of operators, which no recover can catch, and takes
// quadratic time for the lines of a heredoc.
const (
	maxFile         = 8 << 20
	maxTotal        = 64 << 20
	maxDepth        = 256
	maxOperators    = 10_000
	maxHeredocLines = 2_000
	maxHeredocBytes = 256 << 10
	maxTokens       = 1 << 20 // of a file: the parser takes up to half a kilobyte for each
	minTokens       = 160_000 // that any file may have; in one that people write there is none more for each 8 bytes
	maxTotalTokens  = 8 << 20
)

// guard scans a file in one pass before the parser may see it. It follows the
// modes of the scanner of hclsyntax exactly, because what it took for a string
// and the scanner for code would be unguarded; where that one gives up on the
// rest of a file, guard goes on counting. A template is the content of
// templatefile: one that stands alone.
func guard(file string, src []byte, template bool) *diag.Finding {
	_, f := guarded(file, src, template)
	return f
}

// guarded is guard, and tells how many tokens there are, about.
func guarded(file string, src []byte, template bool) (tokens int, _ *diag.Finding) {
	if f := guardText(file, src); f != nil {
		return 0, f
	}
	refuse := func(code string, at int, text, hint string) (int, *diag.Finding) {
		return 0, &diag.Finding{Severity: diag.Error, Code: code, Text: text, Hint: hint, Range: rangeAt(file, src, at)}
	}
	g := scanner{src: src, most: min(maxTokens, minTokens+len(src)/8)}
	g.levels = append(g.stack[:0], level{open: 'F'})
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		g.at = 3
	}
	if template {
		// A template has no closing marker; one that can't occur will do.
		g.modes = append(g.modes, mode{kind: inHeredoc, marker: []byte{0}, lineStart: true, begin: g.at})
	}
	switch g.scan() {
	case tooDeep:
		return refuse(codeTooDeep, g.at, fmt.Sprintf("file %s: brackets and templates are nested more than %d deep", file, maxDepth), "name the inner parts with locals")
	case tooLong:
		return refuse(codeTooLong, g.at, fmt.Sprintf("file %s: an expression has more than %d operators", file, maxOperators), "name parts of it with locals, or use a list and join or sum")
	case heredocTooLong:
		return refuse(codeHeredoc, g.at, fmt.Sprintf("file %s: a text between << markers is longer than %d lines or %d KiB", file, maxHeredocLines, maxHeredocBytes>>10), `keep the text in a file of its own and read it with file("…")`)
	case longLiteral:
		return refuse(codeTooLong, g.at, fmt.Sprintf("file %s: a number has more than %d digits", file, maxDigits), "write it with an exponent, such as 1e10")
	case tooMany:
		return refuse(codeTooBig, g.at, fmt.Sprintf("file %s: has more than %d words and signs", file, g.most), "split it, or keep the data in a file for jsondecode or csvdecode")
	case oddMarker:
		return refuse(codeMarker, g.at, fmt.Sprintf("file %s: the marker after << has a letter outside ASCII", file), "use a marker such as EOT")
	}
	return g.tokens, nil
}

func fileTooLarge(file string) diag.Finding {
	return diag.Finding{Severity: diag.Error, Code: codeTooBig, Range: &diag.Range{File: file},
		Text: fmt.Sprintf("file %s: is larger than %d MiB", file, maxFile>>20), Hint: "split it; all files of the folder are read together"}
}

// guardText refuses what is too large or no text.
func guardText(file string, src []byte) *diag.Finding {
	refuse := func(code string, at int, text, hint string) *diag.Finding {
		return &diag.Finding{Severity: diag.Error, Code: code, Text: text, Hint: hint, Range: rangeAt(file, src, at)}
	}
	if len(src) > maxFile {
		f := fileTooLarge(file)
		return &f
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return refuse(codeNUL, i, fmt.Sprintf("file %s: contains a NUL byte", file), "save the file as UTF-8 text")
	}
	if !utf8.Valid(src) {
		at := 0
		for at < len(src) {
			r, n := utf8.DecodeRune(src[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return refuse(codeUTF8, at, fmt.Sprintf("file %s: is not valid UTF-8", file), "save the file as UTF-8 text")
	}
	return nil
}

type verdict int

const (
	fine verdict = iota
	tooDeep
	tooLong
	heredocTooLong
	oddMarker
	longLiteral
	tooMany
)

const (
	inString = iota
	inHeredoc
	inInterp // ${ or %{: code until the brace that closes it
)

type mode struct {
	kind      int
	braces    int    // inInterp: the level that closes it
	marker    []byte // inHeredoc
	lineStart bool
	begin     int
	lines     int
}

// level is an open bracket and how many operators its current expression has.
type level struct {
	open byte // ( [ { T for a template sequence, S for a string, F for the file and for a { that begins a for
	ops  int
}

type scanner struct {
	src     []byte
	at      int
	modes   []mode // the innermost last; code if empty or inInterp
	braces  int    // as the scanner of hclsyntax counts them
	levels  []level
	stack   [16]level
	deepest int
	most    int // tokens
	tokens  int // about, and never less than the parser sees
}

func (g *scanner) push(open byte) bool {
	g.levels = append(g.levels, level{open: open})
	g.deepest = max(g.deepest, len(g.levels))
	return len(g.levels) <= maxDepth+1
}

// pop closes a bracket if it is the innermost one: a wrong one only makes the
// depth look greater than it is.
func (g *scanner) pop(open byte) {
	if n := len(g.levels); n > 1 && g.levels[n-1].open == open {
		g.levels = g.levels[:n-1]
	}
}

// popTo closes a template sequence or a string and whatever was left open in it.
func (g *scanner) popTo(open byte) {
	for n := len(g.levels) - 1; n > 0; n-- {
		if g.levels[n].open == open {
			g.levels = g.levels[:n]
			return
		}
	}
}

func (g *scanner) op() bool {
	l := &g.levels[len(g.levels)-1]
	l.ops++
	return l.ops <= maxOperators
}

func (g *scanner) scan() verdict {
	for g.at < len(g.src) {
		v := fine
		if n := len(g.modes); n == 0 || g.modes[n-1].kind == inInterp {
			v = g.code()
		} else if g.modes[n-1].kind == inString {
			v = g.quoted()
		} else {
			v = g.heredoc()
		}
		if v != fine {
			return v
		}
	}
	return fine
}

// Classes of bytes in code.
const (
	other = iota
	word
	spaces
	operator
	digit
)

var classes = func() (c [256]byte) {
	for i := range c {
		switch b := byte(i); {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_', b >= utf8.RuneSelf:
			c[i] = word
		case b == ' ' || b == '\t':
			c[i] = spaces
		case b >= '0' && b <= '9':
			c[i] = digit
		case bytes.IndexByte([]byte("!+-*%<>=&|?:"), b) >= 0:
			c[i] = operator
		}
	}
	return c
}()

// code scans one token of code.
func (g *scanner) code() verdict {
	src, c := g.src, g.src[g.at]
	if classes[c] == spaces {
		g.at++
		return fine
	}
	if g.tokens++; g.tokens > g.most {
		return tooMany
	}
	switch classes[c] {
	case digit:
		begin := g.at
		for g.at < len(src) && (classes[src[g.at]] == digit || src[g.at] == '.') {
			g.at++
		}
		if g.at-begin > maxDigits {
			return longLiteral
		}
		return fine
	case word:
		g.at++
		for g.at < len(src) && (classes[src[g.at]] == word || src[g.at] == '-' || src[g.at] >= '0' && src[g.at] <= '9') {
			g.at++
		}
		return fine
	case operator:
		if c == '<' && g.at+1 < len(src) && src[g.at+1] == '<' {
			if done, v := g.openHeredoc(); done {
				return v
			}
		}
		g.at++
		if !g.op() {
			return tooLong
		}
		return fine
	}
	g.at++
	switch c {
	case '\n':
		if open := g.levels[len(g.levels)-1].open; len(g.levels) == 1 || open == '{' {
			g.levels[len(g.levels)-1].ops = 0
		}
	case ',':
		g.levels[len(g.levels)-1].ops = 0
	case '.':
		if !g.op() { // a link of a chain
			return tooLong
		}
	case '#':
		g.comment()
	case '/':
		switch rest := src[g.at:]; {
		case len(rest) > 0 && rest[0] == '/':
			g.comment()
		case len(rest) > 0 && rest[0] == '*':
			if end := bytes.Index(rest[1:], []byte("*/")); end >= 0 {
				g.at += 1 + end + 2
			}
		}
		if !g.op() {
			return tooLong
		}
	case '"':
		g.modes = append(g.modes, mode{kind: inString})
		if !g.push('S') {
			return tooDeep
		}
	case '(', '[', '{':
		if !g.op() { // a[x][x]… and f(…) are links of a chain
			return tooLong
		}
		if c == '{' {
			g.braces++
			if g.beginsFor() {
				c = 'F'
			}
		}
		if !g.push(c) {
			return tooDeep
		}
	case ')':
		g.pop('(')
	case ']':
		g.pop('[')
	case '}':
		n := len(g.modes)
		if n > 0 && g.modes[n-1].kind == inInterp && g.modes[n-1].braces == g.braces {
			g.modes = g.modes[:n-1]
			g.popTo('T')
		} else if l := g.levels[len(g.levels)-1].open; l == 'F' {
			g.pop('F')
		} else {
			g.pop('{')
		}
		g.braces--
	}
	return fine
}

// beginsFor reports whether the brace just read begins a for expression, in
// which a newline does not end the expression.
func (g *scanner) beginsFor() bool {
	rest := g.src[g.at:]
	for len(rest) > 0 && (classes[rest[0]] == spaces || rest[0] == '\n' || rest[0] == '\r') {
		rest = rest[1:]
	}
	// A comment may stand before the for; then rather count too much.
	return bytes.HasPrefix(rest, []byte("for")) || bytes.HasPrefix(rest, []byte("#")) || bytes.HasPrefix(rest, []byte("/"))
}

func (g *scanner) comment() {
	if end := bytes.IndexByte(g.src[g.at:], '\n'); end >= 0 {
		g.at += end
	} else {
		g.at = len(g.src)
	}
}

// openHeredoc reads <<EOT or <<-EOT with its newline, if that is what stands
// here.
func (g *scanner) openHeredoc() (done bool, v verdict) {
	i := g.at + 2
	if i < len(g.src) && g.src[i] == '-' {
		i++
	}
	begin := i
	for i < len(g.src) && (classes[g.src[i]] == word || i > begin && (g.src[i] == '-' || g.src[i] >= '0' && g.src[i] <= '9')) {
		if g.src[i] >= utf8.RuneSelf {
			return true, oddMarker // whether it is a letter is a matter of Unicode tables
		}
		i++
	}
	end := i
	if i < len(g.src) && g.src[i] == '\r' {
		i++
	}
	if end == begin || i >= len(g.src) || g.src[i] != '\n' {
		return false, fine
	}
	g.at = i + 1
	g.modes = append(g.modes, mode{kind: inHeredoc, marker: g.src[begin:end], lineStart: true, begin: g.at})
	if !g.push('S') {
		return true, tooDeep
	}
	return true, fine
}

// quoted scans a quoted string up to its end or the next template sequence.
func (g *scanner) quoted() verdict {
	for g.at < len(g.src) {
		switch c := g.src[g.at]; c {
		case '"':
			g.at++
			g.modes = g.modes[:len(g.modes)-1]
			g.popTo('S')
			return fine
		case '\\':
			g.at++
			if g.at < len(g.src) && g.src[g.at] != '\n' && g.src[g.at] != '\r' {
				g.at++
			}
		case '$', '%':
			if entered, v := g.sequence(c); entered {
				return v
			}
		default:
			g.at++
		}
	}
	return fine
}

// sequence enters ${ or %{, or steps over $${, %%{ or a plain character.
func (g *scanner) sequence(c byte) (entered bool, v verdict) {
	if g.tokens++; g.tokens > g.most {
		return true, tooMany
	}
	rest := g.src[g.at+1:]
	switch {
	case len(rest) > 1 && rest[0] == c && rest[1] == '{':
		g.at += 3
	case len(rest) > 0 && rest[0] == '{':
		g.at += 2
		if c == '%' && !g.op() { // %{if} nests until %{endif}
			return true, tooLong
		}
		g.braces++
		g.modes = append(g.modes, mode{kind: inInterp, braces: g.braces})
		if !g.push('T') {
			return true, tooDeep
		}
		return true, fine
	default:
		g.at++
	}
	return false, fine
}

// heredoc scans up to the closing marker or the next template sequence.
func (g *scanner) heredoc() verdict {
	m := &g.modes[len(g.modes)-1]
	for g.at < len(g.src) {
		if m.lineStart {
			m.lineStart = false
			end := bytes.IndexByte(g.src[g.at:], '\n')
			if end >= 0 && bytes.Equal(bytes.TrimSpace(g.src[g.at:g.at+end]), m.marker) {
				g.at += end // the newline belongs to the code
				if g.tokens += m.lines * m.lines / 256; g.tokens > g.most {
					return tooMany
				}
				g.modes = g.modes[:len(g.modes)-1]
				g.popTo('S')
				return fine
			}
			m.lines++
		}
		if m.lines > maxHeredocLines || g.at-m.begin > maxHeredocBytes {
			return heredocTooLong
		}
		switch c := g.src[g.at]; c {
		case '\n':
			m.lineStart = true
			g.at++
		case '$', '%':
			if entered, v := g.sequence(c); entered {
				return v
			}
		default:
			g.at++
		}
	}
	return fine
}

// rangeAt is the place of one byte of src.
func rangeAt(file string, src []byte, at int) *diag.Range {
	at = min(at, len(src))
	line := bytes.Count(src[:at], []byte{'\n'})
	begin := bytes.LastIndexByte(src[:at], '\n') + 1
	pos := diag.Pos{Line: line + 1, Column: utf8.RuneCount(src[begin:at]) + 1, Byte: at}
	end := pos
	if at < len(src) {
		end.Column++
		end.Byte++
	}
	return &diag.Range{File: file, Start: pos, End: end}
}
