package cluster_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// The lease goes to and fro while requests flow, and nothing that was acknowledged is
// lost. Whom it cannot go to is told why.
func TestHandOff(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	o.Regions, o.PerRegion = []string{"ams", "ord"}, 2
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	if err := c.Stop(t.Context(), "ord2", false); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ id, want string }{
		{"ams1", "hand off to ams1: it is the primary already"},
		{"ord1", "hand off to ord1: it is no candidate: lease.candidate is ${FLY_REGION == PRIMARY_REGION} in " + o.LiteFS + ", which is false in ord (primary_region is ams)"},
		{"ord2", "hand off to ord2: ord2 is not running: start it first"},
		{"syd1", `there is no machine "syd1"`},
	} {
		if err := c.HandOff(t.Context(), tt.id); err == nil || err.Error() != tt.want {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
	}
	l := underLoad(t, front.URL, "ams", "ord")
	for i, id := range []string{"ams2", "ams1", "ams2"} {
		before := l.written()
		testkit.Poll(t, "some writes", func() bool { return l.written() > before+20 })
		// A machine whose app has died of it is started again.
		testkit.Poll(t, "both candidates", func() bool {
			m := c.Machines()
			return m[0].Healthy && m[1].Healthy
		})
		if err := c.HandOff(t.Context(), id); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if got := c.Primary(); got != id {
			t.Fatalf("%d: %s is the primary, want %s", i, got, id)
		}
	}
	before := l.written()
	testkit.Poll(t, "some writes", func() bool { return l.written() > before+20 })
	l.stop()
	t.Log(l)
	if lost := l.missing(t, "ams", "ams2"); len(lost) > 0 {
		t.Errorf("acknowledged, and lost: %v", lost)
	}
	if err := c.Restart(t.Context(), "ord1"); err != nil {
		t.Error(err)
	}
	(&visitor{t: t, base: front.URL, region: "ord", machine: "ord1"}).signs("restarted")
	if err := c.Kill("ams2"); err != nil {
		t.Fatal(err)
	}
	if err := c.HandOff(t.Context(), "ams1"); err == nil || !strings.Contains(err.Error(), "ams2 is not running") {
		t.Errorf("from a primary that was killed: %v", err)
	}
}
