package frompostgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/e2e/apprepo"
	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/group"
	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/internal/testkit"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "flysql-from-postgres-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build = sync.OnceValues(func() (workshop, error) { return newWorkshop(dir) })
	testkit.PostgresMain(m)
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// workshop is what the tests share.
type workshop struct {
	clone string
	bin   string // the directory of flysql, flysql-entrypoint and from-postgres
}

var build func() (workshop, error)

func newWorkshop(bin string) (w workshop, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if w.clone, err = apprepo.Clone(ctx, "."); err != nil {
		return w, err
	}
	w.bin = bin
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", bin+"/", "./cmd/flysql", "./cmd/flysql-entrypoint", "./examples/from-postgres")
	cmd.Dir, cmd.Env = w.clone, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return w, fmt.Errorf("%w\n%s", err, out)
	}
	return w, nil
}

// example is the workshop, and the directory of the example in it.
func example(t *testing.T) (w workshop, dir string) {
	t.Helper()
	w, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return w, filepath.Join(w.clone, "examples", "from-postgres")
}

// magazine is what was: PostgreSQL with the example's schema and rows.
func magazine(t *testing.T) (pg *testkit.PostgresDB, w workshop, dir string) {
	t.Helper()
	pg = testkit.Postgres(t)
	w, dir = example(t)
	pg.Load(filepath.Join(dir, "postgres", "schema.sql"))
	pg.Load(filepath.Join(dir, "postgres", "seed.sql"))
	return pg, w, dir
}

// flysql runs a command of flysql's in the example's directory, and wants that exit code.
// It returns what it printed.
func (w workshop) flysql(t *testing.T, dir string, want int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(w.bin, "flysql"), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("flysql %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, want, out)
	}
	if bytes.Contains(out, []byte("postgres-secret")) {
		t.Errorf("flysql %s prints the password:\n%s", strings.Join(args, " "), out)
	}
	return string(out)
}

// imported is the example's database, as its README makes it.
func (w workshop) imported(t *testing.T, pg *testkit.PostgresDB, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "magazine.db")
	w.flysql(t, dir, 0, "import", pg.URL, file, "--migrations", "migrations", "--yes")
	return file
}

// server is the app, booted by flysql-entrypoint or by itself.
type server struct {
	url  string
	log  *syncBuffer
	stop func() // ends it in order
}

// syncBuffer is what a process prints.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve starts argv with PORT in its environment, and waits until it is well.
func serve(t *testing.T, dir string, env []string, argv ...string) *server {
	t.Helper()
	port, err := fly.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return serveAt(t, port, dir, env, argv...)
}

func serveAt(t *testing.T, port int, dir string, env []string, argv ...string) *server {
	t.Helper()
	s := &server{url: fmt.Sprintf("http://127.0.0.1:%d", port), log: &syncBuffer{}}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), append(env, fmt.Sprintf("PORT=%d", port))...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	wait, err := group.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() { ended <- wait(); close(done) }()
	s.stop = sync.OnceFunc(func() {
		t.Helper()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("%s ended: %v", argv[0], err)
		}
		_ = group.Kill(cmd.Process.Pid)
		if t.Failed() {
			t.Logf("the app printed:\n%s", s.log)
		}
	})
	t.Cleanup(s.stop)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = poll.Until(ctx, "the app", func(ctx context.Context) error {
		select {
		case <-done:
			return poll.Stop(errors.New("it has ended"))
		default:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/healthz", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s, %v", res.Status, err)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	return s
}

// ask sends a request, "POST /posts {…}", and returns the answer's status and body.
func (s *server) ask(t *testing.T, request string) (status int, body string) {
	t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	target, in, _ := strings.Cut(rest, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+target, strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(data))
}

// wants sends a request and compares the answer.
func (s *server) wants(t *testing.T, request string, status int, want string) {
	t.Helper()
	if got, body := s.ask(t, request); got != status || body != want {
		t.Errorf("%s: %d %s\nwant %d %s", request, got, body, status, want)
	}
}
