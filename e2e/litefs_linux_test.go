package e2e_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/flysql/flysql/e2e/apprepo"
	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/network"
	"github.com/flysql/flysql/internal/lease"
	"github.com/flysql/flysql/internal/testkit"
)

// litefsContext stands for the public image that holds LiteFS.
func litefsContext(t *testing.T) map[string]string {
	t.Helper()
	contexts, err := apprepo.LiteFSImage(testkit.LiteFS(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return contexts
}

// regionsImage is examples/regions, built from what git has.
func regionsImage(t *testing.T) built {
	t.Helper()
	contexts := litefsContext(t)
	dir := gitFiles(t, must(t, shop.clone))
	app, err := fly.Read(filepath.Join(dir, regionsExample))
	if err != nil {
		t.Fatal(err)
	}
	img, err := image.Build(slowContext(t), dir, image.Options{Way: image.Chroot, Contexts: contexts, Dockerfile: filepath.Join(regionsExample, "Dockerfile")})
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

// newNetwork has a place for one machine, and the lease server in its hub.
func newNetwork(t *testing.T) (n *network.Network, leases *lease.Server, consulURL string) {
	t.Helper()
	n, err := network.New(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	if leases, err = lease.Open(lease.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	l, err := n.Listen(8500)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: leases}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-served })
	return n, leases, "http://" + l.Addr().String()
}

// A machine with the image of examples/regions, on Fly's ports: requests come through LiteFS's
// proxy, rows are on the volume, and outlive a stop and a kill of the whole machine.
func TestContainerLiteFS(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := regionsImage(t)
	n, leases, consul := newNetwork(t)
	place := n.Place(0)
	transport := &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}
	m := onFly(t, 256)
	m.place = &place
	m.env = []string{"FLY_CONSUL_URL=" + consul, "PORT=" + img.app.Config.Env["PORT"]}
	boot := func() *server {
		t.Helper()
		s := start(t, img, m)
		s.Client = guestbook.At(fmt.Sprintf("http://%v", netip.AddrPortFrom(place.Addr, uint16(img.app.HTTPService.InternalPort))),
			&http.Client{Transport: transport, Timeout: 10 * time.Second})
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
	bare := m
	bare.volume = ""
	start(t, img, bare).refused(t, 78, "data.dir /data/litefs would be lost", "overlay", "[[mounts]]")
}
