package image

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// space is a mount namespace and a process namespace that no other part of this
// program is in. Both belong to one OS thread, which runs what is given to do:
// mounts made there, and commands started there, are seen nowhere else, and the
// kernel takes all of it down with the thread.
//
// The namespace's process 1 is a cat that waits for the end of its input. The
// other end is held here and by nobody else, so however this program ends, cat
// ends, and with it every process of the namespace.
type space struct {
	work  chan func()
	ended chan struct{} // closed when the thread is gone
	init  *exec.Cmd     // process 1
	life  io.Closer     // closing it ends process 1
}

// newSpace makes a space that starts with the mounts of parent, or of this
// program where parent is nil.
func newSpace(parent *space) (*space, error) {
	mounts := -1
	if parent != nil {
		err := parent.do(func() (err error) {
			mounts, err = unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("open the mount namespace: %w", err)
		}
		defer unix.Close(mounts)
	}
	s := &space{work: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error)
	go s.thread(mounts, ready)
	if err := <-ready; err != nil {
		<-s.ended
		return nil, err
	}
	return s, nil
}

func (s *space) thread(mounts int, ready chan<- error) {
	// Never unlocked: a thread that ends locked is not used again, and ends.
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread stays as long as the process, so it cannot be the
		// one. While it is held here, another goroutine gets another.
		go s.thread(mounts, ready)
		<-s.ended
		runtime.UnlockOSThread()
		return
	}
	defer close(s.ended)
	if err := s.enter(mounts); err != nil {
		ready <- err
		return
	}
	ready <- nil
	for f := range s.work {
		f()
	}
}

// enter runs on the space's thread.
func (s *space) enter(mounts int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if mounts >= 0 {
		if err := unix.Setns(mounts, unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("enter the mount namespace: %w", err)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare the mounts (this needs root): %w", err)
	}
	// Before anything is mounted: nothing may propagate to the outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	s.init = exec.Command("cat")
	s.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	life, err := s.init.StdinPipe()
	if err != nil {
		return err
	}
	if err := s.init.Start(); err != nil {
		return errors.Join(fmt.Errorf("start process 1: %w", err), life.Close())
	}
	s.life = life
	if err := s.joinProcesses(); err != nil {
		return errors.Join(fmt.Errorf("enter the process namespace: %w", err), s.kill())
	}
	return nil
}

// joinProcesses makes what the thread starts from now on a process of the
// namespace that process 1 began.
func (s *space) joinProcesses() error {
	fd, err := unix.Open("/proc/"+strconv.Itoa(s.init.Process.Pid)+"/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Setns(fd, unix.CLONE_NEWPID), unix.Close(fd))
}

// do runs f on the space's thread. f must not start goroutines that look at
// files; os/exec's own only move bytes.
func (s *space) do(f func() error) error {
	var err error
	done := make(chan struct{})
	s.work <- func() { defer close(done); err = f() }
	<-done
	return err
}

// kill ends every process of the space and returns when they are gone.
func (s *space) kill() error {
	err := s.life.Close()
	if werr := s.init.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("process 1: %w", werr))
	}
	return err
}

// close ends the thread, and with it the namespaces. kill comes first.
func (s *space) close() {
	close(s.work)
	<-s.ended
}
