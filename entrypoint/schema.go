package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Beside LiteFS, whatever opens the database runs in a process of its own: this
// program, started again. This process must stay root to unmount, so it cannot
// become the app's user; and a reader can die of SIGBUS when LiteFS changes its
// role, which must not take the mount down with it.

// stageVariable tells a process that it is that one, and what it is to do.
const stageVariable = "FLYSQL_LITEFS_STAGE"

// stageResult is the descriptor at which its result is awaited.
const stageResult = 3

// stage is what the process for the database is given, as JSON.
type stage struct {
	Role   string        `json:"role"` // primary: check, snapshot, migrate; replica: wait until that is done
	Ask    bool          `json:"ask"`  // a replica that is behind says so, and does not wait
	Path   string        `json:"path"` // the database
	State  string        `json:"state"`
	Data   string        `json:"data"` // LiteFS's data.dir
	API    string        `json:"api"`
	Wait   time.Duration `json:"wait"`   // what is left of it; a time of day may be set meanwhile
	Parent int           `json:"parent"` // the pid of who waits for it

	deadline time.Time
	behind   bool // a replica's result
}

// stageAnswer is what it answers.
type stageAnswer struct {
	Done   bool   `json:"done"`
	Behind bool   `json:"behind,omitempty"` // a replica that may migrate, and has something to
	Step   string `json:"step,omitempty"`
	Code   int    `json:"code,omitempty"`
	Hint   string `json:"hint,omitempty"`
	Err    string `json:"err,omitempty"`
}

// These end a stage that is to be begun anew: in another role, or in the same.
var (
	errRoleChanged = errors.New("the role of this node has changed")
	errAgain       = errors.New("the process for the database died")
	errBehind      = errors.New("this image has migrations that the primary has not")
)

// schema settles the schema: the primary migrates, a replica waits until every
// migration of this image has come to it, or becomes the primary for that. Whoever
// becomes primary meanwhile migrates.
func (b *boot) schema(ctx context.Context) error {
	deadline := time.Now().Add(b.LiteFSWait)
	var before peer // who was the primary before this node took over
	pause := time.Second
	for {
		info, err := b.node.info(ctx)
		if err != nil {
			if _, err := b.awaitNode(ctx); err != nil {
				return b.fail(ctx, "schema", 0, err)
			}
			continue
		}
		if info.IsPrimary {
			b.sayMigrating(ctx, true)
		}
		err = b.runStage(ctx, info, deadline)
		switch err {
		case nil:
			if info.IsPrimary {
				b.sayMigrating(ctx, false)
			}
		case errRoleChanged:
			b.Logger.LogAttrs(ctx, slog.LevelInfo, "schema", slog.String("outcome", "again"), slog.String("why", "this node was the "+info.role()+", and is not any more"))
			continue
		case errAgain:
			continue
		case errBehind:
			if before, err = b.becomePrimary(ctx); err != nil {
				select { // its writers are held up by each try
				case <-ctx.Done():
				case <-time.After(pause):
				}
				pause = min(2*pause, 10*time.Second)
			}
			continue
		default:
			return err
		}
		if info.IsPrimary && !info.Candidate && b.giveBack(ctx, info, before) {
			continue // as a replica
		}
		break
	}
	// From here on the database is the app's.
	if err := b.lockUse(ctx, unix.LOCK_SH); err != nil {
		return b.fail(ctx, "schema", 0, err)
	}
	return nil
}

