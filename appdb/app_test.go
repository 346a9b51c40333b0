//go:build unix

package appdb_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/litefs"
)

// What an app needs to know of its node, in the environment of a helper.
const (
	wayEnv   = "APPDB_TEST_WAY"
	apiEnv   = "APPDB_TEST_API"
	mountEnv = "APPDB_TEST_MOUNT"
)

// An app is a database as one way of living with a change of the primary has it.
type app struct {
	update func(ctx context.Context, fn func(*sql.Tx) error) error
	read   func(fn func(*sql.DB) error) error
}

// ways are those ways.
var ways = map[string]func(ctx context.Context, path string, node *litefs.Node) (app, error){
	"appdb":         openApp(0),
	"appdb+confirm": openApp(confirm),
	"appdb+sure":    openApp(5 * confirm), // on a machine with other work
	"kept":          openKept,
	"closed":        openClosed,
}

// confirm is a Config.Confirm that covers what LiteFS needs to tell here.
const confirm = 20 * time.Millisecond

func openApp(confirm time.Duration) func(ctx context.Context, path string, node *litefs.Node) (app, error) {
	return func(ctx context.Context, path string, node *litefs.Node) (app, error) {
		db, err := appdb.Config{Engine: node, Confirm: confirm}.Open(ctx, path)
		if err != nil {
			return app{}, err
		}
		return app{db.Update, func(fn func(*sql.DB) error) error { return fn(db.Reader()) }}, nil
	}
}

// openPools are a writer and readers with appdb's settings, and no more.
func openPools(path string) (w, r *sql.DB, err error) {
	dsn := "file:" + path + "?_pragma=busy_timeout(5000)&_pragma=mmap_size(0)"
	if w, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return nil, nil, err
	}
	w.SetMaxOpenConns(1)
	if r, err = sql.Open("sqlite", dsn+"&mode=ro&_pragma=query_only(1)"); err != nil {
		return nil, nil, err
	}
	r.SetMaxOpenConns(8)
	r.SetMaxIdleConns(8)
	return w, r, nil
}

// openKept keeps its connections whatever happens.
func openKept(_ context.Context, path string, _ *litefs.Node) (app, error) {
	w, r, err := openPools(path)
	return app{updateOn(w), func(fn func(*sql.DB) error) error { return fn(r) }}, err
}

func updateOn(w *sql.DB) func(context.Context, func(*sql.Tx) error) error {
	return func(ctx context.Context, fn func(*sql.Tx) error) error {
		tx, err := w.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Commit()
	}
}

// openClosed closes them when the role changes, and opens others.
func openClosed(ctx context.Context, path string, node *litefs.Node) (app, error) {
	w, r, err := openPools(path)
	if err != nil {
		return app{}, err
	}
	var mu sync.RWMutex
	go func() { // for as long as the process lives
		for st := node.State(); err == nil; {
			role := st.Role
			if st, err = litefs.Wait(ctx, node, func(st litefs.State) bool { return st.Role != role }); err == nil {
				mu.Lock()
				_, _ = r.Close(), w.Close()
				w, r, err = openPools(path)
				mu.Unlock()
			}
		}
	}()
	return app{
		func(ctx context.Context, fn func(*sql.Tx) error) error {
			mu.RLock()
			defer mu.RUnlock()
			return updateOn(w)(ctx, fn)
		},
		func(fn func(*sql.DB) error) error {
			mu.RLock()
			defer mu.RUnlock()
			return fn(r)
		},
	}, nil
}

// helperApp is a web app in short: two writers and four readers, who rest between
// their requests. It says what came of each write, and obeys "pause" and "resume",
// which are about the writers.
func helperApp(ctx context.Context, path string) error {
	node, err := litefs.Open(litefs.Config{Addr: "127.0.0.1:" + os.Getenv(apiEnv), FUSEDir: os.Getenv(mountEnv)})
	if err != nil {
		return err
	}
	a, err := ways[os.Getenv(wayEnv)](ctx, path, node)
	if err != nil {
		return err
	}
	s := &speaker{}
	var ended atomic.Bool
	var pause sync.RWMutex
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := 0; !ended.Load(); i++ {
				pause.RLock()
				s.write(ctx, a, fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i), 200+(i%10)*1500)
				pause.RUnlock()
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for !ended.Load() {
				s.read(ctx, a)
			}
		})
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "pause":
			pause.Lock()
		case "resume":
			pause.Unlock()
		}
		s.say("did", lines.Text())
	}
	ended.Store(true)
	wg.Wait()
	return node.Close() // whatever is open ends with the process
}

// A speaker says what came of things, a line each.
type speaker struct{ mu sync.Mutex }

func (s *speaker) say(words ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Println(words...)
}

// rest is the time between two requests, on average half of most.
func rest(most time.Duration) { <-time.After(rand.N(most)) }

func (s *speaker) write(ctx context.Context, a app, id string, size int) {
	err := a.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (?, randomblob(?))", id, size)
		return err
	})
	switch {
	case err == nil:
		s.say("ack", id, time.Now().UnixNano())
		return
	case errors.Is(err, appdb.ErrReplica):
		s.say("replica", id)
	case errors.Is(err, appdb.ErrUnknown):
		s.say("unknown", id)
	default:
		s.say("error", id, err)
	}
	rest(40 * time.Millisecond) // such requests go elsewhere
}

func (s *speaker) read(ctx context.Context, a app) {
	err := a.read(func(r *sql.DB) error {
		var n, size sql.NullInt64
		return r.QueryRowContext(ctx, "SELECT count(*), sum(length(v)) FROM (SELECT v FROM t ORDER BY rowid DESC LIMIT 10)").Scan(&n, &size)
	})
	if err != nil {
		s.say("readerror", "-", err)
	}
	rest(40 * time.Millisecond)
}

// helperPromoted writes each time that it is told to, as a user without rights, to whom
// LiteFS opens a file for writing on the primary only. It says what came of it.
func helperPromoted(ctx context.Context, path string) error {
	if err := becomeNobody(); err != nil {
		return err
	}
	var c appdb.Config
	if os.Getenv(apiEnv) != "" {
		node, err := litefs.Open(litefs.Config{Addr: "127.0.0.1:" + os.Getenv(apiEnv), FUSEDir: os.Getenv(mountEnv)})
		if err != nil {
			return err
		}
		defer node.Close()
		c.Engine = node
	}
	db, err := c.Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		err := db.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (?, 1)", lines.Text())
			return err
		})
		if errors.Is(err, appdb.ErrReplica) {
			err = appdb.ErrReplica
		}
		fmt.Println(err)
	}
	return nil
}
