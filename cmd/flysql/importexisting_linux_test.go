package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

const shopMigration = `-- +goose Up
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, secret TEXT, visits INTEGER NOT NULL DEFAULT 3);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), total INTEGER);
CREATE INDEX orders_user ON orders (user_id);
CREATE TABLE log (what TEXT);
CREATE TRIGGER orders_log AFTER INSERT ON orders BEGIN INSERT INTO log VALUES ('new'); END;
`

// A schema of the app's own is followed, too, and is what it was when that has ended.
func TestImportFollowExisting(t *testing.T) {
	t.Parallel()
	db := testkit.OwnPostgres(t)
	db.Exec(shop)
	for _, flag := range []string{"--migrations", "--into-existing"} {
		dir := t.TempDir()
		path, migrations := filepath.Join(dir, "app.db"), filepath.Join(dir, "migrations")
		if err := os.Mkdir(migrations, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(migrations, "1_shop.sql"), []byte(shopMigration), 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{db.URL, path, "--yes", "--json"}
		if flag == "--migrations" {
			args = append(args, flag, migrations)
		} else {
			if code, _, stderr := quiet(t, append([]string{"import", "--migrations", migrations}, args...)...); code != 0 {
				t.Fatalf("exit code %d\n%s", code, stderr)
			}
			args = append(args, flag, "--truncate")
		}
		f := startFollowing(t, append(args, "--follow")...)
		says := func(what string) {
			t.Helper()
			testkit.Poll(t, what, func() bool {
				select {
				case code := <-f.code:
					t.Fatalf("ended with %d\n%s%s", code, f.stdout.text(), f.stderr.text())
				default:
				}
				return strings.Contains(f.stdout.text(), what)
			})
		}
		says(`"event":"report","done":true`)
		db.Exec("UPDATE orders SET total = total + 1 WHERE id <= 1234; INSERT INTO orders SELECT max(id) + 1, 7, 0.05 FROM orders; DELETE FROM orders WHERE id = 9")
		says(`"rows":123`)
		f.stopped(t)
		code, stdout, stderr := quiet(t, "import", "cutover", db.URL, path)
		if code != 0 || !strings.Contains(stdout, "verified: ") {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		if code, stdout, stderr = quiet(t, "verify", db.URL, path); code != 0 {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
		code, stdout, stderr = quiet(t, "db", "shell", "--built-in", "-c", "SELECT (SELECT total FROM orders WHERE id = 1) || ' ' || (SELECT count(*) FROM log) || ' ' || (SELECT sum(visits) FROM users) || ' ' || group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name)", path)
		if want := "101 0 9000 goose_db_version log orders orders_log orders_user users\n"; code != 0 || stdout != want {
			t.Errorf("exit code %d, %q, want %q\n%s", code, stdout, want, stderr)
		}
		db.Exec("UPDATE orders SET total = id / 100.0")
	}
}
