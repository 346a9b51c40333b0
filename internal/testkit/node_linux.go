package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Key is the key in the lease server that the nodes of a test elect with.
const Key = "litefs/primary"

// Node is one LiteFS node: a litefs.yml with directories and ports of its own. It
// is started by Start, or by what is tested, with Config.
type Node struct {
	Name   string
	Config string // path of its litefs.yml
	Data   string // data.dir
	Mount  string // fuse.dir
	API    int    // port of http.addr

	t      testing.TB
	binary string
	cmd    *exec.Cmd
	out    *output
	ended  chan struct{}
}

// NodeOptions say what differs from node to node.
type NodeOptions struct {
	Dir       string // holds litefs.yml, the data and the mount; "" is a temporary one
	Lease     *Lease // without it and LeaseURL, the lease is static
	Plain     bool   // data.compress is off
	LeaseURL  string // where it reaches Lease, where that is not Lease.URL; or another lease server
	Replica   bool   // not a candidate; with a static lease, not the primary
	Primary   int    // static lease: the primary's API port, where Replica
	Extra     string // more YAML
	DataDir   string // data.dir where it is not in Dir
	Retention string // data.retention, looked at ten times a second; "" is LiteFS's own
	ConfigDir string // where litefs.yml is written, where it is not Dir
}

// NewNode writes the configuration of a node. When the test ends nothing of the
// node is left mounted or running.
func NewNode(t testing.TB, name string, o NodeOptions) *Node {
	t.Helper()
	n := &Node{Name: name, t: t, binary: LiteFS(t), API: FreePort(t)}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.ConfigDir == "" {
		o.ConfigDir = o.Dir
	}
	if n.Data = o.DataDir; n.Data == "" {
		n.Data = filepath.Join(o.Dir, "volume", "litefs")
		if err := os.MkdirAll(filepath.Dir(n.Data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n.Mount = filepath.Join(o.Dir, "mnt")
	n.Config = filepath.Join(o.ConfigDir, name+".yml")
	var b strings.Builder
	fmt.Fprintf(&b, "fuse:\n  dir: %q\n  allow-other: true\ndata:\n  dir: %q\n  compress: %v\n", n.Mount, n.Data, !o.Plain)
	if o.Retention != "" {
		fmt.Fprintf(&b, "  retention: %q\n  retention-monitor-interval: 100ms\n", o.Retention)
	}
	fmt.Fprintf(&b, "http:\n  addr: \"127.0.0.1:%d\"\n", n.API)
	fmt.Fprintf(&b, "lease:\n  hostname: %q\n  candidate: %v\n", name, !o.Replica)
	advertise := n.API
	if o.Lease != nil && o.LeaseURL == "" {
		o.LeaseURL = o.Lease.URL
	}
	if o.LeaseURL == "" {
		b.WriteString("  type: static\n")
		if o.Replica {
			advertise = o.Primary
		}
	} else {
		fmt.Fprintf(&b, "  type: consul\n  reconnect-delay: 100ms\n  consul:\n    url: %q\n    key: %q\n", o.LeaseURL, Key)
	}
	fmt.Fprintf(&b, "  advertise-url: \"http://127.0.0.1:%d\"\n%s", advertise, o.Extra)
	if err := os.WriteFile(n.Config, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.clean)
	return n
}

// clean leaves nothing behind, whatever the test did.
func (n *Node) clean() {
	n.Kill()
	// Any number of mounts on top of each other; EINVAL says that there is none.
	for range 8 {
		if unix.Unmount(n.Mount, unix.MNT_FORCE|unix.MNT_DETACH) != nil {
			break
		}
	}
}

// Abort ends what waits for the node's mount. A LiteFS that was killed in the middle of
// telling the kernel something waits for itself there, and whoever has a file of the
// mount open with it: nothing of it can be killed before. Where a machine ends, that
// ends too. What is not mounted any more is fine.
func (n *Node) Abort() { _ = unix.Unmount(n.Mount, unix.MNT_FORCE) }

// Mounted tells whether something is mounted at the node's fuse.dir.
func (n *Node) Mounted() bool {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.Contains(string(data), " "+n.Mount+" ")
}

// Start runs `litefs mount` and returns when it is the primary, or has caught up
// with one.
func (n *Node) Start() {
	n.t.Helper()
	n.cmd = exec.Command(n.binary, "mount", "-config", n.Config)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	n.out = &output{}
	n.cmd.Stdout, n.cmd.Stderr = n.out, n.out
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.ended = make(chan struct{})
	go func() { defer close(n.ended); n.cmd.Wait() }()
	Poll(n.t, n.Name+" ready", func() bool {
		select {
		case <-n.ended:
			n.t.Fatalf("%s ended:\n%s", n.Name, n.out.String())
		default:
		}
		return strings.Contains(n.out.String(), "connected to cluster, ready")
	})
}

// Stop ends the node in order, and leaves nothing mounted. LiteFS cannot unmount while
// somebody has a file open there, and ends with its mount left dead. Tests beside this
// one do that: what they start has this process's files until it is another program.
func (n *Node) Stop() {
	if n.cmd == nil {
		return
	}
	n.end(syscall.SIGTERM)
	if strings.Contains(n.Log(), "resource busy") {
		_ = unix.Unmount(n.Mount, unix.MNT_FORCE|unix.MNT_DETACH) // gone is fine
	}
}

// Kill ends it at once; its mount is left dead.
func (n *Node) Kill() { n.end(syscall.SIGKILL) }

func (n *Node) end(sig syscall.Signal) {
	if n.cmd == nil {
		return
	}
	_ = syscall.Kill(-n.cmd.Process.Pid, sig) // one that has ended is fine
	for waiting := sig == syscall.SIGKILL; waiting; {
		select {
		case <-n.ended:
			waiting = false
		case <-time.After(3 * time.Second):
			n.Abort()
		}
	}
	<-n.ended
	n.cmd = nil
}

// Running tells whether Start has started it, and nothing has ended it since.
func (n *Node) Running() bool { return n.cmd != nil }

// Pid is the process of a node that Start has started.
func (n *Node) Pid() int { return n.cmd.Process.Pid }

// Log is what the node has printed since Start.
func (n *Node) Log() string { return n.out.String() }

// Info is what a node says of itself at GET /info.
type Info struct {
	IsPrimary bool                      `json:"isPrimary"`
	Primary   struct{ Hostname string } `json:"primary"`
}

// Info asks the node; ok is false where nobody answers.
func (n *Node) Info() (info Info, ok bool) {
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/info", n.API))
	if err != nil {
		return Info{}, false
	}
	defer res.Body.Close()
	return info, json.NewDecoder(res.Body).Decode(&info) == nil
}

// Post asks the node's API to do something, such as "/promote".
func (n *Node) Post(path string) {
	n.t.Helper()
	res, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d%s", n.API, path), "", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		n.t.Fatalf("POST %s: %s", path, res.Status)
	}
}

// DB is the path of a database on the node.
func (n *Node) DB(name string) string { return filepath.Join(n.Mount, name) }

// Position is the database's position, "" where it has none yet.
func (n *Node) Position(name string) string {
	data, err := os.ReadFile(n.DB(name) + "-pos")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// output collects what a process prints while it is read.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
