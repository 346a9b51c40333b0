package migrate

import (
	"os"
	"testing"
)

// filling writes more than SQLite's cache holds, so that the file is changed before the commit, and stops.
const filling = `CREATE TABLE big (x);
INSERT INTO big WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) SELECT zeroblob(4000) FROM c;
UPDATE guests SET name = 'lost';
SELECT test_call('stop');`

func TestKilledInTransaction(t *testing.T) {
	for _, tool := range tools {
		for _, journal := range []string{"DELETE", "WAL"} {
			t.Run(string(tool)+"/"+journal, func(t *testing.T) {
				db := newDB(t)
				first := "CREATE TABLE guests (name);\nINSERT INTO guests WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) SELECT 'Zoe' FROM c;"
				execSQL(t, db, "PRAGMA journal_mode="+journal)
				up(t, simple(tool, first), db)
				files := simple(tool, first, filling, "CREATE TABLE c (id);")
				killInMigration(t, files, db)

				side := db + map[string]string{"DELETE": "-journal", "WAL": "-wal"}[journal]
				if info, err := os.Stat(side); err != nil || info.Size() == 0 {
					t.Fatalf("the kill left no %s: the test shows nothing", side)
				}
				st := status(t, files, db)
				if got := short(versions(st.Applied)); got != "1" {
					t.Errorf("applied %s", got)
				}
				if got := short(versions(st.Pending)); got != "2,3" {
					t.Errorf("pending %s", got)
				}
				if st.Dirty != (tool == GolangMigrate) {
					t.Errorf("dirty %v", st.Dirty)
				}
				if got := query(t, db, "SELECT DISTINCT name FROM guests"); got != "Zoe" {
					t.Errorf("guests are called %s", got)
				}
				if st.Dirty { // what the person does who has read the error
					execSQL(t, db, "UPDATE schema_migrations SET version = 1, dirty = 0")
				}
				if got := short(versions(up(t, files, db))); got != "2,3" {
					t.Errorf("then applied %s", got)
				}
				if got := query(t, db, "SELECT count(*) FROM big"); got != "1000" {
					t.Errorf("rows: %s", got)
				}
				if got := query(t, db, "PRAGMA integrity_check"); got != "ok" {
					t.Error(got)
				}
			})
		}
	}
}

func TestKilledOutsideTransaction(t *testing.T) {
	for _, tool := range []Tool{Goose, Dbmate} {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			files := filesFor(tool,
				script{sql: "CREATE TABLE a (id);"},
				script{sql: "CREATE TABLE IF NOT EXISTS b (id);\nSELECT test_call('stop');\nCREATE TABLE c (id);", noTx: true},
			)
			killInMigration(t, files, db)
			st := status(t, files, db)
			if got := short(versions(st.Pending)); got != "2" || !st.Pending[0].NoTx {
				t.Errorf("pending %+v", st.Pending)
			}
			if got := query(t, db, "SELECT name FROM sqlite_schema WHERE name IN ('b', 'c')"); got != "b" {
				t.Errorf("made %q, want b", got)
			}
			if got := short(versions(up(t, files, db))); got != "2" {
				t.Errorf("then applied %s", got)
			}
		})
	}
}
