package appdb_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
)

// A flaky driver fails a number of times before it opens anything.
type flaky struct {
	driver.Driver
	err      error
	failures int
	opens    int
	failing  func() // called at each failure
}

func (f *flaky) Open(name string) (driver.Conn, error) {
	f.opens++
	if f.opens <= f.failures {
		if f.failing != nil {
			f.failing()
		}
		return nil, f.err
	}
	return f.Driver.Open(name)
}

// busyError returns a genuine SQLITE_BUSY.
func busyError(t *testing.T) error {
	t.Helper()
	db := openNew(t)
	other := open(t, appdb.Config{}, "file://"+db.Path()+"?_busy_timeout=0")
	tx, err := db.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = other.Writer().ExecContext(t.Context(), "DELETE FROM t")
	if code(err)&0xff != 5 {
		t.Fatalf("got %v, want SQLITE_BUSY", err)
	}
	return err
}

// SQLite's busy timeout does not cover all that opening a file does.
func TestConnectTriesAgain(t *testing.T) {
	busy, other := busyError(t), errors.New("other")
	for _, c := range []struct {
		name     string
		err      error
		failures int
		timeout  time.Duration
		cancel   bool
		want     []error
		opens    int // 0: more than one, -1: any number
	}{
		{name: "busy for a while", err: busy, failures: 4, timeout: time.Minute, opens: 5},
		{name: "busy for ever", err: busy, failures: 1 << 30, timeout: 20 * time.Millisecond, want: []error{busy}},
		{name: "no timeout", err: busy, failures: 1 << 30, want: []error{busy}, opens: 1},
		{name: "another error", err: other, failures: 1, timeout: time.Minute, want: []error{other}, opens: 1},
		{name: "context ends", err: busy, failures: 1 << 30, timeout: time.Minute, cancel: true, want: []error{context.Canceled, busy}, opens: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := &flaky{err: c.err, failures: c.failures}
			if c.cancel {
				f.failing = cancel
			}
			path := filepath.Join(t.TempDir(), "app.db")
			connector, err := appdb.NewConnector(func(d driver.Driver) driver.Driver { f.Driver = d; return f }, path, c.timeout)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := connector.Connect(ctx)
			if err == nil {
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			}
			if (err == nil) != (c.want == nil) {
				t.Errorf("Connect = %v", err)
			}
			for _, want := range c.want {
				if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
					t.Errorf("Connect = %v, want %v and the path", err, want)
				}
			}
			if c.opens > 0 && f.opens != c.opens || c.opens == 0 && f.opens < 2 {
				t.Errorf("the driver was asked %d times, want %d", f.opens, c.opens)
			}
		})
	}
}
