package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// shape is a way to say many images with few words. What an instance costs is
// compared with HCL evaluating the same expressions and nothing else.
type shape struct {
	name  string
	write func(dir string, n int) error
	eval  func(dir string) (instances, length int, err error)
}

var shapes = map[string]shape{
	"templates": {"for_each with templates", writeTemplates, evalTemplates},
	"posts":     {"front matter of posts", writePosts, evalPosts},
	"modules":   {"instances of a module", writeModules, evalModules},
}

// perModule is the images of one instance of the module.
const perModule = 10

// languageRows are the costs of loading, which eval does and nothing else.
func languageRows(l *lab) []row {
	const k = 1000
	per := func(kind string, few, many int) row {
		return l.sized(slope(shapes[kind].name+", per instance", loaded(l, kind, few), loaded(l, kind, many), alone(l, kind, few), alone(l, kind, many),
			many-few, "its expressions", 3, 2), 10*k)
	}
	linear := func(kind string, few, many int) row {
		r := versus(fmt.Sprintf("growth, %s, %d to %d", shapes[kind].name, many, few), loaded(l, kind, many), loaded(l, kind, few), fmt.Sprintf("at %d", few), 12, 11)
		return l.sized(r, 100*k)
	}
	return []row{
		per("templates", 100, 10*k), per("posts", 100, 10*k), per("modules", 200, 2*k),
		linear("templates", 10*k, 100*k), linear("templates", k, 10*k), linear("modules", k, 10*k),
	}
}

func loaded(l *lab, kind string, n int) *probe {
	name := fmt.Sprintf("%s-%d", kind, n)
	dir := l.path(name)
	return &probe{
		name: "load-" + name, dir: dir, argv: []string{l.bin, "eval", "1 + 1"}, says: "2\n",
		make:   func() error { return l.once(name, func(dir string) error { return shapes[kind].write(dir, n) }) },
		before: func() error { return os.RemoveAll(filepath.Join(dir, ".imgbuild")) },
	}
}

func alone(l *lab, kind string, n int) *probe {
	p := loaded(l, kind, n)
	p.name = fmt.Sprintf("bare-%s-%d", kind, n)
	p.argv = []string{l.self, "-evaluate", kind + ":" + p.dir}
	p.before, p.says = nil, fmt.Sprintf("evaluated %d ", n)
	return p
}

func evaluate(w io.Writer, arg string) error {
	kind, dir, _ := strings.Cut(arg, ":")
	n, length, err := shapes[kind].eval(dir)
	fmt.Fprintln(w, "evaluated", n, "instances,", length, "bytes")
	return err
}

func writeTemplates(dir string, n int) error {
	return writeFiles(dir, map[string]string{"a.img.hcl": fmt.Sprintf(`provider "sketch" {}
image "post" {
  for_each = { for i in flatten([for k in range(%d) : [for j in range(100) : k * 100 + j]]) : format("%%06d", i) => { word = "boat ${i}", night = i %% 2 == 0 } }
  prompt   = "A quiet harbour at %%{if each.value.night}night%%{else}dawn%%{endif}, ${each.value.word}, mist over the water, for the post ${each.key}"
  size     = "16x16"
  style    = each.value.night ? "natural" : "vivid"
  path     = "pictures/${substr(each.key, 0, 3)}/${each.key}.png"
  alt      = "${title(each.value.word)} in a harbour"
}
`, n/100)})
}

func evalTemplates(dir string) (int, int, error) {
	block, root, err := firstImage(dir)
	if err != nil {
		return 0, 0, err
	}
	return evalInstances(block, root)
}

const post = `---
title: "Post %06d"
date: 2026-03-01
tags: [harbour, boat, mist]
image_prompt: A quiet harbour at dawn, boat %[1]d, mist over the water
image_alt: A boat in a harbour
---
The text of the post stands here.
`

func writePosts(dir string, n int) error {
	files := map[string]string{"a.img.hcl": `provider "sketch" {}
image "post" {
  for_each = { for f in fileset("posts", "*.md") : trimsuffix(f, ".md") => frontmatter("posts/${f}") }
  prompt   = each.value.image_prompt
  path     = "pictures/${each.key}.png"
  alt      = each.value.image_alt
}
`}
	for i := range n {
		files[fmt.Sprintf("posts/post-%06d.md", i)] = fmt.Sprintf(post, i)
	}
	return writeFiles(dir, files)
}

func evalPosts(dir string) (int, int, error) {
	block, root, err := firstImage(dir)
	if err != nil {
		return 0, 0, err
	}
	root.Functions["fileset"] = text2(func(a, pattern string) (cty.Value, error) {
		found, err := filepath.Glob(filepath.Join(dir, a, pattern))
		list := make([]cty.Value, len(found))
		for i := range found {
			list[i] = cty.StringVal(filepath.Base(found[i]))
		}
		return cty.SetVal(list), err
	})
	root.Functions["frontmatter"] = function.New(&function.Spec{
		Params: []function.Parameter{{Type: cty.String}}, Type: function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			b, err := os.ReadFile(filepath.Join(dir, args[0].AsString()))
			if err != nil {
				return cty.NilVal, err
			}
			head, _, _ := bytes.Cut(bytes.TrimPrefix(b, []byte("---\n")), []byte("\n---"))
			ty, err := ctyyaml.Standard.ImpliedType(head)
			if err != nil {
				return cty.NilVal, err
			}
			return ctyyaml.Standard.Unmarshal(head, ty)
		},
	})
	return evalInstances(block, root)
}

