package cluster

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
)

// electing is a cluster of machines that do not run, with a lease server, and where the
// first of them asks it.
func electing(t *testing.T, ids ...string) (c *Cluster, at string) {
	t.Helper()
	c = &Cluster{opt: Options{Dir: t.TempDir(), Config: &flyconf.Config{PrimaryRegion: ids[0][:3]}}, network: newNetwork(nil)}
	t.Cleanup(c.network.close)
	for _, id := range ids {
		c.machines = append(c.machines, &machine{ID: id, Region: id[:3], state: edge.Stopped})
	}
	var err error
	if c.lease, err = openLease(filepath.Join(c.opt.Dir, "lease")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.lease.close() })
	c.lease.key = "litefs/primary"
	if at, err = c.lease.serve(c, c.machines[0]); err != nil {
		t.Fatal(err)
	}
	return c, at
}

// put asks the lease server as LiteFS does.
func put(t *testing.T, host, at, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// leadBy has a machine take the lease.
func leadBy(t *testing.T, at, id string) {
	t.Helper()
	_, answer := put(t, "", at+"/v1/session/create", `{"TTL": "10s"}`)
	var session struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &session); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	if _, answer := put(t, "", at+"/v1/kv/litefs/primary?acquire="+session.ID, `{"hostname": "`+id+`"}`); strings.TrimSpace(answer) != "true" {
		t.Fatalf("%s has not got the lease: %s", id, answer)
	}
}

// Who becomes the primary is written down at once: a run that is killed when nobody has the
// lease any more begins with it again. It is the last to be stopped.
func TestPrimaryIsRemembered(t *testing.T) {
	c, at := electing(t, "ord1", "ord2", "syd1")
	order := func() (ids []string) {
		for _, m := range c.stopOrder() {
			ids = append(ids, m.ID)
		}
		return ids
	}
	if got := strings.Join(order(), " "); got != "syd1 ord2 ord1" {
		t.Errorf("without a primary they are stopped in the order %s", got)
	}
	leadBy(t, at, "ord2")
	if got, err := os.ReadFile(filepath.Join(c.opt.Dir, "primary")); err != nil || string(got) != "ord2" {
		t.Errorf("remembered: %q, %v", got, err)
	}
	if got := strings.Join(order(), " "); got != "syd1 ord1 ord2" {
		t.Errorf("with ord2 as the primary they are stopped in the order %s", got)
	}
}

// The lease server, and a Consul's token behind it, is not for who comes by another name.
func TestLeaseServerByItsAddress(t *testing.T) {
	_, at := electing(t, "ord1")
	if status, answer := put(t, "evil.example:80", at+"/v1/session/create", `{"TTL": "10s"}`); status != http.StatusForbidden {
		t.Errorf("%d %s", status, answer)
	}
}

// A machine that ends just when it has the lease holds up nothing.
func TestLeadsEnded(t *testing.T) {
	c, _ := electing(t, "ord1")
	m := c.machines[0]
	m.run = &process{ended: make(chan struct{})}
	close(m.run.ended)
	if err := c.leads(t.Context(), m); err == nil || !strings.Contains(err.Error(), "has ended: exit status 0") {
		t.Errorf("%v", err)
	}
	m.run.ended = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.leads(ctx, m); err == nil || !strings.Contains(err.Error(), "does not know it yet") {
		t.Errorf("%v", err)
	}
}

// No machine is started by a cluster that is closed.
func TestNoStartAfterClose(t *testing.T) {
	c, _ := electing(t, "ord1")
	c.opt.Entrypoint, c.opt.BootWait = "/no/such/program", time.Minute
	c.life, c.die = context.WithCancel(context.Background())
	c.die()
	for range 100 {
		if err := c.boot(context.Background(), c.machines[0]); err == nil || !strings.Contains(err.Error(), errStopped.Error()) {
			t.Fatalf("%v", err)
		}
	}
}

// What an earlier boot of a machine finds out late does not shut the doors of the next.
func TestDoorsOfAnEarlierBoot(t *testing.T) {
	_, d := between(t, 0)
	first := way{doors: []*door{d}, lost: make(chan struct{}, 1)}
	second := way{doors: []*door{d}, lost: make(chan struct{}, 1)}
	for _, w := range []way{first, second} {
		d.change(func() { d.lost = w.lost })
		w.listens(true)
	}
	first.listens(false)
	if !d.up {
		t.Error("the first boot has shut it")
	}
	if second.listens(false); d.up {
		t.Error("the second boot has not")
	}
}
