package entrypoint

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests boot real processes: this test binary, started again as an
// entrypoint (with the fault seams that a release has not), or as an app.
const (
	asEntrypoint = "FLYSQL_TEST_AS_ENTRYPOINT"
	asCrash      = "FLYSQL_TEST_AS_CRASH"  // "JOURNALMODE DATABASE": see crashed
	asApp        = "FLYSQL_TEST_AS_APP"    // "ADDRESS DATABASE VERSION": see appMain
	asReplay     = "FLYSQL_TEST_AS_REPLAY" // beside asApp: see replayMain
	asWriter     = "FLYSQL_TEST_AS_WRITER" // DATABASE?PRAGMAS: see writerMain
	asHammer     = "FLYSQL_TEST_HAMMER"    // set: the writer does not pause
	asReader     = "FLYSQL_TEST_AS_READER" // DATABASE: see readerMain
	asAsker      = "FLYSQL_TEST_AS_ASKER"  // URL: see askerMain
	faultAt      = "FLYSQL_TEST_FAULT"     // OPERATION=kill, OPERATION=error, OPERATION=stop or OPERATION=SIGNAL
	mountsFrom   = "FLYSQL_TEST_MOUNTINFO" // a file in place of /proc/self/mountinfo
)

// writerMain writes one row after the other, and says which it was told are safe.
func writerMain(path string) error {
	path, pragmas, _ := strings.Cut(path, "?")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(1000)&"+pragmas)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	for id := 1; ; id++ {
		if os.Getenv(asHammer) == "" {
			time.Sleep(2 * time.Millisecond) // a steady load, not all that there is
		}
		if _, err := db.Exec("INSERT INTO w VALUES (?)", id); err == nil {
			if _, err := fmt.Println(id); err != nil {
				return err
			}
		}
	}
}

// readerMain begins a read transaction, says so, and keeps it until it is killed.
func readerMain(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(1000)")
	if err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
		return err
	}
	fmt.Println("reading")
	select {}
}

// underRace is set in a binary with the race detector. Its start takes as long as
// twenty boots, and there are a thousand here, so the processes run without.
var underRace bool

func TestMain(m *testing.M) {
	if os.Getenv(asEntrypoint) != "" {
		os.Exit(entrypointMain())
	}
	if args := os.Getenv(asApp); args != "" {
		if os.Getenv(asReplay) != "" {
			os.Exit(replayMain(args))
		}
		os.Exit(appMain(args))
	}
	if mode, path, asked := strings.Cut(os.Getenv(asCrash), " "); asked {
		fmt.Fprintln(os.Stderr, crashMain(mode, path))
		os.Exit(1)
	}
	if url := os.Getenv(asAsker); url != "" {
		os.Exit(askerMain(url))
	}
	if path := os.Getenv(asWriter); path != "" {
		fmt.Fprintln(os.Stderr, writerMain(path))
		os.Exit(1)
	}
	if path := os.Getenv(asReader); path != "" {
		fmt.Fprintln(os.Stderr, readerMain(path))
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "flysql-entrypoint")
	if err != nil {
		panic(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // other users run it too
		panic(err)
	}
	code := 1
	if executable, err = bootBinary(dir); err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// executable is what the tests start as an entrypoint.
var executable string

func bootBinary(dir string) (string, error) {
	if !underRace {
		return os.Executable()
	}
	path := filepath.Join(dir, "entrypoint.test")
	out, err := exec.Command("go", "test", "-c", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return path, nil
}

func entrypointMain() int {
	inv, err := FromEnv(os.Args[1:], environWithout(asEntrypoint, faultAt, mountsFrom))
	inv.Logger = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitConfig
	}
	inv.mountinfo = os.Getenv(mountsFrom)
	if inv.Status {
		return statusMain(inv)
	}
	at, what, _ := strings.Cut(os.Getenv(faultAt), "=")
	inv.fault = func(op string) error {
		if op != at {
			return nil
		}
		switch what {
		case "kill":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "error":
			return errors.New("injected at " + op)
		case "stop":
			return syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		}
		n, err := strconv.Atoi(what)
		if err != nil {
			panic("unknown fault " + what)
		}
		return raise(syscall.Signal(n))
	}
	return ExitCode(Run(context.Background(), inv.Config))
}

func environWithout(keys ...string) []string {
	var env []string
next:
	for _, kv := range os.Environ() {
		for _, k := range keys {
			if strings.HasPrefix(kv, k+"=") {
				continue next
			}
		}
		env = append(env, kv)
	}
	return env
}

// entry describes one start of the entrypoint.
type entry struct {
	db    string   // DATABASE_URL; "" sets none
	env   []string // beside it
	flags []string
	app   []string
	fault string
	cred  *syscall.Credential
	dir   string
	input bool
	after func() // looks, at the test's end, for what outlived it
}

// result is how it ended.
type result struct {
	code   int
	stdout string
	stderr string
	lines  []map[string]any // the log's records
}

// line finds the last record of a step.
func (r result) line(step string) map[string]any {
	var found map[string]any
	for _, l := range r.lines {
		if l["msg"] == step {
			found = l
		}
	}
	return found
}

// outcome is the last outcome of a step, "" when the step was not reached.
func (r result) outcome(step string) string {
	s, _ := r.line(step)["outcome"].(string)
	return s
}

func (r result) text(step, key string) string {
	s, _ := r.line(step)[key].(string)
	return s
}

// process is a running entrypoint.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *lineLog
	errs   *lineLog
	stdin  io.WriteCloser // nil unless startWithInput
	exited chan struct{}
}

func (p *process) stdoutSoFar() string { return p.out.text() }
func (p *process) closeInput()         { p.stdin.Close() }

// startWithInput keeps the process's stdin open until closeInput.
func (e entry) startWithInput(t *testing.T) *process {
	t.Helper()
	e.input = true
	return e.start(t)
}

func (e entry) start(t *testing.T) *process {
	t.Helper()
	p := &process{t: t, out: newLineLog(), errs: newLineLog(), exited: make(chan struct{})}
	p.cmd = exec.Command(executable, append(append(append([]string{}, e.flags...), "--"), e.app...)...)
	p.cmd.Dir = e.dir
	p.cmd.Env = append(environWithout("DATABASE_URL", "FLY_MACHINE_ID", "RELEASE_COMMAND"), asEntrypoint+"=1", "GOCOVERDIR="+t.TempDir())
	if e.db != "" {
		p.cmd.Env = append(p.cmd.Env, "DATABASE_URL="+e.db)
	}
	if e.fault != "" {
		p.cmd.Env = append(p.cmd.Env, faultAt+"="+e.fault)
	}
	p.cmd.Env = append(p.cmd.Env, e.env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: e.cred, Setpgid: true}
	p.cmd.Stdout = p.out
	if e.input {
		var err error
		if p.stdin, err = p.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
	}
	p.cmd.WaitDelay = 10 * time.Second
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		p.errs.read(stderr)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		select {
		case <-p.exited:
		default:
			syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.exited
		}
		if e.after != nil {
			e.after()
		}
	})
	return p
}

