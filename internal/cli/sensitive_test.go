package cli_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/emulator"
)

// The value that must be found nowhere, and what is made from it.
const canary = "Zq7quokkaCanary93xW"

// traces are the forms in which it would be found, whatever stands around it.
// Letters are compared in lower case.
var traces = func() map[string][]byte {
	m := map[string][]byte{"plain, upper or lower": []byte(canary), "a part": []byte("quokkacan"), "urlencoded": []byte(url.QueryEscape(canary))}
	r := []rune(canary)
	slices.Reverse(r)
	m["reversed"] = []byte(string(r))
	for i := range 3 { // by what stands before it; the ends depend on what stands around it
		b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", i) + canary))
		m[fmt.Sprintf("base64 at %d", i)] = []byte(b[4:20])
		b = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", i) + strings.ToUpper(canary)))
		m[fmt.Sprintf("base64 of upper at %d", i)] = []byte(b[4:20])
	}
	m["hex"] = []byte(hex.EncodeToString([]byte(canary)))
	for name, s := range map[string]string{"": canary, " of upper": strings.ToUpper(canary)} {
		sum := sha256.Sum256([]byte(s))
		m["SHA-256"+name], m["hex of SHA-256"+name] = sum[:], []byte(hex.EncodeToString(sum[:]))
	}
	return m
}()

// watched is a project in which the canary must not be found, but in the files
// where the user wrote it.
type watched struct {
	t     *testing.T
	dir   string
	temp  string
	env   map[string]string
	wrote map[string]bool
	used  map[string]bool      // verb, and verb with flag
	clean map[string]time.Time // files that were looked at, and of when they were
}

func watch(t *testing.T) *watched {
	w := &watched{t: t, dir: t.TempDir(), temp: t.TempDir(), env: map[string]string{}, wrote: map[string]bool{}, used: map[string]bool{}, clean: map[string]time.Time{}}
	t.Setenv("TMPDIR", w.temp)
	return w
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(w.dir, name)), 0o777); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o666); err != nil {
		w.t.Fatal(err)
	}
	w.wrote[name] = true
}

// run runs a command and looks for the canary in all that it said and wrote.
// want is its exit code, -1 for any.
func (w *watched) run(want int, args ...string) string {
	w.t.Helper()
	return w.runWith("", want, args...)
}

func (w *watched) runWith(stdin string, want int, args ...string) string {
	w.t.Helper()
	var out, talk bytes.Buffer
	code := cli.Main(&cli.Env{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &talk, Args: args, Dir: w.dir, Now: time.Now,
		Getenv: func(name string) string { return w.env[name] }})
	what := "imgbuild " + strings.Join(args, " ")
	if strings.Contains(what, canary) {
		what = "imgbuild " + args[0] + " …"
	}
	said := out.String() + talk.String()
	if want >= 0 && code != want {
		w.t.Errorf("%s: exit code %d, want %d\n%s", what, code, want, said)
	}
	w.look(what+": standard output", out.Bytes())
	w.look(what+": standard error", talk.Bytes())
	for _, root := range []string{w.dir, w.temp} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, name)
			if _, known := w.clean[name]; !known {
				w.look(what+": the name of "+rel, []byte(rel))
			}
			if !d.Type().IsRegular() || w.wrote[rel] {
				return nil
			}
			if fi, err := d.Info(); err != nil || w.clean[name].Equal(fi.ModTime()) {
				return err
			} else {
				w.clean[name] = fi.ModTime()
			}
			b, err := os.ReadFile(name)
			w.look(what+": "+rel, b)
			return err
		})
		if err != nil {
			w.t.Error(err)
		}
	}
	w.used[args[0]] = true
	for _, a := range args[1:] {
		if flag, ok := strings.CutPrefix(a, "-"); ok {
			flag, _, _ = strings.Cut(flag, "=")
			w.used[args[0]+" "+flag] = true
		}
	}
	return said
}

func (w *watched) look(where string, b []byte) {
	w.t.Helper()
	lower := bytes.ToLower(b)
	for form, trace := range traces {
		if bytes.Contains(b, trace) || bytes.Contains(lower, bytes.ToLower(trace)) {
			w.t.Errorf("%s has the sensitive value (%s):\n%.2000s", where, form, b)
			return
		}
	}
}

// quoting is a provider's answer that repeats the prompt.
func quoting(status int, contains string) emulator.Fault {
	body, _ := json.Marshal(map[string]string{"code": "bad_" + canary, "error": "The prompt \"" + contains + " " + strings.ToUpper(canary) + " " + canary + "\" is not allowed"})
	return emulator.Fault{Match: emulator.Match{PromptContains: contains}, Do: emulator.Do{Status: status, Body: body}}
}

// serve starts the emulator and returns its address.
func serve(t *testing.T, faults ...emulator.Fault) string {
	t.Helper()
	server := emulator.New(emulator.Config{Profile: "documented", Faults: faults}).HTTP()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String() + "/v1"
}

