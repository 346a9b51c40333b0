// Package left looks for what a program has left behind that kept all its files in one
// directory. It sees nothing where there is no /proc.
package left

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Behind lists what is mounted below a directory, and the processes that run a program below
// it, or in a directory below it, or name it in their arguments or environment, but this one.
// Process 1 of a machine has it in its environment, and takes all others along.
func Behind(dir string) (found []string, err error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	escaped := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(dir) // as the kernel does
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, escaped) {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		if filepath.Base(pid) == self {
			continue
		}
		// A process that has gone, or is somebody else's, cannot be read.
		exe, _ := os.Readlink(filepath.Join(pid, "exe"))
		cwd, _ := os.Readlink(filepath.Join(pid, "cwd"))
		args, _ := os.ReadFile(filepath.Join(pid, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(pid, "environ"))
		if slices.ContainsFunc([]string{exe, cwd, string(args), string(env)}, func(s string) bool { return strings.Contains(s, dir) }) {
			found = append(found, pid+" "+strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return found, nil
}
