package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listensOn are the ports that a machine's processes listen on.
func listensOn(dir, id string) (ports []int) {
	pids, err := marked([]byte(Marker+"="+dir+":"+id), false, map[int]bool{})
	if err != nil {
		return nil
	}
	var sockets []string
	for _, pid := range pids {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // it may be gone
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
				sockets = append(sockets, strings.Trim(to, "socket:[]"))
			}
		}
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table) // there may be no IPv6
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != tcpListen || !slices.Contains(sockets, f[9]) {
				continue
			}
			_, port, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(port, 16, 16); err == nil {
				ports = append(ports, int(n))
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// tcpListen is the state of a listening socket in /proc/net/tcp.
const tcpListen = "0A"
