package config

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// literal is n images as people write them, about 310 bytes each, 100 a file.
func literalImages(n int) files {
	f := files{"main.img.hcl": "provider \"sketch\" {}\n"}
	for from := 0; from < n; from += 100 {
		var b strings.Builder
		for i := from; i < min(n, from+100); i++ {
			fmt.Fprintf(&b, `image "picture_%06d" {
  prompt = "A quiet harbour at dawn, number %06d, with small wooden boats, gulls over the water and mist between the houses, painted in soft light colours."
  size   = "1024x1024"
  style  = "natural"
  model  = "grok-imagine-image"
  path   = "harbour/picture_%06d.png"
}

`, i, i, i)
		}
		f[fmt.Sprintf("images_%05d.img.hcl", from/100)] = b.String()
	}
	return f
}

func perImage(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/image")
}

// BenchmarkParse is what the parser alone takes for the same bytes.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		f := literalImages(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for name, src := range f {
					if _, diags := hclsyntax.ParseConfig([]byte(src), name, hcl.InitialPos); diags.HasErrors() {
						b.Fatal(diags)
					}
				}
			}
			perImage(b, n)
		})
	}
}

func benchmarkLoad(b *testing.B, f files, n int) {
	b.ReportAllocs()
	for b.Loop() {
		p, l := Load(f, Options{})
		if len(l) > 0 || len(p.Images) != n {
			b.Fatal(len(p.Images), lines(l))
		}
	}
	perImage(b, n)
}

// BenchmarkLoadLiteral runs with -cpu 1 beside BenchmarkParse: the difference
// is what this package adds.
func BenchmarkLoadLiteral(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		f := literalImages(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkLoad(b, f, n) })
	}
}

// forEach is one block with n instances, and expressions in each attribute.
func forEachImages(n int) files {
	var b strings.Builder
	b.WriteString(sketch + "locals {\n  keys = {\n")
	for i := range n {
		fmt.Fprintf(&b, "    k%06d = \"boats\"\n", i)
	}
	b.WriteString(`  }
}
image "harbour" {
  for_each = local.keys
  prompt   = "A quiet harbour at dawn, number ${each.key}, with ${upper(each.value)}"
  style    = each.key == "k000001" ? "vivid" : "natural"
  model    = "grok-imagine-image"
  path     = "harbour/${each.key}.png"
  alt      = each.key
}
`)
	return files{"main.img.hcl": b.String()}
}

// BenchmarkLoadForEach is to be compared with BenchmarkEvaluate: parsing and
// evaluating the for_each comes on top, and so do BenchmarkForEachKeys.
func BenchmarkLoadForEach(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		f := forEachImages(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkLoad(b, f, n) })
	}
}

// BenchmarkForEachKeys is what the map alone takes: the same file without the
// image.
func BenchmarkForEachKeys(b *testing.B) {
	const n = 10000
	src := forEachImages(n)["main.img.hcl"]
	benchmarkLoadKeys := files{"main.img.hcl": src[:strings.Index(src, "image ")]}
	for b.Loop() {
		Load(benchmarkLoadKeys, Options{})
	}
	perImage(b, n)
}

// BenchmarkEvaluate evaluates the attributes of an instance as hcl does alone.
func BenchmarkEvaluate(b *testing.B) {
	file, _ := hclsyntax.ParseConfig([]byte(forEachImages(1)["main.img.hcl"]), "x", hcl.InitialPos)
	blocks := file.Body.(*hclsyntax.Body).Blocks
	body := blocks[len(blocks)-1].Body
	delete(body.Attributes, "for_each")
	ev := newEvaluator(files{}, Options{})
	if !ev.function("upper") {
		b.Fatal("there is no function")
	}
	root := ev.root
	b.ReportAllocs()
	for b.Loop() {
		ctx := root.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal("k000001"), "value": cty.StringVal("boats")})}
		for _, a := range body.Attributes {
			if _, diags := a.Expr.Value(ctx); diags.HasErrors() {
				b.Fatal(diags)
			}
		}
	}
}

// BenchmarkLoadOverParse runs both in turn and compares the best of each, which
// a noisy machine disturbs least. Run it with -cpu 1.
func BenchmarkLoadOverParse(b *testing.B) {
	const n = 1000
	f := literalImages(n)
	parse, load := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		for name, src := range f {
			hclsyntax.ParseConfig([]byte(src), name, hcl.InitialPos)
		}
		parse = min(parse, time.Since(start))
		start = time.Now()
		Load(f, Options{})
		load = min(load, time.Since(start))
	}
	b.ReportMetric(float64(parse.Nanoseconds())/n, "parse-ns/image")
	b.ReportMetric(float64(load.Nanoseconds())/n, "load-ns/image")
	b.ReportMetric(float64(load)/float64(parse), "ratio")
}

func BenchmarkGuard(b *testing.B) {
	src := []byte(literalImages(100)["images_00000.img.hcl"])
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if guard("x", src, false) != nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkDecodeLiteral decodes a parsed block of literals.
func BenchmarkDecodeLiteral(b *testing.B) {
	out := &parsed{}
	body, ok := out.parse("a.img.hcl", []byte(literalImages(1)["images_00000.img.hcl"]))
	if !ok {
		b.Fatal(out.findings)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !out.literalImage(body.Blocks[0], &draft{}) {
			b.Fatal("it is not literal")
		}
	}
}
