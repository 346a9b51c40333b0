package entrypoint

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/replay"
)

// What requests do beside reading and writing, by way of a replica among three
// machines: they wait, are given up, panic, stream and become other connections, by
// HTTP/1 and 2. Nothing of them is left afterwards.
func TestReplayCases(t *testing.T) {
	t.Parallel()
	c := newReplayCases(t)
	for _, tt := range []struct {
		name string
		run  func(*replayCases, *testing.T)
	}{
		{"readers wait", (*replayCases).readersWait},
		{"waiting clients go", (*replayCases).waitingGo},
		{"panics", (*replayCases).panics},
		{"aborts", (*replayCases).aborts},
		{"uploads", (*replayCases).uploads},
		{"socket", (*replayCases).socket},
		{"events", (*replayCases).events},
		{"both ways", (*replayCases).bothWays},
		{"responses", (*replayCases).responses},
		{"early hints", (*replayCases).earlyHints},
		{"tokens", (*replayCases).tokens},
		{"made up", (*replayCases).madeUp},
		{"storm", (*replayCases).storm},
		{"no primary", (*replayCases).noPrimary}, // the last: the primary is killed in it
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(c, t) })
	}
	for i, p := range c.f.procs {
		if p != nil {
			c.f.stop(i)
			nothingLeft(t, c.f.nodes[i])
		}
	}
}

// replayCases are machines, and clients of one of them that is a replica.
type replayCases struct {
	f                *fleet
	primary, replica string // URLs
	clients          map[string]*http.Client
	last             int64 // row
}

func newReplayCases(t *testing.T) *replayCases {
	t.Helper()
	// Readers must not be sent on before all of them wait.
	f := newReplayFleet(t, "WAL", readWait+"=2m", "FLYSQL_REPLAY_KEY=0123456789abcdef0123456789abcdef")
	at := -1
	testkit.Poll(t, "a primary", func() bool { at = f.primary(); return at >= 0 })
	c := &replayCases{f: f, primary: "http://" + f.apps[at], replica: "http://" + f.apps[(at+1)%3], clients: map[string]*http.Client{}, last: perClient}
	for name, set := range map[string]func(*http.Protocols, bool){"HTTP/1": (*http.Protocols).SetHTTP1, "HTTP/2": (*http.Protocols).SetUnencryptedHTTP2} {
		tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true, ExpectContinueTimeout: time.Minute}
		set(tr.Protocols, true)
		t.Cleanup(tr.CloseIdleConnections)
		c.clients[name] = &http.Client{Transport: tr, Timeout: 30 * time.Second}
	}
	return c
}

// row is the path of a new one.
func (c *replayCases) row() string {
	c.last++
	return "/" + strconv.FormatInt(c.last, 10)
}

// count tells how often a row is there.
func (c *replayCases) count(t *testing.T, row string) (n int) {
	t.Helper()
	for id := range strings.SplitSeq(c.ask(t, "HTTP/1", "GET", c.primary+"/rows"+row, nil).text, ",") {
		if "/"+id == row {
			n++
		}
	}
	return n
}

// replied is an answer, with all that came.
type replied struct {
	*http.Response
	text string
	err  error // of the body
}

