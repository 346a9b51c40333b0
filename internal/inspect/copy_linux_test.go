package inspect

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/internal/testkit"
)

func TestCopyOnAFullDisk(t *testing.T) {
	testkit.NeedRoot(t)
	db := newDB(t, table, rows("1500"))
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		testkit.NotRun(t, "a tmpfs", "run as root")
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	for _, vacuum := range []bool{false, true} {
		_, err := db.Copy(t.Context(), filepath.Join(dir, "copy.db"), CopyOptions{Vacuum: vacuum})
		if err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("vacuum %v: %v", vacuum, err)
		}
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("vacuum %v left %v", vacuum, left)
		}
	}
}

// copyVariable makes this test binary copy, and stand still in the middle.
const copyVariable = "FLYSQL_TEST_COPY"

func TestMain(m *testing.M) {
	if path := os.Getenv(readVariable); path != "" {
		readAndStand(path)
		os.Exit(1)
	}
	if to := os.Getenv(copyVariable); to != "" {
		db, err := Find(context.Background(), Request{Name: os.Args[1]})
		if err == nil {
			_, err = db.Copy(context.Background(), to, CopyOptions{Replace: true, fault: func(op string) error {
				if op == "copy.filled" {
					os.Stdout.WriteString("filled\n")
					select {}
				}
				return nil
			}})
		}
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A copy that is killed leaves the target alone, and what it has written where the
// next one takes it over.
func TestCopyKilled(t *testing.T) {
	db := newDB(t, table, rows("200"))
	dir := t.TempDir()
	to := filepath.Join(dir, "copy.db")
	if err := os.WriteFile(to, []byte("as it was"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], db.Path)
	cmd.Env = append(os.Environ(), copyVariable+"="+to)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 7)); err != nil {
		t.Fatalf("it did not come so far: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed
	if data, err := os.ReadFile(to); err != nil || string(data) != "as it was" {
		t.Errorf("the target is %q, %v", data, err)
	}
	if diff := cmp.Diff([]string{"copy.db", "copy.db" + partialSuffix}, names(t, dir)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if _, err := db.Copy(t.Context(), to, CopyOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"copy.db", "copy.db.old"}, names(t, dir)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if n := count(t, to); n != 200 {
		t.Errorf("%d rows", n)
	}
}
