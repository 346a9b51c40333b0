package network_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/e2e/network"
	"github.com/flysql/flysql/internal/testkit"
)

func newNetwork(t *testing.T, machines int) *network.Network {
	t.Helper()
	testkit.NeedRoot(t)
	n, err := network.New(machines)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// interfaces are those that this program sees.
func interfaces(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(all)
}

// A process in a machine's place has the machine's address and no other, and
// reaches the hub. The host sees nothing of it.
func TestMachineReachesTheHub(t *testing.T) {
	before := interfaces(t)
	n := newNetwork(t, 2)
	l, err := n.Listen(8500)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Errorf("%v of the hub is reached from the host", l.Addr())
	}
	for i := range 2 {
		p := n.Place(i)
		script := fmt.Sprintf("exec 3<>/dev/tcp/%v/8500; echo hello >&3", n.Addr())
		cmd := exec.Command("nsenter", "--net=/proc/self/fd/3", "bash", "-c", script)
		cmd.ExtraFiles = []*os.File{p.Namespace}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		c.Close()
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		if err != nil || line != "hello\n" || from != p.Addr {
			t.Errorf("machine %d: %q from %v, %v, want hello from %v", i, line, from, err, p.Addr)
		}
	}
	if after := interfaces(t); after != before {
		t.Errorf("the host's interfaces are %s, want %s", after, before)
	}
}

func TestDialContext(t *testing.T) {
	n := newNetwork(t, 1)
	l, err := n.Listen(80)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := n.DialContext(t.Context(), "tcp", "localhost:80"); err == nil {
		t.Error("a name is looked up on the host's network")
	}
	// Nobody listens there, but somebody is there to say so.
	to := netip.AddrPortFrom(n.Place(0).Addr, 80).String()
	if _, err := n.DialContext(t.Context(), "tcp", to); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("dial %s: %v, want that it is refused", to, err)
	}
}

// However many threads have been there, all are back on the host's network.
func TestThreadsComeBack(t *testing.T) {
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, 1)
	for range 20 {
		// An error is fine: it is about the thread.
		_, _ = n.DialContext(t.Context(), "tcp", netip.AddrPortFrom(n.Place(0).Addr, 80).String())
	}
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if ns, err := os.Readlink(thread); err == nil && ns != home {
			t.Errorf("%s is %s, want %s", thread, ns, home)
		}
	}
}
