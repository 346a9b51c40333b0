package testkit

import (
	"os"
	"os/exec"
	"testing"
)

// NotRunWords stand before what a test that was not run is in want of.
const NotRunWords = "not run for want of "

// NotRun ends a test for want of something, and names what would mend that. Nothing
// else skips a test: `make test` counts by this line, and a skip without it fails.
func NotRun(t testing.TB, want, mend string) {
	t.Helper()
	t.Skipf(NotRunWords+"%s (%s)", want, mend)
}

// NeedRoot ends a test that is not run by root, who alone mounts file systems and
// changes users.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		NotRun(t, "root", "it mounts a file system or changes users")
	}
}

// NeedFUSE ends a test where LiteFS could mount nothing.
func NeedFUSE(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		NotRun(t, "FUSE", "/dev/fuse")
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		NotRun(t, "FUSE", "fusermount3: apt-get install fuse3")
	}
}
