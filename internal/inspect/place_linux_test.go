package inspect

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCheckPlace(t *testing.T) {
	dir := t.TempDir()
	mount := filepath.Join(dir, "mount")
	if err := os.MkdirAll(filepath.Join(dir, "lagging"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lagging", ".lag"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "litefs.yml")
	if err := os.WriteFile(config, []byte("fuse:\n  dir: "+mount+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := LiteFSHere([]string{"FLYSQL_LITEFS=" + config}); err != nil || c.FUSEDir != mount || c.Remote {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := LiteFSHere([]string{"FLYSQL_LITEFS=off"}); err != nil || c.FUSEDir != "" || !c.Remote {
		t.Errorf("%+v, %v", c, err)
	}
	for _, tt := range []struct{ path, want string }{
		{filepath.Join(dir, "app.db"), ""},
		{filepath.Join(mount, "app.db"), "is in the LiteFS mount"},
		{filepath.Join(dir, "lagging", "app.db"), "is in the LiteFS mount"},
	} {
		err := CheckPlace([]string{"FLYSQL_LITEFS=" + config}, tt.path)
		if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.want)
		}
	}
}

// Another process has the file open, and no lock on it.
func TestCheckPlaceOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"FLYSQL_LITEFS=off"}
	if err := CheckPlace(env, path); err != nil {
		t.Errorf("nobody has it: %v", err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := CheckPlace(env, path); err != nil {
		t.Errorf("this process has it: %v", err)
	}
	cmd := exec.Command("sleep", "3600")
	cmd.ExtraFiles = []*os.File{f}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(link, "app.db")} {
		if err := CheckPlace(env, p); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("is open (sleep, pid %d): stop that", cmd.Process.Pid)) {
			t.Errorf("%s: sleep has it: %v", p, err)
		}
	}
}
