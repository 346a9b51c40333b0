package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// In these scripts « stands before the place where the error is to be found; it is taken out.
const marker = "«"

// placed returns the text without the marker, and where the marker stood.
func placed(t *testing.T, text string) (clean string, line, column int) {
	t.Helper()
	before, after, ok := strings.Cut(text, marker)
	if !ok {
		t.Fatal("no marker in the script")
	}
	line = strings.Count(before, "\n") + 1
	column = len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	return before + after, line, column
}

var placeCases = []struct {
	name, sql, want string
	statement       string // beginning of Error.Statement
	begin           string // for goose: needs StatementBegin
}{{
	name: "syntax error in the third statement",
	sql: `CREATE TABLE a (id INTEGER PRIMARY KEY);
CREATE TABLE b (id INTEGER PRIMARY KEY);
«CRATE TABLE c (id INTEGER PRIMARY KEY);
CREATE TABLE d (id INTEGER PRIMARY KEY);`,
	want: `near "CRATE": syntax error`, statement: "CRATE TABLE c",
}, {
	name: "three statements on a line",
	sql:  `CREATE TABLE a (id); CREATE TABLE b (id);  CREATE «TABEL c (id);`,
	want: `near "TABEL": syntax error`, statement: "CREATE TABEL c",
}, {
	name: "inside a long CREATE TABLE",
	sql: `CREATE TABLE guests (
    id      INTEGER PRIMARY KEY,
    -- how they are called; not more
    name    TEXT NOT NULL,
    email   TEXT NOT «NUL UNIQUE DEFAULT (lower('x;y')),
    created INTEGER
);`,
	want: `near "NUL": syntax error`, statement: "CREATE TABLE guests (",
}, {
	name: "missing table",
	sql: `CREATE TABLE a (id INTEGER);
INSERT INTO a
SELECT id
  FROM «nowhere
 WHERE id > 0;`,
	want: "no such table: nowhere", statement: "INSERT INTO a",
}, {
	name: "missing column of a table made by the same migration",
	sql: `CREATE TABLE a (id INTEGER);
CREATE TABLE b (id INTEGER);
INSERT INTO b (id)
  SELECT id FROM a
   WHERE «nme = 'x';`,
	want: "no such column: nme", statement: "INSERT INTO b",
}, {
	name: "unique violation",
	sql: `CREATE TABLE a (id INTEGER PRIMARY KEY);
INSERT INTO a VALUES (1);

-- and once more
  «INSERT INTO a VALUES (1);`,
	want: "UNIQUE constraint failed: a.id", statement: "INSERT INTO a VALUES (1)",
}, {
	name: "the second of two equal statements",
	sql: `CREATE TABLE a (id INTEGER PRIMARY KEY);
INSERT INTO a VALUES (1);
«INSERT INTO a VALUES (1);
INSERT INTO a VALUES (1);`,
	want: "UNIQUE constraint failed: a.id", statement: "INSERT INTO a VALUES (1)",
}, {
	name: "inside a trigger",
	sql: `CREATE TABLE a (id INTEGER, n INTEGER);
CREATE TRIGGER a_after AFTER INSERT ON a BEGIN
  UPDATE a SET n = 1 WHERE id = new.id;
  UPDATE a «STE n = 2;
END;
CREATE TABLE b (id);`,
	want: `near "STE": syntax error`, statement: "CREATE TRIGGER a_after", begin: "CREATE TRIGGER",
}, {
	name: "after characters of several bytes",
	sql: `CREATE TABLE "gäste" (名前 TEXT);
INSERT INTO "gäste" VALUES ('Zoë 🎉;'), («nix);`,
	want: "no such column: nix", statement: `INSERT INTO "gäste"`,
}, {
	name: "comments at the start",
	sql: `-- The guests; and what they said.
-- Second line; CREATE TABLE x (id);

/* a block; of
   comment */ CREATE TABLE a (id);
/* another */ «CREAT TABLE b (id);`,
	want: `near "CREAT": syntax error`, statement: "CREAT TABLE b",
}, {
	name: "semicolons in text",
	sql: `CREATE TABLE a (t TEXT DEFAULT ';');
INSERT INTO a VALUES ('one; two;
three; it''s;'), («[four;]);`,
	want: "no such column: four;", statement: "INSERT INTO a",
}, {
	name: "indented with tabs",
	sql:  "CREATE TABLE a (id);\n\n\t\tINSERT INTO a\n\t\t\t«VALEUS (1);",
	want: `near "VALEUS": syntax error`, statement: "INSERT INTO a",
}}

