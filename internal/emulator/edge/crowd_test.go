package edge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/testkit"
)

// Many clients at once, at machines that take four each: every write is done once, by the
// primary, whatever machine it came to; every request is told of once; clients that go are
// no load; and nothing is left.
func TestCrowd(t *testing.T) {
	const clients, each = 16, 30
	before := runtime.NumGoroutine()
	t.Run("", func(t *testing.T) {
		var mu sync.Mutex
		written := map[string]int{}
		var going sync.Map // what ends a client, by the name that it has in its request
		primary := func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			switch {
			case r.Method == http.MethodPost:
				mu.Lock()
				written[string(body)]++
				mu.Unlock()
			case r.URL.Path == "/slow":
				leave, _ := going.Load(r.Header.Get("Name"))
				leave.(context.CancelFunc)()
				<-r.Context().Done()
			}
			fmt.Fprint(w, "primary ")
		}
		replica := gives("instance=o1")
		e := newEdge(t, edge.Options{Service: edge.Service{Requests: true, SoftLimit: 2, HardLimit: 4, Checks: []edge.Check{{}}}, Patience: time.Hour, MaxCheckWait: time.Millisecond},
			machine(t, "o1", "ord", primary), machine(t, "a1", "ams", replica), machine(t, "s1", "syd", replica))
		for _, id := range []string{"o1", "a1", "s1"} {
			if err := e.WaitHealthy(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		events := e.Subscribe(2 * clients * each)
		base := serve(t, e)
		own := &http.Transport{MaxIdleConnsPerHost: clients}
		defer own.CloseIdleConnections()
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				for i := range each {
					if err := crowdAsk(t.Context(), own, base, &going, c, i); err != nil {
						t.Errorf("client %d, request %d: %v", c, i, err)
					}
				}
			})
		}
		all.Wait()
		if len(written) != clients*each/3 {
			t.Errorf("%d written, want %d", len(written), clients*each/3)
		}
		for text, n := range written {
			if n != 1 {
				t.Errorf("%s was written %d times", text, n)
			}
		}
		for _, m := range e.Machines() {
			testkit.Poll(t, m.ID+" to have no load", func() bool { return loadOf(e, m.ID) == 0 })
		}
		testkit.Poll(t, "all events", func() bool { return len(events.C) == clients*each })
		statuses, ids := map[int]int{}, map[string]bool{}
		for range clients * each {
			ev := <-events.C
			statuses[ev.Status]++
			ids[ev.ID] = true
			if ev.Status == 0 && ev.Path != "/slow" || ev.Status == 200 && ev.Error != "" {
				t.Errorf("%+v", ev)
			}
		}
		if events.Dropped() != 0 || len(ids) != clients*each || statuses[0] != clients*each/10 || statuses[200] != clients*each*9/10 {
			t.Errorf("statuses %v, %d ids, %d dropped", statuses, len(ids), events.Dropped())
		}
	})
	testkit.Poll(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// crowdAsk is one request: a third write, and a tenth go before the answer.
func crowdAsk(ctx context.Context, by *http.Transport, base string, going *sync.Map, client, i int) error {
	method, path, body := "GET", "/", ""
	switch {
	case i%3 == 0:
		method, body = "POST", fmt.Sprint(client, " ", i)
	case i == 1 || i == 11 || i == 22:
		path = "/slow"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Host = []string{"ord", "ams", "syd"}[(client+i)%3] + ".localhost"
	if path == "/slow" {
		req.Host = "ord.localhost"
		req.Header.Set("fly-force-instance-id", "o1")
		name := fmt.Sprint(client, " ", i)
		going.Store(name, cancel)
		req.Header.Set("Name", name)
		if res, err := by.RoundTrip(req); err == nil {
			res.Body.Close()
			return fmt.Errorf("a client that goes got %s", res.Status)
		}
		return nil
	}
	res, err := by.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != 200 || method == "POST" && !strings.HasPrefix(string(text), "primary ")) {
		err = fmt.Errorf("%s %s: %s %s", method, req.Host, res.Status, text)
	}
	return err
}

func loadOf(e *edge.Edge, id string) int {
	for _, m := range e.Machines() {
		if m.ID == id {
			return m.Load
		}
	}
	return -1
}
