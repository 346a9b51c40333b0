//go:build unix

package dev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
		err = fmt.Errorf("%s is in use by another flysql dev: end that one first, or name another directory", filepath.Dir(name))
		return nil, errors.Join(err, f.Close())
	}
	return f, nil // a file system that knows no locks is used without
}
