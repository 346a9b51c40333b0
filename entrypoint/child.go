package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// firstExtra is the number of the first of child.files.
const firstExtra = 3

// child is a command that this process waits for.
type child struct {
	path   string
	argv   []string
	env    []string
	stdin  io.Reader // nil is /dev/null
	stdout io.Writer
	stderr io.Writer  // nil is the boot's own
	files  []*os.File // descriptors from firstExtra on
	as     *account   // nil is this process's own
	dies   bool       // when this process does, however that ends
}

// start runs the child in a process group of its own, so that it and what it
// forks can be ended together.
func (b *boot) start(c child) (*exec.Cmd, error) {
	cmd := &exec.Cmd{Path: c.path, Args: c.argv, Env: c.env, Stdin: c.stdin, Stdout: c.stdout, Stderr: c.stderr, ExtraFiles: c.files}
	if c.stderr == nil {
		cmd.Stderr = b.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.as != nil {
		cmd.SysProcAttr.Credential = c.as.credential()
	}
	if c.dies {
		dieWithParent(cmd.SysProcAttr)
	}
	// The child holds the database's lock too: if this process is killed, the next
	// boot waits for what is left of it.
	if b.use != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, b.use.file)
	}
	// On a terminal the group must be the foreground one, or its first read from
	// the terminal stops it.
	if f, ok := c.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if pgrp, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP); err == nil && pgrp == unix.Getpgrp() {
			cmd.SysProcAttr.Foreground = true
			cmd.SysProcAttr.Ctty = int(f.Fd())
		}
	}
	// A grandchild that keeps a pipe open must not keep Wait from returning.
	cmd.WaitDelay = b.Grace
	if err := cmd.Start(); err != nil {
		return nil, explainExec(c.path, c.argv, err)
	}
	return cmd, nil
}

// runChild runs a migrate command to its end. When ctx ends it gets the signal
// that ended it, or SIGTERM, and after the grace its group is killed. err is set
// where the command could not be run, or ctx ended. It is in the background of a
// terminal, so that a Ctrl-C comes to this process, which passes it on.
func (b *boot) runChild(ctx context.Context, c child) (*os.ProcessState, error) {
	cmd, err := b.start(c)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() // the status is read from ProcessState
	}()
	defer b.endGroup(cmd.Process.Pid)
	select {
	case <-done:
		return cmd.ProcessState, nil
	case <-ctx.Done():
	}
	sig := syscall.SIGTERM
	var by *SignalError
	if errors.As(context.Cause(ctx), &by) {
		sig = by.Signal
	}
	b.signalGroup(cmd.Process.Pid, sig)
	select {
	case <-done:
	case <-time.After(b.Grace):
		b.kill(cmd)
		<-done
	}
	return cmd.ProcessState, fmt.Errorf("%s was stopped: %w", c.argv[0], context.Cause(ctx))
}

// kill ends a child and its group, also if it left that group.
func (b *boot) kill(cmd *exec.Cmd) {
	b.signalGroup(cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Process.Kill() // one that has ended is fine
}

// takeTerminal makes this process's group the terminal's foreground one again,
// where the child's was.
func (b *boot) takeTerminal(cmd *exec.Cmd) {
	if !cmd.SysProcAttr.Foreground {
		return
	}
	// Asking for this from the background stops a process that does not ignore
	// SIGTTOU. That the terminal is gone by now is no fault.
	signal.Ignore(syscall.SIGTTOU)
	_ = unix.IoctlSetPointerInt(cmd.SysProcAttr.Ctty, unix.TIOCSPGRP, unix.Getpgrp())
	signal.Reset(syscall.SIGTTOU)
}

func (b *boot) signalGroup(pgid int, sig syscall.Signal) {
	// ESRCH means that the group has ended, which is what is wanted.
	_ = syscall.Kill(-pgid, sig)
}

// endGroup ends what is left of a group whose leader has ended.
func (b *boot) endGroup(pgid int) {
	gone := func() bool { return errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH) }
	if gone() {
		return
	}
	b.Logger.Info("command", "outcome", "ending", "why", "processes that it started outlived it")
	b.signalGroup(pgid, syscall.SIGTERM)
	if waitUntil(b.graceLeft(), func() bool { b.reapOrphans(); return gone() }) {
		return
	}
	b.Logger.LogAttrs(context.Background(), slog.LevelWarn, "command", slog.String("outcome", "killing"), slog.String("why", "processes that it started did not end"))
	b.signalGroup(pgid, syscall.SIGKILL)
	waitUntil(b.graceLeft(), func() bool { b.reapOrphans(); return gone() })
}

// waitUntil polls for what the kernel has no notification for.
func waitUntil(limit time.Duration, done func() bool) bool {
	for deadline, pause := time.Now().Add(limit), time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if done() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
}

// statusOf is the exit status as a shell has it: the code, or 128+n.
func statusOf(p *os.ProcessState) int {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}

func statusText(p *os.ProcessState) string {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return fmt.Sprintf("signal %q (status %d)", ws.Signal(), statusOf(p))
	}
	return fmt.Sprintf("status %d", statusOf(p))
}
