package cluster_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// nobody is a user who may do little.
const nobody = 65534

// A user who is not root runs one machine without LiteFS, with all of its ends; what
// another user's processes are is not known to it, and no hindrance.
func TestAsNobody(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t) // to become another
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "flysql-nobody")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// Nobody may not look into the directory that this program is in.
	self := filepath.Join(dir, "self")
	if err := copyFile(self, "/proc/self/exe"); err != nil {
		t.Fatal(err)
	}
	for name, uid := range map[string]int{dir: nobody, programs: 0} {
		if err := os.Chown(name, uid, uid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(self)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir, runsIn + "=" + filepath.Join(dir, "dev"), "FLYSQL_TEST_PROGRAMS=" + programs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	next := func() string {
		said.Scan()
		return said.Text()
	}
	if got := next(); got != "started: <nil>" {
		t.Fatalf("%s", got)
	}
	base := next()
	(&visitor{t: t, base: base, region: "ams"}).signs("from nobody")
	res, err := http.Get(base + "/healthz")
	if err != nil || res.StatusCode != 200 {
		t.Errorf("%v, %v", res, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "dev/machines/ams1/volume/app.db")); err != nil || info.Sys().(*syscall.Stat_t).Uid != nobody {
		t.Errorf("%v, %v", info, err)
	}
	if err := in.Close(); err != nil { // which ends it
		t.Error(err)
	}
	if got := next(); got != "closed: <nil>" {
		t.Errorf("%s", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func copyFile(to, from string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return w.Close()
}
