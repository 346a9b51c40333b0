package entrypoint

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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

// dieWithParent has the kernel kill a child when this process ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// followParent has the kernel kill this process when its parent, whose pid it was
// given, ends. The kernel forgets it when a process changes its user.
func followParent(pid int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != pid {
		return errors.New("its parent has ended")
	}
	return nil
}

// memoryFile is an empty file that is on no disk and ends with its last descriptor.
func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// detach takes a mount away although files on it are open, or nobody answers it, and
// ends what waits for an answer. A LiteFS that was killed while it told the kernel of
// another node's pages waits for itself, and with it every process that has a file of
// the mount: none of them can be killed before that.
func detach(dir string) error { return unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH) }

// cloneFile makes one file have another's content without copying, where the file
// system can.
func cloneFile(to, from *os.File) error {
	return unix.IoctlFileClone(int(to.Fd()), int(from.Fd()))
}

// litefsPlatform says what this machine lacks for LiteFS.
func litefsPlatform() error {
	if uid := os.Geteuid(); uid != 0 {
		return refused("remove USER from the Dockerfile: the entrypoint needs root to mount, and starts the app as FLYSQL_USER itself", "LiteFS cannot be mounted: running as uid %d, not root", uid)
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return refused("under docker run, add --device /dev/fuse --cap-add SYS_ADMIN; on Fly it is there; FLYSQL_LITEFS=off boots without LiteFS", "LiteFS cannot be mounted: %w", err)
	}
	return nil
}

// children lists this process's children and their states: 'Z', or another. Only they
// are looked at, for to read of a process that hangs on a dead mount may hang too.
func children() map[int]byte {
	found := map[int]byte{}
	pids, ok := childPids()
	if !ok {
		return childrenOfAll()
	}
	for _, pid := range pids {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		switch {
		case errors.Is(err, unix.ECHILD): // it ended meanwhile
		case err == nil && info.Signo == int32(unix.SIGCHLD):
			found[pid] = 'Z'
		default:
			found[pid] = 'R'
		}
	}
	return found
}

// childPids are the children of all threads, where the kernel lists them
// (CONFIG_PROC_CHILDREN).
func childPids() (pids []int, ok bool) {
	files, err := filepath.Glob("/proc/self/task/[0-9]*/children")
	if err != nil {
		return nil, false // the pattern is right, so this does not happen
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the thread ended, and left its children to another
		}
		ok = true
		for _, f := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids, ok
}

// childrenOfAll finds them among all processes.
func childrenOfAll() map[int]byte {
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
