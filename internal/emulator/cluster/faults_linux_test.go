package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/testkit"
)

// An app that crashes in one region only: all ends, or where that is wanted the others
// stay up.
func TestOneRegionFails(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	o.Command = []string{"/bin/sh", "-c", `if [ "$FLY_REGION" = syd ]; then echo no atlas for syd >&2; exit 3; fi; exec ` + o.Command[0]}
	const want = "machine syd1: it ended before it served: exit status 3\n"
	_, err := cluster.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "no atlas for syd") {
		t.Fatalf("%v", err)
	}
	o.Partial = true
	c, err := cluster.Start(t.Context(), o)
	some := (*cluster.BootError)(nil)
	if !errors.As(err, &some) || len(some.Machines) != 1 || some.Machines[0].ID != "syd1" || !strings.Contains(err.Error(), want) {
		t.Fatalf("%v", err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	(&visitor{t: t, base: front.URL, region: "syd"}).signs("from where none is")
	for _, m := range c.Machines() {
		if up := m.ID != "syd1"; m.Healthy != up || (m.Err == nil) != up || (m.State == edge.Stopped) == up {
			t.Errorf("%+v", m)
		}
	}
	if err := c.Deploy(t.Context(), []string{filepath.Join(filepath.Dir(o.Entrypoint), "guestbook")}); err != nil {
		t.Fatal(err)
	}
	(&visitor{t: t, base: front.URL, region: "syd", machine: "syd1"}).signs("mended")
}

// A start that is given up in the middle leaves nothing, wherever that is.
func TestStartGivenUp(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	for _, at := range []string{"ams1 flysql mode", "ams1 flysql app", "ord1 LiteFS", "syd1 flysql app"} {
		ctx, giveUp := context.WithCancelCause(t.Context())
		gone := errors.New("nobody waits")
		o.Log = func(machine, line string) {
			if strings.HasPrefix(machine+" "+line, at) {
				giveUp(gone)
			}
		}
		began := time.Now()
		c, err := cluster.Start(ctx, o)
		if c != nil || !errors.Is(err, gone) {
			t.Errorf("%s: %v", at, err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: it took %v", at, took)
		}
		if data, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(data), o.Dir) {
			t.Errorf("%s: something is mounted (%v)", at, err)
		}
		giveUp(nil)
	}
}

// A port that somebody has taken while its machine was off is another one from then on,
// and other machines find it.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	o.Regions = []string{"ams", "ord"}
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	if err := c.Stop(t.Context(), "ams1", false); err != nil {
		t.Fatal(err)
	}
	before := c.Machines()[0]
	for _, address := range []string{before.Address.String(), fmt.Sprintf("127.0.0.1:%d", before.API)} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	if err := c.Start(t.Context(), "ams1"); err != nil {
		t.Fatal(err)
	}
	if after := c.Machines()[0]; after.Address == before.Address || after.API == before.API || !after.Healthy {
		t.Errorf("%+v, before it %+v", after, before)
	}
	(&visitor{t: t, base: front.URL, region: "ord"}).signs("to another port")
}

// A volume that is full costs its own machine alone, which comes back when there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	volume := filepath.Join(o.Dir, "machines/ord1/volume")
	if err := os.MkdirAll(volume, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", volume, "tmpfs", 0, "size=16m"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(volume, syscall.MNT_DETACH)
	o.Regions = []string{"ams", "ord"}
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	ballast := filepath.Join(volume, "ballast")
	if err := fill(ballast); err != nil {
		t.Fatal(err)
	}
	ams := &visitor{t: t, base: front.URL, region: "ams"}
	testkit.Poll(t, "ord1 to say that it has no room", func() bool {
		ams.signs(strings.Repeat("x", 900))
		log, err := os.ReadFile(c.Machines()[1].Log)
		return err == nil && strings.Contains(string(log), "no space left on device")
	})
	ams.signs("while ord is full")
	if _, body := ask(front.URL, "ord", "ord1", "GET", "/messages.json", nil); strings.Contains(body, "while ord is full") {
		t.Error("ord1 has had room all the time")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, "ord1 to catch up", func() bool {
		status, body := ask(front.URL, "ord", "ord1", "GET", "/messages.json", nil)
		return status == 200 && strings.Contains(body, "while ord is full")
	})
}

// Where there is no room for anything a start says so, and leaves nothing.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	o := alone(t)
	if err := syscall.Mount("tmpfs", o.Dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(o.Dir, syscall.MNT_DETACH)
	if err := fill(filepath.Join(o.Dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Start(t.Context(), o)
	if c != nil || err == nil || !strings.Contains(err.Error(), "machine ams1: it ended before it served: exit status 78") || !strings.Contains(err.Error(), "free") {
		t.Errorf("%v", err)
	}
}

// fill fills a file system with a file.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
