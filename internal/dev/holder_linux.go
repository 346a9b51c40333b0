package dev

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// holders are the processes that listen on a TCP port, as far as this user may see them:
// "caddy run (pid 4711)".
func holders(port int) []string {
	inodes := map[string]bool{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			const local, state, inode, listening = 1, 3, 9, "0A"
			f := strings.Fields(line)
			if len(f) <= inode || f[state] != listening {
				continue
			}
			_, hex, _ := strings.Cut(f[local], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
				inodes["socket:["+f[inode]+"]"] = true
			}
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	var found []string
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*") // those that can be seen
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err != nil || !inodes[to] {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		who := fmt.Sprintf("%s (pid %s)", programOf(pid), pid)
		if !slices.Contains(found, who) {
			found = append(found, who)
		}
	}
	return found
}

// programOf is a process's name. Its arguments are not shown: one may be a password.
func programOf(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return "a process"
	}
	return strings.TrimSpace(string(name))
}
