package testkit

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PostgresVariable names the directory of another PostgreSQL's programs (initdb,
// postgres, psql) than the newest that is installed.
const PostgresVariable = "FLYSQL_TEST_POSTGRES"

// PostgresDB is a database of a test's own, on a server that a package's tests share.
type PostgresDB struct {
	URL  string // over loopback, with the password of a superuser
	Name string

	server *postgres
	t      testing.TB
}

// postgres is a running server.
type postgres struct {
	bin, dir string
	port     int
	settings []string            // besides what every server has
	as       *syscall.Credential // nil is the test's own
	cmd      *exec.Cmd
	out      output
	ended    chan struct{}
	made     atomic.Int64 // databases
}

// What every server of a test has; it is reached over loopback only.
const (
	postgresUser     = "postgres"
	postgresPassword = "postgres-secret"
)

var shared struct {
	sync.Mutex
	server *postgres
}

// Postgres makes an empty database, which ends with the test: UTF-8, and in the order
// of code points (C.UTF-8) where options, as CREATE DATABASE takes them, say nothing
// else. A package that uses it has
//
//	func TestMain(m *testing.M) { testkit.PostgresMain(m) }
//
// The first call starts the server, whose WAL suffices for logical replication. Where
// PostgreSQL is not installed, the test ends.
func Postgres(t testing.TB, options ...string) *PostgresDB {
	t.Helper()
	s := sharedPostgres(t)
	name := fmt.Sprintf("test_%d", s.made.Add(1))
	s.admin(t, "CREATE DATABASE "+name+" TEMPLATE template0 "+strings.Join(options, " "))
	db := &PostgresDB{Name: name, server: s, t: t}
	db.URL = s.url(name)
	t.Cleanup(func() { s.admin(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return db
}

// OwnPostgres makes a database as Postgres does, on a server that no other test has, with
// settings besides, as name=value: one that the test may crash.
func OwnPostgres(t testing.TB, settings ...string) *PostgresDB {
	t.Helper()
	s := newPostgres(t, settings...)
	t.Cleanup(s.stop)
	db := &PostgresDB{Name: "own", server: s, t: t, URL: s.url("own")}
	s.admin(t, "CREATE DATABASE own TEMPLATE template0")
	return db
}

// Crash ends the server of OwnPostgres at once, as a power cut would but for the disk's
// caches, and starts it again.
func (db *PostgresDB) Crash() {
	db.t.Helper()
	db.server.crash()
	db.server.start(db.t)
}

// Restart stops the server of OwnPostgres as pg_ctl's fast mode does, and starts it again.
func (db *PostgresDB) Restart() {
	db.t.Helper()
	db.server.end(syscall.SIGINT)
	db.server.start(db.t)
}

// PostgresMain runs a package's tests, and stops the server that they have used.
func PostgresMain(m *testing.M) {
	m.Run() // the code is the testing package's to return
	StopPostgres()
}

// StopPostgres stops the server that a package's tests have used, for a TestMain that has
// more to do than PostgresMain.
func StopPostgres() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.stop()
		shared.server = nil
	}
}

func sharedPostgres(t testing.TB) *postgres {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = newPostgres(t)
	}
	return shared.server
}

// postgresPrograms returns the directory of initdb and postgres, or ends the test.
func postgresPrograms(t testing.TB) string {
	t.Helper()
	dirs := []string{os.Getenv(PostgresVariable)}
	if dirs[0] == "" {
		dirs, _ = filepath.Glob("/usr/lib/postgresql/*/bin") // only a malformed pattern is an error
		slices.SortFunc(dirs, func(a, b string) int { return release(b) - release(a) })
		if path, err := exec.LookPath("initdb"); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir
		}
	}
	NotRun(t, "postgresql", "apt-get install postgresql")
	return ""
}

// release is 15 of /usr/lib/postgresql/15/bin.
func release(dir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return n
}

// newPostgres makes and starts a server; settings are as name=value.
func newPostgres(t testing.TB, settings ...string) *postgres {
	t.Helper()
	s := &postgres{bin: postgresPrograms(t), port: FreePort(t), settings: settings}
	dir, err := os.MkdirTemp("", "flysql-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	s.as = postgresAccount(t, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(postgresPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	s.run(t, s.as, "initdb", "-D", s.data(), "-U", postgresUser, "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync",
		"--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile="+password)
	s.start(t)
	return s
}

