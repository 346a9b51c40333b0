package flydev_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/flydev"
	"github.com/flysql/flysql/internal/emulator/cluster"
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
	// What an app has started dies with it only if that looks after it.
	left := exec.Command("sleep", "1000")
	left.Env = []string{cluster.Marker + "=" + filepath.Join(dir, ".flysql", "test", "2") + ":ord1"}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- left.Wait() }()
	flydev.Start(t, flydev.Options{Dir: dir, Regions: []string{"ord"}})
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it has ended by itself")
		}
	default:
		t.Error("a process of the second cluster is there still")
		if err := left.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-ended
	}
	for _, pid := range pids {
		testkit.Poll(t, fmt.Sprintf("process %d to be gone", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
}
