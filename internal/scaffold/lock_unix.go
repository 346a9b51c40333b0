//go:build unix

package scaffold

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps two runs of init from working in one repository at the same time. It
// locks the directory itself, so that nothing is left behind, and ends with the
// process. A file system that knows no such locks is used without.
func lock(root *os.Root) (unlock func(), err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		dir.Close() // it was only locked
		return nil, fmt.Errorf("another flysql init is writing in %s: wait for it to end", root.Name())
	}
	return func() { dir.Close() }, nil // closing unlocks
}
