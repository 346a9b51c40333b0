package litefs

import (
	"errors"
	"strconv"

	"github.com/flysql/flysql/engine"
)

// Errors that a caller may branch on, with errors.Is.
var (
	// ErrClosed is told by every method that waits, and by [State.Err], after Close.
	ErrClosed = engine.ErrClosed

	// ErrDiverged says that this node has another history than the one asked for.
	ErrDiverged = engine.ErrDiverged

	// ErrNotPrimary says that only the primary can do what was asked.
	ErrNotPrimary = errors.New("this node is not the primary")

	// ErrNotCandidate says that the node may never be primary: lease.candidate is
	// false in its litefs.yml.
	ErrNotCandidate = errors.New("this node is not a candidate: set lease.candidate in litefs.yml")

	// ErrNoDatabase says that LiteFS has no database of that name.
	ErrNoDatabase = errors.New("LiteFS has no such database")

	// ErrNotLiteFS says that a path is not in a LiteFS mount.
	ErrNotLiteFS = errors.New("not on a LiteFS mount")

	// ErrHaltLost says that the HALT lock was gone before the work was done.
	ErrHaltLost = errors.New("the HALT lock was lost")
)

// quote shows text that others chose: bounded, and harmless to a terminal.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
