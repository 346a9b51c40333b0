package appdb_test

import (
	"path/filepath"
	"testing"

	"github.com/flysql/flysql/appdb"
)

// A transaction begun as SQL text and left open by an error does not swallow the
// writes that come after it.
func TestOpenTransactionDoesNotStay(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := appdb.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Writer().ExecContext(ctx, "CREATE TABLE t (v TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Writer().ExecContext(ctx, "BEGIN; INSERT INTO t VALUES ('half'); INSERT INTO t VALUES (NULL); COMMIT"); err == nil {
		t.Fatal("NULL was stored")
	}
	for range 10 {
		if _, err := db.Writer().ExecContext(ctx, "INSERT INTO t VALUES ('whole')"); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = appdb.Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var whole, half int
	if err := db.Reader().QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE v = 'whole'), count(*) FILTER (WHERE v = 'half') FROM t").Scan(&whole, &half); err != nil {
		t.Fatal(err)
	}
	if whole != 10 || half != 0 {
		t.Errorf("%d whole and %d half rows, want 10 and 0", whole, half)
	}
}
