package transfer_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/testkit"
)

// benchTables are 620,000 rows, about 140 MB: what has been read, by a uuid in text; blobs,
// booleans and json; users.
func benchTables(db *testkit.PostgresDB) (rows int) {
	reads, things, users := 500_000, 100_000, 20_000
	if testing.Short() {
		reads, things, users = reads/20, things/20, users/20
	}
	db.Exec(fmt.Sprintf(`SELECT setseed(0.5);
		CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email varchar(80) NOT NULL UNIQUE, created_at timestamptz NOT NULL);
		INSERT INTO users (name, email, created_at) SELECT 'user ' || i, 'user' || i || '@example.com', timestamptz '2024-01-01' + i * interval '1 minute' FROM generate_series(1, %[3]d) AS i;
		CREATE TABLE post_reads (id uuid PRIMARY KEY, user_id int NOT NULL REFERENCES users, post_id int NOT NULL, read_at timestamptz NOT NULL);
		INSERT INTO post_reads SELECT md5(i::text)::uuid, 1 + i %% %[3]d, i %% 1000, timestamptz '2024-01-01' + i * interval '1 second' FROM generate_series(1, %[1]d) AS i;
		CREATE INDEX ON post_reads (user_id);
		CREATE TABLE things (id bigserial PRIMARY KEY, body bytea NOT NULL, done boolean NOT NULL, data jsonb, price numeric(10,2));
		INSERT INTO things (body, done, data, price) SELECT decode(repeat(md5(i::text), 16), 'hex'), i %% 2 = 0, jsonb_build_object('n', i, 'text', repeat('x', 200)), i / 100.0 FROM generate_series(1, %[2]d) AS i;
		VACUUM ANALYZE`, reads, things, users))
	return reads + things + users
}

// A rival gets the tables, their keys and indexes, and neither checks nor comparison.
const benchSchema = `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL);
CREATE TABLE post_reads (id TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, post_id INTEGER NOT NULL, read_at TEXT NOT NULL);
CREATE INDEX post_reads_user ON post_reads (user_id);
CREATE TABLE things (id INTEGER PRIMARY KEY, body BLOB NOT NULL, done INTEGER NOT NULL, data TEXT, price TEXT);
`

var benchNames = []string{"users", "post_reads", "things"}

// BenchmarkImport compares whole imports, from the server to the file. Those by sqlite3
// need that program. flysql's is checked, compared and on disk; theirs are none of it.
func BenchmarkImport(b *testing.B) {
	db := testkit.Postgres(b)
	rows := benchTables(db)
	b.Run("flysql", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVariable+"="+db.URL+" "+filepath.Join(b.TempDir(), "app.db"))
			out, err := cmd.Output()
			if err != nil || string(out) != "ended: <nil>\n" {
				b.Fatalf("%s%v", out, err)
			}
			usage(b, cmd)
		}
		perSecond(b, rows)
	})
	b.Run("csv", func(b *testing.B) {
		for b.Loop() {
			dir := b.TempDir()
			script := "PRAGMA journal_mode=off; PRAGMA synchronous=off;\n" + benchSchema + ".mode csv\n"
			for _, name := range benchNames {
				copyOut(b, db, filepath.Join(dir, name), "COPY "+name+" TO STDOUT (FORMAT csv)")
				script += ".import " + name + " " + name + "\n"
			}
			sqlite3(b, dir, strings.NewReader(script))
		}
		perSecond(b, rows)
	})
	b.Run("inserts", func(b *testing.B) {
		for b.Loop() {
			dump := db.Program("pg_dump", "--inserts", "--data-only", "--no-owner", "-d", db.URL)
			out, err := dump.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := dump.Start(); err != nil {
				b.Fatal(err)
			}
			sqlite3(b, b.TempDir(), io.MultiReader(strings.NewReader(benchSchema+"BEGIN;\n"), &onlyInserts{from: out}, strings.NewReader("COMMIT;\n")))
			if err := dump.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, rows)
	})
	b.Run("upserts", func(b *testing.B) { benchUpserts(b, db) })
}

// usage reports what a program has taken: processor time is steady on a busy machine,
// where the clock is not. PostgreSQL's own is in neither.
func usage(b *testing.B, cmd *exec.Cmd) {
	b.ReportMetric(float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024, "MB")
	b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "cpu-s")
}

func perSecond(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
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

func sqlite3(b *testing.B, dir string, script io.Reader) {
	b.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		testkit.NotRun(b, "sqlite3", "apt-get install sqlite3")
	}
	cmd := exec.Command(program, "-bail", "app.db")
	cmd.Dir, cmd.Stdin = dir, script
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("sqlite3: %v\n%s", err, out)
	}
	usage(b, cmd)
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

// benchUpserts is the script of every tutorial: a row read, a row written, each in a
// transaction of its own. Two seconds of it are enough to tell.
func benchUpserts(b *testing.B, db *testkit.PostgresDB) {
	target, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "app.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	if _, err := target.Exec(benchSchema); err != nil {
		b.Fatal(err)
	}
	n, conn := 0, db.Conn()
	var elapsed time.Duration
	for b.Loop() {
		start := time.Now()
		for i := 1; time.Since(start) < 2*time.Second; i++ {
			var id, name, email, at string
			if err := conn.QueryRow(context.Background(), "SELECT id::text, name, email, created_at::text FROM users ORDER BY id OFFSET $1 LIMIT 1", i%1000).Scan(&id, &name, &email, &at); err != nil {
				b.Fatal(err)
			}
			if _, err := target.Exec("INSERT INTO users VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, created_at = excluded.created_at", id, name, email, at); err != nil {
				b.Fatal(err)
			}
			n++
		}
		elapsed += time.Since(start)
	}
	b.ReportMetric(float64(n)/elapsed.Seconds(), "rows/s")
}
