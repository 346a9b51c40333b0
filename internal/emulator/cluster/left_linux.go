package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes are of a process that has a terminal's signals not sent to it: they are for
// whoever runs the cluster. When that is killed, so is this one.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// lockDir makes a directory this cluster's.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		err = fmt.Errorf("%s is in use by another run: end that one first", dir)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unlock gives a directory up at once: a process that is just being started has the file
// too, until it is.
func unlock(f *os.File) error {
	return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
}

// patience is how long what was killed may take to be gone.
const patience = 30 * time.Second

// CleanUp ends the processes that machines of a directory have left, and takes what
// they have mounted away. dir must not be in use. It is fine where there is nothing.
func CleanUp(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return kill(dir, "")
}

// kill ends all processes of a machine, of all machines for "", and their mounts.
func kill(dir, id string) error {
	marker := []byte(Marker + "=" + dir + ":" + id)
	under := filepath.Join(dir, "machines", id) + "/"
	if id == "" {
		under = filepath.Join(dir, "machines") + "/"
	}
	silent := map[int]bool{}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		// First the mounts: whoever waits for a LiteFS that was killed, or is stopped, can
		// only end when its mount does, and cannot even be looked at before.
		mounted, err := unmount(under)
		if err != nil {
			return err
		}
		pids, err := marked(marker, id == "", silent)
		if err != nil {
			return err
		}
		for _, pid := range pids {
			killMarked(pid, marker, id == "")
		}
		if len(pids) == 0 && !mounted {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v of %s are still there %v after they were killed, or their mounts: %v", pids, dir, patience, mounted)
		}
	}
}

// killMarked kills a process that was found by marked. It may be gone since, and its number be
// somebody else's: a process that is held is looked at again.
func killMarked(pid int, marker []byte, beginning bool) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer func() { _ = p.Release() }() // it was to be killed, and is not waited for
	if env, ok := environOf(pid); ok && hasMarker(env, marker, beginning) {
		_ = p.Kill() // it may have ended
	}
}

// hasMarker tells whether an environment has the marker. What follows its beginning is a
// machine's name alone: another directory's may begin as this one's does.
func hasMarker(env, marker []byte, beginning bool) bool {
	for v := range bytes.SplitSeq(env, []byte{0}) {
		rest, ok := bytes.CutPrefix(v, marker)
		if ok && (len(rest) == 0 || beginning && !bytes.ContainsAny(rest, ":/")) {
			return true
		}
	}
	return false
}

// marked finds processes by their environment. The marker is a variable, or the
// beginning of one. Processes that could not be looked at are put into silent, and left
// out from then on.
func marked(marker []byte, beginning bool, silent map[int]bool) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || silent[pid] {
			continue
		}
		env, ok := environOf(pid)
		if !ok {
			silent[pid] = true
		}
		if hasMarker(env, marker, beginning) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// environOf reads a process's environment; nil where it is gone, or another user's. It
// is not ok where that takes too long: the process waits for somebody else's mount that
// hangs, and so does who looks at it.
func environOf(pid int) (env []byte, ok bool) {
	read := make(chan []byte, 1)
	go func() {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		read <- env
	}()
	late := time.NewTimer(5 * time.Second)
	defer late.Stop()
	select {
	case env := <-read:
		return env, true
	case <-late.C:
		return nil, false
	}
}

// unmount takes away what LiteFS has mounted below a directory, and tells whether there
// was anything. What else is mounted there, a volume of some size, is not a machine's.
func unmount(under string) (found bool, err error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := unescape(fields[4])
		_, kind, _ := strings.Cut(line, " - ")
		if !strings.HasPrefix(point, under) || !strings.HasPrefix(kind, "fuse") {
			continue
		}
		found = true
		_ = unix.Unmount(point, unix.MNT_FORCE) // ends what waits for it
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return true, fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return found, nil
}

// unescape reads a path of mountinfo, where spaces and such are octal.
func unescape(s string) string {
	for _, c := range []struct{ code, char string }{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		s = strings.ReplaceAll(s, c.code, c.char)
	}
	return s
}
