package entrypoint

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
	"golang.org/x/sys/unix"
)

// litefsOf is the pid of the LiteFS that runs a node.
func litefsOf(t *testing.T, n *testkit.Node) int {
	t.Helper()
	found := commandsWith(t, "mount\x00-config\x00"+n.Config)
	if len(found) != 1 {
		t.Fatalf("LiteFS with %s: %v", n.Config, found)
	}
	dir, _, _ := strings.Cut(found[0], " ")
	pid, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// LiteFS that dies takes the app down, with a clear message and a code that is not
// the app's.
func TestLiteFSDies(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	e := besideLiteFS(t, n, createA, createB)
	for range 2 {
		e.app = serving
		p := e.start(t)
		p.isServing()
		if err := syscall.Kill(litefsOf(t, n), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r := p.wait().expect(t, 1)
		contains(t, r.stderr, `LiteFS ended with signal \"killed\" (status 137) while the app ran`)
		if !strings.HasSuffix(r.stdout, "ending\n") {
			t.Errorf("the app was not asked to end: %q", r.stdout)
		}
		nothingLeft(t, n)
	}
	e.app = []string{"true"}
	e.run(t).expect(t, 0)
}

// LiteFS that hangs, or an app that will not end, is killed after the grace, or at
// once by a second signal. Nothing is left.
func TestLiteFSStubborn(t *testing.T) {
	stubborn := []string{"sh", "-c", "trap '' TERM INT; echo serving; while :; do sleep 0.05; done"}
	tests := []struct {
		name  string
		app   []string
		grace string
		twice bool
		hang  bool
		code  int
		want  string
	}{
		{name: "the app", app: stubborn, grace: "300ms", code: 137, want: "the app did not end within 300ms"},
		{name: "the app, twice", app: stubborn, grace: "1h", twice: true, code: 137},
		{name: "LiteFS", app: serving, grace: "300ms", hang: true, code: 3, want: "LiteFS did not end within 300ms"},
		{name: "LiteFS, twice", app: serving, grace: "1h", hang: true, twice: true, code: 3, want: "a second signal came"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := testkit.NewNode(t, "a", testkit.NodeOptions{})
			e := besideLiteFS(t, n)
			e.env = append(e.env, "FLYSQL_GRACE="+tt.grace)
			e.app = tt.app
			p := e.start(t)
			p.isServing()
			if tt.hang {
				if err := syscall.Kill(litefsOf(t, n), syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			p.signal(syscall.SIGTERM)
			if tt.twice {
				if tt.hang {
					p.waitFor(`"msg":"app","outcome":"ended"`)
				}
				p.signal(syscall.SIGINT) // two of a kind could become one
			}
			r := p.wait().expect(t, tt.code)
			contains(t, r.stderr, tt.want)
			nothingLeft(t, n)
		})
	}
}

// kill -9 of the entrypoint takes LiteFS and the app with it, and the next boot in
// the same place finds every row that was committed.
func TestLiteFSEntrypointKilled(t *testing.T) {
	t.Parallel()
	l := testkit.NewLease(t)
	n := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l})
	e := besideLiteFS(t, n, createA, createB)
	e.env = append(e.env, "FLYSQL_USER=65534:65534")
	e.app = serving
	for i := range 3 {
		p := e.start(t)
		p.isServing()
		run(t, n.DB("app.db"), "INSERT INTO a VALUES (NULL)")
		p.signal(syscall.SIGKILL)
		p.wait().expect(t, 137)
		if _, err := l.Expire(testkit.Key); err != nil {
			t.Fatal(err)
		}
		e.app = []string{"true"}
		r := e.run(t).expect(t, 0)
		contains(t, r.text("node", "outcome")+r.stderr, "a mount that an earlier LiteFS left")
		e.app = serving
		goneWith(t, n)
		whatIs(t, n, func(db string) {
			if got, want := query(t, db, "SELECT count(*) FROM a"), fmt.Sprint(i+1); got != want {
				t.Errorf("%s rows, want %s", got, want)
			}
		})
	}
	nothingLeft(t, n)
}

// The app that is killed ends the boot with its code, in order.
func TestLiteFSAppKilled(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	e := besideLiteFS(t, n)
	e.app = []string{"sh", "-c", "kill -9 $$"}
	r := e.run(t).expect(t, 137)
	if r.outcome("node") != "stopped" {
		t.Errorf("node: %v", r.line("node"))
	}
	nothingLeft(t, n)
}

// kill -9 at every point of a boot beside LiteFS: the next one ends with all
// migrations applied once, every row there, and nothing left over.
func TestLiteFSKilledAtEveryPoint(t *testing.T) {
	points := []string{"guard", "own", "node", "node.start", "node.ready", "check", "snapshot", "snapshot.copy", "snapshot.copied", "migrate", "migrate.journal", "migrate.done", "app"}
	inStage := points[5:12]
	for _, mode := range journalModes {
		for _, point := range points {
			t.Run(mode+"/"+point, func(t *testing.T) {
				t.Parallel()
				n := testkit.NewNode(t, "a", testkit.NodeOptions{})
				before := withRows(t, n, mode, 100)
				e := besideLiteFS(t, n, createA, createB)
				e.fault = point + "=kill"
				code := 137
				for _, p := range inStage { // a process of its own: the boot tells of its end
					if p == point {
						code = 1
					}
				}
				e.run(t).expect(t, code)
				e.fault = ""
				e.run(t).expect(t, 0)
				checkLiteFS(t, n, before)
			})
		}
	}
}

func checkLiteFS(t *testing.T, n *testkit.Node, before string) {
	t.Helper()
	whatIs(t, n, func(db string) {
		if got := query(t, db, "SELECT id FROM b"); got != "1" || fingerprint(t, db) != before {
			t.Errorf("b holds %q, rows the same: %v", got, fingerprint(t, db) == before)
		}
		if got := tables(t, db); got != "a,b,goose_db_version,kept" {
			t.Errorf("tables: %s", got)
		}
	})
	if left := leftoversOf(t, n); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	nothingLeft(t, n)
}

// The same while a snapshot is put back, twice in a row.
func TestLiteFSKilledWhileRestoring(t *testing.T) {
	noTx := sqlStep{name: "broken", noTx: true, up: []string{"CREATE TABLE c(id);", "CREATE TABLE big(v);", "INSERT INTO big SELECT randomblob(20000) FROM kept;", "UPDATE kept SET v = 'x';", "CRATE x;"}}
	for _, mode := range journalModes {
		for _, point := range []string{"restore.begin", "restore.source", "restore.done"} {
			t.Run(mode+"/"+point, func(t *testing.T) {
				t.Parallel()
				n := testkit.NewNode(t, "a", testkit.NodeOptions{})
				before := withRows(t, n, mode, 100)
				e := besideLiteFS(t, n, noTx)
				e.fault = point + "=kill"
				e.run(t).expect(t, 1)
				e.run(t).expect(t, 1) // killed at the same point again, or fails as before
				mended := besideLiteFS(t, n, createA, createB)
				mended.run(t).expect(t, 0)
				checkLiteFS(t, n, before)
			})
		}
	}
}

// kill -9 of the entrypoint, of LiteFS, or of the process that migrates, at moments
// that nobody chose, in boots whose migration fails half-way outside a transaction:
// the mended release boots with every row there.
func TestLiteFSKilledAtRandom(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	noTx := sqlStep{name: "broken", noTx: true, up: []string{"CREATE TABLE c(id);", "UPDATE kept SET v = 'x';", "DELETE FROM kept WHERE id > 50;", "CRATE x;"}}
	for i := range 12 {
		var moments []time.Duration
		var victims []int
		for range 3 {
			moments = append(moments, time.Duration(random.Int64N(int64(400*time.Millisecond))))
			victims = append(victims, random.IntN(3))
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			n := testkit.NewNode(t, "a", testkit.NodeOptions{})
			before := withRows(t, n, journalModes[i%2], 100)
			bad := besideLiteFS(t, n, createA, noTx)
			for k, moment := range moments {
				p := bad.start(t)
				select {
				case <-time.After(moment):
					killOneOf(t, p, n, victims[k])
				case <-p.exited:
				}
				p.wait()
				// What mounts for a LiteFS that was killed does so all the same. A
				// machine's end would end it.
				testkit.Poll(t, "nobody to mount", func() bool { return len(commandsWith(t, n.Mount)) == 0 })
			}
			besideLiteFS(t, n, createA, createB).run(t).expect(t, 0)
			checkLiteFS(t, n, before)
		})
	}
}

