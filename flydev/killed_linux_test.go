package flydev_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/flydev"
	"github.com/flysql/flysql/internal/testkit"
)

// killedApp names the app of a process of this test that is to be killed.
const killedApp = "FLYSQL_TEST_KILLED"

// A test that was killed leaves its machines; the next one ends them, of however many
// clusters.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(killedApp); dir != "" {
		for range 2 {
			for _, m := range flydev.Start(t, flydev.Options{Dir: dir, Regions: []string{"ord"}}).Machines() {
				fmt.Printf("pid %d\n", m.PID)
			}
		}
		fmt.Println("ready")
		select {}
	}
	withEntrypoint(t)
	dir := plainApp(t, nil)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killedApp+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		if text, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			pid, err := strconv.Atoi(text)
			if err != nil {
				t.Error(err)
			}
			pids = append(pids, pid)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	if len(pids) != 2 {
		t.Fatalf("%d machines were started, want 2", len(pids))
	}
	flydev.Start(t, flydev.Options{Dir: dir, Regions: []string{"ord"}})
	for _, pid := range pids {
		testkit.Poll(t, fmt.Sprintf("process %d to be gone", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
}
