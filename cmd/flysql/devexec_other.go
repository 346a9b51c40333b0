//go:build !unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup cannot be had here.
func ownGroup(*exec.Cmd, bool) {}

// signalCommand signals a command. It may have ended, or not been started.
func signalCommand(cmd *exec.Cmd, s syscall.Signal, _ bool) {
	if cmd.Process != nil {
		_ = cmd.Process.Signal(s)
	}
}

func exitCodeOf(p *os.ProcessState) int { return p.ExitCode() }
