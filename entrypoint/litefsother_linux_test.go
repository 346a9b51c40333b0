package entrypoint

import (
	"os"
	"path/filepath"
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
