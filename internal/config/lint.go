package config

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Lint is the lint block. Which codes there are, the linter knows.
type Lint struct {
	Off, Info, Warning, Error []string
	Baseline                  string // clean slash path from the root; "" if there is none
	Names                     []string
	MaxBytes                  int // of an output that is committed; 0 if not said

	at place // of the block; line 0 if there is none
}

func (l *Lint) lists() []*[]string {
	return []*[]string{&l.Off, &l.Info, &l.Warning, &l.Error, &l.Names}
}

// LintAt is the place of an attribute of the lint block, nil without one.
func (p *Project) LintAt(src Source, field string) *diag.Range {
	if p.Settings.Lint.at.line == 0 {
		return nil
	}
	return (&locator{src: src, p: p}).field(p.Settings.Lint.at, field)
}

// lint evaluates the lint block of the imgbuild block b.
func (ev *evaluator) lint(b *block, inner *hclsyntax.Block, get valuer, to *Lint) {
	const thing = "imgbuild: lint"
	to.at = placeOf(b.file, inner)
	decode(inner.Body, &lintSchema, to, get, thing, inner.DefRange(), ev.add)
	if to.Baseline = trimDot(to.Baseline); to.Baseline == "" {
		return
	}
	if err := spec.CheckOutput(to.Baseline); err != nil {
		ev.add(problem(codePath, thing, inner.Body.Attributes["baseline"].Expr.Range(), pathHint(to.Baseline), "the path %s %s", quoteKey(to.Baseline), err))
		to.Baseline = ""
	}
}

// Files are the files of blocks that the project was read from, those of its
// modules too.
func (p *Project) Files() []string { return slices.Clone(p.files) }

// HideLine keeps a line out of what Show shows of a file.
func (p *Project) HideLine(file string, line int) { p.hideLines(file, stretch{line, line}) }

// Spot is a field of an image, as At takes it, and a text that its value is said
// to hold; "" for none.
type Spot struct {
	Address     spec.Address
	Field, Text string
}

// Place is where a Spot is in the files.
type Place struct {
	// Range is the text, where it is written out in the attribute or, for a prompt, in
	// the words that a preset puts round it; else it is what At tells.
	Range *diag.Range
	Found bool // it is written out
	// Literal is the whole value that has it, in a file of HCL's own syntax, where that
	// is a text without expressions: only such a one can be edited.
	Literal *diag.Range
}

// Places finds many spots at a time, and parses each file about once for it. A
// spot of an image that the project does not have has no Range.
func (p *Project) Places(src Source, spots []Spot) []Place {
	out := make([]Place, len(spots))
	order := make([]int, 0, len(spots))
	images := make([]int, len(spots))
	for i, s := range spots {
		var ok bool
		if images[i], ok = p.index(s.Address); ok {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(p.origins[images[a]].file, p.origins[images[b]].file)
	})
	l := &locator{src: src, p: p}
	for _, i := range order {
		out[i] = l.spot(p.origins[images[i]], spots[i])
	}
	return out
}

func (l *locator) spot(o origin, s Spot) Place {
	out := Place{Range: l.ofOrigin(o, s.Field)}
	names := strings.Split(s.Field, ".")
	if out.literal(l, o.place, names, s.Text) {
		return out
	}
	for next, hops := o.preset, 0; next >= 0 && hops < len(l.p.presets); hops++ {
		p := l.p.presets[next]
		if out.literal(l, p.place, names, s.Text) || s.Field == "prompt" && s.Text != "" && (out.literal(l, p.place, []string{"before"}, s.Text) || out.literal(l, p.place, []string{"after"}, s.Text)) {
			return out
		}
		next = p.preset
	}
	return out
}

// literal takes an attribute of a block if it has the text, and reports whether
// it has.
func (out *Place) literal(l *locator, at place, names []string, text string) bool {
	b := l.block(at)
	if b == nil || len(names) != 1 || b.Body.Attributes[names[0]] == nil {
		return false
	}
	file, e := l.p.files[at.file], b.Body.Attributes[names[0]].Expr
	r := e.Range()
	if src := l.source(file); text != "" && r.End.Byte <= len(src) {
		i := indexFold(src[r.Start.Byte:r.End.Byte], text)
		if i < 0 {
			return false
		}
		start := after(rangeOf(r).Start, src[r.Start.Byte:r.Start.Byte+i])
		out.Range = &diag.Range{File: file, Start: start, End: after(start, src[start.Byte:start.Byte+len(text)])}
		out.Found = true
	}
	if !isJSON(file) && literal(e) {
		out.Literal = rangeOf(r)
	}
	return true
}

// after is where a text ends that begins at a place.
func after(at diag.Pos, text []byte) diag.Pos {
	at.Byte += len(text)
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		at.Line += bytes.Count(text, []byte("\n"))
		at.Column, text = 1, text[i+1:]
	}
	at.Column += utf8.RuneCount(text)
	return at
}

// indexFold is bytes.Index that ignores the case of ASCII letters.
func indexFold(b []byte, text string) int {
	lower := func(c byte) byte {
		if c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}
	for i := 0; i+len(text) <= len(b); i++ {
		n := 0
		for n < len(text) && lower(b[i+n]) == lower(text[n]) {
			n++
		}
		if n == len(text) {
			return i
		}
	}
	return -1
}

