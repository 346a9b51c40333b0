// Package testkit gives tests real LiteFS nodes, a lease server for them, and
// polling. It is imported by tests only.
//
// What cannot run here (no root, no FUSE, no LiteFS built) skips the test by NotRun,
// so that `go test ./...` passes on any machine and says what it left out. `make test`
// builds LiteFS and installs fuse3 first, and counts what was not run.
package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/lease"
)

// LiteFSVariable names a LiteFS binary to use instead of bin/tools/litefs.
const LiteFSVariable = "FLYSQL_TEST_LITEFS"

// limit is how long a test waits for anything before it gives up: far longer than
// it takes on a busy machine.
const limit = 60 * time.Second

// LiteFS returns the path of the LiteFS binary. It ends the test where there is
// none, or where FUSE cannot be mounted.
func LiteFS(t testing.TB) string {
	t.Helper()
	NeedRoot(t)
	NeedFUSE(t)
	return tool(t, "litefs", LiteFSVariable)
}

// tool returns the path of a program that a make target of its name builds, unless a
// variable names another one.
func tool(t testing.TB, name, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join(root(t), "bin", "tools", name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		NotRun(t, name, "make "+name)
	}
	return path
}

// root finds the repository from the test's working directory, its package's.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(data), "module github.com/flysql/flysql\n") {
			return dir
		}
	}
	t.Fatal("the test does not run inside the repository")
	return ""
}

// Poll calls done until it is true, and fails the test when that takes too long.
func Poll(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end, pause := time.Now().Add(limit), time.Millisecond; !done(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", limit, what)
		}
		time.Sleep(pause)
	}
}

// FreePort returns a TCP port of loopback that nobody listens on at the moment. It lies
// below those that the system gives to connections, or one could have it meanwhile.
func FreePort(t testing.TB) int {
	t.Helper()
	const first, last = 10_000, 32_767
	var l net.Listener
	var err error
	for range 100 {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first))); err == nil {
			defer l.Close()
			return l.Addr().(*net.TCPAddr).Port
		}
	}
	t.Fatal(err)
	return 0
}

// Lease is a running lease server.
type Lease struct {
	*lease.Server
	URL string

	web *httptest.Server
	gate
}

// NewLease starts a lease server that ends with the test.
func NewLease(t testing.TB) *Lease {
	t.Helper()
	s, err := lease.Open(lease.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	l := &Lease{Server: s}
	l.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.closed() {
			http.Error(w, "no leader", http.StatusInternalServerError) // as Consul without one
			return
		}
		s.ServeHTTP(w, r)
	}))
	l.URL = l.web.URL
	t.Cleanup(func() {
		l.web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
