package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
)

// descriptors counts what this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// After everything that may happen to requests, nothing of them is left: no goroutine,
// no descriptor, nobody who counts as waiting.
func TestNothingLeft(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	t.Run("storm", storm)
	testkit.Poll(t, "goroutines and descriptors to be what they were", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
	})
}

// storm lets clients do to a replica and its primary what clients do.
func storm(t *testing.T) {
	release := make(chan struct{})
	p := newPair(t, nil, Config{ReadWait: time.Minute, WriteWait: time.Minute})
	mux := func(f *fake) *http.ServeMux {
		mux := http.NewServeMux()
		mux.HandleFunc("/write", writes(f))
		mux.HandleFunc("/hangs", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		})
		mux.HandleFunc("/abort", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
			writes(f)(w, r)
			panic(http.ErrAbortHandler)
		})
		mux.HandleFunc("/body", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			rw.Flush()
			rw.ReadString('\n')
		})
		return mux
	}
	p.primaryServer.Config.Handler = p.rtPrimary.Handler(mux(p.primary))
	p.replicaServer.Config.Handler = p.rtReplica.Handler(mux(p.replica))
	ahead := p.rtReplica.newToken(clusterA, 0, []engine.Database{appAt(1<<40, 1)})
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	var all sync.WaitGroup
	send := func(cut bool, method, path string, body io.Reader, token string) {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, method, p.replicaServer.URL+path, body)
			if err != nil {
				t.Error(err)
				return
			}
			if token != "" {
				req.Header.Set(HeaderName, token)
			}
			if cut {
				go func() {
					select {
					case <-release:
						cancel()
					case <-ctx.Done():
					}
				}()
			}
			res, err := client.Do(req)
			if err == nil {
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			if cut != errors.Is(err, context.Canceled) {
				t.Errorf("%s %s: %v", method, path, err)
			}
		})
	}
	const each = 20
	for range each {
		send(true, "GET", "/body", nil, ahead)            // waits for a position until it goes
		send(true, "POST", "/hangs", nil, "")             // waits for the primary until it goes
		send(true, "POST", "/body", endless{release}, "") // uploads until it goes
		send(false, "GET", "/write", nil, "")             // is sent on
		send(false, "POST", "/write", nil, "")            // is sent on at once
		send(false, "POST", "/body", strings.NewReader(strings.Repeat("x", maxReplay+1)), "")
		all.Go(func() { socket(t, p.replicaServer.Listener.Addr().String()) })
		for _, path := range []string{"/abort", "/panic"} {
			all.Go(func() {
				if res, err := client.Get(p.replicaServer.URL + path); err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
		}
	}
	testkit.Poll(t, "those that wait to wait", func() bool { return p.replica.waiting() == each })
	testkit.Poll(t, "the others to be sent on", func() bool { return p.rtReplica.metrics.sent[reasonWrite].Load() >= 4*each })
	close(release)
	all.Wait()
	testkit.Poll(t, "nobody to wait", func() bool { return p.replica.waiting() == 0 })
	p.rtReplica.waiting.mu.Lock()
	defer p.rtReplica.waiting.mu.Unlock()
	if len(p.rtReplica.waiting.by) != 0 || len(p.rtPrimary.open.m) != 0 {
		t.Errorf("%v wait, %v are open", p.rtReplica.waiting.by, p.rtPrimary.open.m)
	}
}

// endless is a body that goes on when it is let, and never ends.
type endless struct{ release <-chan struct{} }

func (e endless) Read(p []byte) (int, error) {
	<-e.release
	return len(p), nil
}

// socket takes a connection over, by way of a replica, and lets it go.
func socket(t *testing.T, addr string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "101") {
		t.Errorf("%q, %v", line, err)
	}
}
