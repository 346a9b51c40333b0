//go:build !linux

package entrypoint

import (
	"os"
	"syscall"
)

func raise(sig syscall.Signal) error { return syscall.Kill(os.Getpid(), sig) }
