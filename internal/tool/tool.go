// Package tool runs programs that the user has named (a credential command) or
// has at hand (git).
//
// It promises bounds on time and output, an environment in which only what
// is listed stands, and a folder that is not the project's: neither a program
// nor a configuration of the project is found by accident. No shell is
// involved. What a program says on standard error is not passed on, as it may
// repeat what it was asked for.
//
// It is called by cli, and refuses to know what programs are for and who may
// run them. Memory is not bounded. LATER: prlimit, because a program that the
// user trusts with a key is not the enemy.
package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
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

var errOutput = fmt.Errorf("it prints more than %d bytes", MaxOutput)

// Output runs a program, found on the PATH unless its name is absolute, and
// returns what it prints.
func Output(ctx context.Context, getenv func(string) string, command []string) ([]byte, error) {
	path, err := find(getenv("PATH"), command[0])
	if err != nil {
		return nil, err
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	c := exec.CommandContext(ctx, path, command[1:]...)
	c.Dir = string(filepath.Separator)
	c.Env = []string{}
	for _, name := range passed {
		if v := getenv(name); v != "" {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	out := &bounded{}
	c.Stdout = out
	c.WaitDelay = time.Second // for what it left behind with its output open
	err = c.Run()
	var exit *exec.ExitError
	switch {
	case outer.Err() != nil:
		return nil, outer.Err()
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s takes longer than %s", command[0], MaxTime)
	case out.full:
		return nil, fmt.Errorf("%s: %w", command[0], errOutput)
	case errors.As(err, &exit):
		return nil, fmt.Errorf("%s ends with %s", command[0], exit.ProcessState)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", command[0], err)
	}
	return out.b.Bytes(), nil
}

// find looks in the absolute folders of a PATH only.
func find(path, name string) (string, error) {
	if filepath.IsAbs(name) {
		return exec.LookPath(name)
	}
	if name == "" || strings.ContainsAny(name, `/\`) {
		return "", fmt.Errorf("%q is neither a name on the PATH nor an absolute path", name)
	}
	for _, dir := range filepath.SplitList(path) {
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
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.b.Len()+len(p) > MaxOutput {
		b.full = true
		return 0, errOutput
	}
	return b.b.Write(p)
}
