package entrypoint

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Eight boots at once on one database migrate it once.
func TestBootsAtOnce(t *testing.T) {
	for _, tl := range tools {
		t.Run(tl.name, func(t *testing.T) {
			t.Parallel()
			tree, _, _ := tl.write(createA, createB, sqlStep{name: "work", up: []string{
				"CREATE TABLE work(i);",
				"INSERT INTO work WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100000) SELECT i FROM n;",
			}})
			db := filepath.Join(t.TempDir(), "app.db")
			e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"sh", "-c", "echo ran"}}
			var all []*process
			for range 8 {
				all = append(all, e.start(t))
			}
			applied := 0.0
			for _, p := range all {
				r := p.wait().expect(t, 0)
				n, _ := r.line("migrate")["applied"].(float64)
				applied += n
				if r.stdout != "ran\n" {
					t.Errorf("stdout %q", r.stdout)
				}
			}
			if applied != 3 {
				t.Errorf("%v migrations applied in all, want 3", applied)
			}
			if got := query(t, db, "SELECT count(*) FROM work"); got != "100000" {
				t.Errorf("work: %s", got)
			}
		})
	}
}

// While an app runs, a later boot does not migrate under it: if that failed, the
// way back would take the app's rows. With nothing pending it may boot beside it.
func TestNoMigrationUnderARunningApp(t *testing.T) {
	for _, mode := range []string{"0", "1"} {
		t.Run("supervise="+mode, func(t *testing.T) {
			t.Parallel()
			older, _, _ := tools[0].write(createA)
			newer, _, _ := tools[0].write(createA, createB)
			db := filepath.Join(t.TempDir(), "app.db")
			first := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, older), "FLYSQL_SUPERVISE=" + mode}, app: []string{"sh", "-c", "echo ready >&2; while :; do sleep 0.01; done"}}
			app := first.start(t)
			app.waitFor("ready")

			first.app = []string{"sh", "-c", "echo beside"}
			if r := first.run(t).expect(t, 0); r.stdout != "beside\n" {
				t.Errorf("stdout %q", r.stdout)
			}
			second := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, newer), "FLYSQL_LOCK_TIMEOUT=300ms"}, app: []string{"sh", "-c", "echo ran"}}
			r := second.run(t).expect(t, 1)
			contains(t, r.stderr, "an app still uses this database", "stop the app")
			if r.stdout != "" {
				t.Errorf("the app ran: %q", r.stdout)
			}

			second.env[1] = "FLYSQL_LOCK_TIMEOUT=1m"
			waiting := second.start(t)
			waiting.waitFor("an app still uses this database")
			app.signal(syscall.SIGTERM)
			app.wait().expect(t, 143)
			if r := waiting.wait().expect(t, 0); r.stdout != "ran\n" {
				t.Errorf("stdout %q", r.stdout)
			}
		})
	}
}

// A process that flysql-entrypoint did not start has the database open, and the
// migration fails half-way: the file is not pulled from under it.
func TestStrangerHasDatabaseOpen(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 100)
	step := broken
	step.noTx, step.up = true, []string{"CREATE TABLE c(id);", "CRATE x;"}
	tree, _, _ := tools[0].write(step)
	e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"true"}}

	stranger := entry{db: filepath.Join(t.TempDir(), "other.db"), app: []string{"sh", "-c",
		"(echo '.bail on'; echo 'SELECT count(*) FROM kept;'; cat) | sqlite3 " + db}}
	s := stranger.startWithInput(t)
	s.poll("open handle", func() bool { return strings.Contains(s.stdoutSoFar(), "100") })

	r := e.run(t).expect(t, 1)
	contains(t, r.stderr, "another process has the database open", "stop it, then boot again")

	s.closeInput()
	s.wait().expect(t, 0)
	mended, _, _ := tools[0].write(createA, createB)
	e.env[0] = "FLYSQL_MIGRATIONS=" + files(t, mended)
	before := fingerprint(t, db)
	e.run(t).expect(t, 0)
	settled(t, db, before)
}
