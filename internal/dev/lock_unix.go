//go:build unix

package dev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockState keeps two sessions out of one directory. It ends with the process.
func lockState(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%s %w by another flysql dev%s: end that one first", filepath.Dir(name), ErrInUse, inUseBy(filepath.Dir(name)))
		return nil, errors.Join(err, f.Close())
	}
	return f, nil // a file system that knows no locks is used without
}

// inUseBy names the process that has a directory, where that is known.
func inUseBy(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, runningFile)) // it has only just begun
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 0 {
		return fmt.Sprintf(" (pid %d)", pid)
	}
	return ""
}

// unlockState gives it up at once: a process that is just being started has it too, until it is.
func unlockState(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
