//go:build !unix

package dev

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func killNow(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}
