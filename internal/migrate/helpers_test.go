package migrate

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"modernc.org/sqlite"
)

// Environment of the child that TestMain becomes: Up with the directory and the database given.
const (
	childDir = "MIGRATE_TEST_DIR"
	childDB  = "MIGRATE_TEST_DB"

	childWrite = "MIGRATE_TEST_WRITE" // write to this database instead
)

// calls are what test_call('name') does in a migration, by name.
var calls sync.Map // string -> func()

func TestMain(m *testing.M) {
	sqlite.MustRegisterScalarFunction("test_call", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if f, ok := calls.Load(args[0].(string)); ok {
			f.(func())()
		}
		return int64(1), nil
	})
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childDB)))
	}
	if db := os.Getenv(childWrite); db != "" {
		os.Exit(write(db))
	}
	os.Exit(m.Run())
}

// child migrates, and stops for good where a migration calls test_call('stop').
func child(dir, db string) int {
	calls.Store("stop", func() {
		fmt.Println("stopped")
		select {}
	})
	set, err := Open(os.DirFS(dir), Options{})
	if err == nil {
		_, err = set.Up(context.Background(), db)
	}
	fmt.Println("ended:", err)
	return 1
}

// killInMigration runs Up in another process and kills it where a migration calls test_call('stop').
func killInMigration(t *testing.T, files fstest.MapFS, db string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childDB+"="+db)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "stopped\n" {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("child said %q, %v; want it to stop in the migration", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}

var tools = []Tool{Goose, GolangMigrate, Dbmate}

// script is one migration in no tool's form.
type script struct {
	sql  string
	noTx bool
}

// filesFor writes migrations numbered from 1 in tool's form, in the directory "migrations".
func filesFor(tool Tool, scripts ...script) fstest.MapFS {
	out := fstest.MapFS{}
	for i, s := range scripts {
		name := fmt.Sprintf("migrations/%04d_step", i+1)
		switch tool {
		case Goose:
			text := "-- +goose Up\n" + s.sql + "\n\n-- +goose Down\nSELECT 1;\n"
			if s.noTx {
				text = "-- +goose NO TRANSACTION\n" + text
			}
			out[name+".sql"] = file(text)
		case Dbmate:
			text := "-- migrate:up"
			if s.noTx {
				text += " transaction:false"
			}
			out[name+".sql"] = file(text + "\n" + s.sql + "\n\n-- migrate:down\nSELECT 1;\n")
		case GolangMigrate:
			out[name+".up.sql"] = file(s.sql + "\n")
			out[name+".down.sql"] = file("SELECT 1;\n")
		}
	}
	return out
}

// simple is filesFor without options.
func simple(tool Tool, statements ...string) fstest.MapFS {
	scripts := make([]script, len(statements))
	for i, s := range statements {
		scripts[i].sql = s
	}
	return filesFor(tool, scripts...)
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }

func open(t testing.TB, fsys fs.FS) *Set {
	t.Helper()
	s, err := Open(fsys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func up(t testing.TB, fsys fs.FS, db string) []Migration {
	t.Helper()
	m, err := open(t, fsys).Up(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func status(t testing.TB, fsys fs.FS, db string) Status {
	t.Helper()
	st, err := open(t, fsys).Status(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func newDB(t testing.TB) string { return filepath.Join(t.TempDir(), "app.db") }

// sqlDB opens the file as another program would.
func sqlDB(t testing.TB, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func execSQL(t testing.TB, name string, statements ...string) {
	t.Helper()
	db := sqlDB(t, name)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// query returns the rows of a query of one column, joined with commas.
func query(t testing.TB, name, q string) string {
	t.Helper()
	db := sqlDB(t, name)
	defer db.Close()
	out, err := texts(t.Context(), db, q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return strings.Join(out, ",")
}

func versions(m []Migration) string {
	out := make([]string, len(m))
	for i := range m {
		out[i] = m[i].Version
	}
	return strings.Join(out, ",")
}

// snapshot returns the names and contents of all that lies in dir.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func names(m map[string]string) string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// lockedElsewhere tries to write to the database from another process, without waiting.
func lockedElsewhere(t *testing.T, db string) error {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childWrite+"="+db)
	if out, err := cmd.Output(); err != nil {
		return fmt.Errorf("%s", out)
	}
	return nil
}

// write is the child of lockedElsewhere.
func write(name string) int {
	db, err := sql.Open("sqlite", name)
	if err == nil {
		_, err = db.Exec("BEGIN IMMEDIATE")
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
