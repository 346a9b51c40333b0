//go:build unix

package lease

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps two servers from one state. It locks the directory itself, so that
// nothing is left behind, and ends with the process. A file system that knows no such
// locks is used without.
func lock(dir string) (unlock func() error, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		d.Close() // it was only locked
		return nil, fmt.Errorf("another lease server has its state in %s: stop it, or give this one a directory of its own", dir)
	}
	return d.Close, nil // closing unlocks
}
