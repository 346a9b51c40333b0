package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// An event is what one request of a client came to.
type event struct {
	Client  int       `json:"client"`
	What    string    `json:"what"` // write, visit or read
	ID      int64     `json:"id"`   // the row, or the last one that a reader has seen acknowledged
	Outcome string    `json:"outcome"`
	By      string    `json:"by"` // the region that was asked, and "fly" where Fly's proxy was in between
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Missing []int64   `json:"missing,omitempty"` // of the client's own, in a read
	Text    string    `json:"text,omitempty"`
}

// Outcomes. A refused one was answered with 503: nothing was written.
const (
	done    = "ok"
	notDone = "refused"
	unknown = "unknown"
	stale   = "stale" // an answer that says so itself, and why
)

// browsers are clients that write and read with their cookies, each request by way of
// any region; every other client has Fly's proxy in between.
type browsers struct {
	machines []string // their names, in the order of addrs
	addrs    []string
	stop     chan struct{}
	running  sync.WaitGroup

	mu     sync.Mutex
	events []event
}

func newBrowsers(n int, machines, addrs []string) *browsers {
	b := &browsers{machines: machines, addrs: addrs, stop: make(chan struct{})}
	for i := range n {
		b.running.Go(func() { b.client(i + 1) })
	}
	return b
}

func (b *browsers) end() {
	close(b.stop)
	b.running.Wait()
}

func (b *browsers) client(number int) {
	// A connection for each request: the transport must not send one twice.
	t := &http.Transport{DisableKeepAlives: true}
	c := &browser{b: b, fly: number%2 == 0, http: &http.Client{Transport: t, Timeout: 90 * time.Second}}
	var acked []int64
	for id := int64(number) * perClient; ; id++ {
		select {
		case <-b.stop:
			return
		default:
		}
		what, method, path := "write", "POST", "/rows/"
		if id%4 == 3 {
			what, method, path = "visit", "GET", "/visit/"
		}
		e := c.ask(method, path, id)
		e.What, e.Client = what, number
		if e.Outcome == done {
			acked = append(acked, id)
		}
		b.add(e)
		for range 2 {
			e := c.ask("GET", "/rows/", id)
			e.What, e.Client = "read", number
			if e.Outcome == done {
				e.Missing = missing(e.Text, acked)
			}
			if len(e.Missing) == 0 && e.Outcome == done {
				e.Text = ""
			}
			b.add(e)
		}
	}
}

// missing are those of the last acknowledged rows that an answer lacks.
func missing(answer string, acked []int64) (ids []int64) {
	there := map[string]bool{}
	for id := range strings.SplitSeq(answer, ",") {
		there[id] = true
	}
	for _, id := range acked[max(0, len(acked)-lastRows/2):] {
		if !there[strconv.FormatInt(id, 10)] {
			ids = append(ids, id)
		}
	}
	return ids
}

func (b *browsers) add(e event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// since counts what was written after a moment.
func (b *browsers) since(when time.Time) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range slices.Backward(b.events) {
		if e.From.Before(when) {
			continue
		}
		if e.What != "read" && e.Outcome == done {
			n++
		}
	}
	return n
}

// browser is one client.
type browser struct {
	b      *browsers
	http   *http.Client
	cookie string
	fly    bool
}

func (c *browser) ask(method, path string, id int64) event {
	at := rand.IntN(len(c.b.addrs))
	e := event{ID: id, From: time.Now(), By: c.b.machines[at]}
	if c.fly {
		e.By = "fly " + e.By
	}
	res, err := c.send(method, path+strconv.FormatInt(id, 10), at)
	e.To = time.Now()
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(res.Body, 64<<10))
		res.Body.Close()
	}
	e.Text = string(text)
	switch {
	case errors.Is(err, errNobody):
		e.Outcome = notDone
	case err != nil:
		e.Outcome, e.Text = unknown, err.Error()
	case res.StatusCode == http.StatusServiceUnavailable:
		e.Outcome = notDone
	case res.StatusCode != http.StatusOK:
		e.Outcome = unknown
	case res.Header.Get("Flysql-Stale") != "":
		e.Outcome = stale + ": " + res.Header.Get("Flysql-Stale")
	default:
		e.Outcome = done
	}
	if err != nil {
		return e
	}
	for _, k := range res.Cookies() {
		if c.cookie = k.Value; k.MaxAge < 0 {
			c.cookie = ""
		}
	}
	return e
}

// errNobody says that no machine took the request.
var errNobody = errors.New("nobody took the connection")

// send is what Fly's proxy does where it is in between: it sends a request to where
// the answer says, and back to where that was where nobody is there.
func (c *browser) send(method, path string, at int) (*http.Response, error) {
	header := http.Header{}
	if c.fly {
		header.Set("Fly-Request-Id", "01")
	}
	by := -1 // who has sent it to where it is now
	for range 20 {
		res, err := c.once(method, path, at, header)
		if errors.Is(err, errNobody) && by >= 0 {
			header.Set("Fly-Replay-Failed", "instance="+c.b.machines[at]+";reason=timeout;elapsed_ms=5000")
			header.Del("Fly-Replay-Src")
			at, by = by, -1
			continue
		}
		if err != nil || res.Header.Get("Fly-Replay") == "" || !c.fly {
			return res, err
		}
		res.Body.Close()
		to, state := target(res.Header.Get("Fly-Replay"))
		next := slices.Index(c.b.machines, to)
		if next < 0 || header.Get("Fly-Replay-Failed") != "" {
			return nil, fmt.Errorf("%s answered %v with %q", c.b.machines[at], header, res.Header.Get("Fly-Replay"))
		}
		header.Set("Fly-Replay-Src", "instance="+c.b.machines[at]+";region=ams;t=1;state="+state)
		at, by = next, at
	}
	return nil, errors.New("replayed without end")
}

func (c *browser) once(method, path string, at int, header http.Header) (*http.Response, error) {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("text")
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.b.addrs[at]+path, body)
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	if c.cookie != "" {
		req.Header.Set("Cookie", "flysql="+c.cookie)
	}
	res, err := c.http.Do(req)
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return nil, errNobody
	}
	return res, err
}

// target reads a fly-replay header.
func target(header string) (instance, state string) {
	for field := range strings.SplitSeq(header, ";") {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "instance":
			instance = value
		case "state":
			state = value
		}
	}
	return instance, state
}

// keep writes the history where it is found after the test.
func (b *browsers) keep(t *testing.T) {
	t.Helper()
	f, err := os.CreateTemp("", "flysql-replay-history-*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for w, i := json.NewEncoder(f), 0; i < len(b.events); i++ {
		if err := w.Encode(b.events[i]); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the history is in %s", f.Name())
}
