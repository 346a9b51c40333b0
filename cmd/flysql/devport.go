package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// portFree returns why a port of loopback cannot be listened on, with who has it where
// that can be told. It is asked before anything is built.
func portFree(port int) error {
	if port == 0 {
		return nil
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		return l.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: give another port with --port; 0 is any that is free", err)
	}
	who := ""
	if holder := portHolder(port); holder != "" {
		who = " (" + holder + ")"
	}
	return fmt.Errorf("port %d is taken%s: stop that, or give another with --port; 0 is any that is free", port, who)
}
