package entrypoint

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A boot in its usual form, for each tool: a new database is migrated, the app
// finds it so; the second boot has nothing to do.
func TestBoot(t *testing.T) {
	for _, tl := range tools {
		t.Run(tl.name, func(t *testing.T) {
			t.Parallel()
			tree, _, _ := tl.write(createA, createB)
			migrations := files(t, tree)
			db := filepath.Join(t.TempDir(), "app.db")
			e := entry{db: "file://" + db, env: []string{"FLYSQL_MIGRATIONS=" + migrations}, app: []string{"sh", "-c", "echo app $DATABASE_URL"}}

			r := e.run(t).expect(t, 0)
			if want := "app file://" + db + "\n"; r.stdout != want {
				t.Errorf("stdout %q, want %q", r.stdout, want)
			}
			for step, want := range map[string]string{"mode": "volume", "guard": "ok", "own": "skipped", "check": "ok", "snapshot": "skipped", "migrate": "ok", "app": "exec"} {
				if got := r.outcome(step); got != want {
					t.Errorf("%s: outcome %q, want %q\n%s", step, got, want, r.stderr)
				}
				if _, timed := r.line(step)["ms"].(float64); !timed && step != "app" {
					t.Errorf("%s: no duration in %v", step, r.line(step))
				}
			}
			if got := r.line("migrate")["applied"]; got != 2.0 {
				t.Errorf("applied %v, want 2", got)
			}
			if got := query(t, db, "SELECT id FROM b"); got != "1" {
				t.Errorf("b holds %q", got)
			}

			r = e.run(t).expect(t, 0)
			if got := r.line("migrate")["applied"]; got != 0.0 {
				t.Errorf("second boot applied %v, want 0\n%s", got, r.stderr)
			}
			if left := leftovers(t, db); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// Pending migrations on a database that holds rows: a snapshot comes first, and
// only so many are kept.
func TestSnapshotsAreKept(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 1000)
	before := fingerprint(t, db)
	var steps []sqlStep
	for i := range 5 {
		steps = append(steps, sqlStep{name: "s" + strconv.Itoa(i), up: []string{fmt.Sprintf("CREATE TABLE s%d(id INTEGER PRIMARY KEY);", i)}})
		tree, _, _ := tools[0].write(steps...)
		r := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree), "FLYSQL_SNAPSHOTS=2"}, app: []string{"true"}}.run(t).expect(t, 0)
		file := r.text("snapshot", "file")
		if got := fingerprint(t, file); got != before {
			t.Errorf("the snapshot differs: %s, want %s", got, before)
		}
		if got := query(t, file, fmt.Sprintf("SELECT count(*) FROM sqlite_schema WHERE name = 's%d'", i)); got != "0" {
			t.Errorf("the snapshot has the table that was migrated after it")
		}
		os.Remove(file + "-wal") // of this test's own reading
		os.Remove(file + "-shm")
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(db), stateDir, "snapshots", "*"))
	if err != nil || len(names) != 2 {
		t.Errorf("%d snapshots kept, want 2: %v", len(names), names)
	}
	if got := fingerprint(t, db); got != before {
		t.Errorf("the rows changed: %s, want %s", got, before)
	}
}

// An older image on a newer database starts: that is how a release is taken back.
func TestOlderImage(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	for _, tl := range tools[:1] {
		newer, _, _ := tl.write(createA, createB)
		older, _, _ := tl.write(createA)
		entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, newer)}, app: []string{"true"}}.run(t).expect(t, 0)
		r := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, older)}, app: []string{"true"}}.run(t).expect(t, 0)
		contains(t, r.text("migrate", "warning"), "newer than this image")
	}
}

// The app's exit code is the entrypoint's, for every code there is, whether the
// app replaced the entrypoint or is its child.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	for _, mode := range []string{"0", "1"} {
		t.Run("supervise="+mode, func(t *testing.T) {
			t.Parallel()
			e := entry{db: db, env: []string{"FLYSQL_SUPERVISE=" + mode}}
			for code := range 256 {
				e.app = []string{"sh", "-c", "exit " + strconv.Itoa(code)}
				e.run(t).expect(t, code)
			}
		})
	}
}

// An app that a signal ended gives 128+n when supervised. Exec'ed, it is this
// process that the signal ended; whoever waits for it sees the same.
func TestKilledApp(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	for _, sig := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGKILL, syscall.SIGABRT, syscall.SIGTERM} {
		for _, mode := range []string{"0", "1"} {
			e := entry{db: db, env: []string{"FLYSQL_SUPERVISE=" + mode}, app: []string{"sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$", sig)}}
			e.run(t).expect(t, 128+int(sig))
		}
	}
}

