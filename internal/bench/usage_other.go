//go:build !unix

package main

import (
	"os"
	"time"
)

// maxRSS is not told by this system: rows about memory are not run.
func maxRSS(*os.ProcessState) int64 { return 0 }

// selfCPU is not told by this system without its own calls: the rows about the
// engine fail.
func selfCPU() time.Duration { return 0 }

// childrenCPU is not told, either.
func childrenCPU() time.Duration { return 0 }