func TestErrorPlace(t *testing.T) {
	for _, tool := range tools {
		for _, c := range placeCases {
			for _, newline := range []string{"\n", "\r\n"} {
				t.Run(fmt.Sprintf("%s/%s/%q", tool, c.name, newline), func(t *testing.T) {
					sql := c.sql
					if tool == Goose && c.begin != "" {
						sql = strings.Replace(sql, c.begin, "-- +goose StatementBegin\n"+c.begin, 1)
						sql = strings.Replace(sql, "END;", "END;\n-- +goose StatementEnd", 1)
					}
					if tool == Goose && strings.Contains(sql, "'one; two;\n") {
						sql = "-- +goose StatementBegin\n" + sql + "\n-- +goose StatementEnd"
					}
					files := simple(tool, "CREATE TABLE first (id);", sql, "CREATE TABLE last (id);")
					name := "migrations/0002_step.sql"
					if tool == GolangMigrate {
						name = "migrations/0002_step.up.sql"
					}
					text, line, column := placed(t, string(files[name].Data))
					files[name].Data = []byte(strings.ReplaceAll(text, "\n", newline))

					db := newDB(t)
					applied, err := open(t, files).Up(t.Context(), db)
					if got := strings.TrimLeft(versions(applied), "0"); got != "1" {
						t.Errorf("applied %q, want 1", got)
					}
					var e *Error
					if !errors.As(err, &e) {
						t.Fatalf("got %v (%T), want an *Error", err, err)
					}
					if e.File != name || e.Line != line || e.Column != column || e.Tool != tool {
						t.Errorf("got %s %s:%d:%d, want %s %s:%d:%d", e.Tool, e.File, e.Line, e.Column, tool, name, line, column)
					}
					if want := fmt.Sprintf("%s:%d:%d: %s (%s)", name, line, column, c.want, tool); !strings.HasPrefix(e.Error(), want) {
						t.Errorf("got  %s\nwant %s...", e, want)
					}
					if !strings.HasPrefix(e.Statement, c.statement) {
						t.Errorf("statement %q, want %q...", e.Statement, c.statement)
					}
					var cause *sqlite.Error
					if !errors.As(err, &cause) {
						t.Errorf("%v does not wrap SQLite's error", err)
					}
					if strings.Contains(e.Error(), "\n") {
						t.Errorf("more than one line: %s", e)
					}
					if got := query(t, db, "SELECT name FROM sqlite_schema WHERE name IN ('a', 'b', 'gäste', 'guests', 'last')"); got != "" {
						t.Errorf("the failed migration left %s", got)
					}
				})
			}
		}
	}
}

