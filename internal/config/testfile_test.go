package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// tested is a project for the cases of tests.
var tested = files{"a.img.hcl": sketch + `variable "season" {
  default = "autumn"
  validation {
    condition     = var.season != "never"
    error_message = "not that"
  }
}
image "hero" {
  prompt = "A lake in ${var.season}"
  precondition {
    condition     = var.season != "spring"
    error_message = "no spring"
  }
}
image "post" {
  for_each = { a = 1, b = 2 }
  prompt   = each.key
  precondition {
    condition     = var.season != "spring" || each.key == "a"
    error_message = "no spring"
  }
}
check "hero" {
  assert {
    condition     = var.season != "winter"
    error_message = "cold"
  }
}
module "dots" {
  source = "./dots"
  color  = "red"
}
output "hero" {
  value = image.hero.path
}
output "sum" {
  value = image.hero.sha256
}
`, "dots/d.img.hcl": `variable "color" {
  type = string
}
image "dot" {
  prompt = "A ${var.color} dot"
}
output "dot" {
  value = image.dot.path
}
`}

// with is tested and a file of tests.
func with(test string) files {
	f := files{"t.imgtest.hcl": test}
	for name, text := range tested {
		f[name] = text
	}
	return f
}

// testCases are what Validate finds in a file of tests, and for names that begin
// with "run: " what its runs find.
var testCases = []findingCase{
	{name: "names", files: with(`variables {
  seson = "x"
}
run "a" {
  variables {
    sesaon = 1
  }
  expect_failures = [var.seson, image.post["a"], image.hero["a"], check.her]
  assert {
    condition     = image.hero.promt == "x" || plan.prize > 1 || output.her == "" || run.b.hero == "" || plan == 1
    error_message = "x"
  }
}
run "b" {
  variables {
    season = run.a.her
  }
  assert {
    condition     = plan.steps["image.her"].vreb == "" && plan.steps["hero"] == null && planx.price == 1 && [for i in image.post : i.size] != []
    error_message = "x ${run.a.dot}"
  }
}
run "b" {}
run "alone" {
  module {
    source = "./dots"
  }
  assert {
    condition     = image.dot.prompt == output.dto
    error_message = "x"
  }
}
`), want: `
t.imgtest.hcl:2:3-2:8 warning IB0311 var.seson: it has a value here, and is not declared | did you mean "season"?
t.imgtest.hcl:6:5-6:11 IB0311 run.a: there is no variable "sesaon" to give a value | did you mean "season"?
t.imgtest.hcl:8:22-8:31 IB0301 run.a: expect_failures: there is no var.seson | did you mean "season"?
t.imgtest.hcl:8:50-8:65 IB0316 run.a: image.hero has no for_each, so it takes no key | write image.hero
t.imgtest.hcl:8:67-8:76 IB0301 run.a: expect_failures: there is no check.her | did you mean "hero"?
t.imgtest.hcl:10:31-10:37 IB0317 run.a: an image has no attribute "promt" to read | did you mean "prompt"?
t.imgtest.hcl:10:52-10:58 IB0317 run.a: plan has no attribute "prize" | did you mean "price"?
t.imgtest.hcl:10:66-10:76 IB0301 run.a: there is no output "her" | did you mean "hero"?
t.imgtest.hcl:10:86-10:96 IB0301 run.a: there is no run "b" before this one | use an earlier run, or change the order
t.imgtest.hcl:10:106-10:110 IB0301 run.a: plan is not a value by itself | write plan.price, or another of its attributes
t.imgtest.hcl:16:19-16:23 IB0317 run.b: what run.a tests has no output "her" | did you mean "hero"?
t.imgtest.hcl:19:31-19:44 IB0317 run.b: there is no image "image.her", so it has no step | did you mean "image.hero"?
t.imgtest.hcl:19:69-19:77 IB0317 run.b: there is no image "hero", so it has no step | one of image.hero, image.post
t.imgtest.hcl:19:89-19:100 IB0301 run.b: there is nothing called planx here | did you mean "plan"?
t.imgtest.hcl:20:31-20:35 IB0317 run.b: what run.a tests has no output "dot" | one of hero, sum
t.imgtest.hcl:23:1-23:8 IB0206 run.b: is declared twice | rename one of them <t.imgtest.hcl:14:1 the first one>
t.imgtest.hcl:29:41-29:51 IB0301 run.alone: there is no output "dto" | did you mean "dot"?
`},
	{name: "blocks", files: with(`varables {}
variables {}
variables {
  x {}
}
vars = 2
run "a" "b" {}
run "a" {
  comand          = apply
  command         = "apply"
  expect_failures = [local.x, "x", image.post.path, var]
  variables {
    season = local.x
    x {}
  }
  variables {}
  asert {}
  assert {
    condition = var.season == "x"
  }
  assert {
    condition     = 1 == 2
    error_message = "x"
  }
  module {
    source = "dots"
  }
  providers = {}
}
run "b" {
  command         = aply
  expect_failures = var.season
  module {
    source = "./none"
  }
}
run "c" {
  module "x" {
    source = "../out"
  }
}
`), want: `
t.imgtest.hcl:1:1-1:9 IB0201 varables: there is no such block | did you mean "variables"?
t.imgtest.hcl:3:1-3:10 IB0206 variables: there are two variables blocks | keep one <t.imgtest.hcl:2:1 the first one>
t.imgtest.hcl:6:1-6:5 IB0202 vars: there are no attributes outside blocks | put it into a run block, or into variables
t.imgtest.hcl:7:9-7:12 IB0207 run: the block takes one label | remove it
t.imgtest.hcl:9:3-9:9 IB0202 run.a: there is no attribute "comand" here | did you mean "command"?
t.imgtest.hcl:10:21-10:28 IB0208 run.a: command must be plan or apply | write it without quotes
t.imgtest.hcl:11:22-11:29 IB0204 run.a: expect_failures: local has no conditions that could fail | write var.NAME, image.NAME, output.NAME or check.NAME
t.imgtest.hcl:11:31-11:34 IB0204 run.a: expect_failures: this is no address | write var.NAME, image.NAME, output.NAME or check.NAME
t.imgtest.hcl:11:36-11:51 IB0204 run.a: expect_failures: only image.post as a whole can be expected to fail | write var.NAME, image.NAME, output.NAME or check.NAME
t.imgtest.hcl:11:53-11:56 IB0204 run.a: expect_failures: var is not one thing | write var.NAME, image.NAME, output.NAME or check.NAME
t.imgtest.hcl:13:14-13:21 IB0301 run.a: local can't be used here | write a value, var.NAME of the variables of this file, or run.NAME.OUTPUT
t.imgtest.hcl:14:5-14:6 IB0201 run.a: there are no blocks in variables | write NAME = value
t.imgtest.hcl:16:3-16:12 IB0206 run.a: there are two variables blocks | keep one <t.imgtest.hcl:12:3 the first one>
t.imgtest.hcl:17:3-17:8 IB0201 run.a: there is no block "asert" here | did you mean "assert"?
t.imgtest.hcl:18:3-18:9 IB0205 run.a: assert: error_message is required | add error_message = …
t.imgtest.hcl:22:21-22:27 warning IB0454 run.a: assert: condition refers to nothing, so it is always the same | name what it is about, such as a variable
t.imgtest.hcl:26:14-26:20 IB0414 run.a: source "dots" is no folder of the project: it must begin with ./ or ../ | write "./dots"
t.imgtest.hcl:28:3-28:12 IB0203 run.a: providers is not supported by this version | remove it for now
t.imgtest.hcl:31:21-31:25 IB0208 run.b: command must be plan or apply | did you mean "apply"?
t.imgtest.hcl:32:21-32:31 IB0204 run.b: expect_failures must be a list of addresses | write expect_failures = [var.NAME]
t.imgtest.hcl:34:14-34:22 IB0414 run.b: there is no *.img.hcl in the folder "none"
t.imgtest.hcl:38:10-38:13 IB0207 run.c: module takes no label | remove it
t.imgtest.hcl:39:14-39:22 IB0414 run.c: source "../out" leaves the root of the project | copy the module into the project
`},
	{name: "syntax", files: with(`run "a" {
  variables {
}
run "b" {
  x = y
}
`), want: `
t.imgtest.hcl:1:9-1:10 IB0101 syntax: this block has no closing brace | add } where it ends, or where a block inside it ends
`},
	{name: "run: conditions", files: with(`run "a" {
  assert {
    condition     = image.hero.prompt == "A lake in winter"
    error_message = "${image.hero.prompt}\u001b[31m"
  }
  assert {
    condition     = image.hero.width > 5
    error_message = "x"
  }
  assert {
    condition     = output.sum == "x" && image.hero.model == "sketch-1"
    error_message = "x"
  }
  assert {
    condition     = plan.buy
    error_message = "x"
  }
  assert {
    condition     = plan.steps["image.post[\"c\"]"].verb == "generate"
    error_message = "x"
  }
}
run "b" {
  variables {
    season = run.a.sum
  }
}
run "c" {
  variables {
    season = run.a.hero
  }
  assert {
    condition     = var.season == "hero.png" && run.a.sum == "x"
    error_message = var.season
  }
}
run "too much" {}
`), want: `
t.imgtest.hcl:3:21-3:60 IB0461 run.a: A lake in autumn` + "\x1b" + `[31m {image.hero.prompt is "A lake in autumn"}
t.imgtest.hcl:7:21-7:41 IB0463 run.a: image.hero.width is known only after apply | write command = apply, which draws the pictures offline
t.imgtest.hcl:11:21-11:72 IB0463 run.a: image.hero.sha256 is known only after apply | write command = apply, which draws the pictures offline
t.imgtest.hcl:15:21-15:29 IB0204 run.a: assert: condition must be true or false, and is 0 | write a comparison, such as image.NAME.bytes < 300000
t.imgtest.hcl:19:31-19:52 IB0317 run.a: plan.steps has no element "image.post[\"c\"]" {plan.steps is {}}
t.imgtest.hcl:25:14-25:23 IB0463 run.b: run.a.sum is known only after apply | let that run have command = apply
t.imgtest.hcl:33:21-33:65 IB0463 run.c: run.a.sum is known only after apply | let that run have command = apply
t.imgtest.hcl:37:5-37:15 IB0207 run: "too much" can't be a name | use letters, digits, - and _, and begin with a letter
`},
	{name: "run: expected", files: with(`variables {
  nobody = 1
}
run "never" {
  variables {
    season = "never"
  }
  expect_failures = [var.season]
}
run "spring" {
  variables {
    season = "spring"
  }
  expect_failures = [image.hero, image.post]
}
run "half" {
  variables {
    season = "spring"
  }
  expect_failures = [image.post["b"], image.post["a"], check.hero]
}
run "winter" {
  variables {
    season = "winter"
  }
  expect_failures = [check.hero]
}
run "none" {
  expect_failures = [var.season, check.hero]
}
run "type" {
  variables {
    season = upper(1, 2)
  }
}
`), want: `
a.img.hcl:12:21-12:43 IB0451 image.hero: no spring {var.season is "spring"}
t.imgtest.hcl:20:39-20:54 IB0462 run.half: image.post["a"] was expected to fail, and did not | something else failed before it could
t.imgtest.hcl:20:56-20:66 IB0462 run.half: check.hero was expected to fail, and did not | something else failed before it could
t.imgtest.hcl:29:22-29:32 IB0462 run.none: var.season was expected to fail, and did not
t.imgtest.hcl:29:34-29:44 IB0462 run.none: check.hero was expected to fail, and did not | if it is about the picture, it takes command = apply
t.imgtest.hcl:33:23-33:24 IB0304 run.type: this is one argument too many: upper() takes 1 | write upper(str)
`},
	{name: "run: bounds", opt: Options{steps: 10_000}, files: with(`run "a" {
  variables {
    season = join("", [for i in range(1000) : join("", [for k in range(1000) : join("", [for l in range(1000) : "x"])])])
  }
}
run "b" {
  assert {
    condition     = length([for i in range(1000) : [for k in range(1000) : [for l in range(1000) : plan.price]]]) > 1
    error_message = "x"
  }
}
`), want: `
t.imgtest.hcl:3:14-3:122 IB0109 run.a: the expression takes too much work: it makes or walks more than some millions of elements | make it smaller, or keep the data in a file; if you trust who wrote it: export IMGBUILD_LARGE=1
t.imgtest.hcl:8:21-8:118 IB0109 run.b: the expression takes too much work: it makes or walks more than some millions of elements | make it smaller, or keep the data in a file; if you trust who wrote it: export IMGBUILD_LARGE=1
`},
}

