package config

import (
	"fmt"
	"slices"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/shape"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Block is a kind of block of the language, as people and programs are told of
// it: what decodes the configuration tells it.
type Block struct {
	Name  string
	Label string // what stands behind the name, such as NAME; "" for nothing
	// Many is whether there may be more than one; with a label, one of each.
	Many       bool
	Text       string // one line, without a capital letter and a full stop
	Open       string // what attributes of any other name are; "" if there are none
	Attributes []Attribute
	Blocks     []Block
}

// Attribute is an attribute of a Block.
type Attribute struct {
	Name, Type, Text string
	Required         bool
	Default          string // as HCL writes it; "" if there is none, or Text tells it
	Choices          []string
	Low, Up          int // of a number; both 0 for any
}

// Language lists the blocks of a file, with all that is in them.
func Language() []Block { return describeBlocks(topBlocks) }

// Block finds a block within another, or nil.
func (b *Block) Block(name string) *Block {
	if i := slices.IndexFunc(b.Blocks, func(b Block) bool { return b.Name == name }); i >= 0 {
		return &b.Blocks[i]
	}
	return nil
}

// body is a schema of any type.
type body interface{ describe() Block }

func (s *schema[T]) describe() Block {
	b := Block{Open: s.open, Blocks: describeBlocks(s.blocks)}
	for i := range s.rows {
		if s.rows[i].name != "" {
			b.Attributes = append(b.Attributes, s.rows[i].describe())
		}
	}
	return b
}

func (r *row[T]) describe() Attribute {
	a := Attribute{Name: r.name, Type: r.kind, Text: r.doc, Required: r.required, Default: r.def, Choices: r.choices, Low: r.low, Up: r.up}
	if a.Type != "" {
		return a
	}
	switch to := r.to(new(T)).(type) {
	case *string:
		if a.Type = "string"; r.loose {
			a.Type = "string, number or bool"
		}
	case *int, **provider.Money, *spec.Hundredths:
		a.Type = "number"
	case *colour:
		a.Type = "string"
	case *bool, **bool:
		a.Type = "bool"
	case *shape.Length, *extent:
		a.Type = "number or percentage"
	case **target:
		a.Type = kindOf(r.name) + " address"
	default:
		panic(fmt.Sprintf("config: attribute %s is decoded into a %T", r.name, to))
	}
	return a
}

func describeBlocks(list []inner) []Block {
	var out []Block
	for _, in := range list {
		b := in.body.describe()
		b.Name, b.Label, b.Many, b.Text = in.name, in.label, in.many, in.doc
		out = append(out, b)
	}
	return out
}

func blockNamed(list []inner, name string) *inner {
	for i := range list {
		if list[i].name == name {
			return &list[i]
		}
	}
	return nil
}

func blockNames(list []inner) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	return names
}