// runStage runs the process for the database to its end. Its error has been logged
// there already.
func (b *boot) runStage(ctx context.Context, info nodeInfo, deadline time.Time) error {
	role := info.role()
	cmd, answer, err := b.startStage(info, deadline)
	if err != nil {
		return b.fail(ctx, "schema", 0, err)
	}
	defer answer.Close()
	pid := cmd.Process.Pid
	b.waited[pid] = true
	defer delete(b.waited, pid)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() // the status is read from ProcessState
	}()
	changed, nodeEnded := b.watchStage(ctx, cmd.Process, done, role)
	b.endGroup(pid)
	var r stageAnswer
	if data, err := io.ReadAll(answer); err == nil {
		_ = json.Unmarshal(data, &r) // one that was killed has not answered
	}
	switch {
	case context.Cause(ctx) != nil && r.Step == "":
		return b.fail(ctx, "schema", 0, context.Cause(ctx))
	case context.Cause(ctx) != nil:
		return &Error{Step: r.Step, Code: r.Code, Hint: r.Hint, Err: context.Cause(ctx)}
	case nodeEnded:
		return b.fail(ctx, "schema", 0, failed("LiteFS's own lines are above", "LiteFS ended with %s before the app was started", b.node.endedWith()))
	case r.Done:
		return nil
	case changed:
		return errRoleChanged
	case r.Behind:
		return errBehind
	}
	if info, err := b.node.info(ctx); err == nil && info.role() != role {
		return errRoleChanged // and that is why it failed
	}
	if r.Err == "" {
		// A reader is worth another try: LiteFS may have taken its pages away.
		status := statusText(cmd.ProcessState)
		if role == "replica" && time.Now().Before(deadline) {
			b.Logger.LogAttrs(ctx, slog.LevelWarn, "schema", slog.String("outcome", "again"), slog.String("why", "the process that reads the database ended with "+status))
			return errAgain
		}
		return b.fail(ctx, "schema", 0, failed("boot again: the next boot goes on from there", "the process that works on the database ended with %s", status))
	}
	return &Error{Step: r.Step, Code: r.Code, Hint: r.Hint, Err: errors.New(r.Err)}
}

// startStage starts this program for the stage, and returns where it answers.
func (b *boot) startStage(info nodeInfo, deadline time.Time) (cmd *exec.Cmd, answer *os.File, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(stage{Role: info.role(), Ask: b.mayTakeOver(info), Path: b.path, State: b.state.dir, Data: b.node.data, API: b.node.api, Wait: time.Until(deadline), Parent: os.Getpid()})
	if err != nil {
		return nil, nil, err
	}
	answer, out, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	// As this process was started, so that it comes to the same configuration.
	cmd, err = b.start(child{path: self, argv: os.Args, env: append(os.Environ(), stageVariable+"="+string(text)),
		stdout: b.Stderr, files: []*os.File{out, b.node.lock.file}, dies: true})
	if err = errors.Join(err, out.Close()); err != nil {
		return nil, nil, errors.Join(err, answer.Close())
	}
	return cmd, answer, nil
}

// watchStage waits for the stage's end, and ends it when it has become pointless:
// a signal came, LiteFS ended, or this node's role is another.
func (b *boot) watchStage(ctx context.Context, p *os.Process, done <-chan struct{}, role string) (changed, nodeEnded bool) {
	var kill <-chan time.Time
	end := func(sig syscall.Signal) {
		_ = p.Signal(sig) // one that has ended is found by its wait
		kill = time.After(b.Grace)
	}
	ask, cancelled, ended, again := time.NewTicker(200*time.Millisecond), ctx.Done(), b.node.ended, b.signals.again
	defer ask.Stop()
	for {
		select {
		case <-done:
			return changed, nodeEnded
		case <-cancelled:
			cancelled = nil
			sig := syscall.SIGTERM
			var by *SignalError
			if errors.As(context.Cause(ctx), &by) {
				sig = by.Signal
			}
			end(sig)
		case <-ended:
			ended, nodeEnded = nil, true
			end(syscall.SIGTERM)
		case <-again:
			again = nil
			b.signalGroup(p.Pid, syscall.SIGKILL)
		case <-kill:
			b.Logger.LogAttrs(ctx, slog.LevelWarn, "schema", slog.String("outcome", "killing"), slog.String("why", fmt.Sprintf("it did not end within %v", b.Grace)))
			b.signalGroup(p.Pid, syscall.SIGKILL)
		case <-ask.C:
			if changed || kill != nil {
				continue
			}
			// A primary that has lost the lease in the middle of a transaction is
			// stuck until that ends, which it can no longer do well.
			if info, err := b.node.info(ctx); err == nil && info.role() != role {
				changed = true
				end(syscall.SIGTERM)
			}
		}
	}
}