// secretTests asks for sensitive values in each way that a test can.
const secretTests = `run "fine" {}
run "asks" {
  assert {
    condition     = image.hero.prompt == ""
    error_message = "it is ${image.hero.prompt}"
  }
  assert {
    condition     = plan.steps["image.hero"].prompt == "x"
    error_message = plan.steps["image.hero"].prompt
  }
  assert {
    condition     = var.client == "x" && output.client == run.fine.client
    error_message = "it is ${run.fine.client}"
  }
  assert {
    condition     = jsonencode([for f in image.form : f.prompt]) == "" || jsonencode(plan.steps) == ""
    error_message = jsonencode(image.form)
  }
  assert {
    condition     = {}[image.hero.prompt] == 1
    error_message = "x"
  }
  assert {
    condition     = tonumber(plan.steps["image.hero"].prompt) == 1
    error_message = "x"
  }
  assert {
    condition     = { for s in plan.steps : s.prompt => s.prompt }["x"] == 1
    error_message = "x"
  }
  assert {
    condition     = run.fine.client[image.hero.prompt] == tonumber(run.fine.client)
    error_message = "x"
  }
  assert {
    condition     = output.client.x == output.client
    error_message = ["${output.client}"]
  }
}
run "gives" {
  variables {
    style = run.fine.client
  }
  assert {
    condition     = var.style == "x"
    error_message = var.style
  }
}
run "wrong" {
  variables {
    style = tonumber(run.fine.client)
  }
}
run "wrong_key" {
  variables {
    style = { a = 1 }[run.fine.client]
  }
}
`

const secretProject = `provider "xai" {
  endpoint = "ENDPOINT"
}
provider "xai" {
  alias    = "b64"
  endpoint = "ENDPOINT"
  response = "b64_json"
}
provider "xai" {
  alias     = "grpc"
  endpoint  = "ENDPOINT"
  transport = "grpc"
}
provider "xai" {
  alias    = "page"
  endpoint = "ENDPOINT"
  wire     = "documented"
}
imgbuild {
  default_provider = provider.xai
  store {
    path = "second"
    keep = "all"
  }
  manifest "json" {
    path = "images.json"
  }
  lint {
    baseline = "lint.json"
  }
}
variable "client" {
  description = "Whose pictures these are"
  type        = string
  sensitive   = true
  validation {
    condition     = var.client != "wrong"
    error_message = "${var.client} is wrong."
  }
}
variable "style" {
  type      = string
  default   = "vivid"
  sensitive = true
}
variable "plain" {
  default = "x"
}
output "plain" {
  value = [var.plain == "x" ? "y" : "z"][0] == "y" ? "q" : nonsensitive("z")
}
locals {
  whom  = { name = var.client, plain = "x" }
  words = split("o", var.client)
  forms = {
    upper    = upper(var.client)
    lower    = lower(var.client)
    base64   = base64encode(var.client)
    wrapped  = base64encode("<${upper(var.client)}>")
    reversed = strrev(var.client)
    part     = substr(var.client, 2, 12)
    json     = jsonencode({ (var.client) = [var.client] })
    yaml     = yamlencode(local.whom)
    joined   = join("o", [for w in local.words : w])
    key      = keys({ (var.client) = 1 })[0]
    try      = try(tonumber(var.client), var.client)
    choice   = var.client == "" ? "none" : "some of ${local.whom.name}"
    hash     = sha256(upper(var.client))
    file     = templatefile("t.tmpl", { whom = var.client })
    shout    = shout("a")
    module   = module.inner.loud
  }
}
function "shout" {
  params = [text]
  result = "${upper(text)} ${var.client}!"
}
module "inner" {
  source    = "./inner"
  who       = var.client
  providers = { xai = provider.xai }
}
preset "house" {
  preset = preset.base
  before = "For ${var.client}."
  after  = "Signed ${upper(var.client)}."
}
image "hero" {
  preset = preset.house
  prompt = "A lake"
  n      = 2
  path   = "hero.png"
  rendition "small" {
    width = 64
  }
  placeholder = true
  social {
    title = "A lake"
  }
}
image "form" {
  for_each = local.forms
  prompt   = "A picture of ${each.value}"
  path     = "form/${each.key}.jpg"
}
image "night" {
  prompt = "Night, ${var.client}"
  edit {
    image = image.hero
  }
}
image "of" {
  for_each = { b64 = provider.xai.b64, grpc = provider.xai.grpc, page = provider.xai.page }
  provider = each.value
  prompt   = "A tree for ${var.client}"
  style    = each.key == "page" ? var.style : "natural"
}
image "user" {
  prompt   = "A hill"
  provider = provider.xai
  user     = md5(var.client) == "" ? "x" : var.client
  precondition {
    condition     = length(var.client) > 1
    error_message = "${var.client} is too short."
  }
  postcondition {
    condition     = self.width > 10 * length(var.client) * 1000
    error_message = "The picture for ${upper(var.client)} is too small."
  }
}
check "length" {
  assert {
    condition     = length(var.client) > 100
    error_message = "${var.client} is short."
  }
}
image "bad" {
  for_each = toset(["reject", "break", "slow", "moderate", "flag", "corrupt", "drop", "job", "gone", "cut"])
  prompt   = "${each.key}-me for ${var.client}"
}
image "worse" {
  for_each = toset(["reject", "break", "moderate", "drop"])
  provider = provider.xai.b64
  prompt   = "${each.key}-me ${upper(var.client)}"
}
preset "base" {
  after = "Base ${strrev(var.client)}."
}
output "client" {
  value     = var.client
  sensitive = true
}
output "inner" {
  value     = module.inner
  sensitive = true
}
output "revised" {
  value = image.hero.revised_prompt
}
output "length" {
  value = nonsensitive(length(var.client) > 0)
}
`

const secretModule = `variable "who" {
  validation {
    condition     = length(var.who) > 3
    error_message = "${var.who} is too short."
  }
}
image "in" {
  prompt = "Inside for ${var.who}"
}
output "loud" {
  value = upper(var.who)
}
`

