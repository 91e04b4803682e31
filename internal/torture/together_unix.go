//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// together gives a process a group of its own: the end of strace is not the end
// of what it traces.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { endTogether(cmd); return nil }
}

func endTogether(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
