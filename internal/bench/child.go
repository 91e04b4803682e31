package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/imgbuild/imgbuild/internal/paint"
)

// children are what the bench does in a process of its own, to be measured:
// each takes a folder, a number of images, or the name of what it does.
var children = map[string]func(w io.Writer, arg string) error{
	"-raw":      raw,
	"-hash":     hash,
	"-hash-all": hashAll,
	"-recover":  runRecover,
	"-eval":     eval,
	"-evaluate": evaluate,
	"-engine":   runEngine,
	"-schedule": runSchedule,
	"-draw":     draw,
	"-ask":      ask,
	"-bare":     bareNet,
	"-serve":    serveInline,
	"-inline":   runInline,

	"-photographs": takePhotographs,
	"-pixels":      runJob,
	"-site":        runSite,
	"-ssim":        runSSIM,
}

// raw parses every configuration file of a folder with the bare HCL parser, one
// after the other.
func raw(w io.Writer, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.img.hcl"))
	if err != nil {
		return err
	}
	blocks := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		f, diags := hclsyntax.ParseConfig(src, filepath.Base(file), hcl.InitialPos)
		if diags.HasErrors() {
			return diags
		}
		blocks += len(f.Body.(*hclsyntax.Body).Blocks)
	}
	fmt.Fprintln(w, "parsed", blocks)
	return nil
}

// hash reads every picture of a folder and adds up its SHA-256.
func hash(w io.Writer, dir string) error {
	n, err := hashBelow(filepath.Join(dir, pictures))
	fmt.Fprintln(w, "hashed", n)
	return err
}

// hashBelow reads every file below a folder.
func hashBelow(dir string) (n int, err error) {
	buf := make([]byte, 1<<20)
	sum := sha256.New()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		sum.Reset()
		// Hide ReadFrom and WriteTo: the buffer is to be used.
		_, err = io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{f}, buf)
		sum.Sum(buf[:0])
		n++
		return err
	})
	return n, err
}

// eval evaluates the expressions of the for_each image in a folder with HCL
// alone: for_each once, the attributes for each of its instances.
func eval(w io.Writer, dir string) error {
	src, err := os.ReadFile(filepath.Join(dir, forEachFile))
	if err != nil {
		return err
	}
	f, diags := hclsyntax.ParseConfig(src, forEachFile, hcl.InitialPos)
	if diags.HasErrors() {
		return diags
	}
	root := &hcl.EvalContext{Functions: map[string]function.Function{
		"jsondecode": stdlib.JSONDecodeFunc,
		"file": function.New(&function.Spec{
			Params: []function.Parameter{{Type: cty.String}}, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				b, err := os.ReadFile(filepath.Join(dir, args[0].AsString()))
				return cty.StringVal(string(b)), err
			},
		}),
	}}
	var exprs []hclsyntax.Expression
	var posts map[string]cty.Value
	for name, a := range f.Body.(*hclsyntax.Body).Blocks[0].Body.Attributes {
		if name != "for_each" {
			exprs = append(exprs, a.Expr)
			continue
		}
		v, diags := a.Expr.Value(root)
		if diags.HasErrors() {
			return diags
		}
		posts = v.AsValueMap()
	}
	if len(exprs) != 5 {
		return fmt.Errorf("%s has %d attributes, not 5", forEachFile, len(exprs))
	}
	length := 0
	for key, post := range posts {
		ctx := root.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{
			"key": cty.StringVal(key), "value": post,
		})}
		for _, e := range exprs {
			v, diags := e.Value(ctx)
			if diags.HasErrors() {
				return diags
			}
			length += len(v.AsString())
		}
	}
	fmt.Fprintln(w, "evaluated", len(posts), "instances,", length, "bytes")
	return nil
}

// An initialised package, as GODEBUG=inittrace=1 tells.
type initialised struct {
	name  string
	clock float64 // milliseconds
}

// initTrace reads lines such as
//
//	init internal/bytealg @0.008 ms, 0 ms clock, 0 bytes, 0 allocs
func initTrace(stderr string) []initialised {
	var out []initialised
	for line := range strings.Lines(stderr) {
		var p initialised
		var at float64
		if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock,", &p.name, &at, &p.clock); n == 3 {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b initialised) int { return strings.Compare(a.name, b.name) })
	return out
}

// draw draws a megapixel of a prompt several times, and tells the CPU time of
// one.
func draw(w io.Writer, prompt string) error {
	const times = 3
	before := selfCPU()
	for seed := range uint64(times) {
		paint.Draw(paint.Order{Prompt: prompt, Width: 1000, Height: 1000, Seed: seed})
	}
	spent := selfCPU() - before
	if spent <= 0 {
		return errNoCPU
	}
	fmt.Fprintf(w, "%d ns an image\n", int64(spent)/times)
	return nil
}
