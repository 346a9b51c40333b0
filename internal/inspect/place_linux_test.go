package inspect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPlace(t *testing.T) {
	dir := t.TempDir()
	mount := filepath.Join(dir, "mount")
	if err := os.MkdirAll(filepath.Join(dir, "lagging"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lagging", ".lag"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "litefs.yml")
	if err := os.WriteFile(config, []byte("fuse:\n  dir: "+mount+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := LiteFSHere([]string{"FLYSQL_LITEFS=" + config}); err != nil || c.FUSEDir != mount || c.Remote {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := LiteFSHere([]string{"FLYSQL_LITEFS=off"}); err != nil || c.FUSEDir != "" || !c.Remote {
		t.Errorf("%+v, %v", c, err)
	}
	for _, tt := range []struct{ path, want string }{
		{filepath.Join(dir, "app.db"), ""},
		{filepath.Join(mount, "app.db"), "is in the LiteFS mount"},
		{filepath.Join(dir, "lagging", "app.db"), "is in the LiteFS mount"},
	} {
		err := CheckPlace([]string{"FLYSQL_LITEFS=" + config}, tt.path)
		if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.want)
		}
	}
}
