package entrypoint

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/lease"
)

const secretToken = "a-token-that-nobody-reads"

// keyAt is the lease's key at a server, as the node "a" reads it.
func keyAt(t *testing.T, url string) *leaseKey {
	t.Helper()
	n := &node{conf: &flyconf.LiteFS{}}
	n.conf.Lease.Type, n.conf.Lease.Hostname = "consul", "a"
	n.conf.Lease.Consul.URL, n.conf.Lease.Consul.Key = url, "litefs/app"
	k := n.leaseKey(func(string) string { return "" })
	if k == nil {
		t.Fatalf("%s: no lease", url)
	}
	return k
}

// The lease server is asked over TLS, with the token of its URL, and believed with a
// certificate that the system trusts only. No error has the token.
func TestLeaseOverTLS(t *testing.T) {
	s, err := lease.Open(lease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]int{}
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens[r.Header.Get("X-Consul-Token")]++
		s.ServeHTTP(w, r)
	}))
	defer web.Close()
	withToken := strings.Replace(web.URL, "https://", "https://:"+secretToken+"@", 1) + "/prefix"
	_, _, err = keyAt(t, withToken).holder(t.Context(), 5*time.Second)
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") || strings.Contains(err.Error(), secretToken) {
		t.Errorf("a certificate of nobody: %v", err)
	}
	if len(tokens) > 0 {
		t.Errorf("the token was sent to a server that is not trusted")
	}
	if isTimeout(err) {
		t.Error("taken for a timeout")
	}

	// SSL_CERT_FILE is read once, so by a process of its own.
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := askAs(withToken, "SSL_CERT_FILE="+ca)
	if err != nil || out != "nobody\n" || tokens[secretToken] != 1 {
		t.Errorf("%q, %v, tokens %v", out, err, tokens)
	}
	// The name must be the certificate's too.
	out, err = askAs(strings.Replace(withToken, "127.0.0.1", "localhost", 1), "SSL_CERT_FILE="+ca)
	if err == nil || !strings.Contains(out, ", not localhost") || strings.Contains(out, secretToken) {
		t.Errorf("%q, %v", out, err)
	}
}

// Whatever the server says, no error has the token.
func TestLeaseErrors(t *testing.T) {
	for _, tt := range []struct{ name, answer, want string }{
		{"nothing", "", "EOF"},
		{"no HTTP", "SSH-2.0\r\n", "is no answer of HTTP"},
		{"refused", "HTTP/1.1 403 Forbidden\r\n\r\nACL not found: " + secretToken, "status 403"},
		{"no leader", "HTTP/1.1 500 x\r\n\r\nNo cluster leader", "status 500"},
		{"no JSON", "HTTP/1.1 200 OK\r\n\r\n<html>", "status 200"},
		{"two keys", "HTTP/1.1 200 OK\r\n\r\n[{},{}]", "status 200"},
		{"another's value", "HTTP/1.1 200 OK\r\n\r\n" + `[{"Value":"eA==","Session":"s"}]`, "what LiteFS does not write"},
		{"a redirect", "HTTP/1.1 301 x\r\nLocation: http://elsewhere\r\n\r\n", "status 301"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := keyAt(t, "http://:"+secretToken+"@"+answering(t, tt.answer))
			_, _, err := k.holder(t.Context(), 5*time.Second)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secretToken) {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if c := k.claim(t.Context(), 5*time.Second, "s"); c.err == nil || c.lost {
				t.Errorf("%+v: that is no answer", c)
			}
		})
	}
}

// askAs asks for the lease's holder in a process with that environment.
func askAs(url, env string) (string, error) {
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), asAsker+"="+url, env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func askerMain(url string) int {
	n := &node{conf: &flyconf.LiteFS{}}
	n.conf.Lease.Type, n.conf.Lease.Consul.URL, n.conf.Lease.Consul.Key = "consul", url, "litefs/app"
	_, session, err := n.leaseKey(os.Getenv).holder(context.Background(), 5*time.Second)
	switch {
	case err != nil:
		fmt.Println(err)
		return 1
	case session == "":
		fmt.Println("nobody")
	}
	return 0
}
