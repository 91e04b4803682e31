package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/emulator"
)

const victimEnv = "IMGBUILD_TORTURE_VICTIM"

// victim is imgbuild, if this process was started to be it.
func victim() bool {
	switch os.Getenv(victimEnv) {
	case "":
		return false
	case writesHostile:
		os.Exit(writeHostile(os.Args[1:], os.Stdout, os.Stderr))
	case bounded:
		bound(mostHostileCPU)
	}
	env := &cli.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Args: os.Args[1:], Getenv: os.Getenv, Dir: ".", Now: time.Now,
	}
	if f := os.Getenv(faultEnv); f != "" {
		os.Exit(onBrokenDisk(env, f))
	}
	os.Exit(cli.Main(env))
	return true
}

// imgbuild is a process of it in a folder, not started yet.
func (t *trial) imgbuild(dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.ctx, t.self, args...)
	cmd.Dir = dir
	cmd.Env = []string{victimEnv + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + t.dir, "TMPDIR=" + t.dir}
	return cmd
}

// ended is what became of a process of imgbuild.
type ended struct {
	code           int // -1 if it was killed
	stdout, stderr string
}

// do runs imgbuild to its end.
func (t *trial) do(dir string, args ...string) (ended, error) {
	return t.finish(t.imgbuild(dir, args...))
}

// finish runs a process to its end. A panic is a violation in every row.
func (t *trial) finish(cmd *exec.Cmd) (ended, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ended{}, err
	}
	e := ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if strings.Contains(e.stderr, "goroutine ") && !beforeMain.MatchString(e.stderr) { // so the runtime tells of a panic
		t.wrong("imgbuild panicked: %s", e.stderr)
	}
	return e, nil
}

// serve starts an emulator on loopback, whose server the attacker may set up; it
// ends with the batch.
func serve(ctx context.Context, cfg emulator.Config, set ...func(*http.Server)) (e *emulator.Server, endpoint string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, err
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	cfg.Now = time.Now
	e = emulator.New(cfg)
	server := e.HTTP()
	for _, f := range set {
		f(server)
	}
	go server.Serve(l)
	return e, "http://" + l.Addr().String() + "/v1", func() { server.Close() }, nil
}
