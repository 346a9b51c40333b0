package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// A signal before the migrations ends the boot before they begin, at each step.
func TestSignalBeforeMigration(t *testing.T) {
	tree, _, _ := tools[0].write(createA)
	migrations := files(t, tree)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		for _, step := range []string{"mode", "guard", "own", "check", "snapshot", "migrate"} {
			t.Run(fmt.Sprintf("%s/%v", step, sig), func(t *testing.T) {
				t.Parallel()
				db := filepath.Join(t.TempDir(), "app.db")
				makeDB(t, db, 100)
				before := fingerprint(t, db)
				r := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + migrations}, app: []string{"sh", "-c", "echo ran"},
					fault: fmt.Sprintf("%s=%d", step, sig)}.run(t).expect(t, 128+int(sig))
				if r.stdout != "" {
					t.Errorf("the app ran: %q", r.stdout)
				}
				unchanged(t, db, before)
			})
		}
	}
}

// A signal while a boot waits for another one.
func TestSignalWhileWaiting(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	state := stateOf(db)
	if err := os.MkdirAll(state.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := acquire(t.Context(), state.bootLock(), unix.LOCK_EX, 0, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer held.release()
	p := entry{db: db, app: []string{"true"}}.start(t)
	p.waitFor("another boot works on this database")
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 143)
}

// A signal in the middle of a long statement: it is interrupted, what it did is
// undone, and the code says which signal it was.
func TestSignalDuringMigration(t *testing.T) {
	for _, tl := range tools {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			for _, noTx := range []bool{false, true} {
				if noTx && !tl.noTx {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v/noTx=%v", tl.name, sig, noTx), func(t *testing.T) {
					t.Parallel()
					db := filepath.Join(t.TempDir(), "app.db")
					makeDB(t, db, 100)
					before := fingerprint(t, db)
					tree, _, _ := tl.write(createA, sqlStep{name: "busy", noTx: noTx, up: []string{"CREATE TABLE busy(i);", "DELETE FROM kept;", slow}})
					p := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"sh", "-c", "echo ran"}}.start(t)
					p.poll("writing", func() bool { return underWay(db, noTx) })
					p.signal(sig)
					r := p.wait().expect(t, 128+int(sig))
					if r.outcome("migrate") != "interrupted" || r.stdout != "" {
						t.Errorf("stdout %q\n%s", r.stdout, r.stderr)
					}
					unchanged(t, db, before)
					if left := leftovers(t, db); len(left) > 0 {
						t.Errorf("left behind: %v", left)
					}
				})
			}
		}
	}
}

// A signal during a migrate command reaches it; a stubborn one is killed.
func TestSignalDuringMigrateCommand(t *testing.T) {
	bin := files(t, map[string]string{
		"polite":   "#!/bin/sh\ntrap 'echo got TERM; exit 3' TERM\nsqlite3 \"$FLYSQL_DB\" 'DELETE FROM kept'\necho begun\nwhile :; do sleep 0.01; done\n",
		"stubborn": "#!/bin/sh\ntrap '' TERM\nsqlite3 \"$FLYSQL_DB\" 'DELETE FROM kept'\necho begun\nwhile :; do sleep 0.01; done\n",
	})
	for _, name := range []string{"polite", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "app.db")
			makeDB(t, db, 100)
			before := fingerprint(t, db)
			p := entry{db: db, env: []string{"FLYSQL_MIGRATE=" + filepath.Join(bin, name), "FLYSQL_GRACE=300ms"}, app: []string{"true"}}.start(t)
			p.waitFor("begun")
			p.signal(syscall.SIGTERM)
			r := p.wait().expect(t, 143)
			if got := strings.Contains(r.stderr, "got TERM"); got != (name == "polite") {
				t.Errorf("the command got the signal: %v\n%s", got, r.stderr)
			}
			unchanged(t, db, before)
		})
	}
}

// After the migrations, and right before the exec, a signal is not lost either.
func TestSignalBeforeExec(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"0", "1"} {
		db := filepath.Join(t.TempDir(), "app.db")
		r := entry{db: db, env: []string{"FLYSQL_SUPERVISE=" + mode}, app: []string{"sh", "-c", "echo ran"}, fault: fmt.Sprintf("app=%d", syscall.SIGTERM)}.run(t).expect(t, 143)
		if r.stdout != "" {
			t.Errorf("the app ran: %q", r.stdout)
		}
	}
}

// Once it runs, the app gets every signal itself and answers as it likes.
func TestSignalToApp(t *testing.T) {
	for _, mode := range []string{"0", "1"} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.Signal(40)} {
			t.Run(fmt.Sprintf("supervise=%s/%d", mode, sig), func(t *testing.T) {
				t.Parallel()
				db := filepath.Join(t.TempDir(), "app.db")
				script := fmt.Sprintf("trap 'exit 42' %d; echo ready >&2; while :; do sleep 0.01; done", sig)
				p := entry{db: db, env: []string{"FLYSQL_SUPERVISE=" + mode}, app: []string{"bash", "-c", script}}.start(t)
				p.waitFor("ready")
				p.signal(sig)
				p.wait().expect(t, 42)
			})
		}
	}
}

