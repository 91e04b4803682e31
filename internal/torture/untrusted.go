package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// untrustedRow lets each verb that must be safe look at repositories of
// strangers, and reads all that it asked of the kernel.
func untrustedRow() *row {
	return &row{
		name:  "an untrusted repository, each verb that promises to need no key and no network",
		must:  "no connection, no program started, nothing opened outside the root but itself and what an empty Go program opens; never waits for a pipe; a good repository works without a key",
		needs: []string{"strace", "go", "mkfifo"}, long: 1000, batch: 100, short: len(untrustedVerbs),
		sees: []string{"calls read", "opened", "sockets", "programs", "opened outside", "waited"},
		run: func(t *trial) error {
			imgbuild, usual, err := t.programs()
			if err != nil {
				return err
			}
			t.self = imgbuild
			for i := range t.n {
				if err := t.untrusted(filepath.Join(t.dir, fmt.Sprint(i)), i, usual); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

var untrustedVerbs = [][]string{
	{"plan"}, {"plan", "-json"}, {"plan", "-verify", "-out=../out/plan.json"}, {"plan", "-draft"}, {"plan", "-destroy"}, {"validate"}, {"validate", "-json"},
	{"verify"}, {"fmt", "-check", "-recursive"}, {"fmt", "-diff", "-recursive"}, {"show"}, {"show", "-json"}, {"show", "image.good"}, {"why", "image.good"},
	{"graph"}, {"graph", "-mermaid"}, {"output"}, {"output", "-json"}, {"eval", "[for f in fileset(\".\", \"**\") : f]"}, {"restore"}, {"gc", "-dry-run"},
	{"providers"}, {"models", "-offline"}, {"test"}, {"lint"}, {"lint", "-json"},
}

const secret = "CANARY-d41d8cd98f00b204"

// goodSite is one that any of the verbs accepts.
const goodSite = `provider "xai" {}
image "good" {
  prompt = "A lake."
  path   = "img/good.jpg"
  alt    = "A lake"
}
output "good" {
  value = image.good.path
}
`

// A hostile thing is text for a file of the configuration, or does something to
// the folder. OUT stands for the absolute path of a folder outside.
type hostile struct {
	text string
	file string // that gets the text; "" for one of its own
	link string // from the file, to this
	pipe bool   // the file is one
}

// hostiles are put together at random.
var hostiles = []hostile{
	{text: `locals { a1 = file("/etc/passwd") }`},
	{text: `locals { a2 = file("../out/secret.txt") }`},
	{text: `locals { a3 = file("OUT/secret.txt") }`},
	{text: `locals { a4 = file("link.txt") }`},
	{text: `locals { a5 = file("folder/secret.txt") }`},
	{text: `locals { a6 = templatefile("../out/secret.txt", {}) }`},
	{text: `locals { a7 = templatefile("link.txt", {}) }`},
	{text: `locals { a8 = frontmatter("folder/secret.txt") }`},
	{text: `locals { a9 = filesha256("link.txt") }`},
	{text: `locals { b1 = filesha256("/etc/passwd") }`},
	{text: `locals { b2 = imagesize("link.png") }`},
	{text: `locals { b3 = fileset(".", "../**") }`},
	{text: `locals { b4 = fileset("/etc", "*") }`},
	{text: `locals { b5 = fileset("..", "**") }`},
	{text: `locals { b6 = fileset("folder", "**") }`},
	{text: `locals { b7 = [for f in fileset(".", "**/*.txt") : file(f)] }`},
	{text: `locals { b8 = fileexists("folder/secret.txt") }`},
	{text: `locals { b9 = file("pipe.txt") }`},
	{text: `locals { c1 = [for f in fileset(".", "**") : filesha256(f)] }`},
	{text: `locals { c2 = file("/dev/zero") }`},
	{text: `locals { c3 = file("zero.txt") }`},
	{text: `locals { c4 = file("/proc/self/environ") }`},
	{text: `module "m1" { source = "../.." }`},
	{text: `module "m2" { source = "../out" }`},
	{text: `module "m3" { source = "OUT" }`},
	{text: `module "m4" { source = "./folder" }`},
	{text: `module "m5" { source = "git::ssh://127.0.0.1/x.git" }`},
	{text: `module "m6" { source = "https://127.0.0.1/x.zip" }`},
	{text: `module "m7" { source = "ext::sh -c touch% OUT/ran" }`},
	{text: `image "e1" {
  prompt = "x"
  edit { image = "../out/secret.png" }
}`},
	{text: `image "e2" {
  prompt = "x"
  edit { image = "link.png" }
}`},
	{text: `image "e3" {
  prompt = "x"
  edit { image = "folder/secret.png" }
}`},
	{text: `image "e4" {
  prompt = "x"
  edit { image = "pipe.txt" }
}`},
	{text: `image "e5" {
  prompt = "x"
  edit {
    image = "a.png"
    mask { file = "link.png" }
  }
}`},
	{text: `image "e6" {
  prompt = "x"
  edit { image = "https://127.0.0.1/a.png" }
}`},
	{text: `image "o1" {
  prompt = "x"
  path   = "../out/made.png"
}`},
	{text: `image "o2" {
  prompt = "x"
  path   = "folder/made.png"
}`},
	{text: `image "o3" {
  prompt = "x"
  path   = "link.png"
}`},
	{text: `image "o4" {
  prompt = "x"
  path   = "OUT/made.png"
}`},
	{text: `image "o5" {
  prompt = "x"
  path   = ".git/hooks/made.png"
}`},
	{text: `image "o6" {
  prompt = "x"
  path   = "githooks/made.png"
}`},
	{text: `image "o7" {
  prompt = "x"
  path   = "pipe.txt"
}`},
	{text: `import {
  to   = image.good
  path = "link.png"
}`},
	{text: `import {
  to   = image.good
  path = "../out/secret.png"
}`},
	{text: `provider "xai" {
  alias    = "p1"
  endpoint = "http://127.0.0.1:1/v1"
}
image "p1" {
  prompt   = "x"
  provider = provider.xai.p1
}`},
	{text: `provider "xai" {
  alias    = "p2"
  endpoint = "http://169.254.169.254/latest/meta-data"
}
image "p2" {
  prompt   = "x"
  provider = provider.xai.p2
}`},
	{text: `provider "xai" {
  alias    = "p3"
  endpoint = "https://example.com/v1"
  transport = "grpc"
}
image "p3" {
  prompt   = "x"
  provider = provider.xai.p3
}`},
	{text: `provider "xai" {
  alias   = "p4"
  api_key = file("../out/secret.txt")
}
image "p4" {
  prompt   = "x"
  provider = provider.xai.p4
}`},
	{text: `provider "xai" {
  alias              = "p5"
  credential_command = ["sh", "-c", "touch OUT/ran"]
}
image "p5" {
  prompt   = "x"
  provider = provider.xai.p5
}`},
	{text: `imgbuild { output_dir = "../out" }`},
	{text: `imgbuild { output_dir = "folder" }`},
	{text: `imgbuild {
  store {
    path = "../out"
  }
}`},
	{text: `imgbuild {
  store {
    path = "folder"
    keep = "all"
  }
}`},
	{text: `imgbuild {
  store {
    path = "githooks"
  }
}`},
	{text: "variable \"v\" {}\noutput \"v\" {\n  value = var.v\n}"},
	{file: "a.imgtest.hcl", text: "run \"r\" {\n  module { source = \"../out\" }\n  assert {\n    condition = file(\"../out/secret.txt\") == \"\"\n    error_message = file(\"link.txt\")\n  }\n}\n"},
	{file: "b.imgtest.hcl", link: "OUT/evil.imgtest.hcl"},
	{file: "linked.img.hcl", link: "OUT/evil.img.hcl"},
	{file: "dangling.img.hcl", link: "OUT/nothing"},
	{file: "zero.img.hcl", link: "/dev/zero"},
	{file: "folded.img.hcl", link: ".git/config"},
	{file: "linked.auto.imgvars", link: "OUT/secret.imgvars"},
	{file: "imgbuild.imgvars", link: "OUT/secret.imgvars"},
	{file: "imgbuild.lock.json", link: "OUT/lock.json"},
	{file: "imgbuild.lock.json", pipe: true},
	{file: "imgbuild.lock.json", text: `{"version":1,"images":{"image.good":{"outputs":{"../out/secret.txt":{}}}}}`},
	{file: ".imgbuild", link: "OUT"},
	{file: ".imgbuild", link: ".git"},
	{file: ".imgbuild/cache", link: "OUT"},
	{file: ".imgbuild/store", link: "OUT"},
	{file: ".imgbuild/journal", link: "OUT"},
	{file: ".imgbuild/draft", link: "OUT"},
	{file: ".imgbuild/draft", link: "../.git/hooks"},
	{file: ".imgbuild/store", link: "../.git"},
	{file: ".imgbuild/index", link: "OUT/secret.txt"},
	{file: ".imgbuild/lock", link: "OUT/secret.txt"},
	{file: ".imgbuild/index", pipe: true},
	{file: ".imgbuild/lock", pipe: true},
	{file: ".imgbuild/cache/project", pipe: true},
	{file: ".imgbuild/journal/000001.log", pipe: true},
	{file: ".imgbuild/journal/000001.log", link: "OUT/secret.txt"},
	{file: "image.good", pipe: true},
	{file: "image.good", link: "/dev/zero"},
	{file: "pipe.img.hcl", pipe: true},
	{file: "pipe.imgvars", pipe: true},
	{file: "pipe.imgtest.hcl", pipe: true},
}

// untrusted makes a repository and lets one verb look at it.
func (t *trial) untrusted(dir string, i int, usual map[string]bool) error {
	root, out, temp := filepath.Join(dir, "root"), filepath.Join(dir, "out"), filepath.Join(dir, "tmp")
	good := t.luck.IntN(10) == 0
	if err := t.repository(root, out, good); err != nil {
		return err
	}
	if err := os.MkdirAll(temp, 0o777); err != nil {
		return err
	}
	before, err := snapshot(dir, root, temp)
	if err != nil {
		return err
	}
	args := untrustedVerbs[i%len(untrustedVerbs)]
	trace := filepath.Join(t.dir, "trace")
	cmd := t.imgbuild(root, args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	cmd, err = t.strace(cmd, "-y", "-s", "4096", "-o", trace, "-e", "trace=%file,%network,%process")
	if err != nil {
		return err
	}
	e, late, err := t.watched(cmd)
	if err != nil {
		return err
	}
	wrong := func(format string, more ...any) {
		t.wrong("%s: %s\n%s", strings.Join(args, " "), fmt.Sprintf(format, more...), describe(root))
	}
	if late {
		t.count("waited", 1)
		wrong("it waits for ever")
	}
	if e.code < 0 || e.code > 4 {
		wrong("it ended with %d: %s", e.code, e.stderr)
	}
	works := []int{0, 3}
	if slices.Equal(args, []string{"show", "image.good"}) {
		works = []int{1} // there is none yet
	}
	if good && !slices.Contains(works, e.code) {
		wrong("a good repository is refused with %d: %s", e.code, e.stderr)
	}
	if strings.Contains(e.stdout+e.stderr, secret) {
		wrong("it tells what is in a file outside: %s%s", e.stdout, e.stderr)
	}
	calls, err := readTrace(trace)
	if err != nil {
		return err
	}
	t.count("calls read", len(calls))
	if len(calls) == 0 {
		return errors.New("strace wrote no trace")
	}
	programs := 0
	for _, c := range calls {
		switch c.name {
		case "execve", "execveat":
			if programs++; programs > 1 { // the first is imgbuild itself
				t.count("programs", 1)
				wrong("it starts a program: %s", c.args)
			}
		case "fork", "vfork":
			t.count("programs", 1)
			wrong("it starts a process")
		case "clone", "clone3":
			if !strings.Contains(c.args, "CLONE_THREAD") {
				t.count("programs", 1)
				wrong("it starts a process: %s", c.args)
			}
		case "socket", "socketpair", "connect", "bind", "listen", "sendto", "sendmsg":
			t.count("sockets", 1)
			wrong("it uses the network: %s(%s)", c.name, c.args)
		case "open", "openat", "openat2", "creat":
			if c.ret < 0 {
				continue
			}
			t.count("opened", 1)
			// The kernel tells where the file is, whatever links led there.
			at := c.opened
			allowed := usual[self(at)] || strings.HasPrefix(at, "/usr/share/zoneinfo/") || at == "/etc/localtime" || // what time it is here
				at == t.self || // protobuf reads the latter when it starts
				within(root, at) || within(temp, at) || at == root ||
				slices.Contains(args, "-out=../out/plan.json") && (within(out, at) && strings.Contains(at, "plan"))
			if !allowed {
				t.count("opened outside", 1)
				wrong("it opens %s, as %s", at, c.args)
			}
		}
	}
	after, err := snapshot(dir, root, temp)
	if err != nil {
		return err
	}
	for name, was := range after {
		if !strings.Contains(name, "plan") && before[name] != was {
			wrong("it changed %s", name)
		}
	}
	return os.RemoveAll(dir)
}

// within reports whether a path is below a folder.
func within(dir, p string) bool { return strings.HasPrefix(p, dir+string(filepath.Separator)) }

// repository writes one, and a folder outside that holds secrets.
func (t *trial) repository(root, out string, good bool) error {
	var errs []error
	write := func(name, text string) {
		errs = append(errs, os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(text), 0o666))
	}
	at := func(name string) string { return filepath.Join(root, name) }
	fill := func(s string) string { return strings.ReplaceAll(s, "OUT", out) }
	write(filepath.Join(out, "secret.txt"), "---\ntitle: "+secret+"\n---\n"+secret+"\n")
	write(filepath.Join(out, "secret.png"), secret)
	write(filepath.Join(out, "secret.imgvars"), "v = \""+secret+"\"\n")
	write(filepath.Join(out, "evil.img.hcl"), "output \"evil\" {\n  value = \""+secret+"\"\n}\n")
	write(filepath.Join(out, "evil.imgtest.hcl"), "run \"evil\" {\n  assert {\n    condition = false\n    error_message = \""+secret+"\"\n  }\n}\n")
	write(filepath.Join(out, "lock.json"), `{"`+secret+`": 1}`)
	write(at("site.img.hcl"), goodSite)
	write(at(".git/config"), "[core]\n\tfsmonitor = touch "+out+"/ran\n\thooksPath = ../out\n")
	write(at(".git/hooks/post-checkout"), "#!/bin/sh\ntouch "+out+"/ran\n")
	if good {
		return errors.Join(errs...)
	}
	for name, to := range map[string]string{"link.txt": "OUT/secret.txt", "link.png": "../out/secret.png", "folder": "../out", "githooks": ".git/hooks", "zero.txt": "/dev/zero"} {
		errs = append(errs, os.Symlink(fill(to), at(name)))
	}
	errs = append(errs, exec.Command("mkfifo", at("pipe.txt")).Run())
	for i, k := range t.luck.Perm(len(hostiles))[:1+t.luck.IntN(6)] {
		h := hostiles[k]
		file := h.file
		if file == "" {
			file = fmt.Sprintf("h%d.img.hcl", i)
		}
		if _, err := os.Lstat(at(file)); err == nil {
			continue // another one was faster
		}
		// It may have to go through a link that another one made.
		if err := os.MkdirAll(filepath.Dir(at(file)), 0o777); err != nil {
			continue
		}
		switch {
		case h.link != "":
			errs = append(errs, os.Symlink(fill(h.link), at(file)))
		case h.pipe:
			errs = append(errs, exec.Command("mkfifo", at(file)).Run())
		default:
			write(at(file), fill(h.text)+"\n")
		}
	}
	return errors.Join(errs...)
}

// describe lists what is in a repository, for whoever must see why.
func describe(root string) string {
	var b strings.Builder
	filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		rel, _ := filepath.Rel(root, p)
		to, _ := os.Readlink(p)
		fmt.Fprintf(&b, "  %s %s %s\n", d.Type(), rel, to)
		if strings.HasPrefix(rel, "h") && d.Type().IsRegular() {
			text, _ := os.ReadFile(p)
			fmt.Fprintf(&b, "    %s", text)
		}
		return nil
	})
	return b.String()
}

// snapshot is what lies below a folder, with what each file holds, but for
// some folders.
func snapshot(dir string, but ...string) (map[string]string, error) {
	was := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(but, p):
			return fs.SkipDir
		case d.Type().IsRegular():
			b, err := os.ReadFile(p)
			was[p] = string(b)
			return err
		}
		was[p] = d.Type().String()
		return nil
	})
	return was, err
}

