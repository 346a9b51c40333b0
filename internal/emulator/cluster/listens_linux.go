package cluster

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tcpListen is the state of a listening socket in /proc/net/tcp.
const tcpListen = "0A"

// listensOn is where a machine's processes listen.
func listensOn(dir, id string) (all []netip.AddrPort) {
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
			if at, ok := socketAddress(f[1]); ok {
				all = append(all, at)
			}
		}
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return slices.Compact(all)
}

// socketAddress reads "0100007F:1F90": each four bytes as a number of this machine's,
// which is a little-endian one wherever Fly's and a developer's are.
func socketAddress(text string) (at netip.AddrPort, ok bool) {
	host, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	bytes, herr := hex.DecodeString(host)
	if err != nil || herr != nil || len(bytes)%4 != 0 {
		return at, false
	}
	for i := 0; i < len(bytes); i += 4 {
		slices.Reverse(bytes[i : i+4])
	}
	address, ok := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(address, uint16(n)), ok
}