// An app that a signal stops for a while (SIGTSTP) can be continued through its
// supervisor.
func TestSupervisedStopAndContinue(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	p := entry{db: db, env: []string{"FLYSQL_SUPERVISE=1"}, app: []string{"sh", "-c", "echo pid $$. >&2; while :; do sleep 0.01; done"}}.start(t)
	p.waitFor("pid ")
	pid := appPid(t, p)
	p.signal(syscall.SIGTSTP)
	p.poll("stopped app", func() bool { return stopped(pid) })
	p.signal(syscall.SIGCONT)
	p.poll("continued app", func() bool { return !stopped(pid) })
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 143)
}

// appPid reads the "pid N." that a test's app printed.
func appPid(t *testing.T, p *process) int {
	t.Helper()
	var pid int
	p.poll("the app's pid", func() bool {
		_, after, found := strings.Cut(p.errs.text(), "pid ")
		if number, _, whole := strings.Cut(after, "."); found && whole {
			_, err := fmt.Sscan(number, &pid)
			return err == nil
		}
		return false
	})
	return pid
}

// The in-process form: a function gets a migrated database, and a context that
// ends with the signal.
func TestRunFunction(t *testing.T) {
	tree, _, _ := tools[0].write(createA, createB)
	fsys := fstest.MapFS{}
	for name, text := range tree {
		fsys["migrations/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	db := filepath.Join(t.TempDir(), "app.db")
	cfg := Config{DB: db, Migrations: fsys}

	ran := false
	cfg.App = func(ctx context.Context) error {
		ran = true
		if got := query(t, db, "SELECT id FROM b"); got != "1" {
			t.Errorf("b: %s", got)
		}
		return nil
	}
	if err := Run(t.Context(), cfg); err != nil || !ran {
		t.Fatalf("ran %v, error %v", ran, err)
	}

	cfg.App = func(ctx context.Context) error {
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		<-ctx.Done()
		return ctx.Err()
	}
	if code := ExitCode(Run(t.Context(), cfg)); code != 143 {
		t.Errorf("code %d after SIGTERM, want 143", code)
	}

	cfg.App = func(ctx context.Context) error { return errors.New("its own") }
	err := Run(t.Context(), cfg)
	if ExitCode(err) != 1 || err.Error() != "app: its own" {
		t.Errorf("error %v, code %d", err, ExitCode(err))
	}

	// A caller that gives up is no failure of the app.
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gave up"))
	cfg.App = func(context.Context) error { t.Error("the app ran"); return nil }
	if err := Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("error %v", err)
	}
}

// Ctrl-C on a terminal during a migrate command ends the boot, whatever the command
// makes of it: an answer of 0 is not taken for a finished migration.
func TestCtrlCDuringMigrateCommand(t *testing.T) {
	t.Parallel()
	bin := files(t, map[string]string{
		"dies":    "#!/bin/sh\necho begun\nwhile :; do sleep 0.01; done\n",
		"answers": "#!/bin/sh\ntrap 'exit 0' INT\necho begun\nwhile :; do sleep 0.01; done\n",
	})
	for _, name := range []string{"dies", "answers"} {
		db := filepath.Join(t.TempDir(), "app.db")
		cmd := exec.Command(executable, "--migrate", filepath.Join(bin, name), "--", "sh", "-c", "echo APP STARTED")
		cmd.Env = append(os.Environ(), asEntrypoint+"=1", "DATABASE_URL="+db)
		terminal, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		out := newLineLog()
		read := make(chan struct{})
		go func() { defer close(read); out.read(terminal) }()
		if !waitUntil(30*time.Second, func() bool { return strings.Contains(out.text(), "begun") }) {
			t.Fatalf("%s did not begin: %s", name, out.text())
		}
		if _, err := terminal.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // the code is looked at
		<-read
		terminal.Close()
		if code := statusOf(cmd.ProcessState); code != 130 || strings.Contains(out.text(), "APP STARTED") {
			t.Errorf("%s: code %d\n%s", name, code, out.text())
		}
	}
}

// Under nohup a boot survives the hang-up, as the app will.
func TestNohup(t *testing.T) {
	t.Parallel()
	tree, _, _ := tools[0].write(createA)
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 10)
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$@"`, "sh", executable, "--migrations", files(t, tree), "--", "sh", "-c", "echo ran")
	cmd.Env = append(os.Environ(), asEntrypoint+"=1", "DATABASE_URL="+db, fmt.Sprintf("%s=snapshot=%d", faultAt, syscall.SIGHUP))
	out, err := cmd.Output()
	if err != nil || string(out) != "ran\n" {
		t.Errorf("%q, %v", out, err)
	}
}
