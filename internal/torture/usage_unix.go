//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// maxRSS is the peak memory of a finished process in bytes.
func maxRSS(s *os.ProcessState) int64 {
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss) // bytes there, kilobytes everywhere else
	}
	return int64(u.Maxrss) * 1024
}

// bound ends this process once it has taken so much CPU time.
func bound(cpu time.Duration) {
	limit := syscall.Rlimit{Cur: uint64(cpu.Seconds()), Max: uint64(cpu.Seconds())}
	if err := syscall.Setrlimit(syscall.RLIMIT_CPU, &limit); err != nil {
		panic(err)
	}
}
