package latency_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/internal/emulator/latency"
)

func TestReal(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		trip     float64 // there and back, in milliseconds
	}{
		{"ams", "ams", 1},
		{"ams", "xyz", 1}, // nobody knows where that is
		{"ams", "ord", 100},
		{"ord", "ams", 100},
		{"ams", "syd", 251},
		{"iad", "ewr", 6},
	} {
		got := (latency.Real(tt.from, tt.to) + latency.Real(tt.to, tt.from)).Seconds() * 1000
		if math.Abs(got-tt.trip) > 1 {
			t.Errorf("%s to %s and back: %.1f ms, want %.0f", tt.from, tt.to, got, tt.trip)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{"none": 0, "0": 0, "50ms": 25 * time.Millisecond, "1s": 500 * time.Millisecond, "real": latency.Real("ams", "ord")} {
		m, err := latency.Parse(text)
		if err != nil || m.Between("ams", "ord") != want {
			t.Errorf("%s: %v, want %v there", text, err, want)
		}
	}
	fixed, _ := latency.Parse("50ms")
	if got := fixed("ams", "ams"); got != 0 {
		t.Errorf("within a region it takes %v, want nothing", got)
	}
	for _, text := range []string{"", "fast", "-1s", "50", "11s"} {
		if _, err := latency.Parse(text); err == nil || !strings.Contains(err.Error(), "want real, none, or a round trip") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSlowed(t *testing.T) {
	s := &latency.Slowed{Base: latency.Fixed(20 * time.Millisecond)}
	s.Slow("syd", time.Second)
	for _, tt := range []struct {
		from, to string
		want     time.Duration
	}{
		{"ams", "ord", 10 * time.Millisecond},
		{"ams", "syd", 1010 * time.Millisecond},
		{"syd", "ams", 1010 * time.Millisecond},
		{"syd", "syd", time.Second},
	} {
		if got := s.Delay(tt.from, tt.to); got != tt.want {
			t.Errorf("%s to %s: %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
	s.Slow("syd", 0)
	if got := s.Delay("ams", "syd"); got != 10*time.Millisecond {
		t.Errorf("put back it is %v", got)
	}
	if got := new(latency.Slowed).Delay("ams", "syd"); got != 0 {
		t.Errorf("the zero value takes %v", got)
	}
}

func fixed(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// Pieces that follow each other closely are on their way at the same time.
func TestJoinDelaysAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		joined := make(chan struct{})
		go func() {
			defer close(joined)
			latency.Join(near, far, fixed(100*time.Millisecond), fixed(30*time.Millisecond))
		}()
		start := time.Now()
		go func() {
			for i := range 5 {
				fmt.Fprintf(client, "piece %d\n", i)
				time.Sleep(time.Millisecond)
			}
		}()
		buf := make([]byte, 100)
		for i := range 5 {
			n, err := server.Read(buf)
			at, want := time.Since(start), 100*time.Millisecond+time.Duration(i)*time.Millisecond
			if err != nil || string(buf[:n]) != fmt.Sprintf("piece %d\n", i) || at != want {
				t.Errorf("%q after %v (%v), want piece %d after %v", buf[:n], at, err, i, want)
			}
		}
		start = time.Now()
		go func() {
			io.WriteString(server, "answer")
			server.Close()
		}()
		answer, err := io.ReadAll(client)
		if at := time.Since(start); err != nil || string(answer) != "answer" || at != 30*time.Millisecond {
			t.Errorf("%q after %v (%v), want answer after 30 ms", answer, at, err)
		}
		<-joined
	})
}

// A server that answers before it has read all, and goes, is heard to its end.
func TestJoinDeliversAnEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		go latency.Join(near, far, fixed(time.Second), fixed(time.Second))
		go client.Write(bytes.Repeat([]byte("x"), 100))
		buf := make([]byte, 10)
		if _, err := io.ReadFull(server, buf); err != nil {
			t.Error(err)
		}
		io.WriteString(server, "enough")
		server.Close()
		if got, err := io.ReadAll(client); err != nil || string(got) != "enough" {
			t.Errorf("%q, %v", got, err)
		}
		client.Close()
		time.Sleep(2 * time.Second) // until the client's end has arrived
	})
}

// Nothing overtakes what was sent before, when the way becomes shorter.
func TestJoinKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		delay := time.Second
		go latency.Join(near, far, func() time.Duration { delay /= 2; return delay }, fixed(0))
		go func() {
			for i := range 10 {
				fmt.Fprint(client, i)
			}
			client.Close()
		}()
		if got, err := io.ReadAll(server); err != nil || string(got) != "0123456789" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A sender waits when more than the window is on its way, and all of it arrives.
func TestJoinHoldsBackTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		go latency.Join(near, far, fixed(time.Second), fixed(0))
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MB: two windows
		start := time.Now()
		go func() {
			client.Write(sent)
			client.Close()
		}()
		got, err := io.ReadAll(server)
		if at := time.Since(start); err != nil || !bytes.Equal(got, sent) || at < 2*time.Second || at > 4*time.Second {
			t.Errorf("%d bytes after %v (%v), want %d after two windows of a second", len(got), at, err, len(sent))
		}
	})
}

