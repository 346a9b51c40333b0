package entrypoint

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// importing is a boot that imports a file.
func importing(t *testing.T, n *testkit.Node, file string, steps ...sqlStep) entry {
	t.Helper()
	e := besideLiteFS(t, n, steps...)
	e.env = append(e.env, "FLYSQL_LITEFS_IMPORT="+file)
	return e
}

// A database that was on the volume becomes the cluster's, with what a killed app
// left in its WAL, before the migrations, once; and replicas have it.
func TestLiteFSImport(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, nodes := cluster(t, "a", "b")
			file := crashed(t, t.TempDir(), mode)
			e := importing(t, nodes[0], file, createA, createB)
			e.app = serving
			a := e.start(t)
			a.isServing()
			contains(t, a.errs.text(), `"msg":"import","outcome":"ok"`, `"applied":2`)
			db := nodes[0].DB("app.db")
			const whole = "SELECT count(*) || ' ' || min(v) || ' ' || max(v) FROM t"
			if got := query(t, db, whole); got != "1000 committed committed" {
				t.Errorf("imported: %q", got)
			}
			run(t, db, "DELETE FROM t WHERE id <= 400")
			nodes[1].Start()
			if got := readOnly(t, nodes[1].DB("app.db"), whole); got != "600 committed committed" {
				t.Errorf("on the replica: %q", got)
			}
			nodes[1].Stop()
			a.signal(15)
			a.wait().expect(t, 3)
			e.app = []string{"true"}
			r := e.run(t).expect(t, 0)
			contains(t, r.text("import", "why"), "the cluster has the database already")
			whatIs(t, nodes[0], func(db string) {
				if got := query(t, db, whole); got != "600 committed committed" {
					t.Errorf("after the next boot: %q", got)
				}
			})
			if got := query(t, file, whole); got != "1000 committed committed" {
				t.Errorf("the old file: %q", got)
			}
			if got := query(t, file, "PRAGMA journal_mode"); !strings.EqualFold(got, mode) {
				t.Errorf("the old file is in mode %s", got)
			}
		})
	}
}

// kill -9 on the way: the next boot imports all, or finds all imported.
func TestLiteFSImportKilled(t *testing.T) {
	for _, mode := range journalModes {
		for _, point := range []string{"import", "import.copy", "import.done"} {
			t.Run(mode+"/"+point, func(t *testing.T) {
				t.Parallel()
				n := testkit.NewNode(t, "a", testkit.NodeOptions{})
				file := crashed(t, t.TempDir(), mode)
				e := importing(t, n, file, createA)
				e.fault = point + "=kill"
				e.run(t).expect(t, 1)
				e.fault = ""
				e.run(t).expect(t, 0)
				whatIs(t, n, func(db string) {
					if got := query(t, db, "SELECT count(*) FROM t"); got != "1000" {
						t.Errorf("%s rows of 1000", got)
					}
				})
				nothingLeft(t, n)
			})
		}
	}
}