func TestTestFindings(t *testing.T) {
	t.Parallel()
	for _, c := range testCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			test, l := LoadTest(c.files, c.opt, "t.imgtest.hcl")
			if strings.HasPrefix(c.name, "run: ") {
				for i := range test.Runs {
					l = append(l, judge(test, i, nil)...)
				}
			} else {
				l = append(l, test.Validate()...)
			}
			same(t, lines(l.Sorted()), strings.TrimSpace(c.want))
		})
	}
}

// judge does what a run does that makes no picture.
func judge(test *Test, i int, facts map[spec.Address]Facts) diag.List {
	p, l := test.Load(i)
	if p == nil || l.HasErrors() {
		return test.Expect(i, l)
	}
	l = test.Expect(i, append(l, p.Checks(nil)...))
	return append(l, test.Judge(i, TestFacts{Images: facts, Models: map[spec.Address]string{"image.hero": "sketch-1"}})...)
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	test, l := LoadTest(with(`run "a" {}
run "b" {
  variables {
    season = run.a.hero
  }
}
run "c" {
  assert {
    condition     = run.b.hero == "x"
    error_message = "${run.a.hero}"
  }
}
`), Options{}, "t.imgtest.hcl")
	if len(l) > 0 {
		t.Fatal(lines(l))
	}
	for i, want := range []string{"", "a", "a b"} {
		if got := strings.Join(test.Runs[i].Needs, " "); got != want {
			t.Errorf("run %d needs %q, want %q", i, got, want)
		}
	}
}

