package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// person sits at a terminal: what the program writes there is seen, and what is
// typed is read.
type person struct {
	t    *testing.T
	keys *os.File // the other end
	tty  *os.File
	more *sync.Cond
	seen bytes.Buffer
}

// theEnd is written when the program is at its end.
const theEnd = "(the end)"

func sit(t *testing.T) *person {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal("this needs pseudo terminals: ", err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, keys: keys, tty: tty, more: sync.NewCond(&sync.Mutex{})}
	t.Cleanup(func() { tty.Close(); keys.Close() })
	go func() {
		b := make([]byte, 1024)
		for {
			n, err := keys.Read(b)
			p.more.L.Lock()
			p.seen.Write(b[:n])
			p.more.Broadcast()
			p.more.L.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

// sees waits for a text, how often it has been written so far.
func (p *person) sees(text string, times int) {
	p.t.Helper()
	p.more.L.Lock()
	defer p.more.L.Unlock()
	for strings.Count(p.seen.String(), text) < times {
		if strings.Contains(p.seen.String(), theEnd) {
			p.t.Fatalf("the program ended and did not write %q:\n%s", text, p.seen.String())
		}
		p.more.Wait()
	}
}

func (p *person) echoes() bool {
	s, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return s.Lflag&unix.ECHO != 0
}

// unseen waits until what is typed is not shown.
func (p *person) unseen() {
	for p.echoes() {
		runtime.Gosched() // nothing tells of it
	}
}

func (p *person) types(text string) {
	if _, err := p.keys.WriteString(text); err != nil {
		p.t.Error(err)
	}
}

// run runs a command at the terminal, but for its standard output.
func (p *person) run(dir string, env map[string]string, args ...string) (code func() int, out *bytes.Buffer) {
	out = &bytes.Buffer{}
	end := make(chan int)
	go func() {
		n := cli.Main(&cli.Env{Stdin: p.tty, Stdout: out, Stderr: p.tty, Args: args, Dir: dir, Now: time.Now, Getenv: func(name string) string { return env[name] }})
		p.tty.WriteString(theEnd)
		end <- n
	}()
	return func() int { p.sees(theEnd, 1); return <-end }, out
}

const askProject = `provider "sketch" {}
variable "season" {
  description = "When the pictures are taken.\nThe fair is in spring."
}
variable "client" {
  sensitive = true
}
variable "sizes" {
  type = list(string)
}
image "a" {
  for_each = toset(var.sizes)
  prompt   = "A lake in ${var.season} for ${var.client}"
  size     = each.key
}
output "season" {
  value = var.season
}
`

func askDir(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(askProject), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAsks: what has no value is asked for, what is sensitive without an echo.
func TestAsks(t *testing.T) {
	dir, p := askDir(t), sit(t)
	code, out := p.run(dir, map[string]string{"NO_COLOR": "1"}, "plan", "-json")
	p.sees("Enter a value: ", 1)
	p.unseen()
	p.types("x\x7f" + canary + "ä\x7f\r")
	p.sees("Enter a value: ", 2)
	p.types("late autumn\n")
	p.sees("Enter a value: ", 3)
	p.types(`["8x8", "16x16"]` + "\n")
	if n := code(); n != 0 {
		t.Errorf("exit code %d", n)
	}
	if !p.echoes() {
		t.Error("the terminal has no echo any more")
	}
	text := strings.ReplaceAll(p.seen.String(), "\r\n", "\n")
	want := "var.client\n\n  Enter a value: \n\nvar.season\n  When the pictures are taken.\n  The fair is in spring.\n\n  Enter a value: late autumn\n\nvar.sizes\n\n  Enter a value: [\"8x8\", \"16x16\"]\n\n"
	if !strings.HasPrefix(text, strings.TrimSuffix(want, "\n")) { // the end may still be on its way
		t.Errorf("got %q, want %q", text, want)
	}
	if value := "A lake in late autumn for " + canary; !strings.Contains(out.String(), requestOf(value)) {
		t.Errorf("the plan asks for something else than %q:\n%s", value, out)
	}
	if strings.Contains(strings.ToLower(text+out.String()), strings.ToLower(canary)) {
		t.Error("the answer was shown")
	}
	if _, err := os.Stat(filepath.Join(dir, ".imgbuild", "cache", "project")); err == nil {
		if b, _ := os.ReadFile(filepath.Join(dir, ".imgbuild", "cache", "project")); len(b) > 0 {
			t.Error("a project with answers is kept")
		}
	}
}

// TestAsksApply: the question for approval follows, and reads what is left.
func TestAsksApply(t *testing.T) {
	dir, p := askDir(t), sit(t)
	code, out := p.run(dir, map[string]string{"NO_COLOR": "1", "IMGBUILD_VAR_client": "x", "IMGBUILD_VAR_sizes": `["8x8"]`}, "apply")
	p.sees("Enter a value: ", 1)
	p.types("spring\n")
	p.sees("Only yes does it: ", 1)
	p.types("yes\n")
	if n := code(); n != 0 || !strings.Contains(out.String(), `season = "spring"`) {
		t.Errorf("exit code %d\n%s", n, out)
	}
}

// TestAsksNobody: where nobody may be asked it is a finding.
func TestAsksNobody(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"CI":       {map[string]string{"CI": "true"}, []string{"plan"}},
		"a flag":   {nil, []string{"plan", "-input=false"}},
		"validate": {nil, []string{"validate"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := sit(t)
			code, _ := p.run(askDir(t), c.env, c.args...)
			p.sees("3 errors.", 1)
			if n := code(); n != 1 || strings.Contains(p.seen.String(), "Enter") {
				t.Errorf("exit code %d\n%s", n, p.seen.String())
			}
		})
	}
}

// TestAsksNoMore: the end of the input ends the questions, Ctrl-C the command.
func TestAsksNoMore(t *testing.T) {
	p := sit(t)
	code, _ := p.run(askDir(t), map[string]string{"NO_COLOR": "1"}, "plan")
	p.sees("Enter a value: ", 1)
	p.unseen()
	p.types("\x04")
	p.sees("3 errors.", 1)
	if n := code(); n != 1 || strings.Count(p.seen.String(), "Enter") != 1 {
		t.Errorf("exit code %d\n%s", n, p.seen.String())
	}

	p = sit(t)
	code, _ = p.run(askDir(t), nil, "plan")
	p.sees("Enter a value: ", 1)
	p.unseen()
	p.types("abc\x03")
	if n := code(); n != 130 || !p.echoes() || strings.Contains(p.seen.String(), "Error") {
		t.Errorf("exit code %d, echo %v\n%s", n, p.echoes(), p.seen.String())
	}

	// Where there is an echo it comes as a signal.
	p = sit(t)
	code, _ = p.run(askDir(t), map[string]string{"IMGBUILD_VAR_client": "x"}, "plan")
	p.sees("Enter a value: ", 1)
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if n := code(); n != 130 || strings.Contains(p.seen.String(), "Error") {
		t.Errorf("exit code %d\n%s", n, p.seen.String())
	}
	p.types("\n") // for the read that nobody waits for
}

func requestOf(prompt string) string {
	r := provider.Request{Provider: "sketch", Model: "sketch-1", Prompt: prompt, Size: provider.Size{Width: 8, Height: 8}}
	return r.Digest().String()
}
