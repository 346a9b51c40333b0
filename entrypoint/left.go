package entrypoint

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The kernel ends LiteFS and the app when the entrypoint is killed, but not what the
// app has started. That has no database any more, since its mount is dead; nobody
// looks after it; and it holds the lock on LiteFS's data, as all does that a boot
// starts.

// endLeft ends what a boot that was killed has left, and reports whether it did. The
// boot is the one with the pid; where it lives nothing is done.
func (b *boot) endLeft(ctx context.Context, lock, pid string) bool {
	left := holdersOf(lock)
	boot, err := strconv.Atoi(pid)
	if err != nil || len(left) == 0 || slices.Contains(left, boot) || slices.Contains(left, os.Getppid()) {
		return false
	}
	b.Logger.LogAttrs(ctx, slog.LevelWarn, "lock", slog.String("outcome", "ending"), slog.String("pids", fmt.Sprint(left)),
		slog.String("why", "what an earlier boot has left still runs, without a database: that boot, pid "+pid+", was killed"))
	send := func(sig syscall.Signal) {
		for _, p := range holdersOf(lock) {
			_ = syscall.Kill(p, sig) // one that has ended is fine
		}
	}
	gone := func() bool { return ctx.Err() != nil || len(holdersOf(lock)) == 0 }
	send(syscall.SIGTERM)
	if !waitUntil(b.Grace, gone) {
		// Each may have started another meanwhile.
		waitUntil(b.Grace, func() bool { send(syscall.SIGKILL); return gone() })
	}
	return true
}

// holdersOf lists the other processes that have a file open. Their descriptors are read as
// links, and not followed: what is at the end of one may not answer.
func holdersOf(file string) (pids []int) {
	dirs, err := filepath.Glob("/proc/[0-9]*/fd")
	if err != nil {
		return nil // the pattern is right, so this does not happen
	}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Dir(dir), "/proc/"))
		if err != nil || pid == os.Getpid() {
			continue
		}
		names, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended, or is not ours to look at
		}
		if slices.ContainsFunc(names, func(n os.DirEntry) bool {
			to, err := os.Readlink(filepath.Join(dir, n.Name()))
			return err == nil && to == file
		}) {
			pids = append(pids, pid)
		}
	}
	return pids
}
