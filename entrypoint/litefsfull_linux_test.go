package entrypoint

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// fillWhole takes all the room of a disk, and returns what gives it back.
func fillWhole(t *testing.T, dir string) (empty func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// A disk that gets full while the primary writes: what was acknowledged is there
// once there is room again, or in the salvage. Where LiteFS cannot take what is in SQLite's WAL it ends, else
// the writer gets an error.
func TestDiskFullPrimary(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			testkit.LiteFS(t)
			t.Parallel()
			volume, l := disk(t, "ext4", ""), testkit.NewLease(t)
			n := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l, DataDir: filepath.Join(volume, "litefs")})
			e := besideLiteFS(t, n)
			e.app = serving
			p := e.start(t)
			p.isServing()
			run(t, n.DB("app.db"), "PRAGMA journal_mode="+mode, "CREATE TABLE w (id INTEGER PRIMARY KEY)")
			rows := startWriter(t, n.DB("app.db"))
			testkit.Poll(t, "rows", func() bool { return rows.count() > 50 })
			empty := fillWhole(t, volume)
			p.waitFor("no space left on device")
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			if r := p.wait(); r.code != 3 {
				contains(t, r.expect(t, 1).stderr, "LiteFS ended with status 99")
				if _, err := l.Expire(testkit.Key); err != nil {
					t.Fatal(err)
				}
			}
			e.run(t).expect(t, 78) // nothing is started on a full disk
			rows.end()
			empty()
			p = e.start(t)
			p.isServing()
			// What SQLite had, and LiteFS could not take, is in a salvage.
			copies, err := filepath.Glob(filepath.Join(stateOn(n), "salvage", "*", "app.db", "app.db"))
			if err != nil {
				t.Fatal(err)
			}
			if missing := rows.missing(t, append(copies, n.DB("app.db"))...); len(missing) > 0 {
				t.Errorf("lost: %v; salvages: %v", missing, copies)
			}
			p.signal(syscall.SIGTERM)
			p.wait().expect(t, 3)
			nothingLeft(t, n)
		})
	}
}

// A replica whose disk is full stays behind, or ends; it holds up nobody, and has all
// once there is room again.
func TestDiskFullReplica(t *testing.T) {
	testkit.LiteFS(t)
	volume, l := disk(t, "ext4", ""), testkit.NewLease(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l})
	b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l, DataDir: filepath.Join(volume, "litefs")})
	a.Start()
	makeRows(t, a, "WAL", 50)
	e := besideLiteFS(t, b)
	e.app = serving
	p := e.start(t)
	p.isServing()
	run(t, a.DB("app.db"), "CREATE TABLE w (id INTEGER PRIMARY KEY)")
	empty := fillWhole(t, volume)
	rows := startWriter(t, a.DB("app.db"))
	testkit.Poll(t, "rows on the primary", func() bool { return rows.count() > 50 })
	p.waitFor("no space left on device")
	rows.end()
	select {
	case <-p.exited:
		e.run(t).expect(t, 78)
		empty()
		p = e.start(t)
		p.isServing()
	default:
		empty()
	}
	testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 3)
	nothingLeft(t, b)
}
