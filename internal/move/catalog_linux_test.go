package move_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { testkit.PostgresMain(m) }

// golden compares text with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// readSchema reads a database's catalog.
func readSchema(t *testing.T, db *testkit.PostgresDB) *move.Schema {
	t.Helper()
	s, err := move.ReadSchema(context.Background(), db.Conn())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// everything is the database with one of everything in it.
func everything(t *testing.T) *testkit.PostgresDB {
	t.Helper()
	db := testkit.Postgres(t)
	data, err := os.ReadFile("testdata/everything.sql")
	if err != nil {
		t.Fatal(err)
	}
	script := string(data)
	var version int
	if err := db.Conn().QueryRow(context.Background(), "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version < 150000 {
		script = strings.ReplaceAll(script, "NULLS NOT DISTINCT ", "")
	}
	db.Exec(script)
	return db
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is read of one of everything, field by field.
func TestReadSchema(t *testing.T) {
	t.Parallel()
	s := readSchema(t, everything(t))
	if major := s.Server.Version / 10000; major != 15 {
		testkit.NotRun(t, "postgresql 15", "the golden file is what 15 prints")
	}
	s.Server.Version, s.Server.Database = 150000, "test"
	for _, table := range s.Tables {
		table.Bytes = 0
	}
	got := asJSON(t, s)
	if strings.Contains(got, "hidden-in") {
		t.Error("a password of a foreign server is in the schema")
	}
	golden(t, "testdata/everything.json", got)
}

// pg_dump looks for itself what there is: all that it lists must be in the schema.
func TestReadSchemaSeesAllThatPgDumpSees(t *testing.T) {
	t.Parallel()
	db := everything(t)
	text := asJSON(t, readSchema(t, db))
	archive := t.TempDir() + "/dump"
	if out, err := db.Program("pg_dump", "-Fc", "-f", archive, "-d", db.URL).CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	out, err := db.Program("pg_restore", "-l", archive).Output()
	if err != nil {
		t.Fatal(err)
	}
	entry := regexp.MustCompile(`(?m)^\d+; \d+ \d+ ([A-Z ]+?) (-|\S+) (.*) \S*$`)
	seen := 0
	for _, m := range entry.FindAllStringSubmatch(string(out), -1) {
		kind, tag := m[1], m[3]
		if slices.Contains([]string{"COMMENT", "ACL", "DEFAULT ACL", "TABLE DATA", "BLOB", "BLOBS", "SEQUENCE SET", "MATERIALIZED VIEW DATA", "TABLE ATTACH", "INDEX ATTACH", "ROW SECURITY"}, kind) {
			continue
		}
		seen++
		words := strings.FieldsFunc(tag, func(r rune) bool { return strings.ContainsRune(` (),"`, r) })
		if last := words[len(words)-1]; !strings.Contains(text, last) && !strings.Contains(text, words[0]) {
			t.Errorf("pg_dump has %s %q, and the schema has nothing of it", kind, tag)
		}
	}
	if seen < 40 {
		t.Errorf("pg_restore listed %d objects:\n%s", seen, out)
	}
}

// An object that no list has is named.
func TestReadSchemaNamesTheRest(t *testing.T) {
	t.Parallel()
	s := readSchema(t, everything(t))
	var kinds []string
	for _, o := range s.Others {
		kinds = append(kinds, o.Kind)
	}
	for _, want := range []string{"access method", "cast", "collation", "conversion", "default acl", "event trigger", "foreign-data wrapper", "large objects", "operator",
		"operator family", "privileges", "publication", "publication relation", "server", "statistics object", "text search configuration", "text search dictionary", "user mapping"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no %s in %q", want, slices.Compact(kinds))
		}
	}
}

// The search_path and the formats of a session change nothing in what is read.
func TestReadSchemaWhateverTheSession(t *testing.T) {
	t.Parallel()
	db := everything(t)
	want := readSchema(t, db)
	conn := db.Conn()
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "SET search_path = audit, public; SET datestyle = 'German'; SET timezone = 'Asia/Kolkata'; SET quote_all_identifiers = on"); err != nil {
		t.Fatal(err)
	}
	got, err := move.ReadSchema(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-plain +set:\n%s", d)
	}
	var path string
	if err := conn.QueryRow(ctx, "SHOW search_path").Scan(&path); err != nil || path != "audit, public" {
		t.Errorf("the session's search_path is %q afterwards, %v", path, err)
	}
}

// Whoever may read nothing sees the schema all the same, and is told which sequence's
// state is not known.
func TestReadSchemaWithoutRights(t *testing.T) {
	t.Parallel()
	db := everything(t)
	want := readSchema(t, db)
	db.Exec("CREATE ROLE nobody_" + db.Name)
	t.Cleanup(func() { db.Exec("DROP OWNED BY nobody_" + db.Name + "; DROP ROLE nobody_" + db.Name) })
	conn := db.Conn()
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "SET ROLE nobody_"+db.Name); err != nil {
		t.Fatal(err)
	}
	got, err := move.ReadSchema(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tables) != len(want.Tables) || len(got.Sequences) != len(want.Sequences) {
		t.Errorf("%d tables and %d sequences, want %d and %d", len(got.Tables), len(got.Sequences), len(want.Tables), len(want.Sequences))
	}
	for _, s := range got.Sequences {
		if s.Known {
			t.Errorf("the state of %s is known", s.Name)
		}
	}
}

// A transaction's own snapshot is what is read.
func TestReadSchemaTx(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	conn, ctx := db.Conn(), context.Background()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "CREATE TABLE only_here (a int)"); err != nil {
		t.Fatal(err)
	}
	s, err := move.ReadSchemaTx(ctx, tx)
	if err != nil || len(s.Tables) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
