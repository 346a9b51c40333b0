package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flysql/flysql/internal/inspect"
)

// portHolder is who listens on a TCP port, "guestbook, pid 32"; "" where this user may
// not see it.
func portHolder(port int) string {
	sockets := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, _ := os.ReadFile(file) // without IPv6 there is only one
		for _, inode := range listening(string(data), port) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*") // only a malformed pattern is an error
	for _, file := range files {
		name, err := os.Readlink(file)
		if err != nil || !sockets[name] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(file))
		pid, _ := strconv.Atoi(filepath.Base(dir))         // digits, by the pattern
		comm, _ := os.ReadFile(filepath.Join(dir, "comm")) // one that has ended has none
		return visible(inspect.Holder{PID: pid, Name: strings.TrimSpace(string(comm))}.String())
	}
	return ""
}

// listening are the inodes of sockets that listen on a port, in a table of the kernel's.
func listening(table string, port int) (inodes []string) {
	const listens = "0A"
	for line := range strings.Lines(table) {
		f := strings.Fields(line) // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		if len(f) > 9 && f[3] == listens && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}
