package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
)

func TestReadersCannotWrite(t *testing.T) {
	db := openNew(t)
	exec(t, db.Writer(), "INSERT INTO t (v) VALUES ('a')")
	dir := filepath.Dir(db.Path())
	exec(t, db.Writer(), "CREATE INDEX t_v ON t (v)")
	before := files(t, dir)
	for _, query := range []string{
		"INSERT INTO t (v) VALUES ('b')",
		"INSERT INTO t (v) VALUES ('b') RETURNING id",
		"UPDATE t SET v = 'b'",
		"DELETE FROM t",
		"REPLACE INTO t (id, v) VALUES (1, 'b')",
		"WITH x AS (SELECT 1) INSERT INTO t (v) SELECT 'b' FROM x",
		"CREATE TABLE u (v)",
		"CREATE TEMP TABLE u (v)",
		"CREATE INDEX i ON t (v)",
		"ALTER TABLE t ADD COLUMN w",
		"DROP TABLE t",
		"REINDEX",
		"VACUUM",
		"PRAGMA user_version = 7",
		"PRAGMA application_id = 7",
		// The file stays guarded when a reader lifts query_only.
		"PRAGMA query_only = 0; DELETE FROM t",
		"SELECT 1; DELETE FROM t",
	} {
		if _, err := db.Reader().ExecContext(t.Context(), query); code(err) != 8 {
			t.Errorf("Exec %s: %v; want code 8", query, err)
		}
		err := db.View(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(query)
			return err
		})
		if got := code(err); got != 8 && (got != 1 || query != "VACUUM") {
			t.Errorf("View %s: %v; want code 8", query, err) // VACUUM fails earlier in a transaction
		}
	}
	var id int
	if err := db.Reader().QueryRowContext(t.Context(), "INSERT INTO t (v) VALUES ('b') RETURNING id").Scan(&id); code(err) != 8 {
		t.Errorf("Query with RETURNING: %v; want code 8", err)
	}
	if got := rows(t, db); got != "a" {
		t.Errorf("rows %q, want a", got)
	}
	if got := files(t, dir); !slices.Equal(got, before) {
		t.Errorf("files were %q and are %q", before, got)
	}
}

// A read that waits for a connection obeys its context.
func TestReadersQueue(t *testing.T) {
	db := open(t, appdb.Config{Readers: 1}, filepath.Join(t.TempDir(), "app.db"))
	err := db.View(t.Context(), func(*sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := db.View(ctx, func(*sql.Tx) error {
			t.Error("a second View ran on the one connection")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second View = %v, want context.DeadlineExceeded", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
