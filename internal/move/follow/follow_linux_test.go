package follow

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		child(job)
		return
	}
	testkit.PostgresMain(m)
}

// planWith plans with the same options always.
func planWith(o move.Options) Planner {
	return func(_ context.Context, s *move.Schema) (*move.Plan, error) { return move.NewPlan(s, o) }
}

// sourceOf is a database and a file of a test's.
func sourceOf(t testing.TB, db *testkit.PostgresDB, o move.Options) Source {
	return Source{URL: db.URL, Path: filepath.Join(t.TempDir(), "app.db"), Plan: planWith(o)}
}

// begun begins, or ends the test.
func begun(t testing.TB, source Source, o Options) {
	t.Helper()
	if _, err := Begin(context.Background(), source, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := Abandon(context.Background(), source, ""); err != nil && !errors.Is(err, ErrNotFollowing) {
			t.Error(err)
		}
	})
}

// drain applies what is committed by now.
func drain(t testing.TB, source Source) error {
	t.Helper()
	ctx := context.Background()
	f, err := open(ctx, source, Options{Batch: 10 * time.Millisecond})
	if err != nil {
		return err
	}
	return errors.Join(f.run(ctx, f.here()), f.close())
}

// verified compares the file with PostgreSQL as it is, independently of what has followed.
func verified(t testing.TB, source Source) {
	t.Helper()
	ctx := context.Background()
	live, err := transfer.Open(ctx, source.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	plan, err := source.Plan(ctx, live.Schema())
	if err != nil {
		t.Fatal(err)
	}
	v, err := transfer.Verify(ctx, live, plan, source.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Equal() {
		t.Fatal(&transfer.DifferenceError{Verification: v})
	}
}

// query returns what a query of the file gives, fields and rows with | and newlines between.
func query(t testing.TB, path, sql string) (out string) {
	t.Helper()
	db, err := lite.Open(context.Background(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Exec("PRAGMA busy_timeout=10000"); err != nil { // a follower changes the file's journal mode as it begins
		t.Fatal(err)
	}
	err = db.Rows(sql, func(s *lite.Stmt) error {
		for i := range s.Columns() {
			if i > 0 {
				out += "|"
			}
			out += s.Text(i)
		}
		out += "\n"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// changes is a script for every kind of change, and what they are of.
const (
	things = `CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10,2), at timestamptz DEFAULT now(), twice int GENERATED ALWAYS AS (id * 2) STORED);
		INSERT INTO t (id, v, n) SELECT i, 'row ' || i, i / 3.0 FROM generate_series(1, 100) AS i;
		CREATE TABLE two (a text, b uuid, x bool, data jsonb, bytes bytea, PRIMARY KEY (a, b));
		INSERT INTO two SELECT 'a' || i, md5(i::text)::uuid, i % 2 = 0, '{"b": 1, "a": [1, 2]}', '\xdeadbeef' FROM generate_series(1, 20) AS i;
		CREATE TABLE log (v text, n int); ALTER TABLE log REPLICA IDENTITY FULL;
		INSERT INTO log VALUES ('same', 1), ('same', 1), ('same', 1), ('other', NULL), (NULL, NULL), (NULL, NULL);
		CREATE TABLE parent (id serial PRIMARY KEY, name text); CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
		INSERT INTO parent (name) VALUES ('p1'), ('p2'), ('p3'); INSERT INTO child (parent_id) VALUES (1), (1), (2), (3);
		CREATE TABLE swap (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, v text); INSERT INTO swap VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three');
		CREATE TABLE events (at date NOT NULL, id int, v text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
		CREATE TABLE events_24 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
		CREATE TABLE events_25 (v text, gone int, id int NOT NULL, at date NOT NULL); ALTER TABLE events_25 DROP gone;
		ALTER TABLE events ATTACH PARTITION events_25 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
		INSERT INTO events VALUES ('2024-05-05', 1, 'a'), ('2025-05-05', 2, 'b');
		CREATE TABLE emptied (id int PRIMARY KEY); INSERT INTO emptied VALUES (1), (2);
		CREATE TABLE big (id int PRIMARY KEY, small int, body text, other text);
		ALTER TABLE big ALTER body SET STORAGE EXTERNAL; ALTER TABLE big ALTER other SET STORAGE EXTERNAL;
		INSERT INTO big VALUES (1, 1, repeat('x', 10000), repeat('y', 9000)), (2, 2, repeat('z', 10000), NULL);
		`
	changes = `INSERT INTO t (id, v, n) SELECT i, E'new\t\\' || i, -i FROM generate_series(101, 200) AS i;
		UPDATE t SET v = NULL, n = n + 1 WHERE id % 7 = 0; DELETE FROM t WHERE id % 5 = 0; UPDATE t SET id = id + 1000 WHERE id < 10;
		UPDATE two SET x = NOT x, bytes = NULL WHERE a < 'a2'; UPDATE two SET a = 'moved ' || a WHERE a > 'a3'; DELETE FROM two WHERE a = 'a2';
		DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log WHERE v = 'same'); UPDATE log SET n = 5 WHERE ctid = (SELECT min(ctid) FROM log WHERE v = 'same');
		UPDATE log SET v = 'was null' WHERE ctid = (SELECT min(ctid) FROM log WHERE v IS NULL); INSERT INTO log VALUES ('same', 1);
		DELETE FROM parent WHERE id = 1; UPDATE parent SET id = 20 WHERE id = 2;
		BEGIN; UPDATE swap SET place = place % 3 + 1; UPDATE swap SET v = v || '!' WHERE id = 2; DELETE FROM swap WHERE id = 3; COMMIT;
		UPDATE events SET at = '2025-06-06' WHERE id = 1; UPDATE events SET v = 'bb' WHERE id = 2; CREATE TABLE events_26 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
		INSERT INTO events VALUES ('2026-01-01', 3, 'c'), ('2024-01-01', 4, 'd');
		BEGIN; INSERT INTO emptied VALUES (3); TRUNCATE emptied, child CASCADE; INSERT INTO emptied VALUES (4); COMMIT;
		UPDATE big SET small = small + 1; UPDATE big SET body = 'short' WHERE id = 2; UPDATE big SET id = 3 WHERE id = 1;
		BEGIN; INSERT INTO t (id) VALUES (5000); SAVEPOINT s; INSERT INTO t (id) VALUES (5001); UPDATE t SET v = 'no' WHERE id = 5000; ROLLBACK TO s; INSERT INTO t (id) VALUES (5002); COMMIT;
		BEGIN; DELETE FROM t; ROLLBACK; BEGIN; INSERT INTO t (id) VALUES (6000); PREPARE TRANSACTION 'p1'; COMMIT PREPARED 'p1';
		`
)

// Every kind of change arrives, once, in either mode.
func TestChanges(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(things)
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			verified(t, source)
			db.Exec(changes)
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
			state, err := Load(context.Background(), source.Path)
			if err != nil {
				t.Fatal(err)
			}
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			if again, err := Load(context.Background(), source.Path); err != nil || again.Rows != state.Rows {
				t.Errorf("%d rows applied, then %d without a change, %v", state.Rows, again.Rows, err)
			}
			verified(t, source)
			if got := query(t, source.Path, "SELECT id, place, v FROM swap ORDER BY id"); got != "1|2|one\n2|3|two!\n" {
				t.Error(got)
			}
		})
	}
}

// One of everything, names that are odd and values of all types, comes as the copy has it.
func TestEverything(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../testdata/everything.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(string(script))
			db.Exec(`CREATE TABLE kinds (id int PRIMARY KEY, i2 smallint, f4 float4, f8 float8, m money, d date, ts timestamp, tz timestamptz, ti time, tt timetz, iv interval, b bit(4), vb varbit,
				ip inet, a int[], aa text[][], r int4range, js json, jb jsonb, x xml, c char(5), u uuid, by bytea, n numeric, o oid, l pg_lsn, tv tsvector);
				ALTER DATABASE ` + db.Name + ` SET datestyle = 'SQL, DMY'; ALTER DATABASE ` + db.Name + ` SET timezone = 'Asia/Kathmandu'; ALTER DATABASE ` + db.Name + ` SET intervalstyle = 'iso_8601';
				ALTER DATABASE ` + db.Name + ` SET bytea_output = 'escape'; ALTER DATABASE ` + db.Name + ` SET extra_float_digits = 0`)
			db.Exec("ALTER TABLE unlogged_t SET LOGGED")
			full(t, db)
			source := sourceOf(t, db, move.Options{})
			if mode == Logical {
				source.Plan = withoutGenerated(source.Plan)
			}
			begun(t, source, Options{Mode: mode})
			db.Exec(`INSERT INTO parent (code, price, feeling, mail, both_parts, span, data, secret, title) VALUES ('a', 12.50, 'sad', 'Some@Example.com', '(1,"{1.50}")', '[1,5)', '{"b": 1, "a": 2}', '\x00', 'ä'),
				('b', NULL, 'ok', 'x@y', NULL, '[7,9)', NULL, NULL, NULL);
				INSERT INTO child VALUES (1, NULL, NULL, 'note'); INSERT INTO heir VALUES (1, 'a', 10, 'of the heir', 3);
				INSERT INTO events VALUES ('2024-05-05', 'in 2024'), ('2030-01-01', 'later');
				INSERT INTO audit.parent (kv) VALUES ('a=>1, "b \"c"=>NULL'); INSERT INTO "We""ird; tbl" VALUES (1, E'line\nbreak', 2);
				INSERT INTO kinds VALUES (1, -5, 0.1, 1e-300 / 3, '-$1,234.50', '2024-02-29', '2024-02-29 12:00:00.123456', '2024-02-29 12:00:00.5+05:45', '23:59:59', '12:00+03', '1 year 2 mons -3 days 04:05:06.7',
				'1010', '1', '::1/64', '{1,NULL,3}', '{{"a b","c\"d"},{"e\\f",""}}', '[1,5)', '{"a" : 1, "a":2}', '{"z": [1.50], "a": "é"}', '<a b="c"/>', 'ab', md5('x')::uuid, '\x00ff5c', 12345678901234567890.5000, 4294967295, '16/B374D848', 'a fat cat');
				INSERT INTO kinds (id) VALUES (2); UPDATE kinds SET id = id + 10; UPDATE kinds SET (f8, iv) = (SELECT f8 / 3, -iv FROM kinds WHERE id = 11) WHERE id = 12; UPDATE parent SET price = price * 2, title = title || E'\\"(),';
				DELETE FROM kinds WHERE id = 11`)
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
			if _, err := Cutover(context.Background(), source, quick); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// full gives tables without a key an identity.
func full(t testing.TB, db *testkit.PostgresDB) {
	t.Helper()
	db.Exec(`DO $$ DECLARE c regclass; BEGIN
		FOR c IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') AND pg_get_replica_identity_index(oid) IS NULL
		LOOP EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', c); END LOOP; END $$`)
}

// withoutGenerated skips generated columns that SQLite cannot compute.
func withoutGenerated(plan Planner) Planner {
	return func(ctx context.Context, s *move.Schema) (*move.Plan, error) {
		p, err := plan(ctx, s)
		if err != nil {
			return nil, err
		}
		o := move.Options{Tables: map[string]move.TableOptions{}}
		for _, t := range p.Tables {
			skip := map[string]move.ColumnOptions{}
			for _, c := range t.Copied() {
				if c.Source.Generated != "" {
					skip[c.Source.Name] = move.ColumnOptions{Skip: true}
				}
			}
			o.Tables[t.Source.String()] = move.TableOptions{Columns: skip}
		}
		return move.NewPlan(s, o)
	}
}