// What the libraries refuse to parse has a place too, and nothing has been run.
func TestUnreadableFile(t *testing.T) {
	tests := []struct {
		name string
		tool Tool
		text string
		want string
	}{
		{"goose, semicolon missing", Goose, "-- +goose Up\nCREATE TABLE a (id);\n\nCREATE TABLE b (id)\n-- +goose Down\n", ":4:1: "},
		{"goose, unknown annotation", Goose, "-- +goose Up\nCREATE TABLE a (id);\n-- +goose Dwon\nDROP TABLE a;\n", ":3:1: "},
		{"goose, end missing", Goose, "-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE a (id);\n", ": failed to prepare"},
		{"dbmate, no down", Dbmate, "-- migrate:up\nCREATE TABLE a (id);\n", "migrate:down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := simple(tt.tool, "CREATE TABLE first (id);", "SELECT 1;", "SELECT 1;")
			files["migrations/0002_step.sql"] = file(tt.text)
			db := newDB(t)
			applied, err := open(t, files).Up(t.Context(), db)
			var e *Error
			if !errors.As(err, &e) || e.File != "migrations/0002_step.sql" {
				t.Fatalf("got %v, want an Error about migrations/0002_step.sql", err)
			}
			if !strings.Contains(e.Error(), tt.want) {
				t.Errorf("got %s, want %q in it", e, tt.want)
			}
			if len(applied) != 0 || len(status(t, files, db).Applied) != 0 {
				t.Errorf("applied %v", applied)
			}
		})
	}
}

// A file that cannot be read must never pass for an empty one, nor its first half for the whole.
func TestUnreadableDisk(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			files := simple(tool, "CREATE TABLE a (id);", "CREATE TABLE b (id);\n"+strings.Repeat("-- filler\n", 20_000)+"CREATE TABLE c (id);")
			broken := &brokenFS{FS: files}
			set := open(t, broken)
			broken.after = 100_000
			db := newDB(t)
			_, err := set.Up(t.Context(), db)
			var e *Error
			if !errors.Is(err, errBroken) && (err == nil || !strings.Contains(err.Error(), errBroken.Error())) {
				t.Errorf("got %v, want %v", err, errBroken)
			}
			if !errors.As(err, &e) || !strings.HasPrefix(e.File, "migrations/0002_step.") {
				t.Errorf("got %v, want an Error about the second file", err)
			}
			if got := query(t, db, "SELECT name FROM sqlite_schema WHERE name IN ('b', 'c')"); got != "" {
				t.Errorf("the unreadable file made %s", got)
			}
		})
	}
}

var errBroken = errors.New("the disk is broken")

// brokenFS fails to read a file beyond a number of bytes.
type brokenFS struct {
	fs.FS
	after int // bytes; 0 is no limit
}

func (b *brokenFS) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	if _, ok := f.(fs.ReadDirFile); ok || err != nil || b.after == 0 {
		return f, err
	}
	return &brokenFile{f, b.after}, nil
}

type brokenFile struct {
	fs.File
	left int
}

func (f *brokenFile) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errBroken
	}
	n, err := f.File.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

func TestGooseTriggerHint(t *testing.T) {
	files := simple(Goose, "CREATE TABLE a (id, n);\nCREATE TRIGGER x AFTER INSERT ON a BEGIN\n  UPDATE a SET n = 1;\nEND;")
	_, err := open(t, files).Up(t.Context(), newDB(t))
	if err == nil || !strings.Contains(err.Error(), "StatementBegin") || !strings.HasPrefix(err.Error(), "migrations/0001_step.sql:3:1: incomplete input (goose)") {
		t.Errorf("got %v", err)
	}
}

