package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// asSkipping has this test's own tests skip, so that what go test prints is real.
const asSkipping = "FLYSQL_TEST_AS_SKIPPING"

func skipping() bool { return os.Getenv(asSkipping) != "" }

func TestWant(t *testing.T) {
	if skipping() {
		testkit.NotRun(t, "FUSE", "/dev/fuse")
	}
}

func TestWantMany(t *testing.T) {
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			if skipping() {
				t.Log("more than a line\nis said before")
				testkit.NotRun(t, "consul", "make consul")
			}
		})
	}
}

func TestUnnamed(t *testing.T) {
	if os.Getenv(asSkipping) == "unnamed" {
		t.SkipNow()
	}
}

// goTest runs the tests above and returns the file with what was printed.
func goTest(t *testing.T, skip string) string {
	t.Helper()
	cmd := exec.Command("go", "test", "-json", "-run", "^(TestWant|TestWantMany|TestUnnamed)$", ".", "../poll", "-count=1")
	cmd.Env = append(os.Environ(), asSkipping+"="+skip)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go test: %v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "json")
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCount(t *testing.T) {
	t.Parallel()
	none, named, unnamed := goTest(t, ""), goTest(t, "named"), goTest(t, "unnamed")
	empty, cut := filepath.Join(t.TempDir(), "empty"), filepath.Join(t.TempDir(), "cut")
	whole, err := os.ReadFile(named)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{empty: "", cut: string(whole[:len(whole)-5])} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		files          []string
		code           int
		stdout, stderr string
	}{
		{[]string{none}, 0, "not run: 0\n", ""},
		{[]string{named}, 0, "not run: 3 tests: 2 for want of consul (make consul), 1 for want of FUSE (/dev/fuse)\n", ""},
		{[]string{none, named, named}, 0, "not run: 6 tests: 4 for want of consul (make consul), 2 for want of FUSE (/dev/fuse)\n", ""},
		{[]string{unnamed}, 1, "not run: 4 tests: 2 for want of consul (make consul), 1 for want of FUSE (/dev/fuse), 1 without a reason\n", "e2e/notrun TestUnnamed was skipped without"},
		{[]string{empty}, 1, "", "no package has ended"},
		{[]string{cut}, 1, "", "unexpected EOF"},
		{[]string{filepath.Join(t.TempDir(), "missing")}, 1, "", "no such file"},
		{nil, 2, "", "usage"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(tt.files, &stdout, &stderr); code != tt.code || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%v: %d %q %q, want %d %q %q", tt.files, code, &stdout, &stderr, tt.code, tt.stdout, tt.stderr)
		}
	}
}

// One test is one.
func TestLine(t *testing.T) {
	c := count{wants: map[string]int{"root (it mounts)": 1}}
	if got, want := c.line(), "not run: 1 test: 1 for want of root (it mounts)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
