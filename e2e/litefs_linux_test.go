package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/internal/testkit"
)

// litefsImage stands for the public image that holds LiteFS.
const litefsImage = "flyio/litefs:0.5.14"

// litefsContext is a directory with the LiteFS that the tests build, laid out as in
// its image.
func litefsContext(t *testing.T) map[string]string {
	t.Helper()
	binary, err := os.ReadFile(testkit.LiteFS(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "usr", "local", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "litefs"), binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return map[string]string{litefsImage: dir}
}

const litefsYAML = `fuse:
  dir: "/litefs"
  allow-other: true
data:
  dir: "/data/litefs"
proxy:
  addr: ":${PROXY_PORT}"
  target: "localhost:${PORT}"
  db: "app.db"
lease:
  type: "consul"
  hostname: "${FLY_MACHINE_ID}"
  advertise-url: "http://${FLY_MACHINE_ID}.vm.${FLY_APP_NAME}.internal:20202"
  candidate: ${FLY_REGION == PRIMARY_REGION}
  promote: false
  consul:
    url: "${FLY_CONSUL_URL}"
    key: "litefs/${FLY_APP_NAME}"
`

// withLiteFS is the guestbook's image with a LiteFS node in it.
func withLiteFS(t *testing.T) built {
	t.Helper()
	r := must(t, shop.guestbook)
	dir := filepath.Join(t.TempDir(), "guestbook")
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	file := string(text)
	for _, edit := range [][2]string{
		{"ca-certificates", "ca-certificates fuse3"},
		{"ENV FLYSQL_USER=app", "COPY --from=" + litefsImage + " /usr/local/bin/litefs /usr/local/bin/litefs\nCOPY litefs.yml /etc/litefs.yml\nENV FLYSQL_DB=/litefs/app.db FLYSQL_USER=app"},
	} {
		if !strings.Contains(file, edit[0]) {
			t.Fatalf("the Dockerfile has no %q:\n%s", edit[0], file)
		}
		file = strings.Replace(file, edit[0], edit[1], 1)
	}
	for name, text := range map[string]string{"Dockerfile": file, "litefs.yml": litefsYAML} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	img, err := image.Build(testContext(t), dir, image.Options{Way: image.Chroot, Contexts: litefsContext(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	})
	return built{img, r.app}
}

// A machine whose image runs LiteFS beside the app: requests come through LiteFS's
// proxy, rows are on the volume, and outlive a stop and a kill of the whole machine.
func TestContainerLiteFS(t *testing.T) {
	needRoot(t)
	t.Parallel()
	img := withLiteFS(t)
	leases := testkit.NewLease(t)
	m := onFly(t, 256)
	boot := func() *server {
		t.Helper()
		proxy, err := fly.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		m.env = []string{"FLY_CONSUL_URL=" + leases.URL, "DATABASE_URL=file:///litefs/app.db", fmt.Sprintf("PROXY_PORT=%d", proxy)}
		s := start(t, img, m)
		s.Client = guestbook.New(proxy)
		if err := s.Healthy(testContext(t), img.app.HealthPath(), s.Done()); err != nil {
			t.Fatal(err)
		}
		return s
	}

	s := boot()
	wantInOrder(t, s.log.String(), "msg=mode outcome=litefs", "msg=guard outcome=ok", "data=/data/litefs", "fs=ext4", "msg=own outcome=ok", "user=app",
		"msg=node outcome=ok", "role=primary", "msg=migrate outcome=ok", "applied=3", "msg=app outcome=started")
	out, err := s.Run("sh", "-c", `for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = guestbook ] && grep -E '^(Uid|CapEff):' $p/status; done; true`)
	if want := "Uid:\t10001\t10001\t10001\t10001\nCapEff:\t0000000000000000\n"; err != nil || out != want {
		t.Errorf("the app: %q, %v, want %q", out, err, want)
	}
	rows := s.sign(t, 20)
	s.stop(t)
	wantInOrder(t, s.log.String(), "msg=app outcome=ended", "exit=0", "litefs shut down complete", "msg=node outcome=stopped")

	s = boot()
	wantInOrder(t, s.log.String(), "changed=0", "applied=0")
	s.has(t, rows)
	rows = s.sign(t, 20)
	s.kill(t)
	if _, err := leases.Expire("litefs/" + img.app.App); err != nil {
		t.Fatal(err)
	}

	s = boot()
	s.has(t, rows)
	s.sign(t, 1)
	s.stop(t)

	// Without its volume, what LiteFS keeps would be lost.
	bare := machine{id: machineID, env: []string{"FLY_CONSUL_URL=" + leases.URL, "PROXY_PORT=1", "DATABASE_URL=file:///litefs/app.db"}}
	start(t, img, bare).refused(t, 78, "data.dir /data/litefs would be lost", "overlay", "[[mounts]]")
}