// Whatever is told people that assertions may ask can be asked.
func TestNamesOfTests(t *testing.T) {
	t.Parallel()
	image, plan, step := NamesOfTests()
	var conditions []string
	for _, a := range image {
		conditions = append(conditions, "[image.hero."+a.Name+"] != 1")
	}
	for _, a := range plan {
		conditions = append(conditions, "[plan."+a.Name+"] != 1")
	}
	for _, a := range step {
		conditions = append(conditions, `[plan.steps["image.hero"].`+a.Name+"] != 1")
		if a.Text == "" {
			t.Errorf("step.%s is not described", a.Name)
		}
	}
	var b strings.Builder
	b.WriteString("run \"all\" {\n  command = apply\n")
	for _, c := range conditions {
		b.WriteString("  assert {\n    condition = " + c + "\n    error_message = \"no\"\n  }\n")
	}
	b.WriteString("}\n")
	test, l := LoadTest(with(b.String()), Options{}, "t.imgtest.hcl")
	p, more := test.Load(0)
	l = append(append(l, more...), test.Judge(0, TestFacts{
		Images: map[spec.Address]Facts{"image.hero": {Path: "hero.png", Known: true, Pixels: true}},
		Plan:   PlanFacts{Steps: []StepFacts{{Address: "image.hero", Why: []ReasonFacts{{Cause: "new"}}}, {Address: "image.other"}}},
	})...)
	if p == nil || len(l) > 0 {
		t.Error(lines(l))
	}
	if !test.Runs[0].Pixels {
		t.Error("nobody looks at the pixels")
	}
}

