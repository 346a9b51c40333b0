package entrypoint

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// crashed makes a database with 1000 committed rows, then kills the process that
// is writing more of them: what is committed may still be in the WAL, and a
// rollback journal is hot.
func crashed(t *testing.T, dir, mode string) string {
	t.Helper()
	db := filepath.Join(dir, "app.db")
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), asCrash+"="+mode+" "+db)
	out, err := cmd.CombinedOutput()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
		t.Fatalf("the writer was not killed: %v\n%s", err, out)
	}
	return db
}

// crashMain is the process that crashed starts. It returns only on an error.
func crashMain(mode, path string) error {
	db, err := sql.Open("sqlite", dsn(path, "rwc", fmt.Sprintf("journal_mode(%s)", mode), "cache_size(4)"))
	if err != nil {
		return err
	}
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	for _, q := range []string{
		"CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, filler BLOB)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, 'committed', zeroblob(300) FROM n",
		"BEGIN IMMEDIATE",
		// With a cache of four pages this spills to the file before it is committed.
		"UPDATE t SET v = 'lost', filler = randomblob(300)",
		"INSERT INTO t SELECT id + 1000, 'lost', randomblob(300) FROM t",
	} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