const secretTest = `run "plan" {
  assert {
    condition     = image.hero.prompt == "for ${var.client}"
    error_message = "the prompt for ${upper(var.client)} is ${image.hero.prompt}"
  }
  assert {
    condition     = output.client == output.inner
    error_message = "${output.client} is ${jsonencode(output.inner)}"
  }
  assert {
    condition     = tonumber(var.client) == 1
    error_message = "never"
  }
  assert {
    condition     = jsonencode(plan.steps["image.hero"]) == var.client && plan.price == 0
    error_message = jsonencode(plan.steps["image.hero"])
  }
}
run "other" {
  variables {
    client = "wrong${run.plan.client}"
  }
  expect_failures = [check.length, image.hero]
}
run "plain" {
  variables {
    plain = run.plan.client
  }
  assert {
    condition     = var.plain == output.plain
    error_message = var.plain
  }
}
run "apply" {
  command = apply
  variables {
    client = upper(run.plan.client)
  }
  assert {
    condition     = image.user.width == 0 || image.user.revised_prompt == var.client
    error_message = "${image.user.prompt} has no width"
  }
}
`

// TestSensitiveShowsNowhere runs every verb with every flag that changes what
// it says, and looks for a sensitive value in all of it and in all files.
func TestSensitiveShowsNowhere(t *testing.T) {
	off := false
	words := json.RawMessage(`"it said ` + canary + `"`)
	endpoint := serve(t, quoting(400, "reject-me"), quoting(500, "break-me"),
		emulator.Fault{Match: emulator.Match{PromptContains: "slow-me"}, Times: 2, Do: emulator.Do{Status: 429, RetryAfter: "0.01", Body: words}},
		emulator.Fault{Match: emulator.Match{PromptContains: "moderate-me"}, Do: emulator.Do{Moderated: "400", Body: words}},
		emulator.Fault{Match: emulator.Match{PromptContains: "flag-me"}, Do: emulator.Do{Moderated: "flag"}},
		emulator.Fault{Match: emulator.Match{PromptContains: "corrupt-me"}, Do: emulator.Do{Corrupt: true}},
		emulator.Fault{Match: emulator.Match{PromptContains: "drop-me"}, Do: emulator.Do{Drop: "after-request"}},
		emulator.Fault{Match: emulator.Match{PromptContains: "cut-me"}, Do: emulator.Do{Drop: "mid-body"}},
		emulator.Fault{Match: emulator.Match{PromptContains: "gone-me"}, Do: emulator.Do{Expired: true}},
		emulator.Fault{Match: emulator.Match{PromptContains: "job-me"}, Do: emulator.Do{Job: "internal_error", Body: words, Billed: &off}})
	w := watch(t)
	w.env["IMGBUILD_VAR_client"] = canary
	w.write("site.img.hcl", strings.ReplaceAll(secretProject, "ENDPOINT", endpoint))
	w.write("inner/m.img.hcl", secretModule)
	w.write("t.tmpl", "Rendered for ${whom}.\n")
	w.write("some.imgtest.hcl", secretTest)
	// What is compared has another prompt, and is not sensitive where it can be otherwise.
	base := t.TempDir()
	earlier := regexp.MustCompile(`sensitive( *)= true`).ReplaceAllString(strings.ReplaceAll(secretProject, "ENDPOINT", endpoint), "sensitive$1= false")
	earlier = regexp.MustCompile(`prompt( *)= "`).ReplaceAllString(earlier, `prompt$1= "Before, `)
	for name, text := range map[string]string{"site.img.hcl": earlier, "inner/m.img.hcl": secretModule, "t.tmpl": "For ${whom}.\n"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(base, name)), 0o777), os.WriteFile(filepath.Join(base, name), []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q", w.dir}, {"--git-dir=" + w.dir + "/.git", "--work-tree=" + base, "add", "-A"},
		{"--git-dir=" + w.dir + "/.git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "base"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
	}

	before := func() {
		w.env["PATH"] = os.Getenv("PATH") // git is on it
		if out := w.run(0, "diff", "HEAD"); !strings.Contains(out, "[-Before,-]") || !strings.Contains(out, "(sensitive value)") {
			t.Errorf("the test shows little: %s", out)
		}
		w.run(0, "diff", "-json", "HEAD")
		w.run(0, "diff", "-markdown", "-max-bytes=9000", "-picture-url=https://forge.example/{commit}/{path}", "HEAD")
		w.run(0, "plan", "-markdown", "-max-bytes=9000", "-picture-url=https://forge.example/{commit}/{path}")
		for _, name := range []string{"report.html", "report.md", "report.json"} {
			w.run(0, "diff", "-report="+name, "HEAD")
			w.run(0, "plan", "-report="+name)
		}
		w.run(0, "review", "-o=report.html", "-base=HEAD") // what is served is made by the same templates
		w.run(64, "review", "-o=report.html", "-approve", "-by=Jo", "-port=1")
		delete(w.env, "PATH")
		w.run(0, "validate")
		w.run(0, "validate", "-json")
		w.run(0, "validate", "-sarif")
		w.run(-1, "plan")
		w.run(-1, "plan", "-json")
		w.run(-1, "plan", "-detailed-exitcode", "-verify")
		w.run(-1, "plan", "-draft")
		w.run(-1, "plan", "-destroy")
		w.run(-1, "plan", "-retry-refused", "-retry-in-doubt")
		w.run(-1, "plan", "-replace=image.hero")
		w.run(-1, "plan", "-generate-config-out=new.img.hcl")
		w.run(-1, "pick", "image.hero")
		w.run(-1, "pick", "-json", "image.hero")
		w.run(-1, "approve", "-by=Jo", "-note=fine", "image.hero")
		w.run(-1, "approve", "-by=Jo", "-json", "image.hero")
		w.run(-1, "approve", "-by=Jo", "-all", "-yes")
		w.run(-1, "verify", "-approved")
		w.run(-1, "verify", "-approved", "-json")
		w.run(-1, "approve", "-revoke", "image.hero")
		w.run(-1, "why", "image.hero")
		w.run(-1, "why", "image.bad[\"reject\"]")
		w.run(-1, "why", "image.night")
		w.run(0, "graph")
		w.run(0, "graph", "-json")
		w.run(0, "graph", "-mermaid")
		w.run(-1, "verify")
		w.run(-1, "verify", "-json")
		w.run(-1, "verify", "-site=.")
		w.run(-1, "verify", "-site=.", "-json")
		w.run(-1, "unused")
		w.run(-1, "unused", "-site=.", "-check", "-json")
		w.run(-1, "snippet", "image.hero")
		w.run(-1, "snippet", "-public=.", "-sizes=50vw", "-placeholder", "-priority", "image.hero")
		w.run(-1, "snippet", "-rendition=small", "image.hero")
		w.run(-1, "emit", "-check")
		w.run(-1, "emit")
		w.run(-1, "show", "-mask", "image.night")
		w.run(-1, "show")
		w.run(-1, "show", "-json")
		w.run(0, "output")
		w.run(0, "output", "-json")
		w.run(1, "output", "-raw", "client")
		w.run(0, "providers")
		w.run(0, "providers", "-json")
		w.run(-1, "models", "-offline")
		w.run(-1, "models", "-json")
		w.run(0, "doctor", "-provider", "xai", "-free")
		w.run(0, "doctor", "-provider", "xai", "-free", "-json")
		w.run(-1, "doctor")
		w.run(-1, "doctor", "-json")
	}
	before()
	w.run(0, "plan", "-out=saved.json")
	w.run(4, "apply", "saved.json")
	before()
	w.run(-1, "apply", "-auto-approve", "-json", "-max-cost=9", "-allow-unpriced")
	w.run(-1, "apply", "-auto-approve", "-json-into=events.json", "-report=report.html", "-retry-refused", "-retry-in-doubt")
	w.run(0, "apply", "-auto-approve", "-draft", "-target=image.hero")
	w.run(-1, "apply", "-auto-approve", "-target=image.hero", "-replace=image.hero")
	w.run(0, "plan", "-draft", "-out=draft.json", "-target=image.form[\"upper\"]")
	w.run(0, "apply", "draft.json")
	before()

	for _, e := range []string{"var.client", "upper(var.client)", "local.forms", "local.whom", "[for w in local.words : w]", "{ (var.client) = 1 }",
		"jsonencode(local.whom)", "image.hero.revised_prompt", "image.hero", "sensitive(nonsensitive(var.client))", "length(var.client)",
		"tonumber(var.client)", "var.client.none", "{}[var.client]", "jsondecode(\"{${var.client}\")", "regex(var.client, \"a\")", "file(var.client)",
		"templatefile(\"t.tmpl\", { whom = [var.client] })", "local.whom[upper(var.client)]", "[1, 2][var.client]", "var.client + 1", "[for x in var.client : x]",
		"lookup({}, var.client)", "formatdate(var.client, \"2025-01-01T00:00:00Z\")", "slug(strrev(var.client)).x", "index([\"a\"], var.client)", "element([], length(var.client))",
		"provider.xai == var.client ? 1 : [2]", "merge(var.client, {})", "parseint(var.client, 10)", "cidrhost(var.client, 1)", "base64decode(\"${var.client}!\")", "local.forms[\"none\"]", "image.form[var.client]", "module.inner", "module.inner.loud", "shout(1)", "shout([var.client])"} {
		w.run(-1, "eval", e)
		w.run(-1, "eval", "-json", e)
		w.runWith(e+"\n", -1, "console")
	}

	// Another value: what was and what is.
	w.env["IMGBUILD_VAR_client"] = "somebody else"
	w.run(0, "plan", "-json")
	if text := w.run(0, "plan", "-target=image.hero"); !strings.Contains(text, "prompt changed") || !strings.Contains(text, "prompt  (sensitive value)") {
		t.Errorf("the plan does not tell that the prompt changed:\n%s", text)
	}
	if text := w.run(6, "apply", "saved.json", "-fail-fast"); !strings.Contains(text, "its sensitive values are not those that the plan was made with") {
		t.Errorf("the saved plan does not tell that it is stale:\n%s", text)
	}
	w.env["IMGBUILD_VAR_client"] = "wrong"
	w.run(1, "plan")
	w.env["IMGBUILD_VAR_client"] = canary

	// What can be taken back and put back.
	if err := os.Remove(filepath.Join(w.dir, "hero.png")); err != nil {
		t.Error(err)
	}
	w.run(-1, "restore")
	w.run(0, "gc", "-dry-run")
	w.run(0, "gc")
	w.run(0, "fmt", "-check", "-diff", "-recursive")
	w.run(0, "fmt", "-list-only")
	w.run(-1, "apply", "-auto-approve", "-destroy", "-verify")

	w.write("tests/secret.imgtest.hcl", secretTests)
	for range 2 {
		w.run(-1, "validate")
		w.run(3, "test")
		w.run(3, "test", "-verbose")
		w.run(3, "test", "-json", "-verbose", "-junit-xml=report.xml")
		w.run(3, "test", "-filter=tests/secret.imgtest.hcl", "-test-directory=tests")
		w.write("tests/secret.imgtest.hcl", secretTests+"run \"all\" {\n  command = apply\n  variables {\n    client = \""+canary+"\"\n  }\n}\n")
	}
	for _, wrong := range []string{"tonumber(\"" + canary + "\")", "[1][\"" + canary + "\"]", "{}." + canary, "\"" + canary, "file(\"" + canary + "\")", "[\"" + canary + "\"]"} {
		w.write("tests/secret.imgtest.hcl", "run \"a\" {\n  variables {\n    client = "+wrong+"\n  }\n}\n")
		w.run(-1, "validate")
		w.run(-1, "test")
		w.run(-1, "test", "-json")
		w.write("tests/secret.imgtest.hcl", "variables {\n  client = "+wrong+"\n}\nrun \"a\" {}\n")
		w.run(-1, "validate")
		w.run(-1, "test")
		w.run(-1, "test", "-junit-xml=report.xml")
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "tests")); err != nil {
		t.Error(err)
	}
	w.run(0, "schema", "-manifest")
	w.run(0, "schema", "-report")
	w.run(0, "schema", "-test")
	w.run(0, "schema", "-test", "-json")
	w.run(0, "schema")
	w.run(0, "schema", "-json")
	w.run(0, "schema", "-test")
	w.run(3, "test", "-verbose")
	w.run(3, "test", "-json", "-junit-xml=junit.xml", "-filter=some.imgtest.hcl")
	w.run(3, "test", "-test-directory=none")
	w.run(-1, "lint")
	w.run(-1, "lint", "-json")
	w.run(-1, "lint", "-sarif")
	w.run(0, "lint", "-fix", "-diff")
	w.run(0, "lint", "-fix")
	w.run(0, "lint", "-write-baseline")
	w.run(0, "lint")
	w.run(0, "explain")
	w.run(0, "explain", "-json", "IB0318")
	w.run(0, "help")
	w.run(0, "version")
	w.run(0, "version", "-json")
	w.run(0, "functions")
	w.run(0, "functions", "-json")
	w.run(0, "completion", "bash")
	w.run(-1, "init")
	w.run(-1, "lock", "resolve", "-json")
	name := filepath.Join(w.dir, "imgbuild.lock.json")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	marked := "<<<<<<< a\n" + string(whole) + "=======\n" + strings.ReplaceAll(string(whole), "\"bytes\": ", "\"bytes\": 1") + ">>>>>>> b\n"
	if err := os.WriteFile(name, []byte(marked), 0o666); err != nil {
		t.Fatal(err)
	}
	w.run(-1, "lock", "resolve", "-dry-run")
	w.run(-1, "lock", "resolve", "-dry-run", "-ours=*")
	w.run(-1, "lock", "resolve", "-theirs=*")
	if err := os.Truncate(name, int64(len(marked)/3)); err != nil {
		t.Fatal(err)
	}
	w.run(-1, "doctor")
	w.run(-1, "doctor", "-repair", "-auto-approve")
	w.run(-1, "doctor", "-repair", "-auto-approve", "-json")

	// A flag that is new stands here or is run above.
	elsewhere := map[string]string{
		"emulate":     "it is another program, for other people's clients, and reads no configuration",
		"var":         "TestSensitiveFindings",
		"var-file":    "TestSensitiveFindings",
		"input":       "TestAsks",
		"no-cache":    "nothing is cached",
		"chdir":       "",
		"exclude":     "as -target",
		"parallelism": "", "lock-timeout": "", "grace": "", "max-cost": "", "offline": "", "auto-approve": "", "free": "", "provider": "", "allow-exec": "TestKeyShowsNowhere",
	}
	for verb, flags := range cli.Flags() {
		if _, ok := elsewhere[verb]; ok {
			continue
		}
		if !w.used[verb] {
			t.Errorf("imgbuild %s is not run", verb)
		}
		for _, f := range flags {
			if _, ok := elsewhere[f]; !ok && !w.used[verb+" "+f] {
				t.Errorf("imgbuild %s -%s is not run", verb, f)
			}
		}
	}
}

