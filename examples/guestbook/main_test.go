package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/appdb/appdbtest"
)

// asApp makes the test binary be the app: a real process that runs main.
const asApp = "GUESTBOOK_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "guestbook-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		os.Setenv(appdb.LocalDirVariable, dir) // not the user's own cache
		return m.Run()
	}())
}

// patience bounds every wait of these tests; when all is well, none comes near it.
const patience = time.Minute

// migratedFile returns the path of a database with all migrations applied.
func migratedFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guestbook.db")
	if _, err := appdbtest.New(t, migrations).Writer().ExecContext(t.Context(), `VACUUM INTO ?`, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	migrated := migratedFile(t)
	empty := filepath.Join(t.TempDir(), "empty.db")
	busy, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	_, busyPort, _ := net.SplitHostPort(busy.Addr().String())

	tests := []struct {
		what string
		args []string
		env  []string
		code int
		want []string
	}{
		{"help", []string{"--help"}, nil, 0, []string{"Usage: DATABASE_URL=FILE"}},
		{"argument", []string{"serve"}, nil, 2, []string{`unexpected argument "serve"`, "Usage:"}},
		{"flag", []string{"--port", "1"}, nil, 2, []string{"-port", "Usage:"}},
		{"no database", nil, nil, 2, []string{"DATABASE_URL is not set", "DATABASE_URL=/data/guestbook.db"}},
		{"both wrong", nil, []string{"PORT", "http"}, 2, []string{"DATABASE_URL is not set", `PORT="http" is not a port`}},
		{"port too high", nil, []string{"DATABASE_URL", migrated, "PORT", "65536"}, 2, []string{`PORT="65536"`, "65535"}},
		{"port below zero", nil, []string{"DATABASE_URL", migrated, "PORT", "-1"}, 2, []string{`PORT="-1"`}},
		{"port and more", nil, []string{"DATABASE_URL", migrated, "PORT", "8080 "}, 2, []string{`PORT="8080 "`}},
		{"port in use", nil, []string{"DATABASE_URL", migrated, "PORT", busyPort}, 1, []string{"address already in use", "set PORT"}},
		{"not migrated", nil, []string{"DATABASE_URL", empty, "PORT", "0"}, 1,
			[]string{"no table guests, messages, page_reads", "\n  flysql-entrypoint --migrations ./migrations -- guestbook\n"}},
		{"no directory", nil, []string{"DATABASE_URL", filepath.Join(t.TempDir(), "none", "a.db"), "PORT", "0"}, 1, []string{"none"}},
		{"another database", nil, []string{"DATABASE_URL", "postgres://ada:hunter2@db/app", "PORT", "0"}, 1, []string{"guestbook: "}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if code := run(ctx, tt.args, env(tt.env...), &stdout, &stderr); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			wantContains(t, "stderr", stderr.String(), tt.want...)
			wantNotContains(t, "stderr", stderr.String(), "hunter2")
			if stdout.Len() > 0 {
				t.Errorf("stdout is %q, want nothing", &stdout)
			}
		})
	}
}

func TestRunPartlyMigrated(t *testing.T) {
	t.Parallel()
	path := migratedFile(t)
	db, err := appdb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DROP TABLE page_reads`)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), nil, env("DATABASE_URL", path, "PORT", "0"), io.Discard, &stderr); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	wantContains(t, "stderr", stderr.String(), "no table page_reads: its migrations")
}

func TestRunToldToStopBeforeItStarted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	if code := run(ctx, nil, env("DATABASE_URL", migratedFile(t), "PORT", "0"), io.Discard, &stderr); code != 0 {
		t.Errorf("exit code %d, want 0; stderr: %s", code, &stderr)
	}
}

// process is the app in a process of its own.
type process struct {
	cmd  *exec.Cmd
	addr string      // 127.0.0.1:port
	log  chan string // lines of stderr, closed at its end
}

func start(t *testing.T, database string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(ctx, exe), log: make(chan string, 1000)}
	p.cmd.Env = []string{asApp + "=1", "DATABASE_URL=" + database, "PORT=0", appdb.LocalDirVariable + "=" + t.TempDir()}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	go func() {
		defer close(p.log)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.log <- s.Text()
		}
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "guestbook: listening on http://localhost:")
	if err != nil || !ok {
		t.Fatalf("first line of stdout is %q, %v; want the URL", line, err)
	}
	p.addr = net.JoinHostPort("127.0.0.1", port)
	return p
}

// waitLog reads the log up to a line that contains want.
func (p *process) waitLog(t *testing.T, want string) {
	t.Helper()
	var seen []string
	for line := range p.log {
		if strings.Contains(line, want) {
			return
		}
		seen = append(seen, line)
	}
	t.Fatalf("the log ended without %q:\n%s", want, strings.Join(seen, "\n"))
}

// wantExit waits for the end of the process.
func (p *process) wantExit(t *testing.T, code int) {
	t.Helper()
	for range p.log { // Wait closes the pipe, so read it first
	}
	err := p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d (%v), want %d", got, err, code)
	}
}

func TestStopWhenIdle(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t, migratedFile(t))
			res, err := http.Get("http://" + p.addr + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("GET /healthz: %s, %v", res.Status, err)
			}
			if err := p.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			p.waitLog(t, "msg=stopped")
			p.wantExit(t, 0)
		})
	}
}

// slowPost begins a POST to /messages and returns once the handler is waiting
// for its body: that is when a server asks for it with 100 Continue.
func slowPost(t *testing.T, addr, body string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /messages HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", addr, len(body))
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the server answers %q, %v; want 100 Continue", line, err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return conn, r
}

func TestStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	file := migratedFile(t)
	p := start(t, file)
	const body = "name=Ada&message=Written+while+the+server+was+stopping"
	conn, r := slowPost(t, p.addr, body)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.waitLog(t, "msg=stopping")
	for { // no new connection is taken; the attempts are the wait
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			break
		}
		_ = c.Close()
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("the request in flight was not answered: %v", err)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated || string(answer) != "{\"id\":1}\n" {
		t.Errorf("the request in flight was answered %s %q, %v; want 201 and its id", res.Status, answer, err)
	}
	p.waitLog(t, "msg=stopped")
	p.wantExit(t, 0)

	db, err := appdb.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	list, err := (&store{db: db}).MessagesAfter(t.Context(), 0, 10)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Body != "Written while the server was stopping" {
		t.Errorf("the file holds %+v, want that message", list)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, migratedFile(t))
	slowPost(t, p.addr, "name=Ada&message=never+sent")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.waitLog(t, "msg=stopping")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wantExit(t, -1)
	if ws := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGTERM {
		t.Errorf("ended by %v, want SIGTERM", ws.Signal())
	}
}

func TestStopCutsOffWhatNeverEnds(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cfg := config{database: migratedFile(t), drain: time.Millisecond}
	stdout, stdoutW := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, cfg, stdoutW, slog.New(slog.DiscardHandler)) }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(strings.TrimSpace(line), "localhost:")
	_, r := slowPost(t, net.JoinHostPort("127.0.0.1", port), "name=Ada&message=never+sent")
	stop()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "requests still running 1ms after the stop signal were cut off") {
		t.Errorf("serve: %v, want an error that says what was cut off", err)
	}
	if b, err := r.ReadByte(); err == nil {
		t.Errorf("the connection still gives %q, want it closed", b)
	}
}
