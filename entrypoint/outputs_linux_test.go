package entrypoint

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// The app can make its directory on a volume that was root's, as its own user.
func TestLocalDirOfAUser(t *testing.T) {
	testkit.NeedRoot(t)
	volume := disk(t, "ext4", "")
	openPath(t, volume)
	for _, supervise := range []string{"0", "1"} {
		e := entry{db: filepath.Join(volume, "app.db"), dir: "/", env: []string{"FLY_MACHINE_ID=m1", "FLYSQL_USER=65534:65534", "FLYSQL_SUPERVISE=" + supervise},
			app: []string{"sh", "-c", `set -e; mkdir -p "$FLYSQL_LOCAL_DIR"; echo x >"$FLYSQL_LOCAL_DIR/cache"; id -u; echo $FLYSQL_LOCAL_DIR`}}
		want := "65534\n" + filepath.Join(volume, stateDir, "local") + "\n"
		if got := e.run(t).expect(t, 0).stdout; got != want {
			t.Errorf("supervise=%s: the app said %q, want %q", supervise, got, want)
		}
	}
}

// Beside LiteFS the app is told where that is, and has a directory on the volume that
// it can write as its own user.
func TestOutputsBesideLiteFS(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: testkit.NewLease(t)})
	openPath(t, n.Mount)
	e := besideLiteFS(t, n)
	e.env = append(e.env, "FLYSQL_USER=65534:65534")
	e.app = []string{"sh", "-c", "set -e; echo $FLYSQL_LITEFS_ADDR $FLYSQL_LITEFS_DIR $FLYSQL_LOCAL_DIR; ls \"$FLYSQL_LITEFS_DIR\" >/dev/null; cd \"$FLYSQL_LOCAL_DIR\"; id -u; echo x >cache; cat cache"}
	local := filepath.Join(filepath.Dir(stateOn(n)), "local")
	want := fmt.Sprintf("127.0.0.1:%d ", n.API) + n.Mount + " " + local + "\n65534\nx\n"
	for range 2 {
		if got := e.run(t).expect(t, 0).stdout; got != want {
			t.Errorf("the app was told %q, want %q", got, want)
		}
	}
	nothingLeft(t, n)
}
