package entrypoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// noMigrationTables makes sure that nothing of a failed run is in the database.
func unchanged(t *testing.T, db, before string) {
	t.Helper()
	if after := fingerprint(t, db); after != before {
		t.Errorf("the rows changed: %s, were %s", after, before)
	}
	if got := query(t, db, "SELECT group_concat(name) FROM sqlite_schema WHERE name IN ('a', 'b', 'c', 'd', 'e')"); got != "" {
		t.Errorf("the failed run left the tables %s", got)
	}
}

// A syntax error in the third statement: the file and line are told, the app
// does not start, the database is as it was. The mended release then boots.
func TestBrokenMigration(t *testing.T) {
	for _, tl := range tools {
		for _, first := range []bool{true, false} { // alone, or after one that succeeds
			t.Run(fmt.Sprintf("%s/first=%v", tl.name, first), func(t *testing.T) {
				t.Parallel()
				steps := []sqlStep{broken}
				if !first {
					steps = []sqlStep{createA, broken}
				}
				tree, file, lines := tl.write(steps...)
				migrations := files(t, tree)
				db := filepath.Join(t.TempDir(), "app.db")
				makeDB(t, db, 500)
				before := fingerprint(t, db)
				e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + migrations}, app: []string{"sh", "-c", "echo ran"}}

				r := e.run(t).expect(t, 1)
				contains(t, r.text("migrate", "err"), fmt.Sprintf("%s:%d", filepath.Join(migrations, file), lines[2]), `near "CRATE"`)
				if r.stdout != "" {
					t.Errorf("the app ran: %q", r.stdout)
				}
				unchanged(t, db, before)
				if left := leftovers(t, db); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}

				mended := strings.ReplaceAll(tree[file], "CRATE", "CREATE")
				mended = strings.ReplaceAll(mended, "DELETE FROM kept;", "SELECT 1;")
				if err := os.WriteFile(filepath.Join(migrations, file), []byte(mended), 0o644); err != nil {
					t.Fatal(err)
				}
				e.run(t).expect(t, 0)
				if got := query(t, db, "SELECT count(*) FROM e"); got != "0" {
					t.Errorf("e: %s", got)
				}
			})
		}
	}
}

// The same outside a transaction: the tool leaves the first two statements done,
// and the snapshot undoes them.
func TestBrokenMigrationWithoutTransaction(t *testing.T) {
	for _, tl := range tools {
		if !tl.noTx {
			continue
		}
		t.Run(tl.name, func(t *testing.T) {
			t.Parallel()
			step := broken
			step.noTx = true
			tree, file, lines := tl.write(createA, step)
			migrations := files(t, tree)
			db := filepath.Join(t.TempDir(), "app.db")
			makeDB(t, db, 500)
			before := fingerprint(t, db)
			e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + migrations}, app: []string{"sh", "-c", "echo ran"}}
			r := e.run(t).expect(t, 1)
			contains(t, r.text("migrate", "err"), fmt.Sprintf("%s:%d", filepath.Join(migrations, file), lines[2]))
			if r.outcome("restore") != "ok" || r.stdout != "" {
				t.Errorf("not restored:\n%s", r.stderr)
			}
			unchanged(t, db, before)

			// Without a snapshot to go back to, it says what it leaves.
			e.env = append(e.env, "FLYSQL_SNAPSHOTS=0")
			r = e.run(t).expect(t, 1)
			contains(t, r.text("migrate", "hint"), "left as the tool left it", "no snapshot")
			if got := query(t, db, "SELECT count(*) FROM c"); got != "0" {
				t.Errorf("c: %s", got)
			}
		})
	}
}

