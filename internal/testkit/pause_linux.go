package testkit

import "syscall"

// Pause stops the node's process where it stands, as a machine does that is starved
// or suspended: its ports accept, and nothing answers. Resume lets it go on.
func (n *Node) Pause() { n.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

func (n *Node) signal(sig syscall.Signal) {
	n.t.Helper()
	if err := syscall.Kill(-n.cmd.Process.Pid, sig); err != nil {
		n.t.Fatal(err)
	}
}
