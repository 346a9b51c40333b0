package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/litefs"
)

// confirm is how long a write watches whether this machine stays the primary.
const confirm = 20 * time.Millisecond

// openDatabase opens the database, and follows LiteFS where the file lies in the mount
// of one: which machine is the primary then comes from api, LiteFS's http.addr. closed
// is called when all is done.
func openDatabase(ctx context.Context, url, api string, log *slog.Logger) (db *appdb.DB, closed func() error, err error) {
	var c appdb.Config
	closeNode := func() error { return nil }
	if dir, ok := liteFSMount(url); ok {
		node, err := litefs.Open(litefs.Config{Addr: api, FUSEDir: dir, Logger: log})
		if err != nil {
			return nil, nil, err
		}
		c, closeNode = appdb.Config{Engine: node, Confirm: confirm}, node.Close
		// Not yet known is no reason not to start: reads work, and writes wait.
		soon, cancel := context.WithTimeout(ctx, time.Second)
		_, _ = node.WaitPrimary(soon)
		cancel()
	}
	if db, err = c.Open(ctx, url); err != nil {
		return nil, nil, errors.Join(err, closeNode())
	}
	return db, func() error { return errors.Join(db.Close(), closeNode()) }, nil
}

// liteFSMount is the directory of the database where LiteFS is mounted there, which has
// a file called .lag.
func liteFSMount(url string) (dir string, ok bool) {
	path, err := appdb.Path(url)
	if err != nil {
		return "", false // for Open to say
	}
	dir = filepath.Dir(path)
	_, err = os.Stat(filepath.Join(dir, ".lag"))
	return dir, err == nil
}