// A broken first migration of a new database leaves no database.
func TestBrokenFirstBoot(t *testing.T) {
	for _, tl := range tools {
		t.Run(tl.name, func(t *testing.T) {
			t.Parallel()
			tree, _, _ := tl.write(createA, sqlStep{name: "broken", up: []string{"CRATE TABLE x(id);"}})
			db := filepath.Join(t.TempDir(), "app.db")
			entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"true"}}.run(t).expect(t, 1)
			for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
				if info, err := os.Stat(db + suffix); err == nil && info.Size() > 0 {
					t.Errorf("%s is left with %d bytes", info.Name(), info.Size())
				}
			}
		})
	}
}

// What is wrong with the image is told before the database is touched.
func TestBadMigrationsDirectory(t *testing.T) {
	goose, _, _ := tools[0].write(createA)
	dbmate, _, _ := tools[2].write(createB)
	mixed := map[string]string{}
	for _, tree := range []map[string]string{goose, dbmate} {
		for name, text := range tree {
			mixed[name] = text
		}
	}
	tests := []struct {
		name string
		dir  string
		env  []string
		want string
	}{
		{"missing", "/no/such/migrations", nil, "/no/such/migrations"},
		{"a file", filepath.Join(files(t, map[string]string{"f": ""}), "f"), nil, "not a directory"},
		{"empty", t.TempDir(), nil, "unset FLYSQL_MIGRATIONS"},
		{"two tools", files(t, mixed), nil, "dbmate"},
		{"unknown tool", files(t, goose), []string{"FLYSQL_MIGRATE_TOOL=rails"}, `\"rails\" is not known`},
		{"a command too", files(t, goose), []string{"FLYSQL_MIGRATE=true"}, "keep one of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "app.db")
			r := entry{db: db, env: append(tt.env, "FLYSQL_MIGRATIONS="+tt.dir), app: []string{"true"}}.run(t).expect(t, 78)
			contains(t, r.stderr, tt.want)
			if _, err := os.Stat(db); err == nil {
				t.Error("a database was made")
			}
		})
	}
}

// Any command can migrate. What it breaks is put back.
func TestMigrateCommand(t *testing.T) {
	t.Parallel()
	sqlite := func(sql string) string { return `sqlite3 "$FLYSQL_DB" "` + sql + `"` }
	bin := files(t, map[string]string{
		"good":    "#!/bin/sh\necho to stdout; " + sqlite("CREATE TABLE IF NOT EXISTS a(id)") + "\n",
		"bad":     "#!/bin/sh\n" + sqlite("CREATE TABLE b(id); DELETE FROM kept") + "\nexit 9\n",
		"forks":   "#!/bin/sh\n(trap '' TERM; sleep 600) &\n" + sqlite("CREATE TABLE IF NOT EXISTS a(id)") + "\n",
		"my tool": "#!/bin/sh\n[ \"$1\" = 'an argument' ]\n",
	})
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 200)
	before := fingerprint(t, db)
	e := entry{db: db, app: []string{"sh", "-c", "echo ran"}}
	run := func(command string, code int) result {
		t.Helper()
		e.env = []string{"FLYSQL_MIGRATE=" + command, "FLYSQL_GRACE=200ms"}
		return e.run(t).expect(t, code)
	}

	r := run(bin+"/bad", 1)
	contains(t, r.text("migrate", "err"), "status 9")
	if r.outcome("restore") != "ok" || r.stdout != "" {
		t.Errorf("stdout %q\n%s", r.stdout, r.stderr)
	}
	unchanged(t, db, before)

	r = run("'"+bin+"/my tool' 'an argument'", 0)
	if r.outcome("snapshot") != "ok" {
		t.Errorf("no snapshot before a command:\n%s", r.stderr)
	}
	r = run(bin+"/good", 0)
	if r.stdout != "ran\n" || !strings.Contains(r.stderr, "to stdout") {
		t.Errorf("the command's output is not on stderr: stdout %q\n%s", r.stdout, r.stderr)
	}
	// What the command leaves running would hold the database against the app.
	run(bin+"/forks", 0)
	if got := query(t, db, "SELECT count(*) FROM a"); got != "0" {
		t.Errorf("a: %s", got)
	}
	run("no-such-tool up", 127)
	run("   ", 78)
	run("'unclosed", 78)
}

