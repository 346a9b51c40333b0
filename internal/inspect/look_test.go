package inspect

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSize(t *testing.T) {
	db := newDB(t, table, rows("1000"), "CREATE INDEX i ON t (b)", "CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID",
		"INSERT INTO w SELECT id, b FROM t", "CREATE TABLE gone AS SELECT * FROM t", "DROP TABLE gone", "CREATE VIEW v AS SELECT 1")
	s, err := db.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Object{}
	var pages int64
	for _, o := range s.Objects {
		pages += o.Pages
		got[o.Name] = Object{Type: o.Type, Table: o.Table, Entries: o.Entries}
	}
	want := map[string]Object{
		"t":             {Type: "table", Table: "t", Entries: 1000},
		"i":             {Type: "index", Table: "t", Entries: 1000},
		"w":             {Type: "table", Table: "w", Entries: 1000},
		"sqlite_schema": {Type: "table", Table: "sqlite_schema", Entries: 4},
	}
	delete(got, "sqlite_autoindex_w_1")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if s.FreePages < 200 || pages+s.FreePages != s.Pages || s.Pages*s.PageSize != s.File || s.WAL != 0 {
		t.Errorf("%+v, %d pages in use", s, pages)
	}
}

func TestCheck(t *testing.T) {
	db := newDB(t, "CREATE TABLE p (id INTEGER PRIMARY KEY, k)", "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p (id))",
		"CREATE TABLE w (a PRIMARY KEY, p REFERENCES p (id)) WITHOUT ROWID", "CREATE TABLE x (k REFERENCES p (k))",
		"INSERT INTO c VALUES (5, 1)", "INSERT INTO w VALUES ('a', 2)", "INSERT INTO x VALUES (1)")
	five := int64(5)
	for _, quick := range []bool{false, true} {
		r, err := db.Check(t.Context(), quick)
		if err != nil {
			t.Fatal(err)
		}
		want := []Orphan{{Table: "c", RowID: &five, Columns: "p", Parent: "p"}, {Table: "w", Columns: "p", Parent: "p"}}
		if diff := cmp.Diff(want, r.Orphans); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if r.OK() || r.OrphanCount != 2 || len(r.Broken) != 1 || !strings.HasPrefix(r.Broken[0], "x: ") || len(r.Problems) != 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestCheckFindsDamage(t *testing.T) {
	db := newDB(t, table, rows("1000"), "CREATE INDEX i ON t (b)")
	data, err := os.ReadFile(db.Path)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[100*4096:101*4096], make([]byte, 4096))
	if err := os.WriteFile(db.Path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, quick := range []bool{false, true} {
		r, err := db.Check(t.Context(), quick)
		if err == nil && (r.OK() || len(r.Problems) == 0) || err != nil && !strings.Contains(err.Error(), "damaged") {
			t.Errorf("quick %v: %+v, %v", quick, r, err)
		}
	}
}

func TestPragmas(t *testing.T) {
	db := newDB(t, "PRAGMA page_size=1024", "PRAGMA auto_vacuum=FULL", "PRAGMA encoding='UTF-16le'", "PRAGMA application_id=-7", table)
	fixed := func() map[string][2]string {
		list, err := db.Pragmas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][2]string{}
		for _, s := range list {
			if s.Value != "" && s.Name != "written_by" && s.Name != "freelist_count" {
				fix, _, _ := strings.Cut(s.Fix, ";")
				got[s.Name] = [2]string{s.Value, fix}
			}
		}
		return got
	}
	want := map[string][2]string{
		"journal_mode":   {"delete", "PRAGMA journal_mode=WAL"},
		"page_size":      {"1024", "PRAGMA page_size=4096"},
		"auto_vacuum":    {"full", "PRAGMA auto_vacuum=NONE"},
		"encoding":       {"UTF-16le", "it is chosen when a database is made: sqlite3 OLD .dump | sqlite3 NEW"},
		"user_version":   {"0", ""},
		"application_id": {"-7", ""},
	}
	if diff := cmp.Diff(want, fixed()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	db = newDB(t, "PRAGMA journal_mode=WAL", table)
	want = map[string][2]string{
		"journal_mode": {"wal", ""}, "page_size": {"4096", ""}, "auto_vacuum": {"none", ""},
		"encoding": {"UTF-8", ""}, "user_version": {"0", ""}, "application_id": {"0", ""},
	}
	if diff := cmp.Diff(want, fixed()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestOldSQLite(t *testing.T) {
	for version, want := range map[string]bool{"3.40.1": true, "3.51.2": true, "3.51.3": false, "3.53.1": false} {
		if got := OldSQLite(version); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

// An empty file is a database without anything in it.
func TestEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db := find(t, path)
	if s, err := db.Size(t.Context()); err != nil || s.File != 0 || len(s.Objects) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if r, err := db.Check(t.Context(), false); err != nil || !r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
	if list, err := db.Pragmas(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if w, err := db.WAL(t.Context()); err != nil || w.Mode != "delete" {
		t.Errorf("%+v, %v", w, err)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("files %v", got)
	}
}

// A repository says which database is the app's.
func TestFindInARepository(t *testing.T) {
	const goMod = "module example.com/shop\n\ngo 1.25\n\nrequire modernc.org/sqlite v1.50.1\n"
	const code = "package main\n\nimport (\n\t\"database/sql\"\n\t\"os\"\n\n\t_ \"modernc.org/sqlite\"\n)\n\nfunc main() { db, _ := sql.Open(\"sqlite\", os.Getenv(\"SHOP_DB\")); _ = db }\n"
	const literal = "package main\n\nimport (\n\t\"database/sql\"\n\n\t_ \"modernc.org/sqlite\"\n)\n\nfunc main() { db, _ := sql.Open(\"sqlite\", \"shop.db\"); _ = db }\n"
	for _, c := range []struct {
		name       string
		files      map[string]string
		env        []string
		want, from string // the file's name; of an error a part
	}{
		{"the variable of the code", map[string]string{"main.go": code}, []string{"SHOP_DB=other.db"}, "other.db", "SHOP_DB"},
		{".env", map[string]string{"main.go": code, ".env": "# local\nexport SHOP_DB='shop.db' \n"}, nil, "shop.db", "SHOP_DB in .env"},
		{"a URL in .env", map[string]string{"main.go": code, ".env": "DATABASE_URL=file:shop.db # local\n"}, nil, "shop.db", "DATABASE_URL in .env"},
		{"the code", map[string]string{"main.go": literal}, nil, "shop.db", "main.go:9"},
		{"a missing one", map[string]string{"main.go": code, ".env": "SHOP_DB=shopp.db"}, nil, "", "is shop.db meant?"},
		{"fly.toml", map[string]string{"main.go": code, "fly.toml": "app = 'shop'\n[env]\nSHOP_DB = '/nodata/app.db'\n[[mounts]]\nsource = 'data'\ndestination = '/nodata'\n"}, nil, "", "SHOP_DB in fly.toml names /nodata/app.db, which is on the app's machine"},
		{"nothing", map[string]string{"main.go": "package main\n\nfunc main() {}\n"}, nil, "", "no database is named: give its path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"shop.db", "other.db"} {
				openApp(t, filepath.Join(dir, name), table).Close()
			}
			c.files["go.mod"] = goMod
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			db, err := Find(t.Context(), Request{Env: c.env, Dir: dir})
			if c.want == "" {
				if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir+"/", ""), c.from) {
					t.Errorf("%v, want %q", err, c.from)
				}
				return
			}
			if err != nil || filepath.Base(db.Path) != c.want || db.From != c.from {
				t.Errorf("%+v, %v", db, err)
			}
		})
	}
}

func TestWAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	app := openApp(t, path, "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", table, rows("100"))
	db := find(t, path)
	w, err := db.WAL(t.Context())
	if err != nil || w.Mode != "wal" || w.Frames == 0 || w.Frames != w.Room || w.Checkpointed != 0 || w.Size != 32+w.Frames*(24+4096) {
		t.Fatalf("%+v, %v", w, err)
	}
	var frames, moved int64
	if err := app.QueryRow("PRAGMA wal_checkpoint(PASSIVE)").Scan(new(int), &frames, &moved); err != nil {
		t.Fatal(err)
	}
	after, err := db.WAL(t.Context())
	if err != nil || after.Frames != frames || after.Checkpointed != moved {
		t.Errorf("%+v, %v; SQLite says %d, %d", after, err, frames, moved)
	}
	// What follows uses the file again from its start.
	if _, err := app.Exec("INSERT INTO t VALUES (1000, 1)"); err != nil {
		t.Fatal(err)
	}
	again, err := db.WAL(t.Context())
	if err != nil || again.Frames == 0 || again.Frames >= w.Frames || again.Room != w.Room {
		t.Errorf("%+v, %v", again, err)
	}
	if busy, err := db.Checkpoint(t.Context()); busy || err != nil {
		t.Fatalf("busy %v, %v", busy, err)
	}
	if w, err := db.WAL(t.Context()); err != nil || w.Size != 0 {
		t.Errorf("%+v, %v", w, err)
	}
}

// A reader keeps a checkpoint from emptying the log; nothing is lost by that.
func TestCheckpointBesideAReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	app := openApp(t, path, "PRAGMA journal_mode=WAL", table, rows("10"))
	reader := openApp(t, path)
	tx, err := reader.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Exec("INSERT INTO t VALUES (1000, 1)"); err != nil {
		t.Fatal(err)
	}
	if busy, err := find(t, path).Checkpoint(t.Context()); !busy || err != nil {
		t.Errorf("busy %v, %v", busy, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, path); n != 11 {
		t.Errorf("%d rows", n)
	}
}

// What is read of a -wal and a -shm is another's.
func FuzzWAL(f *testing.F) {
	path := filepath.Join(f.TempDir(), "app.db")
	openApp(f, path, "PRAGMA journal_mode=WAL", table, rows("3"))
	var parts [3][]byte
	for i, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			f.Fatal(err)
		}
		parts[i] = data[:min(len(data), 5000)]
	}
	f.Add(parts[0], parts[1], parts[2])
	f.Fuzz(func(t *testing.T, db, wal, shm []byte) {
		path := filepath.Join(t.TempDir(), "app.db")
		for i, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.WriteFile(path+suffix, [][]byte{db, wal, shm}[i], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		w, err := (&Database{Path: path}).WAL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w.Frames > w.Room || w.Size != int64(len(wal)) {
			t.Errorf("%+v", w)
		}
		if _, err := json.Marshal(w); err != nil {
			t.Error(err)
		}
	})
}
