package migrate

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const (
	gooseText  = "-- +goose Up\nSELECT 1;\n-- +goose Down\n"
	dbmateText = "-- migrate:up\nSELECT 1;\n-- migrate:down\n"
)

// dir makes a file system of name, text pairs.
func dir(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = file(pairs[i+1])
	}
	return out
}

func TestOpen(t *testing.T) {
	tests := []struct {
		name  string
		fsys  fstest.MapFS
		o     Options
		tool  Tool
		dir   string
		files string // "version file[ notx]" in order
	}{
		{"goose in the root", dir("00001_a.sql", gooseText, "10_c.sql", gooseText, "9_b.sql", gooseText), Options{}, Goose, ".",
			"1 00001_a.sql, 9 9_b.sql, 10 10_c.sql"},
		{"golang-migrate", dir("m/000001_a.up.sql", "SELECT 1;", "m/000001_a.down.sql", "", "m/2_b.up.sql", ""), Options{}, GolangMigrate, "m",
			"1 m/000001_a.up.sql, 2 m/2_b.up.sql"},
		{"golang-migrate, version 0 and a down file alone", dir("0_a.up.sql", "", "1_b.down.sql", ""), Options{}, GolangMigrate, ".",
			"0 0_a.up.sql, 1 1_b.down.sql"},
		{"dbmate, in the order of names", dir("db/migrations/10_b.sql", dbmateText, "db/migrations/9_c.sql", dbmateText, "db/migrations/007.sql", dbmateText), Options{}, Dbmate, "db/migrations",
			"007 db/migrations/007.sql, 10 db/migrations/10_b.sql, 9 db/migrations/9_c.sql"},
		{"without transaction", dir("1_a.sql", gooseText, "2_b.sql", "-- +goose NO TRANSACTION\n"+gooseText, "3_c.sql", gooseText+"-- +goose no transaction\n"), Options{}, Goose, ".",
			"1 1_a.sql, 2 2_b.sql notx, 3 3_c.sql notx"},
		{"dbmate without transaction", dir("1_a.sql", "-- migrate:up  transaction:false\nSELECT 1;\n-- migrate:down\n", "2_b.sql", "-- migrate:up transaction:true\nSELECT 'transaction:false';\n-- migrate:down transaction:false\n"), Options{}, Dbmate, ".",
			"1 1_a.sql notx, 2 2_b.sql"},
		{"comments before the marker", dir("1_a.sql", "\n  \n-- guests\r\n--\r\n-- +goose up\r\nSELECT 1;\r\n"), Options{}, Goose, ".", "1 1_a.sql"},
		{"files beside", dir("1_a.sql", gooseText, "README.md", "x", "schema.sql", "x", "embed.go", "package x", "1_a.sql~", "x", "2_b_test.go", "", "3_c.sql.bak", "x", "sub/1_a.sql", gooseText), Options{}, Goose, ".", "1 1_a.sql"},
		{"backups of golang-migrate's", dir("1_a.up.sql", "", "1_a.up.sql.bak", "", "1_a.up.sql~", ""), Options{}, GolangMigrate, ".", "1 1_a.up.sql"},
		{"one directory of several", dir("main.go", "", "sql/queries/1.txt", "", "seeds/001_guests.sql", "SELECT 1;", "a/b/c/1_a.sql", gooseText, ".git/1_a.sql", gooseText, "node_modules/x/1_a.sql", gooseText), Options{}, Goose, "a/b/c", "1 a/b/c/1_a.sql"},
		{"told", dir("1_a.sql", "-- migrate:up\n-- +goose Up\n"), Options{Tool: Dbmate}, Dbmate, ".", "1 1_a.sql"},
		{"goose names ending like golang-migrate's", dir("1_a.up.sql", gooseText), Options{}, Goose, ".", "1 1_a.up.sql"},
		{"marker in a line too long", dir("1_a.sql", gooseText+"INSERT INTO a VALUES ('"+strings.Repeat("x", 3*lineHead)+"');\n-- +goose NO TRANSACTION"), Options{}, Goose, ".", "1 1_a.sql notx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(tt.fsys, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range s.migrations {
				line := m.Version + " " + m.File
				if m.NoTx {
					line += " notx"
				}
				got = append(got, line)
			}
			if s.Tool() != tt.tool || s.Dir() != tt.dir || s.Len() != len(got) {
				t.Errorf("got %s in %s, %d; want %s in %s", s.Tool(), s.Dir(), s.Len(), tt.tool, tt.dir)
			}
			if diff := cmp.Diff(tt.files, strings.Join(got, ", ")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		fsys fstest.MapFS
		o    Options
		want []string // in the message
		none bool     // is ErrNoMigrations
	}{
		{"empty", dir(), Options{}, []string{"no migrations found", "0001_create_guests.sql"}, true},
		{"nothing numbered", dir("schema.sql", "SELECT 1;", "README.md", "x"), Options{}, []string{"no migrations found"}, true},
		{"no marker", dir("m/1_a.sql", "CREATE TABLE a (id);\n-- +goose Up\n"), Options{}, []string{"m/1_a.sql", "+goose Up", "migrate:up", ".up.sql"}, true},
		{"one without marker", dir("1_a.sql", gooseText, "2_b.sql", "CREATE TABLE b (id);"), Options{}, []string{"2_b.sql", "goose"}, false},
		{"one that golang-migrate would pass over", dir("1_a.up.sql", "", "2_b.sql", ""), Options{}, []string{"2_b.sql", "golang-migrate", ".up.sql"}, false},
		{"two tools", dir("1_a.sql", gooseText, "2_b.sql", dbmateText), Options{}, []string{"1_a.sql (goose)", "2_b.sql (dbmate)"}, false},
		{"goose and golang-migrate", dir("1_a.sql", gooseText, "2_b.up.sql", ""), Options{}, []string{"1_a.sql (goose)", "2_b.up.sql (golang-migrate)"}, false},
		{"both markers", dir("1_a.sql", "-- +goose Up\n-- migrate:up\n"), Options{}, []string{"1_a.sql", "goose", "dbmate"}, false},
		{"two directories", dir("a/1_a.sql", gooseText, "b/1_a.sql", gooseText), Options{}, []string{"a and b"}, false},
		{"same version for goose", dir("001_a.sql", gooseText, "1_b.sql", gooseText), Options{}, []string{"001_a.sql", "1_b.sql", "version 1"}, false},
		{"same version for golang-migrate", dir("01_a.up.sql", "", "1_b.up.sql", ""), Options{}, []string{"01_a.up.sql", "1_b.up.sql"}, false},
		{"same version for dbmate", dir("1_a.sql", dbmateText, "1_b.sql", dbmateText), Options{}, []string{"1_a.sql", "1_b.sql"}, false},
		{"Go", dir("1_a.sql", gooseText, "2_b.go", "package m"), Options{}, []string{"2_b.go", "--migrate"}, false},
		{"only Go", dir("m/00001_b.go", "package m"), Options{}, []string{"m/00001_b.go", "--migrate"}, false},
		{"goose version 0", dir("0_a.sql", gooseText), Options{}, []string{"0_a.sql", "begin with 1"}, false},
		{"goose without underscore", dir("1-a.sql", gooseText), Options{}, []string{"1-a.sql", "0001_name.sql"}, false},
		{"too large", dir("99999999999999999999_a.up.sql", ""), Options{}, []string{"99999999999999999999", "too large"}, false},
		{"told otherwise", dir("1_a.sql", gooseText), Options{Tool: Dbmate}, []string{"1_a.sql", "not marked for dbmate"}, false},
		{"told otherwise by name", dir("1_a.sql", gooseText), Options{Tool: GolangMigrate}, []string{"1_a.sql", "golang-migrate", ".up.sql"}, false},
		{"unknown tool", dir("1_a.sql", gooseText), Options{Tool: "flyway"}, []string{`"flyway"`, "goose", "dbmate"}, false},
		{"only down files", dir("1_a.down.sql", ""), Options{}, []string{"golang-migrate"}, true},
		{"byte order mark", dir("1_a.sql", "\uFEFF"+gooseText), Options{}, []string{"1_a.sql", "byte order mark"}, false},
		{"NUL in the table", dir("1_a.sql", gooseText), Options{Table: "a\x00"}, []string{"NUL"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(tt.fsys, tt.o)
			if err == nil {
				t.Fatalf("got %v, want an error", s.migrations)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("got %q, want %q in it", err, w)
				}
			}
			if errors.Is(err, ErrNoMigrations) != tt.none {
				t.Errorf("is ErrNoMigrations: %v, want %v: %v", !tt.none, tt.none, err)
			}
		})
	}
	if _, err := Open(nil, Options{}); err == nil {
		t.Error("nil file system: no error")
	}
}

func TestNewer(t *testing.T) {
	order := []string{"0", "1", "2", "10", "11", "20240131120000", "99999999999999999999999"}
	for i, a := range order {
		for j, b := range order {
			if got, want := newer(a, b), i > j; got != want {
				t.Errorf("newer(%q, %q) = %v", a, b, got)
			}
		}
	}
	if newer("007", "7") || newer("7", "007") || !newer("008", "7") || newer("7", "008") {
		t.Error("zeros in front count")
	}
}
