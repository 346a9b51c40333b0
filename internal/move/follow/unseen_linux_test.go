package follow

import (
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// A TRUNCATE of a partition is known by its rows to triggers, and not at all to a slot.
func TestTruncatedPartition(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(`CREATE TABLE p (id int PRIMARY KEY, t text) PARTITION BY LIST (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1, 'a'), (2, 'b')`)
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			db.Exec("TRUNCATE p; INSERT INTO p VALUES (1, '(2,b)'), (2, 'b')")
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
			db.Exec("TRUNCATE p_1")
			if mode == Logical {
				stops(t, source, ErrChanged, "a partition of it was emptied by TRUNCATE")
				return
			}
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
		})
	}
}

// A partition that has come since the copy is a partition: a TRUNCATE of the others leaves
// its rows.
func TestTruncatedNewPartition(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id)")
	source := sourceOf(t, db, move.Options{})
	begun(t, source, Options{})
	db.Exec("CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1), (2); TRUNCATE p; INSERT INTO p VALUES (1), (2)")
	if err := drain(t, source); err != nil {
		t.Fatal(err)
	}
	verified(t, source)
	db.Exec("TRUNCATE p_1")
	stops(t, source, ErrChanged, "a partition of it was emptied by TRUNCATE")
	if got := query(t, source.Path, "SELECT count(*) FROM p"); got != "2\n" {
		t.Errorf("%q rows, want both", got)
	}
}

// Triggers that somebody has switched off have not seen what came then.
func TestTriggersOff(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)")
	source := sourceOf(t, db, move.Options{})
	begun(t, source, Options{Mode: Triggers})
	for table, off := range map[string]string{"a": "ALTER TABLE a DISABLE TRIGGER ALL", "p_1": "ALTER TABLE p_1 DISABLE TRIGGER USER"} {
		db.Exec(off)
		stops(t, source, ErrLost, "the trigger !flysql is off or gone on "+table)
		db.Exec("ALTER TABLE " + table + ` ENABLE ALWAYS TRIGGER "!flysql"`)
		if err := drain(t, source); err != nil {
			t.Fatal(err)
		}
	}
	db.Exec(`DROP TRIGGER "!flysql" ON a`)
	stops(t, source, ErrLost, "the trigger !flysql is off or gone on a")
}
