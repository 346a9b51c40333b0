// Package group runs commands in process groups of their own, so that whoever
// starts them also ends them, with all that they started: a Ctrl-C in the
// terminal does not reach them.
package group

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Kill ends what is left of a process group. None left is no error.
func Kill(pgid int) error {
	if err := syscall.Kill(-pgid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Start starts cmd as the leader of a new group, which on Linux dies with this
// program. It returns what waits for its end, to be called once.
func Start(cmd *exec.Cmd) (wait func() error, err error) {
	return StartOrderly(cmd, syscall.SIGKILL)
}

// StartOrderly is Start for a command that gets another signal when this program dies.
func StartOrderly(cmd *exec.Cmd, onDeath syscall.Signal) (wait func() error, err error) {
	cmd.SysProcAttr = attr(onDeath)
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		// The kernel takes the end of the thread that started a command for the
		// end of the program, so that thread is held until the command ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() error { return <-ended }, nil
}

// Run runs cmd, made by exec.CommandContext, and leaves nothing of its group
// behind. When its context ends, the group gets SIGINT, on which go removes its
// temporary files, and SIGKILL if that was not enough.
func Run(cmd *exec.Cmd) error {
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 3 * time.Second
	wait, err := Start(cmd)
	if err != nil {
		return err
	}
	err = wait()
	return errors.Join(err, Kill(cmd.Process.Pid))
}
