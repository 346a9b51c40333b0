package entrypoint

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// startNode brings the LiteFS node up: it starts LiteFS and waits until that has
// mounted, and is the primary or has caught up with one.
func (b *boot) startNode(ctx context.Context) (report, error) {
	if b.DryRun {
		return report{outcome: "would start", attrs: []slog.Attr{slog.String("config", b.node.file)}}, nil
	}
	n := b.node
	// Orphans of what is started from here on come to this process.
	if err := becomeReaper(); err != nil {
		return report{}, failed("", "become the reaper of orphans: %w", err)
	}
	lock, err := acquire(ctx, b.state.nodeLock(), unix.LOCK_EX, b.LockTimeout, func(pid string) {
		if b.endLeft(ctx, b.state.nodeLock(), pid) {
			return
		}
		b.Logger.LogAttrs(ctx, slog.LevelInfo, "lock", slog.String("outcome", "waiting"), slog.String("why", "an earlier boot's LiteFS or app still uses "+n.data), slog.String("pid", pid))
	})
	if err := b.explainLock(err, "stop the boot that runs LiteFS on this data directory, then boot again"); err != nil {
		return report{}, err
	}
	n.lock = lock
	cleaned, err := b.cleanMount(ctx)
	if err != nil {
		return report{}, err
	}
	aside, err := b.putAside(ctx)
	if err != nil {
		return report{}, err
	}
	if err := b.fault("node.start"); err != nil {
		return report{}, err
	}
	out := newRedactor(b.Stderr, n.secrets())
	// Named by the file that was checked: LiteFS looks for others by itself.
	file, open, err := n.configFile(firstExtra + 1)
	if err == nil {
		file, err = filepath.Abs(file)
	}
	if err != nil {
		return report{}, failed("", "give LiteFS its configuration: %w", err)
	}
	n.cmd, err = b.start(child{path: n.binary, argv: []string{"litefs", "mount", "-config", file}, env: b.Env,
		stdout: out, stderr: out, files: append([]*os.File{lock.file}, open...), dies: true})
	for _, f := range open {
		f.Close() // LiteFS has its own
	}
	if err != nil {
		n.cmd = nil
		return report{}, err
	}
	b.waited[n.cmd.Process.Pid] = true
	n.ended = make(chan struct{})
	go func() {
		defer close(n.ended)
		n.cmd.Wait() // the status is read from ProcessState
		out.flush()
	}()
	info, err := b.awaitNode(ctx)
	if err != nil {
		return report{}, err
	}
	if err := b.settleAside(ctx, aside, info); err != nil {
		return report{}, err
	}
	if err := b.fault("node.ready"); err != nil {
		return report{}, err
	}
	r := ok(slog.String("mount", n.mount), slog.String("role", info.role()))
	if !info.IsPrimary {
		r.attrs = append(r.attrs, slog.String("primary", info.Primary.Hostname))
	}
	if cleaned {
		r.attrs = append(r.attrs, slog.String("cleaned", "a mount that an earlier LiteFS left"))
	}
	return r, nil
}

// secrets are texts that LiteFS prints and nobody should read, and what to print
// instead.
func (n *node) secrets() map[string]string {
	found := map[string]string{}
	addSecretURL(found, n.conf.Lease.Consul.URL)
	if token := n.conf.Backup.AuthToken; token != "" {
		found[token] = "xxxxx"
	}
	return found
}

// cleanMount takes away the mount that a killed LiteFS left: it answers nothing,
// and nothing else can be mounted or made there. One that answers is somebody's.
func (b *boot) cleanMount(ctx context.Context) (cleaned bool, err error) {
	n := b.node
	for range 16 { // more than one on top of each other, and an end
		m, err := mountedAt(n.mount)
		if err != nil {
			return cleaned, failed("", "read the mounts: %w", err)
		}
		if m.point == "" {
			return cleaned, nil
		}
		if !strings.HasPrefix(m.fsType, "fuse") {
			return cleaned, refused("let fuse.dir be a directory where nothing is mounted", "%s (%s) is mounted at %s, fuse.dir of %s", m.device, m.fsType, n.mount, n.file)
		}
		// The kernel answers a stat of a dead mount from its cache; this it has to ask.
		came, err := within(ctx, 5*time.Second, func() error { _, err := spaceOf(n.mount); return err })
		if came && err == nil {
			return cleaned, refused("stop it (umount "+n.mount+"), then boot again", "another LiteFS is mounted at %s", n.mount)
		}
		if !came && ctx.Err() != nil {
			return cleaned, context.Cause(ctx)
		}
		// One that does not answer in time has nobody behind it either: the lock on
		// the data directory is ours.
		if err := detach(n.mount); err != nil {
			return cleaned, failed("unmount it: umount --lazy "+n.mount, "take away the mount that an earlier LiteFS left at %s: %w", n.mount, err)
		}
		cleaned = true
	}
	return cleaned, failed("unmount them: umount --lazy "+n.mount, "there is no end of mounts at %s", n.mount)
}

// mountedAt is the mount whose point is exactly dir; the zero mount for none.
func mountedAt(dir string) (mount, error) {
	mounts, err := readMounts(mountsFile)
	if err != nil {
		return mount{}, err
	}
	var found mount
	for _, m := range mounts {
		if m.point == dir {
			found = m
		}
	}
	return found, nil
}

