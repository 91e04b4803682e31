//go:build unix && !linux && !darwin && !freebsd && !netbsd

package workspace

import "syscall"

func ctime(st *syscall.Stat_t) int64 { return 0 }
