package follow

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
)

// childVariable makes the test's program a follower, to be killed: its value is a job.
const childVariable = "FLYSQL_TEST_FOLLOW"

// job is what a child does.
type job struct {
	URL, Path string
	Mode      Mode
	Do        string // "begin", "run" or "cutover"
	KillAt    string // it kills itself there,
	After     int    // when it has come there so many times before
}

func child(text string) {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Println(err)
		return
	}
	ctx, source := context.Background(), Source{URL: j.URL, Path: j.Path, Plan: planWith(move.Options{})}
	kill := func(at string) {
		if at == j.KillAt {
			if j.After--; j.After < 0 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
	}
	o := Options{Mode: j.Mode, Batch: 20 * time.Millisecond, Settled: time.Millisecond, at: kill,
		Transfer: transfer.Options{Progress: func(p transfer.Progress) { kill(string(p.Stage)) }}}
	var err error
	switch j.Do {
	case "begin":
		_, err = Begin(ctx, source, o)
	case "run":
		err = Run(ctx, source, o)
	case "cutover":
		_, err = Cutover(ctx, source, o)
	}
	fmt.Println("ended:", err)
}

// output is what a child says, read while it is written.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startChild starts a child, which ends with the test at the latest.
func startChild(t testing.TB, j job) (cmd *exec.Cmd, out *output) {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out = &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, out
}

// killed runs a child to where it kills itself.
func killed(t testing.TB, j job) {
	t.Helper()
	cmd, out := startChild(t, j)
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("at %s: %v\n%s", j.KillAt, err, out)
	}
}
