package config

import (
	"bytes"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// Format gives src its canonical layout, which Format leaves as it is. It
// returns src itself and a finding where the syntax is wrong.
func Format(file string, src []byte) ([]byte, diag.List) {
	if f := guard(file, src, false); f != nil {
		return src, diag.List{*f}
	}
	_, diags := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
	if l, torn := syntaxFindings(src, diags); torn {
		return src, l
	}
	text := bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	out := text
	// Alignment can move a comment, and that the alignment; it settles.
	for range 4 {
		next := hclwrite.Format(out)
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	if !sameTokens(text, out) { // such as 5. 0, which would become a number
		return text, nil
	}
	return out, nil
}

func sameTokens(a, b []byte) bool {
	x, _ := hclsyntax.LexConfig(a, "", hcl.InitialPos)
	y, _ := hclsyntax.LexConfig(b, "", hcl.InitialPos)
	return slices.EqualFunc(x, y, func(x, y hclsyntax.Token) bool { return x.Type == y.Type && bytes.Equal(x.Bytes, y.Bytes) })
}
