package flydev_test

import (
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/flysql/flysql/flydev"
)

// What a user of the app's sees when the primary dies.
func Example() {
	var t *testing.T // of a test: func TestPrimaryDies(t *testing.T)

	c := flydev.Start(t, flydev.Options{Regions: []string{"ord", "ams", "syd"}, SkipWithoutLiteFS: os.Getenv("CI") == ""})
	visitor := c.Client("ams")
	sign := func(message string) bool {
		res, err := visitor.PostForm(c.URL("")+"/messages", url.Values{"message": {message}})
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	if !sign("hello") {
		t.Fatal("the first write was refused")
	}
	c.Kill(c.Primary())
	c.WaitFor("a write without the first primary", func() bool { return sign("still here") })
}

// The way that a request took.
func ExampleCluster_RequestOf() {
	var t *testing.T // of a test

	c := flydev.Start(t, flydev.Options{})
	res, err := c.Client("syd").Get(c.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if q := c.RequestOf(res); len(q.Hops) != 1 || q.Hops[0].Region != "syd" {
		t.Errorf("a read in Sydney went %s", q.Way)
	}
}

// One cluster for the tests of a package.
func ExampleSuite() {
	var suite flydev.Suite // a variable of the package

	testMain := func(m *testing.M) { os.Exit(suite.Run(m)) } // func TestMain
	testHome := func(t *testing.T) {                         // func TestHome
		c := suite.Cluster(t)
		res, err := c.Client("").Get(c.URL(""))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	_, _ = testMain, testHome
}