// Single bytes take up more than themselves while they are on their way.
func TestJoinHoldsBackSingleBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		go latency.Join(near, far, fixed(time.Hour), fixed(0))
		sent := 0
		go func() {
			for {
				if _, err := client.Write([]byte{0}); err != nil {
					return
				}
				sent++
			}
		}()
		synctest.Wait()
		if sent < 10_000 || sent > 100_000 {
			t.Errorf("%d of them are on their way", sent)
		}
		client.Close()
		if n, err := io.Copy(io.Discard, server); err != nil || int(n) != sent {
			t.Errorf("%d arrived, %v, want %d", n, err, sent)
		}
	})
}

// When one side breaks off, neither the other nor a goroutine waits for good: synctest
// fails where one is left.
func TestJoinEnds(t *testing.T) {
	for name, end := range map[string]func(client, server net.Conn){
		"the client goes": func(client, _ net.Conn) { client.Close() },
		"the server goes": func(_, server net.Conn) { server.Close() },
		"with bytes on their way": func(client, server net.Conn) {
			client.Write([]byte("never read"))
			server.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, near := net.Pipe()
				far, server := net.Pipe()
				joined := make(chan struct{})
				go func() {
					defer close(joined)
					latency.Join(near, far, fixed(time.Second), fixed(time.Second))
				}()
				end(client, server)
				<-joined
				if _, err := client.Write([]byte("x")); err == nil {
					t.Error("the client can still write")
				}
			})
		})
	}
}

// relayed serves an upper-casing server behind a relay.
func relayed(t *testing.T, trip time.Duration) (address string, relay *latency.Relay, serve func() error) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				all, _ := io.ReadAll(c) // until its client has ended its half
				c.Write(bytes.ToUpper(all))
			}()
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relay = &latency.Relay{
		Delay: func() (time.Duration, time.Duration) { return trip / 2, trip / 2 },
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Addr().String())
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- relay.Serve(ctx, l) }()
	return l.Addr().String(), relay, func() error { stop(); return <-done }
}

// Over TCP the end of one direction is passed on, and an answer still comes back.
func TestRelay(t *testing.T) {
	address, _, stop := relayed(t, 20*time.Millisecond)
	start := time.Now()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "hello")
	c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "HELLO" {
		t.Errorf("%q, %v", got, err)
	}
	if took := time.Since(start); took < 40*time.Millisecond {
		t.Errorf("it took %v, want two round trips: to connect, and to ask", took)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// The end of ctx ends connections, too, and Serve returns.
func TestRelayStops(t *testing.T) {
	address, _, stop := relayed(t, 0)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "hello")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

// What is on its way when ctx ends, however far, is not waited for.
func TestRelayStopsWithBytesOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		conns := make(chan net.Conn, 1)
		conns <- near
		relay := latency.Relay{
			Delay: func() (time.Duration, time.Duration) { return time.Hour, time.Hour },
			Dial:  func(context.Context) (net.Conn, error) { return far, nil },
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- relay.Serve(ctx, &listener{conns: conns}) }()
		time.Sleep(3 * time.Hour) // it has connected
		io.WriteString(client, "hello")
		start := time.Now()
		stop()
		if err := <-done; err != nil || time.Since(start) > 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		server.Close()
	})
}

// listener is of connections that are there.
type listener struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l *listener) Close() error   { l.once.Do(func() { close(l.conns) }); return nil }
func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// A server that takes no connection looks gone.
func TestRelayWithoutServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relay := latency.Relay{
		Delay: func() (time.Duration, time.Duration) { return 0, 0 },
		Dial:  func(context.Context) (net.Conn, error) { return nil, io.ErrUnexpectedEOF },
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- relay.Serve(ctx, l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func ExampleJoin() {
	client, near := net.Pipe()
	far, server := net.Pipe()
	slow := func() time.Duration { return 10 * time.Millisecond }
	go latency.Join(near, far, slow, slow)
	start := time.Now()
	go func() { _, _ = io.WriteString(client, "hello") }()
	buf := make([]byte, 5)
	_, _ = io.ReadFull(server, buf)
	fmt.Printf("%s, late: %v\n", buf, time.Since(start) >= 10*time.Millisecond)
	_ = server.Close()
	// Output: hello, late: true
}
