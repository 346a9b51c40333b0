package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// ears hear that something may have changed.
type ears interface {
	// hear waits until something may have changed, or so much time has passed.
	hear(ctx context.Context, atMost time.Duration) (heard bool, err error)
	deaf() bool // hear only ever waits
	close() error
}

// notified hears what the system notifies of.
type notified struct {
	looker *looker
	say    func(string)
	system *fsnotify.Watcher // nil is deaf
}

func newNotified(l *looker, say func(string)) *notified {
	n := &notified{looker: l, say: say}
	system, err := fsnotify.NewWatcher()
	if err != nil {
		n.deafen(err)
		return n
	}
	n.system = system
	return n
}

// watch has the system notify of a directory. It is called for one that it does so already,
// too: a directory may be another one by now.
func (n *notified) watch(dir string) {
	if n.system == nil {
		return
	}
	err := n.system.Add(dir)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrPermission):
		// What cannot be read is not part of a build either.
	default:
		n.deafen(err)
	}
}

// deafen gives notifications up.
func (n *notified) deafen(err error) {
	if n.system != nil {
		n.system.Close() // it fails only where it is closed already
		n.system = nil
	}
	n.say(fmt.Sprintf("files are looked at every second or so, since the system does not tell of changes: %v%s", err, remedy(err)))
}

func remedy(err error) string {
	switch {
	case runtime.GOOS != "linux":
		return ""
	case errors.Is(err, syscall.ENOSPC):
		return " (its limit on watches: sudo sysctl fs.inotify.max_user_watches=524288 raises it)"
	case errors.Is(err, syscall.EMFILE):
		return " (its limit on watchers: sudo sysctl fs.inotify.max_user_instances=1024 raises it)"
	}
	return ""
}

func (n *notified) hear(ctx context.Context, atMost time.Duration) (bool, error) {
	over := time.NewTimer(atMost)
	defer over.Stop()
	for {
		var events chan fsnotify.Event
		var errs chan error
		if n.system != nil {
			events, errs = n.system.Events, n.system.Errors
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-over.C:
			return false, nil
		case event := <-events:
			if n.looker.mayCount(event.Name) {
				return true, nil
			}
		case err := <-errs:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				n.deafen(err)
			}
			return true, nil
		}
	}
}

func (n *notified) deaf() bool { return n.system == nil }

func (n *notified) close() error {
	if n.system == nil {
		return nil
	}
	return n.system.Close()
}
