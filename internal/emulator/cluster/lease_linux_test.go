package cluster_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// litefs changes the app's litefs.yml: key, value and so on.
func litefs(t *testing.T, o *cluster.Options, settings ...any) {
	t.Helper()
	text, err := os.ReadFile(o.LiteFS)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := flyconf.ParseLiteFSDocument("litefs.yml", text)
	for i := 0; err == nil && i < len(settings); i += 2 {
		err = doc.Set(settings[i].(string), settings[i+1])
	}
	if err != nil {
		t.Fatal(err)
	}
	o.LiteFS = filepath.Join(t.TempDir(), "litefs.yml")
	if err := os.WriteFile(o.LiteFS, doc.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A real Consul in place of the lease server, as FLY_CONSUL_URL names it: machines elect
// in it, hand off, and find each other by relays; its token is not theirs to know; who has
// none of the data that it knows of, or meets other machines there, is refused.
func TestConsul(t *testing.T) {
	t.Parallel()
	consul := testkit.NewConsul(t)
	o := prepare(t)
	o.Regions, o.PerRegion = []string{"ams"}, 2
	o.Consul = strings.Replace(consul.URL, "http://", "http://:the-token@", 1) + "/app-1/"
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	(&visitor{t: t, base: front.URL, region: "ord"}).signs("by a Consul")
	if got := c.Primary(); got != "ams1" {
		t.Errorf("the primary is %q", got)
	}
	key := consul.URL + "/v1/kv/app-1/litefs/flysql-regions"
	if got := consulAsks(t, "GET", key, ""); !strings.Contains(got, `"Session"`) {
		t.Errorf("in Consul: %s", got)
	}
	if err := c.HandOff(t.Context(), "ams2"); err != nil || c.Primary() != "ams2" {
		t.Errorf("a hand-off: %v, %s is the primary", err, c.Primary())
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.Machines()[0].Pid))
	if err != nil || strings.Contains(string(env), "the-token") {
		t.Errorf("the token is in a machine's environment, or %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	elsewhere := o
	elsewhere.Dir = t.TempDir()
	if _, err := cluster.Start(t.Context(), elsewhere); err == nil || !strings.Contains(err.Error(), "remove that key (consul kv delete app-1/litefs/flysql-regions/clusterid)") {
		t.Errorf("with data of another cluster: %v", err)
	}

	var session struct{ ID string }
	if err := json.Unmarshal([]byte(consulAsks(t, "PUT", consul.URL+"/v1/session/create", `{"Behavior":"delete","NodeChecks":[],"LockDelay":"0s"}`)), &session); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, "the lease, for another", func() bool {
		return strings.TrimSpace(consulAsks(t, "PUT", key+"?acquire="+session.ID, `{"hostname":"e784079b449483"}`)) == "true"
	})
	if _, err := cluster.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is held by other machines (e784079b449483), which these would join") {
		t.Errorf("among other machines: %v", err)
	}
	consulAsks(t, "PUT", consul.URL+"/v1/session/destroy/"+session.ID, "")
	if c, err = cluster.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	again := httptest.NewServer(c.Edge)
	defer again.Close()
	if status, body := ask(again.URL, "ord", "", "GET", "/messages.json", nil); status != 200 || !strings.Contains(body, "by a Consul") {
		t.Errorf("the second run: %d %s", status, body)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}

	consul.Kill()
	if _, err := cluster.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "ask Consul: ") || strings.Contains(err.Error(), "the-token") {
		t.Errorf("without it: %v", err)
	}
}

func consulAsks(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A static lease has the machine for its primary that litefs.yml says, or none.
func TestStatic(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	o.Regions = []string{"ams", "ord"}
	litefs(t, &o, "lease.type", "static")
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	(&visitor{t: t, base: front.URL, region: "ord"}).signs("static")
	if got := c.Primary(); got != "ams1" {
		t.Errorf("the primary is %q", got)
	}
	if err := c.HandOff(t.Context(), "ord1"); err == nil || !strings.Contains(err.Error(), "ams1 is the primary for good") {
		t.Errorf("a hand-off: %v", err)
	}
	if err := c.Restart(t.Context(), "ams1"); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, "a write after a restart", func() bool {
		status, _ := ask(front.URL, "ord", "", "POST", "/messages", map[string][]string{"name": {"V"}, "message": {"again"}})
		return status/100 == 2
	})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		perRegion int
		candidate bool
		consul    string
		want      string
	}{
		{2, true, "", "lease.candidate is true for ams1, ams2, ord1, ord2"},
		{1, false, "", "lease.candidate is true for no machine"},
		{1, true, "http://127.0.0.1:1", "a Consul is of use with LiteFS and lease.type consul alone"},
	} {
		o := o
		o.PerRegion, o.Consul = tt.perRegion, tt.consul
		litefs(t, &o, "lease.candidate", tt.candidate)
		if _, err := cluster.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
	}
}
