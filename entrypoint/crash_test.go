package entrypoint

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kill -9 at every point of a boot that changes something: the next boot ends
// with all migrations applied once, every row there, and nothing left over.
func TestKilledAtEveryPoint(t *testing.T) {
	points := []string{"check", "snapshot", "snapshot.copy", "snapshot.copied", "migrate", "migrate.journal", "migrate.done", "app"}
	for _, tl := range tools {
		for _, point := range points {
			t.Run(tl.name+"/"+point, func(t *testing.T) {
				t.Parallel()
				tree, _, _ := tl.write(createA, createB)
				e := entry{db: filepath.Join(t.TempDir(), "app.db"), env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"true"}}
				makeDB(t, e.db, 300)
				before := fingerprint(t, e.db)
				e.fault = point + "=kill"
				e.run(t).expect(t, 137)
				e.fault = ""
				e.run(t).expect(t, 0)
				settled(t, e.db, before)
			})
		}
	}
}

// kill -9 at every point of putting a database back, twice in a row, after a
// migration that left it half-way.
func TestKilledWhileRestoring(t *testing.T) {
	points := []string{"restore.begin", "restore.intent", "restore.aside", "restore.aside-wal", "restore.aside-journal", "restore.done"}
	step := broken
	step.noTx = true
	for _, existed := range []bool{true, false} {
		for _, point := range points {
			t.Run(fmt.Sprintf("existed=%v/%s", existed, point), func(t *testing.T) {
				t.Parallel()
				if !existed {
					step := step
					step.up = []string{"CREATE TABLE c(id);", "CRATE x;"}
				}
				tree, _, _ := tools[0].write(step)
				mended, _, _ := tools[0].write(createA, createB)
				e := entry{db: filepath.Join(t.TempDir(), "app.db"), env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"true"}}
				before := ""
				if existed {
					makeDB(t, e.db, 300)
					before = fingerprint(t, e.db)
				}
				e.fault = point + "=kill"
				e.run(t).expect(t, 137)
				e.run(t) // may be killed at the same point again, or not come by it
				e.fault = ""
				e.env[0] = "FLYSQL_MIGRATIONS=" + files(t, mended)
				e.run(t).expect(t, 0)
				if !existed {
					if got := query(t, e.db, "SELECT id FROM b"); got != "1" {
						t.Errorf("b: %s", got)
					}
					return
				}
				settled(t, e.db, before)
			})
		}
	}
}

// settled makes sure that createA and createB are applied once, the rows are
// there, and nothing but snapshots and what was set aside is left.
func settled(t *testing.T, db, before string) {
	t.Helper()
	if got := fingerprint(t, db); got != before {
		t.Errorf("the rows changed: %s, were %s", got, before)
	}
	if got := query(t, db, "SELECT id FROM b"); got != "1" {
		t.Errorf("b holds %q, want 1", got)
	}
	if got := query(t, db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('c', 'd', 'e')"); got != "0" {
		t.Error("tables of the failed migration are left")
	}
	if left := leftovers(t, db); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// kill -9 in the middle of a statement. In a transaction SQLite rolls it back;
// outside one the next boot goes back to the snapshot, and sets aside what it
// replaces: somebody may have used the database without the entrypoint.
func TestKilledInMigration(t *testing.T) {
	for _, tl := range tools {
		for _, noTx := range []bool{false, true} {
			if noTx && !tl.noTx {
				continue
			}
			t.Run(fmt.Sprintf("%s/noTx=%v", tl.name, noTx), func(t *testing.T) {
				t.Parallel()
				db := filepath.Join(t.TempDir(), "app.db")
				makeDB(t, db, 300)
				before := fingerprint(t, db)
				tree, file, _ := tl.write(createA, sqlStep{name: "busy", noTx: noTx, up: []string{"CREATE TABLE busy(i);", "DELETE FROM kept;", slow}})
				migrations := files(t, tree)
				e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + migrations}, app: []string{"sh", "-c", "echo ran"}}
				p := e.start(t)
				p.poll("writing", func() bool { return underWay(db, noTx) })
				p.signal(syscall.SIGKILL)
				p.wait().expect(t, 137)
				if noTx { // a stranger's row, written before the next boot
					if _, err := tryQuery(db, "INSERT INTO kept VALUES (100000, 'stranger')"); err != nil {
						t.Fatal(err)
					}
				}

				tree2, file2, _ := tl.write(createA, createB)
				if err := os.Remove(filepath.Join(migrations, file)); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(migrations, file2), []byte(tree2[file2]), 0o644); err != nil {
					t.Fatal(err)
				}
				r := e.run(t).expect(t, 0)
				settled(t, db, before)
				if !noTx {
					if aside := asides(t, db); tl.name != "golang-migrate" && (r.outcome("settle") != "continues" || len(aside) > 0) {
						t.Errorf("settled with %q, aside %v", r.outcome("settle"), aside)
					}
					return
				}
				if r.outcome("settle") != "restored" {
					t.Errorf("settle: %s", r.stderr)
				}
				if got := query(t, r.text("settle", "kept"), "SELECT v FROM kept WHERE id = 100000"); got != "stranger" {
					t.Errorf("the row of the stranger is not in what was set aside: %q", got)
				}
			})
		}
	}
}

