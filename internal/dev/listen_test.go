package dev

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
)

func TestListen(t *testing.T) {
	t.Parallel()
	f, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	if got, want := f.url("ams"), fmt.Sprintf("http://ams.localhost:%d", f.port); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, l := range f.listeners {
		res, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			t.Error(err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != l.Addr().String() {
			t.Errorf("%q, %v", body, err)
		}
		res.Body.Close()
	}
	// Who has it is named.
	want := fmt.Sprintf("port %d is taken", f.port)
	if runtime.GOOS == "linux" {
		want += fmt.Sprintf(" by dev.test (pid %d): end that, or choose another with --port", os.Getpid())
	}
	_, err = listen(f.port)
	wantError(t, err, want)
}

// A port that somebody has on one of the two addresses alone is taken.
func TestListenOnIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Log("there is no IPv6 here:", err)
		return
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = listen(port)
	wantError(t, err, fmt.Sprintf("port %d is taken", port))
	again, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal("the other address was kept:", err)
	}
	again.Close()
}
