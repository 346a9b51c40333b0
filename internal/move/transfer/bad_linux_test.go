package transfer_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// refused imports, and wants an error with words in it and nothing left.
func refused(t *testing.T, url string, o move.Options, words ...string) error {
	t.Helper()
	s, plan := open(t, url, o)
	dir := t.TempDir()
	_, err := transfer.Import(context.Background(), s, plan, filepath.Join(dir, "app.db"), transfer.Options{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("files: %q", got)
	}
	return err
}

// What a row holds that SQLite cannot take is named, and not shown.
func TestImportRefusesRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		o      move.Options
		words  []string
	}{
		"infinity": {`CREATE TABLE t (id int, at date); INSERT INTO t VALUES (1, '2024-01-01'), (2, 'infinity')`, move.Options{},
			[]string{`public.t: row 2, column at (date): "infinity": `, `special = "keep" or "null"`}},
		"long": {`CREATE TABLE t (n numeric(18,2)); INSERT INTO t VALUES ('NaN')`, move.Options{Types: map[string]string{"numeric": "scaled"}},
			[]string{`public.t: row 1, column n (numeric(18,2)): "NaN": `}},
		"secret": {`CREATE TABLE t (a text, j json); INSERT INTO t VALUES ('x', (repeat('[', 1500) || '"hunter2"' || repeat(']', 1500))::json)`, move.Options{},
			[]string{"public.t: row 1, column j (json): a value of 3009 bytes: json: nested"}},
		"not null": {`CREATE TABLE t (a date NOT NULL); INSERT INTO t VALUES ('infinity')`, move.Options{Special: "null"},
			[]string{`public.t: row 1, column a (date): "infinity": special = "null"`}},
		"where": {`CREATE TABLE t (a date NOT NULL)`, move.Options{Tables: map[string]move.TableOptions{"public.t": {Where: "b > 1"}}},
			[]string{`copy public.t: ERROR: column "b" does not exist`}},
		"check": {`CREATE TABLE t (a int CHECK (a < 100)); INSERT INTO t SELECT generate_series(1, 50); ALTER TABLE t DROP CONSTRAINT t_a_check; INSERT INTO t VALUES (100); ALTER TABLE t ADD CONSTRAINT small CHECK (a < 100) NOT VALID;
			UPDATE pg_constraint SET convalidated = true WHERE conname = 'small'`, move.Options{}, []string{"public.t: row 51: CHECK constraint failed: small"}},
		"orphan": {`CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1), (2)`,
			move.Options{Tables: map[string]move.TableOptions{"public.p": {Where: "id > 1"}}}, []string{"public.c: row 1 refers to a row of p that is not there"}},
		"another foreign key is NOT VALID": {`CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE q (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p, q int); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 7), (2, 7); ALTER TABLE c ADD FOREIGN KEY (q) REFERENCES q NOT VALID`,
			move.Options{Tables: map[string]move.TableOptions{"public.p": {Where: "id > 1"}}}, []string{"public.c: row 1 refers to a row of p that is not there"}},
		"stopped": {`CREATE TABLE t AS SELECT i AS id, 1 / (i - 3) AS x FROM generate_series(5, 9) AS i; CREATE TABLE v (a int); INSERT INTO v SELECT generate_series(1, 100)`,
			move.Options{Tables: map[string]move.TableOptions{"public.v": {Where: "1 / (a - 50) < 100"}}}, []string{"copy public.v: after row 49: ERROR: division by zero"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(c.script)
			if err := refused(t, db.URL, c.o, c.words...); strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the value is shown: %v", err)
			}
		})
	}
}

