package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// between is a network with an echo in syd, and the door to it from ams.
func between(t *testing.T, patience time.Duration) (*network, *door) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	n := newNetwork(nil)
	n.patience = patience
	t.Cleanup(n.close)
	d := newDoor("ams", "syd", testkit.FreePort(t))
	n.relay(d, func() int { return l.Addr().(*net.TCPAddr).Port })
	d.listens(true)
	return n, d
}

func connect(t *testing.T, d *door) net.Conn {
	t.Helper()
	var c net.Conn
	testkit.Poll(t, "the door", func() (ok bool) {
		var err error
		c, err = net.Dial("tcp", d.address())
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// says writes, and reads what comes back within a time.
func says(c net.Conn, text string, within time.Duration) (string, error) {
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	return hears(c, len(text), within)
}

func hears(c net.Conn, size int, within time.Duration) (string, error) {
	c.SetReadDeadline(time.Now().Add(within))
	buf := make([]byte, size)
	n, err := io.ReadFull(c, buf)
	return string(buf[:n]), err
}

// A connection over a network that is cut hangs, and so does a new one; both go on when it
// is mended, with all that was said meanwhile, in order.
func TestCutHangs(t *testing.T) {
	n, d := between(t, time.Minute)
	old := connect(t, d)
	if got, err := says(old, "one", time.Minute); got != "one" {
		t.Fatalf("%q, %v", got, err)
	}
	n.set("syd", true)
	if got, err := says(old, "two", 100*time.Millisecond); got != "" || !isTimeout(err) {
		t.Errorf("over what is cut: %q, %v", got, err)
	}
	young := connect(t, d)
	if got, err := says(young, "three", 100*time.Millisecond); got != "" || !isTimeout(err) {
		t.Errorf("a new connection: %q, %v", got, err)
	}
	// Whether the machine is there at all is not known either.
	d.listens(false)
	if got, err := says(connect(t, d), "x", 100*time.Millisecond); got != "" || !isTimeout(err) {
		t.Errorf("to a machine that is off: %q, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := n.dial(ctx, "ams", "syd", 1); err == nil || err.Error() != "the network between ams and syd is cut: context deadline exceeded" {
		t.Errorf("%v", err)
	}
	d.listens(true)
	n.set("syd", false)
	if got, err := hears(old, 3, time.Minute); got != "two" {
		t.Errorf("mended: %q, %v", got, err)
	}
	if got, err := hears(young, 5, time.Minute); got != "three" {
		t.Errorf("mended: %q, %v", got, err)
	}
	d.listens(false)
	if c, err := net.Dial("tcp", d.address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a machine that is off: %v, %v", c, err)
	}
	// Who was in stays in.
	if got, err := says(old, "four", time.Minute); got != "four" {
		t.Errorf("%q, %v", got, err)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// What has hung for long breaks, and what ends meanwhile is not told before.
func TestCutBreaks(t *testing.T) {
	n, d := between(t, 300*time.Millisecond)
	c := connect(t, d)
	if got, err := says(c, "one", time.Minute); got != "one" {
		t.Fatalf("%q, %v", got, err)
	}
	n.set("ams", true)
	began := time.Now()
	if got, err := says(c, "two", time.Minute); got != "" || err == nil || isTimeout(err) {
		t.Errorf("%q, %v", got, err)
	}
	if took := time.Since(began); took < n.patience {
		t.Errorf("it broke after %v", took)
	}
}

// However much is written into a network that is cut, little of it is held; and it ends
// at once when the network does.
func TestCutIsBounded(t *testing.T) {
	n, d := between(t, time.Minute)
	c := connect(t, d)
	if got, err := says(c, "one", time.Minute); got != "one" {
		t.Fatalf("%q, %v", got, err)
	}
	n.set("syd", true)
	block := bytes.Repeat([]byte("x"), 1<<20)
	written := 0
	for {
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		w, err := c.Write(block)
		written += w
		if err != nil {
			if !isTimeout(err) {
				t.Errorf("after %d bytes: %v", written, err)
			}
			break
		}
		if written > 64<<20 {
			t.Fatalf("%d bytes were taken", written)
		}
	}
	// Nor do they pile up who try again and again.
	n.hanging.Add(maxHanging)
	if got, err := says(connect(t, d), "x", time.Minute); got != "" || isTimeout(err) {
		t.Errorf("one too many: %q, %v", got, err)
	}
	n.hanging.Add(-maxHanging)
	began, before := time.Now(), runtime.NumGoroutine()
	n.close()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closed after %v", took)
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	if got, err := hears(c, 1, time.Minute); got != "" || isTimeout(err) {
		t.Errorf("after the end: %q, %v", got, err)
	}
}

// A door whose port somebody else has is opened as soon as that one has gone.
func TestDoorWaits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor("ams", "syd", l.Addr().(*net.TCPAddr).Port)
	d.listens(true)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() { _, err := d.Accept(); accepted <- err }()
	connect(t, d)
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	go func() { _, err := d.Accept(); accepted <- err }()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	if !strings.HasPrefix(d.Addr().String(), "127.0.0.1:") {
		t.Errorf("%v", d.Addr())
	}
}