// On a disk with no room for a copy the boot says so, and goes on only with
// migrations that SQLite itself can roll back.
func TestNoRoomForSnapshot(t *testing.T) {
	tl := tools[0]
	dir := disk(t, "tmpfs", "size=16m")
	db := filepath.Join(dir, "app.db")
	makeDB(t, db, 50_000) // about 6 MB
	before := fingerprint(t, db)
	fill(t, dir, 3<<20)
	env := func(steps ...sqlStep) []string {
		tree, _, _ := tl.write(steps...)
		return []string{"FLYSQL_MIGRATIONS=" + files(t, tree), "FLYSQL_MIN_FREE=1"}
	}
	app := []string{"sh", "-c", "echo ran"}

	noTx := createA
	noTx.noTx = true
	r := entry{db: db, env: env(noTx), app: app}.run(t).expect(t, 1)
	contains(t, r.text("snapshot", "err"), "no snapshot can be made", "outside a transaction")
	contains(t, r.text("snapshot", "hint"), "fly volumes extend", "FLYSQL_SNAPSHOTS=0")
	unchanged(t, db, before)

	r = entry{db: db, env: env(createA), app: app}.run(t).expect(t, 0)
	contains(t, r.text("snapshot", "warning"), "without a snapshot")
	if got := fingerprint(t, db); got != before || r.stdout != "ran\n" {
		t.Errorf("rows %s, stdout %q", got, r.stdout)
	}
}

// fill leaves so many bytes of a disk free.
func fill(t *testing.T, dir string, leave int64) {
	t.Helper()
	room, err := spaceOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fill"), make([]byte, room.free-leave), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The disk fills up while the copy is made: what there is of it goes away again.
func TestDiskFullDuringSnapshot(t *testing.T) {
	dir := disk(t, "tmpfs", "size=16m")
	db := filepath.Join(dir, "app.db")
	makeDB(t, db, 50_000)
	before := fingerprint(t, db)
	tree, _, _ := tools[0].write(createA)
	// Somebody takes the room between the look at it and the copy.
	p := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree), "FLYSQL_MIN_FREE=1"}, fault: "snapshot.copy=stop", app: []string{"true"}}.start(t)
	p.poll("stop", func() bool { return stopped(p.cmd.Process.Pid) })
	fill(t, dir, 2<<20)
	p.signal(syscall.SIGCONT)
	r := p.wait().expect(t, 0)
	contains(t, r.text("snapshot", "why"), "the disk was full")
	if got := fingerprint(t, db); got != before {
		t.Errorf("the rows changed: %s", got)
	}
	if left := leftovers(t, db); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The disk fills up while a migration runs: with a snapshot taken, the database
// is put back although not a byte is free.
func TestDiskFullDuringMigration(t *testing.T) {
	for _, noTx := range []bool{false, true} {
		t.Run(fmt.Sprintf("noTx=%v", noTx), func(t *testing.T) {
			dir := disk(t, "tmpfs", "size=8m")
			db := filepath.Join(dir, "app.db")
			makeDB(t, db, 10_000)
			before := fingerprint(t, db)
			tree, _, _ := tools[0].write(createA, sqlStep{name: "big", noTx: noTx, up: []string{
				"CREATE TABLE b(v);",
				"DELETE FROM kept WHERE id < 100;",
				"INSERT INTO b WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100000) SELECT randomblob(500) FROM n;",
			}})
			r := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree), "FLYSQL_MIN_FREE=1"}, app: []string{"sh", "-c", "echo ran"}}.run(t).expect(t, 1)
			contains(t, r.text("migrate", "err"), "full")
			if r.outcome("restore") != "ok" || r.stdout != "" {
				t.Errorf("stdout %q\n%s", r.stdout, r.stderr)
			}
			unchanged(t, db, before)
			if left := leftovers(t, db); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
