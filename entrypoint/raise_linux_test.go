package entrypoint

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// raise signals this very thread, so that the signal has been taken when it returns.
// One for the process may still be on its way to another thread when that is ended by
// an exec.
func raise(sig syscall.Signal) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return unix.Tgkill(os.Getpid(), unix.Gettid(), sig)
}
