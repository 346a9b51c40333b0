package testkit

import (
	"context"
	"os"
	"testing"
)

func TestMain(m *testing.M) { PostgresMain(m) }

// Tests share a server, and not a database.
func TestPostgres(t *testing.T) {
	a, b := Postgres(t), Postgres(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'")
	a.Exec("CREATE TABLE t (v text); INSERT INTO t VALUES ('of a');")
	b.Exec("CREATE TABLE t (v text); INSERT INTO t VALUES ('of b'), ('Of b');")
	for _, c := range []struct {
		db   *PostgresDB
		want string
	}{{a, "of a"}, {b, "of b,Of b"}} {
		var got string
		if err := c.db.Conn().QueryRow(context.Background(), "SELECT string_agg(v, ',' ORDER BY v) FROM t").Scan(&got); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.db.Name, got, err, c.want)
		}
	}
	if a.server != b.server {
		t.Error("each database has a server of its own")
	}
}

// The server and its directory are gone when the tests are.
func TestPostgresStops(t *testing.T) {
	s := newPostgres(t)
	s.stop()
	if s.ready() {
		t.Error("it still answers")
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", s.dir, err)
	}
}