// A later run has nothing of an earlier one but its outputs.
func TestRunsAreApart(t *testing.T) {
	t.Parallel()
	test, _ := LoadTest(with(`run "a" {
  variables {
    season = "winter"
  }
}
run "b" {
  assert {
    condition     = var.season == "autumn" && run.a.hero == "hero.png"
    error_message = "season is ${var.season}"
  }
}
`), Options{}, "t.imgtest.hcl")
	if l := judge(test, 0, nil); len(l) != 1 || l[0].Code != codeCheck || l[0].Severity != diag.Error {
		t.Errorf("the check did not fail:\n%s", lines(l))
	}
	if l := judge(test, 1, nil); len(l) > 0 {
		t.Error(lines(l))
	}
	if test.Runs[0].ev != nil {
		t.Error("a project is kept that nobody needs")
	}
}

// Values of a test are stronger than all others, and a module that is tested
// alone has no others.
func TestValuesOfTests(t *testing.T) {
	t.Parallel()
	f := with(`variables {
  season = "spring"
}
run "a" {
  variables {
    season = "${var.season}time"
  }
  assert {
    condition     = var.season == "springtime"
    error_message = var.season
  }
}
run "alone" {
  module {
    source = "./dots"
  }
}
`)
	f["season.auto.imgvars"] = "season = \"winter\"\n"
	test, _ := LoadTest(f, Options{Vars: []Var{{Name: "season", Value: "summer"}}, Env: func(string) string { return "red" }}, "t.imgtest.hcl")
	if l := judge(test, 0, nil); len(l) > 0 {
		t.Error(lines(l))
	}
	same(t, lines(judge(test, 1, nil)), `dots/d.img.hcl:1:1-1:17 IB0312 var.color: it has no value | add color = … to the variables of the test`)
}

func TestTooManyRuns(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range maxRuns + 2 {
		fmt.Fprintf(&b, "run \"r%d\" {}\n", i)
	}
	_, l := LoadTest(with(b.String()), Options{}, "t.imgtest.hcl")
	same(t, lines(l), `t.imgtest.hcl:1001:1-1001:12 IB0109 run.r1000: the file has more than 1000 runs | split the file`)
}

// Nothing that a file of tests says ends the program.
func FuzzTest(f *testing.F) {
	for _, c := range testCases {
		f.Add(c.files["t.imgtest.hcl"])
	}
	f.Fuzz(func(t *testing.T, text string) {
		test, l := LoadTest(with(text), Options{steps: 10_000}, "t.imgtest.hcl")
		l = append(l, test.Validate()...)
		if l.HasErrors() {
			return
		}
		test, _ = LoadTest(with(text), Options{steps: 10_000}, "t.imgtest.hcl")
		for i := range test.Runs {
			judge(test, i, nil)
		}
	})
}
