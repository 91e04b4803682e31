// Package tool runs programs that the user has named (a credential command) or
// has at hand (git, and encoders).
//
// It promises bounds on time and output, an environment in which only what
// is listed stands, and a folder that is not the project's: neither a program
// nor a configuration of the project is found by accident. No shell is
// involved. What a program says on standard error is not passed on by Output,
// as it may repeat what it was asked for; of a Call it ends the error.
//
// It is called by cli, encoder and revision, and refuses to know what programs are for
// and who may run them. Memory is not bounded. LATER: prlimit, because a program
// that the user trusts with a key, or gives pictures of ours, is not the enemy.
package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds of a run.
const (
	MaxTime   = time.Minute
	MaxOutput = 64 << 10 // bytes
)

// passed are the variables that a program gets: where things are, and how to
// reach the user's agents. Nothing that is a key by its purpose.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TERM", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
	"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "SSH_AUTH_SOCK", "GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR",
	"SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PATHEXT",
}

// Output runs a program, found on the PATH unless its name is absolute, and
// returns what it prints.
func Output(ctx context.Context, getenv func(string) string, command []string) ([]byte, error) {
	c := Call{Command: command, Time: MaxTime, Output: MaxOutput, attached: true}
	return c.Run(ctx, getenv)
}

// Call is a program that is given something to work on.
type Call struct {
	Command []string
	Time    time.Duration // at most
	Output  int           // bytes, at most
	Input   func(io.Writer) error
	Env     []string // NAME=VALUE, beside those that are passed on
	// Result is the argument of Command that stands for the file which the
	// program writes; "" if it prints the result. What it prints is then
	// dropped.
	Result string

	attached bool // to the terminal: a program may ask there for a password
}

// Run runs it, and ends it with all that it has started where it takes too
// long or says too much. It returns what the program made.
func (call Call) Run(ctx context.Context, getenv func(string) string) ([]byte, error) {
	name := call.Command[0]
	path, err := Find(getenv, name)
	if err != nil {
		return nil, err
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, call.Time)
	defer cancel()
	args := slices.Clone(call.Command[1:])
	out := &bounded{most: call.Output, over: cancel}
	words := &tail{}
	var from *outlet
	if call.Result != "" {
		if from, err = newOutlet(out); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], call.Result, from.name)
		}
	}
	c := exec.CommandContext(ctx, path, args...)
	c.Dir = string(filepath.Separator)
	c.Env = append([]string{}, call.Env...) // nil would mean all
	for _, name := range passed {
		if v := getenv(name); v != "" {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	c.WaitDelay = time.Second // for what it left behind with its output open
	if !call.attached {
		c.Stderr = words
		apart(c)
	}
	if call.Input != nil {
		r, w := io.Pipe()
		defer r.Close()
		go func() { w.CloseWithError(call.Input(w)) }()
		c.Stdin = r
	}
	if from != nil {
		err = from.run(c)
	} else {
		c.Stdout = out
		err = c.Run()
	}
	if err != nil && c.Process != nil && !call.attached {
		_ = c.Cancel() // what it started and left behind
	}
	var exit *exec.ExitError
	switch {
	case outer.Err() != nil:
		return nil, outer.Err()
	case out.full:
		return nil, fmt.Errorf("%s: it prints more than %d bytes", name, call.Output)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s takes longer than %s", name, call.Time)
	case errors.As(err, &exit):
		return nil, fmt.Errorf("%s ends with %s%s", name, exit.ProcessState, words)
	case err != nil:
		return nil, fmt.Errorf("%s: %w%s", name, err, words)
	}
	return out.b.Bytes(), nil
}

// Find looks for a program in the absolute folders of the PATH only, and starts
// nothing.
func Find(getenv func(string) string, name string) (string, error) {
	if filepath.IsAbs(name) {
		return exec.LookPath(name)
	}
	if name == "" || strings.ContainsAny(name, `/\`) {
		return "", fmt.Errorf("%q is neither a name on the PATH nor an absolute path", name)
	}
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		if filepath.IsAbs(dir) {
			if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %s on the PATH", name)
}

// bounded ends a program that says too much.
type bounded struct {
	b    bytes.Buffer
	most int
	over func()
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.b.Len()+len(p) > b.most {
		b.full = true
		b.over()
		return 0, errors.New("too much")
	}
	return b.b.Write(p)
}

// tail is the last words of a program.
type tail struct{ b []byte }

const maxWords = 300 // bytes

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-4*maxWords):]
	return len(p), nil
}

// String is the words as the end of an error, "" for none.
func (t *tail) String() string {
	words := strings.Join(strings.Fields(strings.ToValidUTF8(string(t.b), "")), " ")
	if words == "" {
		return ""
	}
	if len(words) > maxWords {
		words = "… " + strings.ToValidUTF8(words[len(words)-maxWords:], "")
	}
	return ": " + words
}