// killOneOf kills the entrypoint (0), its LiteFS (1), or its process for the
// database (2), where there is one at the moment.
func killOneOf(t *testing.T, p *process, n *testkit.Node, which int) {
	t.Helper()
	pid := p.cmd.Process.Pid
	for _, c := range commandsWith(t, "") {
		var child int
		if _, err := fmt.Sscanf(c, "/proc/%d ", &child); err != nil || parentOf(t, child) != p.cmd.Process.Pid {
			continue
		}
		isLiteFS := strings.Contains(c, n.Config)
		if which == 1 && isLiteFS || which == 2 && !isLiteFS {
			pid = child
		}
	}
	_ = syscall.Kill(pid, syscall.SIGKILL) // one that has ended by itself is fine
}

// On Fly's first boot of a volume the app's user gets all but LiteFS's own, and is
// who the app and the migrations run as. Snapshots are that user's too.
func TestLiteFSOwn(t *testing.T) {
	testkit.LiteFS(t)
	volume := disk(t, "ext4", "")
	dir := t.TempDir()
	openPath(t, dir)
	os.Chmod(dir, 0o755)
	n := testkit.NewNode(t, "a", testkit.NodeOptions{Dir: dir, DataDir: filepath.Join(volume, "litefs")})
	if err := os.WriteFile(filepath.Join(volume, "upload"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e := besideLiteFS(t, n, createA)
	e.env = append(e.env, "FLY_MACHINE_ID=m1", "FLYSQL_USER=nobody")
	e.app = []string{"sh", "-c", "id -u; id -G; echo $HOME; sqlite3 $FLYSQL_DB 'INSERT INTO a VALUES (7); SELECT * FROM a'"}
	r := e.run(t).expect(t, 0)
	if want := "65534\n65534\n/nonexistent\n7\n"; r.stdout != want {
		t.Errorf("the app printed %q, want %q\n%s", r.stdout, want, r.stderr)
	}
	owner := func(path string) int {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	for path, want := range map[string]int{"": 65534, "upload": 65534, ".flysql/litefs": 65534, "litefs": 0, "litefs/dbs": 0} {
		if got := owner(filepath.Join(volume, path)); got != want {
			t.Errorf("%s belongs to uid %d, want %d", path, got, want)
		}
	}
	e.env = append(e.env, "FLYSQL_MIGRATIONS="+migrationsOf(t, tools[0], createA, createB))
	r = e.run(t)
	if r.outcome("snapshot") != "ok" || r.line("own")["changed"] != 0.0 {
		t.Errorf("snapshot %v, own %v", r.line("snapshot"), r.line("own"))
	}
	if got := owner(r.text("snapshot", "file")); got != 65534 {
		t.Errorf("the snapshot belongs to uid %d", got)
	}
	nothingLeft(t, n)
}

// The directory for locks is the app's, and the boot is root: no link in it is
// followed.
func TestLiteFSFollowsNoLink(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	e := besideLiteFS(t, n)
	e.run(t).expect(t, 0)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("root's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{filepath.Join(stateOn(n), "node.lock"), filepath.Join(stateOn(n), "app.db.use.lock"), stateOn(n)} {
		if err := os.RemoveAll(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
		if r := e.run(t); r.code == 0 || r.stdout != "" {
			t.Errorf("%s: exit code %d, stdout %q", link, r.code, r.stdout)
		}
		if got, err := os.ReadFile(victim); string(got) != "root's" || err != nil {
			t.Fatalf("%s: the file holds %q, %v", link, got, err)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
	e.run(t).expect(t, 0)
	nothingLeft(t, n)
}

// A stage whose boot is killed does not go on alone, although it has changed its
// user, which makes the kernel forget whom it follows.
func TestLiteFSStageFollows(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	n.Start()
	makeRows(t, n, "DELETE", 10)
	n.Stop()
	e := besideLiteFS(t, n, sqlStep{name: "busy", up: []string{"CREATE TABLE busy(i);", slow}})
	e.env = append(e.env, "FLYSQL_USER=65534:65534")
	p := e.start(t)
	p.waitFor(`"msg":"snapshot","outcome":"ok"`)
	p.signal(syscall.SIGKILL)
	p.wait().expect(t, 137)
	goneWith(t, n)
	// Nobody holds the lock on the data directory.
	f, err := os.Open(filepath.Join(stateOn(n), "node.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	testkit.Poll(t, "the lock", func() bool { return !errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) })
}
