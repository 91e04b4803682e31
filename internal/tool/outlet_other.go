//go:build !unix

package tool

import (
	"io"
	"os"
	"os/exec"
)

// outlet is a file that a program writes: there is no name for a pipe here.
type outlet struct {
	name string
	to   io.Writer
}

func newOutlet(to io.Writer) (*outlet, error) {
	f, err := os.CreateTemp("", "imgbuild-*")
	if err != nil {
		return nil, err
	}
	return &outlet{f.Name(), to}, f.Close()
}

func (o *outlet) run(c *exec.Cmd) error {
	defer os.Remove(o.name)
	if err := c.Run(); err != nil {
		return err
	}
	f, err := os.Open(o.name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(o.to, f)
	return err
}

func apart(*exec.Cmd) {}