// TestSensitiveFindings looks for a sensitive value in what is said of mistakes
// around it: the line where it was written is not shown, and no message quotes
// it.
func TestSensitiveFindings(t *testing.T) {
	const head = "provider \"sketch\" {}\nvariable \"client\" {\n  sensitive = true\n}\nvariable \"other\" {\n  default = 1\n}\n"
	variable := func(rest string) string {
		return "provider \"sketch\" {}\nvariable \"client\" {\n  sensitive = true\n  " + rest + "\n}\n"
	}
	image := func(line string) string {
		return head + "image \"a\" {\n  prompt = \"x\"\n  size = \"8x8\"\n  " + line + "\n}\n"
	}
	use := func(line string) map[string]string { return map[string]string{"a.img.hcl": image(line)} }
	call := func(line string) string {
		return head + "module \"m\" {\n  source = \"./m\"\n  " + line + "\n}\n"
	}
	const callee = "variable \"s\" {\n  sensitive = true\n}\nvariable \"l\" {\n  type = list(number)\n  default = []\n  sensitive = true\n}\n"
	q := `"` + canary + `"`
	cases := []struct {
		name  string
		files map[string]string
		args  []string
		fine  bool // the project has no mistake
	}{
		{name: "default", files: map[string]string{"a.img.hcl": variable("type = number\n  default = " + q)}},
		{name: "layout", files: map[string]string{"a.img.hcl": variable("default=   " + q), "x.auto.imgvars": "client=     " + q + "\n", "b.img.hcl": "locals {\n  a=sensitive(" + q + ")\n}\n"}, fine: true},
		{name: "default by a call", files: map[string]string{"a.img.hcl": variable("default = tonumber(" + q + ")")}},
		{name: "default with a name", files: map[string]string{"a.img.hcl": variable("default = " + canary)}},
		{name: "default twice", files: map[string]string{"a.img.hcl": variable("default = " + q + "\n  default = " + q)}},
		{name: "default of several lines", files: map[string]string{"a.img.hcl": variable("default = {\n    a = " + q + "\n    b = tonumber(" + q + ")\n  }")}},
		{name: "syntax in the block", files: map[string]string{"a.img.hcl": variable("default = " + q + " oops")}},
		{name: "an open string in the block", files: map[string]string{"a.img.hcl": variable("default = \"" + canary)}},
		{name: "an open heredoc in the block", files: map[string]string{"a.img.hcl": variable("default = <<EOT\n" + canary + "\n")}},
		{name: "a character in the block", files: map[string]string{"a.img.hcl": variable("default = '" + canary + "'")}},
		{name: "an open bracket in the block", files: map[string]string{"a.img.hcl": variable("default = [" + canary + "\n\n")}},
		{name: "validation", files: map[string]string{"a.img.hcl": variable("default = " + q + "\n  validation {\n    condition = length(var.client) > 100\n    error_message = \"got ${var.client}\"\n  }")}},
		{name: "validation by a number", files: map[string]string{"a.img.hcl": variable("default = " + q + "\n  validation {\n    condition = var.client > 100\n    error_message = \"x\"\n  }")}},
		{name: "validation by text", files: map[string]string{"a.img.hcl": variable("default = " + q + "\n  validation {\n    condition = var.client\n    error_message = \"x\"\n  }")}},
		{name: "values", files: map[string]string{"a.img.hcl": head, "x.auto.imgvars": "client = [" + canary + "]\n"}},
		{name: "values with a wrong name", files: map[string]string{"a.img.hcl": head, "x.auto.imgvars": "clint = " + q + "\nclient = 1\n"}, fine: true},
		{name: "values with wrong syntax", files: map[string]string{"a.img.hcl": head, "x.auto.imgvars": "client = " + q + " " + canary + "\n"}},
		{name: "values with an open string", files: map[string]string{"a.img.hcl": head, "x.auto.imgvars": "client = \"" + canary + "\n"}},
		{name: "values without a name", files: map[string]string{"a.img.hcl": head, "x.auto.imgvars": canary + "\n"}},
		{name: "values as a block", files: map[string]string{"a.img.hcl": head, "x.auto.imgvars": "client {\n  x = " + q + "\n}\n"}},
		{name: "values of the wrong type", files: map[string]string{"a.img.hcl": strings.Replace(head, "sensitive", "type = object({ a = number })\n  sensitive", 1), "x.auto.imgvars": "client = { a = " + q + " }\n"}},
		{name: "-var", files: map[string]string{"a.img.hcl": strings.Replace(head, "sensitive", "type = number\n  sensitive", 1)}, args: []string{"-var", "client=" + canary}},
		{name: "-var of a list", files: map[string]string{"a.img.hcl": strings.Replace(head, "sensitive", "type = list(string)\n  sensitive", 1)}, args: []string{"-var", "client=[" + canary}},
		{name: "-var with a name", files: map[string]string{"a.img.hcl": strings.Replace(head, "sensitive", "type = list(string)\n  sensitive", 1)}, args: []string{"-var", "client=[" + canary + "]"}},
		{name: "-var of nothing", files: map[string]string{"a.img.hcl": head}, args: []string{"-var", "client=x", "-var", "none=" + canary}},
		{name: "-var without a name", files: map[string]string{"a.img.hcl": head}, args: []string{"-var", canary}},
		{name: "-var with a value as its name", files: map[string]string{"a.img.hcl": head}, args: []string{"-var", "client=x", "-var", canary + "=="}},
		{name: "-var-file", files: map[string]string{"a.img.hcl": head, "v.imgvars": "client = \"" + canary}, args: []string{"-var-file", "v.imgvars"}},
		{name: "a key", files: use("alt = { a = 1 }[var.client]")},
		{name: "an attribute", files: use("alt = var.client")},
		{name: "a number", files: use("n = var.client")},
		{name: "a path", files: use("path = \"${var.client}.png\"")},
		{name: "a style that is none", files: use("style = var.client")},
		{name: "a user that nobody takes", files: use("user = var.client")},
		{name: "a type", files: use("style = [var.client]")},
		{name: "a call", files: use("style = jsondecode(\"{${var.client}\")")},
		{name: "a literal", files: use("style = tonumber(sensitive(" + q + "))")},
		{name: "a literal of a style", files: use("style = sensitive(" + q + ")")},
		{name: "a literal and an open string", files: use("style = sensitive(" + q + ")\n alt = \"")},
		{name: "wrong syntax beside a literal", files: use("style = sensitive(" + q + ") oops")},
		{name: "a source", files: use("edit {\n    image = var.client\n  }")},
		{name: "each", files: map[string]string{"a.img.hcl": head + "image \"a\" {\n  for_each = { x = var.client }\n  prompt = tonumber(each.value)\n}\n"}},
		{name: "keys", files: map[string]string{"a.img.hcl": head + "image \"a\" {\n  for_each = toset([var.client])\n  prompt = \"x\"\n}\n"}},
		{name: "a circle", files: map[string]string{"a.img.hcl": head + "locals {\n  a = { (var.client) = local.b }\n  b = local.a\n}\n"}},
		{name: "an output", files: map[string]string{"a.img.hcl": head + "output \"x\" {\n  value = { (upper(var.client)) = 1 }\n}\n"}},
		{name: "a template", files: map[string]string{"a.img.hcl": image("style = templatefile(\"t.tmpl\", { a = var.client })"), "t.tmpl": "${a + 1}"}},
		{name: "a module", files: map[string]string{"a.img.hcl": head + "module \"m\" {\n  source = \"./m\"\n  n = var.client\n}\n", "m/a.img.hcl": "variable \"n\" {\n  type = number\n  validation {\n    condition = var.n > 3\n    error_message = \"x\"\n  }\n}\n"}},
		{name: "keys of a module", files: map[string]string{"a.img.hcl": head + "module \"m\" {\n  source = \"./m\"\n  for_each = toset([var.client])\n}\n", "m/a.img.hcl": "locals {}\n"}},
		{name: "an output of a module", files: map[string]string{"a.img.hcl": head + "module \"m\" {\n  source = \"./m\"\n  n = var.client\n}\noutput \"x\" {\n  value = module.m.x\n}\n", "m/a.img.hcl": "variable \"n\" {}\noutput \"x\" {\n  value = [var.n]\n}\n"}},
		{name: "a function", files: map[string]string{"a.img.hcl": image("style = num(var.client)") + "function \"num\" {\n  params = [x]\n  result = tonumber(x)\n}\n"}},
		{name: "a block", files: use("dynamic \"rendition\" {\n    for_each = [var.client]\n    labels = [rendition.value]\n    content {\n      width = 8\n    }\n  }")},
		{name: "a label", files: use("dynamic \"rendition\" {\n    for_each = [1]\n    labels = [var.client]\n    content {\n      width = 8\n    }\n  }")},
		{name: "an import", files: map[string]string{"a.img.hcl": image("") + "import {\n  to = image.a\n  path = \"${var.client}.png\"\n}\n"}},
		{name: "JSON", files: map[string]string{"a.img.hcl": "provider \"sketch\" {}\n", "b.img.json": "{\"variable\": {\"client\": {\"type\": \"number\", \"sensitive\": true, \"default\": " + q + "}}}\n"}},
		{name: "JSON with wrong syntax", files: map[string]string{"a.img.hcl": "provider \"sketch\" {}\n", "b.img.json": "{\"variable\": {\"client\": {\"sensitive\": true, \"default\": " + q + " " + canary + "}}}\n"}},
		{name: "a precondition", files: use("precondition {\n    condition = length(var.client) > 100\n    error_message = \"${var.client} is short\"\n  }")},
		{name: "a precondition by text", files: use("precondition {\n    condition = var.client\n    error_message = \"x\"\n  }")},
		{name: "a tag", files: use("tags = [var.client]")},
		{name: "ignore_changes", files: use("lifecycle {\n    ignore_changes = [var.client]\n  }")},
		{name: "protect", files: use("lifecycle {\n    protect = var.client\n  }")},
		{name: "depends_on", files: use("depends_on = [var.client]")},
		{name: "a budget", files: map[string]string{"a.img.hcl": image("") + "budget \"b\" {\n  tags = [var.client]\n  max_cost = var.client\n}\n"}},
		{name: "a provider", files: map[string]string{"a.img.hcl": head + "provider \"xai\" {\n  endpoint = var.client\n}\n"}},
		{name: "given to a module: a call", files: map[string]string{"a.img.hcl": call("s = tonumber(" + q + ")"), "m/a.img.hcl": callee}},
		{name: "in sensitive(): a call", files: use("style = sensitive(tonumber(" + q + "))")},
		{name: "given to a module: a file that is not there", files: map[string]string{"a.img.hcl": call("s = file(" + q + ")"), "m/a.img.hcl": callee}},
		{name: "in sensitive(): a file that is not there", files: use("style = sensitive(file(" + q + "))")},
		{name: "given to a module: a name", files: map[string]string{"a.img.hcl": call("s = " + canary + ""), "m/a.img.hcl": callee}},
		{name: "in sensitive(): a name", files: use("style = sensitive(" + canary + ")")},
		{name: "given to a module: a name with quotes left away", files: map[string]string{"a.img.hcl": call("s = var." + canary + ""), "m/a.img.hcl": callee}},
		{name: "in sensitive(): a name with quotes left away", files: use("style = sensitive(var." + canary + ")")},
		{name: "given to a module: a function that there is none of", files: map[string]string{"a.img.hcl": call("s = " + canary + "(1)"), "m/a.img.hcl": callee}},
		{name: "in sensitive(): a function that there is none of", files: use("style = sensitive(" + canary + "(1))")},
		{name: "given to a module: a key", files: map[string]string{"a.img.hcl": call("s = { a = 1 }[" + q + "]"), "m/a.img.hcl": callee}},
		{name: "in sensitive(): a key", files: use("style = sensitive({ a = 1 }[" + q + "])")},
		{name: "given to a module: an instance", files: map[string]string{"a.img.hcl": call("s = image.a[" + q + "].path"), "m/a.img.hcl": callee}},
		{name: "in sensitive(): an instance", files: use("style = sensitive(image.a[" + q + "].path)")},
		{name: "given to a module: a template", files: map[string]string{"a.img.hcl": call("s = \"${[" + q + "] + 1}\""), "m/a.img.hcl": callee}},
		{name: "in sensitive(): a template", files: use("style = sensitive(\"${[" + q + "] + 1}\")")},
		{name: "given to a module: an address", files: map[string]string{"a.img.hcl": call("s = image." + canary + ".path"), "m/a.img.hcl": callee}},
		{name: "in sensitive(): an address", files: use("style = sensitive(image." + canary + ".path)")},
		{name: "given to a module: the wrong type", files: map[string]string{"a.img.hcl": call("s = 1\n  l = [" + q + "]"), "m/a.img.hcl": callee}},
		{name: "given to a module: wrong syntax", files: map[string]string{"a.img.hcl": call("s = " + q + " oops"), "m/a.img.hcl": callee}},
		{name: "given to a module: an open string", files: map[string]string{"a.img.hcl": call("s = \"" + canary), "m/a.img.hcl": callee}},
		{name: "given to a module: layout", files: map[string]string{"a.img.hcl": call("s =    " + q), "m/a.img.hcl": callee}, fine: true},
		{name: "given to a module: twice", files: map[string]string{"a.img.hcl": call("s = " + q + "\n  s = " + q), "m/a.img.hcl": callee}},
		{name: "given to each of a module", files: map[string]string{"a.img.hcl": call("for_each = { a = 1 }\n  s = tonumber([" + q + ", each.value][0])"), "m/a.img.hcl": callee}},
		{name: "given to a module in JSON", files: map[string]string{"a.img.hcl": head, "b.img.json": "{\"module\": {\"m\": {\"source\": \"./m\", \"s\": \"${tonumber(\\\"" + canary + "\\\")}\"}}}\n", "m/a.img.hcl": callee}},
		{name: "in sensitive() in a template", files: map[string]string{"a.img.hcl": image("style = templatefile(\"t.tmpl\", {})"), "t.tmpl": "${sensitive(tonumber(" + q + "))}"}},
		{name: "in sensitive() in a function", files: map[string]string{"a.img.hcl": image("style = num(1)") + "function \"num\" {\n  params = [x]\n  result = sensitive(tonumber(" + q + "))\n}\n"}},
		{name: "in sensitive() in a file of values", files: map[string]string{"a.img.hcl": head, "x.auto.imgvars": "client = 1\nother = sensitive(tonumber(" + q + "))\n"}},
		{name: "in sensitive() by the name of Terraform", files: use("style = core::sensitive(tonumber(" + q + "))")},
		{name: "-var with sensitive()", files: map[string]string{"a.img.hcl": strings.Replace(head, "default = 1", "type = list(string)", 1)}, args: []string{"-var", "client=1", "-var", "other=[sensitive(tonumber(\"" + canary + "\"))]"}},
		{name: "-var with a mistake in sensitive()", files: map[string]string{"a.img.hcl": strings.Replace(head, "default = 1", "type = list(string)", 1)}, args: []string{"-var", "client=1", "-var", "other=[sensitive(\"" + canary + "\" oops)]"}},
		{name: "another mistake", files: use("style = \"${var.client}${var.other.x}\"")},
		{name: "another mistake on the way", files: map[string]string{"a.img.hcl": head + "locals {\n  a = upper(var.client)\n  b = [local.a][local.a]\n}\nimage \"a\" {\n  prompt = local.b\n}\n"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := watch(t)
			var all string
			for name, text := range c.files {
				w.write(name, text)
				all += text
			}
			if !strings.Contains(all, canary) && c.args == nil {
				w.env["IMGBUILD_VAR_client"] = canary
			}
			for _, verb := range [][]string{{"validate"}, {"validate", "-json"}, {"validate", "-sarif"}, {"plan"}, {"plan", "-json"}, {"apply", "-auto-approve", "-json"}, {"output"}, {"eval", "1"}, {"fmt", "-diff"}, {"lint"}, {"lint", "-json"}} {
				want := -1
				late := verb[0] == "output" || verb[0] == "eval" || verb[0] == "fmt" || verb[0] == "lint" // what models take is not their business
				if !c.fine && !late && c.name[0] != '-' {
					want = 1
				}
				args := c.args
				if verb[0] == "fmt" {
					args = nil
				}
				text := w.run(want, slices.Insert(slices.Clone(verb), 1, args...)...)
				if text == "" && !late {
					t.Errorf("%s says nothing", verb)
				}
				if *shown && len(verb) == 1 && verb[0] == "validate" {
					t.Logf("\n%s", text)
				}
			}
		})
	}
}

