package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

const compared = `
CREATE TABLE keyed (id text PRIMARY KEY, n int, v text, f float8);
INSERT INTO keyed SELECT 'k' || i, i, 'v' || i, i / 10.0 FROM generate_series(1, 20000) AS i;
CREATE TABLE keyless (v text, n int);
INSERT INTO keyless VALUES ('a', 1), ('a', 1), ('b', NULL), (NULL, 2);
CREATE TABLE pairs (a int, b text, v text, PRIMARY KEY (b, a));
INSERT INTO pairs VALUES (1, 'x', 'one'), (2, 'x', 'two');`

// Whatever is changed in the file is found, and named.
func TestVerifyDifferences(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(compared)
	s, plan, path, _ := imported(t, db.URL, move.Options{})
	lite := sqlite(t, path)
	for name, c := range map[string]struct{ change, undo, want string }{
		"nothing": {"SELECT 1", "SELECT 1", ""},
		"value": {"UPDATE keyed SET v = 'V7' WHERE id = 'k7'", "UPDATE keyed SET v = 'v7' WHERE id = 'k7'",
			"public.keyed: 20000 rows in PostgreSQL, 20000 in SQLite, row k7 has changed in v"},
		"swapped": {"UPDATE keyed SET v = CASE id WHEN 'k1' THEN 'v2' ELSE 'v1' END WHERE id IN ('k1', 'k2')", "UPDATE keyed SET v = replace(id, 'k', 'v') WHERE id IN ('k1', 'k2')",
			"public.keyed: 20000 rows in PostgreSQL, 20000 in SQLite, row k1 has changed in v, row k2 has changed in v"},
		"missing": {"DELETE FROM keyed WHERE id = 'k19999'", "INSERT INTO keyed VALUES ('k19999', 19999, 'v19999', 1999.9)",
			"public.keyed: 20000 rows in PostgreSQL, 19999 in SQLite, row k19999 is missing"},
		"extra": {"INSERT INTO keyed VALUES ('a key of more than twenty characters', 1, 'x', 0)", "DELETE FROM keyed WHERE id LIKE 'a key%'",
			"public.keyed: 20000 rows in PostgreSQL, 20001 in SQLite, row a key of more than t... is only in SQLite"},
		"null":   {"UPDATE keyed SET n = NULL WHERE id = 'k3'", "UPDATE keyed SET n = 3 WHERE id = 'k3'", "public.keyed: 20000 rows in PostgreSQL, 20000 in SQLite, row k3 has changed in n"},
		"double": {"UPDATE keyed SET f = f + 1e-12 WHERE id = 'k3'", "UPDATE keyed SET f = 0.3 WHERE id = 'k3'", "public.keyed: 20000 rows in PostgreSQL, 20000 in SQLite, row k3 has changed in f"},
		"twin":   {"INSERT INTO keyless VALUES ('a', 1)", "DELETE FROM keyless WHERE rowid = (SELECT max(rowid) FROM keyless)", "public.keyless: 4 rows in PostgreSQL, 5 in SQLite, a row is only in SQLite"},
		"empty":  {"UPDATE keyless SET v = '' WHERE v IS NULL", "UPDATE keyless SET v = NULL WHERE v = ''", "public.keyless: 4 rows in PostgreSQL, 4 in SQLite"},
		"pairs":  {"UPDATE pairs SET v = 'TWO' WHERE a = 2", "UPDATE pairs SET v = 'two' WHERE a = 2", "public.pairs: 2 rows in PostgreSQL, 2 in SQLite, row x, 2 has changed in v"},
		"class": {"PRAGMA ignore_check_constraints = on; UPDATE keyed SET n = 'five' WHERE id = 'k5'; PRAGMA ignore_check_constraints = off", "UPDATE keyed SET n = 5 WHERE id = 'k5'",
			"public.keyed: 20000 rows in PostgreSQL, 20000 in SQLite, row k5 has changed in n"},
		"many": {"UPDATE keyed SET n = n + 1", "UPDATE keyed SET n = n - 1", "and others"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := lite.Exec(c.change); err != nil {
				t.Fatal(err)
			}
			v, err := transfer.Verify(context.Background(), s, plan, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, table := range v.Tables {
				if !table.Equal() {
					got = append(got, table.String())
				}
			}
			if text := strings.Join(got, "; "); !strings.Contains(text, c.want) || c.want == "" && text != "" || len(got) > 1 || v.Equal() != (c.want == "") {
				t.Errorf("%q, want %q", text, c.want)
			}
			if _, err := lite.Exec(c.undo); err != nil {
				t.Fatal(err)
			}
		})
	}
	if v, err := transfer.Verify(context.Background(), s, plan, path, nil); err != nil || !v.Equal() {
		t.Errorf("in the end: %+v, %v", v, err)
	}
}

