package entrypoint

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// What the same deploys lose where LiteFS starts the app itself, as Fly's
// documentation sets it up: https://fly.io/docs/litefs/getting-started-fly/. There is
// no migration in them, for nobody here would order those.
func TestLiteFSRollingDeploysByMount(t *testing.T) {
	if os.Getenv(deploysVariable) == "" {
		testkit.NotRun(t, "time", "make soak")
	}
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			l := testkit.NewLease(t)
			f := &fleet{t: t, mode: mode + " by litefs mount"}
			for i, name := range []string{"a", "b", "c"} {
				app, dir := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)), t.TempDir()
				f.apps = append(f.apps, app)
				f.nodes = append(f.nodes, testkit.NewNode(t, name, testkit.NodeOptions{Lease: l, Replica: i == 2, Dir: dir,
					Extra: fmt.Sprintf("  promote: true\nexec:\n  - cmd: \"env '%s=%s %s/mnt/app.db 1' %s\"\n", asApp, app, dir, executable)}))
			}
			plain := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l, Dir: t.TempDir(), DataDir: f.nodes[0].Data})
			withRows(t, plain, mode, 10)
			plain.Start()
			run(t, plain.DB("app.db"), "CREATE TABLE rows(id INTEGER NOT NULL, at INTEGER)", "CREATE TABLE goose_db_version(version_id INTEGER)", "INSERT INTO goose_db_version VALUES (1)")
			plain.Stop()
			for i := range f.nodes {
				f.startByMount(i)
			}
			load := newLoad(4, f.apps)
			var pauses []time.Duration
			for n := range deploys(t) {
				for _, i := range orders[n%len(orders)] {
					from := time.Now()
					f.nodes[i].Stop()
					f.startByMount(i)
					pauses = append(pauses, load.pause(from, time.Now()))
				}
			}
			load.end()
			f.compare(load, pauses)
		})
	}
}

// startByMount starts a machine, again where its app ends instead of serving, as Fly
// would.
func (f *fleet) startByMount(i int) {
	f.t.Helper()
	serves := func() bool {
		conn, err := net.Dial("tcp", f.apps[i])
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	for range 5 {
		f.nodes[i].Start()
		if waitUntil(10*time.Second, serves) {
			return
		}
		f.down++
		f.t.Logf("%s: no app:\n%s", f.nodes[i].Name, f.nodes[i].Log())
		f.nodes[i].Stop()
	}
	f.t.Fatalf("the app of %s does not start", f.nodes[i].Name)
}
