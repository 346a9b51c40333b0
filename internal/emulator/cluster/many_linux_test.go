package cluster_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// Twelve machines in four regions start and end on whatever this machine has.
func TestTwelve(t *testing.T) {
	if os.Getenv("FLYSQL_TEST_DEPLOYS") == "" {
		testkit.NotRun(t, "time", "make soak")
	}
	o := prepare(t)
	o.Regions, o.PerRegion, o.BootWait = []string{"ams", "ord", "syd", "gru"}, 3, 5*time.Minute
	o.Log = nil
	start := time.Now()
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started after %v", time.Since(start))
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	for _, region := range o.Regions {
		for n := range o.PerRegion {
			id := fmt.Sprintf("%s%d", region, n+1)
			(&visitor{t: t, base: front.URL, region: region, machine: id}).signs("from " + id)
		}
	}
	start = time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("ended after %v", time.Since(start))
}