func (s *postgres) data() string { return filepath.Join(s.dir, "data") }

// start starts the server, and waits until it takes connections.
func (s *postgres) start(t testing.TB) {
	t.Helper()
	args := []string{"-D", s.data(), "-k", s.dir, "-p", fmt.Sprint(s.port)}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", "wal_level=logical", "max_wal_senders=20", "max_replication_slots=20",
		"max_prepared_transactions=5", "timezone=UTC", "log_min_messages=fatal", "log_min_error_statement=panic"}, s.settings...) {
		args = append(args, "-c", setting)
	}
	s.cmd, s.ended = s.command(s.as, "postgres", args...), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) { defer close(ended); cmd.Wait() }(s.cmd, s.ended)
	Poll(t, "postgres ready", func() bool {
		select {
		case <-s.ended:
			t.Fatalf("postgres ended:\n%s", s.out.String())
		default:
		}
		return s.ready()
	})
}

// postgresAccount gives dir to the account that PostgreSQL can run as, which is not
// root; nil is the test's own.
func postgresAccount(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		NotRun(t, "postgresql", "a user called postgres: apt-get install postgresql")
	}
	uid, err := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err, err2, os.Chown(dir, uid, gid)); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// command is a program of PostgreSQL's that ends with the tests' process, however that
// ends.
func (s *postgres) command(as *syscall.Credential, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + s.bin + ":/usr/bin:/bin", "HOME=" + s.dir, "LC_ALL=C.UTF-8"} // no PG variables of this machine
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT, Credential: as}
	return cmd
}

func (s *postgres) run(t testing.TB, as *syscall.Credential, name string, args ...string) {
	t.Helper()
	if out, err := s.command(as, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (s *postgres) ready() bool {
	conn, err := pgx.Connect(context.Background(), s.url("postgres"))
	if err != nil {
		return false
	}
	return conn.Close(context.Background()) == nil
}

func (s *postgres) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, postgresPassword), Host: fmt.Sprintf("127.0.0.1:%d", s.port), Path: "/" + database}
	return u.String()
}

// admin runs a statement outside the tests' databases.
func (s *postgres) admin(t testing.TB, statement string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// stop ends the server at once, for nothing in it is worth keeping.
func (s *postgres) stop() {
	s.crash()
	os.RemoveAll(s.dir)
}

// crash ends the server as pg_ctl's immediate mode does.
func (s *postgres) crash() { s.end(syscall.SIGQUIT) }

func (s *postgres) end(by syscall.Signal) {
	_ = syscall.Kill(s.cmd.Process.Pid, by) // one that has ended is fine
	<-s.ended
}

// Conn opens a connection that ends with the test.
func (db *PostgresDB) Conn() *pgx.Conn {
	db.t.Helper()
	conn, err := pgx.Connect(context.Background(), db.URL)
	if err != nil {
		db.t.Fatal(err)
	}
	db.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// Exec runs a script, statements with semicolons between, outside a transaction of
// its own.
func (db *PostgresDB) Exec(script string) {
	db.t.Helper()
	db.psql(strings.NewReader(script))
}

// Load runs a file as psql does, but for the lines by which a script makes a database
// of its own and goes there.
func (db *PostgresDB) Load(path string) {
	db.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		db.t.Fatal(err)
	}
	var script strings.Builder
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "DROP DATABASE ") && !strings.HasPrefix(line, "CREATE DATABASE ") && !strings.HasPrefix(line, `\c`) {
			script.WriteString(line)
		}
	}
	db.psql(strings.NewReader(script.String()))
}

func (db *PostgresDB) psql(script *strings.Reader) {
	db.t.Helper()
	cmd := db.Program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", db.URL)
	cmd.Stdin = script
	if out, err := cmd.CombinedOutput(); err != nil {
		db.t.Fatalf("psql: %v\n%s", err, out)
	}
}

// Program is one of the server's own version, such as pg_dump, not started yet.
func (db *PostgresDB) Program(name string, args ...string) *exec.Cmd {
	cmd := db.server.command(nil, name, args...)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return cmd
}
