package entrypoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// look is --status beside what e boots, by a process of its own.
func (e entry) look(t *testing.T, who *syscall.Credential) Status {
	t.Helper()
	e.flags, e.app, e.cred, e.after, e.fault = []string{"--status", "--json"}, nil, who, nil, ""
	r := e.run(t).expect(t, 0)
	var s Status
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil || strings.Count(r.stdout, "\n") != 1 {
		t.Fatalf("%v in %q", err, r.stdout)
	}
	return s
}

// names lists a directory, all of it.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		found = append(found, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Before the first boot, after it, with another migration in the image, and while an
// app has the database open: the look tells what is, and leaves no trace.
func TestStatusOnVolume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openPath(t, dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "app.db")
	with := func(steps ...sqlStep) entry {
		return entry{db: "file://" + path, dir: "/", app: serving, env: []string{"FLYSQL_MIGRATIONS=" + migrationsOf(t, tools[0], steps...)}}
	}
	check := func(when string, e entry, want func(Status) bool) {
		t.Helper()
		before := names(t, dir)
		s := e.look(t, nil)
		if s.Mode != volumeMode || s.LiteFS != nil || s.Volume.Size == 0 || !want(s) {
			t.Errorf("%s: %+v", when, s)
		}
		if after := names(t, dir); !slices.Equal(before, after) {
			t.Errorf("%s: files were %q, and are %q", when, before, after)
		}
	}
	one := with(createA)
	check("before", one, func(s Status) bool {
		return !s.Ready && strings.Contains(s.Why, "no database yet") && len(s.Databases) == 0 && len(s.Migrations.Pending) == 1
	})
	p := one.start(t)
	p.isServing()
	check("while the app runs", one, func(s Status) bool {
		return s.Ready && s.Migrations.Applied == 1 && len(s.Migrations.Pending) == 0 && *s.Databases[0].Size > 0
	})
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 3)
	check("pending", with(createA, createB), func(s Status) bool {
		return s.Ready && s.Migrations.Applied == 1 && len(s.Migrations.Pending) == 1 && strings.HasSuffix(s.Migrations.Pending[0], ".sql")
	})
	command := one
	command.env = []string{"FLYSQL_MIGRATE=true"}
	check("a command", command, func(s Status) bool { return s.Migrations.Tool == "command" && s.Migrations.Why != "" })

	if err := os.WriteFile(stateOf(path).journal(), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("cut short", one, func(s Status) bool { return !s.Ready && strings.Contains(s.Why, "a migration is under way") })
}

// What a crash left for SQLite to recover is not recovered by a look, which may be
// another user's than the app's.
func TestStatusAfterCrash(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			path := crashed(t, t.TempDir(), mode)
			os.Remove(path + "-shm")
			before := names(t, filepath.Dir(path))
			s := entry{db: path, env: []string{"FLYSQL_MIGRATIONS=" + migrationsOf(t, tools[0], createA)}}.look(t, nil)
			if s.Migrations.Why == "" || len(s.Databases) != 1 || mode == "wal" && *s.Databases[0].WAL == 0 {
				t.Errorf("%+v", s)
			}
			if after := names(t, filepath.Dir(path)); !slices.Equal(before, after) {
				t.Errorf("files were %q, and are %q", before, after)
			}
		})
	}
}

