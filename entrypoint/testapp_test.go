package entrypoint

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// appMain is an app that keeps rows: for each line that it gets, an id, it answers
// "ok" once the row is committed, or "no" with the reason. It keeps its database
// open, reads it all the time, and does not start on a schema older than its own. At
// SIGTERM it ends what is under way, and closes the database.
func appMain(args string) int {
	var addr, path, version string
	if _, err := fmt.Sscan(args, &addr, &path, &version); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	a := &testApp{dir: filepath.Dir(path)}
	var err error
	if a.db, err = sql.Open("sqlite", dsn(path, "rw", "busy_timeout(2000)")); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 2
	}
	a.db.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", dsn(path, "rw", "busy_timeout(2000)", "query_only(1)"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 2
	}
	var has bool
	if err := reader.QueryRow("SELECT EXISTS (SELECT * FROM goose_db_version WHERE version_id = ?)", version).Scan(&has); err != nil || !has {
		fmt.Fprintf(os.Stderr, "app: the schema is older than version %s (%v)\n", version, err)
		return 9
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 2
	}
	fmt.Println("serving")
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			var n int
			_ = reader.QueryRow("SELECT count(*) FROM (SELECT * FROM rows LIMIT 10)").Scan(&n) // a role that changes may break it
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	all.Go(func() {
		<-ctx.Done()
		l.Close()
	})
	for {
		conn, err := l.Accept()
		if err != nil {
			break
		}
		all.Go(func() { a.serve(ctx, conn) })
	}
	all.Wait()
	if err := errors.Join(a.db.Close(), reader.Close()); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 1
	}
	return 0
}

type testApp struct {
	dir string
	db  *sql.DB
}

func (a *testApp) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	// A line that has not come by then has not been read either.
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		answer := "ok"
		if err := a.write(lines.Text()); err != nil {
			answer = "no " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(conn, answer); err != nil {
			return
		}
	}
}

func (a *testApp) write(id string) error {
	if _, err := os.Lstat(filepath.Join(a.dir, ".primary")); err == nil {
		return errors.New("replica")
	}
	_, err := a.db.Exec("INSERT INTO rows(id) VALUES (?)", id)
	return err
}
