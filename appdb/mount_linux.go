package appdb

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// fuseMagic is what statfs(2) says of a FUSE file system.
const fuseMagic = 0x65735546

// onLiteFS reports whether path lies in the mount of a LiteFS. A FUSE file system
// alone says little: LiteFS has a .lag beside its databases, and nobody else has.
func onLiteFS(path string) bool {
	dir := filepath.Dir(path)
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil || int64(st.Type) != fuseMagic {
		return false
	}
	for _, name := range []string{path + "-pos", filepath.Join(dir, ".lag"), filepath.Join(dir, ".primary")} {
		if _, err := os.Stat(name); err == nil {
			return true
		}
	}
	return false
}

// mountPrimary is the primary that LiteFS names in its mount. It names none on the
// primary, nor while it knows none.
func mountPrimary(path string) (hostname string, ok bool) {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(path), ".primary"))
	if err != nil || len(data) > 256 {
		return "", false
	}
	return strings.TrimSpace(string(data)), true
}

// mapped reports whether addr lies in memory that is mapped from a file and shared, as
// the index of a log is. What the program allocates is neither.
func mapped(addr uintptr) bool {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uintptr
		var perm string
		// 7f2c8a000000-7f2c8a008000 rw-s 00000000 00:31 5    /litefs/app.db-shm
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &perm); err == nil && from <= addr && addr < to {
			return strings.HasSuffix(perm, "s") && strings.Contains(lines.Text(), " /")
		}
	}
	return false
}