// within runs what may hang on a mount that does not answer, and tells whether it
// came back in time. Where it did not, it is left behind: it comes back when the
// mount is gone.
func within(ctx context.Context, limit time.Duration, f func() error) (came bool, err error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return true, err
	case <-time.After(limit):
	case <-ctx.Done():
	}
	return false, nil
}

// awaitNode waits until LiteFS is ready, and says in the log what it waits for.
func (b *boot) awaitNode(ctx context.Context) (info nodeInfo, err error) {
	n := b.node
	w := b.waiting("node")
	var out string // why LiteFS keeps it out
	var looked time.Time
	for deadline := time.Now().Add(b.LiteFSWait); ; {
		why, info := n.notReady(ctx)
		if why == "" {
			n.ready = true
			return info, nil
		}
		if info.Primary.Hostname != "" {
			out = ""
		} else if info.id != "" && time.Since(looked) > lookAgain {
			looked = time.Now()
			if out, err = b.keptOut(ctx); err != nil {
				return info, err
			}
		}
		why = cmp.Or(out, why)
		w.say(ctx, why, func() string { return b.progress(ctx, info) })
		select {
		case <-n.ended:
			return info, failed("its own lines are above", "LiteFS ended with %s before it was ready", n.endedWith())
		case <-ctx.Done():
			return info, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return info, failed("LiteFS's own lines are above; docs/litefs.md of flysql says what to do about data that LiteFS does not take; FLYSQL_LITEFS_WAIT lengthens the wait", "LiteFS was not ready after %v: %s", b.LiteFSWait, why)
		}
	}
}

// notReady says what a node lacks, or "".
func (n *node) notReady(ctx context.Context) (why string, info nodeInfo) {
	m, err := mountedAt(n.mount)
	if err != nil {
		return "the mounts cannot be read: " + err.Error(), info
	}
	if !strings.HasPrefix(m.fsType, "fuse") {
		return "LiteFS has not mounted " + n.mount, info
	}
	if info, err = n.info(ctx); err != nil {
		return fmt.Sprintf("LiteFS does not answer at %s", n.api), info
	}
	switch {
	case info.IsPrimary, n.conf.SkipSync:
		return "", info
	case info.Primary.Hostname == "" && !info.Candidate:
		return "no primary answers, and this node may not be it (lease.candidate)", info
	case info.Primary.Hostname == "":
		return "no primary answers yet", info
	case !n.caughtUp(ctx):
		return "it copies what it lacks from the primary " + info.Primary.Hostname, info
	}
	return "", info
}

// stopNode ends LiteFS, and leaves nothing mounted, whatever went before: a node
// that is not unmounted keeps the next one from the database.
func (b *boot) stopNode(ctx context.Context) {
	n := b.node
	if n == nil || n.lock == nil {
		return
	}
	defer n.lock.release()
	if n.cmd == nil {
		return
	}
	b.endOrphans() // one that has a database open would keep LiteFS from unmounting
	b.handOver(ctx)
	start := time.Now()
	attrs := []slog.Attr{}
	level, outcome := slog.LevelInfo, "stopped"
	select {
	case <-n.ended:
		level, outcome = slog.LevelWarn, "ended"
	default:
		if why := b.endNode(); why != "" {
			level, outcome = slog.LevelWarn, "killed"
			attrs = append(attrs, slog.String("why", why))
		}
	}
	attrs = append(attrs, slog.Int("exit", statusOf(n.cmd.ProcessState)))
	b.signalGroup(n.cmd.Process.Pid, syscall.SIGKILL) // what it started
	delete(b.waited, n.cmd.Process.Pid)
	n.cmd = nil
	for range 16 {
		if m, err := mountedAt(n.mount); err != nil || !strings.HasPrefix(m.fsType, "fuse") {
			break
		}
		if err := detach(n.mount); err != nil {
			level = slog.LevelWarn
			attrs = append(attrs, slog.String("warning", "unmount "+n.mount+": "+err.Error()))
			break
		}
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("detached", n.mount))
	}
	attrs = append([]slog.Attr{slog.String("outcome", outcome), millis(time.Since(start))}, attrs...)
	b.Logger.LogAttrs(context.WithoutCancel(ctx), level, "node", attrs...)
}

// deafGrace is how long LiteFS has to end while it is not ready.
const deafGrace = 500 * time.Millisecond

// endNode asks LiteFS to end, and kills it when it has not after the grace, or
// when another signal that asks for the end comes.
func (b *boot) endNode() (why string) {
	n := b.node
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // one that has ended is found by its wait
	patience := b.Grace
	if !n.ready { // then it does not listen to signals yet, and is the primary of nothing
		patience = min(patience, deafGrace)
	}
	grace := time.After(patience)
	for {
		select {
		case <-n.ended:
			return why
		case <-b.signals.again:
			why = "a second signal came"
		case s := <-b.signals.all:
			if !asksForTheEnd(s) {
				continue
			}
			why = "a second signal came"
		case <-grace:
			why = fmt.Sprintf("LiteFS did not end within %v", patience)
		}
		b.killNode()
		<-n.ended
		return why
	}
}

// killNode ends LiteFS at once. It and what uses its files may be stuck in the kernel
// as long as it is mounted; what is left of the mount is for stopNode.
func (b *boot) killNode() {
	b.kill(b.node.cmd)
	if m, err := mountedAt(b.node.mount); err == nil && strings.HasPrefix(m.fsType, "fuse") {
		_ = detach(b.node.mount) // stopNode tries again, and says so
	}
}
