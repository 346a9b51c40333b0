package follow

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// What PostgreSQL cannot say of a table's changes is refused before anything is made,
// with what to do about it.
func TestBeginUnfit(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE fine (id int PRIMARY KEY, v text); CREATE TABLE bare (v text); CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
		CREATE UNLOGGED TABLE fast (id int PRIMARY KEY); CREATE TABLE late (id int PRIMARY KEY DEFERRABLE); CREATE TABLE _flysql_follow (id int PRIMARY KEY);
		CREATE TABLE made (id int PRIMARY KEY, v text, u text GENERATED ALWAYS AS (overlay(v placing 'x' from 1)) STORED);
		CREATE TABLE parts (at int, v text) PARTITION BY LIST (at); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
		CREATE TABLE keyed (id int PRIMARY KEY, a int NOT NULL UNIQUE); ALTER TABLE keyed REPLICA IDENTITY USING INDEX keyed_a_key;`)
	ctx, o := context.Background(), move.Options{Tables: map[string]move.TableOptions{"public.parts": {Where: "at > 0"}, "public.keyed": {Columns: map[string]move.ColumnOptions{"a": {Skip: true}}}}}
	source := sourceOf(t, db, o)
	var unfit *UnfitError
	if _, err := Begin(ctx, source, Options{}); !errors.As(err, &unfit) {
		t.Fatal(err)
	}
	want := []string{"ALTER TABLE public.bare REPLICA IDENTITY FULL", "ALTER TABLE public.nothing REPLICA IDENTITY FULL", "public.fast is UNLOGGED", "ALTER TABLE public.late REPLICA IDENTITY FULL",
		"called _flysql_follow", "public.made.u is a generated column", "ALTER TABLE public.parts_1 REPLICA IDENTITY FULL", "public.parts: a condition", "public.keyed.a tells the rows"}
	for _, w := range want {
		if !strings.Contains(strings.Join(unfit.Reasons, "\n"), w) {
			t.Errorf("lacks %q", w)
		}
	}
	if len(unfit.Reasons) != len(want) {
		t.Errorf("%d reasons, want %d:\n%s", len(unfit.Reasons), len(want), strings.Join(unfit.Reasons, "\n"))
	}
	if _, err := Begin(ctx, source, Options{Mode: Triggers}); !errors.As(err, &unfit) || len(unfit.Reasons) != 2 {
		t.Errorf("by triggers: %v", err)
	}
	made(t, db, source)
}

// made wants nothing of flysql's in PostgreSQL, and no file.
func made(t testing.TB, db *testkit.PostgresDB, source Source) {
	t.Helper()
	found, err := Find(context.Background(), db.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Database == db.Name {
			t.Errorf("left: %s", f)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(source.Path)); err != nil || len(entries) > 0 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

// Conditions on rows are PostgreSQL's to keep, as rows come and go by them.
func TestWhere(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS i")
	source := sourceOf(t, db, move.Options{Tables: map[string]move.TableOptions{"public.t": {Where: "n > 5"}}})
	var unfit *UnfitError
	if _, err := Begin(context.Background(), source, Options{}); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "the condition on public.t reads n, which is not in its key: ALTER TABLE public.t REPLICA IDENTITY FULL") {
		t.Fatal(err)
	}
	made(t, db, source)
	db.Exec("UPDATE t SET n = n; DELETE FROM t WHERE id = 10; ALTER TABLE t REPLICA IDENTITY FULL") // the app is not in the way
	begun(t, source, Options{})
	db.Exec("UPDATE t SET n = 0 WHERE id = 9; UPDATE t SET n = 7 WHERE id < 3; DELETE FROM t WHERE id = 8; DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (11, 6), (12, 5); UPDATE t SET n = 8 WHERE id = 7")
	if err := drain(t, source); err != nil {
		t.Fatal(err)
	}
	verified(t, source)
	if got := query(t, source.Path, "SELECT group_concat(id || ':' || n, ' ' ORDER BY id) FROM t"); got != "1:7 2:7 6:6 7:8 11:6\n" {
		t.Error(got)
	}
}

// stops wants an error of a drain, and the position where it was.
func stops(t testing.TB, source Source, want error, words string) {
	t.Helper()
	before, err := Load(context.Background(), source.Path)
	if err != nil {
		t.Fatal(err)
	}
	err = drain(t, source)
	if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want %q", err, words)
	}
	if after, err := Load(context.Background(), source.Path); err != nil || after.Position != before.Position {
		t.Errorf("the position went from %s to %s, %v", before.Position, after.Position, err)
	}
}

// What the file cannot have stops it, before.
func TestStops(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			for name, c := range map[string]struct {
				script, words string
				want          error
			}{
				"value":           {"UPDATE t SET x = 'NaN' WHERE id = 2", "public.t: row 2, column x: ", nil},
				"column added":    {"ALTER TABLE t ADD c int; INSERT INTO t VALUES (3, 1, 1)", "public.t has a new column, c", ErrChanged},
				"column dropped":  {"ALTER TABLE t DROP v; INSERT INTO t VALUES (3)", "public.t has no column v any more", ErrChanged},
				"column renamed":  {"ALTER TABLE t RENAME v TO w", "public.t has no column v any more; public.t has a new column, w", ErrChanged},
				"type":            {"ALTER TABLE t ALTER v TYPE bigint", "public.t.v was integer and is bigint", ErrChanged},
				"table dropped":   {"DROP TABLE t", "public.t is gone", ErrChanged},
				"table made anew": {"DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v int, x numeric)", "public.t is another table", ErrChanged},
				"partition":       {"DROP TABLE p_1", "public.p_1 is no partition of public.p any more", ErrChanged},
				"absent":          {"DELETE FROM t WHERE id = 1", "public.t: row 1: it is not in the file", nil},
			} {
				if mode == Triggers && !slices.Contains([]string{"value", "column added", "table dropped", "absent"}, name) {
					continue // what is looked at is the same
				}
				t.Run(name, func(t *testing.T) {
					db := testkit.Postgres(t)
					db.Exec(`CREATE TABLE t (id int PRIMARY KEY, v int, x numeric); INSERT INTO t VALUES (1, 1), (2, 2);
						CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2)`)
					source := sourceOf(t, db, move.Options{})
					begun(t, source, Options{Mode: mode})
					if name == "absent" {
						write(t, source.Path, "DELETE FROM t WHERE id = 1")
					}
					db.Exec(c.script)
					stops(t, source, c.want, c.words)
				})
			}
		})
	}
}

// A Begin that is killed at any step is begun again, and what it has left is said.
func TestBeginKilled(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			for _, at := range []string{"published", "slot", "index", "rename", "copied"} {
				if at == "slot" && mode == Triggers {
					continue
				}
				db := testkit.Postgres(t)
				db.Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
				source := sourceOf(t, db, move.Options{})
				killed(t, job{URL: db.URL, Path: source.Path, Mode: mode, Do: "begin", KillAt: at})
				db.Exec("INSERT INTO t VALUES (2)")
				_, err := Load(context.Background(), source.Path)
				if whole := err == nil; whole != (at == "copied") {
					t.Errorf("killed at %s: the file: %v", at, err)
				}
				if err != nil {
					said := ""
					o := Options{Mode: mode, Warn: func(s string) { said += s }}
					begun(t, source, o)
					if said == "" && !(at == "published" && mode == Logical) { // a publication costs nothing
						t.Errorf("killed at %s: nothing is said", at)
					}
				}
				db.Exec("DELETE FROM t WHERE id = 1")
				if err := drain(t, source); err != nil {
					t.Fatalf("killed at %s: %v", at, err)
				}
				verified(t, source)
				if _, err := Cutover(context.Background(), source, quick); err != nil {
					t.Fatalf("killed at %s: %v", at, err)
				}
				nothingLeft(t, db, source)
			}
		})
	}
}

// Two that begin the same do not remove each other's.
func TestBeginTwice(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
			source := sourceOf(t, db, move.Options{})
			var second error
			begun(t, source, Options{Mode: mode, at: func(step string) {
				if step == "copied" {
					_, second = Begin(context.Background(), source, Options{Mode: mode, Transfer: transfer.Options{Replace: true}})
				}
			}})
			if !errors.Is(second, ErrBusy) {
				t.Errorf("the second: %v, want ErrBusy", second)
			}
			db.Exec("INSERT INTO t VALUES (2)")
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
		})
	}
}

// What leads from the file to now may be gone: that is said, and nothing is guessed.
func TestLost(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec("CREATE TABLE t (id int PRIMARY KEY)")
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			old, err := os.ReadFile(source.Path)
			if err != nil {
				t.Fatal(err)
			}
			db.Exec("INSERT INTO t VALUES (1)")
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			copied := source
			copied.Path = filepath.Join(t.TempDir(), "app.db")
			if err := os.WriteFile(copied.Path, old, 0o600); err != nil {
				t.Fatal(err)
			}
			stops(t, copied, ErrLost, "it is an older copy of the file")
			if _, err := Begin(context.Background(), copied, Options{Mode: mode}); err == nil {
				t.Error("begun over a file that is there")
			}
			other := testkit.OwnPostgres(t)
			other.Exec("CREATE TABLE t (id int PRIMARY KEY)")
			elsewhere := source
			elsewhere.URL = other.URL
			if err := drain(t, elsewhere); err == nil {
				t.Error("another server is followed")
			}
			state, err := Load(context.Background(), source.Path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := remove(context.Background(), db.Conn(), state.Name); err != nil {
				t.Fatal(err)
			}
			stops(t, source, ErrLost, "is not there")
		})
	}
}

// WAL that PostgreSQL has thrown away is said to be lost.
func TestLostWAL(t *testing.T) {
	t.Parallel()
	db := testkit.OwnPostgres(t, "max_slot_wal_keep_size=1MB", "min_wal_size=32MB", "max_wal_size=32MB")
	db.Exec("CREATE TABLE t (id int PRIMARY KEY, v text)")
	source := sourceOf(t, db, move.Options{})
	if _, err := Begin(context.Background(), source, Options{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		db.Exec("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) AS i; DELETE FROM t; SELECT pg_switch_wal(); CHECKPOINT")
	}
	err := drain(t, source)
	if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "max_slot_wal_keep_size = 1MB") {
		t.Error(err)
	}
	found, err := Find(context.Background(), db.Conn())
	if err != nil || len(found) != 1 || !found[0].Lost || !strings.Contains(found[0].String(), "and is lost: SELECT pg_drop_replication_slot") {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := Abandon(context.Background(), source, ""); err != nil {
		t.Error(err)
	}
}

// Changes by triggers are applied in an order that is right, however transactions
// interleave: numbers are given out before anybody commits.
func TestInterleaved(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'a' FROM generate_series(1, 5) AS i; CREATE TABLE other (id int PRIMARY KEY)")
	source := sourceOf(t, db, move.Options{})
	begun(t, source, Options{Mode: Triggers})
	ctx := context.Background()
	sessions := map[byte]*pgx.Conn{'a': db.Conn(), 'b': db.Conn(), 'c': db.Conn()}
	for _, step := range []string{
		"a BEGIN", "a INSERT INTO other VALUES (1)", // a small number of a transaction
		"c BEGIN", "c INSERT INTO other VALUES (2)", // which holds the horizon back
		"b UPDATE t SET v = 'b' WHERE id = 1", "b DELETE FROM t WHERE id = 2", // a larger one commits first
		"a UPDATE t SET v = v || 'a' WHERE id = 1", "a INSERT INTO t VALUES (2, 'again')",
		"drain",
		"a COMMIT",
		"drain", // of a, while c is open, and after b
		"b UPDATE t SET id = 10 WHERE id = 3",
		"c INSERT INTO t VALUES (3, 'c')", "c UPDATE t SET v = v || 'c' WHERE id = 1",
		"drain",
		"c SAVEPOINT s", "c DELETE FROM t", "c ROLLBACK TO s", "c COMMIT",
		"b SET session_replication_role = replica", "b DELETE FROM t WHERE id = 4",
		"drain",
	} {
		if step == "drain" {
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
			continue
		}
		if _, err := sessions[step[0]].Exec(ctx, step[2:]); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	if got := query(t, source.Path, "SELECT group_concat(id || ':' || v, ' ' ORDER BY id) FROM t"); got != "1:bac 2:again 3:c 5:a 10:a\n" {
		t.Error(got)
	}
}

// Rows of a table without a key are found by an index, which goes with the follow.
func TestWithoutKey(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(`CREATE EXTENSION citext; CREATE TABLE log (line citext, at timestamptz, n int, body bytea); ALTER TABLE log REPLICA IDENTITY FULL;
				INSERT INTO log SELECT 'Line', now() + i * interval '1 s', i % 7, '\x00' FROM generate_series(1, 1000) AS i; CREATE TABLE none (); ALTER TABLE none REPLICA IDENTITY FULL; INSERT INTO none DEFAULT VALUES`)
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			db.Exec("UPDATE log SET line = 'line' WHERE n = 1; DELETE FROM log WHERE n = 2; UPDATE log SET n = NULL, at = NULL WHERE n = 3; UPDATE log SET body = NULL WHERE n IS NULL; INSERT INTO none DEFAULT VALUES; INSERT INTO none DEFAULT VALUES")
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
			if got := query(t, source.Path, "EXPLAIN QUERY PLAN SELECT rowid FROM log WHERE line IS 'x' COLLATE BINARY AND at IS 'y' COLLATE BINARY AND n IS 5 COLLATE BINARY"); !strings.Contains(got, "USING COVERING INDEX _flysql_follow log") && !strings.Contains(got, "USING INDEX _flysql_follow log") {
				t.Error(got)
			}
			if _, err := Cutover(context.Background(), source, quick); err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, db, source)
		})
	}
}

// A slot that is not flysql's is never touched.
func TestNames(t *testing.T) {
	t.Parallel()
	source := Source{URL: "postgres://nobody@127.0.0.1:1/none", Path: filepath.Join(t.TempDir(), "app.db")}
	for _, name := range []string{"others", "flysql_A", "flysql_a'b", "flysql_" + strings.Repeat("x", 50)} {
		if _, err := Begin(context.Background(), source, Options{Name: name}); err == nil || !strings.Contains(err.Error(), "begins with flysql_") {
			t.Errorf("begin %q: %v", name, err)
		}
	}
	db := testkit.Postgres(t)
	source.URL = db.URL
	if _, err := Abandon(context.Background(), source, "others"); err == nil || !strings.Contains(err.Error(), "no name that flysql gives") {
		t.Error(err)
	}
}

// Many rows of a deferrable key change places in one transaction.
func TestPlacesSwapped(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(`CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, v bytea); INSERT INTO t SELECT i, i, '' FROM generate_series(1, 30000) AS i;
				CREATE TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text); ALTER TABLE late REPLICA IDENTITY FULL; INSERT INTO late SELECT i, 'v' || i FROM generate_series(1, 500) AS i`)
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			db.Exec(`BEGIN; UPDATE t SET place = place % 30000 + 1; UPDATE t SET v = 'x' WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0; UPDATE t SET place = -place WHERE id % 11 = 0; COMMIT;
				BEGIN; UPDATE late SET id = id + 1; UPDATE late SET v = v || 'w' WHERE id % 2 = 0; DELETE FROM late WHERE id = 100; INSERT INTO late VALUES (100, 'new'); COMMIT`)
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
		})
	}
}
