//go:build unix

package tool

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// outlet is a pipe that a program takes for the file which it writes.
type outlet struct {
	name string
	r, w *os.File
	to   io.Writer
}

func newOutlet(to io.Writer) (*outlet, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &outlet{"/dev/fd/3", r, w, to}, nil // the first of exec.Cmd.ExtraFiles
}

// run runs c and reads what it writes until nobody has the pipe open.
func (o *outlet) run(c *exec.Cmd) error {
	defer o.r.Close()
	c.ExtraFiles = []*os.File{o.w}
	err := c.Start()
	o.w.Close()
	if err != nil {
		return err
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(o.to, o.r)
		read <- err
	}()
	err = c.Wait()
	late := time.AfterFunc(c.WaitDelay, func() { o.r.Close() })
	defer late.Stop()
	if failed := <-read; err == nil {
		err = failed
	}
	return err
}

// apart gives a program a process group of its own, so that all of it can be
// ended, and Ctrl-C is ours alone.
func apart(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