// A foreign key that PostgreSQL has not checked may be broken in SQLite, too.
func TestImportNotValid(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int); INSERT INTO c VALUES (1), (2); ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p NOT VALID`)
	_, _, _, r := imported(t, db.URL, move.Options{})
	if len(r.Notes) != 1 || r.Notes[0] != "public.c: 2 rows break a foreign key that is NOT VALID in PostgreSQL" {
		t.Errorf("%q", r.Notes)
	}
}

// A user's rights decide, and what a policy hides is not missing in silence.
func TestImportRights(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	role := db.Name + "_reader"
	db.Exec(`CREATE TABLE a (id int); INSERT INTO a VALUES (1); CREATE TABLE b (id int); CREATE ROLE ` + role + ` LOGIN PASSWORD 'hunter2'; GRANT SELECT ON a TO ` + role)
	t.Cleanup(func() { db.Exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	url := strings.Replace(db.URL, "postgres:postgres-secret@", role+":hunter2@", 1)
	t.Run("grant", func(t *testing.T) {
		refused(t, url, move.Options{}, "copy public.b: ERROR: permission denied for table b", "; grant SELECT on it")
		imported(t, url, move.Options{Tables: map[string]move.TableOptions{"public.b": {Skip: true}}})
	}) // which closes the snapshot, and with it the locks that ALTER TABLE waits for
	db.Exec("ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON a USING (false)")
	t.Run("policy", func(t *testing.T) {
		refused(t, url, move.Options{Tables: map[string]move.TableOptions{"public.b": {Skip: true}}}, "copy public.a: ", "row-level security", "; a policy hides rows")
	})
	for _, wrong := range []string{strings.Replace(url, "hunter2", "hunter3", 1), strings.Replace(url, "127.0.0.1", "127.0.0.1:x", 1), url + "?sslmode=x", "host=h password=hunter2 port=x"} {
		if _, err := transfer.Open(context.Background(), wrong); err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("error %v", err)
		}
	}
}

// PostgreSQL may end the connections in the middle.
func TestImportConnectionLost(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE t AS SELECT i AS id, repeat('x', 1000) AS v FROM generate_series(1, 20000) AS i")
	s, plan := open(t, db.URL, move.Options{})
	dir := t.TempDir()
	admin := db.Conn()
	_, err := transfer.Import(context.Background(), s, plan, filepath.Join(dir, "app.db"), transfer.Options{Progress: func(p transfer.Progress) {
		if p.Stage == transfer.Copying && p.Rows > 0 {
			if _, err := admin.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
				t.Error(err)
			}
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "copy public.t: after row ") || !strings.Contains(err.Error(), "run the import again, nothing of it is left") {
		t.Errorf("error %v", err)
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("files: %q", got)
	}
}

// The target is left alone where it cannot be made, or is not to be touched.
func TestImportTarget(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	s, plan := open(t, db.URL, move.Options{})
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	run := func(replace bool) error {
		_, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Replace: replace})
		return err
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("app.db")
	if err := run(false); !errors.Is(err, transfer.ErrExists) {
		t.Errorf("it is there already: %v", err)
	}
	write("app.db-wal")
	if err := run(true); err == nil || !strings.Contains(err.Error(), "app.db-wal is there") {
		t.Errorf("it has a WAL: %v", err)
	}
	os.Remove(path + "-wal")
	write("app.db.before-import")
	if err := run(true); err != nil {
		t.Error(err)
	}
	if got := strings.Join(files(t, dir), " "); got != "app.db app.db.before-import app.db.before-import-2" {
		t.Error(got)
	}
	path = filepath.Join(dir, "missing", "app.db")
	if err := run(false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	path = dir
	if err := run(true); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a directory: %v", err)
	}
	path = "/proc/sys/app.db"
	if err := run(false); err == nil || !strings.Contains(err.Error(), "make a file beside /proc/sys/app.db") {
		t.Errorf("a directory that cannot be written: %v", err)
	}
}

func TestImportFullDisk(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	db := testkit.Postgres(t)
	db.Exec(small)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=200k"); err != nil {
		testkit.NotRun(t, "tmpfs", err.Error())
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	s, plan := open(t, db.URL, move.Options{})
	_, err := transfer.Import(context.Background(), s, plan, filepath.Join(dir, "app.db"), transfer.Options{})
	if err == nil || !strings.Contains(err.Error(), "no room for "+dir) {
		t.Errorf("error %v", err)
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("files: %q", got)
	}
}

// Rows that come while an import runs are not in it, nor in the comparison.
func TestImportSnapshot(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	s, plan := open(t, db.URL, move.Options{})
	conn := db.Conn()
	r, err := transfer.Import(context.Background(), s, plan, filepath.Join(t.TempDir(), "app.db"), transfer.Options{Progress: func(p transfer.Progress) {
		if p.Rows == 0 {
			write(t, conn)
		}
	}})
	if err != nil || r.Rows != 5000 {
		t.Errorf("%+v, %v", r, err)
	}
}

func write(t *testing.T, conn *pgx.Conn) {
	if _, err := conn.Exec(context.Background(), "INSERT INTO t SELECT max(id) + 1, 'late' FROM t; UPDATE t SET v = 'late' WHERE id = 7"); err != nil {
		t.Error(err)
	}
}

// A TRUNCATE that waits for one connection of an import's, and that another of its waits
// for, would be there for ever: PostgreSQL sees no deadlock in it.
func TestImportBehindTruncate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
	for name, run := range map[string]func(*transfer.Live, *move.Plan, string) error{
		"import": func(s *transfer.Live, plan *move.Plan, path string) error {
			_, err := transfer.Import(ctx, s, plan, path, transfer.Options{})
			return err
		},
		"verify": func(s *transfer.Live, plan *move.Plan, path string) error {
			_, err := transfer.Verify(ctx, s, plan, path, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, _, path, _ := imported(t, db.URL, move.Options{})
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			s, plan := open(t, db.URL, move.Options{})
			if _, err := s.CopyTable(ctx, io.Discard, plan.Tables[0]); err != nil { // its connection keeps a lock
				t.Fatal(err)
			}
			app, err := pgx.Connect(ctx, db.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer app.Close(ctx)
			done := make(chan error, 1)
			go func() {
				_, err := app.Exec(ctx, "TRUNCATE t")
				done <- err
			}()
			watch := db.Conn()
			waiting := "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 't'::regclass AND NOT granted)"
			for there := false; !there; {
				if err := watch.QueryRow(ctx, waiting).Scan(&there); err != nil {
					t.Fatal(err)
				}
			}
			if name == "import" {
				path = filepath.Join(t.TempDir(), "app.db")
			}
			if err := run(s, plan, path); err == nil || !strings.Contains(err.Error(), "another session locks the table, or waits to") {
				t.Errorf("error: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
