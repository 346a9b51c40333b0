//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// execute returns only where the program cannot be started.
func execute(path string, argv, env []string) error {
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, argv, env))
}