// TestSensitiveExpressions asks for what is written out in an expression and is
// not said.
func TestSensitiveExpressions(t *testing.T) {
	w := watch(t)
	w.write("a.img.hcl", "provider \"sketch\" {}\nimage \"a\" {\n  prompt = \"x\"\n  size = \"8x8\"\n}\n")
	q := `"` + canary + `"`
	for _, e := range []string{`upper(sensitive(file(` + q + `)))`, `sensitive(tonumber(` + q + `))`, `sensitive(` + canary + `)`, `sensitive(` + canary + `())`, `{ a = 1 }[sensitive(` + q + `)]`,
		`sensitive(` + q + ` oops`, `sensitive("` + canary, `sensitive('` + canary + `')`, `upper(sensitive(` + q + `)`, `sensitive({ a = ` + q + ` }).b`, `templatestring("$${a + 1}", { a = sensitive(` + q + `) })`,
		`templatestring("$${sensitive(` + canary + `)}", {})`, `templatestring("$${sensitive(` + canary + `())}", {})`} {
		for _, args := range [][]string{{"eval", e}, {"eval", "-json", e}} {
			if text := w.run(1, args...); !strings.Contains(text, "expression") {
				t.Errorf("%q says %s", args[:1], text)
			}
		}
	}
	w.runWith("sensitive(tonumber("+q+"))\nsensitive('"+canary+"')\n", 1, "console")
}

var shown = flag.Bool("shown", false, "log what TestSensitiveFindings makes the program say")
