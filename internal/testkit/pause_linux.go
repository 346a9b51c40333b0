package testkit

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Pause stops the node's process where it stands, as a machine does that is starved
// or suspended: its ports accept, and nothing answers. It returns when the process
// stands still. Resume lets it go on.
func (n *Node) Pause() {
	n.t.Helper()
	n.signal(syscall.SIGSTOP)
	Poll(n.t, n.Name+" to stand still", func() bool {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
		_, state, _ := strings.Cut(string(data), ") ")
		return err != nil || strings.HasPrefix(state, "T")
	})
}

// Resume undoes Pause.
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

func (n *Node) signal(sig syscall.Signal) {
	n.t.Helper()
	if err := syscall.Kill(-n.cmd.Process.Pid, sig); err != nil {
		n.t.Fatal(err)
	}
}
