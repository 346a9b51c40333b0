package transfer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// childVariable makes the test's program an import: of the URL and into the path that
// follow, to be killed at a stage.
const childVariable = "FLYSQL_TEST_TRANSFER"

// child imports, says when it has come to a stage, and stays there.
func child(job string) {
	url, rest, _ := strings.Cut(job, " ")
	path, stage, _ := strings.Cut(rest, " ")
	ctx := context.Background()
	s, err := transfer.Open(ctx, url)
	if err == nil {
		var plan *move.Plan
		if plan, err = planFor(ctx, s, path); err == nil {
			_, err = transfer.Import(ctx, s, plan, path, transfer.Options{Replace: true, Progress: func(p transfer.Progress) {
				if string(p.Stage) == stage && (stage != "copy" || p.Rows > 0) {
					fmt.Println("at " + stage)
					select {}
				}
			}})
		}
	}
	fmt.Println("ended:", err)
}

// planFor is for the schema of the file where that is a database.
func planFor(ctx context.Context, s *transfer.Live, path string) (*move.Plan, error) {
	if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), "SQLite format 3") {
		return move.NewPlan(s.Schema(), move.Options{})
	}
	e, err := transfer.ReadExisting(ctx, path)
	if err != nil {
		return nil, err
	}
	return move.NewExistingPlan(ctx, s.Schema(), e, move.ExistingOptions{})
}

var stages = []transfer.Stage{transfer.Copying, transfer.Indexing, transfer.Checking, transfer.Syncing, transfer.Replacing}

// startChild starts an import in a process of its own, and returns at a stage.
func startChild(t *testing.T, url, path string, stage transfer.Stage) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", childVariable, url, path, stage))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != fmt.Sprintf("at %s\n", stage) {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd
}

const small = `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 5000) AS i; CREATE INDEX t_v ON t (v);`

// An import that is killed at any stage leaves the target as it was. While it is
// alive, no other comes between; the next one removes what it has left.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	for _, stage := range stages {
		t.Run(string(stage), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			if err := os.WriteFile(path, []byte("the old one"), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := startChild(t, db.URL, path, stage)
			s, plan := open(t, db.URL, move.Options{})
			if _, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Replace: true}); !errors.Is(err, transfer.ErrBusy) {
				t.Fatalf("a second import beside it: %v", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if got, err := os.ReadFile(path); err != nil || string(got) != "the old one" {
				t.Fatalf("the target is %q, %v", got, err)
			}
			if got := files(t, filepath.Dir(path)); !slices.Equal(got, []string{".app.db.flysql-import", "app.db"}) {
				t.Errorf("files: %q", got)
			}
			r, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Replace: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "an import that was killed had left .app.db.flysql-import, ") {
				t.Errorf("notes: %q", r.Notes)
			}
			if got, err := os.ReadFile(r.Kept); err != nil || string(got) != "the old one" {
				t.Errorf("%s is %q, %v", r.Kept, got, err)
			}
			if got := files(t, filepath.Dir(path)); !slices.Equal(got, []string{"app.db", "app.db.before-import"}) {
				t.Errorf("files: %q", got)
			}
		})
	}
}

// So does one that is told to stop.
func TestImportCancelled(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	for _, stage := range stages[:4] { // after the last there is nothing to stop
		t.Run(string(stage), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			s, plan := open(t, db.URL, move.Options{})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			_, err := transfer.Import(ctx, s, plan, path, transfer.Options{Progress: func(p transfer.Progress) {
				if p.Stage == stage {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if got := files(t, filepath.Dir(path)); len(got) > 0 {
				t.Errorf("files: %q", got)
			}
		})
	}
}
