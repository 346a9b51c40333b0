package edge_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/testkit"
)

// A client that does not read holds its machine up: what is on the way has its bound,
// with latency too. When it reads, all of it comes.
func TestSlowClient(t *testing.T) {
	for _, delay := range []latency.Matrix{nil, latency.Fixed(10 * time.Millisecond)} {
		var sent atomic.Int64
		const size = 64 << 20
		e := newEdge(t, edge.Options{Latency: delay}, raw(t, "a1", "ams", func(w http.ResponseWriter, _ *http.Request) {
			piece := make([]byte, 64<<10)
			for sent.Load() < size {
				n, err := w.Write(piece)
				if err != nil {
					return
				}
				sent.Add(int64(n))
			}
		}))
		res, err := http.DefaultClient.Do(request(t, "GET", serve(t, e), nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var last int64
		changed := time.Now()
		testkit.Poll(t, "the machine to be held up", func() bool {
			if now := sent.Load(); now != last || now == 0 {
				last, changed = now, time.Now()
			}
			return time.Since(changed) > 200*time.Millisecond
		})
		if last > size/2 {
			t.Errorf("latency %v: %d MB are on the way", delay != nil, last>>20)
		}
		if n, err := io.Copy(io.Discard, res.Body); err != nil || n != size {
			t.Errorf("latency %v: %d bytes, %v", delay != nil, n, err)
		}
	}
}

// A client that goes, in the midst of what it sends or of what it gets, or while it waits
// for a machine, is nobody's load, and its machine hears of it.
func TestClientGoesInTheMidst(t *testing.T) {
	for name, say := range map[string]string{
		"sending":   "POST /up HTTP/1.1\r\nHost: syd\r\nContent-Length: 1000\r\n\r\nsome",
		"receiving": "GET /down HTTP/1.1\r\nHost: syd\r\n\r\n",
	} {
		for _, delay := range []latency.Matrix{nil, latency.Fixed(4 * time.Millisecond)} {
			began, left := make(chan struct{}, 1), make(chan struct{}, 1)
			e := newEdge(t, edge.Options{Latency: delay}, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
				began <- struct{}{}
				var err error
				if r.URL.Path == "/up" {
					_, err = io.Copy(io.Discard, r.Body)
				}
				for err == nil && r.URL.Path == "/down" {
					_, err = w.Write(make([]byte, 64<<10))
				}
				if err == nil {
					t.Errorf("%s: all of it has come", name)
				}
				left <- struct{}{}
			}))
			events := e.Subscribe(1)
			c, err := net.Dial("tcp", strings.TrimPrefix(serve(t, e), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, say)
			<-began
			c.Close()
			<-left
			if ev := <-events.C; name == "sending" && (ev.Status != 0 || ev.Error != "the client has gone") || strings.Contains(ev.Error, "broke off") {
				t.Errorf("%s: %+v", name, ev)
			}
			testkit.Poll(t, "its load to be gone", func() bool { return e.Machines()[0].Load == 0 })
		}
	}
	enter, release := make(chan struct{}), make(chan struct{})
	e := newEdge(t, edge.Options{Service: edge.Service{HardLimit: 1}}, machine(t, "a1", "ams", func(http.ResponseWriter, *http.Request) {
		enter <- struct{}{}
		<-release
	}))
	events := e.Subscribe(2)
	base := serve(t, e)
	first := dialAsk(t, base)
	<-enter
	dialAsk(t, base).Close()
	if ev := <-events.C; len(ev.Hops) > 0 || ev.Status != 0 || ev.Error != "the client has gone" {
		t.Errorf("who waited: %+v", ev)
	}
	close(release)
	first.Close()
	testkit.Poll(t, "no load", func() bool { return e.Machines()[0].Load == 0 })
}

// A body that waits for leave to be sent, or has no length, is replayed too.
func TestReplayOfBodies(t *testing.T) {
	ways(t, func(t *testing.T, o edge.Options) {
		whole := bytes.Repeat([]byte("0123456789"), 50_000)
		var got atomic.Value
		a1 := raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			got.Store(fmt.Sprint(bytes.Equal(body, whole), err))
		})
		for name, gives := range map[string]http.HandlerFunc{
			"read":     gives("instance=a1"),
			"not read": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("fly-replay", "instance=a1") },
			"begun": func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadFull(r.Body, make([]byte, 10))
				w.Header().Set("fly-replay", "instance=a1")
			},
		} {
			base := serve(t, newEdge(t, o, a1, raw(t, "s1", "syd", gives)))
			for _, expect := range []string{"", "100-continue"} {
				for _, body := range []io.Reader{bytes.NewReader(whole), io.MultiReader(bytes.NewReader(whole))} {
					got.Store("nothing")
					req := request(t, "POST", base, body)
					if expect != "" {
						req.Header.Set("Expect", expect)
					}
					res, err := http.DefaultClient.Do(req)
					if err != nil {
						t.Fatal(name, err)
					}
					text, _ := io.ReadAll(res.Body)
					res.Body.Close()
					if res.StatusCode != 200 || got.Load() != "true <nil>" {
						t.Errorf("%s, length %d, expect %q: %s %s, whole: %v", name, req.ContentLength, expect, res.Status, text, got.Load())
					}
				}
			}
		}
	})
}

// Requests of all kinds, while machines come and go, leave nothing behind.
func TestManyRequests(t *testing.T) {
	const requests = 1_000
	before := runtime.NumGoroutine()
	var heap runtime.MemStats
	t.Run("", func(t *testing.T) {
		o := edge.Options{
			Latency: func(_, _ string) time.Duration { return 0 }, MaxCheckWait: time.Millisecond,
			Service: edge.Service{Requests: true, HardLimit: 50, Checks: []edge.Check{{TCP: true}}},
		}
		a1, o1 := machine(t, "a1", "ams", nil), machine(t, "o1", "ord", gives("instance=a1;fallback=force_self"))
		e := newEdge(t, o, a1, o1)
		for _, id := range []string{"a1", "o1"} {
			if err := e.WaitHealthy(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		var left atomic.Int64
		left.Store(requests)
		half := make(chan struct{})
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				for n := left.Add(-1); n >= 0; n = left.Add(-1) {
					method := []string{"GET", "POST", "PUT", "HEAD"}[n%4]
					r := httptest.NewRequest(method, "http://ord.localhost/", strings.NewReader("body"))
					w := httptest.NewRecorder()
					e.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						t.Errorf("%s: %d %s", method, w.Code, w.Body)
					}
					switch n {
					case requests / 2:
						close(half)
					case requests / 3:
						runtime.GC()
						runtime.ReadMemStats(&heap)
					}
				}
			})
		}
		<-half
		e.Set([]edge.Machine{a1, o1, machine(t, "s1", "syd", nil)})
		asking.Wait()
		var after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&after)
		if after.HeapAlloc > heap.HeapAlloc+4<<20 {
			t.Errorf("the heap grew from %d to %d KB", heap.HeapAlloc>>10, after.HeapAlloc>>10)
		}
		for _, m := range e.Machines() {
			if m.Load != 0 {
				t.Errorf("%s has a load of %d", m.ID, m.Load)
			}
		}
	})
	testkit.Poll(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}
