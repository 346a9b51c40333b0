package group_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flysql/flysql/e2e/group"
)

// What a command leaves behind in its group is ended with it.
func TestRunLeavesNothingBehind(t *testing.T) {
	// A child holds the pipe: it is at its end when the child is gone.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "trap '' INT TERM; while :; do sleep 0.02; done & echo $!")
	cmd.Stdout = w
	err = group.Run(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil || strings.TrimSpace(string(out)) == "" {
		t.Errorf("printed %q, %v, want the child's pid", out, err)
	}
}

// A cancelled command may clean up: it gets SIGINT first.
func TestCancelIsSIGINT(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	cmd := exec.CommandContext(ctx, "sh", "-c", "trap 'echo cleaned; exit 3' INT; echo ready; while :; do sleep 0.02; done")
	cmd.Stdout = w
	ended := make(chan error, 1)
	go func() {
		ended <- group.Run(cmd)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		switch lines.Text() {
		case "ready":
			cancel()
		case "cleaned":
		default:
			t.Errorf("printed %q", lines.Text())
		}
	}
	err := <-ended
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("error %v, want the exit code of its cleaning up", err)
	}
}

func TestStartFails(t *testing.T) {
	if _, err := group.Start(&exec.Cmd{Path: "/nonexistent/program"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that it does not exist", err)
	}
}