// Directive is a comment that begins with a word for a program.
type Directive struct {
	Range diag.Range // of the comment
	Text  string     // behind the word
	// First and Last are the lines of the attribute or block that it is for: that of
	// its own line, or that on the next line which is no comment. 0 if there is none.
	First, Last int
}

// Directives are the comments of all files that begin with word, in order. JSON
// has none.
func (p *Project) Directives(src Source, word string) (out []Directive) {
	for _, file := range p.files {
		if isJSON(file) {
			continue
		}
		if b, err := src.Read(file, maxFile); err == nil && bytes.Contains(b, []byte(word)) {
			out = append(out, directivesOf(file, b, word)...)
		}
	}
	return out
}

func directivesOf(file string, src []byte, word string) (out []Directive) {
	body, ok := new(parsed).parse(file, src)
	if !ok || body == nil {
		return nil
	}
	things := map[int][2]int{} // first and last line, by each line that begins one or is of an attribute
	var walk func(b *hclsyntax.Body)
	walk = func(b *hclsyntax.Body) {
		for _, a := range b.Attributes {
			lines := [2]int{a.NameRange.Start.Line, a.Expr.Range().End.Line}
			for line := lines[0]; line <= lines[1]; line++ {
				things[line] = lines
			}
		}
		for _, inner := range b.Blocks {
			if line := inner.TypeRange.Start.Line; things[line] == [2]int{} {
				things[line] = [2]int{line, inner.CloseBraceRange.End.Line}
			}
			walk(inner.Body)
		}
	}
	walk(body)
	tokens, _ := hclsyntax.LexConfig(src, file, hcl.InitialPos)
	alone := map[int]bool{} // lines with nothing but a comment
	for i, t := range tokens {
		if t.Type == hclsyntax.TokenComment && (i == 0 || tokens[i-1].Range.End.Line < t.Range.Start.Line || bytes.HasSuffix(tokens[i-1].Bytes, []byte("\n"))) {
			alone[t.Range.Start.Line] = true
		}
	}
	for _, t := range tokens {
		text, ok := strings.CutPrefix(commentText(string(t.Bytes)), word)
		if t.Type != hclsyntax.TokenComment || !ok || text != "" && !strings.ContainsAny(text[:1], " \t:") {
			continue
		}
		d := Directive{Range: *rangeOf(t.Range), Text: strings.TrimSpace(strings.TrimPrefix(text, ":"))}
		if t.Range.End.Column == 1 { // with the end of its line
			length := len(bytes.TrimRight(t.Bytes, "\r\n"))
			d.Range.End = diag.Pos{Line: d.Range.Start.Line, Column: d.Range.Start.Column + len([]rune(string(t.Bytes[:length]))), Byte: d.Range.Start.Byte + length}
		}
		line := t.Range.Start.Line
		if alone[line] {
			for line++; alone[line]; line++ {
			}
			if things[line][0] != line {
				line = 0 // the rest of something
			}
		}
		d.First, d.Last = things[line][0], things[line][1]
		out = append(out, d)
	}
	return out
}

// commentText is a comment without what makes it one.
func commentText(s string) string {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "/*"); ok {
		return strings.TrimSpace(strings.TrimSuffix(rest, "*/"))
	}
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimLeft(s, "#"), "//"))
}

// Edit replaces the bytes from Start to End of a file.
type Edit struct {
	Start, End int
	Text       string
}

// Splice makes edits, which don't overlap, within values of a *.img.hcl file. As
// with SetAttribute nothing else changes, and a file in the canonical layout
// keeps it. Where the result would be another structure, src and a finding are
// returned.
func Splice(file string, src []byte, edits []Edit) ([]byte, diag.List) {
	edits = slices.Clone(edits)
	slices.SortFunc(edits, func(a, b Edit) int { return cmp.Compare(a.Start, b.Start) })
	var out []byte
	at := 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start || e.End > len(src) {
			return src, diag.List{changedMeanwhile(file)}
		}
		out = append(append(out, src[at:e.Start]...), e.Text...)
		at = e.End
	}
	out = append(out, src[at:]...)
	if before, _ := Format(file, src); bytes.Equal(before, src) {
		out, _ = Format(file, out)
	}
	if !slices.Equal(skeleton(file, src), skeleton(file, out)) {
		return src, diag.List{changedMeanwhile(file)}
	}
	return out, nil
}

func changedMeanwhile(file string) diag.Finding {
	f := problem(codeByHand, "file "+file, hcl.Range{}, "edit it by hand", "a command can't change this text")
	f.Range = &diag.Range{File: file}
	return f
}

// skeleton is what a file consists of, without the values.
func skeleton(file string, src []byte) (out []string) {
	body, ok := new(parsed).parse(file, src)
	if !ok || body == nil {
		return []string{"torn"}
	}
	var walk func(in string, b *hclsyntax.Body)
	walk = func(in string, b *hclsyntax.Body) {
		for _, name := range sortedKeys(b.Attributes) {
			out = append(out, in+name)
		}
		for _, inner := range b.Blocks {
			walk(in+strings.Join(append([]string{inner.Type}, inner.Labels...), " ")+"/", inner.Body)
		}
	}
	walk("", body)
	return out
}
