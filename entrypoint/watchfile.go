package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// watchState is what the watchdog has to say to others: .flysql/litefs/watch.json.
type watchState struct {
	State string    `json:"state"` // ok, fenced, killed, ended
	Why   string    `json:"why,omitempty"`
	Since time.Time `json:"since"`
	Pid   int       `json:"pid"` // of the entrypoint; where it does not run, the rest is old
}

const watchFile = "watch.json"

// tell writes the state for others. That it cannot be written changes nothing.
func (w *watchdog) tell(state, why string) {
	data, err := json.Marshal(watchState{State: state, Why: why, Since: time.Now().UTC().Truncate(time.Millisecond), Pid: os.Getpid()})
	if err == nil {
		err = w.dirErr
	}
	if err == nil {
		err = replaceIn(w.dir, watchFile, append(data, '\n'), w.b.who)
	}
	if err != nil {
		w.b.Logger.LogAttrs(context.Background(), slog.LevelWarn, "lease", slog.String("outcome", state), slog.String("warning", "write "+filepath.Join(w.b.state.dir, watchFile)+": "+err.Error()))
	}
}

// replaceIn replaces a file of a directory that is the app's, who runs meanwhile:
// no link out of it is followed, and it was opened before the app could make it one
// itself. The file is the app's too, so that the next boot has nothing to give to it.
func replaceIn(root *os.Root, name string, data []byte, who *account) error {
	tmp := name + ".tmp"
	if err := root.Remove(tmp); err != nil && !isNotExist(err) {
		return err
	}
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && who != nil {
		err = f.Chown(who.uid, who.gid)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	return root.Rename(tmp, name)
}
