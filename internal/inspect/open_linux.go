package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// openIn lists the other processes that have a file open, as far as this one may see into
// them: one with a rollback journal has no lock between its transactions. It goes by
// the names of open files: to ask for more of one on a mount that hangs would hang.
func openIn(path string) []Holder {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil // nobody has what is not there
	}
	var list []Holder
	dirs, _ := filepath.Glob("/proc/[0-9]*/fd") // only a malformed pattern is an error
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && pid != os.Getpid() && hasOpen(dir, real) {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // one that has ended has none
			list = addHolder(list, Holder{pid, strings.TrimSpace(string(name))})
		}
	}
	return list
}

// hasOpen looks through a process's open files.
func hasOpen(dir, path string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false // it has ended, or is another user's
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		name, err := os.Readlink(filepath.Join(dir, e.Name()))
		return err == nil && name == path
	})
}
