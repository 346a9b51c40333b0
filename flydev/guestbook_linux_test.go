package flydev_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/flydev"
	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/testkit"
)

// suite is the guestbook, with two machines in each region: those of ams are candidates for
// the primary.
var suite = flydev.Suite{Options: flydev.Options{Dir: "..", Config: "examples/regions/fly.toml", Regions: []string{"ams", "syd"}, PerRegion: 2}}

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// guestbook is the suite's cluster, on a LiteFS that tests have.
func guestbook(t *testing.T) *flydev.Cluster {
	t.Helper()
	t.Setenv(dev.LiteFSVariable, filepath.Dir(testkit.LiteFS(t)))
	return suite.Cluster(t)
}

// sign signs the guestbook as somebody's browser does, and returns whether that was
// acknowledged.
func sign(t *testing.T, c *flydev.Cluster, who *http.Client, message string) (*http.Response, bool) {
	t.Helper()
	res, err := who.PostForm(c.URL("")+"/messages", url.Values{"name": {"V"}, "message": {message}})
	if err != nil {
		return nil, false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res, err == nil && res.StatusCode == http.StatusOK // behind the redirect is the page
}

// messages are those that somebody sees.
func messages(t *testing.T, c *flydev.Cluster, who *http.Client) map[string]bool {
	t.Helper()
	res, err := who.Get(c.URL("") + "/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var all struct{ Messages []struct{ Message string } }
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil || res.StatusCode != 200 {
		t.Fatalf("messages.json: %d, %v", res.StatusCode, err)
	}
	found := map[string]bool{}
	for _, m := range all.Messages {
		found[m.Message] = true
	}
	return found
}

// A write by way of a replica is seen by who wrote it at once; when the primary dies, writes
// go on, and none is lost that was acknowledged.
func TestPrimaryDies(t *testing.T) {
	c := guestbook(t)
	first := c.Primary()
	who := c.Client("syd")
	written := []string{}
	for i := range 5 {
		message := fmt.Sprintf("before %d", i)
		if _, ok := sign(t, c, who, message); !ok {
			t.Fatalf("%s was not acknowledged", message)
		}
		if !messages(t, c, who)[message] {
			t.Errorf("%s is not seen by who wrote it", message)
		}
		written = append(written, message)
	}

	c.Kill(first)
	c.WaitFor("a write to be acknowledged without "+first, func() bool {
		message := fmt.Sprintf("after %s", time.Now())
		_, ok := sign(t, c, who, message)
		if ok {
			written = append(written, message)
		}
		return ok
	})
	if p := c.Primary(); p == first {
		t.Errorf("the primary is %s still", p)
	}
	c.StartMachine(first)
	c.WaitSettled()
	for _, region := range c.Regions() {
		found := messages(t, c, c.Client(region))
		for _, message := range written {
			if !found[message] {
				t.Errorf("%s is lost in %s", message, region)
			}
		}
	}
}

// The way that a request took, which a test may assert.
func TestRequestOf(t *testing.T) {
	c := guestbook(t)
	c.HandOff("ams1")
	c.WaitSettled()
	who := c.Client("syd")
	who.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := who.PostForm(c.URL("")+"/messages", url.Values{"name": {"V"}, "message": {"far away"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusSeeOther {
		t.Errorf("a write from syd: %d, %v, %v\n%s", res.StatusCode, err, res.Header, body)
	}
	q := c.RequestOf(res)
	way := ""
	for _, h := range q.Hops {
		way += fmt.Sprintf("%s %s %s %s %d; ", h.Why, h.Machine, h.Region, h.Role, h.Status)
	}
	if want := "nearest syd1 syd replica 409; replay ams1 ams primary 303; "; way != want && way != strings.Replace(want, "syd1", "syd2", 1) {
		t.Errorf("its way is %s, want %s", way, want)
	}
	if q.Region != "syd" || q.Method != "POST" || q.Path != "/messages" || q.Status != 303 || q.Took <= 0 || q.Error != "" || !strings.HasPrefix(q.Way, "edge syd -> syd") || !strings.Contains(q.Way, " replica -> replay -> ams1 primary, ") {
		t.Errorf("the request is %+v", q)
	}
	all := c.Requests()
	if len(all) == 0 || all[len(all)-1].ID != q.ID {
		t.Errorf("the last of %d requests is not %s", len(all), q.ID)
	}

	// By a region's own address, without saying so.
	res, err = http.Get(c.URL("ams") + "/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	if q := c.RequestOf(res); q.Region != "ams" || len(q.Hops) != 1 || q.Hops[0].Region != "ams" {
		t.Errorf("a read in ams: %+v", q)
	}
}

// Each fault, and that the next test finds none of it.
func TestFaults(t *testing.T) {
	t.Run("broken", func(t *testing.T) {
		c := guestbook(t)
		c.HandOff("ams1")
		c.WaitSettled()
		c.Cut("syd")
		c.Slow("ams", 10*time.Millisecond)
		who := c.Client("ams")
		if _, ok := sign(t, c, who, "while syd is cut off"); !ok {
			t.Error("ams does not take writes while syd is cut off")
		}
		if messages(t, c, c.Client("syd"))["while syd is cut off"] {
			t.Error("what was written in ams has reached syd, which is cut off")
		}
		c.Stop("ams2")
		for _, m := range c.Machines() {
			if m.ID == "ams2" && (m.Running || m.Healthy || m.PID != 0) {
				t.Errorf("ams2 was stopped: %+v", m)
			}
		}
	})
	t.Run("mended", func(t *testing.T) {
		c := guestbook(t)
		for _, m := range c.Machines() {
			if !m.Running || !m.Healthy || m.PID == 0 || len(m.Positions) == 0 {
				t.Errorf("%+v", m)
			}
		}
		if !messages(t, c, c.Client("syd"))["while syd is cut off"] {
			t.Error("syd has not caught up")
		}
		c.Restart("syd1")
		c.Mend("syd")
		c.Deploy()
		c.WaitSettled()
		if !messages(t, c, c.Client("syd"))["while syd is cut off"] {
			t.Error("a message is lost by a deploy")
		}
	})
}
