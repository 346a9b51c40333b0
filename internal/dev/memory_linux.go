package dev

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// maxProcesses bounds how many processes of one machine are measured.
const maxProcesses = 256

// pss is what a process and those that it has started hold in memory; of what several
// share, each has its part.
func pss(pid int) (sum int64) {
	queue := []int{pid}
	for n := 0; n < len(queue) && n < maxProcesses; n++ {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", queue[n]))
		if err != nil {
			continue // it has ended, or is another user's
		}
		for line := range strings.Lines(string(data)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
				sum += kb << 10
			}
		}
		queue = append(queue, children(queue[n])...)
	}
	return sum
}

// children are the processes that any of a process's threads has started.
func children(pid int) (pids []int) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, t := range threads {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}
