package config

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// SetAttribute sets an attribute of a block such as "image.hero" in the text of
// a *.img.hcl file to value, which is a literal as one writes it in HCL. What
// else stands in the file stays as it is, comments, layout and line ends too; a
// file in the canonical layout keeps it. A new attribute goes behind the one
// called beside, else behind the last one before the first inner block. What
// only a person can edit is a finding, and then src is returned.
//
// The text is spliced at the places that the parser gives: hclwrite would put a
// new attribute behind all inner blocks, end its line with LF whatever the
// others end with, and can't open a block that is all on one line.
func SetAttribute(file string, src []byte, block, attr, value, beside string) ([]byte, diag.List) {
	b, l := findBlock(file, src, block)
	if b == nil {
		return src, l
	}
	var out []byte
	if a := b.Body.Attributes[attr]; a == nil {
		out = insertAttribute(src, b, attr, value, beside)
	} else if v, ok := constant(a.Expr); ok && v.Type().IsPrimitiveType() {
		r := a.Expr.Range()
		out = slices.Concat(src[:r.Start.Byte], []byte(value), src[r.End.Byte:])
	} else {
		return src, diag.List{problem(codeByHand, block, a.Expr.Range(), "edit it by hand", "%s is an expression, which a command can't change", attr)}
	}
	if before, _ := Format(file, src); bytes.Equal(before, src) {
		out, _ = Format(file, out)
	}
	if now, _ := findBlock(file, out, block); now != nil {
		if a := now.Body.Attributes[attr]; a != nil && string(a.Expr.Range().SliceBytes(out)) == value {
			return out, nil
		}
	}
	return src, diag.List{problem(codeByHand, block, b.DefRange(), "write "+attr+" = "+value+" by hand", "a command can't change this block")}
}

// findBlock parses a file and finds a block by its type and labels.
func findBlock(file string, src []byte, name string) (*hclsyntax.Block, diag.List) {
	if f := guard(file, src, false); f != nil {
		return nil, diag.List{*f}
	}
	parsed, diags := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
	if l, torn := syntaxFindings(src, diags); torn || len(l) > 0 {
		return nil, l
	}
	for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
		if strings.Join(append([]string{b.Type}, b.Labels...), ".") == name {
			return b, nil
		}
	}
	f := problem(codeByHand, name, hcl.Range{}, "", "it is not in %s any more", file)
	f.Range = &diag.Range{File: file}
	return nil, diag.List{f}
}

// insertAttribute writes a line into a block.
func insertAttribute(src []byte, b *hclsyntax.Block, attr, value, beside string) []byte {
	open, end := b.OpenBraceRange, b.CloseBraceRange
	newline := "\n"
	if i := bytes.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		newline = "\r\n"
	}
	outer := indentOf(src, b.TypeRange.Start.Byte)
	if open.End.Line == end.Start.Line {
		var body strings.Builder
		if inner := bytes.TrimSpace(src[open.End.Byte:end.Start.Byte]); len(inner) > 0 {
			body.WriteString(outer + "  " + string(inner) + newline)
		}
		body.WriteString(outer + "  " + attr + " = " + value + newline + outer)
		return slices.Concat(src[:open.End.Byte], []byte(newline+body.String()), src[end.Start.Byte:])
	}
	first := end.Start.Byte // of the inner blocks
	for _, inner := range b.Body.Blocks {
		first = min(first, inner.TypeRange.Start.Byte)
	}
	anchor := b.Body.Attributes[beside]
	if anchor == nil {
		for _, a := range b.Body.Attributes {
			if at := a.NameRange.Start.Byte; at < first && (anchor == nil || at > anchor.NameRange.Start.Byte) {
				anchor = a
			}
		}
	}
	after, indent, width := open.End.Byte, outer+"  ", len(attr)+1
	if anchor != nil {
		after, indent = anchor.SrcRange.End.Byte, indentOf(src, anchor.NameRange.Start.Byte)
		width = max(width, anchor.EqualsRange.Start.Byte-anchor.NameRange.Start.Byte)
	}
	at := lineEnd(src, after)
	line := indent + attr + strings.Repeat(" ", width-len(attr)) + "= " + value + newline
	return slices.Concat(src[:at], []byte(line), src[at:])
}

// indentOf is the blank space that begins the line of a place.
func indentOf(src []byte, at int) string {
	line := src[bytes.LastIndexByte(src[:at], '\n')+1 : at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// lineEnd is where the line goes on that what ends at a place stands on; a
// comment behind it belongs to it. A heredoc ends with its line.
func lineEnd(src []byte, at int) int {
	if src[at-1] == '\n' {
		return at
	}
	tokens, _ := hclsyntax.LexConfig(src[at:], "", hcl.InitialPos)
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n")) {
			return at + t.Range.End.Byte
		}
	}
	return at
}

// Choice is where the choice among the candidates of an image is written.
type Choice struct {
	File  string      // whose block of the image takes it; "" where the lock has it
	Fixed *diag.Range // an expression or a preset that says it, and that no command can change
}

// Choice tells where the choice of an image is written: in a plain block, or,
// for what a block stands for several of, in the lock. What the configuration
// says of an instance wins over the lock, so that must be changed by hand.
func (p *Project) Choice(src Source, a spec.Address) Choice {
	i, ok := p.index(a)
	if !ok {
		return Choice{}
	}
	at := p.origins[i].place
	l := &locator{src: src, p: p}
	b, file := l.block(at), p.files[at.file] // no block where the file is none of HCL's own syntax
	plain := b != nil && strings.HasSuffix(file, ".img.hcl") && b.Body.Attributes["for_each"] == nil &&
		strings.Join(append([]string{b.Type}, b.Labels...), ".") == string(a)
	switch own := pickOf(b); {
	case plain && own != nil && !literal(own.Expr), !plain && p.Images[i].Pick > 0:
		return Choice{Fixed: l.at(i, "pick")}
	case plain:
		return Choice{File: file}
	}
	return Choice{}
}

func pickOf(b *hclsyntax.Block) *hclsyntax.Attribute {
	if b == nil {
		return nil
	}
	return b.Body.Attributes["pick"]
}
