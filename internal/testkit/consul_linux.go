package testkit

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/lease"
)

// ConsulVariable names a Consul binary to use instead of bin/tools/consul.
const ConsulVariable = "FLYSQL_TEST_CONSUL"

// Consul is a real Consul agent on loopback, in dev mode: alone, with nothing on disk.
type Consul struct {
	URL string

	cmd   *exec.Cmd
	out   output
	ended chan struct{}
}

// NewConsul starts an agent that ends with the test. Its node is called lease.Node,
// and it takes TTLs from one second on. It ends the test where Consul is not built.
func NewConsul(t testing.TB) *Consul {
	t.Helper()
	binary := tool(t, "consul", ConsulVariable)
	port := FreePort(t)
	c := &Consul{URL: fmt.Sprintf("http://127.0.0.1:%d", port), ended: make(chan struct{})}
	c.cmd = exec.Command(binary, "agent", "-dev", "-node", lease.Node, "-bind", "127.0.0.1", "-client", "127.0.0.1", "-log-level", "warn",
		"-http-port", fmt.Sprint(port), "-server-port", fmt.Sprint(FreePort(t)), "-serf-lan-port", fmt.Sprint(FreePort(t)),
		"-serf-wan-port", "-1", "-dns-port", "-1", "-grpc-port", "-1", "-grpc-tls-port", "-1",
		"-hcl", `session_ttl_min = "1s" disable_update_check = true`)
	c.cmd.Dir, c.cmd.Env = t.TempDir(), []string{} // no CONSUL_ of this machine
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(c.ended); c.cmd.Wait() }()
	t.Cleanup(c.Kill)
	Poll(t, "consul ready", func() bool {
		select {
		case <-c.ended:
			t.Fatalf("consul ended:\n%s", c.out.String())
		default:
		}
		return c.ready()
	})
	return c
}

// ready tells whether the agent has a leader that knows its node as healthy: before
// that it takes no session.
func (c *Consul) ready() bool {
	res, err := http.Get(c.URL + "/v1/health/node/" + lease.Node)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return err == nil && res.StatusCode == http.StatusOK && strings.Contains(string(body), `"serfHealth"`)
}

// Kill ends the agent, and with it all that it knew.
func (c *Consul) Kill() {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // one that has ended is fine
	<-c.ended
}
