package entrypoint

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// A node whose data is of another cluster, or of none that the lease server knows, is
// not let in by LiteFS, which says so and waits: the boot says why, and what to do.
func TestLiteFSOtherCluster(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(file string) error
		want string
	}{
		{"another", func(file string) error { return os.WriteFile(file, []byte("LFSC0123456789ABCDEF\n"), 0o600) }, "its data is of the cluster LFSC0123456789ABCDEF, and the lease server's is LFSC"},
		{"none", os.Remove, "its data is of no cluster, and the lease server's is LFSC"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := testkit.NewLease(t)
			n := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l})
			withRows(t, n, "WAL", 10)
			if err := tt.edit(filepath.Join(n.Data, "clusterid")); err != nil {
				t.Fatal(err)
			}
			e := besideLiteFS(t, n)
			e.env = append(e.env, "FLYSQL_LITEFS_WAIT=2s")
			r := e.run(t).expect(t, 1)
			contains(t, r.stderr, `"msg":"node","outcome":"failed"`, tt.want, "docs/litefs.md of flysql says")
			nothingLeft(t, n)
		})
	}
}

// A volume restored from a snapshot is older than the primary, and has nothing alone:
// it catches up, and nothing is told as lost.
func TestLiteFSOldVolume(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	e := besideLiteFS(t, a)
	e.app = serving
	p := e.start(t)
	p.isServing()
	makeRows(t, a, "WAL", 50)
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 3)
	volume := filepath.Dir(a.Data)
	if out, err := exec.Command("cp", "-a", volume, volume+".snapshot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p = e.start(t)
	p.isServing()
	b.Start()
	run(t, a.DB("app.db"), "INSERT INTO kept (v) VALUES ('after the snapshot')")
	testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 3)
	testkit.Poll(t, "b primary", func() bool { info, _ := b.Info(); return info.IsPrimary })
	for _, move := range [][2]string{{volume, volume + ".lost"}, {volume + ".snapshot", volume}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
	p = e.start(t)
	p.isServing()
	if got := readOnly(t, a.DB("app.db"), "SELECT count(*) FROM kept"); got != "51" {
		t.Errorf("%s rows", got)
	}
	p.signal(syscall.SIGTERM)
	r := p.wait().expect(t, 3)
	if line := r.line("salvage"); line != nil {
		t.Errorf("salvage: %v", line)
	}
	noAside(t, a)
}
