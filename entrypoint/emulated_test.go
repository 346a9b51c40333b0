package entrypoint

import (
	"os"
	"path/filepath"
	"testing"
)

// A machine of the emulator's may have its volume on any disk, in its own directory and
// nowhere else.
func TestNeedsVolume(t *testing.T) {
	for _, tt := range []struct {
		machine, marker, path string
		want                  bool
	}{
		{"", "", "/x/app.db", false},
		{"m1", "", "/x/app.db", true},
		{"m1", "/dev:m1", "/dev/machines/m1/volume/app.db", false},
		{"m1", "/with:colon:m1", "/with:colon/machines/m1/volume/app.db", false},
		{"m1", "/dev:m1", "/dev/machines/m2/volume/app.db", true},
		{"m1", "/dev:m1", "/dev/machines/m11/app.db", true},
		{"m1", "/dev:m1", "/data/app.db", true},
		{"m1", "/dev", "/dev/machines/m1/volume/app.db", true},
		{"m1", "dev:m1", "dev/machines/m1/volume/app.db", true},
		{"m1", "1", "/data/app.db", true},
	} {
		c := Config{Env: []string{"FLY_MACHINE_ID=" + tt.machine, emulatedVariable + "=" + tt.marker}}
		if got := c.needsVolume(tt.path); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// There an app starts on the root disk. (That nothing else of that disk is given to
// FLYSQL_USER is not tried: a failure would give all of it.)
func TestGuardEmulated(t *testing.T) {
	dir := t.TempDir()
	volume := filepath.Join(dir, "machines", "m1", "volume")
	if err := os.MkdirAll(volume, 0o755); err != nil {
		t.Fatal(err)
	}
	e := entry{db: filepath.Join(volume, "app.db"), env: []string{"FLY_MACHINE_ID=m1", emulatedVariable + "=" + dir + ":m1"}, app: []string{"sh", "-c", "echo ran"}}
	if r := e.run(t).expect(t, 0); r.stdout != "ran\n" {
		t.Errorf("stdout %q", r.stdout)
	}
	e.db = filepath.Join(dir, "app.db")
	contains(t, e.run(t).expect(t, 78).stderr, "every deploy replaces")
}
