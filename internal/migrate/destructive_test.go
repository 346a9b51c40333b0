package migrate

import (
	"strings"
	"testing"
	"testing/fstest"
)

// What takes away is found where it is, whatever is around it.
func TestDestructive(t *testing.T) {
	for _, tt := range []struct{ name, up, want string }{
		{"nothing", "CREATE TABLE a(i NOT NULL);\nINSERT INTO a VALUES (1);", ""},
		{"a table", "DROP TABLE users;", "3: drops the table users"},
		{"if it exists, in a schema, quoted", "\n\ndrop table if exists main.\"Users\";", "5: drops the table users"},
		{"a view", "DROP VIEW [v];", "3: drops the view v"},
		{"an index", "DROP INDEX i; DROP TRIGGER t;", ""},
		{"a column", "ALTER TABLE `t` DROP COLUMN c;", "3: drops the column t.c"},
		{"a column, in short", "ALTER TABLE t DROP c;", "3: drops the column t.c"},
		{"rename a table", "ALTER TABLE t RENAME TO u;", "3: renames the table t"},
		{"rename a column", "ALTER TABLE t RENAME COLUMN c TO d;", "3: renames the column t.c"},
		{"rename a column, in short", "ALTER TABLE t RENAME c TO d;", "3: renames the column t.c"},
		{"not null", "ALTER TABLE t ADD COLUMN c TEXT NOT NULL;", "3: adds the column t.c, NOT NULL without a default"},
		{"not null with a default", "ALTER TABLE t ADD c TEXT NOT NULL DEFAULT '';", ""},
		{"null", "ALTER TABLE t ADD c TEXT NULL;", ""},
		{"in a comment, a string", "-- DROP TABLE a;\nINSERT INTO a VALUES ('; DROP TABLE b;'); /* ; DROP TABLE c; */", ""},
		{"in a trigger", "CREATE TRIGGER x AFTER INSERT ON a BEGIN DELETE FROM b; END;\nDROP TABLE c;", "4: drops the table c"},
		{"replaced", "CREATE TABLE new_t(i);\nINSERT INTO new_t SELECT i FROM t;\nDROP TABLE t;\nALTER TABLE new_t RENAME TO t;", ""},
		{"replaced, the old one first", "ALTER TABLE t RENAME TO old_t;\nCREATE TABLE t(i);\nDROP TABLE old_t;", ""},
		{"its own", "CREATE TEMP TABLE x(i);\nDROP TABLE x;", ""},
		{"cut short", "DROP TABLE", "3: drops the table "},
		{"cut shorter", "ALTER TABLE", ""},
		{"two", "DROP TABLE a; DROP TABLE b;", "3: drops the table a; 3: drops the table b"},
	} {
		for _, tl := range []struct{ tool, file, before, after string }{
			{"goose", "00001_x.sql", "-- +goose Up\n-- first\n", "\n-- +goose Down\nDROP TABLE down;\n"},
			{"dbmate", "20260101000000_x.sql", "-- migrate:up\n-- first\n", "\n-- migrate:down\nDROP TABLE down;\n"},
			{"golang-migrate", "000001_x.up.sql", "-- a\n-- first\n", ""},
		} {
			t.Run(tt.name+"/"+tl.tool, func(t *testing.T) {
				set, err := Open(fstest.MapFS{tl.file: {Data: []byte(tl.before + tt.up + tl.after)}}, Options{Tool: Tool(tl.tool)})
				if err != nil {
					t.Fatal(err)
				}
				found, err := set.Destructive(set.migrations)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, d := range found {
					got = append(got, strings.TrimPrefix(d.String(), tl.file+":"))
				}
				if got := strings.Join(got, "; "); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// Whatever is in a file, reading it ends.
func FuzzDestructive(f *testing.F) {
	f.Add("ALTER TABLE t RENAME TO")
	f.Add("DROP TABLE IF EXISTS a.\"")
	f.Add("-- +goose Up\nCREATE VIEW [")
	f.Fuzz(func(t *testing.T, text string) {
		for _, tool := range []Tool{Goose, GolangMigrate, Dbmate} {
			for _, d := range destructive(tool, []byte(text)) {
				if lines := strings.Count(text, "\n") + 1; d.Line < 1 || d.Line > lines {
					t.Errorf("%v in a text of %d lines", d, lines)
				}
			}
		}
	})
}
