package frompostgres_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/internal/testkit"
)

// Handed to LiteFS, the magazine is in every region: each answers from its own copy, and
// what is written in one, by way of the primary, all have.
func TestRegions(t *testing.T) {
	testkit.LiteFS(t)
	t.Parallel()
	pg, w, dir := magazine(t)
	leases := testkit.NewLease(t)
	var nodes []*testkit.Node
	var ports []int
	var peers []string
	for i, name := range []string{"ams", "ord", "syd"} {
		n := testkit.NewNode(t, name, testkit.NodeOptions{Lease: leases, Replica: i > 0})
		n.Start()
		port, err := fly.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		nodes, ports, peers = append(nodes, n), append(ports, port), append(peers, fmt.Sprintf("%s=http://127.0.0.1:%d", name, port))
	}
	testkit.Poll(t, "a primary", func() bool { info, ok := nodes[0].Info(); return ok && info.IsPrimary })

	file := filepath.Join(t.TempDir(), "magazine.db")
	w.flysql(t, dir, 0, "import", pg.URL, file, "--migrations", "migrations", "--yes", fmt.Sprintf("--litefs=http://127.0.0.1:%d", nodes[0].API))
	arrived := func() {
		t.Helper()
		testkit.Poll(t, "the database everywhere", func() bool {
			at := nodes[0].Position("magazine.db")
			return at != "" && nodes[1].Position("magazine.db") == at && nodes[2].Position("magazine.db") == at
		})
	}
	arrived()
	var apps []*server
	for i, n := range nodes {
		apps = append(apps, serveAt(t, ports[i], dir, []string{"DATABASE_URL=" + n.DB("magazine.db"), fmt.Sprintf("FLYSQL_LITEFS_ADDR=127.0.0.1:%d", n.API),
			"FLYSQL_LITEFS_DIR=" + n.Mount, "FLYSQL_REPLAY_PEERS=" + strings.Join(peers, ",")}, filepath.Join(w.bin, "from-postgres")))
	}
	for _, app := range apps {
		app.wants(t, "GET /revenue", 200, `[{"month":"2026-01","paid":"4.50"},{"month":"2026-02","paid":"0.21"},{"month":"2026-03","paid":"0.10"}]`)
	}
	for i, app := range apps {
		app.wants(t, fmt.Sprintf(`POST /posts {"slug":"from-%d","title":"From a region"}`, i), 201, fmt.Sprintf(`{"id":%d}`, 7+i))
	}
	apps[2].wants(t, "DELETE /posts/unfinished", 200, `{"deleted":true}`)
	arrived()
	for _, app := range apps {
		app.wants(t, "GET /desk", 200, `[{"slug":"from-0","status":"draft","published_at":null},{"slug":"from-1","status":"draft","published_at":null},{"slug":"from-2","status":"draft","published_at":null},`+
			`{"slug":"etudes","status":"published","published_at":"2026-02-01T01:30:00Z"},{"slug":"one-cent","status":"published","published_at":"2026-02-01T00:00:00Z"},{"slug":"leaving-postgres","status":"published","published_at":"2026-01-02T03:04:05.678901Z"},{"slug":"taken-back","status":"withdrawn","published_at":"2025-12-24T18:00:00Z"}]`)
	}
	for _, app := range apps {
		app.stop() // before their nodes
	}
}

// As the README puts it on Fly: a machine whose volume has the file makes it the database of
// the cluster at its first boot, and one that is added later has it, too.
func TestFirstDeploy(t *testing.T) {
	litefs := testkit.LiteFS(t)
	t.Parallel()
	pg, w, dir := magazine(t)
	file := w.imported(t, pg, dir)
	leases := testkit.NewLease(t)
	var apps []*server
	var peers []string
	for i, name := range []string{"ams", "ord"} {
		n := testkit.NewNode(t, name, testkit.NodeOptions{Lease: leases, Replica: i > 0})
		port, err := fly.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, fmt.Sprintf("%s=http://127.0.0.1:%d", name, port))
		env := []string{"PATH=" + strings.Join([]string{w.bin, filepath.Dir(litefs), os.Getenv("PATH")}, ":"), "FLYSQL_LITEFS=" + n.Config, "DATABASE_URL=" + n.DB("magazine.db"),
			"FLYSQL_MIGRATIONS=migrations", "FLYSQL_REPLAY_PEERS=" + strings.Join(peers, ",")}
		if i == 0 {
			env = append(env, "FLYSQL_LITEFS_IMPORT="+file)
		}
		apps = append(apps, serveAt(t, port, dir, env, filepath.Join(w.bin, "flysql-entrypoint"), "from-postgres"))
	}
	if log := apps[0].log.String(); !strings.Contains(log, "msg=import outcome=ok") || !strings.Contains(log, "applied=0") {
		t.Errorf("the first boot:\n%s", log)
	}
	apps[1].wants(t, "GET /titles/taken%20BACK", 200, `[{"id":5,"slug":"taken-back","title":"Taken back","status":"withdrawn","featured":false,"price":"999999.99","tags":["{}","a,b"],"published_at":"2025-12-24T18:00:00Z"}]`)
	apps[1].wants(t, `POST /posts {"slug":"new","title":"New"}`, 201, `{"id":7}`)
	apps[0].wants(t, "GET /posts/new", 200, `{"id":7,"slug":"new","title":"New","status":"draft","featured":false,"price":"0.00","tags":[],"published_at":null}`)
	for _, app := range []*server{apps[1], apps[0]} {
		app.stop()
	}
}
