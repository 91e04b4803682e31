// Command imgbuild makes the pictures that HCL files declare.
package main

import (
	"os"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
)

func main() {
	os.Exit(cli.Main(&cli.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Args: os.Args[1:], Getenv: os.Getenv, Dir: ".", Now: time.Now,
	}))
}