// programs builds imgbuild as it is shipped (this executable, as a victim, is
// larger and may be linked to a C library) and a program that does nothing but
// end; and tells what that opens.
func (t *trial) programs() (imgbuild string, usual map[string]bool, err error) {
	dir := filepath.Join(t.dir, "programs")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", nil, err
	}
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o666); err != nil {
		return "", nil, err
	}
	for name, what := range map[string]string{"imgbuild": "github.com/imgbuild/imgbuild/cmd/imgbuild", "empty": source} {
		build := exec.CommandContext(t.ctx, "go", "build", "-trimpath", "-o", filepath.Join(dir, name), what)
		build.Env = append(build.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("go build %s: %w: %s", what, err, out)
		}
	}
	trace := filepath.Join(t.dir, "trace")
	cmd, err := t.strace(exec.CommandContext(t.ctx, filepath.Join(dir, "empty")), "-y", "-o", trace, "-e", "trace=%file")
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Run(); err != nil {
		return "", nil, err
	}
	calls, err := readTrace(trace)
	usual = map[string]bool{}
	for _, c := range calls {
		if c.opened != "" {
			usual[self(c.opened)] = true
		}
	}
	return filepath.Join(dir, "imgbuild"), usual, err
}

var process = regexp.MustCompile(`^/proc/\d+/`)

// self makes the same path of what two processes open of their own.
func self(p string) string { return process.ReplaceAllString(p, "/proc/self/") }
