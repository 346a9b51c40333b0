package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// stopAt is standard output that a signal follows when a stage is told on it.
type stopAt struct {
	bytes.Buffer
	stage string
	stop  func()
}

func (s *stopAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), `"stage":"`+s.stage+`"`) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

// Ctrl-C at any stage leaves what was there, and nothing else.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	for _, stage := range []string{"copy", "index", "check", "sync"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "app.db")
			if err := os.WriteFile(path, []byte("the old one"), 0o600); err != nil {
				t.Fatal(err)
			}
			check := unchanged(t, dir)
			ctx, cancel := context.WithCancelCause(t.Context())
			stdout, stderr := &stopAt{stage: stage, stop: func() { cancel(&signalError{syscall.SIGINT}) }}, &bytes.Buffer{}
			code := run(ctx, []string{"import", db.URL, path, "--yes", "--json", "--replace"}, nil, strings.NewReader(""), stdout, stderr)
			// A slot that another test has in the server is told of, rightly.
			said := regexp.MustCompile(`(?m)^note: slot .*\n`).ReplaceAllString(stderr.String(), "")
			if want := "flysql: ended by interrupt; app.db is as it was\n"; code != 130 || said != want {
				t.Errorf("exit code %d, stderr %q, want %q", code, stderr, want)
			}
			if !strings.Contains(stdout.String(), `{"event":"report","done":false,"error":"ended by interrupt; app.db is as it was"`) {
				t.Errorf("stdout:\n%s", stdout)
			}
			check()
		})
	}
}

// importing is a flysql import of its own process that stands still in the middle of the
// copy, for PostgreSQL sleeps there.
func importing(t *testing.T, db *testkit.PostgresDB, path string, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	stderr = &bytes.Buffer{}
	cmd = exec.Command(buildFlysql(t), append([]string{"import", db.URL, path, "--yes", "--json", "--where", "orders=id < 5 OR pg_sleep(3600) IS NOT NULL"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"stage":"copy","table":"public.orders"`) {
			return cmd, stderr
		}
	}
	t.Fatalf("it ended: %s", stderr)
	return nil, nil
}

func exitCode(cmd *exec.Cmd) int {
	_ = cmd.Wait() // the code says it
	return cmd.ProcessState.ExitCode()
}

// A signal to the process ends it, and what it had begun is gone.
func TestImportSignalled(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	for name, c := range map[string]struct {
		signal os.Signal
		code   int
	}{"SIGINT": {syscall.SIGINT, 130}, "SIGTERM": {syscall.SIGTERM, 143}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			check := unchanged(t, dir)
			cmd, stderr := importing(t, db, filepath.Join(dir, "app.db"))
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if code := exitCode(cmd); code != c.code || !strings.Contains(stderr.String(), "nothing was written") {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, stderr)
			}
			check()
		})
	}
	// Where nobody answers at all, too.
	dir := t.TempDir()
	check := unchanged(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	address := silent(t)
	go cancel(&signalError{syscall.SIGINT})
	if code, _, stderr := output(ctx, nil, "import", address, filepath.Join(dir, "app.db"), "--yes"); code != 130 || strings.Contains(stderr, "hunter2") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	check()
}

// While one import runs, another into the same file is refused; when it has been killed,
// the next one takes its place, and says so.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	cmd, _ := importing(t, db, path)
	if code, _, stderr := quiet(t, "import", db.URL, path, "--yes"); code != 1 || !strings.Contains(stderr, "another import into it is under way") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	exitCode(cmd)
	if _, err := os.Stat(filepath.Join(dir, ".app.db.flysql-import")); err != nil {
		t.Errorf("what it had begun: %v", err)
	}
	code, stdout, stderr := quiet(t, "import", db.URL, path, "--yes")
	if code != 0 || !strings.Contains(stdout, "note: an import that was killed had left .app.db.flysql-import, ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // app.db and app.db.import.toml
		t.Errorf("%v, %v", entries, err)
	}
}

// PostgreSQL may stop in the middle.
func TestImportServerStops(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	check := unchanged(t, dir)
	cmd, stderr := importing(t, db, filepath.Join(dir, "app.db"))
	if _, err := db.Conn().Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(cmd); code != 1 || !strings.Contains(stderr.String(), "copy public.orders: ") || !strings.Contains(stderr.String(), "nothing was written") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	check()
}

// A program that opens the file while the import runs would go on writing to what is
// replaced: the import ends instead.
func TestImportBesideApp(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	if err := os.WriteFile(path, []byte("the old one"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := unchanged(t, dir)
	app := exec.Command("sleep", "3600")
	app.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, stderr := &stopAt{stage: "index", stop: func() {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		app.ExtraFiles = []*os.File{f}
		if err := app.Start(); err != nil {
			t.Error(err)
		}
	}}, &bytes.Buffer{}
	code := run(t.Context(), []string{"import", db.URL, path, "--yes", "--json", "--replace"}, nil, strings.NewReader(""), stdout, stderr)
	want := fmt.Sprintf("app.db is open (sleep, pid %d): stop that, or give another name; app.db is as it was\n", app.Process.Pid)
	if code != 1 || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("exit code %d, stderr %q, want %q", code, stderr, want)
	}
	check()
	fails(t, dir, 1, []string{"is open (sleep, pid "}, "import", db.URL, path, "--yes", "--replace")
	app.Process.Kill()
	app.Wait()
	if code, stdout, stderr := quiet(t, "import", db.URL, path, "--yes", "--replace"); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// On a terminal, the plan is shown and asked about.
func TestImportAsks(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	for _, c := range []struct {
		key  string
		code int
		says string
	}{
		{ctrlC, 130, "ended by interrupt; nothing was written"},
		{"n" + enter, 1, "not confirmed; nothing was written"},
		{ctrlD, 1, "nothing was written"},
	} {
		check := unchanged(t, dir)
		s := start(t, dir, nil, nil, "import", db.URL, "app.db")
		s.expect("public.orders -> orders  (about 5,000 rows")
		s.expect("Import into app.db? [yes]: ")
		s.press(c.key)
		s.expect(c.says)
		s.exits(c.code)
		check()
	}
	s := start(t, dir, nil, nil, "import", db.URL, "app.db")
	s.expect("Import into app.db? [yes]: ")
	s.press(enter)
	s.expect("making keys, indexes and statistics (8,000 rows)")
	s.expect("verified: ")
	s.exits(0)

	// What is gone for good is not agreed to by an empty line.
	db.Exec("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f()")
	s = start(t, dir, nil, nil, "import", db.URL, "other.db")
	s.expect("data or guarantees that are gone:\n  danger  trigger public.users.g: ")
	s.expect("Import into other.db, and do without the 1 thing marked danger? [no]: ")
	s.press(enter)
	s.expect("not confirmed; nothing was written")
	s.exits(1)
	s = start(t, dir, []string{"NO_COLOR=1"}, nil, "import", db.URL, "other.db")
	s.expect("[no]: ")
	s.press("yes" + enter)
	s.expect("accepted: 1 danger")
	s.exits(0)
	if bytes.Contains(s.all, []byte("\x1b[3")) {
		t.Error("NO_COLOR is set, and there are colours")
	}
}
