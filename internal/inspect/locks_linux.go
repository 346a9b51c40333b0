package inspect

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// locksOf lists the locks of other processes on a file; known is false where the
// kernel does not tell. To open the file and ask would drop this process's own.
func locksOf(path string) (list []lock, known bool) {
	data, err := os.ReadFile("/proc/locks")
	if err != nil {
		return nil, false
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, true // nobody has what is not there
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, false
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino)
	return parseLocks(data, file), true
}

// parseLocks reads "1: POSIX  ADVISORY  READ 32 fe:00:131090 1073741826 1073742335".
// Lines with "->" are of who waits.
func parseLocks(data []byte, file string) (list []lock) {
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		if len(f) != 8 || f[5] != file || f[1] != "POSIX" && f[1] != "OFDLCK" {
			continue
		}
		pid, err1 := strconv.Atoi(f[4])
		start, err2 := strconv.ParseInt(f[6], 10, 64)
		end, err3 := strconv.ParseInt(f[7], 10, 64)
		if f[7] == "EOF" {
			end, err3 = math.MaxInt64, nil
		}
		if err1 != nil || err2 != nil || err3 != nil || pid == os.Getpid() {
			continue
		}
		l := lock{write: f[3] == "WRITE", start: start, end: end}
		if l.PID = pid; pid > 0 {
			name, _ := os.ReadFile("/proc/" + f[4] + "/comm") // one that has ended has none
			l.Name = strings.TrimSpace(string(name))
		}
		list = append(list, l)
	}
	return list
}