func text2(f func(a, b string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Type: cty.String}, {Type: cty.String}}, Type: function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return f(args[0].AsString(), args[1].AsString())
		},
	})
}

func writeModules(dir string, n int) error {
	var module strings.Builder
	module.WriteString(`variable "word" {
  type = string
}
variable "place" {
  type = string
}
locals {
  mood = "mist over the ${var.place}"
}
`)
	for i := range perModule {
		fmt.Fprintf(&module, `image "pic%d" {
  prompt = "A quiet harbour at dawn, ${var.word}, ${local.mood}, number %[1]d"
  size   = "16x16"
  style  = "natural"
  path   = "pictures/${var.word}-%[1]d.png"
}
`, i)
	}
	return writeFiles(dir, map[string]string{"m/m.img.hcl": module.String(), "a.img.hcl": fmt.Sprintf(`provider "sketch" {}
module "set" {
  source   = "./m"
  for_each = toset(slice(flatten([for k in range(100) : [for j in range(100) : format("k%%05d", k * 100 + j)]]), 0, %d))
  word     = "boat ${each.key}"
  place    = "water"
}
`, n)})
}

// evalModules evaluates what an instance of the module needs: its inputs, its
// local, and the attributes of its images.
func evalModules(dir string) (int, int, error) {
	outer, root, err := parseFile(filepath.Join(dir, "a.img.hcl"))
	if err != nil {
		return 0, 0, err
	}
	inner, _, err := parseFile(filepath.Join(dir, "m", "m.img.hcl"))
	if err != nil {
		return 0, 0, err
	}
	var call *hclsyntax.Block
	for _, b := range outer.Blocks {
		if b.Type == "module" {
			call = b
		}
	}
	keys, diags := call.Body.Attributes["for_each"].Expr.Value(root)
	if diags.HasErrors() {
		return 0, 0, diags
	}
	n, length := 0, 0
	for it := keys.ElementIterator(); it.Next(); n++ {
		key, _ := it.Element()
		ctx := root.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": key})}
		vars := map[string]cty.Value{}
		for _, name := range []string{"word", "place"} {
			v, diags := call.Body.Attributes[name].Expr.Value(ctx)
			if diags.HasErrors() {
				return 0, 0, diags
			}
			vars[name] = v
		}
		scope := root.NewChild()
		scope.Variables = map[string]cty.Value{"var": cty.ObjectVal(vars)}
		for _, b := range inner.Blocks {
			if b.Type == "locals" {
				v, diags := b.Body.Attributes["mood"].Expr.Value(scope)
				if diags.HasErrors() {
					return 0, 0, diags
				}
				scope.Variables["local"] = cty.ObjectVal(map[string]cty.Value{"mood": v})
			}
		}
		for _, b := range inner.Blocks {
			if b.Type != "image" {
				continue
			}
			for _, a := range b.Body.Attributes {
				v, diags := a.Expr.Value(scope)
				if diags.HasErrors() {
					return 0, 0, diags
				}
				length += len(v.AsString())
			}
		}
	}
	return n, length, nil
}

func parseFile(file string) (*hclsyntax.Body, *hcl.EvalContext, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	f, diags := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	return f.Body.(*hclsyntax.Body), &hcl.EvalContext{Functions: map[string]function.Function{
		"range": stdlib.RangeFunc, "slice": stdlib.SliceFunc, "format": stdlib.FormatFunc, "flatten": stdlib.FlattenFunc, "substr": stdlib.SubstrFunc,
		"title": stdlib.TitleFunc, "trimsuffix": stdlib.TrimSuffixFunc, "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
	}}, nil
}

func firstImage(dir string) (*hclsyntax.Block, *hcl.EvalContext, error) {
	body, root, err := parseFile(filepath.Join(dir, "a.img.hcl"))
	if err != nil {
		return nil, nil, err
	}
	for _, b := range body.Blocks {
		if b.Type == "image" {
			return b, root, nil
		}
	}
	return nil, nil, fmt.Errorf("%s has no image", dir)
}

// evalInstances evaluates for_each once, and the other attributes for each of
// its elements.
func evalInstances(b *hclsyntax.Block, root *hcl.EvalContext) (n, length int, err error) {
	all, diags := b.Body.Attributes["for_each"].Expr.Value(root)
	if diags.HasErrors() {
		return 0, 0, diags
	}
	for it := all.ElementIterator(); it.Next(); n++ {
		key, value := it.Element()
		ctx := root.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		for name, a := range b.Body.Attributes {
			if name == "for_each" {
				continue
			}
			v, diags := a.Expr.Value(ctx)
			if diags.HasErrors() {
				return 0, 0, diags
			}
			length += len(v.AsString())
		}
	}
	return n, length, nil
}

func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}