// What cannot be imported stops the boot before there is a database; a replica, and a
// cluster that has one, do not look at the file.
func TestLiteFSImportRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(t.TempDir(), "good.db")
	makeDB(t, good, 2000)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := func(name string, how func(data []byte) []byte) string {
		file := filepath.Join(t.TempDir(), name+".db")
		if err := os.WriteFile(file, how(slices.Clone(whole)), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	encrypted := spoilt("encrypted", func(b []byte) []byte {
		for i := range b {
			b[i] ^= byte(i*i>>3) ^ 0x5a
		}
		return b
	})
	half := spoilt("half", func(b []byte) []byte { return b[:len(b)/2] })
	holed := spoilt("holed", func(b []byte) []byte { clear(b[len(b)/2 : len(b)/2+8192]); return b })
	unsettled := crashed(t, t.TempDir(), "WAL")
	s := stateOf(unsettled)
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.journal(), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, want string }{
		{"missing", filepath.Join(t.TempDir(), "app.db"), "which was to become it, is not here"},
		{"a directory", t.TempDir(), "is a directory, not a database"},
		{"text", text, "file is not a database"},
		{"empty", empty, "it is empty"},
		{"encrypted", encrypted, "file is not a database"},
		{"cut off", half, "malformed"},
		{"with a hole", holed, "malformed"},
		{"a migration cut short", unsettled, "was cut short"},
		{"LiteFS's own", "", "is in a directory of LiteFS's own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, nodes := cluster(t, "a", "b")
			if tt.file == "" {
				tt.file = filepath.Join(nodes[0].Data, "database")
				if err := errors.Join(os.MkdirAll(nodes[0].Data, 0o755), os.WriteFile(tt.file, whole, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			e := importing(t, nodes[0], tt.file, createA)
			r := e.run(t).expect(t, 1)
			contains(t, r.text("import", "err"), tt.want)
			if hint := r.text("import", "hint"); hint == "" || strings.HasPrefix(hint, "boot again:") {
				t.Errorf("hint %q: another boot helps nothing", hint)
			}
			if r.stdout != "" {
				t.Errorf("the app ran: %q", r.stdout)
			}
			nothingLeft(t, nodes[0])
			whatIs(t, nodes[0], func(db string) {
				if pos, err := positionOf(db); err != nil || pos.tx != 0 {
					t.Errorf("there is a database at %v, %v", pos, err)
				}
			})

			// On a replica of a cluster that has one.
			withRows(t, nodes[0], "DELETE", 10)
			nodes[0].Start()
			importing(t, nodes[1], tt.file).run(t).expect(t, 0)
		})
	}
}

// A cluster whose data is gone is not given the old file a second time.
func TestLiteFSImportOnce(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	e := importing(t, n, crashed(t, t.TempDir(), "WAL"))
	e.run(t).expect(t, 0)
	if err := os.RemoveAll(n.Data); err != nil {
		t.Fatal(err)
	}
	r := e.run(t).expect(t, 1)
	contains(t, r.text("import", "err"), "was imported by an earlier boot, and the cluster has no database any more")
}

// Pages of any size are taken, and the cluster's database has the same.
func TestLiteFSImportPageSizes(t *testing.T) {
	for _, mode := range journalModes {
		for _, size := range []string{"512", "65536"} {
			t.Run(mode+"/"+size, func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "app.db")
				run(t, file, "PRAGMA page_size="+size, "PRAGMA journal_mode="+mode, "CREATE TABLE t(v)", "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000) SELECT hex(randomblob(100)) FROM n")
				n := testkit.NewNode(t, "a", testkit.NodeOptions{})
				importing(t, n, file).run(t).expect(t, 0)
				const whole = "SELECT count(*) || ' ' || sum(unicode(v)) || ' ' || (SELECT page_size FROM pragma_page_size) FROM t"
				whatIs(t, n, func(db string) {
					if got, want := query(t, db, whole), query(t, file, whole); got != want {
						t.Errorf("imported %q, want %q", got, want)
					}
				})
			})
		}
	}
}

// A file for which there is no room is told before anything is copied.
func TestLiteFSImportNoRoom(t *testing.T) {
	t.Parallel()
	small := disk(t, "tmpfs", "size=16m")
	n := testkit.NewNode(t, "a", testkit.NodeOptions{DataDir: filepath.Join(small, "litefs")})
	file := filepath.Join(t.TempDir(), "app.db")
	run(t, file, "CREATE TABLE t(v)", "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 12) SELECT randomblob(1000000) FROM n")
	r := importing(t, n, file).run(t).expect(t, 1)
	contains(t, r.text("import", "err"), "no room")
	contains(t, r.text("import", "hint"), "fly volumes extend")
	whatIs(t, n, func(db string) {
		if pos, err := positionOf(db); err != nil || pos.tx != 0 {
			t.Errorf("there is a database at %v, %v", pos, err)
		}
	})
}