// A command that cannot be run is told before anything is migrated.
func TestCommandThatCannotRun(t *testing.T) {
	t.Parallel()
	bin := files(t, map[string]string{"script": "#!/no/such/interpreter\r\n", "text": "just text\n", "plain": "x"})
	if err := os.Chmod(filepath.Join(bin, "plain"), 0o644); err != nil {
		t.Fatal(err)
	}
	tree, _, _ := tools[0].write(createA)
	migrations := files(t, tree)
	tests := []struct {
		name string
		app  []string
		code int
		want string
		ran  bool // found at the start, so that the migrations ran
	}{
		{"not in PATH", []string{"no-such-command"}, 127, "no-such-command: not found", false},
		{"no such path", []string{"/no/such/command"}, 127, "/no/such/command: not found", false},
		{"not executable", []string{filepath.Join(bin, "plain")}, 126, "cannot be run", false},
		{"a directory", []string{bin}, 126, "cannot be run", false},
		{"no interpreter", []string{filepath.Join(bin, "script")}, 127, "/no/such/interpreter", true},
		{"no format", []string{filepath.Join(bin, "text")}, 126, "exec format error", true},
		{"blank", []string{"  "}, 78, "blank", false},
		{"none", nil, 78, "no command to run", false},
	}
	for _, tt := range tests {
		for _, mode := range []string{"0", "1"} {
			t.Run(tt.name+"/supervise="+mode, func(t *testing.T) {
				t.Parallel()
				db := filepath.Join(t.TempDir(), "app.db")
				r := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + migrations, "FLYSQL_SUPERVISE=" + mode}, app: tt.app}.run(t).expect(t, tt.code)
				contains(t, r.stderr, tt.want)
				if _, err := os.Stat(db); (err == nil) != tt.ran {
					t.Errorf("database made: %v, want %v", err == nil, tt.ran)
				}
			})
		}
	}
}

// Fly runs the ENTRYPOINT where no volume is: the command is run as it stands.
func TestPassThrough(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		env     []string
		app     []string
		warning bool
	}{
		{"release command that migrates", []string{"RELEASE_COMMAND=1"}, []string{"sh", "-c", "echo ran; : bin/rails db:migrate"}, true},
		{"release command", []string{"RELEASE_COMMAND=1"}, []string{"sh", "-c", "echo ran"}, false},
		{"machine check", []string{"FLY_TEST_COMMAND=1"}, []string{"sh", "-c", "echo ran"}, false},
		{"skip", []string{"FLYSQL_SKIP=1"}, []string{"sh", "-c", "echo ran; : goose up"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// On Fly, with a database on no volume and a directory that is not there.
			r := entry{db: "/nowhere/app.db", env: append(tt.env, "FLY_MACHINE_ID=m1", "FLYSQL_MIGRATIONS=/nowhere", "FLYSQL_USER=nobody"), app: tt.app}.run(t).expect(t, 0)
			if r.stdout != "ran\n" || r.outcome("mode") != passThrough || r.outcome("guard") != "" {
				t.Errorf("stdout %q\n%s", r.stdout, r.stderr)
			}
			if got := strings.Contains(r.stderr, "no volume"); got != tt.warning {
				t.Errorf("warned of a migration without a volume: %v, want %v", got, tt.warning)
			}
		})
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	tree, file, _ := tools[0].write(createA)
	dir := t.TempDir()
	db := filepath.Join(dir, "app.db")
	r := entry{db: db, flags: []string{"--dry-run", "--migrations", files(t, tree)}, app: []string{"sh", "-c", "echo ran"}}.run(t).expect(t, 0)
	contains(t, r.text("migrate", "pending"), file)
	if entries, _ := os.ReadDir(dir); len(entries) > 0 || r.stdout != "" {
		t.Errorf("a dry run wrote %v and printed %q", entries, r.stdout)
	}
}

// A dry run of a database that a crash left changes nothing either.
func TestDryRunAfterACrash(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		dir := t.TempDir()
		db := crashed(t, dir, mode)
		list := func() string {
			var all []string
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.HasSuffix(e.Name(), "-shm") {
					continue // an index of the WAL, which every reader writes
				}
				data, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, fmt.Sprintf("%s %x", e.Name(), sha256.Sum256(data)))
			}
			return strings.Join(all, "\n")
		}
		before := list()
		entry{db: db, flags: []string{"--dry-run"}, app: []string{"true"}}.run(t).expect(t, 0)
		if after := list(); after != before {
			t.Errorf("%s:\n%s\nwas:\n%s", mode, after, before)
		}
	}
}

// Boots that fail again and again do not push out the older snapshots, and files
// that a person put among them stay.
func TestOlderSnapshotsStay(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 100)
	good, _, _ := tools[0].write(createA)
	e := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, good), "FLYSQL_SNAPSHOTS=1"}, app: []string{"true"}}
	first := e.run(t).expect(t, 0).text("snapshot", "file")
	mine := first + ".mine"
	if err := os.WriteFile(mine, nil, 0o644); err != nil {
		t.Fatal(err)
	}

	bad, _, _ := tools[0].write(createA, sqlStep{name: "bad", up: []string{"CRATE x;"}})
	e.env[0] = "FLYSQL_MIGRATIONS=" + files(t, bad)
	for range 3 {
		e.run(t).expect(t, 1)
	}
	for _, file := range []string{first, mine} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	// A command that changes nothing leaves no snapshot either.
	e.env = []string{"FLYSQL_MIGRATE=true", "FLYSQL_SNAPSHOTS=1"}
	e.run(t).expect(t, 0)
	if got, _ := filepath.Glob(filepath.Join(filepath.Dir(first), "*")); len(got) != 2 {
		t.Errorf("snapshots: %v", got)
	}
	third, _, _ := tools[0].write(createA, createB)
	e.env = []string{"FLYSQL_MIGRATIONS=" + files(t, third), "FLYSQL_SNAPSHOTS=1"}
	e.run(t).expect(t, 0)
	if _, err := os.Stat(first); err == nil {
		t.Error("two snapshots are kept, want one")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}
