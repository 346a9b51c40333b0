package entrypoint

import (
	"os"
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
// migration fails half-way: the file is not pulled from under it, and the next
// boot does what this one could not.
func TestStrangerHasDatabaseOpen(t *testing.T) {
	halfDone := sqlStep{name: "half", noTx: true, up: []string{"CREATE TABLE c(id);", "CRATE x;"}}
	for name, steps := range map[string][]sqlStep{
		"outside a transaction": {halfDone},
		"the second of two":     {{name: "c", up: []string{"CREATE TABLE c(id);"}}, {name: "broken", up: []string{"CRATE x;"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "app.db")
			makeDB(t, db, 100)
			before := fingerprint(t, db)
			tree, _, _ := tools[0].write(steps...)
			e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"true"}}

			stranger := entry{db: filepath.Join(t.TempDir(), "other.db"), app: []string{"sh", "-c",
				"(echo '.bail on'; echo 'SELECT count(*) FROM kept;'; cat) | sqlite3 " + db}}
			s := stranger.startWithInput(t)
			s.poll("open handle", func() bool { return strings.Contains(s.stdoutSoFar(), "100") })

			r := e.run(t).expect(t, 1)
			contains(t, r.stderr, "another process has the database open", "the next boot puts the database back")

			s.closeInput()
			s.wait().expect(t, 0)
			mended, _, _ := tools[0].write(createA, createB)
			e.env[0] = "FLYSQL_MIGRATIONS=" + files(t, mended)
			if r := e.run(t).expect(t, 0); r.outcome("settle") != "restored" {
				t.Errorf("settle: %s", r.stderr)
			}
			settled(t, db, before)
		})
	}
}

// A stranger writes while a migration runs that fails: its row was acknowledged, so
// it is kept with what the restore replaced, and the log says where.
func TestStrangerWritesDuringMigration(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 100)
	before := fingerprint(t, db)
	bin := files(t, map[string]string{"fails": "#!/bin/sh\necho begun\nwhile [ ! -e " + db + ".go ]; do sleep 0.01; done\nexit 1\n"})
	p := entry{db: db, env: []string{"FLYSQL_MIGRATE=" + bin + "/fails"}, app: []string{"true"}}.start(t)
	p.waitFor("begun")
	if _, err := tryQuery(db, "INSERT INTO kept VALUES (100000, 'stranger')"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(db+".go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := p.wait().expect(t, 1)
	unchanged(t, db, before)
	if got := query(t, r.text("restore", "kept"), "SELECT v FROM kept WHERE id = 100000"); got != "stranger" {
		t.Errorf("the row is not in what was kept: %q", got)
	}
}

// An app that was started past the steps is an app that runs.
func TestNoMigrationUnderASkippedApp(t *testing.T) {
	t.Parallel()
	older, _, _ := tools[0].write(createA)
	newer, _, _ := tools[0].write(createA, createB)
	db := filepath.Join(t.TempDir(), "app.db")
	e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, older)}, app: []string{"true"}}
	e.run(t).expect(t, 0)
	app := entry{db: db, env: []string{"FLYSQL_SKIP=1"}, app: []string{"sh", "-c", "echo ready >&2; while :; do sleep 0.01; done"}}.start(t)
	app.waitFor("ready")
	e.env = []string{"FLYSQL_MIGRATIONS=" + files(t, newer), "FLYSQL_LOCK_TIMEOUT=200ms"}
	contains(t, e.run(t).expect(t, 1).stderr, "an app still uses this database")
	app.signal(syscall.SIGTERM)
	app.wait().expect(t, 143)
	e.run(t).expect(t, 0)
}

// A migration was killed, the site was brought up with FLYSQL_SKIP and took a row:
// the next boot does not decide by itself which of the two states is wanted.
func TestSkippedSinceAMigrationWasCutShort(t *testing.T) {
	for _, choice := range []string{"keep", "back"} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "app.db")
			makeDB(t, db, 100)
			before := fingerprint(t, db)
			cut := entry{db: db, env: []string{"FLYSQL_MIGRATE=sh -c 'exit 1'"}, fault: "migrate.journal=kill", app: []string{"true"}}
			cut.run(t).expect(t, 137)

			skip := entry{db: db, env: []string{"FLYSQL_SKIP=1"}, app: []string{"sqlite3", db, "INSERT INTO kept VALUES (100000, 'since')"}}
			contains(t, skip.run(t).expect(t, 0).text("mode", "warning"), "was cut short and not settled")

			e := entry{db: db, env: []string{"FLYSQL_MIGRATE=true"}, app: []string{"sh", "-c", "echo ran"}}
			r := e.run(t).expect(t, 1)
			contains(t, r.stderr, "since then an app was started with FLYSQL_SKIP", "to keep the database as it is now", "To go back")
			if got := query(t, db, "SELECT v FROM kept WHERE id = 100000"); got != "since" || r.stdout != "" {
				t.Fatalf("row %q, stdout %q", got, r.stdout)
			}

			// What the hint says to do.
			s := stateOf(db)
			if choice == "keep" {
				os.Remove(s.journal())
			}
			if err := os.Remove(s.skipped()); err != nil {
				t.Fatal(err)
			}
			e.run(t).expect(t, 0)
			want := map[string]string{"keep": "since", "back": ""}[choice]
			if got := query(t, db, "SELECT v FROM kept WHERE id = 100000"); got != want {
				t.Errorf("row %q, want %q", got, want)
			}
			if choice == "back" {
				unchanged(t, db, before)
			}
			if left := leftovers(t, db); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