func (c *replayCases) ask(t *testing.T, proto, method, url string, body io.Reader, header ...string) replied {
	t.Helper()
	a, err := c.try(t.Context(), proto, method, url, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is for a request that may come to nothing.
func (c *replayCases) try(ctx context.Context, proto, method, url string, body io.Reader, header ...string) (a replied, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return a, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	if a.Response, err = c.clients[proto].Do(req); err != nil {
		return a, err
	}
	defer a.Body.Close()
	var text []byte
	text, a.err = io.ReadAll(a.Body)
	a.text = string(text)
	return a, nil
}

// metric is one of the replica's.
func (c *replayCases) metric(t *testing.T, name string) (n int) {
	t.Helper()
	for line := range strings.Lines(c.ask(t, "HTTP/1", "GET", c.replica+"/metrics", nil).text) {
		if value, ok := strings.CutPrefix(line, "flysql_replay_"+name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// stall lets the replica fall behind, until release, and writes a row meanwhile. The
// token is of that.
func (c *replayCases) stall(t *testing.T) (row, token string, release func()) {
	t.Helper()
	ctx, release := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", c.replica+"/stall", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.clients["HTTP/1"].Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { release(); res.Body.Close() })
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); line != "stalled\n" {
		t.Fatalf("%q, %v", line, err)
	}
	row = c.row()
	a := c.ask(t, "HTTP/1", "POST", c.primary+"/rows"+row, nil)
	if token = a.Header.Get(replay.HeaderName); a.text != "ok\n" || token == "" {
		t.Fatalf("%q, %v", a.text, a.Header)
	}
	return row, token, release
}

// read lets n clients read a row at the replica, each by a connection of its own.
func (c *replayCases) read(ctx context.Context, n int, row, token string) (outcomes <-chan string) {
	all := make(chan string, n)
	var running sync.WaitGroup
	tr := &http.Transport{DisableKeepAlives: true}
	for range n {
		running.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", c.replica+"/rows"+row, nil)
			if err != nil {
				all <- err.Error()
				return
			}
			req.Header.Set("Cookie", replay.CookieName+"="+token)
			res, err := tr.RoundTrip(req)
			if err != nil {
				all <- err.Error()
				return
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			switch has := slices.Contains(strings.Split(string(text), ","), row[1:]); {
			case err != nil:
				all <- err.Error()
			case !has:
				all <- fmt.Sprintf("%d without the row: %q", res.StatusCode, text)
			default:
				all <- "there"
			}
		})
	}
	go func() { running.Wait(); close(all) }()
	return all
}

func tally(outcomes <-chan string) map[string]int {
	n := map[string]int{}
	for o := range outcomes {
		n[o]++
	}
	return n
}

// Many readers wait at once for a row, and have it when the replica has it.
func (c *replayCases) readersWait(t *testing.T) {
	const readers = 200
	row, token, release := c.stall(t)
	reached, sent := c.metric(t, `waits_total{outcome="reached"}`), c.metric(t, `elsewhere_total{reason="behind"}`)
	answers := c.read(t.Context(), readers, row, token)
	testkit.Poll(t, "all to wait", func() bool { return c.metric(t, "waiting") == readers })
	if len(answers) > 0 {
		t.Errorf("%d have an answer", len(answers))
	}
	begin := time.Now()
	release()
	if got := tally(answers); got["there"] != readers {
		t.Errorf("of %d readers: %v", readers, got)
	}
	t.Logf("%d readers were answered %v after the replica could go on", readers, time.Since(begin).Round(time.Millisecond))
	if got := c.metric(t, `waits_total{outcome="reached"}`) - reached; got != readers {
		t.Errorf("%d have waited, want %d", got, readers)
	}
	if got := c.metric(t, `elsewhere_total{reason="behind"}`); got != sent || c.metric(t, "waiting") != 0 {
		t.Errorf("%d were sent to the primary", got-sent)
	}
}

// Of clients that have gone while they waited nothing is left, also while what they
// waited for has not come.
func (c *replayCases) waitingGo(t *testing.T) {
	const readers = 100
	row, token, release := c.stall(t)
	gone, before := c.metric(t, "gone_total"), c.level(t, c.replica)
	ctx, cancel := context.WithCancel(t.Context())
	answers := c.read(ctx, readers, row, token)
	testkit.Poll(t, "all to wait", func() bool { return c.metric(t, "waiting") == readers })
	cancel()
	if got := tally(answers); got["there"] != 0 {
		t.Errorf("of %d readers that went: %v", readers, got)
	}
	testkit.Poll(t, "nobody to wait", func() bool { return c.metric(t, "waiting") == 0 })
	testkit.Poll(t, "nothing to be left of them", func() bool { return c.level(t, c.replica).within(before, 2) })
	if got := c.metric(t, "gone_total") - gone; got != readers {
		t.Errorf("%d have gone, want %d", got, readers)
	}
	release()
	if got := tally(c.read(t.Context(), 1, row, token)); got["there"] != 1 {
		t.Errorf("one that stayed: %v", got)
	}
}

// held is what a process has.
type held struct{ goroutines, descriptors int }

func (h held) within(was held, slack int) bool {
	return h.goroutines <= was.goroutines+slack && h.descriptors <= was.descriptors+slack
}

func (c *replayCases) level(t *testing.T, url string) (h held) {
	t.Helper()
	text := c.ask(t, "HTTP/1", "GET", url+"/level", nil).text
	if _, err := fmt.Sscan(text, &h.goroutines, &h.descriptors); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return h
}

// A handler that panics over its refused write has its request sent on. Where it panics
// after the write the client is not told that it was done, and it was done once.
func (c *replayCases) panics(t *testing.T) {
	for proto := range c.clients {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			row := c.row()
			a := c.ask(t, proto, method, c.replica+"/panic"+row, nil)
			if a.StatusCode != http.StatusBadGateway || method != "HEAD" && !strings.Contains(a.text, "not known whether") {
				t.Errorf("%s by %s: %d %q, want 502", method, proto, a.StatusCode, a.text)
			}
			if n := c.count(t, row); n != 1 {
				t.Errorf("%s by %s: the row is there %d times", method, proto, n)
			}
		}
	}
}

// http.ErrAbortHandler breaks the connection, here and from the primary, and nobody
// answers in its place.
func (c *replayCases) aborts(t *testing.T) {
	for proto := range c.clients {
		for _, path := range []string{"/half", "/primary/half"} {
			if a := c.ask(t, proto, "GET", c.replica+path, nil); a.err == nil || a.text != "half" {
				t.Errorf("%s by %s: %d %q, %v", path, proto, a.StatusCode, a.text, a.err)
			}
		}
		row := c.row()
		if a, err := c.try(t.Context(), proto, "GET", c.replica+"/give-up"+row, nil); err == nil {
			t.Errorf("given up, by %s: %d %q", proto, a.StatusCode, a.text)
		}
		if n := c.count(t, row); n != 0 {
			t.Errorf("given up, by %s: the row is there %d times", proto, n)
		}
	}
}

// While nobody knows a primary a replica stays in service: it reads, says that it may be
// stale, and keeps what writes until there is one again.
func (c *replayCases) noPrimary(t *testing.T) {
	at := c.f.primary()
	c.f.followed(1)
	c.f.cutOff(at, 0)
	testkit.Poll(t, "the replica to know no primary", func() bool {
		a := c.ask(t, "HTTP/1", "GET", c.replica+"/health", nil)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", a.StatusCode, a.text)
		}
		return strings.Contains(a.text, `"role":"unknown"`)
	})
	if a := c.ask(t, "HTTP/1", "GET", c.replica+"/rows/1", nil); a.StatusCode != http.StatusOK || a.Header.Get(replay.StaleHeader) != "no-primary" {
		t.Errorf("a read: %d %q, %v", a.StatusCode, a.text, a.Header)
	}
	row, written := c.row(), make(chan replied, 1)
	before := c.metric(t, `elsewhere_total{reason="write"}`)
	go func() {
		a, err := c.try(t.Context(), "HTTP/1", "POST", c.replica+"/rows"+row, nil)
		if err != nil {
			a.text = err.Error()
		}
		written <- a
	}()
	testkit.Poll(t, "the write to wait", func() bool { return c.metric(t, `elsewhere_total{reason="write"}`) > before })
	c.f.takenOver(at)
	if a := <-written; a.text != "ok\n" {
		t.Errorf("a write that has waited: %q", a.text)
	}
	c.primary = "http://" + c.f.apps[c.f.primary()]
	if n := c.count(t, row); n != 1 {
		t.Errorf("the row is there %d times", n)
	}
}
