package entrypoint

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountsFile is where the kernel lists the mounts that this process sees.
const mountsFile = "/proc/self/mountinfo"

// mountID is the number of the mount that a directory is on, as in mountinfo's
// first field; "" when the kernel does not tell.
func mountID(dir string) string {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	_, after, found := strings.Cut(string(info), "mnt_id:")
	if fields := strings.Fields(after); found && len(fields) > 0 {
		return fields[0]
	}
	return ""
}

// becomeReaper makes orphans come to this process, also where it is not PID 1.
func becomeReaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// children lists this process's children and their states, from /proc.
func children() map[int]byte {
	found := map[int]byte{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return found // the pattern is right, so this does not happen
	}
	self := os.Getpid()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// "pid (name) state ppid ...": the name may hold anything, so cut at the last ")".
		text := string(data)
		i := strings.LastIndexByte(text, ')')
		pid, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Dir(file), "/proc/"), "/"))
		if i < 0 || err != nil {
			continue
		}
		fields := strings.Fields(text[i+1:])
		if len(fields) < 2 {
			continue
		}
		if ppid, err := strconv.Atoi(fields[1]); err == nil && ppid == self {
			found[pid] = fields[0][0]
		}
	}
	return found
}

// space is what is left on a disk; sizes in bytes.
type space struct {
	free, total        int64
	readOnly, noInodes bool
}

func spaceOf(dir string) (space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return space{}, err
	}
	return space{
		free:     int64(st.Bavail) * int64(st.Bsize),
		total:    int64(st.Blocks) * int64(st.Bsize),
		readOnly: st.Flags&unix.ST_RDONLY != 0,
		noInodes: st.Files > 0 && st.Ffree == 0,
	}, nil
}
