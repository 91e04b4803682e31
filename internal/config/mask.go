package config

import (
	"cmp"
	"errors"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/shape"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// masking is a mask block; its shapes are decoded by their own code.
type masking struct {
	spec.Mask
	feather shape.Length
}

// figure is a block of a shape of any kind.
type figure struct {
	x, y, width, height shape.Length // of an ellipse: its centre and radii
	radius, feather     shape.Length
	points              []shape.Length
	data, box           string
	subtract            bool
}

var maskSchema = schema[masking]{
	rows: []row[masking]{
		{name: "file", to: func(m *masking) any { return &m.File }, doc: "the path of a picture with exactly the pixels of the first source; excludes shapes"},
		{name: "edit", choices: []string{"transparent", "white", "black"}, to: func(m *masking) any { return &m.Edit }, def: `"transparent"`, doc: "which pixels of the file mark what may change; greys and half transparency mean half"},
		{name: "feather", to: func(m *masking) any { return &m.feather }, def: "0", doc: "over how many pixels the edge of all shapes together fades"},
	},
	blocks: []inner{
		{name: "rect", many: true, body: &rectSchema, doc: "a rectangle that may change"},
		{name: "ellipse", many: true, body: &ellipseSchema, doc: "an ellipse or a circle that may change"},
		{name: "polygon", many: true, body: &polygonSchema, doc: "an area with straight sides that may change"},
		{name: "path", many: true, body: &pathSchema, doc: "an area of any outline that may change"},
	},
}

func lengthRow(name, doc, def string, required bool, to func(*figure) *shape.Length) row[figure] {
	return row[figure]{name: name, doc: doc, def: def, required: required, to: func(f *figure) any { return to(f) }}
}

// ofAll is what every shape has beside what it is.
func ofAll(rows ...row[figure]) []row[figure] {
	return append(rows,
		lengthRow("feather", "over how many pixels its edge fades, half of them within", "0", false, func(f *figure) *shape.Length { return &f.feather }),
		row[figure]{name: "subtract", to: func(f *figure) any { return &f.subtract }, def: "false", doc: "it takes away from what the other shapes cover, wherever it stands among them"})
}

var (
	rectSchema = schema[figure]{rows: ofAll(
		lengthRow("x", "its left side", "0", false, func(f *figure) *shape.Length { return &f.x }),
		lengthRow("y", "its upper side", "0", false, func(f *figure) *shape.Length { return &f.y }),
		lengthRow("width", "how wide it is", "", true, func(f *figure) *shape.Length { return &f.width }),
		lengthRow("height", "how high it is", "", true, func(f *figure) *shape.Length { return &f.height }),
		lengthRow("radius", "of its corners", "0", false, func(f *figure) *shape.Length { return &f.radius }),
	)}
	ellipseSchema = schema[figure]{rows: ofAll(
		lengthRow("cx", "its centre", "", true, func(f *figure) *shape.Length { return &f.x }),
		lengthRow("cy", "its centre", "", true, func(f *figure) *shape.Length { return &f.y }),
		lengthRow("rx", "how far it reaches to either side", "", true, func(f *figure) *shape.Length { return &f.width }),
		lengthRow("ry", "how far it reaches up and down; without it as many pixels as rx, which is a circle", "", false, func(f *figure) *shape.Length { return &f.height }),
	)}
	polygonSchema = schema[figure]{rows: ofAll(
		row[figure]{name: "points", required: true, kind: "list of [x, y]", to: func(f *figure) any { return &f.points }, hint: pointsHint, doc: "its corners, three or more"},
	)}
	pathSchema = schema[figure]{rows: ofAll(
		row[figure]{name: "d", required: true, to: func(f *figure) any { return &f.data }, doc: "its outline as SVG path data, such as \"M0 0 L100 0 L50 80 Z\""},
		row[figure]{name: "viewbox", to: func(f *figure) any { return &f.box }, doc: "the part of the coordinates of d that is stretched over the whole picture, such as \"0 0 24 24\"; without it they are pixels"},
	)}
	figureSchemas = map[string]*schema[figure]{"rect": &rectSchema, "ellipse": &ellipseSchema, "polygon": &polygonSchema, "path": &pathSchema}
)

const pointsHint = `write points = [[0, 0], ["50%", "100%"], [200, 0]]`

// decodeMask decodes a mask block.
func decodeMask(b *hclsyntax.Block, d *draft, get valuer, thing string, add func(diag.Finding)) (wait bool) {
	m := masking{Mask: spec.Mask{Edit: "transparent"}}
	add = within(add, "mask: ")
	if len(b.Labels) > 0 {
		add(problem(codeLabel, thing, b.LabelRanges[0], "remove it", "mask takes no label"))
	}
	has, wait := decode(b.Body, &maskSchema, &m, get, thing, b.DefRange(), add)
	if wait {
		return true
	}
	whole := has.said == has.set
	drawing := shape.Drawing{Feather: m.feather}
	for _, inner := range b.Body.Blocks {
		s := figureSchemas[inner.Type]
		if s == nil {
			whole = false // and that was told
			continue
		}
		if len(inner.Labels) > 0 {
			add(problem(codeLabel, thing, inner.LabelRanges[0], "remove it", "%s takes no label", inner.Type))
		}
		one, ok, wait := decodeFigure(inner, s, get, thing, within(add, inner.Type+": "))
		if wait {
			return true
		}
		if whole = whole && ok; ok {
			drawing.Shapes = append(drawing.Shapes, one)
			m.Written = append(m.Written, one.String())
		}
	}
	attribute := func(name string) hcl.Range {
		if a := b.Body.Attributes[name]; a != nil {
			return a.Expr.Range()
		}
		return b.DefRange()
	}
	shapes := len(b.Body.Blocks) > 0
	switch {
	case b.Body.Attributes["file"] != nil && shapes:
		add(problem(codeEdit, thing, b.Body.Blocks[0].TypeRange, "keep the file, or the shapes", "a mask is a file or drawn, and not both"))
	case b.Body.Attributes["file"] == nil && !shapes:
		add(problem(codeRequired, thing, b.DefRange(), `add file = "masks/sky.png", or draw it: rect { … }, ellipse { … }, polygon { … } or path { … }`, "it needs a file or a shape"))
	case shapes && b.Body.Attributes["edit"] != nil:
		add(problem(codeEdit, thing, attribute("edit"), "remove it; a shape with subtract = true stays as it is", "edit is for a file: what is drawn may change"))
	case shapes && whole:
		m.Edit = provider.Drawn
		for _, f := range drawing.Faults() {
			hint := "draw it as a file"
			if f.Field == "feather" {
				hint = "write 0 or more"
			} else if strings.Contains(f.Text, "subtract") {
				hint = `draw what may change, such as rect { … } with width and height "100%"`
			}
			add(problem(codeRange, thing, attribute(f.Field), hint, "%s %s", cmp.Or(f.Field, "it"), f.Text))
		}
		m.Shapes = drawing.String()
	case !shapes && b.Body.Attributes["feather"] != nil:
		add(problem(codeEdit, thing, attribute("feather"), "soften the edges in the file, with greys", "feather is for shapes"))
	case !shapes:
		if m.File = trimDot(m.File); m.File != "" {
			if err := spec.CheckPath(m.File); err != nil {
				add(problem(codePath, thing, attribute("file"), pathHint(m.File), "the path %s %s", quoteKey(m.File), err))
			}
		}
	}
	d.Wanted.Mask = &m.Mask
	return false
}

// decodeFigure decodes a shape; ok is false if there was something to tell.
func decodeFigure(b *hclsyntax.Block, s *schema[figure], get valuer, thing string, add func(diag.Finding)) (out shape.Shape, ok, wait bool) {
	var f figure
	good := true
	tell := func(f diag.Finding) { good = false; add(f) }
	has, wait := decode(b.Body, s, &f, get, thing, b.DefRange(), tell)
	if wait {
		return out, false, true
	}
	out = shape.Shape{Kind: b.Type, Feather: f.feather, Subtract: f.subtract}
	said := func(name string) bool {
		for i := range s.rows {
			if s.rows[i].name == name {
				return has.said&(1<<i) != 0
			}
		}
		return false
	}
	switch b.Type {
	case "rect":
		if out.Args = []shape.Length{f.x, f.y, f.width, f.height}; f.radius.Sign() != 0 {
			out.Args = append(out.Args, f.radius)
		}
	case "ellipse":
		if out.Args = []shape.Length{f.x, f.y, f.width}; said("ry") {
			out.Args = append(out.Args, f.height)
		}
	case "polygon":
		out.Args = f.points
	case "path":
		if !good || has.said != has.set {
			break
		}
		if said("viewbox") {
			if err := out.Path.SetBox(f.box); err != nil {
				tell(problem(codeType, thing, b.Body.Attributes["viewbox"].Expr.Range(), `write viewbox = "0 0 24 24"`, "viewbox %s", err))
			}
		}
		var at *shape.PathError
		if err := out.Path.SetData(f.data); errors.As(err, &at) {
			tell(problem(codeType, thing, inText(b.Body.Attributes["d"].Expr, f.data, at.At), "write SVG path data, such as \"M0 0 L100 0 L50 80 Z\"", "d %s", err))
		}
	}
	if !good || has.said != has.set {
		return out, false, false
	}
	for _, f := range out.Faults() {
		at := b.DefRange()
		if a := b.Body.Attributes[f.Field]; a != nil {
			at = a.Expr.Range()
		}
		hint := "write a number above 0"
		if f.Field == "points" {
			hint = pointsHint
		} else if f.Field == "radius" || f.Field == "feather" {
			hint = "write 0 or more"
		} else if f.Field == "" {
			hint = "move it into the picture, or remove it"
		}
		tell(problem(codeRange, thing, at, hint, "%s %s", cmp.Or(f.Field, "it"), f.Text))
	}
	return out, good, false
}

// inText is the place of the i-th byte of a text, if it stands in the file as it
// is, else of the whole expression.
func inText(e hclsyntax.Expression, text string, i int) hcl.Range {
	r := e.Range()
	t, ok := e.(*hclsyntax.TemplateExpr)
	if !ok || len(t.Parts) != 1 || i >= len(text) {
		return r
	}
	part := t.Parts[0].Range()
	if part.End.Byte-part.Start.Byte != len(text) || part.Start.Line != part.End.Line {
		return r
	}
	_, size := utf8.DecodeRuneInString(text[i:])
	part.Start.Byte += i
	part.Start.Column += utf8.RuneCountInString(text[:i])
	part.End = part.Start
	part.End.Byte += size
	part.End.Column++
	return part
}

const aLength = `a number of pixels, or a percentage such as "45%"`

// lengthOf reads pixels, or a percentage. The complaint follows "must be" or,
// if it begins with is, the name of the value.
func lengthOf(v cty.Value) (l shape.Length, complaint string) {
	var text string
	switch {
	case v.IsNull():
		return l, aLength
	case v.Type() == cty.Number:
		f := v.AsBigFloat()
		if f.IsInf() || f.MantExp(nil) > 40 {
			text = "1e99" // too large, and the digits would be many
		} else if f.MantExp(nil) > -40 {
			text = new(big.Float).Copy(f).Text('f', 6)
		} else {
			text = "0"
		}
	case v.Type() == cty.String:
		text = strings.TrimSpace(v.AsString())
	default:
		return l, aLength
	}
	l, err := shape.ParseLength(text)
	switch {
	case err == nil:
		return l, ""
	case strings.HasPrefix(err.Error(), "is larger"):
		return l, err.Error()
	}
	return l, aLength
}

// pointsOf reads a list of [x, y].
func pointsOf(v cty.Value) (out []shape.Length, known bool, complaint string) {
	const want = "a list of points [x, y]"
	list := func(v cty.Value) bool {
		ty := v.Type()
		return !v.IsNull() && (ty.IsTupleType() || ty.IsListType())
	}
	if !v.IsWhollyKnown() {
		return nil, false, ""
	}
	if !list(v) {
		return nil, true, want
	}
	for it := v.ElementIterator(); it.Next(); {
		_, p := it.Element()
		if !list(p) || p.LengthInt() != 2 {
			return nil, true, want
		}
		for it := p.ElementIterator(); it.Next(); {
			_, c := it.Element()
			l, complaint := lengthOf(c)
			if complaint != "" {
				return nil, true, want + ", each " + strings.TrimPrefix(aLength, "a ")
			}
			out = append(out, l)
		}
	}
	return out, true, ""
}
