package e2e_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/flysql/flysql/e2e/apprepo"
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

// withLiteFS is the guestbook as flysql init --mode litefs sets it up, built.
func withLiteFS(t *testing.T) built {
	t.Helper()
	flysql, clone := must(t, shop.flysql), must(t, shop.clone)
	dir := filepath.Join(t.TempDir(), "guestbook")
	if err := apprepo.Guestbook(clone, dir); err != nil {
		t.Fatal(err)
	}
	port, err := fly.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apprepo.Init(testContext(t), flysql, dir, "--mode", "litefs", "--port", strconv.Itoa(port)); err != nil {
		t.Fatal(err)
	}
	app, err := fly.Read(dir)
	if err != nil {
		t.Fatal(err)
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
	return built{img, app}
}

// A machine with the image that flysql init makes for LiteFS, unedited: requests come through LiteFS's
// proxy, rows are on the volume, and outlive a stop and a kill of the whole machine.
func TestContainerLiteFS(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := withLiteFS(t)
	leases := testkit.NewLease(t)
	m := onFly(t, 256)
	boot := func() *server {
		t.Helper()
		m.env = []string{"FLY_CONSUL_URL=" + leases.URL, "PORT=" + img.app.Config.Env["PORT"]}
		s := start(t, img, m)
		s.Client = guestbook.New(img.app.HTTPService.InternalPort)
		// The first check is answered by LiteFS's proxy, before the app is there.
		checks := img.app.HTTPService.Checks
		if err := s.Healthy(testContext(t), checks[len(checks)-1].Path, s.Done()); err != nil {
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
	bare := machine{id: machineID, env: []string{"FLY_CONSUL_URL=" + leases.URL}}
	start(t, img, bare).refused(t, 78, "data.dir /data/litefs would be lost", "overlay", "[[mounts]]")
}
