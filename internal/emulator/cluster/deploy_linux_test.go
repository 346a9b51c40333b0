package cluster_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// A deploy rolls while requests flow: nothing that was acknowledged is lost, and who reads
// is always answered. One that does not come up ends the roll, and the rest serves on.
func TestDeployUnderLoad(t *testing.T) {
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
	l := underLoad(t, front.URL, "ams", "ord")
	more := func() {
		t.Helper()
		before := l.written()
		testkit.Poll(t, "some writes", func() bool { return l.written() > before+20 })
	}
	more()
	done := make(chan error, 1)
	go func() { done <- c.Deploy(t.Context(), o.Command) }()
	testkit.Poll(t, "the first machine on its way", func() bool { return !c.Machines()[0].Healthy })
	if err := c.Deploy(t.Context(), o.Command); err == nil || !strings.Contains(err.Error(), "another deploy is under way") {
		t.Errorf("a deploy beside it: %v", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	more()
	t.Log(l)

	before := pids(c)
	one := (*cluster.MachineError)(nil)
	if err := c.Deploy(t.Context(), []string{"/bin/false"}); !errors.As(err, &one) || one.ID != "ams1" {
		t.Errorf("a deploy of what does not run: %v", err)
	}
	after := pids(c)
	if after["ams1"] != 0 || after["ams2"] != before["ams2"] || after["ord1"] != before["ord1"] || after["ord2"] != before["ord2"] {
		t.Errorf("%v, before it %v", after, before)
	}
	more()
	if err := c.Deploy(t.Context(), o.Command); err != nil {
		t.Fatal(err)
	}
	more()
	l.stop()
	t.Log(l)
	if all := l.errors("GET"); len(all) > 0 {
		t.Errorf("who read was told: %q", all)
	}
	// A write may come between two primaries: that it was not done, or is not known to be,
	// is said, and seldom.
	told := 0
	for what, n := range l.failed {
		if told += n; !strings.HasPrefix(what, "POST 503: Nothing was written: ") && !strings.HasPrefix(what, "POST 502: It is not known ") {
			t.Errorf("who wrote was told: %s", what)
		}
	}
	if told > 5 {
		t.Errorf("%d writes of %d were not done", told, l.written())
	}
	for _, m := range c.Machines() {
		testkit.Poll(t, m.ID+" to have all", func() bool { return len(l.missing(t, m.Region, m.ID)) == 0 })
	}
}

func pids(c *cluster.Cluster) map[string]int {
	all := map[string]int{}
	for _, m := range c.Machines() {
		all[m.ID] = m.Pid
	}
	return all
}
