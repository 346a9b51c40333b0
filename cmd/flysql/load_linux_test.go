package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/internal/testkit"
)

// On a full disk the report that was there stays, nothing else is left, and what was
// measured is printed all the same.
func TestLoadDiskFull(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	full := t.TempDir()
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=8k"); err != nil {
		testkit.NotRun(t, "tmpfs", err.Error())
	}
	t.Cleanup(func() { unix.Unmount(full, unix.MNT_DETACH) })
	path := filepath.Join(full, "report.html")
	if err := os.WriteFile(path, []byte("the old one"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := unchanged(t, full)
	code, stdout, stderr := quiet(t, "load", loadedApp(t, 0, 0), "--rate", "100", "--for", "200ms", "--warm-up", "0s", "--html", path)
	if code != 1 || !strings.Contains(stdout, "success 100%: 200 OK 20") || !strings.Contains(stderr, "write "+path+": ") || !strings.Contains(stderr, "no space left on device") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	check()
}