// underWay tells whether the slow statement of a migration is writing.
func underWay(db string, noTx bool) bool {
	if noTx {
		got, err := tryQuery(db, "SELECT count(*) FROM kept")
		return err == nil && got == "0"
	}
	// The journal of the boot is there, and the WAL grows past what a table needs.
	if _, err := os.Stat(filepath.Join(filepath.Dir(db), stateDir, filepath.Base(db)+".migrating.json")); err != nil {
		return false
	}
	info, err := os.Stat(db + "-wal")
	if err == nil && info.Size() > 100_000 {
		return true
	}
	got, err := tryQuery(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'a'")
	return err == nil && got == "1"
}

// A boot that was killed while its migrate command ran goes back to the snapshot.
func TestKilledInMigrateCommand(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 100)
	before := fingerprint(t, db)
	bin := files(t, map[string]string{
		"half": "#!/bin/sh\nsqlite3 \"$FLYSQL_DB\" 'CREATE TABLE c(id); DELETE FROM kept;'\necho half $$\nexec sleep 600\n",
		"full": "#!/bin/sh\nsqlite3 \"$FLYSQL_DB\" 'CREATE TABLE b(id); INSERT INTO b VALUES (1)'\n",
	})
	p := entry{db: db, env: []string{"FLYSQL_MIGRATE=" + bin + "/half"}, app: []string{"true"}}.start(t)
	p.waitFor("half ")
	p.signal(syscall.SIGKILL)
	var orphan int
	_, after, _ := strings.Cut(p.errs.text(), "half ")
	if _, err := fmt.Sscan(after, &orphan); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(orphan, syscall.SIGKILL) })

	// The command lives on and may still write: nothing is put back meanwhile.
	e := entry{db: db, env: []string{"FLYSQL_MIGRATE=" + bin + "/full", "FLYSQL_LOCK_TIMEOUT=200ms"}, app: []string{"true"}}
	r := e.run(t).expect(t, 1)
	contains(t, r.stderr, "still uses this database", "stop the app")

	if err := syscall.Kill(orphan, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r = e.run(t).expect(t, 0)
	if r.outcome("settle") != "restored" {
		t.Errorf("settle: %s", r.stderr)
	}
	settled(t, db, before)
}

// What is left of a snapshot that was cut short takes no room from the next, and
// goes also when nothing is pending.
func TestPartialSnapshotGoes(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 100)
	partial := stateOf(db).partial()
	if err := os.MkdirAll(filepath.Dir(partial), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(partial, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	entry{db: db, app: []string{"true"}}.run(t).expect(t, 0)
	if _, err := os.Stat(partial); err == nil {
		t.Error("it is still there")
	}
}

// Rests of an earlier restore never take the place of what was kept before.
func TestAsideIsNotOverwritten(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 100)
	s := stateOf(db)
	kept := filepath.Join(s.aside(), "app.db.20240101T000000.000Z")
	rest := filepath.Join(s.dir, "app.db.aside-wal")
	if err := os.MkdirAll(s.aside(), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{kept: "db", kept + "-wal": "precious", rest: "rest"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entry{db: db, app: []string{"true"}}.run(t).expect(t, 0)
	if got, err := os.ReadFile(kept + "-wal"); err != nil || string(got) != "precious" {
		t.Errorf("%q, %v", got, err)
	}
	if got := asides(t, db); len(got) != 3 {
		t.Errorf("aside: %v", got)
	}
}

// kill -9 at moments that nobody chose, three times in a row, in boots whose
// migration fails half-way: whatever the moment, the mended release boots with
// every row there.
func TestKilledAtRandom(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	broken := broken
	broken.noTx = true
	bad, _, _ := tools[0].write(createA, broken)
	good, _, _ := tools[0].write(createA, createB)
	for i := range 24 {
		var moments []time.Duration
		for range 3 {
			moments = append(moments, time.Duration(random.Int64N(int64(60*time.Millisecond))))
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "app.db")
			makeDB(t, db, 300)
			if i%2 == 1 {
				if _, err := tryQuery(db, "PRAGMA journal_mode = DELETE"); err != nil {
					t.Fatal(err)
				}
			}
			before := fingerprint(t, db)
			e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, bad)}, app: []string{"true"}}
			for _, moment := range moments {
				p := e.start(t)
				select {
				case <-time.After(moment):
					p.cmd.Process.Kill() // one that has ended by itself is fine
				case <-p.exited:
				}
				p.wait()
			}
			e.env[0] = "FLYSQL_MIGRATIONS=" + files(t, good)
			e.run(t).expect(t, 0)
			settled(t, db, before)
		})
	}
}
