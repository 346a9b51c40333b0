package fly_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/fly"
)

const whole = `app = "a"
primary_region = "ams"
kill_signal = "SIGTERM"
kill_timeout = "30s"

[env]
  DATABASE_URL = "file:///data/a.db"
  PORT = "8080"

[[mounts]]
  source = "data"
  destination = "/data"

[http_service]
  internal_port = 8080

  [[http_service.checks]]
    path = "/healthz"
`

func read(t *testing.T, text string) (fly.App, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fly.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return fly.Read(dir)
}

func TestApp(t *testing.T) {
	app, err := read(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"DATABASE_URL=file:///data/a.db", "FLY_APP_NAME=a", "FLY_REGION=ams", "PORT=1234", "PRIMARY_REGION=ams"}
	if diff := cmp.Diff(want, app.Env(1234, "")); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	want = []string{want[0], want[1], "FLY_MACHINE_ID=m1", want[2], want[3], want[4]}
	if diff := cmp.Diff(want, app.Env(1234, "m1")); diff != "" {
		t.Errorf("environment of a machine (-want +got):\n%s", diff)
	}
	if got, err := app.Database(); got != "a.db" || err != nil {
		t.Errorf("database %q, %v, want a.db", got, err)
	}
	if app.VolumeAt() != "/data" || app.HealthPath() != "/healthz" || app.Signal() != syscall.SIGTERM || app.Grace() != 30*time.Second {
		t.Errorf("volume at %s, health at %s, %v and %v", app.VolumeAt(), app.HealthPath(), app.Signal(), app.Grace())
	}
}

func TestReadRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"not TOML":  {"app =", "fly.toml:1:"},
		"no volume": {strings.Replace(whole, "[[mounts]]\n  source = \"data\"\n  destination = \"/data\"\n", "", 1), "0 mounts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
	elsewhere, err := read(t, strings.Replace(whole, "file:///data/a.db", "file:///var/a.db", 1))
	if err == nil {
		_, err = elsewhere.Database()
	}
	if err == nil || !strings.Contains(err.Error(), "/var/a.db") {
		t.Errorf("error %v, want one that names the database", err)
	}
}
