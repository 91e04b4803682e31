package config

import (
	"bytes"

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
	out := bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	// Alignment can move a comment, and that the alignment; it settles.
	for range 4 {
		next := hclwrite.Format(out)
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	return out, nil
}