func (e entry) run(t *testing.T) result {
	t.Helper()
	return e.start(t).wait()
}

func (p *process) wait() result {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(60 * time.Second):
		p.t.Fatalf("the entrypoint did not end:\n%s", p.errs.text())
	}
	r := result{code: statusOf(p.cmd.ProcessState), stdout: p.out.text(), stderr: p.errs.text()}
	for _, l := range strings.Split(r.stderr, "\n") {
		var record map[string]any
		if json.Unmarshal([]byte(l), &record) == nil {
			r.lines = append(r.lines, record)
		}
	}
	return r
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// waitFor polls until the process's stderr has the text.
func (p *process) waitFor(text string) {
	p.t.Helper()
	p.poll(fmt.Sprintf("%q on stderr", text), func() bool { return strings.Contains(p.errs.text(), text) })
}

func (p *process) poll(what string, done func() bool) {
	p.t.Helper()
	if !waitUntil(30*time.Second, done) {
		p.t.Fatalf("no %s; stderr:\n%s", what, p.errs.text())
	}
}

// lineLog collects output that is read while it is written.
type lineLog struct {
	c   chan struct{} // a mutex
	buf bytes.Buffer
}

func newLineLog() *lineLog { return &lineLog{c: make(chan struct{}, 1)} }

func (l *lineLog) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		s, err := lines.ReadString('\n')
		l.c <- struct{}{}
		l.buf.WriteString(s)
		<-l.c
		if err != nil {
			return
		}
	}
}

func (l *lineLog) Write(data []byte) (int, error) {
	l.c <- struct{}{}
	defer func() { <-l.c }()
	return l.buf.Write(data)
}

func (l *lineLog) text() string {
	l.c <- struct{}{}
	defer func() { <-l.c }()
	return l.buf.String()
}

// expect compares a result with the code that was wanted.
func (r result) expect(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// contains makes sure that each text is in s.
func contains(t *testing.T, s string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s, text) {
			t.Errorf("no %q in:\n%s", text, s)
		}
	}
}

// query opens the database anew and returns the rows as one string.
func query(t *testing.T, db, q string) string {
	t.Helper()
	s, err := tryQuery(db, q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return s
}

func tryQuery(path, q string) (string, error) {
	db, err := sql.Open("sqlite", dsn(path, "rw"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	rows, err := db.Query(q)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			return "", err
		}
		out = append(out, s.String)
	}
	return strings.Join(out, ","), rows.Err()
}

// makeDB makes a database as an app would have left it: WAL, a table, rows.
func makeDB(t *testing.T, path string, rows int) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "rwc", "journal_mode(WAL)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		"CREATE TABLE kept(id INTEGER PRIMARY KEY, v TEXT)",
		fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO kept SELECT i, hex(randomblob(50)) FROM n", rows),
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
}

// fingerprint is what the rows of makeDB add up to.
func fingerprint(t *testing.T, path string) string {
	t.Helper()
	if got := query(t, path, "PRAGMA integrity_check"); got != "ok" {
		t.Fatalf("integrity_check: %s", got)
	}
	return query(t, path, "SELECT count(*) || ':' || sum(id) || ':' || group_concat(v) FROM (SELECT * FROM kept ORDER BY id LIMIT 50)")
}

// files writes a tree and returns its root.
func files(t *testing.T, tree map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range tree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// leftovers lists what a boot left in .flysql that it should not have: all but
// locks, snapshots, and what a restore replaced.
func leftovers(t *testing.T, db string) []string {
	t.Helper()
	var found []string
	root := filepath.Join(filepath.Dir(db), stateDir)
	filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() || strings.HasSuffix(name, ".lock") || strings.Contains(path, "/snapshots/") && !strings.Contains(name, ".partial") || strings.Contains(path, "/aside/") {
			return nil
		}
		found = append(found, strings.TrimPrefix(path, root+"/"))
		return nil
	})
	return found
}

// asides lists what restores have kept.
func asides(t *testing.T, db string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(db), stateDir, "aside", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// stopped tells whether a process is stopped, as by SIGSTOP.
func stopped(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(after, "T")
}

// status is what the kernel says of a process, "" when it has ended.
func status(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	return string(data)
}
