package group_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/e2e/group"
	"github.com/flysql/flysql/e2e/poll"
)

// A command outlives the thread of whoever asked for it.
func TestStartSurvivesTheCallersThread(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	thread, wait := startOnAThreadThatEnds(t, cmd)
	err = poll.Until(t.Context(), "the thread to end", func(context.Context) error {
		if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(thread)); err == nil {
			return errors.New("it is still there")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil { // the end of its input ends cat, in good order
		t.Fatal(err)
	}
	if err := wait(); err != nil {
		t.Errorf("cat: %v", err)
	}
}

func startOnAThreadThatEnds(t *testing.T, cmd *exec.Cmd) (thread int, wait func() error) {
	t.Helper()
	done := make(chan struct{})
	var begin func()
	begin = func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The main thread would not end.
			go begin()
			<-done
			runtime.UnlockOSThread()
			return
		}
		defer close(done)
		var err error
		thread = unix.Gettid()
		if wait, err = group.Start(cmd); err != nil {
			t.Error(err)
		}
	}
	go begin()
	<-done
	if wait == nil {
		t.FailNow()
	}
	return thread, wait
}
