package entrypoint

import (
	"fmt"
	"strings"
)

// A tool writes its migrations in its own form; the tests say what they do.
type tool struct {
	name  string
	file  func(n int, name, up string, noTx bool) (file, text string)
	noTx  bool   // the tool can run a migration outside a transaction
	table string // where it records what is applied
}

var tools = []tool{
	{
		name: "goose", noTx: true, table: "goose_db_version",
		file: func(n int, name, up string, noTx bool) (string, string) {
			head := ""
			if noTx {
				head = "-- +goose NO TRANSACTION\n"
			}
			return fmt.Sprintf("%05d_%s.sql", n, name), head + "-- +goose Up\n" + up + "\n-- +goose Down\nSELECT 1;\n"
		},
	},
	{
		name: "golang-migrate", table: "schema_migrations",
		file: func(n int, name, up string, _ bool) (string, string) {
			return fmt.Sprintf("%06d_%s.up.sql", n, name), "-- " + name + "\n" + up + "\n"
		},
	},
	{
		name: "dbmate", noTx: true, table: "schema_migrations",
		file: func(n int, name, up string, noTx bool) (string, string) {
			option := ""
			if noTx {
				option = " transaction:false"
			}
			return fmt.Sprintf("2026010100%04d_%s.sql", n, name), "-- migrate:up" + option + "\n" + up + "\n-- migrate:down\n"
		},
	},
}

// step is one migration of a test: its statements, one a line.
type sqlStep struct {
	name string
	up   []string
	noTx bool
}

// write gives the files of a migrations directory, and the line of each
// statement of the last step.
func (tl tool) write(steps ...sqlStep) (tree map[string]string, lastFile string, lastLines []int) {
	tree = map[string]string{}
	for i, s := range steps {
		file, text := tl.file(i+1, s.name, strings.Join(s.up, "\n"), s.noTx)
		tree[file] = text
		lastFile, lastLines = file, nil
		for n, line := range strings.Split(text, "\n") {
			for _, stmt := range s.up {
				if line == stmt {
					lastLines = append(lastLines, n+1)
				}
			}
		}
	}
	return tree, lastFile, lastLines
}

var (
	createA = sqlStep{name: "a", up: []string{"CREATE TABLE a(id INTEGER PRIMARY KEY);"}}
	createB = sqlStep{name: "b", up: []string{"CREATE TABLE b(id INTEGER PRIMARY KEY);", "INSERT INTO b VALUES (1);"}}
	broken  = sqlStep{name: "broken", up: []string{
		"CREATE TABLE c(id INTEGER PRIMARY KEY);",
		"DELETE FROM kept;",
		"CRATE TABLE d(id INTEGER PRIMARY KEY);",
		"CREATE TABLE e(id INTEGER PRIMARY KEY);",
	}}
)

// slow is a statement that runs until it is interrupted, or some minutes.
const slow = "INSERT INTO busy WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100000000) SELECT i FROM n WHERE i % 1000 = 0;"
