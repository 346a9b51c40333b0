package entrypoint

import (
	"path/filepath"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// A cluster without a database is not begun beside one that was on the volume, unless
// that is imported, or an empty one is meant.
func TestLiteFSLeftOnVolume(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a")
	n := nodes[0]
	file := crashed(t, filepath.Dir(n.Data), "WAL")
	e := besideLiteFS(t, n, createA)
	r := e.run(t).expect(t, 78)
	contains(t, r.text("import", "err"), "the cluster has no database, and "+file)
	contains(t, r.text("import", "hint"), "FLYSQL_LITEFS_IMPORT="+file, "FLYSQL_LITEFS_IMPORT=off")
	if r.stdout != "" || r.outcome("migrate") != "" {
		t.Errorf("the boot went on: %q\n%s", r.stdout, r.stderr)
	}
	nothingLeft(t, n)
	whatIs(t, n, func(db string) {
		if pos, err := positionOf(db); err != nil || pos.tx != 0 {
			t.Errorf("there is a database at %v, %v", pos, err)
		}
	})

	importing(t, n, file, createA).run(t).expect(t, 0)
	// From then on the cluster's database counts, whether the file is there or not.
	e.run(t).expect(t, 0)
	whatIs(t, n, func(db string) {
		if got := query(t, db, "SELECT count(*) FROM t"); got != "1000" {
			t.Errorf("%s rows of 1000", got)
		}
	})
}

// With a static lease too, whose primary is the only one there will be.
func TestLiteFSLeftOnVolumeMeant(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	crashed(t, filepath.Dir(n.Data), "WAL")
	besideLiteFS(t, n, createA).run(t).expect(t, 78)
	importing(t, n, importOff, createA).run(t).expect(t, 0)
	whatIs(t, n, func(db string) {
		if got := query(t, db, "SELECT count(*) FROM sqlite_schema WHERE name = 't'"); got != "0" {
			t.Errorf("the database has the table of the old one")
		}
	})
}
