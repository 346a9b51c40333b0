package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Machine is a booted image. Its methods may be called from several goroutines.
type Machine struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once the command was waited for
	err   error         // of the wait; read it after ended

	closing sync.Once
	discard func() error // kills what is left, removes what the boot made
	closed  error

	// exec starts another command in the machine; nil where it cannot.
	exec func(*exec.Cmd) error
}

// newMachine is for a command that has started, with what waits for its end.
func newMachine(cmd *exec.Cmd, wait, discard func() error) *Machine {
	m := &Machine{cmd: cmd, ended: make(chan struct{}), discard: discard}
	go func() {
		defer close(m.ended)
		m.err = wait()
	}()
	return m
}

// Pid is the entrypoint's process id as the host sees it. The app has the same
// one after the entrypoint's exec.
func (m *Machine) Pid() int { return m.cmd.Process.Pid }

// Done is closed when the entrypoint, or the app it became, has ended.
func (m *Machine) Done() <-chan struct{} { return m.ended }

// Signal sends a signal to the entrypoint, as a platform does: not to the group.
func (m *Machine) Signal(s os.Signal) error { return m.cmd.Process.Signal(s) }

// Wait returns the exit code once the command has ended, 128+n where signal n
// ended it. Its error is ctx's, or that of reading the command's output.
func (m *Machine) Wait(ctx context.Context) (int, error) {
	select {
	case <-m.ended:
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for the app to end: %w", ctx.Err())
	}
	var exit *exec.ExitError
	if m.err != nil && !errors.As(m.err, &exit) {
		return 0, m.err
	}
	return exitCode(m.cmd.ProcessState), nil
}

func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}

// Stop asks the app to end and gives it grace to do so, as a platform does with
// kill_signal and kill_timeout; then it is killed. It returns the exit code.
func (m *Machine) Stop(signal os.Signal, grace time.Duration) (int, error) {
	if err := m.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	code, err := m.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		if err := m.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return 0, err
		}
		return m.Wait(context.Background())
	}
	return code, err
}

// Run runs another command in the machine, as root, and returns what it printed:
// the `docker exec` of this package. Only Chroot has it.
func (m *Machine) Run(argv ...string) (string, error) {
	if m.exec == nil {
		return "", errors.New("this way of booting cannot run a second command")
	}
	cmd := &exec.Cmd{Path: argv[0], Args: argv}
	tail := &tailWriter{limit: 1 << 20}
	cmd.Stdout, cmd.Stderr = tail, tail
	if err := m.exec(cmd); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return tail.String(), fmt.Errorf("%s: %w: %s", argv[0], err, tail)
	}
	return tail.String(), nil
}

// Close kills what still runs, unmounts the volumes and removes the machine's
// file system. It may be called more than once.
func (m *Machine) Close() error {
	m.closing.Do(func() {
		m.closed = m.discard()
		<-m.ended
	})
	return m.closed
}
