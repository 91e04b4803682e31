package config

import (
	"testing"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// sets has each block that is for several files.
var sets = files{"a.img.hcl": `provider "sketch" {}
image "a" {
  prompt      = "x"
  placeholder = true
  responsive {
    widths = [1, 2]
    sizes  = "9em"
    path   = "b"
    crop {
      width  = 3
      height = "4%"
    }
  }
  icon {
    fit        = "cover"
    background = "#102030"
    path       = "favicon"
    maskable   = false
  }
  social {
    title    = "T"
    subtitle = "S"
    font     = "f.ttf"
    color    = "#405060"
    gravity  = "east"
  }
}
image "b" {
  prompt = "x"
  path   = "d/b.jpg"
  icon {}
  responsive {
    widths = [5]
  }
  social {
    title  = "T"
    format = "png"
  }
}
`}

// TestSets: what blocks for several files ask for.
func TestSets(t *testing.T) {
	t.Parallel()
	p := load(t, sets)
	one := func(block, name, path string, width, height int, change func(*spec.Rendition)) spec.Rendition {
		r := spec.Rendition{Block: block, Name: name, Path: path, Width: width, Height: height}
		change(&r)
		return r
	}
	icon := func(name, path string, side int, fit, kind, format, background string) spec.Rendition {
		return one("icon", name, path, side, side, func(r *spec.Rendition) {
			r.Fit, r.Icon, r.File = fit, kind, spec.Encoding{Format: format, Background: background}
		})
	}
	crop, err := spec.ParseCrop("0,0,3,4%")
	if err != nil {
		t.Fatal(err)
	}
	png := func(r *spec.Rendition) { r.File.Format, r.Crop = "png", crop }
	same(t, p.Images[0].Renditions, []spec.Rendition{
		one("responsive", "1.png", "b-1.png", 1, 0, png), one("responsive", "2.png", "b-2.png", 2, 0, png),
		icon("icon.ico", "favicon.ico", 48, "cover", "any", "ico", ""), icon("icon.180", "favicon-180.png", 180, "cover", "any", "png", "#102030"),
		icon("icon.192", "favicon-192.png", 192, "cover", "any", "png", ""), icon("icon.512", "favicon-512.png", 512, "cover", "any", "png", ""),
		one("social", "social.card", "a-social.jpg", 1200, 630, func(r *spec.Rendition) {
			r.Gravity, r.Card = "east", spec.Card{Title: "T", Subtitle: "S", Font: "f.ttf", Color: "#405060"}
		}),
	})
	same(t, p.Images[1].Renditions, []spec.Rendition{
		one("responsive", "5.jpeg", "d/b-5.jpg", 5, 0, func(r *spec.Rendition) { r.File.Format = "jpeg" }),
		icon("icon.ico", "d/b-icon.ico", 48, "contain", "any", "ico", ""), icon("icon.180", "d/b-icon-180.png", 180, "contain", "any", "png", "#ffffff"),
		icon("icon.192", "d/b-icon-192.png", 192, "contain", "any", "png", ""), icon("icon.512", "d/b-icon-512.png", 512, "contain", "any", "png", ""),
		icon("icon.maskable", "d/b-icon-maskable.png", 512, "contain", "maskable", "png", "#ffffff"),
		one("social", "social.card", "d/b-social.png", 1200, 630, func(r *spec.Rendition) {
			r.File.Format, r.Card = "png", spec.Card{Title: "T", Color: "#ffffff"}
		}),
	})
	if a, b := p.Images[0], p.Images[1]; a.Sizes != "9em" || !a.Placeholder || b.Sizes != "100vw" || b.Placeholder {
		t.Errorf("%q %t, %q %t", a.Sizes, a.Placeholder, b.Sizes, b.Placeholder)
	}
	same(t, p.SourceFiles(), []string{"f.ttf"})
}
