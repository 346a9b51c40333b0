package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite does not look at interrupts while it waits for a lock, so a long wait inside it could not be
// cancelled. It waits in short turns, and patiently adds them up.
const (
	lockTurn  = 50 * time.Millisecond
	lockPause = 5 * time.Millisecond // between turns, for the locks that SQLite refuses without waiting
)

var (
	shortWait = fmt.Sprintf("PRAGMA busy_timeout=%d", lockTurn.Milliseconds())
	longWait  = fmt.Sprintf("PRAGMA busy_timeout=%d", lockWait.Milliseconds())
)

// patiently repeats f while the database is locked by someone else, for lockWait at most, once a session:
// goose repeats a statement that met a lock three times more, and none of these needs to wait again.
func (s *session) patiently(ctx context.Context, f func() error) error {
	var until time.Time
	for {
		err := f()
		if !isBusy(err) {
			return err
		}
		now := time.Now()
		if until.IsZero() {
			until = now.Add(lockWait)
		}
		s.mu.Lock()
		if now.After(until) {
			s.impatient = true
		}
		stop := s.impatient
		s.mu.Unlock()
		if stop {
			return err
		}
		pause := time.NewTimer(lockPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// isBusy tells whether err is a lock that time may open. A stale snapshot is not: it never gets fresh.
func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY && e.Code() != sqlite3.SQLITE_BUSY_SNAPSHOT
}