// No text is NULL's, though rows exchange it: that leaves each column's values the same,
// and the number of its NULLs.
func TestVerifyNullText(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	columns := ""
	for i := range 130 {
		columns += fmt.Sprintf(", c%d text", i)
	}
	db.Exec("CREATE TABLE t (id int" + columns + `)`)
	conn := db.Conn()
	for _, column := range []int{0, 58, 59, 129} { // with id, 60 to a seed
		for _, text := range []string{"", "\x01NULL\x02"} {
			if _, err := conn.Exec(context.Background(), fmt.Sprintf("TRUNCATE t; INSERT INTO t (id, c%d) VALUES (1, NULL), (2, '%s')", column, text)); err != nil {
				t.Fatal(err)
			}
			s, plan, path, _ := imported(t, db.URL, move.Options{})
			if _, err := sqlite(t, path).Exec("UPDATE t SET id = 3 - id"); err != nil {
				t.Fatal(err)
			}
			v, err := transfer.Verify(context.Background(), s, plan, path, nil)
			if err != nil || v.Equal() {
				t.Errorf("c%d: NULL and %q are the same: %v", column, text, err)
			}
			s.Close() // its lock, which TRUNCATE waits for
		}
	}
}

// A conversion that loses without saying so is found by the comparison that an import
// ends with, and the file is not put in its place.
func TestImportFindsLoss(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(compared)
	s, plan := open(t, db.URL, move.Options{})
	column := plan.Tables[slices.IndexFunc(plan.Tables, func(t *move.TablePlan) bool { return t.Name == "keyed" })].Columns[2]
	honest := column.Form.Conversion
	column.Form.Conversion = &convert.Conversion{Name: "bad", Kind: convert.Text, Back: honest.Back, To: func(src, buf []byte) (convert.Value, error) {
		if string(src) == "v12345" {
			src = []byte("v54321")
		}
		return honest.To(src, buf)
	}}
	dir := t.TempDir()
	_, err := transfer.Import(context.Background(), s, plan, dir+"/app.db", transfer.Options{})
	var different *transfer.DifferenceError
	if !errors.As(err, &different) || !strings.HasSuffix(err.Error(), "row k12345 has changed in v") {
		t.Errorf("error %v", err)
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("files: %q", got)
	}
}

// What breaks a check that the copy did not look at is found at the end, as are keys that
// are the same in SQLite only.
func TestImportUnsound(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE t (id uuid PRIMARY KEY); INSERT INTO t SELECT gen_random_uuid() FROM generate_series(1, 100)")
	for value, want := range map[string]string{"no uuid": "public.t: its primary key: UNIQUE constraint failed: t.id", "": "quick_check: CHECK constraint failed in t", "full": "integrity_check: CHECK constraint failed in t"} {
		s, plan := open(t, db.URL, move.Options{})
		column := plan.Tables[0].Columns[0]
		honest, n := column.Form.Conversion, 0
		column.Form.Conversion = &convert.Conversion{Name: "bad", Kind: convert.Text, Back: honest.Back, To: func([]byte, []byte) (convert.Value, error) {
			n++
			out := []byte(value)
			if value != "no uuid" {
				out = fmt.Appendf(nil, "none %d", n)
			}
			return convert.Value{Kind: convert.Text, Bytes: out}, nil
		}}
		dir := t.TempDir()
		if _, err := transfer.Import(context.Background(), s, plan, dir+"/app.db", transfer.Options{FullCheck: value == "full"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if got := files(t, dir); len(got) > 0 {
			t.Errorf("files: %q", got)
		}
	}
}

// Verify works against a database that goes on, with a snapshot of its own.
func TestVerifyLater(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(compared)
	_, _, path, _ := imported(t, db.URL, move.Options{})
	conn := db.Conn()
	if _, err := conn.Exec(context.Background(), "UPDATE pairs SET v = 'later' WHERE a = 1"); err != nil {
		t.Fatal(err)
	}
	s, plan := open(t, db.URL, move.Options{})
	v, err := transfer.Verify(context.Background(), s, plan, path, nil)
	if err != nil || v.Equal() || v.Tables[len(v.Tables)-1].String() != "public.pairs: 2 rows in PostgreSQL, 2 in SQLite, row x, 1 has changed in v" {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := transfer.Verify(context.Background(), s, plan, path+"x", nil); err == nil {
		t.Error("a file that is not there is the same")
	}
}

// A database in another encoding is compared, too; so is a table of many columns.
func TestVerifyOdd(t *testing.T) {
	t.Parallel()
	t.Run("latin1", func(t *testing.T) {
		db := testkit.Postgres(t, "ENCODING 'LATIN1' LOCALE 'C'")
		db.Exec(`SET client_encoding = 'UTF8'; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'É'), (2, 'ß'), (3, NULL)`)
		_, _, path, _ := imported(t, db.URL, move.Options{})
		if got := text(t, sqlite(t, path), "SELECT group_concat(v, '') FROM t"); got != "Éß" {
			t.Errorf("%q", got)
		}
	})
	t.Run("wide", func(t *testing.T) {
		db := testkit.Postgres(t)
		var columns []string
		for i := range 1600 { // PostgreSQL has no more
			columns = append(columns, fmt.Sprintf("c%d int DEFAULT %d", i, i))
		}
		db.Exec("CREATE TABLE t (" + strings.Join(columns, ", ") + "); INSERT INTO t (c0) SELECT generate_series(1, 24); INSERT INTO t (c1) VALUES (NULL); CREATE TABLE none (); INSERT INTO none DEFAULT VALUES")
		_, _, path, r := imported(t, db.URL, move.Options{})
		if got := text(t, sqlite(t, path), "SELECT count(*) || ' ' || sum(c1599) || ' ' || sum(c0) FROM t"); got != "25 39975 300" || r.Rows != 26 {
			t.Errorf("%s, %d rows", got, r.Rows)
		}
	})
}
