//go:build unix && !linux

package entrypoint

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Containers are Linux. Elsewhere this package runs on developers' machines, for
// apps that boot in-process: mounts are not looked at, and nothing is reaped.

const mountsFile = ""

func mountID(string) string { return "" }

func becomeReaper() error { return nil }

func dieWithParent(*syscall.SysProcAttr) {}

func followParent(int) error { return errors.ErrUnsupported }

func detach(string) error { return errors.ErrUnsupported }

func memoryFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func cloneFile(_, _ *os.File) error { return errors.ErrUnsupported }

func litefsPlatform() error {
	return refused("set FLYSQL_LITEFS=off", "LiteFS runs on Linux only")
}

func children() map[int]byte { return nil }

// space is what is left on a disk; sizes in bytes.
type space struct {
	free, total        int64
	readOnly, noInodes bool
}

func spaceOf(dir string) (space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return space{}, err
	}
	return space{free: int64(st.Bavail) * int64(st.Bsize), total: int64(st.Blocks) * int64(st.Bsize)}, nil
}
