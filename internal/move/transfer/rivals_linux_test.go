package transfer_test

import (
	"context"
	"database/sql"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/testkit"
)

// What the rivals of BenchmarkImport make.
const (
	rivalTables = `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL);
CREATE TABLE post_reads (id TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, post_id INTEGER NOT NULL, read_at TEXT NOT NULL);
CREATE TABLE things (id INTEGER PRIMARY KEY, body BLOB NOT NULL, done INTEGER NOT NULL, data TEXT, price TEXT);
`
	rivalIndex = "CREATE INDEX post_reads_user ON post_reads (user_id);\n"
	unsafely   = "PRAGMA journal_mode=off; PRAGMA synchronous=off;\n"

	// The checks of an import, but for the blob, which is text in CSV, and the offset of a time.
	rivalChecked = `CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN -2147483648 AND 2147483647), name TEXT NOT NULL, email TEXT NOT NULL UNIQUE CHECK (length(email) <= 80),
  created_at TEXT NOT NULL CHECK (created_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*+00'));
CREATE TABLE post_reads (id TEXT NOT NULL PRIMARY KEY CHECK (id GLOB '????????-????-????-????-????????????' AND id NOT GLOB '*[^-0-9a-f]*'),
  user_id INTEGER NOT NULL REFERENCES users CHECK (typeof(user_id) IN ('integer', 'null') AND user_id BETWEEN -2147483648 AND 2147483647),
  post_id INTEGER NOT NULL CHECK (typeof(post_id) IN ('integer', 'null') AND post_id BETWEEN -2147483648 AND 2147483647),
  read_at TEXT NOT NULL CHECK (read_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*+00'));
CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL CHECK (typeof(body) IN ('text', 'null')), done INTEGER NOT NULL CHECK (done IN (0, 1)),
  data TEXT CHECK (json_valid(data)), price TEXT CHECK (price NOT GLOB '*[^-.0-9]*' AND price GLOB '*[0-9]' AND price NOT GLOB '?*-*' AND price NOT GLOB '*.*.*'));
`
	rivalChecks = "ANALYZE;\nPRAGMA foreign_key_check;\nPRAGMA integrity_check;\n"
)

func runCSV(b *testing.B, db *testkit.PostgresDB, dir string) *exec.Cmd {
	return importCSV(b, db, dir, unsafely+rivalTables+rivalIndex, "")
}

func runTunedCSV(b *testing.B, db *testkit.PostgresDB, dir string) *exec.Cmd {
	return importCSV(b, db, dir, unsafely+"PRAGMA cache_size=-65536;\n"+rivalTables, rivalIndex)
}

func runCheckedCSV(b *testing.B, db *testkit.PostgresDB, dir string) *exec.Cmd {
	return importCSV(b, db, dir, unsafely+"PRAGMA cache_size=-65536;\n"+rivalChecked, rivalIndex+rivalChecks)
}

func importCSV(b *testing.B, db *testkit.PostgresDB, dir, before, after string) *exec.Cmd {
	b.Helper()
	before += ".mode csv\n"
	for _, table := range []string{"users", "post_reads", "things"} {
		query := table
		if table == "things" {
			query = "(SELECT id, body, done::int, data, price FROM things)"
		}
		copyOut(b, db, filepath.Join(dir, table), "COPY "+query+" TO STDOUT (FORMAT csv)")
		before += ".import " + table + " " + table + "\n"
	}
	return sqlite3(b, dir, strings.NewReader(before+after))
}

func copyOut(b *testing.B, db *testkit.PostgresDB, path, statement string) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(context.Background(), db.URL)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().CopyTo(context.Background(), f, statement); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// sqlite3 runs a script; what its checks find, it prints.
func sqlite3(b *testing.B, dir string, script io.Reader) *exec.Cmd {
	b.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		testkit.NotRun(b, "sqlite3", "apt-get install sqlite3")
	}
	cmd := exec.Command(program, "-bail", "app.db")
	cmd.Dir, cmd.Stdin = dir, script
	out, err := cmd.CombinedOutput()
	if got := strings.TrimSpace(strings.TrimPrefix(string(out), "off\n")); err != nil || got != "" && got != "ok" {
		b.Fatalf("sqlite3: %v\n%s", err, out)
	}
	return cmd
}

func runInserts(b *testing.B, db *testkit.PostgresDB, dir string) *exec.Cmd {
	dump := db.Program("pg_dump", "--inserts", "--data-only", "--no-owner", "-d", db.URL)
	out, err := dump.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := dump.Start(); err != nil {
		b.Fatal(err)
	}
	cmd := sqlite3(b, dir, io.MultiReader(strings.NewReader(rivalTables+rivalIndex+"BEGIN;\n"), &onlyInserts{from: out}, strings.NewReader("COMMIT;\n")))
	if err := dump.Wait(); err != nil {
		b.Fatal(err)
	}
	return cmd
}

// onlyInserts is the hand that edits pg_dump's output for sqlite3.
type onlyInserts struct {
	from io.Reader
	rest []byte
}

func (o *onlyInserts) Read(p []byte) (int, error) {
	for {
		if end := strings.LastIndexByte(string(o.rest), '\n'); end >= 0 {
			var out strings.Builder
			for line := range strings.Lines(string(o.rest[:end+1])) {
				if strings.HasPrefix(line, "INSERT INTO public.") {
					out.WriteString("INSERT INTO " + strings.TrimPrefix(line, "INSERT INTO public."))
				}
			}
			o.rest = append([]byte{}, o.rest[end+1:]...)
			if out.Len() > 0 {
				return copy(p, out.String()), nil // never longer than what was read
			}
		}
		n, err := o.from.Read(p[:len(p)-len(o.rest)])
		o.rest = append(o.rest, p[:n]...)
		if err != nil {
			return 0, err
		}
	}
}

// runUpserts copies for two seconds, with SQLite's own settings, which lose nothing.
func runUpserts(b *testing.B, db *testkit.PostgresDB, dir string) (n int, took time.Duration) {
	target, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	if _, err := target.Exec(rivalTables + rivalIndex); err != nil {
		b.Fatal(err)
	}
	conn := db.Conn()
	last, start := "00000000-0000-0000-0000-000000000000", time.Now()
	for time.Since(start) < 2*time.Second {
		rows, err := conn.Query(context.Background(), "SELECT id::text, user_id, post_id, read_at::text FROM post_reads WHERE id > $1 ORDER BY id LIMIT 1000", last)
		if err != nil {
			b.Fatal(err)
		}
		var user, post int
		var at string
		_, err = pgx.ForEachRow(rows, []any{&last, &user, &post, &at}, func() error {
			if time.Since(start) > 2*time.Second {
				return nil
			}
			n++
			_, err := target.Exec("INSERT INTO post_reads VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, post_id = excluded.post_id, read_at = excluded.read_at", last, user, post, at)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return n, time.Since(start)
}
