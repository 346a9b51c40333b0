package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/flysql/flysql/e2e/group"
)

// command is a flysql dev that runs. It has a process group of its own, so that Ctrl-C in
// the terminal reaches it once, by way of this program.
type command struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// start starts flysql in the app's repository.
func (d *demo) start(args []string, stdout, stderr io.Writer) (*command, error) {
	c := &command{cmd: exec.Command(filepath.Join(d.bin, "flysql"), args...), ended: make(chan struct{})}
	c.cmd.Dir = d.repo
	c.cmd.Stdout, c.cmd.Stderr = stdout, stderr
	wait, err := group.StartOrderly(c.cmd, syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	go func() {
		_ = wait() // the exit code says it
		close(c.ended)
	}()
	return c, nil
}

// code is its exit code, once it has ended.
func (c *command) code() int {
	if ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return c.cmd.ProcessState.ExitCode()
}

// stop ends it as a person does, by the signal that ctx was ended by, else by Ctrl-C, and a
// second time when there is a second signal.
func (d *demo) stop(ctx context.Context, c *command) error {
	signal := syscall.SIGINT
	var by *interrupted
	if errors.As(context.Cause(ctx), &by) {
		signal = by.signal
	}
	_ = c.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-c.ended:
	case <-d.again:
		_ = c.cmd.Process.Signal(signal)
		<-c.ended
	}
	if got, want := c.code(), 128+int(signal); got != want {
		return fmt.Errorf("flysql dev was stopped by %s, and ended with exit code %d, want %d", (&interrupted{signal}).Error(), got, want)
	}
	return nil
}