func TestGooseVariables(t *testing.T) {
	t.Setenv("MIGRATE_TEST_NAME", "a")
	files := simple(Goose, "-- +goose ENVSUB ON\nCREATE TABLE ${MIGRATE_TEST_NAME} (id);\nSELECT 1;\nCREATE TABLE ${MIGRATE_TEST_NAME} (id);")
	_, err := open(t, files).Up(t.Context(), newDB(t))
	want := `migrations/0001_step.sql:5: table a already exists (goose), in "CREATE TABLE ${MIGRATE_TEST_NAME} (id);"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	// What is put in may be a secret, and stays out of the error.
	t.Setenv("MIGRATE_TEST_NAME", "hunter2")
	files = simple(Goose, "-- +goose envsub on\nCREATE TABLE a (id UNIQUE);\nINSERT INTO a VALUES (1), ('${MIGRATE_TEST_NAME}'),\n  (1);")
	_, err = open(t, files).Up(t.Context(), newDB(t))
	var e *Error
	if !errors.As(err, &e) || strings.Contains(fmt.Sprintf("%v %+v", err, *e), "hunter2") || e.Line != 4 {
		t.Errorf("got %v", err)
	}
	files = simple(Goose, "-- +goose ENVSUB ON\nINSERT INTO a VALUES ('${MIGRATE_TEST_NAME}')")
	_, err = open(t, files).Up(t.Context(), newDB(t))
	if !errors.As(err, &e) || strings.Contains(fmt.Sprintf("%v %+v", err, *e), "hunter2") || e.Line != 3 {
		t.Errorf("got %v", err)
	}
}

// The cause is SQLite's own also where the library's error wraps nothing.
func TestErrorBesideTheScripts(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			up(t, simple(tool, "CREATE TABLE a (id);"), db)
			execSQL(t, db, "CREATE TRIGGER never BEFORE INSERT ON "+defaultTable[tool]+" BEGIN SELECT RAISE(ABORT, 'never'); END")
			_, err := open(t, simple(tool, "CREATE TABLE a (id);", "CREATE TABLE b (id);")).Up(t.Context(), db)
			var e *Error
			var cause *sqlite.Error
			if !errors.As(err, &e) || !errors.As(err, &cause) || !strings.HasPrefix(e.File, "migrations/0002_step.") || e.Line != 0 {
				t.Errorf("got %#v", err)
			}
			if want := ": never (" + string(tool) + ")"; err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %v, want %q at the end", err, want)
			}
		})
	}
}

// SQLite may roll back by itself on a full disk; what is reported is the disk, not that.
func TestFull(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			files := simple(tool, "PRAGMA max_page_count=20;\nCREATE TABLE a (x);\nINSERT INTO a VALUES (zeroblob(1000000));")
			_, err := open(t, files).Up(t.Context(), db)
			var cause *sqlite.Error
			if !errors.As(err, &cause) || cause.Code() != sqlite3.SQLITE_FULL || !strings.Contains(err.Error(), "sql:"+map[Tool]string{Goose: "4:1", GolangMigrate: "3:1", Dbmate: "4:1"}[tool]) {
				t.Errorf("got %v", err)
			}
			if st := status(t, files, db); len(st.Applied) != 0 {
				t.Errorf("got %+v", st)
			}
		})
	}
}

// SQLite stops reading at a NUL and reports success.
func TestNUL(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			files := simple(tool, "CREATE TABLE a (id);\nCREATE TABLE b (\x00 id);")
			_, err := open(t, files).Up(t.Context(), newDB(t))
			if err == nil || !strings.Contains(err.Error(), "NUL") {
				t.Errorf("got %v, want a complaint about the NUL", err)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("it broke")
	tests := []struct {
		err  Error
		want string
	}{
		{Error{Tool: Goose, Err: cause}, "goose: it broke"},
		{Error{Tool: Goose}, "goose: unknown error"},
		{Error{Tool: Dbmate, File: "m/1_a.sql", Err: cause}, "m/1_a.sql: it broke (dbmate)"},
		{Error{Tool: Dbmate, File: "m/1_a.sql", Line: 3, Err: cause}, "m/1_a.sql:3: it broke (dbmate)"},
		{Error{Tool: Dbmate, File: "m/1_a.sql", Line: 3, Column: 4, Err: cause, Statement: "SELECT\n\t 1", NoTx: true, hint: "do this"},
			`m/1_a.sql:3:4: it broke (dbmate), in "SELECT 1"; this file runs outside a transaction: what it changed before the error is still in the database; do this`},
		{Error{Tool: Dbmate, Err: cause, Statement: strings.Repeat("äx ", 1000)}, `dbmate: it broke, in "` + strings.Repeat("äx ", 26) + `äx…"`},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}
