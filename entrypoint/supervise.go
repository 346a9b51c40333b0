package entrypoint

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// supervise runs the app as a child: every signal is forwarded, orphans are
// reaped, and when the app has ended, or has outlived the grace after a signal
// that asks for the end, whatever it left is ended too. The app's status is the
// result, exactly.
func (b *boot) supervise(ctx context.Context, path string) error {
	// Orphans come to this process, also where it is not PID 1.
	if err := becomeReaper(); err != nil {
		return b.fail(ctx, "app", 0, failed("", "become the reaper of orphans: %w", err))
	}
	died := make(chan os.Signal, 1) // one is enough: a scan finds all
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	sigs := b.signals.forward()
	if err := b.signals.handOver(); err != nil {
		return b.fail(ctx, "app", 0, err)
	}
	start := time.Now()
	app := child{path: path, argv: b.Command, env: b.Env, stdin: b.Stdin, stdout: b.Stdout, as: b.who}
	var nodeEnded <-chan struct{}
	if b.node != nil {
		nodeEnded = b.node.ended
		app.dies, app.files = true, []*os.File{b.node.lock.file}
	}
	if b.who != nil {
		app.env = b.who.environ(b.Env)
	}
	cmd, err := b.start(app)
	if err != nil {
		return b.fail(ctx, "app", 0, err)
	}
	pid := cmd.Process.Pid
	b.waited[pid] = true
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "app", slog.String("outcome", "started"), millis(time.Since(b.began)), slog.String("path", path), slog.Int("pid", pid))

	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() // the status is read from ProcessState
	}()
	var kill <-chan time.Time
	var lost error // why the app has lost its database
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-died:
			b.reapOrphans()
		case s := <-sigs:
			switch {
			case kill != nil && b.node != nil && asksForTheEnd(s):
				b.kill(cmd) // twice: whoever asks wants it now
			default:
				b.forward(cmd, s.(syscall.Signal))
			}
			if kill == nil && asksForTheEnd(s) {
				kill = b.graceFromNow()
			}
		case <-nodeEnded:
			nodeEnded = nil
			lost = b.lostNode()
			b.Logger.LogAttrs(ctx, slog.LevelError, "app", slog.String("outcome", "ending"), slog.String("err", lost.Error()))
			b.forward(cmd, syscall.SIGTERM)
			if kill == nil {
				kill = b.graceFromNow()
			}
		case <-ctx.Done(): // a library's caller gave up, not a signal
			ctx = context.WithoutCancel(ctx)
			b.forward(cmd, syscall.SIGTERM)
			if kill == nil {
				kill = b.graceFromNow()
			}
		case <-kill:
			b.Logger.LogAttrs(ctx, slog.LevelWarn, "app", slog.String("outcome", "killing"), slog.String("why", fmt.Sprintf("the app did not end within %v", b.Grace)))
			b.kill(cmd)
		}
	}
	delete(b.waited, pid)
	b.takeTerminal(cmd)
	b.endGroup(pid)
	b.endOrphans()

	status := statusOf(cmd.ProcessState)
	if lost == nil && nodeEnded != nil && b.node.isLost() { // the app saw it first
		lost = b.lostNode()
	}
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "app", slog.String("outcome", "ended"), slog.Int("exit", status), millis(time.Since(start)))
	switch {
	case lost != nil:
		return b.fail(ctx, "node", 0, lost)
	case status == 0:
		return nil
	}
	return &Error{Step: "app", Code: status, Err: fmt.Errorf("%s ended with %s", b.Command[0], statusText(cmd.ProcessState))}
}

// lostNode is the end of an app whose LiteFS has ended.
func (b *boot) lostNode() error {
	return failed("its own lines are above. The next boot finds what it has committed", "LiteFS ended with %s while the app ran", b.node.endedWith())
}

// forward hands a signal on to the app alone, as if it had been sent there. What
// a terminal sends reaches the app's group by itself.
func (b *boot) forward(cmd *exec.Cmd, sig syscall.Signal) {
	// An app that has just ended is found by its wait.
	_ = cmd.Process.Signal(sig)
}

// asksForTheEnd tells whether a signal starts the grace. Servers reload on SIGHUP,
// and print their threads on SIGQUIT.
func asksForTheEnd(s os.Signal) bool { return s == syscall.SIGTERM || s == syscall.SIGINT }

// reapOrphans waits for the zombies that are this process's children, but not
// for those that os/exec waits for: a wait for any child would take their status
// away.
func (b *boot) reapOrphans() {
	if !b.Supervise {
		return
	}
	for pid, state := range b.orphans() {
		if state == 'Z' {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// orphans are the children that this process did not start, and their states.
func (b *boot) orphans() map[int]byte {
	found := children()
	for pid := range b.waited {
		delete(found, pid)
	}
	return found
}

// endOrphans ends processes that left the app's group (daemons do) and came to
// this process when their parent ended.
func (b *boot) endOrphans() {
	none := func() bool { b.reapOrphans(); return len(b.orphans()) == 0 }
	send := func(sig syscall.Signal) {
		for pid := range b.orphans() {
			_ = syscall.Kill(pid, sig) // one that is gone is fine
		}
	}
	if none() {
		return
	}
	send(syscall.SIGTERM)
	if waitUntil(b.graceLeft(), none) {
		return
	}
	// Each kill can hand over more orphans, so it is repeated.
	waitUntil(b.graceLeft(), func() bool { send(syscall.SIGKILL); return none() })
}
