package inspect

import (
	"bufio"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readVariable makes this test binary an app that reads, and stands still.
const readVariable = "FLYSQL_TEST_READ"

func readAndStand(path string) {
	db, err := sql.Open("sqlite", dsn(path, "rw", busyWait))
	if err == nil {
		var tx *sql.Tx
		if tx, err = db.Begin(); err == nil {
			err = tx.QueryRow("SELECT count(*) FROM t").Scan(new(int))
		}
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return
	}
	os.Stdout.WriteString("reads\n")
	select {}
}

// Who reads an older state is told by name, in both journal modes; and a checkpoint
// that it held up goes on when it has ended.
func TestReaders(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			app := openApp(t, path, "PRAGMA journal_mode="+journal, "PRAGMA wal_autocheckpoint=0", table, "INSERT INTO t VALUES (1, 1)")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), readVariable+"="+path)
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			end := func() {
				cmd.Process.Kill() // or it has ended
				cmd.Wait()
			}
			defer end()
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "reads\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if journal == "WAL" {
				if _, err := app.Exec("INSERT INTO t VALUES (2, 2)"); err != nil {
					t.Fatal(err)
				}
			}
			if err := app.Close(); err != nil { // this process's locks are not told
				t.Fatal(err)
			}
			db := find(t, path)
			w, err := db.WAL(t.Context())
			if err != nil || !w.Locks || len(w.Open) != 1 || w.Open[0].PID != cmd.Process.Pid || w.Open[0].Name == "" {
				t.Fatalf("%+v, %v; the reader is %d", w, err, cmd.Process.Pid)
			}
			if journal != "WAL" {
				return
			}
			if len(w.Readers) != 1 || w.Readers[0].PID != cmd.Process.Pid || w.Readers[0].Frame <= 0 || w.Readers[0].Frame >= w.Frames {
				t.Errorf("%+v", w)
			}
			if busy, err := db.Checkpoint(t.Context()); !busy || err != nil {
				t.Errorf("busy %v, %v", busy, err)
			}
			if p, why := db.Program(t.Context(), oldSQLite3(t), "", false, false); p != nil || !strings.Contains(why, "can corrupt") {
				t.Errorf("%+v, %q", p, why)
			}
			if p, _ := db.Program(t.Context(), oldSQLite3(t), "", false, true); p == nil || p.Note == "" {
				t.Errorf("insisted: %+v", p)
			}
			if _, err := db.Copy(t.Context(), path+".copy", CopyOptions{}); err != nil {
				t.Errorf("copy: %v", err)
			}
			if n := count(t, path+".copy"); n != 2 {
				t.Errorf("%d rows", n)
			}
			end()
			if busy, err := db.Checkpoint(t.Context()); busy || err != nil {
				t.Errorf("afterwards: busy %v, %v", busy, err)
			}
		})
	}
}

func oldSQLite3(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sqlite3"), []byte("#!/bin/sh\necho 3.40.1 2022\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestParseLocks(t *testing.T) {
	const text = `1: POSIX  ADVISORY  READ 99999999 fe:00:131090 123 127
1: -> POSIX  ADVISORY  WRITE 99999998 fe:00:131090 123 127
2: FLOCK  ADVISORY  WRITE 99999997 fe:00:131090 0 EOF
3: OFDLCK ADVISORY  WRITE -1 fe:00:131090 0 EOF
4: POSIX  ADVISORY  READ 99999996 fe:00:131091 123 127
5: POSIX  ADVISORY  READ x fe:00:131090 y z
6: short
`
	want := []lock{
		{Holder: Holder{PID: 99999999}, start: 123, end: 127},
		{Holder: Holder{PID: -1}, write: true, end: 1<<63 - 1},
	}
	if diff := cmp.Diff(want, parseLocks([]byte(text), "fe:00:131090"), cmp.AllowUnexported(lock{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
