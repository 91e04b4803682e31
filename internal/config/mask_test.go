package config

import (
	"fmt"
	"testing"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// What is drawn has one text, however it is written.
func TestDrawnMask(t *testing.T) {
	t.Parallel()
	with := func(mask string) files {
		return files{"a.img.hcl": `provider "sketch" {}
variable "box" {
  type    = list(string)
  default = ["1", "20%"]
}
variable "points" {
  type    = list(list(string))
  default = [["0", "0"], ["50%", "100%"], ["3.10", "0"]]
}
image "a" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
` + mask + `
    }
  }
}
`}
	}
	for name, c := range map[string]struct{ mask, want string }{
		"the language's example": {"rect {\nx = 0\ny = 0\nwidth = \"100%\"\nheight = \"45%\"\nfeather = 12\n}", "rect(0,0,100%,45%)~12"},
		"numbers as text":        {"rect {\nx = \" 1.0 \"\ny = \"2\"\nwidth = 100/3\nheight = \"${40 + 5}%\"\nradius = 0\n}", "rect(1,2,33.333333,45%)"},
		"of a variable":          {"rect {\nwidth = var.box[0]\nheight = var.box[1]\nradius = 3\n}", "rect(0,0,1,20%,3)"},
		"points of a variable":   {"polygon {\npoints = var.points\n}", "polygon(0,0,50%,100%,3.1,0)"},
		"points of a for":        {"polygon {\npoints = [for i in range(3) : [i, i * i]]\n}", "polygon(0,0,1,1,2,4)"},
		"sorted, each once": {"rect {\nwidth = 2\nheight = 2\n}\nellipse {\ncx = 1\ncy = 1\nrx = 1\n}\nrect {\nwidth = 2.0\nheight = \"2\"\n}\nfeather = \"1%\"",
			"ellipse(1,1,1);rect(0,0,2,2);~1%"},
		"dynamic": {"dynamic \"ellipse\" {\nfor_each = [5, 6]\ncontent {\ncx = ellipse.value\ncy = 1\nrx = 1\nry = \"2%\"\nsubtract = ellipse.value > 5\n}\n}", "ellipse(5,1,1,2%);!ellipse(6,1,1,2%)"},
		"path":    {"path {\nd = \"M 0 0 l 1.0 0 z\"\nviewbox = \"0 0 24 24\"\n}", "path(0,0,24,24|M0,0l1,0Z)"},
		"null":    {"rect {\nwidth = 1\nheight = 1\nfeather = null\n}\nfeather = null", "rect(0,0,1,1)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := imageA(t, with(c.mask)).Wanted.Mask
			if m == nil || m.Edit != provider.Drawn || m.Shapes != c.want || m.File != "" || m.Preserve != nil {
				t.Errorf("%+v, want %s", m, c.want)
			}
		})
	}
}

func TestDrawnMaskInJSON(t *testing.T) {
	t.Parallel()
	m := imageA(t, files{"a.img.json": `{"provider": {"sketch": {}}, "image": {"a": {"prompt": "x", "edit": {"image": "photo.png", "preserve": true, "mask": {
  "rect": [{"width": 1, "height": "${2 * 5}%"}, {"x": 5, "width": 1, "height": 1, "subtract": true}],
  "polygon": {"points": [[0, 0], ["50%", 1], [2, 0]]}, "feather": "2%",
  "dynamic": {"ellipse": {"for_each": [3, 4], "content": {"cx": "${ellipse.value}", "cy": 1, "rx": 1}}}}}}}}`}).Wanted.Mask
	if m == nil || m.Shapes != "ellipse(3,1,1);ellipse(4,1,1);polygon(0,0,50%,1,2,0);rect(0,0,1,10%);!rect(5,0,1,1);~2%" || m.Preserve == nil || !*m.Preserve {
		t.Errorf("%+v", m)
	}
}

// A shape is found again by its text, though the text of all is sorted.
func TestPlaceOfShape(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": `provider "sketch" {}
image "a" {
  prompt = "x"
  edit {
    image = "photo.png"
    mask {
      rect {
        width  = 9
        height = 9
      }
      ellipse {
        cx = 1
        cy = 1
        rx = 1
      }
      rect {
        width    = 1
        height   = 1
        subtract = true
      }
    }
  }
}
`}
	p := load(t, f)
	m := p.Images[0].Wanted.Mask
	for shape, want := range map[string]string{"rect(0,0,9,9)": "7:7", "ellipse(1,1,1)": "11:7", "!rect(0,0,1,1)": "16:7", "rect(0,0,9,9) height": "9:18", "!rect(0,0,1,1) height": "18:20", "rect(5,5,5,5)": "6:5"} {
		var text, attribute string
		fmt.Sscan(shape, &text, &attribute)
		field := m.Place(text)
		if attribute != "" {
			field += "." + attribute
		}
		if r := p.At(f, spec.Address("image.a"), field); r == nil || fmt.Sprintf("%d:%d", r.Start.Line, r.Start.Column) != want {
			t.Errorf("%s (%s) is at %v, want %s", shape, field, r, want)
		}
	}
}
