package cluster_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// A region that is cut off serves its own, and nobody else; what is written meanwhile
// reaches it when it is joined again.
func cutOff(t *testing.T, c *cluster.Cluster, base string) {
	t.Helper()
	if err := c.Cut("syd", true); err != nil {
		t.Fatal(err)
	}
	within := &visitor{t: t, base: base, region: "syd", machine: "syd1"}
	if status, body := within.do("GET", "/messages.json", nil); status != 200 {
		t.Errorf("within: %d %s", status, body)
	}
	if status, body := (&visitor{t: t, base: base, region: "ams", machine: "syd1"}).do("GET", "/", nil); status != 502 || !strings.Contains(body, "the network between ams and syd is cut") {
		t.Errorf("from outside: %d %s", status, body)
	}
	(&visitor{t: t, base: base, region: "ord"}).signs("while syd is cut off")
	if _, body := within.do("GET", "/messages.json", nil); strings.Contains(body, "while syd is cut off") {
		t.Error("it was written into a region that is cut off")
	}
	if err := c.Cut("syd", false); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, "syd to catch up", func() bool {
		_, body := within.do("GET", "/messages.json", nil)
		return strings.Contains(body, "while syd is cut off")
	})
	testkit.Poll(t, "a write by way of syd", func() bool {
		status, _ := within.do("POST", "/messages", url.Values{"name": {"V"}, "message": {"joined again"}})
		return status/100 == 2
	})
	if err := c.Cut("iad", true); err == nil {
		t.Error("a region where nothing is was cut off")
	}
}

// stopLiteFS stops a machine's LiteFS, as the watchdog does: its mount hangs.
func stopLiteFS(t *testing.T, dir, machine string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, comm := range all {
		name, _ := os.ReadFile(comm) // it may be gone
		if string(name) != "litefs\n" {
			continue
		}
		env, _ := os.ReadFile(filepath.Join(filepath.Dir(comm), "environ"))
		if !bytes.Contains(env, []byte(cluster.Marker+"="+dir+":"+machine+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(comm)))
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGSTOP)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%s has no LiteFS", machine)
}

// Where the primary's region is cut off, it goes on by itself, the others read, and what
// they would write is not done; the end of all is not held up by it. Then all is there.
func TestCutPrimary(t *testing.T) {
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
	(&visitor{t: t, base: front.URL, region: "ord"}).signs("before")
	if err := c.Cut("ams", true); err != nil {
		t.Fatal(err)
	}
	if err := c.HandOff(t.Context(), "ord1"); err == nil {
		t.Error("the lease was handed over what is cut")
	}
	if status, body := ask(front.URL, "ord", "", "GET", "/messages.json", nil); status != 200 || !strings.Contains(body, "before") {
		t.Errorf("a read outside: %d %s", status, body)
	}
	if status, body := askBy(&http.Client{Timeout: 3 * time.Second}, front.URL, "ord", "", "POST", "/messages", url.Values{"name": {"V"}, "message": {"outside"}}); status/100 == 2 {
		t.Errorf("a write outside: %d %s", status, body)
	}
	(&visitor{t: t, base: front.URL, region: "ams"}).signs("within")
	began := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("closed after %v", took)
	}
	t.Logf("closed after %v", time.Since(began))
	if c, err = cluster.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	again := httptest.NewServer(c.Edge)
	defer again.Close()
	if status, body := ask(again.URL, "ord", "ord1", "GET", "/messages.json", nil); status != 200 || !strings.Contains(body, "within") || strings.Contains(body, "outside") {
		t.Errorf("in the next run: %d %s", status, body)
	}
}
