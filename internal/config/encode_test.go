package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/shape"
)

func TestEncodeKeepsEverything(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]files{"the language": theLanguage, "literals": literalImages(250), "lives": theLives, "lifecycle": lifecycles, "sets": sets, "manifests": withManifests, "nothing": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := load(t, f)
			got, err := Decode(p.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(p, got, cmp.AllowUnexported(Project{}, Import{}, Budget{}, Guard{}, Manifest{}, Lint{}, origin{}, ancestor{}, place{}, shape.Length{}), cmpopts.IgnoreFields(Project{}, "eval"), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-loaded +decoded):\n%s", d)
			}
			if got.HasOutputs() != p.HasOutputs() {
				t.Error("HasOutputs differs")
			}
			if values, l := got.Finish(nil); values != nil || l != nil {
				t.Error("a decoded project finished")
			}
		})
	}
}

// Every field of an image must be in the encoding: a new one that is forgotten
// would be lost by the cache only.
func TestEncodeKeepsFullImage(t *testing.T) {
	t.Parallel()
	p := load(t, files{"a.img.hcl": `
provider "sketch" {}
preset "p" {
  user = "u"
}
image "a" { prompt = "a" }
image "full" {
  preset       = preset.p
  prompt       = "p"
  model        = "m"
  size         = "1x1"
  resolution   = "2k"
  quality      = "low"
  style        = "s"
  reroll       = 2
  share        = true
  n            = 3
  pick         = 2
  path         = "x/full.jpg"
  decorative   = true
  enlarge      = true
  caption      = "c"
  credit       = "Me"
  license      = "CC0"
  label        = true
  file {
    format  = "jpeg"
    quality = 7
  }
  edit {
    images = [image.a, "b.png"]
    mask {
      file = "m.png"
      edit = "black"
    }
  }
  rendition "r" {
    width  = 1
    height = 2
    fit    = "fill"
    format = "png"
  }
}
image "drawn" {
  prompt = "p"
  edit {
    image    = image.a
    preserve = false
    mask {
      feather = 3
      rect {
        width  = 1
        height = "2%"
      }
      ellipse {
        cx       = 1
        cy       = 1
        rx       = 1
        subtract = true
      }
    }
  }
}
image "other" {
  prompt       = "p"
  alt          = "an alt"
  aspect_ratio = "1:1"
  label        = false
  file {
    lossless = true
  }
}
`})
	got, err := Decode(p.Encode())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got.Images, p.Images)
}

func TestDecodeRefusesDamage(t *testing.T) {
	t.Parallel()
	good := load(t, theLanguage).Encode()
	for i := range good {
		b := append([]byte(nil), good...)
		b[i] ^= 0x20
		if _, err := Decode(b); err == nil {
			t.Fatalf("byte %d changed, and it was decoded", i)
		}
		if _, err := Decode(good[:i]); err == nil {
			t.Fatalf("cut to %d bytes, and it was decoded", i)
		}
	}
}

// FuzzDecode puts a right checksum on anything, which no damage has.
func FuzzDecode(f *testing.F) {
	head := len(encodingVersion) + len(digest.Content{})
	p, _ := Load(theLanguage, Options{})
	f.Add(p.Encode()[head:])
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := digest.OfContent(body)
		b := append(append([]byte(encodingVersion), sum[:]...), body...)
		p, err := Decode(b)
		if (p == nil) == (err == nil) {
			t.Error("neither project nor error, or both")
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	const n = 10000
	p, _ := Load(literalImages(n), Options{})
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = len(p.Encode())
	}
	perImage(b, n)
	b.ReportMetric(float64(size)/n, "bytes/image")
}

func BenchmarkDecode(b *testing.B) {
	const n = 10000
	p, _ := Load(literalImages(n), Options{})
	enc := p.Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(enc); err != nil {
			b.Fatal(err)
		}
	}
	perImage(b, n)
}
