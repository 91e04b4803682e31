package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/manifest"
)

// TestManifestIsTrue holds what a manifest says of files, which is reckoned from
// recipes, to the files.
func TestManifestIsTrue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var photo bytes.Buffer
	if _, err := imaging.New(50, 70).Encode(&photo, "png", 0, false); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"photo.png": photo.Bytes(), "site.img.hcl": []byte(manyRenditions)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var out, talk bytes.Buffer
	if code := cli.Main(&cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Now: time.Now, Dir: dir, Getenv: func(string) string { return "" }, Args: []string{"apply", "-auto-approve"}}); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, &out, &talk)
	}
	b, err := os.ReadFile(filepath.Join(dir, "images.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	n := 0
	check := func(f manifest.File) {
		n++
		b, err := os.ReadFile(filepath.Join(dir, f.Path))
		if err != nil {
			t.Error(err)
			return
		}
		info, err := imaging.Measure(b, imaging.DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", f.Path, err)
			return
		}
		is := manifest.File{Path: f.Path, Width: info.Width, Height: info.Height, MIME: "image/" + info.Format, Bytes: int64(len(b)), SHA256: digest.OfContent(b).String()}
		if is != f {
			t.Errorf("the manifest has %+v\nand the file %+v", f, is)
		}
	}
	for key, im := range m.Images {
		if im.Status != "" {
			t.Errorf("%s: %s", key, im.Status)
		}
		check(im.File)
		for _, v := range im.Variants {
			check(v.File)
		}
	}
	if n != 19 {
		t.Errorf("%d files", n)
	}
	if im := m.Images["set"]; im.Shown == nil || im.Shown.Width != 81 || im.Shown.Height != 30 || im.Placeholder == nil || len(im.Srcset) != 2 || im.Srcset[0].MIME != "image/webp" {
		t.Errorf("the set: %+v", im)
	}
	if a, b := m.Images["patched"], m.Images["photo"]; a.Width != 90 || b.Width != 50 || b.Height != 70 {
		t.Errorf("what was put back is told to be %dx%d and %dx%d", a.Width, a.Height, b.Width, b.Height)
	}
}

const manyRenditions = `
imgbuild {
  manifest "json" {
    path = "images.json"
  }
}
provider "sketch" {}
image "hero" {
  prompt  = "A lake"
  size    = "90x47"
  path    = "hero.png"
  enlarge = true
  rendition "copy" {
    format = "jpeg"
  }
  rendition "cover" {
    width  = 31
    height = 17
    format = "png"
  }
  rendition "contain" {
    width  = 31
    height = 30
    fit    = "contain"
    format = "png"
  }
  rendition "inside" {
    width  = 200
    height = 170
    fit    = "inside"
    format = "jpeg"
  }
  rendition "outside" {
    width  = 31
    height = 40
    fit    = "outside"
    format = "png"
  }
  rendition "fill" {
    width  = 31
    height = 40
    fit    = "fill"
    format = "png"
  }
  rendition "crop" {
    format = "png"
    crop {
      x      = "10%"
      y      = 3
      width  = "33%"
      height = 7
    }
  }
  rendition "both" {
    width  = 13
    format = "png"
    blur   = 2
    crop {
      x      = 1
      y      = 1
      width  = 40
      height = 39
    }
  }
}
image "set" {
  prompt      = "A fox"
  size        = "90x47"
  placeholder = true
  responsive {
    widths  = [31, 200]
    formats = ["webp", "png"]
    lossless = true
    crop {
      x      = 0
      y      = "10%"
      width  = "90%"
      height = 30
    }
  }
}
image "small" {
  prompt = "A fox"
  size   = "20x10"
  rendition "large" {
    width  = 40
    height = 40
    format = "jpeg"
  }
}
image "patched" {
  prompt = "At night"
  size   = "90x47"
  edit {
    image    = image.hero
    preserve = true
    mask {
      rect {
        x      = 0
        y      = 0
        width  = "50%"
        height = "50%"
      }
    }
  }
}
image "photo" {
  prompt = "At night"
  path   = "night.jpg"
  edit {
    image    = "photo.png"
    preserve = true
    mask {
      rect {
        x      = 0
        y      = 0
        width  = 10
        height = 10
      }
    }
  }
  rendition "thumb" {
    width  = 9
    format = "png"
  }
}
`
