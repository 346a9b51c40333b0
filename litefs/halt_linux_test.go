package litefs

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// replica starts a primary with a database, and a replica that has it.
func replica(t *testing.T) (l *testkit.Lease, a, b *testkit.Node) {
	t.Helper()
	l, nodes := cluster(t, "a", "b")
	a, b = nodes[0], nodes[1]
	exec(t, a, "CREATE TABLE t(v)")
	testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	return l, a, b
}

// A replica writes under HALT, the primary has it, and may write again afterwards.
func TestWithHalt(t *testing.T) {
	level(t)
	_, a, b := replica(t)
	wrong := errors.New("the work's")
	for i := range 3 {
		err := WithHalt(limit(t), b.DB("app.db"), func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("no deadline")
			}
			exec(t, b, fmt.Sprintf("INSERT INTO t VALUES ('b%d')", i))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := WithHalt(limit(t), b.DB("app.db"), func(context.Context) error { return wrong }); !errors.Is(err, wrong) || errors.Is(err, ErrHaltLost) {
			t.Errorf("the work's error: %v", err)
		}
		panicked(t, func() { WithHalt(limit(t), b.DB("app.db"), func(context.Context) error { panic("the work's") }) })
		exec(t, a, fmt.Sprintf("INSERT INTO t VALUES ('a%d')", i))
	}
	var got []string
	db := openDB(t, a)
	defer db.Close()
	found, err := db.Query("SELECT v FROM t ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var v string
		if err := found.Scan(&v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if want := "b0 a0 b1 a1 b2 a2"; strings.Join(got, " ") != want {
		t.Errorf("rows %v, want %s", got, want)
	}

	// On the primary there is nothing to lock, nor a limit.
	ran := false
	if err := WithHalt(context.Background(), a.DB("app.db"), func(ctx context.Context) error {
		_, limited := ctx.Deadline()
		ran = !limited
		return osexec.Command("true").Run()
	}); err != nil || !ran {
		t.Errorf("on the primary: %v, ran unlimited: %v", err, ran)
	}
}

func panicked(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}

// No process is started while the lock is held, by whichever goroutine: its exec
// would close the lock's file, and LiteFS let go of the lock.
func TestWithHaltBlocksForks(t *testing.T) {
	level(t)
	_, _, b := replica(t)
	var held atomic.Bool
	var children sync.WaitGroup
	err := WithHalt(limit(t), b.DB("app.db"), func(context.Context) error {
		held.Store(true)
		for range 4 {
			children.Go(func() {
				if err := osexec.Command("true").Run(); err != nil {
					t.Error(err)
				}
				if held.Load() {
					t.Error("a process was started while the lock was held")
				}
			})
		}
		for i := range 20 {
			exec(t, b, fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
		}
		held.Store(false)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	children.Wait()
}

// Whoever closes a descriptor of the lock's file loses the lock, and is told.
func TestWithHaltLost(t *testing.T) {
	level(t)
	_, a, b := replica(t)
	err := WithHalt(limit(t), b.DB("app.db"), func(context.Context) error {
		fd := descriptorOf(t, b.DB("app.db-lock"))
		dup, err := syscall.Dup(fd)
		if err != nil {
			return err
		}
		return syscall.Close(dup)
	})
	if !errors.Is(err, ErrHaltLost) {
		t.Errorf("the lock was lost: %v", err)
	}
	exec(t, a, "INSERT INTO t VALUES (1)")
}

func descriptorOf(t *testing.T, path string) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if target, _ := os.Readlink("/proc/self/fd/" + name.Name()); target == path {
			var fd int
			fmt.Sscan(name.Name(), &fd)
			return fd
		}
	}
	t.Fatalf("%s is not open", path)
	return 0
}

// The work is told when its time is over; writes after that fail rather than hang.
func TestWithHaltTooLong(t *testing.T) {
	level(t)
	_, a, b := replica(t)
	var cause error
	err := withHalt(context.Background(), b.DB("app.db"), HaltAcquire, haltMargin+time.Second, func(ctx context.Context) error {
		<-ctx.Done()
		cause = context.Cause(ctx)
		// Nobody else need wait for this any more.
		return osexec.Command("true").Run()
	})
	if !errors.Is(err, ErrHaltLost) || !errors.Is(cause, ErrHaltLost) {
		t.Errorf("after the limit: %v, cause %v", err, cause)
	}
	exec(t, a, "INSERT INTO t VALUES (1)")
}

func TestWithHaltRefused(t *testing.T) {
	level(t)
	l, a, b := replica(t)
	never := func(context.Context) error { t.Error("the work was done"); return nil }
	plain := t.TempDir()
	for _, name := range []string{".lag", "app.db", "app.db-lock"} {
		if err := os.WriteFile(filepath.Join(plain, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, path string
		want       error
	}{
		{"plain directory", filepath.Join(plain, "app.db"), ErrNotLiteFS},
		{"missing directory", filepath.Join(plain, "missing", "app.db"), ErrNotLiteFS},
		{"missing database", b.DB("other.db"), ErrNoDatabase},
	} {
		if err := WithHalt(limit(t), tt.path, never); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := WithHalt(canceled(), b.DB("app.db"), never); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	// Without a primary there is no lock.
	a.Kill()
	l.Fail(true)
	testkit.Poll(t, "b to lose its primary", func() bool {
		info, ok := b.Info()
		return ok && info.Primary.Hostname == ""
	})
	if err := WithHalt(limit(t), b.DB("app.db"), never); err == nil {
		t.Error("halted without a primary")
	}
	l.Fail(false)
}

// Who gives up waiting for the lock leaves nothing behind that keeps it.
func TestWithHaltGivenUp(t *testing.T) {
	level(t)
	_, a, b := replica(t)
	ctx, cancel := context.WithCancelCause(limit(t))
	gone := errors.New("gone")
	tx := openDB(t, a)
	defer tx.Close()
	if _, err := tx.Exec("BEGIN IMMEDIATE"); err != nil { // for which HALT waits
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() {
		waited <- WithHalt(ctx, b.DB("app.db"), func(context.Context) error { t.Error("got the lock"); return nil })
	}()
	testkit.Poll(t, "the lock to be asked for", func() bool {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if target, _ := os.Readlink("/proc/self/fd/" + name.Name()); target == b.DB("app.db-lock") {
				return true
			}
		}
		return false
	})
	cancel(gone)
	if err := <-waited; !errors.Is(err, gone) {
		t.Errorf("given up: %v", err)
	}
	if _, err := tx.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, "the lock to be free again", func() bool {
		return WithHalt(limit(t), b.DB("app.db"), func(context.Context) error { return nil }) == nil
	})
	exec(t, a, "INSERT INTO t VALUES (1)")
}
