package left_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/flysql/flysql/e2e/left"
	"github.com/flysql/flysql/e2e/poll"
)

// Whoever works in a directory, or has it in its environment, is found until it ends.
func TestBehind(t *testing.T) {
	dir := t.TempDir()
	count := func() int {
		t.Helper()
		found, err := left.Behind(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if !strings.Contains(f, "cat") {
				t.Errorf("found %q", f)
			}
		}
		return len(found)
	}
	if n := count(); n != 0 {
		t.Errorf("%d found before there is any", n)
	}
	for _, how := range []func(*exec.Cmd){
		func(c *exec.Cmd) { c.Dir = dir },
		func(c *exec.Cmd) { c.Env = []string{"DATA=" + dir + "/data"} },
		func(c *exec.Cmd) { c.Args = append(c.Args, "-", dir+"/none") },
	} {
		cmd := exec.CommandContext(t.Context(), "cat")
		how(cmd)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 1 {
			t.Errorf("%d found, want 1", n)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // a file that is not there is no matter
		err = poll.Until(t.Context(), "it to be gone", func(context.Context) error {
			if count() > 0 {
				return errors.New("it is there")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