// On Fly, a database on no volume is said to be that.
func TestStatusWithoutVolume(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, path, 1)
	mounts := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(mounts, []byte("1 0 0:1 / / rw - overlay overlay rw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := entry{db: path, env: []string{"FLY_MACHINE_ID=m1", mountsFrom + "=" + mounts}}.look(t, nil)
	if s.Ready || !strings.Contains(s.Why, "is on no volume") {
		t.Errorf("%+v", s)
	}
}

// What cannot be said is exit 1, with nothing on stdout.
func TestStatusRefused(t *testing.T) {
	t.Parallel()
	broken := files(t, map[string]string{"litefs.yml": "fuse: [\n"})
	for name, tt := range map[string]struct {
		db   string
		env  []string
		want string
	}{
		"no database":    {"", nil, "no database"},
		"not a file":     {"postgres://u:p4ssw0rd@h/db", nil, "postgres"},
		"broken litefs":  {"/litefs/app.db", []string{"FLYSQL_LITEFS=" + filepath.Join(broken, "litefs.yml")}, "litefs.yml:"},
		"nowhere litefs": {"/litefs/app.db", []string{"FLYSQL_LITEFS=/nowhere/litefs.yml"}, "/nowhere/litefs.yml"},
	} {
		r := entry{db: tt.db, env: tt.env, flags: []string{"--status"}}.run(t).expect(t, 1)
		if r.stdout != "" || !strings.Contains(r.stderr, tt.want) || strings.Contains(r.stderr, "p4ssw0rd") {
			t.Errorf("%s: stdout %q, stderr %q", name, r.stdout, r.stderr)
		}
	}
}

// In a cluster every node tells what it is, as root and as the app's user; one whose
// LiteFS stands still, or is gone, tells that in time.
func TestStatusOfNodes(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	p := besideLiteFS(t, a, createA)
	p.app = serving
	p.start(t).isServing()
	b.Start()
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	openPath(t, filepath.Dir(a.Config))
	openPath(t, filepath.Dir(b.Config))

	var at string
	for _, who := range []*syscall.Credential{nil, nobody} {
		s := besideLiteFS(t, a, createA, createB).look(t, who)
		n := s.LiteFS
		if !s.Ready || s.Mode != litefsMode || !n.Answers || n.Role != "primary" || n.Primary != "a" || n.Hostname != "a" || !n.Candidate || n.Lease.Holder != "a" || n.ClusterID == "" || *n.LagMS != 0 {
			t.Errorf("%v: %+v, %+v", who, s, n)
		}
		if len(s.Databases) != 1 || s.Databases[0].Name != "app.db" || s.Databases[0].Position != a.Position("app.db") {
			t.Fatalf("%v: %+v", who, s.Databases)
		}
		if s.Databases[0].Size == nil || *s.Databases[0].Size == 0 {
			t.Errorf("%v: %+v", who, s.Databases)
		}
		if m := s.Migrations; m.Applied != 1 || len(m.Pending) != 1 || m.Why != "" {
			t.Errorf("%v: %+v", who, m)
		}
		at = s.Databases[0].Position
	}
	s := besideLiteFS(t, b, createA).look(t, nil)
	if n := s.LiteFS; !s.Ready || n.Role != "replica" || n.Primary != "a" || n.Hostname != "b" || n.LagMS == nil || s.Databases[0].Position != at || n.Watchdog != "" {
		t.Errorf("%+v, %+v", s, n)
	}

	b.Pause()
	s = besideLiteFS(t, b, createA).look(t, nil)
	b.Resume()
	if n := s.LiteFS; s.Ready || n.Answers || n.Role != "" || n.Lease.Holder != "a" || *s.Databases[0].Size == 0 || s.Migrations.Why == "" || n.ClusterID == "" {
		t.Errorf("paused: %+v, %+v", s, n)
	}
	b.Stop()
	s = besideLiteFS(t, b, createA).look(t, nil)
	if n := s.LiteFS; s.Ready || n.Answers || !strings.Contains(s.Why, "has not mounted") || s.Migrations.Why == "" {
		t.Errorf("stopped: %+v, %+v", s, n)
	}
}

// A lease server that does not answer is said not to, without its address or token.
func TestStatusWithoutLeaseServer(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{LeaseURL: "http://x:" + secretToken + "@127.0.0.1:1/x"})
	e := besideLiteFS(t, n)
	s := e.look(t, nil)
	if s.LiteFS.Lease.Why != "the lease server does not answer" || s.LiteFS.Lease.Holder != "" || s.Ready {
		t.Errorf("%+v, %+v", s, s.LiteFS)
	}
}
