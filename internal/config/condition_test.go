package config

import (
	"regexp"
	"slices"
	"testing"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

var judgedProject = files{"a.img.hcl": sketch + `variable "least" {
  default = 100
}
image "plain" {
  prompt = "x"
}
image "a" {
  for_each = { small = 10, large = 1000 }
  prompt   = "x"
  postcondition {
    condition     = self.width > each.value && self.bytes >= var.least
    error_message = "${self.path}: ${self.width} and ${each.value}, ${self.bytes} and ${var.least}"
  }
  postcondition {
    condition     = self.mime == "image/png" && self.model == "m" && self.sha256 != "" && self.revised_prompt == "" && self.height > 0
    error_message = "not so"
  }
}
image "pixels" {
  prompt = "x"
  postcondition {
    condition     = self.has_alpha
    error_message = self.blank ? "blank" : "opaque"
  }
}
image "edit" {
  prompt = "x"
  edit {
    image = image.plain
  }
  postcondition {
    condition     = self.width == image.plain.width
    error_message = "${self.width} is not ${image.plain.width}"
  }
  postcondition {
    condition     = [1, 2][self.height] == 2
    error_message = "height ${self.height}"
  }
}
module "m" {
  for_each = toset(["x"])
  source   = "./m"
  most     = 7
}
check "sizes" {
  assert {
    condition     = image.plain.width > 5
    error_message = "it is ${image.plain.width}"
  }
  assert {
    condition     = [true][image.plain.height]
    error_message = "no"
  }
}
output "plain" {
  value = image.plain.path
  precondition {
    condition     = image.plain.width > 5
    error_message = "it is ${image.plain.width}"
  }
}
`, "m/m.img.hcl": `variable "most" {
  type = number
}
image "i" {
  prompt = "y"
  postcondition {
    condition     = self.width <= var.most
    error_message = "more than ${var.most}"
  }
}
check "inner" {
  assert {
    condition     = image.i.width != 4
    error_message = "it is 4"
  }
}
output "o" {
  value = image.i.path
  precondition {
    condition     = image.i.width != 4
    error_message = "${var.most} is not 4"
  }
}
`}

// plainLines is lines without the values.
func plainLines(l diag.List) string {
	return regexp.MustCompile(` \{[^\n]*\}`).ReplaceAllString(lines(l), "")
}

func TestJudge(t *testing.T) {
	t.Parallel()
	p := load(t, judgedProject)
	made := Facts{Known: true, Width: 200, Height: 1, Bytes: 100, MIME: "image/png", Model: "m", SHA256: "00"}
	with := func(change func(*Facts)) Facts { f := made; change(&f); return f }
	for _, c := range []struct {
		address spec.Address
		picture Facts
		facts   map[spec.Address]Facts
		want    string
	}{
		{`image.a["small"]`, made, nil, ""},
		{`image.a["large"]`, made, nil, "a.img.hcl:12:21-12:71 IB0452 image.a[\"large\"]: a/large.png: 200 and 1000, 100 and 100"},
		{`image.a["small"]`, with(func(f *Facts) { f.Bytes, f.MIME = 99, "image/jpeg" }), nil,
			"a.img.hcl:12:21-12:71 IB0452 image.a[\"small\"]: a/small.png: 200 and 10, 99 and 100\na.img.hcl:16:21-16:135 IB0452 image.a[\"small\"]: not so"},
		{"image.pixels", with(func(f *Facts) { f.Pixels, f.HasAlpha = true, true }), nil, ""},
		{"image.pixels", with(func(f *Facts) { f.Pixels = true }), nil, "a.img.hcl:23:21-23:35 IB0452 image.pixels: opaque"},
		{"image.pixels", with(func(f *Facts) { f.Pixels, f.Blank = true, true }), nil, "a.img.hcl:23:21-23:35 IB0452 image.pixels: blank"},
		{"image.plain", made, nil, ""}, // it has none
		// What is not made yet speaks for a picture.
		{"image.edit", made, nil, ""},
		{"image.edit", made, map[spec.Address]Facts{"image.plain": made}, ""},
		{"image.edit", made, map[spec.Address]Facts{"image.plain": with(func(f *Facts) { f.Width = 9 })}, "a.img.hcl:33:21-33:52 IB0452 image.edit: 200 is not 9"},
		{"image.edit", with(func(f *Facts) { f.Height = 0 }), nil, "a.img.hcl:37:21-37:45 IB0452 image.edit: height 0"},
		// What goes wrong speaks against it.
		{"image.edit", with(func(f *Facts) { f.Height = 2 }), nil, "a.img.hcl:37:27-37:40 IB0317 image.edit: the given key does not identify an element in this collection value: the given index is greater than or equal to the length of the collection"},
		{`module.m["x"].image.i`, with(func(f *Facts) { f.Width = 7 }), nil, ""},
		{`module.m["x"].image.i`, made, nil, `m/m.img.hcl:7:21-7:43 IB0452 module.m["x"].image.i: more than 7`},
	} {
		for range 2 { // it may be asked again
			same(t, plainLines(p.Judge(c.address, c.picture, c.facts)), c.want)
		}
	}
	for a, want := range map[spec.Address][2]bool{"image.plain": {}, `image.a["small"]`: {true, false}, "image.pixels": {true, true}, `module.m["x"].image.i`: {true, false}} {
		if got := [2]bool{p.Image(a).Judged, p.NeedsPixels(a)}; got != want {
			t.Errorf("%s: judged and pixels %v, want %v", a, got, want)
		}
	}
	if p.Image("image.no") != nil {
		t.Error("there is an image that is not there")
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	p := load(t, judgedProject)
	same(t, lines(p.Checks(nil)), "")
	facts := map[spec.Address]Facts{"image.plain": {Known: true, Width: 4}, `module.m["x"].image.i`: {Known: true, Width: 4}}
	same(t, plainLines(p.Checks(facts)), `a.img.hcl:48:21-48:42 warning IB0453 check.sizes: it is 4
m/m.img.hcl:13:21-13:39 warning IB0453 module.m["x"].check.inner: it is 4`)
	// A check that goes wrong is a warning too.
	facts["image.plain"] = Facts{Known: true, Width: 6, Height: 1}
	l := p.Checks(facts)
	if len(l) != 2 || l[0].Code != codeUnknownElement || l.HasErrors() || l[1].Severity != diag.Warning {
		t.Errorf("%+v", l)
	}
	_, l = p.Finish(facts)
	same(t, plainLines(l), `m/m.img.hcl:20:21-20:39 IB0451 module.m["x"].output.o: 7 is not 4`)
	facts["image.plain"] = Facts{Known: true, Width: 4}
	values, l := p.Finish(facts)
	if len(values) != 0 || len(l) != 2 || !l.HasErrors() {
		t.Errorf("%+v %+v", values, l)
	}
	same(t, plainLines(l[:1]), "a.img.hcl:59:21-59:42 IB0451 output.plain: it is 4")
}

func TestDecodedHasNoConditions(t *testing.T) {
	t.Parallel()
	p := load(t, judgedProject)
	got, err := Decode(p.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !got.HasConditions() || !got.Image("image.pixels").Judged || got.Image("image.plain").Judged {
		t.Error("the encoding forgets that there are conditions")
	}
	if p := load(t, files{"a.img.hcl": sketch + "image \"a\" {\n  prompt = \"x\"\n  precondition {\n    condition     = image.a.path != \"\"\n    error_message = \"no\"\n  }\n}\n"}); p.HasConditions() || p.eval != nil {
		t.Error("preconditions of images need no expressions once they hold")
	}
}

// Work that one round used up is there again in the next.
func TestEachRoundHasItsWork(t *testing.T) {
	t.Parallel()
	p := load(t, judgedProject)
	a := p.Images[slices.IndexFunc(p.Images, func(im spec.Image) bool { return im.Judged })].Address
	before := p.Judge(a, Facts{Known: true}, nil)
	p.eval.spent = true
	same(t, lines(p.Judge(a, Facts{Known: true}, nil)), lines(before))
	if len(before) == 0 {
		t.Error("nothing speaks against a picture without pixels")
	}
}
